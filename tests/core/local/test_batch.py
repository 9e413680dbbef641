"""Many requests in one step: what each is told is what it would be told alone, whatever the others do or suffer."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.engine import Sampling
from core.events import Delta, Finished
from tests.support.engine_steps import GREEDY, Bench, Lacking, prompt, watching
from tests.support.examples import examples
from tests.support.tiny_models import Kind, generated, tiny

pytestmark = pytest.mark.torch

FAILED = Finished("error", "engine_failed")


@functools.cache
def shared(kind: Kind = "llama") -> Bench:
    """One model for the tests that leave it as it was."""
    return Bench(model=str(tiny(kind)))


@pytest.fixture
def bench() -> Iterator[Bench]:
    """The shared one, with nothing kept from before."""
    one = shared()
    one.told.clear()
    one.steps.clear()
    prefixes = one.model.runner.prefixes
    for prefix in list(prefixes._kept):
        prefixes._drop(prefix)
    one.model.runner._left.clear()
    yield one
    one.wrong = lambda segments: None
    one.stepping._chunk = 256
    one.finish()


# What is told


@pytest.mark.parametrize("kind", ["llama", "window"])
@settings(max_examples=examples(8))
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(2, 90), st.integers(1, 30), st.integers(0, 4)), min_size=1, max_size=7
    )
)
@example([(3, 50, 15, 0)])  # the fifteenth is a mark, not a word
def test_in_any_crowd_everybody_gets_the_words_of_generate(kind: Kind, crowd: list[tuple[int, int, int, int]]) -> None:
    """All is drawn before the first is added: an example that is given up half-way would leave its own in the next."""
    bench = shared(kind)
    bench.told.clear()
    asked = []
    for seed, length, tokens, steps in crowd:
        ids = prompt(seed, length)  # the same seed: one begins like the other
        asked.append((bench.add(ids, replace(GREEDY, max_tokens=tokens)), ids, tokens))
        bench.step(steps)
    bench.finish()
    for request, ids, tokens in asked:
        assert bench.ids(request) == generated(ids, tokens, kind)


def test_a_seed_gives_the_same_text_alone_and_in_a_crowd(bench: Bench) -> None:
    sampling = Sampling(temperature=1.0, top_p=0.9, seed=5, max_tokens=30)
    alone = bench.add(prompt(1), sampling)
    bench.finish()
    crowd = [bench.add(prompt(seed), replace(sampling, seed=seed)) for seed in (2, 3)]
    beside = bench.add(prompt(1), sampling)
    bench.finish()
    assert bench.ids(beside) == bench.ids(alone)
    assert bench.ids(crowd[0]) != bench.ids(crowd[1])


class Guess:
    """Knows how the answer goes on, but for a mistake in every third guess."""

    def __init__(self, start: int, answer: list[int]) -> None:
        self.start, self.answer = start, answer
        self.guesses = 0

    def draft(self, ids: list[int], most: int) -> list[int]:
        said = len(ids) - self.start
        self.guesses += 1
        draft = self.answer[said : said + min(6, most)]
        return [*draft[:2], 7, *draft[3:]] if self.guesses % 3 == 0 and len(draft) > 2 else draft

    def judge(self, drafted: int, right: int) -> None:
        assert right <= drafted


@pytest.mark.parametrize(
    "sampling",
    [GREEDY, Sampling(temperature=0.8, top_k=40, seed=3), Sampling(temperature=1.0, repetition_penalty=1.3)],
    ids=["greedy", "sampled", "with a penalty"],
)
def test_guessed_words_are_checked_many_at_a_time_and_change_nothing(bench: Bench, sampling: Sampling) -> None:
    sampling = replace(sampling, max_tokens=30)
    slow = bench.add(prompt(8), sampling)
    bench.finish()
    steps, expected = len(bench.steps), bench.ids(slow)
    fast = bench.add(prompt(8), sampling)
    other = bench.add(prompt(9), sampling)
    bench.stepping.waiting[0].lookup = Guess(12, expected)  # type: ignore[assignment]
    bench.finish()
    assert bench.ids(fast) == expected
    alone = bench.add(prompt(9), sampling)
    bench.finish()
    assert bench.ids(other) == bench.ids(alone)
    longer = sum(len(segment.ids) > 1 for step in bench.steps[steps + 1 :] for segment in step)
    assert (longer > 0) == (sampling.repetition_penalty == 1.0), "a penalty makes each word depend on the one before"


def test_a_stop_token_of_ones_own_ends_that_row_and_is_no_part_of_it(bench: Bench) -> None:
    whole = generated(prompt(1), 20)
    mine, other = bench.add(prompt(1), replace(GREEDY, stop_ids=(whole[5],))), bench.add(prompt(1))
    bench.finish()
    assert bench.ids(mine) == whole[: whole.index(whole[5])]
    assert bench.end(mine) == Finished("stop")
    assert bench.ids(other) == whole


def test_a_stop_string_ends_one_row_and_no_other(bench: Bench) -> None:
    whole = [bench.add(prompt(seed)) for seed in (1, 2)]
    bench.finish()
    text = "".join(event.text for event in bench.told[whole[0]] if isinstance(event, Delta))
    cut, other = bench.add(prompt(1), GREEDY, text[6:12]), bench.add(prompt(2))
    bench.finish()
    assert (
        "".join(event.text for event in bench.told[cut] if isinstance(event, Delta)) == text[: text.index(text[6:12])]
    )
    assert bench.end(cut) == Finished("stop")
    assert bench.ids(other) == bench.ids(whole[1])


# Who steps


def test_no_more_run_than_there_are_rows_and_the_next_comes_when_one_is_free(bench: Bench) -> None:
    requests = [bench.add(prompt(seed), replace(GREEDY, max_tokens=3 + seed)) for seed in range(6)]
    bench.step()
    assert bench.rows() == requests[:4]
    while bench.stepping.busy:
        bench.step()
        assert len(bench.rows()) <= 4
    assert [bench.end(request) for request in requests] == [Finished("length")] * 6


def test_a_long_prompt_is_read_in_pieces_between_everybody_elses_words(bench: Bench) -> None:
    talking = bench.add(prompt(1), replace(GREEDY, max_tokens=30))
    bench.step(3)
    bench.stepping._chunk = 32
    before = len(bench.ids(talking))
    bench.add(prompt(2, 200), replace(GREEDY, max_tokens=1))
    bench.step(6)
    assert len(bench.ids(talking)) == before + 6, "a word in every step"
    assert all(sum(len(s.ids) for s in step) <= 32 + 4 for step in bench.steps[-6:])
    bench.finish()


def test_the_short_prompts_of_a_burst_are_read_in_one_step(bench: Bench) -> None:
    requests = [bench.add(prompt(seed)) for seed in range(4)]
    bench.step()
    assert all(any(isinstance(event, Delta) for event in bench.told[request]) for request in requests)
    bench.finish()


def test_what_several_begin_with_is_computed_once_also_in_a_burst(bench: Bench) -> None:
    persona = prompt(50, 60)
    requests = [bench.add(persona + prompt(seed, 5)) for seed in range(4)]
    bench.finish()
    assert [bench.computed(request) for request in requests] == [65, 5, 5, 5]
    for seed, request in enumerate(requests):
        assert bench.ids(request) == generated(persona + prompt(seed, 5), 20)
    later = bench.add(persona + prompt(9, 5))
    bench.finish()
    assert bench.computed(later) == 5


def test_the_next_turn_computes_what_is_new_whoever_came_between(bench: Bench) -> None:
    first = bench.add(prompt(1))
    bench.finish()
    for seed in range(2, 6):
        bench.add(prompt(seed))
    bench.finish()
    talk = prompt(1) + bench.ids(first) + prompt(9, 7)
    second = bench.add(talk)
    bench.finish()
    assert bench.computed(second) == 7 + 1, "the last word's keys were never needed before"
    assert bench.ids(second) == generated(talk, 20)


def test_a_conversation_that_goes_on_in_the_row_where_it_was_copies_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[tuple[int, int]] = []
    copy_in = bench.model.runner.prefixes.copy_in

    def watched(prefix: Any, row: int, count: int, *, start: int) -> None:
        fetched.append((start, count))
        copy_in(prefix, row, count, start=start)

    monkeypatch.setattr(bench.model.runner.prefixes, "copy_in", watched)
    first = bench.add(prompt(1, 40))
    bench.finish()
    talk = prompt(1, 40) + bench.ids(first) + prompt(9, 7)
    second = bench.add(talk)
    bench.finish()
    known = len(talk) - bench.computed(second)
    assert fetched == [(known, known)]
    between = bench.add(prompt(1, 20) + prompt(2, 30))
    bench.finish()
    talk += bench.ids(second) + prompt(10, 7)
    third = bench.add(talk)
    bench.finish()
    assert fetched[1:] == [(20, 20), (20, len(talk) - bench.computed(third))], "they begin with the same 20"
    assert bench.ids(second) == generated(talk[: known + 8], 20)
    assert bench.ids(between) == generated(prompt(1, 20) + prompt(2, 30), 20)
    assert bench.ids(third) == generated(talk, 20)


def test_a_cancelled_request_frees_its_row_in_one_step_and_the_others_go_on(bench: Bench) -> None:
    requests = [bench.add(prompt(seed), replace(GREEDY, max_tokens=30)) for seed in range(4)]
    waiting = bench.add(prompt(9))
    bench.step(5)
    requests[1].cancelled = True
    bench.step()
    assert requests[1] not in bench.rows()
    assert waiting in bench.rows()
    bench.finish()
    for seed in (0, 2, 3):
        assert bench.ids(requests[seed]) == generated(prompt(seed), 30)
    assert bench.ids(waiting) == generated(prompt(9), 20)


def test_one_who_waits_for_what_another_computes_goes_on_when_that_one_is_cancelled(bench: Bench) -> None:
    bench.stepping._chunk = 16
    persona = prompt(50, 100)
    first, second = (bench.add(persona + prompt(seed, 5)) for seed in (1, 2))
    bench.step()
    assert bench.rows() == [first]
    first.cancelled = True
    bench.finish()
    assert bench.ids(second) == generated(persona + prompt(2, 5), 20)


# What goes wrong


def test_a_row_that_fails_ends_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    poison = prompt(66)[-1]

    def broken(segments: Any) -> None:
        if any(poison in segment.ids for segment in segments):
            raise RuntimeError("this prompt breaks it")

    good, bad, other = (bench.add(prompt(seed)) for seed in (1, 66, 2))
    bench.wrong = broken
    bench.finish()
    assert bench.end(bad) == FAILED
    assert bench.ids(good) == generated(prompt(1), 20)
    assert bench.ids(other) == generated(prompt(2), 20)
    assert "this prompt breaks it" in caplog.text


def test_scores_that_are_no_numbers_end_their_row_alone_and_leave_nothing(bench: Bench) -> None:
    import torch

    runner = bench.model.runner
    rows, broken = [bench.add(prompt(seed)) for seed in (1, 2)], bench.add(prompt(3))
    bench.step(2)
    with torch.inference_mode():
        runner.cache.store[:, :, 2, : bench.stepping.running[2].done] = float("nan")
    bench.finish()
    assert bench.end(broken) == FAILED
    for seed, request in zip((1, 2), rows, strict=True):
        assert bench.ids(request) == generated(prompt(seed), 20)
    again = [bench.add(prompt(seed, 5 * seed)) for seed in (1, 4, 5)]
    bench.finish()
    for seed, request in zip((1, 4, 5), again, strict=True):
        assert bench.ids(request) == generated(prompt(seed, 5 * seed), 20)


def test_ids_without_a_meaning_never_reach_the_model(bench: Bench) -> None:
    for token in (-1, 10**9):
        request = bench.add([1, token, 5])
        bench.finish()
        assert bench.end(request) == FAILED
    assert bench.steps == []


def test_when_memory_runs_out_room_is_made_and_nobody_notices(caplog: pytest.LogCaptureFixture) -> None:
    import torch

    caplog.set_level(logging.WARNING)
    bench = Bench()
    asked = {seed: bench.add(prompt(seed), replace(GREEDY, max_tokens=40)) for seed in range(4)}
    bench.step(10)
    failures = iter(range(3))

    def short(segments: Any) -> None:
        if next(failures, None) is not None:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    bench.wrong = short
    bench.step(4)
    assert "what was kept of earlier requests is dropped" in caplog.text
    assert bench.stepping.slots == 1, "4, then 2, then 1"
    bench.finish()
    for seed, request in asked.items():
        assert bench.ids(request) == generated(prompt(seed), 40), "it went on where it was"
        assert bench.end(request) == Finished("length")


def test_when_there_is_nothing_left_to_give_up_it_is_said_and_the_next_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import torch

    bench = Bench(slots=1)
    request = bench.add(prompt(1, 200))

    def short(segments: Any) -> None:
        if len(segments[0].ids) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    bench.wrong = short
    bench.finish()
    assert bench.end(request) == FAILED
    assert "nothing left to give up" in caplog.text
    after = bench.add(prompt(2))
    bench.finish()
    assert bench.ids(after) == generated(prompt(2), 20)


def test_memory_that_lacks_for_copies_costs_those_copies_alone(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    first = bench.add(prompt(1, 40))
    bench.finish()
    other = bench.add(prompt(2, 40))
    bench.finish()
    talk = prompt(1, 40) + bench.ids(first) + prompt(9, 7)
    with watching(fetching := Lacking("index_select")):
        again = bench.add(talk)
        bench.step()
    assert fetching.lacked == 1
    assert "what is kept of a request is computed again" in caplog.text
    with watching(keeping := Lacking("index_put_")):
        bench.finish()
    assert keeping.lacked == 1
    assert "a request is not kept" in caplog.text
    assert bench.ids(again) == generated(talk, 20)
    assert bench.ids(other) == generated(prompt(2, 40), 20)
    more = talk + bench.ids(again) + prompt(10, 7)
    last = bench.add(more)
    bench.finish()
    assert bench.computed(last) == 7 + 1, "it is still in its row"
    assert bench.ids(last) == generated(more, 20)


def test_when_memory_runs_out_as_words_are_chosen_the_step_is_made_again(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    asked = {seed: bench.add(prompt(seed)) for seed in range(3)}
    bench.step(5)
    with watching(choosing := Lacking("max", once=True)):
        bench.finish()
    assert choosing.lacked == 1
    assert "what was kept of earlier requests is dropped" in caplog.text
    for seed, request in asked.items():
        assert bench.ids(request) == generated(prompt(seed), 20)


def test_rows_that_stay_are_copied_in_pieces_that_a_gpu_need_not_put_together_first() -> None:
    import torch

    from core.local.kv_cache import Rows

    rows = Rows(2, 4, 20, 1, 2, dtype=torch.float32, device=torch.device("cpu"))
    rows.store.copy_(torch.arange(rows.store.numel()).view_as(rows.store))
    first = rows.store[:, :, :2].clone()

    def see(name: str, given: tuple[Any, ...]) -> None:
        assert name != "copy_" or given[1].is_contiguous()

    with watching(see):
        rows.shrink(2)
    assert torch.equal(rows.store, first)


# Models of another kind


def test_a_model_whose_attention_cannot_be_batched_answers_one_at_a_time(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(model=str(tiny("softcap")))
    assert bench.stepping.slots == 1
    assert "one request at a time" in caplog.text
    asked = {(seed, length): bench.add(prompt(seed, length)) for seed, length in ((1, 12), (2, 90), (1, 12))}
    bench.finish()
    for (seed, length), request in asked.items():
        assert bench.ids(request) == generated(prompt(seed, length), 20, "softcap")


@pytest.mark.parametrize("operator", ["tanh", "max"])
def test_a_model_that_answers_one_at_a_time_makes_a_step_again_from_what_it_knows(operator: str) -> None:
    bench = Bench(model=str(tiny("softcap")))
    bench.stepping._chunk = 64
    request = bench.add(prompt(1, 150))
    bench.step()
    with watching(lacking := Lacking(operator, once=True)):
        bench.finish()
    assert lacking.lacked == 1
    layers = bench.model.runner._cache.layers
    assert {layer.get_seq_length() for layer in layers} == {150 + 19}, "the last word's keys were never needed"
    assert bench.ids(request) == generated(prompt(1, 150), 20, "softcap")
