"""Spike delivery against adding every synapse one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.emulator.delivery import (
    SPARE_SPIKES,
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


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    heaviest=st.sampled_from([3, 1 << 20]),
    most_delay=st.integers(0, 5),
    slot=st.integers(0, 6),
    borders=st.lists(st.integers(0, 9), max_size=2),
    one_weight=st.booleans(),
)
def test_delivery_adds_every_synapse_in_its_slot(
    seed: int, heaviest: int, most_delay: int, slot: int, borders: list[int], one_weight: bool
) -> None:
    """Packed words for light weights, two words a synapse for those that do not fit beside the target, targets alone where all
    weights of a row are equal; the neurons cut into shards anywhere."""
    sources, neurons = 12, 9000 if heaviest > 3 else 9
    links, lists = random_program(seed, sources, min(neurons, 9), heaviest, most_delay)
    if one_weight:
        lists.weight[:] = heaviest
    slot %= most_delay + 2
    spikes = np.random.default_rng(seed).integers(0, sources, 14).astype(np.int64)
    bounds = sorted({0, neurons, *borders})
    shards = []
    for first, last in itertools.pairwise(bounds):
        synapses = build_deliveries(links, lists, first, last)
        shards.append(np.zeros((most_delay + 2, last - first), np.int32))
        deliver(spikes, 0, spikes.size, slot, shards[-1], synapses)
    arriving = np.concatenate(shards, axis=1)
    expected = one_by_one(links, lists, spikes.tolist(), slot, arriving.shape)
    assert np.array_equal(arriving, expected)


def listed(weights: list[int]) -> tuple[Links, SynapseLists]:
    """One source with a list of the given weights into every other neuron, delay 3."""
    count = len(weights)
    zero = np.zeros(1, np.int64)
    return Links(np.array([0, 1]), zero, zero, zero), SynapseLists(
        np.array([0, count]),
        np.ones(1, np.uint8),
        np.arange(0, 2 * count, 2, dtype=np.int32),
        np.array(weights, np.int32),
        np.full(count, 3, np.uint8),
    )


def test_a_row_of_light_weights_is_a_word_per_synapse() -> None:
    synapses = build_deliveries(*listed([1, -1]), 0, 9)
    assert synapses.target_bits == 4
    assert synapses.word.tolist() == [2, 3, 0 | 1 << 4, 2 | 0xFFFFFFF0]


def test_a_row_of_heavy_weights_is_two_words_per_synapse() -> None:
    synapses = build_deliveries(*listed([1 << 27, 5]), 0, 33)
    assert synapses.word.tolist() == [2, 3 | 2 << 8, 0, 2, 1 << 27, 5]


def test_a_row_of_one_weight_keeps_its_targets_alone() -> None:
    count = 17
    synapses = build_deliveries(*listed([-7] * count), 0, 100)
    assert synapses.word[:3].tolist() == [count, 3 | 1 << 8, (1 << 32) - 7]
    assert synapses.word[3:].view(np.uint16)[:count].tolist() == list(range(0, 2 * count, 2))
    assert synapses.word.shape == (3 + 9,)


def test_synapses_without_weight_take_no_memory() -> None:
    assert build_deliveries(*listed([0, 0, 0]), 0, 9).word.size == 0


@given(st.lists(st.booleans(), max_size=40))
@settings(max_examples=30, deadline=None)
def test_spikes_are_collected_in_order_with_their_source_numbers(fired: list[bool]) -> None:
    spiked = flags(len(fired))
    spiked[: len(fired)] = fired
    sources = np.full(1 + sum(fired) + SPARE_SPIKES, -1, np.int32)
    count = collect_spikes(spiked, 100, sources, 1)
    assert sources[1 : 1 + count].tolist() == [100 + number for number, flag in enumerate(fired) if flag]
    assert sources[0] == -1
