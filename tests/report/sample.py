"""Made-up but plausible reports: a small MLP, a convolutional network, one that does not fit."""

from __future__ import annotations

import copy
import random
from typing import Any

LIMITS = {
    "compartments": 1024,
    "input_axons": 4096,
    "output_axons": 4096,
    "synapse_memory_bits": 1048576,
}
CHIP = {
    "name": "loihi1",
    "title": "Intel Loihi 1",
    "family": "loihi",
    "cores": 128,
    "description": "128 neuromorphic cores of 1024 compartments on an asynchronous mesh, 14 nm.",
}
SOURCES = {
    "D18": "Davies et al., IEEE Micro 38(1):82-99, 2018, Table 2 (pre-silicon SDF and SPICE at 0.75 V)",
    "F20": "Frady et al., NICE 2020 (Pohoiki Springs), Tables 1 and 2",
    "K19": "Blouw et al., arXiv 1812.01739, 2019, keyword spotting on one chip (power log)",
    "SF": "SANA-FE 2.2.9, loihi.yaml (regression on Nahuku silicon, Boyle et al., IEEE TCAD 44(8), 2025)",
}
DAVIES = {
    "neuron_update_active": (81e-12, "J", "81 pJ", "published", "medium", "D18"),
    "neuron_update_inactive": (52e-12, "J", "52 pJ", "published", "medium", "D18"),
    "synaptic_op": (23.6e-12, "J", "23.6 pJ (minimum)", "published", "medium", "D18"),
    "spike_within_tile": (1.7e-12, "J", "1.7 pJ", "published", "medium", "D18"),
    "hop_east_west": (3.0e-12, "J", "3.0 pJ", "published", "medium", "D18"),
    "hop_north_south": (4.0e-12, "J", "4.0 pJ", "published", "medium", "D18"),
    "reset": (5.94e-6, "J", "5.94 uJ per chip", "measured", "high", "F20"),
    "static_power_low": (29.7e-3, "W", "29.7 mW", "measured", "high", "K19"),
    "static_power_high": (104.4e-3, "W", "104.4 mW per chip", "measured", "high", "F20"),
    "neuron_update_time": (8.4e-9, "s", "8.4 ns", "published", "medium", "D18"),
    "synaptic_op_time": (3.5e-9, "s", "3.5 ns (maximum)", "published", "medium", "D18"),
    "barrier": (465e-9, "s", "113..465 ns, 1..32 tiles", "published", "medium", "D18"),
    "mesh_barrier_energy": (None, "J", "not published", "assumed", None, "D18"),
}
SANAFE = {
    "neuron_access": (51.2e-12, "J", "51.2 pJ", "fitted", "medium", "SF"),
    "neuron_update": (21.6e-12, "J", "21.6 pJ", "fitted", "medium", "SF"),
    "spike_out": (69.3e-12, "J", "69.3 pJ", "fitted", "medium", "SF"),
    "synapse_dense": (35.5e-12, "J", "35.5 pJ", "fitted", "medium", "SF"),
    "packet": (111e-12, "J", "111 pJ", "fitted", "medium", "SF"),
    "static_power_low": (29.7e-3, "W", "29.7 mW", "measured", "high", "K19"),
    "static_power_high": (104.4e-3, "W", "104.4 mW per chip", "measured", "high", "F20"),
    "neuron_time": (9.7e-9, "s", "6.0 ns + 3.7 ns", "fitted", "medium", "SF"),
    "synapse_time": (3.8e-9, "s", "3.8 ns dense", "fitted", "medium", "SF"),
    "sync": (0.6e-6, "s", "1: 0.6 us, 2: 1.0 us, 4: 1.4 us, 29: 1.8 us", "fitted", "low", "SF"),
}


