"""Runs a deployed program on the Verilog cores and on the model at once, and tells whether everything agrees."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.cosim.build import Note
from neuroemu.cosim.compare import Difference
from neuroemu.cosim.core import CoreBuild, Stalls
from neuroemu.cosim.course import CoreCount, Course, StartProgress
from neuroemu.cosim.program import RtlProgram
from neuroemu.cosim.reference import Reference
from neuroemu.emulator.protocol import SpikeTimes
from neuroemu.errors import BadInput, Finding
from neuroemu.families import load_family
from neuroemu.families.lifcore.image import FAMILY as LIFCORE
from neuroemu.families.truenorth.image import FAMILY as TRUENORTH
from neuroemu.image.container import Program
from neuroemu.machine import Presented, Run, present
from neuroemu.report.figures import percent

Int64 = NDArray[np.int64]
SCHEMA = "neuroemu.cosim/1"
WAVE_FILE = "difference.vcd"


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
class Agreement:
    """The verdict of a co-simulation.

    Attributes:
        ticks: chip ticks that were compared, of all samples.
        compared: kind of value -> how many were compared.
        clocks: of all Verilog cores, with what starts a sample and reading registers, without loading the program.
        model, rtl: the same run on both sides; None where the first difference ended it.
        classes: whether a sample has a class to predict; a list of spikes for a mapped model has none.
        correct: predictions that are the labels, where samples have some.
        memory: NE7221 for memories that do not hold what was written.
        wave: file name of the waveform around the difference, if one was asked for.
    """

    file: str
    chip: str
    build: CoreBuild
    stalls: Stalls
    samples: int
    ticks: int
    compared: Mapping[str, int]
    clocks: int
    cores: tuple[CoreCount, ...]
    model: Run | None
    rtl: Run | None
    classes: bool
    correct: int | None
    memory: tuple[Finding, ...]
    place: Place | None
    wave: str | None

    @property
    def agrees(self) -> bool:
        return self.place is None and not self.memory

    @property
    def equal_predictions(self) -> int | None:
        """Samples for which both sides predict the same class; None where there is no class, or a difference."""
        if self.model is None or self.rtl is None or not self.model.outputs or not self.classes:
            return None
        return int(np.count_nonzero(self.model.predictions() == self.rtl.predictions()))

    def to_json(self) -> str:
        """``neuroemu.cosim/1``."""
        document = {
            "schema": SCHEMA,
            "program": self.file,
            "chip": self.chip,
            "agrees": self.agrees,
            "build": {"top": self.build.top, **_settings(self.build)},
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

        stages = _settings(self.build).get("stages")
        cores = f"Verilog cores {self.build.top}"
        if stages is not None:
            cores += f" of {stages} stage{'s' if stages > 1 else ''}"
        console.print(f"{self.file} on {self.chip}: {cores} beside the Python model", markup=False, soft_wrap=True)
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
        if self.equal_predictions is None:
            return
        told = f"{self.equal_predictions:,} of {self.samples:,} predictions are equal"
        if self.correct is not None:
            told += f", {percent(self.correct / self.samples)} right"
        console.print(told, markup=False, highlight=False)


def cosimulate(
    program: Program,
    inputs: ArrayLike | Mapping[str, ArrayLike] | SpikeTimes,
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
            NE7217 for a program of another family, NE7219 for stages that its core does not have, those of ``Machine.run`` for
            the inputs.
        DoesNotFit: NE7210 to NE7216 for what the Verilog core lacks.
        NoAnswer: NE7222 for Verilog that is stuck before the first tick.
    """
    rtl = rtl_program(program, stages, file)
    booted = load_family(rtl.family).boot(program)
    presented = present(booted, inputs)
    course = Course(
        rtl, presented.stimulus, presented.samples * presented.period, presented.period, stalls, folder, note
    )
    difference = course.run(progress)
    place = None if difference is None else _place(difference, rtl, course.reference, presented.period)
    if difference is not None and wave is not None:
        course.write_wave(difference, wave, progress)
    model, rtl_run = (None, None) if difference is not None or course.memory else _runs(rtl, course, presented)
    correct = None
    if rtl_run is not None and rtl_run.outputs and labels is not None:
        correct = int(np.count_nonzero(rtl_run.predictions() == labels))
    return Agreement(
        file=file,
        chip=rtl.chip,
        build=rtl.build,
        stalls=course.stalls,
        samples=presented.samples,
        ticks=course.ticks,
        compared=course.compared(),
        clocks=course.clocks,
        cores=course.core_counts(),
        model=model,
        rtl=rtl_run,
        classes=not isinstance(inputs, SpikeTimes),
        correct=correct,
        memory=course.memory,
        place=place,
        wave=wave.name if place is not None and wave is not None else None,
    )


def rtl_program(program: Program, stages: int = 1, file: str = "program") -> RtlProgram:
    """A program for the Verilog cores of its family; errors as :func:`cosimulate`."""
    family = program.manifest.get("family")
    if family == LIFCORE:
        from neuroemu.cosim import lif_program
        from neuroemu.families.lifcore.image import unpack as unpack_lif

        return lif_program.prepared(unpack_lif(program), stages)
    if family == TRUENORTH:
        from neuroemu.cosim import crossbar_program
        from neuroemu.families.truenorth.image import unpack as unpack_crossbar

        return crossbar_program.prepared(unpack_crossbar(program), stages)
    fixes = ("deploy with --chip lifcore-rtl or --chip truenorth",)
    message = f"the program is for family {family!r}; there are Verilog cores for {LIFCORE} and {TRUENORTH}"
    raise BadInput(Finding("NE7217", message, file, fixes))


def _settings(build: CoreBuild) -> dict[str, int]:
    """Parameters of a build."""
    return {name.lower(): value for name, value in build.parameters.items()}


def _runs(rtl: RtlProgram, course: Course, presented: Presented) -> tuple[Run, Run]:
    """The run as the model and as the Verilog cores computed it, for predictions."""
    booted = course.reference.booted
    told = load_family(rtl.family).costs(booted, presented.samples)
    shape = presented.samples, presented.ticks, presented.period
    sides = [
        Run(booted, *shape, recording, told, course.probed, lambda *given: {}) for recording in course.recordings()
    ]
    return sides[0], sides[1]


def _place(difference: Difference, rtl: RtlProgram, reference: Reference, period: int) -> Place:
    """The difference by the names that a user knows."""
    sample, tick = divmod(difference.tick, period)
    since = None if difference.since is None else divmod(difference.since, period)
    population, index = None, None
    if difference.neuron is not None:
        engine_neuron = reference.engine_neurons[reference.first_neuron[difference.core] + difference.neuron]
        for name, neurons in reference.booted.neurons_of.items():
            found = np.flatnonzero(neurons == engine_neuron)
            if found.size:
                population, index = name, int(found[0])
    return Place(sample, tick, rtl.numbers[difference.core], difference.neuron, population, index, difference, since)


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
