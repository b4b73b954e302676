"""The Verilog LIF core as Python sees it: parameters of a build, and cores that run ticks in batches."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.build import Note, library
from neuroemu.errors import BadInput, Finding, NeuroemuError
from neuroemu.families.lifcore.registers import REGION_BITS, REGION_NUMBER, REGISTER_NUMBER
from neuroemu.families.lifcore.timing import Cycles

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Word = NDArray[np.uint32]

HARNESS = Path(__file__).with_name("harness.cpp")
TOP = "lif_core"
FAULTS = (
    "",
    "does not answer",
    "sends more packets than its neurons have routes",
    "sends a packet or updates a neuron outside a tick",
    "changes a packet that waits",
)
SPIKED, LEFT_RANGE = 1, 2
COUNTERS = ("cycles", "stalls", "left_range")
"""Registers that only count."""
READS = 0.25
"""Share of ticks behind which they are read, unless a run says otherwise."""
_LARGER_BUILD = "use a number within it, or a larger build"
_STUCK = ("look at the controller's states", "run the tests in rtl/")


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


def _bits(count: int) -> int:
    """Bits that number ``count`` things, at least one."""
    return max((count - 1).bit_length(), 1)


class _Batch(ctypes.Structure):
    """Layout as ``Batch`` in harness.cpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("ticks", "first_tick", "reset_period")),
        *((name, ctypes.c_void_p) for name in ("event_start", "event_axon")),
        *((name, ctypes.c_uint32) for name in ("input_stall", "output_stall", "read_share")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("u", "v", "refractory", "flags", "updates")),
        *((name, ctypes.c_void_p) for name in ("read", "cycles", "stalls", "left_range", "counted", "waited")),
        *((name, ctypes.c_int64) for name in ("packet_room", "packets")),
        *((name, ctypes.c_void_p) for name in ("packet_core", "packet_axon", "packet_start")),
        *((name, ctypes.c_int64) for name in ("clocks", "fault_tick")),
        *((name, ctypes.c_int32) for name in ("fault", "fault_core")),
    ]


