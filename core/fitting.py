"""How much of a question's files the model reads: as much as fits, to the end of a word."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from core.messages import Message, Turn, question

CLOSE_ENOUGH = 0.02
"""Of the room: files are long, and every look encodes them all."""
LOOKS = 12
LONGEST_WORD = 80


async def portions(
    turn: Turn, head: Sequence[Message], room: float, count_tokens: Callable[[Sequence[Message]], Awaitable[int]]
) -> tuple[int, ...]:
    """How many characters of each file may be read for ``head`` and the whole question to take ``room`` tokens at most.

    The first files first. Nothing of them fits where the words alone take more.
    """
    lengths = [len(file.text or "") for file in turn.attachments]
    if not lengths:
        return ()

    async def tokens(characters: int) -> int:
        read = _shared(characters, lengths)
        return await count_tokens([*head, Message("user", question(turn, read))])

    fits, over = 0, sum(lengths)
    taken, wanted = await tokens(fits), await tokens(over)
    if wanted <= room:
        return tuple(lengths)
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
    read = _shared(fits, lengths)
    return tuple(_at_word(file.text or "", length) for file, length in zip(turn.attachments, read, strict=True))


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
