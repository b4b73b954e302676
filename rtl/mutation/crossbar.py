"""Mutates the crossbar core without its datapath, and co-simulation judges every mutant: `python -m rtl.mutation.crossbar`.

Cells of `crossbar_core`, of its generator and of the search for synapses change. All mutants of a build are in one netlist behind
an input that selects one; each runs the programs and port tests of `rtl/tests` until one fails. What no test kills is held
against the original by a prover (see `equivalence.py`). The ledger beside this file lists all mutants.
"""

from __future__ import annotations

import ctypes
import inspect
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

from neuroemu.cosim.core import Stalls, library_of
from neuroemu.cosim.course import Course
from neuroemu.cosim.crossbar import TOP, CrossbarBuild
from neuroemu.cosim.crossbar_program import rtl_program
from neuroemu.cosim.proof import run_yosys
from neuroemu.cosim.tools import sources
from neuroemu.errors import NeuroemuError
from neuroemu.families.truenorth.registers import ROW_FIELDS
from rtl.mutation.equivalence import Invariants, Numbering, proven
from rtl.mutation.ledger import EQUIVALENT, KILLED, SURVIVED, Ledger, digest_of
from rtl.tests import test_crossbar, test_crossbar_ports
from rtl.tests.cocotb_crossbar_mutants import TESTS_VARIABLE
from rtl.tests.cocotb_mutants import CONTROL, MUTANTS_VARIABLE
from rtl.tests.crossbar_bench import BUILD_VARIABLE
from rtl.tests.crossbar_model import COUNTERS, Core, row_places
from rtl.tests.netlist import read_core
from rtl.tests.one_crossbar import OneCrossbar
from rtl.tests.random_crossbars import random_program
from rtl.tests.simulation import SAME_RUNTIME, Design, simulate

SEED = 1
PROGRAMS = 6
CONTROL_BITS = 10
FILES = ("crossbar_core.v", "tn_datapath.v", "tn_dice.v", "tn_next_synapse.v", "tn_random.v", "sram_sp.v")
RANDOM, SEARCH = f"{TOP}.g_random.random", f"{TOP}.next_synapse"
"""Modules as they are called in the netlist, where each instance has its own."""
MUTATED = ("crossbar_core.v", "tn_next_synapse.v", "tn_random.v")
CLEAR_WALKS = (
    "!rst || {next state} == 0 && {next slot} == 0",
    "{state} == 0 || {next state} != 0 || {next slot} == 0",
    "rst || {state} != 0 || {next state} == ({slot} == 15) && {next slot} == (({slot} + 1) & 15)",
    "{state} != 0 || \\core.slots.enable  && \\core.slots.write  && \\core.slots.write_data  == 0",
)
"""A clear empties all slots from the first to the last before anything reads one, so it may as well do so in another order."""
NUMBERINGS = (
    Numbering("slot", "slots.address", False, {"state_cell.Q": 2}, ports=("slots.address",)),
    Numbering("slot", "slot_cell.D", True, {"state_cell.Q": 0, "rst": 0}, "({state} == 0)", ("slots.address",)),
    Numbering("position", "position_cell.D", True, {"state_cell.Q": 19, "rst": 0}),
    Numbering("eta", "eta_cell.D", False, {"state_cell.Q": 8, "rst": 0}, "({state} == 11)", linear=True),
)
"""Slots, the order in which a clear empties them, the clocks of a row on the bus, of which only first and last are told, and the
threshold's random part in the clock before the datapath takes it."""
COUNTS = {
    "draw": "{state} >= 7 && {state} <= 10",
    "eta": "{state} >= 7 && {state} <= 12",
    "datapath.eta": "{state} == 12",
}
"""When it matters what these are; the datapath adds ``eta`` to the thresholds one clock before `Update`, which alone compares."""
_PINS = """\
#include "{pins}"

static int chosen_mutant;

extern "C" void choose_mutant(int number) {{ chosen_mutant = number; }}

namespace {{

// Pins of the netlist: whatever is given to the core, the mutant that was chosen is given with it.
struct MutantPins : Pins {{
    static void give(Vcore& top, uint32_t event) {{
        top.{control} = chosen_mutant;
        Pins::give(top, event);
    }}
}};

}}  // namespace

#define Pins MutantPins
"""


