"""From the name of a benchmark to what a chip gets: a program image and the spikes to feed it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.bench.files import problems_of, read_network
from neuroemu.bench.networks import NETWORKS, Net, network_named
from neuroemu.emulator.protocol import Stimulus
from neuroemu.errors import Finding
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.image import CoreImage, ProgramImage, pack
from neuroemu.image.container import Program
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols
from neuroemu.spec import load_chip

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


def workload(name: str, chip: str) -> Workload:
    """The benchmark called ``name`` (see :func:`unknown`), compiled for ``chip``; the Loihi benchmark brings its own."""
    stem = Path(name).stem if name.endswith(".npz") else name
    return replace(from_arrays(arrays_of(name), stem, chip), arrays=lambda: arrays_of(name))


def arrays_of(name: str) -> Net:
    """The arrays of a named network or a file."""
    generate = network_named(name)
    return read_network(name) if generate is None else generate()


def from_arrays(net: Net, name: str, chip: str) -> Workload:
    """The network of plain arrays as a program."""
    started = time.process_time()
    program = _program(net, load_chip(chip))
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


def _program(net: Mapping[str, Any], chip: Any) -> Program:
    """All neurons on one core, one list per source."""
    inputs, neurons = int(net["n_in"]), int(net["n"])
    sources = inputs + neurons
    zeros, every = np.zeros(sources, np.int64), np.arange(sources, dtype=np.int64)
    profile = {
        "input_shift": 0,
        "current_keep": dynamics.DECAY_ONE - int(net["du"]),
        "leak_mode": dynamics.LEAK_SCALE,
        "leak_amount": dynamics.DECAY_ONE - int(net["dv"]),
        "compare": dynamics.ABOVE,
        "reset": dynamics.RESET_TO_VALUE,
        "reset_value": int(net["v_reset"]),
        "period": int(net["R"]),
    }
    columns = {"threshold": net["theta"], "bias": net["bias"], "initial": net["v0"]}
    columns |= {"profile": np.zeros(neurons), "bias_start": np.zeros(neurons)}
    core = CoreImage(
        core=0,
        potential_bits=int(chip.arithmetic.potential_bits.value),
        overflow=int(chip.arithmetic.overflow.value == "wrap"),
        profiles={field: np.array([value], np.int64) for field, value in profile.items()},
        neurons={field: np.asarray(column, np.int64) for field, column in columns.items()},
        route_start=np.arange(neurons + 1, dtype=np.int64),
        route_core=np.zeros(neurons, np.int64),
        route_axon=every[inputs:],
        axon_list=every,
        axon_base=zeros,
        list_start=np.asarray(net["indptr"], np.int64),
        list_kind=np.ones(sources, np.int64),
        index=np.asarray(net["indices"], np.int64),
        weight=np.asarray(net["weights"], np.int64),
        delay=np.asarray(net["delays"], np.int64),
    )
    place = np.arange(neurons, dtype=np.int32)
    symbols = Symbols(
        inputs=(Port("input", (inputs,), 0, inputs),) if inputs else (),
        populations=(PopulationSymbol("neurons", (neurons,), 0, True, np.zeros(neurons, np.int32), place),),
        outputs=("neurons",),
        dialect="",
    )
    host = np.arange(inputs + 1, dtype=np.int64)
    return pack(ProgramImage(chip.to_dict(), symbols, (core,), host, zeros[:inputs], every[:inputs]))
