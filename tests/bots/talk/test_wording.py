"""Sentences: no file has a mistake, all languages have the same, and each can be said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fluent.runtime import FluentResource
from fluent.syntax import ast, parse
from fluent.syntax.visitor import Visitor
from hypothesis import given
from hypothesis import strategies as st

from bots.talk.wording import Wording, queued, refused, span
from core import errors
from core.events import Queued

LOCALES = Path(__file__).parents[3] / "config" / "locales"
LANGUAGES = ("en", "ko", "zh")
FILES = sorted({path.name for path in LOCALES.glob("*/*.ftl")})


class Variables(Visitor):
    """Collects ``$name`` of a message, and the numbers that its select expressions tell apart."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_VariableReference(self, node: ast.VariableReference) -> None:  # noqa: N802 (the library's name)
        self.names.add(node.id.name)


def messages(language: str, file: str) -> dict[str, ast.Message]:
    path = LOCALES / language / file
    body = parse(path.read_text(encoding="utf-8")).body if path.exists() else []
    return {entry.id.name: entry for entry in body if isinstance(entry, ast.Message)}


def variables(message: ast.Message) -> set[str]:
    visitor = Variables()
    visitor.visit(message)
    return visitor.names


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording(LOCALES)


def test_the_three_languages_are_there(wording: Wording) -> None:
    assert set(wording.languages) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file", FILES)
def test_no_file_has_junk(language: str, file: str) -> None:
    body = parse((LOCALES / language / file).read_text(encoding="utf-8")).body
    assert [entry.content for entry in body if isinstance(entry, ast.Junk)] == []


@pytest.mark.parametrize("language", ["ko", "zh"])
@pytest.mark.parametrize("file", FILES)
def test_every_language_says_the_same_with_the_same_values(language: str, file: str) -> None:
    english, other = messages("en", file), messages(language, file)
    assert other.keys() == english.keys()
    assert {key: variables(message) for key, message in other.items()} == {
        key: variables(message) for key, message in english.items()
    }


def test_no_key_is_in_two_files() -> None:
    keys = [key for file in FILES for key in messages("en", file)]
    assert sorted(keys) == sorted(set(keys))


def samples(message: ast.Message) -> Iterator[dict[str, object]]:
    """Values for a message: as numbers (0, 1, 2, many) and as words, since any variable may be either."""
    for value in (0, 1, 2, 1234567, 0.5, "Name"):
        yield dict.fromkeys(variables(message), value)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_message_can_be_said_in_every_language(wording: Wording, language: str) -> None:
    for file in FILES:
        for key, message in messages(language, file).items():
            for values in samples(message):
                if message.value is not None:
                    said = wording(language, key, **values)
                    assert said.strip()
                    assert "{" not in said
                    assert "\u2068" not in said


def test_every_cause_of_a_refusal_has_its_sentence(wording: Wording) -> None:
    refusals = [
        errors.QueueFull(),
        errors.QueueFull(person=True),
        errors.TooFast(3.2),
        errors.BudgetSpent(7000.0),
        errors.TooLong(16000),
        *(kind() for kind in (errors.Empty, errors.NotAllowed, errors.NotYours, errors.NotFound)),
        *(
            kind()
            for kind in (errors.StillAnswering, errors.ShuttingDown, errors.Draining, errors.StoreFull, errors.Refused)
        ),
        *(kind() for kind in (errors.Expired, errors.NothingToContinue)),
    ]
    for language in LANGUAGES:
        sentences = [refused(wording.bind(language), error) for error in refusals]
        assert len(set(sentences)) == len(sentences)
    assert "4 seconds" in refused(wording.bind("en"), errors.TooFast(3.2))
    assert "16,000" in refused(wording.bind("ko"), errors.TooLong(16000))


ENDS = (
    "too_long too_long_in_all engine_failed expired gave_up store_full stopped deleted edited new loading paused "
    "file_too_big file_not_text file_unreadable"
)


