"""Networks built in Python: what they become, and everything that can be wrong with them, at once."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from neuroemu.errors import BadInput
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.connectivity import Conv2d, Dense, Pool2d, Scale, Sparse
from neuroemu.network.graph import loops, nearest_name, topological_order
from neuroemu.network.model import Network, Population, Projection
from neuroemu.network.neurons import cuba_lif, integrator, li, lif, readout, threshold_gate
from neuroemu.network.validate import validate


def unit(**more):
    return lif(tau_mem_s=2.0, dt_s=1.0, resistance=2.0, **more)


def two_layers():
    builder = NetworkBuilder("two", dt_s=1e-3).input("in", (3,)).population("hidden", (4,), unit())
    builder.population("out", (2,), unit()).dense("in", "hidden", np.ones((4, 3))).dense(
        "hidden", "out", np.ones((2, 4))
    )
    return builder.output("out")


def codes_of(network):
    return [finding.code for finding in validate(network)]


def errors_of(builder):
    with pytest.raises(BadInput) as caught:
        builder.build()
    return caught.value.findings


# ---- neurons from time constants -------------------------------------------------------------------------------------


def test_euler_decay_and_gain():
    neuron = lif(tau_mem_s=[10e-3, 20e-3], dt_s=1e-3, resistance=2.0, v_leak=0.5)
    assert neuron.membrane_decay == pytest.approx([0.9, 0.95])
    assert neuron.input_gain == pytest.approx([0.2, 0.1])
    assert neuron.leak_input == pytest.approx([0.05, 0.025])
    assert neuron.size == 2 and neuron.spiking


def test_exponential_decay_with_either_gain():
    matched = lif(tau_mem_s=10e-3, dt_s=1e-3, decay="exp")
    euler = lif(tau_mem_s=10e-3, dt_s=1e-3, decay="exp", gain="euler")
    assert matched.membrane_decay == euler.membrane_decay == pytest.approx([np.exp(-0.1)])
    assert matched.input_gain == pytest.approx([1 - np.exp(-0.1)]) and euler.input_gain == pytest.approx([0.1])


def test_snapping_undoes_single_precision():
    tau = float(np.float32(2e-4))
    neuron = lif(tau_mem_s=tau, dt_s=1e-4, resistance=float(np.float32(tau / 1e-4)), snap=True)
    assert neuron.membrane_decay.tolist() == [0.5] and neuron.input_gain.tolist() == [1.0]
    assert lif(tau_mem_s=tau, dt_s=1e-4).membrane_decay[0] != 0.5


def test_infinite_time_constant_with_infinite_resistance_integrates():
    for decay in ("euler", "exp"):
        neuron = lif(tau_mem_s=np.inf, dt_s=1.0, resistance=np.inf, decay=decay)
        assert neuron.membrane_decay.tolist() == [1.0] and neuron.input_gain.tolist() == [1.0]


def test_bad_times_and_lengths_are_refused():
    with pytest.raises(BadInput) as caught:
        cuba_lif(tau_syn_s=0.0, tau_mem_s=[1.0, -1.0], dt_s=np.nan)
    assert [finding.code for finding in caught.value.findings] == ["NE1120"] * 3
    with pytest.raises(BadInput) as caught:
        lif(tau_mem_s=[1.0, 2.0], dt_s=0.1, threshold=[1.0, 2.0, 3.0])
    assert caught.value.findings[0].code == "NE1121"


def test_neuron_of_one_value_spreads_over_a_population():
    spread = unit().spread(5)
    assert spread.size == 5 and spread.threshold.shape == (5,)
    assert spread.spread(5) is spread
    with pytest.raises(ValueError, match="cannot fill"):
        spread.spread(7)


def test_analog_neurons_do_not_spike():
    assert not any(neuron.spiking for neuron in (li(tau_mem_s=1.0, dt_s=0.1), integrator(), readout()))
    assert threshold_gate().spiking


# ---- builder ---------------------------------------------------------------------------------------------------------


def test_populations_are_sorted_sources_first():
    builder = NetworkBuilder("backwards", dt_s=1.0).population("out", (1,), unit()).population("mid", (1,), unit())
    network = builder.input("in", (1,)).one_to_one("mid", "out").one_to_one("in", "mid").output("out").build()
    assert list(network.populations) == ["in", "mid", "out"]
    assert network.neuron_count == 2
    assert [p.name for p in network.incoming("out")] == [p.name for p in network.outgoing("mid")] == ["mid->out"]


def test_every_kind_of_connection():
    builder = NetworkBuilder("all", dt_s=1.0).input("image", (2, 6, 6)).population("maps", (4, 4, 4), unit())
    builder.population("pooled", (4, 2, 2), unit()).population("sparse", (3,), unit())
    builder.conv2d("image", "maps", np.ones((4, 1, 3, 3)), groups=2, bias=[1, 2, 3, 4])
    builder.pool2d("maps", "pooled", (2, 2), average=True)
    builder.sparse("pooled", "sparse", sp.random_array((3, 16), density=0.2, rng=np.random.default_rng(1)))
    builder.one_to_one("sparse", "sparse", -1.0, delay_ticks=1).dense("image", "sparse", np.ones((3, 72)))
    network = builder.dense("image", "sparse", np.ones((3, 72))).output("sparse").build()
    assert [type(p.stages[0]) for p in network.projections] == [Conv2d, Pool2d, Sparse, Scale, Dense, Dense]
    assert network.projections[0].bias.tolist() == [1.0] * 16 + [2.0] * 16 + [3.0] * 16 + [4.0] * 16
    assert network.projections[-1].name == "image->sparse#2"


def test_builder_reports_all_mistakes_at_once():
    builder = NetworkBuilder("bad", dt_s=-1.0).input("image", (4,)).population("out", (2,), unit(threshold=0.0))
    builder.population("out", (2,), unit(threshold=-1.0))
    builder.conv2d("image", "out", np.ones((1, 1, 3, 3))).pool2d("imgae", "out", (2, 2))
    builder.dense("image", "outt", np.full((2, 4), np.nan)).dense("image", "out", np.ones((3, 5)))
    found = errors_of(builder.output("out"))
    assert {"NE1116", "NE1102", "NE1101", "NE1105", "NE1103", "NE1114"} <= {finding.code for finding in found}
    assert any("did you mean 'image'?" in finding.fixes for finding in found)
    assert any("did you mean 'out'?" in finding.fixes for finding in found)


def test_warnings_travel_with_the_network():
    network = two_layers().population("lonely", (2,), unit()).build()
    assert sorted(finding.code for finding in network.findings) == ["NE1107", "NE1113"]
    assert all(finding.severity == "warning" and "lonely" in finding.where for finding in network.findings)


# ---- validation ------------------------------------------------------------------------------------------------------


def test_a_sound_network_has_no_findings():
    assert validate(two_layers().build()) == ()


def broken(**changes) -> Network:
    return replace(two_layers().build(), **changes)


def projected(*stages, bias=None, delay=0):
    network = two_layers().build()
    return replace(network, projections=(*network.projections, Projection("extra", "in", "out", stages, delay, bias)))


def neuron_changed(**changes):
    network = two_layers().build()
    hidden = network.populations["hidden"]
    changed = replace(hidden, neuron=replace(hidden.neuron, **changes))
    return replace(network, populations={**network.populations, "hidden": changed})


@pytest.mark.parametrize(
    ("network", "code", "severity"),
    [
        (broken(inputs=()), "NE1110", "error"),
        (broken(outputs=()), "NE1110", "error"),
        (broken(outputs=("outt",)), "NE1101", "error"),
        (broken(inputs=("hidden", "in")), "NE1110", "error"),
        (broken(dt_s=0.0), "NE1114", "error"),
        (broken(projections=two_layers().build().projections * 2), "NE1116", "error"),
        (projected(), "NE1102", "error"),
        (projected(Dense(np.ones((2, 4)))), "NE1102", "error"),
        (projected(Dense(np.ones((5, 3)))), "NE1102", "error"),
        (projected(Dense(np.ones((2, 3, 1)))), "NE1118", "error"),
        (projected(Dense(np.full((2, 3), np.inf))), "NE1103", "error"),
        (projected(Dense(np.ones((2, 3))), bias=np.ones(3)), "NE1102", "error"),
        (projected(Dense(np.ones((2, 3))), bias=np.array([np.nan, 0])), "NE1103", "error"),
        (projected(Dense(np.ones((2, 3))), delay=-1), "NE1109", "error"),
        (projected(Sparse(sp.csr_array(np.ones((2, 3))), np.zeros(5, int))), "NE1117", "error"),
        (projected(Sparse(sp.csr_array(np.ones((2, 3))), np.full(6, -1))), "NE1109", "error"),
        (projected(Conv2d(np.ones((2, 1, 1, 4)), (1, 1, 3))), "NE1118", "error"),
        (projected(Conv2d(np.ones((2, 2, 1, 1)), (1, 1, 3))), "NE1118", "error"),
        (projected(Pool2d("sum", (1, 1, 3), (1, 0), (1, 1))), "NE1118", "error"),
        (neuron_changed(threshold=np.zeros(4)), "NE1105", "error"),
        (neuron_changed(threshold=np.full(4, np.nan)), "NE1112", "error"),
        (neuron_changed(membrane_decay=np.full(4, 1.5)), "NE1106", "error"),
        (neuron_changed(membrane_decay=np.full(4, -0.5)), "NE1106", "warning"),
        (neuron_changed(membrane_decay=np.ones(3)), "NE1104", "error"),
        (neuron_changed(current_decay=np.ones(4)), "NE1104", "error"),
        (neuron_changed(reset_value=np.full(4, 2.0)), "NE1119", "warning"),
        (neuron_changed(min_v=1.0), "NE1112", "error"),
        (neuron_changed(refractory_ticks=-1), "NE1109", "error"),
    ],
)  # fmt: skip
def test_each_fault_has_its_code(network, code, severity):
    found = [finding for finding in validate(network) if finding.code == code]
    assert found and found[0].severity == severity


def test_projection_into_an_input_is_refused():
    network = two_layers().build()
    extra = Projection("back", "out", "in", (Dense(np.ones((3, 2))),), 1)
    assert "NE1115" in codes_of(replace(network, projections=(*network.projections, extra)))


def test_loop_without_delay_names_its_members():
    (finding,) = errors_of(two_layers().dense("out", "hidden", np.ones((4, 2))))
    assert finding.code == "NE1108" and "hidden -> out -> hidden" in finding.message
    assert two_layers().dense("out", "hidden", np.ones((4, 2)), delay_ticks=1).build().neuron_count == 6


def test_synapses_that_all_wait_may_close_a_loop():
    slow = Sparse(sp.csr_array(np.ones((4, 2))), np.ones(8, dtype=np.int64))
    network = two_layers().build()
    closed = replace(network, projections=(*network.projections, Projection("slow", "out", "hidden", (slow,))))
    assert "NE1108" not in codes_of(closed)


def test_order_is_checked():
    network = two_layers().build()
    backwards = replace(network, populations=dict(reversed(network.populations.items())))
    (finding,) = validate(backwards)
    assert finding.code == "NE1111" and "in, hidden, out" in finding.fixes[0]


def test_misfiled_population_is_found():
    network = two_layers().build()
    misfiled = replace(network, populations={**network.populations, "extra": Population("other", (0,))})
    assert {"NE1110", "NE1102"} <= set(codes_of(misfiled))


# ---- graph questions -------------------------------------------------------------------------------------------------


def test_topological_order_keeps_the_given_order_where_free():
    assert topological_order(["c", "b", "a"], [("a", "b")]) == ("c", "a", "b")
    assert topological_order([], []) == ()


def test_loops_include_self_edges():
    assert loops(["a", "b", "c"], [("a", "a"), ("b", "c"), ("c", "b")]) == (("a",), ("b", "c"))


def test_nearest_name_prefers_the_common_prefix_over_edit_distance():
    assert nearest_name("lif", ["lin", "lif1", "input"]) == "lif1"
    assert nearest_name("zzz", ["lin", "lif1"]) is None
