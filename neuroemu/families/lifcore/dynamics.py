"""The open LIF core's integer equations, normative: :func:`tick` is the order of operations of a neuron, all of it.

Widths exclude nothing: a potential of ``bits`` bits lies in ``-2**(bits-1) .. 2**(bits-1) - 1``. Modes are plain integers, so
the same functions run on Python integers, inside kernels and on bit-vectors. docs/chips/lifcore.md explains the page.
"""

from __future__ import annotations

from typing import Any

from neuroemu.arith import clamp, rule, scale_toward_zero, select, wrap

DECAY_BITS = 12
DECAY_ONE = 1 << DECAY_BITS
ACCUMULATOR_BITS = 32
"""The widest accumulator."""

LEAK_SCALE, LEAK_SHIFT, LEAK_CONSTANT = 0, 1, 2
ABOVE, AT_OR_ABOVE = 0, 1
RESET_TO_VALUE, RESET_SUBTRACT, RESET_NONE = 0, 1, 2
SATURATE, WRAP = 0, 1


@rule
def arrived(total: Any, bits: Any) -> Any:
    """What an accumulator of ``bits`` bits holds of ``total``, the sum of all weights that arrived; it wraps.

    Wrapping once is wrapping at every addition, so the order in which spikes arrive cannot matter.
    """
    return wrap(total, bits - 1)


@rule
def scaled(state: Any, keep: Any) -> Any:
    """``state * keep / 4096`` toward zero."""
    return scale_toward_zero(state, keep, DECAY_BITS)


@rule
def shifted(state: Any, exponent: Any) -> Any:
    """``state`` less its ``2**-exponent`` part, that part toward zero."""
    return select(state < 0, state + (-state >> exponent), state - (state >> exponent))


@rule
def stepped(state: Any, amount: Any) -> Any:
    """``amount`` closer to zero, never beyond it."""
    return select(state > amount, state - amount, select(state < -amount, state + amount, 0))


@rule
def leak(v: Any, mode: Any, amount: Any) -> Any:
    """What the leak leaves of the potential; ``amount`` is a factor of 4096, a shift or a constant, by ``mode``."""
    factor = select(mode == LEAK_SCALE, amount, DECAY_ONE)
    exponent = select(mode == LEAK_SHIFT, amount, 0)
    constant = select(mode == LEAK_CONSTANT, amount, 0)
    kept = select(mode == LEAK_SCALE, scaled(v, factor), stepped(v, constant))
    return select(mode == LEAK_SHIFT, shifted(v, exponent), kept)


@rule
def limited(value: Any, overflow: Any, bits: Any) -> Any:
    """``value`` within the width of a potential: saturated or wrapped."""
    lowest = -(1 << (bits - 1))
    return select(overflow == WRAP, wrap(value, bits - 1), clamp(value, lowest, -lowest - 1))


@rule
def fires(v: Any, threshold: Any, compare: Any) -> Any:
    """Above the threshold, or at it where ``compare`` is AT_OR_ABOVE."""
    return v > threshold - compare


@rule
def after_spike(v: Any, threshold: Any, reset: Any, reset_value: Any) -> Any:
    """The potential after a spike."""
    return select(reset == RESET_TO_VALUE, reset_value, select(reset == RESET_SUBTRACT, v - threshold, v))


@rule
def tick(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    bias: Any,
    threshold: Any,
    input_shift: Any,
    current_keep: Any,
    leak_mode: Any,
    leak_amount: Any,
    compare: Any,
    reset: Any,
    reset_value: Any,
    period: Any,
    overflow: Any,
    bits: Any,
) -> Any:
    """One neuron, one tick: (u, v, refractory, spiked, left range).

    1. the current keeps ``current_keep`` / 4096 of itself (0: none) and takes what arrives, times ``2**input_shift``;
    2. while the counter is above 0 it counts down and the potential is held at the reset value;
    3. else the potential leaks, takes current and bias, and is compared with the threshold;
    4. a spike resets the potential and starts the counter.
    """
    exact_u = scaled(u, current_keep) + (arriving << input_shift)
    new_u = limited(exact_u, overflow, bits)
    exact_v = leak(v, leak_mode, leak_amount) + new_u + bias
    driven = limited(exact_v, overflow, bits)
    ready = refractory == 0
    spiked = ready & fires(driven, threshold, compare)
    exact_reset = after_spike(driven, threshold, reset, reset_value)
    rested = limited(exact_reset, overflow, bits)
    new_v = select(spiked, rested, select(ready, driven, reset_value))
    counter = select(spiked, period, select(ready, 0, refractory - 1))
    left_range = (exact_u != new_u) | (ready & (exact_v != driven)) | (spiked & (exact_reset != rested))
    return new_u, new_v, counter, spiked, left_range
