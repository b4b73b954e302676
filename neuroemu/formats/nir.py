"""NIR files (Neuromorphic Intermediate Representation, HDF5) to a logical network.

An edge neuron -> linear nodes -> neuron becomes one projection with the linear nodes as stages; their biases are pushed
through the later stages to the target. Feedback reads the previous tick's spikes, as in every training framework. What
the file does not say (step, decay rule, reset) comes from a :class:`~neuroemu.formats.dialects.Dialect`.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding, errors_in
from neuroemu.formats.dialects import (
    DT_ASSUMED_S,
    Dialect,
    FileEvidence,
    Guess,
    guess_dialect,
    named_dialect,
    override,
    rockpool_step,
    unit_step,
)
from neuroemu.formats.nir_file import RawNode, read_nir_file
from neuroemu.formats.nir_graph import FlatGraph, flatten
from neuroemu.formats.nir_nodes import FIELDS, LINEAR_TYPES, MOST_VALUES, NEURON_TYPES, LinearNode, NodeReader
from neuroemu.network.builder import assemble
from neuroemu.network.connectivity import Connectivity, Scale, Shape, apply_stages, identity
from neuroemu.network.graph import distances, loops, strong_components
from neuroemu.network.model import Network, Population, Projection
from neuroemu.network.neurons import readout

FloatArray = NDArray[np.float64]
MOST_PATHS = 10_000
MOST_DELAYS = 256
MOST_DELAY_TICKS = 1_000_000


def load_nir(path: str | Path, dialect: str | Dialect = "auto", dt_s: float | None = None, **overrides: Any) -> Network:
    """Read a NIR file.

    Args:
        path: the ``.nir`` file.
        dialect: a preset name (:data:`~neuroemu.formats.dialects.PRESETS`), ``auto`` (guess, and say why in the
            findings) or a :class:`Dialect`.
        dt_s: seconds per step, overriding the dialect's.
        **overrides: single dialect keys (``reset="subtract"``, ``min_v=-1.0``, …).

    Returns:
        The network; ``dialect`` names the preset, ``findings`` holds the guess, warnings and notes.

    Raises:
        BadInput: every problem found, each with ``file:/node/nodes/…``.
    """
    file = Path(path)
    raw = read_nir_file(file, FIELDS)
    if raw.root.type != "NIRGraph":
        raise BadInput(Finding("NE1010", f"the root node is a {raw.root.type}, not a NIRGraph", f"{file}:/node"))
    flat = flatten(raw.root, str(file))
    if errors := errors_in(flat.findings):
        raise BadInput(errors)
    reader = NodeReader(str(file))
    layout = _lay_out(flat, reader)
    chosen, about = _choose(dialect, dt_s, overrides, flat, reader, raw.version)
    return _build(file, flat, layout, reader, chosen, [*flat.findings, *layout.findings, *about])


# ---- dialect ---------------------------------------------------------------------------------------------------------


def _choose(
    dialect: str | Dialect,
    dt_s: float | None,
    overrides: Mapping[str, Any],
    flat: FlatGraph,
    reader: NodeReader,
    version: str,
) -> tuple[Dialect, list[Finding]]:
    """The dialect with its step known, and what to tell the user about the choice."""
    evidence = _evidence(flat, reader, version)
    keys = dict(overrides) if dt_s is None else {**overrides, "dt_s": dt_s}
    findings: list[Finding] = []
    if dialect == "auto":
        guess = guess_dialect(evidence)
        findings += _about(guess, keys, reader.file)
        chosen = override(guess.dialect, keys)
    else:
        chosen = override(named_dialect(dialect) if isinstance(dialect, str) else dialect, keys)
    if chosen.dt_s is None:
        chosen = replace(chosen, dt_s=_recovered_step(chosen, evidence, reader.file))
        note = f"the step was recovered from the file: {chosen.dt_s:g} s"
        findings.append(Finding("NE1030", note, reader.file, ("--dt sets another",), "note"))
    if chosen.fixed_point:
        message = (
            "the lava script computed in fixed point; the float reference shows its equations without that rounding"
        )
        findings.append(Finding("NE1036", message, reader.file, severity="note"))
    return chosen, findings


def _evidence(flat: FlatGraph, reader: NodeReader, version: str) -> FileEvidence:
    found = [reader.evidence(name, node) for name, node in flat.nodes.items() if node.type in NEURON_TYPES]
    weights = [node.fields["weight"] for node in flat.nodes.values() if "weight" in node.fields]
    return FileEvidence(
        version=version,
        names=tuple(flat.nodes),
        neurons=tuple(evidence for evidence in found if evidence is not None),
        single_precision_weights=any(getattr(weight, "dtype", None) == np.float32 for weight in weights),
    )


def _about(guess: Guess, keys: Mapping[str, Any], file: str) -> Iterator[Finding]:
    dialect = guess.dialect
    step = f", {dialect.dt_s:g} s per step" if dialect.dt_s is not None and "dt_s" not in keys else ""
    why = f"dialect guessed: {dialect.name}{step}, because {'; '.join(guess.reasons)}"
    yield Finding("NE1030", why, file, ("--dialect NAME and --dt override the guess",), "note")
    if guess.reset_untold and "reset" not in keys:
        yield Finding(
            "NE1033",
            "the file cannot tell the reset rule; hard reset (to v_reset, in the step of the spike) is assumed",
            file,
            (
                "--dialect snntorch for snnTorch's default neuron (subtract, one step late)",
                "--dialect snntorch-soft for snnTorch with subtract and reset_delay=False",
            ),
            "note",
        )
    if dialect.name == "nir" and dialect.dt_s == DT_ASSUMED_S and "dt_s" not in keys and "assumed" in why:
        message = f"the file does not tell the step; {DT_ASSUMED_S:g} s is assumed"
        yield Finding("NE1034", message, file, ("give it: --dt 1e-3",), "warning")


def _recovered_step(dialect: Dialect, evidence: FileEvidence, file: str) -> float:
    step_s = rockpool_step(evidence.leaky) if dialect.dt_from_r else unit_step(evidence)
    if step_s is None:
        raise BadInput(
            Finding(
                "NE1032",
                f"the dialect {dialect.name!r} has no step and the file does not tell it",
                file,
                (
                    "give the step in seconds: --dt 1e-4",
                    "name the framework: --dialect snntorch-hard, norse, sinabs, …",
                ),
            )
        )
    return step_s


# ---- shapes ----------------------------------------------------------------------------------------------------------


@dataclass
class _Layout:
    """Shapes and converted linear nodes of a flat graph."""

    shape: dict[str, Shape]
    linear: dict[str, LinearNode]
    sources: dict[str, list[str]]
    targets: dict[str, list[str]]
    findings: list[Finding]


def _lay_out(flat: FlatGraph, reader: NodeReader) -> _Layout:
    """Give every node its output shape, walking from the inputs; all problems at once.

    Raises:
        BadInput: unusable fields, shapes that do not fit, nodes nothing leads to, loops without a neuron.
    """
    layout = _Layout({}, {}, {name: [] for name in flat.nodes}, {name: [] for name in flat.nodes}, [])
    for a, b in flat.edges:
        layout.sources[b].append(a)
        layout.targets[a].append(b)
    failed = _spread_shapes(flat, layout, reader)
    if not failed:
        _check_unreached(flat, layout, reader)
        _check_agreement(flat, layout, reader)
        _check_neuronless_loops(flat, reader, layout)
    if errors := errors_in(layout.findings):
        raise BadInput(errors)
    return layout


def _spread_shapes(flat: FlatGraph, layout: _Layout, reader: NodeReader) -> bool:
    """Breadth first from the inputs, then from neurons that state their own shape; True when a node failed."""
    failed: set[str] = set()
    queue: deque[tuple[str, Shape]] = deque()

    def settle(name: str, shape: Shape) -> None:
        layout.shape[name] = shape
        queue.extend((target, shape) for target in layout.targets[name])

    def attempt(name: str, in_shape: Shape | None) -> None:
        if name in layout.shape or name in failed:
            return
        try:
            shape = _shape_of(name, flat.nodes[name], in_shape, layout, reader)
        except BadInput as refusal:
            layout.findings += refusal.findings
            failed.add(name)
            return
        if shape is not None:
            settle(name, shape)

    def drain() -> None:
        while queue:
            attempt(*queue.popleft())

    for name in flat.inputs:
        node = flat.nodes[name]
        try:
            stated = reader.declared_shape(node) or _implied_by_target(name, flat, layout, reader)
        except BadInput as refusal:
            layout.findings += refusal.findings
            failed.add(name)
            continue
        if stated is None:
            message = "has no shape, and what follows does not tell it"
            layout.findings.append(Finding("NE1018", message, reader.place(node), ("write the Input's shape",)))
            failed.add(name)
        else:
            settle(name, stated)
    drain()
    for name, node in flat.nodes.items():
        if name not in layout.shape and node.type in NEURON_TYPES:
            attempt(name, None)
            drain()
    for name in flat.nodes:
        if flat.nodes[name].type in FIELDS and name not in layout.shape and name not in failed:
            failed_here = _still_wrong(name, flat.nodes[name], reader)
            layout.findings += failed_here
            failed |= {name} if failed_here else set()
    return bool(failed)


def _still_wrong(name: str, node: RawNode, reader: NodeReader) -> tuple[Finding, ...]:
    """Faults a node shows without knowing its input, for nodes the walk did not reach."""
    try:
        if node.type in NEURON_TYPES:
            reader.neuron_shape_stated(node)
        elif node.type in ("Linear", "Affine", "Conv1d", "Conv2d"):
            reader.numbers(node, "weight")
    except BadInput as refusal:
        return refusal.findings
    return ()


def _shape_of(name: str, node: RawNode, in_shape: Shape | None, layout: _Layout, reader: NodeReader) -> Shape | None:
    if node.type in NEURON_TYPES:
        if in_shape is None:
            stated = reader.neuron_shape_stated(node)
            return stated if stated is not None else (1,)
        shape, findings = reader.neuron_shape(node, in_shape)
        layout.findings += findings
        return shape
    if in_shape is None:
        return None
    if node.type == "Output":
        return _output_shape(node, in_shape, layout, reader)
    converted = reader.linear(node, in_shape)
    layout.linear[name] = converted
    layout.findings += converted.findings
    return converted.out_shape


def _output_shape(node: RawNode, in_shape: Shape, layout: _Layout, reader: NodeReader) -> Shape:
    declared = reader.declared_shape(node)
    if declared is None or declared == in_shape:
        return in_shape
    if math.prod(declared) != math.prod(in_shape):
        reader.refuse(
            "NE1017", f"the output is declared {declared}, what arrives has the shape {in_shape}", node, "shape"
        )
    layout.findings.append(
        reader.warn("NE1021", f"declares the shape {declared}; {in_shape} arrives and is used", node)
    )
    return in_shape


def _implied_by_target(name: str, flat: FlatGraph, layout: _Layout, reader: NodeReader) -> Shape | None:
    for target in layout.targets[name]:
        implied = reader.assumed_in_shape(flat.nodes[target])
        if implied is not None and math.prod(implied) <= MOST_VALUES:
            return implied
    return None


def _check_unreached(flat: FlatGraph, layout: _Layout, reader: NodeReader) -> None:
    for name, node in flat.nodes.items():
        if name in layout.shape:
            if node.type in LINEAR_TYPES and not layout.targets[name]:
                layout.findings.append(reader.warn("NE1023", "leads nowhere and is left out", node))
        elif not layout.sources[name]:
            message = f"{node.type} {name!r} has nothing connected to its input"
            layout.findings.append(Finding("NE1018", message, reader.place(node), ("connect it or remove it",)))
        else:
            message = f"the shape of {name!r} cannot be found: it is not connected to any input"
            layout.findings.append(Finding("NE1018", message, reader.place(node), ("connect it or remove it",)))


def _check_agreement(flat: FlatGraph, layout: _Layout, reader: NodeReader) -> None:
    """Everything that arrives at one node must have one size."""
    for name, sources in layout.sources.items():
        known = [(source, layout.shape[source]) for source in sources if source in layout.shape]
        sizes = {math.prod(shape) for _, shape in known}
        own = layout.shape.get(name)
        if flat.nodes[name].type in NEURON_TYPES and own is not None:
            sizes.add(math.prod(own))
        if len(sizes) > 1:
            listed = ", ".join(f"{source} {shape}" for source, shape in known)
            message = f"{name!r} {own if own else ''} receives values of different sizes: {listed}"
            layout.findings.append(Finding("NE1017", message, reader.place(flat.nodes[name])))


def _check_neuronless_loops(flat: FlatGraph, reader: NodeReader, layout: _Layout) -> None:
    linear = [name for name, node in flat.nodes.items() if node.type in LINEAR_TYPES]
    inside = set(linear)
    for cycle in loops(linear, [(a, b) for a, b in flat.edges if a in inside and b in inside]):
        message = f"the loop {' -> '.join((*cycle, cycle[0]))} passes no neuron, so it has no state and no delay"
        layout.findings.append(
            Finding("NE1019", message, reader.place(flat.nodes[cycle[0]]), ("put a neuron into it",))
        )


# ---- network ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Path:
    """One way from a spiking (or input) node through linear nodes to a target population."""

    source: str
    through: tuple[str, ...]
    target: str

    @property
    def last(self) -> str:
        return self.through[-1] if self.through else self.source

    def __str__(self) -> str:
        return " -> ".join((self.source, *self.through, self.target))


def _build(
    file: Path, flat: FlatGraph, layout: _Layout, reader: NodeReader, dialect: Dialect, findings: list[Finding]
) -> Network:
    assert dialect.dt_s is not None
    populations, outputs = _populations(flat, layout, reader, dialect)
    paths = [path for name in populations if name not in flat.inputs for path in _paths_to(name, flat, layout, reader)]
    ticks = {
        name: _ticks(node, dialect.dt_s, flat.nodes[name], reader, findings) for name, node in layout.linear.items()
    }
    feedback = _feedback(paths, flat, ticks, str(file), findings)
    projections = _projections(paths, feedback, layout, ticks, str(file), findings)
    network = Network(
        name=file.stem,
        populations=populations,
        projections=projections,
        inputs=tuple(flat.inputs),
        outputs=outputs,
        dt_s=dialect.dt_s,
        dialect=dialect.name,
        findings=tuple(findings),
    )
    try:
        return assemble(network)
    except BadInput as refusal:
        raise BadInput([replace(f, where=f"{file}: {f.where}".rstrip(": ")) for f in refusal.findings]) from None


def _populations(
    flat: FlatGraph, layout: _Layout, reader: NodeReader, dialect: Dialect
) -> tuple[dict[str, Population], tuple[str, ...]]:
    """Inputs, neurons and one read-out per output that is not a neuron itself; and the outputs' names."""
    total = sum(math.prod(shape) for shape in layout.shape.values())
    if total > 4 * MOST_VALUES:
        raise BadInput(
            Finding("NE1004", f"the graph holds {total} values, the limit is {4 * MOST_VALUES}", reader.file)
        )
    populations = {name: Population(name, layout.shape[name]) for name in flat.inputs}
    for name, node in flat.nodes.items():
        if node.type in NEURON_TYPES:
            shape = layout.shape[name]
            populations[name] = Population(name, shape, reader.neuron(node, shape, dialect))
    outputs: list[str] = []
    for name in flat.outputs:
        sources = layout.sources[name]
        if len(sources) == 1 and flat.nodes[sources[0]].type in NEURON_TYPES:
            outputs.append(sources[0])
        else:
            shape = layout.shape[name]
            populations[name] = Population(name, shape, readout().spread(math.prod(shape)))
            outputs.append(name)
    return populations, tuple(dict.fromkeys(outputs))


