"""What is said of a failure, in a line or a sentence. No torch here."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Kind and first line of an exception, short enough for a sentence."""
    line = (str(error).strip().splitlines() or [""])[0][:200]
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def death(error: BaseException) -> str:
    """What ended the model's thread, and what to do."""
    if "OutOfMemory" in type(error).__name__:
        return (
            f"The GPU has no memory left ({first_line(error)}). End what else uses it, or set engine.slots or "
            "engine.context_window lower, and start Conch again."
        )
    return f"The model has stopped working ({first_line(error)}). Start Conch again; the log has the details."
