"""A chip travels inside a program image as plain data and comes back the same, or is refused."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neuroemu.errors import BadInput
from neuroemu.spec import Chip, ChipSpec, describe, list_chips, load_chip
from neuroemu.spec.facts import Energy, Measurement, Ratio
from neuroemu.spec.load import validate_file
from neuroemu.spec.tree import parse_tree, plain
from tests.spec.own_chip import LOIHI1

DATA = load_chip("loihi1").to_dict()


@pytest.mark.parametrize("name", [entry.name for entry in list_chips()])
def test_plain_data_brings_back_the_same_chip(name):
    chip = load_chip(name)
    again = ChipSpec.from_dict(json.loads(json.dumps(chip.to_dict())))
    assert again == chip and type(again) is type(chip)
    assert again.fingerprint == chip.fingerprint
    assert copy.deepcopy(chip) == chip


def test_public_name_loads_a_chip():
    assert Chip.load("loihi1") == load_chip("loihi1")


def test_chip_cannot_be_changed():
    chip = load_chip("loihi1")
    with pytest.raises(ValueError, match="frozen"):
        chip.limits.compartments.value = 2048


def test_broken_plain_data_names_the_key_path():
    data = copy.deepcopy(DATA)
    data["limits"]["compartments"]["value"] = "many"
    data["cost_sets"]["sanafe2025"]["energy"]["hop_esat_west"] = "3 pJ"
    with pytest.raises(BadInput) as caught:
        ChipSpec.from_dict(data, "program.nemu")
    assert {finding.where for finding in caught.value.findings} == {
        "program.nemu:/limits/compartments/value",
        "program.nemu:/cost_sets/sanafe2025/energy/hop_esat_west",
    }


def test_bottomless_plain_data_is_refused():
    data = copy.deepcopy(DATA)
    inner = data["physical"]
    for _ in range(5000):
        inner["deeper"] = {}
        inner = inner["deeper"]
    with pytest.raises(BadInput, match="NE2003"):
        ChipSpec.from_dict(data)


@given(st.floats(min_value=1e-30, max_value=1e30))
def test_energies_survive_plain_data_to_the_last_bit(energy_j):
    energy = Energy(value=f"{energy_j!r} J", kind="assumed")
    assert energy.value == energy_j
    assert Energy.model_validate(energy.model_dump(mode="json")) == energy


@given(
    st.floats(min_value=1e-300, max_value=1e6) | st.floats(min_value=-1e6, max_value=-1e-300) | st.just(0.0),
    st.sampled_from(["mJ", "us", "inference/s", "", "%"]),
)
def test_measurements_keep_value_and_unit(value, unit):
    """Down to where a double in SI units ends; beyond, a value that would become 0 is refused."""
    measurement = Measurement.model_validate({"value": f"{value!r} {unit}", "kind": "assumed"})
    again = Measurement.model_validate(measurement.model_dump(mode="json"))
    assert (again.value, again.unit) == (measurement.value, measurement.unit)


@given(st.floats(min_value=-10, max_value=10))
def test_ratios_survive_as_percentages(value):
    ratio = Ratio(value=value, kind="assumed")
    assert Ratio.model_validate(ratio.model_dump(mode="json")).value == value


def test_bare_measurement_is_an_assumption_with_its_unit():
    measurement = Measurement.model_validate("3 mm2")
    assert (measurement.value, measurement.unit, measurement.kind) == (3e-6, "m²", "assumed")


@pytest.mark.parametrize("written", ["3 parsec", True, None, [3], {"value": None, "kind": "assumed"}])
def test_measurement_that_is_none_is_refused(written):
    with pytest.raises(ValidationError):
        Measurement.model_validate(written)


@pytest.mark.parametrize("written", [float("nan"), float("inf"), True, None, "3 J"])
def test_ratio_is_a_finite_number(written):
    with pytest.raises(ValidationError):
        Ratio.model_validate({"value": written, "kind": "assumed"})


def test_quantity_is_rounded_for_people():
    assert Energy.model_validate("1.23456 pJ").people() == "1.23 pJ"


def test_rows_show_every_fact_once_with_its_provenance():
    rows = describe(load_chip("loihi1"))
    paths = [row.path for row in rows]
    assert len(paths) == len(set(paths))
    by_path = {row.path: row for row in rows}
    row = by_path["cost_sets.davies2018.energy.synaptic_operation"]
    assert (row.text, row.unit, row.range_text) == ("23.6 pJ", "J", "at least 23.6 pJ")
    assert by_path["limits.multicast"].text == "no"
    assert by_path["arithmetic.weight_bits_codes"].value == [0, 1, 2, 3, 4, 5, 6, 8]
    assert by_path["arithmetic.refractory_max"].range_text == "at most 64"
    assert by_path["static.power.kws_idle"].range_text == "29.36 mW to 29.87 mW"
    assert by_path["cost_sets.davies2018.rules.barrier"].text == "linear_in_tiles"
    assert json.dumps([row.to_dict() for row in rows])


# Any text, any bytes, any damage to a good file or to plain data: a chip or findings, never another error.


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    _read_or_refuse(data)


@given(st.text(alphabet="{}[]:,-#&*!|>'\"%@` \n\tabc0.eE~?", max_size=200))
def test_any_yaml_punctuation_is_read_or_refused(text):
    _read_or_refuse(text.encode())


def _read_or_refuse(data):
    try:
        tree = parse_tree(data, "x.yaml")
    except BadInput as refused:
        assert refused.findings
        return
    with pytest.raises(BadInput):
        ChipSpec.from_dict(plain(tree))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_damage_to_a_chip_file_is_found_or_harmless(tmp_path_factory, data):
    start = data.draw(st.integers(0, len(LOIHI1)))
    stop = data.draw(st.integers(start, min(len(LOIHI1), start + 40)))
    damaged = LOIHI1[:start] + data.draw(st.text(alphabet="{}[]:, \n'\"#&*abJ1.-", max_size=6)) + LOIHI1[stop:]
    path = tmp_path_factory.mktemp("damaged") / "own.yaml"
    path.write_text(damaged, encoding="utf-8")
    findings = validate_file(path)
    assert all(finding.code.startswith("NE2") and finding.where for finding in findings)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("3 pJ"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.data(), JSON)
def test_any_foreign_value_inside_plain_data_is_found_or_harmless(draw, value):
    damaged = copy.deepcopy(DATA)
    parent, key = draw.draw(st.sampled_from(list(_places(damaged))))
    parent[key] = value
    try:
        assert isinstance(ChipSpec.from_dict(damaged), ChipSpec)
    except BadInput as refused:
        assert all(finding.code.startswith("NE2") for finding in refused.findings)


def _places(data):
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        yield data, key
        if isinstance(value, dict | list):
            yield from _places(value)
