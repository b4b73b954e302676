"""What the model of crossbar cores does in the same ticks: the engine of families/truenorth, every potential, packet and cycle.

Nothing here states an equation of the neuron; what is counted from spikes alone is held against the engine's own counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import Events
from neuroemu.cosim.crossbar import DELAY_SHIFT, CrossbarBuild, tick_cycles
from neuroemu.cosim.reference import Expected, Reference, expanded, in_cells
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.families.truenorth.boot import boot_image
from neuroemu.families.truenorth.core import CrossbarChunk, TrueNorthEngine
from neuroemu.families.truenorth.image import SIZE, ProgramImage
from neuroemu.families.truenorth.memory import AXON_SHIFT, CORE_SHIFT, DELAY_MASK

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class _Arrivals:
    """Spikes under way, int64 each: tick in which they were sent and in which they count, position of the core, axon."""

    sent: Int64
    due: Int64
    core: Int64
    axon: Int64

    def where(self, chosen: NDArray[Any]) -> _Arrivals:
        return replace(self, **{name: array[chosen] for name, array in vars(self).items()})

    def and_then(self, others: _Arrivals) -> _Arrivals:
        return replace(
            self, **{name: np.concatenate([array, getattr(others, name)]) for name, array in vars(self).items()}
        )


class CrossbarReference(Reference):
    """The model of a program for Verilog crossbar cores.

    Args:
        build: of the cores; a smaller one has fewer neurons than the model, which are not compared.
        reset_period: ticks of a sample; every sample starts from a clean state.
    """

    def __init__(self, image: ProgramImage, build: CrossbarBuild, reset_period: int):
        cores = image.cores
        count = cores.count
        neurons = (SIZE * np.arange(count)[:, None] + np.arange(build.neurons)).reshape(-1)
        booted = boot_image(image)
        super().__init__(booted, [build.neurons] * count, neurons.astype(np.int64), reset_period)
        assert isinstance(booted.engine, TrueNorthEngine)
        program = booted.engine.program
        self.build, self._host = build, program.host
        self._target = program.neurons.target.reshape(-1)[neurons].astype(np.int64)
        fields = (cores.dx, cores.dy, cores.axon, cores.delay)
        self._packet = np.stack([part.reshape(-1)[neurons].astype(np.int32) for part in fields], axis=1)
        self._draws = np.zeros((count, SIZE), np.int64)
        for core in range(count):
            dice = cores.stochastic[core][:, cores.axon_type[core]].T
            self._draws[core] = (np.unpackbits(cores.crossbar[core], axis=-1) * dice).sum(axis=1, dtype=np.int64)
        self._others = cores.stochastic_leak.sum(axis=1, dtype=np.int64) + (cores.mask_bits > 0).sum(axis=1)
        nothing = np.zeros(0, np.int64)
        self._waiting = _Arrivals(nothing, nothing, nothing, nothing)

    @property
    def most_packets(self) -> int:
        """Packets of a tick in which every neuron spikes."""
        return int(np.count_nonzero(self._packet[:, -1]))

    def events(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> Events:
        """What the host sends into each core: in front of the marker what counts in its own tick, behind it what has a delay."""
        first, last = np.searchsorted(stimulus.tick, [first_tick, last_tick])
        row, route = self._routes(stimulus.source[first:last])
        cell = (stimulus.tick[first:last] - first_tick)[row] * self.cores + self._host.core[route]
        delay = self._host.delay[route]
        word = self._host.axon[route] | np.maximum(delay, 1) << DELAY_SHIFT
        cells = (last_tick - first_tick) * self.cores
        at_once = delay == 0
        before = in_cells(cell[at_once], word[at_once], cells)
        return replace(in_cells(cell[~at_once], word[~at_once], cells), before=before)

    def expected(self, chunk: Chunk, spiked: NDArray[np.bool_], parts: Sequence[Chunk]) -> Expected:
        """Potentials, packets and counts of a chunk."""
        tick, neuron = np.nonzero(spiked & (self._target & DELAY_MASK > 0))
        cell = tick * self.cores + np.searchsorted(self.first_neuron, neuron, side="right") - 1
        sent = np.bincount(cell, minlength=spiked.shape[0] * self.cores)
        arrivals = self._from_outside(chunk).and_then(self._from_neurons(tick + chunk.first_tick, neuron))
        return Expected(
            states=chunk.probes,
            spiked=spiked,
            counts=self._counts(chunk, parts, arrivals, sent.reshape(-1, self.cores)),
            shown=self.build.shown(np.arange(chunk.first_tick, chunk.last_tick), self.reset_period),
            left_range=chunk.range_events["left_range"],
            packet_start=np.concatenate([[0], np.cumsum(sent)]).astype(np.int64),
            packet=self._packet[neuron],
        )

    def _routes(self, source: NDArray[np.int32]) -> tuple[Int64, Int64]:
        return expanded(self._host.start[source], self._host.start[source + 1])

    def _from_outside(self, chunk: Chunk) -> _Arrivals:
        row, route = self._routes(chunk.input_source)
        ticks = np.repeat(np.arange(chunk.first_tick, chunk.last_tick), np.diff(chunk.input_start))[row]
        return _Arrivals(ticks, ticks + self._host.delay[route], self._host.core[route], self._host.axon[route])

    def _from_neurons(self, tick: Int64, neuron: Int64) -> _Arrivals:
        address = self._target[neuron]
        axon = address >> AXON_SHIFT & (SIZE - 1)
        return _Arrivals(tick, tick + (address & DELAY_MASK), address >> CORE_SHIFT, axon)

    def _counts(self, chunk: Chunk, parts: Sequence[Chunk], arrivals: _Arrivals, packets: Int64) -> dict[str, Int64]:
        """What registers count, int64 (ticks, cores) each."""
        ticks = chunk.last_tick - chunk.first_tick
        pieces = [part for part in parts if isinstance(part, CrossbarChunk)]
        events = np.concatenate([part.synaptic_events for part in pieces]).astype(np.int64)
        spikes, merged, active = self._received(arrivals, chunk.first_tick, ticks)
        axon_events = np.concatenate([part.axon_events for part in pieces])
        assert np.array_equal(active.sum(axis=2), axon_events), "the engine saw other active axons"
        assert np.array_equal(merged.sum(axis=0), np.sum([part.merged for part in pieces], axis=0))
        draws = np.einsum("tca,ca->tc", active, self._draws)
        cycles = tick_cycles(self.build, spikes, events, draws, self._others, packets)
        return {"cycles": cycles, "merged": merged, "synaptic_events": events}

    def _received(self, arrivals: _Arrivals, first_tick: int, ticks: int) -> tuple[Int64, Int64, Int64]:
        """Spikes that came in and those of them that met another, by the tick they were sent in (ticks, cores); and the axons
        that are active (ticks, cores, axons).

        A spike that is under way at the end of its sample is forgotten with it.
        """
        shape = ticks, self.cores
        spikes = _counted(arrivals.sent - first_tick, arrivals.core, shape)
        known = self._waiting.and_then(arrivals)
        sample = known.sent // self.reset_period
        order = np.lexsort((known.sent, sample, known.axon, known.core, known.due))
        sorted_by_place = np.stack([known.due, known.core, known.axon, sample])[:, order]
        first = np.ones(order.size, np.bool_)
        first[1:] = np.any(sorted_by_place[:, 1:] != sorted_by_place[:, :-1], axis=0)
        again = known.where(order[~first])
        merged = _counted(again.sent - first_tick, again.core, shape)
        single = known.where(order[first])
        last_tick = first_tick + ticks
        here = single.where(
            (single.due < last_tick) & (single.due // self.reset_period == single.sent // self.reset_period)
        )
        active = np.zeros((*shape, SIZE), np.int64)
        active[here.due - first_tick, here.core, here.axon] = 1
        self._waiting = single.where(single.due >= last_tick)
        return spikes, merged, active


def _counted(tick: Int64, core: Int64, shape: tuple[int, int]) -> Int64:
    cells = shape[0] * shape[1]
    return np.bincount(tick * shape[1] + core, minlength=cells).reshape(shape).astype(np.int64)
