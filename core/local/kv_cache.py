"""The KV cache: one row of keys and values per request, all rows in one tensor, and attention over them.

A step computes tokens of many rows in one forward pass: all of them side by side in a batch of one, so that nothing is
padded. ``Rows`` writes their keys and values where they belong; ``Layout`` says for one step which tokens look at which
row, and is what the model's attention asks, by way of transformers' public interfaces for caches and attention.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.cache_utils import Cache, CacheLayerMixin

from core.local.schedule import Segment, lanes, padded

ATTENTION = "conch_rows"
"""The name under which transformers knows the attention below."""
CALL = {"cpu": 400, "cuda": 20_000}
"""What one more call to attention costs, in positions of one row: measured on 2 cores with SmolLM2, and reckoned for a
GPU from some 50 µs to launch it and 4 kB a position."""
PADDED = 32
"""Lengths of runs are rounded up to a multiple of this, so that the cut into runs stays the same for some steps."""


class StepLayout(Protocol):
    """Where the tokens of a step belong, and what they look at."""

    slots: Tensor

    def attend(self, layer: int, query: Tensor, scale: float | None, window: int) -> Tensor:
        """What the tokens find: ``query`` of shape [1, heads, tokens, size] to [1, tokens, heads, size].

        ``window``: how many positions a token looks back, itself included; 0 = all.
        """


class Rows(Cache):
    """``store`` has the shape [layers, keys and values, rows, length, heads, size]. What is not written is 0."""

    def __init__(
        self, layers: int, rows: int, length: int, heads: int, size: int, *, dtype: torch.dtype, device: torch.device
    ) -> None:
        super().__init__(layers=[_Layer(self, number) for number in range(layers)])
        self.store = zeros((layers, 2, rows, length, heads, size), dtype, device)
        self.length = length
        self.layout: StepLayout | None = None

    def move(self, source: int, target: int, count: int, *, start: int = 0) -> None:
        """Row ``target`` is what row ``source`` is, ``count`` positions long. Up to ``start`` it is so already."""
        if start < count:
            self.store[:, :, target, start:count] = self.store[:, :, source, start:count]

    def shrink(self, rows: int) -> None:
        """Have the first ``rows`` rows only. They go by way of the host, as there is no room for both."""
        shape, dtype, device = self.store[:, :, :rows].shape, self.store.dtype, self.store.device
        first = torch.empty(shape, dtype=dtype)
        for layer in range(shape[0]):
            for both in range(shape[1]):  # what is not of one piece, a GPU would first make so
                first[layer, both].copy_(self.store[layer, both, :rows])
        self.store = torch.empty(0, dtype=dtype, device=device)
        if device.type == "cuda":
            torch.cuda.empty_cache()
        self.store = first.to(device)

    def clear(self, row: int, count: int) -> None:
        """Of the first ``count`` positions nothing stays that is not a number: padding reads what it does not use, and
        0 times that would be none."""
        self.store[:, :, row, :count] = 0


class _Layer(CacheLayerMixin):  # type: ignore[no-untyped-call]  # transformers leaves its making untyped
    """One layer of the rows, as transformers wants it: it takes keys and values, and gives them back as they are."""

    is_sliding = False

    def __init__(self, rows: Rows, number: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # likewise
        self._rows, self._number = rows, number
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Everything is there from the start."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the step's keys and values, of shape [1, heads, tokens, size]."""
        layout = self._rows.layout
        assert layout is not None
        keys, values = self._rows.store[self._number].flatten(1, 2)
        count = len(layout.slots)
        keys.index_copy_(0, layout.slots, key_states[0, :, :count].transpose(0, 1))
        values.index_copy_(0, layout.slots, value_states[0, :, :count].transpose(0, 1))
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self._rows.length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return self._rows.length


class _Lanes:
    """Neighbouring rows, one token each: tokens ``first`` to ``end``, rows from ``row`` on, ``length`` positions."""

    def __init__(self, first: int, row: int, positions: Tensor, length: int, window: int, dtype: torch.dtype) -> None:
        self.first, self.end, self.row, self.start = first, first + len(positions), row, 0
        self.length = length
        self.mask: Tensor | None = None
        if len(positions) > 1:
            places = torch.arange(length, device=positions.device)
            seen = places[None] <= positions[:, None]
            if window:
                seen &= places[None] > positions[:, None] - window
            self.mask = additive(seen, dtype)[:, None, None]
        elif window:
            self.start = max(0, length - window)


class _Piece:
    """Several tokens of one row: tokens ``first`` to ``end``, which look at positions ``start`` to ``length``."""

    def __init__(self, first: int, segment: Segment, window: int, dtype: torch.dtype, device: torch.device) -> None:
        self.first, self.end, self.row = first, first + len(segment.ids), segment.row
        self.start, self.length = max(0, segment.start + 1 - window) if window else 0, segment.end
        self.mask: Tensor | None = None
        if segment.start or (window and segment.end > window):
            places = torch.arange(self.start, self.length, device=device)
            tokens = torch.arange(segment.start, segment.end, device=device)
            seen = places[None] <= tokens[:, None]
            if window:
                seen &= places[None] > tokens[:, None] - window
            self.mask = additive(seen, dtype)


