"""The same examples in every run, so that what fails fails again. ``--hypothesis-profile=search`` looks for others."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""How long an example takes says more about the machine than about Conch."""
settings.register_profile("steady", CALM, derandomize=True)
settings.register_profile("search", CALM)
settings.load_profile("steady")
