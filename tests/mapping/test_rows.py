"""Listed synapses by source: cutting and finding structure keep every synapse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.mapping.rows import (
    Lists,
    Rows,
    filled,
    grouped,
    lists_of,
    rows_by_source,
    rows_of_convolution,
    rows_of_matrix,
    runs_in,
    split,
)
from neuroemu.network.connectivity import Conv2d

pytestmark = pytest.mark.compiled

Synapse = tuple[int, int, int, int]


def rows(*listed: list[tuple[int, int, int]], targets: int = 40) -> Rows:
    """Rows of (target, weight, delay)."""
    flat = np.array([synapse for row in listed for synapse in row], np.int64).reshape(-1, 3)
    start = np.cumsum([0, *map(len, listed)])
    return Rows(start, flat[:, 0].astype(np.int32), flat[:, 1].astype(np.int16), flat[:, 2].astype(np.uint8), targets)


def run(first: int, weights: list[int], delay: int = 1) -> list[tuple[int, int, int]]:
    return [(first + step, weight, delay) for step, weight in enumerate(weights)]


def random_rows(seed: int, sources: int = 12, targets: int = 40) -> Rows:
    """Short and long rows, some of them runs, some repeated elsewhere, some with parallel synapses."""
    rng = np.random.default_rng(seed)
    motif = run(0, rng.integers(-5, 6, 9).tolist()) + [(20, 3, 2)]
    listed = []
    for _ in range(sources):
        kind = rng.integers(4)
        if kind == 0:
            listed.append([(target + int(shift), w, d) for shift in [rng.integers(19)] for target, w, d in motif])
        elif kind == 1:
            listed.append(run(int(rng.integers(20)), rng.integers(-9, 10, rng.integers(1, 15)).tolist()))
        else:
            size = int(rng.integers(0, 14))
            columns = (rng.integers(targets, size=size), rng.integers(-9, 10, size), rng.integers(1, 4, size))
            listed.append(list(zip(*(column.tolist() for column in columns), strict=True)))
    return rows(*listed, targets=targets)


def synapses(given: Rows, sources: np.ndarray | None = None, neurons: np.ndarray | None = None) -> list[Synapse]:
    """(source, target, weight, delay), sorted."""
    numbers = np.arange(given.sources) if sources is None else sources
    target = given.target if neurons is None else neurons[given.target]
    source = np.repeat(numbers, np.diff(given.start))
    return sorted(zip(source.tolist(), target.tolist(), given.weight.tolist(), given.delay.tolist(), strict=True))


def listed(lists: Lists) -> list[Synapse]:
    """What the rows of ``lists`` hold."""
    found = []
    for row, (number, base) in enumerate(zip(lists.list_of_row, lists.base_of_row, strict=True)):
        part = slice(lists.start[number], lists.start[number + 1])
        columns = (lists.target[part] + base, lists.weight[part], lists.delay[part])
        found += [(row, *synapse) for synapse in zip(*(column.tolist() for column in columns), strict=True)]
    return sorted(found)


@given(st.integers(0, 10**6), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_cutting_keeps_every_synapse(seed: int, parts: int) -> None:
    whole = random_rows(seed)
    order = np.random.default_rng(seed).permutation(whole.targets)
    groups = np.array_split(order, parts)
    found = [
        synapse
        for group, (sources, own) in zip(groups, split(whole, groups), strict=True)
        for synapse in synapses(own, sources, group)
    ]
    assert sorted(found) == synapses(whole)
    assert all((np.diff(own.start) > 0).all() for _, own in split(whole, groups))


@given(st.integers(0, 10**6), st.booleans(), st.booleans(), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_finding_structure_keeps_every_synapse(seed: int, runs: bool, sharing: bool, least: int) -> None:
    ((_, own),) = split(random_rows(seed), [np.arange(40)])
    lists = lists_of(own, runs, sharing, least)
    assert listed(lists) == synapses(own)
    assert lists.users.sum() == own.sources
    for number in range(lists.runs):
        part = slice(lists.start[number], lists.start[number + 1])
        assert lists.target[part].tolist() == list(range(part.stop - part.start))
        assert len(set(lists.delay[part].tolist())) == 1
    assert lists.target.size == 0 or lists.target.min() >= 0


def test_a_row_of_neighbours_with_one_delay_is_a_run() -> None:
    given = rows(run(5, [1] * 8), [*run(5, [1] * 7), (12, 1, 2)], run(5, [1] * 7) + [(13, 1, 1)])
    assert runs_in(given).tolist() == [True, False, False]


def test_rows_equal_up_to_a_shift_share_a_list() -> None:
    pattern = [(0, 4, 1), (1, 5, 1), (9, 6, 2), (10, 7, 2)] * 2
    shifted = [[(target + shift, weight, delay) for target, weight, delay in pattern] for shift in (3, 0, 17)]
    other = [*shifted[0][:-1], (13, 8, 2)]
    lists = lists_of(rows(*shifted, other), with_runs=True, with_sharing=True)
    assert lists.list_of_row.tolist() == [0, 0, 0, 1]
    assert lists.base_of_row.tolist() == [3, 0, 17, 0]
    assert lists.users.tolist() == [3, 1]


def test_short_rows_that_look_alike_do_so_by_chance() -> None:
    lists = lists_of(rows(run(1, [5]), run(2, [5]), run(3, [5] * 8)), with_runs=True, with_sharing=True)
    assert (lists.runs, lists.users.tolist()) == (1, [1, 1, 1])


def test_a_row_that_starts_above_its_lowest_target_is_not_moved() -> None:
    down = [(9 - step, 1, 1) for step in range(9)]
    lists = lists_of(rows(down, [(target + 1, w, d) for target, w, d in down]), with_runs=True, with_sharing=True)
    assert lists.list_of_row.tolist() == [0, 1] and lists.base_of_row.tolist() == [0, 0]


def test_rows_without_structure_are_not_copied() -> None:
    given = random_rows(3).of_sources(0, 0)
    ((_, own),) = split(given, [np.arange(40)])
    scattered = rows([(3, 1, 1), (1, 1, 1)], [(7, 2, 1)])
    ((_, whole),) = split(scattered, [np.arange(40)])
    assert own.synapses == 0
    assert np.shares_memory(lists_of(whole, True, True).target, scattered.target)


def test_a_matrix_by_target_turns_into_rows_by_source_without_zeros() -> None:
    weight = sp.csr_array(np.array([[0, 2, 3], [4, 0, 0]], float))
    weight.data[1] = 0.0
    turned = rows_by_source(weight, np.array([5, 6, 7]), delay=2)
    assert synapses(turned) == [(0, 1, 4, 9), (1, 0, 2, 7)]
    assert synapses(rows_by_source(weight, None, delay=0)) == [(0, 1, 4, 1), (1, 0, 2, 1)]


@pytest.mark.parametrize(
    "conv",
    [
        Conv2d(np.arange(1, 37, dtype=float).reshape(2, 2, 3, 3), (2, 5, 6)),
        Conv2d(np.arange(16, dtype=float).reshape(4, 1, 2, 2), (2, 5, 6), (2, 1), (1, 0, 1, 1), (1, 2), 2),
    ],
)
def test_a_convolution_is_written_for_some_neurons_alone(conv: Conv2d) -> None:
    neurons = np.random.default_rng(5).permutation(conv.n_out)[: conv.n_out // 2]
    sources, own = rows_of_convolution(conv, neurons, delay=3)
    dense = conv.to_sparse().toarray()[neurons]
    expected_sources, expected = rows_of_matrix(dense.astype(np.int16), delay=3)
    assert sources.tolist() == expected_sources.tolist()
    assert synapses(own) == synapses(expected)


def test_a_crossbar_row_has_every_target_and_parallel_synapses_add_up() -> None:
    full = filled(rows([(1, 4, 1), (3, 2, 1), (1, -1, 1)], targets=4), weight_bits=3)
    assert full.weight.tolist() == [0, 3, 0, 2] and full.target.tolist() == [0, 1, 2, 3]
    with pytest.raises(OverflowError):
        filled(rows([(0, 3, 1), (0, 1, 1)], targets=1), weight_bits=3)


def test_grouping_counts_and_keeps_order() -> None:
    start, order = grouped(np.array([2, 0, 2, 1, 0]), 4)
    assert start.tolist() == [0, 2, 3, 5, 5] and order.tolist() == [1, 4, 3, 0, 2]
