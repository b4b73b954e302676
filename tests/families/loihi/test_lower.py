"""From float networks to Loihi's integers: what is exact, what is rounded and said, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.loihi.lower import lower
from neuroemu.families.loihi.lowered import LoweredNetwork
from neuroemu.families.loihi.weights import EXCITATORY, INHIBITORY, MIXED
from neuroemu.machine import Run
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.connectivity import Dense, Sparse
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network, Neuron
from neuroemu.network.neurons import cuba_li, cuba_lif, integrate_and_fire, integrator, li, lif, threshold_gate
from neuroemu.network.reference import simulate
from neuroemu.spec import ChipSpec, load_chip
from neuroemu.toolchain import Deployment, deploy

LOIHI1 = load_chip("loihi1")
DT = 1e-3
TICKS = 24


def perfect(**changes: Any) -> Neuron:
    """Integrate and fire at 1: no leak, so that dyadic weights make every sum exact."""
    return integrate_and_fire(**{"threshold": 1.0, **changes})


def dyadic(rng: np.random.Generator, *shape: int, offset: int = 2) -> np.ndarray:
    """Sixteenths between -6/16 and 10/16."""
    return (rng.integers(-8, 9, shape) + offset) / 16


def spikes_for(
    network: Network, rng: np.random.Generator, samples: int = 2, rate: float = 0.3
) -> dict[str, np.ndarray]:
    return {
        name: (rng.random((samples, TICKS, *network.populations[name].shape)) < rate).astype(np.uint8)
        for name in network.inputs
    }


def on_chip(network: Network, inputs: Any) -> tuple[Deployment, Run]:
    deployment = deploy(network, LOIHI1)
    return deployment, deployment.run(inputs)


def differing_bins(network: Network, inputs: Any) -> dict[str, int]:
    """Bins in which chip and float network differ, after alignment; a silent population would prove nothing."""
    _, run = on_chip(network, inputs)
    reference = simulate(network, inputs)
    differing = {}
    for name, population in network.populations.items():
        if population.neuron is not None and population.neuron.spiking:
            wanted = reference.output_of(name)
            assert wanted.any(), f"{name} never fires"
            differing[name] = int((run.spikes(name) != wanted).sum())
    return differing


def one_layer(neuron: Neuron, weight: Any = None, bias: Any = None, size: int = 4, fan_in: int = 3) -> Network:
    values = np.full((size, fan_in), 0.375) if weight is None else np.asarray(weight, float)
    builder = NetworkBuilder("one layer", dt_s=DT).input("in", (values.shape[1],))
    builder.population("layer", (values.shape[0],), neuron)
    return builder.dense("in", "layer", values, bias=bias).output("layer").build()


def lowered(network: Network, chip: ChipSpec = LOIHI1) -> LoweredNetwork:
    return lower(network, chip)


def refused(network: Network, chip: ChipSpec = LOIHI1) -> tuple[Finding, ...]:
    with pytest.raises(DoesNotFit) as caught:
        lower(network, chip)
    assert all(len(finding.fixes) >= 3 for finding in caught.value.findings)
    return caught.value.findings


def codes(network: Network) -> list[str]:
    return [finding.code for finding in lowered(network).findings]


# ------------------------------------------------------------------------------------------------ exact by alignment


def test_a_feed_forward_chain_equals_the_float_network(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("chain", dt_s=DT).input("in", (6,))
    for source, target, size in (("in", "a", 8), ("a", "b", 7), ("b", "c", 5)):
        fan_in = {"in": 6, "a": 8, "b": 7}[source]
        builder.population(target, (size,), perfect()).dense(source, target, dyadic(rng, size, fan_in, offset=4))
    network = builder.output("c").build()
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0, "c": 0}


def test_skip_connections_wait_for_the_longer_path(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("skip", dt_s=DT).input("in", (6,))
    for name, size in (("a", 8), ("b", 7), ("c", 5)):
        builder.population(name, (size,), perfect())
    builder.dense("in", "a", dyadic(rng, 8, 6)).dense("a", "b", dyadic(rng, 7, 8)).dense("b", "c", dyadic(rng, 5, 7))
    builder.dense("in", "b", dyadic(rng, 7, 6)).dense("in", "c", dyadic(rng, 5, 6)).dense("a", "c", dyadic(rng, 5, 8))
    network = builder.output("c").build()
    delays = {projection.name: projection.delay for projection in lowered(network).projections}
    assert [delays[name] for name in ("in->a", "a->b", "b->c", "in->b", "a->c", "in->c")] == [0, 0, 0, 1, 1, 2]
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0, "c": 0}


def test_recurrence_within_a_population_is_exact(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("recurrent", dt_s=DT).input("in", (6,))
    builder.population("a", (8,), perfect()).population("b", (5,), perfect(compare="ge"))
    builder.dense("in", "a", dyadic(rng, 8, 6)).dense("a", "a", dyadic(rng, 8, 8, offset=0), delay_ticks=1)
    builder.dense("a", "b", dyadic(rng, 5, 8)).dense("b", "b", dyadic(rng, 5, 5, offset=0), delay_ticks=4)
    network = builder.output("b").build()
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0}


def test_convolution_and_pooling_are_exact(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("images", dt_s=DT).input("in", (2, 6, 6))
    builder.population("maps", (4, 6, 6), perfect()).population("sums", (4, 3, 3), perfect())
    builder.population("means", (4, 3, 3), perfect(compare="ge")).population("classes", (5,), perfect())
    builder.conv2d("in", "maps", dyadic(rng, 4, 2, 3, 3), padding=(1, 1, 1, 1), bias=dyadic(rng, 4))
    builder.pool2d("maps", "sums", (2, 2)).pool2d("maps", "means", (2, 2), average=True)
    builder.dense("sums", "classes", dyadic(rng, 5, 36, offset=0)).dense("means", "classes", dyadic(rng, 5, 36))
    network = builder.output("classes").build()
    assert differing_bins(network, spikes_for(network, rng)) == dict.fromkeys(("maps", "sums", "means", "classes"), 0)


def test_two_inputs_of_different_depth_meet_in_time(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("two inputs", dt_s=DT).input("left", (4,)).input("right", (3, 1, 2))
    builder.population("hidden", (6,), perfect()).population("both", (5,), perfect())
    builder.dense("left", "hidden", dyadic(rng, 6, 4, offset=4)).dense("hidden", "both", dyadic(rng, 5, 6))
    builder.dense("right", "both", dyadic(rng, 5, 6))
    network = builder.output("both").build()
    assert differing_bins(network, spikes_for(network, rng)) == {"hidden": 0, "both": 0}


def test_delays_of_single_synapses_are_exact(rng: np.random.Generator) -> None:
    weight = sp.csr_array(dyadic(rng, 6, 5, offset=3) * (rng.random((6, 5)) < 0.7))
    builder = NetworkBuilder("delays", dt_s=DT).input("in", (5,)).population("a", (6,), perfect())
    builder.population("b", (6,), perfect()).sparse("in", "a", weight, delay=rng.integers(0, 9, weight.nnz))
    builder.one_to_one("a", "b", 0.75, delay_ticks=3).sparse("in", "b", weight, delay=rng.integers(0, 5, weight.nnz))
    network = builder.output("b").build()
    assert differing_bins(network, spikes_for(network, rng, rate=0.5)) == {"a": 0, "b": 0}


def test_counts_above_one_at_the_input_are_exact(rng: np.random.Generator) -> None:
    network = one_layer(perfect(), dyadic(rng, 6, 4))
    counts = rng.integers(0, 4, (2, TICKS, 4)).astype(np.uint8)
    assert differing_bins(network, counts) == {"layer": 0}


def test_a_refractory_period_is_exact(rng: np.random.Generator) -> None:
    network = one_layer(perfect(refractory_ticks=3), dyadic(rng, 6, 4, offset=8))
    assert lowered(network).populations[0].refractory == 4
    assert differing_bins(network, spikes_for(network, rng, rate=0.8)) == {"layer": 0}


@st.composite
def exact_networks(draw: st.DrawFn) -> tuple[Network, dict[str, np.ndarray]]:
    """Any graph of integrate-and-fire populations with dyadic weights, biases, thresholds and delays."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    builder = NetworkBuilder("any graph", dt_s=DT).input("in", (4,))
    names, sizes = ["in"], {"in": 4}
    for number in range(draw(st.integers(1, 4))):
        name, size = f"p{number}", int(rng.integers(1, 6))
        thresholds = rng.choice([0.5, 1.0, 2.0], size)
        compare, refractory = str(rng.choice(["gt", "ge"])), int(rng.integers(0, 3))
        builder.population(name, (size,), perfect(threshold=thresholds, compare=compare, refractory_ticks=refractory))
        sources = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
        for source in sources:
            bias = dyadic(rng, size) / 2 if rng.random() < 0.3 else None
            delay = int(rng.choice([0, 0, 0, 1, 3]))
            builder.dense(source, name, dyadic(rng, size, sizes[source]), bias=bias, delay_ticks=delay)
        if rng.random() < 0.4:
            builder.dense(name, name, dyadic(rng, size, size, offset=0), delay_ticks=int(rng.integers(1, 4)))
        names, sizes[name] = [*names, name], size
    network = builder.output(names[-1]).build()
    return network, spikes_for(network, rng)


