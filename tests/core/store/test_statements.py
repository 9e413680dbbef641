"""Every statement of the store would serve PostgreSQL, and those of every message are served by an index."""

from __future__ import annotations

import ast
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import ClauseElement, Connection, Engine, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from core.store import schema
from core.store.store import Store
from tests.support.store_samples import ANN, BOB, DAY, NOON, answer, ask, question


@contextmanager
def heard(name: str) -> Iterator[list[Any]]:
    """What goes to the databases meanwhile: the second and third argument of SQLAlchemy's event of this name."""
    said: list[Any] = []

    def keep(*arguments: Any) -> None:
        said.append(arguments[1] if name == "before_execute" else (arguments[2], arguments[3]))

    event.listen(Engine, name, keep)
    try:
        yield said
    finally:
        event.remove(Engine, name, keep)


@asynccontextmanager
async def used(folder: Path) -> AsyncIterator[set[str]]:
    """A store of which every method has been called; their names."""
    called: set[str] = set()

    class Noted(Store):
        def __getattribute__(self, name: str) -> Any:
            called.add(name)
            return super().__getattribute__(name)

    async with Noted.open(folder, retention_days=30, clock=lambda: NOON) as store:
        first = await ask(store, "1", title="First", place="here")
        await store.accept(question("1"), None)
        again = await ask(store, "2", kind="regenerate", source=first.id)
        await store.accept(question("3", kind="regenerate", source=first.id), lambda spends: None)
        await store.started(first.id, NOON)
        await store.unstarted(first.id)
        await store.placed(first.id, 0, "m")
        await answer(store, first.id)
        await store.shown(first.id)
        await store.refs(first.id, ["n"])
        await store.turn(first.id)
        await store.find("1")
        await store.glance("1", "web:ann:1", ANN, NOON)
        await store.glance("nothing", "web:ann:1", ANN, NOON)
        await store.append(first.id, "1b", "more", NOON)
        await store.part("1b")
        await store.attach(first.id, [])
        await store.take_back("web:ann:1", again.id, first.id, "undone")
        await store.path(again.id)
        await store.children(first.id)
        await store.made_from(first.id)
        await store.pending(["web:", ""])
        await store.unshown("web:")
        await store.spends(ANN, NOON)
        await store.payers()
        await store.create("web:ann:2", ANN, "")
        await store.conversation("web:ann:1")
        await store.conversations(ANN)
        await store.set_head("web:ann:1", None)
        await store.rename("web:ann:1", "Title")
        await store.set_persona("web:ann:1", "cook")
        await ask(store, "4", conversation="old:ann")
        await ask(store, "5", conversation="new:ann")
        await store.move("old:", "new:")
        await store.move("new:", "newer:")
        await store.set_language(ANN, "ko")
        await store.language(ANN)
        await store.grant(ANN, "owner")
        await store.grants()
        await store.revoke(ANN)
        await store.put("a", "b")
        await store.get("a")
        await store.marks("a")
        await store.export(ANN)
        await store.stats()
        await store.delete(again.id)
        await store.remove("web:ann:2")
        await ask(store, "6", user=BOB, conversation="web:bob:1")
        await store.expire(NOON + 40 * DAY)
        await store.forget(ANN)
        assert not store.erasing
        await store.erased()
        await store.backup(folder / "copy")
        yield called


async def test_every_statement_can_be_said_to_postgresql(tmp_path: Path) -> None:
    with heard("before_execute") as said:
        async with used(tmp_path) as called:
            pass
    public = {name for name, _ in inspect.getmembers(Store) if not name.startswith("_")} - {"open"}
    assert public - called == set()
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    assert all(isinstance(statement, ClauseElement) for statement in said)
    spoken = {str(statement.compile(dialect=dialect)) for statement in said}
    assert len(spoken) > 60
    for table in schema.metadata.sorted_tables:
        assert "CREATE TABLE" in str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert "CREATE INDEX" in str(CreateIndex(index).compile(dialect=dialect))


def test_only_one_file_says_anything_to_sqlite_in_its_own_words() -> None:
    """``sqlite_where`` and SQLite's INTEGER, which PostgreSQL has too, are all that the tables need."""
    speaking = set()
    for file in sorted(Path("core").rglob("*.py")):
        tree = ast.parse(file.read_text())
        for node in ast.walk(tree):
            name = getattr(node, "attr", getattr(node, "id", getattr(node, "name", "")))
            if name in ("exec_driver_sql", "sqlite3", "DDL", "literal_column") and isinstance(
                node, ast.Attribute | ast.Name | ast.alias
            ):
                speaking.add((file.name, name))
        taken = {
            f"{n.module}.{alias.name}" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for alias in n.names
        }
        whole = {alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names}
        if "sqlalchemy.text" in taken or "sqlalchemy" in whole:
            speaking.add((file.name, "text"))
    ours = {"store.py", "records.py", "forgetting.py", "schema.py", "migrations.py", "database.py", "erasing.py"}
    ours |= {"sqlite.py"}
    assert {file for file, _ in speaking if file in ours} == {"sqlite.py"}


async def plans(folder: Path) -> list[tuple[str, str]]:
    """How SQLite goes about each query of a store of which everything was used: its text, a step of its plan."""
    with heard("before_cursor_execute") as said:
        async with used(folder):
            pass
    asked = [query for query in said if query[0].startswith(("SELECT", "UPDATE", "WITH", "DELETE"))]

    def explain(connection: Connection) -> list[tuple[str, str]]:
        steps = [(text, connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)) for text, values in asked]
        return [(text, row[3]) for text, rows in steps for row in rows]

    async with Store.open(folder) as store:
        return await store._database.read(explain)


async def test_no_statement_looks_at_every_turn_but_for_the_owners_figures(tmp_path: Path) -> None:
    found = await plans(tmp_path)
    looks = [text for text, step in found if step == "SCAN turns"]
    assert all("count(" in text or "sum(" in text for text in looks), looks
    for name in ("turns_by_accepted", "turns_by_payer", "turns_not_shown"):
        assert any(name in step for _, step in found), name
