"""A program of crossbar cores on the Verilog core: loads the image's words, feeds spikes, compares every potential and cycle.

The model is the engine of ``families/truenorth``; each of its cores stands beside a verilated ``crossbar_core``, and packets
that leave one of those enter the others. Nothing here states an equation of the neuron.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.build import library
from neuroemu.emulator.protocol import Chunk, Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.boot import TrueNorthBooted, boot_image
from neuroemu.families.truenorth.core import CrossbarChunk, TrueNorthEngine
from neuroemu.families.truenorth.image import CORE_WORDS, ROW_BITS, SIZE, TYPE_WORDS, Cores, ProgramImage, pack
from neuroemu.families.truenorth.memory import CompiledProgram, Rules
from neuroemu.families.truenorth.registers import ROW_FIELDS, address, register
from neuroemu.image.bitfields import STORED_WORD, Words

Int64 = NDArray[np.int64]
Word32 = NDArray[np.uint32]
Arrivals = list[tuple[int, int]]
"""Spikes as (axon, delay), the delay counted from the last tick that was closed."""

TOP = "crossbar_core"
MARKER = 1 << 31
"""Event or packet that ends a tick."""
MOST_DELAY = 15
FOREVER = 1 << 62
SPIKE_CYCLES = 2
"""Read the slot of its tick, set its bit."""
NEURON_CYCLES = 8
"""Read the row, mask it, find a synapse, find no more, leak, limit, compare, write the row."""
_AXON_SHIFT, _DELAY_SHIFT = 18, 26
_COUNTS = ("packets", "updates", "clocks", "waits", "stalls", "problem")
_PROBLEMS = (
    "",
    "does not answer",
    "changes a packet that waits",
    "updates neurons out of order",
    "sends more than it can",
)


@dataclass(frozen=True)
class CrossbarBuild:
    """Parameters of ``crossbar_core``; ``draw_step`` divides 64."""

    neurons: int = SIZE
    axons: int = SIZE
    stochastic: bool = True
    draw_step: int = 8

    @property
    def parameters(self) -> dict[str, int]:
        """Verilog parameter -> value."""
        return {
            "NEURONS": self.neurons,
            "AXONS": self.axons,
            "STOCHASTIC": int(self.stochastic),
            "DRAW_STEP": self.draw_step,
        }


@dataclass(frozen=True)
class Pace:
    """Chances in 256 that an input pauses or an output waits in a clock, and the seed of both."""

    gap: int = 0
    stall: int = 0
    seed: int = 1


def harness() -> Path:
    """The C++ file that drives the core."""
    return Path(__file__).with_name("crossbar.cpp")


def crossbar_library(build: CrossbarBuild) -> Path:
    """The verilated core of a build, from the cache if nothing has changed; raises BadInput as :func:`library` does."""
    return library(TOP, build.parameters, harness(), {})


# ---------------------------------------------------------------------------- the cycle contract


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


def row_stream(rows: Words, build: CrossbarBuild) -> Word32:
    """The row memory as the configuration bus takes it; a smaller core leaves out its missing axons and neurons."""
    if (build.neurons, build.axons) == (SIZE, SIZE):
        return rows.astype(STORED_WORD).view("<u4").astype(np.uint32)
    bits = np.unpackbits(rows.astype(STORED_WORD).view(np.uint8), bitorder="little")
    bits = bits[: SIZE * ROW_BITS].reshape(SIZE, ROW_BITS)[: build.neurons]
    kept = np.concatenate([bits[:, : build.axons], bits[:, SIZE:]], axis=1).reshape(-1)
    padded = np.concatenate([kept, np.zeros(-kept.size % 32, np.uint8)])
    return np.packbits(padded, bitorder="little").view("<u4").astype(np.uint32)


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


# ---------------------------------------------------------------------------- a verilated core


@dataclass(frozen=True)
class Batch:
    """What came out of some ticks: packets of each tick, state after it (ticks, neurons), clocks as the bench counts them."""

    packets: list[Word32]
    v: NDArray[np.int32]
    spiked: NDArray[np.bool_]
    left_range: NDArray[np.bool_]
    clocks: int
    waits: int
    stalls: int


class CrossbarRtl:
    """One ``crossbar_core`` in a verilated library, driven through its ports.

    Args:
        verilated: library built from crossbar.cpp and the Verilog sources with the parameters of ``build``.

    Raises:
        RuntimeError: by any method, when the core hangs or breaks its protocol.
    """

    def __init__(self, verilated: Path, build: CrossbarBuild, pace: Pace = Pace()):
        self.build = build
        self._calls = _calls(verilated)
        self._core = ctypes.c_void_p(self._calls.crossbar_new())
        self._calls.crossbar_pace(self._core, pace.seed, pace.gap, pace.stall)

    def close(self) -> None:
        """Free the simulation."""
        self._calls.crossbar_delete(self._core)
        self._core = ctypes.c_void_p()

    def write(self, place: int, words: Any, step: int = 0) -> None:
        """Write words to addresses ``place``, ``place + step``, ..."""
        self._configure(1, place, np.ascontiguousarray(words, np.uint32), step)

    def read(self, place: int, count: int = 1, step: int = 0) -> Word32:
        """Read words from addresses ``place``, ``place + step``, ..."""
        words = np.zeros(count, np.uint32)
        self._configure(0, place, words, step)
        return words

    def _configure(self, write: int, place: int, words: Word32, step: int) -> None:
        served = self._calls.crossbar_configure(self._core, write, place, step, words.ctypes.data, words.size)
        if served != words.size:
            raise RuntimeError(f"{TOP} does not answer at address {place + step * served:#x}")

    def load(self, memory: CoreMemory) -> None:
        """Write everything of one core, then clear."""
        build = self.build
        self.write(register("rules"), [rules_word(memory.rules)])
        self.write(
            register("core_seed"), [memory.core_word & 0xFFFFFFFF, memory.core_word >> 32, memory.run_seed], step=1
        )
        types = memory.axon_types.astype(STORED_WORD).view("<u4")[: -(-build.axons // 16)]
        self.write(address("axon_type"), types)
        self.write(register("row"), [0])
        self.write(address("row"), row_stream(memory.rows, build))
        self.write(register("control"), [1])
        self.read(register("status"))  # served when the clear is over

    def potentials(self) -> NDArray[np.int32]:
        """The potentials in the row memory, read back over the bus."""
        build = self.build
        width = build.axons + ROW_FIELDS
        self.write(register("row"), [0])
        words = self.read(address("row"), -(-build.neurons * width // 32))
        bits = np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little")[: build.neurons * width]
        fields = bits.reshape(build.neurons, width)[:, build.axons : build.axons + dynamics.POTENTIAL_BITS].astype(
            np.int64
        )
        value = fields @ (1 << np.arange(dynamics.POTENTIAL_BITS))
        return (value - ((fields[:, -1] == 1) << dynamics.POTENTIAL_BITS)).astype(np.int32)

    def axon_types(self) -> Word32:
        """The words of the axon types, read back over the bus."""
        return self.read(address("axon_type"), -(-self.build.axons // 16))

    def counters(self) -> dict[str, int]:
        """Every counter since the last clear, and ``error``."""
        names = ("cycles", "stalls", "left_range", "merged", "synaptic_events")
        return {name: int(self.read(register(name))[0]) for name in names} | {
            "error": int(self.read(register("status"))[0])
        }

    def interrupt(self, events: Word32, clocks: int) -> None:
        """Begin to run ``events`` and reset the core after so many clocks."""
        self._run(events, clocks)
        self._calls.crossbar_reset(self._core)

    def run(self, events: Word32) -> Batch:
        """Spikes ``axon | delay << 8`` and markers in, everything out up to the last marker's answer."""
        ticks = int(np.count_nonzero(events & MARKER))
        packets, v, flags, found = self._run(events, FOREVER)
        if v.size != ticks * self.build.neurons:
            raise RuntimeError(f"{TOP} updates {v.size} of {ticks * self.build.neurons} neurons")
        ends = np.flatnonzero(packets & MARKER)
        shape = (ticks, self.build.neurons)
        return Batch(
            packets=[part[:-1] for part in np.split(packets, ends + 1)[:-1]],
            v=v.reshape(shape),
            spiked=(flags & 1).astype(np.bool_).reshape(shape),
            left_range=(flags >> 1).astype(np.bool_).reshape(shape),
            clocks=found["clocks"],
            waits=found["waits"],
            stalls=found["stalls"],
        )

    def _run(
        self, events: Word32, most_clocks: int
    ) -> tuple[Word32, NDArray[np.int32], NDArray[np.uint8], dict[str, int]]:
        """Packets, potentials and flags of updates, and counts of the bench."""
        events = np.ascontiguousarray(events, np.uint32)
        ticks = int(np.count_nonzero(events & MARKER))
        updates = ticks * self.build.neurons
        packets = np.zeros(updates + ticks, np.uint32)
        v, flags = np.zeros(updates, np.int32), np.zeros(updates, np.uint8)
        counts = np.zeros(len(_COUNTS), np.int64)
        self._calls.crossbar_run(
            self._core,
            events.ctypes.data,
            events.size,
            most_clocks,
            packets.ctypes.data,
            packets.size,
            v.ctypes.data,
            flags.ctypes.data,
            updates,
            self.build.neurons,
            counts.ctypes.data,
        )
        found = dict(zip(_COUNTS, counts.tolist(), strict=True))
        if found["problem"]:
            raise RuntimeError(f"{TOP} {_PROBLEMS[found['problem']]}")
        return packets[: found["packets"]], v[: found["updates"]], flags[: found["updates"]], found


