"""Whatever bytes a reader is given, it answers with a network or with BadInput, and nothing else."""

from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.formats import load
from neuroemu.formats.samples import load_samples
from neuroemu.formats.yaml_network import parse_yaml
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.network.neurons import lif

ROOMY = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
VICTIMS = {}


def victim() -> bytes:
    """A small recurrent NIR file with a convolution, compressed and plain arrays."""
    if "nir" not in VICTIMS:
        with h5py.File("victim", "w", driver="core", backing_store=False) as file:
            fill(file)
            file.flush()
            VICTIMS["nir"] = file.id.get_file_image()
    return VICTIMS["nir"]


def fill(file: h5py.File) -> None:
    file["version"] = "1.0.8"
    root = file.create_group("node")
    root["type"] = "NIRGraph"
    names = [("input", "conv"), ("conv", "lif"), ("lif", "flat"), ("flat", "fc"), ("fc", "out"), ("out", "output")]
    edges = np.array([[a.encode(), b.encode()] for a, b in [*names, ("lif", "rec"), ("rec", "lif")]], dtype=object)
    root.create_dataset("edges", data=edges, dtype=h5py.string_dtype())
    one = np.ones((2, 3, 3))
    members = {
        "input": {"type": "Input", "shape": np.array([1, 5, 5])},
        "conv": {
            "type": "Conv2d", "weight": np.ones((2, 1, 3, 3)), "stride": np.array([1, 1]), "padding": 0, "dilation": 1,
            "groups": 1, "bias": np.zeros(2), "input_shape": np.array([5, 5]),
        },
        "lif": {"type": "LIF", "tau": 5e-4 * one, "r": 5 * one, "v_leak": 0 * one, "v_threshold": one, "v_reset": 0 * one},
        "rec": {"type": "Scale", "scale": 0.5 * one},
        "flat": {"type": "Flatten", "start_dim": 0, "end_dim": -1, "input_type": np.array([2, 3, 3])},
        "fc": {"type": "Affine", "weight": np.ones((3, 18)), "bias": np.zeros(3)},
        "out": {"type": "IF", "r": 1e4 * np.ones(3), "v_threshold": np.ones(3)},
        "output": {"type": "Output", "shape": np.array([3])},
    }  # fmt: skip
    for name, fields in members.items():
        group = root.create_group(f"nodes/{name}")
        for key, value in fields.items():
            array = isinstance(value, np.ndarray) and value.ndim
            group.create_dataset(key, data=value, **({"compression": "gzip"} if array else {}))


def survives(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    try:
        network = load(path)
    except BadInput as refusal:
        assert refusal.findings and all(finding.message and finding.where for finding in refusal.findings)
        assert refusal.exit_code == 2
    else:
        assert isinstance(network, Network)


def test_the_victim_itself_loads(tmp_path):
    path = tmp_path / "victim.nir"
    path.write_bytes(victim())
    assert list(load(path).populations) == ["input", "lif", "out"]


@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), min_size=1, max_size=6))
@settings(ROOMY, max_examples=80)
def test_flipped_bytes_of_a_nir_file(tmp_path, flips):
    content = bytearray(victim())
    for position, mask in flips:
        content[int(position * len(content))] ^= mask
    survives(bytes(content), tmp_path / "flipped.nir")


@given(keep=st.floats(0, 1), tail=st.binary(max_size=64))
@settings(ROOMY, max_examples=60)
def test_truncated_nir_file_with_any_tail(tmp_path, keep, tail):
    content = victim()
    survives(content[: int(keep * len(content))] + tail, tmp_path / "cut.nir")


NODE_FIELDS = ("weight", "bias", "tau", "r", "v_leak", "v_threshold", "scale", "stride", "padding", "groups", "shape",
               "kernel_size", "start_dim", "end_dim", "delay", "input_shape", "tau_syn", "tau_mem", "w_in")  # fmt: skip
TYPES = ("Input", "Output", "Linear", "Affine", "Scale", "Conv1d", "Conv2d", "SumPool2d", "AvgPool2d", "Flatten", "Delay",
         "Threshold", "I", "IF", "LI", "LIF", "CubaLI", "CubaLIF", "NIRGraph", "Mystery")  # fmt: skip
numbers = st.one_of(st.integers(-3, 5), st.floats(width=32), st.sampled_from([0, 1, 2, 1e-4, 1e30]))
arrays = st.one_of(
    numbers.map(np.array),
    st.lists(numbers, max_size=4).map(np.array),
    st.tuples(st.integers(0, 3), st.integers(0, 3)).map(np.ones),
    st.tuples(st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3)).map(np.ones),
    st.sampled_from(["same", "valid", "?"]),
)
graphs = st.tuples(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(NODE_FIELDS), arrays, max_size=7)),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.tuples(st.sampled_from("abcdefg"), st.sampled_from("abcdefg")), max_size=10),
)


@given(graph=graphs)
@settings(ROOMY, max_examples=100)
def test_well_formed_hdf5_with_any_nodes_and_edges(tmp_path, graph):
    nodes, edges = graph
    path = tmp_path / "graph.nir"
    with h5py.File(path, "w") as file:
        root = file.create_group("node")
        root["type"] = "NIRGraph"
        listed = np.array([[a.encode(), b.encode()] for a, b in edges], dtype=object).reshape(-1, 2)
        root.create_dataset("edges", data=listed, dtype=h5py.string_dtype())
        for name, (kind, fields) in nodes.items():
            group = root.create_group(f"nodes/{name}")
            group["type"] = kind
            for key, value in fields.items():
                group[key] = value
    survives(path.read_bytes(), path)


