"""Random programs on random builds: the Verilog core and the compiled engine agree in every spike, state, packet and cycle."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from neuroemu.cosim.compare import Difference, first_difference
from neuroemu.cosim.core import LEFT_RANGE, SPIKED, Stalls, library_of
from neuroemu.cosim.lif_program import lacking, rtl_program
from rtl.tests.planted import BUGS, OF_THREE_STAGES, with_bug
from rtl.tests.random_programs import BUILDS, EDGES, random_case

CASES_OF_A_BUILD = 7
NEURON_TICKS = 1_000_000
BATCHES = 4
STALLS = (Stalls(), Stalls(0.3, 0.0), Stalls(0.0, 0.5), Stalls(0.2, 0.2))
"""By turns; the seed is the case's."""


@dataclass
class Told:
    """What happened in a case."""

    difference: Difference | None = None
    neuron_ticks: int = 0
    spikes: int = 0
    packets: int = 0
    events: int = 0
    refractory: int = 0
    left_range: int = 0
    wraps: int = 0
    stalls: int = 0
    clocks: int = 0


def compared(name: str, seed: int, neuron_ticks: int = NEURON_TICKS, folder: Path | None = None) -> Told:
    """One program on both sides, in a few batches."""
    build, told = (BUILDS | EDGES)[name], Told()
    case = random_case(seed, build, neuron_ticks)
    assert lacking(case.image, build) == ()
    turn = STALLS[seed % len(STALLS)]
    stalls = Stalls(turn.events, turn.packets, seed)
    program = rtl_program(case.image, build)
    reference = program.reference(case.period)
    with program.cores(folder=folder, noise=seed) as cores:
        assert program.load(cores) == ()
        for first, last in batches(case.ticks):
            expected, chunk = reference.advance(case.stimulus, first, last)
            events = reference.events(case.stimulus, first, last)
            record = cores.run(events, first, case.period, stalls, reference.most_packets * (last - first))
            told.difference = first_difference(expected, record, reference.first_neuron.tolist())
            if told.difference is not None:
                return told
            told.neuron_ticks += record.flags.size
            told.spikes += int(np.count_nonzero(record.flags & SPIKED))
            told.packets += record.packet.shape[0]
            told.events += events.event.shape[0]
            told.refractory += int(np.count_nonzero(record.states["refractory"]))
            told.left_range += int(np.count_nonzero(record.flags & LEFT_RANGE))
            told.wraps += int(chunk.range_events["accumulator_wraps"].sum())
            told.stalls += int(record.waited.sum())
            told.clocks += record.clocks
    return told


def batches(ticks: int) -> Iterator[tuple[int, int]]:
    borders = [ticks * number // BATCHES for number in range(BATCHES + 1)]
    return pairwise(borders)


@pytest.mark.parametrize("name", BUILDS)
def test_random_programs_agree_in_spikes_states_packets_and_cycles(name: str) -> None:
    library_of(BUILDS[name])
    seeds = [100 * list(BUILDS).index(name) + number for number in range(CASES_OF_A_BUILD)]
    with ThreadPoolExecutor(2) as together:
        cases = list(together.map(lambda seed: compared(name, seed), seeds))
    assert {seed: case.difference for seed, case in zip(seeds, cases, strict=True) if case.difference} == {}
    assert all(case.neuron_ticks >= NEURON_TICKS for case in cases)
    for seen in ("spikes", "packets", "events", "refractory", "left_range", "stalls"):
        assert sum(getattr(case, seen) for case in cases) > 1000, seen
    if BUILDS[name].acc_bits < 32:
        assert sum(case.wraps for case in cases) > 0


@pytest.mark.parametrize("name", EDGES)
def test_the_smallest_and_widest_parameters_agree_too(name: str) -> None:
    cases = [compared(name, seed, 50_000) for seed in range(1, 7)]
    assert [case.difference for case in cases] == [None] * len(cases)
    assert sum(case.spikes for case in cases) > 1000


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found_by_a_few_random_programs(bug: str, tmp_path: Path) -> None:
    sources = with_bug(bug, tmp_path)
    build = "factor, current, three stages" if bug in OF_THREE_STAGES else "constant, wrap"
    differences = [compared(build, seed, 20_000, sources).difference for seed in range(1, 9)]
    assert any(difference is not None for difference in differences)


def test_routes_leave_from_all_neurons_and_some_have_many() -> None:
    cores = [core for name in BUILDS for seed in range(8) for core in random_case(seed, BUILDS[name], 1000).image.cores]
    counts = [np.diff(core.route_start) for core in cores if core.size > 8]
    assert sum(count[-1] > 0 for count in counts) > len(counts) // 3
    assert any(count.max() > 8 for count in counts)
    places = np.concatenate([np.flatnonzero(count) / count.shape[0] for count in counts])
    assert np.all(np.histogram(places, 4, (0, 1))[0] > len(places) // 8)


def test_there_are_fifty_configurations_on_builds_of_every_feature() -> None:
    assert len(BUILDS) * CASES_OF_A_BUILD >= 50
    for feature in ("factor", "shift", "constant", "current", "wrap"):
        assert {getattr(build, feature) for build in BUILDS.values()} == {0, 1}
    assert {build.stages for build in BUILDS.values()} == {1, 3}
