"""What each command-line verb does, free of terminals and options: load, deploy, run, write, collect a report."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from errno import EINVAL, ENOTDIR
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from neuroemu.emulator.snapshot_folder import Snapshots
from neuroemu.errors import BadInput, DoesNotFit, Finding, errors_in
from neuroemu.formats import load
from neuroemu.formats.samples import Samples, load_samples
from neuroemu.image.container import write_program
from neuroemu.machine import Machine, Run
from neuroemu.network.model import Network, Population
from neuroemu.network.validate import validate
from neuroemu.report import from_json, to_json
from neuroemu.report.findings import grouped
from neuroemu.spec import ChipSpec, list_chips, load_chip
from neuroemu.toolchain import Deployment, deploy, describe

if TYPE_CHECKING:
    from neuroemu.cosim.agreement import Agreement

StartProgress = Callable[[str], Callable[[int, int], None]]
Note = Callable[[str], None]


# ---------------------------------------------------------------------------- loading and checking


def load_checked(file: Path, dialect: str = "auto", dt_s: float | None = None) -> Network:
    """Read and validate a network; raises BadInput with all problems at once."""
    network = load(file, dialect, dt_s)
    if problems := errors_in(validate(network)):
        raise BadInput(problems)
    return network


@dataclass(frozen=True)
class Verdict:
    """Whether a network is valid and fits a chip."""

    file: str
    network: Network
    chip: str | None
    fits: bool | None
    cores_used: int | None
    cores: int | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Valid, and not refused by the chip."""
        return self.fits is not False

    def _kind(self, population: Population) -> str:
        if population.neuron is not None:
            return population.neuron.kind
        return "input" if population.name in self.network.inputs else "mapped"

    def to_json(self) -> str:
        """``neuroemu.check/1``."""
        document = {
            "schema": "neuroemu.check/1",
            "file": self.file,
            "valid": True,
            "chip": self.chip,
            "fits": self.fits,
            "cores_used": self.cores_used,
            "cores": self.cores,
            "dialect": self.network.dialect,
            "dt_s": self.network.dt_s,
            "neurons": self.network.neuron_count,
            "inputs": {name: list(self.network.populations[name].shape) for name in self.network.inputs},
            "outputs": {name: list(self.network.populations[name].shape) for name in self.network.outputs},
            "populations": [
                {"name": population.name, "shape": list(population.shape), "kind": self._kind(population)}
                for population in self.network.populations.values()
            ],
            "findings": [finding.to_dict() for finding in self.findings],
        }
        return json.dumps(document, indent=1) + "\n"

    def print(self, console: Any) -> None:
        """The verdict for people."""
        network = self.network
        console.print(f"{self.file}: valid; dialect {network.dialect or 'none'}, dt {network.dt_s:g} s", markup=False)
        for population in network.populations.values():
            kind = self._kind(population)
            shape = " x ".join(map(str, population.shape))
            console.print(f"  {population.name}: {kind}, {shape} = {population.size:,}", markup=False, highlight=False)
        for finding in grouped(self.findings):
            console.print(f"{finding.severity}: {finding}", markup=False, highlight=False, soft_wrap=True)
        if self.chip is None:
            known = ", ".join(chip.name for chip in list_chips())
            console.print(
                f"does it fit? neuroemu check {self.file} --chip CHIP (one of {known})", markup=False, soft_wrap=True
            )
        elif self.fits:
            console.print(f"fits {self.chip}: {self.cores_used} of {self.cores} cores", markup=False)
        else:
            console.print(f"does not fit {self.chip}", markup=False)


def check(
    network: Network,
    file: Path,
    chip: str | None,
    *,
    partitioner: str | None = None,
    placer: str | None = None,
    seed: int = 0,
) -> Verdict:
    """Try to compile ``network`` for ``chip``; what the chip refuses becomes findings of the verdict."""
    if chip is None:
        return Verdict(str(file), network, None, None, None, None, network.findings)
    spec = load_chip(chip)
    cores = int(spec.structure.cores.value)
    try:
        deployment = deploy(network, spec, partitioner=partitioner, placer=placer, seed=seed)
    except DoesNotFit as refusal:
        return Verdict(str(file), network, spec.name, False, None, cores, (*network.findings, *refusal.findings))
    used = int(deployment.compiled.mapping["cores_used"])
    return Verdict(str(file), network, spec.name, True, used, cores, deployment.findings)


