"""Loihi program images to and from the bits of the chip's memories."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.families.loihi.image import (
    BLOCK_HEADER,
    COMPARTMENT,
    CORE_REGISTERS,
    DESTINATION,
    HOST_SOURCE,
    INDEX_BITS_OF_CODE,
    INHIBITORY,
    INPUT_AXON,
    KINDS,
    LAYOUTS,
    LIST,
    NOISE_TARGETS,
    PROFILE,
    SECTION,
    SYNAPSE_FORMAT,
    SYNAPSES_PER_BLOCK,
    THRESHOLD,
    CompartmentProfile,
    CoreImage,
    HostRoutes,
    ProgramImage,
    SynapseFormat,
    SynapseSection,
    axon_fields,
    check_program,
    compartment_fields,
    core_fields,
    format_fields,
    list_bits,
    profile_fields,
)
from neuroemu.image.bitfields import (
    STORED_WORD,
    WORD_BITS,
    Words,
    combine,
    pack_word,
    pack_words,
    read_stream,
    separate,
    unpack_word,
    unpack_words,
    write_stream,
)
from neuroemu.image.container import Program, take, take_integers
from neuroemu.image.symbols import pack_symbols, unpack_symbols

FAMILY = "loihi"
LAYOUT_VERSION = 1

Int64 = NDArray[np.int64]


def pack(image: ProgramImage) -> Program:
    """The program as manifest and bit-packed sections; :func:`unpack` is its exact inverse.

    Raises:
        BadInput: every finding of :func:`neuroemu.families.loihi.image.check_program`.
    """
    _raise(check_program(image))
    symbols, sections = pack_symbols(image.symbols)
    manifest = {
        "family": FAMILY,
        "layout_version": LAYOUT_VERSION,
        "chip": image.chip,
        "symbols": symbols,
        "cores": [int(core.core) for core in image.cores],
        "seed": int(image.seed),
    }
    words: dict[str, Words] = {
        "host/sources": pack_words(HOST_SOURCE, {"routes": np.diff(image.host.route_start)}),
        "host/routes": _destinations(image.host.core, image.host.axon, image.host.atom),
    }
    for core in image.cores:
        words |= {f"core/{core.core}/{name}": memory for name, memory in core_memories(core).items()}
    packed = {name: memory.astype(STORED_WORD, copy=False).view(np.uint8) for name, memory in words.items()}
    return Program(manifest, sections | packed)


def unpack(program: Program) -> ProgramImage:
    """The objects that a program's memories hold.

    Raises:
        BadInput: NE5010 for another family, layout version or a missing or foreign section, NE5004 for a malformed
            manifest, NE5100 to NE5106 when the memories contradict themselves, NE5011 for bad symbols.
    """
    manifest = program.manifest
    family = take(manifest, "family", str, "manifest")
    version = take(manifest, "layout_version", int, "manifest")
    if (family, version) != (FAMILY, LAYOUT_VERSION):
        message = f"the program is for family '{family}', layout {version}; expected '{FAMILY}', {LAYOUT_VERSION}"
        raise BadInput(Finding("NE5010", message))
    symbols = unpack_symbols(program)
    numbers = take_integers(manifest, "cores", "manifest")
    known = {"symbols/core", "symbols/compartment", "host/sources", "host/routes"}
    known |= {f"core/{number}/{name}" for number in numbers for name in _CORE_MEMORIES}
    foreign = sorted(program.sections.keys() - known)
    if foreign:
        raise BadInput(Finding("NE5010", f"the program has sections that no core owns: {', '.join(foreign[:5])}"))
    image = ProgramImage(
        chip=take(manifest, "chip", dict, "manifest"),
        symbols=symbols,
        cores=tuple(_core(program, number) for number in numbers),
        host=_host_routes(program),
        seed=take(manifest, "seed", int, "manifest"),
    )
    _raise(check_program(image))
    return image


def core_memories(core: CoreImage) -> dict[str, Words]:
    """The memories of one core by name: registers, compartments, input_axons, output_axons, lists, synapses."""
    lists, synapses = _synapse_memory(core)
    return {
        "registers": _registers(core),
        "compartments": pack_words(COMPARTMENT, compartment_fields(core)),
        "input_axons": pack_words(INPUT_AXON, axon_fields(core)),
        "output_axons": _destinations(core.output_core, core.output_axon, core.output_atom),
        "lists": lists,
        "synapses": synapses,
    }


_CORE_MEMORIES = ("registers", "compartments", "input_axons", "output_axons", "lists", "synapses")


def pack_section(section: SynapseSection, format_id: int) -> Words:
    """The synapse memory of one section: the blocks of its lists one after the other, uint64 words."""
    form = section.format
    blocks = _blocks(section.list_length, form)
    memory = np.zeros(blocks.words, np.uint64)
    header = combine(
        BLOCK_HEADER, {"format_id": np.full(blocks.synapses.size, format_id), "count_minus_one": blocks.synapses - 1}
    )
    write_stream(memory, blocks.first_word * WORD_BITS, header, BLOCK_HEADER.width)
    columns: dict[str, ArrayLike] = {
        "weight": _weight_code(section.weight, form),
        "delay": section.delay,
        "index": section.index,
    }
    write_stream(memory, _synapse_position(blocks, form), combine(form.synapse, columns), form.synapse_bits)
    return memory


def unpack_section(kind: Any, form: SynapseFormat, format_id: int, length: Int64, memory: Words) -> SynapseSection:
    """The synapse lists in a section's memory, the inverse of :func:`pack_section`.

    Args:
        kind: of the section.
        form: its synapse format.
        format_id: number of that format, which every block header must repeat.
        length: int64, shape (lists,), synapses of each list.
        memory: the section's words, exactly as many as the lists need.

    Raises:
        BadInput: NE5105 when a block header contradicts the list table, NE5101 when a block's padding is not zero.
    """
    blocks = _blocks(length, form)
    header = separate(BLOCK_HEADER, read_stream(memory, blocks.first_word * WORD_BITS, BLOCK_HEADER.width))
    wrong = np.flatnonzero((header["format_id"] != format_id) | (header["count_minus_one"] != blocks.synapses - 1))
    if wrong.size:
        at = wrong[0]
        found = f"format {header['format_id'][at]} and {header['count_minus_one'][at] + 1} synapses"
        message = f"the block at word {blocks.first_word[at]} declares {found}; its list has format {format_id} and "
        raise BadInput(Finding("NE5105", f"{message}{blocks.synapses[at]}"))
    columns = separate(form.synapse, read_stream(memory, _synapse_position(blocks, form), form.synapse_bits))
    list_start = np.concatenate([[0], np.cumsum(length)])
    empty: NDArray[Any] = np.zeros(0, np.int64)
    section = SynapseSection(
        kind=kind,
        format=form,
        list_start=list_start,
        index=columns.get("index", empty),
        weight=_weight_of_code(columns["weight"], form),
        delay=columns.get("delay", empty),
    )
    if not np.array_equal(pack_section(section, format_id), memory):
        raise BadInput(Finding("NE5101", "bits are set in the padding of a synapse block"))
    return section


class _Blocks(NamedTuple):
    """Where the blocks of consecutive lists lie; arrays have shape (blocks,)."""

    synapses: Int64
    first_word: Int64
    words: int


def _blocks(length: Int64, form: SynapseFormat) -> _Blocks:
    blocks_of_list = -(-length // SYNAPSES_PER_BLOCK)
    synapses = np.full(int(blocks_of_list.sum()), SYNAPSES_PER_BLOCK, np.int64)
    filled = blocks_of_list > 0
    last_block = np.cumsum(blocks_of_list)[filled] - 1
    synapses[last_block] = length[filled] - (blocks_of_list[filled] - 1) * SYNAPSES_PER_BLOCK
    end = np.cumsum(list_bits(synapses, form) // WORD_BITS)
    first_word = np.concatenate([np.zeros(1, np.int64), end])[:-1]
    return _Blocks(synapses, first_word, int(end[-1]) if end.size else 0)


def _synapse_position(blocks: _Blocks, form: SynapseFormat) -> Int64:
    """Bit at which each synapse starts, int64 of shape (synapses,)."""
    first_synapse = np.cumsum(blocks.synapses) - blocks.synapses
    origin = blocks.first_word * WORD_BITS + BLOCK_HEADER.width - first_synapse * form.synapse_bits
    return np.repeat(origin, blocks.synapses) + np.arange(int(blocks.synapses.sum())) * form.synapse_bits


def _weight_code(weight: NDArray[np.int16], form: SynapseFormat) -> NDArray[np.int16]:
    """What is stored: the mantissa without its dropped bits; an inhibitory one without its sign."""
    return (-weight if form.sign_mode == INHIBITORY else weight) >> form.dropped_bits


def _weight_of_code(code: NDArray[Any], form: SynapseFormat) -> NDArray[Any]:
    mantissa = code << form.dropped_bits
    return -mantissa if form.sign_mode == INHIBITORY else mantissa


def _synapse_memory(core: CoreImage) -> tuple[Words, Words]:
    """List words and synapse words of a core, section after section."""
    number = {form: position + 1 for position, form in enumerate(core.formats)}
    lists = [np.zeros(0, np.uint64)]
    synapses = [np.zeros(0, np.uint64)]
    address = 0
    for section in core.sections:
        words_of_list = list_bits(section.list_length, section.format) // WORD_BITS
        first_word = address + np.cumsum(words_of_list) - words_of_list
        lists.append(pack_words(LIST, {"address": first_word, "synapses": section.list_length}))
        synapses.append(pack_section(section, number[section.format]))
        address += synapses[-1].size
    return np.concatenate(lists), np.concatenate(synapses)


def _registers(core: CoreImage) -> Words:
    """Register words of a core: the core's own, then profiles, thresholds, formats and sections."""
    number = {form: position + 1 for position, form in enumerate(core.formats)}
    formats = [pack_word(SYNAPSE_FORMAT, format_fields(form)) for form in core.formats]
    sections = {
        "kind": [KINDS.index(section.kind) for section in core.sections],
        "format_id": [number[section.format] for section in core.sections],
        "lists": [section.lists for section in core.sections],
    }
    parts = [
        np.array([pack_word(CORE_REGISTERS, core_fields(core))], np.uint64),
        pack_words(PROFILE, profile_fields(core)),
        pack_words(THRESHOLD, {"mantissa": core.thresholds}),
        np.array(formats, np.uint64),
        pack_words(SECTION, sections),
    ]
    return np.concatenate(parts)


