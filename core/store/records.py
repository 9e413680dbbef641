"""What is done to the tables within one transaction: plain functions of a connection, over statements built once.

Building a statement costs more than running it, so those of every message stand ready at the top.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Executable,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from core.errors import NotFound, NotYours
from core.limits import DAY, Spend
from core.messages import Conversation, End, Kind, Question, Turn
from core.store.schema import conversations, events, people, storable, storable_file, storable_turn, turns

FIGURES = tuple(
    field.name for field in fields(End) if field.name not in ("reason", "cause", "at", "reply", "ids", "shown")
)
"""What an End tells of its turn beside the words: they stay, too, where those are blanked."""
TURN_COLUMNS = [turns.c[field.name] for field in fields(Turn)]
CONVERSATION_COLUMNS = [conversations.c[field.name] for field in fields(Conversation)]

THIS_TURN, THIS_KEY = turns.c.id == bindparam("this"), conversations.c.key == bindparam("this")

_THIS_EVENT = events.c.hash == bindparam("this_hash")
_EVENT = select(events.c.turn).where(events.c.hash == bindparam("hash"))
_PART = select(events.c.part).where(events.c.hash == bindparam("hash"))
_POINT_EVENT = update(events).where(_THIS_EVENT)
_ADD_TURN, _ADD_EVENT, _ADD_CONVERSATION = insert(turns), insert(events), insert(conversations)
_SIBLING = (
    select(*TURN_COLUMNS)
    .where(turns.c.source == bindparam("source"), turns.c.kind == bindparam("kind"), turns.c.deleted.is_(False))
    .order_by(turns.c.id.desc())
    .limit(1)
)
_EDIT = (
    select(turns.c.id)
    .where(turns.c.source == bindparam("source"), turns.c.kind == "edit", turns.c.deleted.is_(False))
    .limit(1)
)
_SPENDS = (
    select(turns.c.asked, turns.c.cost)
    .where(
        or_(
            (turns.c.user == bindparam("user")) & turns.c.payer.is_(None),
            turns.c.payer == bindparam("payer"),
        )
    )
    .where(turns.c.asked > bindparam("after"), turns.c.asked < bindparam("before"))
    .order_by(turns.c.asked, turns.c.id)
)
_line = select(turns.c.id, turns.c.parent).where(THIS_TURN).cte("line", recursive=True)
_line = _line.union_all(select(turns.c.id, turns.c.parent).join(_line, turns.c.id == _line.c.parent))

TURN = select(*TURN_COLUMNS).where(THIS_TURN)
UNFINISHED_QUESTION = TURN.where(turns.c.more_until >= bindparam("at"), turns.c.deleted.is_(False))
FOUND = select(*TURN_COLUMNS).where(turns.c.id == _EVENT.scalar_subquery())
PATH = select(*TURN_COLUMNS).where(turns.c.id.in_(select(_line.c.id))).order_by(turns.c.id)
MADE_FROM = select(*TURN_COLUMNS).where(turns.c.source == bindparam("this")).order_by(turns.c.id)
CHILDREN = select(*TURN_COLUMNS).where(turns.c.parent == bindparam("this")).order_by(turns.c.id)
CONVERSATION = select(*CONVERSATION_COLUMNS).where(THIS_KEY)
LANGUAGE = select(people.c.language).where(people.c.user == bindparam("this"))
CONVERSATIONS = (
    select(*CONVERSATION_COLUMNS)
    .where(conversations.c.owner == bindparam("owner"))
    .order_by(conversations.c.updated.desc(), conversations.c.key)
)
CHANGE_TURN = update(turns).where(THIS_TURN)
UNSTART = CHANGE_TURN.values(attempts=turns.c.attempts - 1)
CHANGE_CONVERSATION = update(conversations).where(THIS_KEY)


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A question to accept, with what was decided of it. ``asked`` is its time (Unix seconds), ``language`` the one it
    is answered in, ``max_tokens`` its charge until it ends.

    A question that names no persona gets the conversation's, else ``default_persona``. ``parent`` "head": the
    conversation's newest turn. ``move_head``: the conversation goes on from this turn. ``take_over``: the messages of
    ``source`` become this turn's, and ``source`` is shown nowhere any more. Of a question of several messages,
    ``parts`` are their lengths, and ``question.event`` is the last of them. ``payer`` is who pays for the answer, where
    that is not the person who asks.
    """

    question: Question
    kind: Kind
    asked: float
    language: str
    default_persona: str
    seed: int
    max_tokens: int
    parent: int | Literal["head"] | None = "head"
    source: int | None = None
    refs: tuple[str, ...] = ()
    move_head: bool = True
    take_over: bool = False
    parts: tuple[int, ...] = ()
    payer: str | None = None


