"""Runs benchmark networks on one open LIF core and says how fast: events per CPU second, memory, a hash of all spikes.

A network is a mapping of arrays, also as an .npz file: ``n_in`` inputs are sources 0 .. n_in-1, neurons follow; ``indptr``,
``indices``, ``weights``, ``delays`` list the synapses by source (CSR, targets are neurons); ``theta``, ``bias``, ``v0`` per
neuron; ``dv``, ``du`` (decay of 4096), ``R``, ``v_reset``, ``ticks``; ``in_t``, ``in_id`` are the input spikes by tick.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import BadInput, Finding
from neuroemu.families.lifcore.core import CompiledProgram, LifcoreEngine
from neuroemu.families.lifcore.load import program_from_arrays

Net = dict[str, Any]

_ARRAYS = {
    "indptr": np.int64,
    "indices": np.int32,
    "weights": np.int16,
    "delays": np.uint8,
    "theta": np.int32,
    "bias": np.int32,
    "v0": np.int32,
    "in_t": np.int32,
    "in_id": np.int32,
}
_NUMBERS = ("n_in", "n", "dv", "du", "R", "v_reset", "ticks")


@dataclass(frozen=True)
class Measured:
    """One network's figures; times are medians over the repeated runs, compilation and building left out."""

    net: str
    neurons: int
    synapses: int
    ticks: int
    synaptic_events: int
    cpu_s: float
    wall_s: float
    events_per_cpu_s: float
    peak_rss_mb: float | None
    raster_hash: str
    threads: int = 1

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(asdict(self))

    def __str__(self) -> str:
        memory = "unknown" if self.peak_rss_mb is None else f"{self.peak_rss_mb:.0f} MB"
        return (
            f"{self.net:<12} {self.neurons:>9,} {self.synapses:>12,} {self.ticks:>6,} {self.synaptic_events:>14,} "
            f"{self.cpu_s:>9.4f} {self.wall_s:>9.4f} {self.events_per_cpu_s / 1e6:>9.1f} {memory:>9} {self.raster_hash:>18}"
        )


HEADING = (
    f"{'network':<12} {'neurons':>9} {'synapses':>12} {'ticks':>6} {'events':>14} {'CPU s':>9} {'wall s':>9} {'M/CPU s':>9} "
    f"{'memory':>9} {'spikes':>18}"
)


def bench(names: Sequence[str], repeat: int, on_result: Callable[[Measured], None]) -> tuple[Measured, ...]:
    """Run networks by name or .npz file, one after the other.

    Raises:
        BadInput: NE7101 for names that are neither, NE7102 for files that hold no such network; all at once.
    """
    if findings := [finding for name in names for finding in _unusable(name)]:
        raise BadInput(findings)
    results = []
    for name in names:
        results.append(measure(_network(name), Path(name).stem, repeat))
        on_result(results[-1])
    return tuple(results)


def measure(net: Mapping[str, Any], name: str, repeat: int = 3) -> Measured:
    """Build, warm up, run ``repeat`` times from the initial state."""
    program = program_from_arrays(net)
    stimulus = Stimulus(np.asarray(net["in_t"], np.int64), np.asarray(net["in_id"], np.int32))
    ticks, start = int(net["ticks"]), np.asarray(net["indptr"], np.int64)
    run_ticks(LifcoreEngine(program), Stimulus(stimulus.tick[:0], stimulus.source[:0]), 1)
    cpu, wall = [], []
    for _ in range(repeat):
        engine = LifcoreEngine(program)
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        recording = run_ticks(engine, stimulus, ticks)
        events = _synaptic_events(start, program, stimulus.source, recording.spike_source)
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
    cpu_s = statistics.median(cpu)
    return Measured(
        net=name,
        neurons=program.neurons,
        synapses=int(start[-1]),
        ticks=ticks,
        synaptic_events=events,
        cpu_s=cpu_s,
        wall_s=statistics.median(wall),
        events_per_cpu_s=events / max(cpu_s, 1e-9),
        peak_rss_mb=_peak_rss_mb(),
        raster_hash=raster_hash(recording.spike_source),
    )