@given(exact_networks())
@settings(max_examples=40)
def test_any_graph_of_dyadic_integrate_and_fire_neurons_is_exact(case: tuple[Network, dict[str, np.ndarray]]) -> None:
    network, inputs = case
    _, run = on_chip(network, inputs)
    reference = simulate(network, inputs)
    for name in network.populations:
        if name not in network.inputs:
            assert np.array_equal(run.spikes(name), reference.output_of(name)), name


# ------------------------------------------------------------------------------------------------ the rounded twin


@given(st.integers(0, 1 << 32), st.sampled_from(["gt", "ge"]))
@settings(max_examples=30)
def test_the_rounded_twin_equals_the_chip_in_every_bin_where_nothing_leaks(seed: int, compare: str) -> None:
    rng = np.random.default_rng(seed)
    builder = NetworkBuilder("rounded", dt_s=DT).input("in", (5,))
    builder.population("a", (6,), perfect(threshold=rng.uniform(0.5, 2, 6), compare=compare))
    builder.population("b", (4,), perfect(compare=compare))
    builder.dense("in", "a", rng.normal(0.2, 0.4, (6, 5)), bias=rng.normal(0, 0.05, 6))
    builder.dense("a", "b", rng.uniform(0, 0.7, (4, 6))).dense("in", "b", -rng.uniform(0, 0.3, (4, 5)))
    network = builder.output("b").build()
    inputs = spikes_for(network, rng)
    deployment, run = on_chip(network, inputs)
    twin = simulate(deployment.compiled.quantised, inputs)
    for name in ("a", "b"):
        assert np.array_equal(run.spikes(name), twin.output_of(name))


