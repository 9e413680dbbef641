"""Which part of a model goes where: the GPU first, then memory, then disk. Pure arithmetic, in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Place = int | str
"""A CUDA device's number, ``cpu`` or ``disk``: accelerate's names."""


@dataclass(frozen=True, slots=True)
class Part:
    """A module that stays whole. Off the GPU its weights are not quantized, so it is larger there."""

    name: str
    on_gpu: int
    off_gpu: int
    like: str = ""
    """The part whose weights are its own, too: it goes where that one is."""


def place(parts: Sequence[Part], gpu: int, memory: int) -> dict[str, Place]:
    """Fill ``gpu`` bytes of CUDA device 0, then ``memory`` bytes, in the order of ``parts``; the rest goes to disk.

    Everything that runs at each token but is no layer should come first. Where all fits in one place the map is
    ``{"": place}``, which needs no hooks.
    """
    places: dict[str, Place] = {}
    nothing: Place = 0 if gpu > 0 else "cpu"
    for part in parts:
        if not part.off_gpu:
            places[part.name] = places.get(part.like, nothing)
        elif part.on_gpu <= gpu:
            gpu -= part.on_gpu
            places[part.name] = 0
        else:
            gpu = min(gpu, 0)  # layers after this one stay together: each change of place costs a copy
            if part.off_gpu <= memory:
                memory -= part.off_gpu
                places[part.name] = "cpu"
            else:
                memory = 0
                places[part.name] = "disk"
    used = set(places.values())
    return {"": used.pop()} if len(used) == 1 and used != {"disk"} else places
