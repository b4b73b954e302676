"""Every placer gives each core a slot of its own; swaps never lose against the curve they start from."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import DoesNotFit
from neuroemu.mapping.place import PLACERS, core_order, hilbert_curve, placement_cost
from neuroemu.noc.mesh import Mesh

every_placer = pytest.mark.parametrize("placer", PLACERS.values(), ids=PLACERS.keys())
MESHES = (Mesh(8, 4, 4), Mesh(5, 3), Mesh(3, 7, 2, "column_major", (3, 4), unavailable=(0, 5, 41)))


def shuffled_chain(cores: int, seed: int = 3) -> sp.csr_array:
    """Core after core passes messages on, under shuffled numbers."""
    order = np.random.default_rng(seed).permutation(cores)
    ones = np.full(cores - 1, 10, np.int64)
    return sp.coo_array((ones, (order[:-1], order[1:])), shape=(cores, cores)).tocsr()


@every_placer
@pytest.mark.parametrize("mesh", MESHES, ids=str)
def test_every_core_has_an_available_slot_of_its_own(placer, mesh) -> None:
    for cores in (0, 1, 7, len(mesh.available_slots)):
        slots = placer(shuffled_chain(cores) if cores else sp.csr_array((0, 0), dtype=np.int64), mesh, 1)
        assert slots.dtype == np.int32 and slots.shape == (cores,)
        assert len(np.unique(slots)) == cores
        assert np.all(np.isin(slots, mesh.available_slots))


@every_placer
def test_the_same_traffic_is_always_placed_the_same_way(placer) -> None:
    first, second = (placer(shuffled_chain(13), Mesh(5, 3), 2) for _ in range(2))
    assert np.array_equal(first, second)


@every_placer
def test_cores_without_traffic_are_placed(placer) -> None:
    assert len(np.unique(placer(sp.csr_array((6, 6), dtype=np.int64), Mesh(3, 2)))) == 6


@every_placer
def test_one_core_too_many_is_refused(placer) -> None:
    with pytest.raises(DoesNotFit, match=r"NE4030 the network needs 40 cores, the chip has 39 available \(1 too few\)"):
        placer(shuffled_chain(40), MESHES[2])


def test_seeds_shuffle_the_random_baseline() -> None:
    assert not np.array_equal(*(PLACERS["random"](shuffled_chain(13), Mesh(5, 3), seed) for seed in (1, 2)))


@given(st.integers(0, 10**6), st.integers(2, 15))
@settings(max_examples=25)
def test_swaps_never_lose_against_the_curve(seed, cores) -> None:
    rng = np.random.default_rng(seed)
    traffic = sp.csr_array(rng.integers(0, 4, (cores, cores)) * rng.integers(0, 2, (cores, cores)))
    mesh = Mesh(4, 4, hop_weight=(3, 4))
    curve, swapped = (
        placement_cost(traffic, mesh, PLACERS[name](traffic, mesh, seed)) for name in ("hilbert", "hilbert_swap")
    )
    assert swapped <= curve


def test_a_chain_of_cores_is_laid_along_neighbouring_tiles() -> None:
    traffic = shuffled_chain(16)
    cost = {name: placement_cost(traffic, Mesh(4, 4), place(traffic, Mesh(4, 4), 0)) for name, place in PLACERS.items()}
    assert cost["hilbert_swap"] <= cost["hilbert"] < cost["random"]
    assert cost["hilbert_swap"] <= 160  # 15 steps of one hop carry 150 packets


def test_cores_that_talk_stand_together_in_the_order() -> None:
    assert core_order(shuffled_chain(9)).tolist()[0] == 0
    pairs = sp.coo_array((np.array([9, 9, 1]), ([0, 1, 2], [3, 2, 3])), shape=(4, 4)).tocsr()
    assert core_order(pairs).tolist() == [0, 3, 2, 1]


@pytest.mark.parametrize("columns", range(1, 10))
def test_the_curve_visits_every_tile_once_and_stays_with_its_neighbours(columns) -> None:
    for rows in range(1, 10):
        points = list(hilbert_curve(columns, rows))
        assert sorted(points) == [(x, y) for x in range(columns) for y in range(rows)]
        steps = [abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairwise(points)]
        assert steps.count(1) >= len(steps) - 1 and max(steps, default=1) <= 2
        if columns % 2 == rows % 2 == 0:
            assert set(steps) <= {1}
