"""What there is in Discord, and how each thing is written on the wire (API v10)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

EPOCH_MS = 1_420_070_400_000

TEXT, DM, VOICE, GROUP, CATEGORY, THREAD, FORUM = 0, 1, 2, 3, 4, 11, 15
DEFAULT, CHAT_INPUT_COMMAND, REPLY = 0, 20, 19
SUPPRESS_EMBEDS, EPHEMERAL, LOADING = 1 << 2, 1 << 6, 1 << 7

ADMINISTRATOR, MANAGE_CHANNELS, VIEW, SEND = 1 << 3, 1 << 4, 1 << 10, 1 << 11
MANAGE_MESSAGES, ATTACH, HISTORY, MENTION_EVERYONE = 1 << 13, 1 << 15, 1 << 16, 1 << 17
USE_COMMANDS, SEND_IN_THREADS = 1 << 31, 1 << 38
EVERYBODY_MAY = VIEW | SEND | HISTORY | ATTACH | USE_COMMANDS | SEND_IN_THREADS
ALL = (1 << 50) - 1


class Snowflakes:
    """Ids that carry the time of ``clock`` (Unix seconds), each greater than the one before."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._last = clock, 0

    def __call__(self) -> int:
        self._last = max(self._last + 1, int(self._clock() * 1000 - EPOCH_MS) << 22)
        return self._last


@dataclass(eq=False)
class User:
    id: int
    name: str
    bot: bool = False
    locale: str = "en-US"

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "username": self.name,
            "global_name": self.name.capitalize(),
            "avatar": None,
            "discriminator": "0",
            "public_flags": 0,
            "flags": 0,
            "primary_guild": None,
            "bot": self.bot,
        }


@dataclass(eq=False)
class Role:
    id: int
    name: str
    permissions: int = 0
    bot: int | None = None

    def payload(self, position: int) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "name": self.name,
            "permissions": str(self.permissions),
            "position": position,
            "color": 0,
            "colors": {"primary_color": 0, "secondary_color": None, "tertiary_color": None},
            "hoist": False,
            "managed": self.bot is not None,
            "mentionable": False,
            "icon": None,
            "unicode_emoji": None,
            "flags": 0,
            **({"tags": {"bot_id": str(self.bot)}} if self.bot else {}),
        }


@dataclass(eq=False)
class Channel:
    """A channel of a guild, a thread (``parent`` is where it hangs), or direct messages (``guild`` None)."""

    id: int
    kind: int
    name: str = ""
    guild: Guild | None = None
    parent: Channel | None = None
    people: tuple[User, ...] = ()
    overwrites: dict[int, tuple[int, int]] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    deleted: bool = False

    def shown(self) -> list[Message]:
        """The messages that are there, as everybody sees them, the first first."""
        return [message for message in self.messages.values() if not message.deleted]

    def payload(self, viewer: User | None = None) -> dict[str, Any]:
        last = next(reversed(self.messages), None)
        common = {
            "id": str(self.id),
            "type": self.kind,
            "flags": 0,
            "last_message_id": str(last) if last else None,
        }
        if self.guild is None:
            others = [person.payload() for person in self.people if person is not viewer]
            return {**common, "recipients": others, **({"name": self.name} if self.kind == GROUP else {})}
        common |= {"guild_id": str(self.guild.id), "name": self.name}
        common |= {"parent_id": str(self.parent.id) if self.parent else None}
        if self.kind == THREAD:
            assert self.parent is not None
            return {
                **common,
                "owner_id": str(self.guild.owner.id),
                "message_count": len(self.messages),
                "member_count": 1,
                "total_message_sent": len(self.messages),
                "rate_limit_per_user": 0,
                "thread_metadata": {
                    "archived": False,
                    "archive_timestamp": timestamp(0),
                    "auto_archive_duration": 1440,
                    "locked": False,
                },
            }
        return {
            **common,
            "position": 0,
            "nsfw": False,
            "rate_limit_per_user": 0,
            "permission_overwrites": [
                {"id": str(one), "type": 0 if one in self.guild.roles else 1, "allow": str(allow), "deny": str(deny)}
                for one, (allow, deny) in self.overwrites.items()
            ],
            **({"bitrate": 64000, "user_limit": 0} if self.kind == VOICE else {}),
        }


