"""The Python model of a program beside Verilog cores: the family's engine, advanced by batches of ticks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import Events
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.families import Booted

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """Some ticks of the model.

    Attributes:
        states: name -> int32 (ticks, neurons).
        spiked: bool, the same shape.
        counts: name -> int64 (ticks, cores) of what registers count too; ``cycles`` by the cycle contract among them.
        shown: name -> int64 (ticks,) what other registers of every core say behind a tick.
        left_range: int64 (cores,) updates that left their range, of all these ticks.
        packet_start: int64 (ticks * cores + 1,); ``packet``: (packets, fields) in the order in which a core sends.
    """

    states: Mapping[str, Int32]
    spiked: NDArray[np.bool_]
    counts: Mapping[str, Int64]
    shown: Mapping[str, Int64]
    left_range: Int64
    packet_start: Int64
    packet: NDArray[np.integer]


class Reference(ABC):
    """The model of a program, advanced by batches of ticks.

    Args:
        sizes: neurons of every core that are compared.
        engine_neurons: their numbers in the engine, int64 (neurons,).
        reset_period: ticks of a sample; every sample starts from a clean state.
    """

    def __init__(self, booted: Booted, sizes: Sequence[int], engine_neurons: Int64, reset_period: int):
        self.booted, self.engine_neurons, self.reset_period = booted, engine_neurons, reset_period
        self.inputs = booted.inputs
        self.cores = len(sizes)
        self.neurons = int(sum(sizes))
        self.first_neuron = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._before = booted.engine.snapshot()

    @property
    @abstractmethod
    def most_packets(self) -> int:
        """Packets of a tick in which every neuron spikes."""

    @abstractmethod
    def events(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> Events:
        """What the host sends into each core, along the program's routes of its sources."""

    @abstractmethod
    def expected(self, chunk: Chunk, spiked: NDArray[np.bool_], parts: Sequence[Chunk]) -> Expected:
        """What a chunk says, which comes from ``parts``; ``spiked``: bool (ticks, neurons)."""

    def advance(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> tuple[Expected, Chunk]:
        """Run ticks ``first_tick..last_tick-1``, told and as one chunk of the engine."""
        self._before = self.booted.engine.snapshot()
        chunks = list(self._chunks(stimulus, first_tick, last_tick, self.engine_neurons))
        for chunk in chunks:
            self.booted.meter.observe(chunk)
        whole = _joined(chunks)
        everywhere = np.zeros((last_tick - first_tick, self.booted.engine.neurons), np.bool_)
        everywhere[whole.spike_tick - first_tick, whole.spike_source - self.inputs] = True
        return self.expected(whole, everywhere[:, self.engine_neurons], chunks), whole

    def left_range_again(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> Iterator[Int64]:
        """Updates that left their range, int64 (cores,), of one tick after the other.

        Runs the engine once more over the ticks that ``advance`` has just run; ``first_tick`` is the first of them.
        """
        self.booted.engine.restore(self._before)
        for tick in range(first_tick, last_tick):
            (chunk,) = self._chunks(stimulus, tick, tick + 1, np.zeros(0, np.int64))
            yield chunk.range_events["left_range"]

    def _chunks(self, stimulus: Stimulus, first_tick: int, last_tick: int, probe: Int64) -> Iterator[Chunk]:
        tick = first_tick
        while tick < last_tick:
            bounds = np.searchsorted(stimulus.tick, np.arange(tick, last_tick + 1)).astype(np.int64)
            source = stimulus.source[bounds[0] : bounds[-1]]
            chunk = self.booted.engine.advance(tick, last_tick, self.reset_period, bounds - bounds[0], source, probe)
            yield chunk
            tick = chunk.last_tick


def in_cells(cell: Int64, event: Int64, cells: int) -> Events:
    """Events in the order of their cells, and in each as they come."""
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=cells)
    return Events(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), event[order].astype(np.uint32))


def expanded(first: Int64, last: Int64) -> tuple[Int64, Int64]:
    """(number of the range, member) of all members of all ranges ``first..last-1``."""
    count = last - first
    number = np.repeat(np.arange(first.shape[0]), count)
    return number, np.arange(number.shape[0]) - np.repeat(np.cumsum(count) - count, count) + first[number]


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    """Chunks that follow each other as one."""
    if len(chunks) == 1:
        return chunks[0]
    starts, last = [np.zeros(1, np.int64)], 0
    for chunk in chunks:
        starts.append(chunk.input_start[1:] + last)
        last += int(chunk.input_start[-1])
    return Chunk(
        first_tick=chunks[0].first_tick,
        last_tick=chunks[-1].last_tick,
        input_start=np.concatenate(starts),
        input_source=np.concatenate([chunk.input_source for chunk in chunks]),
        spike_tick=np.concatenate([chunk.spike_tick for chunk in chunks]),
        spike_source=np.concatenate([chunk.spike_source for chunk in chunks]),
        active=np.concatenate([chunk.active for chunk in chunks]),
        range_events={
            name: np.sum([chunk.range_events[name] for chunk in chunks], axis=0) for name in chunks[0].range_events
        },
        probes={name: np.concatenate([chunk.probes[name] for chunk in chunks]) for name in chunks[0].probes},
    )
