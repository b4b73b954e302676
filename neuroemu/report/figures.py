"""Numbers as people read them: three significant digits, thin spaces, and the word unknown for None."""

from __future__ import annotations

import math

from neuroemu.units import format_si

UNKNOWN = "unknown"
THIN = "\u202f"
"""Narrow no-break space: between thousands and before a unit."""


def quantity(value: float | None, unit: str) -> str:
    """``2.36e-11, "J"`` -> ``23.6 pJ``, ``1048576, "bit"`` -> ``128 KiB``; None -> ``unknown``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return format_si(value, unit).replace(" ", THIN)


def band(low: float | None, high: float | None, unit: str) -> str:
    """``5.9e-6, 7.3e-6, "J"`` -> ``5.9 – 7.3 µJ``, the unit once where both ends share it; unknown when an end is."""
    if low is None or high is None:
        return UNKNOWN
    first, last = quantity(low, unit), quantity(high, unit)
    shared = last.partition(THIN)[2]
    return f"{first.removesuffix(THIN + shared)} – {last}" if first != last else last


def count(value: float | None) -> str:
    """``1234567`` -> ``1 234 567``; fractions keep three significant digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", THIN)
    return _significant(value, 3) if abs(value) < 1000 else f"{value:,.0f}".replace(",", THIN)


def short_count(value: float | None) -> str:
    """``1234567`` -> ``1.23 M``; below ten thousand in full."""
    if value is None or abs(value) < 10_000:
        return count(value)
    return quantity(value, "")


def percent(fraction: float | None, digits: int = 1) -> str:
    """``0.964`` -> ``96.4 %``; a fraction that would round to 0 or 100 % says so with < or >."""
    if fraction is None or not math.isfinite(100.0 * fraction):
        return UNKNOWN
    step = 10.0**-digits
    shown = 100.0 * fraction
    if 0.0 < shown < step / 2:
        return f"<{THIN}{step:.{digits}f}{THIN}%"
    if 100.0 - step / 2 < shown < 100.0:
        return f">{THIN}{100.0 - step:.{digits}f}{THIN}%"
    return f"{shown:.{digits}f}{THIN}%"


def points(difference: float | None) -> str:
    """Difference of two fractions in percentage points, signed: ``-0.01`` -> ``−1.0 points``."""
    if difference is None:
        return UNKNOWN
    shown = round(100.0 * difference, 1)
    sign = "+" if shown > 0 else "−" if shown < 0 else "±"
    return f"{sign}{abs(shown):.1f}{THIN}points"


def plain(value: float | None, digits: int = 3) -> str:
    """A bare number with ``digits`` significant digits."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return count(value) if float(value).is_integer() else _significant(value, digits)


def ratio(part: float | None, whole: float | None) -> float | None:
    """``part / whole``, None when either is unknown or the whole is 0."""
    return None if part is None or not whole else part / whole


def words(key: str) -> str:
    """Name of a resource or counter for people: ``synapse_memory_bits`` -> ``synapse memory``."""
    return key.removesuffix("_bits").replace("_", " ")


def round_up(value: float) -> float:
    """The next of 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten: the end of an axis."""
    if not value > 0 or not math.isfinite(value):
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
    return next(step for step in steps if value <= step * power * (1 + 1e-9)) * power


def _significant(value: float, digits: int) -> str:
    """Three significant digits without exponent for anything a person meets; trailing zeros kept below 100."""
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if magnitude < -4 or magnitude >= 9:
        return f"{value:.{digits - 1}e}"
    return f"{value:.{max(digits - 1 - magnitude, 0)}f}"
