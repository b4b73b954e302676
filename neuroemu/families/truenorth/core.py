"""Crossbar cores in motion: a loaded program with its state, advanced by as many threads as there are shards of cores."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import restore_into
from neuroemu.emulator.team import Team, run_together, spikes_of
from neuroemu.errors import BadInput, Finding
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.lanes import SIZE
from neuroemu.families.truenorth.memory import CompiledProgram, initial_state
from neuroemu.families.truenorth.sweep import advance

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

_BORDER = 2
"""Shards begin at multiples of it, so that two threads seldom write to one cache line."""
_SPIKE_BUFFER = 1 << 20


@dataclass(frozen=True)
class CrossbarChunk(Chunk):
    """A chunk with what only a crossbar core counts.

    Attributes:
        synaptic_events: (ticks, cores) int32, set bits in rows of active axons.
        axon_events: (ticks, cores) int32, active axons.
        merged: (cores,) int64, spikes that found their axon already set for the same tick.
    """

    synaptic_events: Int32
    axon_events: Int32
    merged: Int64


class TrueNorthEngine:
    """A loaded program with its state, as the clock drives it.

    Args:
        threads: shards of cores that run together; changes speed, never results.
    """

    def __init__(self, program: CompiledProgram, threads: int = 1):
        self.program = program
        self.state = initial_state(program)
        members = max(1, min(threads, -(-program.cores // _BORDER)))
        steps = np.rint(program.cores * np.arange(members + 1) / members / _BORDER).astype(np.int64) * _BORDER
        self._borders = np.minimum(steps, program.cores)
        self._borders[-1] = program.cores
        self._sizes = SIZE * np.diff(self._borders)
        capacity = max(_SPIKE_BUFFER // members, 4 * int(self._sizes.max(initial=0)))
        self._spike_source = np.empty((members, capacity), np.int32)
        self._pool = ThreadPoolExecutor(members - 1, "neuroemu-shard") if members > 1 else None

    @property
    def neurons(self) -> int:
        return SIZE * self.program.cores

    @property
    def cores(self) -> int:
        return self.program.cores

    @property
    def threads(self) -> int:
        return int(self._sizes.shape[0])

    def advance(
        self,
        first_tick: int,
        last_tick: int,
        reset_period: int,
        input_start: Int64,
        input_source: Int32,
        probe: Int64,
    ) -> CrossbarChunk:
        """Run ticks ``first_tick..last_tick-1`` or until the spike buffer is full.

        Raises:
            BadInput: NE5604 when a potential leaves 20 bits under the rule ``overflow: error``.
        """
        program, state = self.program, self.state
        ticks, cores, members = last_tick - first_tick, program.cores, self.threads
        active, axon_events, synaptic_events = np.zeros((3, ticks, cores), np.int32)
        left_range, merged = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
        probe_v = np.empty((ticks, probe.shape[0]), np.int32)
        sent, arrivals = np.zeros((members, ticks + 1), np.int64), np.zeros(1, np.int64)
        calls = []
        for member in range(members):
            first_core, last_core = int(self._borders[member]), int(self._borders[member + 1])
            own = (probe >= SIZE * first_core) & (probe < SIZE * last_core)
            calls.append(
                (
                    first_tick,
                    last_tick,
                    reset_period,
                    input_start,
                    input_source,
                    first_core,
                    last_core,
                    self._sizes,
                    state.v,
                    state.axons,
                    state.restless,
                    program.initial,
                    program.crossbars,
                    program.neurons,
                    program.rules,
                    program.host,
                    Team(member, arrivals, sent, self._spike_source),
                    active,
                    axon_events,
                    synaptic_events,
                    left_range,
                    merged,
                    probe[own],
                    np.flatnonzero(own),
                    probe_v,
                )
            )
        done = run_together(self._pool, advance, calls, arrivals) - first_tick
        if program.rules.overflow == dynamics.ERROR and left_range.any():
            core = int(np.flatnonzero(left_range)[0])
            message = f"a potential left 20 bits in ticks {first_tick}..{first_tick + done - 1}"
            fixes = ("choose overflow: saturate20 in the chip file", "scale weights and thresholds down")
            raise BadInput(Finding("NE5604", message, f"core at position {core}", fixes))
        spike_tick, spike_source = spikes_of(Team(0, arrivals, sent, self._spike_source), done, first_tick)
        return CrossbarChunk(
            first_tick=first_tick,
            last_tick=first_tick + done,
            input_start=input_start[: done + 1],
            input_source=input_source[: int(input_start[done])],
            spike_tick=spike_tick,
            spike_source=spike_source,
            active=active[:done],
            range_events={"left_range": left_range},
            probes={"v": probe_v[:done]},
            synaptic_events=synaptic_events[:done],
            axon_events=axon_events[:done],
            merged=merged,
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole state, the same for any number of threads."""
        return {name: array.copy() for name, array in vars(self.state).items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        restore_into(vars(self.state), arrays, "engine")
