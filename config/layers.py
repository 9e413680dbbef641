"""The layers that settings come from, read into flat keys (``web.port``), each with the place where it was set."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from config.platforms import TOKENS, Token
from core.errors import ConchError

PREFIX = "CONCH_"
FILE_VARIABLE = "CONCH_CONFIG"

Known = Mapping[str, FieldInfo]
"""Every key that can be set, in the order of the file."""


class SettingsError(ConchError):
    """A setting is wrong. The text is a sentence that names the key, what was given, where, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value as it was given, and where."""

    value: Any
    origin: str


def read_file(path: Path, known: Known) -> dict[str, Given]:
    """The keys of a TOML file; ``origin`` is like ``conch.toml, line 3``. Unknown keys are a SettingsError."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise SettingsError(f"There is no settings file {path}; make one, or unset {FILE_VARIABLE}.") from None
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {_reason(error)}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"The settings file {path} is not text in UTF-8 (byte {error.start}).") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error
    lines = _lines(text)
    given: dict[str, Given] = {}
    for name, value in tables.items():
        inner = {f"{name}.{key}": below for key, below in value.items()} if isinstance(value, dict) else {name: value}
        if isinstance(value, dict) and name not in _sections(known):
            inner = {name: value}
        for key, found in inner.items():
            origin = f"{path}, line {lines[key]}" if key in lines else str(path)
            if token := TOKENS.get(key):
                raise SettingsError(
                    f"{origin} holds {key}, but a token does not belong in this file: "
                    f"set {token.variables[0]} in the environment, or {token.variables[0]}_FILE."
                )
            if key not in known:
                raise SettingsError(_unknown(key, known, origin))
            given[key] = Given(found, origin)
    return given


def read_environment(environ: Mapping[str, str], known: Known) -> dict[str, Given]:
    """The keys set by ``CONCH_*`` variables; an unknown one is a SettingsError."""
    variables = {PREFIX + key.upper().replace(".", "__"): key for key in known if key not in TOKENS}
    given: dict[str, Given] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        key = variables.get(variable.upper())
        if key is None:
            raise SettingsError(_unknown_variable(variable, variables, known))
        given[key] = Given(_typed(text, known[key]), variable)
    return given


def read_tokens(environ: Mapping[str, str]) -> dict[str, Given]:
    """The bots' tokens from their variables or from the files that ``*_FILE`` names; an empty variable is not set."""
    given: dict[str, Given] = {}
    for key, token in TOKENS.items():
        names = token.variables
        found = [_read_token(token, name, environ) for name in (*names, *(f"{name}_FILE" for name in names))]
        held = [one for one in found if one is not None]
        if len({one.value for one in held}) > 1:
            raise SettingsError(f"{held[0].origin} and {held[1].origin} hold different tokens; keep one of them.")
        given[key] = held[0] if held else Given(None, "not set")
    return given


def _read_token(token: Token, name: str, environ: Mapping[str, str]) -> Given | None:
    """Reads a token from one variable; None where that is not set."""
    text, origin = environ.get(name, "").strip(), name
    if not text:
        return None
    if name.endswith("_FILE"):
        origin = f"{name} ({text})"
        try:
            text = Path(at_home(text)).read_text("utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name} names {text}, which cannot be read: {_reason(error)}.") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"{name} names {text}, which is not text.") from error
    if not token.shape.fullmatch(text):
        raise SettingsError(f"{origin} does not hold a token ({token.words}); copy it again from {token.source}.")
    return Given(text, origin)


def _typed(text: str, field: FieldInfo) -> Any:
    """A variable's text as the field's type; text that cannot be that type stays as it is, to be refused by name."""
    text, kind = text.strip(), _kind(field)
    if kind is bool:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.lower(), text)
    if kind is int and re.fullmatch(r"[+-]?[0-9]+", text):
        return int(text)
    if kind is float and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return float(text)
    if get_origin(kind) is dict:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text
    if get_origin(kind) is tuple:
        if text.startswith("["):
            try:
                return json.loads(text)
            except json.JSONDecodeError:
                return text
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _kind(field: FieldInfo) -> Any:
    """The field's type; of a number that may be a word, too, the number's."""
    if get_origin(field.annotation) not in (Union, UnionType):
        return field.annotation
    first = get_args(field.annotation)[0]
    return get_args(first)[0] if get_origin(first) is Annotated else first


