"""The page's side of a crash run: people with browsers, over real HTTP, with the manners of the page's own script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx

import config
from bots.talk.wording import Wording
from tests.crash.program import Program
from tests.crash.records import Book, Seen, Sent, State

TABS = 2
PASSING = (408, 425, 500, 502, 503, 504)
"""Answers after which the page tries the same again."""
ANSWERS_LOST = 0.1
"""How often a POST's answer gets lost on its way to the browser, which then sends again what has arrived."""
SILENCE_SECONDS = 35.0


class Web:
    """People who have the page open."""

    module = ("bots",)
    moments: Sequence[str] = ()
    early: Sequence[str] = ()

    def __init__(self, random: Random, answers_lost: float = ANSWERS_LOST) -> None:
        self.settings: Mapping[str, str] = {
            "CONCH_ENGINE__DELAY": "0.02",
            "CONCH_ENGINE__SLOTS": "2",
            "CONCH_LIMITS__MESSAGES_PER_MINUTE": "0",
            "CONCH_LIMITS__TOKENS_PER_DAY": "0",
        }
        self._random, self._answers_lost = random, answers_lost

    def words(self) -> int:
        """How long the answer to the next question shall be."""
        return self._random.randint(3, 25)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """The program serves the page itself."""
        yield

    @asynccontextmanager
    async def at(self, moment: str) -> AsyncIterator[None]:
        """There is no server of ours that could name one."""
        raise NotImplementedError
        yield

    @asynccontextmanager
    async def clients(self, program: Program, book: Book, count: int) -> AsyncIterator[Sequence[Browser]]:
        """So many browsers, each with a session of its own and two tabs."""
        apology = Wording(Path(config.__file__).with_name("locales"))("en", "gave-up")
        browsers = [
            Browser(program.url, number, book, self._random, self._answers_lost, apology) for number in range(count)
        ]
        follows = []
        try:
            for browser in browsers:
                await browser.enter()
                follows += [asyncio.create_task(tab.follow()) for tab in browser.tabs]
            yield browsers
        finally:
            for follow in follows:
                follow.cancel()
            await asyncio.gather(*follows, return_exceptions=True)
            for browser in browsers:
                await browser.http.aclose()


class Browser:
    """One person's browser."""

    def __init__(self, url: str, number: int, book: Book, random: Random, answers_lost: float, apology: str) -> None:
        self.http = self._fresh(url)
        self.book = book
        self.random = random
        self.conversations = [f"person-{number}-tab-{tab}" for tab in range(TABS)]
        self.tabs = [Tab(self, conversation) for conversation in self.conversations]
        self._answers_lost, self._apology = answers_lost, apology

    @staticmethod
    def _fresh(url: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            base_url=url,
            headers={"origin": url, "accept-language": "en"},
            timeout=httpx.Timeout(10.0, read=SILENCE_SECONDS),
        )

    async def enter(self) -> None:
        """Open the page for the first time: the session's cookie."""
        (await self.http.post("/api/session", json={})).raise_for_status()

    async def send(self, sent: Sent) -> None:
        """Like the page's outbox: until Conch has said yes or no, however often that takes."""
        while True:
            try:
                answer = await self._try(sent)
            except (httpx.TransportError, TimeoutError):
                await self.pause()
                continue
            if answer.status_code in PASSING:
                await self.pause()
            elif answer.is_success:
                return self.book.accepted(sent)
            else:
                return self.book.refused(sent, f"{answer.status_code} {answer.json()['cause']}")

    async def _try(self, sent: Sent) -> httpx.Response:
        """One POST. Raises TimeoutError where the connection breaks before its answer is heard."""
        post = self.http.post(
            f"/api/conversations/{sent.conversation}/send", json={"event": sent.event, "text": sent.prompt}
        )
        if self.random.random() >= self._answers_lost:
            return await post
        async with asyncio.timeout(self.random.uniform(0.001, 0.05)):
            return await post

    async def pause(self) -> None:
        """Before it tries again."""
        await asyncio.sleep(self.random.uniform(0.05, 0.2))

    async def look(self) -> list[Seen]:
        """The page opened anew: every conversation in the list, each from its start."""
        async with self._fresh(str(self.http.base_url)) as page:
            page.cookies = self.http.cookies
            kept = (await page.get("/api/conversations")).raise_for_status().json()
            seen = []
            for conversation in (one["id"] for one in kept):
                shown = (await page.get(f"/api/conversations/{conversation}")).raise_for_status().json()
                seen += [self._seen(conversation, exchange) for exchange in shown["exchanges"]]
        return seen

    def _seen(self, conversation: str, exchange: dict[str, Any]) -> Seen:
        state: State = "failed"
        if exchange["live"]:
            state = "open"
        elif exchange["ended"] == "stop":
            state = "answered"
        elif exchange["ended"] == "error" and self._apology in exchange["notes"]:
            state = "apology"
        return Seen(conversation, exchange["question"], exchange.get("text", ""), state)


class Tab:
    """One open page: it follows its conversation's stream, finds it again, and keeps what it has."""

    def __init__(self, browser: Browser, conversation: str) -> None:
        self._browser, self._conversation = browser, conversation
        self._exchanges: list[dict[str, Any]] = []
        self._mark = ""

    async def follow(self) -> None:
        """For ever; a lost stream is taken up from where the page stands."""
        while True:
            with suppress(httpx.TransportError):
                await self._follow_once()
            await self._browser.pause()

    async def _follow_once(self) -> None:
        asked = {"conversation": self._conversation, "count": str(len(self._exchanges)), "mark": self._mark}
        async with self._browser.http.stream("GET", "/api/stream", params=asked) as answer:
            if answer.status_code != 200:
                return
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self._hear(name, json.loads(line[6:]))

    def _hear(self, event: str, data: Any) -> None:
        if event == "path":
            self._exchanges[data["keep"] :] = data["exchanges"]
            self._mark = data["mark"]
            for exchange in data["exchanges"]:
                if sent := self._sent(exchange):
                    self._read(sent, live=exchange["live"])
        elif event == "answer" and data["blocks"]:
            growing = next((exchange for exchange in self._exchanges if exchange["id"] == data["id"]), None)
            if growing is not None and (sent := self._sent(growing)):
                self._browser.book.begun(sent)

    def _read(self, sent: Sent, *, live: bool) -> None:
        """An answer that has its end is read; one that had it, and has it no more, is noted."""
        if sent.ended and live:
            self._browser.book.open_again(sent)
        elif not sent.ended and not live:
            self._browser.book.ended(sent)

    def _sent(self, exchange: dict[str, Any]) -> Sent | None:
        """What was sent as this exchange's question."""
        return next((sent for sent in self._browser.book.sent if sent.prompt == exchange["question"]), None)
