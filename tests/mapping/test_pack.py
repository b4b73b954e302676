"""Packers put whole pieces into cores without exceeding any resource."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.mapping.pack import PACKERS, pack

every_packer = pytest.mark.parametrize("algorithm", PACKERS)


def load(pieces: np.ndarray, core_of_piece: np.ndarray) -> np.ndarray:
    used = np.zeros((core_of_piece.max(initial=-1) + 1, pieces.shape[1]), np.int64)
    np.add.at(used, core_of_piece, pieces)
    return used


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25),
    st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24), st.integers(1, 99)), max_size=40),
)
@settings(max_examples=60)
def test_no_core_is_overfull_and_cores_open_in_order(pieces, shared) -> None:
    use = np.array(pieces, np.int64).reshape(-1, 2)
    affinity = np.zeros((len(use), len(use)), np.int64)
    for a, b, packets in shared:
        if max(a, b) < len(use):
            affinity[a, b] = packets
    room = np.array([10, 12])
    for algorithm in PACKERS:
        cores = pack(use, room, sp.csr_array(affinity), algorithm)
        assert cores.dtype == np.int32
        assert np.all(load(use, cores) <= room)
        _, first = np.unique(cores, return_index=True)
        assert np.array_equal(np.sort(first), first)


def test_first_fit_takes_the_lowest_core_with_room() -> None:
    assert pack(np.array([[6], [6], [4], [4], [1]]), np.array([10]), algorithm="first_fit").tolist() == [0, 1, 0, 1, 2]


def test_affinity_takes_the_core_with_most_shared_traffic() -> None:
    talk = np.zeros((4, 4), np.int64)
    talk[3, 1] = 5  # direction does not matter
    assert pack(np.array([[6], [6], [6], [4]]), np.array([10]), sp.csr_array(talk)).tolist() == [0, 1, 2, 1]


def test_affinity_without_traffic_is_first_fit() -> None:
    pieces = np.array([[6], [6], [4], [4], [1]])
    assert (
        pack(pieces, np.array([10]), None, "affinity").tolist()
        == pack(pieces, np.array([10]), None, "first_fit").tolist()
    )


def test_separate_gives_every_piece_a_core() -> None:
    assert pack(np.ones((3, 1)), np.array([10]), algorithm="separate").tolist() == [0, 1, 2]


@every_packer
def test_every_piece_larger_than_a_core_is_named(algorithm) -> None:
    with pytest.raises(DoesNotFit) as refusal:
        pack(np.array([[3, 1], [1, 9], [4, 9]]), np.array([3, 8]), None, algorithm, ("compartments", "input axons"))
    assert [finding.message for finding in refusal.value.findings] == [
        "piece 1 needs 9 input axons, a core has 8 (1 too many)",
        "piece 2 needs 4 compartments, a core has 3 (1 too many)",
        "piece 2 needs 9 input axons, a core has 8 (1 too many)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((2, 1)), np.array([3]), None, "best_fit"), "no packing algorithm 'best_fit'; there are affinity"),
        ((np.ones((2, 1)), np.array([3, 4])), "do not name the same resources"),
        ((-np.ones((2, 1)), np.array([3])), "negative amount, found -1"),
        ((np.ones((2, 1)), np.array([3]), sp.csr_array((3, 3))), r"affinity has shape \(3, 3\) for 2 pieces"),
    ],
)
def test_malformed_input_is_refused(arguments, message) -> None:
    with pytest.raises(BadInput, match=message):
        pack(*arguments)
