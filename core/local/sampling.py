"""The next token of each row, from the model's scores: many rows at once, each by its own settings and its own dice.

Nothing here depends on how many rows are chosen for together, so a seed gives the same text alone and in a crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor

from core.engine import Sampling

NUCLEI = (64, 1024)
"""Likeliest scores that are sorted before all of them are: the first is nearly always enough."""

PIECE = 128


class Sampler:
    """How one request chooses. Its dice are counted, so that drafts which are thrown away cost none."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], size: int, device: torch.device) -> None:
        """``size`` is the number of ids that may be chosen; the repetition penalty counts ``prompt`` as said."""
        self.sampling = sampling
        self.said: Tensor | None = None
        self._dice = Random(sampling.seed)
        self._thrown: list[float] = []
        if sampling.repetition_penalty != 1.0:
            self.said = torch.zeros(size, dtype=torch.bool, device=device)
            self.said[torch.tensor(prompt, dtype=torch.long, device=device)] = True

    @property
    def greedy(self) -> bool:
        """Does it take the likeliest?"""
        return self.sampling.temperature <= 0

    def throw(self, number: int) -> float:
        """The die of the answer's token ``number``, from 0 up to but not 1."""
        while len(self._thrown) <= number:
            self._thrown.append(self._dice.random())
        return self._thrown[number]

    def say(self, token: int) -> None:
        """``token`` has been chosen: the repetition penalty counts it from now on."""
        if self.said is not None:
            self.said[token] = True


def choose(scores: Tensor, samplers: Sequence[Sampler], numbers: Sequence[int], size: int) -> list[int | None]:
    """The next token of each row of ``scores``, of shape [rows, vocabulary]; ids from ``size`` on mean nothing.

    ``numbers[i]`` is how many tokens the answer of row i has. None: the row's scores are not numbers.
    """
    scores = scores[:, :size].float()
    punished = [i for i, sampler in enumerate(samplers) if sampler.said is not None]
    if punished:
        scores = scores.clone()
        for i in punished:
            scores[i] = _punished(scores[i], samplers[i])
    best, likeliest = scores.max(dim=-1)
    drawn = [i for i, sampler in enumerate(samplers) if not sampler.greedy]
    if len(drawn) == len(samplers):
        likeliest = _draw(scores - best[:, None], samplers, numbers)
    elif drawn:
        rows = scores[drawn] - best[drawn, None]
        likeliest[drawn] = _draw(rows, [samplers[i] for i in drawn], [numbers[i] for i in drawn])
    chosen = torch.where(torch.isfinite(best), likeliest, -1).tolist()
    return [None if token < 0 else token for token in chosen]


def _punished(scores: Tensor, sampler: Sampler) -> Tensor:
    """What was said is less likely, as transformers has it."""
    assert sampler.said is not None
    penalty = sampler.sampling.repetition_penalty
    return torch.where(sampler.said, torch.where(scores < 0, scores * penalty, scores / penalty), scores)


def _draw(scores: Tensor, samplers: Sequence[Sampler], numbers: Sequence[int]) -> Tensor:
    """A random id of each row by its probabilities; the greatest of ``scores`` is 0, so no temperature overflows.
    ``scores`` is used up.

    The likeliest ids are laid side by side, and the die falls on one of them.
    """
    size, device = scores.shape[-1], scores.device
    settings = [sampler.sampling for sampler in samplers]
    least = torch.finfo(torch.float32).tiny
    cold = torch.tensor([max(s.temperature, least) for s in settings], device=device)
    scores = scores.div_(cold[:, None])
    top_p = torch.tensor([s.top_p for s in settings], dtype=torch.float64, device=device)
    top_k = torch.tensor([min(s.top_k, size) or size for s in settings], device=device)
    dice = [sampler.throw(number) for sampler, number in zip(samplers, numbers, strict=True)]
    die = torch.tensor(dice, dtype=torch.float64, device=device)
    whole = scores.exp().sum(dim=-1).double()
    first, *larger = (*(n for n in NUCLEI if n < size), size)
    found, sure = _among(scores, first, top_p, top_k, die, whole)
    for count in larger:
        if sure.all():
            break
        left = (~sure).nonzero()[:, 0]
        found[left], sure[left] = _among(scores[left], count, top_p[left], top_k[left], die[left], whole[left])
    return found


def _among(
    scores: Tensor, count: int, top_p: Tensor, top_k: Tensor, die: Tensor, whole: Tensor
) -> tuple[Tensor, Tensor]:
    """The ids on which the dice fall among the ``count`` likeliest, and for which rows that is sure.

    ``whole`` is the sum of all chances, ``top_p`` and ``top_k`` say which of them count. At least one always does.
    """
    likeliest, order = _greatest(scores, count)
    heights = likeliest.double().exp()
    reach = heights.cumsum(dim=-1)
    k_ends, all_k = top_k <= count, top_k >= scores.shape[-1]
    of_k = torch.where(k_ends, _at(reach, top_k.clamp(max=count) - 1), whole)
    counts = (reach - heights < (top_p * of_k)[:, None]) & (torch.arange(count, device=die.device) < top_k[:, None])
    counts[:, 0] = True
    kept = counts.sum(dim=-1)
    p_ends = all_k & (kept < count)
    # Where no end is in sight, top_p = 1 still lets the die be told: it falls on a share of the whole.
    dart = die * torch.where(k_ends | p_ends, _at(reach, kept - 1), whole)
    at = torch.searchsorted(reach, dart[:, None], right=True)[:, 0]
    sure = k_ends | p_ends | (all_k & (top_p >= 1) & (at < count))
    return _at(order, torch.minimum(at, kept - 1)), sure


def _greatest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """What ``topk`` gives, in a third of its time on a CPU: each of them is in one of the ``count`` greatest pieces."""
    rows, size = scores.shape
    pieces = -(-size // PIECE)
    if 2 * count >= pieces:
        return scores.topk(count)
    if pieces * PIECE > size:
        scores = torch.nn.functional.pad(scores, (0, pieces * PIECE - size), value=-torch.inf)
    cut = scores.view(rows, pieces, PIECE)
    best = cut.amax(dim=-1).topk(count).indices
    values, places = cut.gather(1, best[:, :, None].expand(-1, -1, PIECE)).flatten(1).topk(count)
    return values, best.gather(1, places // PIECE) * PIECE + places % PIECE


def _at(rows: Tensor, places: Tensor) -> Tensor:
    """One value of each row."""
    return rows.gather(1, places[:, None])[:, 0]
