"""From options to a model that can run: which numbers it computes in, what goes where, 4 bit, offload, rows.

Everything here runs in the engine's own thread.
"""

from __future__ import annotations

import gc
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import psutil  # type: ignore[import-untyped]  # comes without types
import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from core.engine import Sampling
from core.errors import EngineError
from core.local.failure import first_line, out_of_memory
from core.local.options import LocalOptions, Progress
from core.local.packing import pack, packable
from core.local.plan import DoesNotFit, Free, Outline, Plan, Shape
from core.local.plan import plan as make_plan
from core.local.progress_bar import telling
from core.local.request import check
from core.local.runner import BatchRunner, SingleRunner, make_runner
from core.local.shape import context_of, kv_bytes, parts_of, text_of
from core.local.speeds import faster_on_cpu, gpu_free, speeds_of
from core.local.weights import locate, named
from core.prompt import ChatTokenizer, Prompt, openchat_template

log = logging.getLogger(__name__)


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
        with telling(progress):
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
        vocabulary=min(prompt.size, text_of(config).vocab_size),
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
        tuple(parts_of(config, dtype, quantized)), kv_bytes(config, dtype), context_of(config, options), quantized
    )
    offload = options.offload_folder or options.cache_folder / "offload"
    disk = shutil.disk_usage(next(place for place in (offload, *offload.absolute().parents) if place.exists())).free
    gpu = gpu_free(device) if cuda else 0
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


def _outline(name: str, plan: Plan, numbers: Numbers) -> Outline:
    dtype = str(numbers.dtype).removeprefix("torch.")
    return Outline(name, dtype, plan, 1 / plan.step_seconds(speeds_of(numbers.device)))


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
    return torch.float16 if device.type == "cuda" else faster_on_cpu()


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
