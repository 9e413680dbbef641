"""The true tokenizers of the two models, made from packages: no hub. Only for tests marked ``torch``."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import openchat
from core.local import smollm2
from core.prompt import OPENCHAT, Prompt

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine does; read when torch is first imported


@functools.cache
def models() -> Path:
    """A folder for models, with SmolLM2 converted in it; made once, gone at the end."""
    folder = _temporary("models")
    smollm2.converted(folder, lambda done: None)
    return folder


@functools.cache
def smollm2_tokenizer() -> Any:
    """SmolLM2's."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(smollm2.converted(models(), lambda done: None))


@functools.cache
def openchat_tokenizer() -> Any:
    """OpenChat 3.5's: the first Mistral's with two more tokens."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(openchat.tokenizer(_temporary("openchat")))


@functools.cache
def smollm2_prompt() -> Prompt:
    """Prompts for SmolLM2."""
    return Prompt(smollm2_tokenizer())


@functools.cache
def openchat_prompt() -> Prompt:
    """Prompts for OpenChat, as its authors' server writes them."""
    return Prompt(openchat_tokenizer(), OPENCHAT)


def _temporary(name: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=f"conch-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
