"""A report is a JSON document of a published, strict schema."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from neuroemu.errors import BadInput
from neuroemu.report import SCHEMA_ID, from_json, json_schema, to_json
from neuroemu.report.document import FINDINGS_SHOWN, SCHEMA_FILE, schema_text
from tests.report import sample

SAMPLES = (
    sample.digits_on_one_core,
    sample.conv_on_sixty_cores,
    sample.does_not_fit,
    lambda: sample.with_unknowns(sample.conv_on_sixty_cores()),
)


def test_the_shipped_schema_is_the_one_the_shapes_describe() -> None:
    shipped = files("neuroemu.report").joinpath(SCHEMA_FILE).read_text("utf-8")
    assert shipped == schema_text(), "write schema_text() to neuroemu/report/report.schema.json"


def test_the_schema_allows_no_unnamed_field_and_describes_every_named_one() -> None:
    schema = json_schema()
    objects = [schema, *schema["$defs"].values()]
    assert all(shape["additionalProperties"] is False for shape in objects)
    described = {
        f"{shape['title']}.{name}": bool(field.get("description"))
        for shape in objects
        for name, field in shape["properties"].items()
    }
    # A reference to another object may carry its description there.
    bare = [name for name, present in described.items() if not present]
    references = {
        f"{shape['title']}.{name}"
        for shape in objects
        for name, field in shape["properties"].items()
        if "$ref" in json.dumps(field)
    }
    assert set(bare) <= references


def test_the_schema_names_its_version() -> None:
    assert json_schema()["title"] == SCHEMA_ID
    assert json_schema()["properties"]["schema"]["const"] == SCHEMA_ID


@pytest.mark.parametrize("make", SAMPLES)
def test_a_report_survives_writing_and_reading(make: Callable[[], dict[str, Any]]) -> None:
    assert from_json(to_json(make())) == make()


def test_equal_reports_give_equal_text_whatever_the_order_of_their_keys(digits: dict[str, Any]) -> None:
    turned = {key: digits[key] for key in reversed(digits)}
    assert to_json(turned) == to_json(digits)
    assert to_json(digits).endswith("}\n")


def test_a_number_that_is_no_number_is_not_written(digits: dict[str, Any]) -> None:
    digits["accuracy"]["chip"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(digits)


@pytest.mark.parametrize("text", ["", "{", '{"schema": NaN}', "[" * 100_000, b"\xff\xfe\x00"])
def test_text_that_is_not_json_is_refused(text: str | bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        from_json(text, "there.json")
    assert [finding.code for finding in refusal.value.findings] == ["NE8001"]
    assert refusal.value.findings[0].where.startswith("there.json")


def test_the_place_of_a_syntax_error_is_told() -> None:
    with pytest.raises(BadInput) as refusal:
        from_json('{\n "schema": }', "there.json")
    assert refusal.value.findings[0].where == "there.json:2:12"


@pytest.mark.parametrize("text", ["[]", "1", "{}", '{"schema": "neuroemu.report/2"}', '{"schema": 1}'])
def test_another_schema_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        from_json(text)
    assert [finding.code for finding in refusal.value.findings] == ["NE8002"]


def test_every_broken_field_is_named_with_its_path(conv: dict[str, Any]) -> None:
    conv["mapping"]["cores"][3]["core"] = "3"
    conv["run"]["samples"] = 2.5
    conv["colour"] = "red"
    del conv["chip"]["title"]
    with pytest.raises(BadInput) as refusal:
        from_json(json.dumps(conv), "r.json")
    places = {finding.where for finding in refusal.value.findings}
    assert places == {"r.json:/mapping/cores/3/core", "r.json:/run/samples", "r.json:/colour", "r.json:/chip/title"}
    assert {finding.code for finding in refusal.value.findings} == {"NE8003"}


def test_a_hopeless_report_is_refused_in_a_few_lines(conv: dict[str, Any]) -> None:
    for core in conv["mapping"]["cores"]:
        core["tile"] = "none"
    with pytest.raises(BadInput) as refusal:
        from_json(json.dumps(conv))
    assert len(refusal.value.findings) == FINDINGS_SHOWN + 1
    assert "40 more" in refusal.value.findings[-1].message


def _numbers(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(node, dict):
        for key, part in node.items():
            yield from _numbers(part, (*path, key))
    elif isinstance(node, list):
        for position, part in enumerate(node[:2]):
            yield from _numbers(part, (*path, position))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield path


def test_no_text_passes_for_a_number(digits: dict[str, Any]) -> None:
    digits["run"]["raster"] = digits["run"]["tick_time_s"] = digits["run"]["busiest_core"] = None
    digits["cost"]["sets"] = digits["cost"]["sets"][:1]
    for path in _numbers(digits):
        broken = copy.deepcopy(digits)
        owner = broken
        for key in path[:-1]:
            owner = owner[key]
        owner[path[-1]] = "7"
        with pytest.raises(BadInput):
            from_json(json.dumps(broken))
