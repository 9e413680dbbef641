"""The commands and menus, in Discord's own list in three languages; what each does is elsewhere."""

from __future__ import annotations

import hashlib
import json
import logging
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from bots.discord_bot_history import Marks
from bots.discord_bot_interactions import Interaction, Interactions
from bots.discord_bot_place import PREFIX
from bots.wording import Wording

log = logging.getLogger(__name__)
EVERYWHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
BY_ANYBODY = app_commands.AppInstallationType(guild=True, user=True)
MOST_CHOICES = 25
SHORT = 100


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
        return self._wording(language, string.extras["key"])[:SHORT]


class CommandTree(app_commands.CommandTree[Any]):
    """All commands of one client."""

    def __init__(self, client: discord.Client, interactions: Interactions, wording: Wording) -> None:
        super().__init__(client, allowed_contexts=EVERYWHERE, allowed_installs=BY_ANYBODY)
        self._interactions, self._wording = interactions, wording
        self.add_command(self._ask())
        self.add_command(app_commands.ContextMenu(name=self._text("menu-ask-about"), callback=self._ask_about))
        self.add_command(app_commands.ContextMenu(name=self._text("menu-regenerate"), callback=self._regenerate))

    async def publish(self, marks: Marks, app: int) -> None:
        """Tell Discord of the commands, if they are not what it was told last."""
        await self.set_translator(Translator(self._wording))
        payload = [await command.get_translated_payload(self, self.translator) for command in self.get_commands()]  # type: ignore[arg-type]
        key, told = f"{PREFIX}{app}:commands", hashlib.sha256(json.dumps(payload).encode()).hexdigest()
        if await marks.get(key) == told:
            return
        await self.sync()
        await marks.put(key, told)

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        """A person gets a word, the log a line."""
        log.error("a command failed", exc_info=error.__cause__ or error)
        await self._interactions.tell(interaction, (await self._interactions.say(interaction))("failed"))

    def _text(self, key: str) -> locale_str:
        return locale_str(self._wording("en", key)[:SHORT], key=key)

    def _ask(self) -> app_commands.Command[Any, ..., None]:
        interactions = self._interactions

        async def ask(
            interaction: discord.Interaction[Any], question: str, persona: str | None = None, private: bool = False
        ) -> None:
            await interactions.ask(interaction, question, persona=persona, private=private)

        command: app_commands.Command[Any, ..., None] = app_commands.Command(
            name=self._text("name-ask"), description=self._text("command-ask"), callback=ask
        )
        return command

    async def _ask_about(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._interactions.ask_about(interaction, message)

    async def _regenerate(self, interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await self._interactions.regenerate_this(interaction, message)
