"""Sample files are checked against the network before anything is believed."""

import io
import zipfile

import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.formats.samples import load_samples
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import lif


@pytest.fixture
def network():
    builder = (
        NetworkBuilder("net", dt_s=1.0).input("image", (1, 2, 2)).population("out", (3,), lif(tau_mem_s=2.0, dt_s=1.0))
    )
    return builder.dense("image", "out", np.ones((3, 4))).output("out").build()


@pytest.fixture
def two_inputs():
    builder = NetworkBuilder("net", dt_s=1.0).input("left", (2,)).input("right", (1,))
    builder.population("out", (3,), lif(tau_mem_s=2.0, dt_s=1.0))
    return builder.dense("left", "out", np.ones((3, 2))).dense("right", "out", np.ones((3, 1))).output("out").build()


@pytest.fixture
def save(tmp_path):
    def write(**arrays):
        np.savez_compressed(tmp_path / "samples.npz", **arrays)
        return tmp_path / "samples.npz"

    return write


def refusal(path, network):
    with pytest.raises(BadInput) as caught:
        load_samples(path, network)
    assert caught.value.exit_code == 2
    return caught.value.findings[0]


def test_all_keys_are_read(save, network):
    spikes = np.ones((2, 5, 1, 2, 2), dtype=bool)
    path = save(input=spikes, labels=[1, 2], out_spikes=np.zeros((2, 5, 3), np.uint8), note="synthetic")
    samples = load_samples(path, network)
    assert samples.inputs["image"].shape == (2, 5, 1, 2, 2) and samples.inputs["image"].dtype == np.uint8
    assert samples.labels.tolist() == [1, 2] and samples.expected.shape == (2, 5, 3)
    assert (samples.count, samples.ticks) == (2, 5)


def test_labels_and_expected_spikes_are_optional_and_flat_inputs_take_their_shape(save, network):
    samples = load_samples(save(input=np.ones((1, 4, 4), dtype=np.float32)), network)
    assert samples.labels is None and samples.expected is None
    assert samples.inputs["image"].shape == (1, 4, 1, 2, 2)


def test_large_counts_stay_whole(save, network):
    samples = load_samples(save(input=np.full((1, 1, 4), 300)), network)
    assert samples.inputs["image"].dtype == np.int32 and samples.inputs["image"].max() == 300


def test_several_inputs_are_named_in_the_keys(save, two_inputs):
    path = save(input__left=np.ones((2, 3, 2), np.uint8), input__right=np.zeros((2, 3, 1), np.uint8))
    assert {name: array.shape for name, array in load_samples(path, two_inputs).inputs.items()} == {
        "left": (2, 3, 2),
        "right": (2, 3, 1),
    }
    assert refusal(save(input=np.ones((2, 3, 2))), two_inputs).code == "NE1042"
    unequal = save(input__left=np.ones((2, 3, 2), np.uint8), input__right=np.zeros((2, 4, 1), np.uint8))
    assert "disagree" in refusal(unequal, two_inputs).message


@pytest.mark.parametrize(
    ("arrays", "code", "part"),
    [
        ({"input": np.zeros((2, 5, 1, 3, 2))}, "NE1131", "(2, 5, 1, 3, 2), the network takes (samples, ticks, 1, 2, 2)"),
        ({"input": np.zeros((2, 4))}, "NE1131", "(2, 4)"),
        ({"spikes": np.zeros((2, 5, 4))}, "NE1042", "needs input"),
        ({"input": np.full((1, 1, 4), 0.5)}, "NE1043", "4 of 4 values are no spike counts, for example 0.5"),
        ({"input": np.full((1, 1, 4), -1)}, "NE1043", "-1"),
        ({"input": np.full((1, 1, 4), np.nan)}, "NE1043", "nan"),
        ({"input": np.full((1, 1, 4), "a")}, "NE1043", "<U1"),
        ({"input": np.zeros((0, 5, 4))}, "NE1043", "0 samples"),
        ({"input": np.zeros((2, 0, 4))}, "NE1043", "0 ticks"),
        ({"input": np.zeros((2, 5, 4)), "labels": [1, 2, 3]}, "NE1044", "(3,)"),
        ({"input": np.zeros((2, 5, 4)), "labels": [0.5, 1.0]}, "NE1044", "float64"),
        ({"input": np.zeros((2, 5, 4)), "out_spikes": np.zeros((2, 5, 4))}, "NE1044", "(2, 5, 3)"),
        ({"input": np.array([None])}, "NE1040", "Python objects"),
    ],
)  # fmt: skip
def test_unusable_samples_say_what_is_needed(save, network, arrays, code, part):
    finding = refusal(save(**arrays), network)
    assert finding.code == code and part in finding.message


def test_files_that_are_no_archives(tmp_path, network, save):
    assert refusal(tmp_path / "missing.npz", network).code == "NE1001"
    assert refusal(tmp_path, network).code == "NE1001"
    text = tmp_path / "text.npz"
    text.write_text("hello")
    assert refusal(text, network).code == "NE1040"
    whole = save(input=np.ones((2, 5, 4), np.uint8)).read_bytes()
    cut = tmp_path / "cut.npz"
    cut.write_bytes(whole[: len(whole) // 2])
    assert refusal(cut, network).code == "NE1040"


def member(path, header, data=b""):
    """An archive whose ``input.npy`` has the given header text."""
    text = header.encode().ljust(117) + b"\n"
    stream = io.BytesIO()
    stream.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("input.npy", stream.getvalue())
    return path


def test_declared_size_must_be_in_the_file(tmp_path, network):
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 100000, 4), }"
    finding = refusal(member(tmp_path / "lie.npz", header), network)
    assert finding.code == "NE1041" and "(100000, 100000, 4)" in finding.message


@pytest.mark.parametrize("header", ["{'descr': 'zz', 'fortran_order': False, 'shape': (1,), }", "import os", "{}"])
def test_headers_that_are_no_headers_are_refused(tmp_path, network, header):
    assert refusal(member(tmp_path / "odd.npz", header), network).code == "NE1040"


def test_archive_that_unpacks_too_large_is_refused(save, network, monkeypatch):
    monkeypatch.setattr("neuroemu.formats.samples.MOST_BYTES", 1000)
    assert refusal(save(input=np.zeros((100, 100, 4), np.uint8)), network).code == "NE1041"
    monkeypatch.setattr("neuroemu.formats.samples.MOST_MEMBERS", 1)
    assert refusal(save(input=np.zeros((1, 1, 4), np.uint8), labels=[0]), network).code == "NE1041"


def test_fortran_order_is_respected(save, network):
    spikes = np.asfortranarray(np.arange(2 * 3 * 4).reshape(2, 3, 4).astype(np.uint8))
    assert np.array_equal(load_samples(save(input=spikes), network).inputs["image"].reshape(2, 3, 4), spikes)
