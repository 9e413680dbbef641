"""What a call carries: who makes it, and the fields of its body, each checked for its form."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request

from bots.web.access import Caller
from bots.web.guard import Denied

_CONVERSATION = re.compile(r"[a-z0-9-]{8,64}")
_EVENT = re.compile(r"[A-Za-z0-9-]{16,64}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """The owner of a session."""

    session: str

    @property
    def user(self) -> str:
        """The owner, as core knows them."""
        return f"web:{self.session}"

    @property
    def prefix(self) -> str:
        """What the keys of their conversations begin with."""
        return f"web:{self.session}:"

    def event(self, made: str) -> str:
        """The page's own id of what it asks, told apart from those of other people's pages."""
        return f"web:{self.session}:{made}"


def caller_of(request: Request) -> Caller:
    """Who sent it, as the guard found out."""
    caller: Caller = request.scope["caller"]
    return caller


def is_secure(request: Request) -> bool:
    """Did it come by https, as far as we are told?"""
    return caller_of(request).scheme == "https"


async def body_of(request: Request) -> bytes:
    """The whole body. Raises Denied where its sender has gone, or took longer than the connection was kept."""
    try:
        return await request.body()
    except ClientDisconnect:
        raise Denied(408, "bad-request") from None


async def fields_of(request: Request) -> dict[str, Any]:
    """The body, which must be a JSON object. Raises Denied."""
    try:
        fields = json.loads(await body_of(request))
    except (ValueError, RecursionError):
        raise Denied(400, "bad-request") from None
    if not isinstance(fields, dict):
        raise Denied(400, "bad-request")
    return fields


def text_of(fields: dict[str, Any], name: str) -> str:
    """A text without what is no text: halves of characters, and NUL, which not every store takes. Raises Denied."""
    text = fields.get(name)
    if not isinstance(text, str):
        raise Denied(400, "bad-request")
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def event_of(fields: dict[str, Any]) -> str:
    """The id that the page made for what it asks. Raises Denied."""
    return _matching(_EVENT, fields.get("event"))


def conversation_of(text: str) -> str:
    """The id that the page made for a conversation. Raises Denied."""
    return _matching(_CONVERSATION, text)


def _matching(form: re.Pattern[str], text: object) -> str:
    if not isinstance(text, str) or not form.fullmatch(text):
        raise Denied(400, "bad-request")
    return text
