"""How many examples a property test tries that has a number of its own, in the profile that is loaded."""

from __future__ import annotations

from hypothesis import settings

USUAL = 100
"""What Hypothesis tries where neither a test nor a profile says otherwise."""


def examples(steady: int) -> int:
    """``steady`` of them in the steady profile; in a search as many times more as for the tests without a number."""
    return steady * settings.default.max_examples // USUAL
