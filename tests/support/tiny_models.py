"""Small models with random weights and SmolLM2's tokenizer: every path of the engine in milliseconds."""

from __future__ import annotations

import functools
import itertools
import shutil
from pathlib import Path
from typing import Any, Literal

from core.local import smollm2
from tests.support import tokenizers

Kind = Literal["llama", "window", "softcap"]

SHAPE: dict[str, Any] = {
    "vocab_size": 49152,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
    "tie_word_embeddings": True,
    "initializer_range": 0.5,
}


@functools.cache
def tiny(kind: Kind = "llama") -> Path:
    """Its folder. Two layers of 64, a context window of 512 tokens.

    ``window`` looks back 40 positions only, as OpenChat does 4,096; ``softcap`` has attention that cannot be batched.
    """
    import torch
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
    )

    source = smollm2.converted(tokenizers.models(), lambda done: None)
    folder = tokenizers.models() / f"tiny-{kind}"
    with torch.random.fork_rng():
        torch.manual_seed(7)
        model: Any
        match kind:
            case "llama":
                model = LlamaForCausalLM(LlamaConfig(**SHAPE))
            case "window":
                model = MistralForCausalLM(MistralConfig(**SHAPE, sliding_window=40))
            case "softcap":
                model = Gemma2ForCausalLM(Gemma2Config(**SHAPE, head_dim=16, sliding_window=64))
        model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(source / name, folder / name)
    return folder


@functools.cache
def plain(kind: Kind = "llama") -> Any:
    """The model as transformers alone has it, in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(tiny(kind), dtype=torch.float32).eval()


def generated(ids: list[int], tokens: int, kind: Kind = "llama") -> list[int]:
    """What ``generate()`` says greedily behind ``ids``, up to the first token that is no word: its end, or another mark
    of the tokenizer's own, which a model of random weights says as well."""
    import torch

    prompt = torch.tensor([ids])
    with torch.inference_mode():
        whole = plain(kind).generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=tokens
        )
    found: list[int] = whole[0, len(ids) :].tolist()
    return list(itertools.takewhile(lambda token: token not in marks(), found))


@functools.cache
def marks() -> frozenset[int]:
    """The ids of the tokenizer's special tokens."""
    from transformers import AutoTokenizer

    added = AutoTokenizer.from_pretrained(tiny()).added_tokens_decoder
    return frozenset(number for number, token in added.items() if token.special)
