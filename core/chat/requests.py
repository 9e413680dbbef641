"""What is asked of a Chat, as values: a question, a turn made again from another, and what bounds them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.gate.holding import QUIET_SECONDS
from core.messages import Attachment, Kind, Turn
from core.store.records import NewTurn

Target = int | str
"""A turn, by its id or by any of its events."""

TITLE_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Options:
    """``backlog``: tickets past the bound for what an outage held back. ``max_age``: seconds after which a question is
    too old to answer (0 = never). ``attempts``: how often a crash may hit one answer before it is given up.
    ``quiet``: seconds after its last message before a question of several is taken for whole."""

    persona: str
    language: str = "en"
    backlog: int = 500
    max_age: float = 0.0
    attempts: int = 3
    quiet: float = QUIET_SECONDS


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that arrived. ``at`` is the event's own time (None: now); see ``Chat.send`` for the rest."""

    conversation: str
    user: str
    event: str
    text: str
    place: str = ""
    at: float | None = None
    parent: Target | None = None
    persona: str | None = None
    language: str | None = None
    places: Sequence[str] = ()
    scope: str = ""
    title: str = ""
    quote: str = ""
    attachments: Sequence[Attachment] = ()
    more_until: float | None = None
    only_more: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """A turn to be made from ``target``: another answer, its continuation, or its question in other words.

    ``user`` is who wants it, and pays for it. ``moderates``: see ``Chat.regenerate``.
    """

    kind: Kind
    target: Target
    user: str
    event: str
    text: str | None = None
    place: str | None = None
    at: float | None = None
    take_over: bool = False
    branch: bool = False
    places: Sequence[str] = ()
    moderates: str = ""


def holds(turn: Turn | NewTurn) -> bool:
    """May more of its question come, or its files? Then its ticket is held."""
    return turn.more_until is not None or any(file.text is None for file in turn.attachments)


def title(text: str) -> str:
    """One line of at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"
