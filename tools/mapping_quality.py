"""Compare the partitioners and placers with the recorded baseline on every golden network; writes a Markdown table.

    python tools/mapping_quality.py [NETWORK ...]

Without names all nine networks are mapped, which takes minutes.
"""

from __future__ import annotations

import json
import lzma
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from neuroemu.mapping.partition import (  # noqa: E402
    PARTITIONERS,
    Hypergraph,
    Limits,
    linear_list_cost,
    lower_bound,
    measure,
    part_traffic,
    refine,
)
from neuroemu.mapping.place import PLACERS  # noqa: E402
from neuroemu.mapping.route import multicast_flows, unicast_flows, xy  # noqa: E402
from neuroemu.noc.mesh import Mesh  # noqa: E402
from tests.golden.mapping import nets  # noqa: E402

HEAD = """\
| network | bound | method | cores | messages | placed | hops | busiest link | multicast hops | CPU s |
| --- | ---: | --- | ---: | ---: | --- | ---: | ---: | ---: | ---: |"""


def rows(name: str) -> Iterator[list[object]]:
    """One row per method: the best recorded ones, then ours, each refined and placed."""
    entry = next(entry for entry in nets.CATALOGUE["nets"] if entry["name"] == name)
    profile = nets.CATALOGUE["profiles"][entry["profile"]]
    net = nets.generate(name)
    hypergraph = Hypergraph(net.row_start, net.target, net.rate, net.neurons, np.arange(net.neurons))
    cost = linear_list_cost(int(np.diff(net.row_start).max()))
    limits = Limits(profile["neurons"], profile["axons"], profile["synapses"], cost)
    bound = lower_bound(hypergraph, limits)
    first = [name, f"{bound.parts} {bound.resource}"]
    for label, row in best_recorded(name):
        hops = [row.get(key, "") for key in ("hops_uni", "max_uni", "hops_xy")]
        yield [
            *first,
            f"recorded, {label}: {row['alg']}",
            row["cores"],
            row["msgs"],
            row["place"],
            *hops,
            row["cpu_part"],
        ]
    for partitioner in ("sequential", "overlap_growth"):
        begin = time.process_time()
        parts = PARTITIONERS[partitioner](hypergraph, limits)
        grown = time.process_time()
        refined = refine(hypergraph, limits, parts)
        done = time.process_time()
        for method, split, placer, seconds in (
            (partitioner, parts, "hilbert", grown - begin),
            (f"{partitioner} + refine", refined, "hilbert", done - begin),
            (f"{partitioner} + refine", refined, "hilbert_swap", done - begin),
        ):
            use = measure(hypergraph, limits, split)
            figures = placed(hypergraph, split, placer, profile["mesh"])
            yield [*first, method, use.parts, use.messages, placer if figures[0] else "", *figures, f"{seconds:.1f}"]


def placed(hypergraph: Hypergraph, parts: np.ndarray, placer: str, side: int) -> list[object]:
    """Hops, busiest link and multicast hops on a square mesh; empty when it has too few cores."""
    mesh, traffic = Mesh(side, side), part_traffic(hypergraph, parts)
    if traffic.shape[0] > mesh.slots:
        return ["", "", ""]
    slots = PLACERS[placer](traffic, mesh, 0)
    unicast = xy(unicast_flows(traffic, slots), mesh)
    return [unicast.hops, unicast.max_link_load, xy(multicast_flows(hypergraph, parts, slots), mesh).hops]


def best_recorded(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The recorded run with the fewest cores, then the one with the fewest messages, each on its best placement."""
    text = lzma.decompress((REPOSITORY / "tests/golden/mapping/baseline.jsonl.xz").read_bytes())
    runs = [row for row in map(json.loads, text.splitlines()) if row["net"] == name and row.get("legal")]
    if not runs:
        return
    for label, rank in (("cores", ("cores", "msgs")), ("messages", ("msgs", "cores"))):
        yield label, min(runs, key=lambda row: (*(row[key] for key in rank), row.get("hops_uni", 1 << 60)))


def warm_up() -> None:
    """Compile the kernels, so that the CPU seconds of the first network are its own."""
    net = nets.rand(1, 300, 5)
    hypergraph = Hypergraph(net.row_start, net.target, net.rate, net.neurons, np.arange(net.neurons))
    limits = Limits(40, 120, 400, linear_list_cost(int(np.diff(net.row_start).max())))
    for partition in PARTITIONERS.values():
        parts = refine(hypergraph, limits, partition(hypergraph, limits))
        placed(hypergraph, parts, "hilbert_swap", 8)


def shown(value: object) -> str:
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)


def main(names: list[str]) -> None:
    warm_up()
    print(HEAD)
    for name in names or [entry["name"] for entry in nets.CATALOGUE["nets"]]:
        for row in rows(name):
            print("| " + " | ".join(map(shown, row)) + " |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
