"""Compiled loops of the partitioners and placers: integers only, the same with the compiler off."""

# ruff: noqa: SIM102, SIM110 - Numba compiles neither all(generator); a nested if keeps a long condition readable

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit

Int64 = NDArray[np.int64]
Integer = int | np.int64
Int32 = NDArray[np.int32]

inside_kernels = register_jitable(no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""For functions that only kernels call: no entry from Python is compiled, which halves the compile time."""

NEURONS, AXONS, MEMORY, OUTPUTS, EXTRA = 0, 1, 2, 3, 4
"""Columns of a part's resource use; additive per-neuron resources follow from ``EXTRA`` on."""

# round(1024 * -ln((i + 0.5) / 64)): an annealer that accepts a loss up to temperature * entry / 1024 for a uniform i
# accepts a loss d with probability close to exp(-d / temperature), without floating point.
ACCEPTANCE = np.array(
    [4968, 3844, 3320, 2976, 2719, 2513, 2342, 2195, 2067, 1953, 1851, 1758, 1672, 1594, 1520, 1452, 1388, 1328,
     1271, 1217, 1166, 1117, 1070, 1026, 983, 942, 903, 865, 828, 793, 759, 726, 694, 663, 633, 603, 575, 547, 520,
     494, 469, 444, 419, 395, 372, 349, 327, 305, 284, 263, 243, 223, 203, 184, 165, 146, 128, 110, 92, 75, 58, 41,
     24, 8],
    np.int64,
)  # fmt: skip


REFUSED = np.int64(1) << 62
"""Answer of a trade that broke a limit or cost too much."""


class Pins(NamedTuple):
    """A hypergraph both ways; ``multiplicity`` counts the synapses of one (source, target) pair."""

    row_start: Int64
    target: Int32
    multiplicity: Int32
    column_start: Int64
    source: Int32
    column_multiplicity: Int32
    rate: Int64
    home: Int64
    own_start: Int64
    own: Int64
    list_format: Int32


class Caps(NamedTuple):
    """Limits per part ``limit[4 + R]``, list cost ``cost[F, k]``, per-neuron use ``use[n, R]``, ``own_output[1]``."""

    limit: Int64
    cost: Int64
    use: Int64
    own_output: Int64


@inside_kernels
def _filled(length: Integer, value: Integer) -> Int64:
    """int64[length]; numpy's own functions compile much slower than this loop."""
    array = np.empty(length, np.int64)
    for i in range(length):
        array[i] = value
    return array


@inside_kernels
def seed_draws(seed: Integer) -> Int64:
    """State of L'Ecuyer's combined generator (1988): two multiplicative generators that fit 64-bit products."""
    state = np.empty(2, np.int64)
    state[0] = 1 + seed % 2147483562
    state[1] = 1 + seed * 7919 % 2147483398
    return state


@inside_kernels
def draw(state: Int64, bound: Integer) -> Integer:
    """Uniform integer in ``[0, bound)``."""
    state[0] = state[0] * 40014 % 2147483563
    state[1] = state[1] * 40692 % 2147483399
    mixed = state[0] - state[1]
    if mixed < 0:
        mixed += 2147483562
    return (mixed * bound) >> 31


# ------------------------------------------------------------------------------------------------------- both ways


@njit
def merge_columns(row_start: Int64, target: Int32, column_start: Int64, source: Int32, multiplicity: Int32) -> None:
    """Sources of every target, rising, parallel synapses merged; with an empty ``source`` only ``column_start`` is filled."""
    neurons = column_start.shape[0] - 1
    counting = source.shape[0] == 0
    place = _filled(neurons, 0)
    last = _filled(neurons, -1)
    for v in range(neurons):
        place[v] = column_start[v] - 1
    for u in range(row_start.shape[0] - 1):
        for j in range(row_start[u], row_start[u + 1]):
            v = target[j]
            if last[v] != u:
                last[v] = u
                if counting:
                    column_start[v + 1] += 1
                else:
                    place[v] += 1
                    source[place[v]] = u
                    multiplicity[place[v]] = 0
            if not counting:
                multiplicity[place[v]] += 1
    if counting:
        for v in range(neurons):
            column_start[v + 1] += column_start[v]


@njit
def turn_columns(
    column_start: Int64, source: Int32, multiplicity: Int32, row_start: Int64, target: Int32, row_multiplicity: Int32
) -> None:
    """The same pins by source; ``row_start`` comes as zeros."""
    for j in range(source.shape[0]):
        row_start[source[j] + 1] += 1
    for row in range(row_start.shape[0] - 1):
        row_start[row + 1] += row_start[row]
    place = row_start.copy()
    for v in range(column_start.shape[0] - 1):
        for j in range(column_start[v], column_start[v + 1]):
            u = np.int64(source[j])
            target[place[u]] = v
            row_multiplicity[place[u]] = multiplicity[j]
            place[u] += 1


@njit
def lists_alone(pins: Pins, cost: Int64) -> Int64:
    """Memory of every neuron's synapse lists on a core of its own."""
    units = _filled(pins.column_start.shape[0] - 1, 0)
    for v in range(units.shape[0]):
        for j in range(pins.column_start[v], pins.column_start[v + 1]):
            units[v] += cost[pins.list_format[pins.source[j]], pins.column_multiplicity[j]]
    return units


@njit
def count_deliveries(
    row_start: Int64, target: Int32, part: Int32, parts: int, source: Int64, to: Int64, synapses: Int64
) -> Integer:
    """(source, part, synapses) by source, parts in the order met; only counted while the arrays are empty."""
    last = _filled(parts, -1)
    entry = _filled(parts, 0)
    count: Integer = np.int64(0)
    counting = source.shape[0] == 0
    for u in range(row_start.shape[0] - 1):
        for j in range(row_start[u], row_start[u + 1]):
            p = part[target[j]]
            if last[p] != u:
                last[p] = u
                entry[p] = count
                if not counting:
                    source[count] = u
                    to[count] = p
                    synapses[count] = 0
                count += 1
            if not counting:
                synapses[entry[p]] += 1
    return count


# ---------------------------------------------------------------------------------------------------- first stage


@inside_kernels
def _enter(
    pins: Pins, caps: Caps, x: Integer, core: Integer, stamp: Int64, synapses: Int64, used: Int64, new_axons: Int64
) -> Integer:
    """Book neuron ``x`` into the open core; the sources new to the core go to ``new_axons``; returns their number."""
    fresh = 0
    for j in range(pins.column_start[x], pins.column_start[x + 1]):
        u = np.int64(pins.source[j])
        if stamp[u] != core:
            stamp[u] = core
            synapses[u] = 0
            new_axons[fresh] = u
            fresh += 1
        cost = caps.cost[pins.list_format[u]]
        used[MEMORY] += cost[synapses[u] + np.int64(pins.column_multiplicity[j])] - cost[synapses[u]]
        synapses[u] += pins.column_multiplicity[j]
    used[NEURONS] += 1
    used[AXONS] += fresh
    for r in range(caps.use.shape[1]):
        used[EXTRA + r] += caps.use[x, r]
    return fresh


@inside_kernels
def _room_for_neuron(limit: Int64, use: Int64, x: Integer, used: Int64) -> bool:
    if used[NEURONS] + 1 > limit[NEURONS]:
        return False
    for r in range(use.shape[1]):
        if used[EXTRA + r] + use[x, r] > limit[EXTRA + r]:
            return False
    return True


@inside_kernels
def _room_for_lists(
    pins: Pins, caps: Caps, x: Integer, core: Integer, stamp: Int64, synapses: Int64, used: Int64
) -> bool:
    """Whether the synapse lists of ``x`` fit the open core; O(in-degree)."""
    memory = used[MEMORY]
    axons = used[AXONS]
    for j in range(pins.column_start[x], pins.column_start[x + 1]):
        u = np.int64(pins.source[j])
        cost = caps.cost[pins.list_format[u]]
        if stamp[u] == core:
            memory += cost[synapses[u] + np.int64(pins.column_multiplicity[j])] - cost[synapses[u]]
        else:
            axons += 1
            memory += cost[pins.column_multiplicity[j]]
    return memory <= caps.limit[MEMORY] and axons <= caps.limit[AXONS]


@njit
def fill_sequentially(pins: Pins, caps: Caps, order: Int64) -> Int64:
    """Neurons in ``order``; a new core opens when a limit would break. O(pins)."""
    neurons = pins.column_start.shape[0] - 1
    part = _filled(neurons, -1)
    stamp = _filled(pins.rate.shape[0], -1)
    synapses = _filled(pins.rate.shape[0], 0)
    new_axons = np.empty(pins.rate.shape[0], np.int64)
    used = _filled(caps.limit.shape[0], 0)
    core = 0
    for i in range(neurons):
        x = order[i]
        if used[NEURONS] > 0 and not (
            _room_for_neuron(caps.limit, caps.use, x, used)
            and _room_for_lists(pins, caps, x, core, stamp, synapses, used)
        ):
            core += 1
            for r in range(used.shape[0]):
                used[r] = 0
        part[x] = core
        _enter(pins, caps, x, core, stamp, synapses, used, new_axons)
    return part


@njit
def seat_sourceless(pins: Pins, caps: Caps, part: Int64) -> Int64:
    """Give every unassigned neuron a seat: beside its targets where there is room, else anywhere, else on a new part.

    ``part`` is changed in place. Such neurons have no sources: only the neuron count and additive resources matter.
    """
    neurons = part.shape[0]
    waiting = 0
    count = 0
    for v in range(neurons):
        if part[v] < 0:
            waiting += 1
        count = max(count, part[v] + 1)
    used = np.zeros((count + waiting, caps.limit.shape[0]), np.int64)
    for v in range(neurons):
        if part[v] >= 0:
            _seat(caps, v, used[part[v]])
    value = _filled(count, 0)
    first = 0
    for v in range(neurons):
        if part[v] >= 0:
            continue
        for sign in (1, -1):
            for j in range(pins.own_start[v], pins.own_start[v + 1]):
                for k in range(pins.row_start[pins.own[j]], pins.row_start[pins.own[j] + 1]):
                    p = part[pins.target[k]]
                    if p < 0 or p >= count:
                        continue
                    if sign < 0:
                        value[p] = 0
                    elif value[p] == 0 and _room_for_neuron(caps.limit, caps.use, v, used[p]):
                        value[p] = 1
                        if part[v] < 0 or used[p, NEURONS] < used[part[v], NEURONS]:
                            part[v] = p
        if part[v] < 0:
            p = first
            while used[p, NEURONS] > 0 and not _room_for_neuron(caps.limit, caps.use, v, used[p]):
                p += 1
            if caps.use.shape[1] == 0:
                first = p
            part[v] = p
        _seat(caps, v, used[part[v]])
    return part


@inside_kernels
def _seat(caps: Caps, v: Integer, used: Int64) -> None:
    used[NEURONS] += 1
    for r in range(caps.use.shape[1]):
        used[EXTRA + r] += caps.use[v, r]


# Columns of the bucket queue's table, one row a neuron, so that an update touches one cache line: sources shared with the
# open core, bucket (or WAITING, REFUSED_HERE, ASSIGNED), neighbours in the bucket's list.
SHARED, BUCKET, AFTER, BEFORE = 0, 1, 2, 3
WAITING, REFUSED_HERE, ASSIGNED = -1, -2, -3


@inside_kernels
def _unlink(x: Integer, queue: Int32, ends: Int64) -> None:
    after = queue[x, AFTER]
    before = queue[x, BEFORE]
    if before >= 0:
        queue[before, AFTER] = after
    else:
        ends[queue[x, BUCKET], 0] = after
    if after >= 0:
        queue[after, BEFORE] = before
    else:
        ends[queue[x, BUCKET], 1] = before


@inside_kernels
def _link(x: Integer, bucket: Integer, queue: Int32, ends: Int64) -> None:
    """Append to the bucket's list: first in, first out."""
    last = ends[bucket, 1]
    queue[x, BUCKET] = bucket
    queue[x, AFTER] = -1
    queue[x, BEFORE] = last
    if last >= 0:
        queue[last, AFTER] = x
    else:
        ends[bucket, 0] = x
    ends[bucket, 1] = x


@njit
def grow_by_overlap(pins: Pins, caps: Caps, target: Int32, buckets: Integer, reads: Integer) -> Int64:
    """Grow cores one at a time, always taking the neuron with the largest share of its sources already present.

    A free neuron waits in bucket ``share * (buckets - 1)`` (doubly linked, first in first out, which grows balls rather
    than snakes), so a change of share and a pop are O(1); a source's list forgets its assigned targets when next read.
    ``target`` is a copy of ``pins.target`` that is reordered. A core closes when no neuron that shares a source fits.
    Neurons without sources stay unassigned (-1). Work is linear in the target lists read: one for every (source, core).
    After ``reads`` targets it gives up and returns nothing (length 0).
    """
    neurons = pins.column_start.shape[0] - 1
    part = _filled(neurons, -1)
    live = _filled(pins.rate.shape[0], 0)
    for u in range(pins.rate.shape[0]):
        live[u] = pins.row_start[u + 1]
    stamp = _filled(pins.rate.shape[0], -1)
    synapses = _filled(pins.rate.shape[0], 0)
    new_axons = np.empty(pins.rate.shape[0], np.int64)
    used = _filled(caps.limit.shape[0], 0)
    queue = np.empty((neurons, 4), np.int32)
    ends = np.empty((buckets, 2), np.int64)  # first and last neuron of every bucket
    touched = np.empty(neurons, np.int64)
    touched_count = 0
    top = np.int64(-1)
    core = np.int64(0)
    seed = np.int64(0)
    spare_work = np.int64(
        1 << 16
    )  # pins that refused candidates may still cost: keeps the whole linear in the lists read
    for x in range(neurons):
        queue[x, SHARED] = 0
        queue[x, BUCKET] = WAITING
    for bucket in range(buckets):
        ends[bucket, 0] = -1
        ends[bucket, 1] = -1
    while True:
        chosen = np.int64(-1)
        while top >= 0 and chosen < 0:
            x = ends[top, 0]
            if x < 0:
                top -= 1
                continue
            _unlink(x, queue, ends)
            queue[x, BUCKET] = REFUSED_HERE
            degree = pins.column_start[x + 1] - pins.column_start[x]
            if used[AXONS] + degree - queue[x, SHARED] > caps.limit[AXONS]:
                continue
            if not _room_for_neuron(caps.limit, caps.use, x, used):
                continue
            if spare_work > 0 and _room_for_lists(pins, caps, x, core, stamp, synapses, used):
                chosen = x
            else:
                spare_work -= degree
        if chosen < 0 and used[NEURONS] == 0:
            while seed < neurons and (part[seed] >= 0 or pins.column_start[seed + 1] == pins.column_start[seed]):
                seed += 1
            if seed == neurons:
                return part
            chosen = seed
        if chosen < 0:
            core += 1
            for r in range(used.shape[0]):
                used[r] = 0
            for i in range(touched_count):
                queue[touched[i], SHARED] = 0
                if queue[touched[i], BUCKET] != ASSIGNED:
                    queue[touched[i], BUCKET] = WAITING
            touched_count = 0
            spare_work = max(spare_work, np.int64(1 << 16))
            continue
        part[chosen] = core
        queue[chosen, BUCKET] = ASSIGNED
        spare_work += 4 * (pins.column_start[chosen + 1] - pins.column_start[chosen])
        fresh = _enter(pins, caps, chosen, core, stamp, synapses, used, new_axons)
        if reads < 0:
            return part[:0]
        for i in range(fresh):
            u = new_axons[i]
            k = pins.row_start[u]
            reads -= live[u] - k
            while k < live[u]:
                near = np.int64(target[k])
                bucket = queue[near, BUCKET]
                if bucket == ASSIGNED:
                    live[u] -= 1
                    target[k] = target[live[u]]
                    continue
                k += 1
                if queue[near, SHARED] == 0:
                    touched[touched_count] = near
                    touched_count += 1
                queue[near, SHARED] += 1
                if bucket == REFUSED_HERE:
                    continue
                degree = pins.column_start[near + 1] - pins.column_start[near]
                place = queue[near, SHARED] * (buckets - 1) // degree
                if place != bucket:
                    if bucket >= 0:
                        _unlink(near, queue, ends)
                    _link(near, place, queue, ends)
                    top = max(top, place)


# ------------------------------------------------------------------------------------------------- exact refinement


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
def _synapses_on(slots: Slots, u: Integer, p: Integer) -> Integer:
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
        on_a = np.int64(_synapses_on(parts.slots, h, a) > 0)
        on_b = np.int64(_synapses_on(parts.slots, h, b) > 0)
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
def _expected_change(pins: Pins, parts: Parts, v: Integer, b: Integer) -> Integer:
    """Change in messages of moving ``v`` alone, without touching the counts (autapses only nearly)."""
    a = parts.part[v]
    change = np.int64(0)
    for j in range(pins.column_start[v], pins.column_start[v + 1]):
        u = np.int64(pins.source[j])
        home_part = np.int64(-1) if pins.home[u] < 0 else parts.part[pins.home[u]]
        if home_part != a and _synapses_on(parts.slots, u, a) == pins.column_multiplicity[j]:
            change -= pins.rate[u]
        if home_part != b and _synapses_on(parts.slots, u, b) == 0:
            change += pins.rate[u]
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        on_a = np.int64(_synapses_on(parts.slots, h, a) > 0)
        on_b = np.int64(_synapses_on(parts.slots, h, b) > 0)
        change += (on_a - on_b) * pins.rate[h]
    return change


@inside_kernels
def _trade(pins: Pins, caps: Caps, parts: Parts, v: Integer, b: Integer, w: Integer, allowed: Integer) -> Integer:
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
        if _synapses_on(parts.slots, u, a) == pins.column_multiplicity[j]:
            if pins.home[u] < 0 or parts.part[pins.home[u]] != a:
                change -= pins.rate[u]
    for j in range(pins.own_start[v], pins.own_start[v + 1]):
        h = pins.own[j]
        if _synapses_on(parts.slots, h, a) > 0:
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
    value = _filled(parts.used.shape[0], -1)
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
                if (wanted_open < 0 or value[p] > value[wanted_open]) and _room_for_neuron(
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
                change = _trade(pins, caps, parts, v, b, w, 0)
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
    value = _filled(parts.used.shape[0], -1)
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
                            if _room_for_neuron(caps.limit, caps.use, v, parts.used[p]):
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
                        and _room_for_neuron(caps.limit, caps.use, v, parts.used[p])
                    ):
                        b = p
                tried += 1
                work -= 1
                if b >= 0:
                    work -= 4 * degree
                    settled = _trade(pins, caps, parts, v, b, np.int64(-1), REFUSED) != REFUSED
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
                _trade(pins, caps, parts, moved[i], a, np.int64(-1), REFUSED)
    return left


# ------------------------------------------------------------------------------------------------------ placement


@njit
def anneal_placement(
    row_start: Int64,
    neighbour: Int64,
    traffic: Int64,
    place: Int64,
    tile_of_slot: Int64,
    slot_of_core: Int64,
    acceptance: Int64,
    seed: Integer,
    levels: Integer,
    tries: Integer,
) -> Int64:
    """Swap the slots of two cores, or move one to a free slot, under a falling temperature; the best placement seen.

    ``row_start``, ``neighbour``, ``traffic`` are the symmetric core graph; ``place`` (tiles, 2) are coordinates times the
    cost of a hop. A swap of degree d costs O(d); ``slot_of_core`` is changed on the way. ``tries`` swaps a core are
    proposed at each of ``levels`` temperatures, the last ones at zero.
    """
    cores = slot_of_core.shape[0]
    slots = tile_of_slot.shape[0]
    state = seed_draws(seed)
    best = _filled(cores, 0)
    core_at = _filled(slots, -1)
    tile = np.empty(cores, np.int64)
    for c in range(cores):
        core_at[slot_of_core[c]] = c
        best[c] = slot_of_core[c]
        tile[c] = tile_of_slot[slot_of_core[c]]
    cost = np.int64(0)
    least = np.int64(0)
    temperature = np.int64(0)
    for level in range(-1, levels):
        for _ in range(tries * cores):
            a = draw(state, cores)
            # half of the proposals go beside a partner, the others anywhere
            degree = row_start[a + 1] - row_start[a]
            if degree > 0 and draw(state, 2) == 0:
                partner = neighbour[row_start[a] + draw(state, degree)]
                s = (slot_of_core[partner] + draw(state, 9) - 4) % slots
            else:
                s = draw(state, slots)
            b = core_at[s]
            from_tile = tile[a]
            to_tile = tile_of_slot[s]
            if b == a or from_tile == to_tile:
                continue
            change = np.int64(0)
            mover, origin, goal = a, from_tile, to_tile
            for _ in range(2):
                for i in range(row_start[mover], row_start[mover + 1]):
                    partner = neighbour[i]
                    if partner != a and partner != b:
                        x, y = place[tile[partner], 0], place[tile[partner], 1]
                        after = abs(place[goal, 0] - x) + abs(place[goal, 1] - y)
                        before = abs(place[origin, 0] - x) + abs(place[origin, 1] - y)
                        change += traffic[i] * (after - before)
                if b < 0:
                    break
                mover, origin, goal = b, to_tile, from_tile
            if level < 0:  # no swaps yet: the largest loss seen sets the temperature
                temperature = max(temperature, change // 4)
                continue
            if change > temperature * acceptance[draw(state, 64)] // 1024:
                continue
            core_at[slot_of_core[a]] = b
            if b >= 0:
                slot_of_core[b] = slot_of_core[a]
                tile[b] = from_tile
            core_at[s] = a
            slot_of_core[a] = s
            tile[a] = to_tile
            cost += change
            if cost < least:
                least = cost
                for c in range(cores):
                    best[c] = slot_of_core[c]
        if level >= 0:
            temperature = temperature * 3 // 4
        if level >= levels - 3:
            temperature = np.int64(0)
    return best
