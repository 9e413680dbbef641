"""The one object that adapters talk to: questions, their answers, what is kept of them, and what the owner may do.

A question is accepted under its conversation's lock by one durable commit; from then on a task that nobody cancels
brings it to its end. The lock is taken in the order of the calls, before anything is awaited.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from random import Random, SystemRandom
from time import time
from typing import Any, Literal, TypeVar
from weakref import WeakValueDictionary

from core.answering import Answering, Observe
from core.engine import Engine, Sampling
from core.errors import (
    Expired,
    NotFound,
    NothingToContinue,
    NotYours,
    Refused,
    ShuttingDown,
    StillAnswering,
)
from core.gate import Gate
from core.limits import Limits, Spend
from core.messages import Conversation, Kind, Persona, Turn
from core.people import People
from core.reply import Reply
from core.store import NewTurn, Store

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
class Status:
    """How things stand for one person. ``messages_left`` of this minute, ``tokens_left`` of today; None = no limit."""

    ready: bool
    paused: bool
    slots: int
    waiting: int
    running: int
    messages_left: int | None
    tokens_left: int | None
    persona: str
    owner: bool


class Chat:
    """Accepts questions, follows their answers, and keeps what was said."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        store: Store,
        *,
        personas: Mapping[str, Persona],
        limits: Limits,
        sampling: Sampling,
        options: Options,
        people: People | None = None,
        observe: Observe = lambda name, value, label: None,
        clock: Callable[[], float] = time,
        random: Random | None = None,
    ) -> None:
        self.personas = personas
        self.people = people or People()
        self._engine, self._gate, self._store = engine, gate, store
        self._limits, self._sampling, self._options = limits, sampling, options
        self._observe, self._clock, self._random = observe, clock, random or SystemRandom()
        self._answering = Answering(
            engine, gate, store, sampling=self._sampling_of, system=self._system_of, observe=observe, clock=clock
        )
        self._answering.on_change = self._changed
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._watchers: dict[str, set[_Watcher]] = {}
        self._draining = False
        self._paused = False

    # Questions and answers.

    async def send(
        self,
        conversation: str,
        user: str,
        event: str,
        text: str,
        *,
        place: str = "",
        at: float | None = None,
        parent: Target | None = None,
        persona: str | None = None,
        language: str | None = None,
        places: Sequence[str] = (),
        scope: str = "",
        title: str = "",
    ) -> Reply:
        """Accept a question; the same ``event`` again gives the same Reply. Raises Refused; then nothing is stored.

        ``at`` is the event's own time (Unix seconds), ``parent`` an answer that it replies to (else the
        conversation's newest), ``places`` the ids by which a group may be admitted, ``scope`` the chat in which
        everybody can read the answer, ``language`` what the platform says of the person.
        """

        async def accept() -> Reply:
            async with self._lock(conversation):
                if known := await self._known(event, user):
                    return known
                self._may(user, places, at)
                self._limits.check_length(text)
                kept = await self._store.conversation(conversation)
                if kept is not None and kept.owner != user:
                    raise NotYours
                below = None if parent is None else await self._turn(parent)
                if below is not None and below.user != user and not (scope and below.scope == scope):
                    raise NotYours
                if persona is not None and persona not in self.personas:
                    raise NotFound
                new = NewTurn(
                    conversation=conversation,
                    user=user,
                    event=event,
                    kind="send",
                    prompt=text,
                    persona=persona,
                    default_persona=self._options.persona,
                    language=await self.language(user) or language or self._options.language,
                    seed=self._seed(),
                    max_tokens=self._max_tokens(persona or (kept.persona if kept else self._options.persona)),
                    asked=self._asked(at),
                    place=place,
                    parent=below.id if below is not None else "head",
                    scope=scope,
                    title=title or _title(text),
                )
                return await self._accept(new)

        return await self._whole(accept())

    async def regenerate(
        self,
        target: Target,
        user: str,
        event: str,
        *,
        place: str | None = None,
        at: float | None = None,
        take_over: bool = False,
        branch: bool = False,
        places: Sequence[str] = (),
    ) -> Reply:
        """Another answer to the same question, as a sibling; ``take_over`` draws it in the old one's messages.

        The conversation goes on from it if the old one was its newest, or with ``branch``. A second press finds the
        sibling that the first one made. Raises StillAnswering while the turn waits or runs.
        """
        return await self._again(
            "regenerate", target, user, event, None, place=place, at=at, take=take_over, branch=branch, places=places
        )

    async def proceed(
        self,
        target: Target,
        user: str,
        event: str,
        *,
        place: str | None = None,
        at: float | None = None,
        places: Sequence[str] = (),
    ) -> Reply:
        """Continue an answer that was cut by its length or stopped: a child turn without a question."""
        return await self._again("proceed", target, user, event, "", place=place, at=at, branch=True, places=places)

    async def edit(
        self,
        target: Target,
        user: str,
        event: str,
        text: str,
        *,
        at: float | None = None,
        branch: bool = False,
        places: Sequence[str] = (),
    ) -> Reply:
        """Ask a question anew in other words: a sibling that takes over its messages and, if it waits, its place.

        The answer that runs is cancelled. An older question is answered in place and the conversation's newest turn
        stays, unless ``branch``. The same text again is no edit: it gives the Reply that is there.
        """
        return await self._again(
            "edit", target, user, event, text, place=None, at=at, take=True, branch=branch, places=places
        )

    async def delete(self, target: Target, user: str) -> Turn:
        """Cancel, blank and skip a turn from now on. Its ``refs`` name the messages that should go, too."""
        turn = await self._turn(target, user)
        if live := self._answering.live.get(turn.id):
            await self._answering.cancel(live, "deleted")
        async with self._lock(turn.conversation):
            before = await self._turn(turn.id, user)
            await self._store.delete(turn.id)
        self._changed(user, turn.conversation)
        return replace(before, prompt="", reply="", ids=None, deleted=True)

    async def undo(self, conversation: str, user: str) -> Turn | None:
        """Take back the newest turn: cancelled if it runs, and the conversation goes on from its parent.

        Returns the turn taken back, or None when there was none.
        """
        async with self._lock(conversation):
            kept = await self._mine(conversation, user)
            if kept is None or kept.head is None:
                return None
            if live := self._answering.live.get(kept.head):
                await self._answering.cancel(live, "stopped")
            turn = await self._turn(kept.head)
            while turn.deleted and turn.parent is not None:
                turn = await self._turn(turn.parent)
            await self._store.set_head(conversation, turn.parent)
        self._changed(user, conversation)
        return turn

    async def cancel(self, target: Target, user: str) -> Turn | None:
        """Stop a turn, or, given a conversation's key, all that waits or runs in it. Only the asker or an owner may.

        Returns a turn that was stopped, or None when there was nothing to stop.
        """
        chosen = [live for live in self._answering.live.values() if live.turn.conversation == target]
        if not chosen:
            found = await (self._store.turn(target) if isinstance(target, int) else self._store.find(target))
            live = self._answering.live.get(found.id) if found is not None else None
            chosen = [live] if live is not None else []
        if any(live.turn.user != user for live in chosen) and not self.people.owns(user):
            raise NotYours
        for live in reversed(chosen):
            await self._answering.cancel(live, "stopped")
        return chosen[0].turn if chosen else None

    async def new(self, conversation: str, user: str) -> None:
        """Begin afresh: what waits or runs is cancelled, and the next question has no past."""
        async with self._lock(conversation):
            if await self._mine(conversation, user) is None:
                return
            for live in self._in(conversation):
                await self._answering.cancel(live, "new")
            await self._store.set_head(conversation, None)
        self._changed(user, conversation)

    async def resume(self, prefixes: Iterable[str]) -> int:
        """Take up what an earlier run left unanswered, in the order of acceptance, past bounds and limits.

        Call it once, before any front is up. What was hit ``Options.attempts`` times gets an apology, what is too old
        a word. Returns how many are taken up.
        """
        taken = 0
        for turn in await self._store.pending(tuple(prefixes)):
            cause = None
            if turn.attempts >= self._options.attempts:
                cause = "gave_up"
            elif self._too_old(turn.asked):
                cause = "expired"
            if cause is not None:
                await self._answering.give_up(turn, cause)
                continue
            ticket = self._gate.join(turn.user, turn.conversation, self._max_tokens(turn.persona), past_bounds=True)
            self._answering.start(turn, ticket)
            taken += 1
        return taken

    async def unfinished(self, prefix: str) -> list[Reply]:
        """The Replies that an adapter must still show, in order: unanswered, or not shown to the end."""
        replies = {r.turn.id: r for r in self._answering.live.values() if r.turn.conversation.startswith(prefix)}
        for turn in await self._store.unshown(prefix):
            replies.setdefault(turn.id, self._reply_of(turn))
        return [replies[turn] for turn in sorted(replies)]

    def live(self, turn: int) -> Reply | None:
        """The Reply of a turn that waits or runs."""
        return self._answering.live.get(turn)

    async def reply(self, target: Target, user: str) -> Reply:
        """The Reply of any turn of this person, running or drawn from the store."""
        return self._reply_of(await self._turn(target, user))

    # What is kept.

    async def move(self, old: str, new: str) -> None:
        """A platform has renamed a place: conversations whose keys begin with ``old`` now begin with ``new``."""
        await self._store.move(old, new)
        for live in self._answering.live.values():
            if live.turn.conversation.startswith(old):
                live.turn = replace(live.turn, conversation=new + live.turn.conversation.removeprefix(old))

    async def persona(self, conversation: str, user: str, name: str | None = None) -> str:
        """The conversation's persona; ``name`` sets it for the questions to come. Raises NotFound."""
        if name is not None and name not in self.personas:
            raise NotFound
        async with self._lock(conversation):
            kept = await self._mine(conversation, user)
            if name is not None:
                if kept is None:
                    await self._store.create(conversation, user, "")
                await self._store.set_persona(conversation, name)
        if name is not None:
            self._changed(user, conversation)
            return name
        return kept.persona if kept is not None and kept.persona in self.personas else self._options.persona

    async def language(self, user: str, code: str | None = None) -> str | None:
        """The language that the person chose; ``code`` sets it."""
        if code is not None:
            await self._store.set_language(user, code)
            return code
        return await self._store.language(user)

    async def conversations(self, user: str) -> list[Conversation]:
        """The person's conversations, newest first."""
        return await self._store.conversations(user)

    async def history(self, conversation: str, user: str) -> list[Turn]:
        """The turns from the start, or the last ``new``, to the newest. Raises NotFound, NotYours."""
        kept = await self._mine(conversation, user)
        if kept is None:
            raise NotFound
        return await self._store.path(kept.head) if kept.head is not None else []

    async def rename(self, conversation: str, user: str, title: str) -> None:
        """Give the conversation a title of at most 60 characters."""
        if await self._mine(conversation, user) is None:
            raise NotFound
        await self._store.rename(conversation, _title(title))
        self._changed(user, conversation)

    async def remove(self, conversation: str, user: str) -> None:
        """Cancel what runs in it, and forget the conversation's text."""
        async with self._lock(conversation):
            if await self._mine(conversation, user) is None:
                raise NotFound
            for live in self._in(conversation):
                await self._answering.cancel(live, "deleted")
            await self._store.remove(conversation)
        self._changed(user, conversation)

    async def export(self, user: str) -> dict[str, Any]:
        """Everything that is kept of this person, ready for JSON."""
        return await self._store.export(user)

    async def forget(self, user: str) -> int:
        """Forget all text of this person; a running answer is cancelled first. Returns how many turns were blanked."""
        for _ in range(2):  # a question accepted between the two is blanked by the first and cancelled by the second
            mine = [live for live in self._answering.live.values() if live.turn.user == user]
            keys = {conversation.key for conversation in await self._store.conversations(user)}
            for live in mine:
                await self._answering.cancel(live, "deleted")
            blanked = await self._store.forget(user)
            if not any(live.turn.user == user for live in self._answering.live.values()):
                break
        self._answering.forget()
        for key in keys | {live.turn.conversation for live in mine}:
            self._changed(user, key)
        return blanked

    async def status(self, user: str, conversation: str | None = None) -> Status:
        """How things stand for this person."""
        at = self._clock()
        messages, tokens = self._limits.left(await self._store.spends(user, at), at)
        free = self.people.exempt(user)
        return Status(
            ready=self._engine.slots > 0,
            paused=self._paused,
            slots=self._engine.slots,
            waiting=self._gate.waiting,
            running=self._gate.running,
            messages_left=None if free else messages,
            tokens_left=None if free else tokens,
            persona=await self.persona(conversation, user) if conversation else self._options.persona,
            owner=self.people.owns(user),
        )

    async def changes(self, user: str) -> AsyncIterator[str]:
        """Keys of this person's conversations, each time one's path, title or persona has changed.

        What piles up between two looks is merged. Never ends by itself: close the generator.
        """
        watcher = _Watcher()
        self._watchers.setdefault(user, set()).add(watcher)
        try:
            while True:
                await watcher.moved.wait()
                watcher.moved.clear()
                keys, watcher.keys = watcher.keys, {}
                for key in keys:
                    yield key
        finally:
            self._watchers[user].discard(watcher)
            if not self._watchers[user]:
                del self._watchers[user]

    # The owner.

    async def stats(self) -> dict[str, Any]:
        """Figures of the store and the gate; no names, no text."""
        kept = await self._store.stats()
        return {**kept, "waiting": self._gate.waiting, "running": self._gate.running, "slots": self._engine.slots}

    async def allow(self, who: str, role: Literal["allowed", "owner"] = "allowed") -> None:
        """Admit a person or a place, kept over restarts."""
        await self.people.grant(self._store, who, role)

    async def deny(self, who: str) -> None:
        """Shut a person or a place out, kept over restarts."""
        await self.people.grant(self._store, who, "denied")

    async def claim(self, code: str, user: str) -> bool:
        """Become the owner by the one-time code that the start printed."""
        return await self.people.claim(self._store, code, user)

    def pause(self) -> None:
        """Admit nothing new to the GPU; questions are still accepted and wait."""
        self._paused = True
        self._gate.pause()

    def unpause(self) -> None:
        """Go on admitting."""
        self._paused = False
        self._gate.unpause()

    async def drain(self, timeout: float) -> None:
        """Accept nothing more, let answers run for up to ``timeout`` seconds, then close them unanswered.

        Returns when every end is committed. What is left unanswered is taken up by the next start.
        """
        self._draining = True
        if self._tasks:  # an accept whose commit has begun still gets its task
            await asyncio.wait(set(self._tasks), timeout=max(timeout, 1.0))
        await self._answering.drain(timeout)

    # Accepting.

    async def _again(
        self,
        kind: Kind,
        target: Target,
        user: str,
        event: str,
        text: str | None,
        *,
        place: str | None,
        at: float | None,
        branch: bool,
        places: Sequence[str],
        take: bool = False,
    ) -> Reply:
        """A turn made from another: the rule of accepting for regenerate, proceed and edit."""

        async def accept() -> Reply:
            first = await self._turn(target, user)
            async with self._lock(first.conversation):
                if known := await self._known(event, user):
                    return known
                old = await self._turn(first.id, user)
                if old.deleted:
                    raise NotFound
                live = self._answering.live.get(old.id)
                if kind == "edit" and text == old.prompt:
                    return live or self._reply_of(old)
                if kind != "edit" and live is not None:
                    raise StillAnswering
                if kind == "proceed" and (not old.reply or old.finish_reason not in ("length", "abort")):
                    raise NothingToContinue
                self._may(user, places, at)
                if kind == "edit":
                    self._limits.check_length(text or "")
                new = NewTurn(
                    conversation=old.conversation,
                    user=user,
                    event=event,
                    kind=kind,
                    prompt=old.prompt if text is None else text,
                    persona=old.persona,
                    default_persona=self._options.persona,
                    language=old.language,
                    seed=self._seed(),
                    max_tokens=self._max_tokens(old.persona),
                    asked=self._asked(at),
                    place=old.place if place is None else place,
                    parent=old.id if kind == "proceed" else old.parent,
                    source=old.id,
                    refs=old.refs if take else (),
                    move_head=branch or await self._is_newest(old),
                    scope=old.scope,
                )
                return await self._accept(new, instead_of=live if kind == "edit" else None)

        return await self._whole(accept())

    async def _accept(self, new: NewTurn, instead_of: Reply | None = None) -> Reply:
        """Join the line, then one durable commit, then the task. What fails after joining leaves the ticket.

        An edited question stands in for the one it replaces, which waits or runs until the commit: it needs no place
        of its own before that, and cannot find the line full.
        """
        user, conversation = new.user, new.conversation
        check = None if self.people.exempt(user) else self._check(new)
        ticket = None
        if instead_of is None:
            extra = self._options.backlog if self._clock() - new.asked > OUTAGE_SECONDS else 0
            ticket = self._gate.join(user, conversation, new.max_tokens, extra=extra)
        try:
            turn, fresh = await self._store.accept(new, check)
        except BaseException:
            if ticket is not None:
                ticket.leave()
            raise
        if not fresh:
            if ticket is not None:
                ticket.leave()
            return self._reply_of(turn)
        self._observe("accepted", 1, new.kind)
        if ticket is None:
            waiting = self._answering.waiting(instead_of) if instead_of is not None else None
            ticket = self._gate.join(user, conversation, new.max_tokens, past_bounds=True, instead_of=waiting)
        reply = self._answering.start(turn, ticket)
        self._changed(user, conversation)
        if instead_of is not None:
            instead_of.successor = reply
            await self._answering.cancel(instead_of, "edited")
        return reply

    async def _is_newest(self, turn: Turn) -> bool:
        """Is this the conversation's newest turn, but for continuations of its answer?"""
        kept = await self._store.conversation(turn.conversation)
        head = kept.head if kept is not None else None
        while head is not None and head != turn.id:
            above = await self._turn(head)
            if above.prompt and not above.deleted:
                return False
            head = above.parent
        return head is not None

    def _check(self, new: NewTurn) -> Callable[[Sequence[Spend]], None]:
        return lambda spends: self._limits.check(spends, new.asked, new.max_tokens)

    def _may(self, user: str, places: Sequence[str], at: float | None) -> None:
        """Raises the refusals that need no look into the store."""
        if self._draining:
            raise ShuttingDown
        self.people.check(user, places)
        if at is not None and self._too_old(at):
            raise Expired

    def _too_old(self, asked: float) -> bool:
        return bool(self._options.max_age) and self._clock() - asked > self._options.max_age

    def _asked(self, at: float | None) -> float:
        """The event's own time, never in the future."""
        now = self._clock()
        return now if at is None else min(at, now)

    def _seed(self) -> int:
        return self._random.randrange(2**31)

    async def _known(self, event: str, user: str) -> Reply | None:
        turn = await self._store.find(event)
        if turn is None:
            return None
        if turn.user != user and not turn.deleted:
            raise NotYours
        return self._reply_of(turn)

    def _reply_of(self, turn: Turn) -> Reply:
        return self._answering.live.get(turn.id) or Reply(turn, self._store, self._answering.cancel)

    async def _turn(self, target: Target, user: str | None = None) -> Turn:
        """The turn, which must be this person's or, for an owner, anybody's. Raises NotFound, NotYours."""
        turn = await (self._store.turn(target) if isinstance(target, int) else self._store.find(target))
        if turn is None:
            raise NotFound
        if user is not None and turn.user != user:
            raise NotYours
        return turn

    async def _mine(self, conversation: str, user: str) -> Conversation | None:
        kept = await self._store.conversation(conversation)
        if kept is not None and kept.owner != user:
            raise NotYours
        return kept

    def _in(self, conversation: str) -> list[Reply]:
        """What waits or runs in a conversation, the newest first: so that none is admitted between two cancels."""
        return [live for live in reversed(self._answering.live.values()) if live.turn.conversation == conversation]

    def _sampling_of(self, turn: Turn) -> Sampling:
        return replace(self._sampling_for(turn.persona), seed=turn.seed)

    def _sampling_for(self, persona: str) -> Sampling:
        known = self.personas.get(persona) or self.personas.get(self._options.persona)
        return replace(self._sampling, **known.sampling) if known is not None else self._sampling  # type: ignore[arg-type]  # the names are checked where personas are read

    def _max_tokens(self, persona: str) -> int:
        return self._sampling_for(persona).max_tokens

    def _system_of(self, turn: Turn) -> str:
        known = self.personas.get(turn.persona) or self.personas.get(self._options.persona)
        return known.system(turn.language) if known is not None else ""

    def _changed(self, user: str, conversation: str) -> None:
        for watcher in self._watchers.get(user, ()):
            watcher.keys[conversation] = None
            watcher.moved.set()

    @asynccontextmanager
    async def _lock(self, conversation: str) -> AsyncIterator[None]:
        """The conversation's lock: first come, first served; dropped when nobody holds or wants it."""
        lock = self._locks.get(conversation)
        if lock is None:
            lock = self._locks[conversation] = asyncio.Lock()
        async with lock:
            yield

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to the end even if the caller goes away: a commit once begun still gets its task."""

        async def counted() -> T:
            try:
                return await work
            except Refused as refusal:
                self._observe("refused", 1, refusal.cause)
                raise

        task = asyncio.create_task(counted())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_hear)
            raise


class _Watcher:
    """One viewer of a person's changes: the keys since its last look."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.moved = asyncio.Event()


def _hear(task: asyncio.Task[Any]) -> None:
    """The caller has gone; a refusal has nobody to go to, anything else is worth a line."""
    with suppress(asyncio.CancelledError, Refused):
        try:
            task.result()
        except Refused:
            raise
        except Exception:
            log.exception("an accept whose caller had gone failed")


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1].rstrip() + "…"
