"""Order and loops of a directed graph of names: the topology questions the logical network asks."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from neuroemu.network.model import Network

Edge = tuple[str, str]


def strong_components(names: Sequence[str], edges: Iterable[Edge]) -> tuple[tuple[str, ...], ...]:
    """Sets of mutually reachable names, sources first; members and ties keep the order of ``names``.

    Edges with an unknown end are ignored. O(names + edges).
    """
    index = {name: position for position, name in enumerate(names)}
    known = [(index[a], index[b]) for a, b in edges if a in index and b in index]
    if not names:
        return ()
    ends = np.array(known, dtype=np.int64).reshape(-1, 2)
    matrix = sp.coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(names), len(names)))
    _, label = connected_components(matrix, directed=True, connection="strong")
    members: dict[int, list[str]] = {}
    for name in names:
        members.setdefault(int(label[index[name]]), []).append(name)
    successors: dict[int, set[int]] = {component: set() for component in members}
    for a, b in ends:
        if label[a] != label[b]:
            successors[int(label[a])].add(int(label[b]))
    return tuple(tuple(members[component]) for component in _sources_first(list(members), successors))


def _sources_first(components: list[int], successors: dict[int, set[int]]) -> list[int]:
    """Kahn's algorithm; among the ready ones the earliest listed comes first."""
    rank = {component: position for position, component in enumerate(components)}
    waiting = dict.fromkeys(components, 0)
    for targets in successors.values():
        for target in targets:
            waiting[target] += 1
    ready = [(rank[component], component) for component in components if waiting[component] == 0]
    order = []
    while ready:
        _, component = heapq.heappop(ready)
        order.append(component)
        for target in successors[component]:
            waiting[target] -= 1
            if waiting[target] == 0:
                heapq.heappush(ready, (rank[target], target))
    return order


def topological_order(names: Sequence[str], edges: Iterable[Edge]) -> tuple[str, ...]:
    """``names`` with every edge pointing forward; the members of a loop stay together in their given order."""
    return tuple(name for component in strong_components(names, edges) for name in component)


def loops(names: Sequence[str], edges: Sequence[Edge]) -> tuple[tuple[str, ...], ...]:
    """The strong components that contain a cycle, self-edges included."""
    to_itself = {a for a, b in edges if a == b}
    return tuple(part for part in strong_components(names, edges) if len(part) > 1 or part[0] in to_itself)


def reachable(starts: Iterable[str], edges: Iterable[Edge]) -> set[str]:
    """Every name on a path from ``starts``, the starts included."""
    successors: dict[str, list[str]] = {}
    for a, b in edges:
        successors.setdefault(a, []).append(b)
    seen = set(starts)
    frontier = list(seen)
    while frontier:
        for target in successors.get(frontier.pop(), ()):
            if target not in seen:
                seen.add(target)
                frontier.append(target)
    return seen


def distances(starts: Sequence[str], edges: Iterable[Edge]) -> dict[str, int]:
    """Edges on the shortest path from any start; unreachable names are absent."""
    successors: dict[str, list[str]] = {}
    for a, b in edges:
        successors.setdefault(a, []).append(b)
    distance = dict.fromkeys(starts, 0)
    frontier = list(starts)
    while frontier:
        following = []
        for name in frontier:
            for target in successors.get(name, ()):
                if target not in distance:
                    distance[target] = distance[name] + 1
                    following.append(target)
        frontier = following
    return distance


def tick_offsets(network: Network, of_inputs: int, ticks: Mapping[str, int] | None = None) -> dict[str, int]:
    """Ticks by which each population of a chip lags that takes a tick for every hop: the longest path from an input, less the
    delays on the way.

    Within a loop whose hops take longer than its delays only hops without delay count; the others arrive late.

    Args:
        of_inputs: offset of the inputs: 0, or -1 where a spike from outside arrives in its own tick.
        ticks: projection name -> ticks of its hop where they are more than one (a spike that is copied on its way).

    Raises:
        ValueError: for a loop without any delay.
    """
    offsets = {name: of_inputs if population.is_input else 0 for name, population in network.populations.items()}
    longer = ticks or {}
    hops = [
        (item.source, item.target, longer.get(item.name, 1) - item.least_delay_ticks) for item in network.projections
    ]
    instant = [item.least_delay_ticks == 0 for item in network.projections]
    for part in strong_components(list(offsets), [hop[:2] for hop in hops]):
        inner = [(hop, now) for hop, now in zip(hops, instant, strict=True) if hop[0] in part and hop[1] in part]
        for source, target, more in hops:
            if target in part and source not in part:
                offsets[target] = max(offsets[target], offsets[source] + more)
        before = dict(offsets)
        if not _settles(offsets, [hop for hop, _ in inner], len(part)):
            offsets = before
            if not _settles(offsets, [hop for hop, now in inner if now], len(part)):
                raise ValueError("zero-delay cycle")
    return offsets


def _settles(offsets: dict[str, int], hops: Sequence[tuple[str, str, int]], populations: int) -> bool:
    """Push along all hops until nothing changes (Bellman and Ford); False when a loop keeps growing."""
    for _ in range(populations + 1):
        late = [hop for hop in hops if offsets[hop[1]] < offsets[hop[0]] + hop[2]]
        if not late:
            return True
        for source, target, ticks in late:
            offsets[target] = max(offsets[target], offsets[source] + ticks)
    return False


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name a typo most likely meant: best difflib ratio, then longest common prefix; None when all are far.

    Plain edit distance would tie ``lif`` between ``lif1`` and ``lin``.
    """

    def likeness(candidate: str) -> tuple[float, int]:
        return SequenceMatcher(None, name, candidate).ratio(), _common_prefix(name, candidate)

    candidates = sorted(known)
    best = max(candidates, key=likeness, default=None)
    return best if best is not None and likeness(best)[0] >= 0.5 else None


def _common_prefix(a: str, b: str) -> int:
    length = 0
    while length < min(len(a), len(b)) and a[length] == b[length]:
        length += 1
    return length
