"""Who answers and how: a turn's persona, its system text and its sampling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from core.engine import Sampling
from core.messages import Persona, Turn


class Voices:
    """The personas, and the sampling that each of them changes. A name that is not there any more is ``default``'s."""

    def __init__(self, personas: Mapping[str, Persona], default: str, sampling: Sampling) -> None:
        self.personas, self.default = personas, default
        self._sampling = sampling

    def max_tokens(self, persona: str) -> int:
        """The longest answer of a persona, in tokens."""
        return self._of(persona).max_tokens

    def sampling(self, turn: Turn) -> Sampling:
        """How a turn is generated: by its persona, with its own seed."""
        return replace(self._of(turn.persona), seed=turn.seed)

    def system(self, turn: Turn) -> str:
        """A turn's system text, in the language it was asked in; may be empty."""
        known = self.personas.get(turn.persona) or self.personas.get(self.default)
        return known.system(turn.language) if known is not None else ""

    def _of(self, persona: str) -> Sampling:
        known = self.personas.get(persona) or self.personas.get(self.default)
        if known is None:
            return self._sampling
        left = self._sampling.as_advised.difference(known.sampling)
        return replace(self._sampling, as_advised=left, **known.sampling)  # type: ignore[arg-type]  # checked as read
