"""Packets counted in one pass, in two, per tick and in total: always as one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator import traffic
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.traffic import Traffic, TrafficCounter
from neuroemu.noc.mesh import Mesh

CORES, CLASSES, TICKS, FIRST = 4, 3, 5, 7


def random_case(seed: int) -> tuple[Traffic, Chunk]:
    """Two host sources and neurons on some of four cores, any packets; spikes in five ticks."""
    rng = np.random.default_rng(seed)
    home = np.concatenate([[-1, -1], np.repeat(np.arange(CORES), rng.integers(0, 4, CORES))]).astype(np.int64)
    sources = home.shape[0]
    start = np.concatenate([[0], np.cumsum(rng.integers(0, 5, sources))]).astype(np.int64)
    packets = int(start[-1])
    columns = (rng.integers(0, high, packets).astype(np.int64) for high in (CORES, 9, CLASSES, 5, 5))
    silent = home < 0
    silent[2:] = rng.random(sources - 2) < 0.2
    given_start = np.concatenate([[0], np.cumsum(rng.integers(0, 4, TICKS))]).astype(np.int64)
    spike_tick = np.sort(rng.integers(FIRST, FIRST + TICKS, 12)).astype(np.int32)
    return Traffic(start, *columns, home, silent), Chunk(
        first_tick=FIRST,
        last_tick=FIRST + TICKS,
        input_start=given_start,
        input_source=rng.integers(0, 2, given_start[-1]).astype(np.int32),
        spike_tick=spike_tick[: 12 if sources > 2 else 0],
        spike_source=rng.integers(min(2, sources - 1), sources, 12 if sources > 2 else 0).astype(np.int32),
        active=np.zeros((TICKS, CORES), np.int32),
        range_events={},
        probes={},
    )


def one_by_one(table: Traffic, chunk: Chunk) -> dict[str, Any]:
    shape = TICKS, CORES
    spikes, packets_in, packets_out = (np.zeros(shape, int) for _ in range(3))
    events, longest = np.zeros((CLASSES, *shape), int), np.zeros((TICKS, 2), int)
    sent = [
        (tick, int(source))
        for tick in range(TICKS)
        for source in chunk.input_source[slice(*chunk.input_start[tick : tick + 2])]
    ]
    sent += [
        (int(tick) - FIRST, int(source)) for tick, source in zip(chunk.spike_tick, chunk.spike_source, strict=True)
    ]
    for tick, source in sent:
        home = table.home[source]
        if home >= 0:
            spikes[tick, home] += not table.silent[source]
        for packet in range(table.start[source], table.start[source + 1]):
            packets_in[tick, table.core[packet]] += 1
            events[table.synapse_class[packet], tick, table.core[packet]] += table.synapses[packet]
            if home >= 0:
                packets_out[tick, home] += 1
            path = table.hops_east_west[packet], table.hops_north_south[packet]
            if sum(path) > longest[tick].sum():
                longest[tick] = path
    return {
        "spikes": spikes,
        "packets_in": packets_in,
        "packets_out": packets_out,
        "events": events,
        "longest_path": longest,
    }


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_counts_per_tick_are_those_of_every_packet(seed: int, crowded: bool) -> None:
    """A tick that could overflow the halves of a word is counted in two passes."""
    table, chunk = random_case(seed)
    with pytest.MonkeyPatch.context() as patch:
        if crowded:
            patch.setattr(traffic, "_PACKETS_MOST", 1)
        counts = TrafficCounter(table, CORES, CLASSES).per_tick(chunk)
    for name, expected in one_by_one(table, chunk).items():
        assert np.array_equal(getattr(counts, name), expected), name


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_totals_are_the_sums_over_ticks(seed: int) -> None:
    table, chunk = random_case(seed)
    counter = TrafficCounter(table, CORES, CLASSES)
    source_spikes = np.zeros(table.home.shape[0], np.int64)
    counter.tally(chunk, source_spikes)
    totals, counts = counter.totals(source_spikes), one_by_one(table, chunk)
    for name in ("spikes", "packets_in", "packets_out"):
        assert np.array_equal(getattr(totals, name), counts[name].sum(axis=0)), name
    assert np.array_equal(totals.events, counts["events"].sum(axis=1))
    assert totals.packets == counts["packets_in"].sum()
    assert totals.host_packets == totals.packets - counts["packets_out"].sum()
    packets = np.repeat(source_spikes, np.diff(table.start))
    assert totals.hops_east_west == (packets * table.hops_east_west).sum()
    assert totals.hops_north_south == (packets * table.hops_north_south).sum()
    home = np.repeat(table.home, np.diff(table.start))
    assert totals.local_packets == packets[(table.hops_east_west + table.hops_north_south == 0) & (home >= 0)].sum()
    assert totals.input_spikes == source_spikes[table.silent | (table.home < 0)].sum()


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_mesh_carries_what_neurons_send(seed: int) -> None:
    table, chunk = random_case(seed)
    counter = TrafficCounter(table, CORES, CLASSES)
    source_spikes = np.zeros(table.home.shape[0], np.int64)
    counter.tally(chunk, source_spikes)
    mesh, numbers = Mesh(columns=2, rows=2, cores_per_tile=2, tile_order="row_major"), (0, 3, 5, 6)
    home = np.repeat(table.home, np.diff(table.start))
    number = np.array(numbers)
    packets = np.repeat(source_spikes, np.diff(table.start))[home >= 0]
    expected = mesh.carried(number[home[home >= 0]], number[table.core[home >= 0]], packets)
    assert counter.carried(source_spikes, numbers, mesh) == expected
