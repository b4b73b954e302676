"""How a spike reaches several axons when a neuron has one target: copies of the neuron beside it, or relay neurons on other cores.

Copies have the same synapses and registers and so the same spikes, each with a target of its own; they cost no tick. Where they do
not fit beside the neurons they copy, tiles are cut smaller, or relays do it: the neuron's target is an axon of a splitter core,
which drives one relay per target. A level of relays costs a tick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth.lowered import LoweredPopulation, Tile

Int64 = NDArray[np.int64]

MOST_COPIES = 16
"""Copies of a neuron for which its tile is cut smaller; with more, relays do it."""
MOST_ROUNDS = 8
"""Cuts of a population that hears itself, each of which gives its neurons more targets."""
LOOP_WORTH = 4.0
"""How many times the cores it may take to keep the feedback of a loop in time."""
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


def spread(populations: Sequence[LoweredPopulation], room: tuple[int, int]) -> tuple[LoweredPopulation, ...]:
    """Tiles so small that copies of their neurons fit beside them, where that takes no more cores than relays would.

    A population that hears itself may take more, since what comes late in a loop cannot be made up for. Results do not depend on
    it otherwise.

    Args:
        room: axons and neurons of a core.
    """
    found = tuple(populations)
    for place in reversed(range(len(found))):
        before = _cores(found, room)
        changed = found
        for _ in range(MOST_ROUNDS):
            smaller = _cut_for_copies(changed, place, room[1])
            if smaller is None or smaller is changed[place]:
                break
            changed = (*changed[:place], smaller, *changed[place + 1 :])
        name = found[place].name
        hears_itself = any(block.source == name for block in found[place].columns)
        done = smaller is not None and smaller is changed[place] and changed is not found
        if done and _cores(changed, room) <= before * (LOOP_WORTH if hears_itself else 1.0):
            found = changed
    return found


def _cut_for_copies(populations: Sequence[LoweredPopulation], place: int, neurons: int) -> LoweredPopulation | None:
    """The population at ``place`` with tiles whose copies fit, itself where they do; None where neurons have too many targets."""
    population = populations[place]
    ends = endpoints(populations).get(population.name)
    if ends is None:
        return population
    copies = np.maximum(ends.fan_out(population.size), 1)
    if int(copies.max()) > MOST_COPIES:
        return None
    tiles = [
        tile.part(first, last)
        for tile in population.tiles
        for first, last in pairwise(_borders(copies[tile.neurons], neurons))
    ]
    return population if len(tiles) == len(population.tiles) else replace(population, tiles=tuple(tiles))


def _borders(copies: Int64, neurons: int) -> list[int]:
    """Where a tile is cut into as few parts as can be, of about as many copies each."""
    total = np.concatenate([np.zeros(1, np.int64), np.cumsum(copies)])
    parts = max(1, -(-int(total[-1]) // neurons))
    while True:
        borders = np.unique(np.searchsorted(total, total[-1] * np.arange(parts + 1) / parts))
        if int(np.diff(total[borders]).max(initial=0)) <= neurons:
            return [int(border) for border in borders]
        parts += 1


def _cores(populations: Sequence[LoweredPopulation], room: tuple[int, int]) -> float:
    """About how many cores tiles with their copies and relays take."""
    reached = endpoints(populations)
    ways = fan_outs(populations, reached, room[1])
    total = 0.0
    for population in populations:
        way = ways[population.name]
        copies = np.ones_like(way.per_neuron) if way.levels else np.maximum(way.per_neuron, 1)
        for tile in population.tiles:
            total += max(tile.column.shape[0] / room[0], int(copies[tile.neurons].sum()) / room[1])
        if way.levels:
            total += int(way.per_neuron[way.per_neuron > 1].sum()) / room[1]
    return total


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
