"""SANA-FE 2.2.9's recorded integer networks under the chip ``sanafe-loihi``: spikes from the engine, energies from those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroemu.emulator.delivery import SYNAPSE_CLASSES, Links, SynapseLists
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.emulator.traffic import Traffic
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.core import Segments
from neuroemu.families.lifcore.load import Loaded, assemble
from neuroemu.families.lifcore.timing import CycleMeter, contract, energy_terms
from neuroemu.spec import load_chip

CHIP = "sanafe-loihi"
TOLERANCE = 1e-6
_PARTS = {"neuron": "soma", "synapse": "synapse", "network": "network"}
"""Our groups of energies by their names for them."""
_CLASS = {"dense": 0, "sparse": 1, "conv": 2}
_RESETS = {"hard": dynamics.RESET_TO_VALUE, "soft": dynamics.RESET_SUBTRACT}


def differing_spikes(recorded: Mapping[str, Any]) -> tuple[int, int, str]:
    """(bins compared, bins that differ, the first difference) over all neurons and ticks of a recorded network."""
    network = recorded["network"]
    number, inputs = _numbering(network["groups"])
    program = _program(network, number, inputs)
    ticks = int(network["ticks"])
    engine = program.engine()
    recording = run_ticks(engine, _stimulus(network, number), ticks)
    fired = np.zeros((ticks, engine.neurons), np.bool_)
    fired[recording.spike_tick, recording.spike_source - inputs] = True
    wanted = np.zeros_like(fired)
    for tick, names in enumerate(recorded["spikes_by_tick"]):
        for name in names:
            group, index = name.rsplit(".", 1)
            if network["groups"][group]["soma"] != "input":
                wanted[tick, number[group] + int(index) - inputs] = True
    wrong = np.argwhere(fired != wanted)
    detail = ""
    if wrong.size:
        tick, neuron = wrong[0]
        detail = f"tick {tick}, neuron {neuron}: {int(fired[tick, neuron])}, recorded {int(wanted[tick, neuron])}"
    return fired.size, wrong.shape[0], detail


def differing_energies(recorded: Mapping[str, Any]) -> tuple[int, int, str]:
    """(energies compared, those that differ, the first difference): from the replayed spikes and the chip file's constants."""
    network = recorded["network"]
    number, inputs = _numbering(network["groups"])
    chip: Any = load_chip(CHIP)
    meter = _meter(network, number, inputs, chip)
    given = _stimulus(network, number)
    meter.ticks = int(network["ticks"])
    recording = run_ticks(_program(network, number, inputs).engine(), given, meter.ticks)
    for sources in (given.source, recording.spike_source):
        meter.source_spikes += np.bincount(sources, minlength=meter.source_spikes.shape[0])
    energies = chip.cost_sets["assumed"].energy
    found = dict.fromkeys((*_PARTS.values(), "total"), 0.0)
    for term in energy_terms(meter):
        for part in (_PARTS[term.group], "total"):
            found[part] += term.count * float(energies[term.constant].value)
    wrong = [
        f"{part} {value:.9g} J, recorded {result['energy_J'][part]:.9g}"
        for result in recorded["results"].values()
        for part, value in found.items()
        if abs(value - result["energy_J"][part]) > TOLERANCE * result["energy_J"][part]
    ]
    return len(found) * len(recorded["results"]), len(wrong), wrong[0] if wrong else ""


def _meter(network: Mapping[str, Any], number: Mapping[str, int], inputs: int, chip: Any) -> CycleMeter:
    """A meter wired like the recorded placement: one packet per source, target core and spike, inputs too."""
    groups = sorted(network["groups"], key=lambda name: number[name])
    home = np.concatenate([np.asarray(network["groups"][name]["core"], np.int64) for name in groups])
    kind = np.repeat(
        [_CLASS[network["groups"][name]["synapse_hw"].split("_")[1]] for name in groups],
        [int(network["groups"][name]["n"]) for name in groups],
    )
    used, position = np.unique(home, return_inverse=True)
    edges = np.array([(number[a] + i, position[number[b] + j]) for a, i, b, j, _, _ in network["edges"]], np.int64)
    packet, synapses = np.unique(edges.reshape(-1, 2), axis=0, return_counts=True)
    source, core = packet.T
    east_west, north_south = chip.structure.mesh.hops(home[source], used[core])
    on_chip = np.arange(home.shape[0]) >= inputs
    traffic = Traffic(
        start=np.searchsorted(source, np.arange(home.shape[0] + 1)).astype(np.int64),
        core=np.ascontiguousarray(core),
        synapses=synapses.astype(np.int64),
        synapse_class=kind[source].astype(np.int64),
        hops_east_west=east_west,
        hops_north_south=north_south,
        home=position.astype(np.int64),
        silent=~on_chip,
    )
    neurons = np.bincount(position[on_chip], minlength=used.shape[0]).astype(np.int64)
    return CycleMeter(traffic, neurons, contract(chip.cycles.stated()), per_tick=False)


