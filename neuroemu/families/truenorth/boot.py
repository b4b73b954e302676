"""Boots a program of crossbar cores: engine, meter and the names a user knows, from the image alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroemu.families import Booted
from neuroemu.families.truenorth.core import TrueNorthEngine
from neuroemu.families.truenorth.image import ProgramImage, unpack
from neuroemu.families.truenorth.lanes import SIZE
from neuroemu.families.truenorth.load import load_program, rules_of, target_cores
from neuroemu.families.truenorth.timing import CrossbarMeter, Routes
from neuroemu.image.container import Program
from neuroemu.noc.mesh import Mesh
from neuroemu.spec import ChipSpec


@dataclass(frozen=True)
class TrueNorthBooted(Booted):
    """A booted program with its chip description."""

    chip: Any
    core_numbers: tuple[int, ...]

    def mapping(self) -> dict[str, Any]:
        """Which cores are in use and how much of each."""
        from neuroemu.families.truenorth.summary import mapping_section

        return mapping_section(self)


def boot(program: Program, threads: int = 1, per_tick: bool = True) -> TrueNorthBooted:
    """Unpack, load and wire the meter; raises BadInput for a damaged program."""
    return boot_image(unpack(program), threads, per_tick)


def boot_image(image: ProgramImage, threads: int = 1, per_tick: bool = True) -> TrueNorthBooted:
    """Load an image that needs no unpacking (a recorded case may hold more than the rows of a chip do)."""
    chip: Any = ChipSpec.from_dict(image.chip)
    mesh = chip.structure.mesh
    compiled = load_program(image, rules_of(chip.arithmetic), mesh.columns, mesh.rows)
    routes = routes_of(image, chip, mesh)
    return TrueNorthBooted(
        engine=TrueNorthEngine(compiled, threads),
        meter=CrossbarMeter(routes, compiled.inputs, compiled.cores, chip.timing.core_load_limit, per_tick),
        symbols=image.symbols,
        constant_ports=tuple(port.name for port in image.symbols.inputs if port.constant),
        neurons_of=image.symbols.engine_neurons(image.cores.number.tolist(), np.full(compiled.cores, SIZE)),
        membrane="v",
        inputs=compiled.inputs,
        chip=chip,
        core_numbers=tuple(image.cores.number.tolist()),
    )


def routes_of(image: ProgramImage, chip: Any, mesh: Mesh) -> Routes:
    """Where every neuron's packet goes, x first, then y."""
    cores = image.cores
    connected, number = target_cores(cores, mesh.columns, mesh.rows)
    position = np.full(mesh.slots, -1, np.int64)
    position[cores.number] = np.arange(cores.count)
    x, y = cores.number[:, None] % mesh.columns, cores.number[:, None] // mesh.columns
    wide, high = int(chip.structure.mesh_columns.value), int(chip.structure.mesh_rows.value)
    crossings = np.abs((x + cores.dx) // wide - x // wide) + np.abs((y + cores.dy) // high - y // high)
    return Routes(
        target=np.where(connected, position[number], -1).reshape(-1),
        hops_east_west=np.where(connected, np.abs(cores.dx.astype(np.int64)), 0).reshape(-1),
        hops_north_south=np.where(connected, np.abs(cores.dy.astype(np.int64)), 0).reshape(-1),
        crossings=np.where(connected, crossings, 0).astype(np.int64).reshape(-1),
    )
