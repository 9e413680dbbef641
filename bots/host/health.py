"""Whether Conch is alive, whether it can answer, and which of its fronts are down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

EngineState = Literal["loading", "ready", "failed"]


class Health:
    """What ``/healthz`` and ``/readyz`` tell. ``fronts`` maps a front's name to "up", "unreachable" or "ended: why"."""

    def __init__(self) -> None:
        self.engine: EngineState = "loading"
        self.fronts: dict[str, str] = {}

    def front(self, name: str) -> Callable[[str], None]:
        """What a front reports to how it is."""

        def report(state: str) -> None:
            self.fronts[name] = state

        return report

    @property
    def ready(self) -> bool:
        """True once the engine can generate; a front that is down changes nothing in it."""
        return self.engine == "ready"

    def __call__(self) -> dict[str, object]:
        """``{"ready", "engine", "fronts", "down"}``, ready for JSON."""
        down = sorted(name for name, state in self.fronts.items() if state != "up")
        return {"ready": self.ready, "engine": self.engine, "fronts": dict(self.fronts), "down": down}