def _calls(verilated: Path) -> ctypes.CDLL:
    calls = ctypes.CDLL(str(verilated))
    pointer, wide, narrow = ctypes.c_void_p, ctypes.c_int64, ctypes.c_uint32
    calls.crossbar_new.restype = pointer
    calls.crossbar_reset.argtypes = [pointer]
    calls.crossbar_delete.argtypes = [pointer]
    calls.crossbar_pace.argtypes = [pointer, ctypes.c_uint64, narrow, narrow]
    calls.crossbar_configure.restype = wide
    calls.crossbar_configure.argtypes = [pointer, ctypes.c_int, narrow, narrow, pointer, wide]
    calls.crossbar_run.argtypes = [pointer, pointer, wide, wide, pointer, wide, pointer, pointer, wide, narrow, pointer]
    return calls


# ---------------------------------------------------------------------------- the model beside it


@dataclass(frozen=True)
class Trace:
    """What a run of the model did: spikes (ticks, cores, 256), potentials after each tick, counters of the cores."""

    spiked: NDArray[np.bool_]
    v: NDArray[np.int32]
    synaptic_events: Int64
    left_range: Int64
    merged: Int64


class _Ear:
    """Collects what a trace needs beside spikes and potentials."""

    def __init__(self) -> None:
        self.chunks: list[CrossbarChunk] = []

    def observe(self, chunk: Chunk) -> None:
        assert isinstance(chunk, CrossbarChunk)
        self.chunks.append(chunk)

    def snapshot(self) -> dict[str, NDArray[Any]]:
        return {}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        raise AssertionError("a trace has no snapshots")


