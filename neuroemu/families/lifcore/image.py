"""The open LIF core's registers and memories as typed bit fields, and programs to and from them.

The layouts below are the one description of the core's register map.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.image.bitfields import (
    STORED_WORD,
    WORD_BITS,
    BitField,
    Layout,
    Words,
    pack_stream,
    pack_words,
    unpack_stream,
    unpack_words,
    word_layout,
)
from neuroemu.image.container import Program, take, take_integers
from neuroemu.image.symbols import Symbols, pack_symbols, unpack_symbols

Int64 = NDArray[np.int64]

FAMILY = "lifcore"
LAYOUT_VERSION = 3
KINDS = ("dense", "sparse", "shared_kernel")
DENSE_KIND, SPARSE_KIND, SHARED_KIND = range(3)

CORE = word_layout(
    "core",
    BitField("profiles", "uint:16", "profile words (two each)"),
    BitField("potential_bits", "uint:6", "width of currents and potentials", (2, 32)),
    BitField("overflow", "uint:1", "0 saturate, 1 wrap"),
    BitField("weight_bits", "uint:5", "width of a weight in the synapse memories", (2, 16)),
    BitField("accumulator_bits", "uint:6", "width of the accumulators of what arrives", (2, 32)),
)
PROFILE = word_layout(
    "profile",
    BitField("input_shift", "uint:5", "what arrives counts 2**input_shift"),
    BitField("current_keep", "uint:13", "share of the current kept per tick, of 4096", (0, 4096)),
    BitField("leak_mode", "uint:2", "0 factor of 4096, 1 shift, 2 constant", (0, 2)),
    BitField("leak_amount", "uint:24", "factor, shift or constant"),
    BitField("compare", "uint:1", "0 above the threshold, 1 at or above it"),
    BitField("reset", "uint:2", "0 to the reset value, 1 subtract the threshold, 2 none", (0, 2)),
    BitField("period", "uint:16", "refractory ticks"),
)
RESET = word_layout("reset", BitField("reset_value", "int:32", "potential after a spike and while refractory"))
DRIVE = word_layout("drive", BitField("threshold", "int:32", ""), BitField("bias", "int:32", "added in every tick"))
START = word_layout(
    "start",
    BitField("initial", "int:32", "potential after reset"),
    BitField("profile", "uint:16", ""),
    BitField("bias_start", "uint:16", "first tick with bias"),
)
OUTPUTS = word_layout("outputs", BitField("routes", "uint:32", "routes of the neuron"))
AXON = word_layout("axon", BitField("list", "uint:32", "synapse list"), BitField("base", "uint:32", "first neuron"))
ROUTE = word_layout("route", BitField("core", "uint:16", ""), BitField("axon", "uint:32", ""))
LIST = word_layout(
    "list",
    BitField("kind", "uint:2", "dense, sparse, shared kernel", (0, 2)),
    BitField("synapses", "uint:32", ""),
    BitField("delay", "uint:6", "ticks, of a dense list; else 0"),
)
WIDEST_WEIGHT, WIDEST_ACCUMULATOR = 16, 32


def dense_layout(weight_bits: int) -> Layout:
    """A synapse of a dense list: neurons follow each other from the axon's base on, the list word has the delay."""
    return Layout("dense synapse", (BitField("weight", f"int:{weight_bits}", "as wide as the core's `weight_bits`"),))


def listed_layout(weight_bits: int) -> Layout:
    """A synapse of a sparse list or a shared kernel."""
    return Layout(
        "listed synapse",
        (
            *dense_layout(weight_bits).fields,
            BitField("delay", "uint:6", "ticks", (1, 63)),
            BitField("index", "uint:20", "neuron, counted from the axon's base"),
        ),
    )


LISTED, DENSE = listed_layout(WIDEST_WEIGHT), dense_layout(WIDEST_WEIGHT)
LAYOUTS = (CORE, PROFILE, RESET, DRIVE, START, OUTPUTS, AXON, ROUTE, LIST, LISTED, DENSE)

MOST_CORE = ROUTE.fields[0].range[1]
_MEMORIES = ("registers", "neurons", "outputs", "axons", "routes", "lists", "dense", "listed")


