"""Mistakes in chip files are all found at once, each with its place, key path and a way out."""

import os
import re
from pathlib import Path

import pytest

from neuroemu import spec
from neuroemu.errors import BadInput
from neuroemu.explain import all_explanations
from neuroemu.spec import find_chip, list_chips, load_chip, validate_file
from neuroemu.spec.load import MAX_EXTENDS
from neuroemu.spec.tree import parse_tree, read_tree
from tests.spec.own_chip import LOIHI1, place_in


def refused(path):
    with pytest.raises(BadInput) as caught:
        load_chip(path)
    return caught.value.findings


def test_typo_in_an_energy_key_gives_file_line_column_and_the_nearest_key(edited):
    path = edited(("synaptic_operation: {value: 23.6 pJ", "synaptic_opperation: {value: 23.6 pJ"))
    typo = refused(path)[0]
    assert typo.code == "NE2020"
    assert typo.where == place_in(path, "synaptic_opperation")
    assert "cost_sets.davies2018.energy.synaptic_opperation" in typo.message
    assert typo.fixes == ("did you mean 'synaptic_operation'?",)


def test_all_mistakes_are_reported_at_once_in_reading_order(edited):
    path = edited(
        ("family: loihi", "family: loihi\ncolour: blue"),
        ("cores: {value: 128", "cores: {value: 127"),
        ("compartments: {value: 1024, source: D18", "compartments: {value: many, source: D81"),
        ("synapse_memory: {value: 128 KiB", "synapse_memory: {value: 128 KB"),
        ("spike_out: {value: 69.3 pJ", "spike_out: {value: 69.3 ns"),
        ("column_major, source", "collumn_major, source"),
        ("{tiles: 4,", "{tiles: 2,"),
        (
            "  reset: {value: 5.94 uJ, source: F20, kind: measured",
            "  reset: {value: 5.94 uJ, source: F20, kind: mesured",
        ),
    )
    findings = refused(path)
    by_code = {finding.code for finding in findings}
    assert {"NE2020", "NE2022", "NE2023", "NE2024", "NE2027"} <= by_code
    lines = [int(finding.where.split(":")[-2]) for finding in findings]
    assert lines == sorted(lines) and len(findings) >= 7
    assert findings == tuple(validate_file(path))


