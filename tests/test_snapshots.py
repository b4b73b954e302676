"""A run of a program that is stopped anywhere and resumed ends with the spikes, probes, counters, energy and times of one
that was not."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu import verbs
from neuroemu.emulator.snapshot_folder import Snapshots
from neuroemu.errors import BadInput
from neuroemu.machine import Machine, Run
from neuroemu.report import to_json
from tests.restless import PROGRAMS, program_of

SAMPLES, STEPS = 4, 30
TICKS = 4 * 32
"""Chip ticks of the whole run at most: the last layer lags."""

INPUTS = (np.random.default_rng(8).random((SAMPLES, STEPS, 12)) < 0.3).astype(np.uint8)


class Killed(BaseException):
    """What SIGKILL would be: nothing catches it."""


def machine_of(name: str) -> Machine:
    return Machine(program_of(name))


def killed_after(tick: int) -> Any:
    def progress(done: int, ticks: int) -> None:
        if done > tick:
            raise Killed

    return progress


def bits(run: Run) -> tuple[bytes, str]:
    """spikes.npz with the probes, and report.json."""
    return verbs.spikes_file(run), to_json(run.report([0, 1, 0, 1]).document)


@settings(max_examples=12)
@given(
    cuts=st.lists(st.integers(0, TICKS), min_size=1, max_size=3),
    every=st.integers(5, 50),
    name=st.sampled_from(PROGRAMS),
)
def test_any_cuts_leave_no_trace(
    cuts: list[int], every: int, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("cuts") / "snapshot"
    for cut in cuts:
        with suppress(Killed):
            snapshots = Snapshots(folder, every, resume=True)
            machine_of(name).run(INPUTS, killed_after(cut), ["loop"], snapshots=snapshots)
    resumed = machine_of(name).run(INPUTS, None, ["loop"], snapshots=Snapshots(folder, None, resume=True))
    assert bits(resumed) == bits(machine_of(name).run(INPUTS, None, ["loop"]))


@pytest.mark.parametrize("name", PROGRAMS)
def test_threads_share_the_cores_and_change_no_bit(name: str) -> None:
    runs = [machine_of(name).run(INPUTS, None, ["loop"], threads=threads) for threads in (1, 2, 4)]
    assert [run.booted.engine.threads for run in runs] == [1, 2, 4]
    assert len({bits(run) for run in runs}) == 1


@settings(max_examples=9)
@given(
    cut=st.integers(0, TICKS),
    threads=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    name=st.sampled_from(PROGRAMS),
)
def test_another_number_of_threads_goes_on_with_the_same_bits(
    cut: int, threads: list[int], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("threads") / "snapshot"
    before, after = threads
    with suppress(Killed):
        machine_of(name).run(INPUTS, killed_after(cut), ["loop"], snapshots=Snapshots(folder, 17), threads=before)
    snapshots = Snapshots(folder, None, resume=True)
    resumed = machine_of(name).run(INPUTS, None, ["loop"], snapshots=snapshots, threads=after)
    assert bits(resumed) == bits(machine_of(name).run(INPUTS, None, ["loop"]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Snapshots of a run on lifcore that was killed after tick 50."""
    with pytest.raises(Killed):
        machine_of("lifcore").run(INPUTS, killed_after(50), snapshots=Snapshots(tmp_path / "snapshot", 10))
    return tmp_path / "snapshot"


def test_a_resumed_run_does_not_begin_again(folder: Path) -> None:
    told: list[int] = []
    notes: list[str] = []
    snapshots = Snapshots(folder, None, resume=True, note=notes.append)
    run = machine_of("lifcore").run(INPUTS, lambda done, ticks: told.append(done), snapshots=snapshots)
    assert notes == ["resumed at tick 60"]
    assert told[0] > 60 and run.complete_samples == SAMPLES


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        ({"program": "loihi1"}, ["input spikes", "program"]),  # loihi1 has a bias input of its own
        ({"inputs": INPUTS[:3]}, ["input spikes", "samples"]),
        ({"inputs": INPUTS[:, :29]}, ["input spikes", "ticks of a sample"]),
        ({"inputs": INPUTS[:, :, ::-1]}, ["input spikes"]),
        ({"probes": ["loop"]}, ["probes"]),
        ({"seed": 9}, ["seed"]),
    ],
)
def test_what_differs_is_named(change: dict[str, Any], differing: list[str], folder: Path) -> None:
    machine = machine_of(change.get("program", "lifcore"))
    machine = machine.with_seed(change["seed"]) if "seed" in change else machine
    with pytest.raises(BadInput) as caught:
        machine.run(
            change.get("inputs", INPUTS),
            None,
            change.get("probes", ()),
            snapshots=Snapshots(folder, None, resume=True),
        )
    assert {finding.code for finding in caught.value.findings} == {"NE6022"}
    assert [finding.message.partition(": ")[2].partition(" is ")[0] for finding in caught.value.findings] == differing


def test_other_sources_of_the_emulator_are_another_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuroemu.emulator.compiled.source_hash", lambda: "f" * 16)
    with pytest.raises(BadInput, match="NE6022 the snapshot is of another run: neuroemu is "):
        machine_of("lifcore").run(INPUTS, snapshots=Snapshots(folder, None, resume=True))


def test_another_number_type_of_the_same_counts_is_the_same_run(folder: Path) -> None:
    run = machine_of("lifcore").run(INPUTS.astype(np.float64), snapshots=Snapshots(folder, None, resume=True))
    assert run.complete_samples == SAMPLES


def test_an_interrupted_and_resumed_report_says_nothing_of_it(folder: Path) -> None:
    run = machine_of("lifcore").run(INPUTS, snapshots=Snapshots(folder, None, resume=True))
    document = json.loads(to_json(run.report().document))
    assert document["findings"] == []
    assert "NE6004" not in json.dumps(document)


def test_two_runs_do_not_share_a_folder_of_snapshots(folder: Path) -> None:
    snapshots = Snapshots(folder, every=10)
    with snapshots.held(), pytest.raises(BadInput, match="NE6025"):
        machine_of("lifcore").run(INPUTS, snapshots=snapshots)
