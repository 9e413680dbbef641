"""How long something takes on the device that computes."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


def seconds(work: Callable[[], object], device: torch.device, runs: int = 4) -> float:
    """The shortest of a few runs; what a GPU still has to do when ``work`` returns is waited for."""
    took = []
    for _ in range(runs):
        _settle(device)
        began = time.perf_counter()
        work()
        _settle(device)
        took.append(time.perf_counter() - began)
    return min(took)


def _settle(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
