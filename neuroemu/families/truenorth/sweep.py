"""One shard's ticks: update its cores, list their spikes, meet the other shards, and deliver the spikes of all.

A tick has two phases. *Update* walks the cores of a shard (a run of whole cores) and lists their spikes; *deliver* sets the axon
bits that spikes address in a shard. Neither phase touches another shard's memory, so shards may run side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.team import Team, has_room, meet
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.dice import tick_key
from neuroemu.families.truenorth.lanes import FULL, ONE, SIZE, WORDS, ZERO, count_bits, lowest_bit, neuron_of
from neuroemu.families.truenorth.memory import SLOTS, WEIGHT, Crossbars, HostRoutes, Neurons, Rules, Scratch, scratch
from neuroemu.families.truenorth.neurons import update_as_chosen, update_as_in_the_paper, update_one
from neuroemu.families.truenorth.packets import deliver, deliver_host
from neuroemu.families.truenorth.synapses import count_axons, prefetch_rows, walk_set_bits

MOST_WALKED = 24
"""Neurons to update in a core up to which set bits are walked one by one."""


@njit
def update(
    tick: int,
    first_core: int,
    last_core: int,
    v: Any,
    axons: Any,
    restless: Any,
    crossbars: Crossbars,
    neurons: Neurons,
    rules: Rules,
    first_source: int,
    spike_source: Any,
    position: int,
    active: Any,
    axon_events: Any,
    synaptic_events: Any,
    left_range: Any,
    room: Scratch,
) -> int:
    """One tick of cores ``first_core..last_core-1``; writes the sources of their spikes from ``position`` on.

    Args:
        axons: (cores, 4) axon bits of this tick, cleared.
        active, axon_events, synaptic_events: (cores,) int32 counters of this tick.
        left_range: (cores,) int64, added to.

    Returns:
        How many spikes were written.

    Fields are read once and no views of rows are made: a reference count costs as much as an axon.
    """
    found = position
    counts, synaptic, after = room.counts, room.synaptic, room.after
    spiked, changed, left = room.spiked, room.changed, room.left
    todo, flag_words, spike_words = room.todo, changed.view(np.uint64), spiked.view(np.uint64)
    row, of_type = crossbars.row, crossbars.of_type
    rows = row.reshape(row.size)
    block, drawing, weight = neurons.block, neurons.drawing, neurons.weight
    usual = (rules.zero_clamp == 1) & (rules.overflow == dynamics.SATURATE) & (rules.compat == dynamics.PAPER)
    for core in range(first_core, last_core):
        if core + 1 < last_core:
            prefetch_rows(core + 1, axons, rows)
        arrived = axons[core, 0] | axons[core, 1] | axons[core, 2] | axons[core, 3]
        waiting = restless[core, 0] | restless[core, 1] | restless[core, 2] | restless[core, 3]
        if arrived | waiting == ZERO:
            continue
        for word in range(WORDS):
            todo[word] = ZERO
        events: Any = 0
        arrivals = 0
        if arrived != ZERO:
            for axon_word in range(WORDS):
                rest = axons[core, axon_word]
                while rest != ZERO:
                    axon = 64 * axon_word + lowest_bit(rest)
                    rest &= rest - ONE
                    arrivals += 1
                    for word in range(WORDS):
                        bits = row[core, axon, word]
                        todo[word] |= bits
                        events += count_bits(bits)
        size: Any = 0
        for word in range(WORDS):
            reached = todo[word]
            todo[word] = reached | restless[core, word]
            restless[core, word] = reached
            size += count_bits(todo[word])
        active[core] = size
        axon_events[core] = arrivals
        synaptic_events[core] = events
        if size <= MOST_WALKED:
            key = tick_key(neurons.seed[core], tick)
            if events:
                walk_set_bits(core, block[core, WEIGHT], axons, row, of_type, weight, synaptic)
            for word in range(WORDS):
                bits = todo[word]
                while bits != ZERO:
                    bit = lowest_bit(bits)
                    bits &= bits - ONE
                    neuron = neuron_of(word, bit)
                    update_one(core, neuron, key, axons, v, crossbars, neurons, rules, room)
                    v[core, neuron] = after[neuron]
                    left_range[core] += left[neuron]
                    synaptic[neuron] = 0
                    restless[core, word] |= np.uint64(changed[neuron]) << np.uint64(bit)
        else:
            if events:
                count_axons(core, block[core, WEIGHT], axons, row, of_type, weight, counts, synaptic)
            if usual:
                any_left = update_as_in_the_paper(core, v, neurons, room)
            else:
                any_left = update_as_chosen(core, v, neurons, rules, room)
            draws = drawing[core, 0] | drawing[core, 1] | drawing[core, 2] | drawing[core, 3]
            if draws != ZERO:
                key = tick_key(neurons.seed[core], tick)
                for word in range(WORDS):
                    bits = drawing[core, word] & todo[word]
                    while bits != ZERO:
                        neuron = neuron_of(word, lowest_bit(bits))
                        bits &= bits - ONE
                        update_one(core, neuron, key, axons, v, crossbars, neurons, rules, room)
            if any_left or draws != ZERO:
                for neuron in range(SIZE):
                    left_range[core] += left[neuron]
            for neuron in range(SIZE):
                v[core, neuron] = after[neuron]
                synaptic[neuron] = 0
            for word in range(WORDS):
                flagged = ZERO
                for lane in range(8):
                    flagged |= flag_words[8 * word + lane] << np.uint64(lane)
                restless[core, word] |= flagged
        for word in range(SIZE // 8):
            if spike_words[word] != ZERO:
                for neuron in range(8 * word, 8 * word + 8):
                    if spiked[neuron]:
                        spike_source[found] = first_source + SIZE * core + neuron
                        found += 1
                spike_words[word] = ZERO
        for word in range(WORDS):
            axons[core, word] = ZERO
    return found - position


@njit
def _reset(first_core: int, last_core: int, v: Any, axons: Any, restless: Any, initial: Any) -> None:
    """A shard's state at the start of a sample; in loops, since broadcasting takes seconds to compile."""
    for core in range(first_core, last_core):
        for neuron in range(SIZE):
            v[core, neuron] = initial[core, neuron]
        for word in range(WORDS):
            restless[core, word] = FULL
            for slot in range(SLOTS):
                axons[slot, core, word] = ZERO