def check_mapped(file: Path, chip: str | None, *, unused: Sequence[str] = ()) -> Verdict:
    """Read a model that IBM's tools have mapped and try to put it on ``chip``; ``unused`` options are refused."""
    from neuroemu.families.truenorth.corelets import PORT, image_of_model
    from neuroemu.formats.ibm_cpe import read_model

    spec = None if chip is None else load_chip(chip)
    _refuse_unused(file, spec, unused)
    model = read_model(file)
    axons = {PORT: Population(PORT, (len(model.cores), model.size))}
    network = Network(file.stem, axons, (), (PORT,), (), 1e-3)
    if spec is None:
        return Verdict(str(file), network, None, None, None, None, ())
    cores = int(spec.structure.cores.value)
    try:
        symbols = image_of_model(model, spec).symbols
    except DoesNotFit as refusal:
        return Verdict(str(file), network, spec.name, False, None, cores, refusal.findings)
    held = {symbol.name: Population(symbol.name, symbol.shape) for symbol in symbols.populations}
    network = Network(file.stem, axons | held, (), (PORT,), symbols.outputs, 1e-3)
    return Verdict(str(file), network, spec.name, True, len(model.cores), cores, ())


def _refuse_unused(file: Path, spec: Any, unused: Sequence[str]) -> None:
    """Raise for a chip of another family or for options that a mapped model cannot use (NE6031)."""
    if unused:
        what, fixes = f"{', '.join(unused)} cannot be used", ("leave the option out",)
    elif spec is not None and spec.family != "truenorth":
        what, fixes = f"{spec.name} is no chip for it", ("use --chip truenorth",)
    else:
        return
    raise BadInput(Finding("NE6031", f"the file is a mapped program of TrueNorth; {what}", str(file), fixes))


# ---------------------------------------------------------------------------- deploying and running


REPORT_FILE = "report.json"
SPIKES_FILE = "spikes.npz"
COSIM_FILE = "cosim.json"
SNAPSHOT_FOLDER = "snapshot"
_ASIDE = ".neuroemu-"


