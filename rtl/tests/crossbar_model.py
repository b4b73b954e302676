"""What ``crossbar_core`` must do: the rules of the family on plain integers, its memories, and its ports cycle by cycle.

A row is an integer with the synapse bits lowest, as the program image has it, and goes with a mask of the bits that somebody
wrote. What a reset may interrupt is changed in the very cycle in which the core changes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neuroemu.cosim.crossbar import NEURON_CYCLES, CrossbarBuild, draw_cycles, mix_cycles
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.dice import random_word, tick_key
from neuroemu.families.truenorth.image import DESTINATION, PARAMETERS, STATE
from neuroemu.families.truenorth.memory import SLOTS
from neuroemu.families.truenorth.registers import BUS, REGION_NUMBER, REGISTER_NUMBER, ROW_FIELDS
from neuroemu.image.bitfields import BitField
from neuroemu.image.bus import WORD, Register
from rtl.tests.ports import Cycles, Inputs, Outputs, index_bits

ALL_ONES = (1 << WORD) - 1
TYPES_AT_ONCE = 16
"""Axon types in a word."""
RESET_OF = {"rules": 0b01001}
"""Registers that are not 0 after ``rst``."""
MOST_RESET_POWER = 18
COUNTERS = CrossbarBuild.counters
Fields = dict[str, int]


def row_places() -> Iterator[tuple[int, BitField]]:
    """Every field of a row with its lowest bit, counted from the end of the synapses."""
    first = 0
    for piece in (STATE, PARAMETERS, DESTINATION):
        yield from ((first + low, item) for low, item in piece.values())
        first += piece.width


def packed_row(build: CrossbarBuild, synapses: int, **fields: int) -> int:
    """A row of ``synapses`` and fields; those that are not given are 0."""
    row = synapses & ((1 << build.axons) - 1)
    for low, item in row_places():
        row |= (fields.pop(item.name, 0) & ((1 << item.width) - 1)) << (build.axons + low)
    assert not fields, fields
    return row


@dataclass(frozen=True)
class Operands:
    """What one update of a neuron reads, by the names of the rule ``tick``."""

    v: int
    synaptic: int
    leak: int
    reversal: int
    zero_clamp: int
    alpha: int
    beta: int
    eta: int
    reset: int
    gamma: int
    kappa: int
    overflow: int
    compat: int


@dataclass(frozen=True)
class Update:
    """One neuron's update as it is written back, the packet it sends, and what it read.

    Attributes:
        packet: dx, dy, axon and delay as the ports carry them; None if it sends nothing.
        weights: of the active synapses, lowest axon first: axon type, weight as it is stored, what was added, drawn or not.
        stored_leak: the leak before the dice.
        mask_bits: of the thresholds' random part.
        draws: random numbers taken.
    """

    neuron: int
    v: int
    spiked: bool
    left_range: bool
    packet: tuple[int, int, int, int] | None
    read: Operands
    weights: tuple[tuple[int, int, int, bool], ...]
    stored_leak: int
    leak_drawn: bool
    mask_bits: int
    draws: int


@dataclass(frozen=True)
class Rules:
    """The register ``rules`` as the rules of the family take it."""

    zero_clamp: int
    overflow: int
    compat: int
    lowest: int
    span: int


class Core:
    """Memories and registers of the core."""

    def __init__(self, build: CrossbarBuild):
        self.build = build
        self.width = build.axons + ROW_FIELDS
        self.pace = 2 if self.width % 2 == 0 else 1
        self.rows = [(0, 0)] * build.neurons
        self.types: list[int | None] = [None] * (TYPES_AT_ONCE * -(-build.axons // TYPES_AT_ONCE))
        self.registers: Fields = {}
        self.reset()

    def reset(self) -> None:
        """What ``rst`` does at once; rows and axon types stay."""
        self.registers = {item.name: RESET_OF.get(item.name, 0) for item in BUS.registers if item.access == "both"}
        self.work, self.known = 0, 0
        self.clear()

    def clear(self) -> None:
        """Forget spikes under way, the tick, counters and the error; the next row is the first."""
        self.slots = [0] * SLOTS
        self.registers |= {"tick": 0, "row": 0}
        self.position = 0
        self.counts = dict.fromkeys(COUNTERS, 0)
        self.error = False

    @property
    def axons(self) -> int:
        return self.build.axons

    @property
    def tick(self) -> int:
        return self.registers["tick"]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter, which wraps."""
        self.counts[name] = (self.counts[name] + amount) & ALL_ONES

    # ---- registers and axon types -------------------------------------------------------------------------------------
    def read(self, region: int, offset: int) -> int | None:
        """A word that is not of a row; None where nobody knows."""
        if region == REGION_NUMBER["axon_type"]:
            first = self.types[:TYPES_AT_ONCE]
            return None if None in first else sum((kind or 0) << 2 * place for place, kind in enumerate(first))
        if region != REGION_NUMBER["register"] or offset >= len(BUS.registers):
            return 0
        name = BUS.registers[offset].name
        build = self.build
        fixed = {
            "identity": BUS.identity,
            "status": int(self.error),
            "control": 0,
            "build_size": build.axons << 16 | build.neurons,
            "build_random": int(build.stochastic) << 8 | build.draw_step,
        }
        return {**fixed, **self.registers, **self.counts}[name]

    def write(self, region: int, offset: int, word: int) -> bool:
        """Write a word that is not of a row; True for a clear."""
        if region == REGION_NUMBER["axon_type"]:
            self.turn_types([word >> 2 * place & 3 for place in range(TYPES_AT_ONCE)])
        if region != REGION_NUMBER["register"] or offset >= len(BUS.registers):
            return False
        register = BUS.registers[offset]
        if register.access == "both":
            self.registers[register.name] = word & self._kept(register)
        if register.name == "row":
            self.position = 0
        return register.name == "control" and bool(word & 1)

    def _kept(self, register: Register) -> int:
        """Bits of a register that the build keeps."""
        if register.name == "row":
            return (1 << index_bits(self.build.neurons)) - 1
        return sum(((1 << item.width) - 1) << low for low, item in register.layout.values())

    def turn_types(self, new: list[int] | None = None) -> None:
        """The next sixteen axon types come round, replaced by ``new`` if there are any."""
        self.types = self.types[TYPES_AT_ONCE:] + (new or self.types[:TYPES_AT_ONCE])

    @property
    def rules(self) -> Rules:
        flags = self.registers["rules"]
        return Rules(
            zero_clamp=flags & 1,
            overflow=dynamics.IBM_CLAMP if flags & 2 else dynamics.SATURATE,
            compat=dynamics.RANC if flags & 4 else dynamics.PAPER,
            lowest=flags >> 3 & 1,
            span=255 if flags & 16 else 256,
        )

    # ---- rows ---------------------------------------------------------------------------------------------------------
    def fetch(self) -> None:
        """The row that the register names goes to the bus."""
        row = self.registers["row"]
        self.work, self.known = self.rows[row] if row < self.build.neurons else (0, 0)

    def store(self) -> None:
        """The row from the bus goes to its place, if there is one."""
        row = self.registers["row"]
        if row < self.build.neurons:
            self.rows[row] = self.work, self.known

    def next_row(self) -> None:
        row = self.registers["row"]
        last = row == self.build.neurons - 1
        self.registers["row"] = 0 if last else (row + 1) & ((1 << index_bits(self.build.neurons)) - 1)

    def shift(self, window: int, window_known: int) -> tuple[int, int]:
        """One clock of the stream: the low bits of window and row change places; the window as it is then."""
        pace, low = self.pace, (1 << self.pace) - 1
        outer, outer_known = self.work & low, self.known & low
        self.work = self.work >> pace | (window & low) << (self.width - pace)
        self.known = self.known >> pace | (window_known & low) << (self.width - pace)
        return window >> pace | outer << (WORD - pace), window_known >> pace | outer_known << (WORD - pace)

    def row(self, neuron: int) -> tuple[int, Fields]:
        """Synapses and fields of a row.

        Raises:
            AssertionError: the test uses bits that it never wrote.
        """
        bits, known = self.rows[neuron]
        assert known == (1 << self.width) - 1, f"row {neuron} was not written before it is used"
        fields = {}
        for low, item in row_places():
            value = bits >> (self.axons + low) & ((1 << item.width) - 1)
            negative = item.kind == "int" and value >> (item.width - 1)
            fields[item.name] = value - (1 << item.width) if negative else value
        return bits & ((1 << self.axons) - 1), fields

    # ---- spikes -------------------------------------------------------------------------------------------------------
    def event(self, axon: int, delay: int) -> bool:
        """A spike comes in; False when it is dropped."""
        if axon >= self.axons or delay == 0:
            self.error = True
            return False
        slot = (self.tick + delay - 1) % SLOTS
        self.count("merged", self.slots[slot] >> axon & 1)
        self.slots[slot] |= 1 << axon
        return True

    def open(self) -> int:
        """The axons of the tick that begins, whose slot is empty then."""
        active = self.slots[self.tick % SLOTS]
        self.slots[self.tick % SLOTS] = 0
        self.registers["row"] = self.position = 0
        return active

    def key(self) -> int:
        """What the random words of this tick are made from."""
        seed = self.registers["run_seed"] << WORD | self.registers["core_seed"]
        with np.errstate(over="ignore"):  # products of the generator wrap
            return int(tick_key(np.uint64(seed), self.tick))

    def update(self, neuron: int, active: int, key: int) -> Update:
        """One neuron in one tick, before it is written back: axons from the lowest on, then leak and threshold."""
        synapses, fields = self.row(neuron)
        rules, stochastic = self.rules, self.build.stochastic
        draws = 0

        def word() -> int:
            nonlocal draws
            draws += 1
            with np.errstate(over="ignore"):
                return int(random_word(np.uint64(key), neuron, draws - 1))

        def thrown(amount: int) -> int:
            return int(dynamics.gated(amount, dynamics.rho(word(), rules.lowest, rules.span)))

        weights = []
        for axon in _set_bits(synapses & active):
            kind = self.types[axon]
            assert kind is not None, f"the type of axon {axon} was not written before it is used"
            stored = _signed(fields[f"s{kind}"], fields[f"sigma{kind}"])
            drawn = bool(stochastic and fields[f"b{kind}"])
            weights.append((kind, stored, thrown(stored) if drawn else stored, drawn))
        stored_leak = _signed(fields["lambda"], fields["sigma_lambda"])
        leak_drawn = bool(stochastic and fields["c_lambda"])
        leak = thrown(stored_leak) if leak_drawn else stored_leak
        mask_bits = fields["TM"] if stochastic else 0
        eta = int(dynamics.eta(word(), mask_bits)) if mask_bits else 0
        read = Operands(
            v=fields["V"],
            synaptic=sum(added for _, _, added, _ in weights),
            leak=leak,
            reversal=fields["epsilon"],
            zero_clamp=rules.zero_clamp,
            alpha=fields["alpha"],
            beta=fields["beta"],
            eta=eta,
            reset=self._reset_value(fields),
            gamma=fields["gamma"],
            kappa=fields["kappa"],
            overflow=rules.overflow,
            compat=rules.compat,
        )
        v, spiked, left_range = dynamics.tick(**vars(read))
        target = (fields["dx"] & 511, fields["dy"] & 511, fields["axon"], fields["delay"])
        packet = target if spiked and fields["delay"] else None
        return Update(
            neuron,
            v,
            bool(spiked),
            bool(left_range),
            packet,
            read,
            tuple(weights),
            stored_leak,
            leak_drawn,
            mask_bits,
            draws,
        )

    def _reset_value(self, fields: Fields) -> int:
        size = fields["R"]
        if self.registers["core_flags"]:
            size = (1 << min(size, MOST_RESET_POWER)) - 1
        return _signed(size, fields["sigma_R"])

    def write_back(self, update: Update) -> None:
        """The new potential goes into its row, and the counters count the update."""
        bits, known = self.rows[update.neuron]
        place = self.axons
        kept = bits & ~(((1 << dynamics.POTENTIAL_BITS) - 1) << place)
        self.rows[update.neuron] = kept | (update.v & ((1 << dynamics.POTENTIAL_BITS) - 1)) << place, known
        self.count("left_range", int(update.left_range))
        self.count("synaptic_events", len(update.weights))


