"""Where a neuron's bit lies in a row of lane order, however the row came."""

from __future__ import annotations

import numpy as np

from neuroemu.families.truenorth.lanes import SIZE, lane_order, lane_order_of_rows, neuron_of, transposed


def test_every_neuron_has_the_bit_that_kernels_look_for() -> None:
    alone = lane_order(np.eye(SIZE, dtype=bool))
    for neuron, words in enumerate(alone):
        (word,) = np.flatnonzero(words)
        assert neuron_of(int(word), int(words[word]).bit_length() - 1) == neuron
        assert int(words[word]).bit_count() == 1


def test_packed_rows_give_the_words_of_their_bits(rng: np.random.Generator) -> None:
    bits = rng.random((3, 5, SIZE)) < 0.4
    assert np.array_equal(lane_order_of_rows(np.packbits(bits, axis=-1)), lane_order(bits))


def test_bits_of_a_word_are_mirrored_at_the_diagonal(rng: np.random.Generator) -> None:
    words = rng.integers(0, 1 << 64, 20, np.uint64, endpoint=False)
    squares = np.unpackbits(words.astype("<u8").view(np.uint8), bitorder="little").reshape(20, 8, 8)
    mirrored = np.unpackbits(transposed(words).astype("<u8").view(np.uint8), bitorder="little").reshape(20, 8, 8)
    assert np.array_equal(mirrored, squares.swapaxes(1, 2))
