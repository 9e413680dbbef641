"""The Bot API's own description: what each method takes and gives, checked down to the last field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

NAME = Path("shared") / "specs" / "telegram-bot-api-10.1.json"
PLAIN: Mapping[str, type | tuple[type, ...]] = {"Integer": int, "String": str, "Boolean": bool, "Float": (int, float)}


class Wrong(Exception):
    """Something is not as the description says."""


def find() -> Path | None:
    """The description, if it lies beside the checkout."""
    return next((folder / NAME for folder in Path(__file__).parents if (folder / NAME).exists()), None)


class Spec:
    """Methods and types of one version of the API."""

    def __init__(self, file: Path) -> None:
        description = json.loads(file.read_text("utf-8"))
        self._methods, self._types = description["methods"], description["types"]

    def parameters(self, method: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters of a call in their types; a form holds them as strings. Raises Wrong."""
        if method not in self._methods:
            raise Wrong(f"there is no method {method}")
        fields = {field["name"]: field for field in self._methods[method].get("fields", [])}
        attached = {name: value for name, value in given.items() if isinstance(value, bytes) and name not in fields}
        given = {name: value for name, value in given.items() if name not in attached}
        if unknown := given.keys() - fields.keys():
            raise Wrong(f"{method} has no {', '.join(sorted(unknown))}")
        if missing := {name for name, field in fields.items() if field["required"]} - given.keys():
            raise Wrong(f"{method} needs {', '.join(sorted(missing))}")
        found = {}
        for name, value in given.items():
            types = fields[name]["types"]
            found[name] = _read(types, value)
            self._check(types, found[name], f"{method}.{name}")
        return found | attached

    def result(self, method: str, value: Any) -> None:
        """Raises Wrong for what the method never gives."""
        self._check(self._methods[method]["returns"], value, f"the result of {method}")

    def value(self, kind: str, value: Any) -> None:
        """Raises Wrong for what is no such thing."""
        self._check([kind], value, kind)

    def _check(self, types: Sequence[str], value: Any, where: str) -> None:
        reasons = [reason for kind in types if (reason := next(self._wrongs(kind, value, where), None)) is not None]
        if len(reasons) == len(types):
            raise Wrong(reasons[0])

    def _wrongs(self, kind: str, value: Any, where: str) -> Iterator[str]:
        if kind.startswith("Array of "):
            if not isinstance(value, list):
                yield f"{where} is no list"
            else:
                for number, item in enumerate(value):
                    yield from self._wrongs(kind.removeprefix("Array of "), item, f"{where}[{number}]")
        elif kind in PLAIN:
            if not isinstance(value, PLAIN[kind]) or (isinstance(value, bool) and kind != "Boolean"):
                yield f"{where} is {value!r}, which is no {kind}"
        elif kind == "InputFile":
            if not isinstance(value, bytes):
                yield f"{where} is no file"
        elif subtypes := self._types[kind].get("subtypes"):
            reasons = [next(self._wrongs(one, value, where), None) for one in subtypes]
            if None not in reasons:
                yield f"{where} is none of {', '.join(subtypes)}: {reasons}"
        elif not isinstance(value, dict):
            yield f"{where} is no {kind}"
        else:
            yield from self._wrong_fields(kind, value, where)

    def _wrong_fields(self, kind: str, value: Mapping[str, Any], where: str) -> Iterator[str]:
        fields = {field["name"]: field for field in self._types[kind].get("fields", [])}
        for name in value.keys() - fields.keys():
            yield f"{where}: a {kind} has no {name}"
        for name, field in fields.items():
            if name in value:
                try:
                    self._check(field["types"], value[name], f"{where}.{name}")
                except Wrong as wrong:
                    yield str(wrong)
            elif field["required"]:
                yield f"{where}: a {kind} needs {name}"


def _read(types: Sequence[str], value: Any) -> Any:
    """A form's field in the first type that it can be."""
    if not isinstance(value, str):
        return value
    for kind in types:
        try:
            if kind == "String":
                return value
            if kind in PLAIN or kind.startswith("Array of ") or kind != "InputFile":
                return json.loads(value)
        except ValueError:
            continue
    return value
