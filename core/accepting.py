"""The rule of accepting, under a conversation's lock: known event, this person, limits, a place in line, one commit.

The lock is taken in the order of the calls, before anything is awaited; and what has begun goes to its end whether or
not its caller is still there. Nothing that is refused is stored, and what fails after joining the line leaves it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from core.answering import Answering, Observe
from core.errors import Expired, NotFound, NothingToContinue, NotYours, Refused, ShuttingDown, StillAnswering
from core.gate import Gate
from core.limits import Limits, Spend
from core.messages import Conversation, Kind, Turn
from core.people import People
from core.reply import Reply
from core.store import NewTurn, Store
from core.voices import Voices

log = logging.getLogger(__name__)
T = TypeVar("T")
Target = int | str
"""A turn, by its id or by any of its events."""

TITLE_CHARACTERS = 60
OUTAGE_SECONDS = 30.0
"""An event older than this comes from an outage's backlog: it may go ``Options.backlog`` past the bound."""


@dataclass(frozen=True, slots=True)
class Options:
    """``backlog``: tickets past the bound for what an outage held back. ``max_age``: seconds after which a question is
    too old to answer (0 = never). ``attempts``: how often a crash may hit one answer before it is given up."""

    persona: str
    language: str = "en"
    backlog: int = 500
    max_age: float = 0.0
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Ask:
    """A question that arrived. ``at`` is the event's own time (None: now); see ``Chat.send`` for the rest."""

    conversation: str
    user: str
    event: str
    text: str
    place: str = ""
    at: float | None = None
    parent: Target | None = None
    persona: str | None = None
    language: str | None = None
    places: Sequence[str] = ()
    scope: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """A turn to be made from ``target``: another answer, its continuation, or its question in other words."""

    kind: Kind
    target: Target
    user: str
    event: str
    text: str | None = None
    place: str | None = None
    at: float | None = None
    take_over: bool = False
    branch: bool = False
    places: Sequence[str] = ()


