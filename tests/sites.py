"""A whole Conch with its page, on a temporary folder and a free port, with an engine that the test holds and lets go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import httpx

from bots.health import Health
from bots.metrics import Metrics
from bots.web import WebFront, WebOptions, connect
from bots.wording import Wording
from core.chat import Chat, Options
from core.engine import Sampling, ScriptedEngine
from core.events import Delta, Finished, Started
from core.gate import Gate
from core.limits import Limits
from core.messages import Message, Persona
from core.people import People
from core.store import Store

LOCALES = Path(__file__).parents[1] / "config" / "locales"
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
        return httpx.AsyncClient(base_url=self.origin, headers=sent, timeout=10)


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
) -> AsyncIterator[Site]:
    """Open a Conch with its page; close it as a shutdown does. ``options`` are those of the page."""
    engine = engine or HeldEngine()
    chosen = replace(WebOptions(folder, port=0, pace=0.01), **(options or {}))  # type: ignore[arg-type]  # a test's own names
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
            async with connect(chat, WORDING, chosen, health=health, metrics=metrics.text) as web:
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
