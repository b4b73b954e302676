"""Axons shared out by need: every source has one, none is given twice, and what is left goes where it lowers the error."""

from __future__ import annotations

import numpy as np
import pytest

from neuroemu.families.truenorth.codes import clustered, fitted
from neuroemu.families.truenorth.mixed import balanced, nearest_shared, shared_out
from neuroemu.families.truenorth.tiles import shared_tile

RNG = np.random.default_rng(17)
WEIGHT = RNG.normal(0, 1, (12, 97)) * (RNG.random((12, 97)) < 0.9)


def share(axons: int, most: int = 16, types: int = 4) -> tuple[np.ndarray, np.ndarray, float]:
    sources = WEIGHT.shape[1]
    found, error = shared_out(WEIGHT, np.ones(sources), np.full(sources, most), axons, types)
    return found.axons, found.entry, error


@pytest.mark.parametrize("types", [3, 4])
def test_every_source_has_an_axon_and_no_more_are_given_than_there_are(types: int) -> None:
    axons, entry, _ = share(200, most=3, types=types)
    assert axons.shape == (97, types) and entry.shape == (12, types)
    assert axons.sum(axis=1).min() == 1 and axons.sum(axis=1).max() <= 3
    assert 190 <= axons.sum() <= 200


def test_more_axons_never_fit_worse_and_two_and_a_half_per_source_beat_two() -> None:
    errors = [share(axons)[2] for axons in (97, 150, 200, 256)]
    assert errors == sorted(errors, reverse=True)
    sorted_sources = float(((clustered(WEIGHT)[1].weight - WEIGHT) ** 2).sum())
    two_each = float(((fitted(WEIGHT, (1, 1)).weight - WEIGHT) ** 2).sum())
    assert errors[0] <= sorted_sources * (1 + 1e-9)
    assert errors[-1] < 0.6 * two_each


def test_the_error_told_is_the_error_of_the_nearest_sums() -> None:
    axons, entry, error = share(180)
    counts = nearest_shared(WEIGHT, entry, axons)
    assert (counts <= axons[None]).all() and not counts[WEIGHT == 0].any()
    assert error == pytest.approx(float((((counts * entry[:, None]).sum(axis=-1) - WEIGHT) ** 2).sum()))


def test_a_source_that_counts_more_is_held_more_precisely() -> None:
    heed = np.ones(97)
    heed[0] = 50.0
    found, _ = shared_out(WEIGHT, heed, np.full(97, 8), 150, 4)
    off = [
        np.abs((nearest_shared(WEIGHT, entry, axons) * entry[:, None]).sum(axis=-1) - WEIGHT)[:, 0].sum()
        for axons, entry in ((found.axons, found.entry), share(150, most=8)[:2])
    ]
    assert off[0] < 0.5 * off[1]


def test_errors_cancel_over_the_inputs_of_a_neuron_at_little_cost() -> None:
    axons, entry, error = share(200)
    plain, even = nearest_shared(WEIGHT, entry, axons), balanced(WEIGHT, entry, axons, np.ones(97))
    off = [(counts * entry[:, None]).sum(axis=-1) - WEIGHT for counts in (plain, even)]
    assert np.abs(off[1].sum(axis=1)).max() < 0.2 * np.abs(off[0].sum(axis=1)).max()
    assert float((off[1] ** 2).sum()) < 1.1 * error
    assert (even <= axons[None]).all() and not even[WEIGHT == 0].any()


def test_exact_sums_stay_exact_when_errors_are_balanced() -> None:
    entry = np.array([[1.0, -1.0], [3.0, -2.0]])
    weight = np.array([[1.0, -1.0, 0.0], [1.0, 3.0, -2.0]])
    counts = balanced(weight, entry, np.ones((3, 2), np.int64), np.ones(3))
    assert np.array_equal((counts * entry[:, None]).sum(axis=-1), weight)


def test_a_tile_holds_the_sums_of_its_counts_and_leaves_out_unused_axons() -> None:
    axons, entry, _ = share(160)
    table = np.rint(40 * entry).astype(np.int64)
    counts = balanced(40 * WEIGHT, table.astype(np.float64), axons, np.ones(97))
    tile = shared_tile(np.arange(12), np.arange(97) + 5, axons, counts, table)
    found = np.zeros((12, 102), np.int64)
    np.add.at(found.T, tile.column, tile.weight)
    assert np.array_equal(found[:, 5:], (counts * table[:, None]).sum(axis=-1))
    assert tile.synapses.any(axis=1).all() and tile.column.shape[0] <= 160