def test_a_leaky_twin_differs_only_by_cut_off_fractions(rng: np.random.Generator) -> None:
    network = one_layer(lif(tau_mem_s=10 * DT, dt_s=DT, gain="euler"), rng.normal(4, 4, (30, 6)))
    inputs = spikes_for(network, rng, samples=6)
    deployment, run = on_chip(network, inputs)
    twin = simulate(deployment.compiled.quantised, inputs).output_of("layer")
    assert twin.sum() > 300
    assert (run.spikes("layer") != twin).sum() <= 3


def test_an_analog_output_follows_the_float_membrane(rng: np.random.Generator) -> None:
    for neuron in (li(tau_mem_s=8 * DT, dt_s=DT), integrator(), cuba_li(tau_syn_s=4 * DT, tau_mem_s=8 * DT, dt_s=DT)):
        network = one_layer(neuron, rng.normal(0, 1, (3, 6)))
        inputs = spikes_for(network, rng, samples=3)
        _, run = on_chip(network, inputs)
        scale = float(lowered(network).populations[0].scale[0])
        wanted = simulate(network, inputs).output_of("layer")
        assert np.abs(run.membranes("layer") / scale - wanted).max() < 0.02 * np.abs(wanted).max()
        assert np.array_equal(run.predictions(), wanted.sum(axis=1).argmax(axis=1))


