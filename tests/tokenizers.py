"""The true tokenizers of the two models, made from packages: no hub. Only for tests marked ``torch``."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from core.local import smollm2
from core.prompt import OPENCHAT, Prompt

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the engine does; read when torch is first imported

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ 'GPT4 Correct ' + message['role'].title() + ': ' + "
    "message['content'] + '<|end_of_turn|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}"
)
"""The chat template that OpenChat 3.5's tokenizer comes with."""


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
    import mistral_common
    from transformers import AutoTokenizer

    folder = _temporary("openchat")
    package = Path(str(mistral_common.__file__)).parent
    shutil.copy(package / "data" / "tokenizer.model.v1", folder / "tokenizer.model")
    added = {0: "<unk>", 1: "<s>", 2: "</s>", 32000: "<|end_of_turn|>", 32001: "<|pad_0|>"}
    config = {
        "tokenizer_class": "LlamaTokenizer",
        "bos_token": "<s>",
        "eos_token": "<|end_of_turn|>",
        "unk_token": "<unk>",
        "legacy": True,
        "added_tokens_decoder": {str(id_): {"content": token, "special": True} for id_, token in added.items()},
        "chat_template": TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return AutoTokenizer.from_pretrained(folder)


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
