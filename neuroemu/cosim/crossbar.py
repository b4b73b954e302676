"""The Verilog crossbar core as Python sees it: parameters of a build, its register map, its cycle contract and its pins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neuroemu.cosim.core import Int64, Word, wrong_events
from neuroemu.errors import Finding
from neuroemu.families.truenorth import registers
from neuroemu.families.truenorth.image import SIZE

TOP = "crossbar_core"
DELAY_SHIFT = 8
"""Where an event has its delay, behind its axon; it counts from the last tick that was closed."""
SPIKE_CYCLES = 2
"""Read the slot of its tick, set its bit."""
NEURON_CYCLES = 8
"""Read the row, mask it, find a synapse, find no more, leak, limit, compare, write the row."""
_EVENT_BITS = 12


@dataclass(frozen=True)
class CrossbarBuild:
    """Parameters of ``crossbar_core``; ``draw_step`` divides 64."""

    neurons: int = SIZE
    axons: int = SIZE
    stochastic: bool = True
    draw_step: int = 8

    top: ClassVar[str] = TOP
    pins: ClassVar[Path] = Path(__file__).with_name("crossbar_pins.h")
    states: ClassVar[tuple[str, ...]] = ("v",)
    packet: ClassVar[tuple[str, ...]] = ("dx", "dy", "axon", "delay")
    counters: ClassVar[tuple[str, ...]] = ("cycles", "stalls", "left_range", "merged", "synaptic_events")
    tick_register: ClassVar[str] = "tick"
    numbered: ClassVar[int] = 1 << 30

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameter -> value."""
        return {
            "NEURONS": self.neurons,
            "AXONS": self.axons,
            "STOCHASTIC": int(self.stochastic),
            "DRAW_STEP": self.draw_step,
        }

    @property
    def defines(self) -> dict[str, int]:
        """Macros of the pins: none."""
        return {}

    def register(self, name: str) -> Word:
        """The address of a register."""
        return np.array([registers.register(name)], np.uint32)

    @property
    def constants(self) -> dict[str, int]:
        """Registers that tell what was built, and their words."""
        size = {"neurons": self.neurons, "axons": self.axons}
        random = {"step": self.draw_step, "stochastic": int(self.stochastic)}
        return registers.BUS.constants({"build_size": size, "build_random": random})

    def shown(self, tick: Int64, reset_period: int) -> dict[str, Int64]:
        """``status``: no spike refused; ``tick``: the next one of the run, of 32 bits."""
        return {"status": np.zeros(tick.shape, np.int64), "tick": (tick + 1) & 0xFFFFFFFF}

    def unknown(self, events: Word) -> Iterator[Finding]:
        """NE7218: words that are no event; the core itself drops those of axons that it lacks."""
        return wrong_events("event", events, 1 << _EVENT_BITS)


def draw_cycles(build: CrossbarBuild) -> int:
    """Clocks that a random number takes beyond the clock of what draws it."""
    return mix_cycles(build) + 1


def mix_cycles(build: CrossbarBuild) -> int:
    """Clocks of the generator for one word."""
    return 2 * (64 // build.draw_step) + 2


def tick_cycles(
    build: CrossbarBuild, spikes: Any, events: Any, synapse_draws: Any, other_draws: Any, packets: Any
) -> Any:
    """Busy cycles of a tick, marker to marker, without waiting for input and without stalls of the output.

    Args:
        spikes: spikes that came in.
        events: active axons at synapses.
        synapse_draws: those of them that took a random number.
        other_draws: stochastic leaks and thresholds.
        packets: spikes of neurons with a target.
    """
    draw = draw_cycles(build)
    key = 2 * mix_cycles(build) if build.stochastic else 0
    walked = NEURON_CYCLES * build.neurons + events + other_draws + draw * (synapse_draws + other_draws) + packets
    return 3 + key + SPIKE_CYCLES * spikes + walked
