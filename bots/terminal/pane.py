"""Answers for people at a terminal: Markdown that grows, with a way back through what was said."""

from __future__ import annotations

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import Markdown
from rich.segment import Segment
from rich.text import Text

from bots.terminal.keyboard import printable


class Pane:
    """For people: Markdown that grows. Blocks that cannot change any more are printed for good, so that the terminal
    can scroll back; only the block that still grows is redrawn, ten times a second."""

    def __init__(self, console: Console | None = None) -> None:
        """``console`` None is standard output."""
        self._console = console or Console()
        self._wait = ""
        self._open = ""
        self._printed = False
        self._live: Live | None = None

    def note(self, text: str) -> None:
        self._console.print(Text(printable(text)), style="dim")

    def begin(self, text: str) -> None:
        self.waiting(text)

    def waiting(self, text: str) -> None:
        self._wait = printable(text)
        self._draw()

    def more(self, text: str) -> None:
        self._open += printable(text)
        if "\n" in text and (settled := settled_length(self._open)):
            self._print(self._open[:settled])
            self._open = self._open[settled:]
        self._draw()

    def end(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._open.strip():
            self._print(self._open)
        if self._printed:
            self._console.print()
        self._wait, self._open, self._printed = "", "", False

    def redraw(self) -> None:
        """Draws what still grows now, instead of at the next tenth of a second."""
        if self._live is not None:
            self._live.refresh()

    def _print(self, source: str) -> None:
        if self._printed:
            self._console.print()
        self._console.print(_Markdown(source))
        self._printed = True

    def _draw(self) -> None:
        if self._live is None:
            self._live = Live(
                get_renderable=self._growing, console=self._console, refresh_per_second=10, transient=True
            )
            self._live.start(refresh=True)

    def _growing(self) -> _Tail | Text:
        if self._open.strip():
            return _Tail(_Markdown(self._open), self._printed)
        return Text("" if self._printed else self._wait, style="dim")


PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable(["reference", "image"])
"""Markdown of which no word gets lost on a terminal: HTML, link definitions and pictures stay visible as text."""


def settled_length(source: str) -> int:
    """Characters of ``source`` that whatever follows cannot change: all before its last block."""
    lines = source.split("\n")[:-1]  # what a line means is known only at its end
    tokens = PARSER.parse("\n".join(lines))
    starts = [token.map[0] for token in tokens if token.level == 0 and token.map and token.nesting >= 0]
    return sum(len(line) + 1 for line in lines[: starts[-1]]) if starts else 0


class _Markdown(Markdown):
    """Rich's Markdown by our parser, with the addresses of links written out."""

    def __init__(self, source: str) -> None:
        super().__init__("", hyperlinks=False)
        self.markup = source
        self.parsed = PARSER.parse(source)


class _Tail:
    """The last lines of something that may be taller than the terminal."""

    def __init__(self, whole: Markdown, gap: bool) -> None:
        self._whole, self._gap = whole, gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._whole, options.update(height=None), pad=False)
        if self._gap:
            yield Segment.line()
        for line in lines[-max(1, console.height - 2) :]:
            yield from line
            yield Segment.line()
