"""People's and owners' commands on the real core, as every front gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bots.talk.commands import NAMES, Asker, CommandOptions, Commands, Outcome
from bots.talk.wording import Wording
from core.chat.people import People
from core.chat.reply import Reply
from core.errors import NotYours
from core.limits import Limits
from core.messages import Question
from tests.support.stepped_engine import until
from tests.support.whole_core import PERSONAS, House, finish, house

WORDING = Wording(Path(__file__).parents[3] / "config" / "locales")
SAY = WORDING.bind("en")
ANN, BOB, OWNER = "telegram:1", "telegram:2", "telegram:9"
TALK = "telegram:7:1:1"


class Front:
    """A front whose person types a command line."""

    def __init__(self, home: House) -> None:
        options = CommandOptions("telegram", help=("help",), retention_days=30)
        self.home = home
        self.commands: Commands[Reply] = Commands(home.chat, WORDING, PERSONAS, options, owner=home.chat)

    async def type(self, line: str, user: str = ANN, talk: str = TALK, **where: Any) -> Outcome[Reply]:
        name, _, rest = line.partition(" ")
        where = {"language": "en", "event": f"event of {line}", **where}
        return await self.commands.obey(name, rest, Asker(user, talk, **where))

    async def ask(self, text: str) -> Reply:
        return await self.home.ask(TALK, text, user=ANN)


@pytest.fixture
async def front(tmp_path: Path):
    async with house(tmp_path, people=People(open_to=("telegram",), owners=[OWNER])) as home:
        yield Front(home)


def test_the_menu_knows_all_names_and_has_words_for_them() -> None:
    for language in WORDING.languages:
        assert all(WORDING(language, f"command-{name}") for name in NAMES)


async def test_every_name_of_the_menu_is_a_command(front: Front) -> None:
    assert all(name in front.commands for name in NAMES)
    assert "admin" in front.commands
    assert "nonsense" not in front.commands


async def test_a_new_conversation_a_stop_and_an_undo(front: Front) -> None:
    assert (await front.type("stop")).text == SAY("nothing-to-stop")
    assert not (await front.type("undo")).done
    await front.ask("one")
    await front.ask("two")
    assert (await front.type("undo", event="u")).text == SAY("undo-done", text="two")
    assert (await front.type("undo", event="u")).text == SAY("undo-done", text="two")  # delivered twice
    assert [turn.prompt for turn in await front.home.chat.history(TALK, ANN)] == ["one"]
    running = await front.home.chat.send(Question(TALK, ANN, "e", "three"))
    assert (await front.type("stop")).text == SAY("stopped")
    assert running.finished is not None
    assert (await front.type("new")).text == SAY("new-done")
    assert await front.home.chat.history(TALK, ANN) == []


async def test_an_answer_can_be_pointed_at(front: Front) -> None:
    first = await front.ask("one")
    await front.ask("two")
    again = (await front.type("retry", target=first.turn.id, place="below")).reply
    assert again is not None
    assert (again.turn.prompt, again.turn.place) == ("one", "below")
    with pytest.raises(NotYours):
        await front.type("stop", BOB, target=again.turn.id)
    await front.type("stop", OWNER, target=again.turn.id)
    assert again.finished is not None


async def test_the_newest_question_is_answered_again(front: Front) -> None:
    assert (await front.type("retry")).text == SAY("nothing-to-retry")
    assert (await front.type("continue")).text == SAY("nothing-to-continue")
    await front.ask("one")
    again = (await front.type("retry")).reply
    assert again is not None
    assert await finish(again, front.home.engine) == "a1 a2 a3 a4"


async def test_persona_and_language_are_chosen_from_what_there_is(front: Front) -> None:
    offered = await front.type("persona")
    assert [(choice.command, choice.argument) for choice in offered.choices] == [
        ("persona", "assistant"),
        ("persona", "pirate"),
    ]
    assert (await front.type("persona pirate")).text == SAY("persona-set", name="Pirate")
    assert await front.home.chat.persona(TALK, ANN) == "pirate"
    assert not (await front.type("persona nobody")).done
    assert [choice.label for choice in (await front.type("language")).choices] == ["English", "한국어", "中文"]
    korean, weak = WORDING("ko", "language-set"), WORDING("ko", "weak-language")
    assert (await front.type("language 한국어")).text == f"{korean}\n\n{weak}", "it is weaker in that, and says so"
    assert await front.home.chat.language(ANN) == "ko"
    assert not (await front.type("language klingon")).done


async def test_status_says_what_is_left(tmp_path: Path) -> None:
    people = People(open_to=("telegram",))
    async with house(tmp_path, limits=Limits(5, 1000, 0), people=people) as home:
        front = Front(home)
        await front.ask("one")
        text = (await front.type("status")).text
        assert SAY("status-messages", left=4) in text
        assert SAY("status-tokens", left=995) in text
        home.chat.pause()
        assert SAY("paused") in (await front.type("status")).text


async def test_everything_kept_is_a_file_and_goes_only_when_that_is_sure(front: Front) -> None:
    assert (await front.type("export")).text == SAY("export-nothing")
    await front.ask("one")
    file = (await front.type("export")).file
    assert file is not None
    assert json.loads(file.data)["conversations"][0]["turns"][0]["prompt"] == "one"
    asked = await front.type("forget")
    assert [choice.argument for choice in asked.choices] == ["yes", "no"]
    assert (await front.type("forget no")).text == SAY("forget-kept")
    assert (await front.type("forget 예", language="ko")).text == WORDING("ko", "forget-done", count=1)
    assert (await front.type("privacy")).text.count("\n") == 2


async def test_help_tells_owners_more(front: Front) -> None:
    assert (await front.type("help")).text == SAY("help")
    assert SAY("admin-help") in (await front.type("help", OWNER)).text
    assert (await front.type("start")).text == SAY("start")


async def test_only_an_owner_gives_the_owners_commands(front: Front) -> None:
    for line in ("pause", "resume", "drain", "stats", "allow 5", "deny 5", ""):
        outcome = await front.type(f"admin {line}")
        assert (outcome.text, outcome.done) == (SAY("admin-only"), False)
    assert (await front.type("admin nonsense", OWNER)).text == SAY("admin-help")
    assert (await front.type("admin allow", OWNER)).text == SAY("admin-help")


async def test_an_owner_pauses_drains_resumes_and_looks(front: Front) -> None:
    assert (await front.type("admin pause", OWNER)).text == SAY("admin-paused")
    waiting = await front.home.chat.send(Question(TALK, ANN, "e", "one"))
    await until(lambda: waiting.queued is not None)
    assert (await front.type("admin drain", OWNER)).text == SAY("admin-draining")
    assert (await front.type("admin resume", OWNER)).text == SAY("admin-resumed")
    await finish(waiting, front.home.engine)
    assert "questions: 1" in (await front.type("admin stats", OWNER)).text


async def test_an_owner_admits_by_code_by_number_and_by_name(front: Front) -> None:
    code = await front.home.chat.ask_admission("telegram:5")
    admitted = await front.type(f"admin allow {code.lower()}", OWNER)
    assert (admitted.text, admitted.admitted) == (SAY("admin-allowed", who="telegram:5"), "telegram:5")
    assert (await front.type("admin allow -1001", OWNER)).admitted == "telegram:-1001"
    assert (await front.type("admin deny discord:77", OWNER)).text == SAY("admin-denied", who="discord:77")
    for nobody in (code, "matrix:5", "NOSUCH"):
        assert (await front.type(f"admin allow {nobody}", OWNER)).text == SAY("admin-nobody", who=nobody)


async def test_who_sends_the_first_code_owns_it(tmp_path: Path) -> None:
    async with house(tmp_path, people=People(open_to=())) as home:
        front = Front(home)
        code = home.chat.claim_code()
        assert (await front.type("start guess")).text == SAY("admin-code-wrong")
        assert (await front.type(f"start {code}")).text == SAY("admin-claimed")
        assert home.chat.owns(ANN)
