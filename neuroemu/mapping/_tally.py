"""A partition with exact counts that follow every move: synapses of each source on each part, and each part's use."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neuroemu.mapping._pins import (
    AXONS,
    EXTRA,
    MEMORY,
    NEURONS,
    OUTPUTS,
    Caps,
    Int32,
    Int64,
    Integer,
    Pins,
    inside_kernels,
)

REFUSED = np.int64(1) << 62
"""Answer of a trade that broke a limit or cost too much."""


class Slots(NamedTuple):
    """Synapses of each source on each part: entries ``start[u]`` to ``start[u + 1]`` are ``part``, ``synapses``.

    A source that could reach every one of the ``parts`` has an entry for each, in order; others have a short list.
    """

    start: Int64
    part: Int32
    synapses: Int32
    parts: int


class Parts(NamedTuple):
    """A partition with exact counts: synapses of every source on every part it reaches, and each part's use.

    ``reach`` counts the parts with synapses, ``ring_*`` lists the members of a part in a circle,
    ``over[0]`` the resources beyond a limit, ``used[K, 4 + R]``.
    """

    part: Int64
    slots: Slots
    reach: Int64
    used: Int64
    over: Int64
    ring_next: Int64
    ring_before: Int64
    ring_cursor: Int64


@inside_kernels
def _slot_of(slots: Slots, u: Integer, p: Integer) -> Integer:
    """Entry of part ``p`` in the list of source ``u``, or an empty entry to take."""
    start = slots.start[u]
    end = slots.start[u + 1]
    if end - start == slots.parts:
        return start + p
    hole: Integer = np.int64(-1)
    for i in range(start, end):
        if slots.part[i] == p:
            return i
        if hole < 0 and slots.synapses[i] == 0:
            hole = i
        if slots.part[i] < 0:
            break
    return hole


@inside_kernels
def synapses_on(slots: Slots, u: Integer, p: Integer) -> Integer:
    start = slots.start[u]
    end = slots.start[u + 1]
    if end - start == slots.parts:
        return np.int64(slots.synapses[start + p])
    for i in range(start, end):
        if slots.part[i] == p:
            return np.int64(slots.synapses[i])
        if slots.part[i] < 0:
            break
    return np.int64(0)


@inside_kernels
def _charge(limit: Int64, used: Int64, over: Int64, p: Integer, resource: Integer, amount: Integer) -> None:
    before = used[p, resource] > limit[resource]
    used[p, resource] += amount
    after = used[p, resource] > limit[resource]
    over[0] += np.int64(after) - np.int64(before)


@inside_kernels
def _change_synapses(pins: Pins, caps: Caps, parts: Parts, u: Integer, p: Integer, amount: Integer) -> Integer:
    """Add ``amount`` synapses of source ``u`` on part ``p``; returns the change in messages."""
    slot = _slot_of(parts.slots, u, p)
    parts.slots.part[slot] = p
    old = np.int64(parts.slots.synapses[slot])
    new = old + amount
    parts.slots.synapses[slot] = new
    cost = caps.cost[pins.list_format[u]]
    _charge(caps.limit, parts.used, parts.over, p, MEMORY, cost[new] - cost[old])
    if (old > 0) == (new > 0):
        return np.int64(0)
    sign = np.int64(1) if new > 0 else np.int64(-1)
    _charge(caps.limit, parts.used, parts.over, p, AXONS, sign)
    parts.reach[u] += sign
    if pins.home[u] < 0:
        return sign * pins.rate[u]
    home_part = parts.part[pins.home[u]]
    if home_part == p:
        _charge(caps.limit, parts.used, parts.over, p, OUTPUTS, sign * caps.own_output[0])
        return np.int64(0)
    _charge(caps.limit, parts.used, parts.over, home_part, OUTPUTS, sign)
    return sign * pins.rate[u]


@inside_kernels
def _move_outputs(pins: Pins, caps: Caps, parts: Parts, v: Integer, a: Integer, b: Integer) -> Integer:
    """Move the output entries of ``v``'s own spikes from part ``a`` to ``b``; returns the change in messages."""
    change = np.int64(0)
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        on_a = np.int64(synapses_on(parts.slots, h, a) > 0)
        on_b = np.int64(synapses_on(parts.slots, h, b) > 0)
        _charge(caps.limit, parts.used, parts.over, a, OUTPUTS, on_a - parts.reach[h] - on_a * caps.own_output[0])
        _charge(caps.limit, parts.used, parts.over, b, OUTPUTS, parts.reach[h] - on_b + on_b * caps.own_output[0])
        change += (on_a - on_b) * pins.rate[h]
    return change


@inside_kernels
def _leave_ring(parts: Parts, v: Integer, a: Integer) -> None:
    after = parts.ring_next[v]
    if after == v:
        parts.ring_cursor[a] = -1
        return
    parts.ring_next[parts.ring_before[v]] = after
    parts.ring_before[after] = parts.ring_before[v]
    if parts.ring_cursor[a] == v:
        parts.ring_cursor[a] = after


@inside_kernels
def _join_ring(parts: Parts, v: Integer, b: Integer) -> None:
    cursor = parts.ring_cursor[b]
    if cursor < 0:
        parts.ring_cursor[b] = v
        cursor = v
        parts.ring_before[v] = v
    last = parts.ring_before[cursor]
    parts.ring_next[v] = cursor
    parts.ring_before[v] = last
    parts.ring_next[last] = v
    parts.ring_before[cursor] = v


@inside_kernels
def _move(pins: Pins, caps: Caps, parts: Parts, v: Integer, b: Integer) -> Integer:
    """Move neuron ``v`` to part ``b`` with every count; returns the exact change in messages. O(in-degree)."""
    a = parts.part[v]
    change = np.int64(0)
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        u = np.int64(pins.source[j])
        change += _change_synapses(pins, caps, parts, u, a, -np.int64(pins.column_multiplicity[j]))
        change += _change_synapses(pins, caps, parts, u, b, np.int64(pins.column_multiplicity[j]))
    change += _move_outputs(pins, caps, parts, v, a, b)
    _charge(caps.limit, parts.used, parts.over, a, NEURONS, -1)
    _charge(caps.limit, parts.used, parts.over, b, NEURONS, 1)
    for r in range(caps.use.shape[1]):
        _charge(caps.limit, parts.used, parts.over, a, EXTRA + r, -caps.use[v, r])
        _charge(caps.limit, parts.used, parts.over, b, EXTRA + r, caps.use[v, r])
    _leave_ring(parts, v, a)
    _join_ring(parts, v, b)
    parts.part[v] = b
    return change


@inside_kernels
def trade(pins: Pins, caps: Caps, parts: Parts, v: Integer, b: Integer, w: Integer, allowed: Integer) -> Integer:
    """Move ``v`` to part ``b`` and ``w`` (unless -1) to ``v``'s part; undone unless legal and ``change < allowed``.

    Returns the change in messages, or ``REFUSED``.
    """
    a = parts.part[v]
    change = np.int64(0)
    for step in range(4):
        if step == 2 and change < allowed and parts.over[0] == 0:
            return change
        x = v if step == 0 or step == 3 else w
        if x >= 0:
            change += _move(pins, caps, parts, x, b if step % 2 == 0 else a)
    return REFUSED
