"""The platforms: what a row says holds everywhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from bots import app
from bots.discord import names as discord
from bots.host.logs import Redaction
from bots.telegram import names as telegram
from bots.terminal import front as terminal
from config import values
from config.platforms import PERSON, PLATFORMS, TOKENS, Admission, Platform, Token
from config.settings import Person, Settings, SettingsError, keys, load

EXAMPLES = {"telegram": "1234567:" + "aB3_-" * 7, "discord": "MTIzNDU2Nzg5MDEyMzQ1Njc4.Gab-_c.x" + "y" * 30}
"""A token of each platform that has tokens."""

every_platform = pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
every_token = pytest.mark.parametrize(("key", "token"), TOKENS.items(), ids=TOKENS)


def admitting(how: Admission) -> pytest.MarkDecorator:
    """Every platform that admits people so."""
    found = [platform for platform in PLATFORMS.values() if platform.admits == how]
    assert found
    return pytest.mark.parametrize("platform", found, ids=[platform.key for platform in found])


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no settings file in the working directory."""
    monkeypatch.chdir(tmp_path)


def with_file(text: str) -> Settings:
    Path("conch.toml").write_text(text, "utf-8")
    return load(environ={})


@every_platform
def test_a_person_of_every_platform_can_be_named_in_the_settings_and_at_the_command_line(platform: Platform) -> None:
    name = f"{platform.prefix}1234567"
    assert TypeAdapter(Person).validate_python(name) == name
    assert PERSON.fullmatch(name)


@pytest.mark.parametrize("name", ["pigeon:1", "telegram", "telegram:", "a telegram:1", "telegram:1 2"])
def test_a_person_of_no_platform_cannot(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Person).validate_python(name)
    assert not PERSON.fullmatch(name)


def test_every_front_begins_its_names_as_its_row_says() -> None:
    prefixes = {"discord": discord.PREFIX, "telegram": telegram.PREFIX, "console": terminal.PREFIX}
    assert prefixes == {key: PLATFORMS[key].prefix for key in prefixes}
    assert {front.platform.key for front in app.FRONTS} == PLATFORMS.keys() - {"console"}, "it has a command of its own"


def test_the_settings_have_a_token_for_every_platform_that_needs_one_and_for_no_other() -> None:
    assert {key for key in keys() if key.endswith(".token")} == TOKENS.keys()
    assert {platform.key for platform in PLATFORMS.values() if platform.token} == EXAMPLES.keys()


@every_token
def test_a_token_of_the_wrong_shape_names_where_to_copy_it_from(key: str, token: Token) -> None:
    for variable in token.variables:
        with pytest.raises(SettingsError, match=f"^{variable} does not hold a token .*{re.escape(token.source)}"):
            load(environ={variable: "nonsense"})


@every_token
def test_a_token_is_taken_from_each_of_its_variables_and_never_told(key: str, token: Token) -> None:
    platform = PLATFORMS[key.partition(".")[0]]
    secret = EXAMPLES[platform.key]
    for variable in token.variables:
        settings = load(environ={variable: secret})
        found = settings.token(platform)
        assert found is not None
        assert found.get_secret_value() == secret
        assert values.secrets(settings) == [secret]
    assert Redaction()(f"/?key={secret} at {secret}/getMe") == "/?key=*** at ***/getMe"


@admitting("everybody")
def test_a_platform_for_everybody_stays_open_whoever_is_named(platform: Platform) -> None:
    assert values.is_open(with_file(f'allowed = ["{platform.prefix}1"]'), platform)


@admitting("if_open")
def test_a_platform_with_a_setting_for_it_is_as_open_as_the_setting_says(platform: Platform) -> None:
    for chosen in ("true", "false"):
        assert values.is_open(with_file(f"[{platform.key}]\nopen = {chosen}"), platform) == (chosen == "true")


@admitting("until_named")
def test_a_platform_closes_when_somebody_there_is_named_but_not_when_somebody_elsewhere_is(platform: Platform) -> None:
    assert values.is_open(with_file('allowed = ["web:1"]'), platform)
    assert not values.is_open(with_file(f'allowed = ["{platform.prefix}1"]'), platform)
