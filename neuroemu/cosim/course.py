"""A co-simulation under way: both sides of a program advance batch by batch, and what they did is held against each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.cosim.build import Note
from neuroemu.cosim.compare import (
    LEFT,
    Difference,
    changed_memory,
    first_difference,
    first_left_range,
    in_memory,
)
from neuroemu.cosim.core import SPIKED, Record, RtlCores, Stalls
from neuroemu.cosim.program import RtlProgram
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import Recording
from neuroemu.errors import Finding

StartProgress = Callable[[str], Callable[[int, int], None]]

_CELLS = 1 << 20
"""States of one kind that are compared at a time."""
_AROUND = 1
"""Ticks before the first difference, and after it, that a waveform shows."""


@dataclass(frozen=True)
class CoreCount:
    """What a Verilog core did in all ticks that were compared."""

    core: int
    neurons: int
    spikes: int
    packets: int
    cycles: int
    stalls: int


class Course:
    """A co-simulation so far.

    Args:
        stimulus: spikes from outside, in all ticks.
        total: ticks to run.
        period: ticks of a sample; every sample starts from a clean state.
        stalls: how often events and packets are held back.
        folder: Verilog sources instead of those of the package.
        note: told before something is built.
        noise: seed of what the Verilog's memories and registers hold before they are written.

    Attributes:
        memory: NE7221 for memories that do not hold what was written; then nothing runs.
        ticks, clocks: that both sides did alike, and that all Verilog cores took.
    """

    def __init__(
        self,
        program: RtlProgram,
        stimulus: Stimulus,
        total: int,
        period: int,
        stalls: Stalls | None = None,
        folder: Path | None = None,
        note: Note | None = None,
        noise: int = 0,
    ):
        self.program, self.stimulus, self.total, self.period = program, stimulus, total, period
        self.stalls, self.folder, self.note, self.noise = stalls or Stalls(), folder, note, noise
        self.reference = program.reference(period)
        self.memory: tuple[Finding, ...] = ()
        self.ticks = self.clocks = 0
        self._counts = np.zeros((4, len(program.sizes)), np.int64)
        booted = self.reference.booted
        self.probed = tuple(symbol.name for symbol in booted.symbols.populations if not symbol.spiking)
        columns = [booted.neurons_of[name] for name in self.probed]
        self._columns = np.concatenate([np.zeros(0, np.int64), *columns])
        self._spikes: list[Any] = []
        self._model_states: list[Any] = []
        self._rtl_states: list[Any] = []

    def run(self, progress: StartProgress | None = None) -> Difference | None:
        """Everything, batch by batch; a difference is told with its tick of the whole run."""
        advance = None if progress is None else progress("ticks on both sides")
        with self._cores() as cores:
            self.memory = self.program.load(cores)
            if self.memory:
                return None
            while self.ticks < self.total:
                last = min(self.total, self.ticks + self._batch())
                difference = self._compare(cores, last)
                if difference is not None:
                    return difference
                if advance is not None:
                    advance(self.ticks, self.total)
        return None

    def _cores(self, trace: bool = False) -> RtlCores:
        return self.program.cores(trace, self.folder, self.note, self.noise)

    def _batch(self) -> int:
        return max(1, _CELLS // max(self.reference.neurons, 1))

    def _record(self, cores: RtlCores, first: int, last: int) -> Record:
        events = self.reference.events(self.stimulus, first, last)
        room = self.reference.most_packets * (last - first)
        return cores.run(events, first, self.period, self.stalls, room)

    def _compare(self, cores: RtlCores, last: int) -> Difference | None:
        """Both sides until ``last``; what agrees is counted, a difference is told with its tick of the whole run."""
        first = self.ticks
        expected, chunk = self.reference.advance(self.stimulus, first, last)
        record = self._record(cores, first, last)
        first_neuron = self.reference.first_neuron.tolist()
        difference = first_difference(expected, record, first_neuron)
        if difference is not None:
            difference = self._or_range_left_before(difference, first, record)
        elif last == self.total:
            positions = range(len(self.program.sizes))
            kept = [self.program.states(cores, core) for core in positions]
            changed = [self.program.changed(cores, core) for core in positions]
            difference = in_memory(expected, kept, first_neuron) or changed_memory(changed, last - first - 1)
        self._count(record, record.ticks if difference is None else min(difference.tick, record.ticks))
        if difference is not None:
            since = None if difference.since is None else first + difference.since
            return replace(difference, tick=first + difference.tick, since=since)
        row, neuron = np.nonzero(record.flags & SPIKED)
        source = self.reference.engine_neurons[neuron] + self.reference.inputs
        rtl = (row + first).astype(np.int32), source.astype(np.int32)
        self._spikes.append(((chunk.spike_tick, chunk.spike_source), rtl))
        membrane = self.reference.booted.membrane
        self._model_states.append(chunk.probes[membrane][:, self._columns])
        self._rtl_states.append(record.states[membrane][:, self._columns])
        return None

    def _or_range_left_before(self, difference: Difference, first: int, record: Record) -> Difference:
        """The difference, unless in an earlier tick of the batch ranges are left that the model does not leave, or the reverse.

        The model counts them over a whole batch, so it runs again tick by tick.
        """
        sums_alone = difference.quantities == (LEFT,)
        until = first + difference.tick + (1 if sums_alone else 0)
        again = self.reference.left_range_again(self.stimulus, first, until)
        left = first_left_range(again, record, self.reference.first_neuron.tolist())
        assert left is not None or not sums_alone, "the model has left other ranges than in its first run"
        return left or difference

    def _count(self, record: Record, ticks: int) -> None:
        """Add the first ticks of a batch."""
        cores = len(self.program.sizes)
        spikes = np.count_nonzero(record.flags[:ticks] & SPIKED, axis=0)
        packets = np.diff(record.packet_start[: ticks * cores + 1]).reshape(-1, cores)
        counted = (
            np.add.reduceat(spikes, self.reference.first_neuron[:-1]),
            *(part[:ticks].sum(axis=0) for part in (packets, record.counted, record.waited)),
        )
        self._counts += np.array(counted, np.int64)
        self.clocks += record.clocks
        self.ticks += ticks

    def compared(self) -> dict[str, int]:
        """Kind of value -> how many agree."""
        states = len(self.program.build.states)
        return {
            "spikes": int(self._counts[0].sum()),
            "state words": states * self.ticks * self.reference.neurons,
            "packets": int(self._counts[1].sum()),
            "cycles of cores and ticks": self.ticks * len(self.program.sizes),
        }

    def core_counts(self) -> tuple[CoreCount, ...]:
        """What every core did in the ticks that agree."""
        rows = zip(self.program.numbers, self.program.sizes, *self._counts.tolist(), strict=True)
        return tuple(CoreCount(*row) for row in rows)

    def recordings(self) -> tuple[Recording, Recording]:
        """The run as the model and as the Verilog cores computed it."""
        membrane = self.reference.booted.membrane
        sides = []
        for side, states in enumerate((self._model_states, self._rtl_states)):
            tick, source = (np.concatenate([part[side][axis] for part in self._spikes]) for axis in (0, 1))
            sides.append(Recording(self.total, False, tick, source, {membrane: np.concatenate(states)}))
        return sides[0], sides[1]

    def write_wave(self, difference: Difference, file: Path, progress: StartProgress | None = None) -> None:
        """Run everything up to the difference again on cores that can be watched, and write the ticks around it."""
        first, last = max(difference.tick - _AROUND, 0), min(difference.tick + 1 + _AROUND, self.total)
        advance = None if progress is None else progress("ticks to the waveform")
        with self._cores(trace=True) as cores:
            self.program.load(cores)
            tick = 0
            while tick < first:
                until = min(first, tick + self._batch())
                self._record(cores, tick, until)
                tick = until
                if advance is not None:
                    advance(tick, last)
            cores.start_trace(difference.core, file)
            self._record(cores, first, last)
            cores.end_trace(difference.core)
