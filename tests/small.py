"""Networks of a few neurons that are known to the last spike, for tests of everything around the chip."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.network.neurons import integrate_and_fire, li, lif


def relay() -> Network:
    """Two inputs, two layers of two neurons: every spike comes out a tick later per layer, crossed over at the end."""
    builder = NetworkBuilder("relay", dt_s=1e-3).input("in", (2,))
    builder.population("first", (2,), integrate_and_fire(threshold=0.5))
    builder.population("second", (2,), integrate_and_fire(threshold=0.5))
    builder.dense("in", "first", np.eye(2)).dense("first", "second", np.eye(2)[::-1])
    return builder.output("second").build()


def meter() -> Network:
    """One input of shape (1, 1, 3), one analog read-out of two leaky integrators."""
    builder = NetworkBuilder("meter", dt_s=1e-3).input("in", (1, 1, 3))
    builder.population("out", (2,), li(tau_mem_s=4e-3, dt_s=1e-3, resistance=4.0))
    return builder.dense("in", "out", [[1.0, 0.5, 0.0], [0.0, -0.5, 1.0]]).output("out").build()


def two_inputs() -> Network:
    """Inputs of two and three neurons that meet in one layer of two."""
    builder = NetworkBuilder("two inputs", dt_s=1e-3).input("left", (2,)).input("right", (3,))
    builder.population("out", (2,), lif(tau_mem_s=4e-3, dt_s=1e-3, resistance=4.0, threshold=0.5))
    builder.dense("left", "out", np.eye(2)).dense("right", "out", [[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return builder.output("out").build()


def soft_reset() -> Network:
    """One neuron that subtracts its threshold, which Loihi 1 cannot."""
    builder = NetworkBuilder("soft", dt_s=1e-3).input("in", (1,))
    builder.population("out", (1,), lif(tau_mem_s=4e-3, dt_s=1e-3, resistance=4.0, threshold=0.4, reset="subtract"))
    return builder.dense("in", "out", [[1.0]]).output("out").build()


def restless() -> Network:
    """Twelve inputs, 300 recurrent neurons with delays of one to nine ticks, two read-outs: much is under way at any time."""
    rng = np.random.default_rng(11)
    builder = NetworkBuilder("restless", dt_s=1e-3).input("in", (12,))
    builder.population("loop", (300,), lif(tau_mem_s=8e-3, dt_s=1e-3, resistance=8.0, threshold=1.0))
    builder.population("out", (2,), li(tau_mem_s=6e-3, dt_s=1e-3, resistance=6.0))
    builder.dense("in", "loop", rng.uniform(-0.2, 0.4, (300, 12)))
    loop = sp.csr_array(np.where(rng.random((300, 300)) < 0.05, rng.uniform(-0.5, 0.5, (300, 300)), 0.0))
    builder.sparse("loop", "loop", loop, delay=rng.integers(0, 9, loop.nnz), delay_ticks=1)
    builder.dense("loop", "out", rng.uniform(-0.1, 0.1, (2, 300)))
    return builder.output("out").build()
