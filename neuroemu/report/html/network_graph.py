"""Geometry of the network drawing: populations from left to right, projections as arrows, feedback below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import count, short_count

if TYPE_CHECKING:
    from neuroemu.report.shape import NetworkSummary, ProjectionSummary

MOST_POPULATIONS = 14
"""Larger networks are shown by the tables alone."""
NODE_WIDTH, NODE_HEIGHT, SPACE = 118.0, 62.0, 50.0
LANE = 20.0
"""Height of one lane of skipping or returning arrows."""
LONGEST_NAME = 14


@dataclass(frozen=True)
class Node:
    """A population."""

    x: float
    name: str
    size: str
    kind: str
    role: str
    title: str


@dataclass(frozen=True)
class Arrow:
    """A projection; ``path`` ends where the arrow head goes."""

    path: str
    label_x: float
    label_y: float
    label: str
    title: str
    feedback: bool


@dataclass(frozen=True)
class NetworkGraph:
    """Everything the template draws."""

    width: float
    height: float
    node_y: float
    node_width: float
    node_height: float
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]


def network_graph(network: NetworkSummary) -> NetworkGraph | None:
    """Lay out a network of at most :data:`MOST_POPULATIONS` populations in the order given; None when larger or empty."""
    populations = network["populations"]
    if not 0 < len(populations) <= MOST_POPULATIONS:
        return None
    place = {population["name"]: index for index, population in enumerate(populations)}
    known = [line for line in network["projections"] if line["source"] in place and line["target"] in place]
    above = [line for line in known if place[line["target"]] > place[line["source"]] + 1]
    below = [line for line in known if place[line["target"]] <= place[line["source"]]]
    node_y = 12.0 + LANE * len(above)
    arrows = [_straight(line, place, node_y) for line in known if place[line["target"]] == place[line["source"]] + 1]
    arrows += [_around(line, place, node_y, -LANE * (index + 1)) for index, line in enumerate(above)]
    arrows += [_around(line, place, node_y, LANE * (index + 1)) for index, line in enumerate(below)]
    return NetworkGraph(
        width=len(populations) * (NODE_WIDTH + SPACE) - SPACE + 2,
        height=node_y + NODE_HEIGHT + LANE * len(below) + 18,
        node_y=node_y,
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        nodes=tuple(
            Node(
                x=_left(index),
                name=_shortened(population["name"]),
                size=" × ".join(str(length) for length in population["shape"]) or count(population["neurons"]),
                kind=population["kind"],
                role="input" if population["is_input"] else "output" if population["is_output"] else "hidden",
                title=f"{population['name']}: {count(population['neurons'])} neurons, {population['kind']}",
            )
            for index, population in enumerate(populations)
        ),
        arrows=tuple(arrows),
    )


def _straight(line: ProjectionSummary, place: dict[str, int], node_y: float) -> Arrow:
    start, end = _left(place[line["source"]]) + NODE_WIDTH, _left(place[line["target"]])
    middle = node_y + NODE_HEIGHT / 2
    path = f"M{start + 3:.1f} {middle:.1f}H{end - 4:.1f}"
    return Arrow(path, (start + end) / 2, middle - 7, short_count(line["synapses"]), _title(line), False)


def _around(line: ProjectionSummary, place: dict[str, int], node_y: float, reach: float) -> Arrow:
    """An arrow that leaves and enters at the top (skips, ``reach`` < 0) or at the bottom (feedback)."""
    backwards = reach > 0
    edge = node_y + NODE_HEIGHT if backwards else node_y
    start = _left(place[line["source"]]) + NODE_WIDTH * (0.7 if backwards else 0.6)
    end = _left(place[line["target"]]) + NODE_WIDTH * (0.3 if backwards else 0.4)
    far, gap = edge + reach, 3.0 if backwards else -3.0
    path = f"M{start:.1f} {edge + gap:.1f}V{far:.1f}H{end:.1f}V{edge + gap * 1.4:.1f}"
    label_y = far + 12 if backwards else far - 4
    return Arrow(path, (start + end) / 2, label_y, short_count(line["synapses"]), _title(line), backwards)


def _left(index: int) -> float:
    return 1.0 + index * (NODE_WIDTH + SPACE)


def _title(line: ProjectionSummary) -> str:
    delay = f", delay {line['delay_ticks']} ticks" if line["delay_ticks"] else ""
    return f"{line['name']}: {line['source']} to {line['target']}, {line['kind']}, {count(line['synapses'])} synapses{delay}"


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…"
