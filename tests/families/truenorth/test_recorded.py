"""Recorded cases replay without a difference under the right rules, and with differences under the wrong ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.families.truenorth import recorded
from neuroemu.formats.samples import read_npz
from neuroemu.verify import verify_paths

pytestmark = pytest.mark.compiled

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "truenorth"


def statuses(*paths: Path) -> dict[str, int]:
    outcome = verify_paths(list(paths))
    return {status: outcome.count(status) for status in ("passed", "failed", "unsupported")}  # type: ignore[arg-type]


def saved(path: Path, arrays: Any, **changes: Any) -> Path:
    np.savez(path, **(dict(arrays) | changes))
    return path


def test_every_recorded_case_is_replayed_exactly() -> None:
    assert statuses(GOLDEN) == {"passed": 103, "failed": 0, "unsupported": 0}


def test_the_clamp_decides_neurons_that_ring_and_no_others() -> None:
    def differing(name: str, clamp: bool) -> list[str]:
        return [case for case, _, wrong, _ in recorded.replay_neurons(GOLDEN / name, clamp) if wrong]

    assert differing("ringing_nemo.npz", True) == []
    assert len(differing("ringing_nemo.npz", False)) == 12
    assert differing("neuron_modes_paibox.npz", False) == []
    assert differing("neuron_modes_paibox.npz", True) == [f"case {n:03d}" for n in (6, 14, 22, 30, 38, 46)]


def test_ranc_by_default_is_not_the_paper(tmp_path: Path) -> None:
    arrays = read_npz(GOLDEN / "r07_symmetric_threshold_DEVIATES.npz")
    meta = json.loads(str(arrays["meta"])) | {"equals_cassidy2013_equations": True}
    assert statuses(saved(tmp_path / "r07.npz", arrays, meta=json.dumps(meta)))["failed"] == 1


@pytest.mark.parametrize("name", ["spikes", "V", "synaptic_events"])
def test_a_changed_value_is_found(name: str, tmp_path: Path) -> None:
    arrays = read_npz(GOLDEN / "r06_boundary_small_ints.npz")
    changed = arrays[name].copy()
    changed[-1] = np.roll(changed[-1], 1) if name == "spikes" else changed[-1] + 1
    (case,) = verify_paths([saved(tmp_path / "r06.npz", arrays, **{name: changed})]).cases
    assert case.status == "failed" and case.differences > 0


def stimulus_only(folder: Path, network: str = "r06_boundary_small_ints") -> Path:
    arrays = read_npz(GOLDEN / "r06_boundary_small_ints.npz")
    kept = {name: arrays[name] for name in ("inputs", "spikes", "V", "synaptic_events")}
    folder.mkdir()
    return saved(folder / "more.npz", kept, meta=json.dumps({"name": "more", "network": network, "ticks": 150}))


def test_a_stimulus_finds_its_network_in_any_folder_that_is_given(tmp_path: Path) -> None:
    file = stimulus_only(tmp_path / "a")
    alone = verify_paths([tmp_path / "a"])
    assert [case.status for case in alone.cases] == ["failed"] and "NE7110" in alone.cases[0].detail
    outcome = verify_paths([tmp_path / "a", GOLDEN])
    assert (outcome.count("passed"), outcome.count("failed")) == (104, 0)
    assert verify_paths([file, GOLDEN / "r06_boundary_small_ints.npz"]).count("passed") == 2


def test_the_name_of_a_network_cannot_lead_out_of_the_folders(tmp_path: Path) -> None:
    stimulus_only(tmp_path / "a", "../../r06_boundary_small_ints")
    assert statuses(tmp_path / "a", GOLDEN)["failed"] == 1


def test_a_model_without_recorded_results_is_refused() -> None:
    text = '{"model": {}, "core": {}}'
    with pytest.raises(BadInput, match="NE7110"):
        list(recorded.replay_model(Path("none.model.json"), text, lambda name: None))


def test_a_damaged_case_is_a_failure(tmp_path: Path) -> None:
    arrays = read_npz(GOLDEN / "r06_boundary_small_ints.npz")
    saved(tmp_path / "a.npz", arrays, inputs=np.array([[0, 99, 99, 0]]))
    saved(tmp_path / "b.npz", arrays, V=arrays["V"][:3])
    saved(tmp_path / "c.npz", arrays, meta="[]")
    assert statuses(tmp_path) == {"passed": 0, "failed": 3, "unsupported": 0}


def test_a_mesh_larger_than_a_chip_is_tiled(tmp_path: Path) -> None:
    arrays = read_npz(GOLDEN / "r06_boundary_small_ints.npz")
    shift = np.array([63, 63])
    inputs = arrays["inputs"] + np.array([0, 63, 63, 0])
    assert statuses(saved(tmp_path / "a.npz", arrays, core_xy=arrays["core_xy"] + shift, inputs=inputs))["passed"] == 1
