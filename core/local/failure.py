"""What is said of a failure, in a line or a sentence. No torch here."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Kind and first line of an exception, short enough for a sentence."""
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def out_of_memory(error: BaseException) -> bool:
    """Is it a lack of memory? torch has a kind of its own for a GPU's only."""
    return "OutOfMemory" in type(error).__name__ or "can't allocate memory" in str(error)


def death(error: BaseException) -> str:
    """What ended the model's thread, and what to do."""
    if out_of_memory(error):
        return (
            f"There is no memory left ({first_line(error)}). End what else uses it, or set engine.slots or "
            "engine.context_window lower, and start Conch again."
        )
    return f"The model has stopped working ({first_line(error)}). Start Conch again; the log has the details."
