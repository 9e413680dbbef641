"""How much of a question fits: of its files the model reads so much, to the end of a word; its words are told so."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from core.messages import Message, Turn, question

CLOSE_ENOUGH = 0.02
"""Of the room: texts are long, and every look encodes all of them."""
LOOKS = 12
LONGEST_WORD = 80


Count = Callable[[Sequence[Message]], Awaitable[int]]


async def portions(turn: Turn, head: Sequence[Message], room: float, count_tokens: Count) -> tuple[int, ...]:
    """How many characters of each file may be read for ``head`` and the whole question to take ``room`` tokens at most.

    The first files first. Nothing of them fits where the words alone take more.
    """
    lengths = [len(file.text or "") for file in turn.attachments]
    if not lengths:
        return ()

    async def tokens(characters: int) -> int:
        read = _shared(characters, lengths)
        return await count_tokens([*head, Message("user", question(turn, read))])

    read = _shared(await _most(sum(lengths), room, tokens), lengths)
    return tuple(_at_word(file.text or "", length) for file, length in zip(turn.attachments, read, strict=True))


async def longest(turn: Turn, head: Sequence[Message], room: int, count_tokens: Count) -> int:
    """About how many characters the question may have for ``head``, what it quotes and itself to take ``room`` tokens,
    rounded down to two digits. Files have no part in this: they give way to the words."""

    async def tokens(characters: int) -> int:
        shorter = replace(turn, prompt=turn.prompt[:characters])
        return await count_tokens([*head, Message("user", question(shorter, ()))])

    fits = await _most(len(turn.prompt), room, tokens)
    return fits - fits % int(10 ** max(0, len(str(fits)) - 2))


async def _most(whole: int, room: float, tokens: Callable[[int], Awaitable[int]]) -> int:
    """About the greatest number of characters, up to ``whole``, that takes ``room`` tokens at most; 0 if none does."""
    fits, over = 0, whole
    taken, wanted = await tokens(fits), await tokens(over)
    if wanted <= room:
        return whole
    for _ in range(LOOKS):
        if taken >= room * (1 - CLOSE_ENOUGH) or over - fits <= 1:
            break
        by_proportion = fits + int((over - fits) * (room - taken) / (wanted - taken))
        middle = min(max(by_proportion, fits + 1), over - 1)
        found = await tokens(middle)
        if found <= room:
            fits, taken = middle, found
        else:
            over, wanted = middle, found
    return fits


def _shared(characters: int, lengths: Sequence[int]) -> list[int]:
    """So many characters of files of these lengths."""
    read = []
    for length in lengths:
        read.append(min(length, characters))
        characters -= read[-1]
    return read


def _at_word(text: str, length: int) -> int:
    """At most ``length`` characters, less the last word where that would be cut."""
    if length >= len(text) or text[length].isspace():
        return min(length, len(text))
    start = max(length - LONGEST_WORD, 0)
    blank = re.search(r"\s(?=\S*\Z)", text[start:length])
    return start + blank.start() if blank else length