def _paths_to(target: str, flat: FlatGraph, layout: _Layout, reader: NodeReader) -> Iterator[_Path]:
    """Every path that ends in ``target``, backwards through linear nodes to neurons and inputs."""
    waiting: list[tuple[str, ...]] = [(source,) for source in reversed(layout.sources[target])]
    found = 0
    while waiting:
        chain = waiting.pop()
        if flat.nodes[chain[0]].type in LINEAR_TYPES:
            waiting += [(source, *chain) for source in reversed(layout.sources[chain[0]])]
        else:
            yield _Path(chain[0], chain[1:], target)
            found += 1
        if found + len(waiting) > MOST_PATHS:
            message = f"more than {MOST_PATHS} ways lead through linear nodes to {target!r}"
            raise BadInput(Finding("NE1028", message, reader.place(flat.nodes[target]), ("merge the linear layers",)))


def _ticks(
    converted: LinearNode, dt_s: float, node: RawNode, reader: NodeReader, findings: list[Finding]
) -> NDArray[np.int64] | None:
    """A Delay node's delay per element in whole steps, round(delay / dt)."""
    if converted.delay_s is None:
        return None
    steps = converted.delay_s / dt_s
    whole = np.rint(steps)
    if whole.max(initial=0) > MOST_DELAY_TICKS:
        message = f"{whole.max():g} steps of {dt_s:g} s, the limit is {MOST_DELAY_TICKS}"
        reader.refuse("NE1025", message, node, "delay", "check the step: --dt")
    error = float(np.abs(steps - whole).max(initial=0))
    if error > 1e-6:
        message = f"delays are rounded to whole steps of {dt_s:g} s, by up to {error:.3g} steps"
        findings.append(reader.warn("NE1025", message, node, "choose a step that divides the delays"))
    return whole.astype(np.int64)


