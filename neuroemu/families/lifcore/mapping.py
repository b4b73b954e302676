"""The open LIF core's mapping: populations cut into pieces, pieces onto cores, cores onto the mesh, and the core images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.lifcore.image import KINDS, LISTED, CoreImage, ProgramImage, synapse_bits
from neuroemu.families.lifcore.lower import PROFILE_FIELDS, LoweredNetwork, LoweredPopulation, LoweredProjection
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols
from neuroemu.mapping.pack import pack
from neuroemu.mapping.partition import PARTITIONERS, Hypergraph, Limits, linear_list_cost
from neuroemu.mapping.place import PLACERS
from neuroemu.network.connectivity import Conv2d, Dense, Sparse

IntArray = NDArray[np.int64]

DEFAULT_PARTITIONER = "overlap_growth"
DEFAULT_PLACER = "hilbert_swap"
RESOURCES = ("neurons", "axons", "synapse_memory_bits", "routes", "profiles")


@dataclass(frozen=True)
class SynapseBlock:
    """Synapses of one projection into one piece: one axon per source, axons may share a list.

    ``source`` are source numbers in their population or port; ``axon_list`` and ``axon_base`` belong to them.
    """

    projection: LoweredProjection
    source: IntArray
    axon_list: IntArray
    axon_base: IntArray
    list_start: IntArray
    list_kind: IntArray
    index: IntArray
    weight: IntArray
    delay: IntArray

    @property
    def memory_bits(self) -> int:
        bits = np.array([synapse_bits(kind) for kind in range(len(KINDS))], np.int64)
        return int((np.diff(self.list_start) * bits[self.list_kind]).sum())


@dataclass(frozen=True)
class Piece:
    """Neurons that stay together on a core, in their order there."""

    population: LoweredPopulation
    neurons: IntArray
    blocks: tuple[SynapseBlock, ...]

    @property
    def size(self) -> int:
        return int(self.neurons.shape[0])

    @property
    def axons(self) -> int:
        return sum(int(block.source.shape[0]) for block in self.blocks)

    @property
    def memory_bits(self) -> int:
        return sum(block.memory_bits for block in self.blocks)

    @property
    def profiles(self) -> int:
        columns = np.stack([self.population.profile[name][self.neurons] for name in PROFILE_FIELDS])
        return int(np.unique(columns, axis=1).shape[1])


@dataclass(frozen=True)
class Placement:
    """Where every piece went; ``cores`` are physical numbers, ``use`` and ``traffic`` follow their order."""

    pieces: tuple[Piece, ...]
    core_of_piece: IntArray
    cores: IntArray
    use: IntArray
    room: IntArray
    lower_bound: int
    binding_resource: str
    traffic: sp.csr_array
    partitioner: str
    placer: str


def map_network(network: LoweredNetwork, chip: Any, partitioner: str, placer: str, seed: int) -> Placement:
    """Cut, pack and place a lowered network.

    Raises:
        DoesNotFit: NE4501 when a single neuron is too much for a core, NE4502 when the chip has too few cores, NE4020 for
            any other limit of a core.
    """
    limits = chip.limits
    room = np.array(
        [
            limits.neurons.value,
            limits.axons.value,
            limits.synapse_memory.bits,
            limits.routes.value,
            limits.profiles.value,
        ],
        np.int64,
    )
    kinds = chip.arithmetic.synapse_kinds.value
    pieces = tuple(
        piece
        for population in network.populations
        for piece in _cut(population, network.projections, room, kinds, partitioner, seed)
    )
    routes = {population.name: np.zeros(population.size, np.int64) for population in network.populations}
    for piece in pieces:
        for block in piece.blocks:
            if block.projection.source in routes:
                np.add.at(routes[block.projection.source], block.source, 1)
    use = np.array(
        [
            [
                piece.size,
                piece.axons,
                piece.memory_bits,
                int(routes[piece.population.name][piece.neurons].sum()),
                piece.profiles,
            ]
            for piece in pieces
        ],
        np.int64,
    )
    affinity = _piece_traffic(pieces)
    logical = np.asarray(pack(use, room, affinity=affinity, algorithm="affinity", resources=RESOURCES), np.int64)
    count = int(logical.max(initial=-1)) + 1
    mesh = chip.structure.mesh
    if count > mesh.available_slots.shape[0]:
        raise _too_many_cores(count, mesh.available_slots.shape[0], use, room)
    ones = np.ones(len(pieces), np.int64)
    member = sp.csr_array((ones, (np.arange(len(pieces)), logical)), shape=(len(pieces), count))
    traffic = sp.csr_array(member.T @ affinity @ member)
    slot = np.asarray(PLACERS[placer](traffic, mesh, seed), np.int64)
    core_use = np.zeros((count, len(RESOURCES)), np.int64)
    np.add.at(core_use, logical, use)
    totals = use[:, :4].sum(axis=0)
    order = np.argsort(slot)
    return Placement(
        pieces=pieces,
        core_of_piece=slot[logical],
        cores=slot[order],
        use=core_use[order],
        room=room,
        lower_bound=int((-(-totals // room[:4])).max(initial=1)),
        binding_resource=RESOURCES[int(np.argmax(totals / room[:4]))],
        traffic=sp.csr_array(traffic[order][:, order]),
        partitioner=partitioner,
        placer=placer,
    )


def _too_many_cores(needed: int, available: int, use: IntArray, room: IntArray) -> DoesNotFit:
    totals = use.sum(axis=0)
    worst = int(np.argmax(totals / room))
    return DoesNotFit(
        Finding(
            "NE4502",
            f"needs {needed} cores, {needed - available} more than the {available} of the chip; the scarcest resource is "
            f"{RESOURCES[worst].replace('_', ' ')} ({totals[worst]:,} needed, {room[worst] * available:,} on the chip)",
            fixes=("make the largest layer smaller or prune its synapses", "use a chip file with more or larger cores"),
        )
    )


def _piece_traffic(pieces: tuple[Piece, ...]) -> sp.csr_array:
    """Packets from piece to piece when every neuron spikes once."""
    piece_of: dict[str, IntArray] = {}
    for number, piece in enumerate(pieces):
        piece_of.setdefault(piece.population.name, np.zeros(piece.population.size, np.int64))[piece.neurons] = number
    rows, columns = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, piece in enumerate(pieces):
        for block in piece.blocks:
            if block.projection.source in piece_of:
                rows.append(piece_of[block.projection.source][block.source])
                columns.append(np.full(block.source.shape[0], number, np.int64))
    row, column = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_array((np.ones(row.shape[0], np.int64), (row, column)), shape=(len(pieces), len(pieces)))


# ---------------------------------------------------------------------------- cutting


def _cut(
    population: LoweredPopulation,
    projections: tuple[LoweredProjection, ...],
    room: IntArray,
    kinds: tuple[str, ...],
    partitioner: str,
    seed: int,
) -> list[Piece]:
    """Pieces of one population: parts of a listed connectivity, else as few equal runs of neighbours as fit."""
    incoming = [projection for projection in projections if projection.target == population.name]

    def piece(neurons: IntArray) -> Piece:
        return Piece(population, neurons, tuple(write_block(item, neurons, kinds) for item in incoming))

    def fits(candidate: Piece) -> bool:
        return bool(np.all(np.array([candidate.size, candidate.axons, candidate.memory_bits]) <= room[:3]))

    order = _neighbours(population, incoming)
    whole = [piece(order)]
    if fits(whole[0]):
        return whole
    if any(isinstance(item.structure, Sparse) for item in incoming):
        parts = _parts(population, incoming, room, partitioner, seed)
        return [piece(np.flatnonzero(parts == part).astype(np.int64)) for part in range(int(parts.max()) + 1)]
    _refuse_neuron(piece(order[:1]), room)
    count = max(-(-population.size // int(room[0])), -(-whole[0].memory_bits // int(room[2])), 2)
    while count < population.size:
        runs = np.array_split(order, count)
        pieces = []
        for run in runs:
            pieces.append(piece(run))
            if not fits(pieces[-1]):
                break
        else:
            return pieces
        count += max(1, count // 8)
    return [piece(order[number : number + 1]) for number in range(population.size)]


def _refuse_neuron(alone: Piece, room: IntArray) -> None:
    findings = [
        Finding(
            "NE4501",
            f"a single neuron needs {need:,} {name.replace('_', ' ')}, {need - most:,} more than the {most:,} of a core",
            f"population {alone.population.name}",
            ("reduce its fan-in (prune, pool or use a convolution)", "use a chip file with larger cores"),
        )
        for name, need, most in zip(RESOURCES[1:3], (alone.axons, alone.memory_bits), room[1:3].tolist(), strict=True)
        if need > most
    ]
    if findings:
        raise DoesNotFit(findings)


def _neighbours(population: LoweredPopulation, incoming: list[LoweredProjection]) -> IntArray:
    """Neurons in an order that keeps a convolution's output channels of a pixel together, so that lists can be shared."""
    numbers = np.arange(population.size, dtype=np.int64)
    if len(population.shape) < 2 or not any(isinstance(item.structure, Conv2d) for item in incoming):
        return numbers
    return numbers.reshape(population.shape[0], -1).T.reshape(-1)


