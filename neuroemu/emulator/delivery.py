"""Spike delivery, the inner loop of every spiking chip: from the synapse lists of a program to compiled scatter and add.

A shard is a run of neighbouring neurons that one thread owns. Listed synapses into it are copied into one long row per source
and delay: a 16-bit target each where a whole row has one weight, else target and weight in a 32-bit word, else in two arrays.
Dense and shared-kernel lists stay shared, as runs of neighbouring neurons. Rows are read in the order of spikes, so those of
the spikes to come are prefetched. Weights of one tick add up in 32-bit accumulators, which wrap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit, prefetch

Int64 = NDArray[np.int64]

SYNAPSE_CLASSES = ("dense", "sparse", "shared_kernel")
"""Kinds of synapse lists; a program's memories say which one each list is."""

LEAST_RUN = 8
"""Mean length of the runs of neighbouring targets from which on a list is added run by run."""
LEAST_EQUAL = 16
"""Synapses of one weight from which on a row keeps its targets alone."""

_AHEAD = 4
"""Spikes between prefetching a row and reading it."""
_LINE_BYTES = 64
_MOST_LINES_AHEAD = 32
"""Cache lines of a coming row that are prefetched; the processor's own prefetcher follows longer rows."""
_NEAR = 1 << 16
"""Neurons of a shard that a 16-bit target can name."""
_FIRST, _LAST, _DELAY, _WEIGHT = range(4)
"""Columns of ``Deliveries.row``; a weight other than 0 is that of the whole row, whose targets lie in ``near``."""
_RUN_FIRST, _RUN_LAST, _BASE, _LINK_DELAY = range(4)
"""Columns of ``Deliveries.link``."""
_OFFSET, _LENGTH, _POSITION = range(3)
"""Columns of ``Deliveries.run``: first neuron, neurons, position of the first weight."""


@dataclass(frozen=True)
class Links:
    """Who feeds which synapse list: one entry per (source, destination axon), CSR by source.

    Attributes:
        link_start: int64 (sources + 1,).
        destination_core: int64, position of the target core in the program.
        synapse_list: int64, number of the list.
        base: int64, neuron number that index 0 of the list refers to.
    """

    link_start: Int64
    destination_core: Int64
    synapse_list: Int64
    base: Int64

    @property
    def sources(self) -> int:
        return int(self.link_start.shape[0]) - 1


@dataclass(frozen=True)
class SynapseLists:
    """All synapse lists of a program one after the other.

    Attributes:
        list_start: int64 (lists + 1,).
        list_class: uint8 (lists,), position in ``SYNAPSE_CLASSES``; dense rows and shared kernels stay runs where their
            delay is uniform, and so do listed synapses whose targets are mostly neighbours.
        index: int32 or int64, relative to the link's base.
        weight: int16 or int32, in the accumulator's unit.
        delay: uint8, ticks.
    """

    list_start: Int64
    list_class: NDArray[np.uint8]
    index: NDArray[Any]
    weight: NDArray[Any]
    delay: NDArray[np.uint8]


class Deliveries(NamedTuple):
    """What the inner loop reads for one shard; targets count from the shard's first neuron."""

    row_start: Int64  # (sources + 1,) rows of each source
    row: Int64  # (rows, 4)
    near: NDArray[np.uint16]
    target_bits: int  # 0: not packed
    word: NDArray[np.uint32]
    target: NDArray[np.uint32]
    wide_weight: NDArray[np.int32]
    link_start: Int64  # (sources + 1,) links to shared lists of each source
    link: Int64  # (links, 4)
    run: Int64  # (runs, 3)
    short_weight: NDArray[np.int8]  # weights of runs, where all fit
    weight: NDArray[Any]  # else here


def build_deliveries(
    links: Links, lists: SynapseLists, first_neuron: int, last_neuron: int, runs: SharedRuns | None = None
) -> Deliveries:
    """Arrange the lists for delivery to neurons ``first_neuron..last_neuron-1``; linear in the number of synapses.

    Args:
        runs: what :func:`share_runs` gave, when several shards are built.
    """
    shared = share_runs(links, lists) if runs is None else runs
    rows = _rows(links, lists, shared, first_neuron, last_neuron)
    chosen = _links(links, shared, first_neuron, last_neuron)
    return Deliveries(*rows, *chosen, shared.short_weight, shared.weight)