@dataclass(frozen=True)
class Stalls:
    """How often, of 1, an event is held back or a packet has to wait in a clock, and the seed of both."""

    events: float = 0.0
    packets: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises BadInput (NE7218) for shares outside 0..1 and seeds of more than 64 bits, which would be cut."""
        shares = (("events", self.events), ("packets", self.packets))
        findings = [
            Finding("NE7218", f"a share of {share}; it is from 0 to 1", f"stalls.{name}", ("use a share within it",))
            for name, share in shares
            if not 0 <= share <= 1
        ]
        if not 0 <= self.seed < 1 << 64:
            message = f"seed {self.seed}; it is from 0 to {(1 << 64) - 1}"
            findings.append(Finding("NE7218", message, "stalls.seed", ("use a seed within it",)))
        if findings:
            raise BadInput(findings)


@dataclass(frozen=True)
class Events:
    """Spikes from outside: ``axon[start[cell]:start[cell + 1]]`` go into core ``cell % cores`` behind tick ``cell // cores``.

    ``start``: int64 (ticks * cores + 1,); ``axon``: int32.
    """

    start: Int64
    axon: Int32


@dataclass(frozen=True)
class Fault:
    """The core broke its protocol: in which tick of the batch, which one, and how."""

    tick: int
    core: int
    what: str


@dataclass(frozen=True)
class Record:
    """What cores did in ``ticks`` ticks; fewer than asked for after a fault.

    Attributes:
        u, v, refractory: int32 (ticks, neurons of all cores), written back in each tick.
        flags: uint8, the same shape: SPIKED and LEFT_RANGE.
        updates: int32 (ticks, cores) neurons updated.
        counted: int64 (ticks, cores) cycles of each tick, counted at the pins: clocks without those that waited for an event or a
            packet's receiver.
        waited: the same of clocks in which a packet waited.
        read: bool (ticks, cores) whether the core's registers were read behind the tick.
        since: int64 (ticks, cores) the first tick that such a reading covers.
        cycles, stalls, left_range: int64 (ticks, cores) what these registers counted from tick ``since`` on; 0 where not read.
        packet_start: int64 (ticks * cores + 1,); ``packet_core``, ``packet_axon`` are what left.
        clocks: of all cores together, with loading registers and reading counters.
    """

    ticks: int
    u: Int32
    v: Int32
    refractory: Int32
    flags: NDArray[np.uint8]
    updates: Int32
    counted: Int64
    waited: Int64
    read: NDArray[np.bool_]
    since: Int64
    cycles: Int64
    stalls: Int64
    left_range: Int64
    packet_start: Int64
    packet_core: Int32
    packet_axon: Int32
    clocks: int
    fault: Fault | None

    def since_read(self, count: NDArray[Any]) -> Int64:
        """What counts of ticks (ticks, cores) add up to from tick ``since`` on; 0 where no register was read."""
        until = np.concatenate([np.zeros((1, count.shape[1]), np.int64), np.cumsum(count, axis=0, dtype=np.int64)])
        return np.where(self.read, until[1:] - np.take_along_axis(until, self.since, axis=0), 0)


class NoAnswer(NeuroemuError):
    """A Verilog core is stuck before it could be compared (exit code 1)."""

    exit_code = 1


class RtlCores:
    """Several cores of one build, wired by a network that loses nothing.

    Args:
        sizes: neurons in use of each.
        numbers: their numbers on the chip, by which packets name them.
        trace: whether they can write waveforms.
        folder: Verilog sources instead of those of the package.
        note: told before something is built.
        noise: seed of what memories and registers hold before they are written or cleared.

    Raises:
        BadInput: NE7201 to NE7204 and NE7206 when the library cannot be built; NE7218 for sizes and numbers that the build lacks.
    """

    def __init__(
        self,
        build: Build,
        sizes: Sequence[int],
        numbers: Sequence[int],
        trace: bool = False,
        folder: Path | None = None,
        note: Note | None = None,
        noise: int = 0,
    ):
        self.build, self.sizes, self.numbers = build, tuple(sizes), tuple(numbers)
        if findings := _beyond(build, self.sizes, self.numbers):
            raise BadInput(findings)
        self._library = ctypes.CDLL(str(library_of(build, trace, folder, note)))
        self._library.lif_new.restype = ctypes.c_void_p
        for name in ("lif_write", "lif_read", "lif_run"):
            getattr(self._library, name).restype = ctypes.c_int64
        seeds = [1 + (noise + position) % (1 << 30) for position in range(len(self.sizes))]
        self._cores = [ctypes.c_void_p(self._library.lif_new(ctypes.c_int32(seed))) for seed in seeds]
        self._first_neuron = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int32)
        self._position = np.full(1 << build.core_bits, -1, np.int32)
        self._position[list(self.numbers)] = np.arange(len(self.numbers))
        self.reset()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the cores back; they cannot be used afterwards."""
        for core in self._cores:
            self._library.lif_delete(core)
        self._cores = []

    @property
    def neurons(self) -> int:
        """Neurons in use of all cores."""
        return int(self._first_neuron[-1])

    def reset(self) -> None:
        """The reset line; raises NoAnswer (NE7222) if a core does not come back."""
        for number, core in zip(self.numbers, self._cores, strict=True):
            if not self._library.lif_reset(core):
                raise NoAnswer(Finding("NE7222", "does not come out of its reset", f"core {number}", _STUCK))

    def write(self, position: int, address: Word, word: NDArray[Any]) -> None:
        """Words to addresses, one after the other; raises NoAnswer (NE7222) if the core does not take them."""
        addresses = np.ascontiguousarray(address, np.uint32)
        words = np.ascontiguousarray(np.asarray(word, np.int64) & 0xFFFFFFFF, np.uint32)
        self._transfer(self._library.lif_write, position, addresses, words)

    def read(self, position: int, address: Word) -> Word:
        """The words at some addresses, uint32."""
        addresses = np.ascontiguousarray(address, np.uint32)
        words = np.zeros(addresses.shape, np.uint32)
        self._transfer(self._library.lif_read, position, addresses, words)
        return words

    def run(
        self,
        events: Events,
        first_tick: int = 0,
        reset_period: int = 1 << 62,
        stalls: Stalls | None = None,
        packet_room: int = 0,
        reads: float = READS,
    ) -> Record:
        """Run one tick per group of events; state is cleared before every tick whose number is a multiple of ``reset_period``.

        Args:
            first_tick: number of the first one.
            packet_room: packets of all cores together that are recorded; more are a fault.
            reads: share of ticks, of 1, behind which a core's registers are read; behind the last one they always are. Behind the
                others the next marker follows the last event directly. Which ones follows from the seed of the stalls.

        Raises:
            BadInput: NE7218 for events of axons that the build lacks.
        """
        stalls = stalls or Stalls()
        cores = len(self.sizes)
        if findings := _unknown_axons(self.build, events):
            raise BadInput(findings)
        ticks = (events.start.shape[0] - 1) // cores
        state: dict[str, Any] = {name: np.zeros((ticks, self.neurons), np.int32) for name in ("u", "v", "refractory")}
        state["flags"] = np.zeros((ticks, self.neurons), np.uint8)
        cells: dict[str, NDArray[Any]] = {"updates": np.zeros((ticks, cores), np.int32)}
        cells |= {"read": np.zeros((ticks, cores), np.bool_)}
        cells |= {name: np.zeros((ticks, cores), np.uint32) for name in COUNTERS}
        cells |= {name: np.zeros((ticks, cores), np.int64) for name in ("counted", "waited")}
        sent = {
            "packet_core": np.zeros(packet_room, np.int32),
            "packet_axon": np.zeros(packet_room, np.int32),
            "packet_start": np.zeros(ticks * cores + 1, np.int64),
        }
        given = {
            "event_start": np.ascontiguousarray(events.start, np.int64),
            "event_axon": np.ascontiguousarray(events.axon, np.int32),
        }
        batch = _Batch(
            ticks=ticks,
            first_tick=first_tick,
            reset_period=reset_period,
            input_stall=int(stalls.events * 0xFFFFFFFF),
            output_stall=int(stalls.packets * 0xFFFFFFFF),
            read_share=int(reads * 0xFFFFFFFF),
            seed=stalls.seed,
            packet_room=packet_room,
            **{name: array.ctypes.data for name, array in (state | cells | sent | given).items()},
        )
        before = self._counters()
        done = self._library.lif_run(
            (ctypes.c_void_p * cores)(*self._cores),
            ctypes.c_int32(cores),
            ctypes.c_void_p(self._first_neuron.ctypes.data),
            ctypes.c_void_p(self._position.ctypes.data),
            ctypes.c_int32(self._position.shape[0]),
            ctypes.byref(batch),
        )
        cleared = (np.arange(first_tick, first_tick + ticks) % reset_period == 0)[:, None]
        read = cells["read"][:done]
        cleared = np.repeat(cleared, cores, axis=1)[:done]
        since = _since(read, cleared)
        own: dict[str, Any] = {name: _own(cells[name][:done], before[name], read, since, cleared) for name in COUNTERS}
        packets = int(batch.packets)
        fault = None
        if batch.fault:
            fault = Fault(int(batch.fault_tick), int(batch.fault_core), FAULTS[batch.fault])
        return Record(
            ticks=done,
            **{name: array[:done] for name, array in state.items()},
            updates=cells["updates"][:done],
            counted=cells["counted"][:done],
            waited=cells["waited"][:done],
            read=read,
            since=since,
            **own,
            packet_start=sent["packet_start"][: done * cores + 1].astype(np.int64),
            packet_core=sent["packet_core"][:packets].astype(np.int32),
            packet_axon=sent["packet_axon"][:packets].astype(np.int32),
            clocks=int(batch.clocks),
            fault=fault,
        )

    def start_trace(self, position: int, file: Path) -> None:
        """Write what a core's wires do from now on (VCD, two time steps a clock)."""
        self._library.lif_trace(self._cores[position], str(file).encode())

    def end_trace(self, position: int) -> None:
        """End the file."""
        self._library.lif_end_trace(self._cores[position])

    def _counters(self) -> dict[str, Word]:
        """Counter -> what it says now, uint32 (cores,)."""
        address = np.concatenate([self.build.register(name) for name in COUNTERS])
        words = np.array([self.read(position, address) for position in range(len(self.sizes))], np.uint32)
        return dict(zip(COUNTERS, words.reshape(-1, len(COUNTERS)).T, strict=True))

    def _transfer(self, call: Any, position: int, addresses: Word, words: Word) -> None:
        done = call(
            self._cores[position],
            ctypes.c_int64(addresses.shape[0]),
            ctypes.c_void_p(addresses.ctypes.data),
            ctypes.c_void_p(words.ctypes.data),
        )
        if done != addresses.shape[0]:
            message = f"does not answer on its configuration bus at address {int(addresses[done]):#x}"
            raise NoAnswer(Finding("NE7222", message, f"core {self.numbers[position]}", _STUCK))


