"""TrueNorth's core memory bit by bit: 256 rows of 410 bits, axon types and seeds, and programs to and from them.

A row holds what one neuron is: 256 synapse bits, 124 bits of state and parameters, 26 bits of destination and 4 bits of delay
(Akopyan et al. 2015). How the 124 bits are divided is not published; the layouts below are our reading and add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, DoesNotFit, Finding
from neuroemu.image.bitfields import (
    STORED_WORD,
    BitField,
    Layout,
    Words,
    combine,
    misfits,
    pack_words,
    read_stream,
    separate,
    unpack_words,
    word_layout,
    write_stream,
)
from neuroemu.image.container import Program, take, take_integers
from neuroemu.image.symbols import Symbols, pack_symbols, unpack_symbols

Int64 = NDArray[np.int64]

FAMILY = "truenorth"
LAYOUT_VERSION = 1
SIZE = 256
"""Axons and neurons of a core."""
TYPES = 4
ROW_BITS = 410
CORE_WORDS = SIZE * ROW_BITS // 64
TYPE_WORDS = SIZE * 2 // 64
UNUSED_ALPHA = (1 << 18) - 1
"""Positive threshold of a neuron that nobody uses: it can never spike."""
MOST_MASK_BITS = 18

STATE = Layout(
    "state",
    (
        BitField("V", "int:20", "membrane potential"),
        *(
            field
            for kind in range(TYPES)
            for field in (
                BitField(f"s{kind}", "uint:8", f"magnitude of the weight of axon type {kind}"),
                BitField(f"sigma{kind}", "uint:1", "1: that weight is negative"),
            )
        ),
        *(BitField(f"b{kind}", "uint:1", f"1: synapses of axon type {kind} are stochastic") for kind in range(TYPES)),
    ),
)
PARAMETERS = Layout(
    "parameters",
    (
        BitField("lambda", "uint:8", "magnitude of the leak"),
        BitField("sigma_lambda", "uint:1", "1: the leak is negative"),
        BitField("c_lambda", "uint:1", "1: the leak is stochastic"),
        BitField("epsilon", "uint:1", "1: the leak follows the potential's sign"),
        BitField("alpha", "uint:18", "positive threshold"),
        BitField("beta", "uint:18", "negative threshold, magnitude"),
        BitField("TM", "uint:5", "random bits added to the thresholds", (0, MOST_MASK_BITS)),
        BitField("gamma", "uint:2", "reset: 0 to a value, 1 linear, 2 none", (0, 2)),
        BitField("kappa", "uint:1", "1: the potential is held at the negative threshold"),
        BitField("R", "uint:8", "magnitude of the reset value, or VR where the core encodes it"),
        BitField("sigma_R", "uint:1", "1: the reset value is negative"),
    ),
)
DESTINATION = Layout(
    "destination",
    (
        BitField("dx", "int:9", "cores to the east"),
        BitField("dy", "int:9", "cores to the north"),
        BitField("axon", "uint:8", "axon of the target core"),
        BitField("delay", "uint:4", "ticks until it is served; 0: the neuron has no target"),
    ),
)
REGISTERS = word_layout(
    "registers",
    BitField("seed", "uint:32", "seed of the core's random numbers"),
    BitField("encoded_reset", "uint:1", "1: reset values are stored as VR, meaning 2**VR - 1"),
)
OUTPUTS = word_layout("outputs", BitField("routes", "uint:32", "routes of a host source"))
ROUTE = word_layout(
    "route",
    BitField("core", "uint:32", ""),
    BitField("axon", "uint:8", ""),
    BitField("delay", "uint:4", "ticks after injection; 0: in the same tick"),
)
LAYOUTS = (STATE, PARAMETERS, DESTINATION, REGISTERS, OUTPUTS, ROUTE)

_PIECES = (STATE, PARAMETERS, DESTINATION)
_SECTIONS = ("cores/rows", "cores/axon_types", "cores/registers", "host/outputs", "host/routes")
_CORES_AT_ONCE = 256


@dataclass(frozen=True)
class Cores:
    """Cores of a program with 256 axons and 256 neurons each, in plain units.

    Attributes:
        number: int64 (cores,), place on the mesh, row by row.
        seed: int64 (cores,), 32 bits.
        axon_type: uint8 (cores, 256), 0..3.
        crossbar: uint8 (cores, 256, 32), a row of neurons per axon in the bit order of numpy.packbits.
        weight: int16 (cores, 256, 4), by axon type.
        stochastic: uint8 (cores, 256, 4), 1 where synapses of the axon type are stochastic.
        potential, leak, stochastic_leak, reversal, alpha, beta, mask_bits, gamma, kappa, reset: (cores, 256).
        dx, dy, axon, delay: (cores, 256), target relative to the own core; delay 0 without target.
    """

    number: Int64
    seed: Int64
    axon_type: NDArray[np.uint8]
    crossbar: NDArray[np.uint8]
    weight: NDArray[np.int16]
    stochastic: NDArray[np.uint8]
    potential: NDArray[np.int32]
    leak: NDArray[np.int16]
    stochastic_leak: NDArray[np.uint8]
    reversal: NDArray[np.uint8]
    alpha: NDArray[np.int32]
    beta: NDArray[np.int32]
    mask_bits: NDArray[np.uint8]
    gamma: NDArray[np.uint8]
    kappa: NDArray[np.uint8]
    reset: NDArray[np.int32]
    dx: NDArray[np.int16]
    dy: NDArray[np.int16]
    axon: NDArray[np.uint8]
    delay: NDArray[np.uint8]

    @property
    def count(self) -> int:
        return int(self.number.shape[0])

    def part(self, first: int, last: int) -> Cores:
        """Cores at positions ``first..last-1``."""
        return Cores(**{item.name: getattr(self, item.name)[first:last] for item in fields(self)})


@dataclass(frozen=True)
class ProgramImage:
    """A whole program: chip, symbols, cores, the routes of host sources and the seed of the run."""

    chip: dict[str, Any]
    symbols: Symbols
    cores: Cores
    host_start: Int64
    host_core: Int64
    host_axon: Int64
    host_delay: Int64
    seed: int = 0


# ---------------------------------------------------------------------------- building cores within the chip's limits

_TYPES_OF = {
    "axon_type": np.uint8,
    "weight": np.int16,
    "stochastic": np.uint8,
    "potential": np.int32,
    "leak": np.int16,
    "stochastic_leak": np.uint8,
    "reversal": np.uint8,
    "alpha": np.int32,
    "beta": np.int32,
    "mask_bits": np.uint8,
    "gamma": np.uint8,
    "kappa": np.uint8,
    "reset": np.int32,
    "dx": np.int16,
    "dy": np.int16,
    "axon": np.uint8,
    "delay": np.uint8,
}
_DEFAULTS = {"alpha": UNUSED_ALPHA}
_UNITS = {
    "axon_type": "axon type",
    "weight": "weight",
    "stochastic": "stochastic synapse flag",
    "potential": "potential",
    "leak": "leak",
    "stochastic_leak": "stochastic leak flag",
    "reversal": "leak reversal flag",
    "alpha": "positive threshold",
    "beta": "negative threshold",
    "mask_bits": "threshold mask",
    "gamma": "reset mode",
    "kappa": "negative saturation flag",
    "reset": "reset value",
    "dx": "distance of the target in x",
    "dy": "distance of the target in y",
    "axon": "target axon",
    "delay": "delay",
}
FIELD_LIMITS: dict[str, tuple[int, int]] = {
    "axon_type": (0, TYPES - 1),
    "weight": (-255, 255),
    "stochastic": (0, 1),
    "potential": (-(1 << 19), (1 << 19) - 1),
    "leak": (-255, 255),
    "stochastic_leak": (0, 1),
    "reversal": (0, 1),
    "alpha": (0, UNUSED_ALPHA),
    "beta": (0, (1 << 18) - 1),
    "mask_bits": (0, MOST_MASK_BITS),
    "gamma": (0, 2),
    "kappa": (0, 1),
    "reset": (-((1 << 18) - 1), (1 << 18) - 1),
    "dx": (-256, 255),
    "dy": (-256, 255),
    "axon": (0, SIZE - 1),
    "delay": (1, 15),
}
"""What the fields of a row hold; a neuron without target has the delay 0."""


def limits_of(chip: Any) -> dict[str, tuple[int, int]]:
    """The limits of a chip file as :func:`build_cores` takes them; a reset value may also be 2**VR - 1."""
    limits = chip.limits
    return {
        **FIELD_LIMITS,
        "axon_type": (0, int(limits.axon_types.value) - 1),
        "weight": (-int(limits.weight_max.value), int(limits.weight_max.value)),
        "leak": (-int(limits.leak_max.value), int(limits.leak_max.value)),
        "alpha": (0, int(limits.threshold_max.value)),
        "beta": (0, int(limits.negative_threshold_max.value)),
        "mask_bits": (0, int(limits.threshold_mask_bits_max.value)),
        "dx": (-int(limits.target_cores_back.value), int(limits.target_cores_ahead.value)),
        "dy": (-int(limits.target_cores_back.value), int(limits.target_cores_ahead.value)),
        "delay": (1, int(limits.delay_ticks_max.value)),
    }


def build_cores(
    number: Any,
    synapses: NDArray[Any],
    columns: Mapping[str, Any],
    connected: Any = None,
    seed: Any = None,
    limits: Mapping[str, tuple[int, int]] = FIELD_LIMITS,
) -> Cores:
    """Cores from plain arrays; what is left out is zero, and smaller cores are filled up with unused axons and neurons.

    Args:
        number: (cores,).
        synapses: bool (cores, axons, neurons).
        columns: ``axon_type`` (cores, axons), ``weight`` and ``stochastic`` (cores, neurons, 4) and any other field of
            :class:`Cores` (cores, neurons), of any integer type.
        connected: bool (cores, neurons), neurons with a target; default none.
        seed: (cores,); default 0xFFFFFFFF as in IBM's models.
        limits: field -> lowest and highest value.

    Raises:
        DoesNotFit: NE5603 with every limit that is broken, by how much and on which core.
    """
    numbers = np.asarray(number, np.int64)
    count, axons, neurons = synapses.shape
    findings: list[Finding] = []
    where = f"cores {int(numbers[0])}..{int(numbers[-1])}" if count > 1 else "".join(f"core {core}" for core in numbers)
    if findings := [*too_many("axons", axons, where), *too_many("neurons", neurons, where)]:
        raise DoesNotFit(findings)
    has_target = np.zeros((count, neurons), np.bool_) if connected is None else np.asarray(connected, np.bool_)
    arrays: dict[str, Any] = {}
    for name, dtype in _TYPES_OF.items():
        width = axons if name == "axon_type" else neurons
        inner = (TYPES,) if name in ("weight", "stochastic") else ()
        given = np.asarray(columns.get(name, 0), np.int64)
        column = np.broadcast_to(given, (count, width, *inner))
        if name in ("dx", "dy", "axon", "delay"):
            findings += outside(name, column, limits[name], numbers, has_target)
            column = np.where(has_target, column, 0)
        else:
            findings += outside(name, column, limits[name], numbers)
        arrays[name] = np.full((count, SIZE, *inner), _DEFAULTS.get(name, 0), dtype)
        arrays[name][:, :width] = column
    if findings:
        raise DoesNotFit(findings)
    crossbar = np.zeros((count, SIZE, SIZE // 8), np.uint8)
    packed = np.packbits(np.asarray(synapses, np.bool_), axis=-1)
    crossbar[:, :axons, : packed.shape[-1]] = packed
    seeds = np.full(count, 0xFFFFFFFF) if seed is None else np.asarray(seed)
    return Cores(number=numbers, seed=seeds.astype(np.int64), crossbar=crossbar, **arrays)


def too_many(what: str, count: int, where: str) -> Iterator[Finding]:
    """NE5603 where a core has more axons or neurons than the chip's."""
    if count > SIZE:
        message = f"a core has {count} {what}; a TrueNorth core has {SIZE} ({count - SIZE} too many)"
        yield Finding("NE5603", message, where, ("spread them over several cores",))


