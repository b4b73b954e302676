"""The configuration bus of the Verilog LIF core: its address map and register fields, as one declaration.

``rtl/src/lif_registers.vh`` and the table in docs/chips/lifcore.md are written from it by tools/make_rtl_header.py.
An address is ``{region (4 bits), offset}``; every word has 32 bits.
"""

from __future__ import annotations

from neuroemu.image.bitfields import BitField
from neuroemu.image.bus import REGION_BITS, WORD, BusMap, Region, Register, word

__all__ = ["BUS", "REGIONS", "REGION_BITS", "REGION_NUMBER", "REGISTERS", "REGISTER_BITS", "REGISTER_NUMBER", "WORD"]

REGISTER_BITS = 4
IDENTITY = 0x4C4946
VERSION = 1

REGISTERS = (
    Register(
        0,
        word(
            "identity",
            BitField("version", "uint:8", "of this map", (VERSION, VERSION)),
            BitField("magic", "uint:24", "the letters LIF", (IDENTITY, IDENTITY)),
        ),
        "read",
        "constant",
    ),
    Register(
        1,
        word(
            "status",
            BitField("idle", "uint:1", "1: the bus is only served while nothing runs", (1, 1)),
            BitField("error", "uint:1", "sticky: an axon or a size beyond the build was refused; a clear forgets it"),
        ),
        "read",
        "idle 1, error 0",
    ),
    Register(
        2,
        word("control", BitField("clear", "uint:1", "1: zero state, accumulators, tick, counters and error")),
        "write",
        "",
    ),
    Register(
        3,
        word("size", BitField("neurons", "uint:16", "neurons in use, 1 to those of the build; others are refused")),
        "both",
        "neurons of the build",
    ),
    Register(
        4,
        word(
            "leak",
            BitField("amount", "uint:24", "factor of 4096, shift or constant"),
            BitField("mode", "uint:2", "0 factor of 4096, 1 shift, 2 constant; one that is built in", (0, 2)),
        ),
        "both",
    ),
    Register(
        5,
        word(
            "mode",
            BitField("compare", "uint:1", "0 above the threshold, 1 at or above it"),
            BitField("reset", "uint:2", "0 to the reset value, 1 subtract the threshold, 2 none", (0, 2)),
            BitField("overflow", "uint:1", "0 saturate, 1 wrap where that is built in"),
            BitField("input_shift", "uint:5", "what arrives counts 2**input_shift"),
            BitField("", "pad:7", "zero"),
            BitField("period", "uint:16", "refractory ticks"),
        ),
        "both",
    ),
    Register(
        6, word("reset_value", BitField("value", "int:32", "potential after a spike and while refractory")), "both"
    ),
    Register(
        7,
        word(
            "current_keep",
            BitField(
                "share", "uint:13", "of the current kept per tick, of 4096; 0 where no current is built in", (0, 4096)
            ),
        ),
        "both",
    ),
    Register(8, word("tick", BitField("ticks", "uint:32", "finished since the last clear; stops at all ones")), "read"),
    Register(9, word("cycles", BitField("busy", "uint:32", "cycles of the cycle contract, wrapping")), "read"),
    Register(10, word("stalls", BitField("waited", "uint:32", "cycles an output packet waited, wrapping")), "read"),
    Register(11, word("left_range", BitField("events", "uint:32", "updates that left the range, wrapping")), "read"),
    Register(
        12,
        word("build_size", BitField("neurons", "uint:16", "NEURONS"), BitField("axons", "uint:16", "AXONS")),
        "read",
        "constant",
    ),
    Register(
        13,
        word(
            "build_routes",
            BitField("routes", "uint:16", "ROUTES"),
            BitField("core_bits", "uint:5", "CORE_BITS"),
            BitField("target_bits", "uint:5", "TARGET_BITS"),
        ),
        "read",
        "constant",
    ),
    Register(
        14,
        word(
            "build_widths",
            BitField("weight_bits", "uint:6", "WEIGHT_BITS"),
            BitField("potential_bits", "uint:6", "V_BITS"),
            BitField("accumulator_bits", "uint:6", "ACC_BITS"),
            BitField("shift_bits", "uint:4", "SHIFT_BITS"),
            BitField("refractory_bits", "uint:5", "REF_BITS"),
            BitField("start_bits", "uint:5", "START_BITS"),
        ),
        "read",
        "constant",
    ),
    Register(
        15,
        word(
            "build_features",
            BitField("factor", "uint:1", "FACTOR: leak by factor"),
            BitField("shift", "uint:1", "SHIFT: leak by shift"),
            BitField("constant", "uint:1", "CONSTANT: leak by a constant"),
            BitField("current", "uint:1", "CURRENT: synaptic current"),
            BitField("wrap", "uint:1", "WRAP: the overflow register counts"),
            BitField("stages", "uint:2", "STAGES: 1 or 3", (1, 3)),
            BitField("counters", "uint:1", "COUNTERS: cycles, stalls and left_range count; else they read 0"),
        ),
        "read",
        "constant",
    ),
)

REGIONS = (
    Region(0, word("register", BitField("", "pad:32", "see the registers")), "register"),
    Region(1, word("weight", BitField("weight", "int:32", "two's complement")), "axon * NEURONS + neuron"),
    Region(2, word("threshold", BitField("threshold", "int:32", "one bit more than a potential")), "neuron"),
    Region(
        3, word("bias", BitField("bias", "int:32", "added in every tick from the neuron's bias start on")), "neuron"
    ),
    Region(4, word("bias_start", BitField("tick", "uint:32", "first tick with bias")), "neuron"),
    Region(5, word("potential", BitField("potential", "int:32", "v; zero after a clear")), "neuron"),
    Region(
        6, word("current", BitField("current", "int:32", "u; zero after a clear, 0 where none is built in")), "neuron"
    ),
    Region(7, word("refractory", BitField("ticks", "uint:32", "still to wait; zero after a clear")), "neuron"),
    Region(8, word("accumulator", BitField("arrived", "int:32", "since the last tick; zero after a clear")), "neuron"),
    Region(
        9,
        word(
            "route_list", BitField("first", "uint:16", "first route"), BitField("count", "uint:16", "routes, may be 0")
        ),
        "neuron",
    ),
    Region(
        10,
        word("route", BitField("axon", "uint:16", "at the target core"), BitField("core", "uint:16", "target core")),
        "route",
    ),
)
BUS = BusMap("lif_core", "LIF", IDENTITY << 8 | VERSION, REGISTER_BITS, REGISTERS, REGIONS)
REGISTER_NUMBER = {register.name: register.number for register in REGISTERS}
REGION_NUMBER = {region.name: region.number for region in REGIONS}
