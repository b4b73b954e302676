"""From a program image to the arrays the tick runs on, as a chip would be booted: only registers and memories are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.delivery import SYNAPSE_CLASSES, Links, SynapseLists
from neuroemu.emulator.sharded import Shard, ShardedEngine, cut, deliveries
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.core import EVENTS, PROBES, Fixed, Segments, advance, initial_state
from neuroemu.families.loihi.image import CoreImage, ProgramImage, SynapseFormat, SynapseSection

Int64 = NDArray[np.int64]

_NOISE_TARGETS = {"current": 1, "membrane": 2}


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
    """Build the running form of ``image``; linear in its size."""
    core_start = np.concatenate([[0], np.cumsum([core.compartments for core in image.cores])]).astype(np.int64)
    memory, first_list = _synapse_memory(image.cores)
    links = _links(image, core_start, first_list)
    inputs = int(image.host.route_start.shape[0] - 1)
    max_delay = int(max(memory.delay.max(initial=0), 0))
    thresholds = [core.thresholds[core.threshold_of_compartment].astype(np.int64) for core in image.cores]
    biases = [
        np.left_shift(core.bias_mantissa.astype(np.int64), core.bias_exponent.astype(np.int64)) for core in image.cores
    ]
    whole = Fixed(
        first_source=inputs,
        segments=_segments(image.cores, core_start),
        threshold=(_joined(thresholds) << dynamics.THRESHOLD_SHIFT).astype(np.int32),
        bias=_joined(biases).astype(np.int32),
        noise_key=_joined(
            [np.arange(core.compartments, dtype=np.int64) + (core.core << 16) for core in image.cores]
        ).astype(np.uint64),
        seed=image.seed,
    )
    bounds = cut(links, memory, int(core_start[-1]), threads)
    shards = []
    for (first, last), synapses in zip(bounds, deliveries(links, memory, bounds), strict=True):
        first_core = int(np.searchsorted(core_start, first, side="right")) - 1
        last_core = int(np.searchsorted(core_start, last, side="left"))
        fixed = _clipped(whole, first, last, first_core)
        shards.append(
            Shard(first, last, first_core, last_core, fixed, initial_state(last - first, max_delay), synapses)
        )
    return Loaded(inputs, len(image.cores), tuple(shards)), links, memory


def _clipped(whole: Fixed, first: int, last: int, first_core: int) -> Fixed:
    """What belongs to one shard, counted from its first neuron and core."""
    inside = (whole.segments.first < last) & (whole.segments.last > first)
    chosen = Segments(*(column[inside] for column in whole.segments))
    return Fixed(
        first_source=whole.first_source + first,
        segments=chosen._replace(
            first=np.maximum(chosen.first, first) - first,
            last=np.minimum(chosen.last, last) - first,
            core=chosen.core - first_core,
        ),
        threshold=whole.threshold[first:last],
        bias=whole.bias[first:last],
        noise_key=whole.noise_key[first:last],
        seed=whole.seed,
    )


def weights_on_chip(mantissa: NDArray[np.int16], synapse_format: SynapseFormat) -> NDArray[np.int32]:
    """What one spike over each synapse adds to the accumulator, int32, a multiple of 64."""
    dropped = 8 - synapse_format.weight_bits + (1 if synapse_format.sign_mode == 1 else 0)
    on_chip = np.empty(mantissa.shape[0], np.int32)
    _weights(mantissa.astype(np.int16), dropped, synapse_format.weight_exponent, on_chip)
    return on_chip


@njit
def _weights(mantissa: Any, dropped: int, exponent: int, on_chip: Any) -> None:
    for synapse in range(mantissa.shape[0]):
        on_chip[synapse] = dynamics.synaptic_weight(int(mantissa[synapse]), dropped, exponent)


def _joined(parts: list[NDArray[np.int64]]) -> Int64:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _segments(cores: tuple[CoreImage, ...], core_start: Int64) -> Segments:
    columns: list[list[int]] = [[] for _ in Segments._fields]
    for position, core in enumerate(cores):
        keys = np.stack([core.profile_of_compartment.astype(np.int64), core.bias_start_tick.astype(np.int64)])
        borders = np.flatnonzero(np.any(keys[:, 1:] != keys[:, :-1], axis=0)) + 1
        firsts = [0, *borders.tolist()] if core.compartments else []
        lasts = [*borders.tolist(), core.compartments]
        for first, last in zip(firsts, lasts, strict=False):
            profile = core.profiles[int(core.profile_of_compartment[first])]
            row = (
                int(core_start[position]) + first,
                int(core_start[position]) + last,
                position,
                dynamics.DECAY_ONE - (profile.current_decay + 1),
                dynamics.DECAY_ONE - profile.membrane_decay,
                profile.refractory,
                dynamics.lowest_membrane(core.vmin_exponent),
                dynamics.highest_membrane(core.vmax_exponent),
                int(core.bias_start_tick[first]),
                _NOISE_TARGETS[core.noise_target] if profile.noise_enable else 0,
                core.noise_mantissa_offset,
                core.noise_exponent,
            )
            for column, value in zip(columns, row, strict=True):
                column.append(value)
    return Segments(*(np.array(column, np.int64) for column in columns))


def _synapse_memory(cores: tuple[CoreImage, ...]) -> tuple[SynapseLists, list[Int64]]:
    """All lists of all cores; also the number of the first list of every section, per core."""
    starts: list[Int64] = [np.zeros(1, np.int64)]
    classes: list[NDArray[np.uint8]] = []
    indices: list[Int64] = []
    weights: list[NDArray[np.int16]] = []
    delays: list[NDArray[np.uint8]] = []
    first_lists: list[Int64] = []
    lists = synapses = 0
    for core in cores:
        first_of_section = []
        for section in core.sections:
            first_of_section.append(lists)
            count = section.list_start.shape[0] - 1
            starts.append(section.list_start[1:].astype(np.int64) + synapses)
            classes.append(np.full(count, SYNAPSE_CLASSES.index(section.kind), np.uint8))
            indices.append(_indices(section))
            weights.append((weights_on_chip(section.weight, section.format) >> dynamics.WEIGHT_SHIFT).astype(np.int16))
            delays.append(
                section.delay.astype(np.uint8)
                if section.format.delay_bits
                else np.zeros(section.weight.shape[0], np.uint8)
            )
            lists += count
            synapses += section.weight.shape[0]
        first_lists.append(np.array(first_of_section, np.int64))
    memory = SynapseLists(
        list_start=np.concatenate(starts),
        list_class=np.concatenate([*classes, np.zeros(0, np.uint8)]),
        index=_joined(indices).astype(np.int32),
        weight=np.concatenate([*weights, np.zeros(0, np.int16)]),
        delay=np.concatenate([*delays, np.zeros(0, np.uint8)]),
    )
    return memory, first_lists


def _indices(section: SynapseSection) -> Int64:
    if section.format.layout == "sparse":
        return section.index.astype(np.int64)
    lengths = np.diff(section.list_start)
    return np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(section.list_start[:-1], lengths)


def _links(image: ProgramImage, core_start: Int64, first_list: list[Int64]) -> Links:
    """Follow every output axon and host route to the list it selects."""
    starts = [image.host.route_start.astype(np.int64)]
    cores = [image.host.core]
    axons = [image.host.axon]
    atoms = [image.host.atom]
    for core in image.cores:
        starts.append(core.output_start[1:].astype(np.int64) + starts[-1][-1])
        cores.append(core.output_core)
        axons.append(core.output_axon)
        atoms.append(core.output_atom)
    position_of_core = np.full(max((core.core for core in image.cores), default=0) + 1, -1, np.int64)
    position_of_core[[core.core for core in image.cores]] = np.arange(len(image.cores))
    destination = position_of_core[np.concatenate(cores).astype(np.int64)]
    axon_start = np.concatenate([[0], np.cumsum([core.axon_list.shape[0] for core in image.cores])]).astype(np.int64)
    list_of_axon = _joined(
        [
            first_list[position][core.axon_section.astype(np.int64)] + core.axon_list.astype(np.int64)
            for position, core in enumerate(image.cores)
            if core.axon_list.shape[0]
        ]
    )
    base_of_axon = _joined([core.axon_base.astype(np.int64) for core in image.cores])
    axon = axon_start[destination] + np.concatenate(axons).astype(np.int64)
    return Links(
        link_start=np.concatenate(starts),
        destination_core=destination,
        synapse_list=list_of_axon[axon] + np.concatenate(atoms).astype(np.int64),
        base=core_start[destination] + base_of_axon[axon],
    )
