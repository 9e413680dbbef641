"""The rules of interactions: an answer within 3 seconds, a token for 15 minutes, one original response."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.discord import model
from tests.servers.discord.model import Attachment, Channel, Message, Problem, User
from tests.servers.discord.world import World

COMMAND, COMPONENT, AUTOCOMPLETE, MODAL = 2, 3, 4, 5
MESSAGE, DEFERRED, DEFERRED_UPDATE, UPDATE, CHOICES, OPEN_MODAL = 4, 5, 6, 7, 8, 9
ACKNOWLEDGE_SECONDS, TOKEN_SECONDS = 3.0, 900.0
FOLLOWUPS_OF_A_USER_INSTALL = 5


@dataclass(eq=False)
class Interaction:
    """``installed`` says by whom the app is there: ``guild`` or ``user``. ``answered`` is set with the first answer.
    ``opened_by`` is what a form that was sent was the answer to."""

    id: int
    token: str
    kind: int
    user: User
    channel: Channel
    installed: str
    time: float
    data: dict[str, Any]
    message: Message | None = None
    response: int | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    answered_after: float = 0.0
    original: Message | None = None
    followups: list[Message] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    opened_by: Interaction | None = None

    def metadata(self) -> dict[str, Any]:
        """What its messages say of it."""
        told: dict[str, Any] = {"id": str(self.id), "type": self.kind, "user": self.user.payload()}
        told["authorizing_integration_owners"] = {"1": str(self.user.id)} if self.installed == "user" else {}
        if self.kind == COMPONENT and self.message is not None:
            told["interacted_message_id"] = str(self.message.id)
        if self.opened_by is not None:
            told["triggering_interaction_metadata"] = self.opened_by.metadata()
        return told

    @property
    def shown(self) -> Message | None:
        """The original response, as the person sees it."""
        return None if self.original is None or self.original.deleted else self.original


class Interactions:
    """All interactions of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.all: dict[int, Interaction] = {}

    def begin(
        self,
        kind: int,
        user: User,
        channel: Channel,
        data: dict[str, Any],
        *,
        installed: str = "guild",
        message: Message | None = None,
    ) -> Interaction:
        """A person has done something; the program is told."""
        world = self.world
        number = world.snowflake()
        token = f"aW50ZXJhY3Rpb246{number}:{secrets.token_urlsafe(48)}"
        interaction = Interaction(number, token, kind, user, channel, installed, world.clock(), data, message)
        self.all[number] = interaction
        world.emit("INTERACTION_CREATE", channel, lambda reveal: self.payload(interaction))
        return interaction

    def payload(self, interaction: Interaction) -> dict[str, Any]:
        """What the program is told. A message that somebody acts on is shown to it whole."""
        world, channel, user = self.world, interaction.channel, interaction.user
        owners = {}
        if interaction.installed == "user":
            owners["1"] = str(user.id)
        else:
            owners["0"] = str(channel.guild.id) if channel.guild else "0"
        context = 0 if channel.guild else 1 if world.bot in channel.people else 2
        data: dict[str, Any] = {
            "id": str(interaction.id),
            "application_id": str(world.bot.id),
            "type": interaction.kind,
            "token": interaction.token,
            "version": 1,
            "data": interaction.data,
            "channel_id": str(channel.id),
            "channel": channel.payload(world.bot),
            "locale": user.locale,
            "entitlements": [],
            "authorizing_integration_owners": owners,
            "context": context,
            "attachment_size_limit": 10_000_000,
            "app_permissions": str(world.permissions(world.bot, channel) if interaction.installed == "guild" else 0),
        }
        if channel.guild is not None:
            data |= {"guild_id": str(channel.guild.id), "guild_locale": channel.guild.locale}
            data["guild"] = {"id": str(channel.guild.id), "locale": channel.guild.locale, "features": []}
            data["member"] = channel.guild.member_payload(user)
            data["member"]["permissions"] = str(world.permissions(user, channel))
        else:
            data["user"] = user.payload()
        if interaction.message is not None:
            data["message"] = interaction.message.payload(lambda message: True)
        return data

    def expire(self, interaction: Interaction) -> None:
        """Its 15 minutes are over."""
        interaction.time -= TOKEN_SECONDS

    def find(self, number: int, token: str) -> Interaction:
        """For the first answer. Raises Problem where there is none to give any more."""
        found = self.all.get(number)
        if found is None or found.token != token:
            raise Problem(404, 10062, "Unknown interaction")
        if found.response is not None:
            raise Problem(400, 40060, "Interaction has already been acknowledged.")
        if self.world.clock() - found.time > ACKNOWLEDGE_SECONDS:
            raise Problem(404, 10062, "Unknown interaction")
        return found

    def by_token(self, token: str) -> Interaction:
        """For everything after the first answer."""
        found = next((one for one in self.all.values() if one.token == token), None)
        if found is None or found.response is None:
            raise Problem(404, 10015, "Unknown Webhook")
        if self.world.clock() - found.time > TOKEN_SECONDS:
            raise Problem(401, 50027, "Invalid Webhook Token")
        return found

    def respond(
        self, interaction: Interaction, kind: int, data: Mapping[str, Any], files: Sequence[Attachment]
    ) -> Message | None:
        """The first answer. Returns the message that it makes or means."""
        world, bot = self.world, self.world.bot
        flags = int(data.get("flags") or 0)
        if kind in (MESSAGE, DEFERRED):
            if interaction.kind == AUTOCOMPLETE:
                raise Problem(400, 50035, "Invalid Form Body: type")
            interaction.original = world.post(
                bot,
                interaction.channel,
                str(data.get("content") or ""),
                kind=model.CHAT_INPUT_COMMAND if interaction.kind == COMMAND else model.DEFAULT,
                flags=flags | (model.LOADING if kind == DEFERRED else 0),
                components=data.get("components") or (),
                attachments=files,
                allowed=data.get("allowed_mentions"),
                only_for=interaction.user if flags & model.EPHEMERAL else None,
                application=bot.id,
                made_by=interaction.metadata(),
            )
        elif kind in (DEFERRED_UPDATE, UPDATE):
            if interaction.message is None:
                raise Problem(400, 50035, "Invalid Form Body: type")
            interaction.original = interaction.message
        elif kind == CHOICES and interaction.kind != AUTOCOMPLETE:
            raise Problem(400, 50035, "Invalid Form Body: type")
        interaction.response, interaction.given = kind, dict(data)
        interaction.answered_after = world.clock() - interaction.time
        if kind == UPDATE:
            assert interaction.original is not None
            self.change(interaction.original, data, files if files else None)
        interaction.answered.set()
        return interaction.original

    def change(self, message: Message, data: Mapping[str, Any], files: Sequence[Attachment] | None) -> Message:
        """Edit a response by its token. Attachments stay as the request lists them, new ones behind."""
        kept: Sequence[Attachment] | None = files
        if "attachments" in data:
            listed = {int(one["id"]) for one in data["attachments"] or ()}
            kept = [one for one in message.attachments if one.id in listed] + list(files or ())
        return self.world.edit(
            message,
            content=data.get("content"),
            flags=data.get("flags"),
            components=data.get("components"),
            attachments=kept,
            allowed=data.get("allowed_mentions"),
        )

    def message(self, interaction: Interaction, which: str) -> Message:
        """A message of an interaction by its id, or ``@original``."""
        mine = [interaction.original, *interaction.followups]
        found = mine[0] if which == "@original" else next((m for m in mine if m and str(m.id) == which), None)
        if found is None or found.deleted:
            raise Problem(404, 10008, "Unknown Message")
        return found

    def follow(self, interaction: Interaction, data: Mapping[str, Any], files: Sequence[Attachment]) -> Message:
        """A further message."""
        if interaction.installed == "user" and len(interaction.followups) >= FOLLOWUPS_OF_A_USER_INSTALL:
            raise Problem(400, 40094, "Maximum number of follow up messages for this interaction reached")
        hidden = int(data.get("flags") or 0) & model.EPHEMERAL
        original = interaction.original
        if (
            original is not None and not original.deleted and original.flags & model.LOADING
        ):  # it takes the place of the deferred response
            self.change(original, {**data, "flags": None}, files)
            return original
        message = self.world.post(
            self.world.bot,
            interaction.channel,
            str(data.get("content") or ""),
            flags=int(data.get("flags") or 0),
            components=data.get("components") or (),
            attachments=files,
            allowed=data.get("allowed_mentions"),
            only_for=interaction.user if hidden else None,
            application=self.world.bot.id,
            made_by=interaction.metadata(),
        )
        interaction.followups.append(message)
        return message
