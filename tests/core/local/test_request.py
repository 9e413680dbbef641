"""Absurd values are refused before the model sees them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from core.engine import Sampling
from core.local.request import check


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"temperature": "hot"},
        {"top_p": math.nan},
        {"top_p": 1.5},
        {"top_p": -0.1},
        {"top_k": -1},
        {"top_k": 2.5},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": math.inf},
        {"max_tokens": 0},
        {"max_tokens": True},
        {"seed": 1.5},
        {"seed": None},
        {"stop": "word"},
        {"stop": (1,)},
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        check(Sampling(**values))


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": -3.0},
        {"temperature": 0},
        {"temperature": 1e30},
        {"top_p": 0.0},
        {"top_k": 10**9},
        {"seed": -(2**70)},
        {"max_tokens": 10**12},
        {"stop": ("", "a")},
    ],
)
def test_a_value_that_only_is_unusual_is_taken(values: dict[str, Any]) -> None:
    check(Sampling(**values))