def model_trace(booted: TrueNorthBooted, stimulus: Stimulus, ticks: int) -> Trace:
    """Run the engine from tick 0 with all potentials recorded."""
    cores = len(booted.core_numbers)
    ear = _Ear()
    recording = run_ticks(booted.engine, stimulus, ticks, probe=np.arange(cores * SIZE, dtype=np.int64), meter=ear)
    spiked = np.zeros((ticks, cores * SIZE), np.bool_)
    spiked[recording.spike_tick, recording.spike_source - booted.inputs] = True
    return Trace(
        spiked=spiked.reshape(ticks, cores, SIZE),
        v=recording.probes["v"].reshape(ticks, cores, SIZE),
        synaptic_events=np.concatenate([chunk.synaptic_events for chunk in ear.chunks]).astype(np.int64),
        left_range=np.sum([chunk.range_events["left_range"] for chunk in ear.chunks], axis=0),
        merged=np.sum([chunk.merged for chunk in ear.chunks], axis=0),
    )


# ---------------------------------------------------------------------------- comparison


@dataclass(frozen=True)
class Comparison:
    """A run on both sides. ``differences`` names the first of every kind; empty when all is equal.

    Attributes:
        neuron_ticks: updates compared, each with spike, potential and range.
        packets, cycles, stalls: of all cores.
    """

    differences: tuple[str, ...]
    neuron_ticks: int
    packets: int
    cycles: int
    stalls: int


