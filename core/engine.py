"""What generates text: the Engine protocol, Sampling, and an engine that follows a script instead of a model."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from core.events import Delta, Finished, Started
from core.messages import Message


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. ``temperature`` <= 0 is greedy; ``top_k`` 0 and ``top_p`` 1 switch those off.

    The same prompt and ``seed`` give the same text. ``stop`` are strings, ``stop_ids`` tokens of the model that end the
    answer, beside the model's own, and are not part of it. ``as_advised`` names the values that give way to what the
    model's makers advise, where they do.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    stop_ids: tuple[int, ...] = ()
    as_advised: frozenset[str] = frozenset()


def longest_answer(wanted: int, context_window: int) -> int:
    """``wanted`` tokens, or half of the window where that leaves no sixth of it to the question: a machine with little
    room has a smaller window than its owner may have thought of."""
    return wanted if wanted <= context_window * 5 // 6 else context_window // 2


class Engine(Protocol):
    """A model behind one narrow seam. Only methods of one event loop call it."""

    slots: int
    """Requests that may run at the same time; 0 until loaded; may fall when memory runs out."""
    context_window: int
    """Tokens of prompt + answer that one request may have; 0 until loaded."""
    weak_languages: frozenset[str]
    """Languages of the interface in which the model is weak, as far as that is known of it."""

    async def ready(self) -> None:
        """Returns when text can be generated. Raises EngineError when it never will."""

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact length in tokens of the prompt that ``generate`` would make of ``messages``."""

    def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        """``Started``, deltas, then exactly one ``Finished``; closing the generator aborts and frees its cache.

        Messages that end with an assistant's are continued where it stops. A prompt that with ``max_tokens`` exceeds
        the context window gives ``Finished("error", "too_long")`` and nothing else.
        """

    async def failed(self) -> str:
        """Returns, with a sentence, when the engine is beyond repair."""


def numbered_words(messages: Sequence[Message], sampling: Sampling) -> str:
    """The script of the demo: an answer that anyone can check for completeness.

    ``echo TEXT`` gives TEXT back. Anything else gives n numbered words marked with a checksum of the question, where
    ``words=n`` in the question sets n (default 40): ``1-c0ffee 2-c0ffee …``.
    """
    question = next((m.content for m in reversed(messages) if m.role == "user"), "")
    if question.startswith("echo "):
        return question.removeprefix("echo ")
    wanted = re.search(r"\bwords=(\d{1,5})\b", question)
    mark = f"{zlib.crc32(question.encode()):08x}"
    return " ".join(f"{i}-{mark}" for i in range(1, int(wanted[1]) + 1 if wanted else 41))


class ScriptedEngine:
    """Generates what ``script`` says, a word as a token, ``delay`` seconds apart, after ``load_seconds`` of loading."""

    def __init__(
        self,
        script: Callable[[Sequence[Message], Sampling], str] = numbered_words,
        *,
        slots: int = 1,
        context_window: int = 8192,
        delay: float = 0.0,
        load_seconds: float = 0.0,
    ) -> None:
        self.slots = 0
        self.context_window = 0
        self.weak_languages: frozenset[str] = frozenset()
        self._script, self._delay, self._load_seconds = script, delay, load_seconds
        self._will_be = slots, context_window
        self._loaded = asyncio.Lock()

    async def ready(self) -> None:
        async with self._loaded:
            if not self.slots:
                await asyncio.sleep(self._load_seconds)
                self.slots, self.context_window = self._will_be

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(len(_words(message.content)) for message in messages)

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        prompt = await self.count_tokens(messages)
        if prompt + sampling.max_tokens > self.context_window:
            yield Finished("error", "too_long")
            return
        yield Started(prompt, prompt)
        said = _words(messages[-1].content) if messages[-1].role == "assistant" else []
        words = _words(self._script(messages, sampling))[len(said) :]
        for word in words[: sampling.max_tokens]:
            await asyncio.sleep(self._delay)
            yield Delta(word, (zlib.crc32(word.encode()),))
        yield Finished("stop" if len(words) <= sampling.max_tokens else "length")

    async def failed(self) -> str:
        never: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        return await never


def _words(text: str) -> list[str]:
    """The text cut into words, each with the white space before it; joined they are the text again."""
    return re.findall(r"\s*\S+|\s+$", text)
