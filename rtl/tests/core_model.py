"""What ``lif_core`` must do: the rule of the family on plain integers, its memories, and its ports cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass, fields

from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.registers import (
    IDENTITY,
    REGION_NUMBER,
    REGIONS,
    REGISTER_NUMBER,
    REGISTERS,
    VERSION,
    Region,
    Register,
)
from neuroemu.image.bitfields import BitField
from rtl.tests.ports import Cycles, Inputs, Outputs, index_bits

Packet = tuple[int, int]
"""Target core and axon."""


@dataclass(frozen=True)
class Build:
    """Parameters of ``lif_core``, by their Verilog names."""

    NEURONS: int = 256
    AXONS: int = 256
    WEIGHT_BITS: int = 8
    V_BITS: int = 16
    ACC_BITS: int = 16
    SHIFT_BITS: int = 3
    REF_BITS: int = 4
    START_BITS: int = 8
    ROUTES: int = 512
    CORE_BITS: int = 2
    TARGET_BITS: int = 8
    FACTOR: int = 0
    SHIFT: int = 1
    CONSTANT: int = 0
    CURRENT: int = 0
    WRAP: int = 0
    STAGES: int = 1
    COUNTERS: int = 1

    @property
    def parameters(self) -> dict[str, int]:
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def leak_bits(self) -> int:
        widths = [5] + [13] * self.FACTOR + [self.V_BITS] * self.CONSTANT
        return min(max(widths), 24)

    @property
    def leak_modes(self) -> tuple[int, ...]:
        """Modes that are built in."""
        built = {
            dynamics.LEAK_SCALE: self.FACTOR,
            dynamics.LEAK_SHIFT: self.SHIFT,
            dynamics.LEAK_CONSTANT: self.CONSTANT,
        }
        return tuple(mode for mode, there in built.items() if there)

    @property
    def offset_bits(self) -> int:
        return max(index_bits(self.NEURONS * self.AXONS), index_bits(self.ROUTES), 4)

    def words(self, region: Region) -> int:
        """Entries of a memory behind the bus."""
        many = {"weight": self.NEURONS * self.AXONS, "route": self.ROUTES, "register": len(REGISTERS)}
        return many.get(region.name, self.NEURONS)

    def width(self, owner: str, item: BitField) -> int:
        """Bits that the build keeps of a field."""
        narrowed = {
            ("size", "neurons"): index_bits(self.NEURONS) + 1,
            ("leak", "amount"): self.leak_bits,
            ("mode", "overflow"): self.WRAP,
            ("mode", "input_shift"): self.SHIFT_BITS,
            ("mode", "period"): self.REF_BITS,
            ("reset_value", "value"): self.V_BITS,
            ("current_keep", "share"): 13 * self.CURRENT,
            ("weight", "weight"): self.WEIGHT_BITS,
            ("threshold", "threshold"): self.V_BITS + 1,
            ("bias", "bias"): self.V_BITS,
            ("bias_start", "tick"): self.START_BITS,
            ("potential", "potential"): self.V_BITS,
            ("current", "current"): self.V_BITS * self.CURRENT,
            ("refractory", "ticks"): self.REF_BITS,
            ("accumulator", "arrived"): self.ACC_BITS,
            ("route_list", "first"): index_bits(self.ROUTES),
            ("route_list", "count"): self.ROUTES.bit_length(),
            ("route", "axon"): self.TARGET_BITS,
            ("route", "core"): self.CORE_BITS,
        }
        return min(narrowed.get((owner, item.name), item.width), item.width)


Fields = dict[str, int]


@dataclass(frozen=True)
class Operands:
    """What one update of a neuron reads: per-neuron values and the registers, by the names of the rule."""

    u: int
    v: int
    refractory: int
    arriving: int
    bias: int
    threshold: int
    input_shift: int
    current_keep: int
    leak_mode: int
    leak_amount: int
    compare: int
    reset: int
    reset_value: int
    period: int
    overflow: int
    bits: int


@dataclass(frozen=True)
class Update:
    """One neuron's update as it is written back, with the packets it sends and what it read."""

    neuron: int
    u: int
    v: int
    refractory: int
    spiked: bool
    left_range: bool
    packets: tuple[Packet, ...]
    read: Operands


