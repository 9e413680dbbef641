"""What the settings mean to the core: its own values, made of them."""

from __future__ import annotations

from dataclasses import replace

from config.platforms import PLATFORMS, Platform
from config.settings import Settings
from core.chat.chat import Options
from core.chat.people import People
from core.engine import Sampling
from core.limits import Limits

HOUR_SECONDS = 3600.0


def sampling(settings: Settings) -> Sampling:
    """How the next token is chosen where a persona says nothing else."""
    chosen = settings.engine
    values = {name: getattr(chosen, name) for name in ("temperature", "top_p", "top_k", "repetition_penalty")}
    given = {name: value for name, value in values.items() if value != "auto"}
    return Sampling(max_tokens=chosen.max_tokens, as_advised=frozenset(values.keys() - given.keys()), **given)


def limits(settings: Settings) -> Limits:
    """What one person may ask."""
    chosen = settings.limits
    everybody = Limits(chosen.messages_per_minute, chosen.tokens_per_day, chosen.characters)
    named = {name: replace(everybody, **given.model_dump(exclude_none=True)) for name, given in chosen.named.items()}
    return replace(everybody, named=named)


def options(settings: Settings) -> Options:
    """The chat's own settings."""
    return Options(
        persona=settings.engine.persona,
        language="en" if settings.language == "auto" else settings.language,
        backlog=settings.queue.backlog,
        max_age=settings.queue.max_age_hours * HOUR_SECONDS,
    )


def people(settings: Settings) -> People:
    """Who may speak, and who owns."""
    return People(
        owners=settings.owners,
        allowed=settings.allowed,
        exempt=settings.exempt,
        blocked=settings.blocked,
        open_to=[key for key, platform in PLATFORMS.items() if is_open(settings, platform)],
    )


def is_open(settings: Settings, platform: Platform) -> bool:
    """Tells whether a platform admits everybody who reaches Conch there."""
    match platform.admits:
        case "everybody":
            return True
        case "if_open":
            return bool(getattr(settings, platform.key).open)
        case "until_named":
            return not any(name.startswith(platform.prefix) for name in settings.allowed)


def secrets(settings: Settings) -> list[str]:
    """The tokens, for masking them in the log."""
    tokens = map(settings.token, PLATFORMS.values())
    return [token.get_secret_value() for token in tokens if token is not None]