def raster_hash(spike_source: NDArray[np.int32]) -> str:
    """FNV-1a (64 bit) over the source numbers of all spikes, by tick, then neuron."""
    return f"0x{int(_fnv(spike_source)):x}"


@njit
def _fnv(spike_source: Any) -> Any:
    folded = np.uint64(1469598103934665603)
    for position in range(spike_source.shape[0]):
        folded = (folded ^ np.uint64(spike_source[position])) * np.uint64(1099511628211)
    return folded


def _synaptic_events(
    start: NDArray[np.int64], program: CompiledProgram, given: NDArray[np.int32], sent: NDArray[np.int32]
) -> int:
    """Exact, from how often each source spiked."""
    sources = program.inputs + program.neurons
    spikes = np.bincount(given, minlength=sources) + np.bincount(sent, minlength=sources)
    return int(spikes @ np.diff(start))


def _peak_rss_mb() -> float | None:
    """Largest memory of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# ---------------------------------------------------------------------------- files


def _unusable(name: str) -> list[Finding]:
    if name in NETWORKS:
        return []
    if not name.endswith(".npz") or not Path(name).is_file():
        known = ", ".join(NETWORKS)
        return [
            Finding(
                "NE7101", f"there is no benchmark network {name!r}", fixes=(f"use one of {known}, or an .npz file",)
            )
        ]
    try:
        with np.load(name, allow_pickle=False) as archive:
            net = {key: archive[key] for key in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        return [Finding("NE7102", f"cannot be read: {error}", name)]
    if missing := sorted({*_ARRAYS, *_NUMBERS} - net.keys()):
        return [Finding("NE7102", f"lacks {', '.join(missing)}", name)]
    return [Finding("NE7102", problem, name) for problem in _problems(net)]


def _problems(net: Mapping[str, Any]) -> list[str]:
    """What would lead the engine astray."""
    if wrong := [key for key in _NUMBERS if net[key].ndim or net[key].dtype.kind not in "iu"]:
        return [f"{', '.join(wrong)} must be whole numbers"]
    if wrong := [key for key in _ARRAYS if net[key].ndim != 1 or net[key].dtype.kind not in "iu"]:
        return [f"{', '.join(wrong)} must be rows of integers"]
    neurons, inputs, ticks = (int(net[key]) for key in ("n", "n_in", "ticks"))
    synapses = net["indices"].shape[0]
    start = net["indptr"]
    rules = {
        "n and ticks must be at least 1, n_in at least 0": min(neurons, ticks) >= 1 and inputs >= 0,
        "theta, bias and v0 must have n entries": all(net[key].shape[0] == neurons for key in ("theta", "bias", "v0")),
        "theta, bias, v0 and v_reset must fit 32 bits": all(
            not net[key].size or -(1 << 31) <= int(net[key].min()) <= int(net[key].max()) < 1 << 31
            for key in ("theta", "bias", "v0", "v_reset")
        ),
        "indices, weights and delays must be equally long": net["weights"].shape[0]
        == net["delays"].shape[0]
        == synapses,
        "indptr must rise from 0 to the number of synapses, one row per source": start.shape[0] == inputs + neurons + 1
        and int(start[0]) == 0
        and int(start[-1]) == synapses
        and bool(np.all(np.diff(start) >= 0)),
        "indices must be neurons": not synapses
        or 0 <= int(net["indices"].min()) <= int(net["indices"].max()) < neurons,
        "delays must lie between 1 and 63": not synapses
        or 1 <= int(net["delays"].min()) <= int(net["delays"].max()) <= 63,
        "weights must fit 16 bits": not synapses
        or -(1 << 15) <= int(net["weights"].min()) <= int(net["weights"].max()) < 1 << 15,
        "dv and du must lie between 0 and 4096, R between 0 and 65535": all(
            0 <= int(net[key]) <= 4096 for key in ("dv", "du")
        )
        and 0 <= int(net["R"]) < 1 << 16,
        "in_t must rise within the ticks, in_id name an input each": net["in_t"].shape == net["in_id"].shape
        and bool(np.all(np.diff(net["in_t"].astype(np.int64)) >= 0))
        and all(
            not net[key].size or 0 <= int(net[key].min()) <= int(net[key].max()) < most
            for key, most in (("in_t", ticks), ("in_id", inputs))
        ),
    }
    return [rule for rule, holds in rules.items() if not holds]


def _network(name: str) -> Net:
    if name in NETWORKS:
        return NETWORKS[name]()
    with np.load(name, allow_pickle=False) as archive:
        return {key: archive[key].item() if archive[key].ndim == 0 else archive[key] for key in archive.files}


# ---------------------------------------------------------------------------- networks


def random_network(neurons: int, ticks: int, fan_out: int = 100, seed: int = 1) -> Net:
    """Recurrent LIF neurons with random targets, 80 % excitatory, driven by a tenth as many Bernoulli inputs."""
    rng = _generator(seed)
    inputs = neurons // 10
    sources = inputs + neurons
    targets = np.sort(
        rng.integers(0, neurons, size=sources * fan_out, dtype=np.int32).reshape(sources, fan_out), axis=1
    )
    weights = np.empty((sources, fan_out), np.int16)
    weights[:inputs] = 40
    excitatory = rng.random(neurons) < 0.8
    weights[inputs:] = np.where(excitatory, 8, -36)[:, None]
    weights += rng.integers(-2, 3, size=weights.shape, dtype=np.int16)
    given = _bernoulli(rng, inputs, ticks, 0.05)
    start = np.arange(sources + 1) * fan_out
    return _net(inputs, neurons, start, targets.ravel(), weights.ravel(), 1, 256, ticks, given, dv=256, R=2)


def layered_network(ticks: int = 200, sizes: tuple[int, ...] = (784, 1024, 1024, 10), seed: int = 2) -> Net:
    """Fully connected layers."""
    rng = _generator(seed)
    lengths, targets, weights = [], [], []
    first = 0
    for sending, receiving in pairwise(sizes):
        matrix = np.clip(np.rint(rng.normal(3.0, 30.0, (sending, receiving))), -128, 127).astype(np.int16)
        lengths.append(np.full(sending, receiving))
        targets.append(np.tile(np.arange(first, first + receiving, dtype=np.int32), sending))
        weights.append(matrix.ravel())
        first += receiving
    lengths.append(np.zeros(sizes[-1], np.int64))
    given = _bernoulli(rng, sizes[0], ticks, 0.05)
    threshold = np.repeat([1400, 1800, 1200], sizes[1:])
    start = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    joined = np.concatenate(targets), np.concatenate(weights)
    return _net(sizes[0], sum(sizes[1:]), start, *joined, 1, threshold, ticks, given, dv=128)


def convolutional_network(ticks: int = 128, seed: int = 3) -> Net:
    """32 x 32 inputs, four 3 x 3 convolutions without padding (channel last), a fully connected layer of 11."""
    rng = _generator(seed)
    height, channels = 32, 1
    sizes = [height * height * channels]
    parts = []
    source, target = 0, 0
    for channels_out, stride in ((16, 2), (32, 1), (64, 1), (11, 1)):
        out = (height - 3) // stride + 1
        kernel = np.clip(np.rint(rng.normal(4.0, 24.0, (3, 3, channels, channels_out))), -128, 127).astype(np.int16)
        y, x, c_out, ky, kx, c_in = np.indices((out, out, channels_out, 3, 3, channels), np.int32)
        sending = ((y * stride + ky) * height + (x * stride + kx)) * channels + c_in
        receiving = (y * out + x) * channels_out + c_out
        parts.append((source + sending.ravel(), target + receiving.ravel(), kernel[ky, kx, c_in, c_out].ravel()))
        source, target = source + sizes[-1], target + out * out * channels_out
        sizes.append(out * out * channels_out)
        height, channels = out, channels_out
    matrix = np.clip(np.rint(rng.normal(2.0, 30.0, (sizes[-1], 11))), -128, 127).astype(np.int16)
    sending, receiving = np.indices(matrix.shape)
    parts.append((source + sending.ravel(), target + receiving.ravel(), matrix.ravel()))
    sizes.append(11)
    senders, receivers, weights = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((receivers, senders))
    neurons = sum(sizes[1:])
    start = np.searchsorted(senders[order], np.arange(sizes[0] + neurons + 1))
    given = _bernoulli(rng, sizes[0], ticks, 0.10)
    threshold = np.repeat([120, 360, 520, 720, 400], sizes[1:])
    return _net(sizes[0], neurons, start, receivers[order], weights[order], 1, threshold, ticks, given, dv=64)


def brunel_network(neurons: int = 12500, ticks: int = 1000, seed: int = 5) -> Net:
    """Brunel 2000: balanced excitation and inhibition, delta synapses of 0.1 mV, delay 1.5 ms at 0.1 ms a tick; the external
    drive is its mean, initial potentials are random."""
    rng = _generator(seed)
    excitatory = neurons * 4 // 5
    inhibitory = neurons - excitatory
    weight = 64  # stands for 0.1 mV
    senders = np.concatenate(
        [
            rng.integers(0, excitatory, (neurons, excitatory // 10), dtype=np.int32),
            excitatory + rng.integers(0, inhibitory, (neurons, inhibitory // 10), dtype=np.int32),
        ],
        axis=1,
    )
    receivers = np.repeat(np.arange(neurons, dtype=np.int32), senders.shape[1])
    order = np.argsort(senders.ravel(), kind="stable")
    start = np.concatenate([[0], np.cumsum(np.bincount(senders.ravel(), minlength=neurons))])
    weights = np.where(senders.ravel()[order] < excitatory, weight, -5 * weight)
    threshold = int(20.0 / (0.1 / weight))
    decay = round(4096 * (1 - float(np.exp(-0.1 / 20.0))))
    bias = np.full(neurons, round(2.0 * threshold * decay / 4096))
    initial = rng.integers(0, threshold, neurons)
    given = np.zeros(0, np.int32), np.zeros(0, np.int32)
    net = _net(0, neurons, start, receivers[order], weights, 15, threshold, ticks, given, dv=decay, R=20)
    return net | {"bias": bias.astype(np.int32), "v0": initial.astype(np.int32)}


NETWORKS: dict[str, Callable[[], Net]] = {
    "rand_1k": lambda: random_network(1_000, 1000),
    "rand_10k": lambda: random_network(10_000, 1000),
    "rand_100k": lambda: random_network(100_000, 200),
    "mlp": layered_network,
    "conv": convolutional_network,
    "brunel": brunel_network,
}


def _generator(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def _bernoulli(
    rng: np.random.Generator, inputs: int, ticks: int, probability: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(tick, input) of spike trains, by tick."""
    fired = [np.flatnonzero(rng.random(inputs) < probability).astype(np.int32) for _ in range(ticks)]
    return np.repeat(np.arange(ticks, dtype=np.int32), [part.size for part in fired]), np.concatenate(fired)


def _net(
    inputs: int,
    neurons: int,
    start: Any,
    targets: Any,
    weights: Any,
    delay: int,
    threshold: Any,
    ticks: int,
    given: tuple[NDArray[np.int32], NDArray[np.int32]],
    dv: int,
    R: int = 0,
) -> Net:
    arrays = {
        "indptr": start,
        "indices": targets,
        "weights": weights,
        "delays": np.full(len(targets), delay),
        "theta": np.broadcast_to(threshold, (neurons,)),
        "bias": np.zeros(neurons),
        "v0": np.zeros(neurons),
        "in_t": given[0],
        "in_id": given[1],
    }
    numbers = {"n_in": inputs, "n": neurons, "dv": dv, "du": 4096, "R": R, "v_reset": 0, "ticks": ticks}
    return {name: np.array(array, _ARRAYS[name]) for name, array in arrays.items()} | numbers
