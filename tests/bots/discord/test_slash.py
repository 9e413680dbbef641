"""Commands on Discord: what its own list offers in three languages, and what each does, privately."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.discord.interactions import Interaction
from tests.servers.discord.people import Person, answers
from tests.support.discord_core import SAY, WORDING, Beach, Town, beach, shows

NAMES = ["ask", "new", "stop", "retry", "undo", "persona", "language", "status", "privacy", "export", "forget", "help"]
ADMIN = ["pause", "resume", "drain", "stats", "allow", "deny"]
KOREAN, CHINESE = "ko", "zh-CN"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


@pytest.fixture
async def here(town: Town, tmp_path: Path) -> AsyncIterator[Beach]:
    async with beach(tmp_path, town) as conch:
        yield conch


def offered(town: Town) -> dict[str, dict[str, Any]]:
    """Commands and menus as Discord has them, by name."""
    return {command["name"]: command for command in town.server.world.commands}


def named(command: dict[str, Any]) -> list[dict[str, Any]]:
    """A command with its subcommands and their options."""
    return [command, *(one for option in command.get("options") or () for one in named(option))]


async def test_discords_list_has_all_commands_and_menus_with_their_names_in_three_languages(here: Beach) -> None:
    commands = offered(here.town)
    assert set(commands) == {*NAMES, "admin", "Ask about this", "Regenerate"}
    assert [option["name"] for option in commands["admin"]["options"]] == ADMIN
    assert [option["name"] for option in commands["ask"]["options"]] == ["question", "persona", "private", "file"]
    for command in (one for top in commands.values() for one in named(top)):
        if "value" in command:
            continue
        menu = command["type"] == 3 and "description" in command and command["description"] == ""
        for language in (KOREAN, CHINESE, "zh-TW"):
            name = command["name_localizations"][language]
            assert 1 <= len(name) <= 32
            assert menu or re.fullmatch(r"[-_\w]+", name)
            assert menu or 1 <= len(command["description_localizations"][language]) <= 100


async def test_they_work_in_servers_in_direct_messages_and_elsewhere_for_servers_and_people_who_let_it_in(
    here: Beach,
) -> None:
    for command in offered(here.town).values():
        assert sorted(command["contexts"]) == [0, 1, 2]
        assert sorted(command["integration_types"]) == [0, 1]


async def test_discord_is_told_of_the_commands_only_when_they_have_changed(town: Town, tmp_path: Path) -> None:
    def told() -> int:
        return sum(seen.call.method == "PUT" for seen in town.server.calls)

    for _ in range(3):
        async with beach(tmp_path, town) as here:
            assert told() == 1
    key = f"discord:{town.server.world.bot.id}:commands"
    async with beach(tmp_path, town) as here:
        await here.home.store.put(key, "something older")
    async with beach(tmp_path, town):
        assert told() == 2


async def test_personas_are_completed_by_title_in_the_persons_language(here: Beach) -> None:
    def choices(typed: Interaction) -> list[tuple[str, str]]:
        return [(choice["name"], choice["value"]) for choice in typed.given["choices"]]

    for begun, expected in (("", ["assistant", "pirate"]), ("PIR", ["pirate"]), ("x", [])):
        typed = here.town.ann.types("ask", here.town.channel, persona=begun)
        await here.until(typed.answered.is_set)
        assert [value for _, value in choices(typed)] == expected
    asked = here.town.ann.runs("ask", here.town.channel, question="q", persona="pirate")
    await here.until(lambda: asked.shown and asked.shown.button("regenerate"))
    assert [message.role for message in here.engine.asked[-1]] == ["system", "user"]
    wrong = here.town.ann.runs("ask", here.town.channel, question="q", persona="nobody")
    await here.said(wrong, SAY("persona-unknown", names="assistant, pirate"))


@pytest.mark.parametrize(("locale", "language"), [("en-GB", "en"), ("ko", "ko"), ("zh-TW", "zh"), ("fr", "en")])
async def test_each_is_answered_in_the_language_of_their_program(here: Beach, locale: str, language: str) -> None:
    person = here.server.person("somebody", locale=locale)
    here.town.guild.members[person.user] = set()
    say = WORDING.bind(language)
    await here.said(person.runs("privacy", here.town.channel), say("discord-privacy"))
    asked = person.runs("ask", here.town.channel, question="q")
    await here.until(lambda: asked.shown is not None and asked.shown.button("stop"), speak=False)
    assert asked.shown is not None
    assert (asked.shown.button("stop") or {})["label"] == say("button-stop")
    await here.until(lambda: asked.shown and asked.shown.button("regenerate"))


async def test_new_undo_stop_and_retry(here: Beach) -> None:
    town, ann = here.town, here.town.ann
    await here.said(ann.runs("retry", town.channel), SAY("nothing-to-retry"))
    await here.said(ann.runs("undo", town.channel), SAY("nothing-to-undo"))
    await here.said(ann.runs("stop", town.channel), SAY("nothing-to-stop"))
    ann.asks(town.channel, "first")
    await here.answered(town.channel)
    ann.asks(town.channel, "second")
    await here.answered(town.channel, 2)
    await here.said(ann.runs("undo", town.channel), SAY("undo-done", text="second"))
    again = ann.runs("retry", town.channel)
    await here.until(lambda: again.shown and again.shown.button("regenerate"))
    assert here.asked() == ["first", "second", "first"]
    assert again.shown is not None
    assert again.shown.only_for is None
    ann.asks(town.channel, "third")
    await here.until(lambda: here.engine.running, speak=False)
    await here.said(ann.runs("stop", town.channel), SAY("stopped"))
    await here.said(ann.runs("new", town.channel), SAY("new-done"))
    ann.asks(town.channel, "afresh")
    await here.until(lambda: here.asked()[-1] == "afresh" and not here.engine.running)
    assert [message.content for message in here.engine.asked[-1]] == ["afresh"]


async def test_persona_and_language_are_chosen_by_name_or_by_a_button_that_works_after_a_restart(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        await here.said(town.ann.runs("persona", town.channel, persona="pirate"), SAY("persona-set", name="Pirate"))
        await here.said(
            town.ann.runs("persona", town.channel, persona="x"), SAY("persona-unknown", names="assistant, pirate")
        )
        offer = town.ann.runs("persona", town.channel)
        await here.said(offer, SAY("persona-now", name="Pirate"))
        language = town.ann.runs("language", town.channel)
        await here.said(language, SAY("language-now"))
    async with beach(tmp_path, town) as here:
        assert offer.shown is not None
        assert language.shown is not None
        town.ann.presses(offer.shown, "assistant")
        await here.until(lambda: shows(offer, SAY("persona-set", name="Assistant")))
        assert offer.shown.components == []
        town.ann.presses(language.shown, "ko")
        korean = WORDING.bind("ko")
        note = f"{korean('language-set')}\n\n{korean('weak-language')}"
        await here.until(lambda: shows(language, note))
        await here.said(town.ann.runs("privacy", town.channel), korean("discord-privacy"))
        chosen = town.ann.runs("language", town.channel, language="en")
        await here.said(chosen, SAY("language-set"))


@pytest.mark.parametrize("language", WORDING.languages)
def test_commands_are_told_by_the_names_that_discord_shows_in_that_language(language: str) -> None:
    say = WORDING.bind(language)
    told = [say(f"discord-{text}") for text in ("help", "privacy", "admin-help")]
    names = {say(f"name-{name}") for name in (*NAMES, "admin") if name != "help"}
    assert {name for text in told for name in names if f"/{name}" in text} == names
    for slash in re.findall(r"(?<!\w)/(\w+)", "\n".join(told)):
        assert any(slash.startswith(name) for name in names)
    for name in ADMIN:
        assert f"/{say('name-admin')} {say(f'name-admin-{name}')} – " in told[-1]


async def test_status_privacy_and_help_are_private_words(here: Beach) -> None:
    await here.said(here.town.ann.runs("privacy", here.town.channel), SAY("discord-privacy"))
    await here.said(here.town.ann.runs("help", here.town.channel), SAY("discord-help"))
    status = here.town.ann.runs("status", here.town.channel)
    await here.until(status.answered.is_set)
    assert status.shown is not None
    assert status.shown.only_for is here.town.ann.user
    assert SAY("status-persona", name="Assistant") in status.shown.content
    assert answers(here.town.channel) == []


async def test_export_gives_everything_as_a_file_and_forget_asks_before_it_deletes(here: Beach) -> None:
    town = here.town
    town.ann.says(town.ann.direct, "remember me")
    await here.answered(town.ann.direct)
    await here.settled()
    exported = town.ann.runs("export", town.channel)
    await here.said(exported, SAY("export-done"))
    assert exported.shown is not None
    everything = json.loads(exported.shown.attachments[0].data)
    assert everything["conversations"][0]["turns"][0]["prompt"] == "remember me"
    asked = town.ann.runs("forget", town.channel)
    await here.said(asked, SAY("forget-sure"))
    assert asked.shown is not None
    town.ann.presses(asked.shown, "no")
    await here.until(lambda: shows(asked, SAY("forget-kept")))
    asked = town.ann.runs("forget", town.channel)
    await here.said(asked, SAY("forget-sure"))
    assert asked.shown is not None
    town.ann.presses(asked.shown, "yes")
    await here.until(lambda: shows(asked, SAY("forget-done", count=1)))
    kept = await here.chat.export(f"discord:{town.ann.user.id}")
    assert kept["conversations"] == []
    assert kept["marks"] == {}


async def test_the_host_pauses_resumes_drains_and_looks_at_figures_and_nobody_else_does(here: Beach) -> None:
    town = here.town
    for word in ADMIN[:4]:
        await here.said(town.ann.runs(f"admin {word}", town.channel), SAY("admin-only"))
    await here.said(town.host.runs("admin pause", town.host.direct), SAY("admin-paused"))
    town.ann.asks(town.channel, "q")
    await here.until(lambda: answers(town.channel) and answers(town.channel)[0].content == SAY("paused"))
    await here.said(town.host.runs("admin resume", town.channel), SAY("admin-resumed"))
    await here.answered(town.channel)
    await here.said(town.host.runs("admin drain", town.channel), SAY("admin-draining"))
    town.ann.asks(town.channel, "q")
    await here.until(lambda: answers(town.channel)[-1].content == SAY("draining"))
    await here.said(town.host.runs("admin resume", town.channel), SAY("admin-resumed"))
    await here.said(town.host.runs("help", town.channel), f"{SAY('discord-help')}\n\n{SAY('discord-admin-help')}")
    figures = town.host.runs("admin stats", town.channel)
    await here.until(figures.answered.is_set)
    assert figures.shown is not None
    assert "People: 1" in figures.shown.content


async def test_people_roles_and_channels_are_named_by_mention(here: Beach) -> None:
    town = here.town
    role = town.server.world.role(town.guild, "noisy")
    for who, number in ((f"<@&{role.id}>", role.id), (f"<#{town.channel.id}>", town.channel.id), ("77", 77)):
        denied = town.host.runs("admin deny", town.channel, who=who)
        await here.said(denied, SAY("admin-denied", who=f"discord:{number}"))
    await here.said(town.host.runs("admin allow", town.channel, who="nobody"), SAY("admin-nobody", who="nobody"))


async def test_a_command_that_fails_says_so_and_shows_no_traceback(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with beach(tmp_path, town) as here:

        async def fail(*_: object, **__: object) -> None:
            raise RuntimeError("ours")

        monkeypatch.setattr(here.home.store, "export", fail)
        await here.said(town.ann.runs("export", town.channel), SAY("failed"))


async def test_everything_is_answered_privately_also_where_only_a_person_brought_the_app(here: Beach) -> None:
    elsewhere = here.server.world.guild("Elsewhere", here.town.bob.user, with_bot=False)
    places = [
        (here.server.world.channel(elsewhere, "foreign"), "user"),
        (here.server.world.direct(here.town.ann.user, here.town.bob.user), "user"),
        (here.town.ann.direct, "user"),
        (here.town.ann.direct, "guild"),
        (here.town.channel, "guild"),
    ]
    ann: Person = here.town.ann
    for place, installed in places:
        for name in ("new", "stop", "status", "privacy", "export", "help", "persona", "language", "undo"):
            used = ann.runs(name, place, installed=installed)
            await here.until(used.answered.is_set)
            assert used.shown is not None
            assert used.shown.only_for is ann.user
