"""Loihi 1's integer equations: current-based leaky integrate-and-fire, weights as the neuron sees them, noise.

State is ``u`` (synaptic current) and ``v`` (membrane), sign and 23 bits each. Sources: Davies 2018; Michaelis 2022;
recorded runs of brian2-loihi 0.5.2, nengo-loihi 1.1.0 and lava-nc 0.10.0 (docs/fidelity.md lists where those differ and
which one is followed).
"""

from __future__ import annotations

from typing import Any

from neuroemu.arith import clamp, rule, scale_toward_zero, select, shift, wrap

STATE_BITS = 23
ACCUMULATOR_BITS = 21
DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
WEIGHT_SHIFT = 6
THRESHOLD_SHIFT = 6
WEIGHT_LIMIT = (1 << ACCUMULATOR_BITS) - (1 << WEIGHT_SHIFT)


@rule
def stored_mantissa(weight: Any, dropped_bits: Any) -> Any:
    """The mantissa that survives in memory: ``dropped_bits`` low bits are cut off toward zero."""
    magnitude = select(weight < 0, -weight, weight)
    kept = (magnitude >> dropped_bits) << dropped_bits
    return select(weight < 0, -kept, kept)


@rule
def synaptic_weight(weight: Any, dropped_bits: Any, exponent: Any) -> Any:
    """What one spike adds to the accumulator: a multiple of 64 within +-(2**21 - 64).

    ``dropped_bits`` is 8 - numWeightBits, plus 1 in mixed sign mode. A negative exponent rounds toward minus infinity.
    """
    scaled = shift(stored_mantissa(weight, dropped_bits), exponent) << WEIGHT_SHIFT
    return clamp(scaled, -WEIGHT_LIMIT, WEIGHT_LIMIT)


@rule
def current(u: Any, arriving: Any, retain: Any) -> Any:
    """Synaptic current after this tick's decay (``retain`` = 4096 - (register + 1)) and input."""
    return wrap(scale_toward_zero(u, retain, DECAY_BITS) + wrap(arriving, ACCUMULATOR_BITS), STATE_BITS)


@rule
def wraps(u: Any, arriving: Any, retain: Any) -> Any:
    """True when the accumulator or the current leaves its range and wraps in this tick."""
    exact = scale_toward_zero(u, retain, DECAY_BITS) + arriving
    return exact != current(u, arriving, retain)


@rule
def membrane(v: Any, u: Any, bias: Any, retain: Any, lowest: Any, highest: Any) -> Any:
    """Membrane after leak (``retain`` = 4096 - register) and drive; saturates at ``lowest..highest``, never wraps."""
    drive = wrap(u + bias, STATE_BITS)
    return clamp(scale_toward_zero(v, retain, DECAY_BITS) + drive, lowest, highest)


@rule
def saturates(v: Any, u: Any, bias: Any, retain: Any, lowest: Any, highest: Any) -> Any:
    """True when the membrane leaves ``lowest..highest`` (or the drive wraps) in this tick."""
    exact = scale_toward_zero(v, retain, DECAY_BITS) + u + bias
    return exact != membrane(v, u, bias, retain, lowest, highest)


@rule
def held_at_reset(v: Any, refractory: Any) -> Any:
    """A refractory membrane stays at zero while its current keeps integrating."""
    return select(refractory > 0, 0, v)


@rule
def fires(v: Any, threshold: Any) -> Any:
    """Strictly above the threshold (mantissa << 6)."""
    return v > threshold


@rule
def after_spike(spiked: Any, v: Any) -> Any:
    """Hard reset to zero."""
    return select(spiked, 0, v)


@rule
def refractory_after(spiked: Any, refractory: Any, period: Any) -> Any:
    """Counter for the next tick; a period of 1 lets a neuron fire in consecutive ticks."""
    counter = select(spiked, period, refractory)
    return select(counter > 0, counter - 1, 0)


@rule
def bias(mantissa: Any, exponent: Any) -> Any:
    """Constant drive per tick."""
    return mantissa << exponent


@rule
def lowest_membrane(exponent: Any) -> Any:
    """vmin register: exponent 23 allows the whole range, 0 forbids negative membranes."""
    return 1 - (1 << exponent)


@rule
def highest_membrane(exponent: Any) -> Any:
    """vmax register."""
    return (1 << (9 + 2 * exponent)) - 1


@rule
def noise(draw: Any, offset: Any, exponent: Any) -> Any:
    """Random drive of a compartment; ``draw`` is uniform in -127..127 (nengo-loihi's model of the noise register)."""
    return shift(draw + (offset << 6), exponent - 7)
