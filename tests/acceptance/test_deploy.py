"""One command from a trained network to predictions, time and energy on a chip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.report import from_json
from tests.acceptance.command_line import EXAMPLES, Answer, neuroemu

FILES = ("program.nemu", "report.html", "report.json", "spikes.npz")
DIGITS = (EXAMPLES / "digits_mlp.nir", "--dialect", "snntorch-hard", "--input", EXAMPLES / "digits_test.npz")


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    """The command of the README: its answer and its folder."""
    out = tmp_path_factory.mktemp("digits") / "out"
    return neuroemu("deploy", *DIGITS, "--chip", "loihi1", "-o", out), out


@pytest.fixture(scope="module")
def report(deployed: tuple[Answer, Path]) -> Any:
    return from_json((deployed[1] / "report.json").read_bytes())


def labels() -> Any:
    with np.load(EXAMPLES / "digits_test.npz") as samples:
        return samples["labels"]


def test_the_folder_holds_program_report_page_and_spikes(deployed: tuple[Answer, Path]) -> None:
    answer, out = deployed
    assert answer.exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert answer.out.splitlines()[-1] == f"written to {out}: {', '.join(FILES)}"


def test_accuracy_on_the_chip_stands_beside_the_float_accuracy(deployed: tuple[Answer, Path], report: Any) -> None:
    with np.load(deployed[1] / "spikes.npz") as spikes:
        predictions = spikes["predictions"]
    accuracy = report["accuracy"]
    assert accuracy["samples"] == 100
    assert accuracy["chip"] == pytest.approx(np.mean(predictions == labels()))
    assert accuracy["float"] == pytest.approx(0.92)
    assert accuracy["chip"] >= 0.91


def test_the_terminal_tells_what_came_out(deployed: tuple[Answer, Path], report: Any) -> None:
    said = deployed[0].out
    assert "digits_mlp.nir, dialect snntorch-hard (given)" in said and "Intel Loihi 1" in said
    assert f"{100 * report['accuracy']['chip']:.1f}" in said
    for word in (
        "accuracy",
        "latency",
        "energy",
        "limit",
        "static",
        "neurons",
        "synapses",
        "network",
        "synaptic events",
    ):
        assert word in said.lower(), word


def test_the_page_stands_alone(deployed: tuple[Answer, Path]) -> None:
    page = (deployed[1] / "report.html").read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "digits_mlp" in page
    assert 'src="http' not in page and 'href="http' not in page.replace('href="https://doi.org', "")


def test_recorded_spikes_are_those_that_were_counted(deployed: tuple[Answer, Path], report: Any) -> None:
    with np.load(deployed[1] / "spikes.npz") as spikes:
        counted = {name.removesuffix("__neuron"): spikes[name].size for name in spikes.files if "__neuron" in name}
    assert counted == {population["name"]: population["spikes"] for population in report["run"]["populations"]}
    assert report["run"]["counters"]["spikes"] == sum(counted.values())


def test_time_is_that_of_every_tick_of_every_sample(report: Any) -> None:
    run = report["run"]
    assert run["ticks_per_sample"] == 20
    assert run["total_ticks"] == run["samples"] * (20 + run["pipeline_ticks"])
    for cost_set in report["cost"]["sets"]:
        time = cost_set["time"]
        assert time["total_s"] == pytest.approx(time["per_inference_s"] * 100)
        assert time["per_tick_mean_s"] * run["total_ticks"] == pytest.approx(time["total_s"])
        assert (time["low_s"] or 0.0) <= time["per_inference_s"] <= (time["high_s"] or 1.0)


def test_energy_is_split_and_has_a_band(report: Any) -> None:
    assert [cost_set["name"] for cost_set in report["cost"]["sets"]] == ["davies2018", "sanafe2025"]
    for cost_set in report["cost"]["sets"]:
        energy = cost_set["energy"]
        groups = {line["group"] for line in energy["lines"]}
        assert {"static", "neuron", "synapse", "network", "reset", "host", "io"} <= groups
        assert energy["low_j"] <= energy["total_j"] <= energy["high_j"]
        assert energy["per_inference_j"] * 100 == pytest.approx(energy["total_j"])
        constants = {constant["key"] for constant in cost_set["constants"]}
        used = {key for line in energy["lines"] if line["value_j"] for key in line["constants"]}
        assert used and used <= constants


def test_rounding_divergence_and_the_limit_are_reported_per_layer(report: Any) -> None:
    layers = [population["name"] for population in report["network"]["populations"] if not population["is_input"]]
    assert [row["population"] for row in report["quantisation"]] == layers
    assert [row["population"] for row in report["fidelity"]] == layers
    for row in report["fidelity"]:
        assert row["differing_bins_float_chip"] < 0.02 * row["bins"]
        assert not row["dead"] and not row["saturated"]
    assert "fullest resource" in report["limit"]["text"] and "of a tick" in report["limit"]["text"]


def test_the_same_command_twice_gives_the_same_bytes(deployed: tuple[Answer, Path], tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert neuroemu("deploy", *DIGITS, "--chip", "loihi1", "-o", again, "-q").exit_code == 0
    differing = [name for name in FILES if (again / name).read_bytes() != (deployed[1] / name).read_bytes()]
    assert differing == []


def test_the_seed_and_the_mapping_change_no_spike(deployed: tuple[Answer, Path], tmp_path: Path) -> None:
    other = ("--seed", "7", "--partitioner", "sequential", "--placer", "linear")
    assert neuroemu("deploy", *DIGITS, "--chip", "loihi1", "-o", tmp_path, "-q", *other).exit_code == 0
    assert (tmp_path / "spikes.npz").read_bytes() == (deployed[1] / "spikes.npz").read_bytes()


def test_json_prints_the_report_and_nothing_else(deployed: tuple[Answer, Path]) -> None:
    answer = neuroemu("deploy", *DIGITS, "--chip", "loihi1", "--json")
    assert answer.out == (deployed[1] / "report.json").read_text(encoding="utf-8")
    assert answer.exit_code == 0


def test_quiet_says_nothing() -> None:
    answer = neuroemu("deploy", *DIGITS, "--chip", "loihi1", "--samples", "1", "-q")
    assert (answer.exit_code, answer.out, answer.err) == (0, "", "")


def test_a_saved_report_is_shown_again_and_turned_into_the_same_page(
    deployed: tuple[Answer, Path], tmp_path: Path
) -> None:
    out, page = deployed[1], tmp_path / "page.html"
    shown = neuroemu("report", out, "-o", page)
    assert shown.exit_code == 0
    assert page.read_bytes() == (out / "report.html").read_bytes()
    assert deployed[0].out.startswith(shown.out)
    assert neuroemu("report", out / "report.json", "--json").out == (out / "report.json").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("network", "samples", "dialect", "populations"),
    [
        ("digits_conv.nir", "digits_conv.npz", "snntorch-hard", 2),
        ("digits_recurrent.nir", "digits_recurrent.npz", "snntorch-hard", 2),
        ("braille_bias_hard.nir", "braille_bias_hard.npz", "snntorch-hard", 2),
        ("braille_soft.nir", "braille_soft.npz", "snntorch-soft", 2),
        ("nmnist_cnn.nir", "nmnist_cnn.npz", "sinabs", 5),
        ("edge_detector.yaml", "edge_detector.npz", "auto", 2),
    ],
)
def test_every_example_deploys(network: str, samples: str, dialect: str, populations: int, tmp_path: Path) -> None:
    options = ("--dialect", dialect, "--chip", "loihi1", "--samples", "2", "-o", tmp_path, "--json")
    answer = neuroemu("deploy", EXAMPLES / network, "--input", EXAMPLES / samples, *options)
    assert answer.exit_code == 0
    report = from_json(answer.out)
    assert report["run"]["samples"] == 2
    assert len(report["run"]["populations"]) == populations
    assert all(population["spikes"] > 0 for population in report["run"]["populations"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_soft_reset_and_several_spikes_per_step_are_named_for_every_population() -> None:
    network, samples = EXAMPLES / "nmnist_cnn.nir", EXAMPLES / "nmnist_cnn.npz"
    answer = neuroemu("deploy", network, "--input", samples, "--samples", "1", "--chip", "loihi1", "--json")
    said = {(finding["code"], finding["where"]) for finding in answer.document["findings"]}
    for population in ("1", "3", "6", "10", "12"):
        assert ("NE3003", f"population {population}") in said
        assert ("NE3006", f"population {population}") in said


def test_probed_populations_leave_their_currents_and_membranes(tmp_path: Path) -> None:
    options = ("--chip", "loihi1", "--samples", "3", "--probe", "lif2", "-q", "-o", tmp_path)
    assert neuroemu("deploy", *DIGITS, *options).exit_code == 0
    with np.load(tmp_path / "spikes.npz") as spikes:
        assert spikes["lif2__v"].shape == spikes["lif2__u"].shape == (3, 20, 10)
        assert spikes["lif2__v"].any()
        assert not any(name.startswith("lif1__v") for name in spikes.files)


def test_without_samples_the_program_and_its_mapping_are_made(deployed: tuple[Answer, Path], tmp_path: Path) -> None:
    network = EXAMPLES / "digits_mlp.nir"
    answer = neuroemu("deploy", network, "--dialect", "snntorch-hard", "--chip", "loihi1", "-o", tmp_path)
    assert answer.exit_code == 0
    report = from_json((tmp_path / "report.json").read_bytes())
    assert report["run"] is report["cost"] is report["accuracy"] is None
    assert report["mapping"] is not None and report["mapping"]["cores_used"] == 1
    assert (tmp_path / "program.nemu").read_bytes() == (deployed[1] / "program.nemu").read_bytes()


def test_a_new_deployment_leaves_nothing_of_the_old_one(tmp_path: Path) -> None:
    assert neuroemu("deploy", *DIGITS, "--chip", "loihi1", "--samples", "1", "-q", "-o", tmp_path).exit_code == 0
    (tmp_path / "notes.txt").write_text("mine")
    assert neuroemu("deploy", *DIGITS[:3], "--chip", "loihi1", "-q", "-o", tmp_path).exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt", "program.nemu", "report.html", "report.json",
    ]  # fmt: skip


def test_a_refused_deployment_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    assert neuroemu("deploy", *DIGITS, "--chip", "loihi1", "--samples", "1", "-q", "-o", tmp_path).exit_code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    wrong = ("--input", EXAMPLES / "digits_conv.npz", "--chip", "loihi1", "-q", "-o", tmp_path)
    assert neuroemu("deploy", *DIGITS[:3], *wrong).exit_code == 2
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_labels_are_optional(tmp_path: Path) -> None:
    with np.load(EXAMPLES / "digits_test.npz") as samples:
        np.savez_compressed(tmp_path / "unlabelled.npz", input=samples["input"][:2])
    options = ("--input", tmp_path / "unlabelled.npz", "--chip", "loihi1", "--json")
    answer = neuroemu("deploy", *DIGITS[:3], *options)
    assert answer.exit_code == 0
    assert answer.document["accuracy"] is None and answer.document["run"]["samples"] == 2


def test_comparing_no_samples_leaves_the_float_columns_unknown() -> None:
    answer = neuroemu("deploy", *DIGITS, "--chip", "loihi1", "--samples", "2", "--compare-samples", "0", "--json")
    assert answer.document["fidelity"] is None
    assert answer.document["accuracy"]["float"] is None
    assert answer.document["accuracy"]["chip"] is not None


def test_report_numbers_are_plain_json(deployed: tuple[Answer, Path]) -> None:
    text = (deployed[1] / "report.json").read_text(encoding="utf-8")
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text)["schema"] == "neuroemu.report/1"
