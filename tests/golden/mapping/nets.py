"""Deterministic mapper test networks, drawn with integer splitmix64 only, so that they are the same on every platform.

A network is a directed graph without parallel synapses: ``row_start``/``target`` list the distinct targets of each
neuron in ascending order, ``rate`` its spikes per 1000 ticks. :func:`digest` is the checksum recorded in ``nets.json``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
MILLION = 1_000_000
RATE_STREAM, SHUFFLE_STREAM, PD_RATE_STREAM = 900, 901, 902


@dataclass(frozen=True)
class Net:
    """Out-adjacency of ``neurons`` neurons: ``row_start`` int64[n+1], ``target`` int64[M], ``rate`` int64[n]."""

    neurons: int
    row_start: Ints
    target: Ints
    rate: Ints


def digest(net: Net) -> str:
    """sha256 of n, row_start, target and rate as little-endian int64."""
    state = hashlib.sha256(np.int64(net.neurons).astype("<i8").tobytes())
    for array in (net.row_start, net.target, net.rate):
        state.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return state.hexdigest()


def _splitmix(word: Words) -> Words:
    word = word + np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def _words(seed: int, stream: int, count: int) -> Words:
    """``count`` words of one stream: splitmix of a base plus a Weyl sequence."""
    base = _splitmix(np.array([seed * 1000003 + stream], dtype=np.uint64))
    return _splitmix(base + np.arange(count, dtype=np.uint64) * np.uint64(0xD1342543DE82EF95))


def _below(seed: int, stream: int, count: int, bound: int) -> Ints:
    """Uniform integers in ``[0, bound)`` by multiply and shift of the upper 32 bits."""
    upper = _words(seed, stream, count) >> np.uint64(32)
    return ((upper * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def _heavy_tailed_rates(seed: int, neurons: int) -> Ints:
    values = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256])
    upto = np.cumsum([60, 140, 180, 190, 170, 120, 80, 40, 15, 5])
    return values[np.searchsorted(upto, _below(seed, RATE_STREAM, neurons, 1000), side="right")].astype(np.int64)


def permutation(seed: int, neurons: int) -> Ints:
    """New id of every old id in a shuffled network."""
    return np.argsort(_words(seed, SHUFFLE_STREAM, neurons), kind="stable").astype(np.int64)


def _build(source: Ints, target: Ints, rate: Ints, shuffle_seed: int | None) -> Net:
    """Merge parallel synapses; with a shuffle seed neuron i gets the id ``permutation[i]``."""
    neurons = len(rate)
    if shuffle_seed is not None:
        new_id = permutation(shuffle_seed, neurons)
        source, target = new_id[source], new_id[target]
        shuffled = np.empty_like(rate)
        shuffled[new_id] = rate
        rate = shuffled
    key = np.unique(source * neurons + target)
    row_start = np.concatenate([[0], np.cumsum(np.bincount(key // neurons, minlength=neurons))])
    return Net(neurons, row_start.astype(np.int64), key % neurons, rate)


def _all_to_all(sources: int, targets: int) -> tuple[Ints, Ints]:
    return np.repeat(np.arange(sources), targets), np.tile(np.arange(targets), sources)


def _offsets(sizes: Iterable[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(list(sizes))]).astype(np.int64)


def mlp(seed: int, layers: Sequence[int]) -> Net:
    """Dense layers in a row."""
    offset = _offsets(layers)
    blocks = [_all_to_all(*pair) for pair in pairwise(layers)]
    source = np.concatenate([block[0] + offset[i] for i, block in enumerate(blocks)])
    target = np.concatenate([block[1] + offset[i + 1] for i, block in enumerate(blocks)])
    return _build(source, target, _heavy_tailed_rates(seed, int(offset[-1])), None)


def _convolution(height: int, width: int, channels: tuple[int, int], stride: int) -> tuple[Ints, Ints, int, int]:
    """Synapses of a 3x3 convolution with padding 1; ids are (channel, y, x)."""
    out_h, out_w = -(-height // stride), -(-width // stride)
    c_in, c_out, dy, dx, y, x = np.indices((channels[0], channels[1], 3, 3, out_h, out_w)).reshape(6, -1)
    in_y, in_x = y * stride + dy - 1, x * stride + dx - 1
    inside = (in_y >= 0) & (in_y < height) & (in_x >= 0) & (in_x < width)
    source = (c_in * height + in_y) * width + in_x
    target = (c_out * out_h + y) * out_w + x
    return source[inside], target[inside], out_h, out_w


def conv(seed: int, h: int, w: int, channels: Sequence[int], strides: Sequence[int], dense: Sequence[int]) -> Net:
    """3x3 convolutions, then dense layers."""
    sources, targets, base, size = [], [], 0, channels[0] * h * w
    for pair, stride in zip(pairwise(channels), strides, strict=True):
        source, target, h, w = _convolution(h, w, pair, stride)
        sources.append(source + base)
        targets.append(target + base + size)
        base, size = base + size, pair[1] * h * w
    for width in dense:
        source, target = _all_to_all(size, width)
        sources.append(source + base)
        targets.append(target + base + size)
        base, size = base + size, width
    return _build(np.concatenate(sources), np.concatenate(targets), _heavy_tailed_rates(seed, base + size), None)


def rand(seed: int, n: int, fanin: int) -> Net:
    """Every neuron draws ``fanin`` sources."""
    source = _below(seed, 20, n * fanin, n)
    return _build(source, np.repeat(np.arange(n), fanin), _heavy_tailed_rates(seed, n), None)


def smallworld(seed: int, n: int, k: int, p_ppm: int, shuffle: bool = False) -> Net:
    """Watts-Strogatz ring, directed: k nearest targets, each rewired with probability p."""
    near = np.arange(1, k // 2 + 1)
    source = np.repeat(np.arange(n), k)
    target = (source + np.tile(np.concatenate([near, -near]), n)) % n
    rewired = _below(seed, 30, n * k, MILLION) < p_ppm
    target = np.where(rewired, _below(seed, 31, n * k, n), target)
    return _build(source, target, _heavy_tailed_rates(seed, n), seed if shuffle else None)


PD_SIZE = (20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948)
PD_PROBABILITY = (  # rows: target, columns: source; Potjans & Diesmann 2014, table 5
    (0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0, 0.0076, 0),
    (0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0, 0.0042, 0),
    (0.0077, 0.0059, 0.0497, 0.135, 0.0067, 0.0003, 0.0453, 0),
    (0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0, 0.1057, 0),
    (0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0),
    (0.0548, 0.0269, 0.0257, 0.0022, 0.06, 0.3158, 0.0086, 0),
    (0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252),
    (0.0364, 0.001, 0.0034, 0.0005, 0.0277, 0.008, 0.0658, 0.1443),
)
PD_MILLIHERTZ = (974, 2861, 4673, 5650, 8141, 9013, 988, 7530)


def pd(seed: int, scale_ppm: int) -> Net:
    """The cortical microcircuit of Potjans & Diesmann 2014, neuron counts scaled down."""
    size = [max(1, count * scale_ppm // MILLION) for count in PD_SIZE]
    offset = _offsets(size)
    sources, targets = [], []
    for post in range(8):
        for pre in range(8):
            if not (probability := PD_PROBABILITY[post][pre]):
                continue
            synapses = round(math.log(1 - probability) / math.log1p(-1.0 / (size[pre] * size[post])))
            stream = 40 + 2 * (post * 8 + pre)
            sources.append(_below(seed, stream, synapses, size[pre]) + offset[pre])
            targets.append(_below(seed, stream + 1, synapses, size[post]) + offset[post])
    milli = np.repeat(PD_MILLIHERTZ, size)
    rate = milli // 1000 + (_below(seed, PD_RATE_STREAM, len(milli), 1000) < milli % 1000)
    return _build(np.concatenate(sources), np.concatenate(targets), rate.astype(np.int64), None)


def sbm(seed: int, modules: int, size: int, k_in: int, k_out: int) -> Net:
    """Planted modules, shuffled: a partition with few messages is known to exist."""
    neurons = modules * size
    inner = np.repeat(np.arange(neurons), k_in)
    inner_target = inner // size * size + _below(seed, 200, neurons * k_in, size)
    outer = np.repeat(np.arange(neurons), k_out)
    target = np.concatenate([inner_target, _below(seed, 201, neurons * k_out, neurons)])
    return _build(np.concatenate([inner, outer]), target, _heavy_tailed_rates(seed, neurons), seed)


def spatial(seed: int, side: int, k: int, spread: int) -> Net:
    """A shuffled torus sheet with bell-shaped local synapses and 2 % long ones."""
    neurons = side * side
    source = np.repeat(np.arange(neurons), k)

    def bell(stream: int) -> Ints:
        draws = [_below(seed, stream + j, neurons * k, 2 * spread + 1) for j in range(3)]
        return np.sum(draws, axis=0) - 3 * spread

    target = (source // side + bell(310)) % side * side + (source % side + bell(300)) % side
    far = _below(seed, 320, neurons * k, MILLION) < 20000
    target = np.where(far, _below(seed, 321, neurons * k, neurons), target)
    return _build(source, target, _heavy_tailed_rates(seed, neurons), seed)


KINDS: dict[str, Callable[..., Net]] = {
    "mlp": mlp, "conv": conv, "rand": rand, "smallworld": smallworld, "pd": pd, "sbm": sbm, "spatial": spatial,
}  # fmt: skip
CATALOGUE: dict[str, Any] = json.loads((Path(__file__).parent / "nets.json").read_text())


def generate(name: str) -> Net:
    """The network ``name`` of ``nets.json``."""
    entry = next(entry for entry in CATALOGUE["nets"] if entry["name"] == name)
    return KINDS[entry["kind"]](entry["seed"], **entry["params"])
