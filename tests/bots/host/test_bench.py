"""``conch bench``: what is measured is what happened, and the verdict says what it means for people."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

import config
from bots.host.bench import READING, Speed, measure, told
from bots.talk.wording import Say, Wording
from core.engine import ScriptedEngine


@pytest.fixture
def say() -> Say:
    return Wording(Path(config.__file__).with_name("locales")).bind("en")


def speed(one: float = 40, together: float = 160, at_once: int = 8, first_at_once: float = 0.5) -> Speed:
    return Speed(one, 0.1, at_once, together, first_at_once, 0.05)


async def test_it_asks_alone_then_goes_on_then_asks_for_everybody_at_once() -> None:
    engine = ScriptedEngine(slots=3)
    await engine.ready()
    ticks = count()
    found = await measure(engine, clock=lambda: float(next(ticks)))
    assert found.count == 3
    assert found.one > 0
    assert found.together == pytest.approx(3 * found.each)
    assert found.first >= 1
    assert found.first_at_once >= found.next_first


async def test_an_engine_with_many_slots_is_asked_by_sixteen() -> None:
    engine = ScriptedEngine(slots=200)
    await engine.ready()
    assert (await measure(engine)).count == 16


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (speed(), "also when 8 ask at the same time"),
        (speed(at_once=1, together=40), "as fast as people read them."),
        (speed(first_at_once=9), "lets them wait"),
        (speed(together=8 * READING - 1), "slower than that"),
        (speed(one=READING - 1, together=10), "That is slow"),
    ],
)
def test_the_verdict_is_about_people(found: Speed, verdict: str, say: Say) -> None:
    lines = told(found, say)
    assert verdict in lines[-1]
    assert len(lines) == (4 if found.count > 1 else 3)
