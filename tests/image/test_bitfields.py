"""Fields land on their declared bits, and the vectorised packing equals bitstring word by word."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.image.bitfields import (
    BitField,
    Layout,
    combine,
    field_table,
    pack_stream,
    pack_word,
    pack_words,
    read_stream,
    unpack_stream,
    unpack_word,
    unpack_words,
    with_field_tables,
    word_layout,
    write_stream,
)

SAMPLE = word_layout(
    "sample", BitField("low", "uint:3", "first"), BitField("signed", "int:5"), BitField("some", "uint:6", "", (1, 50))
)


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    """Layouts of up to 64 bits with unsigned, signed and padding fields."""
    items: list[BitField] = []
    free = 64
    for number in range(draw(st.integers(1, 6))):
        width = draw(st.integers(1, min(free, 40)))
        kind = draw(st.sampled_from(["uint", "int", "pad"])) if number else "uint"
        items.append(BitField(f"f{number}", f"{kind}:{width}"))
        free -= width
        if not free:
            break
    return Layout("drawn", tuple(items))


def test_the_first_field_is_in_the_lowest_bits() -> None:
    assert pack_word(SAMPLE, {"low": 5, "signed": -1, "some": 1}) == 0b000001_11111_101


def test_unused_high_bits_are_padding() -> None:
    assert SAMPLE.width == 64
    assert SAMPLE.fields[-1].token == "pad:50"


@given(layout=layouts(), data=st.data())
def test_bulk_packing_equals_bitstring_word_by_word(layout: Layout, data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries({item.name: st.integers(*item.range) for _, item in layout.values()}),
            min_size=1,
            max_size=5,
        )
    )
    columns = {item.name: np.array([row[item.name] for row in rows]) for _, item in layout.values()}
    words = pack_words(layout, columns)
    assert words.tolist() == [pack_word(layout, row) for row in rows]
    assert [unpack_word(layout, word) for word in words.tolist()] == rows
    unpacked = unpack_words(layout, words)
    assert {name: column.tolist() for name, column in unpacked.items()} == {
        name: column.tolist() for name, column in columns.items()
    }


@pytest.mark.parametrize(
    ("name", "value"), [("low", 8), ("low", -1), ("signed", 16), ("signed", -17), ("some", 0), ("some", 51)]
)
def test_a_value_out_of_range_is_refused_by_name(name: str, value: int) -> None:
    columns = {"low": [0, 0], "signed": [0, 0], "some": [1, 1], name: [1, value]}
    with pytest.raises(BadInput, match=rf"NE5100 sample\[1\]\.{name} is {value}, outside"):
        pack_words(SAMPLE, columns)


def test_all_fields_out_of_range_are_reported_together() -> None:
    with pytest.raises(BadInput) as caught:
        pack_words(SAMPLE, {"low": [9, 10], "signed": [99, 0], "some": [1, 1]})
    assert [finding.message.split(" is ")[0] for finding in caught.value.findings] == [
        "sample[0].low",
        "sample[0].signed",
    ]
    assert "(2 such entries)" in caught.value.findings[0].message


def test_set_padding_and_illegal_values_are_refused_when_unpacking() -> None:
    good = pack_word(SAMPLE, {"low": 0, "signed": 0, "some": 1})
    with pytest.raises(BadInput) as caught:
        unpack_words(SAMPLE, np.array([good, 1 << 63], np.uint64), "here")
    assert [(finding.code, finding.where) for finding in caught.value.findings] == [
        ("NE5100", "here"),
        ("NE5101", "here"),
    ]
    assert "sample[1] has bits set in its padding (bits 14..63)" in caught.value.findings[1].message


def test_more_than_64_bits_are_no_layout() -> None:
    with pytest.raises(ValueError, match="65 bits"):
        Layout("wide", (BitField("a", "uint:40"), BitField("b", "uint:25")))


@given(
    entries=st.lists(st.tuples(st.integers(0, 70), st.integers(0, 2**64 - 1)), min_size=1, max_size=40),
    width=st.integers(1, 64),
)
def test_a_bit_stream_reads_back_what_was_written(entries: list[tuple[int, int]], width: int) -> None:
    gaps = np.array([gap for gap, _ in entries])
    position = np.cumsum(gaps) + width * np.arange(len(entries))
    value = np.array([value % (1 << width) for _, value in entries], np.uint64)
    memory = np.zeros(int(position[-1] + width) // 64 + 1, np.uint64)
    write_stream(memory, position, value, width)
    assert read_stream(memory, position, width).tolist() == value.tolist()
    whole = sum(int(word) << 64 * number for number, word in enumerate(memory.tolist()))
    assert whole == sum(int(entry) << int(at) for entry, at in zip(value.tolist(), position, strict=True))


def test_an_empty_stream_writes_nothing() -> None:
    memory = np.zeros(0, np.uint64)
    write_stream(memory, np.zeros(0, np.int64), memory, 8)
    assert read_stream(memory, np.zeros(0, np.int64), 8).size == 0


def test_a_field_table_shows_bits_type_range_and_meaning() -> None:
    assert field_table(SAMPLE).splitlines()[2:] == [
        "| 0–2 | `low` | uint | 0..7 | first |",
        "| 3–7 | `signed` | int | -16..15 |  |",
        "| 8–13 | `some` | uint | 1..50 |  |",
        "| 14–63 | – | | 0 | reserved |",
    ]


def test_a_page_gets_the_current_table_between_its_marks() -> None:
    page = "a\n<!-- fields: sample -->\nold\n<!-- end -->\nb\n"
    current = with_field_tables(page, [SAMPLE])
    assert "old" not in current and field_table(SAMPLE) in current
    assert current.startswith("a\n") and current.endswith("<!-- end -->\nb\n")
    assert with_field_tables(current, [SAMPLE]) == current


@pytest.mark.parametrize("page", ["", "<!-- fields: sample -->"])
def test_a_page_without_marks_is_refused(page: Any) -> None:
    with pytest.raises(ValueError, match="no passage for the layout 'sample'"):
        with_field_tables(page, [SAMPLE])


@given(st.lists(st.integers(1, 21), min_size=1, max_size=3), st.integers(0, 300), st.integers(0, 2**32))
def test_a_stream_of_entries_is_its_own_inverse(widths: list[int], count: int, seed: int) -> None:
    layout = Layout("entry", tuple(BitField(f"f{at}", f"uint:{width}") for at, width in enumerate(widths)))
    rng = np.random.default_rng(seed)
    columns = {f"f{at}": rng.integers(0, 1 << width, count, np.uint32) for at, width in enumerate(widths)}
    memory = pack_stream(layout, columns)
    position = np.arange(count, dtype=np.int64) * layout.width
    expected = np.zeros_like(memory)
    write_stream(expected, position, combine(layout, columns) if count else np.zeros(0, np.uint64), layout.width)
    assert np.array_equal(memory, expected)
    found = {name: np.empty_like(column) for name, column in columns.items()}
    unpack_stream(layout, memory, found)
    assert all(np.array_equal(found[name], column) for name, column in columns.items())


def test_a_stream_is_checked_for_size_range_and_what_lies_behind_it() -> None:
    layout = Layout("entry", (BitField("delay", "uint:6", "", (1, 63)), BitField("weight", "int:5")))
    columns = {"delay": np.array([1, 63, 7], np.uint8), "weight": np.array([-16, 15, 0], np.int16)}
    memory = pack_stream(layout, columns)
    found = {name: np.empty_like(column) for name, column in columns.items()}
    unpack_stream(layout, memory, found)
    assert all(np.array_equal(found[name], column) for name, column in columns.items())
    for damaged, code in (
        (np.zeros(2, np.uint64), "NE5106"),
        (memory | np.uint64(1 << 40), "NE5101"),
        (memory & ~np.uint64(1), "NE5100"),
    ):
        with pytest.raises(BadInput) as caught:
            unpack_stream(layout, damaged, found, "somewhere")
        assert [(finding.code, finding.where) for finding in caught.value.findings] == [(code, "somewhere")]
    with pytest.raises(BadInput) as caught:
        pack_stream(layout, columns | {"weight": np.array([-17, 15, 0], np.int16)})
    assert caught.value.findings[0].code == "NE5100"


def test_a_long_stream_is_packed_in_chunks(rng: np.random.Generator) -> None:
    layout = Layout("entry", (BitField("weight", "int:9"),))
    weight = rng.integers(-256, 256, 200_001).astype(np.int16)
    found = np.empty_like(weight)
    unpack_stream(layout, pack_stream(layout, {"weight": weight}), {"weight": found})
    assert np.array_equal(found, weight)