class Output:
    """A folder for results, or none.

    Everything is written to the side and moved into the folder when all of it is there, the report last: a failure leaves
    the folder as it was, and a folder that was made for the results is taken away again.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        self.names: list[str] = []
        self._dropped: list[str] = []
        self._made: list[Path] = []
        self._aside: Path | None = None
        self._outlived: Snapshots | None = None

    def __enter__(self) -> Self:
        if self.folder is not None:
            try:
                self._make_folders(self.folder)
                Path(tempfile.mkdtemp(dir=self.folder, prefix=_ASIDE)).rmdir()
            except OSError as error:
                self._remove_folders()
                raise _unwritable(self.folder, error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.folder is None:
            return
        try:
            if kind is None:
                self._publish(self.folder)
                if self._outlived is not None:
                    self._outlived.remove()
        except OSError as failure:
            raise _unwritable(self.folder, failure) from None
        finally:
            if self._aside is not None:
                shutil.rmtree(self._aside, ignore_errors=True)
            self._remove_folders()

    def __str__(self) -> str:
        """What was written where; empty without a folder."""
        return f"written to {self.folder}: {', '.join(sorted(self.names))}" if self.folder is not None else ""

    def path(self, name: str) -> Path:
        """Where to write the file that will appear as ``name``."""
        self.names.append(name)
        return self.aside(name)

    def aside(self, name: str) -> Path:
        """Where to write a file that may turn out not to be needed; it only appears when :meth:`path` asks for it too."""
        if self._aside is None:
            self._aside = Path(tempfile.mkdtemp(dir=self.folder, prefix=_ASIDE))
        return self._aside / name

    def write(self, name: str, content: bytes) -> None:
        """Write one file; nothing is written when there is no folder."""
        if self.folder is None:
            return
        try:
            self.path(name).write_bytes(content)
        except OSError as error:
            raise _unwritable(self.folder / name, error) from None

    def drop(self, name: str) -> None:
        """Take a file of an earlier deployment away with it."""
        self._dropped.append(name)

    def forget(self, *names: str) -> None:
        """Take files of an earlier run away at once, though this run fails: what they say is no longer so."""
        if self.folder is not None:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)

    def outlive(self, snapshots: Snapshots) -> None:
        """Take these snapshots away once everything is in place: nothing is left to resume."""
        self._outlived = snapshots

    def _publish(self, folder: Path) -> None:
        outdated = [REPORT_FILE] if REPORT_FILE in self.names else []
        for name in (*outdated, *self._dropped):
            (folder / name).unlink(missing_ok=True)
        for name in sorted(self.names, key=REPORT_FILE.__eq__):
            assert self._aside is not None
            os.replace(self._aside / name, folder / name)
        self._made.clear()

    def _make_folders(self, folder: Path) -> None:
        missing = [level for level in (folder, *folder.parents) if not level.exists()]
        for level in reversed(missing):
            level.mkdir()
            self._made.append(level)
        if not folder.is_dir():
            raise NotADirectoryError(ENOTDIR, "this is a file, not a folder")

    def _remove_folders(self) -> None:
        for level in reversed(self._made):
            with suppress(OSError):
                level.rmdir()


def write_file(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as temporary:
            temporary.write(content)
        try:
            os.chmod(temporary.name, 0o666 & ~_umask())
            os.replace(temporary.name, path)
        except OSError:
            os.unlink(temporary.name)
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _unwritable(path: Path, error: OSError) -> BadInput:
    return BadInput(
        Finding(
            "NE6010", f"cannot be written: {error.strerror or error}", str(path), ("choose another folder with -o",)
        )
    )


def deploy_and_report(
    network: Network,
    file: Path,
    chip: str | ChipSpec,
    samples_file: Path | None,
    output: Output,
    *,
    partitioner: str | None = None,
    placer: str | None = None,
    most_samples: int | None = None,
    compared: int = 0,
    probes: Sequence[str] = (),
    seed: int = 0,
    threads: int = 1,
    snapshot_every: int | None = None,
    resume: bool = False,
    progress: StartProgress | None = None,
    note: Note | None = None,
) -> dict[str, Any]:
    """Deploy, run the samples if there are any, compare with the float network, write everything to ``output``."""
    snapshots = _snapshots(output, snapshot_every, resume, note, runs=samples_file is not None)
    samples = None if samples_file is None else _cut_samples(load_samples(samples_file, network), most_samples)
    if samples is not None:
        _tell_compilation(note)
    deployment = deploy(network, chip, partitioner=partitioner, placer=placer, seed=seed, file=file.name)
    if samples is None:
        run, report = None, describe(deployment)
    else:
        run = deployment.run(
            samples.inputs,
            None if progress is None else progress("chip ticks"),
            probes,
            snapshots,
            threads_for(threads, note),
        )
        report = _report(run, samples.labels, compared)
    if output.folder is not None:
        _write_deployment(deployment, run, report, output)
    return report


def is_mapped(file: Path) -> bool:
    """Whether a file holds a program that IBM's tools have mapped already."""
    from neuroemu.formats.ibm_cpe import is_model

    return is_model(file)


def given(**options: Any) -> tuple[str, ...]:
    """Names of the options that were given, as the command line spells them."""
    return tuple(f"--{name}" for name, value in options.items() if value not in (None, False))


def deploy_mapped_and_report(
    file: Path,
    chip: str | ChipSpec,
    spikes_file: Path | None,
    output: Output,
    *,
    ticks: int | None = None,
    unused: Sequence[str] = (),
    probes: Sequence[str] = (),
    seed: int = 0,
    threads: int = 1,
    snapshot_every: int | None = None,
    resume: bool = False,
    progress: StartProgress | None = None,
    note: Note | None = None,
) -> dict[str, Any]:
    """Put a mapped model on its chip and run a spike file or samples of its axons; ``unused`` options are refused."""
    from neuroemu.families.truenorth.corelets import image_of_model, inputs_of_spikes, output_spikes
    from neuroemu.families.truenorth.image import pack
    from neuroemu.formats.ibm_cpe import read_model, read_spikes, spikes_text

    spec = chip if isinstance(chip, ChipSpec) else load_chip(chip)
    _refuse_unused(file, spec, unused)
    snapshots = _snapshots(output, snapshot_every, resume, note, runs=spikes_file is not None)
    model = read_model(file)
    image = image_of_model(model, spec)
    mapped_by = {"partitioner": "IBM's tools", "placer": "core ids row by row"}
    machine = Machine(pack(image), file.name, mapped_by).with_seed(seed)
    run = None
    if spikes_file is None:
        report = machine.describe()
    else:
        if spikes_file.suffix == ".npz":
            inputs: Any = load_samples(spikes_file, _ports_only(machine)).inputs
        else:
            inputs = inputs_of_spikes(read_spikes(spikes_file), image.cores.number.tolist(), ticks, str(spikes_file))
        _tell_compilation(note)
        advance = None if progress is None else progress("chip ticks")
        run = machine.run(inputs, advance, probes, snapshots=snapshots, threads=threads_for(threads, note))
        report = _report(run, None, 0)
        events = {name: run.events(name)[1:] for name in (symbol.name for symbol in run.populations)}
        output.write("spikes.sfto", spikes_text(output_spikes(model, events), "sfto1.0").encode())
    if output.folder is not None:
        write_program(output.path("program.nemu"), machine.program)
        _write_run(run, report, output)
    return report


