"""How the tables of an earlier Conch become those of this one, step by step.

A step says what it changes by itself, never through ``core.store.schema``'s tables, which go on changing after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Double, Integer, MetaData, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.schema import ExecutableDDLElement

Migration = Callable[[Connection], None]


class AddColumn(ExecutableDDLElement):
    """``ALTER TABLE … ADD COLUMN``, which SQLAlchemy has no words for. What is there gets the column's default."""

    inherit_cache = False

    def __init__(self, table: str, column: Column[Any]) -> None:
        self.table = Table(table, MetaData(), column)
        self.column = column


@compiles(AddColumn)
def _add_column(add: AddColumn, compiler: Any, **_: Any) -> str:
    table = compiler.preparer.format_table(add.table)
    return f"ALTER TABLE {table} ADD COLUMN {compiler.get_column_specification(add.column)}"


def _questions_of_several_pieces(connection: Connection) -> None:
    """What is quoted, files, and questions that came in several messages."""
    connection.execute(AddColumn("turns", Column("read", Text, nullable=False, server_default="[]")))
    connection.execute(AddColumn("turns", Column("parts", Text, nullable=False, server_default="[]")))
    connection.execute(AddColumn("turns", Column("more_until", Double)))
    connection.execute(AddColumn("turns", Column("quote", Text, nullable=False, server_default="")))
    connection.execute(AddColumn("turns", Column("attachments", Text, nullable=False, server_default="[]")))
    connection.execute(AddColumn("events", Column("part", Integer, nullable=False, server_default="0")))


def _how_long_a_question_may_be(connection: Connection) -> None:
    """Of one that was too long for the model: how much of it would have fitted."""
    connection.execute(AddColumn("turns", Column("fits", Integer, nullable=False, server_default="0")))


MIGRATIONS: tuple[Migration, ...] = (_questions_of_several_pieces, _how_long_a_question_may_be)
"""The n-th brings a database of version n to version n + 1. A new database is made in the newest shape at once."""
