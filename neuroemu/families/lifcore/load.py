"""From a program image, or from plain arrays, to what the tick runs on; linear in the number of synapses."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.delivery import SYNAPSE_CLASSES, Links, SynapseLists, build_deliveries
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.core import CompiledProgram, Segments
from neuroemu.families.lifcore.image import KINDS, CoreImage, ProgramImage

Int64 = NDArray[np.int64]


def load_program(image: ProgramImage) -> tuple[CompiledProgram, Links, SynapseLists]:
    """The running form of ``image``, as a chip would be booted: only registers and memories are read."""
    cores = image.cores
    core_start = _start([core.size for core in cores])
    lists = SynapseLists(
        list_start=_starts([core.list_start for core in cores]),
        list_class=np.array([SYNAPSE_CLASSES.index(kind) for kind in KINDS], np.uint8)[
            _joined([core.list_kind for core in cores])
        ],
        index=_joined([core.index for core in cores]),
        weight=_joined([core.weight for core in cores]).astype(np.int16),
        delay=_joined([core.delay for core in cores]).astype(np.uint8),
    )
    links = _links(image, core_start)
    neurons = {
        name: _joined([core.neurons[name] for core in cores]).astype(np.int32)
        for name in ("threshold", "bias", "initial")
    }
    program = CompiledProgram(
        inputs=int(image.host_start.shape[0]) - 1,
        neurons=int(core_start[-1]),
        cores=len(cores),
        max_delay=int(lists.delay.max(initial=1)),
        segments=_segments(cores, core_start),
        synapses=build_deliveries(links, lists, int(core_start[-1])),
        **neurons,
    )
    return program, links, lists


def program_from_arrays(net: Mapping[str, Any], potential_bits: int = 32) -> CompiledProgram:
    """One core from plain arrays, the format of ``neuroemu.bench_networks``.

    Args:
        net: ``indptr`` (sources + 1,), ``indices``, ``weights``, ``delays`` (CSR by source, inputs first), ``theta``,
            ``bias``, ``v0`` (neurons,), ``dv``, ``du`` (decay, of 4096), ``R``, ``v_reset``, ``n_in``, ``n``.
    """
    neurons, inputs = int(net["n"]), int(net["n_in"])
    start = np.asarray(net["indptr"], np.int64)
    sources = start.shape[0] - 1
    every = np.arange(sources + 1, dtype=np.int64)
    lists = SynapseLists(
        list_start=start,
        list_class=np.full(sources, SYNAPSE_CLASSES.index("sparse"), np.uint8),
        index=np.asarray(net["indices"], np.int64),
        weight=np.asarray(net["weights"], np.int16),
        delay=np.asarray(net["delays"], np.uint8),
    )
    zeros = np.zeros(sources, np.int64)
    row = {
        "first": 0,
        "last": neurons,
        "core": 0,
        "bias_start": 0,
        "input_shift": 0,
        "current_keep": dynamics.DECAY_ONE - int(net["du"]),
        "leak_mode": dynamics.LEAK_SCALE,
        "leak_amount": dynamics.DECAY_ONE - int(net["dv"]),
        "compare": dynamics.ABOVE,
        "reset": dynamics.RESET_TO_VALUE,
        "reset_value": int(net["v_reset"]),
        "period": int(net["R"]),
        "overflow": dynamics.SATURATE,
        "bits": potential_bits,
    }
    return CompiledProgram(
        inputs=inputs,
        neurons=neurons,
        cores=1,
        max_delay=int(lists.delay.max(initial=1)),
        segments=Segments(**{name: np.array([value], np.int64) for name, value in row.items()}),
        threshold=np.asarray(net["theta"], np.int32),
        bias=np.asarray(net["bias"], np.int32),
        initial=np.asarray(net["v0"], np.int32),
        synapses=build_deliveries(Links(every, zeros, every[:-1], zeros), lists, neurons),
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
                    **{name: int(column[profile]) for name, column in core.profiles.items()},
                }
            )
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


def _joined(parts: list[Int64]) -> Int64:
    return np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
