"""The engines that are measured side by side, each alone in a process: ``python -m benchmarks.peers NAME [options]``.

Commands come in and results go out as JSON, a line each. A process that is not asked anything sleeps, so peers that
take turns do not disturb each other. Every peer gets the same token ids, number format, stop ids and longest answers.

``conch`` is Conch's engine behind its own face; ``lock`` is transformers' ``generate()`` under an asyncio lock, in one
thread of its own; ``batching`` transformers' continuous batching; ``static`` one left-padded batch through
``generate()``, which has to have all its requests before it begins; ``server`` any OpenAI-compatible server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.machine import resident_bytes

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as Conch has it; for every peer the same


@dataclass
class Ask:
    """One request: when it comes (seconds from the start), its prompt as messages and as ids, its longest answer."""

    messages: list[list[Any]]
    ids: list[int]
    max_tokens: int
    at: float = 0.0


@dataclass
class Answer:
    """Seconds from its coming to the first token and to the end; the ids it was answered with."""

    first: float
    end: float
    ids: list[int] = field(default_factory=list)


class Peer(Protocol):
    """``run`` answers requests that come at their own times."""

    async def run(self, asks: Sequence[Ask]) -> list[Answer]: ...
    async def close(self) -> None: ...


def load_model(options: argparse.Namespace) -> tuple[Any, Any]:
    """The model and its tokenizer as transformers alone has them."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from core.local import smollm2

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = options.model or smollm2.converted(options.cache, lambda done: None)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, options.dtype), local_files_only=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder, local_files_only=True)


class _FirstToken:
    """A streamer that notes when the first token comes; ``put`` gets the prompt before it."""

    def __init__(self) -> None:
        self.first = 0.0
        self._calls = 0

    def put(self, value: Any) -> None:
        self._calls += 1
        if self._calls == 2:
            self.first = time.perf_counter()

    def end(self) -> None:
        pass


class Lock:
    """What most bots do: one ``generate()`` at a time."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._thread = ThreadPoolExecutor(1)
        self._lock = asyncio.Lock()
        self._model: Any = None
        self._options = options

    async def load(self) -> None:
        """In its thread, where everything of torch stays."""
        loop = asyncio.get_running_loop()
        self._model, _ = await loop.run_in_executor(self._thread, load_model, self._options)

    def generate(self, batch: Sequence[Ask], streamer: _FirstToken | None = None) -> list[list[int]]:
        """One call of ``generate()``, left-padded; what each was answered with, up to its stop."""
        import torch

        model, stops = self._model, self._options.stops
        width = max(len(ask.ids) for ask in batch)
        ids = torch.tensor([[stops[0]] * (width - len(ask.ids)) + ask.ids for ask in batch])
        mask = torch.tensor([[0] * (width - len(ask.ids)) + [1] * len(ask.ids) for ask in batch])
        with torch.inference_mode():
            output = model.generate(
                ids,
                attention_mask=mask,
                do_sample=False,
                max_new_tokens=max(ask.max_tokens for ask in batch),
                eos_token_id=stops,
                pad_token_id=stops[0],
                streamer=streamer,
            )
        return [_until_stop(row, stops) for row in output[:, width:].tolist()]

    async def run(self, asks: Sequence[Ask]) -> list[Answer]:
        loop = asyncio.get_running_loop()

        async def answer(ask: Ask) -> Answer:
            came, streamer = time.perf_counter(), _FirstToken()
            async with self._lock:
                (ids,) = await loop.run_in_executor(self._thread, self.generate, [ask], streamer)
            return Answer(streamer.first - came, time.perf_counter() - came, ids)

        return await _arriving(asks, answer)

    async def plain(self, asks: Sequence[dict[str, Any]]) -> float:
        """Tokens per second of ``generate()`` and nothing round it."""

        def work() -> float:
            began = time.perf_counter()
            tokens = sum(len(self.generate([Ask(**ask)])[0]) for ask in asks)
            return tokens / (time.perf_counter() - began)

        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def close(self) -> None:
        self._thread.shutdown()


class Static(Lock):
    """The ceiling: all requests in one batch, which begins when the last has come."""

    async def run(self, asks: Sequence[Ask]) -> list[Answer]:
        loop = asyncio.get_running_loop()
        came = time.perf_counter()
        lines = await loop.run_in_executor(self._thread, self.generate, asks)
        took = time.perf_counter() - came
        return [Answer(took, took, ids) for ids in lines]


SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "small_pages": {"page_size": 32},
    "small_batches": {"page_size": 64, "max_batch_tokens": 256},
}
"""Of transformers' batching: its own, finer sharing of prefixes, and shorter steps."""


