"""How updates come: PTB's polling, with an eye on it, and nothing that PTB would lose or write into the log.

PTB puts each update into the queue that it is given, and moves its offset only when that ``put`` has returned: so what
``put`` commits cannot get lost. An update that PTB cannot read would be fetched for ever, and be logged with all that
is said in it; here it is taken out before, and handed on as it came.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from time import monotonic
from typing import Any

from telegram import Update
from telegram.error import NetworkError
from telegram.request import HTTPXRequest

from bots.talk.connection import UNREACHABLE, UP, Down, Ended, Report
from bots.talk.wording import Say

CONFLICT_SECONDS = 30.0
"""So long another bot may use our token: a restart overlaps for a few seconds."""
CONFLICT_GAP = 40.0
"""Conflicts further apart than this have nothing to do with each other; PTB tries again after 30 s at most."""
SILENCE_SECONDS = 90.0
"""Polling asks every ten seconds or so. After so long it has ended without a word."""
OUT_OF_REACH_SECONDS = 20.0


class Watch:
    """What becomes of the polling: whether Telegram answers, and whether it makes sense to go on."""

    def __init__(self, report: Report, say: Say, clock: Callable[[], float] = monotonic) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Raises Ended: a token that is revoked, or used by two."""
        self.unreadable: dict[int, dict[str, Any]] = {}
        """Raw updates that PTB cannot read, by their ids, until somebody takes them."""
        self._report, self._say, self._clock = report, say, clock
        self._asked = self._answered = clock()
        self._conflict_began = self._conflict_last = -math.inf
        self._up = True

    async def over(self, *, polls: bool) -> None:
        """Waits until it makes no sense to go on like this. Raises Ended, or Down where ``polls`` and nobody asks."""
        while True:
            await asyncio.wait({self.ended}, timeout=SILENCE_SECONDS / 3)
            if self.ended.done():
                self.ended.result()
            if polls and self._clock() - self._asked > SILENCE_SECONDS:
                raise Down("polling has ended without a word")

    def asks(self) -> None:
        """A request goes out."""
        self._asked = self._clock()

    def fails(self) -> None:
        """It did not arrive, or its answer did not."""
        if self._up and self._clock() - self._answered > OUT_OF_REACH_SECONDS:
            self._up = False
            self._report(UNREACHABLE)

    def hears(self, status: int) -> None:
        """Telegram's answer."""
        now = self._clock()
        if status == HTTPStatus.OK:
            self._answered = now
            if not self._up:
                self._up = True
                self._report(UP)
        elif status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND):
            self._end(Ended("token revoked", self._say("telegram-revoked")))
        elif status == HTTPStatus.CONFLICT:
            if now - self._conflict_last > CONFLICT_GAP:
                self._conflict_began = now
            self._conflict_last = now
            if now - self._conflict_began >= CONFLICT_SECONDS:
                self.is_used_twice()
        else:
            self.fails()

    def hears_of_token(self, status: int) -> None:
        """An answer to any other call: where Telegram brings updates by itself, nothing else tells of the token."""
        if status == HTTPStatus.UNAUTHORIZED:
            self._end(Ended("token revoked", self._say("telegram-revoked")))

    def is_used_twice(self) -> None:
        """Another program has our token."""
        self._end(Ended("token used twice", self._say("telegram-used-twice")))

    def _end(self, end: Ended) -> None:
        if not self.ended.done():
            self.ended.set_exception(end)
            self.ended.exception()  # nobody may ask for it: a start with a wrong token ends by itself


class Request(HTTPXRequest):
    """PTB's requests, whose answers are looked at before PTB does: it would log one that is no JSON, with its text."""

    def __init__(self, watch: Watch, **options: Any) -> None:
        super().__init__(**options)
        self._watch = watch

    async def do_request(self, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        status, payload = await super().do_request(*arguments, **options)
        self._watch.hears_of_token(status)
        try:
            json.loads(payload)
        except ValueError:
            if status == HTTPStatus.OK:
                raise NetworkError("half an answer") from None
            payload = json.dumps({"ok": False, "description": f"HTTP {status}"}).encode()
        return status, payload


class PollingRequest(Request):
    """The requests for updates."""

    async def do_request(self, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        self._watch.asks()
        try:
            status, payload = await super().do_request(*arguments, **options)
        except NetworkError:
            self._watch.fails()
            raise
        self._watch.hears(status)
        return status, readable(payload, self._watch.unreadable) if status == HTTPStatus.OK else payload


def readable(payload: bytes, unreadable: dict[int, dict[str, Any]]) -> bytes:
    """The answer with nothing but the id of each update that PTB cannot read; those go into ``unreadable``."""
    answer = json.loads(payload)
    updates = answer.get("result")
    if not isinstance(updates, list):
        return payload
    for place, update in enumerate(updates):
        if not is_readable(update):
            unreadable[update["update_id"]] = update
            updates[place] = {"update_id": update["update_id"]}
    return json.dumps(answer).encode() if unreadable else payload


def is_readable(update: dict[str, Any]) -> bool:
    """Can PTB make an update of it? It raises whatever its parsing stumbles over."""
    try:
        Update.de_json(update, None)
    except Exception:
        return False
    return True


class UpdateQueue(asyncio.Queue[object]):
    """What PTB puts updates into: ``take`` is done with one when it is committed. PTB's own signals pass through."""

    def __init__(self, take: Callable[[Update], Awaitable[None]]) -> None:
        super().__init__()
        self._take = take
        self._one_by_one = asyncio.Lock()

    async def put(self, item: object) -> None:
        if not isinstance(item, Update):
            await super().put(item)
            return
        async with self._one_by_one:
            await self._take(item)
