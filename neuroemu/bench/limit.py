"""The physical limit of a network on this machine: bare loops over the same memory, with nothing in between.

Three loops, each timed alone (best of some): every spike's synapses are read as the emulator lays them out and added to
accumulators of the same size; rows of neighbouring targets are added as runs, equal rows once in memory; the neurons' state is read
and written once per tick with an addition instead of a neuron model. Their sum is the least that a run on one thread takes; no tick
loop, no counters, no spike lists.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit, prefetch

AHEAD = 5
LEAST_RUN = 8
"""Mean length of the runs of a row from which on it is added run by run."""
TIMES = 3


@dataclass(frozen=True)
class Limit:
    """CPU seconds that the bare loops take for a whole run, and how much they did."""

    scatter_s: float
    scatter_events: int
    run_s: float
    run_events: int
    update_s: float
    updates: int

    @property
    def total_s(self) -> float:
        return self.scatter_s + self.run_s + self.update_s

    def to_dict(self) -> dict[str, float | None]:
        """Rates per second, None where a loop had nothing to do."""
        parts = {
            "scatter": (self.scatter_events, self.scatter_s),
            "runs": (self.run_events, self.run_s),
            "updates": (self.updates, self.update_s),
        }
        return {f"{name}_per_s": amount / seconds if amount else None for name, (amount, seconds) in parts.items()}


class _Words(NamedTuple):
    """Scattered synapses by source and delay, packed to a 32-bit word where target and weight fit."""

    start: NDArray[np.uint64]  # (sources * delays + 1,)
    delays: int
    target_bits: int
    word: NDArray[np.uint32]
    target: NDArray[np.uint32]
    weight: NDArray[np.int16]


class _Runs(NamedTuple):
    """Rows of neighbouring targets; equal rows (counted from their first target) share their runs."""

    row: NDArray[np.int64]  # (sources,) row of each source, -1 for none
    base: NDArray[np.int64]  # (sources,) first target
    start: NDArray[np.int64]  # (rows + 1,)
    offset: NDArray[np.int64]
    length: NDArray[np.int64]
    first: NDArray[np.int64]
    weight: NDArray[np.int16]


def limit_of(net: Mapping[str, Any], spike_tick: NDArray[np.int32], spike_source: NDArray[np.int64]) -> Limit:
    """The limit of a run of ``net`` in which its neurons sent these spikes.

    Args:
        spike_tick, spike_source: spikes of neurons in order; inputs are sources 0 .. n_in-1, their spikes are the network's.
    """
    tick = np.concatenate([net["in_t"], spike_tick]).astype(np.int64)
    order = np.argsort(tick, kind="stable")
    source = np.concatenate([net["in_id"], spike_source]).astype(np.int64)[order]
    tick = tick[order]
    neurons, ticks = int(net["n"]), int(net["ticks"])
    length = np.diff(net["indptr"])
    slots = int(net["delays"].max(initial=1)) + 1
    as_runs = _mostly_neighbours(net)
    scattered, added = source[~as_runs[source]], source[as_runs[source]]
    accumulators = np.zeros(slots * neurons, np.int32)
    words, runs = _words(net, ~as_runs), _runs(net, as_runs)
    scatter_tick = tick[~as_runs[source]]
    scatter = scattered.astype(np.uint64)
    if words.target_bits:
        scatter_s = _best(lambda: _scatter_words(scatter_tick, scatter, words, accumulators, slots, neurons))
    else:
        scatter_s = _best(lambda: _scatter_pairs(scatter_tick, scatter, words, accumulators, slots, neurons))
    arriving, v = np.zeros(neurons, np.int32), np.zeros(neurons, np.int32)
    u = np.zeros(neurons if int(net["du"]) < 4096 else 0, np.int32)
    waiting = np.zeros(neurons if int(net["R"]) else 0, np.uint16)
    given = np.asarray(net["theta"], np.int32), np.asarray(net["bias"], np.int32)
    return Limit(
        scatter_s=scatter_s,
        scatter_events=int(length[scattered].sum()),
        run_s=_best(lambda: _add_runs(added, runs, accumulators)),
        run_events=int(length[added].sum()),
        update_s=_best(lambda: _touch(ticks, arriving, v, u, waiting, *given, np.zeros(neurons, np.uint8))),
        updates=neurons * ticks,
    )


def _best(loop: Callable[[], None]) -> float:
    """Least CPU seconds of some runs after one that compiles."""
    loop()
    seconds = []
    for _ in range(TIMES):
        started = time.process_time()
        loop()
        seconds.append(time.process_time() - started)
    return min(seconds)


@njit
def _scatter_words(tick: Any, source: Any, synapses: _Words, accumulators: Any, slots: int, neurons: int) -> None:
    start, word, delays = synapses.start, synapses.word, np.uint64(synapses.delays)
    bits = np.uint32(synapses.target_bits)
    mask = (np.uint32(1) << bits) - np.uint32(1)
    shift = np.int32(bits)
    count = source.shape[0]
    for spike in range(np.uint64(count)):
        if spike + 2 * AHEAD < count:
            prefetch(start, source[spike + 2 * AHEAD] * delays)
        if spike + AHEAD < count:
            coming = source[spike + AHEAD] * delays
            first = start[coming]
            for line in range(first, min(start[coming + delays], first + 256), 16):
                prefetch(word, line)
        row = source[spike] * delays
        for delay in range(delays):
            slot = np.uint64((tick[spike] + np.int64(delay)) % slots * neurons)
            for synapse in range(start[row + delay], start[row + delay + np.uint64(1)]):
                bare = word[synapse]
                accumulators[slot + (bare & mask)] += np.int32(bare) >> shift


@njit
def _scatter_pairs(tick: Any, source: Any, synapses: _Words, accumulators: Any, slots: int, neurons: int) -> None:
    start, target, weight = synapses.start, synapses.target, synapses.weight
    delays, count = np.uint64(synapses.delays), source.shape[0]
    for spike in range(np.uint64(count)):
        if spike + AHEAD < count:
            coming = source[spike + AHEAD] * delays
            first = start[coming]
            for line in range(first, min(start[coming + delays], first + 256), 16):
                prefetch(target, line)
        row = source[spike] * delays
        for delay in range(delays):
            slot = np.uint64((tick[spike] + np.int64(delay)) % slots * neurons)
            for synapse in range(start[row + delay], start[row + delay + np.uint64(1)]):
                accumulators[slot + target[synapse]] += weight[synapse]


@njit
def _add_runs(source: Any, runs: _Runs, accumulators: Any) -> None:
    row, base, start = runs.row, runs.base, runs.start
    offset, length, first, weight = runs.offset, runs.length, runs.first, runs.weight
    for spike in range(source.shape[0]):
        here = row[source[spike]]
        for run in range(start[here], start[here + 1]):
            to, at = np.uint64(base[source[spike]] + offset[run]), np.uint64(first[run])
            for step in range(np.uint64(length[run])):
                accumulators[to + step] += weight[at + step]


@njit
def _touch(ticks: int, arriving: Any, v: Any, u: Any, waiting: Any, theta: Any, bias: Any, flags: Any) -> None:
    """Read and write what a neuron model reads and writes; ``u`` and ``waiting`` are empty where the network has none."""
    for _ in range(ticks):
        for neuron in range(u.shape[0]):
            u[neuron] += arriving[neuron]
        for neuron in range(v.shape[0]):
            v[neuron] += arriving[neuron] + bias[neuron]
            arriving[neuron] = 0
            flags[neuron] = v[neuron] > theta[neuron]
        for neuron in range(waiting.shape[0]):
            waiting[neuron] += flags[neuron]


# ---------------------------------------------------------------------------- arranging


def _mostly_neighbours(net: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Sources with one delay whose targets are mostly neighbours."""
    chosen = np.zeros(net["indptr"].shape[0] - 1, np.bool_)
    _find_runs(net["indptr"], net["indices"], net["delays"], chosen)
    return chosen


