"""Routes flows between slots over a topology and counts what every link carries.

Every router has the prototype ``route(flows, topology) -> Routes``. Flows of one ``tree`` share the links of the union of
their paths (multicast); without trees every flow travels alone (unicast, as on Loihi).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.mapping.partition import Hypergraph, deliveries, home_parts
from neuroemu.noc.mesh import DimensionOrder, Mesh, dependency_cycle

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Flows:
    """Packets from slot to slot: int64 arrays of one length; ``tree`` numbers the multicast tree of each, or None."""

    source_slot: Int64
    target_slot: Int64
    packets: Int64
    tree: Int64 | None = None

    def __len__(self) -> int:
        return len(self.packets)


def unicast_flows(traffic: sp.csr_array, slot_of_core: Int32) -> Flows:
    """One flow for every pair of cores with traffic."""
    pairs = sp.coo_array(traffic)
    slots = slot_of_core.astype(np.int64)
    return Flows(slots[pairs.coords[0]], slots[pairs.coords[1]], pairs.data.astype(np.int64))


def multicast_flows(hypergraph: Hypergraph, parts: Int32, slot_of_core: Int32) -> Flows:
    """One tree for every source with targets on other cores; sources outside the net have no place to start from."""
    source, part, _ = deliveries(hypergraph, parts)
    home = home_parts(hypergraph, parts)[source]
    remote = (home >= 0) & (home != part)
    slots = slot_of_core.astype(np.int64)
    source, home, part = source[remote], home[remote], part[remote]
    return Flows(slots[home], slots[part], hypergraph.rate[source], source)


@dataclass(frozen=True)
class Routes:
    """Flows with their dimension-order routes and the exact load of every link (int64[links], packets)."""

    flows: Flows
    topology: Mesh
    order: DimensionOrder
    link_load: Int64

    @property
    def hops_east_west(self) -> int:
        return int(self.link_load[0::4].sum() + self.link_load[1::4].sum())

    @property
    def hops_north_south(self) -> int:
        return int(self.link_load[2::4].sum() + self.link_load[3::4].sum())

    @property
    def hops(self) -> int:
        """Link traversals of all packets."""
        return int(self.link_load.sum())

    @property
    def max_link_load(self) -> int:
        return int(self.link_load.max(initial=0))

    @property
    def busiest_link(self) -> str:
        """Name of the link with the largest load (the lowest number of equals); empty without traffic."""
        return self.topology.link_name(int(np.argmax(self.link_load))) if self.max_link_load else ""

    @cached_property
    def path_hops(self) -> Int64:
        """Length of every flow's path; int64[flows]."""
        east_west, north_south = self.topology.hops(self.flows.source_slot, self.flows.target_slot)
        return east_west + north_south

    @property
    def longest_path(self) -> int:
        """Hops of the longest path that carries packets."""
        return int(self.path_hops[self.flows.packets > 0].max(initial=0))

    @property
    def packets_within_tile(self) -> int:
        """Packets that stay on their tile: between two of its cores, through its router only."""
        return int(self.flows.packets[self.path_hops == 0].sum())

    def path(self, flow: int) -> list[int]:
        """Links of one flow in travel order."""
        return self.topology.path(int(self.flows.source_slot[flow]), int(self.flows.target_slot[flow]), self.order)

    def check(self) -> tuple[Finding, ...]:
        """Faults of the routes: paths that do not lead from source to target (NE4040), deadlock (NE4041)."""
        pairs = np.unique(np.stack([self.flows.source_slot, self.flows.target_slot], axis=1), axis=0)
        paths = [self.topology.path(int(source), int(target), self.order) for source, target in pairs]
        findings = []
        for (source, target), path in zip(pairs, paths, strict=True):
            if fault := self.topology.path_fault(int(source), int(target), path):
                findings.append(Finding("NE4040", f"the route from slot {source} to {target} is broken: {fault}"))
        if cycle := dependency_cycle(paths):
            names = ", ".join(self.topology.link_name(link) for link in cycle)
            findings.append(Finding("NE4041", f"the routes can deadlock: each of {names} waits for the next"))
        return tuple(findings)


class Router(Protocol):
    """Prototype of every routing algorithm."""

    def __call__(self, flows: Flows, topology: Mesh) -> Routes: ...


def xy(flows: Flows, topology: Mesh) -> Routes:
    """East-west first, then north-south: deadlock free on a mesh (Dally and Seitz 1987).

    Raises:
        BadInput: NE4042 when a flow names a slot that the topology does not have.
    """
    return _dimension_order(flows, topology, "xy")


def yx(flows: Flows, topology: Mesh) -> Routes:
    """North-south first, then east-west; deadlock free as well. Raises as :func:`xy`."""
    return _dimension_order(flows, topology, "yx")


def _dimension_order(flows: Flows, topology: Mesh, order: DimensionOrder) -> Routes:
    used = np.concatenate([flows.source_slot, flows.target_slot])
    if len(used) and (used.min() < 0 or used.max() >= topology.slots):
        message = f"flows name slots {used.min()}..{used.max()}, the topology has 0..{topology.slots - 1}"
        raise BadInput(Finding("NE4042", message))
    if flows.tree is None:
        load = topology.link_loads(flows.source_slot, flows.target_slot, flows.packets, order)
    else:
        load = topology.tree_link_loads(flows.tree, flows.source_slot, flows.target_slot, flows.packets, order)
    return Routes(flows, topology, order, load)


ROUTERS: Mapping[str, Router] = {"xy": xy, "yx": yx}
DEFAULT_ROUTER = "xy"