def compare(
    image: ProgramImage, stimulus: Stimulus, ticks: int, build: CrossbarBuild, verilated: Path, pace: Pace = Pace()
) -> Comparison:
    """Run ``image`` from tick 0 on the engine and on one verilated core per core.

    Raises:
        DoesNotFit: NE7280 when its cores use more axons, neurons or random numbers than ``build`` has, NE5603 for reset
            values that the rows cannot hold.
        RuntimeError: when a core hangs or breaks its protocol.
    """
    if findings := misfit(image.cores, build):
        raise DoesNotFit(findings)
    booted = boot_image(image)
    trace = model_trace(booted, stimulus, ticks)
    parts = memories(image, _program(booted).rules)
    cores = []
    for index, memory in enumerate(parts):
        cores.append(CrossbarRtl(verilated, build, Pace(pace.gap, pace.stall, pace.seed + index)))
        cores[-1].load(memory)
    try:
        return _Fabric(image, booted, cores, trace).run(_arrivals(image, booted, stimulus, ticks))
    finally:
        for core in cores:
            core.close()


def _program(booted: TrueNorthBooted) -> CompiledProgram:
    assert isinstance(booted.engine, TrueNorthEngine)
    return booted.engine.program


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


def _arrivals(image: ProgramImage, booted: TrueNorthBooted, stimulus: Stimulus, ticks: int) -> list[list[Arrivals]]:
    """Spikes from outside by the tick they are sent in and by core; what is sent after the last tick comes last.

    A spike that the model integrates in its own tick has the delay 1, since the last tick closed is the one before.
    """
    host = _program(booted).host
    sent: list[list[Arrivals]] = [[[] for _ in range(image.cores.count)] for _ in range(ticks + 1)]
    for tick, source in zip(stimulus.tick.tolist(), stimulus.source.tolist(), strict=True):
        for route in range(int(host.start[source]), int(host.start[source + 1])):
            due = tick + int(host.delay[route])
            when = max(tick, due + 1 - MOST_DELAY)
            sent[when][int(host.core[route])].append((int(host.axon[route]), due - when + 1))
    return sent