def outside(
    name: str, column: Any, limits: tuple[int, int], numbers: Int64, used: NDArray[np.bool_] | None = None
) -> Iterator[Finding]:
    """NE5603 for values of a column (cores, ...) that a field does not hold, by the first of them; ``used`` says which count."""
    low, high = limits
    wrong = (column < low) | (column > high)
    if used is not None:
        wrong &= used
    if not wrong.any():
        return
    place = tuple(int(index) for index in np.argwhere(wrong)[0])
    value = int(column[place])
    by = low - value if value < low else value - high
    what = "axon" if name == "axon_type" else "neuron"
    kind = f", axon type {place[2]}" if len(place) == 3 else ""
    many = f" ({int(wrong.sum()):,} such values)" if wrong.sum() > 1 else ""
    yield Finding(
        "NE5603",
        f"{_UNITS[name]} {value} is outside {low}..{high} by {by}{many}",
        f"core {int(numbers[place[0]])}, {what} {place[1]}{kind}",
        _FIXES[name],
    )


_ONE_BIT = ("write 0 or 1",)
_SCALED = ("scale weights, leak and thresholds down together",)
_FIXES = {
    "stochastic": _ONE_BIT,
    "stochastic_leak": _ONE_BIT,
    "reversal": _ONE_BIT,
    "kappa": _ONE_BIT,
    "potential": _SCALED,
    "leak": _SCALED,
    "alpha": _SCALED,
    "beta": _SCALED,
    "reset": _SCALED,
    "mask_bits": ("add fewer random bits to the thresholds",),
    "gamma": ("use 0 (to a value), 1 (linear) or 2 (none)",),
    "axon_type": ("use at most four distinct weights per neuron and core, one per axon type",),
    "weight": ("scale weights and thresholds down", "split the synapse over several axons"),
    "delay": ("use a delay of 1 to 15 ticks", "chain relay neurons for longer delays"),
    "dx": ("place the cores closer together", "relay the spike through a core in between"),
    "dy": ("place the cores closer together", "relay the spike through a core in between"),
    "axon": ("a core has axons 0 to 255",),
}


