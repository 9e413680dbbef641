"""The engine on a small random model, one request at a time: streams, stops, cancels, fails, and ends without a trace.

What it does with many at once is in test_local_batch.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import threading
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from core.engine import Sampling
from core.errors import EngineError
from core.events import Delta, Finished, Started
from core.local import LocalEngine, LocalOptions
from core.local.options import Progress, Stopped
from core.local.plan import CPU_WORKSPACE, MEMORY_SHARE
from core.messages import Message
from tests.support import tokenizers
from tests.support.tiny_models import generated, tiny

pytestmark = [pytest.mark.torch, pytest.mark.asyncio(loop_scope="module")]

ROOT = Path(__file__).resolve().parents[3]
GREEDY = Sampling(temperature=0.0, max_tokens=24)


@dataclass
class Spy:
    """The loaded model, the token ids of each of its steps, and what is to go wrong in the next ones."""

    loaded: Any = None
    steps: list[list[int]] = field(default_factory=list)
    stages: list[tuple[str, float | None]] = field(default_factory=list)
    go_wrong: Callable[[Any, list[int]], Any] | None = None

    def load(self, options: LocalOptions, progress: Progress) -> Any:
        """Loads what the options name, and watches it."""
        from core.local import loading

        self.loaded = loading.load(options, progress)
        self.loaded.model.register_forward_hook(self.watch, with_kwargs=True)
        return self.loaded

    def watch(self, module: Any, args: Any, options: Any, output: Any) -> Any:
        ids = options["input_ids"][0].tolist()
        self.steps.append(ids)
        return self.go_wrong(output, ids) if self.go_wrong is not None else output


@dataclass
class Said:
    """A whole answer."""

    events: list[Any]

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Delta))

    @property
    def ids(self) -> tuple[int, ...]:
        return tuple(id_ for event in self.events if isinstance(event, Delta) for id_ in event.ids)

    @property
    def started(self) -> Started:
        assert isinstance(self.events[0], Started)
        return self.events[0]

    @property
    def end(self) -> Finished:
        assert sum(isinstance(event, Finished) for event in self.events) == 1
        end = self.events[-1]
        assert isinstance(end, Finished)
        return end


def user(text: str) -> Message:
    return Message("user", text)


async def ask(engine: LocalEngine, messages: str | Sequence[Message], sampling: Sampling = GREEDY) -> Said:
    if isinstance(messages, str):
        messages = [user(messages)]
    return Said([event async for event in engine.generate(messages, sampling)])


@contextlib.asynccontextmanager
async def running(**options: Any) -> AsyncIterator[tuple[LocalEngine, Spy]]:
    """An engine on the small model, and what is seen of it."""
    spy = Spy()
    options = {"model": str(tiny()), "dtype": "float32", "device": "cpu", "slots": 1, **options}
    progress = lambda stage, fraction: spy.stages.append((stage, fraction))  # noqa: E731
    engine = LocalEngine(LocalOptions(tokenizers.models(), progress=progress, **options), load=spy.load)
    try:
        await engine.ready()
        spy.steps.clear()
        yield engine, spy
    finally:
        await engine.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[tuple[LocalEngine, Spy]]:
    """One engine for the tests that leave it as it was."""
    async with running() as both:
        yield both


@pytest.fixture
def engine(house: tuple[LocalEngine, Spy]) -> LocalEngine:
    return house[0]


@pytest.fixture
def spy(house: tuple[LocalEngine, Spy]) -> Spy:
    house[1].steps.clear()
    return house[1]


async def test_it_is_ready_with_one_slot_and_the_models_window(engine: LocalEngine, spy: Spy) -> None:
    assert (engine.slots, engine.context_window) == (1, 512)
    stages = list(dict.fromkeys(stage for stage, _ in spy.stages))
    assert stages == ["libraries", "weights", "warmup"]
    assert [fraction for stage, fraction in spy.stages if stage == "weights"][-1] == 1.0


async def test_greedy_answers_are_those_of_transformers(engine: LocalEngine) -> None:
    for text in ("Hi", "你好，世界", "A long one. " * 40):
        answer = await ask(engine, text)
        assert list(answer.ids) == generated(tokenizers.smollm2_prompt().ids([user(text)]), 24)


async def test_deltas_are_the_answer_in_whole_characters_and_their_ids(engine: LocalEngine, spy: Spy) -> None:
    for seed in range(4):
        answer = await ask(engine, "Hi", Sampling(temperature=3.0, top_p=1.0, seed=seed, max_tokens=60))
        assert answer.end == Finished("length")
        assert len(answer.ids) == 60
        decoded = spy.loaded.decode(answer.ids)
        if "\ufffd" not in decoded:
            assert answer.text == decoded.lstrip()
            assert all(event.text for event in answer.events[1:-1])


async def test_count_tokens_is_what_generate_starts_with(engine: LocalEngine) -> None:
    messages = [Message("system", "Be brief."), user("How are you?")]
    assert await engine.count_tokens(messages) == (await ask(engine, messages)).started.prompt


async def test_the_same_seed_gives_the_same_text_alone_and_beside_others(engine: LocalEngine) -> None:
    warm = [Sampling(temperature=1.0, seed=seed, max_tokens=12) for seed in (1, 2, 1)]
    alone = [await ask(engine, "Hi", sampling) for sampling in warm]
    assert alone[0].text == alone[2].text != alone[1].text
    beside = await asyncio.gather(*(ask(engine, "Hi", sampling) for sampling in warm))
    assert [answer.ids for answer in beside] == [answer.ids for answer in alone]
    assert {answer.end for answer in beside} == {Finished("length")}


async def test_a_stop_string_ends_the_answer_before_it(engine: LocalEngine) -> None:
    whole = await ask(engine, "Hi")
    stop = whole.text[8:15]
    cut = await ask(engine, "Hi", Sampling(temperature=0.0, max_tokens=24, stop=(stop,)))
    assert cut.end == Finished("stop")
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.ids == whole.ids[: len(cut.ids)]


async def test_an_answer_that_begins_to_speak_for_somebody_else_ends_there(engine: LocalEngine, spy: Spy) -> None:
    whole = await ask(engine, "Hi")
    spy.loaded.prompt.stops = (whole.text[5:12],)
    try:
        answer = await ask(engine, "Hi")
    finally:
        spy.loaded.prompt.stops = ()
    assert answer.end == Finished("stop")
    assert answer.text == whole.text[:5]


async def test_an_end_token_ends_the_answer_and_is_no_part_of_it(engine: LocalEngine, spy: Spy) -> None:
    whole = await ask(engine, "Hi")
    ends = spy.loaded.end_ids
    spy.loaded.end_ids = ends | {whole.ids[5]}
    try:
        answer = await ask(engine, "Hi")
    finally:
        spy.loaded.end_ids = ends
    assert answer.end == Finished("stop")
    assert answer.ids == whole.ids[: whole.ids.index(whole.ids[5])]


async def test_every_end_token_is_known(spy: Spy) -> None:
    assert {0, 1, 2} <= spy.loaded.end_ids


async def test_what_the_models_makers_advise_counts_where_nobody_says_otherwise(
    engine: LocalEngine, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = replace(GREEDY, temperature=5.0, as_advised=frozenset(("temperature", "top_p")))
    assert (await ask(engine, "Hi", left)).ids != (await ask(engine, "Hi", GREEDY)).ids, "this one has no advice"
    monkeypatch.setattr(engine, "_advised", {"temperature": 0.0, "repetition_penalty": 9.0})
    assert (await ask(engine, "Hi", left)).ids == (await ask(engine, "Hi", GREEDY)).ids
    own = replace(left, as_advised=frozenset(("top_p",)))
    assert (await ask(engine, "Hi", own)).ids != (await ask(engine, "Hi", GREEDY)).ids


@pytest.mark.parametrize(
    ("written", "advised", "told"),
    [
        ('{"temperature": 0.6, "top_k": 20, "do_sample": true}', {"temperature": 0.6, "top_k": 20}, ""),
        ('{"temperature": null, "top_p": 7, "max_length": 20}', {}, "top_p is not followed: 7"),
        ("[1, 2]", {}, ""),
        ("no JSON", {}, ""),
        (None, {}, ""),
    ],
)
async def test_advice_is_read_as_far_as_it_makes_sense(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, written: str | None, advised: dict[str, float], told: str
) -> None:
    from core.local.loading import _advised

    if written is not None:
        (tmp_path / "generation_config.json").write_text(written)
    assert _advised(tmp_path) == advised
    assert told in caplog.text
    assert bool(told) == bool(caplog.records)


async def test_what_does_not_fit_is_refused_to_the_token(engine: LocalEngine, spy: Spy) -> None:
    room = engine.context_window - await engine.count_tokens([user("Hi")])
    refused = await ask(engine, "Hi", Sampling(temperature=0.0, max_tokens=room + 1))
    assert refused.events == [Finished("error", "too_long")]
    assert spy.steps == []
    assert (await ask(engine, "Hi", Sampling(temperature=0.0, max_tokens=room))).end == Finished("length")
    assert (await ask(engine, "Hi", Sampling(max_tokens=10**15))).events == [Finished("error", "too_long")]


async def test_a_next_turn_computes_only_what_is_new(engine: LocalEngine) -> None:
    first = await ask(engine, "Hi there")
    talk = [user("Hi there"), Message("assistant", first.text, first.ids), user("And now?")]
    second = await ask(engine, talk)
    kept = first.started.prompt + len(first.ids) - 1  # the last token's scores were never needed
    assert second.started.computed == second.started.prompt - kept
    fresh = await ask(engine, "Something else, to use the row")
    assert fresh.ids
    assert (await ask(engine, talk)).ids == second.ids, "with and without the cache"


async def test_an_answer_is_continued_where_it_was_cut(engine: LocalEngine) -> None:
    whole = await ask(engine, "Hi")
    first = await ask(engine, "Hi", Sampling(temperature=0.0, max_tokens=10))
    rest = await ask(
        engine, [user("Hi"), Message("assistant", first.text, first.ids)], Sampling(temperature=0.0, max_tokens=14)
    )
    assert first.ids + rest.ids == whole.ids
    assert first.text + rest.text == whole.text


async def test_absurd_values_fail_their_own_request(engine: LocalEngine, caplog: pytest.LogCaptureFixture) -> None:
    absurd: list[dict[str, Any]] = [{"temperature": float("nan")}, {"top_k": -5}, {"max_tokens": -1}, {"seed": "x"}]
    absurd += [{"stop": 5}, {"top_p": 7.0}, {"stop_ids": ("x",)}]
    calm = asyncio.create_task(ask(engine, "Hi"))
    for values in absurd:
        caplog.clear()
        assert (await ask(engine, "Hi", Sampling(**values))).events == [Finished("error", "engine_failed")]
        assert len(caplog.records) == 1
    assert (await calm).end == Finished("length")


async def test_messages_that_are_no_messages_fail_their_own_request(engine: LocalEngine) -> None:
    assert (await ask(engine, [Message("user", None)])).end == Finished("error", "engine_failed")  # type: ignore[arg-type]
    assert (await ask(engine, "Hi")).end == Finished("length")


async def test_ids_outside_the_vocabulary_never_reach_the_model(engine: LocalEngine, spy: Spy) -> None:
    size, spy.loaded.vocabulary = spy.loaded.vocabulary, 100
    try:
        assert (await ask(engine, "Hi")).end == Finished("error", "engine_failed")
    finally:
        spy.loaded.vocabulary = size
    assert spy.steps == []
    assert (await ask(engine, "Hi")).end == Finished("length")


async def test_scores_that_are_not_numbers_fail_their_own_request(
    engine: LocalEngine, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    def nothing(output: Any, ids: list[int]) -> Any:
        output.logits = output.logits * float("nan")
        return output

    spy.go_wrong = nothing
    broken = await ask(engine, "Hi")
    spy.go_wrong = None
    assert broken.end == Finished("error", "engine_failed")
    assert len(caplog.records) == 1
    assert (await ask(engine, "Hi")).end == Finished("length")


async def test_an_error_in_a_step_fails_that_request_only(
    engine: LocalEngine, spy: Spy, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = iter(["the step", "the same for this request alone"])

    def twice(output: Any, ids: list[int]) -> Any:
        if found := next(wrong, None):
            raise RuntimeError(found)
        return output

    spy.go_wrong = twice
    assert (await ask(engine, "One")).end == Finished("error", "engine_failed")
    spy.go_wrong = None
    assert "a request failed: RuntimeError: the same for this request alone" in caplog.text
    assert (await ask(engine, "Two")).end == Finished("length")


async def test_a_closed_stream_stops_the_model_within_one_token(engine: LocalEngine, spy: Spy) -> None:
    async with aclosing(engine.generate([user("Hi")], Sampling(temperature=0.0, max_tokens=400))) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                break
    done = len(spy.steps)
    after = await ask(engine, "Another")
    begun = next(i for i, ids in enumerate(spy.steps) if i >= done and len(ids) > 1)
    assert begun - done <= 1
    assert after.end == Finished("length")


async def test_a_closed_stream_stops_in_the_middle_of_a_long_prompt(engine: LocalEngine, spy: Spy) -> None:
    async with aclosing(engine.generate([user("word " * 400)], Sampling(temperature=0.0, max_tokens=1))) as stream:
        async for event in stream:
            assert isinstance(event, Started)
            break
    assert (await ask(engine, "Hi")).end == Finished("length")
    assert sum(len(ids) > 100 for ids in spy.steps) <= 2


async def test_a_stream_closed_while_it_waits_is_never_computed(engine: LocalEngine, spy: Spy) -> None:
    first = asyncio.create_task(ask(engine, "First"))
    second = asyncio.create_task(ask(engine, "Second word"))
    third = asyncio.create_task(ask(engine, "Third"))
    await asyncio.sleep(0)
    second.cancel()
    assert (await first).end == (await third).end == Finished("length")
    ids = tokenizers.smollm2_prompt().plain_ids(" word")[0]
    assert not any(ids in step for step in spy.steps if len(step) > 1)


async def test_what_a_cancelled_request_computed_is_kept(engine: LocalEngine) -> None:
    async with aclosing(engine.generate([user("Stop me")], Sampling(temperature=0.0, max_tokens=400))) as stream:
        async for event in stream:
            if isinstance(event, Delta):
                break
    assert (await ask(engine, "Stop me")).started.computed == 1


async def test_the_thread_stands_still_while_somebody_has_the_model_to_themselves(
    engine: LocalEngine, spy: Spy
) -> None:
    async with engine.exclusive(), engine.exclusive():
        talking = asyncio.create_task(ask(engine, "Wait for me"))
        await asyncio.sleep(0.05)
        assert spy.steps == []
    assert (await talking).end == Finished("length")
    running = engine.generate([user("Hi there")], Sampling(temperature=0.0, max_tokens=200))
    async with aclosing(running):
        async for event in running:
            if isinstance(event, Delta):
                break
        async with engine.exclusive():
            stood = len(spy.steps)
            await asyncio.sleep(0.05)
            assert len(spy.steps) == stood
        assert isinstance(await anext(running), Delta)


async def test_who_waits_for_the_model_alone_is_not_forgotten_when_it_closes() -> None:
    async with running() as (engine, _):
        async with engine.exclusive():
            closing = asyncio.create_task(engine.close())
            await asyncio.wait({closing}, timeout=20)
            assert closing.done()
        with pytest.raises(EngineError):
            async with engine.exclusive():
                pass


# Engines of their own


async def test_four_bit_answers_on_the_cpu() -> None:
    async with running(quantization="4bit") as (engine, spy):
        kinds = {type(module).__name__ for module in spy.loaded.model.model.layers.modules()}
        assert "Linear4bit" in kinds
        assert "Linear" not in kinds
        weight = spy.loaded.model.model.layers[0].mlp.up_proj.weight
        state = weight.quant_state  # where the CPU has AVX512-BF16, the first product has packed it anew
        assert getattr(state, "original_nested", state.nested), "double quantization"
        assert state.quant_type == "nf4"
        assert weight.numel() == 64 * 128 // 2, "two weights a byte"
        assert engine.description.startswith("tiny-llama: 4 bit, float32 on the CPU")
        answer = await ask(engine, "Hi")
        assert answer.end == Finished("length")
        assert len(answer.ids) == 24


@pytest.mark.parametrize(
    ("room", "here", "layers"),
    [(30e9, "cpu", "cpu"), (13.08e6, "cpu", "meta"), (0, "meta", "meta")],
    ids=["everything fits", "some layers do not", "nothing fits"],
)
async def test_what_fits_nowhere_else_runs_from_disk(
    tmp_path: Path, engine: LocalEngine, room: float, here: str, layers: str
) -> None:
    import psutil

    class Memory:
        available = int((room + CPU_WORKSPACE) / MEMORY_SHARE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psutil, "virtual_memory", Memory)
        async with running(offload_folder=tmp_path) as (small, spy):
            model = spy.loaded.model.model
            assert model.embed_tokens.weight.device.type == here
            assert model.layers[1].mlp.up_proj.weight.device.type == layers
            assert ("on disk" in small.description) == (layers == "meta")
            assert (await ask(small, "Hi")).ids == (await ask(engine, "Hi")).ids


async def test_what_fits_nowhere_at_all_is_said_with_what_is_missing(tmp_path: Path) -> None:
    import shutil

    import psutil

    class Memory:
        available = 0

    class Disk:
        free = 1000

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psutil, "virtual_memory", Memory)
        patch.setattr(shutil, "disk_usage", lambda folder: Disk)
        with pytest.raises(EngineError, match=r"needs 0\.0 GB more on the disk of .*engine\.offload_folder"):
            async with running(offload_folder=tmp_path):
                pass


async def test_a_model_that_fails_for_good_ends_the_engine_with_a_sentence() -> None:
    def always(output: Any, ids: list[int]) -> Any:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    async with running() as (engine, spy):
        waiting = asyncio.create_task(engine.failed())
        spy.go_wrong = always
        ends = await asyncio.gather(*(ask(engine, "Hi") for _ in range(3)))
        assert {answer.end for answer in ends} == {Finished("error", "engine_failed")}
        sentence = await waiting
        assert "illegal memory access" in sentence
        assert "Start Conch again" in sentence
        assert engine.slots == 0
        assert (await ask(engine, "Hi")).events == [Finished("error", "engine_failed")]


async def test_closing_ends_what_runs_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    async with running() as (engine, _):
        waiting = None
        async for event in engine.generate([user("Hi")], Sampling(max_tokens=300)):
            if isinstance(event, Delta) and waiting is None:
                waiting = asyncio.create_task(ask(engine, "Me too"))
                await engine.close()
        assert event == Finished("abort")
        assert waiting is not None
        assert (await waiting).end == Finished("abort")
    assert set(threading.enumerate()) <= before


async def test_closing_while_it_loads_gives_up_at_the_next_sign_of_progress(tmp_path: Path) -> None:
    told = threading.Event()
    ended: list[str] = []

    def slow(options: LocalOptions, progress: Progress) -> Any:
        try:
            while True:
                progress("weights", None)
                told.set()
        except Stopped:
            ended.append("stopped")
            raise

    engine = LocalEngine(LocalOptions(tmp_path), load=slow)
    ready = asyncio.create_task(engine.ready())
    counting = asyncio.create_task(engine.count_tokens([user("Hi")]))
    await asyncio.to_thread(told.wait)
    await engine.close()
    assert ended == ["stopped"]
    for task in (ready, counting):
        with pytest.raises(EngineError, match="closed"):
            await task


async def test_an_engine_closed_before_it_began_never_loads(tmp_path: Path) -> None:
    engine = LocalEngine(LocalOptions(tmp_path))
    await engine.close()
    await engine.close()
    with pytest.raises(EngineError):
        await engine.ready()
    assert (await ask(engine, "Hi")).end == Finished("abort")


async def test_a_model_that_cannot_be_loaded_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    (tmp_path / "model.safetensors").touch()
    engine = LocalEngine(LocalOptions(tmp_path, model=str(tmp_path)))
    try:
        with pytest.raises(EngineError, match=r"Set engine\.model") as refused:
            await engine.ready()
        assert await engine.failed() == str(refused.value)
    finally:
        await engine.close()


async def test_a_gpu_that_is_not_there_is_said(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    engine = LocalEngine(LocalOptions(tmp_path, device="cuda"))
    try:
        with pytest.raises(EngineError, match=r"engine\.device"):
            await engine.ready()
    finally:
        await engine.close()


PROGRAM = """
import asyncio, signal, sys
from pathlib import Path
from core.local import LocalEngine, LocalOptions
async def main():
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    engine = LocalEngine(LocalOptions(Path(sys.argv[1]), progress=lambda *news: print(*news, flush=True)))
    ready = asyncio.create_task(engine.ready())
    await stop.wait()
    await engine.close()
    await asyncio.wait({ready})
    print(type(ready.exception()).__name__)
asyncio.run(main())
"""


async def test_a_process_told_to_end_while_it_loads_ends_cleanly() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(tokenizers.models())), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"libraries")
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert process.returncode == 0, err
    assert out.strip().endswith(b"EngineError")
    assert err == b""