def _feedback(
    paths: list[_Path],
    flat: FlatGraph,
    ticks: Mapping[str, NDArray[np.int64] | None],
    file: str,
    findings: list[Finding],
) -> frozenset[int]:
    """Which paths read the previous tick's spikes: as many as it takes to leave no loop without delay.

    A path qualifies when its last node is its target itself, or is reachable from the target and farther from the
    inputs (shortest path in edges); of the qualifying ones on a loop the farthest source is cut first.
    """
    names = list(flat.nodes)
    distance = distances(flat.inputs, flat.edges)
    loop_of = {name: number for number, part in enumerate(strong_components(names, flat.edges)) for name in part}
    far = len(names) + 1

    def qualifies(path: _Path) -> bool:
        if path.last == path.target:
            return True
        farther = distance.get(path.last, far) > distance.get(path.target, far)
        return loop_of[path.last] == loop_of[path.target] and farther

    def rank(number: int) -> tuple[int, int, str]:
        path = paths[number]
        return distance.get(path.source, far), -distance.get(path.target, far), path.source

    instant = {number for number, path in enumerate(paths) if not _waits(path, ticks)}
    cut: list[int] = []
    guessed: list[int] = []
    while cycles := loops(names, [(paths[k].source, paths[k].target) for k in sorted(instant)]):
        part_of = {name: part for part in cycles for name in part}
        on_loop = [k for k in sorted(instant) if part_of.get(paths[k].source, 0) is part_of.get(paths[k].target, 1)]
        candidates = [k for k in on_loop if qualifies(paths[k])]
        chosen = max(candidates or on_loop, key=rank)
        (cut if candidates else guessed).append(chosen)
        instant.discard(chosen)
    if cut:
        listed = "; ".join(str(paths[k]) for k in sorted(cut))
        findings.append(Finding("NE1024", f"feedback, read one tick late: {listed}", file, severity="note"))
    if guessed:
        listed = "; ".join(str(paths[k]) for k in sorted(guessed))
        message = f"the file does not show which way of a loop is the feedback; read one tick late: {listed}"
        findings.append(Finding("NE1024", message, file, severity="warning"))
    return frozenset((*cut, *guessed))


