"""The Verilog LIF core, its queues and its netlist under cocotb, and what the tests covered."""

from __future__ import annotations

from pathlib import Path

import pytest

from rtl.tests import bins
from rtl.tests.cocotb_aer_fifo import SHAPE_VARIABLE
from rtl.tests.code_coverage import exclusions, points, uncovered
from rtl.tests.core_bench import BUILD_VARIABLE
from rtl.tests.core_model import Build
from rtl.tests.netlist import write_gates
from rtl.tests.runs import TOGGLE_MISSES, Runs
from rtl.tests.simulation import CORE_FILES, CROSSBAR_FILES, SAME_RUNTIME, Design, rtl_design, simulators

POINTS = {
    "shift": Build(NEURONS=12, AXONS=7, ROUTES=20, START_BITS=3),
    "three stages": Build(NEURONS=8, AXONS=8, ROUTES=32, STAGES=3),
    "everything": Build(
        NEURONS=5,
        AXONS=3,
        WEIGHT_BITS=5,
        V_BITS=12,
        ACC_BITS=9,
        REF_BITS=3,
        ROUTES=9,
        CORE_BITS=3,
        TARGET_BITS=5,
        FACTOR=1,
        CONSTANT=1,
        CURRENT=1,
        WRAP=1,
        STAGES=3,
    ),
    "narrow": Build(
        NEURONS=8, AXONS=1, V_BITS=8, ACC_BITS=6, SHIFT_BITS=2, REF_BITS=2, ROUTES=16, FACTOR=1, SHIFT=0, CURRENT=1
    ),
    "one neuron": Build(
        NEURONS=1, AXONS=5, V_BITS=24, ACC_BITS=20, ROUTES=1, START_BITS=2, CONSTANT=1, SHIFT=0, WRAP=1, COUNTERS=0
    ),
    "widest": Build(
        NEURONS=9,
        AXONS=4,
        WEIGHT_BITS=16,
        V_BITS=32,
        ACC_BITS=32,
        SHIFT_BITS=5,
        REF_BITS=16,
        START_BITS=16,
        ROUTES=24,
        CORE_BITS=16,
        TARGET_BITS=16,
        CONSTANT=1,
        CURRENT=1,
        WRAP=1,
        STAGES=3,
    ),
}
GATE_BUILDS = {
    "one stage": Build(NEURONS=8, AXONS=8, ROUTES=16, START_BITS=4),
    "all features": POINTS["everything"],
}
TILE = Build(NEURONS=6, AXONS=5, V_BITS=12, ACC_BITS=12, ROUTES=20)
TILE_FILES = ("lif_tile.v", "aer_fifo.v", *CORE_FILES)
TILE_DEPTHS = {"IN_DEPTH": 3, "OUT_DEPTH": 2}
FIFOS = {"queue of 3": {"WIDTH": 9, "DEPTH": 3}, "queue of 1": {"WIDTH": 5, "DEPTH": 1}}
CORE_TESTS = "rtl.tests.cocotb_lif_core"
MODULES = {Path(name).stem for name in TILE_FILES}


class LifRuns(Runs):
    """Runs of the LIF core, its tile and its queues."""

    def core(self, point: str, simulator: str = "verilator") -> Path:
        """The core's tests at a point of its parameters."""
        build = POINTS[point]
        told = {BUILD_VARIABLE: build.parameters}
        return self.run(point, rtl_design("lif_core", build.parameters), CORE_TESTS, told, simulator)

    def counters(self, simulator: str = "verilator") -> Path:
        """The core's counters near their end."""
        build = POINTS["widest"]
        design = rtl_design("lif_core", build.parameters)
        told = {BUILD_VARIABLE: build.parameters}
        return self.run("counters", design, "rtl.tests.cocotb_lif_counters", told, simulator)

    def gates(self, point: str, simulator: str = "verilator") -> Path:
        """The core's tests, as they are, on the netlist of a build."""
        build = GATE_BUILDS[point]
        netlist = write_gates(build, self.folder / f"{point}-netlist".replace(" ", "-"))
        design = Design("lif_core", (netlist,), arguments=SAME_RUNTIME)
        return self.run(f"{point} gates", design, CORE_TESTS, {BUILD_VARIABLE: build.parameters}, simulator)

    def tile(self, simulator: str = "verilator") -> Path:
        design = rtl_design("lif_tile", {**TILE.parameters, **TILE_DEPTHS}, TILE_FILES)
        told = {BUILD_VARIABLE: TILE.parameters}
        return self.run("tile", design, "rtl.tests.cocotb_lif_tile", told, simulator)

    def fifo(self, shape: str, simulator: str = "verilator") -> Path:
        design = rtl_design("aer_fifo", FIFOS[shape], ("aer_fifo.v",))
        return self.run(shape, design, "rtl.tests.cocotb_aer_fifo", {SHAPE_VARIABLE: FIFOS[shape]}, simulator)

    def all(self) -> list[Path]:
        """All runs whose coverage counts."""
        return [*map(self.core, POINTS), self.counters(), self.tile(), *map(self.fifo, FIFOS)]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> LifRuns:
    return LifRuns(tmp_path_factory.mktemp("cocotb"))


