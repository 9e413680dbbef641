"""Why a turn that waits may not be admitted yet: more of its question may come, or its files have not come."""

from __future__ import annotations

import asyncio

from core.gate.gate import Ticket

QUIET_SECONDS = 1.0
"""How long a question of several messages waits for the next of them."""


class Holding:
    """Holds one ticket for as long as there is a reason. Only code on one event loop calls it."""

    def __init__(self, ticket: Ticket, *, files: bool) -> None:
        """``files``: there are some to come."""
        self._ticket, self._files = ticket, files
        self._pinned = False
        self._quiet: asyncio.TimerHandle | None = None

    def pin(self) -> bool:
        """More is being added: not admitted before ``wait``. False where it is too late for that."""
        if not self._ticket.hold():
            return False
        self.close()
        self._pinned = True
        return True

    def wait(self, seconds: float) -> None:
        """More may come within ``seconds`` from now."""
        self.close()
        self._pinned = False
        if self._ticket.hold():
            self._quiet = asyncio.get_running_loop().call_later(seconds, self._is_quiet)

    def files_came(self) -> None:
        """All files are there."""
        self._files = False
        self._look()

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._quiet is not None:
            self._quiet.cancel()
            self._quiet = None

    def _is_quiet(self) -> None:
        self._quiet = None
        self._look()

    def _look(self) -> None:
        if not self._files and not self._pinned and self._quiet is None:
            self._ticket.release()
