"""The neuron of Cassidy 2013, rule by rule, on plain integers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.families.truenorth import dynamics as d

NEURON = {
    "v": 0,
    "synaptic": 0,
    "leak": 0,
    "reversal": 0,
    "zero_clamp": 1,
    "alpha": 10,
    "beta": 5,
    "eta": 0,
    "reset": 0,
    "gamma": 0,
    "kappa": 0,
    "overflow": d.SATURATE,
    "compat": d.PAPER,
}


def tick(**given: Any) -> tuple[int, bool, bool]:
    v, spiked, left = d.tick(*(NEURON | given).values())
    return int(v), bool(spiked), bool(left)


def test_a_neuron_spikes_at_its_threshold_and_not_below() -> None:
    assert tick(v=9, synaptic=1) == (0, True, False)
    assert tick(v=9) == (9, False, False)


def test_the_negative_branch_is_taken_strictly_below() -> None:
    assert tick(v=-5, reset=3)[0] == -5
    assert tick(v=-6, reset=3)[0] == -3


def test_ranc_takes_the_negative_branch_at_the_threshold_too() -> None:
    assert tick(v=-5, reset=3, compat=d.RANC)[0] == -3
    assert tick(v=-4, reset=3, compat=d.RANC)[0] == -4


@pytest.mark.parametrize(("gamma", "after_spike", "after_floor"), [(0, 3, -3), (1, 2, -2), (2, 12, -7)])
def test_reset_modes_to_a_value_linear_and_none(gamma: int, after_spike: int, after_floor: int) -> None:
    assert tick(v=12, reset=3, gamma=gamma)[:2] == (after_spike, True)
    assert tick(v=-7, reset=3, gamma=gamma)[:2] == (after_floor, False)


@pytest.mark.parametrize("gamma", [0, 1, 2])
def test_kappa_holds_the_potential_at_the_negative_threshold_whatever_the_reset_mode(gamma: int) -> None:
    assert tick(v=-7, reset=3, gamma=gamma, kappa=1)[0] == -5


def test_kappa_leaves_the_random_part_out_of_the_negative_threshold() -> None:
    assert tick(v=-7, eta=4, kappa=1)[0] == -5
    assert tick(v=-7, eta=4, kappa=0, reset=3)[0] == -7


def test_the_random_part_raises_both_thresholds() -> None:
    assert tick(v=12, eta=3)[:2] == (12, False)
    assert tick(v=13, eta=3, gamma=1)[:2] == (0, True)
    assert tick(v=-9, eta=3, gamma=1)[0] == -1


def test_leak_follows_the_sign_of_the_potential_after_the_synapses() -> None:
    assert tick(v=2, synaptic=-5, leak=2, reversal=1)[0] == -5
    assert tick(v=2, synaptic=-5, leak=2)[0] == -1
    assert tick(v=2, synaptic=-2, leak=2, reversal=1)[0] == 0


def test_a_converging_leak_stops_at_zero_with_the_clamp_and_rings_without() -> None:
    assert tick(v=2, leak=-5, reversal=1, zero_clamp=1)[0] == 0
    assert tick(v=2, leak=-5, reversal=1, zero_clamp=0)[0] == -3
    assert tick(v=-2, leak=-5, reversal=1, zero_clamp=1)[0] == 0


def test_the_clamp_concerns_reversing_leaks_only() -> None:
    assert tick(v=2, leak=-5, zero_clamp=1)[0] == -3


def test_after_a_linear_reset_the_rest_may_fire_again_in_the_next_tick_once() -> None:
    v, spiked, _ = tick(v=25, gamma=1)
    assert (v, spiked) == (15, True)
    assert tick(v=v, gamma=1)[:2] == (5, True)


def test_saturation_is_flagged_and_happens_before_the_comparison() -> None:
    assert tick(v=d.HIGHEST, synaptic=5, gamma=2) == (d.HIGHEST, True, True)
    assert tick(v=d.LOWEST, synaptic=-5, kappa=0, gamma=2) == (d.LOWEST, False, True)


def test_at_ibms_ceiling_a_neuron_spikes_and_stays_and_at_the_floor_it_stays() -> None:
    above = tick(v=d.IBM_CEILING, synaptic=1, overflow=d.IBM_CLAMP)
    assert above == (d.IBM_CEILING, True, True)
    assert tick(v=-d.IBM_CEILING, synaptic=-1, overflow=d.IBM_CLAMP) == (-d.IBM_CEILING, False, True)
    assert tick(v=d.IBM_CEILING, overflow=d.IBM_CLAMP) == (0, True, False)


@pytest.mark.parametrize(
    ("lowest", "span", "fires"), [(1, 256, lambda s: s), (0, 256, lambda s: s + 1), (1, 255, lambda s: s)]
)
def test_the_range_of_random_numbers_decides_the_probability(lowest: int, span: int, fires: Any) -> None:
    words = [((number << 32) + (1 << 31)) // span for number in range(span)]
    numbers = [d.rho(word, lowest, span) for word in words]
    assert sorted(set(numbers)) == list(range(lowest, lowest + span))
    for weight in (0, 1, 64, 255):
        assert sum(weight >= number for number in numbers) == min(fires(weight), span)


def test_a_gated_weight_counts_one_with_its_sign_or_nothing() -> None:
    assert [d.gated(weight, 64) for weight in (-255, -64, -63, 0, 63, 64)] == [-1, -1, 0, 0, 0, 1]
    assert d.gated(0, 0) == 0


def test_eta_is_the_lowest_bits_of_a_word() -> None:
    assert [d.eta(0xFFFF_FFFF, bits) for bits in (0, 1, 18)] == [0, 1, (1 << 18) - 1]


@given(st.integers(-(1 << 19), (1 << 19) - 1), st.integers(-255, 255), st.sampled_from([0, 1]))
def test_the_clamp_changes_nothing_where_no_sign_is_lost(v: int, leak: int, reversal: int) -> None:
    free, clamped = d.leaked(v, leak, reversal, 0), d.leaked(v, leak, reversal, 1)
    assert clamped == free or (clamped == 0 and free * v < 0)
