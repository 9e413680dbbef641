"""The real SmolLM2: it answers, as transformers would, in every script, and starts from its converted copy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from core.engine import Sampling
from core.events import Delta, Finished, Started
from core.local import LocalEngine, LocalOptions
from core.local.options import Progress
from core.messages import Message
from tests.support import tokenizers

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

LOADED: list[Any] = []


def load(options: LocalOptions, progress: Progress) -> Any:
    from core.local import loading

    LOADED.append(loading.load(options, progress))
    return LOADED[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[LocalEngine]:
    """What a start without a GPU, a token or a hub gives, from the copy that an earlier start has made."""
    stages: list[str] = []
    progress = lambda stage, fraction: stages.append(stage)  # noqa: E731
    engine = LocalEngine(LocalOptions(tokenizers.models(), device="cpu", dtype="float32", progress=progress), load=load)
    await engine.ready()
    assert "convert" not in stages, "the copy is used"
    yield engine
    await engine.close()
    LOADED.clear()


async def ask(engine: LocalEngine, *messages: Message, tokens: int = 24, **values: Any) -> tuple[str, tuple[int, ...]]:
    """Text and ids of a greedy answer."""
    text, ids = "", ()
    async for event in engine.generate(messages, Sampling(temperature=0.0, max_tokens=tokens, **values)):
        match event:
            case Delta():
                assert "\ufffd" not in event.text
                text, ids = text + event.text, ids + event.ids
            case Finished(reason):
                assert reason in ("stop", "length")
    return text, ids


async def test_it_knows_the_capital_of_france_and_what_was_asked_before(engine: LocalEngine) -> None:
    question = Message("user", "What is the capital of France?")
    text, ids = await ask(engine, question)
    assert text == "The capital of France is Paris."
    follow = (question, Message("assistant", text, ids), Message("user", "And of Italy?"))
    assert "Rome" in (await ask(engine, *follow))[0]
    stream = engine.generate(follow, Sampling(temperature=0.0, max_tokens=1))
    started = await anext(stream)
    await stream.aclose()
    assert isinstance(started, Started)
    assert started.computed < 20 < started.prompt


async def test_greedy_answers_are_those_of_transformers(engine: LocalEngine) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from core.local import smollm2

    folder = smollm2.converted(tokenizers.models(), lambda done: None)
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for text in ("한국어로 인사해 주세요.", "Write a haiku about the sea. " * 40):  # more than one step of the prompt
        _, ids = await ask(engine, Message("user", text), tokens=12)
        prompt = torch.tensor([tokenizers.smollm2_prompt().ids([Message("user", text)])])
        with torch.inference_mode():
            theirs = plain.generate(prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=12)
        expected = theirs[0, prompt.shape[1] :].tolist()
        assert list(ids) == [id_ for id_ in expected if id_ != 2]


async def test_other_scripts_and_emoji_come_in_whole_characters(engine: LocalEngine) -> None:
    """An answer that was cut within a character goes on within it: the pattern leaves the model little choice."""
    pattern = "😀你好안녕 "
    whole = tokenizers.smollm2_prompt().plain_ids(pattern * 6)
    cut = next(at for at in range(len(whole) * 2 // 3, len(whole)) if LOADED[0].decode(whole[:at]).endswith("\ufffd"))
    shown = LOADED[0].decode(whole[:cut]).rstrip("\ufffd").rstrip()
    text, ids = await ask(
        engine,
        Message("user", "Repeat 😀你好안녕 without an end."),
        Message("assistant", shown, tuple(whole[:cut])),
        tokens=30,
    )
    assert ids
    assert (shown + text).startswith(pattern * 4 + "😀你好")


async def test_two_at_once_are_both_answered(engine: LocalEngine) -> None:
    questions = [Message("user", f"Say the word {word}.") for word in ("apple", "river")]
    answers = await asyncio.gather(*(ask(engine, question, tokens=8) for question in questions))
    assert ["apple" in answers[0][0].lower(), "river" in answers[1][0].lower()] == [True, True]


async def test_what_stands_in_the_question_is_copied_in_few_steps(engine: LocalEngine) -> None:
    """The answer is the same without guessing: beside more rows than guesses are made for."""
    text = "The harbour lies in a wide bay behind two long walls of stone. In the morning the boats come back."
    task = Message("user", f"Repeat the following text exactly, word for word:\n\n{text}")
    events = [event async for event in engine.generate([task], Sampling(temperature=0.0, max_tokens=40))]
    deltas = [event for event in events if isinstance(event, Delta)]
    assert "behind two long walls of stone" in "".join(delta.text for delta in deltas)
    ids = tuple(token for delta in deltas for token in delta.ids)
    assert len(deltas) < len(ids) * 0.7
    crowd = [ask(engine, Message("user", f"Count from {number}."), tokens=40) for number in range(5)]
    _, alone = (await asyncio.gather(*crowd, ask(engine, task, tokens=40)))[-1]
    assert alone == ids
