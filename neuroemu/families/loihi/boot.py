"""Boots a Loihi program: engine, traffic meter and the names a user knows, from the image alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroemu.cost.estimate import CostReport
from neuroemu.emulator.delivery import Links, SynapseLists
from neuroemu.families import Booted
from neuroemu.families.loihi.costs import cost_report
from neuroemu.families.loihi.image import ProgramImage
from neuroemu.families.loihi.load import load_program
from neuroemu.families.loihi.packing import unpack
from neuroemu.families.loihi.timing import Traffic, TrafficMeter
from neuroemu.image.container import Program
from neuroemu.noc.mesh import Mesh
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
        traffic=traffic_table(image, links, memory, mesh),
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
    return replace(report, network=_network(booted.meter, booted.core_numbers, booted.chip.structure.mesh))


def _network(meter: TrafficMeter, core_numbers: tuple[int, ...], mesh: Mesh) -> dict[str, Any]:
    """What the mesh carried; packets from the host enter it without hops."""
    traffic = meter.traffic
    source = np.repeat(np.arange(traffic.home.shape[0]), np.diff(traffic.start))
    home = traffic.home[source]
    sent, numbers = home >= 0, np.array(core_numbers, np.int64)
    return mesh.carried(numbers[home[sent]], numbers[traffic.core[sent]], meter.source_spikes[source[sent]])


def traffic_table(image: ProgramImage, links: Links, memory: SynapseLists, mesh: Mesh) -> Traffic:
    """Which packets a spike of each source sends: one per output axon, host packets enter without hops."""
    inputs = image.host.route_start.shape[0] - 1
    sizes = np.array([core.compartments for core in image.cores], np.int64)
    home = np.concatenate([np.full(inputs, -1, np.int64), np.repeat(np.arange(sizes.shape[0]), sizes)])
    core_number = np.array([core.core for core in image.cores], np.int64)
    source = np.repeat(np.arange(home.shape[0]), np.diff(links.link_start))
    east_west = np.zeros(source.shape[0], np.int64)
    north_south = np.zeros(source.shape[0], np.int64)
    on_chip = home[source] >= 0
    east_west[on_chip], north_south[on_chip] = mesh.hops(
        core_number[home[source[on_chip]]], core_number[links.destination_core[on_chip]]
    )
    return Traffic(
        start=links.link_start,
        core=links.destination_core,
        synapses=np.diff(memory.list_start)[links.synapse_list],
        synapse_class=memory.list_class[links.synapse_list].astype(np.int64),
        hops_east_west=east_west,
        hops_north_south=north_south,
        home=home,
        silent=home < 0,
    )
