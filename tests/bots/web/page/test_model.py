"""The page and a real model: the whole program as anybody starts it, asked while it still loads."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from tests.crash.program import Program
from tests.support import tokenizers
from tests.support.browsers import PATIENCE_MS, chromium

pytestmark = [pytest.mark.browser, pytest.mark.torch]

LOADING_MS = 120_000
"""Reading the libraries and the weights, on a machine that has other things to do."""


async def listening(program: Program) -> None:
    """The page is there before the model is."""
    async with httpx.AsyncClient(base_url=program.url) as client:
        for _ in range(600):
            try:
                assert (await client.get("/healthz")).status_code == 200
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise AssertionError(program.log.read_text())


async def test_a_real_model_answers_who_asks_while_it_loads(tmp_path: Path) -> None:
    settings = {"CONCH_ENGINE__KIND": "local", "CONCH_ENGINE__MAX_TOKENS": "24", "CONCH_ENGINE__TEMPERATURE": "0.0"}
    program = Program(tmp_path, settings)
    program.data.mkdir()
    (program.data / "models").symlink_to(tokenizers.models())
    await program.start()
    try:
        async with chromium() as browser:
            page = await browser.new_page()
            page.set_default_timeout(PATIENCE_MS)
            await listening(program)
            await page.goto(program.url)
            await page.locator("#question").fill("What is the capital of France?")
            await page.keyboard.press("Enter")
            await expect(page.locator(".question")).to_have_text("What is the capital of France?")
            await expect(page.locator(".answer")).to_contain_text("Paris", timeout=LOADING_MS)
            await expect(page.locator("article.live")).to_have_count(0, timeout=LOADING_MS)
            answer = await page.locator(".answer").inner_text()
            await page.reload()
            await expect(page.locator(".answer")).to_have_text(answer)
        assert await program.terminate() == 0
    finally:
        await program.close()
