"""From a network to a program for a chip, and from a run to the comparison with the float network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.emulator.runner import Progress
from neuroemu.emulator.snapshot_folder import Snapshots
from neuroemu.errors import BadInput, Finding, errors_in
from neuroemu.families import Compiled, Options, load_family
from neuroemu.image.container import write_program
from neuroemu.machine import Machine, Run
from neuroemu.network.connectivity import Conv2d, Dense, Pool2d, Sparse, fold
from neuroemu.network.model import Network, Projection
from neuroemu.network.reference import SimulationResult, simulate
from neuroemu.network.validate import validate
from neuroemu.report.build import build_report
from neuroemu.spec import ChipSpec, load_chip

_KINDS = {Dense: "dense", Sparse: "sparse", Conv2d: "conv", Pool2d: "pool"}

MOST_COMPARED_BINS = 1 << 28
"""Bins (sample, tick, neuron) held in memory for the comparison with the float network."""


@dataclass(frozen=True)
class Deployment:
    """A network compiled for a chip.

    >>> deployment = deploy(load("net.nir"), "loihi1")
    >>> run = deployment.run(spikes)
    """

    network: Network
    chip: ChipSpec
    compiled: Compiled
    file: str | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything worth knowing from loading to mapping."""
        return (*self.network.findings, *self.compiled.findings)

    @cached_property
    def machine(self) -> Machine:
        """A chip with this program in it."""
        return Machine(self.compiled.program)

    def run(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike],
        progress: Progress | None = None,
        probes: Sequence[str] = (),
        snapshots: Snapshots | None = None,
        threads: int = 1,
    ) -> Run:
        """Present samples ``(samples, ticks, *shape)`` of spike counts; see :meth:`neuroemu.machine.Machine.run`."""
        return self.machine.run(inputs, progress, probes, _Description(self, inputs), snapshots, threads)

    def save(self, path: str | Path) -> None:
        """Write the program file."""
        write_program(Path(path), self.compiled.program)


def deploy(
    network: Network,
    chip: str | Path | ChipSpec,
    *,
    partitioner: str | None = None,
    placer: str | None = None,
    seed: int = 0,
    file: str | None = None,
) -> Deployment:
    """Lower, map and pack ``network`` for ``chip`` (a name, a path to a chip file or a loaded chip).

    Args:
        partitioner, placer: algorithms by name; they change cost, never results.
        file: name of the network's file, for the report.

    Raises:
        BadInput: the network is invalid, the chip file is unusable or an algorithm is unknown (NE6015); all problems at once.
        DoesNotFit: the chip cannot hold or compute the network; every limit with the population and by how much.
    """
    spec = chip if isinstance(chip, ChipSpec) else load_chip(str(chip))
    if problems := [*errors_in(validate(network)), *_unknown_algorithms(partitioner, placer)]:
        raise BadInput(problems)
    compiled = load_family(spec.family).compile(network, spec, Options(partitioner, placer, seed))
    return Deployment(network, spec, compiled, file)


def _unknown_algorithms(partitioner: str | None, placer: str | None) -> Iterator[Finding]:
    from neuroemu.mapping.partition import PARTITIONERS
    from neuroemu.mapping.place import PLACERS

    for stage, name, known in (("partitioner", partitioner, PARTITIONERS), ("placer", placer, PLACERS)):
        if name is not None and name not in known:
            yield Finding("NE6015", f"there is no {stage} {name!r}", fixes=(f"use one of {', '.join(known)}",))


