"""From spikes to axons: sets the axon bits that packets of neurons and of the host address."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import njit, prefetch
from neuroemu.families.truenorth.lanes import ONE, WORDS, ZERO
from neuroemu.families.truenorth.memory import AXON_SHIFT, CORE_SHIFT, DELAY_MASK, SLOTS, HostRoutes

AHEAD = 8
"""Spikes between prefetching an axon word and setting its bit."""


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
            if before & bit != ZERO:
                merged[core] += 1
            words[word] = before | bit


@njit
def deliver_host(
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
                if words[word] & bit != ZERO:
                    merged[core] += 1
                words[word] |= bit


@njit
def _word_of(address: Any, tick: int, cores: int) -> int:
    """Position of an address's axon word among all words of all slots."""
    slot = (tick + (address & DELAY_MASK)) % SLOTS
    return (slot * cores + (address >> CORE_SHIFT)) * WORDS + ((address >> (AXON_SHIFT + 6)) & (WORDS - 1))


@njit
def _bit_of(address: Any) -> Any:
    """The bit of an address's axon in its word."""
    return ONE << np.uint64((address >> AXON_SHIFT) & 63)