@dataclass(frozen=True)
class CoreImage:
    """One core's registers and memories; int64 arrays where nothing else is said.

    Attributes:
        profiles: fields of PROFILE and RESET, (profiles,) each.
        neurons: fields of DRIVE and START, (neurons,) each.
        route_start: (neurons + 1,); ``route_core`` and ``route_axon`` are the routes.
        list_start: (lists + 1,); ``list_kind`` (lists,) positions in KINDS, dense lists first.
        index, weight, delay: int32, int16, uint8, synapses of all lists; in a dense list index counts up from 0 and all
            delays are equal.
    """

    core: int
    potential_bits: int
    overflow: int
    profiles: dict[str, Int64]
    neurons: dict[str, Int64]
    route_start: Int64
    route_core: Int64
    route_axon: Int64
    axon_list: Int64
    axon_base: Int64
    list_start: Int64
    list_kind: Int64
    index: NDArray[np.int32]
    weight: NDArray[np.int16]
    delay: NDArray[np.uint8]
    weight_bits: int = WIDEST_WEIGHT
    accumulator_bits: int = WIDEST_ACCUMULATOR

    @property
    def size(self) -> int:
        return int(self.neurons["threshold"].shape[0])


@dataclass(frozen=True)
class ProgramImage:
    """A whole program: chip, symbols, cores and the routes of host sources."""

    chip: dict[str, Any]
    symbols: Symbols
    cores: tuple[CoreImage, ...]
    host_start: Int64
    host_core: Int64
    host_axon: Int64


def synapse_bits(weight_bits: int) -> Int64:
    """Memory of one synapse of a list of each kind."""
    return np.array([dense_layout(weight_bits).width, *[listed_layout(weight_bits).width] * 2], np.int64)


def pack(image: ProgramImage) -> Program:
    """The program as manifest and bit-packed sections; :func:`unpack` is its exact inverse."""
    symbols, sections = pack_symbols(image.symbols)
    manifest = {
        "family": FAMILY,
        "layout_version": LAYOUT_VERSION,
        "chip": image.chip,
        "symbols": symbols,
        "cores": [core.core for core in image.cores],
    }
    words: dict[str, Words] = {
        "host/outputs": pack_words(OUTPUTS, {"routes": np.diff(image.host_start)}),
        "host/routes": pack_words(ROUTE, {"core": image.host_core, "axon": image.host_axon}),
    }
    for core in image.cores:
        words |= {f"core/{core.core}/{name}": memory for name, memory in _memories(core).items()}
    packed = {name: memory.astype(STORED_WORD, copy=False).view(np.uint8) for name, memory in words.items()}
    return Program(manifest, sections | packed)


def unpack(program: Program) -> ProgramImage:
    """The objects that a program's memories hold.

    Raises:
        BadInput: NE5510 for another family or layout version or foreign sections, NE5511 for memories that contradict
            themselves, NE5100 and NE5101 for fields out of range, NE5004, NE5010 and NE5011 for a malformed manifest.
    """
    manifest = program.manifest
    found = take(manifest, "family", str, "manifest"), take(manifest, "layout_version", int, "manifest")
    if found != (FAMILY, LAYOUT_VERSION):
        message = f"the program is for family '{found[0]}', layout {found[1]}; expected '{FAMILY}', {LAYOUT_VERSION}"
        raise BadInput(Finding("NE5510", message))
    numbers = take_integers(manifest, "cores", "manifest")
    if numbers and max(numbers) > MOST_CORE:
        raise BadInput(Finding("NE5511", f"core {max(numbers)} cannot be addressed; routes reach core {MOST_CORE}"))
    known = {"symbols/core", "symbols/compartment", "host/outputs", "host/routes"}
    known |= {f"core/{number}/{name}" for number in numbers for name in _MEMORIES}
    if foreign := sorted(program.sections.keys() - known):
        raise BadInput(Finding("NE5510", f"the program has sections that no core owns: {', '.join(foreign[:5])}"))
    routes = unpack_words(ROUTE, _words(program, "host/routes"), "host/routes")
    counts = unpack_words(OUTPUTS, _words(program, "host/outputs"), "host/outputs")["routes"]
    image = ProgramImage(
        chip=take(manifest, "chip", dict, "manifest"),
        symbols=unpack_symbols(program),
        cores=tuple(_core(program, number) for number in numbers),
        host_start=_start(counts),
        host_core=routes["core"],
        host_axon=routes["axon"],
    )
    _check(image)
    return image


