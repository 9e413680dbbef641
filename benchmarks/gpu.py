"""What the engine does on a GPU, in one command: ``python -m benchmarks.gpu --tokenizer FOLDER [--json FILE]``.

OpenChat's true shape (7.24 billion parameters) with weights of chance, the true tokenizer, real 4 bit; nothing is
downloaded. ``--prepare FOLDER`` writes the tokenizer here, to be carried to a machine without packages; ``--only
SECTION`` does a part; ``--seconds`` is how long requests come and go in the last one. Without a CUDA GPU everything
runs at a tiny size on the CPU: to see that the script works, not how fast anything is.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

from benchmarks.machine import description, quantile, resident_bytes, table
from core.engine import Sampling
from core.events import Delta, Finished, Started
from core.local import LocalEngine, LocalOptions
from core.messages import Message

LIBRARIES = ("torch", "transformers", "accelerate", "bitsandbytes", "tokenizers", "safetensors")
"""All that a machine needs to have installed."""
USERS = (1, 4, 16, 32)
PROMPTS = (100, 1000, 4000)


@dataclass
class Run:
    """Where everything is, and what was found: rows of (section, figure, value, what it means)."""

    folder: Path
    tiny: bool
    seconds: float
    file: Path | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)
    eager: float = 0.0

    @property
    def device(self) -> str:
        """The device that computes."""
        return "cpu" if self.tiny else "cuda"

    def note(self, section: str, figure: str, value: float, meaning: str = "") -> None:
        """One figure more."""
        self.rows.append({"section": section, "figure": figure, "value": float(value), "meaning": meaning})
        print(f"{section:<10} {figure:<38} {value:12.3f}  {meaning}", flush=True)

    def save(self) -> None:
        """Write what has been found so far."""
        import torch

        if self.file:
            card = "none" if self.tiny else torch.cuda.get_device_name()
            found = {"card": card, "torch": torch.__version__, "tiny": self.tiny, "rows": self.rows}
            self.file.write_text(json.dumps(found | description(LIBRARIES), indent=1) + "\n")


@asynccontextmanager
async def engine(run: Run, **options: Any) -> AsyncIterator[tuple[LocalEngine, Any]]:
    """Conch's engine on the model, and what it has loaded."""
    loaded: list[Any] = []

    def load(chosen: LocalOptions, progress: Any) -> Any:
        from core.local import loading

        loaded.append(loading.load(chosen, progress))
        return loaded[0]

    release()  # a model before this one, if nobody holds it any more
    wanted = {"model": str(run.folder / "model"), "device": run.device, "quantization": "4bit", **options}
    one = LocalEngine(LocalOptions(run.folder / "cache", **wanted), load=load)
    try:
        await one.ready()
        yield one, loaded[0]
    finally:
        await one.close()
        loaded.clear()
        release()


def release() -> None:
    """Everything that nobody holds is given back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def question(number: int, tokens: int) -> list[Message]:
    """About so many tokens that no other question begins with."""
    chance = Random(number)
    words = " ".join(
        chance.choice(("sea", "ship", "wind", "lamp", "stone", "bell", "net", "tide")) for _ in range(tokens - 20)
    )
    return [Message("user", f"{number}. {words}")]


async def ask(one: LocalEngine, messages: Sequence[Message], tokens: int) -> tuple[float, int, Any]:
    """Seconds to the first token, tokens, and how it ended. Weights of chance rarely say that they are done."""
    began, first, count, end = time.perf_counter(), 0.0, 0, None
    async for event in one.generate(messages, Sampling(temperature=0.0, max_tokens=tokens)):
        match event:
            case Delta(_, ids):
                first = first or time.perf_counter() - began
                count += len(ids)
            case Finished():
                end = event
            case Started():
                pass
    return first, count, end


@contextmanager
def plainly(loaded: Any) -> Iterator[Callable[[int, int], float]]:
    """transformers' own ``generate()`` on the same weights: seconds for a prompt and so many tokens."""
    import torch

    from core.local.kv_cache import ATTENTION

    batched = loaded.model.config._attn_implementation == ATTENTION
    if batched:
        loaded.model.set_attn_implementation("sdpa")

    def generate(prompt: int, tokens: int) -> float:
        ids = torch.randint(100, 30_000, (1, prompt), device=loaded.device)
        with torch.inference_mode():
            began = time.perf_counter()
            loaded.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens
            )
            if loaded.device.type == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter() - began

    try:
        yield generate
    finally:
        if batched:
            loaded.model.set_attn_implementation(ATTENTION)


