"""The real process: started, asked whether it is there, killed, and started again."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from random import SystemRandom
from time import monotonic

import httpx

ROOT = Path(__file__).parents[2]
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 30.0


class Program:
    """One Conch on one data folder and one port, through all its lives. ``module`` is what ``python -m`` starts.

    Its settings are those that anybody could write into the environment; it knows nothing of being tested.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], module: Sequence[str] = ("bots",)) -> None:
        self.data = folder / "data"
        self.log = folder / "log" / "conch.log"
        self.log.parent.mkdir(parents=True)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.starts: list[float] = []
        self._folder = folder
        self._module = module
        self._environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("CONCH_", "DISCORD_", "TELEGRAM_"))
            },
            "PYTHONPATH": str(ROOT),
            "CONCH_DATA_DIR": str(self.data),
            "CONCH_ENGINE__KIND": "scripted",
            "CONCH_WEB__PORT": str(self.port),
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        self._began = 0.0

    async def start(self) -> None:
        """Begin a life; returns at once."""
        with self.log.open("ab") as log:
            self._began = monotonic()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._module, cwd=self._folder, env=self._environment, stdout=log, stderr=log
            )

    async def ready(self) -> None:
        """Returns when it answers and can generate. Raises when it ended instead, or takes far too long."""
        process = self._running()
        async with httpx.AsyncClient(base_url=self.url) as client:
            while monotonic() - self._began < PATIENCE_SECONDS:
                if process.returncode is not None:
                    raise RuntimeError(
                        f"it ended with {process.returncode} at its start:\n{self.log.read_text()[-2000:]}"
                    )
                try:
                    if (await client.get("/readyz")).status_code == 200:
                        self.starts.append(monotonic() - self._began)
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(POLL_SECONDS)
        raise RuntimeError(f"not ready after {PATIENCE_SECONDS} s:\n{self.log.read_text()[-2000:]}")

    async def kill(self) -> None:
        """End it with -9, whatever it does."""
        process = self._running()
        process.kill()
        await process.wait()

    async def terminate(self) -> int:
        """Ask it to end (SIGTERM). Returns its exit code."""
        process = self._running()
        process.terminate()
        return await asyncio.wait_for(process.wait(), PATIENCE_SECONDS)

    async def close(self) -> None:
        """Leave nothing behind."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    def standing(self) -> str:
        """For whoever looks into a run that came to a halt."""
        code = self._running().returncode
        return "it runs" if code is None else f"it ended with {code}:\n{self.log.read_text()[-2000:]}"

    def _running(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError("it was never started")
        return self._process


def free_port() -> int:
    """A port of this machine that nobody listens on, and none of those that connections get by themselves: one of
    them would have it sooner or later, in the moments between two lives."""
    for port in SystemRandom().sample(range(10_000, 32_000), 1000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("a thousand ports of this machine are taken")
