"""What leaves the store, and what of it stays: blanking, retention, export. Plain functions of a connection.

A blanked turn keeps its number, its place in the tree and its events' hashes, so that a replay is not taken for new.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, literal, null, or_, select, update
from sqlalchemy import delete as drop

from core.store.records import CONVERSATION_COLUMNS, TURN_COLUMNS, begins
from core.store.schema import NAMED, PAID, PERSON, TEXT, conversations, marks, people, set_meta, turns

Payer = Callable[[str], str]
"""A user's keyed hash."""

_NO_TEXT = {column.name: column.info[TEXT] for column in turns.c if TEXT in column.info}
_NOBODYS = _NO_TEXT | {column.name: column.info[PERSON] for column in turns.c if PERSON in column.info}
_TIMES = ("asked", "accepted", "started", "finished", "more_until", "created", "updated")


def forget(connection: Connection, user: str, payer: Payer) -> int:
    """Blank all that is a person's. Returns how many turns that were."""
    blanked = _blank(connection, turns.c.user == user, payer)
    kept = connection.execute(drop(conversations).where(conversations.c.owner == user)).rowcount
    known = connection.execute(drop(people).where(people.c.user == user)).rowcount
    marked = connection.execute(drop(marks).where(begins(marks.c.key, f"{user}:"))).rowcount
    if blanked or kept or known or marked:
        set_meta(connection, "unclean", "1")
    return blanked


def remove(connection: Connection, key: str, payer: Payer) -> int:
    """Blank a conversation's turns and drop it."""
    blanked = _blank(connection, turns.c.conversation == key, payer)
    connection.execute(drop(conversations).where(conversations.c.key == key))
    set_meta(connection, "unclean", "1")
    return blanked


def delete(connection: Connection, turn: int) -> None:
    """Blank one turn's text; the rest stays its person's."""
    _untitle(connection, turns.c.id == turn)
    connection.execute(update(turns).where(turns.c.id == turn).values(_NO_TEXT | _ended()))
    set_meta(connection, "unclean", "1")


def too_old(connection: Connection, before: float) -> bool:
    """Is there anything that ``forget_older`` would take?"""
    return bool(connection.scalar(select(or_(exists().where(_older(before)), exists().where(_idle(before))))))


def forget_older(connection: Connection, before: float, payer: Payer) -> int:
    """Blank turns accepted before ``before``, and drop conversations idle since then. Returns how many turns."""
    blanked = _blank(connection, _older(before), payer)
    connection.execute(drop(conversations).where(_idle(before)))
    set_meta(connection, "unclean", "1")
    return blanked


def drop_payers(connection: Connection, before: float) -> int:
    """A day is over: nothing links a turn to who paid for it any more. Of a blanked one its times and cost go, too;
    of one that is still somebody's it stays known that they did not pay."""
    gone = {"payer": null(), "cost": 0, "asked": 0.0, "accepted": 0.0, "started": null(), "finished": 0.0}
    kept = {name: turns.c[name] for name in gone} | {"payer": literal("")}
    values = {name: case((NAMED, kept[name]), else_=gone[name]) for name in gone}
    linked = or_(turns.c.payer != "", turns.c.user == "")
    dropped = connection.execute(update(turns).where(PAID, turns.c.asked < before, linked).values(values)).rowcount
    if dropped:
        set_meta(connection, "unclean", "1")
    return dropped


def _older(before: float) -> ColumnElement[bool]:
    return (turns.c.accepted < before) & NAMED


def _idle(before: float) -> ColumnElement[bool]:
    """No turn is newer than its conversation's last change, so none of them is left either."""
    return conversations.c.updated < before


def _blank(connection: Connection, which: ColumnElement[bool], payer: Payer) -> int:
    _untitle(connection, which)
    blanked = 0
    for user in connection.scalars(select(turns.c.user).where(which, NAMED).distinct()).all():
        gone = _NOBODYS | _ended() | {"payer": func.coalesce(turns.c.payer, payer(user))}  # who paid, paid
        blanked += connection.execute(update(turns).where(which, turns.c.user == user).values(gone)).rowcount
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
    told = select(*TURN_COLUMNS).where(turns.c.user == user).order_by(turns.c.id)
    mine = select(*CONVERSATION_COLUMNS).where(conversations.c.owner == user).order_by(conversations.c.created)
    by_key: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(told).mappings():
        by_key.setdefault(row["conversation"], []).append(_plain(dict(row)))
    noted = connection.execute(select(marks).where(begins(marks.c.key, f"{user}:")).order_by(marks.c.key))
    return {
        "user": user,
        "language": connection.scalar(select(people.c.language).where(people.c.user == user)),
        "conversations": [
            {**_plain(dict(row)), "turns": by_key.get(row["key"], [])} for row in connection.execute(mine).mappings()
        ],
        "marks": {row.key: row.value for row in noted},
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if name == "attachments":
            row[name] = [{"name": file.name, "text": file.text} for file in value]
        elif isinstance(value, tuple):
            row[name] = list(value)
        elif name in _TIMES and value is not None:
            row[name] = datetime.fromtimestamp(value, UTC).isoformat(timespec="milliseconds")
    return row
