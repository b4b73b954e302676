"""The neurons of a core in one tick: all 256 in vector instructions where nothing is drawn, one by one where something is."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import inlined, njit
from neuroemu.emulator.narrow import narrow
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.dice import random_word
from neuroemu.families.truenorth.lanes import SIZE
from neuroemu.families.truenorth.memory import (
    DICE,
    LEAK,
    RESET,
    STOCHASTIC_LEAK,
    THRESHOLD,
    Crossbars,
    Neurons,
    Rules,
    Scratch,
)
from neuroemu.families.truenorth.synapses import drawn_synapses

_tick_in_32_bits = narrow(dynamics.tick)


@inlined
def _update_all(core: int, v: Any, neurons: Neurons, zero_clamp: int, overflow: int, compat: int, room: Scratch) -> Any:
    """One tick of a core's neurons, random numbers left out, into ``room``; not 0 if any left its range.

    32 bits suffice: a potential has 20, a threshold with its random part 19, and 256 weights of 9 bits have 17.
    """
    leaks, thresholds, resets = neurons.block[core, LEAK], neurons.block[core, THRESHOLD], neurons.block[core, RESET]
    any_left = np.int32(0)
    for neuron in range(SIZE):
        modes = np.int32(neurons.mode[resets, neuron])
        before = v[core, neuron]
        new, fired, beyond = _tick_in_32_bits(
            before,
            room.synaptic[neuron],
            np.int32(neurons.leak[leaks, neuron]),
            np.int32((modes >> 3) & 1),
            np.int32(zero_clamp),
            neurons.alpha[thresholds, neuron],
            neurons.beta[thresholds, neuron],
            np.int32(0),
            neurons.reset[resets, neuron],
            np.int32(modes & 3),
            np.int32((modes >> 2) & 1),
            np.int32(overflow),
            np.int32(compat),
        )
        room.after[neuron] = new
        room.spiked[neuron] = fired
        room.changed[neuron] = fired | (new != before) | beyond
        room.left[neuron] = beyond
        any_left = np.int32(any_left | np.int32(beyond))
    return any_left


@inlined
def update_as_in_the_paper(core: int, v: Any, neurons: Neurons, room: Scratch) -> Any:
    """The default rules as constants, which makes the loop shorter."""
    return _update_all(core, v, neurons, 1, dynamics.SATURATE, dynamics.PAPER, room)


@njit
def update_as_chosen(core: int, v: Any, neurons: Neurons, rules: Rules, room: Scratch) -> Any:
    """Any rules."""
    return _update_all(core, v, neurons, rules.zero_clamp, rules.overflow, rules.compat, room)


@njit
def update_one(
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
        synaptic, draw = drawn_synapses(core, neuron, key, dice, axons, crossbars, neurons, rules)
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