def _waits(path: _Path, ticks: Mapping[str, NDArray[np.int64] | None]) -> bool:
    """Whether Delay nodes already hold every spike of the path back by a tick or more."""
    delays = [ticks[name] for name in path.through]
    return any(delay is not None and delay.size > 0 and int(delay.min()) > 0 for delay in delays)


def _projections(
    paths: list[_Path],
    feedback: frozenset[int],
    layout: _Layout,
    ticks: Mapping[str, NDArray[np.int64] | None],
    file: str,
    findings: list[Finding],
) -> tuple[Projection, ...]:
    projections: list[Projection] = []
    with_bias: set[tuple[str, ...]] = set()
    for number, path in enumerate(paths):
        size = math.prod(layout.shape[path.source])
        bias = _bias_of(path, layout, ticks, with_bias, file, findings)
        for part, (stages, delay) in enumerate(_split_by_delay(path, layout, ticks, size, file)):
            title = str(path) if delay == 0 or part == 0 else f"{path} @{delay}"
            ticks_late = delay + (1 if number in feedback else 0)
            first_bias = bias if part == 0 else None
            projections.append(Projection(title, path.source, path.target, stages, ticks_late, first_bias))
    return _with_unique_names(projections)


def _split_by_delay(
    path: _Path, layout: _Layout, ticks: Mapping[str, NDArray[np.int64] | None], size: int, file: str
) -> list[tuple[tuple[Connectivity, ...], int]]:
    """Stage chains of a path, one per total delay: a Delay node with several delays masks its elements apart."""
    parts: list[tuple[tuple[Connectivity, ...], int]] = [((), 0)]
    for name in path.through:
        stages, delay = layout.linear[name].stages, ticks[name]
        if delay is None:
            parts = [(before + stages, late) for before, late in parts]
            continue
        different = np.unique(delay)
        masks = [(int(d), Scale((delay == d).astype(np.float64))) for d in different]
        if len(parts) * len(masks) > MOST_DELAYS:
            message = f"{path}: more than {MOST_DELAYS} different delays"
            raise BadInput(Finding("NE1028", message, file, ("round the delays or choose a coarser step",)))
        alone = len(masks) == 1
        parts = [(before if alone else (*before, mask), late + d) for before, late in parts for d, mask in masks]
    return [(stages or (identity(size),), late) for stages, late in parts]


