"""The commands and menus in Discord's own list, in three languages; what each does is elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bots.discord.calls import Calls
from bots.discord.catching_up import Marks
from bots.discord.interactions import Interaction, Interactions
from bots.discord.names import PREFIX
from bots.talk.channel import ChannelError, Gone, RetryAfter
from bots.talk.connection import LONGEST_BACK_OFF
from bots.talk.wording import Wording
from core.errors import ConchError

log = logging.getLogger(__name__)
EVERYWHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
BY_ANYBODY = app_commands.AppInstallationType(guild=True, user=True)
PLAIN = ("new", "stop", "retry", "undo", "status", "privacy", "export", "forget", "help")
"""Commands with nothing behind their name."""
ADMIN = ("pause", "resume", "drain", "stats")
MOST_CHOICES = 25
LONGEST = 100
Callback = Callable[..., Coroutine[Any, Any, None]]
Command = app_commands.Command[Any, ..., None]


class Translator(app_commands.Translator):
    """Our sentences, by the ``key`` that each string carries."""

    def __init__(self, wording: Wording) -> None:
        self._wording = wording

    async def translate(
        self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes
    ) -> str | None:
        """None where Discord's language is none of ours: then the English is shown."""
        language = self._wording.choose([locale.value])
        if language == "en" or "key" not in string.extras:
            return None
        return self._wording(language, string.extras["key"])[:LONGEST]


class CommandTree(app_commands.CommandTree[Any]):
    """All commands of one client."""

    def __init__(self, client: discord.Client, interactions: Interactions, wording: Wording) -> None:
        super().__init__(client, allowed_contexts=EVERYWHERE, allowed_installs=BY_ANYBODY)
        self._interactions, self._wording = interactions, wording
        for command in (self._ask(), *map(self._plain, PLAIN), self._persona(), self._language()):
            self.add_command(command)
        self.add_command(self._admin())
        self.add_command(app_commands.ContextMenu(name=self._text("menu-ask-about"), callback=self._ask_about))
        self.add_command(app_commands.ContextMenu(name=self._text("menu-regenerate"), callback=self._regenerate))

    async def publish(self, calls: Calls, marks: Marks, app: int, back_off: float) -> None:
        """Tell Discord of the commands, if they are not what it was told last: beside everything else, however often
        that has to be tried, the first time after ``back_off`` seconds."""
        while not self.client.is_closed():
            wait = back_off
            try:
                return await calls(self._publish(marks, app))
            except Gone as refusal:
                log.error("Discord does not take the commands: %s", refusal)
                return None
            except (ChannelError, ConchError) as failure:
                log.warning("Discord was not told of the commands, tried again: %s", failure)
                wait = max(wait, failure.seconds if isinstance(failure, RetryAfter) else 0)
            await asyncio.sleep(wait)
            back_off = min(2 * back_off, LONGEST_BACK_OFF)
        return None

    async def _publish(self, marks: Marks, app: int) -> None:
        translator = Translator(self._wording)
        await self.set_translator(translator)
        payload = [await command.get_translated_payload(self, translator) for command in self.get_commands()]
        key, told = f"{PREFIX}{app}:commands", hashlib.sha256(json.dumps(payload).encode()).hexdigest()
        if await marks.get(key) != told:
            await self.sync()
            await marks.put(key, told)

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """A person gets a word, the log a line."""
        log.error("a command failed", exc_info=error.__cause__ or error)
        await self._interactions.tell(interaction, (await self._interactions.say(interaction))("failed"))

    # Commands.

    def _ask(self) -> Command:
        interactions = self._interactions

        async def ask(
            interaction: discord.Interaction[Any],
            question: str,
            persona: str | None = None,
            private: bool = False,
            file: discord.Attachment | None = None,
        ) -> None:
            files = [file] if file is not None else []
            await interactions.ask(interaction, question, persona=persona, private=private, files=files)

        command = self._command("ask", ask, "question", "persona", "private", "file")
        command.autocomplete("persona")(self._personas)
        return command

    def _plain(self, name: str) -> Command:
        async def obey(interaction: discord.Interaction[Any]) -> None:
            await self._interactions.obey(interaction, name)

        return self._command(name, obey)

    def _persona(self) -> Command:
        async def persona(interaction: discord.Interaction[Any], persona: str = "") -> None:
            await self._interactions.obey(interaction, "persona", persona)

        command = self._command("persona", persona, "persona")
        command.autocomplete("persona")(self._personas)
        return command

    def _language(self) -> Command:
        wording = self._wording

        async def language(interaction: discord.Interaction[Any], language: str = "") -> None:
            await self._interactions.obey(interaction, "language", language)

        names = [app_commands.Choice(name=wording(code, "language-name"), value=code) for code in wording.languages]
        return self._command("language", app_commands.choices(language=names)(language), "language")

    def _admin(self) -> app_commands.Group:
        """Shown to those who may manage a server; that it is the owner is looked at when it is used."""
        group = app_commands.Group(
            name=self._text("name-admin"),
            description=self._text("command-admin"),
            default_permissions=discord.Permissions(manage_guild=True),
            allowed_contexts=EVERYWHERE,
            allowed_installs=BY_ANYBODY,
        )
        for name in (*ADMIN, "allow", "deny"):
            group.add_command(self._admin_command(name))
        return group

    def _admin_command(self, name: str) -> Command:
        async def obey(interaction: discord.Interaction[Any]) -> None:
            await self._interactions.obey(interaction, "admin", name)

        async def obey_about(interaction: discord.Interaction[Any], who: str) -> None:
            mentioned = re.fullmatch(r"<(?:@[!&]?|#)(\d+)>", who.strip())
            await self._interactions.obey(interaction, "admin", f"{name} {mentioned[1] if mentioned else who}")

        if name in ADMIN:
            return self._command(name, obey, about=f"admin-{name}")
        return self._command(name, obey_about, "who", about=f"admin-{name}")

    async def _ask_about(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._interactions.ask_about(interaction, message)

    async def _regenerate(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._interactions.regenerate_this(interaction, message)

    async def _personas(self, interaction: discord.Interaction[Any], begun: str) -> list[app_commands.Choice[str]]:
        offered = await self._interactions.personas(interaction, begun)
        return [app_commands.Choice(name=title[:LONGEST], value=name) for title, name in offered[:MOST_CHOICES]]

    def _text(self, key: str) -> locale_str:
        return locale_str(self._wording("en", key)[:LONGEST], key=key)

    def _command(self, name: str, callback: Callback, *options: str, about: str = "") -> Command:
        """A command, its options described and named in all languages."""
        described = {option: self._text(f"about-{option}") for option in options}
        renamed = {option: self._text(f"option-{option}") for option in options}
        if options:
            callback = app_commands.describe(**described)(app_commands.rename(**renamed)(callback))
        return app_commands.Command(
            name=self._text(f"name-{about or name}"),
            description=self._text(f"about-{about}" if about else f"command-{name}"),
            callback=callback,
        )
