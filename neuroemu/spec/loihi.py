"""The sections of a chip of the Loihi family and the rules that tie their numbers together."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from neuroemu.spec.chip import ChipSpec, Costs
from neuroemu.spec.facts import (
    CodeTable,
    Count,
    Energy,
    Flag,
    Listed,
    Memory,
    Problem,
    Section,
    SpikeRate,
    Time,
    not_positive,
    passed,
)
from neuroemu.spec.mesh import MeshStructure


class LoihiStructure(MeshStructure):
    """The mesh of tiles, and what else a chip has one of."""

    embedded_processors: Count
    compartment_group: Count
    """Compartments are serviced in groups of this many: updates per tick are ceil(n / group)."""
    mesh_cores_addressable: Count | None = None
    chips_addressable: Count | None = None
    spike_message_bits: Count | None = None
    throttled_tick: Time | None = None


class LoihiLimits(Section):
    """What one core holds."""

    compartments: Count
    input_axons: Count
    output_axons: Count
    synapse_memory: Memory
    synapse_word_bits: Count
    compartment_profiles: Count
    threshold_profiles: Count
    synapse_formats: Count
    trace_profiles: Count
    delay_ticks_max: Count
    delay_slots_full_core: Count
    axon_id_bits: Count
    population_axon_id_bits: Count
    population32_axon_slots: Count
    learning_axon_slots: Count
    multicast: Flag
    core_memory: Memory | None = None
    routing_table_memory: Memory | None = None

    @property
    def synapse_memory_words(self) -> int:
        return self.synapse_memory.bits // self.synapse_word_bits.value

    @model_validator(mode="after")
    def _memories_are_addressable(self) -> Self:
        problems = not_positive(self)
        word = self.synapse_word_bits.value
        if word > 0 and self.synapse_memory.bits % word:
            message = f"synapse_memory of {self.synapse_memory.bits} bit is no multiple of the {word}-bit word"
            problems.append(Problem(("synapse_memory",), "NE2031", message))
        bits = self.axon_id_bits.value
        if 0 <= bits < 64 and self.input_axons.value > 1 << bits:
            message = f"{self.input_axons.value} input axons cannot be named by an axon id of {bits} bits"
            needed = (self.input_axons.value - 1).bit_length()
            problems.append(Problem(("input_axons",), "NE2031", message, (f"write axon_id_bits: {needed}",)))
        return passed(self, problems)


class LoihiArithmetic(Section):
    """Widths and ranges of the integer CUBA-LIF neuron and of the synapse encoding; magnitudes exclude the sign bit."""

    membrane_bits: Count
    current_bits: Count
    accumulator_bits: Count
    weight_mantissa_bits: Count
    weight_exponent_min: Count
    weight_exponent_max: Count
    weight_shift: Count
    threshold_mantissa_bits: Count
    threshold_shift: Count
    decay_bits: Count
    current_decay_offset: Count
    membrane_decay_offset: Count
    bias_mantissa_bits: Count
    bias_exponent_max: Count
    refractory_max: Count
    vmin_exponent_max: Count
    vmax_exponent_max: Count
    noise_magnitude_max: Count
    noise_exponent_offset: Count
    synapse_block_size: Count
    synapse_block_header_bits: Count
    synapse_format_id_bits: Count
    synapse_count_bits: Count
    delay_field_bits_max: Count
    tag_field_bits_max: Count
    weight_bits_codes: CodeTable
    index_bits_codes: CodeTable

    @model_validator(mode="after")
    def _widths_fit_together(self) -> Self:
        problems = []
        for name in ("membrane_bits", "current_bits", "accumulator_bits"):
            width = getattr(self, name).value
            if not 1 <= width + self.decay_bits.value <= 62:
                message = f"{name} {width} plus decay_bits {self.decay_bits.value} must stay within 62 bits"
                problems.append(Problem((name,), "NE2032", message))
        if self.weight_exponent_min.value > self.weight_exponent_max.value:
            message = f"weight_exponent_min {self.weight_exponent_min.value} is above the maximum"
            problems.append(Problem(("weight_exponent_min",), "NE2032", message))
        if self.synapse_block_header_bits.value != self.synapse_format_id_bits.value + self.synapse_count_bits.value:
            message = "synapse_block_header_bits is not the sum of synapse_format_id_bits and synapse_count_bits"
            problems.append(Problem(("synapse_block_header_bits",), "NE2032", message))
        if self.synapse_block_size.value.bit_length() - 1 > self.synapse_count_bits.value:
            message = (
                f"a block of {self.synapse_block_size.value} synapses cannot be counted in "
                f"{self.synapse_count_bits.value} bits"
            )
            problems.append(Problem(("synapse_block_size",), "NE2032", message))
        for name in ("weight_bits_codes", "index_bits_codes"):
            widths = getattr(self, name).value
            if not widths or list(widths) != sorted(set(widths)) or not 0 <= widths[0] <= widths[-1] <= 32:
                problems.append(Problem((name,), "NE2032", f"{name} must be ascending widths between 0 and 32 bits"))
        return passed(self, problems)


class LoihiRules(Section):
    """How a cost set's constants are applied; every choice decides which constants the set must state."""

    neuron_update: Literal["active_or_inactive", "access_plus_update"]
    """active_or_inactive: one of two constants per compartment and tick. access_plus_update: an access for every
    compartment and tick, plus an update for the updated ones, plus spike_out per spike."""
    updated: Literal["nonzero_state", "every_tick"]
    """Which compartments are active (updated) in a tick: those with input, current or membrane not zero, or all."""
    input_neurons: Literal["free", "as_neurons"]
    """Whether neurons that only replay input cost an access and an update."""
    spike_path: Literal["tile_or_hops", "message_plus_hops"]
    """tile_or_hops: spike_within_tile when source and target share a tile, else the sum of hops. message_plus_hops:
    message_out and message_in per packet plus every hop."""
    synapse: Literal["one_class", "by_format"]
    """One constant for every synaptic event, or one each for dense, sparse and convolution formats."""
    tick_time: Literal["slowest_core", "separate_maxima"]
    """slowest_core: max over cores of neuron plus synapse time. separate_maxima: the larger of the slowest neuron
    side and the slowest synapse side, over different cores if need be. The barrier is added to either."""
    barrier: Literal["linear_in_tiles", "step_table"]
    """From barrier_min (1 tile) to barrier_max (all tiles), or the sync_table entry of the largest key not above
    the number of tiles in use."""