@njit
def deliver(sources: Any, first_spike: int, last_spike: int, slot: int, arriving: Any, synapses: Deliveries) -> None:
    """Add the weights of spikes ``first_spike..last_spike-1`` to the slots in which they arrive.

    Args:
        sources: source numbers of the spikes, in order.
        slot: slot of delay 0.
        arriving: int32 (slots, neurons) accumulators of the shard.

    Fields are read once, indices are unsigned and accumulators flat: a reference count, a test for negative indices or a
    view per row costs as much as a row of synapses.
    """
    slots, neurons = arriving.shape
    accumulators = arriving.reshape(slots * neurons)
    row_start, rows, near = synapses.row_start, synapses.row, synapses.near
    word, target, wide_weight = synapses.word, synapses.target, synapses.wide_weight
    link_start, links, runs = synapses.link_start, synapses.link, synapses.run
    short_weight, weights = synapses.short_weight, synapses.weight
    packed, short = synapses.target_bits > 0, short_weight.shape[0] > 0
    bits = np.uint32(synapses.target_bits)
    mask = (np.uint32(1) << bits) - np.uint32(1)
    any_rows, any_links = rows.shape[0] > 0, links.shape[0] > 0
    for position in range(first_spike, last_spike):
        if any_rows:
            if position + 3 * _AHEAD < last_spike:
                prefetch(row_start, sources[position + 3 * _AHEAD])
            if position + 2 * _AHEAD < last_spike:
                prefetch(rows, row_start[sources[position + 2 * _AHEAD]])
            if position + _AHEAD < last_spike:
                coming = row_start[sources[position + _AHEAD]]
                if coming < rows.shape[0]:
                    _prefetch_row(rows, coming, near, word, target, packed)
        source = sources[position]
        for row in range(row_start[source], row_start[source + 1] if any_rows else 0):
            offset = np.uint64(((slot + rows[row, _DELAY]) % slots) * neurons)
            first, last = np.uint64(rows[row, _FIRST]), np.uint64(rows[row, _LAST])
            weight = np.int32(rows[row, _WEIGHT])
            if weight != 0:
                for synapse in range(first, last):
                    accumulators[offset + near[synapse]] += weight
            elif packed:
                for synapse in range(first, last):
                    bare = word[synapse]
                    accumulators[offset + (bare & mask)] += np.int32(bare) >> np.int32(bits)
            else:
                for synapse in range(first, last):
                    accumulators[offset + target[synapse]] += wide_weight[synapse]
        if not any_links:
            continue
        for link in range(link_start[source], link_start[source + 1]):
            base = ((slot + links[link, _LINK_DELAY]) % slots) * neurons + links[link, _BASE]
            for run in range(links[link, _RUN_FIRST], links[link, _RUN_LAST]):
                first = np.uint64(base + runs[run, _OFFSET])
                begin = np.uint64(runs[run, _POSITION])
                if short:
                    for step in range(np.uint64(runs[run, _LENGTH])):
                        accumulators[first + step] += short_weight[begin + step]
                else:
                    for step in range(np.uint64(runs[run, _LENGTH])):
                        accumulators[first + step] += weights[begin + step]


@njit
def _prefetch_row(rows: Any, row: int, near: Any, word: Any, target: Any, packed: bool) -> None:
    """Ask for the first cache lines of a row and those behind it."""
    first, last = rows[row, _FIRST], rows[row, _LAST]
    if rows[row, _WEIGHT] != 0:
        per_line = _LINE_BYTES // 2
        for synapse in range(first, min(last, first + _MOST_LINES_AHEAD * per_line), per_line):
            prefetch(near, synapse)
        return
    per_line = _LINE_BYTES // 4
    for synapse in range(first, min(last, first + _MOST_LINES_AHEAD * per_line), per_line):
        if packed:
            prefetch(word, synapse)
        else:
            prefetch(target, synapse)


