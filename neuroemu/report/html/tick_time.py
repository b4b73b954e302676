"""Geometry of the time per tick: a stepped curve, and a ribbon that names the core each tick waited for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from neuroemu.report.figures import quantity, round_up
from neuroemu.report.html.axis import Mark, whole_marks

if TYPE_CHECKING:
    from neuroemu.report.shape import RunSummary

COLOURS = 8
"""Distinct colours of the ribbon; further cores repeat them."""


@dataclass(frozen=True)
class Stretch:
    """Consecutive ticks that waited for the same core; ``x`` and ``width`` in percent."""

    x: float
    width: float
    core: int
    colour: int
    title: str
    label: str


@dataclass(frozen=True)
class TickTimePlot:
    """Curve in a box of ticks x 100; marks of both axes in percent."""

    ticks: int
    line: str
    area: str
    mean_at: float
    mean_text: str
    longest_text: str
    marks_x: tuple[Mark, ...]
    marks_y: tuple[Mark, ...]
    ribbon: tuple[Stretch, ...]
    series: tuple[dict[str, object], ...]
    """What to say about each tick: name and one value per tick."""


def tick_time(run: RunSummary) -> TickTimePlot | None:
    """Curve of the first sample; None when times are unknown."""
    times = run["tick_time_s"]
    if not times:
        return None
    top = round_up(max(times))
    heights = [100.0 - 100.0 * time / top for time in times]
    line = f"M0 {heights[0]:.2f}" + "".join(f"H{tick}V{height:.2f}" for tick, height in enumerate(heights))
    line += f"H{len(times)}"
    mean = sum(times) / len(times)
    longest = max(range(len(times)), key=times.__getitem__)
    busiest = run["busiest_core"] if run["busiest_core"] and len(run["busiest_core"]) == len(times) else None
    return TickTimePlot(
        ticks=len(times),
        line=line,
        area=f"{line}V100H0Z",
        mean_at=100.0 - 100.0 * mean / top,
        mean_text=f"mean {quantity(mean, 's')}",
        longest_text=f"longest tick {longest}: {quantity(times[longest], 's')}",
        marks_x=whole_marks(len(times)),
        marks_y=_marks_y(top),
        ribbon=_ribbon(busiest) if busiest else (),
        series=_series(times, busiest),
    )


def _marks_y(top: float) -> tuple[Mark, ...]:
    """Marks at round times between 0 and ``top``, a result of :func:`round_up`."""
    leading = round(float(f"{top:e}".partition("e")[0]), 6)
    parts = {1.0: 5, 1.5: 3, 2.0: 4, 2.5: 5, 3.0: 3, 4.0: 4, 5.0: 5, 6.0: 3, 8.0: 4}[leading]
    return tuple(
        Mark(100.0 - 100.0 * part / parts, quantity(float(f"{top * part / parts:.4g}"), "s"))
        for part in range(parts + 1)
    )


def _ribbon(busiest: list[int]) -> tuple[Stretch, ...]:
    colour_of = {core: index % COLOURS for index, core in enumerate(sorted(set(busiest)))}
    stretches, start = [], 0
    for core, run_of_ticks in groupby(busiest):
        length = len(list(run_of_ticks))
        width = 100.0 * length / len(busiest)
        ticks = f"tick {start}" if length == 1 else f"ticks {start} to {start + length - 1}"
        stretches.append(
            Stretch(
                x=100.0 * start / len(busiest),
                width=width,
                core=core,
                colour=colour_of[core],
                title=f"{ticks} waited for core {core}",
                label=f"core {core}" if width > 9 else str(core) if width > 3.5 else "",
            )
        )
        start += length
    return tuple(stretches)


def _series(times: list[float], busiest: list[int] | None) -> tuple[dict[str, object], ...]:
    told: dict[str, object] = {"name": "time", "values": [quantity(time, "s") for time in times]}
    return (told, {"name": "busiest core", "values": busiest}) if busiest else (told,)
