"""Markdown as plain text with entities, the form that Telegram cannot fail to parse. Pure.

Built from markdown-it-py's tokens. Nothing that a reader should see is lost: HTML and ``&amp;`` stay as they are
typed, a link that may not be a link stays as it was written, and so do definitions of references.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt
from markdown_it.token import Token

from bots.text.characters import clean, visible
from bots.text.fences import LANGUAGE, with_tables_drawn

DEEPEST = 40
"""Lists and quotes in each other up to which the parser follows; a text that goes deeper is shown as it is."""
MOST_UNCLOSED = 500
"""Brackets left open up to which the text is parsed: each costs the parser a look through all that follows."""
RULE = "———"
BULLET = "•"
LONE = frozenset({"code", "pre", "text_link"})
"""Kinds that are in no other of these."""
CODE = {"code": frozenset({"blockquote"}), "pre": frozenset[str]()}
"""What may go on round code; all else that is open is interrupted for it."""

_WEB = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9-]*[A-Za-z0-9](?::\d{1,5})?(?:[/?#][!-~]*)?"
)
_MAIL = re.compile(r"mailto:[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")
_TELEGRAM = re.compile(r"tg://(?!user\b|openmessage\b)[a-z]+(?:\?[!-~]*)?")
_MENTION = re.compile(r"(?<![\w/@.])@(?=[A-Za-z]\w{3})")
_STYLES = {"strong": "bold", "em": "italic", "s": "strikethrough"}


@dataclass(frozen=True, slots=True)
class Entity:
    """How a stretch of text looks: ``bold``, ``italic``, ``strikethrough``, ``code``, ``pre`` (with ``language``),
    ``text_link`` (with ``url``), ``blockquote``. The unit of ``offset`` and ``length`` is its holder's."""

    kind: str
    offset: int
    length: int
    url: str = ""
    language: str = ""

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.offset + self.length


def rich_text(text: str) -> tuple[str, list[Entity]]:
    """The Markdown as plain text, and its entities in order, offsets in characters of the plain text.

    Two entities are apart or one contains the other; none is blank at an end, but for blocks of code.
    """
    source = with_tables_drawn(clean(text))
    if source.count("[") - source.count("]") > MOST_UNCLOSED:
        return source, []
    tokens = _PARSER.parse(source)
    if any(token.level >= DEEPEST - 1 for token in tokens):  # what is inside, the parser has left out
        return source, []
    writer = _Writer()
    _Page(writer, source.split("\n")).write(tokens)
    return writer.done()


def may_link(url: str) -> bool:
    """May model text carry this address? The web, without a name before the host; mail; Telegram, but no people."""
    return bool(_WEB.fullmatch(url) or _MAIL.fullmatch(url) or _TELEGRAM.fullmatch(url))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": DEEPEST}).enable("strikethrough")
    parser.disable(["entity", "reference", "html_block", "html_inline"])
    parser.validateLink = may_link  # type: ignore[method-assign]  # the library's own way to set it
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]  # likewise: no letter is recoded
    parser.normalizeLinkText = lambda link: link  # type: ignore[method-assign]  # likewise
    return parser


_PARSER = _parser()


@dataclass(slots=True)
class _Open:
    """A kind that what is written next belongs to; ``start`` None = nothing has been written in it yet."""

    kind: str
    url: str = ""
    language: str = ""
    start: int | None = None


class _Writer:
    """The plain text so far, and what of it looks how."""

    def __init__(self) -> None:
        self.length = 0
        self._pieces: list[str] = []
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def write(self, text: str) -> None:
        """Add text in all the kinds that are open."""
        if not text:
            return
        code = next((o.kind for o in self._open if o.kind in CODE), None)
        for kind in self._open:
            if kind.start is None and (code is None or kind.kind == code or kind.kind in CODE[code]):
                kind.start = self.length
        self._pieces.append(text)
        self.length += len(text)

    def open(self, kind: str, url: str = "", language: str = "") -> bool:
        """Begin a kind; False where it would stand in one of its own, or a lone one in a lone one."""
        if any(o.kind == kind or (o.kind in LONE and kind in LONE) for o in self._open):
            return False
        if kind in CODE:
            for other in self._open:
                if other.kind not in CODE[kind]:
                    self._keep(other)
                    other.start = None
        self._open.append(_Open(kind, url, language))
        return True

    def close(self, kind: str) -> None:
        """End a kind."""
        at = next(i for i, o in enumerate(self._open) if o.kind == kind)
        self._keep(self._open.pop(at))

    def done(self) -> tuple[str, list[Entity]]:
        """The whole text without blanks at its end, and the entities in order."""
        text = "".join(self._pieces)
        kept = text.rstrip()
        trimmed = (trim(entity, kept) for entity in self._entities)
        return kept, sorted((e for e in trimmed if e.length), key=lambda e: (e.offset, -e.length, e.kind in CODE))

    def _keep(self, kind: _Open) -> None:
        if kind.start is not None and self.length > kind.start:
            self._entities.append(Entity(kind.kind, kind.start, self.length - kind.start, kind.url, kind.language))


