"""The one thread that owns the model: it loads, warms up, steps all that runs together, and tells the event loop.

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
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from core.errors import EngineError
from core.local.failure import death
from core.local.options import LocalOptions, Progress, Stopped
from core.local.request import News, Request

if TYPE_CHECKING:
    from core.local.loading import Loaded
    from core.local.stepping import Stepping

log = logging.getLogger(__name__)

Load = Callable[[LocalOptions, Progress], "Loaded"]


class Listener(Protocol):
    """Who is told, always in the event loop, in order."""

    def loading(self, stage: str, fraction: float | None) -> None: ...
    def loaded(self, model: Loaded) -> None: ...
    def resized(self, slots: int) -> None: ...
    def dead(self, sentence: str) -> None: ...
    def ended(self) -> None: ...


class Worker:
    """The thread, and the requests that it has not seen yet. Its methods belong to the event loop and never wait."""

    def __init__(self, options: LocalOptions, load: Load | None, listener: Listener) -> None:
        self._options = replace(options, planned=lambda outline: self._tell(options.planned, outline))
        self._load, self._listener = load, listener
        self._loop = asyncio.get_running_loop()
        self._new: deque[Request] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._parking: deque[asyncio.Future[None]] = deque()
        self._parked = 0
        self._told: tuple[str, int | None] = ("", None)
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """A request more. Its last event will be ``Finished``, unless it is cancelled."""
        with self._wake:
            self._new.append(request)
            self._wake.notify()

    def park(self) -> asyncio.Future[None]:
        """Ask the thread to stand still between two steps; done when it does. ``unpark`` once for each call."""
        parked: asyncio.Future[None] = self._loop.create_future()
        with self._wake:
            self._parked += 1
            self._parking.append(parked)
            self._wake.notify()
        return parked

    def unpark(self) -> None:
        """Let the thread go on when nobody else wants it to stand still."""
        with self._wake:
            self._parked -= 1
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
        for parked in self._parking:
            self._tell(_done, parked)
        self._tell(self._listener.ended)

    def _serve(self) -> None:
        self._progress("libraries", None)
        with _unswept():
            model, stepping = self._loaded()
        import torch

        with torch.inference_mode():
            self._tell(self._listener.loaded, model)
            slots = stepping.slots
            while self._wait(stepping):
                self._tell(self._emit, stepping.step())
                if stepping.slots != slots:
                    slots = stepping.slots
                    self._tell(self._listener.resized, slots)

    def _loaded(self) -> tuple[Loaded, Stepping]:
        """The model, warmed up, and what steps it."""
        # Compute threads that wait for each other sleep instead of spinning: beside anything else that wants the cores
        # (the page, a build) spinning made SmolLM2 five times slower on 2 cores. Read when torch is first imported.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        import torch

        from core.local import loading
        from core.local.stepping import Stepping

        gc.freeze()  # the libraries stay for good: each sweep through them stops the event loop for 0.3 s
        with torch.inference_mode():
            model = (self._load or loading.load)(self._options, self._progress)
            self._progress("warmup", None)
            stepping = Stepping(model)
            stepping.warm_up()
            return model, stepping

    def _wait(self, stepping: Stepping) -> bool:
        """Until there is something to do; False when the thread is asked to end. Hands over what is new."""
        with self._wake:
            while not self._stopping:
                while self._parked:
                    while self._parking:
                        self._tell(_done, self._parking.popleft())
                    if self._stopping:
                        return False
                    self._wake.wait()
                while self._new:
                    stepping.add(self._new.popleft())
                if stepping.busy:
                    return True
                self._wake.wait()
        return False

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
    def _emit(news: News) -> None:
        """Runs in the event loop: everything that a step gave, in one wake-up."""
        for request, events in news:
            for event in events:
                request.events.put_nowait(event)


def _done(parked: asyncio.Future[None]) -> None:
    if not parked.done():
        parked.set_result(None)


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