def test_no_weight_lies_between_two_steps_of_the_chip(rng: np.random.Generator) -> None:
    """A weight exponent below -1 would be cut down to multiples of 64 on the chip, unseen by the report."""
    network = one_layer(integrator(), rng.normal(0, 1, (2, 40)))
    for projection in lowered(network).projections:
        values = projection.structure.weight * 2.0**projection.weight_exponent
        assert np.array_equal(values.data if isinstance(projection.structure, Sparse) else values, np.rint(values.data))


# ------------------------------------------------------------------------------------------------ scales


def test_thresholds_of_single_neurons_fold_into_their_weights() -> None:
    network = one_layer(perfect(threshold=np.array([0.5, 1.0, 2.0])), np.full((3, 1), 0.5))
    result = lowered(network)
    (projection,) = result.projections
    assert isinstance(projection.structure, Dense)
    column = projection.structure.weight[:, 0]
    assert (column / column[0]).tolist() == [1.0, 0.5, 0.25]
    assert projection.sign_mode == EXCITATORY
    (population,) = result.populations
    assert (population.scale * [0.5, 1.0, 2.0]).tolist() == [population.threshold * 64.0] * 3


def test_at_equality_only_the_greater_or_equal_neuron_fires() -> None:
    ones = np.ones((1, 6, 1), np.uint8)
    ticks = {}
    for compare in ("gt", "ge"):
        _, run = on_chip(one_layer(perfect(compare=compare), [[0.5]]), ones)
        ticks[compare] = run.events("layer")[1].tolist()
    assert ticks == {"gt": [2, 5], "ge": [1, 3, 5]}


def test_a_leaky_neuron_that_fires_at_equality_has_its_register_one_below() -> None:
    """At most half a per cent off, and right where membranes meet the threshold exactly."""
    strict, at_equality = (
        lowered(one_layer(lif(tau_mem_s=4 * DT, dt_s=DT, compare=compare))).populations[0] for compare in ("gt", "ge")
    )
    assert strict.scale[0] == strict.threshold * 64
    assert at_equality.scale[0] == (at_equality.threshold + 1) * 64
    assert at_equality.threshold >= 255


@pytest.mark.parametrize("compare", ["gt", "ge"])
@pytest.mark.parametrize("neuron", ["leaky", "gate"])
def test_membranes_that_meet_the_threshold_exactly_are_judged_as_in_float(
    neuron: str, compare: Any, rng: np.random.Generator
) -> None:
    """Dyadic weights and a decay of one half: most sums are multiples of a quarter, the threshold among them."""
    leaky = lif(tau_mem_s=2 * DT, dt_s=DT, resistance=2.0, compare=compare)
    network = one_layer(
        leaky if neuron == "leaky" else threshold_gate(threshold=1.0, compare=compare), dyadic(rng, 5, 4)
    )
    assert differing_bins(network, spikes_for(network, rng)) == {"layer": 0}


def test_a_readout_with_many_inputs_never_fires(rng: np.random.Generator) -> None:
    """The scale leaves room for the membrane that all inputs together can build up."""
    neuron = li(tau_mem_s=50 * DT, dt_s=DT, resistance=50.0)
    network = one_layer(neuron, rng.normal(0.02, 0.005, (2, 400)))
    inputs = spikes_for(network, rng)
    _, run = on_chip(network, inputs)
    assert run.events("layer")[0].size == 0


def test_a_large_bias_beside_many_small_weights_is_kept(rng: np.random.Generator) -> None:
    network = one_layer(perfect(), rng.choice([-0.01, 0.01], (2, 300)), bias=[0.5, 0.25])
    (rounding,) = lowered(network).rounding
    assert rounding.bias_error_max < 1e-3


def test_neurons_that_lose_all_synapses_to_rounding_are_named() -> None:
    network = one_layer(perfect(), [[5.0, 5.0], [0.001, 0.002]])
    (finding,) = [item for item in lowered(network).findings if item.code == "NE3016"]
    assert "1 neurons lose all their synapses" in finding.message
    assert "2 of 4 weights became 0" in finding.message


