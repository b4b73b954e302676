"""What no TrueNorth core holds is refused by `neuroemu deploy` with a code, a place, by how much and a way out, or mapped around.

A model of IBM's tools says every row itself, so what is too much in it is refused. A network says nothing of rows: the compiler
keeps within them, and refuses what it cannot.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from neuroemu.errors import DoesNotFit
from neuroemu.families.truenorth.image import SIZE, unpack
from neuroemu.formats.ibm_cpe import DEFAULTS, CpeCore, CpeModel, write_model
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.toolchain import Deployment, deploy
from tests.acceptance.command_line import neuroemu
from tests.families.truenorth.networks import convolution, inputs_of, neuron, recurrent, trinary

pytestmark = pytest.mark.compiled

WIDE = {"chip_columns": 5, "chip_rows": 1, "cores": 5 * 4096}
"""Five chips side by side: 320 cores, more than a packet crosses."""


def chip_file(folder: Path, structure: dict[str, int], **limits: int) -> Path:
    """A TrueNorth with another structure or other limits."""
    sections = {"structure": structure, "limits": limits}
    chip = {
        "extends": "truenorth",
        "name": "variant",
        "title": "A variant",
        **{
            section: {name: {"value": value, "kind": "assumed"} for name, value in values.items()}
            for section, values in sections.items()
            if values
        },
    }
    file = folder / "variant.yaml"
    file.write_text(yaml.safe_dump(chip))
    return file


def model_file(folder: Path, types: dict[str, int] | None = None, size: int = SIZE, **changes: Any) -> Path:
    """A core 7 whose neuron 0 sends to axon 3 of a core 8; ``changes`` are columns of its neurons and types of its axons."""
    columns = {"neuron": [0], "type": [1], "core": [8], "axon": [3], "delay": [1]} | changes
    own, other = columns.pop("own", 7), columns.pop("target", 8)
    arrays = {name: np.array(values, np.int64) for name, values in columns.items()}
    axon_type = arrays.pop("axon_type", np.zeros(4, np.int64))
    synapses = np.full((max(axon_type.shape[0], 4), -(-size // 8)), 255, np.uint8)
    first = CpeCore(id=own, seed=1, axon_type=axon_type, synapses=synapses[: axon_type.shape[0]], **arrays)
    nothing = {name: np.zeros(0, np.int64) for name in ("neuron", "type", "core", "axon", "delay")}
    second = CpeCore(id=other, seed=1, axon_type=np.zeros(4, np.int64), synapses=synapses[:4], **nothing)
    write_model(folder / "model.json", CpeModel(size, {1: DEFAULTS | (types or {})}, (first, second)))
    return folder / "model.json"


# ---------------------------------------------------------------------------------------- models: every row is given


@pytest.mark.parametrize(
    ("types", "changes", "exit_code", "code", "place", "told"),
    [
        ({}, {"axon_type": [0] * 257}, 1, "NE5603", "core 7", "a core has 257 axons; a TrueNorth core has 256 (1 too many)"),
        ({}, {"size": 257}, 1, "NE5603", "crossbarSize", "a core has 257 neurons; a TrueNorth core has 256 (1 too many)"),
        ({}, {"neuron": [256]}, 2, "NE1073", "core 7", "there is no neuron 256 (1 such numbers); a core has 0..255"),
        ({}, {"delay": [0]}, 1, "NE5603", "core 7, neuron 0", "delay 0 is outside 1..15 by 1"),
        ({}, {"delay": [16]}, 1, "NE5603", "core 7, neuron 0", "delay 16 is outside 1..15 by 1"),
        ({}, {"axon_type": [0, 4, 0]}, 1, "NE5603", "core 7, axon 1", "axon type 4 is outside 0..3 by 1"),
        ({"s2": 256}, {}, 1, "NE5603", "core 7, neuron 0, axon type 2", "weight 256 is outside -255..255 by 1"),
        ({"s2": 256, "sigma2": -1}, {}, 1, "NE5603", "core 7, neuron 0, axon type 2", "weight -256 is outside -255..255 by 1"),
        ({}, {"axon": [256]}, 1, "NE5603", "core 7, neuron 0", "target axon 256 is outside 0..255 by 1"),
        (
            {},
            {"neuron": [0, 0], "type": [1, 1], "core": [8, 7], "axon": [3, 0], "delay": [1, 1]},
            2,
            "NE1073",
            "core 7",
            "neuron 0 has 2 targets, a neuron has one",
        ),
    ],
)  # fmt: skip
def test_a_model_beyond_a_limit_is_refused_by_name(
    types: dict[str, int], changes: dict[str, Any], exit_code: int, code: str, place: str, told: str, tmp_path: Path
) -> None:
    answer = neuroemu("deploy", model_file(tmp_path, types, **changes), "--chip", "truenorth", "--json")
    assert answer.exit_code == exit_code
    (finding,) = answer.document["findings"]
    assert (finding["code"], finding["severity"]) == (code, "error")
    assert place in finding["where"] and told in finding["message"] and finding["fixes"]


@pytest.mark.parametrize(
    ("types", "changes"),
    [
        ({}, {"axon_type": [0] * 256}),
        ({}, {"neuron": [255]}),
        ({}, {"delay": [15]}),
        ({}, {"axon_type": [0, 1, 2, 3]}),
        ({"s2": 255, "sigma2": -1}, {}),
        ({}, {"axon": [255]}),
    ],
)
def test_a_model_at_a_limit_fits(types: dict[str, int], changes: dict[str, Any], tmp_path: Path) -> None:
    answer = neuroemu("deploy", model_file(tmp_path, types, **changes), "--chip", "truenorth", "--json")
    assert (answer.exit_code, answer.document["mapping"]["cores_used"]) == (0, 2)


@pytest.mark.parametrize(("way", "by"), [(256, 1), (-257, 1)], ids=["ahead", "back"])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_model_whose_target_is_out_of_reach_is_refused(axis: str, way: int, by: int, tmp_path: Path) -> None:
    columns, rows, step = (5, 1, 1) if axis == "x" else (1, 5, 64)
    variant = chip_file(tmp_path, {"chip_columns": columns, "chip_rows": rows, "cores": 5 * 4096})
    own = 7 if way > 0 else 7 + 300 * step
    for distance, fits in ((way - by if way > 0 else way + by, True), (way, False)):
        target = own + step * distance
        model = model_file(tmp_path, own=own, core=[target], target=target)
        answer = neuroemu("deploy", model, "--chip", variant, "--json")
        if fits:
            assert answer.exit_code == 0
            continue
        (finding,) = answer.document["findings"]
        assert (answer.exit_code, finding["code"]) == (1, "NE5603")
        assert finding["message"] == f"distance of the target in {axis} {way} is outside -256..255 by {by}"
        assert finding["where"] == f"core {own}, neuron 0"
        assert "relay the spike through a core in between" in finding["fixes"]


# ---------------------------------------------------------------------------------------- networks: rows are the compiler's


def layer(inputs: int, neurons: int, weight: Any, **values: Any) -> Network:
    builder = NetworkBuilder("layer", dt_s=1e-3).input("in", (inputs,))
    builder.population("out", (neurons,), neuron(**values))
    return builder.dense("in", "out", np.broadcast_to(weight, (neurons, inputs))).output("out").build()


def exact(deployment: Deployment) -> bool:
    """Whether the chip computes the float network in every bin."""
    document = deployment.run(inputs_of(deployment.network, 2, 20)).report().document
    assert all(row["spikes_chip"] > 0 for row in document["fidelity"])
    return all(row["differing_bins_float_chip"] == 0 for row in document["fidelity"])


def test_the_257th_neuron_goes_to_another_core() -> None:
    cores = [deploy(layer(20, count, 0.25), "truenorth").compiled.mapping["cores_used"] for count in (256, 257)]
    assert cores == [1, 2]
    assert exact(deploy(layer(20, 257, 0.25), "truenorth"))


def test_weights_beyond_255_and_more_than_four_are_scaled_and_split_over_axons() -> None:
    values = np.array([256.0, 512.0, -256.0, 768.0, 1024.0])
    deployment = deploy(layer(5, 3, values, threshold=2048.0), "truenorth")
    assert exact(deployment)
    cores = unpack(deployment.compiled.program).cores
    assert np.abs(cores.weight).max() <= 255 and cores.axon_type.max() <= 3
    assert [row["weight_error_max"] for row in deployment.compiled.rounding] == [0]


def test_a_fifth_weight_of_a_source_that_has_room_for_no_further_axon_is_said_with_its_error() -> None:
    rng = np.random.default_rng(3)
    deployment = deploy(layer(256, 8, rng.choice([-3.0, -1.0, 0.5, 2.0, 5.0], (8, 256)), threshold=8.0), "truenorth")
    (finding,) = deployment.compiled.findings
    assert finding.code == "NE3608" and finding.where == "population out"
    assert (
        "the 256 axons of a core are 1 for each of 256 inputs" in finding.message
        and "% of the largest on average" in finding.message
    )
    assert finding.fixes


def test_the_257th_input_of_neurons_without_memory_is_refused() -> None:
    rng = np.random.default_rng(6)
    with pytest.raises(DoesNotFit) as caught:
        deploy(layer(257, 5, rng.choice([-0.25, 0.25], (5, 257)), membrane_decay=np.zeros(1)), "truenorth")
    (finding,) = caught.value.findings
    assert (finding.code, finding.where) == ("NE3602", "population out")
    assert "257 inputs and needs 257 axons, 1 more than the 256 of a core" in finding.message and finding.fixes


def test_a_bias_that_the_host_sends_is_no_input_and_still_needs_an_axon() -> None:
    weight = np.random.default_rng(6).choice([-0.25, 0.25], (2, 256))
    leaky = layer(256, 2, weight, membrane_decay=np.full(1, 0.9), leak_input=np.full(1, 0.1))
    messages = [finding.message for finding in deploy(leaky, "truenorth").compiled.findings if finding.code == "NE3602"]
    (message,) = messages
    assert message.startswith(
        "a neuron has 256 inputs and a bias that takes an axon of its own, 1 more than the 256 axons"
    )


def test_a_delay_of_sixteen_ticks_is_refused_and_none_in_a_loop_too(tmp_path: Path) -> None:
    loop = {
        "format": "neuroemu-network/1",
        "name": "loop",
        "dt": "1 ms",
        "populations": {"in": {"shape": [2]}, "a": {"shape": [2], "neuron": {"model": "if", "threshold": 1.0}}},
        "projections": [
            {"from": "in", "to": "a", "stages": [{"dense": {"weight": [[1.0, 0.0], [0.0, 1.0]]}}]},
            {"from": "a", "to": "a", "stages": [{"dense": {"weight": [[0.0, 1.0], [1.0, 0.0]]}}], "delay": 0},
        ],
        "outputs": ["a"],
    }
    answers = []
    for delay in (0, 1, 15, 16):
        loop["projections"][1]["delay"] = delay  # type: ignore[index]
        (tmp_path / "loop.yaml").write_text(yaml.safe_dump(loop))
        answers.append(neuroemu("deploy", tmp_path / "loop.yaml", "--chip", "truenorth", "--json"))
    assert [answer.exit_code for answer in answers] == [2, 0, 0, 1]
    (none,), (long,) = answers[0].document["findings"], answers[3].document["findings"]
    assert (
        none["where"].endswith("loop.yaml:8:5") and "the loop a -> a has no delay" in none["message"] and none["fixes"]
    )
    assert (long["code"], long["where"]) == ("NE3607", "projection a to a")
    assert (
        "needs a delay of 16 ticks in its last hop, 1 more than the 15 of a neuron" in long["message"] and long["fixes"]
    )


@pytest.mark.parametrize(("hidden", "out", "said"), [(30, 300, []), (100, 2100, ["NE3610"])], ids=["copies", "relays"])
def test_two_targets_are_reached_by_copies_or_relays_and_no_neuron_gets_two(
    hidden: int, out: int, said: list[str]
) -> None:
    rng = np.random.default_rng(2)
    builder = NetworkBuilder("wide", dt_s=1e-3).input("in", (20,))
    builder.population("hidden", (hidden,), neuron(0.5)).population("out", (out,), neuron(0.75))
    builder.dense("in", "hidden", trinary(rng, (hidden, 20))).dense("hidden", "out", trinary(rng, (out, hidden)))
    deployment = deploy(builder.output("out").build(), "truenorth")
    assert [finding.code for finding in deployment.compiled.findings] == said
    cores = unpack(deployment.compiled.program).cores
    linked = cores.delay > 0
    x, y = cores.number[:, None] % 64 + cores.dx, cores.number[:, None] // 64 + cores.dy
    reached = np.stack([y[linked] * 64 + x[linked], cores.axon[linked]], axis=1)
    assert reached.shape[0] > 2 * hidden and np.unique(reached, axis=0).shape[0] == reached.shape[0]


# ---------------------------------------------------------------------------------------- the reach of packets


@pytest.mark.parametrize("network", [convolution(), recurrent(120, 8)], ids=["convolution", "recurrent"])
def test_no_placement_on_a_wide_mesh_puts_a_target_out_of_reach_or_changes_a_spike(
    network: Network, tmp_path: Path
) -> None:
    inputs = inputs_of(network, 2, 12)
    wanted = deploy(network, "truenorth").run(inputs).spikes("out")
    for structure, placer in product(
        (WIDE, WIDE | {"chip_columns": 1, "chip_rows": 5}), ("hilbert_swap", "random", "linear")
    ):
        deployment = deploy(network, chip_file(tmp_path, structure), placer=placer, seed=3)
        cores = unpack(deployment.compiled.program).cores
        assert max(np.abs(cores.dx).max(), np.abs(cores.dy).max()) < 64
        assert np.array_equal(deployment.run(inputs).spikes("out"), wanted)


def test_a_network_on_several_chips_stays_within_a_square_that_packets_cross(tmp_path: Path) -> None:
    small = {"mesh_columns": 2, "mesh_rows": 2, "chip_columns": 9, "chip_rows": 9, "cores": 18 * 18}
    file = chip_file(tmp_path, small, target_cores_back=4, target_cores_ahead=3)
    network = convolution()
    used = int(deploy(network, file).compiled.mapping["cores_used"])
    assert 4 < used <= 16
    for placer in ("hilbert_swap", "hilbert", "random", "linear"):
        cores = unpack(deploy(network, file, placer=placer, seed=5).compiled.program).cores
        assert int((cores.number % 18).max()) < 4 and int((cores.number // 18).max()) < 4


def test_populations_too_far_apart_are_refused_with_their_cores(tmp_path: Path) -> None:
    small = {"mesh_columns": 3, "mesh_rows": 3, "chip_columns": 2, "chip_rows": 1, "cores": 18}
    file = chip_file(tmp_path, small, target_cores_back=1, target_cores_ahead=1)
    with pytest.raises(DoesNotFit) as caught:
        deploy(convolution(), file, placer="random", seed=1)
    found = {finding.where: finding for finding in caught.value.findings}
    assert {finding.code for finding in found.values()} == {"NE3611"}
    finding = found["projection conv to pool"]
    told = r"conv on core \d+ sends to pool on core \d+, [+-]\d cores in x and [+-]\d in y; a packet reaches -1\.\.1, 1 less"
    assert re.fullmatch(told, finding.message) and finding.fixes
