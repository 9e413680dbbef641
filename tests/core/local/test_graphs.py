"""Recorded steps without a GPU: what torch would record there, a stand-in records here, operator by operator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from core.local.plan import OPENCHAT, Free, decoder, plan
from tests.support.engine_steps import GREEDY, Bench, prompt
from tests.support.tiny_models import generated

pytestmark = pytest.mark.torch

GIB = 2**30


class Stream:
    """Of CUDA, as far as it has a place in an order."""

    def wait_stream(self, other: Stream) -> None:
        """Everything here is done at once."""


class Card:
    """What torch.cuda is asked for. ``trouble`` is what the end of the next recording raises."""

    def __init__(self) -> None:
        self.trouble: Exception | None = None
        self.usual = self.current = Stream()
        self.streams = 0
        self.replays = 0

    def make(self) -> Stream:
        """One more stream."""
        self.streams += 1
        return Stream()

    def choose(self, stream: Stream) -> None:
        """Work goes to ``stream`` from now on."""
        self.current = stream

    @contextmanager
    def chosen(self, stream: Stream) -> Iterator[None]:
        """Work goes to ``stream`` meanwhile."""
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def recording(self, graph: Graph, pool: Any, stream: Stream) -> Iterator[None]:
        """Records what is computed meanwhile. As in torch's own block, trouble at the end leaves the stream."""
        from torch.utils._python_dispatch import TorchDispatchMode

        class Recorder(TorchDispatchMode):
            def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), options: Any = None) -> Any:
                result = operator(*args, **(options or {}))
                graph.calls.append((operator, args, options or {}, result))
                return result

        before, self.current = self.current, stream
        with Recorder():
            yield
        if self.trouble is not None:
            raise self.trouble
        self.current = before


class Graph:
    """Operators, to be called again with the same tensors, which give the same tensors."""

    def __init__(self, card: Card) -> None:
        self.calls: list[tuple[Any, Any, Any, Any]] = []
        self._card = card

    def replay(self) -> None:
        """Everything once more."""
        from torch.utils._pytree import tree_leaves

        self._card.replays += 1
        for operator, args, options, result in self.calls:
            for old, new in zip(tree_leaves(result), tree_leaves(operator(*args, **options)), strict=True):
                if hasattr(old, "data_ptr") and old.data_ptr() != new.data_ptr():
                    old.copy_(new)

    def pool(self) -> tuple[int, int]:
        """Where its memory comes from."""
        return 0, 1


@pytest.fixture
def bench() -> Bench:
    """A model whose steps are recorded."""
    from core.local.graphs import Graphs

    one = Bench()
    one.model.runner._graphs = Graphs(one.model.model, one.model.runner.cache)
    return one


@pytest.fixture
def card(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Card:
    """Stands in for a card once the model is there: the libraries' own modules name torch's classes."""
    import torch

    one = Card()
    for name, stand_in in {
        "CUDAGraph": lambda: Graph(one),
        "Stream": one.make,
        "current_stream": lambda: one.current,
        "set_stream": one.choose,
        "stream": one.chosen,
        "graph": one.recording,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    return one


def test_recorded_steps_give_everybody_the_words_of_generate(card: Card, bench: Bench) -> None:
    asked = []
    for seed, tokens in ((1, 30), (2, 12), (3, 21)):
        asked.append((bench.add(prompt(seed), replace(GREEDY, max_tokens=tokens)), prompt(seed), tokens))
        bench.step(4)
    bench.finish()
    again = prompt(2) + bench.ids(asked[1][0]) + prompt(9, 7)
    asked.append((bench.add(again), again, 20))
    bench.finish()
    for request, ids, tokens in asked:
        assert bench.ids(request) == generated(ids, tokens)
    assert card.replays > len(bench.steps) // 2
    assert card.streams == 1, "each would hold memory of its own"
    assert not bench.model.runner.drafts, "a step with guesses would not be a recorded one"


def test_what_a_failed_recording_wrote_is_not_taken_for_what_was_there(card: Card, bench: Bench) -> None:
    card.trouble = RuntimeError("CUDA error: operation failed due to a previous error during capture")
    others = [bench.add(prompt(seed), replace(GREEDY, max_tokens=30)) for seed in (1, 2, 3)]
    short = bench.add(prompt(4), replace(GREEDY, max_tokens=1))  # it leaves the last of four rows
    bench.step(3)
    assert card.current is card.usual
    talk = prompt(4) + bench.ids(short) + prompt(9, 7)
    second = bench.add(talk)
    bench.finish()
    assert bench.computed(second) == 7 + 1
    assert bench.ids(second) == generated(talk, 20)
    for seed, request in zip((1, 2, 3), others, strict=True):
        assert bench.ids(request) == generated(prompt(seed), 30)
    assert bench.model.runner.drafts, "where nothing can be recorded, guesses pay"


def test_memory_that_lacks_for_one_recording_is_no_word_on_the_others(card: Card, bench: Bench) -> None:
    import torch

    card.trouble = torch.OutOfMemoryError("CUDA out of memory.")
    alone = bench.add(prompt(1))
    bench.finish()
    assert card.replays == 0
    card.trouble = None
    pair = [bench.add(prompt(seed)) for seed in (2, 3)]
    bench.finish()
    assert card.replays > 10
    for seed, request in zip((1, 2, 3), (alone, *pair), strict=True):
        assert bench.ids(request) == generated(prompt(seed), 20)
    assert bench.stepping.slots == 4


def test_steps_are_recorded_only_where_all_of_the_model_is_on_a_gpu(bench: Bench) -> None:
    from types import SimpleNamespace

    import torch

    from core.local.runner import recording

    shape = decoder(OPENCHAT, bytes_each=2, quantized=True)
    whole, some = (plan(shape, Free(gpu * GIB, 32 * GIB, 100 * GIB)) for gpu in (8, 4))
    rows: Any = SimpleNamespace(store=SimpleNamespace(device=torch.device("cuda", 0)))
    assert recording(None, rows, whole) is not None
    assert recording(None, rows, some) is None
    assert recording(None, bench.model.runner.cache, whole) is None
