"""The float64 reference: what the trained network itself computes, tick by tick, before any chip rounds anything.

Feed-forward parts are evaluated layer by layer over all ticks at once; only populations on a feedback loop advance
together tick by tick. Update rules follow NIR's equations and the reset rules of the training frameworks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.network.coding import input_counts
from neuroemu.network.connectivity import Folded, Sparse, fold
from neuroemu.network.graph import nearest_name, strong_components, topological_order
from neuroemu.network.model import Network, Neuron, Projection

FloatArray = NDArray[np.float64]
VALUES_AT_ONCE = 4_000_000
"""Samples are simulated in batches of about this many (tick, sample, neuron) values, which bounds memory."""


@dataclass(frozen=True)
class SimulationResult:
    """What every population did; arrays are ``(samples, ticks, size)``.

    Attributes:
        spikes: counts per tick of the spiking populations, uint8 (int32 where a count exceeds 255).
        values: output ``v`` of analog populations (read-outs, leaky integrators), float64.
        membranes: ``v`` as stored at the end of each tick (after a reset in the same tick), float64, on request.
        inputs: the input counts that were presented.
    """

    spikes: Mapping[str, NDArray[Any]]
    values: Mapping[str, FloatArray]
    membranes: Mapping[str, FloatArray]
    inputs: Mapping[str, NDArray[Any]]

    def output_of(self, population: str) -> NDArray[Any]:
        """Spike counts, analog values or presented inputs of one population."""
        for outputs in (self.spikes, self.values, self.inputs):
            if population in outputs:
                return outputs[population]
        raise KeyError(population)


def simulate(
    network: Network, inputs: ArrayLike | Mapping[str, ArrayLike], record: Iterable[str] | None = None
) -> SimulationResult:
    """Run every sample from zero state.

    Args:
        network: a valid network (see :func:`neuroemu.network.validate.validate`).
        inputs: ``(samples, ticks, *input shape)`` counts or currents; a mapping when there are several inputs.
        record: populations whose membranes are wanted.

    Raises:
        BadInput: inputs that do not fit (NE1131), unknown population in ``record`` (NE1130).
    """
    counts = input_counts(network, inputs)
    asked = _checked_record(network, record)
    samples, ticks = next(iter(counts.values())).shape[:2]
    plan = _Plan(network)
    widest = ticks * max(sum(population.size for population in network.populations.values()), 1)
    batch = max(1, VALUES_AT_ONCE // max(widest, 1))
    outputs: dict[str, list[FloatArray]] = {name: [] for name in plan.order}
    membranes: dict[str, list[FloatArray]] = {name: [] for name in asked}
    for start in range(0, samples, batch):
        part = {name: array[start : start + batch] for name, array in counts.items()}
        done, potential = plan.run(part, asked)
        for name in outputs:
            outputs[name].append(done[name].transpose(1, 0, 2))
        for name in asked:
            membranes[name].append(potential[name].transpose(1, 0, 2))

    def joined(parts: list[FloatArray], name: str) -> FloatArray:
        return np.concatenate(parts) if parts else np.zeros((0, ticks, network.populations[name].size))

    spiking = {name: bool(neuron.spiking) for name, neuron in plan.neurons.items()}
    return SimulationResult(
        spikes={name: _as_counts(joined(parts, name)) for name, parts in outputs.items() if spiking[name]},
        values={name: joined(parts, name) for name, parts in outputs.items() if not spiking[name]},
        membranes={name: joined(parts, name) for name, parts in membranes.items()},
        inputs=counts,
    )


def _checked_record(network: Network, record: Iterable[str] | None) -> tuple[str, ...]:
    asked = tuple(record or ())
    findings = []
    for name in asked:
        known = network.populations.get(name)
        if known is None or known.is_input:
            candidates = [other for other, population in network.populations.items() if not population.is_input]
            nearest = nearest_name(name, candidates)
            fixes = (f"did you mean {nearest!r}?",) if nearest else ()
            findings.append(Finding("NE1130", f"there is no neuron population {name!r} to record", fixes=fixes))
    if findings:
        raise BadInput(findings)
    return asked


def _as_counts(spikes: FloatArray) -> NDArray[Any]:
    return spikes.astype(np.uint8 if spikes.max(initial=0) <= 255 else np.int32)


@dataclass(frozen=True)
class _Synapses:
    """One folded map with one delay."""

    source: str
    weights: Folded
    delay: int


class _Plan:
    """The order of evaluation and the folded projections of one network."""

    def __init__(self, network: Network):
        self.populations = network.populations
        self.neurons: dict[str, Neuron] = {
            name: population.neuron for name, population in network.populations.items() if population.neuron is not None
        }
        names = list(network.populations)
        every_edge = [(projection.source, projection.target) for projection in network.projections]
        parts = strong_components(names, every_edge)
        self.parts = tuple(part for part in parts if part[0] in self.neurons)
        self.order = tuple(name for part in self.parts for name in part)
        self.bias: dict[str, FloatArray] = {}
        self.synapses: dict[str, list[_Synapses]] = {name: [] for name in self.neurons}
        for projection in network.projections:
            self.synapses[projection.target].extend(_delayed_parts(projection))
            if projection.bias is not None:
                before = self.bias.get(projection.target, np.zeros(network.populations[projection.target].size))
                self.bias[projection.target] = before + projection.bias

    def run(
        self, counts: Mapping[str, NDArray[Any]], asked: tuple[str, ...]
    ) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        """Outputs and asked membranes, time first: ``(ticks, samples, size)``."""
        outputs = {name: array.astype(np.float64).transpose(1, 0, 2) for name, array in counts.items()}
        ticks, samples = next(iter(outputs.values())).shape[:2]
        membranes: dict[str, FloatArray] = {}
        for part in self.parts:
            drive = {name: self._drive_from_outside(name, part, outputs, ticks, samples) for name in part}
            states = {name: _State(self.neurons[name], samples) for name in part}
            for name in part:
                outputs[name] = np.zeros((ticks, samples, self.populations[name].size))
                if name in asked:
                    membranes[name] = np.empty_like(outputs[name])
            inner = {name: [s for s in self.synapses[name] if s.source in part] for name in part}
            instant = [(s.source, name) for name in part for s in inner[name] if s.delay == 0]
            order = topological_order(part, instant)
            for tick in range(ticks):
                for name in order:
                    x = drive[name][tick]
                    for synapses in inner[name]:
                        if tick >= synapses.delay:
                            x = x + synapses.weights.apply(outputs[synapses.source][tick - synapses.delay])
                    outputs[name][tick] = states[name].advance(x)
                    if name in asked:
                        membranes[name][tick] = states[name].v
        return outputs, membranes

    def _drive_from_outside(
        self, name: str, part: tuple[str, ...], outputs: Mapping[str, FloatArray], ticks: int, samples: int
    ) -> FloatArray:
        """Summed synaptic input of all ticks from populations that are already complete, plus the biases."""
        drive = np.zeros((ticks, samples, self.populations[name].size))
        for synapses in self.synapses[name]:
            if synapses.source not in part and synapses.delay < ticks:
                drive[synapses.delay :] += synapses.weights.apply(outputs[synapses.source][: ticks - synapses.delay])
        if name in self.bias:
            drive += self.bias[name]
        return drive


def _delayed_parts(projection: Projection) -> Iterator[_Synapses]:
    folded = fold(projection.stages)
    if isinstance(folded, Sparse):
        for delay, weights in folded.by_delay():
            yield _Synapses(projection.source, weights, projection.delay_ticks + delay)
    else:
        yield _Synapses(projection.source, folded, projection.delay_ticks)


class _State:
    """Membranes, currents and refractory counters of one population for a batch of samples."""

    def __init__(self, neuron: Neuron, samples: int):
        self.neuron = neuron
        self.v: FloatArray = np.zeros((samples, neuron.size))
        self.i: FloatArray | None = np.zeros_like(self.v) if neuron.current_decay is not None else None
        self.refractory = np.zeros(self.v.shape, dtype=np.int64) if neuron.refractory_ticks else None

    def advance(self, x: FloatArray) -> FloatArray:
        """One tick with summed input ``x`` ``(samples, size)``; returns spike counts, or ``v`` of an analog neuron."""
        neuron = self.neuron
        if self.i is not None and neuron.current_decay is not None and neuron.current_gain is not None:
            self.i = neuron.current_decay * self.i + neuron.current_gain * x
            x = self.i
        drive = neuron.leak_input + neuron.input_gain * x
        if neuron.threshold is None:
            self.v = self._clipped(neuron.membrane_decay * self.v + drive)
            return self.v
        if neuron.reset_delay:
            return self._late_reset(drive, neuron.threshold)
        if neuron.reset == "subtract_snntorch":
            return self._snntorch_subtract(drive, neuron.threshold)
        v = self._held(neuron.membrane_decay * self.v + drive)
        spikes = self._fired(v, neuron.threshold)
        self.v = self._clipped(self._reset(v, spikes, neuron.threshold))
        return spikes

    def _fired(self, v: FloatArray, threshold: FloatArray) -> FloatArray:
        """Spike counts: 0 or 1, or how many thresholds fit into ``v`` when several spikes per tick are allowed."""
        neuron = self.neuron
        if neuron.multispike:
            fitting = np.trunc(v / threshold) if neuron.compare == "ge" else np.ceil(v / threshold) - 1.0
            spikes = np.where(v > 0, fitting, 0.0)
        else:
            spikes = (v >= threshold if neuron.compare == "ge" else v > threshold).astype(np.float64)
        if self.refractory is not None:
            spikes = np.where(self.refractory > 0, 0.0, spikes)
            self.refractory = np.where(spikes > 0, neuron.refractory_ticks, np.maximum(self.refractory - 1, 0))
        return spikes

    def _reset(self, v: FloatArray, spikes: FloatArray, threshold: FloatArray) -> FloatArray:
        if self.neuron.reset == "zero":
            return np.where(spikes > 0, self.neuron.reset_value, v)
        return v - spikes * threshold if self.neuron.reset == "subtract" else v

    def _late_reset(self, drive: FloatArray, threshold: FloatArray) -> FloatArray:
        """snnTorch ``reset_delay=True``: the reset of a spike is applied at the start of the next tick."""
        neuron = self.neuron
        over = self.v >= threshold if neuron.compare == "ge" else self.v > threshold
        if neuron.reset == "zero":
            v = neuron.membrane_decay * np.where(over, neuron.reset_value, self.v) + drive
        else:
            v = neuron.membrane_decay * self.v + drive - over * threshold
        self.v = self._clipped(self._held(v))
        return self._fired(self.v, threshold)

    def _snntorch_subtract(self, drive: FloatArray, threshold: FloatArray) -> FloatArray:
        """snnTorch ``reset_delay=False``, soft: a residual above threshold is subtracted before the comparison too."""
        neuron = self.neuron
        over = (self.v >= threshold if neuron.compare == "ge" else self.v > threshold).astype(np.float64)
        v = self._held(neuron.membrane_decay * self.v + drive - over * threshold)
        spikes = self._fired(v, threshold)
        self.v = self._clipped(v - (spikes - over) * threshold)
        return spikes

    def _held(self, v: FloatArray) -> FloatArray:
        if self.refractory is None:
            return v
        return np.where(self.refractory > 0, self.neuron.reset_value, v)

    def _clipped(self, v: FloatArray) -> FloatArray:
        return v if self.neuron.min_v is None else np.maximum(v, self.neuron.min_v)
