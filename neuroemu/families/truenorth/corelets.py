"""Programs from models that IBM's tools have already mapped: they enter behind the mapper, core by core as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import SpikeTimes
from neuroemu.errors import BadInput, DoesNotFit, Finding
from neuroemu.families.truenorth.image import (
    SIZE,
    UNUSED_ALPHA,
    Cores,
    ProgramImage,
    build_cores,
    limits_of,
    outside,
    too_many,
)
from neuroemu.formats.ibm_cpe import CONNECTOR, CpeModel, CpeSpikes
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols

Int64 = NDArray[np.int64]

PORT = "axons"
INNER = "internal"
MOST_TICKS = 1 << 24
"""Of one run: more than four hours of the chip."""
AFTER_LAST_SPIKE = 16
"""Ticks run after the last input by default: longer than any delay."""


def image_of_model(model: CpeModel, chip: Any) -> ProgramImage:
    """The image of a model: cores, a port with every axon, a population per output connector and one of the rest.

    Core ids are placed on the mesh row by row.

    Raises:
        DoesNotFit: NE5603 with every limit of the chip that the model breaks.
    """
    mesh = chip.structure.mesh
    if model.cores and max(core.id for core in model.cores) >= mesh.slots:
        highest = max(core.id for core in model.cores)
        message = (
            f"core {highest} is not on the chip, which has {mesh.slots} cores ({highest + 1 - mesh.slots} too many)"
        )
        fixes = ("tile more chips: raise chip_columns or chip_rows in a chip file of your own",)
        raise DoesNotFit(Finding("NE5603", message, model.file, fixes))
    if crowded := list(_crowded(model)):
        raise DoesNotFit(crowded)
    columns, connected, leaving = _columns(model, mesh.columns)
    number = np.array([core.id for core in model.cores], np.int64)
    if late := list(outside("delay", columns["delay"], limits_of(chip)["delay"], number, leaving)):
        raise DoesNotFit(late)
    width = max((core.axon_type.shape[0] for core in model.cores), default=0)
    axon_type = np.zeros((len(model.cores), width), np.int64)
    synapses = np.zeros((len(model.cores), width, model.size), np.bool_)
    for position, core in enumerate(model.cores):
        axons = core.axon_type.shape[0]
        axon_type[position, :axons] = core.axon_type
        synapses[position, :axons] = np.unpackbits(core.synapses, axis=-1)[:, : model.size]
    cores = build_cores(
        number,
        synapses,
        {"axon_type": axon_type, **columns},
        connected,
        np.array([core.seed for core in model.cores], np.int64),
        limits_of(chip),
    )
    sources = cores.count * SIZE
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=_symbols(model, cores),
        cores=cores,
        host_start=np.arange(sources + 1, dtype=np.int64),
        host_core=np.repeat(number, SIZE),
        host_axon=np.tile(np.arange(SIZE, dtype=np.int64), cores.count),
        host_delay=np.zeros(sources, np.int64),
    )


def _crowded(model: CpeModel) -> Iterator[Finding]:
    """Cores with too many axons, by the first of them, and crossbars with too many neurons."""
    axons = np.array([core.axon_type.shape[0] for core in model.cores], np.int64)
    over = np.flatnonzero(axons > SIZE)
    for first in over[:1].tolist():
        many = f" ({over.shape[0]:,} such cores)" if over.shape[0] > 1 else ""
        yield from too_many("axons", int(axons[first]), f"{model.file}: core {model.cores[first].id}{many}")
    yield from too_many("neurons", model.size, f"{model.file}: crossbarSize")


def inputs_of_spikes(
    spikes: CpeSpikes, core_ids: Sequence[int], ticks: int | None = None, file: str = "spikes"
) -> SpikeTimes:
    """Spikes for the port of :func:`image_of_model`, in the ticks that integrate them; those to one axon and tick are one.

    Args:
        core_ids: of the model, in its order; a program's core numbers.
        ticks: ticks to run; default until all delays after the last spike have passed, up to :data:`MOST_TICKS`.

    Raises:
        BadInput: NE6030 for spikes to cores or axons that the model does not have, or at or after ``ticks``.
    """
    ids = np.asarray(core_ids, np.int64)
    order = np.argsort(ids)
    tick = spikes.tick + spikes.delay
    known = np.isin(spikes.core, ids) & (spikes.axon < SIZE)
    last = int(tick.max(initial=-1)) + 1
    period = last + AFTER_LAST_SPIKE if ticks is None else ticks
    findings = []
    if not known.all():
        wrong = int(np.flatnonzero(~known)[0])
        place = f"core {int(spikes.core[wrong])}, axon {int(spikes.axon[wrong])} in tick {int(spikes.tick[wrong])}"
        findings.append(Finding("NE6030", f"a spike goes to {place}, which the model does not have", file))
    if last > period:
        fixes = (f"run at least {last} ticks",)
        findings.append(Finding("NE6030", f"a spike is sent in tick {last - 1}, the run has {period}", file, fixes))
    if period > MOST_TICKS:
        message = f"the run has {period:,} ticks, {period - MOST_TICKS:,} more than the {MOST_TICKS:,} of one run"
        findings.append(
            Finding("NE6030", message, file, ("run fewer ticks at a time", "let the first spike come earlier"))
        )
    if findings:
        raise BadInput(findings)
    source = order[np.searchsorted(ids[order], spikes.core)] * SIZE + spikes.axon
    once = np.unique(np.stack([tick, source], axis=1), axis=0)
    return SpikeTimes(once[:, 0].copy(), once[:, 1].astype(np.int32), period)


def has_every_axon(symbols: Symbols) -> bool:
    """Whether the input of a program is the port of :func:`image_of_model`."""
    return [(port.name, port.shape[1:]) for port in symbols.inputs] == [(PORT, (SIZE,))]


def _columns(model: CpeModel, mesh_columns: int) -> tuple[dict[str, Int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Parameters of every neuron (cores, size), which have a target on the chip, and which a connector."""
    shape = (len(model.cores), model.size)
    columns: dict[str, Int64] = {
        name: np.zeros(shape, np.int64) for name in (*_PLAIN, "leak", "reset", "dx", "dy", "axon")
    }
    columns["alpha"][:] = UNUSED_ALPHA
    columns["delay"] = np.ones(shape, np.int64)
    columns["weight"], columns["stochastic"] = np.zeros((*shape, 4), np.int64), np.zeros((*shape, 4), np.int64)
    connected, leaving = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    table = {number: _parameters(values) for number, values in model.types.items()}
    for position, core in enumerate(model.cores):
        for number in sorted(set(core.type.tolist()) - {0}):
            chosen = core.neuron[core.type == number]
            for name, value in table[number].items():
                columns[name][position, chosen] = value
        targeted = (core.type != 0) & (core.core >= 0)
        neuron, target = core.neuron[targeted], core.core[targeted]
        connected[position, neuron] = True
        columns["dx"][position, neuron] = target % mesh_columns - core.id % mesh_columns
        columns["dy"][position, neuron] = target // mesh_columns - core.id // mesh_columns
        columns["axon"][position, neuron] = core.axon[targeted]
        columns["delay"][position, neuron] = core.delay[targeted]
        sent = (core.type != 0) & (core.core <= CONNECTOR)
        leaving[position, core.neuron[sent]] = True
        columns["delay"][position, core.neuron[sent]] = core.delay[sent]
    return columns, connected, leaving


