"""Boots a program of open LIF cores: engine, cycle meter and the names a user knows, from the image alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroemu.cost.estimate import (
    EXACT,
    CostReport,
    EnergyLine,
    Estimate,
    SetReport,
    TimeLine,
    dynamic_lines,
    on_chip_total,
    static_line,
)
from neuroemu.emulator.traffic import traffic_of
from neuroemu.families import Booted
from neuroemu.families.lifcore.image import unpack
from neuroemu.families.lifcore.load import load_program
from neuroemu.families.lifcore.timing import CycleMeter, contract, energy_terms
from neuroemu.image.container import Program
from neuroemu.spec import ChipSpec


@dataclass(frozen=True)
class LifcoreBooted(Booted):
    """A booted program with its chip description."""

    chip: Any
    core_numbers: tuple[int, ...]


def boot(program: Program, threads: int = 1, per_tick: bool = True) -> LifcoreBooted:
    """Unpack, load and wire the meter; see :class:`neuroemu.families.Family`."""
    image = unpack(program)
    chip: Any = ChipSpec.from_dict(image.chip)
    compiled, links, lists = load_program(image, threads)
    core_numbers = tuple(core.core for core in image.cores)
    sizes = np.array([core.size for core in image.cores], np.int64)
    return LifcoreBooted(
        engine=compiled.engine(per_tick),
        meter=CycleMeter(
            traffic_of(links, lists, core_numbers, sizes, chip.structure.mesh),
            sizes,
            contract(chip.cycles.stated()),
            per_tick,
        ),
        symbols=image.symbols,
        constant_ports=tuple(port.name for port in image.symbols.inputs if port.constant),
        neurons_of=image.symbols.engine_neurons(core_numbers, sizes),
        membrane="v",
        inputs=compiled.inputs,
        chip=chip,
        core_numbers=core_numbers,
    )


def costs(booted: Booted, samples: int) -> CostReport:
    """Counters, cycles and estimates for everything the booted program has done."""
    assert isinstance(booted, LifcoreBooted) and isinstance(booted.meter, CycleMeter)
    meter, chip = booted.meter, booted.chip
    per_core = meter.per_core()
    saturates = chip.arithmetic.overflow.value == "saturate"
    left, wraps = int(meter.left_range.sum()), int(meter.accumulator_wraps.sum())
    beyond = {"membrane_saturations": left} if saturates else {}
    beyond["accumulator_wraps"] = wraps if saturates else wraps + left
    return CostReport(
        counters={**meter.totals(), **beyond},
        core_activity={
            number: {name: int(column[position]) for name, column in per_core.items()}
            for position, number in enumerate(booted.core_numbers)
        },
        sets=tuple(_set_report(name, meter, chip, samples) for name in sorted(chip.cost_sets)),
        network=meter.counter.carried(meter.source_spikes, booted.core_numbers, chip.structure.mesh),
    )


def _set_report(name: str, meter: CycleMeter, chip: Any, samples: int) -> SetReport:
    cost_set = chip.cost_sets[name]
    period_s = 1.0 / float(cost_set.clock.value)
    tick_time_s = meter.tick_cycles * period_s
    total_s = float(meter.tick_cycles.sum()) * period_s
    duration = Estimate(total_s, total_s, total_s) if meter.per_tick else None
    energies = cost_set.energy.stated()
    lines = (
        *_static(chip, duration),
        *dynamic_lines(energy_terms(meter), energies, EXACT),
        EnergyLine("state reset between samples", "reset", None, None, None, f"{samples} resets, cost unknown"),
    )
    parts = {
        "neuron processing": meter.neuron_cycles,
        "message and synapse processing": meter.synapse_cycles,
        "network": meter.hop_cycles,
    }
    constants = {f"energy.{key}": quantity for key, quantity in energies.items()}
    constants |= {f"cycles.{key}": quantity for key, quantity in chip.cycles.stated().items()}
    constants |= {f"static.{key}": quantity for key, quantity in chip.static.power.items()}
    constants["clock"] = cost_set.clock
    return SetReport(
        name=name,
        title=cost_set.title,
        band_text="cycles are exact under the core's contract; energy: no silicon, band unknown",
        energy=on_chip_total(lines),
        energy_lines=lines,
        time=duration,
        time_band_known=False,
        time_lines=tuple(
            TimeLine(
                label,
                cycles * period_s,
                f"{cycles:,} cycles / {cost_set.clock.text}, slowest core of each tick",
                ("clock",),
            )
            for label, cycles in parts.items()
            if meter.per_tick
        ),
        tick_time_s=tick_time_s,
        busiest_core=meter.busiest_core,
        bound=_bound(meter, parts),
        constants=constants,
    )


def _bound(meter: CycleMeter, parts: dict[str, int]) -> str:
    """Which part of the ticks takes longest."""
    if not meter.per_tick:
        return "no tick was timed"
    return max(parts, key=lambda label: parts[label]) if meter.ticks else "nothing ran"


def _static(chip: Any, duration: Estimate | None) -> tuple[EnergyLine, ...]:
    powers = sorted(chip.static.power.items(), key=lambda item: float(item[1].value))
    if not powers:
        return (EnergyLine("static", "static", None, None, None, "unknown"),)
    low, high = powers[0], powers[-1]
    keys = (f"static.{low[0]}", f"static.{high[0]}")
    return (static_line("static", float(low[1].value), float(high[1].value), duration, keys),)
