"""Text to parts under a platform's limit, in the platform's unit: lossless, code fences whole. Pure.

While an answer grows, a part that is full stays as it is, but for a table that still grows, a fence that begins right
at the cut, emphasis or code that is closed only behind it, and a paragraph that a line under it makes a heading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bots.text.characters import clean, units, visible
from bots.text.cutting import Code, Slice, Span, slices
from bots.text.discord import discord_markdown, inline_spans
from bots.text.entities import Entity, rich_text, trim
from bots.text.fences import open_fence

__all__ = ["Entity", "Part", "entity_parts", "literal", "markdown_parts", "with_note"]

DISCORD_LIMIT = 1990
"""Discord takes 2,000 characters; ten are left for what its clients count differently."""
TELEGRAM_LIMIT = 4096
"""UTF-16 units of a message's text, after the entities are parsed."""
TELEGRAM_ENTITIES = 100
"""Entities of one message; Telegram drops those beyond."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one message shows: Markdown, or plain text with entities."""

    text: str
    entities: tuple[Entity, ...] = ()


def markdown_parts(text: str, limit: int = DISCORD_LIMIT) -> list[Part]:
    """Discord's Markdown in parts of at most ``limit`` UTF-16 units; nothing to see gives no part.

    Tables become blocks of code, deep headings bold, ``[label](address)`` shows its address, ``||`` hides nothing.
    """
    body, codes = discord_markdown(text)
    pieces = slices(body, limit, codes, held=lambda start, end: inline_spans(body, start, end, codes))
    whole = [piece.before + body[piece.start : piece.end] + piece.after for piece in pieces]
    return [Part(text.rstrip()) for text in whole if visible(text)]


def entity_parts(text: str, limit: int = TELEGRAM_LIMIT, entities: int = TELEGRAM_ENTITIES) -> list[Part]:
    """Telegram's text with entities, in parts of at most ``limit`` UTF-16 units and ``entities`` entities each."""
    plain, marked = rich_text(text)
    codes = [Code(e.offset, e.offset, e.end, e.end) for e in marked if e.kind == "pre"]
    spans = [(e.offset, e.end) for e in marked if e.kind not in ("pre", "blockquote")]

    def held(start: int, end: int) -> list[Span]:
        return [span for span in spans if start < span[1] and span[0] < end]

    def most(start: int) -> int:
        """Where the first entity begins that is too many for a part from ``start``."""
        later = [e.offset for e in marked if e.end > start]
        return max(later[entities], start + 1) if len(later) > entities else len(plain)

    parts = [_part(plain, marked, piece) for piece in slices(plain, limit, codes, held=held, most=most)]
    return [part for part in parts if visible(part.text)]


def _part(plain: str, marked: Sequence[Entity], piece: Slice) -> Part:
    """One slice with what of the entities is in it, offsets in UTF-16 units of the part's own text."""
    start, end = piece.start, piece.end
    within = [e for e in marked if e.offset < end and start < e.end]
    if not any(e.kind == "pre" and e.offset <= start for e in within):
        start += len(plain[start:end]) - len(plain[start:end].lstrip())
    text = plain[start:end].rstrip()
    cut = (
        replace(e, offset=max(e.offset, start) - start, length=min(e.end, end) - max(e.offset, start)) for e in within
    )
    inside = [trim(e, text) for e in cut if e.length > 0]
    return Part(text, tuple(_in_units(e, text) for e in inside if e.length))


def _in_units(entity: Entity, text: str) -> Entity:
    if text.isascii():
        return entity
    before, inner = text[: entity.offset], text[entity.offset : entity.end]
    return replace(entity, offset=units(before), length=units(inner))


def literal(text: str) -> str:
    """A name or the like as Markdown that shows it as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>~|])", r"\\\1", " ".join(clean(text).split()))


def with_note(text: str, note: str) -> str:
    """The Markdown with a sentence of ours under it, in italics; a fence that was left open is closed before it."""
    text = clean(text).rstrip()
    fence = open_fence(text)
    closed = f"{text}\n{fence}" if fence else text
    return f"{closed}\n\n*{note}*" if text else note
