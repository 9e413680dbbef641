"""What was computed for earlier requests and is kept: the beginning of a next turn, a persona that many share.

The least recently used goes first: on a GPU to the host's memory if fetching it back measures faster than computing it
again, and from there, or where it does not, away.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from core.local.schedule import common

SHORTEST = 8
"""Tokens that are worth keeping: fewer are computed again as fast as they are found and copied."""


@dataclass(slots=True, eq=False)
class Prefix:
    """Ids, and their keys and values as ``Rows.copy_out`` gives them; ``on_host``: in the memory of a GPU's host."""

    ids: list[int]
    states: Tensor = field(repr=False)
    on_host: bool = False


class Prefixes:
    """At most ``device`` tokens where the model is, and ``host`` tokens (0: none) in the memory of a GPU's host."""

    def __init__(self, device: int, host: int = 0) -> None:
        self.device, self.host = device, host
        self._kept: list[Prefix] = []  # the least recently used first

    def tokens(self, *, on_host: bool = False) -> int:
        """How many are kept on the device, or on its host."""
        return sum(len(prefix.ids) for prefix in self._kept if prefix.on_host == on_host)

    def best(self, ids: list[int]) -> tuple[Prefix | None, int]:
        """What begins most like ``ids``, and for how many ids."""
        found, longest = None, 0
        for prefix in self._kept:
            if longest < min(len(prefix.ids), len(ids)) and prefix.ids[longest] == ids[longest]:
                alike = common(prefix.ids, ids)
                if alike > longest:
                    found, longest = prefix, alike
        return found, longest

    def use(self, prefix: Prefix) -> None:
        """It is the most recently used one."""
        self._kept.remove(prefix)
        self._kept.append(prefix)

    def covers(self, ids: list[int]) -> bool:
        """Would keeping ``ids`` add nothing?"""
        return len(ids) < SHORTEST or len(ids) > self.device or self.best(ids)[1] == len(ids)

    def keep(self, ids: list[int], states: Tensor) -> None:
        """Keep what was computed for ``ids``; what is no more than their beginning goes, and then whatever is too much."""
        self._kept = [prefix for prefix in self._kept if common(prefix.ids, ids) < len(prefix.ids)]
        self._kept.append(Prefix(ids, states))
        self._shed()

    def drop(self, *, on_host: bool = False) -> None:
        """Give back the device's memory, or that of its host."""
        self._kept = [prefix for prefix in self._kept if prefix.on_host != on_host]

    def _shed(self) -> None:
        while self.tokens() > self.device:
            oldest = next(prefix for prefix in self._kept if not prefix.on_host)
            if len(oldest.ids) > self.host:
                self._kept.remove(oldest)
            else:
                oldest.states, oldest.on_host = oldest.states.to("cpu").pin_memory(), True
        while self.tokens(on_host=True) > self.host:
            self._kept.remove(next(prefix for prefix in self._kept if prefix.on_host))
