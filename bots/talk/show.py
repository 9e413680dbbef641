"""From a reply's events to the few messages and edits that a platform allows.

Reserve, then fill: a message begins as a placeholder, its ref is committed, and only then it gets text, by edits. So a
crash between the platform's yes and our commit can leave a placeholder, never a second answer. One call at a time, the
newest text in each; what a call fails to do is done again from what is stored, and the final text always arrives.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from bots.talk.channel import (
    Channel,
    ChannelError,
    Drafts,
    FillsFiles,
    Gone,
    Lost,
    RetryAfter,
    SplitAnew,
    Unchanged,
    Unreachable,
)
from bots.talk.pacing import Kind, Pace, Pacing, Rate, Slot
from bots.talk.view import Button, File, View, final_view, interrupted_view, waiting_view
from bots.talk.wording import Say
from bots.text.splitting import Part
from core.chat.reply import Reply
from core.errors import ConchError
from core.events import Queued

__all__ = [
    "Button",
    "Channel",
    "ChannelError",
    "Gone",
    "Lost",
    "Pace",
    "Pacing",
    "Part",
    "Rate",
    "RetryAfter",
    "Unchanged",
    "Unreachable",
    "show",
]
log = logging.getLogger(__name__)

MAX_PARTS = 5
"""Messages of one answer; a longer one ends in a file."""
SPLITS_KEPT = 4
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 15.0
"""Seconds before a failed call is made again: doubled each time, up to the second."""


async def show(reply: Reply, channel: Channel, say: Say, *, max_parts: int = MAX_PARTS) -> None:
    """Show an answer from its place in line to its end; returns when the platform has confirmed the last edit.

    It goes on in the messages that the turn has already. When the chat is gone it waits for the end, shows nothing more
    and counts as shown. When Conch shuts down it says so once and returns with the turn unanswered.
    """
    showing = _Showing(reply, channel, say, max_parts)
    following = asyncio.create_task(showing.follow(), name=f"follow {reply.turn.id}")
    try:
        await showing.draw()
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


@dataclass(frozen=True, slots=True)
class _Call:
    """The next call to make, and the message that it is about."""

    make: Callable[[], Awaitable[str | None]]
    number: int
    shows: tuple[Part, tuple[Button, ...]] | None = None
    clears: bool = False
    spared: bool = False
    """The answer does without this message if it is gone."""


class _Showing:
    """One answer on its way to the screen: what is known of it, and what of that the platform shows."""

    def __init__(self, reply: Reply, channel: Channel, say: Say, max_parts: int) -> None:
        self._reply, self._channel, self._say, self._max_parts = reply, channel, say, max_parts
        self._text = ""
        self._closed = False
        self._place: Queued | None = None
        self._version = 0
        self._drawn_version = -1
        self._moved = asyncio.Event()
        self._slot: Slot | None = None
        self._refs: dict[int, str] = {}
        self._drawn: dict[int, tuple[Part, tuple[Button, ...]]] = {}
        self._splits: dict[str, list[Part]] = {}
        turn = reply.turn
        self._taken_over = turn.kind in ("edit", "regenerate") and bool(turn.refs) and not reply.resumed
        self._again = bool(turn.refs) and not self._taken_over
        self._gone = self._full = False
        self._failures = 0
        self._typing_due = 0.0

    async def follow(self) -> None:
        """Note what happens to the answer, and wake whoever draws."""
        try:
            async for event in self._reply:
                if isinstance(event, Queued):
                    if self._place is None or event.cause != self._place.cause or event.ahead < self._place.ahead:
                        self._place = event
                        self._wake()
                    continue
                self._text = self._reply.text
                if not self._full or self._reply.finished is not None:
                    self._wake()
        finally:
            self._closed = True
            self._wake()

    async def draw(self) -> None:
        """Draw until there is nothing more to draw."""
        while True:
            if self._gone or self._drawn_version == self._version:
                if self._closed:
                    break
                await self._rest()
                continue
            if self._reply.finished is not None and self._next() is None:
                self._drawn_version = self._version
                continue
            self._slot = self._channel.pace.slot(self._kind())
            async with self._slot:
                done = await self._step()
            self._slot = None
            if not done and self._closed and self._reply.finished is None:
                return
            if self._failures:
                await asyncio.sleep(min(FIRST_BACK_OFF * 2.0 ** (self._failures - 1), LONGEST_BACK_OFF))
        if self._reply.finished is not None:
            await self._surely(self._reply.shown)

    def _wake(self) -> None:
        self._version += 1
        self._moved.set()
        if self._slot is not None:
            self._slot.become(self._kind())

    def _kind(self) -> Kind:
        """What the next call is for."""
        if self._closed or self._reply.finished is not None:
            return "final"
        if not self._ref(0):
            return "placeholder"
        return "preview" if self._text else "line"

    async def _rest(self) -> None:
        """Nothing to draw: wait until there is, and show meanwhile that something is being written."""
        self._moved.clear()
        if not self._may_type() or self._typing_due == math.inf:
            await self._moved.wait()
            return
        try:
            async with asyncio.timeout(max(self._typing_due - self._now(), 0.0)):
                await self._moved.wait()
        except TimeoutError:
            await self._type()

    def _may_type(self) -> bool:
        waits = self._place is not None and (self._place.cause not in (None, "thinking") or self._place.ahead > 0)
        silent = self._gone or self._closed or waits or bool(self._text) or not self._channel.pace.rate.typing
        return not silent and bool(self._ref(0))

    async def _type(self) -> None:
        every = self._channel.pace.rate.typing
        self._slot = self._channel.pace.slot("typing")
        async with self._slot:
            if not self._may_type() or self._drawn_version != self._version:
                await self._step()  # there is something better to do with the slot by now
            else:
                self._typing_due = self._now() + every
                try:
                    await self._channel.typing()
                except RetryAfter as refusal:
                    self._pause(refusal)
                except (ChannelError, OSError) as failure:
                    log.debug("typing was not shown: %s", failure)
        self._slot = None

    async def _open(self) -> None:
        """Show that something is being written before there is a message to show."""
        if self._typing_due or self._reply.finished is not None or not await self._channel.pace.spare():
            return
        self._typing_due = self._now() + self._channel.pace.rate.typing
        try:
            await self._channel.typing()
        except (Gone, Unchanged, Unreachable, OSError) as failure:
            log.debug("typing was not shown: %s", failure)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    async def _step(self) -> bool:
        """Make the one call that brings the screen nearest to what it should show; False if the platform did not."""
        version = self._version
        call = self._next()
        if call is None:
            self._drawn_version = version
            return True
        try:
            if call.number == 0 and not self._ref(0) and self._channel.pace.rate.opening:
                await self._open()
            ref = await call.make()
        except RetryAfter as refusal:
            self._pause(refusal)
            return False
        except Lost:
            await self._forget_parts()
            return False
        except SplitAnew:
            self._splits.clear()
            return False
        except Unchanged:
            ref = None
        except Gone:
            ref = "" if call.spared else None
            if not (call.clears or call.spared):
                log.info("turn %d cannot be shown: its message or chat is gone", self._reply.turn.id)
                self._gone = True
                return False
        except (Unreachable, OSError) as failure:
            self._failures += 1
            self._drawn.pop(call.number, None)
            log.warning("a call for turn %d failed, to be made again: %s", self._reply.turn.id, type(failure).__name__)
            return False
        self._failures = 0
        if call.clears or ref is not None:
            await self._place_part(call.number, ref or "")
        if call.shows is not None:
            self._drawn[call.number] = call.shows
        if self._version == version and self._next() is None:
            self._drawn_version = version
        return True

    def _pause(self, refusal: RetryAfter) -> None:
        pause = self._channel.pace.pause_all if refusal.everywhere else self._channel.pace.pause
        pause(refusal.seconds)

    async def _place_part(self, number: int, ref: str) -> None:
        """Commit where a part is before it is touched again; the chat is not called meanwhile."""
        self._refs[number] = ref
        await self._surely(lambda: self._reply.placed(number, ref))

    async def _forget_parts(self) -> None:
        """The messages are lost: nothing of the answer is anywhere."""
        self._drawn.clear()
        for number in range(max([len(self._reply.turn.refs), *(number + 1 for number in self._refs)])):
            if self._ref(number):
                await self._place_part(number, "")

    async def _surely(self, commit: Callable[[], Awaitable[None]]) -> None:
        """Commit, again and again while the disk does not take it: what is on the screen must be known."""
        wait = FIRST_BACK_OFF
        while True:
            try:
                return await commit()
            except (ConchError, OSError) as failure:
                log.error("where turn %d is shown is not stored yet: %s", self._reply.turn.id, failure)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_BACK_OFF)

    def _ref(self, number: int) -> str:
        """The message of a part; "" = none yet. Another answer may have made it, which this one takes over."""
        if number in self._refs:
            return self._refs[number]
        refs = self._reply.turn.refs
        return refs[number] if number < len(refs) else ""

    def _parts_of(self, text: str) -> list[Part]:
        """The channel's parts, split once for the few texts that are looked at in turn."""
        if text not in self._splits:
            if len(self._splits) >= SPLITS_KEPT:
                self._splits.clear()
            self._splits[text] = list(self._channel.split(text))
        return self._splits[text]

    def _view(self) -> View:
        """What should be on the screen now."""
        end = self._reply.finished
        if end is not None:
            return final_view(self._say, self._parts_of, self._reply.text, end, self._reply.turn, self._max_parts)
        if self._closed:
            view = interrupted_view(self._say, self._parts_of, self._text)
            return view if all(map(self._ref, range(len(view.parts)))) else View(())
        if self._text and (parts := self._parts_of(self._text)):
            self._full = len(parts) > self._max_parts  # what is full stays as it is: the rest waits for the end
            return View(tuple(parts[: self._max_parts]), ("stop",))
        return waiting_view(self._say, self._parts_of, self._place, again=self._again)

    def _next(self) -> _Call | None:
        """The next call, or None when the screen is as it should be."""
        end = self._reply.finished
        if self._reply.successor is not None or (end is not None and end.cause == "edited"):
            return None  # the messages are the new question's now
        count = max([len(self._reply.turn.refs), *(number + 1 for number in self._refs)])
        if end is not None and end.cause == "deleted":
            self._refs = {number: self._ref(number) for number in range(count)}  # the store may forget where they are
            return self._clearing(0, count)
        if self._taken_over and (call := self._clearing(self._max_parts, count) or self._emptying(count)):
            return call
        self._taken_over = False
        view = self._view()
        for number in range(len(view.parts)):
            if not self._ref(number):
                return self._reserving(number, view)
            if self._drawn.get(number) != view.at(number):
                return self._editing(number, view)
        if end is None:
            return None
        kept = len(view.parts)
        if view.file is not None:
            kept = self._max_parts + 1
            if call := self._filing(view.file):
                return call
        return self._clearing(kept, count)

    def _filing(self, file: File) -> _Call | None:
        """The file below the last message: reserved and filled like those, where the platform can do that."""
        channel, number = self._channel, self._max_parts
        ref, shows = self._ref(number), (Part(file.caption), ())
        if not isinstance(channel, FillsFiles):
            return None if ref else _Call(lambda: self._channel.send_file(file.name, file.data, file.caption), number)
        if not ref:
            return _Call(lambda: self._channel.send(self._more(), ()), number)
        if self._drawn.get(number) == shows:
            return None

        async def fill() -> None:
            await channel.fill_file(ref, file.name, file.data, file.caption)

        return _Call(fill, number, shows)

    def _more(self) -> Part:
        """What stands where there is more to come."""
        return self._channel.split("…")[0]

    def _reserving(self, number: int, view: View) -> _Call:
        """A placeholder: what is true before the first word, or that there is more to come."""
        waiting = waiting_view(self._say, self._channel.split, self._place, again=self._again)
        part = waiting.parts[0] if number == 0 else self._more()
        buttons: tuple[Button, ...] = ("stop",) if "stop" in view.at(number)[1] else ()
        return _Call(lambda: self._channel.send(part, buttons), number, (part, buttons))

    def _editing(self, number: int, view: View) -> _Call:
        part, buttons = view.at(number)
        channel, ref = self._channel, self._ref(number)

        async def edit() -> str | None:
            if isinstance(channel, Drafts) and number == len(view.parts) - 1 and self._text:
                if self._reply.finished is not None:
                    return await channel.settle(ref, part, buttons)
                await channel.draft(number, part)
                return None
            return await channel.edit(ref, part, buttons)

        return _Call(edit, number, (part, buttons))

    def _emptying(self, count: int) -> _Call | None:
        """Take the old words out of the messages behind the first: the new answer grows in the same ones."""
        more: tuple[Part, tuple[Button, ...]] = (self._more(), ())
        number = next((n for n in reversed(range(1, count)) if self._ref(n) and self._drawn.get(n) != more), None)
        if number is None:
            return None
        ref = self._ref(number)

        return _Call(lambda: self._channel.edit(ref, *more), number, more, spared=True)

    def _clearing(self, first: int, count: int) -> _Call | None:
        """Delete the last message from number ``first`` on."""
        number = next((n for n in reversed(range(first, count)) if self._ref(n)), None)
        if number is None:
            return None
        ref = self._ref(number)

        async def delete() -> None:
            await self._channel.delete(ref)

        return _Call(delete, number, clears=True)
