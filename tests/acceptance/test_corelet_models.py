"""A model that IBM's tools mapped runs from the command line with a spike file, and its program runs again alone."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.formats.ibm_cpe import CpeSpikes, spikes_text
from tests.acceptance.command_line import REPOSITORY, Answer, neuroemu

GOLDEN = REPOSITORY / "tests" / "golden" / "truenorth"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A model file, a spike file and the recorded results."""
    folder = tmp_path_factory.mktemp("corelets")
    model, spikes = folder / "model.json", folder / "spikes.sfti"
    model.write_bytes(gzip.decompress((GOLDEN / "ibm_cpe_example2.model.json.gz").read_bytes()))
    with np.load(GOLDEN / "ibm_cpe_example2.npz") as arrays:
        recorded = {name: arrays[name] for name in ("inputs", "spikes", "synaptic_events")}
    rows = recorded["inputs"].astype(np.int64)
    spikes.write_text(spikes_text(CpeSpikes(rows[:, 0] - 1, rows[:, 1], rows[:, 3])))
    return model, spikes, recorded


@pytest.fixture(scope="module")
def deployed(files: tuple[Path, Path, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    out = tmp_path_factory.mktemp("deployed")
    model, spikes, recorded = files
    ticks = recorded["synaptic_events"].shape[0]
    return out, neuroemu("deploy", model, "--chip", "truenorth", "-i", spikes, "--ticks", str(ticks), "-o", out)


def test_the_model_computes_what_was_recorded(deployed: tuple[Path, Answer], files: tuple[Path, Path, Any]) -> None:
    out, answer = deployed
    recorded = files[2]
    assert answer.exit_code == 0
    report = json.loads((out / "report.json").read_text())
    assert report["run"]["counters"]["spikes"] == recorded["spikes"].shape[0]
    assert report["run"]["counters"]["synaptic_events"] == int(recorded["synaptic_events"].sum())
    assert [cost["name"] for cost in report["cost"]["sets"]] == ["static_marginal", "amortised_26pj"]


def test_the_report_tells_where_the_model_lies(deployed: tuple[Path, Answer], files: tuple[Path, Path, Any]) -> None:
    report = json.loads((deployed[0] / "report.json").read_text())
    mapping = report["mapping"]
    assert mapping["cores_used"] == len(mapping["cores"]) and mapping["mesh"]["columns"] == 64
    assert mapping["limits"] == {"axons": 256, "neurons": 256, "synapses": 65536}
    for core in mapping["cores"]:
        held = sum(population["neurons"] for population in core["populations"])
        assert core["use"]["neurons"] == held and 0 < core["use"]["axons"] <= 256
        assert core["activity"]["synaptic_events"] <= core["use"]["synapses"] * report["run"]["total_ticks"]
    assert sum(core["activity"]["spikes"] for core in mapping["cores"]) == files[2]["spikes"].shape[0]
    assert mapping["messages"] is not None and "Not mapped" not in deployed[1].out


def test_everything_is_written(deployed: tuple[Path, Answer]) -> None:
    out, _ = deployed
    names = sorted(path.name for path in out.iterdir())
    assert names == ["program.nemu", "report.html", "report.json", "spikes.npz", "spikes.sfto"]
    header, version, first = (json.loads(line) for line in (out / "spikes.sfto").read_text().splitlines()[:3])
    assert header["class"] == "SpikeWriter" and version["version"] == "sfto1.0" and first["spike"]["destCore"] <= -32


def test_the_program_runs_again_without_the_model(deployed: tuple[Path, Answer], tmp_path: Path) -> None:
    out, _ = deployed
    samples = np.zeros((1, 5, 1, 256), np.uint8)
    samples[0, 0, 0, :128] = 1
    np.savez(tmp_path / "samples.npz", input=samples)
    answer = neuroemu("run", out / "program.nemu", "-i", tmp_path / "samples.npz", "--json")
    assert answer.exit_code == 0
    assert json.loads(answer.out)["run"]["counters"]["input_spikes"] == 128


def test_the_program_runs_the_spike_file_of_its_model_alone(
    deployed: tuple[Path, Answer], files: tuple[Path, Path, Any], tmp_path: Path
) -> None:
    out, _ = deployed
    answer = neuroemu("run", out / "program.nemu", "-i", files[1], "--json")
    assert answer.exit_code == 0
    assert answer.document["run"]["counters"]["input_spikes"] == np.unique(files[2]["inputs"], axis=0).shape[0]
    wrong = tmp_path / "wrong.sfti"
    wrong.write_text(spikes_text(CpeSpikes(np.array([0]), np.array([7]), np.array([0]))))
    answer = neuroemu("run", out / "program.nemu", "-i", wrong, "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6030"])


def test_without_input_the_model_is_checked_and_written(files: tuple[Path, Path, Any], tmp_path: Path) -> None:
    answer = neuroemu("deploy", files[0], "--chip", "truenorth", "-o", tmp_path / "out")
    assert answer.exit_code == 0 and "Fits" in answer.out and "Not mapped" not in answer.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["program.nemu", "report.html", "report.json"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--chip", "loihi1"), "loihi1 is no chip for it"),
        (("--chip", "truenorth", "--placer", "linear"), "--placer cannot be used"),
        (("--chip", "truenorth", "--dialect", "norse", "--dt", "0.001"), "--dialect, --dt cannot be used"),
    ],
)
def test_chips_and_options_that_a_mapped_model_cannot_use_are_refused(
    options: tuple[str, ...], told: str, files: tuple[Path, Path, Any]
) -> None:
    answer = neuroemu("deploy", files[0], *options)
    assert answer.exit_code == 2 and "NE6031" in answer.err and told in answer.err