class Layout:
    """One step: its tokens side by side, those of rows with only one of them first.

    ``ids`` and ``positions`` have the shape [1, tokens], on a CPU with some tokens behind that mean nothing; ``slots``
    are the places in the flat cache, [tokens]; ``wanted`` the tokens whose scores are needed, in the order of the
    segments and, within each, of their positions.
    """

    def __init__(self, segments: Sequence[Segment], rows: Rows) -> None:
        self._rows = rows
        self._single = sorted((s for s in segments if len(s.ids) == 1), key=lambda s: s.row)
        self._longer = [s for s in segments if len(s.ids) > 1]
        device = rows.store.device
        ids: list[int] = []
        positions: list[int] = []
        slots: list[int] = []
        ends: dict[int, int] = {}
        for segment in (*self._single, *self._longer):
            ids += segment.ids
            positions += range(segment.start, segment.end)
            slots += range(segment.row * rows.length + segment.start, segment.row * rows.length + segment.end)
            ends[segment.row] = len(ids)
        more = padded(len(ids)) - len(ids) if device.type == "cpu" else 0
        ids, positions = ids + [0] * more, positions + [0] * more
        wanted = [place for s in segments for place in range(ends[s.row] - s.wanted, ends[s.row])]
        self.ids, self.positions, self.slots, self.wanted = (
            torch.tensor(numbers, dtype=torch.long, device=device) for numbers in (ids, positions, slots, wanted)
        )
        self.ids, self.positions = self.ids[None], self.positions[None]
        self._parts: dict[int, tuple[list[_Lanes], list[_Piece]]] = {}

    def attend(self, layer: int, query: Tensor, scale: float | None, window: int) -> Tensor:
        """See ``StepLayout``."""
        keys, values = self._rows.store[layer]
        query = query[0].transpose(0, 1)
        tokens, heads, size = query.shape
        groups, shared = keys.shape[2], heads // keys.shape[2]
        singles, pieces = self._parts.get(window) or self._cut(window, query.dtype)
        found = torch.zeros(tokens, heads, size, dtype=query.dtype, device=query.device)
        for part in singles:
            # The heads of a group look at the same keys: to attention they are several tokens of one head.
            asked = query[part.first : part.end].reshape(-1, groups, shared, size)
            rows = slice(part.row, part.row + part.end - part.first), slice(part.start, part.length)
            k, v = keys[rows].transpose(1, 2), values[rows].transpose(1, 2)
            given = scaled_dot_product_attention(asked, k, v, attn_mask=part.mask, scale=scale)
            found[part.first : part.end] = given.reshape(-1, heads, size)
        for piece in pieces:
            asked = query[piece.first : piece.end].transpose(0, 1).reshape(groups, shared, -1, size)
            place = piece.row, slice(piece.start, piece.length)
            k, v = (_repeated(states[place], shared) for states in (keys, values))
            given = scaled_dot_product_attention(
                asked, k, v, attn_mask=piece.mask, is_causal=piece.mask is None, scale=scale
            )
            found[piece.first : piece.end] = given.permute(2, 0, 1, 3).reshape(-1, heads, size)
        return found[None]

    def _cut(self, window: int, dtype: torch.dtype) -> tuple[list[_Lanes], list[_Piece]]:
        rows = self._rows
        looked_at = [(s.row, min(-(-s.end // PADDED) * PADDED, rows.length)) for s in self._single]
        positions = self.positions[0]
        singles = [
            _Lanes(first, self._single[first].row, positions[first : first + count], length, window, dtype)
            if count > 1
            else _Lanes(
                first, self._single[first].row, positions[first : first + 1], self._single[first].end, window, dtype
            )
            for first, count, length in lanes(looked_at, CALL[rows.store.device.type])
        ]
        pieces, first = [], len(self._single)
        for segment in self._longer:
            pieces.append(_Piece(first, segment, window, dtype, rows.store.device))
            first += len(segment.ids)
        self._parts[window] = singles, pieces
        return self._parts[window]


def zeros(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A tensor of zeros. On a CPU its memory is taken as it is first written to, and none of it before."""
    count = math.prod(shape)
    if device.type != "cpu" or not count:
        return torch.zeros(*shape, dtype=dtype, device=device)
    return torch.from_numpy(numpy.zeros(count * dtype.itemsize, dtype=numpy.uint8)).view(dtype).view(*shape)


def _repeated(states: Tensor, shared: int) -> Tensor:
    """[positions, groups, size] as [groups, shared, positions, size]: a view on the CPU, whose kernel takes any."""
    view = states.transpose(0, 1)[:, None].expand(-1, shared, -1, -1)
    return view if states.device.type == "cpu" else view.contiguous()


def additive(seen: Tensor, dtype: torch.dtype) -> Tensor:
    """A mask that is added to the scores; made once a step, since attention would make it anew in every layer."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, -torch.inf)


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    layout: StepLayout | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers asks for it. ``layout`` comes through the model from whoever called it.

    NotImplementedError where the model wants something else than plain attention, maybe in a window.
    """
    unknown = [name for name in ("softcap", "s_aux", "position_bias") if others.get(name) is not None]
    if layout is None or unknown or not getattr(module, "is_causal", True):
        raise NotImplementedError(f"attention with {', '.join(unknown) or 'no rows'}")
    return layout.attend(module.layer_idx, query, scaling, sliding_window or 0), None


AttentionInterface.register(ATTENTION, attend)
