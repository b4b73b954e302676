"""Energy and time of a Loihi run under each of the chip file's cost sets, with bands from published measurements."""

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
    static_line,
)
from neuroemu.families.loihi.timing import Counters, TickTimes, TrafficMeter, energy_terms

DEFAULT_SET = "davies2018"


def cost_report(meter: TrafficMeter, chip: Any, core_numbers: tuple[int, ...], samples: int) -> CostReport:
    """Everything the meter saw, as counters, joules and seconds."""
    counters = meter.counters()
    names = sorted(chip.cost_sets, key=lambda name: (name != DEFAULT_SET, name))
    return CostReport(
        counters=counters.totals(),
        core_activity={
            number: {
                "spikes": int(counters.spikes[position]),
                "synaptic_events": int(counters.events[:, position].sum()),
                "packets_in": int(counters.packets_in[position]),
                "packets_out": int(counters.packets_out[position]),
                "updates": int(counters.compartment_ticks[position]),
            }
            for position, number in enumerate(core_numbers)
        },
        sets=tuple(_set_report(name, chip, counters, meter.times(name), samples, meter.per_tick) for name in names),
    )


def _set_report(name: str, chip: Any, counters: Counters, times: TickTimes, samples: int, per_tick: bool) -> SetReport:
    cost_set = chip.cost_sets[name]
    energy_band = _band(chip, name, "energy")
    time_band = _band(chip, name, "latency")
    total_s = float(times.total_s.sum())
    timed = Estimate(total_s, total_s * time_band.low, total_s * time_band.high)
    duration = timed if per_tick else None
    lines = (
        *_static_lines(chip, duration),
        *dynamic_lines(energy_terms(counters, cost_set), cost_set.energy.stated(), energy_band),
        _reset_line(chip, samples),
        _host_line(chip, duration),
        EnergyLine("spike injection by the host", "io", None, None, None, "not published"),
    )
    constants: dict[str, Any] = {f"energy.{key}": quantity for key, quantity in cost_set.energy.items()}
    constants |= {f"time.{key}": quantity for key, quantity in cost_set.time.items()}
    constants |= {f"static.{key}": quantity for key, quantity in chip.static.power.items()}
    if chip.static.reset is not None:
        constants["static.reset"] = chip.static.reset
    if chip.static.embedded_processors is not None:
        constants["static.embedded_processors"] = chip.static.embedded_processors
    time_lines, bound = _time_lines(cost_set, times, samples) if per_tick else ((), "no tick was timed")
    return SetReport(
        name=name,
        title=cost_set.title,
        band_text="; ".join(text for text in (energy_band.text, time_band.text) if text),
        energy=on_chip_total(lines),
        energy_lines=lines,
        time=duration,
        time_band_known=time_band.known,
        time_lines=time_lines,
        tick_time_s=times.total_s,
        busiest_core=times.busiest_core,
        bound=bound,
        constants=constants,
    )


def _band(chip: Any, name: str, quantity: str) -> Band:
    comparisons = [item for item in chip.validation.accuracy.get(name, ()) if item.quantity == quantity]
    if not comparisons:
        return Band(1.0, 1.0, f"{quantity}: no published comparison with silicon, band unknown", known=False)
    text = ", ".join(
        f"{item.low.value * 100:+.3g} .. {item.high.value * 100:+.3g} % on {item.workload}" for item in comparisons
    )
    return band_from_errors(((item.low.value, item.high.value) for item in comparisons), f"{quantity}: {text}")


def _static_lines(chip: Any, duration: Estimate | None) -> tuple[EnergyLine, ...]:
    """Published static powers disagree: the range between the lowest and the highest is reported."""
    powers = sorted(chip.static.power.items(), key=lambda item: float(item[1].value))
    if not powers:
        return (EnergyLine("static", "static", None, None, None, "not published"),)
    low, high = powers[0], powers[-1]
    return (
        static_line(
            f"static ({low[0]} .. {high[0]})",
            float(low[1].value),
            float(high[1].value),
            duration,
            (f"static.{low[0]}", f"static.{high[0]}"),
        ),
    )


def _reset_line(chip: Any, samples: int) -> EnergyLine:
    reset = chip.static.reset
    if reset is None:
        return EnergyLine("state reset between samples", "reset", None, None, None, "not published")
    energy_j = samples * float(reset.value)
    formula = f"{samples} x {float(reset.value) * 1e6:g} uJ"
    return EnergyLine("state reset between samples", "reset", energy_j, energy_j, energy_j, formula, ("static.reset",))


def _host_line(chip: Any, duration: Estimate | None) -> EnergyLine:
    power = chip.static.embedded_processors
    name = "embedded x86 processors (not in the chip's total)"
    if power is None:
        return EnergyLine(name, "host", None, None, None, "not published")
    watts = float(power.value)
    if duration is None:
        return EnergyLine(name, "host", None, None, None, f"{watts * 1e3:g} mW x unknown duration")
    return EnergyLine(
        name,
        "host",
        watts * duration.value,
        watts * duration.low,
        watts * duration.high,
        f"{watts * 1e3:g} mW x {duration.value * 1e3:.4g} ms",
        ("static.embedded_processors",),
    )


def _time_lines(cost_set: Any, times: TickTimes, samples: int) -> tuple[tuple[TimeLine, ...], str]:
    """Parts of the run time on the critical path, and which one binds."""
    ticks = times.total_s.shape[0]
    neuron, message = times.neuron_s, times.message_s
    if cost_set.rules.tick_time == "separate_maxima":  # the slower of the two hides the other
        neuron, message = np.where(neuron >= message, neuron, 0.0), np.where(neuron >= message, 0.0, message)
    parts = {
        "neuron processing": float(neuron.sum()),
        "message and synapse processing": float(message.sum()),
        "network": float(times.network_s.sum()),
        "barrier": float(times.barrier_s.sum()),
    }
    lines = [
        TimeLine(label, seconds, f"sum over {ticks:,} ticks, busiest core of each") for label, seconds in parts.items()
    ]
    lines.append(TimeLine("state reset between samples", None, f"{samples} resets, duration not published"))
    return tuple(lines), max(parts, key=lambda label: parts[label]) if ticks else "nothing ran"
