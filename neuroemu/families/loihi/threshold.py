"""The scale of a layer: the threshold register for its float threshold with which weights round best and no sum overflows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.weights import exponent_for, sampled
from neuroemu.network.connectivity import Folded, absolute_sums, weights_of
from neuroemu.network.model import Neuron

FloatArray = NDArray[np.float64]

HIGHEST_BIAS = 4095 * 2**7
ACCUMULATOR_STEPS = (1 << (dynamics.ACCUMULATOR_BITS - dynamics.WEIGHT_SHIFT)) - 1
"""The accumulator's range in weight steps of 64 chip units."""
_MEMBRANE_STEPS = (1 << (dynamics.STATE_BITS - dynamics.THRESHOLD_SHIFT)) - 1
_CLOSE_THRESHOLD = 256
"""From this threshold register on, one register less for ``>=`` changes the threshold by less than half a per cent."""
_SEARCH_STEPS = 24
_ROOM_FOR_COUNTS = (2, 4, 8)
_LEAK_STEPS = 4
"""Steps of the membrane per step of the smallest weight, so that what a leak cuts off stays below what weights round."""


@dataclass(frozen=True)
class Threshold:
    """What stands for the float threshold of a layer.

    Attributes:
        steps: the float threshold in steps of 64 chip units.
        register: mantissa of the threshold register.
        is_exact: the register judges every membrane that the layer can reach like the float threshold does.
        largest_sum: steps that the accumulator would need if all inputs fired in one tick.
    """

    steps: int
    register: int
    is_exact: bool
    largest_sum: float


@dataclass(frozen=True)
class _Reach:
    """How far a layer's values go, in shares of the threshold: one weight, all weights of a neuron, the constant drive."""

    largest: float
    worst: float
    worst_drive: float


def forgets(neuron: Neuron) -> bool:
    """A stateless gate: the whole membrane is meant to decay in one tick, the chip keeps 1 part in 4096."""
    return neuron.current_decay is None and bool(np.all(neuron.membrane_decay == 0.0))


def choose_threshold(
    neuron: Neuron, structures: Sequence[Folded], drive: FloatArray, arithmetic: Any, hears_inputs: bool
) -> Threshold:
    """The threshold with the finest weights that cannot overflow.

    Args:
        structures: weights that end in the layer, in shares of the threshold.
        drive: float64 (size,), constant drive per tick in shares of the threshold.
        arithmetic: widths of the chip file.
        hears_inputs: whether a source is an input, which may carry counts.
    """
    highest = (1 << int(arithmetic.threshold_mantissa_bits.value)) - 1
    row_sum = sum((absolute_sums(s) for s in structures), np.zeros(drive.shape[0]))
    reach = _Reach(
        max((float(np.abs(weights_of(s)).max(initial=0.0)) for s in structures), default=0.0),
        float(row_sum.max(initial=0.0)),
        float(np.abs(drive).max(initial=0.0)),
    )
    never_beyond = _never_beyond(neuron, reach, highest)
    bound = min(never_beyond, ACCUMULATOR_STEPS / reach.worst) if reach.worst > 0 else never_beyond
    largest_sum = 0.0
    if reach.largest == 0.0:
        steps = int(max(1, min(bound, 4096)))
    else:
        top = int(arithmetic.weight_exponent_max.value)
        fits = [254 * 2.0**exponent / reach.largest for exponent in range(-8, top + 1)]
        allowed = [value for value in fits if 1 <= value <= bound]
        ideal = max(allowed) if allowed else max(1.0, min(254 / reach.largest, never_beyond))
        if hears_inputs:
            ideal = min(ideal, _with_room_for_counts(neuron, fits, bound, reach.largest))
        else:
            ideal = min(ideal, bound)
        if not allowed or (ideal < 254 / reach.largest and reach.worst * 254 / reach.largest > ACCUMULATOR_STEPS):
            ideal = max(1.0, min(254 / reach.largest, never_beyond))
        largest_sum = ideal * reach.worst
        steps = _finest(ideal, structures, drive)
    if neuron.threshold is None:
        return Threshold(steps, highest, False, largest_sum)
    in_steps = bool(np.all(neuron.membrane_decay == 1.0)) and whole(drive * steps)
    # Membranes that are multiples of 64 meet ">=" exactly one register below; others come as close as one part in M.
    at_equality = neuron.compare == "ge" and (in_steps or steps >= _CLOSE_THRESHOLD)
    return Threshold(steps, steps - 1 if at_equality else steps, in_steps, largest_sum)


def units_per_threshold(neuron: Neuron, threshold: Threshold) -> int:
    """Chip units that stand for the float threshold; one more where ``>=`` meets the chip's ``>``."""
    leaky_ge = neuron.compare == "ge" and threshold.register == threshold.steps and neuron.threshold is not None
    return threshold.steps * 64 + (1 if leaky_ge else 0)


def whole(values: FloatArray) -> bool:
    """True when every value is an integer."""
    return bool(np.all(values == np.rint(values)))


def _never_beyond(neuron: Neuron, reach: _Reach, highest: int) -> float:
    """The largest threshold, in steps, with which neither register nor membrane nor bias leaves its range."""
    most = min(float(highest), _MEMBRANE_STEPS / (1.0 + reach.worst + reach.worst_drive))
    if reach.worst_drive > 0:
        most = min(most, HIGHEST_BIAS / 64 / reach.worst_drive)
    if neuron.threshold is None:
        settled = _settled(reach.worst + reach.worst_drive, neuron.membrane_decay)
        return min(most, _MEMBRANE_STEPS / (1.0 + settled))
    if forgets(neuron):
        return min(most, dynamics.DECAY_ONE / (1.0 + reach.worst + reach.worst_drive))
    return most


def _settled(drive: float, decay: FloatArray) -> float:
    """Largest membrane under a constant worst-case drive."""
    slowest = float(decay.max(initial=0.0))
    return drive / max(1.0 - slowest, 1.0 / 1024)


def _with_room_for_counts(neuron: Neuron, fits: list[float], bound: float, largest: float) -> float:
    """Inputs may carry counts: the scale with the most room for them that costs no precision of weights or leak."""
    leaks = neuron.current_decay is not None or bool(np.any(neuron.membrane_decay != 1.0))
    finest = (_LEAK_STEPS if leaks else 1) * 254 / largest
    rooms = ([value for value in fits if max(1.0, finest) <= value <= bound / room] for room in _ROOM_FOR_COUNTS)
    return min((max(values) for values in rooms if values), default=bound)


def _finest(ideal: float, structures: Sequence[Folded], drive: FloatArray) -> int:
    """The threshold near ``ideal`` (never above) whose weights round best; among equals one that keeps bias in 64s."""
    spread = {max(1, int(ideal * (1 - 0.25 * step / _SEARCH_STEPS))) for step in range(_SEARCH_STEPS)}
    dyadic = {int(ideal) >> bits << bits for bits in range(int(ideal).bit_length())}
    candidates = sorted(spread | dyadic)
    sample = np.concatenate([sampled(weights_of(structure)) for structure in structures])
    if sample.size == 0:
        return candidates[-1]

    def error(threshold: int) -> float:
        largest = float(np.abs(sample).max()) * threshold
        exponent = exponent_for(largest)
        step = 2.0 ** (exponent + 1)
        return float(np.sqrt(np.mean((np.rint(sample * threshold / step) * step / threshold - sample) ** 2)))

    return min(candidates, key=lambda threshold: (error(threshold), not whole(drive * threshold), -threshold))