SHAPED = ("Linear", "Affine", "Scale", "IF", "LIF", "Threshold", "Delay", "LI")


def node_of(kind: str, size: int) -> dict[str, object]:
    """A sound node of ``size`` values in and out."""
    one = np.ones(size)
    return {
        "Linear": {"weight": np.ones((size, size))},
        "Affine": {"weight": np.ones((size, size)), "bias": one},
        "Scale": {"scale": one},
        "IF": {"r": 1e4 * one, "v_threshold": one},
        "LIF": {"tau": 5e-4 * one, "r": 5 * one, "v_leak": 0 * one, "v_threshold": one},
        "LI": {"tau": 5e-4 * one, "r": 5 * one, "v_leak": 0 * one},
        "Threshold": {"threshold": one},
        "Delay": {"delay": 1e-4 * one},
    }[kind]


@given(
    kinds=st.lists(st.sampled_from(SHAPED), min_size=1, max_size=6),
    extra=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6),
)
@settings(ROOMY, max_examples=100)
def test_any_wiring_of_sound_nodes_loads_or_names_a_loop(tmp_path, kinds, extra):
    path = tmp_path / "wired.nir"
    names = ["in", *(f"n{k}" for k in range(len(kinds))), "out"]
    edges = list(pairwise(names))
    edges += [(f"n{a}", f"n{b}") for a, b in extra if max(a, b) < len(kinds)]
    with h5py.File(path, "w") as file:
        root = file.create_group("node")
        root["type"] = "NIRGraph"
        root.create_dataset("edges", data=np.array(edges, dtype="S"))
        for name, kind in zip(names, ["Input", *kinds, "Output"], strict=True):
            group = root.create_group(f"nodes/{name}")
            group["type"] = kind
            for key, value in ({"shape": np.array([2])} if kind in ("Input", "Output") else node_of(kind, 2)).items():
                group[key] = value
    try:
        network = load(path)
    except BadInput as refusal:
        assert {finding.code for finding in refusal.findings} <= {"NE1019", "NE1028"}
    else:
        assert network.inputs == ("in",) and len(network.outputs) == 1


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
FRAGMENTS = st.sampled_from([
    "format: neuroemu-network/1\n", "name: n\n", "dt: 1 ms\n", "populations:\n", "  in: {shape: [2]}\n",
    "  a: {shape: [1], neuron: {model: lif, tau_mem: 1}}\n", "projections:\n", "  - from: in\n", "    to: a\n",
    "    stages: [{dense: {weight: [[1, 2]]}}]\n", "    delay: 1\n", "inputs: [in]\n", "outputs: [in]\n",
    "weights: x.npz\n", "{", "}", "[", "]", "&a ", "*a", "!!x ", ": ", "? ", "- ", "\t", "'", '"', "|\n", "%YAML 1.1\n",
    "---\n", "1e999", "0x10", ".nan", "\x00", "\ufeff", "é",
])  # fmt: skip


def yaml_survives(text: str) -> None:
    try:
        network = parse_yaml(text)
    except BadInput as refusal:
        assert all(finding.where.startswith("network.yaml") for finding in refusal.findings)
    else:
        assert isinstance(network, Network)


@given(st.text(max_size=200))
@settings(ROOMY, max_examples=100)
def test_any_text_as_yaml(text):
    yaml_survives(text)


@given(st.lists(FRAGMENTS, max_size=25).map("".join))
@settings(ROOMY, max_examples=100)
def test_shuffled_pieces_of_networks_as_yaml(text):
    yaml_survives(text)


@given(st.data())
@settings(ROOMY, max_examples=80)
def test_a_network_with_one_value_replaced(repository, data):
    import yaml

    tree = yaml.safe_load((repository / "examples" / "edge_detector.yaml").read_text(encoding="utf-8"))
    spot = tree
    for _ in range(data.draw(st.integers(0, 5))):
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(spot[key], dict | list) or not spot[key]:
            break
        spot = spot[key]
    key = data.draw(st.sampled_from(list(spot) if isinstance(spot, dict) else list(range(len(spot)))))
    spot[key] = data.draw(plain)
    yaml_survives(yaml.safe_dump(tree, allow_unicode=True))


@pytest.fixture(scope="module")
def network():
    builder = NetworkBuilder("net", dt_s=1.0).input("in", (2,)).population("out", (1,), lif(tau_mem_s=2.0, dt_s=1.0))
    return builder.dense("in", "out", np.ones((1, 2))).output("out").build()


@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=5),
    keep=st.floats(0.2, 1),
)
@settings(ROOMY, max_examples=80)
def test_damaged_sample_archives(tmp_path, network, flips, keep):
    path = tmp_path / "samples.npz"
    np.savez_compressed(path, input=np.ones((2, 3, 2), np.uint8), labels=np.zeros(2, int))
    content = bytearray(path.read_bytes())
    for position, mask in flips:
        content[int(position * len(content))] ^= mask
    path.write_bytes(content[: int(keep * len(content))] if keep < 0.9 else content)
    try:
        samples = load_samples(path, network)
    except BadInput as refusal:
        assert all(str(path) in finding.where for finding in refusal.findings)
    else:
        assert samples.inputs["in"].shape == (2, 3, 2)