@dataclass(frozen=True, slots=True)
class Glance:
    """What accepting a question needs to know: the turn that its event belongs to, or else its conversation, its
    person's language, and the newest turn if what was sent at that time is more of the same question."""

    known: Turn | None
    conversation: Conversation | None = None
    language: str | None = None
    unfinished: Turn | None = None


def accept(
    connection: Connection,
    new: NewTurn,
    check: Callable[[Sequence[Spend]], None] | None,
    *,
    now: float,
    payer: str,
) -> tuple[Turn, bool]:
    """The turn, made by this or found. ``payer`` is the keyed hash of who pays. What ``check`` raises leaves nothing
    behind."""
    question = new.question
    known = connection.scalar(_EVENT, {"hash": event_hash(question.event)})
    if known is not None:
        return turn(connection, known), False
    source = None if new.source is None else turn(connection, new.source)
    if source is not None and source.deleted:  # forgotten since it was looked at: its text must not come back
        raise NotFound
    if source is not None and new.kind in ("regenerate", "proceed"):
        sibling = _turn(connection, _SIBLING, {"source": source.id, "kind": new.kind})
        if sibling is not None and _is_pressed_again(source, sibling):
            _add_event(connection, question.event, sibling.id)
            place = conversation(connection, sibling.conversation)
            if new.move_head and place is not None and place.head == source.id == sibling.parent:  # after an undo
                connection.execute(CHANGE_CONVERSATION, {"head": sibling.id, "this": place.key})
            return sibling, False
    if check is not None:
        check(spends(connection, new.payer or question.user, new.asked, payer))
    if source is not None and new.take_over:  # where it is shown by now, not when it was looked at
        new = replace(new, refs=source.refs)
        change(connection, source, {"refs": (), "shown": source.finish_reason is not None})
    persona = question.persona or new.default_persona
    place = conversation_made(connection, question.conversation, question.user, persona=persona, now=now)
    made = _add_turn(connection, new, place, now, payer if new.payer is not None else None)
    _add_event(connection, question.event, made.id, max(len(new.parts) - 1, 0))
    for ref in made.refs:
        _point(connection, ref, made.id)
    changes: dict[str, Any] = {"updated": now}
    if new.move_head:
        changes["head"] = made.id
    if question.title and not place.title:
        changes |= {"title": question.title, "titled_by": made.id}
    connection.execute(CHANGE_CONVERSATION, changes | {"this": question.conversation})
    return made, True


def _add_turn(connection: Connection, new: NewTurn, place: Conversation, now: float, payer: str | None) -> Turn:
    made = storable_turn(
        Turn(
            id=0,
            parent=place.head if new.parent == "head" else new.parent,
            source=new.source,
            kind=new.kind,
            persona=new.question.persona or place.persona or new.default_persona,
            language=new.language,
            prompt=new.question.text,
            seed=new.seed,
            asked=new.asked,
            accepted=now,
            cost=new.max_tokens,
            refs=new.refs,
            parts=new.parts,
            **new.question.kept,
        )
    )
    row = {column.name: getattr(made, column.name) for column in TURN_COLUMNS if column.name != "id"}
    key = connection.execute(_ADD_TURN, row | {"payer": payer}).inserted_primary_key
    assert key is not None
    return replace(made, id=key.id)