def _destinations(core: ArrayLike, axon: ArrayLike, atom: ArrayLike) -> Words:
    return pack_words(DESTINATION, {"core": core, "axon": axon, "atom": atom})


def _core(program: Program, number: int) -> CoreImage:
    """One core, read from its memories."""
    place = f"core/{number}"
    registers = _words(program, f"{place}/registers")
    if not registers.size:
        raise BadInput(
            Finding("NE5106", "the section is empty; a core has at least one register word", f"{place}/registers")
        )
    shared = {name: int(column[0]) for name, column in unpack_words(CORE_REGISTERS, registers[:1], place).items()}
    counts = [shared[name] for name in ("profiles", "thresholds", "formats", "sections")]
    _expect_words(f"{place}/registers", registers, 1 + sum(counts))
    profiles, thresholds, formats, sections = np.split(registers[1:], np.cumsum(counts)[:-1])
    profile = unpack_words(PROFILE, profiles, place)
    compartment = unpack_words(COMPARTMENT, _words(program, f"{place}/compartments"), place)
    axon = unpack_words(INPUT_AXON, _words(program, f"{place}/input_axons"), place)
    output = unpack_words(DESTINATION, _words(program, f"{place}/output_axons"), place)
    return CoreImage(
        core=number,
        profiles=tuple(
            CompartmentProfile(current, membrane, refractory, bool(noise))
            for current, membrane, refractory, noise in zip(
                *(profile[item].tolist() for item in ("current_decay", "membrane_decay", "refractory", "noise_enable")),
                strict=True,
            )
        ),
        thresholds=unpack_words(THRESHOLD, thresholds, place)["mantissa"],
        vmin_exponent=shared["vmin_exponent"],
        vmax_exponent=shared["vmax_exponent"],
        noise_exponent=shared["noise_exponent"],
        noise_mantissa_offset=shared["noise_mantissa_offset"],
        noise_target=NOISE_TARGETS[shared["noise_target"]],  # type: ignore[arg-type]
        profile_of_compartment=compartment["profile"],
        threshold_of_compartment=compartment["threshold"],
        bias_mantissa=compartment["bias_mantissa"],
        bias_exponent=compartment["bias_exponent"],
        bias_start_tick=compartment["bias_start_tick"],
        sections=_sections(program, place, formats, sections),
        axon_section=axon["section"],
        axon_list=axon["list"],
        axon_atoms=axon["atoms"],
        axon_base=axon["base"],
        output_start=_start(compartment["outputs"]),
        output_core=output["core"],
        output_axon=output["axon"],
        output_atom=output["atom"],
    )


