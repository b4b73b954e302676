"""A trained network deployed on two cores runs on the Verilog as on the model; a bug is shown with its place and a waveform."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.cosim import course, tools
from neuroemu.cosim.compare import left_range_at_the_port
from neuroemu.cosim.core import LEFT_RANGE, Record, RtlCores
from neuroemu.cosim.lif import Build
from rtl.tests.planted import with_bug
from tests.acceptance.command_line import EXAMPLES, neuroemu

SAMPLES = EXAMPLES / "digits_test.npz"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """digits_mlp on two cores of lifcore-rtl."""
    out = tmp_path_factory.mktemp("digits")
    network = EXAMPLES / "digits_mlp.nir"
    answer = neuroemu("deploy", network, "--dialect", "snntorch-hard", "--chip", "lifcore-rtl", "-o", out, "--quiet")
    assert answer.exit_code == 0
    return out / "program.nemu"


@pytest.mark.parametrize(("stages", "stalls"), [(1, 0.0), (3, 0.0), (1, 0.2), (3, 0.2)])
def test_a_hundred_samples_agree_on_two_cores(program: Path, stages: int, stalls: float) -> None:
    words = ("--samples", "100", "--stages", str(stages), "--stalls", str(stalls))
    answer = neuroemu("cosim", program, "-i", SAMPLES, *words, "--json", "--quiet")
    told = answer.document
    assert (answer.exit_code, told["schema"], told["agrees"]) == (0, "neuroemu.cosim/1", True)
    assert (told["samples"], told["ticks"], told["predictions"]["equal"]) == (100, 2200, 100)
    assert told["predictions"]["correct"] == 92
    assert told["compared"] == {
        "spikes": 12817,
        "state words": 3 * 2200 * 42,
        "packets": 11573,
        "cycles of cores and ticks": 2 * 2200,
    }
    more = (stages - 1) * 2200
    assert [core["cycles"] for core in told["cores"]] == [1354574 + more, 158103 + more]
    assert all((core["stalls"] > 0) == (stalls > 0) for core in told["cores"])


def test_people_read_that_everything_agrees(program: Path) -> None:
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "10")
    assert "agree: 10 samples, 220 ticks" in answer.out
    assert "10 of 10 predictions are equal" in answer.out
    assert "Verilog cores lif_core of 1 stage beside the Python model" in answer.out


@pytest.mark.parametrize("stages", [1, 3])
def test_a_bug_is_shown_with_tick_neuron_states_and_waveform(program: Path, tmp_path: Path, stages: int) -> None:
    sources = with_bug("fires at the threshold whatever is compared", tmp_path / "rtl")
    words = ("--stages", str(stages), "--rtl", sources, "-o", tmp_path / "out")
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "100", *words)
    assert answer.exit_code == 1
    assert "differ first in v, spiked: sample 18, tick 6, core 0, neuron 4 (lif1[4])" in answer.out
    told = json.loads((tmp_path / "out" / "cosim.json").read_text(encoding="utf-8"))
    assert not told["agrees"]
    assert told["ticks"] == 18 * 22 + 6
    place = told["difference"]
    assert (place["population"], place["index"]) == ("lif1", 4)
    assert (place["model"]["spiked"], place["rtl"]["spiked"]) == (False, True)
    assert place["model"]["v"] == 2366
    wave = (tmp_path / "out" / told["waveform"]).read_text(encoding="utf-8")
    assert "upd_spiked" in wave.partition("$enddefinitions")[0]


@pytest.mark.parametrize("cells", [1 << 20, 500])
def test_a_range_left_at_another_tick_is_told_with_that_tick(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    """The model counts over a batch: where it differs it runs again tick by tick, however long the batch was."""
    monkeypatch.setattr(course, "_CELLS", cells)
    sources = with_bug("some spikes are said to leave the range", tmp_path)
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "20", "--rtl", sources, "--json")
    place = answer.document["difference"]
    assert place["quantities"] == ["updates that left their range"]
    assert (place["sample"], place["tick"], place["core"]) == (0, 10, 0)
    assert place["since"] is None


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[RtlCores, Record, int], None]], None]:
    """Does something behind every batch of ticks, with the number of its last one."""

    def install(disturb: Callable[[RtlCores, Record, int], None]) -> None:
        recorded = course.Course._record

        def record(self: course.Course, cores: RtlCores, first: int, last: int) -> Record:
            told = recorded(self, cores, first, last)
            disturb(cores, told, last - 1)
            return told

        monkeypatch.setattr(course.Course, "_record", record)

    return install


def test_a_range_left_before_another_difference_is_told_first(program: Path, between: Any) -> None:
    def disturb(cores: RtlCores, record: Record, last: int) -> None:
        record.flags[4, 7] |= LEFT_RANGE
        record.counters["left_range"][:] = record.since_read(left_range_at_the_port(record, [0, 32, 42]))
        record.states["v"][19, 3] += 1

    between(disturb)
    place = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "1", "--json").document["difference"]
    assert (place["tick"], place["quantities"]) == (4, ["updates that left their range"])


@pytest.mark.parametrize(
    ("region", "offset", "told"),
    [
        ("weight", 5, "wrong words of weight"),
        ("route", 3, "wrong words of route"),
        ("potential", 1, "v in memory"),
        ("refractory", 1, "refractory in memory"),
    ],
)
def test_memories_are_looked_at_after_the_last_tick(
    program: Path, between: Any, region: str, offset: int, told: str
) -> None:
    """What a program has written there must still be there, and states must be those of the last tick."""

    def disturb(cores: RtlCores, record: Record, last: int) -> None:
        address = cores.build.address(region, [offset])
        cores.write(0, address, cores.read(0, address) ^ np.uint32(1))

    between(disturb)
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "2", "--json")
    place = answer.document["difference"]
    assert (answer.exit_code, place["sample"], place["tick"], place["core"]) == (1, 1, 21, 0)
    assert place["quantities"] == [told]


def test_an_event_that_a_core_refused_is_a_difference(
    program: Path, between: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size beyond the build sets the same sign, which a sample's start takes away."""
    monkeypatch.setattr(course, "_CELLS", 10 * 42)

    def disturb(cores: RtlCores, record: Record, last: int) -> None:
        if last == 9:
            cores.write(1, cores.build.register("size"), np.array([999]))

    between(disturb)
    place = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "3", "--json").document["difference"]
    assert (place["sample"], place["core"], place["quantities"]) == (0, 2, ["register status"])
    assert 10 <= place["tick"] <= 19
    assert (place["model"], place["rtl"]) == ({"register status": 1}, {"register status": 3})


