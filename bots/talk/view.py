"""What a reader should see of an answer right now: parts, buttons and, when it is very long, a file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bots.talk.wording import Say, ended, queued
from bots.text.splitting import Part, literal, with_note
from core.events import Finished, Queued
from core.messages import Turn

Button = Literal["stop", "regenerate", "proceed"]
Split = Callable[[str], Sequence[Part]]
HOPELESS = frozenset(
    ("new", "too_long", "too_long_in_all", "file_too_big", "file_not_text", "file_unreadable", "deleted", "edited")
)
"""Causes of an end after which the same question would end the same way, or is not there any more."""


@dataclass(frozen=True, slots=True)
class File:
    """What does not fit in messages any more: the whole answer as Markdown, and the sentences that go with it."""

    name: str
    data: bytes
    caption: str


@dataclass(frozen=True, slots=True)
class View:
    """One message per part; the buttons stand under the last."""

    parts: tuple[Part, ...]
    buttons: tuple[Button, ...] = ()
    file: File | None = None

    def at(self, number: int) -> tuple[Part, tuple[Button, ...]]:
        """Part and buttons of one message."""
        return self.parts[number], self.buttons if number == len(self.parts) - 1 else ()


def waiting_view(say: Say, split: Split, place: Queued | None, *, again: bool = False) -> View:
    """Before the first word: the place in line, or that something happens. ``again``: it was begun once before."""
    sentence = queued(say, place) if place is not None else say("starting-over" if again else "thinking")
    return View(tuple(split(sentence)), ("stop",))


def interrupted_view(say: Say, split: Split, text: str) -> View:
    """At a shutdown: what there is, and that it goes on later."""
    return View(tuple(split(with_note(text, say("interrupted")))))


def final_view(say: Say, split: Split, text: str, end: Finished, turn: Turn, max_parts: int) -> View:
    """The end: the whole text, what is to be said about it, and what can be done next.

    With ``max_parts`` 1 there is one message for everything, the file too; that is for Markdown alone.
    """
    has_text = bool(split(text))
    noted = text
    for note in _notes(say, has_text, end, turn, literal):
        noted = with_note(noted, note)
    parts = tuple(split(noted))
    buttons = _buttons(bool(text.strip()), end)
    if len(parts) <= max_parts:
        return View(parts, buttons)
    caption = "\n".join((say("rest-as-file"), *_notes(say, has_text, end, turn, str)))
    kept, file = tuple(split(text)[:max_parts]), File(say("rest-file-name"), text.encode(), caption)
    if max_parts == 1:  # the file lies in the same message, whose parts leave room for that
        kept = (replace(kept[0], text=with_note(kept[0].text, literal(caption))),)
    return View(kept, buttons, file)


def _notes(say: Say, has_text: bool, end: Finished, turn: Turn, name: Callable[[str], str]) -> list[str]:
    notes = []
    if end.reason in ("abort", "error"):
        notes.append(ended(say, end, turn))
    elif end.reason == "length":
        notes.append(say("cut-by-length"))
    elif not has_text:
        notes.append(say("no-answer"))
    if has_text:
        notes += [_read(say, name(file.name), len(file.text or ""), length) for file, length in turn.files_read]
    if turn.left_out and has_text:
        notes.append(say("left-out"))
    return notes


def _read(say: Say, name: str, whole: int, read: int) -> str:
    """How much of a file was read; never all where something is missing."""
    return (
        say("file-read", name=name) if read >= whole else say("file-read-part", name=name, percent=100 * read // whole)
    )


def _buttons(has_text: bool, end: Finished) -> tuple[Button, ...]:
    if end.reason == "stop":
        return ("regenerate",)
    if end.reason == "length" or (end.cause == "stopped" and has_text):
        return ("regenerate", "proceed")
    return () if end.cause in HOPELESS else ("regenerate",)
