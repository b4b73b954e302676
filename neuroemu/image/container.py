"""A program as a file (``program.nemu``): a JSON manifest and raw sections, every byte under a checksum.

Layout, little-endian::

    0   8   magic  "\\x89NEMU\\r\\n\\x1a"
    8   4   format version
    12  4   header size (64)
    16  8   manifest size in bytes
    24  8   file size in bytes
    32  32  SHA-256 over bytes 0..31 and the manifest
    64  ..  manifest: UTF-8 JSON, sorted keys; its "sections" table lists name, offset, size and SHA-256 of each section
    ..  ..  sections in table order, each at the next multiple of 8; gaps are zero

A reader never trusts a size before it has compared it with the file's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.image.records import Record

MAGIC = b"\x89NEMU\r\n\x1a"
FORMAT_VERSION = 1
ALIGNMENT = 8
SECTION_TABLE = "sections"

_HEADER = struct.Struct("<8sIIQQ32s")
_DIGESTED_HEADER_BYTES = 32
_HEX_DIGITS = frozenset("0123456789abcdef")

Bytes = NDArray[np.uint8]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Program(Record):
    """A deployed program: what the manifest says and the raw bytes of each named section.

    Attributes:
        manifest: plain JSON data (``family``, ``chip``, ``symbols``, …) without the key ``sections``.
        sections: name -> uint8 array of shape (bytes,); ``bytes`` are accepted and converted.
    """

    manifest: dict[str, Any]
    sections: dict[str, Bytes]

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", {name: _as_bytes(name, data) for name, data in self.sections.items()})

    def section(self, name: str) -> Bytes:
        """The bytes of one section.

        Raises:
            BadInput: NE5010 when the program has no such section.
        """
        if name not in self.sections:
            raise BadInput(Finding("NE5010", f"the program has no section '{name}'"))
        return self.sections[name]


@dataclass(frozen=True)
class _Entry:
    """One row of the section table."""

    name: str
    offset: int
    size: int
    sha256: str


def write_program(path: str | os.PathLike[str], program: Program) -> None:
    """Write ``program`` to ``path``; the same program always gives the same bytes.

    The file appears under its name only when it is complete: it is written beside it and renamed.

    Raises:
        BadInput: NE5009 when the manifest is not plain JSON data, NE5008 when the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    table = _section_table(program)
    manifest = _encode_manifest(program.manifest, table, str(target))
    try:
        try:
            with open(partial, "wb") as file:
                for piece in _pieces(program, table, manifest):
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, target)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        fixes = ("choose a folder that exists and can be written",)
        message = f"cannot write the program: {error.strerror or error}"
        raise BadInput(Finding("NE5008", message, str(target), fixes)) from error


def program_digest(program: Program) -> str:
    """SHA-256 over the manifest and every section, 64 hex digits.

    Raises:
        BadInput: NE5009 when the manifest is not plain JSON data.
    """
    return hashlib.sha256(_encode_manifest(program.manifest, _section_table(program), "")).hexdigest()


