"""What the terminal reads and, where nobody sits at it, writes: lines typed or piped, Ctrl-C, plain answers.

The main thread belongs to the keyboard, because only it hears Ctrl-C and may be interrupted in the middle of a line;
the event loop with everything else runs in a thread beside it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
import time
import unicodedata
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from queue import SimpleQueue
from types import FrameType
from typing import Any, Protocol, TextIO

from bots.talk.wording import FALLBACK, Wording

_NUDGE = signal.SIGURG  # where nobody handles it, it does nothing
_NUDGE_S = 0.2
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str) -> str:
    """``text`` without what would steer a terminal (escape sequences start with a control character) or turn the
    order of its letters round."""
    return "".join(
        c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in _DIRECTIONS)
    )


def spoken(wanted: str, wording: Wording) -> str:
    """The language of this terminal: ``wanted``, or where that is "auto" what the system's locale says; English where
    the terminal does not have the letters of that."""
    if wanted == "auto":
        locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := os.environ.get(name))), "en")
        wanted = wording.choose([locale.partition(".")[0]])
    return wanted if shows(wording(wanted, "language-name")) else FALLBACK


def shows(text: str) -> bool:
    """Has standard output every letter of ``text``?"""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


class Screen(Protocol):
    """Where one answer after the other is shown, and Conch's own sentences between them."""

    def note(self, text: str) -> None:
        """A sentence of Conch's."""

    def begin(self, text: str) -> None:
        """An answer begins; ``text`` stands for its first word meanwhile."""

    def waiting(self, text: str) -> None:
        """Why no word of the answer is there yet; replaces what was said before."""

    def more(self, text: str) -> None:
        """More of the answer."""

    def end(self) -> None:
        """The answer is whole, or nothing more comes of it."""


class Lines:
    """For pipes and files: the answer's text as it comes to ``out``, everything else to ``notes``."""

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out, self._notes = out, notes
        self._said = ""
        self._last = "\n"

    def note(self, text: str) -> None:
        print(printable(text), file=self._notes, flush=True)

    def begin(self, text: str) -> None:
        self._said = ""

    def waiting(self, text: str) -> None:
        if text != self._said:
            self._said = text
            self.note(text)

    def more(self, text: str) -> None:
        if shown := printable(text):
            self._out.write(shown)
            self._out.flush()
            self._last = shown[-1]

    def end(self) -> None:
        if self._last != "\n":
            self.more("\n")


class Interrupted(Exception):
    """Ctrl-C while a line was typed."""


