"""The people of the world, and what each can do with Discord's own program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tests.servers.discord import interactions, model
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.model import Channel, Message, User

if TYPE_CHECKING:
    from tests.servers.discord.server import DiscordServer

SUBCOMMAND, FILE = 1, 11


class Person:
    """One person at Discord's program. ``server`` is where they are."""

    def __init__(self, server: DiscordServer, user: User) -> None:
        self.server, self.user = server, user
        self._world = server.world

    @property
    def direct(self) -> Channel:
        """Their direct messages with the bot."""
        return self._world.direct(self._world.bot, self.user)

    def says(
        self,
        channel: Channel,
        text: str,
        *,
        to: Message | None = None,
        ping: bool = True,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> Message:
        """Write a message, maybe as a reply, with or without its ping."""
        return self._world.post(
            self.user,
            channel,
            text,
            refers_to=to.id if to is not None else None,
            ping_author=ping,
            attachments=[self._world.attach(channel, name, data) for name, data in files],
        )

    def asks(self, channel: Channel, text: str, **how: Any) -> Message:
        """Write a message that mentions the bot."""
        return self.says(channel, f"<@{self._world.bot.id}> {text}", **how)

    def edits(self, message: Message, text: str) -> None:
        """Change a message of theirs."""
        self._world.edit(message, content=text)

    def deletes(self, message: Message) -> None:
        """Take a message away."""
        self.deletes_all(message)

    def deletes_all(self, *messages: Message) -> None:
        """Take messages of one channel away; several at once are one event."""
        self._world.delete(*messages)
        self.server.wake()

    def runs(self, command: str, channel: Channel, *, installed: str = "guild", **options: Any) -> Interaction:
        """Use a slash command (``admin pause`` with its group), as Discord's program offers it. A file is its name and
        its data."""
        return self._command(interactions.COMMAND, command, channel, installed, options, focused=None)

    def types(self, command: str, channel: Channel, **options: Any) -> Interaction:
        """Begin to write an option of a command, the last one named."""
        return self._command(interactions.AUTOCOMPLETE, command, channel, "guild", options, focused=list(options)[-1])

    def picks(self, menu: str, message: Message, *, installed: str = "guild") -> Interaction:
        """Choose a command from a message's context menu."""
        known = next((one for one in self._world.commands if one["type"] == 3 and one["name"] == menu), None)
        assert known is not None, f"there is no menu {menu}"
        data = {
            "id": known["id"],
            "name": menu,
            "type": 3,
            "target_id": str(message.id),
            "resolved": {"messages": {str(message.id): message.payload(lambda one: True)}},
        }
        return self._begin(interactions.COMMAND, message.channel, data, installed)

    def presses(self, message: Message, action: str, *, installed: str = "guild") -> Interaction:
        """Press the button whose id names ``action``."""
        button = message.button(action)
        assert button is not None, f"no button {action} under {message.content!r}"
        data = {"custom_id": button["custom_id"], "component_type": 2}
        return self._begin(interactions.COMPONENT, message.channel, data, installed, message)

    def submits(self, opened: Interaction, **texts: str) -> Interaction:
        """Fill in the modal that an interaction opened: by default as it was filled in already."""
        assert opened.response == interactions.OPEN_MODAL
        rows = []
        for row in opened.given["components"]:
            parts = row["components"] if "components" in row else [row["component"]]
            filled = [
                {
                    "type": 4,
                    "id": n,
                    "custom_id": one["custom_id"],
                    "value": texts.get(one["custom_id"], one.get("value", "")),
                }
                for n, one in enumerate(parts)
            ]
            single = {"component": filled[0]} if "component" in row else {"components": filled}
            rows.append({"type": row["type"], "id": len(rows) + 100, **single})
        data = {"custom_id": opened.given["custom_id"], "components": rows}
        sent = self._begin(interactions.MODAL, opened.channel, data, opened.installed)
        sent.opened_by = opened
        return sent

    def _command(
        self,
        kind: int,
        command: str,
        channel: Channel,
        installed: str,
        options: dict[str, Any],
        focused: str | None,
    ) -> Interaction:
        name, _, sub = command.partition(" ")
        known = next((one for one in self._world.commands if one["type"] == 1 and one["name"] == name), None)
        assert known is not None, f"there is no command /{name}"
        offered = known.get("options") or []
        if sub:
            below = next((one for one in offered if one["type"] == SUBCOMMAND and one["name"] == sub), None)
            assert below is not None, f"there is no command /{command}"
            offered = below.get("options") or []
        types = {one["name"]: one["type"] for one in offered}
        chosen = {name: value for name, value in options.items() if types[name] == FILE}
        files = {name: self._world.attach(channel, *file) for name, file in chosen.items()}
        given = [
            {
                "name": option,
                "type": types[option],
                "value": str(files[option].id) if option in files else value,
                **({"focused": True} if option == focused else {}),
            }
            for option, value in options.items()
        ]
        if sub:
            given = [{"name": sub, "type": SUBCOMMAND, "options": given}]
        data = {"id": known["id"], "name": name, "type": 1, "options": given}
        if files:
            data["resolved"] = {"attachments": {str(file.id): file.payload() for file in files.values()}}
        return self._begin(kind, channel, data, installed)

    def _begin(
        self, kind: int, channel: Channel, data: dict[str, Any], installed: str, message: Message | None = None
    ) -> Interaction:
        begun = self.server.interactions.begin(kind, self.user, channel, data, installed=installed, message=message)
        self.server.wake()
        return begun


def answers(channel: Channel) -> list[Message]:
    """What the bot shows in a channel."""
    return [message for message in channel.shown() if message.author.bot]


def hidden(message: Message | None) -> bool:
    """Is it shown to one person alone?"""
    return message is not None and bool(message.flags & model.EPHEMERAL)
