"""The published schema and the chip pages say what the code and the chip files say."""

import importlib.util
import json
from pathlib import Path

import pytest

from neuroemu.spec import json_schema, load_chip
from neuroemu.spec.check import keys_at
from neuroemu.spec.loihi import LoihiChip
from neuroemu.spec.schema import PUBLISHED, json_schema_text

TOOL = Path(__file__).parents[2] / "tools" / "make_chip_page.py"


@pytest.fixture(scope="module")
def make_chip_page():
    found = importlib.util.spec_from_file_location("make_chip_page", TOOL)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_published_schema_is_up_to_date():
    assert PUBLISHED.read_text(encoding="utf-8") == json_schema_text()
    assert json.loads(json_schema_text()) == json_schema()


def test_schema_allows_exactly_the_keys_of_the_loader():
    definitions = json_schema()["$defs"]
    assert set(definitions["LoihiLimits"]["properties"]) == set(keys_at(LoihiChip, ("limits",)))
    assert definitions["LoihiLimits"]["additionalProperties"] is False
    assert set(definitions["LoihiChip"]["properties"]) == {"extends", *keys_at(LoihiChip, ())}


def test_schema_lets_a_variant_leave_out_everything_but_its_name_and_title():
    chip = json_schema()["$defs"]["LoihiChip"]
    assert {"required": ["extends", "name", "title"]} in chip["anyOf"]
    assert "required" not in json_schema()["$defs"]["LoihiLimits"]


def test_keys_are_found_through_named_groups_lists_and_options():
    assert "spike_out" in keys_at(LoihiChip, ("cost_sets", "any", "energy"))
    assert keys_at(LoihiChip, ("cost_sets", "any", "time", "sync_table", 0)) == ("tiles", "time")
    assert "confidence" in keys_at(LoihiChip, ("static", "reset"))
    assert keys_at(LoihiChip, ("sources",)) == ()
    assert keys_at(LoihiChip, ("limits", "nothing", "below")) == ()


def test_chip_pages_are_up_to_date(make_chip_page, capsys):
    assert make_chip_page.main(["--check"]) == 0, capsys.readouterr().err


def test_stale_page_is_reported_then_rewritten(make_chip_page, tmp_path, monkeypatch, capsys):
    good = (make_chip_page.PAGES / "loihi1.md").read_text(encoding="utf-8")
    stale = tmp_path / "loihi1.md"
    stale.write_text(good.replace("23.6 pJ", "23.7 pJ"), encoding="utf-8")
    monkeypatch.setattr(make_chip_page, "PAGES", tmp_path)
    assert make_chip_page.main(["--check"]) == 1
    assert "loihi1.md is out of date" in capsys.readouterr().err
    assert make_chip_page.main([]) == 0
    assert stale.read_text(encoding="utf-8") == good


def test_page_without_markers_is_refused(make_chip_page):
    with pytest.raises(ValueError, match="marker"):
        make_chip_page.page(load_chip("loihi1"), "no tables here")


def test_page_names_every_source(make_chip_page):
    chip = load_chip("loihi1")
    page = make_chip_page.tables(chip)
    assert all(reference in page for reference in chip.sources.values())
