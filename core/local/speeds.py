"""What this machine is measured to have and to do: free memory on its GPU, copies a second, numbers for its CPU."""

from __future__ import annotations

import time

import torch

from core.local.clock import seconds
from core.local.plan import Speeds

COPIED = 64 * 2**20
"""Bytes of which a CPU's memory and the bus are measured; a GPU's second cache can hold as many."""


def speeds_of(device: torch.device) -> Speeds:
    """Measures the bandwidths of a device by copies; that of the disk is a guess."""
    size = _copied(device)
    memory = _copying(*(torch.zeros(size, dtype=torch.uint8, device=device) for _ in range(2)))
    if device.type != "cuda":
        return Speeds(2 * memory)  # a copy reads and writes
    torch.cuda.empty_cache()
    there = torch.zeros(COPIED, dtype=torch.uint8)  # in memory like any other, as offloaded weights are
    return Speeds(2 * memory, bus=_copying(torch.zeros_like(there, device=device), there))


def _copied(device: torch.device) -> int:
    """Bytes to measure a memory with: more than its caches hold, but on a GPU no more than half of what is free."""
    return COPIED if device.type == "cpu" else max(min(8 * COPIED, gpu_free(device) // 4), 2**20)


def _copying(one: torch.Tensor, other: torch.Tensor) -> float:
    """Bytes a second from ``other`` to ``one``."""
    return other.nbytes / seconds(lambda: one.copy_(other), one.device)


def gpu_free(device: torch.device) -> int:
    """Tells how many bytes of the GPU this process may still take: what is free, within the share that it was given."""
    free, total = torch.cuda.mem_get_info(device)
    share = torch.cuda.get_per_process_memory_fraction(device)
    return min(free, int(share * total) - torch.cuda.memory_reserved(device))


def faster_on_cpu() -> torch.dtype:
    """Chooses bfloat16 where a product over a prompt's tokens takes no longer in it than in float32.

    bfloat16 always halves the memory that a token's weights cross, but a CPU without instructions for it needs six
    times as long to read a prompt (measured: AVX2, SmolLM2, 300 tokens: 3.9 s against 0.7 s), and then nobody wants it.
    """
    took: dict[torch.dtype, float] = {}
    for dtype in (torch.float32, torch.bfloat16):
        rows, weights = torch.ones(64, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        for _ in range(4):
            began = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            took[dtype] = min(took.get(dtype, float("inf")), time.perf_counter() - began)
    return min(took, key=lambda dtype: took[dtype])
