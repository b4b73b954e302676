"""The front door: what is in a file, is it sound, does it fit, and if not what to change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuroemu.errors import Finding
from neuroemu.verbs import grouped
from tests.acceptance.command_line import EXAMPLES, REPOSITORY, neuroemu

PAPER = REPOSITORY / "tests" / "golden" / "nir_paper"
WIDE = """\
format: neuroemu-network/1
name: wide
dt: 1 ms
weights: wide.npz
populations:
  eyes: {{shape: [{sources}]}}
  layer: {{shape: [{neurons}], neuron: {{model: lif, tau_mem: 8 ms, resistance: 8}}}}
projections:
  - {{from: eyes, to: layer, stages: [{{dense: {{weight: w}}}}]}}
outputs: [layer]
"""


def wide_network(folder: Path, sources: int, neurons: int) -> Path:
    """A fully connected layer of seeded weights."""
    weights = np.random.default_rng(7).normal(size=(neurons, sources)).astype(np.float32)
    np.savez(folder / "wide.npz", w=weights)
    file = folder / "wide.yaml"
    file.write_text(WIDE.format(sources=sources, neurons=neurons))
    return file


def test_a_sound_network_is_described_and_the_next_step_named() -> None:
    answer = neuroemu("check", EXAMPLES / "digits_mlp.nir")
    assert answer.exit_code == 0
    assert "valid; dialect snntorch-hard" in answer.out and "because" in answer.out
    assert "the file cannot tell the reset rule" in answer.out
    assert "lif1: lif, 32 = 32" in answer.out
    assert "--chip CHIP" in answer.out and "loihi1" in answer.out


def test_with_a_chip_it_says_how_many_cores() -> None:
    answer = neuroemu("check", EXAMPLES / "nmnist_cnn.nir", "--chip", "loihi1")
    assert answer.exit_code == 0
    fits = answer.out.splitlines()[-1]
    assert fits.startswith("fits loihi1: ") and fits.endswith(" of 128 cores")


def test_findings_of_several_populations_are_told_once() -> None:
    answer = neuroemu("check", EXAMPLES / "nmnist_cnn.nir", "--chip", "loihi1")
    assert answer.out.count("NE3003") == answer.out.count("NE3006") == 1
    assert "warning: populations 1, 3, 6, 10, 12: NE3003" in answer.out


def test_json_keeps_every_finding_apart() -> None:
    answer = neuroemu("check", EXAMPLES / "nmnist_cnn.nir", "--chip", "loihi1", "--json")
    document = answer.document
    assert (document["schema"], document["valid"], document["fits"]) == ("neuroemu.check/1", True, True)
    assert 0 < document["cores_used"] <= document["cores"] == 128
    assert document["inputs"] == {"input": [2, 34, 34]} and document["outputs"] == {"12": [10]}
    assert answer.codes.count("NE3003") == 5


def test_the_answer_can_go_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "verdict.json"
    answer = neuroemu("check", EXAMPLES / "edge_detector.yaml", "--chip", "loihi1", "-q", "-o", file)
    assert (answer.exit_code, answer.out, answer.err) == (0, "", "")
    assert json.loads(file.read_text())["fits"] is True


def test_a_fan_in_beyond_the_input_axons_is_refused_with_limit_excess_and_fixes(tmp_path: Path) -> None:
    file = wide_network(tmp_path, sources=4097, neurons=2)
    answer = neuroemu("check", file, "--chip", "loihi1", "--json")
    assert answer.exit_code == 1
    document = answer.document
    assert document["valid"] and document["fits"] is False and document["cores_used"] is None
    (finding,) = document["findings"]
    assert finding["code"] == "NE4103" and finding["where"] == "population layer"
    assert "4,097" in finding["message"] or "4097" in finding["message"]
    assert "4,096" in finding["message"] or "4096" in finding["message"]
    assert len(finding["fixes"]) == 3


def test_one_axon_less_fits(tmp_path: Path) -> None:
    file = wide_network(tmp_path, sources=4096, neurons=2)
    assert neuroemu("check", file, "--chip", "loihi1", "-q").exit_code == 0


def test_a_refusal_ends_with_the_verdict(tmp_path: Path) -> None:
    file = wide_network(tmp_path, sources=4097, neurons=2)
    answer = neuroemu("check", file, "--chip", "loihi1")
    assert answer.exit_code == 1
    assert answer.out.splitlines()[-1] == "does not fit loihi1"
    assert answer.out.count("fix: ") == 3


def test_a_dense_block_of_1024_by_1024_needs_nine_cores_or_more(tmp_path: Path) -> None:
    file = wide_network(tmp_path, sources=1024, neurons=1024)
    document = neuroemu("check", file, "--chip", "loihi1", "--json").document
    assert document["fits"] and document["cores_used"] >= 9


def test_a_network_larger_than_the_chip_is_refused_by_the_scarcest_resource(tmp_path: Path) -> None:
    file = wide_network(tmp_path, sources=4096, neurons=4200)
    answer = neuroemu("check", file, "--chip", "loihi1", "--json")
    assert answer.exit_code == 1
    (finding,) = answer.document["findings"]
    assert finding["code"] == "NE4106"
    assert "more than the 128 of the chip" in finding["message"] and "scarcest resource" in finding["message"]
    assert len(finding["fixes"]) == 3


@pytest.mark.parametrize("algorithm", ["sequential", "overlap_growth"])
def test_every_partitioner_gives_a_verdict(algorithm: str) -> None:
    options = ("--chip", "loihi1", "--dialect", "snntorch-hard", "--partitioner", algorithm, "--json")
    assert neuroemu("check", EXAMPLES / "digits_conv.nir", *options).document["fits"]


@pytest.mark.parametrize("name", sorted(path.name for path in PAPER.glob("*.nir") if "subgraph" not in path.name))
def test_networks_of_the_nir_paper_load(name: str) -> None:
    assert neuroemu("check", PAPER / name, "--dt", "1e-4", "-q").exit_code == 0


@pytest.mark.parametrize("name", sorted(path.name for path in PAPER.glob("*subgraph.nir")))
def test_broken_networks_of_the_nir_paper_are_refused_with_the_edge_and_the_nearest_name(name: str) -> None:
    answer = neuroemu("check", PAPER / name)
    assert answer.exit_code == 2
    assert f"{PAPER / name}:/node/nodes/lif1: NE1012 edge input -> lif" in answer.err
    assert "did you mean 'lif1'?" in answer.err and "Traceback" not in answer.err


def test_the_chips_of_the_project_are_listed_shown_and_valid() -> None:
    listed = neuroemu("chips", "list", "--json").document["chips"]
    assert {"loihi1", "loihi1-wide"} <= {chip["name"] for chip in listed}
    assert all(chip["name"] in neuroemu("chips", "list").out for chip in listed)
    for file in sorted((REPOSITORY / "chips").glob("*.yaml")):
        answer = neuroemu("chips", "validate", file)
        assert (answer.exit_code, answer.out) == (0, f"{file}: valid\n")


def test_a_chip_shows_every_number_with_its_source() -> None:
    answer = neuroemu("chips", "show", "loihi1")
    assert answer.exit_code == 0
    assert "23.6 pJ" in answer.out and "published" in answer.out
    assert neuroemu("chips", "show", "loihi1", "--json").document["chip"]["name"] == "loihi1"


def test_the_schema_of_chip_files_is_printed() -> None:
    schema = neuroemu("chips", "schema").document
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_a_code_is_explained() -> None:
    answer = neuroemu("explain", "NE3003")
    assert answer.exit_code == 0 and answer.out.startswith("NE3003  soft reset")
    assert neuroemu("explain", "3003", "--json").document["code"] == "NE3003"


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "NE3003"),
        ("chips", "list"),
        ("chips", "show", "loihi1"),
        ("chips", "validate", REPOSITORY / "chips" / "loihi1.yaml"),
        ("check", EXAMPLES / "edge_detector.yaml"),
    ],
)
def test_every_answer_can_be_kept_as_json_in_a_file_and_left_out_of_the_terminal(
    words: tuple[str | Path, ...], tmp_path: Path
) -> None:
    file = tmp_path / "answer.json"
    shown = neuroemu(*words, "--json")
    answer = neuroemu(*words, "-o", file, "-q")
    assert (answer.exit_code, answer.out, answer.err) == (0, "", "")
    assert file.read_text() == shown.out
    assert shown.document["schema"].startswith("neuroemu.")


def test_the_schema_of_chip_files_can_be_kept_in_a_file(tmp_path: Path) -> None:
    assert neuroemu("chips", "schema", "-q", "-o", tmp_path / "chip.json").out == ""
    assert (tmp_path / "chip.json").read_text() == neuroemu("chips", "schema").out


def test_a_wrong_chip_file_is_known_by_its_exit_code_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: loihi1\nnme: mine\n")
    answer = neuroemu("chips", "validate", tmp_path / "mine.yaml", "-q")
    assert (answer.exit_code, answer.out) == (2, "")


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    answer = neuroemu("explain", "NE3003", "-o", tmp_path / "nowhere" / "answer.json", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6010"])


def test_grouping_keeps_order_and_other_places() -> None:
    warning = [Finding("NE1", "a", f"population {name}", severity="warning") for name in ("x", "y")]
    file, other = Finding("NE2", "a", "net.nir:3:1"), Finding("NE1", "b", "population x", severity="warning")
    found = grouped([warning[0], file, other, warning[1], Finding("NE3", "global")])
    assert [finding.where for finding in found] == ["populations x, y", "net.nir:3:1", "population x", ""]
    assert [finding.code for finding in found] == ["NE1", "NE2", "NE1", "NE3"]
