"""Published powers beside those of full-chip runs: every rate and synaptic event is counted, none is typed in."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from neuroemu.families.truenorth.published import POINTS, Outcome, outcomes
from neuroemu.spec import load_chip

pytestmark = pytest.mark.compiled

CHIP: Any = load_chip("truenorth")
REPOSITORY = Path(__file__).resolve().parents[3]
SWEEP = ("sweep_12hz", "sweep_20hz", "sweep_96hz")


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, float, float | None], Outcome]:
    """(workload, rate, supply) -> outcome; all points on all cores, one after the other."""
    return {
        (outcome.point.workload, outcome.point.rate_hz, outcome.point.supply_v): outcome for outcome in outcomes(CHIP)
    }


@pytest.fixture(scope="module")
def by_workload(found: dict[Any, Outcome]) -> dict[str, list[Outcome]]:
    groups: dict[str, list[Outcome]] = {}
    for outcome in found.values():
        groups.setdefault(outcome.point.workload, []).append(outcome)
    return groups


def test_every_point_was_run_on_the_whole_chip_at_its_rate(found: dict[Any, Outcome]) -> None:
    assert len(found) == len(POINTS)
    for outcome in found.values():
        point = outcome.point
        assert outcome.rate_hz == pytest.approx(point.rate_hz, rel=0.005)
        events = outcome.rate_hz * point.synapses * point.cores * 256
        assert outcome.events_per_s == pytest.approx(events, rel=0.01)


def test_the_sweep_is_met_at_its_fitted_ends_and_within_two_percent_in_the_middle(by_workload: Any) -> None:
    low, middle, high = (by_workload[name][0] for name in SWEEP)
    assert [outcome.published_w for outcome in (low, middle, high)] == [68e-3, 71e-3, 94e-3]
    assert abs(low.deviation) < 0.005 and abs(high.deviation) < 0.005
    assert abs(middle.deviation) < 0.02


def test_72_milliwatts_lie_in_the_band_of_the_run_at_their_voltage(by_workload: Any) -> None:
    (outcome,) = by_workload["recurrent_20hz_0v775"]
    assert outcome.published_w == 72e-3 and outcome.inside and abs(outcome.deviation) < 0.15


def test_63_milliwatts_of_object_detection_lie_in_the_band_from_idle_to_20_hz(by_workload: Any) -> None:
    for outcome in by_workload["object_detection"]:
        assert outcome.published_w == 63e-3 and outcome.inside and abs(outcome.deviation) < 0.15


def test_the_highest_throughput_lies_in_its_band_and_is_missed_most_without_a_voltage(by_workload: Any) -> None:
    at_fit, at_0v75 = sorted(by_workload["peak_58_gsops"], key=lambda outcome: outcome.point.supply_v or 0)
    assert at_fit.events_per_s == pytest.approx(58e9, rel=0.01)
    assert at_fit.inside and at_0v75.inside
    assert at_fit.deviation > 0.15 and abs(at_0v75.deviation) < 0.05


def test_the_idle_floor_is_static_power_alone(found: dict[Any, Outcome]) -> None:
    idle = found["no_activity_0v70", 0.0, 0.70]
    assert idle.events_per_s == 0 and idle.power_w.value == pytest.approx(64.43e-3 * 0.875**3)
    assert abs(idle.deviation) < 0.05 and idle.inside
    assert found["object_detection", 0.0, None].power_w.value == pytest.approx(64.43e-3)


def test_every_deviation_is_one_that_the_chip_file_states(by_workload: Any) -> None:
    stated = {item.workload: item for item in CHIP.validation.accuracy["static_marginal"]}
    assert stated.keys() == by_workload.keys() - {"sweep_12hz", "sweep_96hz"}
    for workload, comparison in stated.items():
        for outcome in by_workload[workload]:
            assert comparison.low.value - 0.002 <= outcome.deviation <= comparison.high.value + 0.002


def test_the_table_in_the_documentation_is_current(found: dict[Any, Outcome]) -> None:
    table = runpy.run_path(str(REPOSITORY / "tools" / "truenorth_full_chip.py"))["table"](CHIP, found.values())
    assert table in (REPOSITORY / "docs" / "chips" / "truenorth.md").read_text(encoding="utf-8")