def test_sources_of_another_build_are_told_before_anything_runs(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constants = Build().constants
    monkeypatch.setattr(Build, "constants", {**constants, "identity": constants["identity"] + 1})
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "1", "--json")
    findings = answer.document["memory"]
    assert [(finding["code"], finding["where"]) for finding in findings] == [("NE7221", "core 0"), ("NE7221", "core 2")]
    assert all(
        "register identity is 0x4c494601, of this build it is 0x4c494602" in finding["message"] for finding in findings
    )


def test_a_register_that_is_wrong_is_told_with_the_ticks_that_it_counted(program: Path, tmp_path: Path) -> None:
    sources = with_bug("stalls count as cycles", tmp_path)
    words = ("--samples", "3", "--stalls", "0.5", "--seed", "6", "--rtl", sources)
    answer = neuroemu("cosim", program, "-i", SAMPLES, *words, "--json")
    place = answer.document["difference"]
    assert place["quantities"] == ["cycles by the register"]
    first, last = (part["sample"] * 22 + part["tick"] for part in (place["since"], place))
    assert first < last
    assert answer.document["ticks"] == last
    said = neuroemu("cosim", program, "-i", SAMPLES, *words)
    assert f"counted since sample {first // 22}, tick {first % 22}" in said.out


def test_an_agreement_takes_an_older_waveform_away(program: Path, tmp_path: Path) -> None:
    (tmp_path / "difference.vcd").write_text("old")
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "3", "-o", tmp_path)
    assert answer.exit_code == 0
    assert [file.name for file in tmp_path.iterdir()] == ["cosim.json"]


def test_a_bus_that_forgets_is_told_before_anything_runs(program: Path, tmp_path: Path) -> None:
    sources = with_bug("a threshold always gets its lowest bit on the bus", tmp_path / "rtl")
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "2", "--rtl", sources)
    assert answer.exit_code == 1
    assert "NE7221" in answer.out
    assert "words of threshold are not what was written" in answer.out


@pytest.mark.parametrize(
    ("bug", "told"), [("a clear never ends", "out of its reset"), ("the bus never answers", "on its configuration bus")]
)
def test_a_core_that_is_stuck_from_the_start_is_told(program: Path, tmp_path: Path, bug: str, told: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for old in ("cosim.json", "difference.vcd", "notes.txt"):
        (out / old).write_text("of an earlier run")
    words = ("--samples", "2", "--rtl", with_bug(bug, tmp_path / "rtl"), "-o", out, "--json")
    answer = neuroemu("cosim", program, "-i", SAMPLES, *words)
    assert (answer.exit_code, answer.codes) == (1, ["NE7222"])
    assert [file.name for file in out.iterdir()] == ["notes.txt"]
    assert told in answer.document["findings"][0]["message"]


def test_a_core_that_hangs_is_a_difference(program: Path, tmp_path: Path) -> None:
    sources = with_bug("the marker never comes back", tmp_path / "rtl")
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "2", "--rtl", sources, "--json")
    assert answer.exit_code == 1
    assert answer.document["difference"]["rtl"] == {"protocol": "does not answer"}
    assert answer.document["difference"]["tick"] == 0


def test_tools_that_are_missing_are_all_named_at_once(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    monkeypatch.setenv("CXX", "no-such-compiler")
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE7201", "NE7202"])


def test_folders_without_the_core_and_seeds_that_are_too_long_are_refused(program: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        answer = neuroemu("cosim", program, "-i", SAMPLES, "--samples", "2", "--rtl", folder, "--json")
        assert (answer.exit_code, answer.codes) == (2, ["NE7206"])
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--seed", str(1 << 64), "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6013"])


def test_other_pipelines_and_programs_are_refused(program: Path, tmp_path: Path) -> None:
    answer = neuroemu("cosim", program, "-i", SAMPLES, "--stages", "2", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE6013"])
    loihi = ("deploy", EXAMPLES / "digits_mlp.nir", "--dialect", "snntorch-hard", "--chip", "loihi1", "-q")
    assert neuroemu(*loihi, "-o", tmp_path).exit_code == 0
    answer = neuroemu("cosim", tmp_path / "program.nemu", "-i", SAMPLES, "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE7217"])
