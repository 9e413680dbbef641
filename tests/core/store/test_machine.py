"""The store against a model of dictionaries: any order of what can happen to it, restarts in between."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from core.errors import NotFound, NotYours
from core.limits import Spend
from core.messages import Attachment, Turn
from core.store.schema import storable
from core.store.store import NewTurn, Store
from tests.support.examples import examples
from tests.support.store_samples import NOON, answer, holding, question

PEOPLE = ("web:ann", "web:bob")
KEYS = ("web:1", "web:2", "discord:1")
MEMORY = Path("/dev/shm")
"""Thousands of commits that need not outlive the test."""
texts = st.text(max_size=30) | st.text(min_size=1, max_size=3).map(lambda text: text * 900)


NO_TEXT: dict[str, Any] = {
    "prompt": "",
    "quote": "",
    "attachments": (),
    "read": (),
    "parts": (),
    "more_until": None,
    "reply": "",
    "ids": None,
    "shown": True,
    "deleted": True,
}
"""What blanking makes of a turn's text."""


def words(turn: Turn) -> set[str]:
    """What of a turn must be in no file once it is forgotten."""
    files = {word for file in turn.attachments for word in (file.name, file.text or "")}
    return ({turn.prompt[:14], turn.reply[:14], turn.quote, *re.findall(r"Mehr\d+-", turn.prompt)} | files) - {""}


@dataclass
class Line:
    """A conversation of the model."""

    owner: str
    title: str = ""
    titled_by: int | None = None
    head: int | None = None
    turns: list[int] = field(default_factory=list)


