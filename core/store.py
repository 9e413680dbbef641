"""Conversations and turns, kept: what was accepted is never lost, and what is forgotten is gone.

The statements are SQLAlchemy Core's and serve SQLite and PostgreSQL alike; what is SQLite's own is in ``core.sqlite``,
who may write when in ``core.database``, the tables in ``core.schema``.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from time import time
from typing import Any, Literal, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, func, insert, or_, select, true, update

from core import forgetting, schema
from core.database import Database
from core.errors import ConchError, NotFound, NotYours
from core.events import FinishReason
from core.limits import Spend
from core.messages import Conversation, Kind, Turn
from core.schema import conversations, events, grants, marks, people, turns

log = logging.getLogger(__name__)
T = TypeVar("T")

DAY_SECONDS = 86_400.0
EXPIRE_SECONDS = 3_600.0
"""How often a running store looks for what has become too old."""
PATIENCE_SECONDS = 5.0
"""How long a forget waits for other programs that read the database."""

_TURN = [turns.c[field.name] for field in fields(Turn)]
_CONVERSATION = [conversations.c[field.name] for field in fields(Conversation)]


@dataclass(frozen=True, slots=True)
class NewTurn:
    """A question to accept. ``asked`` is the event's own time (Unix seconds), ``max_tokens`` its charge until it ends.

    ``persona`` None: the conversation's, else ``default_persona``. ``parent`` "head": the conversation's newest turn.
    ``move_head``: the conversation goes on from this turn. ``title`` is the conversation's, if it has none yet.
    """

    conversation: str
    user: str
    event: str
    kind: Kind
    prompt: str
    persona: str | None
    default_persona: str
    language: str
    seed: int
    max_tokens: int
    asked: float
    place: str = ""
    parent: int | Literal["head"] | None = "head"
    source: int | None = None
    refs: tuple[str, ...] = ()
    move_head: bool = True
    title: str = ""
    scope: str = ""


class Store:
    """All that Conch remembers. Every method may raise StoreFull and StoreError; those that take a turn, NotFound.

    Owners are not checked here, but by Chat, which asks first.
    """

    def __init__(self, database: Database, retention_days: int, clock: Callable[[], float]) -> None:
        self._database, self._retention_days, self._clock = database, retention_days, clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        retention_days: int = 0,
        clock: Callable[[], float] = time,
        migrations: Sequence[schema.Migration] = schema.MIGRATIONS,
    ) -> AsyncIterator[Store]:
        """The store in ``folder``, made if it is not there. Raises StoreError, a sentence on what is wrong.

        Turns older than ``retention_days`` are blanked now and every hour (0: they stay).
        """
        async with Database.open(folder, migrations) as database:
            store = cls(database, retention_days, clock)
            await store.expire(clock())
            hourly = asyncio.create_task(store._expire_hourly(), name="store expiry")
            try:
                yield store
            finally:
                hourly.cancel()
                with suppress(asyncio.CancelledError):
                    await hourly

    # Turns.

    async def accept(self, new: NewTurn, check: Callable[[Sequence[Spend]], None] | None) -> tuple[Turn, bool]:
        """Take a question for good: on the disk when this returns. False where it was taken before.

        That is so for a known event and for a second regenerate or proceed of the same turn, which finds what the first
        one made. ``check`` gets what the person spent within 24 h of ``new.asked``, by the events' own times and oldest
        first, within the same transaction; it runs in the store's thread, and what it raises refuses the question.
        Raises NotYours where the conversation belongs to somebody else.
        """
        now = self._clock()
        return await self._database.write(lambda connection: _accept(connection, new, check, now), durable=True)

    async def started(self, turn: int, at: float) -> Turn:
        """The answer begins: one attempt more."""
        return await self._change(turn, attempts=turns.c.attempts + 1, started=at)

    async def unstarted(self, turn: int) -> None:
        """A shutdown, no failure, ended the attempt: it does not count."""
        await self._change(turn, attempts=turns.c.attempts - 1, started=None)

    async def finish(
        self,
        turn: int,
        *,
        reply: str,
        ids: Iterable[int] | None,
        reason: FinishReason,
        cause: str | None,
        prompt_tokens: int,
        computed_tokens: int,
        reply_tokens: int,
        cost: int,
        left_out: int,
        at: float,
        shown: bool,
    ) -> Turn:
        """Keep the end of an answer. The first end stays; of a turn blanked meanwhile only the figures are kept."""
        figures = {
            "prompt_tokens": prompt_tokens,
            "computed_tokens": computed_tokens,
            "reply_tokens": reply_tokens,
            "cost": cost,
            "left_out": left_out,
            "finished": at,
        }
        end = {"reply": reply, "ids": ids, "finish_reason": reason, "cause": cause, "shown": shown}

        def work(connection: Connection) -> Turn:
            before = _get(connection, turn)
            if before.finished is None:
                values = figures if before.deleted else figures | end
                connection.execute(update(turns).where(turns.c.id == turn).values(values))
            return _get(connection, turn)

        return await self._database.write(work)

    async def placed(self, turn: int, part: int, ref: str) -> Turn:
        """Part number ``part`` of the answer is the platform's message ``ref``."""

        def work(connection: Connection) -> Turn:
            refs = list(_get(connection, turn).refs)
            refs += [""] * (part + 1 - len(refs))
            refs[part] = ref
            return _set_refs(connection, turn, refs)

        return await self._database.write(work)

    async def refs(self, turn: int, refs: Sequence[str]) -> Turn:
        """The answer's parts are these messages, and no others."""
        return await self._database.write(lambda connection: _set_refs(connection, turn, refs))

    async def shown(self, turn: int) -> None:
        """The platform has confirmed the last edit."""
        await self._change(turn, shown=True)

    async def delete(self, turn: int) -> Turn:
        """Blank question and answer of one turn; where it is shown, and whose it is, stays."""
        await self._database.drop_backups()
        deleted = await self._database.write(lambda connection: forgetting.delete(connection, turn), durable=True)
        if not deleted:
            raise NotFound
        self._database.erase_later()
        found = await self.turn(turn)
        assert found is not None
        return found

    async def turn(self, turn: int) -> Turn | None:
        """A turn by its id."""
        return await self._one(turns.c.id == turn)

    async def find(self, event: str) -> Turn | None:
        """The turn that an event belongs to."""
        return await self._one(
            turns.c.id == select(events.c.turn).where(events.c.hash == _hash(event)).scalar_subquery()
        )

    async def path(self, turn: int) -> list[Turn]:
        """A turn and all before it, oldest first."""
        line = select(turns.c.id, turns.c.parent).where(turns.c.id == turn).cte("line", recursive=True)
        line = line.union_all(select(turns.c.id, turns.c.parent).join(line, turns.c.id == line.c.parent))
        return await self._turns(turns.c.id.in_(select(line.c.id)))

    async def children(self, turn: int) -> list[Turn]:
        """The turns that follow directly on one, in the order of acceptance."""
        return await self._turns(turns.c.parent == turn)

    async def pending(self, prefixes: Iterable[str]) -> list[Turn]:
        """What is not answered yet in conversations whose keys begin with one of these, in the order of acceptance."""
        begun = [_begins(turns.c.conversation, prefix) for prefix in prefixes]
        return await self._turns(or_(*begun) & _not_shown() & turns.c.finish_reason.is_(None)) if begun else []

    async def unshown(self, prefix: str) -> list[Turn]:
        """What is answered, but not shown to its end yet, in the order of acceptance."""
        answered = turns.c.finish_reason.is_not(None)
        return await self._turns(_begins(turns.c.conversation, prefix) & _not_shown() & answered)

    async def spends(self, user: str, at: float) -> list[Spend]:
        """What a person spent within 24 h of ``at``, oldest first; also what they have had forgotten.

        Later ones count, too: an event may come late, when others of its minute were accepted before it.
        """
        return await self._database.read(lambda connection: _spends(connection, user, at))

    # Conversations.

    async def conversation(self, key: str) -> Conversation | None:
        """A conversation by its key."""
        return await self._database.read(lambda connection: _conversation(connection, key))

    async def conversations(self, owner: str) -> list[Conversation]:
        """A person's conversations, the one asked in last first."""
        newest = select(*_CONVERSATION).where(conversations.c.owner == owner).order_by(conversations.c.updated.desc())
        rows = await self._database.read(lambda connection: connection.execute(newest).all())
        return [Conversation(*row) for row in rows]

    async def create(self, key: str, owner: str, title: str) -> None:
        """An empty conversation; nothing happens where it exists. Raises NotYours where it is somebody else's."""
        now = self._clock()
        await self._database.write(lambda connection: _made(connection, key, owner, title, "", now))

    async def set_head(self, key: str, turn: int | None) -> None:
        """The conversation goes on from ``turn``; None: afresh."""
        await self._change_conversation(key, head=turn)

    async def rename(self, key: str, title: str) -> None:
        """Give the conversation a title of the person's own."""
        await self._change_conversation(key, title=title, titled_by=None)

    async def set_persona(self, key: str, name: str) -> None:
        """Who answers the questions to come."""
        await self._change_conversation(key, persona=name)

    async def remove(self, key: str) -> None:
        """Forget a conversation, its turns' text first of all."""
        await self._forget(lambda connection: forgetting.remove(connection, key))

    async def move(self, old: str, new: str) -> None:
        """Keys that begin with ``old`` begin with ``new`` from now on; what is there already takes the turns in."""
        await self._database.write(lambda connection: _move(connection, old, new))

    # People.

    async def language(self, user: str) -> str | None:
        """The language that a person chose."""
        return await self._value(people.c.language, people.c.user == user)

    async def set_language(self, user: str, code: str) -> None:
        """Keep the language that a person chose."""
        await self._put(people, {"user": user}, language=code)

    async def forget(self, user: str) -> int:
        """Forget a person; returns how many turns were blanked.

        Question, answer, place, title, name and language go; the tree's shape and the events' hashes stay, and for 24 h
        what was spent, under a keyed hash. When this returns, the text is in no file of the data folder, unless another
        program's reading has kept the log in use for 5 s: then ``erasing`` holds, and it goes when that ends.
        """
        return await self._forget(lambda connection: forgetting.forget(connection, user))

    @property
    def erasing(self) -> bool:
        """Is text that was forgotten still in the log, since another program reads the database?"""
        return self._database.erasing

    async def export(self, user: str) -> dict[str, Any]:
        """All that is kept of a person, ready for JSON; times are ISO 8601 in UTC."""
        return await self._database.read(lambda connection: forgetting.export(connection, user))

    async def grants(self) -> dict[str, str]:
        """Who was admitted, shut out or made owner while running."""
        rows = await self._database.read(lambda connection: connection.execute(select(grants)).all())
        return {row.who: row.role for row in rows}

    async def grant(self, who: str, role: str) -> None:
        """Keep what a person or place may do: owner, allowed or denied."""
        await self._put(grants, {"who": who}, role=role)

    async def revoke(self, who: str) -> None:
        """Keep nothing of what a person or place may do."""
        await self._database.write(lambda connection: connection.execute(delete(grants).where(grants.c.who == who)))

    # The rest.

    async def get(self, key: str) -> str | None:
        """A value that was put."""
        return await self._value(marks.c.value, marks.c.key == key)

    async def put(self, key: str, value: str) -> None:
        """Keep a small value: an adapter's place in a stream, a counter."""
        await self._put(marks, {"key": key}, value=value)

    async def expire(self, now: float) -> int:
        """Blank what is older than the retention days, drop the day-old hashes of forgotten users; how many blanked."""
        before = now - self._retention_days * DAY_SECONDS if self._retention_days else None
        if before is not None and await self._one(forgetting.older(before)) is not None:
            blanked = await self._forget(lambda connection: forgetting.forget_older(connection, before))
        else:
            blanked = 0
        await self._database.write(lambda connection: forgetting.drop_payers(connection, now - DAY_SECONDS))
        return blanked

    async def backup(self, file: Path) -> None:
        """Copy what is kept to ``file`` (mode 0600) while running. Raises StoreError, also where it exists."""
        await self._database.copy(file)

    async def stats(self) -> dict[str, int]:
        """Figures without names: turns, unanswered, conversations, people, tokens and bytes."""
        kept = turns.c.deleted.is_(False)
        counts = {
            "turns": select(func.count()).where(kept),
            "unanswered": select(func.count()).where(_not_shown() & turns.c.finish_reason.is_(None)),
            "people": select(func.count(turns.c.user.distinct())).where(kept),
            "tokens": select(func.coalesce(func.sum(turns.c.reply_tokens), 0)),
            "conversations": select(func.count()).select_from(conversations),
        }

        def work(connection: Connection) -> dict[str, int]:
            return {name: int(connection.scalar(count) or 0) for name, count in counts.items()}

        figures = await self._database.read(work)
        return {**figures, "bytes": sum(file.stat().st_size for file in self._database.files())}

    async def _expire_hourly(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            try:
                await self.expire(self._clock())
            except ConchError as error:
                log.error("what is too old could not be blanked: %s", error)

    async def _forget(self, work: Callable[[Connection], int]) -> int:
        """Copies first, so that a crash leaves none of them behind a database that has forgotten."""
        await self._database.drop_backups()
        blanked = await self._database.write(work, durable=True)
        await self._database.erase(PATIENCE_SECONDS)
        return blanked

    async def _change(self, turn: int, **values: Any) -> Turn:
        def work(connection: Connection) -> Turn:
            connection.execute(update(turns).where(turns.c.id == turn).values(values))
            return _get(connection, turn)

        return await self._database.write(work)

    async def _change_conversation(self, key: str, **values: Any) -> None:
        change = update(conversations).where(conversations.c.key == key).values(values)

        def work(connection: Connection) -> None:
            if not connection.execute(change).rowcount:
                raise NotFound

        await self._database.write(work)

    async def _put(self, table: Table, key: dict[str, str], **values: str) -> None:
        """Update or insert: no other writer can come between."""

        def work(connection: Connection) -> None:
            if not connection.execute(update(table).filter_by(**key).values(values)).rowcount:
                connection.execute(insert(table).values(**key, **values))

        await self._database.write(work)

    async def _value(self, column: Column[Any], where: ColumnElement[bool]) -> str | None:
        return await self._database.read(lambda connection: connection.scalar(select(column).where(where)))

    async def _one(self, where: ColumnElement[bool]) -> Turn | None:
        query = select(*_TURN).where(where).limit(1)
        row = await self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else Turn(*row)

    async def _turns(self, where: ColumnElement[bool]) -> list[Turn]:
        query = select(*_TURN).where(where).order_by(turns.c.id)
        return await self._database.read(lambda connection: [Turn(*row) for row in connection.execute(query)])


def _accept(
    connection: Connection, new: NewTurn, check: Callable[[Sequence[Spend]], None] | None, now: float
) -> tuple[Turn, bool]:
    known = connection.scalar(select(events.c.turn).where(events.c.hash == _hash(new.event)))
    if known is not None:
        return _get(connection, known), False
    sibling = _made_before(connection, new)
    if sibling is not None:
        connection.execute(insert(events).values(hash=_hash(new.event), turn=sibling.id))
        return sibling, False
    if check is not None:
        check(_spends(connection, new.user, new.asked))
    place = _made(connection, new.conversation, new.user, "", new.persona or new.default_persona, now)
    made = connection.execute(insert(turns).values(_row(new, place, now))).inserted_primary_key
    assert made is not None
    turn: int = made.id
    connection.execute(insert(events).values(hash=_hash(new.event), turn=turn))
    changes: dict[str, Any] = {"updated": now}
    if new.move_head:
        changes["head"] = turn
    if new.title and not place.title:
        changes |= {"title": new.title, "titled_by": turn}
    connection.execute(update(conversations).where(conversations.c.key == new.conversation).values(changes))
    return _get(connection, turn), True


def _row(new: NewTurn, place: Conversation, now: float) -> dict[str, Any]:
    return {
        "conversation": new.conversation,
        "parent": place.head if new.parent == "head" else new.parent,
        "source": new.source,
        "kind": new.kind,
        "user": new.user,
        "persona": new.persona or place.persona or new.default_persona,
        "language": new.language,
        "seed": new.seed,
        "shown": False,
        "deleted": False,
        "attempts": 0,
        "prompt_tokens": 0,
        "computed_tokens": 0,
        "reply_tokens": 0,
        "cost": new.max_tokens,
        "left_out": 0,
        "asked": new.asked,
        "accepted": now,
        "scope": new.scope,
        "place": new.place,
        "refs": new.refs,
        "prompt": new.prompt,
        "reply": "",
    }


def _made_before(connection: Connection, new: NewTurn) -> Turn | None:
    """What an earlier press of the same button made."""
    if new.kind not in ("regenerate", "proceed") or new.source is None:
        return None
    same = (turns.c.source == new.source) & (turns.c.kind == new.kind) & turns.c.deleted.is_(False)
    row = connection.execute(select(*_TURN).where(same).order_by(turns.c.id).limit(1)).one_or_none()
    return None if row is None else Turn(*row)


def _made(connection: Connection, key: str, owner: str, title: str, persona: str, now: float) -> Conversation:
    """The conversation, made if it is not there. Raises NotYours."""
    found = _conversation(connection, key)
    if found is None:
        found = Conversation(key, owner, title, persona, None, now, now)
        values = {field.name: getattr(found, field.name) for field in fields(Conversation)}
        connection.execute(insert(conversations).values(values))
    elif found.owner != owner:
        raise NotYours
    return found


def _move(connection: Connection, old: str, new: str) -> None:
    where = _begins(conversations.c.key, old)
    for row in connection.execute(select(*_CONVERSATION).where(where)).all():
        moving = Conversation(*row)
        key = new + moving.key[len(old) :]
        there = _conversation(connection, key) if key != moving.key else moving
        mine = conversations.c.key == moving.key
        if there is None:
            connection.execute(update(conversations).where(mine).values(key=key))
        elif there.owner != moving.owner:
            raise NotYours
        elif there.key != moving.key:
            connection.execute(delete(conversations).where(mine))
            if there.head is None:
                connection.execute(update(conversations).where(conversations.c.key == key).values(head=moving.head))
        connection.execute(update(turns).where(turns.c.conversation == moving.key).values(conversation=key))


def _set_refs(connection: Connection, turn: int, refs: Sequence[str]) -> Turn:
    """A forgotten turn (it has no user) keeps no place to be found by."""
    connection.execute(update(turns).where((turns.c.id == turn) & (turns.c.user != "")).values(refs=refs))
    return _get(connection, turn)


def _get(connection: Connection, turn: int) -> Turn:
    row = connection.execute(select(*_TURN).where(turns.c.id == turn)).one_or_none()
    if row is None:
        raise NotFound
    return Turn(*row)


def _conversation(connection: Connection, key: str) -> Conversation | None:
    row = connection.execute(select(*_CONVERSATION).where(conversations.c.key == key)).one_or_none()
    return None if row is None else Conversation(*row)


def _spends(connection: Connection, user: str, at: float) -> list[Spend]:
    mine = or_(turns.c.user == user, turns.c.payer == forgetting.payer(connection, user))
    day = (turns.c.asked > at - DAY_SECONDS) & (turns.c.asked < at + DAY_SECONDS)
    query = select(turns.c.asked, turns.c.cost).where(mine & day).order_by(turns.c.asked, turns.c.id)
    return [Spend(row.asked, row.cost) for row in connection.execute(query)]


def _begins(column: Column[Any], prefix: str) -> ColumnElement[bool]:
    """Exactly, which LIKE is not in SQLite: it takes upper and lower case for the same."""
    return func.substr(column, 1, len(prefix)) == prefix if prefix else true()


def _not_shown() -> ColumnElement[bool]:
    """In the very words of the partial index, so that it is used."""
    return turns.c.shown.is_(False)


def _hash(event: str) -> bytes:
    return hashlib.sha256(event.encode("utf-8", "surrogatepass")).digest()
