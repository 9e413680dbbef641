"""A model's Markdown as HTML that can do no harm: no HTML of its own, no picture loaded, no address but web and mail.

An answer is a list of top-level blocks, each a string of HTML, so that a page that follows a growing answer exchanges
only the last of them. Two fences: the parser makes no HTML of HTML, and whatever it makes is sanitized by `nh3`.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_SCHEMES = {"http", "https", "mailto"}
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that turn the direction of what follows, past the end of the text (Unicode UAX 9, 2.1 to 2.4)."""
_LANGUAGE = re.compile(r"[A-Za-z0-9+#._-]{1,24}")
_ALIGNED = {"text-align:left": "left", "text-align:center": "center", "text-align:right": "right"}
_TAGS = set(
    "p br hr h3 h4 h5 h6 strong em s a ul ol li blockquote pre code table thead tbody tr th td div".split()  # noqa: SIM905 (reads as a list of tags)
)
_ATTRIBUTES = {
    "a": {"href", "title", "data-host", "target"},
    "ol": {"start"},
    "pre": {"data-language", "tabindex"},
    "div": {"tabindex"},
    "*": {"dir"},
}
_CLASSES = {
    "a": {"picture"},
    "div": {"wide"},
    **{key: {"left", "center", "right"} for key in ("th", "td")},
    **{key: {f"level-{n}" for n in range(1, 7)} for key in ("h3", "h4", "h5", "h6")},
}
KEPT_CHARACTERS = 4_000_000
"""How much text `Renderer` remembers the HTML of; about three times that in memory."""


class Renderer:
    """Markdown to blocks of HTML; remembers what it has made of whole answers."""

    def __init__(self) -> None:
        self._parser = _parser()
        self._options = self._parser.options
        self._kept: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._characters = 0

    def blocks(self, text: str) -> tuple[str, ...]:
        """The blocks of a whole answer."""
        found = self.kept(text)
        return self.keep(text, self.render(text)) if found is None else found

    def kept(self, text: str) -> tuple[str, ...] | None:
        """What it remembers of a text."""
        found = self._kept.get(text)
        if found is not None:
            self._kept.move_to_end(text)
        return found

    def render(self, text: str) -> tuple[str, ...]:
        """The blocks, made and not remembered: any thread may call this. About 3 ms for a thousand characters."""
        return tuple(block for _, block in self.parse(_plain(text), {}))

    def keep(self, text: str, blocks: tuple[str, ...]) -> tuple[str, ...]:
        """Remember what was made of a text; gives it back."""
        if text not in self._kept:
            self._characters += len(text)
        self._kept[text] = blocks
        while self._characters > KEPT_CHARACTERS:
            self._characters -= len(self._kept.popitem(last=False)[0])
        return blocks

    def forget(self) -> None:
        """Drop what is remembered."""
        self._kept.clear()
        self._characters = 0

    def parse(self, text: str, env: dict[str, Any]) -> list[tuple[int, str]]:
        """Top-level blocks, each with the number of its first line. ``env`` carries references and heading levels."""
        tokens = self._parser.parse(text, env)
        return [
            (group[0].map[0] if group[0].map else 0, _clean(self._parser.renderer.render(group, self._options, env)))
            for group in _groups(tokens)
        ]


class Growing:
    """The blocks of one text while it grows. What can no longer change is not parsed again.

    A block is settled once a later one has begun on a line that is complete. Only a link whose address is defined
    further down is not one before the whole answer is rendered.
    """

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._settled: list[str] = []
        self._env: dict[str, Any] = {}
        self._start = self._looked = 0

    @property
    def settled(self) -> int:
        """How many characters at the start are not parsed again."""
        return self._start

    def blocks(self, text: str) -> list[str]:
        """The blocks of ``text``, which begins with the text of the call before."""
        text = _plain(text)
        end = text.rfind("\n") + 1
        if end > self._looked:
            self._looked = end
            self._settle(text[self._start : end])
        rest = self._renderer.parse(text[self._start :], _copy(self._env))
        return [*self._settled, *(block for _, block in rest)]

    def _settle(self, text: str) -> None:
        found = self._renderer.parse(text, _copy(self._env))
        if len(found) < 2:
            return
        self._settled += (block for _, block in found[:-1])
        done = "".join(line + "\n" for line in text.split("\n")[: found[-1][0]])
        self._renderer.parse(done, self._env)
        self._start += len(done)


