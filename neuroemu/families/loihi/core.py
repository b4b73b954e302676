"""Loihi cores in motion: the compiled tick over a shard of neurons, from arriving synapses to emitted spikes.

Neurons are laid out core after core. Accumulators count in units of 64, since every synaptic weight is a multiple of 64;
they are wider than the chip's so that its wraps can be counted. ``dynamics.py`` holds the equations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import inlined, njit
from neuroemu.emulator.delivery import Deliveries, deliver, flags
from neuroemu.emulator.narrow import narrow, within
from neuroemu.emulator.random import draw_below
from neuroemu.emulator.team import Team, deliver_shared, has_room, share_spikes
from neuroemu.families.loihi import dynamics

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

EVENTS = ("wraps", "saturations")
PROBES = ("u", "v")

_BLOCK = 1024
"""Neurons that are looked at, then updated, while the first cache holds them."""
_CALM_BITS = 21
"""While accumulators hold less, in 64s, no sum of a tick needs more than 32 bits: states have 24, thresholds and biases fewer."""

_current = narrow(dynamics.current)
_membrane = narrow(dynamics.membrane)
_wraps = narrow(dynamics.wraps)
_saturates = narrow(dynamics.saturates)
_held_at_reset = narrow(dynamics.held_at_reset)
_fires = narrow(dynamics.fires)
_after_spike = narrow(dynamics.after_spike)
_refractory_after = narrow(dynamics.refractory_after)


class Segments(NamedTuple):
    """Runs of neighbouring neurons with the same registers; every array is int64 of shape (segments,)."""

    first: Int64
    last: Int64
    core: Int64
    current_retain: Int64
    membrane_retain: Int64
    refractory: Int64
    lowest: Int64
    highest: Int64
    bias_start: Int64
    noise_target: Int64  # 0 none, 1 current, 2 membrane
    noise_offset: Int64
    noise_exponent: Int64


class Fixed(NamedTuple):
    """What never changes in a shard; ``first_source`` is the source number of its first neuron."""

    first_source: int
    segments: Segments
    threshold: Int32
    bias: Int32
    noise_key: NDArray[np.uint64]
    seed: int


class State(NamedTuple):
    """What changes: currents, membranes, refractory counters, weights under way in 64s."""

    u: Int32
    v: Int32
    refractory: NDArray[np.uint8]
    arriving: Int32  # (delay slots, neurons)


def initial_state(neurons: int, max_delay: int) -> State:
    """All zero, as after a chip reset."""
    return State(
        u=np.zeros(neurons, np.int32),
        v=np.zeros(neurons, np.int32),
        refractory=np.zeros(neurons, np.uint8),
        arriving=np.zeros((max_delay + 2, neurons), np.int32),
    )


@njit
def _drive_with_noise(
    drive: Any, arriving_noise: Any, bias: Any, segments: Segments, segment: int, noise_key: Any, seed: int, tick: int
) -> None:
    """Fill the per-neuron drive and the noise on the current for one noisy segment."""
    offset = segments.noise_offset[segment]
    exponent = segments.noise_exponent[segment]
    for neuron in range(segments.first[segment], segments.last[segment]):
        draw = draw_below(seed, noise_key[neuron], tick, 255) - 127
        value = dynamics.noise(draw, offset, exponent)
        if segments.noise_target[segment] == 1:
            arriving_noise[neuron] = value
            drive[neuron] = bias[neuron]
        else:
            arriving_noise[neuron] = 0
            drive[neuron] = bias[neuron] + value


@inlined
def _calm_tick(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    drive: Any,
    threshold: Any,
    current_retain: Any,
    membrane_retain: Any,
    period: Any,
    lowest: Any,
    highest: Any,
    spiked: Any,
) -> tuple[Any, Any, Any]:
    """As :func:`_wide_tick`, for neurons without noise and with little input."""
    active, wrapped, saturated = np.int32(0), np.int32(0), np.int32(0)
    for neuron in range(u.shape[0]):
        before_u, before_v, bias = u[neuron], v[neuron], drive[neuron]
        input_sum = np.int32(arriving[neuron] << dynamics.WEIGHT_SHIFT)
        counter = np.int32(refractory[neuron])
        active = np.int32(active + np.int32((before_u != 0) | (before_v != 0) | (input_sum != 0) | (bias != 0)))
        new_u = _current(before_u, input_sum, current_retain)
        new_v = _membrane(before_v, new_u, bias, membrane_retain, lowest, highest)
        wrapped = np.int32(wrapped + np.int32(_wraps(before_u, input_sum, current_retain)))
        clipped = _saturates(before_v, new_u, bias, membrane_retain, lowest, highest)
        saturated = np.int32(saturated + np.int32(clipped))
        new_v = _held_at_reset(new_v, counter)
        fired = _fires(new_v, threshold[neuron])
        u[neuron] = new_u
        v[neuron] = _after_spike(fired, new_v)
        refractory[neuron] = _refractory_after(fired, counter, period)
        arriving[neuron] = 0
        spiked[neuron] = fired
    return np.int64(active), np.int64(wrapped), np.int64(saturated)


@njit
def _wide_tick(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    noise: Any,
    drive: Any,
    threshold: Any,
    current_retain: int,
    membrane_retain: int,
    period: int,
    lowest: int,
    highest: int,
    spiked: Any,
) -> tuple[int, int, int]:
    """One tick of neurons of equal registers; arrays are their slices (that is what lets the loop vectorise).

    Returns:
        how many were not at rest, how many accumulators or currents wrapped, how many membranes saturated.
    """
    active = 0
    wrapped = 0
    saturated = 0
    for neuron in range(u.shape[0]):
        before_u = np.int64(u[neuron])
        before_v = np.int64(v[neuron])
        input_sum = (np.int64(arriving[neuron]) << dynamics.WEIGHT_SHIFT) + np.int64(noise[neuron])
        counter = np.int64(refractory[neuron])
        bias = np.int64(drive[neuron])
        active += (before_u != 0) | (before_v != 0) | (input_sum != 0) | (bias != 0)
        new_u = dynamics.current(before_u, input_sum, current_retain)
        new_v = dynamics.membrane(before_v, new_u, bias, membrane_retain, lowest, highest)
        wrapped += dynamics.wraps(before_u, input_sum, current_retain)
        saturated += dynamics.saturates(before_v, new_u, bias, membrane_retain, lowest, highest)
        new_v = dynamics.held_at_reset(new_v, counter)
        fired = dynamics.fires(new_v, np.int64(threshold[neuron]))
        u[neuron] = new_u
        v[neuron] = dynamics.after_spike(fired, new_v)
        refractory[neuron] = dynamics.refractory_after(fired, counter, period)
        arriving[neuron] = 0
        spiked[neuron] = fired
    return active, wrapped, saturated


@njit
def _update(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    noise: Any,
    drive: Any,
    threshold: Any,
    segments: Segments,
    segment: int,
    spiked: Any,
) -> tuple[int, int, int]:
    """One tick of a block of one segment, in 32 bits where its input is small."""
    current_retain, membrane_retain = segments.current_retain[segment], segments.membrane_retain[segment]
    period = segments.refractory[segment]
    lowest, highest = segments.lowest[segment], segments.highest[segment]
    if segments.noise_target[segment] > 0 or not within(arriving, _CALM_BITS):
        return _wide_tick(
            u,
            v,
            refractory,
            arriving,
            noise,
            drive,
            threshold,
            current_retain,
            membrane_retain,
            period,
            lowest,
            highest,
            spiked,
        )
    return _calm_tick(
        u,
        v,
        refractory,
        arriving,
        drive,
        threshold,
        np.int32(current_retain),
        np.int32(membrane_retain),
        np.int32(period),
        np.int32(lowest),
        np.int32(highest),
        spiked,
    )


@njit
def advance(
    first_tick: int,
    last_tick: int,
    reset_period: int,
    input_start: Any,
    input_source: Any,
    fixed: Fixed,
    state: State,
    synapses: Deliveries,
    sizes: Any,
    team: Team,
    active: Any,
    events: Any,
    probe: Any,
    probe_column: Any,
    probed: Any,
) -> int:
    """Run ticks ``first_tick..last_tick-1`` of one shard; stops early, with all others, when a spike buffer could overflow.

    Args:
        reset_period: state is cleared whenever ``tick % reset_period == 0``.
        input_start: (ticks + 1,) where each tick's external spikes start in ``input_source``.
        sizes: int64 (members,) neurons of every shard.
        active: (ticks or 1, cores) int32, neurons not at rest, added to.
        events: (2, cores) int64, wraps and saturations, added to.
        probe, probe_column: neurons recorded into ``probed`` (states, ticks, columns), and where.

    Returns:
        the next tick.
    """
    u, v, refractory, arriving = state.u, state.v, state.refractory, state.arriving
    segments, threshold, bias = fixed.segments, fixed.threshold, fixed.bias
    neurons = u.shape[0]
    slots = arriving.shape[0]
    spiked = flags(neurons)
    drive = np.zeros(neurons, np.int32)
    noise = np.zeros(neurons, np.int32)
    for tick in range(first_tick, last_tick):
        row = tick - first_tick
        if not has_room(team, row, sizes):
            return tick
        local_tick = tick % reset_period
        if local_tick == 0:
            u[:] = 0
            v[:] = 0
            refractory[:] = 0
            arriving[:, :] = 0
        slot = tick % slots
        active_row = min(row, active.shape[0] - 1)
        deliver(input_source, input_start[row], input_start[row + 1], slot, arriving, synapses)
        for segment in range(segments.first.shape[0]):
            first = segments.first[segment]
            last = segments.last[segment]
            if local_tick < segments.bias_start[segment]:
                drive[first:last] = 0
                noise[first:last] = 0
            elif segments.noise_target[segment] > 0:
                _drive_with_noise(drive, noise, bias, segments, segment, fixed.noise_key, fixed.seed, tick)
            elif local_tick == segments.bias_start[segment] or row == 0:
                for neuron in range(first, last):
                    drive[neuron] = bias[neuron]
            core = segments.core[segment]
            for begin in range(first, last, _BLOCK):
                end = min(begin + _BLOCK, last)
                busy, wraps, clips = _update(
                    u[begin:end],
                    v[begin:end],
                    refractory[begin:end],
                    arriving[slot, begin:end],
                    noise[begin:end],
                    drive[begin:end],
                    threshold[begin:end],
                    segments,
                    segment,
                    spiked[begin:end],
                )
                active[active_row, core] += busy
                events[0, core] += wraps
                events[1, core] += clips
        for index in range(probe.shape[0]):
            probed[0, row, probe_column[index]] = u[probe[index]]
            probed[1, row, probe_column[index]] = v[probe[index]]
        share_spikes(team, row, spiked, fixed.first_source)
        deliver_shared(team, row, (tick + 1) % slots, arriving, synapses)
    return last_tick