def test_one_signed_weights_keep_eight_bits_and_mixed_ones_get_two_lists_where_there_is_room() -> None:
    modes = {
        name: [projection.sign_mode for projection in lowered(one_layer(perfect(), weight)).projections]
        for name, weight in {"plus": [[0.5, 0.1]], "minus": [[-0.5, -0.1]], "both": [[-0.5, 0.1]]}.items()
    }
    assert modes == {"plus": [EXCITATORY], "minus": [INHIBITORY], "both": [EXCITATORY, INHIBITORY]}


def test_a_wide_layer_keeps_mixed_weights_in_one_list(rng: np.random.Generator) -> None:
    network = one_layer(perfect(), rng.normal(0, 0.1, (1024, 64)))
    (projection,) = lowered(network).projections
    assert projection.sign_mode == MIXED
    assert isinstance(projection.structure, Dense)
    assert np.all(projection.structure.weight % 2 == 0)


def test_the_report_bounds_every_weight_error_by_half_a_step(rng: np.random.Generator) -> None:
    network = one_layer(perfect(), rng.normal(0, 0.3, (20, 10)))
    (row,) = lowered(network).rounding
    assert 0 < row.weight_error_rms <= row.weight_error_max <= 0.5 / 127
    assert (row.threshold_error, row.clipped_weights) == (0.0, 0)
    assert (row.tau_membrane_ticks, row.tau_membrane_chip_ticks) == (None, None)


def test_the_report_shows_time_constants_before_and_after(rng: np.random.Generator) -> None:
    network = one_layer(cuba_lif(tau_syn_s=3 * DT, tau_mem_s=17 * DT, dt_s=DT, decay="exp"))
    (row,) = lowered(network).rounding
    assert row.tau_membrane_ticks == pytest.approx(17)
    assert row.tau_membrane_chip_ticks == pytest.approx(17, rel=5e-3)
    assert row.tau_current_ticks == pytest.approx(3)
    assert row.tau_current_chip_ticks == pytest.approx(3, rel=1e-3)


def test_weights_beyond_the_largest_exponent_are_clipped_and_counted() -> None:
    (row,) = lowered(one_layer(perfect(threshold=1.0), [[1e6, 1.0], [-1e6, 1.0]])).rounding
    assert row.clipped_weights == 2


def test_a_possible_overflow_of_the_accumulator_is_noted_and_counted_when_it_happens() -> None:
    network = one_layer(perfect(), np.full((1, 2000), 1.0))
    (finding,) = lowered(network).findings
    assert (finding.code, finding.severity) == ("NE3008", "note")
    ones = np.ones((1, 3, 2000), np.uint8)
    few = np.zeros_like(ones)
    few[:, :, :20] = 1
    assert on_chip(network, few)[1].costs.counters["accumulator_wraps"] == 0
    assert on_chip(network, ones)[1].costs.counters["accumulator_wraps"] == 3


def test_a_layer_without_weights_and_one_without_inputs_can_be_lowered() -> None:
    builder = NetworkBuilder("still", dt_s=DT).input("in", (2,)).population("zero", (3,), perfect())
    builder.population("alone", (2,), lif(tau_mem_s=4 * DT, dt_s=DT, v_leak=1.5)).population("end", (1,), perfect())
    builder.dense("in", "zero", np.zeros((3, 2))).dense("zero", "end", np.zeros((1, 3)))
    network = builder.dense("alone", "end", np.full((1, 2), 0.5)).output("end").build()
    reference = simulate(network, np.ones((1, TICKS, 2), np.uint8))
    _, run = on_chip(network, np.ones((1, TICKS, 2), np.uint8))
    assert reference.output_of("end").any()
    for name in ("zero", "alone", "end"):
        assert np.array_equal(run.spikes(name), reference.output_of(name))


# ------------------------------------------------------------------------------------------------ bias


