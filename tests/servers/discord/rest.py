"""Discord's REST: the routes that a bot like ours uses, each a plain function of the world."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.discord import model
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.model import Attachment, Channel, Guild, Message, Problem
from tests.servers.discord.world import World, history


@dataclass(frozen=True)
class Call:
    """One request: ``ids`` from the path, ``body`` from JSON or the JSON part, ``uploads`` as (name, data)."""

    method: str
    template: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any] | list[Any] | None
    uploads: tuple[tuple[str, bytes], ...] = ()

    @property
    def major(self) -> str:
        """What a rate limit is counted by."""
        names = ("channel_id", "guild_id", "webhook_id", "webhook_token", "interaction_id")
        return "+".join(self.ids[name] for name in names if name in self.ids)

    @property
    def data(self) -> dict[str, Any]:
        return self.body if isinstance(self.body, dict) else {}


Answer = tuple[int, Any]
Handler = Callable[["Api", Call], Answer]
ROUTES: list[tuple[str, str, re.Pattern[str], Handler]] = []


def route(method: str, template: str) -> Callable[[Handler], Handler]:
    """Serve a route. Templates are written as in Discord's description."""
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template))

    def register(handler: Handler) -> Handler:
        ROUTES.append((method, template, pattern, handler))
        return handler

    return register


def find(method: str, path: str) -> tuple[str, Mapping[str, str], Handler] | None:
    """The route of a path, with its ids."""
    for one, template, pattern, handler in ROUTES:
        if one == method and (match := pattern.fullmatch(path)):
            return template, match.groupdict(), handler
    return None


class Api:
    """What the routes work on."""

    def __init__(self, world: World, interactions: Interactions, gateway: Callable[[], dict[str, Any]]) -> None:
        self.world, self.interactions, self.gateway = world, interactions, gateway

    def reveal(self, message: Message) -> bool:
        """May the bot read what is written in a message? The intent rules REST, too."""
        return self.world.message_content or self.world.seen_by(self.world.bot, message)

    def shown(self, message: Message) -> dict[str, Any]:
        return message.payload(self.reveal)

    def channel(self, call: Call, *needed: int) -> Channel:
        found = self.world.channels.get(int(call.ids["channel_id"]))
        if found is None:
            raise Problem(404, 10003, "Unknown Channel")
        self.world.require(self.world.bot, found, *needed)
        return found

    def message(self, call: Call) -> Message:
        found = self.channel(call).messages.get(int(call.ids["message_id"]))
        if found is None or found.deleted:
            raise Problem(404, 10008, "Unknown Message")
        return found

    def guild(self, call: Call) -> Guild:
        found = self.world.guilds.get(int(call.ids["guild_id"]))
        if found is None or self.world.bot not in found.members:
            raise Problem(404, 10004, "Unknown Guild")
        return found

    def uploads(self, channel: Channel, call: Call) -> list[Attachment]:
        return [self.world.attach(channel, name, data) for name, data in call.uploads]


@route("GET", "/users/@me")
def me(api: Api, call: Call) -> Answer:
    return 200, {**api.world.bot.payload(), "mfa_enabled": False, "locale": "en-US", "verified": True}


@route("GET", "/oauth2/applications/@me")
def application(api: Api, call: Call) -> Answer:
    absent = "icon interactions_endpoint_url role_connections_verification_url team"
    zero = (
        "approximate_guild_count approximate_user_install_count approximate_user_authorization_count "
        "explicit_content_filter"
    )
    return 200, {
        **dict.fromkeys(absent.split()),
        **dict.fromkeys(zero.split(), 0),
        "id": str(api.world.bot.id),
        "name": "Conch",
        "description": "",
        "type": None,
        "verify_key": "0" * 64,
        "flags": 1 << 19 if api.world.message_content else 0,
        "flags_new": "0",
        "redirect_uris": [],
        "owner": api.world.host.payload(),
        "bot_public": True,
        "bot_require_code_grant": False,
        "eligible_oauth2_scopes": [],
    }


