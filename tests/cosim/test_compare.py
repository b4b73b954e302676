"""The first difference between model and Verilog is found where it is, whatever differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroemu.cosim.compare import IN_MEMORY, first_difference, in_memory
from neuroemu.cosim.core import Fault, Record
from neuroemu.cosim.reference import Expected

TICKS, FIRST_NEURON = 4, [0, 2, 5]
SPIKE = (2, 3)
"""Tick and neuron of the only spike, which sends one packet."""


def sides() -> tuple[Expected, Record]:
    """Two cores that agree for four ticks."""
    rng = np.random.default_rng(3)
    u, v, refractory = rng.integers(-9, 9, (3, TICKS, 5)).astype(np.int32)
    spiked = np.zeros((TICKS, 5), np.bool_)
    spiked[SPIKE] = True
    cycles = rng.integers(10, 20, (TICKS, 2)).astype(np.int64)
    start = np.array([0] * 6 + [1] * 3, np.int64)
    flags = spiked.astype(np.uint8)
    flags[1, 4] |= 2
    left = np.zeros((TICKS, 2), np.int64)
    left[1, 1] = 1
    packet = np.array([[1, 7]], np.int32)
    zeros = np.zeros((TICKS, 2), np.int64)
    sizes = np.tile(np.diff(FIRST_NEURON), (TICKS, 1)).astype(np.int32)
    states = {"u": u, "v": v, "refractory": refractory}
    expected = Expected(states, spiked, {"cycles": cycles}, {"tick": np.arange(TICKS)}, left.sum(axis=0), start, packet)
    each = np.tile(np.arange(TICKS)[:, None], (1, 2))
    record = Record(
        ticks=TICKS,
        states=states,
        flags=flags,
        updates=sizes,
        counted=cycles,
        waited=zeros,
        read=np.ones((TICKS, 2), np.bool_),
        since=each,
        counters={"cycles": cycles, "stalls": zeros, "left_range": left},
        shown={"tick": each},
        packet_start=start,
        packet=packet,
        clocks=99,
        fault=None,
    )
    return expected, record


def with_one_more(record: Record, name: str, place: tuple[int, int]) -> Record:
    """With a value, a state or a counter larger by one."""
    for group in ("states", "counters", "shown"):
        values = getattr(record, group)
        if name in values:
            return replace(record, **{group: {**values, name: _one_more(values[name], place)}})
    return replace(record, **{name: _one_more(getattr(record, name), place)})


def _one_more(array: NDArray[Any], place: tuple[int, int]) -> NDArray[Any]:
    more = array.copy()
    more[place] += 1
    return more


def found(record: Record) -> Any:
    return first_difference(sides()[0], record, FIRST_NEURON)


def test_equal_sides_have_no_difference() -> None:
    assert found(sides()[1]) is None


@pytest.mark.parametrize("name", ["u", "v", "refractory"])
def test_a_state_is_found_with_its_core_and_neuron(name: str) -> None:
    difference = found(with_one_more(sides()[1], name, (1, 3)))
    assert (difference.tick, difference.core, difference.neuron, difference.quantities) == (1, 1, 1, (name,))
    assert difference.rtl[name] == difference.model[name] + 1


def test_a_missing_spike_is_told_before_its_missing_packet() -> None:
    record = sides()[1]
    flags = record.flags & 2
    silent = replace(record, flags=flags, packet_start=record.packet_start * 0, packet=record.packet[:0])
    difference = found(silent)
    assert (difference.tick, difference.neuron, difference.quantities) == (2, 1, ("spiked",))


def test_a_packet_to_another_axon_is_a_difference() -> None:
    difference = found(replace(sides()[1], packet=np.array([[1, 8]], np.int32)))
    assert (difference.tick, difference.core, difference.neuron) == (2, 1, None)
    assert (difference.model, difference.rtl) == ({"packets": [[1, 7]]}, {"packets": [[1, 8]]})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cycles", "cycles by the register"),
        ("counted", "cycles at the pins"),
        ("updates", "updates"),
        ("stalls", "stalls"),
        ("left_range", "range register"),
        ("tick", "register tick"),
    ],
)
def test_a_counter_is_a_difference_of_its_core(name: str, told: str) -> None:
    difference = found(with_one_more(sides()[1], name, (3, 0)))
    assert (difference.tick, difference.core, difference.neuron, difference.quantities) == (3, 0, None, (told,))
    assert difference.rtl[told] == difference.model[told] + 1


def test_ranges_that_only_the_cores_left_are_told() -> None:
    record = sides()[1]
    both = with_one_more(with_one_more(record, "left_range", (0, 0)), "flags", (0, 0))
    flags = record.flags.copy()
    flags[0, 0] |= 2
    difference = found(replace(both, flags=flags))
    assert difference.quantities == ("updates that left their range",)
    assert (difference.core, difference.model, difference.rtl) == (
        0,
        {"updates that left their range": 0},
        {"updates that left their range": 1},
    )


def test_a_state_in_memory_that_is_not_the_last_one_is_told() -> None:
    expected = sides()[0]
    for name in expected.states:
        kept = [
            {state: part.copy() for state, part in zip(expected.states, parts, strict=True)}
            for parts in zip(*(np.split(array[-1], [2]) for array in expected.states.values()), strict=True)
        ]
        assert in_memory(expected, kept, FIRST_NEURON) is None
        kept[1][name][2] -= 1
        difference = in_memory(expected, kept, FIRST_NEURON)
        assert difference is not None
        assert (difference.tick, difference.core, difference.neuron) == (TICKS - 1, 1, 2)
        told = IN_MEMORY.format(name)
        assert difference.quantities == (told,)
        assert difference.model[told] == difference.rtl[told] + 1


def test_the_first_tick_wins_and_in_it_the_first_core() -> None:
    record = with_one_more(with_one_more(sides()[1], "v", (3, 0)), "counted", (1, 1))
    assert (found(record).tick, found(record).core) == (1, 1)
    record = with_one_more(record, "cycles", (1, 0))
    assert (found(record).tick, found(record).core) == (1, 0)


def test_a_broken_protocol_is_told_when_everything_before_agrees() -> None:
    record = sides()[1]
    cut: dict[str, Any] = {
        name: getattr(record, name)[:2] for name in ("flags", "updates", "counted", "read", "since", "waited")
    }
    for group in ("states", "counters", "shown"):
        cut[group] = {name: array[:2] for name, array in getattr(record, group).items()}
    stuck = replace(record, ticks=2, packet_start=record.packet_start[:5], packet=record.packet[:0], **cut)
    difference = found(replace(stuck, fault=Fault(2, 1, "does not answer")))
    assert (difference.tick, difference.core, difference.rtl) == (2, 1, {"protocol": "does not answer"})
