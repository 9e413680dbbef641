"""What an owner can set: the values, where each came from, and one sentence for whatever is wrong with them.

Layers, the later wins: ``default.toml`` beside this file (the only place where a default is written), ``conch.toml``
in the working directory or the file that ``CONCH_CONFIG`` names, the environment. Tokens come from the environment
alone, directly or as the name of a file that holds them.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from config.layers import FILE_VARIABLE, Given, Known, SettingsError, at_home, read_environment, read_file, read_tokens
from config.platforms import PERSON, PLATFORMS, Platform

__all__ = ["DEFAULTS", "Settings", "SettingsError", "load", "shown"]

DEFAULTS = Path(__file__).with_name("default.toml")


def _network(text: str) -> str:
    ipaddress.ip_network(text, strict=False)
    return text


def _folder(path: object) -> object:
    if path == "":
        raise ValueError("no folder")  # it would be the working directory
    return at_home(path) if isinstance(path, str) else path


def _lookable(name: str) -> str:
    name.encode("idna")  # raises UnicodeError, a ValueError, for an empty part or one of more than 63 characters
    return name


Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Flag = Annotated[bool, Field(strict=True)]
Auto = Literal["auto"]
Seconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
WEB_ADDRESS = r"^https?://[A-Za-z0-9.:\[\]\-]+$"
TelegramGroup = Annotated[str, StringConstraints(pattern=rf"^{PLATFORMS['telegram'].prefix}-[0-9]+$")]
Person = Annotated[str, StringConstraints(pattern=rf"^{PERSON.pattern}$")]
Folder = Annotated[Path, BeforeValidator(_folder), Field(description='a folder such as "data" or "/var/lib/conch"')]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?(:[0-9]{1,5})?$")]
Network = Annotated[str, AfterValidator(_network)]
Snowflake = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}$")]
People = Annotated[tuple[Person, ...], Field(description='a list such as ["telegram:1234567", "discord:1234567"]')]


class Section(BaseModel):
    """A table of the file. Frozen, and a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EngineSettings(Section):
    """The model, and how it chooses words."""

    kind: Literal["local", "scripted"]
    model: Annotated[str, Field(min_length=1, description='a model\'s name, a folder, or "auto"')]
    revision: str
    quantization: Literal["auto", "4bit", "none"]
    dtype: Literal["auto", "float16", "bfloat16", "float32"]
    device: Literal["auto", "cuda", "cpu"]
    offload_folder: Annotated[str, AfterValidator(at_home)]
    slots: Annotated[int, Field(strict=True, ge=0, le=1024)]
    context_window: Count
    condition: Literal["GPT4 Correct", "Math Correct"]
    max_tokens: Positive
    temperature: Annotated[
        Annotated[float, Field(strict=True, ge=0, le=5, allow_inf_nan=False)] | Auto,
        Field(description='a number from 0 to 5, or "auto"'),
    ]
    top_p: Annotated[
        Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)] | Auto,
        Field(description='a number above 0 and up to 1, or "auto"'),
    ]
    top_k: Annotated[Count | Auto, Field(description='a whole number from 0 upwards, or "auto"')]
    repetition_penalty: Annotated[
        Annotated[float, Field(strict=True, gt=0, le=10, allow_inf_nan=False)] | Auto,
        Field(description='a number above 0 and up to 10, or "auto"'),
    ]
    persona: Annotated[str, Field(min_length=1, description="the name of a persona")]
    delay: Seconds
    load_seconds: Seconds


class QueueSettings(Section):
    """How many questions may wait, and for how long."""

    waiting: Positive
    waiting_per_person: Positive
    backlog: Count
    max_age_hours: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
    drain_seconds: Seconds


class NamedLimits(Section):
    """What somebody may ask; None = as everybody."""

    messages_per_minute: Count | None = None
    tokens_per_day: Count | None = None


class LimitSettings(Section):
    """What one person may ask. 0 = no limit."""

    messages_per_minute: Count
    tokens_per_day: Count
    characters: Count
    named: Annotated[
        dict[Person, NamedLimits],
        Field(description='a table such as {"discord:1234567" = {messages_per_minute = 60, tokens_per_day = 0}}'),
    ]


class StoreSettings(Section):
    """What is kept."""

    retention_days: Count