# ---------------------------------------------------------------------------- packing


def pack(image: ProgramImage) -> Program:
    """The program as manifest and bit-packed sections; :func:`unpack` is its exact inverse.

    Raises:
        DoesNotFit: NE5603 when a core's reset values fit neither form of the field.
    """
    cores = image.cores
    encoded = _encoded_resets(cores)
    symbols, sections = pack_symbols(image.symbols)
    manifest = {
        "family": FAMILY,
        "layout_version": LAYOUT_VERSION,
        "chip": image.chip,
        "symbols": symbols,
        "cores": cores.number.tolist(),
        "seed": image.seed,
    }
    rows = np.empty((cores.count, CORE_WORDS), np.uint64)
    for first in range(0, cores.count, _CORES_AT_ONCE):
        last = min(first + _CORES_AT_ONCE, cores.count)
        rows[first:last] = _pack_rows(cores.part(first, last), encoded[first:last])
    routes = {"core": image.host_core, "axon": image.host_axon, "delay": image.host_delay}
    words: dict[str, Words] = {
        "cores/rows": rows.reshape(-1),
        "cores/axon_types": _pack_types(cores.axon_type),
        "cores/registers": pack_words(REGISTERS, {"seed": cores.seed, "encoded_reset": encoded}),
        "host/outputs": pack_words(OUTPUTS, {"routes": np.diff(image.host_start)}),
        "host/routes": pack_words(ROUTE, routes),
    }
    packed = {name: memory.astype(STORED_WORD, copy=False).view(np.uint8) for name, memory in words.items()}
    return Program(manifest, sections | packed)


