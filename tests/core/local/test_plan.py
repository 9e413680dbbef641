"""What goes where, for OpenChat's true shape on cards of every size, without having the cards or the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.local.options import LocalOptions
from core.local.plan import OPENCHAT, SHORT, WORKSPACE, DoesNotFit, Free, Outline, Plan, Shape, Speeds, decoder, plan

GIB = 2**30
IN_4_BIT = decoder(OPENCHAT, bytes_each=2, quantized=True)
IN_16_BIT = decoder(OPENCHAT, bytes_each=2, quantized=False)


def on_card(gpu: float, memory: float = 32, disk: float = 100, shape: Shape = IN_4_BIT, **wishes: int) -> Plan:
    """The plan for so many GiB free."""
    return plan(shape, Free(int(gpu * GIB), int(memory * GIB), int(disk * GIB)), **wishes)


def test_a_token_of_openchat_takes_128_kib_of_cache() -> None:
    assert IN_4_BIT.position == 131_072


def test_openchat_in_four_bit_is_a_quarter_of_what_it_is_in_sixteen() -> None:
    assert IN_16_BIT.size == pytest.approx(7.24e9 * 2, rel=0.001)
    # 7 of the 7.24 billion weights are quantized; the embeddings and the head are not
    assert IN_4_BIT.size == pytest.approx(4.12e9, rel=0.01)
    layers = [part for part in IN_4_BIT.parts if "layers" in part.name]
    assert layers[0].on_gpu == pytest.approx(layers[0].off_gpu / 4, rel=0.04)


@pytest.mark.parametrize(
    ("card", "rows", "length"),
    [(6, 2, 2048), (8, 4, 3840), (12, 4, 8192), (16, 7, 8192), (24, 12, 8192), (80, 32, 8192)],
)
def test_what_fits_on_a_card(card: float, rows: int, length: int) -> None:
    chosen = on_card(card - 0.5)
    assert (chosen.rows, chosen.length, chosen.places) == (rows, length, {"": 0})
    assert chosen.offloaded == (0, 0)


def test_before_a_layer_leaves_the_gpu_rows_get_short_and_few() -> None:
    assert on_card(5.2).places == {"": 0}
    chosen = on_card(4.5)
    assert (chosen.rows, chosen.length) == (2, SHORT)
    assert chosen.places["model.embed_tokens"] == chosen.places["lm_head"] == chosen.places["model.layers.0"] == 0
    assert chosen.places["model.layers.31"] == "cpu"
    assert chosen.offloaded[0] == chosen.layers_off * IN_16_BIT.parts[-1].on_gpu


def test_with_little_memory_the_last_layers_are_on_disk() -> None:
    chosen = on_card(4, memory=4)
    assert set(chosen.places.values()) == {0, "cpu", "disk"}
    assert chosen.places["model.layers.31"] == "disk"


def test_a_card_without_room_leaves_it_to_the_cpu() -> None:
    chosen = on_card(0.5)
    assert (chosen.cuda, chosen.quantized, chosen.places) == (False, True, {"": "cpu"})


def test_what_fits_into_no_memory_is_read_from_disk_in_16_bit() -> None:
    chosen = on_card(0, memory=4)
    assert (chosen.cuda, chosen.quantized, chosen.rows) == (False, False, 1)
    assert chosen.offloaded[1] > 10e9


def test_what_fits_nowhere_says_how_much_is_missing() -> None:
    with pytest.raises(DoesNotFit) as missing:
        on_card(0, memory=4, disk=1)
    assert missing.value.missing == on_card(0, memory=4).offloaded[1] - GIB


def test_the_owners_wishes_come_first_as_far_as_they_fit() -> None:
    assert (on_card(11.5, rows=1).rows, on_card(11.5, rows=1).length) == (1, 8192)
    assert on_card(11.5, rows=8, length=4096).rows == 8
    assert on_card(7.5, rows=16).rows == 11
    assert on_card(80, length=100_000).length == 8192


@given(
    st.floats(0, 90),
    st.floats(0.5, 128),
    st.integers(0, 64),
    st.integers(0, 9000),
    st.sampled_from([IN_4_BIT, IN_16_BIT]),
)
def test_no_plan_takes_more_than_is_free(gpu: float, memory: float, rows: int, length: int, shape: Shape) -> None:
    chosen = on_card(gpu, memory, shape=shape, rows=rows, length=length)
    assert chosen.rows >= 1
    assert chosen.length >= min(length or 8192, SHORT)
    if chosen.cuda:
        assert chosen.budget <= gpu * GIB
        assert chosen.offloaded[0] + chosen.spilled * shape.position <= memory * GIB
        assert not chosen.layers_off or chosen.kept >= chosen.length, "a conversation's next turn reads what is new"
    elif chosen.places == {"": "cpu"}:
        assert chosen.budget <= memory * GIB


def test_the_speed_is_that_of_reading_the_weights() -> None:
    card, slow = Speeds(memory=500e9), replace(Speeds(memory=500e9), bus=6e9)
    whole, some = on_card(7.5), on_card(4)
    assert 50 < 1 / whole.step_seconds(card) < 80
    assert some.step_seconds(card) == pytest.approx(some.weights / 350e9 + some.offloaded[0] / 12e9 + 0.004)
    assert some.step_seconds(slow) > 1.9 * some.step_seconds(card)


def test_the_budget_counts_what_is_kept_and_the_workspace() -> None:
    chosen = on_card(11.5)
    caches = (chosen.rows * chosen.length + chosen.kept) * IN_4_BIT.position
    assert chosen.budget == chosen.weights + caches + WORKSPACE


@pytest.mark.torch
@pytest.mark.parametrize("quantized", [True, False])
def test_the_shape_from_the_configuration_is_that_of_the_modules(quantized: bool) -> None:
    import torch
    from transformers import MistralConfig

    from core.local.shape import kv_bytes, parts_of

    config = MistralConfig(**OPENCHAT, tie_word_embeddings=False)
    parts = {part.name: part for part in parts_of(config, torch.float16, quantized)}
    shape = IN_4_BIT if quantized else IN_16_BIT
    for part in shape.parts:
        assert (parts[part.name].on_gpu, parts[part.name].off_gpu) == (part.on_gpu, part.off_gpu)
    assert sum(part.on_gpu for part in parts.values()) == shape.size
    assert kv_bytes(config, torch.float16) == shape.position


@pytest.mark.torch
def test_the_plan_is_made_from_what_is_free_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import psutil
    import torch
    from transformers import MistralConfig

    from core.local import loading

    class Memory:
        available = 64 * GIB

    def planned(gpu: float, **options: Any) -> str:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(gpu * GIB), 80 * GIB))
        monkeypatch.setattr(torch.cuda, "get_per_process_memory_fraction", lambda device: 1.0)
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)
        chosen = LocalOptions(Path("models"), **options)
        config = MistralConfig(**OPENCHAT, tie_word_embeddings=False)
        found, numbers = loading._plan(Path("openchat"), config, chosen, torch.device("cuda", 0))
        assert found.cuda == (numbers.device.type == "cuda")
        return loading.described(Outline("openchat", str(numbers.dtype), found, 70.4))

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    said = planned(7.5)
    assert said.startswith("openchat: 4 bit, torch.float16 on the GPU, 4.1 GB; 4 at once with 3840 tokens each, ")
    assert said.endswith("about 70 tokens/s for one")
    assert "GB of it in memory" in planned(4)
    assert planned(0.5, dtype="float32").startswith("openchat: torch.float32 on the CPU")
    assert planned(0.5, quantization="4bit", dtype="float32").startswith("openchat: 4 bit, torch.float32 on the CPU")
    assert "too little free memory" in caplog.text
    planned(7.5, slots=30)
    assert "engine.slots is 30, but there is room for" in caplog.text
