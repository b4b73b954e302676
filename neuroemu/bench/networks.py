"""The benchmark networks as plain arrays: random, layered, convolutional, balanced and cortical, always the same bits.

A network is a mapping of arrays: ``n_in`` inputs are sources 0 .. n_in-1, neurons follow; ``indptr``, ``indices``,
``weights``, ``delays`` list the synapses by source (CSR, targets are neurons); ``theta``, ``bias``, ``v0`` per neuron;
``dv``, ``du`` (decay of 4096), ``R``, ``v_reset``, ``ticks``; ``in_t``, ``in_id`` are the input spikes by tick.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit

Net = dict[str, Any]

ARRAYS = {
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
NUMBERS = ("n_in", "n", "dv", "du", "R", "v_reset", "ticks")

CHUNK = 1 << 22
"""Synapses drawn at a time, so that a network of 0.3 billion needs little more than its own memory."""


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
    start = _starts_of(senders.ravel(), neurons)
    targets, weights = np.empty_like(receivers), np.empty(receivers.shape[0], np.int16)
    delays = np.full(receivers.shape[0], 15, np.uint8)
    drawn = np.where(senders.ravel() < excitatory, weight, -5 * weight).astype(np.int16)
    _sort_by_source(start, senders.ravel(), receivers, drawn, delays, targets, weights, delays)
    threshold = int(20.0 / (0.1 / weight))
    decay = round(4096 * (1 - float(np.exp(-0.1 / 20.0))))
    bias = np.full(neurons, round(2.0 * threshold * decay / 4096))
    initial = rng.integers(0, threshold, neurons)
    given = np.zeros(0, np.int32), np.zeros(0, np.int32)
    net = _net(0, neurons, start, targets, weights, delays, threshold, ticks, given, dv=decay, R=20)
    return net | {"bias": bias.astype(np.int32), "v0": initial.astype(np.int32)}


def microcircuit(scale: float, ticks: int = 1000, seed: int = 4, chunk: int = CHUNK) -> Net:
    """Potjans & Diesmann 2014: the eight populations under 1 mm2 of cortex at 0.1 ms a tick, driven by direct current.

    ``scale`` shrinks neurons and in-degrees alike; weights then grow by 1/sqrt(scale), and the mean input that is lost comes
    back as direct current from the published rates (van Albada et al. 2015). Scale 1 has 77,169 neurons and 0.3 billion
    synapses. One unit of weight stands for 87.8 pA / 256. Memory: the arrays themselves and one source population's synapses.
    """
    rng = _generator(seed)
    sizes = np.maximum(1, np.rint(_SIZES * scale)).astype(np.int64)
    full = np.rint(np.log1p(-_PROBABILITY) / np.log1p(-1.0 / np.outer(_SIZES, _SIZES))).astype(np.int64)
    counts = np.rint(full * scale * scale).astype(np.int64)
    relative = np.tile([1.0, -4.0], (8, 4))
    relative[0, 2] = 2.0  # layer 4 excites layer 2/3 twice as strongly
    synapses = _fixed_total(rng, sizes, counts, relative * 256 / np.sqrt(scale), chunk)
    current_pa, step_ms, capacity_pf = 87.8, 0.1, 250.0
    unit_mv = current_pa / 256 * step_ms / capacity_pf
    drive_pa = 8e-3 * 0.5 * _EXTERNAL * current_pa
    into = full / _SIZES[:, None] * relative
    for sender in range(8):
        drive_pa += 0.5e-3 * _RATE_HZ[sender] * into[:, sender] * current_pa * (1 - np.sqrt(scale))
    neurons = int(sizes.sum())
    given = np.zeros(0, np.int32), np.zeros(0, np.int32)
    initial = rng.normal(7.0, 10.0, neurons)
    decay_v, decay_u = (round(4096 * (1 - float(np.exp(-step_ms / tau_ms)))) for tau_ms in (10.0, 0.5))
    net = _net(0, neurons, *synapses, round(15.0 / unit_mv), ticks, given, dv=decay_v, R=20)
    return net | {
        "du": decay_u,
        "bias": np.repeat(np.rint(drive_pa * step_ms / capacity_pf / unit_mv).astype(np.int32), sizes),
        "v0": np.rint(initial / unit_mv).astype(np.int32),
    }


# Potjans & Diesmann 2014, Table 5: layers 2/3, 4, 5, 6, excitatory and inhibitory each.
_SIZES = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
_PROBABILITY = np.array(  # (target, source)
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0, 0.0076, 0.0],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0, 0.0042, 0.0],
        [0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0.0],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0, 0.1057, 0.0],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0.0],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443],
    ]
)
_EXTERNAL = np.array([1600, 1500, 2100, 1900, 2000, 1900, 2900, 2100])
_RATE_HZ = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])  # mean rates at full scale


def _fixed_total(
    rng: np.random.Generator, sizes: NDArray[np.int64], counts: NDArray[np.int64], mean: NDArray[np.float64], chunk: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int16], NDArray[np.uint8]]:
    """Exactly ``counts[target, source]`` synapses between random pairs of two populations: CSR by source.

    Normally distributed weights (10 %) and delays (1.5 ms excitatory, 0.75 ms inhibitory, 50 %). One source population after
    the other is drawn and sorted by counting, so that nothing but the result is ever held whole.
    """
    first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    total = int(counts.sum())
    start = np.zeros(int(first[-1]) + 1, np.int64)
    target, weight, delay = np.empty(total, np.int32), np.empty(total, np.int16), np.empty(total, np.uint8)
    done = 0
    for sender in range(sizes.shape[0]):
        drawn = _draw_population(rng, sender, first, counts[:, sender], mean[:, sender], chunk)
        own, end = slice(first[sender], first[sender + 1] + 1), done + int(counts[:, sender].sum())
        start[own] = done + _starts_of(drawn[0], int(sizes[sender]))
        parts = target[done:end], weight[done:end], delay[done:end]
        _sort_by_source(start[own] - done, *drawn, *parts)
        done = end
    return start, target, weight, delay


def _draw_population(
    rng: np.random.Generator,
    sender: int,
    first: NDArray[np.int64],
    counts: NDArray[np.int64],
    mean: NDArray[np.float64],
    chunk: int,
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int16], NDArray[np.uint8]]:
    """All synapses of one source population in the order of drawing: source (within the population), target, weight, delay.

    A generator gives the same numbers in one call or in many, whatever ``chunk``.
    """
    total = int(counts.sum())
    source, target = np.empty(total, np.int32), np.empty(total, np.int32)
    weight, delay = np.empty(total, np.int16), np.empty(total, np.uint8)
    delay_ms = 1.5 if sender % 2 == 0 else 0.75
    last = 0
    for receiver, count in enumerate(counts.tolist()):
        begin, last = last, last + count
        pieces = [slice(at, min(at + chunk, last)) for at in range(begin, last, chunk)]
        for piece in pieces:
            source[piece] = rng.integers(first[sender], first[sender + 1], piece.stop - piece.start, dtype=np.int32)
        source[begin:last] -= np.int32(first[sender])
        for piece in pieces:
            target[piece] = rng.integers(first[receiver], first[receiver + 1], piece.stop - piece.start, dtype=np.int32)
        centre = float(mean[receiver])
        low, high = (0, 32767) if centre > 0 else (-32768, 0)
        for piece in pieces:
            drawn = rng.normal(centre, abs(centre) * 0.1, piece.stop - piece.start)
            weight[piece] = np.rint(np.clip(drawn, low, high))
        for piece in pieces:
            drawn = rng.normal(delay_ms, delay_ms * 0.5, piece.stop - piece.start)
            delay[piece] = np.clip(np.rint(drawn / 0.1), 1, 63)
    return source, target, weight, delay


def _starts_of(source: NDArray[np.int32], sources: int) -> NDArray[np.int64]:
    """Where each source's synapses start, int64 (sources + 1,)."""
    return np.concatenate([[0], np.cumsum(_counts(source, sources))]).astype(np.int64)


