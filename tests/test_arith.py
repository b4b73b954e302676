"""Integer rules mean the same on Python ints and on a prover's words, and keep their ranges."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu import arith
from neuroemu.arith import clamp, rule, scale_toward_zero, select, shift, wrap

pytestmark = pytest.mark.interpreted

INTEGERS = st.integers(-(1 << 40), 1 << 40)
BITS = st.integers(1, 30)


@given(INTEGERS, BITS)
def test_wrapping_twice_is_wrapping_once(value: int, bits: int) -> None:
    assert wrap(wrap(value, bits), bits) == wrap(value, bits)


@given(INTEGERS, BITS)
def test_a_wrapped_value_differs_by_whole_turns_and_lies_in_range(value: int, bits: int) -> None:
    wrapped = wrap(value, bits)
    assert -(1 << bits) <= wrapped < 1 << bits
    assert (wrapped - value) % (1 << (bits + 1)) == 0


@pytest.mark.parametrize(("value", "wrapped"), [(7, 7), (8, -8), (-8, -8), (-9, 7), (16, 0), (-16, 0)])
def test_three_bits_and_a_sign_wrap_like_twos_complement(value: int, wrapped: int) -> None:
    assert wrap(value, 3) == wrapped


@given(INTEGERS, INTEGERS, st.integers(0, 1 << 40))
def test_a_clamped_value_lies_in_range_and_moves_only_from_outside(value: int, low: int, span: int) -> None:
    clamped = clamp(value, low, low + span)
    assert low <= clamped <= low + span
    assert clamped == value or clamped in (low, low + span)
    assert clamp(clamped, low, low + span) == clamped


@given(INTEGERS, st.integers(0, 4096))
def test_scaling_treats_both_signs_alike_and_never_grows(value: int, factor: int) -> None:
    scaled = scale_toward_zero(value, factor, 12)
    assert scale_toward_zero(-value, factor, 12) == -scaled
    assert abs(scaled) <= abs(value)
    assert 0 <= abs(value) * factor - (abs(scaled) << 12) < 4096


@pytest.mark.parametrize(
    ("value", "exponent", "shifted"), [(3, 2, 12), (-3, 2, -12), (7, -1, 3), (-7, -1, -4), (-1, -8, -1), (5, 0, 5)]
)
def test_a_negative_exponent_rounds_toward_minus_infinity(value: int, exponent: int, shifted: int) -> None:
    assert shift(value, exponent) == shifted


def test_select_asks_a_condition_that_is_not_a_python_bool() -> None:
    class Condition:
        def __bool__(self) -> bool:
            raise TypeError("a symbolic condition has no truth value")

        def ite(self, when_true: object, when_false: object) -> tuple[object, object]:
            return when_true, when_false

    assert select(Condition(), 1, 2) == (1, 2)
    assert (select(True, 1, 2), select(False, 1, 2)) == (1, 2)


def test_a_rule_is_collected_and_stays_the_same_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arith, "RULES", [])

    def double(value: int) -> int:
        return value + value

    assert rule(double) is double
    assert [rule.__name__ for rule in arith.RULES] == ["double"]
