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
from neuroemu.emulator.compiled import njit
from neuroemu.emulator.counting import count_spikes
from neuroemu.emulator.delivery import SYNAPSE_CLASSES
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import PER_TICK, TICKS, check_arrays

Int64 = NDArray[np.int64]


class Traffic(NamedTuple):
    """Static table: which packets a spike of each source sends, CSR by source (host sources first, then neurons)."""

    start: Int64  # (sources + 1,)
    core: Int64  # destination, position of the core in the program
    synapses: Int64
    synapse_class: Int64
    hops_east_west: Int64
    hops_north_south: Int64
    home: Int64  # (sources,) core of the source, -1 for a host source


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
        self.per_tick = per_tick
        self.ticks = 0
        self.source_spikes = np.zeros(traffic.start.shape[0] - 1, np.int64)
        self.active = np.zeros_like(self.neurons)
        self.left_range = np.zeros_like(self.neurons)
        self._tick_cycles: list[Int64] = []
        self._busiest: list[Int64] = []
        self._linear: tuple[Int64, Int64, Int64] | None = None
        self.neuron_cycles = self.synapse_cycles = self.hop_cycles = 0

    def observe(self, chunk: Chunk) -> None:
        """Add one chunk."""
        ticks = chunk.last_tick - chunk.first_tick
        if ticks == 0:
            return
        count_spikes(chunk, self.source_spikes)
        self._linear = None
        self.active += chunk.active.sum(axis=0, dtype=np.int64)
        for events in chunk.range_events.values():
            self.left_range += events
        self.ticks += ticks
        if self.per_tick:
            self._time_ticks(chunk, ticks)

    def _time_ticks(self, chunk: Chunk, ticks: int) -> None:
        """Cycles of every core in every tick."""
        cores = self.neurons.shape[0]
        received, sent = np.zeros((ticks, cores), np.int64), np.zeros((ticks, cores), np.int64)
        farthest = np.zeros(ticks, np.int64)
        input_tick = np.repeat(np.arange(ticks, dtype=np.int32), np.diff(chunk.input_start))
        costs = self.contract.spike_in, self.contract.synapse
        _count(self.traffic, input_tick, 0, chunk.input_source, *costs, received, sent, farthest)
        _count(self.traffic, chunk.spike_tick, chunk.first_tick, chunk.spike_source, *costs, received, sent, farthest)
        neuron = self.neurons * self.contract.neuron + self.contract.tick + sent * self.contract.route
        total = received + neuron
        busiest = np.argmax(total, axis=1)
        rows = np.arange(ticks)
        self.neuron_cycles += int(neuron[rows, busiest].sum())
        self.synapse_cycles += int(received[rows, busiest].sum())
        self.hop_cycles += int(farthest.sum()) * self.contract.hop
        self._tick_cycles.append(total[rows, busiest] + farthest * self.contract.hop)
        self._busiest.append(busiest)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all counters and of the cycles and the slowest core of every tick."""
        counted = ("source_spikes", "active", "left_range")
        return {
            **{name: np.array(getattr(self, name), np.int64) for name in (TICKS, *_CRITICAL_PATH, *counted)},
            PER_TICK + "cycles": self.tick_cycles,
            PER_TICK + "busiest_core": self.busiest_core,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        check_arrays(arrays, self.snapshot(), "meter")
        self._linear = None
        for name, array in arrays.items():
            if not name.startswith(PER_TICK):
                setattr(self, name, array.copy() if array.ndim else int(array))
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
    def packets(self) -> Int64:
        """Packets over every entry of the traffic table."""
        return np.repeat(self.source_spikes, np.diff(self.traffic.start))

    def per_core(self) -> dict[str, Int64]:
        """Named counters, int64 (cores,)."""
        columns, _, _ = self._counted()
        names = "spikes", "synaptic_events", "packets_in", "packets_out"
        return {**dict(zip(names, columns, strict=True)), "updates": self.neurons * self.ticks}

    def _counted(self) -> tuple[Int64, Int64, Int64]:
        """Everything that follows from how often each source spiked, in one pass: four rows per core, synaptic events by class,
        and hops east-west, north-south, packets, packets from the host."""
        if self._linear is None:
            self._linear = np.zeros((4, self.neurons.shape[0]), np.int64), np.zeros(3, np.int64), np.zeros(4, np.int64)
            _count_linear(self.traffic, self.source_spikes, *self._linear)
        return self._linear

    def _core_cycles(self, per_core: Mapping[str, Int64]) -> int:
        """Cycles of all cores together, which need not run at the same time."""
        c = self.contract
        cores = self.neurons.shape[0]
        spikes = int(per_core["packets_in"].sum()) * c.spike_in + int(per_core["synaptic_events"].sum()) * c.synapse
        sent = int(per_core["packets_out"].sum()) * c.route
        return spikes + sent + self.ticks * (int(self.neurons.sum()) * c.neuron + cores * c.tick)

    def events_by_class(self) -> dict[str, int]:
        """Synaptic events over dense, sparse and shared lists."""
        return dict(zip(SYNAPSE_CLASSES, self._counted()[1].tolist(), strict=True))

    def totals(self) -> dict[str, int]:
        """Named totals for reports."""
        per_core = self.per_core()
        east_west, north_south, packets, host_packets = self._counted()[2].tolist()
        return {
            "ticks": self.ticks,
            "spikes": int(per_core["spikes"].sum()),
            "input_spikes": int(self.source_spikes[self.traffic.home < 0].sum()),
            "synaptic_events": int(per_core["synaptic_events"].sum()),
            "neuron_updates": int(per_core["updates"].sum()),
            "active_updates": int(self.active.sum()),
            "packets": packets,
            "host_packets": host_packets,
            "hops_east_west": east_west,
            "hops_north_south": north_south,
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


@njit
def _count(
    traffic: Traffic,
    spike_tick: Any,
    first_tick: int,
    spike_source: Any,
    per_spike: int,
    per_synapse: int,
    received: Any,
    sent: Any,
    farthest: Any,
) -> None:
    """Add the cycles of spikes to the cores that receive them (ticks, cores), packets to those that send them."""
    start, core, synapses, home = traffic.start, traffic.core, traffic.synapses, traffic.home
    east_west, north_south = traffic.hops_east_west, traffic.hops_north_south
    for spike in range(spike_tick.shape[0]):
        tick, source = spike_tick[spike] - first_tick, spike_source[spike]
        first, last = start[source], start[source + 1]
        if home[source] >= 0:
            sent[tick, home[source]] += last - first
        for packet in range(first, last):
            received[tick, core[packet]] += per_spike + synapses[packet] * per_synapse
            farthest[tick] = max(farthest[tick], east_west[packet] + north_south[packet])


@njit
def _count_linear(traffic: Traffic, source_spikes: Any, per_core: Any, by_class: Any, totals: Any) -> None:
    """Add everything that is linear in spikes; see ``CycleMeter._counted``."""
    start, core, synapses, synapse_class = traffic.start, traffic.core, traffic.synapses, traffic.synapse_class
    for source in range(source_spikes.shape[0]):
        spikes, home = source_spikes[source], traffic.home[source]
        packets = spikes * (start[source + 1] - start[source])
        totals[2] += packets
        if home >= 0:
            per_core[0, home] += spikes
            per_core[3, home] += packets
        else:
            totals[3] += packets
        for packet in range(start[source], start[source + 1]):
            events = spikes * synapses[packet]
            per_core[1, core[packet]] += events
            per_core[2, core[packet]] += spikes
            by_class[synapse_class[packet]] += events
            totals[0] += spikes * traffic.hops_east_west[packet]
            totals[1] += spikes * traffic.hops_north_south[packet]
