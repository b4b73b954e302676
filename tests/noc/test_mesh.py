"""The mesh counts hops, names links and finds broken paths and circular waits."""

from __future__ import annotations

import numpy as np
import pytest

from neuroemu.noc.mesh import EAST, NORTH, SOUTH, WEST, Mesh, dependency_cycle

CHIP = Mesh(8, 4, 4, "column_major", (30, 40))


def test_a_spike_from_corner_to_corner_costs_33_picojoules() -> None:
    """8x4 tiles, 3.0 pJ an east-west and 4.0 pJ a north-south hop (Davies 2018, Table 2)."""
    east_west, north_south = CHIP.hops(np.array([0]), np.array([CHIP.slots - 1]))
    assert (east_west[0], north_south[0]) == (7, 3)
    assert np.abs(CHIP.weighted_places[CHIP.tiles - 1] - CHIP.weighted_places[0]).sum() == 330


@pytest.mark.parametrize(("order", "second"), [("row_major", (1, 0)), ("column_major", (0, 1))])
def test_tiles_are_numbered_in_the_given_order(order, second) -> None:
    mesh = Mesh(3, 2, tile_order=order)
    assert tuple(mesh.xy_of_tile[1]) == second
    assert np.array_equal(mesh.tile_at(*mesh.xy_of_tile.T), np.arange(6))


@pytest.mark.parametrize(
    "mesh", [CHIP, Mesh(5, 3, unavailable=(0, 6, 9)), Mesh(4, 4, 2, "column_major", (3, 4))], ids=str
)
def test_a_corner_of_a_mesh_has_the_same_places_and_ways(mesh) -> None:
    part, slot = mesh.corner(3, 2)
    assert (part.columns, part.rows, slot.shape) == (3, 2, (part.slots,))
    assert np.array_equal(mesh.xy_of_tile[mesh.tile_of_slot[slot]], part.xy_of_tile[part.tile_of_slot])
    assert np.array_equal(mesh.weighted_places[mesh.tile_of_slot[slot]], part.weighted_places[part.tile_of_slot])
    assert set(slot[part.available_slots].tolist()) == set(slot.tolist()) - set(mesh.unavailable)
    whole, every = mesh.corner(mesh.columns, mesh.rows)
    assert whole == mesh and np.array_equal(every, np.arange(mesh.slots))


def test_cores_of_one_tile_are_no_hops_apart() -> None:
    assert [int(hops[0]) for hops in CHIP.hops(np.array([4]), np.array([7]))] == [0, 0]
    assert CHIP.path(4, 7) == []


@pytest.mark.parametrize("mesh", [CHIP, Mesh(3, 5), Mesh(1, 4, 2)], ids=str)
@pytest.mark.parametrize("order", ["xy", "yx"])
def test_every_path_is_as_long_as_its_hops_and_arrives(mesh, order) -> None:
    slots = np.arange(0, mesh.slots, mesh.cores_per_tile)
    for source in slots:
        for target in slots:
            path = mesh.path(int(source), int(target), order)
            assert len(path) == sum(int(hops) for hops in mesh.hops(source, target))
            assert mesh.path_fault(int(source), int(target), path) is None


@pytest.mark.parametrize("order", ["xy", "yx"])
def test_dimension_order_never_waits_in_a_circle(order) -> None:
    mesh = Mesh(4, 3)
    paths = [mesh.path(a, b, order) for a in range(12) for b in range(12)]
    assert dependency_cycle(paths) is None
    assert dependency_cycle(
        [*paths, *(mesh.path(a, b, "xy" if order == "yx" else "yx") for a in range(12) for b in (0, 11))]
    )


def test_a_circle_of_waits_is_named_link_by_link() -> None:
    cycle = dependency_cycle([[0, 5], [5, 9], [9, 0], [9, 2]])
    assert cycle is not None and sorted(cycle) == [0, 5, 9]


@pytest.mark.parametrize(
    ("links", "fault"),
    [
        ([4 * 0 + EAST, 4 * 1 + EAST], None),
        ([4 * 0 + WEST], f"link {4 * 0 + WEST} does not exist"),
        ([4 * 1 + EAST], "link (1, 0) east does not leave (0, 0)"),
        ([4 * 0 + EAST], "the path ends at (1, 0) instead of (2, 0)"),
        ([4 * 0 + EAST, 4 * 1 + WEST], "tile (0, 0) is visited twice"),
        ([99], "link 99 does not exist"),
    ],
)
def test_a_faulty_path_is_explained(links, fault) -> None:
    assert Mesh(3, 2).path_fault(0, 2, links) == fault


def test_links_leave_their_tile_in_their_direction() -> None:
    mesh = Mesh(3, 3)
    assert [mesh.link_ends(4 * 4 + d)[1] for d in (EAST, WEST, NORTH, SOUTH)] == [(2, 1), (0, 1), (1, 2), (1, 0)]
    assert mesh.link_name(4 * 4 + NORTH) == "(1, 1) north"
    assert int(mesh.link_exists.sum()) == 2 * (2 * 3 + 2 * 3)


def test_the_graph_holds_every_tile_and_link() -> None:
    graph = CHIP.to_networkx()
    assert graph.number_of_nodes() == 32
    assert graph.number_of_edges() == int(CHIP.link_exists.sum()) == 104
    assert graph.nodes[1, 0]["slots"] == (16, 17, 18, 19)
    east = graph.edges[(0, 0), (1, 0)]
    assert (east["direction"], east["weight"], CHIP.link_ends(east["link"])) == ("east", 30, ((0, 0), (1, 0)))
    assert graph.edges[(0, 1), (0, 0)]["weight"] == 40


def test_unavailable_slots_are_left_out() -> None:
    assert Mesh(2, 1, 2, unavailable=(1,)).available_slots.tolist() == [0, 2, 3]


def test_the_load_of_a_run_lies_between_its_ends() -> None:
    mesh = Mesh(5, 1)
    loads = mesh.link_loads(np.array([1, 3]), np.array([3, 0]), np.array([7, 2]))
    assert loads[EAST::4].tolist() == [0, 7, 7, 0, 0]
    assert loads[WEST::4].tolist() == [0, 2, 2, 2, 0]


def test_loads_beyond_float_precision_are_exact() -> None:
    huge = np.array([2**53 + 1])
    assert Mesh(2, 1).link_loads(np.array([0]), np.array([1]), huge)[EAST] == 2**53 + 1


def test_what_a_mesh_carries_leaves_out_packets_within_a_core() -> None:
    mesh = Mesh(3, 2)
    carried = mesh.carried(np.array([0, 1, 2]), np.array([5, 1, 1]), np.array([4, 7, 0]))
    assert (carried["messages"], carried["hops"], carried["max_link_load"], carried["diameter_hops"]) == (4, 12, 4, 3)
    assert carried["links"] == [
        {"from": [0, 0], "to": [1, 0], "packets": 4},
        {"from": [1, 0], "to": [2, 0], "packets": 4},
        {"from": [2, 0], "to": [2, 1], "packets": 4},
    ]
