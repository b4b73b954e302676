"""A deployed program runs from its file alone, repeats itself exactly and survives Ctrl-C."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuroemu.report import from_json
from tests.acceptance.command_line import EXAMPLES, REPOSITORY, neuroemu, neuroemu_process

SAMPLES = EXAMPLES / "digits_test.npz"
TWO_EARS = """\
format: neuroemu-network/1
name: two ears
dt: 1 ms
populations:
  left: {shape: [3]}
  right: {shape: [1, 2, 1]}
  hear: {shape: [4], neuron: {model: lif, tau_mem: 8 ms, resistance: 8, threshold: 1.0}}
  meter: {shape: [2], neuron: {model: li, tau_mem: 20 ms, resistance: 20}}
projections:
  - {from: left, to: hear, stages: [{dense: {weight: [[1.5, 0, 0], [0, 1.5, 0], [0, 0, 1.5], [0.5, 0.5, 0.5]]}}]}
  - {from: right, to: hear, stages: [{flatten: {}}, {dense: {weight: [[0, 0], [0, 1], [1, 0], [0.5, 0.5]]}}]}
  - {from: hear, to: meter, stages: [{dense: {weight: [[1, 0.5, 0.25, 0], [-1, 1, 0.3, 0.2]]}}]}
outputs: [meter]
"""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits network on a chip, deployed from a copy of its file that is gone afterwards."""
    folder = tmp_path_factory.mktemp("digits")
    network = shutil.copy(EXAMPLES / "digits_mlp.nir", folder / "mine.nir")
    options = ("--dialect", "snntorch-hard", "--input", SAMPLES, "--chip", "loihi1", "-o", folder / "out", "-q")
    assert neuroemu("deploy", network, *options).exit_code == 0
    (folder / "mine.nir").unlink()
    return folder / "out"


