"""How a model is going to run, planned before anything is loaded, from what is free. Pure arithmetic, in bytes.

The GPU first: all of the model, if rows for a few requests fit beside it; else shorter rows, else fewer; else as many
layers as fit, the rest in the host's memory or, last, on its disk. No torch here: ``conch doctor`` plans, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from core.local.placement import Part, Place, place

NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
"""Per weight, with double quantization: 4 bits, one byte of scale per 64 weights, and a float per 256 scales."""
WORKSPACE = 768 * 2**20
"""Bytes kept free on the GPU for CUDA itself and what a step needs besides weights and KV cache."""
CPU_WORKSPACE = 128 * 2**20
"""The same on a CPU."""
MEMORY_SHARE = 0.8
"""Of the memory that is free, the most that Conch takes."""
MOST_ROWS = {"cuda": 32, "cpu": 8}
"""Requests at once where the owner does not say how many: more make each of them too slow to read along."""
FEW_ROWS = 4
"""Rows that are worth having: before there are fewer, they get shorter."""
SHORT = 2048
"""Positions that a row should have: before it gets shorter, layers leave the GPU."""
LENGTHS = 256
"""Rows that are shorter than the model's own are a multiple of so many positions."""
ROWS_SHARE = 2 / 3
"""Of the room beside the weights, what rows take where the owner does not say how many; the rest keeps beginnings."""
KEPT_ROWS = {"cuda": 16, "cpu": 4}
"""Full rows of earlier requests that are kept at most where the model is, four times as many in a GPU's host's memory:
a card is Conch's own, a CPU's memory is not."""
EFFICIENCY = 0.7
"""Of the bandwidth, what reading the weights reaches."""
STEP_SECONDS = {"cuda": 0.004, "cpu": 0.020}
"""What a step takes beside that: some thousand small kernels on a GPU, as many calls on a CPU."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A model as the plan sees it: the modules that stay whole, the KV cache's bytes per position, the positions of a
    row (``context``). ``quantized``: 4 bit wherever a layer is on the device that computes."""

    parts: tuple[Part, ...]
    position: int
    context: int
    quantized: bool

    @property
    def size(self) -> int:
        """Bytes of all weights where all are on the device that computes."""
        return sum(part.on_gpu for part in self.parts)


@dataclass(frozen=True, slots=True)
class Free:
    """Bytes that are free: on the CUDA device (0: there is none to compute on), in memory, on the offload disk."""

    gpu: int
    memory: int
    disk: int


@dataclass(frozen=True, slots=True)
class Speeds:
    """Bytes per second: of the memory that the weights are read from, of the bus to a GPU, of the disk."""

    memory: float
    bus: float = 12e9
    disk: float = 1e9


@dataclass(frozen=True, slots=True)
class Plan:
    """``places`` maps modules to a CUDA device, ``cpu`` or ``disk``; ``{"": place}`` where all are in one.

    ``rows`` of ``length`` positions each; ``kept`` positions of earlier requests where the model is, ``spilled`` in the
    host's memory. ``budget``: bytes in all on the device that computes; ``offloaded``: bytes of weights in memory and
    on disk beside a GPU, or on disk beside a CPU.
    """

    cuda: bool
    quantized: bool
    places: dict[str, Place] = field(hash=False)
    rows: int
    length: int
    kept: int
    spilled: int
    weights: int
    budget: int
    offloaded: tuple[int, int]

    @property
    def layers_off(self) -> int:
        """How many modules are not where the model computes."""
        here: Place = 0 if self.cuda else "cpu"
        return sum(place != here for place in self.places.values())

    def step_seconds(self, speeds: Speeds) -> float:
        """How long a step of few rows takes: each weight is read once, what is offloaded comes from afar."""
        memory, disk = self.offloaded
        reading = self.weights / speeds.memory / EFFICIENCY + memory / speeds.bus + disk / speeds.disk
        return reading + STEP_SECONDS["cuda" if self.cuda else "cpu"]


class DoesNotFit(Exception):
    """There is no way to run it here: ``missing`` bytes of disk (beside memory)."""

    def __init__(self, missing: int) -> None:
        super().__init__(f"{missing} bytes are missing")
        self.missing = missing