_PLAIN = {
    "potential": "V",
    "stochastic_leak": "c_lambda",
    "reversal": "epsilon",
    "alpha": "alpha",
    "beta": "beta",
    "mask_bits": "TM",
    "gamma": "gamma",
    "kappa": "kappa",
}


def _parameters(values: Any) -> dict[str, Any]:
    """One neuron type in the fields of :class:`Cores`; the reset value is written as 2**VR - 1."""
    return {
        **{name: values[key] for name, key in _PLAIN.items()},
        "weight": np.array([values[f"sigma{kind}"] * values[f"s{kind}"] for kind in range(4)]),
        "stochastic": np.array([values[f"b{kind}"] for kind in range(4)]),
        "leak": values["sigma_lambda"] * values["lambda"],
        "reset": values["sigma_VR"] * ((1 << values["VR"]) - 1),
    }


def output_spikes(model: CpeModel, events: Mapping[str, tuple[Int64, Int64]]) -> CpeSpikes:
    """Spikes of the output connectors as IBM's files write them: target core -32 and below, axon = pin, by tick.

    Args:
        events: population -> (tick, neuron) of its spikes.
    """
    parts = []
    for name, pins in _populations(model).items():
        if name != INNER:
            tick, neuron = events[name]
            target = np.array([row[0] for row in pins], np.int64)[neuron]
            pin = np.array([row[1] for row in pins], np.int64)[neuron]
            parts.append(np.stack([tick, target, pin], axis=1))
    table = np.concatenate([np.zeros((0, 3), np.int64), *parts])
    table = table[np.lexsort((table[:, 2], -table[:, 1], table[:, 0]))]
    return CpeSpikes(table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy())


def _populations(model: CpeModel) -> dict[str, list[tuple[int, int, int, int]]]:
    """Rows (target, pin, core, neuron) of every connector in the order of pins, then those of all other used neurons."""
    rows = [
        (int(target), int(pin), core.id, int(neuron))
        for core in model.cores
        for target, pin, neuron, kind in zip(core.core, core.axon, core.neuron, core.type, strict=True)
        if kind != 0
    ]
    groups: dict[str, list[tuple[int, int, int, int]]] = {}
    for row in sorted(row for row in rows if row[0] <= CONNECTOR):
        groups.setdefault(f"connector{CONNECTOR - row[0]}", []).append(row)
    groups = dict(reversed(groups.items()))
    if inner := sorted((row for row in rows if row[0] > CONNECTOR), key=lambda row: row[2:]):
        groups[INNER] = inner
    return groups


def _symbols(model: CpeModel, cores: Cores) -> Symbols:
    """One input port with every axon; a population per connector and one of everything else that is used."""
    groups = _populations(model)
    if not groups:
        raise BadInput(Finding("NE1072", "no core uses any neuron", model.file))
    populations = tuple(
        PopulationSymbol(
            name=name,
            shape=(len(group),),
            tick_offset=0,
            spiking=True,
            core=np.array([row[2] for row in group], np.int32),
            compartment=np.array([row[3] for row in group], np.int32),
        )
        for name, group in groups.items()
    )
    outputs = tuple(name for name in groups if name != INNER) or tuple(groups)
    port = Port(name=PORT, shape=(cores.count, SIZE), first_source=0, size=cores.count * SIZE)
    return Symbols(inputs=(port,), populations=populations, outputs=outputs, dialect="")
