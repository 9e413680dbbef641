"""What the settings mean to the core: its own values, made of them."""

from __future__ import annotations

from dataclasses import replace

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
    """Who may speak, and who owns. Discord is open to whoever meets the bot there, until somebody there is named."""
    open_to = ["web", "console", *(["telegram"] if settings.telegram.open else [])]
    if not any(name.startswith("discord:") for name in settings.allowed):
        open_to.append("discord")
    return People(
        owners=settings.owners,
        allowed=settings.allowed,
        exempt=settings.exempt,
        blocked=settings.blocked,
        open_to=open_to,
    )


def secrets(settings: Settings) -> list[str]:
    """The tokens, for masking them in the log."""
    tokens = settings.telegram.token, settings.discord.token
    return [token.get_secret_value() for token in tokens if token is not None]
