"""An answer that only an interaction's token reaches, and where it goes on when the token's time is over.

That is a private one, or one where the bot may not write. Past its time it goes on in direct messages with who asked;
where those are closed it says so while it still can, and ends. It never goes to the channel.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import discord

from bots.discord.channel import Link, MessageChannel, NoResponse, ResponseChannel, respond
from bots.discord.names import Place
from bots.talk.channel import ChannelError, Gone, RetryAfter
from bots.talk.show import show
from bots.talk.wording import Say
from core.chat.reply import Reply

log = logging.getLogger(__name__)
PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries to reach somebody; the last goes on."""


async def show_alone(reply: Reply, link: Link, place: Place, say: Say) -> None:
    """Show an answer by its token, then, past ``place.until``, in direct messages."""
    refs = reply.turn.refs
    moved = bool(refs) and link.names.message(refs[0]) is not None
    if not moved and (left := place.until - link.clock()) > 0:
        try:
            async with asyncio.timeout(left):
                await show(reply, ResponseChannel(link, place, reply, say), say, max_parts=1)
            return
        except TimeoutError:
            pass
        except NoResponse:
            place = replace(place, token="")
    channel = await _directly(link, place, reply, say, moved=moved)
    if not moved and place.token:
        await _point(link, place, say("goes-on-directly" if channel is not None else "cannot-go-on"))
    if channel is not None:
        await show(reply, channel, say)
        return
    log.info("turn %d cannot be shown: its time is over, and direct messages are closed", reply.turn.id)
    await reply.cancel()
    await reply.shown()


async def _directly(link: Link, place: Place, reply: Reply, say: Say, *, moved: bool) -> MessageChannel | None:
    """The direct messages with who asked, with the answer begun there; None where they are closed."""
    for pause in _pauses():
        try:
            direct = await link.calls(link.client.create_dm(discord.Object(place.user)))
        except Gone:
            return None
        except ChannelError as failure:
            await _rest(failure, pause)
        else:
            channel = MessageChannel(link, replace(place, channel=direct.id, token=""), reply, say)
            return channel if moved or await _begun(channel, reply, say) else None
    return None


async def _begun(channel: MessageChannel, reply: Reply, say: Say) -> bool:
    """Begin the answer there, so that it is known whether it can go on; from now on it is there."""
    (part,) = channel.split(say("goes-on-here"))
    for pause in _pauses():
        try:
            async with channel.pace.slot("placeholder"):
                ref = await channel.send(part, ())
        except Gone:
            return False
        except ChannelError as failure:
            await _rest(failure, pause)
        else:
            for number in range(1, len(reply.turn.refs)):
                await reply.placed(number, "")
            await reply.placed(0, ref)
            return True
    return False


async def _point(link: Link, place: Place, sentence: str) -> None:
    """The last word by the token, if it is still taken."""
    try:
        await link.calls(respond(link.client, place, sentence, {"view": None, "attachments": []}))
    except ChannelError as failure:
        log.debug("the last word of a response was not taken: %s", failure)


def _pauses() -> tuple[float, ...]:
    return (*PAUSES, *[PAUSES[-1]] * 1000)


async def _rest(failure: ChannelError, pause: float) -> None:
    await asyncio.sleep(max(pause, failure.seconds) if isinstance(failure, RetryAfter) else pause)
