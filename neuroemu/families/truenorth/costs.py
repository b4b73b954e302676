"""Energy and time of a TrueNorth run under each of the chip file's cost sets, with bands from published measurements."""

from __future__ import annotations

from dataclasses import replace
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
from neuroemu.errors import Finding
from neuroemu.families.truenorth.boot import TrueNorthBooted
from neuroemu.families.truenorth.lanes import SIZE
from neuroemu.families.truenorth.timing import CrossbarMeter, energy_terms

DEFAULT_SET = "static_marginal"
LISTED = 10
"""Core ticks beyond the shown load that are named one by one."""
OWN_SUPPLY = ("chip_crossing",)
"""Energies of the pads, which have a supply of their own."""


def cost_report(booted: TrueNorthBooted, samples: int) -> CostReport:
    """Counters and estimates for everything the booted program has done; ``DEFAULT_SET`` comes first where the chip has it."""
    assert isinstance(booted.meter, CrossbarMeter)
    meter, chip = booted.meter, booted.chip
    per_core = meter.per_core()
    names = sorted(chip.cost_sets, key=lambda name: (name != DEFAULT_SET, name))
    return CostReport(
        counters=meter.totals(),
        core_activity={
            number: {name: int(column[position]) for name, column in per_core.items()}
            for position, number in enumerate(booted.core_numbers)
        },
        sets=tuple(_set_report(name, booted, meter, samples) for name in names),
        network=_network(meter, booted),
        findings=(*_tick_findings(chip.timing), *_load_findings(booted, meter)),
        saturated=_saturated(booted, meter),
    )


def _set_report(name: str, booted: TrueNorthBooted, meter: CrossbarMeter, samples: int) -> SetReport:
    chip, cost_set = booted.chip, booted.chip.cost_sets[name]
    tick_s = float(chip.timing.tick.value)
    total_s = meter.ticks * tick_s
    duration = Estimate(total_s, total_s, total_s)
    energies = cost_set.energy.stated()
    band = _band(chip, name)
    lines = (
        _static(chip, cost_set, duration, band),
        *(_at_supply(line, cost_set) for line in dynamic_lines(energy_terms(meter, energies), energies, band)),
        EnergyLine("state reset between samples", "reset", None, None, None, f"{samples} resets, cost not published"),
    )
    constants = {f"energy.{key}": quantity for key, quantity in energies.items()}
    constants |= {f"timing.{key}": getattr(chip.timing, key) for key in ("tick", "reference_tick", "core_load_shown")}
    constants |= {key: fact for key in ("static", "voltage", "supply") if (fact := getattr(cost_set, key)) is not None}
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
        limit=_limit(booted, meter),
    )


def _limit(booted: TrueNorthBooted, meter: CrossbarMeter) -> tuple[str, str] | None:
    """The tick is fixed; what binds is how much a core can do in it."""
    if not meter.most_events.shape[0]:
        return None
    tick = int(np.argmax(meter.most_events))
    events, core = int(meter.most_events[tick]), booted.core_numbers[int(meter.busiest_core[tick])]
    share = events / meter.core_load_limit
    shown = (
        f"{meter.core_load_limit:,} synaptic events that a core is shown to serve in {booted.chip.timing.tick.people()}"
    )
    return "core load", f"core {core} has {share:.1%} of the {shown} in its busiest tick ({events:,} in tick {tick})"


