"""Every router leads each flow to its target, counts each link exactly and cannot deadlock."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.mapping.metrics import summarise_parts
from neuroemu.mapping.partition import Additive, Hypergraph, Limits, part_traffic
from neuroemu.mapping.place import linear
from neuroemu.mapping.route import ROUTERS, Flows, multicast_flows, unicast_flows, xy, yx
from neuroemu.noc.mesh import Mesh
from tests.mapping.cases import CASES, hypergraph, limits

every_router = pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS.keys())
CHIP = Mesh(8, 4, 4, "column_major", (30, 40))


def flows(pairs: list[tuple[int, int, int]], trees: list[int] | None = None) -> Flows:
    source, target, packets = np.array(pairs, np.int64).reshape(-1, 3).T
    return Flows(source, target, packets, None if trees is None else np.array(trees))


@every_router
@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127), st.integers(0, 9)), max_size=30))
@settings(max_examples=30)
def test_loads_are_the_sum_over_the_paths_of_the_flows(router, pairs) -> None:
    routes = router(flows(pairs), CHIP)
    expected = np.zeros(CHIP.links, np.int64)
    for flow, (_, _, packets) in enumerate(pairs):
        np.add.at(expected, routes.path(flow), packets)
    assert np.array_equal(routes.link_load, expected)
    assert routes.hops == routes.hops_east_west + routes.hops_north_south == expected.sum()
    assert routes.longest_path == max((len(routes.path(i)) for i, pair in enumerate(pairs) if pair[2]), default=0)
    assert routes.check() == ()


@every_router
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 127)), max_size=30))
@settings(max_examples=30)
def test_a_tree_crosses_each_link_of_its_paths_once(router, members) -> None:
    pairs = [(tree * 20, target, tree + 1) for tree, target in members]
    routes = router(flows(pairs, [tree for tree, _ in members]), CHIP)
    expected = np.zeros(CHIP.links, np.int64)
    for tree in range(6):
        union = {link for flow, (member, _) in enumerate(members) if member == tree for link in routes.path(flow)}
        expected[sorted(union)] += tree + 1
    assert np.array_equal(routes.link_load, expected)


def test_both_orders_turn_at_different_corners() -> None:
    there = flows([(0, CHIP.slots - 1, 5)])
    east_first, north_first = xy(there, CHIP), yx(there, CHIP)
    assert east_first.hops == north_first.hops == 50
    assert (east_first.hops_east_west, east_first.hops_north_south) == (35, 15)
    assert not np.any((east_first.link_load > 0) & (north_first.link_load > 0))
    assert east_first.busiest_link == "(0, 0) east"
    assert north_first.busiest_link == "(0, 0) north"


def test_packets_between_cores_of_a_tile_cross_no_link() -> None:
    routes = xy(flows([(0, 3, 7), (0, 4, 1)]), CHIP)
    assert (routes.packets_within_tile, routes.hops) == (7, 1)


@every_router
def test_no_flows_load_no_link(router) -> None:
    routes = router(flows([]), CHIP)
    assert (routes.hops, routes.max_link_load, routes.longest_path, routes.busiest_link) == (0, 0, 0, "")
    assert routes.check() == ()


@every_router
def test_a_slot_off_the_chip_is_refused(router) -> None:
    with pytest.raises(BadInput, match=r"NE4042 flows name slots 0\.\.128, the topology has 0\.\.127"):
        router(flows([(0, 128, 1)]), CHIP)


def test_mixed_dimension_orders_are_found_to_deadlock() -> None:
    """Four flows around a square, two by each order, wait for each other in a circle."""
    mesh = Mesh(2, 2)

    class Mixed(Mesh):
        def path(self, source_slot, target_slot, order="xy"):
            return mesh.path(source_slot, target_slot, "xy" if source_slot in (0, 3) else "yx")

    routes = xy(flows([(0, 3, 1), (3, 0, 1), (1, 2, 1), (2, 1, 1)]), Mixed(2, 2))
    (finding,) = routes.check()
    assert finding.code == "NE4041"
    assert "(0, 0) east" in finding.message


def test_a_broken_path_is_found() -> None:
    class Torn(Mesh):
        def path(self, source_slot, target_slot, order="xy"):
            return super().path(source_slot, target_slot, order)[:-1]

    (finding,) = xy(flows([(0, 2, 1)]), Torn(3, 1)).check()
    assert finding.code == "NE4040"
    assert finding.message == "the route from slot 0 to 2 is broken: the path ends at (1, 0) instead of (2, 0)"


def test_unicast_sends_a_copy_for_every_core_and_multicast_shares_the_way() -> None:
    net = hypergraph([[1, 2]], 3, home=[0], rate=[10])
    parts, mesh = np.arange(3, dtype=np.int32), Mesh(3, 1)
    slots = linear(part_traffic(net, parts), mesh)
    assert xy(unicast_flows(part_traffic(net, parts), slots), mesh).hops == 30
    assert xy(multicast_flows(net, parts, slots), mesh).hops == 20


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_packets_of_all_flows_are_the_messages_of_local_sources(case) -> None:
    net, _ = case()
    parts = (np.arange(net.neurons) % 5).astype(np.int32)
    slots = np.arange(5, dtype=np.int32)
    unicast, multicast = unicast_flows(part_traffic(net, parts), slots), multicast_flows(net, parts, slots)
    assert unicast.packets.sum() == multicast.packets.sum() == part_traffic(net, parts).sum()
    assert len(multicast) >= len(unicast)


def test_the_summary_names_the_bound_the_busiest_link_and_the_fullest_core() -> None:
    net = Hypergraph(np.array([0, 3, 4, 4, 4]), np.array([1, 2, 3, 0]), np.array([10, 5, 1, 1]), 4, np.arange(4))
    room = Limits(neurons=2, axons=8, extra=(Additive("traces", np.array([1, 0, 0, 0]), 4),))
    parts, mesh = np.array([0, 0, 1, 1], np.int32), Mesh(2, 2)
    summary = summarise_parts(net, room, parts, xy(unicast_flows(part_traffic(net, parts), np.array([0, 3])), mesh))
    assert (summary.cores, summary.cores_available, summary.lower_bound, summary.bound_by) == (2, 4, 2, "neurons")
    assert (summary.messages, summary.hops, summary.hops_east_west, summary.hops_north_south) == (10, 20, 10, 10)
    assert (summary.max_link_load, summary.busiest_link, summary.diameter) == (10, "(0, 0) east", 2)
    assert summary.binding == "neurons"
    assert [(full.resource, full.core, full.used, full.limit, full.mean_per_mille) for full in summary.fullest] == [
        ("neurons", 0, 2, 2, 1000),
        ("axons", 0, 2, 8, 187),
        ("traces", 0, 1, 4, 125),
    ]
    assert summary.to_dict()["fullest"][0]["resource"] == "neurons"


def test_a_summary_without_limits_has_no_binding_resource() -> None:
    net = hypergraph([[0]], 1)
    routes = xy(flows([]), Mesh(1, 1))
    assert summarise_parts(net, Limits(), np.zeros(1, np.int32), routes).binding == ""
    assert summarise_parts(net, limits(), np.zeros(1, np.int32), routes).binding != ""
