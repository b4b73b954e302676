"""What each NIR node means: linear nodes become connectivity stages, neuron nodes become discrete-time neurons.

Shapes exclude batch and time. Rules and field names follow the NIR primitives (Pedersen et al., Nature Communications
2024) as the ``nir`` 1.0.8 package writes them; shapes are computed here and not taken from the file, because nir 1.0.8
infers wrong ones for non-square kernels and for groups.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.formats.dialects import Dialect, NeuronEvidence
from neuroemu.formats.nir_file import RawNode
from neuroemu.network import neurons
from neuroemu.network.connectivity import Connectivity, Conv2d, Dense, Pool2d, Scale, Shape, Sparse
from neuroemu.network.model import Neuron

FloatArray = NDArray[np.float64]

_CONV = ("input_shape", "weight", "stride", "padding", "dilation", "groups", "bias")
_POOL = ("kernel_size", "stride", "padding")
FIELDS: Mapping[str, tuple[str, ...]] = {
    "Input": ("shape",),
    "Output": ("shape",),
    "Linear": ("weight",),
    "Affine": ("weight", "bias"),
    "Scale": ("scale",),
    "Conv1d": _CONV,
    "Conv2d": _CONV,
    "SumPool2d": _POOL,
    "AvgPool2d": _POOL,
    "Flatten": ("input_type", "start_dim", "end_dim"),
    "Delay": ("delay",),
    "Threshold": ("threshold",),
    "I": ("r",),
    "IF": ("r", "v_threshold", "v_reset"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
}
"""Every supported node type (besides NIRGraph) and the fields that are read of it."""

NEURON_TYPES = frozenset({"Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"})
LINEAR_TYPES = frozenset(FIELDS) - NEURON_TYPES - {"Input", "Output"}
_OPTIONAL = {"v_leak": 0.0, "v_reset": 0.0, "w_in": 1.0}
_POSITIVE = ("tau", "tau_syn", "tau_mem")
_MAY_BE_INFINITE = (*_POSITIVE, "r", "w_in", "v_threshold", "threshold")

MOST_VALUES = 2**24
"""Neurons of one population and synapses of one repeated weight that a file may ask for."""


@dataclass(frozen=True)
class LinearNode:
    """A linear node at a known input shape: its stages (none for pure reshaping), bias per output, delay per output."""

    stages: tuple[Connectivity, ...]
    out_shape: Shape
    bias: FloatArray | None = None
    delay_s: FloatArray | None = None
    findings: tuple[Finding, ...] = ()


class NodeReader:
    """Converts the nodes of one file; errors name ``file:/node/nodes/…``."""

    def __init__(self, file: str):
        self.file = file

    # ---- shared checks -------------------------------------------------------------------------------------------

    def place(self, node: RawNode, name: str = "") -> str:
        return f"{self.file}:{node.path}" + (f"/{name}" if name else "")

    def refuse(self, code: str, message: str, node: RawNode, name: str = "", *fixes: str) -> NoReturn:
        raise BadInput(Finding(code, message, self.place(node, name), fixes))

    def warn(self, code: str, message: str, node: RawNode, *fixes: str) -> Finding:
        return Finding(code, message, self.place(node), fixes, "warning")

    def numbers(self, node: RawNode, name: str, *, finite: bool = True) -> FloatArray:
        """A required numeric field as float64."""
        value = node.fields.get(name)
        if value is None:
            self.refuse(
                "NE1013", f"{node.type} needs the field {name!r}; it has {', '.join(node.fields) or 'none'}", node
            )
        if isinstance(value, str):
            self.refuse("NE1014", f"is the text {value!r}, a number is needed", node, name)
        array = np.asarray(value, dtype=np.float64)
        broken = ~np.isfinite(array) if finite else np.isnan(array)
        if broken.any():
            what = "NaN or infinite" if finite else "NaN"
            self.refuse(
                "NE1015", f"is {what} in {int(broken.sum())} of {array.size} places", node, name,
                "the training diverged or the export failed: export again from a finite checkpoint",
            )  # fmt: skip
        return array

    def whole(self, node: RawNode, name: str, count: int, default: int | None = None, least: int = 0) -> Shape:
        """An integer field given as a scalar or ``count`` values."""
        if name not in node.fields and default is not None:
            return (default,) * count
        values = self.numbers(node, name).ravel()
        if values.size not in (1, count) or (values != np.rint(values)).any() or (np.abs(values) > 2**31).any():
            self.refuse("NE1014", f"is {_short(values)}, {count} whole numbers are needed", node, name)
        if (values < least).any():
            self.refuse("NE1014", f"is {_short(values)}, it must be at least {least}", node, name)
        listed = tuple(int(value) for value in values)
        return listed * count if len(listed) == 1 else listed

    def declared_shape(self, node: RawNode) -> Shape | None:
        """The shape of an Input or Output; None when the file leaves it out."""
        if "shape" not in node.fields:
            return None
        values = self.numbers(node, "shape").ravel()
        if values.size == 0:
            return None
        shape = self.whole(node, "shape", values.size, least=1)
        if math.prod(shape) > MOST_VALUES:
            self.refuse("NE1004", f"declares {math.prod(shape)} values, the limit is {MOST_VALUES}", node, "shape")
        return shape

    # ---- linear nodes --------------------------------------------------------------------------------------------

    def linear(self, node: RawNode, in_shape: Shape) -> LinearNode:
        """What a linear node does to values of ``in_shape``.

        Raises:
            BadInput: missing or unusable fields, shapes that do not fit.
        """
        convert: Mapping[str, Callable[[RawNode, Shape], LinearNode]] = {
            "Linear": self._weight,
            "Affine": self._weight,
            "Scale": self._scale,
            "Conv1d": self._conv,
            "Conv2d": self._conv,
            "SumPool2d": self._pool,
            "AvgPool2d": self._pool,
            "Flatten": self._flatten,
            "Delay": self._delay,
        }
        result = convert[node.type](node, in_shape)
        if math.prod(result.out_shape) > MOST_VALUES:
            self.refuse("NE1004", f"gives {math.prod(result.out_shape)} values, the limit is {MOST_VALUES}", node)
        return result

    def assumed_in_shape(self, node: RawNode) -> Shape | None:
        """The input shape a node implies by itself, for graphs without Input nodes; None when it implies none."""
        if node.type in NEURON_TYPES:
            return self.neuron_shape_stated(node)
        weight = node.fields.get("weight")
        if isinstance(weight, np.ndarray) and node.type in ("Linear", "Affine") and weight.ndim >= 2:
            return (*weight.shape[:-2], weight.shape[-1])
        if isinstance(weight, np.ndarray) and node.type in ("Conv1d", "Conv2d") and weight.ndim >= 3:
            sides = weight.ndim - 2
            if "input_shape" in node.fields:
                channels = weight.shape[1] * self.whole(node, "groups", 1, 1, least=1)[0]
                return (channels, *self.whole(node, "input_shape", sides, least=1))
        if node.type == "Flatten" and "input_type" in node.fields:
            size = self.numbers(node, "input_type").size
            return self.whole(node, "input_type", size, least=1) if size else None
        if node.type in ("Scale", "Delay"):
            values = self.numbers(node, "scale" if node.type == "Scale" else "delay")
            return values.shape if values.ndim else (1,)
        return None

    def _weight(self, node: RawNode, in_shape: Shape) -> LinearNode:
        weight = self.numbers(node, "weight")
        if weight.ndim < 2 or 0 in weight.shape:
            self.refuse("NE1014", f"has the shape {weight.shape}, (…, out, in) is needed", node, "weight")
        n_out, n_in = weight.shape[-2:]
        findings: tuple[Finding, ...] = ()
        wanted = (*weight.shape[:-2], n_in)
        if weight.ndim == 2 and in_shape[-1] == n_in:
            lead = in_shape[:-1]
        elif in_shape == wanted:
            lead = weight.shape[:-2]
        elif math.prod(in_shape) == math.prod(wanted):
            lead = weight.shape[:-2]
            findings = (
                self.warn("NE1021", f"takes {wanted}, its input has the shape {in_shape}: read in C order", node),
            )
        else:
            self.refuse(
                "NE1017", f"{node.type} takes {wanted}, its input has the shape {in_shape}", node, "weight",
                "check the layer before it, or a missing or wrong Flatten",
            )  # fmt: skip
        blocks = math.prod(lead)
        if blocks > 1 and blocks * n_out * n_in > MOST_VALUES:
            self.refuse("NE1004", f"repeats a weight {blocks} times: {blocks * n_out * n_in} synapses", node, "weight")
        stage: Connectivity = Dense(weight.reshape(n_out, n_in)) if blocks == 1 else _blocks(weight, blocks)
        bias = None
        if node.type == "Affine":
            bias = self._spread(node, "bias", (*lead, n_out))
        return LinearNode((stage,), (*lead, n_out), bias, None, findings)

    def _spread(self, node: RawNode, name: str, shape: Shape) -> FloatArray:
        """A field broadcast to ``shape`` and flattened."""
        values = self.numbers(node, name)
        try:
            return np.broadcast_to(values, shape).reshape(-1).copy()
        except ValueError:
            if values.size == math.prod(shape):
                return values.reshape(-1)
            self.refuse("NE1017", f"has the shape {values.shape}, {shape} is needed", node, name)

    def _scale(self, node: RawNode, in_shape: Shape) -> LinearNode:
        return LinearNode((Scale(self._spread(node, "scale", in_shape)),), in_shape)

    def _delay(self, node: RawNode, in_shape: Shape) -> LinearNode:
        delay_s = self._spread(node, "delay", in_shape)
        if (delay_s < 0).any():
            self.refuse("NE1014", f"is {_short(delay_s[delay_s < 0])}, a delay cannot be negative", node, "delay")
        return LinearNode((), in_shape, None, delay_s)

    def _flatten(self, node: RawNode, in_shape: Shape) -> LinearNode:
        start = int(self.whole(node, "start_dim", 1, 0, least=-(2**31))[0])
        end = int(self.whole(node, "end_dim", 1, -1, least=-(2**31))[0])
        axes = len(in_shape)
        first, last = (axis + axes if axis < 0 else axis for axis in (start, end))
        if not 0 <= first <= last < axes:
            message = f"flattens axes {start} to {end} of an input with {axes} axes {in_shape}: taken as it is"
            return LinearNode((), in_shape, findings=(self.warn("NE1021", message, node),))
        merged = math.prod(in_shape[first : last + 1])
        return LinearNode((), (*in_shape[:first], merged, *in_shape[last + 1 :]))

    def _image(self, node: RawNode, in_shape: Shape, channels: int, sides: int) -> tuple[Shape, tuple[Finding, ...]]:
        """The input as ``(channels, *sides)``, checked against the node's own ``input_shape``."""
        stated: Shape | None = None
        given = node.fields.get("input_shape")
        if isinstance(given, np.ndarray) and given.size:
            stated = self.whole(node, "input_shape", sides, least=1)
        image = in_shape
        while len(image) > sides + 1 and image[0] == 1:
            image = image[1:]
        wanted = (
            f"({channels}, {', '.join(map(str, stated)) if stated else 'height, width'[: 6 if sides == 1 else None]})"
        )
        fits = len(image) == sides + 1 and image[0] == channels and (stated is None or image[1:] == stated)
        if not fits and stated is not None and math.prod(in_shape) == channels * math.prod(stated):
            image, fits = (channels, *stated), True
        if not fits:
            self.refuse("NE1017", f"{node.type} takes {wanted}, its input has the shape {in_shape}", node)
        if image == in_shape:
            return image, ()
        return image, (
            self.warn("NE1021", f"takes {image}, its input has the shape {in_shape}: read in C order", node),
        )

    def _conv(self, node: RawNode, in_shape: Shape) -> LinearNode:
        sides = 1 if node.type == "Conv1d" else 2
        weight = self.numbers(node, "weight")
        if weight.ndim != sides + 2 or 0 in weight.shape:
            needed = "(out, in/groups, k)" if sides == 1 else "(out, in/groups, kh, kw)"
            self.refuse("NE1014", f"has the shape {weight.shape}, {needed} is needed", node, "weight")
        groups = self.whole(node, "groups", 1, 1, least=1)[0]
        if weight.shape[0] % groups:
            self.refuse("NE1014", f"{groups} groups do not divide {weight.shape[0]} output channels", node, "groups")
        image, findings = self._image(node, in_shape, weight.shape[1] * groups, sides)
        stride = self.whole(node, "stride", sides, 1, least=1)
        dilation = self.whole(node, "dilation", sides, 1, least=1)
        padding = self._conv_padding(node, weight.shape[2:], stride, dilation)
        if sides == 1:
            weight, image = weight[:, :, None, :], (image[0], 1, image[1])
            stride, dilation, padding = (1, *stride), (1, *dilation), (0, 0, *padding)
        conv = Conv2d(weight, _triple(image), _pair(stride), _quad(padding), _pair(dilation), groups)
        self._check_window(node, conv)
        bias = None
        if "bias" in node.fields:
            per_channel = self._spread(node, "bias", (weight.shape[0],))
            bias = np.repeat(per_channel, conv.out_shape[1] * conv.out_shape[2])
        out_shape: Shape = conv.out_shape if sides == 2 else (conv.out_shape[0], conv.out_shape[2])
        return LinearNode((conv,), out_shape, bias, None, findings)

    def _conv_padding(self, node: RawNode, kernel: Shape, stride: Shape, dilation: Shape) -> Shape:
        """Padding as (before, after) per axis; PyTorch's ``same`` puts the odd pixel behind."""
        stated = node.fields.get("padding")
        if isinstance(stated, str):
            if stated == "valid":
                return (0, 0) * len(kernel)
            if stated != "same":
                self.refuse("NE1014", f"is {stated!r}; it is 'same', 'valid' or numbers", node, "padding")
            if any(step != 1 for step in stride):
                self.refuse("NE1014", "'same' needs stride 1", node, "padding")
            totals = [gap * (side - 1) for gap, side in zip(dilation, kernel, strict=True)]
            return tuple(part for total in totals for part in (total // 2, total - total // 2))
        pairs = self.whole(node, "padding", len(kernel), 0)
        return tuple(part for side in pairs for part in (side, side))

    def _pool(self, node: RawNode, in_shape: Shape) -> LinearNode:
        if len(in_shape) < 3 or math.prod(in_shape[:-3]) != 1:
            self.refuse(
                "NE1017", f"{node.type} takes (channels, height, width), its input has the shape {in_shape}", node
            )
        kernel = _pair(self.whole(node, "kernel_size", 2, least=1))
        stride = _pair(self.whole(node, "stride", 2, least=1)) if "stride" in node.fields else kernel
        padding = _pair(self.whole(node, "padding", 2, 0))
        mode = "sum" if node.type == "SumPool2d" else "average"
        pool = Pool2d(mode, _triple(in_shape[-3:]), kernel, stride, padding)  # type: ignore[arg-type]
        self._check_window(node, Conv2d(np.zeros((1, 1, *kernel)), (1, *pool.in_shape[1:]), stride, _twice(padding)))
        return LinearNode((pool,), pool.out_shape)

    def _check_window(self, node: RawNode, conv: Conv2d) -> None:
        if min(conv.out_shape) < 1:
            self.refuse(
                "NE1017",
                f"a kernel of {conv.weight.shape[2:]} with dilation {conv.dilation} does not fit the image "
                f"{conv.in_shape[1:]} with padding {conv.padding}",
                node,
            )
        if math.prod(conv.out_shape) > MOST_VALUES or max(conv.padding) > MOST_VALUES:
            self.refuse("NE1004", f"gives {math.prod(conv.out_shape)} values, the limit is {MOST_VALUES}", node)

    # ---- neuron nodes --------------------------------------------------------------------------------------------

    def parameter(self, node: RawNode, name: str) -> FloatArray:
        """A neuron parameter, default filled in, with its own checks."""
        if name not in node.fields and name in _OPTIONAL:
            return np.array(_OPTIONAL[name])
        values = self.numbers(node, name, finite=name not in _MAY_BE_INFINITE)
        if name in _POSITIVE and (values <= 0).any():
            bad = values[values <= 0]
            self.refuse(
                "NE1016", f"is {bad.flat[0]:g} in {bad.size} of {values.size} neurons, it must be positive",
                node, name, "export again; use inf for a neuron without leak",
            )  # fmt: skip
        return values

    def neuron_shape_stated(self, node: RawNode) -> Shape | None:
        """The shape the parameters themselves have; None when all are scalars (or single values)."""
        shapes = [self.parameter(node, name).shape for name in FIELDS[node.type]]
        try:
            shape = np.broadcast_shapes(*shapes)
        except ValueError:
            listed = ", ".join(f"{name} {shape}" for name, shape in zip(FIELDS[node.type], shapes, strict=True))
            self.refuse("NE1017", f"the parameters have different shapes: {listed}", node)
        return shape if math.prod(shape) > 1 else None

    def neuron_shape(self, node: RawNode, in_shape: Shape) -> tuple[Shape, tuple[Finding, ...]]:
        """The population's shape when values of ``in_shape`` arrive; scalars take the shape of what arrives."""
        stated = self.neuron_shape_stated(node)
        if stated is None or stated == in_shape:
            return in_shape, ()
        per_channel = len(stated) == len(in_shape)
        if per_channel and all(own in (1, side) for own, side in zip(stated, in_shape, strict=True)):
            return in_shape, ()
        squeezed = tuple(side for side in stated if side != 1) == tuple(side for side in in_shape if side != 1)
        if squeezed or (math.prod(stated) == math.prod(in_shape) and 1 in (len(stated), len(in_shape))):
            message = f"the neurons have the shape {stated}, their input {in_shape}: read in C order"
            return stated, (self.warn("NE1021", message, node),)
        self.refuse(
            "NE1017", f"the neurons have the shape {stated}, their input {in_shape}", node, "",
            "check the layer before it, or a missing or wrong Flatten",
        )  # fmt: skip

    def evidence(self, name: str, node: RawNode) -> NeuronEvidence | None:
        """What a neuron node tells about its writer; None for nodes without r."""
        if "r" not in FIELDS[node.type]:
            return None
        given = {key: self.parameter(node, key) for key in FIELDS[node.type]}
        taus = [given[key] for key in ("tau", "tau_syn", "tau_mem") if key in given]
        spread = np.broadcast_arrays(given["r"], *taus)
        double = any(getattr(value, "dtype", None) == np.float64 for value in node.fields.values())
        return NeuronEvidence(
            name=name,
            type=node.type,
            r=spread[0].ravel(),
            taus=tuple(tau.ravel() for tau in spread[1:]),
            w_in=np.broadcast_to(given["w_in"], spread[0].shape).ravel() if "w_in" in given else None,
            has_v_reset="v_reset" in node.fields,
            double_precision=double,
        )

    def neuron(self, node: RawNode, shape: Shape, dialect: Dialect) -> Neuron:
        """The discrete-time neuron of a node under ``dialect``; ``dialect.dt_s`` must be known."""
        given = {name: self._per_neuron(node, name, shape) for name in FIELDS[node.type]}
        return _discretised(node.type, given, dialect).spread(math.prod(shape))

    def _per_neuron(self, node: RawNode, name: str, shape: Shape) -> FloatArray:
        """Shape () when one value serves all, else one value per neuron."""
        values = self.parameter(node, name)
        if values.size == 1:
            return values.reshape(())
        if values.size == math.prod(shape):
            return values.reshape(-1)
        return np.broadcast_to(values, shape).reshape(-1)


def _discretised(kind: str, given: Mapping[str, FloatArray], dialect: Dialect) -> Neuron:
    assert dialect.dt_s is not None
    rule: dict[str, Any] = {"dt_s": dialect.dt_s, "decay": dialect.decay, "gain": dialect.gain, "snap": dialect.snap}
    firing: neurons.Firing = {
        "compare": dialect.compare,
        "reset": dialect.reset,
        "reset_delay": dialect.reset_delay,
        "multispike": dialect.multispike,
        "min_v": dialect.min_v,
    }
    written = dialect.dt_s if dialect.tau_times_dt else 1.0
    taus_s = {f"{name}_s": given[name] / written for name in ("tau_syn", "tau_mem") if name in given}
    if "tau" in given:
        taus_s = {"tau_mem_s": given["tau"] / written}
    if kind == "Threshold":
        return neurons.threshold_gate(threshold=given["threshold"])
    r = given["r"]
    if kind in ("I", "IF"):
        steps = neurons.Discretisation(**rule)
        gain = r if dialect.if_without_dt else steps.snapped_gain(r * dialect.dt_s)
        if kind == "I":
            return neurons.integrator(input_gain=gain)
        return neurons.integrate_and_fire(
            input_gain=gain, threshold=given["v_threshold"], v_reset=given["v_reset"], **firing
        )
    common: dict[str, Any] = {**taus_s, **rule, "resistance": r, "v_leak": given["v_leak"]}
    if "w_in" in given:
        common["w_in"] = given["w_in"]
    if kind == "LI":
        return neurons.li(**common)
    if kind == "CubaLI":
        return neurons.cuba_li(**common)
    build = neurons.lif if kind == "LIF" else neurons.cuba_lif
    return build(**common, threshold=given["v_threshold"], v_reset=given["v_reset"], **firing)


def _blocks(weight: FloatArray, blocks: int) -> Sparse:
    """The same (or each its own) weight for every leading index: a block-diagonal matrix."""
    n_out, n_in = weight.shape[-2:]
    each = np.broadcast_to(weight.reshape(-1, n_out, n_in), (blocks, n_out, n_in))
    block, row, column = np.meshgrid(np.arange(blocks), np.arange(n_out), np.arange(n_in), indexing="ij")
    coordinates = ((block * n_out + row).ravel(), (block * n_in + column).ravel())
    return Sparse(sp.csr_array((each.ravel(), coordinates), shape=(blocks * n_out, blocks * n_in)))


def _short(values: FloatArray) -> str:
    shown = ", ".join(f"{value:g}" for value in values.ravel()[:4])
    return shown + (", …" if values.size > 4 else "")


def _pair(values: Shape) -> tuple[int, int]:
    return (values[0], values[1])


def _triple(values: Shape) -> tuple[int, int, int]:
    return (values[0], values[1], values[2])


def _quad(values: Shape) -> tuple[int, int, int, int]:
    return (values[0], values[1], values[2], values[3])


def _twice(padding: tuple[int, int]) -> tuple[int, int, int, int]:
    return (padding[0], padding[0], padding[1], padding[1])
