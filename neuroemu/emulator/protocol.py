"""What the clock needs to know about a chip: a thing that advances ticks, and a meter that counts what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Stimulus:
    """Spikes from outside, in arrival order.

    Attributes:
        tick: int64, ascending; the tick in which the spike is injected.
        source: int32, number of the host source.
    """

    tick: Int64
    source: NDArray[np.int32]


@dataclass(frozen=True)
class SpikeTimes(Stimulus):
    """One sample of ``ticks`` ticks as its spikes alone, for long runs in which few come."""

    ticks: int


@dataclass(frozen=True)
class Chunk:
    """What happened in ticks ``first_tick..last_tick-1``.

    Attributes:
        input_start: (ticks + 1,) int64, where each tick's external spikes start in ``input_source``.
        spike_tick, spike_source: int32, spikes of neurons; sources are host sources first, then neurons.
        active: (ticks, cores) int32, neurons not at rest in the tick.
        range_events: name -> (cores,) int64, arithmetic that left its range (wraps, saturations), so that none is silent.
        probes: state name -> (ticks, probed neurons) int32.
    """

    first_tick: int
    last_tick: int
    input_start: Int64
    input_source: NDArray[np.int32]
    spike_tick: NDArray[np.int32]
    spike_source: NDArray[np.int32]
    active: NDArray[np.int32]
    range_events: Mapping[str, Int64]
    probes: Mapping[str, NDArray[np.int32]]


class TickEngine(Protocol):
    """A spiking chip's compiled program with its state."""

    @property
    def neurons(self) -> int: ...

    @property
    def cores(self) -> int: ...

    def advance(
        self,
        first_tick: int,
        last_tick: int,
        reset_period: int,
        input_start: Int64,
        input_source: NDArray[np.int32],
        probe: Int64,
    ) -> Chunk:
        """Run ticks; may stop early when its spike buffer is full (``Chunk.last_tick`` says where)."""

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of everything that changes, the same for any number of threads: flat arrays over all neurons."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""


class Meter(Protocol):
    """Counts events of each chunk; exact int64 totals."""

    def observe(self, chunk: Chunk) -> None: ...

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all counters: ``ticks`` (int64, shape ()) and, under names that begin with ``per_tick.``, one row per
        tick."""

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
