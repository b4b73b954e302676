"""Unusable NIR files are refused with a place, a reason and a way out; never with a traceback."""

import time

import h5py
import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.formats import load


def lif(**more):
    one = np.ones(2)
    return {"type": "LIF", "tau": 5e-4 * one, "r": 5 * one, "v_leak": 0 * one, "v_threshold": one, **more}


def linear(weight):
    return {"type": "Linear", "weight": np.asarray(weight, float)}


def findings_of(path, **more):
    with pytest.raises(BadInput) as caught:
        load(path, **more)
    assert caught.value.exit_code == 2
    return caught.value.findings


def codes(findings):
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("node", "code", "where", "part"),
    [
        (lif(tau=np.array([5e-4, -1e-3])), "NE1016", "n0/tau", "-0.001 in 1 of 2"),
        (lif(tau=np.array([0.0, 5e-4])), "NE1016", "n0/tau", "must be positive"),
        (lif(tau=np.array([np.nan, 5e-4])), "NE1015", "n0/tau", "NaN in 1 of 2"),
        (lif(v_leak=np.array([np.inf, 0.0])), "NE1015", "n0/v_leak", "NaN or infinite"),
        (lif(v_threshold=np.ones(3)), "NE1017", "n0", "different shapes"),
        (lif(v_threshold="high"), "NE1014", "n0/v_threshold", "'high'"),
        (linear([[np.nan, 1.0]]), "NE1015", "n0/weight", "NaN or infinite in 1 of 2"),
        (linear([1.0, 2.0]), "NE1014", "n0/weight", "(…, out, in)"),
        (linear(np.ones((3, 5))), "NE1017", "n0/weight", "takes (5,), its input has the shape (2,)"),
        ({"type": "Affine", "weight": np.ones((3, 2))}, "NE1013", "n0", "'bias'"),
        ({"type": "Affine", "weight": np.ones((3, 2)), "bias": np.ones(4)}, "NE1017", "n0/bias", "(4,)"),
        ({"type": "IF", "r": np.ones(2)}, "NE1013", "n0", "'v_threshold'"),
        ({"type": "Delay", "delay": np.array([-1.0, 0.0])}, "NE1014", "n0/delay", "negative"),
        ({"type": "Delay", "delay": np.array([1e6, 0.0])}, "NE1025", "n0/delay", "limit"),
        ({"type": "Scale", "scale": np.ones(3)}, "NE1017", "n0/scale", "(3,)"),
        ({"type": "SumPool2d", "kernel_size": 2, "stride": 2, "padding": 0}, "NE1017", "n0", "(channels, height"),
        ({"type": "MaxPool2d", "kernel_size": 2}, "NE1011", "n0", "supported are Affine, AvgPool2d"),
    ],
)  # fmt: skip
def test_a_bad_node_is_named_with_its_path_in_the_file(chain, node, code, where, part):
    path = chain((2,), node)
    (finding,) = findings_of(path, dt_s=1e-4, dialect="nir")
    assert finding.code == code
    assert finding.where == f"{path}:/node/nodes/{where}"
    assert part in finding.message


def conv(**more):
    return {
        "type": "Conv2d",
        "weight": np.ones((2, 1, 3, 3)),
        "stride": 1,
        "padding": 0,
        "dilation": 1,
        "groups": 1,
        **more,
    }


@pytest.mark.parametrize(
    ("node", "part"),
    [
        (conv(stride=0), "at least 1"),
        (conv(padding="full"), "'same', 'valid'"),
        (conv(padding="same", stride=2), "stride 1"),
        (conv(padding=-1), "at least 0"),
        (conv(dilation=4), "does not fit the image"),
        (conv(groups=3), "3 groups do not divide 2"),
        (conv(weight=np.ones((2, 3, 3, 3))), "takes (3, height, width)"),
        (conv(weight=np.ones((2, 3, 3))), "(out, in/groups, kh, kw)"),
        (conv(input_shape=np.array([9, 9])), "takes (1, 9, 9)"),
        (conv(stride=np.array([1, 1, 1])), "2 whole numbers"),
        (conv(stride=1.5), "2 whole numbers"),
        (conv(padding=2**30), "the limit is"),
    ],
)
def test_a_bad_convolution_says_what_it_needs(chain, node, part):
    (finding,) = findings_of(chain((1, 8, 8), node, lif()))
    assert part in finding.message and finding.code in ("NE1014", "NE1017", "NE1004")


def test_all_bad_nodes_are_reported_at_once(chain):
    found = findings_of(
        chain((2,), linear(np.ones((2, 2))), lif(tau=-np.ones(2)), linear([[np.nan, 1]]), lif(r=np.ones(3)))
    )
    assert sorted(codes(found)) == ["NE1015", "NE1016", "NE1017"]


