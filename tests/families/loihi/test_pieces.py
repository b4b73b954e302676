"""Populations are cut into pieces that fit a core and hold exactly the lowered synapses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.loihi.image import CoreLimits, ProgramImage, check_core
from neuroemu.families.loihi.lower import lower
from neuroemu.families.loihi.lowered import LoweredNetwork
from neuroemu.families.loihi.mapping import build_image, core_limits, map_network
from neuroemu.families.loihi.pieces import Piece, cut, dense_format, sparse_format
from neuroemu.mapping.cores import routes_of
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.connectivity import Conv2d
from neuroemu.network.model import Network, Neuron
from neuroemu.network.neurons import integrate_and_fire, lif
from neuroemu.spec import ChipSpec, load_chip
from tests.families.loihi.chips import SMALL, variant
from tests.families.loihi.programs import synapses_of

LOIHI1 = load_chip("loihi1")
DT = 1e-3
IF = integrate_and_fire(threshold=1.0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ChipSpec:
    return variant(tmp_path_factory.mktemp("chip"), **SMALL)


def layer(source: tuple[int, ...], shape: tuple[int, ...], neuron: Neuron = IF) -> NetworkBuilder:
    builder = NetworkBuilder("layer", dt_s=DT).input("in", source)
    return builder.population("layer", shape, neuron).output("layer")


def dense_layer(rng: np.random.Generator, size: int, fan_in: int, neuron: Neuron = IF) -> Network:
    return layer((fan_in,), (size,), neuron).dense("in", "layer", rng.normal(0, 0.3, (size, fan_in))).build()


def pieces_of(network: Network, chip: ChipSpec, **limits: int) -> tuple[Piece, ...]:
    return cut(lower(network, chip), CoreLimits(**{**vars(core_limits(chip)), **limits}), "overlap_growth", 0)


def refused(network: Network, chip: ChipSpec) -> Finding:
    with pytest.raises(DoesNotFit) as caught:
        map_network(lower(network, chip), chip)
    (finding,) = caught.value.findings
    assert len(finding.fixes) >= 3
    return finding


# ------------------------------------------------------------------------------------------------ exactly the lowered synapses


def wanted_synapses(network: LoweredNetwork) -> list[tuple[str, int, str, int, int, int]]:
    """(source, number, target, number, delay, weight) of every lowered synapse that is not zero."""
    wanted = []
    for projection in network.projections:
        matrix = sp.coo_array(projection.structure.to_sparse())
        own = getattr(projection.structure, "delay", None)
        delays = np.full(matrix.nnz, projection.delay) + (0 if own is None else own)
        for target, source, delay, mantissa in zip(*matrix.coords, delays, matrix.data, strict=True):
            weight = int(mantissa * 2.0**projection.weight_exponent) * 64
            if weight:
                wanted.append((projection.source, int(source), projection.target, int(target), int(delay), weight))
    return sorted(wanted)


def stored_synapses(image: ProgramImage) -> list[tuple[str, int, str, int, int, int]]:
    """The same, read back from the cores' memories and the symbols."""
    first = np.cumsum([0, *(core.compartments for core in image.cores)])
    position = {core.core: number for number, core in enumerate(image.cores)}
    names = {
        port.first_source + number: (port.name, number) for port in image.symbols.inputs for number in range(port.size)
    }
    for symbol in image.symbols.populations:
        for number, (core, compartment) in enumerate(zip(symbol.core, symbol.compartment, strict=True)):
            names[image.host.sources + int(first[position[int(core)]]) + int(compartment)] = (symbol.name, number)
    numbered = _by_position(image)
    return sorted(
        (*names[source], *names[image.host.sources + target], delay, weight)
        for source, target, delay, weight in synapses_of(numbered)
        if weight
    )


def _by_position(image: ProgramImage) -> ProgramImage:
    """Cores renumbered 0, 1, ... in their order."""
    position = np.full(max(core.core for core in image.cores) + 1, -1)
    position[[core.core for core in image.cores]] = np.arange(len(image.cores))
    from dataclasses import replace

    cores = tuple(
        replace(core, core=number, output_core=position[core.output_core].astype(np.uint16))
        for number, core in enumerate(image.cores)
    )
    host = replace(image.host, core=position[image.host.core].astype(np.uint16))
    return replace(image, cores=cores, host=host)


