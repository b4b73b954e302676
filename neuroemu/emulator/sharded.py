"""The engine of every chip whose neurons lie core after core: cuts them into shards, one thread each, and runs them together.

A family gives a compiled ``advance`` and, per shard, what never changes and what does. Results do not depend on the number of
shards: integers add up the same in any order, spikes are put back in the order of neurons.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.delivery import (
    SPARE_SPIKES,
    Deliveries,
    Links,
    SharedRuns,
    SynapseLists,
    build_deliveries,
    share_runs,
)
from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.snapshot import check_arrays
from neuroemu.emulator.team import Team, run_together, spikes_of

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

_BORDER = 64
"""Shards begin at multiples of it, so that no cache line of a state has two writers."""
_SPIKE_BUFFER = 1 << 20
_UPDATE_WORK = 4
"""Work of updating a neuron, in synaptic events."""


@dataclass(frozen=True)
class Shard:
    """A run of neurons: what never changes, what does, and the synapses into it.

    Attributes:
        first_core, last_core: cores that have neurons here, positions in the program.
        fixed: NamedTuple of the family.
        state: NamedTuple of arrays whose last axis are the shard's neurons.
    """

    first_neuron: int
    last_neuron: int
    first_core: int
    last_core: int
    fixed: Any
    state: Any
    synapses: Deliveries


def cut(links: Links, lists: SynapseLists, neurons: int, shards: int) -> list[tuple[int, int]]:
    """(first, last) neuron of at most ``shards`` shards of about equal work: synapses into them and neurons."""
    most = max(1, min(shards, -(-neurons // _BORDER)))
    if most == 1:
        return [(0, neurons)]
    work = np.full(neurons, _UPDATE_WORK, np.int64)
    _add_synapses(links.synapse_list, links.base, lists.list_start, lists.index, work)
    done = np.cumsum(work)
    wanted = done[-1] * np.arange(1, most) // most
    borders = np.rint(np.searchsorted(done, wanted) / _BORDER).astype(np.int64) * _BORDER
    bounds = np.unique(np.concatenate([[0], np.clip(borders, 0, neurons), [neurons]])).tolist()
    return list(itertools.pairwise(bounds))


def deliveries(links: Links, lists: SynapseLists, bounds: Sequence[tuple[int, int]]) -> list[Deliveries]:
    """The synapses into every shard."""
    shared: SharedRuns = share_runs(links, lists)
    return [build_deliveries(links, lists, first, last, shared) for first, last in bounds]


@njit
def _add_synapses(list_of_link: Any, base: Any, list_start: Any, index: Any, work: Any) -> None:
    for link in range(list_of_link.shape[0]):
        number = list_of_link[link]
        for synapse in range(list_start[number], list_start[number + 1]):
            work[base[link] + index[synapse]] += 1


class ShardedEngine:
    """A loaded program with its state, as the clock drives it.

    Args:
        advance: compiled ``advance(first_tick, last_tick, reset_period, input_start, input_source, fixed, state, synapses,
            sizes, team, active, events, probe, probe_column, probed)``, the same for all shards; returns the next tick.
        event_names: rows of ``events``, arithmetic that left its range.
        probe_names: states that can be recorded, in the order of ``probed``.
        per_tick: keep the neurons not at rest of every tick; else only their totals.
    """

    def __init__(
        self,
        advance: Callable[..., int],
        shards: Sequence[Shard],
        cores: int,
        event_names: tuple[str, ...],
        probe_names: tuple[str, ...],
        per_tick: bool = True,
    ):
        self.shards = tuple(shards)
        self._advance, self._cores = advance, cores
        self._event_names, self._probe_names, self._per_tick = event_names, probe_names, per_tick
        self._sizes = np.array([shard.last_neuron - shard.first_neuron for shard in shards], np.int64)
        capacity = max(_SPIKE_BUFFER // len(shards), int(self._sizes.max(initial=0)))
        self._spike_source = np.empty((len(shards), capacity + SPARE_SPIKES), np.int32)
        self._pool = ThreadPoolExecutor(len(shards) - 1, "neuroemu-shard") if len(shards) > 1 else None

    @property
    def neurons(self) -> int:
        return int(self._sizes.sum())

    @property
    def cores(self) -> int:
        return self._cores

    @property
    def threads(self) -> int:
        return len(self.shards)

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
        ticks, cores, members = last_tick - first_tick, max(self._cores, 1), len(self.shards)
        sent = np.zeros((members, ticks + 1), np.int64)
        arrivals = np.zeros(1, np.int64)
        active = np.zeros((ticks if self._per_tick else 1, cores), np.int32)
        events = np.zeros((len(self._event_names), cores), np.int64)
        probed = np.empty((len(self._probe_names), ticks, probe.shape[0]), np.int32)

        calls = []
        for member, shard in enumerate(self.shards):
            own = (probe >= shard.first_neuron) & (probe < shard.last_neuron)
            width = max(shard.last_core - shard.first_core, 1)
            calls.append(
                (
                    first_tick,
                    last_tick,
                    reset_period,
                    input_start,
                    input_source,
                    shard.fixed,
                    shard.state,
                    shard.synapses,
                    self._sizes,
                    Team(member, arrivals, sent, self._spike_source),
                    np.zeros((active.shape[0], width), np.int32),
                    np.zeros((events.shape[0], width), np.int64),
                    probe[own] - shard.first_neuron,
                    np.flatnonzero(own),
                    probed,
                )
            )
        done = run_together(self._pool, self._advance, calls, arrivals) - first_tick
        for shard, call in zip(self.shards, calls, strict=True):
            active[:, shard.first_core : shard.last_core] += call[10][:, : shard.last_core - shard.first_core]
            events[:, shard.first_core : shard.last_core] += call[11][:, : shard.last_core - shard.first_core]
        spike_tick, spike_source = spikes_of(Team(0, arrivals, sent, self._spike_source), done, first_tick)
        return Chunk(
            first_tick=first_tick,
            last_tick=first_tick + done,
            input_start=input_start[: done + 1],
            input_source=input_source[: int(input_start[done])],
            spike_tick=spike_tick,
            spike_source=spike_source,
            active=active[:done] if self._per_tick else active,
            range_events=dict(zip(self._event_names, events, strict=True)),
            probes=dict(zip(self._probe_names, probed[:, :done], strict=True)),
        )

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """Copies of the whole state, the same for any number of shards."""
        states = [shard.state for shard in self.shards]
        return {name: np.concatenate([getattr(state, name) for state in states], axis=-1) for name in states[0]._fields}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Continue from a snapshot; raises BadInput (NE6020) for arrays of other names, types or shapes."""
        check_arrays(arrays, self.snapshot(), "engine")
        for shard in self.shards:
            for name in shard.state._fields:
                getattr(shard.state, name)[...] = arrays[name][..., shard.first_neuron : shard.last_neuron]
