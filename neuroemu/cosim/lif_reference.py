"""What the model of open LIF cores does in the same ticks: the engine of families/lifcore, with every state, packet and cycle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import Events
from neuroemu.cosim.lif import Build
from neuroemu.cosim.reference import Expected, Reference, expanded, in_cells
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.families.lifcore.boot import boot
from neuroemu.families.lifcore.image import ProgramImage, pack
from neuroemu.families.lifcore.timing import CycleMeter


class LifReference(Reference):
    """The model of a program for Verilog LIF cores.

    Args:
        image: what the Verilog cores hold.
        build: of the cores, with the cycle contract that they keep.
        reset_period: ticks of a sample; every sample starts from a clean state.
    """

    def __init__(self, image: ProgramImage, build: Build, reset_period: int):
        booted = boot(pack(image))
        meter = booted.meter
        assert isinstance(meter, CycleMeter)
        super().__init__(booted, meter.neurons.tolist(), np.arange(meter.neurons.sum(), dtype=np.int64), reset_period)
        self.image, self.build = image, build
        self.meter = CycleMeter(meter.traffic, meter.neurons, build.cycles)
        self._routes = np.concatenate([[0], *(np.diff(core.route_start) for core in image.cores)]).cumsum()
        parts = [np.stack([core.route_core, core.route_axon], axis=1) for core in image.cores]
        self._route = np.concatenate([np.zeros((0, 2), np.int64), *parts])
        self._position = np.zeros(max((core.core for core in image.cores), default=0) + 1, np.int64)
        self._position[[core.core for core in image.cores]] = np.arange(self.cores)

    @property
    def most_packets(self) -> int:
        """Packets of a tick in which every neuron spikes."""
        return int(self._routes[-1])

    def events(self, stimulus: Stimulus, first_tick: int, last_tick: int) -> Events:
        """What the host sends into each core, along the program's routes of its sources."""
        first, last = np.searchsorted(stimulus.tick, [first_tick, last_tick])
        source = stimulus.source[first:last]
        start = self.image.host_start
        row, route = expanded(start[source], start[source + 1])
        cell = (stimulus.tick[first:last] - first_tick)[row] * self.cores + self._position[self.image.host_core[route]]
        return in_cells(cell, self.image.host_axon[route], (last_tick - first_tick) * self.cores)

    def expected(self, chunk: Chunk, spiked: NDArray[np.bool_], parts: Sequence[Chunk]) -> Expected:
        """States, packets and cycles of a chunk."""
        for part in parts:
            self.meter.observe(part)
        rows, neuron = np.nonzero(spiked)
        spike, route = expanded(self._routes[neuron], self._routes[neuron + 1])
        core = np.searchsorted(self.first_neuron, neuron, side="right") - 1
        sent = np.bincount((rows * self.cores + core)[spike], minlength=spiked.shape[0] * self.cores)
        received, own = self.meter.cycles_of(self.meter.counter.per_tick(chunk))
        return Expected(
            states=chunk.probes,
            spiked=spiked,
            counts={"cycles": received + own},
            shown=self.build.shown(np.arange(chunk.first_tick, chunk.last_tick), self.reset_period),
            left_range=chunk.range_events["left_range"],
            packet_start=np.concatenate([[0], np.cumsum(sent)]).astype(np.int64),
            packet=self._route[route],
        )