def test_check_reads_models_and_says_whether_they_fit(files: tuple[Path, Path, Any]) -> None:
    answer = neuroemu("check", files[0], "--chip", "truenorth")
    assert answer.exit_code == 0 and "fits truenorth: 1 of 4096 cores" in answer.out
    assert "axons: input, 1 x 256 = 256" in answer.out and "connector0: mapped, 64 = 64" in answer.out
    assert neuroemu("check", files[0], "--json").document["fits"] is None
    refused = neuroemu("check", files[0], "--chip", "loihi1", "--json")
    assert (refused.exit_code, refused.codes) == (2, ["NE6031"])
    assert neuroemu("check", files[0], "--dt", "0.001", "--json").codes == ["NE6031"]


def test_check_says_why_a_model_does_not_fit(files: tuple[Path, Path, Any], tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(files[0].read_text().replace('"s0":', '"s0":99', 1))
    answer = neuroemu("check", tmp_path / "wrong.json", "--chip", "truenorth", "--json")
    assert (answer.exit_code, answer.codes, answer.document["fits"]) == (1, ["NE5603"], False)


def test_a_model_is_compared_on_chips_of_its_family(files: tuple[Path, Path, Any], tmp_path: Path) -> None:
    words = ("compare", files[0], "-i", files[1], "--json", "-q")
    answer = neuroemu(*words, "--chips", "truenorth,truenorth-ranc", "-o", tmp_path)
    assert answer.exit_code == 0
    assert [report["chip"]["name"] for report in answer.document["reports"]] == ["truenorth", "truenorth-ranc"]
    assert (tmp_path / "truenorth-ranc" / "program.nemu").exists()
    assert neuroemu(*words, "--chips", "truenorth,loihi1").codes == ["NE6031"]


def test_the_terminal_says_what_binds_what_is_exact_and_what_holds_at_one_point_only(
    deployed: tuple[Path, Answer],
) -> None:
    out = " ".join(deployed[1].out.split())
    assert "core load" in out and "synaptic events that a core is shown to serve in 1 ms" in out
    assert "takes most of a tick" not in out
    assert "(exact)" in out
    assert "amortised_26pj: energy: band unknown, the set holds at one operating point only" in out