class Batching:
    """transformers' continuous batching, in one of three settings."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._manager: Any = None

    async def load(self) -> None:
        from transformers import ContinuousBatchingConfig, GenerationConfig

        model, _ = load_model(self._options)
        stops = self._options.stops
        chosen = SETTINGS[self._options.setting]
        page = chosen.get("page_size", 256)
        config = ContinuousBatchingConfig(num_blocks=16 * 2048 // page, **{"max_batch_tokens": 1024} | chosen)
        generation = GenerationConfig(do_sample=False, eos_token_id=stops, pad_token_id=stops[0], max_new_tokens=1024)
        self._manager = model.init_continuous_batching(generation, config)
        self._manager.start()

    async def run(self, asks: Sequence[Ask]) -> list[Answer]:
        waiting: dict[str, tuple[float, asyncio.Future[Answer]]] = {}
        firsts: dict[str, float] = {}
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def listen() -> None:
            while not stop.is_set():
                output = self._manager.get_result(timeout=0.05)
                now = time.perf_counter()
                if output is None or output.request_id not in waiting:
                    continue
                came, future = waiting[output.request_id]
                firsts.setdefault(output.request_id, now)
                if output.is_finished():
                    ids = _until_stop(output.generated_tokens, self._options.stops)
                    answer = Answer(firsts[output.request_id] - came, now - came, ids)
                    loop.call_soon_threadsafe(future.set_result, answer)

        async def answer(ask: Ask) -> Answer:
            name = f"request-{time.perf_counter_ns()}"
            future: asyncio.Future[Answer] = loop.create_future()
            waiting[name] = time.perf_counter(), future
            self._manager.add_request(ask.ids, name, ask.max_tokens, streaming=True, eos_token_id=self._options.stops)
            return await future

        listening = loop.run_in_executor(None, listen)
        try:
            return await _arriving(asks, answer)
        finally:
            stop.set()
            await listening

    async def close(self) -> None:
        self._manager.stop(block=True)


class Conch:
    """Conch's own engine, as Chat calls it."""

    def __init__(self, options: argparse.Namespace) -> None:
        from core.local import LocalEngine, LocalOptions
        from core.local import loading as local

        def load(chosen: Any, progress: Any) -> Any:
            self.before = resident_bytes()  # with the libraries, without the model
            self.loaded = local.load(chosen, progress)
            return self.loaded

        self.loaded: Any = None
        self.before = 0
        self.engine = LocalEngine(
            LocalOptions(
                options.cache,
                model=options.model or "SmolLM2-135M-Instruct",
                dtype=options.dtype,
                device="cpu",
                slots=options.slots,
                context_window=options.context,
            ),
            load=load,
        )

    async def load(self) -> None:
        await self.engine.ready()

    async def ids(self, messages: Sequence[Sequence[Any]]) -> list[int]:
        """The prompt that these messages make."""
        return list(self.loaded.prompt.ids([_message(message) for message in messages]))

    async def run(self, asks: Sequence[Ask]) -> list[Answer]:
        from core.engine import Sampling
        from core.events import Delta, Started

        async def answer(ask: Ask) -> Answer:
            came, first = time.perf_counter(), 0.0
            ids: list[int] = []
            sampling = Sampling(temperature=0.0, max_tokens=ask.max_tokens)
            async for event in self.engine.generate([_message(message) for message in ask.messages], sampling):
                if isinstance(event, Delta):
                    first = first or time.perf_counter()
                    ids += event.ids
                elif isinstance(event, Started) and ask.ids and event.prompt != len(ask.ids):
                    raise AssertionError(f"a prompt of {event.prompt} tokens instead of {len(ask.ids)}")
            return Answer(first - came, time.perf_counter() - came, ids)

        return await _arriving(asks, answer)

    async def say(self, messages: Sequence[Sequence[Any]], max_tokens: int) -> tuple[str, list[int]]:
        """Text and ids of an answer, for a conversation that goes on."""
        from core.engine import Sampling
        from core.events import Delta

        text = ""
        ids: list[int] = []
        sampling = Sampling(temperature=0.0, max_tokens=max_tokens)
        async for event in self.engine.generate([_message(message) for message in messages], sampling):
            if isinstance(event, Delta):
                text, ids = text + event.text, [*ids, *event.ids]
        return text, ids

    async def cancel_steps(self) -> int:
        """Steps from a cancel until the request's row is free, while others are answered."""

        def work() -> int:
            import torch

            from core.engine import Sampling
            from core.local.request import Request
            from core.local.stepping import Stepping

            with torch.inference_mode():
                stepping = Stepping(self.loaded)
                requests = [
                    Request([1, *range(100, 140 + n)], False, (), Sampling(temperature=0.0, max_tokens=500))
                    for n in range(4)
                ]
                for request in requests:
                    stepping.add(request)
                for _ in range(8):
                    stepping.step()
                requests[1].cancelled = True
                steps = 0
                while any(one.request is requests[1] for one in stepping.running):
                    stepping.step()
                    steps += 1
                return steps

        async with self.engine.exclusive():
            return await asyncio.get_running_loop().run_in_executor(None, work)

    async def memory(self, requests: int) -> dict[str, float]:
        """The peak over the plan's budget once every row and all that is kept are full, and how much the process grows
        over so many short requests after that."""
        plan, room = self.loaded.plan, self.loaded.context_window - 16
        rounds = plan.rows + -(-plan.kept // room) + 1
        for first in range(0, rounds, plan.rows):
            count = min(plan.rows, rounds - first)
            await self.run([_numbered(first + i, room, 4) for i in range(count)])
        peak = peak_bytes() - self.before
        await self._short(requests // 2, 0)  # until every size of step has been met
        begun = resident_bytes()
        await self._short(requests, requests)
        return {"vs_plan": peak / plan.budget, "growth": resident_bytes() / begun, "budget_bytes": plan.budget}

    async def _short(self, requests: int, first: int) -> None:
        for start in range(first, first + requests, 32):
            await self.run([_numbered(number, 24, 4) for number in range(start, start + 32)])

    async def close(self) -> None:
        await self.engine.close()


class Server:
    """An OpenAI-compatible server that runs elsewhere: llama.cpp's, vLLM's. It tokenizes by itself."""

    def __init__(self, options: argparse.Namespace) -> None:
        import httpx

        self._http = httpx.AsyncClient(base_url=options.url, timeout=600)
        self._name = ""

    async def load(self) -> None:
        self._name = (await self._http.get("/v1/models")).raise_for_status().json()["data"][0]["id"]

    async def run(self, asks: Sequence[Ask]) -> list[Answer]:
        async def answer(ask: Ask) -> Answer:
            came, first, tokens = time.perf_counter(), 0.0, 0
            body = {
                "model": self._name,
                "messages": [{"role": role, "content": text} for role, text, *_ in ask.messages],
                "max_tokens": ask.max_tokens,
                "temperature": 0,
                "stream": True,
            }
            async with self._http.stream("POST", "/v1/chat/completions", json=body) as lines:
                lines.raise_for_status()
                async for line in lines.aiter_lines():
                    if line.startswith("data: {") and '"content":' in line:
                        first = first or time.perf_counter()
                        tokens += 1
            return Answer(first - came, time.perf_counter() - came, [0] * tokens)

        return await _arriving(asks, answer)

    async def close(self) -> None:
        await self._http.aclose()


PEERS: dict[str, Callable[[argparse.Namespace], Any]] = {
    "conch": Conch,
    "lock": Lock,
    "static": Static,
    "batching": Batching,
    "server": Server,
}


def peak_bytes() -> int:
    """The most physical memory that this process had (Linux)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _numbered(number: int, tokens: int, answer: int) -> Ask:
    """A question of at most ``tokens`` tokens that no other begins like: every word of it is one to three."""
    text = " ".join(f"{number}.{place}" for place in range(tokens // 8))
    return Ask([["user", text]], [], answer)


async def _arriving(asks: Sequence[Ask], answer: Callable[[Ask], Awaitable[Answer]]) -> list[Answer]:
    """Each request comes at its time, whether or not those before it are done."""

    async def come(ask: Ask) -> Answer:
        await asyncio.sleep(ask.at)
        return await answer(ask)

    return list(await asyncio.gather(*(come(ask) for ask in asks)))


def _message(message: Sequence[Any]) -> Any:
    from core.messages import Message

    role, content, *ids = message
    return Message(role, content, tuple(ids[0]) if ids and ids[0] else None)


def _until_stop(ids: Sequence[int], stops: Sequence[int]) -> list[int]:
    return list(ids[: next((place for place, token in enumerate(ids) if token in stops), len(ids))])


async def serve(peer: Any) -> None:
    """Answers commands until the input ends."""
    await peer.load()
    loop, out = asyncio.get_running_loop(), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand among the results
    print(json.dumps({"ready": True}), file=out, flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        match command.pop("do"):
            case "run":
                began = time.perf_counter()
                answers = await peer.run([Ask(**ask) for ask in command["asks"]])
                took = time.perf_counter() - began
                result: Any = {"wall": took, "answers": [asdict(answer) for answer in answers]}
            case name:
                result = {"value": await getattr(peer, name)(**command)}
        print(json.dumps(result), file=out, flush=True)
    await peer.close()


def main() -> None:
    """The process's own command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=PEERS)
    parser.add_argument("--model", default="")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--stops", type=json.loads, default=[2])
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--setting", default="default", choices=SETTINGS)
    parser.add_argument("--url", default="")
    options = parser.parse_args()
    asyncio.run(serve(PEERS[options.name](options)))


if __name__ == "__main__":
    main()
