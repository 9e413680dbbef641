"""What the program does before anything else: it hears Ctrl-C, and makes sure that it can be heard itself.

Imported before everything else of the command line, as reading the rest takes longest, and there is nothing to lose
yet: Ctrl-C ends it at once, and no traceback is shown. `conch run` has not begun to serve then, so it ends as after
any signal, with 0, until ``bots.host.lifetimes.stopping`` hears the signals; the other commands end as shells expect,
with 130. Only where Conch is the program: whoever imports it keeps their own ways.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from types import FrameType

RUNS = sys.argv[1:2] in ([], ["run"])
INTERRUPTED = 130
"""As shells count it: 128 + SIGINT."""


def hear() -> None:
    """Signals end the process, silently."""
    for number in (signal.SIGINT, signal.SIGTERM) if RUNS else (signal.SIGINT,):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _end)


def leave() -> None:
    """The command hears the signals by itself from here on; for `conch run`, this goes on until it does."""
    if not RUNS and signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def open_streams() -> None:
    """Standard input, output and error are there, and no letter is one too many for them.

    Whoever starts a program may close all three (`conch run <&- >&-`): then Python has None in their place, and the
    next file to be opened, the database perhaps, would get a number that others write to. A terminal that has no ✔
    (EUC-KR, Latin-1) shows a ? instead.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            if not _is_open(number):
                os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))
        elif number and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0 if RUNS else INTERRUPTED)


if sys.argv[0].endswith(("/bots/__main__.py", "/conch")):
    hear()
    open_streams()
