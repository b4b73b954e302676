"""Ready-made pieces onto cores and cores onto the mesh, whatever a piece holds; and what a report says about the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.image.symbols import PopulationSymbol
from neuroemu.mapping.pack import pack
from neuroemu.mapping.place import PLACERS
from neuroemu.mapping.rows import grouped
from neuroemu.noc.mesh import Mesh

Int64 = NDArray[np.int64]


class Population(Protocol):
    """What a lowered population of any family has."""

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def size(self) -> int: ...
    @property
    def tick_offset(self) -> int: ...
    @property
    def spiking(self) -> bool: ...


class Projection(Protocol):
    """What a lowered projection of any family has."""

    @property
    def source(self) -> str: ...


class Block(Protocol):
    """Synapses of one projection into a piece; ``route_source`` has a source number for every packet that a spike sends."""

    @property
    def projection(self) -> Projection: ...
    @property
    def route_source(self) -> Int64: ...


class Piece(Protocol):
    """Neurons that stay together on a core, in their order there."""

    @property
    def population(self) -> Population: ...
    @property
    def neurons(self) -> Int64: ...
    @property
    def blocks(self) -> Sequence[Block]: ...


class ListedBlock(Block, Protocol):
    """A block that takes input axons and synapse memory of its core."""

    @property
    def axons(self) -> int: ...
    @property
    def memory_bits(self) -> int: ...


L = TypeVar("L", bound=Population, covariant=True)
B = TypeVar("B", bound=ListedBlock, covariant=True)


@dataclass(frozen=True)
class ListedPiece(Generic[L, B]):
    """A piece of a chip whose cores hold synapse lists behind input axons."""

    population: L
    neurons: Int64
    blocks: tuple[B, ...]

    @property
    def size(self) -> int:
        return int(self.neurons.shape[0])

    @property
    def axons(self) -> int:
        return sum(block.axons for block in self.blocks)

    @property
    def memory_bits(self) -> int:
        return sum(block.memory_bits for block in self.blocks)


P = TypeVar("P", bound=Piece)


@dataclass(frozen=True)
class Placement(Generic[P]):
    """Where every piece went.

    Attributes:
        core_of_piece: int64 (pieces,), physical core number.
        cores: int64, physical numbers of the cores used, ascending.
        use: int64 (cores used, resources); ``room`` is what a core has of each.
        traffic: int64 CSR (cores used, cores used), packets.
    """

    pieces: tuple[P, ...]
    core_of_piece: Int64
    cores: Int64
    use: Int64
    room: Int64
    resources: tuple[str, ...]
    lower_bound: int
    binding_resource: str
    traffic: sp.csr_array
    partitioner: str
    placer: str

    @property
    def by_core(self) -> list[tuple[P, int]]:
        """Pieces with their cores, cores ascending, the pieces of a core in their order."""
        order = np.argsort(self.core_of_piece, kind="stable")
        return [(self.pieces[number], int(self.core_of_piece[number])) for number in order]


def routes_of(pieces: Sequence[Piece]) -> dict[str, Int64]:
    """Packets that a spike of each neuron sends, by population."""
    sent = {piece.population.name: np.zeros(piece.population.size, np.int64) for piece in pieces}
    for piece in pieces:
        for block in piece.blocks:
            if block.projection.source in sent:
                of_source = sent[block.projection.source]
                of_source += np.bincount(block.route_source, minlength=of_source.shape[0])
    return sent


def piece_traffic(pieces: Sequence[Piece], rates: Mapping[str, Int64] | None = None) -> sp.csr_array:
    """Packets from piece to piece, int64 (pieces, pieces), when every neuron spikes once or as often as ``rates`` says."""
    piece_of: dict[str, Int64] = {}
    for number, piece in enumerate(pieces):
        piece_of.setdefault(piece.population.name, np.zeros(piece.population.size, np.int64))[piece.neurons] = number
    rows, columns, packets = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for number, piece in enumerate(pieces):
        for block in piece.blocks:
            source = block.projection.source
            if source in piece_of:
                weights = None if rates is None else rates[source][block.route_source]
                sent = np.bincount(piece_of[source][block.route_source], weights, minlength=len(pieces))
                rows.append(np.flatnonzero(sent))
                columns.append(np.full(rows[-1].shape[0], number))
                packets.append(sent[rows[-1]].astype(np.int64))
    ends = (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_array((np.concatenate(packets), ends), shape=(len(pieces), len(pieces)))


def place_pieces(
    pieces: tuple[P, ...],
    use: Int64,
    room: Int64,
    resources: tuple[str, ...],
    mesh: Mesh,
    partitioner: str,
    placer: str,
    seed: int,
    rates: Mapping[str, Int64] | None = None,
    corner: Callable[[int], tuple[int, int]] | None = None,
) -> Placement[P]:
    """Pack pieces by what they use, then place the cores.

    Args:
        use: int64 (pieces, resources); ``room`` int64 (resources,) is what a core has. The first four add up over the chip.
        partitioner: how the pieces were cut, for the report.
        corner: (columns, rows) of the part of the mesh that so many cores are placed on; default all of it.

    Raises:
        DoesNotFit: NE4020 when a piece alone exceeds a limit, NE4106 when the mesh has too few cores.
    """
    use = use.reshape(len(pieces), len(resources))
    affinity = piece_traffic(pieces, rates)
    logical = np.asarray(pack(use, room, affinity=affinity, algorithm="affinity", resources=resources), np.int64)
    count = int(logical.max(initial=-1)) + 1
    _refuse_chip(count, mesh.available_slots.shape[0], use, room, resources)
    ones = np.ones(len(pieces), np.int64)
    member = sp.csr_array((ones, (np.arange(len(pieces)), logical)), shape=(len(pieces), count))
    traffic = sp.csr_array(member.T @ affinity @ member)
    part, slot_of_part = mesh.corner(*((mesh.columns, mesh.rows) if corner is None else corner(count)))
    slot = slot_of_part[np.asarray(PLACERS[placer](traffic, part, seed), np.int64)]
    core_use = np.zeros((count, len(resources)), np.int64)
    np.add.at(core_use, logical, use)
    totals = use[:, :4].sum(axis=0)
    order = np.argsort(slot)
    return Placement(
        pieces=pieces,
        core_of_piece=slot[logical],
        cores=slot[order],
        use=core_use[order],
        room=room,
        resources=resources,
        lower_bound=int((-(-totals // room[:4])).max(initial=1)),
        binding_resource=resources[int(np.argmax(totals / room[:4]))],
        traffic=sp.csr_array(traffic[order][:, order]),
        partitioner=partitioner,
        placer=placer,
    )


def _refuse_chip(needed: int, available: int, use: Int64, room: Int64, resources: tuple[str, ...]) -> None:
    if needed <= available:
        return
    totals = use.sum(axis=0)
    worst = int(np.argmax(totals / room))
    raise DoesNotFit(
        Finding(
            "NE4106",
            f"needs {needed} cores, {needed - available} more than the {available} of the chip; the scarcest resource is "
            f"{resources[worst].replace('_', ' ')} ({totals[worst]:,} needed, {room[worst] * available:,} on the chip)",
            fixes=(
                "make the largest layer smaller or prune its synapses",
                "use convolutions with fewer output channels or a larger stride",
                f"use {-(-needed // available)} chips (a chip file with a larger mesh), or larger cores",
            ),
        )
    )


def symbols_of(
    populations: Sequence[Population], places: Mapping[str, tuple[Int64, Int64]]
) -> tuple[PopulationSymbol, ...]:
    """Populations with the (core, number on the core) of every neuron."""
    return tuple(
        PopulationSymbol(
            population.name,
            population.shape,
            population.tick_offset,
            population.spiking,
            *(column.astype(np.int32) for column in places[population.name]),
        )
        for population in populations
    )


def first_neurons(sizes: Mapping[int, int]) -> tuple[Int64, int]:
    """(number of the first neuron of every core when cores lie one after the other, neurons of all), by core number."""
    first, total = np.zeros(max(sizes, default=-1) + 1, np.int64), 0
    for core, size in sizes.items():
        first[core], total = total, total + size
    return first, total


def by_source(source: Sequence[Int64], columns: Sequence[Sequence[Any]], sources: int) -> tuple[Int64, list[Any]]:
    """(start of every source, columns) of routes listed in the order of their destinations, sorted by source; linear.

    Args:
        source: parts of the source numbers, int64, below ``sources``.
        columns: parts of further columns, in the same order and lengths.
    """
    start, order = grouped(np.concatenate([np.zeros(0, np.int64), *source]), sources)
    empty = np.zeros(0, np.int32)
    return start, [np.concatenate([empty, *parts])[order] for parts in columns]


def mapping_section(placement: Placement[Any], mesh: Mesh) -> dict[str, Any]:
    """The mapping section of a report: cores, what they hold, what their links carry; plain data."""
    rows, columns = placement.traffic.tocoo().coords
    packets = placement.traffic.tocoo().data.astype(np.int64)
    held: dict[int, dict[str, int]] = {int(core): {} for core in placement.cores}
    for piece, core in placement.by_core:
        held[core][piece.population.name] = held[core].get(piece.population.name, 0) + len(piece.neurons)
    cores = zip(placement.cores.tolist(), placement.use.tolist(), strict=True)
    return {
        "partitioner": placement.partitioner,
        "placer": placement.placer,
        "router": "xy",
        "cores_used": int(placement.cores.shape[0]),
        "cores_lower_bound": placement.lower_bound,
        "binding_resource": placement.binding_resource,
        "mesh": {"columns": mesh.columns, "rows": mesh.rows, "cores_per_tile": mesh.cores_per_tile},
        "cores": [
            _core(core, dict(zip(placement.resources, use, strict=True)), mesh, held[core]) for core, use in cores
        ],
        "limits": dict(zip(placement.resources, placement.room.tolist(), strict=True)),
        **mesh.carried(placement.cores[rows], placement.cores[columns], packets),
    }


def _core(core: int, use: dict[str, int], mesh: Mesh, held: dict[str, int]) -> dict[str, Any]:
    tile = core // mesh.cores_per_tile
    x, y = mesh.xy_of_tile[tile].tolist()
    populations = [{"name": name, "neurons": count} for name, count in held.items()]
    return {"core": core, "tile": tile, "x": x, "y": y, "populations": populations, "use": use, "activity": None}
