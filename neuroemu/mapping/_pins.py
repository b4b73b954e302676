"""A hypergraph both ways and the limits of its parts, as compiled loops read them; the loops that turn and count it."""

# ruff: noqa: SIM110 - Numba does not compile all(generator)

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit

Int64 = NDArray[np.int64]
Integer = int | np.int64
Int32 = NDArray[np.int32]

inside_kernels = register_jitable(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only kernels call: no entry from Python is compiled, which halves the compile time."""

NEURONS, AXONS, MEMORY, OUTPUTS, EXTRA = 0, 1, 2, 3, 4
"""Columns of a part's resource use; additive per-neuron resources follow from ``EXTRA`` on."""


class Pins(NamedTuple):
    """A hypergraph both ways; ``multiplicity`` counts the synapses of one (source, target) pair."""

    row_start: Int64
    target: Int32
    multiplicity: Int32
    column_start: Int64
    source: Int32
    column_multiplicity: Int32
    rate: Int64
    home: Int64
    own_start: Int64
    own: Int64
    list_format: Int32


class Caps(NamedTuple):
    """Limits per part ``limit[4 + R]``, list cost ``cost[F, k]``, per-neuron use ``use[n, R]``, ``own_output[1]``."""

    limit: Int64
    cost: Int64
    use: Int64
    own_output: Int64


@inside_kernels
def filled(length: Integer, value: Integer) -> Int64:
    """int64[length]; numpy's own functions compile much slower than this loop."""
    array = np.empty(length, np.int64)
    for i in range(length):
        array[i] = value
    return array


@inside_kernels
def room_for_neuron(limit: Int64, use: Int64, x: Integer, used: Int64) -> bool:
    if used[NEURONS] + 1 > limit[NEURONS]:
        return False
    for r in range(use.shape[1]):
        if used[EXTRA + r] + use[x, r] > limit[EXTRA + r]:
            return False
    return True


@njit
def merge_columns(row_start: Int64, target: Int32, column_start: Int64, source: Int32, multiplicity: Int32) -> None:
    """Sources of every target, rising, parallel synapses merged; with an empty ``source`` only ``column_start`` is filled."""
    neurons = column_start.shape[0] - 1
    counting = source.shape[0] == 0
    place = filled(neurons, 0)
    last = filled(neurons, -1)
    for v in range(neurons):
        place[v] = column_start[v] - 1
    for u in range(row_start.shape[0] - 1):
        for j in range(row_start[u], row_start[u + 1]):
            v = target[j]
            if last[v] != u:
                last[v] = u
                if counting:
                    column_start[v + 1] += 1
                else:
                    place[v] += 1
                    source[place[v]] = u
                    multiplicity[place[v]] = 0
            if not counting:
                multiplicity[place[v]] += 1
    if counting:
        for v in range(neurons):
            column_start[v + 1] += column_start[v]


@njit
def turn_columns(
    column_start: Int64, source: Int32, multiplicity: Int32, row_start: Int64, target: Int32, row_multiplicity: Int32
) -> None:
    """The same pins by source; ``row_start`` comes as zeros."""
    for j in range(source.shape[0]):
        row_start[source[j] + 1] += 1
    for row in range(row_start.shape[0] - 1):
        row_start[row + 1] += row_start[row]
    place = row_start.copy()
    for v in range(column_start.shape[0] - 1):
        for j in range(column_start[v], column_start[v + 1]):
            u = np.int64(source[j])
            target[place[u]] = v
            row_multiplicity[place[u]] = multiplicity[j]
            place[u] += 1


@njit
def lists_alone(pins: Pins, cost: Int64) -> Int64:
    """Memory of every neuron's synapse lists on a core of its own."""
    units = filled(pins.column_start.shape[0] - 1, 0)
    for v in range(units.shape[0]):
        for j in range(pins.column_start[v], pins.column_start[v + 1]):
            units[v] += cost[pins.list_format[pins.source[j]], pins.column_multiplicity[j]]
    return units


@njit
def count_deliveries(
    row_start: Int64, target: Int32, part: Int32, parts: int, source: Int64, to: Int64, synapses: Int64
) -> Integer:
    """(source, part, synapses) by source, parts in the order met; only counted while the arrays are empty."""
    last = filled(parts, -1)
    entry = filled(parts, 0)
    count: Integer = np.int64(0)
    counting = source.shape[0] == 0
    for u in range(row_start.shape[0] - 1):
        for j in range(row_start[u], row_start[u + 1]):
            p = part[target[j]]
            if last[p] != u:
                last[p] = u
                entry[p] = count
                if not counting:
                    source[count] = u
                    to[count] = p
                    synapses[count] = 0
                count += 1
            if not counting:
                synapses[entry[p]] += 1
    return count
