"""Figures for Prometheus, on a registry of their own. No label ever names a person or a place."""

from __future__ import annotations

import logging

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from bots.host.health import Health
from core.gate.gate import Gate

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_WAITS = (0.1, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)
_FIRST_TOKENS = (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_RATES = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300)


class Metrics:
    """Fed by ``observe``, which a Chat calls; what the gate and the health know is read when somebody asks."""

    def __init__(self, gate: Gate, health: Health) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        for name, text, read in (
            ("conch_queue_length", "Accepted requests that wait for the engine", lambda: gate.waiting),
            ("conch_running", "Requests that the engine is answering", lambda: gate.running),
            ("conch_slots", "Requests that may run at the same time; 0 while the model loads", lambda: gate.slots),
            ("conch_engine_ready", "1 once the engine can generate", lambda: int(health.ready)),
        ):
            Gauge(name, text, registry=registry).set_function(read)
        self._health = health
        self._fronts = Gauge("conch_front_up", "1 for each front that is connected", ["front"], registry=registry)
        self._accepted = Counter("conch_accepted", "Accepted requests", ["kind"], registry=registry)
        self._refused = Counter("conch_refused", "Refused requests", ["cause"], registry=registry)
        self._finished = Counter("conch_finished", "Answers that have ended", ["reason"], registry=registry)
        self._tokens = Counter("conch_tokens", "Tokens generated", registry=registry)
        self._wait = Histogram("conch_wait_seconds", "From accepted to admitted", buckets=_WAITS, registry=registry)
        self._first = Histogram(
            "conch_first_token_seconds", "From accepted to the first text", buckets=_FIRST_TOKENS, registry=registry
        )
        self._rate = Histogram(
            "conch_tokens_per_second", "Speed of one answer after its first text", buckets=_RATES, registry=registry
        )

    def observe(self, name: str, value: float, label: str) -> None:
        """Takes one observation of a Chat: accepted (kind), refused (cause), wait and first_token (seconds),
        tokens, rate (tokens per second), finished (reason). A name it does not know is a line in the log: a
        figure never breaks an answer.
        """
        match name:
            case "accepted":
                self._accepted.labels(label).inc(value)
            case "refused":
                self._refused.labels(label).inc(value)
            case "finished":
                self._finished.labels(label).inc(value)
            case "wait":
                self._wait.observe(value)
            case "first_token":
                self._first.observe(value)
            case "tokens":
                self._tokens.inc(value)
            case "rate":
                self._rate.observe(value)
            case _:
                _log.error("there is no figure called %s", name)

    def text(self) -> bytes:
        """The exposition, to be sent as ``CONTENT_TYPE``."""
        for front, state in self._health.fronts.items():
            self._fronts.labels(front).set(state == "up")
        return generate_latest(self.registry)


_log = logging.getLogger(__name__)
