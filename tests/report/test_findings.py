"""Findings as a reader meets them."""

from __future__ import annotations

from typing import Any

from neuroemu.errors import Finding
from neuroemu.report.findings import grouped, ordered


def test_what_several_populations_share_is_said_once() -> None:
    shared = [Finding("NE3003", "resets to 0", f"population {name}", ("train so",)) for name in ("a", "b", "c")]
    assert grouped(shared) == (Finding("NE3003", "resets to 0", "populations a, b, c", ("train so",)),)


def test_different_messages_and_places_stay_apart() -> None:
    apart = [
        Finding("NE1", "one", "population a"),
        Finding("NE1", "two", "population b"),
        Finding("NE1", "one", "file.nir"),
        Finding("NE1", "one"),
    ]
    assert len(grouped(apart)) == 4


def test_errors_come_first_and_the_rest_keeps_its_order(conv: dict[str, Any], refused: dict[str, Any]) -> None:
    found = ordered([*conv["findings"], *refused["findings"]])
    assert [finding.severity for finding in found] == ["error"] + ["warning"] * 4 + ["note"] * 3
    assert found[-3].where == "populations conv1, conv2, conv3"
