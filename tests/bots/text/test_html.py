"""A model's Markdown: nothing in it is executed or fetched, and while it grows it looks as it will in the end."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bots.text.html import Growing, Renderer
from tests.support.examples import examples

HARMLESS = set("p br hr h3 h4 h5 h6 strong em s a ul ol li blockquote pre code table thead tbody tr th td div".split())  # noqa: SIM905
ATTRIBUTES = {"href", "title", "target", "rel", "class", "dir", "start", "tabindex", "data-language", "data-host"}


class Seen(HTMLParser):
    """The tags, attributes and text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def html(text: str) -> str:
    return "".join(Renderer().blocks(text))


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt&colon;alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:x)",
        "[x](//evil.example)",
        "[x](/api/export)",
        "[x](#key-wrong)",
        "[x](file:///etc/passwd)",
        "<javascript:alert(1)>",
        "![x](data:image/svg+xml,<svg onload=alert(1)>)",
        "[x]: javascript:alert(1)\n\n[x]",
        '```"><script>alert(1)</script>\ncode\n```',
        "| <b onclick=x> | b |\n|:-|-|\n| 1 | 2 |",
        '[x](https://a.example/"onmouseover="alert(1))',
        "[x](https://a.example '\"><script>alert(1)</script>')",
    ],
)
def test_nothing_hostile_comes_through(text: str) -> None:
    for tag, attributes in Seen(html(text)).tags:
        assert tag in HARMLESS
        assert attributes.keys() <= ATTRIBUTES
        assert (attributes.get("href") or "https:").startswith(("http:", "https:", "mailto:"))


@settings(max_examples=examples(150))
@given(st.text(alphabet="<>[]()!`*_#|-:/\\&;\"'= \n\tajs1.한字", max_size=120))
def test_whatever_the_text_only_harmless_tags_come_out(text: str) -> None:
    for tag, attributes in Seen(html(text)).tags:
        assert tag in HARMLESS
        assert attributes.keys() <= ATTRIBUTES
        assert (attributes.get("href") or "https:").startswith(("http:", "https:", "mailto:"))


def test_a_picture_is_a_link_and_is_never_loaded() -> None:
    made = html("![a cat](https://far.example/cat.png)")
    assert "<img" not in made
    assert '<a href="https://far.example/cat.png"' in made
    assert ">a cat</a>" in made
    assert ">https://far.example/cat.png</a>" in html("![](https://far.example/cat.png)")


def test_a_picture_in_a_link_is_its_text() -> None:
    links = [
        attributes
        for tag, attributes in Seen(html("[![logo](https://a.example/l)](https://b.example)")).tags
        if tag == "a"
    ]
    assert [link["href"] for link in links] == ["https://b.example"]


def test_a_link_opens_apart_and_tells_its_host() -> None:
    [link] = [a for tag, a in Seen(html("[my bank](https://user@evil.example:81/x)")).tags if tag == "a"]
    assert link["target"] == "_blank"
    assert set(str(link["rel"]).split()) == {"noopener", "noreferrer", "nofollow"}
    assert link["data-host"] == "evil.example:81"
    assert link["title"] == "https://user@evil.example:81/x"


def test_code_keeps_its_language_and_every_character() -> None:
    seen = Seen(html('```python\nprint("<b>&amp;")\n```'))
    assert seen.tags[0] == ("pre", {"tabindex": "0", "data-language": "python"})
    assert seen.text == 'print("<b>&amp;")\n'


def test_headings_leave_no_gap_and_begin_below_those_of_the_page() -> None:
    tags = [tag for tag, _ in Seen(html("### a\n\n# b\n\n###### c\n\n## d")).tags]
    assert tags == ["h3", "h3", "h4", "h4"]


def test_characters_that_turn_the_direction_are_left_out() -> None:
    assert "\u202e" not in html("safe\u202etxt.exe")
    assert 'dir="auto"' in html("مرحبا")


def test_tables_are_aligned_without_styles() -> None:
    made = html("| a | b |\n|:-:|--:|\n| 1 | 2 |")
    assert "style" not in made
    assert '<td class="center" dir="auto">1</td>' in made


def test_what_was_made_once_is_remembered_until_it_is_forgotten() -> None:
    renderer = Renderer()
    first = renderer.blocks("# once")
    assert renderer.blocks("# once") is first
    renderer.forget()
    assert renderer.blocks("# once") == first
    assert renderer.blocks("# once") is not first


BLOCKS = (
    "\n",
    "\n\n",
    "# h\n",
    "- x\n",
    "1. y\n",
    "```py\n",
    "```\n",
    "> q\n",
    "|a|b|\n",
    "|-|-|\n",
    "---\n",
    "===\n",
    "- - -\n",
)
INLINE = (
    "a",
    " b",
    "   ",
    "*",
    "**",
    "`",
    "[l](https://x.example)",
    "    code\n",
    "\t",
    "\r\n",
    "\r",
    "~~",
    "字",
    "<b>",
    "#",
)
PIECES = st.sampled_from((*BLOCKS, *INLINE))


@given(st.lists(PIECES, max_size=40))
@example(["x\n#", "foo"])
@example(["- a\n", "\n", "\n", "b\n", "\n", "- c\n"])
@example(["para\n", "===\n", "# h\n", "### deep\n", "x"])
@example(["```py\n", "# not a heading\n", "\n", "- no list\n", "```\n", "after"])
@example(["a\r", "\nb\n", "\n", "c"])
def test_a_growing_text_looks_like_the_whole_of_it(pieces: list[str]) -> None:
    renderer = Renderer()
    growing = Growing(renderer)
    text = ""
    for piece in pieces:
        text += piece
        assert growing.blocks(text) == list(renderer.blocks(text))
