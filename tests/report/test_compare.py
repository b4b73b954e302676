"""Several chips side by side."""

from __future__ import annotations

import copy
import io
import re
from typing import Any

from rich.console import Console

from neuroemu.report import compare


def printed(reports: list[dict[str, Any]], color: bool = False) -> str:
    """What the comparison looks like."""
    stream = io.StringIO()
    console = Console(file=stream, width=120, force_terminal=color, color_system="standard" if color else None)
    compare.render(reports, console)
    return stream.getvalue()


def _twice_as_fast(report: dict[str, Any]) -> dict[str, Any]:
    other = copy.deepcopy(report)
    other["chip"].update(name="loihi1-fast", title="A faster Loihi 1")
    time = other["cost"]["sets"][0]["time"]
    for key in ("total_s", "per_inference_s", "low_s", "high_s"):
        time[key] /= 2
    return other


def test_chips_are_columns(digits: dict[str, Any]) -> None:
    text = printed([digits, _twice_as_fast(digits)])
    assert re.search(r"loihi1 +loihi1-fast", text)
    assert re.search(r"time per inference +58\.8 µs +29\.4 µs", text)
    assert re.search(r"accuracy +96\.0 % +96\.0 %", text)
    assert re.search(r"loss against float +1\.0 points +1\.0 points", text)
    assert re.search(r"I/O, not in it +unknown +unknown", text)
    assert "NE8004" not in text


def test_the_better_value_is_bold_and_equal_ones_are_not(digits: dict[str, Any]) -> None:
    text = printed([digits, _twice_as_fast(digits)], color=True)
    time = next(line for line in text.splitlines() if "time per inference" in line)
    assert re.search(r"\x1b\[1m *29\.4 µs", time) or "\x1b[1m29.4 µs" in time
    assert not re.search(r"\x1b\[1m *58\.8 µs", time)
    accuracy = next(line for line in text.splitlines() if "accuracy" in line)
    assert "\x1b[1m" not in accuracy


def test_a_chip_that_refuses_the_network_has_a_column_of_unknowns(
    digits: dict[str, Any], refused: dict[str, Any]
) -> None:
    refused["network"] = digits["network"]
    text = printed([digits, refused])
    assert re.search(r"verdict +Fits, 1 warning +Does not fit", text)
    assert re.search(r"energy per inference +4\.55 µJ +unknown", text)


def test_reports_of_different_networks_are_marked(digits: dict[str, Any], conv: dict[str, Any]) -> None:
    text = printed([digits, conv])
    assert "NE8004" in text
    assert re.search(r"loihi1 \(digits_mlp\) +loihi1 \(nmnist_cnn\)", text)


def test_nothing_to_compare_prints_nothing() -> None:
    assert printed([]) == ""


def test_unknown_figures_stay_unknown(unknown: dict[str, Any]) -> None:
    text = printed([unknown, unknown])
    assert re.search(r"time per inference +unknown +unknown", text)
    assert re.search(r"accuracy +unknown +unknown", text)
