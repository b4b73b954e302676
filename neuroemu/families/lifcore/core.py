"""Open LIF cores in motion: the compiled tick over all cores of a program, from arriving synapses to emitted spikes.

Neurons are laid out core after core; ``dynamics.py`` holds the equations. A spike of tick t arrives ``delay`` >= 1 ticks later.
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
from neuroemu.emulator.snapshot import restore_into
from neuroemu.families.lifcore import dynamics

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]


class Segments(NamedTuple):
    """Runs of neighbouring neurons with the same registers; every array is int64 of shape (segments,)."""

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


@dataclass(frozen=True)
class CompiledProgram:
    """Everything the tick needs that never changes during a run; ``initial`` are the potentials before tick 0."""

    inputs: int
    neurons: int
    cores: int
    max_delay: int
    segments: Segments
    threshold: Int32
    bias: Int32
    initial: Int32
    synapses: Deliveries


@dataclass
class State:
    """Everything that changes: currents, potentials, refractory counters, spikes under way."""

    u: Int32
    v: Int32
    refractory: NDArray[np.uint16]
    arriving: Int32  # (delay slots, neurons)


def initial_state(program: CompiledProgram) -> State:
    """As after a reset of the core."""
    return State(
        u=np.zeros(program.neurons, np.int32),
        v=program.initial.copy(),
        refractory=np.zeros(program.neurons, np.uint16),
        arriving=np.zeros((program.max_delay + 1, program.neurons), np.int32),
    )


@njit
def _update(
    u: Any,
    v: Any,
    refractory: Any,
    arriving: Any,
    bias: Any,
    threshold: Any,
    bias_on: int,
    input_shift: int,
    current_keep: int,
    leak_mode: int,
    leak_amount: int,
    compare: int,
    reset: int,
    reset_value: int,
    period: int,
    overflow: int,
    bits: int,
    spiked: Any,
) -> tuple[int, int]:
    """One tick of neurons of equal registers; returns how many were not at rest and how many left their range."""
    active = 0
    left_range = 0
    for neuron in range(u.shape[0]):
        before_u, before_v = np.int64(u[neuron]), np.int64(v[neuron])
        came = np.int64(arriving[neuron])
        drive = np.int64(bias[neuron]) * bias_on
        active += (before_u != 0) | (before_v != 0) | (came != 0) | (drive != 0)
        new_u, new_v, counter, fired, left = dynamics.tick(
            before_u,
            before_v,
            np.int64(refractory[neuron]),
            came,
            drive,
            np.int64(threshold[neuron]),
            input_shift,
            current_keep,
            leak_mode,
            leak_amount,
            compare,
            reset,
            reset_value,
            period,
            overflow,
            bits,
        )
        u[neuron], v[neuron], refractory[neuron] = new_u, new_v, counter
        arriving[neuron] = 0
        spiked[neuron] = fired
        left_range += left
    return active, left_range


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
    initial: Any,
    synapses: Deliveries,
    spike_tick: Any,
    spike_source: Any,
    active: Any,
    left_range: Any,
    probe: Any,
    probe_u: Any,
    probe_v: Any,
) -> tuple[int, int]:
    """Run ticks ``first_tick..last_tick-1``; stops early when the spike buffer could overflow.

    Args:
        reset_period: state is reset whenever ``tick % reset_period == 0``.
        input_start: (ticks + 1,) where each tick's external spikes start in ``input_source``.
        spike_tick, spike_source: int32 buffers for spikes of neurons.
        active: (ticks, cores) int32, neurons not at rest.
        left_range: (cores,) int64, potentials or currents that wrapped or saturated, added to.
        probe: neuron numbers recorded into ``probe_u``/``probe_v`` (ticks, probes).

    Returns:
        ``(next tick, number of spikes written)``.
    """
    neurons = u.shape[0]
    slots = arriving.shape[0]
    spiked = flags(neurons)
    written = 0
    for tick in range(first_tick, last_tick):
        if written + neurons > spike_tick.shape[0]:
            return tick, written
        row = tick - first_tick
        local_tick = tick % reset_period
        if local_tick == 0:
            u[:] = 0
            v[:] = initial
            refractory[:] = 0
            arriving[:, :] = 0
        slot = tick % slots
        for segment in range(segments.first.shape[0]):
            first = segments.first[segment]
            last = segments.last[segment]
            busy, left = _update(
                u[first:last],
                v[first:last],
                refractory[first:last],
                arriving[slot, first:last],
                bias[first:last],
                threshold[first:last],
                int(local_tick >= segments.bias_start[segment]),
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
                spiked[first:last],
            )
            active[row, segments.core[segment]] += busy
            left_range[segments.core[segment]] += left
        for index in range(probe.shape[0]):
            probe_u[row, index] = u[probe[index]]
            probe_v[row, index] = v[probe[index]]
        external = input_source[input_start[row] : input_start[row + 1]]
        deliver(external, external.shape[0], slot, arriving, synapses)
        fired = collect_spikes(spiked, neurons, inputs, spike_source, written)
        spike_tick[written : written + fired] = tick
        deliver(spike_source[written:], fired, slot, arriving, synapses)
        written += fired
    return last_tick, written


class LifcoreEngine:
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
        input_source: Int32,
        probe: Int64,
    ) -> Chunk:
        """Run ticks ``first_tick..last_tick-1`` or until the spike buffer is full."""
        program, state = self.program, self.state
        ticks, cores = last_tick - first_tick, max(program.cores, 1)
        active = np.zeros((ticks, cores), np.int32)
        left_range = np.zeros(cores, np.int64)
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
            program.initial,
            program.synapses,
            self._spike_tick,
            self._spike_source,
            active,
            left_range,
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
            range_events={"left_range": left_range},
            probes={"u": probe_u[:done], "v": probe_v[:done]},
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole state."""
        return {name: array.copy() for name, array in vars(self.state).items()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        restore_into(vars(self.state), arrays, "engine")
