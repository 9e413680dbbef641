"""One request to the model's thread: what to compute, how to choose, where its events go, and what a step gives it."""

from __future__ import annotations

import math
from asyncio import Queue
from dataclasses import dataclass, field

from core.engine import Sampling
from core.events import Delta, Finished, Started


@dataclass(eq=False, slots=True)
class Request:
    """Made in the event loop, read in the model's thread.

    ``ids`` is the whole prompt; ``continues`` when it ends in an answer that goes on. The loop sets ``cancelled``;
    the thread looks at it before each step. ``events`` is filled in the loop and read there.
    """

    ids: list[int]
    continues: bool
    stop: tuple[str, ...]
    sampling: Sampling
    cancelled: bool = False
    events: Queue[Started | Delta | Finished] = field(default_factory=Queue)


News = list[tuple[Request, list[Started | Delta | Finished]]]
"""What one step gives, by request."""


def check(sampling: Sampling) -> None:
    """ValueError for values that mean nothing: they fail their own request, before the model sees them."""
    numbers = {
        "temperature": (sampling.temperature, -math.inf, math.inf),
        "top_p": (sampling.top_p, 0.0, 1.0),
        "top_k": (sampling.top_k, 0, math.inf),
        "repetition_penalty": (sampling.repetition_penalty, 1e-3, 1e3),
        "max_tokens": (sampling.max_tokens, 1, math.inf),
        "seed": (sampling.seed, -math.inf, math.inf),
    }
    for name, (value, least, most) in numbers.items():
        whole = name in {"top_k", "max_tokens", "seed"}
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            raise ValueError(f"{name} is not a number: {type(value).__name__}")
        if not whole and not math.isfinite(value):
            raise ValueError(f"{name} is {value}")
        if not least <= value <= most:
            raise ValueError(f"{name} is {value}, outside {least} to {most}")
    if not all(isinstance(token, int) for token in sampling.stop_ids):
        raise ValueError("stop_ids are not whole numbers")
    if isinstance(sampling.stop, str) or not all(isinstance(stop, str) for stop in sampling.stop):
        raise ValueError("stop is not a tuple of strings")
