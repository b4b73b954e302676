"""What a Loihi 1 compartment does in one tick, in numbers a chip engineer can check by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu import arith
from neuroemu.emulator.runner import NEVER
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.image import CompartmentProfile
from tests.families.loihi.programs import Core, booted, program
from tests.families.loihi.words import Truth, Word

HIGHEST = (1 << 23) - 1
LOWEST = 1 - (1 << 23)
NO_LEAK = 4096
NO_CURRENT_LEFT = 0


# ------------------------------------------------------------------------------------------------ threshold, reset


def test_spike_needs_potential_strictly_above_threshold() -> None:
    assert not dynamics.fires(6400, 100 << dynamics.THRESHOLD_SHIFT)
    assert dynamics.fires(6401, 100 << dynamics.THRESHOLD_SHIFT)


def test_a_spike_sets_the_membrane_to_zero_and_loses_what_exceeds_the_threshold() -> None:
    assert dynamics.after_spike(True, 9000) == 0
    assert dynamics.after_spike(False, 9000) == 9000


def test_a_refractory_period_of_one_lets_a_neuron_fire_in_consecutive_ticks() -> None:
    assert dynamics.refractory_after(True, 0, 1) == 0


def test_a_refractory_counter_holds_the_membrane_at_zero_until_it_is_empty() -> None:
    counter = dynamics.refractory_after(True, 0, 4)
    held = []
    for _ in range(5):
        held.append(dynamics.held_at_reset(1000, counter) == 0)
        counter = dynamics.refractory_after(False, counter, 4)
    assert held == [True, True, True, False, False]
    assert counter == 0


# ------------------------------------------------------------------------------------------------ current


@pytest.mark.parametrize(("before", "after"), [(1000, 499), (-1000, -499), (1, 0), (-1, 0)])
def test_current_decay_rounds_the_magnitude_toward_zero(before: int, after: int) -> None:
    register = 2048
    assert dynamics.current(before, 0, dynamics.DECAY_ONE - (register + 1)) == after


def test_the_largest_decay_register_lets_a_current_live_one_tick() -> None:
    assert dynamics.current(HIGHEST, 640, dynamics.DECAY_ONE - (4095 + 1)) == 640


def test_the_accumulator_wraps_beyond_21_bits() -> None:
    limit = 1 << 21
    assert dynamics.current(0, limit - 64, NO_CURRENT_LEFT) == limit - 64
    assert dynamics.current(0, limit, NO_CURRENT_LEFT) == -limit
    assert dynamics.current(0, -limit - 64, NO_CURRENT_LEFT) == limit - 64
    assert not dynamics.wraps(0, limit - 64, NO_CURRENT_LEFT)
    assert dynamics.wraps(0, limit, NO_CURRENT_LEFT)


def test_the_current_wraps_beyond_23_bits() -> None:
    kept = dynamics.DECAY_ONE
    assert dynamics.current(HIGHEST, 64, kept) == -(1 << 23) + 63
    assert dynamics.wraps(HIGHEST, 64, kept)
    assert not dynamics.wraps(HIGHEST - 64, 64, kept)


# ------------------------------------------------------------------------------------------------ membrane


@pytest.mark.parametrize(("before", "after"), [(999, 874), (-999, -874), (7, 6), (-7, -6)])
def test_membrane_leak_rounds_the_magnitude_toward_zero(before: int, after: int) -> None:
    assert dynamics.membrane(before, 0, 0, NO_LEAK - 512, LOWEST, HIGHEST) == after


def test_the_membrane_saturates_and_never_wraps() -> None:
    assert dynamics.membrane(HIGHEST, 1, 0, NO_LEAK, LOWEST, HIGHEST) == HIGHEST
    assert dynamics.membrane(LOWEST, -1, 0, NO_LEAK, LOWEST, HIGHEST) == LOWEST
    assert dynamics.saturates(HIGHEST, 1, 0, NO_LEAK, LOWEST, HIGHEST)
    assert not dynamics.saturates(HIGHEST - 1, 1, 0, NO_LEAK, LOWEST, HIGHEST)


def test_the_sum_of_current_and_bias_wraps_before_it_reaches_the_membrane() -> None:
    assert dynamics.membrane(0, HIGHEST, 1, NO_LEAK, LOWEST, HIGHEST) == LOWEST
    assert dynamics.saturates(0, HIGHEST, 1, NO_LEAK, LOWEST, HIGHEST)


@pytest.mark.parametrize(("register", "lowest"), [(0, 0), (1, -1), (10, -1023), (23, LOWEST)])
def test_the_vmin_register_gives_the_lowest_membrane(register: int, lowest: int) -> None:
    assert dynamics.lowest_membrane(register) == lowest
    assert dynamics.membrane(0, -(1 << 22), 0, NO_LEAK, lowest, HIGHEST) == max(lowest, -(1 << 22))


@pytest.mark.parametrize(("register", "highest"), [(0, 511), (3, (1 << 15) - 1), (7, HIGHEST)])
def test_the_vmax_register_gives_the_highest_membrane(register: int, highest: int) -> None:
    assert dynamics.highest_membrane(register) == highest
    assert dynamics.membrane(0, 1 << 22, 0, NO_LEAK, LOWEST, highest) == min(highest, 1 << 22)


def test_a_bias_is_a_mantissa_times_a_power_of_two() -> None:
    assert dynamics.bias(-4095, 7) == -524160
    assert dynamics.bias(5, 0) == 5


# ------------------------------------------------------------------------------------------------ weights


@pytest.mark.parametrize(
    ("weight", "dropped", "kept"), [(255, 1, 254), (-255, 1, -254), (-1, 1, 0), (127, 4, 112), (-127, 4, -112)]
)
def test_a_mantissa_is_cut_toward_zero(weight: int, dropped: int, kept: int) -> None:
    assert dynamics.stored_mantissa(weight, dropped) == kept


@pytest.mark.parametrize(
    ("weight", "exponent", "on_chip"),
    [(254, 0, 16256), (254, 2, 65024), (3, -1, 64), (-3, -1, -128), (-1, -8, -64), (1, -8, 0)],
)
def test_a_negative_exponent_cuts_a_weight_down_to_a_multiple_of_64(weight: int, exponent: int, on_chip: int) -> None:
    assert dynamics.synaptic_weight(weight, 0, exponent) == on_chip


def test_the_largest_weight_is_64_below_two_to_the_21() -> None:
    assert dynamics.synaptic_weight(-256, 1, 7) == -((1 << 21) - 64)
    assert dynamics.synaptic_weight(254, 1, 7) == 254 << 13


# ------------------------------------------------------------------------------------------------ noise


@pytest.mark.parametrize(
    ("draw", "offset", "exponent", "noise"), [(127, 0, 7, 127), (-127, 1, 7, -63), (0, -2, 8, -256), (-3, 0, 6, -2)]
)
def test_noise_is_a_draw_around_a_mean_scaled_by_its_exponent(
    draw: int, offset: int, exponent: int, noise: int
) -> None:
    assert dynamics.noise(draw, offset, exponent) == noise


# ------------------------------------------------------------------------------------------------ one source, three readers

STATE = st.integers(-(1 << 23), HIGHEST)
RANGE_OF: dict[str, st.SearchStrategy[int]] = {
    "value": st.integers(-(1 << 30), 1 << 30),
    "low": st.integers(-(1 << 23), 0),
    "high": st.integers(0, 1 << 23),
    "lowest": st.integers(-(1 << 23), 0),
    "highest": st.integers(0, HIGHEST),
    "bits": st.integers(1, 23),
    "factor": st.integers(0, 4096),
    "retain": st.integers(0, 4096),
    "weight": st.integers(-256, 255),
    "dropped_bits": st.integers(0, 8),
    "exponent": st.integers(-8, 7),
    "u": STATE,
    "v": STATE,
    "arriving": st.integers(-(1 << 26), 1 << 26),
    "bias": st.integers(-4095 << 7, 4095 << 7),
    "mantissa": st.integers(-4095, 4095),
    "refractory": st.integers(0, 63),
    "period": st.integers(1, 63),
    "threshold": st.integers(0, 131071 << 6),
    "draw": st.integers(-127, 127),
    "offset": st.integers(-128, 127),
    "spiked": st.booleans(),
}
UNSIGNED_EXPONENTS = {"bias", "lowest_membrane", "highest_membrane"}
RULES = [rule for rule in arith.RULES if rule.__module__ in ("neuroemu.arith", dynamics.__name__)]


def arguments_of(rule: Callable[..., Any]) -> st.SearchStrategy[dict[str, int]]:
    """Integers in the range that each parameter has on the chip, by its name."""
    ranges = {name: RANGE_OF[name] for name in inspect.signature(rule).parameters}
    if rule.__name__ in UNSIGNED_EXPONENTS:
        ranges["exponent"] = st.integers(0, 7)
    return st.fixed_dictionaries(ranges)


def as_word(value: int | bool) -> Word | Truth:
    return Truth(value) if isinstance(value, bool) else Word(value)


def plain(result: Any) -> Any:
    """What a word or a condition stands for."""
    return {Word: lambda: result.value, Truth: lambda: result.holds}.get(type(result), lambda: result)()


def test_the_loihi_rules_are_collected() -> None:
    assert {"current", "membrane", "fires", "synaptic_weight", "noise"} <= {rule.__name__ for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.__module__.split('.')[-1]}.{rule.__name__}")
@given(data=st.data())
@settings(max_examples=25)
def test_every_rule_runs_on_words_without_a_branch_and_means_the_same(
    rule: Callable[..., Any], data: st.DataObject
) -> None:
    arguments = data.draw(arguments_of(rule))
    on_words = rule(**{name: as_word(value) for name, value in arguments.items()})
    assert plain(on_words) == rule(**arguments)


def tick_of(neuron: dict[str, int], registers: dict[str, int]) -> dict[str, int]:
    """One tick of one compartment, rule after rule."""
    arriving = neuron["arriving"] << dynamics.WEIGHT_SHIFT
    keep_current = dynamics.DECAY_ONE - (registers["current_decay"] + 1)
    keep_membrane = dynamics.DECAY_ONE - registers["membrane_decay"]
    drive = dynamics.bias(registers["bias_mantissa"], registers["bias_exponent"])
    low, high = dynamics.lowest_membrane(registers["vmin"]), dynamics.highest_membrane(registers["vmax"])
    u = dynamics.current(neuron["u"], arriving, keep_current)
    v = dynamics.membrane(neuron["v"], u, drive, keep_membrane, low, high)
    v = dynamics.held_at_reset(v, neuron["refractory"])
    spiked = dynamics.fires(v, registers["threshold"] << dynamics.THRESHOLD_SHIFT)
    return {
        "u": u,
        "v": dynamics.after_spike(spiked, v),
        "refractory": dynamics.refractory_after(spiked, neuron["refractory"], registers["refractory"]),
        "spiked": spiked,
        "wraps": dynamics.wraps(neuron["u"], arriving, keep_current),
        "saturations": dynamics.saturates(neuron["v"], u, drive, keep_membrane, low, high),
        "active": bool(neuron["u"] or neuron["v"] or arriving or drive),
    }


NEURON = st.fixed_dictionaries(
    {
        "u": STATE,
        "v": st.integers(LOWEST, HIGHEST),
        "refractory": st.integers(0, 63),
        "arriving": st.integers(-(1 << 18), 1 << 18),
    }
)
REGISTERS = st.fixed_dictionaries(
    {
        "current_decay": st.integers(0, 4095),
        "membrane_decay": st.integers(0, 4095),
        "refractory": st.integers(1, 63),
        "threshold": st.integers(0, 131071),
        "bias_mantissa": st.integers(-4095, 4095),
        "bias_exponent": st.integers(0, 7),
        "vmin": st.integers(0, 23),
        "vmax": st.integers(0, 7),
    }
)


@given(st.lists(NEURON, min_size=1, max_size=8), REGISTERS)
@settings(max_examples=60)
def test_the_compiled_tick_equals_the_rules(neurons: list[dict[str, int]], registers: dict[str, int]) -> None:
    profile = CompartmentProfile(*(registers[name] for name in ("current_decay", "membrane_decay", "refractory")))
    bias = (registers["bias_mantissa"], registers["bias_exponent"])
    bounds = (registers["vmin"], registers["vmax"])
    core = Core(len(neurons), profile, registers["threshold"], bias, bounds=bounds)
    engine = booted(program(core))
    state = engine.shards[0].state
    for name, column in (("u", state.u), ("v", state.v), ("refractory", state.refractory)):
        column[:] = [neuron[name] for neuron in neurons]
    state.arriving[1] = [neuron["arriving"] for neuron in neurons]
    nobody = np.zeros(0, np.int32)
    chunk = engine.advance(1, 2, NEVER, np.zeros(2, np.int64), nobody, np.arange(len(neurons)))
    expected = [tick_of(neuron, registers) for neuron in neurons]
    assert state.u.tolist() == chunk.probes["u"][0].tolist() == [tick["u"] for tick in expected]
    assert state.v.tolist() == chunk.probes["v"][0].tolist() == [tick["v"] for tick in expected]
    assert state.refractory.tolist() == [tick["refractory"] for tick in expected]
    assert chunk.spike_source.tolist() == [number for number, tick in enumerate(expected) if tick["spiked"]]
    for name in ("wraps", "saturations"):
        assert chunk.range_events[name].tolist() == [sum(tick[name] for tick in expected)]
    assert chunk.active.tolist() == [[sum(tick["active"] for tick in expected)]]
    assert not state.arriving.any()