async def in_thread(work: Callable[[], Any]) -> Any:
    """Work of torch beside an engine that stands still."""
    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, work)


# Sections


async def memory(run: Run) -> None:
    """4 bit against FP16: the claim is a quarter. FP16 against FP32: the claim is twice the speed."""
    small = await _weighed(run, "4 bit", quantization="4bit", dtype="float16")
    half = await _weighed(run, "FP16", quantization="none", dtype="float16")
    full = await _weighed(run, "FP32", quantization="none", dtype="float32")
    run.note("memory", "4 bit / FP16, bytes", small[0] / half[0], "claim: a quarter")
    run.note("memory", "FP16 / FP32, tokens/s", half[1] / full[1], "claim: about twice")


async def _weighed(run: Run, name: str, **options: Any) -> tuple[float, float]:
    """Bytes of the weights and tokens a second; in a function of its own, so that no model outlives it."""
    async with engine(run, slots=1, context_window=2048, **options) as (one, loaded):
        size = sum(map(_bytes, loaded.model.parameters()))
        run.note("memory", f"weights in {name}, GB", size / 1e9)
        await ask(one, question(1, 500), 4)
        began = time.perf_counter()
        _, tokens, _ = await ask(one, question(2, 500), 32)
        rate = tokens / (time.perf_counter() - began)
        run.note("memory", f"tokens/s in {name}, one user", rate)
    return size, rate


def _bytes(weight: Any) -> int:
    """Of a weight; in 4 bit with the scales that belong to it, and with theirs."""
    scales = vars(getattr(weight, "quant_state", None) or SimpleNamespace())
    theirs = vars(scales.get("state2") or SimpleNamespace())  # on a CPU they are multiplied out
    values = (weight, *scales.values(), *theirs.values())
    return sum(value.nbytes for value in values if hasattr(value, "nbytes"))


async def earlier(run: Run) -> None:
    """What an earlier Conch was: Gemma 2B's shape on the CPU, by ``generate()``."""

    def work() -> float:
        import torch
        from transformers import AutoModelForCausalLM, GemmaConfig

        from benchmarks.openchat import GEMMA_2B

        shape = GEMMA_2B | ({"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2} if run.tiny else {})
        with torch.inference_mode():
            model = AutoModelForCausalLM.from_config(GemmaConfig(**shape), dtype=torch.bfloat16).eval()
            ids = torch.randint(100, 30_000, (1, 50))
            model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=2)
            began = time.perf_counter()
            model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=16, min_new_tokens=16
            )
            return 16 / (time.perf_counter() - began)

    gemma = await in_thread(work)
    run.note("earlier", "Gemma 2B's shape on the CPU, tokens/s", gemma)
    async with engine(run, slots=1) as (one, _):
        await ask(one, question(1, 50), 4)
        began = time.perf_counter()
        _, tokens, _ = await ask(one, question(2, 50), 64)
        rate = tokens / (time.perf_counter() - began)
    run.note("earlier", "OpenChat in 4 bit here / that", rate / gemma, "claim: much faster, though larger")


