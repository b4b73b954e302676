"""Loihi 1's core memories: their bit fields, what they cost, and the objects they hold.

Register ranges follow Davies 2018 and nengo-loihi 1.1.0; the layout of the bits is neuroemu's own, because Intel's is
not public (docs/image.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import Finding
from neuroemu.image.bitfields import WORD_BITS, BitField, Layout, misfits, word_layout
from neuroemu.image.records import INT16, INT64, UINT8, UINT16, UINT32, Record
from neuroemu.image.symbols import Symbols, check_symbols

Int64 = NDArray[np.int64]

MIXED, EXCITATORY, INHIBITORY = 1, 2, 3
"""Sign modes of a synapse format (the chip's fan-out types)."""

KINDS = ("dense", "sparse", "shared_kernel")
LAYOUTS = ("dense", "sparse")
NOISE_TARGETS = ("current", "membrane")

INDEX_BITS_OF_CODE = (0, 6, 7, 8, 9, 10, 11, 12)
STORED_BITS_OF_WEIGHT_BITS = (0, 1, 2, 3, 4, 5, 6, 8, 8)
"""There is no code for 7 stored bits: 7-bit weights occupy 8."""

SYNAPSES_PER_BLOCK = 64
MAX_DELAY = 62
MAX_FORMATS = 15
"""Format numbers have 4 bits and 0 means none."""

BLOCK_HEADER = Layout(
    "block_header",
    (
        BitField("format_id", "uint:4", "synapse format of the block", (1, MAX_FORMATS)),
        BitField("count_minus_one", "uint:6", "synapses in the block, minus one"),
    ),
)
CORE_REGISTERS = word_layout(
    "core_registers",
    BitField("profiles", "uint:8", "number of compartment profile words"),
    BitField("thresholds", "uint:8", "number of threshold words"),
    BitField("formats", "uint:4", "number of synapse format words"),
    BitField("sections", "uint:9", "number of section words", (0, 256)),
    BitField("vmin_exponent", "uint:5", "lowest membrane is 1 - 2^e", (0, 23)),
    BitField("vmax_exponent", "uint:3", "highest membrane is 2^(9+2e) - 1"),
    BitField("noise_exponent", "uint:5", "noise is scaled by 2^(e-7)", (0, 23)),
    BitField("noise_mantissa_offset", "int:8", "mean of the noise in units of 64"),
    BitField("noise_target", "uint:1", "0 current, 1 membrane"),
)
PROFILE = word_layout(
    "profile",
    BitField("current_decay", "uint:12", "register; the current keeps 4096 - (register + 1) parts of 4096 per tick"),
    BitField("membrane_decay", "uint:12", "register; the membrane keeps 4096 - register parts of 4096 per tick"),
    BitField("refractory", "uint:6", "ticks from a spike to the next possible one", (1, 63)),
    BitField("noise_enable", "uint:1", "whether the compartment receives noise"),
)
THRESHOLD = word_layout("threshold", BitField("mantissa", "uint:17", "threshold is mantissa * 64"))
SYNAPSE_FORMAT = word_layout(
    "synapse_format",
    BitField("layout", "uint:1", "0 dense (no index), 1 sparse (index per synapse)"),
    BitField("sign_mode", "uint:2", "1 mixed, 2 excitatory, 3 inhibitory", (1, 3)),
    BitField("weight_bits", "uint:4", "numWeightBits; 7 is stored in 8 bits", (1, 8)),
    BitField("weight_exponent", "int:4", "weights are scaled by 2^(6+e)"),
    BitField("delay_bits", "uint:3", "bits of delay per synapse", (0, 6)),
    BitField("index_code", "uint:3", "index bits: code 0..7 is 0, 6, 7, 8, 9, 10, 11, 12"),
)
SECTION = word_layout(
    "section",
    BitField("kind", "uint:2", "0 dense, 1 sparse, 2 shared kernel", (0, 2)),
    BitField("format_id", "uint:4", "synapse format of all its blocks", (1, MAX_FORMATS)),
    BitField("lists", "uint:32", "number of list words"),
)
LIST = word_layout(
    "list",
    BitField("address", "uint:24", "word of the synapse memory where its first block starts"),
    BitField("synapses", "uint:24", "synapses in the list"),
)
COMPARTMENT = word_layout(
    "compartment",
    BitField("profile", "uint:8", "number of its profile word"),
    BitField("threshold", "uint:8", "number of its threshold word"),
    BitField("bias_mantissa", "int:13", "bias is mantissa * 2^exponent", (-4095, 4095)),
    BitField("bias_exponent", "uint:3", "see bias_mantissa"),
    BitField("bias_start_tick", "uint:16", "first tick of a sample in which bias acts"),
    BitField("outputs", "uint:16", "number of its output axon words"),
)
INPUT_AXON = word_layout(
    "input_axon",
    BitField("section", "uint:8", "number of the section that holds its lists"),
    BitField("list", "uint:24", "its first list within that section"),
    BitField("atoms", "uint:16", "number of consecutive lists that a spike's atom selects from", (1, 65535)),
    BitField("base", "uint:16", "compartment that index 0 of its lists refers to"),
)
DESTINATION = word_layout(
    "destination",
    BitField("core", "uint:16", "core number"),
    BitField("axon", "uint:16", "input axon of that core"),
    BitField("atom", "uint:16", "list selected within that axon"),
)
HOST_SOURCE = word_layout("host_source", BitField("routes", "uint:32", "number of its destination words"))

LAYOUTS_OF_THE_IMAGE = (
    CORE_REGISTERS,
    PROFILE,
    THRESHOLD,
    SYNAPSE_FORMAT,
    SECTION,
    COMPARTMENT,
    INPUT_AXON,
    DESTINATION,
    LIST,
    BLOCK_HEADER,
    HOST_SOURCE,
)


@dataclass(frozen=True)
class SynapseFormat:
    """How the synapses of a section are written, as in a synapse format register.

    Attributes:
        layout: ``dense`` stores no index (synapse k meets compartment base + k), ``sparse`` one per synapse.
        sign_mode: 1 mixed, 2 excitatory, 3 inhibitory.
        weight_bits: numWeightBits, 1..8.
        weight_exponent: -8..7.
        delay_bits: 0..6; 0 stores no delay.
        index_bits: 0 for dense, else 6..12.
    """

    layout: Literal["dense", "sparse"]
    sign_mode: int
    weight_bits: int
    weight_exponent: int = 0
    delay_bits: int = 0
    index_bits: int = 0

    @property
    def dropped_bits(self) -> int:
        """Low bits of a weight mantissa that are not stored: 8 - numWeightBits, plus 1 in mixed mode."""
        return 8 - self.weight_bits + (1 if self.sign_mode == MIXED else 0)

    @property
    def stored_weight_bits(self) -> int:
        return STORED_BITS_OF_WEIGHT_BITS[self.weight_bits]

    @property
    def synapse_bits(self) -> int:
        """Bits per synapse in memory: weight, delay and index (nengo-loihi ``SynapseConfig.bits_per_axon``)."""
        return self.stored_weight_bits + self.delay_bits + self.index_bits

    @property
    def synapse(self) -> Layout:
        """The bit fields of one synapse, from its lowest bit on."""
        kind = "int" if self.sign_mode == MIXED else "uint"
        items = [BitField("weight", f"{kind}:{self.stored_weight_bits}", "mantissa without its dropped bits")]
        if self.delay_bits:
            items.append(BitField("delay", f"uint:{self.delay_bits}", "extra ticks", (0, self.highest_delay)))
        if self.index_bits:
            items.append(BitField("index", f"uint:{self.index_bits}", "compartment relative to the axon's base"))
        return Layout("synapse", tuple(items))

    @property
    def highest_delay(self) -> int:
        return min(MAX_DELAY, (1 << self.delay_bits) - 1)

    @property
    def weight_range(self) -> tuple[int, int]:
        """Lowest and highest mantissa; between them only multiples of ``2 ** dropped_bits`` can be stored."""
        largest = ((1 << self.weight_bits) - 1) << (8 - self.weight_bits)
        if self.sign_mode == MIXED:
            return -256, 256 - (1 << self.dropped_bits)
        return (0, largest) if self.sign_mode == EXCITATORY else (-largest, 0)


@dataclass(frozen=True, eq=False)
class SynapseSection(Record):
    """Synapse lists of one format.

    Attributes:
        kind: what the lists are: rows of a matrix (``dense``, ``sparse``) or a kernel shared by many axons.
        format: their common format.
        list_start: int64, shape (lists + 1,); list l is synapses list_start[l]..list_start[l+1]-1.
        index: uint16, shape (synapses,), compartment relative to the axon's base; empty for a dense layout.
        weight: int16, shape (synapses,), mantissa.
        delay: uint8, shape (synapses,), extra ticks; empty when the format has no delay bits.
    """

    kind: Literal["dense", "sparse", "shared_kernel"]
    format: SynapseFormat
    list_start: Int64 = field(metadata=INT64)
    index: NDArray[np.uint16] = field(metadata=UINT16)
    weight: NDArray[np.int16] = field(metadata=INT16)
    delay: NDArray[np.uint8] = field(metadata=UINT8)

    @property
    def lists(self) -> int:
        return int(self.list_start.size) - 1

    @property
    def list_length(self) -> Int64:
        return np.diff(self.list_start)

    @property
    def memory_bits(self) -> int:
        """What the section occupies in synapse memory."""
        return int(np.sum(list_bits(self.list_length, self.format)))

    def reach_of_list(self) -> Int64:
        """int64, shape (lists,): one more than the highest compartment index of each list; 0 when it is empty."""
        length = self.list_length
        if self.format.layout == "dense":
            return length
        reach = np.zeros(self.lists, np.int64)
        filled = length > 0
        if filled.any():
            reach[filled] = np.maximum.reduceat(self.index, self.list_start[:-1][filled]).astype(np.int64) + 1
        return reach


@dataclass(frozen=True)
class CompartmentProfile:
    """Registers shared by compartments; decays are the raw registers (effective current decay is one more)."""

    current_decay: int
    membrane_decay: int
    refractory: int = 1
    noise_enable: bool = False


@dataclass(frozen=True, eq=False)
class CoreImage(Record):
    """Everything in the memories and registers of one core.

    Attributes:
        core: number of the core on the chip; ``output_core`` and the host's routes use the same numbers.
        profiles: compartment profiles; at least one when there are compartments.
        thresholds: uint32, shape (thresholds,), 17-bit mantissas.
        vmin_exponent, vmax_exponent: bounds of all membranes.
        noise_exponent, noise_mantissa_offset, noise_target: the core's noise source.
        profile_of_compartment, threshold_of_compartment: uint8, shape (compartments,).
        bias_mantissa, bias_exponent: int16 -4095..4095 and uint8 0..7, shape (compartments,).
        bias_start_tick: uint16, shape (compartments,), first tick of a sample in which bias acts.
        sections: synapse memory, at most 256 sections.
        axon_section: uint8, shape (axons,), section that holds the axon's lists.
        axon_list: uint32, shape (axons,), first list of the axon within its section.
        axon_atoms: uint16, shape (axons,), consecutive lists selected by a spike's atom; 1 for a discrete axon.
        axon_base: uint16, shape (axons,), compartment that index 0 refers to.
        output_start: int64, shape (compartments + 1,); compartment c has outputs output_start[c]..output_start[c+1]-1.
        output_core, output_axon, output_atom: uint16, shape (outputs,), where each output goes.
    """

    core: int
    profiles: tuple[CompartmentProfile, ...]
    thresholds: NDArray[np.uint32] = field(metadata=UINT32)
    vmin_exponent: int
    vmax_exponent: int
    noise_exponent: int
    noise_mantissa_offset: int
    noise_target: Literal["current", "membrane"]
    profile_of_compartment: NDArray[np.uint8] = field(metadata=UINT8)
    threshold_of_compartment: NDArray[np.uint8] = field(metadata=UINT8)
    bias_mantissa: NDArray[np.int16] = field(metadata=INT16)
    bias_exponent: NDArray[np.uint8] = field(metadata=UINT8)
    bias_start_tick: NDArray[np.uint16] = field(metadata=UINT16)
    sections: tuple[SynapseSection, ...]
    axon_section: NDArray[np.uint8] = field(metadata=UINT8)
    axon_list: NDArray[np.uint32] = field(metadata=UINT32)
    axon_atoms: NDArray[np.uint16] = field(metadata=UINT16)
    axon_base: NDArray[np.uint16] = field(metadata=UINT16)
    output_start: Int64 = field(metadata=INT64)
    output_core: NDArray[np.uint16] = field(metadata=UINT16)
    output_axon: NDArray[np.uint16] = field(metadata=UINT16)
    output_atom: NDArray[np.uint16] = field(metadata=UINT16)

    @property
    def compartments(self) -> int:
        return int(self.profile_of_compartment.size)

    @property
    def input_axons(self) -> int:
        return int(self.axon_list.size)

    @property
    def output_axons(self) -> int:
        return int(self.output_core.size)

    @property
    def synapse_memory_bits(self) -> int:
        return sum(section.memory_bits for section in self.sections)

    @property
    def formats(self) -> tuple[SynapseFormat, ...]:
        """Distinct synapse formats in order of first use; format number 1 is the first."""
        return tuple(dict.fromkeys(section.format for section in self.sections))


@dataclass(frozen=True, eq=False)
class HostRoutes(Record):
    """Where the host injects each source's spikes.

    Attributes:
        route_start: int64, shape (sources + 1,); source s goes to routes route_start[s]..route_start[s+1]-1.
        core, axon, atom: uint16, shape (routes,).
    """

    route_start: Int64 = field(metadata=INT64)
    core: NDArray[np.uint16] = field(metadata=UINT16)
    axon: NDArray[np.uint16] = field(metadata=UINT16)
    atom: NDArray[np.uint16] = field(metadata=UINT16)

    @property
    def sources(self) -> int:
        return int(self.route_start.size) - 1


@dataclass(frozen=True, eq=False)
class ProgramImage(Record):
    """A whole program for one Loihi 1 system.

    Attributes:
        chip: the chip's specification as plain JSON data.
        symbols: names of ports and populations.
        cores: used cores; every core number once.
        host: routes of the input spikes.
        seed: of the chip's noise, 0..2**64-1.
    """

    chip: dict[str, Any]
    symbols: Symbols
    cores: tuple[CoreImage, ...]
    host: HostRoutes
    seed: int = 0


@dataclass(frozen=True)
class CoreLimits:
    """What one core of a chip can hold."""

    compartments: int
    input_axons: int
    output_axons: int
    synapse_memory_bits: int
    compartment_profiles: int
    threshold_profiles: int
    synapse_formats: int


def list_bits(count: ArrayLike, synapse_format: SynapseFormat, *, tag_bits: int = 0) -> Int64:
    """Synapse memory that lists of ``count`` synapses occupy, in bits; the packer writes exactly this.

    A list is cut into blocks of up to 64 synapses; each has a 10-bit header (4-bit format, 6-bit count) and is padded
    to 64-bit words (nengo-loihi ``SynapseConfig.bits_per_axon``).

    Args:
        count: integers of any shape.
        synapse_format: gives the bits per synapse.
        tag_bits: learning tag bits per synapse.

    Returns:
        int64 of the shape of ``count``.
    """
    synapse_bits = synapse_format.synapse_bits + tag_bits
    full, rest = np.divmod(np.asarray(count, np.int64), SYNAPSES_PER_BLOCK)
    last = np.where(rest > 0, _block_bits(rest, synapse_bits), 0)
    return np.asarray(full * _block_bits(SYNAPSES_PER_BLOCK, synapse_bits) + last)


def list_bits_table(largest: int, synapse_format: SynapseFormat, *, tag_bits: int = 0) -> Int64:
    """:func:`list_bits` of 0..``largest`` synapses, int64 of shape (largest + 1,)."""
    return list_bits(np.arange(largest + 1), synapse_format, tag_bits=tag_bits)


def _block_bits(count: Any, synapse_bits: int) -> Any:
    return -(-(count * synapse_bits + BLOCK_HEADER.width) // WORD_BITS) * WORD_BITS


def check_core(core: CoreImage, limits: CoreLimits) -> tuple[Finding, ...]:
    """Every way in which a core breaks a limit of the chip or a register its range; empty when it fits."""
    malformed = tuple(_check_lengths(core, f"core {core.core}"))
    if malformed:
        return malformed
    return tuple(dict.fromkeys((*check_capacity(core, limits), *check_content(core))))


def check_capacity(core: CoreImage, limits: CoreLimits) -> Iterator[Finding]:
    """A finding for each resource of which the core uses more than the chip has."""
    used = {
        "NE5200": ("compartments", core.compartments, limits.compartments),
        "NE5201": ("input axons", core.input_axons, limits.input_axons),
        "NE5202": ("output axons", core.output_axons, limits.output_axons),
        "NE5203": ("bits of synapse memory", core.synapse_memory_bits, limits.synapse_memory_bits),
        "NE5204": ("compartment profiles", len(core.profiles), limits.compartment_profiles),
        "NE5205": ("threshold profiles", int(core.thresholds.size), limits.threshold_profiles),
        "NE5206": ("synapse formats", len(core.formats), min(limits.synapse_formats, MAX_FORMATS)),
    }
    for code, (resource, count, limit) in used.items():
        if count > limit:
            yield _excess(code, resource, count, limit, f"core {core.core}")


def _excess(code: str, resource: str, count: int, limit: int, where: str) -> Finding:
    return Finding(code, f"{count} {resource} on one core, {count - limit} more than its {limit}", where, _FIXES[code])


_FIXES = {
    "NE5200": ("split the population over more cores",),
    "NE5201": ("give the core fewer source neurons: split its compartments over more cores",),
    "NE5202": ("place fewer neurons on the core, or their targets on fewer cores",),
    "NE5203": ("use fewer weight bits", "split the compartments over more cores"),
    "NE5204": ("give the populations equal decays and refractory periods", "do not mix the populations on one core"),
    "NE5205": ("quantise thresholds to fewer values", "do not mix the populations on one core"),
    "NE5206": ("use the same weight bits, exponent and delay bits for more projections",),
}


def check_content(core: CoreImage) -> tuple[Finding, ...]:
    """Findings about a core's own registers and addresses, whatever the chip's capacity."""
    where = f"core {core.core}"
    findings = tuple(_check_lengths(core, where))
    if findings:
        return findings
    return (*_check_registers(core, where), *_check_synapses(core, where), *_check_addresses(core, where))


def check_program(image: ProgramImage) -> tuple[Finding, ...]:
    """Findings about a program's contents: every register range and every address that leads nowhere.

    Capacities are not looked at; :func:`check_core` does that against a chip.
    """
    findings = [finding for core in image.cores for finding in check_content(core)]
    findings += _check_start(
        image.host.route_start, (image.host.core, image.host.axon, image.host.atom), "host.route", ""
    )
    numbers = [core.core for core in image.cores]
    for number in sorted(number for number, uses in Counter(numbers).items() if uses > 1 or not 0 <= number < 1 << 16):
        findings.append(Finding("NE5103", "core numbers must be 0..65535, each once", f"core {number}"))
    if not 0 <= image.seed < 1 << 64:
        findings.append(Finding("NE5100", f"seed is {image.seed}, outside 0..2^64-1"))
    if findings:
        return tuple(findings)
    findings += _check_links(image)
    compartments = {core.core: core.compartments for core in image.cores}
    findings += check_symbols(image.symbols, compartments, image.host.sources)
    return tuple(findings)


def _check_lengths(core: CoreImage, where: str) -> Iterator[Finding]:
    groups = {
        "compartment": (
            core.profile_of_compartment,
            core.threshold_of_compartment,
            core.bias_mantissa,
            core.bias_exponent,
            core.bias_start_tick,
            core.output_start[1:],
        ),
        "input axon": (core.axon_section, core.axon_list, core.axon_atoms, core.axon_base),
    }
    for name, arrays in groups.items():
        sizes = [array.size for array in arrays]
        if len(set(sizes)) > 1:
            yield Finding("NE5103", f"the {name} arrays have different lengths: {sizes}", where)
    outputs = (core.output_core, core.output_axon, core.output_atom)
    yield from _check_start(core.output_start, outputs, "output", where)
    for number, section in enumerate(core.sections):
        yield from _check_section(section, f"section[{number}]", where)


def _check_start(start: Int64, columns: tuple[NDArray[Any], ...], name: str, where: str) -> Iterator[Finding]:
    """A start array begins at 0, never falls, and ends at the length of its columns."""
    sizes = [column.size for column in columns]
    if start.size < 1 or start[0] != 0 or (np.diff(start) < 0).any() or any(size != start[-1] for size in sizes):
        message = f"{name}_start must rise from 0 to the length of its arrays, which is {sizes}"
        yield Finding("NE5103", message, where)


def _check_section(section: SynapseSection, name: str, where: str) -> Iterator[Finding]:
    form = section.format
    if section.kind not in KINDS or form.layout not in LAYOUTS or form.index_bits not in INDEX_BITS_OF_CODE:
        message = f"{name} has kind {section.kind}, layout {form.layout}, {form.index_bits} index bits"
        yield Finding(
            "NE5103", message, where, (f"kinds are {KINDS}, layouts {LAYOUTS}, index bits {INDEX_BITS_OF_CODE}",)
        )
        return
    unfit = tuple(misfits(SYNAPSE_FORMAT, format_fields(form), f"{where}, {name}"))
    yield from unfit
    if unfit:
        return
    if (form.layout == "dense") != (form.index_bits == 0) or section.kind not in (form.layout, "shared_kernel"):
        message = f"{name} is {section.kind} but its format is {form.layout} with {form.index_bits} index bits"
        yield Finding("NE5103", message, where)
    columns: tuple[NDArray[Any], ...] = (section.weight,)
    columns += (section.index,) if form.index_bits else ()
    columns += (section.delay,) if form.delay_bits else ()
    yield from _check_start(section.list_start, columns, f"{name}.list", where)
    if (section.index.size and not form.index_bits) or (section.delay.size and not form.delay_bits):
        yield Finding("NE5103", f"{name} has indices or delays that its format does not store", where)


def _check_registers(core: CoreImage, where: str) -> Iterator[Finding]:
    if len(core.formats) > MAX_FORMATS:
        yield _excess("NE5206", "synapse formats", len(core.formats), MAX_FORMATS, where)
        return
    if core.noise_target not in NOISE_TARGETS:
        yield Finding("NE5103", f"noise_target is '{core.noise_target}'; it must be one of {NOISE_TARGETS}", where)
        return
    yield from misfits(CORE_REGISTERS, core_fields(core), where)
    yield from misfits(PROFILE, profile_fields(core), where)
    yield from misfits(THRESHOLD, {"mantissa": core.thresholds}, where)
    yield from misfits(COMPARTMENT, compartment_fields(core), where)
    yield from misfits(INPUT_AXON, axon_fields(core), where)


def _check_synapses(core: CoreImage, where: str) -> Iterator[Finding]:
    for number, section in enumerate(core.sections):
        place = f"{where}, section[{number}]"
        lowest, highest = section.format.weight_range
        kept_bits = (1 << section.format.dropped_bits) - 1
        weight = section.weight
        wrong = np.flatnonzero((weight < lowest) | (weight > highest) | ((weight & kept_bits) != 0))
        if wrong.size:
            message = (
                f"weight[{wrong[0]}] is {weight[wrong[0]]}; {section.format.weight_bits}-bit weights of sign mode "
                f"{section.format.sign_mode} are multiples of {kept_bits + 1} in {lowest}..{highest} "
                f"({wrong.size} such weights)"
            )
            yield Finding("NE5102", message, place, ("round the weights to the format before packing",))
        yield from misfits(section.format.synapse, {"delay": section.delay, "index": section.index}, place)
        yield from misfits(LIST, {"synapses": section.list_length}, place)


def _check_addresses(core: CoreImage, where: str) -> Iterator[Finding]:
    own = (
        ("profile", core.profile_of_compartment, len(core.profiles)),
        ("threshold", core.threshold_of_compartment, core.thresholds.size),
    )
    for name, column, available in own:
        wrong = np.flatnonzero(column >= available)
        if wrong.size:
            message = f"compartment[{wrong[0]}] uses {name} {column[wrong[0]]}; the core has {available}"
            yield Finding("NE5104", message, where)
    wrong = np.flatnonzero(core.axon_section >= len(core.sections))
    if wrong.size:
        message = (
            f"input_axon[{wrong[0]}] uses section {core.axon_section[wrong[0]]}; the core has {len(core.sections)}"
        )
        yield Finding("NE5104", message, where)
        return
    for number, section in enumerate(core.sections):
        yield from _check_axons(core, number, section, where)


def _check_axons(core: CoreImage, number: int, section: SynapseSection, where: str) -> Iterator[Finding]:
    """Axons select lists that exist, and those reach compartments that exist."""
    axons = np.flatnonzero(core.axon_section == number)
    axons = axons[np.argsort(core.axon_list[axons], kind="stable")]
    first = core.axon_list[axons].astype(np.int64)
    last = first + core.axon_atoms[axons]
    wrong = np.flatnonzero((last > section.lists) | (last == first))
    if wrong.size:
        at = wrong[0]
        message = (
            f"input_axon[{axons[at]}] selects lists {first[at]}..{last[at] - 1}; section[{number}] has {section.lists}"
        )
        yield Finding("NE5104", message, where)
        return
    if not axons.size:
        return
    reach = np.append(section.reach_of_list(), 0)
    furthest = np.maximum.reduceat(reach, np.stack([first, last], axis=1).ravel())[::2]
    target = core.axon_base[axons] + furthest
    wrong = np.flatnonzero((target > core.compartments) & (furthest > 0))
    if wrong.size:
        at = wrong[0]
        message = f"input_axon[{axons[at]}] reaches compartment {target[at] - 1}; the core has {core.compartments}"
        yield Finding("NE5104", message, where)


def _check_links(image: ProgramImage) -> Iterator[Finding]:
    """Every output axon and host route leads to an axon and atom of a core of the program."""
    axons_of_core = np.zeros(1 << 16, np.int64)
    first_axon = np.zeros(1 << 16, np.int64)
    atoms = np.concatenate([core.axon_atoms for core in image.cores] or [np.zeros(0, np.uint16)])
    numbers = [core.core for core in image.cores]
    axons_of_core[numbers] = [core.input_axons for core in image.cores]
    first_axon[numbers] = np.cumsum([0, *(core.input_axons for core in image.cores)])[:-1]
    senders = [("host", image.host.core, image.host.axon, image.host.atom)]
    senders += [(f"core {core.core}", core.output_core, core.output_axon, core.output_atom) for core in image.cores]
    for where, core, axon, atom in senders:
        exists = axon < axons_of_core[core]
        available = np.zeros(core.size, np.int64)
        available[exists] = atoms[first_axon[core[exists]] + axon[exists]]
        wrong = np.flatnonzero(atom >= available)
        if wrong.size:
            at = wrong[0]
            message = f"output {at} goes to core {core[at]}, axon {axon[at]}, atom {atom[at]}, which does not exist"
            yield Finding("NE5104", f"{message} ({wrong.size} such outputs)", where)


def core_fields(core: CoreImage) -> dict[str, int]:
    """Values of :data:`CORE_REGISTERS`."""
    return {
        "profiles": len(core.profiles),
        "thresholds": int(core.thresholds.size),
        "formats": len(core.formats),
        "sections": len(core.sections),
        "vmin_exponent": core.vmin_exponent,
        "vmax_exponent": core.vmax_exponent,
        "noise_exponent": core.noise_exponent,
        "noise_mantissa_offset": core.noise_mantissa_offset,
        "noise_target": NOISE_TARGETS.index(core.noise_target),
    }


def profile_fields(core: CoreImage) -> dict[str, ArrayLike]:
    """Columns of :data:`PROFILE`."""
    return {
        "current_decay": [profile.current_decay for profile in core.profiles],
        "membrane_decay": [profile.membrane_decay for profile in core.profiles],
        "refractory": [profile.refractory for profile in core.profiles],
        "noise_enable": [int(profile.noise_enable) for profile in core.profiles],
    }


def format_fields(synapse_format: SynapseFormat) -> dict[str, int]:
    """Values of :data:`SYNAPSE_FORMAT`."""
    return {
        "layout": LAYOUTS.index(synapse_format.layout),
        "sign_mode": synapse_format.sign_mode,
        "weight_bits": synapse_format.weight_bits,
        "weight_exponent": synapse_format.weight_exponent,
        "delay_bits": synapse_format.delay_bits,
        "index_code": INDEX_BITS_OF_CODE.index(synapse_format.index_bits),
    }


def compartment_fields(core: CoreImage) -> dict[str, ArrayLike]:
    """Columns of :data:`COMPARTMENT`."""
    return {
        "profile": core.profile_of_compartment,
        "threshold": core.threshold_of_compartment,
        "bias_mantissa": core.bias_mantissa,
        "bias_exponent": core.bias_exponent,
        "bias_start_tick": core.bias_start_tick,
        "outputs": np.diff(core.output_start),
    }


def axon_fields(core: CoreImage) -> dict[str, ArrayLike]:
    """Columns of :data:`INPUT_AXON`."""
    return {"section": core.axon_section, "list": core.axon_list, "atoms": core.axon_atoms, "base": core.axon_base}
