"""The open LIF core's mapping: pieces onto cores, cores onto the mesh, and the core images that result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.lifcore.crossbar import as_crossbar, is_crossbar
from neuroemu.families.lifcore.image import CoreImage, ProgramImage
from neuroemu.families.lifcore.lowered import PROFILE_FIELDS, LoweredNetwork
from neuroemu.families.lifcore.pieces import CoreRoom, Piece, SynapseBlock, cut
from neuroemu.image.symbols import Symbols
from neuroemu.mapping.cores import Placement, by_source, first_neurons, place_pieces, routes_of, symbols_of

Int64 = NDArray[np.int64]

RESOURCES = ("neurons", "axons", "synapse_memory_bits", "routes", "profiles")
"""And ``thresholds`` where the neurons of a core share one."""


def map_network(network: LoweredNetwork, chip: Any, partitioner: str, placer: str, seed: int) -> Placement[Piece]:
    """Cut, pack and place a lowered network.

    Raises:
        DoesNotFit: NE4501 when a single neuron is too much for a core, NE4106 when the chip has too few cores, NE4020 for
            any other limit of a core.
    """
    limits, arithmetic = chip.limits, chip.arithmetic
    room = CoreRoom(
        neurons=int(limits.neurons.value),
        axons=int(limits.axons.value),
        memory_bits=int(limits.synapse_memory.bits),
        kinds=arithmetic.synapse_kinds.value,
        weight_bits=int(arithmetic.weight_bits.value),
    )
    pieces = tuple(
        piece
        for population in network.populations
        for piece in cut(population, network.projections, room, partitioner, seed)
    )
    routes = routes_of(pieces)
    use = [
        (
            piece.size,
            piece.axons,
            piece.memory_bits,
            int(routes[piece.population.name][piece.neurons].sum()),
            piece.profiles,
            piece.thresholds,
        )
        for piece in pieces
    ]
    most = (room.neurons, room.axons, room.memory_bits, int(limits.routes.value), int(limits.profiles.value), 1)
    named = RESOURCES if "threshold" in arithmetic.neuron_registers.value else (*RESOURCES, "thresholds")
    return place_pieces(
        pieces,
        np.array(use, np.int64).reshape(-1, len(most))[:, : len(named)],
        np.array(most, np.int64)[: len(named)],
        named,
        chip.structure.mesh,
        partitioner,
        placer,
        seed,
    )


def build_image(network: LoweredNetwork, placement: Placement[Piece], chip: Any, dialect: str) -> ProgramImage:
    """Registers, synapse memories, axons and routes of the placed network."""
    builders = {int(core): _CoreBuilder() for core in placement.cores}
    places = {
        population.name: (np.zeros(population.size, np.int64), np.zeros(population.size, np.int64))
        for population in network.populations
    }
    for piece, core in placement.by_core:
        cores, neurons = places[piece.population.name]
        cores[piece.neurons] = core
        neurons[piece.neurons] = builders[core].add(piece)
    first_neuron, size = first_neurons({core: builder.neurons for core, builder in builders.items()})
    host: dict[str, list[Any]] = {"source": [], "core": [], "axon": []}
    chips: dict[str, list[Any]] = {"source": [], "core": [], "axon": []}
    ports = {port.name: port.first_source for port in network.ports}
    for core, builder in builders.items():
        for block, axon in zip(builder.blocks, builder.first_axon, strict=True):
            sender = block.projection.source
            if sender in ports:
                table, source = host, block.route_source + ports[sender]
            else:
                cores, neurons = places[sender]
                table, source = chips, (first_neuron[cores] + neurons)[block.route_source]
            table["source"].append(source)
            table["core"].append(np.full(block.axons, core, np.int32))
            table["axon"].append(np.arange(axon, axon + block.axons, dtype=np.int32))
    sources = sum(port.size for port in network.ports)
    host_start, (host_core, host_axon) = by_source(host["source"], (host["core"], host["axon"]), sources)
    start, (route_core, route_axon) = by_source(chips["source"], (chips["core"], chips["axon"]), size)
    images = []
    for core, builder in builders.items():
        own = start[first_neuron[core] : first_neuron[core] + builder.neurons + 1]
        chosen = slice(own[0], own[-1])
        image = builder.image(core, chip.arithmetic, own - own[0], route_core[chosen], route_axon[chosen])
        images.append(as_crossbar(image) if is_crossbar(chip) else image)
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(network.ports, symbols_of(network.populations, places), network.outputs, dialect),
        cores=tuple(images),
        host_start=host_start,
        host_core=host_core,
        host_axon=host_axon,
    )


class _CoreBuilder:
    """Collects the pieces of one core."""

    def __init__(self) -> None:
        self.neurons = 0
        self.blocks: list[SynapseBlock] = []
        self.first_axon: list[int] = []
        self._axons = 0
        self._bases: list[int] = []
        self._profiles: dict[tuple[int, ...], int] = {}
        self._columns: dict[str, list[Int64]] = {}

    def add(self, piece: Piece) -> Int64:
        """Append the piece's neurons and synapses; returns the numbers of its neurons."""
        population, neurons = piece.population, piece.neurons
        table, number = population.profiles
        used, which = np.unique(number[neurons], return_inverse=True)
        known = [self._profiles.setdefault(tuple(row), len(self._profiles)) for row in table[used].tolist()]
        columns = {
            "profile": np.array(known, np.int64)[which.reshape(-1)],
            "bias_start": np.full(piece.size, population.tick_offset, np.int64),
            "initial": population.initial[neurons],
            "threshold": population.threshold[neurons],
            "bias": population.bias[neurons],
        }
        for name, column in columns.items():
            self._columns.setdefault(name, []).append(column)
        for block in piece.blocks:
            self.blocks.append(block)
            self._bases.append(self.neurons)
            self.first_axon.append(self._axons)
            self._axons += block.axons
        self.neurons += piece.size
        return np.arange(self.neurons - piece.size, self.neurons)

    def image(self, core: int, arithmetic: Any, route_start: Int64, route_core: Int64, route_axon: Int64) -> CoreImage:
        """The finished core: dense lists of all blocks first, then the others."""
        table = np.array(list(self._profiles), np.int64).reshape(-1, len(PROFILE_FIELDS))
        halves = [(block, 0, block.dense_lists) for block in self.blocks]
        halves += [(block, block.dense_lists, block.list_kind.shape[0]) for block in self.blocks]
        first_list = np.cumsum([0, *(last - first for _, first, last in halves)])
        axon_list = [
            block.axon_list + np.where(block.axon_list < block.dense_lists, dense, listed - block.dense_lists)
            for block, dense, listed in zip(self.blocks, first_list, first_list[len(self.blocks) :], strict=False)
        ]
        axon_base = [block.axon_base + base for block, base in zip(self.blocks, self._bases, strict=True)]
        synapses = [(block, slice(block.list_start[first], block.list_start[last])) for block, first, last in halves]
        lengths = _joined([np.diff(block.list_start)[first:last] for block, first, last in halves], np.int64)
        return CoreImage(
            core=core,
            potential_bits=int(arithmetic.potential_bits.value),
            overflow=int(arithmetic.overflow.value == "wrap"),
            weight_bits=int(arithmetic.weight_bits.value),
            accumulator_bits=int(arithmetic.accumulator_bits.value),
            profiles=dict(zip(PROFILE_FIELDS, table.T, strict=True)),
            neurons={name: _joined(columns, np.int64) for name, columns in self._columns.items()},
            route_start=route_start,
            route_core=route_core,
            route_axon=route_axon,
            axon_list=_joined(axon_list, np.int64),
            axon_base=_joined(axon_base, np.int64),
            list_start=np.concatenate([np.zeros(1, np.int64), lengths]).cumsum(),
            list_kind=_joined([block.list_kind[first:last] for block, first, last in halves], np.int64),
            index=_joined([block.index[part] for block, part in synapses], np.int32),
            weight=_joined([block.weight[part] for block, part in synapses], np.int16),
            delay=_joined([block.delay[part] for block, part in synapses], np.uint8),
        )


def _joined(parts: Sequence[Any], dtype: Any) -> NDArray[Any]:
    """Parts one after the other; a single one is not copied."""
    filled = [part for part in parts if part.shape[0]]
    return filled[0] if len(filled) == 1 else np.concatenate([np.zeros(0, dtype), *filled]).astype(dtype, copy=False)