def run_and_report(
    program_file: Path,
    samples_file: Path,
    output: Output,
    *,
    most_samples: int | None = None,
    probes: Sequence[str] = (),
    seed: int | None = None,
    threads: int = 1,
    snapshot_every: int | None = None,
    resume: bool = False,
    progress: StartProgress | None = None,
    note: Note | None = None,
) -> dict[str, Any]:
    """Run a program file on samples; everything known comes from the image."""
    snapshots = _snapshots(output, snapshot_every, resume, note)
    machine = Machine.load(program_file)
    if seed is not None:
        machine = machine.with_seed(seed)
    inputs, labels = _inputs_of_program(machine, samples_file, most_samples)
    _tell_compilation(note)
    run = machine.run(
        inputs,
        None if progress is None else progress("chip ticks"),
        probes,
        snapshots=snapshots,
        threads=threads_for(threads, note),
    )
    report = _report(run, labels, 0)
    if output.folder is not None:
        _write_run(run, report, output)
    return report


def _inputs_of_program(machine: Machine, file: Path, most_samples: int | None) -> tuple[Any, Any]:
    """(inputs, labels) of a program: samples, or for a model that IBM's tools mapped its spike file, which is one sample."""
    from neuroemu.families.truenorth.image import FAMILY

    if machine.program.manifest.get("family") == FAMILY and file.suffix != ".npz":
        from neuroemu.families.truenorth.corelets import has_every_axon, inputs_of_spikes
        from neuroemu.formats.ibm_cpe import read_spikes
        from neuroemu.image.container import take_integers

        if has_every_axon(machine.symbols):
            core_ids = take_integers(machine.program.manifest, "cores", "manifest")
            return inputs_of_spikes(read_spikes(file), core_ids, file=str(file)), None
    if file.suffix == ".sfti":
        message = "is a list of spikes for a model that IBM's tools mapped; this program takes samples"
        raise BadInput(Finding("NE1040", message, str(file), ("give an .npz file",)))
    samples = _cut_samples(load_samples(file, _ports_only(machine)), most_samples)
    return samples.inputs, samples.labels


def _snapshots(
    output: Output, every: int | None, resume: bool, note: Note | None, runs: bool = True
) -> Snapshots | None:
    """Snapshots in the output folder, when they were asked for."""
    if every is None and not resume:
        return None
    option = "--snapshot-every" if every is not None else "--resume"
    if not runs:
        raise BadInput(
            Finding("NE6023", f"{option} is about a run, and nothing is run", fixes=("give samples with -i",))
        )
    if output.folder is None:
        message = f"{option} needs a folder: snapshots live beside the results"
        raise BadInput(Finding("NE6023", message, fixes=("name a folder with -o",)))
    return Snapshots(output.folder / SNAPSHOT_FOLDER, every, resume, note or (lambda text: None))


def interrupted(report: Mapping[str, Any]) -> bool:
    """Whether Ctrl-C cut something off that the report tells about."""
    return any(finding["code"] in ("NE6004", "NE6007") for finding in report["findings"])


def _report(run: Run, labels: Any, compared: int) -> dict[str, Any]:
    """The report of a run. Ctrl-C gives up the comparison with the float network and keeps everything else."""
    try:
        return run.report(labels, 0 if run.interrupted else compared).document
    except KeyboardInterrupt:
        document = run.report(labels, 0).document
        finding = Finding("NE6007", "interrupted while comparing with the float network", severity="warning")
        return {**document, "findings": [*document["findings"], finding.to_dict()]}


