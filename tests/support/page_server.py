"""A whole Conch with its page, on a temporary folder and a free port; the test holds the engine and lets it go."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import httpx

from bots.host.health import Health
from bots.host.metrics import Metrics
from bots.talk.wording import Wording
from bots.web.server import Hook, WebFront, WebOptions, connect
from core.chat.chat import Chat, Options
from core.chat.people import People
from core.engine import Sampling, ScriptedEngine
from core.events import Delta, Finished, Started
from core.gate.gate import Gate
from core.limits import Limits
from core.messages import Message, Persona
from core.store.store import Store

LOCALES = Path(__file__).parents[2] / "config" / "locales"
WORDING = Wording(LOCALES)
NO_LIMITS = Limits(messages_per_minute=0, tokens_per_day=0, characters=0)
PERSONAS = {
    "assistant": Persona("assistant", {"en": "Assistant", "ko": "어시스턴트", "zh": "助手"}, {}),
    "pirate": Persona("pirate", {"en": "Pirate", "ko": "해적", "zh": "海盗"}, {"en": "Speak like a pirate."}),
}


class HeldEngine(ScriptedEngine):
    """The scripted engine, which stops after ``hold`` words until it is let go."""

    def __init__(self, *, slots: int = 1, delay: float = 0.0, load_seconds: float = 0.0) -> None:
        super().__init__(slots=slots, delay=delay, load_seconds=load_seconds)
        self.hold: int | None = None
        self.asked: list[tuple[Message, ...]] = []
        self.holding = asyncio.Event()
        self._go = asyncio.Event()

    def let_go(self) -> None:
        """Say the rest; what comes next is held again at ``hold``."""
        self._go.set()
        self._go = asyncio.Event()
        self.holding.clear()

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        self.asked.append(tuple(messages))
        words = 0
        async for event in super().generate(messages, sampling):
            if isinstance(event, Delta):
                if words == self.hold:
                    self.holding.set()
                    await self._go.wait()
                words += 1
            yield event


@dataclass(frozen=True, slots=True)
class Site:
    """What a test of the page talks to."""

    web: WebFront
    chat: Chat
    gate: Gate
    store: Store
    engine: HeldEngine
    folder: Path

    @property
    def origin(self) -> str:
        """The page's origin."""
        return self.web.address.rstrip("/")

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A browser without a screen: it sends the headers that a page of ours would send."""
        sent = {"Origin": self.origin, "Sec-Fetch-Site": "same-origin", **headers}
        return httpx.AsyncClient(base_url=self.origin, headers=sent, timeout=10, verify=False)  # there is no TLS here


async def introduced(client: httpx.AsyncClient) -> str:
    """Give the browser a session; returns who it is to core."""
    answer = await client.post("/api/session", json={})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["user"])


async def ask(client: httpx.AsyncClient, text: str, conversation: str = "first-one", event: str = "") -> int:
    """Send a question; returns its turn."""
    body = {"text": text, "event": event or uuid4().hex}
    answer = await client.post(f"/api/conversations/{conversation}/send", json=body)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["turn"])


async def shown(client: httpx.AsyncClient, conversation: str = "first-one") -> list[dict[str, Any]]:
    """The exchanges of a conversation."""
    answer = await client.get(f"/api/conversations/{conversation}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["exchanges"])


async def answered(client: httpx.AsyncClient, conversation: str = "first-one") -> list[dict[str, Any]]:
    """The exchanges, once all of them have ended."""
    for _ in range(500):
        found = await shown(client, conversation)
        if not any(exchange["live"] for exchange in found):
            return found
        await asyncio.sleep(0.01)
    raise AssertionError("it was never answered")


class Events:
    """A stream, event by event."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, *names: str) -> tuple[str, Any]:
        """The next event, or the next of these names."""
        name = ""
        async for line in self._lines:
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: ") and (not names or name in names):
                return name, json.loads(line.removeprefix("data: "))
        raise EOFError


@asynccontextmanager
async def stream(
    client: httpx.AsyncClient, conversation: str | None = "first-one", **asked: str
) -> AsyncIterator[Events]:
    """Follow a conversation as an open page does."""
    parameters = {"conversation": conversation, **asked} if conversation else asked
    async with client.stream("GET", "/api/stream", params=parameters) as response:
        assert response.status_code == 200
        yield Events(response)


@asynccontextmanager
async def site(
    folder: Path,
    *,
    engine: HeldEngine | None = None,
    limits: Limits = NO_LIMITS,
    sampling: Sampling | None = None,
    waiting: int = 50,
    waiting_per_person: int = 50,
    people: People | None = None,
    load: bool = True,
    options: Mapping[str, object] | None = None,
    personas: Mapping[str, Persona] = PERSONAS,
    hooks: Mapping[str, Hook] | None = None,
) -> AsyncIterator[Site]:
    """Open a Conch with its page; close it as a shutdown does. ``options`` are those of the page."""
    engine = engine or HeldEngine()
    chosen = replace(WebOptions(folder, port=0, pace=0.01), **(options or {}))
    async with Store.open(folder) as store:
        gate = Gate(0, waiting=waiting, waiting_per_person=waiting_per_person)
        health = Health()
        metrics = Metrics(gate, health)
        chat = Chat(
            engine,
            gate,
            store,
            personas=personas,
            limits=limits,
            sampling=sampling or Sampling(max_tokens=2000),
            options=Options(persona="assistant"),
            people=people,
            observe=metrics.observe,
            random=Random(1),
        )
        await chat.resume(["web:"])
        try:
            told = {"health": health, "metrics": metrics.text}
            async with connect(chat, WORDING, chosen, **told, hooks=hooks or {}) as web:
                if load:
                    await loaded(engine, gate, health)
                yield Site(web, chat, gate, store, engine, folder)
        finally:
            await chat.drain(0)


async def loaded(engine: HeldEngine, gate: Gate, health: Health | None = None) -> None:
    """The engine becomes ready, as the composition root makes it."""
    await engine.ready()
    gate.resize(engine.slots)
    if health is not None:
        health.engine = "ready"


async def until(condition: Callable[[], object], *, turns: int = 4000) -> None:
    """Let the loop turn until ``condition()`` holds; fails the test when it never does."""
    for i in range(turns):
        if condition():
            return
        await asyncio.sleep(0 if i < 200 else 0.002)
    raise AssertionError("it never came true")