def _encoded_resets(cores: Cores) -> NDArray[np.uint8]:
    """1 for every core whose reset values are stored as VR: some exceed 255 and all are 2**VR - 1 in magnitude."""
    magnitude = np.abs(cores.reset)
    large = (magnitude > 255).any(axis=1)
    powers = (magnitude & (magnitude + 1) == 0).all(axis=1)
    if (large & ~powers).any():
        core = int(np.flatnonzero(large & ~powers)[0])
        neuron = int(np.flatnonzero(magnitude[core] > 255)[0])
        raise DoesNotFit(
            Finding(
                "NE5603",
                f"reset value {int(cores.reset[core, neuron])} is outside -255..255 by {int(magnitude[core, neuron]) - 255}",
                f"core {int(cores.number[core])}, neuron {neuron}",
                ("use reset values up to 255, or only 2**VR - 1 on this core",),
            )
        )
    return np.asarray(large, np.uint8)


def _pack_rows(cores: Cores, encoded: NDArray[np.uint8]) -> Words:
    """Memory of the cores' rows, uint64 (cores, 1640)."""
    memory = np.zeros(cores.count * CORE_WORDS, np.uint64)
    start = np.arange(cores.count * SIZE, dtype=np.int64) * ROW_BITS
    synapses = _transposed(cores.crossbar)
    for word in range(SIZE // 64):
        write_stream(memory, start + 64 * word, synapses[:, word], 64)
    columns = _columns(cores, encoded)
    position = start + SIZE
    for piece in _PIECES:
        if problems := list(misfits(piece, columns)):
            raise DoesNotFit(problems)
        write_stream(memory, position, combine(piece, columns), piece.width)
        position = position + piece.width
    return memory.reshape(cores.count, CORE_WORDS)


def _transposed(crossbar: NDArray[np.uint8]) -> Words:
    """Rows of axons by neuron, uint64 (cores * 256, 4), axon a at bit a % 64; from rows of neurons by axon."""
    bits = np.unpackbits(crossbar, axis=-1).swapaxes(1, 2)
    packed = np.packbits(np.ascontiguousarray(bits), axis=-1, bitorder="little")
    return packed.view(STORED_WORD).astype(np.uint64, copy=False).reshape(-1, SIZE // 64)


def _columns(cores: Cores, encoded: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """Fields of all rows as the memory holds them, (cores * 256,)."""
    reset = np.abs(cores.reset)
    stored = np.where(encoded[:, None] == 1, np.log2(reset + 1.0).astype(np.int64), reset)
    columns: dict[str, NDArray[Any]] = {
        "V": cores.potential,
        "lambda": np.abs(cores.leak),
        "sigma_lambda": cores.leak < 0,
        "c_lambda": cores.stochastic_leak,
        "epsilon": cores.reversal,
        "alpha": cores.alpha,
        "beta": cores.beta,
        "TM": cores.mask_bits,
        "gamma": cores.gamma,
        "kappa": cores.kappa,
        "R": stored,
        "sigma_R": cores.reset < 0,
        "dx": cores.dx,
        "dy": cores.dy,
        "axon": cores.axon,
        "delay": cores.delay,
    }
    for kind in range(TYPES):
        columns[f"s{kind}"] = np.abs(cores.weight[..., kind])
        columns[f"sigma{kind}"] = cores.weight[..., kind] < 0
        columns[f"b{kind}"] = cores.stochastic[..., kind]
    return {name: column.reshape(-1) for name, column in columns.items()}


def _pack_types(axon_type: NDArray[np.uint8]) -> Words:
    """Two bits per axon, uint64 (cores * 8,)."""
    bits = np.stack([axon_type & 1, axon_type >> 1], axis=-1).reshape(axon_type.shape[0], 2 * SIZE)
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return packed.reshape(-1).view(STORED_WORD).astype(np.uint64, copy=False)


# ---------------------------------------------------------------------------- unpacking


def unpack(program: Program) -> ProgramImage:
    """The objects that a program's memories hold.

    Raises:
        BadInput: NE5601 for another family or layout version or foreign sections, NE5602 for memories that contradict
            themselves, NE5100 and NE5101 for fields out of range, NE5004, NE5010 and NE5011 for a malformed manifest.
    """
    manifest = program.manifest
    found = take(manifest, "family", str, "manifest"), take(manifest, "layout_version", int, "manifest")
    if found != (FAMILY, LAYOUT_VERSION):
        message = f"the program is for family '{found[0]}', layout {found[1]}; expected '{FAMILY}', {LAYOUT_VERSION}"
        raise BadInput(Finding("NE5601", message))
    if foreign := sorted(program.sections.keys() - {"symbols/core", "symbols/compartment", *_SECTIONS}):
        raise BadInput(Finding("NE5601", f"the program has sections that no core owns: {', '.join(foreign[:5])}"))
    numbers = np.array(take_integers(manifest, "cores", "manifest"), np.int64)
    seed = take(manifest, "seed", int, "manifest") if "seed" in manifest else 0
    if not 0 <= seed < 1 << 32:
        raise BadInput(Finding("NE5602", f"the seed {seed} has more than 32 bits"))
    routes = unpack_words(ROUTE, _words(program, "host/routes"), "host/routes")
    counts = unpack_words(OUTPUTS, _words(program, "host/outputs"), "host/outputs")["routes"]
    image = ProgramImage(
        chip=take(manifest, "chip", dict, "manifest"),
        symbols=unpack_symbols(program),
        cores=_unpack_cores(program, numbers),
        host_start=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64),
        host_core=routes["core"],
        host_axon=routes["axon"],
        host_delay=routes["delay"],
        seed=seed,
    )
    _check(image)
    return image


def _unpack_cores(program: Program, numbers: Int64) -> Cores:
    count = numbers.shape[0]
    rows = _sized(program, "cores/rows", count * CORE_WORDS)
    types = _sized(program, "cores/axon_types", count * TYPE_WORDS)
    registers = unpack_words(REGISTERS, _sized(program, "cores/registers", count), "cores/registers")
    parts = [
        _unpack_rows(
            rows[first * CORE_WORDS : last * CORE_WORDS], registers["encoded_reset"][first:last], numbers[first:last]
        )
        for first in range(0, count, _CORES_AT_ONCE)
        for last in (min(first + _CORES_AT_ONCE, count),)
    ]
    names = [name for name in ("crossbar", *_TYPES_OF) if name != "axon_type"]
    return Cores(
        number=numbers,
        seed=registers["seed"],
        axon_type=_unpack_types(types),
        **{name: np.concatenate([part[name] for part in parts]) if parts else _none_of(name) for name in names},
    )


def _none_of(name: str) -> NDArray[Any]:
    inner = {"crossbar": (SIZE // 8,), "weight": (TYPES,), "stochastic": (TYPES,)}.get(name, ())
    return np.zeros((0, SIZE, *inner), _TYPES_OF.get(name, np.uint8))


def _unpack_rows(memory: Words, encoded: Int64, numbers: Int64) -> dict[str, NDArray[Any]]:
    """Fields of :class:`Cores` from the memory of some cores' rows."""
    count = numbers.shape[0]
    start = np.arange(count * SIZE, dtype=np.int64) * ROW_BITS
    synapses = np.stack([read_stream(memory, start + 64 * word, 64) for word in range(SIZE // 64)], axis=-1)
    raw: dict[str, NDArray[Any]] = {}
    position = start + SIZE
    where = f"cores {int(numbers[0])}..{int(numbers[-1])}" if count else ""
    findings: list[Finding] = []
    for piece in _PIECES:
        columns = separate(piece, read_stream(memory, position, piece.width))
        findings += misfits(piece, columns, where)
        raw |= columns
        position = position + piece.width
    silent = (raw["delay"] == 0) & ((raw["dx"] != 0) | (raw["dy"] != 0) | (raw["axon"] != 0))
    if silent.any():
        row = int(np.flatnonzero(silent)[0])
        place = f"core {int(numbers[row // SIZE])}, neuron {row % SIZE}"
        findings.append(Finding("NE5602", "a neuron with delay 0, so without target, has a destination", place))
    if findings:
        raise BadInput(findings)
    raw = {name: column.reshape(count, SIZE) for name, column in raw.items()}
    reset = np.where(encoded[:, None] == 1, (1 << np.minimum(raw["R"], 18)) - 1, raw["R"])
    named = {
        "weight": np.stack([_signed(raw[f"s{kind}"], raw[f"sigma{kind}"]) for kind in range(TYPES)], axis=-1),
        "stochastic": np.stack([raw[f"b{kind}"] for kind in range(TYPES)], axis=-1),
        "potential": raw["V"],
        "leak": _signed(raw["lambda"], raw["sigma_lambda"]),
        "stochastic_leak": raw["c_lambda"],
        "reversal": raw["epsilon"],
        "mask_bits": raw["TM"],
        "reset": _signed(reset, raw["sigma_R"]),
        **{name: raw[name] for name in ("alpha", "beta", "gamma", "kappa", "dx", "dy", "axon", "delay")},
    }
    rows = np.ascontiguousarray(synapses).astype(STORED_WORD, copy=False).view(np.uint8)
    bits = np.unpackbits(rows.reshape(count, SIZE, SIZE // 8), axis=-1, bitorder="little").swapaxes(1, 2)
    crossbar = np.packbits(np.ascontiguousarray(bits), axis=-1)
    return {"crossbar": crossbar, **{name: column.astype(_TYPES_OF[name]) for name, column in named.items()}}


def _signed(magnitude: Int64, negative: Int64) -> Int64:
    return np.where(negative == 1, -magnitude, magnitude)


def _unpack_types(words: Words) -> NDArray[np.uint8]:
    stored = words.astype(STORED_WORD, copy=False).view(np.uint8)
    bits = np.unpackbits(stored, bitorder="little").reshape(-1, SIZE, 2)
    return np.asarray(bits[..., 0] + 2 * bits[..., 1], np.uint8)


def _check(image: ProgramImage) -> None:
    """Everything that points somewhere points at something."""
    numbers = image.cores.number
    findings = []
    if np.unique(numbers).shape[0] != numbers.shape[0]:
        findings.append(Finding("NE5602", "a core is listed twice"))
    if int(image.host_start[-1]) != image.host_core.shape[0]:
        message = f"{image.host_start[-1]} routes are counted, {image.host_core.shape[0]} stored"
        findings.append(Finding("NE5602", message, "host"))
    if not np.isin(image.host_core, numbers).all():
        findings.append(Finding("NE5602", "a route leads to a core that does not exist", "host"))
    sources = sum(port.size for port in image.symbols.inputs)
    if sources != image.host_start.shape[0] - 1:
        findings.append(Finding("NE5602", f"{sources} host sources are named, {image.host_start.shape[0] - 1} routed"))
    for population in image.symbols.populations:
        inside = (population.compartment >= 0) & (population.compartment < SIZE)
        if not inside.all() or not np.isin(population.core, numbers).all():
            findings.append(Finding("NE5602", f"population {population.name} has neurons that no core holds"))
    if findings:
        raise BadInput(findings)


def _sized(program: Program, name: str, wanted: int) -> Words:
    words = _words(program, name)
    if words.size != wanted:
        raise BadInput(Finding("NE5602", f"the section has {words.size} words; its cores need {wanted}", name))
    return words


def _words(program: Program, name: str) -> Words:
    data = program.section(name)
    if data.size % STORED_WORD.itemsize:
        raise BadInput(Finding("NE5602", f"{data.size} bytes are no whole number of 64-bit words", name))
    return data.view(STORED_WORD).astype(np.uint64, copy=False)
