"""Settings: what is in effect and where it came from, and one sentence for whatever is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from config import values
from config.personas import load_personas
from config.settings import DEFAULTS, Settings, SettingsError, keys, load, shown

TELEGRAM = "1234567:" + "aB3_-" * 7
DISCORD = "MTIz.Gab-_c.x" + "y" * 30
Load = Callable[..., Settings]


@pytest.fixture
def load_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads in an empty folder, with a conch.toml of the text and an environment of the variables given."""
    monkeypatch.chdir(tmp_path)

    def load_(text: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
        if text is not None:
            Path("conch.toml").write_text(text, "utf-8")
        return load(environ=environ or {})

    return load_


def test_every_setting_has_its_default_in_the_one_file_and_a_comment_beside_it() -> None:
    written = tomllib.loads(DEFAULTS.read_text("utf-8"))
    flat = {
        f"{name}.{key}" if isinstance(value, dict) else name
        for name, value in written.items()
        for key in (value if isinstance(value, dict) else [""])
    }
    assert flat == {key for key in keys() if not key.endswith(".token")}
    uncommented = [
        line for line in DEFAULTS.read_text("utf-8").splitlines() if re.match(r"\w+ =", line) and " # " not in line
    ]
    assert uncommented == []
    for model in (Settings, *(field.annotation for field in Settings.model_fields.values())):
        for name, field in getattr(model, "model_fields", {}).items():
            assert field.is_required(), f"{name} has a default in the code"


def test_without_file_and_variables_everything_is_a_default(load_from: Load) -> None:
    settings = load_from()
    assert (settings.web.host, settings.web.port, settings.engine.kind) == ("127.0.0.1", 8765, "local")
    assert settings.data_dir == Path("data")
    assert set(settings.origin.values()) == {"default", "not set"}
    assert settings.telegram.token is None


def test_the_file_wins_over_the_defaults_and_the_environment_over_the_file(load_from: Load) -> None:
    settings = load_from(
        'data_dir = "here"\n\n[web]\nport = 1\nhost = "::1"\n\n[engine]\ntemperature = 1\n', {"CONCH_WEB__PORT": " 2 "}
    )
    assert (settings.web.port, settings.web.host) == (2, "::1")
    assert settings.data_dir == Path("here")
    assert settings.engine.temperature == 1.0
    assert settings.origin["web.port"] == "CONCH_WEB__PORT"
    assert settings.origin["web.host"] == "conch.toml, line 5"
    assert settings.origin["data_dir"] == "conch.toml, line 1"
    assert settings.origin["web.enabled"] == "default"


def test_sampling_is_what_the_models_makers_advise_but_for_what_the_owner_has_set(load_from: Load) -> None:
    names = {"temperature", "top_p", "top_k", "repetition_penalty"}
    sampling = values.sampling(load_from())
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.repetition_penalty) == (0.7, 0.95, 0, 1.0)
    assert sampling.as_advised == names
    given = {"CONCH_ENGINE__TEMPERATURE": "0.5", "CONCH_ENGINE__TOP_K": "40", "CONCH_ENGINE__TOP_P": "auto"}
    sampling = values.sampling(load_from("engine.repetition_penalty = 1", given))
    assert (sampling.temperature, sampling.top_p, sampling.top_k, sampling.repetition_penalty) == (0.5, 0.95, 40, 1.0)
    assert sampling.as_advised == {"top_p"}


def test_a_home_is_put_into_words_where_no_shell_did_it(
    load_from: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "own.toml").write_text('data_dir = "~/conch"\nengine.offload_folder = "~/offload"\n')
    (tmp_path / "token").write_text(TELEGRAM)
    settings = load(environ={"CONCH_CONFIG": "~/own.toml", "TELEGRAM_BOT_TOKEN_FILE": "~/token"})
    assert settings.data_dir == tmp_path / "conch"
    assert settings.engine.offload_folder == str(tmp_path / "offload")
    assert settings.telegram.token is not None
    assert load_from(environ={"CONCH_DATA_DIR": "~nobody-of-that-name/x"}).data_dir == Path("~nobody-of-that-name/x")
    assert load_from().engine.offload_folder == ""


def test_the_file_can_be_named_by_a_variable_or_an_argument(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_bytes(b"\xef\xbb\xbflog.level = 'debug'\n")  # with a byte order mark, as some editors write it
    assert load(environ={"CONCH_CONFIG": str(file)}).log.level == "debug"
    settings = load(file, environ={})
    assert settings.origin["log.level"] == f"{file}, line 1"


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ('["telegram:1", "discord:2"]', ("telegram:1", "discord:2")),
        ("telegram:1, discord:2", ("telegram:1", "discord:2")),
        ("telegram:1", ("telegram:1",)),
        ("", ()),
        ("[]", ()),
    ],
)
def test_a_list_in_the_environment_is_json_or_separated_by_commas(
    load_from: Load, text: str, people: tuple[str, ...]
) -> None:
    assert load_from(environ={"CONCH_OWNERS": text}).owners == people