def digits_on_one_core() -> dict[str, Any]:
    """The digits MLP 64-32-10 on Loihi 1, 100 samples of 32 ticks."""
    populations = [
        _population("input", "input", [64], 0, is_input=True),
        _population("hidden", "lif", [32], 1),
        _population("output", "lif", [10], 2, is_output=True),
    ]
    spikes = {"input": 61_212, "hidden": 23_918, "output": 5_104}
    core = {
        "core": 0,
        "tile": 0,
        "x": 0,
        "y": 0,
        "populations": [{"name": "hidden", "neurons": 32}, {"name": "output", "neurons": 10}],
        "use": {"compartments": 42, "input_axons": 96, "output_axons": 32, "synapse_memory_bits": 25_472},
        "activity": {
            "spikes": 29_022,
            "synaptic_events": 2_197_964,
            "packets_in": 85_130,
            "packets_out": 23_918,
            "updates": 142_800,
        },
    }
    run = _run(populations, spikes, samples=100, ticks=32, pipeline=2, cores=[0], seed=1)
    run["counters"] = {
        "neuron_updates": 142_800,
        "synaptic_events": 2_197_964,
        "spikes": 29_022,
        "hops": 0,
        "u_wraps": 0,
    }
    return {
        "schema": "neuroemu.report/1",
        "version": "0.1.0",
        "network": {
            "name": "digits_mlp",
            "file": "examples/digits_mlp.nir",
            "dialect": {
                "name": "snntorch-hard",
                "origin": "guessed",
                "reasons": ["node metadata names snnTorch", "the file cannot tell the reset; hard reset is assumed"],
            },
            "dt_s": 1e-4,
            "neurons": 42,
            "synapses": 2_368,
            "populations": populations,
            "projections": [
                _projection("fc1", "input", "hidden", "dense", 2_048),
                _projection("fc2", "hidden", "output", "dense", 320),
            ],
        },
        "chip": dict(CHIP),
        "findings": [
            _finding(
                "NE3107",
                "warning",
                "population hidden",
                "2 of 2048 weights were cut to the largest value of 8 bits (largest error 0.4 % of the largest weight)",
                ["choose a larger scale with --scale hidden=…", "train with weights below 1.6"],
            ),
            _finding(
                "NE1110",
                "note",
                "examples/digits_mlp.nir",
                "the file does not tell hard from soft reset; hard is assumed",
                ["pass --dialect snntorch-soft if the network was trained with soft reset"],
            ),
            _finding(
                "NE3112",
                "note",
                "population output",
                "spikes when v > threshold; the source uses the same comparison",
                [],
            ),
        ],
        "quantisation": [
            _quantisation(
                "hidden", scale=79.0, exponent=0, rms=0.0023, largest=0.0041, clipped=2, threshold=(1.0, 79, 0.0)
            ),
            _quantisation(
                "output",
                scale=86.2,
                exponent=0,
                rms=0.0021,
                largest=0.0039,
                clipped=0,
                threshold=(1.0, 86, 0.0023),
                tau_chip=None,
            ),
        ],
        "mapping": {
            "partitioner": "shared-sources",
            "placer": "hilbert",
            "router": "dimension-order",
            "cores_used": 1,
            "cores_lower_bound": 1,
            "binding_resource": "compartments",
            "messages": 23_918,
            "hops": 0,
            "max_link_load": 0,
            "diameter_hops": 0,
            "mesh": {"columns": 8, "rows": 4, "cores_per_tile": 4},
            "cores": [core],
            "limits": dict(LIMITS),
            "links": [],
        },
        "run": run,
        "accuracy": {
            "samples": 100,
            "chip": 0.96,
            "float": 0.97,
            "quantised_float": 0.97,
            "agreement_with_float": 0.98,
        },
        "fidelity": [
            _fidelity("hidden", (23_871, 23_920, 23_918), 102_400, 611, 2, (3, 11, 7)),
            _fidelity("output", (5_098, 5_104, 5_104), 32_000, 44, 0, (3, 14, 2)),
        ],
        "cost": _cost(
            run, updates=142_800, events=2_197_964, packets=23_918, hops=0, spikes=29_022, sync_s=0.6e-6, tiles=1
        ),
        "limit": {
            "name": "neuron processing",
            "text": "Neuron updates on core 0 decide the length of 28 of 34 ticks; 4 % of its compartments are used.",
        },
    }