@njit
def _find_runs(start: Any, target: Any, delay: Any, chosen: Any) -> None:
    for source in range(chosen.shape[0]):
        first, last = start[source], start[source + 1]
        runs, uniform = 1, True
        for synapse in range(first + 1, last):
            runs += target[synapse] != target[synapse - 1] + 1
            uniform &= delay[synapse] == delay[first]
        chosen[source] = uniform and last > first and last - first >= LEAST_RUN * runs


def _words(net: Mapping[str, Any], chosen: NDArray[np.bool_]) -> _Words:
    """The chosen sources' synapses sorted by delay within each source."""
    least, most = int(net["delays"].min(initial=63)), int(net["delays"].max(initial=1))
    delays = max(most - least + 1, 1)
    start = np.zeros(chosen.shape[0] * delays + 1, np.uint64)
    _count_by_delay(net["indptr"], net["delays"], chosen, least, delays, start)
    np.cumsum(start, out=start)
    bits = max(int(net["n"] - 1).bit_length(), 1)
    most_weight = 1 << (31 - bits)
    packed = not net["weights"].size or -most_weight <= net["weights"].min() <= net["weights"].max() < most_weight
    total = int(start[-1])
    word = np.empty(total if packed else 0, np.uint32)
    target, weight = np.empty(0 if packed else total, np.uint32), np.empty(0 if packed else total, np.int16)
    arrays = net["indptr"], net["indices"], net["weights"], net["delays"], chosen, least, delays, start
    _place(*arrays, bits, word, target, weight)
    return _Words(start, delays, bits if packed else 0, word, target, weight)


