"""The sections of a chip of the truenorth family: crossbar cores on a mesh, one chip or several tiled together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from neuroemu.noc.mesh import Mesh
from neuroemu.spec.chip import ChipSpec, Costs
from neuroemu.spec.facts import (
    Count,
    Energy,
    Fact,
    Flag,
    Power,
    Problem,
    Section,
    Time,
    Voltage,
    not_positive,
    passed,
)

MOST_CORES = 1 << 20
_WIDTHS = {
    "axons": 256,
    "neurons": 256,
    "axon_types": 4,
    "weight_max": 255,
    "leak_max": 255,
    "threshold_max": (1 << 18) - 1,
    "negative_threshold_max": (1 << 18) - 1,
    "threshold_mask_bits_max": 18,
    "reset_max": 255,
    "delay_ticks_max": 15,
    "target_cores_back": 256,
    "target_cores_ahead": 255,
}
"""Largest value that the field of a core's row holds."""


class OverflowRule(Fact[Literal["saturate20", "ibm_clamp", "error"]]):
    """What a potential does beyond 20 bits."""


class RhoRange(Fact[Literal["1..256", "0..255", "1..255"]]):
    """Random numbers that stochastic synapses and leaks are compared with."""


class Compat(Fact[Literal["paper", "ranc"]]):
    """Whose negative threshold: strictly below as in the paper, or at it as in RANC's default."""


class TrueNorthStructure(Section):
    """Cores of all chips are one mesh, numbered row by row: core ``y * columns + x``."""

    mesh_columns: Count
    mesh_rows: Count
    chip_columns: Count
    chip_rows: Count
    cores: Count

    @property
    def chips(self) -> int:
        return self.chip_columns.value * self.chip_rows.value

    @property
    def mesh(self) -> Mesh:
        """The cores of all chips with their routers."""
        columns, rows = self.mesh_columns.value * self.chip_columns.value, self.mesh_rows.value * self.chip_rows.value
        return Mesh(columns, rows, 1, "row_major")

    @model_validator(mode="after")
    def _mesh_holds_the_cores(self) -> Self:
        problems = not_positive(self)
        in_mesh = self.mesh_columns.value * self.mesh_rows.value * self.chip_columns.value * self.chip_rows.value
        if self.cores.value != in_mesh:
            message = f"cores is {self.cores.value}, the chips hold {in_mesh}"
            problems.append(Problem(("cores",), "NE2030", message, (f"write cores: {in_mesh}",)))
        elif in_mesh > MOST_CORES:
            problems.append(
                Problem(("cores",), "NE2031", f"{in_mesh} cores are more than {MOST_CORES} can be addressed")
            )
        return passed(self, problems)


class TrueNorthLimits(Section):
    """What one core and one neuron hold."""

    axons: Count
    neurons: Count
    axon_types: Count
    targets_per_neuron: Count
    weight_max: Count
    leak_max: Count
    threshold_max: Count
    negative_threshold_max: Count
    threshold_mask_bits_max: Count
    reset_max: Count
    delay_ticks_max: Count
    target_cores_back: Count
    target_cores_ahead: Count

    @model_validator(mode="after")
    def _fields_are_wide_enough(self) -> Self:
        problems = [
            Problem((name,), "NE2031", f"{name} must lie between 1 and {most}, the width of its field")
            for name, most in _WIDTHS.items()
            if not 1 <= getattr(self, name).value <= most
        ]
        if self.targets_per_neuron.value != 1:
            problems.append(Problem(("targets_per_neuron",), "NE2031", "a row has room for one target"))
        return passed(self, problems)


class TrueNorthArithmetic(Section):
    """The neuron's arithmetic; what the public texts leave open is a choice."""

    potential_bits: Count
    leak_zero_clamp: Flag
    overflow: OverflowRule
    rho_range: RhoRange
    compat: Compat

    @model_validator(mode="after")
    def _potential_has_its_width(self) -> Self:
        wrong = self.potential_bits.value != 20
        message = "potential_bits must be 20, the width of its field"
        return passed(self, [Problem(("potential_bits",), "NE2032", message)] if wrong else [])


class TrueNorthTiming(Section):
    """The tick, and how much a core has been shown to do in one."""

    tick: Time
    reference_tick: Time
    """Tick of the published powers and throughput."""
    fastest_tick: Time
    core_load_shown: Count
    """Synaptic events of one core in one reference tick at the highest published throughput."""

    @property
    def ticks_per_reference(self) -> float:
        """How many of the chip's ticks pass in one reference tick."""
        return self.reference_tick.value / self.tick.value

    @property
    def core_load_limit(self) -> int:
        """Synaptic events of one core in one tick that have been shown to fit, at the same events per second."""
        return int(self.core_load_shown.value / self.ticks_per_reference + 1e-9)

    @model_validator(mode="after")
    def _time_passes(self) -> Self:
        stopped = [name for name in ("tick", "reference_tick", "fastest_tick") if getattr(self, name).value <= 0]
        return passed(self, [Problem((name,), "NE2025", f"{name} must be above 0 s") for name in stopped])


class TrueNorthEnergy(Costs):
    """Joules per event; what is left out is contained in another figure or unknown."""

    synaptic_event: Energy | None = None
    spike: Energy | None = None
    hop: Energy | None = None
    chip_crossing: Energy | None = None
    neuron_update: Energy | None = None


class VoltageScaling(Section):
    """Powers of the supply voltage that static power and energies per event follow, and where that has been compared."""

    static_exponent: Count
    dynamic_exponent: Count
    lowest: Voltage
    highest: Voltage


class TrueNorthCostSet(Section):
    """Energies of one origin; ``static`` is the power of one chip in which nothing spikes.

    The constants hold at ``voltage``. With a ``supply`` the chip runs at that voltage instead, by the rules of ``scaling``.
    """

    title: str
    note: str = ""
    voltage: Voltage | None = None
    supply: Voltage | None = None
    scaling: VoltageScaling | None = None
    static: Power | None = None
    energy: TrueNorthEnergy

    @model_validator(mode="after")
    def _supply_can_be_scaled_to(self) -> Self:
        if self.supply is None:
            return self
        if self.voltage is None or self.scaling is None:
            message = "a supply needs the voltage of the constants and a scaling"
            return passed(self, [Problem(("supply",), "NE2033", message)])
        low, high, supply = self.scaling.lowest.value, self.scaling.highest.value, self.supply.value
        message = f"{supply:g} V is outside {low:g} .. {high:g} V, where powers have been published"
        beyond = not low <= supply <= high or self.voltage.value <= 0
        return passed(self, [Problem(("supply",), "NE2037", message)] if beyond else [])

    @property
    def static_factor(self) -> float:
        """Static power at the supply over static power at the voltage of the constants."""
        return 1.0 if self.scaling is None else self._relative**self.scaling.static_exponent.value

    @property
    def dynamic_factor(self) -> float:
        """Energy of an on-chip event at the supply over that at the voltage of the constants."""
        return 1.0 if self.scaling is None else self._relative**self.scaling.dynamic_exponent.value

    @property
    def _relative(self) -> float:
        return 1.0 if self.supply is None or self.voltage is None else self.supply.value / self.voltage.value


class TrueNorthChip(ChipSpec):
    """A chip of the truenorth family."""

    family: Literal["truenorth"]
    structure: TrueNorthStructure
    limits: TrueNorthLimits
    arithmetic: TrueNorthArithmetic
    timing: TrueNorthTiming
    cost_sets: dict[str, TrueNorthCostSet]
