"""Cuts the neurons of a population so that the axons of each part fit a core, and writes each part's piece of the crossbar."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.families.truenorth.lowered import Tile
from neuroemu.mapping.place import hilbert_curve

Int64 = NDArray[np.int64]


def neighbours(shape: tuple[int, ...]) -> Int64:
    """Neurons in an order that keeps those with common sources together: pixels along a Hilbert curve, all channels of each."""
    numbers = np.arange(math.prod(shape), dtype=np.int64)
    if len(shape) != 3:
        return numbers
    channels, rows, columns = shape
    pixel = np.array([y * columns + x for x, y in hilbert_curve(columns, rows)], np.int64)
    return numbers.reshape(channels, -1).T[pixel].reshape(-1)


def cut(weight: sp.csr_array, order: Int64, sources: int, neurons: int) -> list[Int64]:
    """Runs of ``order`` with at most so many distinct sources and neurons each; every row alone must have few enough."""
    seen = np.full(weight.shape[1], -1, np.int64)
    starts, held, first = [0], 0, 0
    for place, neuron in enumerate(order.tolist()):
        column = weight.indices[weight.indptr[neuron] : weight.indptr[neuron + 1]]
        new = int(np.count_nonzero(seen[column] != first))
        if held + new > sources or place - first == neurons:
            starts.append(place)
            first, held, new = place, 0, column.shape[0]
        seen[column] = first
        held += new
    return [order[begin:end] for begin, end in pairwise([*starts, order.shape[0]])]


def coded_tiles(
    groups: Sequence[Int64], weight: sp.csr_array, counts: Int64, table: Int64, code: Sequence[int]
) -> tuple[Tile, ...]:
    """Tiles where every source may have axons of every type.

    Args:
        weight: CSR (neurons, columns), of which only the pattern counts.
        counts: int64 (synapses, types), axons of each type that a synapse has, in the order of ``weight``.
        table: int64 (neurons, types).
    """
    wide = np.zeros((table.shape[0], 4), np.int64)
    wide[:, : table.shape[1]] = table
    kind = np.repeat(np.arange(len(code)), code)
    copy = np.concatenate([np.arange(most) for most in code])
    tiles = []
    for neurons in groups:
        place, row = _entries(weight, neurons)
        sources, column = np.unique(weight.indices[place], return_inverse=True)
        synapses = np.zeros((sources.shape[0], kind.shape[0], neurons.shape[0]), np.bool_)
        for axon in range(kind.shape[0]):
            taken = counts[place, kind[axon]] > copy[axon]
            synapses[column[taken], axon, row[taken]] = True
        used = synapses.any(axis=2).reshape(-1)
        tiles.append(
            Tile(
                neurons=neurons,
                column=np.repeat(sources.astype(np.int64), kind.shape[0])[used],
                axon_type=np.tile(kind, sources.shape[0])[used].astype(np.int64),
                table=wide[neurons],
                synapses=synapses.reshape(-1, neurons.shape[0])[used],
            )
        )
    return tuple(tiles)


def shared_tile(neurons: Int64, sources: Int64, axons: Int64, counts: Int64, table: Int64) -> Tile:
    """A tile where every source has axons of its own choice; axons without synapses are left out.

    Args:
        sources: int64 (sources,), columns of the weights.
        axons: int64 (sources, types).
        counts: int64 (neurons, sources, types), synapses with axons of each type.
        table: int64 (neurons, types).
    """
    types = axons.shape[1]
    place = np.repeat(np.arange(sources.shape[0] * types), axons.reshape(-1))
    start = np.cumsum(axons.reshape(-1)) - axons.reshape(-1)
    copy = np.arange(place.shape[0]) - start[place]
    source, kind = place // types, place % types
    synapses: NDArray[np.bool_] = np.asarray(copy[:, None] < counts[:, source, kind].T, np.bool_)
    used = synapses.any(axis=1)
    wide = np.zeros((neurons.shape[0], 4), np.int64)
    wide[:, :types] = table
    return Tile(neurons, sources[source[used]], kind[used], wide, synapses[used])


def dense_part(weight: sp.csr_array, neurons: Int64) -> tuple[Int64, NDArray[np.float64]]:
    """(columns in use, float64 (neurons, columns)) of some rows."""
    place, row = _entries(weight, neurons)
    sources, column = np.unique(weight.indices[place], return_inverse=True)
    part = np.zeros((neurons.shape[0], sources.shape[0]))
    part[row, column] = weight.data[place]
    return sources.astype(np.int64), part


def _entries(weight: sp.csr_array, neurons: Int64) -> tuple[Int64, Int64]:
    """(places in the data, number in ``neurons``) of all synapses of some rows."""
    start, count = weight.indptr[neurons].astype(np.int64), np.diff(weight.indptr)[neurons].astype(np.int64)
    row = np.repeat(np.arange(neurons.shape[0], dtype=np.int64), count)
    within = np.arange(row.shape[0], dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    return start[row] + within, row


def row_table(weight: sp.csr_array) -> tuple[NDArray[np.float64], Int64, Int64]:
    """(float64 (neurons, most synapses) filled with zeros, row, place in the row) of every synapse."""
    count = np.diff(weight.indptr).astype(np.int64)
    _, row = _entries(weight, np.arange(weight.shape[0], dtype=np.int64))
    within = np.arange(row.shape[0], dtype=np.int64) - np.repeat(np.cumsum(count) - count, count)
    rows = np.zeros((weight.shape[0], int(count.max(initial=0))))
    rows[row, within] = weight.data
    return rows, row, within
