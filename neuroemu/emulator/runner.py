"""The clock for spiking chips: cuts a run into chunks of ticks, feeds input, records, shows progress, survives Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Chunk, Meter, Stimulus, TickEngine

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
) -> Recording:
    """Run ``ticks`` ticks from tick 0.

    Args:
        stimulus: external spikes; those at or after ``ticks`` are an error of the caller and raise ValueError.
        reset_period: state is cleared at every multiple of it (one sample per period).
        probe: neuron numbers whose state is recorded in every tick.
        progress: called after every chunk.

    A KeyboardInterrupt between chunks ends the run early and marks the recording ``interrupted``.
    """
    if stimulus.tick.size and not 0 <= int(stimulus.tick[0]) <= int(stimulus.tick[-1]) < ticks:
        raise ValueError("stimulus outside the run")
    probed = np.zeros(0, np.int64) if probe is None else np.ascontiguousarray(probe, np.int64)
    most = max(1, min(65536, _CHUNK_CELLS // max(engine.cores, probed.shape[0], 1)))
    size = min(64, most)
    chunks: list[Chunk] = []
    tick = 0
    interrupted = False
    try:
        while tick < ticks:
            started = time.perf_counter()
            stop = min(ticks, tick + size)
            bounds = np.searchsorted(stimulus.tick, np.arange(tick, stop + 1)).astype(np.int64)
            sources = stimulus.source[bounds[0] : bounds[-1]]
            chunk = engine.advance(tick, stop, reset_period, bounds - bounds[0], sources, probed)
            if meter is not None:
                meter.observe(chunk)
            chunks.append(chunk)
            tick = chunk.last_tick
            if progress is not None:
                progress(tick, ticks)
            spent = time.perf_counter() - started
            if spent < _CHUNK_SECONDS / 2:
                size = min(most, size * 2)
            elif spent > _CHUNK_SECONDS * 2:
                size = max(1, size // 2)
    except KeyboardInterrupt:
        interrupted = True
    return Recording(
        ticks=tick,
        interrupted=interrupted,
        spike_tick=_joined([chunk.spike_tick for chunk in chunks]),
        spike_source=_joined([chunk.spike_source for chunk in chunks]),
        probes={
            name: np.concatenate([chunk.probes[name] for chunk in chunks])
            for name in (chunks[0].probes if chunks else ())
        },
    )


def _joined(parts: list[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
