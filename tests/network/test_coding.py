"""Encoders are reproducible on any machine; decoders break ties towards the lowest index."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.network.coding import accuracy, encode_bernoulli, encode_events, predictions, random_bits

MASK = 2**64 - 1


def splitmix64(state: int) -> int:
    """The published generator on Python integers."""
    z = state
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@given(st.integers(0, MASK), st.integers(0, 2**40))
def test_generator_is_splitmix64(seed, index):
    expected = splitmix64((seed + (index + 1) * 0x9E3779B97F4A7C15) & MASK)
    assert int(random_bits(seed, np.array([index], dtype=np.uint64))[0]) == expected


def test_generator_gives_the_published_first_numbers_of_seed_zero():
    first = [int(value) for value in random_bits(0, np.arange(3, dtype=np.uint64))]
    assert first == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_bernoulli_spikes_follow_their_probability():
    spikes = encode_bernoulli(np.array([[0.0, 0.25, 1.0]]), ticks=4000, seed=3)
    assert spikes.shape == (1, 4000, 3) and spikes.dtype == np.uint8
    assert spikes[0, :, 0].sum() == 0 and spikes[0, :, 2].sum() == 4000
    assert abs(spikes[0, :, 1].mean() - 0.25) < 0.03


def test_seed_decides_every_spike():
    rate = np.full((2, 4, 4), 0.5)
    assert np.array_equal(encode_bernoulli(rate, 10, 1), encode_bernoulli(rate, 10, 1))
    assert not np.array_equal(encode_bernoulli(rate, 10, 1), encode_bernoulli(rate, 10, 2))


@pytest.mark.parametrize("rate", [[[1.5]], [[-0.1]], [[np.nan]], 0.5])
def test_probabilities_outside_zero_to_one_are_refused(rate):
    with pytest.raises(BadInput) as caught:
        encode_bernoulli(rate, 3)
    assert caught.value.findings[0].code == "NE1132"


def test_events_become_counts():
    counts = encode_events([0, 0, 1], [2, 2, 0], [3, 3, 1], samples=2, ticks=4, shape=(2, 2))
    assert counts.shape == (2, 4, 2, 2)
    assert counts[0, 2, 1, 1] == 2 and counts[1, 0, 0, 1] == 1 and counts.sum() == 3


def test_events_outside_the_array_are_counted_and_named():
    with pytest.raises(BadInput) as caught:
        encode_events([0, 0], [0, 9], [0, 0], samples=1, ticks=4, shape=(2,))
    assert "1 of 2 events" in str(caught.value) and "event 1: (0, 9, 0)" in str(caught.value)
    with pytest.raises(BadInput, match="255"):
        encode_events([0] * 256, [0] * 256, [0] * 256, samples=1, ticks=1, shape=(1,))


def test_most_spikes_win_and_ties_go_to_the_lowest_index():
    spikes = np.zeros((3, 2, 4), dtype=np.uint8)
    spikes[0, :, 2] = 200
    spikes[1, 0, [1, 3]] = 1
    assert predictions(spikes).tolist() == [2, 1, 0]
    assert accuracy(predictions(spikes), [2, 1, 3]) == pytest.approx(2 / 3)
