"""Listed synapses by source, compact: how they are cut into parts, and what structure is found in them; all in linear time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.network.connectivity import Conv2d

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

LEAST_STRUCTURE = 8
"""Synapses of a row below which a run of neighbours or an equal row is more likely chance than structure."""


@dataclass(frozen=True)
class Rows:
    """Synapses of source ``s`` are entries ``start[s]`` to ``start[s + 1]``.

    Attributes:
        start: int64 (sources + 1,).
        target: int32, below ``targets``.
        weight: int16.
        delay: uint8, ticks.
    """

    start: Int64
    target: Int32
    weight: NDArray[np.int16]
    delay: NDArray[np.uint8]
    targets: int

    @property
    def sources(self) -> int:
        return int(self.start.shape[0]) - 1

    @property
    def synapses(self) -> int:
        return int(self.start[-1] - self.start[0])

    def of_sources(self, first: int, last: int) -> Rows:
        """Rows ``first..last-1``; the synapses are views."""
        start = self.start[first : last + 1]
        chosen = slice(int(start[0]), int(start[-1]))
        return Rows(start - start[0], self.target[chosen], self.weight[chosen], self.delay[chosen], self.targets)


def rows_by_source(weight: sp.csr_array, own_delay: NDArray[Any] | None, delay: int) -> Rows:
    """Rows of a CSR matrix (targets, sources), zeros left out, targets rising.

    Args:
        own_delay: ticks of every stored entry; ``delay`` adds to them, and the sum is at least 1.
    """
    targets, sources = weight.shape
    start = np.zeros(sources + 1, np.int64)
    values = weight.data.astype(np.int16)
    columns, bounds = weight.indices.astype(np.int32, copy=False), weight.indptr.astype(np.int64, copy=False)
    _count_by_source(columns, values, start)
    total = int(start[-1])
    delays = np.zeros(0, np.uint8) if own_delay is None else np.maximum(own_delay + delay, 1).astype(np.uint8)
    target, weights = np.empty(total, np.int32), np.empty(total, np.int16)
    ticks = np.full(total, max(delay, 1), np.uint8)
    _write_by_source(bounds, columns, values, delays, start.copy(), target, weights, ticks)
    return Rows(start, target, weights, ticks, int(targets))


@njit
def _count_by_source(columns: Any, values: Any, start: Any) -> None:
    for synapse in range(columns.shape[0]):
        if values[synapse] != 0:
            start[columns[synapse] + 1] += 1
    for source in range(start.shape[0] - 1):
        start[source + 1] += start[source]


@njit
def _write_by_source(
    bounds: Any, columns: Any, values: Any, delays: Any, place: Any, target: Any, weight: Any, delay: Any
) -> None:
    for row in range(bounds.shape[0] - 1):
        for synapse in range(bounds[row], bounds[row + 1]):
            if values[synapse] != 0:
                at = place[columns[synapse]]
                place[columns[synapse]] += 1
                target[at], weight[at] = row, values[synapse]
                if delays.shape[0] > 0:
                    delay[at] = delays[synapse]


def split(rows: Rows, groups: Sequence[Int64]) -> list[tuple[Int64, Rows]]:
    """For every group of targets: the sources with synapses there, and their rows; targets count within the group, in its order.

    Rows that need no cutting are handed on as they are.
    """
    if len(groups) == 1 and np.array_equal(groups[0], np.arange(rows.targets)):
        filled = np.flatnonzero(np.diff(rows.start)).astype(np.int64)
        start = rows.start if filled.shape[0] == rows.sources else np.append(rows.start[filled], rows.start[-1])
        return [(filled, Rows(start, rows.target, rows.weight, rows.delay, rows.targets))]
    parts = len(groups)
    part_of_target, local = np.empty(rows.targets, np.int32), np.empty(rows.targets, np.int32)
    for part, group in enumerate(groups):
        part_of_target[group], local[group] = part, np.arange(group.shape[0])
    row_count, synapse_count = np.zeros(parts, np.int64), np.zeros(parts, np.int64)
    _count_parts(rows.start, rows.target, part_of_target, row_count, synapse_count)
    row_first, first = _starts(row_count), _starts(synapse_count)
    source, length = np.empty(row_first[-1], np.int64), np.zeros(row_first[-1], np.int64)
    target = np.empty(rows.synapses, np.int32)
    weight, delay = np.empty(rows.synapses, np.int16), np.empty(rows.synapses, np.uint8)
    _write_parts(
        rows.start,
        rows.target,
        rows.weight,
        rows.delay,
        part_of_target,
        local,
        row_first[:-1].copy(),
        first[:-1].copy(),
        source,
        length,
        target,
        weight,
        delay,
    )
    pieces = []
    for part in range(parts):
        of_rows, chosen = slice(row_first[part], row_first[part + 1]), slice(first[part], first[part + 1])
        own = Rows(_starts(length[of_rows]), target[chosen], weight[chosen], delay[chosen], groups[part].shape[0])
        pieces.append((source[of_rows], own))
    return pieces


@njit
def _count_parts(start: Any, target: Any, part: Any, row_count: Any, synapse_count: Any) -> None:
    last_source = np.full(row_count.shape[0], -1, np.int64)
    for source in range(start.shape[0] - 1):
        for synapse in range(start[source], start[source + 1]):
            here = part[target[synapse]]
            synapse_count[here] += 1
            if last_source[here] != source:
                last_source[here] = source
                row_count[here] += 1


@njit
def _write_parts(
    start: Any,
    target: Any,
    weight: Any,
    delay: Any,
    part: Any,
    local: Any,
    row: Any,
    place: Any,
    part_source: Any,
    part_length: Any,
    part_target: Any,
    part_weight: Any,
    part_delay: Any,
) -> None:
    """``row`` and ``place`` are the next free row and synapse of every part."""
    last_source = np.full(row.shape[0], -1, np.int64)
    for source in range(start.shape[0] - 1):
        for synapse in range(start[source], start[source + 1]):
            here = part[target[synapse]]
            if last_source[here] != source:
                last_source[here] = source
                part_source[row[here]] = source
                row[here] += 1
            part_length[row[here] - 1] += 1
            at = place[here]
            place[here] += 1
            part_target[at] = local[target[synapse]]
            part_weight[at] = weight[synapse]
            part_delay[at] = delay[synapse]


def filled(rows: Rows, weight_bits: int) -> Rows:
    """The same rows with every target in each, weight 0 where there was none; parallel synapses add up.

    All synapses of a row must have one delay.

    Raises:
        OverflowError: when a sum is wider than ``weight_bits``.
    """
    target = np.tile(np.arange(rows.targets, dtype=np.int32), rows.sources)
    weight = np.zeros(rows.sources * rows.targets, np.int32)
    _fill(rows.start, rows.target, rows.weight, rows.targets, weight)
    most = (1 << (weight_bits - 1)) - 1
    if weight.size and not -most - 1 <= int(weight.min()) <= int(weight.max()) <= most:
        raise OverflowError(f"parallel synapses add up to more than {weight_bits} bits")
    delay = np.repeat(rows.delay[rows.start[:-1]], rows.targets)
    start = np.arange(rows.sources + 1, dtype=np.int64) * rows.targets
    return Rows(start, target, weight.astype(np.int16), delay, rows.targets)


@njit
def _fill(start: Any, target: Any, weight: Any, targets: int, total: Any) -> None:
    for source in range(start.shape[0] - 1):
        for synapse in range(start[source], start[source + 1]):
            total[source * targets + target[synapse]] += weight[synapse]


def grouped(group: NDArray[Any], groups: int) -> tuple[Int64, Int64]:
    """(start of every group, stable order by group) by counting; int64 (groups + 1,) and (entries,)."""
    start, order = np.zeros(groups + 1, np.int64), np.empty(group.shape[0], np.int64)
    _group(group, start, order)
    return start, order


@njit
def _group(group: Any, start: Any, order: Any) -> None:
    for entry in range(group.shape[0]):
        start[group[entry] + 1] += 1
    for number in range(start.shape[0] - 1):
        start[number + 1] += start[number]
    place = start.copy()
    for entry in range(group.shape[0]):
        order[place[group[entry]]] = entry
        place[group[entry]] += 1


def rows_of_matrix(weight: NDArray[np.int16], delay: int) -> tuple[Int64, Rows]:
    """(sources with synapses, their rows) of a matrix (targets, sources), zeros left out."""
    source, target = np.nonzero(weight.T)
    counts = np.bincount(source, minlength=weight.shape[1])
    filled = np.flatnonzero(counts).astype(np.int64)
    values = weight.T[source, target]
    delays = np.full(target.shape[0], delay, np.uint8)
    return filled, Rows(_starts(counts[filled]), target.astype(np.int32), values, delays, int(weight.shape[0]))


def rows_of_convolution(conv: Conv2d, neurons: Int64, delay: int) -> tuple[Int64, Rows]:
    """(sources with synapses, their rows) of a convolution into some of its neurons, written without expanding the rest."""
    kernel, (_, height, width) = conv.weight.astype(np.int16), conv.in_shape
    geometry = (height, width, *conv.out_shape[1:], *conv.stride, *conv.dilation, conv.padding[0], conv.padding[2])
    numbers = np.array([*geometry, conv.weight.shape[0] // conv.groups], np.int64)
    counts = np.zeros(conv.n_in, np.int64)
    empty = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int16)
    _taps(kernel, numbers, neurons, counts, *empty)
    filled, first = np.flatnonzero(counts).astype(np.int64), _starts(counts)
    target, weight = np.empty(int(first[-1]), np.int32), np.empty(int(first[-1]), np.int16)
    _taps(kernel, numbers, neurons, counts, first[:-1].copy(), target, weight)
    delays = np.full(target.shape[0], delay, np.uint8)
    return filled, Rows(_starts(counts[filled]), target, weight, delays, int(neurons.shape[0]))


@njit
def _taps(kernel: Any, numbers: Any, neurons: Any, counts: Any, place: Any, target: Any, weight: Any) -> None:
    """Count the synapses of every source (empty ``place``), or write them."""
    height, width, out_height, out_width = numbers[0], numbers[1], numbers[2], numbers[3]
    _, per_group, taps_h, taps_w = kernel.shape
    for local in range(neurons.shape[0]):
        channel = neurons[local] // (out_height * out_width)
        top = neurons[local] // out_width % out_height * numbers[4] - numbers[8]
        left = neurons[local] % out_width * numbers[5] - numbers[9]
        first_in = channel // numbers[10] * per_group
        for tap_h in range(taps_h):
            y = top + tap_h * numbers[6]
            if y < 0 or y >= height:
                continue
            for tap_w in range(taps_w):
                x = left + tap_w * numbers[7]
                if x < 0 or x >= width:
                    continue
                for own in range(per_group):
                    value = kernel[channel, own, tap_h, tap_w]
                    if value == 0:
                        continue
                    source = ((first_in + own) * height + y) * width + x
                    if place.shape[0] == 0:
                        counts[source] += 1
                    else:
                        target[place[source]], weight[place[source]] = local, value
                        place[source] += 1


# ---------------------------------------------------------------------------- structure


@dataclass(frozen=True)
class Lists:
    """Rows as a chip's memory lists them: runs of neighbours first, then the others.

    Attributes:
        list_of_row, base_of_row: int64 (rows,); targets of a row are ``base + target`` of its list.
        start: int64 (lists + 1,); target, weight, delay as in :class:`Rows`.
        runs: how many lists, at the front, have neighbouring targets from 0 on and one delay.
        users: int64 (lists,), rows of each list.
    """

    list_of_row: Int64
    base_of_row: Int64
    start: Int64
    target: Int32
    weight: NDArray[np.int16]
    delay: NDArray[np.uint8]
    runs: int
    users: Int64


def lists_of(rows: Rows, with_runs: bool, with_sharing: bool, least: int = LEAST_STRUCTURE) -> Lists:
    """Lists without what they have in common.

    Args:
        rows: none empty.
        with_runs: rows whose targets follow each other, with one delay, become runs.
        with_sharing: rows that are equal but for their first target share a list; found by hashing, proved by comparison.
        least: synapses of a row from which on it is looked at; what shorter ones have in common is chance.
    """
    count = rows.sources
    is_run, movable, code = _described(rows)
    long = np.diff(rows.start) >= least
    is_run &= long & with_runs
    movable &= long
    first_like = np.arange(count, dtype=np.int64)
    if with_sharing:
        slots = np.full(1 << max(2 * count, 1).bit_length(), -1, np.int64)
        _find_equal(rows.start, rows.target, rows.weight, rows.delay, movable, code, slots, first_like)
    own = np.flatnonzero(first_like == np.arange(count))
    order = np.concatenate([own[is_run[own]], own[~is_run[own]]])
    number = np.empty(count, np.int64)
    number[order] = np.arange(order.shape[0])
    list_of_row = number[first_like]
    users = np.bincount(list_of_row, minlength=order.shape[0]).astype(np.int64)
    runs = int(np.count_nonzero(is_run[own]))
    relative = (users > 1) | (np.arange(order.shape[0]) < runs)
    if not relative.any():
        return Lists(
            list_of_row, np.zeros(count, np.int64), rows.start, rows.target, rows.weight, rows.delay, runs, users
        )
    base = np.where(relative[list_of_row], rows.target[rows.start[:-1]], 0).astype(np.int64)
    start = _starts(np.diff(rows.start)[order])
    target = np.empty(int(start[-1]), np.int32)
    weight, delay = np.empty(target.shape[0], np.int16), np.empty(target.shape[0], np.uint8)
    _write_lists(rows.start, rows.target, rows.weight, rows.delay, order, relative, start, target, weight, delay)
    return Lists(list_of_row, base, start, target, weight, delay, runs, users)


def runs_in(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are runs of neighbouring targets with one delay; a part of such a row is one again."""
    return _described(rows)[0]


