"""Packs ready-made pieces (tiles of layers, blocks) into cores by vectors of additive resources.

Every packer has the prototype ``packer(pieces, limits, affinity) -> core_of_piece`` (int32[P], cores numbered from 0 in the
order in which they open): ``pieces`` int64[P, R] is what each piece uses, ``limits`` int64[R] what a core holds, ``affinity``
sparse int64 (P, P) the traffic or shared axons between pieces, or None.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.errors import BadInput, DoesNotFit, Finding

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


class Packer(Protocol):
    """Prototype of every packing algorithm."""

    def __call__(self, pieces: Int64, limits: Int64, affinity: sp.csr_array | None) -> Int32: ...


def separate(pieces: Int64, limits: Int64, affinity: sp.csr_array | None = None) -> Int32:
    """One core for every piece: fewest shared resources, most cores."""
    return np.arange(len(pieces), dtype=np.int32)


def first_fit(pieces: Int64, limits: Int64, affinity: sp.csr_array | None = None) -> Int32:
    """Each piece, in order, into the lowest core with room. O(P * cores * R)."""
    return _pack_in_order(pieces, limits, None)


def by_affinity(pieces: Int64, limits: Int64, affinity: sp.csr_array | None) -> Int32:
    """Each piece, in order, into the core with room whose pieces it shares most traffic with; ties to the lowest core."""
    return _pack_in_order(pieces, limits, None if affinity is None else sp.csr_array(affinity + affinity.T))


def _pack_in_order(pieces: Int64, limits: Int64, mutual: sp.csr_array | None) -> Int32:
    core_of_piece = np.full(len(pieces), -1, np.int32)
    used = np.zeros_like(pieces)
    cores = 0
    for piece, need in enumerate(pieces):
        candidates = np.flatnonzero(np.all(used[:cores] + need <= limits, axis=1))
        if len(candidates) == 0:
            chosen, cores = cores, cores + 1
        elif mutual is None:
            chosen = candidates[0]
        else:
            chosen = candidates[np.argmax(_shared(mutual, piece, core_of_piece, cores)[candidates])]
        core_of_piece[piece] = chosen
        used[chosen] += need
    return core_of_piece


def _shared(mutual: sp.csr_array, piece: int, core_of_piece: Int32, cores: int) -> Int64:
    """Traffic of ``piece`` with what lies on each core so far; int64[cores]."""
    row = slice(mutual.indptr[piece], mutual.indptr[piece + 1])
    core = core_of_piece[mutual.indices[row]]
    shared = np.zeros(cores, np.int64)
    np.add.at(shared, core[core >= 0], mutual.data[row][core >= 0])
    return shared


PACKERS: Mapping[str, Packer] = {"affinity": by_affinity, "first_fit": first_fit, "separate": separate}
DEFAULT_PACKER = "affinity"


def pack(
    pieces: Int64,
    limits: Int64,
    affinity: sp.csr_array | None = None,
    algorithm: str = DEFAULT_PACKER,
    resources: Sequence[str] = (),
) -> Int32:
    """Check the pieces and pack them with the named algorithm.

    ``resources`` names the columns in messages.

    Raises:
        DoesNotFit: NE4020 when a piece alone exceeds a limit: the piece, the resource and by how much.
        BadInput: NE4021 for an unknown algorithm or shapes that do not agree.
    """
    pieces, limits = np.asarray(pieces, np.int64), np.asarray(limits, np.int64)
    if findings := tuple(_malformed(pieces, limits, affinity, algorithm)):
        raise BadInput(findings)
    names = tuple(resources) or tuple(f"resource {column}" for column in range(len(limits)))
    if len(broken := np.argwhere(pieces > limits)):
        findings = tuple(
            _too_large(piece, names[column], pieces[piece, column], limits[column]) for piece, column in broken
        )
        raise DoesNotFit(findings)
    return PACKERS[algorithm](pieces, limits, affinity)


def _too_large(piece: int, name: str, need: int, most: int) -> Finding:
    message = f"piece {piece} needs {need} {name}, a core has {most} ({need - most} too many)"
    return Finding("NE4020", message, f"piece {piece}", ("cut the piece into smaller ones",))


def _malformed(pieces: Int64, limits: Int64, affinity: sp.csr_array | None, algorithm: str) -> Iterator[Finding]:
    if algorithm not in PACKERS:
        yield Finding("NE4021", f"no packing algorithm {algorithm!r}; there are {', '.join(PACKERS)}")
    if pieces.ndim != 2 or limits.shape != pieces.shape[1:]:
        yield Finding("NE4021", f"pieces {pieces.shape} and limits {limits.shape} do not name the same resources")
    if np.any(pieces < 0):
        yield Finding("NE4021", f"a piece cannot use a negative amount, found {pieces.min()}")
    if affinity is not None and affinity.shape != (len(pieces), len(pieces)):
        yield Finding("NE4021", f"affinity has shape {affinity.shape} for {len(pieces)} pieces")
