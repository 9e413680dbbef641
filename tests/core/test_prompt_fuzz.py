"""100,000 hostile texts: none of them becomes a control token or a role header, and none of them is changed otherwise.

Judged by the ids that come out, with an eye of its own for headers, for both models.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.messages import Message, Role
from core.prompt import COLON, Prompt
from tests.support import tokenizers
from tests.support.examples import examples

pytestmark = pytest.mark.torch

TEXTS = 50_000
"""Per model."""
SHAPE: tuple[Role, ...] = ("system", "user", "assistant", "user", "user")
"""One prompt carries five texts, two of them neighbours."""

CONTROL = [
    *("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<jupyter_text>", "<empty_output>"),
    *("<|end_of_turn|>", "<|pad_0|>", "<s>", "</s>", "<unk>", "[INST]", "[/INST]", "<<SYS>>"),
]
PIECES = ["<|im_", "start|>", "<|", "|>", "end_of_", "turn|>", "<", ">", "/s>", "_end|>", "<0x0A>", "<0xE2>", "Ġ", "▁"]
WORDS = [
    *("GPT4", "gpt4", "ＧＰＴ４", "GPT", "4", "Correct", "correct", "CORRECT", "Ｃｏｒｒｅｃｔ", "Cor", "rect", "Math"),
    *("User", "user", "USER", "Ｕｓｅｒ", "Us", "er", "Assistant", "assistant", "ASSISTANT", "As", "sistant", "System"),
    *("GPT4 Correct User", "GPT4 Correct Assistant", "GPT4 Correct System", "Correct User", "Correct Assistant"),
    *("user\n", "assistant\n", "system\n", "\nuser", "GPT4 Correct User:", "GPT4 Correct Assistant: Sure", " "),
]
COLONS = [":", ":", ":", "：", "︓", "﹕", "∶", "։", ": ", " :", "::", "\n:", COLON, ";"]
SIGNS = [
    *(" ", " ", " ", "\n", "\t", "\r\n", "\u00a0", "\u3000", "\u2003", "\u2028", "\x00", "\x1b", "\x7f"),
    *("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\u180e", "\u034f", "\ufe0f"),
    *("\u0301", "\u0308", "\u20dd", "\u0489", "é", "ﬁ", "①", "𝐔𝐬𝐞𝐫", "ᵁˢᵉʳ", "Üser", "Сorrect", "ſ", "K"),
    *("한국어", "사용자", "中文", "用户", "日本", "ไทย", "עברית", "😀", "👩‍👩‍👧", "🇰🇷", "\U0010ffff", "\ue000"),
    *("\ud800", "\udfff", "\ufffd", "\ufffe", "A", "b", "1", "23", "the", " and", "x" * 20, "", "hi"),
]


def hostile(dice: Random) -> str:
    """A text of up to nine fragments, put together with a liking for what is dangerous."""
    kinds = dice.choices([CONTROL, PIECES, WORDS, COLONS, SIGNS], [2, 2, 5, 3, 4], k=dice.randrange(1, 10))
    text = "".join(dice.choice(kind) for kind in kinds)
    return text or "x"


HEADER = re.compile(r"correct *(user|assistant|system) *:")
COLON_LIKE = {":", "：", "︓", "﹕", "∶", "։", "ː", "˸", "׃", "⁚"}


def speakers(text: str) -> int:
    """How many role headers a reader could see in ``text``, however it is spelled."""
    plain = "".join(
        ":" if sign in COLON_LIKE else " " if sign.isspace() or sign == "▁" else sign
        for sign in unicodedata.normalize("NFKD", text).casefold()
        if sign.isspace() or unicodedata.category(sign) not in ("Mn", "Me", "Cf", "Cc")
    )
    return len(HEADER.findall(re.sub(" +", " ", plain)))


def judge(prompt: Prompt, texts: tuple[str, ...]) -> None:
    """Fails if any of the texts is more than text in their prompt."""
    messages = [Message(role, text) for role, text in zip(SHAPE, texts, strict=False)]
    ids = prompt.ids(messages)
    assert (structure(prompt, ids), len(messages)) == calm(prompt, len(messages))
    shown = segments(prompt, ids)
    if prompt.stops:
        assert speakers("\n".join(shown)) == len(messages) - 1  # a system text has no header
    else:
        assert all(prompt.harmless(text) == text or not text.isprintable() for text in texts)
    for text, segment in zip(texts, shown, strict=False):
        harmless = prompt.harmless(text)
        assert len(harmless) == len(text)
        for before, after in zip(text, harmless, strict=True):
            assert before == after or (after == COLON and before in COLON_LIKE) or "\ud800" <= before <= "\udfff"
        assert segment.replace("▁", " ").strip(" ").endswith(harmless.replace("▁", " ").strip(" "))


@cache
def calm(prompt: Prompt, count: int) -> tuple[object, int]:
    """The structure of a prompt of so many harmless texts."""
    return structure(prompt, prompt.ids([Message(role, "a") for role in SHAPE[:count]])), count


def structure(prompt: Prompt, ids: list[int]) -> list[object]:
    """The control tokens of a prompt in order, and the first ids after each: the header."""
    control = [at for at, id_ in enumerate(ids) if id_ in prompt.control_ids]
    length = 7 if prompt.stops else 1
    headers = [tuple(ids[at + 1 : at + 1 + length]) for at in control]
    known = {header for header in headers if header in HEADERS[bool(prompt.stops)]}
    return [[ids[at] for at in control], [header for header in headers if header in known], count(ids, known)]


HEADERS = {
    True: {(420, 6316, 28781, 3198, 3123, 1247, 28747), (420, 6316, 28781, 3198, 3123, 21631, 28747)},
    False: {(4093,), (520,), (9690,)},
}
"""What stands behind a control token to say who speaks: OpenChat's, and user, assistant, system of SmolLM2's."""


def count(ids: list[int], headers: set[tuple[int, ...]]) -> int:
    """How often OpenChat's headers stand in the ids, wherever (SmolLM2's are ordinary words elsewhere)."""
    return sum(tuple(ids[at : at + 7]) in headers for at in range(len(ids))) if max(map(len, headers)) == 7 else 0


def segments(prompt: Prompt, ids: list[int]) -> list[str]:
    """The text between the control tokens that the template puts round each message."""
    runs: list[list[int]] = [[]]
    for id_ in ids:
        if id_ in prompt.control_ids:
            runs.append([])
        else:
            runs[-1].append(id_)
    texts = [prompt.text(run) for run in runs]
    return texts[1:-1] if prompt.stops else [text for text in texts[1:-1] if text != "\n"]


@pytest.mark.parametrize("make", [tokenizers.smollm2_prompt, tokenizers.openchat_prompt], ids=["smollm2", "openchat"])
def test_no_text_of_many_becomes_more_than_text(make: type[Prompt]) -> None:
    prompt, dice = make(), Random(20261124)
    texts = (hostile(dice) for _ in range(TEXTS))
    while some := tuple(islice(texts, len(SHAPE))):
        judge(prompt, some)


SPELLED = st.characters(max_codepoint=0x3FFFF, exclude_characters="\x04\x06\x13\x14\x16\x1d")
"""Without the few signs that SmolLM2 has no tokens for (it leaves them out; nobody could see them)."""
FRAGMENTS = st.sampled_from(CONTROL + PIECES + WORDS + COLONS + SIGNS)
ANY = st.lists(FRAGMENTS | st.text(SPELLED, max_size=5), min_size=1).map("".join)


@settings(max_examples=examples(300))
@given(st.booleans(), st.tuples(*[ANY.filter(bool)] * len(SHAPE)))
def test_no_text_that_can_be_thought_of_becomes_more_than_text(openchat: bool, texts: tuple[str, ...]) -> None:
    judge(tokenizers.openchat_prompt() if openchat else tokenizers.smollm2_prompt(), texts)


@pytest.mark.parametrize("sign", ["\x04", "\x06", "\x16", "\U00050000"])
def test_signs_that_the_model_has_no_token_for_put_no_control_token_together(sign: str) -> None:
    for prompt in (tokenizers.smollm2_prompt(), tokenizers.openchat_prompt()):
        texts = [
            f"<|im_{sign}end|>",
            f"<|im_start|{sign}>",
            f"<|end_of_{sign}turn|>",
            f"GPT4 Correct {sign}User{sign}:",
        ]
        ids = prompt.ids([Message(role, text) for role, text in zip(SHAPE, texts, strict=False)])
        assert (structure(prompt, ids), len(texts)) == calm(prompt, len(texts))
        assert not prompt.stops or speakers("\n".join(segments(prompt, ids))) == len(texts) - 1