@njit
def _counts(source: Any, sources: int) -> Any:
    counts = np.zeros(sources, np.int64)
    for synapse in range(source.shape[0]):
        counts[source[synapse]] += 1
    return counts


@njit
def _sort_by_source(
    start: Any, source: Any, target: Any, weight: Any, delay: Any, to_target: Any, to_weight: Any, to_delay: Any
) -> None:
    """Counting sort: each synapse to the next free place of its source, in the order of drawing."""
    free = start.copy()
    for synapse in range(source.shape[0]):
        place = free[source[synapse]]
        free[source[synapse]] = place + 1
        to_target[place], to_weight[place], to_delay[place] = target[synapse], weight[synapse], delay[synapse]


NETWORKS: dict[str, Callable[[], Net]] = {
    "rand_1k": lambda: random_network(1_000, 1000),
    "rand_10k": lambda: random_network(10_000, 1000),
    "rand_100k": lambda: random_network(100_000, 200),
    "mlp": layered_network,
    "conv": convolutional_network,
    "brunel": brunel_network,
}
SCALED = re.compile(r"(?:microcircuit|pd)_(0?\.\d+|0|1(?:\.0*)?)")
"""Names of the cortical microcircuit with its scale, above 0 up to 1."""


def network_named(name: str) -> Callable[[], Net] | None:
    """What generates the network of that name; None for an unknown name."""
    if name in NETWORKS:
        return NETWORKS[name]
    scaled = SCALED.fullmatch(name)
    scale = float(scaled[1]) if scaled else 0.0
    return (lambda: microcircuit(scale)) if scale > 0 else None


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
    delay: Any,
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
        "delays": np.broadcast_to(np.uint8(delay), (len(targets),)),
        "theta": np.broadcast_to(threshold, (neurons,)),
        "bias": np.zeros(neurons),
        "v0": np.zeros(neurons),
        "in_t": given[0],
        "in_id": given[1],
    }
    numbers = {"n_in": inputs, "n": neurons, "dv": dv, "du": 4096, "R": R, "v_reset": 0, "ticks": ticks}
    return {name: np.ascontiguousarray(array, ARRAYS[name]) for name, array in arrays.items()} | numbers
