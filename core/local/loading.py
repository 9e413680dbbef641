"""From options to a model that can run: which numbers it computes in, what goes where, 4 bit, offload, rows.

Everything here runs in the engine's own thread.
"""

from __future__ import annotations

import gc
import json
import logging
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil  # type: ignore[import-untyped]  # comes without types
import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from core.engine import Sampling
from core.errors import EngineError
from core.local.clock import seconds
from core.local.failure import first_line, out_of_memory
from core.local.options import LocalOptions, Progress
from core.local.packing import pack, packable
from core.local.placement import Part
from core.local.plan import NF4_BITS, DoesNotFit, Free, Outline, Plan, Shape, Speeds
from core.local.plan import plan as make_plan
from core.local.request import check
from core.local.runner import BatchRunner, SingleRunner, make_runner
from core.local.weights import locate, named
from core.prompt import ChatTokenizer, Prompt, openchat_template

log = logging.getLogger(__name__)

COPIED = 64 * 2**20
"""Bytes of which a CPU's memory and the bus are measured; a GPU's second cache can hold as many."""


@dataclass(slots=True)
class Loaded:
    """A model that can run, with what its answers need. ``vocabulary`` is the number of ids that mean something,
    ``advised`` what the model's makers say of sampling, by the names in ``Sampling``."""

    name: str
    model: Any
    plan: Plan
    runner: BatchRunner | SingleRunner
    prompt: Prompt
    decode: Callable[[Sequence[int]], str]
    context_window: int
    vocabulary: int
    end_ids: frozenset[int]
    advised: Mapping[str, float]
    device: torch.device
    description: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a model computes with, and where."""

    device: torch.device
    dtype: torch.dtype


def load(options: LocalOptions, progress: Progress) -> Loaded:
    """Load what ``options`` name. ``progress`` may raise at any time, to give up.

    EngineError: it cannot be loaded; the text says what to do.
    """
    progress("libraries", 1.0)
    device = _device(options.device)
    folder = locate(options, cuda=device.type == "cuda", progress=progress)
    progress("weights", 0.0)
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        plan, numbers = _plan(folder, config, options, device)
        offload = options.offload_folder or options.cache_folder / "offload"
        outline = _outline(named(folder), plan, numbers)
        description = described(outline)
        log.debug("the plan: %s", description)
        options.planned(outline)
        with _told(progress):
            model = _model(folder, plan, numbers, offload)
            if plan.places == {"": "cpu"} and not plan.quantized and packable(numbers.dtype) and not pack(model):
                del model
                gc.collect()  # there need not be room for two
                model = _model(folder, plan, numbers, offload)
        openchat = "GPT4 Correct " in str(tokenizer.chat_template)
        prompt = Prompt(cast(ChatTokenizer, tokenizer), openchat_template(options.condition) if openchat else None)
        runner = make_runner(model, plan, device=numbers.device, dtype=numbers.dtype)
    except (OSError, ValueError, ImportError, RuntimeError, KeyError, MemoryError, SafetensorError) as error:
        raise _unloadable(folder, error) from error
    backend = tokenizer.backend_tokenizer
    return Loaded(
        name=outline.model,
        model=model,
        plan=plan,
        runner=runner,
        prompt=prompt,
        decode=lambda ids: str(backend.decode(list(ids), skip_special_tokens=True)),
        context_window=plan.length,
        vocabulary=min(prompt.size, _text(config).vocab_size),
        end_ids=_end_ids(model, tokenizer) | prompt.control_ids,
        advised=_advised(folder),
        device=numbers.device,
        description=description,
    )


def _unloadable(folder: Path, error: Exception) -> EngineError:
    if out_of_memory(error):
        return EngineError(
            f"{named(folder)} does not fit: {first_line(error)}. End what else uses the memory, set engine.quantization"
            " to 4bit or engine.context_window to fewer tokens, or choose a smaller model."
        )
    return EngineError(
        f"The model in {folder} cannot be loaded ({first_line(error)}). Set engine.model "
        "to a chat model that transformers knows, or delete the folder so that it is made again."
    )


def _device(wanted: str) -> torch.device:
    """The device that computes."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise EngineError(
            "engine.device is cuda, but torch finds no CUDA GPU: check the driver with nvidia-smi and that torch is "
            "its CUDA build, or set engine.device to auto."
        )
    return torch.device("cuda", 0)


