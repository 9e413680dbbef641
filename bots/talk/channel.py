"""Where one answer is shown: the few calls that every chat platform has, and how they fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from bots.talk.pacing import Pace
from bots.talk.view import Button
from bots.text.splitting import Part


class ChannelError(Exception):
    """A platform did not do what it was asked to. Adapters raise one of those below; nothing else is tried again."""


class RetryAfter(ChannelError):
    """The platform wants to be left alone for ``seconds``, in this chat or, with ``everywhere``, altogether."""

    def __init__(self, seconds: float, *, everywhere: bool = False) -> None:
        super().__init__(f"again in {seconds:g} s")
        self.seconds = seconds
        self.everywhere = everywhere


class Gone(ChannelError):
    """The message or its chat is no more, or not ours to write in: the answer cannot be shown."""


class Lost(ChannelError):
    """The messages are no more where they were, their chat is: they have to be sent anew."""


class SplitAnew(ChannelError):
    """The platform does not take parts of this form; from now on the channel splits into another, so split again."""


class Unchanged(ChannelError):
    """The message looks like that already: as good as done."""


class Unreachable(ChannelError):
    """A fault on the way, which passes; the call may have arrived or not. Also for any OSError and TimeoutError."""


class Channel(Protocol):
    """Where one answer is shown: what every chat platform can do. Its calls bound themselves in time (15 s)."""

    @property
    def pace(self) -> Pace:
        """The budget of its chat, shared by all answers there."""

    def split(self, text: str) -> Sequence[Part]:
        """Markdown in parts, each within the limit of one message; none where there is nothing to see."""

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        """A new message; its ref. Called again when it is not known to have arrived: a platform that knows idempotency
        keys gets one made of the turn and the number of refs that it has."""

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> str | None:
        """Change a message. Where that cannot be done any more (a token that has run out, a group that has moved) and
        another may stand for it, the ref of that one."""

    async def delete(self, ref: str) -> None:
        """Take a message away."""

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        """A new message with a file; its ref."""

    async def typing(self) -> None:
        """Show that something is being written."""


@runtime_checkable
class FillsFiles(Protocol):
    """What a Channel does besides, whose platform can put a file in a message's place: the message is reserved first,
    so that a file, too, is never there twice."""

    async def fill_file(self, ref: str, name: str, data: bytes, caption: str) -> None:
        """The message becomes a file."""


@runtime_checkable
class Drafts(Protocol):
    """What a Channel does besides, whose platform shows growing text apart from the message that is reserved for it."""

    async def draft(self, number: int, part: Part) -> None:
        """Show the text of a part as it grows."""

    async def settle(self, ref: str, part: Part, buttons: Sequence[Button]) -> str:
        """The final text, in a message instead of the reserved one; its ref. A crash right after leaves both."""