@njit
def _count_by_delay(row: Any, delay: Any, chosen: Any, least: int, delays: int, start: Any) -> None:
    for source in range(chosen.shape[0]):
        if chosen[source]:
            for synapse in range(row[source], row[source + 1]):
                start[source * delays + np.int64(delay[synapse]) - least + 1] += np.uint64(1)


@njit
def _place(
    row: Any,
    indices: Any,
    weights: Any,
    delay: Any,
    chosen: Any,
    least: int,
    delays: int,
    start: Any,
    bits: int,
    word: Any,
    target: Any,
    weight: Any,
) -> None:
    free = np.zeros(delays, np.uint64)
    for source in range(chosen.shape[0]):
        if not chosen[source]:
            continue
        free[:] = start[source * delays : (source + 1) * delays]
        for synapse in range(row[source], row[source + 1]):
            slot = np.int64(delay[synapse]) - least
            place = free[slot]
            free[slot] = place + np.uint64(1)
            if word.shape[0]:
                word[place] = np.uint32(indices[synapse]) | (np.uint32(np.int32(weights[synapse])) << np.uint32(bits))
            else:
                target[place], weight[place] = indices[synapse], weights[synapse]


def _runs(net: Mapping[str, Any], chosen: NDArray[np.bool_]) -> _Runs:
    """The chosen sources' rows as runs, each distinct row once."""
    row = np.full(chosen.shape[0], -1, np.int64)
    base = np.zeros(chosen.shape[0], np.int64)
    known: dict[bytes, int] = {}
    offsets: list[NDArray[np.int64]] = []
    weights: list[NDArray[np.int16]] = []
    for source in np.flatnonzero(chosen).tolist():
        own = slice(int(net["indptr"][source]), int(net["indptr"][source + 1]))
        base[source] = net["indices"][own.start]
        offset = net["indices"][own] - net["indices"][own.start]
        key = offset.tobytes() + net["weights"][own].tobytes()
        row[source] = known.setdefault(key, len(known))
        if row[source] == len(offsets):
            offsets.append(offset.astype(np.int64))
            weights.append(net["weights"][own])
    starts = [np.flatnonzero(np.diff(offset, prepend=-2) != 1) for offset in offsets]
    lengths = [np.diff(np.append(begin, offset.size)) for begin, offset in zip(starts, offsets, strict=True)]
    before = np.cumsum([0, *(offset.size for offset in offsets)])
    return _Runs(
        row=row,
        base=base,
        start=np.cumsum([0, *(begin.size for begin in starts)]).astype(np.int64),
        offset=_joined([offset[begin] for offset, begin in zip(offsets, starts, strict=True)], np.int64),
        length=_joined(lengths, np.int64),
        first=_joined([begin + at for begin, at in zip(starts, before.tolist(), strict=False)], np.int64),
        weight=_joined(weights, np.int16),
    )


def _joined(parts: list[Any], kind: Any) -> NDArray[Any]:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)
