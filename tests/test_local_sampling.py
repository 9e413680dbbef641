"""The next token: greedy, by chance, within bounds, the same for the same seed, whatever the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from core.engine import Sampling

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.torch

SIZE = 1000


def sampler(prompt: list[int] | None = None, **values: Any) -> Any:
    import torch

    from core.local.sampling import Sampler

    return Sampler(Sampling(**values), prompt or [], SIZE, torch.device("cpu"))


def scores(seed: int = 0, scale: float = 4.0) -> torch.Tensor:
    import torch

    return torch.randn(SIZE + 24, generator=torch.Generator().manual_seed(seed)) * scale


def likeliest(count: int) -> set[int]:
    return set(scores()[:SIZE].topk(count).indices.tolist())


def drawn(times: int = 300, **values: Any) -> set[int]:
    choose = sampler(**values).choose
    return {choose(scores()) for _ in range(times)}


def test_temperature_zero_and_below_take_the_likeliest() -> None:
    assert drawn(5, temperature=0.0) == drawn(5, temperature=-1.0) == likeliest(1)


def test_ids_without_a_meaning_are_never_chosen() -> None:
    import torch

    row = torch.zeros(SIZE + 24)
    row[SIZE:] = 100.0
    assert sampler(temperature=0.0).choose(row) < SIZE
    assert sampler(temperature=1e30).choose(row) < SIZE


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
    choose = sampler(temperature=1.0, top_p=0.9).choose
    assert len({choose(flat) for _ in range(5000)}) > 850  # more than are sorted at first


def test_chances_are_those_of_the_scores() -> None:
    import torch

    row = torch.full((SIZE,), -50.0)
    row[7], row[8] = torch.tensor([0.75, 0.25]).log()
    choose = sampler(temperature=1.0, top_p=1.0).choose
    share = sum(choose(row) == 7 for _ in range(4000)) / 4000
    assert share == pytest.approx(0.75, abs=0.03)


def test_the_same_seed_draws_the_same_and_another_something_else() -> None:
    def line(seed: int) -> list[int]:
        choose = sampler(temperature=1.0, seed=seed).choose
        return [choose(scores(step)) for step in range(20)]

    assert line(5) == line(5)
    assert line(5) != line(6)
    assert line(-(2**70)) == line(-(2**70))


def test_the_repetition_penalty_is_that_of_transformers() -> None:
    import torch
    from transformers import RepetitionPenaltyLogitsProcessor

    prompt = list(range(0, SIZE, 3))
    choose = sampler(prompt, temperature=0.0, repetition_penalty=1.3)
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


def test_scores_that_are_not_numbers_fail() -> None:
    import torch

    for broken in (float("nan"), float("inf")):
        row = scores()
        row[3] = broken
        with pytest.raises(ArithmeticError):
            sampler().choose(row)
    with pytest.raises(ArithmeticError):
        sampler().choose(torch.full((SIZE,), float("-inf")))
