"""The Verilog crossbar core beside the engine of family `truenorth`: every spike, packet, potential, counter and clock."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroemu.cosim.compare import Difference
from neuroemu.cosim.core import Stalls
from neuroemu.cosim.course import Course
from neuroemu.cosim.crossbar import TOP, CrossbarBuild, draw_cycles, tick_cycles
from neuroemu.cosim.crossbar_program import memories, rtl_program
from neuroemu.cosim.tools import environment, sources
from neuroemu.emulator.protocol import Stimulus
from neuroemu.errors import DoesNotFit
from neuroemu.families.truenorth.boot import boot_image
from neuroemu.families.truenorth.core import TrueNorthEngine
from neuroemu.families.truenorth.image import ProgramImage
from neuroemu.families.truenorth.recorded import (
    RecordedProgram,
    program_of_behaviours,
    program_of_network,
    program_of_neurons,
)
from neuroemu.families.truenorth.registers import BUS, address, register
from rtl.tests.one_crossbar import MARKER, OneCrossbar
from rtl.tests.planted import CROSSBAR_BUGS, with_bug
from rtl.tests.random_crossbars import random_program

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "truenorth"
FULL = CrossbarBuild()
SMALL = CrossbarBuild(neurons=16, axons=16, draw_step=64)
ODD = CrossbarBuild(neurons=10, axons=21, draw_step=1)
WITHOUT_DICE = CrossbarBuild(neurons=64, axons=64, stochastic=False)
NARROW = CrossbarBuild(neurons=37, axons=100, draw_step=4)
ONE_NEURON = CrossbarBuild(neurons=1, axons=256, draw_step=32)
BUILDS = {
    "full": FULL,
    "small": SMALL,
    "odd": ODD,
    "without_dice": WITHOUT_DICE,
    "narrow": NARROW,
    "one_neuron": ONE_NEURON,
}
NETWORKS = {
    "r01_core256_absolute": FULL,
    "r02_core256_linear": FULL,
    "r03_mesh3x2_mixed_delays": WITHOUT_DICE,
    "r04_mesh8x8_small_cores": SMALL,
    "r06_boundary_small_ints": WITHOUT_DICE,
    "r07_symmetric_threshold_DEVIATES": WITHOUT_DICE,
    "ranc_mnist_tea_11core": FULL,
    "ranc_mnist_tea_128x128": FULL,
    "ibm_cpe_bootcamp11": FULL,
    "ibm_cpe_example1": FULL,
    "ibm_cpe_example2": FULL,
    "ibm_cpe_pattern_match": FULL,
}


def course(program: RecordedProgram, build: CrossbarBuild, stalls: Stalls, folder: Path | None = None) -> Course:
    """A co-simulation of a program as one long sample."""
    rtl = rtl_program(program.image, build)
    return Course(rtl, program.stimulus, program.ticks, max(program.ticks, 1), stalls, folder)


def compared(program: RecordedProgram, build: CrossbarBuild, stalls: Stalls) -> None:
    """Assert that nothing differs and that something was compared."""
    run = course(program, build, stalls)
    assert run.run() is None
    assert run.memory == ()
    assert run.compared()["state words"] == program.ticks * program.image.cores.count * build.neurons
    assert (sum(core.stalls for core in run.core_counts()) > 0) == (stalls.packets > 0)


# ---------------------------------------------------------------------------- lint


@pytest.mark.parametrize("build", BUILDS.values(), ids=BUILDS)
def test_verilator_has_nothing_to_warn_about(build: CrossbarBuild) -> None:
    chosen = [f"-G{name}={value}" for name, value in build.parameters.items()]
    command = [
        "verilator",
        "--lint-only",
        "-Wall",
        "--top",
        TOP,
        *chosen,
        f"-I{sources()}",
        str(sources() / f"{TOP}.v"),
    ]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, "%Warning" in done.stdout + done.stderr) == (0, False), done.stderr


# ---------------------------------------------------------------------------- random programs


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", BUILDS)
def test_random_programs_with_every_mode_are_computed_alike(name: str, seed: int) -> None:
    build = BUILDS[name]
    ticks = 20 if build is FULL else 60
    image, stimulus = random_program(seed, build, cores=1 + seed % 3, ticks=ticks)
    stalls = Stalls(events=(0, 0.2, 0.8)[seed % 3], packets=(0, 0.5)[seed % 2], seed=seed)
    compared(RecordedProgram(image, stimulus, ticks), build, stalls)


def test_random_programs_reach_what_they_are_for() -> None:
    """Both clamps, negative and positive, both sorts of reset values, merged spikes: else the runs above say little."""
    left, merged, spikes, rules, encoded = 0, 0, 0, set(), set()
    for seed in range(6):
        image, stimulus = random_program(seed, SMALL, cores=1 + seed % 3, ticks=60)
        booted = boot_image(image)
        assert isinstance(booted.engine, TrueNorthEngine)
        chosen = booted.engine.program.rules
        rules |= {("clamp", chosen.zero_clamp), ("overflow", chosen.overflow), ("compat", chosen.compat)}
        encoded.add(int((np.abs(image.cores.reset) > 255).any()))
        start = np.searchsorted(stimulus.tick, np.arange(61)).astype(np.int64)
        chunk = booted.engine.advance(0, 60, 1 << 62, start, stimulus.source, np.zeros(0, np.int64))
        left += int(chunk.range_events["left_range"].sum())
        merged += int(chunk.merged.sum())
        spikes += chunk.spike_tick.size
    assert min(left, merged, spikes) > 20
    assert len(rules) == 6 and encoded == {0, 1}


# ---------------------------------------------------------------------------- recorded cases


@pytest.mark.parametrize("name", NETWORKS)
def test_recorded_networks_of_ranc_and_ibm_run_in_verilog(name: str) -> None:
    program = program_of_network(GOLDEN / f"{name}.npz", lambda wanted: GOLDEN / wanted)
    compared(program, NETWORKS[name], Stalls(0.1, 0.2, 3))


def test_resets_beyond_the_rows_are_refused() -> None:
    program = program_of_network(GOLDEN / "r05_extreme_values.npz", lambda wanted: GOLDEN / wanted)
    with pytest.raises(DoesNotFit, match="reset value -2245"):
        memories(program.image, _rules(program.image))


@pytest.mark.parametrize("name", ["neuron_modes_paibox", "ringing_nemo"])
def test_recorded_neurons_of_paibox_and_nemo_run_in_verilog(name: str) -> None:
    compared(program_of_neurons(GOLDEN / f"{name}.npz"), ONE_NEURON, Stalls())


def test_recorded_circuits_run_in_verilog() -> None:
    with gzip.open(GOLDEN / "behaviours.json.gz", "rt", encoding="utf-8") as file:
        program = program_of_behaviours(json.load(file))
    compared(program, WITHOUT_DICE, Stalls())


# ---------------------------------------------------------------------------- ports


@pytest.fixture
def core() -> Iterator[OneCrossbar]:
    """A small core, out of reset."""
    rtl = OneCrossbar(SMALL)
    yield rtl
    rtl.close()


def _rules(image: ProgramImage) -> object:
    engine = boot_image(image).engine
    assert isinstance(engine, TrueNorthEngine)
    return engine.program.rules


def loaded(core: OneCrossbar, seed: int = 1) -> ProgramImage:
    """Load a random program."""
    image, _ = random_program(seed, core.build)
    core.load(memories(image, _rules(image))[0])
    return image


def test_registers_after_reset_are_those_of_the_table(core: OneCrossbar) -> None:
    found = {item.name: int(core.read(register(item.name))[0]) for item in BUS.registers if item.access != "write"}
    expected = dict.fromkeys(found, 0) | {
        "identity": BUS.identity,
        "build_size": SMALL.axons << 16 | SMALL.neurons,
        "build_random": 1 << 8 | SMALL.draw_step,
        "rules": 0b01001,
    }
    assert found == expected


def test_registers_that_can_be_written_read_back(core: OneCrossbar) -> None:
    for item in BUS.registers:
        if item.access == "both" and item.name != "row":
            ones = sum(((1 << field.width) - 1) << low for low, field in item.layout.values())
            core.write(register(item.name), [0xFFFFFFFF])
            assert int(core.read(register(item.name))[0]) == ones
            core.write(register(item.name), [0])
            assert int(core.read(register(item.name))[0]) == 0


def test_a_row_and_the_axon_types_read_back_as_the_image_has_them(core: OneCrossbar) -> None:
    image = loaded(core)
    assert np.array_equal(core.potentials(), image.cores.potential[0, : SMALL.neurons])
    types = image.cores.axon_type[0, : SMALL.axons].astype(np.int64)
    for _ in range(2):
        assert core.axon_types().tolist() == [int(types @ (1 << 2 * np.arange(SMALL.axons)))]


def test_one_row_can_be_written_alone(core: OneCrossbar) -> None:
    image = loaded(core)
    before = core.potentials()
    row = np.array(
        [0] * 16 + [0, 1] * 10 + [0] * 134 + [0] * 22
    )  # potential 0b...1010, all else zero; 22 bits of the next row
    core.write(register("row"), [5])
    core.write(address("row"), np.packbits(row.astype(np.uint8), bitorder="little").view("<u4"))
    after = core.potentials()
    assert after[5] == int("10" * 10, 2) - (1 << 20)
    assert np.array_equal(np.delete(after, 5), np.delete(before, 5))
    assert image.cores.count == 1


def test_a_spike_without_delay_or_for_a_missing_axon_is_dropped_and_said(core: OneCrossbar) -> None:
    loaded(core)
    quiet = core.run(np.array([MARKER], np.uint32))
    for event in (3, SMALL.axons | 1 << 8):
        loaded(core)
        batch = core.run(np.array([event, MARKER], np.uint32))
        assert core.counters()["error"] == 1
        assert batch.clocks == quiet.clocks + 1
        assert np.array_equal(batch.v, quiet.v)


def test_a_clear_forgets_spikes_under_way_and_counters(core: OneCrossbar) -> None:
    loaded(core)
    calm = core.run(np.array([MARKER] * 16, np.uint32))
    loaded(core)
    every = [axon | delay << 8 for axon in range(SMALL.axons) for delay in range(1, 16)]
    core.run(np.array([*every, MARKER, 0], np.uint32))
    assert core.counters()["error"] == 1
    loaded(core)
    assert set(core.counters().values()) == {0}
    again = core.run(np.array([MARKER] * 16, np.uint32))
    assert np.array_equal(again.v, calm.v) and again.clocks == calm.clocks


def test_a_spike_arrives_after_exactly_its_delay(core: OneCrossbar) -> None:
    for delay in range(1, 16):
        loaded(core)
        sent = [axon | delay << 8 for axon in range(SMALL.axons)]
        events = []
        for _ in range(17):
            core.run(np.array([*sent, MARKER], np.uint32))
            sent = []
            events.append(core.counters()["synaptic_events"])
        assert np.flatnonzero(np.diff([0, *events])).tolist() == [delay - 1]


def test_two_spikes_for_one_axon_and_tick_are_one(core: OneCrossbar) -> None:
    loaded(core)
    once = core.run(np.array([7 | 2 << 8, MARKER, MARKER], np.uint32))
    loaded(core)
    twice = core.run(np.array([7 | 2 << 8, MARKER, 7 | 1 << 8, 7 | 1 << 8, MARKER], np.uint32))
    assert core.counters()["merged"] == 2
    assert np.array_equal(once.v, twice.v)


def test_random_numbers_go_on_from_the_tick_that_is_written(core: OneCrossbar) -> None:
    image = loaded(core, seed=3)
    assert image.cores.stochastic_leak.any() or image.cores.mask_bits.any()
    whole = core.run(np.array([MARKER] * 6, np.uint32))
    loaded(core, seed=3)
    core.run(np.array([MARKER] * 3, np.uint32))
    core.write(register("control"), [1])
    core.write(register("tick"), [3])
    rest = core.run(np.array([MARKER] * 3, np.uint32))
    assert np.array_equal(rest.v, whole.v[3:])
    core.load(memories(image, _rules(image))[0])
    core.write(register("run_seed"), [image.seed ^ 1])
    other = core.run(np.array([MARKER] * 6, np.uint32))
    assert not np.array_equal(other.v, whole.v)


@pytest.mark.parametrize("clocks", [1, 7, 30, 63, 150, 212])
def test_a_reset_in_the_middle_leaves_nothing_behind(core: OneCrossbar, clocks: int) -> None:
    events = np.array([axon | 1 << 8 for axon in range(SMALL.axons)] + [MARKER] * 3, np.uint32)
    loaded(core)
    whole = core.run(events)
    assert whole.clocks > 400
    loaded(core)
    core.interrupt(events, clocks)
    loaded(core)
    again = core.run(events)
    assert np.array_equal(again.v, whole.v) and np.array_equal(again.spiked, whole.spiked)
    assert again.clocks == whole.clocks == core.counters()["cycles"]


@pytest.mark.parametrize("delay", [1, 3, 14])
def test_one_clock_of_reset_empties_the_slots_of_an_idle_core(core: OneCrossbar, delay: int) -> None:
    loaded(core)
    core.run(np.array([MARKER] * 3 + [axon | delay << 8 for axon in range(SMALL.axons)], np.uint32))
    core.read(register("status"))
    core.reset()
    core.run(np.array([MARKER] * 16, np.uint32))
    assert core.counters()["synaptic_events"] == 0


def test_an_idle_tick_takes_what_the_contract_says(core: OneCrossbar) -> None:
    image = loaded(core)
    draws = int(image.cores.stochastic_leak.sum()) + int((image.cores.mask_bits > 0).sum())
    batch = core.run(np.array([MARKER], np.uint32))
    assert batch.clocks == tick_cycles(SMALL, 0, 0, 0, draws, len(batch.packets[0]))
    assert draw_cycles(FULL) == 19


# ---------------------------------------------------------------------------- what is wrong is found


def difference(image: ProgramImage, stimulus: Stimulus, folder: Path) -> Difference | None:
    """The first difference of sixty ticks on two small cores with a bug."""
    return course(RecordedProgram(image, stimulus, 60), SMALL, Stalls(), folder).run()


@pytest.mark.parametrize("bug", CROSSBAR_BUGS)
def test_planted_bugs_are_found(bug: str, tmp_path: Path) -> None:
    image, stimulus = random_program(4, SMALL, cores=2, ticks=60)
    found = difference(image, stimulus, with_bug(bug, tmp_path))
    assert found is not None
    assert found.quantities == CROSSBAR_BUGS[bug][3]


@pytest.mark.parametrize(
    ("bug", "tick"), [("seeds of cores are forgotten", 0), ("a clear keeps spikes that are under way", 20)]
)
def test_what_only_cores_and_samples_together_show_is_found(bug: str, tick: int, tmp_path: Path) -> None:
    image, stimulus = random_program(4, SMALL, cores=2, ticks=60)
    run = Course(rtl_program(image, SMALL), stimulus, 60, 20, folder=with_bug(bug, tmp_path))
    found = run.run()
    assert found is not None
    assert found.tick == tick


def test_a_bus_that_forgets_is_told_before_anything_runs(tmp_path: Path) -> None:
    image, stimulus = random_program(4, SMALL, cores=2, ticks=60)
    run = Course(rtl_program(image, SMALL), stimulus, 60, 20, folder=with_bug("a row loses a bit on the bus", tmp_path))
    assert run.run() is None
    assert [(finding.code, finding.where) for finding in run.memory] == [("NE7221", "core 0"), ("NE7221", "core 1")]
    assert all("words of rows are not what was written" in finding.message for finding in run.memory)


@pytest.mark.parametrize(
    ("bug", "told"),
    [
        ("the search for a synapse never ends", "does not answer"),
        ("updates name another neuron", "updates neurons out of order"),
    ],
)
def test_a_core_that_breaks_its_protocol_is_told(bug: str, told: str, tmp_path: Path) -> None:
    image, stimulus = random_program(4, SMALL, cores=2, ticks=60)
    found = difference(image, stimulus, with_bug(bug, tmp_path))
    assert found is not None
    assert found.rtl == {"protocol": told}


def test_a_program_beyond_the_build_is_refused_with_everything_that_is_missing() -> None:
    image, _ = random_program(0, CrossbarBuild(neurons=20, axons=20))
    crossbar = np.packbits(np.ones((1, 256, 256), np.bool_), axis=-1)
    small = replace(SMALL, stochastic=False)
    with pytest.raises(DoesNotFit) as caught:
        rtl_program(replace(image, cores=replace(image.cores, crossbar=crossbar)), small)
    assert [finding.code for finding in caught.value.findings] == ["NE7280"] * 3
    assert (
        "NEURONS=256" in str(caught.value) and "AXONS=256" in str(caught.value) and "STOCHASTIC=1" in str(caught.value)
    )
