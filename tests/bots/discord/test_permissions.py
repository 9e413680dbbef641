"""What the bot needs on a server, told at the start and by the doctor: seen against a Discord of ours."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bots.discord.permissions import NEEDED
from bots.host import doctor
from bots.host.doctor import report
from config.settings import Settings, load
from tests.servers.discord.model import ATTACH, HISTORY, SEND, VIEW
from tests.support.discord_core import SAY, WORDING, Town, beach


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    founded = Town.founded()
    world, guild = founded.server.world, founded.guild
    world.channel(guild, "hidden").overwrites[guild.id] = (0, VIEW)
    for number in range(12):
        world.channel(guild, f"quiet-{number}").overwrites[guild.id] = (0, SEND)
    world.channel(guild, "no-files").overwrites[guild.id] = (0, ATTACH | HISTORY)
    async with founded.server.listening():
        founded.point()
        yield founded
    assert founded.server.wrongs == []


async def findings(town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str = "", **more: str) -> str:
    """What ``conch doctor`` writes of Discord."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conch.toml").write_text(text)
    settings: Settings = load(environ={"DISCORD_BOT_TOKEN": town.server.world.token, **more})
    lines: list[str] = []
    await asyncio.to_thread(lambda: report(doctor.discord(settings), SAY, lines.append))
    return "\n".join(lines)


async def test_the_doctor_tells_the_invite_address_and_what_is_missing_where(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = await findings(town, monkeypatch, tmp_path)
    (address,) = re.findall(r"https://\S+", written)
    assert f"client_id={town.server.world.bot.id}" in address
    assert f"permissions={NEEDED.value}" in address
    assert re.search(r"scope=bot(\+|%20)applications\.commands", address)
    assert "✔ Discord: on 1 server" in written
    assert "! Discord: on “The Beach” the bot lacks Send Messages, Attach Files in #quiet-0, " in written
    assert "#quiet-9, 2 more." in written
    assert "! Discord: on “The Beach” the bot lacks Attach Files, Read Message History in #no-files." in written
    assert "hidden" not in written
    assert "read whole only with discord.message_content" in written


async def test_the_doctor_tells_what_the_intent_is_needed_for_and_that_it_is_not_granted(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    written = await findings(town, monkeypatch, tmp_path, '[discord]\nchannels = ["123"]')
    assert "! Discord: discord.channels are listed" in written
    written = await findings(town, monkeypatch, tmp_path, "[discord]\nmessage_content = true")
    assert "✘ Discord: discord.message_content is on, but" in written
    town.server.world.message_content = True
    written = await findings(town, monkeypatch, tmp_path, "[discord]\nmessage_content = true")
    assert "✘" not in written


async def test_the_doctor_tells_a_wrong_token_from_a_discord_that_is_not_reached(
    town: Town, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    town.server.gateway.revoked = True
    assert "✘ Discord: the token is not known." in await findings(town, monkeypatch, tmp_path)
    town.server.gateway.revoked = False
    town.server.breaks("GET", "/users/@me", "reset", times=3)
    assert "! Discord cannot be reached from here: ServerDisconnectedError." in await findings(
        town, monkeypatch, tmp_path
    )


async def test_the_start_tells_the_same_once(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        town.server.gateway.cut(forget=True)
        await here.until(lambda: len(town.server.gateway.identifies) == 2 and here.states[-1] == "up")
        invited = [line for line in here.notes if line.startswith("Discord: invite the bot")]
        lacking = [line for line in here.notes if "lacks" in line]
        assert (len(invited), len(lacking), len(here.notes)) == (1, 2, 3)


def test_the_permissions_have_names_in_every_language() -> None:
    for name, needed in NEEDED:
        for language in WORDING.languages if needed else ():
            assert WORDING(language, f"permission-{name.replace('_', '-')}")
