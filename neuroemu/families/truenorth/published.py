"""Published operating points of TrueNorth as networks that the emulator runs, and their power beside the published one.

Where a network is not public (object detection, highest throughput) a recurrent network with the published figures stands for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neuroemu.cost.estimate import Estimate
from neuroemu.emulator.runner import NEVER
from neuroemu.families.truenorth.boot import TrueNorthBooted, boot_image
from neuroemu.families.truenorth.core import CrossbarChunk
from neuroemu.families.truenorth.costs import cost_report
from neuroemu.families.truenorth.image import ProgramImage
from neuroemu.families.truenorth.recurrent import at_rate, recurrent_image
from neuroemu.spec import ChipSpec

WARM_UP = 20
"""Ticks until all delays are filled."""
PUBLISHED_TICKS = 50
"""Ticks counted per point: the documentation's table and the test of it are of runs this long."""
CHUNK = 25
ALL_CORES = 4096


@dataclass(frozen=True)
class OperatingPoint:
    """A network and a supply voltage under which a power was published.

    Attributes:
        workload: key of the chip file's ``validation.workloads``.
        rate_hz, synapses: mean rate and active synapses per neuron.
        supply_v: as published; None where it is not, the chip file's own supply is used.
        stands_in: the network is not public, this one has its published figures.
    """

    workload: str
    rate_hz: float
    synapses: int = 128
    cores: int = ALL_CORES
    supply_v: float | None = None
    stands_in: bool = False


POINTS = (
    OperatingPoint("sweep_12hz", 11.58, supply_v=0.80),
    OperatingPoint("sweep_20hz", 20.07, supply_v=0.80),
    OperatingPoint("sweep_96hz", 95.93, supply_v=0.80),
    OperatingPoint("recurrent_20hz_0v775", 20.0, supply_v=0.775),
    OperatingPoint("recurrent_20hz_0v75", 20.0, supply_v=0.75),
    OperatingPoint("no_activity_0v70", 0.0, supply_v=0.70),
    OperatingPoint("recurrent_200hz_1v05", 200.0, 256, supply_v=1.05),
    OperatingPoint("peak_58_gsops", 216.0, 256, stands_in=True),
    OperatingPoint("peak_58_gsops", 216.0, 256, supply_v=0.75, stands_in=True),
    OperatingPoint("object_detection", 0.0, cores=3406, stands_in=True),
    OperatingPoint("object_detection", 20.0, cores=3406, stands_in=True),
    OperatingPoint("object_detection", 20.0, cores=3406, supply_v=0.775, stands_in=True),
)
"""In the order of a table: the fitted sweep, other voltages, then what stands in for networks that are not public."""


@dataclass(frozen=True)
class Outcome:
    """A point as run: power in watts with its band, beside the published one, and what was counted."""

    point: OperatingPoint
    power_w: Estimate
    published_w: float
    rate_hz: float
    events_per_s: float

    @property
    def deviation(self) -> float:
        """(ours - published) / published."""
        return self.power_w.value / self.published_w - 1.0

    @property
    def inside(self) -> bool:
        """Whether the published power lies in the estimate's band."""
        return self.power_w.low <= self.published_w <= self.power_w.high


def outcomes(chip: Any, ticks: int = PUBLISHED_TICKS, points: tuple[OperatingPoint, ...] = POINTS) -> Iterator[Outcome]:
    """Run every network once on the whole chip and price it at the voltages of its points."""
    wired: tuple[tuple[int, int], ProgramImage] | None = None
    networks: dict[tuple[int, int, float], list[OperatingPoint]] = {}
    for point in points:
        networks.setdefault((point.cores, point.synapses, point.rate_hz), []).append(point)
    for (cores, synapses, rate), priced in sorted(networks.items(), key=lambda item: item[0]):
        if wired is None or wired[0] != (cores, synapses):
            wired = None
            wired = (cores, synapses), recurrent_image(chip, 0.0, synapses, cores=cores)
        booted = boot_image(at_rate(wired[1], chip, rate))
        run(booted, 0, WARM_UP, metered=False)
        run(booted, WARM_UP, WARM_UP + ticks)
        for point in priced:
            yield outcome(booted, point)


def run(booted: TrueNorthBooted, first: int, last: int, metered: bool = True) -> None:
    """Ticks without input."""
    none = np.zeros(0, np.int32)
    while first < last:
        end = min(first + CHUNK, last)
        start = np.zeros(end - first + 1, np.int64)
        chunk = booted.engine.advance(first, end, NEVER, start, none, np.zeros(0, np.int64))
        assert isinstance(chunk, CrossbarChunk) and chunk.last_tick > first
        if metered:
            booted.meter.observe(chunk)
        first = chunk.last_tick


def outcome(booted: TrueNorthBooted, point: OperatingPoint) -> Outcome:
    """What the meter of a run says about a point, under the chip file's first cost set."""
    chip = booted.chip if point.supply_v is None else at_supply(booted.chip, point.supply_v)
    report = cost_report(replace(booted, chip=chip), 1)
    energy, time = report.sets[0].energy, report.sets[0].time
    assert energy is not None and time is not None
    seconds = time.value
    return Outcome(
        point=point,
        power_w=Estimate(energy.value / seconds, energy.low / seconds, energy.high / seconds),
        published_w=float(chip.validation.workloads[point.workload].measured["power"].value),
        rate_hz=report.counters["spikes"] / booted.engine.neurons / seconds,
        events_per_s=report.counters["synaptic_events"] / seconds,
    )


def at_supply(chip: Any, volts: float) -> Any:
    """The chip at another supply voltage; BadInput (NE2037) beyond the range of the chip file's scaling."""
    data = chip.to_dict()
    first = next(iter(data["cost_sets"].values()))
    first["supply"] = {"value": f"{volts:g} V", "kind": "assumed"}
    return ChipSpec.from_dict(data)
