"""The Verilog crossbar core and its netlist under cocotb, and what the tests covered."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path

import numpy as np
import pytest

from neuroemu.cosim.crossbar import TOP, CrossbarBuild
from neuroemu.cosim.crossbar_program import CoreMemory, core_words, memories
from neuroemu.emulator.runner import run_ticks
from neuroemu.families.truenorth.boot import boot_image
from neuroemu.families.truenorth.core import TrueNorthEngine
from neuroemu.families.truenorth.registers import OFFSET_BITS
from rtl.tests import bins
from rtl.tests.code_coverage import exclusions, points, uncovered
from rtl.tests.crossbar_bench import BUILD_VARIABLE
from rtl.tests.crossbar_model import Core, Update, cycles_of
from rtl.tests.netlist import write_gates
from rtl.tests.ports import Cycles, Inputs
from rtl.tests.random_crossbars import random_program
from rtl.tests.runs import TOGGLE_MISSES, Runs
from rtl.tests.simulation import CROSSBAR_FILES, SAME_RUNTIME, Design, rtl_design, simulators

POINTS = {
    "odd": CrossbarBuild(neurons=3, axons=7, draw_step=64),
    "without dice": CrossbarBuild(neurons=3, axons=22, stochastic=False),
    "one neuron": CrossbarBuild(neurons=1, axons=256, draw_step=16),
}
GATES = CrossbarBuild(neurons=2, axons=4, stochastic=False)
MODULES = {Path(name).stem for name in CROSSBAR_FILES}
CORE_TESTS = "rtl.tests.cocotb_crossbar_core"


def told(build: CrossbarBuild) -> dict[str, object]:
    """What the tests are told; few random numbers do not pay for Numba's start."""
    return {BUILD_VARIABLE: asdict(build), "NUMBA_DISABLE_JIT": 1}


class CrossbarRuns(Runs):
    """Runs of the crossbar core."""

    def core(self, point: str, simulator: str = "verilator") -> Path:
        """The core's tests at a point of its parameters."""
        build = POINTS[point]
        return self.run(point, rtl_design(TOP, build.parameters, CROSSBAR_FILES), CORE_TESTS, told(build), simulator)

    def counters(self, simulator: str = "verilator") -> Path:
        """The core's counters near their end."""
        build = POINTS["odd"]
        design = rtl_design(TOP, build.parameters, CROSSBAR_FILES)
        return self.run("counters", design, "rtl.tests.cocotb_crossbar_counters", told(build), simulator)

    def gates(self, simulator: str = "verilator") -> Path:
        """The core's tests, as they are, on a netlist."""
        netlist = write_gates(GATES, self.folder / "netlist", TOP, CROSSBAR_FILES)
        return self.run("gates", Design(TOP, (netlist,), arguments=SAME_RUNTIME), CORE_TESTS, told(GATES), simulator)

    def all(self) -> list[Path]:
        """All runs whose coverage counts."""
        return [*map(self.core, POINTS), self.counters()]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> CrossbarRuns:
    return CrossbarRuns(tmp_path_factory.mktemp("crossbar_cocotb"))


def stepped(cycles: Cycles, **inputs: int) -> list[Update]:
    """Give an idle model one cycle of inputs and let it go on to its next idle cycle; the updates on the way."""
    quiet = dict.fromkeys((item.name for item in fields(Inputs)), 0) | {"out_ready": 1}
    outputs = cycles.send(Inputs(**{**quiet, **inputs}))
    updates = []
    while not outputs.idle:
        updates += [outputs.update] if outputs.update is not None else []
        outputs = cycles.send(Inputs(**quiet))
    return updates


def loaded(core: Core, memory: CoreMemory) -> Cycles:
    """The model's cycles, idle, after everything of ``memory`` went over its bus."""
    cycles = cycles_of(core)
    while not next(cycles).idle:
        pass
    for words in core_words(memory, core.build):
        for place, word in zip(words.address.tolist(), words.word.tolist(), strict=True):
            region, offset = divmod(place, 1 << OFFSET_BITS)
            stepped(cycles, cfg_valid=1, cfg_write=1, region=region, offset=offset, cfg_wdata=word)
    return cycles


@pytest.mark.parametrize("seed", range(4))
def test_the_model_of_the_bench_is_the_engine(seed: int) -> None:
    """Else the bench might hold the core against something that only it believes."""
    build, ticks = CrossbarBuild(neurons=12, axons=20), 20
    image, stimulus = random_program(seed, build, ticks=ticks)
    booted = boot_image(image)
    assert isinstance(booted.engine, TrueNorthEngine)
    probe = np.arange(build.neurons, dtype=np.int64)
    recording = run_ticks(booted.engine, stimulus, ticks, probe=probe)
    spikes = set(zip(recording.spike_tick.tolist(), (recording.spike_source - booted.inputs).tolist(), strict=True))
    core = Core(build)
    cycles = loaded(core, memories(image, booted.engine.program.rules)[0])
    due = stimulus.tick + image.host_delay[stimulus.source]
    draws = 0
    for tick in range(ticks):
        for source in stimulus.source[due == tick].tolist():
            stepped(cycles, in_valid=1, in_axon=int(image.host_axon[source]), in_delay=1)
        updates = stepped(cycles, in_valid=1, in_last=1)
        assert [update.v for update in updates] == recording.probes["v"][tick].tolist()
        assert [update.neuron for update in updates if update.spiked] == [
            n for n in probe.tolist() if (tick, n) in spikes
        ]
        draws += sum(update.draws for update in updates)
        for update in updates:
            if update.packet is not None:
                stepped(cycles, in_valid=1, in_axon=update.packet[2], in_delay=update.packet[3])
    assert core.tick == ticks and draws > 20


@pytest.mark.parametrize("simulator", simulators())
@pytest.mark.parametrize("point", POINTS)
def test_every_output_of_every_cycle_is_what_the_model_says(runs: CrossbarRuns, point: str, simulator: str) -> None:
    assert (runs.core(point, simulator) / "bins.json").stat().st_size > 0


@pytest.mark.parametrize("simulator", simulators())
def test_counters_wrap(runs: CrossbarRuns, simulator: str) -> None:
    assert (runs.counters(simulator) / "bins.json").stat().st_size > 0


@pytest.mark.parametrize("simulator", simulators())
def test_the_netlist_passes_the_tests_of_its_source(runs: CrossbarRuns, simulator: str) -> None:
    runs.gates(simulator)
    netlist = (runs.folder / "netlist" / "gates.v").read_text(encoding="utf-8")
    assert netlist.count("module ") == 1
    assert netlist.count(" assign ") > 500


def test_everything_on_the_list_of_bins_happened(runs: CrossbarRuns) -> None:
    counts = bins.merged((folder / "bins.json" for folder in runs.all()), bins.CROSSBAR)
    assert [name for name, count in counts.items() if not count] == []


def test_every_line_and_branch_was_run(runs: CrossbarRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    for kind in ("line", "branch"):
        missing, of = uncovered(covered, kind)
        assert of > 50
        assert missing == []


def test_nearly_every_bit_went_up_and_down(runs: CrossbarRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    missing, of = uncovered(covered, "toggle", exclusions(MODULES))
    assert of > 3000
    assert len(missing) <= TOGGLE_MISSES * of, [f"{point.module}.{point.text}" for point in missing]


def test_what_is_excluded_is_there_and_was_not_covered(runs: CrossbarRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    for rule in exclusions(MODULES):
        hits = [covered[point] for point in covered if rule.matches(point)]
        assert hits and not any(hits), rule.pattern