def _set_bits(bits: int) -> Iterator[int]:
    """Places of the set bits, lowest first."""
    return (place for place in range(bits.bit_length()) if bits >> place & 1)


def _signed(magnitude: int, negative: int) -> int:
    return -magnitude if negative else magnitude


def address(name: str) -> tuple[int, int]:
    """Region and offset of a register."""
    return REGION_NUMBER["register"], REGISTER_NUMBER[name]


# ---- cycles -----------------------------------------------------------------------------------------------------------------
def cycles_of(core: Core) -> Cycles:
    """The cycle contract from the cycle after ``rst`` on: gives the outputs of a cycle, takes the inputs of the same one.

    A request that is not for rows is answered in the idle cycle that it finds (:func:`answered`).
    """
    yield from _clear(core)
    while True:
        seen = yield Outputs("idle", idle=True)
        if seen.cfg_valid:
            yield from _serve(core, seen)
        elif seen.in_valid:
            core.count("cycles")
            if seen.in_last:
                yield from _tick(core)
            elif core.event(seen.in_axon, seen.in_delay):
                core.count("cycles")
                yield Outputs("event")


def answered(core: Core, expected: Outputs, seen: Inputs) -> Outputs:
    """The outputs of an idle cycle with a request for a register or axon types: the answer is there."""
    if not expected.idle or not seen.cfg_valid or seen.region == REGION_NUMBER["row"]:
        return expected
    word = None if seen.cfg_write else core.read(seen.region, seen.offset)
    return Outputs(expected.phase, idle=True, cfg_ready=True, cfg_rdata=word)


