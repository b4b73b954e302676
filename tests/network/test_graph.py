"""Lags of populations on chips that take a tick for every hop."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from neuroemu.network.connectivity import Dense, Sparse
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network, Population, Projection
from neuroemu.network.neurons import integrate_and_fire


def network(*hops: tuple[str, str, int]) -> Network:
    """Single neurons; ``hops`` are (source, target, delay)."""
    names = dict.fromkeys(name for source, target, _ in hops for name in (source, target))
    populations = {
        name: Population(name, (1,), None if name == "in" else integrate_and_fire(threshold=1.0)) for name in names
    }
    projections = tuple(
        Projection(f"{source}->{target}", source, target, (Dense(np.eye(1)),), delay) for source, target, delay in hops
    )
    return Network("net", populations, projections, ("in",), (hops[-1][1],), 1e-3)


def test_every_hop_without_delay_is_a_tick_of_lag() -> None:
    chain = network(("in", "a", 0), ("a", "b", 0))
    assert tick_offsets(chain, of_inputs=0) == {"in": 0, "a": 1, "b": 2}
    assert tick_offsets(chain, of_inputs=-1) == {"in": -1, "a": 0, "b": 1}


def test_the_longest_path_counts_and_delays_on_it_are_taken_off() -> None:
    assert tick_offsets(network(("in", "a", 0), ("a", "b", 0), ("in", "b", 0), ("b", "c", 1)), of_inputs=0) == {
        "in": 0,
        "a": 1,
        "b": 2,
        "c": 2,
    }


def test_feedback_that_takes_longer_than_its_delay_does_not_raise_the_lag() -> None:
    assert tick_offsets(network(("in", "a", 0), ("a", "b", 0), ("b", "a", 1)), of_inputs=0) == {
        "in": 0,
        "a": 1,
        "b": 2,
    }


def test_a_loop_without_delay_is_refused() -> None:
    with pytest.raises(ValueError, match="zero-delay cycle"):
        tick_offsets(network(("in", "a", 0), ("a", "b", 0), ("b", "a", 0)), of_inputs=0)


def test_the_smallest_delay_of_listed_synapses_counts_as_delay_of_the_projection() -> None:
    listed = Sparse(sp.csr_array(np.ones((2, 2))), np.array([3, 4, 2, 5]))
    assert Projection("p", "a", "b", (listed,), delay_ticks=1).least_delay_ticks == 3
