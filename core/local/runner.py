"""Runs the model for one step: many rows at once where its attention allows, else one request at a time.

Both runners have the same face, so that the worker does not know which one it has.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from core.local.clock import seconds
from core.local.failure import first_line, out_of_memory
from core.local.graphs import Graphs, differ
from core.local.kv_cache import ATTENTION, Layout, Rows
from core.local.plan import Plan
from core.local.prefixes import Prefixes
from core.local.schedule import Segment, common

log = logging.getLogger(__name__)

MEASURED = 256
"""Tokens over which computing and fetching are compared."""
PROBE = 24
"""Tokens that the two are compared on."""


class Runner(Protocol):
    """Rows of a KV cache, numbered from 0, and the step over them."""

    rows: int

    @property
    def drafts(self) -> bool:
        """Does it pay that a segment of a row that answers holds guesses?"""

    def begin(self, row: int, ids: list[int], source: int | None, count: int) -> int:
        """Row ``row`` will hold ``ids``; its first ``count`` positions come from row ``source``, or what is kept. How
        many it holds now, at most all but the last: other than ``count`` where more were left there, or where the
        memory to fetch them cannot be had."""

    def kept(self, ids: list[int]) -> int:
        """How many of the first ``ids`` are kept from earlier requests."""

    def forward(self, segments: Sequence[Segment]) -> Tensor:
        """Compute the segments, one a row; the scores wanted of each in turn, of shape [wanted in all, vocabulary]."""

    def keep(self, row: int, ids: list[int]) -> None:
        """Row ``row`` holds ``ids`` and nobody needs it any more: keep that for later."""

    def move(self, source: int, target: int, count: int) -> None:
        """Row ``target`` becomes what row ``source`` is, ``count`` positions long."""

    def clear(self, row: int, count: int) -> None:
        """The first ``count`` positions of row ``row`` may not be numbers: nothing of them may stay."""

    def shed(self) -> bool:
        """Give back the memory of what is kept; False where there was none."""

    def shrink(self, rows: int) -> None:
        """Have so many rows only; the first ones stay as they are."""


class BatchRunner:
    """All rows in one step, whatever each of them needs. ``graphs`` are for the steps that can be recorded."""

    def __init__(self, model: Any, cache: Rows, prefixes: Prefixes, graphs: Graphs | None = None) -> None:
        self.model, self.cache, self.prefixes = model, cache, prefixes
        self.rows = cache.store.shape[2]
        self._graphs = graphs
        self._left: dict[int, list[int]] = {}
        """Of which ids the free rows still hold keys and values: whoever goes on there has nothing to copy."""

    @property
    def drafts(self) -> bool:
        """Not beside graphs: guesses are checked in a step that is not recorded, as long as several that are."""
        return self._graphs is None or self._graphs.broken

    def kept(self, ids: list[int]) -> int:
        return self.prefixes.best(ids)[1]

    def begin(self, row: int, ids: list[int], source: int | None, count: int) -> int:
        there = min(common(self._left.pop(row, []), ids), len(ids) - 1)
        try:
            if source is not None:
                self.cache.move(source, row, count, start=there)
            elif count:
                prefix, alike = self.prefixes.best(ids)
                assert prefix is not None
                assert alike >= count
                self.prefixes.copy_in(prefix, row, count, start=there)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            log.warning("out of memory (%s): what is kept of a request is computed again", first_line(error))
            return there
        return max(there, count)

    def forward(self, segments: Sequence[Segment]) -> Tensor:
        if self._graphs is not None and self._graphs.able(segments):
            self._left.clear()  # a graph writes to rows that are free, too, also when nothing comes of recording it
            if (replayed := self._graphs.forward(segments)) is not None:
                return replayed
        layout = self.cache.layout = Layout(segments, self.cache)
        output = self.model(
            input_ids=layout.ids,
            position_ids=layout.positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=layout.wanted,
            layout=layout,
        )
        scores: Tensor = output.logits[0]
        return scores

    def keep(self, row: int, ids: list[int]) -> None:
        self._left[row] = ids
        try:
            self.prefixes.keep(ids, row)
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            log.warning("out of memory (%s): a request is not kept", first_line(error))

    def move(self, source: int, target: int, count: int) -> None:
        self._left.pop(target, None)
        self.cache.move(source, target, count)

    def clear(self, row: int, count: int) -> None:
        self._left.pop(row, None)
        self.cache.clear(row, count)

    def shed(self) -> bool:
        if self._graphs is not None:
            self._graphs.drop()
        return self.prefixes.drop()

    def weigh_spilling(self) -> None:
        """Measure whether what the rows have no room for is fetched from a host's memory faster than computed again."""
        if not self.prefixes.spills:
            return
        count = min(MEASURED, self.cache.length)
        read = [Segment(0, 0, [0] * count, 0)]
        if not self.prefixes.spill_pays(seconds(lambda: self.forward(read), self.cache.store.device, 2), count):
            log.info("what is kept of earlier requests stays on the GPU: computing it again is faster than fetching it")
        self.clear(0, count)

    def shrink(self, rows: int) -> None:
        if self._graphs is not None:
            self._graphs.drop()
        self._left.clear()
        self.cache.shrink(rows)
        self.rows = rows


