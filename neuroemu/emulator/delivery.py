"""Spike delivery, the inner loop of every spiking chip: from the synapse lists of a program to compiled scatter and add.

A shard is a run of neighbouring neurons that one thread owns. Listed synapses into it are copied into one stream of 32-bit
words, source after source, a row per delay. A row is its number of synapses, its delay and kind, then

- one weight and a 16-bit target per synapse, where the whole row has one weight,
- else a word per synapse, target in the low bits and weight above, where all weights fit,
- else a target and then a weight per synapse.

Dense and shared-kernel lists stay shared, as runs of neighbouring neurons. The stream is read in the order of spikes, so what
the spikes to come need is prefetched. Weights of one tick add up in 32-bit accumulators, which wrap.
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
SPARE_SPIKES = 8
"""Room behind the spikes of a buffer."""
LEAST_EQUAL = 16
"""Synapses of one weight from which on a row keeps its targets alone."""

_AHEAD = 6
"""Spikes between prefetching a row and reading it."""
_WORDS_PER_LINE = 16
_MOST_AHEAD = 512
"""Words of a coming source that are prefetched; the processor's own prefetcher follows longer rows."""
_NEAR = 1 << 16
"""Neurons of a shard that a 16-bit target can name."""
_HEADER = 2
"""Words before a row: synapses; delay and, above it, kind."""
_DELAY_BITS = 8
_PACKED, _ONE_WEIGHT, _WIDE = range(3)
"""Kinds of rows."""
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

    start: Int64  # (sources + 1,) first word of each source
    word: NDArray[np.uint32]
    target_bits: int
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
    start, word, near = synapses.start, synapses.word, synapses.word.view(np.uint16)
    link_start, links, runs = synapses.link_start, synapses.link, synapses.run
    short_weight, weights = synapses.short_weight, synapses.weight
    short = short_weight.shape[0] > 0
    bits = np.uint32(synapses.target_bits)
    mask = (np.uint32(1) << bits) - np.uint32(1)
    any_words, any_links = word.shape[0] > 0, links.shape[0] > 0
    for position in range(first_spike, last_spike):
        if any_words:
            if position + 2 * _AHEAD < last_spike:
                prefetch(start, sources[position + 2 * _AHEAD])
            if position + _AHEAD < last_spike:
                coming = sources[position + _AHEAD]
                for ahead in range(start[coming], min(start[coming + 1], start[coming] + _MOST_AHEAD), _WORDS_PER_LINE):
                    prefetch(word, ahead)
        source = sources[position]
        here, end = start[source], start[source + 1] if any_words else 0
        while here < end:
            count, delay_and_kind = np.int64(word[here]), np.int64(word[here + 1])
            row_slot = slot + (delay_and_kind & ((1 << _DELAY_BITS) - 1))
            kind = delay_and_kind >> _DELAY_BITS
            offset = np.uint64((row_slot - (slots if row_slot >= slots else 0)) * neurons)
            here += _HEADER
            first = np.uint64(here)
            if kind == _PACKED:
                here += count
                for synapse in range(first, np.uint64(here)):
                    bare = word[synapse]
                    accumulators[offset + (bare & mask)] += np.int32(bare) >> np.int32(bits)
            elif kind == _ONE_WEIGHT:
                weight = np.int32(word[first])
                first = np.uint64(2 * (here + 1))
                for synapse in range(first, first + np.uint64(count)):
                    accumulators[offset + near[synapse]] += weight
                here += 1 + (count + 1) // 2
            else:
                here += 2 * count
                for synapse in range(first, first + np.uint64(count)):
                    accumulators[offset + word[synapse]] += np.int32(word[synapse + np.uint64(count)])
        if not any_links:
            continue
        for link in range(link_start[source], link_start[source + 1]):
            link_slot = slot + links[link, _LINK_DELAY]
            base = (link_slot - (slots if link_slot >= slots else 0)) * neurons + links[link, _BASE]
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
def flags(neurons: int) -> Any:
    """A byte per neuron, zero, padded to whole 64-bit words for :func:`collect_spikes`."""
    return np.zeros((neurons + 7) // 8 * 8, np.uint8)


@njit
def collect_spikes(spiked: Any, first_source: int, sources: Any, position: int) -> int:
    """Write the source numbers of flagged neurons to ``sources`` from ``position`` on; returns how many.

    Eight flags are tested at a time, since few neurons fire in a tick, and where one is set all eight are written without a
    branch: ``sources`` needs room for ``SPARE_SPIKES`` more than there can be.
    """
    words = spiked.view(np.uint64)
    found = np.uint64(position)
    for word in range(np.uint64(words.shape[0])):
        flagged = words[word]
        if flagged != 0:
            first = np.uint32(np.uint64(8) * word + np.uint64(first_source))
            for neuron in range(np.uint64(8)):
                sources[found] = first + neuron
                found += (flagged >> (np.uint64(8) * neuron)) & np.uint64(1)
    return int(found) - position


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
    if weight.size and lowest >= -128 and highest <= 127:
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
            value: Any = np.int64(weight[synapse])
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
) -> tuple[Int64, NDArray[np.uint32], int]:
    """Listed synapses as rows: first word of every source, words, bits of a packed target."""
    tables = (links.link_start, links.synapse_list, links.base, lists.list_start, shared.as_runs)
    synapses = (lists.index, lists.weight, lists.delay)
    near_fits = last - first <= _NEAR
    words, others = np.zeros(links.sources, np.int64), np.zeros(links.sources, np.int64)
    lowest, highest = _count_words(*tables, *synapses, first, last, near_fits, words, others)
    target_bits = max(int(last - first - 1).bit_length(), 1)
    limit = 1 << (31 - target_bits)
    packed = -limit <= lowest and highest < limit
    start = np.zeros(links.sources + 1, np.int64)
    np.cumsum(words + others * (1 if packed else 2), out=start[1:])
    word = np.zeros(int(start[-1]), np.uint32)
    kind = _PACKED if packed else _WIDE
    _fill_words(*tables, *synapses, first, last, near_fits, kind, target_bits, start, word, word.view(np.uint16))
    return start, word, target_bits


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

    ``count``, ``one_weight`` and ``equal`` have 256 entries and are cleared here. Synapses of weight 0
    add nothing and are left out.
    """
    count[:] = 0
    lowest = highest = 0
    for link in range(links[0], links[1]):
        number = list_of_link[link]
        if as_runs[number]:
            continue
        for synapse in range(list_start[number], list_start[number + 1]):
            value: Any = np.int64(weight[synapse])
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
def _count_words(
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
    words: Any,
    others: Any,
) -> tuple[int, int]:
    """Per source, words of headers and rows of one weight, and synapses of other rows; lowest and highest weight of these."""
    count, one_weight, equal = np.zeros(256, np.int64), np.zeros(256, np.int64), np.zeros(256, np.bool_)
    lowest = highest = 0
    for source in range(of_source.shape[0] - 1):
        links = of_source[source], of_source[source + 1]
        low, high = _survey(
            links, list_of_link, base, list_start, as_runs, index, weight, delay, first, last, count, one_weight, equal
        )
        for slot in range(256 if low < 0 or high > 0 else 0):
            if count[slot] == 0:
                continue
            words[source] += _HEADER
            if near_fits and equal[slot] and count[slot] >= LEAST_EQUAL:
                words[source] += 1 + (count[slot] + 1) // 2
            else:
                others[source] += count[slot]
                lowest, highest = min(lowest, low), max(highest, high)
    return lowest, highest


@njit
def _fill_words(
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
    usual_kind: int,
    target_bits: int,
    start: Any,
    word: Any,
    near: Any,
) -> None:
    """Place every synapse; the order within a row is that of the lists."""
    count, one_weight, equal = np.zeros(256, np.int64), np.zeros(256, np.int64), np.zeros(256, np.bool_)
    place = np.zeros(256, np.int64)
    for source in range(of_source.shape[0] - 1):
        if start[source] == start[source + 1]:
            continue
        links = of_source[source], of_source[source + 1]
        _survey(
            links, list_of_link, base, list_start, as_runs, index, weight, delay, first, last, count, one_weight, equal
        )
        here = start[source]
        for slot in range(256):
            if count[slot] == 0:
                continue
            equal[slot] &= near_fits and count[slot] >= LEAST_EQUAL
            kind = _ONE_WEIGHT if equal[slot] else usual_kind
            word[here], word[here + 1] = count[slot], slot | (kind << _DELAY_BITS)
            here += _HEADER
            place[slot] = here
            if kind == _ONE_WEIGHT:
                word[here] = np.uint32(np.int32(one_weight[slot]))
                place[slot] = 2 * (here + 1)
                here += 1 + (count[slot] + 1) // 2
            else:
                here += count[slot] * (1 if kind == _PACKED else 2)
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
                bare = np.uint32(np.int32(value))
                if equal[slot]:
                    near[position] = neuron - first
                elif usual_kind == _PACKED:
                    word[position] = np.uint32(neuron - first) | np.uint32(bare << np.uint32(target_bits))
                else:
                    word[position], word[position + count[slot]] = neuron - first, bare
