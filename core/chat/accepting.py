"""The rule of accepting, under a conversation's lock: known event, this person, limits, a place in line, one commit.

The lock is taken in the order of the calls, before anything is awaited; and what has begun goes to its end whether or
not its caller is still there. Nothing that is refused is stored, and what fails after joining the line leaves it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import accumulate, pairwise
from random import Random
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from core.chat.answering import Answering, Observe
from core.chat.options import Options, holds, title
from core.chat.people import People
from core.chat.personas import Voices
from core.chat.reply import Reply
from core.chat.turns import Turns
from core.errors import (
    Draining,
    Expired,
    NotFound,
    NothingToContinue,
    NotYours,
    Refused,
    ShuttingDown,
    StillAnswering,
    TooLong,
)
from core.gate.gate import Gate
from core.limits import Limits, Spend
from core.messages import Kind, Question, Revision, Turn
from core.store.store import NewTurn, Store

log = logging.getLogger(__name__)
T = TypeVar("T")
CUT_OFF_KEPT = 1000
OUTAGE_SECONDS = 30.0
"""An event older than this comes from an outage's backlog: it may go ``Options.backlog`` past the bound."""


TOO_LONG_IN_ALL = "too_long_in_all"
"""How a question ends whose messages are too long together: the key of a sentence."""


