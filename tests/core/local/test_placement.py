"""A model goes on the GPU as far as it fits, then into memory, then on disk."""

from __future__ import annotations

from core.local.placement import Part, place

PARTS = [Part("embed", 4, 4), Part("head", 4, 4), *(Part(f"layers.{i}", 2, 8) for i in range(4))]


def test_a_model_that_fits_is_in_one_place() -> None:
    assert place(PARTS, gpu=16, memory=0) == {"": 0}
    assert place(PARTS, gpu=0, memory=100) == {"": "cpu"}


def test_only_the_layers_that_do_not_fit_are_offloaded_and_they_stay_together() -> None:
    places = place(PARTS, gpu=13, memory=100)
    assert places == {"embed": 0, "head": 0, "layers.0": 0, "layers.1": 0, "layers.2": "cpu", "layers.3": "cpu"}


def test_what_memory_does_not_take_goes_to_disk() -> None:
    places = place(PARTS, gpu=13, memory=8)
    assert [places["layers.2"], places["layers.3"]] == ["cpu", "disk"]


def test_nearly_nothing_fits() -> None:
    places = place(PARTS, gpu=0, memory=0)
    assert set(places.values()) == {"disk"}
    assert list(places) == [part.name for part in PARTS]


def test_a_part_without_weights_is_where_the_others_are_computed() -> None:
    assert place([*PARTS, Part("rotary", 0, 0)], gpu=13, memory=100)["rotary"] == 0
    assert place([*PARTS, Part("rotary", 0, 0)], gpu=0, memory=8)["rotary"] == "cpu"
    assert place([*PARTS, Part("rotary", 0, 0)], gpu=0, memory=100) == {"": "cpu"}


def test_a_part_that_shares_its_weights_goes_where_they_are() -> None:
    parts = [PARTS[0], Part("head", 0, 0, like="embed"), *PARTS[2:]]
    assert place(parts, gpu=0, memory=0)["head"] == "disk"
    assert place(parts, gpu=4, memory=100)["head"] == 0
