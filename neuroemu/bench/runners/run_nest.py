"""Runs a benchmark network in NEST and prints one JSON line; needs NEST, not neuroemu.

    python run_nest.py NET.npz THREADS

One tick is 0.1 ms. Delta synapses become iaf_psc_delta, decaying currents iaf_psc_exp, with time constants of the same decay per
tick; capacitance is 1, so weights and thresholds keep their integer units. NEST computes in floating point, and its potential does
not decay by an Euler step: spikes agree in rate, not one by one. The timed run has no recorder; a second, untimed one counts the
spikes of every neuron, from which synaptic events follow.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TICK_MS = 0.1
SYNAPSES_PER_CALL = 4_000_000


def build(nest: Any, np: Any, net: Any, threads: int) -> Any:
    """A fresh kernel with the whole network; returns the population."""
    nest.ResetKernel()
    nest.set(resolution=TICK_MS, local_num_threads=threads, print_time=False)
    inputs, neurons = int(net["n_in"]), int(net["n"])
    loss_v, loss_u = float(net["dv"]) / 4096, float(net["du"]) / 4096
    tau_v = -TICK_MS / np.log1p(-loss_v) if loss_v else 1e9
    parameters = {"C_m": 1.0, "E_L": 0.0, "tau_m": tau_v, "V_th": 1e9, "V_reset": float(net["v_reset"])}
    parameters["t_ref"] = max(TICK_MS, float(net["R"]) * TICK_MS)
    weight_unit = 1.0
    if loss_u < 1:
        tau_u = -TICK_MS / np.log1p(-loss_u)
        weight_unit = 1 / (loss_u * tau_u)  # the same charge per spike
        population = nest.Create("iaf_psc_exp", neurons, {**parameters, "tau_syn_ex": tau_u, "tau_syn_in": tau_u})
    else:
        population = nest.Create("iaf_psc_delta", neurons, parameters)
    population.V_th = net["theta"].astype(float).tolist()
    population.V_m = net["v0"].astype(float).tolist()
    if net["bias"].any():
        population.I_e = (net["bias"] / (loss_v * tau_v)).tolist()  # a tick of which adds the bias
    first = population[0].global_id
    connect(nest, np, net, np.arange(first, first + neurons), slice(inputs, inputs + neurons + 1), first, weight_unit)
    if inputs:
        order = np.lexsort((net["in_t"], net["in_id"]))
        bounds = np.searchsorted(net["in_id"][order], np.arange(inputs + 1))
        times = np.round((net["in_t"][order] + 1) * TICK_MS, 1)
        trains = [{"spike_times": times[bounds[k] : bounds[k + 1]].tolist()} for k in range(inputs)]
        generators = nest.Create("spike_generator", inputs, trains)
        ids = np.arange(generators[0].global_id, generators[0].global_id + inputs)
        connect(nest, np, net, ids, slice(0, inputs + 1), first, weight_unit)
    return population


def connect(nest: Any, np: Any, net: Any, ids: Any, rows: slice, first: int, weight_unit: float) -> None:
    """All synapses of the sources ``ids``, some at a time."""
    start = net["indptr"][rows]
    source = np.repeat(ids.astype(np.int64), np.diff(start))
    for begin in range(int(start[0]), int(start[-1]), SYNAPSES_PER_CALL):
        part = slice(begin, min(begin + SYNAPSES_PER_CALL, int(start[-1])))
        nest.Connect(
            source[begin - start[0] : part.stop - start[0]],
            net["indices"][part].astype(np.int64) + first,
            "one_to_one",
            {
                "synapse_model": "static_synapse",
                "weight": net["weights"][part] * weight_unit,
                "delay": net["delays"][part] * TICK_MS,
            },
        )


def largest_memory_mb() -> float:
    """Of this process so far (its usage counters would start from the memory of its parent)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def main(path: str, threads: int) -> None:
    """Time one run, count the spikes of another."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ["PYNEST_QUIET"] = "1"
    import nest
    import numpy as np

    nest.verbosity = nest.VerbosityLevel.ERROR if hasattr(nest, "VerbosityLevel") else "M_ERROR"
    with np.load(path) as archive:
        net = {key: archive[key] for key in archive.files}
    inputs, duration = int(net["n_in"]), int(net["ticks"]) * TICK_MS
    started = time.perf_counter()
    build(nest, np, net, threads)
    nest.Prepare()
    build_s = time.perf_counter() - started
    wall, cpu = time.perf_counter(), time.process_time()
    nest.Run(duration)
    cpu_s, wall_s = time.process_time() - cpu, time.perf_counter() - wall
    nest.Cleanup()
    peak_rss_mb = largest_memory_mb()
    population = build(nest, np, net, threads)
    recorder = nest.Create("spike_recorder")
    nest.Connect(population, recorder)
    nest.Simulate(duration + TICK_MS)  # the recorder hears a spike one tick later
    fan_out = np.diff(net["indptr"])
    fired = np.asarray(recorder.events["senders"]) - population[0].global_id
    result = {
        "version": nest.__version__,
        "spikes": int(fired.size),
        "synaptic_events": int(fan_out[inputs:][fired].sum()) + int(fan_out[net["in_id"]].sum()),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "build_s": build_s,
        "peak_rss_mb": peak_rss_mb,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