def _memories(core: CoreImage) -> dict[str, Words]:
    header: dict[str, list[int]] = {
        "profiles": [core.profiles["period"].shape[0]],
        "potential_bits": [core.potential_bits],
        "overflow": [core.overflow],
        "weight_bits": [core.weight_bits],
        "accumulator_bits": [core.accumulator_bits],
    }
    delay, dense_synapses = _dense_delays(core)
    columns: dict[str, NDArray[Any]] = {"weight": core.weight, "delay": core.delay, "index": core.index}
    listed = {name: column[dense_synapses:] for name, column in columns.items()}
    return {
        "registers": np.concatenate(
            [
                pack_words(CORE, header),
                pack_words(PROFILE, core.profiles),
                pack_words(RESET, core.profiles),
            ]
        ),
        "neurons": np.concatenate([pack_words(DRIVE, core.neurons), pack_words(START, core.neurons)]),
        "outputs": pack_words(OUTPUTS, {"routes": np.diff(core.route_start)}),
        "axons": pack_words(AXON, {"list": core.axon_list, "base": core.axon_base}),
        "routes": pack_words(ROUTE, {"core": core.route_core, "axon": core.route_axon}),
        "lists": pack_words(LIST, {"kind": core.list_kind, "synapses": np.diff(core.list_start), "delay": delay}),
        "dense": pack_stream(dense_layout(core.weight_bits), {"weight": core.weight[:dense_synapses]}),
        "listed": pack_stream(listed_layout(core.weight_bits), listed),
    }


def _dense_delays(core: CoreImage) -> tuple[Int64, int]:
    """Delay of every list, 0 where it is not dense, and the synapses of all dense ones.

    Raises:
        BadInput: NE5511 for dense lists behind others, or whose synapses have several delays.
    """
    dense = core.list_kind == DENSE_KIND
    lists = int(np.count_nonzero(dense))
    synapses, lengths = int(core.list_start[lists]), np.diff(core.list_start[: lists + 1])
    delay = dense.astype(np.int64)
    filled = np.flatnonzero(lengths)
    delay[filled] = core.delay[core.list_start[filled]]
    if not dense[:lists].all() or np.any(core.delay[:synapses] != np.repeat(delay[:lists].astype(np.uint8), lengths)):
        raise BadInput(Finding("NE5511", "dense lists must come first and have one delay each", f"core/{core.core}"))
    return delay, synapses


def _core(program: Program, number: int) -> CoreImage:
    place = f"core/{number}"
    registers = _words(program, f"{place}/registers")
    if not registers.size:
        raise BadInput(Finding("NE5511", "the core has no registers", f"{place}/registers"))
    header = {name: int(column[0]) for name, column in unpack_words(CORE, registers[:1], place).items()}
    _expect(registers.size, 1 + 2 * header["profiles"], f"{place}/registers")
    first, second = np.split(registers[1:], 2)
    neurons = _words(program, f"{place}/neurons")
    outputs = unpack_words(OUTPUTS, _words(program, f"{place}/outputs"), place)["routes"]
    _expect(neurons.size, 2 * outputs.size, f"{place}/neurons")
    drive, start = np.split(neurons, 2)
    axons = unpack_words(AXON, _words(program, f"{place}/axons"), place)
    routes = unpack_words(ROUTE, _words(program, f"{place}/routes"), place)
    lists = unpack_words(LIST, _words(program, f"{place}/lists"), place)
    list_start, columns = _synapses(program, place, lists, header["weight_bits"])
    return CoreImage(
        core=number,
        potential_bits=header["potential_bits"],
        overflow=header["overflow"],
        profiles=unpack_words(PROFILE, first, place) | unpack_words(RESET, second, place),
        neurons=unpack_words(DRIVE, drive, place) | unpack_words(START, start, place),
        route_start=_start(outputs),
        route_core=routes["core"],
        route_axon=routes["axon"],
        axon_list=axons["list"],
        axon_base=axons["base"],
        list_start=list_start,
        list_kind=lists["kind"],
        weight_bits=header["weight_bits"],
        accumulator_bits=header["accumulator_bits"],
        **columns,
    )