@route("GET", "/gateway/bot")
def gateway(api: Api, call: Call) -> Answer:
    return 200, api.gateway()


@route("POST", "/users/@me/channels")
def open_dm(api: Api, call: Call) -> Answer:
    user = api.world.users.get(int(call.data["recipient_id"]))
    if user is None:
        raise Problem(400, 50033, "Invalid Recipient(s)")
    return 200, api.world.direct(api.world.bot, user).payload(api.world.bot)


@route("GET", "/users/@me/guilds")
def guilds(api: Api, call: Call) -> Answer:
    world = api.world
    mine = [guild for guild in world.guilds.values() if world.bot in guild.members]
    after = int(call.query.get("after", 0))
    return 200, [
        {
            "id": str(guild.id),
            "name": guild.name,
            "icon": None,
            "banner": None,
            "owner": guild.owner is world.bot,
            "permissions": str(sum(guild.roles[role].permissions for role in guild.members[world.bot])),
            "features": [],
            "approximate_member_count": len(guild.members),
            "approximate_presence_count": 0,
        }
        for guild in mine
        if guild.id > after
    ]


@route("GET", "/guilds/{guild_id}")
def guild(api: Api, call: Call) -> Answer:
    found = api.guild(call)
    return 200, {**found.payload(), "approximate_member_count": len(found.members), "approximate_presence_count": 0}


@route("GET", "/guilds/{guild_id}/channels")
def channels(api: Api, call: Call) -> Answer:
    there = api.guild(call).channels.values()
    return 200, [channel.payload() for channel in there if channel.kind != model.THREAD and not channel.deleted]


@route("GET", "/guilds/{guild_id}/members/{user_id}")
def member(api: Api, call: Call) -> Answer:
    found = api.guild(call)
    user = api.world.users.get(int(call.ids["user_id"]))
    if user is None or user not in found.members:
        raise Problem(404, 10007, "Unknown Member")
    return 200, found.member_payload(user)


@route("GET", "/channels/{channel_id}")
def channel(api: Api, call: Call) -> Answer:
    return 200, api.channel(call).payload(api.world.bot)


@route("POST", "/channels/{channel_id}/typing")
def typing(api: Api, call: Call) -> Answer:
    api.channel(call, model.SEND)
    return 204, None


@route("GET", "/channels/{channel_id}/messages")
def read_history(api: Api, call: Call) -> Answer:
    where = api.channel(call)
    if where.guild is not None and not api.world.permissions(api.world.bot, where) & model.HISTORY:
        return 200, []
    bounds = {name: int(call.query[name]) for name in ("before", "after") if name in call.query}
    found = history(where, **bounds, limit=int(call.query.get("limit", 50)))
    return 200, [api.shown(message) for message in found]


@route("GET", "/channels/{channel_id}/messages/{message_id}")
def read_message(api: Api, call: Call) -> Answer:
    api.channel(call, model.HISTORY)
    return 200, api.shown(api.message(call))


@route("POST", "/channels/{channel_id}/messages")
def send(api: Api, call: Call) -> Answer:
    where, data = api.channel(call), call.data
    reference = data.get("message_reference") or {}
    message = api.world.post(
        api.world.bot,
        where,
        data.get("content") or "",
        refers_to=int(reference["message_id"]) if reference else None,
        fail_if_not_exists=reference.get("fail_if_not_exists") is not False,
        nonce=data.get("nonce"),
        enforce_nonce=bool(data.get("enforce_nonce")),
        flags=data.get("flags") or 0,
        components=data.get("components") or (),
        attachments=api.uploads(where, call),
        allowed=data.get("allowed_mentions"),
    )
    return 200, {**api.shown(message), **({"nonce": message.nonce} if message.nonce else {})}


