"""Updates: taken before Telegram is told, once however often they come, and after an outage all of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from bots.telegram.session import SECRET_HEADER
from core.chat.chat import Chat, Options
from core.chat.people import People
from core.errors import StoreFull
from core.limits import Limits
from core.store.store import Store
from tests.servers.telegram.methods import Call
from tests.servers.telegram.server import bot_api
from tests.servers.telegram.world import BOT, Json
from tests.support.page_server import site
from tests.support.stepped_engine import until
from tests.support.telegram_core import NO_FLOOD, OPEN, SAY, Stage, connected, stage
from tests.support.whole_core import house

ANSWER = "a1 a2 a3 a4"
LIMITS = Limits(messages_per_minute=20, tokens_per_day=200_000, characters=8000)
BOUNDS: dict[str, Any] = {"waiting": 100, "waiting_per_person": 5, "options": Options("assistant", backlog=200)}
"""What a host has who sets nothing."""


async def test_telegram_is_told_only_when_the_question_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with stage(tmp_path) as scene:
        ann = scene.world.person("Ann")
        committed: list[bool] = []
        accept = Store.accept

        async def slowly(*arguments: object, **named: object) -> object:
            result = await accept(*arguments, **named)  # type: ignore[arg-type]
            committed.append(scene.world.confirmed > (number or 0))
            return result

        monkeypatch.setattr(Store, "accept", slowly)
        number, _ = scene.world.say(ann, "hello")
        await scene.world.until(lambda: scene.world.confirmed > (number or 0))
        assert committed == [False]
        scene.home.engine.release()


async def test_what_is_delivered_again_changes_nothing(tmp_path: Path) -> None:
    """As after a kill before Telegram was told: the same updates come to the next life."""
    async with bot_api(rules=NO_FLOOD) as server:
        ann = server.world.person("Ann")
        room = server.world.rooms[ann.id]
        kept: list[Json] = []
        for life in range(2):
            async with house(tmp_path, people=People(open_to=OPEN)) as home, connected(server, home) as scene:
                home.engine.release()
                if life == 0:
                    for text in ("one", "two"):
                        server.world.say(ann, text)
                    await scene.shown(room, ANSWER, ANSWER)
                    server.world.say(ann, "/undo")
                    server.world.say(ann, "/new")
                    server.world.say(ann, "three")
                    server.world.edit(ann, room.messages[max(room.messages)], "drei")
                    kept = list(server.world.updates)
                    await server.world.until(lambda: not server.world.updates)
                    await until(lambda: not home.gate.running and not home.gate.waiting)
                    await scene.shown(room, ANSWER)
                else:
                    server.world.updates[:0] = kept
                    server.world.changed()
                    server.world.say(ann, "four")
                    await server.world.until(lambda: not server.world.updates)
                    await until(lambda: len(home.engine.asked) == 1 and not home.gate.running)
                    assert [m.content for m in home.engine.asked[0]] == ["drei", ANSWER, "four"]
                key = f"telegram:{BOT['id']}:{ann.id}:{ann.id}"
                path = await home.chat.history(key, f"telegram:{ann.id}")
                assert [turn.prompt for turn in path] == ["drei", "four"][: life + 1]
        said = [text for text in room.texts() if text.startswith(SAY("undo-done", text="two")[:10])]
        assert len(said) == 1


async def test_a_command_is_given_also_where_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with stage(tmp_path) as scene:

        async def full(*_: object) -> None:
            raise StoreFull

        monkeypatch.setattr(Store, "put", full)
        ann, bob = scene.world.person("Ann"), scene.world.person("Bob")
        scene.world.say(ann, "/privacy")
        scene.world.say(bob, "/stop")
        await scene.shown(scene.room(bob), SAY("nothing-to-stop"))
        await scene.world.until(lambda: not scene.world.updates)
        await until(lambda: "telegram sentence" not in {task.get_name() for task in asyncio.all_tasks()})
        assert scene.room(ann).texts() == [SAY("privacy")]


async def slow_export(scene: Stage, monkeypatch: pytest.MonkeyPatch, failure: Exception | None) -> asyncio.Event:
    """Ann's /export goes on beside the others when this returns, until the event is set; then it may fail."""
    go_on, export = asyncio.Event(), Chat.export

    async def slowly(chat: Chat, user: str) -> Any:
        await go_on.wait()
        if failure is not None:
            raise failure
        return await export(chat, user)

    monkeypatch.setattr(Chat, "export", slowly)
    ann = scene.world.person("Ann")
    await scene.home.chat.language(f"telegram:{ann.id}", "en")
    with monkeypatch.context() as hurried:
        hurried.setattr("bots.telegram.once.COMMAND_SECONDS", 0.01)
        scene.world.say(ann, "/export")
        await scene.world.until(lambda: not scene.world.updates)
    return go_on


