"""Model files of IBM's Corelet Programming Environment (JSON with comments and repeated keys) and its spike files.

A model names crossbar prototypes and neuron types and then lists cores under the repeated key ``core``. Lists of numbers are
written as runs: ``"1x256"`` is 256 times 1, ``"0:255"`` counts from 0 to 255. Neuron type ``k`` is the entry whose *name* holds the
number k; type 0 is an unused neuron. Files are read whole and checked; nothing is expanded beyond the size the model declares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding

Int64 = NDArray[np.int64]

MOST_BYTES = 1 << 30
MOST_SIZE = 4096
"""Largest crossbar that is read, so that a model for a larger core is refused by the chip with its limits."""
MOST_CORES = 1 << 20
MOST_SPIKES = 1 << 26
MOST_TICK = 1 << 31

CONNECTOR = -32
"""Target core of output connector 0; connector 1 is -33."""
UNCONNECTED = (-1, -2)
MOST_CONNECTORS = MOST_PINS = 1 << 16
"""How many are read; IBM's limits are not public."""

DEFAULTS: dict[str, int] = {
    "sigma0": 1,
    "sigma1": 1,
    "sigma2": 1,
    "sigma3": 1,
    "s0": 0,
    "s1": 0,
    "s2": 0,
    "s3": 0,
    "b0": 0,
    "b1": 0,
    "b2": 0,
    "b3": 0,
    "sigma_lambda": -1,
    "lambda": 0,
    "c_lambda": 0,
    "epsilon": 0,
    "alpha": 256,
    "beta": 0,
    "TM": 0,
    "gamma": 0,
    "kappa": 0,
    "sigma_VR": 1,
    "VR": 1,
    "V": 0,
}
"""What a neuron type of class NeuronGeneral has where it says nothing."""

