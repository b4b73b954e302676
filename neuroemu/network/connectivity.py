"""Linear connectivity that keeps its structure: dense, sparse, convolution, pooling, elementwise scale.

A stage maps ``(..., n_in)`` float64 values (C order of ``in_shape``) to ``(..., n_out)`` (C order of ``out_shape``).
Nothing is expanded unless ``to_sparse`` is called. ``synapse_count`` counts what the stage lists, zero weights
included, and equals the number of stored entries of ``to_sparse()``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Dense:
    """All-to-all synapses; ``weight`` has shape ``(n_out, n_in)``."""

    weight: FloatArray

    @property
    def in_shape(self) -> Shape:
        return (int(self.weight.shape[1]),)

    @property
    def out_shape(self) -> Shape:
        return (int(self.weight.shape[0]),)

    @property
    def n_in(self) -> int:
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.weight.shape[0])

    @property
    def synapse_count(self) -> int:
        return int(self.weight.size)

    def apply(self, x: ArrayLike) -> FloatArray:
        """``(..., n_in)`` to ``(..., n_out)``, float64."""
        return np.asarray(x, dtype=np.float64) @ self.weight.T

    def to_sparse(self) -> sp.csr_array:
        """CSR ``(n_out, n_in)`` that lists every synapse, zero weights too."""
        n_out, n_in = self.weight.shape
        source_of_synapse = np.tile(np.arange(n_in), n_out)
        row_start = np.arange(n_out + 1) * n_in
        return sp.csr_array((self.weight.ravel(), source_of_synapse, row_start), shape=(n_out, n_in))


@dataclass(frozen=True)
class Sparse:
    """Listed synapses; ``weight`` is CSR of shape ``(n_out, n_in)``; ``delay`` (CSR data order, ticks) is optional.

    ``delay`` adds to the projection's ``delay_ticks``; ``apply`` sums over all delays (the response to a constant).
    """

    weight: sp.csr_array
    delay: IntArray | None = None

    @property
    def in_shape(self) -> Shape:
        return (int(self.weight.shape[1]),)

    @property
    def out_shape(self) -> Shape:
        return (int(self.weight.shape[0]),)

    @property
    def n_in(self) -> int:
        return int(self.weight.shape[1])

    @property
    def n_out(self) -> int:
        return int(self.weight.shape[0])

    @property
    def synapse_count(self) -> int:
        return int(self.weight.nnz)

    def apply(self, x: ArrayLike) -> FloatArray:
        """``(..., n_in)`` to ``(..., n_out)``, float64."""
        values = np.asarray(x, dtype=np.float64)
        flat = values.reshape(math.prod(values.shape[:-1]), self.n_in)
        return np.ascontiguousarray((self.weight @ flat.T).T).reshape(*values.shape[:-1], self.n_out)

    def to_sparse(self) -> sp.csr_array:
        return self.weight

    def by_delay(self) -> tuple[tuple[int, Sparse], ...]:
        """Split into delay-free parts, one per delay that occurs, in rising order."""
        if self.delay is None:
            return ((0, self),)
        rows, columns = _rows_of(self.weight), self.weight.indices
        parts = []
        for delay in np.unique(self.delay):
            chosen = self.delay == delay
            coordinates = (rows[chosen], columns[chosen])
            part = sp.csr_array((self.weight.data[chosen], coordinates), shape=self.weight.shape)
            parts.append((int(delay), Sparse(part)))
        return tuple(parts)


@dataclass(frozen=True)
class Conv2d:
    """Cross-correlation as in PyTorch; a 1-D convolution is one with height 1.

    ``weight`` is ``(out_channels, in_channels // groups, kernel_h, kernel_w)``; ``in_shape`` is ``(channels, h, w)``;
    ``padding`` is ``(top, bottom, left, right)``.
    """

    weight: FloatArray
    in_shape: tuple[int, int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def out_shape(self) -> tuple[int, int, int]:
        top, bottom, left, right = self.padding
        _, height, width = self.in_shape
        reach_h = (self.weight.shape[2] - 1) * self.dilation[0] + 1
        reach_w = (self.weight.shape[3] - 1) * self.dilation[1] + 1
        return (
            int(self.weight.shape[0]),
            (height + top + bottom - reach_h) // self.stride[0] + 1,
            (width + left + right - reach_w) // self.stride[1] + 1,
        )

    @property
    def n_in(self) -> int:
        return math.prod(self.in_shape)

    @property
    def n_out(self) -> int:
        return math.prod(self.out_shape)

    @property
    def synapse_count(self) -> int:
        """Kernel taps that meet an input pixel (taps on the padding are no synapses)."""
        taps_h = sum(int(np.count_nonzero(inside)) for _, inside in self._taps(0))
        taps_w = sum(int(np.count_nonzero(inside)) for _, inside in self._taps(1))
        return int(self.weight.shape[0]) * int(self.weight.shape[1]) * taps_h * taps_w

    def apply(self, x: ArrayLike) -> FloatArray:
        """``(..., n_in)`` to ``(..., n_out)``, float64."""
        values = np.asarray(x, dtype=np.float64)
        channels, height, width = self.in_shape
        top, bottom, left, right = self.padding
        images = values.reshape(math.prod(values.shape[:-1]), channels, height, width)
        images = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right)))
        out_channels, out_h, out_w = self.out_shape
        per_group, kernel_h, kernel_w = self.weight.shape[1:]
        stride_h, stride_w = self.stride
        result = np.empty((images.shape[0], out_channels, out_h, out_w))
        for group, (weight, rows) in enumerate(self._group_weights()):
            patch = np.empty((images.shape[0], per_group, kernel_h, kernel_w, out_h, out_w))
            source = images[:, group * per_group : (group + 1) * per_group]
            for i in range(kernel_h):
                for j in range(kernel_w):
                    at_h, at_w = i * self.dilation[0], j * self.dilation[1]
                    patch[:, :, i, j] = source[
                        :, :, at_h : at_h + (out_h - 1) * stride_h + 1 : stride_h,
                        at_w : at_w + (out_w - 1) * stride_w + 1 : stride_w,
                    ]  # fmt: skip
            columns = patch.reshape(images.shape[0], per_group * kernel_h * kernel_w, out_h * out_w)
            result[:, rows] = (weight @ columns).reshape(images.shape[0], -1, out_h, out_w)
        return result.reshape(*values.shape[:-1], self.n_out)

    def to_sparse(self) -> sp.csr_array:
        """CSR ``(n_out, n_in)`` of every kernel tap that meets an input pixel."""
        _, height, width = self.in_shape
        out_channels, out_h, out_w = self.out_shape
        per_group = self.weight.shape[1]
        out_per_group = out_channels // self.groups
        target, source, value = [], [], []
        out_channel = np.arange(out_channels)[:, None]
        in_channel = (out_channel // out_per_group) * per_group + np.arange(per_group)[None, :]
        for i, (row_in, inside_h) in enumerate(self._taps(0)):
            for j, (column_in, inside_w) in enumerate(self._taps(1)):
                y, x = np.flatnonzero(inside_h), np.flatnonzero(inside_w)
                out_pixel = (y[:, None] * out_w + x[None, :]).ravel()
                in_pixel = (row_in[y][:, None] * width + column_in[x][None, :]).ravel()
                to_map = np.broadcast_to(out_channel, in_channel.shape)[:, :, None]
                target.append((to_map * (out_h * out_w) + out_pixel).ravel())
                source.append((in_channel[:, :, None] * (height * width) + in_pixel).ravel())
                value.append(np.repeat(self.weight[:, :, i, j].ravel(), out_pixel.size))
        coordinates = (np.concatenate(target), np.concatenate(source))
        matrix = sp.csr_array((np.concatenate(value), coordinates), shape=(self.n_out, self.n_in))
        matrix.sort_indices()
        return matrix

    def _taps(self, axis: int) -> list[tuple[IntArray, NDArray[np.bool_]]]:
        """For every kernel position along ``axis``: the input index under each output index, and whether it exists."""
        before = self.padding[2 * axis]
        out_index = np.arange(self.out_shape[1 + axis])
        taps = []
        for position in range(self.weight.shape[2 + axis]):
            in_index = out_index * self.stride[axis] + position * self.dilation[axis] - before
            taps.append((in_index, (in_index >= 0) & (in_index < self.in_shape[1 + axis])))
        return taps

    def _group_weights(self) -> list[tuple[FloatArray, slice]]:
        """Per group: weights as ``(out_channels of the group, taps)`` and the slice of output channels."""
        out_per_group = self.weight.shape[0] // self.groups
        flat = self.weight.reshape(self.weight.shape[0], -1)
        rows = [slice(g * out_per_group, (g + 1) * out_per_group) for g in range(self.groups)]
        return [(flat[row], row) for row in rows]


@dataclass(frozen=True)
class Pool2d:
    """Zero-padded pooling; ``average`` divides by the full kernel area."""

    mode: Literal["sum", "average"]
    in_shape: tuple[int, int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int] = (0, 0)

    @property
    def out_shape(self) -> tuple[int, int, int]:
        return self.to_conv().out_shape

    @property
    def n_in(self) -> int:
        return math.prod(self.in_shape)

    @property
    def n_out(self) -> int:
        return math.prod(self.out_shape)

    @property
    def synapse_count(self) -> int:
        return self.to_conv().synapse_count

    def apply(self, x: ArrayLike) -> FloatArray:
        """``(..., n_in)`` to ``(..., n_out)``, float64."""
        values = np.asarray(x, dtype=np.float64)
        one_channel = Pool2d(self.mode, (1, *self.in_shape[1:]), self.kernel, self.stride, self.padding).to_conv()
        channels = values.reshape(*values.shape[:-1], self.in_shape[0], one_channel.n_in)
        return one_channel.apply(channels).reshape(*values.shape[:-1], self.n_out)

    def to_conv(self) -> Conv2d:
        """The same map as a depthwise convolution (one group per channel)."""
        channels = self.in_shape[0]
        value = 1.0 if self.mode == "sum" else 1.0 / (self.kernel[0] * self.kernel[1])
        return Conv2d(
            weight=np.full((channels, 1, *self.kernel), value),
            in_shape=self.in_shape,
            stride=self.stride,
            padding=(self.padding[0], self.padding[0], self.padding[1], self.padding[1]),
            groups=channels,
        )

    def to_sparse(self) -> sp.csr_array:
        return self.to_conv().to_sparse()


@dataclass(frozen=True)
class Scale:
    """Elementwise factor of shape ``(n,)``; ``Scale(ones)`` is the identity (a direct neuron-to-neuron edge)."""

    factor: FloatArray

    @property
    def in_shape(self) -> Shape:
        return (int(self.factor.shape[0]),)

    @property
    def out_shape(self) -> Shape:
        return self.in_shape

    @property
    def n_in(self) -> int:
        return int(self.factor.shape[0])

    @property
    def n_out(self) -> int:
        return self.n_in

    @property
    def synapse_count(self) -> int:
        return self.n_in

    def apply(self, x: ArrayLike) -> FloatArray:
        """``(..., n)`` to ``(..., n)``, float64."""
        return np.asarray(x, dtype=np.float64) * self.factor

    def to_sparse(self) -> sp.csr_array:
        index = np.arange(self.n_in + 1)
        return sp.csr_array((np.array(self.factor, dtype=np.float64), index[:-1], index), shape=(self.n_in, self.n_in))


Connectivity = Dense | Sparse | Conv2d | Pool2d | Scale
Folded = Dense | Sparse | Conv2d


def identity(size: int) -> Scale:
    """The direct edge: neuron k drives neuron k with weight 1."""
    return Scale(np.ones(size))


def apply_stages(stages: Sequence[Connectivity], x: ArrayLike) -> FloatArray:
    """Send ``(..., n_in)`` through the stages one after the other."""
    values = np.asarray(x, dtype=np.float64)
    for stage in stages:
        values = stage.apply(values)
    return values


def fold(stages: Sequence[Connectivity]) -> Folded:
    """Compose a stage chain into one map, keeping as much structure as is exact.

    Convolution and pooling alone stay shared-kernel (:class:`Conv2d`), and so does pooling followed by a convolution
    where the two kernels nest; a chain with a :class:`Dense` is dense; the rest is :class:`Sparse`. Synapse delays
    survive a neighbouring :class:`Scale` only: composing them with anything else raises ``ValueError``.
    """
    if not stages:
        raise ValueError("a projection needs at least one stage")
    folded: Folded | Scale = _unpooled(stages[0])
    for stage in stages[1:]:
        folded = _compose(folded, _unpooled(stage))
    return Sparse(folded.to_sparse()) if isinstance(folded, Scale) else folded


def weights_of(structure: Folded) -> FloatArray:
    """All weights as a flat float64 array, in storage order."""
    values = structure.weight.data if isinstance(structure, Sparse) else structure.weight.reshape(-1)
    return np.asarray(values, np.float64)


def with_weights(structure: Folded, values: FloatArray) -> Folded:
    """The same synapses with other weights, in the order of :func:`weights_of`."""
    if isinstance(structure, Sparse):
        weight = structure.weight
        return Sparse(sp.csr_array((values, weight.indices, weight.indptr), shape=weight.shape), structure.delay)
    return replace(structure, weight=values.reshape(structure.weight.shape))


def absolute_sums(structure: Folded) -> FloatArray:
    """Sum of absolute weights into each target neuron (for a convolution: its largest possible sum)."""
    if isinstance(structure, Dense):
        return np.asarray(np.abs(structure.weight).sum(axis=1))
    if isinstance(structure, Sparse):
        return np.asarray(abs(structure.weight).sum(axis=1)).reshape(-1)
    per_channel = np.abs(structure.weight).sum(axis=(1, 2, 3))
    return np.repeat(per_channel, structure.n_out // per_channel.shape[0])


def _unpooled(stage: Connectivity) -> Folded | Scale:
    return stage.to_conv() if isinstance(stage, Pool2d) else stage


def _compose(first: Folded | Scale, second: Folded | Scale) -> Folded | Scale:
    """``second`` after ``first``."""
    if first.n_out != second.n_in:
        raise ValueError(f"a stage with {first.n_out} outputs meets one with {second.n_in} inputs")
    if isinstance(first, Scale):
        return _scale_inputs(second, first.factor)
    if isinstance(second, Scale):
        return _scale_outputs(first, second.factor)
    for stage in (first, second):
        if isinstance(stage, Sparse) and stage.delay is not None:
            raise ValueError("synapses with delays cannot be folded with another stage")
    if isinstance(first, Conv2d) and isinstance(second, Conv2d):
        nested = _nest_pooling(first, second)
        if nested is not None:
            return nested
    if isinstance(second, Dense):
        if isinstance(first, Dense):
            return Dense(second.weight @ first.weight)
        return Dense(np.ascontiguousarray((first.to_sparse().T @ second.weight.T).T))
    if isinstance(first, Dense):
        return Dense(np.ascontiguousarray(second.to_sparse() @ first.weight))
    product = sp.csr_array(second.to_sparse() @ first.to_sparse())
    product.sort_indices()
    return Sparse(product)


def _scale_inputs(stage: Folded | Scale, factor: FloatArray) -> Folded | Scale:
    if isinstance(stage, Scale):
        return Scale(stage.factor * factor)
    if isinstance(stage, Dense):
        return Dense(stage.weight * factor)
    if isinstance(stage, Conv2d):
        per_channel = _constant_per_channel(factor, stage.in_shape)
        if per_channel is not None:
            per_group = stage.weight.shape[1]
            group = np.arange(stage.weight.shape[0]) // (stage.weight.shape[0] // stage.groups)
            of_tap = per_channel[group[:, None] * per_group + np.arange(per_group)]
            return _with_weight(stage, stage.weight * of_tap[:, :, None, None])
        stage = Sparse(stage.to_sparse())
    weight = stage.weight
    scaled = sp.csr_array((weight.data * factor[weight.indices], weight.indices, weight.indptr), shape=weight.shape)
    return Sparse(scaled, stage.delay)


def _scale_outputs(stage: Folded, factor: FloatArray) -> Folded:
    if isinstance(stage, Dense):
        return Dense(stage.weight * factor[:, None])
    if isinstance(stage, Conv2d):
        per_channel = _constant_per_channel(factor, stage.out_shape)
        if per_channel is not None:
            return _with_weight(stage, stage.weight * per_channel[:, None, None, None])
        stage = Sparse(stage.to_sparse())
    weight = stage.weight
    scaled = sp.csr_array((weight.data * factor[_rows_of(weight)], weight.indices, weight.indptr), shape=weight.shape)
    return Sparse(scaled, stage.delay)


def _nest_pooling(pool: Conv2d, conv: Conv2d) -> Conv2d | None:
    """One bigger strided convolution for "depthwise, constant kernel, no padding" then "any convolution", or None.

    Kernel ``(K - 1) * dilation * pool stride + k``, stride the product. Padding of the second lies outside the image
    only when the pooled windows do not overlap and no input row is lost behind the last window.
    """
    channels = pool.in_shape[0]
    depthwise = pool.groups == channels and pool.weight.shape[:2] == (channels, 1)
    if not depthwise or any(pool.padding) or pool.dilation != (1, 1):
        return None
    padding: list[int] = []
    for axis in (0, 1):
        step, window, size = pool.stride[axis], pool.weight.shape[2 + axis], pool.in_shape[1 + axis]
        before, after = conv.padding[2 * axis], conv.padding[2 * axis + 1]
        overlaps = window > step and (before or after)
        loses_rows = after and pool.out_shape[1 + axis] * step < size
        if overlaps or loses_rows:
            return None
        reach = (conv.weight.shape[2 + axis] - 1) * conv.dilation[axis] * step + window
        needed = (conv.out_shape[1 + axis] - 1) * conv.stride[axis] * step + reach - size - before * step
        padding += [before * step, max(0, needed)]
    nested = Conv2d(
        weight=_nested_kernel(pool, conv),
        in_shape=pool.in_shape,
        stride=(pool.stride[0] * conv.stride[0], pool.stride[1] * conv.stride[1]),
        padding=(padding[0], padding[1], padding[2], padding[3]),
        groups=conv.groups,
    )
    return nested if nested.out_shape == conv.out_shape else None


def _nested_kernel(pool: Conv2d, conv: Conv2d) -> FloatArray:
    out_channels, per_group, kernel_h, kernel_w = conv.weight.shape
    window_h, window_w = pool.weight.shape[2:]
    step_h, step_w = conv.dilation[0] * pool.stride[0], conv.dilation[1] * pool.stride[1]
    kernel = np.zeros((out_channels, per_group, (kernel_h - 1) * step_h + window_h, (kernel_w - 1) * step_w + window_w))
    group = np.arange(out_channels) // (out_channels // conv.groups)
    pool_of_tap = pool.weight[group[:, None] * per_group + np.arange(per_group), 0]
    for i in range(kernel_h):
        for j in range(kernel_w):
            part = conv.weight[:, :, i, j][:, :, None, None] * pool_of_tap
            kernel[:, :, i * step_h : i * step_h + window_h, j * step_w : j * step_w + window_w] += part
    return kernel


def _constant_per_channel(factor: FloatArray, shape: tuple[int, int, int]) -> FloatArray | None:
    maps = factor.reshape(shape[0], -1)
    return maps[:, 0] if maps.size and bool((maps == maps[:, :1]).all()) else None


def _with_weight(conv: Conv2d, weight: FloatArray) -> Conv2d:
    return Conv2d(weight, conv.in_shape, conv.stride, conv.padding, conv.dilation, conv.groups)


def _rows_of(matrix: sp.csr_array) -> IntArray:
    """Row of every stored entry, CSR data order."""
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
