"""Threads that compute a tick together: each owns a shard of neurons, all meet once a tick to read each other's spikes.

Spikes of a chunk of ticks are only ever appended, so a thread that runs ahead by one phase disturbs nobody: one meeting per
tick suffices. Only the count of arrivals is atomic; every other word has one writer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.delivery import SPARE_SPIKES, Deliveries, collect_spikes, deliver

_PATIENCE = 4096
"""Looks at the count before the processor is offered to others."""
_GIVEN_UP = 1 << 62
"""Added to the arrivals when a member cannot go on: nobody waits for it any more."""
_GIVE_WAY = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


class Team(NamedTuple):
    """What the threads of one run share; ``member`` alone differs."""

    member: int
    arrivals: NDArray[np.int64]  # (1,) counts up during a chunk
    sent: NDArray[np.int64]  # (members, ticks + 1) spikes written by each member before each tick
    spike_source: NDArray[np.int32]  # (members, capacity + SPARE_SPIKES)


def run_together(
    pool: ThreadPoolExecutor | None,
    advance: Callable[..., int],
    calls: Sequence[tuple[Any, ...]],
    arrivals: NDArray[np.int64],
) -> int:
    """Run one member's call in this thread and the others' in ``pool``; returns what the first one returns.

    Whatever keeps a member from its work (an interrupt while it is compiled, no memory, no thread) ends the waiting of all
    others; it is raised when they have come back. The state of the run is lost then.
    """

    def run(call: tuple[Any, ...]) -> int:
        try:
            return advance(*call)
        except BaseException:
            arrivals[0] = _GIVEN_UP
            raise

    others: list[Future[int]] = []
    try:
        others += [pool.submit(run, call) for call in calls[1:]] if pool is not None else []
        reached = run(calls[0])
    except BaseException:
        arrivals[0] = _GIVEN_UP
        wait(others)
        raise
    for other in others:
        other.result()
    return reached


@njit
def has_room(team: Team, row: int, neurons: Any) -> bool:
    """Whether every member can write another tick's spikes; all members see the same.

    Args:
        neurons: int64 (members,) sizes of the shards.
    """
    capacity = team.spike_source.shape[1] - SPARE_SPIKES
    room = True
    for member in range(neurons.shape[0]):
        room &= team.sent[member, row] + neurons[member] <= capacity
    return room


@njit
def share_spikes(team: Team, row: int, spiked: Any, first_source: int) -> None:
    """Write the shard's spikes of this tick, then wait until all members have written theirs."""
    member = team.member
    written = team.sent[member, row]
    fired = collect_spikes(spiked, first_source, team.spike_source[member], written)
    team.sent[member, row + 1] = written + fired
    meet(team, row)


@njit
def meet(team: Team, row: int) -> None:
    """Wait until all members have written their spikes of this tick and said so in ``team.sent``."""
    members = team.sent.shape[0]
    if members > 1:
        _arrive(team.arrivals)
        looks = 0
        while _arrived(team.arrivals) < members * (row + 1):
            looks += 1
            if looks > _PATIENCE:
                _give_way()


@njit
def deliver_shared(team: Team, row: int, slot: int, arriving: Any, synapses: Deliveries) -> None:
    """Deliver this tick's spikes of all members to the own shard."""
    for member in range(team.sent.shape[0]):
        deliver(team.spike_source[member], team.sent[member, row], team.sent[member, row + 1], slot, arriving, synapses)


def spikes_of(team: Team, ticks: int, first_tick: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(tick, source) of all members' spikes of a chunk, by tick, then source."""
    spikes = int(team.sent[:, ticks].sum())
    tick, source = np.empty(spikes, np.int32), np.empty(spikes, np.int32)
    _merge_spikes(team, ticks, tick, source, first_tick)
    return tick, source


@njit
def _merge_spikes(team: Team, ticks: int, tick_of_spike: Any, source_of_spike: Any, first_tick: int) -> None:
    position = 0
    for row in range(ticks):
        for member in range(team.sent.shape[0]):
            for spike in range(team.sent[member, row], team.sent[member, row + 1]):
                tick_of_spike[position] = first_tick + row
                source_of_spike[position] = team.spike_source[member, spike]
                position += 1


@intrinsic
def _arrive(typing_context, arrivals):  # type: ignore[no-untyped-def]  # Numba's own signature
    """Add one to the count; what was written before is seen by whoever reads the new count."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        count = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        builder.atomic_rmw("add", count, ir.Constant(ir.IntType(64), 1), "acq_rel")
        return context.get_dummy_value()

    return types.none(arrivals), generate


@intrinsic
def _arrived(typing_context, arrivals):  # type: ignore[no-untyped-def]
    """The count; what its writers wrote before is seen."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        count = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(count, "acquire", 8)

    return types.int64(arrivals), generate


@intrinsic
def _give_way(typing_context):  # type: ignore[no-untyped-def]
    """Let another thread of this processor run."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(32), [])
        builder.call(cgutils.get_or_insert_function(builder.module, kind, _GIVE_WAY), [])
        return context.get_dummy_value()

    return types.none(), generate