def test_threshold_of_zero_is_refused(chain):
    (finding,) = findings_of(chain((2,), lif(v_threshold=np.array([1.0, 0.0]))))
    assert finding.code == "NE1105" and "population n0" in finding.where and "1 of 2" in finding.message


def test_a_step_far_too_long_is_refused_and_a_little_too_long_warned(chain):
    path = chain((2,), lif(tau=2e-4 * np.ones(2)))
    (finding,) = findings_of(path, dialect="nir", dt_s=1e-2)
    assert finding.code == "NE1106" and "grow" in finding.message
    warned = load(path, "nir", dt_s=3e-4)
    assert [finding.code for finding in warned.findings if finding.severity == "warning"] == ["NE1106"]


def test_edge_to_a_missing_node_lists_names_and_the_nearest(write_nir):
    nodes = {"input": {"type": "Input", "shape": np.array([2])}, "lif1": lif(), "output": {"type": "Output"}}
    path = write_nir(nodes, [("input", "lif"), ("lif1", "output")])
    (finding,) = findings_of(path)
    assert (finding.code, finding.where) == ("NE1012", f"{path}:/node")
    assert "edge input -> lif " in finding.message and "input, lif1, output" in finding.message
    assert finding.fixes == ("did you mean 'lif1'?",)


def test_values_of_different_sizes_do_not_add(write_nir):
    nodes = {
        "in": {"type": "Input", "shape": np.array([2])}, "a": linear(np.ones((2, 2))), "b": linear(np.ones((3, 2))),
        "cell": lif(), "out": {"type": "Output"},
    }  # fmt: skip
    (finding,) = findings_of(
        write_nir(nodes, [("in", "a"), ("in", "b"), ("a", "cell"), ("b", "cell"), ("cell", "out")])
    )
    assert finding.code == "NE1017" and "a (2,), b (3,)" in finding.message


def test_unconnected_and_backward_nodes_are_refused(write_nir):
    port = {"type": "Input", "shape": np.array([2])}
    nodes = {"in": port, "alone": linear(np.ones((2, 2))), "cell": lif(), "out": {"type": "Output"}}
    found = findings_of(write_nir(nodes, [("in", "cell"), ("alone", "cell"), ("cell", "out")]))
    assert codes(found) == ["NE1018"] and "'alone'" in found[0].message
    found = findings_of(write_nir(nodes, [("in", "cell"), ("cell", "in"), ("out", "cell")], name="back.nir"))
    assert codes(found) == ["NE1029", "NE1029"]


def test_wrong_output_shape_is_refused(chain):
    (finding,) = findings_of(chain((2,), lif(), out=(3,)))
    assert finding.code == "NE1017" and "(3,)" in finding.message and "(2,)" in finding.message


def test_input_without_shape_that_nothing_implies(write_nir):
    nodes = {"in": {"type": "Input"}, "cell": {"type": "IF", "r": 1.0, "v_threshold": 1.0}, "out": {"type": "Output"}}
    (finding,) = findings_of(write_nir(nodes, [("in", "cell"), ("cell", "out")]))
    assert finding.code == "NE1018"


# ---- files that lie --------------------------------------------------------------------------------------------------


def test_ten_gigabytes_declared_in_a_kilobyte_are_refused_at_once(tmp_path):
    path = tmp_path / "bomb.nir"
    with h5py.File(path, "w") as file:
        file["version"] = "1.0.8"
        node = file.create_group("node")
        node["type"] = "NIRGraph"
        node.create_dataset("edges", data=np.array([[b"in", b"fc"], [b"fc", b"out"]]))
        nodes = node.create_group("nodes")
        for name, kind in (("in", "Input"), ("out", "Output"), ("fc", "Linear")):
            nodes.create_group(name)["type"] = kind
        nodes["in"]["shape"] = np.array([50_000])
        shape = (50_000, 50_000)
        nodes["fc"].create_dataset("weight", shape=shape, dtype="f4", chunks=(1000, 1000), compression="gzip")
    assert path.stat().st_size < 20_000
    start = time.perf_counter()
    (finding,) = findings_of(path)
    assert time.perf_counter() - start < 1.0
    assert (
        finding.code == "NE1004" and finding.where.endswith("/node/nodes/fc/weight") and "9.313 GiB" in finding.message
    )


