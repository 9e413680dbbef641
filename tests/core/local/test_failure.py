"""What is a lack of memory, and what is not."""

from __future__ import annotations

import pytest

from core.local.failure import out_of_memory


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
    ],
)
def test_a_lack_of_memory_is_told_by_what_the_libraries_say(said: str) -> None:
    assert out_of_memory(RuntimeError(said))


def test_a_lack_of_memory_is_told_by_its_kind() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(type("OutOfMemoryError", (RuntimeError,), {})("2 GiB"))
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))