def threads_for(threads: int, note: Note | None) -> int:
    """At most one thread a processor: more would wait for each other, and the results do not depend on their number."""
    processors = _processors()
    if threads > processors and note is not None:
        note(f"--threads {threads}: {processors} are used, one for each processor there is; the results are the same")
    return min(threads, processors)


def _processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _tell_compilation(note: Note | None) -> None:
    from neuroemu.emulator.compiled import needs_compilation

    if note is not None and needs_compilation():
        note("compiling the emulator for this machine: first run after an install, about 20 s")


def _cut_samples(samples: Samples, most: int | None) -> Samples:
    if most is None or most >= samples.count:
        return samples
    return Samples(
        inputs={name: array[:most] for name, array in samples.inputs.items()},
        labels=None if samples.labels is None else samples.labels[:most],
        expected=None if samples.expected is None else samples.expected[:most],
    )


def _ports_only(machine: Machine) -> Network:
    """What a program file tells about its inputs and outputs, as far as reading samples needs it."""
    populations = {port.name: Population(port.name, port.shape) for port in machine.ports}
    outputs = {}
    for name in machine.symbols.outputs:
        outputs[name] = Population(name, machine.symbols.population(name).shape)
    return Network("program", {**populations, **outputs}, (), tuple(populations), tuple(outputs), 1.0)


def _write_deployment(deployment: Deployment, run: Run | None, report: Any, output: Output) -> None:
    deployment.save(output.path("program.nemu"))
    _write_run(run, report, output)


def _write_run(run: Run | None, report: Any, output: Output) -> None:
    output.write("report.html", html_page(report))
    if run is None:
        output.drop(SPIKES_FILE)
    else:
        output.write(SPIKES_FILE, spikes_file(run))
        if output.folder is not None and not interrupted(report):
            output.outlive(Snapshots(output.folder / SNAPSHOT_FOLDER))
    output.write(REPORT_FILE, to_json(report).encode())


def html_page(report: Any) -> bytes:
    """The report as a self-contained page."""
    from neuroemu.report.html import render

    return render(report).encode()


def spikes_file(run: Run) -> bytes:
    """All spikes and predictions as an .npz: ``POPULATION__sample``, ``__tick`` (chip tick of the sample), ``__neuron``;
    probed populations add their states, ``__u``, ``__v`` and what else the chip records (samples, network ticks, size).
    """
    from io import BytesIO

    arrays: dict[str, Any] = {"predictions": run.predictions()[: run.complete_samples].astype(np.int32)}
    for symbol in run.populations:
        sample, tick, neuron = run.events(symbol.name)
        arrays[f"{symbol.name}__sample"] = sample.astype(np.int32)
        arrays[f"{symbol.name}__tick"] = tick.astype(np.int32)
        arrays[f"{symbol.name}__neuron"] = neuron.astype(np.int32)
        arrays[f"{symbol.name}__tick_offset"] = np.int32(symbol.tick_offset)
        if symbol.name in run.probed:
            for state in run.recording.probes:
                arrays[f"{symbol.name}__{state}"] = run.state(symbol.name, state)
    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_report(path: Path) -> Any:
    """A saved report; ``path`` is the file or its folder."""
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        if file.exists() and not file.is_file():
            raise OSError(EINVAL, "it is no regular file")
        text = file.read_bytes()
    except OSError as error:
        raise BadInput(
            Finding("NE6011", f"cannot be read: {error.strerror or error}", str(file), ("give a report.json",))
        ) from None
    return from_json(text, str(file))


def cosimulate(
    program_file: Path,
    samples_file: Path,
    output: Output,
    *,
    most_samples: int | None = None,
    stages: int = 1,
    stalls: float = 0.0,
    seed: int = 0,
    sources: Path | None = None,
    progress: StartProgress | None = None,
    note: Note | None = None,
) -> Agreement:
    """Run a program file on the Verilog cores beside the model; the verdict and a waveform of a difference go to ``output``.

    Raises:
        NoAnswer: NE7222 for Verilog that is stuck before the first tick; an earlier verdict in ``output`` goes.
    """
    from neuroemu.cosim.agreement import WAVE_FILE, cosimulate
    from neuroemu.cosim.core import NoAnswer, Stalls

    machine = Machine.load(program_file)
    inputs, labels = _inputs_of_program(machine, samples_file, most_samples)
    _tell_compilation(note)
    try:
        agreement = cosimulate(
            machine.program,
            inputs,
            file=program_file.name,
            labels=labels,
            stages=stages,
            stalls=Stalls(stalls, stalls, seed),
            wave=None if output.folder is None else output.aside(WAVE_FILE),
            progress=progress,
            note=note,
            folder=sources,
        )
    except NoAnswer:
        output.forget(COSIM_FILE, WAVE_FILE)
        raise
    output.write(COSIM_FILE, agreement.to_json().encode())
    if agreement.wave is None:
        output.drop(WAVE_FILE)
    else:
        output.path(WAVE_FILE)
    return agreement