@njit
def flags(neurons: int) -> Any:
    """A byte per neuron, zero, padded to whole 64-bit words for :func:`collect_spikes`."""
    return np.zeros((neurons + 7) // 8 * 8, np.uint8)


@njit
def collect_spikes(spiked: Any, neurons: int, first_source: int, sources: Any, position: int) -> int:
    """Write the source numbers of flagged neurons to ``sources`` from ``position`` on; returns how many.

    Eight flags are tested at a time, since few neurons fire in a tick.
    """
    words = spiked.view(np.uint64)
    found = position
    for word in range(words.shape[0]):
        if words[word] != 0:
            for neuron in range(8 * word, min(8 * word + 8, neurons)):
                if spiked[neuron]:
                    sources[found] = neuron + first_source
                    found += 1
    return found - position


# ---------------------------------------------------------------------------- lists that stay shared


@dataclass(frozen=True)
class SharedRuns:
    """Lists kept as runs of neighbouring neurons, the same for all shards.

    Attributes:
        as_runs: bool (lists,), which lists these are.
        delay: uint8 (lists,), their delay.
        run_start: int64 (lists + 1,).
        run: int64 (runs, 3), columns as in ``Deliveries.run``.
        low, high: int64 (lists,), first and last index.
        short_weight, weight: their weights; one of the two is empty.
    """

    as_runs: NDArray[np.bool_]
    delay: NDArray[np.uint8]
    run_start: Int64
    run: Int64
    low: Int64
    high: Int64
    short_weight: NDArray[np.int8]
    weight: NDArray[Any]


def share_runs(links: Links, lists: SynapseLists) -> SharedRuns:
    """Find the lists that are added run by run."""
    count = int(lists.list_start.shape[0]) - 1
    delay, runs = np.zeros(count, np.uint8), np.zeros(count, np.int64)
    low, high = np.zeros(count, np.int64), np.zeros(count, np.int64)
    mixed = np.zeros(count, np.bool_)
    _describe(lists.list_start, lists.index, lists.delay, runs, delay, mixed, low, high)
    listed = lists.list_class == SYNAPSE_CLASSES.index("sparse")
    lengths = np.diff(lists.list_start)
    as_runs = (lengths > 0) & ~mixed & (~listed | (lengths >= LEAST_RUN * runs))
    runs[~as_runs] = 0
    run_start = np.concatenate([[0], np.cumsum(runs)]).astype(np.int64)
    run = np.empty((int(run_start[-1]), 3), np.int64)
    weight = np.empty(int(lengths[as_runs].sum()), lists.weight.dtype)
    lowest, highest = _write_runs(lists.list_start, lists.index, lists.weight, as_runs, run_start, run, weight)
    short = np.zeros(0, np.int8)
    if weight.size and -128 <= lowest and highest <= 127:
        short, weight = weight.astype(np.int8), weight[:0].copy()
    return SharedRuns(as_runs, delay, run_start, run, low, high, short, weight)


@njit
def _describe(
    list_start: Any, index: Any, delay: Any, runs: Any, delay_of_list: Any, mixed: Any, low: Any, high: Any
) -> None:
    """Runs of neighbouring targets, delay (and whether there are several), lowest and highest index of every list."""
    for number in range(list_start.shape[0] - 1):
        first, last = list_start[number], list_start[number + 1]
        if first == last:
            continue
        count, several = 1, False
        least = most = np.int64(index[first])
        for synapse in range(first + 1, last):
            here = np.int64(index[synapse])
            count += here != np.int64(index[synapse - 1]) + 1
            several |= delay[synapse] != delay[first]
            least, most = min(least, here), max(most, here)
        runs[number], mixed[number], delay_of_list[number] = count, several, delay[first]
        low[number], high[number] = least, most


@njit
def _write_runs(
    list_start: Any, index: Any, weight: Any, as_runs: Any, run_start: Any, run: Any, kept: Any
) -> tuple[int, int]:
    """Runs and weights of the chosen lists; returns the lowest and highest weight."""
    position = 0
    lowest = highest = 0
    for number in range(list_start.shape[0] - 1):
        if not as_runs[number]:
            continue
        current = run_start[number] - 1
        for synapse in range(list_start[number], list_start[number + 1]):
            if synapse == list_start[number] or index[synapse] != index[synapse - 1] + 1:
                current += 1
                run[current, _OFFSET], run[current, _LENGTH], run[current, _POSITION] = index[synapse], 0, position
            run[current, _LENGTH] += 1
            value = np.int64(weight[synapse])
            lowest, highest = min(lowest, value), max(highest, value)
            kept[position] = value
            position += 1
    return lowest, highest


def _links(links: Links, shared: SharedRuns, first: int, last: int) -> tuple[Int64, Int64, Int64]:
    """Links of one shard to shared lists, and the runs: those of all lists, then those cut at the shard's borders."""
    link_start = np.zeros(links.sources + 1, np.int64)
    tables = (links.link_start, links.synapse_list, links.base, shared.as_runs, shared.low, shared.high)
    cut = _count_links(*tables, shared.run_start, first, last, link_start)
    link = np.empty((int(link_start[-1]), 4), np.int64)
    run = np.empty((shared.run.shape[0] + cut, 3), np.int64)
    run[: shared.run.shape[0]] = shared.run
    used = _write_links(*tables, shared.run_start, first, last, shared.delay, shared.run.shape[0], link, run)
    return link_start, link, run[:used]


@njit
def _count_links(
    of_source: Any,
    list_of_link: Any,
    base: Any,
    as_runs: Any,
    low: Any,
    high: Any,
    run_start: Any,
    first: int,
    last: int,
    link_start: Any,
) -> int:
    """Fill ``link_start``; returns how many runs belong to links that cross a border of the shard."""
    cut = 0
    for source in range(of_source.shape[0] - 1):
        kept = 0
        for link in range(of_source[source], of_source[source + 1]):
            number = list_of_link[link]
            least, most = base[link] + low[number], base[link] + high[number]
            if as_runs[number] and least < last and most >= first:
                kept += 1
                if least < first or most >= last:
                    cut += run_start[number + 1] - run_start[number]
        link_start[source + 1] = link_start[source] + kept
    return cut


@njit
def _write_links(
    of_source: Any,
    list_of_link: Any,
    base: Any,
    as_runs: Any,
    low: Any,
    high: Any,
    run_start: Any,
    first: int,
    last: int,
    delay: Any,
    runs: int,
    kept: Any,
    run: Any,
) -> int:
    """Fill ``kept`` (columns of ``Deliveries.link``) and the cut runs behind the first ``runs``; returns all runs."""
    position = 0
    for source in range(of_source.shape[0] - 1):
        for link in range(of_source[source], of_source[source + 1]):
            number = list_of_link[link]
            least, most = base[link] + low[number], base[link] + high[number]
            if not as_runs[number] or least >= last or most < first:
                continue
            kept[position, _RUN_FIRST], kept[position, _RUN_LAST] = run_start[number], run_start[number + 1]
            if least < first or most >= last:
                kept[position, _RUN_FIRST] = runs
                for item in range(run_start[number], run_start[number + 1]):
                    begin = max(base[link] + run[item, _OFFSET], first)
                    end = min(base[link] + run[item, _OFFSET] + run[item, _LENGTH], last)
                    if begin < end:
                        run[runs, _OFFSET], run[runs, _LENGTH] = begin - base[link], end - begin
                        run[runs, _POSITION] = run[item, _POSITION] + begin - base[link] - run[item, _OFFSET]
                        runs += 1
                kept[position, _RUN_LAST] = runs
            kept[position, _BASE], kept[position, _LINK_DELAY] = base[link] - first, delay[number]
            position += 1
    return runs


# ---------------------------------------------------------------------------- rows


def _rows(
    links: Links, lists: SynapseLists, shared: SharedRuns, first: int, last: int
) -> tuple[
    Int64, Int64, NDArray[np.uint16], int, NDArray[np.uint32], NDArray[np.uint32], NDArray[np.int32]
]:
    """Listed synapses as one row per source and delay."""
    tables = (links.link_start, links.synapse_list, links.base, lists.list_start, shared.as_runs)
    synapses = (lists.index, lists.weight, lists.delay)
    row_start = np.zeros(links.sources + 1, np.int64)
    near_fits = last - first <= _NEAR
    near, rest, lowest, highest = _count_rows(*tables, *synapses, first, last, near_fits, row_start)
    row = np.empty((int(row_start[-1]), 4), np.int64)
    target_bits = max(int(last - first - 1).bit_length(), 1)
    limit = 1 << (31 - target_bits)
    packed = -limit <= lowest and highest < limit
    targets = np.empty(near, np.uint16)
    word = np.empty(rest if packed else 0, np.uint32)
    target = np.empty(0 if packed else rest, np.uint32)
    weight = np.empty(0 if packed else rest, np.int32)
    bits = target_bits if packed else 0
    _fill_rows(*tables, *synapses, first, last, near_fits, row_start, row, bits, targets, word, target, weight)
    return row_start, row, targets, bits, word, target, weight


@njit
def _survey(
    links: Any,
    list_of_link: Any,
    base: Any,
    list_start: Any,
    as_runs: Any,
    index: Any,
    weight: Any,
    delay: Any,
    first: int,
    last: int,
    count: Any,
    one_weight: Any,
    equal: Any,
) -> tuple[int, int]:
    """Synapses of one source into the shard by delay: how many, and whether of one weight; lowest and highest weight.

    ``count``, ``one_weight`` and ``equal`` have 256 entries and are cleared here. Synapses of weight 0 add nothing and are left out.
    """
    count[:] = 0
    lowest = highest = 0
    for link in range(links[0], links[1]):
        number = list_of_link[link]
        if as_runs[number]:
            continue
        for synapse in range(list_start[number], list_start[number + 1]):
            value = np.int64(weight[synapse])
            neuron = base[link] + np.int64(index[synapse])
            if value == 0 or neuron < first or neuron >= last:
                continue
            slot = delay[synapse]
            if count[slot] == 0:
                one_weight[slot], equal[slot] = value, True
            equal[slot] &= one_weight[slot] == value
            count[slot] += 1
            lowest, highest = min(lowest, value), max(highest, value)
    return lowest, highest


@njit
def _count_rows(
    of_source: Any,
    list_of_link: Any,
    base: Any,
    list_start: Any,
    as_runs: Any,
    index: Any,
    weight: Any,
    delay: Any,
    first: int,
    last: int,
    near_fits: bool,
    row_start: Any,
) -> tuple[int, int, int, int]:
    """Fill ``row_start``; returns synapses of equal rows, of other rows, lowest and highest weight of the others."""
    count, one_weight, equal = np.zeros(256, np.int64), np.zeros(256, np.int64), np.zeros(256, np.bool_)
    near = rest = lowest = highest = 0
    for source in range(of_source.shape[0] - 1):
        links = of_source[source], of_source[source + 1]
        low, high = _survey(
            links, list_of_link, base, list_start, as_runs, index, weight, delay, first, last, count, one_weight, equal
        )
        rows, others = 0, 0
        for slot in range(256 if low < 0 or high > 0 else 0):
            rows += count[slot] > 0
            if near_fits and equal[slot] and count[slot] >= LEAST_EQUAL:
                near += count[slot]
            else:
                others += count[slot]
        rest += others
        if others:
            lowest, highest = min(lowest, low), max(highest, high)
        row_start[source + 1] = row_start[source] + rows
    return near, rest, lowest, highest


@njit
def _fill_rows(
    of_source: Any,
    list_of_link: Any,
    base: Any,
    list_start: Any,
    as_runs: Any,
    index: Any,
    weight: Any,
    delay: Any,
    first: int,
    last: int,
    near_fits: bool,
    row_start: Any,
    row: Any,
    target_bits: int,
    near: Any,
    word: Any,
    target: Any,
    wide_weight: Any,
) -> None:
    """Place every synapse; the order within a row is that of the lists."""
    count, one_weight, equal = np.zeros(256, np.int64), np.zeros(256, np.int64), np.zeros(256, np.bool_)
    place = np.zeros(256, np.int64)
    near_used = used = 0
    for source in range(of_source.shape[0] - 1):
        if row_start[source] == row_start[source + 1]:
            continue
        links = of_source[source], of_source[source + 1]
        _survey(
            links, list_of_link, base, list_start, as_runs, index, weight, delay, first, last, count, one_weight, equal
        )
        number = row_start[source]
        for slot in range(256):
            if count[slot] == 0:
                continue
            equal[slot] &= near_fits and count[slot] >= LEAST_EQUAL
            place[slot] = near_used if equal[slot] else used
            row[number, _FIRST], row[number, _LAST] = place[slot], place[slot] + count[slot]
            row[number, _DELAY], row[number, _WEIGHT] = slot, one_weight[slot] if equal[slot] else 0
            near_used += count[slot] if equal[slot] else 0
            used += 0 if equal[slot] else count[slot]
            number += 1
        for link in range(links[0], links[1]):
            listed = list_of_link[link]
            if as_runs[listed]:
                continue
            for synapse in range(list_start[listed], list_start[listed + 1]):
                neuron = base[link] + np.int64(index[synapse])
                value = np.int64(weight[synapse])
                if value == 0 or neuron < first or neuron >= last:
                    continue
                slot = delay[synapse]
                position = place[slot]
                place[slot] += 1
                if equal[slot]:
                    near[position] = neuron - first
                elif target_bits:
                    word[position] = np.uint32(neuron - first) | np.uint32(np.uint32(np.int32(value)) << np.uint32(target_bits))
                else:
                    target[position], wide_weight[position] = neuron - first, value
