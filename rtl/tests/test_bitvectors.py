"""The prover's integers agree with Python's and cannot be branched on."""

from __future__ import annotations

from typing import Any

import pytest
from bitwuzla import Bitwuzla, Option, Options, Result, TermManager
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu import arith
from neuroemu.cosim.bitvectors import Number, Truth, number, signed, signed_width, unsigned
from neuroemu.families.lifcore import dynamics

MANAGER = TermManager()
OPTIONS = Options()
OPTIONS.set(Option.PRODUCE_MODELS, True)
POTENTIAL = st.integers(-128, 127)


def free(low_bits: int, *, sign: bool = True) -> Number:
    """An unknown integer of so many bits."""
    term = MANAGER.mk_const(MANAGER.mk_bv_sort(low_bits))
    return signed(MANAGER, term) if sign else unsigned(MANAGER, term)


def value_of(result: Any) -> int:
    """What the solver computes for a number or condition of constants."""
    solver = Bitwuzla(MANAGER, OPTIONS)
    assert solver.check_sat() == Result.SAT
    if isinstance(result, Truth):
        result = result.ite(1, 0)
    bits = str(solver.get_value(result.term).value(2))
    value = int(bits, 2) - (int(bits[0]) << len(bits))
    assert result.low <= value <= result.high
    assert len(bits) == result.width
    return value


def can_be(condition: Truth) -> bool:
    solver = Bitwuzla(MANAGER, OPTIONS)
    solver.assert_formula(condition.term)
    return bool(solver.check_sat() == Result.SAT)


@given(st.integers(-5000, 5000), st.integers(-5000, 5000))
def test_every_operator_computes_what_python_computes(a: int, b: int) -> None:
    x, y = number(MANAGER, a), number(MANAGER, b)
    small = number(MANAGER, b & 15)
    assert [value_of(r) for r in (x + y, x - y, x * y, -x, x & y, x | y, x ^ y)] == [
        a + b,
        a - b,
        a * b,
        -a,
        a & b,
        a | b,
        a ^ b,
    ]
    assert [value_of(r) for r in (x << small, x >> small)] == [a << (b & 15), a >> (b & 15)]
    assert [value_of(r) for r in (x < y, x <= y, x > y, x >= y, x == y, x != y)] == [
        a < b,
        a <= b,
        a > b,
        a >= b,
        a == b,
        a != b,
    ]


@given(st.integers(-5000, 5000), st.integers(0, 5000))
def test_python_integers_stand_on_either_side(a: int, b: int) -> None:
    x = number(MANAGER, b)
    assert [value_of(r) for r in (a + x, a - x, a * x, a & x, a | x, a ^ x)] == [
        a + b,
        a - b,
        a * b,
        a & b,
        a | b,
        a ^ b,
    ]
    assert value_of(a << (x & 7)) == a << (b & 7)
    assert value_of(a >> (x & 7)) == a >> (b & 7)


@settings(max_examples=50)
@given(
    u=POTENTIAL,
    v=POTENTIAL,
    refractory=st.integers(0, 3),
    arriving=POTENTIAL,
    bias=POTENTIAL,
    threshold=POTENTIAL,
    input_shift=st.integers(0, 7),
    current_keep=st.integers(0, 4096),
    leak=st.one_of(*(st.tuples(st.just(mode), st.integers(0, top)) for mode, top in ((0, 4096), (1, 31), (2, 127)))),
    compare=st.integers(0, 1),
    reset=st.integers(0, 2),
    reset_value=POTENTIAL,
    period=st.integers(0, 3),
    overflow=st.integers(0, 1),
)
def test_the_tick_of_a_neuron_is_the_same_on_bit_vectors_and_on_integers(leak: tuple[int, int], **values: int) -> None:
    values |= {"leak_mode": leak[0], "leak_amount": leak[1]}
    on_vectors = dynamics.tick(**{name: number(MANAGER, value) for name, value in values.items()}, bits=8)
    assert tuple(value_of(result) for result in on_vectors) == tuple(map(int, dynamics.tick(**values, bits=8)))


def test_widths_grow_with_every_operation_so_that_nothing_wraps() -> None:
    top = free(8, sign=False)
    assert (top * top).width == signed_width(0, 255 * 255)
    assert not can_be(top * top < 0)
    assert not can_be((top << 8) - top < 0)
    assert can_be(top * top == 255 * 255)


def test_wrapping_and_clamping_bring_a_number_back_to_its_width() -> None:
    wide = free(12)
    assert not can_be(arith.wrap(wide, 7) > 127)
    assert can_be(arith.wrap(wide, 7) == -128)
    assert not can_be(arith.clamp(wide, -128, 127) < -128)
    assert can_be((wide == 300) & (arith.wrap(wide, 7) == 44))


def test_a_branch_in_a_rule_is_an_error() -> None:
    x = free(4)
    with pytest.raises(TypeError, match="branched"):
        assert x > 0
    with pytest.raises(TypeError, match="branched"):
        assert x
    with pytest.raises(TypeError, match="branched"):
        max(x, 3)


def test_computing_with_a_condition_is_an_error() -> None:
    x = free(4)
    with pytest.raises(TypeError, match="no integer"):
        x + (x > 0)
    with pytest.raises(TypeError, match="no integer"):
        x + 1.5


def test_a_shift_by_what_may_be_negative_is_an_error() -> None:
    with pytest.raises(TypeError, match="negative"):
        free(4) << free(4)
    with pytest.raises(TypeError, match="negative"):
        free(4) >> free(4)
