"""The YAML format builds what the Python API builds, and its errors point at the line."""

import json
import runpy

import numpy as np
import pytest
import scipy.sparse as sp

from neuroemu.errors import BadInput
from neuroemu.formats import load
from neuroemu.formats.samples import load_samples
from neuroemu.formats.yaml_network import network_schema, parse_yaml
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.coding import accuracy, predictions
from neuroemu.network.connectivity import Dense, Pool2d, Scale, fold
from neuroemu.network.model import PARAMETERS
from neuroemu.network.neurons import cuba_li, cuba_lif, integrate_and_fire, integrator, li, lif, readout, threshold_gate
from neuroemu.network.reference import simulate

HEAD = "format: neuroemu-network/1\nname: net\ndt: 1 ms\n"
SMALL = (
    HEAD
    + """populations:
  in: {shape: [2]}
  out: {shape: [1], neuron: {model: lif, tau_mem: 10 ms}}
projections:
  - {from: in, to: out, stages: [{dense: {weight: [[1, 2]]}}]}
outputs: [out]
"""
)


def refusals(text, folder=None):
    with pytest.raises(BadInput) as caught:
        parse_yaml(text, "net.yaml", folder)
    assert caught.value.exit_code == 2
    return caught.value.findings


def assert_same_network(a, b):
    assert list(a.populations) == list(b.populations)
    assert (a.inputs, a.outputs, a.dt_s) == (b.inputs, b.outputs, b.dt_s)
    for name, population in a.populations.items():
        other = b.populations[name]
        assert population.shape == other.shape
        if population.neuron is None:
            assert other.neuron is None
            continue
        for parameter in PARAMETERS:
            mine, theirs = getattr(population.neuron, parameter), getattr(other.neuron, parameter)
            assert (mine is None and theirs is None) or np.array_equal(mine, theirs)
        for option in ("compare", "reset", "reset_delay", "multispike", "min_v", "refractory_ticks", "kind"):
            assert getattr(population.neuron, option) == getattr(other.neuron, option)
    for mine, theirs in zip(a.projections, b.projections, strict=True):
        assert (mine.source, mine.target, mine.delay_ticks) == (theirs.source, theirs.target, theirs.delay_ticks)
        assert np.array_equal(fold(mine.stages).to_sparse().toarray(), fold(theirs.stages).to_sparse().toarray())
        assert (mine.bias is None) == (theirs.bias is None)
        assert mine.bias is None or np.array_equal(mine.bias, theirs.bias)


def test_every_neuron_model_equals_its_python_function():
    text = HEAD + """populations:
  in: {shape: [2]}
  a: {shape: [2], neuron: {model: lif, tau_mem: [0.01, 2e-2], threshold: 0.5, resistance: 10, v_leak: 0.1, v_reset: -0.2}}
  b: {shape: [2], neuron: {model: if, input_gain: 0.5, reset: subtract, multispike: true, compare: ge, min_v: -1}}
  c: {shape: [2], neuron: {model: cuba_lif, tau_mem: 10 ms, tau_syn: 5 ms, w_in: 2, decay: exp, refractory_ticks: 3}}
  d: {shape: [2], neuron: {model: li, tau_mem: 10000 us, gain: euler, decay: exp}}
  e: {shape: [2], neuron: {model: cuba_li, tau_mem: inf, tau_syn: 5 ms, resistance: inf, snap: true}}
  f: {shape: [2], neuron: {model: integrator, input_gain: 3}}
  g: {shape: [2], neuron: {model: threshold, threshold: 0.5, compare: ge}}
  h: {shape: [2], neuron: {model: readout}}
  i: {shape: [2], neuron: {model: lif, tau_mem: 0.01, reset: subtract, reset_delay: true}}
projections:
""" + "".join(f"  - {{from: in, to: {name}, stages: [{{identity: {{}}}}]}}\n" for name in "abcdefghi")  # fmt: skip
    text += "outputs: [a, b, c, d, e, f, g, h, i]\n"
    builder = NetworkBuilder("net", dt_s=1e-3).input("in", (2,))
    neurons = {
        "a": lif(tau_mem_s=[0.01, 0.02], dt_s=1e-3, threshold=0.5, resistance=10, v_leak=0.1, v_reset=-0.2),
        "b": integrate_and_fire(input_gain=0.5, reset="subtract", multispike=True, compare="ge", min_v=-1),
        "c": cuba_lif(tau_mem_s=10e-3, tau_syn_s=5e-3, dt_s=1e-3, w_in=2, decay="exp", refractory_ticks=3),
        "d": li(tau_mem_s=10e-3, dt_s=1e-3, gain="euler", decay="exp"),
        "e": cuba_li(tau_mem_s=np.inf, tau_syn_s=5e-3, dt_s=1e-3, resistance=np.inf, snap=True),
        "f": integrator(input_gain=3),
        "g": threshold_gate(threshold=0.5, compare="ge"),
        "h": readout(),
        "i": lif(tau_mem_s=0.01, dt_s=1e-3, reset="subtract", reset_delay=True),
    }
    for name, neuron in neurons.items():
        builder.population(name, (2,), neuron).one_to_one("in", name)
    assert_same_network(parse_yaml(text), builder.output(*neurons).build())