def conv_on_sixty_cores() -> dict[str, Any]:
    """A convolutional event-camera network on 60 cores of Loihi 1, 20 samples of 120 ticks."""
    populations = [
        _population("input", "input", [2, 34, 34], 0, is_input=True),
        _population("conv1", "if", [16, 34, 34], 1),
        _population("conv2", "if", [16, 17, 17], 2),
        _population("conv3", "if", [8, 8, 8], 3),
        _population("fc4", "if", [256], 4),
        _population("output", "if", [10], 5, is_output=True),
    ]
    spikes = {"input": 84_116, "conv1": 402_553, "conv2": 96_204, "conv3": 4_411, "fc4": 0, "output": 2_310}
    cores = _conv_cores(random.Random(7))
    used = [core["core"] for core in cores]
    run = _run(populations, spikes, samples=20, ticks=120, pipeline=5, cores=used, seed=3)
    run["counters"] = {
        "neuron_updates": 60_412_500,
        "synaptic_events": sum(core["activity"]["synaptic_events"] for core in cores),
        "spikes": 505_478,
        "packets": 1_402_201,
        "hops": 3_004_512,
        "u_wraps": 0,
        "dropped_packets": None,
    }
    events = run["counters"]["synaptic_events"]
    return {
        "schema": "neuroemu.report/1",
        "version": "0.1.0",
        "network": {
            "name": "nmnist_cnn",
            "file": "examples/nmnist_cnn.nir",
            "dialect": {"name": "sinabs", "origin": "given", "reasons": []},
            "dt_s": 1e-3,
            "neurons": 23_970,
            "synapses": 1_871_360,
            "populations": populations,
            "projections": [
                _projection("c1", "input", "conv1", "conv", 332_928),
                _projection("c2", "conv1", "conv2", "pool+conv", 665_856),
                _projection("c3", "conv2", "conv3", "pool+conv", 737_280),
                _projection("f4", "conv3", "fc4", "dense", 131_072),
                _projection("recurrent4", "fc4", "fc4", "sparse", 1_664, delay=1),
                _projection("f5", "fc4", "output", "dense", 2_560),
            ],
        },
        "chip": dict(CHIP),
        "findings": [
            _finding(
                "NE6204",
                "warning",
                "population fc4",
                "is dead on the chip: 0 spikes in 20 samples, 1204 in float",
                ["raise the scale of fc4: --scale fc4=…", "lower its threshold"],
            ),
            _finding(
                "NE6205",
                "warning",
                "population output",
                "is saturated: fires in 96 % of ticks",
                ["raise the threshold"],
            ),
            _finding(
                "NE3120",
                "warning",
                "population conv1",
                "soft reset is not native on this chip; hard reset is used instead",
                ["train with hard reset"],
            ),
            *[
                _finding(
                    "NE4101",
                    "note",
                    f"population conv{i}",
                    "is split into tiles of 8 x 8 outputs over several cores",
                    [],
                )
                for i in (1, 2, 3)
            ],
        ],
        "quantisation": [
            _quantisation(
                "conv1",
                scale=51.2,
                exponent=1,
                rms=0.0031,
                largest=0.0062,
                clipped=0,
                threshold=(1.0, 51, 0.0039),
                tau=None,
                remarks=["soft reset replaced by hard reset"],
            ),
            _quantisation(
                "conv2",
                scale=60.9,
                exponent=0,
                rms=0.0028,
                largest=0.0055,
                clipped=4,
                threshold=(1.0, 61, 0.0016),
                tau=None,
            ),
            _quantisation(
                "conv3",
                scale=33.1,
                exponent=2,
                rms=0.0049,
                largest=0.0097,
                clipped=0,
                threshold=(1.0, 33, 0.003),
                tau=None,
            ),
            _quantisation(
                "fc4",
                scale=12.0,
                exponent=3,
                rms=0.031,
                largest=0.062,
                clipped=118,
                threshold=(1.0, 12, 0.0),
                tau=(20.0, 20.06),
            ),
            _quantisation(
                "output",
                scale=44.0,
                exponent=0,
                rms=0.0024,
                largest=0.0049,
                clipped=0,
                threshold=(1.0, 44, 0.0),
                tau=(20.0, 20.06),
            ),
        ],
        "mapping": {
            "partitioner": "conv-tiles",
            "placer": "hilbert+swap",
            "router": "dimension-order",
            "cores_used": len(cores),
            "cores_lower_bound": 54,
            "binding_resource": "synapse_memory_bits",
            "messages": 1_402_201,
            "hops": 3_004_512,
            "max_link_load": 214_003,
            "diameter_hops": 9,
            "mesh": {"columns": 8, "rows": 4, "cores_per_tile": 4},
            "cores": cores,
            "limits": {**LIMITS, "profiles": 32},
            "links": _links(random.Random(11)),
        },
        "run": run,
        "accuracy": {"samples": 20, "chip": 0.85, "float": 0.95, "quantised_float": None, "agreement_with_float": 0.9},
        "fidelity": [
            _fidelity("conv1", (398_224, 402_550, 402_553), 44_390_400, 51_204, 3, (0, 4, 1021)),
            _fidelity("conv2", (97_833, 96_204, 96_204), 11_097_600, 20_119, 0, (0, 9, 88)),
            _fidelity("conv3", (4_950, 4_411, 4_411), 1_228_800, 1_923, 0, (0, 17, 203)),
            _fidelity("fc4", (1_204, 0, 0), 614_400, 1_204, 0, (0, 21, 14), dead=True),
            _fidelity("output", (1_980, None, 2_310), 24_000, 512, None, (0, 26, 3), saturated=True),
        ],
        "cost": _cost(
            run,
            updates=60_412_500,
            events=events,
            packets=1_402_201,
            hops=3_004_512,
            spikes=505_478,
            sync_s=1.4e-6,
            tiles=15,
        ),
        "limit": {
            "name": "synaptic memory",
            "text": "The fullest core holds 97 % of its synaptic memory; 54 cores are the lower bound.",
        },
    }


