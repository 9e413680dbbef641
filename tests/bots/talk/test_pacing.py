"""Pacing: intervals, windows, urgency, and a budget that starves nobody. All in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from asyncio_throttle.throttler import Throttler
from hypothesis import given, settings
from hypothesis import strategies as st

from bots.talk.pacing import IDLE_SECONDS, Kind, Pace, Pacing, Rate
from tests.support.examples import examples
from tests.support.virtual_time import VirtualTimeLoop, now, run

CHATS, BUDGET, SECONDS = 200, 30, 20.0
ROUNDING = 1e-6
SHARE = BUDGET * SECONDS / CHATS


async def flood(wait: Callable[[int], Awaitable[None]]) -> list[int]:
    """Calls that each chat could make in a minute, if each wants to make one as often as it may."""
    served = [0] * CHATS

    async def chat(number: int) -> None:
        while True:
            await wait(number)
            served[number] += 1

    tasks = [asyncio.create_task(chat(number)) for number in range(CHATS)]
    await asyncio.sleep(SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return served


async def call(pace: Pace, kind: Kind = "preview", takes: float = 0.0, log: list[float] | None = None) -> None:
    async with pace.slot(kind):
        if log is not None:
            log.append(now())
        await asyncio.sleep(takes)


def test_two_hundred_chats_share_one_budget_and_none_gets_less_than_half_of_its_share() -> None:
    async def fair() -> list[int]:
        pacing = Pacing(BUDGET, 1.0, now)
        paces = [pacing.chat(str(number)) for number in range(CHATS)]
        return await flood(lambda number: call(paces[number]))

    served = run(fair())
    assert min(served) >= SHARE / 2
    assert sum(served) >= 0.9 * BUDGET * SECONDS
    assert max(served) - min(served) <= 2


def test_a_throttler_that_all_chats_share_fails_the_same_test() -> None:
    async def unfair() -> list[int]:
        polls = 0.05
        shared, apart = Throttler(BUDGET, 1.0, polls), [Throttler(1, 1.0, polls) for _ in range(CHATS)]

        async def wait(number: int) -> None:
            await apart[number].acquire()  # type: ignore[no-untyped-call]  # the library's signature has no types
            await shared.acquire()  # type: ignore[no-untyped-call]  # likewise

        return await flood(wait)

    assert min(run(unfair())) < SHARE / 2


def test_no_second_sees_more_calls_than_the_budget() -> None:
    async def times() -> list[float]:
        pacing, log = Pacing(BUDGET, 1.0, now), list[float]()
        paces = [pacing.chat(str(number), Rate(interval=0)) for number in range(CHATS)]
        await flood(lambda number: call(paces[number], log=log))
        return log

    log = run(times())
    assert all(later - first > 1.0 - ROUNDING for first, later in zip(log, log[BUDGET:], strict=False))


def test_finals_and_placeholders_go_before_previews_and_typing_goes_last() -> None:
    async def order() -> list[str]:
        pacing, went = Pacing(1, 1.0, now), list[str]()

        async def one(kind: Kind, number: int) -> None:
            async with pacing.chat(f"{kind}{number}").slot(kind):
                went.append(kind)

        kinds: list[Kind] = ["typing", "preview", "preview", "final", "preview", "placeholder"]
        await call(pacing.chat("first"))
        async with asyncio.TaskGroup() as tasks:
            for number, kind in enumerate(kinds):
                tasks.create_task(one(kind, number))
        return went

    assert run(order()) == ["final", "placeholder", "preview", "preview", "preview", "typing"]


def test_a_preview_that_becomes_final_overtakes_while_it_waits() -> None:
    async def order() -> list[str]:
        pacing, went = Pacing(1, 1.0, now), list[str]()

        async def one(name: str) -> None:
            slot = slots[name] = pacing.chat(name).slot("preview")
            async with slot:
                went.append(name)

        slots: dict[str, object] = {}
        await call(pacing.chat("first"))
        async with asyncio.TaskGroup() as tasks:
            for name in "abc":
                tasks.create_task(one(name))
            await asyncio.sleep(0.1)
            slots["c"].become("final")  # type: ignore[attr-defined]
        return went

    assert run(order()) == ["c", "a", "b"]


@settings(max_examples=examples(50))
@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from(["final", "preview", "line"]), st.floats(0, 3)), max_size=40)
)
def test_in_one_chat_calls_never_overlap_and_keep_their_intervals(wishes: list[tuple[float, Kind, float]]) -> None:
    rate = Rate(interval=1.0, preview=5.0, line=10.0, calls_per_minute=20, previews_per_minute=12)

    async def calls() -> list[tuple[float, float, Kind]]:
        pace, done = Pacing(0, 1.0, now).chat("group", rate), list[tuple[float, float, Kind]]()

        async def wish(at: float, kind: Kind, takes: float) -> None:
            await asyncio.sleep(at)
            async with pace.slot(kind):
                began = now()
                await asyncio.sleep(takes)
                done.append((began, now(), kind))

        async with asyncio.TaskGroup() as tasks:
            for one in wishes:
                tasks.create_task(wish(*one))
        return done

    done = run(calls())
    assert len(done) == len(wishes)
    assert all(end <= begin + ROUNDING for (_, end, _), (begin, _, _) in pairwise(done))

    def gaps(kinds: set[str], step: int = 1) -> list[float]:
        begins = [begin for begin, _, kind in done if kind in kinds]
        return [later - first for first, later in zip(begins, begins[step:], strict=False)]

    assert min(gaps({"final", "preview", "line"}), default=math.inf) > 1.0 - ROUNDING
    assert min(gaps({"preview", "line"}), default=math.inf) > 5.0 - ROUNDING
    assert min(gaps({"line"}), default=math.inf) > 10.0 - ROUNDING
    assert min(gaps({"final", "preview", "line"}, 20), default=math.inf) > 60.0 - ROUNDING
    assert min(gaps({"preview", "line"}, 12), default=math.inf) > 60.0 - ROUNDING


def test_a_minute_holds_so_many_previews_and_leaves_the_rest_to_what_is_urgent() -> None:
    async def times() -> tuple[list[float], list[float]]:
        rate = Rate(interval=0.1, calls_per_minute=20, previews_per_minute=12)
        pace, previews, finals = Pacing(BUDGET, 1.0, now).chat("group", rate), list[float](), list[float]()
        waiting = [asyncio.create_task(call(pace, log=previews)) for _ in range(13)]
        await asyncio.sleep(10)
        await asyncio.gather(*(call(pace, "final", log=finals) for _ in range(9)), *waiting)
        return previews, finals

    previews, finals = run(times())
    assert max(previews[:12]) < 2
    assert previews[12] >= 60
    assert max(finals[:8]) < 11
    assert finals[8] >= 60


def test_a_pause_holds_one_chat_and_no_other() -> None:
    async def times() -> tuple[list[float], list[float]]:
        pacing, here, there = Pacing(BUDGET, 1.0, now), list[float](), list[float]()
        pacing.chat("here").pause(30.0)
        await asyncio.gather(
            call(pacing.chat("here"), "final", log=here), call(pacing.chat("there"), "preview", log=there)
        )
        return here, there

    here, there = run(times())
    assert there == [0.0]
    assert here == [pytest.approx(30.0)]


def test_a_pause_of_everything_holds_every_chat() -> None:
    async def times() -> list[float]:
        pacing, log = Pacing(BUDGET, 1.0, now), list[float]()
        pacing.chat("here").pause_all(10.0)
        await asyncio.gather(*(call(pacing.chat(name), log=log) for name in "abc"))
        return log

    assert run(times()) == [pytest.approx(10.0)] * 3


def test_whoever_gives_up_waiting_or_is_cancelled_in_its_call_holds_nobody_up() -> None:
    async def count() -> int:
        pace, log = Pacing(BUDGET, 1.0, now).chat("chat"), list[float]()
        running = asyncio.create_task(call(pace, takes=100))
        waiting = asyncio.create_task(call(pace))
        await asyncio.sleep(0.5)
        waiting.cancel()
        running.cancel()
        await asyncio.wait({running, waiting})
        await call(pace, log=log)
        assert log[0] < 2
        return len(log)

    assert run(count()) == 1


@pytest.mark.parametrize("turns", range(6))
def test_who_is_cancelled_as_its_turn_comes_holds_nobody_up(turns: int) -> None:
    async def play() -> list[float]:
        pace, log = Pacing(BUDGET, 1.0, now).chat("chat"), list[float]()
        given_up = asyncio.create_task(call(pace))
        for _ in range(turns):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait({given_up})
        await call(pace, "final", log=log)
        return log

    assert run(play())[0] < 2


def test_a_long_pause_outlasts_the_memory_of_an_idle_chat() -> None:
    async def play() -> list[float]:
        pacing, log = Pacing(BUDGET, 1.0, now), list[float]()
        pacing.chat("banned").pause(4 * IDLE_SECONDS)
        await asyncio.sleep(2 * IDLE_SECONDS)
        pacing.chat("other")
        await call(pacing.chat("banned"), log=log)
        return log

    assert run(play()) == [pytest.approx(4 * IDLE_SECONDS)]


def test_the_same_chat_has_one_pace_while_it_is_used_and_is_forgotten_when_it_is_not() -> None:
    async def paces() -> None:
        pacing = Pacing(BUDGET, 1.0, now)
        held = pacing.chat("held")
        number = id(pacing.chat("idle"))
        await asyncio.sleep(IDLE_SECONDS / 2)
        assert id(pacing.chat("idle")) == number
        await asyncio.sleep(IDLE_SECONDS * 2)
        pacing.chat("other")
        assert pacing.chat("held") is held
        assert set(pacing._recent) == {"held", "other"}

    run(paces())


def test_nobody_polls_while_everybody_has_to_wait() -> None:
    async def rounds() -> int:
        pacing = Pacing(0, 1.0, now)
        paces = [pacing.chat(str(number), Rate(interval=100)) for number in range(50)]
        for _ in range(2):
            await asyncio.gather(*(call(pace) for pace in paces))
        assert now() == pytest.approx(100, abs=1)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        return loop.rounds

    assert run(rounds()) < 40
