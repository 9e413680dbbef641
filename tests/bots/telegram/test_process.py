"""The real process with a Telegram of ours: one token switches it on, and its health is told where people look."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx

from tests.bots.test_app import Conch, conch
from tests.crash.program import free_port
from tests.servers.telegram.methods import TOKEN
from tests.servers.telegram.server import bot_api
from tests.support.stepped_engine import until
from tests.support.telegram_core import NO_FLOOD, SAY, labels


async def health(running: Conch) -> dict[str, str]:
    """The fronts in the body of /readyz."""
    async with httpx.AsyncClient() as probe:
        fronts: dict[str, str] = (await probe.get(f"{running.url}readyz")).json()["fronts"]
    return fronts


async def doctor(folder: Path, **settings: str) -> str:
    """What the doctor says beside the running one."""
    async with conch(folder, "doctor", **settings) as asked:
        await asked.ends()
        return asked.said


async def test_one_token_switches_it_on_and_a_stop_leaves_a_word_where_an_answer_ran(tmp_path: Path) -> None:
    async with bot_api(rules=NO_FLOOD) as server:
        settings = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "CONCH_TELEGRAM__API": server.address,
            "CONCH_ENGINE__DELAY": "0.1",
            "CONCH_QUEUE__DRAIN_SECONDS": "0.1",
            "CONCH_LOG__LEVEL": "debug",
        }
        async with conch(tmp_path, **settings) as running:
            await running.says("@conch_test_bot")
            await running.says("?start=")
            await running.says("The model is ready.")
            code = running.said.partition("?start=")[2].split()[0]
            ann = server.world.person("Ann")
            room = server.world.rooms[ann.id]
            server.world.say(ann, f"/start {code}")
            await server.world.until(lambda: room.texts() == [SAY("admin-claimed")])
            server.world.say(ann, "echo a secret question")
            await server.world.until(lambda: "secret" in room.texts()[-1], 40)
            assert await health(running) == {"web": "up", "telegram": "up"}
            assert "Telegram: connected." in await doctor(tmp_path, **settings)
            server.world.say(ann, "words=200 of another")
            await server.world.until(lambda: "1-" in room.texts()[-1], 40)
            running.process.send_signal(signal.SIGTERM)
            assert await running.ends() == 0
        assert SAY("interrupted") in room.texts()[-1]
        assert labels(room.of_bot()[-1]) == []
        for secret in (TOKEN, "secret question", "of another"):
            assert secret not in running.said
        assert "Traceback" not in running.said
        assert server.api.wrongs == []


async def test_a_token_that_is_wrong_at_the_start_ends_it_with_a_sentence(tmp_path: Path) -> None:
    async with bot_api() as server:
        server.api.token = "1:another"
        async with conch(tmp_path, TELEGRAM_BOT_TOKEN=TOKEN, CONCH_TELEGRAM__API=server.address) as running:
            assert await running.ends() == 1
    assert running.said.splitlines()[-1] == SAY("telegram-token-wrong")
    assert "Traceback" not in running.said
    assert TOKEN not in running.said


async def test_without_a_network_the_rest_runs_and_telegram_comes_when_it_can(tmp_path: Path) -> None:
    port = free_port()
    settings = {"TELEGRAM_BOT_TOKEN": TOKEN, "CONCH_TELEGRAM__API": f"http://127.0.0.1:{port}"}
    async with conch(tmp_path, **settings) as running:
        await running.says("The model is ready.")
        assert await health(running) == {"web": "up", "telegram": "unreachable"}
        async with bot_api(rules=NO_FLOOD, port=port) as server:
            await running.says("@conch_test_bot")
            assert await health(running) == {"web": "up", "telegram": "up"}
            await until(lambda: "getUpdates" in server.requests)
            server.api.token = "1:another"
            server.cut_all()
            await running.says("start Conch again")
            assert await health(running) == {"web": "up", "telegram": "ended: token revoked"}
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 0
    assert "Traceback" not in running.said
    assert TOKEN not in running.said