class Accepting:
    """Accepts questions one at a time per conversation, and hands each to the task that answers it."""

    def __init__(
        self,
        gate: Gate,
        store: Store,
        answering: Answering,
        *,
        voices: Voices,
        limits: Limits,
        people: People,
        options: Options,
        observe: Observe,
        changed: Callable[[str, str], None],
        clock: Callable[[], float],
        random: Random,
    ) -> None:
        self.closed = False
        self._gate, self._store, self._answering = gate, store, answering
        self._voices, self._limits, self._people, self._options = voices, limits, people, options
        self._observe, self._changed, self._clock, self._random = observe, changed, clock, random
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def ask(self, ask: Ask) -> Reply:
        """A new question. Raises Refused."""
        return await self._whole(self._ask(ask))

    async def again(self, again: Again) -> Reply:
        """A turn made from another. Raises Refused."""
        return await self._whole(self._again(again))

    async def close(self, timeout: float) -> None:
        """Accept nothing more; returns when every accept that had begun has its task."""
        self.closed = True
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout)

    @asynccontextmanager
    async def lock(self, conversation: str) -> AsyncIterator[None]:
        """The conversation's lock: first come, first served; dropped when nobody holds or wants it."""
        lock = self._locks.get(conversation)
        if lock is None:
            lock = self._locks[conversation] = asyncio.Lock()
        async with lock:
            yield

    async def turn(self, target: Target, user: str | None = None) -> Turn:
        """The turn, which must be ``user``'s if one is named. Raises NotFound, NotYours.

        An event names the question as it reads now, with its newest answer: the last edit of it, the last regenerate.
        """
        turn = await (self._store.turn(target) if isinstance(target, int) else self._newest(target))
        if turn is None:
            raise NotFound
        if user is not None and turn.user != user:
            raise NotYours
        return turn

    async def conversation(self, key: str, user: str) -> Conversation | None:
        """The conversation, None where there is none yet. Raises NotYours."""
        kept = await self._store.conversation(key)
        if kept is not None and kept.owner != user:
            raise NotYours
        return kept

    async def reply(self, turn: Turn) -> Reply:
        """The Reply of a turn: the one that is followed already, or one drawn from the store."""
        replies = self._answering.replies
        if turn.id not in replies and turn.finish_reason is None:  # it may have ended since it was read
            turn = await self._store.turn(turn.id) or turn
        if turn.id in replies and not turn.deleted:
            return replies[turn.id]
        reply = replies[turn.id] = Reply(turn, self._store, self._answering.cancel)
        if turn.finish_reason is None:  # nobody answers it in this life
            reply.close()
        return reply

    async def family(self, turn: Turn) -> list[Turn]:
        """A question in all its words with all its answers: made again, edited, continued. The first first."""
        while turn.source is not None and turn.kind in ("regenerate", "edit"):
            turn = await self.turn(turn.source)
        found = [turn]
        for one in found:
            found += await self._store.made_from(one.id)
        return found

    def too_old(self, asked: float) -> bool:
        """Is an event of that time too old to be answered?"""
        return bool(self._options.max_age) and self._clock() - asked > self._options.max_age

    async def _ask(self, ask: Ask) -> Reply:
        async with self.lock(ask.conversation):
            known, kept, language = await self._store.glance(ask.event, ask.conversation, ask.user)
            if known is not None:
                return await self._taken(known, ask.user)
            self._may(ask.user, ask.places, ask.at)
            self._limits.check_length(ask.text)
            if kept is not None and kept.owner != ask.user:
                raise NotYours
            above = None if ask.parent is None else await self.turn(ask.parent)
            if above is not None and above.user != ask.user and not (ask.scope and above.scope == ask.scope):
                raise NotYours
            if ask.persona is not None and ask.persona not in self._voices.personas:
                raise NotFound
            persona = ask.persona or (kept.persona if kept is not None else self._options.persona)
            new = NewTurn(
                conversation=ask.conversation,
                user=ask.user,
                event=ask.event,
                kind="send",
                prompt=ask.text,
                persona=ask.persona,
                default_persona=self._options.persona,
                language=language or ask.language or self._options.language,
                seed=self._seed(),
                max_tokens=self._voices.max_tokens(persona),
                asked=self._asked(ask.at),
                place=ask.place,
                parent=above.id if above is not None else "head",
                scope=ask.scope,
                title=ask.title or title(ask.text),
            )
            return await self._accept(new)

    async def _again(self, again: Again) -> Reply:
        first = await self.turn(again.target, again.user)
        async with self.lock(first.conversation):
            if known := await self._known(again.event, again.user):
                return known
            old = await self.turn(again.target, again.user)  # another edit by the same event may have come before
            if old.deleted:
                raise NotFound
            live = self._answering.live.get(old.id)
            if again.kind == "edit" and again.text == old.prompt:
                return await self.reply(old)
            if again.kind != "edit" and live is not None:
                raise StillAnswering
            if again.kind == "proceed" and (not old.reply or old.finish_reason not in ("length", "abort")):
                raise NothingToContinue
            self._may(again.user, again.places, again.at)
            if again.kind == "edit":
                self._limits.check_length(again.text or "")
            new = NewTurn(
                conversation=old.conversation,
                user=again.user,
                event=again.event,
                kind=again.kind,
                prompt=old.prompt if again.text is None else again.text,
                persona=old.persona,
                default_persona=self._options.persona,
                language=old.language,
                seed=self._seed(),
                max_tokens=self._voices.max_tokens(old.persona),
                asked=self._asked(again.at),
                place=old.place if again.place is None else again.place,
                parent=old.id if again.kind == "proceed" else old.parent,
                source=old.id,
                take_over=again.take_over,
                move_head=again.branch or await self._is_newest(old),
                scope=old.scope,
            )
            shown = self._answering.replies.get(old.id) if again.take_over else None
            return await self._accept(new, instead_of=live if again.kind == "edit" else None, shown=shown)

    async def _accept(self, new: NewTurn, instead_of: Reply | None = None, shown: Reply | None = None) -> Reply:
        """Join the line, then one durable commit, then the task. ``shown``: who still fills the messages taken over.

        An edited question stands in for the one it replaces, which waits or runs until the commit: it needs no place
        of its own before that, and cannot find the line full.
        """
        ticket = None
        if instead_of is None:
            extra = self._options.backlog if self._clock() - new.asked > OUTAGE_SECONDS else 0
            ticket = self._gate.join(new.user, new.conversation, new.max_tokens, extra=extra)
        try:
            turn, fresh = await self._store.accept(new, self._check(new))
        except BaseException:
            if ticket is not None:
                ticket.leave()
            raise
        if not fresh:
            if ticket is not None:
                ticket.leave()
            return await self._taken(turn, new.user)
        self._observe("accepted", 1, new.kind)
        if ticket is None:
            waiting = self._answering.waiting(instead_of) if instead_of is not None else None
            ticket = self._gate.join(new.user, new.conversation, new.max_tokens, past_bounds=True, instead_of=waiting)
        reply = self._answering.start(turn, ticket)
        self._changed(turn.user, turn.conversation)
        if shown is not None:
            shown.successor = reply
        if instead_of is not None:
            await self._answering.cancel(instead_of, "edited")
        return reply

    def _check(self, new: NewTurn) -> Callable[[Sequence[Spend]], None] | None:
        """The person's limits, for the store to ask inside the accepting transaction."""
        if self._people.exempt(new.user):
            return None
        return lambda spends: self._limits.check(spends, new.asked, new.max_tokens)

    def _may(self, user: str, places: Sequence[str], at: float | None) -> None:
        """Raises the refusals that need no look into the store."""
        if self.closed:
            raise ShuttingDown
        self._people.check(user, places)
        if at is not None and self.too_old(at):
            raise Expired

    def _asked(self, at: float | None) -> float:
        """The event's own time, never in the future."""
        now = self._clock()
        return now if at is None else min(at, now)

    def _seed(self) -> int:
        return self._random.randrange(2**31)

    async def _known(self, event: str, user: str) -> Reply | None:
        turn = await self._store.find(event)
        return None if turn is None else await self._taken(turn, user)

    async def _taken(self, turn: Turn, user: str) -> Reply:
        """The Reply of an event that was taken before. Raises NotYours."""
        if turn.user != user and not turn.deleted:
            raise NotYours
        return await self.reply(turn)

    async def _newest(self, event: str) -> Turn | None:
        turn = await self._store.find(event)
        while turn is not None:
            made = [one for one in await self._store.made_from(turn.id) if not one.deleted]
            edits = [one for one in made if one.kind == "edit"]
            newer = edits or [one for one in made if one.kind == "regenerate"]
            if not newer:
                break
            turn = newer[-1]
        return turn

    async def _is_newest(self, turn: Turn) -> bool:
        """Is this the conversation's newest turn, but for continuations of its answer?"""
        kept = await self._store.conversation(turn.conversation)
        head = kept.head if kept is not None else None
        while head is not None and head != turn.id:
            above = await self.turn(head)
            if above.prompt and not above.deleted:
                return False
            head = above.parent
        return head is not None

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end even if the caller goes away: a commit once begun still gets its task."""
        task = asyncio.create_task(self._counted(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_hear)
            raise

    async def _counted(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except Refused as refusal:
            self._observe("refused", 1, refusal.cause)
            raise


def title(text: str) -> str:
    """One line of at most 60 characters."""
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"


def _hear(task: asyncio.Task[Any]) -> None:
    """The caller has gone; a refusal has nobody to go to, anything else is worth a line."""
    if not task.cancelled() and (failure := task.exception()) and not isinstance(failure, Refused):
        log.error("an accept whose caller had gone failed", exc_info=failure)