def test_huge_input_shape_is_refused(write_nir):
    nodes = {
        "in": {"type": "Input", "shape": np.array([100_000, 100_000])},
        "cell": {"type": "IF", "r": 1.0, "v_threshold": 1.0},
        "out": {"type": "Output"},
    }
    (finding,) = findings_of(write_nir(nodes, [("in", "cell"), ("cell", "out")]))
    assert finding.code == "NE1004" and finding.where.endswith("/node/nodes/in/shape")


def test_weight_repeated_over_a_huge_image_is_refused(chain):
    (finding,) = findings_of(
        chain((4_000_000, 4), linear(np.ones((4, 4))), {"type": "IF", "r": 1.0, "v_threshold": 1.0})
    )
    assert finding.code == "NE1004"


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_truncated_file_is_refused(golden, tmp_path, keep):
    content = (golden / "nir" / "snntorch_leaky_zero" / "network.nir").read_bytes()
    path = tmp_path / "cut.nir"
    path.write_bytes(content[: int(keep * len(content))])
    (finding,) = findings_of(path)
    assert finding.code == "NE1003" and finding.where == str(path)


def test_hdf5_that_is_not_nir(tmp_path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.arange(3)
    (finding,) = findings_of(path)
    assert finding.code == "NE1010" and "table" in finding.message


def test_links_out_of_the_file_are_not_followed(chain, tmp_path):
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["weight"] = np.ones((2, 2))
    path = chain((2,), linear(np.ones((2, 2))), lif())
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/weight"]
        file["node/nodes/n0/weight"] = h5py.ExternalLink(str(secret), "/weight")
    found = findings_of(path)
    assert "NE1005" in codes(found)


def test_data_kept_in_other_files_is_not_read(chain, tmp_path):
    path = chain((2,), linear(np.ones((2, 2))), lif())
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/weight"]
        outside = [(str(tmp_path / "raw.bin"), 0, 32)]
        file["node/nodes/n0"].create_dataset("weight", shape=(2, 2), dtype="f8", external=outside)
    assert "NE1005" in codes(findings_of(path))


def test_graph_that_contains_itself_is_refused(chain):
    path = chain((2,), linear(np.ones((2, 2))), lif())
    with h5py.File(path, "a") as file:
        file["node/nodes/again"] = file["node"]
    (finding,) = findings_of(path)
    assert finding.code == "NE1004" and "deeper" in finding.message


@pytest.mark.parametrize("edges", [np.array([[1, 2]]), np.array([[b"a", b"b", b"c"]]), np.array(b"edge")])
def test_edges_of_another_kind_are_refused(chain, edges):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node"].create_dataset("edges", data=edges)
    assert "NE1010" in codes(findings_of(path))


def test_fixed_length_names_are_read_too(chain):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        del file["node/edges"]
        file["node"].create_dataset("edges", data=np.array([[b"input", b"n0"], [b"n0", b"output"]]))
    assert load(path).outputs == ("n0",)


@pytest.mark.parametrize("missing", ["type", "nodes", "edges"])
def test_root_graph_needs_its_members(chain, missing):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        del file[f"node/{missing}"]
    assert set(codes(findings_of(path))) == {"NE1010"}


@pytest.mark.parametrize("bad", [np.array([1 + 2j]), np.zeros(2, dtype=[("a", "f4")])])
def test_values_that_are_no_numbers_are_refused(chain, bad):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/tau"]
        file["node/nodes/n0"].create_dataset("tau", data=bad)
    assert "NE1014" in codes(findings_of(path))


# ---- choosing the reader ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code", "part"),
    [
        (b"", "NE1002", "empty"),
        (b"PK\x03\x04rest", "NE1002", "zip archive"),
        (b"\x80\x04\x95", "NE1002", "pickle"),
        (b"\x00\x01\x02\xff", "NE1002", "no known kind"),
        (b"\x89HDF\r\n\x1a\n", "NE1003", "HDF5"),
    ],
)
def test_files_are_told_apart_by_content(tmp_path, content, code, part):
    path = tmp_path / "net.nir"
    path.write_bytes(content)
    (finding,) = findings_of(path)
    assert finding.code == code and part in finding.message


def test_missing_file_suggests_the_one_beside_it(tmp_path):
    (tmp_path / "braille.nir").write_bytes(b"x")
    (finding,) = findings_of(tmp_path / "brialle.nir")
    assert finding.code == "NE1001" and "braille.nir" in finding.fixes[0]
    (finding,) = findings_of(tmp_path / "nowhere" / "net.nir")
    assert finding.code == "NE1001" and "does not exist" in finding.fixes[0]
    (finding,) = findings_of(tmp_path)
    assert finding.code == "NE1001"


# ---- faults HDF5 itself does not survive -----------------------------------------------------------------------------