def test_a_bias_on_the_membrane_uses_the_bias_register_and_starts_with_its_layer() -> None:
    builder = NetworkBuilder("late bias", dt_s=DT).input("in", (1,)).population("a", (1,), perfect())
    builder.population("b", (1,), perfect()).dense("in", "a", [[1.5]]).dense("a", "b", [[0.0]], bias=[0.375])
    network = builder.output("b").build()
    result = lowered(network)
    assert [population.tick_offset for population in result.populations] == [0, 1]
    assert [port.name for port in result.ports] == ["in"]
    _, run = on_chip(network, np.zeros((2, 9, 1), np.uint8))
    assert run.spikes("b")[:, :, 0].tolist() == [[0, 0, 1, 0, 0, 1, 0, 0, 1]] * 2
    assert run.events("b")[1].tolist() == [3, 6, 9] * 2


def test_a_bias_on_a_decaying_current_enters_through_a_constant_host_port() -> None:
    neuron = cuba_lif(tau_syn_s=2 * DT, tau_mem_s=2 * DT, dt_s=DT, resistance=2.0)
    builder = NetworkBuilder("current bias", dt_s=DT).input("in", (2,)).population("first", (2,), perfect())
    builder.population("layer", (2,), neuron).dense("in", "first", np.eye(2))
    builder.dense("first", "layer", np.zeros((2, 2)), bias=[2.0, 3.0])
    network = builder.output("layer").build()
    result = lowered(network)
    assert [(port.name, port.size, port.constant) for port in result.ports] == [
        ("in", 2, False),
        ("bias:layer", 1, True),
    ]
    assert not result.populations[1].bias_mantissa.any()
    assert "host source that fires in every tick" in result.rounding[1].remarks[0]
    _, run = on_chip(network, np.zeros((2, TICKS, 2), np.uint8))
    wanted = simulate(network, np.zeros((2, TICKS, 2), np.uint8)).output_of("layer")
    assert wanted.any()
    assert np.array_equal(run.spikes("layer"), wanted)


def test_a_resting_potential_becomes_a_bias() -> None:
    network = one_layer(lif(tau_mem_s=2 * DT, dt_s=DT, v_leak=1.5), np.zeros((1, 1)))
    (population,) = lowered(network).populations
    assert int(population.bias_mantissa[0]) << population.bias_exponent == pytest.approx(0.75 * population.scale[0])
    _, run = on_chip(network, np.zeros((1, 9, 1), np.uint8))
    assert run.spikes("layer")[0, :, 0].tolist() == [0, 1] * 4 + [0]


# ------------------------------------------------------------------------------------------------ what the chip cannot


@pytest.mark.parametrize(
    ("neuron", "code", "remark"),
    [
        (perfect(reset="subtract"), "NE3003", "soft reset replaced by reset to zero"),
        (perfect(reset="subtract_snntorch"), "NE3003", "soft reset replaced by reset to zero"),
        (perfect(reset="none"), "NE3004", "missing reset replaced by reset to zero"),
        (perfect(reset_delay=True), "NE3005", "late reset replaced by reset in the tick of the spike"),
        (perfect(multispike=True), "NE3006", "several spikes per step replaced by at most one"),
        (perfect(min_v=-1.0), "NE3009", "lower bound of the membrane left out"),
    ],
)
def test_rules_the_chip_lacks_are_replaced_named_and_explained(neuron: Neuron, code: str, remark: str) -> None:
    result = lowered(one_layer(neuron))
    (finding,) = result.findings
    assert (finding.code, finding.severity, finding.where) == (code, "warning", "population layer")
    assert finding.fixes
    assert remark in result.rounding[0].remarks
    twin = result.quantised.populations["layer"].neuron
    assert twin is not None
    assert (twin.reset, twin.reset_delay, twin.multispike, twin.min_v) == ("zero", False, False, None)


def test_a_gate_without_memory_needs_no_reset(rng: np.random.Generator) -> None:
    network = one_layer(threshold_gate(threshold=1.0), dyadic(rng, 5, 4))
    assert codes(network) == []
    assert differing_bins(network, spikes_for(network, rng)) == {"layer": 0}


def test_a_negative_decay_factor_is_replaced_by_none_and_said() -> None:
    neuron = lif(tau_mem_s=0.8 * DT, dt_s=DT)
    result = lowered(one_layer(neuron))
    assert [finding.code for finding in result.findings] == ["NE3013"]
    assert result.populations[0].membrane_decay.tolist() == [4095] * 4