class WebSettings(Section):
    """The page."""

    enabled: Flag
    host: Annotated[
        str,
        Field(pattern=r"^[A-Za-z0-9.:\-]+$", description='a host name or an address such as "127.0.0.1"'),
        AfterValidator(_lookable),
    ]
    port: Annotated[int, Field(strict=True, ge=0, le=65535)]
    key: Literal["auto", "always", "never"]
    hosts: Annotated[tuple[HostName, ...], Field(description='a list of host names such as ["chat.example.org"]')]
    trusted_proxies: Annotated[
        tuple[Network, ...], Field(description='a list of addresses or networks such as ["10.0.0.1", "172.16.0.0/12"]')
    ]
    sessions_per_hour: Count


class TelegramSettings(Section):
    """Telegram. Without a token it does not run."""

    token: SecretStr | None
    open: Flag
    answer_all: Annotated[
        tuple[TelegramGroup, ...], Field(description='a list of groups such as ["telegram:-1001234567"]')
    ]
    api: Annotated[
        str, Field(pattern=WEB_ADDRESS, description='an address without a path, such as "http://127.0.0.1:8081"')
    ]
    webhook: Annotated[
        str,
        Field(pattern=rf"{WEB_ADDRESS}|^$", description='the page\'s own address, such as "https://chat.example.org"'),
    ]
    drafts: Flag
    rich: Flag


class DiscordSettings(Section):
    """Discord. Without a token it does not run."""

    token: SecretStr | None
    message_content: Flag
    channels: Annotated[tuple[Snowflake, ...], Field(description='a list of channel ids such as ["1234567"]')]
    catch_up_hours: Seconds
    shards: Count


class LogSettings(Section):
    """What is told on stderr while Conch runs."""

    level: Literal["debug", "info", "warning", "error"]
    format: Literal["text", "json"]


