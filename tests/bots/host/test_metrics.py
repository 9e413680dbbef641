"""The figures for Prometheus, and what the health addresses tell."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bots.host.health import Health
from bots.host.metrics import CONTENT_TYPE, Metrics
from core.errors import QueueFull
from core.gate.gate import Gate
from core.messages import Question
from tests.support.stepped_engine import until
from tests.support.whole_core import House, finish, house


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample by its name with its labels."""
    return {
        sample.name + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.text().decode())
        for sample in family.samples
    }


def test_before_anything_happens_all_gauges_are_there() -> None:
    gate = Gate(0, waiting=5, waiting_per_person=5)
    figures = samples(Metrics(gate, Health()))
    assert (figures["conch_slots"], figures["conch_queue_length"], figures["conch_running"]) == (0, 0, 0)
    assert figures["conch_engine_ready"] == 0
    assert figures["conch_wait_seconds_count"] == 0
    assert CONTENT_TYPE.startswith("text/plain")


def test_the_line_and_the_health_are_read_when_asked() -> None:
    gate, health = Gate(1, waiting=5, waiting_per_person=5), Health()
    metrics = Metrics(gate, health)
    for i in range(3):
        gate.join("web:ann", f"web:ann:{i}", 10)
    health.engine = "ready"
    health.fronts = {"web": "up", "telegram": "its token is used elsewhere"}
    figures = samples(metrics)
    assert figures["conch_running"] + figures["conch_queue_length"] == 3
    assert figures["conch_engine_ready"] == 1
    assert (figures["conch_front_up web"], figures["conch_front_up telegram"]) == (1, 0)


def test_everything_that_a_chat_observes_has_a_figure(caplog: pytest.LogCaptureFixture) -> None:
    metrics = Metrics(Gate(1, waiting=5, waiting_per_person=5), Health())
    for name, value, label in (
        ("accepted", 1, "send"),
        ("refused", 1, "queue_full"),
        ("wait", 0.3, ""),
        ("first_token", 0.4, ""),
        ("tokens", 12, ""),
        ("rate", 40.0, ""),
        ("finished", 1, "stop"),
    ):
        metrics.observe(name, value, label)
    figures = samples(metrics)
    assert figures["conch_accepted_total send"] == 1
    assert figures["conch_refused_total queue_full"] == 1
    assert figures["conch_finished_total stop"] == 1
    assert figures["conch_tokens_total"] == 12
    assert figures["conch_wait_seconds_sum"] == pytest.approx(0.3)
    assert figures["conch_first_token_seconds_sum"] == pytest.approx(0.4)
    assert figures["conch_tokens_per_second_sum"] == 40
    assert not caplog.records


def test_an_unknown_figure_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        Metrics(Gate(1, waiting=5, waiting_per_person=5), Health()).observe("novelty", 1, "")
    assert "novelty" in caplog.text


async def test_real_turns_are_counted_and_nobody_is_named(tmp_path: Path) -> None:
    async with house(tmp_path, waiting_per_person=1) as home:
        reply = await home.chat.send(Question("web:secretname:1", "web:secretname", "web:e", "one"))
        await until(lambda: home.engine.running)
        home.engine.step(4)
        assert await finish(reply) == "a1 a2 a3 a4"
        await refuse_one(home)
        metrics = Metrics(home.gate, Health())
        for figure in home.figures:
            metrics.observe(*figure)
        text = metrics.text().decode()
        figures = samples(metrics)
    assert figures["conch_accepted_total send"] == 3
    assert figures["conch_refused_total queue_full_person"] == 1
    assert figures["conch_finished_total stop"] == 1
    assert figures["conch_tokens_total"] == 4
    assert "secretname" not in text


async def refuse_one(home: House) -> None:
    """One runs, one waits, the third finds the person's line full."""
    for i in range(2):
        await home.chat.send(Question(f"web:secretname:{i}", "web:secretname", f"web:e{i}", "more"))
        await until(lambda: home.engine.running)
    with pytest.raises(QueueFull):
        await home.chat.send(Question("web:secretname:9", "web:secretname", "web:e9", "more"))


def test_health_names_the_fronts_that_are_down() -> None:
    health = Health()
    assert health() == {"ready": False, "engine": "loading", "fronts": {}, "down": []}
    health.engine = "ready"
    health.fronts = {"web": "up", "discord": "its token was refused"}
    assert health()["ready"] is True
    assert health()["down"] == ["discord"]
