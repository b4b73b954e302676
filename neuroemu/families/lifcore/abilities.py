"""What a chip's cores can compute, held against a lowered network: everything they lack, by name and by how much."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from neuroemu.errors import Finding
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.lowered import LoweredNetwork, LoweredPopulation, LoweredProjection
from neuroemu.mapping.rows import Rows

_LEAKS = {dynamics.LEAK_SCALE: "factor", dynamics.LEAK_SHIFT: "shift", dynamics.LEAK_CONSTANT: "constant"}
_RESETS = {dynamics.RESET_TO_VALUE: "value", dynamics.RESET_SUBTRACT: "subtract", dynamics.RESET_NONE: "none"}
_LARGER = "use a chip file whose core has it"


def lacking(network: LoweredNetwork, chip: Any) -> tuple[Finding, ...]:
    """NE3506, NE3507 and NE3509 to NE3514, all that apply."""
    findings: list[Finding] = []
    for population in network.populations:
        findings += _rules(population, chip.arithmetic)
        findings += _registers(population, chip.arithmetic)
    for projection in network.projections:
        findings += _synapses(projection, chip)
    return tuple(findings)


def _rules(population: LoweredPopulation, arithmetic: Any) -> Iterator[Finding]:
    """Rules of the neuron that the core does not have."""
    where, profile = f"population {population.name}", population.profile
    longest, most = int(arithmetic.refractory_max.value), int(profile["period"].max(initial=0))
    if most > longest:
        yield Finding(
            "NE3506",
            f"refractory period of {most} ticks exceeds the counter's {longest} by {most - longest}",
            where,
            (
                f"shorten the refractory period to {longest} ticks",
                "use a longer step",
                "use a chip file with a larger refractory_max",
            ),
        )
    for code, name, column, names, known, fix in (
        ("NE3509", "leak", "leak_mode", _LEAKS, arithmetic.leak_modes.value, "use neurons without leak"),
        ("NE3510", "reset", "reset", _RESETS, arithmetic.reset_modes.value, "train with a reset that the core has"),
    ):
        used = [names[int(mode)] for mode in np.unique(profile[column])]
        if missing := [mode for mode in used if mode not in known]:
            message = f"needs the {name} mode {', '.join(missing)}; the core has {', '.join(known)}"
            yield Finding(code, message, where, (fix, _LARGER))
    if not arithmetic.current_decay.value and (decaying := int(np.count_nonzero(profile["current_keep"]))):
        yield Finding(
            "NE3511",
            f"has a synaptic current that decays (CUBA) in {decaying} neurons; the core adds what arrives to the potential at once",
            where,
            ("use a neuron without synaptic current (LIF instead of CubaLIF)", _LARGER),
        )
    shift = int(profile["input_shift"].max(initial=0))
    if shift > int(arithmetic.input_shift_max.value):
        message = f"shifts what arrives by {shift} bits, {shift - int(arithmetic.input_shift_max.value)} more than the core can"
        yield Finding("NE3514", message, where, ("use smaller thresholds", _LARGER))


def _registers(population: LoweredPopulation, arithmetic: Any) -> Iterator[Finding]:
    """Values without a register of the neuron's own, or beyond the potential's width."""
    where, own = f"population {population.name}", arithmetic.neuron_registers.value
    if "threshold" not in own and (distinct := int(np.unique(population.threshold).shape[0])) > 1:
        message = f"has {distinct} different thresholds; the core has one for all its neurons"
        yield Finding("NE3512", message, where, ("give all neurons of the population the same threshold", _LARGER))
    for name, values in (("bias", population.bias), ("initial", population.initial)):
        if name not in own and (filled := int(np.count_nonzero(values))):
            meaning = "a bias" if name == "bias" else "an initial potential other than 0"
            message = f"has {meaning} in {filled} neurons; the core's neurons have no register for it"
            yield Finding("NE3512", message, where, ("train without it", _LARGER))
    bits = int(arithmetic.potential_bits.value)
    for name, values in (
        ("thresholds", population.threshold),
        ("biases", population.bias),
        ("initial potentials", population.initial),
        ("reset values", population.profile["reset_value"]),
    ):
        if (needed := _width(values)) > bits:
            message = f"its {name} need {needed} bits with sign, {needed - bits} more than the {bits} of the potential"
            yield Finding("NE3514", message, where, ("scale weights, thresholds and biases down together", _LARGER))


def _synapses(projection: LoweredProjection, chip: Any) -> Iterator[Finding]:
    """Delays and weights beyond what a synapse can hold."""
    where, longest = f"projection {projection.name}", int(chip.limits.delay_ticks_max.value)
    if projection.longest_delay > longest:
        yield Finding(
            "NE3507",
            f"needs a delay of {projection.longest_delay} ticks, {projection.longest_delay - longest} more than the {longest} of "
            "the core",
            where,
            ("shorten the delay or the paths beside it", "use a chip file with more delay slots"),
        )
    bits, structure = int(chip.arithmetic.weight_bits.value), projection.structure
    values = structure.weight if isinstance(structure, Rows) else structure.weight.reshape(-1)
    if (needed := _width(values)) > bits:
        message = f"its weights need {needed} bits with sign, {needed - bits} more than the {bits} of the core"
        yield Finding("NE3513", message, where, ("use smaller integer weights", _LARGER))


def _width(values: Any) -> int:
    """Bits of the narrowest two's complement that holds all values."""
    if not values.shape[0]:
        return 1
    return 1 + max(int(values.max()).bit_length(), (-int(values.min()) - 1).bit_length() if values.min() < 0 else 0)
