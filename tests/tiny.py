"""A small model with random weights and SmolLM2's tokenizer: every path of the engine in milliseconds."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from core.local import smollm2
from tests import tokenizers


@functools.cache
def tiny() -> Path:
    """Its folder. Two layers of 64, a context window of 512 tokens."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    source = smollm2.converted(tokenizers.models(), lambda done: None)
    folder = tokenizers.models() / "tiny"
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.5,
    )
    with torch.random.fork_rng():
        torch.manual_seed(7)
        LlamaForCausalLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    return folder
