"""What leaves the store, and what of it has to stay: blanking, retention, export. Plain functions of a connection.

A blanked turn keeps its number, its place in the tree and its events' hashes, so that a replay is not taken for new.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, literal, select, update
from sqlalchemy import delete as delete_from

from core.messages import Conversation, Turn
from core.schema import conversations, meta, people, turns

_NO_TEXT = {"prompt": "", "reply": "", "ids": None}
_NOBODYS = {
    **_NO_TEXT,
    "user": "",
    "conversation": "",
    "place": "",
    "scope": "",
    "refs": (),
    "persona": "",
    "language": "",
    "seed": 0,
}
_TIMES = ("asked", "accepted", "started", "finished")


def payer(connection: Connection, user: str) -> str:
    """The keyed hash under which a forgotten person's spends are kept for a day. The key never leaves the database."""
    secret = connection.scalar(select(meta.c.value).where(meta.c.name == "secret")) or ""
    return hmac.new(bytes.fromhex(secret), user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def forget(connection: Connection, user: str) -> int:
    """Blank all that is a person's. Returns how many turns that were."""
    blanked = _blank(connection, turns.c.user == user)
    connection.execute(delete_from(conversations).where(conversations.c.owner == user))
    connection.execute(delete_from(people).where(people.c.user == user))
    return blanked


def remove(connection: Connection, key: str) -> int:
    """Blank a conversation's turns and drop it."""
    blanked = _blank(connection, turns.c.conversation == key)
    connection.execute(delete_from(conversations).where(conversations.c.key == key))
    return blanked


def delete(connection: Connection, turn: int) -> bool:
    """Blank one turn's text and let its person keep the rest. False where there is no such turn."""
    _untitle(connection, turns.c.id == turn)
    gone = {**_NO_TEXT, **_ended(), "deleted": True, "shown": True}
    return bool(connection.execute(update(turns).where(turns.c.id == turn).values(gone)).rowcount)


def older(before: float) -> ColumnElement[bool]:
    """Turns for the retention to blank."""
    return (turns.c.accepted < before) & (turns.c.user != "")


def forget_older(connection: Connection, before: float) -> int:
    """Blank the turns accepted before ``before``, and drop conversations that have none left."""
    blanked = _blank(connection, older(before))
    left = exists().where(turns.c.conversation == conversations.c.key)
    connection.execute(delete_from(conversations).where(~left & (conversations.c.updated < before)))
    return blanked


def drop_payers(connection: Connection, before: float) -> None:
    """A day is over: nothing links a forgotten turn to its person any more, and its times and costs go, too."""
    gone = {"payer": None, "cost": 0, "asked": 0.0, "accepted": 0.0, "started": None, "finished": 0.0}
    connection.execute(update(turns).where(turns.c.payer.is_not(None) & (turns.c.asked < before)).values(gone))


def _blank(connection: Connection, which: ColumnElement[bool]) -> int:
    _untitle(connection, which)
    blanked = 0
    for user in connection.scalars(select(turns.c.user).where(which & (turns.c.user != "")).distinct()).all():
        gone = {**_NOBODYS, **_ended(), "deleted": True, "shown": True, "payer": payer(connection, user)}
        blanked += connection.execute(update(turns).where(which & (turns.c.user == user)).values(gone)).rowcount
    return blanked


def _untitle(connection: Connection, which: ColumnElement[bool]) -> None:
    """A title taken from a question goes with it."""
    named = conversations.c.titled_by.in_(select(turns.c.id).where(which))
    connection.execute(update(conversations).where(named).values(title="", titled_by=None))


def _ended() -> dict[str, Any]:
    """What was not answered will not be: else a replay of its event would wait for ever."""
    waits = turns.c.finish_reason.is_(None)
    return {
        "finish_reason": case((waits, literal("abort")), else_=turns.c.finish_reason),
        "cause": case((waits, literal("deleted")), else_=turns.c.cause),
    }


def export(connection: Connection, user: str) -> dict[str, Any]:
    """All that is kept of a person, as values that JSON knows."""
    columns = [turns.c[field.name] for field in fields(Turn)]
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(select(*columns).where(turns.c.user == user).order_by(turns.c.id)).mappings():
        by_key.setdefault(row["conversation"], []).append(_plain(dict(row), _TIMES))
    mine = select(*[conversations.c[field.name] for field in fields(Conversation)]).where(conversations.c.owner == user)
    return {
        "user": user,
        "language": connection.scalar(select(people.c.language).where(people.c.user == user)),
        "conversations": [
            {**_plain(dict(row), ("created", "updated")), "turns": by_key.get(row["key"], [])}
            for row in connection.execute(mine.order_by(conversations.c.created)).mappings()
        ],
    }


def _plain(row: dict[str, Any], times: tuple[str, ...]) -> dict[str, Any]:
    for name, value in row.items():
        if isinstance(value, tuple):
            row[name] = list(value)
        elif name in times and value is not None:
            row[name] = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return row