def test_every_stage_equals_its_python_method(tmp_path, rng):
    kernels, matrix = rng.normal(size=(4, 1, 3, 2)), rng.normal(size=(3, 16))
    np.savez(tmp_path / "weights.npz", kernels=kernels, matrix=matrix)
    text = (
        HEAD
        + """weights: weights.npz
populations:
  image: {shape: [2, 6, 6]}
  maps: {shape: [4, 4, 5], neuron: {model: if}}
  out: {shape: [3], neuron: {model: if, threshold: [1, 2, 3]}}
projections:
  - from: image
    to: maps
    stages: [{conv2d: {weight: kernels, groups: 2, padding: [0, 0, 0, 1], stride: 1, dilation: [1, 2]}}]
    bias: [1, 2, 3, 4]
  - from: maps
    to: out
    stages: [{pool2d: {mode: average, kernel: 2}}, {scale: {factor: 2}}, {dense: {weight: matrix}}]
  - from: out
    to: out
    stages: [{sparse: {n_out: 3, target: [2, 0], source: [0, 1], weight: [0.5, -1]}}]
    delay: 1
    bias: 0.25
outputs: [out]
"""
    )
    (tmp_path / "net.yaml").write_text(text)
    builder = (
        NetworkBuilder("net", dt_s=1e-3).input("image", (2, 6, 6)).population("maps", (4, 4, 5), integrate_and_fire())
    )
    builder.population("out", (3,), integrate_and_fire(threshold=[1, 2, 3]))
    builder.conv2d("image", "maps", kernels, groups=2, padding=(0, 0, 0, 1), dilation=(1, 2), bias=[1, 2, 3, 4])
    pool = Pool2d("average", (4, 4, 5), (2, 2), (2, 2))
    builder.connect("maps", "out", pool, Scale(np.full(16, 2.0)), Dense(matrix))
    feedback = sp.csr_array((np.array([0.5, -1.0]), (np.array([2, 0]), np.array([0, 1]))), shape=(3, 3))
    builder.sparse("out", "out", feedback, delay_ticks=1, bias=np.full(3, 0.25))
    assert_same_network(load(tmp_path / "net.yaml"), builder.output("out").build())


def test_synapse_delays_follow_their_synapses():
    text = (
        HEAD
        + """populations:
  in: {shape: [2]}
  out: {shape: [2], neuron: {model: readout}}
projections:
  - {from: in, to: out, stages: [{sparse: {n_out: 2, target: [1, 0], source: [0, 1], weight: [5, 7], delay: [2, 0]}}]}
outputs: [out]
"""
    )
    x = np.zeros((1, 3, 2))
    x[0, 0] = 1
    assert simulate(parse_yaml(text), x).values["out"][0].tolist() == [[7, 0], [0, 0], [0, 5]]


def test_example_network_tells_orientations_apart(repository):
    network = load(repository / "examples" / "edge_detector.yaml")
    samples = load_samples(repository / "examples" / "edge_detector.npz", network)
    spikes = simulate(network, samples.inputs).output_of("votes")
    assert accuracy(predictions(spikes), samples.labels) == 1.0