class Settings(BaseSettings):
    """Everything an owner can set. Made by `load`; handed on as a value, read by nobody behind its owner's back."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid")

    data_dir: Folder
    language: Literal["auto", "en", "ko", "zh"]
    owners: People
    allowed: People
    exempt: People
    blocked: People
    engine: EngineSettings
    queue: QueueSettings
    limits: LimitSettings
    store: StoreSettings
    web: WebSettings
    telegram: TelegramSettings
    discord: DiscordSettings
    log: LogSettings
    _origin: dict[str, str] = PrivateAttr(default_factory=dict)

    @property
    def origin(self) -> Mapping[str, str]:
        """Where each key (``web.port``) was set: ``default``, ``conch.toml, line 3``, or a variable's name."""
        return self._origin

    def token(self, platform: Platform) -> SecretStr | None:
        """Gives the token of the bot on a platform; None where it has none."""
        token: SecretStr | None = getattr(self, platform.key).token if platform.token else None
        return token

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` hands over: it has read the layers itself, so that each value keeps its origin."""
        return (init_settings,)


def load(file: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings in effect: defaults, then ``file``, then ``environ``.

    Without ``file`` it is the one that ``CONCH_CONFIG`` names, else ``conch.toml`` in the working directory if there
    is one. Raises SettingsError with one sentence.
    """
    known = keys()
    if file is None and environ.get(FILE_VARIABLE):
        file = Path(at_home(environ[FILE_VARIABLE]))
    elif file is None and _is_there(Path("conch.toml")):
        file = Path("conch.toml")
    defaults = {key: Given(given.value, "default") for key, given in read_file(DEFAULTS, known).items()}
    layers = [defaults, read_file(file, known) if file else {}, read_environment(environ, known), read_tokens(environ)]
    merged: dict[str, Given] = {}
    for layer in layers:
        for key, given in layer.items():
            merged[key] = Given(_checked(key, given, known[key]), given.origin)
    values: dict[str, Any] = {name: {} for name, field in Settings.model_fields.items() if _section(field)}
    for key, given in merged.items():
        table, _, name = key.rpartition(".")
        (values[table] if table else values)[name] = given.value
    settings = Settings(**values)
    settings._origin.update({key: merged[key].origin for key in known})
    _check_together(settings)
    return settings


def _is_there(file: Path) -> bool:
    try:
        return file.exists()
    except OSError as error:  # the working directory may not be searched
        raise SettingsError(
            f"Nobody can tell whether there is a {file} in {Path.cwd()}: {(error.strerror or str(error)).lower()}. "
            f"Start Conch in another folder, or set {FILE_VARIABLE}."
        ) from error


def keys() -> Known:
    """Every key that can be set (``web.port``), with its field."""
    known: dict[str, FieldInfo] = {}
    for name, field in Settings.model_fields.items():
        section = _section(field)
        known.update(
            {f"{name}.{key}": inner for key, inner in section.model_fields.items()} if section else {name: field}
        )
    return known


def shown(settings: Settings) -> list[tuple[str, str, str]]:
    """(key, value as TOML, origin) of everything in effect, in the order of the file; secrets masked."""
    rows = []
    for key in keys():
        value: Any = settings
        for part in key.split("."):
            value = getattr(value, part)
        if value is None:
            text = "(not set)"
        elif isinstance(value, SecretStr):
            text = "********"
        else:
            text = json.dumps(value, ensure_ascii=False, default=_plain)
        rows.append((key, text, settings.origin[key]))
    return rows


def _plain(value: Any) -> Any:
    """What JSON does not know."""
    return value.model_dump(exclude_none=True) if isinstance(value, BaseModel) else str(value)


def _section(field: FieldInfo) -> type[Section] | None:
    return field.annotation if isinstance(field.annotation, type) and issubclass(field.annotation, Section) else None


def _adapter(field: FieldInfo) -> TypeAdapter[Any]:
    """Judges one key alone, so that what is wrong can be named with the place where it was set."""
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


def _checked(key: str, given: Given, field: FieldInfo) -> Any:
    """The value in its field's type, or a SettingsError."""
    try:
        return _adapter(field).validate_python(given.value)
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        inside = bool(place) and isinstance(given.value, list)
        wrong = json.dumps(given.value[int(place[0])] if inside else given.value, ensure_ascii=False, default=str)
        verb = "contains" if inside else "is"
        raise SettingsError(f"{key} {verb} {wrong} ({given.origin}), but it must be {_allowed(field)}.") from None


def _allowed(field: FieldInfo) -> str:
    """What a field takes, in words."""
    if field.description:
        return field.description
    if get_origin(field.annotation) is Literal:
        *names, last = (json.dumps(name) for name in get_args(field.annotation))
        return f"{', '.join(names)} or {last}"
    if field.annotation is bool:
        return "true or false"
    if field.annotation not in (int, float):
        return "text"
    bounds = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le") if hasattr(rule, name)
    }
    kind = "a whole number" if field.annotation is int else "a number"
    words = [f"from {bounds['ge']}"] if "ge" in bounds else []
    words += [f"above {bounds['gt']}"] if "gt" in bounds else []
    words += [f"to {bounds['le']}"] if "le" in bounds else ["upwards"] if "ge" in bounds else []
    return " ".join([kind, *words]).replace(f"above {bounds.get('gt')} to", f"above {bounds.get('gt')} and up to")


def _check_together(settings: Settings) -> None:
    """What one key forbids another."""

    def named(key: str, value: int) -> str:
        return f"{key} is {value} ({settings.origin[key]})"

    longest, window, day = settings.engine.max_tokens, settings.engine.context_window, settings.limits.tokens_per_day
    if 0 < window <= longest:
        raise SettingsError(
            f"{named('engine.max_tokens', longest)}, but it must be less than engine.context_window, "
            f"which is {window} ({settings.origin['engine.context_window']})."
        )
    if settings.telegram.webhook and not settings.web.enabled:
        raise SettingsError(
            f"telegram.webhook is set ({settings.origin['telegram.webhook']}), but the page, whose server would "
            f"receive what Telegram brings, is switched off: web.enabled ({settings.origin['web.enabled']})."
        )
    official = settings.origin["telegram.api"] == "default"
    if official and settings.telegram.webhook.startswith("http:"):
        raise SettingsError(
            f"telegram.webhook is {json.dumps(settings.telegram.webhook)} ({settings.origin['telegram.webhook']}), but "
            "Telegram brings messages to https addresses only: put a proxy with a certificate before the page."
        )
    if 0 < day < longest:
        raise SettingsError(
            f"{named('limits.tokens_per_day', day)}, so nobody could ask for an answer of engine.max_tokens, "
            f"which is {longest} ({settings.origin['engine.max_tokens']}): raise the one or lower the other."
        )
