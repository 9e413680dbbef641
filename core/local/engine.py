"""LocalEngine: the face of the model's thread towards the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from core.engine import Sampling
from core.errors import EngineError
from core.events import Delta, Finished, Started
from core.local.failure import first_line
from core.local.options import LocalOptions, weak_languages
from core.local.request import Request, check
from core.local.worker import Load, Worker
from core.messages import Message
from core.prompt import Prompt

if TYPE_CHECKING:
    from core.local.loading import Loaded

log = logging.getLogger(__name__)

FAILED = Finished("error", "engine_failed")


class LocalEngine:
    """A model on this machine behind the Engine protocol. It loads when ``ready`` is first awaited.

    Prompts are made in a thread of their own, so that counting tokens never waits for a step of the model.
    """

    def __init__(self, options: LocalOptions, *, load: Load | None = None) -> None:
        """``load`` makes the model from the options; None: what they name. It runs in the model's thread."""
        self.slots = 0
        self.context_window = 0
        self.description = ""
        self.weak_languages = weak_languages(options.model)
        self._options, self._load = options, load
        self._worker: Worker | None = None
        self._prompt: Prompt | None = None
        self._prompts = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompt")
        self._advised: Mapping[str, float] = {}
        self._running: set[Request] = set()
        self._ready: asyncio.Future[None] | None = None
        self._dead: asyncio.Future[str] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._closed = False

    async def ready(self) -> None:
        """Returns when text can be generated. Raises EngineError when it never will."""
        await asyncio.shield(self._start())

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Exact length in tokens of the prompt that ``generate`` would make of ``messages``."""
        return len(await self._ids(messages))

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        """``Started``, deltas, then exactly one ``Finished``.

        The ids of all deltas together are the answer without its end-of-turn token: given back as ``Message.ids``, the
        next prompt begins with this prompt and this answer. Only a stop string within a token leaves text without ids;
        the text is encoded then. A last Delta may have ids and no text: half a character, cut off by ``max_tokens``.
        """
        request = await self._request(messages, sampling)
        if isinstance(request, Finished):
            yield request
            return
        assert self._worker is not None
        self._running.add(request)
        self._worker.submit(request)
        try:
            while True:
                event = await request.events.get()
                yield event
                if isinstance(event, Finished):
                    return
        finally:
            request.cancelled = True
            self._running.discard(request)

    async def failed(self) -> str:
        """Returns, with a sentence, when the engine is beyond repair."""
        self._start()
        assert self._dead is not None
        return await asyncio.shield(self._dead)

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[None]:
        """The model's thread stands still, between two steps, until the block ends. What runs then goes on.

        For whatever must have the GPU to itself. EngineError: the engine is not loaded, or closed.
        """
        await self.ready()
        if self._closed or self._worker is None or not self.slots:
            raise EngineError("The engine is closed.")
        parked = self._worker.park()
        try:
            await parked
            yield
        finally:
            self._worker.unpark()

    async def close(self) -> None:
        """End the thread and whatever still runs in it. Returns when no thread is left; also in the middle of loading.

        The step that runs is waited for; while loading, the stage (reading a library takes a few seconds).
        """
        self._closed = True
        self._end_all(Finished("abort"))
        if self._worker is not None and self._ended is not None:
            self._worker.stop()
            await asyncio.shield(self._ended)
            self._worker.join()
        self._prompts.shutdown(wait=True)
        self.slots = 0

    # What the thread tells

    def loading(self, stage: str, fraction: float | None) -> None:
        """Passes on how far the model is loaded."""
        self._options.progress(stage, fraction)

    def loaded(self, model: Loaded) -> None:
        """The model can generate."""
        self._prompt, self._advised, self.description = model.prompt, model.advised, model.description
        self.slots, self.context_window = model.runner.rows, model.context_window
        self.weak_languages = weak_languages(model.name)
        if self._ready is not None and not self._ready.done():
            self._ready.set_result(None)

    def resized(self, slots: int) -> None:
        """The memory ran out: from now on so many at once."""
        self.slots = slots

    def dead(self, sentence: str) -> None:
        """The thread is at its end for a reason that a new request cannot mend."""
        self.slots = 0
        self._end_all(FAILED)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(EngineError(sentence))
        if self._dead is not None and not self._dead.done():
            self._dead.set_result(sentence)

    def ended(self) -> None:
        """The thread has nothing more to say."""
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(EngineError("The engine was closed before the model was loaded."))
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)

    def _start(self) -> asyncio.Future[None]:
        """Starts the thread, once."""
        if self._ready is None:
            loop = asyncio.get_running_loop()
            self._ready, self._dead, self._ended = loop.create_future(), loop.create_future(), loop.create_future()
            self._ready.add_done_callback(lambda future: future.cancelled() or future.exception())
            if self._closed:
                self.ended()
            else:
                self._worker = Worker(self._options, self._load, self)
        return self._ready

    async def _request(self, messages: Sequence[Message], sampling: Sampling) -> Request | Finished:
        """The request as the model's thread wants it, or how it ended before it began."""
        try:
            ids = await self._ids(messages)
            advised = {name: value for name, value in self._advised.items() if name in sampling.as_advised}
            sampling = replace(sampling, **advised)  # type: ignore[arg-type]  # checked where they were read
            check(sampling)
        except Exception as error:  # nothing that a person sends may end more than their own request
            if self._closed:
                return Finished("abort")
            log.error("a request failed: %s", first_line(error))
            return FAILED
        if len(ids) + sampling.max_tokens > self.context_window:
            return Finished("error", "too_long")
        if self._closed or not self.slots or self._prompt is None:
            return Finished("abort") if self._closed else FAILED
        continues = bool(messages) and messages[-1].role == "assistant" and messages[-1].content != ""
        return Request(ids, continues, (*sampling.stop, *self._prompt.stops), sampling)

    async def _ids(self, messages: Sequence[Message]) -> list[int]:
        """The prompt's ids, made in the prompt thread."""
        await self.ready()
        assert self._prompt is not None
        if self._closed:
            raise EngineError("The engine is closed.")
        return await asyncio.get_running_loop().run_in_executor(self._prompts, self._prompt.ids, list(messages))

    def _end_all(self, end: Finished) -> None:
        """End everything that waits or runs."""
        for request in list(self._running):
            request.cancelled = True
            request.events.put_nowait(end)
