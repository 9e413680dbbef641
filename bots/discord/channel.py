"""An answer on Discord: in ordinary messages, or in the one response of an interaction that only its token reaches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import discord
from discord.http import Route, handle_message_parameters

from bots.discord.buttons import turn_of, view_of
from bots.discord.calls import Blocked, Calls
from bots.discord.names import Names, Place
from bots.talk.channel import Gone
from bots.talk.pacing import Pace, Pacing, Rate
from bots.talk.view import Button
from bots.talk.wording import Say
from bots.text.splitting import Part, markdown_parts
from core.chat.reply import Reply

RATE = Rate(interval=1.2, typing=9.0)
"""Sends and edits of a channel share 5 calls in 5 seconds; typing is shown for 10."""
CALLS_PER_SECOND = 40
"""Discord takes 50 of one bot."""
NONCE_SECONDS = 120.0
"""For so long Discord surely knows a nonce again."""
ALONE_LIMIT = 1500
"""Units of the one message of a response, so that there is room for what is said about its file."""
CANNOT_READ_HISTORY = 160002
TOKEN_REFUSED = (10015, 50027)
"""An interaction that was not answered in 3 seconds, and one whose 15 minutes are over."""


class NoResponse(Exception):
    """The interaction was never answered in time, or its time is over: nothing more can be shown there."""


@dataclass(slots=True)
class Link:
    """What all channels of one bot share. ``began``: when this process did, in Unix seconds.

    ``refs``: the messages of answers that an earlier process began and this one goes on with.
    """

    calls: Calls
    pacing: Pacing
    rate: Rate
    clock: Callable[[], float]
    began: float
    refs: set[str] = field(default_factory=set)
    _client: discord.Client | None = None
    _names: Names | None = None

    def use(self, client: discord.Client, names: Names) -> None:
        """From now on this is the client that calls are made by."""
        self._client, self._names = client, names
        self.calls.http = client.http

    @property
    def client(self) -> discord.Client:
        """Who makes the calls. There is one once the bot has logged in, before anything is shown or heard."""
        assert self._client is not None
        return self._client

    @property
    def names(self) -> Names:
        """What the application's events and messages are called."""
        assert self._names is not None
        return self._names

    @property
    def me(self) -> discord.ClientUser:
        """The bot itself."""
        assert self.client.user is not None
        return self.client.user

    def pace(self, channel: int) -> Pace:
        """The budget of a channel."""
        return self.pacing.chat(str(channel), self.rate)

    def channel(self, number: int) -> discord.PartialMessageable:
        """A channel by its id alone: nothing about it needs to be known."""
        return self.client.get_partial_messageable(number)


class MessageChannel:
    """Ordinary messages of a channel, the first of them the interaction's response where there is one to give."""

    def __init__(self, link: Link, place: Place, reply: Reply, say: Say) -> None:
        self.pace = link.pace(place.channel)
        self._link, self._place, self._reply, self._say = link, place, reply, say
        self._channel = link.channel(place.channel)
        self._tried: dict[int, float] = {}

    def split(self, text: str) -> list[Part]:
        """Discord's Markdown, within one message each."""
        return markdown_parts(text)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        """The interaction's response, else a message that replies to the question, else one that follows."""
        place = self._place
        if place.token and not any(self._reply.turn.refs) and self._link.clock() < place.until:
            try:
                return await self._respond(part, buttons)
            except Gone:  # it was never acknowledged, or somebody has deleted it
                pass
        number = len(self._reply.turn.refs)
        if (found := await self._sent_before(number, self._begins)) is not None:
            await self.edit(found, part, buttons)
            return found
        return await self._send(number, content=part.text, **self._view(buttons))

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        """Change a message. Where Discord does not take the text, say so in its place."""
        message = self._message(ref)
        try:
            await self._link.calls(message.edit(content=part.text, view=self._view(buttons).get("view")))
        except Blocked:
            await self._link.calls(message.edit(content=self._say("answer-removed"), view=None))
            raise

    async def delete(self, ref: str) -> None:
        """Take a message away."""
        await self._link.calls(self._message(ref).delete())

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        """A message with a file."""
        number = len(self._reply.turn.refs)
        if (found := await self._sent_before(number, lambda message: bool(message.attachments))) is not None:
            return found
        return await self._send(number, content=caption, file=discord.File(BytesIO(data), name))

    async def typing(self) -> None:
        """Shown for ten seconds, or until the next message."""

        async def show() -> None:
            await self._channel.typing()

        await self._link.calls(show())

    async def _respond(self, part: Part, buttons: Sequence[Button]) -> str:
        """Fill the response that was deferred."""
        made = await self._link.calls(respond(self._link.client, self._place, part.text, self._view(buttons)))
        return self._link.names.event(int(made["id"]))

    async def _send(self, number: int, **message: Any) -> str:
        """Discord makes one message of however many calls with the same nonce, for a few minutes."""
        self._tried.setdefault(number, self._link.clock())
        message |= {"nonce": self._nonce(number), "suppress_embeds": True}
        first = number == 0 and self._place.question
        try:
            sent = await self._link.calls(self._channel.send(**message, **(self._reference() if first else {})))
        except Gone as error:
            cause = error.__cause__
            if not first or not isinstance(cause, discord.Forbidden) or cause.code != CANNOT_READ_HISTORY:
                raise
            sent = await self._link.calls(self._channel.send(**message))
        return self._link.names.event(sent.id)

    def _begins(self, message: discord.Message) -> bool:
        """Is it the beginning of a part of this answer? Our buttons tell, else that there is nothing in it yet."""
        return turn_of(message) == self._reply.turn.id or message.content == "…"

    async def _sent_before(self, number: int, is_it: Callable[[discord.Message], bool]) -> str | None:
        """Part ``number`` if it was sent without our having heard so, longer ago than Discord remembers the nonce.

        It is behind the part or the question before it. Looked for once in each process.
        """
        link, turn = self._link, self._reply.turn
        tried = self._tried.get(number, turn.accepted if turn.accepted < link.began else None)
        if tried is None or link.clock() - tried < NONCE_SECONDS:
            return None
        self._tried[number] = link.clock()
        known = [message for ref in turn.refs if (message := link.names.message(ref)) is not None]
        after = known[-1] if known else self._place.question
        if not after:
            return None

        async def behind() -> list[discord.Message]:
            found = self._channel.history(limit=100, after=discord.Object(after), oldest_first=True)
            return [message async for message in found if link.client.user == message.author]

        try:
            messages = await link.calls(behind())
        except Gone:
            return None
        refs = [link.names.event(message.id) for message in messages if is_it(message)]
        return next((ref for ref in refs if ref not in link.refs), None)

    def _view(self, buttons: Sequence[Button]) -> dict[str, Any]:
        view = view_of(buttons, self._reply.turn.id, self._say)
        return {} if view is None else {"view": view}

    def _nonce(self, number: int) -> str:
        turn = self._reply.turn
        named = f"{self._link.names.app} {turn.conversation} {turn.id} {turn.accepted} {number}"
        return hashlib.blake2s(named.encode(), digest_size=12).hexdigest()

    def _reference(self) -> dict[str, Any]:
        place = self._place
        asked = discord.MessageReference(message_id=place.question, channel_id=place.channel, fail_if_not_exists=False)
        return {"reference": asked, "mention_author": False}

    def _message(self, ref: str) -> discord.PartialMessage:
        number = self._link.names.message(ref)
        if number is None:
            raise Gone("only its token reached it")
        return self._channel.get_partial_message(number)


