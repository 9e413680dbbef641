"""A real browser for the page's tests, one for each module of them, and what a person does with it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Locator, Page, async_playwright

from tests.support.page_server import Site

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 15_000


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    assert found is not None, f"the page's tests need one of {', '.join(NAMES)} on PATH"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        await browser.close()


@dataclass
class Tab:
    """One open page, and all that it should not do: fail, complain, or ask anybody but us."""

    page: Page
    site: Site
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note what goes wrong."""
        self.page.set_default_timeout(PATIENCE_MS)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.asked.append(request.url))

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    @property
    def strangers(self) -> set[str]:
        """Hosts other than ours that were asked for anything."""
        ours = urlsplit(self.site.web.address).netloc
        return {urlsplit(url).netloc for url in self.asked if url.startswith("http")} - {ours}

    async def open(self, path: str = "") -> None:
        """Go to the page and wait until it is there."""
        await self.page.goto(self.site.web.address + path)
        await self.ready()

    async def ready(self) -> None:
        """The page has spoken and follows what happens."""
        await self.page.wait_for_selector("#app:not([hidden])")
        await self.page.wait_for_function("() => document.querySelector('#persona').options.length > 0")

    @property
    def box(self) -> Locator:
        """Where the question is written."""
        return self.page.locator("#question")

    async def ask(self, text: str) -> None:
        """Write a question and send it."""
        await self.box.fill(text)
        await self.box.press("Enter")

    def named(self, name: str, role: Any = "button") -> Locator:
        """What a person calls by this name."""
        return self.page.get_by_role(role, name=name, exact=True)

    @property
    def answers(self) -> Locator:
        """The answers, oldest first."""
        return self.page.locator("article:not(.pending) .answer")

    @property
    def questions(self) -> Locator:
        """The questions, oldest first, also those on their way."""
        return self.page.locator("article:not([hidden]) .question")

    async def ended(self, count: int) -> None:
        """So many answers are there, none of them running."""
        await self.page.wait_for_function(
            """count => document.querySelectorAll('article:not(.pending)').length === count
                && !document.querySelector('article.live, article.pending:not([hidden])')""",
            arg=count,
        )

    async def say(self, selector: str, text: str) -> None:
        """Wait until an element's text holds ``text``."""
        await self.page.wait_for_function(
            "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)", arg=[selector, text]
        )

    async def texts(self, locator: Locator) -> list[str]:
        """What is written there, as a person reads it."""
        return [" ".join(text.split()) for text in await locator.all_inner_texts()]


@asynccontextmanager
async def visit(browser: Browser, site: Site, *, fine: bool = True, **options: Any) -> AsyncIterator[Tab]:
    """A person with a browser profile of their own, on the page. ``fine``: at the end nothing must have gone wrong."""
    context = await browser.new_context(**options)
    try:
        tab = await another(context, site)
        yield tab
        if fine:
            assert tab.complaints == []
        assert tab.strangers == set()
    finally:
        await context.close()


async def another(context: BrowserContext, site: Site, path: str = "") -> Tab:
    """One more tab of the same person."""
    tab = Tab(await context.new_page(), site)
    tab.watch()
    await tab.open(path)
    return tab
