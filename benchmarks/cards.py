"""Which card runs OpenChat how, by the plan's own arithmetic: ``python -m benchmarks.cards`` writes docs/cards.md.

No card was measured for it; what was measured on one is in benchmarks/results.
"""

from __future__ import annotations

import sys
from pathlib import Path

from core.local.plan import EFFICIENCY, OPENCHAT, STEP_SECONDS, Free, Plan, Speeds, decoder, plan

PAGE = Path(__file__).resolve().parents[1] / "docs" / "cards.md"
GIB = 2**30
TAKEN = 0.5
"""GiB that a desktop or the driver takes of a card."""
CARDS = (
    ("GTX 1650, 4 GB", 4, 128e9),
    ("RTX 3050, 6 GB", 6, 168e9),
    ("RTX 4060, 8 GB", 8, 272e9),
    ("RTX 3070, 8 GB", 8, 448e9),
    ("RTX 3060, 12 GB", 12, 360e9),
    ("RTX 4070, 12 GB", 12, 504e9),
    ("Tesla T4, 16 GB", 16, 320e9),
    ("RTX 4060 Ti, 16 GB", 16, 288e9),
    ("RTX 4080, 16 GB", 16, 717e9),
    ("RTX 3090, 24 GB", 24, 936e9),
    ("RTX 4090, 24 GB", 24, 1008e9),
    ("RTX 5090, 32 GB", 32, 1792e9),
    ("A100, 40 GB", 40, 1555e9),
    ("H100, 80 GB", 80, 3350e9),
)
"""Name, GiB, and bytes per second of memory as the maker states them."""

TEXT = """\
# Which card runs what

Written by `python -m benchmarks.cards` with the arithmetic by which Conch plans before it loads a model
([`core/local/plan.py`](../core/local/plan.py)). `conch doctor` does the same for the card that you have,
from what is free on it at that moment, and `conch bench` measures it.

OpenChat 3.5 has {weights} billion weights: {full} GB in FP16, {small} GB in 4 bit (its layers take a quarter,
the embeddings stay in FP16). Each token of a conversation takes {position} KiB of cache beside that.

| card | answers at once | tokens of each | kept of earlier ones | off the card | tokens/s for one, about |
|---|---:|---:|---:|---:|---:|
{rows}

The last column is an estimate and no measurement: the weights are read once a word, at {efficiency} of the
card's stated bandwidth, and {step} ms go to everything else. Several answers at once share that reading, so
together they get many times as much.

Where not all of it fits, Conch first makes the rows shorter and fewer, and then leaves as few layers as
possible in the computer's memory. Those stay in 16 bit and cross the bus for every word: it works, and it is
slow. With no NVIDIA card, `engine.model = "openchat/openchat-3.5-0106"` with `engine.quantization = "4bit"`
runs it on the processor, for the patient; the default there is the small SmolLM2.

Whatever the card: OpenChat is strong in English and Chinese and weaker in Korean.
"""


def planned(memory: float) -> Plan:
    """OpenChat in 4 bit on a card with so many GiB, in a machine with 16 GiB free."""
    shape = decoder(OPENCHAT, bytes_each=2, quantized=True)
    return plan(shape, Free(int((memory - TAKEN) * GIB), 16 * GIB, 100 * GIB))


def page() -> str:
    """The page."""
    shape = decoder(OPENCHAT, bytes_each=2, quantized=True)
    whole = decoder(OPENCHAT, bytes_each=2, quantized=False)
    return TEXT.format(
        weights=f"{whole.size / 2e9:.2f}",
        full=f"{whole.size / 1e9:.1f}",
        small=f"{shape.size / 1e9:.1f}",
        position=f"{shape.position / 1024:.0f}",
        efficiency=EFFICIENCY,
        step=f"{1000 * STEP_SECONDS['cuda']:.0f}",
        rows="\n".join(_row(name, planned(memory), bandwidth) for name, memory, bandwidth in CARDS),
    )


def _row(name: str, found: Plan, bandwidth: float) -> str:
    off = sum(found.offloaded)
    rate = 1 / found.step_seconds(Speeds(bandwidth))
    cells = (
        name,
        f"{found.rows}",
        f"{found.length:,}",
        f"{found.kept:,}",
        f"{off / 1e9:.1f} GB" if off else "–",
        f"{rate:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Writes the page."""
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
