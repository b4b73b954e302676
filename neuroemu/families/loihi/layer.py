"""One population of Loihi compartments with everything that ends in it: floats to registers, mantissas and a float twin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import Finding
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.delays import lent_delay
from neuroemu.families.loihi.lowered import LayerRounding, LoweredPopulation, LoweredProjection
from neuroemu.families.loihi.rules import unlike_rules
from neuroemu.families.loihi.threshold import (
    ACCUMULATOR_STEPS,
    Threshold,
    choose_threshold,
    forgets,
    units_per_threshold,
)
from neuroemu.families.loihi.weights import (
    MIXED,
    WEIGHT_BITS,
    WeightErrors,
    all_even,
    by_sign,
    chip_units,
    room_for_two_lists,
    rounded,
    weight_format,
)
from neuroemu.network.connectivity import Dense, Folded, Scale, fold
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.network.neurons import time_constant_ticks

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class LoweredLayer:
    """A population in registers with the projections that end in it, and the float twin of both."""

    population: LoweredPopulation
    projections: tuple[LoweredProjection, ...]
    rounding: LayerRounding
    twin: Population
    twin_incoming: tuple[Projection, ...]


@dataclass(frozen=True)
class _Synapses:
    """Projections in mantissas, their float twins, the bias of a constant source in chip units, and the rounding errors."""

    lowered: list[LoweredProjection]
    twins: list[Projection]
    constant: FloatArray | None
    errors: WeightErrors


class Layer:
    """Lowers one population with everything that ends in it."""

    def __init__(self, network: Network, population: Population, chip: Any, findings: list[Finding]):
        assert population.neuron is not None
        self.network = network
        self.population = population
        self.neuron: Neuron = population.neuron
        self.chip = chip
        self.findings = findings
        self.where = f"population {population.name}"
        self.remarks: list[str] = []
        self.incoming = network.incoming(population.name)
        self.unit = self._float_units()
        self.current_bias = self._bias_on_current()

    # ------------------------------------------------------------------ float side

    def _float_units(self) -> FloatArray:
        """Per neuron: the float membrane value that the threshold register stands for."""
        neuron = self.neuron
        size = self.population.size
        if neuron.threshold is None:
            return np.ones(size)
        above_reset = neuron.threshold - neuron.reset_value
        if np.any(above_reset <= 0):
            worst = int(np.argmin(above_reset))
            lacking, reset = -float(above_reset[worst]), float(neuron.reset_value[worst])
            self._note(
                "NE3001",
                "error",
                f"the threshold of {int(np.sum(above_reset <= 0))} neurons is not above their reset value; neuron {worst} "
                f"lacks {lacking:g}",
                (
                    f"raise the threshold above {reset:g}",
                    f"lower v_reset below {float(neuron.threshold[worst]):g}",
                    "train with v_reset = 0 and a positive threshold",
                ),
            )
            return np.ones(size)
        if np.any(neuron.reset_value != 0):
            self._note(
                "NE3002",
                "warning",
                "resets to a value other than 0; the chip resets to 0, so the membrane is shifted by v_reset and the first "
                "ticks start from v_reset instead of 0",
                ("train with v_reset = 0",),
            )
        return above_reset

    def _drive(self) -> FloatArray:
        """Constant float drive of the membrane per tick, shifted by the reset value."""
        neuron = self.neuron
        drive = neuron.leak_input - (1.0 - neuron.membrane_decay) * neuron.reset_value
        if neuron.current_decay is None:
            drive = drive + neuron.input_gain * self._input_bias()
        return np.asarray(drive / self.unit)

    def _input_bias(self) -> FloatArray:
        total = np.zeros(self.population.size)
        for projection in self.incoming:
            if projection.bias is not None:
                total = total + projection.bias
        return total

    def _bias_on_current(self) -> FloatArray | None:
        """A bias that enters a decaying current: the chip's bias register would skip the current."""
        if self.neuron.current_decay is None or not np.any(self._input_bias() != 0):
            return None
        self.remarks.append("bias enters the synaptic current through a host source that fires in every tick")
        return self._input_bias() * self._gain()

    def _gain(self) -> FloatArray:
        """From a float weight to the share of the threshold that one spike adds to the current."""
        neuron = self.neuron
        gain = neuron.input_gain / self.unit
        return np.asarray(gain * neuron.current_gain if neuron.current_gain is not None else gain)

    def _weights(self) -> list[tuple[Projection, Folded]]:
        """Folded structures in shares of the threshold."""
        gain = self._gain()
        return [(projection, fold((*projection.stages, Scale(gain)))) for projection in self.incoming]

    # ------------------------------------------------------------------ integer side

    def lower(self, offsets: dict[str, int]) -> LoweredLayer:
        """Choose the scale, round, and build the float twin; ``offsets`` are the tick offsets of all populations."""
        self._note_unlike_rules()
        weights = self._weights()
        drive = self._drive()
        if self.current_bias is not None:
            weights.append((_constant_projection(self.population), Dense(self.current_bias[:, None])))
        threshold = self._threshold([structure for _, structure in weights], drive)
        units = units_per_threshold(self.neuron, threshold)
        synapses = self._synapses(weights, units, offsets)
        if len(synapses.lowered) > len(weights):
            self.remarks.append(
                "excitatory and inhibitory weights in lists of their own: 8 magnitude bits instead of 7"
            )
        threshold = self._beside_even_sums(threshold, drive, synapses.lowered)
        registers = self._registers(threshold, units, drive, offsets[self.population.name])
        self._report_losses(threshold, drive * units, registers.bias, synapses.errors)
        rounding = self._rounding(threshold, units, drive, registers, synapses)
        twins = synapses.twins
        if synapses.constant is not None and twins:
            twins[0] = replace(twins[0], bias=synapses.constant)
        return LoweredLayer(registers, tuple(synapses.lowered), rounding, self._twin(registers), tuple(twins))

    def _note_unlike_rules(self) -> None:
        longest = int(self.chip.arithmetic.refractory_max.value) - 1
        for finding, remark in unlike_rules(self.neuron, self.where, longest, self.network.dt_s):
            self.findings.append(finding)
            if remark is not None:
                self.remarks.append(remark)

    def _threshold(self, structures: list[Folded], drive: FloatArray) -> Threshold:
        hears_inputs = any(self.network.populations[projection.source].is_input for projection in self.incoming)
        threshold = choose_threshold(self.neuron, structures, drive, self.chip.arithmetic, hears_inputs)
        if threshold.largest_sum > ACCUMULATOR_STEPS:
            self._note(
                "NE3008",
                "note",
                f"if all inputs fired in the same tick the accumulator would need {threshold.largest_sum * 64:.0f}, the chip "
                f"wraps beyond {ACCUMULATOR_STEPS * 64}; wraps are counted in the run",
                ("check accumulator_wraps in the report", "prune or scale down large weights"),
            )
        return threshold

    def _synapses(self, weights: list[tuple[Projection, Folded]], units: int, offsets: dict[str, int]) -> _Synapses:
        """Every projection's weights in mantissas of its own exponent, with the delay that its layers' offsets leave."""
        synapses = _Synapses([], [], None, WeightErrors())
        offset = offsets[self.population.name]
        for projection, structure in weights:
            exponent, sign_mode = weight_format(structure, units)
            apart = sign_mode == MIXED and room_for_two_lists(structure, self.population.size, self.chip.limits)
            if apart or sign_mode != MIXED:
                exponent = max(exponent, 0)
            mantissas, clipped = rounded(structure, units, exponent, sign_mode, step=1.0 if apart else None)
            synapses.errors.add(structure, mantissas, units, exponent, clipped)
            is_constant = projection.source not in self.network.populations
            delay = offset if is_constant else offset + projection.delay_ticks - offsets[projection.source] - 1
            delayed, delay = lent_delay(mantissas, delay)
            stored = by_sign(delayed) if apart else ((sign_mode, delayed),)
            ends = (projection.name, projection.source, projection.target)
            synapses.lowered.extend(
                LoweredProjection(*ends, part, mode, exponent, max(delay, 0), max(-delay, 0)) for mode, part in stored
            )
            if is_constant:
                synapses = replace(synapses, constant=chip_units(mantissas, exponent))
            else:
                factor = np.full(self.population.size, 2.0**exponent * 64)
                synapses.twins.append(replace(projection, stages=(fold((mantissas, Scale(factor))),), bias=None))
        return synapses

    def _beside_even_sums(self, threshold: Threshold, drive: FloatArray, lowered: list[LoweredProjection]) -> Threshold:
        """Sums that are multiples of 128: an odd register next to the threshold keeps the rest of the last tick out of them."""
        if (
            forgets(self.neuron)
            and self.neuron.spiking
            and threshold.steps % 2 == 0
            and not drive.any()
            and all_even((part.structure, part.weight_exponent) for part in lowered)
        ):
            beside = -1 if self.neuron.compare == "ge" else 1
            return replace(threshold, register=threshold.steps + beside, is_exact=True)
        return threshold

    def _registers(self, threshold: Threshold, units: int, drive: FloatArray, offset: int) -> LoweredPopulation:
        neuron = self.neuron
        one = dynamics.DECAY_ONE
        if neuron.current_decay is None:
            current_decay = np.full(self.population.size, one - 1, np.int64)
        else:
            current_decay = np.clip(np.rint(one * (1.0 - neuron.current_decay)) - 1, 0, one - 1).astype(np.int64)
        exponent, mantissa = _bias_registers(drive * units)
        return LoweredPopulation(
            name=self.population.name,
            shape=self.population.shape,
            tick_offset=offset,
            spiking=neuron.spiking,
            current_decay=current_decay,
            membrane_decay=np.clip(np.rint(one * (1.0 - neuron.membrane_decay)), 0, one - 1).astype(np.int64),
            threshold=threshold.register,
            bias_mantissa=mantissa,
            bias_exponent=exponent,
            refractory=neuron.refractory_ticks + 1,
            scale=units / self.unit,
        )

    def _twin(self, registers: LoweredPopulation) -> Population:
        """The population with the rounded numbers, as floats in chip units."""
        neuron, size = self.neuron, self.population.size
        filters = neuron.current_decay is not None
        return Population(
            self.population.name,
            self.population.shape,
            Neuron(
                membrane_decay=_kept(registers.membrane_decay),
                input_gain=np.ones(size),
                leak_input=registers.bias.astype(np.float64),
                threshold=None if neuron.threshold is None else np.full(size, registers.threshold * 64.0),
                reset_value=np.zeros(size),
                current_decay=_kept(registers.current_decay + 1) if filters else None,
                current_gain=np.ones(size) if filters else None,
                compare="gt",
                reset="zero",
                refractory_ticks=neuron.refractory_ticks,
                kind=neuron.kind,
            ),
        )

    def _rounding(
        self, threshold: Threshold, units: int, drive: FloatArray, registers: LoweredPopulation, synapses: _Synapses
    ) -> LayerRounding:
        neuron, errors = self.neuron, synapses.errors
        chip_threshold = None if neuron.threshold is None else threshold.register * 64
        off = 0.0 if chip_threshold is None or threshold.is_exact else abs(chip_threshold - units) / units
        filters = neuron.current_decay is not None
        return LayerRounding(
            population=self.population.name,
            scale=float(np.median(registers.scale)),
            weight_exponent=max((projection.weight_exponent for projection in synapses.lowered), default=0),
            weight_bits=WEIGHT_BITS,
            weight_error_max=errors.largest,
            weight_error_rms=errors.rms,
            clipped_weights=errors.clipped,
            threshold_float=None if neuron.threshold is None else float(np.median(neuron.threshold)),
            threshold_chip=chip_threshold,
            threshold_error=off,
            tau_membrane_ticks=time_constant_ticks(neuron.membrane_decay),
            tau_membrane_chip_ticks=time_constant_ticks(_kept(registers.membrane_decay)),
            tau_current_ticks=None if neuron.current_decay is None else time_constant_ticks(neuron.current_decay),
            tau_current_chip_ticks=time_constant_ticks(_kept(registers.current_decay + 1)) if filters else None,
            bias_error_max=float(np.abs(registers.bias - drive * units).max(initial=0.0) / units),
            remarks=tuple(self.remarks),
        )

    def _report_losses(self, threshold: Threshold, wanted: FloatArray, bias: IntArray, errors: WeightErrors) -> None:
        """Findings for what rounding took away altogether: biases out of range, synapses and inputs that became 0."""
        clipped = int(np.sum(np.abs(wanted - bias) > 2.0**7))
        if clipped:
            self._note(
                "NE3015",
                "warning",
                f"the bias of {clipped} neurons is beyond the bias register and was clipped, by up to "
                f"{float(np.abs(wanted - bias).max()):.0f} chip units",
                ("reduce the bias relative to the threshold", "drive the neurons by an input that fires in every tick"),
            )
        if errors.silenced:
            self._note(
                "NE3016",
                "warning",
                f"{errors.silenced} neurons lose all their synapses to rounding: their weights are below half a step of the "
                f"layer's largest weight, {errors.lost} of {errors.synapses} weights became 0",
                (
                    "train with weight decay or clip outlier weights: one large weight makes the step of all",
                    "split neurons with much smaller weights into a population of their own",
                ),
            )
        if errors.lost:
            self.remarks.append(f"{errors.lost} of {errors.synapses} weights rounded to 0")
        if forgets(self.neuron) and self.neuron.threshold is not None and not threshold.is_exact:
            self._note(
                "NE3014",
                "warning",
                "is stateless, but the chip keeps 1 part in 4096 of a membrane per tick: a sum at or next to the threshold may be "
                "judged differently",
                ("use weights that keep sums away from the threshold", "compare with the divergence report"),
            )

    def _note(
        self, code: str, severity: Literal["error", "warning", "note"], message: str, fixes: tuple[str, ...]
    ) -> None:
        self.findings.append(Finding(code, message, self.where, fixes, severity))


def _constant_projection(population: Population) -> Projection:
    return Projection(f"bias:{population.name}", f"bias:{population.name}", population.name, ())


def _kept(decay: IntArray) -> FloatArray:
    """Share of a state that a decay in 4096ths leaves per tick."""
    return np.asarray((dynamics.DECAY_ONE - decay) / dynamics.DECAY_ONE)


def _bias_registers(drive: FloatArray) -> tuple[int, IntArray]:
    """Smallest exponent whose 12-bit mantissas hold the drive."""
    largest = float(np.abs(drive).max(initial=0.0))
    exponent = 0
    while exponent < 7 and largest / 2**exponent > 4095:
        exponent += 1
    return exponent, np.clip(np.rint(drive / 2**exponent), -4095, 4095).astype(np.int64)
