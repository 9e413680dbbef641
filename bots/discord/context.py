"""What the handlers of Discord's events work with, and the few words that they say beside answers."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import discord

from bots.discord.channel import Link
from bots.discord.names import name_of
from bots.talk.channel import ChannelError, Gone, RetryAfter
from bots.talk.files import Unreadable, attachment
from bots.talk.notices import Notices
from bots.talk.wording import Say, Wording
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.messages import Attachment

log = logging.getLogger(__name__)
TRIES = 3
"""A notice that cannot be sent so often is given up: it is not an answer."""
FILE_HOSTS = frozenset({"cdn.discordapp.com", "media.discordapp.net"})


@dataclass(frozen=True, slots=True)
class DiscordOptions:
    """``message_content``: the privileged intent is granted, so that threads and the listed ``channels`` can be read.

    ``catch_up_hours``: how far back a start reads what was said meanwhile. ``shards``: connections to Discord, 0 = as
    many as Discord wants. ``language``: for everybody, "" = what Discord says of each person. ``token_seconds``: how
    long an interaction is answered by its token, of the 900 that Discord gives. ``file_hosts``: where its files are.
    """

    token: str
    message_content: bool = False
    channels: frozenset[int] = frozenset()
    catch_up_hours: float = 12.0
    shards: int = 1
    language: str = ""
    retention_days: int = 0
    token_seconds: float = 840.0
    file_hosts: frozenset[str] = FILE_HOSTS


@dataclass(slots=True)
class Desk:
    """``show`` begins to show an answer, once for each turn; ``told`` is who has heard of what lately."""

    chat: Chat
    wording: Wording
    options: DiscordOptions
    link: Link
    show: Callable[[Reply], None] = lambda reply: None
    told: Notices = field(default_factory=Notices)

    def language(self, *locales: object) -> str:
        """What Discord says of a person's language, as one of ours."""
        return self.options.language or self.wording.choose([str(locale) for locale in locales if locale])

    async def say(self, user: str, *locales: object) -> Say:
        """The sentences in the language that a person chose, else in what Discord says."""
        return self.wording.bind(await self.chat.language(user) or self.language(*locales))

    async def tell(self, message: discord.Message, sentence: str) -> None:
        """Answer a message with a sentence of ours, which is no answer of the model's."""
        link, channel = self.link, self.link.channel(message.channel.id)
        to = discord.MessageReference(message_id=message.id, channel_id=message.channel.id, fail_if_not_exists=False)
        pace = link.pace(message.channel.id)
        for _ in range(TRIES):
            async with pace.slot("placeholder"):
                try:
                    await link.calls(
                        channel.send(
                            sentence, reference=to, mention_author=False, suppress_embeds=True, nonce=message.id
                        )
                    )
                    return
                except RetryAfter as wait:
                    (pace.pause_all if wait.everywhere else pace.pause)(wait.seconds)
                except Gone:
                    return
                except ChannelError as failure:
                    log.debug("a notice was not sent: %s", failure)


def words(message: discord.Message, me: discord.ClientUser) -> str:
    """What a message says: without our name, and with the names of others as people see them."""
    names = {str(user.id): f"@{user.display_name}" for user in message.mentions}
    text = re.sub(rf"<@!?{me.id}>[ \t]*", "", message.content).strip()
    return re.sub(r"<@!?(\d+)>", lambda mention: names.get(mention[1], mention[0]), text)


def places(guild: discord.Guild | None, channel: Any, roles: Iterable[discord.Role]) -> tuple[str, ...]:
    """The names by which somebody may be admitted or shut out beside their own: roles, channel, thread's parent,
    category, server."""
    if guild is None:
        return ()
    above = (getattr(channel, "parent_id", None), getattr(channel, "category_id", None))
    numbers = [role.id for role in roles if role.id != guild.id]
    return tuple(name_of(number) for number in (*numbers, channel.id, *above, guild.id) if number)


def scope(guild: discord.Guild | None, channel: Any) -> str:
    """The chat in which everybody can read what is said in a channel: that of a public thread is its parent."""
    if guild is None:
        return ""
    if isinstance(channel, discord.Thread) and not channel.is_private():
        return name_of(channel.parent_id)
    return name_of(channel.id)


def readable(files: Iterable[discord.Attachment]) -> tuple[tuple[Attachment, ...], str | None]:
    """Those that can be part of a question, and why not the others: the key of a sentence."""
    taken, cause = [], None
    for file in files:
        try:
            taken.append(attachment(file.filename, file.url, file.content_type, file.size))
        except Unreadable as unreadable:
            cause = unreadable.cause
    return tuple(taken), cause
