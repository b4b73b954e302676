"""From a float network to Loihi's integers: registers, mantissas and tick offsets per layer, with every rounding reported.

Each population gets one scale: ``threshold register * 64`` chip units stand for its float threshold, so the threshold itself
is exact and the rounding sits in weights, decays and biases. Per-neuron thresholds and gains are folded into the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.weights import (
    MIXED,
    WeightErrors,
    all_even,
    by_sign,
    chip_units,
    exponent_for,
    rounded,
    sampled,
    weight_format,
)
from neuroemu.image.symbols import Port, numbered_ports
from neuroemu.network.connectivity import (
    Conv2d,
    Dense,
    Folded,
    Scale,
    Sparse,
    absolute_sums,
    fold,
    weights_of,
)
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.network.neurons import time_constant_ticks

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_WEIGHT_BITS = 8
_HIGHEST_BIAS = 4095 * 2**7
_CLOSE_THRESHOLD = 256
"""From this threshold register on, one register less for ``>=`` changes the threshold by less than half a per cent."""
_SEARCH_STEPS = 24
_ROOM_FOR_COUNTS = (2, 4, 8)
_LEAK_STEPS = 4
"""Steps of the membrane per step of the smallest weight, so that what a leak cuts off stays below what weights round."""


@dataclass(frozen=True)
class LoweredPopulation:
    """Registers of one population.

    Attributes:
        tick_offset: the chip computes step ``t`` of the source framework in tick ``t + tick_offset``.
        current_decay, membrane_decay: int64 (size,) register values.
        threshold: mantissa; ``threshold << 6`` stands for the float threshold.
        bias_mantissa: int64 (size,); the drive is ``bias_mantissa << bias_exponent``.
        scale: float64 (size,), chip units per float unit of the membrane.
    """

    name: str
    shape: tuple[int, ...]
    tick_offset: int
    spiking: bool
    current_decay: IntArray
    membrane_decay: IntArray
    threshold: int
    bias_mantissa: IntArray
    bias_exponent: int
    refractory: int
    scale: FloatArray

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))


@dataclass(frozen=True)
class LoweredProjection:
    """Synapses of one projection; ``structure`` holds integer mantissas.

    ``delay`` is the synaptic delay field; ``late_ticks`` by how much the spike still arrives too late (long feedback).
    """

    name: str
    source: str
    target: str
    structure: Folded
    sign_mode: int
    weight_exponent: int
    delay: int
    late_ticks: int = 0
    weight_bits: int = _WEIGHT_BITS


@dataclass(frozen=True)
class LayerRounding:
    """What rounding did to one population; errors are relative to the layer's largest weight or to its threshold."""

    population: str
    scale: float
    weight_exponent: int
    weight_bits: int
    weight_error_max: float
    weight_error_rms: float
    clipped_weights: int
    threshold_float: float | None
    threshold_chip: int | None
    threshold_error: float
    tau_membrane_ticks: float | None
    tau_membrane_chip_ticks: float | None
    tau_current_ticks: float | None
    tau_current_chip_ticks: float | None
    bias_error_max: float
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class LoweredNetwork:
    """A network in chip integers, what rounding did to it, and its float twin with the rounded numbers in chip units."""

    ports: tuple[Port, ...]
    populations: tuple[LoweredPopulation, ...]
    projections: tuple[LoweredProjection, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rounding: tuple[LayerRounding, ...]
    quantised: Network
    findings: tuple[Finding, ...] = field(default=())

    @property
    def output_offset(self) -> int:
        """Ticks by which the last output lags behind the float network."""
        offset = {population.name: population.tick_offset for population in self.populations}
        return max((offset[name] for name in self.outputs), default=0)


def lower(network: Network, chip: Any) -> LoweredNetwork:
    """Lower every population and projection.

    Args:
        chip: the chip specification (its ``arithmetic`` and ``limits`` are read).

    Raises:
        DoesNotFit: with all features that the chip cannot compute.
    """
    offsets = tick_offsets(network, of_inputs=-1)
    findings: list[Finding] = [*fixed_arithmetic(chip), *_analog_sources(network)]
    constant: list[str] = []
    populations: list[LoweredPopulation] = []
    projections: list[LoweredProjection] = []
    rounding: list[LayerRounding] = []
    twins: dict[str, Population] = {name: network.populations[name] for name in network.inputs}
    twin_projections: list[Projection] = []
    for name, population in network.populations.items():
        if population.neuron is None:
            continue
        layer = _Layer(network, population, chip, findings)
        lowered, lowered_projections, layer_rounding, twin, twin_incoming = layer.lower(offsets)
        populations.append(lowered)
        projections.extend(lowered_projections)
        rounding.append(layer_rounding)
        twins[name] = twin
        twin_projections.extend(twin_incoming)
        if layer.current_bias is not None:
            constant.append(f"bias:{name}")
    findings.extend(_delay_findings(network, projections, int(chip.limits.delay_ticks_max.value)))
    if errors_in(findings):
        raise DoesNotFit(errors_in(findings))
    quantised = replace(
        network,
        populations={name: twins[name] for name in network.populations},
        projections=tuple(twin_projections),
        findings=(),
    )
    return LoweredNetwork(
        numbered_ports({name: network.populations[name].shape for name in network.inputs}, constant),
        tuple(populations),
        tuple(projections),
        network.inputs,
        network.outputs,
        tuple(rounding),
        quantised,
        tuple(findings),
    )


def _analog_sources(network: Network) -> Iterator[Finding]:
    """Analog populations that feed others: a chip sends spikes and nothing else."""
    for name, fed in network.analog_sources():
        size = network.populations[name].size
        yield Finding(
            "NE3020",
            f"has no threshold but feeds {', '.join(fed)} with {size} analog values; the chip sends spikes only",
            f"population {name}",
            (
                "give the population a threshold (LIF instead of LI)",
                f"fold it into the synapses: a CubaLIF in {fed[0]} filters its input itself",
                "make it an output and apply the rest of the network on the host",
            ),
        )


def fixed_arithmetic(chip: Any) -> Iterator[Finding]:
    """Widths that this family computes with and a chip file may not change."""
    fixed = {
        "membrane_bits": dynamics.STATE_BITS,
        "current_bits": dynamics.STATE_BITS,
        "accumulator_bits": dynamics.ACCUMULATOR_BITS,
        "weight_shift": dynamics.WEIGHT_SHIFT,
        "threshold_shift": dynamics.THRESHOLD_SHIFT,
        "decay_bits": dynamics.DECAY_BITS,
        "current_decay_offset": 1,
        "membrane_decay_offset": 0,
        "weight_mantissa_bits": _WEIGHT_BITS,
    }
    for name, value in fixed.items():
        declared = int(getattr(chip.arithmetic, name).value)
        if declared != value:
            yield Finding(
                "NE3012",
                f"the chip file sets {name} to {declared}; the loihi family computes with {value} and nothing else",
                f"chip {chip.name}",
                (
                    f"set arithmetic.{name} to {value}",
                    "change limits, timing or energy instead of the arithmetic",
                    "write a chip family of your own for other widths",
                ),
            )


class _Layer:
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
        self._exact_threshold = False
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

    def lower(
        self, offsets: dict[str, int]
    ) -> tuple[LoweredPopulation, list[LoweredProjection], LayerRounding, Population, list[Projection]]:
        """Choose the scale, round, and build the float twin."""
        self._check_state_rules()
        self._check_reset_rules()
        weights = self._weights()
        drive = self._drive()
        if self.current_bias is not None:
            weights.append((_constant_projection(self.population), Dense(self.current_bias[:, None])))
        threshold, register = self._choose_threshold([structure for _, structure in weights], drive)
        units = self._units_per_threshold(threshold, register)
        offset = offsets[self.population.name]
        lowered: list[LoweredProjection] = []
        twins: list[Projection] = []
        errors = WeightErrors()
        constant: FloatArray | None = None
        for projection, structure in weights:
            exponent, sign_mode = weight_format(structure, units)
            apart = sign_mode == MIXED and self._room_for_two_lists(structure)
            if apart or sign_mode != MIXED:
                exponent = max(exponent, 0)
            mantissas, clipped = rounded(structure, units, exponent, sign_mode, step=1.0 if apart else None)
            errors.add(structure, mantissas, units, exponent, clipped)
            is_constant = projection.source not in self.network.populations
            delay = offset if is_constant else offset + projection.delay_ticks - offsets[projection.source] - 1
            synapses, delay = _lent_delay(mantissas, delay)
            stored = by_sign(synapses) if apart else ((sign_mode, synapses),)
            lowered.extend(
                LoweredProjection(
                    projection.name,
                    projection.source,
                    projection.target,
                    part,
                    mode,
                    exponent,
                    max(delay, 0),
                    max(-delay, 0),
                )
                for mode, part in stored
            )
            if is_constant:
                constant = chip_units(mantissas, exponent)
            else:
                factor = np.full(self.population.size, 2.0**exponent * 64)
                twins.append(replace(projection, stages=(fold((mantissas, Scale(factor))),), bias=None))
        if any(part.sign_mode != MIXED for part in lowered) and len(lowered) > len(weights):
            self.remarks.append(
                "excitatory and inhibitory weights in lists of their own: 8 magnitude bits instead of 7"
            )
        if (
            self._forgets()
            and self.neuron.spiking
            and threshold % 2 == 0
            and not drive.any()
            and all_even((part.structure, part.weight_exponent) for part in lowered)
        ):
            # Sums are multiples of 128: an odd register next to the threshold keeps the rest of the last tick out of it.
            register = threshold - 1 if self.neuron.compare == "ge" else threshold + 1
            self._exact_threshold = True
        population, twin, rounding = self._registers(threshold, register, units, drive, offset, errors, lowered)
        if constant is not None and twins:
            twins[0] = replace(twins[0], bias=constant)
        return population, lowered, rounding, twin, twins

    def _check_state_rules(self) -> None:
        """What the membrane and current of the network do and the chip's cannot."""
        neuron = self.neuron
        if neuron.min_v is not None:
            self._note(
                "NE3009",
                "warning",
                f"keeps the membrane above {neuron.min_v:g}; the chip's membrane goes down to its register's lower end",
                ("train without a lower bound (Sinabs: min_v_mem=None)", "compare the divergence report below"),
            )
            self.remarks.append("lower bound of the membrane left out")
        for name, decay in (("membrane", neuron.membrane_decay), ("current", neuron.current_decay)):
            if decay is not None and np.any(decay < 0.0):
                self._note(
                    "NE3013",
                    "warning",
                    f"the {name} of {int(np.sum(decay < 0.0))} neurons changes sign in every step (factor "
                    f"{float(decay.min()):.4g}); the chip keeps nothing of it instead",
                    ("use a time constant not shorter than the step", "use the dialect's exponential decay"),
                )
                self.remarks.append(f"negative {name} decay factor replaced by none")

    def _check_reset_rules(self) -> None:
        neuron = self.neuron
        if neuron.threshold is None:
            return
        if neuron.reset in ("subtract", "subtract_snntorch"):
            self._note(
                "NE3003",
                "warning",
                "subtracts the threshold on a spike (soft reset); Loihi 1 resets to 0, so what exceeds the threshold is lost",
                (
                    "train with reset to zero (snnTorch: reset_mechanism='zero')",
                    "compare the accuracy and the divergence report below before trusting this mapping",
                ),
            )
            self.remarks.append("soft reset replaced by reset to zero")
        if neuron.reset == "none" and np.any(neuron.membrane_decay != 0.0):
            self._note(
                "NE3004", "warning", "never resets; Loihi 1 resets to 0 on a spike", ("use a threshold with reset",)
            )
            self.remarks.append("missing reset replaced by reset to zero")
        if neuron.reset_delay:
            self._note(
                "NE3005",
                "warning",
                "resets one step after the spike; Loihi 1 resets in the tick of the spike",
                ("snnTorch: reset_delay=False",),
            )
            self.remarks.append("late reset replaced by reset in the tick of the spike")
        if neuron.multispike:
            self._note(
                "NE3006",
                "warning",
                "may emit several spikes per step; a Loihi 1 compartment emits at most one per tick",
                ("train with single spikes per step", "raise the threshold or run more, finer steps"),
            )
            self.remarks.append("several spikes per step replaced by at most one")
        longest = int(self.chip.arithmetic.refractory_max.value) - 1
        if neuron.refractory_ticks > longest:
            coarser = -(-neuron.refractory_ticks // longest)
            self._note(
                "NE3007",
                "error",
                f"refractory period of {neuron.refractory_ticks} ticks exceeds the register's {longest} by "
                f"{neuron.refractory_ticks - longest}",
                (
                    f"shorten the refractory period to {longest} ticks",
                    f"use a step {coarser} times as long ({coarser * self.network.dt_s:g} s)",
                    "replace the pause by inhibition of the neuron by itself",
                ),
            )

    def _choose_threshold(self, structures: list[Folded], drive: FloatArray) -> tuple[int, int]:
        """(float-equivalent threshold in 64s, register mantissa) with the finest weights that cannot overflow."""
        arithmetic = self.chip.arithmetic
        highest = (1 << int(arithmetic.threshold_mantissa_bits.value)) - 1
        largest = max((float(np.abs(weights_of(s)).max(initial=0.0)) for s in structures), default=0.0)
        row_sum = sum((absolute_sums(s) for s in structures), np.zeros(self.population.size))
        worst = float(row_sum.max(initial=0.0))
        worst_drive = float(np.abs(drive).max(initial=0.0))
        accumulator = (1 << (dynamics.ACCUMULATOR_BITS - dynamics.WEIGHT_SHIFT)) - 1
        membrane = (1 << (dynamics.STATE_BITS - dynamics.THRESHOLD_SHIFT)) - 1
        never_beyond = min(float(highest), membrane / (1.0 + worst + worst_drive))
        if worst_drive > 0:
            never_beyond = min(never_beyond, _HIGHEST_BIAS / 64 / worst_drive)
        if self.neuron.threshold is None:
            settled = _settled(worst + worst_drive, self.neuron.membrane_decay)
            never_beyond = min(never_beyond, membrane / (1.0 + settled))
        elif self._forgets():
            never_beyond = min(never_beyond, dynamics.DECAY_ONE / (1.0 + worst + worst_drive))
        bound = min(never_beyond, accumulator / worst) if worst > 0 else never_beyond
        top = int(arithmetic.weight_exponent_max.value)
        if largest == 0.0:
            threshold = int(max(1, min(bound, 4096)))
        else:
            fits = [254 * 2.0**exponent / largest for exponent in range(-8, top + 1)]
            allowed = [value for value in fits if 1 <= value <= bound]
            ideal = max(allowed) if allowed else max(1.0, min(254 / largest, never_beyond))
            ideal = min(ideal, self._with_room_for_counts(fits, bound, largest))
            if not allowed or (ideal < 254 / largest and worst * 254 / largest > accumulator):
                ideal = max(1.0, min(254 / largest, never_beyond))
            if ideal * worst > accumulator:
                self._overflow_note(ideal * worst, accumulator)
            threshold = self._finest(ideal, structures, drive)
        if self.neuron.threshold is None:
            return threshold, highest
        in_steps = bool(np.all(self.neuron.membrane_decay == 1.0)) and _whole(drive * threshold)
        # Membranes that are multiples of 64 meet ">=" exactly one register below; others come as close as one part in M.
        at_equality = self.neuron.compare == "ge" and (in_steps or threshold >= _CLOSE_THRESHOLD)
        self._exact_threshold = in_steps
        return threshold, threshold - 1 if at_equality else threshold

    def _forgets(self) -> bool:
        """A stateless gate: the whole membrane is meant to decay in one tick, the chip keeps 1 part in 4096."""
        return self.neuron.current_decay is None and bool(np.all(self.neuron.membrane_decay == 0.0))

    def _with_room_for_counts(self, fits: list[float], bound: float, largest: float) -> float:
        """Inputs may carry counts: the scale with the most room for them that costs no precision of weights or leak."""
        if not any(self.network.populations[projection.source].is_input for projection in self.incoming):
            return bound
        leaks = self.neuron.current_decay is not None or bool(np.any(self.neuron.membrane_decay != 1.0))
        finest = (_LEAK_STEPS if leaks else 1) * 254 / largest
        rooms = ([value for value in fits if max(1.0, finest) <= value <= bound / room] for room in _ROOM_FOR_COUNTS)
        return min((max(values) for values in rooms if values), default=bound)

    def _room_for_two_lists(self, structure: Folded) -> bool:
        """True where excitatory and inhibitory lists of their own (one more weight bit, twice the axons) take at most half
        of one core, so that precision costs no cores."""
        limits = self.chip.limits
        if self.population.size > int(limits.compartments.value):
            return False
        if isinstance(structure, Conv2d):
            axons = structure.in_shape[1] * structure.in_shape[2]
            taps = structure.weight.shape[2] * structure.weight.shape[3]
            synapses = structure.weight.size * taps
            lists = structure.in_shape[0] * taps * 4
        else:
            axons = lists = structure.n_in
            synapses = structure.synapse_count
        index_and_weight = _WEIGHT_BITS + 10
        bits = synapses * index_and_weight + 2 * lists * 2 * int(limits.synapse_word_bits.value)
        return 2 * 2 * axons <= int(limits.input_axons.value) and 2 * bits <= int(limits.synapse_memory.bits)

    def _overflow_note(self, worst: float, limit: int) -> None:
        self._note(
            "NE3008",
            "note",
            f"if all inputs fired in the same tick the accumulator would need {worst * 64:.0f}, the chip wraps beyond "
            f"{limit * 64}; wraps are counted in the run",
            ("check accumulator_wraps in the report", "prune or scale down large weights"),
        )

    def _finest(self, ideal: float, structures: list[Folded], drive: FloatArray) -> int:
        """The threshold near ``ideal`` (never above) whose weights round best; among equals one that keeps bias in 64s."""
        spread = {max(1, int(ideal * (1 - 0.25 * step / _SEARCH_STEPS))) for step in range(_SEARCH_STEPS)}
        dyadic = {int(ideal) >> bits << bits for bits in range(int(ideal).bit_length())}
        candidates = sorted(spread | dyadic)
        sample = np.concatenate([sampled(weights_of(structure)) for structure in structures])
        if sample.size == 0:
            return candidates[-1]

        def error(threshold: int) -> float:
            largest = float(np.abs(sample).max()) * threshold
            exponent = exponent_for(largest)
            step = 2.0 ** (exponent + 1)
            return float(np.sqrt(np.mean((np.rint(sample * threshold / step) * step / threshold - sample) ** 2)))

        return min(candidates, key=lambda threshold: (error(threshold), not _whole(drive * threshold), -threshold))

    def _units_per_threshold(self, threshold: int, register: int) -> int:
        """Chip units that stand for the float threshold; one more where ``>=`` meets the chip's ``>``."""
        leaky_ge = self.neuron.compare == "ge" and register == threshold and self.neuron.threshold is not None
        return threshold * 64 + (1 if leaky_ge else 0)

    def _registers(
        self,
        threshold: int,
        register: int,
        units: int,
        drive: FloatArray,
        offset: int,
        errors: WeightErrors,
        lowered: list[LoweredProjection],
    ) -> tuple[LoweredPopulation, Population, LayerRounding]:
        neuron, size = self.neuron, self.population.size
        one = dynamics.DECAY_ONE
        membrane_decay = np.clip(np.rint(one * (1.0 - neuron.membrane_decay)), 0, one - 1).astype(np.int64)
        if neuron.current_decay is None:
            current_decay = np.full(size, one - 1, np.int64)
        else:
            current_decay = np.clip(np.rint(one * (1.0 - neuron.current_decay)) - 1, 0, one - 1).astype(np.int64)
        exponent, mantissa = _bias_registers(drive * units)
        self._report_losses(drive * units, mantissa << exponent, errors)
        bias_error = float(np.abs((mantissa << exponent) - drive * units).max(initial=0.0) / units)
        population = LoweredPopulation(
            name=self.population.name,
            shape=self.population.shape,
            tick_offset=offset,
            spiking=neuron.spiking,
            current_decay=current_decay,
            membrane_decay=membrane_decay,
            threshold=register,
            bias_mantissa=mantissa,
            bias_exponent=exponent,
            refractory=neuron.refractory_ticks + 1,
            scale=units / self.unit,
        )
        twin_threshold = None if neuron.threshold is None else np.full(size, register * 64.0)
        twin = Population(
            self.population.name,
            self.population.shape,
            Neuron(
                membrane_decay=(one - membrane_decay) / one,
                input_gain=np.ones(size),
                leak_input=(mantissa << exponent).astype(np.float64),
                threshold=twin_threshold,
                reset_value=np.zeros(size),
                current_decay=None if neuron.current_decay is None else (one - 1 - current_decay) / one,
                current_gain=None if neuron.current_decay is None else np.ones(size),
                compare="gt",
                reset="zero",
                refractory_ticks=neuron.refractory_ticks,
                kind=neuron.kind,
            ),
        )
        exponents = [projection.weight_exponent for projection in lowered]
        rounding = LayerRounding(
            population=self.population.name,
            scale=float(np.median(population.scale)),
            weight_exponent=max(exponents, default=0),
            weight_bits=_WEIGHT_BITS,
            weight_error_max=errors.largest,
            weight_error_rms=errors.rms,
            clipped_weights=errors.clipped,
            threshold_float=None if neuron.threshold is None else float(np.median(neuron.threshold)),
            threshold_chip=None if neuron.threshold is None else register * 64,
            threshold_error=0.0
            if neuron.threshold is None or self._exact_threshold
            else abs(register * 64 - units) / units,
            tau_membrane_ticks=time_constant_ticks(neuron.membrane_decay),
            tau_membrane_chip_ticks=time_constant_ticks((one - membrane_decay) / one),
            tau_current_ticks=None if neuron.current_decay is None else time_constant_ticks(neuron.current_decay),
            tau_current_chip_ticks=None
            if neuron.current_decay is None
            else time_constant_ticks((one - 1 - current_decay) / one),
            bias_error_max=bias_error,
            remarks=tuple(self.remarks),
        )
        return population, twin, rounding

    def _report_losses(self, wanted: FloatArray, bias: IntArray, errors: WeightErrors) -> None:
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
        if self._forgets() and self.neuron.threshold is not None and not self._exact_threshold:
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


def _lent_delay(structure: Folded, delay: int) -> tuple[Folded, int]:
    """Where a spike comes too late (``delay`` below 0), take that from the delays of the synapses themselves."""
    if delay >= 0 or not isinstance(structure, Sparse) or structure.delay is None or not structure.delay.size:
        return structure, delay
    lent = min(-delay, int(structure.delay.min()))
    return Sparse(structure.weight, structure.delay - lent), delay + lent


def _constant_projection(population: Population) -> Projection:
    return Projection(f"bias:{population.name}", f"bias:{population.name}", population.name, ())


def _bias_registers(drive: FloatArray) -> tuple[int, IntArray]:
    """Smallest exponent whose 12-bit mantissas hold the drive."""
    largest = float(np.abs(drive).max(initial=0.0))
    exponent = 0
    while exponent < 7 and largest / 2**exponent > 4095:
        exponent += 1
    return exponent, np.clip(np.rint(drive / 2**exponent), -4095, 4095).astype(np.int64)


def _whole(values: FloatArray) -> bool:
    return bool(np.all(values == np.rint(values)))


def _settled(drive: float, decay: FloatArray) -> float:
    """Largest membrane under a constant worst-case drive."""
    slowest = float(decay.max(initial=0.0))
    return drive / max(1.0 - slowest, 1.0 / 1024)


def _delay_findings(network: Network, projections: list[LoweredProjection], longest: int) -> list[Finding]:
    findings = []
    for projection in projections:
        where = f"projection {projection.name}"
        own = _longest_own_delay(projection.structure)
        needed = projection.delay + own
        if projection.late_ticks:
            findings.append(
                Finding(
                    "NE3010",
                    f"feedback from {projection.source} to {projection.target} arrives {projection.late_ticks} ticks later than "
                    "in the float network: every hop costs a tick on the chip",
                    where,
                    ("compare with the float network in the divergence report", "train with the chip's delays"),
                    "warning",
                )
            )
        if needed > longest:
            findings.append(
                Finding(
                    "NE3011",
                    f"needs a synaptic delay of {needed} ticks, {needed - longest} more than the {longest} the chip has",
                    where,
                    (
                        f"shorten the delays of its synapses from {own} to {longest - projection.delay} ticks"
                        if own and projection.delay <= longest
                        else f"shorten the delay or the paths beside it by {needed - longest} ticks",
                        f"relay the spikes through {-(-(needed + 1) // (longest + 1)) - 1} extra population(s)",
                        f"use a step {-(-needed // longest)} times as long",
                    ),
                )
            )
    return list(dict.fromkeys(findings))


def _longest_own_delay(structure: Folded) -> int:
    """Largest delay that synapses have besides their projection's."""
    delay = structure.delay if isinstance(structure, Sparse) else None
    return 0 if delay is None or not delay.size else int(delay.max())
