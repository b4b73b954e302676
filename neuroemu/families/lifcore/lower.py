"""From a float network to the open LIF core's integers: one scale per population, every rounding reported.

Soft and hard resets, both comparisons, reset values, thresholds per neuron and refractory periods are the core's own; the
rounding sits in weights, decays, thresholds and biases.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.abilities import lacking
from neuroemu.families.lifcore.lowered import LoweredNetwork, LoweredPopulation, LoweredProjection
from neuroemu.image.symbols import numbered_ports
from neuroemu.mapping.rows import rows_by_source
from neuroemu.network.connectivity import (
    Dense,
    Folded,
    Scale,
    Sparse,
    absolute_sums,
    fold,
    weights_of,
    with_weights,
)
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.network.neurons import time_constant_ticks

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_RESETS = {
    "zero": dynamics.RESET_TO_VALUE,
    "subtract": dynamics.RESET_SUBTRACT,
    "subtract_snntorch": dynamics.RESET_SUBTRACT,
    "none": dynamics.RESET_NONE,
}
_SCALE_WITHOUT_WEIGHTS = 4096.0
_NO_LEAK = 31
"""A shift by so much leaves nothing to subtract."""


@dataclass(frozen=True)
class QuantisedNetwork(LoweredNetwork):
    """A network in chip integers, the rows of the quantisation report, and its float twin in chip units."""

    rounding: tuple[dict[str, Any], ...]
    quantised: Network
    findings: tuple[Finding, ...]


def lower(network: Network, chip: Any) -> QuantisedNetwork:
    """Lower every population and projection.

    Raises:
        DoesNotFit: with all features that the core cannot compute.
    """
    offsets = tick_offsets(network, of_inputs=0)
    findings: list[Finding] = list(_analog_sources(network))
    populations, projections, rounding, constant = [], [], [], []
    twins: dict[str, Population] = {name: network.populations[name] for name in network.inputs}
    twin_projections: list[Projection] = []
    for name, population in network.populations.items():
        if population.neuron is None:
            continue
        layer = _Layer(network, population, population.neuron, chip, offsets, findings)
        populations.append(layer.lowered())
        projections.extend(layer.projections)
        rounding.append(layer.report())
        twins[name] = layer.twin()
        twin_projections.extend(layer.twin_projections())
        if layer.current_bias is not None:
            constant.append(f"bias:{name}")
    lowered = LoweredNetwork(
        numbered_ports({name: network.populations[name].shape for name in network.inputs}, constant),
        tuple(populations),
        tuple(projections),
        network.outputs,
    )
    findings.extend(lacking(lowered, chip))
    if errors := errors_in(findings):
        raise DoesNotFit(errors)
    quantised = replace(
        network,
        populations={name: twins[name] for name in network.populations},
        projections=tuple(twin_projections),
        findings=(),
    )
    return QuantisedNetwork(
        lowered.ports,
        lowered.populations,
        lowered.projections,
        lowered.outputs,
        tuple(rounding),
        quantised,
        tuple(findings),
    )


def _analog_sources(network: Network) -> Iterator[Finding]:
    """Analog populations that feed others: a core sends spikes and nothing else."""
    for name, fed in network.analog_sources():
        yield Finding(
            "NE3515",
            f"has no threshold but feeds {', '.join(fed)} with {network.populations[name].size} analog values; a core sends "
            "spikes only",
            f"population {name}",
            ("give the population a threshold", "make it an output and apply the rest of the network on the host"),
        )


class _Layer:
    """One population with everything that ends in it, scaled and rounded."""

    def __init__(
        self,
        network: Network,
        population: Population,
        neuron: Neuron,
        chip: Any,
        offsets: dict[str, int],
        findings: list[Finding],
    ):
        self.population, self.neuron, self.findings = population, neuron, findings
        self.remarks: list[str] = []
        self.offset = offsets[population.name]
        self.incoming = network.incoming(population.name)
        self._bits = int(chip.arithmetic.potential_bits.value)
        self._most_weight = (1 << (int(chip.arithmetic.weight_bits.value) - 1)) - 1
        self._weight_bits = int(chip.arithmetic.weight_bits.value)
        bias = sum((item.bias for item in self.incoming if item.bias is not None), np.zeros(population.size))
        decaying = neuron.current_decay is not None and bool(np.any(bias != 0))
        gain = neuron.input_gain * (1.0 if neuron.current_gain is None else neuron.current_gain)
        self.current_bias: FloatArray | None = bias * gain if decaying else None
        self._drive = neuron.leak_input + (0.0 if neuron.current_decay is not None else neuron.input_gain * bias)
        wanted = [(item, fold((*item.stages, Scale(gain)))) for item in self.incoming]
        self._check_rules()
        self._most_shift = int(chip.arithmetic.input_shift_max.value)
        self._leak_mode, self._leak_amount, self._kept = leak_registers(
            neuron.membrane_decay, chip.arithmetic.leak_modes.value
        )
        self._report_leak()
        self.weight_scale, self.shift = self._choose_scale([structure for _, structure in wanted])
        self.scale = self.weight_scale * 2.0**self.shift
        self._wanted = wanted
        self._rounded = [(item, _rounded(structure, self.weight_scale)) for item, structure in wanted]
        self.projections = [
            self._projection(item, structure, self.offset + item.delay_ticks - offsets[item.source])
            for item, structure in self._rounded
        ]
        self._check_accumulators(int(chip.arithmetic.accumulator_bits.value))
        if self.current_bias is not None:
            self.remarks.append("bias enters the synaptic current through a host source that fires in every tick")
            constant = Dense(np.rint(self.current_bias * self.weight_scale)[:, None])
            name, late = f"bias:{population.name}", max(self.offset, 1)
            self.projections.append(LoweredProjection(name, name, population.name, constant, late, late))

    def lowered(self) -> LoweredPopulation:
        """The population's registers."""
        neuron, one = self.neuron, dynamics.DECAY_ONE
        size = self.population.size
        current = np.zeros(size) if neuron.current_decay is None else neuron.current_decay
        fields = {
            "input_shift": np.full(size, self.shift),
            "current_keep": np.clip(np.rint(one * current), 0, one),
            "leak_mode": np.full(size, self._leak_mode),
            "leak_amount": self._leak_amount,
            "compare": np.full(size, dynamics.AT_OR_ABOVE if neuron.compare == "ge" else dynamics.ABOVE),
            "reset": np.full(size, _RESETS[neuron.reset]),
            "reset_value": np.rint(neuron.reset_value * self.scale),
            "period": np.full(size, neuron.refractory_ticks),
        }
        highest = (1 << (self._bits - 1)) - 1
        threshold = (
            np.full(size, float(highest)) if neuron.threshold is None else np.rint(neuron.threshold * self.scale)
        )
        if neuron.threshold is None:
            fields["compare"] = np.full(size, dynamics.ABOVE)
            fields["reset"] = np.full(size, dynamics.RESET_TO_VALUE)
        return LoweredPopulation(
            name=self.population.name,
            shape=self.population.shape,
            tick_offset=self.offset,
            spiking=neuron.spiking,
            profile={name: np.asarray(column, np.int64) for name, column in fields.items()},
            initial=np.zeros(size, np.int64),
            threshold=threshold.astype(np.int64),
            bias=np.rint(self._drive * self.scale).astype(np.int64),
        )

    def _projection(self, item: Projection, structure: Folded, delay: int) -> LoweredProjection:
        """The projection in its final form; spikes that come too late are said."""
        own = structure.delay if isinstance(structure, Sparse) else None
        least, most = (
            (delay, delay) if own is None or not own.size else (delay + int(own.min()), delay + int(own.max()))
        )
        where = f"projection {item.name}"
        if least < 1:
            message = f"spikes from {item.source} arrive {1 - least} ticks later than in the float network"
            fixes = ("train with the chip's delays", "compare with the float network in the divergence report")
            self.findings.append(Finding("NE3505", message, where, fixes, "warning"))
        lowered = rows_by_source(structure.weight, own, delay) if isinstance(structure, Sparse) else structure
        return LoweredProjection(item.name, item.source, item.target, lowered, max(delay, 1), max(most, 1))

    def twin(self) -> Population:
        """The float neuron with the rounded numbers, in chip units."""
        lowered, neuron, one = self.lowered(), self.neuron, dynamics.DECAY_ONE
        size = self.population.size
        decaying = neuron.current_decay is not None
        return Population(
            self.population.name,
            self.population.shape,
            Neuron(
                membrane_decay=self._kept,
                input_gain=np.ones(size),
                leak_input=lowered.bias.astype(np.float64),
                threshold=None if neuron.threshold is None else lowered.threshold.astype(np.float64),
                reset_value=lowered.profile["reset_value"].astype(np.float64),
                current_decay=lowered.profile["current_keep"] / one if decaying else None,
                current_gain=np.ones(size) if decaying else None,
                compare=neuron.compare,
                reset="subtract" if neuron.reset == "subtract_snntorch" else neuron.reset,
                refractory_ticks=neuron.refractory_ticks,
                kind=neuron.kind,
            ),
        )

    def twin_projections(self) -> list[Projection]:
        """The projections with rounded weights in chip units."""
        twins = [
            replace(item, stages=(with_weights(structure, weights_of(structure) * 2.0**self.shift),), bias=None)
            for item, structure in self._rounded
        ]
        if self.current_bias is not None and twins:
            twins[0] = replace(twins[0], bias=np.rint(self.current_bias * self.weight_scale) * 2.0**self.shift)
        return twins

    def report(self) -> dict[str, Any]:
        """The population's row of the quantisation report."""
        neuron, lowered, one = self.neuron, self.lowered(), dynamics.DECAY_ONE
        errors = [np.zeros(1)]
        for (_, wanted), (_, rounded) in zip(self._wanted, self._rounded, strict=True):
            largest = float(np.abs(weights_of(wanted)).max(initial=0.0))
            if largest:
                errors.append((weights_of(rounded) / self.weight_scale - weights_of(wanted)) / largest)
        error = np.concatenate(errors)
        thresholds = None if neuron.threshold is None else neuron.threshold * self.scale
        above = np.ones(1) if thresholds is None else np.maximum(np.abs(thresholds), 1.0)
        decaying = neuron.current_decay is not None
        return {
            "population": self.population.name,
            "scale": self.scale,
            "weight_exponent": self.shift,
            "weight_bits": self._weight_bits,
            "weight_error_max": float(np.abs(error).max()),
            "weight_error_rms": float(np.sqrt(np.mean(error**2))),
            "clipped_weights": 0,
            "threshold_float": None if neuron.threshold is None else float(np.median(neuron.threshold)),
            "threshold_chip": None if neuron.threshold is None else int(np.median(lowered.threshold)),
            "threshold_error": 0.0
            if thresholds is None
            else float((np.abs(lowered.threshold - thresholds) / above).max()),
            "tau_membrane_ticks": time_constant_ticks(neuron.membrane_decay),
            "tau_membrane_chip_ticks": time_constant_ticks(self._kept),
            "tau_current_ticks": time_constant_ticks(neuron.current_decay)
            if neuron.current_decay is not None
            else None,
            "tau_current_chip_ticks": time_constant_ticks(lowered.profile["current_keep"] / one) if decaying else None,
            "bias_error_max": float((np.abs(lowered.bias - self._drive * self.scale) / above).max(initial=0.0)),
            "remarks": list(self.remarks),
        }

    def _choose_scale(self, structures: list[Folded]) -> tuple[float, int]:
        """(weight steps per float unit, input shift), as fine as weights and potentials allow.

        A power of two where that makes every number whole; else the threshold is whole where all neurons have the same.
        The shift puts the potential's steps below those of the weights, so that what a leak cuts off hardly counts.
        """
        neuron = self.neuron
        largest = max((float(np.abs(weights_of(structure)).max(initial=0.0)) for structure in structures), default=0.0)
        if self.current_bias is not None:
            largest = max(largest, float(np.abs(self.current_bias).max(initial=0.0)))
        into = sum((absolute_sums(structure) for structure in structures), np.zeros(self.population.size))
        reach = float(into.max(initial=0.0))
        if self.current_bias is not None:
            reach += float(np.abs(self.current_bias).max(initial=0.0))
        if neuron.current_decay is not None:
            reach *= _settled(neuron.current_decay)
        reach += float(np.abs(self._drive).max(initial=0.0))
        limit = 0.0 if neuron.threshold is None else float(np.abs(neuron.threshold).max(initial=0.0))
        limit = max(limit, float(np.abs(neuron.reset_value).max(initial=0.0)))
        if neuron.threshold is None:
            reach *= _settled(neuron.membrane_decay)
        highest = float((1 << (self._bits - 1)) - 1)
        finest = self._most_weight / largest if largest else _SCALE_WITHOUT_WEIGHTS / (limit or 1.0)
        room = highest / (reach + limit) if reach + limit else finest
        scale = min(finest, room)
        shift = int(np.clip(np.floor(np.log2(room / scale)), 0, self._most_shift))
        numbers = [*(weights_of(structure) for structure in structures), self._drive, neuron.reset_value]
        if neuron.threshold is not None:
            numbers.append(neuron.threshold)
        dyadic = 2.0 ** np.floor(np.log2(scale))
        if all(bool(np.all(values * dyadic == np.rint(values * dyadic))) for values in numbers):
            return float(dyadic), shift
        if neuron.threshold is None or not np.all(neuron.threshold == neuron.threshold[0]) or neuron.threshold[0] <= 0:
            return scale, shift
        whole = float(np.floor(scale * 2.0**shift * neuron.threshold[0]))
        return (whole / float(neuron.threshold[0]) / 2.0**shift if whole >= 1 else scale), shift

    def _check_accumulators(self, bits: int) -> None:
        """Whether spikes that all come in the same tick, one of each source, can make an accumulator wrap."""
        highest = (1 << (bits - 1)) - 1
        none = np.zeros(self.population.size)
        excited, inhibited = (
            sum((absolute_sums(_positive(structure, sign)) for _, structure in self._rounded), none) for sign in (1, -1)
        )
        most = np.maximum(excited, inhibited)
        if over := int(np.count_nonzero(most > highest)):
            message = (
                f"accumulators of {bits} bits wrap beyond {highest:,}; up to {int(most.max()):,} can arrive in one tick at {over} "
                "neurons if every source spikes once"
            )
            fixes = (
                "look at accumulator_wraps in the report of a run",
                "prune or scale down large weights",
                "use a chip file with more accumulator_bits",
            )
            self.findings.append(Finding("NE3516", message, f"population {self.population.name}", fixes, "warning"))

    def _check_rules(self) -> None:
        """What the network's neuron does and the core's cannot."""
        neuron = self.neuron
        if neuron.min_v is not None:
            self._replaced(
                "NE3501", f"keeps the membrane above {neuron.min_v:g}; the core's potential has no such bound"
            )
        if np.any(neuron.membrane_decay < 0) or (neuron.current_decay is not None and np.any(neuron.current_decay < 0)):
            self._replaced(
                "NE3502", "has a decay factor below 0 (its state changes sign in every step); 0 is used instead"
            )
        if neuron.threshold is None:
            return
        if neuron.reset == "subtract_snntorch" or neuron.reset_delay:
            self._replaced(
                "NE3503", "resets by a rule of its framework; the core resets in the tick of the spike, once"
            )
        if neuron.multispike:
            self._replaced(
                "NE3504", "may emit several spikes per step; a neuron of the core emits at most one per tick"
            )

    def _report_leak(self) -> None:
        """What rounding to the core's leak changes, where it is more than a factor of 4096 would."""
        wanted, kept = np.clip(self.neuron.membrane_decay, 0.0, 1.0), self._kept
        error = np.abs(kept - wanted)
        worst = int(np.argmax(error))
        if error[worst] <= 1.0 / dynamics.DECAY_ONE:
            return
        if self._leak_mode == dynamics.LEAK_CONSTANT:
            message = f"keeps {wanted[worst]:.4g} of its membrane per step; the core has a constant leak only"
            fixes = ("use neurons without leak", "use a chip file whose core leaks by factor or shift")
            self.findings.append(Finding("NE3509", message, f"population {self.population.name}", fixes))
        else:
            self._replaced(
                "NE3508",
                f"keeps {wanted[worst]:.4g} of its membrane per step; the core leaks by shifts only and keeps {kept[worst]:.4g}",
            )

    def _replaced(self, code: str, message: str) -> None:
        fixes = ("train with the core's rule", "compare the divergence report before trusting this mapping")
        self.findings.append(Finding(code, message, f"population {self.population.name}", fixes, "warning"))
        self.remarks.append(message)


