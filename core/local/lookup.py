"""Prompt lookup: what an answer may go on with, guessed from what stands in the conversation already.

An answer that copies (code with one change, a quotation, a translated list) repeats its prompt word for word. Where its
last tokens stand in the conversation before, what followed them there is a draft, which the model checks in one step
instead of many. (Saxena, "Prompt Lookup Decoding", 2023.) Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

GRAM = 3
"""Tokens that have to be alike before something is guessed: two alike are too often chance."""
SHORTEST, LONGEST = 2, 15
"""Tokens of a draft."""


class Lookup:
    """The drafts of one answer. They grow as long as they are right, and get rare while they are wrong."""

    def __init__(self) -> None:
        self._ends: dict[tuple[int, ...], int] = {}
        self._seen = 0
        self._length = LONGEST // 2
        self._rest = 0
        self._wrong = 0

    def draft(self, ids: Sequence[int], most: int) -> list[int]:
        """What may follow ``ids``, the conversation so far, which only grows; at most ``most`` tokens."""
        for end in range(max(self._seen, GRAM), len(ids)):  # not the last ones: they would find themselves
            self._ends[tuple(ids[end - GRAM : end])] = end
        self._seen = len(ids)
        if self._rest:
            self._rest -= 1
            return []
        start = self._ends.get(tuple(ids[-GRAM:]))
        if start is None:
            return []
        draft = list(ids[start : start + min(self._length, most)])
        return draft if len(draft) >= SHORTEST else []

    def judge(self, drafted: int, right: int) -> None:
        """``right`` of the ``drafted`` tokens were what the model said."""
        if right == drafted:
            self._length = min(2 * self._length, LONGEST)
        elif right < drafted // 2:
            self._length = max(self._length // 2, SHORTEST)
        self._wrong = 0 if right > 1 else self._wrong + 1
        self._rest = min(2**self._wrong, 64) if self._wrong > 1 else 0
