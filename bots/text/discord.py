"""Markdown as Discord's clients read it. Pure.

Tables become blocks of code, deep headings bold, ``[label](address)`` shows its address, ``||`` hides nothing, and no
row of backticks in the text or in code can close or open a block that the model did not mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bots.text.characters import clean
from bots.text.cutting import PARAGRAPH, Code, Span
from bots.text.fences import LANGUAGE, Line, lines, with_tables_drawn

_LINK = re.compile(
    r"(?<!\\)!?\[(?P<label>[^\[\]\n]+)\]\((?P<url>https?://[^\s()<>]+(?:\([^\s()<>]*\)[^\s()<>]*)*)\)",
)
_SPAN = re.compile(r"(?<![`\\])(?P<ticks>`+)(?!`)(?P<code>(?:(?!\n[ \t]*\n).)*?[^`])(?P=ticks)(?!`)", re.DOTALL)
_TICKS = re.compile(r"`{3,}")
_DEEP_HEADING = re.compile(r"^ {0,3}#{4,6}[ \t]+(?P<title>[^\n]*?)(?:[ \t]+#+)?[ \t]*$", re.MULTILINE)
_DELIMITER = re.compile(r"(?<!\\)(?:`+|\*+|_+|~~|\[)")
_QUOTE_KEPT = 8
"""Characters of quote marks that a cut block of code is opened again with."""


def discord_markdown(text: str) -> tuple[str, list[Code]]:
    """The text for Discord, and where its blocks of code are."""
    page = _Page()
    for line in lines(with_tables_drawn(clean(text))):
        page.add(line)
    return page.done()


class _Page:
    """The lines so far. What is not code waits until the next block, because its spans go over lines."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._length = 0
        self._prose: list[str] = []
        self._codes: list[Code] = []
        self._start = self._body = 0
        self._opening = ""

    def add(self, line: Line) -> None:
        """Take the next line."""
        match line.role:
            case "text":
                self._prose.append(line.text)
            case "open":
                self._open(line)
            case "body":
                self._write(line.quote + _TICKS.sub(lambda run: "\u200b".join(run[0]), line.text))
            case "close":
                end = max(self._length - 1, self._body)
                self._write(line.quote + "```")
                closing = f"\n{line.quote[:_QUOTE_KEPT]}```"
                self._codes.append(Code(self._start, self._body, end, self._length - 1, self._opening, closing))

    def done(self) -> tuple[str, list[Code]]:
        """The whole text and its blocks of code."""
        self._flush()
        return "\n".join(self._lines).rstrip(), self._codes

    def _open(self, line: Line) -> None:
        """A fence begins. Info that is no language goes on a line of its own, since Discord would show it as code."""
        language = line.info if LANGUAGE.fullmatch(line.info) else ""
        before = line.text
        if line.info and not language:
            self._prose.append(line.text + _TICKS.sub(_escaped, line.info))
            before = line.quote
        self._flush()
        self._start = self._length
        self._opening = f"{line.quote[:_QUOTE_KEPT]}```{language}\n"
        self._write(f"{before}```{language}")
        self._body = self._length

    def _write(self, line: str) -> None:
        self._lines.append(line)
        self._length += len(line) + 1

    def _flush(self) -> None:
        if self._prose:
            self._write(_prose("\n".join(self._prose)))
            self._prose.clear()


def _escaped(run: re.Match[str]) -> str:
    return "".join("\\" + tick for tick in run[0])


def _prose(text: str) -> str:
    """Everything outside of blocks of code; what stands in code spans stays as it is."""
    out, at = [], 0
    for span in _SPAN.finditer(text):
        out += [_plain(text[at : span.start()]), span[0]]
        at = span.end()
    out.append(_plain(text[at:]))
    return "".join(out)


def _plain(text: str) -> str:
    text = _TICKS.sub(_escaped, text)
    text = _LINK.sub(_shown_link, text)
    text = text.replace("||", "\\|\\|")
    return _DEEP_HEADING.sub(lambda heading: f"**{heading['title']}**" if heading["title"] else "", text)


def _shown_link(link: re.Match[str]) -> str:
    label, url = link["label"].strip(), link["url"]
    return f"<{url}>" if label == url or not label else f"{label} (<{url}>)"


def inline_spans(text: str, start: int, end: int, codes: Sequence[Code]) -> list[Span]:
    """Code spans, emphasis and links in ``text[start:end]``; one that is still open there is held to the end."""
    spans: list[Span] = []
    at = start
    for code in (*(c for c in codes if c.start < end and start < c.close), Code(end, end, end, end)):
        while at < code.start:
            gap = PARAGRAPH.search(text, at, code.start)
            last = gap.start() if gap else code.start
            _find_spans(text, at, last, last == end, spans)
            at = gap.end() if gap else code.start
        at = max(at, code.close)
    return spans


def _find_spans(text: str, at: int, last: int, is_open: bool, spans: list[Span]) -> None:
    """The spans of one paragraph. ``is_open``: it goes on behind ``last``, so what it closes there cannot be seen."""
    unclosed: set[str] = set()
    while found := _DELIMITER.search(text, at, last):
        mark, at = found[0], found.end()
        if mark == "[":
            link = _LINK.match(text, found.start(), last)
            close = link.end() if link else -1
        elif mark[0] == "`":
            if mark in unclosed:
                continue
            close = _closing_ticks(text, mark, at, last)
            at = max(at, close)
        else:
            inside_word = mark[0] == "_" and found.start() > 0 and text[found.start() - 1].isalnum()
            if inside_word or mark in unclosed or (at < last and text[at].isspace()):
                continue
            close = _closing_mark(text, mark, at, last)
        if close > 0:
            spans.append((found.start(), close))
        elif mark != "[":
            unclosed.add(mark)
            if is_open:
                spans.append((found.start(), last + 1))


def _closing_ticks(text: str, ticks: str, at: int, last: int) -> int:
    found = re.compile(rf"(?<!`){ticks}(?!`)").search(text, at, last)
    return found.end() if found else -1


def _closing_mark(text: str, mark: str, at: int, last: int) -> int:
    place = text.find(mark, at, last)
    while place >= 0 and text[place - 1].isspace():
        place = text.find(mark, place + 1, last)
    return place + len(mark) if place >= 0 else -1
