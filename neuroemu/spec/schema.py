"""The JSON Schema of chip files, for editors and other tools; the loader itself checks more than a schema can say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neuroemu.spec.check import FAMILIES

PUBLISHED = Path(__file__).with_name("chip.schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_EXTENDS = {
    "type": "string",
    "title": "Extends",
    "description": "Name of a chip, or a .yaml file beside this one, that this file is laid upon.",
}


def json_schema() -> dict[str, Any]:
    """Schema of a chip file of any family, alone or extending another chip.

    A file that extends another may leave out anything, so only facts require keys of their own here; the loader reports
    what is missing after the files are laid upon each other.
    """
    definitions: dict[str, Any] = {}
    alternatives = []
    for family in sorted(FAMILIES):
        model = FAMILIES[family]
        schema = model.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
        definitions |= schema.pop("$defs")
        schema["properties"] = {"extends": _EXTENDS, **schema["properties"]}
        required = schema.pop("required")
        schema["anyOf"] = [{"required": required}, {"required": ["extends", "name", "title"]}]
        definitions[model.__name__] = schema
        alternatives.append({"$ref": f"#/$defs/{model.__name__}"})
    return {
        "$schema": _DIALECT,
        "title": "neuroemu chip file",
        "anyOf": alternatives,
        "$defs": {name: _partial(definitions[name]) for name in sorted(definitions)},
    }


def json_schema_text() -> str:
    """The schema as it is published next to this module."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n"


def _partial(definition: dict[str, Any]) -> dict[str, Any]:
    """A section without required keys; facts (which state a ``value``) keep theirs."""
    if "value" in definition.get("properties", {}) or "properties" not in definition:
        return definition
    return {key: value for key, value in definition.items() if key != "required"}
