"""The clock for spiking chips: cuts a run into chunks of ticks, feeds input, records, shows progress, survives Ctrl-C and,
with snapshots, being killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Chunk, Meter, Stimulus, TickEngine
from neuroemu.emulator.snapshot_folder import SPIKES, Keeper

Progress = Callable[[int, int], None]
"""Called with (ticks done, ticks in all)."""

NEVER = 1 << 62
"""A reset period that is never reached."""

_CHUNK_SECONDS = 0.2
_CHUNK_CELLS = 1 << 22


@dataclass
class Recording:
    """What a run left behind.

    Attributes:
        ticks: ticks completed; fewer than asked for when ``interrupted``.
        spike_tick, spike_source: int32 spikes of neurons, sorted by tick, then source.
        probes: state name -> (ticks, probed neurons) int32.
    """

    ticks: int
    interrupted: bool
    spike_tick: NDArray[np.int32]
    spike_source: NDArray[np.int32]
    probes: dict[str, NDArray[np.int32]] = field(default_factory=dict)


def run_ticks(
    engine: TickEngine,
    stimulus: Stimulus,
    ticks: int,
    *,
    reset_period: int = NEVER,
    probe: NDArray[np.int64] | None = None,
    meter: Meter | None = None,
    progress: Progress | None = None,
    keeper: Keeper | None = None,
) -> Recording:
    """Run ``ticks`` ticks from tick 0, or from the snapshot that ``keeper`` finds.

    Args:
        stimulus: external spikes; those at or after ``ticks`` are an error of the caller and raise ValueError.
        reset_period: state is cleared at every multiple of it (one sample per period).
        probe: neuron numbers whose state is recorded in every tick.
        progress: called after every chunk.
        keeper: takes a snapshot whenever one is due and when the run is interrupted.

    A KeyboardInterrupt between chunks ends the run early and marks the recording ``interrupted``.
    """
    if stimulus.tick.size and not 0 <= int(stimulus.tick[0]) <= int(stimulus.tick[-1]) < ticks:
        raise ValueError("stimulus outside the run")
    probed = np.zeros(0, np.int64) if probe is None else np.ascontiguousarray(probe, np.int64)
    most = max(1, min(65536, _CHUNK_CELLS // max(engine.cores, probed.shape[0], 1)))
    size = min(64, most)
    course = _Course(engine, meter, keeper)
    interrupted = False
    try:
        while course.tick < ticks:
            started = time.perf_counter()
            tick, stop = course.tick, course.cut(min(ticks, course.tick + size))
            bounds = np.searchsorted(stimulus.tick, np.arange(tick, stop + 1)).astype(np.int64)
            sources = stimulus.source[bounds[0] : bounds[-1]]
            course.advance(stop, reset_period, bounds - bounds[0], sources, probed)
            if course.tick < ticks:
                course.save_when_due()
            if progress is not None:
                progress(course.tick, ticks)
            spent = time.perf_counter() - started
            if spent < _CHUNK_SECONDS / 2:
                size = min(most, size * 2)
            elif spent > _CHUNK_SECONDS * 2:
                size = max(1, size // 2)
    except KeyboardInterrupt:
        interrupted = True
        course.save_when_whole()
    return course.recording(interrupted)


class _Course:
    """A run so far: the tick that comes next, what was recorded before it, and what of that is in snapshots."""

    def __init__(self, engine: TickEngine, meter: Meter | None, keeper: Keeper | None):
        self.engine, self.meter, self.keeper = engine, meter, keeper
        self.tick = 0
        self.recorded: list[dict[str, NDArray[Any]]] = []
        self._kept = 0
        self._whole = True
        moment = keeper.newest() if keeper is not None else None
        if moment is not None:
            engine.restore(moment.engine)
            if meter is not None:
                meter.restore(moment.meter)
            self.tick = moment.tick
            self.recorded = [dict(moment.columns)]
            self._kept = 1

    def cut(self, stop: int) -> int:
        """``stop``, or the tick before it at which a snapshot is due."""
        due = self.keeper.next_due(self.tick) if self.keeper is not None else None
        return stop if due is None else min(stop, due)

    def advance(self, stop: int, reset_period: int, start: NDArray[np.int64], source: Any, probe: Any) -> None:
        """Run the next chunk; engine, meter and record tell of the same ticks before and after."""
        self._whole = False
        chunk = self.engine.advance(self.tick, stop, reset_period, start, source, probe)
        if self.meter is not None:
            self.meter.observe(chunk)
        self.recorded.append(_columns(chunk))
        self.tick = chunk.last_tick
        self._whole = True

    def save_when_due(self) -> None:
        """Take a snapshot at a multiple of the interval."""
        if self.keeper is not None and self.keeper.next_due(self.tick - 1) == self.tick:
            self._save(self.keeper)

    def save_when_whole(self) -> None:
        """Take a snapshot of an interrupted run, unless a chunk was under way or snapshots were not asked for."""
        keeper = self.keeper
        if keeper is not None and self._whole and keeper.snapshots.every is not None and keeper.tick < self.tick:
            self._save(keeper)
            keeper.snapshots.note(f"snapshot at tick {self.tick:,}; the same command with --resume goes on from there")

    def _save(self, keeper: Keeper) -> None:
        meter = self.meter.snapshot() if self.meter is not None else {}
        keeper.save(self.tick, self.engine.snapshot(), meter, self.recorded[self._kept :])
        self._kept = len(self.recorded)

    def recording(self, interrupted: bool) -> Recording:
        """Everything recorded, in one piece."""
        columns = {name: np.concatenate([part[name] for part in self.recorded]) for name in self._names()}
        empty = np.zeros(0, np.int32)
        return Recording(
            ticks=self.tick,
            interrupted=interrupted,
            spike_tick=columns.get(_SPIKE_TICK, empty),
            spike_source=columns.get(_SPIKE_SOURCE, empty),
            probes={name.removeprefix(_PROBE): rows for name, rows in columns.items() if name.startswith(_PROBE)},
        )

    def _names(self) -> tuple[str, ...]:
        return tuple(self.recorded[0]) if self.recorded else ()


_SPIKE_TICK, _SPIKE_SOURCE, _PROBE = SPIKES + "tick", SPIKES + "source", "probe."


def _columns(chunk: Chunk) -> dict[str, NDArray[Any]]:
    """What a chunk leaves in the record."""
    probes = {_PROBE + name: rows for name, rows in chunk.probes.items()}
    return {_SPIKE_TICK: chunk.spike_tick, _SPIKE_SOURCE: chunk.spike_source, **probes}
