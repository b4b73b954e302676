"""Netlists of ``lif_core`` by yosys: gates with memories kept, under the module name and the ports of the Verilog sources."""

from __future__ import annotations

from pathlib import Path

from neuroemu.cosim.proof import run_yosys
from neuroemu.cosim.tools import sources
from rtl.tests.core_model import Build
from rtl.tests.simulation import CORE_FILES

TOP = "lif_core"
GATES = "AND,OR,XOR,MUX,NAND,NOR"


def read_core(build: Build, folder: Path) -> list[str]:
    """Commands that read the core at a build's parameters; its sources are copied to ``folder``, where yosys runs."""
    headers = [file.name for file in sources().glob("*.vh")]
    for name in (*CORE_FILES, *headers):
        (folder / name).write_text((sources() / name).read_text(encoding="utf-8"), encoding="utf-8")
    chosen = "".join(f" -chparam {name} {value}" for name, value in build.parameters.items())
    return [
        f"read_verilog -defer {' '.join(CORE_FILES)}",
        f"hierarchy -check -top {TOP}{chosen}",
        "proc",
        f"rename -top {TOP}",
    ]


def write_gates(build: Build, folder: Path) -> Path:
    """The core as gates in one flat module; memories stay arrays.

    Raises:
        BadInput: NE7201 without yosys, NE7205 if it refuses the sources.
    """
    folder.mkdir(parents=True, exist_ok=True)
    script = [
        "flatten",
        "opt",
        "memory -nomap",
        "techmap",
        f"abc -g {GATES}",
        "opt_clean",
        "write_verilog -noattr gates.v",
    ]
    run_yosys([*read_core(build, folder), *script], folder)
    return folder / "gates.v"