def _beyond(build: Build, sizes: Sequence[int], numbers: Sequence[int]) -> tuple[Finding, ...]:
    """NE7218: cores that a build cannot be."""
    findings = []
    if len(sizes) != len(numbers) or not sizes:
        message = f"{len(sizes)} sizes and {len(numbers)} core numbers; each core has one of both"
        findings.append(Finding("NE7218", message, fixes=("give one size and one number per core",)))
    for position, size in enumerate(sizes):
        if not 1 <= size <= build.neurons:
            message = f"a core of {size} neurons; the build has 1 to {build.neurons}"
            findings.append(Finding("NE7218", message, f"sizes[{position}]", (_LARGER_BUILD,)))
    for position, number in enumerate(numbers):
        if not 0 <= number < 1 << build.core_bits:
            message = f"core number {number}; packets of the build name 0 to {(1 << build.core_bits) - 1}"
            findings.append(Finding("NE7218", message, f"numbers[{position}]", (_LARGER_BUILD,)))
        elif number in numbers[:position]:
            message = f"core number {number} is taken"
            findings.append(Finding("NE7218", message, f"numbers[{position}]", ("number every core differently",)))
    return tuple(findings)


def _unknown_axons(build: Build, events: Events) -> tuple[Finding, ...]:
    """NE7218: events that no row of weights belongs to."""
    axon = np.asarray(events.axon)
    wrong = np.flatnonzero((axon < 0) | (axon >= build.axons))
    if not wrong.size:
        return ()
    message = f"axon {int(axon[wrong[0]])}; the build has 0 to {build.axons - 1} ({wrong.size} such events)"
    return (Finding("NE7218", message, f"events.axon[{int(wrong[0])}]", (_LARGER_BUILD,)),)


