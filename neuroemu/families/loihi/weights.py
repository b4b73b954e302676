"""Loihi's 8-bit weights: format, mantissas and exponent of a layer's synapses, and what rounding did to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.network.connectivity import Conv2d, Dense, Folded, Sparse, absolute_sums, weights_of, with_weights

FloatArray = NDArray[np.float64]

WEIGHT_BITS = 8
MIXED, EXCITATORY, INHIBITORY = 1, 2, 3


def weight_format(structure: Folded, units: int) -> tuple[int, int]:
    """(exponent, sign mode): one-signed weights gain a bit of precision over mixed ones."""
    values = weights_of(structure)
    exponent = exponent_for(float(np.abs(values).max(initial=0.0)) * units / 64)
    if values.size and values.min() >= 0:
        return exponent, EXCITATORY
    if values.size and values.max() <= 0:
        return exponent, INHIBITORY
    return exponent, MIXED


def exponent_for(largest: float) -> int:
    """Smallest weight exponent with which ``largest`` (in 64s) still fits the mantissa.

    Not below -1, since the chip cuts every weight down to a multiple of 64; mixed mantissas are even, so -1 cuts nothing.
    """
    if largest <= 0:
        return 0
    return int(np.clip(np.ceil(np.log2(largest / 254.0) - 1e-12), -1, 7))


def rounded(
    structure: Folded, units: int, exponent: int, sign_mode: int, step: float | None = None
) -> tuple[Folded, int]:
    """Mantissas (same structure, integer values) and how many had to be clipped by more than rounding.

    Mixed signs leave steps of 2; with ``step`` 1 the two signs are meant for lists of their own.
    """
    step = step or (2.0 if sign_mode == MIXED else 1.0)
    low, high = {MIXED: (-256.0, 254.0), EXCITATORY: (0.0, 255.0), INHIBITORY: (-255.0, 0.0)}[sign_mode]
    if sign_mode == MIXED and step == 1.0:
        low, high = -255.0, 255.0
    exact = np.rint(weights_of(structure) * (units / 64 / 2.0**exponent / step)) * step
    clipped = int(np.sum((exact < low - step) | (exact > high + step)))
    return with_weights(structure, np.clip(exact, low, high)), clipped


def by_sign(mantissas: Folded) -> tuple[tuple[int, Folded], ...]:
    """Excitatory and inhibitory part; a dense one becomes listed, since each part has gaps."""
    if isinstance(mantissas, Conv2d):
        return (
            (EXCITATORY, replace(mantissas, weight=np.maximum(mantissas.weight, 0.0))),
            (INHIBITORY, replace(mantissas, weight=np.minimum(mantissas.weight, 0.0))),
        )
    weight = mantissas.weight if isinstance(mantissas, Sparse) else sp.csr_array(mantissas.weight)
    delay = mantissas.delay if isinstance(mantissas, Sparse) else None
    parts = []
    for mode, chosen in ((EXCITATORY, weight.data > 0), (INHIBITORY, weight.data < 0)):
        rows = np.repeat(np.arange(weight.shape[0]), np.diff(weight.indptr))[chosen]
        start = np.searchsorted(rows, np.arange(weight.shape[0] + 1))
        part = sp.csr_array((weight.data[chosen], weight.indices[chosen], start), shape=weight.shape)
        parts.append((mode, Sparse(part, None if delay is None else delay[chosen])))
    return tuple(parts)


def room_for_two_lists(structure: Folded, neurons: int, limits: Any) -> bool:
    """True where excitatory and inhibitory lists of their own (one more weight bit, twice the axons) take at most half
    of one core, so that precision costs no cores; ``limits`` are those of the chip file."""
    if neurons > int(limits.compartments.value):
        return False
    if isinstance(structure, Conv2d):
        axons = structure.in_shape[1] * structure.in_shape[2]
        taps = structure.weight.shape[2] * structure.weight.shape[3]
        synapses = structure.weight.size * taps
        lists = structure.in_shape[0] * taps * 4
    else:
        axons = lists = structure.n_in
        synapses = structure.synapse_count
    index_and_weight = WEIGHT_BITS + 10
    bits = synapses * index_and_weight + 2 * lists * 2 * int(limits.synapse_word_bits.value)
    return 2 * 2 * axons <= int(limits.input_axons.value) and 2 * bits <= int(limits.synapse_memory.bits)


def all_even(synapses: Iterable[tuple[Folded, int]]) -> bool:
    """True when every weight is a multiple of 128 on the chip; pairs of mantissas and weight exponent."""
    return all(exponent >= 1 or not (weights_of(mantissas) % 2).any() for mantissas, exponent in synapses)


def chip_units(mantissas: Folded, exponent: int) -> FloatArray:
    """What an always-firing source adds per tick, in chip units."""
    assert isinstance(mantissas, Dense)
    return np.asarray(mantissas.weight[:, 0] * 2.0**exponent * 64)


def sampled(values: FloatArray) -> FloatArray:
    """At most 50,000 weights, evenly spaced: enough to judge a scale."""
    return values[:: max(1, values.shape[0] // 50_000)]


class WeightErrors:
    """Rounding errors over all weights of a layer, relative to the largest of each projection."""

    def __init__(self) -> None:
        self.largest = 0.0
        self.clipped = 0
        self.lost = 0
        self.synapses = 0
        self._alive: NDArray[np.bool_] | None = None
        self._meant: NDArray[np.bool_] | None = None
        self._squares = 0.0
        self._count = 0

    def add(
        self,
        wanted: Folded,
        mantissas: Folded,
        units: int,
        exponent: int,
        clipped: int,
    ) -> None:
        values = weights_of(wanted)
        largest = float(np.abs(values).max(initial=0.0))
        if largest == 0.0:
            return
        error = (weights_of(mantissas) * 2.0**exponent * 64 / units - values) / largest
        self.largest = max(self.largest, float(np.abs(error).max()))
        self._squares += float((error**2).sum())
        self._count += error.size
        self.clipped += clipped
        self.synapses += int(np.count_nonzero(values))
        self.lost += int(np.count_nonzero((values != 0) & (weights_of(mantissas) == 0)))
        meant, alive = absolute_sums(wanted) > 0, absolute_sums(mantissas) > 0
        self._meant = meant if self._meant is None else self._meant | meant
        self._alive = alive if self._alive is None else self._alive | alive

    @property
    def silenced(self) -> int:
        """Neurons with weights in the network and none on the chip."""
        return 0 if self._meant is None or self._alive is None else int(np.sum(self._meant & ~self._alive))

    @property
    def rms(self) -> float:
        return float(np.sqrt(self._squares / self._count)) if self._count else 0.0