def _sections(known: Known) -> list[str]:
    return list(dict.fromkeys(key.split(".")[0] for key in known if "." in key))


def _unknown(key: str, known: Known, origin: str) -> str:
    section = key.split(".")[0]
    near = _near(key, [name for name in known if name not in TOKENS])
    if section in _sections(known) and key != section:
        inside = [name.split(".")[1] for name in known if name.startswith(f"{section}.") and name not in TOKENS]
        has = f"[{section}] knows {', '.join(inside)}"
    elif section in _sections(known):
        has = f"{section} is a table: write [{section}] and its settings below"
    else:
        top = [name for name in known if "." not in name]
        near = near or next((f"[{name}]" for name in difflib.get_close_matches(key, _sections(known), n=1)), None)
        has = f"there are {', '.join(top)} and the tables {', '.join(f'[{name}]' for name in _sections(known))}"
    hint = f"; did you mean {near}? ({has})" if near else f": {has}."
    return f"{origin} sets {key}, which does not exist{hint}"


def _unknown_variable(variable: str, variables: Mapping[str, str], known: Known) -> str:
    for key, token in TOKENS.items():
        if variable.upper() == PREFIX + key.upper().replace(".", "__"):
            name = token.variables[0]
            return f"{variable} is not a setting: the token belongs in {name}, or in a file named by {name}_FILE."
    key = variable.removeprefix(PREFIX).lower().replace("__", ".")
    near = _near(key, list(variables.values()))
    if near:
        right = next(name for name, value in variables.items() if value == near)
        return f"The environment sets {variable}, which is not a setting; did you mean {right}?"
    section = key.split(".")[0]
    inside = [name for name, value in variables.items() if value.startswith(f"{section}.")]
    if inside:
        return f"The environment sets {variable}, which is not a setting; there are {', '.join(inside)}."
    top = [name for name, value in variables.items() if "." not in value]
    return (
        f"The environment sets {variable}, which is not a setting; there are {', '.join(top)} "
        f"and {PREFIX}<SECTION>__<KEY> for {', '.join(_sections(known))}."
    )


def _near(key: str, names: Sequence[str]) -> str | None:
    """The name that was probably meant: spelled alike, or the same key in another place."""

    def plain(name: str) -> str:
        return re.sub(r"[^a-z0-9]", "", name.lower())

    last = key.split(".")[-1]
    for name in names:
        if plain(name) == plain(key) or name.split(".")[-1] == last:
            return name
    section = key.split(".")[0]
    inside = [name for name in names if name.startswith(f"{section}.")]
    if "." in key and inside:
        found = difflib.get_close_matches(last, [name.split(".")[1] for name in inside], n=1, cutoff=0.6)
        if found:
            return f"{section}.{found[0]}"
    found = difflib.get_close_matches(key, names, n=1, cutoff=0.75)
    return found[0] if found else None


def _lines(text: str) -> dict[str, int]:
    """The line of each key, as far as it can be told from the text without a parser that keeps places."""
    lines: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([A-Za-z0-9_\-.]+)\s*\]", line):
            table = header[1] + "."
            lines.setdefault(header[1], number)
        elif key := re.match(r"\s*([A-Za-z0-9_\-.]+)\s*=", line):
            lines.setdefault(table + key[1], number)
    return lines


def at_home(path: str) -> str:
    """``path`` with its ``~`` put into words, which only a shell does; as it is where nobody has such a home."""
    try:
        return str(Path(path).expanduser()) if path else ""
    except RuntimeError:
        return path


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
