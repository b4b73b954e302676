"""Bit fields of chip memories, declared once: single words through bitstring, whole memories vectorised.

A memory is an array of 64-bit words, stored little-endian; bit ``k`` of a bit stream is bit ``k % 64`` of word
``k // 64``. A layout lists its fields from bit 0 upwards.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import bitstring
import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import BadInput, Finding

WORD_BITS = 64
STORED_WORD = np.dtype("<u8")
_CHUNK = 1 << 16
"""Entries of a stream that are worked on at a time: they stay in the cache. A multiple of every period."""

Words = NDArray[np.uint64]
Columns = Mapping[str, ArrayLike]


@dataclass(frozen=True)
class BitField:
    """One field: a bitstring token (``uint:12``, ``int:13``, ``pad:5``), what it means and, if narrower, its range."""

    name: str
    token: str
    meaning: str = ""
    legal: tuple[int, int] | None = None

    @property
    def kind(self) -> str:
        return self.token.split(":")[0]

    @property
    def width(self) -> int:
        return int(self.token.split(":")[1])

    @property
    def range(self) -> tuple[int, int]:
        """Lowest and highest legal value."""
        if self.legal is not None:
            return self.legal
        if self.kind == "int":
            return -(1 << (self.width - 1)), (1 << (self.width - 1)) - 1
        return 0, (1 << self.width) - 1


@dataclass(frozen=True)
class Layout:
    """Named fields from bit 0 upwards, at most 64 bits together."""

    name: str
    fields: tuple[BitField, ...]

    def __post_init__(self) -> None:
        if self.width > WORD_BITS:
            raise ValueError(f"layout {self.name} has {self.width} bits, more than {WORD_BITS}")

    @property
    def width(self) -> int:
        return sum(item.width for item in self.fields)

    def placed(self) -> Iterator[tuple[int, BitField]]:
        """Each field with the number of its lowest bit."""
        low = 0
        for item in self.fields:
            yield low, item
            low += item.width

    def values(self) -> Iterator[tuple[int, BitField]]:
        """As :meth:`placed`, without padding."""
        return ((low, item) for low, item in self.placed() if item.kind != "pad")


def word_layout(name: str, *items: BitField) -> Layout:
    """A layout of one memory word: the unused high bits are padding, which must be zero."""
    unused = WORD_BITS - sum(item.width for item in items)
    padding = (BitField("", f"pad:{unused}", "zero"),) if unused else ()
    return Layout(name, items + padding)


def misfits(layout: Layout, columns: Columns, where: str = "") -> Iterator[Finding]:
    """A finding for each given column with values outside its field's range; names the first such entry."""
    for _, item in layout.values():
        if item.name not in columns:
            continue
        column = np.atleast_1d(np.asarray(columns[item.name]))
        lowest, highest = item.range
        if not column.size or (lowest <= int(column.min()) and int(column.max()) <= highest):
            continue
        wrong = np.flatnonzero((column < lowest) | (column > highest))
        if wrong.size:
            value = int(column[wrong[0]])
            many = f" ({wrong.size} such entries)" if wrong.size > 1 else ""
            message = f"{layout.name}[{wrong[0]}].{item.name} is {value}, outside {lowest}..{highest}{many}"
            yield Finding("NE5100", message, where)


def pack_word(layout: Layout, values: Mapping[str, int]) -> int:
    """One entry as an unsigned integer, built by bitstring; bitstring refuses a value that does not fit."""
    tokens = [item.token if item.kind == "pad" else f"{item.token}={values[item.name]}" for item in _high_first(layout)]
    return int(bitstring.pack(",".join(tokens)).uint)


def unpack_word(layout: Layout, word: int) -> dict[str, int]:
    """The fields of one entry, read by bitstring."""
    bits = bitstring.Bits(uint=word, length=layout.width)
    items = _high_first(layout)
    names = [item.name for item in items if item.kind != "pad"]
    values: list[Any] = bits.unpack(",".join(item.token for item in items))
    return dict(zip(names, values, strict=True))


