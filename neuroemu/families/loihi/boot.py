"""Boots a Loihi program: engine, traffic meter and the names a user knows, from the image alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroemu.cost.estimate import CostReport
from neuroemu.emulator.traffic import traffic_of
from neuroemu.families import Booted
from neuroemu.families.loihi.costs import cost_report
from neuroemu.families.loihi.load import load_program
from neuroemu.families.loihi.packing import unpack
from neuroemu.families.loihi.timing import TrafficMeter
from neuroemu.image.container import Program
from neuroemu.spec import ChipSpec


@dataclass(frozen=True)
class LoihiBooted(Booted):
    """A booted Loihi program with its chip description."""

    chip: Any
    core_numbers: tuple[int, ...]


def boot(program: Program, threads: int = 1, per_tick: bool = True) -> LoihiBooted:
    """Unpack, load and wire the meter; see :class:`neuroemu.families.Family`."""
    image = unpack(program)
    chip = ChipSpec.from_dict(image.chip)
    compiled, links, memory = load_program(image, threads)
    mesh = chip.structure.mesh
    core_numbers = tuple(core.core for core in image.cores)
    sizes = np.array([core.compartments for core in image.cores], np.int64)
    meter = TrafficMeter(
        traffic=traffic_of(links, memory, core_numbers, sizes, mesh),
        compartments=sizes,
        cost_sets=chip.cost_sets,
        tiles_used=len({number // mesh.cores_per_tile for number in core_numbers}),
        per_tick=per_tick,
    )
    return LoihiBooted(
        engine=compiled.engine(per_tick),
        meter=meter,
        symbols=image.symbols,
        constant_ports=tuple(port.name for port in image.symbols.inputs if port.constant),
        neurons_of=image.symbols.engine_neurons(core_numbers, sizes),
        membrane="v",
        inputs=compiled.inputs,
        chip=chip,
        core_numbers=core_numbers,
    )


def costs(booted: Booted, samples: int) -> CostReport:
    """Estimates for everything the booted program has done."""
    assert isinstance(booted, LoihiBooted) and isinstance(booted.meter, TrafficMeter)
    report = cost_report(booted.meter, booted.chip, booted.core_numbers, samples)
    meter, mesh = booted.meter, booted.chip.structure.mesh
    return replace(report, network=meter.counter.carried(meter.source_spikes, booted.core_numbers, mesh))