@dataclass(frozen=True)
class Mutated:
    """A parameter set, how many mutants of which module are judged, and ticks of the programs that judge them."""

    title: str
    build: CrossbarBuild
    mutants: Mapping[str, int]
    ticks: int = 60


BUILDS = (
    Mutated("with generator", test_crossbar.SMALL, {TOP: 95, RANDOM: 15, SEARCH: 12}),
    Mutated(
        "rows of odd width",
        CrossbarBuild(neurons=5, axons=21, draw_step=16),
        {TOP: 60, RANDOM: 15, SEARCH: 13},
    ),
)


@dataclass(frozen=True)
class MutantBuild(CrossbarBuild):
    """A netlist with all mutants of a build: its parameters are in it, and its pins choose the mutant.

    ``folder`` has the netlist and the pins.
    """

    folder: Path = field(default=Path())

    @property
    def parameters(self) -> dict[str, int]:
        return {}

    @property
    def pins(self) -> Path:  # type: ignore[override]
        return self.folder / "mutant_pins.h"


def digest() -> str:
    """Of the texts of the modules that are mutated, whatever their comments and line breaks."""
    return digest_of(*((sources() / name).read_text(encoding="utf-8") for name in MUTATED))


def netlist(build: CrossbarBuild, folder: Path) -> list[str]:
    """Commands that make the netlist to mutate; cells are numbered, so that their names do not hang on what was done before."""
    named = [f"rename -wire -suffix _cell {module}" for module in (TOP, RANDOM, SEARCH)]
    reduced = ["pmuxtree", "opt", "wreduce", "opt_clean"]
    return [*read_core(build, folder, TOP, FILES), "uniquify", *reduced, *named, "rename -enumerate"]


def mutations(mutated: Mutated, seed: int = SEED) -> list[str]:
    """Options of yosys' `mutate` for each mutant; a given yosys, text and seed give the same ones. Clocks are left alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listed = [
            f"mutate -list {count} -seed {seed} -o {position}.txt {module}"
            for position, (module, count) in enumerate(mutated.mutants.items())
        ]
        run_yosys([*netlist(mutated.build, folder), *listed], folder)
        texts = [(folder / f"{each}.txt").read_text(encoding="utf-8") for each in range(len(listed))]
    lines = [line for text in texts for line in text.splitlines()]
    return [line.removeprefix("mutate ") for line in lines if " -port CLK " not in line and " -port clk " not in line]


def module_of(options: str) -> str:
    """The module that a mutation changes."""
    words = options.split()
    return words[words.index("-module") + 1]


# ---------------------------------------------------------------------------- tests


def write_mutants(mutated: Mutated, options: Sequence[str], folder: Path) -> MutantBuild:
    """The core with all mutants in it; mutant ``k + 1`` is ``options[k]``."""
    (folder / "made").mkdir(parents=True)
    script = [f"mutate -ctrl {CONTROL} {CONTROL_BITS} {number} {each}" for number, each in enumerate(options, 1)]
    last = [*counters_apart(folder), "opt_clean", f"write_verilog -noattr made/{TOP}.v"]
    run_yosys([*netlist(mutated.build, folder), *script, *last], folder)
    build = mutated.build
    made = MutantBuild(build.neurons, build.axons, build.stochastic, build.draw_step, folder / "made")
    verilog = made.folder / f"{TOP}.v"
    verilog.write_text(
        f"/* verilator lint_off WIDTH */ /* verilator lint_off UNOPTFLAT */\n{verilog.read_text(encoding='utf-8')}",
        encoding="utf-8",
    )
    made.pins.write_text(_PINS.format(pins=CrossbarBuild.pins, control=CONTROL), encoding="utf-8")
    return made


def counters_apart(folder: Path) -> list[str]:
    """Commands that make the counters' registers a module of their own, where a test can put them near their end."""
    register = Path(__file__).with_name("enabled_counter_register.v")
    (folder / register.name).write_text(register.read_text(encoding="utf-8"), encoding="utf-8")
    chosen = " ".join(f"{TOP}/{name}_cell" for name in COUNTERS)
    return [
        f"read_verilog -defer {register.name}",
        f"chtype -set {register.stem} {chosen}",
        f"hierarchy -top {TOP}",
        "proc",
    ]


