"""`neuroemu verify` replays what other people's software recorded and counts every difference."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.acceptance.command_line import REPOSITORY, Answer, neuroemu

GOLDEN = REPOSITORY / "tests" / "golden"
LAST_LINE = re.compile(r"(\d+) passed, (\d+) failed, (\d+) unsupported")


def counts(answer: Answer) -> tuple[int, int, int]:
    """Passed, failed and unsupported of the last line."""
    match = LAST_LINE.fullmatch(answer.out.splitlines()[-1])
    assert match is not None
    return int(match[1]), int(match[2]), int(match[3])


def failing_line(answer: Answer) -> str:
    (line,) = (line for line in answer.out.splitlines() if line.startswith("failed"))
    return line


@pytest.fixture(scope="module")
def everything() -> Answer:
    """All cases that come with the project."""
    return neuroemu("verify")


def test_every_recorded_case_of_the_project_passes(everything: Answer) -> None:
    passed, failed, unsupported = counts(everything)
    loihi, estimates, nir = 3 * 48 + 3 * 4 + 1 + 3, 2 * 7 + 6 + 6, 16
    truenorth = 20 + 2 * 4 + 4 + 7 + 2 * 2 + 48 + 12
    assert (passed, failed, unsupported) == (loihi + estimates + nir + truenorth, 0, 6)
    assert everything.exit_code == 0


def test_what_is_not_supported_is_named(everything: Answer) -> None:
    unsupported = [line for line in everything.out.splitlines() if line.startswith("unsupported")]
    assert len(unsupported) == 6
    assert all("learn_" in line and "learning engine" in line for line in unsupported)


def test_loihi_neurons_nets_and_weights_have_no_difference(everything: Answer) -> None:
    lines = [line for line in everything.out.splitlines() if " loihi/" in line and "learn_" not in line]
    assert len(lines) == 3 * 48 + 3 * 4 + 1 + 3
    assert all(line.startswith("passed") and "differ" not in line for line in lines)
    assert any("weight table 81,920 values" in line for line in lines)


def test_every_framework_export_has_no_differing_bin(everything: Answer) -> None:
    lines = [line for line in everything.out.splitlines() if " nir/" in line]
    assert len(lines) == 16 and all(line.startswith("passed") for line in lines)


def test_estimates_of_energy_and_latency_hold(everything: Answer) -> None:
    lines = [line for line in everything.out.splitlines() if " estimates/" in line]
    assert len(lines) == 14 + 6 + 6 and all(line.startswith("passed") for line in lines)


@pytest.mark.parametrize(("strict", "exit_code"), [((), 0), (("--strict",), 1)])
def test_strict_counts_unsupported_cases_as_failures(strict: tuple[str, ...], exit_code: int) -> None:
    answer = neuroemu("verify", GOLDEN / "loihi" / "learn_brian_seed1.json", *strict, "-q")
    assert counts(answer) == (0, 0, 1)
    assert answer.exit_code == exit_code


def test_strict_is_content_where_everything_is_supported() -> None:
    answer = neuroemu("verify", GOLDEN / "loihi" / "weight_tables.npz", "--strict", "-q")
    assert (answer.exit_code, answer.out) == (0, "1 passed, 0 failed, 0 unsupported\n")


def test_json_says_the_same() -> None:
    folder = GOLDEN / "nir" / "ties_snntorch"
    document = neuroemu("verify", folder, GOLDEN / "loihi" / "learn_lava_seed1.json", "--json").document
    assert document["schema"] == "neuroemu.verify/1"
    assert (document["passed"], document["failed"], document["unsupported"]) == (1, 0, 1)
    assert [case["status"] for case in document["cases"]] == ["passed", "unsupported"]
    assert document["cases"][0]["compared"] == 16100 and document["cases"][0]["differences"] == 0


def test_the_answer_can_go_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    said = neuroemu("verify", GOLDEN / "nir" / "ties_snntorch", "-o", file)
    assert counts(said) == (1, 0, 0)
    assert json.loads(file.read_text()) == neuroemu("verify", GOLDEN / "nir" / "ties_snntorch", "--json").document


def test_nothing_recognised_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("cases to come")
    (tmp_path / "run.py").write_text("raise SystemExit")
    (tmp_path / "settings.json").write_text('{"colour": "blue"}')
    np.savez(tmp_path / "weights.npz", w=np.zeros(3))
    answer = neuroemu("verify", tmp_path)
    assert (answer.exit_code, answer.out) == (1, "0 passed, 0 failed, 0 unsupported\n")


def test_files_that_are_no_cases_are_ignored(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN / "nir" / "ties_snntorch", tmp_path / "deep" / "down")
    (tmp_path / "README.md").write_text("one case below")
    (tmp_path / "deep" / "make.py").write_text("raise SystemExit")
    assert counts(neuroemu("verify", tmp_path, "--strict")) == (1, 0, 0)


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    answer = neuroemu("verify", tmp_path / "none", tmp_path / "neither")
    assert answer.exit_code == 2 and answer.out == ""
    assert answer.err.count("NE7001") == 3 and answer.err.count("no such file or folder") == 2


# ---- tampered cases --------------------------------------------------------------------------------------------------


def changed_arrays(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    with np.load(file) as arrays:
        everything = dict(arrays)
    change(everything)
    np.savez_compressed(file, **everything)


def copied(folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copy(GOLDEN / name, folder)
    return folder


def test_one_changed_membrane_is_found_and_named(tmp_path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays["exp_v_5"].flat[17] += 1

    copied(tmp_path, "loihi/neurons_seed1.json", "loihi/neurons_seed1.npz")
    changed_arrays(tmp_path / "neurons_seed1.npz", change)
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1 and counts(answer) == (47, 1, 0)
    assert "1 differ: v of neuron 0 in tick 17: " in failing_line(answer)


def test_one_changed_current_in_a_net_is_found_and_named(tmp_path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays["exp_u_1"][7, 30] ^= 64

    copied(tmp_path, "loihi/nets_seed2.json", "loihi/nets_seed2.npz")
    changed_arrays(tmp_path / "nets_seed2.npz", change)
    answer = neuroemu("verify", tmp_path / "nets_seed2.json")
    assert answer.exit_code == 1 and counts(answer) == (3, 1, 0)
    assert "net 1" in failing_line(answer) and "u of neuron 7 in tick 30: " in failing_line(answer)


def test_one_event_too_many_is_found(tmp_path: Path) -> None:
    copied(tmp_path, "loihi/nets_seed3.json", "loihi/nets_seed3.npz")
    file = tmp_path / "nets_seed3.json"
    description = json.loads(file.read_text())
    description["nets"][0]["synaptic_events"] += 1
    file.write_text(json.dumps(description))
    answer = neuroemu("verify", file)
    assert answer.exit_code == 1 and "synaptic events" in failing_line(answer)


def test_one_changed_weight_of_the_table_is_found(tmp_path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        known = np.argwhere(arrays["brian"] > 0)[0]
        arrays["brian"][tuple(known)] += 64

    copied(tmp_path, "loihi/weight_tables.npz")
    changed_arrays(tmp_path / "weight_tables.npz", change)
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1
    assert "1 differ: first at [mode, width, exponent, mantissa]" in failing_line(answer)


def test_one_changed_output_spike_of_a_framework_is_found_and_named(tmp_path: Path) -> None:
    def change(arrays: dict[str, Any]) -> None:
        arrays["out_spikes"][3, 5, 2] ^= 1

    folder = Path(shutil.copytree(GOLDEN / "nir" / "norse_iaf", tmp_path / "norse_iaf"))
    changed_arrays(folder / "data.npz", change)
    answer = neuroemu("verify", folder)
    assert answer.exit_code == 1
    assert "norse_iaf" in failing_line(answer) and "1 differ: output at (3, 5, 2): " in failing_line(answer)


def test_a_wrong_dialect_is_no_pass(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(GOLDEN / "nir" / "snntorch_leaky_subtract", tmp_path / "case"))
    case = json.loads((folder / "case.json").read_text())
    case["dialect"]["reset"] = "zero"
    (folder / "case.json").write_text(json.dumps(case))
    answer = neuroemu("verify", folder)
    assert answer.exit_code == 1 and counts(answer) == (0, 1, 0)


@pytest.mark.parametrize("part", ["synapse", "soma", "network", "total"])
def test_an_energy_that_is_a_millionth_off_twice_is_found(part: str, tmp_path: Path) -> None:
    recorded = json.loads(gzip.decompress((GOLDEN / "estimates" / "idle_bias.json.gz").read_bytes()))
    recorded["results"]["simple"]["energy_J"][part] = (
        recorded["results"]["simple"]["energy_J"][part] * (1 + 2e-6) + 1e-30
    )
    (tmp_path / "idle_bias.json").write_text(json.dumps(recorded))
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1 and counts(answer) == (2, 2, 0)  # from recorded spikes, and from those we compute
    failing = [line for line in answer.out.splitlines() if line.startswith("failed")]
    assert all(f"{part} " in line and ", recorded " in line for line in failing)


def test_a_spike_that_simulated_neurons_did_not_send_is_found(tmp_path: Path) -> None:
    recorded = json.loads(gzip.decompress((GOLDEN / "estimates" / "ff_dense.json.gz").read_bytes()))
    recorded["spikes_by_tick"][3] = []
    (tmp_path / "ff_dense.json").write_text(json.dumps(recorded))
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1
    assert any("spikes" in line and "tick 3, neuron " in line for line in answer.out.splitlines())


@pytest.mark.parametrize("count", ["synaptic_events", "packets_sent", "neurons_fired", "neurons_updated"])
def test_a_count_that_is_one_off_is_found(count: str, tmp_path: Path) -> None:
    recorded = json.loads(gzip.decompress((GOLDEN / "estimates" / "map_packed.json.gz").read_bytes()))
    recorded["results"]["detailed"][count] += 1
    (tmp_path / "map_packed.json").write_text(json.dumps(recorded))
    assert counts(neuroemu("verify", tmp_path)) == (3, 1, 0)


# ---- damaged cases ---------------------------------------------------------------------------------------------------


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("names", "damaged"),
    [
        (("loihi/neurons_seed1.json", "loihi/neurons_seed1.npz"), "neurons_seed1.npz"),
        (("loihi/neurons_seed1.json", "loihi/neurons_seed1.npz"), "neurons_seed1.json"),
        (("loihi/weight_tables.npz",), "weight_tables.npz"),
        (("estimates/idle_bias.json.gz",), "idle_bias.json.gz"),
        (("nir/norse_iaf/case.json", "nir/norse_iaf/data.npz", "nir/norse_iaf/network.nir"), "network.nir"),
        (("nir/norse_iaf/case.json", "nir/norse_iaf/data.npz", "nir/norse_iaf/network.nir"), "data.npz"),
        (("nir/norse_iaf/case.json", "nir/norse_iaf/data.npz", "nir/norse_iaf/network.nir"), "case.json"),
    ],
)
def test_a_truncated_file_is_a_failure(names: tuple[str, ...], damaged: str, tmp_path: Path) -> None:
    cut(copied(tmp_path, *names) / damaged)
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1 and counts(answer)[1] > 0
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("names", "gone"),
    [
        (("loihi/neurons_seed1.json", "loihi/neurons_seed1.npz"), "neurons_seed1.npz"),
        (("loihi/nets_seed1.json", "loihi/nets_seed1.npz"), "nets_seed1.npz"),
        (("nir/norse_iaf/case.json", "nir/norse_iaf/data.npz", "nir/norse_iaf/network.nir"), "network.nir"),
        (("nir/norse_iaf/case.json", "nir/norse_iaf/data.npz", "nir/norse_iaf/network.nir"), "data.npz"),
    ],
)
def test_half_a_case_is_a_failure(names: tuple[str, ...], gone: str, tmp_path: Path) -> None:
    (copied(tmp_path, *names) / gone).unlink()
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1 and counts(answer) == (0, 1, 0)


@pytest.mark.parametrize(
    "text",
    [
        '{"nets": [7], "cases": {}}',
        '{"nets": [], "cases": [[]]}',
        '{"results": {}, "tool": "sanafe 2", "spikes_by_tick": 3, "name": "x"}',
        '{"framework": 1, "dialect": []}',
        '[{"energy_J": 1, "timing_model": 2, "neurons_updated": 3}]',
        '{"seed": 1, "T": 5, "cases": [{"d_u": 1, "d_v": 1, "vth_mant": 1, "w_exp": "no"}]}',
        "[" * 100_000,
        "7",
        "",
    ],
)
def test_nothing_that_looks_like_a_case_brings_the_command_down(text: str, tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(text)
    np.savez(tmp_path / "odd.npz", in_0=np.zeros(3))
    answer = neuroemu("verify", tmp_path)
    assert answer.exit_code == 1
    assert "NE9000" not in answer.err and counts(answer)[0] == 0
