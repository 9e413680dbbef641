"""Looks turns up: by number, by event, by the message that shows them; and the Reply of each."""

from __future__ import annotations

from core.chat.answering import Answering
from core.chat.reply import Reply
from core.errors import NotFound, NotYours
from core.messages import Conversation, Target, Turn
from core.store.store import Store


class Turns:
    """The turns that are kept, and those that wait or run."""

    def __init__(self, store: Store, answering: Answering) -> None:
        self._store, self._answering = store, answering

    async def turn(self, target: Target, user: str | None = None) -> Turn:
        """The turn, which must be ``user``'s if one is named. Raises NotFound, NotYours.

        An event names the question as it reads now, with its newest answer: the last edit of it, the last regenerate.
        A message of an answer names the turn that is shown in it.
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

    async def known(self, event: str, user: str) -> Reply | None:
        """The Reply of an event, if it was taken before. Raises NotYours."""
        turn = await self._store.find(event)
        return None if turn is None else await self.taken(turn, user)

    async def taken(self, turn: Turn, user: str) -> Reply:
        """The Reply of an event that was taken before. Raises NotYours."""
        if turn.user != user and not turn.deleted:
            raise NotYours
        return await self.reply(turn)

    async def is_newest(self, turn: Turn) -> bool:
        """Is this the conversation's newest turn, but for continuations of its answer?"""
        kept = await self._store.conversation(turn.conversation)
        head = kept.head if kept is not None else None
        while head is not None and head != turn.id:
            above = await self.turn(head)
            if above.asks and not above.deleted:
                return False
            head = above.parent
        return head is not None

    async def _newest(self, event: str) -> Turn | None:
        turn = await self._store.find(event)
        while turn is not None and event not in turn.refs:
            made = [one for one in await self._store.made_from(turn.id) if not one.deleted]
            edits = [one for one in made if one.kind == "edit"]
            newer = edits or [one for one in made if one.kind == "regenerate"]
            if not newer:
                break
            turn = newer[-1]
        return turn
