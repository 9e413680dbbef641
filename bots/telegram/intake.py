"""What an update means and to whom: each becomes a call of the core, committed before Telegram is told that it came.

Updates are taken one after the other. What Telegram delivers twice, because we died before we could tell it, changes
nothing the second time: questions, edits and presses have events, and of commands it is remembered which were given.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from telegram import CallbackQuery, ChatMemberUpdated, Message, Update, User
from telegram.constants import ChatMemberStatus, ChatType

from bots.talk.commands import Asker, Commands, Outcome
from bots.talk.files import Unreadable
from bots.talk.wording import Wording, refused
from bots.telegram.messages import (
    Command,
    Words,
    answers,
    command_of,
    files_of,
    in_group,
    is_for,
    is_others_command,
    is_said,
    topic_of,
    words_of,
)
from bots.telegram.names import PREFIX, Names, Place, chat_of, person
from bots.telegram.once import Given
from bots.telegram.refusals import Refusals
from bots.telegram.speakers import Screen, Speaker, Speakers
from core.chat import chat as core
from core.chat.reply import Reply
from core.errors import NotAllowed, NotFound, NotYours, Refused, StoreError, StoreFull
from core.messages import Attachment, Question, Revision
from core.store.store import Store

log = logging.getLogger(__name__)

FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 15.0
"""Seconds before an update is taken again that the store could not take: doubled each time, up to the second."""
FOR_STRANGERS = ("help", "privacy", "language", "export", "forget")
"""Commands that are nobody's to refuse."""
MEMBERS = (ChatMemberStatus.MEMBER, ChatMemberStatus.ADMINISTRATOR)
BUTTONS = ("stop", "regenerate", "proceed")
CHOICE = "c"
"""What the data of a button that gives a command begins with; the person whose it is, and the command follow."""


@dataclass(frozen=True, slots=True)
class Manners:
    """``language`` is spoken with everybody who chose none ("" = the one of their app); ``everything`` are groups in
    which every message is a question."""

    language: str = ""
    everything: frozenset[int] = frozenset()


