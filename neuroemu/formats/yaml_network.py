"""Networks written by hand: a YAML format that says what :class:`~neuroemu.network.builder.NetworkBuilder` says.

::

    format: neuroemu-network/1
    name: edge detector
    dt: 1 ms
    weights: edge_detector.npz        # optional; arrays by key, beside this file
    populations:
      retina: {shape: [1, 8, 8]}      # no neuron: an input
      edges:
        shape: [4, 6, 6]
        neuron: {model: lif, tau_mem: 10 ms, threshold: 1.0, v_reset: 0.0}
    projections:
      - from: retina
        to: edges
        stages: [{conv2d: {weight: kernels, stride: 1}}]
        bias: 0.1
    outputs: [edges]

A quantity of time is a number of seconds or a number with a unit. An array is a number, nested lists of numbers or the
name of an array in ``weights``. ``network.schema.json`` is the JSON Schema of the format (:func:`network_schema`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from neuroemu.errors import BadInput, Finding
from neuroemu.formats.samples import read_npz
from neuroemu.formats.yaml_text import Path_, PlacedData, parse_placed, read_placed
from neuroemu.network import neurons
from neuroemu.network.builder import assemble
from neuroemu.network.connectivity import Connectivity, Conv2d, Dense, Pool2d, Scale, Shape, Sparse, identity
from neuroemu.network.graph import nearest_name
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.units import parse_quantity

FloatArray = NDArray[np.float64]
MOST_NEURONS = 2**24
LARGEST = 2**20
FORMAT = "neuroemu-network/1"


def _array_like(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float | list | str):
        raise ValueError("needs a number, lists of numbers or the name of an array in the weights file")
    return value


def _whole(least: int, counts: tuple[int, ...]) -> Callable[[object], tuple[int, ...]]:
    """A validator for one whole number or a list of one of the lengths ``counts``."""

    def check(value: object) -> tuple[int, ...]:
        listed = value if isinstance(value, list) else [value]
        lengths = counts if isinstance(value, list) else (1,)
        good = len(listed) in lengths and all(type(item) is int and least <= item <= LARGEST for item in listed)
        if not good:
            raise ValueError(f"needs a whole number from {least}, or a list of {' or '.join(map(str, counts))} of them")
        return tuple(listed)

    return check


def _whole_schema(least: int, counts: tuple[int, ...]) -> dict[str, Any]:
    number = {"type": "integer", "minimum": least, "maximum": LARGEST}
    lists = [{"type": "array", "items": number, "minItems": count, "maxItems": count} for count in counts]
    return {"anyOf": [number, *lists]}


_ARRAY_KINDS = [{"type": "number"}, {"type": "array"}, {"type": "string"}]
Array = Annotated[
    Any,
    AfterValidator(_array_like),
    WithJsonSchema(
        {
            "anyOf": _ARRAY_KINDS,
            "description": "a number, nested lists of numbers or the name of an array in the weights",
        }
    ),
]
Time = Annotated[
    Any,
    AfterValidator(_array_like),
    WithJsonSchema(
        {
            "anyOf": _ARRAY_KINDS,
            "description": 'seconds, "5 ms", a list of seconds or the name of an array in the weights',
        }
    ),
]
Side = Annotated[int, Field(ge=1, le=MOST_NEURONS)]
Steps = Annotated[Any, AfterValidator(_whole(1, (2,))), WithJsonSchema(_whole_schema(1, (2,)))]
Gaps = Annotated[Any, AfterValidator(_whole(0, (2,))), WithJsonSchema(_whole_schema(0, (2,)))]
Edges = Annotated[Any, AfterValidator(_whole(0, (2, 4))), WithJsonSchema(_whole_schema(0, (2, 4)))]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _Fires(_Strict):
    threshold: Array = 1.0
    v_reset: Array = 0.0
    compare: Literal["gt", "ge"] = "gt"
    reset: Literal["zero", "subtract", "subtract_snntorch", "none"] = "zero"
    reset_delay: bool = False
    multispike: bool = False
    min_v: float | None = None
    refractory_ticks: Annotated[int, Field(ge=0, le=2**31)] = 0


class _Leaks(_Strict):
    tau_mem: Time
    resistance: Array = 1.0
    v_leak: Array = 0.0
    decay: Literal["euler", "exp"] = "euler"
    gain: Literal["matched", "euler"] = "matched"
    snap: bool = False


class _HasCurrent(_Strict):
    tau_syn: Time
    w_in: Array = 1.0


class LifNeuron(_Leaks, _Fires):
    """Leaky integrate-and-fire."""

    model: Literal["lif"]


class IfNeuron(_Fires):
    """Integrate-and-fire without leak."""

    model: Literal["if"]
    input_gain: Array = 1.0


class CubaLifNeuron(_HasCurrent, _Leaks, _Fires):
    """Current-based leaky integrate-and-fire."""

    model: Literal["cuba_lif"]


class LiNeuron(_Leaks):
    """Leaky integrator with analog output."""

    model: Literal["li"]


class CubaLiNeuron(_HasCurrent, _Leaks):
    """Current-based leaky integrator with analog output."""

    model: Literal["cuba_li"]


class IntegratorNeuron(_Strict):
    """Perfect integrator with analog output."""

    model: Literal["integrator"]
    input_gain: Array = 1.0


class ThresholdNeuron(_Strict):
    """Stateless threshold."""

    model: Literal["threshold"]
    threshold: Array = 0.0
    compare: Literal["gt", "ge"] = "gt"


class ReadoutNeuron(_Strict):
    """Stateless analog output: the summed input of the tick."""

    model: Literal["readout"]


AnyNeuron = Annotated[
    LifNeuron | IfNeuron | CubaLifNeuron | LiNeuron | CubaLiNeuron | IntegratorNeuron | ThresholdNeuron | ReadoutNeuron,
    Field(discriminator="model"),
]


class PopulationEntry(_Strict):
    """A named group of neurons; without ``neuron`` it is an input."""

    shape: Annotated[list[Side], Field(min_length=1, max_length=8)]
    neuron: AnyNeuron | None = None


class DenseStage(_Strict):
    """All to all; weight (n_out, n_in)."""

    weight: Array


class SparseStage(_Strict):
    """Synapse lists: target, source, weight and optionally delay (ticks) per synapse."""

    n_out: Side
    target: Array
    source: Array
    weight: Array
    delay: Array | None = None


class ConvStage(_Strict):
    """Cross-correlation; weight (out_channels, in_channels / groups, height, width)."""

    weight: Array
    stride: Steps = (1,)
    padding: Edges = Field((0,), description="all sides, (vertical, horizontal) or (top, bottom, left, right)")
    dilation: Steps = (1,)
    groups: Annotated[int, Field(ge=1, le=LARGEST)] = 1


class PoolStage(_Strict):
    """Pooling; stride defaults to the kernel."""

    mode: Literal["sum", "average"] = "sum"
    kernel: Steps
    stride: Steps | None = None
    padding: Gaps = (0,)


class ScaleStage(_Strict):
    """Elementwise factor."""

    factor: Array


class IdentityStage(_Strict):
    """Neuron k drives neuron k with weight 1."""


class StageEntry(_Strict):
    """One linear stage: exactly one of the keys."""

    dense: DenseStage | None = None
    sparse: SparseStage | None = None
    conv2d: ConvStage | None = None
    pool2d: PoolStage | None = None
    scale: ScaleStage | None = None
    identity: IdentityStage | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> StageEntry:
        given = sorted(self.model_fields_set)
        if len(given) != 1 or getattr(self, given[0]) is None:
            raise ValueError(f"a stage has exactly one kind, here {', '.join(given) or 'none'}")
        return self


class ProjectionEntry(_Strict):
    """Synapses from one population to another."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")
    stages: Annotated[list[StageEntry], Field(min_length=1, max_length=64)]
    bias: Array | None = Field(None, description="one value, one per channel of the target, or one per neuron")
    delay: Annotated[int, Field(ge=0, le=10**6, description="ticks; feedback needs at least 1")] = 0
    name: str | None = None


