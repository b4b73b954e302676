"""What is linear in spikes is counted from how often each source spiked, after the fact and exactly."""

from __future__ import annotations

from typing import Any

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.protocol import Chunk, Int64


def count_spikes(chunk: Chunk, source_spikes: Int64) -> None:
    """Add a chunk's spikes, from outside and of neurons, to ``source_spikes`` (sources,)."""
    _tally(chunk.input_source, source_spikes)
    _tally(chunk.spike_source, source_spikes)


@njit
def _tally(sources: Any, counts: Any) -> None:
    for spike in range(sources.shape[0]):
        counts[sources[spike]] += 1
