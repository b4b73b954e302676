"""Several chips side by side, the same network on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroemu.report import from_json
from tests.acceptance.command_line import EXAMPLES, Answer, neuroemu

NETWORK = (EXAMPLES / "digits_mlp.nir", "--dialect", "snntorch-hard", "--input", EXAMPLES / "digits_test.npz")


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, Path]:
    out = tmp_path_factory.mktemp("compared") / "out"
    return neuroemu("compare", *NETWORK, "--chips", "loihi1,loihi1-wide", "--samples", "5", "-o", out), out


def test_both_chips_stand_side_by_side(compared: tuple[Answer, Path]) -> None:
    answer, _ = compared
    assert answer.exit_code == 0
    assert "loihi1" in answer.out and "loihi1-wide" in answer.out
    assert "accuracy" in answer.out.lower() and "energy" in answer.out.lower()


def test_every_chip_has_a_folder_and_there_is_one_comparison(compared: tuple[Answer, Path]) -> None:
    _, out = compared
    assert sorted(path.name for path in out.iterdir()) == ["compare.json", "loihi1", "loihi1-wide"]
    for chip in ("loihi1", "loihi1-wide"):
        assert from_json((out / chip / "report.json").read_bytes())["chip"]["name"] == chip


def test_json_holds_the_whole_report_of_each_chip(compared: tuple[Answer, Path]) -> None:
    answer = neuroemu("compare", *NETWORK, "--chips", "loihi1, loihi1-wide", "--samples", "5", "--json")
    document = answer.document
    assert document["schema"] == "neuroemu.compare/1"
    assert [report["chip"]["name"] for report in document["reports"]] == ["loihi1", "loihi1-wide"]
    assert document["refused"] == {}
    assert answer.out == (compared[1] / "compare.json").read_text(encoding="utf-8")
    spikes = [report["run"]["populations"] for report in document["reports"]]
    assert spikes[0] == spikes[1]


@pytest.fixture
def no_room(tmp_path: Path) -> Path:
    """A chip that holds one compartment per core."""
    file = tmp_path / "cramped.yaml"
    file.write_text(
        "extends: loihi1\nname: cramped\ntitle: Loihi 1 with 32 input axons per core\n"
        "limits:\n  input_axons: {value: 32, kind: assumed, note: too few for 64 inputs}\n"
    )
    return file


def test_a_chip_that_refuses_the_network_says_why_beside_one_that_takes_it(no_room: Path) -> None:
    answer = neuroemu("compare", *NETWORK, "--chips", f"loihi1,{no_room}", "--samples", "2", "--json")
    assert answer.exit_code == 0
    assert [report["chip"]["name"] for report in answer.document["reports"]] == ["loihi1"]
    (finding,) = answer.document["refused"]["cramped"]
    assert finding["code"] == "NE4103" and "population lif1" in finding["where"]


def test_no_chip_takes_it(no_room: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = neuroemu("compare", *NETWORK, "--chips", str(no_room), "--samples", "2", "-o", out)
    assert answer.exit_code == 1
    assert "cramped: does not fit" in answer.out and "NE4103" in answer.out
    assert sorted(path.name for path in out.iterdir()) == ["compare.json"]


def test_without_samples_the_mappings_are_compared() -> None:
    answer = neuroemu("compare", NETWORK[0], "--dialect", "snntorch-hard", "--chips", "loihi1,loihi1-wide", "--json")
    assert answer.exit_code == 0
    assert [report["run"] for report in answer.document["reports"]] == [None, None]
    assert all(report["mapping"]["cores_used"] == 1 for report in answer.document["reports"])
