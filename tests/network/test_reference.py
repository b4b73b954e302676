"""The reference simulator follows the update and reset rules written in NIR's and the frameworks' documents."""

import numpy as np
import pytest
import scipy.sparse as sp

from neuroemu.errors import BadInput
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import cuba_lif, integrate_and_fire, lif, readout, threshold_gate
from neuroemu.network.reference import simulate


def alone(neuron, **more):
    """Input x drives one neuron with weight 1."""
    return (
        NetworkBuilder("alone", dt_s=1.0)
        .input("x", (1,))
        .population("n", (1,), neuron)
        .one_to_one("x", "n")
        .output("n")
        .build()
    )


def run(neuron, drive):
    """Spike counts and stored membranes of one neuron under a sequence of input values."""
    result = simulate(alone(neuron), np.asarray(drive, float).reshape(1, -1, 1), record=["n"])
    outputs = result.spikes if neuron.spiking else result.values
    return outputs["n"].ravel().tolist(), result.membranes["n"].ravel().tolist()


def halving(**more):
    """Decay 1/2, input gain 1, threshold 1."""
    return lif(tau_mem_s=2.0, dt_s=1.0, resistance=2.0, **more)


def test_spike_needs_the_membrane_above_or_at_the_threshold():
    assert run(halving(compare="gt"), [1.0, 0.75])[0] == [0, 1]
    assert run(halving(compare="ge"), [1.0, 0.75])[0] == [1, 0]


def test_hard_reset_forgets_the_excess_and_soft_reset_keeps_it():
    assert run(halving(reset="zero", v_reset=-1.0), [3.0, 0.0])[1] == [-1.0, -0.5]
    assert run(halving(reset="subtract"), [3.0, 0.0, 0.0]) == ([1, 0, 0], [2.0, 1.0, 0.5])


def test_soft_reset_fires_again_on_what_is_left():
    assert run(integrate_and_fire(reset="subtract"), [2.5, 0.0, 0.0, 0.0])[0] == [1, 1, 0, 0]


def test_late_reset_subtracts_at_the_start_of_the_next_tick():
    assert run(halving(reset="subtract", reset_delay=True), [3.0, 0.0, 0.0]) == ([1, 0, 0], [3.0, 0.5, 0.25])


def test_late_hard_reset_clears_before_the_next_input():
    assert run(halving(reset="zero", reset_delay=True), [3.0, 0.25, 4.0]) == ([1, 0, 1], [3.0, 0.25, 4.125])


def test_snntorch_subtract_compares_after_subtracting_a_residual():
    spikes, membranes = run(integrate_and_fire(reset="subtract_snntorch"), [2.5, 0.0, 0.0, 0.0])
    # stored 1.5 > 1: 1.5 - 1 = 0.5 does not fire and the threshold is given back
    assert spikes == [1, 0, 0, 0]
    assert membranes == [1.5, 1.5, 1.5, 1.5]


def test_multispike_counts_thresholds_and_never_below_zero():
    assert run(integrate_and_fire(reset="subtract", compare="ge", multispike=True), [3.0, 0.5, -4.0, 1.0]) == (
        [3, 0, 0, 0],
        [0.0, 0.5, -3.5, -2.5],
    )
    assert run(integrate_and_fire(reset="subtract", compare="gt", multispike=True), [3.0, 0.5])[0] == [2, 1]


def test_membrane_is_clipped_from_below_after_the_reset():
    assert run(integrate_and_fire(min_v=-1.0), [-5.0, 0.5])[1] == [-1.0, -0.5]


def test_refractory_neuron_is_held_and_silent():
    spikes, membranes = run(integrate_and_fire(refractory_ticks=2), [2.0, 2.0, 2.0, 2.0])
    assert spikes == [1, 0, 0, 1]
    assert membranes == [0.0, 0.0, 0.0, 0.0]


def test_current_based_neuron_reads_the_new_current():
    neuron = cuba_lif(tau_syn_s=2.0, tau_mem_s=4.0, dt_s=1.0, w_in=2.0, resistance=4.0, threshold=10.0)
    assert run(neuron, [1.0, 0.0])[1] == [1.0, 0.75 + 0.5]


def test_leak_pulls_towards_its_resting_value():
    assert run(halving(v_leak=0.5, threshold=10.0), [0.0, 0.0])[1] == [0.25, 0.375]


def test_stateless_gate_and_read_out():
    assert run(threshold_gate(threshold=0.5), [0.5, 0.6, 0.0])[0] == [0, 1, 0]
    assert run(readout(), [0.5, -0.6, 0.0])[0] == [0.5, -0.6, 0.0]


def test_every_sample_starts_from_zero():
    network = alone(integrate_and_fire(threshold=2.5))
    one = simulate(network, np.ones((1, 4, 1))).spikes["n"]
    assert np.array_equal(simulate(network, np.ones((3, 4, 1))).spikes["n"], np.repeat(one, 3, axis=0))


