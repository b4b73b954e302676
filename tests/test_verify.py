"""Finding recorded cases by what is in them, and counting what differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu import verify
from neuroemu.errors import BadInput, Finding
from neuroemu.families.loihi.recorded import Replay, replay_nets, replay_neurons, replay_weight_table
from neuroemu.verify import Case, Outcome, replay_nir, shipped_cases, verify_paths

pytestmark = pytest.mark.interpreted
GOLDEN = Path(__file__).resolve().parent / "golden"


def case(status: verify.Status = "passed", **more: Any) -> Case:
    return Case(
        **{"file": "f.json", "name": "n", "status": status, "compared": 1200, "differences": 0, "detail": "", **more}
    )


# ---- lines and exit codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (case(), "passed      f.json n 1,200 values"),
        (case("failed", differences=2, detail="v: 1, recorded 2"), "failed      f.json n 1,200 values, 2 differ: v: 1, recorded 2"),
        (case("unsupported", name="", compared=0, detail="traces"), "unsupported f.json: traces"),
    ],
)  # fmt: skip
def test_a_line_per_case(case: Case, line: str) -> None:
    assert str(case) == line


@pytest.mark.parametrize(
    ("statuses", "normal", "strict"),
    [
        ([], 1, 1),
        (["passed"], 0, 0),
        (["passed", "unsupported"], 0, 1),
        (["unsupported"], 0, 1),
        (["passed", "failed"], 1, 1),
        (["failed", "unsupported"], 1, 1),
    ],
)
def test_exit_codes(statuses: list[verify.Status], normal: int, strict: int) -> None:
    outcome = Outcome(tuple(case(status) for status in statuses))
    assert (outcome.exit_code(strict=False), outcome.exit_code(strict=True)) == (normal, strict)
    counted = [statuses.count(status) for status in ("passed", "failed", "unsupported")]
    assert outcome.last_line == f"{counted[0]} passed, {counted[1]} failed, {counted[2]} unsupported"
    document = json.loads(outcome.to_json())
    assert [document[key] for key in ("passed", "failed", "unsupported")] == counted
    assert len(document["cases"]) == len(statuses)


def test_every_case_is_told_as_it_ends() -> None:
    said: list[str] = []
    outcome = verify_paths([GOLDEN / "loihi" / "learn_lava_seed1.json"], on_case=said.append)
    assert said == [str(case) for case in outcome.cases]


def test_a_missing_path_stops_before_anything_is_replayed(tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(BadInput, match="NE7001"):
        verify_paths([GOLDEN / "loihi" / "learn_lava_seed1.json", tmp_path / "none"], on_case=said.append)
    assert said == []


def test_the_cases_of_the_project_are_those_of_the_repository() -> None:
    assert shipped_cases() == GOLDEN


# ---- recognition -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "replayer"),
    [
        ("loihi/neurons_seed1.json", replay_neurons),
        ("loihi/nets_seed1.json", replay_nets),
        ("loihi/weight_tables.npz", replay_weight_table),
        ("estimates/conv_8x8.json.gz", verify.replay_simulated_chip),
        ("nir/norse_iaf/case.json", replay_nir),
        ("loihi/neurons_seed1.npz", None),
        ("loihi/README.md", None),
        ("nir/norse_iaf/network.nir", None),
        ("nir/norse_iaf/data.npz", None),
        ("mapping/nets.json", None),
        ("mapping/nets.py", None),
    ],
)
def test_files_are_recognised_by_their_content(name: str, replayer: Any) -> None:
    assert verify._recognise(GOLDEN / name) is replayer


@pytest.mark.parametrize(
    ("name", "content", "feature"),
    [
        ("a.json", {"seed": 1, "cases": [{"tau_x1": 3}]}, "learning engine"),
        ("a.json", {"populations": [], "projections": []}, "SpiNNaker mapping"),
        ("a.json", [{"n_chips": 4, "links": []}], "SpiNNaker machine"),
        ("a.json", {"cases": [], "networks": [], "activation_table": []}, "Akida layers"),
        ("a.json", {"scenarios": [], "invariants": []}, "Akida edge learning"),
        ("a.json", {"qif": [], "diffusor_1d": []}, "Neurogrid"),
    ],
)
def test_cases_of_missing_features_are_named(name: str, content: Any, feature: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    (only,) = verify_paths([tmp_path]).cases
    assert only.status == "unsupported" and feature in only.detail


@pytest.mark.parametrize(
    ("names", "feature"),
    [
        (("time_step", "neuron", "thr"), "SpiNNaker"),
        (("uniform", "gaussian_s1615"), "SpiNNaker"),
    ],
)
def test_arrays_of_missing_features_are_named(names: tuple[str, ...], feature: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **dict.fromkeys(names, np.zeros(1)))
    (only,) = verify_paths([tmp_path / "a.npz"]).cases
    assert only.status == "unsupported" and feature in only.detail and only.file == "a.npz"


@pytest.mark.parametrize("content", [{}, {"cases": 3}, {"nets": {}}, [], [3], 3, None, {"cases": [{"d_u": 1}]}])
def test_other_json_is_no_case(content: Any, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(content))
    assert verify_paths([tmp_path]).cases == ()


def test_a_text_too_large_for_a_case_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "MOST_TEXT_BYTES", 10)
    (tmp_path / "a.json").write_text('{"framework": 1, "dialect": {}}')
    assert verify_paths([tmp_path]).cases == ()


# ---- replays that go wrong -------------------------------------------------------------------------------------------


def replayed(replayer: verify.Replayer) -> list[Case]:
    return list(verify._replayed(replayer, Path("f.json"), "f.json"))


@pytest.mark.parametrize(
    ("error", "detail"),
    [
        (KeyError("exp_v_0"), "malformed case: KeyError: 'exp_v_0'"),
        (OverflowError("70000 out of bounds"), "malformed case: OverflowError: 70000 out of bounds"),
        (BadInput(Finding("NE1002", "not HDF5", "net.nir")), "net.nir: NE1002 not HDF5"),
    ],
)
def test_a_replay_that_breaks_off_is_a_failure_after_those_that_passed(error: Exception, detail: str) -> None:
    def replayer(path: Path) -> Iterator[Replay]:
        yield Replay("first", 5, 0, "")
        raise error

    first, second = replayed(replayer)
    assert (first.status, second.status) == ("passed", "failed")
    assert second.detail == detail


def test_a_replay_that_compares_nothing_is_no_pass() -> None:
    (only,) = replayed(lambda path: iter([Replay("empty", 0, 0, "")]))
    assert only.status == "failed"


def test_the_first_difference_is_named_and_all_are_counted() -> None:
    actual = np.arange(12).reshape(3, 4)
    wanted = actual.copy()
    wanted[1, 2] += 1
    wanted[2, 0] += 1
    replay = verify._differences("x", {"same": (actual, actual), "output": (actual, wanted)})
    assert (replay.compared, replay.differences) == (24, 2)
    assert replay.detail == "output at (1, 2): 6, recorded 7"


def test_a_recorded_layer_is_found_by_its_node_or_the_neuron_in_it() -> None:
    assert verify._hidden_population(["lif1", "lif2"], "lif1") == "lif1"
    assert verify._hidden_population(["lif1.lif", "lif2"], "lif1") == "lif1.lif"
    with pytest.raises(KeyError, match="no population lif3; there are lif1, lif2"):
        verify._hidden_population(["lif1", "lif2"], "lif3")
