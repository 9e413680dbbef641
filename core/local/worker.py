"""The one thread that owns the model: it loads, warms up, answers one request after another, and tells the event loop.

Nothing else ever runs torch: a second thread that did would split the CPU's threads in two pools, at half the speed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import EngineError
from core.events import Delta, Finished, Started
from core.local.failure import death, first_line
from core.local.options import LocalOptions, Progress, Stopped
from core.local.request import Request
from core.local.text import Text

if TYPE_CHECKING:
    from torch import Tensor

    from core.local.loading import Loaded

log = logging.getLogger(__name__)

PREFILL_CHUNK = 256
"""Prompt tokens computed in one step, so that a cancelled request does not hold the model for its whole prompt."""
SAID = 64
"""Tokens of an answer that is continued, from which its decoding goes on."""
Load = Callable[[LocalOptions, Progress], "Loaded"]


class Listener(Protocol):
    """Who is told, always in the event loop, in order."""

    def loading(self, stage: str, fraction: float | None) -> None: ...
    def loaded(self, model: Loaded) -> None: ...
    def dead(self, sentence: str) -> None: ...
    def ended(self) -> None: ...


@dataclass(slots=True)
class Row:
    """A KV cache, and the ids whose keys and values it holds."""

    cache: Any
    ids: list[int] = field(default_factory=list)


class Worker:
    """The thread, and the requests that wait for it. Its methods are called in the event loop and never wait."""

    def __init__(self, options: LocalOptions, load: Load | None, listener: Listener) -> None:
        self._options, self._load, self._listener = options, load, listener
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Request] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._row: Row | None = None
        self._told: tuple[str, int | None] = ("", None)
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Put a request behind those that wait. Its last event will be ``Finished``, unless it is cancelled."""
        with self._wake:
            self._waiting.append(request)
            self._wake.notify()

    def stop(self) -> None:
        """Ask the thread to end: at the next step, or at the next sign of progress while it loads."""
        with self._wake:
            self._stopping = True
            self._wake.notify()

    def join(self) -> None:
        """Wait for the thread, which has said that it is at its end."""
        self._thread.join()

    # Everything below runs in the thread.

    def _run(self) -> None:
        try:
            self._serve()
        except Stopped:
            log.debug("the model's thread was stopped while loading")
        except EngineError as error:
            self._tell(self._listener.dead, str(error))
        except BaseException as error:  # whatever ended the thread, the requests and the program must hear of it
            log.exception("the model's thread died")
            self._tell(self._listener.dead, death(error))
        self._row = None
        self._tell(self._listener.ended)

    def _serve(self) -> None:
        self._progress("libraries", None)
        with _unswept():
            model = self._loaded()
        import torch

        with torch.inference_mode():
            self._tell(self._listener.loaded, model)
            log.info("%s", model.description)
            while (request := self._next()) is not None:
                self._answer_safely(model, request)

    def _loaded(self) -> Loaded:
        """The model, warmed up."""
        # Compute threads that wait for each other sleep instead of spinning: beside anything else that wants the cores
        # (the page, a build) spinning made SmolLM2 five times slower on 2 cores. Read when torch is first imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        from core.local import loading

        gc.freeze()  # the libraries stay for good: each sweep through them stops the event loop for 0.3 s
        with torch.inference_mode():
            model = (self._load or loading.load)(self._options, self._progress)
            self._progress("warmup", None)
            self._warm_up(model)
            return model

    def _next(self) -> Request | None:
        """The request whose turn it is; None when the thread is asked to end."""
        with self._wake:
            while not self._stopping:
                while self._waiting:
                    request = self._waiting.popleft()
                    if not request.cancelled:
                        return request
                self._wake.wait()
        return None

    def _answer_safely(self, model: Loaded, request: Request) -> None:
        """Answer; whatever goes wrong ends this request only, unless the model cannot compute any more."""
        import torch

        doubtful = False
        try:
            self._answer(model, request)
            return
        except (ValueError, ArithmeticError) as error:
            log.error("a request failed: %s", first_line(error))
        except Exception as error:
            log.error("a request failed: %s", first_line(error))
            doubtful = True
        # Only here, where the error and with it the frames that hold the request's memory are gone, can that be freed.
        self._row = None
        self._tell(self._emit, request, Finished("error", "engine_failed"))
        if doubtful:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            self._warm_up(model)  # raises, and so ends the thread, where nothing can be computed any more

    def _answer(self, model: Loaded, request: Request) -> None:
        """One request from its prompt to its ``Finished``; when cancelled it just returns, with its cache freed."""
        from core.local.sampling import Sampler

        ids, limit = request.ids, request.sampling.max_tokens
        if not all(0 <= id_ < model.vocabulary for id_ in ids):
            raise ValueError("the prompt has ids that are not in the vocabulary")
        sampler = Sampler(request.sampling, ids, model.vocabulary, model.device)
        text = Text(model.decode, ids[-SAID:] if request.continues else (), request.stop)
        row = self._row_for(model, ids)
        self._tell(self._emit, request, Started(len(ids), len(ids) - len(row.ids)))
        generated = 0
        todo = ids[len(row.ids) :]
        while True:
            scores = None
            while todo:
                if request.cancelled or self._stopping:
                    self._row = None
                    return
                scores = self._step(model, row, todo[:PREFILL_CHUNK])
                todo = todo[PREFILL_CHUNK:]
            assert scores is not None
            chosen = sampler.choose(scores)
            if chosen in model.end_ids:
                self._tell(self._emit, request, *_events(text.finish(), Finished("stop")))
                return
            generated += 1
            given = text.push(chosen)
            if text.stopped:
                self._tell(self._emit, request, *_events(given, Finished("stop")))
                return
            if generated == limit:
                rest = text.finish()
                end = Finished("stop" if text.stopped else "length")
                self._tell(self._emit, request, *_events((given[0] + rest[0], given[1] + rest[1]), end))
                return
            self._tell(self._emit, request, *_events(given))
            todo = [chosen]

    def _row_for(self, model: Loaded, ids: list[int]) -> Row:
        """The last request's row cut down to what it has in common with ``ids``, or an empty one."""
        from transformers import DynamicCache

        row, self._row = self._row, None
        same = 0
        if row is not None:
            pairs = zip(row.ids, ids[:-1], strict=False)  # the last id is always computed: its scores are wanted
            same = next((at for at, (old, new) in enumerate(pairs) if old != new), min(len(row.ids), len(ids) - 1))
        if row is None or not same or not _can_be_cut(row.cache):
            row = Row(DynamicCache(config=model.model.config))
        elif same < len(row.ids):
            row.cache.crop(same - len(row.ids))
            del row.ids[same:]
        self._row = row
        return row

    def _step(self, model: Loaded, row: Row, ids: list[int]) -> Tensor:
        """Compute ``ids`` behind what the row holds; returns the scores after the last, of shape [vocabulary]."""
        import torch

        tokens = torch.tensor([ids], device=model.device)
        output = model.model(input_ids=tokens, past_key_values=row.cache, use_cache=True, logits_to_keep=1)
        row.ids += ids
        scores: Tensor = output.logits[0, -1]
        return scores

    def _warm_up(self, model: Loaded) -> None:
        """Compute a few tokens for nobody: the first ones take longer. Raises if the model cannot compute."""
        from transformers import DynamicCache

        row = Row(DynamicCache(config=model.model.config))
        self._step(model, row, [0] * min(16, model.context_window))
        self._step(model, row, [0])

    def _progress(self, stage: str, fraction: float | None) -> None:
        """Tell how far loading is, a percent at a time. Raises Stopped when the engine is being closed."""
        if self._stopping:
            raise Stopped
        told = stage, None if fraction is None else int(fraction * 100)
        if told != self._told:
            self._told = told
            self._tell(self._listener.loading, stage, fraction)

    def _tell(self, listener: Callable[..., None], *news: Any) -> None:
        """Call ``listener`` in the event loop. A loop that is closed already needs no news any more."""
        try:
            self._loop.call_soon_threadsafe(listener, *news)
        except RuntimeError:
            self._stopping = True

    @staticmethod
    def _emit(request: Request, *events: Started | Delta | Finished) -> None:
        """Runs in the event loop: everything that a step gave, in one wake-up."""
        for event in events:
            request.events.put_nowait(event)


@contextmanager
def _unswept() -> Iterator[None]:
    """While open, Python looks for no garbage: with all that the libraries make, a sixth of the loading time."""
    swept = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if swept:
            gc.enable()


def _events(given: tuple[str, tuple[int, ...]], end: Finished | None = None) -> list[Delta | Finished]:
    """What a step gave as events: a Delta if there is text, or ids that must not get lost at the end."""
    events: list[Delta | Finished] = [Delta(*given)] if given[0] or given[1] else []
    return [*events, end] if end is not None else events


def _can_be_cut(cache: Any) -> bool:
    """Whether tokens can be taken off the end of a cache: not with a sliding window or a recurrent state."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)
