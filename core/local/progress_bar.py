"""The progress bar of transformers and accelerate while a model loads: it tells our own progress and draws nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any

from transformers.utils import logging as transformers_logging

from core.local.options import Progress


@contextmanager
def telling(progress: Progress) -> Iterator[None]:
    """Has transformers, while open, tell ``progress`` how many of the weights are loaded, and draw no bar."""

    def hook(factory: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> _Bar:
        return _Bar(args[0] if args else options.get("iterable", ()), options.get("total"), progress)

    before = transformers_logging.set_tqdm_hook(hook)
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    placing = logging.getLogger("accelerate")  # tells that parts were offloaded, which the plan has said
    level = placing.level
    placing.setLevel(logging.ERROR)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)
        transformers_logging.set_verbosity(verbosity)
        placing.setLevel(level)


class _Bar:
    """A bar in place of one of transformers: passes on what it iterates, and tells how far it is."""

    def __init__(self, items: Iterable[Any], total: int | None, progress: Progress) -> None:
        self._items, self._progress = items, progress
        self._total = total or (len(items) if isinstance(items, Sized) else 0)
        self._done = 0

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            yield item
            self.update()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to close."""

    def update(self, n: float | None = 1) -> None:
        """``n`` more are done."""
        self._done += int(n or 0)
        if self._total:
            self._progress("weights", min(self._done / self._total, 1.0))

    def close(self) -> None:
        """There is nothing to close."""

    def set_description(self, *text: object, **options: object) -> None:
        """Nothing is drawn."""

    set_postfix = set_postfix_str = refresh = set_description
