"""The next token: greedy, by chance, within bounds, the same for the same seed, whatever the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.engine import Sampling

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.torch

SIZE = 1000


class Row:
    """One request's choices, one after the other."""

    def __init__(self, prompt: list[int] | None = None, **values: Any) -> None:
        import torch

        from core.local.sampling import Sampler

        self.sampler = Sampler(Sampling(**values), prompt or [], SIZE, torch.device("cpu"))
        self.count = 0

    def choose(self, row: torch.Tensor) -> int | None:
        from core.local.sampling import choose

        (chosen,) = choose(row[None], [self.sampler], [self.count], SIZE)
        self.count += 1
        if chosen is not None:
            self.sampler.say(chosen)
        return chosen


def scores(seed: int = 0, scale: float = 4.0) -> torch.Tensor:
    import torch

    return torch.randn(SIZE + 24, generator=torch.Generator().manual_seed(seed)) * scale


def likeliest(count: int) -> set[int]:
    return set(scores()[:SIZE].topk(count).indices.tolist())


def thrown(row: torch.Tensor, times: int, **values: Any) -> list[int]:
    """What is chosen from the same scores by so many dice, all in one call."""
    import torch

    from core.local.sampling import Sampler, choose

    one = Sampler(Sampling(**values), [], SIZE, torch.device("cpu"))
    chosen = [token for token in choose(row.expand(times, -1), [one] * times, range(times), SIZE) if token is not None]
    assert len(chosen) == times
    return chosen


def drawn(times: int = 300, **values: Any) -> set[int]:
    return set(thrown(scores(), times, **values))


def test_temperature_zero_and_below_take_the_likeliest() -> None:
    assert drawn(5, temperature=0.0) == drawn(5, temperature=-1.0) == likeliest(1)


def test_ids_without_a_meaning_are_never_chosen() -> None:
    import torch

    row = torch.zeros(SIZE + 24)
    row[SIZE:] = 100.0
    for temperature in (0.0, 1e30):
        chosen = Row(temperature=temperature).choose(row)
        assert chosen is not None
        assert chosen < SIZE


def test_top_k_leaves_the_k_likeliest() -> None:
    assert drawn(temperature=5.0, top_p=1.0, top_k=3) == likeliest(3)
    assert drawn(1, temperature=5.0, top_k=10**9)


def test_top_p_leaves_the_fewest_that_have_it_together() -> None:
    import torch

    chances = scores()[:SIZE].softmax(0).sort(descending=True)
    wanted = int((chances.values.cumsum(0) < 0.6).sum()) + 1
    assert drawn(2000, temperature=1.0, top_p=0.6) <= set(chances.indices[:wanted].tolist())
    assert drawn(20, temperature=1.0, top_p=0.0) == likeliest(1)
    flat = torch.zeros(SIZE)
    assert len(set(thrown(flat, 5000, temperature=1.0, top_p=0.9))) > 850  # more than are sorted at first


def test_chances_are_those_of_the_scores() -> None:
    import torch

    row = torch.full((SIZE,), -50.0)
    row[7], row[8] = torch.tensor([0.75, 0.25]).log()
    share = thrown(row, 4000, temperature=1.0, top_p=1.0).count(7) / 4000
    assert share == pytest.approx(0.75, abs=0.03)


def test_the_same_seed_draws_the_same_and_another_something_else() -> None:
    def line(seed: int) -> list[int | None]:
        choose = Row(temperature=1.0, seed=seed).choose
        return [choose(scores(step)) for step in range(20)]

    assert line(5) == line(5)
    assert line(5) != line(6)
    assert line(-(2**70)) == line(-(2**70))


def test_the_repetition_penalty_is_that_of_transformers() -> None:
    import torch
    from transformers import RepetitionPenaltyLogitsProcessor

    prompt = list(range(0, SIZE, 3))
    choose = Row(prompt, temperature=0.0, repetition_penalty=1.3)
    said = list(prompt)
    for step in range(20):
        row = scores(step)
        theirs = RepetitionPenaltyLogitsProcessor(1.3)(torch.tensor([said]), row[None, :SIZE].clone())
        assert choose.choose(row) == int(theirs.argmax())
        said.append(int(theirs.argmax()))


@pytest.mark.parametrize(
    "values", [{"temperature": 1e-45}, {"temperature": 1e38}, {"top_p": 1e-30}, {"repetition_penalty": 1e3, "top_k": 1}]
)
def test_unusual_values_still_choose(values: dict[str, Any]) -> None:
    assert all(0 <= id_ < SIZE for id_ in drawn(20, **values))


def test_scores_that_are_not_numbers_choose_nothing_in_their_row_alone() -> None:
    import torch

    from core.local.sampling import Sampler, choose

    rows = torch.stack([scores(), scores(), scores(), torch.full((SIZE + 24,), float("-inf"))])
    rows[0, 3], rows[1, 3] = float("nan"), float("inf")
    for temperature in (0.0, 1.0):
        samplers = [Sampler(Sampling(temperature=temperature), [], SIZE, torch.device("cpu")) for _ in rows]
        chosen = choose(rows, samplers, [0] * 4, SIZE)
        assert [token is None for token in chosen] == [True, True, False, True]


def test_rows_of_every_kind_choose_together_what_each_chooses_alone() -> None:
    import torch

    from core.local.sampling import Sampler, choose

    kinds: list[dict[str, Any]] = [
        {"temperature": 0.0},
        {"temperature": 0.7, "top_p": 0.9},
        {"temperature": 2.0, "top_p": 1.0},
        {"temperature": 1.0, "top_k": 5, "top_p": 0.5},
        {"temperature": 1.0, "top_k": 200},
        {"temperature": 0.0, "repetition_penalty": 1.5},
        {"temperature": 3.0, "top_p": 0.999},
    ]
    rows = torch.stack([scores(seed, scale) for seed, scale in enumerate((4, 4, 0.1, 4, 1, 4, 0.5))])
    for step in range(50):
        samplers = [Sampler(Sampling(seed=step, **kind), [5, 6], SIZE, torch.device("cpu")) for kind in kinds]
        together = choose(rows, samplers, [step] * len(kinds), SIZE)
        alone = [choose(row[None], [one], [step], SIZE)[0] for row, one in zip(rows, samplers, strict=True)]
        assert together == alone


@pytest.mark.parametrize("size", [SIZE, 40_000])
def test_the_greatest_are_those_of_topk(size: int) -> None:
    import torch

    from core.local.sampling import _greatest

    rows = torch.randn(3, size, generator=torch.Generator().manual_seed(1))
    for count in (1, 64, 1000):
        values, places = _greatest(rows, count)
        assert torch.equal(values, rows.topk(count).values)
        assert torch.equal(rows.gather(1, places), values)
