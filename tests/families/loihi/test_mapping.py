"""Mapping changes cost, never results; what it reports is what the cores hold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from neuroemu.errors import DoesNotFit
from neuroemu.families.loihi.image import CoreImage
from neuroemu.families.loihi.lower import lower
from neuroemu.families.loihi.lowered import LoweredNetwork
from neuroemu.families.loihi.mapping import build_image, core_limits, map_network
from neuroemu.families.loihi.packing import pack
from neuroemu.image.container import Program
from neuroemu.machine import Machine, Run
from neuroemu.mapping.cores import Placement, mapping_section
from neuroemu.mapping.partition import PARTITIONERS
from neuroemu.mapping.place import PLACERS
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.network.neurons import cuba_lif, integrate_and_fire, li, lif
from neuroemu.spec import ChipSpec, load_chip
from tests.families.loihi.chips import SMALL, variant

LOIHI1 = load_chip("loihi1")
DT = 1e-3


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ChipSpec:
    return variant(tmp_path_factory.mktemp("chip"), **{**SMALL, "input_axons": 512})


def every_kind(seed: int) -> Network:
    """Convolution, pooling, dense, listed with delays, recurrence, biases, leaks, an analog output."""
    rng = np.random.default_rng(seed)
    builder = NetworkBuilder("every kind", dt_s=DT).input("image", (2, 8, 8)).input("vector", (6,))
    builder.population("maps", (4, 8, 8), lif(tau_mem_s=5 * DT, dt_s=DT, gain="euler", resistance=5.0))
    builder.population("pooled", (4, 4, 4), integrate_and_fire(threshold=1.0))
    builder.population("hidden", (150,), cuba_lif(tau_syn_s=3 * DT, tau_mem_s=6 * DT, dt_s=DT, resistance=4.0))
    builder.population("listed", (90,), integrate_and_fire(threshold=1.0, compare="ge"))
    builder.population("answer", (5,), li(tau_mem_s=4 * DT, dt_s=DT))
    builder.conv2d(
        "image", "maps", rng.normal(0.15, 0.3, (4, 2, 3, 3)), padding=(1, 1, 1, 1), bias=rng.normal(0, 0.1, 4)
    )
    builder.pool2d("maps", "pooled", (2, 2), average=True).dense("pooled", "hidden", rng.normal(0.1, 0.3, (150, 64)))
    builder.dense("hidden", "hidden", rng.normal(0, 0.05, (150, 150)), delay_ticks=1)
    few = sp.random_array((90, 150), density=0.05, rng=rng, format="csr")
    builder.sparse("hidden", "listed", few, delay=rng.integers(0, 9, few.nnz))
    builder.dense("vector", "listed", rng.normal(0.1, 0.3, (90, 6)), bias=rng.normal(0, 0.05, 90))
    return builder.dense("listed", "answer", rng.normal(0, 0.5, (5, 90))).output("answer", "listed").build()


def inputs_of(seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "image": (rng.random((2, 16, 2, 8, 8)) < 0.3).astype(np.uint8),
        "vector": (rng.random((2, 16, 6)) < 0.4).astype(np.uint8),
    }


def placed(
    network: Network, chip: ChipSpec, **options: object
) -> tuple[LoweredNetwork, Placement, tuple[CoreImage, ...]]:
    lowered = lower(network, chip)
    placement = map_network(lowered, chip, **options)  # type: ignore[arg-type]
    return lowered, placement, build_image(lowered, placement, chip, "").cores


def same_program(one: Program, other: Program) -> bool:
    names = sorted(one.sections)
    return names == sorted(other.sections) and all(
        np.array_equal(np.asarray(one.sections[name]), np.asarray(other.sections[name])) for name in names
    )


# ------------------------------------------------------------------------------------------------ results never change


def results(
    lowered: LoweredNetwork, chip: ChipSpec, inputs: dict[str, np.ndarray], **options: object
) -> tuple[Run, dict[str, np.ndarray]]:
    """Spikes and membranes of every population on a chip."""
    placement = map_network(lowered, chip, **options)  # type: ignore[arg-type]
    run = Machine(pack(build_image(lowered, placement, chip, ""))).run(inputs)
    spiking = [population.name for population in lowered.populations if population.spiking]
    return run, {**{name: run.spikes(name) for name in spiking}, "answer": run.membranes("answer")}


@pytest.mark.compiled
def test_results_do_not_depend_on_partitioner_placer_seed_or_size_of_the_cores(small: ChipSpec) -> None:
    lowered, inputs = lower(every_kind(1), LOIHI1), inputs_of(2)
    first, wanted = results(lowered, LOIHI1, inputs)
    assert all(values.any(axis=(0, 1)).mean() > 0.3 for values in wanted.values())
    runs = [first]
    choices = [(partitioner, "linear") for partitioner in PARTITIONERS] + [("sequential", name) for name in PLACERS]
    for seed, (partitioner, placer) in enumerate(choices):
        run, found = results(lowered, small, inputs, partitioner=partitioner, placer=placer, seed=seed)
        assert all(np.array_equal(found[name], wanted[name]) for name in wanted), (partitioner, placer)
        runs.append(run)
    cores = [len(run.costs.core_activity) for run in runs]
    assert cores[0] < 10 < min(cores[1:])
    assert len({run.costs.counters["hops_east_west"] for run in runs}) > 4


@pytest.mark.compiled
@given(st.integers(0, 1 << 32))
@example(442442519)  # feeds itself: its output axons fit only in the thirteenth cut
@settings(max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
def test_results_of_any_network_do_not_depend_on_the_size_of_the_cores(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    chip = variant(
        tmp_path_factory.mktemp("chip"),
        compartments=int(rng.integers(20, 2000)),
        input_axons=int(rng.integers(450, 900)),
        output_axons=int(rng.integers(256, 2000)),
        synapse_memory=f"{int(rng.integers(3, 20))} KiB",
    )
    lowered, inputs = lower(every_kind(seed), LOIHI1), inputs_of(seed + 1)
    (_, wanted), (_, found) = results(lowered, LOIHI1, inputs), results(lowered, chip, inputs, seed=seed % 9)
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_a_core_size_changes_at_most_how_finely_weights_are_stored(small: ChipSpec) -> None:
    """Mixed signs go into two lists only where a core has room for them; everything else is the same integer."""
    network = every_kind(1)
    on_large, on_small = lower(network, LOIHI1), lower(network, small)
    for one, other in zip(on_large.populations, on_small.populations, strict=True):
        assert (one.threshold, one.tick_offset, one.refractory) == (
            other.threshold,
            other.tick_offset,
            other.refractory,
        )
        assert np.array_equal(one.bias_mantissa, other.bias_mantissa)
    for row, other_row in zip(on_large.rounding, on_small.rounding, strict=True):
        assert row.weight_error_max <= other_row.weight_error_max <= 2.1 * row.weight_error_max


def test_the_same_input_maps_to_the_same_program_every_time(small: ChipSpec) -> None:
    programs = []
    for _ in range(2):
        lowered = lower(every_kind(5), small)
        programs.append(pack(build_image(lowered, map_network(lowered, small, seed=3), small, "")))
    assert same_program(*programs)


# ------------------------------------------------------------------------------------------------ the report is what is held


def test_the_reported_use_of_every_core_covers_what_it_holds(small: ChipSpec) -> None:
    _, placement, cores = placed(every_kind(3), small)
    held = np.array(
        [
            [
                core.compartments,
                core.input_axons,
                core.output_axons,
                core.synapse_memory_bits,
                len(core.profiles),
                len(core.thresholds),
                len(core.formats),
            ]
            for core in cores
        ]
    )
    room = np.array([getattr(core_limits(small), name) for name in placement.resources])
    assert [core.core for core in cores] == placement.cores.tolist() == sorted(placement.cores)
    assert np.array_equal(placement.use[:, :4], held[:, :4])
    assert np.all(placement.use >= held)
    assert np.all(placement.use <= room)
    assert placement.lower_bound <= len(cores)


def test_reported_traffic_is_the_output_axons_between_cores(small: ChipSpec) -> None:
    _, placement, cores = placed(every_kind(4), small)
    counted = np.zeros((len(cores), len(cores)), np.int64)
    position = {core.core: number for number, core in enumerate(cores)}
    for number, core in enumerate(cores):
        for target in core.output_core:
            counted[number, position[int(target)]] += 1
    assert np.array_equal(placement.traffic.toarray(), counted)


def test_a_profiling_run_weights_the_traffic_with_its_spikes(small: ChipSpec) -> None:
    network = lower(every_kind(4), small)
    silent = {population.name: np.zeros(population.size, np.int64) for population in network.populations}
    assert map_network(network, small, rates=silent).traffic.toarray().sum() == 0
    double = {name: values + 2 for name, values in silent.items()}
    plain = map_network(network, small, placer="linear").traffic
    assert np.array_equal(
        map_network(network, small, rates=double, placer="linear").traffic.toarray(), 2 * plain.toarray()
    )


def test_small_layers_share_a_core() -> None:
    builder = NetworkBuilder("small layers", dt_s=DT).input("in", (4,))
    neuron = integrate_and_fire(threshold=1.0)
    for source, target in (("in", "a"), ("a", "b"), ("b", "c")):
        builder.population(target, (4,), neuron).dense(source, target, 0.5 * np.eye(4))
    _, placement, cores = placed(builder.output("c").build(), LOIHI1)
    assert len(cores) == placement.lower_bound == 1
    assert cores[0].compartments == 12
    assert len(cores[0].profiles) == 1


def test_the_mapping_section_recounts_from_the_placement(small: ChipSpec) -> None:
    network, placement, cores = placed(every_kind(6), small)
    section = mapping_section(placement, small.structure.mesh)
    mesh = small.structure.mesh
    messages = hops = farthest = 0
    loads = np.zeros(mesh.links, np.int64)
    for core in cores:
        for target in core.output_core:
            links = mesh.path(core.core, int(target))
            messages += int(target) != core.core
            hops += len(links)
            farthest = max(farthest, len(links))
            for link in links:
                loads[link] += 1
    assert (section["messages"], section["hops"], section["diameter_hops"]) == (messages, hops, farthest)
    assert section["max_link_load"] == loads.max()
    assert sorted(row["packets"] for row in section["links"]) == sorted(loads[loads > 0].tolist())
    assert section["cores_used"] == len(cores) >= section["cores_lower_bound"]
    neurons = {population.name: 0 for population in network.populations}
    for row, core in zip(section["cores"], cores, strict=True):
        assert (row["core"], row["tile"]) == (core.core, core.core // 4)
        assert (row["x"], row["y"]) == (row["tile"] // 4, row["tile"] % 4)
        assert sum(held["neurons"] for held in row["populations"]) == core.compartments
        for held in row["populations"]:
            neurons[held["name"]] += held["neurons"]
    assert neurons == {population.name: population.size for population in network.populations}


def test_symbols_lead_to_the_compartment_with_the_neurons_registers(small: ChipSpec) -> None:
    lowered = lower(every_kind(7), small)
    image = build_image(lowered, map_network(lowered, small), small, "dialect", seed=11)
    cores = {core.core: core for core in image.cores}
    assert (image.seed, image.symbols.dialect) == (11, "dialect")
    assert [port.constant for port in image.symbols.inputs] == [False, False]
    seen = set()
    for population, symbol in zip(lowered.populations, image.symbols.populations, strict=True):
        assert (symbol.name, symbol.tick_offset) == (population.name, population.tick_offset)
        for neuron, (number, compartment) in enumerate(
            zip(symbol.core.tolist(), symbol.compartment.tolist(), strict=True)
        ):
            seen.add((number, compartment))
            core = cores[number]
            profile = core.profiles[core.profile_of_compartment[compartment]]
            assert profile.membrane_decay == population.membrane_decay[neuron]
            assert profile.current_decay == population.current_decay[neuron]
            assert core.thresholds[core.threshold_of_compartment[compartment]] == population.threshold
            assert core.bias_mantissa[compartment] == population.bias_mantissa[neuron]
            assert core.bias_start_tick[compartment] == population.tick_offset
    assert len(seen) == sum(population.size for population in lowered.populations)


# ------------------------------------------------------------------------------------------------ a chip that is too small


def test_a_network_for_more_cores_than_the_chip_has_is_refused_with_the_scarcest_resource(tmp_path: Path) -> None:
    one_tile = {"mesh_columns": 1, "mesh_rows": 1, "cores": 4}
    chip = variant(tmp_path, one_tile, **SMALL)
    with pytest.raises(DoesNotFit) as caught:
        map_network(lower(every_kind(1), chip), chip)
    (finding,) = caught.value.findings
    assert finding.code == "NE4106"
    needed, held = (
        int(text.replace(",", "")) for text in re.findall(r"([\d,]+) (?:needed|on the chip)", finding.message)
    )
    assert "more than the 4 of the chip; the scarcest resource is " in finding.message
    assert needed > held
    assert len(finding.fixes) >= 3
    cores = int(finding.message.split()[1])
    assert f"use {-(-cores // 4)} chips" in finding.fixes[-1]


def test_a_network_without_neurons_needs_no_core() -> None:
    network = NetworkBuilder("input only", dt_s=DT).input("in", (3,)).output("in").build()
    _, placement, cores = placed(network, LOIHI1)
    assert (len(cores), placement.traffic.shape) == (0, (0, 0))
