"""Telegram's own newer ways of showing an answer, which a host may switch on: native drafts and rich messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.telegram.formats import RICH, RICH_BYTES
from tests.servers.telegram.methods import Refusal
from tests.servers.telegram.server import Fault
from tests.servers.telegram.world import Room
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.telegram_core import TOGETHER, Stage, at_once, labels, needs_spec, patience, stage

ANSWER = "a1 a2 a3 a4"


@pytest.mark.parametrize("rich", [False, True], ids=["plain", "rich"])
async def test_a_draft_grows_below_the_reserved_message_and_the_whole_answer_takes_its_place(
    tmp_path: Path, rich: bool
) -> None:
    async with stage(tmp_path, front={"drafts": True, "rich": rich}) as scene:
        engine, ann = scene.home.engine, scene.world.person("Ann")
        room = scene.room(ann)
        scene.world.say(ann, "hello")
        await until(lambda: engine.running)
        await scene.world.until(lambda: room.of_bot())
        assert labels(room.of_bot()[0]) == ["Stop"]
        engine.step(2)
        await scene.world.until(lambda: [draft["text"] for draft in room.drafts.values()] == ["a1 a2"])
        assert "a1" not in room.texts()[0]
        engine.step(2)
        (message,) = await scene.shown(room, ANSWER)
        await scene.world.until(lambda: len(room.of_bot()) == 1)
        scene.world.press(ann, message, "Regenerate")
        await until(lambda: engine.running)
        engine.release()
        await scene.world.until(lambda: room.of_bot() and room.of_bot()[-1]["message_id"] != message["message_id"])
        await scene.shown(room, ANSWER)


@TOGETHER
async def test_a_draft_survives_every_fault_on_the_way(tmp_path: Path, faults: Sequence[Fault]) -> None:
    await at_once(a_draft(tmp_path / f"{fault}{rich}", fault, rich) for fault in faults for rich in (False, True))


async def a_draft(folder: Path, fault: Fault, rich: bool) -> None:
    """One whose calls meet the fault once each."""
    async with stage(folder, front={"drafts": True, "rich": rich, **patience(fault)}) as scene:
        engine, ann = scene.home.engine, scene.world.person("Ann")
        room = scene.room(ann)
        for method in ("sendRichMessage", "sendRichMessageDraft") if rich else ("sendMessage", "sendMessageDraft"):
            scene.server.faults[method].append(fault)
        scene.world.say(ann, "hello")
        await until(lambda: engine.running)
        engine.step(2)
        await scene.world.until(lambda: [draft["text"] for draft in room.drafts.values()] == ["a1 a2"])
        engine.release()
        await scene.shown(room, ANSWER)
        assert not any(scene.server.faults.values()), "every call was made"
        assert room.texts().count(ANSWER) == 1


async def test_in_a_group_there_are_no_drafts(tmp_path: Path) -> None:
    async with stage(tmp_path, front={"drafts": True}) as scene:
        scene.home.engine.release()
        ann, room = scene.world.person("Ann"), scene.world.group("Friends")
        scene.world.say(ann, "@conch_test_bot hello", room)
        await scene.shown(room, ANSWER)
        assert scene.server.api.of("sendMessageDraft") == []


@asynccontextmanager
async def long_answer(folder: Path, form: str) -> AsyncIterator[tuple[Stage, Room, SteppedEngine]]:
    """An answer of 1,500 words, of which 1,300 are said."""
    engine = SteppedEngine(words=1500, context_window=12_000)
    async with stage(folder, engine=engine, max_tokens=9000, front={form: True}) as scene:
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        await until(lambda: engine.running)
        engine.step(1300)
        yield scene, scene.room(ann), engine


async def test_a_long_answer_is_drafted_part_by_part(tmp_path: Path) -> None:
    async with long_answer(tmp_path, "drafts") as (scene, room, engine):
        await scene.world.until(lambda: len(room.drafts) == 1 and len(room.of_bot()) == 2)
        engine.release()
        await scene.world.until(lambda: room.of_bot() and labels(room.of_bot()[-1]) == ["Regenerate"])
        await scene.world.until(lambda: len(room.of_bot()) == 2)
        assert " ".join(room.texts()) == " ".join(f"a{number}" for number in range(1, 1501))


@needs_spec
async def test_a_rich_message_is_the_markdown_itself(tmp_path: Path) -> None:
    async with stage(tmp_path, front={"rich": True}) as scene:
        scene.home.engine.release()
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        (message,) = await scene.shown(scene.room(ann), ANSWER)
        assert labels(message) == ["Regenerate"]
        (sent,) = scene.server.api.of("sendRichMessage")
        assert sent.params["rich_message"]["skip_entity_detection"] is True


async def test_where_rich_messages_are_not_known_the_plain_form_goes_out(tmp_path: Path) -> None:
    async with stage(tmp_path, front={"rich": True}) as scene:
        scene.home.engine.release()
        refusal = "Bad Request: RICH_MESSAGES_NOT_HERE"
        scene.server.api.errors["sendRichMessage"].append(Refusal(400, refusal))
        scene.server.api.errors["editMessageText"].extend([Refusal(400, refusal)])
        ann = scene.world.person("Ann")
        scene.world.say(ann, "hello")
        await scene.shown(scene.room(ann), ANSWER)


async def test_a_rich_message_too_long_for_a_plain_one_becomes_several(tmp_path: Path) -> None:
    async with long_answer(tmp_path, "rich") as (scene, room, engine):
        await scene.world.until(lambda: room.texts() and len(room.texts()[0]) > 4096)
        scene.server.api.errors["editMessageText"].append(Refusal(400, "Bad Request: RICH_MESSAGE_TOO_STRANGE"))
        engine.release()
        await scene.world.until(lambda: len(room.of_bot()) == 2 and labels(room.of_bot()[-1]) == ["Regenerate"])
        assert " ".join(room.texts()) == " ".join(f"a{number}" for number in range(1, 1501))


@pytest.mark.parametrize("rich", [False, True], ids=["plain", "rich"])
async def test_a_draft_that_telegram_does_not_take_costs_nobody_the_answer(tmp_path: Path, rich: bool) -> None:
    async with stage(tmp_path, front={"drafts": True, "rich": rich}) as scene:
        engine, ann = scene.home.engine, scene.world.person("Ann")
        method = "sendRichMessageDraft" if rich else "sendMessageDraft"
        scene.server.api.errors[method].append(Refusal(400, "Bad Request: DRAFT_TOO_STRANGE"))
        scene.world.say(ann, "hello")
        await until(lambda: engine.running)
        engine.step(2)
        await scene.world.until(lambda: scene.server.api.of(method))
        engine.release()
        await scene.shown(scene.room(ann), ANSWER)


def test_rich_markdown_loads_no_picture_and_names_nobody() -> None:
    (part,) = RICH.split("![p](https://x.example/p.png) [you](tg://user?id=5) [ok](tg://resolve?domain=x)")
    assert part.text == "[p](https://x.example/p.png) [you](tg:\u2060//user?id=5) [ok](tg://resolve?domain=x)"
    assert RICH.split("  \n ") == []


def test_what_is_too_long_for_a_rich_message_is_parts_with_entities() -> None:
    parts = RICH.split("**word** " * (RICH_BYTES // 8))
    assert len(parts) > 5
    assert parts[0].entities
