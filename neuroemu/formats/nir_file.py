"""From HDF5 bytes to plain numpy: the only place that touches a NIR file, and the only one that distrusts HDF5.

Layout (nir 0.1 to 1.0.8): dataset ``version``, group ``node`` = root graph; a node is a group with a string ``type``
and one dataset per field; a graph has the group ``nodes`` and the dataset ``edges`` (E, 2). Other members are ignored.
Sizes are checked against what the file really stores before anything is allocated; links out of it are not followed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.formats.hdf5_text import TextReader

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
MOST_BYTES = 2**31
"""Declared bytes of all arrays together that are read at most."""
MOST_COMPRESSION = 1100
"""Deflate cannot shrink data by more than a factor of about 1032; a file that claims more is not what it says."""
SMALL_BYTES = 2**16
"""Arrays up to this size are read whatever the file stores for them (fill values need no storage)."""
LARGEST_CHUNK_BYTES = 2**20
"""Chunks up to this size are accepted even when they are larger than their array (h5py's default chunks are)."""
MOST_CHUNKS = 100_000
MOST_NODES = 100_000
DEEPEST = 16
LONGEST_NAME = 1024
LONGEST_TEXT = 4 * LONGEST_NAME

Edge = tuple[str, str]


@dataclass(frozen=True)
class RawNode:
    """One node as the file states it; ``path`` is its place in the file, ``nodes``/``edges`` are set for graphs."""

    type: str
    path: str
    fields: Mapping[str, NDArray[Any] | str] = field(default_factory=dict)
    nodes: Mapping[str, RawNode] = field(default_factory=dict)
    edges: tuple[Edge, ...] = ()


@dataclass(frozen=True)
class RawFile:
    """The root graph and the nir version that wrote it ('' when absent)."""

    version: str
    root: RawNode


def read_nir_file(path: Path, fields_of_type: Mapping[str, tuple[str, ...]]) -> RawFile:
    """Read the node tree; of each node only the fields listed for its type.

    Raises:
        BadInput: unreadable or damaged file (NE1001, NE1003), oversized or foreign data (NE1004, NE1005), missing
            structure (NE1010), unknown node types (NE1011).
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream, h5py.File(path, "r", locking=False) as file:
            texts = TextReader(file, stream, size, LONGEST_TEXT)
            reader = _Reader(path, size, fields_of_type, texts)
            raw = reader.read(file)
    except BadInput:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError) as failure:
        raise BadInput(Finding("NE1001", f"cannot be read: {failure.strerror}", str(path))) from None
    except Exception as failure:  # noqa: BLE001 - h5py raises anything on a damaged file; here it becomes one clear error
        raise BadInput(_damaged(path, failure)) from None
    if reader.findings:
        raise BadInput(reader.findings)
    return raw


def _damaged(path: Path, failure: Exception) -> Finding:
    said = " ".join(str(failure).split())[:200] or type(failure).__name__
    return Finding(
        "NE1003",
        f"is not a readable HDF5 file: {said}",
        str(path),
        ("copy or export the file again: it is truncated or damaged",),
    )


class _Reader:
    """One pass over one file; collects findings and counts what it has allocated."""

    def __init__(self, path: Path, size: int, fields_of_type: Mapping[str, tuple[str, ...]], texts: TextReader):
        self.path = path
        self.texts = texts
        self.size = size
        self.fields_of_type = fields_of_type
        self.findings: list[Finding] = []
        self.allocated = 0
        self.visited = 0

    def read(self, file: h5py.File) -> RawFile:
        version = self._member(file, "version")
        root = self._member(file, "node")
        if not isinstance(root, h5py.Group):
            members = ", ".join(sorted(file)[:8]) or "nothing"
            self._refuse("NE1010", f"has no root group 'node' (it holds {members}): this is HDF5, but not NIR", "/")
            return RawFile("", RawNode("NIRGraph", "/node"))
        stated = self._text(version, "/version") if isinstance(version, h5py.Dataset) else ""
        return RawFile(stated or "", self._node(root, "/node", 0))

    def _refuse(self, code: str, message: str, place: str, *fixes: str) -> None:
        self.findings.append(Finding(code, message, f"{self.path}:{place}", fixes))

    def _member(self, group: h5py.Group, name: str) -> h5py.Group | h5py.Dataset | None:
        """A member that lives in this file; soft and external links are refused."""
        link = group.get(name, getlink=True)
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            self._refuse("NE1005", "is a link to somewhere else, which is not followed", f"{group.name}/{name}")
            return None
        return group[name]

    def _node(self, group: h5py.Group, place: str, depth: int) -> RawNode:
        self.visited += 1
        if depth > DEEPEST or self.visited > MOST_NODES:
            limit = f"deeper than {DEEPEST} graphs" if depth > DEEPEST else f"more than {MOST_NODES} nodes"
            raise BadInput(Finding("NE1004", f"the graph is {limit}", f"{self.path}:{place}"))
        stated = self._member(group, "type")
        kind = self._text(stated, f"{place}/type") if isinstance(stated, h5py.Dataset) else None
        if kind is None:
            self._refuse("NE1010", "has no string 'type': not a NIR node", place)
            return RawNode("", place)
        if kind == "NIRGraph":
            return self._graph(group, place, depth)
        if kind not in self.fields_of_type:
            known = ", ".join(sorted((*self.fields_of_type, "NIRGraph")))
            self._refuse(
                "NE1011",
                f"the node type {kind!r} is unknown; supported are {known}",
                place,
                "export the layer as one of these, or replace it by a Linear or Scale stub before loading",
            )
            return RawNode(kind, place)
        fields = {}
        for name in self.fields_of_type[kind]:
            member = self._member(group, name)
            if isinstance(member, h5py.Dataset):
                value = self._value(member, f"{place}/{name}")
                if value is not None:
                    fields[name] = value
        return RawNode(kind, place, fields)

    def _graph(self, group: h5py.Group, place: str, depth: int) -> RawNode:
        members = self._member(group, "nodes")
        nodes: dict[str, RawNode] = {}
        if isinstance(members, h5py.Group):
            if len(members) > MOST_NODES:
                raise BadInput(Finding("NE1004", f"declares {len(members)} nodes", f"{self.path}:{place}"))
            for name in members:
                child = self._member(members, name)
                if isinstance(child, h5py.Group):
                    nodes[name] = self._node(child, f"{place}/nodes/{name}", depth + 1)
        else:
            self._refuse("NE1010", "a graph needs the group 'nodes'", place)
        stated = self._member(group, "edges")
        if not isinstance(stated, h5py.Dataset):
            self._refuse("NE1010", "a graph needs the dataset 'edges'", place)
            return RawNode("NIRGraph", place, {}, nodes)
        return RawNode("NIRGraph", place, {}, nodes, self._edges(stated, f"{place}/edges"))

    def _value(self, dataset: h5py.Dataset, place: str) -> NDArray[Any] | str | None:
        if dataset.dtype.kind in "OSU":
            return self._text(dataset, place)
        if dataset.dtype.kind not in "fiub":
            self._refuse("NE1014", f"holds {dataset.dtype}, a number is needed", place)
            return None
        return np.asarray(dataset[()]) if self._may_read(dataset, place) else None

    def _may_read(self, dataset: h5py.Dataset, place: str) -> bool:
        """Whether the declared size is backed by the file; refuses external and virtual storage."""
        if dataset.shape is None:
            self._refuse("NE1014", "is an empty (null) dataset", place)
            return False
        if dataset.external or dataset.is_virtual:
            self._refuse("NE1005", "keeps its data in other files, which are not read", place)
            return False
        declared = dataset.dtype.itemsize
        for side in dataset.shape:
            declared *= int(side)
        stored = int(dataset.id.get_storage_size())
        if stored > self.size or (declared > SMALL_BYTES and declared > MOST_COMPRESSION * stored):
            message = f"declares {_human(declared)} (shape {dataset.shape}) but the file stores {_human(stored)} of it"
            self._refuse("NE1004", message, place, "the file is damaged or hostile: export it again")
            return False
        if dataset.chunks is not None and not self._chunks_fit(dataset, stored):
            message = f"has the shape {dataset.shape} but is stored in chunks of {dataset.chunks}"
            self._refuse("NE1004", message, place, "the file is damaged or hostile: export it again")
            return False
        self.allocated += declared
        if self.allocated > MOST_BYTES:
            message = f"with {_human(declared)} here the arrays exceed the limit of {_human(MOST_BYTES)}"
            raise BadInput(Finding("NE1004", message, f"{self.path}:{place}"))
        return True

    def _chunks_fit(self, dataset: h5py.Dataset, stored: int) -> bool:
        """Whether HDF5 can be trusted with the chunks: same rank (it loops for ever otherwise), sane size and number."""
        if len(dataset.chunks) != len(dataset.shape) or min(dataset.chunks) < 1:
            return False
        one = dataset.dtype.itemsize * math.prod(int(side) for side in dataset.chunks)
        number = math.prod(-(-int(side) // int(step)) for side, step in zip(dataset.shape, dataset.chunks, strict=True))
        return one <= max(LARGEST_CHUNK_BYTES, MOST_COMPRESSION * stored) and number <= MOST_CHUNKS

    def _text(self, dataset: h5py.Dataset, place: str) -> str | None:
        if dataset.shape != () or dataset.dtype.kind not in "OS" or not self._may_read(dataset, place):
            return None
        return self.texts.read(dataset)[0]

    def _edges(self, dataset: h5py.Dataset, place: str) -> tuple[Edge, ...]:
        shape = dataset.shape
        if shape is not None and 0 in shape:
            return ()
        if shape is None or len(shape) != 2 or shape[1] != 2 or dataset.dtype.kind not in "OS":
            self._refuse("NE1010", f"edges must be an (E, 2) array of names, it is {dataset.dtype} {shape}", place)
            return ()
        if len(dataset) > 10 * MOST_NODES or not self._may_read(dataset, place):
            if len(dataset) > 10 * MOST_NODES:
                self._refuse("NE1004", f"declares {len(dataset)} edges", place)
            return ()
        names = self.texts.read(dataset)
        if max(map(len, names)) > LONGEST_NAME:
            self._refuse("NE1010", f"an edge names a node with more than {LONGEST_NAME} characters", place)
            return ()
        return tuple(zip(names[::2], names[1::2], strict=True))


def _human(count: int) -> str:
    """A byte count as people say it."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"
