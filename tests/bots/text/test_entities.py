"""Telegram's parts: plain text with entities that its server takes as they are."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.text.splitting import Entity, Part, entity_parts
from tests.support.examples import examples
from tests.support.letters import apart, letters, separated, texts, told, units

moderate = settings(max_examples=examples(120), suppress_health_check=list(HealthCheck))
KINDS = {"bold", "italic", "strikethrough", "code", "pre", "text_link", "blockquote"}


def covered(part: Part, entity: Entity) -> str:
    raw = part.text.encode("utf-16-le")
    return raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le")


def seen(text: str) -> list[tuple[str, str]]:
    """Kinds and what they cover, over all parts."""
    return [(entity.kind, covered(part, entity)) for part in entity_parts(text) for entity in part.entities]


def assert_telegram_takes(part: Part, limit: int = 4096, most: int = 100) -> None:
    """The rules of the Bot API: units, bounds, order, nesting."""
    assert 0 < units(part.text) <= limit
    assert len(part.entities) <= most
    assert part.text == part.text.rstrip()
    assert not part.text[0].isspace() or part.entities[0].kind == "pre"
    assert list(part.entities) == sorted(part.entities, key=lambda e: (e.offset, -e.length))
    around: list[Entity] = []
    for entity in part.entities:
        text = covered(part, entity)  # raises where a surrogate pair is cut
        assert entity.kind in KINDS
        assert entity.offset >= 0
        assert entity.length == units(text) > 0
        assert text == text.rstrip()
        assert entity.kind == "pre" or text == text.lstrip()
        while around and around[-1].offset + around[-1].length <= entity.offset:
            around.pop()
        for outer in around:
            assert entity.offset + entity.length <= outer.offset + outer.length
            assert outer.kind not in ("code", "pre", entity.kind)
            assert entity.kind != "pre"
            assert entity.kind != "code" or outer.kind == "blockquote"
        around.append(entity)


@moderate
@given(texts)
def test_every_letter_arrives_in_order_and_no_two_words_become_one(text: str) -> None:
    parts = entity_parts(text, 100_000, 100_000)
    sent = " ".join(told(part) for part in parts)
    assert letters(sent) == letters(text)
    assert apart(text) <= separated(sent)
    for part in parts:
        assert_telegram_takes(part, 100_000, 100_000)


@moderate
@given(st.lists(texts, max_size=8).map(" ".join), st.integers(64, 400), st.integers(1, 9))
def test_text_and_entities_are_cut_together(text: str, limit: int, most: int) -> None:
    whole, parts = entity_parts(text, 100_000, 100_000), entity_parts(text, limit, max(most, 4))
    for part in parts:
        assert_telegram_takes(part, limit, max(most, 4))
    before, after = " ".join(part.text for part in whole), "\n".join(part.text for part in parts)
    assert letters(after) == letters(before)
    assert apart(before) <= separated(after)


@pytest.mark.parametrize(
    ("source", "text", "entities"),
    [
        ("**b** *i* ~~s~~ `c`", "b i s c", [("bold", "b"), ("italic", "i"), ("strikethrough", "s"), ("code", "c")]),
        ("# Head *it*", "Head it", [("bold", "Head it"), ("italic", "it")]),
        ("**a `b` c**", "a b c", [("bold", "a"), ("code", "b"), ("bold", "c")]),
        ("- a\n  - b\n- c", "• a\n  • b\n• c", []),
        ("3) x\n4) y", "3) x\n4) y", []),
        ("- a\n\n  b\n\n- c", "• a\n\n  b\n\n• c", []),
        ("> q\n> r\n\nx", "q\nr\n\nx", [("blockquote", "q\nr")]),
        ("> `a`", "a", [("blockquote", "a"), ("code", "a")]),
        ("> a\n> > b", "a\n│ b", [("blockquote", "a\n│ b")]),
        ("> a\n> ```\n> c\n> ```", "a\nc", [("blockquote", "a"), ("pre", "c")]),
        ("vector<int> <p>&amp;</p>", "vector<int> <p>&amp;</p>", []),
        ("a\nb  \nc", "a\nb\nc", []),
        ("---", "———", []),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))", []),
        ("[x](http://user@evil.example)", "[x](http://user@evil.example)", []),
        ("[x](tg://user?id=1)", "[x](tg://user?id=1)", []),
        ("[x](page.html)", "[x](page.html)", []),
        ("[m](mailto:a@b.example)", "m (mailto:a@b.example)", []),
        ("<https://x.example>", "https://x.example", []),
        ("[r]: https://x.example 'title'", "[r]: https://x.example 'title'", []),
        ("hi @someone, a@b.example", "hi @\u2060someone, a@b.example", []),
        ("`@someone`", "@someone", [("code", "@someone")]),
        ("```py\n@app\n```", "@app", [("pre", "@app")]),
        ("🇰🇷 **굵게** 👍🏽 *기울임*", "🇰🇷 굵게 👍🏽 기울임", [("bold", "굵게"), ("italic", "기울임")]),
        ("\u202e**a**", "a", [("bold", "a")]),
        ("\\*a\\*", "*a*", []),
    ],
)
def test_markdown_becomes_text_and_entities(source: str, text: str, entities: list[tuple[str, str]]) -> None:
    assert "\n".join(part.text for part in entity_parts(source)) == text
    assert seen(source) == entities


def test_code_keeps_its_language_and_indent() -> None:
    (part,) = entity_parts("```c++\n  int a;\n\n  int b;\n```")
    assert part == Part("  int a;\n\n  int b;", (Entity("pre", 0, 18, language="c++"),))


def test_code_that_is_cut_is_code_in_both_parts() -> None:
    body = "\n".join(f"    line({i})" for i in range(20))
    parts = entity_parts(f"```python\n{body}\n```", 100)
    assert "\n".join(part.text for part in parts) == body
    assert all(part.entities == (Entity("pre", 0, len(part.text), language="python"),) for part in parts)


def test_a_link_carries_its_address_as_it_was_written() -> None:
    (part,) = entity_parts('see [the *page*](https://x.example/a?b=1&c=%20 "Title") and ![p](http://y.example)')
    assert part.text == "see the page (Title) and p"
    assert [(e.kind, e.url) for e in part.entities if e.url] == [
        ("text_link", "https://x.example/a?b=1&c=%20"),
        ("text_link", "http://y.example"),
    ]


def test_a_table_is_a_block_of_code() -> None:
    (part,) = entity_parts("| a | b |\n|---|---|\n| 1 | 2 | 3 |")
    assert part.text == "a   | b\n----+-----+----\n1   | 2   | 3"
    assert [e.kind for e in part.entities] == ["pre"]


def test_a_hundred_entities_fill_a_part() -> None:
    parts = entity_parts("`a` " * 250)
    assert [len(part.entities) for part in parts] == [100, 100, 50]
    assert " ".join(part.text for part in parts) == " ".join("a" * 250)


def test_lists_in_lists_in_lists_come_through_however_deep() -> None:
    deep = "\n".join("  " * i + f"- w{i}" for i in range(60))
    assert letters(" ".join(part.text for part in entity_parts(deep))) == letters(deep)
    quotes = ">" * 500 + " deep"
    assert letters(" ".join(part.text for part in entity_parts(quotes))) == "deep"
