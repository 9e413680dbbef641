"""From an accepted turn to its committed end: one task a turn, which nobody cancels.

The task runs ticket and engine in an inner task, which may be cancelled; then it commits the end, and only then tells
the viewers. A shutdown closes the inner task and leaves the turn unanswered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import time
from weakref import WeakValueDictionary

from core.chat.fitting import longest, portions
from core.chat.personas import Voices
from core.chat.reply import Reply
from core.engine import Engine, Sampling, longest_answer
from core.errors import ConchError
from core.events import Delta, Finished, FinishReason, Queued, Started
from core.gate.gate import Gate, Ticket
from core.gate.holding import QUIET_SECONDS, Holding
from core.messages import End, Message, Turn, Window, groups, window
from core.store.store import Store

log = logging.getLogger(__name__)
Observe = Callable[[str, float, str], None]
"""Called with a figure's name, its value and its label, for the metrics."""

RETRY_SECONDS = 1.0
"""How long to wait before the end of an answer is committed again, when the store could not take it."""
LENGTHS_KEPT = 20_000
FILES_SHARE = 0.75
"""Of the room for a question and what was said before: a file that took all of it could not be talked about."""


@dataclass(slots=True)
class _Run:
    """What is known of a turn while it waits or runs."""

    reply: Reply
    ticket: Ticket
    holding: Holding
    answer: asyncio.Task[Finished]
    settled: asyncio.Task[None]
    end: Finished | None = None
    prompt: int = 0
    computed: int = 0
    left_out: int = 0
    read: tuple[int, ...] = ()
    fits: int = 0
    attempted: bool = False

    def ended(self, end: Finished) -> End:
        """The end of its turn, with what it took."""
        ids = self.reply.ids
        return End(
            end.reason,
            end.cause,
            reply=self.reply.text,
            ids=ids,
            prompt_tokens=self.prompt,
            computed_tokens=self.computed,
            reply_tokens=len(ids or ()),
            cost=self.computed + len(ids or ()),
            left_out=self.left_out,
            read=self.read,
            fits=self.fits,
            shown=not self.reply.turn.place,
        )


