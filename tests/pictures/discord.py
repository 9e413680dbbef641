"""``python -m tests.pictures.discord FILE.png``: a conversation on Discord, drawn from what our own of the tests holds.

The real front answers there; the model's words are given. Discord's own program cannot be had here.
"""

from __future__ import annotations

import asyncio
import sys
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from markdown_it import MarkdownIt
from playwright.async_api import async_playwright

from tests.servers.discord.model import Message
from tests.servers.discord.people import answers
from tests.support.discord_core import Town, beach, saying

ANSWER = """A **conch** is a large sea snail. Whoever holds the shell may speak, so in Python it is a lock:

```python
async with conch:          # one at a time
    await speak()
```

Fairness is up to you: `asyncio.Lock` serves whoever has waited longest."""
STYLE = """
body { margin: 0; padding: 22px 26px; width: 760px; background: #2b2d31; color: #dbdee1; font: 15px/1.4 "Noto Sans",
  "DejaVu Sans", sans-serif } .message { display: flex; gap: 14px; margin: 0 0 16px } .face { flex: none; width: 40px;
  height: 40px; border-radius: 50%; color: #fff; font-weight: 700; text-align: center; line-height: 40px }
.name { font-weight: 700; color: #f2f3f5 } .tag { background: #5865f2; color: #fff; font-size: 10px; padding: 1px 5px;
  border-radius: 4px; margin-left: 5px; vertical-align: 2px } .reply { color: #a5a8ad; font-size: 13px }
p { margin: 3px 0 } pre { background: #1e1f22; border: 1px solid #3a3c41; border-radius: 5px; padding: 9px;
  margin: 6px 0 }
code { font: 13px "DejaVu Sans Mono", monospace } p code { background: #1e1f22; padding: 1px 4px; border-radius: 3px }
.mention { background: #3c4270; color: #c9cdfb; border-radius: 3px; padding: 0 3px }
button { border: 0; border-radius: 4px; color: #fff; padding: 7px 14px; margin: 6px 6px 0 0; font: inherit }
"""
COLOURS = {1: "#5865f2", 2: "#4e5058", 4: "#da373c"}
FACES = {"conch": "#c98b53", "ann": "#3f8f6b", "bob": "#8a5fb8"}


def drawn(message: Message, bot: int) -> str:
    """One message as HTML."""
    text = escape(message.content, quote=False).replace(f"&lt;@{bot}&gt;", "@Conch")
    body = MarkdownIt().render(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    body = body.replace("@Conch", '<span class="mention">@Conch</span>')
    name = message.author.name
    tag = '<span class="tag">APP</span>' if message.author.bot else ""
    above = ""
    if message.reference is not None:
        quoted = escape(message.reference.content.replace(f"<@{bot}>", "@Conch"))
        above = f'<div class="reply">↱ {message.reference.author.name.capitalize()}: {quoted}</div>'
    buttons = "".join(
        f'<button style="background:{COLOURS[button["style"]]}">{escape(button["label"])}</button>'
        for row in message.components
        for button in row["components"]
    )
    return (
        f'<div class="message"><div class="face" style="background:{FACES[name]}">{name[0].upper()}</div>'
        f'<div>{above}<div class="name">{name.capitalize()}{tag}</div>{body}{buttons}</div></div>'
    )


async def conversation(folder: Path) -> str:
    """The page: an answer that is done, one that grows, one that waits."""
    town = Town.founded(spec=None)
    async with town.server.listening():
        async with beach(folder, town, wrap=saying(ANSWER)) as here:
            town.ann.asks(town.channel, "what is a conch, and how would you write it in Python?")
            await here.answered(town.channel)
        async with beach(folder, town) as here:
            town.bob.asks(town.channel, "and how do I stop you?")
            await here.until(lambda: here.engine.running, speak=False)
            town.ann.asks(town.channel, "thanks! one more question…")
            await here.until(lambda: len(answers(town.channel)) == 3, speak=False)
            growing = next(
                one for one in answers(town.channel) if one.reference and one.reference.author is town.bob.user
            )
            growing.content = "Press **Stop** below, or write `/stop`. Only you and"
            bot = town.server.world.bot.id
            return "".join(drawn(message, bot) for message in town.channel.shown())


async def main(file: str) -> None:
    with TemporaryDirectory() as folder:
        page = await conversation(Path(folder))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        tab = await browser.new_page(viewport={"width": 812, "height": 200}, device_scale_factor=1.5)
        await tab.set_content(f"<style>{STYLE}</style>{page}")
        await tab.screenshot(path=file, full_page=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