def does_not_fit() -> dict[str, Any]:
    """A network that the chip refuses: nothing was mapped or run."""
    report = digits_on_one_core()
    report["network"].update(name="wide_mlp", file="wide_mlp.nir", neurons=200_010, synapses=13_300_640)
    report["findings"] = [
        _finding(
            "NE4203",
            "error",
            "population hidden",
            "needs 200000 compartments, the chip has 131072 (1024 on each of 128 cores): 68928 too many",
            [
                "use at most 131062 neurons in hidden",
                "choose a chip with more compartments: loihi2",
                "deploy on 2 chips",
            ],
        ),
        *report["findings"],
    ]
    for part in ("quantisation", "mapping", "run", "accuracy", "fidelity", "cost", "limit"):
        report[part] = None
    return report


def with_unknowns(report: dict[str, Any]) -> dict[str, Any]:
    """The same report with every number that may be null set to null, as far as a chip could leave it open."""
    opened = copy.deepcopy(report)
    opened["network"].update(file=None, dialect=None, dt_s=None, synapses=None)
    opened["chip"]["cores"] = None
    for row in opened["quantisation"]:
        row.update({key: None for key in row if key not in ("population", "remarks")})
    for key in ("cores_lower_bound", "binding_resource", "messages", "hops", "max_link_load", "diameter_hops", "mesh"):
        opened["mapping"][key] = None
    opened["mapping"]["limits"] = dict.fromkeys(opened["mapping"]["limits"])
    for core in opened["mapping"]["cores"]:
        core.update(tile=None, x=None, y=None, activity=None, use=dict.fromkeys(core["use"]))
    opened["run"].update(pipeline_ticks=None, raster=None, tick_time_s=None, busiest_core=None)
    for row in opened["run"]["populations"]:
        row["rate_per_tick"] = None
    opened["accuracy"].update(chip=None, float=None, quantised_float=None, agreement_with_float=None)
    for row in opened["fidelity"]:
        row.update({key: None for key in row if key.startswith(("spikes", "differing", "first"))})
    for cost_set in opened["cost"]["sets"]:
        for part in ("energy", "time"):
            table = cost_set[part]
            table.update({key: None for key in table if key != "lines"})
            for line in table["lines"]:
                line.update({key: None for key in line if key.endswith(("_j", "_s"))})
        for constant in cost_set["constants"]:
            constant.update(value=None, confidence=None)
    return opened


def _population(
    name: str, kind: str, shape: list[int], offset: int, is_input: bool = False, is_output: bool = False
) -> dict[str, Any]:
    neurons = 1
    for length in shape:
        neurons *= length
    return {
        "name": name,
        "kind": kind,
        "shape": shape,
        "neurons": neurons,
        "tick_offset": offset,
        "is_input": is_input,
        "is_output": is_output,
    }


