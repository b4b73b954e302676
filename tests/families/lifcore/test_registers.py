"""The Verilog core's bus: one map, and a header and a page that say the same."""

import importlib.util
from pathlib import Path

import pytest

from neuroemu.families.lifcore.registers import REGION_BITS, REGIONS, REGISTER_BITS, REGISTERS, WORD

TOOL = Path(__file__).parents[3] / "tools" / "make_rtl_header.py"


@pytest.fixture
def make_rtl_header():
    found = importlib.util.spec_from_file_location("make_rtl_header", TOOL)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_numbers_count_up_and_fit_the_address():
    assert [register.number for register in REGISTERS] == list(range(1 << REGISTER_BITS))
    assert [region.number for region in REGIONS] == list(range(len(REGIONS)))
    assert len(REGIONS) <= 1 << REGION_BITS


def test_every_word_is_as_wide_as_the_bus():
    assert {item.layout.width for item in (*REGISTERS, *REGIONS)} == {WORD}


def test_names_are_unique():
    for items in (REGISTERS, REGIONS):
        assert len({item.name for item in items}) == len(items)


def test_header_and_page_are_up_to_date(make_rtl_header, capsys):
    assert make_rtl_header.main(["--check"]) == 0, capsys.readouterr().err


def test_stale_header_and_page_are_reported_then_rewritten(make_rtl_header, tmp_path, monkeypatch, capsys):
    header, page = make_rtl_header.HEADER.read_text(), make_rtl_header.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(make_rtl_header, "HEADER", tmp_path / "lif_registers.vh")
    monkeypatch.setattr(make_rtl_header, "PAGE", tmp_path / "lifcore.md")
    make_rtl_header.PAGE.write_text(page.replace("`route_list`", "").replace("`idle`", "`rest`"), encoding="utf-8")
    assert make_rtl_header.main(["--check"]) == 1
    assert "lif_registers.vh" in capsys.readouterr().err
    assert make_rtl_header.main([]) == 0
    assert (make_rtl_header.HEADER.read_text(), make_rtl_header.PAGE.read_text(encoding="utf-8")) == (header, page)


def test_a_field_above_bit_0_has_its_place_in_the_header(make_rtl_header):
    text = make_rtl_header.header()
    for item in (*REGISTERS, *REGIONS):
        for low, field in item.layout.values():
            line = f"`define LIF_{item.name.upper()}_{field.name.upper()}_LOW {low}\n"
            assert (line in text) == (low > 0)
