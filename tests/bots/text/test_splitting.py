"""Discord's parts: nothing lost, nothing over the limit, code whole, and what is full stays as it is."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.text.splitting import Part, entity_parts, markdown_parts, with_note
from tests.support.examples import examples
from tests.support.letters import apart, in_order, letters, markdown, separated, texts, told, units

moderate = settings(max_examples=examples(120), suppress_health_check=list(HealthCheck))
DISCORD_CODE = re.compile(r"```(?:([A-Za-z0-9_+\-.#]+)\n)?\n*([^\n].*?)\n*```", re.DOTALL)
"""A block of code as Discord's clients find it."""


def joined(parts: list[Part]) -> str:
    return "\n".join(part.text for part in parts)


@moderate
@given(texts)
def test_every_letter_arrives_in_order_and_no_two_words_become_one(text: str) -> None:
    sent = " ".join(told(part) for part in markdown_parts(text, 100_000))
    assert letters(sent) == letters(text)
    assert apart(text) <= separated(sent)


@moderate
@given(st.lists(texts, max_size=8).map(" ".join), st.integers(64, 400))
def test_no_part_is_over_the_limit_or_blank_and_none_of_the_text_is_lost_between_parts(text: str, limit: int) -> None:
    whole, parts = markdown_parts(text, 100_000), markdown_parts(text, limit)
    assert all(units(part.text) <= limit and part.text.strip() for part in parts)
    sent = iter(letters(joined(parts)))  # a fence opened again repeats its language
    assert all(letter in sent for letter in letters(joined(whole)))


WORDS = [
    *("the", "quick", "`brown.fox()`", "**jumps**", "over", "the", "lazy", "*dog*", "done.", "(see", "above)", "3"),
    *("한국어로", "말해요.", "你好，世界。", "vector<int>", "👍🏽", "https://x.example/a/long/path"),
]
paragraph = st.lists(st.sampled_from(WORDS), min_size=1, max_size=60).map(" ".join)
listing = st.lists(paragraph, min_size=1, max_size=6).map(lambda items: "\n".join(f"- {item}" for item in items))
heading = paragraph.map(lambda words: f"## {words[:40]}")
code_line = st.lists(st.sampled_from(["x", "=", "한글", "{1}", "#", "**k", "[0]"]), max_size=12).map(" ".join)
code = st.tuples(st.sampled_from(["", "py", "c++"]), st.lists(code_line, min_size=1, max_size=20)).map(
    lambda block: f"```{block[0]}\n" + "\n".join(f"  {line}" for line in block[1]) + "\n```"
)
document = st.lists(st.one_of(paragraph, paragraph, listing, code, heading), min_size=1, max_size=10).map("\n\n".join)
splitters = st.sampled_from([markdown_parts, entity_parts])


@moderate
@given(document, st.integers(100, 400), st.floats(0, 1), splitters)
def test_while_an_answer_grows_its_full_parts_stay(
    text: str, limit: int, share: float, split: Callable[[str, int], list[Part]]
) -> None:
    grown = re.match(r"\S*", text[int(len(text) * share) :])  # to the end of a word: marks come in pairs
    before, after = split(text[: int(len(text) * share) + (grown.end() if grown else 0)], limit), split(text, limit)
    assert before[:-1] == after[: max(len(before) - 1, 0)]


@moderate
@given(document, st.integers(100, 400))
def test_code_arrives_line_by_line_in_blocks_that_discord_finds_with_their_language(text: str, limit: int) -> None:
    blocks = [block for part in markdown_parts(text, limit) for block in DISCORD_CODE.findall(part.text)]
    source = DISCORD_CODE.findall(text)
    lines = [line.strip() for _, body in source for line in body.split("\n") if line.strip()]
    sent = [line.strip() for _, body in blocks for line in body.split("\n") if line.strip()]
    if all(units(line) < limit // 2 for line in lines):
        assert sent == lines
    assert all(part.text.count("```") % 2 == 0 for part in markdown_parts(text, limit))
    assert {language for language, _ in blocks} <= {language for language, _ in source}


def test_a_cut_is_made_at_a_paragraph_then_a_line_then_a_sentence_then_a_word() -> None:
    a, b = "a" * 60, "b" * 60
    assert [part.text for part in markdown_parts(f"{a}\n\n{b} b", 100)] == [a, f"{b} b"]
    assert [part.text for part in markdown_parts(f"{a}\n{b}", 100)] == [a, b]
    assert [part.text for part in markdown_parts(f"{a}. x {b}", 100)] == [f"{a}.", f"x {b}"]
    assert [part.text for part in markdown_parts(f"{a} {b}", 100)] == [a, b]
    assert [part.text for part in markdown_parts("你好，" * 40, 100)] == ["你好，" * 33, "你好，" * 7]


def test_a_word_that_is_too_long_is_cut_but_no_character_is() -> None:
    family = "👨‍👩‍👧‍👦"
    parts = markdown_parts(family * 30, 100)
    assert "".join(part.text for part in parts) == family * 30
    assert all(len(part.text) % len(family) == 0 for part in parts)
    flags = markdown_parts("🇰🇷" * 60, 102)
    assert all(units(part.text) % 4 == 0 for part in flags)
    assert [len(part.text) for part in markdown_parts("x" * 250, 100)] == [100, 100, 50]


def test_a_fence_is_closed_and_opened_again_with_its_language() -> None:
    body = "\n".join(f"    line({i})" for i in range(20))
    first, *others = markdown_parts(f"Look:\n\n```python\n{body}\n```\n\nDone.", 120)
    assert first.text.startswith("Look:\n\n```python\n")
    assert first.text.endswith("\n```")
    assert all(part.text.startswith("```python\n    line(") for part in others)
    assert others[-1].text.endswith("```\n\nDone.")


def test_a_block_of_code_that_does_not_fit_any_more_begins_a_new_part() -> None:
    code = "```\n" + "x = 1\n" * 10 + "```"
    parts = markdown_parts("words " * 12 + "\n\n" + code, 100)
    assert [part.text for part in parts] == [("words " * 12).rstrip(), code]


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        ("~~~js\nlet a\n~~~", "```js\nlet a\n```"),
        ("````md\n```py\nx\n```\n````", "```md\n`\u200b`\u200b`py\nx\n`\u200b`\u200b`\n```"),
        ("```py\nnever closed", "```py\nnever closed\n```"),
        ("1. ```sh\n   ls\n   ```\n2. x", "1. ```sh\nls\n```\n2. x"),
        ("> ```py\n> x = 1\n> ```\nafter", "> ```py\n> x = 1\n> ```\nafter"),
        ("> ```\n> x\nafter", "> ```\n> x\n> ```\nafter"),
        ('```py title="a.py"\nx\n```', 'py title="a.py"\n```\nx\n```'),
        ("use ``` to open", "use \\`\\`\\` to open"),
        ("inline ```code``` here", "inline ```code``` here"),
        ("[label](https://x.example/a_(b))", "label (<https://x.example/a_(b)>)"),
        ("![picture](https://x.example/p.png)", "picture (<https://x.example/p.png>)"),
        ("[no](javascript:alert(1))", "[no](javascript:alert(1))"),
        ("`[code](https://x.example)` a || b", "`[code](https://x.example)` a \\|\\| b"),
        ("#### Deep", "**Deep**"),
        ("# High", "# High"),
        ("a\r\nb\u2028c", "a\nb\nc"),
        ("\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"),
    ],
)
def test_what_discord_would_read_otherwise_is_made_plain(source: str, sent: str) -> None:
    assert joined(markdown_parts(source)) == sent


