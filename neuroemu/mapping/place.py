"""Puts logical cores onto the slots of a topology so that traffic travels few weighted hops.

Every placer has the prototype ``place(traffic, topology, seed=0) -> slot_of_core`` (int32[K]): ``traffic`` is a sparse int64
(K, K) matrix of messages from core to core. The objective is the sum of traffic times weighted hops; integers only, so
that the same input is placed the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.noc.mesh import Mesh

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Point = tuple[int, int]

ANNEAL_LEVELS = 40
SWAPS_PER_CORE = 100
"""Swaps tried for every core at each temperature, fewer where that would read more than ``MOST_READS`` pairs of cores."""
MOST_READS = 60_000_000


class Placer(Protocol):
    """Prototype of every placement algorithm."""

    def __call__(self, traffic: sp.csr_array, topology: Mesh, seed: int = 0) -> Int32: ...


def linear(traffic: sp.csr_array, topology: Mesh, seed: int = 0) -> Int32:
    """Core i on the i-th available slot.

    Raises:
        DoesNotFit: NE4030 when there are more cores than available slots (so does every placer).
    """
    return _slots_for(traffic, topology)[: traffic.shape[0]].astype(np.int32)


def random(traffic: sp.csr_array, topology: Mesh, seed: int = 0) -> Int32:
    """A seeded shuffle of the available slots: the baseline that others must beat."""
    slots = _slots_for(traffic, topology)
    return slots[np.argsort(_hashed(seed, len(slots)), kind="stable")][: traffic.shape[0]].astype(np.int32)


def hilbert(traffic: sp.csr_array, topology: Mesh, seed: int = 0) -> Int32:
    """Cores, each next to the ones it talks to most, along a Hilbert curve over the tiles. O(K^2) additions."""
    available = _slots_for(traffic, topology)
    rank_of_tile = np.empty(topology.tiles, np.int64)
    curve = np.array(list(hilbert_curve(topology.columns, topology.rows)), np.int64).reshape(-1, 2)
    rank_of_tile[topology.tile_at(curve[:, 0], curve[:, 1])] = np.arange(topology.tiles)
    along = available[np.argsort(rank_of_tile[topology.tile_of_slot[available]], kind="stable")]
    slot_of_core = np.empty(traffic.shape[0], np.int32)
    slot_of_core[core_order(traffic)] = along[: traffic.shape[0]]
    return slot_of_core


def hilbert_swap(traffic: sp.csr_array, topology: Mesh, seed: int = 0) -> Int32:
    """Hilbert placement, then annealed swaps of two slots with an integer acceptance table; never worse than Hilbert.

    A swap costs O(degree); there are about 4000 for every core, fewer on large dense core graphs.
    """
    from neuroemu.mapping import _annealing

    start = hilbert(traffic, topology, seed)
    mutual = _mutual(traffic)
    if mutual.nnz == 0:
        return start
    available = _slots_for(traffic, topology)
    best = _annealing.anneal_placement(
        mutual.indptr.astype(np.int64),
        mutual.indices.astype(np.int64),
        mutual.data.astype(np.int64),
        topology.weighted_places,
        topology.tile_of_slot[available],
        np.searchsorted(available, start),
        _annealing.ACCEPTANCE,
        seed,
        ANNEAL_LEVELS,
        max(4, min(SWAPS_PER_CORE, MOST_READS // (4 * ANNEAL_LEVELS * mutual.nnz))),
    )
    return available[best].astype(np.int32)


def placement_cost(traffic: sp.csr_array, topology: Mesh, slot_of_core: Int32) -> int:
    """``sum(traffic * distance)`` in units of the topology's hop weights."""
    flows = sp.coo_array(traffic)
    place = topology.weighted_places[topology.tile_of_slot[slot_of_core]]
    distance = np.abs(place[flows.coords[0]] - place[flows.coords[1]]).sum(axis=1)
    return int(np.sum(flows.data * distance))