@route("PATCH", "/channels/{channel_id}/messages/{message_id}")
def change(api: Api, call: Call) -> Answer:
    message, data = api.message(call), call.data
    if message.author is not api.world.bot:
        raise Problem(403, 50005, "Cannot edit a message authored by another user")
    files = api.uploads(message.channel, call)
    kept = None
    if "attachments" in data or files:
        listed = {int(one["id"]) for one in data.get("attachments") or ()}
        kept = [one for one in message.attachments if one.id in listed] + files
    api.world.edit(
        message,
        content=data.get("content"),
        flags=data.get("flags"),
        components=data.get("components"),
        attachments=kept,
        allowed=data.get("allowed_mentions"),
    )
    return 200, api.shown(message)


@route("DELETE", "/channels/{channel_id}/messages/{message_id}")
def delete(api: Api, call: Call) -> Answer:
    message = api.message(call)
    if message.author is not api.world.bot:
        api.channel(call, model.MANAGE_MESSAGES)
    api.world.delete(message)
    return 204, None


@route("PUT", "/applications/{application_id}/commands")
def register_commands(api: Api, call: Call) -> Answer:
    assert isinstance(call.body, list)
    version = str(api.world.snowflake())
    api.world.commands = [
        {
            "default_member_permissions": None,
            "description": "",
            "type": 1,
            **{name: _as_text(name, value) for name, value in command.items() if value is not None},
            "id": str(api.world.snowflake()),
            "application_id": call.ids["application_id"],
            "version": version,
        }
        for command in call.body
    ]
    return 200, api.world.commands


@route("GET", "/applications/{application_id}/commands")
def read_commands(api: Api, call: Call) -> Answer:
    return 200, api.world.commands


@route("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
def respond(api: Api, call: Call) -> Answer:
    interaction = api.interactions.find(int(call.ids["interaction_id"]), call.ids["interaction_token"])
    data, kind = call.data.get("data") or {}, call.data["type"]
    message = api.interactions.respond(interaction, kind, data, api.uploads(interaction.channel, call))
    if "with_response" not in call.query:
        return 204, None
    told: dict[str, Any] = {"id": str(interaction.id), "type": interaction.kind}
    resource: dict[str, Any] = {}
    if message is not None:
        told["response_message_id"] = str(message.id)
        told["response_message_loading"] = bool(message.flags & model.LOADING)
        told["response_message_ephemeral"] = bool(message.flags & model.EPHEMERAL)
        if kind in (4, 7):
            resource = {"resource": {"type": kind, "message": api.shown(message)}}
    return 200, {"interaction": told, **resource}


@route("POST", "/webhooks/{webhook_id}/{webhook_token}")
def follow(api: Api, call: Call) -> Answer:
    interaction = api.interactions.by_token(call.ids["webhook_token"])
    files = api.uploads(interaction.channel, call)
    return 200, api.shown(api.interactions.follow(interaction, call.data, files))


@route("GET", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
def read_original(api: Api, call: Call) -> Answer:
    interaction = api.interactions.by_token(call.ids["webhook_token"])
    return 200, api.shown(api.interactions.message(interaction, "@original"))


@route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
def change_original(api: Api, call: Call) -> Answer:
    return _change_response(api, call, "@original")


@route("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/{message_id}")
def change_response(api: Api, call: Call) -> Answer:
    return _change_response(api, call, call.ids["message_id"])


@route("DELETE", "/webhooks/{webhook_id}/{webhook_token}/messages/@original")
def delete_original(api: Api, call: Call) -> Answer:
    interaction = api.interactions.by_token(call.ids["webhook_token"])
    api.world.delete(api.interactions.message(interaction, "@original"))
    return 204, None


def _as_text(name: str, value: Any) -> Any:
    return str(value) if name == "default_member_permissions" else value


def _change_response(api: Api, call: Call, which: str) -> Answer:
    interaction = api.interactions.by_token(call.ids["webhook_token"])
    message = api.interactions.message(interaction, which)
    files = api.uploads(interaction.channel, call)
    return 200, api.shown(api.interactions.change(message, call.data, files or None))
