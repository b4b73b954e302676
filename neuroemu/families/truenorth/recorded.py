"""Recorded behaviour of crossbar cores (RANC, IBM's models, PAIBox, NeMo), replayed through image, loader and engine.

Every function yields ``(case, values compared, values that differ, the first difference)``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import BadInput, DoesNotFit, Finding
from neuroemu.families.truenorth.boot import TrueNorthBooted, boot, boot_image
from neuroemu.families.truenorth.core import CrossbarChunk
from neuroemu.families.truenorth.corelets import image_of_model
from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, build_cores, pack
from neuroemu.formats.ibm_cpe import parse_model
from neuroemu.formats.samples import read_npz
from neuroemu.image.symbols import Port, Symbols
from neuroemu.spec import ChipSpec, load_chip

Int64 = NDArray[np.int64]
Arrays = Mapping[str, NDArray[Any]]
Result = tuple[str, int, int, str]
Find = Callable[[str], Path | None]
"""Where the file of that name is among everything to be verified; None when it is nowhere."""

CHIP, SYMMETRIC_CHIP = "truenorth", "truenorth-ranc"


@dataclass(frozen=True)
class RecordedProgram:
    """What was recorded somewhere, as a program of ours: its image, its input and how long it runs."""

    image: ProgramImage
    stimulus: Stimulus
    ticks: int


_COLUMNS = {
    "axon_type": "axon_type",
    "weight": "weights",
    "leak": "leak",
    "alpha": "alpha",
    "beta": "beta",
    "reset": "reset",
    "gamma": "gamma",
    "potential": "v0",
    "kappa": "kappa",
    "reversal": "epsilon",
    "dx": "dx",
    "dy": "dy",
    "axon": "dest_axon",
    "delay": "delay",
}
"""Field of a core -> array of a recorded network."""


# ---------------------------------------------------------------------------- networks


def replay_network(path: Path, find: Find) -> Iterator[Result]:
    """Spikes, potentials and synaptic events of a recorded network, or of a stimulus for a network in another file.

    Raises:
        BadInput: NE7110 when the network of a stimulus is nowhere.
    """
    stimulus = read_npz(path)
    meta = _meta(stimulus)
    network = _network(path, stimulus, find)
    neurons = int(_meta(network)["neurons_per_core"])
    run = _Replayed(program_of_network(path, find), neurons)
    yield (_name(meta, path), *run.against(stimulus))
    if "fpga_testbench_outputs_per_tick" in meta:
        yield (f"{_name(meta, path)} bench", *run.output_counts(network["output"], meta))


def program_of_network(path: Path, find: Find) -> RecordedProgram:
    """A recorded network, or the network in another file that a recorded stimulus is for.

    Raises:
        BadInput: NE7110 when the network of a stimulus is nowhere.
    """
    stimulus = read_npz(path)
    meta = _meta(stimulus)
    network = _network(path, stimulus, find)
    network_meta = _meta(network)
    equal = meta.get("equals_cassidy2013_equations", network_meta.get("equals_cassidy2013_equations", True))
    image = image_of_arrays(network, network_meta, load_chip(CHIP if equal else SYMMETRIC_CHIP))
    return RecordedProgram(image, _stimulus(stimulus["inputs"], network["core_xy"]), _ticks(meta, stimulus))


def _network(path: Path, stimulus: Arrays, find: Find) -> Arrays:
    return stimulus if "crossbar" in stimulus else read_npz(_found(str(_meta(stimulus).get("network", "")), find, path))


def replay_model(path: Path, text: str, find: Find) -> Iterator[Result]:
    """A model file of IBM's: its arrays, and what it computes, against the recorded network of the same name.

    Raises:
        BadInput: NE7110 when there is no such network, NE107x for an unusable model.
    """
    name = path.name.split(".model.json")[0]
    recorded = read_npz(_found(name, find, path))
    meta = _meta(recorded)
    image = image_of_model(parse_model(text, path.name), load_chip(CHIP))
    yield (f"{name} arrays", *_compared_arrays(image.cores, recorded))
    stimulus = _stimulus(recorded["inputs"], recorded["core_xy"])
    run = _Replayed(RecordedProgram(image, stimulus, _ticks(meta, recorded)), int(meta["neurons_per_core"]))
    yield (f"{name} from its model", *run.against(recorded))


def image_of_arrays(network: Arrays, meta: Mapping[str, Any], chip: Any) -> ProgramImage:
    """The image of a recorded network; host sources are all axons of its cores, integrated in the tick they are sent."""
    size = int(meta["neurons_per_core"])
    xy = network["core_xy"].astype(np.int64)
    chip = _with_mesh(chip, int(xy[:, 0].max(initial=0)), int(xy[:, 1].max(initial=0)))
    columns = _columns_of(chip)
    return _image(
        build_cores(
            xy[:, 1] * columns + xy[:, 0],
            np.unpackbits(network["crossbar"], axis=-1)[..., :size].astype(np.bool_),
            {field: network[name] for field, name in _COLUMNS.items() if name in network},
            network["connected"],
        ),
        chip,
    )


def _image(cores: Cores, chip: ChipSpec) -> ProgramImage:
    sources = cores.count * SIZE
    port = Port(name="axons", shape=(cores.count, SIZE), first_source=0, size=sources)
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(inputs=(port,), populations=(), outputs=(), dialect=""),
        cores=cores,
        host_start=np.arange(sources + 1, dtype=np.int64),
        host_core=np.repeat(cores.number, SIZE),
        host_axon=np.tile(np.arange(SIZE, dtype=np.int64), cores.count),
        host_delay=np.zeros(sources, np.int64),
    )


def _booted(image: ProgramImage) -> TrueNorthBooted:
    """Through the program file's memories where they can hold it; RANC's networks may have wider reset values."""
    try:
        program = pack(image)
    except DoesNotFit:
        return boot_image(image)
    return boot(program)


def _with_mesh(chip: ChipSpec, most_x: int, most_y: int) -> ChipSpec:
    """``chip`` with as many chips tiled as these coordinates need."""
    data = chip.to_dict()
    structure = data["structure"]
    wide, high = structure["mesh_columns"]["value"], structure["mesh_rows"]["value"]
    structure["chip_columns"]["value"], structure["chip_rows"]["value"] = most_x // wide + 1, most_y // high + 1
    structure["cores"]["value"] = wide * high * (most_x // wide + 1) * (most_y // high + 1)
    return ChipSpec.from_dict(data)


def _columns_of(chip: Any) -> int:
    return int(chip.structure.mesh_columns.value) * int(chip.structure.chip_columns.value)


def _stimulus(inputs: NDArray[Any], core_xy: NDArray[Any]) -> Stimulus:
    """Rows (tick, x, y, axon) as spikes of host sources."""
    rows = inputs.astype(np.int64).reshape(-1, 4)
    xy = core_xy.astype(np.int64)
    key, known = rows[:, 2] * (1 << 20) + rows[:, 1], xy[:, 1] * (1 << 20) + xy[:, 0]
    order = np.argsort(known)
    place = order[np.searchsorted(known[order], key) % known.shape[0]]
    if not np.array_equal(known[place], key):
        raise ValueError("an input goes to a core that the network does not have")
    source = place * SIZE + rows[:, 3]
    order = np.lexsort((source, rows[:, 0]))
    return Stimulus(rows[order, 0], source[order].astype(np.int32))


class _Events:
    """A meter's ear for synaptic events alone."""

    def __init__(self) -> None:
        self.chunks: list[NDArray[np.int32]] = []

    def observe(self, chunk: Chunk) -> None:
        assert isinstance(chunk, CrossbarChunk)
        self.chunks.append(chunk.synaptic_events)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        return {"synaptic_events": np.concatenate(self.chunks)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self.chunks = [arrays["synaptic_events"]]


class _Replayed:
    """One run: spikes bool (ticks, cores, neurons), potentials and synaptic events."""

    def __init__(self, program: RecordedProgram, neurons: int):
        booted, ticks = _booted(program.image), program.ticks
        cores = len(booted.core_numbers)
        probe = (SIZE * np.arange(cores)[:, None] + np.arange(neurons)).reshape(-1)
        meter = _Events()
        recording = run_ticks(booted.engine, program.stimulus, ticks, probe=probe, meter=meter)
        fired = np.zeros((ticks, cores, SIZE), np.bool_)
        number = recording.spike_source.astype(np.int64) - booted.inputs
        fired[recording.spike_tick, number // SIZE, number % SIZE] = True
        self.stray = int(fired[..., neurons:].sum())
        self.spikes = fired[..., :neurons]
        self.v = recording.probes["v"].reshape(ticks, cores, neurons)
        self.events = meter.snapshot()["synaptic_events"]

    def against(self, recorded: Arrays) -> tuple[int, int, str]:
        """Compare with the recorded arrays; neurons that the network does not have must be silent."""
        wanted = np.zeros_like(self.spikes)
        rows = recorded["spikes"].astype(np.int64)
        wanted[rows[:, 0], rows[:, 1], rows[:, 2]] = True
        pairs: dict[str, tuple[Any, Any]] = {"spikes": (self.spikes, wanted)}
        for name, actual in (("synaptic_events", self.events), ("V", self.v)):
            if name in recorded:
                pairs[name] = (actual, recorded[name])
        compared, differ, detail = _differences(pairs)
        return compared, differ + self.stray, detail or ("unused neurons fire" if self.stray else "")

    def output_counts(self, output: NDArray[Any], meta: Mapping[str, Any]) -> tuple[int, int, str]:
        """Spikes of all output pins in the ticks of the bench."""
        wanted = np.array(meta["fpga_testbench_outputs_per_tick"], np.int64)
        first = int(meta["fpga_testbench_first_output_tick"])
        counts = (self.spikes & (output >= 0)).sum(axis=(1, 2))[first : first + wanted.shape[0]]
        return _differences({"outputs": (counts, wanted)})


def _compared_arrays(cores: Cores, recorded: Arrays) -> tuple[int, int, str]:
    """Fields of the cores against recorded arrays, unused axons and neurons left out; targets where there is one."""
    connected = recorded["connected"]
    pairs = {"connected": (cores.delay > 0, connected), "crossbar": (cores.crossbar, recorded["crossbar"])}
    for field, name in _COLUMNS.items():
        wanted, actual = recorded[name], getattr(cores, field)
        if name in ("dx", "dy", "dest_axon", "delay"):
            wanted, actual = np.where(connected, wanted, 0), np.where(connected, actual, 0)
        pairs[name] = (actual, wanted)
    return _differences(pairs)


# ---------------------------------------------------------------------------- single neurons


def replay_neurons(path: Path, zero_clamp: bool | None = None) -> Iterator[Result]:
    """Neurons that are driven by recorded synaptic input, each on a core of its own, all in one run.

    Args:
        zero_clamp: whether a reversing leak stops at zero; by default as the recording simulator: PAIBox's neurons (whose
            table counts ringing events) go through zero, NeMo's stop.
    """
    arrays = read_npz(path)
    table, drives = _drives(arrays)
    run = _Replayed(program_of_neurons(path, zero_clamp), 1)
    first = 0
    for number, drive in zip(table, drives, strict=True):
        last = first + drive.shape[1]
        spikes, v = run.spikes[:, first:last, 0], run.v[:, first:last, 0]
        wanted_spikes, wanted_v = (arrays[f"{key}{number}"].reshape(drive.shape) for key in "SV")
        yield (f"case {number}", *_differences({"S": (spikes, wanted_spikes), "V": (v, wanted_v)}))
        first = last


def program_of_neurons(path: Path, zero_clamp: bool | None = None) -> RecordedProgram:
    """Recorded neurons as neuron 0 of a core each; arguments as of :func:`replay_neurons`."""
    table, drives = _drives(read_npz(path))
    if zero_clamp is None:
        zero_clamp = not any("ringing_events" in entry for entry in table.values())
    entries = [entry for entry, drive in zip(table.values(), drives, strict=True) for _ in range(drive.shape[1])]
    return RecordedProgram(*_driven(np.concatenate(drives, axis=1), entries, zero_clamp), drives[0].shape[0])


def _drives(arrays: Arrays) -> tuple[dict[str, Mapping[str, Any]], list[Int64]]:
    """Number of a case -> its entry in the table, and the synaptic input (ticks, neurons) of each."""
    digits = len(next(name for name in sorted(arrays) if name.startswith("x"))) - 1
    table = {f"{entry['case']:0{digits}d}": entry for entry in json.loads(str(arrays["table"]))}
    drives = [arrays[f"x{number}"].astype(np.int64) for number in table]
    return table, [drive.reshape(drive.shape[0], -1) for drive in drives]


def _driven(drive: Int64, entries: Sequence[Mapping[str, Any]], zero_clamp: bool) -> tuple[ProgramImage, Stimulus]:
    """Cores whose neuron 0 receives ``drive`` (ticks, cores): ones and multiples of a base, positive and negative.

    Axons 0..127 add, 128..255 subtract; of each half the first ``base - 1`` weigh 1, the others ``base``.
    """
    most = int(np.abs(drive).max(initial=0))
    base = next((base for base in range(2, 129) if base - 1 + most // base <= SIZE // 2), 0)
    if base == 0:
        raise ValueError(f"synaptic input of {most} is more than the axons of a core can add up")
    axon = np.arange(SIZE)
    large = axon % (SIZE // 2) >= base - 1
    kind = 2 * (axon >= SIZE // 2) + large
    cores = drive.shape[1]
    counts = np.stack([np.abs(drive) % base, np.abs(drive) // base], axis=-1)
    number = axon % (SIZE // 2) - np.where(large, base - 1, 0)
    wanted = np.where(large, counts[..., 1:], counts[..., :1])
    half = np.where(drive < 0, 1, 0)[..., None] == axon // (SIZE // 2)
    tick, core, source = np.nonzero((number < wanted) & half)
    synapses = np.zeros((cores, SIZE, 1), np.bool_)
    synapses[:] = True
    names = {"leak": "leak", "alpha": "alpha", "beta": "beta", "reset": "reset", "gamma": "gamma", "kappa": "kappa"}
    columns: dict[str, Any] = {
        field: np.array([int(entry[name]) for entry in entries])[:, None]
        for field, name in (names | {"reversal": "epsilon"}).items()
    }
    columns["axon_type"] = np.broadcast_to(kind, (cores, SIZE))
    columns["weight"] = np.broadcast_to(np.array([1, base, -1, -base]), (cores, 1, 4))
    data = load_chip(CHIP).to_dict()
    data["arithmetic"]["leak_zero_clamp"]["value"] = zero_clamp
    image = _image(build_cores(np.arange(cores), synapses, columns), ChipSpec.from_dict(data))
    return image, Stimulus(tick.astype(np.int64), (core * SIZE + source).astype(np.int32))


def replay_behaviours(recorded: Mapping[str, Any]) -> Iterator[Result]:
    """Small circuits of a few neurons, one core each, all in one run; a case may be shorter than the run."""
    cases = recorded["cases"]
    program, copies = _circuits(cases)
    run = _Replayed(program, SIZE)
    for position, (case, first_copy) in enumerate(zip(cases, copies, strict=True)):
        length = int(case["ticks"])
        pairs: dict[str, tuple[Any, Any]] = {}
        for name, neuron in first_copy.items():
            wanted = np.zeros(length, np.bool_)
            wanted[case["spikes"][name]] = True
            pairs[f"{name} spikes"] = (run.spikes[:length, position, neuron], wanted)
            pairs[f"{name} V"] = (run.v[:length, position, neuron], np.array(case["V_end_of_tick"][name]))
        yield (case["name"], *_differences(pairs))


def program_of_behaviours(recorded: Mapping[str, Any]) -> RecordedProgram:
    """All circuits as one program, as long as the longest."""
    return _circuits(recorded["cases"])[0]


def _circuits(cases: Sequence[Mapping[str, Any]]) -> tuple[RecordedProgram, list[dict[str, int]]]:
    """Program, and the number of each named neuron; a neuron that feeds several axons gets a copy for each."""
    count = len(cases)
    synapses = np.zeros((count, SIZE, SIZE), np.bool_)
    columns: dict[str, Any] = {
        name: np.zeros((count, SIZE), np.int64)
        for name in ("axon_type", "leak", "alpha", "beta", "reset", "gamma", "kappa", "reversal", "potential")
    }
    columns |= {name: np.zeros((count, SIZE), np.int64) for name in ("axon", "delay")}
    columns["weight"] = np.zeros((count, SIZE, 4), np.int64)
    columns["alpha"][:] = (1 << 18) - 1
    connected = np.zeros((count, SIZE), np.bool_)
    spikes: list[tuple[int, int]] = []
    copies = []
    for core, case in enumerate(cases):
        fed = {name: [n for n, axon in enumerate(case["axons"]) if axon["src"] == name] for name in case["neurons"]}
        numbers: dict[str, list[int]] = {}
        for name, parameters in case["neurons"].items():
            start = sum(len(known) for known in numbers.values())
            numbers[name] = list(range(start, start + max(len(fed[name]), 1)))
            for field, key in (("reversal", "epsilon"), ("potential", "v0"), *((k, k) for k in _NEURON_KEYS)):
                columns[field][core, numbers[name]] = int(parameters[key])
            columns["weight"][core, numbers[name]] = parameters["weights"]
            for neuron, axon in zip(numbers[name], fed[name], strict=False):
                connected[core, neuron] = True
                columns["axon"][core, neuron], columns["delay"][core, neuron] = axon, case["axons"][axon]["delay"]
        for number, axon in enumerate(case["axons"]):
            for name, kind in axon["targets"].items():
                columns["axon_type"][core, number] = kind
                synapses[core, number, numbers[name]] = True
        spikes += [(tick, core * SIZE + int(axon)) for axon, train in case["inputs"].items() for tick in train]
        copies.append({name: known[0] for name, known in numbers.items()})
    table = np.array(sorted(spikes), np.int64).reshape(-1, 2)
    image = _image(build_cores(np.arange(count), synapses, columns, connected), load_chip(CHIP))
    stimulus = Stimulus(table[:, 0].copy(), table[:, 1].astype(np.int32))
    return RecordedProgram(image, stimulus, max(int(case["ticks"]) for case in cases)), copies


_NEURON_KEYS = ("leak", "alpha", "beta", "reset", "gamma", "kappa")


# ---------------------------------------------------------------------------- what the files say


def _meta(arrays: Arrays) -> dict[str, Any]:
    meta = json.loads(str(arrays["meta"])) if "meta" in arrays else {}
    if not isinstance(meta, dict):
        raise ValueError("meta is no JSON object")
    return meta


def _name(meta: Mapping[str, Any], path: Path) -> str:
    return str(meta.get("name", path.stem))


def _ticks(meta: Mapping[str, Any], arrays: Arrays) -> int:
    recorded = arrays["synaptic_events"] if "synaptic_events" in arrays else arrays["V"]
    return int(meta["ticks"]) if "ticks" in meta else int(recorded.shape[0])


def _found(name: str, find: Find, path: Path) -> Path:
    found = find(f"{name.removesuffix('.npz')}.npz")
    if found is None:
        message = f"needs the network {name!r}, which is not among the given files"
        raise BadInput(Finding("NE7110", message, str(path), ("give the folder of the network, too",)))
    return found


def _differences(pairs: Mapping[str, tuple[Any, Any]]) -> tuple[int, int, str]:
    total = differing = 0
    detail = ""
    for name, (actual, wanted) in pairs.items():
        if actual.shape != wanted.shape:
            raise ValueError(f"{name} has the shape {wanted.shape}; {actual.shape} is needed")
        wrong = np.asarray(actual) != np.asarray(wanted)
        total += wrong.size
        differing += int(wrong.sum())
        if wrong.any() and not detail:
            where = tuple(int(index) for index in np.argwhere(wrong)[0])
            detail = f"{name} at {where}: {actual[where]}, recorded {wanted[where]}"
    return total, differing, detail
