"""The Bot API without HTTP, for a clock that jumps: PTB's request is a call of the server's method."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from telegram.request import BaseRequest, RequestData

from tests.servers.telegram.methods import BotApi


class DirectRequest(BaseRequest):
    """``takes()`` gives the seconds that a request is under way, and its answer again."""

    def __init__(self, api: BotApi, takes: Callable[[], float]) -> None:
        self._api, self._takes = api, takes

    @property
    def read_timeout(self) -> float | None:
        return 5.0

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *_: Any, **__: Any
    ) -> tuple[int, bytes]:
        _, bot, name = url.rsplit("/", 2)
        given = request_data.json_parameters if request_data is not None else {}
        await asyncio.sleep(self._takes())
        status, answer = await self._api.call(bot.removeprefix("bot"), name, given)
        await asyncio.sleep(self._takes())
        return status, json.dumps(answer).encode()
