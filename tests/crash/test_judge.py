"""The judge of the crash runs, on observations made by hand."""

from __future__ import annotations

import pytest

from core.engine import Sampling, numbered_words
from core.messages import Message
from tests.crash.judge import judge
from tests.crash.records import Book, Seen, Sent, State, mark, whole


def answer(prompt: str, words: int | None = None) -> str:
    """The answer to a prompt of three words, or its first ``words``."""
    return " ".join(f"{number}-{mark(prompt)}" for number in range(1, 4)[:words])


def seen(prompt: str, text: str | None = None, state: State = "answered", conversation: str = "a") -> Seen:
    return Seen(conversation, prompt, answer(prompt) if text is None else text, state)


def book_of(*prompts: str, hits: int = 0) -> Book:
    book = Book()
    for prompt in prompts:
        book.accepted(book.sends(Sent(f"event {prompt}", "a", prompt, hits=hits)))
    return book


ONE, TWO, THREE = "words=3 one", "words=3 two", "words=3 three"


def test_what_everybody_got_whole_once_and_in_order_is_good() -> None:
    verdict = judge(book_of(ONE, TWO, THREE), [seen(ONE), seen(TWO), seen(THREE)])
    assert verdict.good
    assert verdict.messages == 3


@pytest.mark.parametrize("text", ["", answer(ONE, 2), answer(ONE) + " more", answer(TWO), answer(ONE)[::-1]])
def test_anything_but_the_whole_answer_is_lost(text: str) -> None:
    assert judge(book_of(ONE), [seen(ONE, text)]).lost == 1


def test_an_answer_with_a_word_missing_in_its_middle_is_lost() -> None:
    words = answer(ONE).split()
    assert judge(book_of(ONE), [seen(ONE, " ".join((words[0], words[2])))]).lost == 1


def test_an_accepted_message_of_which_nothing_is_shown_is_lost() -> None:
    assert judge(book_of(ONE, TWO), [seen(ONE)]).lost == 1


def test_a_message_that_nobody_accepted_may_be_missing() -> None:
    book = book_of(ONE)
    book.refused(book.sends(Sent("refused", "a", TWO)), "queue_full")
    assert judge(book, [seen(ONE)]).good


def test_an_apology_counts_only_after_three_kills() -> None:
    shown = [seen(ONE, "", "apology")]
    assert judge(book_of(ONE, hits=2), shown).lost == 1
    verdict = judge(book_of(ONE, hits=3), shown)
    assert (verdict.lost, verdict.apologies) == (0, 1)


def test_more_than_one_apology_in_fifty_messages_is_wrong() -> None:
    prompts = [f"words=3 {number}" for number in range(100)]
    for apologies, good in ((2, True), (3, False)):
        shown = [seen(p, "", "apology") if i < apologies else seen(p) for i, p in enumerate(prompts)]
        assert judge(book_of(*prompts, hits=3), shown).good is good


def test_a_failed_answer_is_lost_however_many_kills_hit_it() -> None:
    assert judge(book_of(ONE, hits=9), [seen(ONE, "", "failed")]).lost == 1


def test_two_messages_with_an_answers_text_are_doubled() -> None:
    assert judge(book_of(ONE), [seen(ONE), seen(ONE)]).doubled == 1
    assert judge(book_of(ONE, TWO), [seen(ONE), seen(TWO, answer(TWO) + answer(ONE, 1))]).doubled == 1
    assert judge(book_of(ONE), [seen(ONE), seen(ONE, answer(ONE, 1), "open")]).doubled == 1


def test_an_apology_beside_the_answer_is_doubled() -> None:
    assert judge(book_of(ONE, hits=3), [seen(ONE), seen(ONE, "", "apology")]).doubled == 1


def test_an_end_that_was_seen_and_undone_is_doubled() -> None:
    book = book_of(ONE)
    book.ended(book.sent[0])
    book.open_again(book.sent[0])
    assert judge(book, [seen(ONE)]).doubled == 1


def test_an_answer_before_that_of_an_earlier_message_is_reordered() -> None:
    book = book_of(ONE, TWO, THREE)
    assert judge(book, [seen(TWO), seen(ONE), seen(THREE)]).reordered == 1
    assert judge(book, [seen(THREE), seen(ONE), seen(TWO)]).reordered == 2


def test_the_order_between_two_conversations_is_free() -> None:
    book = book_of(ONE, TWO)
    book.sent[1].conversation = "b"
    assert judge(book, [seen(TWO, conversation="b"), seen(ONE)]).good


def test_what_has_no_end_is_an_orphan() -> None:
    verdict = judge(book_of(ONE), [seen(ONE), seen(ONE, "", "open")])
    assert verdict.orphans == 1
    assert verdict.lost == verdict.doubled == 0


def test_an_answer_to_what_no_client_was_told_yes_for_is_an_orphan() -> None:
    assert judge(book_of(ONE), [seen(ONE), seen(TWO)]).orphans == 1


def test_a_kill_hits_every_message_that_has_no_end_yet() -> None:
    book = book_of(ONE, TWO)
    book.ended(book.sent[0])
    book.killed()
    assert [sent.hits for sent in book.sent] == [0, 1]
    assert (book.kills, book.kills_in_answers) == (1, 1)
    book.ended(book.sent[1])
    book.killed()
    assert (book.kills, book.kills_in_answers) == (2, 1)


def test_the_expected_answer_is_the_one_that_the_scripted_engine_gives() -> None:
    for prompt in ("words=1 x", "words=12 두 번째", "hello words=40"):
        assert whole(numbered_words([Message("user", prompt)], Sampling()), prompt)