@njit
def advance(
    first_tick: int,
    last_tick: int,
    reset_period: int,
    input_start: Any,
    input_source: Any,
    first_core: int,
    last_core: int,
    sizes: Any,
    v: Any,
    axons: Any,
    restless: Any,
    initial: Any,
    crossbars: Crossbars,
    neurons: Neurons,
    rules: Rules,
    host: HostRoutes,
    team: Team,
    active: Any,
    axon_events: Any,
    synaptic_events: Any,
    left_range: Any,
    merged: Any,
    probe: Any,
    probe_column: Any,
    probe_v: Any,
) -> int:
    """Run ticks ``first_tick..last_tick-1`` of one shard of cores; stops early, with all others, when a spike buffer could
    overflow.

    Args:
        reset_period: state is reset whenever ``tick % reset_period == 0``.
        input_start: (ticks + 1,) where each tick's external spikes start in ``input_source``.
        sizes: int64 (members,) neurons of every shard.
        active, axon_events, synaptic_events: (ticks, cores) int32.
        left_range, merged: (cores,) int64, added to.
        probe, probe_column: neurons of the shard recorded into ``probe_v`` (ticks, columns), and where.

    Returns:
        The next tick.

    State and counters are those of the whole program; a shard writes its own cores' part.
    """
    inputs = host.start.shape[0] - 1
    room = scratch()
    member, members = team.member, sizes.shape[0]
    for tick in range(first_tick, last_tick):
        row = tick - first_tick
        if not has_room(team, row, sizes):
            return tick
        if tick % reset_period == 0:
            _reset(first_core, last_core, v, axons, restless, initial)
        sources = input_source[input_start[row] : input_start[row + 1]]
        deliver_host(tick, first_core, last_core, sources, host, axons, merged)
        written = team.sent[member, row]
        found = update(
            tick,
            first_core,
            last_core,
            v,
            axons[tick % SLOTS],
            restless,
            crossbars,
            neurons,
            rules,
            inputs,
            team.spike_source[member],
            written,
            active[row],
            axon_events[row],
            synaptic_events[row],
            left_range,
            room,
        )
        team.sent[member, row + 1] = written + found
        for index in range(probe.shape[0]):
            probe_v[row, probe_column[index]] = v[probe[index] // SIZE, probe[index] % SIZE]
        meet(team, row)
        for other in range(members):
            deliver(
                tick,
                first_core,
                last_core,
                team.spike_source[other],
                team.sent[other, row],
                team.sent[other, row + 1],
                inputs,
                neurons.target,
                axons,
                merged,
            )
    return last_tick
