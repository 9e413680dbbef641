"""The real process: how it starts, what it says, and how it ends. With the scripted engine."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from bots.host import control
from bots.host.remote_chat import remote_chat
from core.events import Finished
from core.messages import Question
from tests.crash import loopback_discord
from tests.servers.discord.people import answers
from tests.support.discord_core import Town
from tests.support.stepped_engine import until

ROOT = Path(__file__).parents[2]
LOOPBACK = loopback_discord.__name__
PATIENCE = 60.0
ME, KEY = "console:me", "console:me:main"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Nothing of the tester's own settings; English."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("CONCH_", "DISCORD_", "TELEGRAM_", "LC_", "LANG"))}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "CONCH_DATA_DIR": str(folder / "data"),
        "CONCH_ENGINE__KIND": "scripted",
        "CONCH_ENGINE__DELAY": "0",
        "CONCH_WEB__PORT": "0",
        **settings,
    }


class Conch:
    """One process, and what it has said so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.said = ""
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while text := await self.process.stdout.read(4096):
            self.said += text.decode()

    async def says(self, text: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while text not in self.said:
                if self._reading.done():
                    raise AssertionError(f"it ended without saying {text!r}:\n{self.said}")
                await asyncio.sleep(0.01)

    async def ends(self) -> int:
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await self._reading
        return code

    @property
    def url(self) -> str:
        return next(word for word in self.said.split() if word.startswith("http://"))


@asynccontextmanager
async def conch(folder: Path, *arguments: str, module: str = "bots", **settings: str) -> AsyncIterator[Conch]:
    """``python -m bots`` in ``folder``; nothing is left of it afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=folder,
        env=environment(folder, **settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Conch(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await running.ends()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        assert running.url.startswith("http://127.0.0.1:")
        running.process.send_signal(number)
        assert await running.ends() == 0
    assert "Traceback" not in running.said
    assert not (tmp_path / "data" / control.NAME).exists()


async def test_a_signal_while_the_model_loads_ends_it_cleanly(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_ENGINE__LOAD_SECONDS="60") as running:
        await running.says("The page is at")
        async with httpx.AsyncClient(base_url=running.url) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get("/readyz")).status_code == 503
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 0


async def test_it_is_ready_once_the_engine_is(tmp_path: Path) -> None:
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        async with httpx.AsyncClient(base_url=running.url) as client:
            ready = await client.get("/readyz")
        assert ready.status_code == 200
        assert ready.json()["fronts"] == {"web": "up"}


async def test_a_second_ctrl_c_ends_it_at_once_and_the_answer_is_made_at_the_next_start(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_ENGINE__DELAY="0.02") as running:
        await running.says("The model is ready.")
        talk = remote_chat(tmp_path / "data")
        answer = await talk.send(Question(KEY, ME, "console:1", "words=5000", language="en"))
        await anext(aiter(answer))
        running.process.send_signal(signal.SIGINT)
        await running.says("Ctrl-C again ends at once")
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == 130


async def test_an_answer_that_a_stop_interrupts_is_completed_after_the_next_start(tmp_path: Path) -> None:
    talk = remote_chat(tmp_path / "data")
    slow = {"CONCH_ENGINE__DELAY": "0.02", "CONCH_QUEUE__DRAIN_SECONDS": "0.2"}
    async with conch(tmp_path, **slow) as running:
        await running.says("The model is ready.")
        answer = await talk.send(Question(KEY, ME, "console:1", "words=900", language="en"))
        await anext(aiter(answer))
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 0
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        again = await talk.send(Question(KEY, ME, "console:1", "words=900", language="en"))
        events = [event async for event in again]
        assert events[-1] == Finished("stop")
        words = again.turn.reply.split()
        assert [int(word.partition("-")[0]) for word in words] == list(range(1, 901))
        assert len(await talk.history(KEY, ME)) == 1


async def test_a_short_answer_is_finished_before_a_stop(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_ENGINE__DELAY="0.01", CONCH_QUEUE__DRAIN_SECONDS="60") as running:
        await running.says("The model is ready.")
        answer = await remote_chat(tmp_path / "data").send(Question(KEY, ME, "console:1", "words=60", language="en"))
        events = aiter(answer)
        await anext(events)
        running.process.send_signal(signal.SIGTERM)
        assert [event async for event in events][-1] == Finished("stop")
        assert await running.ends() == 0


async def test_a_second_start_on_the_same_folder_names_the_first(tmp_path: Path) -> None:
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        async with conch(tmp_path) as second:
            assert await second.ends() == 1
            assert f"process {running.process.pid}" in second.said
            assert len(second.said.splitlines()) == 1
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 0


async def test_a_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with conch(tmp_path, CONCH_WEB__PORT=str(port)) as running:
            assert await running.ends() == 1
    assert str(port) in running.said
    assert len(running.said.splitlines()) == 1


async def test_an_address_of_another_machine_is_one_sentence(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_WEB__HOST="192.0.2.1") as running:
        assert await running.ends() == 1
    assert "192.0.2.1" in running.said
    assert len(running.said.splitlines()) == 1


async def test_a_file_in_the_data_folders_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    async with conch(tmp_path) as running:
        assert await running.ends() == 1
    assert "a file in its place" in running.said
    assert len(running.said.splitlines()) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte, which the test may remount."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("mounting a disk to fill or protect needs root and the right to mount")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def protect(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)


async def test_a_read_only_disk_is_one_sentence(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "data").mkdir()
    protect(small_disk)
    async with conch(tmp_path, CONCH_DATA_DIR=str(small_disk / "data")) as running:
        assert await running.ends() == 1
    assert "cannot be used" in running.said
    assert len(running.said.splitlines()) == 1


async def test_a_full_disk_is_one_sentence(tmp_path: Path, small_disk: Path) -> None:
    (small_disk / "data").mkdir()
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(b"x" * 4096)
    async with conch(tmp_path, CONCH_DATA_DIR=str(small_disk / "data")) as running:
        assert await running.ends() == 1
    assert "No space left" in running.said
    assert len(running.said.splitlines()) == 1


async def test_a_bot_answers_and_neither_its_token_nor_what_is_said_is_ever_shown(tmp_path: Path) -> None:
    town = Town.founded()
    secret = "my secret is quincunx"
    async with town.server.listening():
        settings = {loopback_discord.ADDRESS: town.server.address, "DISCORD_BOT_TOKEN": town.server.world.token}
        async with conch(tmp_path, module=LOOPBACK, **settings, CONCH_LOG__LEVEL="debug") as running:
            await running.says("Discord: invite the bot to a server with https://discord.com/oauth2/authorize")
            await running.says("The model is ready.")
            async with httpx.AsyncClient(base_url=running.url) as client:
                while (await client.get("/readyz")).json()["fronts"].get("discord") != "up":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            town.ann.says(town.ann.direct, f"echo {secret}")
            asked = town.ann.runs("ask", town.channel, question=f"echo {secret}", private=True)
            await town.server.until(lambda: asked.shown is not None and asked.shown.button("regenerate"))
            await town.server.until(lambda: any(one.button("regenerate") for one in answers(town.ann.direct)))
            assert asked.shown is not None
            assert (asked.shown.content, answers(town.ann.direct)[0].content) == (secret, secret)
            assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
            assert [file.name for file in (tmp_path / "data").iterdir() if file.stat().st_mode & 0o077] == []
            running.process.send_signal(signal.SIGTERM)
            assert await running.ends() == 0
        settings["DISCORD_BOT_TOKEN"] = "MTIz.Gab-_c.wrong"
        async with conch(tmp_path, module=LOOPBACK, **settings) as refused:
            await refused.says("Discord does not know the token.")
            assert await refused.ends() == 1
    for hidden in (town.server.world.token, secret, asked.token):
        assert hidden not in running.said
    assert "Traceback" not in running.said + refused.said
    assert town.server.wrongs == []


BROKEN_ENGINE = """
import asyncio, contextlib, sys
from bots import app
from config.settings import load
from core.engine import ScriptedEngine
from core.errors import EngineError

class Broken(ScriptedEngine):
    async def ready(self):
        if {at_load}:
            raise EngineError("The model is not there. Put it there.")
        await super().ready()

    async def failed(self):
        return "The GPU is lost. Start Conch again."

@contextlib.asynccontextmanager
async def engine(settings, progress):
    yield Broken()

sys.exit(asyncio.run(app.run(load(), engine)))
"""


@pytest.mark.parametrize(("at_load", "sentence"), [(True, "Put it there."), (False, "Start Conch again.")])
async def test_an_engine_beyond_repair_ends_it_with_a_sentence_and_1(
    tmp_path: Path, at_load: bool, sentence: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", BROKEN_ENGINE.format(at_load=at_load)),
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert err.decode().splitlines()[-1].endswith(sentence)
    assert "Traceback" not in err.decode()


async def test_bound_elsewhere_a_terminal_is_told_the_key_once_and_a_journal_never(tmp_path: Path) -> None:
    outside = {"CONCH_WEB__HOST": "0.0.0.0", "CONCH_LOG__LEVEL": "debug"}
    for meets_it_first in (True, False):
        person = Typist(tmp_path, "run", **outside)
        try:
            await until(lambda person=person: "The model is ready." in person.look(), turns=60_000)
            key = (tmp_path / "data" / "access-key").read_text().strip()
            assert person.seen.count(f"?key={key}") == meets_it_first
            person.type("\x03")
            assert await person.ends() == 0
            assert person.seen.count(key) == meets_it_first
        finally:
            person.close()
    (tmp_path / "else").mkdir()
    async with conch(tmp_path / "else", **outside) as running:
        await running.says("The model is ready.")
        assert "asks for an access key; `conch key` shows" in running.said
        assert (tmp_path / "else" / "data" / "access-key").read_text().strip() not in running.said


async def test_beside_the_log_nothing_is_on_standard_error(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bots"),
        cwd=tmp_path,
        env=environment(tmp_path, CONCH_LOG__FORMAT="json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    while (line := await process.stdout.readline()) != b"The model is ready.\n":
        assert line
    process.send_signal(signal.SIGTERM)
    _, err = await process.communicate()
    assert [json.loads(line)["message"] for line in err.splitlines()] == ["the engine is ready"]


async def test_after_a_lost_disk_a_backup_brings_back_the_talks_to_the_browsers_that_had_them(tmp_path: Path) -> None:
    outside = {"CONCH_WEB__HOST": "0.0.0.0"}
    key, jar = tmp_path / "data" / "access-key", httpx.Cookies()
    async with conch(tmp_path, **outside) as running:
        await running.says("The model is ready.")
        invited = key.read_text()
        async with browser(running, invited) as client:
            assert (await client.post("/api/session", json={})).status_code == 200
            asked = await client.post("/api/conversations/about-it/send", json={"text": "echo 🐚", "event": "e" * 32})
            assert asked.status_code == 200
            jar = client.cookies
        await control.call(tmp_path / "data", "backup", file=str(tmp_path / "copy"))
        running.process.kill()
        await running.ends()
    shutil.rmtree(tmp_path / "data")
    async with conch(tmp_path, "restore", str(tmp_path / "copy")) as restoring:
        assert await restoring.ends() == 0
    async with conch(tmp_path, **outside) as running:
        await running.says("The model is ready.")
        assert key.read_text() == invited
        async with browser(running, invited) as client:
            client.cookies = jar
            found = (await client.get("/api/conversations/about-it")).json()
            assert [exchange["question"] for exchange in found["exchanges"]] == ["echo 🐚"]


def browser(running: Conch, key: str) -> httpx.AsyncClient:
    """A browser that was given the key, on this machine."""
    origin = f"http://127.0.0.1:{httpx.URL(running.url).port}"
    headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "Authorization": f"Bearer {key.strip()}"}
    return httpx.AsyncClient(base_url=origin, headers=headers)


async def test_without_the_page_the_socket_still_serves(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_WEB__ENABLED="false") as running:
        await running.says("The model is ready.")
        assert "http" not in running.said
        assert (await remote_chat(tmp_path / "data").status(ME)).ready


async def test_no_word_of_a_talk_reaches_the_log(tmp_path: Path) -> None:
    async with conch(tmp_path, CONCH_LOG__LEVEL="debug", CONCH_LOG__FORMAT="json") as running:
        await running.says("The model is ready.")
        talk = remote_chat(tmp_path / "data")
        answer = await talk.send(Question(KEY, ME, "console:1", "echo Xylophon", language="en"))
        assert [event async for event in answer][-1] == Finished("stop")
        await talk.forget(ME)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ends() == 0
    assert answer.text == "Xylophon"
    assert "Xylophon" not in running.said
    assert ME not in running.said


async def test_the_figures_are_there_for_prometheus(tmp_path: Path) -> None:
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        answer = await remote_chat(tmp_path / "data").send(
            Question(KEY, ME, "console:1", "echo one two", language="en")
        )
        assert [event async for event in answer][-1] == Finished("stop")
        async with httpx.AsyncClient(base_url=running.url) as client:
            figures = (await client.get("/metrics")).text
    for line in ('conch_finished_total{reason="stop"} 1.0', "conch_tokens_total 2.0", "conch_engine_ready 1.0"):
        assert line in figures


async def test_the_scripted_engine_starts_without_torch_or_a_platforms_library(tmp_path: Path) -> None:
    script = (
        "import asyncio, os, sys, signal\n"
        "from bots import app\n"
        "from config.settings import load\n"
        "async def main():\n"
        "    asyncio.get_running_loop().call_later(0.3, os.kill, os.getpid(), signal.SIGTERM)\n"
        "    return await app.run(load())\n"
        "code = asyncio.run(main())\n"
        "heavy = {'torch', 'transformers', 'discord', 'telegram'} & set(sys.modules)\n"
        "sys.exit(code or (str(heavy) if heavy else 0))\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=tmp_path, env=environment(tmp_path), stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()


# conch chat


async def test_piped_questions_without_a_running_conch(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bots", "chat"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate("echo hello\necho 안녕 🐚\n".encode())
    assert out.decode() == "hello\n안녕 🐚\n"
    assert process.returncode == 0, err.decode()


async def test_beside_a_running_conch_the_terminal_talks_to_it(tmp_path: Path) -> None:
    async with conch(tmp_path) as running:
        await running.says("The model is ready.")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bots", "chat", "other"),
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(b"echo hello\n")
        assert (out.decode(), process.returncode) == ("hello\n", 0), err.decode()
        stats = await control.call(tmp_path / "data", "stats")
        assert stats["waiting"] == 0


class Typist:
    """A person at a terminal: a pseudo terminal with ``conch chat``, or another command, at its other end."""

    def __init__(self, folder: Path, command: str = "chat", **settings: str) -> None:
        self._here, there = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bots", command],
            cwd=folder,
            env={**environment(folder, **settings), "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
            preexec_fn=_take_terminal,  # no other thread of ours runs while it forks
        )
        os.close(there)
        os.set_blocking(self._here, False)
        self.seen = ""

    def type(self, keys: str) -> None:
        os.write(self._here, keys.encode())

    async def sees(self, text: str) -> None:
        """Waits for ``text`` and forgets what came before it."""
        await until(lambda: text in self.look(), turns=60_000)
        self.seen = self.seen.partition(text)[2]

    async def ends(self) -> int:
        await until(lambda: self.look() is not None and self.process.poll() is not None, turns=60_000)
        return self.process.returncode

    def look(self) -> str:
        with suppress(OSError):  # nothing there yet, or the other end is closed
            self.seen += os.read(self._here, 65536).decode(errors="replace")
        return self.seen

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._here)


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def typist(tmp_path: Path) -> Iterator[Typist]:
    person = Typist(tmp_path, CONCH_ENGINE__DELAY="0.01")
    yield person
    person.close()


async def test_at_a_terminal_ctrl_c_stops_the_answer_and_ctrl_d_ends(typist: Typist) -> None:
    await typist.sees("Ask a question.")
    await typist.sees("you: ")
    typist.type("words=500\r")
    await typist.sees("3-")
    typist.type("\x03")
    await until(lambda: "Stopped." in typist.look(), turns=60_000)
    assert "^C" not in typist.seen, "it would push the answer aside"
    await typist.sees("Stopped.")
    await typist.sees("you: ")
    typist.type("half a line")
    await typist.sees("half a line")
    typist.type("\x03")
    await until(lambda: "Ctrl-D or /quit ends." in typist.look(), turns=60_000)
    assert "\n" in typist.seen.partition("Ctrl-D or /quit ends.")[0]
    typist.type("echo **bold**\r")
    await typist.sees("\x1b[1mbold")
    await typist.sees("you: ")
    typist.type("\x04")
    assert await typist.ends() == 0


async def test_what_is_typed_beside_an_answer_waits_for_the_next_line_and_a_paste_is_one_question(
    typist: Typist,
) -> None:
    await typist.sees("you: ")
    typist.type("words=60\r")
    await typist.sees("3-")
    typist.type("echo Xylo")
    await until(lambda: "Xylo" in typist.look(), turns=60_000)
    before = typist.seen.partition("echo Xylo")[0]
    assert "60-" in before
    assert before.endswith("you: ")
    typist.type("phon\x1b[200~\rlimits\rof it\x1b[201~\r")
    await typist.sees("Xylophon limits of it")
    await typist.sees("you: ")
    typist.type("/status\rwords=20\r\x04")
    await typist.sees("You can send 18 ")
    await typist.sees("20-")
    assert await typist.ends() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_terminal_that_goes_away_ends_it_and_the_answer_goes_on_next_time(
    typist: Typist, tmp_path: Path, number: signal.Signals
) -> None:
    await typist.sees("you: ")
    typist.type("words=300\r")
    await typist.sees("3-")
    typist.process.send_signal(number)
    assert await typist.ends() == 0
    again = Typist(tmp_path)
    try:
        await again.sees("> words=300")
        await again.sees("300-")
        await again.sees("you: ")
        again.process.send_signal(number)
        assert await again.ends() == 0
    finally:
        again.close()


@pytest.mark.torch
async def test_smollm2_answers_at_the_terminal(tmp_path: Path) -> None:
    settings = environment(
        tmp_path, CONCH_ENGINE__KIND="local", CONCH_ENGINE__MAX_TOKENS="24", CONCH_ENGINE__TEMPERATURE="0.0"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bots", "chat"),
        cwd=tmp_path,
        env=settings,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate(b"What is the capital of France? Answer in one short sentence.\n")
    assert process.returncode == 0, err.decode()
    assert "Paris" in out.decode()
