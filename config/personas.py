"""Reads personas: Conch's own from ``personas/`` beside this file, the owner's from ``personas/`` in the data folder.

A persona is a TOML file; its name is the file's. An owner's file takes the place of ours of the same name.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from config.layers import SettingsError
from config.settings import Settings
from core.messages import Persona

FOLDER = Path(__file__).with_name("personas")

Language = Literal["en", "ko", "zh"]
Words = Annotated[
    dict[Language, str], BeforeValidator(lambda words: {"en": words} if isinstance(words, str) else words)
]
"""A text per language; plain text is English, which also stands in for the others."""


class _Sampling(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    temperature: Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    title: Words
    text: Words = Field(default_factory=dict)
    sampling: _Sampling = Field(default_factory=_Sampling)


def load_personas(settings: Settings) -> dict[str, Persona]:
    """Every persona by name, the default one first. Raises SettingsError with one sentence."""
    found = {
        persona.name: persona
        for folder in (FOLDER, settings.data_dir / "personas")
        for persona in map(_read, _files(folder))
    }
    first = settings.engine.persona
    if first not in found:
        raise SettingsError(
            f'engine.persona is "{first}" ({settings.origin["engine.persona"]}), but there are only the personas '
            f"{', '.join(found)}; add personas/{first}.toml to the data folder, or choose one of these."
        )
    return {first: found[first], **found}


def _files(folder: Path) -> list[Path]:
    """The personas' files in ``folder``; none where there is no such folder."""
    try:
        return sorted(file for file in folder.iterdir() if file.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise SettingsError(
            f"The personas in {folder} cannot be looked for: {(error.strerror or str(error)).lower()}. "
            f"Give Conch a folder that it may read (data_dir)."
        ) from error


def _read(path: Path) -> Persona:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", path.stem):
        raise SettingsError(f"The persona {path} needs a file name of at most 32 of a-z, 0-9, - and _, then .toml.")
    try:
        file = _File.model_validate(tomllib.loads(path.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise SettingsError(f"The persona {path} cannot be read: {(error.strerror or str(error)).lower()}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The persona {path} is not text in UTF-8 (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The persona {path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"The persona {path} is wrong at {place or 'its top'}: {first['msg'].lower()}.") from None
    return Persona(
        path.stem,
        {str(language): title for language, title in file.title.items()},
        {str(language): text for language, text in file.text.items()},
        file.sampling.model_dump(exclude_none=True),
    )
