"""Which packets every spike sends, and exact counts of what they do: in total from how often each source spiked, per tick on
request.

A packet is booked in the tick in which its spike is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.delivery import Links, SynapseLists
from neuroemu.emulator.protocol import Chunk
from neuroemu.noc.mesh import Mesh

Int64 = NDArray[np.int64]

_SYNAPSE_BITS = 40
"""Low bits of a cell that count synaptic events while the rest counts packets."""
_PACKETS_MOST = 1 << (63 - _SYNAPSE_BITS)
_EVENTS_MOST = 1 << _SYNAPSE_BITS


class Traffic(NamedTuple):
    """Static table: which packets a spike of each source sends, CSR by source (host sources first, then neurons)."""

    start: Int64  # (sources + 1,)
    core: Int64  # destination, position of the core in the program
    synapses: Int64
    synapse_class: Int64
    hops_east_west: Int64
    hops_north_south: Int64
    home: Int64  # (sources,) core of the source, -1 outside the chip
    silent: NDArray[np.bool_]  # (sources,) a source that is no neuron: costs nothing but its packets


def traffic_of(links: Links, lists: SynapseLists, core_numbers: tuple[int, ...], sizes: Int64, mesh: Mesh) -> Traffic:
    """One packet per link of a loaded program; packets from the host enter the mesh without hops.

    Args:
        core_numbers: of the program's cores on the chip.
        sizes: neurons of every core, (cores,).
    """
    hosts = links.sources - int(sizes.sum())
    home = np.concatenate([np.full(hosts, -1), np.repeat(np.arange(sizes.shape[0]), sizes)]).astype(np.int64)
    sender = np.repeat(home, np.diff(links.link_start))
    on_chip, number = sender >= 0, np.array(core_numbers, np.int64)
    east_west, north_south = np.zeros_like(sender), np.zeros_like(sender)
    east_west[on_chip], north_south[on_chip] = mesh.hops(
        number[sender[on_chip]], number[links.destination_core[on_chip]]
    )
    return Traffic(
        start=links.link_start,
        core=links.destination_core,
        synapses=np.diff(lists.list_start)[links.synapse_list],
        synapse_class=lists.list_class[links.synapse_list].astype(np.int64),
        hops_east_west=east_west,
        hops_north_south=north_south,
        home=home,
        silent=home < 0,
    )


@dataclass(frozen=True)
class Totals:
    """What a run's spikes did; arrays are int64 of shape (cores,), ``events`` (classes, cores).

    ``local_packets`` stay within a tile, ``host_packets`` come from outside; ``input_spikes`` are those of silent sources.
    """

    spikes: Int64
    packets_in: Int64
    packets_out: Int64
    events: Int64
    packets: int
    local_packets: int
    host_packets: int
    hops_east_west: int
    hops_north_south: int
    input_spikes: int


@dataclass(frozen=True)
class TickCounts:
    """Events per tick and core, int64 (ticks, cores); ``events`` (classes, ticks, cores); ``longest_path`` (ticks, 2) are the
    east-west and north-south hops of the farthest packet."""

    spikes: Int64
    packets_in: Int64
    packets_out: Int64
    events: Int64
    longest_path: Int64


@dataclass(frozen=True)
class TrafficCounter:
    """Counts for ``cores`` cores and ``classes`` classes of synapses."""

    traffic: Traffic
    cores: int
    classes: int

    def tally(self, chunk: Chunk, source_spikes: Int64) -> None:
        """Add a chunk's spikes, from outside and of neurons, to ``source_spikes`` (sources,)."""
        _tally(chunk.input_source, source_spikes)
        _tally(chunk.spike_source, source_spikes)

    def totals(self, source_spikes: Int64) -> Totals:
        """Everything that is linear in spikes, in one pass over the table."""
        per_core = np.zeros((3, self.cores), np.int64)
        events = np.zeros((self.classes, self.cores), np.int64)
        single = np.zeros(6, np.int64)
        _count_totals(self.traffic, source_spikes, per_core, events, single)
        spikes, packets_in, packets_out = per_core
        return Totals(spikes, packets_in, packets_out, events, *single.tolist())

    def carried(self, source_spikes: Int64, core_numbers: tuple[int, ...], mesh: Mesh) -> dict[str, Any]:
        """What the mesh carried, see :meth:`Mesh.carried`; packets from the host enter it without hops."""
        home, core, packets = self._flows(source_spikes)
        number = np.array(core_numbers, np.int64)
        return mesh.carried(number[home], number[core], packets)

    def _flows(self, source_spikes: Int64) -> tuple[Int64, Int64, Int64]:
        """(home core, destination core, packets) of all pairs of cores between which packets went; neurons are numbered core
        after core."""
        homes = np.flatnonzero(np.bincount(self.traffic.home[self.traffic.home >= 0], minlength=self.cores))
        most = min(self.traffic.core.shape[0], homes.shape[0] * self.cores)
        flow = np.empty((3, most), np.int64)
        count = _count_flows(self.traffic, source_spikes, np.zeros(self.cores, np.int64), flow)
        return flow[0, :count], flow[1, :count], flow[2, :count]

    def per_tick(self, chunk: Chunk) -> TickCounts:
        """Events of every tick of a chunk."""
        ticks = chunk.last_tick - chunk.first_tick
        input_tick = np.repeat(np.arange(ticks, dtype=np.int32), np.diff(chunk.input_start))
        spikes, packets_out = np.zeros((ticks, self.cores), np.int64), np.zeros((ticks, self.cores), np.int64)
        longest = np.zeros((ticks, 2), np.int64)
        for tick, first, source in (
            (input_tick, 0, chunk.input_source),
            (chunk.spike_tick, chunk.first_tick, chunk.spike_source),
        ):
            _count_sources(self.traffic, self._paths, tick, first, source, spikes, packets_out, longest)
        packets_in, events = self._received(chunk, input_tick)
        shape = (ticks, self.classes, self.cores)
        return TickCounts(
            spikes=spikes,
            packets_in=packets_in.reshape(shape).sum(axis=1),
            packets_out=packets_out,
            events=events.reshape(shape).transpose(1, 0, 2),
            longest_path=longest,
        )

    def _received(self, chunk: Chunk, input_tick: NDArray[np.int32]) -> tuple[Int64, Int64]:
        """Packets and synaptic events, (ticks, cells) each: both in one word where a tick's counts fit it, else in two passes."""
        ticks, cells = chunk.last_tick - chunk.first_tick, self.classes * self.cores
        in_a_tick = int(np.diff(chunk.input_start).max(initial=0)) + self.traffic.home.shape[0]
        both = in_a_tick * self._most_packets < _PACKETS_MOST and in_a_tick * self._most_events < _EVENTS_MOST

        def booked(per_packet: int, per_synapse: int) -> Int64:
            counts = np.zeros((ticks, cells), np.int64)
            for tick, first, source in (
                (input_tick, 0, chunk.input_source),
                (chunk.spike_tick, chunk.first_tick, chunk.spike_source),
            ):
                _book(
                    self.traffic.start,
                    self._entries,
                    tick,
                    first,
                    source,
                    self._synapse_bits,
                    per_packet,
                    per_synapse,
                    counts,
                )
            return counts

        if both:
            counts = booked(_EVENTS_MOST, 1)
            return counts >> _SYNAPSE_BITS, counts & (_EVENTS_MOST - 1)
        return booked(1, 0), booked(0, 1)

    @cached_property
    def _entries(self) -> NDArray[np.unsignedinteger[Any]]:
        """Synapses in the low ``_synapse_bits`` of a word, cell (class and core) above, for every packet; 32 bits if they do."""
        cell = self.traffic.synapse_class * self.cores + self.traffic.core
        word = cell << self._synapse_bits | self.traffic.synapses
        return word.astype(np.uint32 if int(word.max(initial=0)) < 1 << 32 else np.uint64)

    @cached_property
    def _synapse_bits(self) -> int:
        return int(self.traffic.synapses.max(initial=1)).bit_length()

    @cached_property
    def _paths(self) -> Int64:
        """East-west and north-south hops of the farthest packet of every source, int64 (sources, 2)."""
        paths = np.zeros((self.traffic.home.shape[0], 2), np.int64)
        _find_longest(self.traffic, paths)
        return paths

    @cached_property
    def _most_packets(self) -> int:
        return int(np.diff(self.traffic.start).max(initial=0))

    @cached_property
    def _most_events(self) -> int:
        """Synapses of the source that has most."""
        ends = np.concatenate([[0], np.cumsum(self.traffic.synapses)])[self.traffic.start]
        return int(np.diff(ends).max(initial=0))


