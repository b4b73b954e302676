"""Crossbar cores in motion: the compiled tick over all cores of a program, from axon bits to spikes on other cores' axons.

A tick has two phases. *Update* walks the cores of a shard (a run of whole cores) and lists their spikes; *deliver* sets the axon
bits that spikes address in a shard. Neither phase touches another shard's memory, so shards may run side by side.

Rows of the crossbar are bits, a 256-bit row per axon in lane order: bit ``8 * k + j`` of word ``w`` is neuron
``64 * w + 8 * j + k``. Eight shifts then turn a word into eight words of byte-wide counters in the neurons' own order.

A neuron is restless when its next tick may change anything without input; a core without active axons and restless neurons is
not visited, and a core with few of either walks set bits instead of counting.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import inlined, njit, prefetch
from neuroemu.emulator.narrow import narrow
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.random import mix
from neuroemu.emulator.snapshot import restore_into
from neuroemu.emulator.team import Team, has_room, meet, run_together, spikes_of
from neuroemu.errors import BadInput, Finding
from neuroemu.families.truenorth import dynamics

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]
Words = NDArray[np.uint64]

SIZE = 256
"""Axons and neurons of a core."""
TYPES = 4
WORDS = SIZE // 64
SLOTS = 16
"""Ticks that the scheduler of a core holds: the one being served and 15 to come."""
MOST_WALKED = 24
"""Neurons to update in a core up to which set bits are walked one by one."""
MOST_COUNTED = 255
"""What a byte-wide counter holds."""
AHEAD = 8
"""Spikes between prefetching an axon word and setting its bit."""

WEIGHT, LEAK, THRESHOLD, RESET, DICE = range(5)
"""Columns of ``Neurons.block``."""
KAPPA, REVERSAL = 4, 8
"""Bits of a neuron's mode; its lowest two bits are the reset mode gamma."""
STOCHASTIC_LEAK = 16
"""Bit of a neuron's dice; its lowest four bits are the stochastic axon types."""
CORE_SHIFT, AXON_SHIFT, DELAY_MASK = 12, 4, 15

_BORDER = 2
"""Shards begin at multiples of it, so that two threads seldom write to one cache line."""
_SPIKE_BUFFER = 1 << 20
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_LOW = np.uint64(0x0101010101010101)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)


def _bit_numbers() -> NDArray[np.int64]:
    table = np.zeros(64, np.int64)
    for bit in range(64):
        table[((1 << bit) * int(_DE_BRUIJN) & int(_FULL)) >> 58] = bit
    return table


_BIT_NUMBER = _bit_numbers()


_tick_in_32_bits = narrow(dynamics.tick)


class Crossbars(NamedTuple):
    """What is stored per axon."""

    row: Words  # (cores, 256, 4), lane order
    of_type: Words  # (cores, 4, 4) axons of each type, bit a % 64 of word a // 64


class Neurons(NamedTuple):
    """What is stored per neuron. Cores with equal parameters share a block of 256, which then stays in the nearest cache."""

    block: Int64  # (cores, 5) number of the core's block of weights, of leaks, of thresholds, of resets and of dice
    weight: NDArray[np.int16]  # (blocks, 4, 256) by axon type
    leak: NDArray[np.int16]  # (blocks, 256)
    alpha: Int32  # (blocks, 256)
    beta: Int32
    reset: Int32  # (blocks, 256)
    mode: NDArray[np.uint8]
    dice: NDArray[np.uint8]  # (blocks, 256)
    mask_bits: NDArray[np.uint8]
    drawing: Words  # (cores, 4) neurons with random numbers, lane order
    target: NDArray[np.uint32]  # (cores, 256) core << 12 | axon << 4 | delay; delay 0 without target
    seed: Words  # (cores,)


class Rules(NamedTuple):
    """What the public texts leave open, as chosen."""

    zero_clamp: int
    overflow: int
    compat: int
    rho_lowest: int
    rho_span: int


