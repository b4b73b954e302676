"""Networks exported by training frameworks compute what the frameworks computed, spike for spike."""

import json
from pathlib import Path

import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.formats import load
from neuroemu.formats.dialects import case_dialect
from neuroemu.formats.nir import load_nir
from neuroemu.formats.samples import load_samples
from neuroemu.network.coding import predictions
from neuroemu.network.reference import simulate

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CASES = sorted(path.parent.name for path in (GOLDEN / "nir").glob("*/case.json"))
PAPER = GOLDEN / "nir_paper"


def recorded(name):
    folder = GOLDEN / "nir" / name
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    with np.load(folder / "data.npz") as data:
        return folder / "network.nir", case, dict(data)


def test_all_sixteen_cases_are_here():
    assert len(CASES) == 16


@pytest.mark.parametrize("name", CASES)
def test_float_reference_equals_the_source_framework_in_every_bin(name):
    path, case, data = recorded(name)
    network = load_nir(path, case_dialect(case))
    result = simulate(network, data["input"])
    output = result.output_of(network.outputs[0]).reshape(data["out_spikes"].shape)
    assert int((output != data["out_spikes"]).sum()) == 0
    assert np.array_equal(predictions(output), data["pred"])
    if "hidden__lif1" in data:
        hidden = "lif1" if "lif1" in network.populations else "lif1.lif"
        assert np.array_equal(result.spikes[hidden].reshape(data["hidden__lif1"].shape), data["hidden__lif1"])


PRESET_OF_CASE = {
    "snntorch_leaky_zero": "snntorch-hard",
    "snntorch_leaky_scalar": "snntorch-hard",
    "snntorch_conv": "snntorch-hard",
    "snntorch_rleaky": "snntorch-hard",
    "snntorch_rleaky_nested": "snntorch-hard",
    "ties_snntorch": "snntorch-hard",
    "snntorch_leaky_subtract": "snntorch-soft",
    "snntorch_synaptic_subtract": "snntorch-soft",
    "snntorch_leaky_default": "snntorch",
    "norse_iaf": "norse",
    "norse_lifbox": "norse-1.1",
    "sinabs_iaf_cnn": "sinabs",
    "sinabs_lif_mlp": "sinabs",
    "spikingjelly_if_conv": "spikingjelly",
    "spikingjelly_lif": "spikingjelly",
    "ties_spikingjelly_if": "spikingjelly",
}


@pytest.mark.parametrize("name", CASES)
def test_named_preset_replays_the_case(name):
    path, _, data = recorded(name)
    network = load(path, PRESET_OF_CASE[name])
    output = simulate(network, data["input"]).output_of(network.outputs[0])
    assert np.array_equal(output.reshape(data["out_spikes"].shape), data["out_spikes"])


@pytest.mark.parametrize("name", CASES)
def test_auto_recognises_the_writer_and_says_why(name):
    network = load(recorded(name)[0])
    expected = PRESET_OF_CASE[name] if not name.startswith(("snntorch", "ties_snntorch")) else "snntorch-hard"
    assert network.dialect == expected
    (guess,) = [finding for finding in network.findings if finding.code == "NE1030"]
    assert guess.severity == "note" and expected in guess.message and "because" in guess.message
    untold = [finding for finding in network.findings if finding.code == "NE1033"]
    assert len(untold) == (1 if expected == "snntorch-hard" else 0)


@pytest.mark.parametrize("name", ["sinabs_iaf_cnn", "sinabs_lif_mlp", "norse_iaf", "spikingjelly_if_conv"])
def test_auto_computes_the_recorded_spikes(name):
    path, _, data = recorded(name)
    network = load(path)
    output = simulate(network, data["input"]).output_of(network.outputs[0])
    assert np.array_equal(output.reshape(data["out_spikes"].shape), data["out_spikes"])


def test_nested_and_flat_file_of_one_network_are_the_same():
    flat, nested = (load(recorded(name)[0]) for name in ("snntorch_rleaky", "snntorch_rleaky_nested"))
    assert list(flat.populations) == list(nested.populations)
    assert [p.name for p in flat.projections] == [p.name for p in nested.projections]
    assert [p.delay_ticks for p in flat.projections] == [p.delay_ticks for p in nested.projections]


def test_the_wrong_reset_is_seen():
    path, _, data = recorded("snntorch_leaky_subtract")
    plain = simulate(load_nir(path, "snntorch-hard", reset="subtract"), data["input"]).spikes["lif2"]
    assert int((plain != data["out_spikes"]).any(axis=(1, 2)).sum()) == 78