class Core:
    """Memories and registers of the core; a memory entry that nobody wrote is None."""

    def __init__(self, build: Build):
        self.build = build
        self.memories: dict[str, list[Fields | None]] = {
            region.name: [None] * build.words(region) for region in REGIONS if region.name != "register"
        }
        self.registers: dict[str, Fields] = {}
        self.reset()

    def reset(self) -> None:
        """What ``rst`` does at once."""
        self.registers = {
            item.name: {field.name: 0 for _, field in item.layout.values()}
            for item in REGISTERS
            if item.access == "both"
        }
        self.registers["size"]["neurons"] = self.build.NEURONS
        self.clear()

    def clear(self) -> None:
        """Zero state, accumulators, tick, counters and error."""
        for name in ("potential", "current", "refractory", "accumulator"):
            (field,) = (item.name for _, item in REGIONS[REGION_NUMBER[name]].layout.values())
            self.memories[name] = [{field: 0} for _ in range(self.build.NEURONS)]
        self.error = False
        self.tick = self.cycles = self.stalls = self.left_range = 0

    @property
    def axons(self) -> int:
        return self.build.AXONS

    # ---- bus ----------------------------------------------------------------------------------------------------------
    def write(self, region: int, offset: int, word: int) -> bool:
        """Write a word; True for a clear."""
        if region >= len(REGIONS):
            return False
        owner = REGIONS[region]
        if owner.name != "register":
            self.memories[owner.name][offset] = self._decoded(owner, word)
            return False
        register = REGISTERS[offset]
        if register.name == "control":
            return bool(word & 1)
        if register.name == "size" and not 0 < word & 0xFFFF <= self.build.NEURONS:
            self.error = True
        elif register.access == "both":
            self.registers[register.name] = self._decoded(register, word)
        return False

    def read(self, region: int, offset: int) -> int | None:
        """The word at an address; None where nobody knows."""
        if region >= len(REGIONS):
            return 0
        owner = REGIONS[region]
        if owner.name == "register":
            return self._register(REGISTERS[offset])
        entry = self.memories[owner.name][offset]
        return None if entry is None else _encoded(owner, entry)

    def _register(self, register: Register) -> int:
        if register.access == "both":
            return _encoded(register, self.registers[register.name])
        build, counting = self.build, self.build.COUNTERS
        values = {
            "identity": {"version": VERSION, "magic": IDENTITY},
            "status": {"idle": 1, "error": int(self.error)},
            "control": {"clear": 0},
            "tick": {"ticks": self.tick},
            "cycles": {"busy": self.cycles * counting % (1 << 32)},
            "stalls": {"waited": self.stalls * counting % (1 << 32)},
            "left_range": {"events": self.left_range * counting % (1 << 32)},
            "build_size": {"neurons": build.NEURONS, "axons": build.AXONS},
            "build_routes": {
                "routes": build.ROUTES,
                "core_bits": build.CORE_BITS,
                "target_bits": build.TARGET_BITS,
            },
            "build_widths": {
                "weight_bits": build.WEIGHT_BITS,
                "potential_bits": build.V_BITS,
                "accumulator_bits": build.ACC_BITS,
                "shift_bits": build.SHIFT_BITS,
                "refractory_bits": build.REF_BITS,
                "start_bits": build.START_BITS,
            },
            "build_features": {
                "factor": build.FACTOR,
                "shift": build.SHIFT,
                "constant": build.CONSTANT,
                "current": build.CURRENT,
                "wrap": build.WRAP,
                "stages": build.STAGES,
                "counters": build.COUNTERS,
            },
        }
        return _encoded(register, values[register.name])

    def _decoded(self, owner: Register | Region, word: int) -> Fields:
        """Fields of a word as the build keeps them."""
        found = {}
        for low, item in owner.layout.values():
            width = self.build.width(owner.name, item)
            value = word >> low & ((1 << width) - 1)
            signed = item.kind == "int" and width and value >> (width - 1)
            found[item.name] = value - (1 << width) if signed else value
        return found

    # ---- events -------------------------------------------------------------------------------------------------------
    def entry(self, memory: str, offset: int) -> Fields:
        """A memory's entry.

        Raises:
            AssertionError: the test uses a word that it never wrote.
        """
        found = self.memories[memory][offset]
        assert found is not None, f"{memory}[{offset}] was not written before it is used"
        return found

    @property
    def size(self) -> int:
        return self.registers["size"]["neurons"]

    def event(self, axon: int) -> bool:
        """Add the weights of ``axon``; False when there is no such axon."""
        if axon >= self.build.AXONS:
            self.error = True
            self.cycles += 1
            return False
        for neuron in range(self.size):
            total = self.entry("accumulator", neuron)["arrived"]
            total += self.entry("weight", axon * self.build.NEURONS + neuron)["weight"]
            self.memories["accumulator"][neuron] = {"arrived": dynamics.arrived(total, self.build.ACC_BITS)}
        self.cycles += 1 + self.size
        return True

    def sweep(self) -> list[Update]:
        """One tick of all neurons; counts its cycles, stalls apart."""
        updates = [self._update(neuron) for neuron in range(self.size)]
        sent = sum(len(update.packets) for update in updates)
        self.cycles += self.size + sent + 3 + self.build.STAGES
        self.left_range += sum(update.left_range for update in updates)
        self.tick = min(self.tick + 1, (1 << self.build.START_BITS) - 1)
        return updates

    def _update(self, neuron: int) -> Update:
        read = self._operands(neuron)
        u, v, refractory, spiked, left_range = dynamics.tick(**vars(read))
        self.memories["potential"][neuron] = {"potential": v}
        self.memories["refractory"][neuron] = {"ticks": refractory}
        self.memories["accumulator"][neuron] = {"arrived": 0}
        if self.build.CURRENT:
            self.memories["current"][neuron] = {"current": u}
        packets = self._packets(neuron) if spiked else ()
        return Update(neuron, u, v, refractory, bool(spiked), bool(left_range), packets, read)

    def _operands(self, neuron: int) -> Operands:
        mode, leak = self.registers["mode"], self.registers["leak"]
        due = self.tick >= self.entry("bias_start", neuron)["tick"]
        return Operands(
            self.entry("current", neuron)["current"],
            self.entry("potential", neuron)["potential"],
            self.entry("refractory", neuron)["ticks"],
            self.entry("accumulator", neuron)["arrived"],
            self.entry("bias", neuron)["bias"] if due else 0,
            self.entry("threshold", neuron)["threshold"],
            mode["input_shift"],
            self.registers["current_keep"]["share"],
            leak["mode"],
            leak["amount"],
            mode["compare"],
            mode["reset"],
            self.registers["reset_value"]["value"],
            mode["period"],
            mode["overflow"],
            self.build.V_BITS,
        )

    def _packets(self, neuron: int) -> tuple[Packet, ...]:
        listed = self.entry("route_list", neuron)
        routes = (self.entry("route", listed["first"] + number) for number in range(listed["count"]))
        return tuple((route["core"], route["axon"]) for route in routes)


