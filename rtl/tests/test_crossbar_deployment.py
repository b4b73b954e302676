"""TrueNorth programs run on Verilog crossbar cores through the command line; a bug is shown with its place and a waveform."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroemu.cosim import course
from neuroemu.cosim.core import Record, RtlCores
from neuroemu.cosim.crossbar import CrossbarBuild
from neuroemu.families.truenorth.image import pack
from neuroemu.families.truenorth.registers import address
from neuroemu.formats.ibm_cpe import CpeSpikes, spikes_text
from neuroemu.image.container import write_program
from neuroemu.image.symbols import PopulationSymbol
from rtl.tests.planted import with_bug
from rtl.tests.random_crossbars import random_program
from tests.acceptance.command_line import EXAMPLES, REPOSITORY, neuroemu

GOLDEN = REPOSITORY / "tests" / "golden" / "truenorth"
SAMPLES = EXAMPLES / "digits_test.npz"
TICKS = 21
"""Of a sample: 20 steps and the lag of the last layer."""
CORES = 3


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trinary digits network on two cores."""
    out = tmp_path_factory.mktemp("trinary")
    answer = neuroemu("deploy", EXAMPLES / "digits_trinary.yaml", "--chip", "truenorth", "-o", out, "--quiet")
    assert answer.exit_code == 0
    return out / "program.nemu"


