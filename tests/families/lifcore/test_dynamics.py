"""What a neuron of the open LIF core does in one tick, in numbers that can be checked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator.delivery import Links, SynapseLists
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.core import Segments
from neuroemu.families.lifcore.load import assemble
from tests.families.loihi.words import Truth, Word

REGISTERS = {
    "input_shift": 0,
    "current_keep": 0,
    "leak_mode": dynamics.LEAK_SCALE,
    "leak_amount": 4096,
    "compare": dynamics.ABOVE,
    "reset": dynamics.RESET_TO_VALUE,
    "reset_value": 0,
    "period": 0,
    "overflow": dynamics.SATURATE,
    "bits": 32,
}


def tick(*, u: int = 0, v: int = 0, refractory: int = 0, arriving: int = 0, bias: int = 0, **registers: int) -> Any:
    """(u, v, refractory, spiked, left range) after one tick; the threshold is 100 unless given."""
    threshold = registers.pop("threshold", 100)
    return dynamics.tick(u, v, refractory, arriving, bias, threshold, **{**REGISTERS, **registers})


def test_a_spike_needs_a_potential_strictly_above_the_threshold() -> None:
    assert tick(arriving=100)[:4] == (100, 100, 0, False)
    assert tick(arriving=101)[:4] == (101, 0, 0, True)


def test_the_other_comparison_fires_at_the_threshold() -> None:
    assert tick(arriving=99, compare=dynamics.AT_OR_ABOVE)[3] is False
    assert tick(arriving=100, compare=dynamics.AT_OR_ABOVE)[3] is True


def test_a_soft_reset_keeps_what_exceeds_the_threshold() -> None:
    assert tick(arriving=130, reset=dynamics.RESET_SUBTRACT)[1] == 30
    assert tick(arriving=130, reset=dynamics.RESET_NONE)[1] == 130
    assert tick(arriving=130, reset_value=-7)[1] == -7


def test_a_refractory_neuron_is_held_at_its_reset_value_and_its_current_goes_on() -> None:
    u, v, counter, spiked, _ = tick(u=80, v=5, refractory=2, arriving=500, current_keep=2048, reset_value=3, period=9)
    assert (u, v, counter, spiked) == (540, 3, 1, False)


def test_a_refractory_period_of_two_leaves_two_silent_ticks_between_spikes() -> None:
    fired, v, counter = [], 0, 0
    for _ in range(7):
        _, v, counter, spiked, _ = tick(v=v, refractory=counter, arriving=500, period=2)
        fired.append(spiked)
    assert fired == [True, False, False, True, False, False, True]


@pytest.mark.parametrize(("before", "after"), [(1001, 500), (-1001, -500), (1, 0), (-1, 0)])
def test_a_factor_leak_rounds_toward_zero(before: int, after: int) -> None:
    assert tick(v=before, leak_amount=2048, threshold=10**6)[1] == after


@pytest.mark.parametrize(("before", "after"), [(1000, 875), (-1000, -875), (7, 7), (-7, -7)])
def test_a_shift_leak_takes_the_whole_part_of_an_eighth(before: int, after: int) -> None:
    assert tick(v=before, leak_mode=dynamics.LEAK_SHIFT, leak_amount=3, threshold=10**6)[1] == after


@pytest.mark.parametrize(("before", "after"), [(50, 20), (-50, -20), (30, 0), (-29, 0), (0, 0)])
def test_a_constant_leak_stops_at_zero(before: int, after: int) -> None:
    assert tick(v=before, leak_mode=dynamics.LEAK_CONSTANT, leak_amount=30)[1] == after


def test_a_potential_saturates_or_wraps_at_its_width_and_says_so() -> None:
    wide = {"bits": 8, "threshold": 127}
    assert tick(v=120, arriving=20, **wide)[1::3] == (127, True)
    assert tick(v=120, arriving=20, overflow=dynamics.WRAP, **wide)[1::3] == (-116, True)
    assert tick(v=100, arriving=20, **wide)[1::3] == (120, False)


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), max_size=50), st.integers(2, 32))
def test_an_accumulator_that_wraps_at_every_addition_ends_like_one_that_wraps_once(
    weights: list[int], bits: int
) -> None:
    stepwise = 0
    for weight in weights:
        stepwise = dynamics.arrived(stepwise + weight, bits)
    assert stepwise == dynamics.arrived(sum(weights), bits)
    assert stepwise == dynamics.arrived(dynamics.arrived(sum(weights), 32), bits)


def test_an_accumulator_holds_its_extremes_and_wraps_beyond_them() -> None:
    assert [dynamics.arrived(total, 16) for total in (32767, 32768, -32768, -32769)] == [32767, -32768, -32768, 32767]


ANY = {
    "u": st.integers(-500, 500),
    "v": st.integers(-(1 << 15), (1 << 15) - 1),
    "refractory": st.integers(0, 3),
    "arriving": st.integers(-40000, 40000),
    "bias": st.integers(-300, 300),
    "threshold": st.integers(-500, 500),
    "input_shift": st.integers(0, 8),
    "current_keep": st.integers(0, 4096),
    "compare": st.integers(0, 1),
    "reset": st.integers(0, 2),
    "reset_value": st.integers(-300, 300),
    "period": st.integers(0, 4),
    "overflow": st.integers(0, 1),
    "bits": st.just(16),
    "leak_mode": st.integers(0, 2),
    "leak_amount": st.integers(0, 15),
}
WIDTH = {"accumulator_bits": st.sampled_from([5, 8, 9, 10, 16, 32])}


@given(st.fixed_dictionaries(ANY))
def test_the_order_of_operations_runs_on_bit_vectors_unchanged(case: dict[str, int]) -> None:
    plain = tick(**case)
    words = tick(**{name: Word(value) for name, value in case.items()})  # type: ignore[arg-type]
    bare = [part.holds if isinstance(part, Truth) else part.value for part in words]
    assert bare == [int(part) if not isinstance(part, bool) else part for part in plain]


@settings(max_examples=30)
@given(st.lists(st.fixed_dictionaries(ANY | WIDTH), min_size=1, max_size=6), st.integers(0, 1 << 30))
def test_the_compiled_tick_equals_the_rules(cases: list[dict[str, int]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.integers(-300, 300, len(cases)).astype(np.int32)
    names = [name for name in Segments._fields if name in REGISTERS]
    held = np.array([case.pop("accumulator_bits") for case in cases], np.int64)
    count = len(cases)
    zeros = np.zeros(count, np.int64)
    number = np.arange(count, dtype=np.int64)
    segments = Segments(
        first=number,
        last=number + 1,
        core=zeros,
        bias_start=zeros,
        room=zeros,
        accumulator_bits=held,
        **{name: np.array([case[name] for case in cases], np.int64) for name in names},
    )
    lists = SynapseLists(
        list_start=np.array([0, count] + [count] * count, np.int64),
        list_class=np.zeros(count + 1, np.uint8),
        index=number.astype(np.int32),
        weight=weights,
        delay=np.ones(count, np.uint8),
    )
    every = np.arange(count + 2, dtype=np.int64)
    links = Links(every, np.zeros(count + 1, np.int64), every[:-1], np.zeros(count + 1, np.int64))
    threshold, bias, initial = (
        np.array([case[name] for case in cases], np.int32) for name in ("threshold", "bias", "v")
    )
    program = assemble(1, links, lists, segments, threshold, bias, initial, np.array([0, count], np.int64))
    input_tick = np.flatnonzero(rng.random(12) < 0.5)
    stimulus = Stimulus(input_tick.astype(np.int64), np.zeros(input_tick.size, np.int32))
    recording = run_ticks(program.engine(), stimulus, 12, probe=number)
    for neuron, case in enumerate(cases):
        u, v, counter = 0, case["v"], 0
        registers = {name: case[name] for name in names} | {"threshold": case["threshold"]}
        for now in range(12):
            came = dynamics.arrived(int(weights[neuron]) if now - 1 in input_tick else 0, int(held[neuron]))
            u, v, counter, spiked, _ = tick(u=u, v=v, refractory=counter, arriving=came, bias=case["bias"], **registers)
            assert (recording.probes["u"][now, neuron], recording.probes["v"][now, neuron]) == (u, v)
            there = (recording.spike_tick == now) & (recording.spike_source == neuron + 1)
            assert bool(there.any()) == spiked
