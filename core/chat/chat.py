"""The one object that adapters talk to: questions, their answers, what is kept of them, and what the owner may do.

A question is accepted (``core.chat.accepting``) by one durable commit; from then on a task that nobody cancels
(``core.chat.answering``) brings it to its end. ``Reply`` is what viewers follow meanwhile.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from random import Random
from time import time
from typing import Any, Literal

from core.chat.accepting import Accepting
from core.chat.answering import Answering, Observe, readable
from core.chat.changes import Changes
from core.chat.options import Options, Status, holds
from core.chat.options import title as line
from core.chat.people import People
from core.chat.personas import Voices
from core.chat.reply import Reply
from core.chat.turns import Turns
from core.engine import Engine, Sampling
from core.errors import NotFound, NotYours
from core.events import Finished
from core.gate.gate import Gate
from core.limits import Limits
from core.messages import Conversation, Persona, Question, Revision, Target, Turn
from core.store.store import Store

__all__ = ["Chat", "Options", "Status"]


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
        self._people = people or People()
        self._engine, self._gate, self._store = engine, gate, store
        self._limits, self._options, self._clock = limits, options, clock
        self._voices = Voices(personas, options.persona, sampling)
        self._changes = Changes()
        self._answering = Answering(
            engine,
            gate,
            store,
            voices=self._voices,
            observe=observe,
            changed=self._changes.tell,
            clock=clock,
            quiet=options.quiet,
        )
        self._turns = Turns(store, self._answering)
        self._accepting = Accepting(
            gate,
            store,
            self._answering,
            self._turns,
            voices=self._voices,
            limits=limits,
            people=self._people,
            options=options,
            observe=observe,
            changed=self._changes.tell,
            clock=clock,
            random=random or Random(),
        )
        self._paused = False

    # Questions and answers.

    async def send(self, question: Question) -> Reply:
        """Accept a question; the same event again gives the same Reply. Raises Refused; then nothing is stored.

        Files without a text are waited for: ``attach`` or ``fail`` must follow, also after a restart. What is more of a
        question that the person has begun gives that one's Reply; a question that is only more raises NotFound where
        none is left open.
        """
        return await self._accepting.ask(question)

    async def attach(self, turn: int, texts: Sequence[str]) -> None:
        """The files that a question waits for have been fetched: their texts, in the order of those without one."""
        if live := self._answering.live.get(turn):
            await self._answering.attach(live, texts)

    async def fail(self, turn: int, cause: str) -> None:
        """A question cannot be answered, for a reason that its platform knows; ``cause`` is a key of wording."""
        if live := self._answering.live.get(turn):
            await self._answering.cancel(live, cause, "error")

    async def regenerate(self, revision: Revision) -> Reply:
        """Another answer to the same question, as a sibling.

        Whoever asked may want it, an owner, and, of what can be read in a chat, who moderates that chat. It stays the
        asker's turn; admitted must be who wants it, and theirs are the limits and the place in line. The conversation
        goes on from it if the old one was its newest, or with ``branch``. A second press finds the sibling that the
        first one made, unless that has ended and the old answer is still shown in messages of its own. Raises
        StillAnswering while the turn waits or runs.
        """
        return await self._accepting.again("regenerate", revision)

    async def proceed(self, revision: Revision) -> Reply:
        """Continue an answer that was cut by its length or stopped: a child turn without a question; always the same
        one, however often it is asked for. The conversation goes on from it, where somebody else wants it only if that
        answer was its newest. Who may, and who pays: see ``regenerate``."""
        return await self._accepting.again("proceed", replace(revision, branch=True))

    async def edit(self, revision: Revision) -> Reply:
        """Ask a question anew in other words: a sibling that takes over its messages and, if it waits, its place.

        Of a question that came in several messages, an event of one of them changes that one; quoted words and files
        stay. The answer that runs is cancelled. An older question is answered in place and the conversation's newest
        turn stays, unless ``branch``. The same text again is no edit: it gives the Reply that is there.
        """
        return await self._accepting.again("edit", replace(revision, place=None, take_over=True))

    async def delete(self, target: Target, user: str) -> Turn:
        """Cancel, blank and skip a question from now on, with all its answers, continuations and earlier words.

        The ``refs`` of what it returns name the messages that should go, too.
        """
        turn = await self._turns.turn(target, user)
        async with self._accepting.lock(turn.conversation):
            family = await self._turns.family(await self._turns.turn(turn.id, user))
            for one in reversed(family):
                if live := self._answering.live.get(one.id):
                    await self._answering.cancel(live, "deleted")
            gone = [await self._store.delete(one.id) for one in reversed(family)]
            self._answering.blank(lambda turn: turn.id in {one.id for one in family})
        self._changes.tell(user, turn.conversation)
        refs = tuple(dict.fromkeys(ref for one in reversed(gone) for ref in one.refs if ref))
        return replace(turn, prompt="", reply="", ids=None, deleted=True, refs=refs)

    async def undo(self, conversation: str, user: str, event: str | None = None) -> Turn | None:
        """Take back the newest question with all that lengthens its answer: cancelled if it runs, and the conversation
        goes on from its parent.

        Returns the turn taken back, or None when there was none: what the conversation goes on from may be somebody
        else's answer. The same ``event`` again takes back no other.
        """
        async with self._accepting.lock(conversation):
            if event is not None and (known := await self._store.find(event)) is not None:
                return known
            kept = await self._turns.conversation(conversation, user)
            if kept is None or kept.head is None:
                return None
            taken = [turn := await self._turns.turn(kept.head)]
            while (turn.deleted or not turn.asks) and turn.parent is not None:
                taken.append(turn := await self._turns.turn(turn.parent))
            if turn.deleted or turn.conversation != conversation:
                return None
            for one in taken:
                if one.conversation == conversation and (live := self._answering.live.get(one.id)):
                    await self._answering.cancel(live, "stopped")
            await self._store.take_back(conversation, turn.id, turn.parent, event)
        self._changes.tell(user, conversation)
        return turn

    async def cancel(
        self, target: Target, user: str, *, places: Sequence[str] = (), moderates: str = ""
    ) -> Turn | None:
        """Stop a turn, or, given a conversation's key, all that waits or runs in it.

        Everybody may stop what is their own. What is another's, an owner or who ``moderates`` its chat (see
        ``regenerate``) may, if they are admitted, by themselves or by one of their ``places``. Returns a turn that was
        stopped, or None when there was nothing to stop.
        """
        chosen = [live for live in self._answering.live.values() if live.turn.conversation == target]
        if not chosen:
            try:
                found = await self._turns.turn(target)
            except NotFound:
                return None
            live = self._answering.live.get(found.id)
            chosen = [live] if live is not None else []
        others = [live.turn for live in chosen if live.turn.user != user]
        if not all(self._accepting.may_act(turn, user, moderates) for turn in others):
            raise NotYours
        if others:
            self._people.check(user, places)
        for live in reversed(chosen):
            await self._answering.cancel(live, "stopped")
        return chosen[0].turn if chosen else None

    async def new(self, conversation: str, user: str) -> None:
        """Begin afresh: what waits or runs is cancelled, and the next question has no past."""
        async with self._accepting.lock(conversation):
            if await self._turns.conversation(conversation, user) is None:
                return
            for live in self._in(conversation):
                await self._answering.cancel(live, "new")
            await self._store.set_head(conversation, None)
        self._changes.tell(user, conversation)

    async def resume(self, prefixes: Iterable[str]) -> int:
        """Take up what an earlier run left unanswered, in the order of acceptance, past bounds and limits.

        Call it once, before any front is up. What was hit ``Options.attempts`` times gets an apology, what is too old
        a word. Returns how many are taken up.
        """
        taken = 0
        pending, payers = await self._store.pending(tuple(prefixes)), await self._store.payers()
        edited = {turn.source for turn in pending if turn.kind == "edit"}
        for turn in pending:
            end = None
            if turn.id in edited:  # the crash came before its end was committed
                end = Finished("abort", "edited")
            elif turn.attempts >= self._options.attempts:
                end = Finished("error", "gave_up")
            elif self._accepting.too_old(turn.asked):
                end = Finished("error", "expired")
            if end is not None:
                await self._answering.give_up(turn, end)
                continue
            tokens = self._voices.max_tokens(turn.persona)
            payer = payers.get(turn.id) or turn.user
            ticket = self._gate.join(payer, turn.conversation, tokens, past_bounds=True, held=holds(turn))
            self._answering.start(turn, ticket)
            taken += 1
        return taken

    async def unfinished(self, prefix: str) -> list[Reply]:
        """The Replies that an adapter must still show, in order: unanswered, or not shown to the end."""
        replies = {r.turn.id: r for r in self._answering.live.values() if r.turn.conversation.startswith(prefix)}
        for turn in await self._store.unshown(prefix):
            replies.setdefault(turn.id, await self._turns.reply(turn))
        return [replies[turn] for turn in sorted(replies)]

    async def turn(self, target: Target) -> Turn:
        """A turn, whoever asked it. Raises NotFound."""
        return await self._turns.turn(target)

    def live(self, turn: int) -> Reply | None:
        """The Reply of a turn that waits or runs."""
        return self._answering.live.get(turn)

    async def reply(self, target: Target, user: str) -> Reply:
        """The Reply of any turn of this person, running or drawn from the store."""
        return await self._turns.reply(await self._turns.turn(target, user))

    # What is kept.

    async def move(self, old: str, new: str) -> None:
        """A platform has renamed a place: conversations whose keys begin with ``old`` now begin with ``new``."""
        await self._store.move(old, new)
        self._gate.move(old, new)
        for live in self._answering.live.values():
            if live.turn.conversation.startswith(old):
                live.turn = replace(live.turn, conversation=new + live.turn.conversation.removeprefix(old))

    async def move_place(self, old: str, new: str) -> None:
        """A platform has renamed a place: what ``old`` may, ``new`` may."""
        await self._people.move(self._store, old, new)

    async def persona(self, conversation: str, user: str, name: str | None = None) -> str:
        """The conversation's persona; ``name`` sets it for the questions to come. Raises NotFound."""
        if name is not None and name not in self.personas:
            raise NotFound
        async with self._accepting.lock(conversation):
            kept = await self._turns.conversation(conversation, user)
            if name is not None:
                if kept is None:
                    await self._store.create(conversation, user, "")
                await self._store.set_persona(conversation, name)
        if name is not None:
            self._changes.tell(user, conversation)
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
        kept = await self._turns.conversation(conversation, user)
        if kept is None:
            raise NotFound
        path = await self._store.path(kept.head) if kept.head is not None else []
        return list(readable(path, conversation, path[-1].scope if path else ""))

    async def rename(self, conversation: str, user: str, title: str) -> None:
        """Give the conversation a title of at most 60 characters."""
        if await self._turns.conversation(conversation, user) is None:
            raise NotFound
        await self._store.rename(conversation, line(title))
        self._changes.tell(user, conversation)

    async def remove(self, conversation: str, user: str) -> None:
        """Cancel what runs in it, and forget the conversation's text."""
        async with self._accepting.lock(conversation):
            if await self._turns.conversation(conversation, user) is None:
                raise NotFound
            for live in self._in(conversation):
                await self._answering.cancel(live, "deleted")
            await self._store.remove(conversation)
            self._answering.blank(lambda turn: turn.conversation == conversation)
        self._changes.tell(user, conversation)

    async def export(self, user: str) -> dict[str, Any]:
        """Everything that is kept of this person, ready for JSON."""
        return await self._store.export(user)

    async def forget(self, user: str) -> int:
        """Forget all text of this person; a running answer is cancelled first. Returns how many turns were blanked."""
        blanked, keys = 0, set[str]()
        for _ in range(2):  # a question accepted between the two is blanked by the first and cancelled by the second
            mine = [live for live in self._answering.live.values() if live.turn.user == user]
            keys |= {conversation.key for conversation in await self._store.conversations(user)}
            keys |= {live.turn.conversation for live in mine}
            for live in mine:
                await self._answering.cancel(live, "deleted")
            blanked += await self._store.forget(user)
            self._answering.blank(lambda turn: turn.user == user)
            if not any(live.turn.user == user for live in self._answering.live.values()):
                break
        self._answering.forget()
        await self._people.forget(self._store, user)
        for key in keys:
            self._changes.tell(user, key)
        return blanked

    async def status(self, user: str, conversation: str | None = None, places: Sequence[str] = ()) -> Status:
        """How things stand for this person, who may have the limits of one of their ``places``."""
        at = self._clock()
        messages, tokens = self._limits.of((user, *places)).left(await self._store.spends(user, at), at)
        free = self._people.exempt(user)
        return Status(
            ready=self._engine.slots > 0,
            paused=self._paused,
            slots=self._engine.slots,
            waiting=self._gate.waiting,
            running=self._gate.running,
            messages_left=None if free else messages,
            tokens_left=None if free else tokens,
            persona=await self.persona(conversation, user) if conversation else self._options.persona,
            owner=self._people.owns(user),
            weak=sorted(self._engine.weak_languages),
        )

    def changes(self, user: str) -> AsyncGenerator[str, None]:
        """Keys of this person's conversations, each time one's path, title or persona has changed.

        What piles up between two looks is merged. Never ends by itself: close the generator.
        """
        return self._changes.of(user)

    # The owner.

    @property
    def unclaimed(self) -> bool:
        """Is there no owner yet? Then a code makes one."""
        return self._people.claim_code() is not None

    def owns(self, user: str) -> bool:
        """Is this one of the owners?"""
        return self._people.owns(user)

    def claim_code(self) -> str | None:
        """The one-time code by which somebody becomes the owner; None where there is one."""
        return self._people.claim_code()

    def host(self, user: str) -> None:
        """A platform says that this person runs the bot there: an owner for as long as Conch runs."""
        self._people.host(user)

    def check_admitted(self, user: str, places: Sequence[str] = ()) -> None:
        """Raises NotAllowed unless the person is admitted, by themselves or by one of the places they speak in."""
        self._people.check(user, places)

    def shut_out(self, *names: str) -> bool:
        """Is one of these people and places blocked, not merely unknown?"""
        return self._people.shut_out(*names)

    async def stats(self) -> dict[str, Any]:
        """Figures of the store and the gate; no names, no text."""
        kept = await self._store.stats()
        return {**kept, "waiting": self._gate.waiting, "running": self._gate.running, "slots": self._engine.slots}

    async def ask_admission(self, who: str) -> str:
        """The code by which an owner admits a stranger or a place; the same whenever it is asked for."""
        return await self._people.ask(self._store, who)

    async def allow(self, who: str, role: Literal["allowed", "owner"] = "allowed") -> str:
        """Admit a person or a place, by name or by the code that they were given; kept over restarts.

        Returns the name. Raises NotFound for what is neither.
        """
        name = self._named(who)
        await self._people.grant(self._store, name, role)
        return name

    async def deny(self, who: str) -> str:
        """Shut a person or a place out, by name or by code, kept over restarts. Returns the name. Raises NotFound."""
        name = self._named(who)
        await self._people.grant(self._store, name, "denied")
        return name

    def _named(self, who: str) -> str:
        name = who if ":" in who else self._people.asking(who)
        if name is None:
            raise NotFound
        return name

    async def claim(self, code: str, user: str) -> bool:
        """Become the owner by the one-time code that the start printed."""
        return await self._people.claim(self._store, code, user)

    def pause(self) -> None:
        """Admit nothing new to the GPU; questions are still accepted and wait."""
        self._paused = True
        self._gate.pause()

    def refuse(self) -> None:
        """Accept nothing new, until ``unpause``; what was accepted is answered."""
        self._accepting.refusing = True

    def unpause(self) -> None:
        """Go on admitting and accepting."""
        self._paused = self._accepting.refusing = False
        self._gate.unpause()

    async def drain(self, timeout: float) -> None:
        """Accept nothing more, let answers run for up to ``timeout`` seconds, then close them unanswered.

        Returns when every end is committed. What is left unanswered is taken up by the next start.
        """
        await self._accepting.close(max(timeout, 1.0))
        await self._answering.drain(timeout)

    def _in(self, conversation: str) -> list[Reply]:
        """What waits or runs in a conversation, the newest first: so that none is admitted between two cancels."""
        return [live for live in reversed(self._answering.live.values()) if live.turn.conversation == conversation]
