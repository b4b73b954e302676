"""Cuts lowered populations into pieces that fit a core, and writes each piece's synapses as core memory will hold them.

Structure is found, not told: rows of neighbouring neurons become dense lists and rows equal up to a shift share one, whether
they come from a matrix, a convolution or listed synapses.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.lifcore.image import DENSE_KIND, SHARED_KIND, SPARSE_KIND, synapse_bits
from neuroemu.families.lifcore.lowered import LoweredPopulation, LoweredProjection
from neuroemu.mapping.cores import ListedPiece
from neuroemu.mapping.partition import PARTITIONERS, Hypergraph, Limits, linear_list_cost
from neuroemu.mapping.rows import (
    LEAST_STRUCTURE,
    Rows,
    filled,
    grouped,
    lists_of,
    rows_of_convolution,
    rows_of_matrix,
    runs_in,
    split,
)
from neuroemu.network.connectivity import Conv2d, Dense

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class CoreRoom:
    """What one core holds; ``kinds`` are the kinds of synapse lists it knows, ``weight_bits`` the width of a weight."""

    neurons: int
    axons: int
    memory_bits: int
    kinds: tuple[str, ...]
    weight_bits: int

    @property
    def bits(self) -> Int64:
        """Memory of a synapse in a list of each kind."""
        return synapse_bits(self.weight_bits)

    @property
    def only_dense(self) -> bool:
        """A crossbar: every list has a weight for every neuron of its piece."""
        return self.kinds == ("dense",)


@dataclass(frozen=True)
class SynapseBlock:
    """Synapses of one projection into one piece: one axon per source, axons may share a list.

    ``route_source`` are source numbers in their population or port; ``axon_list`` and ``axon_base`` belong to them. Lists are as
    in :class:`~neuroemu.families.lifcore.image.CoreImage`, dense ones first.
    """

    projection: LoweredProjection
    route_source: Int64
    axon_list: Int64
    axon_base: Int64
    list_start: Int64
    list_kind: Int64
    index: NDArray[np.int32]
    weight: NDArray[np.int16]
    delay: NDArray[np.uint8]
    memory_bits: int

    @property
    def axons(self) -> int:
        return int(self.route_source.shape[0])

    @property
    def dense_lists(self) -> int:
        return int(np.count_nonzero(self.list_kind == DENSE_KIND))


class Piece(ListedPiece[LoweredPopulation, SynapseBlock]):
    """Neurons that stay together on a core, in their order there."""

    @property
    def profiles(self) -> int:
        _, number = self.population.profiles
        return int(np.unique(number[self.neurons]).shape[0])

    @property
    def thresholds(self) -> int:
        return int(np.unique(self.population.threshold[self.neurons]).shape[0])


def cut(
    population: LoweredPopulation, projections: Sequence[LoweredProjection], room: CoreRoom, partitioner: str, seed: int
) -> tuple[Piece, ...]:
    """Pieces of one population: parts of a listed connectivity, else as few equal runs of neighbours as fit.

    Raises:
        DoesNotFit: NE4501 when a single neuron is too much for a core.
    """
    incoming = [item for item in projections if item.target == population.name]
    order = _neighbours(population, incoming)
    if population.size <= room.neurons:
        (whole,) = write_pieces(population, incoming, [order], room)
        if _fits(whole, room):
            return (whole,)
    if any(isinstance(item.structure, Rows) for item in incoming):
        groups = _parts(population, incoming, room, partitioner, seed)
        return tuple(write_pieces(population, incoming, groups, room))
    (alone,) = write_pieces(population, incoming, [order[:1]], room)
    _refuse_neuron(alone, room)
    count = max(-(-population.size // room.neurons), 2)
    while count < population.size:
        runs = np.array_split(order, count)
        if all(_least_bits(incoming, run, room) <= room.memory_bits for run in runs):
            pieces = []
            for piece in write_pieces(population, incoming, runs, room):
                pieces.append(piece)
                if not _fits(piece, room):
                    break
            else:
                return tuple(pieces)
        count += max(1, count // 8)
    return tuple(write_pieces(population, incoming, np.array_split(order, population.size), room))


def _fits(piece: Piece, room: CoreRoom) -> bool:
    return piece.size <= room.neurons and piece.axons <= room.axons and piece.memory_bits <= room.memory_bits


def _least_bits(incoming: Sequence[LoweredProjection], neurons: Int64, room: CoreRoom) -> int:
    """Memory that the matrices into these neurons take at least."""
    matrices = (item.structure.weight[neurons] for item in incoming if isinstance(item.structure, Dense))
    listed = room.bits[SPARSE_KIND] if "sparse" in room.kinds else room.bits.max() * neurons.shape[0]
    return sum(int(min(np.count_nonzero(weight) * listed, weight.size * room.bits[DENSE_KIND])) for weight in matrices)


def _refuse_neuron(alone: Piece, room: CoreRoom) -> None:
    findings = [
        Finding(
            "NE4501",
            f"a single neuron needs {need:,} {name}, {need - most:,} more than the {most:,} of a core",
            f"population {alone.population.name}",
            ("reduce its fan-in (prune, pool or use a convolution)", "use a chip file with larger cores"),
        )
        for name, need, most in (
            ("axons", alone.axons, room.axons),
            ("synapse memory bits", alone.memory_bits, room.memory_bits),
        )
        if need > most
    ]
    if findings:
        raise DoesNotFit(findings)


def _neighbours(population: LoweredPopulation, incoming: Sequence[LoweredProjection]) -> Int64:
    """Neurons in an order that keeps a convolution's output channels of a pixel together, so that lists can be shared."""
    numbers = np.arange(population.size, dtype=np.int64)
    if len(population.shape) < 2 or not any(isinstance(item.structure, Conv2d) for item in incoming):
        return numbers
    return numbers.reshape(population.shape[0], -1).T.reshape(-1)