async def test_a_command_that_fails_after_nobody_waits_for_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(tmp_path) as scene:
        (await slow_export(scene, monkeypatch, ZeroDivisionError())).set()
        room = next(iter(scene.world.rooms.values()))
        await scene.shown(room, SAY("failed"))
    assert "ZeroDivisionError" in caplog.text


async def test_a_command_that_still_runs_at_the_end_is_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bot_api(rules=NO_FLOOD) as server, house(tmp_path, people=People(open_to=OPEN)) as home:
        async with connected(server, home) as scene:
            go_on = await slow_export(scene, monkeypatch, None)
            asyncio.get_running_loop().call_later(0.02, go_on.set)
        room = next(iter(server.world.rooms.values()))
        assert room.texts() == [SAY("export-done")]


async def test_two_hundred_updates_of_forty_people_that_waited_get_two_hundred_answers(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server:
        people = [server.world.person(f"P{number}") for number in range(40)]
        then = int(server.world.clock()) - 600
        for number in range(200):
            server.world.say(people[number % 40], f"question {number}", date=then + number)
        async with (
            house(tmp_path, people=People(open_to=OPEN), limits=LIMITS, slots=4, **BOUNDS) as home,
            connected(server, home) as scene,
        ):
            home.engine.release()
            rooms = [scene.room(person) for person in people]
            await server.world.until(lambda: sum(room.texts().count(ANSWER) for room in rooms) == 200, 60)
            assert all(room.texts() == [ANSWER] * 5 for room in rooms)
        assert server.api.wrongs == []


async def test_nothing_pending_is_ever_dropped(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene:
        scene.world.say(scene.world.person("Ann"), "/help")
        await scene.world.until(lambda: scene.server.api.of("getUpdates"))
        asked: list[Call] = scene.server.api.of("deleteWebhook", "setWebhook")
        assert [call.params.get("drop_pending_updates") for call in asked] == [None]
        assert scene.server.api.of("getUpdates")[0].params["allowed_updates"] == [
            *("message", "edited_message", "callback_query", "my_chat_member"),
        ]


async def test_a_webhook_is_served_by_the_page_with_a_secret(tmp_path: Path) -> None:
    async with (
        bot_api(rules=NO_FLOOD) as server,
        house(tmp_path / "core", people=People(open_to=OPEN)) as home,
        connected(server, home, webhook="https://chat.example.org/") as scene,
        site(tmp_path / "page", hooks=scene.hooks) as page,
    ):
        home.engine.release()
        assert scene.states == ["up"]
        told = server.api.webhook
        assert (told["url"], told["max_connections"]) == ("https://chat.example.org/hooks/telegram", 1)
        ann = server.world.person("Ann")
        server.world.say(ann, "hello")
        (update,) = server.world.updates
        address, secret = f"{page.origin}/hooks/telegram", {SECRET_HEADER: told["secret_token"]}
        async with httpx.AsyncClient() as telegram:
            for headers in ({}, {SECRET_HEADER: "guess"}):
                assert (await telegram.post(address, json=update, headers=headers)).status_code == 401
            for _ in range(2):  # delivered twice
                assert (await telegram.post(address, json=update, headers=secret)).status_code == 200
            for broken in (b"{", b"[]", b'{"update_id": "x"}'):
                assert (await telegram.post(address, content=broken, headers=secret)).status_code == 400
            unreadable = {**update, "update_id": 5, "message": {**update["message"], "date": "x"}}
            assert (await telegram.post(address, json=unreadable, headers=secret)).status_code == 200
            large = await telegram.post(address, content=b"x" * (1024 * 1024 + 1), headers=secret)
            assert large.status_code == 413
            assert (await telegram.post(f"{page.origin}/hooks/other", json=update)).status_code == 404
            assert (await telegram.get(address)).status_code == 405
        await server.world.until(lambda: set(scene.room(ann).texts()) == {ANSWER, SAY("failed")})
        assert len(home.engine.asked) == 1
        assert "getUpdates" not in server.requests


async def test_a_webhook_that_goes_leaves_no_hook_behind(tmp_path: Path) -> None:
    async with bot_api() as server, house(tmp_path) as home:
        async with connected(server, home, webhook="https://chat.example.org") as scene:
            assert list(scene.hooks) == ["telegram"]
        assert scene.hooks == {}
        assert json.loads(json.dumps(server.api.webhook))["secret_token"]
        await asyncio.sleep(0)