def _saturated(booted: TrueNorthBooted, meter: CrossbarMeter) -> tuple[tuple[str, int], ...]:
    """Cores on which potentials left their range, with their populations, most first."""
    order = np.argsort(-meter.left_range, kind="stable")[: np.count_nonzero(meter.left_range)].tolist()
    held: dict[int, list[str]] = {}
    for name, neurons in booted.neurons_of.items():
        for position in np.unique(neurons // SIZE).tolist():
            held.setdefault(position, []).append(name)
    places = [(booted.core_numbers[position], ", ".join(held.get(position, []))) for position in order]
    return tuple(
        (f"core {core}" + (f" ({names})" if names else ""), int(meter.left_range[position]))
        for (core, names), position in zip(places, order, strict=True)
    )


def _static(chip: Any, cost_set: Any, duration: Estimate, band: Band) -> EnergyLine:
    """Static power contains the scan of all neurons in every tick, and which part of it that is has not been published.

    The estimate takes it as independent of the tick; where the tick is not that of the published powers, the band reaches to the
    power that would be drawn if all of it were the scan.
    """
    if cost_set.static is None:
        return EnergyLine("static", "static", None, None, None, "contained in the energy per synaptic event")
    chips, power = chip.structure.chips, float(cost_set.static.value)
    energy = power * chips * cost_set.static_factor * duration.value
    scan, constants = chip.timing.ticks_per_reference, ("static",)
    line = EnergyLine(
        name="static",
        group="static",
        value_j=energy,
        low_j=energy * band.low * min(scan, 1.0),
        high_j=energy * band.high * max(scan, 1.0),
        formula=f"{chips} x {power * 1e3:g} mW x {duration.value * 1e3:.4g} ms",
        constants=constants if scan == 1.0 else (*constants, "timing.tick", "timing.reference_tick"),
    )
    return _said_of_supply(line, cost_set, cost_set.static_factor, "static")


def _at_supply(line: EnergyLine, cost_set: Any) -> EnergyLine:
    """A line of on-chip events at the supply voltage; the pads have their own."""
    factor = cost_set.dynamic_factor
    if factor == 1.0 or line.constants[0] in OWN_SUPPLY:
        return line
    value, low, high = ((amount or 0.0) * factor for amount in (line.value_j, line.low_j, line.high_j))
    scaled = replace(line, value_j=value, low_j=low, high_j=high)
    return _said_of_supply(scaled, cost_set, factor, "dynamic")


def _said_of_supply(line: EnergyLine, cost_set: Any, factor: float, part: str) -> EnergyLine:
    if factor == 1.0:
        return line
    exponent = getattr(cost_set.scaling, f"{part}_exponent").value
    formula = f"{line.formula} x ({cost_set.supply.value:g} V / {cost_set.voltage.value:g} V)^{exponent}"
    return replace(line, formula=formula, constants=(*line.constants, "supply", "voltage"))


def _tick_findings(timing: Any) -> tuple[Finding, ...]:
    if timing.tick.value >= timing.fastest_tick.value:
        return ()
    message = (
        f"the tick of {timing.tick.people()} is shorter than {timing.fastest_tick.people()}, the shortest published"
    )
    return (Finding("NE3691", message, "timing.tick", ("choose a longer tick in the chip file",), "warning"),)


def _load_findings(booted: TrueNorthBooted, meter: CrossbarMeter) -> tuple[Finding, ...]:
    """Ticks that a core may not finish in real time: how many there were in all, then the first of them."""
    total = meter.core_ticks_over
    if not total:
        return ()
    rows = meter.first_over[: min(LISTED, total)].tolist()
    ticks, tick_s = meter.ticks_over, booted.chip.timing.tick.people()
    limit = f"{meter.core_load_limit:,} synaptic events, the most that a core is shown to serve in {tick_s}"
    named = "named below" if total == len(rows) else f"the first {len(rows)} are named below"
    fixes = ("spread the neurons of these cores over more cores", "choose a longer tick in the chip file")
    exceeding = "core tick exceeds" if total == 1 else "core ticks exceed"
    message = f"in {ticks:,} of {meter.ticks:,} ticks, {total:,} {exceeding} {limit}; {named}"
    return (
        Finding("NE3690", message, "", fixes, "warning"),
        *(
            Finding(
                "NE3690",
                f"{events:,} synaptic events, {events - meter.core_load_limit:,} too many",
                f"core {booted.core_numbers[core]}, tick {tick}",
                (),
                "warning",
            )
            for tick, core, events in rows
        ),
    )


def _band(chip: Any, name: str) -> Band:
    comparisons = [item for item in chip.validation.accuracy.get(name, ()) if item.quantity == "energy"]
    if not comparisons:
        return Band(1.0, 1.0, "energy: band unknown, the set holds at one operating point only", known=False)
    text = ", ".join(
        f"{item.low.value * 100:+.3g} .. {item.high.value * 100:+.3g} % on {item.workload}" for item in comparisons
    )
    return band_from_errors(((item.low.value, item.high.value) for item in comparisons), f"power: {text}")


def _time_lines(booted: TrueNorthBooted, meter: CrossbarMeter, tick_s: float) -> tuple[TimeLine, ...]:
    """The tick is fixed; beside it, how much the busiest core did in one and whether more than has been shown to fit."""
    lines = [TimeLine("ticks", meter.ticks * tick_s, f"{meter.ticks:,} x {tick_s * 1e3:g} ms", ("timing.tick",))]
    if meter.ticks and meter.per_tick:
        tick = int(np.argmax(meter.most_events))
        core = booted.core_numbers[int(meter.busiest_core[tick])]
        shown = f"{int(meter.most_events[tick]):,} synaptic events on core {core} in tick {tick}"
        over = meter.core_ticks_over
        verdict = f"; {over:,} core ticks exceed what is shown to fit {tick_s * 1e3:g} ms" if over else ""
        limit = f", {meter.core_load_limit:,} are shown to fit"
        used = ("timing.core_load_shown", "timing.tick", "timing.reference_tick")
        lines.append(TimeLine("busiest core", None, shown + limit + verdict, used))
    return tuple(lines)


def _network(meter: CrossbarMeter, booted: TrueNorthBooted) -> dict[str, Any]:
    """What the mesh carried: packets between different cores, their hops and the load of every link."""
    numbers = np.array(booted.core_numbers, np.int64)
    sent = (meter.routes.target >= 0) & (meter.neuron_spikes > 0)
    home = np.repeat(numbers, SIZE)[sent]
    return booted.chip.structure.mesh.carried(home, numbers[meter.routes.target[sent]], meter.neuron_spikes[sent])
