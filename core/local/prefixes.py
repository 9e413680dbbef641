"""What was computed for earlier requests and is kept: the beginning of a next turn, a persona that many share.

Keys and values are kept in blocks of a pool whose size the plan has set, so that nothing grows and nothing is
scattered; prefixes that begin alike share their blocks. The least recently used goes first: on a GPU to a pool in the
host's memory if that is there, and from there away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from core.local.clock import seconds
from core.local.kv_cache import Rows, zeros
from core.local.schedule import common

BLOCK = 16
"""Positions of a block."""
AT_ONCE = 16 * 2**20
"""Bytes that are copied at a time, but at least a layer: more are no faster, also where memory is plenty."""
SHORTEST = 8
"""Tokens that are worth keeping: fewer are computed again as fast as they are found and copied."""


class Pool:
    """Blocks of keys and values, each with a count of those who hold it.

    ``store`` has the shape [layers, keys and values, blocks, positions, heads, size].
    """

    def __init__(self, rows: Rows, positions: int, device: torch.device) -> None:
        layers, both, _, _, heads, size = rows.store.shape
        shape = layers, both, positions // BLOCK, BLOCK, heads, size
        self.store = zeros(shape, rows.store.dtype, device)
        self.free = list(range(shape[2]))[::-1]
        self._holders = [0] * shape[2]

    def hold(self, blocks: Iterable[int]) -> None:
        """Somebody more holds these."""
        for block in blocks:
            self._holders[block] += 1

    def take(self, blocks: list[int]) -> None:
        """These, the last of the free ones, are not free any more: somebody holds them."""
        del self.free[len(self.free) - len(blocks) :]
        self.hold(blocks)

    def release(self, blocks: Iterable[int]) -> None:
        """Somebody does not hold these any more."""
        for block in blocks:
            self._holders[block] -= 1
            if not self._holders[block]:
                self.free.append(block)

    def index(self, blocks: list[int]) -> Tensor:
        """Their numbers, to pick them with."""
        return torch.tensor(blocks, dtype=torch.long).to(self.store.device)

    def states(self, blocks: list[int]) -> Iterator[tuple[slice, Tensor]]:
        """What these hold, some layers at a time, of shape [layers, keys and values, positions, heads, size]: picking
        them makes a copy, and a GPU need not have room for one of all layers."""
        index, layer = self.index(blocks), len(blocks) * self.store[0, :, 0].nbytes
        count = max(AT_ONCE // max(layer, 1), 1)
        for first in range(0, len(self.store), count):
            layers = slice(first, first + count)
            yield layers, self.store[layers].index_select(2, index).flatten(2, 3)


@dataclass(slots=True, eq=False)
class Prefix:
    """Ids, and the blocks of ``pool`` that hold their keys and values, in order."""

    ids: list[int]
    blocks: list[int]
    pool: Pool


class Prefixes:
    """What is kept of ``rows``: at most ``here`` positions where they are, ``away`` in a GPU's host's memory."""

    def __init__(self, rows: Rows, here: int, away: int = 0) -> None:
        self._rows = rows
        self._here = Pool(rows, here, rows.store.device)
        self._away = Pool(rows, away, torch.device("cpu")) if away >= BLOCK else None
        self._kept: list[Prefix] = []  # the least recently used first

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)

    @property
    def spills(self) -> bool:
        """Is there room in a host's memory?"""
        return self._away is not None

    def best(self, ids: list[int]) -> tuple[Prefix | None, int]:
        """What begins most like ``ids``, and for how many ids."""
        found, longest = None, 0
        for prefix in self._kept:
            if longest < min(len(prefix.ids), len(ids)) and prefix.ids[longest] == ids[longest]:
                alike = common(prefix.ids, ids)
                if alike > longest:
                    found, longest = prefix, alike
        return found, longest

    def copy_in(self, prefix: Prefix, row: int, count: int, *, start: int = 0) -> None:
        """The first ``count`` positions of a row become those of ``prefix``, which is now the most recently used;
        up to ``start`` they were."""
        self._kept.remove(prefix)
        self._kept.append(prefix)
        if start >= count:
            return
        first = start // BLOCK * BLOCK
        for layers, states in prefix.pool.states(prefix.blocks[first // BLOCK : -(-count // BLOCK)]):
            self._rows.store[layers, :, row, first:count] = states[:, :, : count - first]

    def keep(self, ids: list[int], row: int) -> None:
        """Keep what a row holds for ``ids``; what is no more than their beginning goes, and whatever is too much.

        Where the memory that copying takes cannot be had, that is raised, and they are not kept."""
        if not SHORTEST <= len(ids) <= min(self._rows.length, self._here.store.shape[2] * BLOCK):
            return
        other, alike = self.best(ids)
        if alike == len(ids):
            return
        shared = other.blocks[: alike // BLOCK] if other is not None and other.pool is self._here else []
        wanted = -(-len(ids) // BLOCK) - len(shared)
        self._here.hold(shared)
        try:
            for prefix in [prefix for prefix in self._kept if common(prefix.ids, ids) == len(prefix.ids)]:
                self._drop(prefix)
            while len(self._here.free) < wanted:
                self._make_way(next(prefix for prefix in self._kept if prefix.pool is self._here))
            blocks = self._here.free[-wanted:]
            self._copy_out(row, len(shared) * BLOCK, blocks)
        except RuntimeError:
            self._here.release(shared)
            raise
        self._here.take(blocks)
        self._kept.append(Prefix(ids, shared + blocks, self._here))

    def spill_pays(self, computing: float, count: int) -> bool:
        """Does it pay to keep prefixes in the host's memory: are ``count`` positions fetched back from there faster
        than in the ``computing`` seconds in which they are computed again? Where not, that memory is given back."""
        if self._away is None:
            return False
        pool, device = self._away, self._rows.store.device
        blocks = list(range(max(1, min(count // BLOCK, pool.store.shape[2]))))
        fetching = seconds(lambda: [states.to(device) for _, states in pool.states(blocks)], device)
        if fetching * count / (len(blocks) * BLOCK) < computing:
            return True
        self._away = None
        return False

    def drop(self) -> bool:
        """Nothing is kept any more, and the memory is given back for good; False where there was none to give."""
        had = self._here.store.numel() > 0
        self._kept.clear()
        self._away = None
        self._here.store = torch.empty(0)
        self._here = Pool(self._rows, 0, self._rows.store.device)
        return had

    def _copy_out(self, row: int, start: int, blocks: list[int]) -> None:
        """Positions of a row from ``start`` on fill ``blocks``; what is behind its end, in the last, means nothing."""
        end = min(start + len(blocks) * BLOCK, self._rows.length)
        whole = (end - start) // BLOCK
        states, pool = self._rows.store[:, :, row, start:end], self._here.store
        layers, both, _, heads, size = states.shape
        index = self._here.index(blocks)
        pool[:, :, index[:whole]] = states[:, :, : whole * BLOCK].reshape(layers, both, whole, BLOCK, heads, size)
        if whole < len(blocks):
            pool[:, :, index[whole], : end - start - whole * BLOCK] = states[:, :, whole * BLOCK :]

    def _make_way(self, prefix: Prefix) -> None:
        """To the host's memory if there is room for it, else away."""
        away = self._away
        if away is None or len(prefix.blocks) > away.store.shape[2]:
            self._drop(prefix)
            return
        while len(away.free) < len(prefix.blocks):
            self._drop(next(other for other in self._kept if other.pool is away))
        blocks = away.free[-len(prefix.blocks) :]
        index = away.index(blocks)
        for layers, states in self._here.states(prefix.blocks):
            away.store[layers][:, :, index] = states.to("cpu").view(
                *states.shape[:2], len(blocks), *away.store.shape[3:]
            )
        away.take(blocks)
        self._here.release(prefix.blocks)
        prefix.blocks, prefix.pool = blocks, away

    def _drop(self, prefix: Prefix) -> None:
        self._kept.remove(prefix)
        prefix.pool.release(prefix.blocks)