def _synapses(
    program: Program, place: str, lists: dict[str, Int64], weight_bits: int
) -> tuple[Int64, dict[str, NDArray[Any]]]:
    """Where the lists start, and index, weight and delay of all synapses; sizes are compared before anything is allocated."""
    dense = lists["kind"] == DENSE_KIND
    if np.any(dense[1:] & ~dense[:-1]):
        raise BadInput(Finding("NE5511", "a dense list comes after others", f"{place}/lists"))
    if np.any(dense != (lists["delay"] > 0)):
        raise BadInput(
            Finding("NE5511", "a list word must hold a delay if the list is dense, and only then", f"{place}/lists")
        )
    memories = {
        name: (layout, _words(program, f"{place}/{name}"))
        for name, layout in (("dense", dense_layout(weight_bits)), ("listed", listed_layout(weight_bits)))
    }
    counts = {"dense": int(lists["synapses"][dense].sum()), "listed": int(lists["synapses"][~dense].sum())}
    for name, (layout, memory) in memories.items():
        _expect(memory.size, -(-counts[name] * layout.width // WORD_BITS), f"{place}/{name}")
    list_start, synapses = _start(lists["synapses"]), counts["dense"]
    columns: dict[str, NDArray[Any]] = {
        "weight": np.empty(sum(counts.values()), np.int16),
        "delay": np.empty(sum(counts.values()), np.uint8),
        "index": np.empty(sum(counts.values()), np.int32),
    }
    lengths = lists["synapses"][dense]
    columns["delay"][:synapses] = np.repeat(lists["delay"][dense].astype(np.uint8), lengths)
    columns["index"][:synapses] = np.arange(synapses, dtype=np.int32)
    columns["index"][:synapses] -= np.repeat(list_start[:-1][dense].astype(np.int32), lengths)
    for name, part in (("dense", slice(0, synapses)), ("listed", slice(synapses, None))):
        layout, memory = memories[name]
        unpack_stream(layout, memory, {key: column[part] for key, column in columns.items()}, f"{place}/{name}")
    return list_start, columns


def _check(image: ProgramImage) -> None:
    """Everything that points somewhere points at something."""
    axons = {core.core: core.axon_list.shape[0] for core in image.cores}
    findings = [*_routes("host", image.host_start, image.host_core, image.host_axon, axons)]
    for core in image.cores:
        where = f"core/{core.core}"
        findings += _routes(where, core.route_start, core.route_core, core.route_axon, axons)
        lists = core.list_kind.shape[0]
        if core.axon_list.size and int(core.axon_list.max()) >= lists:
            findings.append(Finding("NE5511", f"an axon selects list {core.axon_list.max()} of {lists}", where))
        elif core.axon_list.size and core.index.size:
            longest = np.zeros(lists, np.int64)
            filled = np.diff(core.list_start) > 0
            longest[filled] = np.maximum.reduceat(core.index, core.list_start[:-1][filled]) + 1
            reach = int((core.axon_base + longest[core.axon_list]).max())
            if reach > core.size:
                findings.append(Finding("NE5511", f"synapses reach neuron {reach - 1} of {core.size}", where))
        if core.size and int(core.neurons["profile"].max()) >= core.profiles["period"].shape[0]:
            findings.append(Finding("NE5511", "a neuron uses a profile that the core does not have", where))
        amplifies = (core.profiles["leak_mode"] == 0) & (core.profiles["leak_amount"] > 4096)
        if np.any(amplifies):
            factor = int(core.profiles["leak_amount"][amplifies].max())
            findings.append(
                Finding("NE5511", f"a leak keeps {factor} of 4096 parts; none can keep more than all", where)
            )
        if core.delay.size and int(core.delay.min()) < 1:
            findings.append(
                Finding("NE5511", "a synapse has delay 0; spikes arrive a tick later at the earliest", where)
            )
    if len(axons) != len(image.cores):
        findings.append(Finding("NE5511", "a core is listed twice"))
    sizes = np.zeros(max(axons, default=0) + 1, np.int64)
    sizes[[core.core for core in image.cores]] = [core.size for core in image.cores]
    for population in image.symbols.populations:
        known = (population.core >= 0) & (population.core < sizes.shape[0]) & (population.compartment >= 0)
        if not np.all(known) or np.any(population.compartment >= sizes[population.core]):
            findings.append(Finding("NE5511", f"population {population.name} has neurons that no core holds"))
    sources = sum(port.size for port in image.symbols.inputs)
    if sources != image.host_start.shape[0] - 1:
        findings.append(Finding("NE5511", f"{sources} host sources are named, {image.host_start.shape[0] - 1} routed"))
    if findings:
        raise BadInput(findings)


def _routes(where: str, start: Int64, core: Int64, axon: Int64, axons: dict[int, int]) -> list[Finding]:
    if int(start[-1]) != core.shape[0]:
        return [Finding("NE5511", f"{start[-1]} routes are counted, {core.shape[0]} stored", where)]
    room = np.array([axons.get(number, 0) for number in range(max([*axons, int(core.max(initial=0))], default=0) + 1)])
    if core.size and np.any(axon >= room[core]):
        return [Finding("NE5511", "a route leads to a core or axon that does not exist", where)]
    return []


def _start(counts: Int64) -> Int64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)


def _words(program: Program, name: str) -> Words:
    data = program.section(name)
    if data.size % STORED_WORD.itemsize:
        raise BadInput(Finding("NE5511", f"{data.size} bytes are no whole number of 64-bit words", name))
    return data.view(STORED_WORD).astype(np.uint64, copy=False)


def _expect(found: int, wanted: int, place: str) -> None:
    if found != wanted:
        raise BadInput(Finding("NE5511", f"the section has {found} words; its tables need {wanted}", place))
