"""Weights of a model that runs on a CPU in bfloat16, in the order in which the library of matrix products reads them,
and products of the same input as one.

Left as they are, every product of a few tokens begins by ordering its weights anew, and wakes the compute threads once
more: on 2 cores a step of one token took a fifth longer, one of 24 tokens a quarter.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from core.local.failure import first_line, out_of_memory
from core.local.graphs import differ

log = logging.getLogger(__name__)

JOINED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"), ("o_proj",), ("down_proj",))
"""Names of linear layers that read the same input, as the models of transformers call them."""
TOKENS = 16
"""For how many tokens the order of the weights is chosen; measured from 1 to 256, it is the best for all of them."""
PROBE = 12
"""Tokens that a packed model is compared on with what it was."""


class _Joined:
    """Linear layers over one input, computed together when the first of them is asked."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        weight = torch.cat([layer.weight.detach() for layer in layers])
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight, TOKENS)
        biases = [layer.bias.detach() for layer in layers if layer.bias is not None]
        self._bias = torch.cat(biases) if biases else None
        self._sizes = [layer.out_features for layer in layers]
        self._input: Tensor | None = None
        self._outputs: Sequence[Tensor] = ()

    def part(self, number: int, states: Tensor) -> Tensor:
        """The output of layer ``number``. The last one is forgotten with its input."""
        if states is not self._input:
            product = torch.ops.mkldnn._linear_pointwise(states, self._weight, self._bias, "none", [], "")
            self._input, self._outputs = states, product.split(self._sizes, dim=-1)
        output = self._outputs[number]
        if number == len(self._sizes) - 1:
            self._input, self._outputs = None, ()
        return output


class _Packed(nn.Module):
    """Stands for one linear layer of a ``_Joined``."""

    def __init__(self, joined: _Joined, number: int, layer: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = layer.in_features, layer.out_features
        self._joined, self._number = joined, number

    def forward(self, states: Tensor) -> Tensor:
        return self._joined.part(self._number, states)


def packable(dtype: torch.dtype) -> bool:
    """Can this processor pack weights of that kind, and does it pay?"""
    try:
        return dtype == torch.bfloat16 and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    except (AttributeError, RuntimeError):  # a torch that has no such library
        return False


def pack(model: Any) -> bool:
    """Pack the layers of ``model``, which is on the CPU in bfloat16. False: it cannot be used any more, load it anew
    and leave it as it is.
    """
    tokens = torch.tensor([[(5 * place + 2) % model.config.get_text_config().vocab_size for place in range(PROBE)]])
    expected = _scores(model, tokens)
    try:
        for module in [one for one in model.modules() if type(one) is not nn.Linear]:
            for names in JOINED:
                layers = [layer for name in names if type(layer := getattr(module, name, None)) is nn.Linear]
                if len(layers) == len(names) and _alike(layers):
                    joined = _Joined(layers)
                    for number, (name, layer) in enumerate(zip(names, layers, strict=True)):
                        setattr(module, name, _Packed(joined, number, layer))
                    del layers, layer
                    _trim()
        if not differ(_scores(model, tokens), expected):
            return True
        log.info("the weights stay in the model's own order: packed, its scores are others")
    except Exception as error:  # what is used of torch is not among what it promises
        if out_of_memory(error):
            raise
        log.info("the weights stay in the model's own order: %s", first_line(error))
    return False


def _alike(layers: Sequence[nn.Linear]) -> bool:
    """Can they be one product?"""
    return len({(layer.in_features, layer.bias is None) for layer in layers}) == 1


def _trim() -> None:
    """Give what was freed back to the system: else the weights take their memory twice."""
    with suppress(AttributeError, OSError):  # glibc alone has it, and needs it
        ctypes.CDLL(None).malloc_trim(0)


def _scores(model: Any, tokens: Tensor) -> Tensor:
    scores: Tensor = model(input_ids=tokens, use_cache=False).logits[0]
    return scores
