"""What a Loihi run did and how long it took: exact counters per core, tick times and energy terms for each cost set.

Everything linear in spikes follows after the run from each source's spike count and a static traffic table. Only what needs
the busiest core of a tick is counted per tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cost.estimate import Term
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import PER_TICK, TICKS, check_arrays
from neuroemu.emulator.traffic import TickCounts, Traffic, TrafficCounter

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

SYNAPSE_CLASSES = ("dense", "sparse", "conv")
"""Cost classes of synapses, in the order of the classes of a traffic table; a shared kernel is ``conv``."""


@dataclass(frozen=True)
class Counters:
    """Exact totals of a run; arrays are int64 of shape (cores,).

    ``updates_active`` are compartment updates whose state, input or bias is not zero; ``compartment_ticks`` all updates.
    ``host_packets`` come from outside the chip.
    """

    ticks: int
    compartments: Int64
    compartment_ticks: Int64
    updates_active: Int64
    spikes: Int64
    packets_out: Int64
    packets_in: Int64
    events: Int64  # (classes, cores)
    hops_east_west: int
    hops_north_south: int
    local_packets: int
    host_packets: int
    input_spikes: int
    wraps: Int64
    saturations: Int64

    @property
    def synaptic_events(self) -> int:
        return int(self.events.sum())

    def totals(self) -> dict[str, int]:
        """Named totals for reports."""
        return {
            "ticks": self.ticks,
            "spikes": int(self.spikes.sum()),
            "input_spikes": self.input_spikes,
            "synaptic_events": self.synaptic_events,
            "compartment_updates": int(self.compartment_ticks.sum()),
            "active_updates": int(self.updates_active.sum()),
            "packets": int(self.packets_in.sum()),
            "host_packets": self.host_packets,
            "hops_east_west": self.hops_east_west,
            "hops_north_south": self.hops_north_south,
            "accumulator_wraps": int(self.wraps.sum()),
            "membrane_saturations": int(self.saturations.sum()),
        }


@dataclass(frozen=True)
class TickTimes:
    """Modelled duration of ticks and what it is made of, seconds, float64 of shape (ticks,)."""

    total_s: Float64
    neuron_s: Float64
    message_s: Float64
    network_s: Float64
    barrier_s: Float64
    busiest_core: Int64


class TrafficMeter:
    """Counts a run's events chunk by chunk and, with ``per_tick``, times every tick under each given cost set."""

    def __init__(
        self,
        traffic: Traffic,
        compartments: Int64,
        cost_sets: Mapping[str, Any],
        tiles_used: int,
        per_tick: bool = True,
    ):
        self.traffic = traffic
        self.compartments = np.asarray(compartments, np.int64)
        self.counter = TrafficCounter(traffic, self.compartments.shape[0], len(SYNAPSE_CLASSES))
        self.cost_sets = dict(cost_sets)
        self.tiles_used = tiles_used
        self.per_tick = per_tick
        self.ticks = 0
        self.source_spikes = np.zeros(traffic.start.shape[0] - 1, np.int64)
        self._active = np.zeros(self.compartments.shape[0], np.int64)
        self._range_events = {name: np.zeros_like(self._active) for name in ("wraps", "saturations")}
        self._times: dict[str, list[TickTimes]] = {name: [] for name in self.cost_sets}

    def observe(self, chunk: Chunk) -> None:
        """Add one chunk."""
        ticks = chunk.last_tick - chunk.first_tick
        if ticks == 0:
            return
        self.counter.tally(chunk, self.source_spikes)
        self._active += chunk.active.sum(axis=0, dtype=np.int64)
        for name, events in chunk.range_events.items():
            self._range_events[name] += events
        self.ticks += ticks
        if not self.per_tick:
            return
        counts = self.counter.per_tick(chunk)
        for name, cost_set in self.cost_sets.items():
            self._times[name].append(tick_times(counts, self.compartments, chunk.active, cost_set, self.tiles_used))

    def counters(self) -> Counters:
        """Totals of everything observed so far."""
        totals = self.counter.totals(self.source_spikes)
        return Counters(
            ticks=self.ticks,
            compartments=self.compartments,
            compartment_ticks=self.compartments * self.ticks,
            updates_active=self._active.copy(),
            spikes=totals.spikes,
            packets_out=totals.packets_out,
            packets_in=totals.packets_in,
            events=totals.events,
            hops_east_west=totals.hops_east_west,
            hops_north_south=totals.hops_north_south,
            local_packets=totals.local_packets,
            host_packets=totals.host_packets,
            input_spikes=totals.input_spikes,
            wraps=self._range_events["wraps"].copy(),
            saturations=self._range_events["saturations"].copy(),
        )

    def times(self, cost_set: str) -> TickTimes:
        """Durations of all ticks observed so far under ``cost_set``."""
        parts = self._times[cost_set]
        empty = (np.zeros(0),) * 5 + (np.zeros(0, np.int64),)
        if not parts:
            return TickTimes(*empty)
        rows = [(p.total_s, p.neuron_s, p.message_s, p.network_s, p.barrier_s, p.busiest_core) for p in parts]
        return TickTimes(*(np.concatenate(column) for column in zip(*rows, strict=True)))

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of all counters and of the times of every tick."""
        counted = {"source_spikes": self.source_spikes, "active": self._active, **self._range_events}
        return {
            TICKS: np.array(self.ticks, np.int64),
            **{name: array.copy() for name, array in counted.items()},
            **{
                f"{PER_TICK}{cost_set}.{column}": rows
                for cost_set in (self.cost_sets if self.per_tick else ())
                for column, rows in vars(self.times(cost_set)).items()
            },
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        check_arrays(arrays, self.snapshot(), "meter")
        self.ticks = int(arrays[TICKS])
        self.source_spikes, self._active = arrays["source_spikes"].copy(), arrays["active"].copy()
        self._range_events = {name: arrays[name].copy() for name in self._range_events}
        for cost_set in self.cost_sets if self.per_tick else ():
            columns = (item.name for item in fields(TickTimes))
            rows = TickTimes(*(arrays[f"{PER_TICK}{cost_set}.{column}"].copy() for column in columns))
            self._times[cost_set] = [rows] if self.ticks else []


def tick_times(
    counts: TickCounts, compartments: Int64, active: NDArray[np.int32], cost_set: Any, tiles_used: int
) -> TickTimes:
    """Duration of every tick under the rule that the cost set names.

    Args:
        compartments: (cores,).
        active: (ticks, cores) compartments not at rest.
    """
    time_s = {key: quantity.value for key, quantity in cost_set.time.items()}
    if cost_set.rules.tick_time == "slowest_core":
        return _slowest_core(counts, compartments, active, time_s, tiles_used)
    return _separate_maxima(counts, compartments, time_s, cost_set, tiles_used)


def _slowest_core(
    counts: TickCounts, compartments: Int64, active: NDArray[np.int32], time_s: Mapping[str, float], tiles_used: int
) -> TickTimes:
    """Davies 2018, Table 2: per core, updates and synaptic operations one after the other; then the farthest packet, then
    the barrier, published for 1 and for 32 tiles and interpolated between them."""
    inactive = compartments[None, :] - active
    neuron = active * time_s["neuron_update_active"] + inactive * time_s["neuron_update_inactive"]
    synapse = counts.events.sum(axis=0) * time_s["synaptic_operation"]
    busiest = np.argmax(neuron + synapse, axis=1)
    rows = np.arange(busiest.shape[0])
    network = (
        counts.longest_path[:, 0] * time_s["hop_east_west"]
        + counts.longest_path[:, 1] * time_s["hop_north_south"]
        + np.where(counts.packets_in.sum(axis=1) > 0, time_s["spike_within_tile"], 0.0)
    )
    span = (time_s["barrier_max"] - time_s["barrier_min"]) / 31
    barrier = np.full(rows.shape[0], time_s["barrier_min"] + span * (min(max(tiles_used, 1), 32) - 1))
    neuron_s, message_s = neuron[rows, busiest], synapse[rows, busiest]
    return TickTimes(neuron_s + message_s + network + barrier, neuron_s, message_s, network, barrier, busiest)


def _separate_maxima(
    counts: TickCounts, compartments: Int64, time_s: Mapping[str, float], cost_set: Any, tiles_used: int
) -> TickTimes:
    """SANA-FE 2.2.9 timing model ``simple``: the slower of neuron and message processing, each at its own busiest core,
    plus a synchronisation step that depends on the tiles in use. Every compartment is updated in every tick."""
    neuron = (
        compartments[None, :] * (time_s["neuron_access"] + time_s["neuron_update"])
        + counts.spikes * time_s["spike_out"]
        + counts.packets_out * time_s["message_out"]
    )
    message = counts.packets_in * time_s["message_in"]
    for number, synapse_class in enumerate(SYNAPSE_CLASSES):
        message = message + counts.events[number] * time_s[f"synapse_{synapse_class}"]
    neuron_s, message_s = neuron.max(axis=1), message.max(axis=1)
    slower = np.where(neuron_s >= message_s, np.argmax(neuron, axis=1), np.argmax(message, axis=1))
    barrier = np.full(neuron_s.shape[0], _sync_step(cost_set, tiles_used))
    total = np.maximum(neuron_s, message_s) + barrier
    return TickTimes(total, neuron_s, message_s, np.zeros_like(total), barrier, slower)


def _sync_step(cost_set: Any, tiles_used: int) -> float:
    """Largest table entry whose tile count does not exceed the tiles in use."""
    reached = [step for step in cost_set.time.sync_table if step.tiles <= max(tiles_used, 1)]
    return float(max(reached, key=lambda step: step.tiles).time.value)


def energy_terms(counters: Counters, cost_set: Any) -> tuple[Term, ...]:
    """Which counters cost what under the rule that the cost set names; constants are called as in the chip file."""
    model = {"active_or_inactive": _active_or_inactive_terms, "access_plus_update": _access_plus_update_terms}
    return model[cost_set.rules.neuron_update](counters)


def _active_or_inactive_terms(counters: Counters) -> tuple[Term, ...]:
    active = int(counters.updates_active.sum())
    return (
        Term("neuron updates, active", "neuron", active, "neuron_update_active"),
        Term(
            "neuron updates, inactive",
            "neuron",
            int(counters.compartment_ticks.sum()) - active,
            "neuron_update_inactive",
        ),
        Term("synaptic operations", "synapse", counters.synaptic_events, "synaptic_operation"),
        Term("spikes within a tile", "network", counters.local_packets, "spike_within_tile"),
        Term("hops east-west", "network", counters.hops_east_west, "hop_east_west"),
        Term("hops north-south", "network", counters.hops_north_south, "hop_north_south"),
    )


def _access_plus_update_terms(counters: Counters) -> tuple[Term, ...]:
    updates = int(counters.compartment_ticks.sum())
    classes = counters.events.sum(axis=1)
    return (
        Term("neuron accesses", "neuron", updates, "neuron_access"),
        Term("neuron updates", "neuron", updates, "neuron_update"),
        Term("spikes out", "neuron", int(counters.spikes.sum()), "spike_out"),
        *(
            Term(f"{label} synapses", "synapse", int(classes[number]), f"synapse_{label}")
            for number, label in enumerate(SYNAPSE_CLASSES)
        ),
        Term("messages", "network", int(counters.packets_in.sum()) - counters.host_packets, "message_out"),
        Term("messages from the host (not in the chip's total)", "io", counters.host_packets, "message_out"),
        Term("hops east-west", "network", counters.hops_east_west, "hop_east_west"),
        Term("hops north-south", "network", counters.hops_north_south, "hop_north_south"),
    )
