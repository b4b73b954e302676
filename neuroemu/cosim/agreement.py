"""Runs a deployed program on the Verilog cores and on the model at once, and tells whether everything agrees."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.cosim.build import Note
from neuroemu.cosim.compare import LEFT, Difference, first_difference, first_left_range
from neuroemu.cosim.core import SPIKED, Build, Record, RtlCores, Stalls
from neuroemu.cosim.program import load, prepared
from neuroemu.cosim.reference import Reference
from neuroemu.emulator.runner import Recording
from neuroemu.errors import BadInput, Finding
from neuroemu.families.lifcore.boot import costs
from neuroemu.families.lifcore.image import FAMILY, ProgramImage, unpack
from neuroemu.image.container import Program
from neuroemu.machine import Presented, Run, present
from neuroemu.report.figures import percent

Int64 = NDArray[np.int64]
StartProgress = Callable[[str], Callable[[int, int], None]]

SCHEMA = "neuroemu.cosim/1"
WAVE_FILE = "difference.vcd"
_CELLS = 1 << 20
"""States of one kind that are compared at a time."""
_AROUND = 1
"""Ticks before the first difference, and after it, that a waveform shows."""


@dataclass(frozen=True)
class Place:
    """A difference in the user's terms: sample and chip tick within it, core number, population and neuron where there is one.

    ``since``: sample and tick from which on a register counted that is read behind some ticks only.
    """

    sample: int
    tick: int
    core: int
    neuron: int | None
    population: str | None
    index: int | None
    what: Difference
    since: tuple[int, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``--json``."""
        return {
            "sample": self.sample,
            "tick": self.tick,
            "core": self.core,
            "neuron": self.neuron,
            "population": self.population,
            "index": self.index,
            "since": None if self.since is None else {"sample": self.since[0], "tick": self.since[1]},
            "quantities": list(self.what.quantities),
            "model": self.what.model,
            "rtl": self.what.rtl,
        }


@dataclass(frozen=True)
class CoreCount:
    """What a Verilog core did in all ticks that were compared."""

    core: int
    neurons: int
    spikes: int
    packets: int
    cycles: int
    stalls: int