_FLAGS = ("b0", "b1", "b2", "b3", "c_lambda", "epsilon", "kappa")
_SIGNS = ("sigma0", "sigma1", "sigma2", "sigma3", "sigma_lambda", "sigma_VR")
_MAGNITUDES = ("s0", "s1", "s2", "s3", "lambda")
_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*+(?:"|\\?\Z)|/\*.*?(?:\*/|\Z)', re.DOTALL)
"""A string or comment without an end reaches to the end of the text, which keeps the search linear."""
_RUN = re.compile(r"(-?\d{1,10})(?:x(\d{1,10})|:(-?\d{1,10}))?")
_PARALLEL = ("types", "destCores", "destAxons", "destDelays")
_TYPE_NAME = re.compile(r"\D*0*(\d{1,9})")


@dataclass(frozen=True)
class CpeCore:
    """One core; arrays of its neurons are parallel.

    Attributes:
        neuron, type, core, axon, delay: int64 (listed neurons,): index, type number, target core (negative: a connector or
            none), target axon or pin, delay.
        axon_type: int64 (axons,), digit of the row's type.
        synapses: uint8 (axons, bytes), neurons of each row as numpy.packbits packs them.
        prototype: name of the crossbar type that the core uses; empty when it has its own rows.
    """

    id: int
    seed: int
    neuron: Int64
    type: Int64
    core: Int64
    axon: Int64
    delay: Int64
    axon_type: Int64
    synapses: NDArray[np.uint8]
    prototype: str = ""
    corelet: str = ""


@dataclass(frozen=True)
class CpeModel:
    """A whole model; ``types`` maps the number of a neuron type to its parameters, all of :data:`DEFAULTS`."""

    size: int
    types: Mapping[int, Mapping[str, int]]
    cores: tuple[CpeCore, ...]
    file: str = ""


@dataclass(frozen=True)
class CpeSpikes:
    """Spikes of a file, in its order; a spike of tick t reaches its axon in tick t + delay."""

    tick: Int64
    core: Int64
    axon: Int64
    delay: int = 1


# ---------------------------------------------------------------------------- reading a model


def is_model(path: str | Path) -> bool:
    """Whether a file looks like a model: JSON whose first keys include ``model``."""
    try:
        with Path(path).open("rb") as stream:
            start = stream.read(4096).decode("utf-8", "replace")
    except (OSError, ValueError):
        return False
    return bool(re.match(r'\s*\{\s*"model"\s*:', _without_comments(start)))


def read_model(path: str | Path) -> CpeModel:
    """Read a model file.

    Raises:
        BadInput: NE1001 unreadable, NE1070 not such a model or of another class, NE1071 bad JSON, NE1072 missing or wrong
            values, NE1073 runs that do not expand to the declared length; all problems of the model at once.
    """
    file = Path(path)
    return parse_model(_text(file), file.name)


def parse_model(text: str, file: str = "model") -> CpeModel:
    """As :func:`read_model`, from text; ``file`` names it in messages."""
    try:
        data = json.loads(_without_comments(text), object_pairs_hook=_collected, parse_constant=_no_constant)
    except (ValueError, RecursionError) as failure:
        raise BadInput(Finding("NE1071", f"is no model: {failure}", file)) from None
    header = data.get("model") if isinstance(data, dict) else None
    if not isinstance(header, dict) or not isinstance(data.get("core"), list):
        fixes = ("give the model file that the Corelet Programming Environment wrote",)
        raise BadInput(Finding("NE1070", "has no 'model' header or no 'core'", file, fixes))
    reader = _Reader(file)
    size = reader.header(header, len(data["core"]))
    types, numbers = reader.types(data.get("neuronTypes", []))
    prototypes = reader.prototypes(data.get("crossbarTypes", []), size)
    cores = tuple(reader.core(core, size, numbers, prototypes) for core in data["core"])
    reader.targets(cores)
    if reader.findings:
        raise BadInput(reader.findings)
    return CpeModel(size, types, cores, file)


@dataclass
class _Reader:
    """Collects what is wrong on the way; a part that is unusable is replaced by an empty one."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, code: str, message: str, place: str, *fixes: str) -> None:
        if len(self.findings) < 100:
            self.findings.append(Finding(code, message, f"{self.file}: {place}", fixes))

    def integer(self, entry: Any, key: str, place: str, low: int, high: int, default: int | None = None) -> int:
        """``entry[key]`` as an integer within a range; booleans count as 0 and 1."""
        value = entry.get(key, default) if isinstance(entry, dict) else None
        if isinstance(value, bool):
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            found = "missing" if value is None else f"{value!r}"[:40]
            self.wrong("NE1072", f"{key} is {found}; it must be a whole number of {low}..{high}", place)
            return low
        return value

    def header(self, header: Any, cores: int) -> int:
        for key, wanted in (("neuronclass", "NeuronGeneral"), ("crossbarclass", "CrossbarBinary")):
            if header.get(key, wanted) != wanted:
                self.wrong("NE1070", f"{key} is {header[key]!r}; only {wanted} is known"[:200], "model")
        declared = self.integer(header, "coreCount", "model", 0, MOST_CORES, cores)
        if declared != cores:
            self.wrong("NE1072", f"coreCount is {declared}, the file has {cores} cores", "model")
        return self.integer(header, "crossbarSize", "model", 1, MOST_SIZE, 256)

    def types(self, entries: Any) -> tuple[dict[int, dict[str, int]], dict[str, int]]:
        """Parameters by type number, and the number of every name."""
        types: dict[int, dict[str, int]] = {}
        numbers: dict[str, int] = {}
        for position, entry in enumerate(entries if isinstance(entries, list) else []):
            place = f"neuronTypes[{position}]"
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in numbers:
                self.wrong("NE1072", "has no name of its own", place)
                continue
            number = _TYPE_NAME.fullmatch(name)
            key = int(number[1]) if number else 0
            if key == 0 or key in types:
                self.wrong("NE1072", f"the name {name[:40]!r} holds no number of its own above 0", place)
                continue
            if entry.get("class", "NeuronGeneral") != "NeuronGeneral":
                self.wrong("NE1070", f"class {entry['class']!r} is not known"[:200], place)
            if foreign := sorted(set(entry) - set(DEFAULTS) - {"name", "class"}):
                self.wrong("NE1072", f"has unknown keys: {', '.join(foreign)[:100]}", place)
            numbers[name] = key
            types[key] = self._parameters(entry, place)
        return types, numbers

    def _parameters(self, entry: Any, place: str) -> dict[str, int]:
        values = {}
        for key, default in DEFAULTS.items():
            low, high = (0, 1) if key in _FLAGS else (0, 31) if key in ("VR", "TM") else (-(1 << 20), 1 << 20)
            if key in _MAGNITUDES:
                low = 0  # the sign is a key of its own
            values[key] = self.integer(entry, key, place, low, high, default)
            if key in _SIGNS and values[key] not in (-1, 1):
                self.wrong("NE1072", f"{key} is {values[key]}; a sign is 1 or -1", place)
        return values

    def prototypes(self, entries: Any, size: int) -> dict[str, tuple[Int64, NDArray[np.uint8]]]:
        found: dict[str, tuple[Int64, NDArray[np.uint8]]] = {}
        for position, entry in enumerate(entries if isinstance(entries, list) else []):
            place = f"crossbarTypes[{position}]"
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in found:
                self.wrong("NE1072", "has no name of its own", place)
                continue
            found[name] = self.rows(entry.get("crossbar"), size, place)
        return found

    def rows(self, crossbar: Any, size: int, place: str) -> tuple[Int64, NDArray[np.uint8]]:
        """Axon types and synapse bytes of a crossbar."""
        rows = crossbar.get("rows") if isinstance(crossbar, dict) else None
        width = -(-size // 8)
        if not isinstance(rows, list) or len(rows) > MOST_SIZE:
            self.wrong("NE1072", "a crossbar needs a list of rows", place)
            return np.zeros(0, np.int64), np.zeros((0, width), np.uint8)
        types, synapses = np.zeros(len(rows), np.int64), np.zeros((len(rows), width), np.uint8)
        for number, row in enumerate(rows):
            kind = row.get("type") if isinstance(row, dict) else None
            digits = re.fullmatch(r"S(\d{1,3})", kind) if isinstance(kind, str) else None
            if digits is None:
                self.wrong("NE1072", f"type is {kind!r}; it must be S0 to S3"[:100], f"{place}, row {number}")
            else:
                types[number] = int(digits[1])
            synapses[number] = self._bytes(row, width, f"{place}, row {number}")
        return types, synapses

    def _bytes(self, row: Any, width: int, place: str) -> Any:
        text = row.get("synapses") if isinstance(row, dict) else None
        try:
            data = bytes.fromhex(text) if isinstance(text, str) and len(text) <= 4 * width else b""
        except ValueError:
            data = b""
        if len(data) != width:
            self.wrong("NE1073", f"synapses must be {width} hexadecimal bytes", place)
            return 0
        return np.frombuffer(data, np.uint8)

    def core(
        self,
        entry: Any,
        size: int,
        numbers: Mapping[str, int],
        prototypes: Mapping[str, tuple[Int64, NDArray[np.uint8]]],
    ) -> CpeCore:
        number = self.integer(entry, "id", "core", 0, MOST_CORES - 1)
        place = f"core {number}"
        fields = entry if isinstance(entry, dict) else {}
        if fields.get("timeScaleExponent", 0) != 0:
            self.wrong("NE1070", "timeScaleExponent is not 0; cores of another tick are not known", place)
        columns = self._neurons(fields.get("neurons"), size, numbers, place)
        crossbar = fields.get("crossbar")
        name = crossbar.get("name", "") if isinstance(crossbar, dict) and "rows" not in crossbar else ""
        if name:
            if not isinstance(name, str) or name not in prototypes:
                self.wrong("NE1072", f"there is no crossbar type {name!r}"[:100], place)
            empty = np.zeros(0, np.int64), np.zeros((0, -(-size // 8)), np.uint8)
            axon_type, synapses = prototypes.get(str(name), empty)
        else:
            axon_type, synapses = self.rows(crossbar, size, place)
        metadata = fields.get("metadata")
        corelet = metadata.get("coreletClass", "") if isinstance(metadata, dict) else ""
        return CpeCore(
            id=number,
            seed=self.integer(fields, "rngSeed", place, 0, (1 << 32) - 1, (1 << 32) - 1),
            axon_type=axon_type,
            synapses=synapses,
            prototype=str(name),
            corelet=str(corelet),
            **columns,
        )

    def _neurons(self, neurons: Any, size: int, numbers: Mapping[str, int], place: str) -> dict[str, Int64]:
        """Parallel columns of a core's neurons, written as runs or one by one."""
        if isinstance(neurons, list):
            columns = self._listed(neurons, size, numbers, place)
        else:
            entry = neurons if isinstance(neurons, dict) else {}
            dendrites = self.runs(entry.get("dendrites"), size, f"{place}, dendrites")
            columns = [np.zeros(0, np.int64) if dendrites is None else dendrites]
            for key in _PARALLEL:
                column = self.runs(entry.get(key), size, f"{place}, {key}")
                if column is None or column.shape != columns[0].shape:
                    if column is not None and dendrites is not None:
                        message = f"{key} expands to {column.shape[0]} values, dendrites to {dendrites.shape[0]}"
                        self.wrong("NE1073", message, place)
                    column = np.zeros_like(columns[0])
                columns.append(column)
        index = columns[0]
        if index.size and not (
            int(index.min()) >= 0 and int(index.max()) < size and np.unique(index).size == index.size
        ):
            self._dendrites(index, size, place)
        known = set(numbers.values()) | {0}
        if unknown := sorted(set(columns[1].tolist()) - known):
            self.wrong("NE1072", f"there is no neuron type {unknown[0]}", place)
        return dict(zip(("neuron", "type", "core", "axon", "delay"), columns, strict=True))

    def _dendrites(self, index: Int64, size: int, place: str) -> None:
        """What is wrong with numbers that are not distinct or not all of the core."""
        outside = np.flatnonzero((index < 0) | (index >= size))
        if outside.size:
            wrong = int(index[outside[0]])
            message = f"there is no neuron {wrong} ({outside.size} such numbers); a core has 0..{size - 1}"
            self.wrong("NE1073", message, place, "list neurons of the core only")
        number, times = np.unique(index, return_counts=True)
        for twice in np.flatnonzero(times > 1)[:1].tolist():
            many = f" ({int((times > 1).sum())} such neurons)" if (times > 1).sum() > 1 else ""
            message = f"neuron {int(number[twice])} has {int(times[twice])} targets, a neuron has one{many}"
            fix = "give relay neurons on a core in between its spikes, one for every target"
            self.wrong("NE1073", message, place, fix)

    def _listed(self, neurons: list[Any], size: int, numbers: Mapping[str, int], place: str) -> list[Int64]:
        """Neurons one by one, each with the name of its type."""
        if len(neurons) > size:
            message = f"lists {len(neurons)} neurons, a core has {size} ({len(neurons) - size} too many)"
            self.wrong("NE1073", message, place, "spread the neurons over several cores")
            neurons = []
        rows = []
        for position, entry in enumerate(neurons):
            here = f"{place}, neurons[{position}]"
            name = entry.get("type") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name not in numbers:
                self.wrong("NE1072", f"there is no neuron type {name!r}"[:100], here)
            rows.append(
                (
                    self.integer(entry, "dendrite", here, 0, size - 1),
                    numbers.get(name, 0) if isinstance(name, str) else 0,
                    self.integer(entry, "destCore", here, -MOST_CORES, MOST_CORES - 1),
                    self.integer(entry, "destAxon", here, -(1 << 31), (1 << 31) - 1),
                    self.integer(entry, "delay", here, 0, 1 << 16, 1),
                )
            )
        table = np.array(rows, np.int64).reshape(-1, 5)
        return [table[:, column].copy() for column in range(5)]

    def runs(self, parts: Any, most: int, place: str) -> Int64 | None:
        """Expand run lengths and ranges, at most ``most`` values; None if that cannot be done."""
        if not isinstance(parts, list):
            self.wrong("NE1073", "is not a list of runs", place)
            return None
        values: list[int] = []
        for part in parts:
            text = str(part) if type(part) is int else part
            match = _RUN.fullmatch(text) if isinstance(text, str) else None
            if match is None:
                self.wrong("NE1073", f"{part!r} is no run such as '1x256' or '0:255'"[:100], place)
                return None
            first = int(match[1])
            last = int(match[3]) if match[3] is not None else first
            count = int(match[2]) if match[2] is not None else last - first + 1
            if count < 0:
                self.wrong("NE1073", f"the range {part!r} counts down", place)
                return None
            if len(values) + count > most:
                over = len(values) + count - most
                message = f"expands to more than the {most} neurons of a core ({over:,} too many at {part!r})"[:160]
                self.wrong("NE1073", message, place, "spread the neurons over several cores")
                return None
            values += [first] * count if match[3] is None else range(first, last + 1)
        return np.array(values, np.int64)

    def targets(self, cores: Sequence[CpeCore]) -> None:
        """Cores have ids of their own, and targets are cores, connectors or nothing."""
        ids = [core.id for core in cores]
        if len(set(ids)) != len(ids):
            twice = next(number for number in ids if ids.count(number) > 1)
            self.wrong("NE1072", f"the id {twice} is given to two cores", "core")
        known = np.array(sorted(ids), np.int64)
        for core in cores:
            used = core.type != 0
            lost = used & (core.core >= 0) & ~np.isin(core.core, known)
            odd = used & (core.core < 0) & (core.core > CONNECTOR) & ~np.isin(core.core, UNCONNECTED)
            for wrong in np.flatnonzero(lost | odd)[:1].tolist():
                message = f"the target core {int(core.core[wrong])} is neither a core of the file nor a connector"
                self.wrong("NE1072", message, f"core {core.id}, neuron {int(core.neuron[wrong])}")
            pins = used & (core.core <= CONNECTOR)
            far = pins & (core.core <= CONNECTOR - MOST_CONNECTORS)
            for wrong in np.flatnonzero(far | (pins & ((core.axon < 0) | (core.axon >= MOST_PINS))))[:1].tolist():
                message = (
                    f"pin {int(core.axon[wrong])} of connector {CONNECTOR - int(core.core[wrong])} is none of the pins 0.."
                    f"{MOST_PINS - 1} of connectors 0..{MOST_CONNECTORS - 1}"
                )
                self.wrong("NE1072", message, f"core {core.id}, neuron {int(core.neuron[wrong])}")


def _text(file: Path) -> str:
    try:
        if not file.is_file():
            raise OSError("it is no regular file" if file.exists() else "no such file")
        if file.stat().st_size > MOST_BYTES:
            raise OSError(f"larger than {MOST_BYTES} bytes")
        return file.read_bytes().decode("utf-8")
    except (OSError, ValueError) as failure:
        raise BadInput(Finding("NE1001", f"cannot be read: {failure}", str(file))) from None


def _without_comments(text: str) -> str:
    """JSON with every comment replaced by as many line ends as it has, so that line numbers stay."""

    def kept(match: re.Match[str]) -> str:
        found = match[0]
        whole = found.startswith("/") and found.endswith("*/") and len(found) > 3
        return " " + "\n" * found.count("\n") if whole else found

    return _STRING_OR_COMMENT.sub(kept, text)


def _collected(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the values of the key ``core`` as a list, any other key at most once."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key == "core":
            found.setdefault(key, []).append(value)
        elif key in found:
            raise ValueError(f"the key {key[:40]!r} appears twice in one object")
        else:
            found[key] = value
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


# ---------------------------------------------------------------------------- writing a model


def model_text(model: CpeModel) -> str:
    """The model as a file that :func:`parse_model` reads back to an equal model."""
    used = {core.prototype for core in model.cores if core.prototype}
    prototypes: dict[str, CpeCore] = {}
    for core in model.cores:
        if core.prototype in used:
            prototypes.setdefault(core.prototype, core)
    lines = [
        "{",
        "\t/* General model parameters */",
        '\t"model":'
        + json.dumps(
            {
                "coreCount": len(model.cores),
                "neuronclass": "NeuronGeneral",
                "crossbarSize": model.size,
                "crossbarclass": "CrossbarBinary",
                "networking": "INTRA",
                "useCrossbarPrototypes": bool(prototypes),
            }
        )
        + ",",
        "\t/* Crossbar type library */",
        '\t"crossbarTypes":[',
        ",\n".join(f'\t\t{{"name":{json.dumps(name)},"crossbar":{_rows(core)}}}' for name, core in prototypes.items()),
        "\t],",
        "\t/* Neuron type library */",
        '\t"neuronTypes":[',
        ",\n".join("\t\t" + json.dumps(_type(number, values)) for number, values in model.types.items()),
        "\t],",
        "\t/* Core parameters */",
        ",\n".join(f'\t"core":{_core(core)}' for core in model.cores),
        "}",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def write_model(path: str | Path, model: CpeModel) -> None:
    """Write :func:`model_text`."""
    Path(path).write_text(model_text(model), encoding="utf-8")


def _type(number: int, values: Mapping[str, int]) -> dict[str, Any]:
    named = {key: bool(value) if key in _FLAGS else value for key, value in values.items()}
    return {"name": f"N{number:08d}", "class": "NeuronGeneral", **named}


def _rows(core: CpeCore) -> str:
    rows = (
        f'\t\t\t\t{{"type":"S{kind}","synapses":"{row.tobytes().hex(" ").upper()}"}}'
        for kind, row in zip(core.axon_type.tolist(), core.synapses, strict=True)
    )
    return '{"rows":[\n' + ",\n".join(rows) + "\n\t\t\t]}"


def _core(core: CpeCore) -> str:
    columns = (core.neuron, core.type, core.core, core.axon, core.delay)
    neurons = {key: compact(column.tolist()) for key, column in zip(("dendrites", *_PARALLEL), columns, strict=True)}
    crossbar = json.dumps({"name": core.prototype}) if core.prototype else _rows(core)
    return (
        f'{{\n\t\t"metadata":{json.dumps({"coreletClass": core.corelet})},\n\t\t"id":{core.id},\n'
        f'\t\t"timeScaleExponent":0,\n\t\t"rngSeed":{core.seed},\n\t\t"neurons":{json.dumps(neurons)},\n'
        f'\t\t"crossbar":{crossbar}\n\t}}'
    )


def compact(values: Iterable[int]) -> list[str]:
    """Numbers as run lengths and ranges."""
    runs = [(value, len(list(group))) for value, group in groupby(values)]
    parts: list[str] = []
    position = 0
    while position < len(runs):
        end = position
        while end + 1 < len(runs) and runs[end][1] == runs[end + 1][1] == 1 and runs[end + 1][0] == runs[end][0] + 1:
            end += 1
        value, count = runs[position]
        parts.append(f"{value}:{runs[end][0]}" if end > position else f"{value}x{count}")
        position = end + 1
    return parts


# ---------------------------------------------------------------------------- spike files


def read_spikes(path: str | Path) -> CpeSpikes:
    """Read a text spike file (``.sfti``): a header of two lines, then one JSON object per spike.

    Raises:
        BadInput: NE1001 unreadable, NE1074 not such a file (binary encodings are not publicly described) or a bad line.
    """
    file = Path(path)
    text = _text(file)
    delay = 1
    spikes: list[tuple[int, int, int]] = []
    header = False
    for number, entry in _lines(text, file):
        if "spike" in entry and header:
            spikes.append(_spike(entry["spike"], file, number))
            if len(spikes) > MOST_SPIKES:
                raise BadInput(Finding("NE1074", f"holds more than {MOST_SPIKES} spikes", str(file)))
            continue
        header = header or entry.get("class") == "SpikeWriter"
        if not header or entry.get("encoding", "TEXT") != "TEXT":
            raise BadInput(
                Finding(
                    "NE1074",
                    f"line {number} is no header of a text spike file",
                    str(file),
                    ("write the spikes as text (.sfti); binary encodings are not publicly described",),
                )
            )
        delay = entry.get("defaultDestinationDelay", delay)
    if not header or type(delay) is not int or not 0 <= delay <= 15:
        raise BadInput(Finding("NE1074", "has no header, or a default delay that is not 0 to 15", str(file)))
    table = np.array(spikes, np.int64).reshape(-1, 3)
    return CpeSpikes(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), delay)


def spikes_text(spikes: CpeSpikes, version: str = "sfti1.0") -> str:
    """The file that :func:`read_spikes` reads back; ``sfto1.0`` is the version of output files."""
    rows = zip(spikes.tick.tolist(), spikes.core.tolist(), spikes.axon.tolist(), strict=True)
    lines = [
        '{"class":"SpikeWriter","encoding":"TEXT","nscsVersion":"1.4.0"}',
        f'{{"version":"{version}", "defaultDestinationDelay" : {spikes.delay}}}',
        *(f'{{"spike":{{"srcTime":{tick},"destCore":{core},"destAxon":{axon}}}}}' for tick, core, axon in rows),
    ]
    return "\n".join(lines) + "\n"


def _lines(text: str, file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            entry = None
        if not isinstance(entry, dict):
            raise BadInput(Finding("NE1074", f"line {number} is no JSON object", str(file)))
        yield number, entry


def _spike(entry: Any, file: Path, number: int) -> tuple[int, int, int]:
    keys = ("srcTime", "destCore", "destAxon")
    values = [entry.get(key) if isinstance(entry, dict) else None for key in keys]
    limits = (MOST_TICK, MOST_CORES, MOST_SIZE)
    if not all(type(value) is int and 0 <= value < most for value, most in zip(values, limits, strict=True)):
        wanted = ", ".join(f"{key} from 0 to {most - 1}" for key, most in zip(keys, limits, strict=True))
        raise BadInput(Finding("NE1074", f"line {number} needs whole numbers: {wanted}", str(file)))
    tick, core, axon = (int(value or 0) for value in values)
    return tick, core, axon
