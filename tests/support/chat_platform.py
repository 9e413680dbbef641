"""A chat platform in memory for show(): it keeps messages, fails as told, and notes whatever should not happen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from bots.talk.channel import Gone, RetryAfter, Unchanged, Unreachable
from bots.talk.pacing import Pace, Pacing, Rate
from bots.talk.view import Button
from bots.text.splitting import Part, markdown_parts
from core.chat.reply import Reply
from core.events import FinishReason
from core.messages import Kind, Turn, placed
from core.store.store import Store
from tests.support.virtual_time import now

Fault = Literal["lost", "late", "wait", "wait everywhere", "slow"]
"""Not arrived, arrived but not told, told to wait, told to leave it alone altogether, told after a while."""
LIMIT = 100
WAIT = 20.0


def a_turn(kind: Kind = "send", refs: tuple[str, ...] = (), attempts: int = 0, started: float | None = None) -> Turn:
    """A question of Ann's, not answered yet."""
    return Turn(
        id=1,
        conversation="screen:1:ann",
        parent=None,
        source=None,
        kind=kind,
        user="screen:ann",
        persona="plain",
        language="en",
        prompt="How?",
        reply="",
        ids=None,
        seed=0,
        finish_reason=None,
        cause=None,
        shown=False,
        deleted=False,
        attempts=attempts,
        place="here",
        refs=refs,
        prompt_tokens=0,
        computed_tokens=0,
        reply_tokens=0,
        cost=0,
        left_out=0,
        asked=0.0,
        accepted=0.0,
        started=started,
        finished=None,
    )


class Shelf:
    """What is durable of one turn; ``full`` is how many commits fail first."""

    def __init__(self, turn: Turn, full: int = 0) -> None:
        self.turn = turn
        self.full = full
        self.forgotten = False

    async def placed(self, turn: int, part: int, ref: str) -> Turn:
        await self._commit()
        self.turn = replace(self.turn, refs=() if self.forgotten else placed(self.turn.refs, part, ref))
        return self.turn

    async def shown(self, turn: int) -> None:
        await self._commit()
        assert self.turn.finish_reason is not None
        self.turn = replace(self.turn, shown=True)

    async def _commit(self) -> None:
        await asyncio.sleep(0.001)
        if self.full:
            self.full -= 1
            raise OSError("the disk is full")

    def reply(self) -> Reply:
        """The turn's Reply, as after a start."""
        return Reply(self.turn, cast("Store", self), _nobody_cancels)

    def end(self, reply: Reply, reason: FinishReason, cause: str | None = None, left_out: int = 0) -> None:
        """Commit the end, then tell it."""
        deleted = cause == "deleted"
        text = "" if deleted else reply.text
        self.turn = replace(
            self.turn, reply=text, finish_reason=reason, cause=cause, deleted=deleted, left_out=left_out
        )
        reply.end(self.turn)


async def _nobody_cancels(reply: Reply, cause: str) -> None:
    raise AssertionError(f"show ended the answer: {cause}")


@dataclass
class Shown:
    """A message on the screen."""

    part: Part
    buttons: tuple[Button, ...]
    sure: bool = True
    """Was the last call about it confirmed?"""


@dataclass
class Screen:
    """One chat. ``keyed``: it knows idempotency keys, so that a send made again makes no second message."""

    faults: Iterator[Fault | None] = field(default_factory=lambda: iter(()))
    keyed: bool = False
    took: float = 0.1
    messages: dict[str, Shown] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes, str]] = field(default_factory=dict)
    calls: list[tuple[str, float]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    wrongs: list[str] = field(default_factory=list)
    ambiguous: int = 0
    quiet_until: float = -1.0
    busy: bool = False
    keys: dict[tuple[int, int], str] = field(default_factory=dict)

    def blank(self, refs: Sequence[str]) -> None:
        """Messages from before, of which nothing is known."""
        for ref in refs:
            self.messages[ref] = Shown(Part("from before"), (), sure=False)

    @contextmanager
    def call(self, name: str) -> Iterator[None]:
        if self.busy:
            self.wrongs.append(f"{name} while a call is in flight")
        if now() < self.quiet_until - 1e-6:
            self.wrongs.append(f"{name} while told to wait")
        self.calls.append((name, now()))
        self.busy = True
        try:
            yield
        finally:
            self.busy = False

    async def fault(self) -> Fault | None:
        fault = next(self.faults, None)
        await asyncio.sleep(self.took * (30 if fault == "slow" else 1))
        if fault in ("wait", "wait everywhere"):
            self.quiet_until = now() + WAIT
            raise RetryAfter(WAIT, everywhere=fault == "wait everywhere")
        if fault == "lost":
            raise Unreachable
        return fault


class ScreenChannel:
    """The Channel of one answer on a screen."""

    def __init__(self, screen: Screen, pace: Pace, shelf: Shelf) -> None:
        self.pace = pace
        self.screen = screen
        self._shelf = shelf

    def split(self, text: str) -> list[Part]:
        return markdown_parts(text, LIMIT)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        screen = self.screen
        with screen.call("send"):
            fault = await screen.fault()
            key = (self._shelf.turn.id, len([ref for ref in self._shelf.turn.refs if ref]))
            ref = screen.keys.get(key) if screen.keyed else None
            if ref is None or ref not in screen.messages:
                ref = screen.keys[key] = f"m{len(screen.calls)}"
                screen.messages[ref] = Shown(part, tuple(buttons))
                screen.texts.append(part.text)
            elif screen.messages[ref].part != part:
                screen.messages[ref].sure = False
            if fault == "late":
                screen.ambiguous += 1
                raise Unreachable
            return ref

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> str | None:
        screen = self.screen
        with screen.call("edit"):
            if ref not in self._shelf.turn.refs:
                screen.wrongs.append("edit of a message whose ref is not committed")
            if ref not in screen.messages:
                raise Gone
            message = screen.messages[ref]
            same = (message.part, message.buttons) == (part, tuple(buttons))
            if same and message.sure:
                screen.wrongs.append(f"the same text again: {part.text!r}")
            message.sure = False
            fault = await screen.fault()
            screen.messages[ref] = Shown(part, tuple(buttons), sure=fault != "late")
            screen.texts.append(part.text)
            if fault == "late":
                raise Unreachable
            if same:
                raise Unchanged
        return None

    async def delete(self, ref: str) -> None:
        screen = self.screen
        with screen.call("delete"):
            if ref not in self._shelf.turn.refs and not self._shelf.forgotten:
                screen.wrongs.append("a message whose ref is not committed was deleted")
            fault = await screen.fault()
            found = screen.messages.pop(ref, None) or screen.files.pop(ref, None)
            if fault == "late":
                raise Unreachable
            if found is None:
                raise Gone

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        screen = self.screen
        with screen.call("file"):
            fault = await screen.fault()
            ref = f"f{len(screen.calls)}"
            screen.files[ref] = (name, data, caption)
            if fault == "late":
                screen.ambiguous += 1
                raise Unreachable
            return ref

    async def typing(self) -> None:
        with self.screen.call("typing"):
            await self.screen.fault()


def a_pace(rate: Rate | float = 1.0) -> Pace:
    """The pace of one chat, with a budget of 30 calls a second behind it."""
    return Pacing(30, 1.0, now).chat("chat", rate)