def _plan(folder: Path, config: Any, options: LocalOptions, device: torch.device) -> tuple[Plan, Numbers]:
    """What goes where, from what is free now: the GPU first, then memory, then disk."""
    cuda = device.type == "cuda"
    quantized = options.quantization == "4bit" or (options.quantization == "auto" and cuda)
    dtype = _dtype(options.dtype, device)
    shape = Shape(
        tuple(_parts(config, dtype, quantized)), kv_bytes(config, dtype), _context(config, options), quantized
    )
    offload = options.offload_folder or options.cache_folder / "offload"
    disk = shutil.disk_usage(next(place for place in (offload, *offload.absolute().parents) if place.exists())).free
    gpu = _gpu_free(device) if cuda else 0
    free = Free(gpu, psutil.virtual_memory().available, disk)
    try:
        plan = make_plan(shape, free, rows=options.slots, length=shape.context)
    except DoesNotFit as error:
        raise EngineError(
            f"{named(folder)} fits neither GPU nor memory, and the rest of it needs {error.missing / 1e9:.1f} GB more "
            f"on the disk of {offload}: make room there, set engine.offload_folder to another disk, or choose a "
            "smaller model."
        ) from error
    if cuda and not plan.cuda:
        log.warning("The GPU has too little free memory for any part of %s: the CPU computes.", named(folder))
        return _plan(folder, config, replace(options, device="cpu"), torch.device("cpu"))
    if quantized and not plan.quantized:
        log.warning("%s does not fit into memory in 4 bit, and what goes to disk has 16.", named(folder))
    if plan.rows < options.slots:
        log.warning("engine.slots is %d, but there is room for %d requests at once", options.slots, plan.rows)
    return plan, Numbers(device, dtype)


def _gpu_free(device: torch.device) -> int:
    """Bytes that this process may still take of the GPU: what is free, within the share that it was given."""
    free, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction(device)
    return min(free, int(share * total) - torch.cuda.memory_reserved(device))


def _outline(name: str, plan: Plan, numbers: Numbers) -> Outline:
    dtype = str(numbers.dtype).removeprefix("torch.")
    return Outline(name, dtype, plan, 1 / plan.step_seconds(_speeds(numbers.device)))


def described(outline: Outline) -> str:
    """The plan in a line of the log."""
    plan = outline.plan
    where, bits = "GPU" if plan.cuda else "CPU", "4 bit, " if plan.quantized else ""
    parts = [f"{outline.model}: {bits}{outline.dtype} on the {where}, {plan.weights / 1e9:.1f} GB"]
    parts += [
        f"{size / 1e9:.1f} GB of it {place}"
        for size, place in zip(plan.offloaded, ("in memory", "on disk"), strict=True)
        if size
    ]
    parts.append(f"{plan.rows} at once with {plan.length} tokens each, {plan.kept + plan.spilled} more kept")
    parts.append(f"about {outline.rate:.0f} tokens/s for one")
    return "; ".join(parts)


def _speeds(device: torch.device) -> Speeds:
    """Bandwidths, measured by copies; that of the disk is a guess."""
    size = _copied(device)
    memory = _copying(*(torch.zeros(size, dtype=torch.uint8, device=device) for _ in range(2)))
    if device.type != "cuda":
        return Speeds(2 * memory)  # a copy reads and writes
    torch.cuda.empty_cache()
    there = torch.zeros(COPIED, dtype=torch.uint8)  # in memory like any other, as offloaded weights are
    return Speeds(2 * memory, bus=_copying(torch.zeros_like(there, device=device), there))