class LoihiEnergy(Costs):
    """Joules per event."""

    spike_within_tile: Energy | None = None
    hop_east_west: Energy | None = None
    hop_north_south: Energy | None = None
    message_out: Energy | None = None
    message_in: Energy | None = None
    synaptic_operation: Energy | None = None
    synapse_dense: Energy | None = None
    synapse_sparse: Energy | None = None
    synapse_conv: Energy | None = None
    synaptic_update_learning: Energy | None = None
    neuron_update_active: Energy | None = None
    neuron_update_inactive: Energy | None = None
    neuron_access: Energy | None = None
    neuron_update: Energy | None = None
    spike_out: Energy | None = None


class SyncStep(Section):
    """From this many tiles in use on, a barrier takes ``time``."""

    tiles: int
    time: Time

    @property
    def label(self) -> str:
        """Name of the step in listings."""
        return f"from_{self.tiles}_tiles"


class LoihiTime(Costs):
    """Seconds per event, barrier and link."""

    spike_within_tile: Time | None = None
    hop_east_west: Time | None = None
    hop_north_south: Time | None = None
    message_out: Time | None = None
    message_in: Time | None = None
    synaptic_operation: Time | None = None
    synapse_dense: Time | None = None
    synapse_sparse: Time | None = None
    synapse_conv: Time | None = None
    synaptic_update_learning: Time | None = None
    neuron_update_active: Time | None = None
    neuron_update_inactive: Time | None = None
    neuron_access: Time | None = None
    neuron_update: Time | None = None
    spike_out: Time | None = None
    barrier_min: Time | None = None
    barrier_max: Time | None = None
    link_bandwidth: SpikeRate | None = None
    sync_table: Listed[SyncStep] = ()