class Keyboard:
    """Lines of standard input, read by the main thread while the event loop runs in another one.

    A signal that comes between a prompt and the wait for its first key is only noted by Python and does not end that
    wait; the next one would. So the reading thread gets one that means nothing, several times a second.
    """

    def __init__(self, read: Callable[[str], str]) -> None:
        self.on_interrupt: Callable[[], object] = lambda: None
        self._read = read
        self._jobs: SimpleQueue[tuple[str, Future[str | None]] | None] = SimpleQueue()
        self.reading = False
        self._over = False
        self._work: tuple[asyncio.AbstractEventLoop, asyncio.Task[int]] | None = None

    async def line(self, prompt: str = "") -> str | None:
        """The next line; None at the end of the input. Raises Interrupted."""
        waiting: Future[str | None] = Future()
        self._jobs.put((prompt, waiting))
        return await asyncio.wrap_future(waiting)

    def run(self, work: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """Runs ``work()`` to its end in an event loop beside the keyboard, and returns what it returns.

        Ctrl-C interrupts the line that is being typed, else calls ``on_interrupt`` in the loop. SIGTERM and a closed
        terminal cancel ``work()``, which then gives 0. To be called by the main thread.
        """
        result: Future[int] = Future()
        thread = threading.Thread(target=self._run, args=(work, result), name="conch")
        before = {name: signal.signal(name, self._heard) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        before[_NUDGE] = signal.signal(_NUDGE, lambda number, frame: None)
        try:
            thread.start()
            while (job := self._jobs.get()) is not None:
                self._serve(*job)
            thread.join()
        finally:
            for name, handler in before.items():
                signal.signal(name, handler)
        return result.result()

    def _serve(self, prompt: str, waiting: Future[str | None]) -> None:
        """Reads one line for whoever waits for it."""
        if not waiting.set_running_or_notify_cancel():
            return
        try:
            try:
                self.reading = True
                if self._over:  # the signal came just before, and nothing else would end this
                    raise EOFError
                line = self._read(prompt)
            finally:
                self.reading = False
        except EOFError:
            waiting.set_result(None)
        except KeyboardInterrupt:
            waiting.set_exception(Interrupted())
        else:
            waiting.set_result(line.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))

    def _heard(self, number: int, frame: FrameType | None) -> None:
        """A signal, in the main thread. It raises once, and only where a line is read, so that no wait gets lost."""
        self._over = self._over or number != signal.SIGINT
        if self._work is not None and (number != signal.SIGINT or not self.reading):
            loop, task = self._work
            with suppress(RuntimeError):  # the loop has just closed
                loop.call_soon_threadsafe(self.on_interrupt if number == signal.SIGINT else task.cancel)
        if self.reading:
            self.reading = False
            raise KeyboardInterrupt

    def _run(self, work: Callable[[], Coroutine[Any, Any, int]], result: Future[int]) -> None:
        async def main() -> int:
            task = asyncio.ensure_future(work())
            self._work = asyncio.get_running_loop(), task
            nudging = asyncio.ensure_future(self._nudge())
            try:
                return await task
            except asyncio.CancelledError:
                return 0
            finally:
                nudging.cancel()

        try:
            result.set_result(asyncio.run(main()))
        except BaseException as error:
            result.set_exception(error)
        finally:
            self._jobs.put(None)
            while self.reading:  # for nobody
                _to_main_thread(signal.SIGINT)
                time.sleep(_NUDGE_S)

    async def _nudge(self) -> None:
        while True:
            await asyncio.sleep(_NUDGE_S)
            if self.reading:
                _to_main_thread(_NUDGE)


def _to_main_thread(number: signal.Signals) -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, number)


def typed(prompt: str) -> str:
    """A line with the editing keys and the history of readline; a ``\\`` at its end goes on in the next, and what is
    pasted is one line, however many it has.

    Raises EOFError.
    """
    with suppress(ImportError):
        import readline  # its import gives input() editing and history

        if "libedit" not in (readline.__doc__ or ""):  # that has no word for it
            readline.parse_and_bind("set enable-bracketed-paste on")
    try:
        with _mode(on=termios.ECHO):  # readline draws only where the terminal would have done it
            line = input(prompt)
            while line.endswith("\\"):
                line = f"{line[:-1]}\n{input('… ')}"
    except KeyboardInterrupt:
        print()  # what comes next has a line of its own
        raise
    return line


@contextmanager
def hushed() -> Iterator[None]:
    """While open, what is typed is drawn by ``typed`` alone, and waits for it meanwhile, each key with its meaning: the
    terminal's own echo, the ^C of Ctrl-C too, would push aside an answer that grows there."""
    with _mode(off=termios.ECHO | termios.ICANON if find_spec("readline") else 0):  # else the terminal has to do it all
        yield


@contextmanager
def _mode(*, on: int = 0, off: int = 0) -> Iterator[None]:
    """While open, the terminal has these local modes (termios(3)); whatever it had comes back."""
    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    termios.tcsetattr(fd, termios.TCSANOW, [*before[:3], (before[3] | on) & ~off, *before[4:]])
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(fd, termios.TCSANOW, before)


def piped(prompt: str) -> str:
    """A line of standard input that nobody types. Raises EOFError."""
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line.rstrip("\n")
