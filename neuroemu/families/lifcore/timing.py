"""What a run of open LIF cores did and how long it took: exact cycles per core and tick under the core's cycle contract.

A core processes one spike after the other, then updates its neurons. Per tick and core::

    cycles = spikes in * (spike_in + synapses of the spike * synapse) + neurons * neuron + routes sent * route + tick

A tick ends when the slowest core is done and the farthest packet has travelled its hops.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.cost.estimate import Term
from neuroemu.emulator.delivery import SYNAPSE_CLASSES
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import PER_TICK, TICKS, check_arrays
from neuroemu.emulator.traffic import TickCounts, Totals, Traffic, TrafficCounter

Int64 = NDArray[np.int64]


class Cycles(NamedTuple):
    """The cycle contract: what each step takes, in cycles of the core's clock."""

    spike_in: int
    synapse: int
    neuron: int
    route: int
    tick: int
    hop: int


_CRITICAL_PATH = ("neuron_cycles", "synapse_cycles", "hop_cycles")


class CycleMeter:
    """Counts a run's events and every core's cycles, chunk by chunk; a spike is booked in the tick in which it is sent.

    Without ``per_tick`` only events are counted: which core ends a tick is not known then, nor how long a tick takes.
    """

    def __init__(self, traffic: Traffic, neurons: Int64, cycles: Cycles, per_tick: bool = True):
        self.traffic, self.neurons, self.contract = traffic, np.asarray(neurons, np.int64), cycles
        self.counter = TrafficCounter(traffic, self.neurons.shape[0], len(SYNAPSE_CLASSES))
        self.per_tick = per_tick
        self.ticks = 0
        self.source_spikes = np.zeros(traffic.start.shape[0] - 1, np.int64)
        self.active = np.zeros_like(self.neurons)
        self.left_range = np.zeros_like(self.neurons)
        self.accumulator_wraps = np.zeros_like(self.neurons)
        self._tick_cycles: list[Int64] = []
        self._busiest: list[Int64] = []
        self._linear: Totals | None = None
        self.neuron_cycles = self.synapse_cycles = self.hop_cycles = 0

    def observe(self, chunk: Chunk) -> None:
        """Add one chunk."""
        ticks = chunk.last_tick - chunk.first_tick
        if ticks == 0:
            return
        self.counter.tally(chunk, self.source_spikes)
        self._linear = None
        self.active += chunk.active.sum(axis=0, dtype=np.int64)
        for name, events in chunk.range_events.items():
            setattr(self, name, getattr(self, name) + events)
        self.ticks += ticks
        if self.per_tick:
            self._time_ticks(chunk)

    def cycles_of(self, counts: TickCounts) -> tuple[Int64, Int64]:
        """Cycles of every core in every tick, int64 (ticks, cores): for what it received, and for its neurons and what it sent."""
        contract = self.contract
        received = counts.packets_in * contract.spike_in + counts.events.sum(axis=0) * contract.synapse
        neuron = self.neurons * contract.neuron + contract.tick + counts.packets_out * contract.route
        return received, neuron

    def _time_ticks(self, chunk: Chunk) -> None:
        """Cycles of every core in every tick."""
        contract, counts = self.contract, self.counter.per_tick(chunk)
        received, neuron = self.cycles_of(counts)
        farthest = counts.longest_path.sum(axis=1)
        total = received + neuron
        busiest = np.argmax(total, axis=1)
        rows = np.arange(busiest.shape[0])
        self.neuron_cycles += int(neuron[rows, busiest].sum())
        self.synapse_cycles += int(received[rows, busiest].sum())
        self.hop_cycles += int(farthest.sum()) * contract.hop
        self._tick_cycles.append(total[rows, busiest] + farthest * contract.hop)
        self._busiest.append(busiest)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all counters and of the cycles and the slowest core of every tick."""
        counted = ("source_spikes", "active", "left_range", "accumulator_wraps")
        rows = {PER_TICK + "cycles": self.tick_cycles, PER_TICK + "busiest_core": self.busiest_core}
        return {
            **{name: np.array(getattr(self, name), np.int64) for name in (TICKS, *_CRITICAL_PATH, *counted)},
            **(rows if self.per_tick else {}),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        check_arrays(arrays, self.snapshot(), "meter")
        self._linear = None
        for name, array in arrays.items():
            if not name.startswith(PER_TICK):
                setattr(self, name, array.copy() if array.ndim else int(array))
        if self.per_tick:
            self._tick_cycles = [arrays[PER_TICK + "cycles"].copy()]
            self._busiest = [arrays[PER_TICK + "busiest_core"].copy()]

    @property
    def tick_cycles(self) -> Int64:
        """Cycles of every tick so far."""
        return np.concatenate([np.zeros(0, np.int64), *self._tick_cycles])

    @property
    def busiest_core(self) -> Int64:
        """Position of the slowest core in every tick so far."""
        return np.concatenate([np.zeros(0, np.int64), *self._busiest])

    @property
    def linear(self) -> Totals:
        """Everything that follows from how often each source spiked."""
        if self._linear is None:
            self._linear = self.counter.totals(self.source_spikes)
        return self._linear

    def per_core(self) -> dict[str, Int64]:
        """Named counters, int64 (cores,)."""
        linear = self.linear
        return {
            "spikes": linear.spikes,
            "synaptic_events": linear.events.sum(axis=0),
            "packets_in": linear.packets_in,
            "packets_out": linear.packets_out,
            "updates": self.neurons * self.ticks,
        }

    def _core_cycles(self, per_core: Mapping[str, Int64]) -> int:
        """Cycles of all cores together, which need not run at the same time."""
        c = self.contract
        cores = self.neurons.shape[0]
        spikes = int(per_core["packets_in"].sum()) * c.spike_in + int(per_core["synaptic_events"].sum()) * c.synapse
        sent = int(per_core["packets_out"].sum()) * c.route
        return spikes + sent + self.ticks * (int(self.neurons.sum()) * c.neuron + cores * c.tick)

    def events_by_class(self) -> dict[str, int]:
        """Synaptic events over dense, sparse and shared lists."""
        return dict(zip(SYNAPSE_CLASSES, self.linear.events.sum(axis=1).tolist(), strict=True))

    def totals(self) -> dict[str, int]:
        """Named totals for reports."""
        linear, per_core = self.linear, self.per_core()
        return {
            "ticks": self.ticks,
            "spikes": int(linear.spikes.sum()),
            "input_spikes": linear.input_spikes,
            "synaptic_events": int(linear.events.sum()),
            "neuron_updates": int(per_core["updates"].sum()),
            "active_updates": int(self.active.sum()),
            "packets": linear.packets,
            "host_packets": linear.host_packets,
            "hops_east_west": linear.hops_east_west,
            "hops_north_south": linear.hops_north_south,
            "core_cycles": self._core_cycles(per_core),
        }


def energy_terms(meter: CycleMeter) -> tuple[Term, ...]:
    """Which counters cost what; constants are called as in the chip file."""
    totals, events = meter.totals(), meter.events_by_class()
    return (
        Term("neuron updates", "neuron", totals["neuron_updates"], "neuron_update"),
        Term("spikes out", "neuron", totals["spikes"], "spike_out"),
        *(
            Term(f"{name.replace('_', '-')} synapses", "synapse", count, f"synapse_{name}")
            for name, count in events.items()
        ),
        Term("messages", "network", totals["packets"], "message"),
        Term("hops east-west", "network", totals["hops_east_west"], "hop_east_west"),
        Term("hops north-south", "network", totals["hops_north_south"], "hop_north_south"),
    )


def contract(cycles: Mapping[str, Any]) -> Cycles:
    """The contract of a chip file's ``cycles`` section."""
    return Cycles(**{name: int(cycles[name].value) for name in Cycles._fields})
