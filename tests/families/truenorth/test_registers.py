"""The bus of the Verilog crossbar core and the places of a row's fields, against the image that fills the row."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.families.truenorth.image import ROW_BITS, SIZE, build_cores, pack
from neuroemu.families.truenorth.registers import BUS, OFFSET_BITS, ROW_FIELDS, address, register, row_macros
from neuroemu.image.bus import REGION_BITS, WORD
from neuroemu.spec import load_chip
from tests.families.truenorth.reference import image_of

ROOT = Path(__file__).resolve().parents[3]
FIELDS = {
    "V": ("potential", 0x12345, 20),
    "S2": ("weight", [0, 0, 0xA5, 0], 8),
    "LAMBDA": ("leak", 0x5A, 8),
    "C_LAMBDA": ("stochastic_leak", 1, 1),
    "EPSILON": ("reversal", 1, 1),
    "ALPHA": ("alpha", 0x2AAAA, 18),
    "BETA": ("beta", 0x15555, 18),
    "TM": ("mask_bits", 17, 5),
    "GAMMA": ("gamma", 2, 2),
    "KAPPA": ("kappa", 1, 1),
    "R": ("reset", 0xC3, 8),
    "DX": ("dx", 0xAB, 9),
    "DY": ("dy", 0x54, 9),
    "AXON": ("axon", 0x99, 8),
    "DELAY": ("delay", 9, 4),
}


def macros() -> dict[str, int]:
    """Name -> lowest bit behind the synapses."""
    lines = [line.split() for line in row_macros() if line.startswith("`define TN_ROW_")]
    return {name.removeprefix("TN_ROW_"): int(value) for _, name, value in lines}


def test_numbers_count_up_and_fit_the_address() -> None:
    assert [item.number for item in BUS.registers] == list(range(len(BUS.registers)))
    assert [item.number for item in BUS.regions] == list(range(len(BUS.regions)))
    assert len(BUS.registers) <= 1 << OFFSET_BITS and len(BUS.regions) <= 1 << REGION_BITS


def test_every_word_is_as_wide_as_the_bus() -> None:
    assert {item.layout.width for item in (*BUS.registers, *BUS.regions)} == {WORD}


def test_an_address_has_the_region_above_the_offset() -> None:
    assert (register("identity"), register("rules"), address("row"), address("axon_type", 3)) == (0, 5, 0x100, 0x203)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_the_header_finds_a_field_where_the_image_packs_it(field: str) -> None:
    name, value, width = FIELDS[field]
    column: Any = np.zeros((1, SIZE, 4) if name == "weight" else (1, SIZE), np.int64)
    column[0, 3] = value
    connected = np.zeros((1, SIZE), np.bool_)
    connected[0, 3] = True
    columns = {"delay": 1} | {
        name: column if name not in ("dx", "dy", "axon", "delay") else np.where(connected, value, 0)
    }
    cores = build_cores([0], np.zeros((1, SIZE, SIZE), np.bool_), columns, connected)
    section = pack(image_of(cores, chip=load_chip("truenorth"))).section("cores/rows")
    row = np.unpackbits(section, bitorder="little").reshape(-1)[3 * ROW_BITS : 4 * ROW_BITS]
    low = SIZE + macros()[field]
    found = int(row[low : low + width].astype(np.int64) @ (1 << np.arange(width)))
    assert found == (value[2] if isinstance(value, list) else value)


def test_synapses_and_fields_fill_a_row() -> None:
    assert SIZE + ROW_FIELDS == ROW_BITS
    assert macros()["FIELDS"] == ROW_FIELDS


def test_header_and_page_of_the_crossbar_core_are_current() -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "make_rtl_header.py"))
    assert tool["CROSSBAR_HEADER"].read_text(encoding="utf-8") == tool["crossbar_header"]()
    page = tool["CROSSBAR_PAGE"].read_text(encoding="utf-8")
    assert page == tool["page"](page, "truenorth", BUS)
