"""Geometry of the spike raster: one lane per population, one stroke per spike, in the lane's own tick and neuron units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import count, plain
from neuroemu.report.html.axis import Mark, whole_marks

if TYPE_CHECKING:
    from neuroemu.report.shape import PopulationActivity, RasterPopulation, ReportDocument

SHORTEST, TALLEST = 50, 132
"""Height of a lane in pixels."""


@dataclass(frozen=True)
class Lane:
    """One population; ``path`` has one horizontal stroke per spike in a box of ticks x neurons."""

    name: str
    neurons: int
    size_text: str
    height: int
    stroke: float
    path: str
    spikes: int
    spikes_text: str
    rate_text: str
    offset_at: float | None
    offset_text: str
    truncated: bool
    cut_at: float | None
    """Where a truncated lane ends, in percent; None when spikes are missing elsewhere or nowhere."""
    per_tick: tuple[int, ...]


@dataclass(frozen=True)
class RasterPlot:
    """Lanes over a common tick axis."""

    sample: int
    ticks: int
    lanes: tuple[Lane, ...]
    marks: tuple[Mark, ...]


def raster(report: ReportDocument) -> RasterPlot | None:
    """Lanes of the recorded sample; None when nothing was recorded."""
    run = report["run"]
    if run is None or run["raster"] is None or not run["raster"]["populations"]:
        return None
    plot = run["raster"]
    ticks = max(plot["ticks"], 1)
    offsets = {population["name"]: population["tick_offset"] for population in report["network"]["populations"]}
    activity = {row["name"]: row for row in run["populations"]}
    lanes = tuple(
        _lane(lane, ticks, offsets.get(lane["name"]), activity.get(lane["name"])) for lane in plot["populations"]
    )
    return RasterPlot(plot["sample"], ticks, lanes, whole_marks(ticks))


def _lane(lane: RasterPopulation, ticks: int, offset: int | None, activity: PopulationActivity | None) -> Lane:
    neurons = max(lane["neurons"], 1)
    height = max(SHORTEST, min(TALLEST, round(5.0 * neurons**0.6)))
    inside = sorted((neuron, tick) for tick, neuron in lane["events"] if 0 <= tick < ticks and 0 <= neuron < neurons)
    per_tick = [0] * ticks
    for _, tick in inside:
        per_tick[tick] += 1
    spikes = len(inside)
    return Lane(
        name=lane["name"],
        neurons=neurons,
        size_text=f"{count(neurons)} {'neuron' if neurons == 1 else 'neurons'}",
        height=height,
        stroke=max(1.1, min(4.0, 0.72 * height / neurons)),
        path=_path(inside, ticks),
        spikes=spikes,
        spikes_text=f"{'first ' if lane['truncated'] else ''}{count(spikes)} {'spike' if spikes == 1 else 'spikes'}",
        rate_text="" if activity is None else f"{plain(activity['rate_per_tick'])} per tick",
        offset_at=100.0 * offset / ticks if offset else None,
        offset_text="" if offset is None else f"the input reaches {lane['name']} from tick {offset} on",
        truncated=lane["truncated"],
        cut_at=_cut_at(lane, ticks),
        per_tick=tuple(per_tick),
    )


def _cut_at(lane: RasterPopulation, ticks: int) -> float | None:
    """End of the last tick kept, where events are in order of ticks."""
    kept = [tick for tick, _ in lane["events"]]
    if not lane["truncated"] or not kept or kept != sorted(kept) or kept[-1] + 1 >= ticks:
        return None
    return 100.0 * (kept[-1] + 1) / ticks


def _path(events: list[tuple[int, int]], ticks: int) -> str:
    """One stroke per spike, neuron by neuron: 0.7 of a tick long, longer where ticks are narrower than a pixel or two."""
    length = f"h{max(0.7, ticks / 500):.2g}"
    return "".join(f"M{tick}.15 {neuron}.5{length}" for neuron, tick in events)