def _parts(
    population: LoweredPopulation, incoming: list[LoweredProjection], room: IntArray, partitioner: str, seed: int
) -> NDArray[np.int32]:
    """Part of every neuron, found on the hypergraph of all sources."""
    columns = [item.structure.to_sparse().tocsc() for item in incoming]
    starts = [np.zeros(1, np.int64)]
    for column in columns:
        starts.append(column.indptr[1:].astype(np.int64) + starts[-1][-1])
    homes = [
        np.arange(column.shape[1]) if item.source == population.name else np.full(column.shape[1], -1)
        for item, column in zip(incoming, columns, strict=True)
    ]
    row_start = np.concatenate(starts)
    hypergraph = Hypergraph(
        row_start=row_start,
        target=np.concatenate([column.indices for column in columns]).astype(np.int32),
        rate=np.ones(row_start.shape[0] - 1, np.int64),
        neurons=population.size,
        home=np.concatenate(homes).astype(np.int32),
    )
    longest = int(np.diff(row_start).max(initial=0))
    limits = Limits(
        neurons=int(room[0]),
        axons=int(room[1]),
        memory=int(room[2]),
        list_cost=linear_list_cost(longest, LISTED.width)[None, :],
        names={"memory": "bits of synapse memory"},
    )
    return PARTITIONERS[partitioner](hypergraph, limits, seed)