@pytest.mark.parametrize("simulator", simulators())
@pytest.mark.parametrize("point", POINTS)
def test_every_output_of_every_cycle_is_what_the_model_says(runs: LifRuns, point: str, simulator: str) -> None:
    folder = runs.core(point, simulator)
    assert (folder / "bins.json").stat().st_size > 0


@pytest.mark.parametrize("simulator", simulators())
def test_counters_wrap_and_ticks_stop_at_their_end(runs: LifRuns, simulator: str) -> None:
    assert (runs.counters(simulator) / "bins.json").stat().st_size > 0


@pytest.mark.parametrize("simulator", simulators())
@pytest.mark.parametrize("point", GATE_BUILDS)
def test_the_netlist_passes_the_tests_of_its_source(runs: LifRuns, point: str, simulator: str) -> None:
    netlist = (runs.gates(point, simulator).parent / f"{point}-netlist".replace(" ", "-") / "gates.v").read_text()
    assert netlist.count("module ") == 1
    assert netlist.count(" assign ") > 500


@pytest.mark.parametrize("simulator", simulators())
def test_a_tile_loses_nothing_and_keeps_the_order(runs: LifRuns, simulator: str) -> None:
    assert (runs.tile(simulator) / "bins.json").stat().st_size > 0


@pytest.mark.parametrize("simulator", simulators())
@pytest.mark.parametrize("shape", FIFOS)
def test_a_queue_keeps_the_order(runs: LifRuns, shape: str, simulator: str) -> None:
    assert (runs.fifo(shape, simulator) / "bins.json").stat().st_size > 0


def test_everything_on_the_list_of_bins_happened(runs: LifRuns) -> None:
    counts = bins.merged((folder / "bins.json" for folder in runs.all()), bins.LIF)
    assert [name for name, count in counts.items() if not count] == []


def test_every_line_and_branch_was_run(runs: LifRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    for kind in ("line", "branch"):
        missing, of = uncovered(covered, kind)
        assert of > 50
        assert missing == []


def test_nearly_every_bit_went_up_and_down(runs: LifRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    missing, of = uncovered(covered, "toggle", exclusions(MODULES))
    assert of > 3000
    assert len(missing) <= TOGGLE_MISSES * of, [f"{point.module}.{point.text}" for point in missing]


def test_what_is_excluded_is_there_and_was_not_covered(runs: LifRuns) -> None:
    covered = points(folder / "coverage.dat" for folder in runs.all())
    for rule in exclusions(MODULES):
        hits = [covered[point] for point in covered if rule.matches(point)]
        assert hits and not any(hits), rule.pattern


def test_every_exclusion_has_a_reason_and_a_module_that_is_looked_at() -> None:
    looked_at = MODULES | {Path(name).stem for name in CROSSBAR_FILES}
    for rule in exclusions():
        assert rule.module in looked_at
        assert len(rule.reason) > 30


def test_the_page_lists_the_bins() -> None:
    text = bins.PAGE.read_text(encoding="utf-8")
    assert bins.page(text) == text, "run python -m rtl.tests.bins"