@pytest.mark.parametrize("cause", ENDS.split())
def test_every_cause_of_an_end_has_its_sentence(wording: Wording, cause: str) -> None:
    assert len({wording(language, cause, limit=0) for language in LANGUAGES}) == 3


def test_a_question_too_long_for_the_model_hears_how_long_it_may_be_where_that_is_known(wording: Wording) -> None:
    for language in LANGUAGES:
        assert "6,300" in wording(language, "too_long", limit=6300)
        assert not any(letter.isdigit() for letter in wording(language, "too_long", limit=0))


def test_the_line_says_place_and_time_or_why_it_stands_still(wording: Wording) -> None:
    say = wording.bind("en")
    assert queued(say, Queued(2, 33.0)) == "2 ahead of you, about 35 seconds…"
    assert queued(say, Queued(2)) == "2 ahead of you…"
    assert queued(say, Queued(0, None, "loading")) == wording("en", "loading")
    assert queued(wording.bind("ko"), Queued(0)) == "다음 차례입니다…"


def test_an_unknown_key_or_a_missing_value_raises(wording: Wording) -> None:
    with pytest.raises(KeyError):
        wording("en", "no-such-sentence")
    with pytest.raises(KeyError):
        wording("ko", "too-long-characters")


def test_what_a_language_lacks_is_said_in_english(tmp_path: Path) -> None:
    for language, text in {"en": "a = A\nb = B { $x }", "ko": "a = 가"}.items():
        (tmp_path / language).mkdir()
        (tmp_path / language / "chat.ftl").write_text(text, encoding="utf-8")
    wording = Wording(tmp_path)
    assert [wording("ko", "a"), wording("ko", "b", x=1), wording("fr", "a")] == ["가", "B 1", "A"]


@pytest.mark.parametrize("text", ["a = A\nnot fluent", "a = A\na = B", "a = { $"])
def test_a_mistake_in_a_file_is_said_at_once(tmp_path: Path, text: str) -> None:
    (tmp_path / "en").mkdir()
    (tmp_path / "en" / "chat.ftl").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"chat\.ftl"):
        Wording(tmp_path)


@pytest.mark.parametrize(
    ("tags", "language"),
    [
        ("zh-Hant-TW", "zh"),
        ("yue-HK", "zh"),
        ("zh_CN", "zh"),
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("KO", "ko"),
        ("fr-FR,fr;q=0.9,zh;q=0.5,en;q=0.4", "zh"),
        ("en;q=0.1, ko;q=0.7", "ko"),
        ("ko;q=0, en", "en"),
        ("ko;q=x", "en"),
        ("kok", "en"),
        ("*", "en"),
        ("", "en"),
    ],
)
def test_a_browsers_or_platforms_tags_choose_the_language(wording: Wording, tags: str, language: str) -> None:
    assert wording.choose(tags.split(",")) == language


def test_durations_read_naturally_and_are_never_too_short(wording: Wording) -> None:
    said = {s: wording.duration("en", s) for s in (0, 1, 9.1, 11, 56, 61, 3599, 3600, 7500, 86400)}
    assert said == {
        0: "1 second",
        1: "1 second",
        9.1: "10 seconds",
        11: "15 seconds",
        56: "1 minute",
        61: "2 minutes",
        3599: "1 hour",
        3600: "1 hour",
        7500: "2 h 10 min",
        86400: "24 hours",
    }
    assert wording.duration("ko", 7500) == "2시간 10분"
    assert wording.duration("zh", 40) == "40 秒"


@given(st.floats(0, 1e6))
def test_a_span_is_at_least_the_time_and_not_much_more(seconds: float) -> None:
    unit, values = span(seconds)
    size = {"seconds": 1, "minutes": 60, "hours": 3600, "hours-minutes": 3600}[unit]
    total = values["count"] * size + values.get("minutes", 0) * 60
    assert seconds <= total <= max(1.25 * seconds + 3600 * (seconds > 18000), seconds + 60)


def test_the_library_reports_mistakes_as_junk() -> None:
    assert isinstance(FluentResource("not fluent").body[0], ast.Junk)
