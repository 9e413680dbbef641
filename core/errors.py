"""Everything that core raises on purpose. Each name is something the caller can act on.

::

    ConchError
    ├── Refused                 a request that was not accepted; nothing was stored. ``cause`` is a key of wording
    │   ├── QueueFull           everybody's line, or this person's, is full
    │   ├── TooFast             too many messages in a minute: ``seconds`` until the next is accepted
    │   ├── BudgetSpent         the day's tokens are used: ``seconds`` until some come back
    │   ├── TooLong             more than ``limit`` characters
    │   ├── Empty               nothing to answer
    │   ├── NotAllowed          this person or place is not admitted, or is blocked
    │   ├── NotYours            the conversation or turn belongs to somebody else
    │   ├── NotFound            there is no such turn, conversation or persona
    │   ├── NothingToContinue   Continue of an answer that was not cut short
    │   ├── Expired             the event is older than what is still answered
    │   ├── StillAnswering      the turn waits or runs, so it cannot be done again yet
    │   ├── Draining            an owner wants nothing new to be accepted; what was accepted is answered
    │   ├── ShuttingDown        on its way down; what was accepted is kept
    │   └── StoreFull           the disk takes nothing more; tried again by itself when there is room
    ├── EngineError             the model cannot be loaded or has stopped working; the text says what to do
    └── StoreError              the data folder cannot be used; the text says what to do
"""

from __future__ import annotations


class ConchError(Exception):
    """Root of the tree."""


class Refused(ConchError):
    """A request that was not accepted. ``cause`` names the sentence, ``details`` fill it in."""

    cause = "refused"

    @property
    def details(self) -> dict[str, int | float | str]:
        """Values for the sentence's placeholders."""
        return {}


class QueueFull(Refused):
    """No place left. ``cause`` is ``queue_full`` (everybody's line) or ``queue_full_person`` (this person's)."""

    def __init__(self, *, person: bool = False) -> None:
        super().__init__("no place left in line")
        self.cause = "queue_full_person" if person else "queue_full"


class Wait(Refused):
    """Refused for now: ``seconds`` until it would be accepted."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds

    @property
    def details(self) -> dict[str, int | float | str]:
        return {"seconds": self.seconds}


class TooFast(Wait):
    """Too many messages in a minute."""

    cause = "too_fast"


class BudgetSpent(Wait):
    """The day's tokens are used."""

    cause = "budget_spent"


class TooLong(Refused):
    """The question has more than ``limit`` characters."""

    cause = "too_long_characters"

    def __init__(self, limit: int) -> None:
        super().__init__(f"at most {limit} characters")
        self.limit = limit

    @property
    def details(self) -> dict[str, int | float | str]:
        return {"limit": self.limit}


class Empty(Refused):
    """There is no question in it."""

    cause = "empty"


class NotAllowed(Refused):
    """This person or place is not admitted, or is blocked."""

    cause = "not_allowed"


class NotYours(Refused):
    """The conversation or turn belongs to somebody else."""

    cause = "not_yours"


class NotFound(Refused):
    """No such turn, conversation or persona."""

    cause = "not_found"


class StillAnswering(Refused):
    """The turn waits or runs."""

    cause = "still_answering"


class NothingToContinue(Refused):
    """Continue of an answer that was not cut short."""

    cause = "nothing_to_continue"


class Expired(Refused):
    """The event is older than what is still answered."""

    cause = "expired"


class Draining(Refused):
    """An owner wants nothing new to be accepted for now."""

    cause = "draining"


class ShuttingDown(Refused):
    """On its way down."""

    cause = "shutting_down"


class StoreFull(Refused):
    """The disk takes nothing more."""

    cause = "store_full"


class EngineError(ConchError):
    """The model cannot be loaded, or has stopped working. The text is a sentence that says what to do."""


class StoreError(ConchError):
    """The data folder cannot be used. The text is a sentence that says what to do."""