def _described(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint64]]:
    """What :func:`_describe` finds: runs, movable rows, hashes."""
    is_run, movable = np.zeros(rows.sources, np.bool_), np.zeros(rows.sources, np.bool_)
    code = np.zeros(rows.sources, np.uint64)
    _describe(rows.start, rows.target, rows.weight, rows.delay, is_run, movable, code)
    return is_run, movable, code


@njit
def _describe(start: Any, target: Any, weight: Any, delay: Any, is_run: Any, movable: Any, code: Any) -> None:
    """Which rows are runs of neighbours with one delay, which have no target below the first, and a hash relative to that."""
    for row in range(start.shape[0] - 1):
        first, last = start[row], start[row + 1]
        mixed = np.uint64(last - first)
        run, lowest = True, 0
        for synapse in range(first, last):
            away = target[synapse] - target[first]
            run = run and away == synapse - first and delay[synapse] == delay[first]
            lowest = min(lowest, away)
            word = (np.uint64(np.uint32(away)) << np.uint64(24)) | np.uint64(np.uint16(weight[synapse]))
            word |= np.uint64(delay[synapse]) << np.uint64(16)
            mixed = (mixed ^ word) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        is_run[row], movable[row], code[row] = run, lowest == 0, mixed


@njit
def _find_equal(
    start: Any, target: Any, weight: Any, delay: Any, movable: Any, code: Any, slots: Any, first_like: Any
) -> None:
    """The first row equal to each row, but for the first target; ``slots`` is a table of open addresses, -1 where free."""
    mask = np.uint64(slots.shape[0] - 1)
    for row in range(start.shape[0] - 1):
        if not movable[row]:
            continue
        slot = (code[row] >> np.uint64(20)) & mask
        while slots[slot] >= 0:
            other = slots[slot]
            if code[other] == code[row] and _equal(start, target, weight, delay, row, other):
                first_like[row] = other
                break
            slot = (slot + np.uint64(1)) & mask
        if slots[slot] < 0:
            slots[slot] = row


@njit
def _equal(start: Any, target: Any, weight: Any, delay: Any, row: int, other: int) -> bool:
    first, second, length = start[row], start[other], start[row + 1] - start[row]
    if start[other + 1] - second != length:
        return False
    for step in range(length):
        if (
            target[first + step] - target[first] != target[second + step] - target[second]
            or weight[first + step] != weight[second + step]
            or delay[first + step] != delay[second + step]
        ):
            return False
    return True


@njit
def _write_lists(
    start: Any,
    target: Any,
    weight: Any,
    delay: Any,
    order: Any,
    relative: Any,
    list_start: Any,
    list_target: Any,
    list_weight: Any,
    list_delay: Any,
) -> None:
    for number in range(order.shape[0]):
        first, last = start[order[number]], start[order[number] + 1]
        base = target[first] if relative[number] and last > first else 0
        at = list_start[number]
        for synapse in range(first, last):
            list_target[at] = target[synapse] - base
            list_weight[at] = weight[synapse]
            list_delay[at] = delay[synapse]
            at += 1


def _starts(counts: Int64) -> Int64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
