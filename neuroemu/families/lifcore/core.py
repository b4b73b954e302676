"""Open LIF cores in motion: the compiled tick over a shard of neurons, from arriving synapses to emitted spikes.

Neurons are laid out core after core; ``dynamics.py`` holds the equations. A spike of tick t arrives ``delay`` >= 1 ticks later.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import inlined, njit
from neuroemu.emulator.delivery import Deliveries, deliver, flags
from neuroemu.emulator.narrow import SAFE_BITS, narrow, within
from neuroemu.emulator.team import Team, deliver_shared, has_room, share_spikes
from neuroemu.families.lifcore import dynamics

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

EVENTS = ("left_range", "accumulator_wraps")
PROBES = ("u", "v", "refractory")

_BLOCK = 1024
"""Neurons that are looked at, then updated, while the first cache holds them."""
_FULL_BITS = 32

_tick_in_32_bits = narrow(dynamics.tick)


class Segments(NamedTuple):
    """Runs of neighbouring neurons with the same registers; every array is int64 of shape (segments,).

    ``room``: while all states and inputs stay within that many bits nothing can leave its range (-1: never sure).
    """

    first: Int64
    last: Int64
    core: Int64
    bias_start: Int64
    input_shift: Int64
    current_keep: Int64
    leak_mode: Int64
    leak_amount: Int64
    compare: Int64
    reset: Int64
    reset_value: Int64
    period: Int64
    overflow: Int64
    bits: Int64
    accumulator_bits: Int64
    room: Int64


class Registers(NamedTuple):
    """Those of one segment that the equations read."""

    input_shift: int
    current_keep: int
    leak_mode: int
    leak_amount: int
    compare: int
    reset: int
    reset_value: int
    period: int
    overflow: int
    bits: int
    accumulator_bits: int


class Fixed(NamedTuple):
    """What never changes in a shard; ``first_source`` is the source number of its first neuron."""

    first_source: int
    segments: Segments
    threshold: Int32
    bias: Int32
    initial: Int32


class State(NamedTuple):
    """What changes: currents, potentials, refractory counters, weights under way."""

    u: Int32
    v: Int32
    refractory: NDArray[np.uint16]
    arriving: Int32  # (delay slots, neurons)


def initial_state(initial: Int32, max_delay: int) -> State:
    """As after a reset of the core."""
    neurons = initial.shape[0]
    return State(
        u=np.zeros(neurons, np.int32),
        v=initial.copy(),
        refractory=np.zeros(neurons, np.uint16),
        arriving=np.zeros((max_delay + 1, neurons), np.int32),
    )


@inlined
def _calm_tick(
    u: Any, v: Any, refractory: Any, arriving: Any, bias: Any, threshold: Any, on: Any, spiked: Any, r: Any
) -> Any:
    """One tick of neurons that stay well within their range; returns how many were not at rest."""
    active = np.int32(0)
    for neuron in range(u.shape[0]):
        before_u, before_v, came = u[neuron], v[neuron], arriving[neuron]
        drive = np.int32(bias[neuron] * on)
        active = np.int32(active + np.int32((before_u != 0) | (before_v != 0) | (came != 0) | (drive != 0)))
        new_u, new_v, counter, fired, _ = _tick_in_32_bits(
            before_u,
            before_v,
            np.int32(refractory[neuron]),
            came,
            drive,
            threshold[neuron],
            np.int32(r.input_shift),
            np.int32(r.current_keep),
            np.int32(r.leak_mode),
            np.int32(r.leak_amount),
            np.int32(r.compare),
            np.int32(r.reset),
            np.int32(r.reset_value),
            np.int32(r.period),
            np.int32(r.overflow),
            np.int32(r.bits),
        )
        u[neuron], v[neuron], refractory[neuron] = new_u, new_v, counter
        arriving[neuron] = 0
        spiked[neuron] = fired
    return np.int64(active)


@njit
def _wide_tick(
    u: Any, v: Any, refractory: Any, arriving: Any, bias: Any, threshold: Any, on: Any, spiked: Any, r: Any
) -> tuple[int, int, int]:
    """One tick of any neurons; returns how many were not at rest, left their range, and had an accumulator that wrapped."""
    active = 0
    left_range = 0
    wraps = 0
    for neuron in range(u.shape[0]):
        before_u, before_v = np.int64(u[neuron]), np.int64(v[neuron])
        total = np.int64(arriving[neuron])
        came = dynamics.arrived(total, r.accumulator_bits)
        drive = np.int64(bias[neuron]) * on
        active += (before_u != 0) | (before_v != 0) | (came != 0) | (drive != 0)
        new_u, new_v, counter, fired, left = dynamics.tick(
            before_u,
            before_v,
            np.int64(refractory[neuron]),
            came,
            drive,
            np.int64(threshold[neuron]),
            r.input_shift,
            r.current_keep,
            r.leak_mode,
            r.leak_amount,
            r.compare,
            r.reset,
            r.reset_value,
            r.period,
            r.overflow,
            r.bits,
        )
        u[neuron], v[neuron], refractory[neuron] = new_u, new_v, counter
        arriving[neuron] = 0
        spiked[neuron] = fired
        left_range += left
        wraps += came != total
    return active, left_range, wraps


@inlined
def _calm(r: Registers, current_keep: int, leak_mode: int) -> Registers:
    """The registers with these two and with what calm neurons never meet, overflow and a narrow width, as given."""
    return Registers(
        r.input_shift,
        current_keep,
        leak_mode,
        r.leak_amount,
        r.compare,
        r.reset,
        r.reset_value,
        r.period,
        dynamics.SATURATE,
        _FULL_BITS,
        dynamics.ACCUMULATOR_BITS,
    )


@njit
def _update(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    bias: Any,
    threshold: Any,
    on: int,
    spiked: Any,
    r: Registers,
    room: int,
) -> tuple[int, int, int]:
    """One tick of neurons of equal registers; returns as :func:`_wide_tick`.

    Where all values are small, saturation and wrapping cannot happen and 32 bits suffice. The common cases are compiled with
    their registers as constants.
    """
    left = room - r.input_shift
    if left < 0 or not within(arriving, left) or not within(u, room) or not within(v, room):
        return _wide_tick(u, v, refractory, arriving, bias, threshold, on, spiked, r)
    on32 = np.int32(on)
    if r.leak_mode != dynamics.LEAK_SCALE:
        other = _calm(r, r.current_keep, r.leak_mode)
        return _calm_tick(u, v, refractory, arriving, bias, threshold, on32, spiked, other), 0, 0
    if r.current_keep != 0:
        cuba = _calm(r, r.current_keep, dynamics.LEAK_SCALE)
        return _calm_tick(u, v, refractory, arriving, bias, threshold, on32, spiked, cuba), 0, 0
    delta = _calm(r, 0, dynamics.LEAK_SCALE)
    return _calm_tick(u, v, refractory, arriving, bias, threshold, on32, spiked, delta), 0, 0


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
        reset_period: state is reset whenever ``tick % reset_period == 0``.
        input_start: (ticks + 1,) where each tick's external spikes start in ``input_source``.
        sizes: int64 (members,) neurons of every shard.
        active: (ticks or 1, cores) int32, neurons not at rest, added to.
        events: (2, cores) int64, potentials or currents that wrapped or saturated, and accumulators that wrapped, added to.
        probe, probe_column: neurons recorded into ``probed`` (states, ticks, columns), and where.

    Returns:
        the next tick.
    """
    u, v, refractory, arriving = state.u, state.v, state.refractory, state.arriving
    segments, threshold, bias = fixed.segments, fixed.threshold, fixed.bias
    neurons = u.shape[0]
    slots = arriving.shape[0]
    spiked = flags(neurons)
    for tick in range(first_tick, last_tick):
        row = tick - first_tick
        if not has_room(team, row, sizes):
            return tick
        local_tick = tick % reset_period
        if local_tick == 0:
            u[:] = 0
            for neuron in range(neurons):
                v[neuron] = fixed.initial[neuron]
            refractory[:] = 0
            arriving[:, :] = 0
        slot = tick % slots
        active_row = min(row, active.shape[0] - 1)
        for segment in range(segments.first.shape[0]):
            on = int(local_tick >= segments.bias_start[segment])
            core = segments.core[segment]
            registers = Registers(
                segments.input_shift[segment],
                segments.current_keep[segment],
                segments.leak_mode[segment],
                segments.leak_amount[segment],
                segments.compare[segment],
                segments.reset[segment],
                segments.reset_value[segment],
                segments.period[segment],
                segments.overflow[segment],
                segments.bits[segment],
                segments.accumulator_bits[segment],
            )
            for first in range(segments.first[segment], segments.last[segment], _BLOCK):
                last = min(first + _BLOCK, segments.last[segment])
                busy, left, wraps = _update(
                    u[first:last],
                    v[first:last],
                    refractory[first:last],
                    arriving[slot, first:last],
                    bias[first:last],
                    threshold[first:last],
                    on,
                    spiked[first:last],
                    registers,
                    segments.room[segment],
                )
                active[active_row, core] += busy
                events[0, core] += left
                events[1, core] += wraps
        for index in range(probe.shape[0]):
            probed[0, row, probe_column[index]] = u[probe[index]]
            probed[1, row, probe_column[index]] = v[probe[index]]
            probed[2, row, probe_column[index]] = refractory[probe[index]]
        deliver(input_source, input_start[row], input_start[row + 1], slot, arriving, synapses)
        share_spikes(team, row, spiked, fixed.first_source)
        deliver_shared(team, row, slot, arriving, synapses)
    return last_tick


def room_of(bits: int, accumulator_bits: int, statics: NDArray[np.int64]) -> int:
    """Bits within which states and inputs must stay so that no sum of a tick leaves ``bits`` bits nor 32, and no accumulator its
    own; -1 if the registers ``statics`` (thresholds, biases, reset values, leak constants) are too large already.

    The longest sum of :func:`dynamics.tick` is that of kept current, input, leaked potential and bias, less the threshold: five
    terms, below ``2**3`` times the largest.
    """
    room = min(bits - 4, SAFE_BITS, accumulator_bits - 1)
    small = room >= 0 and int(np.abs(statics).max(initial=0)) < 1 << room
    return room if small else -1
