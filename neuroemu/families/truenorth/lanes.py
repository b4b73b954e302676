"""Rows of 256 bits in lane order, and what kernels do with their words.

Bit ``8 * k + j`` of word ``w`` of a row is neuron ``64 * w + 8 * j + k``: eight shifts turn a word into eight words of byte-wide
counters in the neurons' own order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit

Words = NDArray[np.uint64]

SIZE = 256
"""Axons and neurons of a core."""
WORDS = SIZE // 64

ZERO, ONE = np.uint64(0), np.uint64(1)
FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
EVERY_BYTE = np.uint64(0x0101010101010101)
"""The lowest bit of every byte of a word."""
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)


def _bit_numbers() -> NDArray[np.int64]:
    table = np.zeros(64, np.int64)
    for bit in range(64):
        table[((1 << bit) * int(_DE_BRUIJN) & int(FULL)) >> 58] = bit
    return table


_BIT_NUMBER = _bit_numbers()


def lane_order(bits: NDArray[Any]) -> Words:
    """Booleans (..., 256) by neuron as uint64 words (..., 4) in lane order."""
    lanes = np.asarray(bits, np.bool_).reshape(*bits.shape[:-1], WORDS, 8, 8).swapaxes(-1, -2)
    packed = np.packbits(np.ascontiguousarray(lanes), axis=-1, bitorder="little")
    return packed.reshape(*bits.shape[:-1], WORDS * 8).view("<u8").astype(np.uint64, copy=False)


@njit
def lowest_bit(word: Any) -> Any:
    """Number of the lowest set bit of a uint64 that is not zero."""
    isolated = word & (~word + ONE)
    return _BIT_NUMBER[np.int64((isolated * _DE_BRUIJN) >> np.uint64(58))]


@njit
def count_bits(word: Any) -> Any:
    """Set bits of a uint64."""
    word = word - ((word >> ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * EVERY_BYTE) >> np.uint64(56))


@njit
def neuron_of(word: int, bit: int) -> int:
    """Neuron at a bit of a word in lane order."""
    return 64 * word + 8 * (bit & 7) + (bit >> 3)
