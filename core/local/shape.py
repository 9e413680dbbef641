"""How large a model is, read from its configuration: the parts that stay whole, its KV cache, its context."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from core.local.options import LocalOptions
from core.local.placement import Part
from core.local.plan import NF4_BITS

log = logging.getLogger(__name__)


def kv_bytes(config: Any, dtype: torch.dtype) -> int:
    """Computes the bytes of KV cache per token: a key and a value per layer and KV head (OpenChat in FP16: 131,072)."""
    text = text_of(config)
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    size = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return int(2 * text.num_hidden_layers * heads * size * dtype.itemsize)


def parts_of(config: Any, dtype: torch.dtype, quantized: bool) -> list[Part]:
    """Lists the model's modules that stay whole: what is no layer first, then the layers in order."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is never run
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
    lists = [(name, module) for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    layers_name, layers = max(lists, key=lambda entry: sum(weight.numel() for weight in entry[1].parameters()))
    parts: list[Part] = []
    owners: dict[int, str] = {}
    for name, module in _around(model, layers_name):
        size, like = 0, ""
        for weight in module.parameters():
            if (like := owners.setdefault(id(weight), name)) == name:  # tied weights count once
                size += weight.numel() * dtype.itemsize
        parts.append(Part(name, size, size, "" if size else like))
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


def context_of(config: Any, options: LocalOptions) -> int:
    """Tells how many tokens of prompt and answer one request may have."""
    own = int(getattr(text_of(config), "max_position_embeddings", 0) or 2048)
    if options.context_window > own:
        log.warning("engine.context_window is %d, but the model has %d", options.context_window, own)
    return min(options.context_window or own, own)


def text_of(config: Any) -> Any:
    """Gives the part of a configuration that is about text: models that also see keep it in one of its own."""
    return config.get_text_config()