def test_without_snapping_exact_ties_flip():
    path, _, data = recorded("ties_snntorch")
    unsnapped = simulate(load_nir(path, "snntorch-hard", snap=False), data["input"]).spikes["n"]
    assert int((unsnapped != data["out_spikes"]).sum()) == 782


def test_six_paper_networks_load():
    names = sorted(path.name for path in PAPER.glob("*.nir") if "subgraph" not in path.name)
    loaded = {name: load(PAPER / name) for name in names}
    assert {name: (network.dialect, network.dt_s) for name, network in loaded.items()} == {
        "braille_noDelay_bias_zero.nir": ("snntorch-hard", 1e-4),
        "braille_noDelay_noBias_subtract.nir": ("snntorch-hard", 1e-4),
        "cnn_sinabs.nir": ("sinabs", 1.0),
        "lif_norse.nir": ("norse", 1e-4),
        "lif_rockpool.nir": ("rockpool", 1e-4),
        "two_lif_neurons.nir": ("nir", 1e-4),
    }
    cnn = loaded["cnn_sinabs.nir"]
    assert cnn.populations["3"].shape == (16, 16, 16)
    assert cnn.neuron_count == 4096 + 4096 + 512 + 256 + 10
    assert [type(stage).__name__ for stage in cnn.incoming("6")[0].stages] == ["Pool2d", "Conv2d"]


@pytest.mark.parametrize(
    "name", ["braille_noDelay_bias_zero_subgraph.nir", "braille_noDelay_noBias_subtract_subgraph.nir"]
)
def test_subgraph_networks_are_refused_with_the_edge_and_the_nearest_name(name):
    with pytest.raises(BadInput) as caught:
        load(PAPER / name)
    first = caught.value.findings[0]
    assert first.code == "NE1012"
    assert first.where == f"{PAPER / name}:/node/nodes/lif1"
    assert "edge input -> lif" in first.message and "input, lif1, lin, output" in first.message
    assert "'lif1'" in first.fixes[0]


def trace(platform):
    return np.loadtxt(PAPER / f"lif_{platform}.csv", delimiter=",")


def test_norse_lif_fires_like_the_recorded_platform():
    rows = trace("norse")
    network = load(PAPER / "lif_norse.nir", dt_s=1e-4)
    spikes = simulate(network, rows[None, :, :1]).output_of(network.outputs[0])
    assert np.flatnonzero(spikes).tolist() == [460, 510, 710, 760] == np.flatnonzero(rows[:, 2]).tolist()


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_exponential_decay_with_euler_gain_fires_like_rockpool(reset):
    rows = trace("rockpool")
    network = load_nir(PAPER / "lif_norse.nir", dt_s=1e-4, decay="exp", gain="euler", reset=reset)
    spikes = simulate(network, rows[None, :, :1]).output_of(network.outputs[0])
    assert np.flatnonzero(spikes).tolist() == np.flatnonzero(rows[:, 2]).tolist() == [450, 500, 710, 760]


def test_leak_alone_drives_the_first_of_two_neurons():
    network = load(PAPER / "two_lif_neurons.nir", dt_s=1e-4)
    result = simulate(network, np.zeros((1, 1000, 1)))
    assert np.flatnonzero(result.spikes["lif1"]).tolist() == [178, 357, 536, 715, 894]
    assert result.spikes["lif2"].sum() == 0


def test_rockpool_output_shape_is_squeezed_with_a_warning():
    network = load(PAPER / "lif_rockpool.nir")
    (warning,) = [finding for finding in network.findings if finding.severity == "warning"]
    assert warning.code == "NE1021" and "(1, 1, 1)" in warning.message
    assert network.populations["1_LIFNeuronTorch"].shape == (1,)


def test_examples_compute_the_recorded_output(repository):
    examples = repository / "examples"
    for name, samples in (
        ("digits_mlp", "digits_test"),
        ("digits_conv", "digits_conv"),
        ("digits_recurrent", "digits_recurrent"),
    ):
        network = load(examples / f"{name}.nir", "snntorch-hard")
        given = load_samples(examples / f"{samples}.npz", network)
        assert np.array_equal(simulate(network, given.inputs).output_of(network.outputs[0]), given.expected)


@pytest.mark.parametrize("name", ["braille_bias_hard", "braille_soft", "nmnist_cnn"])
def test_synthetic_examples_make_every_layer_spike(repository, name):
    examples = repository / "examples"
    network = load(examples / f"{name}.nir")
    given = load_samples(examples / f"{name}.npz", network)
    part = {key: values[:1] for key, values in given.inputs.items()}
    assert all(spikes.any() for spikes in simulate(network, part).spikes.values())
    with np.load(examples / f"{name}.npz") as archive:
        assert "Synthetic" in str(archive["note"])
