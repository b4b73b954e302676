"""Networks on crossbars: what runs equals the lowered integers, wherever they are placed; fan-out costs ticks, never spikes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from neuroemu.errors import DoesNotFit
from neuroemu.families.truenorth.image import unpack
from neuroemu.families.truenorth.lower import lower
from neuroemu.families.truenorth.pieces import Wired, wire
from neuroemu.families.truenorth.splitters import endpoints, fan_outs
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.families.truenorth.networks import (
    biased,
    branched,
    convolution,
    dense,
    inputs_of,
    neuron,
    recurrent,
    trinary,
)
from tests.families.truenorth.simulation import simulate

pytestmark = pytest.mark.compiled

CHIP: Any = load_chip("truenorth")


def wired(network: Network) -> Wired:
    return wire(network, lower(network, CHIP), 256, 15)


def wide(out: int = 2100) -> Network:
    """A layer whose neurons reach two axons on each of nine cores, more than they are copied for."""
    rng = np.random.default_rng(2)
    builder = NetworkBuilder("wide", dt_s=1e-3).input("in", (20,))
    builder.population("hidden", (100,), neuron(0.5)).population("out", (out,), neuron(0.75))
    builder.dense("in", "hidden", trinary(rng, (100, 20)))
    builder.dense("hidden", "out", trinary(rng, (out, 100)))
    return builder.output("out").build()


def many_targets() -> Network:
    """Neurons that reach more axons than a splitter core has relays."""
    rng = np.random.default_rng(4)
    builder = NetworkBuilder("many", dt_s=1e-3).input("in", (3,))
    builder.population("hub", (2,), neuron(0.25)).population("out", (600, 9, 9), neuron(0.5))
    builder.dense("in", "hub", np.full((2, 3), 0.25))
    builder.dense("hub", "out", trinary(rng, (600 * 81, 2), 0.5))
    return builder.output("out").build()


def long_sums() -> Network:
    """Three hundred inputs of both signs for every neuron."""
    rng = np.random.default_rng(8)
    builder = NetworkBuilder("long", dt_s=1e-3).input("in", (300,))
    builder.population("out", (6,), neuron(1.0, reset="subtract"))
    builder.dense("in", "out", rng.normal(0.02, 0.1, (6, 300)))
    return builder.output("out").build()


def long_windows() -> Network:
    """A convolution of 64 channels whose windows hold up to 576 inputs."""
    rng = np.random.default_rng(12)
    builder = NetworkBuilder("windows", dt_s=1e-3).input("in", (64, 4, 4))
    builder.population("relay", (64, 4, 4), neuron(0.5)).population("out", (4, 4, 4), neuron(1.0, reset="subtract"))
    builder.sparse("in", "relay", sp.eye_array(1024, format="csr"))
    builder.conv2d("relay", "out", rng.normal(0.02, 0.1, (4, 64, 3, 3)), padding=(1, 1, 1, 1))
    return builder.output("out").build()


def scattered_sums() -> Network:
    """Three hundred inputs of each neuron anywhere among 4,000."""
    rng = np.random.default_rng(13)
    builder = NetworkBuilder("scattered", dt_s=1e-3).input("in", (4000,))
    builder.population("out", (20,), neuron(1.0, reset="subtract"))
    weight = np.where(rng.random((20, 4000)) < 0.075, rng.normal(0.02, 0.1, (20, 4000)), 0.0)
    return builder.dense("in", "out", weight).output("out").build()


@pytest.mark.parametrize(
    "network",
    [dense(), dense(reset="subtract"), dense(membrane_decay=np.zeros(1)), dense(membrane_decay=np.full(1, 0.8)), biased(),
     branched(), recurrent(), recurrent(100), recurrent(120, 8), convolution(), wide(700), wide(), long_sums(), long_windows(),
     scattered_sums()],
    ids=["dense", "soft", "stateless", "leaky", "biased", "branched", "recurrent", "recurrent-cut", "recurrent-late",
         "convolution", "cut", "splitter", "long-sums", "long-windows", "scattered-sums"],
)  # fmt: skip
def test_the_program_computes_the_lowered_integers_tick_by_tick(network: Network) -> None:
    lowered = lower(network, CHIP)
    wires = wire(network, lowered, 256, 15)
    ways = fan_outs(lowered.populations, endpoints(lowered.populations), 256)
    levels = {name: way.levels for name, way in ways.items()}
    inputs = inputs_of(network, 2, 16)
    run = deploy(network, CHIP).run(inputs)
    fired = 0
    for sample in range(2):
        told = simulate(lowered, dict(wires.offsets), levels, {name: array[sample] for name, array in inputs.items()})
        for population in wires.populations:
            assert np.array_equal(run.spikes(population.name)[sample], told[population.name]), population.name
            fired += int(told[population.name].sum())
    assert fired > 20


def test_windows_that_overlap_share_the_cores_of_their_partial_sums() -> None:
    lowered = lower(long_windows(), CHIP)
    parts = lowered.populations[1]
    assert parts.name == "out:parts" and len(parts.tiles) == 16
    windows = 4 * sum(min(x + 2, 4) - max(x - 1, 0) for x in range(4)) ** 2
    assert parts.size == 2 * windows
    reached = endpoints(lowered.populations)["relay"].fan_out(1024)
    assert int(reached.max()) == 4
    assert wired(long_windows()).relays <= 4 * 1024


def test_sums_over_scattered_inputs_are_cut_into_as_few_parts_as_there_can_be() -> None:
    network = scattered_sums()
    parts = lower(network, CHIP).populations[0]
    (projection,) = network.projections
    fan_in = np.count_nonzero(projection.stages[0].to_sparse().toarray(), axis=1)
    assert parts.size == 2 * int((-(-fan_in // 64)).sum())


@pytest.mark.parametrize("network", [dense(), biased(), branched(), recurrent(), convolution(), wide()])
def test_exact_weights_give_the_float_network_in_every_bin(network: Network) -> None:
    document = deploy(network, CHIP).run(inputs_of(network, 3, 20)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0] * len(document["fidelity"])
    assert all(layer["spikes_chip"] > 0 for layer in document["fidelity"])
    assert all(row["weight_error_max"] == 0 for row in document["quantisation"])


@pytest.mark.parametrize("network", [recurrent(120, 8), convolution()])
def test_no_placement_seed_or_tiling_changes_a_spike(network: Network, tmp_path: Path) -> None:
    tiled = tmp_path / "tiled.yaml"
    tiled.write_text(
        "extends: truenorth\nname: tiled\ntitle: four small chips\nstructure:\n  mesh_columns: {value: 8, kind: assumed}\n"
        "  mesh_rows: {value: 4, kind: assumed}\n  chip_columns: {value: 2, kind: assumed}\n"
        "  chip_rows: {value: 2, kind: assumed}\n  cores: {value: 128, kind: assumed}\n"
    )
    inputs = inputs_of(network, 2, 12)
    wanted = deploy(network, CHIP).run(inputs).spikes("out")
    for chip, placer, seed in (
        (CHIP, "random", 5), (CHIP, "linear", 0), (CHIP, "hilbert_swap", 3), (str(tiled), "hilbert", 0)
    ):  # fmt: skip
        assert np.array_equal(deploy(network, chip, placer=placer, seed=seed).run(inputs).spikes("out"), wanted)


def test_copies_cost_no_tick_and_relays_one_per_level() -> None:
    assert dict(wired(dense()).offsets) == {"hidden": 0, "out": 1, "in": -1}
    assert wired(dense()).relays == 0
    split = wired(wide())
    assert (split.offsets["out"], split.copies) == (2, 0)
    assert split.relays == sum(int(piece.slots) for piece in split.pieces if piece.population.name == "hidden:splitter")
    assert wired(many_targets()).offsets["out"] == 3


def test_a_tree_of_relays_reaches_every_core_in_the_same_tick() -> None:
    network = many_targets()
    document = deploy(network, CHIP).run(inputs_of(network, 1, 6, 0.5)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]
    assert document["fidelity"][1]["spikes_chip"] > 1000


def test_a_branch_waits_for_the_slower_one() -> None:
    offsets = dict(wired(branched()).offsets)
    assert offsets == {"in": -1, "a": 0, "b": 1, "out": 2}
    image = unpack(deploy(branched(), CHIP).compiled.program)
    assert set(image.cores.delay[image.cores.delay > 0].tolist()) == {1, 2}
    assert set(image.host_delay.tolist()) == {0, 2}


def test_every_neuron_has_one_target_and_every_core_its_limits() -> None:
    image = unpack(deploy(wide(), CHIP).compiled.program)
    connected = image.cores.delay > 0
    targets = np.stack([image.cores.axon[connected].astype(np.int64), _target_cores(image)], axis=1)
    assert np.unique(targets, axis=0).shape[0] == targets.shape[0]
    mapping = deploy(wide(), CHIP).compiled.mapping
    assert all(core["use"]["axons"] <= 256 and core["use"]["neurons"] <= 256 for core in mapping["cores"])
    assert {row["name"] for core in mapping["cores"] for row in core["populations"]} == {
        "hidden",
        "hidden:splitter",
        "out",
    }


def _target_cores(image: Any) -> Any:
    cores = image.cores
    x, y = cores.number[:, None] % 64 + cores.dx, cores.number[:, None] // 64 + cores.dy
    return (y * 64 + x)[cores.delay > 0].astype(np.int64)


def test_feedback_that_needs_relays_arrives_late_and_says_so() -> None:
    found = deploy(recurrent(120, 8), CHIP).compiled.findings
    assert [finding.code for finding in found] == ["NE3605", "NE3610"]
    assert "1 tick later" in found[0].message
    assert found[1].severity == "note"
    assert deploy(recurrent(24), CHIP).compiled.findings == ()


def test_a_loop_is_cut_into_smaller_tiles_so_that_its_feedback_is_in_time() -> None:
    network = recurrent(100)
    deployment = deploy(network, CHIP)
    assert deployment.compiled.findings == ()
    assert [len(population.tiles) for population in lower(network, CHIP).populations] == [4, 1]
    document = deployment.run(inputs_of(network, 3, 20)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]


def test_tiles_are_cut_smaller_where_copies_take_no_more_cores_than_relays() -> None:
    hidden, out = lower(wide(700), CHIP).populations
    reached = endpoints([hidden, out])["hidden"].fan_out(100)
    slots = [int(reached[tile.neurons].sum()) for tile in hidden.tiles]
    assert len(slots) == -(-int(reached.sum()) // 256) > 1 and max(slots) <= 256
    assert sorted(np.concatenate([tile.neurons for tile in hidden.tiles]).tolist()) == list(range(100))
    split = wired(wide(700))
    assert (split.relays, split.offsets["out"], split.copies) == (0, 1, int(reached.sum()) - 100)
    assert deploy(wide(700), CHIP).compiled.findings == ()


def chained(*biases: float, **values: Any) -> Network:
    """Three layers of two neurons, each with its bias, and one without; weights 2."""
    builder = NetworkBuilder("chained", dt_s=1e-3).input("in", (2,))
    names = ("in", "a", "b", "c", "out")
    for name, bias in zip(names[1:], (*biases, 0.0), strict=True):
        builder.population(name, (2,), neuron(1.0, leak_input=np.array([bias, bias / 2]), **values))
    for source, target in pairwise(names):
        builder.dense(source, target, 2 * np.eye(2) + 0.5 * np.eye(2)[::-1])
    return builder.output("out").build()


@pytest.mark.parametrize("biases", [(-1.0, -1.0, -1.0), (-1.5, 0.5, -0.75), (0.25, 1.25, 0.5)], ids=str)
@pytest.mark.parametrize(
    "values",
    [{}, {"reset": "subtract"}, {"min_v": -0.25}, {"membrane_decay": np.zeros(1)}, {"compare": "gt"}],
    ids=["hard", "soft", "floor", "stateless", "strict"],
)
def test_a_bias_acts_from_the_first_tick_of_its_layer_and_never_before(
    biases: tuple[float, ...], values: dict[str, Any]
) -> None:
    network = chained(*biases, **values)
    deployment = deploy(network, CHIP)
    assert deployment.compiled.findings == ()
    inputs = inputs_of(network, 3, 20, 0.6)
    document = deployment.run(inputs).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0] * 4
    assert document["fidelity"][0]["spikes_chip"] > 0
    assert [row["weight_error_max"] for row in document["quantisation"]] == [0] * 4


def test_a_bias_that_a_leak_cannot_be_comes_from_the_host_and_has_an_axon_type_of_its_own() -> None:
    lowered = lower(chained(-1.0, -1.0, -1.0), CHIP, {"b", "c"})
    assert [port.name for port in lowered.ports if port.constant] == ["bias:b", "bias:c"]
    (tile,) = lowered.populations[1].tiles
    assert (tile.axon_type[-1], tile.column[-1]) == (3, 2) and (tile.table[:, 3] < 0).all()
    assert not lowered.populations[1].registers["leak"].any()
    remarks = lowered.rounding[1]["remarks"]
    assert any("a leak would act before the layer's first tick" in remark for remark in remarks)
    ports = deploy(chained(-1.0, -1.0, -1.0), CHIP).compiled.program
    assert [port.name for port in unpack(ports).symbols.inputs] == ["in", "bias:b", "bias:c"]


def test_trinary_weights_stay_exact_beside_a_bias_from_the_host() -> None:
    rng = np.random.default_rng(6)
    builder = NetworkBuilder("biased", dt_s=1e-3).input("in", (90,))
    builder.population("a", (40,), neuron(0.5)).population("b", (30,), neuron(1.0)).population("out", (9,), neuron(1.0))
    builder.dense("in", "a", trinary(rng, (40, 90))).dense("a", "b", trinary(rng, (30, 40)))
    builder.dense("b", "out", trinary(rng, (9, 30)), bias=rng.integers(-9, 4, 9) / 8)
    network = builder.output("out").build()
    document = deploy(network, CHIP).run(inputs_of(network, 3, 20)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0, 0]


def delayed(ticks: int) -> Network:
    builder = NetworkBuilder("delayed", dt_s=1e-3).input("in", (2,))
    builder.population("a", (2,), neuron()).population("b", (2,), neuron())
    builder.dense("in", "a", np.eye(2)).dense("a", "b", np.eye(2), delay_ticks=ticks)
    builder.dense("in", "b", np.eye(2))
    return builder.output("b").build()


@pytest.mark.parametrize("ticks", [1, 2, 14, 15])
def test_a_delay_of_the_network_is_a_delay_of_the_chip(ticks: int) -> None:
    network = delayed(ticks)
    document = deploy(network, CHIP).run(inputs_of(network, 2, 24)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]


def test_a_delay_of_sixteen_is_refused_by_name() -> None:
    with pytest.raises(DoesNotFit) as caught:
        deploy(delayed(16), CHIP)
    assert [finding.code for finding in caught.value.findings] == ["NE3607"]
    assert "needs a delay of 16 ticks in its last hop, 1 more than the 15" in caught.value.findings[0].message


def test_a_mesh_with_too_few_cores_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "tiny.yaml"
    file.write_text(
        "extends: truenorth\nname: tiny\ntitle: two cores\nstructure:\n  mesh_columns: {value: 2, kind: assumed}\n"
        "  mesh_rows: {value: 1, kind: assumed}\n  cores: {value: 2, kind: assumed}\n"
    )
    with pytest.raises(DoesNotFit) as caught:
        deploy(wide(), str(file))
    assert [finding.code for finding in caught.value.findings] == ["NE4106"]