# ---------------------------------------------------------------------------- several chips, one chip


@dataclass(frozen=True)
class Comparison:
    """Reports of one network on several chips; a chip that refused it has findings instead."""

    reports: tuple[Any, ...]
    refused: Mapping[str, tuple[Finding, ...]]

    @property
    def any_fits(self) -> bool:
        return bool(self.reports)

    def to_json(self) -> str:
        """``neuroemu.compare/1``."""
        document = {
            "schema": "neuroemu.compare/1",
            "reports": list(self.reports),
            "refused": {name: [finding.to_dict() for finding in found] for name, found in self.refused.items()},
        }
        return json.dumps(document, indent=1, sort_keys=True, allow_nan=False) + "\n"

    def print(self, console: Any) -> None:
        """The chips side by side, then why others refused."""
        from neuroemu.report.compare import render

        if self.reports:
            render(list(self.reports), console)
        for name, findings in self.refused.items():
            console.print(f"{name}: does not fit", markup=False)
            for finding in grouped(findings):
                console.print(f"  {finding}", markup=False, highlight=False, soft_wrap=True)


def compare_chips(
    file: Path,
    chips: list[str],
    samples_file: Path | None,
    out: Path | None,
    *,
    dialect: str,
    dt_s: float | None,
    most_samples: int | None,
    compared: int,
    seed: int,
    threads: int = 1,
    progress: StartProgress | None,
    note: Note | None,
) -> Comparison:
    """Deploy one network on each chip; results of each go to a folder of its name below ``out``."""
    if not chips:
        raise BadInput(Finding("NE6012", "no chip named", fixes=("neuroemu compare FILE --chips loihi1,loihi1-wide",)))
    specs = [load_chip(name) for name in chips]
    names = [spec.name for spec in specs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        message = f"{', '.join(twice)} is named more than once; results are kept by chip name"
        raise BadInput(Finding("NE6012", message, fixes=("name every chip once", "give a variant a name of its own")))
    mapped = is_mapped(file)
    if mapped:
        for spec in specs:
            _refuse_unused(file, spec, given(dialect=dialect != "auto", dt=dt_s, samples=most_samples))
    network = None if mapped else load_checked(file, dialect, dt_s)
    reports: list[Any] = []
    refused: dict[str, tuple[Finding, ...]] = {}
    with Output(out) as together:
        for spec in specs:
            try:
                with Output(None if out is None else out / spec.name) as output:
                    run: dict[str, Any] = {"seed": seed, "threads": threads, "progress": progress, "note": note}
                    if network is None:
                        report = deploy_mapped_and_report(file, spec, samples_file, output, **run)
                    else:
                        run |= {"most_samples": most_samples, "compared": compared}
                        report = deploy_and_report(network, file, spec, samples_file, output, **run)
            except DoesNotFit as refusal:
                refused[spec.name] = refusal.findings
                continue
            reports.append(report)
            if interrupted(report):
                break
        comparison = Comparison(tuple(reports), refused)
        together.write("compare.json", comparison.to_json().encode())
    return comparison


def print_chip(chip: ChipSpec, console: Any) -> None:
    """Every number of a chip with unit, source and kind."""
    from rich.table import Table

    from neuroemu.spec import describe

    table = Table(title=f"{chip.title} ({chip.name})", title_justify="left")
    for heading in ("key", "value", "kind", "confidence", "source"):
        table.add_column(heading, overflow="fold")
    for row in describe(chip):
        data = row.to_dict()
        table.add_row(*(str(data.get(name) or "") for name in ("key", "text", "kind", "confidence", "source")))
    console.print(table)