def _bias_of(
    path: _Path,
    layout: _Layout,
    ticks: Mapping[str, NDArray[np.int64] | None],
    with_bias: set[tuple[str, ...]],
    file: str,
    findings: list[Finding],
) -> FloatArray | None:
    """Biases of the path's linear nodes at the target; a node shared by several paths gives its bias to the first."""
    total: FloatArray | None = None
    for position, name in enumerate(path.through):
        own = layout.linear[name].bias
        rest = path.through[position:]
        if own is None or (*rest, path.target) in with_bias:
            continue
        with_bias.add((*rest, path.target))
        later = [stage for following in rest[1:] for stage in layout.linear[following].stages]
        arrived = apply_stages(later, own)
        total = arrived if total is None else total + arrived
        if any((delay := ticks[following]) is not None and delay.any() for following in rest[1:]):
            message = f"the bias of {name!r} passes a delay; it is applied from the first tick on"
            findings.append(Finding("NE1027", message, file, ("move the delay before the bias",), "warning"))
    return total


def _with_unique_names(projections: list[Projection]) -> tuple[Projection, ...]:
    seen: dict[str, int] = {}
    named = []
    for projection in projections:
        count = seen[projection.name] = seen.get(projection.name, 0) + 1
        named.append(projection if count == 1 else replace(projection, name=f"{projection.name} #{count}"))
    return tuple(named)
