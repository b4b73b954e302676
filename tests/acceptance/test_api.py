"""The Python face of the quick start: load, deploy, run, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuroemu
from neuroemu.report import from_json
from tests.acceptance.command_line import EXAMPLES


@pytest.fixture(scope="module")
def samples() -> dict[str, Any]:
    with np.load(EXAMPLES / "digits_test.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def deployment() -> neuroemu.Deployment:
    return neuroemu.deploy(neuroemu.load(EXAMPLES / "digits_mlp.nir", dialect="snntorch-hard"), "loihi1")


@pytest.fixture(scope="module")
def run(deployment: neuroemu.Deployment, samples: dict[str, Any]) -> neuroemu.Run:
    return deployment.run(samples["input"])


def test_every_public_name_is_there() -> None:
    assert {name for name in neuroemu.__all__ if getattr(neuroemu, name, None) is None} == set()
    assert set(neuroemu.__all__) <= set(dir(neuroemu))
    with pytest.raises(AttributeError, match="no attribute 'deplyo'"):
        _ = neuroemu.deplyo


def test_spikes_and_predictions_are_arrays_in_the_time_of_the_network(
    run: neuroemu.Run, samples: dict[str, Any]
) -> None:
    spikes = run.spikes("lif2")
    assert spikes.shape == (100, 20, 10) and spikes.dtype == np.uint8
    assert np.mean(spikes != samples["out_spikes"]) < 0.02
    assert np.array_equal(run.predictions(), run.output_sums().argmax(axis=1))
    assert np.array_equal(run.output_sums(), spikes.sum(axis=1))
    assert np.mean(run.predictions() == samples["labels"]) >= 0.91


def test_events_and_dense_spikes_tell_the_same(run: neuroemu.Run) -> None:
    sample, tick, neuron = run.events("lif1")
    dense = run.spikes("lif1")
    assert dense.sum() == sample.size
    assert dense[sample, tick, neuron].all()
    assert (np.diff(sample * run.period + tick) >= 0).all()


def test_the_report_is_a_document_a_page_and_json(run: neuroemu.Run, samples: dict[str, Any]) -> None:
    report = run.report(samples["labels"], compared=10)
    assert from_json(report.to_json()) == report.document
    assert report.document["accuracy"]["chip"] == pytest.approx(np.mean(run.predictions() == samples["labels"]))
    page = report.html()
    assert page.lower().startswith("<!doctype html>")
    shown = report._repr_html_()
    assert shown.startswith("<iframe srcdoc=") and "<script" not in shown


def test_a_saved_program_runs_without_the_network(
    deployment: neuroemu.Deployment, run: neuroemu.Run, samples: dict[str, Any], tmp_path: Path
) -> None:
    from neuroemu.machine import Machine

    deployment.save(tmp_path / "digits.nemu")
    again = Machine.load(tmp_path / "digits.nemu").run(samples["input"])
    assert np.array_equal(again.spikes("lif1"), run.spikes("lif1"))
    assert np.array_equal(again.spikes("lif2"), run.spikes("lif2"))


def test_a_deployment_can_run_again_and_gives_the_same(
    deployment: neuroemu.Deployment, run: neuroemu.Run, samples: dict[str, Any]
) -> None:
    assert np.array_equal(deployment.run(samples["input"]).spikes("lif2"), run.spikes("lif2"))
    assert (
        deployment.run(samples["input"][:3]).report().to_json()
        == deployment.run(samples["input"][:3]).report().to_json()
    )


def test_currents_and_membranes_are_recorded_on_request(
    deployment: neuroemu.Deployment, samples: dict[str, Any]
) -> None:
    run = deployment.run(samples["input"][:2], probes=["lif1"])
    membrane, spikes = run.state("lif1", "v"), run.spikes("lif1")
    assert membrane.shape == spikes.shape == (2, 20, 32)
    assert (membrane[spikes == 1] == 0).all()
    with pytest.raises(KeyError, match="lif2 was not probed; probed: lif1"):
        run.state("lif2", "v")


def test_a_chip_is_loaded_by_name_or_from_a_file(tmp_path: Path) -> None:
    wide = neuroemu.Chip.load("loihi1-wide")
    assert int(wide.limits.compartments.value) == 2048
    (tmp_path / "mine.yaml").write_text("extends: loihi1\nname: mine\ntitle: Mine\n")
    network = neuroemu.load(EXAMPLES / "digits_mlp.nir", dialect="snntorch-hard")
    assert neuroemu.deploy(network, tmp_path / "mine.yaml").chip.name == "mine"
    assert neuroemu.deploy(network, wide).chip.name == "loihi1-wide"


def test_what_is_worth_knowing_travels_with_the_deployment() -> None:
    deployment = neuroemu.deploy(neuroemu.load(EXAMPLES / "nmnist_cnn.nir"), "loihi1")
    codes = {finding.code for finding in deployment.findings}
    assert {"NE1030", "NE3003", "NE3006"} <= codes


def test_refusals_carry_their_findings() -> None:
    with pytest.raises(neuroemu.BadInput) as caught:
        neuroemu.load(EXAMPLES / "nowhere.nir")
    assert caught.value.exit_code == 2
    (finding,) = caught.value.findings
    assert finding.code == "NE1001" and finding.where == str(EXAMPLES / "nowhere.nir")
    assert isinstance(caught.value, neuroemu.NeuroemuError)
    assert finding.to_dict()["code"] == "NE1001"
