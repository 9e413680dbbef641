"""What is said of a failure, in a line or a sentence. No torch here."""

from __future__ import annotations

LACKS = ("out of memory", "can't allocate memory", "_STATUS_ALLOC_FAILED")
"""What a message says where the memory lacks that CUDA itself, a host or a library of CUDA was to give."""


def first_line(error: BaseException) -> str:
    """Kind and first line of an exception, short enough for a sentence."""
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def out_of_memory(error: BaseException) -> bool:
    """Is it a lack of memory? torch has a kind of its own only for what its own store on a GPU lacks."""
    if isinstance(error, MemoryError) or "OutOfMemory" in type(error).__name__:
        return True
    return any(lack in str(error) for lack in LACKS)


def death(error: BaseException) -> str:
    """What ended the model's thread, and what to do."""
    if out_of_memory(error):
        return (
            f"There is no memory left ({first_line(error)}). End what else uses it, or set engine.slots or "
            "engine.context_window lower, and start Conch again."
        )
    return f"The model has stopped working ({first_line(error)}). Start Conch again; the log has the details."
