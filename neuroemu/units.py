"""Quantities as people write them ("23.6 pJ", "128 KiB") to exact SI numbers, and back.

Conversion is decimal: ``parse_quantity("23.6 pJ").value == 23.6e-12``, the float nearest to the written number.
Information counts in bits and stays an integer. A unit is one prefixed unit and any number of "per" units: ``pJ``,
``Gspike/s``, ``fJ/bit``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from difflib import get_close_matches

from neuroemu.errors import BadInput, Finding

LONGEST_TEXT = 64
"""Characters accepted for one quantity; nothing real needs more, and longer numbers cost quadratic time."""

_EXACT = Context(prec=200, Emax=2000, Emin=-2000)
_LARGEST_INTEGER = 2**63 - 1

_PREFIX_EXPONENT = {
    "a": -18, "f": -15, "p": -12, "n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12,
}  # fmt: skip
_PREFIX_OF_EXPONENT = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_BINARY_FACTOR = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass(frozen=True)
class _Unit:
    """One unit symbol: what it measures, its SI symbol, its factor to that, and what prefixes it takes."""

    dimension: str
    symbol: str
    factor: int | Decimal = 1
    prefixes: bool = True
    binary: bool = False
    power: int = 1


_UNITS: dict[str, _Unit] = {
    "J": _Unit("energy", "J"),
    "s": _Unit("time", "s"),
    "min": _Unit("time", "s", 60, prefixes=False),
    "h": _Unit("time", "s", 3600, prefixes=False),
    "W": _Unit("power", "W"),
    "V": _Unit("voltage", "V"),
    "A": _Unit("current", "A"),
    "F": _Unit("capacitance", "F"),
    "Hz": _Unit("frequency", "Hz"),
    "m": _Unit("length", "m"),
    "m2": _Unit("area", "m²", power=2),
    "m²": _Unit("area", "m²", power=2),
    "bit": _Unit("information", "bit", binary=True),
    "B": _Unit("information", "bit", 8, binary=True),
    "%": _Unit("ratio", "1", Decimal("0.01"), prefixes=False),
    "1": _Unit("count", "1", prefixes=False),
}
_COUNTED = ("spike", "event", "tick", "cycle", "inference", "neuron", "synapse", "chip", "core", "hop")
_UNITS |= {noun: _Unit("count of " + noun, noun) for noun in _COUNTED}
_UNITS |= {noun + ("es" if noun.endswith("ch") else "s"): _UNITS[noun] for noun in _COUNTED}
_UNITS["bits"] = _UNITS["bit"]
_UNITS["byte"] = _UNITS["bytes"] = _UNITS["B"]

_INTEGRAL_SYMBOLS = frozenset({"bit", "1", *_COUNTED})
_NUMBER = re.compile(r"([-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Measure:
    """A parsed quantity: ``value`` in the SI unit ``unit`` (int for whole bits and counts, else float)."""

    value: int | float
    unit: str
    dimension: str


@dataclass(frozen=True)
class _ResolvedUnit:
    factor: Decimal
    symbol: str
    dimension: str


def parse_quantity(text: str) -> Measure:
    """Read "23.6 pJ", "3.44 Gspike/s", "128 KiB", "0.75 V", "11.7 %" or a plain number.

    Raises:
        BadInput: NE2023 unknown unit (with the nearest known one), NE2025 not a number or out of range.
    """
    shown = text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"
    match = _NUMBER.fullmatch(text.strip()) if len(text) <= LONGEST_TEXT else None
    if match is None:
        raise BadInput(
            Finding(
                "NE2025", f"{shown!r} is not a quantity", fixes=("write a number and a unit, for example '23.6 pJ'",)
            )
        )
    number, unit_text = match.groups()
    unit = _resolve_unit(unit_text.strip() or "1")
    with localcontext(_EXACT):
        exact = Decimal(number) * unit.factor
        value = _nearest_number(exact, unit.symbol)
    if value is None:
        raise BadInput(Finding("NE2025", f"{shown!r} is outside the range of a 64-bit number"))
    return Measure(value, unit.symbol, unit.dimension)


def _nearest_number(exact: Decimal, symbol: str) -> int | float | None:
    if symbol in _INTEGRAL_SYMBOLS and abs(exact) <= _LARGEST_INTEGER and exact == exact.to_integral_value():
        return int(exact)
    value = float(exact)
    overflow = abs(value) == float("inf")
    underflow = value == 0.0 and exact != 0
    return None if overflow or underflow else value


def _resolve_unit(text: str) -> _ResolvedUnit:
    parts = [part.strip() for part in text.split("/")]
    factor, head = _resolve_prefixed(parts[0], text)
    symbol, dimension = head.symbol, head.dimension
    with localcontext(_EXACT):
        for part in parts[1:]:
            per_factor, per = _resolve_prefixed(part, text)
            factor /= per_factor
            symbol += "/" + per.symbol
            dimension += " per " + per.dimension
    return _ResolvedUnit(factor, symbol, dimension)


def _resolve_prefixed(part: str, whole: str) -> tuple[Decimal, _Unit]:
    if part in _UNITS:
        return Decimal(_UNITS[part].factor), _UNITS[part]
    for length in (1, 2):
        prefix, unit = part[:length], _UNITS.get(part[length:])
        if unit is None or not unit.prefixes:
            continue
        if prefix in _PREFIX_EXPONENT:
            exponent = _PREFIX_EXPONENT[prefix] * unit.power
            return Decimal(unit.factor).scaleb(exponent), unit
        if prefix in _BINARY_FACTOR and unit.binary:
            return Decimal(unit.factor) * _BINARY_FACTOR[prefix], unit
    context = "" if part == whole else f" in {whole!r}"
    raise BadInput(Finding("NE2023", f"unknown unit {part!r}{context}", fixes=(_suggestion(nearest_unit(part)),)))


def _suggestion(nearest: str | None) -> str:
    if nearest is None:
        return "known units: " + ", ".join(name for name in _UNITS if name not in ("1", "m²", "byte", "bytes", "bits"))
    if nearest in ("kB", "MB", "GB"):
        return f"did you mean {nearest[0].upper()}iB (powers of 1024) or {nearest} (powers of 1000)?"
    return f"did you mean {nearest!r}?"


def nearest_unit(text: str) -> str | None:
    """The known unit whose spelling is closest to ``text``, ignoring case; None when nothing is near."""
    by_fold: dict[str, str] = {}
    for unit in known_units():
        by_fold.setdefault(unit.casefold(), unit)
    close = get_close_matches(text.casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[close[0]] if close else None


def known_units() -> tuple[str, ...]:
    """Every accepted spelling of a single unit, usual prefixes first."""
    prefixed: list[str] = []
    for prefix in ("", "m", "µ", "n", "p", "f", "k", "M", "G", "T", "u", "a"):
        prefixed += [prefix + name for name, unit in _UNITS.items() if unit.prefixes or not prefix]
    binary = [prefix + name for prefix in _BINARY_FACTOR for name, unit in _UNITS.items() if unit.binary]
    return tuple(binary + prefixed)


def format_si(value: float, unit: str, digits: int = 3) -> str:
    """``value`` for people, rounded to ``digits`` significant digits: ``format_si(6.8157e-6, "J") == "6.82 µJ"``.

    Whole numbers without a unit stay exact; information is given in bytes from 1 KiB on.
    """
    if unit == "1" and isinstance(value, int):
        return str(value)
    exact = Decimal(repr(value))
    if unit == "bit" and abs(exact) >= 8192:
        return _spell_bytes(exact, digits)
    return _spell(_rounded(exact, digits), unit)


def _rounded(number: Decimal, digits: int) -> Decimal:
    return Context(prec=digits, Emax=2000, Emin=-2000).plus(number)


def _spell_bytes(bits: Decimal, digits: int) -> str:
    prefix, factor = next(
        (item for item in reversed(_BINARY_FACTOR.items()) if abs(bits) >= 8 * item[1]), ("Ki", _BINARY_FACTOR["Ki"])
    )
    with localcontext(_EXACT):
        return f"{_plain(_rounded(bits / (8 * factor), digits))} {prefix}B"


def format_exact(value: float, unit: str) -> str:
    """``value`` without loss: ``parse_quantity(format_exact(v, u)).value == v``; unit "%" writes a ratio as percent."""
    return _spell(Decimal(repr(value)), unit)


def _spell(number: Decimal, unit: str) -> str:
    if not number.is_finite():
        return f"{number} {unit}".removesuffix(" 1")
    with localcontext(_EXACT):
        if unit == "1":
            return _plain(number)
        if unit == "%":
            return f"{_plain(number * 100)} %"
        if unit == "bit":
            return _spell_information(number)
        return _spell_prefixed(number, unit)


def _spell_information(bits: Decimal) -> str:
    for prefix, factor in reversed(_BINARY_FACTOR.items()):
        if bits and bits % (factor * 8) == 0:
            return f"{_plain(bits / (factor * 8))} {prefix}B"
    for name, size in (("MB", 8 * 10**6), ("Mbit", 10**6), ("kB", 8000)):
        if bits and bits % size == 0:
            return f"{_plain(bits / size)} {name}"
    return f"{_plain(bits)} bit"


def _spell_prefixed(number: Decimal, unit: str) -> str:
    power = 2 if unit.split("/")[0].endswith("²") else 1
    exponent = 0
    if number:
        steps = number.adjusted() // (3 * power)
        exponent = max(-15, min(12, 3 * steps))
    return f"{_plain(number.scaleb(-exponent * power))} {_PREFIX_OF_EXPONENT[exponent]}{unit}"


def _plain(number: Decimal) -> str:
    """Positional digits without trailing zeros; exponent notation only far outside everyday sizes."""
    if number == 0:
        return "0"
    trimmed = number.normalize()
    return format(trimmed, "f") if -7 < trimmed.adjusted() < 16 else str(trimmed)
