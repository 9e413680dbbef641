"""Log lines as text or JSON: our own at the chosen level, libraries only when something is wrong, never a secret.

Records carry fields (``extra={"reason": "stop"}``), not sentences with values in them. Nobody logs the text of a
message or who wrote it; the libraries that would (SQL parameters, HTTP bodies, payloads of a platform) stay at WARNING.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from math import inf
from types import TracebackType
from typing import Any, Literal, TextIO

from config.platforms import PLATFORMS

OURS = ("bots", "core", "config")
LIBRARIES = {platform.logger: platform.logged for platform in PLATFORMS.values() if platform.logger} | {
    "sqlalchemy": logging.WARNING
}
"""Libraries that need a level of their own; all others take the root's WARNING."""
SHORTEST_SECRET = 6
"""Shorter values are not masked: that would blank ordinary words."""

REPEATED_SECONDS = 60.0
"""How long the same error of the loop is not told again."""
ADVICE = {
    errno.EMFILE: "this process may have no more file descriptors. Allow more: LimitNOFILE in the systemd unit, "
    "ulimit -n in a shell, ulimits in compose.yaml",
    errno.ENFILE: "this machine has no file descriptors left. See which program holds them, or raise fs.file-max",
}
"""What to do where the machine refuses, by the error's number."""

_TOKENS = re.compile("|".join(platform.secrets for platform in PLATFORMS.values() if platform.secrets))
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}


class Redaction:
    """Masks the secrets that it was told and whatever looks like a platform's token."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        for secret in secrets:
            self.hide(secret)

    def hide(self, secret: str) -> None:
        """From now on ``secret`` is masked as well (an access key made at run time)."""
        if len(secret) >= SHORTEST_SECRET:
            self._secrets = sorted({*self._secrets, secret}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return _TOKENS.sub("***", text)


class _Lines(logging.Formatter):
    """``time LEVEL logger message key=value``; a message keeps to one line, so that nobody can forge the next."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {key}={value!r}" for key, value in _fields(record).items())
        head = f"{_time(record)} {record.levelname} {record.name} {_one_line(record.getMessage())}{fields}"
        return self._redact(f"{head}{self._trace(record)}")

    def _trace(self, record: logging.LogRecord) -> str:
        lines = self.formatException(record.exc_info).splitlines() if record.exc_info else []
        return "".join(f"\n    {line}" for line in lines)


class _Json(logging.Formatter):
    """One JSON object a line. Masked value by value, because escaping could hide a secret from the search."""

    def __init__(self, redact: Redaction) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        plain = {
            key: value if isinstance(value, int | float | bool | None) else self._redact(str(value))
            for key, value in line.items()
        }
        return self._redact(json.dumps(plain, ensure_ascii=False))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what ``sys.stderr`` is now, so that a progress bar on the terminal can keep the lines above it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, value: TextIO) -> None:
        raise AttributeError("follows sys.stderr")


def configure(
    level: str,
    format: Literal["text", "json"],
    secrets: Iterable[str] = (),
    *,
    stream: TextIO | None = None,
) -> Redaction:
    """Sets up the process's logging once; ``stream`` None is standard error. Returns what masks the secrets."""
    redact = Redaction(secrets)
    handler = _Stderr() if stream is None else logging.StreamHandler(stream)
    handler.setFormatter(_Json(redact) if format == "json" else _Lines(redact))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    chosen = logging.getLevelNamesMapping()[level.upper()]
    for name in OURS:
        logging.getLogger(name).setLevel(chosen)
    for name, least in LIBRARIES.items():
        logging.getLogger(name).setLevel(max(chosen, least))
    logging.captureWarnings(True)
    return redact


def catch_strays(loop: asyncio.AbstractEventLoop, clock: Callable[[], float] = time.monotonic) -> None:
    """Exceptions that nobody awaits (a task, a callback, a thread, a finalizer) become log lines, never silence.

    The same error of the loop is one line a minute, which says how many were left out: where there are no file
    descriptors, it fails to accept a connection many times a second.
    """
    loop.set_exception_handler(_OfLoop(clock))
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_finalizer


class _OfLoop:
    """The loop's exception handler. The same error is the same type from the same place: the loop's message names
    objects by their addresses, which differ each time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told: dict[object, float] = {}
        self._left_out: Counter[object] = Counter()

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        message = context.get("message", "unhandled")
        same = message if error is None else (type(error), getattr(error, "errno", None), _place(error))
        now = self._clock()
        if now < self._told.get(same, -inf) + REPEATED_SECONDS:
            self._left_out[same] += 1
            return
        self._told[same] = now
        extra = {"left_out": left_out} if (left_out := self._left_out.pop(same, 0)) else {}
        if isinstance(error, OSError) and (advice := ADVICE.get(error.errno or 0)):
            _log.error("%s: %s", message, advice, extra=extra)  # where it happened would help nobody
        else:
            _log.error("%s", message, exc_info=_info(error), extra=extra)


def _place(error: BaseException) -> tuple[str, int] | None:
    """The file and line that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return (trace.tb_frame.f_code.co_filename, trace.tb_lineno) if trace else None


def _of_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "?"
    _log.error("a thread ended by an exception", exc_info=_info(args.exc_value), extra={"thread_name": name})


def _of_finalizer(args: Any) -> None:
    _log.error("%s", args.err_msg or "an exception in a finalizer", exc_info=_info(args.exc_value))


def _info(
    error: BaseException | None,
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    return (type(error), error, error.__traceback__) if error else None


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_log = logging.getLogger(__name__)
