"""Interactions: commands, buttons, menus and forms. Answered within a second, whatever the model does meanwhile.

What asks for an answer is committed first, as everywhere; only where that takes long is it deferred before that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, TypeVar

import discord

from bots.discord.buttons import choices_of
from bots.discord.context import Desk, places, readable, scope, words
from bots.discord.names import PREFIX, Place, conversation_of, name_of
from bots.talk.channel import ChannelError
from bots.talk.commands import Asker, Commands
from bots.talk.view import Button
from bots.talk.wording import Say, refused
from core.chat.reply import Reply
from core.errors import NotFound, Refused
from core.messages import Question, Revision, Turn

log = logging.getLogger(__name__)
T = TypeVar("T")
Interaction = discord.Interaction[Any]

DEFER_SECONDS = 0.8
CLOCKS_APART = 60.0
"""Seconds by which Discord's clock may be behind ours."""
FORM = "conch:about"
"""The id of the form of "Ask about this"; what it is about is in the form itself, so that any process can read it."""
FORM_CHARACTERS = 4000
MOST_CHOICES = 25


class Interactions:
    """What people do with Discord's own controls."""

    def __init__(self, desk: Desk, commands: Commands[Reply]) -> None:
        self._desk, self._commands = desk, commands

    # What asks for an answer.

    async def ask(
        self,
        interaction: Interaction,
        text: str,
        *,
        persona: str | None = None,
        private: bool = False,
        quote: str = "",
        files: Sequence[discord.Attachment] = (),
    ) -> None:
        """A question. ``private``: one person alone sees the answer."""
        desk = self._desk
        say = await self.say(interaction)
        if persona is not None and persona not in desk.chat.personas:
            names = ", ".join(desk.chat.personas)
            await self.tell(interaction, say("persona-unknown", names=names))
            return
        attachments, unread = readable(files)
        if unread is not None:
            await self.tell(interaction, say(unread))
            return
        question = Question(
            self.conversation(interaction),
            name_of(interaction.user.id),
            desk.link.names.event(interaction.id),
            text,
            place=str(self.place(interaction, private=private)),
            at=interaction.created_at.timestamp(),
            persona=persona,
            language=desk.language(interaction.locale),
            places=self.places(interaction),
            scope="" if private else self.scope(interaction),
            quote=quote,
            attachments=attachments,
        )
        await self.show(interaction, desk.chat.send(question), private=private)

    async def pressed(self, interaction: Interaction, action: Button, turn: int) -> None:
        """A button under an answer."""
        if action == "stop":
            stopped = await self.settle(interaction, self._stop(interaction, turn))
            if stopped is None and interaction.response.is_done():
                return
            await self.acknowledge(interaction)
        elif action == "regenerate":
            await self._regenerate(interaction, self._turn_under(interaction, turn))
        else:
            alone = self._is_alone(interaction)
            await self.show(interaction, self._proceed(interaction, turn, alone=alone), private=alone, thinking=alone)

    async def regenerate_this(self, interaction: Interaction, message: discord.Message) -> None:
        """The same from the menu of a message: an answer, or a question."""
        await self._regenerate(interaction, self._newest_of(message))
        if interaction.response.type is discord.InteractionResponseType.deferred_channel_message:
            await self._forget_response(interaction)

    async def _stop(self, interaction: Interaction, number: int) -> Turn | None:
        turn = await self._turn_under(interaction, number, newest=True)
        user, places = name_of(interaction.user.id), self.places(interaction)
        return await self._desk.chat.cancel(turn.id, user, places=places, moderates=self.moderates(interaction))

    async def _proceed(self, interaction: Interaction, number: int, *, alone: bool) -> Reply:
        turn = await self._turn_under(interaction, number)
        answer = interaction.message.id if interaction.message is not None else 0
        ordinary = Place(interaction.channel_id or 0, question=answer, user=_asker(turn))
        place = str(self.place(interaction, private=True) if alone else ordinary)
        return await self._desk.chat.proceed(replace(self.revision(interaction, turn), place=place))

    async def _regenerate(self, interaction: Interaction, found: Coroutine[Any, Any, Turn]) -> None:
        """Another answer, in the messages of the one that is there."""

        async def again() -> Reply:
            turn = await found
            alone = replace(self.place(interaction, private=True), user=_asker(turn))
            place = str(alone) if self._is_alone(interaction) else None
            revision = replace(self.revision(interaction, turn), place=place, take_over=True)
            return await self._desk.chat.regenerate(revision)

        await self.show(interaction, again(), private=True, thinking=interaction.message is None)

    async def ask_about(self, interaction: Interaction, message: discord.Message) -> None:
        """A form for a question about somebody's message."""
        say = await self.say(interaction)
        if not message.content.strip():
            await self.tell(interaction, say("kind-unknown"))
            return
        form = discord.ui.Modal(title=say("form-title")[:45], custom_id=FORM)
        form.add_item(
            discord.ui.TextInput(
                label=say("form-question")[:45],
                custom_id="question",
                style=discord.TextStyle.paragraph,
                max_length=FORM_CHARACTERS,
            )
        )
        form.add_item(
            discord.ui.TextInput(
                label=say("form-about")[:45],
                custom_id="about",
                style=discord.TextStyle.paragraph,
                default=words(message, self._desk.link.me)[:FORM_CHARACTERS],
                max_length=FORM_CHARACTERS,
            )
        )
        form.stop()  # nothing of it is kept in memory
        await self._try(self._desk.link.calls(interaction.response.send_modal(form)))

    async def filled_in(self, interaction: Interaction) -> None:
        """A form was sent."""
        fields = dict(_fields(interaction.data or {}))
        await self.ask(interaction, fields.get("question", ""), quote=fields.get("about", ""))

    # Commands.

    async def obey(self, interaction: Interaction, name: str, argument: str = "", *, in_place: bool = False) -> None:
        """One of the commands that every front has. What it says is for the one person; ``in_place``: where a choice
        of it was offered before."""
        again = name == "retry"
        asker = Asker(
            user=name_of(interaction.user.id),
            conversation=self.conversation(interaction),
            language=await self.language(interaction),
            event=self._desk.link.names.event(interaction.id),
            place=str(self.place(interaction, private=False)),
            places=self.places(interaction),
            at=interaction.created_at.timestamp(),
        )
        obeying = self._commands.obey(name, argument, asker)
        outcome = await self.settle(interaction, obeying, private=not again, thinking=True)
        if outcome is None:
            return
        if outcome.reply is not None:
            await self._follow(interaction, outcome.reply, private=False, thinking=True)
            return
        more: dict[str, Any] = {}
        if outcome.file is not None:
            more["file"] = discord.File(BytesIO(outcome.file.data), outcome.file.name)
        if outcome.choices:
            more["view"] = choices_of(outcome.choices[:MOST_CHOICES])
        text = outcome.text or (outcome.file.caption if outcome.file is not None else "")
        if in_place and not interaction.response.is_done():
            edit = interaction.response.edit_message(content=text, view=more.get("view"))
            await self._try(self._desk.link.calls(edit))
        else:
            await self.tell(interaction, text, **more)
        if outcome.admitted:
            await self._welcome(outcome.admitted)

    async def chosen(self, interaction: Interaction, command: str, argument: str) -> None:
        """A button that a command offered; its message is seen by one person alone."""
        await self.obey(interaction, command, argument, in_place=True)

    async def personas(self, interaction: Interaction, begun: str) -> list[tuple[str, str]]:
        """Titles and names of the personas that fit what somebody has begun to type."""
        language, begun = await self.language(interaction), begun.casefold()
        titles = [
            (persona.title.get(language) or persona.title.get("en") or name, name)
            for name, persona in self._desk.chat.personas.items()
        ]
        return [(title, name) for title, name in titles if begun in title.casefold() or begun in name.casefold()]

    async def _welcome(self, who: str) -> None:
        """Somebody was admitted, and may be told; a role or a server cannot."""
        if not who.startswith(PREFIX):
            return
        link, number = self._desk.link, int(who.removeprefix(PREFIX))
        say = await self._desk.say(who)

        async def write() -> None:
            direct = await link.client.create_dm(discord.Object(number))
            await direct.send(say("admitted"))

        await self._try(link.calls(write()))

    # How an interaction is answered.

    async def show(
        self, interaction: Interaction, work: Coroutine[Any, Any, Reply], *, private: bool, thinking: bool = True
    ) -> None:
        """Show the answer that ``work`` begins."""
        reply = await self.settle(interaction, work, private=private, thinking=thinking)
        if reply is not None:
            await self._follow(interaction, reply, private=private, thinking=thinking)

    async def _follow(self, interaction: Interaction, reply: Reply, *, private: bool, thinking: bool) -> None:
        """Show the answer; one that is shown already was asked for before, and whoever asks again hears so."""
        if reply.turn.shown:
            await self.tell(interaction, (await self.say(interaction))("already-done"))
            return
        await self.acknowledge(interaction, private=private, thinking=thinking)
        self._desk.show(reply)

    async def settle(
        self, interaction: Interaction, work: Coroutine[Any, Any, T], *, private: bool = True, thinking: bool = False
    ) -> T | None:
        """What the core makes of it; None where it refuses, which is told in private."""
        task = asyncio.ensure_future(work)
        await asyncio.wait({task}, timeout=DEFER_SECONDS)
        if not task.done():
            await self.acknowledge(interaction, private=private, thinking=thinking)
        try:
            return await task
        except Refused as refusal:
            await self.tell(interaction, refused(await self.say(interaction), refusal))
            return None

    async def acknowledge(self, interaction: Interaction, *, private: bool = True, thinking: bool = False) -> None:
        """Tell Discord that the answer comes, if that was not told before."""
        if interaction.response.is_done():
            return
        await self._try(self._desk.link.calls(interaction.response.defer(ephemeral=private, thinking=thinking)))

    async def tell(self, interaction: Interaction, sentence: str, **more: Any) -> None:
        """A sentence for the one person alone."""
        calls, response = self._desk.link.calls, interaction.response
        if not response.is_done():
            await self._try(calls(response.send_message(sentence, ephemeral=True, suppress_embeds=True, **more)))
            return
        if response.type is discord.InteractionResponseType.deferred_channel_message:
            await self._forget_response(interaction)  # what follows a public one would be public
        await self._try(calls(interaction.followup.send(sentence, ephemeral=True, suppress_embeds=True, **more)))

    async def say(self, interaction: Interaction) -> Say:
        """The sentences in the person's language."""
        return self._desk.wording.bind(await self.language(interaction))

    async def language(self, interaction: Interaction) -> str:
        """What the person chose, else what their program speaks."""
        desk = self._desk
        return await desk.chat.language(name_of(interaction.user.id)) or desk.language(interaction.locale)

    # Who and where.

    def revision(self, interaction: Interaction, turn: Turn) -> Revision:
        """What a button or a menu wants made of ``turn``."""
        return Revision(
            turn.id,
            name_of(interaction.user.id),
            self._desk.link.names.event(interaction.id),
            at=interaction.created_at.timestamp(),
            places=self.places(interaction),
            moderates=self.moderates(interaction),
        )

    def conversation(self, interaction: Interaction) -> str:
        """The person's conversation here."""
        return conversation_of(interaction.channel_id or 0, interaction.user.id)

    def place(self, interaction: Interaction, *, private: bool) -> Place:
        """Where its answer is shown."""
        link = self._desk.link
        return Place(
            interaction.channel_id or 0,
            interaction=interaction.id,
            token=interaction.token,
            until=link.clock() + self._desk.options.token_seconds,
            alone=private or not _may_write(interaction),
            user=interaction.user.id,
        )

    def places(self, interaction: Interaction) -> tuple[str, ...]:
        """The names by which its person may be admitted; nothing but their own where they brought the app along."""
        if not interaction.is_guild_integration():
            return ()
        return places(interaction.guild, interaction.channel, getattr(interaction.user, "roles", ()))

    def scope(self, interaction: Interaction) -> str:
        """Who can read a public answer here."""
        if interaction.guild_id is None:
            return name_of(interaction.channel_id or 0) if interaction.context.private_channel else ""
        return scope(interaction.guild, interaction.channel) if interaction.channel is not None else ""

    def moderates(self, interaction: Interaction) -> str:
        """The chat in which its person may do with answers as they like; "" where somebody brought the app along, whom
        the server has not asked in."""
        may = interaction.is_guild_integration() and interaction.permissions.manage_messages
        return self.scope(interaction) if may else ""

    async def _turn_under(self, interaction: Interaction, number: int, *, newest: bool = False) -> Turn:
        """The turn whose button was pressed; where the message shows a newer answer than its buttons do, and the
        question was edited meanwhile or ``newest`` is wanted, that one. Raises NotFound.

        A number alone proves nothing: the message must be one of those in which this question is answered, or one of
        ours in the turn's channel, sent after it was accepted, of which the store has not heard yet.
        """
        chat, message = self._desk.chat, interaction.message
        if message is None:
            raise NotFound
        turn = await chat.turn(number)
        try:
            shown = last = await self._turn_in(message)
        except NotFound:
            if not self._is_ours(message) or not _may_show(message, turn):
                raise
            return turn
        while shown.id != turn.id and shown.source is not None and shown.kind in ("regenerate", "edit"):
            newest |= shown.kind == "edit"
            shown = await chat.turn(shown.source)
        if shown.id != turn.id:
            raise NotFound
        return last if newest else turn

    async def _newest_of(self, message: discord.Message) -> Turn:
        """What stands in the messages of the answer that this is, or is the question of. Raises NotFound."""
        turn = await self._turn_in(message)
        return await self._desk.chat.turn(turn.refs[0]) if turn.refs and turn.refs[0] else turn

    async def _turn_in(self, message: discord.Message) -> Turn:
        """The turn that the store knows a message by: by its id, or by the interaction that ours answers. Raises
        NotFound."""
        chat, names, made = self._desk.chat, self._desk.link.names, message.interaction_metadata
        try:
            return await chat.turn(names.event(message.id))
        except NotFound:
            if made is None or not self._is_ours(message):
                raise
            return await chat.turn(names.event(made.id))

    def _is_ours(self, message: discord.Message) -> bool:
        return message.author.id == self._desk.link.me.id

    def _is_alone(self, interaction: Interaction) -> bool:
        message = interaction.message
        return message is not None and (message.flags.ephemeral or not _may_write(interaction))

    async def _forget_response(self, interaction: Interaction) -> None:
        await self._try(self._desk.link.calls(interaction.delete_original_response()))

    async def _try(self, call: Coroutine[Any, Any, Any]) -> None:
        try:
            await call
        except ChannelError as failure:
            log.info("an interaction was not answered", extra={"why": str(failure)})