async def users(run: Run) -> None:
    """Tokens a second for 1 to 32 users, against ``generate()`` and against what the memory's bandwidth allows."""
    from core.local.speeds import speeds_of

    counts, length = (USERS[:2], 12) if run.tiny else (USERS, 64)
    async with engine(run, slots=max(counts), context_window=2048) as (one, loaded):
        async with one.exclusive():
            with plainly(loaded) as generate:
                await in_thread(lambda: generate(50, 8))
                run.eager = length / await in_thread(lambda: generate(50, length))
            speeds = await in_thread(lambda: speeds_of(loaded.device))
        bound = speeds.memory / loaded.plan.weights
        run.note("users", "generate(), one user, tokens/s", run.eager)
        run.note("users", "bandwidth bound, one user, tokens/s", bound, f"{speeds.memory / 1e9:.0f} GB/s measured")
        for count in counts:
            for measured in (False, True):  # the first time, graphs are recorded
                began = time.perf_counter()
                answers = await asyncio.gather(
                    *(ask(one, question(1000 * count + 100 * measured + n, 50), length) for n in range(count))
                )
                took = time.perf_counter() - began
            rate = sum(tokens for _, tokens, _ in answers) / took
            run.note("users", f"{count} users, tokens/s", rate)
            run.note("users", f"{count} users / generate() for one", rate / run.eager, _users_aim(count))
        run.note("users", "one user, share of the bound", _value(run, "1 users, tokens/s") / bound)


async def first_tokens(run: Run) -> None:
    """Time to the first token by length of the prompt, new and as the next turn of a conversation."""
    prompts = (40, 100) if run.tiny else PROMPTS
    async with engine(run, slots=4, context_window=8192) as (one, _):
        await ask(one, question(1, 100), 4)
        for length in prompts:
            new, again = [], []
            for number in range(5):
                messages = question(100 * length + number, length)
                first, _, _ = await ask(one, messages, 2)
                new.append(first)
                talk = [*messages, Message("assistant", "Yes."), Message("user", "And then?")]
                first, _, _ = await ask(one, talk, 2)
                again.append(first)
            run.note("first", f"{length} tokens, new, ms", 1000 * quantile(new, 0.5))
            run.note("first", f"{length} tokens, next turn, ms", 1000 * quantile(again, 0.5))


async def offload(run: Run) -> None:
    """Everything fits, some layers do not, almost nothing does: each starts and answers."""
    import psutil
    import torch

    from core.local.plan import OPENCHAT, WORKSPACE, decoder

    whole = decoder(OPENCHAT, bytes_each=2, quantized=True).size + WORKSPACE + 2**30
    for name, share in (("everything fits", 1.0), ("some layers do not", 0.75), ("almost nothing fits", 0.3)):
        with _capped(run, psutil, torch, int(whole * share), share):
            await _started(run, name)


async def _started(run: Run, name: str) -> None:
    """That it starts and answers, and how fast; in a function of its own, so that no model outlives it."""
    async with engine(run, offload_folder=run.folder / "offload") as (one, loaded):
        began = time.perf_counter()
        _, tokens, end = await ask(one, question(7, 40), 8)
        rate = tokens / (time.perf_counter() - began)
        assert end is not None
        assert end.reason in ("stop", "length")
        run.note("offload", f"{name}, tokens/s", rate, f"{loaded.plan.layers_off} modules elsewhere")


@contextmanager
def _capped(run: Run, psutil: Any, torch: Any, limit: int, share: float) -> Iterator[None]:
    """The process may have so many bytes of the card; at a tiny size, so much memory is said to be free."""
    if not run.tiny:
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(limit / total, 1.0))
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    real = psutil.virtual_memory

    class Memory:
        available = int(120e6 * share**3)

    psutil.virtual_memory = lambda: real() if share == 1.0 else Memory
    try:
        yield
    finally:
        psutil.virtual_memory = real


async def healing(run: Run) -> None:
    """Out of memory in the middle of answers: they go on, and the next is answered within seconds."""
    length, wait = (60, 0.05) if run.tiny else (1500, 0.5)
    async with engine(run, slots=8, context_window=4096) as (one, loaded):
        await ask(one, question(1, 50), 4)
        running = [asyncio.create_task(ask(one, question(n, length), 64)) for n in range(8)]
        await asyncio.sleep(wait)
        with _heard("core.local.stepping") as said:
            async with one.exclusive():  # a step may be recorded just now, which nobody else may disturb
                hog = _taken(run, loaded)
            began = time.perf_counter()
            ends = [end.reason for _, _, end in await asyncio.gather(*running) if end is not None]
            _, _, end = await ask(one, question(99, 50), 4)
        del hog
        run.note("healing", "answers that ended well, of 8", sum(reason in ("stop", "length") for reason in ends))
        run.note("healing", "then answered after, s", time.perf_counter() - began, f"{one.slots} at once since")
        assert any("out of memory" in line for line in said), "the memory never ran out"
        assert end is not None
        assert end.reason in ("stop", "length")