def test_published_schema_is_current(repository):
    published = (repository / "neuroemu" / "formats" / "network.schema.json").read_text(encoding="utf-8")
    assert json.loads(published) == network_schema()
    tool = runpy.run_path(str(repository / "tools" / "make_network_schema.py"))
    assert published == tool["schema_text"](), "run python tools/make_network_schema.py"


def test_schema_names_every_key_of_a_population():
    schema = network_schema()
    assert schema["$defs"]["PopulationEntry"]["properties"].keys() == {"shape", "neuron"}
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"format", "name", "dt", "populations", "outputs"}


@pytest.mark.parametrize(
    ("old", "new", "at", "part"),
    [
        ("tau_mem", "tau_men", "tau_men", "tau_men' is unknown"),
        ("tau_mem: 10 ms", "threshold: 1", "{model", "'tau_mem' is missing"),
        ("model: lif", "model: lfi", "{model", "'lfi'"),
        ("shape: [2]", "shape: [0]", "0]", "greater than or equal to 1"),
        ("shape: [2]", "shape: 2", "2}", "valid list"),
        ("dt: 1 ms", "dt: 1 mJ", "1 mJ", "energy"),
        ("dt: 1 ms", "dt: 0", "0\n", "positive"),
        ("dt: 1 ms", "dt: soon", "soon", "soon"),
        ("format: neuroemu-network/1", "format: 2", "2\n", "neuroemu-network/1"),
        ("to: out", "to: outt", "outt", "'outt'"),
        ("weight: [[1, 2]]", "weight: [[1, 2], [3]]", "[[1", "different lengths"),
        ("weight: [[1, 2]]", "weight: [[1, two]]", "[[1", "not a number"),
        ("weight: [[1, 2]]", "weight: [[1, 2, 3]]", "[[1", "(n_out, 2) is needed"),
        ("weight: [[1, 2]]", "weight: fc1", "fc1", "no array 'fc1'"),
        ("weight: [[1, 2]]", "weight: true", "true", "needs a number"),
        ("{dense: {weight: [[1, 2]]}}", "{}", "{}", "exactly one kind"),
        ("{dense: {weight: [[1, 2]]}}", "{identity: {}, scale: {factor: 1}}", "{identity", "exactly one kind"),
        ("{dense: {weight: [[1, 2]]}}", "{identity: {}}", "{from", "gives 2 values"),
        ("{dense: {weight: [[1, 2]]}}", "{pool2d: {kernel: 2}}", "{kernel", "(channels, height, width)"),
        ("{dense: {weight: [[1, 2]]}}", "{scale: {factor: [1, 2, 3]}}", "[1, 2, 3]", "(3,)"),
        ("tau_mem: 10 ms", "tau_mem: -1 ms", "{model", "must be positive"),
        ("tau_mem: 10 ms", "tau_mem: [1, 2]", "[1, 2]", "has the shape (2,)"),
        ("outputs: [out]", "outputs: [uot]", "format", "'uot'"),
        ("outputs: [out]", "weights: ../secret.npz\noutputs: [out]", "../secret", "same folder"),
        ("outputs: [out]", "weights: w.npz\noutputs: [out]", "w.npz", "without a folder"),
        ("in: {shape: [2]}", "in: {shape: [16777216, 2]}", "[16777216", "the limit is"),
    ],
)
def test_a_mistake_is_shown_at_its_line_and_column(old, new, at, part):
    assert old in SMALL
    text = SMALL.replace(old, new, 1)
    before = text[: text.index(at)]
    finding = next(finding for finding in refusals(text) if part in finding.message)
    assert finding.where == f"net.yaml:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_typos_are_answered_with_the_nearest_key():
    (finding,) = refusals(SMALL.replace("dense", "desne"))[:1]
    assert finding.fixes == ("did you mean 'dense'?",)


def test_all_mistakes_are_listed_at_once():
    text = SMALL.replace("name: net", "nmae: net").replace("[1]", "[-1]").replace("to: out", "too: out")
    found = refusals(text)
    assert len(found) == 5
    assert len({finding.where for finding in found}) >= 4