@njit
def _tally(sources: Any, counts: Any) -> None:
    for spike in range(sources.shape[0]):
        counts[sources[spike]] += 1


@njit
def _count_totals(traffic: Traffic, source_spikes: Any, per_core: Any, events: Any, single: Any) -> None:
    """Fill spikes, packets in, packets out per core; events per class and core; the numbers of ``Totals`` from ``packets`` on."""
    for source in range(source_spikes.shape[0]):
        spikes, home = source_spikes[source], traffic.home[source]
        packets = spikes * (traffic.start[source + 1] - traffic.start[source])
        single[0] += packets
        if home >= 0:
            per_core[2, home] += packets
        else:
            single[2] += packets
        if home >= 0 and not traffic.silent[source]:
            per_core[0, home] += spikes
        else:
            single[5] += spikes
        if spikes == 0:
            continue
        for packet in range(traffic.start[source], traffic.start[source + 1]):
            core = traffic.core[packet]
            per_core[1, core] += spikes
            events[traffic.synapse_class[packet], core] += spikes * traffic.synapses[packet]
            east_west, north_south = traffic.hops_east_west[packet], traffic.hops_north_south[packet]
            single[1] += spikes if home >= 0 and east_west + north_south == 0 else 0
            single[3] += spikes * east_west
            single[4] += spikes * north_south