class Intake:
    """The updates of one bot."""

    def __init__(
        self,
        chat: core.Chat,
        store: Store,
        me: User,
        commands: Commands[Reply],
        wording: Wording,
        screen: Screen,
        manners: Manners,
    ) -> None:
        self._chat, self._store, self._me, self._commands = chat, store, me, commands
        self._screen, self._everything = screen, manners.everything
        self._speakers = Speakers(chat, wording, manners.language)
        self._refusals = Refusals(chat, screen)
        self._names = Names(me.id)
        self.given = Given(store, f"{self._names.prefix}given")

    async def take(self, update: Update, raw: Mapping[str, Any] | None = None) -> None:
        """Returns when what the update says is committed, or refused. Raises nothing: PTB would stop for good.

        ``raw`` is the update as it came, where PTB cannot read it.
        """
        wait = FIRST_BACK_OFF
        while True:
            try:
                await (self._take(update) if raw is None else self._keep(raw))
                return
            except (StoreError, StoreFull, OSError) as failure:
                log.error("an update waits for the store: %s", failure)
            except Exception as failure:
                log.error("update %d could not be taken", update.update_id, exc_info=failure)
                await self._apologize(update)
                return
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_BACK_OFF)

    async def _take(self, update: Update) -> None:
        if update.message is not None:
            await self._message(update.message, update.update_id)
        elif update.edited_message is not None:
            await self._edited(update.edited_message)
        elif update.callback_query is not None:
            await self._pressed(update.callback_query, update.update_id)
        elif update.my_chat_member is not None:
            await self._member(update.my_chat_member)

    # Messages.

    async def _message(self, message: Message, update: int) -> None:
        if message.migrate_to_chat_id is not None:
            await self._screen.migrated(message.chat.id, message.migrate_to_chat_id)
        self._screen.saw(message.chat.id, message.message_id)
        speaker = await self._speakers.of(message)
        if speaker is None or not is_said(message) or is_others_command(message, self._me):
            return
        if command := command_of(message, self._me):
            await self._command(command, message, speaker, update)
        elif self._is_asked(message):
            await self._ask(message, speaker, message.date.timestamp())
        elif message.text:
            await self._go_on(message, speaker)

    async def _ask(self, message: Message, speaker: Speaker, at: float) -> None:
        """A question, or something else than words that we cannot read."""
        words = words_of(message, self._me)
        try:
            files = files_of(message)
            reply = await self._send(message, speaker, words, files, at)
        except Unreadable as unreadable:
            if await self._admits(speaker):
                self._refusals.notice(speaker, unreadable.cause)
        except Refused as refusal:
            await self._refusals.refuse(speaker, refusal)
        else:
            self._refusals.over(speaker)
            self._screen.follow(reply)

    async def _go_on(self, message: Message, speaker: Speaker) -> None:
        """What names us no more may be the rest of a long question that the app has cut, or nothing for us."""
        try:
            reply = await self._send(
                message, speaker, words_of(message, self._me), (), message.date.timestamp(), only_more=True
            )
        except NotFound:
            return
        except Refused as refusal:
            await self._refusals.refuse(speaker, refusal)
        else:
            self._screen.follow(reply)

    async def _send(
        self,
        message: Message,
        speaker: Speaker,
        words: Words,
        files: tuple[Attachment, ...],
        at: float,
        *,
        only_more: bool = False,
    ) -> Reply:
        """A reply to an answer continues from there; to anything else of ours it is a question like any other."""
        chat, topic = message.chat.id, topic_of(message)
        replied = message.reply_to_message if answers(message, self._me) else None
        question = Question(
            self._conversation(speaker),
            speaker.name,
            self._names.message(chat, message.message_id),
            words.text,
            place=str(speaker.place),
            at=at,
            parent=None if replied is None else self._names.message(chat, replied.message_id),
            language=speaker.language,
            places=speaker.places,
            scope=self._names.scope(chat, topic) if speaker.place.group else "",
            quote=words.quote,
            attachments=files,
            more_until=words.more_until,
            only_more=only_more,
        )
        try:
            return await self._chat.send(question)
        except (NotFound, NotYours):
            if question.parent is None:
                raise
            return await self._chat.send(replace(question, parent=None))

    async def _edited(self, message: Message) -> None:
        """Other words for a question; what was none before may be one now. A place on a map moves without a word."""
        speaker = await self._speakers.of(message)
        if speaker is None or message.edit_date is None or command_of(message, self._me) is not None:
            return
        at, event = message.edit_date.timestamp(), self._names.message(message.chat.id, message.message_id)
        try:
            edited = self._names.message(message.chat.id, message.message_id, int(at))
            text = words_of(message, self._me).text
            reply = await self._chat.edit(Revision(event, speaker.name, edited, text, at=at, places=speaker.places))
        except NotFound:
            if (message.text or message.caption) and self._is_asked(message):
                await self._ask(message, speaker, at)
        except NotYours:
            log.debug("an edit of a question that was forgotten")
        except Refused as refusal:
            await self._refusals.refuse(speaker, refusal)
        else:
            self._screen.follow(reply)

    # Commands and buttons.

    async def _command(self, command: Command, message: Message, speaker: Speaker, update: int) -> None:
        if command.name not in self._commands:
            if not in_group(message):
                self._refusals.notice(speaker, "unknown_command", command=f"/{command.name}")
            return
        opens = command.name == "start" and command.argument
        if command.name not in FOR_STRANGERS and not opens and not await self._admits(speaker):
            return
        replied = message.reply_to_message if answers(message, self._me) else None
        asker = self._asker(speaker, self._names.message(message.chat.id, message.message_id))
        if replied is not None:
            asker = replace(asker, target=self._names.message(message.chat.id, replied.message_id))
        await self._give(update, command, replace(asker, at=message.date.timestamp()), speaker)

    async def _give(
        self, update: int, command: Command, asker: Asker, speaker: Speaker, instead_of: int | None = None
    ) -> None:
        """Have it carried out, once. Its person hears of what goes wrong also when nobody waits for it any more."""
        work = self._obey(command, asker, speaker, instead_of)
        await self.given.once(update, work, lambda: self._refusals.notice(speaker, "failed"))

    async def _obey(self, command: Command, asker: Asker, speaker: Speaker, instead_of: int | None = None) -> None:
        try:
            outcome = await self._commands.obey(command.name, command.argument, asker)
        except Refused as refusal:
            outcome = Outcome(refused(speaker.say, refusal), done=False)
        except StoreError as failure:
            log.error("a command could not be carried out: %s", failure)
            outcome = Outcome(speaker.say("failed"), done=False)
        if outcome.reply is not None and outcome.reply.turn.shown:
            outcome = Outcome(speaker.say("already-done"))
        if outcome.reply is not None:
            self._screen.follow(outcome.reply)
        else:
            self._screen.tell(speaker, outcome, instead_of)
        if (chat := chat_of(outcome.admitted)) is not None:
            await self._welcome(outcome.admitted, Place(chat, group=chat < 0))

    async def _pressed(self, press: CallbackQuery, update: int) -> None:
        speaker = await self._speakers.who_pressed(press)
        word, _, rest = (press.data or "").partition(":")
        sentence = ""
        try:
            if word in BUTTONS and rest.isdecimal():
                sentence = await self._press(word, int(rest), press, speaker)
            elif word == CHOICE:
                whose, name, argument = (*rest.split(":", 2), "", "")[:3]
                if speaker.name != f"{PREFIX}{whose}" or name not in self._commands:
                    raise NotYours
                asker = self._asker(speaker, self._names.press(press.id))
                message = press.message.message_id if press.message is not None else None
                await self._give(update, Command(name, argument), asker, speaker, message)
        except Refused as refusal:
            sentence = refused(speaker.say, refusal)
        self._screen.toast(press, sentence)

    async def _press(self, word: str, turn: int, press: CallbackQuery, speaker: Speaker) -> str:
        """One of the buttons under an answer; what to say to whoever pressed it."""
        revision = Revision(turn, speaker.name, self._names.press(press.id), places=speaker.places)
        match word:
            case "stop":
                stopped = await self._chat.cancel(turn, speaker.name, places=speaker.places)
                return speaker.say("stopped" if stopped else "nothing-to-stop")
            case "regenerate":
                reply = await self._chat.regenerate(replace(revision, take_over=True))
            case _:
                reply = await self._chat.proceed(revision)
        self._screen.follow(reply)
        return speaker.say("already-done") if reply.turn.shown else ""

    # Groups.

    async def _member(self, change: ChatMemberUpdated) -> None:
        """We were added somewhere: an owner's group is admitted, another one asks for it."""
        chat = change.chat
        was, now = change.old_chat_member.status in MEMBERS, change.new_chat_member.status in MEMBERS
        if chat.type not in (ChatType.GROUP, ChatType.SUPERGROUP) or was or not now:
            return
        speaker = await self._speakers.named(person(change.from_user.id), Place(chat.id, group=True), change.from_user)
        if self._chat.owns(speaker.name):
            await self._chat.allow(person(chat.id))
        try:
            self._chat.check_admitted(person(chat.id))
        except NotAllowed:
            await self._refusals.refuse_stranger(speaker)
        else:
            await self._welcome(speaker.name, speaker.place, change.from_user)

    async def _welcome(self, who: str, place: Place, user: User | None = None) -> None:
        """A person or a group was admitted, and hears of it."""
        speaker = await self._speakers.named(who, place, user)
        key = "group-welcome" if place.group else "admitted"
        self._screen.tell(speaker, Outcome(speaker.say(key, name=f"@{self._me.username}")))

    # What goes wrong.

    async def _keep(self, raw: Mapping[str, Any]) -> None:
        """An update that PTB cannot read: kept as it came, as the property of whoever sent it, who hears of it."""
        said = next((part for part in raw.values() if isinstance(part, dict)), {})
        sender, chat = (_number(said.get(part)) for part in ("from", "chat"))
        if sender is None:
            log.warning("update %s cannot be read and names nobody, so it is lost", raw.get("update_id"))
            return
        await self._store.put(f"{person(sender)}:unread:{raw.get('update_id')}", json.dumps(raw))
        log.warning("update %s cannot be read; it is kept in the store", raw.get("update_id"))
        where = sender if chat is None else chat
        speaker = await self._speakers.named(person(sender), Place(where, group=where < 0))
        self._refusals.notice(speaker, "failed")

    async def _apologize(self, update: Update) -> None:
        """Something in us went wrong at this update: whoever sent it should not wait for an answer. Raises nothing."""
        press, message = update.callback_query, update.effective_message
        try:
            if press is not None:
                self._screen.toast(press, (await self._speakers.who_pressed(press)).say("failed"))
            elif message is not None and (speaker := await self._speakers.of(message)) is not None:
                self._refusals.notice(speaker, "failed")
        except Exception as failure:
            log.error("nobody was told that update %d could not be taken", update.update_id, exc_info=failure)

    # Who and where.

    async def _admits(self, speaker: Speaker) -> bool:
        """May they speak here? If not they hear so."""
        try:
            self._chat.check_admitted(speaker.name, speaker.places)
        except NotAllowed:
            await self._refusals.refuse_stranger(speaker)
            return False
        return True

    def _is_asked(self, message: Message) -> bool:
        """Is it a question to us? The settings may name a group, where everything is one, by the id that it had."""
        chats = ((named, self._screen.whereabouts(named)) for named in self._everything)
        return is_for(message, self._me) or any(message.chat.id in chat for chat in chats)

    def _asker(self, speaker: Speaker, event: str) -> Asker:
        return Asker(
            user=speaker.name,
            conversation=self._conversation(speaker),
            language=speaker.language,
            event=event,
            place=str(speaker.place),
            places=speaker.places,
        )

    def _conversation(self, speaker: Speaker) -> str:
        place, user = speaker.place, chat_of(speaker.name)
        assert user is not None
        return self._names.conversation(place.chat, place.topic, user)


def _number(part: object) -> int | None:
    """The id of a person or chat in a raw update."""
    found = part.get("id") if isinstance(part, dict) else None
    return found if isinstance(found, int) else None