@pytest.mark.parametrize(("text", "flag"), [("true", True), ("0", False), ("False", False), ("1", True)])
def test_a_switch_in_the_environment_is_true_or_false(load_from: Load, text: str, flag: bool) -> None:
    assert load_from(environ={"CONCH_WEB__ENABLED": text}).web.enabled is flag


def test_settings_cannot_be_changed_afterwards(load_from: Load) -> None:
    settings = load_from()
    with pytest.raises(ValidationError):
        settings.web.port = 1
    with pytest.raises(ValidationError):
        settings.language = "ko"


WRONG_FILES = {
    "[web]\nprot = 3": ["conch.toml, line 2", "web.prot", "did you mean web.port?", "sessions_per_hour"],
    "port = 3": ["conch.toml, line 1", "did you mean web.port?"],
    "[wep]\nport = 3": ["line 1", "wep", "did you mean [web]?"],
    "colour = 'red'": ["colour", "data_dir", "[engine]"],
    "web = 3": ["web is a table"],
    "[web]\nport = 99999": ["web.port is 99999", "conch.toml, line 2", "from 0 to 65535"],
    "[web]\nport = '80'": ['web.port is "80"', "a whole number"],
    "[web]\nport = true": ["web.port is true", "a whole number"],
    "[web]\nport = 80.5": ["web.port is 80.5", "a whole number"],
    "[web]\nenabled = 1": ["web.enabled is 1", "true or false"],
    "[web]\nhosts = ['a b']": ['web.hosts contains "a b"', "host names"],
    "[web]\ntrusted_proxies = ['10.0.0.300']": ['web.trusted_proxies contains "10.0.0.300"', "networks"],
    "[engine]\nkind = 'fast'": ['engine.kind is "fast"', '"local" or "scripted"'],
    "[engine]\ntop_p = 0": ["engine.top_p is 0", "above 0 and up to 1"],
    "[engine]\ntemperature = nan": ["engine.temperature is NaN", "from 0 to 5"],
    "[engine]\ntemperature = 'hot'": ['engine.temperature is "hot"', 'a number from 0 to 5, or "auto"'],
    "[engine]\ntop_k = 2.5": ["engine.top_k is 2.5", 'a whole number from 0 upwards, or "auto"'],
    "[limits]\ncharacters = -1": ["limits.characters is -1", "from 0 upwards"],
    "language = 'de'": ['language is "de"', '"auto", "en", "ko" or "zh"'],
    "owners = 'telegram:1'": ['owners is "telegram:1"', '["telegram:1234567"'],
    "owners = ['me']": ['owners contains "me"'],
    "data_dir = 3": ["data_dir is 3", "a folder such as"],
    "[telegram]\ntoken = 'x'": ["line 2", "does not belong in this file", "TELEGRAM_BOT_TOKEN_FILE"],
    "[telegram]\nname = 'x'": ["[telegram] knows open, answer_all"],
    "[discord]\nname = 'x'": ["[discord] knows message_content"],
    "[telegram]\nanswer_all = ['telegram:5']": ['contains "telegram:5"', "telegram:-1001234567"],
    "[telegram]\napi = 'https://x/y'": ["telegram.api is", "an address without a path"],
    "[telegram]\nwebhook = 'http://x.example'": ["telegram.webhook is", "https addresses only"],
    "[web]\nenabled = false\n[telegram]\nwebhook = 'https://x.example'": ["telegram.webhook", "web.enabled"],
    "[web]\nport =\n": ["conch.toml is not valid TOML", "line 2"],
    "[engine]\nmax_tokens = 4096\ncontext_window = 4096": ["engine.max_tokens is 4096", "line 3"],
    "[limits]\ntokens_per_day = 10": ["limits.tokens_per_day is 10", "engine.max_tokens", "(default)"],
}


