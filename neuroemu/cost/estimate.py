"""From counted events and a chip's constants to energy lines that can be traced back and carry a band."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

Group = Literal["static", "neuron", "synapse", "network", "reset", "host", "io"]


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
    """Factors from the estimate to the lowest and highest plausible truth, and where they come from."""

    low: float
    high: float
    text: str


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


def dynamic_lines(terms: Iterable[Term], energies: Mapping[str, Constant], band: Band) -> tuple[EnergyLine, ...]:
    """Energy of each term; computed once from the exact count."""
    return tuple(
        EnergyLine(
            name=term.name,
            group=term.group,
            value_j=(value := term.count * energies[term.constant].value),
            low_j=value * band.low,
            high_j=value * band.high,
            formula=f"{term.count:,} x {energies[term.constant].value * 1e12:g} pJ",
            constants=(term.constant,),
        )
        for term in terms
    )


def static_line(name: str, low_w: float, high_w: float, duration_s: float, constants: tuple[str, ...]) -> EnergyLine:
    """Static energy over ``duration_s`` as a range between two published powers; the value is the middle of the range."""
    low_j, high_j = sorted((low_w * duration_s, high_w * duration_s))
    return EnergyLine(
        name=name,
        group="static",
        value_j=(low_j + high_j) / 2,
        low_j=low_j,
        high_j=high_j,
        formula=f"{low_w * 1e3:g} .. {high_w * 1e3:g} mW x {duration_s * 1e3:.4g} ms",
        constants=constants,
    )


@dataclass(frozen=True)
class EnergySum:
    """Sum of the known lines."""

    value_j: float
    low_j: float
    high_j: float


def total(lines: Iterable[EnergyLine]) -> EnergySum:
    """Add what is known; unknown lines stay visible as lines and are not in the sum."""
    known = [line for line in lines if line.value_j is not None]
    return EnergySum(
        value_j=sum(line.value_j or 0.0 for line in known),
        low_j=sum(line.low_j or 0.0 for line in known),
        high_j=sum(line.high_j or 0.0 for line in known),
    )
