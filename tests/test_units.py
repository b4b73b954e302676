"""Quantities convert exactly in both directions and refuse what they do not know."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.units import Measure, format_exact, format_si, known_units, nearest_unit, parse_quantity


@pytest.mark.parametrize(
    ("text", "value", "unit", "dimension"),
    [
        ("23.6 pJ", 23.6e-12, "J", "energy"),
        ("3.5 ns", 3.5e-9, "s", "time"),
        ("14.3 µs", 14.3e-6, "s", "time"),
        ("14.3 us", 14.3e-6, "s", "time"),
        ("2 min", 120.0, "s", "time"),
        ("104.4 mW", 0.1044, "W", "power"),
        ("0.75 V", 0.75, "V", "voltage"),
        ("128 KiB", 1_048_576, "bit", "information"),
        ("2 Mbit", 2_000_000, "bit", "information"),
        ("64 bit", 64, "bit", "information"),
        ("3.44 Gspike/s", 3.44e9, "spike/s", "count of spike per time"),
        ("72 fJ/bit", 72e-15, "J/bit", "energy per information"),
        ("1.78 uW/MHz", 1.78e-12, "W/Hz", "power per frequency"),
        ("60 mm2", 60e-6, "m²", "area"),
        ("11.7 %", 0.117, "1", "ratio"),
        ("1024", 1024, "1", "count"),
        ("-8", -8, "1", "count"),
        ("1e3", 1000, "1", "count"),
    ],
)
def test_quantity_is_the_nearest_number_to_what_is_written(text, value, unit, dimension):
    assert parse_quantity(text) == Measure(value, unit, dimension)


def test_bits_and_counts_are_integers_and_physical_quantities_are_floats():
    assert type(parse_quantity("128 KiB").value) is int
    assert type(parse_quantity("1024").value) is int
    assert type(parse_quantity("3 J").value) is float


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("23.6 pj", "'pJ'"), ("12 KB", "KiB"), ("5 nsec", "'ns'"), ("3 mw", "'mW'"), ("1 q/r", "known units")],
)
def test_unknown_unit_names_the_nearest_known_one(text, suggestion):
    with pytest.raises(BadInput) as refused:
        parse_quantity(text)
    (finding,) = refused.value.findings
    assert finding.code == "NE2023"
    assert suggestion in finding.fixes[0]


@pytest.mark.parametrize(
    "text", ["", "pJ", "nan J", "inf s", "1..2 J", "1e999 J", "1e-999 J", "9" * 100, "1,5 pJ", "0x10"]
)
def test_text_that_is_no_finite_number_is_refused(text):
    with pytest.raises(BadInput):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (131072 * 52e-12, "J", "6.82 µJ"),
        (999.9995e-9, "s", "1 µs"),
        (33e-12, "J", "33 pJ"),
        (0.0, "W", "0 W"),
        (-0.00123, "V", "-1.23 mV"),
        (1_048_576, "bit", "128 KiB"),
        (1_000_000, "bit", "122 KiB"),
        (64, "bit", "64 bit"),
        (131072, "1", "131072"),
        (3.44e9, "spike/s", "3.44 Gspike/s"),
        (60e-6, "m²", "60 mm²"),
        (0.117, "%", "11.7 %"),
        (math.inf, "s", "Infinity s"),
    ],
)
def test_people_read_three_digits_and_a_prefix(value, unit, text):
    assert format_si(value, unit) == text


@given(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["J", "s", "W", "V", "m²", "spike/s", "J/bit"])
)
def test_exact_spelling_reads_back_to_the_same_float(value, unit):
    assert parse_quantity(format_exact(value, unit)) == Measure(value, unit, parse_quantity(f"1 {unit}").dimension)


@given(st.integers(-(2**62), 2**62), st.sampled_from(["1", "bit"]))
def test_exact_spelling_reads_back_to_the_same_integer(value, unit):
    assert parse_quantity(format_exact(value, unit)).value == value


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    try:
        measure = parse_quantity(text)
    except BadInput:
        return
    assert math.isfinite(measure.value)


def test_every_known_unit_is_its_own_nearest_unit_up_to_case():
    for unit in known_units():
        assert nearest_unit(unit).casefold() == unit.casefold()
        assert parse_quantity(f"1 {unit}").unit
