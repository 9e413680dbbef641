"""Text files that people send: which are looked at, how they are fetched, and what they say."""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import httpx

from bots.talk.channel import ChannelError, RetryAfter, Unreachable
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.messages import Attachment

LIMIT = 64 * 1024
"""Bytes of a file up to which it is read."""
TRIES = 6
FETCH_SECONDS = 15.0
"""For each step of fetching a file."""
FIRST_BACK_OFF = 0.25
"""Seconds before a file is fetched again: doubled each time."""
_BINARY = re.compile(
    r"(image|audio|video|font)/"
    r"|application/(pdf|zip|gzip|x-(7z|rar|tar|bzip|msdownload|executable).*|vnd\.(ms-|openxmlformats|oasis|android).*"
    r"|msword|java-archive|epub.*|ogg)"
)
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class Unreadable(Exception):
    """A file that cannot be part of a question; ``cause`` is a key of wording."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


def attachment(name: str, source: str, kind: str | None, size: int | None) -> Attachment:
    """A file that is part of a question, to be fetched from ``source``; ``kind`` is its media type, ``size`` in bytes.

    Raises Unreadable for what is no text, as far as the platform tells before it is fetched.
    """
    if not may_be_text(kind):
        raise Unreadable("kind_unknown")
    check_size(size)
    return Attachment(name, source)


def may_be_text(kind: str | None) -> bool:
    """Is a file of this media type worth a look?"""
    return not _BINARY.match((kind or "").lower())


def check_size(size: int | None) -> None:
    """Raises Unreadable for a file that is too large, as far as the platform tells before it is fetched."""
    if size is not None and size > LIMIT:
        raise Unreadable("file_too_big")


async def fetch(client: httpx.AsyncClient, url: str, hosts: Collection[str]) -> bytes:
    """What is at ``url``, whose host must be one of ``hosts`` and must not send us on; never more than ``LIMIT`` bytes.

    ``client`` does not follow redirects. The address may hold a secret: it is in no error. Raises Unreadable, or
    ConnectionError for a fault on the way, which may pass.
    """
    if httpx.URL(url).host not in hosts or client.follow_redirects:
        raise Unreadable("file_unreadable")
    data = bytearray()
    try:
        async with client.stream("GET", url) as answer:
            if answer.status_code == 429 or answer.status_code >= 500:
                raise ConnectionError(f"HTTP {answer.status_code}")
            if answer.status_code != 200:
                raise Unreadable("file_unreadable")
            async for chunk in answer.aiter_bytes():
                data += chunk
                check_size(len(data))
    except httpx.HTTPError as failure:
        raise ConnectionError(type(failure).__name__) from None
    return bytes(data)


async def text_from(fetching: Callable[[], Awaitable[bytes]]) -> str:
    """The text of what ``fetching`` gives, again after a fault on the way; being told to wait costs no try, since it is
    said how long. Raises Unreadable."""
    tries = 0
    while tries < TRIES:
        try:
            return text_of(await fetching())
        except RetryAfter as refusal:
            await asyncio.sleep(refusal.seconds)
        except (Unreachable, OSError):
            await asyncio.sleep(FIRST_BACK_OFF * 2.0**tries)
            tries += 1
        except ChannelError:
            break
    raise Unreadable("file_unreadable")


def text_of(data: bytes) -> str:
    """The text in UTF-8, or in UTF-16 with a byte order mark. Raises Unreadable for what is no text."""
    mark, encoding = next(((mark, name) for mark, name in _BOMS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError:
        raise Unreadable("file_not_text") from None
    if _CONTROLS.search(text):
        raise Unreadable("file_not_text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


class Files:
    """Fetches what questions wait for, once each."""

    def __init__(self, chat: Chat, hosts: Collection[str]) -> None:
        self._chat, self._hosts = chat, hosts
        self._fetching: set[int] = set()

    async def fetch(self, reply: Reply) -> None:
        """The texts of a question's files; where one cannot be had, the question ends with the reason."""
        turn = reply.turn
        if not turn.incomplete or turn.id in self._fetching:
            return
        self._fetching.add(turn.id)
        try:
            async with httpx.AsyncClient(timeout=FETCH_SECONDS, trust_env=False) as client:
                wanted = [file.source for file in turn.attachments if file.text is None]
                texts = [await text_from(partial(fetch, client, source, self._hosts)) for source in wanted]
            await self._chat.attach(turn.id, texts)
        except Unreadable as unreadable:
            await self._chat.fail(turn.id, unreadable.cause)
        finally:
            self._fetching.discard(turn.id)
