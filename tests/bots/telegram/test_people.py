"""Who may, on Telegram: strangers, owners, groups; and honest words for what is refused, once each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from core.chat.chat import Options
from core.chat.people import People
from core.errors import StoreFull
from core.limits import Limits
from core.store.store import Store
from tests.servers.telegram.server import bot_api
from tests.servers.telegram.world import BOT
from tests.support.stepped_engine import until
from tests.support.telegram_core import NO_FLOOD, OPEN, SAY, WORDING, Stage, connected, stage
from tests.support.whole_core import house

ANSWER = "a1 a2 a3 a4"
NAME = f"@{BOT['username']}"
OWNER = 42


def closed(**more: object) -> People:
    return People(owners=[f"telegram:{OWNER}"], open_to=("web",), new_code=lambda: "ABCDEF", **more)


async def silence(scene: Stage) -> None:
    """Returns when everything that was said has been taken, and what came of it has been told."""
    await scene.world.until(lambda: not scene.world.updates)
    await asyncio.sleep(0.05)


async def test_a_stranger_gets_a_code_by_which_the_owner_admits_them(tmp_path: Path) -> None:
    async with stage(tmp_path, people=closed()) as scene:
        scene.home.engine.release()
        ann, owner = scene.world.person("Ann", "ko"), scene.world.person("Owner", id_=OWNER)
        for text in ("hello", "hello?", "/start", "/status"):
            scene.world.say(ann, text)
        await scene.shown(scene.room(ann), WORDING("ko", "admit-code", code="ABCDEF"))
        await silence(scene)
        assert len(scene.room(ann).of_bot()) == 1
        scene.world.say(ann, "/privacy")
        await scene.world.until(lambda: len(scene.room(ann).of_bot()) == 2)
        scene.world.say(owner, "/admin allow abcdef")
        await scene.shown(scene.room(owner), SAY("admin-allowed", who=f"telegram:{ann.id}"))
        await scene.world.until(lambda: len(scene.room(ann).of_bot()) == 3)
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)


async def test_a_stranger_with_a_picture_gets_the_code_too(tmp_path: Path) -> None:
    async with stage(tmp_path, people=closed()) as scene:
        ann = scene.world.person("Ann")
        scene.world.send_photo(ann)
        await scene.shown(scene.room(ann), SAY("admit-code", code="ABCDEF"))
        await silence(scene)
        assert len(scene.room(ann).of_bot()) == 1


async def test_an_admission_waits_for_a_disk_that_is_full_and_a_stranger_hears_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path, people=closed()) as scene:
        owner, ann = scene.world.person("Owner", id_=OWNER), scene.world.person("Ann")
        room, full, grant = scene.world.group("Friends"), 2, Store.grant

        async def fill(*arguments: object) -> None:
            nonlocal full
            if full:
                full -= 1
                raise StoreFull
            await grant(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "grant", fill)
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), SAY("store-full"))
        scene.world.add_bot(owner, room)
        await scene.shown(room, SAY("group-welcome", name=NAME))
        scene.home.chat.check_admitted(f"telegram:{room.id}")


async def test_who_is_blocked_hears_so_and_gets_no_code(tmp_path: Path) -> None:
    async with stage(tmp_path, people=closed(blocked=["telegram:66"])) as scene:
        eve, owner = scene.world.person("Eve", id_=66), scene.world.person("Owner", id_=OWNER)
        bob = scene.world.person("Bob", id_=67)
        for _ in range(3):
            scene.world.say(eve, "hello")
        await scene.shown(scene.room(eve), SAY("not-allowed"))
        scene.world.say(owner, "/admin deny 67")
        await scene.shown(scene.room(owner), SAY("admin-denied", who="telegram:67"))
        scene.world.say(bob, "hello")
        await scene.shown(scene.room(bob), SAY("not-allowed"))
        await silence(scene)
        assert len(scene.room(eve).of_bot()) == 1


async def test_people_and_groups_are_admitted_and_blocked_by_their_ids(tmp_path: Path) -> None:
    async with stage(
        tmp_path, people=closed(allowed=["telegram:70", "telegram:-1070"], blocked=["telegram:71"])
    ) as scene:
        scene.home.engine.release()
        ann, owner = scene.world.person("Ann", id_=70), scene.world.person("Owner", id_=OWNER)
        bob, eve = scene.world.person("Bob", id_=72), scene.world.person("Eve", id_=71)
        room = scene.world.group("Friends", id_=-1070)
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)
        for person in (eve, bob):
            scene.world.say(person, f"{NAME} hello", room)
        await scene.shown(room, SAY("not-allowed"), ANSWER)
        scene.world.say(owner, "/admin deny -1070")
        await scene.shown(scene.room(owner), SAY("admin-denied", who="telegram:-1070"))
        scene.world.say(bob, f"{NAME} and now?", room)
        await scene.shown(room, SAY("not-allowed"), ANSWER, SAY("not-allowed"))


async def test_a_bot_that_is_open_answers_everybody(tmp_path: Path) -> None:
    async with stage(tmp_path, people=People(open_to=OPEN)) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)


async def test_with_no_owner_yet_whoever_sends_the_code_of_the_start_is(tmp_path: Path) -> None:
    async with stage(tmp_path, people=People(open_to=("web",))) as scene:
        (link,) = [line for line in scene.said if "https://t.me/" in line]
        code = link.rpartition("=")[2]
        ann, bob = scene.world.person("Ann"), scene.world.person("Bob")
        scene.world.say(bob, "/start guess")
        await scene.shown(scene.room(bob), SAY("admin-code-wrong"))
        scene.world.say(ann, f"/start {code}")
        await scene.shown(scene.room(ann), SAY("admin-claimed"))
        scene.world.say(bob, f"/start {code}")
        await scene.world.until(lambda: len(scene.room(bob).of_bot()) == 2)
        assert scene.home.chat.owns(f"telegram:{ann.id}")
        assert not scene.home.chat.owns(f"telegram:{bob.id}")
        scene.home.engine.release()
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)


async def test_a_group_is_admitted_by_an_owner_adding_the_bot(tmp_path: Path) -> None:
    async with stage(tmp_path, people=closed()) as scene:
        scene.home.engine.release()
        owner, ann = scene.world.person("Owner", id_=OWNER), scene.world.person("Ann")
        room = scene.world.group("Friends")
        scene.world.add_bot(owner, room)
        await scene.shown(room, SAY("group-welcome", name=NAME))
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.shown(room, ANSWER)
        scene.world.say(ann, "hello")  # not in private, though
        await scene.shown(scene.room(ann), SAY("admit-code", code="ABCDEF"))


async def test_a_group_of_somebody_elses_asks_the_owner(tmp_path: Path) -> None:
    async with stage(tmp_path, people=closed()) as scene:
        scene.home.engine.release()
        owner, ann, room = scene.world.person("Owner", id_=OWNER), scene.world.person("Ann"), scene.world.group("Ours")
        scene.world.add_bot(ann, room)
        scene.world.add_bot(ann, room, away=True)
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.shown(room, SAY("admit-group", code="ABCDEF"))
        await silence(scene)
        assert len(room.of_bot()) == 1
        scene.world.say(owner, "/admin allow ABCDEF")
        await scene.shown(room, SAY("admit-group", code="ABCDEF"), SAY("group-welcome", name=NAME))
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.shown(room, ANSWER)


async def test_what_was_admitted_and_asked_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server:
        ann, bob = server.world.person("Ann"), server.world.person("Bob")
        for life in range(2):
            async with house(tmp_path, people=closed()) as home:
                await home.people.load(home.store)
                home.engine.release()
                async with connected(server, home) as scene:
                    if life == 0:
                        await home.chat.allow(f"telegram:{ann.id}")
                    for person, text in ((ann, ANSWER), (bob, SAY("admit-code", code="ABCDEF"))):
                        server.world.say(person, f"hello {life}")
                        await scene.shown(scene.room(person), text)


async def test_owners_pause_resume_drain_and_look_and_nobody_else_does(tmp_path: Path) -> None:
    async with stage(tmp_path, people=People(owners=[f"telegram:{OWNER}"], open_to=OPEN)) as scene:
        scene.home.engine.release()
        owner, ann = scene.world.person("Owner", id_=OWNER), scene.world.person("Ann")
        scene.world.say(ann, "/admin pause")
        await scene.shown(scene.room(ann), SAY("admin-only"))
        scene.world.say(owner, "/admin pause")
        await scene.shown(scene.room(owner), SAY("admin-paused"))
        scene.world.say(ann, "hello")
        await scene.world.until(lambda: scene.room(ann).texts()[-1] == SAY("paused"))
        scene.world.say(owner, "/admin drain")
        await scene.shown(scene.room(owner), SAY("admin-draining"))
        scene.world.say(ann, "one more")
        await scene.world.until(lambda: scene.room(ann).texts()[-1] == SAY("draining"))
        scene.world.say(owner, "/admin resume")
        await scene.world.until(lambda: ANSWER in scene.room(ann).texts())
        scene.world.say(owner, "/admin stats")
        await scene.world.until(lambda: "questions: 1" in scene.room(owner).texts()[-1])


async def test_each_refusal_has_its_word_once(tmp_path: Path) -> None:
    limits = Limits(messages_per_minute=2, tokens_per_day=0, characters=100)
    async with stage(tmp_path, limits=limits) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        for _ in range(3):
            scene.world.say(ann, "x" * 101)
        await scene.shown(room, SAY("too-long-characters", limit=100))
        for text in ("one", "two", "three", "four", "five"):
            scene.world.say(ann, text)
        await scene.world.until(lambda: len(room.of_bot()) == 4)
        await silence(scene)
        (word,) = [text for text in room.texts() if "a bit fast" in text]
        assert "minute" in word or "second" in word
        assert room.texts().count(ANSWER) == 2


async def test_a_full_line_is_said_once_until_something_was_accepted_again(tmp_path: Path) -> None:
    async with stage(tmp_path, waiting=100, waiting_per_person=1) as scene:
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        for text in ("runs", "waits", "no", "no again"):
            scene.world.say(ann, text)
        await scene.world.until(lambda: room.texts().count(SAY("queue-full-person")) == 1)
        await silence(scene)
        scene.home.engine.step(4)
        await until(lambda: len(scene.home.engine.asked) == 2)
        for text in ("waits now", "no"):
            scene.world.say(ann, text)
        await scene.world.until(lambda: room.texts().count(SAY("queue-full-person")) == 2)
        scene.home.engine.release()


async def test_what_is_too_old_gets_one_word_instead_of_an_answer(tmp_path: Path) -> None:
    options = Options(persona="assistant", max_age=3600.0)
    async with stage(tmp_path, options=options) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        old = int(scene.world.clock()) - 7200
        for _ in range(3):
            scene.world.say(ann, "long ago", date=old)
        scene.world.say(ann, "now")
        await scene.shown(scene.room(ann), SAY("expired"), ANSWER)
        assert len(scene.room(ann).of_bot()) == 2


async def test_words_that_nobody_wants_do_not_pile_up(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        ann = scene.world.person("Ann")
        scene.server.faults["sendMessage"].append("hang")
        for _ in range(20):
            scene.world.say(ann, "/privacy")
        await scene.world.until(lambda: not scene.world.updates)
        assert scene.server.requests.count("sendMessage") <= 1
        scene.server.cut_all()
        await scene.world.until(lambda: len(scene.room(ann).of_bot()) >= 4)
        await silence(scene)
        assert len(scene.room(ann).of_bot()) <= 5
