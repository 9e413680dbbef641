"""A Chat at the other end of the control socket, as far as a terminal needs one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bots.host.control import Stream, call, decode_turn, stream
from core.chat.chat import Status
from core.messages import Turn


class RemoteChat:
    """The running Conch's Chat. Each method is that Chat's own; refusals arrive as RefusedThere."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, conversation: str, user: str, event: str, text: str, *, language: str) -> Stream:
        return await stream(
            self._folder, "send", conversation=conversation, user=user, event=event, text=text, language=language
        )

    async def regenerate(
        self,
        target: int | str,
        user: str,
        event: str,
        *,
        place: str | None = None,
        at: float | None = None,
        branch: bool = False,
        places: Sequence[str] = (),
    ) -> Stream:
        where = {"place": place, "at": at, "branch": branch, "places": places}
        return await stream(self._folder, "regenerate", target=target, user=user, event=event, **where)

    async def proceed(
        self,
        target: int | str,
        user: str,
        event: str,
        *,
        place: str | None = None,
        at: float | None = None,
        places: Sequence[str] = (),
    ) -> Stream:
        where = {"place": place, "at": at, "places": places}
        return await stream(self._folder, "proceed", target=target, user=user, event=event, **where)

    async def reply(self, target: int, user: str) -> Stream:
        return await stream(self._folder, "reply", target=target, user=user)

    async def undo(self, conversation: str, user: str, event: str | None = None) -> Turn | None:
        return _turn(await call(self._folder, "undo", conversation=conversation, user=user, event=event))

    async def cancel(self, target: int | str, user: str) -> Turn | None:
        return _turn(await call(self._folder, "cancel", target=target, user=user))

    async def new(self, conversation: str, user: str) -> None:
        await call(self._folder, "new", conversation=conversation, user=user)

    async def history(self, conversation: str, user: str) -> list[Turn]:
        return [decode_turn(turn) for turn in await call(self._folder, "history", conversation=conversation, user=user)]

    async def persona(self, conversation: str, user: str, name: str | None = None) -> str:
        return str(await call(self._folder, "persona", conversation=conversation, user=user, name=name))

    async def language(self, user: str, code: str | None = None) -> str | None:
        chosen = await call(self._folder, "language", user=user, code=code)
        return None if chosen is None else str(chosen)

    async def status(self, user: str, conversation: str | None = None) -> Status:
        return Status(**await call(self._folder, "status", user=user, conversation=conversation))

    async def export(self, user: str) -> dict[str, Any]:
        exported: dict[str, Any] = await call(self._folder, "export", user=user)
        return exported

    async def forget(self, user: str) -> int:
        return int(await call(self._folder, "forget", user=user))


METHODS = (
    "send",
    "regenerate",
    "proceed",
    "reply",
    "undo",
    "cancel",
    "new",
    "history",
    "persona",
    "language",
    "status",
    "export",
    "forget",
)
"""What of a Chat a running Conch must offer for this."""


def _turn(value: Any) -> Turn | None:
    return None if value is None else decode_turn(value)
