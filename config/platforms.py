"""The platforms on which people speak to Conch, a row each: all that is said of a platform where many are looked at.

Standard library only, and no settings: whoever needs the table can import it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Admission = Literal["everybody", "if_open", "until_named"]
"""Whom a platform admits: everybody; everybody if its setting ``open`` says so; everybody until somebody there is named
in ``allowed``. People and places that are named or granted are admitted anyway."""


@dataclass(frozen=True, slots=True)
class Token:
    """The secret by which a platform knows its bot.

    ``variables`` of the environment may hold it, the best name first; ``mistaken`` are names that others use. One that
    has not the ``shape``, which is ``words``, is copied again from ``source``.
    """

    variables: tuple[str, ...]
    mistaken: tuple[str, ...]
    shape: re.Pattern[str]
    words: str
    source: str


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform. ``key`` begins the names of what is there and is its table in the settings, ``name`` is shown.

    ``secrets`` is a pattern of what must not be in the log; those of earlier rows are tried first. ``logger`` is its
    library's, whose lines are worth reading from ``logged`` upwards.
    """

    key: str
    name: str
    admits: Admission
    token: Token | None = None
    secrets: str = ""
    logger: str = ""
    logged: int = logging.WARNING

    @property
    def prefix(self) -> str:
        """Begins the name of every person, place and conversation there."""
        return f"{self.key}:"

    @property
    def token_key(self) -> str:
        """Names the token among the settings."""
        return f"{self.key}.token"


_ROWS = (
    Platform(
        key="telegram",
        name="Telegram",
        admits="if_open",
        token=Token(
            variables=("TELEGRAM_BOT_TOKEN",),
            mistaken=("TELEGRAM_TOKEN", "TELEGRAM_API_TOKEN", "BOT_TOKEN"),
            shape=re.compile(r"[0-9]+:[A-Za-z0-9_-]{35}"),
            words="digits, a colon and 35 characters",
            source="@BotFather",
        ),
        secrets=r"\d{5,}:[\w-]{35,}",  # the bot's number, a colon, 35 characters; also behind "/bot" in an address
        logger="telegram",
        logged=logging.CRITICAL,  # it writes tracebacks of what its callers handle, and updates that it cannot read
    ),
    Platform(
        key="discord",
        name="Discord",
        admits="until_named",
        token=Token(
            variables=("DISCORD_BOT_TOKEN", "DISCORD_TOKEN"),
            mistaken=("DISCORD_API_TOKEN", "DISCORD_BOT_SECRET"),
            shape=re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"),
            words="three parts with dots between them",
            source="the Bot page of the Discord developer portal",
        ),
        secrets=r"[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"  # three parts
        r"|(?<=/webhooks/)\d+/[^/\s?]+|(?<=/interactions/)\d+/[^/\s?]+",  # what answers somebody's command
        logger="discord",
        logged=logging.INFO,
    ),
    Platform(
        key="web",
        name="Web",
        admits="everybody",
        secrets=r"(?<=[?&]key=)[\w%.~-]+",  # the page's access key in an address
    ),
    Platform(key="console", name="Console", admits="everybody"),
)

PLATFORMS: Mapping[str, Platform] = {platform.key: platform for platform in _ROWS}
"""Every platform by its key."""
TOKENS: Mapping[str, Token] = {platform.token_key: platform.token for platform in _ROWS if platform.token}
"""Every bot's token by its key among the settings."""
PERSON = re.compile(rf"({'|'.join(PLATFORMS)}):\S+")
"""How a person or a place is written: ``telegram:1234567``."""
