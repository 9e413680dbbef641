"""How the model is going to run, in words; and how it would, for the doctor: the engine's own plan, without torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bots.host.machine import Gpu, existing
from bots.talk.wording import Say
from core.engine import longest_answer
from core.local.options import OPENCHAT_MODEL, SMOLLM2_MODEL
from core.local.plan import OPENCHAT, SMOLLM2, DoesNotFit, Free, Outline, Shape, decoder, plan


@dataclass(frozen=True, slots=True)
class Wish:
    """What the owner wants of the engine; ``offload`` is where layers go that fit nowhere else."""

    quantization: str
    dtype: str
    slots: int
    context_window: int
    offload: Path


CONTEXT = 0.5
"""GB that CUDA takes of a card as soon as a program uses it: until then the card says that they are free."""
CPUINFO = Path("/proc/cpuinfo")
HALF = ("avx512_bf16", "amx_bf16")
"""What a CPU says of itself that computes as fast in 16 bit as in 32."""


def shape_of(wish: Wish, name: str, folder: Path | None, *, gpu: bool) -> Shape | None:
    """The model's shape; None where its configuration is not here, or not one of a plain decoder."""
    config = {OPENCHAT_MODEL: OPENCHAT, SMOLLM2_MODEL: SMOLLM2}.get(name) or _configuration(folder)
    if config is None:
        return None
    quantized = wish.quantization == "4bit" or (wish.quantization == "auto" and gpu)
    try:
        return decoder(config, bytes_each=_bytes(wish.dtype, gpu=gpu), quantized=quantized)
    except (KeyError, TypeError, ValueError):
        return None


def outline(wish: Wish, name: str, shape: Shape, card: Gpu | None, memory: float) -> Outline:
    """The plan for what is free now; ``memory`` in GB. Raises DoesNotFit."""
    disk = shutil.disk_usage(existing(wish.offload)).free
    gpu = int(max(card.free - CONTEXT, 0) * 1e9) if card is not None else 0
    free = Free(gpu, int(memory * 1e9), disk)
    found = plan(shape, free, rows=wish.slots, length=wish.context_window)
    dtype = wish.dtype if wish.dtype != "auto" else "float16" if found.cuda else "auto"
    if dtype == "auto":
        dtype = "bfloat16" if _bytes("auto", gpu=False) == 2 else "float32"
    return Outline(name, dtype, found)


def examined(
    wish: Wish, name: str, folder: Path | None, card: Gpu | None, memory: float
) -> tuple[str, dict[str, object]] | None:
    """The finding's key and values: ``console-plan``, ``console-plan-offloaded`` or ``doctor-plan-none``. None where
    nothing can be said."""
    shape = shape_of(wish, name, folder, gpu=card is not None)
    if shape is None:
        return None
    try:
        found = outline(wish, name, shape, card, memory)
    except DoesNotFit as error:
        return "doctor-plan-none", {"model": name, "missing": f"{error.missing / 1e9:.1f} GB"}
    if card is not None and not found.plan.cuda:  # as the engine has it: what follows from a card is taken back
        return examined(wish, name, folder, None, memory)
    values = plan_values(found)
    return ("console-plan-offloaded" if any(found.plan.offloaded) else "console-plan"), values


def _configuration(folder: Path | None) -> Mapping[str, Any] | None:
    if folder is None:
        return None
    try:
        found = json.loads((folder / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _bytes(dtype: str, *, gpu: bool) -> int:
    """Bytes of one number."""
    if dtype != "auto":
        return 4 if dtype == "float32" else 2
    if gpu:
        return 2
    try:
        told = CPUINFO.read_text()
    except OSError:
        return 4
    return 2 if any(flag in told for flag in HALF) else 4


def sentences(outline: Outline, max_tokens: int, say: Say) -> list[str]:
    """A plan in words: what runs where and for how many, and what it means that not all of it fits, or not answers of
    ``max_tokens``."""
    values = plan_values(outline)
    said = [say("console-plan", **values)]
    if any(outline.plan.offloaded):
        said.append(say("console-plan-offloaded", **values))
    longest = longest_answer(max_tokens, outline.plan.length)
    if longest < max_tokens:
        said.append(say("console-plan-short", wanted=max_tokens, longest=longest))
    if outline.rate:
        said.append(say("console-plan-rate", **values))
    return said


def plan_values(outline: Outline) -> dict[str, object]:
    """What the sentences about a plan are filled in with."""
    plan, rate = outline.plan, outline.rate
    memory, disk = plan.offloaded
    return {
        "model": outline.model,
        "bits": "nf4" if plan.quantized else outline.dtype,
        "place": "gpu" if plan.cuda else "cpu",
        "size": f"{plan.weights / 1e9:.1f} GB",
        "rows": plan.rows,
        "length": plan.length,
        "memory": f"{memory / 1e9:.1f} GB",
        "disk": f"{disk / 1e9:.1f} GB",
        "on_disk": disk,
        "rate": round(rate) if rate >= 3 else round(rate, 1),
    }
