"""The table of rtl/README.md is what synthesis says, and the small core fits and is as fast as promised."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "make_rtl_table.py"
SMALL_CORE = "ecp5-3"
FMAX_TOLERANCE = 0.1
"""Another version of place and route may move Fmax by this share; the same version gives the same figure."""


@pytest.fixture(scope="module")
def flow():
    found = importlib.util.spec_from_file_location("make_rtl_table", TOOL)
    module = importlib.util.module_from_spec(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, found.name, module)  # its data classes look for themselves
        found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def results(flow):
    return json.loads(flow.RESULTS.read_text())


@pytest.fixture(scope="module")
def synthesised(flow, tmp_path_factory):
    """The small core's figures of area, and the folder of its netlist."""
    folder = tmp_path_factory.mktemp("small_core")
    return flow.synthesise(flow.POINT[SMALL_CORE], folder), folder


def test_table_is_made_of_the_results(flow, capsys):
    assert flow.main(["--check"]) == 0, capsys.readouterr().err


def test_a_table_that_says_otherwise_is_noticed(flow, results, tmp_path, monkeypatch):
    page = tmp_path / "README.md"
    page.write_text(flow.PAGE.read_text().replace(f"{results[SMALL_CORE]['fmax_mhz']:.1f} MHz", "200.0 MHz"))
    monkeypatch.setattr(flow, "PAGE", page)
    assert flow.main(["--check"]) == 1


def test_every_point_has_results_and_results_have_points(flow, results):
    assert set(results) == set(flow.POINT)


def test_area_of_the_small_core_is_that_of_the_table(synthesised, results):
    area, _ = synthesised
    assert area == {kind: results[SMALL_CORE][kind] for kind in area}


def test_speed_of_the_small_core_is_that_of_the_table(flow, synthesised, results):
    placed = flow.place(flow.POINT[SMALL_CORE], synthesised[1])
    assert placed["logic"] == results[SMALL_CORE]["logic"]
    assert placed["fmax_mhz"] == pytest.approx(results[SMALL_CORE]["fmax_mhz"], rel=FMAX_TOLERANCE)
    assert placed["fmax_mhz"] >= 80


def test_small_core_keeps_its_bars(flow, results):
    parameters = flow.POINT[SMALL_CORE].parameters
    assert parameters == {"STAGES": 3}  # 256 neurons, 256 axons, leak by shift, with counters and readback
    assert results[SMALL_CORE]["lut4"] <= 800
    assert results[SMALL_CORE]["fmax_mhz"] >= 80


def test_three_stages_are_faster_than_one(results):
    for three, one in (("ecp5-3", "ecp5-1"), ("ecp5-3-all", "ecp5-1-all"), ("ice40-3", "ice40-1")):
        assert results[three]["fmax_mhz"] > 1.5 * results[one]["fmax_mhz"]