def recurrent(rng, ticks=12):
    builder = NetworkBuilder("loop", dt_s=1.0).input("x", (4,))
    builder.population("a", (6,), lif(tau_mem_s=3.0, dt_s=1.0, resistance=3.0))
    builder.population("b", (5,), lif(tau_mem_s=4.0, dt_s=1.0, resistance=4.0, reset="subtract"))
    builder.dense("x", "a", rng.normal(size=(6, 4)), bias=rng.normal(size=6))
    builder.dense("a", "b", rng.normal(size=(5, 6)))
    builder.dense("b", "a", rng.normal(size=(6, 5)), delay_ticks=1)
    builder.dense("a", "a", rng.normal(size=(6, 6)), delay_ticks=2)
    return builder.output("b").build(), (rng.random((7, ticks, 4)) < 0.5).astype(np.uint8)


def by_hand(network, inputs):
    """The same loop, one sample, one tick, one projection at a time."""
    samples, ticks = inputs.shape[:2]
    spikes = {name: np.zeros((samples, ticks, network.populations[name].size)) for name in ("a", "b")}
    spikes["x"] = inputs.astype(float)
    for sample in range(samples):
        v = {"a": np.zeros(6), "b": np.zeros(5)}
        for tick in range(ticks):
            for name in ("a", "b"):
                neuron = network.populations[name].neuron
                current = np.zeros(network.populations[name].size)
                for projection in network.incoming(name):
                    if tick >= projection.delay_ticks:
                        source = spikes[projection.source][sample, tick - projection.delay_ticks]
                        current = current + projection.stages[0].weight @ source
                    if projection.bias is not None:
                        current = current + projection.bias
                v[name] = neuron.membrane_decay * v[name] + neuron.input_gain * current
                fired = v[name] > neuron.threshold
                spikes[name][sample, tick] = fired
                v[name] = np.where(fired, 0.0 if neuron.reset == "zero" else v[name] - neuron.threshold, v[name])
    return spikes


def test_loops_advance_together_tick_by_tick(rng):
    network, inputs = recurrent(rng)
    result, expected = simulate(network, inputs), by_hand(network, inputs)
    assert result.spikes["b"].sum() > 10
    for name in ("a", "b"):
        assert np.array_equal(result.spikes[name], expected[name])


def test_batches_of_samples_change_nothing(rng, monkeypatch):
    network, inputs = recurrent(rng)
    whole = simulate(network, inputs, record=["a"])
    monkeypatch.setattr("neuroemu.network.reference.VALUES_AT_ONCE", 1)
    parts = simulate(network, inputs, record=["a"])
    assert np.array_equal(whole.spikes["b"], parts.spikes["b"])
    assert np.allclose(whole.membranes["a"], parts.membranes["a"])


def test_synapse_delays_arrive_late(rng):
    weight = sp.csr_array(np.array([[1.0, 2.0]]))
    builder = NetworkBuilder("late", dt_s=1.0).input("x", (2,)).population("out", (1,), readout())
    network = builder.sparse("x", "out", weight, delay=[0, 2], delay_ticks=1).output("out").build()
    x = np.zeros((1, 5, 2))
    x[0, 0] = 1
    assert simulate(network, x).values["out"].ravel().tolist() == [0, 1, 0, 2, 0]


def test_counts_above_a_byte_are_kept():
    spikes = simulate(
        alone(integrate_and_fire(reset="subtract", multispike=True, compare="ge")), np.full((1, 2, 1), 300.0)
    )
    assert spikes.spikes["n"].ravel().tolist() == [300, 300]


def test_result_answers_for_every_population(rng):
    network, inputs = recurrent(rng)
    result = simulate(network, inputs)
    assert result.output_of("x").shape == (7, 12, 4)
    assert result.output_of("b").dtype == np.uint8
    with pytest.raises(KeyError):
        result.output_of("nowhere")


def test_no_samples_give_empty_results(rng):
    network, _ = recurrent(rng)
    assert simulate(network, np.zeros((0, 5, 4))).spikes["b"].shape == (0, 5, 5)


def test_recording_an_unknown_population_names_the_nearest(rng):
    network, inputs = recurrent(rng)
    with pytest.raises(BadInput) as caught:
        simulate(network, inputs, record=["x", "bb"])
    assert [finding.code for finding in caught.value.findings] == ["NE1130", "NE1130"]


@pytest.mark.parametrize(
    ("inputs", "part"),
    [
        (np.zeros((2, 3, 5)), "has the shape (2, 3, 5), the network takes (samples, ticks, 4)"),
        (np.zeros((2, 4)), "(2, 4)"),
        (np.full((1, 1, 4), np.nan), "NaN"),
        (np.full((1, 1, 4), "a"), "are numbers"),
        ({"y": np.zeros((1, 1, 4))}, "no samples"),
        ({"x": np.zeros((1, 1, 4)), "xx": np.zeros((1, 1, 4))}, "no such input"),
    ],
)
def test_inputs_that_do_not_fit_show_both_shapes(rng, inputs, part):
    with pytest.raises(BadInput) as caught:
        simulate(recurrent(rng)[0], inputs)
    assert part in str(caught.value) and caught.value.findings[0].code == "NE1131"
