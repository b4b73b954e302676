"""Loihi's own mapping: pieces onto cores, cores onto the mesh, and the core images that result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
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
from neuroemu.families.loihi.lower import LoweredNetwork
from neuroemu.families.loihi.pieces import Piece, cut, output_axons, port_sizes
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols
from neuroemu.mapping.pack import pack
from neuroemu.mapping.place import PLACERS

IntArray = NDArray[np.int64]

DEFAULT_PARTITIONER = "overlap_growth"
DEFAULT_PLACER = "hilbert_swap"
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


@dataclass(frozen=True)
class Placement:
    """Where every piece went.

    Attributes:
        core_of_piece: int64 (pieces,), physical core number.
        traffic: int64 CSR (logical cores, logical cores), axons between cores weighted with the profiled spikes.
        use: int64 (cores used, resources) in the order of ``resources``; ``cores`` are their physical numbers.
    """

    pieces: tuple[Piece, ...]
    core_of_piece: IntArray
    cores: IntArray
    use: IntArray
    resources: tuple[str, ...]
    limits: CoreLimits
    lower_bound: int
    binding_resource: str
    traffic: sp.csr_array
    partitioner: str
    placer: str


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
) -> Placement:
    """Cut, pack and place a lowered network.

    Args:
        rates: spikes per neuron of a profiling run, by population; 1 per neuron when not given.

    Raises:
        DoesNotFit: with every limit that is broken, by how much and where.
    """
    limits = core_limits(chip)
    pieces = cut(network, limits, partitioner, seed)
    by_population: dict[str, tuple[Piece, ...]] = {}
    for piece in pieces:
        by_population[piece.population.name] = (*by_population.get(piece.population.name, ()), piece)
    outputs = output_axons(network, by_population)
    use = np.array([_piece_use(piece, outputs[piece.population.name]) for piece in pieces], np.int64)
    use = use.reshape(len(pieces), len(_RESOURCES))
    room = np.array([getattr(limits, name) for name in _RESOURCES], np.int64)
    _refuse_pieces(pieces, use, room)
    affinity = _piece_traffic(pieces, rates)
    logical = np.asarray(pack(use, room, affinity=affinity, algorithm="affinity"), np.int64)
    count = int(logical.max(initial=-1)) + 1
    mesh = chip.structure.mesh
    _refuse_chip(count, mesh.available_slots.shape[0], use, room)
    member = sp.csr_array(
        (np.ones(len(pieces), np.int64), (np.arange(len(pieces)), logical)), shape=(len(pieces), count)
    )
    traffic = sp.csr_array(member.T @ affinity @ member)
    slot = np.asarray(PLACERS[placer](traffic, mesh, seed), np.int64)
    core_use = np.zeros((count, len(_RESOURCES)), np.int64)
    np.add.at(core_use, logical, use)
    bound, binding = _lower_bound(use, room)
    order = np.argsort(slot)
    return Placement(
        pieces=pieces,
        core_of_piece=slot[logical],
        cores=slot[order],
        use=core_use[order],
        resources=_RESOURCES,
        limits=limits,
        lower_bound=bound,
        binding_resource=binding,
        traffic=sp.csr_array(traffic[order][:, order]),
        partitioner=partitioner,
        placer=placer,
    )


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
    for row, column in np.argwhere(use > room):
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


def _refuse_chip(needed: int, available: int, use: IntArray, room: IntArray) -> None:
    if needed <= available:
        return
    totals = use.sum(axis=0)
    worst = int(np.argmax(totals / (room * available)))
    raise DoesNotFit(
        Finding(
            "NE4106",
            f"needs {needed} cores, {needed - available} more than the {available} of the chip; the scarcest resource is "
            f"{_RESOURCES[worst].replace('_', ' ')} ({totals[worst]:,} needed, {room[worst] * available:,} on the chip)",
            fixes=(
                "make the largest layer smaller or prune its synapses",
                "use convolutions with fewer output channels or a larger stride",
                f"use {-(-needed // available)} chips (a chip file with a larger mesh)",
            ),
        )
    )


def _lower_bound(use: IntArray, room: IntArray) -> tuple[int, str]:
    """Cores that the scarcest resource of these pieces demands; another cut could share more input axons."""
    totals = use[:, :4].sum(axis=0)
    needed = -(-totals // room[:4])
    worst = int(np.argmax(totals / room[:4]))
    return int(max(needed.max(initial=1), 1)), _RESOURCES[worst]


def _piece_traffic(pieces: tuple[Piece, ...], rates: Mapping[str, IntArray] | None) -> sp.csr_array:
    """Packets from piece to piece: one per output axon and spike."""
    piece_of: dict[str, IntArray] = {}
    for number, piece in enumerate(pieces):
        piece_of.setdefault(piece.population.name, np.full(piece.population.size, -1, np.int64))[piece.neurons] = number
    rows, columns, packets = [], [], []
    for number, piece in enumerate(pieces):
        for block in piece.blocks:
            source = block.projection.source
            if source not in piece_of:
                continue
            rate = np.ones(piece_of[source].shape[0], np.int64) if rates is None else rates[source]
            sent = np.bincount(
                piece_of[source][block.route_source], weights=rate[block.route_source], minlength=len(pieces)
            ).astype(np.int64)
            from_pieces = np.flatnonzero(sent)
            rows.append(from_pieces)
            columns.append(np.full(from_pieces.shape[0], number))
            packets.append(sent[from_pieces])
    shape = (len(pieces), len(pieces))
    if not rows:
        return sp.csr_array(shape, dtype=np.int64)
    return sp.csr_array((np.concatenate(packets), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


# ---------------------------------------------------------------------------- core images


def build_image(network: LoweredNetwork, placement: Placement, chip: Any, dialect: str, seed: int = 0) -> ProgramImage:
    """Write registers, synapse memories, axon tables and host routes of the placed network."""
    builders = {int(core): _CoreBuilder(int(core)) for core in placement.cores}
    first_source = port_sizes(network.ports)
    place: dict[str, tuple[IntArray, IntArray]] = {
        population.name: (np.zeros(population.size, np.int64), np.zeros(population.size, np.int64))
        for population in network.populations
    }
    routes: list[tuple[str, IntArray, int, IntArray, IntArray]] = []
    for piece, core in zip(placement.pieces, placement.core_of_piece, strict=True):
        builder = builders[int(core)]
        base = builder.add_compartments(piece)
        cores, compartments = place[piece.population.name]
        cores[piece.neurons] = core
        compartments[piece.neurons] = base + np.arange(piece.size)
        for block in piece.blocks:
            first_axon = builder.add_block(block, base)
            routes.append(
                (
                    block.projection.source,
                    block.route_source,
                    int(core),
                    block.route_axon + first_axon,
                    block.route_atom,
                )
            )
    host, outputs = _sorted_routes(routes, first_source, sum(port.size for port in network.ports), place, builders)
    images = tuple(builders[int(core)].image(*outputs[int(core)]) for core in placement.cores)
    findings = [finding for image in images for finding in check_core(image, placement.limits)]
    if errors_in(findings):
        raise DoesNotFit(findings)
    symbols = Symbols(
        inputs=tuple(
            Port(port.name, port.shape, first_source[port.name], port.size, port.constant) for port in network.ports
        ),
        populations=tuple(
            PopulationSymbol(
                population.name,
                population.shape,
                population.tick_offset,
                population.spiking,
                place[population.name][0].astype(np.int32),
                place[population.name][1].astype(np.int32),
            )
            for population in network.populations
        ),
        outputs=network.outputs,
        dialect=dialect,
    )
    return ProgramImage(chip=chip.to_dict(), symbols=symbols, cores=images, host=host, seed=seed)


def _sorted_routes(
    routes: list[tuple[str, IntArray, int, IntArray, IntArray]],
    first_source: Mapping[str, int],
    host_sources: int,
    place: Mapping[str, tuple[IntArray, IntArray]],
    builders: Mapping[int, _CoreBuilder],
) -> tuple[HostRoutes, dict[int, tuple[IntArray, IntArray, IntArray, IntArray]]]:
    """Host routes and each core's output axons, sorted by source, destination core and axon."""
    empty = [np.zeros(0, np.int64)]
    host: list[IntArray] = []
    chip: list[IntArray] = []
    for source, numbers, core, axon, atom in routes:
        destination = np.full(numbers.shape[0], core, np.int64)
        if source in first_source:
            host.append(np.stack([numbers + first_source[source], destination, axon, atom]))
        else:
            cores, compartments = place[source]
            chip.append(np.stack([cores[numbers], compartments[numbers], destination, axon, atom]))
    columns = np.concatenate(host, axis=1) if host else np.stack(empty * 4)
    columns = columns[:, np.lexsort((columns[2], columns[1], columns[0]))]
    start = np.searchsorted(columns[0], np.arange(host_sources + 1)).astype(np.int64)
    host_routes = HostRoutes(start, *(column.astype(np.uint16) for column in columns[1:]))
    columns = np.concatenate(chip, axis=1) if chip else np.stack(empty * 5)
    columns = columns[:, np.lexsort((columns[3], columns[2], columns[1], columns[0]))]
    outputs = {}
    for core, builder in builders.items():
        first, last = np.searchsorted(columns[0], [core, core + 1])
        own = columns[:, first:last]
        start = np.searchsorted(own[1], np.arange(builder.compartments + 1)).astype(np.int64)
        outputs[core] = (start, own[2], own[3], own[4])
    return host_routes, outputs


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

    def image(self, output_start: IntArray, core: IntArray, axon: IntArray, atom: IntArray) -> CoreImage:
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
            output_core=core.astype(np.uint16),
            output_axon=axon.astype(np.uint16),
            output_atom=atom.astype(np.uint16),
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
