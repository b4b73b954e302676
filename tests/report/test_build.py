"""What a report collects from a deployment, its run and the comparison with the float network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import integrate_and_fire
from neuroemu.report import build as build_module
from neuroemu.report import from_json
from neuroemu.report.build import Report, build_report
from neuroemu.toolchain import Deployment, compare_with_float, deploy, describe, network_section
from tests.small import meter, relay, soft_reset, two_inputs

pytestmark = pytest.mark.interpreted


def picture_network() -> Any:
    """A convolution and a pooling on a 1 x 4 x 4 picture, and recurrence at the end."""
    builder = NetworkBuilder("picture", dt_s=1e-3).input("in", (1, 4, 4))
    builder.population("edges", (2, 2, 2), integrate_and_fire(threshold=1.0))
    builder.population("pooled", (2, 1, 1), integrate_and_fire(threshold=1.0))
    builder.population("votes", (2,), integrate_and_fire(threshold=1.0))
    builder.conv2d("in", "edges", np.ones((2, 1, 3, 3))).pool2d("edges", "pooled", (2, 2))
    builder.one_to_one("pooled", "votes").dense("votes", "votes", -np.eye(2), delay_ticks=1)
    return builder.output("votes").build()


@pytest.fixture(scope="module")
def deployment() -> Deployment:
    return deploy(relay(), "loihi1")


@pytest.fixture(scope="module")
def document(deployment: Deployment) -> dict[str, Any]:
    inputs = (np.arange(60) % 3 == 0).astype(np.uint8).reshape(3, 10, 2)
    return deployment.run(inputs).report([1, 0, 1]).document


# ---- network ---------------------------------------------------------------------------------------------------------


def test_a_network_built_in_python_has_no_file_and_no_dialect(document: dict[str, Any]) -> None:
    network = document["network"]
    assert (network["name"], network["file"], network["dialect"], network["dt_s"]) == ("relay", None, None, 1e-3)
    assert (network["neurons"], network["synapses"]) == (4, 8)


def test_populations_say_what_they_are_and_how_far_they_lag(document: dict[str, Any]) -> None:
    rows = [
        (row["name"], row["kind"], row["is_input"], row["is_output"], row["tick_offset"])
        for row in document["network"]["populations"]
    ]
    assert rows == [
        ("in", "input", True, False, 0),
        ("first", "if", False, False, 0),
        ("second", "if", False, True, 1),
    ]


def test_connectivity_is_named_by_its_stages_and_counted_as_if_expanded() -> None:
    deployment = deploy(picture_network(), "loihi1")
    section = network_section(deployment.network, deployment.compiled, None)
    rows = {row["name"]: (row["kind"], row["synapses"], row["delay_ticks"]) for row in section["projections"]}
    assert rows["in->edges"] == ("conv", 2 * 2 * 2 * 9, 0)
    assert rows["edges->pooled"] == ("pool", 8, 0)
    assert rows["pooled->votes"][0] == "direct" and rows["votes->votes"] == ("dense", 4, 1)


def test_a_guessed_dialect_says_so_and_why() -> None:
    from pathlib import Path

    from neuroemu.formats import load

    file = Path(__file__).resolve().parents[2] / "examples" / "digits_mlp.nir"
    for dialect, origin in (("auto", "guessed"), ("snntorch-hard", "given")):
        section = describe(deploy(load(file, dialect), "loihi1"))["network"]["dialect"]
        assert (section["name"], section["origin"]) == ("snntorch-hard", origin)
        assert bool(section["reasons"]) == (origin == "guessed")


# ---- run -------------------------------------------------------------------------------------------------------------


def test_the_run_counts_samples_ticks_and_spikes(document: dict[str, Any]) -> None:
    run = document["run"]
    assert (run["samples"], run["ticks_per_sample"], run["pipeline_ticks"], run["total_ticks"]) == (3, 10, 1, 33)
    spikes = {row["name"]: (row["spikes"], row["rate_per_tick"]) for row in run["populations"]}
    assert spikes["first"] == (20, pytest.approx(20 / (33 * 2)))
    assert run["counters"]["spikes"] == 40 and run["counters"]["input_spikes"] == 20
    assert run["counters"]["synaptic_events"] == 80


def test_the_raster_shows_the_first_sample_in_ticks_of_the_chip(document: dict[str, Any]) -> None:
    raster = document["run"]["raster"]
    assert (raster["sample"], raster["ticks"]) == (0, 11)
    first, second = raster["populations"]
    assert first["events"] == [[0, 0], [1, 1], [3, 0], [4, 1], [6, 0], [7, 1], [9, 0]]
    assert second["events"] == [[tick + 1, 1 - neuron] for tick, neuron in first["events"]]
    assert not first["truncated"]


def test_a_long_raster_is_cut_and_says_so(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_module, "MOST_RASTER_EVENTS", 5)
    raster = deployment.run(np.ones((1, 6, 2), np.uint8)).report().document["run"]["raster"]
    assert [len(row["events"]) for row in raster["populations"]] == [5, 5]
    assert all(row["truncated"] for row in raster["populations"])


def test_the_time_of_each_tick_of_one_sample_is_kept(document: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    run = document["run"]
    assert len(run["tick_time_s"]) == len(run["busiest_core"]) == 11
    used = [core["core"] for core in document["mapping"]["cores"]]
    assert set(run["busiest_core"]) <= set(used)
    monkeypatch.setattr(build_module, "MOST_TICKS_SHOWN", 4)
    short = deploy(relay(), "loihi1").run(np.ones((1, 6, 2), np.uint8)).report().document["run"]
    assert len(short["tick_time_s"]) == len(short["busiest_core"]) == 4


def test_cores_tell_what_they_hold_and_what_they_did(document: dict[str, Any]) -> None:
    (core,) = document["mapping"]["cores"]
    assert core["populations"] == [{"name": "first", "neurons": 2}, {"name": "second", "neurons": 2}]
    assert core["use"].keys() == document["mapping"]["limits"].keys()
    assert core["activity"]["spikes"] == document["run"]["counters"]["spikes"]
    assert core["activity"]["synaptic_events"] == document["run"]["counters"]["synaptic_events"]


# ---- accuracy and cost -----------------------------------------------------------------------------------------------


def test_accuracy_is_that_of_the_samples_with_labels(document: dict[str, Any], deployment: Deployment) -> None:
    accuracy = document["accuracy"]
    assert accuracy["samples"] == 3
    assert accuracy["chip"] == accuracy["float"] == accuracy["quantised_float"]
    assert accuracy["agreement_with_float"] == 1.0
    assert deployment.run(np.ones((1, 2, 2), np.uint8)).report().document["accuracy"] is None


def test_energy_lines_of_the_chip_add_up_and_use_listed_constants(document: dict[str, Any]) -> None:
    assert document["cost"]["default_set"] == "davies2018"
    for cost_set in document["cost"]["sets"]:
        energy = cost_set["energy"]
        own = [line["value_j"] or 0.0 for line in energy["lines"] if line["group"] not in ("host", "io")]
        assert sum(own) == pytest.approx(energy["total_j"])
        assert energy["per_inference_j"] == pytest.approx(energy["total_j"] / 3)
        keys = [constant["key"] for constant in cost_set["constants"]]
        assert keys == sorted(keys)
        named = {key for line in (*energy["lines"], *cost_set["time"]["lines"]) for key in line["constants"]}
        assert named <= set(keys)
        assert all(constant["source_text"] or constant["kind"] == "assumed" for constant in cost_set["constants"])


def test_an_interrupted_sample_counts_by_the_part_that_was_run(deployment: Deployment) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    inputs = np.ones((200, 10, 2), np.uint8)
    run = deployment.run(inputs, interrupt)
    done = run.recording.ticks
    assert 0 < done < 2200 and done % 11
    document = run.report([1] * 200).document
    assert document["run"]["samples"] == document["accuracy"]["samples"] == done // 11
    time = document["cost"]["sets"][0]["time"]
    assert time["per_inference_s"] == pytest.approx(time["total_s"] * 11 / done)
    (finding,) = document["findings"]
    assert finding["code"] == "NE6004"
    assert f"interrupted after {done} of 2,200 ticks; {done // 11} of 200 samples are complete" in finding["message"]


# ---- findings --------------------------------------------------------------------------------------------------------


def test_findings_of_loading_lowering_and_running_stand_together() -> None:
    run = deploy(soft_reset(), "loihi1").run(np.ones((1, 4, 1), np.uint8))
    assert [finding["code"] for finding in run.report().document["findings"]] == ["NE3003"]


@pytest.mark.parametrize(
    ("spikes", "told"),
    [
        (
            (50, 0, 0),
            "is silent on the chip: 0 spikes in 1 samples, 50 in float, 0 with the chip's rounded numbers alone",
        ),
        ((50, 48, 1), "is nearly silent on the chip: 1 spike in 1 samples, 50 in float, 48 with"),
        ((50, 50, 5), None),
        ((0, 0, 0), None),
    ],
)
def test_a_population_that_is_silent_on_the_chip_alone_is_named_with_its_counts(
    spikes: tuple[int, int, int], told: str | None, deployment: Deployment
) -> None:
    inputs = np.ones((1, 4, 2), np.uint8)
    run = deployment.run(inputs)
    fidelity = compare_with_float(deployment, run, inputs, 1)
    of_float, rounded, chip = spikes
    last = replace(fidelity.layers[-1], spikes_float=of_float, spikes_quantised=rounded, spikes_chip=chip)
    document = describe(deployment, run, replace(fidelity, layers=(*fidelity.layers[:-1], last)))
    found = [finding for finding in document["findings"] if finding["code"] == "NE6024"]
    assert [finding["where"] for finding in found] == ([] if told is None else [f"population {last.population}"])
    assert told is None or (found[0]["message"].startswith(told) and found[0]["fixes"])


@pytest.mark.parametrize(("counter", "code"), [("accumulator_wraps", "NE6005"), ("membrane_saturations", "NE6006")])
def test_what_went_beyond_the_registers_is_counted(counter: str, code: str, deployment: Deployment) -> None:
    run = deployment.run(np.ones((1, 4, 2), np.uint8))
    counters = {**run.costs.counters, counter: 1234}
    document = replace(run, costs=replace(run.costs, counters=counters)).report().document
    (finding,) = document["findings"]
    assert (finding["code"], finding["severity"]) == (code, "warning")
    assert "1,234 times" in finding["message"] and finding["fixes"]


def test_saturated_membranes_are_named_by_their_places_where_these_are_known(deployment: Deployment) -> None:
    run = deployment.run(np.ones((1, 4, 2), np.uint8))
    counters = {**run.costs.counters, "membrane_saturations": 1234}
    places = tuple((f"core {number} (out)", 100 - number) for number in range(8))
    document = replace(run, costs=replace(run.costs, counters=counters, saturated=places)).report().document
    told = [(finding["where"], finding["message"]) for finding in document["findings"]]
    named = [(f"core {number} (out)", f"a membrane saturated {100 - number} times") for number in range(5)]
    assert told == [*named, ("3 other cores", "a membrane saturated 744 times")]
    assert {finding["code"] for finding in document["findings"]} == {"NE6006"}


# ---- the document ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [relay(), meter(), picture_network(), soft_reset()])
def test_every_report_fits_its_schema_and_comes_back_the_same(network: Any) -> None:
    deployment = deploy(network, "loihi1")
    shape = network.populations[network.inputs[0]].shape
    for document in (
        describe(deployment),
        deployment.run(np.ones((2, 5, *shape), np.uint8)).report([0, 1]).document,
        deployment.machine.run(np.ones((2, 5, *shape), np.uint8)).report().document,
    ):
        assert from_json(Report(document).to_json()) == document


def test_keys_come_in_one_order_wherever_a_report_comes_from(document: dict[str, Any]) -> None:
    back = from_json(Report(document).to_json())
    assert list(document) == sorted(document)
    for section, key in (("run", "counters"), ("mapping", "limits")):
        assert list(back[section][key]) == list(document[section][key])  # type: ignore[literal-required]


def test_a_program_alone_knows_no_mapping_and_no_floats() -> None:
    run = deploy(two_inputs(), "loihi1").machine.run(
        {"left": np.ones((1, 3, 2), np.uint8), "right": np.ones((1, 3, 3), np.uint8)}
    )
    document = run.report([0]).document
    assert document["mapping"] is document["quantisation"] is document["fidelity"] is None
    assert document["network"]["synapses"] is None
    assert [row["name"] for row in document["network"]["populations"]] == ["out"]
    assert document["accuracy"]["chip"] == 1.0 and document["accuracy"]["agreement_with_float"] is None
    assert document["limit"]["text"].startswith("takes most of a tick")


def test_nothing_known_is_nothing_said(deployment: Deployment) -> None:
    document = build_report(
        chip=deployment.chip, network=describe(deployment)["network"], mapping=None, rounding=None, findings=()
    )
    assert document["limit"] is None and document["run"] is None and document["quantisation"] is None


def test_a_report_shows_itself_in_a_notebook(document: dict[str, Any]) -> None:
    shown = Report(document)._repr_html_()
    assert shown.startswith('<iframe srcdoc="') and shown.endswith("</iframe>")
    assert "&lt;!doctype html&gt;" in shown.lower()
