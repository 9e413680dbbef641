"""How property tests look for examples: ``steady``, as in every run, or ``--hypothesis-profile=search`` for others.

Steady: the same run sees the same examples, so that what fails fails again. But a file alone does not see those of the
whole suite, as Hypothesis also tries the numbers and words that it reads in those of our modules that are imported.

Search: at random and ten times as many. What fails is kept in ``.hypothesis`` and tried first the next time.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says more about the machine than about Conch."""
FAILED = DirectoryBasedExampleDatabase(Path(__file__).parent.parent / ".hypothesis" / "examples")
settings.register_profile("steady", CALM, derandomize=True)
settings.register_profile("search", CALM, derandomize=False, max_examples=1000, database=FAILED, print_blob=True)
settings.load_profile("steady")