class NetworkFile(_Strict):
    """A spiking network for neuroemu."""

    format: Literal["neuroemu-network/1"]
    name: str
    dt: Time
    weights: str | None = Field(None, description="an .npz file in the same folder")
    populations: dict[str, PopulationEntry]
    projections: list[ProjectionEntry] = []
    inputs: list[str] | None = Field(None, description="default: every population without a neuron")
    outputs: list[str]


_MODELS = (
    NetworkFile, PopulationEntry, ProjectionEntry, StageEntry, DenseStage, SparseStage, ConvStage, PoolStage,
    ScaleStage, LifNeuron, IfNeuron, CubaLifNeuron, LiNeuron, CubaLiNeuron, IntegratorNeuron, ThresholdNeuron,
)  # fmt: skip
_KEYS = sorted({field.alias or name for model in _MODELS for name, field in model.model_fields.items()})


def network_schema() -> dict[str, Any]:
    """The JSON Schema of the format, as published in ``network.schema.json``."""
    schema = NetworkFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": FORMAT, **schema}


def load_yaml(path: str | Path) -> Network:
    """Read a YAML network.

    Raises:
        BadInput: every problem with ``file:line:column`` (NE1060-NE1062 text, NE1063 keys and values, NE1064 arrays,
            NE11xx the network itself).
    """
    file = Path(path)
    return _network(read_placed(file), file.parent)


