"""What a Chat is told besides questions, and what it tells of itself: its bounds, and how things stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.gate.holding import QUIET_SECONDS
from core.messages import Question, Turn

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
class Status:
    """How things stand for one person. ``messages_left`` of this minute, ``tokens_left`` of today; None = no limit.
    ``weak`` are the languages in which the model is."""

    ready: bool
    paused: bool
    slots: int
    waiting: int
    running: int
    messages_left: int | None
    tokens_left: int | None
    persona: str
    owner: bool
    weak: Sequence[str] = ()


def holds(question: Question | Turn) -> bool:
    """May more of the question come, or its files? Then its ticket is held."""
    return question.more_until is not None or any(file.text is None for file in question.attachments)


def title(text: str) -> str:
    """One line of at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"
