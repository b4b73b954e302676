"""From a program image, or from plain arrays, to what the tick runs on; linear in the number of synapses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.delivery import SYNAPSE_CLASSES, Links, SynapseLists
from neuroemu.emulator.sharded import Shard, ShardedEngine, cut, deliveries
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.core import EVENTS, PROBES, Fixed, Segments, advance, initial_state, room_of
from neuroemu.families.lifcore.image import KINDS, CoreImage, ProgramImage

Int64 = NDArray[np.int64]
Int32 = NDArray[np.int32]

_WIDEST_SHIFT = 32
"""A right shift of a state by more gives the same: nothing."""


@dataclass(frozen=True)
class Loaded:
    """A program cut into shards, ready to run."""

    inputs: int
    cores: int
    shards: tuple[Shard, ...]

    def engine(self, per_tick: bool = True) -> ShardedEngine:
        """A chip that runs it; ``per_tick`` keeps the activity of every tick."""
        return ShardedEngine(advance, self.shards, self.cores, EVENTS, PROBES, per_tick)


def load_program(image: ProgramImage, threads: int = 1) -> tuple[Loaded, Links, SynapseLists]:
    """The running form of ``image``, as a chip would be booted: only registers and memories are read."""
    cores = image.cores
    core_start = _start([core.size for core in cores])
    lists = SynapseLists(
        list_start=_starts([core.list_start for core in cores]),
        list_class=np.array([SYNAPSE_CLASSES.index(kind) for kind in KINDS], np.uint8)[
            _joined([core.list_kind for core in cores])
        ],
        index=_joined([core.index for core in cores], np.int32),
        weight=_joined([core.weight for core in cores], np.int16),
        delay=_joined([core.delay for core in cores], np.uint8),
    )
    links = _links(image, core_start)
    threshold, bias, initial = (
        _joined([core.neurons[name] for core in cores], np.int32) for name in ("threshold", "bias", "initial")
    )
    inputs = int(image.host_start.shape[0]) - 1
    loaded = assemble(inputs, links, lists, _segments(cores, core_start), threshold, bias, initial, core_start, threads)
    return loaded, links, lists


def assemble(
    inputs: int,
    links: Links,
    lists: SynapseLists,
    segments: Segments,
    threshold: Int32,
    bias: Int32,
    initial: Int32,
    core_start: Int64,
    threads: int = 1,
) -> Loaded:
    """Cut a program into shards.

    Args:
        segments: registers of all runs of neurons; ``room`` is filled in here.
        threshold, bias, initial: int32 (neurons,).
        core_start: int64 (cores + 1,) first neuron of every core.
    """
    segments = _with_room(segments, threshold, bias)
    max_delay = int(lists.delay.max(initial=1))
    bounds = cut(links, lists, int(threshold.shape[0]), threads)
    shards = []
    for (first, last), synapses in zip(bounds, deliveries(links, lists, bounds), strict=True):
        first_core = int(np.searchsorted(core_start, first, side="right")) - 1
        last_core = int(np.searchsorted(core_start, last, side="left"))
        fixed = Fixed(
            first_source=inputs + first,
            segments=_clipped(segments, first, last, first_core),
            threshold=threshold[first:last],
            bias=bias[first:last],
            initial=initial[first:last],
        )
        state = initial_state(fixed.initial, max_delay)
        shards.append(Shard(first, last, first_core, last_core, fixed, state, synapses))
    return Loaded(inputs, int(core_start.shape[0]) - 1, tuple(shards))


def _with_room(segments: Segments, threshold: Int32, bias: Int32) -> Segments:
    """How far states may go before saturation, wrapping or 32 bits come into sight."""
    room = []
    for number in range(segments.first.shape[0]):
        first, last = segments.first[number], segments.last[number]
        amount, mode = int(segments.leak_amount[number]), int(segments.leak_mode[number])
        beyond = amount > (dynamics.DECAY_ONE if mode == dynamics.LEAK_SCALE else _WIDEST_SHIFT - 1)
        if mode != dynamics.LEAK_CONSTANT and beyond:
            room.append(-1)
            continue
        statics = [segments.reset_value[number], amount if mode == dynamics.LEAK_CONSTANT else 0]
        statics += [
            bias[first:last].min(initial=0),
            bias[first:last].max(initial=0),
            threshold[first:last].min(initial=0),
        ]
        widths = int(segments.bits[number]), int(segments.accumulator_bits[number])
        room.append(room_of(*widths, np.array(statics, np.int64)))
    return segments._replace(room=np.array(room, np.int64))


def _clipped(segments: Segments, first: int, last: int, first_core: int) -> Segments:
    """The segments of one shard, counted from its first neuron and core."""
    inside = (segments.first < last) & (segments.last > first)
    chosen = Segments(*(column[inside] for column in segments))
    return chosen._replace(
        first=np.maximum(chosen.first, first) - first,
        last=np.minimum(chosen.last, last) - first,
        core=chosen.core - first_core,
    )


def _segments(cores: tuple[CoreImage, ...], core_start: Int64) -> Segments:
    rows: list[dict[str, int]] = []
    for position, core in enumerate(cores):
        keys = np.stack([core.neurons["profile"], core.neurons["bias_start"]])
        borders = (np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1).tolist()
        bounds = [0, *borders, core.size]
        for first, last in pairwise(bounds):
            profile = int(core.neurons["profile"][first])
            rows.append(
                {
                    "first": int(core_start[position]) + first,
                    "last": int(core_start[position]) + last,
                    "core": position,
                    "bias_start": int(core.neurons["bias_start"][first]),
                    "overflow": core.overflow,
                    "bits": core.potential_bits,
                    "accumulator_bits": core.accumulator_bits,
                    "room": 0,
                    **{name: int(column[profile]) for name, column in core.profiles.items()},
                }
            )
            if rows[-1]["leak_mode"] == dynamics.LEAK_SHIFT:
                rows[-1]["leak_amount"] = min(rows[-1]["leak_amount"], _WIDEST_SHIFT)
    return Segments(**{name: np.array([row[name] for row in rows], np.int64) for name in Segments._fields})


def _links(image: ProgramImage, core_start: Int64) -> Links:
    """Follow every route to the list that its axon selects."""
    position = {core.core: number for number, core in enumerate(image.cores)}
    axon_start = _start([core.axon_list.shape[0] for core in image.cores])
    list_start = _start([core.list_kind.shape[0] for core in image.cores])
    destination = _joined([image.host_core, *(core.route_core for core in image.cores)])
    lookup = np.zeros(max(position, default=0) + 1, np.int64)
    lookup[list(position)] = list(position.values())
    destination = lookup[destination]
    axon = axon_start[destination] + _joined([image.host_axon, *(core.route_axon for core in image.cores)])
    lists = _joined([core.axon_list + list_start[number] for number, core in enumerate(image.cores)])
    base = _joined([core.axon_base + core_start[number] for number, core in enumerate(image.cores)])
    return Links(
        link_start=_starts([image.host_start, *(core.route_start for core in image.cores)]),
        destination_core=destination,
        synapse_list=lists[axon],
        base=base[axon],
    )


def _start(counts: list[int]) -> Int64:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _starts(parts: list[Int64]) -> Int64:
    """Start tables one after the other as one."""
    joined, last = [np.zeros(1, np.int64)], 0
    for part in parts:
        joined.append(part[1:] + last)
        last += int(part[-1])
    return np.concatenate(joined)


def _joined(parts: Sequence[NDArray[Any]], dtype: type[np.integer[Any]] = np.int64) -> NDArray[Any]:
    """The parts one after the other; a single one of that type is not copied."""
    if len(parts) == 1 and parts[0].dtype == dtype:
        return parts[0]
    return np.concatenate([np.zeros(0, dtype), *(part.astype(dtype, copy=False) for part in parts)])
