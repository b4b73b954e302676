"""Small networks and limits that every partitioner must handle, and a plain recount to judge them by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from neuroemu.mapping.partition import OUTSIDE, Additive, Hypergraph, Limits, linear_list_cost

Case = tuple[Hypergraph, Limits]


def hypergraph(
    targets: Sequence[Sequence[int]], neurons: int, home: Iterable[int] | None = None, rate: Iterable[int] | None = None
) -> Hypergraph:
    """A hypergraph from the target list of each source; by default source i is neuron i and spikes i % 4 times."""
    sources = len(targets)
    return Hypergraph(
        row_start=np.cumsum([0, *map(len, targets)]),
        target=np.array([target for row in targets for target in row], np.int32),
        rate=np.arange(sources) % 4 if rate is None else np.array(list(rate)),
        neurons=neurons,
        home=np.arange(sources) if home is None else np.array(list(home), np.int64),
    )


def limits(neurons: int = 8, axons: int = 40, memory: int = 200) -> Limits:
    return Limits(neurons, axons, memory, linear_list_cost(400))


def ring() -> Case:
    return hypergraph([[(i + d) % 48 for d in (-2, -1, 1, 2)] for i in range(48)], 48), limits()


def shuffled_ring() -> Case:
    new = np.random.default_rng(5).permutation(48)
    targets: list[list[int]] = [[] for _ in range(48)]
    for i in range(48):
        targets[new[i]] = sorted(int(new[(i + d) % 48]) for d in (-2, -1, 1, 2))
    return hypergraph(targets, 48), limits()


def dense_layers() -> Case:
    layers = [range(12), range(12, 30), range(30, 40)]
    targets = [list(layers[i + 1]) if i < 2 else [] for i, layer in enumerate(layers) for _ in layer]
    return hypergraph(targets, 40), limits(axons=18, memory=120)


def isolated() -> Case:
    """No synapses at all."""
    return hypergraph([[]] * 20, 20), limits()


def pairs() -> Case:
    """Many components that share nothing."""
    return hypergraph([[i ^ 1] for i in range(40)], 40), limits()


def outside_inputs_and_autapses() -> Case:
    rng = np.random.default_rng(7)
    targets = [sorted(rng.choice(30, 6, replace=False).tolist()) for _ in range(50)]
    home = [i if i < 30 else OUTSIDE for i in range(50)]
    return hypergraph([sorted({*row, i}) if i < 30 else row for i, row in enumerate(targets)], 30, home), limits()


def parallel_synapses_and_padded_lists() -> Case:
    """Several synapses a pair, two list formats priced in words of four, two sources a neuron, an additive resource."""
    rng = np.random.default_rng(8)
    targets = [sorted(rng.integers(0, 24, 8).tolist()) for _ in range(48)]
    net = hypergraph(targets, 24, home=[i // 2 for i in range(48)])
    net = Hypergraph(net.row_start, net.target, net.rate, 24, net.home, np.arange(48, dtype=np.int32) % 2)
    k = np.arange(40)
    cost = np.stack([-(-k // 4) * 4, k * 2])
    use = np.arange(24) % 3
    return net, Limits(7, 45, 400, cost, extra=(Additive("traces", use, 6),))


def output_bound() -> Case:
    """Few output entries a core: spreading targets costs entries."""
    rng = np.random.default_rng(9)
    targets = [sorted(rng.choice(32, 5, replace=False).tolist()) for _ in range(32)]
    return hypergraph(targets, 32), Limits(6, None, None, outputs=14, own_output=1)


CASES = {
    case.__name__: case
    for case in (
        ring, shuffled_ring, dense_layers, isolated, pairs, outside_inputs_and_autapses,
        parallel_synapses_and_padded_lists, output_bound,
    )
}  # fmt: skip


def recount(net: Hypergraph, room: Limits, parts: NDArray[np.int32]) -> tuple[int, NDArray[np.int64]]:
    """Messages and use, spike by spike and list by list in plain Python: written from the definition alone."""
    cost = np.atleast_2d(room.list_cost)
    used = np.zeros((int(parts.max()) + 1, 4 + len(room.extra)), np.int64)
    messages = 0
    for neuron, part in enumerate(parts):
        used[part, 0] += 1
        for column, extra in enumerate(room.extra):
            used[part, 4 + column] += extra.use[neuron]
    for source in range(net.sources):
        lists: dict[int, int] = {}
        for target in net.target[net.row_start[source] : net.row_start[source + 1]]:
            lists[parts[target]] = lists.get(parts[target], 0) + 1
        home = parts[net.home[source]] if net.home[source] >= 0 else None
        for part, synapses in lists.items():
            used[part, 1] += 1
            used[part, 2] += cost[net.list_format[source], synapses] if room.memory is not None else 0
            if part != home:
                messages += int(net.rate[source])
            if home is not None:
                used[home, 3] += 1 if part != home else room.own_output
    return messages, used
