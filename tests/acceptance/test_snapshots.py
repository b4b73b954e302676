"""`run --snapshot-every N` may be killed at any moment: `--resume` ends with the bytes of a run that nobody disturbed."""

from __future__ import annotations

import gzip
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neuroemu.formats.ibm_cpe import CpeSpikes, spikes_text
from neuroemu.image.container import write_program
from neuroemu.report import from_json
from tests.acceptance.command_line import EXAMPLES, REPOSITORY, Answer, neuroemu
from tests.restless import PROGRAMS, program_of

RESULTS = ("spikes.npz", "report.json", "report.html")
SAMPLES, STEPS = 30, 50


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs, samples and what an undisturbed run of each gives."""
    folder = tmp_path_factory.mktemp("bench")
    rng = np.random.default_rng(4)
    rain = (rng.random((SAMPLES, STEPS, 12)) < 0.3).astype(np.uint8)
    np.savez_compressed(folder / "samples.npz", input=rain, labels=rng.integers(0, 2, SAMPLES))
    for name in PROGRAMS:
        write_program(folder / f"{name}.nemu", program_of(name))
        answer = neuroemu("run", *words(folder, name), "-o", folder / name, "-q")
        assert answer.exit_code == 0, answer.err
    return folder


def words(bench: Path, name: str) -> tuple[str | Path, ...]:
    return (bench / f"{name}.nemu", "--input", bench / "samples.npz", "--probe", "loop")


def started(*arguments: str | Path, fault: str = "") -> subprocess.Popen[str]:
    """The command in a process of its own; ``fault`` is run in it first."""
    program = f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {fault}\nfrom neuroemu.cli import main; main()"
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def newest_tick(folder: Path) -> int:
    return max((int(path.stem[6:]) for path in (folder / "snapshot").glob("state-*.nemu")), default=0)


def resumed(bench: Path, name: str, out: Path, *options: str) -> Answer:
    """Resume, and expect the bytes of the undisturbed run and no snapshots."""
    answer = neuroemu("run", *words(bench, name), "-o", out, "--resume", "--json", *options)
    assert answer.exit_code == 0, answer.err
    for result in RESULTS:
        assert (out / result).read_bytes() == (bench / name / result).read_bytes(), result
    assert sorted(path.name for path in out.iterdir()) == sorted(RESULTS)
    return answer


@pytest.mark.parametrize("name", PROGRAMS)
def test_killed_at_random_moments_and_resumed_gives_the_same_bytes(name: str, bench: Path, tmp_path: Path) -> None:
    chance = random.Random(name)
    goal = 0
    for _ in range(2):
        goal += chance.randrange(20, 400)
        process = started("run", *words(bench, name), "-o", tmp_path, "--snapshot-every", "1", "--resume", "-q")
        while newest_tick(tmp_path) < goal and process.poll() is None:
            time.sleep(0.002)
        time.sleep(chance.random() / 50)
        process.kill()
        said = process.communicate()[1]
        assert process.returncode == -signal.SIGKILL, said
        assert newest_tick(tmp_path) >= goal
        assert not (tmp_path / "report.json").exists()
    newest = newest_tick(tmp_path)
    assert f"resumed at tick {newest:,}\n" in resumed(bench, name, tmp_path).err


FAULT = """
import os, signal
genuine, calls = os.{name}, [0]
def fatal(*words, **options):
    calls[0] += {name!r} == "fsync" or "state-" in str(words)  # compiled kernels are renamed into their cache as well
    if calls[0] == {call}:
        os.kill(os.getpid(), signal.SIGKILL)
    return genuine(*words, **options)
