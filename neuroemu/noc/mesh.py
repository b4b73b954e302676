"""A rectangular mesh of tiles with dimension-order routes: distances, links and exact link loads.

Tiles are numbered by ``tile_order``, slots (places for a core) by tile: slot ``s`` sits on tile ``s // cores_per_tile``.
A directed link has the number ``4 * tile + direction`` of the tile it leaves, directions in the order of :data:`DIRECTIONS`;
links that would leave the mesh have a number but carry nothing. All counts are int64 and exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import networkx

Int64 = NDArray[np.int64]
TileOrder = Literal["row_major", "column_major"]
DimensionOrder = Literal["xy", "yx"]
Coordinates = TypeVar("Coordinates", Int64, int)

DIRECTIONS = ("east", "west", "north", "south")
EAST, WEST, NORTH, SOUTH = range(4)
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))
"""Change of (x, y) along a link of each direction; north is the larger y."""


@dataclass(frozen=True)
class Mesh:
    """``columns`` x ``rows`` tiles of ``cores_per_tile`` cores behind one router each.

    Attributes:
        tile_order: whether tile 1 is east of tile 0 (``row_major``) or north of it (``column_major``).
        hop_weight: cost of an east-west and of a north-south hop in one integer unit, what placement minimises.
        unavailable: slots that may not be used (defective or reserved cores).
    """

    columns: int
    rows: int
    cores_per_tile: int = 1
    tile_order: TileOrder = "row_major"
    hop_weight: tuple[int, int] = (1, 1)
    unavailable: tuple[int, ...] = ()

    @property
    def tiles(self) -> int:
        return self.columns * self.rows

    @property
    def slots(self) -> int:
        return self.tiles * self.cores_per_tile

    @property
    def links(self) -> int:
        """Number of link numbers, the unused ones at the border included."""
        return 4 * self.tiles

    @cached_property
    def available_slots(self) -> Int64:
        """Slots that a core may take, ascending; int64."""
        return np.setdiff1d(np.arange(self.slots, dtype=np.int64), np.array(self.unavailable, np.int64))

    @cached_property
    def tile_of_slot(self) -> Int64:
        """int64[slots]."""
        return np.arange(self.slots, dtype=np.int64) // self.cores_per_tile

    @cached_property
    def xy_of_tile(self) -> Int64:
        """(x, y) of every tile; int64[tiles, 2]."""
        tile = np.arange(self.tiles, dtype=np.int64)
        if self.tile_order == "row_major":
            return np.stack([tile % self.columns, tile // self.columns], axis=1)
        return np.stack([tile // self.rows, tile % self.rows], axis=1)

    def tile_at(self, x: Coordinates, y: Coordinates) -> Coordinates:
        """Number of the tile at (x, y); two arrays or two numbers."""
        return y * self.columns + x if self.tile_order == "row_major" else x * self.rows + y

    def corner(self, columns: int, rows: int) -> tuple[Mesh, Int64]:
        """The part of the mesh from (0, 0) on, and the slots that it has here; int64[slots of the part]."""
        part = replace(self, columns=columns, rows=rows, unavailable=())
        tile = self.tile_at(part.xy_of_tile[:, 0], part.xy_of_tile[:, 1])
        slot = (tile[:, None] * self.cores_per_tile + np.arange(self.cores_per_tile)).reshape(-1)
        lost = np.flatnonzero(np.isin(slot, np.array(self.unavailable, np.int64)))
        return replace(part, unavailable=tuple(lost.tolist())), slot

    def hops(self, source_slot: Int64, target_slot: Int64) -> tuple[Int64, Int64]:
        """East-west and north-south hops of the shortest path between the tiles of two slots; two int64 arrays."""
        xy = self.xy_of_tile
        step = np.abs(xy[self.tile_of_slot[target_slot]] - xy[self.tile_of_slot[source_slot]])
        return step[..., 0], step[..., 1]

    @property
    def weighted_places(self) -> Int64:
        """Coordinates times ``hop_weight``, int64[tiles, 2]; a way costs the sum of both differences."""
        return self.xy_of_tile * np.array(self.hop_weight, np.int64)

    @cached_property
    def link_exists(self) -> NDArray[np.bool_]:
        """Whether a link number names a wire inside the mesh; bool[links]."""
        x, y = self.xy_of_tile.T
        return np.stack([x < self.columns - 1, x > 0, y < self.rows - 1, y > 0], axis=1).reshape(-1)

    def link_ends(self, link: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """(x, y) of the tile a link leaves and of the one it enters."""
        x, y = (int(value) for value in self.xy_of_tile[link // 4])
        dx, dy = STEPS[link % 4]
        return (x, y), (x + dx, y + dy)

    def link_name(self, link: int) -> str:
        """``(3, 1) east``."""
        return f"{self.link_ends(link)[0]} {DIRECTIONS[link % 4]}"

    # ---------------------------------------------------------------------------------------------------- routes

    def path(self, source_slot: int, target_slot: int, order: DimensionOrder = "xy") -> list[int]:
        """Links of the dimension-order route between two slots, in travel order; empty within a tile."""
        (x, y), (to_x, to_y) = (
            tuple(int(value) for value in self.xy_of_tile[slot // self.cores_per_tile])
            for slot in (source_slot, target_slot)
        )
        links = []
        for axis in (0, 1) if order == "xy" else (1, 0):
            if axis == 0:
                ahead = EAST if to_x > x else WEST
                columns = range(x, to_x, 1 if to_x > x else -1)
                links += [4 * self.tile_at(column, y) + ahead for column in columns]
                x = to_x
            else:
                ahead = NORTH if to_y > y else SOUTH
                rows = range(y, to_y, 1 if to_y > y else -1)
                links += [4 * self.tile_at(x, row) + ahead for row in rows]
                y = to_y
        return links

    def link_loads(self, source_slot: Int64, target_slot: Int64, packets: Int64, order: DimensionOrder = "xy") -> Int64:
        """Packets over every link when each flow travels its own dimension-order path; int64[links].

        Every leg is a run of links in one row or column: its ends are booked in a table of differences, one running sum
        gives the loads. O(flows + links).
        """
        xy = self.xy_of_tile
        (x, y), (to_x, to_y) = xy[self.tile_of_slot[source_slot]].T, xy[self.tile_of_slot[target_slot]].T
        packets = np.asarray(packets, np.int64)
        row, column = (y, to_x) if order == "xy" else (to_y, x)
        horizontal = np.zeros((2, self.rows, self.columns + 1), np.int64)
        vertical = np.zeros((2, self.columns, self.rows + 1), np.int64)
        _book_runs(horizontal, row, x, to_x, packets)
        _book_runs(vertical, column, y, to_y, packets)
        loads = np.zeros(self.links, np.int64)
        tile_x, tile_y = xy.T
        for direction, table, line, place in (
            (EAST, horizontal[0], tile_y, tile_x),
            (WEST, horizontal[1], tile_y, tile_x),
            (NORTH, vertical[0], tile_x, tile_y),
            (SOUTH, vertical[1], tile_x, tile_y),
        ):
            loads[direction::4] = np.cumsum(table, axis=1)[line, place]
        return loads

    def carried(self, source_slot: Int64, target_slot: Int64, packets: Int64) -> dict[str, Any]:
        """What these flows make the mesh carry, as plain data for a report; packets within a slot do not enter it.

        Keys ``messages``, ``hops``, ``max_link_load``, ``diameter_hops`` and ``links`` (each loaded link with both ends).
        """
        sent = (source_slot != target_slot) & (packets > 0)
        source_slot, target_slot, packets = source_slot[sent], target_slot[sent], packets[sent]
        loads = self.link_loads(source_slot, target_slot, packets)
        east_west, north_south = self.hops(source_slot, target_slot)
        hops = east_west + north_south
        links = [(*self.link_ends(int(link)), int(loads[link])) for link in np.flatnonzero(loads)]
        return {
            "messages": int(packets.sum()),
            "hops": int((packets * hops).sum()),
            "max_link_load": int(loads.max(initial=0)),
            "diameter_hops": int(hops.max(initial=0)),
            "links": [{"from": list(start), "to": list(end), "packets": load} for start, end, load in links],
        }

    def tree_link_loads(
        self, tree: Int64, source_slot: Int64, target_slot: Int64, packets: Int64, order: DimensionOrder = "xy"
    ) -> Int64:
        """Packets over every link when the flows of one ``tree`` number share links (multicast); int64[links].

        The tree of a source is the union of its dimension-order paths: a packet crosses each of its links once. Flows of
        one tree must agree in source and packets.
        """
        tree, packets = np.asarray(tree, np.int64), np.asarray(packets, np.int64)
        flow, link = self._links_of_flows(np.asarray(source_slot), np.asarray(target_slot), order)
        loads = np.zeros(self.links, np.int64)
        if len(flow):
            _, first = np.unique(tree[flow] * self.links + link, return_index=True)
            np.add.at(loads, link[first], packets[flow[first]])
        return loads

    def _links_of_flows(self, source_slot: Int64, target_slot: Int64, order: DimensionOrder) -> tuple[Int64, Int64]:
        """Every (flow, link) of all paths; two int64 arrays."""
        xy = self.xy_of_tile
        start, end = xy[self.tile_of_slot[source_slot]], xy[self.tile_of_slot[target_slot]]
        first, second = (0, 1) if order == "xy" else (1, 0)
        flows, links = [], []
        for axis in (first, second):
            length = np.abs(end[:, axis] - start[:, axis])
            flow = np.repeat(np.arange(len(start)), length)
            step = np.arange(len(flow)) - np.repeat(np.cumsum(length) - length, length)
            sign = np.sign(end[:, axis] - start[:, axis])[flow]
            place = np.empty((len(flow), 2), np.int64)
            place[:, axis] = start[flow, axis] + sign * step
            place[:, 1 - axis] = (start if axis == first else end)[flow, 1 - axis]
            flows.append(flow)
            links.append(4 * self.tile_at(place[:, 0], place[:, 1]) + 2 * axis + (sign < 0))
        return np.concatenate(flows), np.concatenate(links)

    # ---------------------------------------------------------------------------------------------------- graphs

    def to_networkx(self) -> networkx.DiGraph[tuple[int, int]]:
        """Tiles (x, y) with their ``slots``, links with number, ``direction`` and ``weight``."""
        import networkx as nx

        graph: networkx.DiGraph[tuple[int, int]] = nx.DiGraph()
        for tile, (x, y) in enumerate(self.xy_of_tile):
            first = tile * self.cores_per_tile
            graph.add_node((int(x), int(y)), tile=tile, slots=tuple(range(first, first + self.cores_per_tile)))
        for link in np.flatnonzero(self.link_exists):
            start, end = self.link_ends(int(link))
            weight = self.hop_weight[link % 4 // 2]
            graph.add_edge(start, end, link=int(link), direction=DIRECTIONS[link % 4], weight=weight)
        return graph

    def path_fault(self, source_slot: int, target_slot: int, links: Sequence[int]) -> str | None:
        """Why ``links`` is no simple path between two slots, or None when it is one."""
        at, goal = (tuple(self.xy_of_tile[slot // self.cores_per_tile].tolist()) for slot in (source_slot, target_slot))
        visited = {at}
        for link in links:
            if not 0 <= link < self.links or not self.link_exists[link]:
                return f"link {link} does not exist"
            start, end = self.link_ends(link)
            if start != at:
                return f"link {self.link_name(link)} does not leave {at}"
            if end in visited:
                return f"tile {end} is visited twice"
            visited.add(end)
            at = end
        return None if at == goal else f"the path ends at {at} instead of {goal}"


def _book_runs(table: Int64, line: Int64, start: Int64, end: Int64, packets: Int64) -> None:
    """Add flows that run along ``line`` from ``start`` to ``end`` to the difference tables (rising, falling)."""
    rising = end > start
    np.add.at(table[0], (line[rising], start[rising]), packets[rising])
    np.add.at(table[0], (line[rising], end[rising]), -packets[rising])
    falling = end < start
    np.add.at(table[1], (line[falling], end[falling] + 1), packets[falling])
    np.add.at(table[1], (line[falling], start[falling] + 1), -packets[falling])


def dependency_cycle(paths: Sequence[Sequence[int]]) -> list[int] | None:
    """Links that wait for each other in a circle under these routes, or None: then the routes cannot deadlock.

    A packet holds a link while it waits for the next one of its path; the graph of these waits must have no cycle (Dally
    and Seitz 1987).
    """
    import networkx as nx

    waits: networkx.DiGraph[int] = nx.DiGraph()
    waits.add_edges_from(pair for path in paths for pair in pairwise(path))
    if nx.is_directed_acyclic_graph(waits):
        return None
    return [int(edge[0]) for edge in nx.find_cycle(waits)]
