"""Spike delivery, the inner loop of every spiking chip: from the synapse lists of a program to compiled scatter and add.

Listed synapses are copied into one long row per source and delay, a synapse to a 32-bit word where target and weight fit
(the target in the low bits); dense and shared-kernel lists stay shared, as runs of neighbouring neurons. Rows are read in
the order of spikes, so those of the spikes to come are prefetched. Weights of one tick add up in 32-bit accumulators.
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

AHEAD = 5
"""Spikes between prefetching a row and reading it."""
WORDS_PER_LINE = 16
LEAST_RUN = 8
"""Mean length of the runs of neighbouring targets from which on a list is added run by run."""
MOST_AHEAD = 256
"""Words of a coming row that are prefetched; the processor's own prefetcher follows longer rows."""


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
        index: int64, relative to the link's base.
        weight: int16 or int32, in the accumulator's unit.
        delay: uint8, ticks.
    """

    list_start: Int64
    list_class: NDArray[np.uint8]
    index: Int64
    weight: NDArray[Any]
    delay: NDArray[np.uint8]


class Deliveries(NamedTuple):
    """What the inner loop reads. ``word`` holds packed synapses, or ``target`` and ``wide_weight`` do."""

    row_start: Int64  # (sources + 1,) rows of each source
    row_delay: NDArray[np.uint8]
    row_first: Int64  # (rows + 1,)
    target_bits: int  # 0: not packed
    word: NDArray[np.uint32]
    target: NDArray[np.uint32]
    wide_weight: NDArray[np.int32]
    link_start: Int64  # (sources + 1,) links to shared lists of each source
    link_list: Int64
    link_base: Int64
    link_delay: NDArray[np.uint8]
    run_start: Int64  # (lists + 1,)
    run_offset: Int64
    run_length: Int64
    run_weight: Int64
    weight: NDArray[Any]


def build_deliveries(links: Links, lists: SynapseLists, neurons: int) -> Deliveries:
    """Arrange the lists for delivery to ``neurons`` neurons; linear in the number of synapses."""
    low, high = _delay_range(lists)
    as_runs = (low == high) & ((lists.list_class != SYNAPSE_CLASSES.index("sparse")) | _contiguous(lists))
    row_start, row_delay, row_first, target, weight = _rows(links, lists, as_runs)
    target_bits = max(int(neurons - 1).bit_length(), 1)
    room = 32 - target_bits
    limit = 1 << (room - 1)
    packed = weight.size == 0 or (int(weight.min()) >= -limit and int(weight.max()) < limit)
    word = np.zeros(0, np.uint32)
    if packed:
        word = target | (weight.astype(np.int32).view(np.uint32) << np.uint32(target_bits))
        target, weight = np.zeros(0, np.uint32), np.zeros(0, np.int32)
    return Deliveries(
        row_start,
        row_delay,
        row_first,
        target_bits if packed else 0,
        word,
        target,
        weight.astype(np.int32, copy=False),
        *_runs(links, lists, as_runs, low),
        lists.weight,
    )


@njit
def deliver(sources: Any, count: int, slot: int, arriving: Any, synapses: Deliveries) -> None:
    """Add the weights of the first ``count`` spikes to the slots in which they arrive.

    Args:
        sources: int64 source numbers of the spikes, in order.
        slot: slot of delay 0.
        arriving: int32 (slots, neurons) accumulators.

    Fields are read once, indices are unsigned and accumulators flat: a reference count, a test for negative indices or a
    view per row costs as much as a row of synapses.
    """
    slots, neurons = arriving.shape
    accumulators = arriving.reshape(slots * neurons)
    row_start, row_delay, row_first = synapses.row_start, synapses.row_delay, synapses.row_first
    word, target, wide_weight = synapses.word, synapses.target, synapses.wide_weight
    link_start, link_list, link_base = synapses.link_start, synapses.link_list, synapses.link_base
    link_delay, weights = synapses.link_delay, synapses.weight
    run_start, run_offset, run_length = synapses.run_start, synapses.run_offset, synapses.run_length
    run_weight = synapses.run_weight
    packed = synapses.target_bits > 0
    bits = np.uint32(synapses.target_bits)
    mask = (np.uint32(1) << bits) - np.uint32(1)
    any_rows, any_links = row_delay.shape[0] > 0, link_list.shape[0] > 0
    for position in range(count):
        if position + 2 * AHEAD < count and any_rows:
            prefetch(row_start, sources[position + 2 * AHEAD])
        if position + AHEAD < count and any_rows:
            coming = sources[position + AHEAD]
            first_word = row_first[row_start[coming]]
            last_word = min(row_first[row_start[coming + 1]], first_word + MOST_AHEAD)
            for synapse in range(first_word, last_word, WORDS_PER_LINE):
                if packed:
                    prefetch(word, synapse)
                else:
                    prefetch(target, synapse)
        source = sources[position]
        for row in range(row_start[source], row_start[source + 1] if any_rows else 0):
            offset = np.uint64(((slot + np.int64(row_delay[row])) % slots) * neurons)
            first, last = np.uint64(row_first[row]), np.uint64(row_first[row + 1])
            if packed:
                for synapse in range(first, last):
                    bare = word[synapse]
                    accumulators[offset + (bare & mask)] += np.int32(bare) >> np.int32(bits)
            else:
                for synapse in range(first, last):
                    accumulators[offset + target[synapse]] += wide_weight[synapse]
        if not any_links:
            continue
        for link in range(link_start[source], link_start[source + 1]):
            base = ((slot + np.int64(link_delay[link])) % slots) * neurons + link_base[link]
            shared = link_list[link]
            for run in range(run_start[shared], run_start[shared + 1]):
                first = np.uint64(base + run_offset[run])
                weight = np.uint64(run_weight[run])
                for step in range(np.uint64(run_length[run])):
                    accumulators[first + step] += weights[weight + step]


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


# ---------------------------------------------------------------------------- arranging


def _delay_range(lists: SynapseLists) -> tuple[Int64, Int64]:
    """Lowest and highest delay of every list; 0 where it is empty."""
    filled = np.diff(lists.list_start) > 0
    low, high = np.zeros(filled.shape[0], np.int64), np.zeros(filled.shape[0], np.int64)
    if lists.delay.shape[0]:
        at = lists.list_start[:-1][filled]
        low[filled] = np.minimum.reduceat(lists.delay, at)
        high[filled] = np.maximum.reduceat(lists.delay, at)
    return low, high


def _contiguous(lists: SynapseLists) -> NDArray[np.bool_]:
    """Lists whose targets are mostly neighbours: adding runs is faster than scattering, whatever their class."""
    lengths = np.diff(lists.list_start)
    filled = lengths > 0
    runs = np.zeros(lengths.shape[0], np.int64)
    if filled.any():
        starts = np.ones(lists.index.shape[0], np.bool_)
        starts[1:] = lists.index[1:] != lists.index[:-1] + 1
        starts[lists.list_start[:-1][filled]] = True
        runs[filled] = np.add.reduceat(starts, lists.list_start[:-1][filled], dtype=np.int64)
    return filled & (lengths >= LEAST_RUN * runs)


def _rows(
    links: Links, lists: SynapseLists, as_runs: NDArray[np.bool_]
) -> tuple[Int64, NDArray[np.uint8], Int64, NDArray[np.uint32], NDArray[np.int32]]:
    """Listed synapses as one row per source and delay: row_start, row_delay, row_first, target, weight."""
    keep = ~as_runs[links.synapse_list]
    first = np.where(keep, lists.list_start[links.synapse_list], 0)
    last = np.where(keep, lists.list_start[links.synapse_list + 1], 0)
    total = int((last - first).sum())
    target, weight, delay = np.empty(total, np.uint32), np.empty(total, np.int32), np.empty(total, np.uint8)
    start = np.zeros(links.sources + 1, np.int64)
    _gather(
        links.link_start,
        first,
        last,
        links.base,
        lists.index,
        lists.weight,
        lists.delay,
        start,
        target,
        weight,
        delay,
    )
    if total and int(delay.max()) != int(delay.min()):
        order = _sorted_by_delay(start, delay)
        target, weight, delay = target[order], weight[order], delay[order]
    new_row = np.zeros(total, np.bool_)
    new_row[1:] = delay[1:] != delay[:-1]
    new_row[start[:-1][np.diff(start) > 0]] = True
    row_first = np.flatnonzero(new_row).astype(np.int64)
    row_start = np.searchsorted(row_first, start).astype(np.int64)
    return row_start, delay[row_first], np.append(row_first, total).astype(np.int64), target, weight


@njit
def _gather(
    link_start: Any,
    first: Any,
    last: Any,
    base: Any,
    index: Any,
    weight: Any,
    delay: Any,
    source_start: Any,
    row_target: Any,
    row_weight: Any,
    row_delay: Any,
) -> None:
    """Copy the listed synapses of every source behind one another."""
    position = 0
    for source in range(link_start.shape[0] - 1):
        source_start[source] = position
        for link in range(link_start[source], link_start[source + 1]):
            for synapse in range(first[link], last[link]):
                row_target[position] = base[link] + index[synapse]
                row_weight[position] = weight[synapse]
                row_delay[position] = delay[synapse]
                position += 1
    source_start[link_start.shape[0] - 1] = position


@njit
def _sorted_by_delay(source_start: Any, delay: Any) -> Any:
    """Stable order of every source's synapses by delay (counting sort)."""
    order = np.empty(delay.shape[0], np.int64)
    counts = np.zeros(257, np.int64)
    for source in range(source_start.shape[0] - 1):
        first, last = source_start[source], source_start[source + 1]
        counts[:] = 0
        for synapse in range(first, last):
            counts[int(delay[synapse]) + 1] += 1
        for value in range(256):
            counts[value + 1] += counts[value]
        for synapse in range(first, last):
            order[first + counts[int(delay[synapse])]] = synapse
            counts[int(delay[synapse])] += 1
    return order