@pytest.mark.parametrize(
    ("stage", "part"),
    [
        ("conv2d: {weight: [1, 2]}", "(out, in / groups, height, width)"),
        ("conv2d: {weight: [[[[1]]]], groups: 2}", "does not fit 1 input channels"),
        ("conv2d: {weight: [[[[1]]]], stride: 0}", "whole number from 1"),
        ("conv2d: {weight: [[[[1]]]], stride: [1, 2, 3]}", "list of 2"),
        ("conv2d: {weight: [[[[1, 1, 1, 1]]]]}", "spans 4 pixels, the padded image has 3"),
        ("conv2d: {weight: [[[[1]]]], padding: 1000000}", "larger than"),
        ("pool2d: {kernel: 4}", "spans 4 pixels"),
        ("sparse: {n_out: 1, target: [0, 0], source: [1, 1], weight: 1}", "listed twice"),
        ("sparse: {n_out: 1, target: [0], source: [9], weight: 1}", "0 to 8"),
        ("sparse: {n_out: 1, target: [0, 0], source: [1, 2], weight: [1, 2, 3]}", "different lengths"),
    ],
)
def test_unusable_stages_say_why(stage, part):
    text = HEAD + f"""populations:
  in: {{shape: [1, 3, 3]}}
  out: {{shape: [1], neuron: {{model: readout}}}}
projections:
  - {{from: in, to: out, stages: [{{{stage}}}]}}
outputs: [out]
"""  # fmt: skip
    assert part in refusals(text)[0].message


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a: [1", "NE1060", "x.yaml:1:6"),
        ("a: 1\na: 2", "NE1062", "net.yaml:2:1"),
        ("? [1]\n: 2", "NE1062", "net.yaml:1:3"),
        ("a: &x 1\nb: *x", "NE1061", "net.yaml:1:4"),
        ("a: !!python/object:os.system x", "NE1061", "net.yaml:1:4"),
        ("[" * 100 + "]" * 100, "NE1061", "net.yaml:1:25"),
        ("- 1\n- 2", "NE1063", "net.yaml:1:1"),
        ("", "NE1063", "net.yaml:1:1"),
        ("a: 1\n---\nb: 2", "NE1060", "net.yaml:2:1"),
        ("a: \x07", "NE1060", "net.yaml"),
    ],
)
def test_text_that_is_no_network_is_refused(text, code, place):
    finding = refusals(text)[0]
    assert finding.code == code
    assert finding.where == place or code == "NE1060"


def test_too_many_values_are_refused(monkeypatch):
    monkeypatch.setattr("neuroemu.formats.yaml_text.MOST_VALUES", 10)
    (finding,) = refusals("[" + "1, " * 20 + "]")
    assert finding.code == "NE1061" and ".npz" in finding.fixes[0]


def test_too_large_or_missing_files_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "net.yaml"
    path.write_text(SMALL)
    monkeypatch.setattr("neuroemu.formats.yaml_text.MOST_BYTES", 10)
    with pytest.raises(BadInput, match="larger than 10 bytes"):
        load(path)


def test_nir_options_do_not_apply(tmp_path):
    path = tmp_path / "net.yaml"
    path.write_text(SMALL)
    with pytest.raises(BadInput) as caught:
        load(path, dialect="norse")
    assert caught.value.findings[0].code == "NE1006"
    assert load(path).dialect == "yaml"


def test_missing_array_and_damaged_weights_are_named(tmp_path):
    text = SMALL.replace("weight: [[1, 2]]", "weight: fc2").replace("outputs", "weights: w.npz\noutputs")
    np.savez(tmp_path / "w.npz", fc1=np.ones((1, 2)), text=np.array("x"))
    (finding,) = refusals(text, tmp_path)
    assert finding.fixes == ("did you mean 'fc1'?",)
    assert "not numbers" in refusals(text.replace("fc2", "text"), tmp_path)[0].message
    (tmp_path / "w.npz").write_bytes(b"broken")
    (finding,) = refusals(text, tmp_path)
    assert finding.code == "NE1040" and finding.where == "net.yaml:9:10"


def test_explicit_inputs_are_kept():
    network = parse_yaml(SMALL.replace("outputs: [out]", "inputs: [in]\noutputs: [out]"))
    assert network.inputs == ("in",) and network.name == "net"