def trim(entity: Entity, text: str) -> Entity:
    """The entity without the blanks at its ends, and inside of the text; a block of code keeps its first indent."""
    start, end = entity.offset, min(entity.end, len(text))
    while start < end and text[end - 1].isspace():
        end -= 1
    while start < end and (text[start] == "\n" or (entity.kind != "pre" and text[start].isspace())):
        start += 1
    return replace(entity, offset=start, length=max(end - start, 0))


class _Page:
    """Walks the tokens: blocks one under the other as the source has them, lists and quotes indented."""

    def __init__(self, writer: _Writer, source: Sequence[str]) -> None:
        self._writer = writer
        self._source = source
        self._indent: list[str] = []
        self._fresh = True
        self._quotes: list[bool] = []

    def write(self, tokens: Sequence[Token]) -> None:
        """Write all blocks."""
        for token in tokens:
            match token.type:
                case "inline":
                    self._inline(token.children or [])
                case "fence" | "code_block":
                    self._code(token)
                case "hr":
                    self._begin(token)
                    self._writer.write(RULE)
                case "paragraph_open":
                    self._begin(token)
                case "heading_open":
                    self._begin(token)
                    self._writer.open("bold")
                case "heading_close":
                    self._writer.close("bold")
                case "list_item_open":
                    self._item(token)
                case "list_item_close":
                    self._indent.pop()
                    self._fresh = False
                case "blockquote_open":
                    self._quotes.append(self._writer.open("blockquote"))
                    if not self._quotes[-1]:
                        self._indent.append("│ ")
                case "blockquote_close":
                    if self._quotes.pop():
                        self._writer.close("blockquote")
                    else:
                        self._indent.pop()

    def _begin(self, token: Token) -> None:
        """On a new line, below a blank one where the source has one; right behind the mark of a list's item."""
        if self._fresh:
            self._fresh = False
            return
        line = token.map[0] if token.map else 0
        blank = line > 0 and not self._source[line - 1].strip(" \t>")
        self._newline(2 if blank else 1)

    def _newline(self, count: int = 1) -> None:
        self._writer.write("\n" * count + "".join(self._indent))

    def _item(self, token: Token) -> None:
        mark = f"{token.info}{token.markup}" if token.info else BULLET
        self._begin(token)
        self._writer.write(mark + " ")
        self._indent.append(" " * (len(mark) + 1) if token.info else "  ")
        self._fresh = True

    def _code(self, token: Token) -> None:
        info = token.info.strip()
        language = info if LANGUAGE.fullmatch(info) else ""
        self._begin(token)
        if info and not language:
            self._writer.write(info)
            self._newline()
        code = token.content.strip("\n")
        if visible(code):
            opened = self._writer.open("pre", language=language)
            self._writer.write(code)
            if opened:
                self._writer.close("pre")
        elif language:
            self._writer.write(language)

    def _inline(self, tokens: Sequence[Token]) -> None:
        opened: list[Callable[[], None]] = []
        for token in tokens:
            match token.type:
                case "text":
                    self._writer.write(_MENTION.sub("@\u2060", token.content))
                case "code_inline":
                    inside = self._writer.open("code")
                    self._writer.write(token.content)
                    if inside:
                        self._writer.close("code")
                case "softbreak" | "hardbreak":
                    self._newline()
                case "strong_open" | "em_open" | "s_open":
                    opened.append(self._styled(_STYLES[token.tag]))
                case "link_open":
                    opened.append(self._link(token, str(token.attrs.get("href", ""))))
                case "strong_close" | "em_close" | "s_close" | "link_close":
                    opened.pop()()
                case "image":
                    self._image(token)

    def _styled(self, kind: str) -> Callable[[], None]:
        if not self._writer.open(kind):
            return _nothing
        return lambda: self._writer.close(kind)

    def _link(self, token: Token, url: str) -> Callable[[], None]:
        """Begin a link, and return what ends it. A mail's address is written out: Telegram finds it by itself."""
        title = str(token.attrs.get("title", "") or "")
        is_link = token.info != "auto" and not _MAIL.fullmatch(url) and self._writer.open("text_link", url)

        def end() -> None:
            if is_link:
                self._writer.close("text_link")
            elif token.info != "auto":
                self._writer.write(f" ({url})")
            if title:
                self._writer.write(f" ({title})")

        return end

    def _image(self, token: Token) -> None:
        url = str(token.attrs.get("src", ""))
        end = self._link(token, url)
        if token.children:
            self._inline(token.children)
        else:
            self._writer.write(url)
        end()


def _nothing() -> None:
    """Ends a style that stands in its own kind."""
