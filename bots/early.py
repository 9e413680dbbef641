"""Ctrl-C before Conch has anything to lose: it ends at once, and no traceback is shown.

Imported before everything else of the command line, as reading the rest takes longest. `conch run` has not begun to
serve then, so it ends as after any signal, with 0, until ``bots.lifetimes.stopping`` hears the signals; the other
commands end as shells expect, with 130. Only where Conch is the program: whoever imports it keeps their own ways.
"""

from __future__ import annotations

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


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(0 if RUNS else INTERRUPTED)


if sys.argv[0].endswith(("/bots/__main__.py", "/conch")):
    hear()
