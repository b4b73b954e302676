"""TrueNorth's integer equations as Cassidy et al. (IJCNN 2013) give them: synapses, then leak, then threshold and reset.

Flags are 0 or 1 and modes plain integers, so that the same functions run on Python integers, inside kernels and on bit-vectors.
What the public texts leave open is an argument: the zero clamp, the arithmetic beyond 20 bits and the range of the random
numbers. docs/chips/truenorth.md explains the page.
"""

from __future__ import annotations

from typing import Any

from neuroemu.arith import clamp, rule, select

POTENTIAL_BITS = 20
HIGHEST = (1 << (POTENTIAL_BITS - 1)) - 1
LOWEST = -(1 << (POTENTIAL_BITS - 1))
IBM_CEILING = 393216
"""1.5 * 2**18, where the potential ends according to NeMo, which cites a document of IBM that is not public."""

RESET_TO_VALUE, RESET_LINEAR, RESET_NONE = 0, 1, 2
SATURATE, IBM_CLAMP, ERROR = 0, 1, 2
PAPER, RANC = 0, 1
WORD_BITS = 32
"""Width of a random word."""


@rule
def sign(value: Any) -> Any:
    """-1, 0 or 1."""
    return select(value > 0, 1, select(value < 0, -1, 0))


@rule
def rho(word: Any, lowest: Any, span: Any) -> Any:
    """A random word as a number of ``lowest .. lowest + span - 1``."""
    return lowest + ((word * span) >> WORD_BITS)


@rule
def eta(word: Any, mask_bits: Any) -> Any:
    """What a random word adds to the thresholds: its lowest ``mask_bits`` bits."""
    return word & ((1 << mask_bits) - 1)


@rule
def gated(amount: Any, draw: Any) -> Any:
    """A stochastic weight or leak: its sign with probability about \\|amount\\| / 256, else nothing (F of the paper)."""
    magnitude = select(amount < 0, -amount, amount)
    return select(magnitude >= draw, sign(amount), 0)


@rule
def leaked(v: Any, amount: Any, reversal: Any, zero_clamp: Any) -> Any:
    """The potential after the leak, which follows the potential's sign where ``reversal`` is 1.

    With ``zero_clamp`` 1 a reversing leak that would change the sign stops at zero.
    """
    direction = select(reversal == 1, sign(v), 1)
    moved = v + direction * amount
    crossed = (reversal == 1) & (zero_clamp == 1) & (sign(moved) == -sign(v))
    return select(crossed, 0, moved)


@rule
def limited(v: Any, overflow: Any) -> Any:
    """The potential within 20 bits, or within NeMo's ceiling and floor."""
    high = select(overflow == IBM_CLAMP, IBM_CEILING, HIGHEST)
    low = select(overflow == IBM_CLAMP, -IBM_CEILING, LOWEST)
    return clamp(v, low, high)


@rule
def below(v: Any, beta: Any, eta: Any, kappa: Any, compat: Any) -> Any:
    """Under the negative threshold; RANC's default rule also takes the threshold itself."""
    edge = -select(kappa == 1, beta, beta + eta)
    return v < edge + compat


@rule
def after_spike(v: Any, alpha: Any, eta: Any, reset: Any, gamma: Any) -> Any:
    """The potential after a spike."""
    linear = v - (alpha + eta)
    return select(gamma == RESET_TO_VALUE, reset, select(gamma == RESET_LINEAR, linear, v))


@rule
def after_floor(v: Any, beta: Any, eta: Any, reset: Any, gamma: Any, kappa: Any) -> Any:
    """The potential after it fell below the negative threshold."""
    linear = v + (beta + eta)
    bounced = select(gamma == RESET_TO_VALUE, -reset, select(gamma == RESET_LINEAR, linear, v))
    return select(kappa == 1, -beta, bounced)


@rule
def undecided(
    v: Any,
    synaptic: Any,
    leak: Any,
    reversal: Any,
    zero_clamp: Any,
    alpha: Any,
    beta: Any,
    kappa: Any,
    overflow: Any,
    compat: Any,
) -> Any:
    """Whether a tick may end differently for another random part of the thresholds.

    It can where the thresholds without that part are passed: the part moves both away. Only a held lower threshold has none.
    """
    held = limited(leaked(v + synaptic, leak, reversal, zero_clamp), overflow)
    return (held >= alpha) | ((kappa == 0) & below(held, beta, 0, kappa, compat))


@rule
def tick(
    v: Any,
    synaptic: Any,
    leak: Any,
    reversal: Any,
    zero_clamp: Any,
    alpha: Any,
    beta: Any,
    eta: Any,
    reset: Any,
    gamma: Any,
    kappa: Any,
    overflow: Any,
    compat: Any,
) -> Any:
    """One neuron, one tick: (potential, spiked, left its range).

    1. ``synaptic`` is added, the sum over active axons with a synapse;
    2. ``leak`` is added, signed, drawn if it is stochastic;
    3. the potential is limited; at IBM's ceiling the neuron spikes and keeps it, at the floor it keeps it silently;
    4. at or above ``alpha + eta`` it spikes and is reset, else below the negative threshold it is reset or held.
    """
    exact = leaked(v + synaptic, leak, reversal, zero_clamp)
    held = limited(exact, overflow)
    left_range = exact != held
    stuck = left_range & (overflow == IBM_CLAMP)
    fires = held >= alpha + eta
    falls = below(held, beta, eta, kappa, compat)
    fired = select(fires, after_spike(held, alpha, eta, reset, gamma), held)
    settled = select(falls, after_floor(held, beta, eta, reset, gamma, kappa), held)
    rested = select(fires, fired, settled)
    spiked = select(stuck, exact > held, fires)
    return select(stuck, held, rested), spiked, left_range