@pytest.fixture(scope="module")
def stochastic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three cores of random neurons with random numbers in every place, delays of 0 to 15 ticks, and four samples for all axons."""
    folder = tmp_path_factory.mktemp("stochastic")
    image, _ = random_program(8, CrossbarBuild(), CORES)
    assert min(image.cores.stochastic.sum(), image.cores.stochastic_leak.sum(), image.cores.mask_bits.sum()) > 100
    assert np.unique(image.cores.seed).size == CORES and image.seed > 0
    place = np.repeat(np.arange(CORES, dtype=np.int32), 256), np.tile(np.arange(256, dtype=np.int32), CORES)
    populations = (PopulationSymbol("neurons", (CORES, 256), 0, True, *place),)
    symbols = replace(image.symbols, populations=populations, outputs=("neurons",))
    write_program(folder / "program.nemu", pack(replace(image, symbols=symbols)))
    spikes = np.random.default_rng(3).random((4, 9, CORES, 256)) < 0.05
    np.savez_compressed(folder / "samples.npz", input=spikes.astype(np.uint8))
    return folder / "program.nemu", folder / "samples.npz"


def test_deployed_samples_agree_in_spikes_potentials_packets_clocks_and_predictions(digits: Path) -> None:
    answer = neuroemu("cosim", digits, "-i", SAMPLES, "--samples", "20", "--json", "--quiet")
    told = answer.document
    assert (answer.exit_code, told["schema"], told["agrees"]) == (0, "neuroemu.cosim/1", True)
    assert (told["chip"], told["build"]["top"]) == ("truenorth", "crossbar_core")
    assert (told["samples"], told["ticks"]) == (20, 20 * TICKS)
    assert told["predictions"] == {"equal": 20, "correct": 20}
    spikes = [core["spikes"] for core in told["cores"]]
    assert told["compared"] == {
        "spikes": sum(spikes),
        "state words": 20 * TICKS * 512,
        "packets": spikes[0],
        "cycles of cores and ticks": 2 * 20 * TICKS,
    }
    assert min(spikes) > 300
    assert all(core["cycles"] > 20 * TICKS * 2087 and core["stalls"] == 0 for core in told["cores"])


def test_stalls_change_nothing_but_the_stalls(digits: Path) -> None:
    words = ("cosim", digits, "-i", SAMPLES, "--samples", "3", "--json", "--quiet")
    calm, held = (neuroemu(*words, *more) for more in ((), ("--stalls", "0.3", "--seed", "7")))
    assert (calm.exit_code, held.exit_code) == (0, 0)
    before, after = ([(core["cycles"], core["packets"]) for core in run.document["cores"]] for run in (calm, held))
    assert before == after
    assert [core["stalls"] > 0 for core in held.document["cores"]] == [True, True]


def test_people_read_that_everything_agrees(digits: Path) -> None:
    answer = neuroemu("cosim", digits, "-i", SAMPLES, "--samples", "3")
    assert "Verilog cores crossbar_core beside the Python model" in answer.out
    assert f"agree: 3 samples, {3 * TICKS} ticks" in answer.out
    assert "3 of 3 predictions are equal" in answer.out


@pytest.mark.parametrize("cells", [1 << 20, 3 * 768])
def test_stochastic_cores_draw_the_numbers_of_their_seed_and_tick(
    stochastic: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, cells: int
) -> None:
    """Every mode at once, over borders of samples and of batches; packets and host spikes are still under way at both."""
    monkeypatch.setattr(course, "_CELLS", cells)
    program, samples = stochastic
    answer = neuroemu("cosim", program, "-i", samples, "--stalls", "0.1", "--json", "--quiet")
    assert answer.exit_code == 0, answer.out
    assert answer.document["compared"]["spikes"] > 1000
    assert answer.document["compared"]["packets"] > 500


def test_a_model_of_ibms_tools_and_its_spike_file_agree(tmp_path: Path) -> None:
    model, spikes = tmp_path / "model.json", tmp_path / "spikes.sfti"
    model.write_bytes(gzip.decompress((GOLDEN / "ibm_cpe_example2.model.json.gz").read_bytes()))
    with np.load(GOLDEN / "ibm_cpe_example2.npz") as arrays:
        rows = arrays["inputs"].astype(np.int64)
    spikes.write_text(spikes_text(CpeSpikes(rows[:, 0] - 1, rows[:, 1], rows[:, 3])))
    assert neuroemu("deploy", model, "--chip", "truenorth", "-o", tmp_path, "-q").exit_code == 0
    answer = neuroemu("cosim", tmp_path / "program.nemu", "-i", spikes, "--json", "-q")
    assert answer.exit_code == 0
    assert (answer.document["samples"], answer.document["compared"]["spikes"]) == (1, 2215)
    assert answer.document["predictions"] == {"equal": None, "correct": None}


def test_a_bug_is_shown_with_tick_core_neuron_states_and_waveform(digits: Path, tmp_path: Path) -> None:
    sources = with_bug("a threshold is reached one above it", tmp_path / "rtl")
    words = ("--samples", "5", "--rtl", sources, "-o", tmp_path / "out")
    answer = neuroemu("cosim", digits, "-i", SAMPLES, *words)
    assert answer.exit_code == 1
    told = json.loads((tmp_path / "out" / "cosim.json").read_text(encoding="utf-8"))
    place = told["difference"]
    where = f"sample {place['sample']}, tick {place['tick']}, core {place['core']}, neuron {place['neuron']} (hidden["
    assert f"differ first in v, spiked: {where}" in answer.out
    assert (place["population"], place["core"]) == ("hidden", 0)
    assert (place["model"]["spiked"], place["rtl"]["spiked"]) == (True, False)
    assert place["rtl"]["v"] > place["model"]["v"]
    assert told["ticks"] == place["sample"] * TICKS + place["tick"]
    wave = (tmp_path / "out" / told["waveform"]).read_text(encoding="utf-8")
    names, _, changes = wave.partition("$enddefinitions")
    assert "upd_spiked" in names and "slot_data" in names
    assert changes.count("\n#") > 2 * 2087


@pytest.mark.parametrize(("word", "told"), [(0, "wrong words of rows"), (8, "v in memory")])
def test_rows_are_looked_at_after_the_last_tick(
    digits: Path, monkeypatch: pytest.MonkeyPatch, word: int, told: str
) -> None:
    """Word 0 of a row has synapses, word 8 the potential."""
    place = np.full(13, address("row"), np.uint32)
    recorded = course.Course._record

    def record(self: course.Course, cores: RtlCores, first: int, last: int) -> Record:
        record = recorded(self, cores, first, last)
        for position in (0, 1):
            words = stream(cores, position)
            words[word] ^= 1
            cores.write(position, cores.build.register("row"), np.array([3]))
            cores.write(position, place, words)
        return record

    def stream(cores: RtlCores, position: int) -> NDArray[np.uint32]:
        cores.write(position, cores.build.register("row"), np.array([3]))
        return cores.read(position, place)

    monkeypatch.setattr(course.Course, "_record", record)
    answer = neuroemu("cosim", digits, "-i", SAMPLES, "--samples", "1", "--json")
    found = answer.document["difference"]
    assert (answer.exit_code, found["tick"], found["core"]) == (1, TICKS - 1, 0)
    assert found["quantities"] == [told]


def test_a_tick_that_is_counted_wrong_is_a_difference(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without random numbers nothing else shows it."""
    monkeypatch.setattr(course, "_CELLS", 10 * 512)
    recorded = course.Course._record

    def record(self: course.Course, cores: RtlCores, first: int, last: int) -> Record:
        record = recorded(self, cores, first, last)
        cores.write(1, cores.build.register("tick"), np.array([last + 16]))
        return record

    monkeypatch.setattr(course.Course, "_record", record)
    found = neuroemu("cosim", digits, "-i", SAMPLES, "--samples", "1", "--json").document["difference"]
    assert (found["core"], found["quantities"]) == (1, ["register tick"])
    assert found["rtl"]["register tick"] == found["model"]["register tick"] + 16 == found["tick"] + 17


def test_wrong_inputs_and_stages_are_refused(digits: Path, tmp_path: Path) -> None:
    answer = neuroemu("cosim", digits, "-i", SAMPLES, "--stages", "3", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE7219"])
    np.savez(tmp_path / "wide.npz", input=np.zeros((1, 5, 65), np.uint8))
    answer = neuroemu("cosim", digits, "-i", tmp_path / "wide.npz", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE1131"])
    (tmp_path / "spikes.sfti").write_text("{}")
    answer = neuroemu("cosim", digits, "-i", tmp_path / "spikes.sfti", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE1040"])
    assert "for a model that IBM's tools mapped" in answer.document["findings"][0]["message"]
    (tmp_path / "rtl").mkdir()
    answer = neuroemu("cosim", digits, "-i", SAMPLES, "--rtl", tmp_path / "rtl", "--json")
    assert (answer.exit_code, answer.codes) == (2, ["NE7206"])
