"""Runs a benchmark network in SANA-FE on its Loihi architecture and prints one JSON line; needs SANA-FE, not neuroemu.

    python run_sanafe.py NET.npz THREADS

Neurons lie in order, as many to a core as it has compartments, inputs on cores of their own. All integers are divided by 64: the
potential, which SANA-FE truncates to such a step, then follows the benchmark's integers.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import sanafe

UNIT = 64
PER_CORE = 1024


def build(net: Any) -> Any:
    """The loaded chip."""
    inputs, neurons, ticks = (int(net[key]) for key in ("n_in", "n", "ticks"))
    architecture = sanafe.load_loihi()
    cores = architecture.cores() if callable(architecture.cores) else architecture.cores
    delayed = bool(net["delays"].size) and int(net["delays"].max()) > 1
    hardware: dict[str, str] = {
        "default_dendrite_hw_name": "loihi_dendrites_delay" if delayed else "loihi_dendrites",
        "default_synapse_hw_name": "loihi_sparse_synapse",
    }
    rule: dict[str, Any] = {"leak_decay": 1 - float(net["dv"]) / 4096, "reset": float(net["v_reset"]) / UNIT}
    rule |= {"reset_mode": "hard", "force_update": True}
    if net["R"]:
        rule["refractory_delay"] = int(net["R"]) + 1
    if net["du"] < 4096:
        rule["input_decay"] = 1 - float(net["du"]) / 4096
    network = sanafe.Network()
    group = network.create_neuron_group(
        "neurons", neurons, model_attributes=rule, soma_hw_name="loihi_lif", log_spikes=False, **hardware
    )
    columns = {"threshold": net["theta"], "bias": net["bias"], "potential": net["v0"]}
    for neuron in range(neurons):
        own = {name: float(column[neuron]) / UNIT for name, column in columns.items()}
        given = {name: value for name, value in own.items() if value or name == "threshold"}
        group[neuron].set_attributes(model_attributes=given)
        group[neuron].map_to_core(cores[neuron // PER_CORE])
    if inputs:
        sending = network.create_neuron_group("inputs", inputs, soma_hw_name="loihi_inputs[0]", **hardware)
        fires = np.zeros((inputs, ticks), bool)
        fires[net["in_id"], net["in_t"]] = True
        first_core = -(-neurons // PER_CORE)
        for source in range(inputs):
            train = {"spikes": fires[source].tolist()}
            sending[source].set_attributes(soma_hw_name=f"loihi_inputs[{source % PER_CORE}]", model_attributes=train)
            sending[source].map_to_core(cores[first_core + source // PER_CORE])
        sending.connect_neurons_sparse(group, *connections(net, 0, inputs, delayed))
    group.connect_neurons_sparse(group, *connections(net, inputs, inputs + neurons, delayed))
    chip = sanafe.SpikingChip(architecture)
    chip.load(network)
    return chip


def connections(net: Any, first: int, last: int, delayed: bool) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """Attributes and pairs of all synapses of sources ``first`` to ``last - 1``."""
    start = net["indptr"][first : last + 1]
    own = slice(start[0], start[-1])
    attributes: dict[str, Any] = {"weight": (net["weights"][own] / UNIT).tolist()}
    if delayed:
        attributes["delay"] = (net["delays"][own].astype(int) - 1).tolist()
    source = np.repeat(np.arange(last - first), np.diff(start))
    return attributes, list(zip(source.tolist(), net["indices"][own].tolist(), strict=True))


def largest_memory_mb() -> float:
    """Of this process so far (its usage counters would start from the memory of its parent)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main(path: str, threads: int) -> None:
    """Build and run once: a reset chip would not rewind its input spikes."""
    with np.load(path) as archive:
        net = {key: archive[key] for key in archive.files}
    started = time.perf_counter()
    chip = build(net)
    build_s = time.perf_counter() - started
    wall, cpu = time.perf_counter(), time.process_time()
    result = chip.sim(int(net["ticks"]), timing_model="simple", processing_threads=threads, scheduler_threads=0)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    result = {
        "version": version("sanafe"),
        "spikes": int(result["neurons_fired"]) - int(net["in_t"].size),
        "synaptic_events": int(result["spikes"]),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "build_s": build_s,
        "peak_rss_mb": largest_memory_mb(),
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
