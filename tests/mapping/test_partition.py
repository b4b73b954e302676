"""Every partitioner keeps every limit, counts exactly, repeats itself, and refinement never makes a partition worse."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.mapping.partition import (
    DEFAULT_PARTITIONER,
    OUTSIDE,
    PARTITIONERS,
    Additive,
    Hypergraph,
    Limits,
    check_parts,
    linear_list_cost,
    lower_bound,
    measure,
    part_traffic,
    refine,
)
from tests.mapping.cases import CASES, Case, hypergraph, limits, recount, ring

every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
every_partitioner = pytest.mark.parametrize("partitioner", PARTITIONERS.values(), ids=PARTITIONERS.keys())


def assert_legal(net: Hypergraph, room: Limits, parts: np.ndarray) -> None:
    messages, used = recount(net, room, parts)
    assert np.all(used <= room.limit)
    use = measure(net, room, parts)
    assert use.messages == messages
    assert np.array_equal(use.used, used)
    assert check_parts(net, room, parts) == ()


@every_case
@every_partitioner
def test_parts_keep_every_limit_and_are_counted_exactly(partitioner, case) -> None:
    net, room = case()
    parts = partitioner(net, room)
    assert parts.dtype == np.int32
    assert_legal(net, room, parts)
    assert len(np.unique(parts)) >= lower_bound(net, room).parts


@every_case
@every_partitioner
def test_parts_are_numbered_by_their_lowest_neuron(partitioner, case) -> None:
    parts = partitioner(*case())
    _, first = np.unique(parts, return_index=True)
    assert np.array_equal(np.unique(parts), np.arange(parts.max() + 1))
    assert np.all(np.diff(first) > 0)


@every_case
@every_partitioner
def test_refinement_is_legal_and_never_worse(partitioner, case) -> None:
    net, room = case()
    parts = partitioner(net, room)
    better = refine(net, room, parts)
    assert_legal(net, room, better)
    before, after = measure(net, room, parts), measure(net, room, better)
    assert (after.parts, after.messages) <= (before.parts, before.messages)


@every_partitioner
def test_the_same_net_is_always_split_the_same_way(partitioner) -> None:
    first, second = (refine(*case, partitioner(*case, seed=3), seed=3) for case in (ring(), ring()))
    assert np.array_equal(first, second)


@every_partitioner
def test_a_net_without_neurons_has_no_parts(partitioner) -> None:
    empty = Hypergraph(np.zeros(1), np.zeros(0), np.zeros(0), 0)
    assert partitioner(empty, limits()).shape == (0,)
    assert lower_bound(empty, limits()).parts == 0
    assert measure(empty, limits(), np.zeros(0, np.int32)).messages == 0


def test_growth_finds_the_neighbours_that_a_shuffle_hid() -> None:
    net, room = CASES["shuffled_ring"]()
    grown, filled = (PARTITIONERS[name](net, room) for name in ("overlap_growth", "sequential"))
    assert measure(net, room, grown).messages * 2 < measure(net, room, filled).messages


def test_growth_uses_the_bucket_queue_that_the_default_names() -> None:
    net, room = CASES["shuffled_ring"]()
    assert DEFAULT_PARTITIONER in PARTITIONERS
    best = measure(net, room, PARTITIONERS["best_of_both"](net, room))
    for name in ("overlap_growth", "sequential"):
        other = measure(net, room, PARTITIONERS[name](net, room))
        assert (best.parts, best.messages) <= (other.parts, other.messages)


def test_refinement_empties_parts_that_others_can_take() -> None:
    net, room = CASES["pairs"]()
    scattered = np.arange(net.neurons, dtype=np.int32) // 2
    assert measure(net, room, refine(net, room, scattered)).parts == lower_bound(net, room).parts == 5


def test_refinement_swaps_where_every_part_is_full() -> None:
    net, room = hypergraph([[i ^ 1] for i in range(8)], 8, rate=[1] * 8), limits(neurons=2)
    crossed = np.array([0, 1, 0, 1, 2, 3, 2, 3], np.int32)
    assert measure(net, room, crossed).messages == 8
    assert measure(net, room, refine(net, room, crossed)).messages == 0


def test_refinement_refuses_an_illegal_start() -> None:
    net, room = ring()
    with pytest.raises(DoesNotFit, match="NE4010 core 0 needs 48 neurons, the limit is 8"):
        refine(net, room, np.zeros(48, np.int32))


# ------------------------------------------------------------------------------------------------------- counting


def test_a_spike_is_one_message_for_every_other_part_that_holds_a_target() -> None:
    net = hypergraph([[1, 2, 3, 4]], 5, home=[0], rate=[10])
    parts = np.array([0, 0, 1, 1, 2], np.int32)
    use = measure(net, limits(), parts)
    assert use.messages == 20
    assert use.axons.tolist() == [1, 1, 1]
    assert use.memory.tolist() == [1, 2, 1]
    assert use.outputs.tolist() == [2, 0, 0]
    assert part_traffic(net, parts).toarray().tolist() == [[0, 10, 10], [0, 0, 0], [0, 0, 0]]


def test_a_source_outside_reaches_every_part_by_message_and_uses_no_output() -> None:
    net = hypergraph([[0, 1]], 2, home=[OUTSIDE], rate=[7])
    use = measure(net, limits(), np.array([0, 1], np.int32))
    assert (use.messages, use.outputs.tolist()) == (14, [0, 0])
    assert part_traffic(net, np.array([0, 1], np.int32)).nnz == 0


def test_a_silent_source_still_needs_an_axon() -> None:
    net = hypergraph([[1]], 2, home=[0], rate=[0])
    use = measure(net, limits(), np.array([0, 1], np.int32))
    assert (use.messages, use.axons.tolist()) == (0, [0, 1])


def test_local_targets_cost_output_entries_only_where_the_chip_says_so() -> None:
    net, together = hypergraph([[1]], 2, home=[0]), np.zeros(2, np.int32)
    assert measure(net, Limits(outputs=4), together).outputs.tolist() == [0]
    assert measure(net, Limits(outputs=4, own_output=1), together).outputs.tolist() == [1]


# --------------------------------------------------------------------------------------------------------- limits

FULL = 6


def star(neurons: int, fan_in: int) -> Hypergraph:
    """Outside sources that all reach all neurons."""
    return hypergraph([list(range(neurons))] * fan_in, neurons, home=[OUTSIDE] * fan_in)


ONE_TOO_MANY = {
    "compartments": (star(FULL, 2), Limits(neurons=FULL - 1, names={"neurons": "compartments"})),
    "input axons": (star(2, FULL), Limits(axons=FULL - 1, names={"axons": "input axons"})),
    "bits": (star(2, FULL), Limits(memory=2 * FULL - 1, list_cost=linear_list_cost(9), names={"memory": "bits"})),
    "output axons": (hypergraph([[1], [0]], 2), Limits(outputs=1, own_output=1, names={"outputs": "output axons"})),
    "traces": (star(FULL, 1), Limits(extra=(Additive("traces", np.ones(FULL, np.int64), FULL - 1),))),
}


@pytest.mark.parametrize("name", ONE_TOO_MANY)
def test_one_unit_beyond_a_limit_is_refused_by_name(name) -> None:
    net, room = ONE_TOO_MANY[name]
    (finding,) = check_parts(net, room, np.zeros(net.neurons, np.int32))
    assert finding.code == "NE4010"
    assert f"{name}, the limit is" in finding.message and "(1 too many)" in finding.message
    assert finding.where == "core 0"


@pytest.mark.parametrize("name", ONE_TOO_MANY)
def test_exactly_the_limit_is_legal(name) -> None:
    net, room = ONE_TOO_MANY[name]
    one_more = {
        field: value + 1
        for field in ("neurons", "axons", "memory", "outputs")
        if (value := getattr(room, field)) is not None
    }
    extra = tuple(Additive(entry.name, entry.use, entry.limit + 1) for entry in room.extra)
    roomier = Limits(**one_more, list_cost=room.list_cost, own_output=room.own_output, extra=extra)
    assert check_parts(net, roomier, np.zeros(net.neurons, np.int32)) == ()


@every_partitioner
@pytest.mark.parametrize(
    "room", [Limits(axons=5), Limits(memory=5, list_cost=linear_list_cost(9))], ids=["axons", "memory"]
)
def test_a_neuron_that_fits_no_core_is_named(partitioner, room) -> None:
    with pytest.raises(
        DoesNotFit, match=r"NE4011 3 neurons fit no core: neuron 0 alone needs 6 .*, the limit is 5 \(1 too"
    ):
        partitioner(star(3, 6), room)


def test_all_broken_resources_are_reported_at_once() -> None:
    with pytest.raises(DoesNotFit) as refusal:
        PARTITIONERS["sequential"](star(3, 6), Limits(axons=5, memory=4, list_cost=linear_list_cost(9)))
    assert len(refusal.value.findings) == 2


@every_partitioner
def test_output_entries_split_parts_until_they_fit(partitioner) -> None:
    """Eight neurons of two targets each: together they would need more entries than a core has."""
    targets = [[8 + i, 16 + i] for i in range(8)] + [[] for _ in range(16)]
    net, room = hypergraph(targets, 24), Limits(neurons=8, outputs=5)
    parts = partitioner(net, room)
    assert_legal(net, room, parts)


@every_partitioner
def test_a_neuron_with_too_many_destinations_is_refused(partitioner) -> None:
    net = hypergraph([list(range(1, 9))] + [[] for _ in range(8)], 9)
    with pytest.raises(DoesNotFit, match=r"NE4012 neuron 0 alone needs \d outputs, the limit of a core is 2"):
        partitioner(net, Limits(neurons=2, outputs=2))


def test_a_list_longer_than_its_table_does_not_fit() -> None:
    net = star(6, 1)
    room = Limits(memory=100, list_cost=linear_list_cost(4))
    assert [finding.code for finding in check_parts(net, room, np.zeros(6, np.int32))] == ["NE4010"]
    assert_legal(net, Limits(memory=100, list_cost=linear_list_cost(6)), np.zeros(6, np.int32))
    assert len(np.unique(PARTITIONERS["overlap_growth"](net, room))) == 2


def test_the_lower_bound_names_the_limit_that_binds() -> None:
    net = star(12, 5)
    assert lower_bound(net, Limits(neurons=5)).parts == 3
    bound = lower_bound(net, Limits(neurons=6, memory=20, list_cost=linear_list_cost(12), names={"memory": "words"}))
    assert (bound.parts, bound.resource) == (3, "words")


def test_the_lower_bound_takes_the_cheapest_synapse_of_a_padded_list() -> None:
    k = np.arange(13)
    words = Limits(memory=64, list_cost=-(-k // 8) * 8)  # eight synapses cost as much as one
    assert lower_bound(star(12, 8), words).parts == 2


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 2], [0, 5], [1], 3), "targets must lie in 0..2, found 0..5"),
        (([0, 3], [0, 1], [1], 3), "row_start must rise from 0 to 2"),
        (([0, 2], [0, 1], [-1], 3), "rates are spike counts"),
        (([0, 2], [0, 1], [1], 3, [3]), "home must name a neuron below 3"),
        (([0, 2], [0, 1], [1], 3, [0], [-1]), "list_format"),
    ],
)
def test_malformed_hypergraphs_are_refused(arguments, message) -> None:
    with pytest.raises(BadInput, match=message):
        Hypergraph(*(np.array(a) if isinstance(a, list) else a for a in arguments))


@pytest.mark.parametrize(
    ("room", "message"),
    [
        (Limits(memory=9, list_cost=np.array([1, 2])), "list_cost must start at 0"),
        (Limits(memory=9, list_cost=np.array([0, 2, 1])), "never fall"),
        (Limits(extra=(Additive("traces", np.ones(2, np.int64), 4),)), "traces: use must have 3 entries"),
    ],
)
def test_malformed_limits_are_refused(room, message) -> None:
    with pytest.raises(BadInput, match=message):
        PARTITIONERS["sequential"](star(3, 2), room)


def test_a_format_without_a_price_is_refused() -> None:
    net = Hypergraph(np.array([0, 1]), np.array([0]), np.array([1]), 1, list_format=np.array([1]))
    with pytest.raises(BadInput, match="list_cost has 1 rows, the sources use 2 formats"):
        PARTITIONERS["sequential"](net, limits())


@pytest.mark.parametrize("parts", [np.zeros(2, np.int32), np.array([0, -1, 0], np.int32)])
def test_an_array_that_is_no_partition_is_refused(parts) -> None:
    assert [finding.code for finding in check_parts(star(3, 1), limits(), parts)] == ["NE4003"]


# ----------------------------------------------------------------------------------------------- property, oracle


@st.composite
def random_cases(draw: st.DrawFn, most: int = 14) -> Case:
    neurons = draw(st.integers(1, most))
    rows = draw(st.lists(st.lists(st.integers(0, neurons - 1), max_size=6), min_size=1, max_size=14))
    home = [draw(st.integers(-1, neurons - 1)) for _ in rows]
    rate = [draw(st.integers(0, 9)) for _ in rows]
    net = hypergraph([sorted(row) for row in rows], neurons, home, rate)
    fan_in = int(np.diff(net.pins.column_start).max(initial=0))
    alone = int(np.bincount(net.target, minlength=neurons).max(initial=0))
    return net, Limits(
        neurons=draw(st.integers(1, 5)),
        axons=fan_in + draw(st.integers(0, 5)),
        memory=2 * alone + draw(st.integers(0, 8)),
        list_cost=linear_list_cost(100, per_list=1),
        outputs=draw(st.none() | st.integers(14 * most, 20 * most)),
    )


@given(random_cases())
@settings(max_examples=60)
def test_any_net_is_split_legally_and_refined_for_the_better(case: Case) -> None:
    net, room = case
    for partitioner in PARTITIONERS.values():
        parts = partitioner(net, room)
        assert_legal(net, room, parts)
        better = refine(net, room, parts)
        assert_legal(net, room, better)
        before, after = measure(net, room, parts), measure(net, room, better)
        assert (after.parts, after.messages) <= (before.parts, before.messages)
        assert after.parts >= lower_bound(net, room).parts


def set_partitions(count: int) -> Iterator[list[int]]:
    """All partitions of ``count`` things, as part numbers by first member."""

    def extend(parts: list[int]) -> Iterator[list[int]]:
        if len(parts) == count:
            yield parts
            return
        for part in range(max(parts, default=-1) + 2):
            yield from extend([*parts, part])

    return extend([])


def best_possible(net: Hypergraph, room: Limits) -> tuple[int, int]:
    """Fewest parts, then fewest messages, of all legal partitions."""
    best = (net.neurons + 1, 0)
    for parts in set_partitions(net.neurons):
        if max(parts) + 1 <= best[0]:
            messages, used = recount(net, room, np.array(parts))
            if np.all(used <= room.limit):
                best = min(best, (max(parts) + 1, messages))
    return best


@pytest.mark.compiled
def test_small_nets_come_close_to_the_optimum_of_all_partitions() -> None:
    rng = np.random.default_rng(11)
    found, optimal = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for _ in range(12):
        neurons = int(rng.integers(5, 8))
        rows = [sorted(rng.choice(neurons, 3, replace=False).tolist()) for _ in range(neurons)]
        net = hypergraph(rows, neurons, rate=rng.integers(1, 9, neurons))
        room = limits(neurons=3, axons=7, memory=20)
        best = best_possible(net, room)
        use = measure(net, room, refine(net, room, PARTITIONERS[DEFAULT_PARTITIONER](net, room)))
        assert lower_bound(net, room).parts <= best[0]
        assert (use.parts, use.messages) >= best
        found += (use.parts, use.messages)
        optimal += best
    assert found[0] == optimal[0]
    assert found[1] * 100 <= optimal[1] * 115
