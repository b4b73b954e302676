"""Counter-based random numbers: the same seed, stream and tick give the same number on any machine and thread count.

The generator is splitmix64's finaliser over ``seed``, ``stream`` and ``tick`` (Steele, Lea and Flood 2014); a draw below
``n`` takes the high 32 bits times ``n``, shifted down by 32. It is our own choice: chips use shift registers whose
polynomials are not public.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@njit
def mix(value: Any) -> Any:
    """splitmix64 finaliser of a uint64."""
    mixed = np.uint64(value) + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


@njit
def draw_below(seed: int, stream: Any, tick: int, limit: int) -> int:
    """Uniform integer in ``0..limit-1`` for this seed, stream (uint64) and tick."""
    word = mix(mix(mix(np.uint64(seed)) ^ np.uint64(stream)) ^ np.uint64(tick))
    return int(((word >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32))