class StoreMachine(RuleBasedStateMachine):
    """``turns`` holds each turn as it should come back, ``paid`` who paid for it; ``marks`` are texts that must go."""

    events = Bundle("events")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
        self.runner = asyncio.Runner()
        self.now = NOON
        self.turns: dict[int, Turn] = {}
        self.paid: dict[int, str] = {}
        self.known: dict[str, int] = {}
        self.lines: dict[str, Line] = {}
        self.gone: set[str] = set()
        self.count = 0

    @initialize()
    def begin(self) -> None:
        self.runner.run(self._open())

    def teardown(self) -> None:
        self.runner.run(self._end())
        self.runner.close()
        shutil.rmtree(self.folder)

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.store = await self.stack.enter_async_context(Store.open(self.folder, clock=lambda: self.now, patience=0.0))

    async def _end(self) -> None:
        if hasattr(self, "store"):
            await self.store.expire(self.now)
            await self.store.erased()
            await self.stack.aclose()
            assert holding(self.folder, *self.gone) == []

    def blank(self, number: int) -> None:
        """What forgetting makes of a turn."""
        turn = self.unanswered_no_more(self.turns[number])
        self.turns[number] = replace(
            turn, user="", conversation="", persona="", language="", seed=0, place="", scope="", refs=(),
            **NO_TEXT,
        )  # fmt: skip

    def unanswered_no_more(self, turn: Turn) -> Turn:
        return turn if turn.finish_reason else replace(turn, finish_reason="abort", cause="deleted")

    def untitle(self, numbers: list[int]) -> None:
        for line in self.lines.values():
            if line.titled_by in numbers:
                self.gone.add(line.title)
                line.title, line.titled_by = "", None

    # What can happen.

    @rule(target=events, data=st.data(), key=st.sampled_from(KEYS), user=st.sampled_from(PEOPLE), text=texts)
    def ask(self, data: st.DataObject, key: str, user: str, text: str) -> Any:
        self.now += 1
        self.count += 1
        line = self.lines.get(key)
        parent = data.draw(st.sampled_from(["head", None, *(line.turns if line and line.owner == user else [])]))
        mark = f"Geheimnis{self.count}-"
        new = question(
            f"e{self.count}",
            conversation=key,
            user=user,
            prompt=mark + text,
            title=data.draw(st.sampled_from(["", f"Titel{self.count}-"])),
            asked=self.now - data.draw(st.integers(0, 50)),
            parent=parent,
            move_head=data.draw(st.booleans()),
            quote=data.draw(st.sampled_from(["", f"Zitat{self.count}-"])),
            attachments=data.draw(st.sampled_from([(), (Attachment(f"Datei{self.count}-", "there"),)])),
            more_until=data.draw(st.sampled_from([None, self.now + 2])),
        )
        if line is not None and line.owner != user:
            try:
                self.runner.run(self.store.accept(new, None))
            except NotYours:
                return multiple()
            raise AssertionError("it took a question into somebody else's conversation")
        self.accepted(new)
        return new.question.event

    def accepted(self, new: NewTurn) -> None:
        line = self.lines.setdefault(new.question.conversation, Line(new.question.user))
        payer = new.payer or new.question.user
        before = self.runner.run(self.store.spends(payer, new.asked))
        seen: list[Any] = []
        turn, fresh = self.runner.run(self.store.accept(new, seen.append))
        assert fresh
        assert seen == [before]
        assert turn.id == len(self.turns) + 1
        assert turn.parent == (line.head if new.parent == "head" else new.parent)
        assert (turn.user, turn.conversation, turn.kind, turn.source) == (
            new.question.user,
            new.question.conversation,
            new.kind,
            new.source,
        )
        assert (turn.asked, turn.accepted, turn.cost) == (new.asked, self.now, new.max_tokens)
        self.turns[turn.id], self.paid[turn.id], self.known[new.question.event] = turn, payer, turn.id
        line.turns.append(turn.id)
        if new.move_head:
            line.head = turn.id
        if new.question.title and not line.title:
            line.title, line.titled_by = new.question.title, turn.id

    @rule(event=events)
    def replay(self, event: str) -> None:
        new = question(event, conversation="web:replayed", user="web:eve", prompt="again")
        turn, fresh = self.runner.run(self.store.accept(new, None))
        assert not fresh
        assert turn == self.turns[self.known[event]]

    @rule(
        target=events,
        event=events,
        kind=st.sampled_from(["regenerate", "proceed", "edit"]),
        take_over=st.booleans(),
        payer=st.sampled_from([None, *PEOPLE]),
    )
    def make_from(self, event: str, kind: Any, take_over: bool, payer: str | None) -> Any:
        old = self.turns[self.known[event]]
        if not old.user:
            return multiple()
        self.count += 1
        again = f"e{self.count}"
        new = question(
            again,
            conversation=old.conversation,
            user=old.user,
            kind=kind,
            prompt=f"Geheimnis{self.count}-",
            source=old.id,
            parent=old.parent,
            asked=self.now,
            take_over=take_over,
            payer=payer,
        )
        if old.deleted:
            with pytest.raises(NotFound):
                self.runner.run(self.store.accept(new, None))
            return multiple()
        shown = kind == "regenerate" and any(old.refs)
        made = self.made_from(old, kind)
        made = [turn for turn in made if turn.finish_reason is None or (turn.reply and not shown)]
        if made and kind != "edit":
            turn, fresh = self.runner.run(self.store.accept(new, None))
            assert (turn, fresh) == (made[-1], False)
            self.known[again] = turn.id
        else:
            self.accepted(new)
            if take_over:
                self.turns[old.id] = replace(old, refs=(), shown=old.finish_reason is not None)
                assert self.turns[self.known[again]].refs == old.refs
        return again

    def made_from(self, old: Turn, kind: str) -> list[Turn]:
        return [turn for turn in self.turns.values() if (turn.source, turn.kind) == (old.id, kind) and not turn.deleted]

    @rule(target=events, event=events, text=texts)
    def append(self, event: str, text: str) -> Any:
        self.count += 1
        more, before = f"e{self.count}", self.turns[self.known[event]]
        text = f"Mehr{self.count}-{storable(text)}"
        if not before.deleted:
            parts = (*(before.parts or (len(before.prompt),)), len(text))
            before = replace(before, prompt=before.prompt + text, parts=parts, more_until=None)
        self.turns[before.id] = self.runner.run(self.store.append(before.id, more, text, None))
        assert self.turns[before.id] == before
        assert self.runner.run(self.store.append(before.id, event, "again", None)) == before
        self.known[more] = before.id
        return more

    @rule(event=events)
    def attach(self, event: str) -> None:
        self.count += 1
        before = self.turns[self.known[event]]
        came = tuple(replace(file, text=file.text or f"Inhalt{self.count}-") for file in before.attachments)
        before = replace(before, attachments=came)
        self.turns[before.id] = self.runner.run(self.store.attach(before.id, [f"Inhalt{self.count}-"]))
        assert self.turns[before.id] == before

    @rule(event=events, reply=texts, shown=st.booleans(), cost=st.integers(0, 100))
    def finish(self, event: str, reply: str, shown: bool, cost: int) -> None:
        self.count += 1
        before = self.turns[self.known[event]]
        reply = f"Antwort{self.count}-{reply}"
        turn = self.runner.run(answer(self.store, before.id, reply, cost=cost, at=self.now, shown=shown))
        if before.finished is None:
            before = replace(before, prompt_tokens=9, computed_tokens=5, reply_tokens=3, cost=cost, finished=self.now)
            if not before.deleted:
                shown = shown or bool(self.made_from(before, "edit"))
                before = replace(before, reply=turn.reply, ids=(1, 2, 3), finish_reason="stop", shown=shown)
                assert turn.reply.startswith(f"Antwort{self.count}-")
                assert len(turn.reply) == len(reply)
        assert turn == before
        self.turns[turn.id] = turn

    @rule(event=events, part=st.integers(0, 3), there=st.booleans())
    def place(self, event: str, part: int, there: bool) -> None:
        before = self.turns[self.known[event]]
        refs = dict(enumerate(before.refs)) | {part: f"m{part}" if there else ""}
        count = max((number + 1 for number, ref in refs.items() if ref), default=0)
        if before.user:
            before = replace(before, refs=tuple(refs.get(number, "") for number in range(count)))
        self.turns[before.id] = self.runner.run(self.store.placed(before.id, part, refs[part]))
        assert self.turns[before.id] == before

    @rule(data=st.data(), key=st.sampled_from(KEYS))
    def go_on_from(self, data: st.DataObject, key: str) -> None:
        if line := self.lines.get(key):
            line.head = data.draw(st.sampled_from([None, *line.turns]))
            self.runner.run(self.store.set_head(key, line.head))

    @rule(key=st.sampled_from(KEYS))
    def rename(self, key: str) -> None:
        if line := self.lines.get(key):
            line.title, line.titled_by = "Name", None
            self.runner.run(self.store.rename(key, "Name"))

    @rule(event=events)
    def delete(self, event: str) -> None:
        before = self.turns[self.known[event]]
        self.untitle([before.id])
        self.gone |= words(before)
        before = replace(self.unanswered_no_more(before), **NO_TEXT)
        self.turns[before.id] = before
        assert self.runner.run(self.store.delete(before.id)) == before

    @rule(user=st.sampled_from(PEOPLE))
    def forget(self, user: str) -> None:
        mine = [turn for turn in self.turns.values() if turn.user == user]
        self.lose(mine)
        self.lines = {key: line for key, line in self.lines.items() if line.owner != user}
        assert self.runner.run(self.store.forget(user)) == len(mine)

    @rule(key=st.sampled_from(KEYS))
    def remove(self, key: str) -> None:
        self.lose([turn for turn in self.turns.values() if turn.conversation == key])
        self.lines.pop(key, None)
        self.runner.run(self.store.remove(key))

    def lose(self, turns: list[Turn]) -> None:
        self.untitle([turn.id for turn in turns])
        for turn in turns:
            self.gone |= words(turn)
            self.blank(turn.id)

    @rule(old=st.sampled_from(KEYS), new=st.sampled_from(KEYS))
    def move(self, old: str, new: str) -> None:
        line, there = self.lines.get(old), self.lines.get(new)
        if line is None or line is there:
            return
        if there is not None and there.owner != line.owner:
            return
        self.runner.run(self.store.move(old, new))
        del self.lines[old]
        for number in line.turns:
            if self.turns[number].conversation == old:
                self.turns[number] = replace(self.turns[number], conversation=new)
        if there is None:
            self.lines[new] = line
        else:
            there.turns += line.turns
            there.head = there.head or line.head

    @rule()
    def restart(self) -> None:
        async def again() -> None:
            await self.stack.aclose()
            await self._open()

        self.runner.run(again())

    # What holds at any time.

    @invariant()
    def everything_is_as_it_should_be(self) -> None:
        if hasattr(self, "store"):
            self.runner.run(self._compare())

    async def _compare(self) -> None:
        for event, number in self.known.items():
            assert await self.store.find(event) == self.turns[number]
        for user in PEOPLE:
            kept = {line.key: (line.title, line.head) for line in await self.store.conversations(user)}
            mine = {key: (line.title, line.head) for key, line in self.lines.items() if line.owner == user}
            assert kept == mine
            paid = [self.turns[number] for number, payer in self.paid.items() if payer == user]
            spends = [Spend(turn.asked, turn.cost) for turn in sorted(paid, key=lambda turn: (turn.asked, turn.id))]
            assert await self.store.spends(user, self.now) == spends
        for line in self.lines.values():
            if line.head is not None:
                assert await self.store.path(line.head) == self.path(line.head)
        open_ends = [turn.id for turn in self.turns.values() if turn.finish_reason is None]
        assert [turn.id for turn in await self.store.pending(["web:", "discord:"])] == open_ends
        ended = [turn.id for turn in self.turns.values() if turn.finish_reason and not turn.shown]
        assert [turn.id for turn in await self.store.unshown("")] == ended

    def path(self, number: int | None) -> list[Turn]:
        above = []
        while number is not None:
            above.append(self.turns[number])
            number = self.turns[number].parent
        return above[::-1]


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(
    max_examples=examples(25), stateful_step_count=30, suppress_health_check=list(HealthCheck)
)
