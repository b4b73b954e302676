"""Small Loihi programs written by hand: one call per core, with the registers a test cares about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import NEVER, Recording, run_ticks
from neuroemu.emulator.sharded import ShardedEngine
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.image import (
    MIXED,
    CompartmentProfile,
    CoreImage,
    HostRoutes,
    ProgramImage,
    SynapseFormat,
    SynapseSection,
    check_program,
)
from neuroemu.families.loihi.load import load_program
from neuroemu.families.loihi.packing import pack, unpack
from neuroemu.image.symbols import Port, Symbols

Int64 = NDArray[np.int64]
NO_DECAY, KEEPS_ALL = 4095, 0
"""Current decay register with which a current lives one tick; membrane decay register without leak."""
PERFECT = CompartmentProfile(NO_DECAY, KEEPS_ALL)
"""Integrate and fire: an input counts once and stays on the membrane."""


@dataclass
class Core:
    """What a core holds, to be filled; axons point to (section, first list, atoms, base)."""

    compartments: int
    profile: CompartmentProfile = PERFECT
    threshold: int = 100
    bias: tuple[int, int] = (0, 0)
    bias_start_tick: int = 0
    bounds: tuple[int, int] = (23, 7)
    noise: tuple[int, int, str] = (0, 0, "current")
    sections: list[SynapseSection] = field(default_factory=list)
    axons: list[tuple[int, int, int, int]] = field(default_factory=list)
    outputs: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(compartment, target core, target axon, atom)."""

    def image(self, number: int) -> CoreImage:
        """The core's memories."""
        count = self.compartments
        outputs = np.array(sorted(self.outputs), np.int64).reshape(-1, 4)
        axons = np.array(self.axons, np.int64).reshape(-1, 4)
        values: dict[str, Any] = {
            "core": number,
            "profiles": (self.profile,),
            "thresholds": [self.threshold],
            "vmin_exponent": self.bounds[0],
            "vmax_exponent": self.bounds[1],
            "noise_exponent": self.noise[0],
            "noise_mantissa_offset": self.noise[1],
            "noise_target": self.noise[2],
            "profile_of_compartment": np.zeros(count, np.int64),
            "threshold_of_compartment": np.zeros(count, np.int64),
            "bias_mantissa": np.full(count, self.bias[0]),
            "bias_exponent": np.full(count, self.bias[1]),
            "bias_start_tick": np.full(count, self.bias_start_tick),
            "sections": tuple(self.sections),
            "axon_section": axons[:, 0],
            "axon_list": axons[:, 1],
            "axon_atoms": axons[:, 2],
            "axon_base": axons[:, 3],
            "output_start": np.searchsorted(outputs[:, 0], np.arange(count + 1)),
            "output_core": outputs[:, 1],
            "output_axon": outputs[:, 2],
            "output_atom": outputs[:, 3],
        }
        return CoreImage(**values)


def listed(
    lists: list[list[tuple[int, int, int]]], exponent: int = 0, sign_mode: int = MIXED, kind: str = "sparse"
) -> SynapseSection:
    """A section of lists of (compartment, mantissa, delay)."""
    synapses = [synapse for synapse_list in lists for synapse in synapse_list]
    longest = max((delay for _, _, delay in synapses), default=0)
    form = SynapseFormat("sparse", sign_mode, 8, exponent, longest.bit_length(), 10)
    return SynapseSection(
        kind=kind,  # type: ignore[arg-type]
        format=form,
        list_start=np.cumsum([0, *map(len, lists)]),
        index=[index for index, _, _ in synapses],  # type: ignore[arg-type]
        weight=[weight for _, weight, _ in synapses],  # type: ignore[arg-type]
        delay=[delay for _, _, delay in synapses] if form.delay_bits else [],  # type: ignore[arg-type]
    )


