"""The step of rows that all answer, recorded once on a GPU and replayed: one launch instead of a thousand.

A small batch of one-token rows keeps a large GPU waiting for Python. A CUDA graph of the step has fixed shapes, so
there is one for each size of batch and of the looked-at part of the rows, in powers of two. Whatever a graph cannot do
(prompts, drafts, a model with parts that move between memories) is computed as usual.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from core.local.failure import first_line, out_of_memory
from core.local.kv_cache import Rows, additive
from core.local.schedule import Segment

log = logging.getLogger(__name__)

SHORTEST = 256
"""Positions that the shortest graph looks at."""
TOLERANCE = 0.02
"""How far scores that were computed in two ways may be apart, in parts of their range: rounding is far below that in
every number format, another kind of attention or a step that was recorded wrongly far above."""


def differ(found: Tensor, expected: Tensor) -> bool:
    """Are these scores, of the same shape, further apart than rounding brings them?"""
    found, expected = found.float(), expected.float()
    return bool((found - expected).abs().max() > TOLERANCE * (expected.max() - expected.min()))


class Graphs:
    """The recorded steps of one model and its rows. All methods belong to the model's thread."""

    def __init__(self, model: Any, rows: Rows) -> None:
        self._model, self._rows = model, rows
        self._recorded: dict[tuple[int, int], _Recorded] = {}
        self._refused: set[tuple[int, int]] = set()
        self.broken = False
        """Can nothing be recorded?"""
        self._pool: Any = None
        self._aside: Any = None  # the stream for all recordings: CUDA's libraries hold memory for each one

    def able(self, segments: Sequence[Segment]) -> bool:
        """Is it a step for a graph? Then ``forward`` may write to rows that are free, whatever comes of it."""
        plain = all(len(s.ids) == 1 and s.wanted == 1 and s.row == i for i, s in enumerate(segments))
        return plain and not self.broken and self._size(segments) not in self._refused

    def forward(self, segments: Sequence[Segment]) -> Tensor | None:
        """The scores of each segment, of shape [segments, vocabulary]; None where the step cannot be recorded."""
        size = self._size(segments)
        recorded = self._recorded.get(size)
        if recorded is None:
            try:
                recorded = self._record(*size, segments)
            except RuntimeError as error:  # torch has no kind of its own for what cannot be recorded
                log.warning("a step of %d rows is not recorded as a CUDA graph: %s", size[0], first_line(error))
                self._refused.add(size)
                self.broken = not (self._recorded or out_of_memory(error))
                return None
        return recorded.replay(segments)

    def drop(self) -> None:
        """Give back what the recorded steps hold."""
        self._recorded.clear()
        self._refused.clear()
        self._pool = None

    def _size(self, segments: Sequence[Segment]) -> tuple[int, int]:
        """Rows and positions of the smallest graph for them."""
        count = min(_power(len(segments)), self._rows.store.shape[2])
        return count, min(max(_power(max(s.end for s in segments)), SHORTEST), self._rows.length)

    def _record(self, count: int, length: int, segments: Sequence[Segment]) -> _Recorded:
        recorded = _Recorded(self._model, self._rows, count, length)
        recorded.fill(segments)
        usual = torch.cuda.current_stream()
        self._aside = self._aside or torch.cuda.Stream()  # type: ignore[no-untyped-call]  # as some others of torch
        self._aside.wait_stream(usual)
        try:
            with torch.cuda.stream(self._aside):  # what only the first call allocates must not be part of the recording
                for _ in range(2):
                    computed = recorded.compute().clone()
            usual.wait_stream(self._aside)
            with torch.cuda.graph(recorded.graph, pool=self._pool, stream=self._aside):
                recorded.scores = recorded.compute()
        finally:
            torch.cuda.set_stream(usual)  # torch does not where ending the recording fails
        self._pool = self._pool or recorded.graph.pool()
        if differ(recorded.replay(segments), computed[: len(segments)]):
            raise RuntimeError("a recorded step gives other scores than a computed one")
        self._recorded[count, length] = recorded
        return recorded


class _Recorded:
    """One graph, with the tensors that it reads and writes; to the model it is the step's layout."""

    def __init__(self, model: Any, rows: Rows, count: int, length: int) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.scores: Tensor | None = None
        self._model, self._rows, self._count, self._length = model, rows, count, length
        device = rows.store.device
        self._ids, self._positions = (torch.zeros(1, count, dtype=torch.long, device=device) for _ in range(2))
        self._first = torch.arange(count, device=device) * rows.length
        self._places = torch.arange(length, device=device)
        self._masks: dict[int, Tensor] = {}
        self.slots = self._first

    def fill(self, segments: Sequence[Segment]) -> None:
        """The next step's tokens. Rows without any compute token 0 at position 0, which nobody looks at."""
        idle = [0] * (self._count - len(segments))
        numbers = torch.tensor([[s.ids[0] for s in segments] + idle, [s.start for s in segments] + idle])
        numbers = numbers.pin_memory()
        self._ids[0].copy_(numbers[0], non_blocking=True)
        self._positions[0].copy_(numbers[1], non_blocking=True)

    def compute(self) -> Tensor:
        """The step itself; everything in it reads the tensors that ``fill`` writes."""
        self._masks.clear()
        self.slots = self._first + self._positions[0]
        self._rows.layout = self
        output = self._model(
            input_ids=self._ids, position_ids=self._positions, past_key_values=self._rows, use_cache=True, layout=self
        )
        scores: Tensor = output.logits[0]
        return scores

    def replay(self, segments: Sequence[Segment]) -> Tensor:
        """The scores of the segments."""
        self.fill(segments)
        self.graph.replay()
        assert self.scores is not None
        return self.scores[: len(segments)]

    def attend(self, layer: int, query: Tensor, scale: float | None, window: int) -> Tensor:
        """See ``Layout.attend``: all rows from 0 on, each padded to the graph's length."""
        keys, values = self._rows.store[layer, :, : self._count, : self._length]
        heads, size = query.shape[1], query.shape[3]
        groups = keys.shape[2]
        asked = query[0].transpose(0, 1).reshape(self._count, groups, heads // groups, size)
        given = scaled_dot_product_attention(
            asked, keys.transpose(1, 2), values.transpose(1, 2), attn_mask=self._mask(window, query.dtype), scale=scale
        )
        return given.reshape(1, self._count, heads, size)

    def _mask(self, window: int, dtype: torch.dtype) -> Tensor:
        if window not in self._masks:
            positions = self._positions[0][:, None]
            seen = self._places[None] <= positions
            if window:
                seen &= self._places[None] > positions - window
            self._masks[window] = additive(seen, dtype)[:, None, None]
        return self._masks[window]


def _power(count: int) -> int:
    """The next power of two."""
    return 1 << (count - 1).bit_length()
