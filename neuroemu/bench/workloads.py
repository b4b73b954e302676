"""From the name of a benchmark to what a chip gets: a program image and the spikes to feed it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from neuroemu.bench.files import problems_of, read_network
from neuroemu.bench.networks import NETWORKS, Net, network_named
from neuroemu.emulator.protocol import Stimulus
from neuroemu.errors import Finding
from neuroemu.families.lifcore.arrays import program_from_network_arrays
from neuroemu.families.lifcore.image import FAMILY
from neuroemu.image.container import Program
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import cuba_lif
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy

DEFAULT_CHIP = "lifcore-bench"
LOIHI_CUBA = "loihi_cuba_4k"
BIOLOGICAL_TICK_S = {"brunel": 1e-4, "microcircuit": 1e-4, "pd": 1e-4}
"""Networks, by the first part of their names, whose tick stands for a time."""

ALL_NAMES = (*NETWORKS, "microcircuit_SCALE", LOIHI_CUBA)


@dataclass(frozen=True)
class Workload:
    """What one benchmark runs.

    Attributes:
        synapses: as the network counts them, whatever the chip's memories hold.
        tick_s: biological time of a tick; None where a tick stands for nothing.
        build_cpu_s: CPU seconds from the arrays to the program.
        arrays: gives the network's arrays again, for the physical limit.
    """

    name: str
    inputs: int
    neurons: int
    synapses: int
    ticks: int
    tick_s: float | None
    program: Program
    stimulus: Stimulus
    build_cpu_s: float
    arrays: Callable[[], Net]


def unknown(name: str) -> list[Finding]:
    """NE7101 for a name that is neither a network nor a file, NE7102 for a file that holds none."""
    if name == LOIHI_CUBA or network_named(name) is not None:
        return []
    if name.endswith(".npz") and Path(name).is_file():
        return problems_of(name)
    message = f"there is no benchmark network {name!r}"
    return [Finding("NE7101", message, fixes=(f"use one of {', '.join(ALL_NAMES)}, or an .npz file",))]


def unsuitable(chip: str) -> list[Finding]:
    """NE7106 for a chip that cannot take networks of plain arrays."""
    if load_chip(chip).family == FAMILY:
        return []
    fixes = (f"use {DEFAULT_CHIP} or another chip of family {FAMILY}", f"{LOIHI_CUBA} runs on loihi1 by itself")
    return [Finding("NE7106", f"benchmark networks run on chips of family {FAMILY}, which {chip} is not", fixes=fixes)]


def workload(name: str, chip: str) -> Workload:
    """The benchmark called ``name`` (see :func:`unknown`), compiled for ``chip``; the Loihi benchmark is for Loihi 1."""
    if name == LOIHI_CUBA:
        return loihi_cuba()
    stem = Path(name).stem if name.endswith(".npz") else name
    return replace(from_arrays(arrays_of(name), stem, chip), arrays=lambda: arrays_of(name))


def arrays_of(name: str) -> Net:
    """The arrays of a named network or a file."""
    generate = network_named(name)
    return read_network(name) if generate is None else generate()


def from_arrays(net: Net, name: str, chip: str) -> Workload:
    """The network of plain arrays as a program."""
    started = time.process_time()
    program = program_from_network_arrays(net, load_chip(chip))
    return Workload(
        name=name,
        inputs=int(net["n_in"]),
        neurons=int(net["n"]),
        synapses=int(net["indices"].shape[0]),
        ticks=int(net["ticks"]),
        tick_s=BIOLOGICAL_TICK_S.get(name.split("_")[0]),
        program=program,
        stimulus=Stimulus(np.asarray(net["in_t"], np.int64), np.asarray(net["in_id"], np.int32)),
        build_cpu_s=time.process_time() - started,
        arrays=lambda: net,
    )


def loihi_cuba(neurons: int = 4000, fan_out: int = 100, ticks: int = 1000, seed: int = 7) -> Workload:
    """Current-based neurons with random targets on Loihi 1, 80 % excitatory; constant drives and a tenth as many Bernoulli
    inputs keep about 3.6 % of them active."""
    rng = np.random.Generator(np.random.PCG64(seed))
    inputs = neurons // 10
    targets = np.argpartition(rng.random((inputs + neurons, neurons)), fan_out, axis=1)[:, :fan_out]
    weights = rng.uniform(0.01, 0.03, targets.shape)
    weights[inputs:] *= np.where(rng.random(neurons) < 0.8, 1.0, -4.0)[:, None]
    weights[:inputs] = 0.1
    drive = rng.uniform(0.95, 1.76, neurons)
    tick, source = np.nonzero(rng.random((ticks, inputs)) < 0.05)
    columns = targets.ravel(), np.repeat(np.arange(inputs + neurons), fan_out)
    matrix = sp.csr_array((weights.ravel(), columns), shape=(neurons, inputs + neurons))
    neuron = cuba_lif(tau_syn_s=5e-3, tau_mem_s=20e-3, dt_s=1e-3, threshold=1.0, v_leak=drive, refractory_ticks=1)
    builder = NetworkBuilder(LOIHI_CUBA, dt_s=1e-3).input("input", (inputs,)).population("neurons", (neurons,), neuron)
    builder.sparse("input", "neurons", matrix[:, :inputs]).sparse(
        "neurons", "neurons", matrix[:, inputs:], delay_ticks=1
    )
    network = builder.output("neurons").build()
    started = time.process_time()
    program = deploy(network, "loihi1").compiled.program
    arrays = {
        "n_in": inputs,
        "n": neurons,
        "ticks": ticks,
        "dv": 205,
        "du": 819,
        "R": 1,
        "v_reset": 0,
        "indptr": np.arange(inputs + neurons + 1, dtype=np.int64) * fan_out,
        "indices": np.sort(targets, axis=1).astype(np.int32).ravel(),
        "weights": np.rint(weights.ravel() * 1000).astype(np.int16),
        "delays": np.ones(targets.size, np.uint8),
        **{name: np.zeros(neurons, np.int32) for name in ("theta", "bias", "v0")},
        "in_t": tick.astype(np.int32),
        "in_id": source.astype(np.int32),
    }
    return Workload(
        name=LOIHI_CUBA,
        inputs=inputs,
        neurons=neurons,
        synapses=targets.size,
        ticks=ticks,
        tick_s=None,
        program=program,
        stimulus=Stimulus(tick.astype(np.int64), source.astype(np.int32)),
        build_cpu_s=time.process_time() - started,
        arrays=lambda: arrays,
    )