os.{name} = fatal
"""


@pytest.mark.parametrize(("name", "call"), [("fsync", 7), ("replace", 3)])
def test_killed_in_the_middle_of_writing_a_snapshot(name: str, call: int, bench: Path, tmp_path: Path) -> None:
    fault = FAULT.format(name=name, call=call)
    process = started("run", *words(bench, "lifcore"), "-o", tmp_path, "--snapshot-every", "50", "-q", fault=fault)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert newest_tick(tmp_path) == 100
    resumed(bench, "lifcore", tmp_path, "--snapshot-every", "700")


def test_ctrl_c_leaves_a_partial_result_that_can_be_resumed(bench: Path, tmp_path: Path) -> None:
    process = started("run", *words(bench, "lifcore"), "-o", tmp_path, "--snapshot-every", "1")
    while newest_tick(tmp_path) < 60 and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130, said
    report = from_json((tmp_path / "report.json").read_bytes())
    assert report["run"] is not None and report["run"]["total_ticks"] == newest_tick(tmp_path)
    assert "NE6004" in [finding["code"] for finding in report["findings"]]
    resumed(bench, "lifcore", tmp_path)


@pytest.mark.parametrize("name", PROGRAMS)
def test_any_number_of_threads_gives_the_same_bytes_also_when_it_changes_in_mid_run(
    name: str, bench: Path, tmp_path: Path
) -> None:
    fault = FAULT.format(name="replace", call=3)
    options = ("-o", tmp_path, "--snapshot-every", "333", "-q")
    process = started("run", *words(bench, name), *options, "--threads", "2", fault=fault)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert "resumed at tick 666\n" in resumed(bench, name, tmp_path, "--threads", "3").err


def test_a_run_that_completes_leaves_no_snapshot(bench: Path, tmp_path: Path) -> None:
    resumed(bench, "lifcore", tmp_path, "--snapshot-every", "500")
    answer = resumed(bench, "lifcore", tmp_path, "--snapshot-every", "90")
    assert f"no snapshot in {tmp_path / 'snapshot'}: the run starts at tick 0" in answer.err


def mapped_model(folder: Path) -> tuple[str | Path, ...]:
    """Words that deploy a model of IBM's tools with a spike file."""
    golden = REPOSITORY / "tests" / "golden" / "truenorth"
    model, spikes = folder / "model.json", folder / "spikes.sfti"
    model.write_bytes(gzip.decompress((golden / "ibm_cpe_pattern_match.model.json.gz").read_bytes()))
    rain = np.argwhere(np.random.default_rng(2).random((80, 256)) < 0.2)
    spikes.write_text(spikes_text(CpeSpikes(rain[:, 0], np.zeros_like(rain[:, 0]), rain[:, 1])))
    return model, "--input", spikes, "--chip", "truenorth"


DEPLOYMENTS = {
    "network on loihi1": lambda _: (
        *(EXAMPLES / "digits_recurrent.nir", "--input", EXAMPLES / "digits_recurrent.npz"),
        *("--chip", "loihi1", "--samples", "6"),
    ),
    "network on truenorth": lambda _: (
        *(EXAMPLES / "digits_trinary.yaml", "--input", EXAMPLES / "digits_test.npz"),
        *("--chip", "truenorth", "--samples", "6"),
    ),
    "model of IBM's tools": mapped_model,
}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_is_resumed_like_a_program(name: str, tmp_path: Path) -> None:
    command = ("deploy", *DEPLOYMENTS[name](tmp_path), "-q")
    assert neuroemu(*command, "-o", tmp_path / "whole").exit_code == 0
    fault = FAULT.format(name="replace", call=3)
    process = started(*command, "-o", tmp_path / "out", "--snapshot-every", "20", "--threads", "2", fault=fault)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert newest_tick(tmp_path / "out") == 40
    assert neuroemu(*command, "-o", tmp_path / "out", "--resume", "--threads", "3").exit_code == 0
    names = sorted(os.listdir(tmp_path / "whole"))
    assert {"program.nemu", *RESULTS} <= set(names)
    assert sorted(os.listdir(tmp_path / "out")) == names
    for result in names:
        assert (tmp_path / "out" / result).read_bytes() == (tmp_path / "whole" / result).read_bytes(), result


def test_other_samples_are_refused_and_the_snapshot_stays(bench: Path, tmp_path: Path) -> None:
    fault = FAULT.format(name="replace", call=3)
    options = ("-o", tmp_path, "--snapshot-every", "50", "-q")
    started("run", *words(bench, "lifcore"), *options, fault=fault).communicate()
    answer = neuroemu("run", *words(bench, "lifcore"), "-o", tmp_path, "--resume", "--samples", "5", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6022", "NE6022"])
    assert newest_tick(tmp_path) == 100
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("option", [("--snapshot-every", "5"), ("--resume",)])
def test_snapshots_need_a_folder(option: tuple[str, ...], bench: Path) -> None:
    answer = neuroemu("run", *words(bench, "lifcore"), *option, "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6023"])
    assert option[0] in answer.document["findings"][0]["message"]


def test_snapshots_need_a_run(tmp_path: Path) -> None:
    words = ("deploy", EXAMPLES / "digits_mlp.nir", "--chip", "loihi1", "-o", tmp_path / "out", "--json", "--resume")
    answer = neuroemu(*words)
    assert (answer.exit_code, answer.codes) == (2, ["NE6023"])
    assert not (tmp_path / "out").exists()


def test_an_interval_of_no_ticks_is_refused(bench: Path, tmp_path: Path) -> None:
    answer = neuroemu("run", *words(bench, "lifcore"), "-o", tmp_path, "--snapshot-every", "0", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6013"])
