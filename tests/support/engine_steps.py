"""The steps of a small model, made by hand; and memory that lacks where a test says."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.engine import Sampling
from core.events import Delta, Finished, Started
from core.local.options import LocalOptions
from core.local.request import Request
from tests.support import tokenizers
from tests.support.tiny_models import tiny

GREEDY = Sampling(temperature=0.0, max_tokens=20)


class Bench:
    """The steps of one model, made by hand, and what every request was told."""

    def __init__(self, **options: Any) -> None:
        import torch

        from core.local import loading
        from core.local.stepping import Stepping

        self.wrong: Callable[[Any], None] = lambda segments: None
        chosen = {
            "model": str(tiny()),
            "dtype": "float32",
            "device": "cpu",
            "slots": 4,
            "context_window": 256,
            **options,
        }
        with torch.inference_mode():
            self.model = loading.load(LocalOptions(tokenizers.models(), **chosen), lambda stage, done: None)
            self.stepping = Stepping(self.model)
        self.told: dict[Request, list[Any]] = {}
        self.steps: list[list[Any]] = []
        forward = self.model.runner.forward

        def watched(segments: Any) -> Any:
            self.steps.append(list(segments))
            self.wrong(segments)
            return forward(segments)

        self.model.runner.forward = watched  # type: ignore[method-assign]

    def add(self, ids: list[int], sampling: Sampling = GREEDY, *stops: str) -> Request:
        """A request more."""
        request = Request(ids, False, stops, sampling)
        self.told[request] = []
        self.stepping.add(request)
        return request

    def step(self, count: int = 1) -> None:
        """So many steps."""
        import torch

        for _ in range(count):
            with torch.inference_mode():
                for request, events in self.stepping.step():
                    self.told[request] += events

    def finish(self) -> None:
        """Until nothing is left to do."""
        while self.stepping.busy:
            self.step()

    def ids(self, request: Request) -> list[int]:
        """What a request was answered with."""
        return [token for event in self.told[request] if isinstance(event, Delta) for token in event.ids]

    def end(self, request: Request) -> Finished:
        """How it ended; it is told once, and last."""
        *before, last = self.told[request]
        assert isinstance(last, Finished)
        assert not any(isinstance(event, Finished) for event in before)
        return last

    def computed(self, request: Request) -> int:
        """How many tokens of its prompt were computed for it."""
        (started,) = (event for event in self.told[request] if isinstance(event, Started))
        return int(started.computed)

    def rows(self) -> list[Request]:
        """Who is in which row."""
        return [one.request for one in self.stepping.running]


def prompt(seed: int, length: int = 12) -> list[int]:
    """Ids that no other seed's begin like."""
    return random.Random(seed).choices(range(100, 40_000), k=length)


@contextmanager
def watching(see: Callable[[str, tuple[Any, ...]], None]) -> Iterator[None]:
    """``see`` is called before each of torch's operators, with its name and what it is given."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Mode(TorchDispatchMode):
        def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), options: Any = None) -> Any:
            see(operator.overloadpacket.__name__, args)
            return operator(*args, **(options or {}))

    with Mode():
        yield


class Lacking:
    """There is no memory for an operator of torch when it is called for the first time, or each time."""

    def __init__(self, operator: str, *, once: bool = False) -> None:
        self.operator, self.once = operator, once
        self.lacked = 0

    def __call__(self, name: str, given: tuple[Any, ...]) -> None:
        import torch

        if name == self.operator and not (self.once and self.lacked):
            self.lacked += 1
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB")
