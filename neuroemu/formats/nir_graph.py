"""One flat graph out of nested NIR graphs: names, ports, broken edges, duplicates, missing inputs and outputs.

A child of the nested graph ``lif1`` becomes ``lif1.child`` (the name nirtorch gives when it flattens the same network)
and the inner Input and Output disappear, so nested and flat files of one network are the same afterwards.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from neuroemu.errors import Finding
from neuroemu.formats.nir_file import Edge, RawNode
from neuroemu.network.graph import nearest_name

MOST_EDGES = 1_000_000


@dataclass
class FlatGraph:
    """Nodes by dotted name; ``inputs`` and ``outputs`` are the top-level ports in file order."""

    nodes: dict[str, RawNode] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def flatten(root: RawNode, file: str) -> FlatGraph:
    """Expand nested graphs, resolve edges to them, drop duplicate edges, add missing ports.

    All problems are collected in ``findings`` (NE1012 broken edge, NE1020 duplicate, NE1022 added port, NE1026
    ambiguous port, NE1029 edge against the direction of a port).
    """
    flat = FlatGraph()
    top = _expand(root, "", file, flat)
    if not any(finding.severity == "error" for finding in flat.findings):
        _contract(flat, top)
        flat.inputs, flat.outputs = list(top.inputs), list(top.outputs)
        _add_missing_ports(flat, file)
        _check_direction(flat, file)
    return flat


@dataclass
class _Level:
    """The ports of one expanded graph, as flat names."""

    inputs: list[str]
    outputs: list[str]
    children: dict[str, _Level] = field(default_factory=dict)


def _expand(graph: RawNode, prefix: str, file: str, flat: FlatGraph) -> _Level:
    children: dict[str, _Level] = {}
    for name, node in graph.nodes.items():
        if node.type == "NIRGraph":
            children[name] = _expand(node, f"{prefix}{name}.", file, flat)
        else:
            flat.nodes[prefix + name] = node
    level = _Level([], [], children)
    level.inputs = [prefix + name for name, node in graph.nodes.items() if node.type == "Input"]
    level.outputs = [prefix + name for name, node in graph.nodes.items() if node.type == "Output"]
    place = f"{file}:{graph.path}"
    edges = _without_duplicates(graph.edges, place, flat)
    added = []
    for edge in edges:
        source = _port(edge[0], edge, "outputs", graph, level, prefix, place, flat)
        target = _port(edge[1], edge, "inputs", graph, level, prefix, place, flat)
        if source and target:
            added += [(a, b) for a in source for b in target]
    flat.edges += added
    if prefix:
        _implicit_ports(level, graph, prefix, added)
    return level


def _without_duplicates(edges: tuple[Edge, ...], place: str, flat: FlatGraph) -> list[Edge]:
    repeated = [f"{a} -> {b} ({count} times)" for (a, b), count in Counter(edges).items() if count > 1]
    if repeated:
        flat.findings.append(
            Finding(
                "NE1020",
                f"lists {len(repeated)} edges more than once: {', '.join(repeated[:5])}; each counts once",
                place,
                ("export the file again without duplicates if the edge was meant to count twice",),
                "warning",
            )
        )
    return list(dict.fromkeys(edges))


def _port(
    name: str, edge: Edge, side: str, graph: RawNode, level: _Level, prefix: str, place: str, flat: FlatGraph
) -> list[str]:
    """Flat names an edge end stands for: a node, the only port of a nested graph, or ``graph.port``."""
    if name in level.children:
        ports: list[str] = getattr(level.children[name], side)
        if len(ports) == 1 or (ports and not _declares_ports(graph.nodes[name], side)):
            return ports
        listed = ", ".join(port[len(prefix) :] for port in ports) or "none"
        what = f"edge {edge[0]} -> {edge[1]}: the graph {name!r} has {len(ports)} {side} ({listed})"
        flat.findings.append(Finding("NE1026", what, place, ("name the port in the edge, as graph.port",)))
        return []
    if name in graph.nodes:
        return [prefix + name]
    inner = prefix + name
    if "." in name and inner in flat.nodes:
        return [inner]
    names = sorted(graph.nodes)
    nearest = nearest_name(name, names)
    available = ", ".join(names) or "no nodes"
    message = f"edge {edge[0]} -> {edge[1]} names {name!r}, which is not in this graph; it has {available}"
    fixes = (f"did you mean {nearest!r}?",) if nearest else ("rename the node or the edge",)
    finding = Finding("NE1012", message, place, fixes)
    if finding not in flat.findings:
        flat.findings.append(finding)
    return []


def _declares_ports(graph: RawNode, side: str) -> bool:
    wanted = "Input" if side == "inputs" else "Output"
    return any(node.type == wanted for node in graph.nodes.values())


def _implicit_ports(level: _Level, graph: RawNode, prefix: str, edges: list[Edge]) -> None:
    """A nested graph without Input (Output) nodes is entered (left) at the nodes nothing leads to (from)."""
    own = [prefix + name for name, node in graph.nodes.items() if node.type not in ("NIRGraph", "Input", "Output")]
    if not level.inputs:
        targets = {b for _, b in edges}
        level.inputs = [name for name in own if name not in targets]
    if not level.outputs:
        sources = {a for a, _ in edges}
        level.outputs = [name for name in own if name not in sources]


def _contract(flat: FlatGraph, top: _Level) -> None:
    """Remove nested Input and Output nodes, joining what leads to them with what leaves them."""
    keep = {*top.inputs, *top.outputs}
    ports = [name for name, node in flat.nodes.items() if node.type in ("Input", "Output") and name not in keep]
    successors: dict[str, list[str]] = {}
    for a, b in flat.edges:
        successors.setdefault(a, []).append(b)
    hidden = set(ports)
    edges: list[Edge] = []
    for a, b in flat.edges:
        if a in hidden:
            continue
        frontier, seen = [b], set()
        while frontier:
            end = frontier.pop(0)
            if end not in hidden:
                edges.append((a, end))
            elif end not in seen:
                seen.add(end)
                frontier = successors.get(end, []) + frontier
        if len(edges) > MOST_EDGES:
            flat.findings.append(Finding("NE1004", f"the nested graphs expand to more than {MOST_EDGES} edges"))
            break
    flat.edges = edges
    for name in ports:
        del flat.nodes[name]


def _add_missing_ports(flat: FlatGraph, file: str) -> None:
    """Like nir: without any Input (Output) node, every node without a source (target) gets one."""
    sources, targets = {a for a, _ in flat.edges}, {b for _, b in flat.edges}
    inner = [name for name, node in flat.nodes.items() if node.type not in ("Input", "Output")]
    if not flat.outputs:
        for name in [name for name in inner if name not in sources]:
            _add_port(flat, f"output_{name}", "Output", (name, f"output_{name}"), file)
    if not flat.inputs:
        for name in [name for name in inner if name not in targets]:
            _add_port(flat, f"input_{name}", "Input", (f"input_{name}", name), file)


def _add_port(flat: FlatGraph, port: str, kind: str, edge: Edge, file: str) -> None:
    while port in flat.nodes:
        port += "_"
    inner = edge[0] if kind == "Output" else edge[1]
    flat.nodes[port] = RawNode(kind, f"{flat.nodes[inner].path} ({port})")
    flat.edges.append((port, edge[1]) if kind == "Input" else (edge[0], port))
    (flat.inputs if kind == "Input" else flat.outputs).append(port)
    message = f"the graph has no {kind} node: {port!r} was added at {inner!r}"
    flat.findings.append(Finding("NE1022", message, f"{file}:/node", severity="note"))


def _check_direction(flat: FlatGraph, file: str) -> None:
    inputs, outputs = set(flat.inputs), set(flat.outputs)
    for a, b in flat.edges:
        wrong = f"ends in the input {b!r}" if b in inputs else f"starts at the output {a!r}" if a in outputs else ""
        if wrong:
            flat.findings.append(
                Finding("NE1029", f"edge {a} -> {b} {wrong}", f"{file}:/node", ("turn the edge round",))
            )