def dense(rows: list[list[int]], delay: int = 0, exponent: int = 0, sign_mode: int = MIXED) -> SynapseSection:
    """A dense section: one row of mantissas per list, synapse k meets compartment base + k."""
    form = SynapseFormat("dense", sign_mode, 8, exponent, delay.bit_length())
    weights = [weight for row in rows for weight in row]
    return SynapseSection(
        kind="dense",
        format=form,
        list_start=np.cumsum([0, *map(len, rows)]),
        index=[],  # type: ignore[arg-type]
        weight=weights,  # type: ignore[arg-type]
        delay=[delay] * len(weights) if delay else [],  # type: ignore[arg-type]
    )


def program(*cores: Core, host: list[tuple[int, int, int, int]] | None = None, inputs: int = 0) -> ProgramImage:
    """Cores 0, 1, ... and host routes of (source, core, axon, atom)."""
    routes = np.array(sorted(host or []), np.int64).reshape(-1, 4)
    image = ProgramImage(
        chip={},
        symbols=Symbols((Port("in", (inputs,), 0, inputs),) if inputs else (), (), (), "hand-made"),
        cores=tuple(core.image(number) for number, core in enumerate(cores)),
        host=HostRoutes(
            np.searchsorted(routes[:, 0], np.arange(inputs + 1)),
            *(column.astype(np.uint16) for column in routes.T[1:]),
        ),
    )
    assert check_program(image) == ()
    return image


def booted(image: ProgramImage, threads: int = 1) -> ShardedEngine:
    """The engine of a program that went through the letterbox."""
    return load_program(unpack(pack(image)), threads)[0].engine()


def stimulus(spikes: list[tuple[int, int]]) -> Stimulus:
    """External spikes from (tick, source)."""
    ordered = np.array(sorted(spikes), np.int64).reshape(-1, 2)
    return Stimulus(ordered[:, 0], ordered[:, 1].astype(np.int32))


def run(
    engine: ShardedEngine, ticks: int, spikes: list[tuple[int, int]] | None = None, period: int = NEVER
) -> tuple[list[tuple[int, int]], Recording]:
    """Spikes as (tick, neuron), and the recording with every neuron probed."""
    probe = np.arange(engine.neurons)
    recording = run_ticks(engine, stimulus(spikes or []), ticks, reset_period=period, probe=probe)
    neurons = recording.spike_source.astype(np.int64) - engine.shards[0].fixed.first_source
    return list(zip(recording.spike_tick.tolist(), neurons.tolist(), strict=True)), recording


def synapses_of(image: ProgramImage) -> list[tuple[int, int, int, int]]:
    """Every (source, target neuron, delay, weight as the neuron sees it), straight from the memories."""
    first = np.cumsum([0, *(core.compartments for core in image.cores)])
    inputs = image.host.sources
    sends = [
        (source, int(image.host.core[route]), int(image.host.axon[route]), int(image.host.atom[route]))
        for source in range(inputs)
        for route in range(image.host.route_start[source], image.host.route_start[source + 1])
    ]
    for number, core in enumerate(image.cores):
        for compartment in range(core.compartments):
            for entry in range(core.output_start[compartment], core.output_start[compartment + 1]):
                destination = (int(core.output_core[entry]), int(core.output_axon[entry]), int(core.output_atom[entry]))
                sends.append((inputs + int(first[number]) + compartment, *destination))
    synapses = []
    for source, number, axon, atom in sends:
        core = image.cores[number]
        section = core.sections[int(core.axon_section[axon])]
        row = int(core.axon_list[axon]) + atom
        for place, synapse in enumerate(range(section.list_start[row], section.list_start[row + 1])):
            index = place if section.format.layout == "dense" else int(section.index[synapse])
            delay = int(section.delay[synapse]) if section.format.delay_bits else 0
            form = section.format
            weight = dynamics.synaptic_weight(int(section.weight[synapse]), form.dropped_bits, form.weight_exponent)
            synapses.append((source, int(first[number]) + int(core.axon_base[axon]) + index, delay, weight))
    return synapses