def _is_pressed_again(source: Turn, sibling: Turn) -> bool:
    """Is the sibling what a second press wants? One without a word is not, and another answer is not where the first
    one is on the screen still: there its button asks for one more."""
    if sibling.finish_reason is None:
        return True
    return bool(sibling.reply) and (sibling.kind == "proceed" or not any(source.refs))


def append(connection: Connection, number: int, event: str, text: str, more_until: float | None) -> Turn:
    """The question goes on: one more message of it, by an event of its own."""
    before = turn(connection, number)
    if connection.scalar(_EVENT, {"hash": event_hash(event)}) is not None:
        return before
    text = storable(text)
    parts = (*(before.parts or (len(before.prompt),)), len(text))
    _add_event(connection, event, number, len(parts) - 1)
    if before.deleted:
        return before
    return change(connection, before, {"prompt": before.prompt + text, "parts": parts, "more_until": more_until})


def attach(connection: Connection, number: int, texts: Sequence[str]) -> Turn:
    """The texts of the files that were not fetched yet, in their order; of a blanked turn nothing is kept."""
    before, coming = turn(connection, number), iter(texts)
    files = tuple(
        file if file.text is not None else storable_file(replace(file, text=next(coming)))
        for file in before.attachments
    )
    return change(connection, before, {"attachments": files})


def take_back(connection: Connection, key: str, taken: int, parent: int | None, event: str | None) -> None:
    """The conversation goes on from ``parent``, and ``event``, if there is one, stands for the turn taken back."""
    if not connection.execute(CHANGE_CONVERSATION, {"this": key, "head": parent}).rowcount:
        raise NotFound
    if event is not None:
        _add_event(connection, event, taken)


def part(connection: Connection, event: str) -> int:
    """Which of its question's messages an event was; 0 also where it is not known."""
    return connection.scalar(_PART, {"hash": event_hash(event)}) or 0


def finish(connection: Connection, number: int, end: End) -> Turn:
    """The first end stays. Of a turn that was blanked meanwhile only the figures are kept.

    What was edited meanwhile has no messages of its own to be shown in any more.
    """
    before = turn(connection, number)
    if before.finished is not None:
        return before
    figures = {name: getattr(end, name) for name in FIGURES} | {"finished": end.at}
    if before.deleted:
        return change(connection, before, figures)
    text = {"reply": storable(end.reply), "ids": end.ids, "finish_reason": end.reason, "cause": end.cause}
    shown = end.shown or connection.scalar(_EDIT, {"source": number}) is not None
    return change(connection, before, {**figures, **text, "shown": shown})


def start(connection: Connection, number: int, at: float) -> Turn:
    """One attempt more."""
    before = turn(connection, number)
    return change(connection, before, {"attempts": before.attempts + 1, "started": at})


def change(connection: Connection, before: Turn, values: Mapping[str, Any]) -> Turn:
    """The turn with ``values`` in it, which are as they will be read again."""
    connection.execute(CHANGE_TURN, {**values, "this": before.id})
    return replace(before, **values)


def change_unseen(
    connection: Connection, number: int, values: Mapping[str, Any], how: Executable = CHANGE_TURN
) -> None:
    """Put ``values`` into a turn that nobody needs to see. Raises NotFound."""
    if not connection.execute(how, {**values, "this": number}).rowcount:
        raise NotFound


def set_refs(connection: Connection, before: Turn, refs: Sequence[str]) -> Turn:
    """A forgotten turn (it has no user) keeps no place to be found by."""
    if not before.user:
        return before
    for ref in set(refs) - set(before.refs):
        _point(connection, ref, before.id)
    return change(connection, before, {"refs": tuple(refs)})


