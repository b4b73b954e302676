"""Mutates the controller of the LIF core and lets the protocol tests judge every mutant: `python -m rtl.mutation.controller`.

The controller is `lif_core` without its memories and its datapath: only cells of that module change, and what it puts on the
ports of the others. Yosys' `mutate` puts all mutants of a build into one netlist behind an input that selects one, so that
one simulator runs them all. What no test kills is held against the core by a prover (see `equivalence.py`). The ledger
beside this file lists all mutants: a summary, then one line each.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from neuroemu.cosim.proof import run_yosys
from neuroemu.cosim.tools import sources
from rtl.mutation.equivalence import Invariants, proven
from rtl.mutation.ledger import EQUIVALENT, KILLED, SURVIVED, Ledger, digest_of
from rtl.tests.cocotb_lif_counters import COUNTERS
from rtl.tests.cocotb_mutants import CONTROL, MUTANTS_VARIABLE
from rtl.tests.core_bench import BUILD_VARIABLE
from rtl.tests.core_model import Build
from rtl.tests.netlist import TOP, read_core
from rtl.tests.simulation import SAME_RUNTIME, Design, simulate

SEED = 1
CONTROL_BITS = 10


@dataclass(frozen=True)
class Mutated:
    """A parameter set and how many mutants of it are judged."""

    title: str
    build: Build
    mutants: int


BUILDS = (
    Mutated("one stage", Build(NEURONS=6, AXONS=5, V_BITS=12, ACC_BITS=10, ROUTES=12, REF_BITS=3, START_BITS=3), 120),
    Mutated(
        "three stages",
        Build(
            NEURONS=4,
            AXONS=4,
            WEIGHT_BITS=6,
            V_BITS=10,
            ACC_BITS=8,
            REF_BITS=3,
            START_BITS=3,
            ROUTES=11,
            CURRENT=1,
            WRAP=1,
            STAGES=3,
        ),
        120,
    ),
)


def digest() -> str:
    """Of the text of the module that is mutated, whatever its comments and line breaks."""
    return digest_of((sources() / f"{TOP}.v").read_text(encoding="utf-8"))


def controller(build: Build, folder: Path) -> list[str]:
    """Commands that make the netlist to mutate; cells are numbered, so that their names do not hang on what was done before.

    The registers of the 32-bit counters become a module of their own: a test can then put a counter near its end whatever was
    changed around it.
    """
    reduced = ["pmuxtree", "opt", "wreduce", "opt_clean"]
    register = Path(__file__).with_name("counter_register.v")
    (folder / register.name).write_text(register.read_text(encoding="utf-8"), encoding="utf-8")
    plain = [f"cd {TOP}", *(f"rename g_counters.{name} {name}" for name in COUNTERS), "cd"]
    named = [f"rename -wire -suffix _cell {TOP}", "rename -enumerate"]
    chosen = " ".join(f"{TOP}/{name}_cell" for name in COUNTERS)
    apart = [
        f"read_verilog -defer {register.name}",
        f"chtype -set {register.stem} {chosen}",
        f"hierarchy -top {TOP}",
        "proc",
    ]
    return [*read_core(build, folder), *reduced, *plain, *named, *apart]


def mutations(mutated: Mutated, seed: int = SEED) -> list[str]:
    """Options of yosys' `mutate` for each mutant; a given yosys, text and seed give the same ones. Clocks are left alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        listed = f"mutate -list {mutated.mutants} -seed {seed} -o mutations.txt {TOP}"
        run_yosys([*controller(mutated.build, folder), listed], folder)
        lines = (folder / "mutations.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("mutate ") for line in lines if " -port CLK " not in line and " -port clk " not in line]


def write_mutants(mutated: Mutated, options: Sequence[str], folder: Path) -> Path:
    """The core with all mutants in it; mutant ``k + 1`` is ``options[k]``."""
    folder.mkdir(parents=True, exist_ok=True)
    script = [f"mutate -ctrl {CONTROL} {CONTROL_BITS} {number} {each}" for number, each in enumerate(options, 1)]
    last = ["opt_clean", "write_verilog -noattr mutants.v"]
    run_yosys([*controller(mutated.build, folder), *script, *last], folder)
    return folder / "mutants.v"


def judged(mutated: Mutated, options: Sequence[str], numbers: Sequence[int], folder: Path) -> dict[int, Any]:
    """What kills mutants: number -> test, cycle and what was seen, or None. Number 0 is the core itself.

    Raises:
        AssertionError: a test fails on the core itself, so nothing can be said of mutants.
    """
    design = Design(TOP, (write_mutants(mutated, options, folder / "netlist"),), arguments=SAME_RUNTIME)
    told = {BUILD_VARIABLE: mutated.build.parameters, MUTANTS_VARIABLE: [*numbers, 0]}
    done = simulate(design, "rtl.tests.cocotb_mutants", folder, told)
    assert done == (1, 0), (folder / "test.log").read_text(encoding="utf-8")[-4000:]
    verdicts = {int(number): found for number, found in json.loads((folder / "verdicts.json").read_text()).items()}
    assert verdicts.pop(0) is None, "the tests fail on the core itself"
    return verdicts


def equivalent(mutated: Mutated, options: Sequence[str]) -> list[bool]:
    """For each mutant whether it is proven to be the core."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = Invariants(TOP, ("{state} <= 4", f"{{size}} != 0 && {{size}} <= {mutated.build.NEURONS}"))
        return proven(known, controller(mutated.build, folder), options, folder)


def rows_of(mutated: Mutated) -> list[dict[str, Any]]:
    """The ledger's lines of a build: each mutant with what killed it or that it is proven to be the core."""
    with tempfile.TemporaryDirectory() as name:
        return _rows_of(mutated, Path(name))


def _rows_of(mutated: Mutated, folder: Path) -> list[dict[str, Any]]:
    options = mutations(mutated)
    found = judged(mutated, options, range(1, len(options) + 1), folder)
    rows = [{"build": mutated.title, "mutation": each, "verdict": KILLED} for each in options]
    left = [number for number, killer in found.items() if killer is None]
    for number, same in zip(left, equivalent(mutated, [options[number - 1] for number in left]), strict=True):
        rows[number - 1]["verdict"] = EQUIVALENT if same else SURVIVED
    return [row | (found[number] or {}) for number, row in enumerate(rows, 1)]


LEDGER = Ledger(
    Path(__file__).with_name("controller.jsonl"),
    SEED,
    digest,
    {mutated.title: partial(rows_of, mutated) for mutated in BUILDS},
)

if __name__ == "__main__":
    LEDGER.renew()
