"""Loihi cores in motion: the compiled tick over all cores of a program, from arriving synapses to emitted spikes.

Neurons are laid out core after core. Accumulators count in units of 64, since every synaptic weight is a multiple of 64;
they are wider than the chip's so that its wraps can be counted. ``dynamics.py`` holds the equations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.delivery import Deliveries, collect_spikes, deliver, flags
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.random import draw_below
from neuroemu.emulator.snapshot import restore_into
from neuroemu.families.loihi import dynamics

Int64 = NDArray[np.int64]


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


@dataclass(frozen=True)
class CompiledProgram:
    """Everything the tick needs that never changes during a run."""

    sources: int
    inputs: int
    neurons: int
    cores: int
    max_delay: int
    segments: Segments
    threshold: NDArray[np.int32]
    bias: NDArray[np.int32]
    synapses: Deliveries
    noise_key: NDArray[np.uint64]
    seed: int = 0


@dataclass
class State:
    """Everything that changes: membranes, currents, refractory counters, spikes under way."""

    u: NDArray[np.int32]
    v: NDArray[np.int32]
    refractory: NDArray[np.uint8]
    arriving: NDArray[np.int32]  # (delay slots, neurons), in 64s


def initial_state(program: CompiledProgram) -> State:
    """All zero, as after a chip reset."""
    return State(
        u=np.zeros(program.neurons, np.int32),
        v=np.zeros(program.neurons, np.int32),
        refractory=np.zeros(program.neurons, np.uint8),
        arriving=np.zeros((program.max_delay + 2, program.neurons), np.int32),
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


@njit
def _update(
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
def advance(
    first_tick: int,
    last_tick: int,
    reset_period: int,
    inputs: int,
    input_start: Any,
    input_source: Any,
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    segments: Segments,
    threshold: Any,
    bias: Any,
    synapses: Deliveries,
    noise_key: Any,
    seed: int,
    spike_tick: Any,
    spike_source: Any,
    active: Any,
    wrapped: Any,
    saturated: Any,
    probe: Any,
    probe_u: Any,
    probe_v: Any,
) -> tuple[int, int]:
    """Run ticks ``first_tick..last_tick-1``; stops early when the spike buffer could overflow.

    Args:
        reset_period: state is cleared whenever ``tick % reset_period == 0``.
        input_start: (ticks + 1,) where each tick's external spikes start in ``input_source``.
        spike_tick, spike_source: int32 buffers for spikes of neurons (external spikes are not recorded here).
        active: (ticks, cores) int32, neurons not at rest.
        wrapped, saturated: (cores,) int64, range events, added to.
        probe: neuron numbers recorded into ``probe_u``/``probe_v`` (ticks, probes).

    Returns:
        ``(next tick, number of spikes written)``.
    """
    neurons = u.shape[0]
    slots = arriving.shape[0]
    spiked = flags(neurons)
    drive = np.zeros(neurons, np.int32)
    noise = np.zeros(neurons, np.int32)
    written = 0
    for tick in range(first_tick, last_tick):
        if written + neurons > spike_tick.shape[0]:
            return tick, written
        row = tick - first_tick
        local_tick = tick % reset_period
        if local_tick == 0:
            u[:] = 0
            v[:] = 0
            refractory[:] = 0
            arriving[:, :] = 0
        slot = tick % slots
        external = input_source[input_start[row] : input_start[row + 1]]
        deliver(external, external.shape[0], slot, arriving, synapses)
        for segment in range(segments.first.shape[0]):
            first = segments.first[segment]
            last = segments.last[segment]
            if local_tick < segments.bias_start[segment]:
                drive[first:last] = 0
                noise[first:last] = 0
            elif segments.noise_target[segment] > 0:
                _drive_with_noise(drive, noise, bias, segments, segment, noise_key, seed, tick)
            elif local_tick == segments.bias_start[segment] or row == 0:
                drive[first:last] = bias[first:last]
            core = segments.core[segment]
            busy, wraps, clips = _update(
                u[first:last],
                v[first:last],
                refractory[first:last],
                arriving[slot, first:last],
                noise[first:last],
                drive[first:last],
                threshold[first:last],
                segments.current_retain[segment],
                segments.membrane_retain[segment],
                segments.refractory[segment],
                segments.lowest[segment],
                segments.highest[segment],
                spiked[first:last],
            )
            active[row, core] += busy
            wrapped[core] += wraps
            saturated[core] += clips
        for index in range(probe.shape[0]):
            probe_u[row, index] = u[probe[index]]
            probe_v[row, index] = v[probe[index]]
        fired = collect_spikes(spiked, neurons, inputs, spike_source, written)
        spike_tick[written : written + fired] = tick
        deliver(spike_source[written:], fired, (tick + 1) % slots, arriving, synapses)
        written += fired
    return last_tick, written


class LoihiEngine:
    """A loaded program with its state, as the clock drives it."""

    def __init__(self, program: CompiledProgram):
        self.program = program
        self.state = initial_state(program)
        self._spike_tick = np.empty(max(1 << 20, program.neurons), np.int32)
        self._spike_source = np.empty_like(self._spike_tick)

    @property
    def neurons(self) -> int:
        return self.program.neurons

    @property
    def cores(self) -> int:
        return self.program.cores

    def advance(
        self,
        first_tick: int,
        last_tick: int,
        reset_period: int,
        input_start: Int64,
        input_source: NDArray[np.int32],
        probe: Int64,
    ) -> Chunk:
        """Run ticks ``first_tick..last_tick-1`` or until the spike buffer is full."""
        program, state = self.program, self.state
        ticks = last_tick - first_tick
        active = np.zeros((ticks, max(program.cores, 1)), np.int32)
        wrapped = np.zeros(max(program.cores, 1), np.int64)
        saturated = np.zeros(max(program.cores, 1), np.int64)
        probe_u = np.empty((ticks, probe.shape[0]), np.int32)
        probe_v = np.empty((ticks, probe.shape[0]), np.int32)
        reached, spikes = advance(
            first_tick,
            last_tick,
            reset_period,
            program.inputs,
            input_start,
            input_source,
            state.u,
            state.v,
            state.refractory,
            state.arriving,
            program.segments,
            program.threshold,
            program.bias,
            program.synapses,
            program.noise_key,
            program.seed,
            self._spike_tick,
            self._spike_source,
            active,
            wrapped,
            saturated,
            probe,
            probe_u,
            probe_v,
        )
        done = reached - first_tick
        return Chunk(
            first_tick=first_tick,
            last_tick=reached,
            input_start=input_start[: done + 1],
            input_source=input_source[: int(input_start[done])],
            spike_tick=self._spike_tick[:spikes].copy(),
            spike_source=self._spike_source[:spikes].copy(),
            active=active[:done],
            range_events={"wraps": wrapped, "saturations": saturated},
            probes={"u": probe_u[:done], "v": probe_v[:done]},
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole state; noise depends on seed and tick alone."""
        return {name: array.copy() for name, array in vars(self.state).items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        restore_into(vars(self.state), arrays, "engine")
