"""A program for Verilog cores of any family: the build that holds it, the words that go into every core, the model beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.build import Note
from neuroemu.cosim.core import CoreBuild, RtlCores, Word
from neuroemu.cosim.reference import Reference
from neuroemu.errors import Finding


@dataclass(frozen=True)
class Memory:
    """Words of one region or register of a core, and where they go.

    Attributes:
        address, word: uint32, written one after the other.
        seek: address and word that are written before these are written, and before they are read back.
        bits: how many of all bits count, the first ones; None for all.
        lasting: masks, as ``word``, of what no tick changes; None for all.
    """

    name: str
    address: Word
    word: Word
    seek: tuple[int, int] | None = None
    bits: int | None = None
    lasting: Word | None = None

    def write(self, cores: RtlCores, position: int) -> None:
        """Into a core."""
        self._go(cores, position)
        cores.write(position, self.address, self.word)

    def wrong(self, cores: RtlCores, position: int, after_ticks: bool = False) -> int:
        """Words of a core that are not these, or are not after ticks that may have changed the rest."""
        self._go(cores, position)
        differs = cores.read(position, self.address) ^ self.word
        if after_ticks and self.lasting is not None:
            differs &= self.lasting
        if self.bits is not None and self.bits % 32:
            differs[-1] &= np.uint32((1 << self.bits % 32) - 1)
        return int(np.count_nonzero(differs))

    def _go(self, cores: RtlCores, position: int) -> None:
        if self.seek is not None:
            cores.write(position, np.array(self.seek[:1], np.uint32), np.array(self.seek[1:]))


@dataclass(frozen=True)
class RtlProgram:
    """What a family says about a program of its cores.

    Attributes:
        sizes, numbers: neurons in use, and number on the chip, of every core.
        columns: of the mesh on which packets travel by distance.
        memories: of every core, what is loaded once.
        restarts: of every core, addresses and words that start a sample.
        states: reads states of a core's neurons from its memory, name -> int32 (size,); ``v`` among them.
        reference: reset period -> the model.
    """

    chip: str
    family: str
    build: CoreBuild
    sizes: tuple[int, ...]
    numbers: tuple[int, ...]
    columns: int
    memories: tuple[tuple[Memory, ...], ...]
    restarts: tuple[tuple[Word, Word], ...]
    states: Callable[[RtlCores, int], dict[str, NDArray[np.int32]]]
    reference: Callable[[int], Reference]

    def cores(
        self, trace: bool = False, folder: Path | None = None, note: Note | None = None, noise: int = 0
    ) -> RtlCores:
        """Verilog cores for the program, not yet loaded; arguments and errors as :class:`RtlCores`."""
        return RtlCores(self.build, self.sizes, self.numbers, self.columns, trace, folder, note, noise)

    def load(self, cores: RtlCores) -> tuple[Finding, ...]:
        """Write every core's words and read them back.

        NE7221 for each memory that does not return what was written, and for registers that tell of another build.
        """
        findings = []
        cores.restart_with(self.restarts)
        for position, memories in enumerate(self.memories):
            for memory in memories:
                memory.write(cores, position)
            told = [*self._another_build(cores, position)]
            for memory in memories:
                if wrong := memory.wrong(cores, position):
                    told.append(f"{wrong} of {memory.word.size} words of {memory.name} are not what was written")
            where, fixes = f"core {self.numbers[position]}", ("look at the configuration bus",)
            findings += [Finding("NE7221", message, where, fixes) for message in told]
        return tuple(findings)

    def _another_build(self, cores: RtlCores, position: int) -> Iterator[str]:
        for name, wanted in self.build.constants.items():
            found = int(cores.read(position, self.build.register(name))[0])
            if found != wanted:
                yield f"register {name} is {found:#010x}, of this build it is {wanted:#010x}"

    def changed(self, cores: RtlCores, position: int) -> dict[str, int]:
        """Memory or register -> words of a core that ticks have changed though they must not."""
        found = {memory.name: memory.wrong(cores, position, True) for memory in self.memories[position]}
        found |= {"build registers": sum(1 for _ in self._another_build(cores, position))}
        return {name: words for name, words in found.items() if words}
