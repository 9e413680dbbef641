"""Text files that come with a question: which are read, and fetching them after the question is committed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from functools import partial

import discord
import httpx

from bots.talk.files import Unreadable, check_size, fetch, may_be_text, text_from
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.messages import Attachment

log = logging.getLogger(__name__)
FETCH_SECONDS = 15.0


def readable(files: Iterable[discord.Attachment]) -> tuple[tuple[Attachment, ...], str | None]:
    """Those that can be part of a question, and why not the others: the key of a sentence."""
    taken, cause = [], None
    for file in files:
        try:
            if not may_be_text(file.content_type):
                raise Unreadable("kind_unknown")
            check_size(file.size)
        except Unreadable as unreadable:
            cause = unreadable.cause
        else:
            taken.append(Attachment(file.filename, file.url))
    return tuple(taken), cause


class Files:
    """Fetches what questions wait for, once each."""

    def __init__(self, chat: Chat, hosts: Collection[str]) -> None:
        self._chat, self._hosts = chat, hosts
        self._fetching: set[int] = set()

    async def fetch(self, reply: Reply) -> None:
        """The texts of a question's files; where one cannot be had, the question ends with the reason."""
        turn = reply.turn
        if not turn.incomplete or turn.id in self._fetching:
            return
        self._fetching.add(turn.id)
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS, trust_env=False) as client:
                wanted = [file.source for file in turn.attachments if file.text is None]
                texts = [await text_from(partial(fetch, client, source, self._hosts)) for source in wanted]
            await self._chat.attach(turn.id, texts)
        except Unreadable as unreadable:
            await self._chat.fail(turn.id, unreadable.cause)
        finally:
            self._fetching.discard(turn.id)
