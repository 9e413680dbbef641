"""OpenChat 3.5's true shape and tokenizer with random weights: what speed and memory are measured on without a hub."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ 'GPT4 Correct ' + message['role'].title() + ': ' + "
    "message['content'] + '<|end_of_turn|>'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'GPT4 Correct Assistant:' }}{% endif %}"
)
"""The chat template that OpenChat 3.5's tokenizer comes with."""
GEMMA_2B: dict[str, Any] = {
    "vocab_size": 256000,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "max_position_embeddings": 8192,
}
"""The shape of what an earlier Conch ran on the CPU."""


def tokenizer(folder: Path) -> Path:
    """OpenChat's tokenizer in ``folder``: that of the first Mistral, which the package mistral-common carries, with two
    tokens more. Gives the folder back."""
    import mistral_common

    folder.mkdir(parents=True, exist_ok=True)
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
    return folder


def carried(folder: Path) -> Path:
    """The same as one file that needs no further package to be read: for a machine that has neither."""
    from transformers import AutoTokenizer

    AutoTokenizer.from_pretrained(tokenizer(folder)).save_pretrained(folder)
    (folder / "tokenizer.model").unlink()
    return folder


def config(*, tiny: bool) -> Any:
    """Mistral's configuration in OpenChat's shape; ``tiny``: a hundredth of its width, with the same vocabulary."""
    from transformers import MistralConfig

    from core.local.plan import OPENCHAT

    shape = dict(OPENCHAT)
    if tiny:
        shape |= {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 4}
        shape |= {"num_attention_heads": 4, "num_key_value_heads": 2}
    return MistralConfig(
        **shape, sliding_window=4096, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=32000, tie_word_embeddings=False
    )


def write(folder: Path, tokens: Path, *, tiny: bool, device: str) -> Path:
    """A model's folder with weights of chance, made on ``device`` layer by layer; 14.5 GB unless ``tiny``."""
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    folder.mkdir(parents=True, exist_ok=True)
    shape = config(tiny=tiny)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(shape, dtype=torch.bfloat16)
    chance = torch.Generator(device=device).manual_seed(1)
    index: dict[str, str] = {}
    shards: dict[str, dict[str, Any]] = {}
    for name, weight in model.state_dict().items():
        shard = f"model-{name.split('.')[2] if '.layers.' in name else 'ends'}.safetensors"
        index[name] = shard
        shards.setdefault(shard, {})[name] = weight.shape
    for shard, shapes in shards.items():
        made = {
            name: torch.ones(size, dtype=torch.bfloat16)
            if "norm" in name
            else (torch.randn(size, generator=chance, device=device, dtype=torch.bfloat16) * 0.02).cpu()
            for name, size in shapes.items()
        }
        save_file(made, folder / shard, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))
    shape.architectures = ["MistralForCausalLM"]
    shape.save_pretrained(folder)
    for file in tokens.iterdir():
        shutil.copy(file, folder / file.name)
    return folder