class Accepting:
    """Accepts questions one at a time per conversation, and hands each to the task that answers it."""

    def __init__(
        self,
        gate: Gate,
        store: Store,
        answering: Answering,
        turns: Turns,
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
        self.refusing = False
        """Nothing new is accepted for the time being: an owner wants it so."""
        self._gate, self._store, self._answering, self._turns = gate, store, answering, turns
        self._voices, self._limits, self._people, self._options = voices, limits, people, options
        self._observe, self._changed, self._clock, self._random = observe, changed, clock, random
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cut_off: dict[str, tuple[float, Refused]] = {}

    async def ask(self, question: Question) -> Reply:
        """A new question. Raises Refused."""
        return await self._whole(self._ask(question))

    async def again(self, kind: Kind, revision: Revision) -> Reply:
        """A turn made from another. Raises Refused."""
        return await self._whole(self._again(kind, revision))

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

    def may_act(self, turn: Turn, user: str, moderates: str) -> bool:
        """May ``user`` stop this answer or ask for another one? It is theirs, or can be read in the chat that they
        moderate, or they own Conch. Nobody may of a forgotten one."""
        if turn.user == user:
            return True
        return bool(turn.user) and (self._people.owns(user) or (bool(turn.scope) and turn.scope == moderates))

    def too_old(self, asked: float) -> bool:
        """Is an event of that time too old to be answered?"""
        return bool(self._options.max_age) and self._clock() - asked > self._options.max_age

    async def _ask(self, question: Question) -> Reply:
        try:
            return await self._ask_in_turn(question)
        except Refused as refusal:
            if question.more_until is not None and not question.only_more:
                if len(self._cut_off) > CUT_OFF_KEPT:
                    self._cut_off.clear()
                self._cut_off[question.conversation] = question.more_until, refusal
            raise

    def _refuse_rest(self, question: Question) -> None:
        """Of a question whose first message was refused, the others are: nobody wants an answer to its end alone."""
        until, refusal = self._cut_off.pop(question.conversation, (-math.inf, None))
        if refusal is not None and self._asked(question.at) <= until:
            raise refusal

    async def _ask_in_turn(self, question: Question) -> Reply:
        user, asked = question.user, self._asked(question.at)
        async with self.lock(question.conversation):
            seen = await self._store.glance(question.event, question.conversation, user, asked)
            if seen.known is not None:
                return await self._turns.taken(seen.known, user)
            if seen.unfinished is not None and _goes_on(seen.unfinished, question):
                return await self._append(seen.unfinished, question)
            if question.only_more:
                raise NotFound
            self._refuse_rest(question)
            self._may(user, question.places, question.at)
            self._limits.check_length(question.text, alone=not question.quote and not question.attachments)
            kept = seen.conversation
            if kept is not None and kept.owner != user:
                raise NotYours
            above = await self._above(question)
            if question.persona is not None and question.persona not in self._voices.personas:
                raise NotFound
            persona = question.persona or (kept.persona if kept is not None else self._options.persona)
            titled = question.title or title(question.text or question.quote or question.attachments[0].name)
            new = NewTurn(
                replace(question, title=titled),
                kind="send",
                asked=asked,
                language=seen.language or question.language or self._options.language,
                default_persona=self._options.persona,
                seed=self._seed(),
                max_tokens=self._voices.max_tokens(persona),
                parent=above.id if above is not None else "head",
            )
            return await self._accept(new)

    async def _above(self, question: Question) -> Turn | None:
        """The answer that a question replies to: one's own, or one that can be read in this very chat. Raises NotFound,
        NotYours."""
        if question.parent is None:
            return None
        above = await self._turns.turn(question.parent)
        if above.user != question.user and not (question.scope and above.scope == question.scope):
            raise NotYours
        return above

    async def _append(self, turn: Turn, more: Question) -> Reply:
        """One more message of a question, also where a shutdown has begun: it must not stay cut in two.

        If its turn has come already, the whole is answered instead, in the same messages. Raises TooLong, and then the
        question is not answered at all.
        """
        text, live = turn.prompt + more.text, self._answering.live.get(turn.id)
        try:
            self._limits.check_length(text)
            if turn.cause == TOO_LONG_IN_ALL:
                raise TooLong(self._limits.characters)
        except TooLong:
            await self._store.append(turn.id, more.event, "", more.more_until)
            if live is not None:
                await self._answering.cancel(live, TOO_LONG_IN_ALL, "error")
            raise
        if live is not None and await self._answering.append(live, more.event, more.text, more.more_until):
            self._changed(turn.user, turn.conversation)
            return live
        question = replace(turn.question(more.event, text), more_until=more.more_until, places=more.places)
        parts = (*(turn.parts or (len(turn.prompt),)), len(more.text))
        new = self._remade(turn, "edit", question, self._asked(more.at), parts)
        return await self._accept(new, instead_of=live, shown=self._answering.replies.get(turn.id))

    async def _again(self, kind: Kind, revision: Revision) -> Reply:
        first = await self._of(kind, revision)
        async with self.lock(first.conversation):
            if known := await self._turns.known(revision.event, first.user):
                return known
            old = await self._of(kind, revision)  # another edit by the same event may have come before
            if old.deleted:
                raise NotFound
            live = self._answering.live.get(old.id)
            text, parts = await self._reworded(old, kind, revision)
            if kind == "edit" and text == old.prompt:
                return await self._turns.reply(old)
            if kind != "edit" and live is not None:
                raise StillAnswering
            if kind == "proceed" and (not old.reply or old.finish_reason not in ("length", "abort")):
                raise NothingToContinue
            self._may(revision.user, revision.places, revision.at)
            if kind == "edit":
                self._limits.check_length(text, alone=not old.quote and not old.attachments)
            question = replace(old.question(revision.event, text), places=revision.places)
            if revision.place is not None:
                question = replace(question, place=revision.place)
            if kind == "proceed":  # the answer goes on, nothing is asked
                question = replace(question, quote="", attachments=())
            new = replace(
                self._remade(old, kind, question, self._asked(revision.at), parts),
                parent=old.id if kind == "proceed" else old.parent,
                take_over=revision.take_over,
                move_head=(revision.branch and revision.user == old.user) or await self._turns.is_newest(old),
                payer=revision.user if revision.user != old.user else None,
            )
            shown = self._answering.replies.get(old.id) if revision.take_over else None
            return await self._accept(new, live if kind == "edit" else None, shown)

    async def _of(self, kind: Kind, revision: Revision) -> Turn:
        """The turn that it is about. Another's answer may be acted on, never their words. Raises NotFound, NotYours."""
        found = await self._turns.turn(revision.target)
        if found.user != revision.user and kind == "edit":
            raise NotYours
        if not self.may_act(found, revision.user, revision.moderates):
            raise NotYours
        return found

    async def _reworded(self, old: Turn, kind: Kind, revision: Revision) -> tuple[str, tuple[int, ...]]:
        """The question's new words, and the lengths of its messages: of several, an edit changes one."""
        if kind == "proceed":
            return "", ()
        if kind == "regenerate" or revision.text is None:
            return old.prompt, old.parts
        if not old.parts or isinstance(revision.target, int):
            return revision.text, ()
        number, ends = await self._store.part(revision.target), [0, *accumulate(old.parts)]
        parts = [old.prompt[start:end] for start, end in pairwise(ends)]
        parts[number] = revision.text
        return "".join(parts), tuple(map(len, parts))

    def _remade(self, old: Turn, kind: Kind, question: Question, asked: float, parts: tuple[int, ...]) -> NewTurn:
        """A turn made from another, in its messages and as the conversation's newest."""
        return NewTurn(
            question,
            kind=kind,
            asked=asked,
            language=old.language,
            default_persona=self._options.persona,
            seed=self._seed(),
            max_tokens=self._voices.max_tokens(old.persona),
            parent=old.parent,
            source=old.id,
            take_over=True,
            parts=parts,
        )

    async def _accept(self, new: NewTurn, instead_of: Reply | None = None, shown: Reply | None = None) -> Reply:
        """Join the line, then one durable commit, then the task. ``shown``: who still fills the messages taken over.
        The place in line and the limits are those of whoever pays; the question's places are theirs.

        An edited question stands in for the one it replaces, which waits or runs until the commit: it needs no place
        of its own before that, and cannot find the line full.
        """
        user, conversation = new.question.user, new.question.conversation
        ticket, held, payer = None, holds(new.question), new.payer or user
        if instead_of is None:
            extra = self._options.backlog if self._clock() - new.asked > OUTAGE_SECONDS else 0
            ticket = self._gate.join(payer, conversation, new.max_tokens, extra=extra, held=held)
        try:
            turn, fresh = await self._store.accept(new, self._check(new, payer))
        except BaseException:
            if ticket is not None:
                ticket.leave()
            raise
        if not fresh:
            if ticket is not None:
                ticket.leave()
            return await self._turns.taken(turn, user)
        self._observe("accepted", 1, new.kind)
        if ticket is None:
            waiting = self._answering.waiting(instead_of) if instead_of is not None else None
            ticket = self._gate.join(
                payer, conversation, new.max_tokens, past_bounds=True, instead_of=waiting, held=held
            )
        reply = self._answering.start(turn, ticket)
        self._changed(turn.user, turn.conversation)
        if shown is not None:
            shown.successor = reply
        if instead_of is not None:
            await self._answering.cancel(instead_of, "edited")
        return reply

    def _check(self, new: NewTurn, payer: str) -> Callable[[Sequence[Spend]], None] | None:
        """The limits of whoever pays, for the store to ask inside the accepting transaction."""
        if self._people.exempt(payer):
            return None
        limits = self._limits.of((payer, *new.question.places))
        return lambda spends: limits.check(spends, new.asked, new.max_tokens)

    def _may(self, user: str, places: Sequence[str], at: float | None) -> None:
        """Raises the refusals that need no look into the store."""
        if self.closed:
            raise ShuttingDown
        if self.refusing:
            raise Draining
        self._people.check(user, places)
        if at is not None and self.too_old(at):
            raise Expired

    def _asked(self, at: float | None) -> float:
        """The event's own time, never in the future."""
        now = self._clock()
        return now if at is None else min(at, now)

    def _seed(self) -> int:
        return self._random.randrange(2**31)

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


def _goes_on(turn: Turn, more: Question) -> bool:
    """Is it more of that question? A file, or words of somebody else, are a question of their own."""
    return turn.user == more.user and bool(more.text) and not more.attachments and more.quote in ("", turn.quote)


def _hear(task: asyncio.Task[Any]) -> None:
    """The caller has gone; a refusal has nobody to go to, anything else is worth a line."""
    if not task.cancelled() and (failure := task.exception()) and not isinstance(failure, Refused):
        log.error("an accept whose caller had gone failed", exc_info=failure)
