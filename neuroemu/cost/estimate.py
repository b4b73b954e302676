"""From counted events and a chip's constants to energy and time lines that can be traced back and carry a band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from neuroemu.errors import Finding

Group = Literal["static", "neuron", "synapse", "network", "reset", "host", "io"]
ON_CHIP: tuple[Group, ...] = ("static", "neuron", "synapse", "network", "reset")
"""Groups that make up the chip's energy; host and I/O are reported beside it."""


class Constant(Protocol):
    """A number of the chip file."""

    @property
    def value(self) -> float: ...


@dataclass(frozen=True)
class Term:
    """``count`` events that each cost ``constant`` (a key of the cost set's energies)."""

    name: str
    group: Group
    count: int
    constant: str


@dataclass(frozen=True)
class Band:
    """Factors from an estimate to the lowest and highest plausible truth, and the measurements they come from.

    ``known`` is False where nobody published a comparison with silicon; the factors are then 1 and mean nothing.
    """

    low: float
    high: float
    text: str
    known: bool = True


EXACT = Band(1.0, 1.0, "")


def band_from_errors(errors: Iterable[tuple[float, float]], text: str) -> Band:
    """Band from relative errors of earlier estimates, each ``(low, high)`` of (estimate - measured) / measured.

    An estimate that was 20 % too high means a truth of 1 / 1.2 of it; without any known error the band is open-ended
    knowledge, so the caller must say so in ``text``.
    """
    ratios = [1.0 / (1.0 + error) for pair in errors for error in pair] + [1.0]
    return Band(min(ratios), max(ratios), text)


@dataclass(frozen=True)
class EnergyLine:
    """One line of an energy report; None means unknown, never zero."""

    name: str
    group: Group
    value_j: float | None
    low_j: float | None
    high_j: float | None
    formula: str
    constants: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class TimeLine:
    """One part of the run time."""

    name: str
    value_s: float | None
    formula: str
    constants: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Estimate:
    """Value with its band."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SetReport:
    """Energy and time of a run under one cost set; ``energy`` is None where it is unknown, ``time`` where no tick was timed.

    ``limit`` is (name, sentence) of what binds where that is not ``bound``, the part that takes most of a tick.
    """

    name: str
    title: str
    band_text: str
    energy: Estimate | None
    energy_lines: tuple[EnergyLine, ...]
    time: Estimate | None
    time_band_known: bool
    time_lines: tuple[TimeLine, ...]
    tick_time_s: Any
    busiest_core: Any
    bound: str
    constants: Mapping[str, Any]
    limit: tuple[str, str] | None = None


@dataclass(frozen=True)
class CostReport:
    """Counters of a run and its estimates under every cost set of the chip; ``sets[0]`` is the default.

    ``network`` is what the wires carried: messages, hops, max_link_load, diameter_hops and the rows of ``links``;
    ``findings`` what the run showed and the user should know; ``saturated`` where membranes left their range and how often,
    most first, where that is known.
    """

    counters: Mapping[str, int]
    core_activity: Mapping[int, Mapping[str, int]]
    sets: tuple[SetReport, ...]
    network: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    saturated: tuple[tuple[str, int], ...] = ()


def dynamic_lines(terms: Iterable[Term], energies: Mapping[str, Constant], band: Band) -> tuple[EnergyLine, ...]:
    """Energy of each term, computed once from the exact count; unknown where ``energies`` lacks its constant."""
    return tuple(_dynamic_line(term, energies.get(term.constant), band) for term in terms)


def _dynamic_line(term: Term, constant: Constant | None, band: Band) -> EnergyLine:
    if constant is None:
        return EnergyLine(term.name, term.group, None, None, None, f"{term.count:,} x unknown")
    value = term.count * constant.value
    formula = f"{term.count:,} x {constant.value * 1e12:g} pJ"
    return EnergyLine(term.name, term.group, value, value * band.low, value * band.high, formula, (term.constant,))


def static_line(
    name: str, low_w: float, high_w: float, duration: Estimate | None, constants: tuple[str, ...]
) -> EnergyLine:
    """Static energy over a run as a range between two published powers; the value is the middle of the two."""
    if duration is None:
        formula = f"{low_w * 1e3:g} .. {high_w * 1e3:g} mW x unknown duration"
        return EnergyLine(name, "static", None, None, None, formula, constants)
    middle_w = (low_w + high_w) / 2
    return EnergyLine(
        name=name,
        group="static",
        value_j=middle_w * duration.value,
        low_j=low_w * duration.low,
        high_j=high_w * duration.high,
        formula=f"{low_w * 1e3:g} .. {high_w * 1e3:g} mW x {duration.value * 1e3:.4g} ms",
        constants=constants,
    )


def on_chip_total(lines: Iterable[EnergyLine]) -> Estimate | None:
    """Sum of the known on-chip lines; unknown lines stay visible as lines and are not in the sum.

    None is unknown: what is known is nothing, or 0 J beside lines whose energy nobody knows.
    """
    on_chip = [line for line in lines if line.group in ON_CHIP]
    known = [line for line in on_chip if line.value_j is not None]
    total = Estimate(
        value=sum(line.value_j or 0.0 for line in known),
        low=sum(line.low_j or 0.0 for line in known),
        high=sum(line.high_j or 0.0 for line in known),
    )
    return None if total.value == 0.0 and len(known) < len(on_chip) else total
