"""What is kept on disk: the tables, and how a database of an earlier Conch becomes one of this Conch."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    insert,
    inspect,
    literal,
    select,
    update,
)

from core.errors import StoreError
from core.messages import Attachment, Turn
from core.store.migrations import MIGRATIONS, Migration

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL is no text to PostgreSQL, and half a surrogate pair has no UTF-8."""


def storable(words: str) -> str:
    """The words as they will be read again: what no database takes becomes U+FFFD, one for one."""
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", words)


def storable_file(file: Attachment) -> Attachment:
    """The file as it will be read again."""
    return Attachment(storable(file.name), storable(file.source), None if file.text is None else storable(file.text))


def storable_turn(turn: Turn) -> Turn:
    """The turn as it will be read again."""
    values = ((field.name, getattr(turn, field.name)) for field in fields(turn))
    texts: dict[str, Any] = {name: storable(value) for name, value in values if isinstance(value, str)}
    return replace(turn, attachments=tuple(map(storable_file, turn.attachments)), **texts)


class Words(TypeDecorator[str]):
    """Text of any origin, made storable."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value if value is None else storable(value)


class Items(TypeDecorator[tuple[Any, ...]]):
    """A tuple of numbers or strings, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[Any] | None, dialect: Dialect) -> str | None:
        return value if value is None else json.dumps(list(value), separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:
        return value if value is None else tuple(json.loads(value))


class Attachments(TypeDecorator[tuple[Attachment, ...]]):
    """Files of text, as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Iterable[Attachment] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        files = [(file.name, file.source, file.text) for file in map(storable_file, value)]
        return json.dumps(files, separators=(",", ":"), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Attachment, ...] | None:
        return value if value is None else tuple(Attachment(*file) for file in json.loads(value))


Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in a column of type INTEGER

TEXT, PERSON = "text", "person"
"""Where a column says, in its ``info``, what it holds once a question is deleted, or once its person is forgotten."""


def deleted(leaves: object) -> dict[str, object]:
    """It belongs to the words of a question or an answer: deleting or forgetting them ``leaves`` this."""
    return {TEXT: leaves}


def forgotten(leaves: object) -> dict[str, object]:
    """It tells of the person: forgetting them ``leaves`` this, deleting a question does not touch it."""
    return {PERSON: leaves}


metadata = MetaData()

turns = Table(
    "turns",
    metadata,
    Column("id", Id, primary_key=True),  # rows are never deleted, so that a number is never given twice
    Column("conversation", Words, nullable=False, info=forgotten("")),
    Column("parent", Id, ForeignKey("turns.id")),
    Column("source", Id, ForeignKey("turns.id")),
    Column("kind", String(16), nullable=False),
    Column("user", Words, nullable=False, info=forgotten("")),
    # Who pays if that is not ``user``, or was before it was blanked: for 24 h a keyed hash, so that limits still hold;
    # later "", or NULL in a blanked turn.
    Column("payer", String(64)),
    Column("persona", Words, nullable=False, info=forgotten("")),
    Column("language", Words, nullable=False, info=forgotten("")),
    Column("seed", BigInteger, nullable=False, info=forgotten(0)),
    Column("finish_reason", String(16)),
    Column("cause", Words),
    Column("shown", Boolean, nullable=False, info=deleted(True)),
    Column("deleted", Boolean, nullable=False, info=deleted(True)),
    Column("attempts", Integer, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("computed_tokens", Integer, nullable=False),
    Column("reply_tokens", Integer, nullable=False),
    Column("cost", BigInteger, nullable=False),
    Column("left_out", Integer, nullable=False),
    Column("asked", Double, nullable=False),
    Column("accepted", Double, nullable=False),
    Column("started", Double),
    Column("finished", Double),
    # The next message of its person is more of this question, if it was sent by then.
    Column("more_until", Double, info=deleted(None)),
    Column("read", Items, nullable=False, info=deleted(())),
    Column("fits", Integer, nullable=False, info=deleted(0)),
    Column("parts", Items, nullable=False, info=deleted(())),
    Column("scope", Words, nullable=False, info=forgotten("")),
    Column("place", Words, nullable=False, info=forgotten("")),
    Column("refs", Items, nullable=False, info=forgotten(())),
    # The long columns come last: what only looks at the others reads less.
    Column("prompt", Words, nullable=False, info=deleted("")),
    Column("quote", Words, nullable=False, info=deleted("")),
    Column("attachments", Attachments, nullable=False, info=deleted(())),
    Column("reply", Words, nullable=False, info=deleted("")),
    Column("ids", Items, info=deleted(None)),
)
Index("turns_by_conversation", turns.c.conversation)
Index("turns_by_parent", turns.c.parent)
Index("turns_by_source", turns.c.source)
Index("turns_by_user", turns.c.user, turns.c.asked)

# A query is served by one of these three only if it says the same, to the letter.
NAMED = turns.c.user != literal("", Words, literal_execute=True)
PAID = turns.c.payer.is_not(None)
NOT_SHOWN = turns.c.shown.is_(False)  # what is not answered is not shown either
Index("turns_by_accepted", turns.c.accepted, sqlite_where=NAMED, postgresql_where=NAMED)
Index("turns_by_payer", turns.c.payer, turns.c.asked, sqlite_where=PAID, postgresql_where=PAID)
Index("turns_not_shown", turns.c.id, sqlite_where=NOT_SHOWN, postgresql_where=NOT_SHOWN)

events = Table(
    "events",
    metadata,
    Column("hash", LargeBinary(32), primary_key=True),  # SHA-256 of the event, kept for ever: a replay is never new
    Column("turn", Id, ForeignKey("turns.id"), nullable=False),
    Column("part", Integer, nullable=False),  # which of its question's messages it was
)
Index("events_by_turn", events.c.turn)

conversations = Table(
    "conversations",
    metadata,
    Column("key", Words, primary_key=True),
    Column("owner", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("titled_by", Id, ForeignKey("turns.id")),  # the turn whose question became the title; NULL: a person's words
    Column("persona", Words, nullable=False),
    Column("head", Id, ForeignKey("turns.id")),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
)
Index("conversations_by_owner", conversations.c.owner, conversations.c.updated)

people = Table("people", metadata, Column("user", Words, primary_key=True), Column("language", Words, nullable=False))
grants = Table("grants", metadata, Column("who", Words, primary_key=True), Column("role", String(16), nullable=False))
marks = Table("marks", metadata, Column("key", Words, primary_key=True), Column("value", Words, nullable=False))
meta = Table("meta", metadata, Column("name", String(32), primary_key=True), Column("value", Text, nullable=False))


def version(connection: Connection) -> int:
    """The schema's version; 0 = an empty database. Raises StoreError where the tables are not Conch's."""
    tables = inspect(connection)
    if not tables.has_table(meta.name):
        if tables.get_table_names():
            raise StoreError("The database holds tables that are not Conch's. Move it away, or set another data_dir.")
        return 0
    return int(get_meta(connection, "version") or 0)


class Newer(StoreError):
    """The database was written by a later Conch than this."""


def refuse_newer(found: int, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Raises Newer for a database that a later Conch has written."""
    newest = 1 + len(migrations)
    if found > newest:
        raise Newer(
            f"The database was written by a newer Conch (its schema is {found}, this one knows {newest}). "
            "Update Conch, or set another data_dir."
        )


def upgrade(connection: Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Make the tables, or bring them to the newest version, within the caller's transaction."""
    found, newest = version(connection), 1 + len(migrations)
    if found == 0:
        metadata.create_all(connection, checkfirst=False)
        values = {"version": str(newest), "secret": secrets.token_hex(32), "unclean": ""}
        connection.execute(insert(meta), [{"name": name, "value": value} for name, value in values.items()])
    else:
        for step in migrations[found - 1 :]:
            step(connection)
    set_meta(connection, "version", str(newest))


def get_meta(connection: Connection, name: str) -> str:
    """What the database knows of itself: its ``version``; ``secret``, a key; ``unclean``, whether parts of its file may
    still hold what was deleted from it."""
    return connection.scalar(select(meta.c.value).where(meta.c.name == name)) or ""


def set_meta(connection: Connection, name: str, value: str) -> None:
    """Change what the database knows of itself."""
    connection.execute(update(meta).where(meta.c.name == name).values(value=value))
