"""Small networks for the compiler's tests."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network, Neuron


def neuron(threshold: float = 1.0, **values: Any) -> Neuron:
    """Integrate and fire with a hard reset, ``>=``."""
    one = np.ones(1)
    given = {"membrane_decay": one, "leak_input": 0 * one, "reset": "zero", "compare": "ge"} | values
    return Neuron(input_gain=one, threshold=threshold * one, reset_value=0 * one, **given)


def trinary(rng: np.random.Generator, shape: tuple[int, ...], unit: float = 0.25) -> NDArray[np.float64]:
    return rng.integers(-1, 2, shape) * unit


def dense(hidden: int = 30, **values: Any) -> Network:
    """Two layers of trinary weights."""
    rng = np.random.default_rng(7)
    builder = NetworkBuilder("dense", dt_s=1e-3).input("in", (20,))
    builder.population("hidden", (hidden,), neuron(0.5, **values)).population("out", (8,), neuron(0.5, **values))
    builder.dense("in", "hidden", trinary(rng, (hidden, 20)))
    builder.dense("hidden", "out", trinary(rng, (8, hidden)))
    return builder.output("out").build()


def biased() -> Network:
    """Three layers with biases of both signs and a soft reset."""
    rng = np.random.default_rng(3)
    builder = NetworkBuilder("biased", dt_s=1e-3).input("in", (12,))
    names = ("in", "a", "b", "out")
    for name, size in zip(names[1:], (16, 14, 6), strict=True):
        builder.population(name, (size,), neuron(0.75, reset="subtract"))
    sizes = {"in": 12, "a": 16, "b": 14, "out": 6}
    for source, target in pairwise(names):
        weight = rng.integers(-6, 8, (sizes[target], sizes[source])) / 16
        builder.dense(source, target, weight, bias=rng.integers(-4, 5, sizes[target]) / 32)
    return builder.output("out").build()


def branched() -> Network:
    """A skip connection beside two layers."""
    rng = np.random.default_rng(5)
    builder = NetworkBuilder("branched", dt_s=1e-3).input("in", (10,))
    for name, size in (("a", 12), ("b", 12), ("out", 6)):
        builder.population(name, (size,), neuron(0.5))
    builder.dense("in", "a", trinary(rng, (12, 10))).dense("a", "b", trinary(rng, (12, 12)))
    builder.dense("b", "out", trinary(rng, (6, 12))).dense("a", "out", trinary(rng, (6, 12)))
    builder.dense("in", "out", trinary(rng, (6, 10)))
    return builder.output("out").build()


def recurrent(hidden: int = 24, inputs: int = 16) -> Network:
    """A layer that hears itself one tick later."""
    rng = np.random.default_rng(9)
    builder = NetworkBuilder("recurrent", dt_s=1e-3).input("in", (inputs,))
    builder.population("hidden", (hidden,), neuron(0.5)).population("out", (5,), neuron(0.5))
    builder.dense("in", "hidden", trinary(rng, (hidden, inputs)))
    builder.dense("hidden", "hidden", trinary(rng, (hidden, hidden)), delay_ticks=1)
    builder.dense("hidden", "out", trinary(rng, (5, hidden)))
    return builder.output("out").build()


def convolution() -> Network:
    """A convolution, a pooling layer with a threshold of its own, and a dense layer."""
    rng = np.random.default_rng(11)
    builder = NetworkBuilder("convolution", dt_s=1e-3).input("in", (2, 10, 10))
    builder.population("conv", (6, 10, 10), neuron(0.5)).population("pool", (6, 5, 5), neuron(0.5))
    builder.population("out", (4,), neuron(1.0))
    builder.conv2d("in", "conv", trinary(rng, (6, 2, 3, 3)), padding=(1, 1, 1, 1))
    builder.pool2d("conv", "pool", (2, 2))
    builder.dense("pool", "out", trinary(rng, (4, 150), 0.125))
    return builder.output("out").build()


def inputs_of(network: Network, samples: int, ticks: int, rate: float = 0.3) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    shape = network.populations[network.inputs[0]].shape
    return {network.inputs[0]: (rng.random((samples, ticks, *shape)) < rate).astype(np.uint8)}
