"""The configuration bus of the Verilog crossbar core: its address map and register fields, as one declaration.

``rtl/src/tn_registers.vh`` and the tables in docs/rtl.md are written from it by tools/make_rtl_header.py, together with the
places of a row's fields. An address is ``{region (4 bits), offset (8 bits)}``; every word has 32 bits.
"""

from __future__ import annotations

from neuroemu.families.truenorth.image import DESTINATION, PARAMETERS, STATE
from neuroemu.image.bitfields import BitField
from neuroemu.image.bus import BusMap, Region, Register, word

OFFSET_BITS = 8
IDENTITY = 0x544E58
VERSION = 1

_COUNTER = "since the last clear, wrapping"

REGISTERS = (
    Register(
        0,
        word(
            "identity",
            BitField("version", "uint:8", "of this map", (VERSION, VERSION)),
            BitField("magic", "uint:24", "the letters TNX", (IDENTITY, IDENTITY)),
        ),
        "read",
        "constant",
    ),
    Register(
        1,
        word(
            "status",
            BitField("error", "uint:1", "sticky: a spike for an axon beyond the build or of delay 0 was dropped"),
        ),
        "read",
    ),
    Register(
        2,
        word("control", BitField("clear", "uint:1", "1: forget spikes under way, tick, counters and error")),
        "write",
        "",
    ),
    Register(
        3,
        word("build_size", BitField("neurons", "uint:16", "NEURONS"), BitField("axons", "uint:16", "AXONS")),
        "read",
        "constant",
    ),
    Register(
        4,
        word(
            "build_random",
            BitField("step", "uint:8", "DRAW_STEP"),
            BitField("stochastic", "uint:1", "STOCHASTIC: the generator is built in"),
        ),
        "read",
        "constant",
    ),
    Register(
        5,
        word(
            "rules",
            BitField("zero_clamp", "uint:1", "1: a reversing leak stops at zero"),
            BitField("ibm_clamp", "uint:1", "0: potentials saturate at 20 bits, 1: at +-393216 as in NeMo"),
            BitField("ranc", "uint:1", "1: the negative threshold itself is below it"),
            BitField("rho_from_one", "uint:1", "lowest random number of synapses and leaks"),
            BitField("rho_span_255", "uint:1", "0: 256 random numbers, 1: 255"),
        ),
        "both",
        "zero_clamp 1, rho_from_one 1",
    ),
    Register(6, word("core_seed", BitField("seed", "uint:32", "low half of the program's core word")), "both"),
    Register(7, word("core_flags", BitField("encoded_reset", "uint:1", "1: reset values are stored as VR")), "both"),
    Register(8, word("run_seed", BitField("seed", "uint:32", "seed of the run")), "both"),
    Register(
        9, word("tick", BitField("number", "uint:32", "that the next marker closes; write it after a clear")), "both"
    ),
    Register(10, word("row", BitField("neuron", "uint:8", "whose row is streamed next; a tick sets it to 0")), "both"),
    Register(11, word("cycles", BitField("busy", "uint:32", f"cycles of the cycle contract {_COUNTER}")), "read"),
    Register(12, word("stalls", BitField("waited", "uint:32", f"cycles an output packet waited {_COUNTER}")), "read"),
    Register(
        13, word("left_range", BitField("events", "uint:32", f"potentials that left their range {_COUNTER}")), "read"
    ),
    Register(14, word("merged", BitField("spikes", "uint:32", f"spikes that met a set bit {_COUNTER}")), "read"),
    Register(
        15, word("synaptic_events", BitField("events", "uint:32", f"active axons at synapses {_COUNTER}")), "read"
    ),
)

REGIONS = (
    Region(0, word("register", BitField("", "pad:32", "see the registers")), "register"),
    Region(1, word("row", BitField("bits", "uint:32", "the next of all rows, without padding")), "any"),
    Region(
        2,
        word(
            "axon_type",
            BitField(
                "types",
                "uint:32",
                "of the next 16 axons, two bits each; the words come in turn, take or give all of them",
            ),
        ),
        "any",
    ),
)
BUS = BusMap("crossbar_core", "TN", IDENTITY << 8 | VERSION, OFFSET_BITS, REGISTERS, REGIONS)
REGISTER_NUMBER = {register.name: register.number for register in REGISTERS}
REGION_NUMBER = {region.name: region.number for region in REGIONS}

ROW_FIELDS = STATE.width + PARAMETERS.width + DESTINATION.width
"""Bits of a row beside its synapses."""


def address(region: str, offset: int = 0) -> int:
    """The bus address of an entry of a region."""
    return REGION_NUMBER[region] << OFFSET_BITS | offset


def register(name: str) -> int:
    """The bus address of a register."""
    return address("register", REGISTER_NUMBER[name])


def row_macros() -> tuple[str, ...]:
    """Lines of the Verilog header: the lowest bit of every field of a row, counted from the end of its synapses."""
    lines = [
        "// A row behind its synapses: its width, and the lowest bits of its fields.",
        f"`define TN_ROW_FIELDS {ROW_FIELDS}",
    ]
    first = 0
    for piece in (STATE, PARAMETERS, DESTINATION):
        lines += [f"`define TN_ROW_{item.name.upper()} {first + low}" for low, item in piece.values()]
        first += piece.width
    return tuple(lines)
