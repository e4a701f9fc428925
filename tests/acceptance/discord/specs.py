"""Discord's own machine-readable descriptions, and the check of every byte against them."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft7Validator, Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator
from referencing import Registry
from referencing.jsonschema import DRAFT7, DRAFT202012

Json = dict[str, Any]
# Beside the project, where the machine that runs the tests has them; not a part of it.
FOLDER = Path(__file__).resolve().parents[4] / "shared" / "specs"
HTTP = FOLDER / "discord-openapi.json"
GATEWAY = FOLDER / "discord-gateway-events.schema.json"
MISSING = "" if HTTP.is_file() and GATEWAY.is_file() else f"{FOLDER} has no Discord descriptions"

# The real platform takes these though its description does not have them.
_QUIRKS = {
    ("PATCH", "tts"),  # discord.py sends it with each edit
    ("PUT", "nsfw"),  # of commands: documented in words, missing in the description
}
_INT_SNOWFLAKES = ("message_id", "channel_id", "guild_id", "recipient_id")
_ID = {"type": "string", "pattern": "^[0-9]{1,20}$"}
# Kinds of entitlements: the description has the newest two only, the documentation all of them.
_ENTITLEMENT_TYPES = {"type": "integer", "enum": [1, 2, 3, 4, 5, 6, 7, 8, 10]}
# Events that are described under another event's name: the same object.
_SAME_AS = {
    "ENTITLEMENT_UPDATE": "ENTITLEMENT_MODIFY",
    "ENTITLEMENT_DELETE": "ENTITLEMENT_MODIFY",
}
# Addresses that the platform documents in words: what a GET without a query answers.
_PATHS_IN_WORDS: dict[str, Json] = {
    "/applications/{application_id}/skus": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "string"},
                "type": {"enum": [2, 3, 5, 6]},
                "application_id": {"type": "string"},
                "name": {"type": "string"},
                "slug": {"type": "string"},
                "flags": {"type": "integer"},
            },
            "required": ["id", "type", "application_id", "name", "slug", "flags"],
        },
    },
}
# Events that the platform documents in words; its machine-readable description lacks them.
_IN_WORDS: dict[str, Json] = {
    "MESSAGE_DELETE_BULK": {
        "type": "object",
        "properties": {
            "ids": {"type": "array", "items": _ID, "minItems": 2, "maxItems": 100},
            "channel_id": _ID,
            "guild_id": _ID,
        },
        "required": ["ids", "channel_id"],
        "additionalProperties": False,
    },
    "THREAD_DELETE": {
        "type": "object",
        "properties": {
            "id": _ID,
            "guild_id": _ID,
            "parent_id": _ID,
            "type": {"enum": [10, 11, 12]},
        },
        "required": ["id", "guild_id", "parent_id", "type"],
        "additionalProperties": False,
    },
}


class SpecBreach(AssertionError):  # noqa: N818  a failed expectation, not an error of the program
    """Somebody sent what the platform's description does not allow."""


@cache
def _document(path: Path) -> Json:
    loaded = cast("Json", json.loads(path.read_text(encoding="utf-8")))
    for name in loaded.get("definitions", {}):
        if name.endswith("Flags"):  # described as one of the bits, though they are sets of bits
            loaded["definitions"][name] = {"type": "number"}
    if path is HTTP:
        loaded["components"]["schemas"]["EntitlementTypes"] = _ENTITLEMENT_TYPES
    return loaded


@cache
def _registry(path: Path) -> Registry[Any]:
    specification = DRAFT7 if path is GATEWAY else DRAFT202012
    resource = specification.create_resource(_document(path))
    empty: Registry[Any] = Registry()
    return cast("Registry[Any]", empty.with_resource(path.name, resource))


@cache
def _validator(path: Path, pointer: str) -> Validator:
    draft = Draft7Validator if path is GATEWAY else Draft202012Validator
    return draft({"$ref": f"{path.name}#{pointer}"}, registry=_registry(path))


def _escape(part: str) -> str:
    escaped = part.replace("~", "~0").replace("/", "~1")
    return escaped.replace("{", "%7B").replace("}", "%7D").replace("<", "%3C").replace(">", "%3E")


def _check(path: Path, pointer: str, value: Any, what: str) -> None:  # noqa: ANN401  any JSON
    error = best_match(_validator(path, pointer).iter_errors(value))
    if error is not None:
        where = "/".join(map(str, error.absolute_path))
        raise SpecBreach(f"{what}: {where}: {error.message[:400]}")


