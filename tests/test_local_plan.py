"""What goes where, for OpenChat's true shape on cards of every size, without having the cards or the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.local import LocalOptions

pytestmark = pytest.mark.torch

GIB = 2**30


def openchat() -> Any:
    from transformers import MistralConfig

    return MistralConfig(
        vocab_size=32002,
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        max_position_embeddings=8192,
        tie_word_embeddings=False,
    )


def plan(monkeypatch: pytest.MonkeyPatch, *, gpu: float, memory: float, **options: Any) -> Any:
    """The plan for so many GiB free."""
    import psutil
    import torch

    from core.local import loading

    class Memory:
        available = int(memory * GIB)

    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(gpu * GIB), int(gpu * GIB)))
    chosen = LocalOptions(Path("models"), **options)
    return loading._plan(Path("openchat"), openchat(), chosen, torch.device("cuda", 0))


def test_a_token_of_openchat_takes_128_kib_of_cache() -> None:
    import torch

    from core.local.loading import kv_bytes

    assert kv_bytes(openchat(), torch.float16) == 131_072


def test_openchat_in_four_bit_is_a_quarter_of_what_it_is_in_sixteen() -> None:
    import torch

    from core.local.loading import _parts

    parts = _parts(openchat(), torch.float16, quantized=True)
    assert sum(part.off_gpu for part in parts) == pytest.approx(7.24e9 * 2, rel=0.001)
    # 7 of the 7.24 billion weights are quantized; the embeddings and the head are not
    assert sum(part.on_gpu for part in parts) == pytest.approx(4.12e9, rel=0.01)
    assert [part.name for part in parts if "layers" in part.name] == [f"model.layers.{i}" for i in range(32)]


def test_a_card_of_8_gb_takes_all_of_openchat(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = plan(monkeypatch, gpu=7.5, memory=16)
    assert str(chosen) == "4 bit, float16 on GPU"
    assert chosen.places == {"": 0}


def test_a_card_of_4_gb_takes_what_fits_and_memory_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = plan(monkeypatch, gpu=4, memory=32)
    assert str(chosen) == "4 bit, float16 on GPU, cpu"
    assert chosen.places["model.embed_tokens"] == chosen.places["lm_head"] == chosen.places["model.layers.0"] == 0
    assert chosen.places["model.layers.31"] == "cpu"


def test_with_little_memory_the_last_layers_are_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = plan(monkeypatch, gpu=4, memory=4)
    assert str(chosen) == "4 bit, float16 on GPU, cpu, disk"


def test_a_card_without_room_leaves_it_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = plan(monkeypatch, gpu=0.5, memory=64, dtype="float32")
    assert chosen.device.type == "cpu"
    assert not chosen.quantized
    assert 0 not in chosen.places.values()
    assert "too little free memory" in caplog.text


def test_without_quantization_sixteen_bits_are_placed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(plan(monkeypatch, gpu=24, memory=32, quantization="none")) == "float16 on GPU"
    assert str(plan(monkeypatch, gpu=8, memory=32, quantization="none", dtype="bfloat16")) == "bfloat16 on GPU, cpu"