def _numbering(groups: Mapping[str, Any]) -> tuple[dict[str, int], int]:
    """First source number of every group, inputs first; and how many inputs there are."""
    number, position = {}, 0
    for name in sorted(groups, key=lambda name: groups[name]["soma"] != "input"):
        number[name] = position
        position += int(groups[name]["n"])
    return number, sum(int(group["n"]) for group in groups.values() if group["soma"] == "input")


def _program(network: Mapping[str, Any], number: Mapping[str, int], inputs: int) -> Loaded:
    groups = {name: group for name, group in network["groups"].items() if group["soma"] != "input"}
    groups = dict(sorted(groups.items(), key=lambda item: number[item[0]]))
    arithmetic: Any = load_chip(CHIP).arithmetic
    first = np.array([number[name] - inputs for name in groups], np.int64)
    sizes = np.array([int(group["n"]) for group in groups.values()], np.int64)
    neurons = int(sizes.sum())
    zeros = np.zeros(len(groups), np.int64)
    segments = Segments(
        first=first,
        last=first + sizes,
        core=zeros,
        bias_start=zeros,
        input_shift=zeros,
        current_keep=zeros,
        leak_mode=np.full_like(zeros, dynamics.LEAK_SCALE),
        leak_amount=np.array([int(group["leak_4096"]) for group in groups.values()], np.int64),
        compare=np.full_like(zeros, dynamics.ABOVE),
        reset=np.array([_RESETS[group["reset_mode"]] for group in groups.values()], np.int64),
        reset_value=zeros,
        period=zeros,
        overflow=np.full_like(zeros, int(arithmetic.overflow.value == "wrap")),
        bits=np.full_like(zeros, int(arithmetic.potential_bits.value)),
        accumulator_bits=np.full_like(zeros, int(arithmetic.accumulator_bits.value)),
        room=zeros,
    )
    synapses = np.array(
        [
            (number[source_group] + source, number[target_group] + target - inputs, weight, delay)
            for source_group, source, target_group, target, weight, delay in network["edges"]
        ],
        np.int64,
    ).reshape(-1, 4)
    synapses = synapses[np.lexsort((synapses[:, 1], synapses[:, 0]))]
    sources = inputs + neurons
    every = np.arange(sources + 1, dtype=np.int64)
    none = np.zeros(sources, np.int64)
    lists = SynapseLists(
        list_start=np.searchsorted(synapses[:, 0], every).astype(np.int64),
        list_class=np.full(sources, SYNAPSE_CLASSES.index("sparse"), np.uint8),
        index=synapses[:, 1].astype(np.int32),
        weight=synapses[:, 2].astype(np.int32),
        delay=synapses[:, 3].astype(np.uint8),
    )
    return assemble(
        inputs,
        Links(every, none, every[:-1], none),
        lists,
        segments,
        _per_neuron(groups, "threshold"),
        _per_neuron(groups, "bias"),
        np.zeros(neurons, np.int32),
        np.array([0, neurons], np.int64),
    )


def _per_neuron(groups: Mapping[str, Any], key: str) -> Any:
    return np.concatenate([np.broadcast_to(np.int32(group[key]), (int(group["n"]),)) for group in groups.values()])


def _stimulus(network: Mapping[str, Any], number: Mapping[str, int]) -> Stimulus:
    spikes = sorted(
        (int(tick), number[group] + index)
        for group, trains in network["inputs"].items()
        for index, train in enumerate(trains)
        for tick in train
    )
    table = np.array(spikes, np.int64).reshape(-1, 2)
    return Stimulus(table[:, 0].copy(), table[:, 1].astype(np.int32))