def _add_event(connection: Connection, event: str, turn: int, part: int = 0) -> None:
    connection.execute(_ADD_EVENT, {"hash": event_hash(event), "turn": turn, "part": part})


def _point(connection: Connection, ref: str, turn: int) -> None:
    """A message of the platform shows this turn now; whoever replies to it means this one."""
    if ref and not connection.execute(_POINT_EVENT, {"this_hash": event_hash(ref), "turn": turn}).rowcount:
        _add_event(connection, ref, turn)


def turn(connection: Connection, number: int) -> Turn:
    """The turn of this number. Raises NotFound."""
    found = _turn(connection, TURN, {"this": number})
    if found is None:
        raise NotFound
    return found


def _turn(connection: Connection, query: Executable, values: Mapping[str, Any]) -> Turn | None:
    row = connection.execute(query, values).one_or_none()
    return None if row is None else Turn(*row)


def conversation(connection: Connection, key: str) -> Conversation | None:
    """The conversation of this key."""
    row = connection.execute(CONVERSATION, {"this": key}).one_or_none()
    return None if row is None else Conversation(*row)


def glance(connection: Connection, event: str, key: str, user: str, at: float) -> Glance:
    """See ``Store.glance``."""
    known = _turn(connection, FOUND, {"hash": event_hash(event)})
    if known is not None:
        return Glance(known)
    kept, language = conversation(connection, key), connection.scalar(LANGUAGE, {"this": user})
    if kept is None or kept.head is None:
        return Glance(None, kept, language)
    return Glance(None, kept, language, _turn(connection, UNFINISHED_QUESTION, {"this": kept.head, "at": at}))


def conversation_made(
    connection: Connection, key: str, owner: str, *, title: str = "", persona: str = "", now: float
) -> Conversation:
    """The conversation, made if it is not there. Raises NotYours."""
    found = conversation(connection, key)
    if found is None:
        found = Conversation(key, owner, title, persona, None, now, now)
        connection.execute(_ADD_CONVERSATION, {field.name: getattr(found, field.name) for field in fields(found)})
    elif found.owner != owner:
        raise NotYours
    return found


def move(connection: Connection, old: str, new: str) -> None:
    """Give new keys to conversations; one that is there already takes the turns in. Raises NotYours."""
    rows = connection.execute(select(*CONVERSATION_COLUMNS).where(begins(conversations.c.key, old))).all()
    for moving in [Conversation(*row) for row in rows]:
        key = new + moving.key[len(old) :]
        if key == moving.key:
            continue
        there = conversation(connection, key)
        if there is None:
            connection.execute(CHANGE_CONVERSATION, {"this": moving.key, "key": key})
        elif there.owner != moving.owner:
            raise NotYours
        else:
            connection.execute(delete(conversations).where(conversations.c.key == moving.key))
            if there.head is None:
                connection.execute(CHANGE_CONVERSATION, {"this": key, "head": moving.head})
        connection.execute(update(turns).where(turns.c.conversation == moving.key).values(conversation=key))


def spends(connection: Connection, user: str, at: float, payer: str) -> list[Spend]:
    """What a person spent within a day of ``at``, oldest first: their own turns but those that somebody else pays for,
    and what is kept under their hash ``payer``."""
    values = {"user": user, "payer": payer, "after": at - DAY, "before": at + DAY}
    return [Spend(*row) for row in connection.execute(_SPENDS, values)]


def begins(column: Column[Any], prefix: str) -> ColumnElement[bool]:
    """Exactly, which LIKE is not in SQLite: it takes upper and lower case for the same."""
    return func.substr(column, 1, len(prefix)) == prefix if prefix else true()


def event_hash(event: str) -> bytes:
    """What is kept of an event's name, for ever."""
    return hashlib.sha256(event.encode("utf-8", "surrogatepass")).digest()


def payer_of(secret: bytes, user: str) -> str:
    """The keyed hash under which a day's spending of a person is kept, where the turn is not theirs, or no more."""
    return hmac.new(secret, user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