class ResponseChannel:
    """The one response of an interaction, by its token: every text, and the file beside it.

    Its calls raise NoResponse where the token is not taken.
    """

    def __init__(self, link: Link, place: Place, reply: Reply, say: Say) -> None:
        self.pace = link.pace(place.channel)
        self._link, self._place, self._reply, self._say = link, place, reply, say
        self._ref = link.names.original(place.interaction)

    def split(self, text: str) -> list[Part]:
        """Discord's Markdown, with room for a sentence more in each part."""
        return markdown_parts(text, ALONE_LIMIT)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        """The response was made when the interaction was answered: fill it."""
        await self.edit(self._ref, part, buttons)
        return self._ref

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        """Change its text and buttons; a file stays."""
        view = view_of(buttons, self._reply.turn.id, self._say)
        (fitting, *_) = markdown_parts(part.text)  # many files make a long note
        await self._call(content=fitting.text, view=view)

    async def delete(self, ref: str) -> None:
        """Take the file away, or all of it."""
        if ref.endswith("/file"):
            await self._call(attachments=[])
        else:
            await self._link.calls(self._link.client.http.request(_route(self._link.client, self._place, "DELETE")))

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        """Beside the text. What is to be said about it is in the text already."""
        await self._call(attachments=[discord.File(BytesIO(data), name)])
        return f"{self._ref}/file"

    async def typing(self) -> None:
        """The program itself shows that something is coming."""

    async def _call(self, **message: Any) -> None:
        try:
            await self._link.calls(respond(self._link.client, self._place, message.pop("content", None), message))
        except Gone as gone:
            if isinstance(gone.__cause__, discord.HTTPException) and gone.__cause__.code in TOKEN_REFUSED:
                raise NoResponse from gone
            raise


async def respond(client: discord.Client, place: Place, content: str | None, message: dict[str, Any]) -> dict[str, Any]:
    """Change an interaction's response by its token, in any process. Without previews, whoever wrote the links.

    discord.py's own way of doing this knows no flags, so that links would be previewed again with each edit.
    """
    route = _route(client, place, "PATCH")
    with handle_message_parameters(
        content=content if content is not None else discord.utils.MISSING,
        flags=discord.MessageFlags(suppress_embeds=True),
        allowed_mentions=discord.AllowedMentions.none(),
        **message,
    ) as made:
        if made.files:
            answer = await client.http.request(route, files=made.files, form=made.multipart)
        else:
            answer = await client.http.request(route, json=made.payload)
    return dict(answer)


def _route(client: discord.Client, place: Place, method: str) -> Route:
    return Route(
        method,
        "/webhooks/{webhook_id}/{webhook_token}/messages/@original",
        webhook_id=client.application_id,
        webhook_token=place.token,
    )