def _clear(core: Core) -> Cycles:
    core.clear()
    for _ in range(SLOTS):
        yield Outputs("clear")


def _serve(core: Core, seen: Inputs) -> Cycles:
    if seen.region == REGION_NUMBER["row"]:
        yield from _stream(core, seen)
    elif not seen.cfg_write:
        if seen.region == REGION_NUMBER["axon_type"]:
            core.turn_types()
    elif core.write(seen.region, seen.offset, seen.cfg_wdata):
        yield from _clear(core)


def _stream(core: Core, seen: Inputs) -> Cycles:
    """A word of the row stream: what is read takes the place of what is written, so a row is read or written, not both."""
    busy = Outputs("config")
    window, known = seen.cfg_wdata, ALL_ONES if seen.cfg_write else 0
    if not seen.cfg_write and core.position == 0:
        yield from _fetch(core)
    for left in reversed(range(WORD // core.pace)):
        yield busy
        window, known = core.shift(window, known)
        core.position = (core.position + core.pace) % core.width
        if core.position == 0:
            if seen.cfg_write:
                core.store()
                yield busy
            core.next_row()
            if left and not seen.cfg_write:
                yield from _fetch(core)
    readable = not seen.cfg_write and known == ALL_ONES
    yield Outputs("config", cfg_ready=True, cfg_rdata=window if readable else None)


def _fetch(core: Core) -> Cycles:
    yield Outputs("config")
    core.fetch()
    yield Outputs("config")


def _tick(core: Core) -> Cycles:
    yield from _working(core, "sweep", 1)
    active = core.open()
    key = core.key() if core.build.stochastic else 0
    if core.build.stochastic:
        yield from _working(core, "key", 2 * mix_cycles(core.build))
    for neuron in range(core.build.neurons):
        update = core.update(neuron, active, key)
        for phase, cycles in _schedule(core.build, update):
            yield from _working(core, phase, cycles)
        core.count("cycles")
        core.write_back(update)
        yield Outputs("write", update=update)
        if update.packet is not None:
            yield from _sent(core, Outputs("packet", packet=update.packet))
    yield from _sent(core, Outputs("marker", last=True))
    core.registers["tick"] = (core.tick + 1) & ALL_ONES


def _schedule(build: CrossbarBuild, update: Update) -> Iterator[tuple[str, int]]:
    """Phases of an update before its write-back, as the contract adds them up, with the cycles of each."""
    drawing = [*(drawn for *_, drawn in update.weights), *[True] * update.leak_drawn, *[True] * bool(update.mask_bits)]
    yield "sweep", NEURON_CYCLES - 5
    for draws in drawing:
        yield "sweep", 1
        if draws:
            yield "draw", draw_cycles(build) - 1
            yield "sweep", 1
    yield "sweep", 4


def _working(core: Core, phase: str, cycles: int) -> Cycles:
    """Cycles of a tick in which nothing comes out."""
    for _ in range(cycles):
        core.count("cycles")
        yield Outputs(phase)


def _sent(core: Core, output: Outputs) -> Cycles:
    """One output until it is taken."""
    while not (yield output).out_ready:
        core.count("stalls")
    core.count("cycles")
