"""Sums over more inputs than a core has axons: parts of the inputs go to pairs of neurons that send their sums on as spikes.

One neuron of a pair integrates the sum of its part, the other the same with all signs turned. When the sum reaches a fixed
charge the one spikes, at minus the charge the other, and both take the charge off (linear reset above and below). Weights and
charge are even and the potentials start at +1 and -1, so that the strict lower comparison and the upper one meet: the two stay
each other's negatives for ever. The neuron that wants the sum has two synapses per part, plus and minus the charge. What is on
its way is less than one charge per part unless a part receives more than one charge per tick for long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.codes import fitted, nearest
from neuroemu.families.truenorth.lowered import Columns, LoweredPopulation
from neuroemu.families.truenorth.quantise import Room
from neuroemu.families.truenorth.tiles import coded_tiles, cut, neighbours, row_table

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

CODE = (1, 1, 1, 1)
ASSUMED_RATE = 0.25
"""Spikes per input and tick for which a charge is chosen: half of the mean sum plus its standard deviation. A larger charge
leaves more of the sum behind, a smaller one is sent too late when the sum is large."""


MORE_PARTS = 1.25
"""How many times the fewest parts there may be where that makes neighbours share cores."""

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class PartialSums:
    """The neurons of the parts, and what is left for the population itself.

    Attributes:
        merged: CSR (neurons, part neurons), plus and minus the charge, float units.
        weight: CSR (neurons, columns), the rounded weights in float units.
        charge: float64 (neurons,), float units.
        parts: parts of the largest sum.
    """

    population: LoweredPopulation
    columns: Columns
    merged: sp.csr_array
    weight: sp.csr_array
    charge: FloatArray
    parts: int


def partial_sums(
    name: str, shape: tuple[int, ...], weight: sp.csr_array, columns: tuple[Columns, ...], shapes: Shapes, room: Room
) -> PartialSums:
    """Split every row of ``weight`` into parts that leave four axons per input.

    Args:
        shape: of the population.
        shapes: of the sources of ``columns``, by name.
    """
    neurons = weight.shape[0]
    share = room.axons // len(CODE)
    _, row, within = row_table(weight)
    part_of_synapse = _parts(weight, row, within // share, _blocks(columns, shapes, share))
    used, number = np.unique(part_of_synapse, return_inverse=True)
    parts = sp.csr_array((weight.data, (number.reshape(-1), weight.indices)), shape=(used.shape[0], weight.shape[1]))
    parts.sort_indices()
    owner = (used % neurons).astype(np.int64)
    mean = np.abs(np.asarray(parts.sum(axis=1)))
    spread = np.sqrt(np.asarray((parts * parts).sum(axis=1)) * ASSUMED_RATE * (1 - ASSUMED_RATE))
    charge = np.zeros(neurons)
    np.maximum.at(charge, owner, (ASSUMED_RATE * mean + spread) / 2)
    rows, synapse_row, synapse_place = row_table(parts)
    table = fitted(rows, CODE)
    largest = np.abs(table.entry).max(axis=1)
    own_charge = charge[owner]
    finest = np.minimum((room.weight // 2) / largest, (room.threshold // 2) / own_charge)
    units = np.maximum(np.floor(finest * own_charge), 1.0)
    scale = units / own_charge
    entry = np.rint(table.entry * scale[:, None])
    counts = nearest(rows * scale[:, None], entry, CODE)[synapse_row, synapse_place]
    both = sp.csr_array(sp.vstack([parts, parts], format="csr"))
    both.sort_indices()
    count = owner.shape[0]
    rank = np.empty(neurons, np.int64)
    rank[neighbours(shape)] = np.arange(neurons)
    together = np.lexsort((rank[owner], used // neurons))
    order = np.stack([together, together + count], axis=1).reshape(-1)
    tiles = coded_tiles(
        cut(both, order, share, room.neurons),
        both,
        np.concatenate([counts, counts]),
        np.concatenate([2 * entry, -2 * entry]).astype(np.int64),
        CODE,
    )
    alpha = np.tile(2 * units, 2).astype(np.int64)
    none = np.zeros(2 * count, np.int64)
    registers = {
        "leak": none,
        "reversal": none,
        "alpha": alpha,
        "beta": alpha,
        "gamma": np.full(2 * count, dynamics.RESET_LINEAR),
        "kappa": none,
        "reset": none,
    }
    population = LoweredPopulation(
        name=f"{name}:parts",
        shape=(2 * count,),
        spiking=True,
        columns=columns,
        tiles=tiles,
        registers=registers,
        initial=np.repeat(np.array([1, -1]), count),
        owner=name,
    )
    ends = (np.tile(owner, 2), np.arange(2 * count))
    merged = sp.csr_array((np.concatenate([own_charge, -own_charge]), ends), shape=(neurons, 2 * count))
    merged.sort_indices()
    rounded = ((counts * entry[synapse_row]).sum(axis=-1)) / scale[synapse_row]
    whole = sp.csr_array((rounded, (owner[synapse_row], parts.indices)), shape=weight.shape)
    whole.sort_indices()
    return PartialSums(
        population=population,
        columns=Columns(population.name, 0, 0, 2 * count),
        merged=merged,
        weight=whole,
        charge=charge,
        parts=int(np.bincount(owner, minlength=neurons).max(initial=0)),
    )


def _parts(weight: sp.csr_array, row: Int64, run: Int64, block: Int64) -> Int64:
    """Number of the part of every synapse; parts of equal ``number // neurons`` have common sources.

    Where sources are cut into blocks that are the same for all neurons, all neurons that hear a block share one core's axons, so
    a source needs few targets: the windows of a convolution. Where that makes too many parts, because neurons hear little of
    every block, each row is cut by itself.

    Args:
        run: int64 (synapses,), part of the synapse when its row is cut by itself.
        block: int64 (columns,).
    """
    neurons = weight.shape[0]
    shared, alone = block[weight.indices] * neurons + row, run * neurons + row
    few = np.unique(shared).shape[0] <= MORE_PARTS * np.unique(alone).shape[0]
    return np.asarray(shared if few else alone, np.int64)


def _blocks(columns: tuple[Columns, ...], shapes: Shapes, share: int) -> Int64:
    """Block of every column: runs of ``share`` neighbours."""
    order = np.concatenate([block.first + neighbours(shapes.get(block.source, (block.size,))) for block in columns])
    found = np.empty(order.shape[0], np.int64)
    found[order] = np.arange(order.shape[0]) // share
    return found