@dataclass(frozen=True)
class Agreement:
    """The verdict of a co-simulation.

    Attributes:
        ticks: chip ticks that were compared, of all samples.
        compared: kind of value -> how many were compared.
        clocks: of all Verilog cores, with loading and reading counters.
        model, rtl: the same run on both sides; None where the first difference ended it.
        correct: predictions that are the labels, where samples have some.
        memory: NE7221 for memories that do not hold what was written.
        wave: file name of the waveform around the difference, if one was asked for.
    """

    file: str
    chip: str
    build: Build
    stalls: Stalls
    samples: int
    ticks: int
    compared: Mapping[str, int]
    clocks: int
    cores: tuple[CoreCount, ...]
    model: Run | None
    rtl: Run | None
    correct: int | None
    memory: tuple[Finding, ...]
    place: Place | None
    wave: str | None

    @property
    def agrees(self) -> bool:
        return self.place is None and not self.memory

    @property
    def equal_predictions(self) -> int | None:
        """Samples for which both sides predict the same class."""
        if self.model is None or self.rtl is None:
            return None
        return int(np.count_nonzero(self.model.predictions() == self.rtl.predictions()))

    def to_json(self) -> str:
        """``neuroemu.cosim/1``."""
        document = {
            "schema": SCHEMA,
            "program": self.file,
            "chip": self.chip,
            "agrees": self.agrees,
            "build": asdict(self.build),
            "stalls": asdict(self.stalls),
            "samples": self.samples,
            "ticks": self.ticks,
            "compared": dict(self.compared),
            "clocks": self.clocks,
            "cores": [asdict(core) for core in self.cores],
            "predictions": {"equal": self.equal_predictions, "correct": self.correct},
            "memory": [finding.to_dict() for finding in self.memory],
            "difference": None if self.place is None else self.place.to_dict(),
            "waveform": self.wave,
        }
        return json.dumps(document, indent=1) + "\n"

    def print(self, console: Any) -> None:
        """The verdict for people."""
        from rich.table import Table

        stages = f"{self.build.stages} stage{'s' if self.build.stages > 1 else ''}"
        console.print(f"{self.file} on {self.chip}: Verilog cores of {stages} beside the Python model", markup=False)
        table = Table()
        for heading in ("core", "neurons", "spikes", "packets", "cycles", "stalls"):
            table.add_column(heading, justify="right")
        for core in self.cores:
            table.add_row(*(f"{value:,}" for value in asdict(core).values()))
        console.print(table)
        for finding in self.memory:
            console.print(str(finding), markup=False, soft_wrap=True)
        if self.place is not None:
            _print_difference(self.place, self.wave, console)
            return
        if not self.agrees:
            return
        counted = ", ".join(f"{count:,} {name}" for name, count in self.compared.items())
        console.print(
            f"agree: {self.samples:,} samples, {self.ticks:,} ticks: {counted}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        told = f"{self.equal_predictions:,} of {self.samples:,} predictions are equal"
        if self.correct is not None:
            told += f", {percent(self.correct / self.samples)} right"
        console.print(told, markup=False, highlight=False)


def cosimulate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    *,
    file: str = "program",
    labels: NDArray[np.int64] | None = None,
    stages: int = 1,
    stalls: Stalls | None = None,
    wave: Path | None = None,
    progress: StartProgress | None = None,
    note: Note | None = None,
    folder: Path | None = None,
) -> Agreement:
    """Present samples to a program on both sides and compare every spike, state, packet and cycle of every tick.

    Args:
        inputs: as :meth:`neuroemu.machine.Machine.run`.
        labels: right classes (samples,).
        stages: of the pipeline, 1 or 3; the cycle contract is that of the build.
        stalls: how often events and packets are held back.
        wave: file for a waveform of the ticks around the first difference.
        note: told before something is built.
        folder: Verilog sources instead of those of the package.

    Raises:
        BadInput: NE7201 to NE7204 for tools, NE7206 for a folder without the core,
            NE7217 for a program of another family, those of ``Machine.run`` for the inputs.
        DoesNotFit: NE7210 to NE7216 for what the Verilog core lacks.
        NoAnswer: NE7222 for Verilog that is stuck before the first tick.
    """
    family = program.manifest.get("family")
    if family != FAMILY:
        fixes = ("deploy with --chip lifcore-rtl",)
        raise BadInput(
            Finding("NE7217", f"the program is for family {family!r}; the Verilog core is a {FAMILY}", file, fixes)
        )
    image, build = prepared(unpack(program), stages)
    course = _Course(image, build, inputs, stalls or Stalls(), folder, note)
    difference = course.run(progress)
    place = None if difference is None else course.place(difference)
    if difference is not None and wave is not None:
        course.write_wave(difference, wave, progress)
    model, rtl = (None, None) if difference is not None or course.memory else course.runs()
    correct = None
    if rtl is not None and labels is not None:
        correct = int(np.count_nonzero(rtl.predictions() == labels))
    return Agreement(
        file=file,
        chip=str(image.chip["name"]),
        build=build,
        stalls=course.stalls,
        samples=course.presented.samples,
        ticks=course.ticks,
        compared=course.compared(),
        clocks=course.clocks,
        cores=course.core_counts(),
        model=model,
        rtl=rtl,
        correct=correct,
        memory=course.memory,
        place=place,
        wave=wave.name if place is not None and wave is not None else None,
    )


