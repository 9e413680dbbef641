"""Packed weights: the same products, and a model that is none the worse where they cannot be had."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from core.local.options import LocalOptions
from tests.support import tokenizers
from tests.support.tiny_models import tiny

pytestmark = pytest.mark.torch


@pytest.fixture(autouse=True)
def _possible() -> None:
    import torch

    from core.local.packing import packable

    if not packable(torch.bfloat16):
        pytest.skip("this processor has no instructions for bfloat16, where nothing is packed")


def loaded(dtype: str = "bfloat16") -> Any:
    import torch

    from core.local import loading

    options = LocalOptions(tokenizers.models(), model=str(tiny()), dtype=dtype, device="cpu", slots=2)
    with torch.inference_mode():
        return loading.load(options, lambda stage, done: None)


def kinds(model: Any) -> set[str]:
    """Of which classes the layers' products are."""
    names = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    return {type(module).__name__ for name, module in model.named_modules() if name.endswith(names)}


def scores(model: Any, tokens: list[int]) -> Any:
    import torch

    model.set_attn_implementation("sdpa")
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens]), use_cache=False).logits[0]


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("tokens", [1, 2, 16, 33])
def test_layers_that_are_joined_give_what_each_gave(bias: bool, tokens: int) -> None:
    import torch

    from core.local.packing import _Joined

    layers = [torch.nn.Linear(48, size, bias=bias, dtype=torch.bfloat16) for size in (40, 8, 24)]
    with torch.inference_mode():
        joined = _Joined(layers)
        for order in ((0, 1, 2), (2, 0, 1), (1, 1, 0)):
            states = torch.randn(1, tokens, 48, dtype=torch.bfloat16)
            for number in order:
                torch.testing.assert_close(joined.part(number, states), layers[number](states), atol=0.02, rtol=0.02)


def test_no_step_leaves_its_states_behind() -> None:
    import gc
    import weakref

    import torch

    from core.local.packing import _Joined

    joined = _Joined([torch.nn.Linear(16, 16, dtype=torch.bfloat16) for _ in range(2)])
    states = torch.randn(1, 3, 16, dtype=torch.bfloat16)
    gone = weakref.ref(states)
    with torch.inference_mode():
        joined.part(0, states)
        joined.part(1, states)
    del states
    gc.collect()
    assert gone() is None


def test_a_model_in_bfloat16_is_packed_and_says_the_same(caplog: pytest.LogCaptureFixture) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from core.local.graphs import differ

    model = loaded().model
    assert kinds(model) == {"_Packed"}
    plain = AutoModelForCausalLM.from_pretrained(tiny(), dtype=torch.bfloat16).eval()
    tokens = list(range(100, 140))
    assert not differ(scores(model, tokens), scores(plain, tokens))
    assert not caplog.records


def test_a_model_in_float32_is_left_as_it_is() -> None:
    assert kinds(loaded("float32").model) == {"Linear"}


@pytest.mark.parametrize("trouble", ["refused", "others"])
def test_where_packing_fails_the_model_is_as_it_was_and_there_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, trouble: str
) -> None:
    import weakref

    import torch

    from core.local import loading, packing

    load, models = loading._model, []

    def watched(*arguments: Any) -> Any:
        assert not any(model() for model in models), "the first one takes its memory still"
        model = load(*arguments)
        models.append(weakref.ref(model))
        return model

    class Wrong(packing._Joined):
        def __init__(self, layers: Any) -> None:
            super().__init__(layers)
            if trouble == "refused" and len(layers) == 2:  # some are packed already
                raise RuntimeError("could not create a primitive")

        def part(self, number: int, states: Any) -> Any:
            return -super().part(number, states) if trouble == "others" else super().part(number, states)

    caplog.set_level(logging.INFO, "core")
    monkeypatch.setattr(loading, "_model", watched)
    monkeypatch.setattr(packing, "_Joined", Wrong)
    model = loaded().model
    told = {
        "refused": "own order: RuntimeError: could not create a primitive",
        "others": "own order: packed, its scores are others",
    }
    assert told[trouble] in caplog.text
    assert len(models) == 2
    assert kinds(model) == {"Linear"}
    assert torch.isfinite(scores(model, [5, 6, 7])).all()