def _runs(
    links: Links, lists: SynapseLists, as_runs: NDArray[np.bool_], delay_of_list: Int64
) -> tuple[Int64, Int64, Int64, NDArray[np.uint8], Int64, Int64, Int64, Int64]:
    """Links to shared lists, and those lists as runs of neighbouring neurons."""
    chosen = as_runs[links.synapse_list]
    of_source = np.repeat(np.arange(links.sources), np.diff(links.link_start))[chosen]
    link_start = np.zeros(links.sources + 1, np.int64)
    np.cumsum(np.bincount(of_source, minlength=links.sources), out=link_start[1:])
    list_of_link = links.synapse_list[chosen]
    synapse = _synapses_of(lists, as_runs)
    lengths = np.where(as_runs, np.diff(lists.list_start), 0)
    kept_start = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    index = lists.index[synapse]
    new_run = np.ones(index.shape[0], np.bool_)
    new_run[1:] = index[1:] != index[:-1] + 1
    new_run[kept_start[:-1][lengths > 0]] = True
    first = np.flatnonzero(new_run).astype(np.int64)
    return (
        link_start,
        list_of_link,
        links.base[chosen],
        delay_of_list[list_of_link].astype(np.uint8),
        np.searchsorted(first, kept_start).astype(np.int64),
        index[first],
        np.append(first[1:], index.shape[0]) - first,
        synapse[first],
    )


def _synapses_of(lists: SynapseLists, chosen: NDArray[np.bool_]) -> Int64:
    """Numbers of all synapses of the chosen lists, in order."""
    if not chosen.any():
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.repeat(chosen, np.diff(lists.list_start))).astype(np.int64)
