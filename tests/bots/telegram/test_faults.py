"""What can go wrong between us and Telegram, at each call; each fault has its end, and nobody reads a traceback."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bots.talk.show import MAX_PARTS
from bots.telegram.polling import CONFLICT_SECONDS, OUT_OF_REACH_SECONDS, Watch
from bots.telegram.session import SECRET_HEADER
from core.chat.people import People
from core.errors import StoreError, StoreFull
from core.store.store import Store
from tests.servers.telegram.methods import TOKEN, Refusal
from tests.servers.telegram.server import Fault, bot_api
from tests.servers.telegram.world import BOT, Json, Person, Room
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.telegram_core import (
    FAULTS,
    HASTY,
    NO_FLOOD,
    OPEN,
    SAY,
    TOGETHER,
    Stage,
    at_once,
    connected,
    labels,
    patience,
    stage,
)
from tests.support.whole_core import Clock, house

ANSWER = "a1 a2 a3 a4"
NAME = f"@{BOT['username']}"
AFTER_START = (
    *("getUpdates", "sendChatAction", "sendMessage", "editMessageText", "deleteMessage", "editMessageMedia"),
    *("answerCallbackQuery", "getFile", "file"),
)
"""The calls of a session, once it is connected."""


def clean(caplog: pytest.LogCaptureFixture, *texts: str) -> None:
    """Neither a token nor what people said is in the log."""
    for secret in (TOKEN, TOKEN.partition(":")[2], *texts):
        assert secret not in caplog.text


async def everything(scene: Stage) -> Room:
    """A conversation that makes every call: a file, a stop, an answer that needs a file, and a shorter one instead."""
    engine, ann = scene.home.engine, scene.world.person("Ann")
    room = scene.room(ann)
    scene.world.send_file(ann, "secret.txt", b"the secret text", caption="secret question")
    await until(lambda: engine.running)
    engine.step(3)
    await scene.world.until(lambda: any(text.startswith("a1 a2") for text in room.texts()))
    engine.release()
    await scene.world.until(lambda: any("document" in message for message in room.of_bot()))
    await scene.world.until(lambda: any("Regenerate" in labels(message) for message in room.of_bot()))
    engine.words = 2
    before = len(room.of_bot()) - MAX_PARTS  # the further messages go, and the file
    last = next(message for message in reversed(room.of_bot()) if "Regenerate" in labels(message))
    scene.world.press(ann, last, "Regenerate")
    await scene.world.until(lambda: any(text.startswith("a1 a2\n\nI read") for text in room.texts()), 40)
    await scene.world.until(lambda: not any("document" in message for message in room.of_bot()), 40)
    await scene.world.until(lambda: len(room.of_bot()) <= before, 40)
    return room


@TOGETHER
async def test_every_call_of_a_session_survives_every_fault_on_the_way(
    tmp_path: Path, faults: Sequence[Fault], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "bots")
    await at_once(a_session(tmp_path / fault, fault) for fault in faults)
    clean(caplog, "secret")


async def a_session(folder: Path, fault: Fault) -> None:
    """One in which the fault befalls each call once."""
    engine = SteppedEngine(words=4000, context_window=12_000)
    async with stage(folder, engine=engine, max_tokens=9000, front=patience(fault)) as scene:
        await scene.world.until(lambda: "getUpdates" in scene.server.requests)
        for method in AFTER_START:
            if not (method == "file" and fault == "half"):  # half of a text is a text
                scene.server.faults[method].append(fault)
        room = await everything(scene)
        assert scene.states == ["up"]
        assert not any(scene.server.faults.values()), "every call was made"
        kept = [text for text in room.texts() if "a1" in text]
        assert len(kept) == 1
        orphans = [text for text in room.texts() if "a1" not in text]
        assert set(orphans) <= {SAY("thinking"), SAY("queued", ahead=0), "…"}
        assert len(orphans) <= (1 if fault in ("done, then reset", "half") else 0)


@TOGETHER
async def test_every_call_of_a_start_survives_every_fault_and_so_does_a_file_for_somebody(
    tmp_path: Path, faults: Sequence[Fault]
) -> None:
    await at_once(a_start(tmp_path / fault, fault) for fault in faults)


async def a_start(folder: Path, fault: Fault) -> None:
    """One in which the fault befalls each call once."""
    async with bot_api(rules=NO_FLOOD) as server, house(folder, people=People(open_to=OPEN)) as home:
        home.engine.release()
        ann = server.world.person("Ann")
        room = server.world.rooms[ann.id]
        for method in ("getMe", "deleteWebhook", "setMyCommands", "sendDocument"):
            server.faults[method].append(fault)
        server.world.say(ann, "said while nobody was there")
        async with connected(server, home, first_back_off=0.01, **patience(fault)) as scene:
            await scene.shown(room, ANSWER)
            assert (scene.states[0], scene.states[-1]) == ("unreachable", "up")
            await server.world.until(lambda: len(server.world.menus) == 3)
            server.world.say(ann, "/export")
            await scene.shown(room, SAY("export-done"))
            assert not any(server.faults.values()), "every call was made"
        assert server.api.wrongs == []


async def test_with_a_webhook_a_start_survives_every_fault_and_hears_of_a_revoked_token(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server, house(tmp_path, people=People(open_to=OPEN)) as home:
        server.faults["setWebhook"].extend(FAULTS)
        webhook = {"webhook": "https://chat.example.org", "first_back_off": 0.001}
        async with connected(server, home, **webhook, **HASTY) as scene:
            await until(lambda: scene.states[-1] == "up")
            assert not any(server.faults.values()), "every call was made"
            server.api.token = "1:another"
            headers = {SECRET_HEADER: server.api.webhook["secret_token"]}
            server.world.say(server.world.person("Ann"), "/help")
            (update,) = server.world.updates
            assert await scene.hooks["telegram"](headers, json.dumps(update).encode()) == 200
            await until(lambda: scene.states[-1] == "ended: token revoked")
            assert scene.hooks == {}


@pytest.mark.parametrize("taken", [{}, {"url": "https://other.example.org/hooks/telegram"}], ids=["gone", "another"])
async def test_a_webhook_that_another_program_takes_away_ends_the_front(tmp_path: Path, taken: Json) -> None:
    async with bot_api(rules=NO_FLOOD) as server, house(tmp_path, people=People(open_to=OPEN)) as home:
        async with connected(server, home, webhook="https://chat.example.org", hook_seconds=0.01, **HASTY) as scene:
            server.faults["getWebhookInfo"].extend(FAULTS)
            await server.world.until(lambda: len(server.api.of("getWebhookInfo")) > 2)
            assert not any(server.faults.values()), "every call was made"
            assert scene.states == ["up"]
            server.api.webhook = taken
            await until(lambda: scene.states[-1] == "ended: token used twice")
            assert scene.hooks == {}
        assert server.api.wrongs == []


@pytest.mark.parametrize(
    "calls", [AFTER_START[1:6], (*AFTER_START[6:], "sendDocument", "setMyCommands")], ids=["showing", "others"]
)
async def test_told_to_wait_everybody_waits_and_the_answer_comes(tmp_path: Path, calls: Sequence[str]) -> None:
    await at_once(told_to_wait(tmp_path / call, call) for call in calls)


async def told_to_wait(folder: Path, method: str) -> None:
    """A session in which this call is one too many once."""
    engine = SteppedEngine(words=4000, context_window=12_000)
    async with stage(folder, engine=engine, max_tokens=9000) as scene:
        if method == "file":
            scene.server.faults[method].append("429")
        else:
            scene.server.api.errors[method].append(Refusal(429, "Too Many Requests: retry after 1", retry_after=1))
        room = await everything(scene)
        scene.world.say(Person(room.id, "Ann"), "/export")
        await scene.world.until(lambda: SAY("export-done") in room.texts())
        await scene.world.until(lambda: len(scene.world.menus) == 3)
        assert not any((*scene.server.api.errors.values(), *scene.server.faults.values())), "every call was made"
        paced = (*AFTER_START[1:6], "sendDocument")
        if method in paced:
            refused = next(call.at for call in scene.server.api.calls if call.code == 429)
            later = [call.at for call in scene.server.api.of(*paced) if call.at > refused]
            assert min(later) >= refused + 0.9


Prepare = Callable[[Stage, Room], None]


def blocked(scene: Stage, room: Room) -> None:
    room.blocked = True


def deleted(scene: Stage, room: Room) -> None:
    for message in room.of_bot():
        del room.messages[message["message_id"]]


def no_such_chat(scene: Stage, room: Room) -> None:
    del scene.world.rooms[room.id]


@pytest.mark.parametrize("happens", [blocked, deleted, no_such_chat])
@pytest.mark.parametrize("begun", [True, False], ids=["growing", "waiting"])
async def test_where_an_answer_cannot_be_shown_it_is_answered_all_the_same_and_nobody_tries_for_ever(
    tmp_path: Path, happens: Prepare, begun: bool
) -> None:
    async with stage(tmp_path) as scene:
        engine, ann = scene.home.engine, scene.world.person("Ann")
        room = scene.room(ann)
        scene.world.say(ann, "hello")
        await scene.world.until(lambda: room.of_bot())
        await until(lambda: engine.running)
        if begun:
            engine.step(2)
            await scene.world.until(lambda: room.texts() == ["a1 a2"])
        happens(scene, room)
        engine.release()
        await until(lambda: scene.home.chat.live(1) is None)
        key = f"telegram:{BOT['id']}:{ann.id}:{ann.id}"
        (turn,) = await scene.home.chat.history(key, f"telegram:{ann.id}")
        assert turn.reply == ANSWER
        while await scene.home.store.unshown("telegram:"):  # noqa: ASYNC110 - no event says so
            await asyncio.sleep(0.01)
        bob = scene.world.person("Bob")
        scene.world.say(bob, "and me?")
        await scene.shown(scene.room(bob), ANSWER)


async def test_an_edit_that_changes_nothing_counts_as_made(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        unchanged = "Bad Request: message is not modified: specified new message content and reply markup are exactly"
        scene.server.api.errors["editMessageText"].append(Refusal(400, unchanged))
        scene.world.say(ann, "hello")
        await scene.world.until(lambda: scene.server.api.of("editMessageText"))
        while await scene.home.store.unshown("telegram:"):  # noqa: ASYNC110 - likewise
            await asyncio.sleep(0.01)


async def test_what_telegram_does_not_take_is_sent_plainer(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        ann = scene.world.person("Ann")
        room = scene.room(ann)
        scene.home.engine.release()
        for method in ("sendMessage", "editMessageText"):
            scene.server.api.errors[method].append(Refusal(400, "Bad Request: ENTITY_TOO_STRANGE"))
        scene.world.say(ann, "hello")
        await scene.shown(room, ANSWER)


@pytest.mark.parametrize("when", ["before", "waiting", "growing", "edit"])
async def test_a_group_that_becomes_a_supergroup_takes_its_conversations_along(tmp_path: Path, when: str) -> None:
    people = People(owners=["telegram:42"], open_to=("web",))
    async with stage(tmp_path, people=people) as scene:
        engine, owner = scene.home.engine, scene.world.person("Owner", id_=42)
        ann, room = scene.world.person("Ann"), scene.world.group("Friends", "group")
        scene.world.add_bot(owner, room)
        await scene.world.until(lambda: room.of_bot())
        if when != "before":
            scene.world.say(ann, f"{NAME} hello", room)
            await until(lambda: engine.running)
            await scene.world.until(lambda: len(room.of_bot()) == 2)
        if when == "growing":
            engine.step(2)
            await scene.world.until(lambda: room.texts()[-1] == "a1 a2")
        if when == "edit":  # Telegram's word comes by way of a call that fails, before any message says so
            new = scene.world.group("Friends")
            room.moved_to = new.id
        else:
            new = scene.world.migrate(room)
        engine.release()
        if when != "before":
            await scene.shown(new, ANSWER)
        scene.world.say(ann, f"{NAME} again", new)
        await scene.world.until(lambda: new.texts().count(ANSWER) == 1 + (when != "before"))
        kept = await scene.home.store.conversations(f"telegram:{ann.id}")
        assert [conversation.key for conversation in kept] == [f"telegram:{BOT['id']}:{new.id}:{ann.id}"]


async def test_a_move_that_the_store_cannot_take_is_made_when_it_can_and_the_answer_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        ann, room = scene.world.person("Ann"), scene.world.group("Friends", "group")
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.world.until(lambda: room.of_bot())
        failures = deque([StoreError("The disk does not answer."), StoreFull()])
        move = Store.move

        async def broken(*arguments: object) -> None:
            if failures:
                raise failures.popleft()
            await move(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "move", broken)
        new = scene.world.group("Friends")
        room.moved_to = new.id
        scene.home.engine.release()
        await scene.shown(new, ANSWER)
        assert not failures


async def test_a_group_that_moves_stays_what_the_settings_say_of_it_also_after_a_restart(tmp_path: Path) -> None:
    everything = {"everything": frozenset([-1070])}
    async with bot_api(privacy=False, rules=NO_FLOOD) as server:
        ann, old = server.world.person("Ann"), server.world.group("Friends", "group", id_=-1070)
        new = server.world.migrate(old)
        for life in (1, 2):
            people = People(owners=["telegram:42"], allowed=["telegram:-1070"], open_to=("web",))
            async with house(tmp_path, people=people) as home:
                await people.load(home.store)
                home.engine.release()
                async with connected(server, home, **everything) as scene:
                    server.world.say(ann, "hello all", new)
                    await scene.shown(new, *[ANSWER] * life)


async def test_an_answer_in_a_group_that_has_moved_quotes_no_stranger(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        ann, bob, room = scene.world.person("Ann"), scene.world.person("Bob"), scene.world.group("Friends", "group")
        scene.world.say(ann, f"{NAME} hello", room)
        await scene.world.until(lambda: room.of_bot())
        new = scene.world.migrate(room)
        for _ in room.messages:  # one of them has the number that the question had
            scene.world.say(bob, "not for the bot", new)
        scene.home.engine.release()
        (answer,) = await scene.shown(new, ANSWER)
        assert "reply_to_message" not in answer


async def test_an_update_that_the_library_cannot_read_is_kept_and_stepped_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann, bob = scene.world.person("Ann"), scene.world.person("Bob")
        said: Json = {"text": "a secret with no date", "date": "yesterday"}
        number = scene.world.deliver("message", scene.world.message(scene.room(ann), ann.user, said), broken=True)
        nobody = scene.world.deliver("message", {"message_id": 1, "date": {}, "chat": "?"}, broken=True)
        scene.world.say(bob, "hello")
        await scene.shown(scene.room(bob), ANSWER)
        await scene.shown(scene.room(ann), SAY("failed"))
        assert scene.world.confirmed == nobody + 2
        assert scene.server.requests.count("getUpdates") < 10
        exported = await scene.home.chat.export(f"telegram:{ann.id}")
        assert "a secret with no date" in exported["marks"][f"telegram:{ann.id}:unread:{number}"]
        await scene.home.chat.forget(f"telegram:{ann.id}")
        assert (await scene.home.chat.export(f"telegram:{ann.id}"))["marks"] == {}
    clean(caplog, "a secret with no date")


async def test_a_mistake_of_ours_at_one_update_is_told_and_stepped_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")

        async def mistaken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(type(scene.home.chat), "send", mistaken)
            scene.world.say(ann, "a secret question")
            await scene.shown(scene.room(ann), SAY("failed"))
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)
    assert "ZeroDivisionError" in caplog.text
    clean(caplog, "a secret question")


async def test_a_mistake_of_ours_at_a_press_is_told_to_whoever_pressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        (message,) = await scene.shown(scene.room(ann), ANSWER)

        async def mistaken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(type(scene.home.chat), "regenerate", mistaken)
        scene.world.press(ann, message, "Regenerate")
        await scene.world.until(lambda: [text for _, text in scene.world.toasts] == [SAY("failed")])


async def test_a_mistake_that_cannot_be_told_of_is_stepped_over_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann, chat = scene.world.person("Ann"), type(scene.home.chat)

        async def no_store(*_: object) -> None:
            raise StoreError("The disk does not answer.")

        async def mistaken(*_: object, **__: object) -> None:
            broken.setattr(chat, "language", no_store)
            raise ZeroDivisionError

        with monkeypatch.context() as broken:
            broken.setattr(chat, "send", mistaken)
            number, _ = scene.world.say(ann, "hello")
            await scene.world.until(lambda: scene.world.confirmed > (number or 0))
        scene.world.say(ann, "hello again")
        await scene.shown(scene.room(ann), ANSWER)


async def test_an_update_waits_for_a_store_that_cannot_take_it_and_is_not_told_as_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")

        async def broken(*_: object, **__: object) -> None:
            raise StoreError("The disk does not answer.")

        with monkeypatch.context() as patch:
            patch.setattr(Store, "accept", broken)
            number, _ = scene.world.say(ann, "hello")
            scene.world.say(ann, "and more")
            await scene.world.until(lambda: scene.server.requests.count("getUpdates") >= 1)
            await asyncio.sleep(0.05)
            assert scene.world.confirmed <= (number or 0)
        await scene.shown(scene.room(ann), ANSWER, ANSWER)


# The front itself.


async def test_a_wrong_token_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    async with bot_api() as server, house(tmp_path) as home:
        server.api.token = "1:other"
        with pytest.raises(Exception, match="BotFather") as end:
            async with connected(replace_token(server), home):
                raise AssertionError("it came up")
        assert TOKEN not in str(end.value)


def replace_token(server):  # type: ignore[no-untyped-def]
    """The server as somebody with the old token sees it."""

    class Seen:
        api = type("Api", (), {"token": TOKEN})
        address = server.address
        world = server.world

    return Seen


async def test_a_token_that_is_revoked_ends_the_front_alone_with_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "bots")
    async with stage(tmp_path) as scene:
        await scene.world.until(lambda: len(scene.world.menus) == 3)
        scene.server.api.token = "1:another"
        scene.server.cut_all()
        await until(lambda: scene.states == ["up", "ended: token revoked"])
        assert len([record for record in caplog.records if record.name.startswith("bots")]) == 1
        assert (await scene.home.ask("web:ann:c", "the others go on")).text == ANSWER
        scene.server.api.token = TOKEN
    clean(caplog)


def watching(clock: Clock) -> tuple[Watch, list[str]]:
    states: list[str] = []
    return Watch(states.append, SAY, clock), states


async def test_two_bots_on_one_token_end_this_one_but_a_restart_that_overlaps_does_not() -> None:
    clock = Clock(0.0)
    watch, _ = watching(clock)
    for _ in range(5):  # a restart: some seconds of conflict, then peace
        watch.hears(409)
        clock.now += 2
    clock.now += 100
    watch.hears(409)
    assert not watch.ended.done()
    while clock.now < 110 + CONFLICT_SECONDS:  # another one: both are cut off in turn
        watch.hears(200)
        clock.now += 5
        watch.hears(409)
    with pytest.raises(Exception, match="Another program"):
        await watch.ended


async def test_a_platform_that_cannot_be_reached_for_a_while_is_said_to_be_and_comes_back() -> None:
    clock = Clock(0.0)
    watch, states = watching(clock)
    watch.hears(200)
    watch.fails()
    clock.now = OUT_OF_REACH_SECONDS + 1
    watch.hears(502)
    watch.fails()
    watch.hears(200)
    assert states == ["unreachable", "up"]


async def test_a_second_bot_on_the_token_is_a_conflict_that_the_first_survives(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        scene.home.engine.release()
        await scene.world.until(lambda: scene.server.api._poll is not None)
        status, _ = await scene.server.api.call(TOKEN, "getUpdates", {"timeout": "0"})
        assert status == 200
        await scene.world.until(lambda: any(call.code == 409 for call in scene.server.api.of("getUpdates")))
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)
        assert scene.states == ["up"]


async def test_an_end_is_not_held_up_by_a_platform_that_hangs(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server, house(tmp_path, people=People(open_to=OPEN)) as home:
        ann = server.world.person("Ann")
        async with asyncio.timeout(8):
            async with connected(server, home, **HASTY):
                for method in ("sendMessage", "editMessageText"):
                    server.faults[method].extend(["hang"] * 9)
                server.world.say(ann, "hello")
                await until(lambda: "sendMessage" in server.requests)
                server.faults["getUpdates"].extend(["hang"] * 9)
                await home.chat.drain(0)
