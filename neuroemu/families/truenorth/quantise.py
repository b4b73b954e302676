"""Chooses how a population's weights become axon types, and on which scale each of its neurons counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.families.truenorth.codes import CODES, TYPES, Table, clustered, fitted, selected
from neuroemu.families.truenorth.lowered import Tile
from neuroemu.families.truenorth.mixed import ROUNDS, Shared, balanced, shared_out
from neuroemu.families.truenorth.tiles import coded_tiles, cut, dense_part, row_table, shared_tile

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

NEAR = 0.005
"""A code with fewer axons is taken when its error is larger by so much of the largest weight at most."""

EXACT = 1e-9
FINE = 0.012
"""Errors of the largest weight up to which all sources have the same axons; above, each may have axons of its own."""
COARSE = 0.02
VERY_COARSE = 0.1
"""Errors of the largest weight above which neurons of few or of many cores are spread over more, so that fewer share axons."""
FEW = 4
"""Cores of a population that are few."""
WORTH = 0.9
HOPELESS = 0.97
"""Shares of the error that may be left when neurons take twice the cores, for it to be done and for it to be tried further."""
QUICK_ROUNDS = 3
MOST_FINER = 8
"""Cores over which the neurons of one are spread at most."""
CONSTANT_HEED = 8.0
"""How much the square error of a source that fires in every tick counts beside that of one which rarely does."""
MOST_SORTED = 32
"""Tiles of a population for which sorting the sources is tried although they could have several axons."""


@dataclass(frozen=True)
class Room:
    """What one core holds, and the largest numbers of a neuron's registers."""

    axons: int
    neurons: int
    weight: int
    leak: int
    threshold: int
    floor: int
    reset: int


@dataclass(frozen=True)
class Demand:
    """Numbers of the neurons, float64 (size,), that share a scale with their weights; magnitudes.

    ``threshold`` and ``leak`` should also become whole; ``ceiling`` is the largest scale for other reasons.
    """

    threshold: FloatArray
    leak: FloatArray
    reset: FloatArray
    ceiling: FloatArray


@dataclass(frozen=True)
class Quantised:
    """Weights of a population as its tiles hold them.

    Attributes:
        weight: CSR (neurons, columns) of whole numbers in chip units.
        scale: float64 (neurons,), chip units per float unit.
        kind: how signed weights became axon types, in words.
    """

    tiles: tuple[Tile, ...]
    weight: sp.csr_array
    scale: FloatArray
    kind: str


def quantise(
    weight: sp.csr_array,
    order: Int64,
    demand: Demand,
    room: Room,
    most: Int64,
    *,
    shared_scale: bool,
    constant: bool = False,
    most_finer: int = 1,
) -> Quantised:
    """The code with the least error that fits a core; a smaller one if it is as good.

    Args:
        weight: CSR (neurons, columns), float units; no row has more synapses than a core has axons.
        order: neurons as they are cut into tiles.
        most: int64 (columns,), axons that each source may have.
        shared_scale: whether all neurons must count on one scale.
        constant: whether the last column is a source that fires in every tick. Where the other weights lose nothing by it, it
            has an axon type of its own, which holds it exactly.
        most_finer: cores over which the neurons of one may be spread where that makes weights more precise.
    """
    heed = np.ones(weight.shape[1])
    if constant:
        heed[-1] = CONSTANT_HEED
    among = _quantised(weight, order, demand, room, most, shared_scale, heed, most_finer)
    if not constant:
        return among
    own = weight[:, [weight.shape[1] - 1]].toarray()[:, 0]
    others = sp.csr_array(weight[:, :-1])
    if int(np.diff(others.indptr).max(initial=0)) >= room.axons:
        return among
    apart = _quantised(others, order, demand, room, most[:-1], shared_scale, heed[:-1], most_finer, own)
    largest = float(np.abs(weight.data).max(initial=0.0)) or 1.0
    loss = [_error(weight, found, heed) / largest for found in (apart, among)]
    return apart if loss[0] <= loss[1] + NEAR else among


def _error(weight: sp.csr_array, found: Quantised, heed: FloatArray) -> float:
    """Root of the mean square that weights are off, float units, each as much as its source counts."""
    off = sp.csr_array(sp.csr_array(sp.diags_array(1.0 / found.scale) @ found.weight) - weight)
    return _rms(float((off.data**2 * heed[off.indices]).sum()), weight.nnz)


