"""Discord's own description of its REST (OpenAPI 3.1), to hold both sides to: what a bot sends and what we answer."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

FILE = Path(__file__).parents[4] / "shared" / "specs" / "discord-openapi-v10.json"
MISSING = f"there is no {FILE.name} beside this checkout"
_HERE = "urn:discord"
_ID = re.compile(r'"\d{17,20}"')
"""What is right with one id is right with another, and need not be looked at again."""


class Spec:
    """Validators of every operation, made when first needed."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths = document["paths"]
        self._responses = document["components"]["responses"]
        self._registry: Registry[Any] = Registry().with_resource(_HERE, DRAFT202012.create_resource(document))
        self._validators: dict[str, Draft202012Validator] = {}
        self._right: set[tuple[str, str]] = set()

    def request(self, method: str, template: str, query: Mapping[str, str], body: Any, *, files: bool) -> Iterator[str]:
        """What is wrong with a request."""
        operation = self._operation(method, template)
        if operation is None:
            yield f"{method} {template} is no route of Discord's"
            return
        known = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter.get("in") == "query"}
        yield from (f"{method} {template}: there is no query parameter {name}" for name in query if name not in known)
        kinds = operation.get("requestBody", {}).get("content", {})
        kind = "multipart/form-data" if files else "application/json"
        if body is None:
            return
        if kind not in kinds:
            yield f"{method} {template} takes no {kind}"
            return
        schema = kinds[kind]["schema"]
        if files:  # the JSON part; the rest are the files
            schema = schema["allOf"][0] if "allOf" in schema else schema
        yield from self._errors(f"{method} {template} was sent", schema, _with_ids_as_text(body))

    def response(self, method: str, template: str, status: int, body: Any) -> Iterator[str]:
        """What is wrong with an answer of ours."""
        operation = self._operation(method, template)
        if operation is None:
            return
        responses = operation["responses"]
        chosen = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if chosen is None:
            if status < 500:
                yield f"{method} {template} is not answered with {status}"
            return
        if "$ref" in chosen:
            chosen = self._responses[chosen["$ref"].rpartition("/")[2]]
        content = chosen.get("content", {}).get("application/json")
        if content is not None:
            yield from self._errors(f"{method} {template} was answered", content["schema"], body)
        elif body is not None:
            yield f"{method} {template}: {status} has no body"

    @functools.cache  # noqa: B019  # one Spec lives as long as the tests
    def _operation(self, method: str, template: str) -> Mapping[str, Any] | None:
        """The description's own names of path parameters may differ from ours."""
        wanted = re.sub(r"{\w+}", "{}", template)
        found = next((path for path in self._paths if re.sub(r"{\w+}", "{}", path) == wanted), None)
        return self._paths[found].get(method.lower()) if found else None

    def _errors(self, what: str, schema: Mapping[str, Any], body: Any) -> Iterator[str]:
        key = json.dumps(schema, sort_keys=True)
        said = key, _ID.sub('"1"', json.dumps(body))
        if said in self._right:
            return
        if key not in self._validators:
            whole = json.loads(key.replace('"#/', f'"{_HERE}#/'))
            self._validators[key] = Draft202012Validator(whole, registry=self._registry)
        errors = list(self._validators[key].iter_errors(body))
        if not errors:
            self._right.add(said)
        for error in errors:
            place = "/".join(map(str, error.absolute_path))
            deepest = min(error.context or [error], key=lambda one: -len(one.absolute_path))
            yield f"{what}: {place}: {deepest.message[:300]}"


def _with_ids_as_text(body: Any) -> Any:
    """Discord takes ids as numbers, too, and discord.py sends some so; its description knows only text."""
    if isinstance(body, list):
        return [_with_ids_as_text(one) for one in body]
    if not isinstance(body, dict):
        return body
    named = {name: _with_ids_as_text(value) for name, value in body.items()}
    ids = {name: str(value) for name, value in named.items() if name.endswith("id") and isinstance(value, int)}
    return {**named, **ids}


@functools.cache
def spec() -> Spec | None:
    """Discord's description, None where it is not there."""
    return Spec(json.loads(FILE.read_text("utf-8"))) if FILE.exists() else None
