"""Spike delivery against adding every synapse one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator.delivery import (
    SYNAPSE_CLASSES,
    Links,
    SynapseLists,
    build_deliveries,
    collect_spikes,
    deliver,
    flags,
)

pytestmark = pytest.mark.interpreted


def random_program(seed: int, sources: int, neurons: int, heaviest: int, most_delay: int) -> tuple[Links, SynapseLists]:
    """Lists of all classes with random lengths, delays and weights, linked at random."""
    rng = np.random.default_rng(seed)
    lists = 6
    lengths = rng.integers(0, neurons + 1, lists)
    start = np.concatenate([[0], np.cumsum(lengths)])
    index = [np.sort(rng.choice(neurons, length, replace=False)) for length in lengths]
    delay = [
        np.full(length, rng.integers(0, most_delay + 1)) if number % 2 else rng.integers(0, most_delay + 1, length)
        for number, length in enumerate(lengths)
    ]
    counts = rng.integers(0, 4, sources)
    return (
        Links(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.zeros(counts.sum(), np.int64),
            rng.integers(0, lists, counts.sum()),
            np.zeros(counts.sum(), np.int64),
        ),
        SynapseLists(
            start.astype(np.int64),
            rng.integers(0, len(SYNAPSE_CLASSES), lists).astype(np.uint8),
            np.concatenate(index).astype(np.int64),
            rng.integers(-heaviest, heaviest + 1, start[-1]).astype(np.int32),
            np.concatenate(delay).astype(np.uint8),
        ),
    )


def one_by_one(links: Links, lists: SynapseLists, spikes: list[int], slot: int, shape: tuple[int, int]) -> np.ndarray:
    arriving = np.zeros(shape, np.int64)
    for source in spikes:
        for link in range(links.link_start[source], links.link_start[source + 1]):
            number = links.synapse_list[link]
            for synapse in range(lists.list_start[number], lists.list_start[number + 1]):
                row = (slot + int(lists.delay[synapse])) % shape[0]
                arriving[row, links.base[link] + lists.index[synapse]] += lists.weight[synapse]
    return arriving


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([3, 1 << 20]), st.integers(0, 5), st.integers(0, 6))
def test_delivery_adds_every_synapse_in_its_slot(seed: int, heaviest: int, most_delay: int, slot: int) -> None:
    """Packed words for light weights, separate arrays for those that do not fit beside the target."""
    sources, neurons = 12, 9000 if heaviest > 3 else 9
    links, lists = random_program(seed, sources, min(neurons, 9), heaviest, most_delay)
    synapses = build_deliveries(links, lists, neurons)
    spikes = np.random.default_rng(seed).integers(0, sources, 14).astype(np.int64)
    arriving = np.zeros((most_delay + 2, neurons), np.int32)
    deliver(spikes, spikes.size, slot, arriving, synapses)
    expected = one_by_one(links, lists, spikes.tolist(), slot, arriving.shape)
    assert np.array_equal(arriving, expected)


def test_weights_that_fit_beside_the_target_are_packed() -> None:
    links, lists = random_program(1, 4, 9, 3, 0)
    assert build_deliveries(links, lists, 9).target_bits == 4
    heavy = SynapseLists(lists.list_start, np.ones(6, np.uint8), lists.index, lists.weight * (1 << 20), lists.delay)
    wide = build_deliveries(links, heavy, 1 << 16)
    assert wide.target_bits == 0
    assert wide.wide_weight.size == wide.target.size


@given(st.lists(st.booleans(), max_size=40))
@settings(max_examples=30, deadline=None)
def test_spikes_are_collected_in_order_with_their_source_numbers(fired: list[bool]) -> None:
    spiked = flags(len(fired))
    spiked[: len(fired)] = fired
    sources = np.full(len(fired) + 2, -1, np.int32)
    count = collect_spikes(spiked, len(fired), 100, sources, 1)
    assert sources[1 : 1 + count].tolist() == [100 + number for number, flag in enumerate(fired) if flag]
    assert sources[0] == -1