def _quantised(
    weight: sp.csr_array,
    order: Int64,
    demand: Demand,
    room: Room,
    most: Int64,
    shared_scale: bool,
    heed: FloatArray,
    most_finer: int,
    own: FloatArray | None = None,
) -> Quantised:
    """As :func:`quantise`; ``own`` float64 (neurons,) are weights of a further source that has the last axon type for itself."""
    fan_in = int(np.diff(weight.indptr).max(initial=0))
    axons, types = (room.axons, TYPES) if own is None else (room.axons - 1, TYPES - 1)
    candidates = []
    rows, row, within = row_table(weight)
    unique, member = np.unique(rows, axis=0, return_inverse=True)
    member = member.reshape(-1)
    times = np.bincount(member, minlength=unique.shape[0])
    largest = float(np.abs(weight.data).max(initial=0.0)) or 1.0
    for code in CODES:
        if len(code) <= types and fan_in * sum(code) <= axons and sum(code) <= most.min(initial=axons):
            table = fitted(unique, code)
            error = (((table.weight - unique) ** 2).sum(axis=1) * times).sum()
            candidates.append((_rms(error, weight.nnz) / largest, code, table))
            if candidates[-1][0] <= EXACT:
                break  # codes with more axons cannot do better
    groups = cut(weight, order, axons, room.neurons)
    best = min((error for error, _, _ in candidates), default=np.inf)
    near = NEAR if best > EXACT else EXACT
    chosen = next(((code, table) for error, code, table in candidates if error <= best + near), None)
    if best > FINE and weight.nnz:
        each = 1 if chosen is None else sum(chosen[0])
        return _shared_sources(weight, order, demand, room, each, most, shared_scale, heed, most_finer, own)
    if chosen is None or (sum(chosen[0]) > 1 and len(groups) <= MOST_SORTED):
        sorted_parts = [(*dense_part(weight, group), group) for group in groups]
        sortings = [clustered(part, types) for _, part, _ in sorted_parts]
        error = sum(
            float(((table.weight - part) ** 2).sum())
            for (_, table), (_, part, _) in zip(sortings, sorted_parts, strict=True)
        )
        if chosen is None or _rms(error, weight.nnz) / largest <= best + near:
            return _sorted_sources(weight, sorted_parts, sortings, demand, room, shared_scale, own)
    code, table = chosen
    entry = table.entry[member]
    scale = _scales(_beside(entry, own), demand, room, shared_scale)
    entry = np.rint(entry * scale[:, None])
    every = np.tile(np.array(code, np.int64), (rows.shape[1], 1))
    counts = balanced(rows * scale[:, None], entry, every, np.ones(rows.shape[1]))
    whole = weight.copy()
    whole.data = (counts * entry[:, None, :]).sum(axis=-1)[row, within]
    groups = cut(weight, order, axons // sum(code), room.neurons)
    tiles = coded_tiles(groups, weight, counts[row, within], entry.astype(np.int64), code)
    return _with_own(Quantised(tiles, whole, scale, _in_words(code)), own)


def _beside(entry: FloatArray, own: FloatArray | None) -> FloatArray:
    return entry if own is None else np.concatenate([entry, own[:, None]], axis=1)


def _with_own(found: Quantised, own: FloatArray | None) -> Quantised:
    """The same with a further column whose source has an axon of the last type on every core that needs it."""
    if own is None:
        return found
    value = np.rint(own * found.scale).astype(np.int64)
    column = found.weight.shape[1]
    tiles = []
    for tile in found.tiles:
        weight = value[tile.neurons]
        if not weight.any():
            tiles.append(tile)
            continue
        table = tile.table.copy()
        table[:, TYPES - 1] = weight
        tiles.append(
            Tile(
                neurons=tile.neurons,
                column=np.append(tile.column, column),
                axon_type=np.append(tile.axon_type, TYPES - 1),
                table=table,
                synapses=np.concatenate([tile.synapses, (weight != 0)[None, :]]),
            )
        )
    whole = sp.csr_array(sp.hstack([found.weight, sp.csr_array(value[:, None].astype(np.float64))], format="csr"))
    whole.sort_indices()
    return Quantised(tuple(tiles), whole, found.scale, found.kind)


def _in_words(code: tuple[int, ...]) -> str:
    if sum(code) == 1:
        return "one axon per source and one weight per neuron"
    if code == (1, 1):
        return "two axons per source, one for each sign"
    return f"{sum(code)} axons per source, weights are sums of {len(code)} axon types"


def _rms(square_sum: float, count: int) -> float:
    return float(np.sqrt(square_sum / max(count, 1)))


def _sorted_sources(
    weight: sp.csr_array,
    parts: list[tuple[Int64, FloatArray, Int64]],
    sortings: list[tuple[Int64, Table]],
    demand: Demand,
    room: Room,
    shared_scale: bool,
    own: FloatArray | None,
) -> Quantised:
    """Tiles where every source has one axon, of the type it was sorted into."""
    entries = np.zeros((weight.shape[0], sortings[0][1].entry.shape[1] if sortings else TYPES))
    for (_, _, neurons), (_, table) in zip(parts, sortings, strict=True):
        entries[neurons] = table.entry
    scale = _scales(_beside(entries, own), demand, room, shared_scale)
    whole_entries = np.rint(entries * scale[:, None])
    tiles, rows, columns, values = [], [], [], []
    for (sources, part, neurons), (kind, _) in zip(parts, sortings, strict=True):
        counts = selected(part * scale[neurons][:, None], kind, whole_entries[neurons])
        taken: NDArray[np.bool_] = np.asarray(counts.any(axis=-1), np.bool_)
        used = np.flatnonzero(taken.any(axis=0))
        registers = np.zeros((neurons.shape[0], TYPES), np.int64)
        registers[:, : entries.shape[1]] = whole_entries[neurons]
        tiles.append(Tile(neurons, sources[used], kind[used], registers, taken.T[used]))
        row, column = np.nonzero(part)
        rows.append(neurons[row])
        columns.append(sources[column])
        values.append((counts * whole_entries[neurons][:, None, :]).sum(axis=-1)[row, column])
    ends = (np.concatenate([np.zeros(0, np.int64), *rows]), np.concatenate([np.zeros(0, np.int64), *columns]))
    whole = sp.csr_array((np.concatenate([np.zeros(0), *values]), ends), shape=weight.shape)
    whole.sort_indices()
    kinds = "four" if own is None else "three"
    return _with_own(
        Quantised(tuple(tiles), whole, scale, f"one axon per source, sources sorted into {kinds} types on every core"),
        own,
    )


def _shared_sources(
    weight: sp.csr_array,
    order: Int64,
    demand: Demand,
    room: Room,
    each: int,
    most: Int64,
    shared_scale: bool,
    heed: FloatArray,
    most_finer: int,
    own: FloatArray | None,
) -> Quantised:
    """Tiles where every source has axons of its own choice, smaller ones where that makes weights more precise.

    Args:
        each: axons per source on average that a core must have room for.
    """
    axons, types = (room.axons, TYPES) if own is None else (room.axons - 1, TYPES - 1)
    largest = float(np.abs(weight.data).max(initial=0.0)) or 1.0
    size, finer = room.neurons, 1
    found = _share(weight, cut(weight, order, axons // each, size), most, heed, axons, types)
    enough = COARSE if len(found.groups) <= FEW else VERY_COARSE
    best = found
    while _rms(best.loss, weight.nnz) > enough * largest and 2 * finer <= most_finer and size > 1:
        finer *= 2
        size = -(-max(group.shape[0] for group in found.groups) // finer)
        smaller = _share(weight, cut(weight, order, axons // each, size), most, heed, axons, types)
        if smaller.loss > found.loss * HOPELESS**2:
            break
        if smaller.loss <= found.loss * WORTH ** (2 * np.log2(finer)):
            best = smaller
    return _with_own(_shared_whole(weight, best, heed, demand, room, shared_scale, own), own)


@dataclass(frozen=True)
class _Sharing:
    """Neurons of every tile, their sources, and how these share the axons."""

    groups: list[Int64]
    sources: list[Int64]
    parts: list[FloatArray]
    shared: list[Shared]
    loss: float


def _share(
    weight: sp.csr_array, groups: list[Int64], most: Int64, heed: FloatArray, axons: int, types: int
) -> _Sharing:
    """The axons of every tile; tiles with the same weights, as those of a convolution, are worked out once."""
    known: dict[bytes, tuple[Shared, float]] = {}
    found = _Sharing(groups, [], [], [], 0.0)
    loss, rounds = 0.0, ROUNDS if len(groups) <= 2 * MOST_FINER else QUICK_ROUNDS
    for group in groups:
        sources, part = dense_part(weight, group)
        key = b"".join(array.tobytes() for array in (np.array(part.shape), part, heed[sources], most[sources]))
        if key not in known:
            known[key] = shared_out(part, heed[sources], most[sources], axons, types, rounds)
        shared, error = known[key]
        found.sources.append(sources)
        found.parts.append(part)
        found.shared.append(shared)
        loss += error
    return replace(found, loss=loss)


def _shared_whole(
    weight: sp.csr_array,
    found: _Sharing,
    heed: FloatArray,
    demand: Demand,
    room: Room,
    shared_scale: bool,
    own: FloatArray | None,
) -> Quantised:
    entries = np.zeros((weight.shape[0], TYPES if own is None else TYPES - 1))
    for neurons, shared in zip(found.groups, found.shared, strict=True):
        entries[neurons] = shared.entry
    scale = _scales(_beside(entries, own), demand, room, shared_scale)
    whole_entries = np.rint(entries * scale[:, None]).astype(np.int64)
    tiles, rows, columns, values = [], [], [], []
    for neurons, sources, part, shared in zip(found.groups, found.sources, found.parts, found.shared, strict=True):
        table = whole_entries[neurons]
        counts = balanced(part * scale[neurons][:, None], table.astype(np.float64), shared.axons, heed[sources])
        tiles.append(shared_tile(neurons, sources, shared.axons, counts, table))
        row, column = np.nonzero(part)
        rows.append(neurons[row])
        columns.append(sources[column])
        values.append((counts * table[:, None, :]).sum(axis=-1)[row, column].astype(np.float64))
    whole = sp.csr_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=weight.shape)
    whole.sort_indices()
    most = max(int(shared.axons.sum(axis=1).max(initial=1)) for shared in found.shared)
    mean = np.concatenate([shared.axons.sum(axis=1) for shared in found.shared]).mean()
    kind = f"{mean:.2g} axons per source on average, up to {most}, shared out where they help most"
    return Quantised(tuple(tiles), whole, scale, kind)


def _scales(entry: FloatArray, demand: Demand, room: Room, shared: bool) -> FloatArray:
    """float64 (neurons,): as fine as the registers allow, chosen so that the fewest numbers need rounding.

    The steps tried are a power of two, the finest there is, and those that make the threshold or the smallest entry whole.
    """
    magnitude = np.abs(entry)
    limit: FloatArray = np.stack(
        [
            _most(room.weight, magnitude.max(axis=1, initial=0.0)),
            _most(room.leak, demand.leak),
            _most(room.threshold, demand.threshold),
            _most(room.reset, demand.reset),
            demand.ceiling,
        ]
    ).min(axis=0)
    limit = np.where(np.isfinite(limit), limit, _most(4096, np.maximum(demand.threshold, 1e-12)))
    if shared:
        limit = np.full(limit.shape, limit.min(initial=np.inf))
    smallest = np.where(magnitude > 0, magnitude, np.inf).min(axis=1, initial=np.inf)
    smallest[~np.isfinite(smallest)] = 0.0
    steps = [2.0 ** np.floor(np.log2(limit)), limit]
    if not shared:
        steps += list(_whole(limit, [demand.threshold, smallest, demand.leak]))
    loss = np.stack([_loss(entry, magnitude, demand, step) for step in steps])
    return np.asarray(np.stack(steps)[np.argmin(loss, axis=0), np.arange(limit.shape[0])])


def _whole(limit: FloatArray, numbers: list[FloatArray]) -> Iterator[FloatArray]:
    for number in numbers:
        units = np.floor(limit * number * (1 + 1e-12))
        yield np.where(units >= 1, np.divide(units, number, out=np.zeros_like(number), where=number > 0), limit)


def _loss(entry: FloatArray, magnitude: FloatArray, demand: Demand, step: FloatArray) -> FloatArray:
    """What rounding changes at a step, relative to the largest entry and the threshold; tiny differences do not count."""
    scaled = entry * step[:, None]
    largest = np.maximum(magnitude.max(axis=1, initial=0.0) * step, 1e-12)
    loss = np.abs(np.rint(scaled) - scaled).max(axis=1, initial=0.0) / largest
    for number in (demand.threshold, demand.leak):
        wanted = number * step
        loss = loss + np.abs(np.rint(wanted) - wanted) / np.maximum(demand.threshold * step, 1.0)
    return np.round(loss, 9)


def _most(most: int, number: FloatArray) -> FloatArray:
    return np.divide(float(most), number, out=np.full(number.shape, np.inf), where=number > 0)
