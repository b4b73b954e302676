"""Counters are exact, tick times follow the rule a cost set names, and chunks leave no trace in either."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.traffic import Traffic
from neuroemu.families.loihi.timing import Counters, TrafficMeter, energy_terms
from neuroemu.spec import load_chip

LOIHI1 = load_chip("loihi1")
DAVIES, SANAFE = "davies2018", "sanafe2025"
NS, PJ = 1e-9, 1e-12


def traffic(packets: list[tuple[int, int, int, int, int, int]], home: list[int]) -> Traffic:
    """Packets (source, core, synapses, class, east-west hops, north-south hops); ``home`` -1 is the host."""
    rows = np.array(sorted(packets), np.int64).reshape(-1, 6)
    homes = np.array(home, np.int64)
    start = np.searchsorted(rows[:, 0], np.arange(homes.size + 1)).astype(np.int64)
    columns = (np.ascontiguousarray(rows[:, column]) for column in range(1, 6))
    return Traffic(start, *columns, homes, homes < 0)


def chunk(
    spikes: list[tuple[int, int]],
    first: int,
    last: int,
    inputs: int,
    active: Any,
    events: tuple[Any, Any] | None = None,
) -> Chunk:
    """Ticks ``first..last-1`` with (tick, source) spikes; sources below ``inputs`` come from the host."""
    inside = sorted(spike for spike in spikes if first <= spike[0] < last)
    host = [spike for spike in inside if spike[1] < inputs]
    own = [spike for spike in inside if spike[1] >= inputs]
    activity = np.asarray(active, np.int32)
    zeros = np.zeros(activity.shape[1], np.int64)
    wraps, saturations = events or (zeros, zeros)
    return Chunk(
        first_tick=first,
        last_tick=last,
        input_start=np.searchsorted([tick for tick, _ in host], np.arange(first, last + 1)).astype(np.int64),
        input_source=np.array([source for _, source in host], np.int32),
        spike_tick=np.array([tick for tick, _ in own], np.int32),
        spike_source=np.array([source for _, source in own], np.int32),
        active=activity,
        range_events={"wraps": np.asarray(wraps, np.int64), "saturations": np.asarray(saturations, np.int64)},
        probes={},
    )


def meter(table: Traffic, compartments: list[int], tiles: int = 1) -> TrafficMeter:
    return TrafficMeter(table, np.array(compartments), LOIHI1.cost_sets, tiles)


def energy_j(counters: Counters, name: str, constants: set[str] | None = None) -> float:
    cost_set = LOIHI1.cost_sets[name]
    return sum(
        term.count * float(cost_set.energy[term.constant].value)
        for term in energy_terms(counters, cost_set)
        if constants is None or term.constant in constants
    )


# ------------------------------------------------------------------------------------------------ facts of Davies 2018


def test_an_idle_tick_of_a_full_chip_costs_6_82_microjoule() -> None:
    full = meter(traffic([], [0]), [1024] * 128, tiles=32)
    full.observe(chunk([], 0, 1, 0, np.zeros((1, 128))))
    assert energy_j(full.counters(), DAVIES) == pytest.approx(131_072 * 52 * PJ, rel=1e-12)
    assert round(energy_j(full.counters(), DAVIES) * 1e6, 2) == 6.82


def test_a_spike_from_corner_to_corner_costs_33_picojoule() -> None:

    east_west, north_south = LOIHI1.structure.mesh.hops(np.array([0]), np.array([127]))
    assert (int(east_west[0]), int(north_south[0])) == (7, 3)
    corner = meter(traffic([(0, 1, 0, 0, 7, 3)], [0, 1]), [1, 1], tiles=2)
    corner.observe(chunk([(0, 0)], 0, 1, 0, np.zeros((1, 2))))
    wires = {"spike_within_tile", "hop_east_west", "hop_north_south"}
    assert energy_j(corner.counters(), DAVIES, wires) == pytest.approx(33 * PJ, rel=1e-12)


def test_a_spike_within_its_tile_costs_1_7_picojoule_and_no_hop() -> None:
    local = meter(traffic([(0, 1, 0, 0, 0, 0)], [0, 1]), [1, 1])
    local.observe(chunk([(0, 0)], 0, 1, 0, np.zeros((1, 2))))
    wires = {"spike_within_tile", "hop_east_west", "hop_north_south"}
    assert energy_j(local.counters(), DAVIES, wires) == pytest.approx(1.7 * PJ, rel=1e-12)


def test_a_compartment_pays_either_the_active_or_the_inactive_update_never_both() -> None:
    both = meter(traffic([], [0]), [10])
    both.observe(chunk([], 0, 2, 0, [[3], [0]]))
    assert energy_j(both.counters(), DAVIES) == pytest.approx((3 * 81 + 17 * 52) * PJ, rel=1e-12)


def test_packets_of_the_host_cost_no_wire_and_no_spike() -> None:
    host = meter(traffic([(0, 0, 5, 0, 0, 0)], [-1, 0]), [1])
    host.observe(chunk([(0, 0), (0, 0)], 0, 1, 1, [[0]]))
    totals = host.counters().totals()
    assert (totals["input_spikes"], totals["host_packets"], totals["spikes"]) == (2, 2, 0)
    assert energy_j(host.counters(), DAVIES) == pytest.approx((10 * 23.6 + 52) * PJ, rel=1e-12)
    assert energy_j(host.counters(), SANAFE, {"spike_out"}) == 0.0


@pytest.mark.parametrize(("tiles", "barrier_ns"), [(1, 113), (32, 465), (17, 113 + 352 * 16 / 31), (0, 113), (99, 465)])
def test_the_barrier_grows_linearly_from_one_to_32_tiles(tiles: int, barrier_ns: float) -> None:
    still = meter(traffic([], [0]), [0], tiles)
    still.observe(chunk([], 0, 1, 0, [[0]]))
    assert still.times(DAVIES).total_s.tolist() == pytest.approx([barrier_ns * NS])


@pytest.mark.parametrize(
    ("tiles", "sync_us"), [(1, 0.6), (2, 1.0), (3, 1.0), (4, 1.4), (28, 1.4), (29, 1.8), (32, 1.8)]
)
def test_the_sync_table_is_a_step_function_without_interpolation(tiles: int, sync_us: float) -> None:
    still = meter(traffic([], [0]), [0], tiles)
    still.observe(chunk([], 0, 1, 0, [[0]]))
    assert still.times(SANAFE).total_s.tolist() == pytest.approx([sync_us * 1e-6])


def test_the_slowest_core_and_the_farthest_packet_make_the_tick_of_davies2018() -> None:
    table = traffic([(0, 0, 100, 0, 0, 0), (0, 1, 10, 0, 2, 1), (1, 1, 1, 0, 0, 3)], [0, 1])
    two = meter(table, [4, 50], tiles=2)
    two.observe(chunk([(0, 0), (0, 1)], 0, 1, 0, [[4, 0]]))
    times = two.times(DAVIES)
    first, second = 4 * 8.4 + 100 * 3.5, 50 * 5.3 + 11 * 3.5
    assert (first > second, int(times.busiest_core[0])) == (True, 0)
    assert times.neuron_s[0] == pytest.approx(4 * 8.4 * NS)
    assert times.message_s[0] == pytest.approx(100 * 3.5 * NS)
    assert times.network_s[0] == pytest.approx((2 * 4.1 + 6.5 + 2.1) * NS)
    assert times.barrier_s[0] == pytest.approx((113 + 352 / 31) * NS)
    assert times.total_s[0] == pytest.approx((first + 2 * 4.1 + 6.5 + 2.1 + 113 + 352 / 31) * NS)


def test_the_slower_of_two_separate_maxima_makes_the_tick_of_sanafe2025() -> None:
    """Core 0 has most neurons and spikes, core 1 most messages; each part counts at its own busiest core."""
    table = traffic([(0, 1, 100, 1, 0, 0), (1, 1, 10, 2, 0, 0)], [0, 0, 1])
    two = meter(table, [20, 3], tiles=2)
    two.observe(chunk([(0, 0), (0, 1), (1, 2)], 0, 2, 0, [[0, 0], [0, 0]]))
    times = two.times(SANAFE)
    neuron, message = 20 * 9.7 + 2 * 30 + 2 * 5.1, 2 * 16 + 100 * 4.7 + 10 * 3.1
    assert times.neuron_s == pytest.approx([neuron * NS, 20 * 9.7 * NS])
    assert times.message_s == pytest.approx([message * NS, 0])
    assert times.total_s == pytest.approx([(message + 1000) * NS, (20 * 9.7 + 1000) * NS])
    assert times.busiest_core.tolist() == [1, 0]


def test_energy_of_sanafe2025_pays_access_and_update_spikes_synapses_by_class_and_packets_with_hops() -> None:
    table = traffic([(0, 0, 7, 0, 0, 0), (0, 1, 5, 1, 2, 1), (1, 1, 3, 2, 0, 0)], [0, 1])
    two = meter(table, [2, 3])
    two.observe(chunk([(0, 0), (1, 0), (1, 1)], 0, 2, 0, np.zeros((2, 2))))
    soma = 10 * (51.2 + 21.6) + 3 * 69.3
    synapses = 14 * 35.5 + 10 * 33.6 + 3 * 24.0
    network = 5 * 111 + 4 * 3.0 + 2 * 4.2
    assert energy_j(two.counters(), SANAFE) == pytest.approx((soma + synapses + network) * PJ, rel=1e-12)


# ------------------------------------------------------------------------------------------------ exact counts


@st.composite
def busy_runs(draw: st.DrawFn) -> tuple[Traffic, list[int], list[tuple[int, int]], int, int, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    cores, inputs, neurons, ticks = (int(rng.integers(1, 5)), 2, int(rng.integers(1, 8)), int(rng.integers(1, 9)))
    home = [-1] * inputs + sorted(int(core) for core in rng.integers(0, cores, neurons))
    packets = []
    for _ in range(rng.integers(0, 20)):
        source, core = int(rng.integers(0, len(home))), int(rng.integers(0, cores))
        hops = rng.integers(0, 4, 2) if home[source] >= 0 and home[source] != core else (0, 0)
        packets.append((source, core, int(rng.integers(0, 50)), int(rng.integers(0, 3)), int(hops[0]), int(hops[1])))
    spikes = [(int(tick), int(source)) for tick, source in rng.integers(0, (ticks, len(home)), (15, 2))]
    compartments = np.bincount([core for core in home if core >= 0], minlength=cores)
    active = rng.integers(0, compartments + 1, (ticks, cores))
    return traffic(packets, home), compartments.tolist(), spikes, inputs, ticks, active


@given(busy_runs())
@settings(max_examples=40)
def test_counters_equal_a_recount_of_every_spike_and_packet(
    case: tuple[Traffic, list[int], list[tuple[int, int]], int, int, Any],
) -> None:
    table, compartments, spikes, inputs, ticks, active = case
    cores = len(compartments)
    subject = meter(table, compartments)
    subject.observe(chunk(spikes, 0, ticks, inputs, active, (np.arange(cores), 2 * np.arange(cores))))
    per_core = {name: [0] * cores for name in ("spikes", "in", "out")}
    events = np.zeros((3, cores), int)
    hops = [0, 0]
    local = host = 0
    for _, source in spikes:
        home = int(table.home[source])
        if home >= 0:
            per_core["spikes"][home] += 1
        for packet in range(table.start[source], table.start[source + 1]):
            target = int(table.core[packet])
            per_core["in"][target] += 1
            events[table.synapse_class[packet], target] += table.synapses[packet]
            distance = (int(table.hops_east_west[packet]), int(table.hops_north_south[packet]))
            hops = [hops[0] + distance[0], hops[1] + distance[1]]
            if home >= 0:
                per_core["out"][home] += 1
                local += distance == (0, 0)
            else:
                host += 1
    counters = subject.counters()
    assert counters.spikes.tolist() == per_core["spikes"]
    assert counters.packets_in.tolist() == per_core["in"]
    assert counters.packets_out.tolist() == per_core["out"]
    assert np.array_equal(counters.events, events)
    assert (counters.hops_east_west, counters.hops_north_south) == tuple(hops)
    assert (counters.local_packets, counters.host_packets) == (local, host)
    totals = counters.totals()
    assert totals["compartment_updates"] == sum(compartments) * ticks
    assert totals["active_updates"] == active.sum()
    assert totals["input_spikes"] == sum(source < inputs for _, source in spikes)
    assert totals["synaptic_events"] == events.sum()
    assert totals["accumulator_wraps"] == sum(range(cores))
    assert totals["membrane_saturations"] == 2 * sum(range(cores))


@given(busy_runs(), st.lists(st.integers(0, 9), max_size=4))
@settings(max_examples=30)
def test_chunks_leave_no_trace_in_counters_or_times(
    case: tuple[Traffic, list[int], list[tuple[int, int]], int, int, Any], cuts: list[int]
) -> None:
    table, compartments, spikes, inputs, ticks, active = case
    whole, parts = meter(table, compartments), meter(table, compartments)
    whole.observe(chunk(spikes, 0, ticks, inputs, active))
    borders = sorted({0, ticks, *(cut for cut in cuts if cut <= ticks)})
    for first, last in pairwise(borders):
        parts.observe(chunk(spikes, first, last, inputs, active[first:last]))
    parts.observe(chunk(spikes, ticks, ticks, inputs, active[:0]))
    assert parts.counters().totals() == whole.counters().totals()
    for name in (DAVIES, SANAFE):
        assert np.array_equal(parts.times(name).total_s, whole.times(name).total_s)
        assert np.array_equal(parts.times(name).busiest_core, whole.times(name).busiest_core)


def test_before_the_first_tick_nothing_is_counted_and_nothing_took_time() -> None:
    fresh = meter(traffic([], [0]), [5])
    assert set(fresh.counters().totals().values()) == {0}
    assert fresh.times(DAVIES).total_s.shape == (0,)
