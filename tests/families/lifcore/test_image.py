"""The register map of the open LIF core is written down once and documented as it is."""

from __future__ import annotations

from pathlib import Path

from neuroemu.families.lifcore.image import DENSE, LAYOUTS, LISTED
from neuroemu.image.bitfields import field_table

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chips" / "lifcore.md"


def test_the_documented_register_map_is_the_one_in_use() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [layout.name for layout in LAYOUTS if field_table(layout) not in page] == []


def test_a_dense_synapse_is_a_weight_alone() -> None:
    assert (DENSE.width, LISTED.width) == (16, 16 + 6 + 20)
