"""Random numbers depend on seed, stream and tick alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.emulator.random import draw_below, mix

pytestmark = pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # uint64 wraps on purpose

WORD = st.integers(0, (1 << 64) - 1)


def splitmix64(value: int) -> int:
    """The published finaliser in exact integers."""
    mask = (1 << 64) - 1
    mixed = (value + 0x9E3779B97F4A7C15) & mask
    mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
    mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
    return mixed ^ (mixed >> 31)


def test_the_first_numbers_are_those_of_the_published_generator() -> None:
    assert int(mix(np.uint64(0))) == 0xE220A8397B1DCDAF
    assert int(mix(np.uint64(0x9E3779B97F4A7C15))) == 0x6E789E6AA1B965F4


@given(WORD)
def test_mixing_equals_exact_integers(value: int) -> None:
    assert int(mix(np.uint64(value))) == splitmix64(value)


@given(st.integers(0, (1 << 63) - 1), st.integers(0, 1 << 40), st.integers(0, 1 << 40), st.integers(1, 1 << 31))
def test_a_draw_follows_from_seed_stream_and_tick_and_stays_below_its_limit(
    seed: int, stream: int, tick: int, limit: int
) -> None:
    expected = (splitmix64(splitmix64(splitmix64(seed) ^ stream) ^ tick) >> 32) * limit >> 32
    draw = int(draw_below(seed, np.uint64(stream), tick, limit))
    assert draw == expected
    assert 0 <= draw < limit


def test_draws_are_even_over_their_range() -> None:
    counts = np.bincount([draw_below(3, np.uint64(0), tick, 16) for tick in range(4800)], minlength=16)
    assert counts.sum() == 4800
    assert float(((counts - 300) ** 2 / 300).sum()) < 37.7  # chi-squared, 15 degrees of freedom, 0.1 %