def _plain(text: str) -> str:
    """The text with one kind of line end, as the parser counts lines, and nothing that turns its direction."""
    return _TURNING.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _copy(env: dict[str, Any]) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, dict) else value for key, value in env.items()}


def _groups(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """The tokens of each top-level block."""
    group: list[Token] = []
    for token in tokens:
        group.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield group
            group = []


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        url_relative="deny",
        link_rel="noopener noreferrer nofollow",
        allowed_classes=_CLASSES,
    ).strip()


# The parser, and what is done to its tokens.


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = _leads_out  # type: ignore[method-assign]  # the documented way to choose one's own
    parser.core.ruler.push("conch", _adapt)
    parser.add_render_rule("fence", _code)
    parser.add_render_rule("code_block", _code)
    parser.add_render_rule("table_open", lambda *_: '<div class="wide" tabindex="0"><table>')
    parser.add_render_rule("table_close", lambda *_: "</table></div>")
    return parser


def _leads_out(url: str) -> bool:
    """Only whole addresses: a relative one would lead into this page."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme.lower() in _SCHEMES and bool(parts.netloc or parts.scheme.lower() == "mailto")


def _adapt(state: StateCore) -> None:
    """Headings below the page's own and without gaps, alignment as a class, pictures as links, directions apart."""
    for token in state.tokens:
        if token.type == "inline":
            token.children = list(_links(token.children or []))
        elif token.type in ("heading_open", "heading_close"):
            _lower(token, state.env)
        elif token.type in ("th_open", "td_open") and (style := token.attrGet("style")):
            token.attrs = {"class": _ALIGNED.get(str(style), "left")}
        if token.type in ("paragraph_open", "heading_open", "list_item_open", "th_open", "td_open"):
            token.attrSet("dir", "auto")


def _lower(token: Token, env: Any) -> None:
    if token.nesting > 0:
        wanted = int(token.tag[1])
        env["level"] = min(wanted + 2, env.get("level", 2) + 1, 6)
        token.attrSet("class", f"level-{wanted}")
    token.tag = f"h{env['level']}"


def _links(tokens: Sequence[Token]) -> Iterator[Token]:
    """Inline tokens whose pictures are links, or plain text where they are in a link; links say where they lead."""
    depth = 0
    for token in tokens:
        if token.type == "image":
            yield from _picture(token, inside=depth > 0)
            continue
        if token.type == "link_open":
            depth += 1
            _mark(token)
        elif token.type == "link_close":
            depth -= 1
        yield token


def _picture(token: Token, *, inside: bool) -> Iterator[Token]:
    address = str(token.attrGet("src") or "")
    text = Token("text", "", 0, content=token.content.strip() or address)
    if inside:
        yield text
        return
    start = Token("link_open", "a", 1, attrs={"href": address, "class": "picture"})
    _mark(start)
    yield from (start, text, Token("link_close", "a", -1))


def _mark(link: Token) -> None:
    """A link opens apart from the page, and tells its true host, whatever its text says."""
    address = str(link.attrGet("href") or "")
    link.attrs = {**link.attrs, "target": "_blank", "title": address}
    if host := urlsplit(address).netloc.rpartition("@")[2]:
        link.attrSet("data-host", host)


def _code(_renderer: RendererProtocol, tokens: Sequence[Token], index: int, *_: Any) -> str:
    token = tokens[index]
    named = _LANGUAGE.match(token.info.strip())
    language = f' data-language="{named[0]}"' if named else ""
    text = token.content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f'<pre tabindex="0"{language}><code>{text}</code></pre>'
