"""Geometry of the energy stacks: per cost set the whole, then its dynamic part enlarged; host and I/O stand apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import band, percent, quantity, ratio
from neuroemu.report.headline import (
    APART_GROUPS,
    CHIP_GROUPS,
    GROUP_TITLES,
    EnergyPart,
    band_of,
    energy_parts,
    known_energy_j,
)

if TYPE_CHECKING:
    from neuroemu.report.shape import Cost, CostSet

DYNAMIC_GROUPS = tuple(group for group in CHIP_GROUPS if group != "static")


@dataclass(frozen=True)
class Segment:
    """A part of a stack; ``x`` and ``width`` in percent; a ``hatched`` one lies between the ends of a range."""

    x: float
    width: float
    group: str
    title: str
    hatched: bool = False


@dataclass(frozen=True)
class Span:
    """The error band of the total, in percent of the axis."""

    low: float
    high: float
    value: float | None
    title: str


@dataclass(frozen=True)
class LegendEntry:
    """A group with its energy per inference."""

    group: str
    name: str
    value: str
    band: str
    share: str


@dataclass(frozen=True)
class EnergyStack:
    """Both bars of one cost set and their legend."""

    name: str
    title: str
    is_default: bool
    band_text: str
    per_inference: str
    range_text: str
    whole: tuple[Segment, ...]
    span: Span | None
    dynamic: tuple[Segment, ...]
    dynamic_text: str
    legend: tuple[LegendEntry, ...]
    apart: tuple[LegendEntry, ...]


def energy_stacks(cost: Cost, inferences: float | None) -> tuple[EnergyStack, ...]:
    """One stack per cost set, all whole bars on one scale and all dynamic bars on another."""
    parts_of = {cost_set["name"]: energy_parts(cost_set, inferences) for cost_set in cost["sets"]}
    whole_scale = max((_upper_end(cost_set, parts_of[cost_set["name"]]) for cost_set in cost["sets"]), default=0.0)
    dynamic_scale = max((known_energy_j(parts, DYNAMIC_GROUPS) for parts in parts_of.values()), default=0.0)
    return tuple(
        _stack(cost_set, parts_of[cost_set["name"]], whole_scale, dynamic_scale, cost["default_set"])
        for cost_set in cost["sets"]
    )


def small_stack(cost_set: CostSet, inferences: float | None) -> tuple[Segment, ...]:
    """One bar over its full width, for the headline."""
    parts = energy_parts(cost_set, inferences)
    total = known_energy_j(parts, CHIP_GROUPS)
    return _segments(parts, CHIP_GROUPS, total)


def _stack(
    cost_set: CostSet, parts: tuple[EnergyPart, ...], whole_scale: float, dynamic_scale: float, default: str
) -> EnergyStack:
    energy = cost_set["energy"]
    total = energy["per_inference_j"]
    dynamic = [part for part in parts if part.group in DYNAMIC_GROUPS]
    known = any(part.value_j is not None for part in dynamic)
    return EnergyStack(
        name=cost_set["name"],
        title=cost_set["title"],
        is_default=cost_set["name"] == default,
        band_text=cost_set["band_text"],
        per_inference=quantity(total, "J"),
        range_text=band_of(energy["per_inference_low_j"], energy["per_inference_high_j"], "J"),
        whole=_with_static_range(parts, whole_scale),
        span=_span(cost_set, whole_scale),
        dynamic=_segments(parts, DYNAMIC_GROUPS, dynamic_scale),
        dynamic_text=quantity(known_energy_j(parts, DYNAMIC_GROUPS) if known else None, "J"),
        legend=tuple(_legend(part, total) for part in parts if part.group in CHIP_GROUPS),
        apart=tuple(_legend(part, None) for part in parts if part.group in APART_GROUPS),
    )


def _segments(parts: tuple[EnergyPart, ...], groups: tuple[str, ...], scale: float) -> tuple[Segment, ...]:
    segments, x = [], 0.0
    for part in parts:
        if part.group in groups and part.value_j and scale > 0:
            width = 100.0 * part.value_j / scale
            segments.append(Segment(x, width, part.group, _part_title(part)))
            x += width
    return tuple(segments)


def _with_static_range(parts: tuple[EnergyPart, ...], scale: float) -> tuple[Segment, ...]:
    """The dynamic parts, then static power: solid up to its lower figure, hatched up to its upper one."""
    static = next((part for part in parts if part.group == "static"), None)
    if static is None or static.low_j is None or static.high_j is None or scale <= 0:
        return _segments(parts, CHIP_GROUPS, scale)
    segments = _segments(parts, DYNAMIC_GROUPS, scale)
    x = sum(segment.width for segment in segments)
    solid, hatched = 100.0 * static.low_j / scale, 100.0 * (static.high_j - static.low_j) / scale
    return (
        *segments,
        Segment(x, solid, "static", f"static, lower figure: {quantity(static.low_j, 'J')}"),
        Segment(
            x + solid, hatched, "static", f"static, range up to {quantity(static.high_j, 'J')}; figures disagree", True
        ),
    )


def _upper_end(cost_set: CostSet, parts: tuple[EnergyPart, ...]) -> float:
    """Right end of the longest thing drawn for this set, in joules."""
    dynamic = known_energy_j(parts, DYNAMIC_GROUPS)
    static = next((part.high_j or part.value_j or 0.0 for part in parts if part.group == "static"), 0.0)
    return max(dynamic + static, cost_set["energy"]["per_inference_high_j"] or 0.0)


def _span(cost_set: CostSet, scale: float) -> Span | None:
    energy = cost_set["energy"]
    low, high, value = energy["per_inference_low_j"], energy["per_inference_high_j"], energy["per_inference_j"]
    if low is None or high is None or scale <= 0:
        return None
    at = None if value is None else 100.0 * value / scale
    title = f"error band of the total: {band(low, high, 'J')}"
    return Span(100.0 * low / scale, 100.0 * high / scale, at, title)


def _legend(part: EnergyPart, total: float | None) -> LegendEntry:
    share = ratio(part.value_j, total)
    return LegendEntry(
        group=part.group,
        name=GROUP_TITLES[part.group],
        value=part.text,
        band="" if part.low_j is None or part.high_j is None else band(part.low_j, part.high_j, "J"),
        share="" if share is None else percent(share),
    )


def _part_title(part: EnergyPart) -> str:
    return f"{GROUP_TITLES[part.group]}: {part.text} per inference"