@pytest.mark.parametrize(
    ("old", "new", "code", "place", "message"),
    [
        ("cores: {value: 128", "cores: {value: 127", "NE2030", "{value: 127", "8 x 4 tiles of 4 cores are 128"),
        ("mesh_rows: {value: 4", "mesh_rows: {value: 0", "NE2025", "{value: 0, source: SF", "at least 1"),
        ("memory: {value: 128 KiB", "memory: {value: 100 bit", "NE2031", "{value: 100 bit", "64-bit word"),
        ("input_axons: {value: 4096", "input_axons: {value: 4097", "NE2031", "{value: 4097", "12 bits"),
        ("compartments: {value: 1024", "compartments: {value: 4097", "NE2031", "{value: 4097", "reaches 4096"),
        ("header_bits: {value: 10", "header_bits: {value: 11", "NE2032", "{value: 11, source: NL bits", "sum"),
        ("membrane_bits: {value: 23", "membrane_bits: {value: 60", "NE2032", "{value: 60, source: DEY", "62 bits"),
        ("[0, 1, 2, 3, 4, 5, 6, 8]", "[0, 1, 3, 2, 4, 5, 6, 8]", "NE2032", "{value: [0, 1, 3", "ascending"),
        ("exponent_min: {value: -8, high: -7", "exponent_min: {value: 8", "NE2032", "{value: 8, source: BL", "maximum"),
        ("_size: {value: 64, source", "_size: {value: 129, source", "NE2032", "{value: 129", "counted"),
        ("{tiles: 4,", "{tiles: 2,", "NE2035", "2, time: {value: 1.4 us", "above the 2"),
        ("{tiles: 1,", "{tiles: 3,", "NE2035", "3, time: {value: 0.6 us", "start at 1 tile"),
        ("time: {value: 1.8 us", "time: {value: 1.8 ns", "NE2035", "{value: 1.8 ns", "less time"),
        ("      spike_out: {value: 30 ns", "      #", "NE2033", "neuron_access: {value: 6.0 ns", "time.spike_out"),
        ("synapse: one_class", "synapse: by_format", "NE2033", "spike_within_tile: {value: 1.7", "synapse_dense"),
        ("synaptic_operation: {value: 23.6 pJ", "spike_out: {value: 23.6 pJ", "NE2034", "{value: 23.6 pJ", "no use"),
        ("low: 23.6 pJ", "low: 24 pJ", "NE2026", "24 pJ", "above the value"),
        ("high: 3.5 ns", "high: 3 ns", "NE2026", "3 ns, source", "below the value"),
        ("source: D18 p.95, kind", "source: D19 p.95, kind", "NE2027", "D19 p.95", "unknown source 'D19'"),
        ("confidence: T, note: FinFET", "note: FinFET", "NE2028", "{value: 14 nm", "confidence"),
        ("{value: 32, source: NL validate.py", "{value: 32, low: 32", "NE2028", "{value: 32, low", "needs a source"),
        ("value: 23.6 pJ", "value: 23.6", "NE2024", "23.6, low", "has no unit"),
        ("value: 23.6 pJ", "value: 23.6 mW", "NE2024", "23.6 mW", "power (W), expected J"),
        ("value: 23.6 pJ", "value: 23.6 pj", "NE2023", "23.6 pj", "unknown unit 'pj'"),
        ("value: 23.6 pJ", "value: about 20", "NE2025", "about 20", "not a quantity"),
        ("value: 14 nm", "value: [14]", "NE2022", "[14]", "expected a quantity"),
        ("value: 60 mm2", "value: 60 mm3", "NE2023", "60 mm3", "unknown unit"),
        ("low: 0.50 V", "low: 0.50 W", "NE2024", "{value: 0.75 V", "different units"),
        ("{value: 65 mW", "{valeu: 65 mW", "NE2020", "valeu", "unknown key 'valeu'"),
        ("column_major, source", "collumn_major, source", "NE2022", "collumn_major", "expected 'column_major'"),
        ("multicast: {value: false", "multicast: {value: 'no'", "NE2022", "'no'", "true or false"),
        ("title: Intel Loihi 1", "# no title", "NE2021", "name: own", "'title' is missing"),
        ("family: loihi", "family: loihy", "NE2012", "loihy", "unknown family"),
        ("family: loihi", "# none", "NE2021", "name: own", "'family' is missing"),
        ("name: own", "name: loihi1", "NE2011", "loihi1\n", "calls its chip 'loihi1'"),
        ("    davies2018:\n      - q", "    davies2081:\n      - q", "NE2036", "- quantity", "no cost set"),
        ("workload: knn_frady2020", "workload: knn_frady", "NE2036", "knn_frady\n", "no workload 'knn_frady'"),
        ("name: own", "name: own\nname: own", "NE2005", "name: own\ntitle", "appears twice"),
    ],
)  # fmt: skip
def test_mistake_is_found_at_its_place(edited, old, new, code, place, message):
    path = edited((old, new))
    findings = [finding for finding in refused(path) if finding.code == code]
    assert any(message in finding.message for finding in findings)
    assert place_in(path, place) in {finding.where for finding in findings}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: &x [1]\nb: *x", "NE2004"),
        ("a: !!python/object:os.system x", "NE2004"),
        ("a: {" * 20 + "}" * 20, "NE2003"),
        ("a: [" + "1," * 60_000 + "1]", "NE2003"),
        ("# " + "x" * (1 << 20), "NE2003"),
        ("- a\n- b", "NE2006"),
        ("", "NE2006"),
        ("? [a]\n: 1", "NE2006"),
        ("a: [1", "NE2002"),
        ("a: 1\n---\nb: 2", "NE2002"),
        ('a: "\\UFFFFFFFF"', "NE2002"),
        ("a:\tb: c", "NE2002"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(text, code):
    with pytest.raises(BadInput) as caught:
        parse_tree(text.encode(), "x.yaml")
    assert {finding.code for finding in caught.value.findings} == {code}


def test_text_that_is_not_utf8_is_refused():
    with pytest.raises(BadInput, match="NE2002 not UTF-8"):
        parse_tree(b"a: \xff", "x.yaml")


def test_unknown_chip_names_the_nearest_and_lists_all():
    (finding,) = refused("loihi")
    assert finding.code == "NE2010"
    assert finding.fixes[0] == "did you mean 'loihi1'?"
    assert "loihi1-wide" in finding.fixes[1]


@pytest.mark.parametrize("path", ["no/such/chip.yaml", "none.yaml", "a\0b"])
def test_missing_file_is_refused(path):
    assert [finding.code for finding in refused(path)] == ["NE2001"]


def test_folder_called_like_a_chip_is_refused(tmp_path):
    (tmp_path / "own.yaml").mkdir()
    assert [finding.code for finding in validate_file(tmp_path / "own.yaml")] == ["NE2001"]
    with pytest.raises(BadInput, match="cannot read"):
        read_tree(tmp_path / "own.yaml", "own.yaml")


def variant(folder, name, base, *lines):
    path = folder / f"{name}.yaml"
    path.write_text("\n".join([f"extends: {base}", f"name: {name}", f"title: {name}", *lines]), encoding="utf-8")
    return path


def test_five_lines_make_a_variant(tmp_path):
    chip = load_chip(variant(tmp_path, "mine", "loihi1", "limits:", "  compartments: 2048"))
    assert (chip.name, chip.limits.compartments.value, chip.limits.compartments.kind) == ("mine", 2048, "assumed")
    assert chip.limits.input_axons.value == 4096


def test_variant_may_extend_a_file_beside_it(tmp_path):
    variant(tmp_path, "first", "loihi1", "limits: {trace_profiles: 4}")
    by_file = load_chip(variant(tmp_path, "second", "first.yaml", "limits: {input_axons: 2048}"))
    by_name = load_chip(variant(tmp_path, "third", "first"))
    assert by_file.limits.trace_profiles.value == by_name.limits.trace_profiles.value == 4
    assert by_file.limits.input_axons.value == 2048


def test_mistake_in_an_inherited_value_points_to_the_file_that_states_it(tmp_path, edited):
    base = edited(("value: 23.6 pJ", "value: 23.6 pj"))
    path = variant(tmp_path, "mine", "own", "limits: {compartmants: 7}")
    places = {finding.code: finding.where for finding in refused(path)}
    assert places["NE2023"] == place_in(base, "23.6 pj")
    assert places["NE2020"] == place_in(path, "compartmants")


def test_contradiction_between_own_and_inherited_values_is_found(tmp_path):
    path = variant(tmp_path, "mine", "loihi1", "structure: {mesh_rows: 8}")
    (finding,) = refused(path)
    assert finding.code == "NE2030" and "write cores: 256" in finding.fixes


def test_name_and_title_are_not_inherited(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: loihi1\n", encoding="utf-8")
    assert [finding.message.split("'")[1] for finding in refused(path)] == ["name", "title"]


def test_circle_of_extends_is_refused(tmp_path):
    variant(tmp_path, "a", "b.yaml")
    (finding,) = refused(variant(tmp_path, "b", "a.yaml"))
    assert finding.code == "NE2007" and "b -> a -> b" in finding.message


def test_endless_chain_of_extends_is_refused(tmp_path):
    for number in range(MAX_EXTENDS + 2):
        variant(tmp_path, f"c{number}", f"c{number + 1}.yaml")
    assert [finding.code for finding in refused(tmp_path / "c0.yaml")] == ["NE2007"]


@pytest.mark.parametrize("base", ["loihi7", "nowhere.yaml", "[loihi1]"])
def test_unusable_base_is_refused_at_its_place(tmp_path, base):
    path = variant(tmp_path, "mine", base)
    (finding,) = refused(path)
    assert finding.code == "NE2007" and finding.where == f"{path}:1:10"


def test_own_folders_are_searched_after_the_shipped_chips(tmp_path, monkeypatch, edited):
    edited()
    (tmp_path / "loihi1.yaml").write_text("not a chip", encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("name: [", encoding="utf-8")
    (tmp_path / "partial.yaml").write_text("name: partial", encoding="utf-8")
    monkeypatch.setenv("NEUROEMU_CHIPS", os.pathsep.join([str(tmp_path), str(tmp_path / "absent")]))
    listed = {entry.name: entry for entry in list_chips()}
    shipped = [
        "lifcore-bench",
        "lifcore-rtl",
        "lifcore",
        "loihi1-wide",
        "loihi1",
        "sanafe-loihi",
        "truenorth-ranc",
        "truenorth",
    ]
    assert list(listed) == [*shipped, "broken", "own", "partial"]
    assert listed["own"].title == "Intel Loihi 1" and listed["own"].problem == ""
    assert "NE2002" in listed["broken"].problem and "NE2021" in listed["partial"].problem
    assert listed["loihi1"].to_dict()["family"] == "loihi"
    assert load_chip("own").limits == load_chip("loihi1").limits
    assert find_chip("loihi1") != tmp_path / "loihi1.yaml"


def test_every_code_of_this_room_is_explained():
    room = Path(spec.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in (*sorted(room.glob("*.py")), room.parent / "units.py")]
    used = set(re.findall(r"NE2\d{3}", "".join(sources)))
    explained = {code for code in all_explanations() if code.startswith("NE2")}
    assert used == explained


def test_the_copied_chip_itself_is_valid(edited):
    assert "name: own" in LOIHI1
    assert validate_file(edited()) == []