def convolution(rng: np.random.Generator) -> Network:
    groups = int(rng.integers(1, 3))
    channels = groups * int(rng.integers(1, 4))
    shape = (channels, int(rng.integers(3, 12)), int(rng.integers(3, 12)))
    kernel = rng.integers(1, 4, 2)
    dilation = tuple(
        1 if side == 1 else int(rng.integers(1, 2 + (shape[1 + axis] > 6))) for axis, side in enumerate(kernel)
    )
    stage = Conv2d(
        np.rint(rng.normal(0, 6, (groups * int(rng.integers(1, 7)), channels // groups, *kernel))) / 16,
        shape,
        tuple(int(step) for step in rng.integers(1, 4, 2)),  # type: ignore[arg-type]
        tuple(int(side) for side in rng.integers(0, 3, 4)),  # type: ignore[arg-type]
        dilation,  # type: ignore[arg-type]
        groups,
    )
    return layer(shape, stage.out_shape).connect("in", "layer", stage).build()


def fully_connected(rng: np.random.Generator) -> Network:
    size, fan_in = (int(value) for value in rng.integers(1, 125, 2))
    weight = rng.normal(0, 0.3, (size, fan_in)) * (rng.random((size, fan_in)) < rng.choice([0.1, 0.6, 1.0]))
    builder = layer((fan_in,), (size,)).dense("in", "layer", weight)
    if rng.random() < 0.3:
        builder.dense("layer", "layer", rng.normal(0, 0.1, (size, size)), delay_ticks=int(rng.integers(1, 5)))
    return builder.build()


def listed(rng: np.random.Generator) -> Network:
    size, fan_in = int(rng.integers(1, 300)), int(rng.integers(1, 100))
    weight = sp.random_array((size, fan_in), density=min(1.0, 6 / fan_in), rng=rng, format="csr")
    builder = layer((fan_in,), (size,)).sparse("in", "layer", weight, delay=rng.integers(0, 60, weight.nnz))
    if rng.random() < 0.5:
        builder.sparse(
            "layer", "layer", sp.random_array((size, size), density=min(1.0, 2 / size), rng=rng), delay_ticks=1
        )
    return builder.build()


def image_and_vector(rng: np.random.Generator) -> Network:
    """A convolution and a dense side input into one population, then a dense layer on its maps."""
    builder = NetworkBuilder("mixed", dt_s=DT).input("image", (2, 6, 7)).input("vector", (5,))
    builder.population("maps", (3, 6, 7), IF).population("classes", (9,), IF)
    builder.conv2d("image", "maps", np.rint(rng.normal(0, 6, (3, 2, 3, 3))) / 16, padding=(1, 1, 1, 1))
    builder.dense("vector", "maps", rng.normal(0, 0.3, (126, 5))).dense("maps", "classes", rng.normal(0, 0.3, (9, 126)))
    return builder.output("classes").build()


@pytest.mark.parametrize("kind", [convolution, fully_connected, listed, image_and_vector])
@given(seed=st.integers(0, 1 << 32))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pieces_on_small_cores_hold_exactly_the_lowered_synapses(kind: Any, seed: int, small: ChipSpec) -> None:
    network = lower(kind(np.random.default_rng(seed)), small)
    placement = map_network(network, small)
    image = build_image(network, placement, small, "")
    limits = core_limits(small)
    assert [finding for core in image.cores for finding in check_core(core, limits)] == []
    assert stored_synapses(image) == wanted_synapses(network)
    for population in network.populations:
        neurons = [piece.neurons for piece in placement.pieces if piece.population is population]
        assert np.array_equal(np.sort(np.concatenate(neurons)), np.arange(population.size))


# ------------------------------------------------------------------------------------------------ where the limits bind


def test_a_layer_of_1024_compartments_is_one_piece_and_one_more_neuron_makes_two(rng: np.random.Generator) -> None:
    sizes = [[piece.size for piece in pieces_of(dense_layer(rng, size, 8), LOIHI1)] for size in (1024, 1025)]
    assert sizes == [[1024], [513, 512]]


def test_a_dense_block_of_1024_by_1024_eight_bit_weights_needs_nine_cores(rng: np.random.Generator) -> None:
    network = lower(dense_layer(rng, 1024, 1024), LOIHI1)
    placement = map_network(network, LOIHI1)
    assert placement.lower_bound == len(placement.cores) == 9
    assert placement.binding_resource == "synapse_memory_bits"


def test_synapse_memory_is_filled_to_the_last_word_and_not_beyond(rng: np.random.Generator, tmp_path: Path) -> None:
    """64 inputs x one block of (7 x 8 + 10) bits: two words each."""
    chips = [variant(tmp_path, synapse_memory=f"{words * 8} B") for words in (64 * 2, 64 * 2 - 1)]
    weight = rng.uniform(0.1, 1, (7, 64))
    network = layer((64,), (7,)).dense("in", "layer", weight).build()
    assert [len(pieces_of(network, chip)) for chip in chips] == [1, 2]


def test_4096_input_axons_fit_and_one_more_is_refused(rng: np.random.Generator) -> None:
    narrow = {
        fan_in: layer((fan_in,), (2,)).dense("in", "layer", np.ones((2, fan_in))).build() for fan_in in (4096, 4097)
    }
    assert [piece.axons for piece in pieces_of(narrow[4096], LOIHI1)] == [4096]
    finding = refused(narrow[4097], LOIHI1)
    assert (finding.code, finding.where) == ("NE4103", "population layer")
    assert "4097 sources, 1 more than the 4096 input axons" in finding.message


def test_a_neuron_whose_synapses_exceed_a_cores_memory_is_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    chip = variant(tmp_path, synapse_memory="256 B")
    finding = refused(dense_layer(rng, 3, 40), chip)
    assert (finding.code, finding.where) == ("NE4104", "population layer")
    assert "2560 bits, 512 more than the 2048 bits" in finding.message
    assert "prune at least 20 % of each neuron's synapses" in finding.fixes


def test_a_convolution_whose_single_neuron_does_not_fit_is_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    weight = rng.uniform(0.1, 1, (1, 3, 3, 3))
    network = layer((3, 5, 5), (1, 3, 3)).conv2d("in", "layer", weight).build()
    assert refused(network, variant(tmp_path, synapse_memory="64 B")).code == "NE4104"
    assert refused(network, variant(tmp_path, input_axons=8)).code == "NE4103"
    assert len(pieces_of(network, variant(tmp_path, input_axons=9))) == 9


def test_output_axons_are_one_per_neuron_and_listening_piece(rng: np.random.Generator) -> None:
    builder = layer((4,), (10,)).population("wide", (1500,), IF).dense("in", "layer", rng.uniform(0, 1, (10, 4)))
    network = lower(builder.dense("layer", "wide", rng.uniform(0, 1, (1500, 10))).build(), LOIHI1)
    pieces = cut(network, core_limits(LOIHI1), "overlap_growth", 0)
    needed = routes_of(pieces)
    assert needed["layer"].tolist() == [2] * 10
    assert needed["wide"].sum() == 0


def test_a_population_with_too_many_output_axons_is_cut_finer(rng: np.random.Generator, tmp_path: Path) -> None:
    chip = variant(tmp_path, output_axons=100, compartments=64)
    builder = layer((4,), (60,)).population("wide", (300,), IF).dense("in", "layer", rng.uniform(0, 1, (60, 4)))
    network = builder.dense("layer", "wide", rng.uniform(0, 1, (300, 60))).build()
    sizes = [piece.size for piece in pieces_of(network, chip) if piece.population.name == "layer"]
    assert sizes == [20, 20, 20]  # five pieces listen: 5 axons a neuron


def test_a_neuron_that_feeds_more_cores_than_it_has_output_axons_is_refused(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    chip = variant(tmp_path, output_axons=4, compartments=64)
    builder = layer((4,), (2,)).population("wide", (300,), IF).dense("in", "layer", rng.uniform(0, 1, (2, 4)))
    finding = refused(builder.dense("layer", "wide", rng.uniform(0, 1, (300, 2))).build(), chip)
    assert (finding.code, finding.where) == ("NE4102", "population layer")
    assert "5 output axons, 1 more than the 4" in finding.message


def test_populations_that_cannot_be_cut_are_all_refused_at_once(tmp_path: Path) -> None:
    builder = layer((4097,), (2,)).population("other", (3,), IF).dense("in", "layer", np.ones((2, 4097)))
    network = lower(builder.dense("in", "other", np.ones((3, 4097))).build(), LOIHI1)
    with pytest.raises(DoesNotFit) as caught:
        map_network(network, LOIHI1)
    assert [finding.where for finding in caught.value.findings] == ["population layer", "population other"]


def test_neurons_with_more_time_constants_than_a_core_has_profiles_are_spread(rng: np.random.Generator) -> None:
    taus = np.repeat(np.linspace(2, 40, 33), 4) * DT
    network = dense_layer(rng, 132, 5, lif(tau_mem_s=taus, dt_s=DT))
    pieces = pieces_of(network, LOIHI1)
    assert [(piece.size, piece.profiles) for piece in pieces] == [(128, 32), (4, 1)]
    few = dense_layer(rng, 128, 5, lif(tau_mem_s=taus[:128], dt_s=DT))
    assert [piece.profiles for piece in pieces_of(few, LOIHI1)] == [32]


def test_a_tile_with_too_many_time_constants_is_refused(rng: np.random.Generator) -> None:
    taus = np.linspace(2, 40, 36)
    neuron = lif(tau_mem_s=taus * DT, dt_s=DT, resistance=taus, snap=True)  # equal gains keep the kernel shared
    network = layer((1, 8, 8), (1, 6, 6), neuron).conv2d("in", "layer", np.ones((1, 1, 3, 3))).build()
    finding = refused(network, LOIHI1)
    assert (finding.code, finding.where) == ("NE4105", "population layer")
    assert "36 compartment profiles, 4 more than the 32" in finding.message


def test_too_many_synapse_formats_into_one_population_are_refused(rng: np.random.Generator) -> None:
    builder = layer((2,), (3,)).population("between", (2,), IF).dense("in", "between", np.eye(2))
    for delay in (0, 1, 2, 4, 8, 16):
        for scale in (1.0, -1.0, 0.25, -0.25):
            builder.dense("between", "layer", scale * rng.uniform(0.9, 1, (3, 2)), delay_ticks=delay)
    finding = refused(builder.build(), LOIHI1)
    assert finding.code == "NE4105"
    assert "synapse formats, " in finding.message and "more than the 15" in finding.message


def test_output_axons_that_no_cut_satisfies_are_refused(rng: np.random.Generator, tmp_path: Path) -> None:
    """Recurrent neurons: every cut makes more pieces to send to."""
    chip = variant(tmp_path, output_axons=40, compartments=1024)
    builder = layer((4,), (400,)).dense("in", "layer", rng.uniform(0, 1, (400, 4)))
    finding = refused(builder.dense("layer", "layer", rng.uniform(0, 1, (400, 400)), delay_ticks=1).build(), chip)
    assert finding.code in ("NE4101", "NE4102")
    assert "40" in finding.message


# ------------------------------------------------------------------------------------------------ structure is kept


def test_a_mostly_empty_dense_matrix_is_listed_and_a_full_one_is_not(rng: np.random.Generator) -> None:
    full = rng.normal(0, 0.3, (900, 64))
    kinds = {}
    for name, weight in {"full": full, "empty": full * (rng.random(full.shape) < 0.05)}.items():
        (piece,) = pieces_of(layer((64,), (900,)).dense("in", "layer", weight).build(), LOIHI1)
        kinds[name] = [block.kind for block in piece.blocks]
    assert kinds == {"full": ["dense"], "empty": ["sparse"]}


def test_a_convolution_is_stored_as_one_kernel_not_as_edges(rng: np.random.Generator) -> None:
    weight = rng.normal(0, 0.3, (8, 4, 3, 3))
    network = layer((4, 20, 20), (8, 20, 20)).conv2d("in", "layer", weight, padding=(1, 1, 1, 1)).build()
    edges = weight.size * 20 * 20
    for piece in pieces_of(network, LOIHI1):
        for block in piece.blocks:
            assert block.kind == "shared_kernel"
            assert block.weight.size < edges / 20


def test_index_and_delay_fields_are_as_wide_as_needed(rng: np.random.Generator) -> None:
    (projection,) = lower(dense_layer(rng, 1024, 64), LOIHI1).projections
    assert (dense_format(projection).delay_bits, dense_format(projection).index_bits) == (0, 0)
    widths = {
        compartments: sparse_format(projection, compartments).index_bits for compartments in (1, 64, 65, 1024, 1025)
    }
    assert widths == {1: 6, 64: 6, 65: 7, 1024: 10, 1025: 11}


def test_results_of_a_wide_core_are_those_of_loihi1(rng: np.random.Generator) -> None:
    """2048 compartments need wider indices; tiles and lists must follow."""
    wide = load_chip("loihi1-wide")
    network = image_and_vector(rng)
    images = [
        build_image(lowered, map_network(lowered, chip), chip, "")
        for chip in (LOIHI1, wide)
        for lowered in (lower(network, chip),)
    ]
    assert stored_synapses(images[0]) == stored_synapses(images[1])
