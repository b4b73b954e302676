"""Every NIR node type, and every graph shape, means what the primitives say."""

import math

import h5py
import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.formats.nir import load_nir
from neuroemu.network.connectivity import Conv2d, Dense, Pool2d, Sparse, apply_stages
from neuroemu.network.reference import simulate

DT = 1e-3
STATELESS = {"type": "Threshold", "threshold": np.array([0.5])}


def linear(weight, **more):
    return {"type": "Linear", "weight": np.asarray(weight, float), **more}


def affine(weight, bias):
    return {"type": "Affine", "weight": np.asarray(weight, float), "bias": np.asarray(bias, float)}


def integrate(size=None, **more):
    """IF whose input gain at DT is 1."""
    one = np.ones(size) if size else np.array(1.0)
    return {"type": "IF", "r": one / DT, "v_threshold": one, **more}


def lif(size=None, tau=5 * DT, **more):
    one = np.ones(size) if size else np.array(1.0)
    return {
        "type": "LIF", "tau": tau * one, "r": (tau / DT) * one, "v_leak": 0 * one, "v_threshold": one, **more,
    }  # fmt: skip


def read_only(path, **more):
    return load_nir(path, "nir", dt_s=DT, **more)


def values(network, x):
    return simulate(network, np.asarray(x, float)).output_of(network.outputs[0])


def error_of(path, **more):
    with pytest.raises(BadInput) as caught:
        read_only(path, **more)
    return caught.value.findings


# ---- linear nodes ----------------------------------------------------------------------------------------------------


def test_linear_chain_into_an_output_is_a_read_out(chain):
    network = read_only(chain((2,), affine([[1, 2], [3, 4], [5, 6]], [0.5, 0, 0]), linear([[1, 1, 1]]), out=(1,)))
    assert network.outputs == ("output",)
    assert network.populations["output"].neuron.kind == "readout"
    assert values(network, [[[1, 0], [0, 1]]]).ravel().tolist() == [9.5, 12.5]


def test_bias_is_pushed_through_later_layers_to_the_target(chain):
    network = read_only(chain((1,), affine([[1], [1]], [1, 2]), affine([[10, 100]], [0.25]), integrate(1)))
    (projection,) = network.projections
    assert projection.bias.tolist() == [210.25]


def test_weight_acts_on_the_last_axis_of_an_image(chain):
    weight = np.array([[1.0, 2.0, 3.0]])
    network = read_only(chain((2, 2, 3), linear(weight), integrate()))
    assert network.populations["n1"].shape == (2, 2, 1)
    assert isinstance(network.projections[0].stages[0], Sparse)
    x = np.arange(12.0)
    assert np.array_equal(apply_stages(network.projections[0].stages, x), (x.reshape(4, 3) @ weight.T).ravel())


def test_stacked_weights_act_block_by_block(chain):
    weight = np.arange(12.0).reshape(2, 2, 3)
    network = read_only(chain((2, 3), linear(weight), integrate()))
    x = np.arange(6.0)
    expected = np.einsum("bij,bj->bi", weight, x.reshape(2, 3)).ravel()
    assert np.array_equal(apply_stages(network.projections[0].stages, x), expected)


def test_missing_flatten_is_read_in_c_order_with_a_warning(chain):
    network = read_only(chain((2, 2, 2), linear(np.ones((3, 8))), integrate(3)))
    assert [finding.code for finding in network.findings if finding.severity == "warning"] == ["NE1021"]


@pytest.mark.parametrize(
    ("start", "end", "shape"), [(0, -1, (24,)), (1, 2, (2, 12)), (0, 1, (6, 4)), (-2, -1, (2, 12))]
)
def test_flatten_counts_axes_without_batch(chain, start, end, shape):
    flatten = {"type": "Flatten", "start_dim": start, "end_dim": end}
    assert read_only(chain((2, 3, 4), flatten, integrate())).populations["n1"].shape == shape


def test_flatten_that_starts_one_axis_late_still_meets_its_layer(chain):
    flatten = {"type": "Flatten", "start_dim": 1, "end_dim": -1, "input_type": np.array([2, 2, 2])}
    network = read_only(chain((2, 2, 2), flatten, linear(np.ones((3, 8))), integrate(3)))
    assert network.populations["n2"].size == 3
    assert "NE1021" in [finding.code for finding in network.findings]


