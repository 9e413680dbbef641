"""Who has heard of what lately: a refusal is told once per cause and person, not with every message."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from time import monotonic

AGAIN_SECONDS = 600.0
"""After so long the same is told again."""
KEPT = 10_000


class Notices:
    """In memory: after a restart everybody may hear everything once more."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[str, str], float] = OrderedDict()

    def due(self, who: str, cause: str, seconds: float = AGAIN_SECONDS) -> bool:
        """Is it time to tell them? If so it counts as told, for ``seconds``."""
        now = self._clock()
        if self._until.get((who, cause), -math.inf) > now:
            return False
        self._until[who, cause] = now + seconds
        self._until.move_to_end((who, cause))
        while len(self._until) > KEPT:
            self._until.popitem(last=False)
        return True

    def over(self, who: str) -> None:
        """What kept them out keeps them out no more: the next refusal is news."""
        for told in [told for told in self._until if told[0] == who]:
            del self._until[told]