def programs(build: CrossbarBuild, ticks: int) -> Iterator[tuple[str, Callable[[], None]]]:
    """Random programs, each a test that fails where model and netlist differ."""
    for seed in range(PROGRAMS):
        yield f"program {seed}", partial(_agrees, build, ticks, seed)


def _agrees(build: CrossbarBuild, ticks: int, seed: int) -> None:
    image, stimulus = random_program(seed, build, cores=1 + seed % 3, ticks=ticks)
    stalls = Stalls(events=(0, 0.2, 0.8)[seed % 3], packets=(0, 0.5)[seed % 2], seed=seed)
    folder = build.folder if isinstance(build, MutantBuild) else None
    course = Course(rtl_program(image, build), stimulus, ticks, ticks, stalls, folder)
    difference = course.run()
    assert not course.memory, course.memory[0].message
    assert difference is None, f"tick {difference.tick}: {', '.join(difference.quantities)}"


def port_tests(build: CrossbarBuild, module: ModuleType) -> Iterator[tuple[str, Callable[[], None]]]:
    """The tests of a module that take a core, with each of their parameters."""
    for name, test in vars(module).items():
        if not name.startswith("test_") or "core" not in inspect.signature(test).parameters:
            continue
        marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
        for values in product(*(mark[1] for mark in marks)):
            given = dict(zip((mark[0] for mark in marks), values, strict=True))
            yield " ".join([name.removeprefix("test_"), *map(str, values)]), partial(_with_core, build, test, given)


def _with_core(build: CrossbarBuild, test: Callable[..., None], given: Mapping[str, Any]) -> None:
    core = OneCrossbar(build, build.folder if isinstance(build, MutantBuild) else None)
    try:
        test(core, **given)
    finally:
        core.close()


def tests_of(mutated: Mutated, build: CrossbarBuild) -> dict[str, Callable[[], None]]:
    """All tests of a build, those first that kill most; some of the port tests are written for one of the builds."""
    modules = [test_crossbar_ports, *([test_crossbar] if mutated.build == test_crossbar.SMALL else [])]
    ports = [each for module in modules for each in port_tests(build, module)]
    return {**dict(programs(build, mutated.ticks)), **dict(ports)}


def killer(tests: Mapping[str, Callable[[], None]]) -> dict[str, str] | None:
    """The first test that fails, and what it saw; None if all pass."""
    for name, test in tests.items():
        try:
            test()
        except (AssertionError, NeuroemuError, LookupError, ValueError) as seen:
            said = str(seen).splitlines() or [type(seen).__name__]
            return {"test": name, "saw": said[0][:80]}
    return None


def judged(
    mutated: Mutated,
    options: Sequence[str],
    numbers: Sequence[int],
    folder: Path,
    only: Sequence[str] | None = None,
) -> dict[int, Any]:
    """What kills mutants: number -> test and what was seen, or None. Number 0 is the core itself.

    Args:
        only: names of tests; by default all.

    Raises:
        AssertionError: a test fails on the core itself, so nothing can be said of mutants.
    """
    build = write_mutants(mutated, options, folder)
    library = ctypes.CDLL(str(library_of(build, folder=build.folder)))
    tests = {name: test for name, test in tests_of(mutated, build).items() if only is None or name in only}
    found = {}
    for number in (0, *numbers):
        library.choose_mutant(number)
        found[number] = killer(tests)
    library.choose_mutant(0)
    assert found.pop(0) is None, "the tests fail on the core itself"
    return found


def benched(
    mutated: Mutated, options: Sequence[str], folder: Path, only: Sequence[str] = ()
) -> list[dict[str, Any] | None]:
    """What kills each mutant in the protocol tests under cocotb: test, cycle and what was seen, or None.

    Args:
        only: names of tests; by default all.

    Raises:
        AssertionError: a test fails on the core itself, so nothing can be said of mutants.
    """
    verilog = write_mutants(mutated, options, folder / "netlist").folder / f"{TOP}.v"
    numbers = range(len(options) + 1)
    told = {
        BUILD_VARIABLE: asdict(mutated.build),
        MUTANTS_VARIABLE: list(numbers),
        TESTS_VARIABLE: list(only),
        "NUMBA_DISABLE_JIT": 1,
    }
    done = simulate(Design(TOP, (verilog,), arguments=SAME_RUNTIME), "rtl.tests.cocotb_crossbar_mutants", folder, told)
    assert done == (1, 0), (folder / "test.log").read_text(encoding="utf-8")[-4000:]
    found = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    assert found["0"] is None, f"the tests fail on the core itself: {found['0']}"
    return [found[str(number)] for number in numbers[1:]]