def _copied(device: torch.device) -> int:
    """Bytes to measure a memory with: more than its caches hold, but on a GPU no more than half of what is free."""
    return COPIED if device.type == "cpu" else max(min(8 * COPIED, _gpu_free(device) // 4), 2**20)


def _copying(one: torch.Tensor, other: torch.Tensor) -> float:
    """Bytes a second from ``other`` to ``one``."""
    return other.nbytes / seconds(lambda: one.copy_(other), one.device)


def _model(folder: Path, plan: Plan, numbers: Numbers, offload_folder: Path) -> Any:
    """The model, where it is going to run."""
    arguments: dict[str, Any] = {"dtype": numbers.dtype}
    if plan.quantized:
        arguments["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=numbers.dtype,
            # Lets parts be off the GPU, in 16 bit. Where all is on the CPU it would leave all of it unquantized.
            llm_int8_enable_fp32_cpu_offload=len(set(plan.places.values())) > 1,
        )
    if plan.quantized or plan.places != {"": "cpu"}:
        arguments["device_map"] = plan.places
        arguments["offload_folder"] = str(offload_folder)
    model = AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, **arguments
    )
    model.eval()  # type: ignore[no-untyped-call]  # transformers leaves some of its functions untyped
    return model


def _dtype(wanted: str, device: torch.device) -> torch.dtype:
    """The numbers to compute in: half precision on a GPU; on a CPU what this one is faster with."""
    if wanted != "auto":
        dtype = getattr(torch, wanted)
        assert isinstance(dtype, torch.dtype)
        return dtype
    return torch.float16 if device.type == "cuda" else _faster_on_cpu()


def _faster_on_cpu() -> torch.dtype:
    """bfloat16 where a product over a prompt's tokens takes no longer in it than in float32.

    It always halves the memory that a token's weights cross, but a CPU without instructions for it needs six times as
    long to read a prompt (measured: AVX2, SmolLM2, 300 tokens: 3.9 s against 0.7 s), and then nobody wants it.
    """
    took: dict[torch.dtype, float] = {}
    for dtype in (torch.float32, torch.bfloat16):
        rows, weights = torch.ones(64, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        for _ in range(4):
            began = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            took[dtype] = min(took.get(dtype, float("inf")), time.perf_counter() - began)
    return min(took, key=lambda dtype: took[dtype])


def kv_bytes(config: Any, dtype: torch.dtype) -> int:
    """Bytes of KV cache per token: a key and a value per layer and KV head (OpenChat in FP16: 131,072)."""
    text = _text(config)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size * dtype.itemsize)


def _parts(config: Any, dtype: torch.dtype, quantized: bool) -> list[Part]:
    """The model's modules that stay whole: what is no layer first, then the layers in order."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is never run
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    layers_name, layers = max(lists, key=lambda entry: sum(weight.numel() for weight in entry[1].parameters()))
    parts: list[Part] = []
    owners: dict[int, str] = {}
    for name, module in _around(model, layers_name):
        size, like = 0, ""
        for weight in module.parameters():
            if (like := owners.setdefault(id(weight), name)) == name:  # tied weights count once
                size += weight.numel() * dtype.itemsize
        parts.append(Part(name, size, size, "" if size else like))
    for number, layer in enumerate(layers):
        linear = sum(module.weight.numel() for module in layer.modules() if isinstance(module, torch.nn.Linear))
        every = sum(weight.numel() for weight in layer.parameters())
        whole = every * dtype.itemsize
        small = int(linear * NF4_BITS / 8) + (every - linear) * dtype.itemsize
        parts.append(Part(f"{layers_name}.{number}", small if quantized else whole, whole))
    return parts


def _around(model: Any, layers_name: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The modules beside the list of layers, as large as they can be named without it."""
    for name, module in model.named_children():
        full = prefix + name
        if layers_name.startswith(full + "."):
            yield from _around(module, layers_name, full + ".")
        elif full != layers_name:
            yield full, module


def _context(config: Any, options: LocalOptions) -> int:
    """Tokens of prompt and answer that one request may have."""
    own = int(getattr(_text(config), "max_position_embeddings", 0) or 2048)
    if options.context_window > own:
        log.warning("engine.context_window is %d, but the model has %d", options.context_window, own)
    return min(options.context_window or own, own)


def _text(config: Any) -> Any:
    """The part of a configuration that is about text: models that also see keep it in one of its own."""
    return config.get_text_config()


def _end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """Every id by which configuration, generation configuration or tokenizer say that an answer ends."""
    ends: set[int] = set()
    for value in (model.config.eos_token_id, model.generation_config.eos_token_id, tokenizer.eos_token_id):
        ends |= set(value) if isinstance(value, (list, tuple)) else {value} if value is not None else set()
    return frozenset(int(end) for end in ends)


def _advised(folder: Path) -> dict[str, float]:
    """The values for sampling in the model's ``generation_config.json``; those that make no sense are left out."""
    try:
        written = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    advised: dict[str, float] = {}
    for name in ("temperature", "top_p", "top_k", "repetition_penalty") if isinstance(written, dict) else ():
        value = written.get(name)
        try:
            check(replace(Sampling(), **{name: value}))
        except ValueError:
            if value is not None:
                log.warning("what %s says of %s is not followed: %r", folder, name, value)
        else:
            advised[name] = value
    return advised


@contextmanager
def _told(progress: Progress) -> Iterator[None]:
    """While open, transformers tells ``progress`` how many of the weights are loaded, and draws no bar."""

    def hook(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> _Told:
        return _Told(args[0] if args else options.get("iterable", ()), options.get("total"), progress)

    before = transformers_logging.set_tqdm_hook(hook)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    placing = logging.getLogger("accelerate")  # tells that parts were offloaded, which the plan has said
    level = placing.level
    placing.setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)
        transformers_logging.set_verbosity(verbosity)
        placing.setLevel(level)


class _Told:
    """In place of a progress bar of transformers: passes on what it iterates, and tells how far it is."""

    def __init__(self, items: Iterable[Any], total: int | None, progress: Progress) -> None:
        self._items, self._progress = items, progress
        self._total = total or (len(items) if isinstance(items, Sized) else 0)
        self._done = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to close."""

    def update(self, n: float | None = 1) -> None:
        """``n`` more are done."""
        self._done += int(n or 0)
        if self._total:
            self._progress("weights", min(self._done / self._total, 1.0))

    def close(self) -> None:
        """There is nothing to close."""

    def set_description(self, *text: object, **options: object) -> None:
        """Nothing is drawn."""

    set_postfix = set_postfix_str = refresh = set_description
