"""A lowered network without cores: tiles, registers and delays tick by tick, no image, no packets, no crossbar engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.lowered import LoweredNetwork, LoweredPopulation
from neuroemu.families.truenorth.pieces import BEFORE_INPUTS


def simulate(
    lowered: LoweredNetwork,
    offsets: dict[str, int],
    levels: dict[str, int],
    inputs: dict[str, NDArray[Any]],
) -> dict[str, NDArray[np.uint8]]:
    """Spikes (ticks, size) of every population in steps of the network, for inputs (ticks, size) of one sample.

    Args:
        offsets: tick offset by population; levels: relays that a spike of the population passes, 0 without.
    """
    steps = next(iter(inputs.values())).shape[0]
    ticks = steps + max(offsets.values())
    sent: dict[str, NDArray[np.uint8]] = {
        port.name: np.concatenate(
            [
                np.ones((steps, 1)) if port.constant else inputs[port.name].reshape(steps, -1) > 0,
                np.zeros((ticks - steps, port.size)),
            ]
        ).astype(np.uint8)
        for port in lowered.ports
    }
    states = {population.name: _State(population, offsets[population.name]) for population in lowered.populations}
    sent |= {population.name: np.zeros((ticks, population.size), np.uint8) for population in lowered.populations}
    for tick in range(ticks):
        arriving = {
            population.name: _arriving(population, tick, sent, offsets, levels) for population in lowered.populations
        }
        for name, state in states.items():
            sent[name][tick] = state.advance(arriving[name])
    return {name: sent[name][offsets[name] : offsets[name] + steps] for name in states}


def _arriving(
    population: LoweredPopulation,
    tick: int,
    sent: dict[str, NDArray[np.uint8]],
    offsets: dict[str, int],
    levels: dict[str, int],
) -> NDArray[np.int64]:
    """Spikes at every column of the population's weights in this tick."""
    spikes = np.zeros(max((block.first + block.size for block in population.columns), default=0), np.int64)
    for block in population.columns:
        of_source = offsets.get(block.source, BEFORE_INPUTS)
        wait = max(offsets[population.name] - of_source + block.delay, 1 + levels.get(block.source, 0))
        since = tick - wait + (1 if offsets.get(block.source, BEFORE_INPUTS) == BEFORE_INPUTS else 0)
        if since >= 0:
            spikes[block.first : block.first + block.size] = sent[block.source][since]
    return spikes


class _State:
    """Potentials of one population."""

    def __init__(self, population: LoweredPopulation, offset: int):
        self.population = population
        self.offset, self.tick = offset, 0
        self.v = population.initial.tolist()

    def advance(self, spikes: NDArray[np.int64]) -> NDArray[np.uint8]:
        """One tick; nothing happens before the population's own offset."""
        fired = np.zeros(self.population.size, np.uint8)
        self.tick += 1
        if self.tick <= self.offset:
            assert not spikes.any()
            return fired
        synaptic = np.zeros(self.population.size, np.int64)
        for tile in self.population.tiles:
            synaptic[tile.neurons] += spikes[tile.column] @ tile.weight
        registers = self.population.registers
        for neuron in range(self.population.size):
            row = {name: int(column[neuron]) for name, column in registers.items()}
            self.v[neuron], fired[neuron], left = dynamics.tick(
                self.v[neuron], int(synaptic[neuron]), row["leak"], row["reversal"], 1, row["alpha"], row["beta"], 0,
                row["reset"], row["gamma"], row["kappa"], dynamics.SATURATE, dynamics.PAPER,
            )  # fmt: skip
            assert not left
        return fired