def core_order(traffic: sp.csr_array) -> Int64:
    """Cores in a row: the next is the one with most traffic to those before, recent ones counting double each step back."""
    mutual = _mutual(traffic)
    cores = mutual.shape[0]
    attraction = np.zeros(cores, np.int64)
    waiting = np.ones(cores, bool)
    order = np.empty(cores, np.int64)
    for position in range(cores):
        chosen = int(np.argmax(np.where(waiting, attraction, -1)))
        order[position] = chosen
        waiting[chosen] = False
        attraction >>= 1
        row = slice(mutual.indptr[chosen], mutual.indptr[chosen + 1])
        attraction[mutual.indices[row]] += mutual.data[row]
    return order


def hilbert_curve(columns: int, rows: int) -> Iterator[Point]:
    """All (x, y) of a rectangle in the order of a Hilbert curve generalised to any side lengths; neighbours adjoin.

    With an odd longer and an even shorter side one step is diagonal.
    """
    if columns >= rows:
        return _curve((0, 0), (columns, 0), (0, rows))
    return _curve((0, 0), (0, rows), (columns, 0))


def _curve(corner: Point, along: Point, across: Point) -> Iterator[Point]:
    """Fill the rectangle spanned at ``corner`` by two axis vectors, from the corner to the far end of ``along``."""
    length, width = abs(sum(along)), abs(sum(across))
    if width == 1:
        yield from _line(corner, along, length)
    elif length == 1:
        yield from _line(corner, across, width)
    elif 2 * length > 3 * width:
        half = _half(along, even=length > 2)
        yield from _curve(corner, half, across)
        yield from _curve(_add(corner, half), _subtract(along, half), across)
    else:
        half, side = _half(along, even=False), _half(across, even=width > 2)
        yield from _curve(corner, side, half)
        yield from _curve(_add(corner, side), along, _subtract(across, side))
        last = _subtract(_add(_add(corner, along), side), _add(_unit(along), _unit(side)))
        yield from _curve(last, _subtract((0, 0), side), _subtract(half, along))


def _line(corner: Point, vector: Point, length: int) -> Iterator[Point]:
    unit = _unit(vector)
    for step in range(length):
        yield corner[0] + step * unit[0], corner[1] + step * unit[1]


def _half(vector: Point, even: bool) -> Point:
    """Half of an axis vector; ``even`` rounds an odd half away from zero so that the curve can return."""
    unit, length = _unit(vector), abs(sum(vector)) // 2
    length += length % 2 if even else 0
    return unit[0] * length, unit[1] * length


def _unit(vector: Point) -> Point:
    return int(np.sign(vector[0])), int(np.sign(vector[1]))


def _add(a: Point, b: Point) -> Point:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Point, b: Point) -> Point:
    return a[0] - b[0], a[1] - b[1]


def _mutual(traffic: sp.csr_array) -> sp.csr_array:
    """Traffic of each pair in both directions, without cores that talk to themselves."""
    both = sp.coo_array(traffic + traffic.T)
    apart = (both.coords[0] != both.coords[1]) & (both.data != 0)
    mutual = sp.coo_array((both.data[apart], (both.coords[0][apart], both.coords[1][apart])), shape=both.shape).tocsr()
    mutual.sort_indices()
    return mutual


def _slots_for(traffic: sp.csr_array, topology: Mesh) -> Int64:
    available = topology.available_slots
    needed = traffic.shape[0]
    if needed > len(available):
        short = needed - len(available)
        message = f"the network needs {needed} cores, the chip has {len(available)} available ({short} too few)"
        fixes = ("use a chip or system with more cores", "make the network smaller", "lower the weight precision")
        raise DoesNotFit(Finding("NE4030", message, "", fixes))
    return available


def _hashed(seed: int, count: int) -> NDArray[np.uint64]:
    """splitmix64 of ``count`` consecutive counters."""
    word = (np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


PLACERS: Mapping[str, Placer] = {
    "hilbert_swap": hilbert_swap,
    "hilbert": hilbert,
    "linear": linear,
    "random": random,
}
DEFAULT_PLACER = "hilbert_swap"
