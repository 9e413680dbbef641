"""Conversations and turns, kept: what was accepted is never lost, and what is forgotten is gone.

The statements are SQLAlchemy Core's and serve SQLite and PostgreSQL alike (``core.store.records``,
``core.store.forgetting``, over the tables of ``core.store.schema``). Who may write when is ``core.store.database``;
what is SQLite's own is ``core.store.sqlite``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import time
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Executable, Table, delete, func, insert, or_, select, update

from core.errors import ConchError, NotFound
from core.limits import DAY, Spend
from core.messages import Conversation, End, Turn, placed
from core.store import forgetting, records, schema
from core.store.database import Database
from core.store.migrations import MIGRATIONS, Migration
from core.store.records import Glance, NewTurn, begins
from core.store.schema import NOT_SHOWN, PAID, conversations, grants, marks, people, turns

__all__ = ["Glance", "NewTurn", "Store"]

log = logging.getLogger(__name__)
T = TypeVar("T")

EXPIRE_SECONDS = 3_600.0
"""How often a running store looks for what has become too old."""
PATIENCE_SECONDS = 5.0
"""How long a forget waits for other programs that read the database."""


class Store:
    """All that Conch remembers. Every method may raise StoreFull and StoreError; those that change a turn, NotFound.

    Owners are not checked here but by Chat; only ``accept`` and ``create`` raise NotYours.
    """

    def __init__(
        self,
        database: Database,
        secret: bytes,
        *,
        retention_days: int = 0,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time,
    ) -> None:
        self._database, self._secret = database, secret
        self._retention_days, self._patience, self._clock = retention_days, patience, clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        folder: Path,
        *,
        retention_days: int = 0,
        patience: float = PATIENCE_SECONDS,
        clock: Callable[[], float] = time,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> AsyncIterator[Store]:
        """The store in ``folder``, made if it is not there. Raises StoreError, a sentence on what is wrong.

        Turns older than ``retention_days`` are blanked now and every hour (0: they stay). ``patience``: for how many
        seconds a forget waits for other programs that read the database.
        """
        async with Database.open(folder, migrations) as database:
            secret = bytes.fromhex(await database.read(lambda c: schema.get_meta(c, "secret")))
            store = cls(database, secret, retention_days=retention_days, patience=patience, clock=clock)
            await store._expire_or_say_why_not()
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
        first, within the same transaction; it runs in the store's thread, twice if its commit has to be done again, and
        what it raises refuses the question. Raises NotYours where the conversation belongs to somebody else, NotFound
        for a parent or source that there is not.
        """
        now, payer = self._clock(), self._payer(new.payer or new.question.user)
        return await self._database.write(lambda c: records.accept(c, new, check, now=now, payer=payer), durable=True)

    async def started(self, turn: int, at: float) -> Turn:
        """The answer begins: one attempt more."""
        return await self._database.write(lambda c: records.start(c, turn, at))

    async def unstarted(self, turn: int) -> None:
        """A shutdown, no failure, ended the attempt: it does not count."""
        await self._database.write(lambda c: records.change_unseen(c, turn, {}, records.UNSTART))

    async def finish(self, turn: int, end: End) -> Turn:
        """Keep the end of an answer. The first end stays; of a turn blanked meanwhile only the figures are kept."""
        return await self._database.write(lambda c: records.finish(c, turn, end))

    async def append(self, turn: int, event: str, text: str, more_until: float | None) -> Turn:
        """One more message of a question, for good like ``accept``; a known event changes nothing."""
        return await self._database.write(lambda c: records.append(c, turn, event, text, more_until), durable=True)

    async def attach(self, turn: int, texts: Sequence[str]) -> Turn:
        """The texts of a turn's files that were not fetched yet, in their order."""
        return await self._database.write(lambda c: records.attach(c, turn, texts))

    async def placed(self, turn: int, part: int, ref: str) -> Turn:
        """Part number ``part`` (from 0) of the answer is the platform's message ``ref``; "" = it is no more.

        From then on ``ref`` is an event of the turn: it names no other message of any platform.
        """

        def work(connection: Connection) -> Turn:
            before = records.turn(connection, turn)
            return records.set_refs(connection, before, placed(before.refs, part, ref))

        return await self._database.write(work)

    async def refs(self, turn: int, refs: Sequence[str]) -> Turn:
        """The answer's parts are these messages, and no others."""
        return await self._database.write(lambda c: records.set_refs(c, records.turn(c, turn), refs))

    async def shown(self, turn: int) -> None:
        """The platform has confirmed the last edit."""
        await self._database.write(lambda c: records.change_unseen(c, turn, {"shown": True}))

    async def delete(self, turn: int) -> Turn:
        """Blank question and answer of one turn; where it is shown, and whose it is, stays.

        It is in no file any more within the hour, like what retention blanks.
        """

        def work(connection: Connection) -> Turn:
            forgetting.delete(connection, turn)
            return records.turn(connection, turn)

        return await self._forget(work)

    async def turn(self, turn: int) -> Turn | None:
        """A turn by its number."""
        return await self._one(records.TURN, {"this": turn})

    async def find(self, event: str) -> Turn | None:
        """The turn that an event belongs to."""
        return await self._one(records.FOUND, {"hash": records.event_hash(event)})

    async def part(self, event: str) -> int:
        """Which of its question's messages an event was, from 0."""
        return await self._database.read(lambda c: records.part(c, event))

    async def glance(self, event: str, key: str, user: str, at: float) -> Glance:
        """What accepting a question sent at ``at`` needs to know, in one visit to the store's threads."""
        return await self._database.read(lambda c: records.glance(c, event, key, user, at))

    async def path(self, turn: int) -> list[Turn]:
        """A turn and all before it, oldest first."""
        return await self._turns(records.PATH, {"this": turn})

    async def children(self, turn: int) -> list[Turn]:
        """The turns that follow directly on one, in the order of acceptance."""
        return await self._turns(records.CHILDREN, {"this": turn})

    async def made_from(self, turn: int) -> list[Turn]:
        """The turns of which one is the source: made again, continued, edited; in the order of acceptance."""
        return await self._turns(records.MADE_FROM, {"this": turn})

    async def pending(self, prefixes: Iterable[str]) -> list[Turn]:
        """What is not answered yet in conversations whose keys begin with one of these, in the order of acceptance."""
        begun = [begins(turns.c.conversation, prefix) for prefix in prefixes]
        return await self._not_shown(or_(*begun) & turns.c.finish_reason.is_(None)) if begun else []

    async def unshown(self, prefix: str) -> list[Turn]:
        """What is answered, but not shown to its end yet, in the order of acceptance."""
        return await self._not_shown(begins(turns.c.conversation, prefix) & turns.c.finish_reason.is_not(None))

    async def spends(self, user: str, at: float) -> list[Spend]:
        """What a person spent within 24 h of ``at``, oldest first; also on another's turns, and what they have had
        forgotten, but not what somebody else pays for.

        Later ones count, too: an event may come late, when others of its minute were accepted before it.
        """
        payer = self._payer(user)
        return await self._database.read(lambda c: records.spends(c, user, at, payer))

    async def payers(self) -> dict[int, str]:
        """The keyed hashes of those who pay for another's turn that is not shown yet; "" after a day."""
        query = select(turns.c.id, turns.c.payer).where(NOT_SHOWN, PAID)
        return await self._database.read(lambda c: {row.id: row.payer for row in c.execute(query)})

    # Conversations.

    async def conversation(self, key: str) -> Conversation | None:
        """A conversation by its key."""
        return await self._database.read(lambda c: records.conversation(c, key))

    async def conversations(self, owner: str) -> list[Conversation]:
        """A person's conversations, the one asked in last first."""
        mine = {"owner": owner}
        return await self._database.read(
            lambda c: [Conversation(*row) for row in c.execute(records.CONVERSATIONS, mine)]
        )

    async def create(self, key: str, owner: str, title: str) -> None:
        """An empty conversation; nothing happens where it exists. Raises NotYours where it is somebody else's."""
        now = self._clock()
        await self._database.write(lambda c: records.conversation_made(c, key, owner, title=title, now=now))

    async def set_head(self, key: str, turn: int | None) -> None:
        """The conversation goes on from ``turn``; None: afresh. Raises NotFound."""
        await self._change_conversation(key, {"head": turn})

    async def take_back(self, key: str, turn: int, parent: int | None, event: str | None) -> None:
        """The conversation goes on from ``parent``; ``event`` stands for the turn taken back. Raises NotFound."""
        await self._database.write(lambda c: records.take_back(c, key, turn, parent, event))

    async def rename(self, key: str, title: str) -> None:
        """Give the conversation a title of the person's own. Raises NotFound."""
        await self._change_conversation(key, {"title": title, "titled_by": None})

    async def set_persona(self, key: str, name: str) -> None:
        """Who answers the questions to come. Raises NotFound."""
        await self._change_conversation(key, {"persona": name})

    async def remove(self, key: str) -> None:
        """Forget a conversation and its turns, like ``forget``; in no file any more within the hour."""
        await self._forget(lambda c: forgetting.remove(c, key, self._payer))

    async def move(self, old: str, new: str) -> None:
        """Keys that begin with ``old`` begin with ``new`` from now on; what is there already takes the turns in."""
        await self._database.write(lambda c: records.move(c, old, new))

    # People.

    async def language(self, user: str) -> str | None:
        """The language that a person chose."""
        return await self._database.read(lambda c: c.scalar(records.LANGUAGE, {"this": user}))

    async def set_language(self, user: str, code: str) -> None:
        """Keep the language that a person chose."""
        await self._put(people, {"user": user}, {"language": code})

    async def forget(self, user: str) -> int:
        """Forget a person; returns how many turns were blanked.

        Question, answer, place, title, name and language go; the tree's shape and the events' hashes stay, and for 24 h
        what was spent, under a keyed hash. When this returns, the text is in no file of the data folder, unless
        ``erasing`` is True: another program kept reading the database for ``patience`` seconds, the disk has no room to
        write the database anew, or that was done so recently for somebody else that accepting had to come first. Then
        it goes as soon as can be.
        """
        blanked = await self._forget(lambda c: forgetting.forget(c, user, self._payer))
        await self._database.erasing.now(self._patience)
        return blanked

    @property
    def erasing(self) -> bool:
        """May files still hold what was forgotten? It is being got rid of."""
        return self._database.erasing.owed

    async def erased(self) -> None:
        """Wait until nothing that was forgotten is left in any file, however long that takes."""
        await self._database.erasing.done()

    async def export(self, user: str) -> dict[str, Any]:
        """All that is kept of a person, ready for JSON; times are ISO 8601 in UTC."""
        return await self._database.read(lambda c: forgetting.export(c, user))

    async def grants(self) -> dict[str, str]:
        """Who was admitted, shut out or made owner while running."""
        rows = await self._database.read(lambda c: c.execute(select(grants.c.who, grants.c.role)).all())
        return {row.who: row.role for row in rows}

    async def grant(self, who: str, role: str) -> None:
        """Keep what a person or place may do: owner, allowed or denied."""
        await self._put(grants, {"who": who}, {"role": role})

    async def revoke(self, who: str) -> None:
        """Keep nothing of what a person or place may do."""
        await self._database.write(lambda c: c.execute(delete(grants).where(grants.c.who == who)).rowcount)

    # The rest.

    async def get(self, key: str) -> str | None:
        """A value that was put."""
        return await self._value(marks.c.value, marks.c.key == key)

    async def put(self, key: str, value: str) -> None:
        """Keep a small value: an adapter's place in a stream, a counter. One whose key begins with a person and a
        colon is that person's: it is exported and forgotten with them."""
        await self._put(marks, {"key": key}, {"value": value})

    async def marks(self, prefix: str) -> dict[str, str]:
        """All values that were put under keys that begin so."""
        query = select(marks).where(begins(marks.c.key, prefix)).order_by(marks.c.key)
        return {row.key: row.value for row in await self._database.read(lambda c: c.execute(query).all())}

    async def expire(self, now: float) -> int:
        """Blank what is older than the retention days, and drop the hashes of users forgotten a day ago.

        What was deleted before is then in no file any more, soon after this. Returns how many turns were blanked.
        """
        before, blanked, old = now - self._retention_days * DAY, 0, False
        if self._retention_days:
            old = await self._database.read(lambda c: forgetting.too_old(c, before))
        if old:
            blanked = await self._forget(lambda c: forgetting.forget_older(c, before, self._payer))
        await self._database.write(lambda c: forgetting.drop_payers(c, now - DAY))
        self._database.erasing.later()
        return blanked

    async def backup(self, file: Path) -> None:
        """Copy what is kept to ``file`` (mode 0600) while running. Raises StoreError, also where it exists."""
        await self._database.copy(file)

    async def stats(self) -> dict[str, int]:
        """Figures without names: turns, unanswered, conversations, people, tokens answered, bytes on disk."""
        kept = turns.c.deleted.is_(False)
        counts = {
            "turns": select(func.count()).select_from(turns).where(kept),
            "unanswered": select(func.count()).select_from(turns).where(NOT_SHOWN, turns.c.finish_reason.is_(None)),
            "people": select(func.count(turns.c.user.distinct())).where(kept),
            "tokens": select(func.coalesce(func.sum(turns.c.reply_tokens), 0)),
            "conversations": select(func.count()).select_from(conversations),
        }
        figures = await self._database.read(lambda c: {name: int(c.scalar(counts[name]) or 0) for name in counts})
        return {**figures, "bytes": self._database.size()}

    def _payer(self, user: str) -> str:
        return records.payer_of(self._secret, user)

    async def _expire_hourly(self) -> None:
        while True:
            await asyncio.sleep(EXPIRE_SECONDS)
            await self._expire_or_say_why_not()

    async def _expire_or_say_why_not(self) -> None:
        try:
            await self.expire(self._clock())
        except ConchError as error:
            log.error("what is too old could not be blanked: %s", error)

    async def _forget(self, work: Callable[[Connection], T]) -> T:
        """Copies go first, so that a crash leaves none of them beside a database that has forgotten."""
        await self._database.drop_backups()
        return await self._database.write(work, durable=True)

    async def _change_conversation(self, key: str, values: Mapping[str, Any]) -> None:
        def work(connection: Connection) -> None:
            if not connection.execute(records.CHANGE_CONVERSATION, {**values, "this": key}).rowcount:
                raise NotFound

        await self._database.write(work)

    async def _put(self, table: Table, key: Mapping[str, str], values: Mapping[str, str]) -> None:
        """Update or insert: no other writer can come between."""

        def work(connection: Connection) -> None:
            if not connection.execute(update(table).filter_by(**key).values(values)).rowcount:
                connection.execute(insert(table).values({**key, **values}))

        await self._database.write(work)

    async def _value(self, column: Column[Any], where: ColumnElement[bool]) -> str | None:
        return await self._database.read(lambda c: c.scalar(select(column).where(where)))

    async def _one(self, query: Executable, values: Mapping[str, Any]) -> Turn | None:
        row = await self._database.read(lambda c: c.execute(query, values).one_or_none())
        return None if row is None else Turn(*row)

    async def _turns(self, query: Executable, values: Mapping[str, Any]) -> list[Turn]:
        return await self._database.read(lambda c: [Turn(*row) for row in c.execute(query, values)])

    async def _not_shown(self, where: ColumnElement[bool]) -> list[Turn]:
        query = select(*records.TURN_COLUMNS).where(NOT_SHOWN, where).order_by(turns.c.id)
        return await self._turns(query, {})