NEEDED_BY_RULE: dict[tuple[str, str], tuple[str, ...]] = {
    ("neuron_update", "active_or_inactive"): ("neuron_update_active", "neuron_update_inactive"),
    ("neuron_update", "access_plus_update"): ("neuron_access", "neuron_update", "spike_out"),
    ("spike_path", "tile_or_hops"): ("spike_within_tile", "hop_east_west", "hop_north_south"),
    ("spike_path", "message_plus_hops"): ("message_out", "message_in", "hop_east_west", "hop_north_south"),
    ("synapse", "one_class"): ("synaptic_operation",),
    ("synapse", "by_format"): ("synapse_dense", "synapse_sparse", "synapse_conv"),
}
NEEDED_FOR_BARRIER: dict[str, tuple[str, ...]] = {
    "linear_in_tiles": ("barrier_min", "barrier_max"),
    "step_table": ("sync_table",),
}
ALWAYS_ALLOWED = ("synaptic_update_learning", "link_bandwidth")


class LoihiCostSet(Section):
    """One consistent set of constants from one origin, with the rules for applying it."""

    title: str
    note: str = ""
    rules: LoihiRules
    energy: LoihiEnergy
    time: LoihiTime

    @model_validator(mode="after")
    def _states_what_its_rules_need(self) -> Self:
        rules = self.rules
        per_event = tuple(
            name
            for rule, choice in (
                ("neuron_update", rules.neuron_update),
                ("spike_path", rules.spike_path),
                ("synapse", rules.synapse),
            )
            for name in NEEDED_BY_RULE[rule, choice]
        )
        barrier = NEEDED_FOR_BARRIER[rules.barrier]
        problems = _incomplete_or_mixed("energy", self.energy, per_event)
        problems += _incomplete_or_mixed("time", self.time, (*per_event, *barrier))
        problems += _sync_table_problems(self.time.sync_table)
        return passed(self, problems)


def _incomplete_or_mixed(part: str, costs: Costs, needed: tuple[str, ...]) -> list[Problem]:
    stated = set(costs.stated())
    if isinstance(costs, LoihiTime) and costs.sync_table:
        stated.add("sync_table")
    problems = [
        Problem(
            (part,), "NE2033", f"the rules of this cost set need {part}.{name}", (f"add {name}", "or change the rules")
        )
        for name in needed
        if name not in stated
    ]
    for name in type(costs).model_fields:
        if name in stated and name not in needed and name not in ALWAYS_ALLOWED:
            message = f"{part}.{name} has no use under the rules of this cost set"
            problems.append(Problem((part, name), "NE2034", message, ("remove it", "or put it into a set of its own")))
    return problems


def _sync_table_problems(table: tuple[SyncStep, ...]) -> list[Problem]:
    problems = []
    if table and table[0].tiles != 1:
        problems.append(Problem(("time", "sync_table", 0, "tiles"), "NE2035", "the table must start at 1 tile"))
    for index in range(1, len(table)):
        if table[index].tiles <= table[index - 1].tiles:
            message = f"tiles {table[index].tiles} must be above the {table[index - 1].tiles} of the entry before"
            problems.append(Problem(("time", "sync_table", index, "tiles"), "NE2035", message))
        if table[index].time.value < table[index - 1].time.value:
            message = "a barrier over more tiles cannot take less time than the entry before"
            problems.append(Problem(("time", "sync_table", index, "time"), "NE2035", message))
    return problems


class LoihiChip(ChipSpec):
    """A chip of the Loihi family."""

    family: Literal["loihi"]
    structure: LoihiStructure
    limits: LoihiLimits
    arithmetic: LoihiArithmetic
    cost_sets: dict[str, LoihiCostSet]

    @model_validator(mode="after")
    def _synapses_reach_every_compartment(self) -> Self:
        reach = 1 << self.arithmetic.index_bits_codes.value[-1]
        problems = []
        if self.limits.compartments.value > reach:
            message = (
                f"{self.limits.compartments.value} compartments cannot be addressed: the widest synapse index of "
                f"arithmetic.index_bits_codes reaches {reach}"
            )
            problems.append(Problem(("limits", "compartments"), "NE2031", message, ("widen index_bits_codes",)))
        return passed(self, problems)
