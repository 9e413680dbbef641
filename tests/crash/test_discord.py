"""The real process on a Discord of ours, killed again and again, judged by what people see there."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.crash import loopback_discord
from tests.crash.__main__ import crash
from tests.crash.discord import Discord

LOOPBACK = loopback_discord.__name__


async def test_twenty_kills_half_of_them_named_on_the_wire_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    random = Random(20)
    verdict, _ = await crash(Discord(random), 20, random, tmp_path)
    assert verdict.good, "\n".join(verdict.wrongs)
    assert verdict.kills == 20
    assert verdict.messages >= 60


async def test_a_conch_that_does_not_know_events_again_is_seen_to_double_messages(tmp_path: Path) -> None:
    random = Random(2)
    keyless = LOOPBACK, "keyless"
    verdict, _ = await crash(Discord(random), 1, random, tmp_path, keyless, found=lambda verdict: verdict.doubled)
    assert verdict.doubled > 0
