"""The next token of one request, from the model's scores. Knows no model and no batch: one row, one choice."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from core.engine import Sampling

NUCLEUS = 512
"""Scores that are sorted first for ``top_p``: nearly always enough, and a tenth of the time that sorting all takes."""
SEEDS = 2**64


class Sampler:
    """Chooses the tokens of one request. The same scores and seed give the same choices, on every device."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], size: int, device: torch.device) -> None:
        """``size`` is the number of ids that may be chosen; the repetition penalty counts ``prompt`` as said."""
        self._sampling, self._size = sampling, size
        self._dice = torch.Generator(device="cpu")
        self._dice.manual_seed(sampling.seed % SEEDS)
        self._said: Tensor | None = None
        if sampling.repetition_penalty != 1.0:
            self._said = torch.zeros(size, dtype=torch.bool, device=device)
            self._said[torch.tensor(prompt, dtype=torch.long, device=device)] = True

    def choose(self, scores: Tensor) -> int:
        """The next id from ``scores`` of shape [vocabulary]. ArithmeticError: they are not numbers."""
        scores = scores[: self._size].float()
        if self._said is not None:
            penalty = self._sampling.repetition_penalty
            punished = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(self._said, punished, scores)
        best, at = scores.max(dim=-1)
        if not torch.isfinite(best):
            raise ArithmeticError("the model's scores are not numbers")
        chosen = int(at) if self._sampling.temperature <= 0 else self._draw(scores - best)
        if self._said is not None:
            self._said[chosen] = True
        return chosen

    def _draw(self, scores: Tensor) -> int:
        """A random id by the probabilities; the greatest of ``scores`` is 0, so that no temperature overflows."""
        scores = scores / max(self._sampling.temperature, torch.finfo(torch.float32).tiny)
        top_k, top_p = self._sampling.top_k, self._sampling.top_p
        ids: Tensor | None = None
        if 0 < top_k < len(scores):
            scores, ids = scores.topk(top_k)
        chances = scores.softmax(dim=-1)
        if top_p < 1.0:
            chances, order = self._nucleus(chances, top_p)
            ids = order if ids is None else ids[order]
        heights = chances.double().cumsum(dim=-1)
        dart = torch.rand((), generator=self._dice, dtype=torch.float64).to(heights.device) * heights[-1]
        drawn = int(torch.searchsorted(heights, dart, right=True).clamp(max=len(heights) - 1))
        return drawn if ids is None else int(ids[drawn])

    @staticmethod
    def _nucleus(chances: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
        """The fewest likeliest ids that have ``top_p`` of the probability together; at least one."""
        for count in (min(NUCLEUS, len(chances)), len(chances)):
            likeliest, order = chances.topk(count)
            before = likeliest.cumsum(dim=-1) - likeliest
            kept = int((before < top_p).sum())
            if kept < count:
                break
        kept = max(kept, 1)
        return likeliest[:kept], order[:kept]