def _since(read: NDArray[np.bool_], cleared: NDArray[np.bool_]) -> Int64:
    """(ticks, cores) the tick of a batch with which the counters' latest interval began: behind a reading, or with a clear."""
    begins = np.concatenate([np.zeros((1, read.shape[1]), np.bool_), read])[: read.shape[0]] | cleared
    return np.maximum.accumulate(np.where(begins, np.arange(read.shape[0])[:, None], 0), axis=0)


def _own(counter: Word, before: Word, read: NDArray[np.bool_], since: Int64, cleared: NDArray[np.bool_]) -> Int64:
    """What a counter of 32 bits, which wraps and a clear sets to 0, counted in the interval of each reading; 0 without one."""
    earlier = np.concatenate([before[None], counter])
    base = np.where(
        np.take_along_axis(cleared, since, axis=0),
        0,
        np.take_along_axis(earlier, since, axis=0),
    )
    return np.where(read, counter - base.astype(np.uint32), 0).astype(np.int64)


def library_of(build: Build, trace: bool = False, folder: Path | None = None, note: Note | None = None) -> Path:
    """The library of a build, built if it is not in the cache.

    Raises:
        BadInput: NE7201 to NE7204 and NE7206.
    """
    defines = {
        "NEURONS": build.neurons,
        "V_BITS": build.v_bits,
        "OFFSET_BITS": build.offset_bits,
        "REGISTER_REGION": REGION_NUMBER["register"],
        **{f"REGISTER_{name.upper()}": REGISTER_NUMBER[name] for name in ("control", *COUNTERS)},
    }
    assert REGION_BITS + build.offset_bits <= 32
    return library(TOP, build.parameters, HARNESS, defines, trace=trace, folder=folder, note=note)
