"""Lines from counts and constants: traceable, with bands, and unknown is not zero."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.cost.estimate import (
    EXACT,
    Band,
    EnergyLine,
    Estimate,
    Term,
    band_from_errors,
    dynamic_lines,
    on_chip_total,
    static_line,
)

PJ = 1e-12


@dataclass(frozen=True)
class Number:
    value: float


ENERGIES = {"hop": Number(3 * PJ), "update": Number(52 * PJ)}


def test_a_line_is_count_times_constant_and_says_so() -> None:
    (line,) = dynamic_lines([Term("hops", "network", 12_345, "hop")], ENERGIES, EXACT)
    assert line.value_j == line.low_j == line.high_j == 12_345 * 3 * PJ
    assert (line.formula, line.constants, line.group) == ("12,345 x 3 pJ", ("hop",), "network")


def test_a_band_stretches_a_line_to_the_plausible_truth() -> None:
    (line,) = dynamic_lines([Term("updates", "neuron", 10, "update")], ENERGIES, Band(0.5, 2.0, "a guess"))
    assert (line.low_j, line.value_j, line.high_j) == pytest.approx((260 * PJ, 520 * PJ, 1040 * PJ))


def test_an_estimate_that_was_too_high_means_a_lower_truth() -> None:
    band = band_from_errors([(0.089, 0.2)], "one workload")
    assert (band.low, band.high, band.text) == (pytest.approx(1 / 1.2), 1.0, "one workload")


def test_an_estimate_that_was_too_low_means_a_higher_truth() -> None:
    band = band_from_errors([(-0.5, -0.2)], "")
    assert (band.low, band.high) == (1.0, pytest.approx(2.0))


@given(st.lists(st.tuples(st.floats(-0.9, 9), st.floats(-0.9, 9)), max_size=4))
def test_a_band_always_contains_the_estimate_and_every_measurement(errors: list[tuple[float, float]]) -> None:
    band = band_from_errors(errors, "")
    assert band.low <= 1.0 <= band.high
    for pair in errors:
        for error in pair:
            assert band.low <= 1 / (1 + error) <= band.high


def test_static_energy_lies_between_two_powers_over_the_band_of_the_time() -> None:
    line = static_line("static", 0.03, 0.1, Estimate(2.0, 1.0, 4.0), ("a", "b"))
    assert (line.low_j, line.value_j, line.high_j) == pytest.approx((0.03, 0.13, 0.4))
    assert (line.group, line.formula, line.constants) == ("static", "30 .. 100 mW x 2000 ms", ("a", "b"))


def test_the_total_leaves_out_the_host_and_what_is_unknown() -> None:
    lines = [
        EnergyLine("a", "neuron", 1.0, 0.5, 2.0, ""),
        EnergyLine("b", "static", 2.0, 1.0, 3.0, ""),
        EnergyLine("c", "reset", None, None, None, "not published"),
        EnergyLine("d", "host", 100.0, 100.0, 100.0, ""),
        EnergyLine("e", "io", None, None, None, "not published"),
    ]
    total = on_chip_total(lines)
    assert total is not None
    assert (total.value, total.low, total.high) == (3.0, 1.5, 5.0)
    assert on_chip_total([]) == Estimate(0, 0, 0)


UNKNOWN_LINE = EnergyLine("updates", "neuron", None, None, None, "12 x unknown")


@pytest.mark.parametrize(
    "known",
    [
        [],
        [EnergyLine("synapses", "synapse", 0.0, 0.0, 0.0, "0 x 8 pJ")],
        [EnergyLine("host", "host", 3.0, 3.0, 3.0, "3 J")],
    ],
)
def test_a_total_of_which_nothing_above_zero_is_known_is_unknown(known: list[EnergyLine]) -> None:
    assert on_chip_total([*known, UNKNOWN_LINE]) is None


def test_events_that_the_chip_file_has_no_constant_for_have_no_energy() -> None:
    counted = Term("messages", "network", 1200, "message")
    (line,) = dynamic_lines([counted], {}, EXACT)
    assert (line.value_j, line.low_j, line.high_j) == (None, None, None)
    assert (line.formula, line.constants) == ("1,200 x unknown", ())
