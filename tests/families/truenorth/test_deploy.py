"""Trained networks on TrueNorth: accuracy beside float, what is replaced or refused is said, weights as axon types."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import DoesNotFit
from neuroemu.families.truenorth.boot import boot
from neuroemu.families.truenorth.codes import CODES, clustered, combinations, fitted
from neuroemu.families.truenorth.image import pack, unpack
from neuroemu.families.truenorth.lower import lower
from neuroemu.families.truenorth.pieces import wire
from neuroemu.formats import load
from neuroemu.formats.samples import load_samples
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.families.truenorth.networks import dense, inputs_of, neuron, trinary
from tools import truenorth_accuracy

pytestmark = pytest.mark.compiled

REPOSITORY = Path(__file__).resolve().parents[3]
EXAMPLES = REPOSITORY / "examples"
CHIP: Any = load_chip("truenorth")


def example(name: str, samples: str) -> tuple[Network, Any]:
    file = next(file for file in (EXAMPLES / f"{name}.yaml", EXAMPLES / f"{name}.nir") if file.exists())
    network = load(file, "auto" if file.suffix == ".yaml" else "snntorch-hard", None)
    return network, load_samples(EXAMPLES / f"{samples}.npz", network)


def codes(findings: Any) -> list[str]:
    return [finding.code for finding in findings]


# ---------------------------------------------------------------------------------------- trained networks


def test_a_network_trained_for_trinary_weights_loses_nothing() -> None:
    network, given = example("digits_trinary", "digits_test")
    deployment = deploy(network, "truenorth")
    document = deployment.run(given.inputs).report(given.labels).document
    assert deployment.findings == ()
    assert document["accuracy"]["chip"] == document["accuracy"]["float"] >= 0.93
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]
    assert [row["weight_error_max"] for row in document["quantisation"]] == [0, 0]
    assert document["quantisation"][0]["remarks"] == ["two axons per source, one for each sign"]


@pytest.mark.parametrize(
    ("name", "samples", "said"),
    [
        ("digits_mlp", "digits_test", ["NE3601", "NE3601"]),
        ("digits_conv", "digits_conv", ["NE3601", "NE3601", "NE3602"]),
        ("digits_recurrent", "digits_recurrent", ["NE3601", "NE3601"]),
    ],
)
def test_networks_trained_for_nothing_in_particular_lose_at_most_three_points(
    name: str, samples: str, said: list[str]
) -> None:
    network, given = example(name, samples)
    deployment = deploy(network, "truenorth")
    accuracy = deployment.run(given.inputs).report(given.labels).document["accuracy"]
    assert accuracy["chip"] >= accuracy["float"] - 0.03
    assert accuracy["agreement_with_float"] >= 0.95
    assert codes(deployment.compiled.findings) == said


def test_a_program_survives_packing_and_boots_from_the_image_alone() -> None:
    network, _ = example("digits_trinary", "digits_test")
    program = deploy(network, "truenorth").compiled.program
    again = pack(unpack(program))
    assert all(np.array_equal(again.sections[name], data) for name, data in program.sections.items())
    assert boot(again).symbols.outputs == ("out",)
    assert deploy(network, "truenorth", placer="hilbert").compiled.program.manifest["family"] == "truenorth"


@pytest.mark.parametrize("name", ["digits_trinary", "edge_detector", "spikingjelly_if_conv", "ties_spikingjelly_if"])
def test_the_page_holds_the_accuracy_that_a_run_has(name: str) -> None:
    before = json.loads(truenorth_accuracy.EARLIER.read_text(encoding="utf-8"))
    page = truenorth_accuracy.PAGE.read_text(encoding="utf-8").splitlines()
    assert truenorth_accuracy.row(name, truenorth_accuracy.measure(name), before) in page


def test_the_page_has_a_row_for_every_network_with_samples() -> None:
    rows = [line for line in truenorth_accuracy.PAGE.read_text(encoding="utf-8").splitlines() if line.count("|") == 8]
    assert [line.split("`")[1] for line in rows if "`" in line] == list(truenorth_accuracy.networks())


def test_finer_weights_never_make_feedback_late() -> None:
    network = load(EXAMPLES / "braille_soft.nir", "snntorch-soft", None)
    room = int(CHIP.limits.neurons.value), int(CHIP.limits.delay_ticks_max.value)
    assert wire(network, lower(network, CHIP), *room).late == {"lif1.lif"}
    assert wire(network, lower(network, CHIP, sparing={"lif1.lif"}), *room).late == frozenset()
    assert "NE3605" not in codes(deploy(network, CHIP).compiled.findings)


def test_a_population_that_one_spike_per_tick_silences_is_said() -> None:
    builder = NetworkBuilder("bursts", dt_s=1e-3).input("in", (2,))
    burst = neuron(0.0625, reset="subtract", multispike=True)
    builder.population("bursts", (2,), burst).population("out", (1,), neuron(4.0, membrane_decay=np.zeros(1)))
    network = (
        builder.dense("in", "bursts", np.eye(2)).dense("bursts", "out", np.full((1, 2), 0.25)).output("out").build()
    )
    document = deploy(network, CHIP).run({"in": np.ones((1, 9, 2), np.uint8)}).report().document
    found = {finding["code"]: finding for finding in document["findings"]}
    assert found["NE6024"]["where"] == "population out"
    assert "is silent on the chip: 0 spikes in 1 samples, 9 in float" in found["NE6024"]["message"]


# ---------------------------------------------------------------------------------------- what a neuron can be


@pytest.mark.parametrize("compare", ["gt", "ge"])
@pytest.mark.parametrize("reset", ["zero", "none"])
def test_both_comparisons_are_exact_on_whole_numbers(compare: str, reset: str) -> None:
    network = dense(compare=compare, reset=reset)
    document = deploy(network, CHIP).run(inputs_of(network, 3, 20)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]


def test_a_lower_bound_of_the_membrane_is_the_negative_threshold() -> None:
    network = dense(min_v=-0.5)
    document = deploy(network, CHIP).run(inputs_of(network, 3, 30)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]
    beta = lower(network, CHIP).populations[0].registers["beta"]
    assert np.array_equal(beta, lower(network, CHIP).populations[0].registers["alpha"])


def test_a_neuron_that_forgets_compares_its_sum_with_the_leak() -> None:
    network = dense(membrane_decay=np.zeros(1))
    registers = lower(network, CHIP).populations[0].registers
    assert all((registers[name] == 0).all() for name in ("alpha", "beta", "gamma", "kappa", "reset"))
    assert (registers["leak"] < 0).all()
    document = deploy(network, CHIP).run(inputs_of(network, 3, 20)).report().document
    assert [layer["differing_bins_float_chip"] for layer in document["fidelity"]] == [0, 0]


def test_a_decay_becomes_a_constant_leak_towards_zero() -> None:
    lowered = lower(dense(membrane_decay=np.full(1, 0.75)), CHIP)
    registers = lowered.populations[0].registers
    assert (registers["reversal"] == 1).all()
    assert np.array_equal(10 * -registers["leak"], registers["alpha"])
    assert codes(lowered.findings) == ["NE3601", "NE3601"]
    assert "off by up to 15.0% of the threshold per tick" in lowered.findings[0].message


def test_a_bias_beside_a_decay_is_a_source_that_fires_in_every_tick() -> None:
    network = dense(membrane_decay=np.full(1, 0.75), leak_input=np.full(1, 0.25))
    lowered = lower(network, CHIP)
    assert [port.name for port in lowered.ports if port.constant] == ["bias:hidden", "bias:out"]
    run = deploy(network, CHIP).run({"in": np.zeros((1, 12, 20), np.uint8)})
    assert run.spikes("hidden").sum() > 0


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"refractory_ticks": 2}, "NE3604"),
        ({"multispike": True}, "NE3604"),
        ({"reset_delay": True}, "NE3604"),
        ({"reset": "subtract_snntorch"}, "NE3604"),
        ({"current_decay": np.full(1, 0.5), "current_gain": np.ones(1)}, "NE3603"),
    ],
)
def test_what_is_replaced_is_said(values: dict[str, Any], code: str) -> None:
    assert set(codes(lower(dense(**values), CHIP).findings)) == {code}


def analog(decay: float) -> Network:
    """The hidden layer without a threshold, as an output."""
    network = dense(membrane_decay=np.full(1, decay))
    out = network.populations["out"]
    assert out.neuron is not None
    changed = replace(out, neuron=replace(out.neuron, threshold=None, reset="none"))
    return replace(network, populations={**network.populations, "out": changed})


def test_an_analog_output_is_read_from_the_potentials_and_says_so() -> None:
    network = analog(1.0)
    deployment = deploy(network, CHIP)
    assert codes(deployment.compiled.findings) == ["NE3606"]
    inputs = inputs_of(network, 10, 20)
    labels = np.zeros(10, np.int64)
    assert deployment.run(inputs).report(labels).document["accuracy"]["agreement_with_float"] == 1.0


def test_an_analog_output_of_single_ticks_is_refused() -> None:
    with pytest.raises(DoesNotFit) as caught:
        deploy(analog(0.0), CHIP)
    assert codes(caught.value.findings) == ["NE3606"]
    assert "analog read-out of single ticks" in caught.value.findings[0].message


def test_an_analog_layer_feeds_nothing() -> None:
    network = dense()
    hidden = network.populations["hidden"]
    assert hidden.neuron is not None
    changed = replace(hidden, neuron=replace(hidden.neuron, threshold=None, reset="none"))
    with pytest.raises(DoesNotFit, match="feeds out with 30 analog values"):
        deploy(replace(network, populations={**network.populations, "hidden": changed}), CHIP)


def wide_inputs(inputs: int, **values: Any) -> Network:
    rng = np.random.default_rng(6)
    builder = NetworkBuilder("inputs", dt_s=1e-3).input("in", (inputs,))
    builder.population("out", (5,), neuron(2.0, **values))
    return builder.dense("in", "out", rng.choice([-0.25, 0.25], (5, inputs))).output("out").build()


def test_a_257th_input_of_a_neuron_without_memory_is_refused_with_its_numbers() -> None:
    fits = deploy(wide_inputs(256, membrane_decay=np.zeros(1)), CHIP).compiled
    assert [row["weight_error_max"] for row in fits.rounding] == [0] and fits.mapping["cores_used"] == 5
    with pytest.raises(DoesNotFit) as caught:
        deploy(wide_inputs(257, membrane_decay=np.zeros(1)), CHIP)
    (finding,) = caught.value.findings
    assert finding.code == "NE3602"
    assert "257 inputs and needs 257 axons, 1 more than the 256 of a core" in finding.message
    assert "prune to 256 inputs, 128 with weights of both signs" in finding.fixes


def test_a_neuron_that_integrates_takes_257_inputs_in_parts() -> None:
    network = wide_inputs(257, reset="subtract")
    deployment = deploy(network, CHIP)
    assert codes(deployment.compiled.findings) == ["NE3602"]
    assert "its sum is formed in 5 parts by 50 further neurons" in deployment.compiled.findings[0].message
    assert deployment.compiled.tick_offsets == {"out": 1}
    document = deployment.run(inputs_of(network, 4, 60)).report().document
    chip, wanted = document["fidelity"][0]["spikes_chip"], document["fidelity"][0]["spikes_float"]
    assert wanted > 100
    assert abs(chip - wanted) < 0.15 * wanted


def test_the_signs_of_a_partial_sum_never_spike_together_and_lose_no_charge() -> None:
    lowered = lower(wide_inputs(300, reset="subtract"), CHIP)
    parts = lowered.populations[0]
    registers = parts.registers
    assert parts.name == "out:parts"
    assert np.array_equal(registers["alpha"], registers["beta"])
    assert not (registers["alpha"] % 2).any()
    assert set(parts.initial.tolist()) == {1, -1}
    assert all(not (tile.table % 2).any() for tile in parts.tiles)


def test_coarse_weights_are_said_with_their_error() -> None:
    rng = np.random.default_rng(6)
    builder = NetworkBuilder("coarse", dt_s=1e-3).input("in", (200,))
    builder.population("out", (20,), neuron(2.0)).dense("in", "out", rng.uniform(-1, 1, (20, 200)))
    (finding,) = deploy(builder.output("out").build(), CHIP).compiled.findings
    assert finding.code == "NE3608"
    assert "are 1 for each of 200 inputs" in finding.message


# ---------------------------------------------------------------------------------------- weights as axon types


@pytest.mark.parametrize("code", CODES)
def test_weights_that_are_sums_of_a_table_are_found_exactly(code: tuple[int, ...]) -> None:
    values = combinations(code)
    place = np.cumprod([1, *(most + 1 for most in code[:-1])])
    place[-1] *= -1 if len(code) > 1 else 1
    rows = np.stack([(values * place).sum(axis=1), (values * -place).sum(axis=1)]) / 16.0
    assert np.allclose(fitted(rows, code).weight, rows, rtol=0, atol=1e-12)


def test_more_axons_never_fit_worse() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (20, 60))
    errors = [float(((fitted(rows, code).weight - rows) ** 2).sum()) for code in CODES[:4]]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.03 * float((rows**2).sum())


def test_a_weight_of_zero_has_no_synapse() -> None:
    rows = trinary(np.random.default_rng(0), (6, 40))
    assert not fitted(rows, (1, 1, 1)).counts[rows == 0].any()


def test_sources_of_one_sign_need_one_axon_each() -> None:
    rng = np.random.default_rng(1)
    sign = np.where(rng.random(100) < 0.5, 1.0, -0.5)
    rows = (rng.random((30, 100)) < 0.4) * sign * rng.uniform(0.5, 2, (30, 1))
    kind, table = clustered(rows)
    assert np.allclose(table.weight, rows)
    assert all(np.unique(sign[kind == number]).shape[0] <= 1 for number in range(4))


def test_every_tile_holds_the_weights_that_the_report_speaks_of() -> None:
    network, _ = example("digits_mlp", "digits_test")
    lowered = lower(network, CHIP)
    for population in lowered.populations:
        (projection,) = lowered.quantised.incoming(population.name)
        wanted = projection.stages[0].to_sparse().toarray()
        found = np.zeros((population.size, sum(block.size for block in population.columns)))
        for tile in population.tiles:
            for axon in range(tile.column.shape[0]):
                found[tile.neurons, tile.column[axon]] += tile.weight[axon]
        assert np.array_equal(found[:, : wanted.shape[1]], wanted)
