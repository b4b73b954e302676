"""Compiled loops of the second stage: moves and swaps that lower the messages, and parts emptied into others."""

# ruff: noqa: SIM102 - a nested if keeps a long condition readable

from __future__ import annotations

import numpy as np

from neuroemu.emulator.compiled import njit
from neuroemu.mapping._pins import NEURONS, Caps, Int64, Integer, Pins, filled, inside_kernels, room_for_neuron
from neuroemu.mapping._tally import REFUSED, Parts, synapses_on, trade


@inside_kernels
def _expected_change(pins: Pins, parts: Parts, v: Integer, b: Integer) -> Integer:
    """Change in messages of moving ``v`` alone, without touching the counts (autapses only nearly)."""
    a = parts.part[v]
    change = np.int64(0)
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        u = np.int64(pins.source[j])
        home_part = np.int64(-1) if pins.home[u] < 0 else parts.part[pins.home[u]]
        if home_part != a and synapses_on(parts.slots, u, a) == pins.column_multiplicity[j]:
            change -= pins.rate[u]
        if home_part != b and synapses_on(parts.slots, u, b) == 0:
            change += pins.rate[u]
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        on_a = np.int64(synapses_on(parts.slots, h, a) > 0)
        on_b = np.int64(synapses_on(parts.slots, h, b) > 0)
        change += (on_a - on_b) * pins.rate[h]
    return change


@inside_kernels
def _note(parts_seen: Int64, value: Int64, p: Integer, rate: Integer, count: Integer) -> Integer:
    if value[p] < 0:
        value[p] = 0
        parts_seen[count] = p
        count += 1
    value[p] += rate
    return count


@inside_kernels
def _weigh_parts(pins: Pins, parts: Parts, v: Integer, value: Int64, parts_seen: Int64) -> Integer:
    """Rate of the sources and own spikes of ``v`` that other parts hold already, in ``value`` (-1 elsewhere).

    Returns the number of parts seen; moving ``v`` to part p changes messages by ``_stay(...) - value[p]``.
    """
    a = parts.part[v]
    count = 0
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        u = np.int64(pins.source[j])
        home_part = np.int64(-1) if pins.home[u] < 0 else parts.part[pins.home[u]]
        for i in range(parts.slots.start[u], parts.slots.start[u + 1]):
            p = np.int64(parts.slots.part[i])
            if parts.slots.synapses[i] > 0 and p != home_part and p != a:
                count = _note(parts_seen, value, p, pins.rate[u], count)
        if home_part >= 0 and home_part != a:
            count = _note(parts_seen, value, home_part, pins.rate[u], count)
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        for i in range(parts.slots.start[h], parts.slots.start[h + 1]):
            p = np.int64(parts.slots.part[i])
            if parts.slots.synapses[i] > 0 and p != a:
                count = _note(parts_seen, value, p, pins.rate[h], count)
    return count


@inside_kernels
def _forget(value: Int64, parts_seen: Int64, count: Integer) -> None:
    for i in range(count):
        value[parts_seen[i]] = -1


@inside_kernels
def _sources_rate(pins: Pins, v: Integer) -> Integer:
    rate = np.int64(0)
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        rate += pins.rate[pins.source[j]]
    return rate


@inside_kernels
def _leaving_change(pins: Pins, parts: Parts, v: Integer) -> tuple[Integer, Integer]:
    """Change in messages when ``v`` leaves its part, before it arrives anywhere, and the rate of its own spikes."""
    a = parts.part[v]
    change = np.int64(0)
    own_rate = np.int64(0)
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        u = np.int64(pins.source[j])
        if synapses_on(parts.slots, u, a) == pins.column_multiplicity[j]:
            if pins.home[u] < 0 or parts.part[pins.home[u]] != a:
                change -= pins.rate[u]
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        if synapses_on(parts.slots, h, a) > 0:
            change += pins.rate[h]
        if parts.reach[h] > 0:
            own_rate += pins.rate[h]
    return change, own_rate


@inside_kernels
def _swap_partner(pins: Pins, parts: Parts, b: Integer, a: Integer, tries: Integer, least: Integer) -> Integer:
    """The one of the next ``tries`` members of ``b`` whose move to ``a`` changes messages least, below ``least``; or -1."""
    best = np.int64(-1)
    w = parts.ring_cursor[b]
    for _ in range(tries):
        change = _expected_change(pins, parts, w, a)
        if change < least:
            least = change
            best = w
        w = parts.ring_next[w]
    parts.ring_cursor[b] = w
    return best