def write_block(projection: LoweredProjection, neurons: IntArray, kinds: tuple[str, ...]) -> SynapseBlock:
    """The synapses of ``projection`` into ``neurons``: dense where that is smaller, shared lists for a convolution."""
    structure = projection.structure
    if isinstance(structure, Dense):
        weight = structure.weight[neurons].astype(np.int64)
        size, sources = weight.shape
        filled = int(np.count_nonzero(weight))
        if "dense" in kinds and weight.size * synapse_bits(0) <= filled * synapse_bits(1):
            number = np.arange(sources, dtype=np.int64)
            return SynapseBlock(
                projection=projection,
                source=number,
                axon_list=number,
                axon_base=np.zeros(sources, np.int64),
                list_start=np.arange(sources + 1, dtype=np.int64) * size,
                list_kind=np.zeros(sources, np.int64),
                index=np.tile(np.arange(size, dtype=np.int64), sources),
                weight=weight.T.reshape(-1),
                delay=np.full(weight.size, max(projection.delay, 1), np.int64),
            )
        local, source = np.nonzero(weight)
        values, own = weight[local, source], np.zeros(filled, np.int64)
    else:
        local, source, values, own = _listed(structure, neurons)
    order = np.lexsort((local, source))
    sources, first = np.unique(source[order], return_index=True)
    bounds = np.append(first, order.shape[0]).astype(np.int64)
    index, weight, delay = local[order], values[order], np.maximum(projection.delay + own[order], 1)
    block = SynapseBlock(
        projection=projection,
        source=sources.astype(np.int64),
        axon_list=np.arange(sources.shape[0], dtype=np.int64),
        axon_base=np.zeros(sources.shape[0], np.int64),
        list_start=bounds,
        list_kind=np.full(sources.shape[0], KINDS.index("sparse"), np.int64),
        index=index.astype(np.int64),
        weight=weight.astype(np.int64),
        delay=delay.astype(np.int64),
    )
    return _shared(block) if isinstance(structure, Conv2d) and "shared_kernel" in kinds else block