@pytest.fixture(scope="module")
def ears(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with two inputs of different shape and an analog output; the folder also holds its program."""
    folder = tmp_path_factory.mktemp("ears")
    (folder / "ears.yaml").write_text(TWO_EARS.replace("{flatten: {}}, ", ""))
    assert neuroemu("deploy", folder / "ears.yaml", "--chip", "loihi1", "-q", "-o", folder).exit_code == 0
    return folder


def sound(ticks: int, left: int = 1, right: int = 1, samples: int = 2) -> dict[str, np.ndarray]:
    """The same number of spikes per tick on every fibre of an ear."""
    return {
        "input__left": np.full((samples, ticks, 3), left, np.uint8),
        "input__right": np.full((samples, ticks, 1, 2, 1), right, np.uint8),
    }


def test_the_program_alone_gives_the_spikes_of_the_deployment(deployed: Path, tmp_path: Path) -> None:
    program = shutil.copy(deployed / "program.nemu", tmp_path / "sent_by_mail.nemu")
    answer = neuroemu("run", program, "--input", SAMPLES, "-o", tmp_path / "out", "-q")
    assert answer.exit_code == 0
    assert (tmp_path / "out" / "spikes.npz").read_bytes() == (deployed / "spikes.npz").read_bytes()


def test_the_report_of_a_program_has_accuracy_time_and_energy(deployed: Path) -> None:
    alone = from_json(neuroemu("run", deployed / "program.nemu", "--input", SAMPLES, "--json").out)
    whole = from_json((deployed / "report.json").read_bytes())
    assert alone["accuracy"] is not None and whole["accuracy"] is not None
    assert alone["accuracy"]["chip"] == whole["accuracy"]["chip"]
    assert alone["accuracy"]["float"] is None and alone["fidelity"] is None
    assert alone["run"] == whole["run"]
    assert alone["cost"] == whole["cost"]
    assert alone["network"]["dialect"] == {"name": "snntorch-hard", "origin": "given", "reasons": []}


def test_running_twice_gives_the_same_bytes(deployed: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        options = ("--input", SAMPLES, "--samples", "20", "-q", "-o", tmp_path / name)
        assert neuroemu("run", deployed / "program.nemu", *options).exit_code == 0
    for name in ("spikes.npz", "report.json", "report.html"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


def test_running_into_the_folder_of_the_deployment_keeps_the_program(deployed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(deployed, tmp_path / "out")
    before = (folder / "program.nemu").read_bytes()
    options = ("--input", SAMPLES, "--samples", "2", "-q", "-o", folder)
    assert neuroemu("run", folder / "program.nemu", *options).exit_code == 0
    assert (folder / "program.nemu").read_bytes() == before
    assert from_json((folder / "report.json").read_bytes())["run"]["samples"] == 2


def test_a_sample_does_not_depend_on_those_before_it(deployed: Path, tmp_path: Path) -> None:
    with np.load(SAMPLES) as samples:
        backwards = samples["input"][:10][::-1]
    np.savez_compressed(tmp_path / "backwards.npz", input=backwards)
    program = deployed / "program.nemu"
    assert neuroemu("run", program, "--input", SAMPLES, "--samples", "10", "-q", "-o", tmp_path / "a").exit_code == 0
    assert neuroemu("run", program, "--input", tmp_path / "backwards.npz", "-q", "-o", tmp_path / "b").exit_code == 0
    with np.load(tmp_path / "a" / "spikes.npz") as a, np.load(tmp_path / "b" / "spikes.npz") as b:
        assert np.array_equal(a["predictions"], b["predictions"][::-1])
        forwards = {(s, t, n) for s, t, n in zip(a["lif1__sample"], a["lif1__tick"], a["lif1__neuron"], strict=True)}
        mirrored = {
            (9 - s, t, n) for s, t, n in zip(b["lif1__sample"], b["lif1__tick"], b["lif1__neuron"], strict=True)
        }
        assert forwards == mirrored


def test_two_inputs_and_an_analog_output(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "sound.npz", **sound(12), labels=np.array([0, 1]))
    options = ("--input", tmp_path / "sound.npz", "--json", "-o", tmp_path)
    answer = neuroemu("run", ears / "program.nemu", *options)
    assert answer.exit_code == 0
    report = from_json(answer.out)
    assert report["accuracy"] is not None and report["accuracy"]["chip"] == 0.5
    with np.load(tmp_path / "spikes.npz") as spikes:
        assert spikes["meter__v"].shape == (2, 12, 2)
        assert spikes["meter__neuron"].size == 0
        assert np.array_equal(spikes["meter__v"].sum(axis=1).argmax(axis=1), spikes["predictions"])


def test_the_analog_output_follows_the_float_network(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "sound.npz", **sound(12), labels=np.array([0, 0]))
    options = ("--chip", "loihi1", "--input", tmp_path / "sound.npz", "--json")
    report = from_json(neuroemu("deploy", ears / "ears.yaml", *options).out)
    assert report["accuracy"] is not None and report["fidelity"] is not None
    assert report["accuracy"]["agreement_with_float"] == 1.0
    assert [(row["population"], row["differing_bins_float_chip"]) for row in report["fidelity"]] == [("hear", 0)]


def test_silence_in_silence_out(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "silence.npz", **sound(5, left=0, right=0, samples=1))
    answer = neuroemu("run", ears / "program.nemu", "--input", tmp_path / "silence.npz", "--json")
    assert answer.exit_code == 0
    counters = answer.document["run"]["counters"]
    assert counters["input_spikes"] == counters["spikes"] == counters["synaptic_events"] == 0
    assert counters["ticks"] == 6
    assert answer.document["cost"]["sets"][0]["energy"]["total_j"] > 0


def test_a_count_of_three_is_three_spikes(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "loud.npz", **sound(4, left=3, right=0, samples=1))
    answer = neuroemu("run", ears / "program.nemu", "--input", tmp_path / "loud.npz", "--json")
    assert answer.exit_code == 0
    assert answer.document["run"]["counters"]["input_spikes"] == 3 * 3 * 4


def test_one_tick_is_enough(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "click.npz", **sound(1, samples=1))
    answer = neuroemu("run", ears / "program.nemu", "--input", tmp_path / "click.npz", "--json")
    assert answer.exit_code == 0
    assert answer.document["run"]["total_ticks"] == 2
    assert answer.document["run"]["populations"][0]["spikes"] == 4


def test_a_missing_input_is_named(ears: Path, tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "deaf.npz", input__left=np.ones((1, 4, 3), np.uint8))
    answer = neuroemu("run", ears / "program.nemu", "--input", tmp_path / "deaf.npz", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE1131"])
    assert answer.document["findings"][0]["where"].endswith("input right")


def test_a_process_of_its_own_gives_the_same_predictions(deployed: Path, tmp_path: Path) -> None:
    words = ("run", deployed / "program.nemu", "--input", SAMPLES, "-o", "out", "-q")
    answer = neuroemu_process(*words, folder=tmp_path)
    assert (answer.exit_code, answer.out) == (0, "")
    assert (tmp_path / "out" / "spikes.npz").read_bytes() == (deployed / "spikes.npz").read_bytes()


# ---- Ctrl-C ----------------------------------------------------------------------------------------------------------


def test_ctrl_c_leaves_a_readable_partial_result(deployed: Path, tmp_path: Path) -> None:
    with np.load(SAMPLES) as samples:
        many = np.tile(samples["input"], (200, 1, 1))
        labels = np.tile(samples["labels"], 200)
    np.savez(tmp_path / "many.npz", input=many, labels=labels)
    exit_code, shown = interrupted_at_work("run", deployed / "program.nemu", "-i", "many.npz", "-o", "out", at=tmp_path)
    assert exit_code == 130, shown[-500:]
    assert "Traceback" not in shown
    report = from_json((tmp_path / "out" / "report.json").read_bytes())
    assert "NE6004" in [finding["code"] for finding in report["findings"]]
    run = report["run"]
    assert run is not None and 0 < run["total_ticks"] < 21 * many.shape[0]
    assert report["accuracy"] is not None and report["accuracy"]["samples"] == run["samples"]
    with np.load(tmp_path / "out" / "spikes.npz") as spikes:
        assert spikes["predictions"].shape == (run["samples"],)
        assert spikes["lif1__sample"].size + spikes["lif2__sample"].size == run["counters"]["spikes"]
    assert (tmp_path / "out" / "report.html").is_file()


def interrupted_at_work(*words: str | Path, at: Path) -> tuple[int, str]:
    """Press Ctrl-C as soon as the progress bar counts; exit code and what the terminal showed."""
    terminal, theirs = os.openpty()
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from neuroemu.cli import main; main()"
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = [sys.executable, "-c", program, *map(str, words)]
    process = subprocess.Popen(command, cwd=at, stdout=theirs, stderr=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    shown, pressed = b"", False
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
        if not pressed and re.search(rb"[1-9]\d*/\d+", shown):
            process.send_signal(signal.SIGINT)
            pressed = True
    os.close(terminal)
    return process.wait(), shown.decode(errors="replace")


def test_a_truenorth_program_tells_where_it_lies_and_how_full_its_cores_are(tmp_path: Path) -> None:
    options = ("--chip", "truenorth", "--input", SAMPLES, "--samples", "3", "-q", "-o", tmp_path)
    assert neuroemu("deploy", EXAMPLES / "digits_trinary.yaml", *options).exit_code == 0
    wanted = from_json((tmp_path / "report.json").read_bytes())["mapping"]
    answer = neuroemu("run", tmp_path / "program.nemu", "--input", SAMPLES, "--samples", "3", "-o", tmp_path / "again")
    assert answer.exit_code == 0 and "Mapped as the program file says" in answer.out
    found = from_json((tmp_path / "again" / "report.json").read_bytes())["mapping"]
    assert wanted is not None and found is not None
    assert (found["partitioner"], found["placer"], found["cores_lower_bound"]) == (None, None, None)
    for key in ("cores_used", "mesh", "messages", "hops", "max_link_load", "links"):
        assert found[key] == wanted[key], key
    assert found["hops"]
    for core, of_compiler in zip(found["cores"], wanted["cores"], strict=True):
        assert (core["core"], core["x"], core["y"]) == (of_compiler["core"], of_compiler["x"], of_compiler["y"])
        assert (core["use"]["axons"], core["use"]["neurons"]) == (
            of_compiler["use"]["axons"],
            of_compiler["use"]["neurons"],
        )
        assert core["activity"] == of_compiler["activity"]
        assert 0 < core["use"]["synapses"] < found["limits"]["synapses"]
    page = (tmp_path / "again" / "report.html").read_text()
    assert "Shown are columns" in page and "of the 64 x 64 cores of the mesh; all others are free" in page
