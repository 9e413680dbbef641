"""How fast this machine answers, in figures and in words: a minute of the owner's time before people come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from time import monotonic

from bots.talk.wording import Say
from core.engine import Engine, Sampling
from core.events import Delta, Finished
from core.messages import Message

TOKENS = 64
MOST_AT_ONCE = 16
READING = 7.0
"""Tokens a second that a person reads along with: some five words."""
PATIENCE = 2.0
"""Seconds to the first word that feel like an answer and not like waiting."""
TOPICS = (
    "a lighthouse",
    "a baker",
    "a night train",
    "two rivers",
    "an old clock",
    "a small garden",
    "a letter",
    "snow",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Seconds to the first word and to the end, tokens, and the text and ids for a conversation that goes on."""

    first: float
    seconds: float
    tokens: int
    text: str
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Speed:
    """``one`` and ``together`` in tokens a second, alone and of ``count`` at once in all; seconds to the first word
    alone, at once (95 of 100), and of a conversation's next question."""

    one: float
    first: float
    count: int
    together: float
    first_at_once: float
    next_first: float

    @property
    def each(self) -> float:
        """Tokens a second that each of those at once gets."""
        return self.together / self.count


async def measure(engine: Engine, clock: Callable[[], float] = monotonic) -> Speed:
    """Asks the engine what a few people would. Raises RuntimeError where it does not answer."""
    await _ask(engine, _story(99), clock)
    alone = await _ask(engine, _story(0), clock)
    talk = [*_story(0), Message("assistant", alone.text, alone.ids), Message("user", "And what happened then?")]
    again = await _ask(engine, talk, clock)
    count = max(1, min(engine.slots, MOST_AT_ONCE))
    began = clock()
    crowd = await asyncio.gather(*(_ask(engine, _story(number + 1), clock) for number in range(count)))
    took = clock() - began
    firsts = sorted(answer.first for answer in crowd)
    return Speed(
        one=alone.tokens / alone.seconds,
        first=alone.first,
        count=count,
        together=sum(answer.tokens for answer in crowd) / took,
        first_at_once=firsts[-(-95 * count // 100) - 1],
        next_first=again.first,
    )


def told(speed: Speed, say: Say) -> list[str]:
    """The figures and the verdict as sentences."""
    said = [
        say("bench-one", rate=_short(speed.one), first=_short(speed.first)),
        say("bench-next", first=_short(speed.next_first)),
    ]
    if speed.count > 1:
        many = {"rate": _short(speed.together), "each": _short(speed.each), "first": _short(speed.first_at_once)}
        said.append(say("bench-many", count=speed.count, **many))
    return [*said, say(_verdict(speed), count=speed.count)]


def _verdict(speed: Speed) -> str:
    if speed.one < READING:
        return "bench-slow"
    if speed.count > 1 and speed.each < READING:
        return "bench-slow-together"
    return "bench-good" if speed.first_at_once <= PATIENCE else "bench-late"


async def _ask(engine: Engine, messages: Sequence[Message], clock: Callable[[], float]) -> Answer:
    began, first, tokens, text = clock(), 0.0, 0, ""
    ids: tuple[int, ...] = ()
    sampling = Sampling(temperature=0.0, max_tokens=TOKENS)
    async with aclosing(engine.generate(messages, sampling)) as stream:
        async for event in stream:
            match event:
                case Delta(more, new):
                    first = first or clock() - began
                    tokens, text, ids = tokens + len(new), text + more, ids + new
                case Finished("error" | "abort", cause):
                    raise RuntimeError(f"the engine did not answer: {cause}")
    return Answer(first, max(clock() - began, 1e-9), tokens, text, ids)


def _story(number: int) -> list[Message]:
    return [Message("user", f"{number}. Write a long story about {TOPICS[number % len(TOPICS)]}.")]


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"