def _listed(structure: Sparse | Conv2d, neurons: IntArray) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """(local target, source, weight, own delay) of every synapse that is not zero."""
    rows = structure.to_sparse()
    starts, counts = rows.indptr[neurons].astype(np.int64), np.diff(rows.indptr)[neurons].astype(np.int64)
    ends = np.cumsum(counts)
    chosen = np.arange(int(counts.sum()), dtype=np.int64) + np.repeat(starts - (ends - counts), counts)
    chosen_local = np.repeat(np.arange(neurons.shape[0], dtype=np.int64), counts)
    filled = rows.data[chosen] != 0
    chosen, local = chosen[filled], chosen_local[filled]
    delay = structure.delay if isinstance(structure, Sparse) else None
    own = np.zeros(chosen.shape[0], np.int64) if delay is None else delay[chosen].astype(np.int64)
    return local, rows.indices[chosen].astype(np.int64), rows.data[chosen].astype(np.int64), own


def _shared(block: SynapseBlock) -> SynapseBlock:
    """The same synapses with lists that are equal up to a shift stored once."""
    known: dict[bytes, int] = {}
    keep: list[slice] = []
    axon_list = np.zeros_like(block.axon_list)
    base = block.index[block.list_start[:-1]]
    relative = block.index - np.repeat(base, np.diff(block.list_start))
    for number, (first, last) in enumerate(
        zip(block.list_start[:-1].tolist(), block.list_start[1:].tolist(), strict=True)
    ):
        part = slice(first, last)
        key = relative[part].tobytes() + block.weight[part].tobytes()
        axon_list[number] = known.setdefault(key, len(known))
        if axon_list[number] == len(keep):
            keep.append(part)
    lengths = [part.stop - part.start for part in keep]
    empty = np.zeros(0, np.int64)
    return SynapseBlock(
        projection=block.projection,
        source=block.source,
        axon_list=axon_list,
        axon_base=base,
        list_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        list_kind=np.full(len(keep), KINDS.index("shared_kernel"), np.int64),
        index=np.concatenate([empty, *(relative[part] for part in keep)]),
        weight=np.concatenate([empty, *(block.weight[part] for part in keep)]),
        delay=np.concatenate([empty, *(block.delay[part] for part in keep)]),
    )


# ---------------------------------------------------------------------------- core images


def build_image(network: LoweredNetwork, placement: Placement, chip: Any, dialect: str) -> ProgramImage:
    """Registers, synapse memories, axons and routes of the placed network."""
    first_source, host_sources = {}, 0
    for port in network.ports:
        first_source[port.name] = host_sources
        host_sources += port.size
    place = {
        population.name: (np.zeros(population.size, np.int64), np.zeros(population.size, np.int64))
        for population in network.populations
    }
    builders = {int(core): _CoreBuilder(int(core)) for core in placement.cores}
    routes: list[IntArray] = []
    host: list[IntArray] = []
    for piece, core in zip(placement.pieces, placement.core_of_piece.tolist(), strict=True):
        base = builders[core].add(piece)
        place[piece.population.name][0][piece.neurons] = core
        place[piece.population.name][1][piece.neurons] = base + np.arange(piece.size)
    for piece, core in zip(placement.pieces, placement.core_of_piece.tolist(), strict=True):
        for block in piece.blocks:
            axon = builders[core].first_axon(block) + np.arange(block.source.shape[0])
            to = np.full(axon.shape[0], core, np.int64)
            if block.projection.source in first_source:
                host.append(np.stack([block.source + first_source[block.projection.source], to, axon]))
            else:
                cores, neurons = place[block.projection.source]
                routes.append(np.stack([cores[block.source], neurons[block.source], to, axon]))
    sorted_host = _sorted(host, 3)
    sorted_routes = _sorted(routes, 4)
    bits, overflow = int(chip.arithmetic.potential_bits.value), int(chip.arithmetic.overflow.value == "wrap")
    images = []
    for core in placement.cores.tolist():
        first, last = np.searchsorted(sorted_routes[0], [core, core + 1])
        images.append(builders[core].image(sorted_routes[1:, first:last], bits, overflow))
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
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=symbols,
        cores=tuple(images),
        host_start=np.searchsorted(sorted_host[0], np.arange(host_sources + 1)).astype(np.int64),
        host_core=sorted_host[1],
        host_axon=sorted_host[2],
    )


