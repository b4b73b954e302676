"""Everything wrong with a logical network, listed at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import Finding
from neuroemu.network.connectivity import Connectivity, Conv2d, Dense, Pool2d, Scale, Sparse
from neuroemu.network.graph import loops, nearest_name, reachable, strong_components
from neuroemu.network.model import PARAMETERS, Network, Neuron, Population, Projection

FloatArray = NDArray[np.float64]


def validate(network: Network) -> tuple[Finding, ...]:
    """All findings about ``network``: errors (unusable), warnings (changes results or cost) and notes.

    Shapes, weights and loops are examined on what exists, so one missing name hides nothing else.
    """
    findings = [*_of_names(network), *_of_order(network)]
    for population in network.populations.values():
        findings += _of_population(population)
    for projection in network.projections:
        findings += _of_projection(projection, network)
    findings += _of_reach(network)
    return tuple(findings)


def _of_names(network: Network) -> Iterator[Finding]:
    known = network.populations
    if not (np.isfinite(network.dt_s) and network.dt_s > 0):
        yield Finding("NE1114", f"the network's step dt_s is {network.dt_s}, it must be positive seconds")
    for role, names in (("input", network.inputs), ("output", network.outputs)):
        if not names:
            yield Finding("NE1110", f"the network names no {role}", fixes=(f"name at least one {role} population",))
        for name in names:
            if name not in known:
                yield _unknown(name, known, f"the {role} list")
            elif role == "input" and not known[name].is_input:
                yield Finding("NE1110", "is listed as an input but has a neuron model", f"population {name}")
    for name, population in known.items():
        if name != population.name:
            yield Finding("NE1110", f"is filed under the name {name!r}", f"population {population.name}")
        if population.is_input and name not in network.inputs:
            yield Finding("NE1110", "has no neuron model and is not listed as an input", f"population {name}")
    seen: set[str] = set()
    for projection in network.projections:
        place = f"projection {projection.name}"
        if projection.name in seen:
            yield Finding("NE1116", "two projections have this name", place)
        seen.add(projection.name)
        for end in (projection.source, projection.target):
            if end not in known:
                yield _unknown(end, known, place)
        target = known.get(projection.target)
        if target is not None and target.is_input:
            yield Finding("NE1115", f"ends in the input {target.name}, whose spikes come from outside", place)
        if projection.delay_ticks < 0:
            yield Finding("NE1109", f"has a delay of {projection.delay_ticks} ticks, a delay cannot be negative", place)


def _unknown(name: str, known: Mapping[str, Population], where: str) -> Finding:
    nearest = nearest_name(name, known)
    fixes = (f"did you mean {nearest!r}?",) if nearest else ()
    return Finding("NE1101", f"there is no population {name!r}; there are {', '.join(known) or 'none'}", where, fixes)


def _of_order(network: Network) -> Iterator[Finding]:
    names = list(network.populations)
    instant = [(p.source, p.target) for p in network.projections if p.delay_ticks == 0 and not _always_delayed(p)]
    cycles = loops(names, instant)
    for cycle in cycles:
        yield Finding(
            "NE1108",
            f"the loop {' -> '.join((*cycle, cycle[0]))} has no delay, so no tick could ever be computed",
            f"population {cycle[0]}",
            ("give the feedback projection delay_ticks=1",),
        )
    rank = {name: position for position, name in enumerate(names)}
    if not cycles:
        for source, target in instant:
            if source in rank and target in rank and rank[source] > rank[target]:
                order = ", ".join(name for part in strong_components(names, instant) for name in part)
                yield Finding("NE1111", f"{target} is listed before its source {source}", fixes=(f"list: {order}",))
                return


def _always_delayed(projection: Projection) -> bool:
    return any(
        isinstance(stage, Sparse) and stage.delay is not None and stage.delay.size > 0 and int(stage.delay.min()) > 0
        for stage in projection.stages
    )


def _of_population(population: Population) -> Iterator[Finding]:
    place = f"population {population.name}"
    if not population.shape or any(int(side) < 1 for side in population.shape):
        yield Finding("NE1102", f"has the shape {population.shape}; every side must be at least 1", place)
    if population.neuron is not None:
        yield from _of_neuron(population.neuron, population.size, place)


def _of_neuron(neuron: Neuron, size: int, place: str) -> Iterator[Finding]:
    arrays = {name: getattr(neuron, name) for name in PARAMETERS if getattr(neuron, name) is not None}
    for name, values in arrays.items():
        if values.shape != (size,):
            yield Finding("NE1104", f"{name} has shape {values.shape}, the population needs ({size},)", place)
        broken = np.isnan(values) if name == "threshold" else ~np.isfinite(values)
        if broken.any():
            yield Finding("NE1112", f"{name} is not finite in {int(broken.sum())} of {values.size} neurons", place)
    if (neuron.current_decay is None) != (neuron.current_gain is None):
        yield Finding("NE1104", "current_decay and current_gain must be given together", place)
    for name in ("membrane_decay", "current_decay"):
        if name in arrays:
            yield from _of_decay(name, arrays[name], place)
    if neuron.threshold is not None:
        yield from _of_firing(neuron, neuron.threshold, place)
    if neuron.refractory_ticks < 0:
        yield Finding("NE1109", f"refractory_ticks is {neuron.refractory_ticks}, it cannot be negative", place)


def _of_decay(name: str, decay: FloatArray, place: str) -> Iterator[Finding]:
    unstable = np.abs(decay) > 1
    negative = (decay < 0) & ~unstable
    if unstable.any():
        yield Finding(
            "NE1106",
            f"{name} is {decay[unstable][0]:.6g} in {int(unstable.sum())} of {decay.size} neurons: the state would "
            "grow without bound",
            place,
            ("check the step: under forward Euler a decay below -1 means tau < dt/2", "check the dialect"),
        )
    if negative.any():
        yield Finding(
            "NE1106",
            f"{name} is {decay[negative][0]:.6g} in {int(negative.sum())} of {decay.size} neurons (tau shorter than "
            "the step): the state changes sign in every tick and most chips cannot do that",
            place,
            ("use decay=exp or a shorter step",),
            "warning",
        )


def _of_firing(neuron: Neuron, threshold: FloatArray, place: str) -> Iterator[Finding]:
    low = threshold <= 0
    if low.any() and neuron.kind != "threshold":
        yield Finding(
            "NE1105",
            f"the threshold is {threshold[low][0]:.6g} in {int(low.sum())} of {threshold.size} neurons, it must be "
            "positive",
            place,
            ("a neuron with threshold <= 0 fires without input; remove it or shift v_leak and v_reset",),
        )
    if neuron.reset == "zero" and neuron.reset_value.shape == threshold.shape:
        stuck = (neuron.reset_value >= threshold) & ~low
        if stuck.any():
            yield Finding(
                "NE1119",
                f"the reset value is not below the threshold in {int(stuck.sum())} of {threshold.size} neurons: once "
                "they fire they may fire for ever",
                place,
                severity="warning",
            )
    if neuron.min_v is not None and not neuron.min_v <= 0:
        yield Finding("NE1112", f"min_v is {neuron.min_v}, but every membrane starts at 0", place)


def _of_projection(projection: Projection, network: Network) -> Iterator[Finding]:
    place = f"projection {projection.name}"
    source, target = network.populations.get(projection.source), network.populations.get(projection.target)
    if not projection.stages:
        yield Finding("NE1102", "has no stage", place, ("use Scale(ones) for a direct edge",))
    width, giver = (source.size, f"source {source.name}") if source is not None else (None, "")
    for number, stage in enumerate(projection.stages):
        name = f"stage {number} ({type(stage).__name__})"
        problems = list(_of_stage(stage, name, place))
        yield from problems
        if any(problem.code in ("NE1118", "NE1117") for problem in problems):
            width = None
            continue
        if width is not None and stage.n_in != width:
            yield Finding("NE1102", f"{name} takes {stage.n_in} values {stage.in_shape}, {giver} gives {width}", place)
        width, giver = stage.n_out, name
    if target is not None and width is not None and width != target.size:
        yield Finding(
            "NE1102", f"gives {width} values, the target {target.name} {target.shape} has {target.size}", place
        )
    if projection.bias is not None:
        if target is not None and projection.bias.shape != (target.size,):
            yield Finding(
                "NE1102", f"the bias has shape {projection.bias.shape}, the target needs ({target.size},)", place
            )
        if not np.isfinite(projection.bias).all():
            yield _not_finite("the bias", projection.bias, place)


def _of_stage(stage: Connectivity, name: str, place: str) -> Iterator[Finding]:
    if isinstance(stage, Pool2d):
        above, beside = stage.padding
        padding = (above, above, beside, beside)
        yield from _of_window(name, place, stage.in_shape, stage.kernel, stage.stride, (1, 1), padding)
        return
    weight = _values_of(stage)
    expected = {Dense: 2, Conv2d: 4, Scale: 1, Sparse: 1}[type(stage)]
    if weight.ndim != expected:
        yield Finding("NE1118", f"{name}: the weight has {weight.ndim} axes, it needs {expected}", place)
        return
    if not np.isfinite(weight).all():
        yield _not_finite(f"{name}: the weight", weight, place)
    if isinstance(stage, Sparse) and stage.delay is not None:
        if stage.delay.shape != stage.weight.data.shape:
            yield Finding("NE1117", f"{name}: {stage.delay.size} delays for {stage.weight.nnz} synapses", place)
        elif stage.delay.size and int(stage.delay.min()) < 0:
            yield Finding("NE1109", f"{name}: a synapse delay of {int(stage.delay.min())} ticks", place)
    if isinstance(stage, Conv2d):
        channels = stage.in_shape[0]
        out_channels, per_group = stage.weight.shape[:2]
        if stage.groups < 1 or out_channels % stage.groups or per_group * stage.groups != channels:
            yield Finding(
                "NE1118",
                f"{name}: {stage.groups} groups of {per_group} input channels do not make {channels}, or do not divide "
                f"{out_channels} output channels",
                place,
            )
        kernel = stage.weight.shape[2:]
        yield from _of_window(name, place, stage.in_shape, kernel, stage.stride, stage.dilation, stage.padding)


def _values_of(stage: Dense | Sparse | Conv2d | Scale) -> FloatArray:
    if isinstance(stage, Scale):
        return stage.factor
    return np.asarray(stage.weight.data) if isinstance(stage, Sparse) else stage.weight


def _of_window(
    name: str, place: str, in_shape: tuple[int, int, int], kernel: tuple[int, ...], stride: tuple[int, int],
    dilation: tuple[int, int], padding: tuple[int, ...],
) -> Iterator[Finding]:  # fmt: skip
    """A sliding window must have positive sides and steps and fit the padded image at least once."""
    if min(*kernel, *stride, *dilation, *in_shape) < 1 or min(padding) < 0:
        yield Finding(
            "NE1118", f"{name}: kernel, stride, dilation and image sides must be positive, padding not below 0", place
        )
        return
    for axis, around in enumerate((padding[:2], padding[2:])):
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        if reach > in_shape[1 + axis] + sum(around):
            yield Finding(
                "NE1118",
                f"{name}: the kernel spans {reach} pixels, the padded image has {in_shape[1 + axis] + sum(around)}",
                place,
            )


def _not_finite(what: str, values: FloatArray, place: str) -> Finding:
    bad = int((~np.isfinite(values)).sum())
    return Finding(
        "NE1103",
        f"{what} is NaN or infinite in {bad} of {values.size} places",
        place,
        ("the training diverged or the export failed: export again from a finite checkpoint",),
    )


def _of_reach(network: Network) -> Iterator[Finding]:
    edges = [(projection.source, projection.target) for projection in network.projections]
    driven = reachable(network.inputs, edges)
    read = reachable(network.outputs, [(b, a) for a, b in edges])
    for name, population in network.populations.items():
        place = f"population {name}"
        if name not in driven and not population.is_input:
            yield Finding(
                "NE1107", "no input reaches it: only its bias and leak can drive it", place,
                ("connect it or remove it",), "warning",
            )  # fmt: skip
        if name not in read:
            yield Finding(
                "NE1113", "reaches no output: it costs neurons and energy for nothing", place,
                ("connect it, read it or remove it",), "warning",
            )  # fmt: skip