def pack_words(layout: Layout, columns: Columns) -> Words:
    """Entries as uint64 words of shape (entries,), equal to :func:`pack_word` of each.

    Raises:
        BadInput: NE5100 with every field that has a value out of range.
    """
    findings = tuple(misfits(layout, columns))
    if findings:
        raise BadInput(findings)
    return combine(layout, columns)


def combine(layout: Layout, columns: Columns) -> Words:
    """As :func:`pack_words` for columns that are known to fit."""
    length = max(np.asarray(columns[item.name]).size for _, item in layout.values())
    words = np.zeros(length, np.uint64)
    for low, item in layout.values():
        mask = np.uint64((1 << item.width) - 1)
        column = np.asarray(columns[item.name])
        unsigned = column.astype(np.int64).astype(np.uint64) if item.kind == "int" else column.astype(np.uint64)
        words |= (unsigned & mask) << np.uint64(low)
    return words


def unpack_words(layout: Layout, words: Words, where: str = "") -> dict[str, NDArray[Any]]:
    """Fields of each word as int64 columns of shape (entries,).

    Raises:
        BadInput: NE5101 when padding is not zero, NE5100 when a value is outside its field's legal range.
    """
    columns = separate(layout, words)
    findings = list(misfits(layout, columns, where))
    for low, item in layout.placed():
        if item.kind == "pad":
            wrong = np.flatnonzero(_extract(words, low, item.width))
            if wrong.size:
                message = f"{layout.name}[{wrong[0]}] has bits set in its padding (bits {low}..{low + item.width - 1})"
                findings.append(Finding("NE5101", message, where))
    if findings:
        raise BadInput(findings)
    return columns


def separate(layout: Layout, words: Words) -> dict[str, NDArray[Any]]:
    """Fields of each word as int64 columns, unchecked."""
    columns = {}
    for low, item in layout.values():
        column = _extract(words, low, item.width).astype(np.int64)
        if item.kind == "int":
            sign = np.int64(1 << (item.width - 1))
            column = (column ^ sign) - sign
        columns[item.name] = column
    return columns


def write_stream(memory: Words, position: NDArray[np.int64], value: Words, width: int) -> None:
    """Set ``width`` bits at each bit position of a zeroed memory.

    Args:
        memory: uint64 words, changed in place.
        position: int64, shape (entries,), ascending, entries do not overlap.
        value: uint64, shape (entries,), below ``2**width``.
        width: bits per entry, 1..64.
    """
    if position.size == 0:
        return
    word = position >> 6
    bit = (position & 63).astype(np.uint64)
    first_of_word = np.flatnonzero(np.diff(word, prepend=-1))
    memory[word[first_of_word]] |= np.bitwise_or.reduceat(value << bit, first_of_word)
    straddling = np.flatnonzero(bit > np.uint64(WORD_BITS - width))
    memory[word[straddling] + 1] |= value[straddling] >> (np.uint64(WORD_BITS) - bit[straddling])


def read_stream(memory: Words, position: NDArray[np.int64], width: int) -> Words:
    """The ``width`` bits at each bit position; the inverse of :func:`write_stream`."""
    word = position >> 6
    bit = (position & 63).astype(np.uint64)
    value = memory[word] >> bit
    straddling = np.flatnonzero(bit > np.uint64(WORD_BITS - width))
    value[straddling] |= memory[word[straddling] + 1] << (np.uint64(WORD_BITS) - bit[straddling])
    return value & np.uint64((1 << width) - 1)