class HostRoutes(NamedTuple):
    """Where spikes from outside go, CSR by host source; delay 0 is the tick itself."""

    start: Int64
    core: Int64
    axon: Int64
    delay: Int64


@dataclass(frozen=True)
class CompiledProgram:
    """Everything the tick needs that never changes during a run; ``initial`` are the potentials before tick 0."""

    crossbars: Crossbars
    neurons: Neurons
    rules: Rules
    host: HostRoutes
    initial: Int32  # (cores, 256)

    @property
    def cores(self) -> int:
        return int(self.initial.shape[0])

    @property
    def inputs(self) -> int:
        return int(self.host.start.shape[0]) - 1


@dataclass(frozen=True)
class CrossbarChunk(Chunk):
    """A chunk with what only a crossbar core counts.

    Attributes:
        synaptic_events: (ticks, cores) int32, set bits in rows of active axons.
        axon_events: (ticks, cores) int32, active axons.
        merged: (cores,) int64, spikes that found their axon already set for the same tick.
    """

    synaptic_events: Int32
    axon_events: Int32
    merged: Int64


@dataclass
class State:
    """Everything that changes: potentials, axon bits of the ticks to come, neurons that may change by themselves."""

    v: Int32  # (cores, 256)
    axons: Words  # (16, cores, 4)
    restless: Words  # (cores, 4), lane order


class Scratch(NamedTuple):
    """Room for one core's tick."""

    counts: Words  # (32,) byte-wide counters
    synaptic: Int32  # (256,)
    after: Int32
    spiked: NDArray[np.uint8]
    changed: NDArray[np.uint8]
    left: NDArray[np.uint8]
    todo: Words  # (4,) neurons to update, lane order


def initial_state(program: CompiledProgram) -> State:
    """As after a reset of the chip."""
    return State(
        v=program.initial.copy(),
        axons=np.zeros((SLOTS, program.cores, WORDS), np.uint64),
        restless=np.full((program.cores, WORDS), _FULL),
    )


def lane_order(bits: NDArray[Any]) -> Words:
    """Booleans (..., 256) by neuron as uint64 words (..., 4) in lane order."""
    lanes = np.asarray(bits, np.bool_).reshape(*bits.shape[:-1], WORDS, 8, 8).swapaxes(-1, -2)
    packed = np.packbits(np.ascontiguousarray(lanes), axis=-1, bitorder="little")
    return packed.reshape(*bits.shape[:-1], WORDS * 8).view("<u8").astype(np.uint64, copy=False)


@njit
def scratch() -> Scratch:
    """Fresh room, zero."""
    return Scratch(
        np.zeros(SIZE // 8, np.uint64),
        np.zeros(SIZE, np.int32),
        np.zeros(SIZE, np.int32),
        np.zeros(SIZE, np.uint8),
        np.zeros(SIZE, np.uint8),
        np.zeros(SIZE, np.uint8),
        np.zeros(WORDS, np.uint64),
    )


@njit
def lowest_bit(word: Any) -> Any:
    """Number of the lowest set bit of a uint64 that is not zero."""
    isolated = word & (~word + _ONE)
    return _BIT_NUMBER[np.int64((isolated * _DE_BRUIJN) >> np.uint64(58))]


@njit
def count_bits(word: Any) -> Any:
    """Set bits of a uint64."""
    word = word - ((word >> _ONE) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * _LOW) >> np.uint64(56))


@njit
def neuron_of(word: int, bit: int) -> int:
    """Neuron at a bit of a word in lane order."""
    return 64 * word + 8 * (bit & 7) + (bit >> 3)


@njit
def random_word(key: Any, neuron: int, draw: Any) -> Any:
    """Generator "neuroemu v1": the ``draw``-th 32-bit word of a neuron in the tick of ``key``."""
    return np.int64(mix(key ^ ((np.uint64(neuron) << np.uint64(32)) | np.uint64(draw))) >> np.uint64(32))