def test_a_reset_value_shifts_the_membrane_and_is_exact_from_the_first_spike_on(rng: np.random.Generator) -> None:
    network = one_layer(perfect(v_reset=-0.5), dyadic(rng, 6, 4, offset=16))
    assert codes(network) == ["NE3002"]
    inputs = spikes_for(network, rng)["in"]
    inputs[:, 0] = 1  # every neuron fires in the first tick
    assert differing_bins(network, inputs) == {"layer": 0}


def test_a_leak_toward_rest_is_corrected_for_the_shift_by_the_reset_value() -> None:
    neuron = lif(tau_mem_s=4 * DT, dt_s=DT, v_reset=-1.0)
    (population,) = lowered(one_layer(neuron)).populations
    drive = (population.bias_mantissa << population.bias_exponent) / population.scale
    assert drive == pytest.approx(np.full(4, 0.25), rel=1e-3)


def test_feedback_over_several_populations_is_warned_of() -> None:
    builder = NetworkBuilder("loop", dt_s=DT).input("in", (2,)).population("a", (2,), perfect())
    builder.population("b", (2,), perfect()).population("c", (2,), perfect()).dense("in", "a", np.eye(2))
    builder.dense("a", "b", np.eye(2)).dense("b", "c", np.eye(2)).dense("c", "a", np.eye(2), delay_ticks=1)
    (finding,) = lowered(builder.output("c").build()).findings
    assert (finding.code, finding.severity, finding.where) == ("NE3010", "warning", "projection c->a")
    assert "arrives 2 ticks later" in finding.message


def test_feedback_that_is_slow_enough_is_exact(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("slow loop", dt_s=DT).input("in", (3,)).population("a", (4,), perfect())
    builder.population("b", (4,), perfect()).dense("in", "a", dyadic(rng, 4, 3, offset=5))
    builder.dense("a", "b", dyadic(rng, 4, 4, offset=5)).dense("b", "a", dyadic(rng, 4, 4, offset=-2), delay_ticks=2)
    network = builder.output("b").build()
    assert codes(network) == []
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0}


def test_a_feedback_delay_may_sit_in_the_synapses(rng: np.random.Generator) -> None:
    """A loop over two populations needs two ticks on the chip; synapses with delays of their own have them."""
    back = sp.csr_array(dyadic(rng, 4, 4, offset=-2))
    builder = NetworkBuilder("loop of synapse delays", dt_s=DT).input("in", (3,)).population("a", (4,), perfect())
    builder.population("b", (4,), perfect()).dense("in", "a", dyadic(rng, 4, 3, offset=5))
    builder.dense("a", "b", dyadic(rng, 4, 4, offset=5)).sparse("b", "a", back, delay=rng.integers(2, 7, back.nnz))
    network = builder.output("b").build()
    assert codes(network) == []
    assert lowered(network).projections[-1].delay == 0
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0}


