"""Signed weights as sums of axon types: which axons carry a source, and each neuron's table of four weights.

A source with several axons gives a neuron the sum of the table entries of those axons that it has a synapse with. With axons
of types 0 and 1 that is a weight for each sign, with four axons 16 values of the neuron's own choice. Where a source has one
axon, sources are sorted into four types so that little is lost. Everything is fixed-order arithmetic: equal on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Int64 = NDArray[np.int64]

TYPES = 4
ROUNDS = 12
VALUES_AT_ONCE = 4_000_000

CODES: tuple[tuple[int, ...], ...] = (
    (1,),
    (1, 1),
    (1, 1, 1),
    (1, 1, 1, 1),
    (2, 2, 1, 1),
    (2, 2, 2, 2),
    (3, 3, 3, 3),
    (4, 4, 4, 4),
)
"""Axons of each type that a source has, by rising number."""


@dataclass(frozen=True)
class Table:
    """Weights of some neurons as sums of table entries.

    Attributes:
        entry: float64 (neurons, types), weight of one axon of each type.
        counts: int64 (neurons, sources, types), synapses with axons of each type.
    """

    entry: FloatArray
    counts: Int64

    @property
    def weight(self) -> FloatArray:
        """float64 (neurons, sources)."""
        return np.asarray((self.counts * self.entry[:, None, :]).sum(axis=-1))


def combinations(code: Sequence[int]) -> Int64:
    """int64 (values, types): every number of synapses with each type, none first; read only."""
    return _combinations(tuple(code))


@cache
def _combinations(code: tuple[int, ...]) -> Int64:
    grids = np.meshgrid(*(np.arange(most + 1) for most in code), indexing="ij")
    found = np.stack([grid.reshape(-1) for grid in grids], axis=1).astype(np.int64)
    found.flags.writeable = False
    return found


def nearest(weight: FloatArray, entry: FloatArray, code: Sequence[int]) -> Int64:
    """Counts (neurons, sources, types) whose sums are nearest to ``weight`` (neurons, sources); 0 needs no synapse."""
    choices = combinations(code)
    counts = np.empty((*weight.shape, len(code)), np.int64)
    step = max(1, VALUES_AT_ONCE // max(weight.shape[1] * choices.shape[0], 1))
    for first in range(0, weight.shape[0], step):
        part = slice(first, first + step)
        value = (choices[None] * entry[part, None, :]).sum(axis=-1)
        chosen = np.argmin(np.abs(weight[part, :, None] - value[:, None, :]), axis=-1)
        counts[part] = choices[chosen]
    counts[weight == 0] = 0
    return counts


def fitted(weight: FloatArray, code: Sequence[int]) -> Table:
    """The table of each neuron that comes nearest to its weights; rows (neurons, sources), 0 where there is no synapse.

    Starts from weights of both signs and from a positional system with one negative digit, then alternates between the nearest
    sum for every weight and the best entry for every type (least squares, one type after the other).
    """
    best: Table | None = None
    worst = np.zeros(0)
    for start in _starts(weight, code):
        entry = start.copy()
        for _ in range(ROUNDS):
            counts = nearest(weight, entry, code)
            before = entry.copy()
            _improve(entry, weight, counts)
            if np.array_equal(before, entry):
                break
        counts = nearest(weight, entry, code)
        table = Table(entry, counts)
        error = ((table.weight - weight) ** 2).sum(axis=1)
        if best is None:
            best, worst = table, error
        else:
            better = error < worst
            chosen = better[:, None]
            best = Table(np.where(chosen, entry, best.entry), np.where(chosen[..., None], counts, best.counts))
            worst = np.where(better, error, worst)
    assert best is not None
    return best


def _improve(entry: FloatArray, weight: FloatArray, counts: Int64) -> None:
    """Set every column of ``entry`` to the least squares solution with the others held."""
    for kind in range(entry.shape[1]):
        own = counts[:, :, kind]
        rest = weight - (counts * entry[:, None, :]).sum(axis=-1) + own * entry[:, kind : kind + 1]
        square = (own * own).sum(axis=1)
        entry[:, kind] = np.where(square > 0, (own * rest).sum(axis=1) / np.maximum(square, 1), entry[:, kind])


def _starts(weight: FloatArray, code: Sequence[int]) -> list[FloatArray]:
    high, low = weight.max(axis=1, initial=0.0), weight.min(axis=1, initial=0.0)
    types = len(code)
    signs = np.stack(
        [(high if kind % 2 == 0 else low) / (2.0 ** (kind // 2) * code[kind]) for kind in range(types)], axis=1
    )
    if types == 1:
        return [signs, (low / code[0])[:, None]]
    place = np.ones(types)
    for kind in range(1, types):
        place[kind] = place[kind - 1] * (code[kind - 1] + 1)
    below, above = place[-1] * code[-1], float((place[:-1] * np.array(code[:-1])).sum())
    starts = [signs]
    step = _common_step(weight)
    starts += [np.where(np.arange(types) == types - 1, -flip, flip) * place * step[:, None] for flip in (1.0, -1.0)]
    for flip in (1.0, -1.0):
        unit = np.maximum(np.maximum(flip * high, 0) / above, np.maximum(-flip * low, 0) / below)
        both = np.maximum(np.maximum(flip * high, -flip * low) / above, unit)
        for chosen in (unit, both):
            entry = place * chosen[:, None] * flip
            entry[:, -1] *= -1
            starts.append(entry)
    most = np.maximum(np.abs(high), np.abs(low))
    one_sign = place * (np.where(high >= -low, most, -most) / float((place * np.array(code)).sum()))[:, None]
    return [*starts, one_sign]


def _common_step(weight: FloatArray) -> FloatArray:
    """float64 (neurons,): the least distance between two different weights or 0, of which trained integers are multiples."""
    ordered = np.sort(np.concatenate([weight, np.zeros((weight.shape[0], 1))], axis=1), axis=1)
    distance = np.diff(ordered, axis=1)
    step = np.where(distance > 0, distance, np.inf).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(step), step, 0.0)


def clustered(weight: FloatArray, types: int = TYPES) -> tuple[Int64, Table]:
    """(type of every source, table) where a source has a single axon: sources of one type share a weight per neuron.

    Args:
        weight: float64 (neurons, sources).
        types: how many there are to sort into.
    """
    size = np.maximum(np.abs(weight).max(axis=1, initial=0.0), 1e-300)
    order = np.argsort((weight / size[:, None]).mean(axis=0), kind="stable")
    kind = np.zeros(weight.shape[1], np.int64)
    for number, part in enumerate(np.array_split(order, types)):
        kind[part] = number
    entry = np.zeros((weight.shape[0], types))
    for _ in range(ROUNDS):
        entry = _one_value_each(weight, kind, entry)
        loss = [
            (np.minimum(weight**2, (weight - entry[:, [number]]) ** 2) / size[:, None] ** 2).sum(axis=0)
            for number in range(types)
        ]
        moved = np.argmin(np.stack(loss), axis=0)
        if np.array_equal(moved, kind):
            break
        kind = moved
    entry = _one_value_each(weight, kind, entry)
    return kind, Table(entry, selected(weight, kind, entry))


def selected(weight: FloatArray, kind: Int64, entry: FloatArray) -> Int64:
    """Counts (neurons, sources, types): 1 where the type's weight is nearer than none."""
    value = entry[:, kind]
    taken = (np.abs(weight - value) < np.abs(weight)) & (weight != 0)
    counts = np.zeros((*weight.shape, entry.shape[1]), np.int64)
    counts[:, np.arange(kind.shape[0]), kind] = taken
    return counts


def _one_value_each(weight: FloatArray, kind: Int64, entry: FloatArray) -> FloatArray:
    """Per neuron and type the value that, beside 0, stands best for the weights of the type's sources."""
    found = entry.copy()
    for number in range(entry.shape[1]):
        own = weight[:, kind == number]
        if not own.shape[1]:
            continue
        options = [_settled_value(own, own.max(axis=1)), _settled_value(own, own.min(axis=1))]
        loss = [np.minimum(own**2, (own - value[:, None]) ** 2).sum(axis=1) for value in options]
        found[:, number] = np.where(loss[0] <= loss[1], options[0], options[1])
    return found


def _settled_value(own: FloatArray, start: FloatArray) -> FloatArray:
    value = start
    for _ in range(ROUNDS):
        taken = np.abs(own - value[:, None]) < np.abs(own)
        count = taken.sum(axis=1)
        value = np.where(count > 0, (own * taken).sum(axis=1) / np.maximum(count, 1), value)
    return value
