"""Stand-ins that tests steer by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from core.engine import Sampling
from core.events import Delta, Finished, Started
from core.messages import Message


class SteppedEngine:
    """Says ``a1 a2 … an`` to a question, one word each time that ``step`` lets it. Remembers what it was asked."""

    def __init__(self, *, slots: int = 1, context_window: int = 8192, words: int = 4) -> None:
        self.slots, self.context_window, self.words = slots, context_window, words
        self.weak_languages: frozenset[str] = frozenset(("ko",))
        self.asked: list[tuple[Message, ...]] = []
        self.samplings: list[Sampling] = []
        self.running: set[int] = set()
        self.peak = 0
        self.free = False
        self._turnstiles: dict[int, asyncio.Semaphore] = {}

    async def ready(self) -> None:
        pass

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(message.content.split()) for message in messages)

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        number = len(self.asked)
        self.asked.append(tuple(messages))
        self.samplings.append(sampling)
        prompt = await self.count_tokens(messages)
        if prompt + sampling.max_tokens > self.context_window:
            yield Finished("error", "too_long")
            return
        self.running.add(number)
        self.peak = max(self.peak, len(self.running))
        turnstile = self._turnstiles[number] = asyncio.Semaphore(0)
        said = len(messages[-1].content.split()) if messages[-1].role == "assistant" else 0
        try:
            yield Started(prompt, prompt)
            for i in range(said + 1, min(self.words, said + sampling.max_tokens) + 1):
                if not self.free:
                    await turnstile.acquire()
                yield Delta(f"a{i}" if i == 1 else f" a{i}", (i,))
            yield Finished("stop" if said + sampling.max_tokens >= self.words else "length")
        finally:
            self.running.discard(number)
            del self._turnstiles[number]

    def step(self, words: int = 1) -> None:
        """Let everything that runs say ``words`` more."""
        for turnstile in self._turnstiles.values():
            for _ in range(words):
                turnstile.release()

    def release(self) -> None:
        """Say everything from now on without being asked."""
        self.free = True
        self.step(10_000)

    async def failed(self) -> str:
        return await asyncio.get_running_loop().create_future()


async def until(condition, *, turns: int = 20_000) -> None:  # type: ignore[no-untyped-def]
    """Let the loop turn until ``condition()`` holds; fails the test when it never does."""
    for i in range(turns):
        if condition():
            return
        await asyncio.sleep(0 if i < 200 else 0.001)
    raise AssertionError("it never came true")