def _projection(name: str, source: str, target: str, kind: str, synapses: int, delay: int = 0) -> dict[str, Any]:
    return {
        "name": name,
        "source": source,
        "target": target,
        "kind": kind,
        "synapses": synapses,
        "delay_ticks": delay,
    }


def _finding(code: str, severity: str, where: str, message: str, fixes: list[str]) -> dict[str, Any]:
    return {"code": code, "severity": severity, "where": where, "message": message, "fixes": fixes}


def _quantisation(
    population: str,
    scale: float,
    exponent: int,
    rms: float,
    largest: float,
    clipped: int,
    threshold: tuple[float, int, float],
    tau: tuple[float, float | None] | None = (9.49, 9.5),
    tau_chip: float | None = 9.5,
    remarks: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "population": population,
        "scale": scale,
        "weight_exponent": exponent,
        "weight_bits": 8,
        "weight_error_max": largest,
        "weight_error_rms": rms,
        "clipped_weights": clipped,
        "threshold_float": threshold[0],
        "threshold_chip": threshold[1],
        "threshold_error": threshold[2],
        "tau_membrane_ticks": None if tau is None else tau[0],
        "tau_membrane_chip_ticks": None if tau is None or tau_chip is None else tau[1],
        "tau_current_ticks": None,
        "tau_current_chip_ticks": None,
        "bias_error_max": 0.0012,
        "remarks": remarks or [],
    }


def _fidelity(
    population: str,
    spikes: tuple[int, int | None, int],
    bins: int,
    differing: int,
    differing_quantised: int | None,
    first: tuple[int, int, int],
    dead: bool = False,
    saturated: bool = False,
) -> dict[str, Any]:
    return {
        "population": population,
        "spikes_float": spikes[0],
        "spikes_quantised": spikes[1],
        "spikes_chip": spikes[2],
        "bins": bins,
        "differing_bins_float_chip": differing,
        "differing_bins_quantised_chip": differing_quantised,
        "first_divergence": {"sample": first[0], "tick": first[1], "neuron": first[2], "float": 1, "chip": 0},
        "dead": dead,
        "saturated": saturated,
    }


def _conv_cores(draw: random.Random) -> list[dict[str, Any]]:
    layout = [
        ("conv1", 36, 514, 0.55),
        ("conv2", 14, 331, 0.9),
        ("conv3", 6, 86, 0.93),
        ("fc4", 3, 86, 0.97),
        ("output", 1, 10, 0.03),
    ]
    cores: list[dict[str, Any]] = []
    for name, number, neurons, memory in layout:
        for _ in range(number):
            index = len(cores)
            tile = index // 4
            heat = draw.uniform(0.35, 1.0) * (1.0 if name.startswith("conv") else 0.15)
            spikes = 0 if name == "fc4" else int(9_000 * heat)
            cores.append(
                {
                    "core": index,
                    "tile": tile,
                    "x": tile % 8,
                    "y": tile // 8,
                    "populations": [{"name": name, "neurons": neurons}],
                    "use": {
                        "compartments": neurons,
                        "input_axons": int(4096 * memory * draw.uniform(0.2, 0.5)),
                        "output_axons": int(4096 * draw.uniform(0.02, 0.2)),
                        "synapse_memory_bits": int(1_048_576 * memory * draw.uniform(0.93, 1.0)),
                        "profiles": 1,
                    },
                    "activity": {
                        "spikes": spikes,
                        "synaptic_events": int(410_000 * heat * draw.uniform(0.7, 1.2)),
                        "packets_in": int(21_000 * heat),
                        "packets_out": int(2.7 * spikes),
                        "updates": neurons * 2_500,
                    },
                }
            )
    return cores


