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
_BLOCKS = tuple(
    (np.uint64(shift), np.uint64(mask))
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0x00000000F0F0F0F0))
)
"""Squares of 1, 2 and 4 bits above the diagonal of 8 x 8, and how far below it their mirror images lie."""
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)


def _bit_numbers() -> NDArray[np.int64]:
    table = np.zeros(64, np.int64)
    for bit in range(64):
        table[((1 << bit) * int(_DE_BRUIJN) & int(FULL)) >> 58] = bit
    return table


_BIT_NUMBER = _bit_numbers()


def transposed(words: Words) -> Words:
    """Bit ``8 * i + j`` of every word where ``8 * j + i`` was: Warren, Hacker's Delight, section 7-3, on whole arrays."""
    for shift, mask in _BLOCKS:
        moved = (words ^ (words >> shift)) & mask
        words = words ^ moved ^ (moved << shift)
    return words


def lane_order(bits: NDArray[Any]) -> Words:
    """Booleans (..., 256) by neuron as uint64 words (..., 4) in lane order."""
    return transposed(_words(np.packbits(np.asarray(bits, np.bool_), axis=-1, bitorder="little")))


def lane_order_of_rows(rows: NDArray[np.uint8]) -> Words:
    """Packed rows (..., 32), the first neuron in the highest bit, as uint64 words (..., 4) in lane order."""
    return transposed(_words(rows)).byteswap()


def _words(packed: NDArray[np.uint8]) -> Words:
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64, copy=False)


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
