"""A network in TrueNorth's integers before it has places: neurons' registers, and tiles that are parts of a crossbar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.image.symbols import Port

Int64 = NDArray[np.int64]

REGISTERS = ("leak", "reversal", "alpha", "beta", "gamma", "kappa", "reset")


@dataclass(frozen=True)
class Columns:
    """Sources that arrive after one delay: ``size`` columns of a population's weights from ``first`` on.

    ``delay`` are the network's ticks from spike to effect, 0 for feed-forward.
    """

    source: str
    delay: int
    first: int
    size: int


@dataclass(frozen=True)
class Tile:
    """Neurons that stay together on a core, with the part of the crossbar that they need.

    Attributes:
        neurons: int64 (neurons,), numbers in their population.
        column: int64 (axons,), the column of the population's weights that every axon carries; a column may have several axons.
        axon_type: int64 (axons,), 0..3.
        table: int64 (neurons, 4), weight by axon type.
        synapses: bool (axons, neurons).
    """

    neurons: Int64
    column: Int64
    axon_type: Int64
    table: Int64
    synapses: NDArray[np.bool_]

    @property
    def weight(self) -> Int64:
        """int64 (axons, neurons), what a spike adds."""
        return self.table[:, self.axon_type].T * self.synapses

    def part(self, first: int, last: int) -> Tile:
        """The neurons in places ``first..last-1`` with the axons that they need."""
        synapses = self.synapses[:, first:last]
        used = synapses.any(axis=1)
        return Tile(
            self.neurons[first:last], self.column[used], self.axon_type[used], self.table[first:last], synapses[used]
        )


@dataclass(frozen=True)
class LoweredPopulation:
    """Registers of one population, int64 (size,) each, and its tiles.

    Attributes:
        initial: int64 (size,), potential in the tick of the population's offset, before anything is added.
        owner: population whose sums these neurons form, for the neurons of partial sums; else the own name.
    """

    name: str
    shape: tuple[int, ...]
    spiking: bool
    columns: tuple[Columns, ...]
    tiles: tuple[Tile, ...]
    registers: dict[str, Int64]
    initial: Int64
    owner: str

    @property
    def size(self) -> int:
        return int(self.initial.shape[0])


@dataclass(frozen=True)
class LoweredNetwork:
    """What the chip gets: a network in its integers, cut into parts of crossbars.

    Attributes:
        ports: of the network's inputs, then one of a single source for every bias that is a synapse.
        populations: neurons of partial sums before those whose sums they form.
    """

    ports: tuple[Port, ...]
    populations: tuple[LoweredPopulation, ...]
    outputs: tuple[str, ...]
