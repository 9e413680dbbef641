"""Takes the README's picture of the page: `python -m tests.pictures.page`, and then look at it before you keep it.

The whole program with the small real model, which says the same each time; the second answer is caught while it grows.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import expect

from tests.crash.program import ROOT, Program
from tests.support import tokenizers
from tests.support.browsers import chromium

PICTURE = ROOT / ".github" / "page.png"
SIZE = {"width": 1180, "height": 760}
QUESTIONS = ("Hello! Who are you?", "How do I open a file in Python? Show me a short example, and explain it.")
CAUGHT_AT = 320
"""Characters of the second answer that are there."""
LOADING_MS = 120_000


async def take(folder: Path) -> None:
    """Ask both questions and photograph the second answer."""
    settings = {"CONCH_ENGINE__KIND": "local", "CONCH_ENGINE__TEMPERATURE": "0.0"}
    program = Program(folder, settings)
    program.data.mkdir()
    (program.data / "models").symlink_to(tokenizers.models())
    await program.start()
    try:
        await program.ready()
        async with chromium() as browser:
            page = await browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
            await page.goto(program.url)
            for number, question in enumerate(QUESTIONS, 1):
                await page.locator("#question").fill(question)
                await page.keyboard.press("Enter")
                if number < len(QUESTIONS):
                    await expect(page.locator("article:not(.live):not(.pending)")).to_have_count(
                        number, timeout=LOADING_MS
                    )
            await page.wait_for_function(
                f"() => document.querySelectorAll('.answer')[1]?.textContent.length > {CAUGHT_AT}", timeout=LOADING_MS
            )
            await page.screenshot(path=PICTURE)
    finally:
        await program.close()


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        asyncio.run(take(Path(made)))
    print(f"{PICTURE} is made: look at it.")
