"""One simulated crossbar core as a list of spikes and markers drives it: for tests of its ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import LEFT_RANGE, SPIKED, Events, Record, RtlCores
from neuroemu.cosim.crossbar import CrossbarBuild
from neuroemu.cosim.crossbar_program import CoreMemory, core_words, potentials
from neuroemu.families.truenorth.registers import address, register

MARKER = 1 << 31
"""Ends a tick; a spike is ``axon | delay << 8``."""


@dataclass(frozen=True)
class Batch:
    """What came out of some ticks: packets of each tick, state after it (ticks, neurons), clocks of all ticks."""

    packets: list[NDArray[np.int32]]
    v: NDArray[np.int32]
    spiked: NDArray[np.bool_]
    left_range: NDArray[np.bool_]
    clocks: int


class OneCrossbar:
    """A core of a build, out of reset; its packets go nowhere, not even to itself."""

    def __init__(self, build: CrossbarBuild, folder: Path | None = None):
        self.build = build
        self._cores = RtlCores(build, [build.neurons], [0], folder=folder)

    def close(self) -> None:
        """Free the simulation."""
        self._cores.close()

    def write(self, place: int, words: Any) -> None:
        """Write words to one address, one after the other."""
        self._cores.write(0, np.full(len(words), place, np.uint32), np.asarray(words))

    def read(self, place: int, count: int = 1) -> NDArray[np.uint32]:
        """Read words from one address, one after the other."""
        return self._cores.read(0, np.full(count, place, np.uint32))

    def load(self, memory: CoreMemory) -> None:
        """Write everything of one core, then clear."""
        for words in core_words(memory, self.build):
            words.write(self._cores, 0)
        self.write(register("control"), [1])
        self.read(register("status"))  # served when the clear is over

    def potentials(self) -> NDArray[np.int32]:
        """The potentials in the row memory, read back over the bus."""
        return potentials(self._cores, 0)

    def axon_types(self) -> NDArray[np.uint32]:
        """The words of the axon types, read back over the bus."""
        return self.read(address("axon_type"), -(-self.build.axons // 16))

    def counters(self) -> dict[str, int]:
        """Every counter since the last clear, and ``error``."""
        found = {name: int(self.read(register(name))[0]) for name in self.build.counters}
        return found | {"error": int(self.read(register("status"))[0])}

    def interrupt(self, events: NDArray[np.uint32], clocks: int) -> None:
        """Begin to run ``events`` and reset the core after so many clocks."""
        record = self._run(events, clocks)
        assert record.fault is not None and record.fault.what == "was stopped"
        self._cores.reset()

    def reset(self) -> None:
        """The reset line."""
        self._cores.reset()

    def run(self, events: NDArray[np.uint32]) -> Batch:
        """Spikes and markers in, everything out; spikes behind the last marker are taken too."""
        record = self._run(events)
        assert record.fault is None, record.fault
        flags = record.flags
        return Batch(
            packets=np.split(record.packet, record.packet_start[1:-1]),
            v=record.states["v"],
            spiked=(flags & SPIKED) != 0,
            left_range=(flags & LEFT_RANGE) != 0,
            clocks=int(record.counted.sum()),
        )

    def _run(self, events: NDArray[np.uint32], most_clocks: int = 1 << 62) -> Record:
        ends = np.flatnonzero(events & MARKER)
        first = np.concatenate([[0], ends + 1])
        *parts, late = (part[part & MARKER == 0] for part in np.split(events.astype(np.uint32), ends + 1))
        assert first.size > 1, "events without a marker"
        size = np.array([part.size for part in parts])
        before = Events(np.concatenate([[0], np.cumsum(size)]), np.concatenate(parts))
        start = np.zeros(len(parts) + 1, np.int64)
        start[-1] = late.size
        room = len(parts) * self.build.neurons
        return self._cores.run(Events(start, late, before), 1, packet_room=room, reads=0, most_clocks=most_clocks)