@njit
def climb(pins: Pins, caps: Caps, parts: Parts, work: Integer, tries: Integer, least_gain: Integer) -> Integer:
    """Moves, or swaps where the wanted part is full, that lower the messages; every limit holds after every step.

    Passes over all neurons until a pass gains less than ``least_gain`` messages or ``work`` pins have been read. A full
    part is asked for a swap with the best of its next ``tries`` members. Returns by how much the messages fell.
    """
    neurons = parts.part.shape[0]
    value = filled(parts.used.shape[0], -1)
    parts_seen = np.empty(parts.used.shape[0], np.int64)
    mean_degree = pins.source.shape[0] // max(1, neurons)
    total = np.int64(0)
    gained = np.int64(1)
    while gained > 0 and work > 0:
        gained = np.int64(0)
        for v in range(neurons):
            degree = pins.column_start[v + 1] - pins.column_start[v]
            work -= degree + 1
            if work <= 0:
                break
            leaving, own_rate = _leaving_change(pins, parts, v)
            if leaving - own_rate >= 0:
                continue
            a = parts.part[v]
            stay = leaving + _sources_rate(pins, v)
            for j in range(pins.column_start[v], pins.column_start[v + 1]):
                work -= parts.reach[pins.source[j]]
            count = _weigh_parts(pins, parts, v, value, parts_seen)
            wanted = np.int64(-1)
            wanted_open = np.int64(-1)
            for i in range(count):
                p = parts_seen[i]
                if value[p] <= stay:
                    continue
                if wanted < 0 or value[p] > value[wanted]:
                    wanted = p
                if (wanted_open < 0 or value[p] > value[wanted_open]) and room_for_neuron(
                    caps.limit, caps.use, v, parts.used[p]
                ):
                    wanted_open = p
            hope = np.int64(0) if wanted < 0 else value[wanted] - stay
            _forget(value, parts_seen, count)
            change = REFUSED
            for swap in (False, True):
                b = wanted if swap else wanted_open
                if b < 0 or change != REFUSED:
                    continue
                w = np.int64(-1)
                if swap:
                    w = _swap_partner(pins, parts, b, a, tries, hope)
                    work -= 2 * tries * mean_degree
                    if w < 0:
                        continue
                work -= 4 * degree
                change = trade(pins, caps, parts, v, b, w, 0)
            if change != REFUSED:
                gained -= change
        total += gained
        if gained < least_gain:
            break
    return total


@njit
def dissolve(
    pins: Pins, caps: Caps, parts: Parts, order: Int64, fewest: Integer, failures: Integer, work: Integer
) -> Integer:
    """Empty parts, in ``order``, by giving each of their neurons a legal seat elsewhere, until ``fewest`` are left.

    A part whose neurons do not all find a seat is restored; after ``failures`` such parts in a row the search ends.
    Returns the number of parts that are left.
    """
    value = filled(parts.used.shape[0], -1)
    parts_seen = np.empty(parts.used.shape[0], np.int64)
    moved = np.empty(parts.part.shape[0], np.int64)
    left = np.int64(parts.used.shape[0])
    failed = 0
    spare = order[-1]
    for o in range(order.shape[0]):
        a = order[o]
        if left <= fewest or failed >= failures or work <= 0:
            break
        if parts.used[a, NEURONS] == 0:
            continue
        moves = 0
        settled = True
        while settled and parts.used[a, NEURONS] > 0:
            v = parts.ring_cursor[a]
            degree = pins.column_start[v + 1] - pins.column_start[v]
            count = _weigh_parts(pins, parts, v, value, parts_seen)
            for j in range(pins.column_start[v], pins.column_start[v + 1]):
                work -= parts.reach[pins.source[j]]
            settled = False
            tried = 0
            while tried < 24 and not settled and work > 0:
                b = np.int64(-1)
                if tried < 8:
                    for i in range(count):
                        p = parts_seen[i]
                        if value[p] >= 0 and (b < 0 or value[p] > value[b]):
                            if room_for_neuron(caps.limit, caps.use, v, parts.used[p]):
                                b = p
                    if b >= 0:
                        value[b] = -1
                    else:
                        tried = 8
                        continue
                else:
                    p = spare if tried == 8 else order[min(o + tried - 8, order.shape[0] - 1)]
                    if (
                        p != a
                        and parts.used[p, NEURONS] > 0
                        and room_for_neuron(caps.limit, caps.use, v, parts.used[p])
                    ):
                        b = p
                tried += 1
                work -= 1
                if b >= 0:
                    work -= 4 * degree
                    settled = trade(pins, caps, parts, v, b, np.int64(-1), REFUSED) != REFUSED
            _forget(value, parts_seen, count)
            if settled:
                spare = parts.part[v]
                moved[moves] = v
                moves += 1
        if settled:
            left -= 1
            failed = 0
        else:
            failed += 1
            for i in range(moves - 1, -1, -1):
                trade(pins, caps, parts, moved[i], a, np.int64(-1), REFUSED)
    return left