@dataclass(frozen=True)
class _Description:
    """Report of a run of a deployment: the network, its mapping and the comparison with the float network."""

    deployment: Deployment
    inputs: Any

    def __call__(self, run: Run, labels: NDArray[np.int64] | None, compared: int) -> dict[str, Any]:
        bins = run.ticks * max(sum(symbol.size for symbol in run.populations), 1)
        count = min(compared, run.complete_samples, max(1, MOST_COMPARED_BINS // bins))
        fidelity = compare_with_float(self.deployment, run, self.inputs, count) if count else None
        return describe(self.deployment, run, fidelity, labels)


def describe(
    deployment: Deployment,
    run: Run | None = None,
    fidelity: Fidelity | None = None,
    labels: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """The report document of a deployment, with or without a run."""
    return build_report(
        chip=deployment.chip,
        network=network_section(deployment.network, deployment.compiled, deployment.file),
        mapping=deployment.compiled.mapping,
        rounding=deployment.compiled.rounding,
        findings=deployment.findings,
        run=run,
        fidelity=fidelity,
        labels=labels,
    )


def network_section(network: Network, compiled: Compiled, file: str | None) -> dict[str, Any]:
    """What was loaded."""
    guess = [finding for finding in network.findings if finding.code == "NE1030"]
    return {
        "name": network.name,
        "file": file,
        "dialect": {
            "name": network.dialect,
            "origin": "guessed" if guess else "given",
            "reasons": [finding.message.partition(", because ")[2] or finding.message for finding in guess],
        }
        if network.dialect
        else None,
        "dt_s": network.dt_s,
        "neurons": network.neuron_count,
        "synapses": sum(_synapses(projection) for projection in network.projections),
        "populations": [
            {
                "name": population.name,
                "kind": "input" if population.neuron is None else population.neuron.kind,
                "shape": list(population.shape),
                "neurons": population.size,
                "tick_offset": compiled.tick_offsets.get(population.name, 0),
                "is_input": population.is_input,
                "is_output": population.name in network.outputs,
            }
            for population in network.populations.values()
        ],
        "projections": [
            {
                "name": projection.name,
                "source": projection.source,
                "target": projection.target,
                "kind": "+".join(_KINDS[type(stage)] for stage in projection.stages if type(stage) in _KINDS)
                or "direct",
                "synapses": _synapses(projection),
                "delay_ticks": projection.delay_ticks,
            }
            for projection in network.projections
        ],
    }


def _synapses(projection: Projection) -> int:
    return fold(projection.stages).synapse_count


@dataclass(frozen=True)
class LayerFidelity:
    """How far one population is from the float network.

    ``first_divergence`` is (sample, tick, neuron, float count, chip count) of the first differing bin, in time order of the
    sample in which it occurs first.
    """

    population: str
    spikes_float: int
    spikes_quantised: int
    spikes_chip: int
    bins: int
    differing_bins_float_chip: int
    differing_bins_quantised_chip: int
    first_divergence: tuple[int, int, int, int, int] | None
    dead: bool
    saturated: bool


@dataclass(frozen=True)
class Fidelity:
    """Float network, its twin with rounded numbers and the chip side by side."""

    samples: int
    layers: tuple[LayerFidelity, ...]
    float_predictions: NDArray[np.int64]
    quantised_predictions: NDArray[np.int64]


def compare_with_float(
    deployment: Deployment, run: Run, inputs: Mapping[str, NDArray[Any]] | ArrayLike, samples: int
) -> Fidelity:
    """Simulate the float network and its rounded twin on the first ``samples`` samples and hold the chip against both."""
    part = _first_samples(inputs, samples)
    original = simulate(deployment.network, part)
    quantised = simulate(deployment.compiled.quantised, part)
    layers = tuple(
        _layer_fidelity(symbol.name, original, quantised, run.spikes(symbol.name)[:samples])
        for symbol in run.populations
        if symbol.spiking
    )
    return Fidelity(samples, layers, _predictions(deployment, original), _predictions(deployment, quantised))


def _first_samples(inputs: Mapping[str, Any] | ArrayLike, samples: int) -> Any:
    if isinstance(inputs, Mapping):
        return {name: np.asarray(array)[:samples] for name, array in inputs.items()}
    return np.asarray(inputs)[:samples]


def _predictions(deployment: Deployment, result: SimulationResult) -> NDArray[np.int64]:
    output = result.output_of(deployment.network.outputs[0])
    return np.asarray(np.argmax(output.sum(axis=1), axis=1), np.int64)


def _layer_fidelity(
    name: str, original: SimulationResult, quantised: SimulationResult, chip: NDArray[np.uint8]
) -> LayerFidelity:
    wanted, rounded = original.output_of(name), quantised.output_of(name)
    differing = wanted != chip
    first = None
    if differing.any():
        sample, tick, neuron = (int(index) for index in np.argwhere(differing)[0])
        first = (sample, tick, neuron, int(wanted[sample, tick, neuron]), int(chip[sample, tick, neuron]))
    spikes = int(chip.sum(dtype=np.int64))
    return LayerFidelity(
        population=name,
        spikes_float=int(wanted.sum(dtype=np.int64)),
        spikes_quantised=int(rounded.sum(dtype=np.int64)),
        spikes_chip=spikes,
        bins=int(chip.size),
        differing_bins_float_chip=int(differing.sum()),
        differing_bins_quantised_chip=int((rounded != chip).sum()),
        first_divergence=first,
        dead=spikes == 0,
        saturated=bool(chip.size) and bool(chip.all()),
    )