@dataclass(eq=False)
class Guild:
    id: int
    name: str
    owner: User
    roles: dict[int, Role]
    members: dict[User, set[int]] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    locale: str = "en-US"

    def member_payload(self, user: User, *, with_user: bool = True) -> dict[str, Any]:
        return {
            "avatar": None,
            "banner": None,
            "communication_disabled_until": None,
            "flags": 0,
            "joined_at": timestamp(0),
            "nick": None,
            "pending": False,
            "premium_since": None,
            "roles": [str(role) for role in sorted(self.members.get(user, ()))],
            "mute": False,
            "deaf": False,
            **({"user": user.payload()} if with_user else {}),
        }

    def payload(self) -> dict[str, Any]:
        absent = (
            "icon description home_header splash discovery_splash banner application_id afk_channel_id "
            "system_channel_id widget_channel_id vanity_url_code max_presences rules_channel_id incidents_data "
            "safety_alerts_channel_id public_updates_channel_id"
        )
        zero = (
            "system_channel_flags verification_level default_message_notifications mfa_level explicit_content_filter "
            "premium_tier premium_subscription_count nsfw_level"
        )
        return {
            **dict.fromkeys(absent.split()),
            **dict.fromkeys(zero.split(), 0),
            "id": str(self.id),
            "name": self.name,
            "owner_id": str(self.owner.id),
            "region": "deprecated",
            "afk_timeout": 300,
            "widget_enabled": False,
            "max_members": 500_000,
            "max_stage_video_channel_users": 50,
            "max_video_channel_users": 25,
            "preferred_locale": self.locale,
            "premium_progress_bar_enabled": False,
            "nsfw": False,
            "features": [],
            "emojis": [],
            "stickers": [],
            "roles": [role.payload(position) for position, role in enumerate(self.roles.values())],
        }

    def create_payload(self, bot: User) -> dict[str, Any]:
        """GUILD_CREATE: with channels and threads, and of the members only the bot."""
        there = [channel for channel in self.channels.values() if not channel.deleted]
        return {
            **self.payload(),
            "joined_at": timestamp(0),
            "large": len(self.members) >= 250,
            "unavailable": False,
            "member_count": len(self.members),
            "members": [self.member_payload(bot)],
            "channels": [channel.payload() for channel in there if channel.kind != THREAD],
            "threads": [channel.payload() for channel in there if channel.kind == THREAD],
            "presences": [],
            "voice_states": [],
            "stage_instances": [],
            "guild_scheduled_events": [],
        }


@dataclass(eq=False)
class Attachment:
    id: int
    filename: str
    data: bytes
    content_type: str
    url: str

    def payload(self) -> dict[str, Any]:
        return {
            "id": str(self.id),
            "filename": self.filename,
            "size": len(self.data),
            "url": self.url,
            "proxy_url": self.url,
            "content_type": self.content_type,
        }


@dataclass(eq=False)
class Message:
    """``reference`` is the message replied to, ``only_for`` the one person who sees an ephemeral one, ``made_by`` the
    interaction that it answers."""

    id: int
    channel: Channel
    author: User
    content: str
    time: float
    kind: int = DEFAULT
    edited: float | None = None
    flags: int = 0
    mentions: tuple[User, ...] = ()
    mention_roles: tuple[int, ...] = ()
    mention_everyone: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    components: list[dict[str, Any]] = field(default_factory=list)
    embeds: list[dict[str, Any]] = field(default_factory=list)
    reference: Message | None = None
    refers_to: int | None = None
    nonce: str | None = None
    only_for: User | None = None
    application: int | None = None
    made_by: dict[str, Any] | None = None
    deleted: bool = False
    versions: list[str] = field(default_factory=list)

    def payload(self, reveal: Callable[[Message], bool], *, depth: int = 1) -> dict[str, Any]:
        """``reveal`` says whether the reader may see what people wrote in a message."""
        seen = reveal(self)
        reference: dict[str, Any] = {}
        if self.refers_to is not None:
            reference["message_reference"] = {
                "type": 0,
                "channel_id": str(self.channel.id),
                "message_id": str(self.refers_to),
                **({"guild_id": str(self.channel.guild.id)} if self.channel.guild else {}),
            }
        if self.refers_to is not None and depth:
            there = self.reference is not None and not self.reference.deleted
            reference["referenced_message"] = self.reference.payload(reveal, depth=0) if there else None  # type: ignore[union-attr]
        return {
            "id": str(self.id),
            "channel_id": str(self.channel.id),
            "type": self.kind,
            "author": self.author.payload(),
            "content": self.content if seen else "",
            "timestamp": timestamp(self.time),
            "edited_timestamp": None if self.edited is None else timestamp(self.edited),
            "flags": self.flags,
            "mentions": [user.payload() for user in self.mentions],
            "mention_roles": [str(role) for role in self.mention_roles],
            "mention_everyone": self.mention_everyone,
            "attachments": [one.payload() for one in self.attachments] if seen else [],
            "embeds": self.embeds if seen else [],
            "components": list(_numbered(self.components, itertools.count(1))) if seen else [],
            "pinned": False,
            "tts": False,
            **({"application_id": str(self.application)} if self.application else {}),
            **({"interaction_metadata": self.made_by} if self.made_by is not None else {}),
            **({"webhook_id": str(self.application)} if self.kind == CHAT_INPUT_COMMAND and self.application else {}),
            **reference,
        }

    def button(self, action: str) -> dict[str, Any] | None:
        """The button whose id has ``action`` in it."""
        found = (button for row in self.components for button in row["components"])
        return next((button for button in found if action in button["custom_id"].split(":")), None)


def _numbered(components: list[dict[str, Any]], numbers: Iterator[int]) -> Iterator[dict[str, Any]]:
    for component in components:
        inner = component.get("components")
        yield {
            **component,
            "id": next(numbers),
            **({"components": list(_numbered(inner, numbers))} if inner is not None else {}),
        }


def timestamp(seconds: float) -> str:
    """As Discord writes a time."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


@dataclass(eq=False)
class Problem(Exception):
    """A request that Discord refuses: HTTP status, Discord's own code, its message."""

    status: int
    code: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
