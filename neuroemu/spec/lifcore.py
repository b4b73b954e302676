"""The sections of a chip of the lifcore family: many small open LIF cores on a mesh, or one big one."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from neuroemu.spec.chip import ChipSpec, Costs
from neuroemu.spec.facts import (
    Count,
    Energy,
    Fact,
    Flag,
    Listed,
    Memory,
    Problem,
    Quantity,
    Section,
    not_positive,
    passed,
)
from neuroemu.spec.mesh import MeshStructure


class Overflow(Fact[Literal["saturate", "wrap"]]):
    """What a current or potential does beyond its width."""


class SynapseKinds(Fact[Listed[Literal["dense", "sparse", "shared_kernel"]]]):
    """Kinds of synapse lists that the core's memory can hold."""


class LeakModes(Fact[Listed[Literal["factor", "shift", "constant"]]]):
    """How the potential can leak: by k of 4096, by its ``2**-k`` part, by a constant."""


class ResetModes(Fact[Listed[Literal["value", "subtract", "none"]]]):
    """What a spike can do to the potential."""


class NeuronRegisters(Fact[Listed[Literal["threshold", "bias", "initial"]]]):
    """What every neuron has a register of its own for; else neurons of a core share a threshold, and the others are 0."""


class Frequency(Quantity[float]):
    """Hertz."""

    si_unit = "Hz"
    example = "100 MHz"


class LifcoreLimits(Section):
    """What one core holds."""

    neurons: Count
    axons: Count
    routes: Count
    profiles: Count
    synapse_memory: Memory
    delay_ticks_max: Count

    @model_validator(mode="after")
    def _fields_are_wide_enough(self) -> Self:
        problems = not_positive(self)
        for name, most in (("neurons", 1 << 20), ("delay_ticks_max", 63), ("profiles", 65535)):
            if getattr(self, name).value > most:
                problems.append(Problem((name,), "NE2031", f"{name} must not exceed {most}, the width of its field"))
        return passed(self, problems)


class LifcoreArithmetic(Section):
    """Widths with sign bit, and what happens beyond them."""

    weight_bits: Count
    potential_bits: Count
    accumulator_bits: Count
    refractory_max: Count
    overflow: Overflow
    synapse_kinds: SynapseKinds
    leak_modes: LeakModes
    reset_modes: ResetModes
    neuron_registers: NeuronRegisters
    current_decay: Flag
    input_shift_max: Count

    @model_validator(mode="after")
    def _widths_fit_together(self) -> Self:
        problems = []
        for name, low, high in (
            ("weight_bits", 2, 16),
            ("potential_bits", 2, 32),
            ("accumulator_bits", 2, 32),
            ("refractory_max", 0, 65535),
            ("input_shift_max", 0, 31),
        ):
            if not low <= getattr(self, name).value <= high:
                problems.append(Problem((name,), "NE2032", f"{name} must lie between {low} and {high}"))
        if self.accumulator_bits.value < self.weight_bits.value:
            problems.append(
                Problem(("accumulator_bits",), "NE2032", "accumulator_bits must not be less than weight_bits")
            )
        if "sparse" not in self.synapse_kinds.value and self.synapse_kinds.value != ("dense",):
            problems.append(
                Problem(("synapse_kinds",), "NE2032", "synapse_kinds must contain sparse, or be dense alone")
            )
        for name in ("leak_modes", "reset_modes"):
            if not getattr(self, name).value:
                problems.append(Problem((name,), "NE2032", f"{name} must name at least one mode"))
        return passed(self, problems)


class LifcoreCycles(Costs):
    """The cycle contract, in cycles of the core's clock."""

    spike_in: Count
    synapse: Count
    neuron: Count
    route: Count
    tick: Count
    hop: Count


class LifcoreEnergy(Costs):
    """Joules per event; what is left out is unknown."""

    neuron_update: Energy | None = None
    spike_out: Energy | None = None
    synapse_dense: Energy | None = None
    synapse_sparse: Energy | None = None
    synapse_shared_kernel: Energy | None = None
    message: Energy | None = None
    hop_east_west: Energy | None = None
    hop_north_south: Energy | None = None


class LifcoreCostSet(Section):
    """A clock and energies of one origin."""

    title: str
    note: str = ""
    clock: Frequency
    energy: LifcoreEnergy

    @model_validator(mode="after")
    def _clock_runs(self) -> Self:
        stopped = self.clock.value <= 0
        return passed(self, [Problem(("clock",), "NE2025", "the clock must be above 0 Hz")] if stopped else [])


class LifcoreChip(ChipSpec):
    """A chip of the lifcore family."""

    family: Literal["lifcore"]
    structure: MeshStructure
    limits: LifcoreLimits
    arithmetic: LifcoreArithmetic
    cycles: LifcoreCycles
    cost_sets: dict[str, LifcoreCostSet]

    @model_validator(mode="after")
    def _a_crossbar_has_no_delays(self) -> Self:
        crossbar = self.arithmetic.synapse_kinds.value == ("dense",)
        if not crossbar or self.limits.delay_ticks_max.value == 1:
            return self
        message = "a core with dense lists only has no room for delays in its synapses; delay_ticks_max must be 1"
        return passed(self, [Problem(("limits", "delay_ticks_max"), "NE2032", message, ("write delay_ticks_max: 1",))])
