"""Mutates the crossbar core's datapath and dice, and the prover judges every mutant: `python -m rtl.mutation.crossbar_datapath`.

The prover of `neuroemu.cosim.crossbar_proof` kills a mutant with inputs for which it differs from the rules of family truenorth, or
proves that it equals them for all inputs. The ledger beside this file lists all mutants: a summary, then one line each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from neuroemu.cosim.crossbar_proof import (
    DATAPATH,
    DICE,
    Claim,
    datapath_claims,
    dice_claims,
    refuted_netlist,
    sum_bits,
)
from neuroemu.cosim.proof import Counterexample, flat_netlist, run_yosys
from neuroemu.cosim.tools import sources
from neuroemu.families.truenorth.image import SIZE
from rtl.mutation.ledger import EQUIVALENT, KILLED, Ledger, digest_of

SEED = 1


@dataclass(frozen=True)
class Module:
    """A module with its parameters, what is claimed of it, and how many mutants of it are judged."""

    title: str
    parameters: Mapping[str, int]
    claims: Callable[[], Iterable[Claim]]
    mutants: int


MODULES = (
    Module(DATAPATH, {"SUM_BITS": sum_bits(SIZE)}, datapath_claims, 160),
    Module(DICE, {}, dice_claims, 60),
)


def verilog(module: Module) -> str:
    """The text of a module."""
    return (sources() / f"{module.title}.v").read_text(encoding="utf-8")


def mutations(module: Module, seed: int = SEED) -> list[str]:
    """Options of yosys' `mutate` for each mutant; a given yosys, text and seed give the same ones.

    Clock ports are left alone: a netlist in SMT terms counts clocks and has no edges.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _yosys(module, [f"mutate -list {module.mutants} -seed {seed} -o mutations.txt"], folder)
        lines = (folder / "mutations.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("mutate ") for line in lines if " -port CLK " not in line]


def judged(module: Module, options: Sequence[str]) -> Iterator[Counterexample | None]:
    """What kills each mutant, or None; one run of yosys makes them all."""
    script = ["design -save flat"]
    for position, each in enumerate(options):
        script += ["design -load flat", f"mutate {each}", f"write_smt2 -stbv {position}.smt2"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _yosys(module, script, folder)
        for position in range(len(options)):
            yield refuted_netlist(module.claims(), (folder / f"{position}.smt2").read_text(encoding="utf-8"))


def _yosys(module: Module, script: Sequence[str], folder: Path) -> None:
    """Run yosys on the flat netlist, whose cells are numbered so that their names do not hang on what was done before."""
    (folder / f"{module.title}.v").write_text(verilog(module), encoding="utf-8")
    read = f"read_verilog -defer {module.title}.v"
    run_yosys([read, *flat_netlist(module.parameters, module.title), "rename -enumerate", *script], folder)


def row_of(module: Module, options: str, found: Counterexample | None) -> dict[str, Any]:
    """A mutant's line in the ledger."""
    row: dict[str, Any] = {"build": module.title, "mutation": options}
    if found is None:
        return {**row, "verdict": EQUIVALENT}
    seen = {name: dict(getattr(found, name)) for name in ("inputs", "expected", "verilog")}
    return {**row, "verdict": KILLED, "claim": found.claim, **seen}


def rows_of(module: Module) -> list[dict[str, Any]]:
    """The ledger's lines of a module."""
    options = mutations(module)
    return [row_of(module, *pair) for pair in zip(options, judged(module, options), strict=True)]


def digest() -> str:
    """Of the texts of all modules, whatever their comments and line breaks."""
    return digest_of(*map(verilog, MODULES))


LEDGER = Ledger(
    Path(__file__).with_name("crossbar_datapath.jsonl"),
    SEED,
    digest,
    {module.title: partial(rows_of, module) for module in MODULES},
)

if __name__ == "__main__":
    LEDGER.renew()