def _sections(program: Program, place: str, formats: Words, sections: Words) -> tuple[SynapseSection, ...]:
    unpack_words(SYNAPSE_FORMAT, formats, place)
    forms = [_format(unpack_word(SYNAPSE_FORMAT, word)) for word in formats.tolist()]
    section = unpack_words(SECTION, sections, place)
    kinds, numbers, counts = (section[name].tolist() for name in ("kind", "format_id", "lists"))
    lists = _words(program, f"{place}/lists")
    _expect_words(f"{place}/lists", lists, sum(counts))
    synapses = _words(program, f"{place}/synapses")
    listed = unpack_words(LIST, lists, f"{place}/lists")
    result: list[SynapseSection] = []
    first_list = address = 0
    for kind, number, count in zip(kinds, numbers, counts, strict=True):
        if number > len(forms):
            message = f"section[{len(result)}] uses synapse format {number}; the core has {len(forms)}"
            raise BadInput(Finding("NE5104", message, place))
        length = listed["synapses"][first_list : first_list + count]
        words_of_list = list_bits(length, forms[number - 1]) // WORD_BITS
        last_word = address + int(words_of_list.sum())
        expected = address + np.cumsum(words_of_list) - words_of_list
        if last_word > synapses.size or not np.array_equal(
            listed["address"][first_list : first_list + count], expected
        ):
            message = f"the lists of section[{len(result)}] do not follow each other within {synapses.size} words"
            raise BadInput(Finding("NE5106", message, f"{place}/lists"))
        memory = synapses[address:last_word]
        result.append(unpack_section(KINDS[kind], forms[number - 1], number, length, memory))
        first_list += count
        address = last_word
    _expect_words(f"{place}/synapses", synapses, address)
    if list(dict.fromkeys(section.format for section in result)) != forms:
        message = "the synapse formats are not numbered in the order in which sections use them, each once"
        raise BadInput(Finding("NE5105", message, place))
    return tuple(result)


