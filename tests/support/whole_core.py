"""A whole core on a temporary folder, with an engine that the test steers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import time

from core.chat.chat import Chat, Options
from core.chat.people import People
from core.chat.reply import Reply
from core.engine import Engine, Sampling
from core.events import Delta
from core.gate.gate import Gate
from core.limits import Limits
from core.messages import Persona, Question
from core.store.store import Store
from tests.support.stepped_engine import SteppedEngine

PERSONAS = {
    "assistant": Persona("assistant", {"en": "Assistant"}, {}),
    "pirate": Persona(
        "pirate",
        {"en": "Pirate"},
        {"en": "Speak like a pirate.", "ko": "해적처럼 말하세요."},
        {"max_tokens": 50, "temperature": 1.5},
    ),
}
NO_LIMITS = Limits(messages_per_minute=0, tokens_per_day=0, characters=0)


@dataclass
class Clock:
    """A clock that the test moves."""

    now: float = field(default_factory=time)

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """What one test talks to."""

    chat: Chat
    gate: Gate
    store: Store
    engine: SteppedEngine
    clock: Clock
    figures: list[tuple[str, float, str]]
    people: People

    async def ask(self, conversation: str, text: str, *, user: str = "web:ann", event: str | None = None) -> Reply:
        """Send a question and let it be answered to the end."""
        reply = await self.chat.send(Question(conversation, user, event or f"web:{text}", text))
        await finish(reply, self.engine)
        return reply


async def finish(reply: Reply, engine: SteppedEngine | None = None) -> str:
    """Follow a reply to its end, ``engine`` speaking meanwhile; returns what a viewer saw of its text."""

    async def watch() -> str:
        return "".join([event.text async for event in reply if isinstance(event, Delta)])

    watching = asyncio.create_task(watch())
    while engine is not None and not watching.done():
        engine.step()
        await asyncio.sleep(0.0005)
    text = await watching
    assert reply.finished is not None, "the reply was closed before its end"
    return text


@asynccontextmanager
async def house(
    folder: Path,
    *,
    slots: int = 1,
    limits: Limits = NO_LIMITS,
    waiting: int = 100,
    waiting_per_person: int = 100,
    options: Options | None = None,
    engine: SteppedEngine | None = None,
    people: People | None = None,
    clock: Clock | None = None,
    max_tokens: int = 100,
    wrap: Callable[[Engine], Engine] = lambda engine: engine,
) -> AsyncIterator[House]:
    """Open a core on ``folder``; close it as a shutdown does."""
    engine, people = engine or SteppedEngine(slots=slots), people or People()
    clock = clock or Clock()
    figures: list[tuple[str, float, str]] = []
    async with Store.open(folder, clock=clock) as store:
        gate = Gate(slots, waiting=waiting, waiting_per_person=waiting_per_person)
        chat = Chat(
            wrap(engine),
            gate,
            store,
            personas=PERSONAS,
            limits=limits,
            sampling=Sampling(max_tokens=max_tokens, as_advised=frozenset(("temperature", "top_p"))),
            options=options or Options(persona="assistant"),
            people=people,
            observe=lambda name, value, label: figures.append((name, value, label)),
            clock=clock,
            random=Random(1),
        )
        try:
            yield House(chat, gate, store, engine, clock, figures, people)
        finally:
            await chat.drain(0)
