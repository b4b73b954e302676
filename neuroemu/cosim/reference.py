"""What the Python model does in the same ticks: the engine of families/lifcore, with every state, packet and cycle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import Events
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.families.lifcore.boot import LifcoreBooted, boot
from neuroemu.families.lifcore.image import ProgramImage, pack
from neuroemu.families.lifcore.timing import CycleMeter, Cycles

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Expected:
    """Some ticks of the model.

    Attributes:
        u, v, refractory: int32 (ticks, neurons).
        spiked: bool, the same shape.
        cycles: int64 (ticks, cores) by the cycle contract.
        left_range: int64 (cores,) updates that left their range, of all these ticks.
        packet_start: int64 (ticks * cores + 1,); ``packet_core`` and ``packet_axon`` in the order in which a core sends.
    """

    u: Int32
    v: Int32
    refractory: Int32
    spiked: NDArray[np.bool_]
    cycles: Int64
    left_range: Int64
    packet_start: Int64
    packet_core: Int64
    packet_axon: Int64


class Reference:
    """The model of a program, advanced by batches of ticks.

    Args:
        image: what the Verilog cores hold.
        cycles: the contract that they keep.
        reset_period: ticks of a sample; every sample starts from a clean state.
    """

    def __init__(self, image: ProgramImage, cycles: Cycles, reset_period: int):
        self.image, self.reset_period = image, reset_period
        self.booted: LifcoreBooted = boot(pack(image))
        meter = self.booted.meter
        assert isinstance(meter, CycleMeter)
        self.meter = CycleMeter(meter.traffic, meter.neurons, cycles)
        self.inputs = self.booted.inputs
        self.cores = len(image.cores)
        self.neurons = int(meter.neurons.sum())
        self.first_neuron = np.concatenate([[0], np.cumsum(meter.neurons)]).astype(np.int64)
        self._routes = np.concatenate([[0], *(np.diff(core.route_start) for core in image.cores)]).cumsum()
        self._route_core, self._route_axon = (
            np.concatenate([np.zeros(0, np.int64), *parts])
            for parts in ([core.route_core for core in image.cores], [core.route_axon for core in image.cores])
        )
        self._position = np.zeros(max((core.core for core in image.cores), default=0) + 1, np.int64)
        self._position[[core.core for core in image.cores]] = np.arange(self.cores)
        self._before = self.booted.engine.snapshot()

    @property
    def most_packets(self) -> int:
        """Packets of a tick in which every neuron spikes."""
        return int(self._routes[-1])

    def events(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> Events:
        """What the host sends into each core, along the program's routes of its sources."""
        first, last = np.searchsorted(stimulus.tick, [first_tick, last_tick])
        source = stimulus.source[first:last]
        start = self.image.host_start
        row, route = _expanded(start[source], start[source + 1])
        cell = (stimulus.tick[first:last] - first_tick)[row] * self.cores + self._position[self.image.host_core[route]]
        order = np.argsort(cell, kind="stable")
        counts = np.bincount(cell, minlength=(last_tick - first_tick) * self.cores)
        return Events(np.concatenate([[0], np.cumsum(counts)]), self.image.host_axon[route[order]].astype(np.int32))

    def advance(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> tuple[Expected, Chunk]:
        """Run ticks ``first_tick..last_tick-1``, told and as one chunk of the engine."""
        self._before = self.booted.engine.snapshot()
        every = np.arange(self.neurons, dtype=np.int64)
        chunks = list(self._chunks(stimulus, first_tick, last_tick, every))
        for chunk in chunks:
            self.meter.observe(chunk)
            self.booted.meter.observe(chunk)
        whole = _joined(chunks)
        return self._expected(whole), whole

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

    def _expected(self, chunk: Chunk) -> Expected:
        ticks = chunk.last_tick - chunk.first_tick
        spiked = np.zeros((ticks, self.neurons), np.bool_)
        spiked[chunk.spike_tick - chunk.first_tick, chunk.spike_source - self.inputs] = True
        rows, neuron = np.nonzero(spiked)
        spike, route = _expanded(self._routes[neuron], self._routes[neuron + 1])
        core = np.searchsorted(self.first_neuron, neuron, side="right") - 1
        sent = np.bincount((rows * self.cores + core)[spike], minlength=ticks * self.cores)
        received, own = self.meter.cycles_of(self.meter.counter.per_tick(chunk))
        return Expected(
            u=chunk.probes["u"],
            v=chunk.probes["v"],
            refractory=chunk.probes["refractory"],
            spiked=spiked,
            cycles=received + own,
            left_range=chunk.range_events["left_range"],
            packet_start=np.concatenate([[0], np.cumsum(sent)]).astype(np.int64),
            packet_core=self._route_core[route],
            packet_axon=self._route_axon[route],
        )


def _expanded(first: Int64, last: Int64) -> tuple[Int64, Int64]:
    """(number of the range, member) of all members of all ranges ``first..last-1``."""
    count = last - first
    number = np.repeat(np.arange(first.shape[0]), count)
    return number, np.arange(number.shape[0]) - np.repeat(np.cumsum(count) - count, count) + first[number]


def _joined(chunks: list[Chunk]) -> Chunk:
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