class _Course:
    """A co-simulation so far."""

    def __init__(
        self,
        image: ProgramImage,
        build: Build,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        stalls: Stalls,
        folder: Path | None,
        note: Note | None,
    ):
        self.image, self.build, self.stalls, self.folder, self.note = image, build, stalls, folder, note
        self.sizes, self.numbers = [core.size for core in image.cores], [core.core for core in image.cores]
        reference = Reference(image, build.cycles, 1)
        self.presented: Presented = present(reference.booted, inputs)
        reference.reset_period = self.presented.period
        self.reference = reference
        self.memory: tuple[Finding, ...] = ()
        self.ticks = self.clocks = 0
        self._counts = np.zeros((4, len(self.sizes)), np.int64)
        booted = reference.booted
        self._probed = tuple(symbol.name for symbol in booted.symbols.populations if not symbol.spiking)
        columns = [booted.neurons_of[name] for name in self._probed]
        self._columns = np.concatenate([np.zeros(0, np.int64), *columns])
        self._spikes: list[Any] = []
        self._model_states: list[Any] = []
        self._rtl_states: list[Any] = []

    @property
    def total(self) -> int:
        """Ticks in all."""
        return self.presented.samples * self.presented.period

    def run(self, progress: StartProgress | None) -> Difference | None:
        """Everything, batch by batch; a difference is told with its tick of the whole run."""
        advance = None if progress is None else progress("ticks on both sides")
        with RtlCores(self.build, self.sizes, self.numbers, folder=self.folder, note=self.note) as cores:
            self.memory = load(self.image, cores)
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

    def _batch(self) -> int:
        return max(1, _CELLS // max(self.reference.neurons, 1))

    def _record(self, cores: RtlCores, first: int, last: int) -> Record:
        events = self.reference.events(self.presented.stimulus, first, last)
        room = self.reference.most_packets * (last - first)
        return cores.run(events, first, self.presented.period, self.stalls, room)

    def _compare(self, cores: RtlCores, last: int) -> Difference | None:
        """Both sides until ``last``; what agrees is counted, a difference is told with its tick of the whole run."""
        first = self.ticks
        expected, chunk = self.reference.advance(self.presented.stimulus, first, last)
        record = self._record(cores, first, last)
        difference = first_difference(expected, record, self.reference.first_neuron.tolist())
        if difference is not None and difference.quantities == (LEFT,):
            difference = self._left_range(record, first, last)
        self._count(record, record.ticks if difference is None else min(difference.tick, record.ticks))
        if difference is not None:
            since = None if difference.since is None else first + difference.since
            return replace(difference, tick=first + difference.tick, since=since)
        row, neuron = np.nonzero(record.flags & SPIKED)
        rtl = (row + first).astype(np.int32), (neuron + self.reference.inputs).astype(np.int32)
        self._spikes.append(((chunk.spike_tick, chunk.spike_source), rtl))
        self._model_states.append(chunk.probes[self.reference.booted.membrane][:, self._columns])
        self._rtl_states.append(record.v[:, self._columns])
        return None

    def _left_range(self, record: Record, first: int, last: int) -> Difference | None:
        """Where ranges were left at other times, which the model's sums over the batch do not tell: tick by tick."""
        again = self.reference.left_range_again(self.presented.stimulus, first, last)
        return first_left_range(again, record, self.reference.first_neuron.tolist())

    def _count(self, record: Record, ticks: int) -> None:
        """Add the first ticks of a batch."""
        cores = len(self.sizes)
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
        cells = self.ticks * len(self.sizes)
        return {
            "spikes": int(self._counts[0].sum()),
            "state words": 3 * self.ticks * self.reference.neurons,
            "packets": int(self._counts[1].sum()),
            "cycles of cores and ticks": cells,
        }

    def core_counts(self) -> tuple[CoreCount, ...]:
        rows = zip(self.numbers, self.sizes, *self._counts.tolist(), strict=True)
        return tuple(CoreCount(*row) for row in rows)

    def runs(self) -> tuple[Run, Run]:
        """The run as the model and as the Verilog cores computed it, for predictions."""
        booted, shape = self.reference.booted, self.presented
        told = costs(booted, shape.samples)
        sides = []
        for side, states in enumerate((self._model_states, self._rtl_states)):
            tick, source = (np.concatenate([part[side][axis] for part in self._spikes]) for axis in (0, 1))
            probes = {booted.membrane: np.concatenate(states)}
            recording = Recording(self.total, False, tick, source, probes)
            sides.append(
                Run(booted, shape.samples, shape.ticks, shape.period, recording, told, self._probed, lambda *given: {})
            )
        return sides[0], sides[1]

    def place(self, difference: Difference) -> Place:
        """The difference by the names that a user knows."""
        sample, tick = divmod(difference.tick, self.presented.period)
        since = None if difference.since is None else divmod(difference.since, self.presented.period)
        number = self.numbers[difference.core]
        population, index = None, None
        if difference.neuron is not None:
            engine_neuron = int(self.reference.first_neuron[difference.core]) + difference.neuron
            for name, neurons in self.reference.booted.neurons_of.items():
                found = np.flatnonzero(neurons == engine_neuron)
                if found.size:
                    population, index = name, int(found[0])
        return Place(sample, tick, number, difference.neuron, population, index, difference, since)

    def write_wave(self, difference: Difference, file: Path, progress: StartProgress | None) -> None:
        """Run everything up to the difference again on cores that can be watched, and write the ticks around it."""
        first, last = max(difference.tick - _AROUND, 0), min(difference.tick + 1 + _AROUND, self.total)
        advance = None if progress is None else progress("ticks to the waveform")
        with RtlCores(self.build, self.sizes, self.numbers, trace=True, folder=self.folder, note=self.note) as cores:
            load(self.image, cores)
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


def _print_difference(place: Place, wave: str | None, console: Any) -> None:
    from rich.table import Table

    where = f"sample {place.sample}, tick {place.tick}, core {place.core}"
    if place.neuron is not None:
        where += f", neuron {place.neuron}"
    if place.population is not None:
        where += f" ({place.population}[{place.index}])"
    if place.since is not None:
        where += f", counted since sample {place.since[0]}, tick {place.since[1]}"
    what = place.what
    console.print(
        f"differ first in {', '.join(what.quantities)}: {where}", markup=False, highlight=False, soft_wrap=True
    )
    table = Table()
    for heading in ("", "model", "Verilog"):
        table.add_column(heading, overflow="fold")
    for name in what.model:
        table.add_row(name, str(what.model[name]), str(what.rtl[name]))
    console.print(table)
    hint = f"waveform of the ticks around it: {wave}" if wave else "-o FOLDER adds a waveform of the ticks around it"
    console.print(hint, markup=False, highlight=False, soft_wrap=True)
