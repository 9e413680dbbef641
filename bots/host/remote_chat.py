"""A Chat at the other end of the control socket, as far as a terminal needs one."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast, get_type_hints

from pydantic import TypeAdapter

from bots.host.control import Stream, call, stream
from bots.talk.commands import Talk
from core.chat.chat import Chat
from core.chat.reply import Reply

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


def remote_chat(folder: Path) -> Talk[Stream]:
    """The running Conch's Chat, by its socket in the data folder. Refusals arrive as RefusedThere."""
    return cast(Talk[Stream], _RemoteChat(folder))


class _RemoteChat:
    """Has each of ``METHODS`` as Chat has it: the same arguments, the same result, a Stream in the place of a Reply."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name not in METHODS:
            raise AttributeError(name)
        method = getattr(Chat, name)
        result = get_type_hints(method)["return"]

        async def ask(*given: object, **named: object) -> Any:
            arguments = inspect.signature(method).bind(self, *given, **named).arguments
            arguments.pop("self")
            if result is Reply:
                return await stream(self._folder, name, **arguments)
            return TypeAdapter(result).validate_python(await call(self._folder, name, **arguments))

        return ask
