"""Shards: any number of threads gives the same spikes, counters, probes and snapshots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroemu.bench.networks import brunel_network, layered_network, random_network
from neuroemu.emulator import sharded
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.families.lifcore.arrays import program_from_network_arrays
from neuroemu.families.lifcore.boot import boot
from neuroemu.spec import load_chip

pytestmark = pytest.mark.compiled

NETS = {
    "random": random_network(700, 60, fan_out=40),
    "layered": layered_network(40, (700, 200, 150, 10)),
    "brunel": brunel_network(500, 120),
}


def loaded(net: dict[str, Any], threads: int = 1, per_tick: bool = True) -> Any:
    """The engine of one huge core with the network on it."""
    return boot(program_from_network_arrays(net, load_chip("lifcore-bench")), threads, per_tick).engine


def ran(net: dict[str, Any], threads: int, per_tick: bool = True) -> tuple[Any, Any]:
    engine = loaded(net, threads, per_tick)
    stimulus = Stimulus(np.asarray(net["in_t"], np.int64), np.asarray(net["in_id"], np.int32))
    probe = np.arange(0, engine.neurons, 7)
    return run_ticks(engine, stimulus, net["ticks"], reset_period=50, probe=probe), engine


@pytest.mark.parametrize("name", NETS)
def test_any_number_of_threads_gives_the_same_run(name: str) -> None:
    alone, engine = ran(NETS[name], 1)
    assert alone.spike_source.size > 50
    for threads in (2, 3, 5):
        together, sharded_engine = ran(NETS[name], threads)
        assert 1 < sharded_engine.threads <= threads
        assert np.array_equal(together.spike_tick, alone.spike_tick)
        assert np.array_equal(together.spike_source, alone.spike_source)
        assert all(np.array_equal(together.probes[state], alone.probes[state]) for state in alone.probes)
        state, other = engine.snapshot(), sharded_engine.snapshot()
        assert state.keys() == other.keys()
        assert all(np.array_equal(state[name], other[name]) for name in state)


def test_a_snapshot_of_two_threads_goes_on_with_three() -> None:
    net = NETS["random"]
    whole, _ = ran(net, 1)
    stimulus = Stimulus(np.asarray(net["in_t"], np.int64), np.asarray(net["in_id"], np.int32))
    first = loaded(net, 2)
    starts = np.searchsorted(stimulus.tick, np.arange(31)).astype(np.int64)
    none = np.zeros(0, np.int64)
    before = first.advance(0, 30, 50, starts, stimulus.source[: starts[-1]], none)
    second = loaded(net, 3)
    second.restore(first.snapshot())
    starts = np.searchsorted(stimulus.tick, np.arange(30, 61)).astype(np.int64)
    after = second.advance(30, 60, 50, starts - starts[0], stimulus.source[starts[0] :], none)
    assert np.array_equal(np.concatenate([before.spike_tick, after.spike_tick]), whole.spike_tick)
    assert np.array_equal(np.concatenate([before.spike_source, after.spike_source]), whole.spike_source)


def test_a_full_spike_buffer_stops_all_shards_at_the_same_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    alone, _ = ran(NETS["random"], 1)
    monkeypatch.setattr(sharded, "_SPIKE_BUFFER", 10)
    for threads in (1, 2):
        together, _ = ran(NETS["random"], threads)
        assert np.array_equal(together.spike_source, alone.spike_source)


def test_activity_is_kept_by_tick_or_in_total() -> None:
    net = NETS["layered"]
    start = np.searchsorted(net["in_t"], np.arange(21)).astype(np.int64)
    call = (0, 20, 1 << 60, start, net["in_id"][: start[-1]], np.zeros(0, np.int64))
    by_tick = loaded(net, 2).advance(*call)
    total = loaded(net, per_tick=False).advance(*call)
    assert by_tick.active.shape == (20, 1) and total.active.shape == (1, 1)
    assert by_tick.active.sum() == total.active.sum() > 0


def test_more_threads_than_blocks_of_neurons_are_not_used() -> None:
    _, engine = ran(random_network(100, 5, fan_out=10), 8)
    assert engine.threads == 2
    assert engine.shards[0].last_neuron == 64


@pytest.mark.parametrize("failing", [0, 1])
def test_a_member_that_cannot_go_on_ends_the_waiting_of_the_others(failing: int) -> None:
    engine = loaded(NETS["random"], 3)
    advance = engine._advance

    def or_not(*call: Any) -> int:
        if call[9].member == failing:
            raise MemoryError("no room for flags")
        return int(advance(*call))

    engine._advance = or_not
    with pytest.raises(MemoryError, match="no room for flags"):
        engine.advance(0, 20, 50, np.zeros(21, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64))