# ---------------------------------------------------------------------------- proofs and ledger


def invariants_of(build: CrossbarBuild) -> dict[str, Invariants]:
    """Module -> what holds of the registers around it; the search is proven where it stands, in the core."""
    width = build.axons + ROW_FIELDS
    last_position = width // Core(build).pace - 1
    core = Invariants(
        TOP,
        ("{state} <= 21", f"{{position}} <= {last_position}", *draws_of(build)),
        inside=SEARCH,
        counts=COUNTS,
        steps=CLEAR_WALKS,
        numberings=NUMBERINGS,
    )
    counting = "({phase} == 1 || {phase} == 3)"
    steps = f"!{counting} || {{left}} >= 1 && {{left}} <= {64 // build.draw_step}"
    return {TOP: core, SEARCH: core, RANDOM: Invariants(RANDOM, (steps,), counts={"left": counting})}


def draws_of(build: CrossbarBuild) -> tuple[str, ...]:
    """A neuron draws at most once for each synapse to serve, for leak and for threshold, and for the threshold last."""
    serving, drawing = "{state} >= 8 && {state} <= 10", "{state} >= 9 && {state} <= 10"
    place = next(low for low, item in row_places() if item.name == "c_lambda")
    leak_waits = f"((({{row}} >> {build.axons + place}) & 1) && !{{leak_known}})"
    waiting = " + ".join(f"(({{row}} >> {axon}) & 1)" for axon in range(build.axons))
    return (
        "{state} != 7 || {draw} == 0 && !{leak_known} && !{eta_known} && {eta} == 0",
        f"!({serving}) || ({{eta_known}} ? !{{any}} : {{eta}} == 0)",
        f"!({serving}) || {{draw}} + {waiting} + {{any}} + !{{leak_known}} + !{{eta_known}} <= {build.axons + 2}",
        f"!({serving}) || !{{eta_known}} || !{leak_waits}",
        f"!({drawing}) || {{any}} || {leak_waits} || !{{eta_known}}",
    )


def equivalent(mutated: Mutated, options: Sequence[str]) -> list[bool]:
    """For each mutant whether it is proven to be the core."""
    same = {}
    for module, known in invariants_of(mutated.build).items():
        chosen = [each for each in options if module_of(each) == module]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if chosen:
                same |= dict(zip(chosen, proven(known, netlist(mutated.build, folder), chosen, folder), strict=True))
    return [same[each] for each in options]


def rows_of(mutated: Mutated) -> list[dict[str, Any]]:
    """The ledger's lines of a build: each mutant with what killed it or that it is proven to be the core."""
    with tempfile.TemporaryDirectory() as name:
        return _rows_of(mutated, Path(name))


def _rows_of(mutated: Mutated, folder: Path) -> list[dict[str, Any]]:
    options = mutations(mutated)
    found = judged(mutated, options, range(1, len(options) + 1), folder)
    rows: list[dict[str, Any]] = [
        {"build": mutated.title, "mutation": each, "verdict": KILLED} | (found[number] or {})
        for number, each in enumerate(options, 1)
    ]
    left = [row for number, row in enumerate(rows, 1) if found[number] is None]
    for row, same in zip(left, equivalent(mutated, [row["mutation"] for row in left]), strict=True):
        row["verdict"] = EQUIVALENT if same else SURVIVED
    left = [row for row in left if row["verdict"] == SURVIVED]
    for row, seen in zip(left, benched(mutated, [row["mutation"] for row in left], folder / "bench"), strict=True):
        if seen is not None:
            row |= {"verdict": KILLED, **seen}
    return rows


LEDGER = Ledger(
    Path(__file__).with_name("crossbar_controller.jsonl"),
    SEED,
    digest,
    {mutated.title: partial(rows_of, mutated) for mutated in BUILDS},
)

if __name__ == "__main__":
    LEDGER.renew()
