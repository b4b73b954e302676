"""Loihi's own mapping: pieces onto cores, cores onto the mesh, and the core images that result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.loihi.image import (
    CompartmentProfile,
    CoreImage,
    CoreLimits,
    HostRoutes,
    ProgramImage,
    SynapseFormat,
    SynapseSection,
    check_core,
)
from neuroemu.families.loihi.lowered import LoweredNetwork
from neuroemu.families.loihi.pieces import Piece, SynapseBlock, cut
from neuroemu.image.symbols import Symbols
from neuroemu.mapping.cores import Placement, by_source, first_neurons, place_pieces, routes_of, symbols_of
from neuroemu.mapping.partition import DEFAULT_PARTITIONER
from neuroemu.mapping.place import DEFAULT_PLACER

IntArray = NDArray[np.int64]
UInt16 = NDArray[np.uint16]

_RESOURCES = (
    "compartments",
    "input_axons",
    "output_axons",
    "synapse_memory_bits",
    "compartment_profiles",
    "threshold_profiles",
    "synapse_formats",
)


_FIXES_OF_TABLES = {
    "compartment_profiles": (
        "give the feature maps of a convolution fewer distinct time constants",
        "round time constants to a few values before export",
        "split the population",
    ),
    "synapse_formats": (
        "give the projections into the population equal delays",
        "scale them to similar largest weights, so that they share a weight exponent",
        "merge projections from one source",
    ),
}
_FIXES_OF_A_PIECE = ("make the population smaller", "split the population", "use a chip with larger cores")


def core_limits(chip: Any) -> CoreLimits:
    """Limits of one core from the chip file."""
    limits = chip.limits
    return CoreLimits(
        compartments=int(limits.compartments.value),
        input_axons=int(limits.input_axons.value),
        output_axons=int(limits.output_axons.value),
        synapse_memory_bits=int(limits.synapse_memory.bits),
        compartment_profiles=int(limits.compartment_profiles.value),
        threshold_profiles=int(limits.threshold_profiles.value),
        synapse_formats=int(limits.synapse_formats.value),
    )


def map_network(
    network: LoweredNetwork,
    chip: Any,
    *,
    partitioner: str = DEFAULT_PARTITIONER,
    placer: str = DEFAULT_PLACER,
    rates: Mapping[str, IntArray] | None = None,
    seed: int = 0,
) -> Placement[Piece]:
    """Cut, pack and place a lowered network.

    Args:
        rates: spikes per neuron of a profiling run, by population; 1 per neuron when not given.

    Raises:
        DoesNotFit: with every limit that is broken, by how much and where.
    """
    limits = core_limits(chip)
    pieces = cut(network, limits, partitioner, seed)
    outputs = routes_of(pieces)
    use = np.array([_piece_use(piece, outputs[piece.population.name]) for piece in pieces], np.int64)
    room = np.array([getattr(limits, name) for name in _RESOURCES], np.int64)
    _refuse_pieces(pieces, use, room)
    return place_pieces(pieces, use, room, _RESOURCES, chip.structure.mesh, partitioner, placer, seed, rates)


def _piece_use(piece: Piece, outputs: IntArray) -> list[int]:
    return [
        piece.size,
        piece.axons,
        int(outputs[piece.neurons].sum()),
        piece.memory_bits,
        piece.profiles,
        1,
        len({(block.kind, block.format) for block in piece.blocks}),
    ]


def _refuse_pieces(pieces: tuple[Piece, ...], use: IntArray, room: IntArray) -> None:
    """Limits that cutting cannot mend (profiles, formats), for every population at once."""
    findings: dict[tuple[str, int], Finding] = {}
    for row, column in np.argwhere(use.reshape(-1, len(room)) > room):
        name = pieces[row].population.name
        label = _RESOURCES[column].replace("_", " ")
        findings[name, int(column)] = Finding(
            "NE4105",
            f"a core would need {use[row, column]} {label}, {use[row, column] - room[column]} more than the {room[column]} "
            "it has",
            f"population {name}",
            _FIXES_OF_TABLES.get(_RESOURCES[column], _FIXES_OF_A_PIECE),
        )
    if findings:
        raise DoesNotFit(findings.values())


# ---------------------------------------------------------------------------- core images


def build_image(
    network: LoweredNetwork, placement: Placement[Piece], chip: Any, dialect: str, seed: int = 0
) -> ProgramImage:
    """Write registers, synapse memories, axon tables and host routes of the placed network."""
    builders = {int(core): _CoreBuilder(int(core)) for core in placement.cores}
    first_source = {port.name: port.first_source for port in network.ports}
    places: dict[str, tuple[IntArray, IntArray]] = {
        population.name: (np.zeros(population.size, np.int64), np.zeros(population.size, np.int64))
        for population in network.populations
    }
    blocks: list[tuple[SynapseBlock, int, int]] = []
    for piece, core in placement.by_core:
        base = builders[core].add_compartments(piece)
        cores, compartments = places[piece.population.name]
        cores[piece.neurons] = core
        compartments[piece.neurons] = base + np.arange(piece.size)
        blocks += [(block, core, builders[core].add_block(block, base)) for block in piece.blocks]
    first_neuron, size = first_neurons({core: builder.compartments for core, builder in builders.items()})
    host, chips = _Routes(), _Routes()
    for block, core, first_axon in blocks:
        sender = block.projection.source
        if sender in first_source:
            host.add(block.route_source + first_source[sender], core, block.route_axon + first_axon, block.route_atom)
        else:
            cores, compartments = places[sender]
            source = (first_neuron[cores] + compartments)[block.route_source]
            chips.add(source, core, block.route_axon + first_axon, block.route_atom)
    images = []
    start, columns = chips.by_source(size)
    for core, builder in builders.items():
        own = start[first_neuron[core] : first_neuron[core] + builder.compartments + 1]
        images.append(builder.image(own - own[0], *(column[own[0] : own[-1]] for column in columns)))
    findings = [finding for image in images for finding in check_core(image, core_limits(chip))]
    if errors_in(findings):
        raise DoesNotFit(findings)
    start, columns = host.by_source(sum(port.size for port in network.ports))
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(network.ports, symbols_of(network.populations, places), network.outputs, dialect),
        cores=tuple(images),
        host=HostRoutes(start, *columns),
        seed=seed,
    )


class _Routes:
    """Collects routes in the order of their destinations."""

    def __init__(self) -> None:
        self._source: list[IntArray] = []
        self._columns: tuple[list[Any], list[Any], list[Any]] = ([], [], [])

    def add(self, source: IntArray, core: int, axon: IntArray, atom: IntArray) -> None:
        """Append the routes of a block to one core."""
        self._source.append(source)
        for column, values in zip(self._columns, (np.full(source.shape[0], core), axon, atom), strict=True):
            column.append(values.astype(np.uint16))

    def by_source(self, sources: int) -> tuple[IntArray, list[Any]]:
        """(start of every source, [core, axon, atom])."""
        start, columns = by_source(self._source, self._columns, sources)
        return start, [column.astype(np.uint16) for column in columns]


class _CoreBuilder:
    """Collects the pieces of one core."""

    def __init__(self, core: int):
        self.core = core
        self.compartments = 0
        self._axons = 0
        self._profiles: dict[CompartmentProfile, int] = {}
        self._thresholds: dict[int, int] = {}
        self._columns: dict[str, list[IntArray]] = {
            name: []
            for name in (
                "profile",
                "threshold",
                "bias_mantissa",
                "bias_exponent",
                "bias_start",
                "section",
                "list",
                "atoms",
                "base",
            )
        }
        self._sections: dict[tuple[str, SynapseFormat], _SectionBuilder] = {}

    def add_compartments(self, piece: Piece) -> int:
        """Append the piece's compartments; returns the first one's number."""
        population, neurons = piece.population, piece.neurons
        base = self.compartments
        registers = np.stack([population.current_decay[neurons], population.membrane_decay[neurons]])
        distinct, which = np.unique(registers, axis=1, return_inverse=True)
        numbers = np.array(
            [
                self._profiles.setdefault(
                    CompartmentProfile(int(du), int(dv), population.refractory), len(self._profiles)
                )
                for du, dv in distinct.T
            ],
            np.int64,
        )
        threshold = self._thresholds.setdefault(population.threshold, len(self._thresholds))
        self._columns["profile"].append(numbers[which.reshape(-1)])
        self._columns["threshold"].append(np.full(piece.size, threshold))
        self._columns["bias_mantissa"].append(population.bias_mantissa[neurons])
        self._columns["bias_exponent"].append(np.full(piece.size, population.bias_exponent))
        self._columns["bias_start"].append(np.full(piece.size, population.tick_offset))
        self.compartments += piece.size
        return base

    def add_block(self, block: Any, base: int) -> int:
        """Append a block's lists and axons; returns its first axon's number."""
        key = (block.kind, block.format)
        section = self._sections.setdefault(key, _SectionBuilder(len(self._sections)))
        first_list = section.add(block)
        first_axon = self._axons
        self._columns["section"].append(np.full(block.axons, section.number))
        self._columns["list"].append(block.axon_list + first_list)
        self._columns["atoms"].append(block.axon_atoms)
        self._columns["base"].append(block.axon_base + base)
        self._axons += block.axons
        return first_axon

    def image(self, output_start: IntArray, core: UInt16, axon: UInt16, atom: UInt16) -> CoreImage:
        """The finished core."""
        joined = {name: np.concatenate([*parts, np.zeros(0, np.int64)]) for name, parts in self._columns.items()}
        return CoreImage(
            core=self.core,
            profiles=tuple(self._profiles),
            thresholds=np.array(list(self._thresholds), np.uint32),
            vmin_exponent=23,
            vmax_exponent=7,
            noise_exponent=0,
            noise_mantissa_offset=0,
            noise_target="current",
            profile_of_compartment=joined["profile"].astype(np.uint8),
            threshold_of_compartment=joined["threshold"].astype(np.uint8),
            bias_mantissa=joined["bias_mantissa"].astype(np.int16),
            bias_exponent=joined["bias_exponent"].astype(np.uint8),
            bias_start_tick=joined["bias_start"].astype(np.uint16),
            sections=tuple(section.finished(*key) for key, section in self._sections.items()),
            axon_section=joined["section"].astype(np.uint8),
            axon_list=joined["list"].astype(np.uint32),
            axon_atoms=joined["atoms"].astype(np.uint16),
            axon_base=joined["base"].astype(np.uint16),
            output_start=output_start,
            output_core=core,
            output_axon=axon,
            output_atom=atom,
        )


class _SectionBuilder:
    """Collects the lists of one format on one core."""

    def __init__(self, number: int):
        self.number = number
        self._lists = 0
        self._synapses = 0
        self._start: list[IntArray] = [np.zeros(1, np.int64)]
        self._index: list[IntArray] = []
        self._weight: list[IntArray] = []
        self._delay: list[IntArray] = []

    def add(self, block: Any) -> int:
        """Append a block's lists; returns the number of the first."""
        first = self._lists
        self._start.append(block.list_start[1:] + self._synapses)
        self._index.append(block.index)
        self._weight.append(block.weight)
        self._delay.append(block.delay)
        self._lists += block.list_start.shape[0] - 1
        self._synapses += int(block.weight.shape[0])
        return first

    def finished(self, kind: Any, synapse_format: SynapseFormat) -> SynapseSection:
        """The section as core memory holds it."""
        return SynapseSection(
            kind=kind,
            format=synapse_format,
            list_start=np.concatenate(self._start),
            index=np.concatenate(self._index).astype(np.uint16),
            weight=np.concatenate(self._weight).astype(np.int16),
            delay=np.concatenate(self._delay).astype(np.uint8),
        )
