"""The figures by which a mapping is judged, in one record."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from neuroemu.mapping.partition import Hypergraph, Limits, LowerBound, Use, lower_bound, measure
from neuroemu.mapping.partition import Int32 as Parts
from neuroemu.mapping.route import Routes


@dataclass(frozen=True)
class Fullest:
    """How full the fullest core is in one resource, and the mean over cores (per mille, rounded down)."""

    resource: str
    core: int
    used: int
    limit: int
    mean_per_mille: int


@dataclass(frozen=True)
class MappingSummary:
    """Cores, messages and hops of a mapping.

    Attributes:
        cores: cores used; ``lower_bound`` no mapping needs fewer, because of ``bound_by``.
        messages: spikes that leave their core, once per destination core, in the profiling window.
        hops: link traversals, split into east-west and north-south.
        max_link_load: packets over the busiest link, ``busiest_link``.
        diameter: hops of the longest path in use.
        packets_within_tile: packets between cores of one tile.
        binding: resource whose fullest core is nearest to its limit.
        fullest: every limited resource.
    """

    cores: int
    cores_available: int
    lower_bound: int
    bound_by: str
    messages: int
    hops: int
    hops_east_west: int
    hops_north_south: int
    max_link_load: int
    busiest_link: str
    diameter: int
    packets_within_tile: int
    binding: str
    fullest: tuple[Fullest, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain data for ``--json``."""
        return asdict(self)


def summarise(use: Use, limits: Limits, bound: LowerBound, routes: Routes) -> MappingSummary:
    """Summary of a measured partition on its routes."""
    fullest = fullest_cores(use, limits)
    nearest = max(fullest, key=lambda entry: entry.used * 1000 // max(1, entry.limit), default=None)
    return MappingSummary(
        cores=use.parts,
        cores_available=len(routes.topology.available_slots),
        lower_bound=bound.parts,
        bound_by=bound.resource,
        messages=use.messages,
        hops=routes.hops,
        hops_east_west=routes.hops_east_west,
        hops_north_south=routes.hops_north_south,
        max_link_load=routes.max_link_load,
        busiest_link=routes.busiest_link,
        diameter=routes.longest_path,
        packets_within_tile=routes.packets_within_tile,
        binding=nearest.resource if nearest else "",
        fullest=fullest,
    )


def summarise_parts(hypergraph: Hypergraph, limits: Limits, parts: Parts, routes: Routes) -> MappingSummary:
    """The same, measured from scratch."""
    return summarise(measure(hypergraph, limits, parts), limits, lower_bound(hypergraph, limits), routes)


def fullest_cores(use: Use, limits: Limits) -> tuple[Fullest, ...]:
    """The fullest core in every resource that has a limit."""
    entries = []
    for column, limit in enumerate(limits.limit):
        if limits.is_limited[column] and use.parts:
            used = use.used[:, column]
            core = int(np.argmax(used))
            mean = int(used.sum()) * 1000 // (max(1, int(limit)) * use.parts)
            entries.append(Fullest(use.resources[column], core, int(used[core]), int(limit), mean))
    return tuple(entries)
