"""Compiled loops of the first stage: fill cores one after another, grow them by shared sources, seat what has none."""

from __future__ import annotations

import numpy as np

from neuroemu.emulator.compiled import njit
from neuroemu.mapping._pins import (
    AXONS,
    EXTRA,
    MEMORY,
    NEURONS,
    Caps,
    Int32,
    Int64,
    Integer,
    Pins,
    filled,
    inside_kernels,
    room_for_neuron,
)


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
    part = filled(neurons, -1)
    stamp = filled(pins.rate.shape[0], -1)
    synapses = filled(pins.rate.shape[0], 0)
    new_axons = np.empty(pins.rate.shape[0], np.int64)
    used = filled(caps.limit.shape[0], 0)
    core = 0
    for i in range(neurons):
        x = order[i]
        if used[NEURONS] > 0 and not (
            room_for_neuron(caps.limit, caps.use, x, used)
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
    value = filled(count, 0)
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
                    elif value[p] == 0 and room_for_neuron(caps.limit, caps.use, v, used[p]):
                        value[p] = 1
                        if part[v] < 0 or used[p, NEURONS] < used[part[v], NEURONS]:
                            part[v] = p
        if part[v] < 0:
            p = first
            while used[p, NEURONS] > 0 and not room_for_neuron(caps.limit, caps.use, v, used[p]):
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
    part = filled(neurons, -1)
    live = filled(pins.rate.shape[0], 0)
    for u in range(pins.rate.shape[0]):
        live[u] = pins.row_start[u + 1]
    stamp = filled(pins.rate.shape[0], -1)
    synapses = filled(pins.rate.shape[0], 0)
    new_axons = np.empty(pins.rate.shape[0], np.int64)
    used = filled(caps.limit.shape[0], 0)
    queue = np.empty((neurons, 4), np.int32)
    ends = np.empty((buckets, 2), np.int64)  # first and last neuron of every bucket
    touched = np.empty(neurons, np.int64)
    touched_count = 0
    top = np.int64(-1)
    core = np.int64(0)
    seed = np.int64(0)
    # pins that refused candidates may still cost: keeps the whole linear in the lists read
    spare_work = np.int64(1 << 16)
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
            if not room_for_neuron(caps.limit, caps.use, x, used):
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
