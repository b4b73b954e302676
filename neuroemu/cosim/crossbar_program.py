"""A program of crossbar cores for the Verilog core: what it writes there, and what a smaller build lacks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import RtlCores, Word
from neuroemu.cosim.crossbar import CrossbarBuild
from neuroemu.cosim.crossbar_reference import CrossbarReference
from neuroemu.cosim.program import Memory, RtlProgram
from neuroemu.errors import BadInput, DoesNotFit, Finding
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.image import CORE_WORDS, FAMILY, ROW_BITS, SIZE, TYPE_WORDS, Cores, ProgramImage, pack
from neuroemu.families.truenorth.load import rules_of
from neuroemu.families.truenorth.memory import Rules
from neuroemu.families.truenorth.registers import ROW_FIELDS, address, register
from neuroemu.image.bitfields import STORED_WORD, Words
from neuroemu.spec import ChipSpec

_TYPES_OF_A_WORD = 16


def prepared(image: ProgramImage, stages: int) -> RtlProgram:
    """The program for cores of the chip's size.

    Raises:
        BadInput: NE7219 for more than one stage.
    """
    if stages != 1:
        message = f"{stages} stages; the crossbar core takes one neuron after the other and has no pipeline"
        raise BadInput(Finding("NE7219", message, fixes=("leave --stages out",)))
    return rtl_program(image, CrossbarBuild())


def rtl_program(image: ProgramImage, build: CrossbarBuild) -> RtlProgram:
    """The program for cores of a build.

    Raises:
        DoesNotFit: NE7280 when its cores use more axons, neurons or random numbers than ``build`` has, NE5603 for reset
            values that the rows cannot hold.
    """
    if findings := misfit(image.cores, build):
        raise DoesNotFit(findings)
    chip = ChipSpec.from_dict(image.chip)
    parts = memories(image, rules_of(chip.arithmetic))
    return RtlProgram(
        chip=chip.name,
        family=FAMILY,
        build=build,
        sizes=(build.neurons,) * image.cores.count,
        numbers=tuple(image.cores.number.tolist()),
        columns=chip.structure.mesh.columns,
        memories=tuple(core_words(part, build) for part in parts),
        restarts=tuple(_restart(part, build) for part in parts),
        states=lambda cores, position: {"v": potentials(cores, position)},
        reference=lambda period: CrossbarReference(image, build, period),
    )


# ---------------------------------------------------------------------------- what is written into a core


@dataclass(frozen=True)
class CoreMemory:
    """One core's words of a program image: rows (1640,), axon types (8,), its core word; rules and the run's seed."""

    rows: Words
    axon_types: Words
    core_word: int
    rules: Rules
    run_seed: int


def memories(image: ProgramImage, rules: Rules) -> list[CoreMemory]:
    """The words of every core.

    Raises:
        DoesNotFit: NE5603 for reset values that the rows cannot hold.
    """
    program = pack(image)
    rows, types, words = (
        program.section(f"cores/{name}").view(STORED_WORD).astype(np.uint64)
        for name in ("rows", "axon_types", "registers")
    )
    return [
        CoreMemory(
            rows[core * CORE_WORDS : (core + 1) * CORE_WORDS],
            types[core * TYPE_WORDS : (core + 1) * TYPE_WORDS],
            int(words[core]),
            rules,
            image.seed,
        )
        for core in range(image.cores.count)
    ]


def row_stream(rows: Words, build: CrossbarBuild) -> Word:
    """The row memory as the configuration bus takes it; a smaller core leaves out its missing axons and neurons."""
    if (build.neurons, build.axons) == (SIZE, SIZE):
        return rows.astype(STORED_WORD).view("<u4").astype(np.uint32)
    bits = np.unpackbits(rows.astype(STORED_WORD).view(np.uint8), bitorder="little")
    bits = bits[: SIZE * ROW_BITS].reshape(SIZE, ROW_BITS)[: build.neurons]
    return _stream(np.concatenate([bits[:, : build.axons], bits[:, SIZE:]], axis=1))


def _stream(rows: NDArray[np.uint8]) -> Word:
    """Rows of bits (neurons, bits of a row) as words, one row behind the other."""
    bits = rows.reshape(-1)
    padded = np.concatenate([bits, np.zeros(-bits.size % 32, np.uint8)])
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.uint32)


def core_words(memory: CoreMemory, build: CrossbarBuild) -> tuple[Memory, ...]:
    """Everything of one core, as the configuration bus takes it."""
    halves = memory.core_word & 0xFFFFFFFF, memory.core_word >> 32
    single = {
        "rules": rules_word(memory.rules),
        "core_seed": halves[0],
        "core_flags": halves[1],
        "run_seed": memory.run_seed,
    }
    types = memory.axon_types.astype(STORED_WORD).view("<u4")[: -(-build.axons // _TYPES_OF_A_WORD)]
    return (
        *(Memory(name, build.register(name), np.array([word], np.uint32)) for name, word in single.items()),
        Memory("axon types", _at("axon_type", types), types.astype(np.uint32)),
        _rows(memory, build),
    )


def _rows(memory: CoreMemory, build: CrossbarBuild) -> Memory:
    words, bits = row_stream(memory.rows, build), build.neurons * (build.axons + ROW_FIELDS)
    lasting = np.ones((build.neurons, build.axons + ROW_FIELDS), np.uint8)
    lasting[:, build.axons : build.axons + dynamics.POTENTIAL_BITS] = 0
    return Memory("rows", _at("row", words), words, (register("row"), 0), bits, _stream(lasting))


def _restart(memory: CoreMemory, build: CrossbarBuild) -> tuple[Word, Word]:
    """Words that start a sample: the rows with their potentials, then a clear."""
    rows = _rows(memory, build)
    addresses = np.concatenate([build.register("row"), rows.address, build.register("control")])
    return addresses, np.concatenate([np.zeros(1, np.uint32), rows.word, np.ones(1, np.uint32)])


def _at(region: str, words: NDArray[np.uint32]) -> Word:
    """One address for words that come in turn."""
    return np.full(words.size, address(region), np.uint32)


def rules_word(rules: Rules) -> int:
    """The register ``rules``."""
    flags = (
        rules.zero_clamp == 1,
        rules.overflow == dynamics.IBM_CLAMP,
        rules.compat == dynamics.RANC,
        rules.rho_lowest == 1,
        rules.rho_span == 255,
    )
    return sum(int(flag) << bit for bit, flag in enumerate(flags))


def potentials(cores: RtlCores, position: int) -> NDArray[np.int32]:
    """The potentials in a core's rows, read over the bus."""
    build = cores.build
    width = build.axons + ROW_FIELDS
    cores.write(position, build.register("row"), np.zeros(1))
    words = cores.read(position, np.full(-(-build.neurons * width // 32), address("row"), np.uint32))
    bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: build.neurons * width]
    fields = bits.reshape(build.neurons, width)[:, build.axons : build.axons + dynamics.POTENTIAL_BITS].astype(np.int64)
    value = fields @ (1 << np.arange(dynamics.POTENTIAL_BITS))
    return (value - ((fields[:, -1] == 1) << dynamics.POTENTIAL_BITS)).astype(np.int32)


# ---------------------------------------------------------------------------- what a build lacks


def misfit(cores: Cores, build: CrossbarBuild) -> list[Finding]:
    """NE7280 for everything that a build cannot hold."""
    findings = []
    synapses = np.unpackbits(cores.crossbar, axis=-1)
    used = {
        "axons": (build.axons, synapses.any(axis=2)),
        "neurons": (build.neurons, synapses.any(axis=1) | (cores.delay > 0)),
    }
    for name, (limit, flags) in used.items():
        most = int(np.flatnonzero(flags.any(axis=0))[-1]) + 1 if flags.any() else 0
        if most > limit:
            message = f"a core uses {most} {name}, the build has {limit} ({most - limit} too few)"
            findings.append(Finding("NE7280", message, fixes=(f"build the core with {name.upper()}={most}",)))
    draws = cores.stochastic.any() or cores.stochastic_leak.any() or cores.mask_bits.any()
    if draws and not build.stochastic:
        message = "neurons take random numbers and the build has no generator"
        findings.append(Finding("NE7280", message, fixes=("build the core with STOCHASTIC=1",)))
    return findings