def _parts(
    population: LoweredPopulation, incoming: Sequence[LoweredProjection], room: CoreRoom, partitioner: str, seed: int
) -> list[Int64]:
    """Parts of the neurons, found on the hypergraph of all sources; matrices take their axons and memory on every core."""
    most = min(room.neurons, population.size)
    axons, memory = room.axons, room.memory_bits
    rows, homes = [], []
    for item in incoming:
        structure = item.structure
        if isinstance(structure, Dense):
            axons -= structure.n_in
            memory -= structure.n_in * most * int(room.bits[DENSE_KIND])
            continue
        own = structure if isinstance(structure, Rows) else _all_rows(structure, population.size, item.delay)
        rows.append(own)
        sources = np.arange(own.sources, dtype=np.int32)
        homes.append(sources if item.source == population.name else np.full(own.sources, -1, np.int32))
    starts = np.concatenate([np.zeros(1, np.int64), *(np.diff(item.start) for item in rows)]).cumsum()
    runs = np.concatenate([runs_in(item) for item in rows])
    hypergraph = Hypergraph(
        row_start=starts,
        target=rows[0].target if len(rows) == 1 else np.concatenate([item.target for item in rows]),
        rate=np.ones(starts.shape[0] - 1, np.int64),
        neurons=population.size,
        home=np.concatenate(homes),
        list_format=(runs & ("dense" in room.kinds)).astype(np.int32),
    )
    longest = int(np.diff(starts).max(initial=0))
    listed, dense = (linear_list_cost(longest, int(room.bits[kind])) for kind in (SPARSE_KIND, DENSE_KIND))
    prices = [listed, np.maximum(np.minimum(listed, listed[min(LEAST_STRUCTURE - 1, longest)]), dense)]
    if room.only_dense:
        most = min(most, max(memory // max(axons * int(room.bits[DENSE_KIND]), 1), 1))
        prices = [np.zeros(longest + 1, np.int64)] * 2
    limits = Limits(
        neurons=most,
        axons=axons,
        memory=memory,
        list_cost=np.stack(prices),
        names={"memory": "bits of synapse memory"},
    )
    parts = PARTITIONERS[partitioner](hypergraph, limits, seed)
    start, order = grouped(parts, int(parts.max()) + 1)
    return [order[first:last] for first, last in pairwise(start)]


def _all_rows(conv: Conv2d, neurons: int, delay: int) -> Rows:
    """Every row of a convolution, empty ones too."""
    source, own = rows_of_convolution(conv, np.arange(neurons, dtype=np.int64), delay)
    counts = np.zeros(conv.n_in + 1, np.int64)
    counts[source + 1] = np.diff(own.start)
    return Rows(counts.cumsum(), own.target, own.weight, own.delay, neurons)


# ---------------------------------------------------------------------------- what to write


def write_pieces(
    population: LoweredPopulation, incoming: Sequence[LoweredProjection], groups: Sequence[Int64], room: CoreRoom
) -> Iterator[Piece]:
    """Pieces one after the other; listed synapses are cut once for all of them, the others are written piece by piece."""
    cut_rows = {
        number: split(item.structure, groups)
        for number, item in enumerate(incoming)
        if isinstance(item.structure, Rows)
    }
    for part, neurons in enumerate(groups):
        blocks = []
        for number, item in enumerate(incoming):
            if isinstance(item.structure, Rows):
                sources, rows = cut_rows[number][part]
            else:
                sources, rows = _rows_of(item.structure, neurons, item.delay, room)
            if sources.shape[0]:
                blocks.append(_block(item, sources, rows, room))
        yield Piece(population, neurons, tuple(blocks))


def _rows_of(structure: Dense | Conv2d, neurons: Int64, delay: int, room: CoreRoom) -> tuple[Int64, Rows]:
    """Rows into some neurons; of a matrix with few zeros they are whole, so that they become dense lists."""
    if isinstance(structure, Conv2d):
        return rows_of_convolution(structure, neurons, delay)
    weight = structure.weight[neurons].astype(np.int16)
    whole_bits, listed_bits = weight.size * room.bits[DENSE_KIND], np.count_nonzero(weight) * room.bits[SPARSE_KIND]
    if "dense" not in room.kinds or whole_bits > listed_bits:
        return rows_of_matrix(weight, delay)
    size, count = weight.shape
    return np.arange(count, dtype=np.int64), Rows(
        np.arange(count + 1, dtype=np.int64) * size,
        np.tile(np.arange(size, dtype=np.int32), count),
        np.ascontiguousarray(weight.T).reshape(-1),
        np.full(weight.size, delay, np.uint8),
        size,
    )


def _block(projection: LoweredProjection, sources: Int64, rows: Rows, room: CoreRoom) -> SynapseBlock:
    told = room.only_dense or not isinstance(projection.structure, Rows)
    lists = lists_of(
        _crossbar(projection, rows, room) if room.only_dense else rows,
        with_runs="dense" in room.kinds,
        with_sharing="shared_kernel" in room.kinds,
        least=1 if told else LEAST_STRUCTURE,
    )
    shared = lists.users > (0 if isinstance(projection.structure, Conv2d) else 1)
    kind: Any = np.where(shared & ("shared_kernel" in room.kinds), SHARED_KIND, SPARSE_KIND)
    kind[: lists.runs] = DENSE_KIND
    return SynapseBlock(
        projection=projection,
        route_source=sources,
        axon_list=lists.list_of_row,
        axon_base=lists.base_of_row,
        list_start=lists.start,
        list_kind=kind,
        index=lists.target,
        weight=lists.weight,
        delay=lists.delay,
        memory_bits=int((np.diff(lists.start) * room.bits[kind]).sum()),
    )


def _crossbar(projection: LoweredProjection, rows: Rows, room: CoreRoom) -> Rows:
    """Rows with a weight for every neuron, parallel synapses added up.

    Raises:
        DoesNotFit: NE3513 when a sum is wider than a weight.
    """
    try:
        return filled(rows, room.weight_bits)
    except OverflowError:
        message = f"its parallel synapses add up to more than the {room.weight_bits} bits of a weight"
        fixes = ("merge or thin out parallel synapses", "use smaller weights")
        raise DoesNotFit(Finding("NE3513", message, f"projection {projection.name}", fixes)) from None