def plan(shape: Shape, free: Free, *, rows: int = 0, length: int = 0) -> Plan:
    """The best way to run it. ``rows`` and ``length`` as the owner wants them; 0 = what fits.

    On a GPU if any layer fits there. Raises DoesNotFit.
    """
    length = min(length or shape.context, shape.context)
    short = min(length, SHORT)
    memory = max(int(free.memory * MEMORY_SHARE) - CPU_WORKSPACE, 0)
    if free.gpu:
        room = free.gpu - WORKSPACE
        if whole := _beside(shape.size, shape, room, rows, length, most=MOST_ROWS["cuda"]):
            return _planned(shape, {"": 0}, *whole, room, memory, free.disk)
        some = min(rows or 2, 2)  # more of them share the cost of each layer that crosses the bus, but take their room
        beside = (some + 1) * short * shape.position  # room to keep a row: else each turn reads its whole conversation
        places = place(shape.parts, max(room - beside, 0), memory)
        if 0 in places.values():
            return _planned(shape, places, some, short, room, memory, free.disk)
    # On a CPU what is quantized stays in memory; what memory does not take is read from disk at each step, in 16 bit.
    if whole := _beside(shape.size, shape, memory, rows, length, most=MOST_ROWS["cpu"]):
        return _planned(shape, {"": "cpu"}, *whole, memory, 0, free.disk)
    parts = tuple(replace(part, on_gpu=part.off_gpu) for part in shape.parts)
    shape = Shape(parts, shape.position, shape.context, quantized=False)
    places = place(parts, 0, max(memory - short * shape.position, 0))
    return _planned(shape, places, 1, short, memory, 0, free.disk)


def _beside(weights: int, shape: Shape, room: int, rows: int, length: int, most: int) -> tuple[int, int] | None:
    """Rows and their length beside all weights; None where not even one short row fits."""
    left = room - weights
    share = left if rows else int(left * ROWS_SHARE)
    fitting = share // (rows or FEW_ROWS) // shape.position // LENGTHS * LENGTHS
    length = min(length, max(fitting, SHORT))
    count = share // (length * shape.position) or min(left // (length * shape.position), 1)
    return (min(count, rows or most), length) if count > 0 else None


def _planned(shape: Shape, places: dict[str, Place], rows: int, length: int, room: int, memory: int, disk: int) -> Plan:
    cuda = 0 in places.values()
    here: Place = 0 if cuda else "cpu"
    where = {part.name: places.get("", places.get(part.name, here)) for part in shape.parts}
    weights = sum(part.on_gpu for part in shape.parts if where[part.name] == here)
    in_memory = sum(part.off_gpu for part in shape.parts if cuda and where[part.name] == "cpu")
    on_disk = sum(part.off_gpu for part in shape.parts if where[part.name] == "disk")
    if on_disk > disk:
        raise DoesNotFit(on_disk - disk)
    used = weights + rows * length * shape.position
    most = KEPT_ROWS["cuda" if cuda else "cpu"] * length
    kept = min(max(room - used, 0) // shape.position, most)
    spilled = min(max(memory - in_memory, 0) // 4 // shape.position, 4 * most) if cuda else 0
    budget = used + kept * shape.position + (WORKSPACE if cuda else CPU_WORKSPACE)
    return Plan(cuda, shape.quantized, places, rows, length, kept, spilled, weights, budget, (in_memory, on_disk))


def decoder(config: Mapping[str, Any], *, bytes_each: int, quantized: bool) -> Shape:
    """The shape of a decoder with gated layers (Llama, Mistral, Qwen), read from its ``config.json``.

    KV cache per position: a key and a value per layer and KV head (OpenChat in FP16: 131,072 bytes).
    """
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    size = int(config.get("head_dim") or hidden // heads)
    groups = int(config.get("num_key_value_heads") or heads)
    linear = 2 * hidden * heads * size + 2 * hidden * groups * size + 3 * hidden * int(config["intermediate_size"])
    layers = int(config["num_hidden_layers"])
    table = int(config["vocab_size"]) * hidden * bytes_each
    layer = (linear + 2 * hidden) * bytes_each
    small = int(linear * NF4_BITS / 8) + 2 * hidden * bytes_each if quantized else layer
    ends = [Part("model.embed_tokens", table, table), Part("model.norm", hidden * bytes_each, hidden * bytes_each)]
    if not config.get("tie_word_embeddings", False):
        ends.append(Part("lm_head", table, table))
    parts = (*ends, *(Part(f"model.layers.{number}", small, layer) for number in range(layers)))
    position = 2 * layers * groups * size * bytes_each
    return Shape(parts, position, int(config.get("max_position_embeddings") or 2048), quantized)


@dataclass(frozen=True, slots=True)
class Outline:
    """A plan for people: the model's name, the numbers it computes in, tokens a second of one answer to expect (0: not
    known)."""

    model: str
    dtype: str
    plan: Plan
    rate: float = 0.0


OPENCHAT = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32002,
    "max_position_embeddings": 8192,
}
"""The shape of OpenChat 3.5, to plan for it before its files are here."""
SMOLLM2 = {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "vocab_size": 49152,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": True,
}
"""The same of SmolLM2-135M-Instruct."""
