"""Counters of crossbar cores, and which of them cost energy: all exact int64, computed from spikes and rows."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.cost.estimate import Term
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import PER_TICK, TICKS, check_arrays
from neuroemu.families.truenorth.core import CrossbarChunk
from neuroemu.families.truenorth.lanes import SIZE

Int64 = NDArray[np.int64]


class Routes(NamedTuple):
    """The one packet that a spike of each neuron sends, int64 (neurons,) in engine order."""

    target: Int64  # position of the target core in the program, -1 without target
    hops_east_west: Int64
    hops_north_south: Int64
    crossings: Int64  # borders between chips on the way


MOST_LISTED = 20
"""Core ticks beyond the shown load that are kept one by one; all are counted."""

_COUNTERS = (
    TICKS,
    "input_spikes",
    "neuron_spikes",
    "active",
    "left_range",
    "merged",
    "axon_events",
    "synaptic_events",
    "core_ticks_over",
    "ticks_over",
    "first_over",
)


class CrossbarMeter:
    """Counts a run's events chunk by chunk; a spike is booked in the tick in which it is sent.

    Args:
        inputs: number of host sources; spikes of neurons are numbered after them.
        core_load_limit: synaptic events of a core in a tick that silicon has been shown to serve in real time.
        per_tick: keep the load of every tick; without it only totals are kept.

    Attributes:
        core_ticks_over, ticks_over: core ticks beyond that limit, and ticks that have any.
        first_over: (MOST_LISTED, 3) tick, position of the core and its events where a core went beyond that limit first, by
            tick and core; -1 in rows that are free.
    """

    def __init__(self, routes: Routes, inputs: int, cores: int, core_load_limit: int, per_tick: bool = True):
        self.routes, self.inputs, self.cores = routes, inputs, cores
        self.core_load_limit, self.per_tick = core_load_limit, per_tick
        self.first_over = np.full((MOST_LISTED, 3), -1, np.int64)
        self.ticks = self.input_spikes = self.core_ticks_over = self.ticks_over = 0
        self.neuron_spikes = np.zeros(SIZE * cores, np.int64)
        self.active, self.left_range, self.merged, self.axon_events, self.synaptic_events = np.zeros(
            (5, cores), np.int64
        )
        self._events_per_tick: list[Int64] = []
        self._most_events: list[Int64] = []
        self._busiest: list[Int64] = []
        self._over: list[Int64] = []

    def observe(self, chunk: Chunk) -> None:
        """Add one chunk."""
        assert isinstance(chunk, CrossbarChunk)
        if chunk.last_tick == chunk.first_tick:
            return
        self.ticks += chunk.last_tick - chunk.first_tick
        self.input_spikes += int(chunk.input_source.shape[0])
        self.neuron_spikes += np.bincount(chunk.spike_source - self.inputs, minlength=self.neuron_spikes.shape[0])
        self.active += chunk.active.sum(axis=0, dtype=np.int64)
        self.axon_events += chunk.axon_events.sum(axis=0, dtype=np.int64)
        self.synaptic_events += chunk.synaptic_events.sum(axis=0, dtype=np.int64)
        self.left_range += chunk.range_events["left_range"]
        self.merged += chunk.merged
        over = chunk.synaptic_events > self.core_load_limit
        in_tick = over.sum(axis=1, dtype=np.int64)
        self.core_ticks_over += int(in_tick.sum())
        self.ticks_over += int(np.count_nonzero(in_tick))
        if in_tick.any():
            self._list(over, chunk)
        if self.per_tick:
            self._keep(chunk, in_tick)

    def _keep(self, chunk: CrossbarChunk, over: Int64) -> None:
        busiest = np.argmax(chunk.synaptic_events, axis=1)
        self._events_per_tick.append(chunk.synaptic_events.sum(axis=1, dtype=np.int64))
        self._most_events.append(chunk.synaptic_events[np.arange(busiest.shape[0]), busiest].astype(np.int64))
        self._busiest.append(busiest.astype(np.int64))
        self._over.append(over)

    def _list(self, over: NDArray[np.bool_], chunk: CrossbarChunk) -> None:
        free = np.flatnonzero(self.first_over[:, 0] < 0)
        tick, core = (places[: free.shape[0]] for places in np.nonzero(over))
        rows = np.stack([chunk.first_tick + tick, core, chunk.synaptic_events[tick, core]], axis=1)
        self.first_over[free[: rows.shape[0]]] = rows

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all counters and, where it is kept, of the load of every tick."""
        loads = {
            PER_TICK + "synaptic_events": self.events_per_tick,
            PER_TICK + "most_events": self.most_events,
            PER_TICK + "busiest_core": self.busiest_core,
            PER_TICK + "cores_over_load": self.cores_over_load,
        }
        counters = {name: np.array(getattr(self, name), np.int64) for name in _COUNTERS}
        return counters | (loads if self.per_tick else {})

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        check_arrays(arrays, self.snapshot(), "meter")
        for name, array in arrays.items():
            if not name.startswith(PER_TICK):
                setattr(self, name, array.copy() if array.ndim else int(array))
        if not self.per_tick:
            return
        self._events_per_tick = [arrays[PER_TICK + "synaptic_events"].copy()]
        self._most_events = [arrays[PER_TICK + "most_events"].copy()]
        self._busiest = [arrays[PER_TICK + "busiest_core"].copy()]
        self._over = [arrays[PER_TICK + "cores_over_load"].copy()]

    @property
    def events_per_tick(self) -> Int64:
        """Synaptic events of all cores in every tick so far."""
        return _joined(self._events_per_tick)

    @property
    def most_events(self) -> Int64:
        """Synaptic events of the busiest core in every tick so far."""
        return _joined(self._most_events)

    @property
    def busiest_core(self) -> Int64:
        """Position of the core with the most synaptic events in every tick so far, the first on a tie."""
        return _joined(self._busiest)

    @property
    def cores_over_load(self) -> Int64:
        """Cores beyond the load that silicon has been shown to serve, in every tick so far."""
        return _joined(self._over)

    def per_core(self) -> dict[str, Int64]:
        """Named counters, int64 (cores,)."""
        sent = self.neuron_spikes * (self.routes.target >= 0)
        received = np.zeros(self.cores, np.int64)
        np.add.at(received, self.routes.target[self.routes.target >= 0], sent[self.routes.target >= 0])
        return {
            "spikes": self.neuron_spikes.reshape(self.cores, SIZE).sum(axis=1),
            "synaptic_events": self.synaptic_events,
            "packets_in": received,
            "packets_out": sent.reshape(self.cores, SIZE).sum(axis=1),
            "updates": np.full(self.cores, SIZE * self.ticks, np.int64),
        }

    def totals(self) -> dict[str, int]:
        """Named totals for reports."""
        sent = self.neuron_spikes * (self.routes.target >= 0)
        return {
            "ticks": self.ticks,
            "spikes": int(self.neuron_spikes.sum()),
            "input_spikes": self.input_spikes,
            "synaptic_events": int(self.synaptic_events.sum()),
            "axon_events": int(self.axon_events.sum()),
            "neuron_updates": SIZE * self.cores * self.ticks,
            "active_updates": int(self.active.sum()),
            "packets": int(sent.sum()),
            "hops_east_west": int((sent * self.routes.hops_east_west).sum()),
            "hops_north_south": int((sent * self.routes.hops_north_south).sum()),
            "chip_crossings": int((sent * self.routes.crossings).sum()),
            "merged_spikes": int(self.merged.sum()),
            "membrane_saturations": int(self.left_range.sum()),
            "core_ticks_over_shown_load": self.core_ticks_over,
        }


def energy_terms(meter: CrossbarMeter, stated: Container[str]) -> tuple[Term, ...]:
    """Which counters cost what, of the constants that a cost set states; they are called as in the chip file."""
    totals = meter.totals()
    terms = (
        Term("synaptic events", "synapse", totals["synaptic_events"], "synaptic_event"),
        Term("neuron updates", "neuron", totals["neuron_updates"], "neuron_update"),
        Term("spikes", "neuron", totals["spikes"], "spike"),
        Term("hops", "network", totals["hops_east_west"] + totals["hops_north_south"], "hop"),
        Term("chip crossings", "network", totals["chip_crossings"], "chip_crossing"),
    )
    return tuple(term for term in terms if term.constant in stated)


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate([np.zeros(0, np.int64), *parts])
