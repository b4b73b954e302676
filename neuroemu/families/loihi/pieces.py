"""Cuts lowered populations into pieces that fit a core, and writes each piece's synapses as core memory will hold them.

Dense layers are cut into slices, convolutions into tiles (rows x columns x channels), listed synapses by a partitioner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.loihi.image import CoreLimits, SynapseFormat, list_bits, list_bits_table
from neuroemu.families.loihi.lowered import LoweredNetwork, LoweredPopulation, LoweredProjection
from neuroemu.mapping.cores import ListedPiece, routes_of
from neuroemu.network.connectivity import Conv2d, Dense, Sparse

IntArray = NDArray[np.int64]

_INDEX_BITS = (6, 7, 8, 9, 10, 11, 12)
_ROUNDS = 40
MOST_REFINED_SYNAPSES = 2_000_000
"""Beyond this many listed synapses a cut is not refined: it would cost more time than it saves messages."""


@dataclass(frozen=True)
class SynapseBlock:
    """Synapses of one projection into one piece.

    Attributes:
        kind, format: as in the core's synapse section.
        list_start, index, weight, delay: the synapse lists (index empty for a dense layout, delay for no delay bits).
        axon_list, axon_atoms, axon_base: one entry per input axon; the base counts from the piece's first compartment.
        route_source, route_axon, route_atom: which source neuron (number in its population or port) uses which axon.
    """

    projection: LoweredProjection
    kind: str
    format: SynapseFormat
    list_start: IntArray
    index: IntArray
    weight: IntArray
    delay: IntArray
    axon_list: IntArray
    axon_atoms: IntArray
    axon_base: IntArray
    route_source: IntArray
    route_axon: IntArray
    route_atom: IntArray

    @property
    def memory_bits(self) -> int:
        return int(list_bits(np.diff(self.list_start), self.format).sum())

    @property
    def axons(self) -> int:
        return int(self.axon_list.shape[0])


class Piece(ListedPiece[LoweredPopulation, SynapseBlock]):
    """Neurons that stay together on a core, in their order there."""

    @property
    def profiles(self) -> int:
        """Distinct (current decay, membrane decay) registers; the refractory period is the population's."""
        return int(profile_of_neuron(self.population, self.neurons).max(initial=-1)) + 1


def profile_of_neuron(population: LoweredPopulation, neurons: IntArray) -> IntArray:
    """Number of each neuron's pair of decay registers among those of ``neurons``, in rising order of the registers."""
    registers = np.stack([population.current_decay[neurons], population.membrane_decay[neurons]])
    _, number = np.unique(registers, axis=1, return_inverse=True)
    return number.reshape(-1).astype(np.int64)


def cut(network: LoweredNetwork, limits: CoreLimits, partitioner: str, seed: int) -> tuple[Piece, ...]:
    """Pieces of all populations, in network order, each within every limit of a core.

    Output axons depend on how the targets were cut: populations whose pieces send to too many places are cut finer until
    all fit.

    Raises:
        DoesNotFit: naming the population and the limit when not even one neuron fits.
    """
    most = {population.name: limits.compartments for population in network.populations}
    pieces: dict[str, tuple[Piece, ...]] = {}
    dirty = set(most)
    for _ in range(_ROUNDS):
        findings: list[Finding] = []
        for population in network.populations:
            if population.name not in dirty:
                continue
            try:
                pieces[population.name] = _cut_population(
                    network, population, limits, most[population.name], partitioner, seed
                )
            except DoesNotFit as error:
                findings.extend(error.findings)
        if findings:
            raise DoesNotFit(findings)
        dirty = _tighten(pieces, limits, most)
        if not dirty:
            return tuple(piece for population in network.populations for piece in pieces[population.name])
    raise DoesNotFit(
        Finding(
            "NE4101",
            f"no cut found in {_ROUNDS} rounds that keeps the output axons of {', '.join(sorted(dirty))} within "
            f"{limits.output_axons} per core",
            fixes=(
                "reduce the fan-out of these populations",
                "make the populations that they feed smaller, so that these take fewer cores",
                f"use a chip with more than {limits.output_axons} output axons per core",
            ),
        )
    )


