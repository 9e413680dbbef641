"""Every sentence that a person can read: Fluent files of a folder, one subfolder per language, English behind them all.

Keys are causes and names with ``-``; a cause of core (``queue_full``) may be given as it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from fluent.runtime import FluentBundle, FluentResource
from fluent.syntax.ast import Junk, Message

from core.errors import Refused
from core.events import Finished, Queued
from core.messages import Turn

FALLBACK = "en"
_CHINESE = {"zh", "cmn", "yue", "wuu", "nan", "hak"}
"""Primary subtags that read written Chinese; platforms send ``yue-HK`` and ``cmn`` as well as ``zh-Hant``."""


class Say(Protocol):
    """The wording bound to one language: ``say("queue-full")``."""

    def __call__(self, key: str, /, **values: object) -> str: ...


class Wording:
    """The sentences of ``folder/<language>/*.ftl``.

    A language or key that is missing is taken from English. A file with a mistake raises ValueError when it is read,
    an unknown key or a missing value KeyError when it is asked for: nobody is ever shown a key.
    """

    def __init__(self, folder: Path) -> None:
        self._bundles = {
            path.name: _bundle(path.name, sorted(path.glob("*.ftl")))
            for path in sorted(folder.iterdir())
            if path.is_dir()
        }
        if FALLBACK not in self._bundles:
            raise ValueError(f"no sentences in {folder / FALLBACK}")
        self.languages = tuple(self._bundles)

    def __call__(self, language: str, key: str, /, **values: object) -> str:
        """The sentence. A value ``seconds`` is also there for it as ``$time``, in words: ``about { $time }``."""
        name = key.replace("_", "-")
        bundle = next((b for b in self._order(language) if b.has_message(name)), None)
        if bundle is None:
            raise KeyError(key)
        if isinstance(seconds := values.get("seconds"), int | float):
            values["time"] = self.duration(language, seconds)
        pattern = bundle.get_message(name).value
        if pattern is None:
            raise KeyError(key)
        text, errors = bundle.format_pattern(pattern, values)
        if errors:
            raise KeyError(f"{key}: {errors[0]}")
        return str(text)

    def bind(self, language: str) -> Say:
        """``say`` of one language."""

        def say(key: str, /, **values: object) -> str:
            return self(language, key, **values)

        return say

    def choose(self, tags: Iterable[str]) -> str:
        """The first language here that a person asks for by BCP 47 tags (``zh-Hant-TW``, ``ko_KR``), else English.

        A tag may carry a weight as in an Accept-Language header, so that ``choose(header.split(","))`` works.
        """
        weighed = sorted((_weight(tag) for tag in tags), key=lambda pair: -pair[1])
        for tag, weight in weighed:
            primary = tag.replace("_", "-").split("-")[0].lower()
            primary = "zh" if primary in _CHINESE else primary
            if weight > 0 and primary in self._bundles:
                return primary
        return FALLBACK

    def duration(self, language: str, seconds: float) -> str:
        """``seconds`` as words: "10 seconds", "5 minutes", "2 hours 10 minutes". Rounded up, never down."""
        unit, values = span(seconds)
        return self(language, f"duration-{unit}", **values)

    def _order(self, language: str) -> list[FluentBundle]:
        return [self._bundles[name] for name in (language, FALLBACK) if name in self._bundles]


def span(seconds: float) -> tuple[str, Mapping[str, int]]:
    """A time as people say it, rounded up: whole seconds to 10, fives to a minute, minutes to an hour, then tens.

    Returns the unit (a key ``duration-…``) and its numbers.
    """
    whole = max(1, math.ceil(min(seconds, 1e9)))
    if whole <= 10:
        return "seconds", {"count": whole}
    if whole <= 55:
        return "seconds", {"count": -(-whole // 5) * 5}
    minutes = -(-whole // 60)
    if minutes < 60:
        return "minutes", {"count": minutes}
    tens = -(-minutes // 10) * 10
    hours, rest = divmod(tens, 60)
    if hours >= 6 or not rest:
        return "hours", {"count": hours + (rest > 0)}
    return "hours-minutes", {"count": hours, "minutes": rest}


def queued(say: Say, event: Queued) -> str:
    """The sentence of a place in line: why it does not move, or how many go first and about how long that takes."""
    if event.cause:
        return say(event.cause)
    if event.seconds is None:
        return say("queued", ahead=event.ahead)
    return say("queued-time", ahead=event.ahead, seconds=event.seconds)


def ended(say: Say, end: Finished, turn: Turn) -> str:
    """The sentence of an answer that did not come to its own end. A cause without a sentence is still a failure that
    the person must hear of."""
    cause = end.cause or ("stopped" if end.reason == "abort" else "failed")
    try:
        return say(cause, limit=turn.fits)
    except KeyError:
        return say("failed")


def refused(say: Say, error: Refused) -> str:
    """The sentence of a refusal."""
    return say(error.cause, **error.details)


def _bundle(language: str, files: Iterable[Path]) -> FluentBundle:
    bundle = FluentBundle([language], use_isolating=False)
    seen: set[str] = set()
    for file in files:
        resource = FluentResource(file.read_text(encoding="utf-8"))
        for entry in resource.body:
            if isinstance(entry, Junk):
                raise ValueError(f"{file}: cannot read {(entry.content or '').strip().splitlines()[0]!r}")
            if isinstance(entry, Message):
                if entry.id.name in seen:
                    raise ValueError(f"{file}: {entry.id.name} is there twice")
                seen.add(entry.id.name)
        bundle.add_resource(resource)
    return bundle


def _weight(tag: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in tag.split(";"))
    try:
        return name, next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
    except ValueError:
        return name, 0.0