def _encoded(owner: Register | Region, values: Fields) -> int:
    """A word of 32 bits; signed fields in two's complement."""
    return sum((values[item.name] & ((1 << item.width) - 1)) << low for low, item in owner.layout.values())


def word(name: str, **values: int) -> int:
    """A word for the register ``name`` or, if there is none, the memory ``name``; fields that are not given are 0."""
    owners = {**{item.name: item for item in REGIONS}, **{item.name: item for item in REGISTERS}}
    given = {item.name: 0 for _, item in owners[name].layout.values()}
    assert values.keys() <= given.keys()
    return _encoded(owners[name], {**given, **values})


def register_address(name: str) -> tuple[int, int]:
    """Region and offset of a register."""
    return REGION_NUMBER["register"], REGISTER_NUMBER[name]


def cycles_of(core: Core) -> Cycles:
    """The cycle contract from the cycle after ``rst`` on: gives the outputs of a cycle, takes the inputs of the same one."""
    yield from _clear(core)
    while True:
        seen = yield Outputs("idle", idle=True)
        if seen.cfg_valid:
            yield from _configure(core, seen)
        elif seen.in_valid and seen.in_last:
            yield from _tick(core)
        elif seen.in_valid and core.event(seen.in_axon):
            for _ in range(core.size):
                yield Outputs("event")


def _clear(core: Core) -> Cycles:
    core.clear()
    for _ in range(core.build.NEURONS + core.build.STAGES):
        yield Outputs("clear")


def _configure(core: Core, seen: Inputs) -> Cycles:
    for _ in range(core.build.STAGES):
        yield Outputs("config")
    word = None if seen.cfg_write else core.read(seen.region, seen.offset)
    yield Outputs("config", cfg_ready=True, cfg_rdata=word)
    if seen.cfg_write and core.write(seen.region, seen.offset, seen.cfg_wdata):
        yield from _clear(core)


def _tick(core: Core) -> Cycles:
    updates = core.sweep()
    for _ in range(core.build.STAGES):
        yield Outputs("sweep")
    for update in updates:
        yield Outputs("sweep", update=update)
        for packet in update.packets:
            yield from _sent(core, Outputs("packet", packet=packet))
    yield Outputs("sweep")
    yield from _sent(core, Outputs("marker", last=True))


def _sent(core: Core, output: Outputs) -> Cycles:
    """One output until it is taken."""
    while not (yield output).out_ready:
        core.stalls += 1
