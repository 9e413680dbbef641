"""Who steps next, and with how many tokens. Pure: no model, no clock.

A step computes, for every row at once, the tokens that it lacks: one for a row that answers (more with drafts), and for
rows whose prompt is not read yet their shares of one chunk, so that nobody's stream waits longer than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one row, to be computed in one step: ``ids`` stand at the positions from ``start`` on.
    The scores after the last ``wanted`` of them are needed."""

    row: int
    start: int
    ids: Sequence[int]
    wanted: int

    @property
    def end(self) -> int:
        """The first position behind it."""
        return self.start + len(self.ids)


def shares(unread: Sequence[int], chunk: int) -> list[int]:
    """How many of its ``unread`` prompt tokens each row reads in this step, together at most ``chunk``.

    The row that was there first gets half of the chunk or what it needs, so that it gets done; then whoever needs least
    comes first, so that a short question does not wait for the end of somebody's long history; what is left goes to the
    first again.
    """
    given = [0] * len(unread)
    first = next((i for i, count in enumerate(unread) if count), None)
    if first is None:
        return given
    given[first] = min(unread[first], max(chunk // 2, 1))
    left = chunk - given[first]
    others = sorted((i for i in range(len(unread)) if i != first), key=lambda i: unread[i])
    for i in (*others, first):
        more = min(unread[i] - given[i], left)
        given[i] += more
        left -= more
    return given


def lanes(rows: Sequence[tuple[int, int]], call: int) -> list[tuple[int, int, int]]:
    """Rows that compute one token each, cut into runs that one call to attention serves: (first place, count, length).

    ``rows`` are (row, positions that it looks at), in order of the row. A run's rows are neighbours, and each is padded
    to the longest of them; ``call`` is what a further call costs, in positions of one row. The cheapest cut is found.
    """
    best: list[tuple[float, int]] = [(0.0, 0)]  # cost of the first i, and where their last run begins
    for end in range(1, len(rows) + 1):
        longest, cheapest, start = 0, float("inf"), end
        for begin in range(end - 1, -1, -1):
            if begin < end - 1 and rows[begin][0] + 1 != rows[begin + 1][0]:
                break
            longest = max(longest, rows[begin][1])
            cost = best[begin][0] + call + longest * (end - begin)
            if cost < cheapest:
                cheapest, start = cost, begin
        best.append((cheapest, start))
    runs = []
    end = len(rows)
    while end:
        start = best[end][1]
        runs.append((start, end - start, max(length for _, length in rows[start:end])))
        end = start
    return runs[::-1]


def padded(tokens: int) -> int:
    """How many tokens a step on a CPU computes for so many: few different numbers, since for each of them the library
    of matrix products makes and keeps programs of its own, a megabyte or two."""
    if tokens <= 16:
        return tokens
    step = 8 if tokens <= 64 else 32
    return -(-tokens // step) * step


def common(one: list[int], other: list[int]) -> int:
    """How many ids two prompts begin with alike."""
    most = min(len(one), len(other))
    if one[:most] == other[:most]:
        return most
    low, high = 0, most  # the first `low` are alike, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
