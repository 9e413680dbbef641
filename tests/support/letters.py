"""How a person reads what was sent: the letters in order, and where they are kept apart. Knows nothing of Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from bots.text.splitting import Part

PIECES = [
    *(
        "word",
        "vector<int>",
        "<p>",
        "</p>",
        "<script>",
        "&amp;",
        "&copy;",
        "a_b_c",
        "2*3",
        "x",
        "100%",
        "C++",
        "foo.bar()",
    ),
    *(
        "**",
        "*",
        "_",
        "__",
        "~~",
        "`",
        "``",
        "```",
        "~~~",
        "````",
        "||",
        "\\",
        "\\*",
        "***",
        "!",
        "[",
        "]",
        "(",
        ")",
        "<",
        ">",
    ),
    *("\n", "\n", "\n\n", "\n\n", " ", " ", " ", "  \n", "    ", "\t", "\r\n", "\n---\n", "\n===\n"),
    *("\n- ", "\n  - ", "\n1. ", "\n7) ", "\n> ", "\n>> ", "\n# ", "\n#### ", "\n###### deep ######\n", "- [ ] "),
    *("\n```\n", "\n```py\n", "\n~~~\n", "\n   ```c++\n", "\n````md\n", "\n> ```js\n", "\n- ```sh\n", "```one line```"),
    *("\n| a | b |\n|---|:-:|\n| c | d | e |\n", "|", "\n|--|\n", "| one | two |"),
    *("[label](https://x.example/y_z?q=1)", "[b](javascript:alert)", "![pic](https://x.example/p.png)", "[c](no.md)"),
    *("<https://x.example/a>", "<me@x.example>", "[m](mailto:me@x.example)", "https://x.example/?a=1&b=2"),
    *('[t](https://x.example "a title")', "[ref]: https://x.example 'gone'", "[ref]", "[한국](https://x.example/한국)"),
    *(
        "한국어",
        "안녕하세요 여러분",
        "漢字。",
        "你好，世界",
        "“引号”",
        "ひらがなカタカナ",
        "עברית",
        "العربية",
        "ไทย",
        "नमस्ते",
        "Straße",
    ),
    *(
        "👨‍👩‍👧‍👦",
        "👍🏽",
        "🇰🇷🇨🇳",
        "❤️",
        "e\u0301",
        "Z\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308",
        "\u202eabc\u202c",
        "\u2066x\u2069",
        "\u200b",
    ),
    *("@everyone", "@someone", "/start", "#tag", "$x^2$", "\\(y\\)", "...", "—", "\x00", "\x1b", "\u2028"),
]
"""What models write, what people make them write, and what breaks converters."""

markdown = st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
texts = st.one_of(markdown, st.text(max_size=300), st.lists(markdown | st.text(max_size=40), max_size=8).map("".join))


FILLERS = "\u115f\u1160\u3164\uffa0"
"""Hangul fillers: letters by their category, but nothing to see."""


def is_letter(c: str) -> bool:
    """A letter or digit of any script."""
    return c.isalnum() and c not in FILLERS


def letters(text: str) -> str:
    """Letters and digits of any script, in order."""
    return "".join(filter(is_letter, text))


def apart(text: str) -> set[int]:
    """Between which letters (counted from the start) there is a blank."""
    places, count, blank = set(), 0, False
    for c in text:
        if is_letter(c):
            if blank and count:
                places.add(count)
            count, blank = count + 1, False
        elif c.isspace() or c in "\x00\x1b":
            blank = True
    return places


def separated(text: str) -> set[int]:
    """Between which letters there is anything that a reader sees as the end of a word."""
    places, count, seen = set(), 0, False
    for c in text:
        if is_letter(c):
            if seen and count:
                places.add(count)
            count, seen = count + 1, False
        elif c.isprintable() or c.isspace():
            seen = True
    return places


def units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def told(part: Part) -> str:
    """A part's text with what its entities carry: the language before code, the address behind its label."""
    raw = part.text.encode("utf-16-le")
    inserts: list[tuple[int, int, str]] = []
    for entity in part.entities:
        if entity.language:
            inserts.append((entity.offset, 1, f" {entity.language} "))
        if entity.url:
            inserts.append((entity.offset + entity.length, 0, f" {entity.url} "))
    for at, _, text in sorted(inserts, reverse=True):
        raw = raw[: 2 * at] + text.encode("utf-16-le") + raw[2 * at :]
    return raw.decode("utf-16-le")


def in_order(words: Sequence[str], text: str) -> bool:
    """Is every word in the text, each behind the one before?"""
    at = 0
    for word in words:
        found = text.find(word, at)
        if found < 0:
            return False
        at = found + len(word)
    return True