def _tighten(pieces: Mapping[str, tuple[Piece, ...]], limits: CoreLimits, most: dict[str, int]) -> set[str]:
    """Lower ``most`` for populations whose pieces need too many output axons; returns their names."""
    needed = routes_of([piece for parts in pieces.values() for piece in parts])
    dirty = set()
    for name, population_pieces in pieces.items():
        worst = max((int(needed[name][piece.neurons].sum()) for piece in population_pieces), default=0)
        if worst <= limits.output_axons:
            continue
        largest = max(piece.size for piece in population_pieces)
        heaviest = int(needed[name].max())
        if heaviest > limits.output_axons:
            raise DoesNotFit(
                Finding(
                    "NE4102",
                    f"one neuron needs {heaviest} output axons, {heaviest - limits.output_axons} more than the "
                    f"{limits.output_axons} of a core",
                    f"population {name}",
                    (
                        f"let it feed at most {limits.output_axons} cores: make its targets smaller or fewer",
                        f"relay the spikes through {-(-heaviest // limits.output_axons)} extra populations",
                        f"use a chip with {heaviest} output axons per core",
                    ),
                )
            )
        # A population that feeds itself needs more axons the finer it is cut: cut at least 3 % finer, or rounds creep.
        most[name] = max(1, min(largest - 1 - largest // 32, largest * limits.output_axons // worst))
        dirty.add(name)
    return dirty


def _cut_population(
    network: LoweredNetwork,
    population: LoweredPopulation,
    limits: CoreLimits,
    most: int,
    partitioner: str,
    seed: int,
) -> tuple[Piece, ...]:
    incoming = [projection for projection in network.projections if projection.target == population.name]
    if any(isinstance(projection.structure, Conv2d) for projection in incoming):
        groups = _tiles(population, incoming, limits, most)
    elif any(isinstance(projection.structure, Sparse) for projection in incoming):
        groups = _split_by_profile(
            population, _parts(network, population, incoming, limits, most, partitioner, seed), limits
        )
    else:
        groups = _split_by_profile(population, _slices(population, incoming, limits, most), limits)
    return tuple(
        Piece(population, neurons, tuple(write_block(projection, population, neurons) for projection in incoming))
        for neurons in groups
    )


# ---------------------------------------------------------------------------- where to cut


def _slices(
    population: LoweredPopulation, incoming: list[LoweredProjection], limits: CoreLimits, most: int
) -> list[IntArray]:
    """Equal runs of neighbouring neurons, as few as fit."""
    axons = sum(projection.structure.n_in for projection in incoming)
    _refuse_axons(population, axons, limits)

    def fits(size: int) -> bool:
        return _dense_bits(incoming, size) <= limits.synapse_memory_bits

    if not fits(1):
        _refuse_memory(population, _dense_bits(incoming, 1), limits)
    low, high = 1, min(most, population.size)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return np.array_split(np.arange(population.size, dtype=np.int64), -(-population.size // low))


def _split_by_profile(population: LoweredPopulation, groups: list[IntArray], limits: CoreLimits) -> list[IntArray]:
    """Cut groups with more register profiles than a core has; neurons of equal registers stay together."""
    cut_groups = []
    for neurons in groups:
        part = profile_of_neuron(population, neurons) // limits.compartment_profiles
        cut_groups += [neurons[part == number] for number in range(int(part.max(initial=0)) + 1)]
    return cut_groups


def _dense_bits(incoming: list[LoweredProjection], size: int) -> int:
    return sum(projection.structure.n_in * int(list_bits(size, dense_format(projection))) for projection in incoming)


def _tiles(
    population: LoweredPopulation, incoming: list[LoweredProjection], limits: CoreLimits, most: int
) -> list[IntArray]:
    """Equal blocks of rows, columns and channels, as few as fit; channels are split last, since that repeats axons."""
    channels, height, width = _image_shape(population)
    fewest = -(-population.size // min(most, limits.compartments))
    grids = sorted(
        (
            (rows * columns * groups, groups, abs(height / rows - width / columns), rows, columns)
            for rows, columns, groups in product(
                _useful_counts(height), _useful_counts(width), _useful_counts(channels)
            )
            if rows * columns * groups >= fewest
        ),
    )
    smallest: list[tuple[int, int]] = []
    for _, groups, _, rows, columns in grids:
        tile = (-(-height // rows), -(-width // columns), -(-channels // groups))
        if tile[0] * tile[1] * tile[2] > most:
            continue
        worst_axons, worst_bits = _tile_use(incoming, (channels, height, width), tile)
        if worst_axons <= limits.input_axons and worst_bits <= limits.synapse_memory_bits:
            return _tile_neurons((channels, height, width), tile)
        smallest.append((worst_axons, worst_bits))
    axons, bits = smallest[-1]
    _refuse_axons(population, axons, limits)
    _refuse_memory(population, bits, limits)
    raise AssertionError("a tile of one neuron that fits was not found")


def _useful_counts(size: int) -> list[int]:
    """Numbers of cuts that give different block lengths."""
    return sorted({-(-size // block) for block in range(1, size + 1)})


def _image_shape(population: LoweredPopulation) -> tuple[int, int, int]:
    shape = population.shape
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    return (shape[0], 1, shape[1]) if len(shape) == 2 else (population.size, 1, 1)


def _tile_use(
    incoming: list[LoweredProjection], shape: tuple[int, int, int], tile: tuple[int, int, int]
) -> tuple[int, int]:
    """(axons, memory bits) of the neediest tile."""
    _, height, width = shape
    axons = bits = 0
    for projection in incoming:
        structure = projection.structure
        if not isinstance(structure, Conv2d):
            axons += structure.n_in
            bits += structure.n_in * int(
                list_bits(tile[0] * tile[1] * tile[2], sparse_format(projection, tile[0] * tile[1] * tile[2]))
            )
            continue
        rows = [_AxisTaps(structure, 0, first, min(first + tile[0], height)) for first in range(0, height, tile[0])]
        columns = [_AxisTaps(structure, 1, first, min(first + tile[1], width)) for first in range(0, width, tile[1])]
        per_group = structure.weight.shape[0] // structure.groups
        length = min(tile[2], per_group)
        groups_met = min(
            structure.groups, -(-tile[2] // per_group) + (1 if tile[2] % per_group and per_group % tile[2] else 0)
        )
        lists_per_pattern = groups_met * structure.weight.shape[1]
        synapse_format = sparse_format(projection, tile[0] * tile[1] * tile[2])
        axons += max(row.touched.shape[0] for row in rows) * max(column.touched.shape[0] for column in columns)
        bits += (
            max(
                int(list_bits(np.outer(row.tap_counts, column.tap_counts) * length, synapse_format).sum())
                for row in rows
                for column in columns
            )
            * lists_per_pattern
        )
    return axons, bits


class _AxisTaps:
    """Which input positions along one axis reach outputs ``first..last-1``, grouped by equal pattern of taps."""

    def __init__(self, conv: Conv2d, axis: int, first: int, last: int):
        before = conv.padding[2 * axis]
        kernel = conv.weight.shape[2 + axis]
        position, tap = np.meshgrid(np.arange(first, last), np.arange(kernel), indexing="ij")
        source = position * conv.stride[axis] + tap * conv.dilation[axis] - before
        inside = (source >= 0) & (source < conv.in_shape[1 + axis])
        source, position, tap = source[inside], position[inside] - first, tap[inside]
        order = np.lexsort((position, source))
        source, position, tap = source[order], position[order], tap[order]
        self.touched, starts = np.unique(source, return_index=True)
        bounds = np.append(starts, source.shape[0])
        self.base = position[starts] if starts.size else np.zeros(0, np.int64)
        patterns: dict[tuple[tuple[int, int], ...], int] = {}
        pattern_of = []
        for index in range(self.touched.shape[0]):
            part = slice(int(bounds[index]), int(bounds[index + 1]))
            key = tuple(zip((position[part] - self.base[index]).tolist(), tap[part].tolist(), strict=True))
            pattern_of.append(patterns.setdefault(key, len(patterns)))
        self.pattern_of = np.array(pattern_of, np.int64)
        self.patterns = list(patterns)
        self.tap_counts = np.array([len(pattern) for pattern in self.patterns], np.int64)


def _tile_neurons(shape: tuple[int, int, int], tile: tuple[int, int, int]) -> list[IntArray]:
    """Neurons of every tile, channel last, so that a kernel row lies on neighbouring compartments."""
    channels, height, width = shape
    numbers = np.arange(channels * height * width, dtype=np.int64).reshape(shape)
    return [
        numbers[channel : channel + tile[2], row : row + tile[0], column : column + tile[1]]
        .transpose(1, 2, 0)
        .reshape(-1)
        for row in range(0, height, tile[0])
        for column in range(0, width, tile[1])
        for channel in range(0, channels, tile[2])
    ]


def _parts(
    network: LoweredNetwork,
    population: LoweredPopulation,
    incoming: list[LoweredProjection],
    limits: CoreLimits,
    most: int,
    partitioner: str,
    seed: int,
) -> list[IntArray]:
    """Parts of a listed connectivity, found on the hypergraph of its sources."""
    from neuroemu.mapping.partition import Hypergraph, Limits

    starts = [np.zeros(1, np.int64)]
    targets: list[Any] = []
    homes: list[Any] = []
    formats: list[Any] = []
    tables: list[IntArray] = []
    fixed_axons = fixed_bits = 0
    longest = min(most, population.size)
    for projection in incoming:
        structure = projection.structure
        if isinstance(structure, Dense):
            fixed_axons += structure.n_in
            fixed_bits += structure.n_in * int(list_bits(longest, dense_format(projection)))
            continue
        columns = structure.to_sparse().tocsc()
        starts.append(columns.indptr[1:].astype(np.int64) + starts[-1][-1])
        targets.append(columns.indices.astype(np.int32))
        own = projection.source == population.name
        homes.append(np.arange(structure.n_in) if own else np.full(structure.n_in, -1))
        formats.append(np.full(structure.n_in, len(tables)))
        tables.append(list_bits_table(longest, sparse_format(projection, longest)))
    row_start = np.concatenate(starts)
    hypergraph = Hypergraph(
        row_start=row_start,
        target=np.concatenate(targets),
        rate=np.ones(row_start.shape[0] - 1, np.int64),
        neurons=population.size,
        home=np.concatenate(homes).astype(np.int32),
        list_format=np.concatenate(formats).astype(np.int32),
    )
    room = Limits(
        neurons=longest,
        axons=limits.input_axons - fixed_axons,
        memory=limits.synapse_memory_bits - fixed_bits,
        list_cost=np.stack(tables),
        names={"neurons": "compartments", "axons": "input axons", "memory": "bits of synapse memory"},
    )
    _refuse_axons(population, fixed_axons, limits)
    if population.size <= longest and _fits_one_core(hypergraph, room):
        return [np.arange(population.size, dtype=np.int64)]
    from neuroemu.mapping.partition import PARTITIONERS, refine

    parts = PARTITIONERS[partitioner](hypergraph, room, seed)
    if hypergraph.target.shape[0] <= MOST_REFINED_SYNAPSES:
        parts = refine(hypergraph, room, parts, seed)
    return [np.flatnonzero(parts == part).astype(np.int64) for part in range(int(parts.max()) + 1)]


def _fits_one_core(hypergraph: Any, room: Any) -> bool:
    lengths = np.diff(hypergraph.row_start)
    used = room.list_cost[hypergraph.list_format, lengths]
    return int(np.count_nonzero(lengths)) <= room.axons and int(used.sum()) <= room.memory


def _refuse_axons(population: LoweredPopulation, axons: int, limits: CoreLimits) -> None:
    if axons > limits.input_axons:
        raise DoesNotFit(
            Finding(
                "NE4103",
                f"a neuron listens to {axons} sources, {axons - limits.input_axons} more than the {limits.input_axons} input "
                "axons of a core",
                f"population {population.name}",
                (
                    f"reduce the fan-in to {limits.input_axons} (prune, pool or use a convolution)",
                    "insert a layer that combines groups of inputs",
                    "use a chip with more input axons per core",
                ),
            )
        )


def _refuse_memory(population: LoweredPopulation, bits: int, limits: CoreLimits) -> None:
    if bits > limits.synapse_memory_bits:
        raise DoesNotFit(
            Finding(
                "NE4104",
                f"the synapses of a single neuron need {bits} bits, {bits - limits.synapse_memory_bits} more than the "
                f"{limits.synapse_memory_bits} bits of a core's synapse memory",
                f"population {population.name}",
                (
                    f"prune at least {100 - 100 * limits.synapse_memory_bits // bits} % of each neuron's synapses",
                    f"split the layer's inputs over {-(-bits // limits.synapse_memory_bits)} populations",
                    f"use a chip with {-(-bits // 8192)} KiB of synapse memory per core",
                ),
            )
        )


# ---------------------------------------------------------------------------- what to write


def dense_format(projection: LoweredProjection) -> SynapseFormat:
    """Format without indices."""
    return SynapseFormat(
        "dense",
        projection.sign_mode,
        projection.weight_bits,
        projection.weight_exponent,
        _delay_bits(projection),
        0,
    )


def sparse_format(projection: LoweredProjection, compartments: int) -> SynapseFormat:
    """Format with an index that reaches ``compartments`` compartments."""
    needed = max(1, int(compartments - 1).bit_length())
    return SynapseFormat(
        "sparse",
        projection.sign_mode,
        projection.weight_bits,
        projection.weight_exponent,
        _delay_bits(projection),
        min(bits for bits in _INDEX_BITS if bits >= needed),
    )


def _delay_bits(projection: LoweredProjection) -> int:
    structure = projection.structure
    longest = projection.delay
    if isinstance(structure, Sparse) and structure.delay is not None and structure.delay.size:
        longest += int(structure.delay.max())
    return int(longest).bit_length()


def write_block(projection: LoweredProjection, population: LoweredPopulation, neurons: IntArray) -> SynapseBlock:
    """The synapses of ``projection`` into ``neurons``."""
    structure = projection.structure
    if isinstance(structure, Conv2d):
        return _shared_block(projection, structure, population, neurons)
    if isinstance(structure, Dense):
        weight = structure.weight[neurons].astype(np.int64)
        filled = int(np.count_nonzero(weight))
        dense_bits = weight.shape[1] * int(list_bits(neurons.shape[0], dense_format(projection)))
        per_list = np.count_nonzero(weight, axis=0)
        sparse_bits = int(list_bits(per_list, sparse_format(projection, neurons.shape[0])).sum())
        if dense_bits <= sparse_bits or filled == 0:
            return _dense_block(projection, weight)
        target, source = np.nonzero(weight)
        values, delays = weight[target, source], np.zeros(filled, np.int64)
    else:
        rows = structure.weight[neurons].tocoo()
        target, source, values = rows.coords[0], rows.coords[1], rows.data.astype(np.int64)
        delays = _delays_of(structure, neurons)
    return _listed_block(projection, neurons.shape[0], source.astype(np.int64), target.astype(np.int64), values, delays)


def _delays_of(structure: Sparse, neurons: IntArray) -> IntArray:
    """Extra delay of every synapse into ``neurons``, in row order."""
    if structure.delay is None:
        return np.zeros(int(np.diff(structure.weight.indptr)[neurons].sum()), np.int64)
    starts, ends = structure.weight.indptr[neurons], structure.weight.indptr[neurons + 1]
    return np.concatenate(
        [structure.delay[first:last] for first, last in zip(starts, ends, strict=True)] or [np.zeros(0, np.int64)]
    ).astype(np.int64)


def _dense_block(projection: LoweredProjection, weight: IntArray) -> SynapseBlock:
    size, sources = weight.shape
    axons = np.arange(sources, dtype=np.int64)
    synapse_format = dense_format(projection)
    return SynapseBlock(
        projection=projection,
        kind="dense",
        format=synapse_format,
        list_start=np.arange(sources + 1, dtype=np.int64) * size,
        index=np.zeros(0, np.int64),
        weight=np.ascontiguousarray(weight.T).reshape(-1),
        delay=np.full(size * sources if synapse_format.delay_bits else 0, projection.delay, np.int64),
        axon_list=axons,
        axon_atoms=np.ones(sources, np.int64),
        axon_base=np.zeros(sources, np.int64),
        route_source=axons,
        route_axon=axons,
        route_atom=np.zeros(sources, np.int64),
    )


def _listed_block(
    projection: LoweredProjection,
    size: int,
    source: IntArray,
    target: IntArray,
    weight: IntArray,
    extra_delay: IntArray,
) -> SynapseBlock:
    order = np.lexsort((target, source))
    sources, starts = np.unique(source[order], return_index=True)
    axons = np.arange(sources.shape[0], dtype=np.int64)
    synapse_format = sparse_format(projection, size)
    delay = (projection.delay + extra_delay)[order] if synapse_format.delay_bits else np.zeros(0, np.int64)
    return SynapseBlock(
        projection=projection,
        kind="sparse",
        format=synapse_format,
        list_start=np.append(starts, order.shape[0]).astype(np.int64),
        index=target[order],
        weight=weight[order],
        delay=delay,
        axon_list=axons,
        axon_atoms=np.ones(sources.shape[0], np.int64),
        axon_base=np.zeros(sources.shape[0], np.int64),
        route_source=sources.astype(np.int64),
        route_axon=axons,
        route_atom=np.zeros(sources.shape[0], np.int64),
    )


def _shared_block(
    projection: LoweredProjection, conv: Conv2d, population: LoweredPopulation, neurons: IntArray
) -> SynapseBlock:
    """Kernel lists shared by all input pixels with the same pattern of taps; the atom is the input channel."""
    shape = _image_shape(population)
    places = np.stack(np.unravel_index(neurons, shape))
    (channel0, row0, column0), (channel1, row1, column1) = places.min(axis=1), places.max(axis=1) + 1
    tile_width, tile_channels = int(column1 - column0), int(channel1 - channel0)
    rows = _AxisTaps(conv, 0, int(row0), int(row1))
    columns = _AxisTaps(conv, 1, int(column0), int(column1))
    atoms = conv.in_shape[0]
    lists = list(_pattern_lists(conv, rows, columns, (int(channel0), int(channel1)), tile_width))
    lengths = np.array([index.shape[0] for index, _ in lists], np.int64)
    total = int(lengths.sum())
    synapse_format = sparse_format(projection, neurons.shape[0])
    row, column = (
        grid.reshape(-1)
        for grid in np.meshgrid(np.arange(rows.touched.shape[0]), np.arange(columns.touched.shape[0]), indexing="ij")
    )
    pattern = rows.pattern_of[row] * len(columns.patterns) + columns.pattern_of[column]
    axons = row.shape[0]
    pixel = rows.touched[row] * conv.in_shape[2] + columns.touched[column]
    axon_of_route = np.repeat(np.arange(axons, dtype=np.int64), atoms)
    atom_of_route = np.tile(np.arange(atoms, dtype=np.int64), axons)
    sends = lengths[pattern[axon_of_route] * atoms + atom_of_route] > 0
    source = atom_of_route * (conv.in_shape[1] * conv.in_shape[2]) + pixel[axon_of_route]
    return SynapseBlock(
        projection=projection,
        kind="shared_kernel",
        format=synapse_format,
        list_start=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        index=np.concatenate([index for index, _ in lists]) if lists else np.zeros(0, np.int64),
        weight=np.concatenate([weight for _, weight in lists]) if lists else np.zeros(0, np.int64),
        delay=np.full(total if synapse_format.delay_bits else 0, projection.delay, np.int64),
        axon_list=pattern * atoms,
        axon_atoms=np.full(axons, atoms, np.int64),
        axon_base=(rows.base[row] * tile_width + columns.base[column]) * tile_channels,
        route_source=source[sends],
        route_axon=axon_of_route[sends],
        route_atom=atom_of_route[sends],
    )


def _pattern_lists(
    conv: Conv2d, rows: _AxisTaps, columns: _AxisTaps, channels: tuple[int, int], tile_width: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """(index, mantissa) of each pattern and input channel, indices rising."""
    first, last = channels
    width = last - first
    weight = conv.weight.astype(np.int64)
    per_group_in = weight.shape[1]
    per_group_out = weight.shape[0] // conv.groups
    for row_pattern, column_pattern in product(rows.patterns, columns.patterns):
        taps = [
            ((row * tile_width + column) * width, row_tap, column_tap)
            for (row, row_tap), (column, column_tap) in product(row_pattern, column_pattern)
        ]
        taps.sort()
        offsets = np.array([offset for offset, _, _ in taps], np.int64)
        row_taps = np.array([tap for _, tap, _ in taps], np.int64)
        column_taps = np.array([tap for _, _, tap in taps], np.int64)
        for atom in range(conv.in_shape[0]):
            group = atom // per_group_in
            low = max(first, group * per_group_out)
            high = min(last, (group + 1) * per_group_out)
            if high <= low:
                yield np.zeros(0, np.int64), np.zeros(0, np.int64)
                continue
            index = (offsets[:, None] + np.arange(low - first, high - first)[None, :]).reshape(-1)
            values = np.ascontiguousarray(weight[low:high, atom % per_group_in][:, row_taps, column_taps].T).reshape(-1)
            filled = values != 0
            yield index[filled], values[filled]
