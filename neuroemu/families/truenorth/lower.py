"""From a float network to TrueNorth's integers: axon types for signed weights, leak for biases and decays, every rounding reported.

Every neuron counts on a scale of its own. Membranes that keep everything or nothing per step are exact; an exponential decay
becomes a constant leak towards zero. Sums over more inputs than a core has axons are formed in parts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.lowered import Columns, LoweredNetwork, LoweredPopulation
from neuroemu.families.truenorth.partial import partial_sums
from neuroemu.families.truenorth.quantise import MOST_FINER, Demand, Quantised, Room, quantise
from neuroemu.families.truenorth.splitters import spread
from neuroemu.families.truenorth.tiles import neighbours
from neuroemu.image.symbols import numbered_ports
from neuroemu.network.connectivity import Dense, Scale, Sparse, fold
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.network.neurons import time_constant_ticks

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

FORGETS = 0.5
"""Membranes that keep less than this per step are lowered as ones that keep nothing."""
FADES_AT = 0.4
"""Share of the threshold at which a constant leak takes what the decay does; of 0.3, 0.4 and 0.5 the one with the fewest wrong
bins in the trained networks of the examples."""
ANALOG_TICKS = 100
"""Ticks of full input that an analog population can add up."""
LARGE_ERROR = 0.1
MOST_COPIES = 4
"""Axons that a source on the chip may have on one core; more where its population is so small that copies fit beside it."""
MOST_SMALL_COPIES = 8
SPARING_COPIES = 4
"""Axons of a source that must not need relays."""
MOST_HOST_COPIES = 16
"""Axons that a source from outside may have."""
DENSE = 0.3
"""Share of synapses present above which the rounded twin keeps a matrix."""
_RESETS = {
    "zero": dynamics.RESET_TO_VALUE,
    "subtract": dynamics.RESET_LINEAR,
    "subtract_snntorch": dynamics.RESET_LINEAR,
    "none": dynamics.RESET_NONE,
}


@dataclass(frozen=True)
class QuantisedNetwork(LoweredNetwork):
    """A network in chip integers, the rows of the quantisation report, and its float twin in chip units."""

    rounding: tuple[dict[str, Any], ...]
    quantised: Network
    findings: tuple[Finding, ...]


def room_of(chip: Any) -> Room:
    """What a core of the chip holds."""
    limits = chip.limits
    return Room(
        axons=int(limits.axons.value),
        neurons=int(limits.neurons.value),
        weight=int(limits.weight_max.value),
        leak=int(limits.leak_max.value),
        threshold=int(limits.threshold_max.value),
        floor=int(limits.negative_threshold_max.value),
        reset=int(limits.reset_max.value),
    )


def lower(
    network: Network, chip: Any, from_host: Collection[str] = (), sparing: Collection[str] = ()
) -> QuantisedNetwork:
    """Lower every population and what ends in it.

    Args:
        from_host: populations whose bias a host source sends; a leak would act before their first tick.
        sparing: populations of which no more copies are made than needed for weights of both signs, so that none need relays.

    Raises:
        DoesNotFit: with everything that the chip cannot compute.
    """
    room = room_of(chip)
    layers = [
        _Layer(
            network, population, population.neuron.spread(population.size), room, population.name in from_host, sparing
        )
        for population in network.populations.values()
        if population.neuron is not None
    ]
    findings = [*_analog_sources(network), *(finding for layer in layers for finding in layer.findings)]
    if errors := errors_in(findings):
        raise DoesNotFit(errors)
    populations, rounding, projections = [], [], []
    twins = {name: network.populations[name] for name in network.inputs}
    for layer in layers:
        populations += layer.lowered()
        rounding.append(layer.report())
        twins[layer.name] = layer.twin()
        projections += layer.twin_projections()
        findings += layer.late_findings()
    constant = [f"bias:{layer.name}" for layer in layers if layer.bias_column is not None]
    quantised = replace(
        network,
        populations={name: twins[name] for name in network.populations},
        projections=tuple(projections),
        findings=(),
    )
    return QuantisedNetwork(
        ports=numbered_ports({name: network.populations[name].shape for name in network.inputs}, constant),
        populations=spread(populations, (room.axons, room.neurons)),
        outputs=network.outputs,
        rounding=tuple(rounding),
        quantised=quantised,
        findings=tuple(findings),
    )


def _analog_sources(network: Network) -> Iterator[Finding]:
    for name, fed in network.analog_sources():
        yield Finding(
            "NE3606",
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
        room: Room,
        from_host: bool,
        sparing: Collection[str],
    ):
        self.population, self.neuron, self.room, self.sparing = population, neuron, room, sparing
        self.name, self.size = population.name, population.size
        self.findings: list[Finding] = []
        self.remarks: list[str] = []
        decay = np.clip(neuron.membrane_decay, 0.0, 1.0)
        self.forgets = decay < FORGETS
        self.loses = (decay >= FORGETS) & (decay < 1.0)
        current = 1.0 if neuron.current_decay is None else _charge(neuron)
        self.gain = neuron.input_gain * current
        incoming = network.incoming(self.name)
        bias = sum((item.bias for item in incoming if item.bias is not None), np.zeros(self.size))
        self.drive = neuron.leak_input + self.gain * bias
        self.columns, self.weight, self.bias_column = self._gather(incoming, self.loses | from_host)
        self._check_rules()
        self._say_what_is_replaced()
        self.partial: Any = None
        self.quantised: Quantised | None = None
        if not errors_in(self.findings):
            self._quantise(network)

    # ------------------------------------------------------------------ what arrives

    def _gather(
        self, incoming: tuple[Projection, ...], by_synapse: NDArray[np.bool_]
    ) -> tuple[tuple[Columns, ...], sp.csr_array, int | None]:
        """(columns, weights (size, columns) in float units, the last column if it is the bias of the neurons ``by_synapse``)."""
        blocks: dict[tuple[str, int], sp.csr_array] = {}
        for item in incoming:
            folded = fold((*item.stages, Scale(np.broadcast_to(self.gain, (self.size,)))))
            parts = folded.by_delay() if isinstance(folded, Sparse) else ((0, folded),)
            for delay, part in parts:
                key = item.source, item.delay_ticks + delay
                matrix = sp.csr_array(part.to_sparse())
                blocks[key] = sp.csr_array(blocks[key] + matrix) if key in blocks else matrix
        bias_is_a_synapse = bool(np.any(by_synapse & (self.drive != 0)))
        if bias_is_a_synapse:
            held = np.where(by_synapse, self.drive, 0.0)
            blocks[f"bias:{self.name}", 0] = sp.csr_array(held[:, None])
            self.drive = np.where(by_synapse, 0.0, self.drive)
            why = (
                "the leak stands for the decay"
                if self.loses.any()
                else "a leak would act before the layer's first tick"
            )
            self.remarks.append(f"bias enters through a host source that fires in every tick; {why}")
        columns, first = [], 0
        for (source, delay), matrix in blocks.items():
            columns.append(Columns(source, delay, first, int(matrix.shape[1])))
            first += int(matrix.shape[1])
        empty = [sp.csr_array((self.size, 0))]
        weight = sp.csr_array(sp.hstack([*blocks.values()] if blocks else empty, format="csr"))
        weight.sum_duplicates()
        weight.eliminate_zeros()
        weight.sort_indices()
        return tuple(columns), weight, first - 1 if bias_is_a_synapse else None

    # ------------------------------------------------------------------ what the neuron does

    def _check_rules(self) -> None:
        neuron = self.neuron
        if neuron.threshold is None:
            if self.forgets.any():
                self._refuse(
                    "NE3606",
                    "is an analog read-out of single ticks; a neuron's potential adds up and only spikes leave a core",
                    ("read out with an integrator", "give the population a threshold"),
                )
            return
        if neuron.reset_delay or neuron.reset == "subtract_snntorch":
            self._replace("NE3604", "resets by a rule of its framework; the core resets in the tick of the spike, once")
        if neuron.refractory_ticks:
            self._replace(
                "NE3604",
                f"rests {neuron.refractory_ticks} ticks after a spike; neurons of the core are never refractory",
            )
        if neuron.multispike:
            self._replace("NE3604", "may emit several spikes per step; a neuron of the core emits at most one per tick")
        if np.any(neuron.membrane_decay < 0):
            self._replace("NE3604", "has a decay factor below 0; 0 is used instead")
        if neuron.reset == "none" and np.any(~self.forgets):
            return
        if neuron.compare == "gt" and neuron.reset != "zero" and np.any(~self.forgets):
            self.remarks.append(
                "a spike subtracts one chip unit more than the threshold, the price of a strict comparison"
            )

    def _say_what_is_replaced(self) -> None:
        neuron = self.neuron
        if neuron.threshold is None:
            self._replace(
                "NE3606",
                "is analog; its membrane is read from the potential memory, which the silicon does not send out",
            )
        kept = np.clip(neuron.membrane_decay, 0.0, 1.0)
        if self.loses.any():
            worst = float((1.0 - kept[self.loses]).max()) * max(FADES_AT, 1.0 - FADES_AT)
            self._replace(
                "NE3601",
                f"keeps {float(np.median(kept[self.loses])):.4g} of its membrane per step; the core leaks a constant towards zero "
                f"instead, off by up to {worst:.1%} of the threshold per tick",
            )
        short = self.forgets & (kept > 0)
        if short.any():
            message = f"keeps {float(kept[short].max()):.4g} of its membrane per step; the core keeps nothing"
            self._replace("NE3601", message)
        if neuron.current_decay is not None and np.any(neuron.current_decay > 0):
            self._replace(
                "NE3603",
                f"has a synaptic current that keeps {float(np.median(neuron.current_decay)):.4g} per step; the core adds the whole "
                "charge of a spike in one tick",
            )

    def _replace(self, code: str, message: str) -> None:
        fixes = ("train with the core's rule", "compare the divergence report before trusting this mapping")
        self.findings.append(Finding(code, message, f"population {self.name}", fixes, "warning"))
        self.remarks.append(message)

    def _refuse(self, code: str, message: str, fixes: tuple[str, ...]) -> None:
        self.findings.append(Finding(code, message, f"population {self.name}", fixes))

    # ------------------------------------------------------------------ integers

    def _quantise(self, network: Network) -> None:
        weight, columns = self.weight, self.columns
        fan_in = int(np.diff(weight.indptr).max(initial=0))
        if fan_in > self.room.axons:
            if self.forgets.any():
                self._refuse(
                    "NE3602",
                    f"a neuron has {self._inputs_told(fan_in)} and needs {fan_in} axons, {fan_in - self.room.axons} more than the "
                    f"{self.room.axons} of a core; parts of its sum cannot be merged because it keeps nothing from tick to tick",
                    (
                        f"prune to {self.room.axons} inputs, {self.room.axons // 2} with weights of both signs",
                        "use a convolution or groups of inputs",
                        "use neurons that integrate",
                    ),
                )
                return
            inputs = weight if self.bias_column is None else sp.csr_array(weight[:, :-1])
            shapes = {name: population.shape for name, population in network.populations.items()}
            self.partial = partial_sums(self.name, self.population.shape, inputs, columns, shapes, self.room)
            self._say_parts(fan_in)
            weight, columns = self.partial.merged, (self.partial.columns,)
            if self.bias_column is not None:
                weight = sp.csr_array(sp.hstack([weight, self.weight[:, [self.bias_column]]], format="csr"))
                columns = (*columns, Columns(f"bias:{self.name}", 0, self.partial.columns.size, 1))
        self.columns = columns
        demand = self._demand(weight)
        self.quantised = quantise(
            weight,
            neighbours(self.population.shape),
            demand,
            self.room,
            self._most_axons(network),
            shared_scale=self.neuron.threshold is None,
            constant=self.bias_column is not None,
            most_finer=self._most_finer,
        )
        self.wanted = weight
        self.scale = self.quantised.scale
        self.registers, self.initial = self._registers()
        self.remarks.insert(0, self.quantised.kind)

    def _most_axons(self, network: Network) -> Int64:
        """int64 (columns,), axons that every source may have on one core."""
        most = []
        for block in self.columns:
            if block.source in network.inputs or _is_bias(block.source):
                own = MOST_HOST_COPIES
            elif block.source in self.sparing:
                own = SPARING_COPIES
            else:
                own = min(max(self.room.neurons // max(block.size, 1), MOST_COPIES), MOST_SMALL_COPIES)
            most.append(np.full(block.size, own, np.int64))
        return np.concatenate([np.zeros(0, np.int64), *most])

    @property
    def _most_finer(self) -> int:
        """Cores that may do the work of one; their common sources need copies for each."""
        sources = {block.source for block in self.columns}
        return 1 if self.partial is not None or sources & set(self.sparing) else MOST_FINER

    def _inputs_told(self, axons: int) -> str:
        """What the widest neuron of the network needs ``axons`` for: a bias that the host sends is no input."""
        widest = int(np.argmax(np.diff(self.weight.indptr)))
        if self.bias_column is None or self.bias_column not in self.weight[[widest]].indices:
            return f"{axons} inputs"
        return f"{axons - 1} inputs and a bias that takes an axon of its own"

    def _say_parts(self, fan_in: int) -> None:
        parts, charge = self.partial.parts, self.partial.charge
        threshold = self.neuron.threshold
        relative = ""
        if threshold is not None:
            above = np.where(threshold > 0, threshold, 1.0)
            relative = f", at any time up to {float(np.median(charge * parts / above)):.1%} of the threshold behind"
        message = (
            f"a neuron has {self._inputs_told(fan_in)}, {fan_in - self.room.axons} more than the {self.room.axons} axons of a "
            f"core; its sum is formed in {parts} parts by {self.partial.population.size} further neurons and arrives as spikes "
            f"one tick later{relative}"
        )
        fixes = (f"prune to {self.room.axons // 4} inputs per neuron", "use a convolution or groups of inputs")
        self.findings.append(Finding("NE3602", message, f"population {self.name}", fixes, "warning"))
        self.remarks.append(message)

    @property
    def _threshold(self) -> FloatArray:
        return np.zeros(self.size) if self.neuron.threshold is None else self.neuron.threshold

    @property
    def _fade(self) -> FloatArray:
        """The constant leak that stands for the decay: what the decay takes at a usual potential."""
        return np.where(self.loses, (1.0 - np.clip(self.neuron.membrane_decay, 0, 1)) * self._threshold * FADES_AT, 0.0)

    def _demand(self, weight: sp.csr_array) -> Demand:
        gate = np.abs(self._threshold - self.drive)
        leak = np.where(self.forgets, gate, np.where(self.loses, self._fade, np.abs(self.drive)))
        hard = self.neuron.reset == "zero"
        ceiling = np.full(self.size, np.inf)
        if self.neuron.threshold is None:
            reach = np.abs(weight).sum(axis=1) + np.abs(self.drive)
            ceiling = self.room.threshold / np.maximum(ANALOG_TICKS * np.asarray(reach), 1e-12)
        return Demand(
            threshold=np.where(self.forgets, 0.0, self._threshold),
            leak=leak,
            reset=np.where(self.forgets | (not hard), 0.0, np.abs(self.neuron.reset_value)),
            ceiling=ceiling,
        )

    def _registers(self) -> tuple[dict[str, Int64], Int64]:
        neuron, scale, size = self.neuron, self.scale, self.size
        below = self.room.floor if neuron.min_v is None else np.rint(-neuron.min_v * scale)
        values: dict[str, Any] = {
            "beta": np.minimum(below, self.room.floor),
            "kappa": np.ones(size),
            "reversal": self.loses,
            "leak": np.where(self.loses, -np.rint(self._fade * scale), np.rint(self.drive * scale)),
            "gamma": np.full(size, _RESETS[neuron.reset]),
            "reset": np.rint(neuron.reset_value * scale) if neuron.reset == "zero" else np.zeros(size),
        }
        if neuron.threshold is None:
            values |= {"alpha": np.full(size, self.room.threshold), "gamma": np.full(size, dynamics.RESET_NONE)}
        else:
            values["alpha"] = np.minimum(_least_integer(neuron.threshold * scale, neuron.compare), self.room.threshold)
            gate = -_least_integer((neuron.threshold - self.drive) * scale, neuron.compare)
            memoryless: dict[str, Any] = dict.fromkeys(("alpha", "beta", "gamma", "kappa", "reset"), 0)
            memoryless["leak"] = np.clip(gate, -self.room.leak, self.room.leak)
            values |= {name: np.where(self.forgets, value, values[name]) for name, value in memoryless.items()}
        registers = {
            name: np.broadcast_to(np.asarray(value), (size,)).astype(np.int64) for name, value in values.items()
        }
        return registers, np.zeros(size, np.int64)

    def lowered(self) -> list[LoweredPopulation]:
        """The population, after the neurons of its partial sums if there are any."""
        assert self.quantised is not None
        own = LoweredPopulation(
            name=self.name,
            shape=self.population.shape,
            spiking=self.neuron.spiking,
            columns=self.columns,
            tiles=self.quantised.tiles,
            registers=self.registers,
            initial=self.initial,
            owner=self.name,
        )
        return [own] if self.partial is None else [self.partial.population, own]

    # ------------------------------------------------------------------ what a report says

    def _rounded(self) -> sp.csr_array:
        """Weights in chip units by the network's own columns."""
        assert self.quantised is not None
        if self.partial is None:
            return self.quantised.weight
        rows = sp.csr_array(sp.diags_array(self.scale) @ self.partial.weight)
        if self.bias_column is None:
            return rows
        return sp.csr_array(sp.hstack([rows, self.quantised.weight[:, [self.columns[-1].first]]], format="csr"))

    def twin(self) -> Population:
        """The neuron with the rounded numbers, in chip units; an exponential decay stays what it was."""
        neuron, size, registers = self.neuron, self.size, self.registers
        drive = np.where(self.loses | self.forgets, 0.0, registers["leak"]).astype(np.float64)
        if self.bias_column is not None:
            drive = drive + self._rounded()[:, [self.bias_column]].toarray()[:, 0]
        threshold = np.where(self.forgets, -registers["leak"], registers["alpha"]).astype(np.float64)
        floor = int(registers["beta"][~self.forgets].max(initial=0))
        return Population(
            self.name,
            self.population.shape,
            Neuron(
                membrane_decay=np.where(self.forgets, 0.0, np.clip(neuron.membrane_decay, 0.0, 1.0)),
                input_gain=np.ones(size),
                leak_input=drive,
                threshold=None if neuron.threshold is None else threshold,
                reset_value=registers["reset"].astype(np.float64),
                compare="ge",
                reset="subtract" if neuron.reset == "subtract_snntorch" else neuron.reset,
                min_v=None if self.forgets.any() else -float(floor),
                kind=neuron.kind,
            ),
        )

    def twin_projections(self) -> list[Projection]:
        """One projection per source and delay, with rounded weights in chip units."""
        rounded = self._rounded()
        columns = self.columns if self.partial is None else self.partial.population.columns
        found = []
        for block in columns:
            if _is_bias(block.source):
                continue
            part = sp.csr_array(rounded[:, block.first : block.first + block.size])
            stage = Dense(part.toarray()) if part.nnz >= DENSE * part.shape[0] * part.shape[1] else Sparse(part)
            name = f"{block.source} to {self.name} after {block.delay}"
            found.append(Projection(name, block.source, self.name, (stage,), block.delay))
        return found

    def _errors(self) -> FloatArray:
        """Weight errors relative to the population's largest weight."""
        rounded, wanted = self._rounded(), self.weight
        largest = float(np.abs(wanted.data).max(initial=0.0))
        if not largest:
            return np.zeros(1)
        back = sp.csr_array(sp.diags_array(1.0 / self.scale) @ rounded)
        return np.asarray((back - wanted).data / largest) if (back - wanted).nnz else np.zeros(1)

    def late_findings(self) -> Iterator[Finding]:
        """What only the finished numbers tell."""
        rms = float(np.sqrt((self._errors() ** 2).sum() / max(self.weight.nnz, 1)))
        if rms > LARGE_ERROR:
            fan_in = int(np.diff(self.weight.indptr).max(initial=0))
            yield Finding(
                "NE3608",
                f"weights are off by {rms:.1%} of the largest on average: the {self.room.axons} axons of a core are "
                f"{self.room.axons // max(fan_in, 1)} for each of {fan_in} inputs",
                f"population {self.name}",
                (
                    "train with weights of -1, 0 and 1 (see examples/train_trinary_digits.py)",
                    f"prune to {self.room.axons // 4} inputs per neuron",
                ),
                "warning",
            )

    def report(self) -> dict[str, Any]:
        """The population's row of the quantisation report."""
        neuron, registers = self.neuron, self.registers
        error = self._errors()
        above = np.maximum(np.abs(self._threshold) * self.scale, 1.0)
        chip = np.where(self.forgets, -registers["leak"], registers["alpha"])
        wanted = np.where(self.forgets, self._threshold - self.drive, self._threshold) * self.scale
        steady = ~(self.forgets | self.loses)
        bias_error = np.where(steady, np.abs(registers["leak"] - self.drive * self.scale) / above, 0.0)
        threshold_error = np.maximum(np.abs(chip - wanted) - (neuron.compare == "gt"), 0.0) / above
        return {
            "population": self.name,
            "scale": float(np.median(self.scale)),
            "weight_exponent": 0,
            "weight_bits": int(self.room.weight).bit_length() + 1,
            "weight_error_max": float(np.abs(error).max()),
            "weight_error_rms": float(np.sqrt((error**2).sum() / max(self.weight.nnz, 1))),
            "clipped_weights": 0,
            "threshold_float": None if neuron.threshold is None else float(np.median(neuron.threshold)),
            "threshold_chip": None if neuron.threshold is None else int(np.median(chip)),
            "threshold_error": 0.0 if neuron.threshold is None else float(threshold_error.max(initial=0.0)),
            "tau_membrane_ticks": time_constant_ticks(neuron.membrane_decay),
            "tau_membrane_chip_ticks": None,
            "tau_current_ticks": None if neuron.current_decay is None else time_constant_ticks(neuron.current_decay),
            "tau_current_chip_ticks": None,
            "bias_error_max": float(bias_error.max(initial=0.0)),
            "remarks": list(self.remarks),
        }


def _is_bias(source: str) -> bool:
    return source.startswith("bias:")


def _charge(neuron: Neuron) -> FloatArray:
    """What a spike adds over all time through a synaptic current."""
    assert neuron.current_decay is not None
    assert neuron.current_gain is not None
    kept = np.clip(neuron.current_decay, 0.0, 1.0 - 1e-6)
    return np.asarray(neuron.current_gain / (1.0 - kept))


def _least_integer(value: FloatArray, compare: str) -> FloatArray:
    """The smallest whole number that passes a threshold of ``value``; numbers a billionth beside a whole one are whole."""
    whole = np.rint(value)
    value = np.where(np.abs(value - whole) <= 1e-9 * np.maximum(np.abs(value), 1.0), whole, value)
    return np.asarray(np.floor(value) + 1 if compare == "gt" else np.ceil(value))