@njit
def tick_key(seed: Any, tick: int) -> Any:
    """What a core's random words of a tick are made from."""
    return mix(mix(seed) ^ np.uint64(tick))


@njit
def _walk(core: int, block: int, axons: Any, row: Any, of_type: Any, weight: Any, synaptic: Any) -> None:
    """Add the weights of active axons, set bit by set bit."""
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != _ZERO:
            axon = 64 * axon_word + lowest_bit(waiting)
            waiting &= waiting - _ONE
            kind = _type_of(core, axon, of_type)
            for word in range(WORDS):
                bits = row[core, axon, word]
                while bits != _ZERO:
                    neuron = neuron_of(word, lowest_bit(bits))
                    bits &= bits - _ONE
                    synaptic[neuron] += weight[block, kind, neuron]


@njit
def _type_of(core: int, axon: int, of_type: Any) -> int:
    word, bit = axon >> 6, np.uint64(axon & 63)
    for kind in range(TYPES - 1):
        if (of_type[core, kind, word] >> bit) & _ONE != _ZERO:
            return kind
    return TYPES - 1


@inlined
def _count(core: int, block: int, axons: Any, row: Any, of_type: Any, weight: Any, counts: Any, synaptic: Any) -> None:
    """Add the weights of active axons type by type: count the active axons of each neuron, then multiply once."""
    for kind in range(TYPES):
        counted = 0
        for axon_word in range(WORDS):
            waiting = axons[core, axon_word] & of_type[core, kind, axon_word]
            while waiting != _ZERO:
                axon = 64 * axon_word + lowest_bit(waiting)
                waiting &= waiting - _ONE
                for word in range(WORDS):
                    bits = row[core, axon, word]
                    for lane in range(8):
                        counts[8 * word + lane] += (bits >> np.uint64(lane)) & _LOW
                counted += 1
                if counted == MOST_COUNTED:
                    _weigh(block, kind, weight, counts, synaptic)
                    counted = 0
        if counted:
            _weigh(block, kind, weight, counts, synaptic)