def test_a_table_is_drawn_with_its_columns_under_each_other() -> None:
    table = "| Name | 값 |\n|:--|--:|\n| **a** | 1 | more |\n| 한국어 | `x` \\| y |"
    assert joined(markdown_parts(f"So:\n\n{table}\n\nend")) == (
        "So:\n\n```\nName   |    값\n-------+-------+-----\na      |     1 | more\n한국어 | x | y\n```\n\nend"
    )


def test_a_wide_table_is_not_padded() -> None:
    table = f"| {'a' * 50} | {'b' * 50} |\n|---|---|\n| c | d |"
    assert "\nc | d\n" in joined(markdown_parts(table))


def test_a_table_in_code_is_code() -> None:
    source = "```\n| a | b |\n|---|---|\n```"
    assert joined(markdown_parts(source)) == source


def test_stacks_of_marks_are_thinned_and_words_of_real_scripts_are_not() -> None:
    zalgo = "".join(c + "\u0301\u0302\u0336\u0489" * 10 for c in "hello")
    (part,) = markdown_parts(zalgo)
    assert letters(part.text) == "hello"
    assert len(part.text) <= 5 * 5 + 8
    for real in ("Việt Nam", "שָׁלוֹם", "ก็ไม่รู้", "བསྒྲུབས", "क्षत्रिय", "❤️‍🔥", "é", "1️⃣"):
        assert joined(markdown_parts(real)) == real


@pytest.mark.parametrize("nothing", ["", " \n\t ", "\u200b\u200d", "\u3164", "\u202e", "\x00"])
def test_nothing_to_see_is_no_part(nothing: str) -> None:
    assert markdown_parts(nothing) == entity_parts(nothing) == []


def test_emphasis_and_code_spans_are_not_cut_where_a_cut_before_them_will_do() -> None:
    for inner in ("**very bold words indeed here**", "`some code with many blanks`", "*one two three four five*"):
        parts = markdown_parts("w " * 40 + inner + " w" * 20, 100)
        assert any(inner in part.text for part in parts)


@pytest.mark.parametrize("split", [markdown_parts, entity_parts])
@pytest.mark.parametrize("text", ["> " * 30 + "a", "*a " * 3000, "[" * 20000, "`" * 9999, "|" * 9999, "- " * 3000])
def test_a_text_made_to_hang_a_parser_comes_through(split: Callable[[str], list[Part]], text: str) -> None:
    assert letters(joined(split(text))) == letters(text)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", "Stopped."),
        ("Half an", "Half an\n\n*Stopped.*"),
        ("```py\nx = ", "```py\nx =\n```\n\n*Stopped.*"),
        ("> ~~~\n> x", "> ~~~\n> x\n> ~~~\n\n*Stopped.*"),
        ("```\nx\n```", "```\nx\n```\n\n*Stopped.*"),
    ],
)
def test_a_note_stands_under_the_text_and_never_in_its_code(text: str, whole: str) -> None:
    assert with_note(text, "Stopped.") == whole


@moderate
@given(markdown)
def test_a_note_is_told_after_everything_else(text: str) -> None:
    for split in (markdown_parts, entity_parts):
        assert joined(split(with_note(text, "Stopped."))).rstrip("*_").endswith("Stopped.")


def test_a_limit_too_small_for_a_fence_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        markdown_parts("text", 63)


def test_a_long_story_in_three_scripts_arrives_whole() -> None:
    story = "\n\n".join(f"{i}. The end is near. 끝이 가까워요, 정말로요. 结局快到了。" * 8 for i in range(40))
    parts = markdown_parts(story)
    assert all(units(part.text) <= 1990 for part in parts)
    assert in_order(story.split(), joined(parts))
    assert letters(joined(parts)) == letters(story)