def read_program(path: str | os.PathLike[str]) -> Program:
    """Read a program file and check every byte of it.

    Raises:
        BadInput: NE5000 to NE5008; the message names the section and the offset.
    """
    where = os.fspath(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise BadInput(Finding("NE5008", "cannot read the program: not a regular file", where))
        with open(path, "rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size, where)
    except OSError as error:
        message = f"cannot read the program: {error.strerror or error}"
        raise BadInput(Finding("NE5008", message, where)) from error


def take(entry: Mapping[str, Any], key: str, kind: type[Value], place: str) -> Value:
    """``entry[key]``, which must be of JSON type ``kind``; ``place`` names the entry in the message.

    Raises:
        BadInput: NE5004 when the key is missing or its value has another type.
    """
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if type(value) is not kind:
        found = "missing" if value is None else f"a {type(value).__name__}"
        message = f"manifest entry '{place}.{key}' must be a {kind.__name__}; it is {found}"
        raise BadInput(Finding("NE5004", message))
    return value


def take_integers(entry: Mapping[str, Any], key: str, place: str) -> tuple[int, ...]:
    """``entry[key]`` as a tuple of integers of at least 0.

    Raises:
        BadInput: NE5004 as for :func:`take`, or when an item is not such an integer.
    """
    values = take(entry, key, list, place)
    if not all(type(value) is int and value >= 0 for value in values):
        raise BadInput(Finding("NE5004", f"manifest entry '{place}.{key}' must list integers of at least 0"))
    return tuple(values)


def _as_bytes(name: str, data: Any) -> Bytes:
    if isinstance(data, (bytes, bytearray, memoryview)):
        return np.frombuffer(data, np.uint8)
    if isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 1:
        return np.ascontiguousarray(data)
    raise BadInput(Finding("NE5009", f"section '{name}' must be bytes or a one-dimensional uint8 array"))


def _aligned(position: int) -> int:
    return -(-position // ALIGNMENT) * ALIGNMENT


def _section_table(program: Program) -> list[dict[str, Any]]:
    """Rows in name order; offsets count from the end of the manifest's padding."""
    table = []
    offset = 0
    for name in sorted(program.sections):
        data = program.sections[name]
        digest = hashlib.sha256(data.data).hexdigest()
        table.append({"name": name, "offset": offset, "size": data.size, "sha256": digest})
        offset = _aligned(offset + data.size)
    return table


def _encode_manifest(manifest: dict[str, Any], table: list[dict[str, Any]], where: str) -> bytes:
    if SECTION_TABLE in manifest:
        raise BadInput(Finding("NE5009", f"the manifest key '{SECTION_TABLE}' is reserved", where))
    whole = {**manifest, SECTION_TABLE: table}
    try:
        text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        encoded = text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(Finding("NE5009", f"the manifest is not plain JSON data: {error}", where)) from error
    if json.loads(text) != whole:
        message = "the manifest is not plain JSON data: only dict with str keys, list, str, int, float, bool and None"
        raise BadInput(Finding("NE5009", message, where))
    return encoded


def _pieces(program: Program, table: list[dict[str, Any]], manifest: bytes) -> Iterator[bytes | memoryview]:
    start = _aligned(_HEADER.size + len(manifest))
    end = table[-1]["offset"] + table[-1]["size"] if table else 0
    fixed = (MAGIC, FORMAT_VERSION, _HEADER.size, len(manifest), start + _aligned(end))
    head = _HEADER.pack(*fixed, b"")[:_DIGESTED_HEADER_BYTES]
    yield head + hashlib.sha256(head + manifest).digest()
    yield manifest
    yield bytes(start - _HEADER.size - len(manifest))
    for row in table:
        yield program.sections[row["name"]].data
        yield bytes(_aligned(row["size"]) - row["size"])


def _read(file: BinaryIO, actual_size: int, where: str) -> Program:
    manifest_size = _checked_header(file, actual_size, where)
    data = bytearray(actual_size)
    file.seek(0)
    if file.readinto(data) != actual_size:  # type: ignore[attr-defined]
        raise BadInput(Finding("NE5002", "the file changed while it was read", where))
    manifest_end = _HEADER.size + manifest_size
    manifest_bytes = bytes(data[_HEADER.size : manifest_end])
    digest = hashlib.sha256(data[:_DIGESTED_HEADER_BYTES] + manifest_bytes).digest()
    if digest != bytes(data[_DIGESTED_HEADER_BYTES : _HEADER.size]):
        message = f"header and manifest (offset 0 to {manifest_end}) do not match their checksum"
        raise BadInput(Finding("NE5003", message, where, ("deploy the network again or copy the file again",)))
    manifest = _decode_manifest(manifest_bytes, where)
    start = _aligned(manifest_end)
    entries = _checked_table(manifest.pop(SECTION_TABLE, None), start, actual_size, where)
    return Program(manifest, _checked_sections(np.frombuffer(data, np.uint8), entries, manifest_end, start, where))


def _checked_header(file: BinaryIO, actual_size: int, where: str) -> int:
    """Size of the manifest, after magic, version and sizes are found good."""
    head = file.read(_HEADER.size)
    if head[: len(MAGIC)] != MAGIC[: len(head)] or not head:
        fixes = ("give the program.nemu that 'neuroemu deploy' wrote",)
        raise BadInput(Finding("NE5000", "not a program file: wrong magic at offset 0", where, fixes))
    if len(head) < _HEADER.size:
        message = f"the file ends at {len(head)} bytes, inside the {_HEADER.size}-byte header"
        raise BadInput(Finding("NE5002", message, where))
    _, version, header_size, manifest_size, file_size, _ = _HEADER.unpack(head)
    if version != FORMAT_VERSION or header_size != _HEADER.size:
        message = f"format version {version} (header of {header_size} bytes) at offset 8; this reader knows version "
        fixes = ("deploy the network again with this version of neuroemu",)
        raise BadInput(Finding("NE5001", f"{message}{FORMAT_VERSION}", where, fixes))
    if file_size != actual_size:
        what = "truncated" if actual_size < file_size else "followed by foreign bytes"
        message = f"the file is {what}: offset 24 declares {file_size} bytes, it has {actual_size}"
        raise BadInput(Finding("NE5002", message, where))
    if manifest_size > actual_size - _HEADER.size:
        message = f"offset 16 declares a manifest of {manifest_size} bytes, more than the file's {actual_size}"
        raise BadInput(Finding("NE5002", message, where))
    return int(manifest_size)


def _decode_manifest(encoded: bytes, where: str) -> dict[str, Any]:
    try:
        manifest = json.loads(encoded.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        message = f"the manifest at offset {_HEADER.size} is bad JSON: {error}"
        raise BadInput(Finding("NE5004", message, where)) from error
    if not isinstance(manifest, dict):
        raise BadInput(Finding("NE5004", f"the manifest at offset {_HEADER.size} is not a JSON object", where))
    return manifest


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice in one object")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _checked_table(table: Any, start: int, file_size: int, where: str) -> list[_Entry]:
    """Rows whose offsets follow each other without gap or overlap and end where the file ends."""
    if not isinstance(table, list):
        raise BadInput(Finding("NE5005", f"the manifest has no '{SECTION_TABLE}' table", where))
    entries = []
    findings = []
    expected = 0
    names = set()
    for number, row in enumerate(table):
        entry = _table_row(row)
        if entry is None or entry.name in names:
            what = "is malformed" if entry is None else f"repeats the name '{entry.name}'"
            findings.append(Finding("NE5005", f"row {number} of the section table {what}", where))
            break
        if entry.offset != expected or entry.size > file_size - start - expected:
            message = (
                f"section '{entry.name}' declares {entry.size} bytes at offset {start + entry.offset}; "
                f"{file_size - start - expected} bytes are left at offset {start + expected}"
            )
            findings.append(Finding("NE5005", message, where))
            break
        names.add(entry.name)
        entries.append(entry)
        expected = _aligned(expected + entry.size)
    if not findings and start + expected != file_size:
        message = f"the sections end at offset {start + expected} but the file has {file_size} bytes"
        findings.append(Finding("NE5005", message, where))
    if findings:
        raise BadInput(findings)
    return entries


def _table_row(row: Any) -> _Entry | None:
    kinds = {"name": str, "offset": int, "size": int, "sha256": str}
    if not isinstance(row, dict) or set(row) != set(kinds):
        return None
    if any(type(row[key]) is not kind for key, kind in kinds.items()):
        return None
    entry = _Entry(**row)
    readable = len(entry.sha256) == 64 and set(entry.sha256) <= _HEX_DIGITS
    return entry if readable and entry.offset >= 0 and entry.size >= 0 and entry.name else None


def _checked_sections(
    data: Bytes, entries: list[_Entry], manifest_end: int, start: int, where: str
) -> dict[str, Bytes]:
    """Every section whose checksum holds; all that do not are reported together."""
    sections: dict[str, Bytes] = {}
    findings = []
    gaps = [("manifest", manifest_end, start)]
    for entry in entries:
        first = start + entry.offset
        last = first + entry.size
        section = data[first:last]
        sections[entry.name] = section
        gaps.append((entry.name, last, _aligned(last)))
        if hashlib.sha256(section.data).hexdigest() != entry.sha256:
            message = f"section '{entry.name}' (offset {first} to {last}) does not match its checksum"
            findings.append(Finding("NE5006", message, where, ("deploy the network again or copy the file again",)))
    for name, first, last in gaps:
        if data[first:last].any():
            message = f"the padding after '{name}' (offset {first} to {last}) is not zero"
            findings.append(Finding("NE5007", message, where))
    if findings:
        raise BadInput(findings)
    return sections
