"""Runs a deployed program: boots it, feeds samples, reads spikes back under the names the user knows."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu import __version__
from neuroemu.cost.estimate import CostReport
from neuroemu.emulator.protocol import SpikeTimes, Stimulus
from neuroemu.emulator.runner import Progress, Recording, run_ticks
from neuroemu.emulator.snapshot_folder import Keeper, Snapshots
from neuroemu.errors import BadInput, Finding
from neuroemu.families import Booted, Family, load_family
from neuroemu.image.container import Program, program_digest, read_program
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols, unpack_symbols
from neuroemu.report.build import Report, build_report, symbols_section
from neuroemu.spec import ChipSpec

Int64 = NDArray[np.int64]

MOST_INPUT_SPIKES = 1 << 31
MOST_COMPARED = 1000
"""Samples compared with the float network unless told otherwise."""

Describe = Callable[["Run", "NDArray[np.int64] | None", int], dict[str, Any]]
"""(run, labels, samples to compare) -> report document."""


@dataclass(frozen=True)
class Run:
    """What a program computed for a batch of samples.

    Attributes:
        samples, ticks: samples presented and ticks of input per sample.
        period: chip ticks per sample, ``ticks`` plus the lag of the last layer.
        recording: raw spikes and probes.
        probed: populations whose states were recorded, in the order of the recording's columns.
        describe: builds the report document; a run of a deployment knows the network, one of a bare program its symbols.
    """

    booted: Booted
    samples: int
    ticks: int
    period: int
    recording: Recording
    costs: CostReport
    probed: tuple[str, ...]
    describe: Describe

    def report(self, labels: ArrayLike | None = None, compared: int = MOST_COMPARED) -> Report:
        """Accuracy, fidelity, latency, energy and what limits it.

        Args:
            labels: right classes (samples,), for accuracy.
            compared: samples to compare with the float network (deployments only); 0 compares none.

        Raises:
            BadInput: NE6016 for labels of another number than samples.
        """
        classes = None if labels is None else np.asarray(labels, np.int64)
        if classes is not None and classes.shape != (self.samples,):
            raise BadInput(
                Finding("NE6016", f"labels have the shape {classes.shape}, the run has {self.samples} samples")
            )
        return Report(self.describe(self, classes, compared))

    @property
    def complete_samples(self) -> int:
        """Samples that ran to their end (fewer than ``samples`` after an interruption)."""
        return min(self.samples, self.recording.ticks // max(self.period, 1))

    @property
    def interrupted(self) -> bool:
        return self.recording.interrupted

    @property
    def populations(self) -> tuple[PopulationSymbol, ...]:
        return self.booted.symbols.populations

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.booted.symbols.outputs

    def spikes(self, population: str) -> NDArray[np.uint8]:
        """Spikes of a population, uint8 (samples, ticks, size), aligned with the network's steps."""
        symbol = self.booted.symbols.population(population)
        counts = np.zeros((self.samples, self.ticks, symbol.size), np.uint8)
        sample, tick, neuron = self.events(population)
        step = tick - symbol.tick_offset
        inside = (step >= 0) & (step < self.ticks)
        counts[sample[inside], step[inside], neuron[inside]] = 1
        return counts

    def events(self, population: str) -> tuple[Int64, Int64, Int64]:
        """(sample, chip tick within the sample, neuron) of every spike of a population, in time order."""
        place = self._place_of_neuron[1][self._neuron_numbers]
        chosen = self._place_of_neuron[0][self._neuron_numbers] == self._number(population)
        tick = self.recording.spike_tick[chosen].astype(np.int64)
        return tick // self.period, tick % self.period, place[chosen]

    def membranes(self, population: str) -> NDArray[np.int32]:
        """Membranes of a probed population in chip units, int32 (samples, ticks, size), aligned with the network."""
        return self.state(population, self.booted.membrane)

    def state(self, population: str, name: str) -> NDArray[np.int32]:
        """A recorded state (``u``, ``v``, ...) of a probed population, int32 (samples, ticks, size), network steps.

        Raises:
            KeyError: the population was not probed or the chip has no such state.
        """
        symbol = self.booted.symbols.population(population)
        columns = self._probed_columns(population)
        whole = np.zeros((self.samples * self.period, symbol.size), np.int32)
        if self.recording.ticks:
            whole[: self.recording.ticks] = self.recording.probes[name][:, columns]
        by_sample = whole.reshape(self.samples, self.period, symbol.size)
        return by_sample[:, symbol.tick_offset : symbol.tick_offset + self.ticks]

    def output_sums(self) -> NDArray[np.int64]:
        """Summed spikes (or membranes of an analog output) of the first output, int64 (samples, size)."""
        name = self.outputs[0]
        symbol = self.booted.symbols.population(name)
        if not symbol.spiking:
            return np.asarray(self.membranes(name).sum(axis=1, dtype=np.int64))
        sample, tick, neuron = self.events(name)
        inside = (tick >= symbol.tick_offset) & (tick < symbol.tick_offset + self.ticks)
        bins = sample[inside] * symbol.size + neuron[inside]
        return np.bincount(bins, minlength=self.samples * symbol.size).reshape(self.samples, symbol.size)

    def predictions(self) -> Int64:
        """Class with the largest output sum, the lowest on a tie, int64 (samples,)."""
        return np.asarray(np.argmax(self.output_sums(), axis=1), np.int64)

    def _number(self, population: str) -> int:
        return [symbol.name for symbol in self.populations].index(population)

    @cached_property
    def _neuron_numbers(self) -> Int64:
        return self.recording.spike_source.astype(np.int64) - self.booted.inputs

    @cached_property
    def _place_of_neuron(self) -> tuple[Int64, Int64]:
        """Population number and index within it of every engine neuron."""
        owner = np.full(self.booted.engine.neurons, -1, np.int64)
        place = np.zeros(self.booted.engine.neurons, np.int64)
        for number, symbol in enumerate(self.populations):
            neurons = self.booted.neurons_of[symbol.name]
            owner[neurons] = number
            place[neurons] = np.arange(symbol.size)
        return owner, place

    def _probed_columns(self, population: str) -> Int64:
        start = 0
        for name in self.probed:
            size = self.booted.symbols.population(name).size
            if name == population:
                return np.arange(start, start + size)
            start += size
        raise KeyError(f"{population} was not probed; probed: {', '.join(self.probed) or 'nothing'}")


