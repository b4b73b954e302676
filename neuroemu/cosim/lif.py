"""The Verilog LIF core as Python sees it: parameters of a build, its register map, its cycle contract and its pins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neuroemu.cosim.core import Int64, Word, wrong_events
from neuroemu.errors import Finding
from neuroemu.families.lifcore.registers import BUS, REGION_BITS, REGION_NUMBER, REGISTER_NUMBER
from neuroemu.families.lifcore.timing import Cycles

TOP = "lif_core"


@dataclass(frozen=True)
class Build:
    """Parameters of ``lif_core``; the features are 0 or 1."""

    neurons: int = 256
    axons: int = 256
    weight_bits: int = 8
    v_bits: int = 16
    acc_bits: int = 16
    shift_bits: int = 3
    ref_bits: int = 4
    start_bits: int = 8
    routes: int = 512
    core_bits: int = 2
    target_bits: int = 8
    factor: int = 0
    shift: int = 1
    constant: int = 0
    current: int = 0
    wrap: int = 0
    stages: int = 1

    top: ClassVar[str] = TOP
    pins: ClassVar[Path] = Path(__file__).with_name("lif_pins.h")
    states: ClassVar[tuple[str, ...]] = ("u", "v", "refractory")
    packet: ClassVar[tuple[str, ...]] = ("core", "axon")
    counters: ClassVar[tuple[str, ...]] = ("cycles", "stalls", "left_range")
    tick_register: ClassVar[None] = None

    @property
    def defines(self) -> dict[str, int]:
        """Macros of the pins."""
        assert REGION_BITS + self.offset_bits <= 32
        return {"V_BITS": self.v_bits}

    @property
    def numbered(self) -> int:
        """Cores that packets can name."""
        return 1 << self.core_bits

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameter -> value."""
        return {field.name.upper(): getattr(self, field.name) for field in fields(self)}

    @property
    def offset_bits(self) -> int:
        """Width of an address within a region of the configuration bus."""
        return max(_bits(self.neurons * self.axons), _bits(self.routes), 4)

    @property
    def leak_bits(self) -> int:
        """Width of the leak's amount."""
        shortest = 13 if self.factor else 5
        return min(max(shortest, self.v_bits) if self.constant else shortest, 24)

    @property
    def cycles(self) -> Cycles:
        """The cycle contract of the build; packets between cores take none of the cores' cycles."""
        return Cycles(spike_in=1, synapse=1, neuron=1, route=1, tick=3 + self.stages, hop=0)

    def address(self, region: str, offset: Any) -> Word:
        """Addresses of entries of a memory."""
        return np.asarray((REGION_NUMBER[region] << self.offset_bits) | np.asarray(offset), np.uint32)

    def register(self, name: str) -> Word:
        """The address of a register."""
        return self.address("register", [REGISTER_NUMBER[name]])

    @property
    def constants(self) -> dict[str, int]:
        """Registers that tell what was built, and their words."""
        size = {"neurons": self.neurons, "axons": self.axons}
        routes = {name: getattr(self, name) for name in ("routes", "core_bits", "target_bits")}
        widths = {
            "weight_bits": self.weight_bits,
            "potential_bits": self.v_bits,
            "accumulator_bits": self.acc_bits,
            "shift_bits": self.shift_bits,
            "refractory_bits": self.ref_bits,
            "start_bits": self.start_bits,
        }
        features = {name: getattr(self, name) for name in ("factor", "shift", "constant", "current", "wrap", "stages")}
        words = {"build_size": size, "build_routes": routes, "build_widths": widths}
        return BUS.constants({**words, "build_features": {**features, "counters": 1}})

    def shown(self, tick: Int64, reset_period: int) -> dict[str, Int64]:
        """``status``: idle, no event refused; ``tick``: finished ones of the sample, up to the highest bias start."""
        return {
            "status": np.ones(tick.shape, np.int64),
            "tick": np.minimum(tick % reset_period + 1, (1 << self.start_bits) - 1),
        }

    def unknown(self, events: Word) -> Iterator[Finding]:
        """NE7218: events that no row of weights belongs to."""
        return wrong_events("axon", events, self.axons)


def _bits(count: int) -> int:
    """Bits that number ``count`` things, at least one."""
    return max((count - 1).bit_length(), 1)