def parse_yaml(text: str, shown_as: str = "network.yaml", folder: Path | None = None) -> Network:
    """As :func:`load_yaml`, from text; ``folder`` holds the weights file."""
    return _network(parse_placed(text.encode("utf-8"), shown_as), folder)


def _network(placed: PlacedData, folder: Path | None) -> Network:
    entry = _checked(placed)
    reader = _Reader(placed, _weights(entry, placed, folder))
    network = reader.network(entry)
    if reader.findings:
        raise BadInput(reader.findings)
    try:
        return assemble(network)
    except BadInput as refusal:
        raise BadInput([replace(finding, where=reader.located(finding)) for finding in refusal.findings]) from None


def _checked(placed: PlacedData) -> NetworkFile:
    if not isinstance(placed.data, dict):
        message = f"a network file is a mapping that starts with 'format: {FORMAT}'"
        raise BadInput(Finding("NE1063", message, placed.place(())))
    try:
        return NetworkFile.model_validate(placed.data)
    except ValidationError as refusal:
        findings = [_finding(error["type"], error["loc"], error["msg"], placed) for error in refusal.errors()]
        raise BadInput(tuple(dict.fromkeys(findings))) from None


def _finding(kind: str, where: Path_, message: str, placed: PlacedData) -> Finding:
    key = str(where[-1]) if where else ""
    if kind == "extra_forbidden":
        nearest = nearest_name(key, _KEYS)
        fixes = (f"did you mean {nearest!r}?",) if nearest and nearest != key else ()
        return Finding("NE1063", f"the key {key!r} is unknown here", placed.place(where, key=True), fixes)
    if kind == "missing":
        return Finding("NE1063", f"the key {key!r} is missing", placed.place(where[:-1]))
    said = message.removeprefix("Value error, ")
    label = ".".join(str(part) for part in placed.known(where) if not isinstance(part, int))
    return Finding("NE1063", f"{label}: {said[:1].lower()}{said[1:]}", placed.place(where))


def _weights(entry: NetworkFile, placed: PlacedData, folder: Path | None) -> Mapping[str, NDArray[Any]]:
    if entry.weights is None:
        return {}
    place = placed.place(("weights",))
    pure = PurePosixPath(entry.weights)
    if len(pure.parts) != 1 or pure.name in ("..", "") or "\\" in entry.weights or "\0" in entry.weights:
        raise BadInput(Finding("NE1064", f"{entry.weights!r} must be a file name in the same folder", place))
    if folder is None:
        raise BadInput(Finding("NE1064", "text without a folder has no weights file", place))
    try:
        return read_npz(folder / pure.name)
    except BadInput as refusal:
        raise BadInput([replace(f, message=f"{f.where}: {f.message}", where=place) for f in refusal.findings]) from None


class _Unusable(Exception):
    """A value that was reported already; what depends on it is left out."""


