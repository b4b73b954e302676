"""A report as a JSON document: its published schema, stable writing and strict reading."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, cast

from neuroemu.errors import BadInput, Finding

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from neuroemu.report.shape import ReportDocument

SCHEMA_ID = "neuroemu.report/1"
SCHEMA_FILE = "report.schema.json"
FINDINGS_SHOWN = 20


def json_schema() -> dict[str, Any]:
    """The published JSON Schema (draft 2020-12) of ``report.json``."""
    return cast(dict[str, Any], json.loads(files("neuroemu.report").joinpath(SCHEMA_FILE).read_text("utf-8")))


def to_json(report: ReportDocument) -> str:
    """The report as JSON text: keys sorted, UTF-8, one trailing newline, equal reports giving equal text.

    Raises:
        ValueError: a number is NaN or infinite; an unknown number must be None.
    """
    return json.dumps(report, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str | bytes, where: str = "report.json") -> ReportDocument:
    """Read a report and check it against the schema.

    Args:
        text: contents of a ``report.json``.
        where: file name for error messages.

    Raises:
        BadInput: NE8001 not JSON, NE8002 another schema or version, NE8003 fields that break the schema (all of them).
    """
    from pydantic import ValidationError

    try:
        plain = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput(_not_json(where, error)) from None
    found = plain.get("schema") if isinstance(plain, dict) else None
    if found != SCHEMA_ID:
        raise BadInput(_other_schema(where, found))
    try:
        return _adapter().validate_python(plain, strict=True)
    except ValidationError as error:
        raise BadInput(_broken_fields(where, error.errors(include_url=False, include_input=False))) from None


def generate_schema() -> dict[str, Any]:
    """The JSON Schema made from :mod:`neuroemu.report.shape`; the shipped file must equal it."""
    schema = _adapter().json_schema()
    _drop_titles(schema)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": SCHEMA_ID}


def schema_text() -> str:
    """The JSON Schema as it is written to the shipped file."""
    return json.dumps(generate_schema(), indent=1, ensure_ascii=False) + "\n"


@cache
def _adapter() -> TypeAdapter[ReportDocument]:
    from pydantic import TypeAdapter

    from neuroemu.report import shape

    for kind in shape.SHAPES:
        configurable: Any = kind
        configurable.__pydantic_config__ = {"extra": "forbid", "use_attribute_docstrings": True}
    return TypeAdapter(shape.ReportDocument)


def _drop_titles(node: object) -> None:
    """Remove the generated ``title`` of fields; it only repeats the key."""
    if isinstance(node, dict):
        for name, part in node.items():
            if name == "properties":
                for field in part.values():
                    field.pop("title", None)
            _drop_titles(part)
    elif isinstance(node, list):
        for part in node:
            _drop_titles(part)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _not_json(where: str, error: Exception) -> Finding:
    line = f":{error.lineno}:{error.colno}" if isinstance(error, json.JSONDecodeError) else ""
    reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return Finding(
        "NE8001",
        f"this is not a JSON document: {reason}",
        f"{where}{line}",
        ("write the report again with `neuroemu deploy … -o out/`",),
    )


def _other_schema(where: str, found: object) -> Finding:
    name = json.dumps(found)[:60] if found is not None else "missing"
    return Finding(
        "NE8002",
        f"schema is {name}, this version of neuroemu reads {SCHEMA_ID}",
        where,
        ("pass the report.json of a deployment", "write the report again with this version of neuroemu"),
    )


def _broken_fields(where: str, errors: list[Any]) -> list[Finding]:
    shown = [
        Finding("NE8003", f"{error['msg']}", f"{where}:/{'/'.join(str(part) for part in error['loc'])}")
        for error in errors[:FINDINGS_SHOWN]
    ]
    if len(errors) > FINDINGS_SHOWN:
        shown.append(Finding("NE8003", f"and {len(errors) - FINDINGS_SHOWN} more fields break the schema", where))
    return shown