def _format(fields: dict[str, int]) -> SynapseFormat:
    return SynapseFormat(
        layout=LAYOUTS[fields["layout"]],  # type: ignore[arg-type]
        sign_mode=fields["sign_mode"],
        weight_bits=fields["weight_bits"],
        weight_exponent=fields["weight_exponent"],
        delay_bits=fields["delay_bits"],
        index_bits=INDEX_BITS_OF_CODE[fields["index_code"]],
    )


def _host_routes(program: Program) -> HostRoutes:
    routes = unpack_words(HOST_SOURCE, _words(program, "host/sources"), "host/sources")["routes"]
    destination = unpack_words(DESTINATION, _words(program, "host/routes"), "host/routes")
    return HostRoutes(_start(routes), destination["core"], destination["axon"], destination["atom"])


def _start(counts: Int64) -> Int64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _words(program: Program, name: str) -> Words:
    data = program.section(name)
    if data.size % STORED_WORD.itemsize:
        raise BadInput(Finding("NE5106", f"{data.size} bytes are no whole number of 64-bit words", name))
    return data.view(STORED_WORD).astype(np.uint64, copy=False)


def _expect_words(name: str, words: Words, expected: int) -> None:
    if words.size != expected:
        raise BadInput(Finding("NE5106", f"the section has {words.size} words; its tables need {expected}", name))


def _raise(findings: tuple[Finding, ...]) -> None:
    if findings:
        raise BadInput(findings)
