"""Variable-length strings of an HDF5 file, read without the HDF5 library's own heap code.

That code trusts what a file says: on damaged files HDF5 2.0 loops for ever over a heap object whose size overflows, allocates
whatever length a reference states, and can crash the process. Here every address and length is checked against the file.
Layouts: HDF5 File Format Specification 3.0, III.E (global heap) and IV.B (variable-length data).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import h5py
import numpy as np

_REFERENCE = 16
"""A string on disk: length (4 bytes), heap address (8), index in the heap (4)."""
_HEADER = 16
"""Bytes before a heap's first object, and before each object's data."""
_LARGEST_HEAP = 2**26


class DamagedHDF5(ValueError):
    """The file's own structure is impossible or too unusual to be read safely."""


class TextReader:
    """Reads string datasets of one open file; ``stream`` is the same file as bytes."""

    def __init__(self, file: h5py.File, stream: BinaryIO, size: int, longest: int):
        self._stream = stream
        self._size = size
        self._longest = longest
        self._heaps: dict[int, dict[int, bytes]] = {}
        widths = file.id.get_create_plist().get_sizes()
        if tuple(widths) != (8, 8) or file.userblock_size:
            raise DamagedHDF5(f"addresses of {widths[0]} bytes and a user block of {file.userblock_size} bytes")

    def read(self, dataset: h5py.Dataset) -> list[str]:
        """All strings of a dataset in C order (``dataset.size`` must have been checked).

        Raises:
            DamagedHDF5: addresses or lengths that do not fit the file, texts longer than ``longest`` bytes.
        """
        if dataset.size == 0:
            return []
        if dataset.dtype.kind == "S":
            if dataset.dtype.itemsize > self._longest:
                raise DamagedHDF5(f"texts of {dataset.dtype.itemsize} bytes, at most {self._longest} are expected")
            return [value.decode("utf-8", errors="replace") for value in np.asarray(dataset[()]).ravel()]
        if h5py.check_string_dtype(dataset.dtype) is None:
            raise DamagedHDF5(f"{dataset.dtype} where text is expected")
        references = self._references(dataset)
        return [self._text(references[k : k + _REFERENCE]) for k in range(0, len(references), _REFERENCE)]

    def _text(self, reference: bytes) -> str:
        length = int.from_bytes(reference[:4], "little")
        if length == 0:
            return ""
        if length > self._longest:
            raise DamagedHDF5(f"a text of {length} bytes, at most {self._longest} are expected")
        address, index = int.from_bytes(reference[4:12], "little"), int.from_bytes(reference[12:16], "little")
        if address not in self._heaps:
            self._heaps[address] = dict(self._objects(self._heap(address), address))
        content = self._heaps[address].get(index, b"")
        if len(content) < length:
            raise DamagedHDF5(f"object {index} of the heap at byte {address} does not hold {length} bytes")
        return content[:length].decode("utf-8", errors="replace")

    def _heap(self, address: int) -> bytes:
        header = self._bytes(address, _HEADER)
        size = int.from_bytes(header[8:16], "little")
        if header[:5] != b"GCOL\x01" or not _HEADER <= size <= _LARGEST_HEAP:
            raise DamagedHDF5(f"there is no heap at byte {address}")
        return self._bytes(address, size)

    def _objects(self, heap: bytes, address: int) -> Iterator[tuple[int, bytes]]:
        at = _HEADER
        while at + _HEADER <= len(heap):
            index, size = int.from_bytes(heap[at : at + 2], "little"), int.from_bytes(heap[at + 8 : at + 16], "little")
            if index == 0:
                return
            if size > len(heap) - at - _HEADER:
                raise DamagedHDF5(f"the heap object at byte {address + at} claims {size} bytes")
            yield index, heap[at + _HEADER : at + _HEADER + size]
            at += _HEADER + -(-size // 8) * 8

    def _references(self, dataset: h5py.Dataset) -> bytes:
        """The raw string references in C order."""
        layout = dataset.id.get_create_plist().get_layout()
        count = int(dataset.size)
        if layout == h5py.h5d.CONTIGUOUS:
            offset = dataset.id.get_offset()
            return bytes(count * _REFERENCE) if offset is None else self._bytes(offset, count * _REFERENCE)
        if layout != h5py.h5d.CHUNKED:
            raise DamagedHDF5("texts in an unusual storage layout")
        return self._chunks(dataset)

    def _chunks(self, dataset: h5py.Dataset) -> bytes:
        filters = dataset.id.get_create_plist().get_nfilters()
        if filters > 1 or (filters == 1 and dataset.compression != "gzip"):
            raise DamagedHDF5("texts behind unusual filters")
        kind = np.dtype(f"V{_REFERENCE}")
        whole = np.zeros(dataset.shape, dtype=kind)
        chunk = np.zeros(dataset.chunks, dtype=kind)
        if chunk.nbytes > _LARGEST_HEAP:
            raise DamagedHDF5(f"texts in chunks of {chunk.nbytes} bytes")
        for number in range(min(dataset.id.get_num_chunks(), dataset.size)):
            info = dataset.id.get_chunk_info(number)
            stored = self._bytes(info.byte_offset, info.size)
            if filters and not info.filter_mask & 1:
                stored = zlib.decompressobj().decompress(stored, chunk.nbytes)
            if len(stored) != chunk.nbytes:
                raise DamagedHDF5(f"a chunk of {len(stored)} bytes, {chunk.nbytes} are needed")
            part = np.frombuffer(stored, dtype=kind).reshape(dataset.chunks)
            starts = info.chunk_offset
            target = tuple(slice(start, start + side) for start, side in zip(starts, chunk.shape, strict=True))
            fits = whole[target].shape
            whole[target] = part[tuple(slice(0, side) for side in fits)]
        return whole.tobytes()

    def _bytes(self, start: int, count: int) -> bytes:
        if start < 0 or start + count > self._size:
            raise DamagedHDF5(f"bytes {start} to {start + count} of a file of {self._size} bytes")
        self._stream.seek(start)
        content = self._stream.read(count)
        if len(content) != count:
            raise DamagedHDF5("the file is shorter than it was")
        return content
