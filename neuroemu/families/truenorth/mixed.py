"""Weights as sums of axon types where every source has axons of its own choice: those that help the neurons of a core most.

Uniform codes give every source the same axons; where 256 axons are not a multiple of the sources, or a bias wants more of them than
the rest, some stay unused. Here the axons of a core are shared out one after the other to the source and the type that lower the
error most, and each neuron's table follows the axons it can use. Everything is fixed-order arithmetic: equal on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth.codes import clustered, combinations, fitted

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

ROUNDS = 10
SWEEPS = 3
MOST_OF_A_TYPE = 2
"""Axons of one type that a source may have where there is room for more than one of each."""
MANY = 1.5
"""Axons per source from which a table for an axon of every type is worth trying."""
ASSUMED_RATE = 0.25
"""Spikes per input and tick for which errors of a neuron's weights are made to cancel."""
VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Shared:
    """How sources share the axons of a core.

    Attributes:
        axons: int64 (sources, types).
        entry: float64 (neurons, types), weight of one axon of each type.
    """

    axons: Int64
    entry: FloatArray


def shared_out(
    weight: FloatArray, heed: FloatArray, most: Int64, axons: int, types: int, rounds: int = ROUNDS
) -> tuple[Shared, float]:
    """(the axons of every source and the tables with the least weighted square error found, that error).

    Args:
        weight: float64 (neurons, sources), 0 where there is no synapse.
        heed: float64 (sources,), how much an error of a source's weights counts.
        most: int64 (sources,), axons that each may have.
        axons: of the core, at least one for every source.
        rounds: how often axons are shared out anew, at most.
    """
    size = min(MOST_OF_A_TYPE, max(1, -(-axons // (weight.shape[1] * types))))
    best: tuple[Shared, float] | None = None
    for start in _starts(weight, axons, types):
        entry, given, before = start.copy(), np.zeros(0, np.int64), np.inf
        for _ in range(rounds):
            loss = _loss(weight, entry, size) * heed[:, None]
            given = _given(loss, combinations((size,) * types), most, axons)
            _settle(entry, weight, heed, given)
            error = float((_error(weight, entry, given) * heed).sum())
            if best is None or error < best[1]:
                best = Shared(given, entry.copy()), error
            if error >= before * (1 - 1e-3):
                break
            before = error
    assert best is not None
    return best


def _starts(weight: FloatArray, axons: int, types: int) -> list[FloatArray]:
    """Tables to begin with: sources sorted by type, a coarse and a fine value of each sign, and an axon of every type each."""
    signs = fitted(weight, (1, 1)).entry
    steps = np.repeat(2.0 ** -np.arange(2), 2)[:types]
    starts = [clustered(weight, types)[1].entry, 1.3 * np.tile(signs, 2)[:, :types] * steps]
    if axons >= MANY * weight.shape[1]:
        starts.append(fitted(weight, (1,) * types).entry)
    return starts


def _loss(weight: FloatArray, entry: FloatArray, size: int) -> FloatArray:
    """float64 (sources, choices): square error of a source's weights when it has as many axons as the choice says."""
    types = entry.shape[1]
    choices = combinations((size,) * types)
    total = np.zeros((choices.shape[0], weight.shape[1]))
    for part in _portions(weight, choices.shape[0]):
        off = _off(weight[part], entry[part], choices)
        grid = off.reshape(*(size + 1,) * types, -1)
        for kind in range(types):
            along = np.moveaxis(grid, kind, 0)
            for number in range(1, size + 1):
                np.minimum(along[number], along[number - 1], out=along[number])
        total += off.sum(axis=1)
    return np.ascontiguousarray(total.T)


def _off(weight: FloatArray, entry: FloatArray, choices: Int64) -> FloatArray:
    """float64 (choices, neurons, sources): square distance of every weight from the sum of a choice of axons."""
    value = (choices[:, None, :] * entry[None]).sum(axis=-1)
    off = weight[None] - value[:, :, None]
    np.multiply(off, off, out=off)
    return np.asarray(np.multiply(off, weight != 0, out=off))


def _portions(weight: FloatArray, choices: int) -> list[slice]:
    step = max(1, VALUES_AT_ONCE // max(weight.shape[1] * choices, 1))
    return [slice(first, first + step) for first in range(0, weight.shape[0], step)]


def _given(loss: FloatArray, choices: Int64, most: Int64, axons: int) -> Int64:
    """Axons of every source and type: one for each source, then those that lower the loss most per axon."""
    sources = loss.shape[0]
    cost = choices.sum(axis=1)
    largest = int(cost.max())
    best = np.full((sources, largest + 1), np.inf)
    choice = np.zeros((sources, largest + 1), np.int64)
    for number in range(1, largest + 1):
        own = np.flatnonzero(cost == number)
        place = np.argmin(loss[:, own], axis=1)
        allowed = (most >= number) | (number == 1)
        best[:, number] = np.where(allowed, loss[np.arange(sources), own[place]], np.inf)
        choice[:, number] = own[place]
    held = np.ones(sources, np.int64)
    for source, further in _in_order_of_gain(best):
        if int(held.sum()) == axons:
            break
        if further <= axons - int(held.sum()):
            held[source] += further
    return choices[choice[np.arange(sources), held]]


def _in_order_of_gain(best: FloatArray) -> list[tuple[int, int]]:
    """(source, further axons) by falling gain per axon; a source's steps follow each other since their gains fall."""
    sources = best.shape[0]
    held = np.ones(sources, np.int64)
    steps: list[tuple[float, int, int]] = []
    while True:
        gain = _gains(best, held)
        further = np.argmax(gain, axis=1)
        worth = gain[np.arange(sources), further]
        if not (worth > 0).any():
            break
        own = np.flatnonzero(worth > 0)
        steps += zip((-worth[own]).tolist(), own.tolist(), further[own].tolist(), strict=True)
        held = held + np.where(worth > 0, further, 0)
    steps.sort(key=lambda step: step[0])
    return [(source, further) for _, source, further in steps]


def _gains(best: FloatArray, held: Int64) -> FloatArray:
    """float64 (sources, further axons): what these lower the loss by, each."""
    further = np.arange(best.shape[1])
    to = held[:, None] + further
    after = np.take_along_axis(best, np.minimum(to, best.shape[1] - 1), axis=1)
    now = np.take_along_axis(best, held[:, None], axis=1)
    possible = (further > 0) & (to < best.shape[1]) & np.isfinite(after)
    gain = np.where(possible, now - np.where(possible, after, 0.0), 0.0)
    return np.asarray(gain / np.maximum(further, 1))


def _groups(axons: Int64) -> list[tuple[tuple[int, ...], Int64]]:
    """Sources that have the same axons, as (axons of each type, sources)."""
    unique, member = np.unique(axons, axis=0, return_inverse=True)
    return [
        (tuple(int(most) for most in code), np.flatnonzero(member.reshape(-1) == number))
        for number, code in enumerate(unique)
    ]


def nearest_shared(weight: FloatArray, entry: FloatArray, axons: Int64) -> Int64:
    """Counts (neurons, sources, types) within ``axons`` whose sums are nearest to ``weight``; 0 needs no synapse."""
    counts = np.zeros((*weight.shape, entry.shape[1]), np.int64)
    for code, sources in _groups(axons):
        choices = combinations(code)
        for part in _portions(weight[:, sources], choices.shape[0]):
            chosen = np.argmin(_off(weight[part][:, sources], entry[part], choices), axis=0)
            counts[part, sources] = choices[chosen]
    counts[weight == 0] = 0
    return counts


def _error(weight: FloatArray, entry: FloatArray, axons: Int64) -> FloatArray:
    """float64 (sources,), square errors."""
    counts = nearest_shared(weight, entry, axons)
    return np.asarray((((counts * entry[:, None, :]).sum(axis=-1) - weight) ** 2).sum(axis=0))


def _settle(entry: FloatArray, weight: FloatArray, heed: FloatArray, axons: Int64) -> None:
    """Alternate between the nearest sums and the best entry of every type, the others held (least squares)."""
    for _ in range(SWEEPS):
        counts = nearest_shared(weight, entry, axons)
        for kind in range(entry.shape[1]):
            own = counts[:, :, kind]
            rest = weight - (counts * entry[:, None, :]).sum(axis=-1) + own * entry[:, kind : kind + 1]
            square = (heed * own * own).sum(axis=1)
            entry[:, kind] = np.where(
                square > 0, (heed * own * rest).sum(axis=1) / np.maximum(square, 1e-300), entry[:, kind]
            )


def balanced(weight: FloatArray, entry: FloatArray, axons: Int64, heed: FloatArray) -> Int64:
    """As :func:`nearest_shared`, but so that a neuron's errors cancel over its inputs.

    With inputs that spike independently at one rate, the expected square of a sum's error is the sum of the weights' squares times
    ``rate (1 - rate)`` plus the square of their sum times ``rate**2``; one source after the other is moved to the choice with
    the least.
    """
    counts = nearest_shared(weight, entry, axons)
    off = (counts * entry[:, None, :]).sum(axis=-1) - weight
    spread = (1 - ASSUMED_RATE) / ASSUMED_RATE
    for _ in range(SWEEPS):
        before = counts.copy()
        total = (off * np.sqrt(heed)).sum(axis=1)
        for source in range(weight.shape[1]):
            choices = combinations(tuple(int(most) for most in axons[source]))
            own = (choices[None] * entry[:, None, :]).sum(axis=-1) - weight[:, [source]]
            share = np.sqrt(heed[source])
            rest = total - off[:, source] * share
            loss = heed[source] * spread * own**2 + (rest[:, None] + own * share) ** 2
            now = np.arange(weight.shape[0]), _place(choices, counts[:, source])
            chosen = np.argmin(loss, axis=1)
            moved = (weight[:, source] != 0) & (loss[now[0], chosen] < loss[now] * (1 - 1e-9))
            counts[moved, source] = choices[chosen[moved]]
            off[moved, source] = own[now[0], chosen][moved]
            total = rest + off[:, source] * share
        if np.array_equal(before, counts):
            break
    return counts


def _place(choices: Int64, counts: Int64) -> Int64:
    """Number of every row of ``counts`` among ``choices``."""
    sizes = choices.max(axis=0) + 1
    found = np.zeros(counts.shape[0], np.int64)
    for kind, size in enumerate(sizes.tolist()):
        found = found * size + counts[:, kind]
    return found
