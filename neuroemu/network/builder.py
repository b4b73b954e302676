"""A small Python way to write a network down: populations by name, typed connections, one ``build()``.

::

    from neuroemu.network.builder import NetworkBuilder
    from neuroemu.network.neurons import lif

    builder = NetworkBuilder("edge detector", dt_s=1e-3)
    builder.input("retina", (1, 8, 8))
    builder.population("edges", (4, 6, 6), lif(tau_mem_s=10e-3, dt_s=1e-3, threshold=1.0))
    builder.conv2d("retina", "edges", weight)          # (4, 1, 3, 3)
    network = builder.output("edges").build()
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from neuroemu.errors import BadInput, Finding, errors_in
from neuroemu.network.connectivity import Connectivity, Conv2d, Dense, Pool2d, Scale, Sparse, identity
from neuroemu.network.graph import nearest_name, topological_order
from neuroemu.network.model import Network, Neuron, Population, Projection
from neuroemu.network.validate import validate


def assemble(network: Network) -> Network:
    """Bring the populations into topological order and check everything.

    Returns the network with warnings and notes of the check appended to ``findings``.

    Raises:
        BadInput: every error :func:`~neuroemu.network.validate.validate` finds.
    """
    instant = [(p.source, p.target) for p in network.projections if p.delay_ticks == 0]
    order = topological_order(list(network.populations), instant)
    ordered = replace(network, populations={name: network.populations[name] for name in order})
    findings = validate(ordered)
    if errors := errors_in(findings):
        raise BadInput(errors)
    return replace(ordered, findings=(*network.findings, *findings))


class NetworkBuilder:
    """Collects populations and projections; methods return the builder, :meth:`build` reports the mistakes."""

    def __init__(self, name: str, *, dt_s: float):
        self._name = name
        self._dt_s = dt_s
        self._populations: dict[str, Population] = {}
        self._projections: list[Projection] = []
        self._inputs: list[str] = []
        self._outputs: list[str] = []
        self._findings: list[Finding] = []

    def input(self, name: str, shape: tuple[int, ...]) -> NetworkBuilder:
        """A population whose spikes come from outside."""
        self._inputs.append(name)
        return self._add(Population(name, shape))

    def population(self, name: str, shape: tuple[int, ...], neuron: Neuron) -> NetworkBuilder:
        """``neuron`` of size 1 is used for every place of ``shape`` (C order)."""
        population = Population(name, shape)
        if neuron.size == 1 and population.size > 1:
            neuron = neuron.spread(population.size)
        return self._add(replace(population, neuron=neuron))

    def output(self, *names: str) -> NetworkBuilder:
        """Populations whose spikes (or membranes, when analog) are the network's answer."""
        self._outputs.extend(names)
        return self

    def connect(
        self,
        source: str,
        target: str,
        *stages: Connectivity,
        bias: ArrayLike | None = None,
        delay_ticks: int = 0,
        name: str | None = None,
    ) -> NetworkBuilder:
        """Linear stages in order; ``delay_ticks`` 0 acts in the tick of the spike, 1 is the shortest feedback."""
        values = None if bias is None else np.asarray(bias, float)
        title = name if name is not None else self._free_name(f"{source}->{target}")
        self._projections.append(Projection(title, source, target, stages, delay_ticks, values))
        return self

    def dense(
        self, source: str, target: str, weight: ArrayLike, *, bias: ArrayLike | None = None, delay_ticks: int = 0
    ) -> NetworkBuilder:
        """``weight`` is ``(target size, source size)``."""
        return self.connect(source, target, Dense(np.asarray(weight, float)), bias=bias, delay_ticks=delay_ticks)

    def sparse(
        self,
        source: str,
        target: str,
        weight: sp.csr_array,
        *,
        delay: ArrayLike | None = None,
        bias: ArrayLike | None = None,
        delay_ticks: int = 0,
    ) -> NetworkBuilder:
        """``weight`` is a sparse ``(target size, source size)`` matrix; ``delay`` ticks per synapse in CSR order."""
        per_synapse = None if delay is None else np.asarray(delay, np.int64)
        stage = Sparse(sp.csr_array(weight, dtype=float), per_synapse)
        return self.connect(source, target, stage, bias=bias, delay_ticks=delay_ticks)

    def conv2d(
        self,
        source: str,
        target: str,
        weight: ArrayLike,
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int, int, int] = (0, 0, 0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        bias: ArrayLike | None = None,
        delay_ticks: int = 0,
    ) -> NetworkBuilder:
        """``weight`` is ``(out_channels, in_channels // groups, kernel_h, kernel_w)``; ``bias`` per output channel."""
        shape = self._image_shape(source)
        if shape is None:
            return self
        stage = Conv2d(np.asarray(weight, float), shape, stride, padding, dilation, groups)
        per_neuron = None
        if bias is not None:
            per_neuron = np.repeat(np.asarray(bias, float), stage.out_shape[1] * stage.out_shape[2])
        return self.connect(source, target, stage, bias=per_neuron, delay_ticks=delay_ticks)

    def pool2d(
        self,
        source: str,
        target: str,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] | None = None,
        average: bool = False,
    ) -> NetworkBuilder:
        """Sum (or average) pooling straight into the target's input."""
        shape = self._image_shape(source)
        if shape is None:
            return self
        return self.connect(source, target, Pool2d("average" if average else "sum", shape, kernel, stride or kernel))

    def one_to_one(self, source: str, target: str, weight: ArrayLike = 1.0, *, delay_ticks: int = 0) -> NetworkBuilder:
        """Neuron k drives neuron k with ``weight`` (a scalar or one value per neuron)."""
        known = self._populations.get(source)
        size = known.size if known is not None else 1
        factor = identity(size).factor * np.asarray(weight, float)
        return self.connect(source, target, Scale(factor), delay_ticks=delay_ticks)

    def build(self, *, dialect: str = "") -> Network:
        """The checked network, populations in topological order.

        Raises:
            BadInput: everything that is wrong, at once.
        """
        network = Network(
            name=self._name,
            populations=self._populations,
            projections=tuple(self._projections),
            inputs=tuple(self._inputs),
            outputs=tuple(self._outputs),
            dt_s=self._dt_s,
            dialect=dialect,
        )
        if self._findings:
            raise BadInput([*self._findings, *errors_in(validate(network))])
        return assemble(network)

    def _add(self, population: Population) -> NetworkBuilder:
        if population.name in self._populations:
            self._findings.append(Finding("NE1116", "two populations have this name", f"population {population.name}"))
        self._populations[population.name] = population
        return self

    def _free_name(self, wanted: str) -> str:
        taken = {projection.name for projection in self._projections}
        number = 1
        name = wanted
        while name in taken:
            number += 1
            name = f"{wanted}#{number}"
        return name

    def _image_shape(self, source: str) -> tuple[int, int, int] | None:
        """``(channels, height, width)`` of a source population, or None after noting the mistake."""
        population = self._populations.get(source)
        if population is None:
            nearest = nearest_name(source, self._populations)
            fixes = (f"did you mean {nearest!r}?",) if nearest else ("declare it before connecting it",)
            self._findings.append(Finding("NE1101", f"there is no population {source!r} yet", fixes=fixes))
            return None
        if len(population.shape) != 3:
            message = f"has the shape {population.shape}, convolution and pooling need (channels, height, width)"
            self._findings.append(Finding("NE1102", message, f"population {source}"))
            return None
        return (population.shape[0], population.shape[1], population.shape[2])
