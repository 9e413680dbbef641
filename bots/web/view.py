"""A conversation as the page shows it: each question with its answer, the sentences around it, and what it changed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bots.talk.wording import Say, ended, queued
from bots.text.html import Growing, Renderer
from core.chat.reply import Reply
from core.events import Finished
from core.messages import Conversation, Persona, Turn


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question, and the turns that answer it: the first, and those by which it was continued."""

    turns: tuple[Turn, ...]

    @property
    def first(self) -> Turn:
        """The turn that has the question: it is edited and answered anew."""
        return self.turns[0]

    @property
    def last(self) -> Turn:
        """The turn whose end is the answer's end: it is stopped and continued."""
        return self.turns[-1]

    @property
    def live(self) -> bool:
        """Does it wait or run?"""
        return self.last.finish_reason is None

    @property
    def settled_text(self) -> str:
        """The answer as far as it is stored."""
        return "".join(turn.reply for turn in self.turns)


def exchanges(path: Sequence[Turn]) -> list[Exchange]:
    """The path (oldest first) as the page shows it; what was deleted is not shown."""
    found: list[list[Turn]] = []
    for turn in path:
        if turn.asks or (turn.deleted and turn.kind != "proceed"):
            found.append([turn])
        elif found:
            found[-1].append(turn)
    return [Exchange(tuple(turns)) for turns in found if not turns[0].deleted]


def marks(shown: Sequence[Exchange], language: str) -> list[str]:
    """A mark for each exchange with all that precede it: as long as it is the same, so is what is shown up to there.

    The text of an answer that runs is no part of it: that is followed apart.
    """
    digest = hashlib.sha256(language.encode())
    found = []
    for exchange in shown:
        for turn in exchange.turns:
            digest.update(f"{turn.id},{turn.finish_reason},{turn.cause},{len(turn.reply)};".encode())
        digest.update(b".")
        found.append(digest.hexdigest()[:16])
    return found


async def exchange_view(exchange: Exchange, renderer: Renderer, say: Say) -> dict[str, Any]:
    """What the page needs of one exchange. The blocks of one that waits or runs come apart, as they grow.

    Rendering has a thread of its own: a long conversation opened anew must not hold up everybody's answers.
    """
    view = {
        "id": exchange.first.id,
        "last": exchange.last.id,
        "question": exchange.first.prompt,
        "asked": exchange.first.asked,
        "live": exchange.live,
    }
    if exchange.live:
        return view
    text = exchange.settled_text
    return {
        **view,
        "text": text,
        "blocks": renderer.kept(text) or renderer.keep(text, await asyncio.to_thread(renderer.render, text)),
        "ended": exchange.last.finish_reason,
        "proceeds": _proceeds(exchange.last),
        "notes": notes(exchange, text, say),
    }


def _proceeds(last: Turn) -> bool:
    """Can the answer be continued: was it cut by its length, or stopped, with something said?"""
    stopped = last.finish_reason == "abort" and last.cause == "stopped"
    return bool(last.reply) and (stopped or last.finish_reason == "length")


def notes(exchange: Exchange, text: str, say: Say) -> list[str]:
    """The sentences below an answer that has ended: how, if not by itself, and what the model did not see."""
    last = exchange.last
    found = []
    match last.finish_reason:
        case "abort" | "error" as reason:
            found.append(ended(say, Finished(reason, last.cause), last))
        case "length":
            found.append(say("cut-by-length"))
        case _ if not text.strip():
            found.append(say("no-answer"))
    if last.left_out:
        found.append(say("left-out"))
    return found


def conversation_view(conversation: Conversation, prefix: str) -> dict[str, Any]:
    """A line of the list. The page knows a conversation by what follows its owner in the key."""
    return {
        "id": conversation.key.removeprefix(prefix),
        "title": conversation.title,
        "persona": conversation.persona,
        "updated": conversation.updated,
    }


def persona_view(persona: Persona, languages: Sequence[str]) -> dict[str, Any]:
    """A persona and its title in each language."""
    fallback = persona.title.get("en") or persona.name
    return {
        "name": persona.name,
        "titles": {language: persona.title.get(language) or fallback for language in languages},
    }


class LiveView:
    """What one viewer has of one answer while it waits and grows: gives only what is new to them."""

    def __init__(self, exchange: Exchange, reply: Reply, renderer: Renderer) -> None:
        self._id = exchange.first.id
        self._before = "".join(turn.reply for turn in exchange.turns[:-1])
        self._reply = reply
        self._growing = Growing(renderer)
        self._blocks: list[str] = []
        self._state = ""

    @property
    def growing(self) -> int:
        """How many characters a look has to parse."""
        return len(self._before) + len(self._reply.text) - self._growing.settled

    def change(self, say: Say) -> dict[str, Any] | None:
        """What to tell: a new sentence while it waits, and the blocks from the first that differs.

        ``blocks`` replace all from number ``from`` on, and the first of them begins with ``same`` characters (UTF-16
        units, as scripts count) of the one that it replaces. None where nothing has changed.
        """
        text = self._before + self._reply.text
        blocks = self._growing.blocks(text)
        waiting = self._reply.queued
        state = queued(say, waiting) if waiting is not None else "" if self._reply.text else say("thinking")
        if blocks == self._blocks and state == self._state:
            return None
        at = next((i for i, pair in enumerate(zip(blocks, self._blocks, strict=False)) if pair[0] != pair[1]), None)
        at = min(len(blocks), len(self._blocks)) if at is None else at
        rest = blocks[at:]
        same = 0
        if rest and at < len(self._blocks):
            same = _common(self._blocks[at], rest[0])
            rest[0] = rest[0][same:]
            same = _units(self._blocks[at][:same])
        self._blocks, self._state = blocks, state
        return {"id": self._id, "state": state, "from": at, "same": same, "blocks": rest}


def _common(one: str, other: str) -> int:
    """How many characters two texts have in common at their start."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
