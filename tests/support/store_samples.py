"""What the tests of the store share."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from core.messages import End, Question, Turn
from core.store.store import NewTurn, Store

ANN, BOB = "web:ann", "web:bob"
DAY = 86_400.0
NOON = 1_800_000_000.0

_QUESTION = NewTurn(
    Question(conversation="web:ann:1", user=ANN, event="web:e", text="What is a conch?"),
    kind="send",
    default_persona="assistant",
    language="en",
    seed=7,
    max_tokens=100,
    asked=NOON,
)
_DECIDED = {field.name for field in fields(NewTurn)}


def question(event: str, **changes: Any) -> NewTurn:
    """A question of Ann's; the event is its name. ``changes`` are of it and of what was decided, by Turn's names."""
    if "prompt" in changes:
        changes["text"] = changes.pop("prompt")
    decided = {name: changes.pop(name) for name in _DECIDED & changes.keys()}
    return replace(_QUESTION, question=replace(_QUESTION.question, event=event, **changes), **decided)


async def ask(store: Store, event: str, **changes: Any) -> Turn:
    """Accept a question that is new."""
    turn, fresh = await store.accept(question(event, **changes), None)
    assert fresh
    return turn


async def answer(store: Store, turn: int, reply: str = "A shell.", **changes: Any) -> Turn:
    """Commit the end of an answer."""
    end: dict[str, Any] = {
        "reply": reply,
        "ids": (1, 2, 3),
        "reason": "stop",
        "cause": None,
        "prompt_tokens": 9,
        "computed_tokens": 5,
        "reply_tokens": 3,
        "cost": 8,
        "left_out": 0,
        "at": NOON + 1,
        "shown": False,
    }
    return await store.finish(turn, End(**{**end, **changes}))


def holding(folder: Path, *texts: str) -> list[str]:
    """The names of the folder's files that hold one of the texts, in any of its encodings here."""
    forms = [form for text in texts for form in (text.encode(), text.encode("utf-16-le"), ascii(text)[1:-1].encode())]
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    return [file.name for file in files if any(form in file.read_bytes() for form in forms)]
