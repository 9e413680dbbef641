"""Where an answer is shown on Discord, as one string that a turn keeps; and the names of what there is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PREFIX = "discord:"


@dataclass(frozen=True, slots=True)
class Place:
    """A channel, and what there is to answer in it: a message (``question``) or an interaction.

    ``token`` answers the interaction until ``until`` (Unix seconds). ``alone``: only that token reaches the answer,
    because one person alone may see it or because the bot may not write there; past ``until`` it goes on in direct
    messages with ``user``.
    """

    channel: int
    question: int = 0
    interaction: int = 0
    token: str = ""
    until: float = 0.0
    alone: bool = False
    user: int = 0

    def __str__(self) -> str:
        kept = {name: value for name, value in asdict(self).items() if value}
        return json.dumps(kept, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Place | None:
        """The place that was written so; None where it was forgotten."""
        return cls(**json.loads(text)) if text else None


def name_of(snowflake: int) -> str:
    """A person or a place (a role, a channel, a server): all of Discord's ids differ."""
    return f"{PREFIX}{snowflake}"


def conversation_of(channel: int, user: int) -> str:
    """Each person has their own conversation in each channel."""
    return f"{PREFIX}{channel}:{user}"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one application's events and messages."""

    app: int

    def event(self, snowflake: int) -> str:
        """A message or an interaction. What an answer's message is called is an event of its turn, too."""
        return f"{PREFIX}{self.app}:{snowflake}"

    def edited(self, snowflake: int, when: float) -> str:
        """One edit of a message."""
        return f"{self.event(snowflake)}:{when:.6f}"

    def original(self, interaction: int) -> str:
        """The response of an interaction that only its token reaches."""
        return f"{PREFIX}{self.app}:@{interaction}"

    def message(self, ref: str) -> int | None:
        """The id of the message that a ref names; None for what only a token reaches."""
        snowflake = ref.rpartition(":")[2]
        return int(snowflake) if snowflake.isdigit() else None
