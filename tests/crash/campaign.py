"""One crash run: people talk, the process is killed and started again, and in the end everybody looks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import chain, cycle, islice
from random import Random

from tests.crash.judge import HITS_FOR_AN_APOLOGY, Verdict, judge
from tests.crash.platforms import Client, Platform
from tests.crash.program import Program
from tests.crash.records import Book, Seen, Sent

Found = Callable[[Verdict], object]
"""Is what a run looks for in the verdict so far?"""

PEOPLE = 4
MESSAGES_PER_KILL = 3
ENDS_PER_LIFE = 3
"""Answers that a life brings to their end before it is killed: more than run at once, so that what was hit before is
among them. A run of shorter lives would earn every answer an apology."""
OPEN_PER_CONVERSATION = 2
PATIENCE_SECONDS = 30.0
"""How long after the last start every answer must be there."""
MOMENTS = ("answering", "sending", "answering", "starting", "answering", "any")
"""When the process is killed, in turn: at least half between a yes and the end of that answer."""


async def run(
    platform: Platform,
    program: Program,
    *,
    kills: int,
    random: Random,
    patience: float = PATIENCE_SECONDS,
    found: Found | None = None,
) -> Verdict:
    """Kill the program so many times while people talk to it, then, ``patience`` seconds later, let them judge.

    ``found``: whoever looks for one kind of mistake need not wait any longer once it is there.
    """
    async with platform.serving():
        return await _run(platform, program, kills, random, patience, found)


async def _run(
    platform: Platform, program: Program, kills: int, random: Random, patience: float, found: Found | None
) -> Verdict:
    book = Book()
    await program.start()
    await program.ready()
    async with platform.clients(program, book, PEOPLE) as clients:
        stop = asyncio.Event()
        talks = [
            asyncio.create_task(_talk(client, conversation, book, platform, random, stop))
            for client in clients
            for conversation in client.conversations
        ]
        try:
            for moment in _moments(kills, platform.moments):
                try:
                    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE_SECONDS):
                        if moment in platform.moments:
                            if moment not in platform.early:
                                await _enough(book)
                            await stack.enter_async_context(platform.at(moment))
                        else:
                            await _come(moment, book, random)
                        await program.kill()
                except TimeoutError:
                    where = f"{_standing(book)}; the program: {program.standing()}"
                    raise RuntimeError(f"the moment to kill ({moment}) did not come. {where}") from None
                book.killed()
                await program.start()
            stop.set()
            book.nudge()
            await program.ready()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*talks)
            with suppress(TimeoutError):  # what has no end by then is the judge's business
                async with asyncio.timeout(max(patience - program.starts[-1], 0)):
                    await _answered(book, clients, found)
            seen = await _look(clients)
        finally:
            for talk in talks:
                talk.cancel()
            await asyncio.gather(*talks, return_exceptions=True)
    verdict = judge(book, seen)
    _judge_run(verdict, book, await program.terminate())
    return verdict


async def _answered(book: Book, clients: Sequence[Client], found: Found | None) -> None:
    """Returns when every answer has its end, or when what is looked for is there."""
    while book.unanswered() and not (found is not None and found(judge(book, await _look(clients)))):
        await book.moved()


async def _look(clients: Sequence[Client]) -> list[Seen]:
    return [answer for client in clients for answer in await client.look()]


async def _talk(
    client: Client, conversation: str, book: Book, platform: Platform, random: Random, stop: asyncio.Event
) -> None:
    """Ask, hear the yes, think a moment, ask the next, without waiting for every answer."""
    mine: list[Sent] = []
    while True:
        await book.until(
            lambda: stop.is_set() or sum(not sent.ended for sent in mine if sent.accepted) < OPEN_PER_CONVERSATION
        )
        if stop.is_set():
            return
        prompt = f"words={platform.words()} {random.getrandbits(64):016x}"
        mine.append(book.sends(Sent(f"{random.getrandbits(96):024x}", conversation, prompt)))
        await client.send(mine[-1])
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), random.uniform(0, 0.4))


def _standing(book: Book) -> str:
    """Where a run stands, for whoever looks into one that came to a halt."""
    waiting = [f"{sent.event} (hit by {sent.hits}, begun: {sent.begun})" for sent in book.unanswered()]
    unheard = sum(not sent.accepted and sent.refused is None for sent in book.sent)
    return f"After {book.kills} kills {book.ends} have ended, {unheard} are on their way; open: {', '.join(waiting)}"


def _moments(kills: int, named: Sequence[str]) -> Sequence[str]:
    """Every second one is named on the wire, where the platform can do that."""
    both = chain.from_iterable(zip(cycle(named), cycle(MOMENTS), strict=False)) if named else cycle(MOMENTS)
    return list(islice(both, kills))


async def _enough(book: Book) -> None:
    """Returns when this life has brought some answers to their end, and those that two kills have hit among them."""
    owed, ends = MESSAGES_PER_KILL * (book.kills + 1), book.ends + ENDS_PER_LIFE

    def enough() -> bool:
        hit_twice = any(sent.hits >= HITS_FOR_AN_APOLOGY - 1 for sent in book.unanswered())
        return book.ends >= ends and not hit_twice and sum(sent.accepted for sent in book.sent) >= owed

    await book.until(enough)


async def _come(moment: str, book: Book, random: Random) -> None:
    """Returns at the moment to kill. The process was started just before."""
    if moment == "starting":
        await asyncio.sleep(random.uniform(0, 1.5))
        return
    await _enough(book)
    match moment:
        case "any":
            await asyncio.sleep(random.uniform(0, 1.5))
        case "sending":
            tried = len(book.sent)
            await book.until(lambda: len(book.sent) > tried)
            await asyncio.sleep(random.uniform(0, 0.02))
        case "answering":
            while True:
                await book.until(lambda: bool(book.unanswered()))
                await asyncio.sleep(random.uniform(0, 0.5))
                if book.unanswered():
                    return


def _judge_run(verdict: Verdict, book: Book, exit_code: int) -> None:
    """Was the run hard enough, and did the program end well after it?"""
    if verdict.messages < MESSAGES_PER_KILL * book.kills:
        verdict.wrongs.append(f"{verdict.messages} messages are too few for {book.kills} kills")
    if 2 * book.kills_in_answers < book.kills:
        verdict.wrongs.append(f"only {book.kills_in_answers} of {book.kills} kills hit an answer")
    refused = [sent for sent in book.sent if sent.refused is not None]
    if refused:
        verdict.wrongs.append(f"{len(refused)} messages were refused, the first for {refused[0].refused}")
    if exit_code:
        verdict.wrongs.append(f"asked to end, it ended with {exit_code}")
