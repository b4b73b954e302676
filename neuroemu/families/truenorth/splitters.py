"""How a spike reaches several axons when a neuron has one target: copies of the neuron beside it, or relay neurons on other cores.

Copies have the same synapses and registers and so the same spikes, each with a target of its own; they cost no tick. Where they do
not fit beside the neurons they copy, relays do it: the neuron's target is an axon of a splitter core, which drives one relay
per target. A level of relays costs a tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth.lowered import LoweredPopulation, Tile

Int64 = NDArray[np.int64]

RELAY_WEIGHT = 1
RELAY_REGISTERS = {"leak": 0, "reversal": 0, "alpha": 1, "beta": 0, "gamma": 0, "kappa": 1, "reset": 0}
"""As in models compiled by IBM's tools: a spike in, a spike out, nothing kept."""


@dataclass(frozen=True)
class Endpoints:
    """Axons that one source population must reach, sorted by its neurons; int64 arrays of one length.

    Attributes:
        neuron: number in the source population.
        tile: number of the target tile, counted over all populations.
        axon: axon of that tile.
        wait: the network's ticks from spike to effect.
    """

    neuron: Int64
    tile: Int64
    axon: Int64
    wait: Int64

    def fan_out(self, size: int) -> Int64:
        """Axons per neuron."""
        return np.bincount(self.neuron, minlength=size).astype(np.int64)


def endpoints(populations: Sequence[LoweredPopulation]) -> dict[str, Endpoints]:
    """What every source must reach, by the name of its population or port."""
    parts: dict[str, list[Int64]] = {}
    first = 0
    for population in populations:
        for number, tile in enumerate(population.tiles):
            for block in population.columns:
                own = np.flatnonzero((tile.column >= block.first) & (tile.column < block.first + block.size))
                if own.shape[0]:
                    rows = np.empty((own.shape[0], 4), np.int64)
                    rows[:, 0] = tile.column[own] - block.first
                    rows[:, 1:] = first + number, 0, block.delay
                    rows[:, 2] = own
                    parts.setdefault(block.source, []).append(rows)
        first += len(population.tiles)
    return {name: _sorted(np.concatenate(rows)) for name, rows in parts.items()}


def _sorted(rows: Int64) -> Endpoints:
    order = np.argsort(rows[:, 0], kind="stable")
    return Endpoints(*(np.ascontiguousarray(column) for column in rows[order].T))


@dataclass(frozen=True)
class FanOut:
    """How the neurons of a population reach their targets.

    ``levels`` of relays on the longest way; 0 where copies of the neurons do it.
    """

    per_neuron: Int64
    levels: int


def fan_outs(
    populations: Sequence[LoweredPopulation], reached: Mapping[str, Endpoints], neurons: int
) -> dict[str, FanOut]:
    """Copies where all of a tile's fit on its core, else levels of relays."""
    found = {}
    for population in populations:
        ends = reached.get(population.name)
        per_neuron = np.zeros(population.size, np.int64) if ends is None else ends.fan_out(population.size)
        slots = [int(np.maximum(per_neuron[tile.neurons], 1).sum()) for tile in population.tiles]
        levels, reach = 0, 1
        while max(slots, default=0) > neurons and reach < int(per_neuron.max(initial=0)):
            levels, reach = levels + 1, reach * neurons
        found[population.name] = FanOut(per_neuron, levels)
    return found


def relay_tile(counts: Sequence[int]) -> Tile:
    """A part of a splitter core: axon i drives ``counts[i]`` relays of its own, in order."""
    relays = sum(counts)
    source = np.repeat(np.arange(len(counts)), counts)
    synapses = np.zeros((len(counts), relays), np.bool_)
    synapses[source, np.arange(relays)] = True
    return Tile(
        neurons=np.arange(relays, dtype=np.int64),
        column=np.arange(len(counts), dtype=np.int64),
        axon_type=np.zeros(len(counts), np.int64),
        table=np.tile(np.array([RELAY_WEIGHT, 0, 0, 0], np.int64), (relays, 1)),
        synapses=synapses,
    )
