"""Text comes as soon as it is sure, never half a character and never a stop string, each id with its text."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.local.text import Text


def bytewise(ids: Sequence[int]) -> str:
    """A tokenizer whose tokens are the bytes of UTF-8."""
    return bytes(ids).decode("utf-8", "replace")


def pieces(ids: Sequence[int]) -> str:
    """A tokenizer of whole words."""
    return "".join(WORDS[id_] for id_ in ids)


WORDS = [" Hel", "lo", " world", "\n", "GPT4", " Correct", " User", ":", "STOP", "ST", "OP", "x"]


def spell(text: str) -> list[int]:
    return list(text.encode())


def told(text: Text, ids: Sequence[int]) -> tuple[list[str], tuple[int, ...]]:
    """What each token gave, and all ids, up to the end or a stop string."""
    given_, all_ids = [], []
    for id_ in ids:
        said, behind = text.push(id_)
        given_.append(said)
        all_ids += behind
        if text.stopped:
            return given_, tuple(all_ids)
    said, behind = text.finish()
    return [*given_, said], tuple([*all_ids, *behind])


@pytest.mark.parametrize("whole", ["안녕하세요", "你好，世界", "👩‍👩‍👧 🇰🇷!", "é ﬁ ñ", "a😀b"])
def test_characters_come_whole_and_with_their_last_byte(whole: str) -> None:
    said, ids = told(Text(bytewise), spell(whole))
    assert "".join(said) == whole
    assert ids == tuple(spell(whole))
    assert [part for part in said if part] == list(whole)


@given(st.text(min_size=1), st.integers(min_value=0))
def test_an_answer_cut_anywhere_goes_on_where_it_stopped(whole: str, at: int) -> None:
    ids = spell(whole)
    cut = at % len(ids)
    before, first = told(Text(bytewise), ids[:cut])
    after, second = told(Text(bytewise, ids[:cut]), ids[cut:])
    assert first + second == tuple(ids)
    assert gist("".join(before + after)) == gist(whole)


@given(st.lists(st.integers(0, 255), max_size=40))
def test_bytes_that_are_no_text_never_raise_and_lose_no_id(ids: list[int]) -> None:
    said, all_ids = told(Text(bytewise), ids)
    assert all_ids == tuple(ids)
    readable = [sign for sign in bytewise(ids) if sign != "\ufffd" and not sign.isspace()]
    assert [sign for sign in "".join(said) if sign != "\ufffd" and not sign.isspace()] == readable


def test_half_a_character_at_the_end_is_not_shown_but_keeps_its_ids() -> None:
    said, ids = told(Text(bytewise), spell("ab 😀")[:-1])
    assert "".join(said).rstrip() == "ab"
    assert ids == tuple(spell("ab 😀")[:-1])


def test_white_space_at_the_beginning_is_not_shown_unless_an_answer_goes_on() -> None:
    assert "".join(told(Text(pieces), [3, 0, 1])[0]) == "Hello"
    assert "".join(told(Text(pieces, [0, 1]), [2])[0]) == " world"
    assert told(Text(pieces), [3, 0, 1])[1] == (3, 0, 1)


def test_a_stop_string_across_tokens_never_shows() -> None:
    text = Text(pieces, stop=["GPT4 Correct User:", "STOP"])
    said, ids = told(text, [0, 1, 3, 4, 5, 6, 7, 2])
    assert "".join(said) == "Hello\n"
    assert text.stopped
    assert ids == (0, 1, 3)


def test_what_only_began_like_a_stop_string_is_shown_when_that_is_sure() -> None:
    said, ids = told(Text(pieces, stop=["STOP", "OPEN"]), [11, 9, 9, 10, 11])
    assert said == ["x", "", "ST", ""]  # the stop string begins behind the first ST
    assert ids == (11, 9)
    said, ids = told(Text(pieces, stop=["STOP"]), [11, 9, 11, 9])
    assert said == ["x", "", "STx", "", "ST"]
    assert ids == (11, 9, 11, 9)


@given(st.text("abS TOP", max_size=30), st.lists(st.text("STOPab", min_size=1, max_size=4), min_size=1, max_size=3))
def test_an_answer_ends_before_the_first_stop_string_that_comes_true(whole: str, stops: list[str]) -> None:
    whole = "." + whole
    text = Text(bytewise, stop=stops)
    said, ids = told(text, spell(whole))
    shown = "".join(said)
    assert not any(stop in shown for stop in stops)
    assert text.stopped == any(stop in whole for stop in stops)
    assert whole.startswith(shown)
    assert bytewise(ids) == shown
    if text.stopped:
        ends = min(whole.index(stop) + len(stop) for stop in stops if stop in whole)
        assert len(shown) < ends
    else:
        assert shown == whole


def gist(text: str) -> str:
    return "".join(text.split())