def test_a_delayed_path_that_is_no_feedback_waits_without_a_warning(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("delayed chain", dt_s=DT).input("in", (3,))
    builder.population("a", (4,), perfect()).population("b", (4,), perfect()).population("c", (4,), perfect())
    builder.dense("in", "a", dyadic(rng, 4, 3, offset=5)).dense("a", "b", dyadic(rng, 4, 4, offset=5))
    builder.dense("b", "c", dyadic(rng, 4, 4, offset=5), delay_ticks=1)
    network = builder.output("c").build()
    assert codes(network) == []
    assert tick_offsets(network, of_inputs=-1) == {"in": -1, "a": 0, "b": 1, "c": 1}
    assert differing_bins(network, spikes_for(network, rng)) == {"a": 0, "b": 0, "c": 0}


# ------------------------------------------------------------------------------------------------ refusals


def delayed(ticks: int) -> Network:
    builder = NetworkBuilder("delay", dt_s=DT).input("in", (2,)).population("a", (2,), perfect())
    return builder.dense("in", "a", np.eye(2), delay_ticks=ticks).output("a").build()


def test_delays_end_at_62_ticks() -> None:
    (projection,) = lowered(delayed(62)).projections
    assert projection.delay == 62
    (finding,) = refused(delayed(63))
    assert (finding.code, finding.where) == ("NE3011", "projection in->a")
    assert "63 ticks, 1 more than the 62" in finding.message


@pytest.mark.parametrize(("own", "fits"), [(60, True), (61, False)])
def test_delays_of_synapses_and_of_alignment_add_up(own: int, fits: bool) -> None:
    builder = NetworkBuilder("sum", dt_s=DT).input("in", (2,))
    builder.population("a", (2,), perfect()).population("b", (2,), perfect()).population("c", (2,), perfect())
    builder.dense("in", "a", np.eye(2)).dense("a", "b", np.eye(2)).dense("b", "c", np.eye(2))
    builder.sparse("in", "c", sp.csr_array(np.eye(2)), delay=[0, own])
    network = builder.output("c").build()
    if fits:
        assert lowered(network).projections[-1].delay == 2
    else:
        (finding,) = refused(network)
        assert (finding.code, finding.where) == ("NE3011", "projection in->c")
        assert f"shorten the delays of its synapses from {own} to 60 ticks" in finding.fixes


def test_a_refractory_period_beyond_the_register_is_refused() -> None:
    assert lowered(one_layer(perfect(refractory_ticks=62))).populations[0].refractory == 63
    (finding,) = refused(one_layer(perfect(refractory_ticks=70)))
    assert finding.code == "NE3007"
    assert "exceeds the register's 62 by 8" in finding.message


def test_a_threshold_not_above_the_reset_value_is_refused() -> None:
    (finding,) = refused(one_layer(perfect(threshold=np.array([1.0, 0.5, 1.0, 1.0]), v_reset=0.75)))
    assert (finding.code, finding.where) == ("NE3001", "population layer")
    assert "1 neurons" in finding.message and "neuron 1 lacks 0.25" in finding.message


def test_everything_that_cannot_be_lowered_is_said_at_once() -> None:
    builder = NetworkBuilder("bad", dt_s=DT).input("in", (2,)).population("a", (2,), perfect(refractory_ticks=99))
    builder.population("b", (2,), perfect(v_reset=2.0)).dense("in", "a", np.eye(2), delay_ticks=80)
    network = builder.dense("a", "b", np.eye(2)).output("b").build()
    assert sorted(finding.code for finding in refused(network)) == ["NE3001", "NE3007", "NE3011"]


def test_a_chip_file_cannot_change_the_width_of_the_arithmetic(tmp_path: Path) -> None:
    path = tmp_path / "wide.yaml"
    path.write_text(
        "extends: loihi1\nname: wide\ntitle: wider membranes\n"
        "arithmetic:\n  membrane_bits: {value: 24, kind: assumed}\n  weight_shift: {value: 5, kind: assumed}\n"
    )
    findings = refused(delayed(0), load_chip(path))
    assert [finding.code for finding in findings] == ["NE3012"] * 2
    assert "membrane_bits to 24" in findings[0].message and "weight_shift to 5" in findings[1].message


def test_the_output_offset_is_that_of_the_last_output(rng: np.random.Generator) -> None:
    builder = NetworkBuilder("two outputs", dt_s=DT).input("in", (2,)).population("a", (2,), perfect())
    builder.population("b", (2,), perfect()).dense("in", "a", np.eye(2)).dense("a", "b", np.eye(2))
    assert lowered(builder.output("a", "b").build()).output_offset == 1


def test_an_analog_population_may_not_feed_another() -> None:
    builder = NetworkBuilder("hidden analog", dt_s=1.0).input("in", (2,))
    builder.population("filter", (2,), li(tau_mem_s=4.0, dt_s=1.0)).one_to_one("in", "filter", 1.0)
    builder.population("out", (2,), perfect()).one_to_one("filter", "out", 1.0).output("out")
    with pytest.raises(DoesNotFit) as refusal:
        lower(builder.build(), LOIHI1)
    (finding,) = refusal.value.findings
    assert (finding.code, finding.where) == ("NE3020", "population filter")
    assert "feeds out" in finding.message
    assert len(finding.fixes) >= 3