@inlined
def _weigh(block: int, kind: int, weight: Any, counts: Any, synaptic: Any) -> None:
    counted = counts.view(np.uint8)
    for neuron in range(SIZE):
        synaptic[neuron] += np.int32(weight[block, kind, neuron]) * np.int32(counted[neuron])
    for word in range(SIZE // 8):
        counts[word] = _ZERO


@inlined
def _update_all(
    core: int,
    leak_block: int,
    threshold_block: int,
    reset_block: int,
    v: Any,
    synaptic: Any,
    leak: Any,
    alpha: Any,
    beta: Any,
    reset: Any,
    mode: Any,
    zero_clamp: Any,
    overflow: Any,
    compat: Any,
    after: Any,
    spiked: Any,
    changed: Any,
    left: Any,
) -> Any:
    """One tick of a core's neurons, random numbers left out; not 0 if any left its range.

    32 bits suffice: a potential has 20, a threshold with its random part 19, and 256 weights of 9 bits have 17.
    """
    any_left = np.int32(0)
    for neuron in range(SIZE):
        modes = np.int32(mode[reset_block, neuron])
        before = v[core, neuron]
        new, fired, beyond = _tick_in_32_bits(
            before,
            synaptic[neuron],
            np.int32(leak[leak_block, neuron]),
            np.int32((modes >> 3) & 1),
            np.int32(zero_clamp),
            alpha[threshold_block, neuron],
            beta[threshold_block, neuron],
            np.int32(0),
            reset[reset_block, neuron],
            np.int32(modes & 3),
            np.int32((modes >> 2) & 1),
            np.int32(overflow),
            np.int32(compat),
        )
        after[neuron] = new
        spiked[neuron] = fired
        changed[neuron] = fired | (new != before) | beyond
        left[neuron] = beyond
        any_left = np.int32(any_left | np.int32(beyond))
    return any_left


@inlined
def _update_as_in_the_paper(
    core: int,
    blocks: Any,
    v: Any,
    synaptic: Any,
    leak: Any,
    alpha: Any,
    beta: Any,
    reset: Any,
    mode: Any,
    after: Any,
    spiked: Any,
    changed: Any,
    left: Any,
) -> Any:
    """The default rules as constants, which makes the loop shorter."""
    return _update_all(
        core,
        blocks[core, LEAK],
        blocks[core, THRESHOLD],
        blocks[core, RESET],
        v,
        synaptic,
        leak,
        alpha,
        beta,
        reset,
        mode,
        1,
        dynamics.SATURATE,
        dynamics.PAPER,
        after,
        spiked,
        changed,
        left,
    )


@njit
def _update_as_chosen(
    core: int,
    blocks: Any,
    v: Any,
    synaptic: Any,
    leak: Any,
    alpha: Any,
    beta: Any,
    reset: Any,
    mode: Any,
    rules: Rules,
    after: Any,
    spiked: Any,
    changed: Any,
    left: Any,
) -> Any:
    """Any rules."""
    return _update_all(
        core,
        blocks[core, LEAK],
        blocks[core, THRESHOLD],
        blocks[core, RESET],
        v,
        synaptic,
        leak,
        alpha,
        beta,
        reset,
        mode,
        rules.zero_clamp,
        rules.overflow,
        rules.compat,
        after,
        spiked,
        changed,
        left,
    )


@njit
def _update_one(
    core: int,
    neuron: int,
    key: Any,
    axons: Any,
    v: Any,
    crossbars: Crossbars,
    neurons: Neurons,
    rules: Rules,
    room: Scratch,
) -> None:
    """One tick of one neuron with all its random numbers."""
    thresholds, resets = neurons.block[core, THRESHOLD], neurons.block[core, RESET]
    draws = neurons.block[core, DICE]
    modes, dice = np.int64(neurons.mode[resets, neuron]), np.int64(neurons.dice[draws, neuron])
    mask_bits = np.int64(neurons.mask_bits[draws, neuron])
    before, leak = np.int64(v[core, neuron]), np.int64(neurons.leak[neurons.block[core, LEAK], neuron])
    synaptic: Any = np.int64(room.synaptic[neuron])
    draw = 0
    if dice & (STOCHASTIC_LEAK - 1):
        synaptic, draw = _drawn_synapses(core, neuron, key, dice, axons, crossbars, neurons, rules)
    may_change = 0
    if dice & STOCHASTIC_LEAK:
        may_change = int(leak != 0)
        number = dynamics.rho(random_word(key, neuron, draw), rules.rho_lowest, rules.rho_span)
        leak = dynamics.gated(leak, number)
        draw += 1
    extra = 0
    if mask_bits:
        extra = dynamics.eta(random_word(key, neuron, draw), mask_bits)
    alpha, beta = np.int64(neurons.alpha[thresholds, neuron]), np.int64(neurons.beta[thresholds, neuron])
    new, fired, beyond = dynamics.tick(
        before,
        synaptic,
        leak,
        (modes >> 3) & 1,
        rules.zero_clamp,
        alpha,
        beta,
        extra,
        np.int64(neurons.reset[resets, neuron]),
        modes & 3,
        (modes >> 2) & 1,
        rules.overflow,
        rules.compat,
    )
    if mask_bits:
        may_change |= int(
            dynamics.undecided(
                before,
                synaptic,
                leak,
                (modes >> 3) & 1,
                rules.zero_clamp,
                alpha,
                beta,
                (modes >> 2) & 1,
                rules.overflow,
                rules.compat,
            )
        )
    room.after[neuron] = new
    room.spiked[neuron] = fired
    room.changed[neuron] = fired | (new != before) | beyond | (may_change != 0)
    room.left[neuron] = beyond


@njit
def _drawn_synapses(
    core: int, neuron: int, key: Any, dice: Any, axons: Any, crossbars: Crossbars, neurons: Neurons, rules: Rules
) -> tuple[Any, Any]:
    """Synaptic input of a neuron with stochastic synapses, axon by axon, and how many numbers that took."""
    total: Any = 0
    draw = 0
    block = neurons.block[core, WEIGHT]
    word, bit = neuron >> 6, np.uint64(8 * (neuron & 7) + ((neuron >> 3) & 7))
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != _ZERO:
            axon = 64 * axon_word + lowest_bit(waiting)
            waiting &= waiting - _ONE
            if (crossbars.row[core, axon, word] >> bit) & _ONE == _ZERO:
                continue
            kind = _type_of(core, axon, crossbars.of_type)
            weight: Any = np.int64(neurons.weight[block, kind, neuron])
            if (dice >> kind) & 1:
                number = dynamics.rho(random_word(key, neuron, draw), rules.rho_lowest, rules.rho_span)
                weight = dynamics.gated(weight, number)
                draw += 1
            total += weight
    return total, draw


@inlined
def _prefetch_rows(core: int, axons: Any, rows: Any) -> None:
    """Ask for the rows of a core's active axons while another core is busy."""
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != _ZERO:
            prefetch(rows, WORDS * (SIZE * core + 64 * axon_word + lowest_bit(waiting)))
            waiting &= waiting - _ONE


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
    block, drawing, weight, leak = neurons.block, neurons.drawing, neurons.weight, neurons.leak
    alpha, beta, reset, mode = neurons.alpha, neurons.beta, neurons.reset, neurons.mode
    usual = (rules.zero_clamp == 1) & (rules.overflow == dynamics.SATURATE) & (rules.compat == dynamics.PAPER)
    for core in range(first_core, last_core):
        if core + 1 < last_core:
            _prefetch_rows(core + 1, axons, rows)
        arrived = axons[core, 0] | axons[core, 1] | axons[core, 2] | axons[core, 3]
        waiting = restless[core, 0] | restless[core, 1] | restless[core, 2] | restless[core, 3]
        if arrived | waiting == _ZERO:
            continue
        for word in range(WORDS):
            todo[word] = _ZERO
        events: Any = 0
        arrivals = 0
        if arrived != _ZERO:
            for axon_word in range(WORDS):
                rest = axons[core, axon_word]
                while rest != _ZERO:
                    axon = 64 * axon_word + lowest_bit(rest)
                    rest &= rest - _ONE
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
                _walk(core, block[core, WEIGHT], axons, row, of_type, weight, synaptic)
            for word in range(WORDS):
                bits = todo[word]
                while bits != _ZERO:
                    bit = lowest_bit(bits)
                    bits &= bits - _ONE
                    neuron = neuron_of(word, bit)
                    _update_one(core, neuron, key, axons, v, crossbars, neurons, rules, room)
                    v[core, neuron] = after[neuron]
                    left_range[core] += left[neuron]
                    synaptic[neuron] = 0
                    restless[core, word] |= np.uint64(changed[neuron]) << np.uint64(bit)
        else:
            if events:
                _count(core, block[core, WEIGHT], axons, row, of_type, weight, counts, synaptic)
            if usual:
                any_left = _update_as_in_the_paper(
                    core, block, v, synaptic, leak, alpha, beta, reset, mode, after, spiked, changed, left
                )
            else:
                any_left = _update_as_chosen(
                    core, block, v, synaptic, leak, alpha, beta, reset, mode, rules, after, spiked, changed, left
                )
            draws = drawing[core, 0] | drawing[core, 1] | drawing[core, 2] | drawing[core, 3]
            if draws != _ZERO:
                key = tick_key(neurons.seed[core], tick)
                for word in range(WORDS):
                    bits = drawing[core, word] & todo[word]
                    while bits != _ZERO:
                        neuron = neuron_of(word, lowest_bit(bits))
                        bits &= bits - _ONE
                        _update_one(core, neuron, key, axons, v, crossbars, neurons, rules, room)
            if any_left or draws != _ZERO:
                for neuron in range(SIZE):
                    left_range[core] += left[neuron]
            for neuron in range(SIZE):
                v[core, neuron] = after[neuron]
                synaptic[neuron] = 0
            for word in range(WORDS):
                flagged = _ZERO
                for lane in range(8):
                    flagged |= flag_words[8 * word + lane] << np.uint64(lane)
                restless[core, word] |= flagged
        for word in range(SIZE // 8):
            if spike_words[word] != _ZERO:
                for neuron in range(8 * word, 8 * word + 8):
                    if spiked[neuron]:
                        spike_source[found] = first_source + SIZE * core + neuron
                        found += 1
                spike_words[word] = _ZERO
        for word in range(WORDS):
            axons[core, word] = _ZERO
    return found - position


@njit
def deliver(
    tick: int,
    first_core: int,
    last_core: int,
    spike_source: Any,
    first: int,
    last: int,
    first_source: int,
    target: Any,
    axons: Any,
    merged: Any,
) -> None:
    """Set the axon bits that spikes ``first..last-1`` address in cores ``first_core..last_core-1``."""
    targets, words = target.reshape(target.size), axons.reshape(axons.size)
    cores = axons.shape[1]
    for spike in range(first, last):
        if spike + 2 * AHEAD < last:
            prefetch(targets, spike_source[spike + 2 * AHEAD] - first_source)
        if spike + AHEAD < last:
            prefetch(words, _word_of(np.int64(targets[spike_source[spike + AHEAD] - first_source]), tick, cores))
        address = np.int64(targets[spike_source[spike] - first_source])
        core = address >> CORE_SHIFT
        if address & DELAY_MASK != 0 and core >= first_core and core < last_core:
            word, bit = _word_of(address, tick, cores), _bit_of(address)
            before = words[word]
            if before & bit != _ZERO:
                merged[core] += 1
            words[word] = before | bit


@njit
def _word_of(address: Any, tick: int, cores: int) -> int:
    """Position of an address's axon word among all words of all slots."""
    slot = (tick + (address & DELAY_MASK)) % SLOTS
    return (slot * cores + (address >> CORE_SHIFT)) * WORDS + ((address >> (AXON_SHIFT + 6)) & (WORDS - 1))


@njit
def _bit_of(address: Any) -> Any:
    """The bit of an address's axon in its word."""
    return _ONE << np.uint64((address >> AXON_SHIFT) & 63)


@njit
def _deliver_host(
    tick: int, first_core: int, last_core: int, sources: Any, host: HostRoutes, axons: Any, merged: Any
) -> None:
    """Set the axon bits that spikes from outside address in cores ``first_core..last_core-1``."""
    words, cores = axons.reshape(axons.size), axons.shape[1]
    for spike in range(sources.shape[0]):
        for route in range(host.start[sources[spike]], host.start[sources[spike] + 1]):
            core = host.core[route]
            if core >= first_core and core < last_core:
                address = (core << CORE_SHIFT) | (host.axon[route] << AXON_SHIFT) | host.delay[route]
                word, bit = _word_of(address, tick, cores), _bit_of(address)
                if words[word] & bit != _ZERO:
                    merged[core] += 1
                words[word] |= bit


@njit
def _reset(first_core: int, last_core: int, v: Any, axons: Any, restless: Any, initial: Any) -> None:
    """A shard's state at the start of a sample; in loops, since broadcasting takes seconds to compile."""
    for core in range(first_core, last_core):
        for neuron in range(SIZE):
            v[core, neuron] = initial[core, neuron]
        for word in range(WORDS):
            restless[core, word] = _FULL
            for slot in range(SLOTS):
                axons[slot, core, word] = _ZERO


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
        _deliver_host(tick, first_core, last_core, sources, host, axons, merged)
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


class TrueNorthEngine:
    """A loaded program with its state, as the clock drives it.

    Args:
        threads: shards of cores that run together; changes speed, never results.
    """

    def __init__(self, program: CompiledProgram, threads: int = 1):
        self.program = program
        self.state = initial_state(program)
        members = max(1, min(threads, -(-program.cores // _BORDER)))
        steps = np.rint(program.cores * np.arange(members + 1) / members / _BORDER).astype(np.int64) * _BORDER
        self._borders = np.minimum(steps, program.cores)
        self._borders[-1] = program.cores
        self._sizes = SIZE * np.diff(self._borders)
        capacity = max(_SPIKE_BUFFER // members, 4 * int(self._sizes.max(initial=0)))
        self._spike_source = np.empty((members, capacity), np.int32)
        self._pool = ThreadPoolExecutor(members - 1, "neuroemu-shard") if members > 1 else None

    @property
    def neurons(self) -> int:
        return SIZE * self.program.cores

    @property
    def cores(self) -> int:
        return self.program.cores

    @property
    def threads(self) -> int:
        return int(self._sizes.shape[0])

    def advance(
        self,
        first_tick: int,
        last_tick: int,
        reset_period: int,
        input_start: Int64,
        input_source: Int32,
        probe: Int64,
    ) -> CrossbarChunk:
        """Run ticks ``first_tick..last_tick-1`` or until the spike buffer is full.

        Raises:
            BadInput: NE5604 when a potential leaves 20 bits under the rule ``overflow: error``.
        """
        program, state = self.program, self.state
        ticks, cores, members = last_tick - first_tick, program.cores, self.threads
        active, axon_events, synaptic_events = np.zeros((3, ticks, cores), np.int32)
        left_range, merged = np.zeros(cores, np.int64), np.zeros(cores, np.int64)
        probe_v = np.empty((ticks, probe.shape[0]), np.int32)
        sent, arrivals = np.zeros((members, ticks + 1), np.int64), np.zeros(1, np.int64)
        calls = []
        for member in range(members):
            first_core, last_core = int(self._borders[member]), int(self._borders[member + 1])
            own = (probe >= SIZE * first_core) & (probe < SIZE * last_core)
            calls.append(
                (
                    first_tick,
                    last_tick,
                    reset_period,
                    input_start,
                    input_source,
                    first_core,
                    last_core,
                    self._sizes,
                    state.v,
                    state.axons,
                    state.restless,
                    program.initial,
                    program.crossbars,
                    program.neurons,
                    program.rules,
                    program.host,
                    Team(member, arrivals, sent, self._spike_source),
                    active,
                    axon_events,
                    synaptic_events,
                    left_range,
                    merged,
                    probe[own],
                    np.flatnonzero(own),
                    probe_v,
                )
            )
        done = run_together(self._pool, advance, calls, arrivals) - first_tick
        if program.rules.overflow == dynamics.ERROR and left_range.any():
            core = int(np.flatnonzero(left_range)[0])
            message = f"a potential left 20 bits in ticks {first_tick}..{first_tick + done - 1}"
            fixes = ("choose overflow: saturate20 in the chip file", "scale weights and thresholds down")
            raise BadInput(Finding("NE5604", message, f"core at position {core}", fixes))
        spike_tick, spike_source = spikes_of(Team(0, arrivals, sent, self._spike_source), done, first_tick)
        return CrossbarChunk(
            first_tick=first_tick,
            last_tick=first_tick + done,
            input_start=input_start[: done + 1],
            input_source=input_source[: int(input_start[done])],
            spike_tick=spike_tick,
            spike_source=spike_source,
            active=active[:done],
            range_events={"left_range": left_range},
            probes={"v": probe_v[:done]},
            synaptic_events=synaptic_events[:done],
            axon_events=axon_events[:done],
            merged=merged,
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole state, the same for any number of threads."""
        return {name: array.copy() for name, array in vars(self.state).items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        restore_into(vars(self.state), arrays, "engine")
