"""Where a text is cut so that each piece stays under a limit. Pure.

A cut is chosen from what stands before the limit and the one character after it, never from what comes later. So while
a text grows, a piece that is full stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bots.text.characters import boundary, reach, units

LEAST_LIMIT = 64
"""Below this a fence's own lines would not fit."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code in a text: its first line begins at ``start``, its code at ``body``, ends at ``end``; what
    closes it ends at ``close``. ``opening`` and ``closing`` are what a cut in it costs on both sides."""

    start: int
    body: int
    end: int
    close: int
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Slice:
    """``text[start:end]`` is one part's; ``before`` and ``after`` mend a block of code that was cut."""

    start: int
    end: int
    before: str = ""
    after: str = ""


def slices(
    text: str,
    limit: int,
    codes: Sequence[Code] = (),
    *,
    held: Callable[[int, int], Sequence[Span]] = lambda start, end: (),
    most: Callable[[int], int] | None = None,
) -> Iterator[Slice]:
    """Cut ``text`` into slices of at most ``limit`` UTF-16 units each, mending included.

    ``held(start, end)`` gives the spans that should not be cut, ``most(start)`` an end that must not be passed.
    """
    if limit < LEAST_LIMIT:
        raise ValueError(f"a limit of {limit} is less than {LEAST_LIMIT}")
    start = 0
    while start < len(text):
        inside = _code_at(codes, start)
        before = inside.opening if inside else ""
        end = min(reach(text, start, limit - units(before)), most(start) if most else len(text))
        if end == len(text):
            yield Slice(start, end, before)
            return
        near = [code for code in codes if code.start < end and start < code.close]
        if near:
            closing = max(units(code.closing) for code in near)
            end = min(end, reach(text, start, limit - units(before) - closing))
        cut = _cut(text, start, max(end, start + 1), held(start, end), near)
        code = _code_at(near, cut)
        yield Slice(start, cut, before, code.closing if code else "")
        start = _resumed(text, cut, code)


def _code_at(codes: Sequence[Code], at: int) -> Code | None:
    """The block whose code is cut by a cut at ``at``."""
    return next((code for code in codes if code.body <= at <= code.end), None)


def _resumed(text: str, cut: int, code: Code | None) -> int:
    """Where the next part begins: in code nothing but one line end is dropped, else the blanks round the cut."""
    if code is not None:
        if not text[cut : code.end].strip():
            cut = code.close
        elif text[cut] == "\n":
            return cut + 1
        else:
            return cut
    blank = _BLANK.match(text, cut)
    return blank.end() if blank else cut


_BLANK = re.compile(r"(?:[ \t]*\n)+|[ \t]+|")
PARAGRAPH = re.compile(r"\n[ \t]*\n")
_LINE = re.compile(r"\n")
_CJK = "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_OPENING = "\uff08\u300c\u300e\u3010\u300a\u3008"
_CLOSING = (
    "\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff1b\uff1a\uff09\u300d\u300f\u3011\u300b\u3009\u201d\u2019\u2026\u30fc"
)
_SENTENCE = re.compile(r"(?<=[.!?…])[\"'”’)\]]*(?=\s)|(?<=[。！？])[」』”’）】]*(?![」』”’）】。！？])")
_CLAUSE = re.compile(r"(?<=[,;:])(?=\s)|(?<=[，、；：])")
_WORD = re.compile(rf"(?=[ \t])|(?<=[{_CJK}{_CLOSING}])(?=[{_CJK}{_OPENING}])")


def _cut(text: str, start: int, end: int, held: Sequence[Span], codes: Sequence[Code]) -> int:
    """The best place in ``(start, end]`` to end a part.

    Paragraphs and blocks of code first, then lines, sentences, clauses, words, if that leaves the part half full; then
    the same for shorter parts; then inside of what should be held; at last between two clusters of a long word.
    """
    firm = [span for c in codes if c.closing for span in ((c.start, c.body + 1), (c.end, c.close))]
    near, far = _mask((*held, *firm), start, end), _mask(firm, start, end)
    in_code = _mask([(c.start, c.close) for c in codes], start, end)
    room = end - start
    tiers = [_edges(text, start, end, codes, in_code), *_places(text, start, end, in_code)]
    for least, taken in ((room // 2, near), (room // 8, near), (room // 2, far), (0, far)):
        for places in tiers:
            for place in reversed(places):
                if place <= start + least:
                    break
                if not taken[place - start]:
                    return place
    cut = end
    while cut > max(start + 1, end - 64) and not boundary(text, cut):
        cut -= 1
    cut = cut if boundary(text, cut) else end
    return next((first for first, last in firm if start < first < cut < last), cut)


def _mask(spans: Iterable[Span], start: int, end: int) -> bytearray:
    """For each place from ``start`` to ``end``: is it strictly within a span?"""
    mask = bytearray(end - start + 1)
    for first, last in spans:
        low, high = max(first + 1 - start, 0), min(last - start, len(mask))
        if low < high:
            mask[low:high] = b"\1" * (high - low)
    return mask


def _edges(text: str, start: int, end: int, codes: Sequence[Code], in_code: bytearray) -> list[int]:
    """Where a paragraph or a block of code ends, in order; not right under a heading."""
    gaps = (found.start() for found in PARAGRAPH.finditer(text, start, end + 1))
    places = {place for place in gaps if not in_code[place - start]}
    for code in codes:
        places |= {place for place in (code.start - 1, code.close) if start < place <= end and text[place] == "\n"}
    return sorted(place for place in places if not text.startswith("#", text.rfind("\n", start, place) + 1))


def _places(text: str, start: int, end: int, in_code: bytearray) -> Iterator[list[int]]:
    """Where lines end (of code, too), then sentences, clauses, words."""
    yield [found.start() for found in _LINE.finditer(text, start, end + 1)]
    for pattern in (_SENTENCE, _CLAUSE, _WORD):
        places = (found.end() for found in pattern.finditer(text, start, end + 1))
        yield [place for place in places if place <= end and not in_code[place - start]]