def _taken(run: Run, loaded: Any) -> Any:
    """All but 64 MiB of the card's memory; at a tiny size the next step is told that there is none."""
    import torch

    if not run.tiny:
        torch.cuda.empty_cache()  # what the engine has once had, it would have again
        free, _ = torch.cuda.mem_get_info()
        return torch.empty(max(free - 64 * 2**20, 1), dtype=torch.uint8, device="cuda")
    forward = loaded.runner.forward

    def short(segments: Any) -> Any:
        loaded.runner.forward = forward
        raise torch.OutOfMemoryError("CUDA out of memory")

    loaded.runner.forward = short
    return None


@contextmanager
def _heard(name: str) -> Iterator[list[str]]:
    """What a logger says meanwhile."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger(name).addHandler(handler)
    try:
        yield said
    finally:
        logging.getLogger(name).removeHandler(handler)


async def coming_and_going(run: Run) -> None:
    """Requests that come, are cancelled and end, with flat memory."""
    import torch

    def used() -> int:
        return resident_bytes() if run.tiny else int(torch.cuda.memory_reserved())

    chance, count = Random(5), 0
    async with engine(run, slots=8, context_window=2048) as (one, _):

        async def come(number: int) -> None:
            stop_at = chance.choice((1, 3, 10, 1000))
            sampling = Sampling(temperature=0.7, max_tokens=chance.choice((4, 16, 64)), seed=number)
            messages = question(number, chance.choice((40, 100, 60 if run.tiny else 900)))
            async with aclosing(one.generate(messages, sampling)) as stream:
                seen = 0
                async for event in stream:
                    seen += isinstance(event, Delta)
                    if seen >= stop_at:
                        break

        end, warm = time.monotonic() + run.seconds, 0
        while time.monotonic() < end:
            await asyncio.gather(*(come(count + n) for n in range(12)))
            count += 12
            if not warm and time.monotonic() > end - run.seconds * 0.8:
                warm = used()
        run.note("flat", "requests", count)
        run.note("flat", "memory at the end / after a fifth", used() / max(warm, 1), "flat")


SECTIONS = (memory, earlier, users, first_tokens, offload, healing, coming_and_going)


def _users_aim(count: int) -> str:
    return {1: "aim: at least 4", 16: "aim: at least 32"}.get(count, "")


def _value(run: Run, figure: str) -> float:
    return next(float(row["value"]) for row in run.rows if row["figure"] == figure)


async def measure(run: Run, only: Sequence[str]) -> None:
    """Every section, each written to the file; one that fails is written down, and the others go on."""
    for section in SECTIONS:
        if only and section.__name__ not in only:
            continue
        try:
            await section(run)
        except Exception as error:
            run.note(section.__name__, f"FAILED: {type(error).__name__}: {str(error)[:120]}", float("nan"))
        run.save()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit code says whether every section could be measured."""
    import torch

    from benchmarks import openchat

    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--prepare", type=Path, metavar="FOLDER")
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--only", action="append", default=[], choices=[section.__name__ for section in SECTIONS])
    parser.add_argument("--seconds", type=float, default=300.0)
    options = parser.parse_args(arguments)
    if options.prepare:
        print(openchat.carried(options.prepare))
        return 0
    tiny = not torch.cuda.is_available()
    if tiny:
        print("There is no CUDA GPU: everything at a tiny size on the CPU, to see that it works.", flush=True)
    with TemporaryDirectory(prefix="conch-gpu-") as folder:
        run = Run(Path(folder), tiny, options.seconds, options.json)
        tokens = options.tokenizer or openchat.tokenizer(run.folder / "tokenizer")
        openchat.write(run.folder / "model", tokens, tiny=tiny, device=run.device)
        asyncio.run(measure(run, options.only))
    print(table([{"figure": row["figure"], "value": row["value"], "meaning": row["meaning"]} for row in run.rows]))
    return int(any(row["figure"].startswith("FAILED") for row in run.rows))


if __name__ == "__main__":
    sys.exit(main())
