"""What the bot needs to be allowed on a server: the address that invites it so, and what is missing where."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import aiohttp
import discord

from bots.talk.wording import Say

NEEDED = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
)
"""The least: see and write, in threads too, read back what was said meanwhile, and send what is too long as a file."""
LOOK_SECONDS = 20.0
CHANNELS_TOLD = 10

Channel = discord.abc.GuildChannel


@dataclass(frozen=True, slots=True)
class Lack:
    """Permissions (their keys of wording) that the bot lacks in these channels of a server."""

    guild: str
    permissions: tuple[str, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What Discord says of a bot. ``invite`` is the address that invites it, ``content`` whether it may read messages
    that do not mention it."""

    invite: str
    content: bool
    guilds: int
    lacks: tuple[Lack, ...]


class WrongToken(Exception):
    """Discord does not know the token."""


def invite(app: int) -> str:
    """Where the owner of a server lets the bot in, with what it needs and no more."""
    return discord.utils.oauth_url(app, permissions=NEEDED, scopes=("bot", "applications.commands"))


def lacking(guild: discord.Guild, me: discord.Member, channels: Iterable[Channel]) -> Iterator[Lack]:
    """What is missing in the channels that the bot can see and where people write; hiding one is a decision."""
    found: dict[tuple[str, ...], list[str]] = {}
    for channel in channels:
        if not isinstance(channel, discord.TextChannel | discord.VoiceChannel):
            continue
        may = channel.permissions_for(me)
        missing = tuple(f"permission-{name.replace('_', '-')}" for name, on in NEEDED if on and not getattr(may, name))
        if missing and may.view_channel:
            found.setdefault(missing, []).append(f"#{channel.name}")
    for permissions, names in found.items():
        yield Lack(guild.name, permissions, tuple(names))


def told(lack: Lack) -> dict[str, object]:
    """The values of a sentence about it; those that are words themselves get the wording."""

    def channels(say: Say) -> str:
        more = len(lack.channels) - CHANNELS_TOLD
        return ", ".join((*lack.channels[:CHANNELS_TOLD], *([say("and-more", count=more)] if more > 0 else [])))

    def permissions(say: Say) -> str:
        return ", ".join(map(say, lack.permissions))

    return {"server": lack.guild, "permissions": permissions, "channels": channels}


def sentence(say: Say, lack: Lack) -> str:
    """The same in words."""
    values = {name: value(say) if callable(value) else value for name, value in told(lack).items()}
    return say("discord-lacking", **values)


async def look(token: str) -> Look:
    """Ask Discord about a bot, without connecting it. Raises WrongToken, and OSError where Discord is not reached."""
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody speaks here
    client = discord.Client(intents=discord.Intents.none())
    try:
        async with asyncio.timeout(LOOK_SECONDS), client:
            await client.login(token)
            application = client.application
            assert application is not None  # it has logged in
            flags, lacks, guilds = application.flags, list[Lack](), 0
            async for seen in client.fetch_guilds(with_counts=False):
                lacks += await _lacks_of(client, seen.id)
                guilds += 1
    except discord.LoginFailure:
        raise WrongToken from None
    except (discord.HTTPException, aiohttp.ClientError, TimeoutError) as error:
        raise OSError(type(error).__name__) from error
    content = flags.gateway_message_content or flags.gateway_message_content_limited
    return Look(invite(application.id), content, guilds, tuple(lacks))


async def _lacks_of(client: discord.Client, number: int) -> Sequence[Lack]:
    guild = await client.fetch_guild(number)
    channels = await guild.fetch_channels()
    assert client.user is not None
    return list(lacking(guild, await guild.fetch_member(client.user.id), channels))
