"""A picture of a conversation, drawn from what the Bot API server has: ``python -m tests.pictures.telegram FILE``.

The bot is the real one, the words of its answers are written here; the drawing is a browser's, no Telegram client's.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from core.chat.people import People
from core.engine import Sampling, ScriptedEngine
from core.gate.gate import Gate
from core.messages import Message
from tests.servers.telegram.server import Server, bot_api
from tests.servers.telegram.world import BOT, Json, Person, Room
from tests.support.browsers import chromium
from tests.support.telegram_core import NO_FLOOD, OPEN, connected
from tests.support.whole_core import house

ANSWERS = {
    "What is a conch?": (
        "A **conch** is the shell of a large sea snail.\n\n"
        "- Blown like a horn, it can be heard for miles.\n"
        "- In *Lord of the Flies*, whoever holds it may speak.\n\n"
        "```python\nasync with conch:\n    speak()\n```"
    ),
    "is that so?": "Not quite: tides come from the **moon and the sun** together, the moon's part being the larger.",
    "조개껍데기는 한국어로?": "**소라고둥**입니다. 옛날에는 나팔로도 불었어요.",
}
STYLE = """
body { margin: 0; padding: 24px; display: flex; gap: 24px; align-items: stretch; background: #fff;
  font: 15px/1.4 system-ui, "Noto Sans", "Noto Sans CJK KR", sans-serif; color: #111 }
section { width: 400px; border-radius: 14px; padding: 0 12px 14px; background: #d9e8d4; border: 1px solid #c3d6bd }
h1 { font-size: 15px; text-align: center; margin: 12px 0 }
article { max-width: 84%; margin: 8px 0; padding: 7px 11px; border-radius: 12px; background: #fff; width: fit-content;
  box-shadow: 0 1px 1px #0002; white-space: pre-wrap; overflow-wrap: anywhere }
article.mine { margin-left: auto; background: #effddd }
.who { font-weight: 600; font-size: 13px; color: #3a6d99 }
.reply { border-left: 3px solid #3a6d99; background: #3a6d9914; border-radius: 4px; padding: 2px 8px; margin: 2px 0 4px;
  font-size: 13px; overflow: hidden; display: -webkit-box; -webkit-line-clamp: 2; -webkit-box-orient: vertical }
pre { margin: 6px 0 0; padding: 8px; background: #f1f3f0; border-radius: 6px; font-size: 13px }
.keys { display: flex; gap: 6px; margin: 0 0 8px; max-width: 84% }
.keys span { flex: 1; min-width: 90px; text-align: center; background: #3a6d9988; color: #fff; border-radius: 8px;
  padding: 5px; font-size: 13px }
"""
TAGS = {"bold": "b", "italic": "i", "code": "code", "pre": "pre", "strikethrough": "s", "blockquote": "blockquote"}


def script(messages: Sequence[Message], sampling: Sampling) -> str:
    """The written answer to a question, whatever it quotes."""
    return ANSWERS.get(messages[-1].content.split("\n\n")[-1], "…")


async def talk(server: Server, gate: Gate) -> list[tuple[Room, Person]]:
    """What is said in the picture."""
    world = server.world
    ann, bob, kim = world.person("Ann"), world.person("Bob"), world.person("지우", "ko")
    group = world.group("Beach walkers")
    private = world.rooms[ann.id]
    world.say(ann, "What is a conch?")
    await world.until(lambda: private.of_bot() and "Regenerate" in str(private.of_bot()[-1]))
    said = world.say(bob, "Tides come from the moon, and nothing else.", group)[1]
    world.say(ann, f"@{BOT['username']} is that so?", group, reply_to=said)
    await world.until(lambda: group.of_bot() and "Regenerate" in str(group.of_bot()[-1]))
    world.say(kim, f"@{BOT['username']} 조개껍데기는 한국어로?", group)
    await world.until(lambda: len(group.of_bot()) == 2 and "다시" in str(group.of_bot()[-1]))
    for number in range(2):  # two more, who talk elsewhere
        gate.join(f"web:{number}", f"web:{number}", 100)
    world.say(ann, "And how loud is it?")
    await world.until(lambda: len(private.of_bot()) == 2)
    return [(private, ann), (group, ann)]


def drawn(message: Json, reader: Person) -> str:
    """One message as HTML."""
    mine = " class=mine" if message["from"]["id"] == reader.id else ""
    who = f"<div class=who>{escape(message['from']['first_name'])}</div>" if not mine else ""
    replied = message.get("reply_to_message")
    quoted = f"<div class=reply>{escape(replied.get('text', ''))}</div>" if replied else ""
    keys = "".join(
        f"<span>{escape(button['text'])}</span>"
        for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        for button in row
    )
    under = f"<div class=keys>{keys}</div>" if keys else ""
    return f"<article{mine}>{who}{quoted}{marked(message)}</article>{under}"


def marked(message: Json) -> str:
    """The text with its entities; none of them cross here."""
    raw = message["text"].encode("utf-16-le")
    edges: list[tuple[int, int, str]] = []
    for entity in message.get("entities", []):
        if tag := TAGS.get(entity["type"]):
            edges += [(entity["offset"], 1, f"<{tag}>"), (entity["offset"] + entity["length"], 0, f"</{tag}>")]
    pieces, at = [], 0
    for place, _, tag in sorted(edges):
        pieces += [escape(raw[2 * at : 2 * place].decode("utf-16-le")), tag]
        at = place
    return "".join([*pieces, escape(raw[2 * at :].decode("utf-16-le"))]).replace("\n<pre>", "<pre>")


async def draw(file: Path) -> None:
    """Hold the conversation and draw it."""
    engine = ScriptedEngine(script, slots=1)
    await engine.ready()
    with TemporaryDirectory() as folder:
        async with (
            bot_api(rules=NO_FLOOD) as server,
            house(Path(folder), people=People(open_to=OPEN), wrap=lambda _: engine) as home,
            connected(server, home),
        ):
            rooms = await talk(server, home.gate)
    sections = "".join(
        f"<section><h1>{escape(room.title if room.id < 0 else BOT['first_name'])}</h1>"
        f"{''.join(drawn(message, reader) for message in room.messages.values())}</section>"
        for room, reader in rooms
    )
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 900, "height": 200}, device_scale_factor=1.5)
        await page.set_content(f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{sections}")
        await page.screenshot(path=file, full_page=True)


if __name__ == "__main__":
    asyncio.run(draw(Path(sys.argv[1])))
