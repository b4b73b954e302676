"""Netlists of the cores by yosys: gates with memories kept, under the module name and the ports of the Verilog sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from neuroemu.cosim.proof import run_yosys
from neuroemu.cosim.tools import sources
from rtl.tests.simulation import CORE_FILES

TOP = "lif_core"
GATES = "AND,OR,XOR,MUX,NAND,NOR"


class Parametrised(Protocol):
    """A build of a core."""

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameter -> value."""


def read_core(build: Parametrised, folder: Path, top: str = TOP, files: Sequence[str] = CORE_FILES) -> list[str]:
    """Commands that read a core at a build's parameters; its sources are copied to ``folder``, where yosys runs."""
    headers = [file.name for file in sources().glob("*.vh")]
    for name in (*files, *headers):
        (folder / name).write_text((sources() / name).read_text(encoding="utf-8"), encoding="utf-8")
    chosen = "".join(f" -chparam {name} {value}" for name, value in build.parameters.items())
    return [
        f"read_verilog -defer {' '.join(files)}",
        f"hierarchy -check -top {top}{chosen}",
        "proc",
        f"rename -top {top}",
    ]


def write_gates(build: Parametrised, folder: Path, top: str = TOP, files: Sequence[str] = CORE_FILES) -> Path:
    """A core as gates in one flat module; memories stay arrays.

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
    run_yosys([*read_core(build, folder, top, files), *script], folder)
    return folder / "gates.v"
