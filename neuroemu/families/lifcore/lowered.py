"""A network in the integers of open LIF cores: what lowering hands to the mapping."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from neuroemu.image.symbols import Port
from neuroemu.mapping.rows import Rows
from neuroemu.network.connectivity import Conv2d, Dense

IntArray = NDArray[np.int64]

PROFILE_FIELDS = (
    "input_shift",
    "current_keep",
    "leak_mode",
    "leak_amount",
    "compare",
    "reset",
    "reset_value",
    "period",
)


@dataclass(frozen=True)
class LoweredPopulation:
    """Registers of one population; int64 arrays of shape (size,).

    ``tick_offset``: the chip computes step ``t`` of the source framework in tick ``t + tick_offset``.
    """

    name: str
    shape: tuple[int, ...]
    tick_offset: int
    spiking: bool
    profile: dict[str, IntArray]
    initial: IntArray
    threshold: IntArray
    bias: IntArray

    @property
    def size(self) -> int:
        return int(self.threshold.shape[0])

    @cached_property
    def profiles(self) -> tuple[IntArray, IntArray]:
        """Distinct profiles as rows in the order of PROFILE_FIELDS, and the number of each neuron's."""
        columns = np.stack([self.profile[name] for name in PROFILE_FIELDS], axis=1)
        if bool(np.all(columns == columns[:1])):
            return columns[:1], np.zeros(self.size, np.int64)
        table, number = np.unique(columns, axis=0, return_inverse=True)
        return table, number.reshape(-1).astype(np.int64)


@dataclass(frozen=True)
class LoweredProjection:
    """Synapses of one projection; ``structure`` holds integers.

    ``delay`` is that of all synapses of a dense matrix or a convolution, at least 1; rows hold their own, ``longest_delay`` at
    most.
    """

    name: str
    source: str
    target: str
    structure: Dense | Conv2d | Rows
    delay: int
    longest_delay: int


@dataclass(frozen=True)
class LoweredNetwork:
    """What the chip gets: a network in its integers."""

    ports: tuple[Port, ...]
    populations: tuple[LoweredPopulation, ...]
    projections: tuple[LoweredProjection, ...]
    outputs: tuple[str, ...]