@njit
def _count_flows(traffic: Traffic, source_spikes: Any, row: Any, flow: Any) -> int:
    """Fill ``flow`` home core by home core; ``row`` (cores,) is room for one. Returns how many."""
    count = 0
    sources = source_spikes.shape[0]
    source = 0
    while source < sources:
        home = traffic.home[source]
        row[:] = 0
        while source < sources and traffic.home[source] == home:
            for packet in range(traffic.start[source], traffic.start[source + 1]):
                row[traffic.core[packet]] += source_spikes[source]
            source += 1
        if home < 0:
            continue
        for core in range(row.shape[0]):
            if row[core] > 0:
                flow[0, count], flow[1, count], flow[2, count] = home, core, row[core]
                count += 1
    return count


@njit
def _find_longest(traffic: Traffic, paths: Any) -> None:
    for source in range(paths.shape[0]):
        for packet in range(traffic.start[source], traffic.start[source + 1]):
            east_west, north_south = traffic.hops_east_west[packet], traffic.hops_north_south[packet]
            if east_west + north_south > paths[source, 0] + paths[source, 1]:
                paths[source, 0], paths[source, 1] = east_west, north_south


@njit
def _count_sources(
    traffic: Traffic,
    paths: Any,
    spike_tick: Any,
    first_tick: int,
    spike_source: Any,
    spikes: Any,
    packets_out: Any,
    longest: Any,
) -> None:
    """What a spike does where it is sent."""
    start, home, silent = traffic.start, traffic.home, traffic.silent
    for spike in range(spike_tick.shape[0]):
        tick, source = spike_tick[spike] - first_tick, spike_source[spike]
        if home[source] >= 0:
            spikes[tick, home[source]] += not silent[source]
            packets_out[tick, home[source]] += start[source + 1] - start[source]
        if paths[source, 0] + paths[source, 1] > longest[tick, 0] + longest[tick, 1]:
            longest[tick, 0], longest[tick, 1] = paths[source, 0], paths[source, 1]


@njit
def _book(
    start: Any,
    entries: Any,
    spike_tick: Any,
    first_tick: int,
    spike_source: Any,
    synapse_bits: int,
    per_packet: int,
    per_synapse: int,
    counts: Any,
) -> None:
    """What a spike does where it is received; ``per_packet`` is what a packet adds to a cell, ``per_synapse`` 1 or 0."""
    cells = counts.shape[1]
    flat = counts.reshape(counts.size).view(np.uint64)
    packet_word, bits = np.uint64(per_packet), np.uint64(synapse_bits)
    mask = (np.uint64(1) << bits) - np.uint64(1) if per_synapse else np.uint64(0)
    for spike in range(spike_tick.shape[0]):
        row = np.uint64((spike_tick[spike] - first_tick) * cells)
        source = spike_source[spike]
        for packet in range(np.uint64(start[source]), np.uint64(start[source + 1])):
            entry = np.uint64(entries[packet])
            flat[row + (entry >> bits)] += packet_word + (entry & mask)
