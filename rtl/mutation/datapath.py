"""Mutates the netlist of the LIF datapath and has the prover judge every mutant: `python -m rtl.mutation.datapath`.

Each mutant is one small change that yosys' `mutate` makes (a bit inverted, stuck, or exchanged with a neighbour under its control).
The prover of `neuroemu.cosim.proof` kills it with inputs for which it differs from the rule, or proves that it is
the same datapath for all inputs. The ledger beside this file lists all mutants: a summary, then one line each.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from neuroemu.cosim.proof import (
    MODULE,
    OF_A_NEURON,
    OF_THE_CORE,
    OUTPUTS,
    Counterexample,
    Datapath,
    Proof,
    flat_netlist,
    prove,
    run_yosys,
)
from neuroemu.cosim.tools import sources
from rtl.mutation.ledger import EQUIVALENT, KILLED, Ledger, digest_of

SEED = 1
INPUTS = (*OF_A_NEURON, *OF_THE_CORE)


@dataclass(frozen=True)
class Build:
    """A parameter set and how many mutants of it are judged."""

    title: str
    datapath: Datapath
    mutants: int


BUILDS = (
    Build(
        "every mode",
        Datapath(v_bits=8, acc_bits=8, factor=True, constant=True, current=True, wrap=True),
        120,
    ),
    Build("small core in three stages", Datapath(stages=3), 80),
    Build("factor leak", Datapath(v_bits=8, acc_bits=8, shift=False, factor=True), 30),
    Build(
        "constant leak and current in three stages",
        Datapath(v_bits=8, acc_bits=8, shift=False, constant=True, current=True, stages=3),
        30,
    ),
)


def verilog() -> str:
    """The text of the module that is mutated."""
    return (sources() / f"{MODULE}.v").read_text(encoding="utf-8")


def mutations(build: Build, seed: int = SEED) -> list[str]:
    """Options of yosys' `mutate` for each mutant; a given yosys, text and seed give the same ones.

    Clock ports are left alone: a netlist in SMT terms counts clocks and has no edges.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yosys(build.datapath, [f"mutate -list {build.mutants} -seed {seed} -o mutations.txt"], folder)
        lines = (folder / "mutations.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("mutate ") for line in lines if " -port CLK " not in line]


def judged(datapath: Datapath, options: Sequence[str]) -> Iterator[Proof]:
    """What the prover says of each mutant; one run of yosys makes them all."""
    script = []
    for position, each in enumerate(options):
        script += ["design -load flat", f"mutate {each}", f"write_smt2 -stbv {position}.smt2"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yosys(datapath, ["design -save flat", *script], folder)
        for position in range(len(options)):
            yield prove(datapath, (folder / f"{position}.smt2").read_text(encoding="utf-8"))


def yosys(datapath: Datapath, script: Sequence[str], folder: Path) -> None:
    """Run yosys on the flat netlist, whose cells are numbered so that their names do not hang on what was done before."""
    (folder / f"{MODULE}.v").write_text(verilog(), encoding="utf-8")
    read = f"read_verilog -defer {MODULE}.v"
    run_yosys([read, *flat_netlist(datapath.parameters), "rename -enumerate", *script], folder)


def row_of(build: Build, options: str, proof: Proof) -> dict[str, Any]:
    """A mutant's line in the ledger; inputs and outputs in the order of INPUTS and OUTPUTS."""
    row: dict[str, Any] = {"build": build.title, "mutation": options}
    found = proof.counterexample
    if found is None:
        return {**row, "verdict": EQUIVALENT}
    return {
        **row,
        "verdict": KILLED,
        "claim": found.claim,
        "inputs": [found.inputs[name] for name in INPUTS],
        "expected": [found.expected[name] for name in OUTPUTS],
        "verilog": [found.verilog[name] for name in OUTPUTS],
    }


def counterexample_of(row: Mapping[str, Any]) -> Counterexample:
    """The inputs that killed a mutant, from its line in the ledger."""
    outputs = (dict(zip(OUTPUTS, row[name], strict=True)) for name in ("expected", "verilog"))
    return Counterexample(row["claim"], dict(zip(INPUTS, row["inputs"], strict=True)), *outputs)


def rows_of(build: Build) -> list[dict[str, Any]]:
    """The ledger's lines of a build."""
    options = mutations(build)
    return [row_of(build, *pair) for pair in zip(options, judged(build.datapath, options), strict=True)]


def digest() -> str:
    """Of the text of the module, whatever its comments and line breaks."""
    return digest_of(verilog())


LEDGER = Ledger(
    Path(__file__).with_name("datapath.jsonl"), SEED, digest, {build.title: partial(rows_of, build) for build in BUILDS}
)

if __name__ == "__main__":
    LEDGER.renew()
