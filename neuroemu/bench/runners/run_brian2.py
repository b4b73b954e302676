"""Runs a benchmark network in Brian2 (C++ standalone) and prints one JSON line; needs Brian2, not neuroemu.

    python run_brian2.py NET.npz THREADS

One tick is 1 ms of Brian2's time; a forward Euler step of its equation is the benchmark's update without truncation. Synapses act
between state update and threshold, as on the core, so a delay of d ticks is d - 1 of Brian2's. Unlike on the core, a potential
still takes up what arrives while refractory.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import brian2
import numpy as np
from brian2 import ms

CPU_CLOCK = "double used = (double)std::clock() / CLOCKS_PER_SEC;"


def neurons_of(net: Any) -> Any:
    """The neuron group with its initial state."""
    loss_v, loss_u, follows = net["dv"] / 4096, net["du"] / 4096, net["du"] < 4096
    equations = f"dv/dt = (-{loss_v}*v + bias{' + u' if follows else ''})/ms : 1"
    equations += " (unless refractory)\n" if net["R"] else "\n"
    if follows:
        equations += f"du/dt = -{loss_u}*u/ms : 1\n"
    group = brian2.NeuronGroup(
        int(net["n"]),
        equations + "bias : 1 (constant)\ntheta : 1 (constant)",
        method="euler",
        threshold="v > theta",
        reset=f"v = {int(net['v_reset'])}",
        refractory=(int(net["R"]) + 1) * ms if net["R"] else False,
    )
    group.bias, group.theta, group.v = net["bias"], net["theta"], net["v0"]
    return group


def synapses_of(net: Any, sending: Any, group: Any, first: int, last: int) -> Any:
    """Synapses of sources ``first`` to ``last - 1``."""
    start = net["indptr"][first : last + 1]
    own = slice(start[0], start[-1])
    synapses = brian2.Synapses(sending, group, "w : 1", on_pre=f"{'u' if net['du'] < 4096 else 'v'}_post += w")
    synapses.connect(i=np.repeat(np.arange(last - first), np.diff(start)), j=net["indices"][own])
    synapses.w = net["weights"][own].astype(float)
    delay = net["delays"][own].astype(float) - 1
    uniform = delay.size > 0 and delay.min() == delay.max()
    synapses.delay = (delay[0] if uniform else delay) * ms
    return synapses


def main(path: str, threads: int) -> None:
    """Build, compile, run, count."""
    with np.load(path) as archive:
        net = {key: archive[key] for key in archive.files}
    inputs, neurons, ticks = (int(net[key]) for key in ("n_in", "n", "ticks"))
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        brian2.set_device("cpp_standalone", directory=folder, build_on_run=False)
        brian2.defaultclock.dt = 1 * ms
        if threads > 1:
            brian2.prefs.devices.cpp_standalone.openmp_threads = threads
        group = neurons_of(net)
        parts = [group, synapses_of(net, group, group, inputs, inputs + neurons)]
        if inputs:
            given = brian2.SpikeGeneratorGroup(inputs, net["in_id"], net["in_t"] * ms)
            parts += [given, synapses_of(net, given, group, 0, inputs)]
        monitor = brian2.SpikeMonitor(group, record=False)
        network = brian2.Network(*parts, monitor)
        network.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
        device: Any = brian2.device
        for slot, name in (("before_network_run", "before.txt"), ("after_network_run", "after.txt")):
            place = json.dumps(str(Path(folder) / name))
            device.insert_code(slot, f"{{ {CPU_CLOCK} std::ofstream out({place}); out.precision(17); out << used; }}")
        network.run(ticks * ms)
        device.build(directory=folder, compile=True, run=False)
        build_s = time.perf_counter() - started
        device.run(folder, with_output=False, run_args=[])
        before, after = (float((Path(folder) / name).read_text()) for name in ("before.txt", "after.txt"))
        counts = np.asarray(monitor.count)
        wall_s = float(device._last_run_time)
    fan_out = np.diff(net["indptr"])
    events = int(counts @ fan_out[inputs:]) + int(fan_out[net["in_id"]].sum())
    result = {
        "version": brian2.__version__,
        "spikes": int(counts.sum()),
        "synaptic_events": events,
        "cpu_s": after - before,
        "wall_s": wall_s,
        "build_s": build_s,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
