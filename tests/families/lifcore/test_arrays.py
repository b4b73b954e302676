"""Networks of plain integer arrays take the road of any deployment, and where they are mapped to changes no spike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.bench.networks import Net, brunel_network, convolutional_network, layered_network, random_network
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import DoesNotFit
from neuroemu.families.lifcore.arrays import lower_arrays, program_from_network_arrays
from neuroemu.families.lifcore.boot import boot
from neuroemu.families.lifcore.image import DENSE_KIND, SHARED_KIND, SPARSE_KIND, ProgramImage, pack, unpack
from neuroemu.mapping.partition import PARTITIONERS
from neuroemu.mapping.rows import Rows
from neuroemu.spec import ChipSpec, load_chip

pytestmark = pytest.mark.compiled

BENCH = load_chip("lifcore-bench")


def random_arrays() -> Net:
    """Recurrent, delays of 1 to 5 ticks, synaptic currents, a bias each."""
    net = random_network(300, ticks=120, fan_out=30)
    rng = np.random.default_rng(11)
    synapses = net["indices"].shape[0]
    changes = {
        "delays": rng.integers(1, 6, synapses).astype(np.uint8),
        "bias": rng.integers(0, 40, 300).astype(np.int32),
    }
    return net | changes | {"theta": np.full(300, 400, np.int32), "du": 2000, "v_reset": -3}


def layered_arrays() -> Net:
    """Fully connected layers that fire."""
    return layered_network(ticks=60, sizes=(60, 100, 90, 10)) | {"theta": np.full(200, 150, np.int32)}


NETS: dict[str, Callable[[], Net]] = {
    "random": random_arrays,
    "brunel": lambda: brunel_network(neurons=400, ticks=400),
    "layered": layered_arrays,
}


def mesh_of(tmp_path: Path, cores: int, neurons: int, kinds: str = "[dense, sparse, shared_kernel]") -> ChipSpec:
    file = tmp_path / "mesh.yaml"
    file.write_text(
        f"extends: lifcore\nname: mesh\ntitle: a mesh\nstructure: {{mesh_columns: {cores}, mesh_rows: 1, cores: {cores}}}\n"
        f"limits: {{neurons: {neurons}, axons: 100000, routes: 100000, synapse_memory: 4 MiB}}\n"
        f"arithmetic: {{synapse_kinds: {kinds}}}\n"
    )
    return load_chip(file)


def image_of(net: Net, chip: ChipSpec, **choices: Any) -> ProgramImage:
    return unpack(program_from_network_arrays(net, chip, **choices))


def spikes(net: Net, chip: ChipSpec, **choices: Any) -> list[tuple[int, int]]:
    """(tick, neuron number in the network) of every spike, in order."""
    booted = boot(program_from_network_arrays(net, chip, **choices))
    stimulus = Stimulus(np.asarray(net["in_t"], np.int64), np.asarray(net["in_id"], np.int32))
    recording = run_ticks(booted.engine, stimulus, int(net["ticks"]))
    number_of = np.empty(int(net["n"]), np.int64)
    number_of[booted.neurons_of["neurons"]] = np.arange(int(net["n"]))
    fired = number_of[recording.spike_source - booted.inputs]
    return sorted(zip(recording.spike_tick.tolist(), fired.tolist(), strict=True))


def by_the_book(net: Net) -> list[tuple[int, int]]:
    """The same spikes from the definition: every sum in Python's own integers, nothing of the engine."""
    inputs, neurons, ticks = int(net["n_in"]), int(net["n"]), int(net["ticks"])
    start, target, weight, delay = (net[key].tolist() for key in ("indptr", "indices", "weights", "delays"))
    bias, theta, v = (net[key].tolist() for key in ("bias", "theta", "v0"))
    u, rest = [0] * neurons, [0] * neurons
    keep_u, keep_v = 4096 - int(net["du"]), 4096 - int(net["dv"])
    arriving: list[dict[int, int]] = [{} for _ in range(ticks + 256)]
    given: list[list[int]] = [[] for _ in range(ticks)]
    for tick, source in zip(net["in_t"].tolist(), net["in_id"].tolist(), strict=True):
        given[tick].append(source)
    found = []
    for tick in range(ticks):
        fired = []
        for neuron in range(neurons):
            u[neuron] = toward_zero(u[neuron] * keep_u) + arriving[tick].get(neuron, 0)
            if rest[neuron]:
                rest[neuron] -= 1
                v[neuron] = int(net["v_reset"])
                continue
            v[neuron] = toward_zero(v[neuron] * keep_v) + u[neuron] + bias[neuron]
            if v[neuron] > theta[neuron]:
                v[neuron], rest[neuron] = int(net["v_reset"]), int(net["R"])
                fired.append(neuron)
        found += [(tick, neuron) for neuron in fired]
        for source in [*given[tick], *(inputs + neuron for neuron in fired)]:
            for synapse in range(start[source], start[source + 1]):
                slot = arriving[tick + delay[synapse]]
                slot[target[synapse]] = slot.get(target[synapse], 0) + weight[synapse]
    return found


def toward_zero(product: int) -> int:
    return product // 4096 if product >= 0 else -(-product // 4096)


@pytest.mark.parametrize("name", NETS)
def test_one_core_computes_the_arrays_exactly(name: str) -> None:
    net = NETS[name]()
    found = spikes(net, BENCH)
    assert len(found) > 100
    assert found == by_the_book(net)


