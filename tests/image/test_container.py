"""A program file comes back as it was written, and no damaged file is ever accepted."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.image.container import MAGIC, Program, read_program, take, take_integers, write_program

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
MANIFESTS = st.dictionaries(st.text().filter(lambda key: key != "sections"), JSON, max_size=4)
SECTIONS = st.dictionaries(st.text(min_size=1, max_size=8), st.binary(max_size=40), max_size=4)


@pytest.fixture
def small() -> Program:
    return Program({"family": "loihi", "seed": 7}, {"b/odd": b"\x01\x02\x03", "a": bytes(range(16)), "empty": b""})


@pytest.fixture
def file(tmp_path: Path, small: Program) -> Path:
    path = tmp_path / "program.nemu"
    write_program(path, small)
    return path


def codes(path: Path) -> set[str]:
    """The codes with which reading ``path`` is refused."""
    with pytest.raises(BadInput) as caught:
        read_program(path)
    return {finding.code for finding in caught.value.findings}


def forged(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrite the manifest of a file and make its sizes and digest right again."""
    data = path.read_bytes()
    size = struct.unpack_from("<Q", data, 16)[0]
    manifest = json.loads(data[64 : 64 + size])
    change(manifest)
    rewritten(path, json.dumps(manifest).encode(), data[-(-(64 + size) // 8) * 8 :])


def rewritten(path: Path, manifest: bytes, body: bytes) -> None:
    padding = bytes(-len(manifest) % 8)
    whole = 64 + len(manifest) + len(padding) + len(body)
    head = struct.pack("<8sIIQQ", MAGIC, 1, 64, len(manifest), whole)
    path.write_bytes(head + hashlib.sha256(head + manifest).digest() + manifest + padding + body)


def test_the_magic_survives_no_text_transfer() -> None:
    assert MAGIC.replace(b"\r\n", b"\n") != MAGIC
    assert MAGIC[0] > 127


@settings(max_examples=40)
@given(manifest=MANIFESTS, sections=SECTIONS)
def test_a_program_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, manifest: dict[str, Any], sections: dict[str, bytes]
) -> None:
    path = tmp_path_factory.mktemp("program") / "program.nemu"
    program = Program(manifest, sections)
    write_program(path, program)
    again = read_program(path)
    assert again == program
    assert {name: bytes(data) for name, data in again.sections.items()} == sections


def test_the_same_program_gives_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    one = Program({"x": 1, "a": {"z": 0, "b": 1}}, {"s": b"1", "r": b"22"})
    two = Program({"a": {"b": 1, "z": 0}, "x": 1}, {"r": b"22", "s": b"1"})
    write_program(tmp_path / "one", one)
    write_program(tmp_path / "two", two)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_the_file_is_as_the_documentation_says(file: Path) -> None:
    data = file.read_bytes()
    magic, version, header, manifest_size, size, digest = struct.unpack_from("<8sIIQQ32s", data)
    assert (magic, version, header, size) == (MAGIC, 1, 64, len(data))
    assert digest == hashlib.sha256(data[:32] + data[64 : 64 + manifest_size]).digest()
    table = json.loads(data[64 : 64 + manifest_size])["sections"]
    assert [(row["name"], row["offset"], row["size"]) for row in table] == [
        ("a", 0, 16),
        ("b/odd", 16, 3),
        ("empty", 24, 0),
    ]
    start = -(-(64 + manifest_size) // 8) * 8
    assert data[start : start + 24] == bytes(range(16)) + b"\x01\x02\x03" + bytes(5)
    assert len(data) == start + 24


def test_every_flipped_bit_is_refused(file: Path) -> None:
    data = file.read_bytes()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        assert codes(file), bit


def test_every_truncation_is_refused(file: Path) -> None:
    data = file.read_bytes()
    for length in range(len(data)):
        file.write_bytes(data[:length])
        assert codes(file) == ({"NE5002"} if length else {"NE5000"}), length


def test_trailing_bytes_are_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes() + bytes(8))
    assert codes(file) == {"NE5002"}


def test_another_kind_of_file_is_refused_by_its_magic(tmp_path: Path) -> None:
    other = tmp_path / "network.nir"
    other.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert codes(other) == {"NE5000"}


def test_another_version_is_refused_by_its_number(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[8] = 2
    file.write_bytes(data)
    with pytest.raises(BadInput, match=r"NE5001 format version 2 .*this reader knows version 1"):
        read_program(file)


@pytest.mark.parametrize("place", [16, 24])
def test_an_absurd_size_in_the_header_is_refused_before_anything_is_allocated(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place : place + 8] = (10 << 30).to_bytes(8, "little")
    file.write_bytes(data)
    tracemalloc.start()
    assert codes(file) == {"NE5002"}
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_an_absurd_section_size_is_refused_before_anything_is_allocated(file: Path) -> None:
    forged(file, lambda manifest: manifest["sections"][1].update(size=10 << 30))
    tracemalloc.start()
    with pytest.raises(BadInput, match=r"NE5005 section 'b/odd' declares 10737418240 bytes at offset"):
        read_program(file)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_a_forged_file_without_a_change_is_accepted(file: Path, small: Program) -> None:
    forged(file, lambda manifest: None)
    assert read_program(file) == small


TABLE_FORGERIES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "overlap": lambda manifest: manifest["sections"][1].update(offset=8),
    "gap": lambda manifest: manifest["sections"][1].update(offset=24),
    "negative offset": lambda manifest: manifest["sections"][0].update(offset=-8),
    "negative size": lambda manifest: manifest["sections"][2].update(size=-1),
    "fractional size": lambda manifest: manifest["sections"][0].update(size=16.0),
    "boolean offset": lambda manifest: manifest["sections"][0].update(offset=False),
    "repeated name": lambda manifest: manifest["sections"][1].update(name="a"),
    "no name": lambda manifest: manifest["sections"][0].update(name=""),
    "foreign key": lambda manifest: manifest["sections"][0].update(extra=1),
    "missing key": lambda manifest: manifest["sections"][0].pop("sha256"),
    "not a digest": lambda manifest: manifest["sections"][0].update(sha256="xyz"),
    "not an object": lambda manifest: manifest["sections"].__setitem__(0, 5),
    "section left out": lambda manifest: manifest["sections"].__delitem__(slice(1, None)),
    "no table": lambda manifest: manifest.pop("sections"),
    "table of another type": lambda manifest: manifest.update(sections={}),
}


@pytest.mark.parametrize("change", TABLE_FORGERIES.values(), ids=TABLE_FORGERIES.keys())
def test_a_wrong_section_table_is_refused(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    forged(file, change)
    assert codes(file) == {"NE5005"}


@pytest.mark.parametrize(
    "manifest",
    [
        b"{",
        b"[]",
        b"7",
        b'{"a":1,"a":2,"sections":[]}',
        b'{"a":NaN,"sections":[]}',
        b'{"a":-Infinity,"sections":[]}',
        b'{"a":"\xff","sections":[]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
    ids=lambda text: text[:20].decode("latin1"),
)
def test_bad_json_with_a_right_digest_is_refused(file: Path, manifest: bytes) -> None:
    rewritten(file, manifest, b"")
    assert codes(file) == {"NE5004"}


def test_a_damaged_section_is_named_with_its_offset(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-8] ^= 1
    file.write_bytes(data)
    with pytest.raises(BadInput, match=rf"NE5006 section 'b/odd' \(offset {len(data) - 8} to {len(data) - 5}\)"):
        read_program(file)


def test_all_damaged_sections_are_reported_together(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-8] ^= 1
    data[-24] ^= 1
    data[-1] = 1
    file.write_bytes(data)
    with pytest.raises(BadInput) as caught:
        read_program(file)
    assert [finding.code for finding in caught.value.findings] == ["NE5006", "NE5006", "NE5007"]


@settings(max_examples=60)
@given(data=st.data())
def test_no_mutation_leads_to_another_error_than_bad_input(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "program.nemu"
    write_program(path, Program({"a": [1, 2]}, {"s": b"12345"}))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content)))
    content[place : place + data.draw(st.integers(0, 16))] = data.draw(st.binary(max_size=32))
    changed = bytes(content) != path.read_bytes()
    path.write_bytes(content)
    if changed:
        assert codes(path)
    else:
        assert read_program(path).manifest == {"a": [1, 2]}


def test_a_missing_file_a_folder_and_a_device_are_refused(tmp_path: Path) -> None:
    assert codes(tmp_path / "none.nemu") == {"NE5008"}
    assert codes(tmp_path) == {"NE5008"}
    assert codes(Path(os.devnull)) == {"NE5008"}


@pytest.mark.parametrize(
    "manifest",
    [
        {"sections": []},
        {"a": float("nan")},
        {"a": {1: 2}},
        {"a": (1, 2)},
        {"a": b"bytes"},
        {"a": np.int64(3)},
        {"a": "\ud800"},
    ],
    ids=str,
)
def test_a_manifest_that_would_not_come_back_is_not_written(tmp_path: Path, manifest: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="NE5009"):
        write_program(tmp_path / "program.nemu", Program(manifest, {}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", ["text", np.zeros(3, np.uint16), np.zeros((2, 2), np.uint8), None], ids=repr)
def test_a_section_is_bytes(data: Any) -> None:
    with pytest.raises(BadInput, match="NE5009 section 's'"):
        Program({}, {"s": data})


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(
    file: Path, small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(BadInput, match="NE5008 cannot write the program: No space left on device"):
        write_program(file, Program({}, {"new": b"1"}))
    assert read_program(file) == small
    assert list(file.parent.iterdir()) == [file]


def test_an_interrupted_write_leaves_no_partial_file(
    file: Path, small: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_program(file, Program({}, {"new": b"1"}))
    assert read_program(file) == small
    assert list(file.parent.iterdir()) == [file]


def test_a_missing_folder_is_a_clear_error(tmp_path: Path, small: Program) -> None:
    with pytest.raises(BadInput, match="NE5008 cannot write the program: No such file or directory"):
        write_program(tmp_path / "nowhere" / "program.nemu", small)


def test_a_missing_section_is_named(small: Program) -> None:
    with pytest.raises(BadInput, match="NE5010 the program has no section 'c'"):
        small.section("c")
    assert small.section("a").tolist() == list(range(16))


def test_manifest_entries_have_exactly_the_asked_type() -> None:
    assert take({"a": 1}, "a", int, "x") == 1
    assert take_integers({"a": [1, 0]}, "a", "x") == (1, 0)
    for entry in ({}, {"a": True}, {"a": "1"}, {"a": None}):
        with pytest.raises(BadInput, match=r"NE5004 manifest entry 'x\.a' must be a int"):
            take(entry, "a", int, "x")
    for values in ([-1], [1.0], [True]):
        with pytest.raises(BadInput, match="must list integers"):
            take_integers({"a": values}, "a", "x")