def _links(draw: random.Random) -> list[dict[str, Any]]:
    tiles = [(tile % 8, tile // 8) for tile in range(15)]
    links = []
    for x, y in tiles:
        for to_x, to_y in ((x + 1, y), (x, y + 1)):
            if (to_x, to_y) in tiles:
                links.append({"from": [x, y], "to": [to_x, to_y], "packets": draw.randint(8_000, 214_003)})
                if draw.random() < 0.5:
                    links.append({"from": [to_x, to_y], "to": [x, y], "packets": draw.randint(100, 60_000)})
    return links


def _run(
    populations: list[dict[str, Any]],
    spikes: dict[str, int],
    samples: int,
    ticks: int,
    pipeline: int,
    cores: list[int],
    seed: int,
) -> dict[str, Any]:
    draw = random.Random(seed)
    length = ticks + pipeline
    raster = []
    for population in populations:
        rate = spikes[population["name"]] / (samples * length * population["neurons"])
        events = _events(draw, population, rate, length)
        raster.append(
            {
                "name": population["name"],
                "neurons": population["neurons"],
                "events": events[:6000],
                "truncated": len(events) > 6000,
            }
        )
    tick_time = [1.35e-6 + 0.9e-6 * draw.random() * (1 if 2 < tick < ticks else 0.3) for tick in range(length)]
    return {
        "samples": samples,
        "ticks_per_sample": ticks,
        "total_ticks": samples * length,
        "pipeline_ticks": pipeline,
        "counters": {},
        "populations": [
            {
                "name": population["name"],
                "spikes": spikes[population["name"]],
                "rate_per_tick": spikes[population["name"]] / (samples * length * population["neurons"]),
                "neurons": population["neurons"],
            }
            for population in populations
        ],
        "raster": {"sample": 0, "ticks": length, "populations": raster},
        "tick_time_s": tick_time,
        "busiest_core": [cores[(tick // 7 * 5) % len(cores)] for tick in range(length)],
    }


def _events(draw: random.Random, population: dict[str, Any], rate: float, length: int) -> list[list[int]]:
    start = population["tick_offset"]
    end = length - 5 + start
    favour = [draw.expovariate(1.0) for _ in range(population["neurons"])]
    return [
        [tick, neuron]
        for tick in range(start, min(end, length))
        for neuron in range(population["neurons"])
        if draw.random() < rate * favour[neuron]
    ]


def _cost(
    run: dict[str, Any], updates: int, events: int, packets: int, hops: int, spikes: int, sync_s: float, tiles: int
) -> dict[str, Any]:
    ticks = run["total_ticks"]
    mean_tick = sum(run["tick_time_s"]) / len(run["tick_time_s"])
    total_s = mean_tick * ticks
    davies = _cost_set(
        "davies2018",
        "Davies 2018, Table 2",
        "static power between two published measurements; dynamic -9 … +20 % against Frady 2020",
        run,
        total_s,
        [
            (
                "neuron updates",
                "neuron",
                52e-12 * updates + 29e-12 * spikes,
                (0.83, 1.1),
                f"52 pJ x {updates - spikes} inactive + 81 pJ x {spikes} active",
                ["neuron_update_active", "neuron_update_inactive"],
            ),
            ("synaptic events", "synapse", 23.6e-12 * events, (0.83, 1.1), f"23.6 pJ x {events}", ["synaptic_op"]),
            (
                "spike transport",
                "network",
                1.7e-12 * packets + 3.5e-12 * hops,
                (0.83, 1.1),
                f"1.7 pJ x {packets} + 3.0 pJ x {hops // 2} + 4.0 pJ x {hops - hops // 2}",
                ["spike_within_tile", "hop_east_west", "hop_north_south"],
            ),
            (
                "state reset between samples",
                "reset",
                5.94e-6 * run["samples"] / 1000,
                (0.9, 1.1),
                f"5.94 uJ x {run['samples']} x share of chip",
                ["reset"],
            ),
        ],
        [
            ("neuron processing", total_s * 0.52, "8.4 ns x updates on the slowest core", ["neuron_update_time"]),
            ("synaptic events", total_s * 0.27, "3.5 ns x events on the slowest core", ["synaptic_op_time"]),
            ("barrier", total_s * 0.21, f"{tiles} tiles: {465 * tiles / 32:.0f} ns x {ticks} ticks", ["barrier"]),
        ],
        DAVIES,
        bound="neuron processing",
    )
    sanafe = _cost_set(
        "sanafe2025",
        "SANA-FE 2025, fitted on silicon",
        "within 11.7 % energy and 24.3 % latency of Loihi (Boyle 2025, Table IV)",
        run,
        total_s * 1.6,
        [
            (
                "neuron access and update",
                "neuron",
                72.8e-12 * updates + 69.3e-12 * spikes,
                (0.883, 1.117),
                f"72.8 pJ x {updates} + 69.3 pJ x {spikes}",
                ["neuron_access", "neuron_update", "spike_out"],
            ),
            ("synaptic events", "synapse", 35.5e-12 * events, (0.883, 1.117), f"35.5 pJ x {events}", ["synapse_dense"]),
            (
                "packets",
                "network",
                111e-12 * packets + 3.6e-12 * hops,
                (0.883, 1.117),
                f"111 pJ x {packets} + hops",
                ["packet"],
            ),
            ("state reset between samples", "reset", None, None, "not in this set", []),
        ],
        [
            ("neuron processing", total_s * 1.6 * 0.45, "9.7 ns x updates on the slowest core", ["neuron_time"]),
            ("message processing", total_s * 1.6 * 0.2, "16 ns + 3.8 ns x synapses served", ["synapse_time"]),
            ("barrier", sync_s * ticks, f"{sync_s * 1e6:.1f} us x {ticks} ticks", ["sync"]),
        ],
        SANAFE,
        bound="neuron processing",
    )
    return {"default_set": "davies2018", "sets": [davies, sanafe]}


def _cost_set(
    name: str,
    title: str,
    band_text: str,
    run: dict[str, Any],
    total_s: float,
    parts: list[tuple[str, str, float | None, tuple[float, float] | None, str, list[str]]],
    time_lines: list[tuple[str, float, str, list[str]]],
    constants: dict[str, Any],
    bound: str,
) -> dict[str, Any]:
    samples, ticks = run["samples"], run["total_ticks"]
    low_static, high_static = 29.7e-3 * total_s, 104.4e-3 * total_s
    lines = [
        _energy_line(
            "static power",
            "static",
            (low_static + high_static) / 2,
            low_static,
            high_static,
            f"29.7 … 104.4 mW x {total_s * 1e3:.3f} ms",
            ["static_power_low", "static_power_high"],
        )
    ]
    for line_name, group, value, band, formula, keys in parts:
        low, high = (None, None) if value is None or band is None else (value * band[0], value * band[1])
        lines.append(_energy_line(line_name, group, value, low, high, formula, keys))
    total, low, high = (sum(line[key] or 0.0 for line in lines) for key in ("value_j", "low_j", "high_j"))
    lines.append(
        _energy_line("embedded x86 cores", "host", 65e-3 * total_s, None, None, f"65 mW x {total_s * 1e3:.3f} ms", [])
    )
    lines.append(_energy_line("off-chip interface", "io", None, None, None, "not published", []))
    return {
        "name": name,
        "title": title,
        "band_text": band_text,
        "energy": {
            "total_j": total,
            "low_j": low,
            "high_j": high,
            "per_inference_j": total / samples,
            "per_inference_low_j": low / samples,
            "per_inference_high_j": high / samples,
            "lines": lines,
        },
        "time": {
            "total_s": total_s,
            "per_inference_s": total_s / samples,
            "low_s": total_s / samples * 0.76,
            "high_s": total_s / samples * 1.24,
            "per_tick_mean_s": total_s / ticks,
            "per_tick_max_s": total_s / ticks * 1.4,
            "lines": [
                {"name": line_name, "value_s": value, "formula": formula, "constants": keys}
                for line_name, value, formula, keys in time_lines
            ],
            "bound": bound,
        },
        "constants": [
            {
                "key": key,
                "value": value,
                "unit": unit,
                "text": text,
                "kind": kind,
                "confidence": confidence,
                "source": source,
                "source_text": SOURCES[source],
            }
            for key, (value, unit, text, kind, confidence, source) in constants.items()
        ],
    }


def _energy_line(
    name: str,
    group: str,
    value: float | None,
    low: float | None,
    high: float | None,
    formula: str,
    constants: list[str],
) -> dict[str, Any]:
    return {
        "name": name,
        "group": group,
        "value_j": value,
        "low_j": low,
        "high_j": high,
        "formula": formula,
        "constants": constants,
    }
