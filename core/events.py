"""What happens to one question, from its place in line to its end, as one stream of frozen values.

Every stream has the same shape: ``Queued*``, ``Started``, ``Delta*``, then exactly one ``Finished``. The gate, the
engine, the reply and whatever shows it all speak it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length", "abort", "error"]
"""vLLM's four: the model ended it, ``max_tokens`` ended it, a person or a shutdown ended it, it failed."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Still waiting: ``ahead`` requests go first, for about ``seconds`` (None: no measurement yet).

    ``cause`` is a key of wording: ``loading`` or ``paused`` where nothing moves; ``thinking`` once its turn has come,
    for those who were told a place before.
    """

    ahead: int
    seconds: float | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The engine has the request: ``prompt`` tokens in all, ``computed`` of them not taken from a cache."""

    prompt: int
    computed: int


@dataclass(frozen=True, slots=True)
class Delta:
    """More text, and the exact token ids behind it (ids may be empty where text is held back or merged)."""

    text: str
    ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """The end. ``cause`` is a key of wording that explains an ``abort`` or an ``error``."""

    reason: FinishReason
    cause: str | None = None


Event = Queued | Started | Delta | Finished
