"""How Telegram's people, chats, messages and presses are called in core: every key, event and place. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

PLATFORM = "telegram"
PREFIX = f"{PLATFORM}:"


def person(user: int) -> str:
    """A person, or a chat as a place that may be admitted."""
    return f"{PREFIX}{user}"


def chat_of(name: str) -> int | None:
    """The chat in which a person (or place) of that name is reached, if it is one of Telegram's."""
    platform, _, number = name.partition(":")
    return int(number) if platform == PLATFORM and number.removeprefix("-").isdecimal() else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer is shown: the chat and its topic, in a group or not; and the question's message (0 = none)."""

    chat: int
    message: int = 0
    topic: int | None = None
    group: bool = False

    def __str__(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Place:
        """The place that was written as ``text``."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Names:
    """The names that one bot gives; its number is in all of them, so that two bots never take one for the other's."""

    bot: int

    @property
    def prefix(self) -> str:
        """What the keys of all its conversations begin with."""
        return f"{PREFIX}{self.bot}:"

    def in_chat(self, chat: int) -> str:
        """What the keys of a chat's conversations begin with."""
        return f"{self.prefix}{chat}:"

    def scope(self, chat: int, topic: int | None) -> str:
        """The chat or topic in which everybody reads the same."""
        return f"{self.prefix}{chat}" if topic is None else f"{self.prefix}{chat}:{topic}"

    def conversation(self, chat: int, topic: int | None, user: int) -> str:
        """A person's conversation in a chat or topic."""
        return f"{self.scope(chat, topic)}:{user}"

    def message(self, chat: int, message: int, edited: int | None = None) -> str:
        """A message as an event, or one that was edited then; without that also the ref of a message of ours."""
        event = f"{self.prefix}{chat}:{message}"
        return event if edited is None else f"{event}:{edited}"

    def press(self, callback: str) -> str:
        """A press of a button as an event."""
        return f"{self.prefix}cb:{callback}"


def message_of(ref: str) -> tuple[int, int]:
    """Chat and message that a ref of ours names."""
    _, _, chat, message = ref.split(":")
    return int(chat), int(message)
