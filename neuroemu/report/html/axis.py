"""Axis marks at round numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A tick mark at ``at`` percent of the axis."""

    at: float
    text: str


def whole_marks(length: int, most: int = 9) -> tuple[Mark, ...]:
    """Marks at round whole numbers 0 <= n < length; ``at`` is the middle of bin n."""
    step = _round_step(max(length - 1, 1) / most)
    return tuple(Mark(100.0 * (number + 0.5) / length, str(number)) for number in range(0, length, step))


def _round_step(least: float) -> int:
    power = 10 ** max(math.floor(math.log10(max(least, 1.0))), 0)
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)