@pytest.mark.parametrize("text", WRONG_FILES)
def test_what_is_wrong_in_the_file_is_named_with_its_line_and_what_is_allowed(load_from: Load, text: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_from(text)
    for words in WRONG_FILES[text]:
        assert words in str(error.value)
    assert "\n" not in str(error.value)


WRONG_VARIABLES: dict[tuple[str, str], list[str]] = {
    ("CONCH_WEB_PORT", "1"): ["CONCH_WEB_PORT", "did you mean CONCH_WEB__PORT?"],
    ("CONCH_ENGINE__MODLE", "x"): ["did you mean CONCH_ENGINE__MODEL?"],
    ("CONCH_DATA_DIR", ""): ['data_dir is "" (CONCH_DATA_DIR)', "a folder such as"],
    ("CONCH_DATADIR", "x"): ["did you mean CONCH_DATA_DIR?"],
    ("CONCH_FOO", "1"): ["CONCH_FOO", "CONCH_DATA_DIR", "engine, queue"],
    ("CONCH_WEB", "{}"): ["CONCH_WEB", "CONCH_WEB__PORT"],
    ("CONCH_STORE__DAYS", "1"): ["CONCH_STORE__RETENTION_DAYS"],
    ("CONCH_TELEGRAM__TOKEN", TELEGRAM): ["CONCH_TELEGRAM__TOKEN", "TELEGRAM_BOT_TOKEN"],
    ("CONCH_WEB__PORT", "eighty"): ['web.port is "eighty" (CONCH_WEB__PORT)', "from 0 to 65535"],
    ("CONCH_WEB__ENABLED", "maybe"): ['web.enabled is "maybe"', "true or false"],
    ("CONCH_OWNERS", '["telegram:1"'): ["owners is", "a list such as"],
    ("CONCH_OWNERS", "telegram:1, bob"): ['owners contains "bob" (CONCH_OWNERS)'],
    ("CONCH_CONFIG", "/nowhere/conch.toml"): ["/nowhere/conch.toml", "CONCH_CONFIG"],
    ("CONCH_CONFIG", "/"): ["/ cannot be read"],
    ("TELEGRAM_BOT_TOKEN", "12:short"): ["TELEGRAM_BOT_TOKEN", "35 characters", "@BotFather"],
    ("TELEGRAM_BOT_TOKEN", f'"{TELEGRAM}"'): ["TELEGRAM_BOT_TOKEN", "35 characters"],
    ("DISCORD_TOKEN", "one.two"): ["DISCORD_TOKEN", "three parts"],
    ("TELEGRAM_BOT_TOKEN_FILE", "/nowhere/token"): ["TELEGRAM_BOT_TOKEN_FILE", "/nowhere/token", "cannot be read"],
}


@pytest.mark.parametrize(("variable", "value"), WRONG_VARIABLES)
def test_what_is_wrong_in_the_environment_is_named_with_its_variable(
    load_from: Load, variable: str, value: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load_from(environ={variable: value})
    for words in WRONG_VARIABLES[variable, value]:
        assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_wrong_value_is_an_error_even_where_another_layer_covers_it(load_from: Load) -> None:
    with pytest.raises(SettingsError, match=re.escape("conch.toml, line 1")):
        load_from("web.port = -1\n", {"CONCH_WEB__PORT": "80"})


def test_other_peoples_variables_are_left_alone(load_from: Load) -> None:
    assert load_from(environ={"CONCHITA": "x", "WEB__PORT": "1", "PATH": "/bin"}).web.port == 8765


@pytest.mark.parametrize("variable", ["DISCORD_BOT_TOKEN", "DISCORD_TOKEN"])
def test_a_token_is_trimmed_and_never_shown(load_from: Load, variable: str) -> None:
    settings = load_from(environ={variable: f" {DISCORD}\n", "TELEGRAM_BOT_TOKEN": ""})
    assert settings.discord.token == SecretStr(DISCORD)
    assert settings.telegram.token is None
    assert settings.origin["discord.token"] == variable
    assert DISCORD not in f"{settings!r} {settings} {shown(settings)} {settings.model_dump()}"


def test_a_token_can_come_from_a_file(load_from: Load, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TELEGRAM}\n")
    settings = load_from(environ={"TELEGRAM_BOT_TOKEN_FILE": str(file)})
    assert settings.telegram.token == SecretStr(TELEGRAM)
    assert settings.origin["telegram.token"] == f"TELEGRAM_BOT_TOKEN_FILE ({file})"


def test_two_different_tokens_for_one_bot_are_an_error_that_shows_neither(load_from: Load) -> None:
    other = DISCORD + "z"
    with pytest.raises(SettingsError, match="DISCORD_BOT_TOKEN and DISCORD_TOKEN") as error:
        load_from(environ={"DISCORD_BOT_TOKEN": DISCORD, "DISCORD_TOKEN": other})
    assert DISCORD not in str(error.value)
    assert load_from(environ={"DISCORD_BOT_TOKEN": DISCORD, "DISCORD_TOKEN": DISCORD}).discord.token


def test_a_malformed_token_is_not_repeated_in_the_error(load_from: Load) -> None:
    with pytest.raises(SettingsError) as error:
        load_from(environ={"TELEGRAM_BOT_TOKEN": "half-a-secret"})
    assert "half-a-secret" not in str(error.value)


def test_what_is_shown_is_every_key_in_the_order_of_the_file_as_toml(load_from: Load) -> None:
    settings = load_from(environ={"CONCH_WEB__HOSTS": "chat.example.org"})
    rows = shown(settings)
    assert [key for key, _, _ in rows] == list(keys())
    for key, value, origin in rows:
        if origin != "not set":
            tomllib.loads(f"value = {value}")
        assert not key.endswith(".token") or value == "(not set)"
    assert ("web.hosts", '["chat.example.org"]', "CONCH_WEB__HOSTS") in rows


def test_a_file_that_is_not_text_is_said_to_be_so(tmp_path: Path) -> None:
    file = tmp_path / "conch.toml"
    file.write_bytes(b"data_dir = '\xff'\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        load(file, environ={})


# Personas


def test_every_persona_has_a_title_and_a_text_in_three_languages_and_no_time_of_day(load_from: Load) -> None:
    personas = load_personas(load_from())
    assert next(iter(personas)) == "assistant"
    assert len(personas) >= 4
    for persona in personas.values():
        assert set(persona.title) == set(persona.text) == {"en", "ko", "zh"}
        assert all(persona.title.values())
        assert len({bool(text) for text in persona.text.values()}) == 1
        assert len(set(persona.text.values())) in (1, 3)
    assert personas["assistant"].system("ko") == ""
    assert "번역" in personas["translator"].system("ko")


def test_an_owners_persona_is_found_beside_the_data_and_takes_the_place_of_ours(
    load_from: Load, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "personas"
    folder.mkdir(parents=True)
    (folder / "pirate.toml").write_text('title = "Pirate"\ntext = "Arr."\n[sampling]\ntemperature = 1\n')
    (folder / "tutor.toml").write_text('title = "Mine"\n')
    personas = load_personas(load_from("engine.persona = 'pirate'\n"))
    assert next(iter(personas)) == "pirate"
    assert personas["pirate"].system("ko") == "Arr."
    assert personas["pirate"].sampling == {"temperature": 1.0}
    assert personas["tutor"].title == {"en": "Mine"}
    assert personas["tutor"].system("en") == ""


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("x.toml", "title", "not valid TOML"),
        ("x.toml", "text = 'a'", "title"),
        ("x.toml", "title = 'a'\ntone = 'b'", "tone"),
        ("x.toml", "title = {de = 'a'}", "title.de"),
        ("x.toml", "title = 'a'\nsampling = {top_p = 2}", "sampling.top_p"),
        ("x.toml", "title = 'a'\nsampling = {seed = 2}", "sampling.seed"),
        ("Big Name.toml", "title = 'a'", "file name"),
    ],
)
def test_what_is_wrong_in_a_persona_is_named_with_its_file(
    load_from: Load, tmp_path: Path, name: str, text: str, words: str
) -> None:
    folder = tmp_path / "data" / "personas"
    folder.mkdir(parents=True)
    (folder / name).write_text(text)
    with pytest.raises(SettingsError) as error:
        load_personas(load_from())
    assert words in str(error.value)
    assert name in str(error.value)


def test_a_default_persona_that_does_not_exist_is_named_with_those_that_do(load_from: Load) -> None:
    with pytest.raises(SettingsError, match=r'engine.persona is "robot" \(CONCH_ENGINE__PERSONA\).*tutor'):
        load_personas(load_from(environ={"CONCH_ENGINE__PERSONA": "robot"}))


def test_limits_can_be_named_for_people_and_places(load_from: Load) -> None:
    text = '[limits]\ntokens_per_day = 5000\nnamed = {"discord:7" = {messages_per_minute = 60}}'
    named = values.limits(load_from(text)).named["discord:7"]
    assert (named.messages_per_minute, named.tokens_per_day, named.characters) == (60, 5000, 8000)
    environment = {"CONCH_LIMITS__NAMED": '{"discord:8": {"tokens_per_day": 0}}'}
    settings = load_from(text, environment)
    assert values.limits(settings).named["discord:8"].tokens_per_day == 0
    assert ("limits.named", '{"discord:8": {"tokens_per_day": 0}}', "CONCH_LIMITS__NAMED") in shown(settings)
    for wrong in ('{"role" = {}}', '{"discord:7" = {characters = 5}}', '{"discord:7" = {messages_per_minute = -1}}'):
        with pytest.raises(SettingsError, match=r"limits\.named .* it must be a table such as"):
            load_from(f"[limits]\nnamed = {wrong}")
