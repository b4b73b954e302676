"""The clock cuts a run into chunks, feeds each its input, and an interruption leaves what was done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroemu.emulator import runner
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.emulator.runner import run_ticks


class Echo:
    """A chip of two neurons: neuron s answers every external spike of source s in the same tick; ``most`` ticks a chunk."""

    neurons = 2
    cores = 1

    def __init__(self, most: int = 1 << 30, before: Callable[[int], None] = lambda tick: None):
        self.most = most
        self.before = before
        self.asked: list[tuple[int, int]] = []

    def advance(
        self,
        first_tick: int,
        last_tick: int,
        reset_period: int,
        input_start: NDArray[np.int64],
        input_source: NDArray[np.int32],
        probe: NDArray[np.int64],
    ) -> Chunk:
        self.before(first_tick)
        self.asked.append((first_tick, last_tick))
        reached = min(last_tick, first_tick + self.most)
        ticks = reached - first_tick
        starts = input_start[: ticks + 1]
        sources = input_source[: starts[-1]]
        return Chunk(
            first_tick=first_tick,
            last_tick=reached,
            input_start=starts,
            input_source=sources,
            spike_tick=np.repeat(np.arange(first_tick, reached, dtype=np.int32), np.diff(starts)),
            spike_source=sources + np.int32(2),
            active=np.zeros((ticks, 1), np.int32),
            range_events={},
            probes={"v": np.arange(first_tick, reached, dtype=np.int32)[:, None] + probe.astype(np.int32)},
        )


class Ledger:
    """A meter that keeps what it saw."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def observe(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)


SPIKES = Stimulus(np.array([0, 3, 3, 9, 199], np.int64), np.array([1, 0, 1, 1, 0], np.int32))


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_every_tick_runs_once_with_its_own_input(most: int) -> None:
    engine, meter = Echo(most), Ledger()
    recording = run_ticks(engine, SPIKES, 200, probe=np.array([0, 5]), meter=meter)
    assert (recording.ticks, recording.interrupted) == (200, False)
    assert recording.spike_tick.tolist() == SPIKES.tick.tolist()
    assert recording.spike_source.tolist() == [3, 2, 3, 3, 2]
    assert recording.probes["v"].tolist() == [[tick, tick + 5] for tick in range(200)]
    seen = [(chunk.first_tick, chunk.last_tick) for chunk in meter.chunks]
    assert [first for first, _ in seen] == [0, *(last for _, last in seen[:-1])]
    assert seen[-1][1] == 200


def test_progress_is_told_ticks_done_and_ticks_in_all() -> None:
    told: list[tuple[int, int]] = []
    run_ticks(Echo(), SPIKES, 300, progress=lambda done, ticks: told.append((done, ticks)))
    assert told == [(64, 300), (192, 300), (300, 300)]


@pytest.mark.parametrize("stop_at", [0, 64, 192])
def test_ctrl_c_leaves_a_readable_partial_recording(stop_at: int) -> None:
    def interrupt(tick: int) -> None:
        if tick == stop_at:
            raise KeyboardInterrupt

    recording = run_ticks(Echo(before=interrupt), SPIKES, 200, probe=np.array([0]))
    assert (recording.ticks, recording.interrupted) == (stop_at, True)
    assert recording.spike_tick.tolist() == [tick for tick in SPIKES.tick if tick < stop_at]
    assert all(values.shape == (stop_at, 1) for values in recording.probes.values())


def test_ctrl_c_while_progress_is_shown_keeps_the_finished_chunk() -> None:
    def impatient(done: int, ticks: int) -> None:
        raise KeyboardInterrupt

    recording = run_ticks(Echo(), SPIKES, 200, progress=impatient)
    assert (recording.ticks, recording.interrupted) == (64, True)
    assert recording.spike_tick.tolist() == [0, 3, 3, 9]


def test_a_run_of_no_ticks_records_nothing() -> None:
    empty = Stimulus(np.zeros(0, np.int64), np.zeros(0, np.int32))
    recording = run_ticks(Echo(), empty, 0)
    assert (recording.ticks, recording.interrupted, recording.spike_tick.size, recording.probes) == (0, False, 0, {})


@pytest.mark.parametrize("tick", [-1, 10])
def test_a_stimulus_outside_the_run_is_the_callers_error(tick: int) -> None:
    outside = Stimulus(np.array([tick], np.int64), np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="outside the run"):
        run_ticks(Echo(), outside, 10)


def test_slow_chunks_shrink_and_fast_ones_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr(runner.time, "perf_counter", lambda: seconds[0])

    def work(first_tick: int) -> None:
        seconds[0] += 10.0 if first_tick >= 192 else 0.0

    engine = Echo(before=work)
    run_ticks(engine, SPIKES, 1000)
    lengths = [last - first for first, last in engine.asked]
    assert lengths[:6] == [64, 128, 256, 128, 64, 32]
    assert min(lengths) == 1


def test_wide_recordings_get_short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_CHUNK_CELLS", 40)
    engine = Echo()
    run_ticks(engine, SPIKES, 200, probe=np.arange(8))
    assert {last - first for first, last in engine.asked} == {5}
