"""From active axons to synaptic input: bit by bit on quiet cores, counted on busy ones, drawn where random numbers decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import inlined, njit, prefetch
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.dice import random_word
from neuroemu.families.truenorth.lanes import EVERY_BYTE, ONE, SIZE, WORDS, ZERO, lowest_bit, neuron_of
from neuroemu.families.truenorth.memory import TYPES, WEIGHT, Crossbars, Neurons, Rules

MOST_COUNTED = 255
"""What a byte-wide counter holds."""


@njit
def walk_set_bits(core: int, block: int, axons: Any, row: Any, of_type: Any, weight: Any, synaptic: Any) -> None:
    """Add the weights of active axons, set bit by set bit."""
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != ZERO:
            axon = 64 * axon_word + lowest_bit(waiting)
            waiting &= waiting - ONE
            kind = _type_of(core, axon, of_type)
            for word in range(WORDS):
                bits = row[core, axon, word]
                while bits != ZERO:
                    neuron = neuron_of(word, lowest_bit(bits))
                    bits &= bits - ONE
                    synaptic[neuron] += weight[block, kind, neuron]


@njit
def _type_of(core: int, axon: int, of_type: Any) -> int:
    word, bit = axon >> 6, np.uint64(axon & 63)
    for kind in range(TYPES - 1):
        if (of_type[core, kind, word] >> bit) & ONE != ZERO:
            return kind
    return TYPES - 1


@inlined
def count_axons(
    core: int, block: int, axons: Any, row: Any, of_type: Any, weight: Any, counts: Any, synaptic: Any
) -> None:
    """Add the weights of active axons type by type: count the active axons of each neuron, then multiply once."""
    for kind in range(TYPES):
        counted = 0
        for axon_word in range(WORDS):
            waiting = axons[core, axon_word] & of_type[core, kind, axon_word]
            while waiting != ZERO:
                axon = 64 * axon_word + lowest_bit(waiting)
                waiting &= waiting - ONE
                for word in range(WORDS):
                    bits = row[core, axon, word]
                    for lane in range(8):
                        counts[8 * word + lane] += (bits >> np.uint64(lane)) & EVERY_BYTE
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
        counts[word] = ZERO


@njit
def drawn_synapses(
    core: int, neuron: int, key: Any, dice: Any, axons: Any, crossbars: Crossbars, neurons: Neurons, rules: Rules
) -> tuple[Any, Any]:
    """Synaptic input of a neuron with stochastic synapses, axon by axon, and how many numbers that took."""
    total: Any = 0
    draw = 0
    block = neurons.block[core, WEIGHT]
    word, bit = neuron >> 6, np.uint64(8 * (neuron & 7) + ((neuron >> 3) & 7))
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != ZERO:
            axon = 64 * axon_word + lowest_bit(waiting)
            waiting &= waiting - ONE
            if (crossbars.row[core, axon, word] >> bit) & ONE == ZERO:
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
def prefetch_rows(core: int, axons: Any, rows: Any) -> None:
    """Ask for the rows of a core's active axons while another core is busy."""
    for axon_word in range(WORDS):
        waiting = axons[core, axon_word]
        while waiting != ZERO:
            prefetch(rows, WORDS * (SIZE * core + 64 * axon_word + lowest_bit(waiting)))
            waiting &= waiting - ONE