class Machine:
    """A chip with a program in it.

    Args:
        file: name of the file that the program came from.
        mapped_by: ``partitioner`` and ``placer``, where they are known; a program file does not hold them.
    """

    def __init__(self, program: Program, file: str | None = None, mapped_by: Mapping[str, str] | None = None):
        self.program = program
        self.file = file
        self.mapped_by = mapped_by or {}
        self.family: Family = load_family(str(program.manifest.get("family", "")))

    @classmethod
    def load(cls, path: str | Path) -> Machine:
        """Read a program file; raises BadInput for a damaged one."""
        return cls(read_program(Path(path)), Path(path).name)

    def with_seed(self, seed: int) -> Machine:
        """The same program with another seed of the chip's noise."""
        program = Program({**self.program.manifest, "seed": seed}, self.program.sections)
        return Machine(program, self.file, self.mapped_by)

    @cached_property
    def symbols(self) -> Symbols:
        """Names of inputs and populations."""
        return unpack_symbols(self.program)

    @cached_property
    def chip(self) -> ChipSpec:
        """The chip description that is embedded in the program."""
        return ChipSpec.from_dict(self.program.manifest["chip"])

    @property
    def ports(self) -> tuple[Port, ...]:
        """The inputs a user feeds."""
        return tuple(port for port in self.symbols.inputs if not port.constant)

    def run(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike] | SpikeTimes,
        progress: Progress | None = None,
        probes: Sequence[str] = (),
        describe: Describe | None = None,
        snapshots: Snapshots | None = None,
        threads: int = 1,
    ) -> Run:
        """Present samples one after the other, each from a clean state.

        Args:
            inputs: spike counts ``(samples, ticks, *port shape)``, or a mapping port name -> such an array; or the spikes of one
                sample by host source, for programs without constant ports.
            progress: called with (ticks done, ticks in all).
            probes: populations whose currents and membranes are recorded in every tick (analog outputs always are).
            describe: builds the run's report; by default from what the program's symbols tell.
            snapshots: where the state of the run is kept, how often, and whether to go on from it; a resumed run gives the
                same bits as one that was never interrupted. They stay until ``snapshots.remove()``.
            threads: how many emulate the chip together; changes speed, never a bit of the result.

        Ctrl-C ends the run with the chunk of ticks under way and keeps what was done (``Run.interrupted``); a second one
        raises KeyboardInterrupt at once.

        Raises:
            BadInput: NE6001 for inputs that do not fit the ports, NE6002 for values that are no spike counts, NE6008 for
                an unknown population to probe, NE6010, NE6020 to NE6022 and NE6025 for snapshots that cannot be written or used.
        """
        booted = self.family.boot(self.program, threads=threads)
        presented = present(booted, inputs)
        samples, ticks, period, stimulus = presented.samples, presented.ticks, presented.period, presented.stimulus
        probed = _probed(booted, probes)
        columns = [booted.neurons_of[name] for name in probed]
        keeper = None
        if snapshots is not None:
            sources = range(booted.inputs, booted.inputs + booted.engine.neurons)
            run = self._identity(stimulus, samples, ticks, probed)
            keeper = Keeper(snapshots, run, samples * period, sources)
        alone = nullcontext() if snapshots is None else snapshots.held()
        with alone, _interrupt_at_chunk_ends(progress) as careful:
            recording = run_ticks(
                booted.engine,
                stimulus,
                samples * period,
                reset_period=period,
                probe=np.concatenate(columns) if columns else None,
                meter=booted.meter,
                progress=careful,
                keeper=keeper,
            )
        costs = self.family.costs(booted, -(-recording.ticks // period))
        return Run(booted, samples, ticks, period, recording, costs, probed, describe or self._describe)

    def _identity(self, stimulus: Stimulus, samples: int, ticks: int, probed: tuple[str, ...]) -> dict[str, Any]:
        """What decides every bit of a run, by the names a user knows."""
        from neuroemu.emulator.compiled import source_hash

        manifest = dict(self.program.manifest)
        seed = manifest.pop("seed", 0)
        spikes = hashlib.sha256(stimulus.tick.astype("<i8").data)
        spikes.update(stimulus.source.astype("<i4").data)
        return {
            "program": program_digest(Program(manifest, self.program.sections)),
            "seed": seed,
            "samples": samples,
            "ticks of a sample": ticks,
            "input spikes": spikes.hexdigest(),
            "probes": list(probed),
            "neuroemu": f"{__version__} {source_hash()}",
        }

    def _mapping(self, booted: Booted) -> dict[str, Any] | None:
        told = booted.mapping()
        return None if told is None else {**told, **self.mapped_by}

    def describe(self) -> dict[str, Any]:
        """Report of a bare program that was not run."""
        booted = self.family.boot(self.program)
        return build_report(
            chip=self.chip,
            network=symbols_section(booted, "program", self.file),
            mapping=self._mapping(booted),
            rounding=None,
            findings=(),
        )

    def _describe(self, run: Run, labels: NDArray[np.int64] | None, compared: int) -> dict[str, Any]:
        """Report of a bare program: no network to compare with."""
        return build_report(
            chip=self.chip,
            network=symbols_section(run.booted, "program", self.file),
            mapping=self._mapping(run.booted),
            rounding=None,
            findings=(),
            run=run,
            labels=labels,
        )


@contextmanager
def _interrupt_at_chunk_ends(progress: Progress | None) -> Iterator[Progress]:
    """A progress callback that hands a Ctrl-C on between chunks only, so that counters and spikes tell of the same ticks."""
    pressed = False

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    def careful(done: int, total: int) -> None:
        if progress is not None:
            progress(done, total)
        if pressed and done < total:
            raise KeyboardInterrupt

    watched = threading.current_thread() is threading.main_thread()
    if not watched or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield careful
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield careful
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Presented:
    """Samples as a chip sees them: ``ticks`` of input in each ``period`` of chip ticks."""

    samples: int
    ticks: int
    period: int
    stimulus: Stimulus


def present(booted: Booted, inputs: ArrayLike | Mapping[str, ArrayLike] | SpikeTimes) -> Presented:
    """Spike counts of a program's ports as spikes in time, sample after sample; see :meth:`Machine.run`.

    Raises:
        BadInput: NE6001 for inputs that do not fit the ports, NE6002 for values that are no spike counts, NE6003 for too many.
    """
    lag = max((symbol.tick_offset for symbol in booted.symbols.populations), default=0)
    if isinstance(inputs, SpikeTimes):
        return Presented(1, inputs.ticks, inputs.ticks + lag, inputs)
    counts = _checked_inputs(booted, inputs)
    samples, ticks = next(iter(counts.values())).shape[:2]
    period = ticks + lag
    return Presented(samples, ticks, period, _stimulus(booted, counts, samples, ticks, period))


def _probed(booted: Booted, asked: Sequence[str]) -> tuple[str, ...]:
    """Populations to record, in symbol order: those asked for and every analog one."""
    known = [symbol.name for symbol in booted.symbols.populations]
    if unknown := [name for name in asked if name not in known]:
        raise BadInput(
            Finding("NE6008", f"there is no population {name!r} to probe", fixes=(f"populations: {', '.join(known)}",))
            for name in unknown
        )
    return tuple(symbol.name for symbol in booted.symbols.populations if symbol.name in asked or not symbol.spiking)


def _checked_inputs(booted: Booted, inputs: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    ports = [port for port in booted.symbols.inputs if not port.constant]
    named = inputs if isinstance(inputs, Mapping) else {ports[0].name: inputs} if len(ports) == 1 else {}
    findings: list[Finding] = []
    arrays: dict[str, NDArray[Any]] = {}
    for port in ports:
        if port.name not in named:
            given = ", ".join(named) or "one unnamed array"
            findings.append(
                Finding("NE6001", f"no input for port {port.name}; given: {given}", f"population {port.name}")
            )
            continue
        array = np.asarray(named[port.name])
        if array.ndim < 3 or (array.shape[2:] != port.shape and array.shape[2:] != (port.size,)):
            findings.append(
                Finding(
                    "NE6001",
                    f"the input has shape {array.shape}, the program wants (samples, ticks, "
                    f"{', '.join(map(str, port.shape))})",
                    f"population {port.name}",
                    ("reshape the samples", "check that the program was deployed from this network"),
                )
            )
        elif not _is_counts(array):
            findings.append(
                Finding(
                    "NE6002",
                    "the input holds values that are not spike counts 0, 1, 2, ...; a chip receives spikes, not currents",
                    f"population {port.name}",
                    ("encode the samples as spikes before deploying (rate or latency coding)",),
                )
            )
        arrays[port.name] = array
    shapes = {array.shape[:2] for array in arrays.values()}
    if not findings and len(shapes) > 1:
        findings.append(Finding("NE6001", f"inputs differ in samples or ticks: {sorted(shapes)}"))
    if not findings and (not shapes or 0 in next(iter(shapes))):
        findings.append(Finding("NE6001", "there are no samples or no ticks in the input"))
    if findings:
        raise BadInput(findings)
    return {name: array.reshape(*array.shape[:2], -1) for name, array in arrays.items()}


def _is_counts(array: NDArray[Any]) -> bool:
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.unsignedinteger):
        return True
    if np.issubdtype(array.dtype, np.integer):
        return not array.size or int(array.min()) >= 0
    if np.issubdtype(array.dtype, np.floating):
        return bool(np.all(np.isfinite(array)) and np.all(array >= 0) and np.all(array == np.rint(array)))
    return False


def _stimulus(booted: Booted, counts: Mapping[str, NDArray[Any]], samples: int, ticks: int, period: int) -> Stimulus:
    """External spikes of all samples in tick order; a count of n is n spikes."""
    total = sum(int(array.sum(dtype=np.int64)) for array in counts.values())
    if total > MOST_INPUT_SPIKES:
        raise BadInput(
            Finding(
                "NE6003", f"{total:,} input spikes are more than {MOST_INPUT_SPIKES:,}", fixes=("run fewer samples",)
            )
        )
    times: list[Int64] = []
    sources: list[Int64] = []
    for port in booted.symbols.inputs:
        if port.constant:
            sample, tick = np.divmod(np.arange(samples * ticks, dtype=np.int64), ticks)
            times.append(sample * period + tick)
            sources.append(np.full(samples * ticks, port.first_source, np.int64))
            continue
        array = counts[port.name]
        sample, tick, source = np.nonzero(array)
        repeat = array[sample, tick, source].astype(np.int64)
        times.append(np.repeat(sample * period + tick, repeat))
        sources.append(np.repeat(source + port.first_source, repeat))
    time, source = np.concatenate(times), np.concatenate(sources)
    order = np.lexsort((source, time))
    return Stimulus(time[order], source[order].astype(np.int32))
