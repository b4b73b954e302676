"""IBM's model files with comments, repeated keys and runs, and its spike files: read, written, refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.formats.ibm_cpe import (
    DEFAULTS,
    CpeSpikes,
    compact,
    is_model,
    model_text,
    parse_model,
    read_model,
    read_spikes,
    spikes_text,
    write_model,
)
from neuroemu.image.records import same_value

MODELS = sorted((Path(__file__).resolve().parents[1] / "golden" / "truenorth").glob("*.model.json.gz"))


def text_of(file: Path) -> str:
    return gzip.decompress(file.read_bytes()).decode()


def core(**changes: Any) -> dict[str, Any]:
    neurons = {
        "dendrites": ["0:3"],
        "types": ["1x3", "0x1"],
        "destCores": ["0", "-32x2", "-1"],
        "destAxons": ["1:3", "0"],
        "destDelays": ["1x4"],
    }
    rows = [{"type": f"S{number}", "synapses": "F0"} for number in range(4)]
    return {"id": 0, "rngSeed": 9, "neurons": neurons, "crossbar": {"rows": rows}} | changes


def model(cores: tuple[dict[str, Any], ...] = (core(),), **changes: Any) -> str:
    data = {
        "model": {"coreCount": len(cores), "crossbarSize": 8, "neuronclass": "NeuronGeneral"},
        "crossbarTypes": [],
        "neuronTypes": [{"name": "N00000001", "alpha": 3, "b2": True}],
    } | changes
    text = json.dumps(data)[:-1]
    return text + "".join(f', /* one */ "core": {json.dumps(entry)}' for entry in cores) + "}"


def refused(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        parse_model(text)
    return [str(finding) for finding in caught.value.findings]


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.name.split(".")[0])
def test_ibms_models_are_written_and_read_back(file: Path, tmp_path: Path) -> None:
    original = parse_model(text_of(file), "again.json")
    write_model(tmp_path / "again.json", original)
    assert is_model(tmp_path / "again.json")
    assert same_value(read_model(tmp_path / "again.json"), original)
    assert len(model_text(original)) < 1.01 * len(text_of(file))


def test_repeated_cores_are_all_read() -> None:
    found = parse_model(text_of(next(file for file in MODELS if "pattern_match" in file.name)))
    assert [entry.id for entry in found.cores] == [0, 1]
    assert [entry.corelet for entry in found.cores] == ["splitter_corelet", "patternMatch_corelet"]


def test_neuron_types_go_by_the_number_in_their_name() -> None:
    found = parse_model(text_of(next(file for file in MODELS if "example2" in file.name)))
    assert list(found.types) == [3, 1, 2]
    assert [found.types[number]["s1"] for number in (1, 2, 3)] == [0, 2, 1]


def test_what_a_type_leaves_out_is_the_class_default() -> None:
    found = parse_model(model())
    assert found.types[1] == DEFAULTS | {"alpha": 3, "b2": 1}
    (only,) = found.cores
    assert (only.seed, only.delay.tolist(), only.core.tolist()) == (9, [1] * 4, [0, -32, -32, -1])
    assert only.axon.tolist() == [1, 2, 3, 0] and only.axon_type.tolist() == [0, 1, 2, 3]


def test_neurons_may_be_listed_one_by_one_with_the_names_of_their_types() -> None:
    entry = {"type": "N00000001", "dendrite": 5, "destCore": -33, "destAxon": 2, "delay": 4}
    (only,) = parse_model(model((core(neurons=[entry]),))).cores
    assert [int(column[0]) for column in (only.neuron, only.type, only.core, only.axon, only.delay)] == [
        5,
        1,
        -33,
        2,
        4,
    ]


@pytest.mark.parametrize("inner", ['\\"', '"\\', '\\\\"', '" /*', "/*", '"\\" /* '])
def test_text_without_end_is_refused_in_linear_time(inner: str) -> None:
    for text in ('{"model": ' + inner * 100_000, '{"model": "' + inner * 100_000, '{"model": /*' + inner * 100_000):
        assert any("NE1071" in finding for finding in refused(text))


def test_a_comment_without_end_is_no_comment() -> None:
    assert any("NE1071" in finding for finding in refused(model() + "/* never closed"))
    assert any("NE1071" in finding for finding in refused(model() + "/*/"))
    assert parse_model(model() + "/* closed */").size == 8


def test_comments_inside_names_stay() -> None:
    text = model().replace('"crossbarTypes"', '"note": "a /* b */ c", /* "core": 1 \n */ "crossbarTypes"')
    assert parse_model(text).size == 8


@given(st.lists(st.integers(-40, 300), max_size=60))
def test_runs_expand_to_what_was_compacted(values: list[int]) -> None:
    from neuroemu.formats.ibm_cpe import _Reader

    reader = _Reader("x")
    expanded = reader.runs(compact(values), 60, "here")
    assert expanded is not None and expanded.tolist() == values and not reader.findings


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("{", "NE1071", "Expecting"),
        ("[]", "NE1070", "no 'model' header"),
        ('{"model": {}}', "NE1070", "no 'core'"),
        ('{"model": {}, "model": {}, "core": {}}', "NE1071", "'model' appears twice"),
        ('{"model": {"coreCount": NaN}, "core": {}}', "NE1071", "NaN"),
        ("[" * 100_000, "NE1071", ""),
        (model(model={"coreCount": 2, "crossbarSize": 8}), "NE1072", "coreCount is 2, the file has 1 cores"),
        (model(model={"crossbarSize": 1 << 40}), "NE1072", "crossbarSize"),
        (model(model={"crossbarSize": 8, "neuronclass": "NeuronSimple"}), "NE1070", "NeuronSimple"),
        (model(neuronTypes=[{"name": "N1", "alpha": "3"}]), "NE1072", "alpha is '3'"),
        (model(neuronTypes=[{"name": "N1", "sigma0": 2}]), "NE1072", "a sign is 1 or -1"),
        (model(neuronTypes=[{"name": "N1", "VR": 1 << 30}]), "NE1072", "VR"),
        (model(neuronTypes=[{"name": "N1", "s0": -3}]), "NE1072", "s0 is -3; it must be a whole number of 0..1048576"),
        (model(neuronTypes=[{"name": "N1", "lambda": -3}]), "NE1072", "lambda is -3"),
        (model((core(crossbar={"name": ["p"]}),)), "NE1072", "there is no crossbar type ['p']"),
        (model((core(neurons=[{"type": ["x"], "dendrite": 0}]),)), "NE1072", "there is no neuron type ['x']"),
        (model(neuronTypes=[{"name": "N1", "omega": 1}]), "NE1072", "unknown keys: omega"),
        (model(neuronTypes=[{"name": "N1"}, {"name": "M01"}]), "NE1072", "no number of its own"),
        (model(neuronTypes=[{"name": "N2"}]), "NE1072", "there is no neuron type 1"),
        (model((core(id=-1),)), "NE1072", "id is -1"),
        (model((core(), core())), "NE1072", "the id 0 is given to two cores"),
        (model((core(timeScaleExponent=1),)), "NE1070", "another tick"),
        (model((core(crossbar={"name": "none"}),)), "NE1072", "no crossbar type 'none'"),
        (model((core(crossbar={"rows": [{"type": "S0", "synapses": "F0F0"}]}),)), "NE1073", "1 hexadecimal bytes"),
        (model((core(crossbar={"rows": [{"type": "Z", "synapses": "F0"}]}),)), "NE1072", "S0 to S3"),
        (model((core(crossbar=3),)), "NE1072", "needs a list of rows"),
        (model((core(neurons={}),)), "NE1073", "is not a list of runs"),
    ],
)
def test_what_is_wrong_with_a_model_is_told_with_its_place(text: str, code: str, told: str) -> None:
    assert any(code in finding and told in finding for finding in refused(text))


@pytest.mark.parametrize(
    ("key", "runs", "told"),
    [
        ("types", ["1x3"], "types expands to 3 values, dendrites to 4"),
        ("types", ["1x9999999999"], "more than the 8 neurons"),
        ("dendrites", ["0:9999999999"], "more than the 8 neurons"),
        ("dendrites", ["0:2", "2"], "neuron 2 has 2 targets, a neuron has one"),
        ("dendrites", ["5:8"], "there is no neuron 8 (1 such numbers); a core has 0..7"),
        ("types", ["1y3"], "no run such as"),
        ("types", [{"a": 1}], "no run such as"),
        ("destCores", ["3:0"], "counts down"),
        ("destCores", ["7x4"], "neither a core of the file nor a connector"),
        ("destCores", ["-3x4"], "neither a core of the file nor a connector"),
        ("destCores", ["-65568x4"], "pin 1 of connector 65536 is none of the pins 0..65535 of connectors 0..65535"),
        ("destAxons", ["0x1", "-5x3"], "pin -5 of connector 0"),
    ],
)
def test_runs_are_checked_before_they_are_expanded(key: str, runs: list[Any], told: str) -> None:
    entry = core()
    entry["neurons"][key] = runs
    found = refused(model((entry,)))
    assert [told in finding for finding in found if "NE1073" in finding or len(found) == 1] == [True]


def test_all_problems_come_at_once_and_not_without_end() -> None:
    with pytest.raises(BadInput) as caught:
        parse_model(
            model((core(id="x", rngSeed=-1, crossbar=None),), neuronTypes=[{"name": "N1", "gamma": None}] * 300)
        )
    assert 4 <= len(caught.value.findings) <= 100


@pytest.mark.parametrize("content", ["{}", '{"network": 1}', "model: 1", ""])
def test_other_files_are_no_models(content: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    assert not is_model(tmp_path / "a.json")
    assert not is_model(tmp_path / "none.json")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xff\xfe")
    for name in ("none.json", "a.json", "."):
        with pytest.raises(BadInput, match="NE1001"):
            read_model(tmp_path / name)


# ---- spike files -----------------------------------------------------------------------------------------------------


def test_spike_files_are_written_and_read_back(tmp_path: Path) -> None:
    spikes = CpeSpikes(*(np.array(column) for column in ([0, 0, 7], [1, 0, 2], [255, 3, 9])), delay=2)
    (tmp_path / "a.sfti").write_text(spikes_text(spikes))
    assert same_value(read_spikes(tmp_path / "a.sfti"), spikes)


def test_a_spike_file_without_spikes_is_empty(tmp_path: Path) -> None:
    empty = CpeSpikes(*np.zeros((3, 0), np.int64))
    (tmp_path / "a.sfti").write_text(spikes_text(empty) + "\n \n")
    assert read_spikes(tmp_path / "a.sfti").tick.shape == (0,)


HEADER = '{"class":"SpikeWriter","encoding":"TEXT"}\n'


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "has no header"),
        ("12", "line 1 is no JSON object"),
        ("{", "line 1 is no JSON object"),
        ('{"spike":{"srcTime":0,"destCore":0,"destAxon":0}}', "line 1 is no header"),
        ('{"class":"SpikeWriter","encoding":"BINARY"}', "line 1 is no header"),
        (HEADER + '{"defaultDestinationDelay": 16}', "default delay"),
        (HEADER + '{"defaultDestinationDelay": "1"}', "default delay"),
        (
            HEADER + '{"spike":{"srcTime":-1,"destCore":0,"destAxon":0}}',
            "line 2 needs whole numbers: srcTime from 0 to",
        ),
        (HEADER + '{"spike":{"srcTime":0,"destCore":0}}', "line 2 needs"),
        (HEADER + '{"spike":{"srcTime":true,"destCore":0,"destAxon":0}}', "line 2 needs"),
        (HEADER + '{"spike":4}', "line 2 needs"),
    ],
)
def test_lines_that_are_no_spikes_are_named(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.sfti").write_text(content)
    with pytest.raises(BadInput, match=told) as caught:
        read_spikes(tmp_path / "a.sfti")
    assert caught.value.findings[0].code == "NE1074"
