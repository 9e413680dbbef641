"""The window: what of a conversation the model sees."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.messages import Message, Turn, groups, window

TURN = Turn(
    id=1, conversation="c", parent=None, source=None, kind="send", user="u", persona="p", language="en",
    prompt="question", reply="answer", ids=(1, 2), seed=0, finish_reason="stop", cause=None, shown=True,
    deleted=False, attempts=1, place="", refs=(), prompt_tokens=0, computed_tokens=0, reply_tokens=0, cost=0,
    left_out=0, asked=0.0, accepted=0.0, started=None, finished=None,
)  # fmt: skip


def exchange(name: str) -> list[Message]:
    return [Message("user", f"q{name}"), Message("assistant", f"a{name}")]


def test_an_unanswered_question_comes_last_and_alone():
    path = [TURN, replace(TURN, id=2, prompt="next", reply="", ids=None, finish_reason=None)]
    assert groups(path) == [
        [Message("user", "question"), Message("assistant", "answer", (1, 2))],
        [Message("user", "next")],
    ]


def test_a_deleted_turn_is_skipped():
    assert groups([replace(TURN, deleted=True), replace(TURN, id=2, prompt="next")])[0][0].content == "next"


def test_a_continuation_lengthens_the_answer_before_it_with_its_exact_tokens():
    more = replace(TURN, id=2, kind="proceed", prompt="", reply=" goes on", ids=(3,))
    assert groups([TURN, more])[-1][-1] == Message("assistant", "answer goes on", (1, 2, 3))


def test_a_continuation_still_unanswered_ends_with_the_answer_so_far():
    more = replace(TURN, id=2, kind="proceed", prompt="", reply="", ids=None, finish_reason=None)
    assert groups([TURN, more]) == [[Message("user", "question"), Message("assistant", "answer", (1, 2))]]


def test_a_continuation_with_unknown_tokens_makes_the_whole_answer_unknown():
    more = replace(TURN, id=2, kind="proceed", prompt="", reply=" goes on", ids=None)
    assert groups([TURN, more])[-1][-1] == Message("assistant", "answer goes on", None)


def test_a_continuation_of_a_deleted_answer_is_skipped_with_it():
    more = replace(TURN, id=2, kind="proceed", prompt="", reply=" goes on")
    assert groups([replace(TURN, deleted=True), more]) == []
    before = replace(TURN, id=0, prompt="before", reply="stays as it is")
    assert groups([before, replace(TURN, deleted=True), more, replace(more, id=3)]) == groups([before])


def test_an_answer_that_never_came_leaves_its_question():
    path = [replace(TURN, reply="", ids=None, finish_reason="error"), replace(TURN, id=2, prompt="again?")]
    assert [m.role for e in groups(path) for m in e] == ["user", "user", "assistant"]


def test_everything_stays_while_it_fits():
    seen = window("be kind", [exchange("1"), exchange("2")], [10, 10], 20)
    assert seen.left_out == 0
    assert [m.role for m in seen.messages] == ["system", "user", "assistant", "user", "assistant"]


def test_an_overflow_drops_the_oldest_down_to_three_quarters():
    seen = window("", [exchange(str(i)) for i in range(5)], [10] * 5, 40)
    assert seen.left_out == 2
    assert seen.messages[0].content == "q2"


def test_the_newest_exchange_stays_even_if_it_alone_does_not_fit():
    seen = window("", [exchange("1"), exchange("2")], [10, 99], 40)
    assert (seen.left_out, seen.messages) == (1, tuple(exchange("2")))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(30, 100))
def test_the_window_fits_is_a_suffix_and_its_start_never_goes_back(lengths, room):
    exchanges = [exchange(str(i)) for i in range(len(lengths))]
    starts = []
    for n in range(1, len(lengths) + 1):
        seen = window("", exchanges[:n], lengths[:n], room)
        starts.append(seen.left_out)
        assert seen.messages == tuple(m for e in exchanges[seen.left_out : n] for m in e)
        assert sum(lengths[seen.left_out : n]) <= room
    assert starts == sorted(starts)


@given(st.lists(st.integers(1, 10), min_size=2, max_size=60))
def test_when_the_start_moves_a_quarter_of_the_room_is_free_again(lengths):
    room = 40
    exchanges = [exchange(str(i)) for i in range(len(lengths))]
    before = 0
    for n in range(1, len(lengths) + 1):
        start = window("", exchanges[:n], lengths[:n], room).left_out
        if start != before:
            assert sum(lengths[start:n]) <= room * 3 // 4 or start == n - 1
        before = start
