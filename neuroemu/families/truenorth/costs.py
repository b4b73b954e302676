"""Energy and time of a TrueNorth run under each of the chip file's cost sets, with bands from published measurements."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.cost.estimate import (
    Band,
    CostReport,
    EnergyLine,
    Estimate,
    SetReport,
    TimeLine,
    band_from_errors,
    dynamic_lines,
    on_chip_total,
)
from neuroemu.families.truenorth.boot import TrueNorthBooted
from neuroemu.families.truenorth.core import SIZE
from neuroemu.families.truenorth.timing import CrossbarMeter, energy_terms


def cost_report(booted: TrueNorthBooted, samples: int) -> CostReport:
    """Counters and estimates for everything the booted program has done; the chip file's first cost set is the default."""
    assert isinstance(booted.meter, CrossbarMeter)
    meter, chip = booted.meter, booted.chip
    per_core = meter.per_core()
    return CostReport(
        counters=meter.totals(),
        core_activity={
            number: {name: int(column[position]) for name, column in per_core.items()}
            for position, number in enumerate(booted.core_numbers)
        },
        sets=tuple(_set_report(name, booted, meter, samples) for name in chip.cost_sets),
        network=_network(meter, booted),
    )


def _set_report(name: str, booted: TrueNorthBooted, meter: CrossbarMeter, samples: int) -> SetReport:
    chip, cost_set = booted.chip, booted.chip.cost_sets[name]
    tick_s = float(chip.timing.tick.value)
    total_s = meter.ticks * tick_s
    duration = Estimate(total_s, total_s, total_s)
    energies = cost_set.energy.stated()
    band = _band(chip, name)
    lines = (
        _static(cost_set, duration, band, chip.structure.chips),
        *dynamic_lines(energy_terms(meter, energies), energies, band),
        EnergyLine("state reset between samples", "reset", None, None, None, f"{samples} resets, cost not published"),
    )
    constants = {f"energy.{key}": quantity for key, quantity in energies.items()}
    constants |= {f"timing.{key}": getattr(chip.timing, key) for key in ("tick", "core_load_shown")}
    if cost_set.static is not None:
        constants["static"] = cost_set.static
    return SetReport(
        name=name,
        title=cost_set.title,
        band_text=band.text,
        energy=on_chip_total(lines),
        energy_lines=lines,
        time=duration,
        time_band_known=True,
        time_lines=_time_lines(booted, meter, tick_s),
        tick_time_s=np.full(meter.ticks, tick_s),
        busiest_core=meter.busiest_core,
        bound="the tick" if meter.ticks else "nothing ran",
        constants=constants,
    )


def _static(cost_set: Any, duration: Estimate, band: Band, chips: int) -> EnergyLine:
    if cost_set.static is None:
        return EnergyLine("static", "static", None, None, None, "contained in the energy per synaptic event")
    power = float(cost_set.static.value) * chips
    energy = power * duration.value
    formula = f"{chips} x {float(cost_set.static.value) * 1e3:g} mW x {duration.value * 1e3:.4g} ms"
    return EnergyLine("static", "static", energy, energy * band.low, energy * band.high, formula, ("static",))


def _band(chip: Any, name: str) -> Band:
    comparisons = [item for item in chip.validation.accuracy.get(name, ()) if item.quantity == "energy"]
    if not comparisons:
        return Band(1.0, 1.0, "energy: true at one operating point only, band unknown", known=False)
    text = ", ".join(
        f"{item.low.value * 100:+.3g} .. {item.high.value * 100:+.3g} % on {item.workload}" for item in comparisons
    )
    return band_from_errors(((item.low.value, item.high.value) for item in comparisons), f"power: {text}")


def _time_lines(booted: TrueNorthBooted, meter: CrossbarMeter, tick_s: float) -> tuple[TimeLine, ...]:
    """The tick is fixed; beside it, how much the busiest core did in one and whether more than has been shown to fit."""
    lines = [TimeLine("ticks", meter.ticks * tick_s, f"{meter.ticks:,} x {tick_s * 1e3:g} ms", ("timing.tick",))]
    if meter.ticks:
        tick = int(np.argmax(meter.most_events))
        core = booted.core_numbers[int(meter.busiest_core[tick])]
        shown = f"{int(meter.most_events[tick]):,} synaptic events on core {core} in tick {tick}"
        over = int(meter.cores_over_load.sum())
        verdict = f"; {over:,} core ticks exceed what is shown to fit {tick_s * 1e3:g} ms" if over else ""
        limit = f", {meter.core_load_shown:,} are shown to fit"
        lines.append(TimeLine("busiest core", None, shown + limit + verdict, ("timing.core_load_shown",)))
    return tuple(lines)


def _network(meter: CrossbarMeter, booted: TrueNorthBooted) -> dict[str, Any]:
    """What the mesh carried: packets between different cores, their hops and the load of every link."""
    numbers = np.array(booted.core_numbers, np.int64)
    sent = (meter.routes.target >= 0) & (meter.neuron_spikes > 0)
    home = np.repeat(numbers, SIZE)[sent]
    return booted.chip.structure.mesh.carried(home, numbers[meter.routes.target[sent]], meter.neuron_spikes[sent])
