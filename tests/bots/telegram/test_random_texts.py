"""Random texts, and a server that takes what is made of each: nothing is lost, nothing is refused.

``TEXTS=20000 python -m pytest tests/bots/telegram/test_random_texts.py`` tries that many.
"""

from __future__ import annotations

import os
from itertools import takewhile
from random import Random

from bots.text.splitting import Part, entity_parts
from tests.servers.telegram.methods import BotApi
from tests.servers.telegram.world import Json, World
from tests.support.letters import PIECES, apart, is_letter, letters, separated, told, units

TEXTS = int(os.environ.get("TEXTS", "2000"))
LONGEST = 4
"""Of a hundred texts, this many are longer than a message."""
SCRIPTS = (
    *((0x20, 0x7F), (0xA1, 0x250), (0x370, 0x400), (0x5D0, 0x5EB)),
    *((0xAC00, 0xD7A4), (0x4E00, 0x9FFF), (0x1F300, 0x1F650)),
)
WHOLE = 10**6
"""A limit that cuts nothing."""


def random_text(random: Random) -> str:
    """What anybody could make a model write: Markdown in any order, words of all scripts, odd characters."""
    count = random.randint(300, 1500) if random.randrange(100) < LONGEST else random.randint(0, 40)
    return "".join(random.choice(PIECES) if random.random() < 0.8 else random_word(random) for _ in range(count))


def random_word(random: Random) -> str:
    first, last = random.choice(SCRIPTS)
    return "".join(chr(random.randrange(first, last)) for _ in range(random.randint(1, 9)))


def gap(text: str, place: int) -> str:
    """What stands behind the letter of that number. Markdown takes a blank next to a backtick for part of the mark."""
    at = [index for index, c in enumerate(text) if is_letter(c)][place - 1] + 1
    return "".join(takewhile(lambda c: not is_letter(c), text[at:]))


def as_sent(part: Part) -> Json:
    """The fields of a call, as the channel makes them."""
    marks = [
        {
            "type": entity.kind,
            "offset": entity.offset,
            "length": entity.length,
            **({"url": entity.url} if entity.url else {}),
            **({"language": entity.language} if entity.language else {}),
        }
        for entity in part.entities
    ]
    return {"text": part.text, **({"entities": marks} if marks else {})}


def test_every_word_of_random_texts_arrives_and_the_server_takes_every_message() -> None:
    random = Random(20_000)
    server = BotApi(World(lambda: 0.0))
    several = 0
    for _ in range(TEXTS):
        text = random_text(random)
        whole, parts = entity_parts(text, WHOLE, WHOLE), entity_parts(text)
        several += len(parts) > 1
        sent = " ".join(map(told, whole))
        assert letters(sent) == letters(text), repr(text)
        assert all("`" in gap(text, place) for place in apart(text) - separated(sent)), repr(text)
        before, after = " ".join(part.text for part in whole), "\n".join(part.text for part in parts)
        assert letters(after) == letters(before), repr(text)
        assert apart(before) <= separated(after), repr(text)
        for part in parts:
            assert 0 < units(part.text) <= 4096
            assert len(part.entities) <= 100
            assert server._text(as_sent(part)) == as_sent(part), repr(text)
    assert server.wrongs == []
    assert several > TEXTS // 40
