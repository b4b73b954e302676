"""What a program of crossbar cores is in memory, and what of it changes from tick to tick.

A neuron is restless when its next tick may change anything without input; a core without active axons and restless neurons is
not visited.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.families.truenorth.lanes import FULL, SIZE, WORDS, Words

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

TYPES = 4
SLOTS = 16
"""Ticks that the scheduler of a core holds: the one being served and 15 to come."""

WEIGHT, LEAK, THRESHOLD, RESET, DICE = range(5)
"""Columns of ``Neurons.block``."""
KAPPA, REVERSAL = 4, 8
"""Bits of a neuron's mode; its lowest two bits are the reset mode gamma."""
STOCHASTIC_LEAK = 16
"""Bit of a neuron's dice; its lowest four bits are the stochastic axon types."""
CORE_SHIFT, AXON_SHIFT, DELAY_MASK = 12, 4, 15
"""Where an address holds its core and axon; the lowest bits are the delay."""


class Crossbars(NamedTuple):
    """What is stored per axon."""

    row: Words  # (cores, 256, 4), lane order
    of_type: Words  # (cores, 4, 4) axons of each type, bit a % 64 of word a // 64


class Neurons(NamedTuple):
    """What is stored per neuron. Cores with equal parameters share a block of 256, which then stays in the nearest cache."""

    block: Int64  # (cores, 5) number of the core's block of weights, of leaks, of thresholds, of resets and of dice
    weight: NDArray[np.int16]  # (blocks, 4, 256) by axon type
    leak: NDArray[np.int16]  # (blocks, 256)
    alpha: Int32  # (blocks, 256)
    beta: Int32
    reset: Int32  # (blocks, 256)
    mode: NDArray[np.uint8]
    dice: NDArray[np.uint8]  # (blocks, 256)
    mask_bits: NDArray[np.uint8]
    drawing: Words  # (cores, 4) neurons with random numbers, lane order
    target: NDArray[np.uint32]  # (cores, 256) core << 12 | axon << 4 | delay; delay 0 without target
    seed: Words  # (cores,)


class Rules(NamedTuple):
    """What the public texts leave open, as chosen."""

    zero_clamp: int
    overflow: int
    compat: int
    rho_lowest: int
    rho_span: int


class HostRoutes(NamedTuple):
    """Where spikes from outside go, CSR by host source; delay 0 is the tick itself."""

    start: Int64
    core: Int64
    axon: Int64
    delay: Int64


@dataclass(frozen=True)
class CompiledProgram:
    """Everything the tick needs that never changes during a run; ``initial`` are the potentials before tick 0."""

    crossbars: Crossbars
    neurons: Neurons
    rules: Rules
    host: HostRoutes
    initial: Int32  # (cores, 256)

    @property
    def cores(self) -> int:
        return int(self.initial.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.host.start.shape[0]) - 1


@dataclass
class State:
    """Everything that changes: potentials, axon bits of the ticks to come, neurons that may change by themselves."""

    v: Int32  # (cores, 256)
    axons: Words  # (16, cores, 4)
    restless: Words  # (cores, 4), lane order


def initial_state(program: CompiledProgram) -> State:
    """As after a reset of the chip."""
    return State(
        v=program.initial.copy(),
        axons=np.zeros((SLOTS, program.cores, WORDS), np.uint64),
        restless=np.full((program.cores, WORDS), FULL),
    )


class Scratch(NamedTuple):
    """Room for one core's tick."""

    counts: Words  # (32,) byte-wide counters
    synaptic: Int32  # (256,)
    after: Int32
    spiked: NDArray[np.uint8]
    changed: NDArray[np.uint8]
    left: NDArray[np.uint8]
    todo: Words  # (4,) neurons to update, lane order


@njit
def scratch() -> Scratch:
    """Fresh room, zero."""
    return Scratch(
        np.zeros(SIZE // 8, np.uint64),
        np.zeros(SIZE, np.int32),
        np.zeros(SIZE, np.int32),
        np.zeros(SIZE, np.uint8),
        np.zeros(SIZE, np.uint8),
        np.zeros(SIZE, np.uint8),
        np.zeros(WORDS, np.uint64),
    )