def pack_stream(layout: Layout, columns: Mapping[str, NDArray[Any]]) -> Words:
    """Entries one right behind the other, from bit 0 on; unused bits of the last word are zero.

    Args:
        columns: integers of any type, shape (entries,) each; worked on in chunks, so that nothing wide of that length arises.

    Raises:
        BadInput: NE5100 with every field that has a value out of range.
    """
    if findings := tuple(misfits(layout, columns)):
        raise BadInput(findings)
    count, width = _entries(layout, columns), layout.width
    entries, words = _period(width)
    memory = np.empty(-(-count * width // WORD_BITS), np.uint64)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        value = combine(layout, {name: column[first:last] for name, column in columns.items()})
        value.resize(-(-value.size // entries) * entries, refcheck=False)
        parts = value.reshape(-1, entries)
        packed = np.zeros((parts.shape[0], words), np.uint64)
        for number in range(entries):
            word, bit = divmod(number * width, WORD_BITS)
            packed[:, word] |= parts[:, number] << np.uint64(bit)
            if bit + width > WORD_BITS:
                packed[:, word + 1] |= parts[:, number] >> np.uint64(WORD_BITS - bit)
        place = first // entries * words
        memory[place : place + packed.size] = packed.reshape(-1)[: memory.size - place]
    return memory


def unpack_stream(layout: Layout, memory: Words, columns: Mapping[str, NDArray[Any]], where: str = "") -> None:
    """Fill ``columns`` (integer types that hold their fields, shape (entries,)) from what :func:`pack_stream` made.

    Raises:
        BadInput: NE5106 when the memory has another size than its entries need, NE5101 when bits are set behind the last one,
            NE5100 when a value is outside its field's legal range.
    """
    count, width = _entries(layout, columns), layout.width
    if memory.size != -(-count * width // WORD_BITS):
        message = f"the section has {memory.size} words; its {count} entries need {-(-count * width // WORD_BITS)}"
        raise BadInput(Finding("NE5106", message, where))
    used = count * width % WORD_BITS
    if used and int(memory[-1]) >> used:
        raise BadInput(Finding("NE5101", f"bits are set behind the last {layout.name}", where))
    entries, words = _period(width)
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        groups = -(-(last - first) // entries)
        place = first // entries * words
        packed = memory[place : place + groups * words]
        if packed.size < groups * words:
            packed = np.concatenate([packed, np.zeros(groups * words - packed.size, np.uint64)])
        packed = packed.reshape(groups, words)
        parts = np.empty((groups, entries), np.uint64)
        for number in range(entries):
            word, bit = divmod(number * width, WORD_BITS)
            parts[:, number] = packed[:, word] >> np.uint64(bit)
            if bit + width > WORD_BITS:
                parts[:, number] |= packed[:, word + 1] << np.uint64(WORD_BITS - bit)
        for name, column in separate(layout, parts.reshape(-1)[: last - first]).items():
            columns[name][first:last] = column
    if findings := tuple(misfits(layout, columns, where)):
        raise BadInput(findings)


def _entries(layout: Layout, columns: Mapping[str, NDArray[Any]]) -> int:
    sizes = {columns[item.name].size for _, item in layout.values()}
    if len(sizes) != 1:
        raise ValueError(f"the columns of {layout.name} have lengths {sorted(sizes)}")
    return sizes.pop()


def _period(width: int) -> tuple[int, int]:
    """(entries, words) after which the entries of a stream fall on the same bits again."""
    common = math.gcd(width, WORD_BITS)
    return WORD_BITS // common, width // common


def field_table(layout: Layout) -> str:
    """The layout as a Markdown table."""
    rows = ["| bits | field | type | values | meaning |", "| --- | --- | --- | --- | --- |"]
    for low, item in layout.placed():
        high = low + item.width - 1
        bits = str(low) if item.width == 1 else f"{low}–{high}"
        if item.kind == "pad":
            rows.append(f"| {bits} | – | | 0 | reserved |")
        else:
            lowest, highest = item.range
            rows.append(f"| {bits} | `{item.name}` | {item.kind} | {lowest}..{highest} | {item.meaning} |")
    return "\n".join(rows)


def with_field_tables(page: str, layouts: Iterable[Layout]) -> str:
    """A Markdown page whose passages between ``<!-- fields: NAME -->`` and ``<!-- end -->`` are the current tables."""
    for layout in layouts:
        opening, closing = f"<!-- fields: {layout.name} -->", "<!-- end -->"
        before, found, rest = page.partition(opening)
        if not found or closing not in rest:
            raise ValueError(f"the page has no passage for the layout '{layout.name}'")
        after = rest[rest.index(closing) :]
        page = f"{before}{opening}\n\n{field_table(layout)}\n\n{after}"
    return page


def _high_first(layout: Layout) -> list[BitField]:
    return list(reversed(layout.fields))


def _extract(words: Words, low: int, width: int) -> Words:
    return (words >> np.uint64(low)) & np.uint64((1 << width) - 1)