@pytest.mark.parametrize("partitioner", PARTITIONERS)
@pytest.mark.parametrize("name", NETS)
def test_mapping_changes_no_spike(name: str, partitioner: str, tmp_path: Path) -> None:
    net = NETS[name]()
    expected = spikes(net, BENCH)
    for cores, neurons in ((4, 101), (9, 48), (16, 33)):
        chip = mesh_of(tmp_path, cores, neurons)
        assert len(image_of(net, chip, partitioner=partitioner).cores) > 1
        assert spikes(net, chip, partitioner=partitioner, placer="random", seed=cores) == expected


def test_a_core_without_structured_lists_computes_the_same(tmp_path: Path) -> None:
    net = NETS["layered"]()
    chip = mesh_of(tmp_path, 4, 101, "[sparse]")
    assert {kind for core in image_of(net, chip).cores for kind in core.list_kind.tolist()} == {SPARSE_KIND}
    assert spikes(net, chip) == spikes(net, BENCH)


def test_arrays_are_neither_copied_nor_scaled() -> None:
    net = NETS["random"]()
    network = lower_arrays(net)
    structure = network.projections[0].structure
    assert isinstance(structure, Rows) and np.shares_memory(structure.weight, net["weights"])
    assert network.populations[0].threshold.tolist() == net["theta"].tolist()
    assert [port.name for port in network.ports] == ["input"]
    assert lower_arrays(NETS["brunel"]()).ports == ()


def test_neurons_start_where_the_arrays_say() -> None:
    net = NETS["brunel"]()
    (core,) = image_of(net, BENCH).cores
    assert core.neurons["initial"].tolist() == net["v0"].tolist()


def test_layers_given_as_listed_synapses_become_dense_lists(tmp_path: Path) -> None:
    net = NETS["layered"]()
    (whole,) = image_of(net, BENCH).cores
    assert set(whole.list_kind.tolist()) == {DENSE_KIND}
    assert whole.weight.shape == net["weights"].shape
    parts = image_of(net, mesh_of(tmp_path, 4, 101)).cores
    assert {kind for core in parts for kind in core.list_kind.tolist()} <= {DENSE_KIND, SPARSE_KIND}
    assert sum((core.list_kind == DENSE_KIND).sum() for core in parts) > 200


def test_a_convolution_given_as_listed_synapses_shares_its_kernels() -> None:
    net = convolutional_network(ticks=5)
    (core,) = image_of(net, BENCH).cores
    assert np.count_nonzero(core.list_kind == SHARED_KIND) > 0
    assert core.weight.shape[0] * 10 < net["weights"].shape[0]


def test_images_keep_synapses_in_seven_bytes() -> None:
    (core,) = image_of(NETS["random"](), BENCH).cores
    assert (core.index.dtype, core.weight.dtype, core.delay.dtype) == (np.int32, np.int16, np.uint8)


def test_a_program_of_arrays_survives_packing(tmp_path: Path) -> None:
    for chip in (BENCH, mesh_of(tmp_path, 4, 101)):
        program = program_from_network_arrays(NETS["layered"](), chip)
        again = pack(unpack(program))
        assert again.manifest == program.manifest
        assert all(np.array_equal(again.sections[name], data) for name, data in program.sections.items())


def test_integers_wider_than_the_core_are_refused_and_never_scaled() -> None:
    net = NETS["random"]() | {"bias": np.full(300, 1 << 20, np.int32), "R": 20}
    net["weights"] = np.where(np.arange(net["weights"].shape[0]) % 2, 200, net["weights"]).astype(np.int16)
    with pytest.raises(DoesNotFit) as caught:
        program_from_network_arrays(net, load_chip("lifcore-rtl"))
    found = {(finding.code, finding.where): finding.message for finding in caught.value.findings}
    assert sorted({code for code, _ in found}) == ["NE3506", "NE3507", "NE3509", "NE3511", "NE3513", "NE3514"]
    assert (
        found["NE3513", "projection neurons to neurons"]
        == "its weights need 9 bits with sign, 1 more than the 8 of the core"
    )
    assert "biases need 22 bits" in found["NE3514", "population neurons"]


def test_parallel_synapses_of_a_crossbar_add_up_to_one_weight(tmp_path: Path) -> None:
    twice = {"indptr": np.array([0, 3, 3, 3]), "indices": np.array([0, 1, 0], np.int32), "delays": np.ones(3, np.uint8)}
    numbers = {"n_in": 1, "n": 2, "ticks": 4, "dv": 0, "du": 4096, "R": 0, "v_reset": 0}
    zeros = {name: np.zeros(2, np.int32) for name in ("bias", "v0")}
    net = twice | numbers | zeros | {"theta": np.full(2, 90, np.int32), "weights": np.array([60, 5, 50], np.int16)}
    net |= {"in_t": np.array([0], np.int32), "in_id": np.array([0], np.int32)}
    file = tmp_path / "crossbar.yaml"
    file.write_text("extends: lifcore-rtl\nname: crossbar\ntitle: any leak\narithmetic: {leak_modes: [factor]}\n")
    chip = load_chip(file)
    (core,) = image_of(net, chip).cores
    assert (core.weight.tolist(), core.index.tolist()) == ([110, 5], [0, 1])
    assert spikes(net, chip) == [(1, 0)]
    with pytest.raises(DoesNotFit) as caught:
        program_from_network_arrays(net | {"weights": np.array([100, 5, 50], np.int16)}, chip)
    assert caught.value.findings[0].code == "NE3513"
