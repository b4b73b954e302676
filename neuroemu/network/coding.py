"""Numbers to spikes and spikes to answers: encoders, decoders and the check of input arrays.

Spike arrays are ``(samples, ticks, *population shape)`` and hold counts per tick.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.network.graph import nearest_name
from neuroemu.network.model import Network

UIntArray = NDArray[np.uint64]


def random_bits(seed: int, index: UIntArray) -> UIntArray:
    """64 random bits per index: SplitMix64's output function at state ``seed + (index + 1) * golden gamma``.

    Counter-based, so the value of an index depends on nothing else (Steele, Lea, Flood, OOPSLA 2014).
    """
    with np.errstate(over="ignore"):
        z = np.uint64(seed % 2**64) + (index.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def encode_bernoulli(probability: ArrayLike, ticks: int, seed: int = 0) -> NDArray[np.uint8]:
    """Rate coding: in every tick each neuron spikes with its probability, independently.

    ``probability`` is ``(samples, *shape)`` in 0..1; the result is ``(samples, ticks, *shape)`` uint8. The spike of
    (sample, tick, neuron) is ``random_bits(seed, flat index) >> 11 < probability * 2**53``, where the flat index counts
    C order over (samples, ticks, neurons): the same on every machine.
    """
    p = np.asarray(probability, float)
    if p.ndim < 1 or not ((p >= 0) & (p <= 1)).all():
        raise BadInput(
            Finding(
                "NE1132", "spike probabilities must lie in 0..1, one array row per sample", fixes=("scale the data",)
            )
        )
    flat = p.reshape(p.shape[0], 1, -1)
    shape = (flat.shape[0], ticks, flat.shape[2])
    index = np.arange(flat.shape[0] * ticks * flat.shape[2], dtype=np.uint64).reshape(shape)
    spikes = (random_bits(seed, index) >> np.uint64(11)) < (flat * 2.0**53).astype(np.uint64)
    return spikes.astype(np.uint8).reshape(p.shape[0], ticks, *p.shape[1:])


def encode_events(
    sample: ArrayLike, tick: ArrayLike, neuron: ArrayLike, *, samples: int, ticks: int, shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Spike lists to counts: event k adds one spike of flat neuron ``neuron[k]`` at ``tick[k]`` of ``sample[k]``."""
    where = np.stack([np.asarray(part, dtype=np.int64).ravel() for part in (sample, tick, neuron)])
    limits = np.array([[samples], [ticks], [int(np.prod(shape))]])
    outside = ((where < 0) | (where >= limits)).any(axis=0)
    if outside.any():
        first = int(np.flatnonzero(outside)[0])
        raise BadInput(
            Finding(
                "NE1132",
                f"{int(outside.sum())} of {outside.size} events lie outside {samples} samples x {ticks} ticks x "
                f"{int(limits[2, 0])} neurons; the first is event {first}: {tuple(int(k) for k in where[:, first])}",
            )
        )
    counts = np.zeros((samples, ticks, int(limits[2, 0])), dtype=np.int64)
    np.add.at(counts, tuple(where), 1)
    if counts.max(initial=0) > 255:
        raise BadInput(
            Finding("NE1132", "more than 255 spikes of one neuron in one tick", fixes=("use shorter ticks",))
        )
    return counts.astype(np.uint8).reshape(samples, ticks, *shape)


def predictions(output_spikes: ArrayLike) -> NDArray[np.int64]:
    """Winner per sample of ``(samples, ticks, *shape)``: most summed spikes, the lowest index on a tie."""
    spikes = np.asarray(output_spikes)
    wide = np.int64 if spikes.dtype.kind in "bui" else np.float64
    summed = spikes.reshape(*spikes.shape[:2], math.prod(spikes.shape[2:])).sum(axis=1, dtype=wide)
    return summed.argmax(axis=1).astype(np.int64)


def accuracy(predicted: ArrayLike, labels: ArrayLike) -> float:
    """Fraction of samples whose prediction is the label."""
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def input_counts(network: Network, inputs: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    """One array ``(samples, ticks, size)`` per input population, in the network's order, dtype unchanged.

    A bare array serves a network with one input. Shapes ``(samples, ticks, *shape)`` and ``(samples, ticks, size)`` are
    accepted.

    Raises:
        BadInput: NE1131 with both shapes, unknown or missing inputs, values that are not finite numbers.
    """
    given = _named(network, inputs)
    findings: list[Finding] = []
    arrays: dict[str, NDArray[Any]] = {}
    for name in network.inputs:
        if name not in given:
            findings.append(
                Finding("NE1131", f"no samples for the input; there are {', '.join(given)}", f"input {name}")
            )
            continue
        problem = _problem_of(given[name], network.populations[name].shape)
        if problem:
            findings.append(Finding("NE1131", problem, f"input {name}", ("reshape or re-encode the samples",)))
        else:
            arrays[name] = given[name].reshape(*given[name].shape[:2], network.populations[name].size)
    for name in given:
        if name not in network.inputs:
            nearest = nearest_name(name, network.inputs)
            fixes = (f"did you mean {nearest!r}?",) if nearest else ()
            findings.append(Finding("NE1131", "the network has no such input", f"input {name}", fixes))
    lengths = {name: array.shape[:2] for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        findings.append(Finding("NE1131", f"the inputs disagree in (samples, ticks): {listed}"))
    if findings:
        raise BadInput(findings)
    return arrays


def _named(network: Network, inputs: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, NDArray[Any]]:
    if isinstance(inputs, Mapping):
        return {str(name): np.asarray(values) for name, values in inputs.items()}
    if len(network.inputs) != 1:
        raise BadInput(
            Finding(
                "NE1131",
                f"the network has {len(network.inputs)} inputs, one array is given",
                fixes=(f"give a mapping with the keys {', '.join(network.inputs)}",),
            )
        )
    return {network.inputs[0]: np.asarray(inputs)}


def _problem_of(array: NDArray[Any], shape: tuple[int, ...]) -> str:
    if array.dtype.kind not in "buif":
        return f"holds {array.dtype}, spike counts are numbers"
    size = int(np.prod(shape))
    fits = array.ndim >= 3 and (array.shape[2:] == tuple(shape) or array.shape[2:] == (size,))
    if not fits:
        return f"has the shape {array.shape}, the network takes (samples, ticks, {', '.join(map(str, shape))})"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return "holds NaN or infinite values"
    return ""