def check_event(name: str, data: object) -> None:
    """Check a dispatch's data, or an IDENTIFY, RESUME or HELLO."""
    if name == "CHANNEL_DELETE":
        _check(GATEWAY, "/definitions/APIChannel", data, name)
        return
    if name in _IN_WORDS:
        error = best_match(Draft202012Validator(_IN_WORDS[name]).iter_errors(data))
        if error is not None:
            raise SpecBreach(f"{name}: {error.message[:400]}")
        return
    name = _SAME_AS.get(name, name)
    suffix = "Data" if name in {"Identify", "Resume", "Hello"} else "DispatchData"
    title = "".join(part.capitalize() for part in name.split("_"))
    if f"Gateway{title}{suffix}" not in _document(GATEWAY)["definitions"]:
        raise SpecBreach(f"the platform has no event {name}")
    _check(GATEWAY, f"/definitions/Gateway{title}{suffix}", data, name)


@cache
def _paths() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Compile the templates, the most literal first, as the platform routes them."""
    found = []
    for template in [*_document(HTTP)["paths"], *_PATHS_IN_WORDS]:
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
        found.append((template.count("{"), re.compile(pattern), template))
    found.sort(key=lambda entry: entry[0])
    return tuple((pattern, template) for _, pattern, template in found)


def template_of(path: str) -> str:
    """Return the description's template of a path without its `/api/v10`."""
    for pattern, template in _paths():
        if pattern.fullmatch(path):
            return template
    raise SpecBreach(f"the platform has no {path}")


def check_request(method: str, path: str, body: object, query: Mapping[str, str]) -> None:
    """Check a request's body and the names of its query."""
    template = template_of(path)
    if template in _PATHS_IN_WORDS:
        if method != "GET" or body or query:
            raise SpecBreach(f"{method} {template} takes nothing")
        return
    operation = _document(HTTP)["paths"][template].get(method.lower())
    if operation is None:
        raise SpecBreach(f"the platform has no {method} {template}")
    known = {entry["name"] for entry in operation.get("parameters", [])}
    known |= {entry["name"] for entry in _document(HTTP)["paths"][template].get("parameters", [])}
    if set(query) - known:
        raise SpecBreach(f"{method} {template}: unknown query {set(query) - known}")
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return
    pointer = f"/paths/{_escape(template)}/{method.lower()}/requestBody/content/application~1json"
    _check(HTTP, f"{pointer}/schema", _as_described(body), f"{method} {template}")
    unknown = set(_unknown(content["schema"], body, ""))
    unknown -= {key for verb, key in _QUIRKS if verb == method}
    if unknown:
        raise SpecBreach(f"{method} {template}: unknown keys {sorted(unknown)}")


def check_response(method: str, path: str, status: int, body: object) -> None:
    """Check what the local server answers."""
    template = template_of(path)
    if template in _PATHS_IN_WORDS and status == 200:
        error = best_match(Draft202012Validator(_PATHS_IN_WORDS[template]).iter_errors(body))
        if error is not None:
            raise SpecBreach(f"{method} {template}: {error.message[:400]}")
    if template in _PATHS_IN_WORDS:
        return
    responses = _document(HTTP)["paths"][template][method.lower()]["responses"]
    if str(status) not in responses:
        if not 400 <= status < 500:
            raise SpecBreach(f"{method} {template} never answers {status}")
        if "message" not in cast("Json", body):
            raise SpecBreach(f"{method} {template}: {status} without a message")
        return
    if "content" in responses[str(status)]:
        pointer = f"/paths/{_escape(template)}/{method.lower()}/responses/{status}"
        _check(HTTP, f"{pointer}/content/application~1json/schema", body, f"{method} {template}")


def _as_described(value: Any) -> Any:  # noqa: ANN401  any JSON
    """Write those snowflakes as strings which clients may send as numbers."""
    if isinstance(value, list):
        return [_as_described(item) for item in value]
    if not isinstance(value, dict):
        return value
    shown: Json = {
        key: str(item) if key in _INT_SNOWFLAKES and isinstance(item, int) else _as_described(item)
        for key, item in value.items()
    }
    if isinstance(shown.get("attachments"), list):
        shown["attachments"] = [one | {"id": str(one["id"])} for one in shown["attachments"]]
    return shown


def _unknown(schema: Json, value: object, where: str) -> Iterator[str]:
    """Find keys that no alternative of the schema knows."""
    parts = list(_alternatives(schema))
    if isinstance(value, list):
        items = [part["items"] for part in parts if "items" in part]
        for entry in value:
            yield from _unknown({"anyOf": items}, entry, where)
    if not isinstance(value, dict) or not parts:
        return
    if any(isinstance(part.get("additionalProperties"), dict) for part in parts):
        return
    for key, item in value.items():
        known = [part["properties"][key] for part in parts if key in part.get("properties", {})]
        if not known:
            yield f"{where}{key}"
        yield from _unknown({"anyOf": known}, item, f"{where}{key}.")


def _alternatives(schema: Json) -> Iterator[Json]:
    if "$ref" in schema:
        target: Any = _document(HTTP)
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _alternatives(target)
    else:
        yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        for part in schema.get(word, []):
            yield from _alternatives(part)