def _sorted(routes: list[IntArray], rows: int) -> IntArray:
    columns = np.concatenate(routes, axis=1) if routes else np.zeros((rows, 0), np.int64)
    return columns[:, np.lexsort(columns[::-1])]


class _CoreBuilder:
    """Collects the pieces of one core."""

    def __init__(self, core: int):
        self.core = core
        self._size = self._axons = self._lists = self._synapses = 0
        self._profiles: dict[tuple[int, ...], int] = {}
        self._columns: dict[str, list[IntArray]] = {}
        self._first_axon: dict[int, int] = {}

    def add(self, piece: Piece) -> int:
        """Append the piece's neurons and synapses; returns the number of its first neuron."""
        base, population, neurons = self._size, piece.population, piece.neurons
        registers = np.stack([population.profile[name][neurons] for name in PROFILE_FIELDS])
        distinct, which = np.unique(registers, axis=1, return_inverse=True)
        known = [self._profiles.setdefault(tuple(row), len(self._profiles)) for row in distinct.T.tolist()]
        self._append("profile", np.array(known, np.int64)[which.reshape(-1)])
        self._append("bias_start", np.full(piece.size, population.tick_offset, np.int64))
        self._append("initial", np.zeros(piece.size, np.int64))
        self._append("threshold", population.threshold[neurons])
        self._append("bias", population.bias[neurons])
        self._size += piece.size
        for block in piece.blocks:
            self._first_axon[id(block)] = self._axons
            self._append("axon_list", block.axon_list + self._lists)
            self._append("axon_base", block.axon_base + base)
            self._append("list_start", block.list_start[1:] + self._synapses)
            for name in ("list_kind", "index", "weight", "delay"):
                self._append(name, getattr(block, name))
            self._axons += block.source.shape[0]
            self._lists += block.list_kind.shape[0]
            self._synapses += block.weight.shape[0]
        return base

    def first_axon(self, block: SynapseBlock) -> int:
        """Number of the first axon of a block that was added."""
        return self._first_axon[id(block)]

    def image(self, routes: IntArray, bits: int, overflow: int) -> CoreImage:
        """The finished core; ``routes`` are (neuron, core, axon), sorted."""
        table = np.array(list(self._profiles), np.int64).reshape(-1, len(PROFILE_FIELDS))
        return CoreImage(
            core=self.core,
            potential_bits=bits,
            overflow=overflow,
            profiles=dict(zip(PROFILE_FIELDS, table.T, strict=True)),
            neurons={name: self._joined(name) for name in ("threshold", "bias", "initial", "profile", "bias_start")},
            route_start=np.searchsorted(routes[0], np.arange(self._size + 1)).astype(np.int64),
            route_core=routes[1],
            route_axon=routes[2],
            axon_list=self._joined("axon_list"),
            axon_base=self._joined("axon_base"),
            list_start=np.concatenate([np.zeros(1, np.int64), self._joined("list_start")]),
            list_kind=self._joined("list_kind"),
            index=self._joined("index"),
            weight=self._joined("weight"),
            delay=self._joined("delay"),
        )

    def _append(self, name: str, column: IntArray) -> None:
        self._columns.setdefault(name, []).append(column)

    def _joined(self, name: str) -> IntArray:
        return np.concatenate([np.zeros(0, np.int64), *self._columns.get(name, [])]).astype(np.int64)
