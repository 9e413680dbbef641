"""The buttons under an answer. Each carries in its id what it needs, so that it works after any restart."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import discord

from bots.talk.commands import Choice
from bots.talk.view import Button
from bots.talk.wording import Say

Press = Callable[[discord.Interaction[Any], Button, int], Awaitable[None]]
"""What a press does: the interaction, the button, and the turn."""

LABEL, CUSTOM_ID = 80, 100
"""Characters that Discord takes."""
STYLES = {
    "stop": discord.ButtonStyle.danger,
    "regenerate": discord.ButtonStyle.secondary,
    "proceed": discord.ButtonStyle.primary,
}
TEMPLATE = re.compile(r"conch:(?P<action>stop|regenerate|proceed):(?P<turn>\d+)(?::\d+)?")
"""Who asked stood at its end once, and still does under old answers; the store knows it better."""


CHOICE = re.compile(r"conch:do:(?P<command>[a-z]+):(?P<argument>.+)", re.DOTALL)


def dynamic_button(press: Press) -> type[discord.ui.DynamicItem[Any]]:
    """The class to register with a client: ``press`` is called for each of our buttons, however old it is."""

    async def pressed(interaction: discord.Interaction[Any], said: re.Match[str]) -> None:
        action: Any = said["action"]
        await press(interaction, action, int(said["turn"]))

    return _dynamic(TEMPLATE, pressed)


def dynamic_choice(
    choose: Callable[[discord.Interaction[Any], str, str], Awaitable[None]],
) -> type[discord.ui.DynamicItem[Any]]:
    """The class to register with a client: ``choose`` is called with the command and its argument."""
    return _dynamic(CHOICE, lambda interaction, said: choose(interaction, said["command"], said["argument"]))


def _dynamic(
    pattern: re.Pattern[str], act: Callable[[discord.Interaction[Any], re.Match[str]], Awaitable[None]]
) -> type[discord.ui.DynamicItem[Any]]:
    """A class of buttons: ``act`` is called with what ``pattern`` finds in the id of the one that was pressed."""

    class IdButton(discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template=pattern):
        @classmethod
        async def from_custom_id(
            cls, interaction: discord.Interaction[Any], item: discord.ui.Item[Any], match: re.Match[str], /
        ) -> IdButton:
            assert isinstance(item, discord.ui.Button)
            button = cls(item)
            button.said = match
            return button

        said: re.Match[str]

        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            await act(interaction, self.said)

    return IdButton


def choices_of(choices: Sequence[Choice]) -> discord.ui.View:
    """Ways to go on with a command."""
    view = discord.ui.View(timeout=None)
    for choice in choices:
        custom_id = f"conch:do:{choice.command}:{choice.argument}"
        view.add_item(discord.ui.Button(label=choice.label[:LABEL], custom_id=custom_id[:CUSTOM_ID]))
    view.stop()
    return view


def view_of(buttons: Sequence[Button], turn: int, say: Say) -> discord.ui.View | None:
    """The buttons as Discord's components; None for none."""
    if not buttons:
        return None
    view = discord.ui.View(timeout=None)
    for action in buttons:
        custom_id = f"conch:{action}:{turn}"
        view.add_item(discord.ui.Button(style=STYLES[action], label=say(f"button-{action}"), custom_id=custom_id))
    view.stop()  # so that the client keeps nothing of it in memory: the ids are enough
    return view


def turn_of(message: discord.Message) -> int | None:
    """The turn whose buttons stand under a message, which must be ours: others can put any number there."""
    for row in message.components:
        for component in getattr(row, "children", ()):
            if match := TEMPLATE.fullmatch(getattr(component, "custom_id", None) or ""):
                return int(match["turn"])
    return None