def altered(path, position, value):
    content = bytearray(path.read_bytes())
    content[position : position + len(value)] = value
    path.write_bytes(content)
    return path


def test_heap_object_with_an_overflowing_size_does_not_hang(chain):
    path = chain((2,), lif())
    heap = path.read_bytes().find(b"GCOL")
    (finding,) = findings_of(altered(path, heap + 16 + 8, b"\xf1" + b"\xff" * 7))
    assert finding.code == "NE1003" and "heap object" in finding.message


@pytest.mark.parametrize("size", [2**40, 2**25])
def test_heap_that_reaches_beyond_the_file_is_refused(chain, size):
    path = chain((2,), lif())
    heap = path.read_bytes().find(b"GCOL")
    (finding,) = findings_of(altered(path, heap + 8, size.to_bytes(8, "little")))
    assert finding.code == "NE1003"


@pytest.mark.parametrize(("at", "value"), [(4, 2**50), (4, 512), (12, 77)])
def test_reference_to_no_heap_object_is_refused(chain, at, value):
    path = chain((2,), lif())
    with h5py.File(path) as file:
        reference = file["node/nodes/n0/type"].id.get_offset()
    (finding,) = findings_of(altered(path, reference + at, value.to_bytes(8 if at == 4 else 4, "little")))
    assert finding.code == "NE1003"


def test_string_of_four_gigabytes_is_refused_before_it_is_allocated(chain):
    path = chain((2,), lif())
    with h5py.File(path) as file:
        reference = file["node/nodes/n0/type"].id.get_offset()
    (finding,) = findings_of(altered(path, reference, b"\xff\xff\xff\xff"))
    assert finding.code == "NE1003" and "4294967295 bytes" in finding.message


@pytest.mark.parametrize("options", [{"chunks": (1, 2)}, {"chunks": (2, 2), "compression": "gzip"}])
def test_chunked_names_are_read_and_their_lengths_checked(chain, options):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        names = np.array([["input", "n0"], ["n0", "output"]], dtype=object)
        del file["node/edges"]
        file["node"].create_dataset("edges", data=names, dtype=h5py.string_dtype(), **options)
    assert load(path).outputs == ("n0",)
    with h5py.File(path, "a") as file:
        names[1, 1] = "x" * 10_000
        file["node/edges"][...] = names
    (finding,) = findings_of(path)
    assert finding.code == "NE1003" and "10000 bytes" in finding.message


def test_names_behind_other_filters_are_refused(chain):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        names = np.array([["input", "n0"], ["n0", "output"]], dtype=object)
        del file["node/edges"]
        kind = h5py.string_dtype()
        file["node"].create_dataset("edges", data=names, dtype=kind, chunks=(2, 2), compression="lzf", shuffle=True)
    (finding,) = findings_of(path)
    assert finding.code == "NE1003" and "unusual filters" in finding.message


def test_tiny_and_unusual_files_are_refused(tmp_path, chain):
    tiny = tmp_path / "tiny.nir"
    tiny.write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 20)
    assert findings_of(tiny)[0].code == "NE1003"
    assert findings_of(altered(chain((2,), lif()), 13, b"\x04"))[0].code == "NE1003"


@pytest.mark.parametrize("chunks", [(2000, 2000), (1, 1)])
def test_chunks_that_cost_more_than_their_array_are_refused(chain, chunks):
    path = chain((2,), linear(np.ones((2, 2))), lif())
    with h5py.File(path, "a") as file:
        del file["node/nodes/n0/weight"]
        options = {"maxshape": (None, None), "chunks": chunks, "compression": "gzip"}
        if chunks == (1, 1):
            file["node/nodes/n0"].create_dataset("weight", data=np.ones((400, 400)), **options)
        else:
            file["node/nodes/n0"].create_dataset("weight", shape=(2, 2), dtype="f4", **options)
    (finding,) = findings_of(path)
    assert finding.code == "NE1004" and "chunks of" in finding.message


def test_chunks_of_another_rank_than_the_array_do_not_hang(chain):
    path = chain((2,), lif())
    with h5py.File(path, "a") as file:
        node = file["node/nodes/n0"]
        del node["v_leak"]
        node.create_dataset("v_leak", data=np.full((2, 7, 11), 0.5), chunks=(2, 7, 11), compression="gzip")
    content = path.read_bytes()
    dataspace = bytes([1, 3, 1, 0, 0, 0, 0, 0]) + b"".join(side.to_bytes(8, "little") for side in (2, 7, 11))
    assert content.count(dataspace) == 1
    (finding,) = findings_of(altered(path, content.find(dataspace) + 1, b"\x01"))
    assert finding.code == "NE1004" and finding.where.endswith("n0/v_leak")
