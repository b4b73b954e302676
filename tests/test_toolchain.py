"""From a network to a program, and from a run to how far it is from the float network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroemu.errors import BadInput, DoesNotFit
from neuroemu.image.container import read_program
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.network.neurons import integrate_and_fire
from neuroemu.report import from_json
from neuroemu.spec import load_chip
from neuroemu.toolchain import compare_with_float, deploy, describe
from tests.small import meter, relay, soft_reset, two_inputs

pytestmark = pytest.mark.interpreted


def test_a_chip_may_be_a_name_a_file_or_loaded(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("extends: loihi1\nname: own\ntitle: My own\n")
    chips = ["loihi1", load_chip("loihi1"), tmp_path / "own.yaml"]
    assert [deploy(relay(), chip).chip.name for chip in chips] == ["loihi1", "loihi1", "own"]


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        deploy(relay(), "loihi1", seed=5).save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert read_program(tmp_path / "a").manifest["seed"] == 5


@pytest.mark.parametrize("placer", ["hilbert_swap", "hilbert", "linear", "random"])
@pytest.mark.parametrize("partitioner", ["sequential", "overlap_growth"])
def test_mapping_changes_no_spike(partitioner: str, placer: str) -> None:
    inputs = np.ones((2, 6, 2), np.uint8)
    run = deploy(relay(), "loihi1", partitioner=partitioner, placer=placer, seed=3).run(inputs)
    assert run.spikes("second").all()
    mapping = run.report().document["mapping"]
    assert (mapping["partitioner"], mapping["placer"]) == (partitioner, placer)


def test_all_problems_of_a_request_come_at_once() -> None:
    network = replace(relay(), dt_s=-1.0)
    with pytest.raises(BadInput) as caught:
        deploy(network, "loihi1", partitioner="scissors", placer="dart")
    assert [finding.code for finding in caught.value.findings] == ["NE1114", "NE6015", "NE6015"]
    assert "use one of" in caught.value.findings[1].fixes[0]


def test_a_network_the_chip_cannot_hold_is_refused_with_population_and_fixes() -> None:
    builder = NetworkBuilder("wide", dt_s=1e-3).input("in", (4097,))
    builder.population("out", (1,), integrate_and_fire(threshold=1.0)).dense("in", "out", np.ones((1, 4097)))
    with pytest.raises(DoesNotFit) as caught:
        deploy(builder.output("out").build(), "loihi1")
    (finding,) = caught.value.findings
    assert finding.where == "population out" and len(finding.fixes) == 3


def test_without_a_run_the_report_tells_what_was_made() -> None:
    document = describe(deploy(relay(), "loihi1", file="relay.py"))
    assert document["network"]["file"] == "relay.py"
    assert document["mapping"]["cores_used"] == 1
    assert [row["population"] for row in document["quantisation"]] == ["first", "second"]
    for key in ("run", "accuracy", "fidelity", "cost"):
        assert document[key] is None
    assert "fullest resource" in document["limit"]["text"]


# ---- fidelity --------------------------------------------------------------------------------------------------------


def test_a_faithful_layer_has_no_divergence() -> None:
    deployment = deploy(relay(), "loihi1")
    inputs = (np.arange(24) % 5 == 0).astype(np.uint8).reshape(2, 6, 2)
    fidelity = compare_with_float(deployment, deployment.run(inputs), inputs, 2)
    assert [layer.population for layer in fidelity.layers] == ["first", "second"]
    for layer in fidelity.layers:
        assert layer.spikes_float == layer.spikes_quantised == layer.spikes_chip == inputs.sum()
        assert layer.differing_bins_float_chip == layer.differing_bins_quantised_chip == 0
        assert layer.first_divergence is None and layer.bins == 24
        assert not layer.dead and not layer.saturated


def test_the_first_divergence_is_named_by_sample_step_and_neuron() -> None:
    deployment = deploy(soft_reset(), "loihi1")
    assert "NE3003" in [finding.code for finding in deployment.findings]
    inputs = np.zeros((2, 4, 1), np.uint8)
    inputs[1, 1] = 1
    fidelity = compare_with_float(deployment, deployment.run(inputs), inputs, 2)
    (layer,) = fidelity.layers
    assert layer.first_divergence == (1, 2, 0, 1, 0)
    assert (layer.spikes_float, layer.spikes_chip) == (2, 1)
    assert layer.differing_bins_float_chip == 1


def test_dead_and_saturated_layers_are_flagged() -> None:
    deployment = deploy(relay(), "loihi1")
    for inputs, dead, saturated in ((np.zeros((1, 4, 2)), True, False), (np.ones((1, 4, 2)), False, True)):
        layers = compare_with_float(deployment, deployment.run(inputs), inputs, 1).layers
        assert [(layer.dead, layer.saturated) for layer in layers] == [(dead, saturated)] * 2


def test_only_the_first_samples_are_compared() -> None:
    deployment = deploy(relay(), "loihi1")
    run = deployment.run(np.ones((5, 4, 2), np.uint8))
    document = run.report([0, 0, 1, 1, 1], compared=2).document
    assert [row["bins"] for row in document["fidelity"]] == [2 * 4 * 2] * 2
    accuracy = document["accuracy"]
    assert (accuracy["samples"], accuracy["chip"], accuracy["agreement_with_float"]) == (5, 0.4, 1.0)
    assert accuracy["float"] is accuracy["quantised_float"] is None, "float saw other samples than the chip"
    assert run.report([0, 0, 1, 1, 1], compared=5).document["accuracy"]["float"] == 0.4
    assert run.report([0] * 5, compared=0).document["fidelity"] is None


def test_an_analog_output_is_compared_by_its_answer() -> None:
    deployment = deploy(meter(), "loihi1")
    inputs = np.zeros((2, 4, 3), np.uint8)
    inputs[0, :, 0] = inputs[1, :, 2] = 1
    document = deployment.run(inputs).report([0, 1]).document
    assert document["fidelity"] == []
    assert (
        document["accuracy"]["float"] == document["accuracy"]["chip"] == document["accuracy"]["quantised_float"] == 1.0
    )
    assert document["accuracy"]["agreement_with_float"] == 1.0


def test_several_inputs_are_compared_by_name() -> None:
    deployment = deploy(two_inputs(), "loihi1")
    inputs = {"left": np.ones((3, 4, 2), np.uint8), "right": np.zeros((3, 4, 3), np.uint8)}
    document = deployment.run(inputs).report(compared=2).document
    assert document["fidelity"][0]["differing_bins_float_chip"] == 0
    assert from_json(deployment.run(inputs).report().to_json())["run"]["samples"] == 3


def rounded_away() -> Network:
    """A weight so small beside the others that it becomes 0, and the threshold hangs on it."""
    builder = NetworkBuilder("rounded", dt_s=1e-3).input("in", (3,))
    builder.population("out", (1,), integrate_and_fire(threshold=1.0))
    return builder.dense("in", "out", [[-1.0, 1.0, 0.001]]).output("out").build()


def test_what_rounding_did_is_told_apart_from_what_the_chip_did() -> None:
    deployment = deploy(rounded_away(), "loihi1")
    inputs = np.zeros((1, 2, 3), np.uint8)
    inputs[0, 0, 1] = inputs[0, 1, 2] = 1
    (layer,) = compare_with_float(deployment, deployment.run(inputs), inputs, 1).layers
    assert (layer.spikes_float, layer.spikes_quantised, layer.spikes_chip) == (1, 0, 0)
    assert (layer.differing_bins_float_chip, layer.differing_bins_quantised_chip) == (1, 0)
