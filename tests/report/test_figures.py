"""Numbers as a reader meets them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.report import figures


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.36e-11, "J", "23.6 pJ"),
        (0.0, "J", "0 J"),
        (1048576, "bit", "128 KiB"),
        (None, "J", "unknown"),
        (math.nan, "s", "unknown"),
    ],
)
def test_quantities(value: float | None, unit: str, text: str) -> None:
    assert figures.quantity(value, unit).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (5.9e-6, 7.31e-6, "5.9 – 7.31 µJ"),
        (9e-8, 7.31e-6, "90 nJ – 7.31 µJ"),
        (1e-6, 1e-6, "1 µJ"),
        (None, 1e-6, "unknown"),
        (1e-6, None, "unknown"),
    ],
)
def test_a_band_names_its_unit_once_where_both_ends_share_it(low: float | None, high: float | None, text: str) -> None:
    assert figures.band(low, high, "J").replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (1234567, "1 234 567"), (0.123456, "0.123"), (1234.5, "1 234"), (None, "unknown")]
)
def test_counts(value: float | None, text: str) -> None:
    assert figures.count(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(("value", "text"), [(9999, "9 999"), (1234567, "1.23 M"), (None, "unknown")])
def test_short_counts(value: float | None, text: str) -> None:
    assert figures.short_count(value).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.964, "96.4 %"),
        (0.0, "0.0 %"),
        (1.0, "100.0 %"),
        (1e-6, "< 0.1 %"),
        (0.99999, "> 99.9 %"),
        (None, "unknown"),
    ],
)
def test_a_share_is_only_called_none_or_all_when_it_is(fraction: float | None, text: str) -> None:
    assert figures.percent(fraction).replace("\u202f", " ") == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [(-0.01, "−1.0 points"), (0.02, "+2.0 points"), (1e-9, "±0.0 points"), (None, "unknown")],
)
def test_points_are_signed(difference: float | None, text: str) -> None:
    assert figures.points(difference).replace("\u202f", " ") == text


def test_a_ratio_with_an_unknown_or_empty_side_is_unknown() -> None:
    assert figures.ratio(None, 2) is None
    assert figures.ratio(1, None) is None
    assert figures.ratio(0, 0) is None
    assert figures.ratio(1, 2) == 0.5


def test_keys_read_as_words() -> None:
    assert figures.words("synapse_memory_bits") == "synapse memory"
    assert figures.words("input_axons") == "input axons"


@given(st.floats(min_value=1e-15, max_value=1e15))
def test_an_axis_ends_at_a_round_number_not_far_above_its_largest_value(value: float) -> None:
    end = figures.round_up(value)
    assert value <= end * (1 + 1e-8)
    assert end <= 1.5 * value * (1 + 1e-8)


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_an_axis_without_values_still_has_an_end(value: float) -> None:
    assert figures.round_up(value) == 1.0


@given(st.floats(allow_nan=True, allow_infinity=True) | st.none())
def test_every_number_has_a_text(value: float | None) -> None:
    for text in (figures.plain(value), figures.count(value), figures.percent(value), figures.quantity(value, "J")):
        assert text
        assert "nan" not in text and "inf" not in text
