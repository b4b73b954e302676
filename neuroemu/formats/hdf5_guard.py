"""What the HDF5 library does not check before it acts: sizes of variable-length strings and of the heaps that hold them.

Two faults of a damaged or hostile file reach users otherwise: HDF5 2.0 loops for ever on a heap object whose size overflows,
and allocates whatever length a string reference states. Formats: HDF5 File Format Specification 3.0, III.E (global heap)
and IV.B (variable-length data).
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

_HEAP_HEADER = 16
_OBJECT_HEADER = 16
_REFERENCE = 16
"""A string on disk: length (4 bytes), heap address (8), index in the heap (4)."""


class DamagedHDF5(ValueError):
    """The file's own structure is impossible."""


def check_heaps(path: Path) -> None:
    """Walk every global heap of the file.

    Raises:
        DamagedHDF5: an object or heap reaches beyond its container, or widths of addresses are unusual.
    """
    with path.open("rb") as stream:
        if path.stat().st_size < 64:
            raise DamagedHDF5("shorter than any HDF5 file")
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            widths = content[13:15] if content[8] < 2 else content[9:11]
            if widths != b"\x08\x08":
                raise DamagedHDF5(f"addresses and lengths of {widths[0]} and {widths[1]} bytes, 8 and 8 are expected")
            at = content.find(b"GCOL\x01\0\0\0")
            while at >= 0:
                _check_heap(content, at)
                at = content.find(b"GCOL\x01\0\0\0", at + 1)


def _check_heap(content: mmap.mmap, start: int) -> None:
    size = int.from_bytes(content[start + 8 : start + 16], "little")
    end = start + size
    if size < _HEAP_HEADER or end > len(content):
        raise DamagedHDF5(f"the heap at byte {start} claims {size} bytes")
    at = start + _HEAP_HEADER
    while end - at >= _OBJECT_HEADER:
        index = int.from_bytes(content[at : at + 2], "little")
        stated = int.from_bytes(content[at + 8 : at + 16], "little")
        needed = stated if index == 0 else _OBJECT_HEADER + -(-stated // 8) * 8
        if not 0 < needed <= end - at:
            raise DamagedHDF5(f"the heap object at byte {at} claims {stated} bytes")
        at += needed


def check_string_lengths(dataset: h5py.Dataset, path: Path, longest: int) -> None:
    """Refuse variable-length strings longer than ``longest`` bytes before HDF5 allocates them.

    Raises:
        DamagedHDF5: a length beyond the limit, or a storage layout in which the lengths cannot be seen.
    """
    if h5py.check_string_dtype(dataset.dtype) is None or dataset.dtype.kind != "O":
        return
    with path.open("rb") as stream:
        for references in _reference_blocks(dataset, stream):
            whole = len(references) // _REFERENCE * _REFERENCE
            lengths = np.frombuffer(references[:whole], dtype="<u4")[:: _REFERENCE // 4]
            if lengths.size and int(lengths.max()) > longest:
                raise DamagedHDF5(f"a text of {int(lengths.max())} bytes, at most {longest} are expected")


def _reference_blocks(dataset: h5py.Dataset, stream: BinaryIO) -> Iterator[bytes]:
    """The raw string references of a contiguous or (deflated) chunked dataset."""
    layout = dataset.id.get_create_plist().get_layout()
    if layout == h5py.h5d.CONTIGUOUS:
        offset = dataset.id.get_offset()
        if offset is not None:
            stream.seek(offset)
            yield stream.read(dataset.size * _REFERENCE)
        return
    if layout != h5py.h5d.CHUNKED:
        raise DamagedHDF5("texts in an unusual storage layout")
    filters = dataset.id.get_create_plist().get_nfilters()
    if filters > 1 or (filters == 1 and dataset.compression != "gzip"):
        raise DamagedHDF5("texts behind unusual filters")
    most = int(np.prod(dataset.chunks, dtype=np.int64)) * _REFERENCE
    for number in range(dataset.id.get_num_chunks()):
        info = dataset.id.get_chunk_info(number)
        stream.seek(info.byte_offset)
        stored = stream.read(info.size)
        deflated = filters and not info.filter_mask & 1
        yield zlib.decompressobj().decompress(stored, most) if deflated else stored