class _Reader:
    """Builds the network and collects every problem of its values."""

    def __init__(self, placed: PlacedData, arrays: Mapping[str, NDArray[Any]]):
        self.placed = placed
        self.arrays = arrays
        self.findings: list[Finding] = []
        self.place_of: dict[str, str] = {}

    def located(self, finding: Finding) -> str:
        """The file position of a finding about ``population NAME`` or ``projection NAME``."""
        return self.place_of.get(finding.where, self.placed.place(()))

    def network(self, entry: NetworkFile) -> Network:
        dt_s = self._dt(entry)
        populations: dict[str, Population] = {}
        for name, stated in entry.populations.items():
            self.place_of[f"population {name}"] = self.placed.place(("populations", name))
            populations[name] = self._population(name, stated, dt_s)
        projections = []
        names: set[str] = set()
        for number, projection in enumerate(entry.projections):
            title = projection.name or f"{projection.source}->{projection.target}"
            title = title if title not in names else f"{title} #{number}"
            names.add(title)
            self.place_of[f"projection {title}"] = self.placed.place(("projections", number))
            projections.append(self._projection(title, projection, ("projections", number), populations))
        inputs = entry.inputs
        if inputs is None:
            inputs = [name for name, population in populations.items() if population.is_input]
        return Network(
            name=entry.name,
            populations=populations,
            projections=tuple(made for made in projections if made is not None),
            inputs=tuple(inputs),
            outputs=tuple(entry.outputs),
            dt_s=dt_s,
            dialect="yaml",
        )

    def _refuse(self, code: str, message: str, where: Path_, *fixes: str) -> NoReturn:
        self.findings.append(Finding(code, message, self.placed.place(where), fixes))
        raise _Unusable

    # ---- values --------------------------------------------------------------------------------------------------

    def _array(self, value: Any, where: Path_) -> FloatArray:
        """Inline numbers or an array of the weights file, as float64."""
        if isinstance(value, str):
            if value not in self.arrays:
                nearest = nearest_name(value, self.arrays)
                fixes = (f"did you mean {nearest!r}?",) if nearest else ()
                known = ", ".join(sorted(self.arrays)) or "no arrays (no weights file is named)"
                self._refuse("NE1064", f"there is no array {value!r}; there are {known}", where, *fixes)
            found = self.arrays[value]
            if found.dtype.kind not in "buif":
                self._refuse("NE1064", f"the array {value!r} holds {found.dtype}, not numbers", where)
            return found.astype(np.float64)
        try:
            array = np.asarray(value)
        except ValueError:
            self._refuse("NE1064", "the rows of the list have different lengths", where)
        if array.dtype.kind not in "if" and array.size:
            self._refuse("NE1064", "the list holds something that is not a number", where)
        return array.astype(np.float64)

    def _seconds(self, value: Any, where: Path_) -> FloatArray:
        if not isinstance(value, str) or value in self.arrays:
            return self._array(value, where)
        try:
            measure = parse_quantity(value)
        except BadInput as refusal:
            self._refuse("NE1064", refusal.findings[0].message, where, 'write for example "5 ms"')
        if measure.dimension not in ("time", "count"):
            self._refuse(
                "NE1064", f"{value!r} is a {measure.dimension}, a time is needed", where, 'write for example "5 ms"'
            )
        return np.array(float(measure.value))

    def _dt(self, entry: NetworkFile) -> float:
        try:
            dt_s = self._seconds(entry.dt, ("dt",))
            if dt_s.ndim or not (np.isfinite(dt_s) and dt_s > 0):
                self._refuse("NE1064", "dt must be one positive time", ("dt",))
        except _Unusable:
            return 1.0
        return float(dt_s)

    # ---- populations ---------------------------------------------------------------------------------------------

    def _population(self, name: str, entry: PopulationEntry, dt_s: float) -> Population:
        shape = tuple(entry.shape)
        size = math.prod(shape)
        where: Path_ = ("populations", name)
        if size > MOST_NEURONS:
            self.findings.append(
                Finding("NE1063", f"{size} neurons, the limit is {MOST_NEURONS}", self.placed.place((*where, "shape")))
            )
            return Population(name, (1,), neurons.readout())
        if entry.neuron is None:
            return Population(name, shape)
        try:
            return Population(name, shape, self._neuron(entry.neuron, shape, dt_s, (*where, "neuron")))
        except _Unusable:
            return Population(name, shape, neurons.readout().spread(size))

    def _neuron(self, entry: Any, shape: Shape, dt_s: float, where: Path_) -> Neuron:
        build, takes_dt = _BUILDERS[entry.model]
        arguments: dict[str, Any] = {"dt_s": dt_s} if takes_dt else {}
        for key in type(entry).model_fields:
            value = getattr(entry, key)
            if key in ("tau_mem", "tau_syn"):
                arguments[f"{key}_s"] = self._per_neuron(self._seconds(value, (*where, key)), shape, (*where, key))
            elif key in _PARAMETERS:
                arguments[key] = self._per_neuron(self._array(value, (*where, key)), shape, (*where, key))
            elif key != "model":
                arguments[key] = value
        try:
            return build(**arguments).spread(math.prod(shape))
        except BadInput as refusal:
            place = self.placed.place(where)
            self.findings += [replace(finding, where=place) for finding in refusal.findings]
            raise _Unusable from None

    def _per_neuron(self, values: FloatArray, shape: Shape, where: Path_) -> FloatArray:
        if values.ndim == 0:
            return values
        if values.size == math.prod(shape):
            return values.reshape(-1)
        self._refuse(
            "NE1064", f"has the shape {values.shape}, the population {shape}", where, "give one value or one each"
        )

    # ---- projections ---------------------------------------------------------------------------------------------

    def _projection(
        self, title: str, entry: ProjectionEntry, where: Path_, populations: Mapping[str, Population]
    ) -> Projection | None:
        for key, name in (("from", entry.source), ("to", entry.target)):
            if name not in populations:
                nearest = nearest_name(name, populations)
                fixes = (f"did you mean {nearest!r}?",) if nearest else ()
                message = f"there is no population {name!r}; there are {', '.join(populations) or 'none'}"
                self.findings.append(Finding("NE1101", message, self.placed.place((*where, key)), fixes))
        if entry.source not in populations or entry.target not in populations:
            return None
        shape = populations[entry.source].shape
        stages: list[Connectivity] = []
        try:
            for number, stage in enumerate(entry.stages):
                made, shape = self._stage(stage, shape, (*where, "stages", number))
                stages.append(made)
            bias = self._bias(entry, populations[entry.target].shape, (*where, "bias"))
        except _Unusable:
            return None
        return Projection(title, entry.source, entry.target, tuple(stages), entry.delay, bias)

    def _bias(self, entry: ProjectionEntry, shape: Shape, where: Path_) -> FloatArray | None:
        if entry.bias is None:
            return None
        values = self._array(entry.bias, where)
        if values.ndim == 1 and len(shape) == 3 and values.size == shape[0] != math.prod(shape):
            values = values[:, None, None]
        if values.size == math.prod(shape):
            return values.reshape(-1)
        try:
            return np.broadcast_to(values, shape).reshape(-1).copy()
        except ValueError:
            self._refuse("NE1064", f"the bias has the shape {values.shape}, the target {shape}", where)

    def _stage(self, entry: StageEntry, in_shape: Shape, where: Path_) -> tuple[Connectivity, Shape]:
        size = math.prod(in_shape)
        if entry.identity is not None:
            return identity(size), in_shape
        if entry.scale is not None:
            inner: Path_ = (*where, "scale", "factor")
            return Scale(self._spread(self._array(entry.scale.factor, inner), in_shape, inner)), in_shape
        if entry.dense is not None:
            weight = self._array(entry.dense.weight, (*where, "dense", "weight"))
            if weight.ndim != 2 or weight.shape[1] != size:
                message = f"the weight has the shape {weight.shape}, (n_out, {size}) is needed"
                self._refuse("NE1064", message, (*where, "dense", "weight"))
            return Dense(weight), (weight.shape[0],)
        if entry.sparse is not None:
            stage = self._sparse(entry.sparse, size, (*where, "sparse"))
            return stage, stage.out_shape
        made = self._windowed(entry, in_shape, where)
        return made, made.out_shape

    def _spread(self, values: FloatArray, shape: Shape, where: Path_) -> FloatArray:
        if values.size == math.prod(shape):
            return values.reshape(-1)
        if values.size == 1:
            return np.full(math.prod(shape), float(values.reshape(-1)[0]))
        self._refuse("NE1064", f"has the shape {values.shape}, {shape} is needed", where, "give one value or one each")

    def _sparse(self, entry: SparseStage, n_in: int, where: Path_) -> Sparse:
        target = self._indices(entry.target, entry.n_out, (*where, "target"))
        source = self._indices(entry.source, n_in, (*where, "source"))
        weight = self._array(entry.weight, (*where, "weight")).ravel()
        weight = np.full(target.size, weight[0]) if weight.size == 1 else weight
        delay = None
        if entry.delay is not None:
            delay = self._indices(entry.delay, LARGEST, (*where, "delay"))
            delay = np.full(target.size, delay[0]) if delay.size == 1 else delay
        sizes = {target.size, source.size, weight.size, target.size if delay is None else delay.size}
        if len(sizes) > 1:
            self._refuse("NE1064", f"the lists have different lengths: {', '.join(map(str, sorted(sizes)))}", where)
        order = np.lexsort((source, target))
        target, source = target[order], source[order]
        if target.size and bool(((np.diff(target) == 0) & (np.diff(source) == 0)).any()):
            self._refuse("NE1064", "one synapse is listed twice", where, "add the weights, or use two projections")
        row_start = np.searchsorted(target, np.arange(entry.n_out + 1))
        matrix = sp.csr_array((weight[order], source, row_start), shape=(entry.n_out, n_in))
        return Sparse(matrix, None if delay is None else delay[order])

    def _indices(self, value: Any, limit: int, where: Path_) -> NDArray[np.int64]:
        values = self._array(value, where).ravel()
        good = np.isfinite(values) & (values >= 0) & (values < limit) & (values == np.rint(values))
        if not good.all():
            self._refuse("NE1064", f"{values[~good][0]:g} is not a whole number from 0 to {limit - 1}", where)
        return values.astype(np.int64)

    def _windowed(self, entry: StageEntry, in_shape: Shape, where: Path_) -> Conv2d | Pool2d:
        kind = "conv2d" if entry.conv2d is not None else "pool2d"
        if len(in_shape) != 3:
            message = f"{kind} needs (channels, height, width), its input has the shape {in_shape}"
            self._refuse("NE1064", message, (*where, kind))
        image = (in_shape[0], in_shape[1], in_shape[2])
        if entry.pool2d is not None:
            pool = entry.pool2d
            stride = pool.stride if pool.stride is not None else pool.kernel
            made = Pool2d(pool.mode, image, _pair(pool.kernel), _pair(stride), _pair(pool.padding))
            self._check_fit(made.in_shape, made.kernel, (1, 1), _sides(pool.padding), (*where, kind))
            return made
        conv = entry.conv2d
        assert conv is not None
        weight = self._array(conv.weight, (*where, kind, "weight"))
        if weight.ndim != 4 or 0 in weight.shape:
            message = f"the weight has the shape {weight.shape}, (out, in / groups, height, width) is needed"
            self._refuse("NE1064", message, (*where, kind, "weight"))
        if weight.shape[1] * conv.groups != image[0] or weight.shape[0] % conv.groups:
            message = f"weight {weight.shape} with {conv.groups} groups does not fit {image[0]} input channels"
            self._refuse("NE1064", message, (*where, kind))
        dilation, padding = _pair(conv.dilation), _sides(conv.padding)
        self._check_fit(image, weight.shape[2:], dilation, padding, (*where, kind))
        return Conv2d(weight, image, _pair(conv.stride), padding, dilation, conv.groups)

    def _check_fit(
        self, image: Shape, kernel: Shape, dilation: Shape, padding: tuple[int, int, int, int], where: Path_
    ) -> None:
        around = (padding[0] + padding[1], padding[2] + padding[3])
        for axis in (0, 1):
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            if reach > image[1 + axis] + around[axis]:
                message = f"the kernel spans {reach} pixels, the padded image has {image[1 + axis] + around[axis]}"
                self._refuse("NE1064", message, where)
        if image[0] * (image[1] + around[0]) * (image[2] + around[1]) > 4 * MOST_NEURONS:
            self._refuse("NE1064", f"the padded image is larger than {4 * MOST_NEURONS} values", where)


_PARAMETERS = ("threshold", "v_reset", "resistance", "v_leak", "w_in", "input_gain")
_BUILDERS: Mapping[str, tuple[Callable[..., Neuron], bool]] = {
    "lif": (neurons.lif, True),
    "if": (neurons.integrate_and_fire, False),
    "cuba_lif": (neurons.cuba_lif, True),
    "li": (neurons.li, True),
    "cuba_li": (neurons.cuba_li, True),
    "integrator": (neurons.integrator, False),
    "threshold": (neurons.threshold_gate, False),
    "readout": (neurons.readout, False),
}


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return (values[0], values[-1])


def _sides(values: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Padding as (top, bottom, left, right) from 1, 2 or 4 numbers."""
    if len(values) == 4:
        return (values[0], values[1], values[2], values[3])
    return (values[0], values[0], values[-1], values[-1])