class _Fabric:
    """Verilated cores and the wires between them, tick by tick against a trace of the model."""

    def __init__(self, image: ProgramImage, booted: TrueNorthBooted, cores: list[CrossbarRtl], trace: Trace):
        self.cores, self.image, self.trace, self.build = cores, image, trace, cores[0].build
        self.place = {number: index for index, number in enumerate(booted.core_numbers)}
        self.columns = booted.chip.structure.mesh.columns
        self.ticks = trace.v.shape[0]
        self.differences: dict[str, str] = {}
        self.waiting: list[Arrivals] = [[] for _ in cores]
        self.active = np.zeros((self.ticks + MOST_DELAY, len(cores), self.build.axons), np.bool_)
        self.spikes, self.packets = np.zeros((2, self.ticks, len(cores)), np.int64)
        self.clocks = np.zeros(len(cores), np.int64)

    def run(self, arrivals: list[list[Arrivals]]) -> Comparison:
        """All ticks of all cores; ``arrivals`` by tick and core, the last entry after the last marker."""
        for tick in range(self.ticks):
            came, self.waiting = self.waiting, [[] for _ in self.cores]
            for core in range(len(self.cores)):
                self._tick(tick, core, came[core] + arrivals[tick][core])
        contract = self._contract()
        for core, rtl in enumerate(self.cores):
            late = self.waiting[core] + arrivals[self.ticks][core]
            rtl.run(_words(late))
            self._end(core, rtl.counters(), int(contract[core]), SPIKE_CYCLES * len(late))
        return Comparison(
            differences=tuple(self.differences.values()),
            neuron_ticks=self.ticks * len(self.cores) * self.build.neurons,
            packets=int(self.packets.sum()),
            cycles=int(contract.sum()),
            stalls=sum(rtl.counters()["stalls"] for rtl in self.cores),
        )

    def _tick(self, tick: int, core: int, events: Arrivals) -> None:
        """One tick of one core."""
        for axon, delay in events:
            self.active[tick + delay - 1, core, axon] = True
        batch = self.cores[core].run(_words(events, MARKER))
        self.spikes[tick, core], self.packets[tick, core] = len(events), batch.packets[0].size
        self.clocks[core] += batch.clocks - batch.waits - batch.stalls
        neurons = self.build.neurons
        self._expect("spike", tick, core, batch.spiked[0], self.trace.spiked[tick, core, :neurons])
        self._expect("potential", tick, core, batch.v[0], self.trace.v[tick, core, :neurons])
        self._route(tick, core, batch)

    def _expect(self, what: str, tick: int, core: int, found: NDArray[Any], wanted: NDArray[Any]) -> None:
        if what in self.differences or np.array_equal(found, wanted):
            return
        neuron = int(np.flatnonzero(found != wanted)[0])
        self.differences[what] = (
            f"{what} at tick {tick}, core {core}, neuron {neuron}: {int(found[neuron])} in Verilog, {int(wanted[neuron])} in Python"
        )

    def _route(self, tick: int, core: int, batch: Batch) -> None:
        """Hand the packets of a tick on; they must be those of the neurons that spiked, in order."""
        cores = self.image.cores
        sources = np.flatnonzero(batch.spiked[0] & (cores.delay[core, : self.build.neurons] > 0))
        wanted = (
            (cores.dx[core, sources].astype(np.int64) & 511)
            | (cores.dy[core, sources].astype(np.int64) & 511) << 9
            | cores.axon[core, sources].astype(np.int64) << _AXON_SHIFT
            | cores.delay[core, sources].astype(np.int64) << _DELAY_SHIFT
        )
        found = batch.packets[0].astype(np.int64)
        if not np.array_equal(found, wanted):
            self.differences.setdefault(
                "packet", f"packets of tick {tick}, core {core}: {found.tolist()}, not {wanted.tolist()}"
            )
        number = int(cores.number[core])
        x, y = number % self.columns, number // self.columns
        for packet in found.tolist():
            dx, dy = ((packet >> low & 511) - ((packet >> low & 256) << 1) for low in (0, 9))
            target = self.place[(y + dy) * self.columns + x + dx]
            self.waiting[target].append((packet >> _AXON_SHIFT & 255, packet >> _DELAY_SHIFT & 15))

    def _contract(self) -> Int64:
        """Cycles of every core by the contract."""
        cores, build = self.image.cores, self.build
        total = np.zeros(cores.count, np.int64)
        for core in range(cores.count):
            synapses = np.unpackbits(cores.crossbar[core], axis=-1)[: build.axons, : build.neurons].astype(np.int64)
            dice = cores.stochastic[core][: build.neurons, cores.axon_type[core][: build.axons]].T
            events, draws = (
                self.active[: self.ticks, core].astype(np.int64) @ taken.sum(axis=1)
                for taken in (synapses, synapses * dice)
            )
            others = int(cores.stochastic_leak[core].sum()) + int((cores.mask_bits[core] > 0).sum())
            cycles = tick_cycles(build, self.spikes[:, core], events, draws, others, self.packets[:, core])
            total[core] = cycles.sum()
        return total

    def _end(self, core: int, counters: Mapping[str, int], contract: int, late_cycles: int) -> None:
        """Counters and the memories after the run."""
        rtl, trace = self.cores[core], self.trace
        wanted = trace.v[-1, core, : self.build.neurons]
        self._expect("potential in memory after", self.ticks - 1, core, rtl.potentials(), wanted)
        pairs = {
            "cycles": (counters["cycles"], contract + late_cycles),
            "clocks of the bench": (int(self.clocks[core]), contract),
            "left_range": (counters["left_range"], int(trace.left_range[core])),
            "merged": (counters["merged"], int(trace.merged[core])),
            "synaptic_events": (counters["synaptic_events"], int(trace.synaptic_events[:, core].sum())),
            "error": (counters["error"], 0),
            "tick": (int(rtl.read(register("tick"))[0]), self.ticks),
        }
        for name, (found, expected) in pairs.items():
            if found != expected:
                self.differences.setdefault(name, f"{name} of core {core}: {found} in Verilog, {expected} expected")


def _words(events: Arrivals, *markers: int) -> Word32:
    return np.array([axon | delay << 8 for axon, delay in events] + list(markers), np.uint32)