class Answering:
    """The turns that wait or run, each with its task."""

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        store: Store,
        *,
        voices: Voices,
        observe: Observe,
        changed: Callable[[str, str], None],
        clock: Callable[[], float] = time,
        quiet: float = QUIET_SECONDS,
    ) -> None:
        """``quiet``: seconds after which a question of several messages counts as whole."""
        self.live: dict[int, Reply] = {}
        self.replies: WeakValueDictionary[int, Reply] = WeakValueDictionary()
        """Every Reply that somebody still follows, also past its end: while it is being shown, say."""
        self._engine, self._gate, self._store = engine, gate, store
        self._voices, self._observe, self._changed, self._clock = voices, observe, changed, clock
        self._quiet = quiet
        self._runs: dict[int, _Run] = {}
        self._lengths: dict[int, int] = {}
        self._closing = asyncio.Event()

    def start(self, turn: Turn, ticket: Ticket) -> Reply:
        """Give an accepted turn its task. Synchronous: nothing can come between the commit and this.

        The ticket must be held where the question is not whole yet: more of it, or its files, may come.
        """
        reply = self.live[turn.id] = self.replies[turn.id] = Reply(turn, self._store, self.cancel)
        answer = asyncio.create_task(self._answer(turn.id), name=f"answer {turn.id}")
        settled = asyncio.create_task(self._settle(turn.id), name=f"turn {turn.id}")
        holding = Holding(ticket, files=turn.incomplete)
        if turn.more_until is not None:
            holding.wait(self._quiet)
        self._runs[turn.id] = _Run(reply, ticket, holding, answer, settled)
        if self._closing.is_set():
            answer.cancel()
        return reply

    async def cancel(self, reply: Reply, cause: str, reason: FinishReason = "abort") -> None:
        """End a turn by a person's will; returns when the end is committed. Nothing happens if it has ended."""
        run = self._runs.get(reply.turn.id)
        if run is None:
            return
        if not run.answer.done() and not run.answer.cancelling():
            run.end = Finished(reason, cause)
            run.answer.cancel()
        await asyncio.shield(run.settled)

    async def append(self, reply: Reply, event: str, text: str, more_until: float | None) -> bool:
        """One more message of a question that waits; False, and nothing has changed, where its turn has come."""
        run = self._runs.get(reply.turn.id)
        if run is None or not run.holding.pin():
            return False
        try:
            turn = await self._store.append(reply.turn.id, event, text, more_until)
            reply.turn = replace(reply.turn, prompt=turn.prompt, parts=turn.parts, more_until=turn.more_until)
        finally:
            run.holding.wait(self._quiet)
        return True

    async def attach(self, reply: Reply, texts: Sequence[str]) -> None:
        """The texts of the files that a question waited for. Nothing happens if it waits no more."""
        run = self._runs.get(reply.turn.id)
        if run is not None and reply.turn.incomplete:
            turn = await self._store.attach(reply.turn.id, texts)
            reply.turn = replace(reply.turn, attachments=turn.attachments)
            run.holding.files_came()

    def waiting(self, reply: Reply) -> Ticket | None:
        """The ticket of a turn that has not been admitted yet."""
        run = self._runs.get(reply.turn.id)
        return run.ticket if run is not None and not run.ticket.admitted and not run.answer.done() else None

    async def give_up(self, turn: Turn, end: Finished) -> Turn:
        """End a turn without running it."""
        self._observe("finished", 1, end.reason)
        return await self._commit(turn, End(end.reason, end.cause, shown=not turn.place))

    async def drain(self, timeout: float) -> None:
        """Let turns run on for up to ``timeout`` seconds, then close what is left, unanswered."""
        running = {run.settled for run in self._runs.values() if run.ticket.admitted}
        if running and timeout > 0:
            await asyncio.wait(running, timeout=timeout)
        self._closing.set()
        left = list(self._runs.values())
        for run in reversed(left):
            run.answer.cancel()
        if left:
            await asyncio.wait({run.settled for run in left})

    def blank(self, which: Callable[[Turn], bool]) -> None:
        """Answers that have ended and are no more: who still shows one of them takes it away."""
        for reply in list(self.replies.values()):
            if reply.finished is not None and which(reply.turn):
                reply.end(replace(reply.turn, prompt="", reply="", ids=None, deleted=True))

    def forget(self) -> None:
        """Drop what was remembered of texts."""
        self._lengths.clear()

    async def _answer(self, turn_id: int) -> Finished:
        """Wait in line, build the window, generate. The part that may be cancelled at any point."""
        run = self._runs[turn_id]
        reply, ticket, accepted = run.reply, run.ticket, self._clock()
        async for queued in ticket:
            reply.emit(queued)
        if reply.queued is not None:
            reply.emit(Queued(0, 0.0, "thinking"))
        await self._earlier_settled(reply.turn)
        self._observe("wait", self._clock() - accepted, "")
        seen, run.read = await self._window(reply.turn)
        run.left_out = seen.left_out
        if not await self._count_attempt(run):
            return Finished("abort", "deleted")
        began, tokens = self._clock(), 0
        async with aclosing(self._engine.generate(seen.messages, self._sampling(reply.turn))) as stream:
            async for event in stream:
                match event:
                    case Started(prompt, computed):
                        run.prompt, run.computed = prompt, computed
                        ticket.started(computed)
                    case Delta():
                        if not tokens:
                            self._observe("first_token", self._clock() - accepted, "")
                        tokens += len(event.ids)
                        reply.emit(event)
                    case Finished("error", "too_long"):
                        run.fits = await self._longest(reply.turn)
                        return event
                    case Finished():
                        self._observe("tokens", tokens, "")
                        if (took := self._clock() - began) > 0 and tokens:
                            self._observe("rate", tokens / took, "")
                        return event
        raise RuntimeError("the engine ended a stream without Finished")

    async def _settle(self, turn_id: int) -> None:
        """The turn's task: whatever becomes of the answer, its end is committed once, then told."""
        run = self._runs[turn_id]
        await asyncio.wait({run.answer})
        run.holding.close()
        reply = run.reply
        end = self._end(run)
        if self._engine.slots != self._gate.slots:  # before leaving, so that a broken engine gets nobody's turn
            self._gate.resize(self._engine.slots)
        if run.computed or reply.ids:
            run.ticket.leave(run.computed + len(reply.ids))
        else:
            run.ticket.leave()
        if end is not None:
            turn = await self._commit(reply.turn, run.ended(end))
            if turn.finish_reason is not None:
                self._observe("finished", 1, turn.finish_reason)
                reply.end(turn)
        elif run.attempted:
            await self._undo_attempt(turn_id)
        if reply.finished is None:
            reply.close()
        del self.live[turn_id], self._runs[turn_id]
        self._changed(reply.turn.user, reply.turn.conversation)

    def _end(self, run: _Run) -> Finished | None:
        """How the answer ended; None where a shutdown closed it, not a person."""
        if run.answer.cancelled():
            return run.end
        failure = run.answer.exception()
        if failure is None:
            end = run.answer.result()
            unwanted = end.reason == "abort" and run.end is None and self._closing.is_set()
            return None if unwanted else end  # an engine that is being closed
        log.error("turn %d failed: %s", run.reply.turn.id, type(failure).__name__, exc_info=failure)
        return Finished("error", "engine_failed")

    async def _commit(self, turn: Turn, end: End) -> Turn:
        """Commit the end, again and again while the store cannot take it: the disk may heal, the answer stays.

        At a shutdown it gives up with the turn unanswered: the next start makes the answer again.
        """
        while True:
            try:
                return await self._store.finish(turn.id, replace(end, at=self._clock()))
            except (ConchError, OSError) as failure:
                log.error("the end of turn %d is not stored yet: %s", turn.id, failure)
            if self._closing.is_set():
                return turn
            closing = asyncio.ensure_future(self._closing.wait())
            await asyncio.wait({closing}, timeout=RETRY_SECONDS)
            closing.cancel()

    async def _count_attempt(self, run: _Run) -> bool:
        """Commit that the answer begins, so that one which takes the process down is not tried for ever.

        False where the turn was forgotten meanwhile: it is not to be answered.
        """
        turn = run.reply.turn
        try:
            begun = await self._store.started(turn.id, self._clock())
        except asyncio.CancelledError:
            run.attempted = True  # a commit once asked for is made
            raise
        except (ConchError, OSError) as failure:
            log.error("turn %d is answered without counting the attempt: %s", turn.id, failure)
            return True
        run.attempted = True
        run.reply.turn = replace(run.reply.turn, attempts=begun.attempts, started=begun.started)
        return not begun.deleted

    async def _undo_attempt(self, turn_id: int) -> None:
        """A shutdown is no failure of the turn: it does not count as an attempt."""
        try:
            await self._store.unstarted(turn_id)
        except (ConchError, OSError) as failure:
            log.error("turn %d keeps the attempt that the shutdown ended: %s", turn_id, failure)

    async def _earlier_settled(self, turn: Turn) -> None:
        """Wait the moment until the ends of turns before are committed, where they have left the GPU already.

        Somebody else's answer may still wait or run: it is not waited for, since it may need this very slot.
        """
        earlier = (turn.conversation, turn.parent)
        ending = {
            run.settled
            for run in self._runs.values()
            if run.answer.done() and (run.reply.turn.conversation in earlier or run.reply.turn.id in earlier)
        }
        if ending:
            await asyncio.wait(ending)

    async def _window(self, turn: Turn) -> tuple[Window, tuple[int, ...]]:
        """What the model will see: the path back, as far as it may be seen here and as far as it fits; and how many
        characters of each of the question's files."""
        path = await self._store.path(turn.id)
        path = list(readable(path, path[-1].conversation, path[-1].scope))
        system, head, room = self._room(turn)
        read = await portions(path[-1], head, room * FILES_SHARE, self._engine.count_tokens)
        path[-1] = replace(path[-1], read=read)
        exchanges = groups(path)
        if head:
            room -= await self._length(head)
        lengths = [await self._length(exchange) for exchange in exchanges]
        return window(system, exchanges, lengths, room), read

    async def _longest(self, turn: Turn) -> int:
        """About how many characters of a question that is too long are not."""
        _, head, room = self._room(turn)
        return await longest(turn, head, room, self._engine.count_tokens) if turn.prompt else 0

    def _room(self, turn: Turn) -> tuple[str, list[Message], int]:
        """What the model is told first, and how many tokens there are for that and all that was said."""
        system = self._voices.system(turn)
        head = [Message("system", system)] if system else []
        return system, head, self._engine.context_window - self._sampling(turn).max_tokens

    def _sampling(self, turn: Turn) -> Sampling:
        """How the turn is generated."""
        chosen = self._voices.sampling(turn)
        return replace(chosen, max_tokens=longest_answer(chosen.max_tokens, self._engine.context_window))

    async def _length(self, exchange: Sequence[Message]) -> int:
        """Tokens that an exchange takes, remembered by its hash; the engine's own test is the exact one."""
        key = hash(tuple(exchange))
        if key not in self._lengths:
            if len(self._lengths) >= LENGTHS_KEPT:
                self._lengths.clear()
            self._lengths[key] = await self._engine.count_tokens(exchange)
        return self._lengths[key]


def readable(path: Sequence[Turn], conversation: str, scope: str) -> Sequence[Turn]:
    """The end of the path that may be seen in this conversation, by a turn in the chat ``scope``.

    A person's own conversation is theirs; beyond it, only what was shown in this very chat. Where others read the
    answer, private turns are left out, also the person's own.
    """
    start = len(path)
    while start and (path[start - 1].conversation == conversation or (scope and path[start - 1].scope == scope)):
        start -= 1
    return [turn for turn in path[start:] if turn.scope or not scope]