class SingleRunner:
    """One request at a time, with the model's own cache: for models whose attention is of another kind."""

    drafts = False

    def __init__(self, model: Any, device: torch.device) -> None:
        self.model = model
        self.rows = 1
        self._device = device
        self._cache: Any = None
        self._ids: list[int] = []

    def kept(self, ids: list[int]) -> int:
        return common(self._ids, ids) if self._cache is not None and _can_be_cut(self._cache) else 0

    def begin(self, row: int, ids: list[int], source: int | None, count: int) -> int:
        if count:
            if count < len(self._ids):
                self._cache.crop(count - len(self._ids))
        else:
            self._cache = self._empty()
        self._ids = ids[:count]
        return count

    def forward(self, segments: Sequence[Segment]) -> Tensor:
        (segment,) = segments
        known, ids = self._ids[: segment.start], list(segment.ids)
        if len(self._ids) > len(known):  # a step that failed is made again: some layers may have its keys, some not
            self._cache, known, ids = self._empty(), [], known + ids
        self._ids = known + ids
        output = self.model(
            input_ids=torch.tensor([ids], device=self._device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=max(segment.wanted, 1),
        )
        scores: Tensor = output.logits[0, : segment.wanted] if segment.wanted else output.logits[0, :0]
        return scores

    def keep(self, row: int, ids: list[int]) -> None:
        """It is: until the next request begins."""

    def move(self, source: int, target: int, count: int) -> None:
        raise AssertionError("there is only one row")

    def clear(self, row: int, count: int) -> None:
        self._cache, self._ids = None, []

    def shed(self) -> bool:
        return False

    def shrink(self, rows: int) -> None:
        raise AssertionError("there is only one row")

    def _empty(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config)


def _can_be_cut(cache: Any) -> bool:
    """Whether tokens can be taken off the end of a cache: not with a sliding window or a recurrent state."""
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in cache.layers)


def make_runner(model: Any, plan: Plan, *, device: torch.device, dtype: torch.dtype) -> BatchRunner | SingleRunner:
    """A runner with the plan's rows; with one row of the model's own where its attention is of a kind that cannot be
    shared: its own scores and those of the batched step are compared.
    """
    own = model.config._attn_implementation
    tokens = [(7 * place + 3) % model.config.get_text_config().vocab_size for place in range(min(PROBE, plan.length))]
    try:
        expected = _own_scores(model, tokens, device)
        model.set_attn_implementation(ATTENTION)
        rows = _rows(model.config.get_text_config(), plan.rows, plan.length, device, dtype)
        prefixes = Prefixes(rows, plan.kept, plan.spilled)
        runner = BatchRunner(model, rows, prefixes, recording(model, rows, plan))
        if differ(_probed(runner, tokens), expected):
            raise NotImplementedError("the scores differ")
        runner.weigh_spilling()
    except Exception as error:
        if out_of_memory(error):
            raise
        log.warning(
            "This model answers one request at a time, as its attention is of its own kind: %s", first_line(error)
        )
        model.set_attn_implementation(own)
        return SingleRunner(model, device)
    return runner


def recording(model: Any, rows: Rows, plan: Plan) -> Graphs | None:
    """Graphs, where all of the model is on a GPU: what is fetched from elsewhere at each step cannot be recorded, and
    trying to may leave torch's memory in a state that it cannot be freed from."""
    return Graphs(model, rows) if rows.store.device.type == "cuda" and not plan.layers_off else None


def _rows(config: Any, rows: int, length: int, device: torch.device, dtype: torch.dtype) -> Rows:
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if rope in ("dynamic", "longrope"):  # what such a model makes of a position depends on the longest of the batch
        raise NotImplementedError(f"positions of the kind {rope}")
    return Rows(config.num_hidden_layers, rows, length, heads, size, dtype=dtype, device=device)


def _own_scores(model: Any, tokens: Sequence[int], device: torch.device) -> Tensor:
    output = model(input_ids=torch.tensor([tokens], device=device), use_cache=False, logits_to_keep=1)
    scores: Tensor = output.logits[0]
    return scores


def _probed(runner: BatchRunner, tokens: Sequence[int]) -> Tensor:
    """The last scores of ``tokens``, computed in the ways of a step: from nothing, behind a beginning, one by one, and
    beside another row."""
    half, last = len(tokens) // 2, len(tokens) - 1
    beside = runner.rows > 1
    steps = [(0, half), (half, last), (last, len(tokens))]
    for begin, end in steps:
        segments = [Segment(0, begin, tokens[begin:end], 1)]
        if beside:
            segments.append(Segment(1, begin, tokens[begin:end], 1))
        scores = runner.forward(segments)
    for row in range(1 + beside):
        runner.clear(row, len(tokens))
    return scores