def leak_registers(decay: FloatArray, modes: Sequence[str]) -> tuple[int, IntArray, FloatArray]:
    """(mode, amounts, share that is kept per tick) nearest to ``decay``, by the first of factor, shift and constant there is.

    A constant leak cannot follow a decay: it stands for none.
    """
    wanted = np.clip(decay, 0.0, 1.0)
    if "factor" in modes:
        amount = np.rint(dynamics.DECAY_ONE * wanted)
        return dynamics.LEAK_SCALE, amount.astype(np.int64), amount / dynamics.DECAY_ONE
    if "shift" not in modes:
        return dynamics.LEAK_CONSTANT, np.zeros(decay.shape[0], np.int64), np.ones(decay.shape[0])
    kept = np.append(1.0 - 2.0 ** -np.arange(_NO_LEAK, dtype=np.float64), 1.0)
    above = np.clip(np.searchsorted(kept, wanted), 1, _NO_LEAK)
    amount = np.where(kept[above] - wanted < wanted - kept[above - 1], above, above - 1)
    return dynamics.LEAK_SHIFT, amount.astype(np.int64), kept[amount]


def _positive(structure: Folded, sign: int) -> Folded:
    """The weights of one sign; 0 for the others."""
    return with_weights(structure, np.maximum(weights_of(structure) * sign, 0.0))


def _rounded(structure: Folded, scale: float) -> Folded:
    return with_weights(structure, np.rint(weights_of(structure) * scale))


def _settled(decay: FloatArray) -> float:
    """Largest state under a constant drive of 1."""
    return 1.0 / max(1.0 - float(decay.max(initial=0.0)), 1.0 / 1024)