def _may_show(message: discord.Message, turn: Turn) -> bool:
    """May a message of ours that the store does not know yet be one of this turn's? A number of another database, say,
    means a turn elsewhere, or one that is newer than the message."""
    place = Place.read(turn.place) if turn.conversation.startswith(PREFIX) else None
    sent = message.created_at.timestamp() + CLOCKS_APART
    return place is not None and place.channel == message.channel.id and turn.accepted <= sent


def _asker(turn: Turn) -> int:
    """The id of who asked; 0 where that was forgotten."""
    return int(turn.user.rpartition(":")[2] or 0)


def _may_write(interaction: Interaction) -> bool:
    """May the bot send and edit ordinary messages there?"""
    if interaction.guild_id is None:
        return bool(interaction.context.dm_channel)
    if not interaction.is_guild_integration():
        return False
    may = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    return may.view_channel and (may.send_messages_in_threads if in_thread else may.send_messages)


def _fields(data: Any) -> list[tuple[str, str]]:
    """What was written into a form's fields."""
    if isinstance(data, dict):
        own = [(data["custom_id"], data["value"])] if "custom_id" in data and "value" in data else []
        inner = [*(data.get("components") or ()), *([data["component"]] if data.get("component") else [])]
        return own + [field for one in inner for field in _fields(one)]
    return []
