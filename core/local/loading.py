"""From options to a model that can run: which numbers it computes in, what goes on the GPU, 4 bit, offload.

Everything here runs in the engine's own thread.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil  # type: ignore[import-untyped]  # comes without types
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from core.errors import EngineError
from core.local.failure import first_line
from core.local.options import LocalOptions, Progress
from core.local.placement import Part, Place, place
from core.local.weights import locate
from core.prompt import OPENCHAT, ChatTokenizer, Prompt

log = logging.getLogger(__name__)

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Per weight, with double quantization: 4 bits, one byte of scale per 64 weights, and a float per 256 scales."""
WORKSPACE = 768 * 2**20
"""Bytes kept free on the GPU for CUDA itself and what a forward pass needs besides the KV cache."""
MEMORY_SHARE = 0.8
"""Of the memory that is free, the most that weights take."""


@dataclass(slots=True)
class Loaded:
    """A model that can run, with what its answers need. ``vocabulary`` is the number of ids that mean something."""

    model: Any
    prompt: Prompt
    decode: Callable[[Sequence[int]], str]
    context_window: int
    vocabulary: int
    end_ids: frozenset[int]
    device: torch.device
    description: str


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
        plan = _plan(folder, config, options, device)
        with _told(progress):
            model = _model(folder, plan, options.offload_folder or options.cache_folder / "offload")
        openchat = "GPT4 Correct " in str(tokenizer.chat_template)
        prompt = Prompt(cast(ChatTokenizer, tokenizer), OPENCHAT if openchat else None)
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"{folder.name} does not fit: {first_line(error)}. End what else uses the GPU, set engine.quantization to "
            "4bit or engine.context_window to fewer tokens, or choose a smaller model."
        ) from error
    except (OSError, ValueError, ImportError, RuntimeError, KeyError) as error:
        raise EngineError(
            f"The model in {folder} cannot be loaded ({first_line(error)}). Set engine.model "
            "to a chat model that transformers knows, or delete the folder so that it is made again."
        ) from error
    backend = tokenizer.backend_tokenizer
    return Loaded(
        model=model,
        prompt=prompt,
        decode=lambda ids: str(backend.decode(list(ids), skip_special_tokens=True)),
        context_window=_context_window(config, options),
        vocabulary=min(prompt.size, _text(config).vocab_size),
        end_ids=_end_ids(model, tokenizer) | prompt.control_ids,
        device=plan.device,
        description=f"{folder.name}: {plan}",
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


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is going to run. No places: all of it in memory, without further ado."""

    device: torch.device
    dtype: torch.dtype
    quantized: bool
    places: dict[str, Place]

    def __str__(self) -> str:
        where = sorted({"GPU" if place == 0 else str(place) for place in self.places.values()}) or ["cpu"]
        numbers = str(self.dtype).removeprefix("torch.")
        return f"{'4 bit, ' if self.quantized else ''}{numbers} on {', '.join(where)}"


def _plan(folder: Path, config: Any, options: LocalOptions, device: torch.device) -> Plan:
    """What goes where, from what is free now: the GPU first, then memory, then disk."""
    cuda = device.type == "cuda"
    quantized = options.quantization == "4bit" or (options.quantization == "auto" and cuda)
    dtype = _dtype(options.dtype, device)
    memory = int(psutil.virtual_memory().available * MEMORY_SHARE)
    if cuda:
        gpu = torch.cuda.mem_get_info(device)[0] - WORKSPACE
        gpu -= options.slots * _context_window(config, options) * kv_bytes(config, dtype)
        places = place(_parts(config, dtype, quantized), max(gpu, 0), memory)
        if 0 in places.values():
            return Plan(device, dtype, quantized, places)
        log.warning("The GPU has too little free memory for any part of %s: the CPU computes.", folder.name)
        return _plan(folder, config, replace(options, quantization="none"), torch.device("cpu"))
    if quantized:
        if sum(part.on_gpu for part in _parts(config, dtype, quantized)) <= memory:
            return Plan(device, dtype, quantized, {"": "cpu"})
        log.warning("%s does not fit into memory in 4 bit, and what goes to disk has 16.", folder.name)
    elif sum(file.stat().st_size for file in folder.glob("*.safetensors")) * max(1, dtype.itemsize // 2) <= memory:
        return Plan(device, dtype, False, {})
    return Plan(device, dtype, False, place(_parts(config, dtype, False), 0, memory))


def _model(folder: Path, plan: Plan, offload_folder: Path) -> Any:
    """The model, where it is going to run."""
    arguments: dict[str, Any] = {"dtype": plan.dtype}
    if plan.quantized:
        arguments["quantization_config"] = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=plan.dtype,
            # Lets parts be off the GPU, in 16 bit. Where all is on the CPU it would leave all of it unquantized.
            llm_int8_enable_fp32_cpu_offload=len(set(plan.places.values())) > 1,
        )
    if plan.places:
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
    parts, counted = [], set()
    for name, module in _around(model, layers_name):
        weights = [weight for weight in module.parameters() if id(weight) not in counted]
        counted |= {id(weight) for weight in weights}  # tied weights count once
        size = sum(weight.numel() for weight in weights) * dtype.itemsize
        parts.append(Part(name, size, size))
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


def _context_window(config: Any, options: LocalOptions) -> int:
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


@contextmanager
def _told(progress: Progress) -> Iterator[None]:
    """While open, transformers tells ``progress`` how many of the weights are loaded, and draws no bar."""

    def hook(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> _Told:
        return _Told(args[0] if args else options.get("iterable", ()), options.get("total"), progress)

    before = transformers_logging.set_tqdm_hook(hook)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)
        transformers_logging.set_verbosity(verbosity)


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
