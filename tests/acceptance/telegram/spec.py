"""The Bot API's machine-readable description, and checks of values against it.

Its shape: methods and types with fields `{name, types, required}`; a type is `Integer`, `Float`,
`String`, `Boolean`, the name of another type, or `Array of` one of these. Unknown fields fail.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.telegram.more_methods import Upload

PROJECT = Path(__file__).parents[3]
SPEC = PROJECT.parent / "shared" / "specs" / "telegram-botapi-10.0-api.json"
ARRAY = "Array of "
_SIMPLE: dict[str, tuple[type, ...]] = {
    "Integer": (int,),
    "Float": (int, float),
    "String": (str,),
    "Boolean": (bool,),
}


class SpecError(Exception):
    """A value is not what the description says."""


@dataclass(slots=True)
class BotApiSpec:
    """The loaded description."""

    methods: dict[str, Any]
    types: dict[str, Any]
    checked: set[str] = field(default_factory=set)

    @classmethod
    def load(cls) -> "BotApiSpec":
        """Read the file; the caller has looked whether it is there."""
        content = json.loads(SPEC.read_text(encoding="utf-8"))
        return cls(methods=content["methods"], types=content["types"])

    def parse_request(self, method: str, raw: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call in their types; form fields arrive as text."""
        fields = {item["name"]: item for item in self.methods[method].get("fields", [])}
        unknown = raw.keys() - fields.keys()
        if unknown:
            raise SpecError(f"{method} has no parameter {sorted(unknown)}")
        values = {}
        for name, item in fields.items():
            if name in raw:
                values[name] = self._parse(raw[name], item["types"])
                self.check(values[name], item["types"], f"{method}.{name}")
            elif item["required"]:
                raise SpecError(f"{method} needs {name}")
        self.checked.add(method)
        return values

    def check_result(self, method: str, value: object) -> None:
        """Check what a method returns."""
        self.check(value, self.methods[method]["returns"], f"result of {method}")

    def check(self, value: object, types: list[str], where: str) -> None:
        """Check a value against alternatives."""
        problems = []
        for name in types:
            try:
                self._check_one(value, name, where)
            except SpecError as problem:
                problems.append(str(problem))
            else:
                return
        raise SpecError("; ".join(problems))

    def _check_one(self, value: object, name: str, where: str) -> None:
        if name.startswith(ARRAY):
            if not isinstance(value, list):
                raise SpecError(f"{where} is no array")
            for number, item in enumerate(value):
                self._check_one(item, name[len(ARRAY) :], f"{where}[{number}]")
        elif name == "InputFile":
            if not isinstance(value, Upload):
                raise SpecError(f"{where} is no file")
        elif name in _SIMPLE:
            is_bool = isinstance(value, bool)
            if not isinstance(value, _SIMPLE[name]) or is_bool != (name == "Boolean"):
                raise SpecError(f"{where} is no {name}: {type(value).__name__}")
        elif "subtypes" in self.types[name]:
            self.check(value, self.types[name]["subtypes"], where)
        else:
            self._check_object(value, name, where)

    def _check_object(self, value: object, name: str, where: str) -> None:
        if not isinstance(value, dict):
            raise SpecError(f"{where} is no {name}")
        fields = {item["name"]: item for item in self.types[name].get("fields", [])}
        unknown = value.keys() - fields.keys()
        if unknown:
            raise SpecError(f"{where}: {name} has no {sorted(unknown)}")
        for key, item in fields.items():
            if key in value:
                self.check(value[key], item["types"], f"{where}.{key}")
            elif item["required"]:
                raise SpecError(f"{where}: {name} needs {key}")

    def _parse(self, value: object, types: list[str]) -> object:
        """Turn a form field into the first type that it can have."""
        if not isinstance(value, str):
            return value
        for name in types:
            parsed = _from_text(value, name)
            if parsed is not None:
                return parsed
        return value


def _from_text(value: str, name: str) -> object:
    if name == "String":
        return value
    if name == "Boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    wanted: type | tuple[type, ...] = list if name.startswith(ARRAY) else _SIMPLE.get(name, (dict,))
    return parsed if isinstance(parsed, wanted) else None