@pytest.mark.parametrize("scale", [2.0, [1.0, 2.0, 3.0]])
def test_scale_multiplies_elementwise(chain, scale):
    network = read_only(chain((3,), {"type": "Scale", "scale": np.array(scale)}))
    assert values(network, np.ones((1, 1, 3))).ravel().tolist() == (np.ones(3) * scale).tolist()


def convolve(image, weight, stride, padding, dilation, groups):
    """PyTorch's definition, one output at a time; padding is (top, bottom, left, right)."""
    padded = np.pad(image, ((0, 0), padding[:2], padding[2:]))
    reach = [(side - 1) * gap + 1 for side, gap in zip(weight.shape[2:], dilation, strict=True)]
    sides = [(padded.shape[1 + a] - reach[a]) // stride[a] + 1 for a in (0, 1)]
    out = np.zeros((weight.shape[0], *sides))
    per_group = weight.shape[1]
    for o, y, x in np.ndindex(*out.shape):
        first = o // (weight.shape[0] // groups) * per_group
        for c, i, j in np.ndindex(*weight.shape[1:]):
            row, column = y * stride[0] + i * dilation[0], x * stride[1] + j * dilation[1]
            out[o, y, x] += weight[o, c, i, j] * padded[first + c, row, column]
    return out


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [
        ((3, 5), 1, 0, 1, 1),
        ((3, 3), (2, 1), (1, 2), (1, 2), 2),
        ((1, 2), 2, 0, 1, 4),
        ((3, 2), 1, "same", (2, 1), 1),
        ((3, 3), 1, "valid", 1, 2),
    ],
)
def test_conv2d_is_cross_correlation_for_any_kernel_and_groups(chain, rng, kernel, stride, padding, dilation, groups):
    weight = rng.integers(-3, 4, size=(4, 4 // groups, *kernel)).astype(float)
    bias = np.arange(4.0)
    node = {
        "type": "Conv2d", "weight": weight, "stride": np.array(stride), "dilation": np.array(dilation),
        "groups": groups, "padding": padding if isinstance(padding, str) else np.array(padding), "bias": bias,
        "input_shape": np.array([10, 12]),
    }  # fmt: skip
    network = read_only(chain((4, 10, 12), node))
    image = rng.integers(-3, 4, size=(4, 10, 12)).astype(float)
    stride, dilation = np.broadcast_to(stride, 2), np.broadcast_to(dilation, 2)
    if padding == "same":
        total = [gap * (side - 1) for gap, side in zip(dilation, kernel, strict=True)]
        sides = (total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2)
    else:
        sides = tuple(np.repeat(np.broadcast_to(0 if padding == "valid" else padding, 2), 2))
    expected = convolve(image, weight, stride, sides, dilation, groups) + bias[:, None, None]
    assert network.populations["output"].shape == expected.shape
    assert np.array_equal(values(network, image[None, None]).ravel(), expected.ravel())


def test_conv2d_3x5_on_10x12_gives_8x8(chain):
    node = {"type": "Conv2d", "weight": np.ones((1, 1, 3, 5)), "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    assert read_only(chain((1, 10, 12), node, integrate())).populations["n1"].shape == (1, 8, 8)


def test_conv1d_is_a_convolution_of_height_one(chain, rng):
    weight = rng.integers(-3, 4, size=(3, 2, 4)).astype(float)
    node = {
        "type": "Conv1d", "weight": weight, "stride": 2, "padding": 1, "dilation": 1, "groups": 1,
        "bias": np.zeros(3), "input_shape": 9,
    }  # fmt: skip
    network = read_only(chain((2, 9), node))
    signal = rng.integers(-3, 4, size=(2, 9)).astype(float)
    expected = convolve(signal[:, None], weight[:, :, None], (1, 2), (0, 0, 1, 1), (1, 1), 1)[:, 0]
    assert network.populations["output"].shape == expected.shape == (3, 4)
    assert np.array_equal(values(network, signal[None, None]).ravel(), expected.ravel())


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
def test_pooling_pads_with_zeros_and_averages_over_the_full_kernel(chain, kind):
    node = {"type": kind, "kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([1, 1])}
    network = read_only(chain((1, 2, 2), node))
    expected = np.array([1.0, 2.0, 3.0, 4.0]) / (4 if kind == "AvgPool2d" else 1)
    assert values(network, [[[1, 2, 3, 4]]]).ravel().tolist() == expected.tolist()
    assert isinstance(network.projections[0].stages[0], Pool2d)


def test_conv_pool_flatten_affine_keep_their_structure_as_stages(chain):
    conv = {"type": "Conv2d", "weight": np.ones((2, 1, 3, 3)), "stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    pool = {"type": "AvgPool2d", "kernel_size": 2, "stride": 2, "padding": 0}
    path = chain(
        (1, 4, 4), conv, pool, {"type": "Flatten", "start_dim": 0, "end_dim": -1}, linear(np.ones((2, 8))), lif(2)
    )
    (projection,) = read_only(path).projections
    assert [type(stage) for stage in projection.stages] == [Conv2d, Pool2d, Dense]


# ---- delays ----------------------------------------------------------------------------------------------------------


def test_delay_shifts_by_whole_steps_per_element(chain):
    delay = {"type": "Delay", "delay": np.array([0.0, 2.0, 2.0]) * DT}
    network = read_only(chain((3,), delay))
    x = np.zeros((1, 4, 3))
    x[0, 0] = [1, 2, 3]
    expected = np.zeros((4, 3))
    expected[0, 0], expected[2, 1], expected[2, 2] = 1, 2, 3
    assert np.array_equal(values(network, x)[0], expected)
    assert sorted(projection.delay_ticks for projection in network.projections) == [0, 2]


def test_uniform_delay_needs_no_mask(chain):
    network = read_only(chain((2,), {"type": "Delay", "delay": np.array(3 * DT)}, linear([[1, 1]]), integrate(1)))
    (projection,) = network.projections
    assert projection.delay_ticks == 3 and [type(stage) for stage in projection.stages] == [Dense]


def test_delay_between_steps_is_rounded_with_a_warning(chain):
    network = read_only(chain((1,), {"type": "Delay", "delay": np.array([1.4 * DT])}))
    assert network.projections[0].delay_ticks == 1
    (warning,) = [finding for finding in network.findings if finding.code == "NE1025"]
    assert warning.severity == "warning" and "0.4 steps" in warning.message


def test_bias_before_a_delay_is_reported(chain):
    network = read_only(chain((1,), affine([[1]], [1]), {"type": "Delay", "delay": np.array([2 * DT])}))
    assert "NE1027" in [finding.code for finding in network.findings]


# ---- neurons ---------------------------------------------------------------------------------------------------------


def test_li_puts_out_its_membrane(chain):
    node = {"type": "LI", "tau": np.array([4 * DT]), "r": np.array([2.0]), "v_leak": np.array([1.0])}
    v, expected = 0.0, []
    for x in (1.0, 0.0, 3.0):
        v = 0.75 * v + 0.25 * 1.0 + 2.0 * 0.25 * x
        expected.append(v)
    assert values(read_only(chain((1,), node)), [[[1], [0], [3]]]).ravel().tolist() == expected


def test_cuba_li_reads_the_new_current(chain):
    node = {
        "type": "CubaLI", "tau_syn": np.array([2 * DT]), "tau_mem": np.array([4 * DT]), "r": np.array([4.0]),
        "v_leak": np.array([0.0]), "w_in": np.array([2.0]),
    }  # fmt: skip
    i = v = 0.0
    expected = []
    for x in (1.0, 0.0, 1.0):
        i = 0.5 * i + 2.0 * 0.5 * x
        v = 0.75 * v + 4.0 * 0.25 * i
        expected.append(v)
    assert values(read_only(chain((1,), node)), [[[1], [0], [1]]]).ravel().tolist() == expected


def test_i_integrates(chain):
    node = {"type": "I", "r": np.array([2.0 / DT])}
    assert values(read_only(chain((1,), node)), [[[1], [0], [3]]]).ravel().tolist() == [2, 2, 8]


def test_threshold_is_stateless_and_strict(chain):
    assert values(read_only(chain((1,), linear([[0.5]]), STATELESS)), [[[1], [2], [1]]]).ravel().tolist() == [0, 1, 0]


def test_exponential_decay_has_matched_gain(chain):
    network = read_only(chain((1,), {"type": "LI", "tau": 3 * DT, "r": 2.0, "v_leak": 0.5}), decay="exp")
    b = math.exp(-1 / 3)
    assert values(network, [[[1], [0]]]).ravel() == pytest.approx(
        [2 * (1 - b) + 0.5 * (1 - b), b * 2.5 * (1 - b) + 0.5 * (1 - b)]
    )


def test_infinite_tau_never_leaks(chain):
    network = read_only(chain((1,), lif(1, tau=np.inf)))
    neuron = network.populations["n0"].neuron
    assert neuron.membrane_decay.tolist() == [1.0] and neuron.input_gain.tolist() == [1.0]


def test_hard_reset_goes_to_the_files_v_reset_and_to_zero_when_it_is_absent(chain):
    assert read_only(chain((1,), lif(1))).populations["n0"].neuron.reset_value.tolist() == [0.0]
    given = read_only(chain((1,), lif(1, v_reset=np.array([-0.5]))))
    assert given.populations["n0"].neuron.reset_value.tolist() == [-0.5]


def test_scalar_parameters_take_the_shape_of_what_arrives(chain):
    conv = {"type": "Conv2d", "weight": np.ones((2, 1, 3, 3)), "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    network = read_only(chain((1, 5, 5), conv, lif(), linear(np.ones((4, 3))), lif(1)))
    assert network.populations["n1"].shape == (2, 3, 3)
    assert network.populations["n3"].shape == (2, 3, 4)


def test_parameters_per_channel_spread_over_the_map(chain):
    conv = {"type": "Conv2d", "weight": np.ones((2, 1, 2, 2)), "stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    node = lif(v_threshold=np.array([1.0, 2.0]).reshape(2, 1, 1))
    neuron = read_only(chain((1, 3, 3), conv, node)).populations["n1"].neuron
    assert neuron.threshold.tolist() == [1.0] * 4 + [2.0] * 4


def test_norse_if_adds_r_times_input_without_dt(chain):
    node = {"type": "IF", "r": np.array([0.25]), "v_threshold": np.array([1.0])}
    assert load_nir(chain((1,), node), "norse").populations["n0"].neuron.input_gain.tolist() == [0.25]
    assert load_nir(chain((1,), node), "nir", dt_s=0.5).populations["n0"].neuron.input_gain.tolist() == [0.125]


# ---- graphs ----------------------------------------------------------------------------------------------------------


def inputs(shape=(1,)):
    return {"type": "Input", "shape": np.array(shape)}


OUTPUT = {"type": "Output"}


def test_several_inputs_and_outputs(write_nir):
    nodes = {
        "left": inputs((2,)), "right": inputs((3,)), "a": linear(np.ones((1, 2))), "b": linear(np.ones((1, 3))),
        "sum": integrate(1), "first": OUTPUT, "second": OUTPUT,
    }  # fmt: skip
    edges = [("left", "a"), ("right", "b"), ("a", "sum"), ("b", "sum"), ("sum", "first"), ("a", "second")]
    network = read_only(write_nir(nodes, edges))
    assert network.inputs == ("left", "right")
    assert network.outputs == ("sum", "second")
    result = simulate(network, {"left": np.ones((1, 1, 2)), "right": np.zeros((1, 1, 3))})
    assert result.spikes["sum"].ravel().tolist() == [1]
    assert result.values["second"].ravel().tolist() == [2.0]


def test_bias_of_a_shared_layer_is_applied_once(write_nir):
    nodes = {"x": inputs(), "y": inputs(), "fc": affine([[1]], [5]), "out": OUTPUT}
    network = read_only(write_nir(nodes, [("x", "fc"), ("y", "fc"), ("fc", "out")]))
    result = simulate(network, {"x": np.ones((1, 1, 1)), "y": np.ones((1, 1, 1))})
    assert result.values["out"].ravel().tolist() == [7.0]


def test_recurrent_affine_gives_its_bias_from_step_zero(write_nir):
    nodes = {"in": inputs(), "cell": {"type": "I", "r": np.array([1 / DT])}, "rec": affine([[1]], [0.5]), "out": OUTPUT}
    network = read_only(write_nir(nodes, [("in", "cell"), ("cell", "rec"), ("rec", "cell"), ("cell", "out")]))
    assert values(network, [[[1], [0], [0]]]).ravel().tolist() == [1.5, 1.5 + 2.0, 3.5 + 4.0]


def test_direct_self_edge_is_feedback(write_nir):
    nodes = {"in": inputs(), "cell": STATELESS, "out": OUTPUT}
    network = read_only(write_nir(nodes, [("in", "cell"), ("cell", "cell"), ("cell", "out")]))
    assert values(network, [[[1], [0], [0]]]).ravel().tolist() == [1, 1, 1]
    assert [p.delay_ticks for p in network.projections if p.source == "cell"] == [1]


def test_feedback_over_two_layers_delays_the_way_back_only(write_nir):
    nodes = {
        "in": inputs(), "a": linear([[1]]), "first": STATELESS, "b": linear([[1]]), "second": STATELESS,
        "back": linear([[1]]), "out": OUTPUT,
    }  # fmt: skip
    edges = [
        ("in", "a"),
        ("a", "first"),
        ("first", "b"),
        ("b", "second"),
        ("second", "back"),
        ("back", "first"),
        ("second", "out"),
    ]
    network = read_only(write_nir(nodes, edges))
    assert {p.name: p.delay_ticks for p in network.projections} == {
        "in -> a -> first": 0,
        "second -> back -> first": 1,
        "first -> b -> second": 0,
    }
    (note,) = [finding for finding in network.findings if finding.code == "NE1024"]
    assert note.severity == "note" and "second -> back -> first" in note.message


def test_feedback_into_a_shared_linear_layer_is_cut_at_the_farthest_source(write_nir):
    nodes = {
        "in": inputs(),
        "fc": linear([[1]]),
        "first": STATELESS,
        "mid": linear([[1]]),
        "second": STATELESS,
        "out": OUTPUT,
    }
    edges = [("in", "fc"), ("fc", "first"), ("first", "mid"), ("mid", "second"), ("second", "fc"), ("second", "out")]
    network = read_only(write_nir(nodes, edges))
    assert {p.name for p in network.projections if p.delay_ticks} == {"second -> fc -> first"}
    (warning,) = [finding for finding in network.findings if finding.code == "NE1024"]
    assert warning.severity == "warning"


def test_delay_node_on_the_way_back_needs_no_further_delay(write_nir):
    nodes = {"in": inputs(), "cell": STATELESS, "late": {"type": "Delay", "delay": np.array([2 * DT])}, "out": OUTPUT}
    network = read_only(write_nir(nodes, [("in", "cell"), ("cell", "late"), ("late", "cell"), ("cell", "out")]))
    assert values(network, [[[1], [0], [0], [0], [0]]]).ravel().tolist() == [1, 0, 1, 0, 1]


def test_loop_without_a_neuron_is_refused(write_nir):
    nodes = {"in": inputs(), "a": linear([[1]]), "b": linear([[1]]), "out": OUTPUT}
    (finding,) = error_of(write_nir(nodes, [("in", "a"), ("a", "b"), ("b", "a"), ("b", "out")]))
    assert finding.code == "NE1019" and "a -> b -> a" in finding.message


def test_duplicate_edges_count_once_with_a_warning(write_nir):
    nodes = {"in": inputs(), "fc": linear([[1]]), "out": OUTPUT}
    network = read_only(write_nir(nodes, [("in", "fc"), ("in", "fc"), ("fc", "out")]))
    assert values(network, [[[1]]]).ravel().tolist() == [1]
    (warning,) = [finding for finding in network.findings if finding.severity == "warning"]
    assert warning.code == "NE1020" and "in -> fc" in warning.message


def test_missing_ports_are_added_with_a_note(write_nir):
    network = read_only(write_nir({"fc": linear(np.ones((2, 3))), "cell": integrate(2)}, [("fc", "cell")]))
    assert network.inputs == ("input_fc",) and network.outputs == ("cell",)
    assert network.populations["input_fc"].shape == (3,)
    assert [finding.code for finding in network.findings][:2] == ["NE1022", "NE1022"]


def test_graph_in_graph_in_graph_is_flattened_to_dotted_names(write_nir):
    inner = {
        "type": "NIRGraph",
        "nodes": {"input": inputs(), "cell": STATELESS, "output": OUTPUT},
        "edges": [("input", "cell"), ("cell", "output")],
    }
    middle = {
        "type": "NIRGraph",
        "nodes": {"i": inputs(), "block": inner, "o": OUTPUT},
        "edges": [("i", "block"), ("block", "o")],
    }
    network = read_only(write_nir({"in": inputs(), "deep": middle, "out": OUTPUT}, [("in", "deep"), ("deep", "out")]))
    assert list(network.populations) == ["in", "deep.block.cell"]
    assert network.outputs == ("deep.block.cell",)


def test_nested_graph_with_two_inputs_needs_the_port_in_the_edge(write_nir):
    inner = {
        "type": "NIRGraph",
        "nodes": {"x": inputs(), "y": inputs(), "double": linear([[2]]), "cell": integrate(1), "output": OUTPUT},
        "edges": [("x", "cell"), ("y", "double"), ("double", "cell"), ("cell", "output")],
    }
    nodes = {"in": inputs(), "sub": inner, "out": OUTPUT}
    named = read_only(write_nir(nodes, [("in", "sub.y"), ("sub", "out")]))
    assert [p.name for p in named.projections] == ["in -> sub.double -> sub.cell"]
    (finding,) = error_of(write_nir(nodes, [("in", "sub"), ("sub", "out")], name="other.nir"))
    assert finding.code == "NE1026" and "sub.x, sub.y" in finding.message


def test_unread_linear_layer_is_left_out_with_a_warning(write_nir):
    nodes = {"in": inputs(), "cell": STATELESS, "dead": linear([[1]]), "out": OUTPUT}
    network = read_only(write_nir(nodes, [("in", "cell"), ("in", "dead"), ("cell", "out")]))
    assert [finding.code for finding in network.findings if finding.severity == "warning"] == ["NE1023"]


def test_metadata_and_unknown_members_are_ignored(chain):
    path = chain((1,), STATELESS)
    with h5py.File(path, "a") as file:
        file["node"].create_group("metadata").attrs["origin"] = "somewhere"
        file["node/nodes/n0"].create_dataset("colour", data="blue")
        file["node/nodes/n0"].create_group("metadata")
    assert list(read_only(path).populations) == ["input", "n0"]


# ---- dialect choices -------------------------------------------------------------------------------------------------


def test_nir_dialect_takes_the_step_that_makes_every_gain_one(chain):
    assert load_nir(chain((1,), lif(1)), "nir").dt_s == DT
    assert load_nir(chain((1,), lif(1)), "auto").dialect == "nir"


def test_nir_dialect_counts_steps_when_tau_is_large_and_r_is_one(chain):
    node = {
        "type": "LIF",
        "tau": np.array([8.0]),
        "r": np.array([1.0]),
        "v_leak": np.array([0.0]),
        "v_threshold": np.array([1.0]),
    }
    assert load_nir(chain((1,), node), "nir").dt_s == 1.0


def test_step_that_nothing_tells_must_be_given(chain):
    node = {
        "type": "LIF",
        "tau": np.array([0.02]),
        "r": np.array([3.0]),
        "v_leak": np.array([0.0]),
        "v_threshold": np.array([1.0]),
    }
    with pytest.raises(BadInput) as caught:
        load_nir(chain((1,), node), "nir")
    assert caught.value.findings[0].code == "NE1032"
    assert "--dt" in caught.value.findings[0].fixes[0]
    assumed = load_nir(chain((1,), node))
    assert assumed.dt_s == 1e-4
    assert "NE1034" in [finding.code for finding in assumed.findings if finding.severity == "warning"]


def test_rockpool_step_is_recovered_from_r(chain):
    tau, dt_s = np.array([0.01, 0.02]), 2e-3
    node = {
        "type": "LIF", "tau": tau, "r": tau * np.exp(-dt_s / tau) / dt_s, "v_leak": np.zeros(2),
        "v_threshold": np.ones(2),
    }  # fmt: skip
    network = load_nir(chain((2,), node), "rockpool")
    assert network.dt_s == pytest.approx(dt_s, rel=1e-9)
    assert network.populations["n0"].neuron.input_gain == pytest.approx(np.exp(-dt_s / tau))
    assert load_nir(chain((2,), node)).dialect == "rockpool"


def test_lava_dialect_says_that_it_is_float(chain):
    network = load_nir(chain((1,), lif(1, tau=1e-3)), "lava")
    assert "NE1036" in [finding.code for finding in network.findings]
    assert network.populations["n0"].neuron.compare == "gt"


@pytest.mark.parametrize(("given", "code"), [("snntorhc", "NE1031"), ("snntorch-sotf", "NE1031")])
def test_unknown_dialect_names_the_nearest(chain, given, code):
    with pytest.raises(BadInput) as caught:
        load_nir(chain((1,), lif(1)), given)
    (finding,) = caught.value.findings
    assert finding.code == code and "snntorch" in finding.fixes[0]


def test_every_unusable_override_is_named(chain):
    with pytest.raises(BadInput) as caught:
        load_nir(chain((1,), lif(1)), "norse", reset="soft", dt=1, dt_s=-1.0, snap=3, min_v="low")
    messages = [finding.message for finding in caught.value.findings]
    assert len(messages) == 5
    assert any("zero, subtract, subtract_snntorch, none" in message for message in messages)


def framework_lif(tau, r, kind, *absent):
    one = np.ones(2, dtype=kind)
    node = {"type": "LIF", "tau": kind(tau) * one, "r": kind(r) * one, "v_threshold": one}
    node |= {"v_leak": 0 * one, "v_reset": 0 * one}
    return {key: value for key, value in node.items() if key not in absent}


def torch_linear():
    return {"type": "Linear", "weight": np.ones((2, 2), dtype=np.float32)}


@pytest.mark.parametrize(
    ("nodes", "version", "dialect", "dt_s"),
    [
        # SpikingJelly with named modules: double precision beside float32 weights
        ([torch_linear(), framework_lif(2.5e-4, 1.0, np.float64)], "1.0.8", "spikingjelly", 1e-4),
        ([torch_linear(), framework_lif(2e-3, 2.0, np.float64)], "1.0.8", "spikingjelly", 1e-3),
        # snnTorch, beta = 0.8 and beta = 0 (r = 1 there, as with Norse)
        ([torch_linear(), framework_lif(5e-4, 5.0, np.float32)], "1.0.8", "snntorch-hard", 1e-4),
        ([torch_linear(), framework_lif(1e-4, 1.0, np.float32)], "1.0.8", "snntorch-hard", 1e-4),
        # Norse 1.1: tau of 0.5 s and of 5 ms, times dt
        ([torch_linear(), framework_lif(5e-4, 1.0, np.float32)], "1.0.8", "norse-1.1", 1e-3),
        ([torch_linear(), framework_lif(5e-6, 1.0, np.float32, "v_reset")], "1.0.4", "norse-1.1", 1e-3),
        # Norse of the paper's time, and between
        ([torch_linear(), framework_lif(5e-4, 1.0, np.float32, "v_reset")], "0.2.0", "norse", 1e-4),
        ([torch_linear(), framework_lif(5e-3, 1.0, np.float32, "v_reset")], "1.0.8", "norse", 1e-3),
        # Sinabs counts steps
        ([torch_linear(), framework_lif(20.0, 1.0, np.float32, "v_reset")], "1.0.4", "sinabs", 1.0),
        # every gain is 1 for a step that is not snnTorch's
        ([torch_linear(), framework_lif(10.0, 10.0, np.float32, "v_reset")], "1.0.8", "nir", 1.0),
        # written by hand with numpy
        ([linear(np.ones((2, 2))), framework_lif(0.02, 1.0, np.float64)], "1.0.8", "nir", 1e-4),
        ([linear(np.ones((2, 2))), {"type": "Threshold", "threshold": np.ones(2)}], "1.0.8", "nir", 1e-4),
    ],
)  # fmt: skip
def test_auto_tells_writers_apart_by_what_they_leave_behind(chain, nodes, version, dialect, dt_s):
    network = load_nir(chain((2,), *nodes, version=version))
    assert (network.dialect, network.dt_s) == (dialect, dt_s)
