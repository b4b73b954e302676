"""Rules in 32 bits give what the rules give, wherever their caller may use them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.arith import RULES
from neuroemu.emulator.compiled import njit
from neuroemu.emulator.narrow import low_word, narrow, within
from neuroemu.families.lifcore import core, dynamics
from neuroemu.families.loihi import dynamics as loihi

_narrow_tick = narrow(dynamics.tick)


@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=20), st.integers(0, 30))
def test_within_sees_every_value(values: list[int], bits: int) -> None:
    inside = all(-(1 << bits) <= value < 1 << bits for value in values)
    assert within(np.array(values, np.int32), bits) == inside


def test_low_words_wrap_and_truth_values_stay() -> None:
    assert low_word(1 << 31) == -(1 << 31)
    assert low_word(-(1 << 31) - 1) == (1 << 31) - 1
    assert low_word(True) is True


def test_a_narrow_rule_is_compiled_once_and_calls_narrow_rules() -> None:
    assert narrow(dynamics.tick) is narrow(dynamics.tick)
    inner = narrow(dynamics.leak).__globals__["scaled"]
    assert inner is narrow(dynamics.scaled)
    assert dynamics.scaled in RULES


@st.composite
def calm_neurons(draw: st.DrawFn) -> dict[str, int]:
    """Registers and states that the core's kernel would compute in 32 bits."""
    bits = draw(st.integers(5, 32))
    mode = draw(st.sampled_from([dynamics.LEAK_SCALE, dynamics.LEAK_SHIFT, dynamics.LEAK_CONSTANT]))
    accumulator_bits = draw(st.integers(2, 32))
    room = min(bits - 4, 28, accumulator_bits - 1)
    small = st.integers(-(1 << room), (1 << room) - 1)
    static = st.integers(1 - (1 << room), (1 << room) - 1)
    most = {dynamics.LEAK_SCALE: 4096, dynamics.LEAK_SHIFT: 31, dynamics.LEAK_CONSTANT: (1 << room) - 1}[mode]
    shift = draw(st.integers(0, room))
    return {
        "u": draw(small),
        "v": draw(small),
        "refractory": draw(st.integers(0, 3)),
        "arriving": draw(st.integers(-(1 << room - shift), (1 << room - shift) - 1)),
        "bias": draw(static),
        "threshold": draw(st.one_of(static, st.just((1 << 31) - 1))),
        "input_shift": shift,
        "current_keep": draw(st.integers(0, 4096)),
        "leak_mode": mode,
        "leak_amount": draw(st.integers(0, most)),
        "compare": draw(st.integers(0, 1)),
        "reset": draw(st.integers(0, 2)),
        "reset_value": draw(static),
        "period": draw(st.integers(0, 65535)),
        "overflow": draw(st.integers(0, 1)),
        "bits": bits,
        "accumulator_bits": accumulator_bits,
    }


@given(calm_neurons())
@settings(max_examples=400, deadline=None)
def test_calm_neurons_tick_in_32_bits_as_in_any_number(neuron: dict[str, int]) -> None:
    accumulator_bits = neuron.pop("accumulator_bits")
    room = min(neuron["bits"] - 4, 28, accumulator_bits - 1)
    statics = [neuron["bias"], neuron["reset_value"], min(neuron["threshold"], 0)]
    statics.append(neuron["leak_amount"] if neuron["leak_mode"] == dynamics.LEAK_CONSTANT else 0)
    assert core.room_of(neuron["bits"], accumulator_bits, np.array(statics)) == room
    assert dynamics.arrived(neuron["arriving"], accumulator_bits) == neuron["arriving"]
    expected = dynamics.tick(**neuron)
    assert not expected[4]
    in_kernel = neuron | {"overflow": dynamics.SATURATE, "bits": 32}
    assert tuple(map(int, _narrow_tick(**in_kernel))) == tuple(map(int, expected))


@given(
    st.integers(-(1 << 23), (1 << 23) - 1),
    st.integers(-(1 << 23), (1 << 23) - 1),
    st.integers(-(1 << 21), (1 << 21) - 1),
    st.integers(-(1 << 20), 1 << 20),
    st.integers(0, 4096),
    st.integers(0, 4096),
)
@settings(max_examples=400, deadline=None)
def test_loihi_neurons_of_little_input_tick_in_32_bits_as_in_any_number(
    u: int, v: int, came: int, bias: int, current_retain: int, membrane_retain: int
) -> None:
    bounds = loihi.lowest_membrane(23), loihi.highest_membrane(7)
    current = u, came << loihi.WEIGHT_SHIFT, current_retain
    assert narrow(loihi.current)(*current) == loihi.current(*current)
    assert narrow(loihi.wraps)(*current) == loihi.wraps(*current)
    membrane = v, loihi.current(*current), bias, membrane_retain, *bounds
    assert narrow(loihi.membrane)(*membrane) == loihi.membrane(*membrane)
    assert narrow(loihi.saturates)(*membrane) == loihi.saturates(*membrane)


@njit
def _ticked(values: Any) -> Any:
    done = np.zeros_like(values)
    for position in range(values.shape[0]):
        scaled = _narrow_scaled(values[position], np.int32(4000))
        done[position] = scaled
    return done


_narrow_scaled = narrow(dynamics.scaled)


@pytest.mark.compiled
@given(st.lists(st.integers(1 - (1 << 31), (1 << 31) - 1), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_a_product_that_is_shifted_at_once_keeps_its_64_bits(values: list[int]) -> None:
    assert _ticked(np.array(values, np.int32)).tolist() == [dynamics.scaled(value, 4000) for value in values]
