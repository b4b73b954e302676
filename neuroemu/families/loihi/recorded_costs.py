"""Recorded estimates of SANA-FE 2.2.9, replayed through our counters, tick times and the cost set ``sanafe2025``.

``estimates`` cases carry a network, its placement and every spike: counts must be equal, energies and latencies within 1e-6.
Result-only cases (the DVS gesture tutorial network) carry counts: energies must follow from them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.emulator.protocol import Chunk
from neuroemu.emulator.traffic import Traffic
from neuroemu.families.loihi.recorded import Replay, read_text
from neuroemu.families.loihi.timing import SYNAPSE_CLASSES, TrafficMeter, energy_terms
from neuroemu.noc.mesh import Mesh
from neuroemu.spec import load_chip

COST_SET = "sanafe2025"
TOLERANCE = 1e-6
_INPUT_PARTS = {"soma": ("neuron",), "synapse": ("synapse",), "network": ("network",)}


def replay_estimates(path: Path) -> Iterator[Replay]:
    """One case per recorded timing model of an ``estimates`` file."""
    recorded = json.loads(read_text(path))
    if "spikes_by_tick" not in recorded:
        yield from replay_results(recorded["results"], recorded["name"])
        return
    chip = load_chip("loihi1")
    meter = _meter(recorded["network"], chip)
    meter.observe(_chunk(recorded, meter))
    counters = meter.counters()
    totals = counters.totals()
    energy = _energy(counters, chip)
    results = recorded["results"]
    for model in sorted(results):
        result = results[model]
        exact = {
            "synaptic events": (totals["synaptic_events"], result["synaptic_events"]),
            "packets": (totals["packets"], result["packets_sent"]),
            "spikes": (totals["spikes"] + totals["input_spikes"], result["neurons_fired"]),
            "updates": (totals["compartment_updates"] + totals["input_spikes"], result["neurons_updated"]),
            "hops": (totals["hops_east_west"] + totals["hops_north_south"], int(sum(result["perf_trace"]["hops"]))),
        }
        close = {name: (energy[name], result["energy_J"][name]) for name in ("synapse", "soma", "network")}
        close["total"] = (sum(energy.values()), result["energy_J"]["total"])
        if model == "simple":
            times = meter.times(COST_SET).total_s
            close["latency"] = (float(times.sum()), result["latency_s"])
            for tick, recorded_s in enumerate(result["perf_trace"]["sim_time"]):
                close[f"tick {tick}"] = (float(times[tick]), recorded_s)
        yield _judged(f"{recorded['name']} {model}", exact, close)


def replay_results(results: list[dict[str, Any]], name: str) -> Iterator[Replay]:
    """Cases without spikes: energies must follow from the recorded counts."""
    energies = load_chip("loihi1").cost_sets[COST_SET].energy
    for result in results:
        neurons = sum(result["neurons_per_layer"]) if "neurons_per_layer" in result else None
        ticks = int(result.get("ticks", result.get("steps", 0)))
        counted = {"synapse": result["synaptic_events"] * float(energies["synapse_dense"].value)}
        if neurons is None:
            neurons = _neurons_of_trace(result, energies)
        counted["soma"] = (
            neurons * ticks * float(energies["neuron_access"].value)
            + result["neurons_updated"] * float(energies["neuron_update"].value)
            + result["neurons_fired"] * float(energies["spike_out"].value)
        )
        close = {part: (value, result["energy_J"][part]) for part, value in counted.items()}
        packets = result["packets_sent"] if "packets_sent" in result else result["packets"]
        least = packets * float(energies["message_out"].value)
        differences = 0 if least <= result["energy_J"]["network"] else 1
        judged = _judged(f"{name} {result['timing_model']}, {ticks} ticks", {}, close)
        yield Replay(
            judged.case,
            judged.compared + 1,
            judged.differences + differences,
            judged.detail or ("network energy below that of its packets" if differences else ""),
        )


def _neurons_of_trace(result: Mapping[str, Any], energies: Any) -> int:
    """Neurons of a network that is not shipped, from the quietest recorded tick."""
    trace = result["perf_trace"]
    updates = trace["updated"][0] * float(energies["neuron_update"].value)
    spikes = trace["fired"][0] * float(energies["spike_out"].value)
    return round((trace["soma_energy"][0] - updates - spikes) / float(energies["neuron_access"].value))


def _judged(case: str, exact: Mapping[str, tuple[int, int]], close: Mapping[str, tuple[float, float]]) -> Replay:
    wrong = [f"{name} {actual}, recorded {wanted}" for name, (actual, wanted) in exact.items() if actual != wanted]
    wrong += [
        f"{name} {actual:.9g}, recorded {wanted:.9g}"
        for name, (actual, wanted) in close.items()
        if abs(actual - wanted) > TOLERANCE * max(abs(wanted), 1e-300)
    ]
    return Replay(case, len(exact) + len(close), len(wrong), wrong[0] if wrong else "")


def _energy(counters: Any, chip: Any) -> dict[str, float]:
    cost_set = chip.cost_sets[COST_SET]
    terms = energy_terms(counters, cost_set)
    return {
        part: sum(term.count * float(cost_set.energy[term.constant].value) for term in terms if term.group in groups)
        for part, groups in _INPUT_PARTS.items()
    }


def _numbering(network: Mapping[str, Any]) -> dict[str, int]:
    """First source number of every group, in the recorded order."""
    first, number = 0, {}
    for name, group in network["groups"].items():
        number[name] = first
        first += int(group["n"])
    return number


def _meter(network: Mapping[str, Any], chip: Any) -> TrafficMeter:
    """A meter wired like the recorded placement: one packet per source, target core and spike."""
    structure = chip.structure
    mesh = Mesh(
        columns=int(structure.mesh_columns.value),
        rows=int(structure.mesh_rows.value),
        cores_per_tile=int(structure.cores_per_tile.value),
        tile_order=structure.tile_order.value,
    )
    first = _numbering(network)
    groups = network["groups"]
    home = np.concatenate([np.asarray(group["core"], np.int64) for group in groups.values()])
    silent = np.concatenate([np.full(int(group["n"]), group["soma"] == "input") for group in groups.values()])
    kind = {name: _synapse_class(group["synapse_hw"]) for name, group in groups.items()}
    used, position = np.unique(home, return_inverse=True)
    served: dict[tuple[int, int], list[int]] = {}
    for source_group, source, target_group, target, _, _ in network["edges"]:
        key = (first[source_group] + source, int(position[first[target_group] + target]))
        entry = served.setdefault(key, [0, kind[source_group]])
        entry[0] += 1
    keys = sorted(served)
    sources = np.array([key[0] for key in keys], np.int64)
    cores = np.array([key[1] for key in keys], np.int64)
    east_west, north_south = mesh.hops(home[sources], used[cores])
    traffic = Traffic(
        start=np.searchsorted(sources, np.arange(home.shape[0] + 1)).astype(np.int64),
        core=cores,
        synapses=np.array([served[key][0] for key in keys], np.int64),
        synapse_class=np.array([served[key][1] for key in keys], np.int64),
        hops_east_west=np.asarray(east_west, np.int64),
        hops_north_south=np.asarray(north_south, np.int64),
        home=position.astype(np.int64),
        silent=silent,
    )
    compartments = np.bincount(position[~silent], minlength=used.shape[0]).astype(np.int64)
    tiles = len(np.unique(used // mesh.cores_per_tile))
    return TrafficMeter(traffic, compartments, {COST_SET: chip.cost_sets[COST_SET]}, tiles)


def _synapse_class(hardware: str) -> int:
    return next(number for number, label in enumerate(SYNAPSE_CLASSES) if label in hardware)


def _chunk(recorded: Mapping[str, Any], meter: TrafficMeter) -> Chunk:
    network = recorded["network"]
    first = _numbering(network)
    ticks = int(network["ticks"])
    spike_tick: list[int] = []
    spike_source: list[int] = []
    for tick, names in enumerate(recorded["spikes_by_tick"]):
        for name in names:
            group, index = name.rsplit(".", 1)
            spike_tick.append(tick)
            spike_source.append(first[group] + int(index))
    cores = meter.compartments.shape[0]
    return Chunk(
        first_tick=0,
        last_tick=ticks,
        input_start=np.zeros(ticks + 1, np.int64),
        input_source=np.zeros(0, np.int32),
        spike_tick=np.array(spike_tick, np.int32),
        spike_source=np.array(spike_source, np.int32),
        active=np.zeros((ticks, cores), np.int32),
        range_events={},
        probes={},
    )
