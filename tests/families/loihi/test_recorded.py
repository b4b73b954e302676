"""Recorded runs of other people's Loihi software replay without a difference."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from neuroemu.families.loihi import recorded as recorded_module
from neuroemu.families.loihi.recorded import Replay, read_text, replay_nets, replay_neurons, replay_weight_table
from neuroemu.families.loihi.recorded_costs import replay_estimates, replay_results
from neuroemu.verify import verify_paths

SEEDS = (1, 2, 3)
ESTIMATES = ("conv_8x8", "ff_dense", "idle_bias", "map_packed", "rand_1k_16_cores", "rec_one_tile")


def differing(replays: list[Replay]) -> list[Replay]:
    return [replay for replay in replays if replay.differences or not replay.compared]


@pytest.mark.parametrize("seed", SEEDS)
def test_single_neurons_replay_exactly(seed: int, golden: Path) -> None:
    replays = list(replay_neurons(golden / "loihi" / f"neurons_seed{seed}.json"))
    assert differing(replays) == []
    assert len(replays) == 48
    assert {replay.compared for replay in replays} == {3 * 200}


@pytest.mark.compiled
@pytest.mark.parametrize("seed", SEEDS)
def test_recurrent_nets_replay_exactly_with_their_synaptic_events(seed: int, golden: Path) -> None:
    replays = list(replay_nets(golden / "loihi" / f"nets_seed{seed}.json"))
    assert differing(replays) == []
    assert [replay.compared for replay in replays] == [3 * 60 * 200 + 1] * 4


def test_every_entry_of_the_weight_table_is_what_a_spike_adds(golden: Path) -> None:
    (replay,) = replay_weight_table(golden / "loihi" / "weight_tables.npz")
    assert (replay.differences, replay.compared) == (0, 81_920)


@pytest.mark.compiled
@pytest.mark.parametrize("name", ESTIMATES)
def test_recorded_spikes_give_the_recorded_counts_energies_and_times(name: str, golden: Path) -> None:
    replays = list(replay_estimates(golden / "estimates" / f"{name}.json.gz"))
    assert differing(replays) == []
    assert [replay.case for replay in replays] == [f"{name} detailed", f"{name} simple"]


@pytest.mark.parametrize("path", ["loihi/sanafe_dvs.json", "estimates/dvs_shipped.json.gz"])
def test_energies_of_a_network_that_is_not_shipped_follow_from_its_counts(path: str, golden: Path) -> None:
    data = json.loads(read_text(golden / path))
    replays = list(replay_results(data if isinstance(data, list) else data["results"], "dvs"))
    assert differing(replays) == []
    assert len(replays) >= 2


# ------------------------------------------------------------------------------------------------ a difference is seen


def copied(golden: Path, folder: Path, name: str) -> Path:
    for suffix in (".json", ".npz"):
        shutil.copy(golden / "loihi" / f"{name}{suffix}", folder)
    return folder / f"{name}.json"


def change(path: Path, name: str, where: tuple[int, ...], value: int) -> None:
    """Overwrite one recorded value."""
    with np.load(path.with_suffix(".npz")) as stored:
        arrays = {key: stored[key] for key in stored.files}
    arrays[name][where] = value
    np.savez(path.with_suffix(".npz"), **arrays)


@pytest.mark.parametrize("state", ["u", "v", "s"])
def test_one_wrong_value_is_one_difference_and_is_named(state: str, golden: Path, tmp_path: Path) -> None:
    path = copied(golden, tmp_path, "neurons_seed1")
    change(path, f"exp_{state}_5", (77,), 99)
    (wrong,) = differing(list(replay_neurons(path)))
    assert wrong.differences == 1
    assert wrong.detail.startswith(f"{state} of neuron 0 in tick 77: ")
    assert wrong.detail.endswith("recorded 99")


def test_a_wrong_number_of_synaptic_events_is_a_difference(golden: Path, tmp_path: Path) -> None:
    path = copied(golden, tmp_path, "nets_seed1")
    description = json.loads(path.read_text())
    description["nets"] = description["nets"][:1]
    description["nets"][0]["synaptic_events"] += 1
    path.write_text(json.dumps(description))
    (wrong,) = differing(list(replay_nets(path)))
    assert wrong.differences == 1 and wrong.detail.startswith("synaptic events")


def test_a_wrong_weight_is_a_difference(golden: Path, tmp_path: Path) -> None:
    path = tmp_path / "weight_tables.npz"
    shutil.copy(golden / "loihi" / "weight_tables.npz", path)
    change(path, "brian", (0, 4, 8, 300), 1)
    (replay,) = replay_weight_table(path)
    assert replay.differences == 1
    assert "[  0   4   8 300]" in replay.detail


def test_recorded_arrays_of_another_length_are_a_difference(golden: Path, tmp_path: Path) -> None:
    path = copied(golden, tmp_path, "neurons_seed1")
    description = json.loads(path.read_text())
    description["cases"], description["T"] = description["cases"][:1], 150
    path.write_text(json.dumps(description))
    (replay,) = replay_neurons(path)
    assert replay.differences == 1 and "has shape (1, 150), recorded (1, 200)" in replay.detail


@pytest.mark.parametrize(
    ("change_result", "detail"),
    [
        (lambda result: result.update(packets_sent=result["packets_sent"] + 1), "packets"),
        (lambda result: result["energy_J"].update(soma=result["energy_J"]["soma"] * (1 + 3e-6)), "soma"),
        (lambda result: result["perf_trace"]["sim_time"].__setitem__(3, 1e-6), "tick 3"),
        (lambda result: result.update(latency_s=result["latency_s"] * (1 - 3e-6)), "latency"),
    ],
)
def test_an_estimate_off_by_more_than_its_tolerance_is_a_difference(
    change_result: object, detail: str, golden: Path, tmp_path: Path
) -> None:
    data = json.loads(read_text(golden / "estimates" / "ff_dense.json.gz"))
    assert callable(change_result)
    change_result(data["results"]["simple"])
    path = tmp_path / "ff_dense.json"
    path.write_text(json.dumps(data))
    (wrong,) = differing(list(replay_estimates(path)))
    assert wrong.case == "ff_dense simple"
    assert (wrong.differences, wrong.detail.startswith(detail)) == (1, True)


def test_energies_below_that_of_the_packets_are_a_difference(golden: Path) -> None:
    results = json.loads(read_text(golden / "loihi" / "sanafe_dvs.json"))
    results[0]["energy_J"]["network"] = 1e-12
    wrong = differing(list(replay_results(results, "dvs")))
    assert [replay.detail for replay in wrong] == ["network energy below that of its packets"]


# ------------------------------------------------------------------------------------------------ verify finds them


@pytest.mark.compiled
def test_verify_recognises_every_shipped_loihi_and_estimate_file(golden: Path) -> None:
    outcome = verify_paths([golden / "loihi", golden / "estimates"])
    assert outcome.count("failed") == 0
    assert outcome.count("passed") >= 174
    learning = {f"learn_{tool}_seed{seed}.json" for tool in ("lava", "brian") for seed in SEEDS}
    assert {case.file for case in outcome.cases if case.status == "unsupported"} <= learning
    shipped = [path for folder in ("loihi", "estimates") for path in (golden / folder).iterdir()]
    cases = {path.name for path in shipped if path.name.endswith((".json", ".json.gz"))} | {"weight_tables.npz"}
    assert {case.file for case in outcome.cases} == cases


def test_plain_and_compressed_json_are_the_same_case(golden: Path, tmp_path: Path) -> None:
    packed = golden / "estimates" / "idle_bias.json.gz"
    (tmp_path / "idle_bias.json").write_bytes(gzip.decompress(packed.read_bytes()))
    plain = verify_paths([tmp_path]).cases
    assert [(case.name, case.compared, case.differences) for case in plain] == [
        (case.name, case.compared, case.differences) for case in verify_paths([packed]).cases
    ]


@pytest.mark.parametrize("damage", ["truncated", "bit flipped", "not gzip"])
def test_a_damaged_compressed_case_fails(damage: str, golden: Path, tmp_path: Path) -> None:
    whole = (golden / "estimates" / "idle_bias.json.gz").read_bytes()
    flipped = bytes([*whole[:2000], whole[2000] ^ 0xFF, *whole[2001:]])
    (tmp_path / "idle_bias.json.gz").write_bytes(
        {"truncated": whole[:1500], "bit flipped": flipped, "not gzip": b"{}"}[damage]
    )
    (case,) = verify_paths([tmp_path]).cases
    assert case.status == "failed" and case.detail.startswith("cannot be read")


def test_a_case_that_unpacks_to_too_much_fails_without_being_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_module, "MOST_TEXT_BYTES", 1000)
    (tmp_path / "big.json.gz").write_bytes(gzip.compress(b'{"results": "' + b" " * 5000 + b'"}'))
    (case,) = verify_paths([tmp_path]).cases
    assert case.status == "failed" and "more than 1000 bytes" in case.detail
