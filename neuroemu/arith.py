"""Integer arithmetic rules that run unchanged on Python ints, inside compiled kernels and on a prover's bit-vectors.

A *rule* is a small function that uses only ``+ - * & | ^ << >>``, comparisons and :func:`select`: no ``if``, ``and``,
``not``, ``abs``, ``min`` or ``//``. This module knows no compiler: :func:`rule` only collects the functions;
``emulator/compiled.py`` registers them for Numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

RuleFunction = TypeVar("RuleFunction", bound=Callable[..., Any])

RULES: list[Callable[..., Any]] = []
"""Every rule defined so far, in definition order."""


def rule(function: RuleFunction) -> RuleFunction:
    """Collect ``function`` as an integer rule; it is returned unchanged."""
    RULES.append(function)
    return function


def select(condition: Any, when_true: Any, when_false: Any) -> Any:
    """``when_true if condition else when_false``, also for bit-vector conditions (objects with an ``ite`` method)."""
    ite = getattr(condition, "ite", None)
    if ite is not None:
        return ite(when_true, when_false)
    return when_true if condition else when_false


@rule
def clamp(value: Any, low: Any, high: Any) -> Any:
    """Saturate ``value`` to ``low..high``."""
    return select(value < low, low, select(value > high, high, value))


@rule
def wrap(value: Any, bits: Any) -> Any:
    """Two's complement wrap to a sign and ``bits`` magnitude bits: the result lies in ``-2**bits .. 2**bits - 1``."""
    half = 1 << bits
    return ((value + half) & ((half << 1) - 1)) - half


@rule
def scale_toward_zero(value: Any, factor: Any, bits: Any) -> Any:
    """``value * factor / 2**bits`` with the magnitude rounded down; ``factor`` is not negative."""
    magnitude = select(value < 0, -value, value)
    scaled = (magnitude * factor) >> bits
    return select(value < 0, -scaled, scaled)


@rule
def shift(value: Any, exponent: Any) -> Any:
    """``value * 2**exponent``; a negative exponent shifts right arithmetically (rounds toward minus infinity)."""
    return (value << select(exponent > 0, exponent, 0)) >> select(exponent < 0, -exponent, 0)
