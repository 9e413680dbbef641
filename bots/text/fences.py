"""The lines of a Markdown text: which are code, and tables drawn as code for chats that know none. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bots.text.characters import width

LANGUAGE = re.compile(r"[A-Za-z0-9_+.#-]{1,20}")
"""A fence's language as both platforms take it; any other info text is shown as an ordinary line instead."""
TABLE_WIDTH = 60
"""Columns up to which a table's cells are padded; wider ones would wrap on a phone and be less readable for it."""

_OPEN = re.compile(
    r"(?P<quote>(?: {0,4}>)*(?:(?<=>) )?)(?P<indent>[ \t]*)(?P<item>(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*)"
    r"(?P<mark>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)"
)
_QUOTE = re.compile(r" {0,3}> ?")
_RULER = re.compile(r"(?:\|[ \t]*)?:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_PREFIX = re.compile(r"(?: {0,4}>)*[ \t]*")
_BAR = re.compile(r"(?<!\\)\|")


Role = Literal["text", "open", "body", "close"]


@dataclass(frozen=True, slots=True)
class Line:
    """``text``: for ``open`` what stands before the fence, for ``body`` the code without its quote marks and indent.

    ``quote`` are the quote marks of a fence's lines, one ``>`` each.
    """

    role: Role
    text: str
    info: str = ""
    quote: str = ""


def lines(text: str) -> Iterator[Line]:
    """The lines with their roles; a fence left open is closed, and one in a quote is closed where the quote ends."""
    quote: str | None = None
    for raw, role, opened, body in _walk(text):
        if quote is not None and role in ("text", "open"):
            yield Line("close", "", quote=quote)
            quote = None
        if opened is None:
            yield Line("text", raw)
            continue
        quote = "> " * opened["quote"].count(">")
        if role == "open":
            before = opened["quote"] + opened["indent"] + opened["item"] if opened["item"] else quote
            yield Line("open", before, opened["info"].strip(), quote)
        else:
            yield Line(role, _dedented(body, opened["indent"] + opened["item"]) if role == "body" else "", quote=quote)
        if role == "close":
            quote = None
    if quote is not None:
        yield Line("close", "", quote=quote)


def open_fence(text: str) -> str:
    """The line that would close the fence which the text leaves open; "" where none is open."""
    last: re.Match[str] | None = None
    for _, role, opened, _ in _walk(text):
        last = None if role == "close" else opened
    if last is None:
        return ""
    return last["quote"] + last["indent"] + " " * len(last["item"]) + last["mark"]


def with_tables_drawn(text: str) -> str:
    """The Markdown with each table as a block of code, its cells padded; every character of a cell stays."""
    if "|" not in text:
        return text
    source = text.split("\n")
    roles = [role != "text" for _, role, _, _ in _walk(text)]
    drawn: list[str] = []
    i = 0
    while i < len(source):
        if not roles[i] and i + 1 < len(source) and not roles[i + 1] and _heads_table(source[i], source[i + 1]):
            end = i + 2
            while end < len(source) and not roles[end] and _BAR.search(source[end]):
                end += 1
            drawn += _drawn(source[i:end])
            i = end
        else:
            drawn.append(source[i])
            i += 1
    return "\n".join(drawn)


def _walk(text: str) -> Iterator[tuple[str, Role, re.Match[str] | None, str]]:
    """Each line as it is, its role, its fence's first line (None: no code) and, without quote marks, what it says.

    CommonMark's rule of fences, but at any indent: in a list no other could be told without parsing it.
    """
    opened: re.Match[str] | None = None
    for line in text.split("\n"):
        body = _unquoted(line, opened["quote"].count(">")) if opened is not None else None
        if opened is None or body is None:
            opened = _OPEN.fullmatch(line)
            yield line, "text" if opened is None else "open", opened, line
        elif _closes(body, opened["mark"]):
            yield line, "close", opened, body
            opened = None
        else:
            yield line, "body", opened, body


def _unquoted(line: str, depth: int) -> str | None:
    """The line without ``depth`` quote marks; None where it has fewer."""
    for _ in range(depth):
        mark = _QUOTE.match(line)
        if mark is None:
            return None
        line = line[mark.end() :]
    return line


def _closes(line: str, mark: str) -> bool:
    line = line.strip(" \t")
    return len(line) >= len(mark) and line == mark[0] * len(line)


def _dedented(line: str, indent: str) -> str:
    """The line without as much of the fence's own indent as it has."""
    most = len(indent.expandtabs(4))
    return line[min(most, len(line) - len(line.lstrip(" "))) :]


def _heads_table(header: str, ruler: str) -> bool:
    """Is this a table's first line and the ruler under it? Both have the same prefix and number of columns."""
    prefix = _prefix(header)
    if _prefix(ruler) != prefix or not _RULER.fullmatch(ruler, len(prefix)) or not _BAR.search(header):
        return False
    return "|" in ruler and len(_cells(header)) == len(_cells(ruler))


def _prefix(line: str) -> str:
    found = _PREFIX.match(line)
    return found[0] if found else ""


def _cells(line: str) -> list[str]:
    row = line[len(_prefix(line)) :].strip()
    row = row.removeprefix("|")
    if row.endswith("|") and not row.endswith("\\|"):
        row = row[:-1]
    return [_plain(cell.strip()) for cell in _BAR.split(row)]


def _plain(cell: str) -> str:
    """A cell without the marks that code would show as they are."""
    cell = cell.replace("\\|", "|")
    cell = re.sub(r"(?<![`\\])`([^`]+)`(?!`)", r"\1", cell)
    return re.sub(r"\*\*(?=\S)([^*]+?)(?<=\S)\*\*", r"\1", cell)


def _drawn(table: Sequence[str]) -> list[str]:
    """The table's lines as a fence in the same quote and indent."""
    prefix = _prefix(table[0])
    rows = [_cells(line) for line in (table[0], *table[2:])]
    longest = max((len(run) for run in re.findall("`+", "\n".join(table))), default=0)
    fence = prefix + "`" * max(3, longest + 1)
    aligned = [cell.startswith(":") + 2 * cell.endswith(":") for cell in _cells(table[1])]
    widths = [max(3, *(width(row[i]) for row in rows if i < len(row))) for i in range(max(map(len, rows)))]
    if sum(widths) + 3 * (len(widths) - 1) > TABLE_WIDTH:
        widths = [0] * len(widths)
    body = [" | ".join(_padded(cell, widths[i], (aligned + [0] * i)[i]) for i, cell in enumerate(row)) for row in rows]
    rule = "-+-".join("-" * (columns or 3) for columns in widths)
    return [fence, *(prefix + line.rstrip() for line in (body[0], rule, *body[1:])), fence]


def _padded(cell: str, columns: int, aligned: int) -> str:
    """``aligned``: 0 and 1 left, 2 right, 3 centre."""
    gap = max(columns - width(cell), 0)
    left = gap if aligned == 2 else gap // 2 if aligned == 3 else 0
    return " " * left + cell + " " * (gap - left)
