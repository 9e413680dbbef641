"""The rules by which Discord's channels change: who may, what pings, what previews, which nonce is known already."""

from __future__ import annotations

import mimetypes
import re
from base64 import urlsafe_b64encode
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.discord import model
from tests.servers.discord.model import Attachment, Channel, Guild, Message, Problem, Role, Snowflakes, User

NONCE_SECONDS = 180.0
LONGEST = 2000
HOUR = 3600.0

Emit = Callable[[str, Channel | Guild, Callable[[Callable[[Message], bool]], dict[str, Any]]], None]
"""Told of an event: its name, where it happens, and its data for a reader who may read only some messages."""


@dataclass(frozen=True)
class Ping:
    """Somebody was notified, by a message that the bot wrote."""

    message: Message
    whom: str


@dataclass
class World:
    """Everything that there is. ``pings`` and ``previews`` are what the bot's messages did to people."""

    clock: Callable[[], float]
    message_content: bool = False
    nonce_seconds: float = NONCE_SECONDS
    emit: Emit = lambda name, place, data: None
    guilds: dict[int, Guild] = field(default_factory=dict)
    users: dict[int, User] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    pings: list[Ping] = field(default_factory=list)
    previews: list[Message] = field(default_factory=list)
    files: dict[str, Attachment] = field(default_factory=dict)
    commands: list[dict[str, Any]] = field(default_factory=list)
    closed_dms: set[User] = field(default_factory=set)
    files_at: str = ""

    def __post_init__(self) -> None:
        self.snowflake = Snowflakes(self.clock)
        self.bot = self.person("conch", bot=True)
        self.host = self.bot
        name = urlsafe_b64encode(str(self.bot.id).encode()).decode().rstrip("=")
        self.token = f"{name}.GabcdE.{'t0ken' * 6}"
        self._nonces: deque[tuple[float, tuple[int, int, str], Message]] = deque()

    # Who and where.

    def person(self, name: str, *, bot: bool = False, locale: str = "en-US") -> User:
        user = User(self.snowflake(), name, bot, locale)
        self.users[user.id] = user
        return user

    def guild(self, name: str, owner: User, *, locale: str = "en-US", with_bot: bool = True) -> Guild:
        number = self.snowflake()
        roles = {number: Role(number, "@everyone", model.EVERYBODY_MAY)}
        guild = self.guilds[number] = Guild(number, name, owner, roles, locale=locale)
        guild.members[owner] = set()
        if with_bot:
            mine = self.role(guild, "Conch", 0, bot=self.bot.id)
            guild.members[self.bot] = {mine.id}
            self.emit("GUILD_CREATE", guild, lambda reveal: guild.create_payload(self.bot))
        return guild

    def role(self, guild: Guild, name: str, permissions: int = 0, *, bot: int | None = None) -> Role:
        role = Role(self.snowflake(), name, permissions, bot)
        guild.roles[role.id] = role
        return role

    def channel(
        self,
        guild: Guild,
        name: str,
        kind: int = model.TEXT,
        *,
        parent: Channel | None = None,
        number: int | None = None,
    ) -> Channel:
        channel = Channel(number or self.snowflake(), kind, name, guild, parent)
        guild.channels[channel.id] = self.channels[channel.id] = channel
        name = "THREAD_CREATE" if kind == model.THREAD else "CHANNEL_CREATE"
        self.emit(name, channel, lambda reveal: channel.payload())
        return channel

    def thread(self, message: Message, name: str) -> Channel:
        """A thread made from a message has its id."""
        assert message.channel.guild is not None
        return self.channel(message.channel.guild, name, model.THREAD, parent=message.channel, number=message.id)

    def direct(self, *people: User) -> Channel:
        """The direct messages between some people, made when first asked for."""
        for channel in self.channels.values():
            if channel.guild is None and set(channel.people) == set(people):
                return channel
        channel = Channel(self.snowflake(), model.DM if len(people) == 2 else model.GROUP, people=people)
        self.channels[channel.id] = channel
        return channel

    def remove(self, channel: Channel) -> None:
        """A channel is deleted."""
        channel.deleted = True
        self.emit("CHANNEL_DELETE", channel, lambda reveal: channel.payload())

    def permissions(self, user: User, channel: Channel) -> int:
        """What a user may do in a channel (https://discord.com/developers/docs/topics/permissions)."""
        guild = channel.guild
        if guild is None:
            return model.ALL & ~model.MANAGE_MESSAGES if user in channel.people else 0
        if user is guild.owner:
            return model.ALL
        if user not in guild.members:
            return 0
        roles = guild.members[user]
        granted = guild.roles[guild.id].permissions
        for role in roles:
            granted |= guild.roles[role].permissions
        if granted & model.ADMINISTRATOR:
            return model.ALL
        overwrites = (channel.parent if channel.kind == model.THREAD and channel.parent else channel).overwrites
        for group in ((guild.id,), roles, (user.id,)):
            pairs = [overwrites[one] for one in group if one in overwrites]
            for _, deny in pairs:
                granted &= ~deny
            for allow, _ in pairs:
                granted |= allow
        return granted

    def require(self, user: User, channel: Channel, *needed: int) -> None:
        """Raises the Problem that Discord answers with where the user may not."""
        if channel.deleted:
            raise Problem(404, 10003, "Unknown Channel")
        may = self.permissions(user, channel)
        if not may & model.VIEW:
            raise Problem(403, 50001, "Missing Access")
        if any(not may & one for one in needed):
            raise Problem(403, 50013, "Missing Permissions")

    # What is written.

    def post(
        self,
        author: User,
        channel: Channel,
        content: str,
        *,
        kind: int | None = None,
        refers_to: int | None = None,
        fail_if_not_exists: bool = True,
        ping_author: bool = True,
        nonce: str | None = None,
        enforce_nonce: bool = False,
        flags: int = 0,
        components: Sequence[dict[str, Any]] = (),
        attachments: Sequence[Attachment] = (),
        allowed: Mapping[str, Any] | None = None,
        only_for: User | None = None,
        application: int | None = None,
        made_by: dict[str, Any] | None = None,
    ) -> Message:
        """A new message, or the one that has this nonce already."""
        if only_for is None:
            where = model.SEND_IN_THREADS if channel.kind == model.THREAD else model.SEND
            needed = (where, *((model.ATTACH,) if attachments else ()))
            if application is None:
                self.require(author, channel, *needed)
            if channel.guild is None and author is self.bot and set(channel.people) & self.closed_dms:
                raise Problem(403, 50007, "Cannot send messages to this user")
        key = (author.id, channel.id, nonce or "")
        if nonce is not None and enforce_nonce and (known := self._known(key)):
            return known
        self._check(content, flags, components, attachments)
        referenced = channel.messages.get(refers_to) if refers_to else None
        if refers_to is not None and (referenced is None or referenced.deleted):
            if fail_if_not_exists:
                raise Problem(400, 50035, "Invalid Form Body: message_reference: Unknown message")
            refers_to = referenced = None
        blind = not self.permissions(author, channel) & model.HISTORY
        if referenced is not None and author is self.bot and blind:
            raise Problem(403, 160002, "Cannot reply without permission to read message history")
        message = Message(
            self.snowflake(),
            channel,
            author,
            content,
            self.clock(),
            kind=kind if kind is not None else model.REPLY if referenced else model.DEFAULT,
            flags=flags,
            attachments=list(attachments),
            components=list(components),
            reference=referenced,
            refers_to=refers_to,
            nonce=nonce,
            only_for=only_for,
            application=application,
            made_by=made_by,
        )
        message.versions.append(content)
        self._mention(message, allowed, replied=referenced.author if referenced and ping_author else None)
        self.messages[message.id] = message
        if only_for is None:
            channel.messages[message.id] = message
            if nonce is not None:
                self._nonces.append((self.clock(), key, message))
            self._tell("MESSAGE_CREATE", message)
        self._preview(message)
        return message

    def edit(
        self,
        message: Message,
        *,
        content: str | None = None,
        flags: int | None = None,
        components: Sequence[dict[str, Any]] | None = None,
        attachments: Sequence[Attachment] | None = None,
        allowed: Mapping[str, Any] | None = None,
    ) -> Message:
        """Change what is named. ``flags`` may only switch previews off or on, as in Discord."""
        self._check(
            message.content if content is None else content,
            message.flags,
            components or (),
            message.attachments if attachments is None else attachments,
            empty=message.flags & model.LOADING != 0,
        )
        if flags is not None:
            message.flags = (message.flags & ~model.SUPPRESS_EMBEDS) | (flags & model.SUPPRESS_EMBEDS)
        message.flags &= ~model.LOADING
        if components is not None:
            message.components = list(components)
        if attachments is not None:
            message.attachments = list(attachments)
        if content is not None:
            message.content = content
            message.versions.append(content)
            self._mention(message, allowed)
        message.edited = self.clock()
        if message.only_for is None:
            self._tell("MESSAGE_UPDATE", message)
        self._preview(message)
        return message

    def delete(self, *messages: Message) -> None:
        """Take a message away, or several of one channel at once."""
        for message in messages:
            message.deleted = True
        if messages[0].only_for is None:
            channel, ids = messages[0].channel, [str(message.id) for message in messages]
            data: dict[str, Any] = {"channel_id": str(channel.id), **({"ids": ids} if ids[1:] else {"id": ids[0]})}
            if channel.guild is not None:
                data["guild_id"] = str(channel.guild.id)
            self.emit("MESSAGE_DELETE_BULK" if ids[1:] else "MESSAGE_DELETE", channel, lambda reveal: data)

    def attach(self, channel: Channel, filename: str, data: bytes, content_type: str = "") -> Attachment:
        """Keep a file; its address is on the files' host."""
        number = self.snowflake()
        path = f"/attachments/{channel.id}/{number}/{filename}"
        kind = content_type or mimetypes.guess_type(filename)[0] or "application/octet-stream"
        file = Attachment(number, filename, data, kind, self.files_at + path)
        self.files[path] = file
        return file

    def seen_by(self, user: User, message: Message) -> bool:
        """May a program that runs as ``user`` without the Message Content intent read it?

        What it wrote itself, what mentions it, and what is written to it (Discord's help on message content).
        """
        return message.author is user or user in message.mentions or message.channel.guild is None

    def _known(self, key: tuple[int, int, str]) -> Message | None:
        while self._nonces and self._nonces[0][0] <= self.clock() - self.nonce_seconds:
            self._nonces.popleft()
        return next((message for _, used, message in self._nonces if used == key), None)

    def _check(
        self,
        content: str,
        flags: int,
        components: Sequence[dict[str, Any]],
        attachments: Sequence[Attachment],
        *,
        empty: bool = False,
    ) -> None:
        if len(content) > LONGEST:
            raise Problem(400, 50035, f"Invalid Form Body: content: must be {LONGEST} or fewer in length")
        if not content.strip() and not attachments and not flags & model.LOADING and not empty:
            raise Problem(400, 50006, "Cannot send an empty message")
        ids = [button["custom_id"] for row in components for button in row["components"]]
        if len(ids) != len(set(ids)) or any(len(one) > 100 for one in ids):
            raise Problem(400, 50035, "Invalid Form Body: components: custom_id")

    def _mention(self, message: Message, allowed: Mapping[str, Any] | None, replied: User | None = None) -> None:
        """Who is mentioned; where the bot wrote it, who is pinged. Without ``allowed`` everything is parsed."""
        guild, text = message.channel.guild, message.content
        users = [self.users[int(one)] for one in re.findall(r"<@!?(\d+)>", text) if int(one) in self.users]
        roles = [int(one) for one in re.findall(r"<@&(\d+)>", text) if guild and int(one) in guild.roles]
        everyone = bool(re.search(r"@(everyone|here)\b", text))
        if allowed is not None:
            parse = allowed.get("parse") or ()
            users = [user for user in users if "users" in parse or str(user.id) in (allowed.get("users") or ())]
            roles = [role for role in roles if "roles" in parse or str(role) in (allowed.get("roles") or ())]
            everyone = everyone and "everyone" in parse
            replied = replied if allowed.get("replied_user") else None
        if replied is not None:
            users.append(replied)
        message.mentions = tuple(dict.fromkeys(users))
        message.mention_roles = tuple(roles)
        message.mention_everyone = everyone
        if message.author is self.bot:
            whom = [*(user.name for user in message.mentions), *(guild.roles[r].name for r in roles if guild)]
            self.pings += [Ping(message, one) for one in (*whom, *(["@everyone"] if everyone else []))]

    def _preview(self, message: Message) -> None:
        """Discord's own servers fetch what a message links to; a moment later it is sent out again with its preview."""
        if message.flags & model.SUPPRESS_EMBEDS or not re.search(r"(?<!<)https?://[^\s<>]+", message.content):
            return
        if message.author is self.bot:
            self.previews.append(message)
        if message.only_for is None and not message.embeds:
            message.embeds = [{"type": "link", "url": "https://example.org/"}]
            self._tell("MESSAGE_UPDATE", message)

    def _tell(self, name: str, message: Message) -> None:
        guild = message.channel.guild
        more: dict[str, Any] = {}
        if guild is not None:
            more["guild_id"] = str(guild.id)
            if message.author in guild.members:
                more["member"] = guild.member_payload(message.author, with_user=False)

        def data(reveal: Callable[[Message], bool]) -> dict[str, Any]:
            return {**message.payload(reveal), **more, **({"nonce": message.nonce} if message.nonce else {})}

        self.emit(name, message.channel, data)


def history(
    channel: Channel, *, before: int | None = None, after: int | None = None, limit: int = 50
) -> Iterable[Message]:
    """As the messages of a channel are listed: newest first; after an id, the nearest ones."""
    there = [m for m in channel.shown() if (after is None or m.id > after) and (before is None or m.id < before)]
    chosen = there[:limit] if after is not None else there[-limit:]
    return reversed(chosen)
