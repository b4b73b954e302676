"""Verilog cores of any family as Python sees them: what a build tells about itself, and cores that run ticks in batches."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.build import Note, library
from neuroemu.errors import BadInput, Finding, NeuroemuError

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Word = NDArray[np.uint32]

HARNESS = Path(__file__).with_name("harness.cpp")
FAULTS = (
    "",
    "does not answer",
    "sends more packets than its neurons have routes",
    "sends a packet or updates a neuron outside a tick",
    "changes a packet that waits",
    "updates neurons out of order",
    "was stopped",
    "is ended by its own $finish, $stop or $fatal",
)
SPIKED, LEFT_RANGE = 1, 2
READS = 0.25
"""Share of ticks behind which counters are read, unless a run says otherwise."""
FOREVER = 1 << 62
LARGER_BUILD = "use a number within it, or a larger build"
_STUCK = ("look at the controller's states", "run the tests in rtl/")


class CoreBuild(Protocol):
    """A Verilog core with values for its parameters, and what the pins of all families do not have in common.

    Attributes:
        pins: C++ that says what ports mean to harness.cpp.
        states: what the update port shows beside spikes, in the order of the pins.
        packet: fields of a packet, in that order.
        counters: registers that only count; ``cycles``, ``stalls`` and ``left_range`` among them.
        tick_register: takes the number of a sample's first tick; None where ticks count from the clear.
        constants: registers that tell what was built, and their words.
        numbered: cores that packets can name.
    """

    @property
    def neurons(self) -> int: ...
    @property
    def axons(self) -> int: ...
    @property
    def top(self) -> str: ...
    @property
    def pins(self) -> Path: ...
    @property
    def parameters(self) -> Mapping[str, int]: ...
    @property
    def defines(self) -> Mapping[str, int]: ...
    @property
    def states(self) -> tuple[str, ...]: ...
    @property
    def packet(self) -> tuple[str, ...]: ...
    @property
    def counters(self) -> tuple[str, ...]: ...
    @property
    def tick_register(self) -> str | None: ...
    @property
    def numbered(self) -> int: ...
    @property
    def constants(self) -> Mapping[str, int]: ...

    def register(self, name: str) -> Word:
        """The address of a register, uint32 (1,)."""

    def unknown(self, events: Word) -> Iterable[Finding]:
        """NE7218: events that the core has no place for."""

    def shown(self, tick: Int64, reset_period: int) -> dict[str, Int64]:
        """Registers that do not count clocks or events -> what they say behind ticks (n,) of a run whose samples have
        ``reset_period`` ticks, if no event was refused."""


class _Batch(ctypes.Structure):
    """Layout as ``Batch`` in harness.cpp."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("ticks", "first_tick", "reset_period")),
        *((name, ctypes.c_void_p) for name in ("before_start", "after_start", "before", "after")),
        *((name, ctypes.c_void_p) for name in ("restart_start", "restart_address", "restart_word")),
        *((name, ctypes.c_int64) for name in ("tick_address", "counters")),
        ("counter_address", ctypes.c_void_p),
        *((name, ctypes.c_uint32) for name in ("input_stall", "output_stall", "read_share")),
        ("seed", ctypes.c_uint64),
        *((name, ctypes.c_void_p) for name in ("state", "flags", "updates", "read", "counter", "counted", "waited")),
        *((name, ctypes.c_int64) for name in ("packet_room", "packets")),
        *((name, ctypes.c_void_p) for name in ("packet", "packet_start")),
        *((name, ctypes.c_int64) for name in ("clocks", "most_clocks", "fault_tick")),
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
    """Spikes from outside: ``event[start[cell]:start[cell + 1]]`` go into core ``cell % cores`` behind tick ``cell // cores``.

    ``start``: int64 (ticks * cores + 1,); ``event``: uint32 words as the build's pins take them; ``before``: others, which go in
    in front of their tick's marker.
    """

    start: Int64
    event: Word
    before: Events | None = None


def no_events(ticks: int, cores: int) -> Events:
    """Nothing from outside."""
    return Events(np.zeros(ticks * cores + 1, np.int64), np.zeros(0, np.uint32))


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
        states: name -> int32 (ticks, neurons of all cores), written back in each tick.
        flags: uint8, the same shape: SPIKED and LEFT_RANGE.
        updates: int32 (ticks, cores) neurons updated.
        counted: int64 (ticks, cores) cycles of each tick, counted at the pins: clocks without those that waited for an event or a
            packet's receiver.
        waited: the same of clocks in which a packet waited.
        read: bool (ticks, cores) whether the core's registers were read behind the tick.
        since: int64 (ticks, cores) the first tick that such a reading covers.
        counters: name -> int64 (ticks, cores) what the register counted from tick ``since`` on; 0 where not read.
        shown: name -> int64 (ticks, cores) what other registers said in such a reading; 0 where not read.
        packet_start: int64 (ticks * cores + 1,); ``packet``: int32 (packets, fields) are what left.
        clocks: of all cores together, with loading registers and reading counters.
    """

    ticks: int
    states: Mapping[str, Int32]
    flags: NDArray[np.uint8]
    updates: Int32
    counted: Int64
    waited: Int64
    read: NDArray[np.bool_]
    since: Int64
    counters: Mapping[str, Int64]
    shown: Mapping[str, Int64]
    packet_start: Int64
    packet: Int32
    clocks: int
    fault: Fault | None

    def since_read(self, count: NDArray[Any]) -> Int64:
        """What counts of ticks (ticks, cores) add up to from tick ``since`` on; 0 where no register was read."""
        until = np.concatenate([np.zeros((1, count.shape[1]), np.int64), np.cumsum(count, axis=0, dtype=np.int64)])
        return np.where(self.read, until[1:] - np.take_along_axis(until, self.since, axis=0), 0)


@dataclass(frozen=True)
class _Room:
    """Arrays that a batch fills; their names are those of :class:`Record`."""

    states: dict[str, Int32]
    counters: dict[str, Word]
    cells: dict[str, NDArray[Any]]
    packet: Int32
    packet_start: Int64

    def passed(self) -> dict[str, NDArray[Any]]:
        """As the harness takes them."""
        several = {"state": _addresses(self.states), "counter": _addresses(self.counters)}
        return {**several, **self.cells, "packet": self.packet, "packet_start": self.packet_start}

    def record(
        self, done: int, already: Mapping[str, Word], cleared: NDArray[np.bool_], clocks: int, fault: Fault | None
    ) -> Record:
        """What the first ticks say; ``already``: counters before, ``cleared``: bool (ticks, cores)."""
        cells = {name: array[:done] for name, array in self.cells.items()}
        since = _since(cells["read"], cleared)
        counters = {
            name: _own(array[:done], already[name], cells["read"], since, cleared)
            for name, array in self.counters.items()
            if name in already
        }
        start = self.packet_start[: done * cleared.shape[1] + 1].astype(np.int64)
        return Record(
            ticks=done,
            states={name: array[:done] for name, array in self.states.items()},
            since=since,
            counters=counters,
            shown={name: self.counters[name][:done].astype(np.int64) for name in self.counters if name not in counters},
            packet_start=start,
            packet=self.packet[: int(start[-1])].astype(np.int32),
            clocks=clocks,
            fault=fault,
            **cells,
        )


def _room(build: CoreBuild, ticks: int, cores: int, neurons: int, packets: int) -> _Room:
    return _Room(
        states={name: np.zeros((ticks, neurons), np.int32) for name in build.states},
        counters={name: np.zeros((ticks, cores), np.uint32) for name in _registers(build)},
        cells={
            "flags": np.zeros((ticks, neurons), np.uint8),
            "updates": np.zeros((ticks, cores), np.int32),
            "read": np.zeros((ticks, cores), np.bool_),
            "counted": np.zeros((ticks, cores), np.int64),
            "waited": np.zeros((ticks, cores), np.int64),
        },
        packet=np.zeros((packets, len(build.packet)), np.int32),
        packet_start=np.zeros(ticks * cores + 1, np.int64),
    )


class NoAnswer(NeuroemuError):
    """A Verilog core is stuck before it could be compared (exit code 1)."""

    exit_code = 1


class RtlCores:
    """Several cores of one build, wired by a network that loses nothing.

    Args:
        sizes: neurons in use of each.
        numbers: their numbers on the chip, by which packets find them.
        columns: of the mesh, where packets name their target by its distance; 0: such packets leave for good.
        trace: whether they can write waveforms.
        folder: Verilog sources instead of those of the package.
        note: told before something is built.
        noise: seed of what memories and registers hold before they are written or cleared.

    Raises:
        BadInput: NE7201 to NE7204 and NE7206 when the library cannot be built; NE7218 for sizes and numbers that the build lacks.
    """

    def __init__(
        self,
        build: CoreBuild,
        sizes: Sequence[int],
        numbers: Sequence[int],
        columns: int = 0,
        trace: bool = False,
        folder: Path | None = None,
        note: Note | None = None,
        noise: int = 0,
    ):
        self.build, self.sizes, self.numbers, self.columns = build, tuple(sizes), tuple(numbers), columns
        if findings := _beyond(build, self.sizes, self.numbers):
            raise BadInput(findings)
        self._library = ctypes.CDLL(str(library_of(build, trace, folder, note)))
        self._library.core_new.restype = ctypes.c_void_p
        for name in ("core_transfer", "core_run"):
            getattr(self._library, name).restype = ctypes.c_int64
        seeds = [1 + (noise + position) % (1 << 30) for position in range(len(self.sizes))]
        self._cores = [ctypes.c_void_p(self._library.core_new(ctypes.c_int32(seed))) for seed in seeds]
        self._first_neuron = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int32)
        self._number = np.array(self.numbers, np.int32)
        self._position = np.full(int(self._number.max()) + 1, -1, np.int32)
        self._position[self._number] = np.arange(len(self.numbers))
        clear = build.register("control"), np.ones(1, np.uint32)
        self.restart_with([clear] * len(self.sizes))
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
            self._library.core_delete(core)
        self._cores = []

    @property
    def neurons(self) -> int:
        """Neurons in use of all cores."""
        return int(self._first_neuron[-1])

    def reset(self) -> None:
        """The reset line; raises NoAnswer (NE7222) if a core does not come back."""
        for number, core in zip(self.numbers, self._cores, strict=True):
            if not self._library.core_reset(core):
                raise NoAnswer(Finding("NE7222", "does not come out of its reset", f"core {number}", _STUCK))

    def write(self, position: int, address: Word, word: NDArray[Any]) -> None:
        """Words to addresses, one after the other; raises NoAnswer (NE7222) if the core does not take them."""
        addresses = np.ascontiguousarray(address, np.uint32)
        words = np.ascontiguousarray(np.asarray(word, np.int64) & 0xFFFFFFFF, np.uint32)
        self._transfer(True, position, addresses, words)

    def read(self, position: int, address: Word) -> Word:
        """The words at some addresses, uint32."""
        addresses = np.ascontiguousarray(address, np.uint32)
        words = np.zeros(addresses.shape, np.uint32)
        self._transfer(False, position, addresses, words)
        return words

    def restart_with(self, restarts: Sequence[tuple[Word, Word]]) -> None:
        """Addresses and words that each core gets at the start of a sample, a clear at the end; before, it is the clear alone."""
        addresses, words = zip(*restarts, strict=True)
        self._restart: dict[str, NDArray[Any]] = {
            "restart_start": np.cumsum([0, *(part.size for part in words)], dtype=np.int64),
            "restart_address": np.concatenate(addresses).astype(np.uint32),
            "restart_word": np.concatenate(words).astype(np.uint32),
        }

    def run(
        self,
        events: Events,
        first_tick: int = 0,
        reset_period: int = FOREVER,
        stalls: Stalls | None = None,
        packet_room: int = 0,
        reads: float = READS,
        most_clocks: int = FOREVER,
    ) -> Record:
        """Run one tick per group of events; cores restart before every tick whose number is a multiple of ``reset_period``.

        Args:
            first_tick: number of the first one.
            packet_room: packets of all cores together that are recorded; more are a fault.
            reads: share of ticks, of 1, behind which a core's registers are read; behind the last one they always are. Behind the
                others the next marker follows the last event directly. Which ones follows from the seed of the stalls.
            most_clocks: of one core, after which it is stopped in the middle of whatever it does; a fault.

        Raises:
            BadInput: NE7218 for events that the build has no place for.
        """
        stalls, cores = stalls or Stalls(), len(self.sizes)
        ticks = (events.start.shape[0] - 1) // cores
        room = _room(self.build, ticks, cores, self.neurons, packet_room)
        passed = self._passed(events, ticks) | room.passed()
        tick_register = self.build.tick_register
        batch = _Batch(
            ticks=ticks,
            first_tick=first_tick,
            reset_period=reset_period,
            tick_address=-1 if tick_register is None else int(self.build.register(tick_register)[0]),
            counters=len(room.counters),
            input_stall=int(stalls.events * 0xFFFFFFFF),
            output_stall=int(stalls.packets * 0xFFFFFFFF),
            read_share=int(reads * 0xFFFFFFFF),
            seed=stalls.seed,
            packet_room=packet_room,
            most_clocks=most_clocks,
            **{name: array.ctypes.data for name, array in passed.items()},
        )
        words = self._counters()
        already = {name: words[name] for name in self.build.counters}
        done = self._library.core_run(
            (ctypes.c_void_p * cores)(*self._cores),
            ctypes.c_int32(cores),
            *(ctypes.c_void_p(part.ctypes.data) for part in (self._first_neuron, self._number, self._position)),
            ctypes.c_int64(self._position.shape[0]),
            ctypes.c_int64(self.columns),
            ctypes.byref(batch),
        )
        cleared = np.arange(first_tick, first_tick + done) % reset_period == 0
        fault = None
        if batch.fault:
            fault = Fault(int(batch.fault_tick), int(batch.fault_core), FAULTS[batch.fault])
        return room.record(done, already, np.repeat(cleared[:, None], cores, axis=1), int(batch.clocks), fault)

    def _passed(self, events: Events, ticks: int) -> dict[str, NDArray[Any]]:
        """Arrays that a batch reads; raises BadInput (NE7218) for events that the build has no place for."""
        before = events.before or no_events(ticks, len(self.sizes))
        given = {"after": np.ascontiguousarray(events.event), "before": np.ascontiguousarray(before.event)}
        if findings := [finding for words in given.values() for finding in self.build.unknown(words)]:
            raise BadInput(findings)
        return {
            **{name: words.astype(np.uint32) for name, words in given.items()},
            "after_start": np.ascontiguousarray(events.start, np.int64),
            "before_start": np.ascontiguousarray(before.start, np.int64),
            "counter_address": self._counter_addresses,
            **self._restart,
        }

    def start_trace(self, position: int, file: Path) -> None:
        """Write what a core's wires do from now on (VCD, two time steps a clock)."""
        self._library.core_trace(self._cores[position], str(file).encode())

    def end_trace(self, position: int) -> None:
        """End the file."""
        self._library.core_end_trace(self._cores[position])

    @property
    def _counter_addresses(self) -> Word:
        return np.concatenate([self.build.register(name) for name in _registers(self.build)]).astype(np.uint32)

    def _counters(self) -> dict[str, Word]:
        """Register -> what it says now, uint32 (cores,)."""
        address = self._counter_addresses
        words = np.array([self.read(position, address) for position in range(len(self.sizes))], np.uint32)
        return dict(zip(_registers(self.build), words.reshape(-1, address.size).T, strict=True))

    def _transfer(self, write: bool, position: int, addresses: Word, words: Word) -> None:
        done = self._library.core_transfer(
            self._cores[position],
            ctypes.c_int32(write),
            ctypes.c_int64(addresses.shape[0]),
            ctypes.c_void_p(addresses.ctypes.data),
            ctypes.c_void_p(words.ctypes.data),
        )
        if done != addresses.shape[0]:
            message = f"does not answer on its configuration bus at address {int(addresses[done]):#x}"
            raise NoAnswer(Finding("NE7222", message, f"core {self.numbers[position]}", _STUCK))


def _registers(build: CoreBuild) -> tuple[str, ...]:
    """That are read together behind a tick: counters, then the others."""
    return *build.counters, *build.shown(np.zeros(0, np.int64), 1)


def _addresses(arrays: Mapping[str, NDArray[Any]]) -> NDArray[np.uint64]:
    """Where arrays lie in memory, one after the other."""
    return np.array([array.ctypes.data for array in arrays.values()], np.uint64)


def _beyond(build: CoreBuild, sizes: Sequence[int], numbers: Sequence[int]) -> tuple[Finding, ...]:
    """NE7218: cores that a build cannot be."""
    findings = []
    if len(sizes) != len(numbers) or not sizes:
        message = f"{len(sizes)} sizes and {len(numbers)} core numbers; each core has one of both"
        findings.append(Finding("NE7218", message, fixes=("give one size and one number per core",)))
    for position, size in enumerate(sizes):
        if not 1 <= size <= build.neurons:
            message = f"a core of {size} neurons; the build has 1 to {build.neurons}"
            findings.append(Finding("NE7218", message, f"sizes[{position}]", (LARGER_BUILD,)))
    for position, number in enumerate(numbers):
        if not 0 <= number < build.numbered:
            message = f"core number {number}; packets of the build name 0 to {build.numbered - 1}"
            findings.append(Finding("NE7218", message, f"numbers[{position}]", (LARGER_BUILD,)))
        elif number in numbers[:position]:
            message = f"core number {number} is taken"
            findings.append(Finding("NE7218", message, f"numbers[{position}]", ("number every core differently",)))
    return tuple(findings)


def wrong_events(what: str, events: NDArray[Any], count: int) -> Iterator[Finding]:
    """NE7218 for events that are no number below ``count``."""
    wrong = np.flatnonzero((events < 0) | (events >= count))
    if wrong.size:
        message = f"{what} {int(events[wrong[0]])}; the build has 0 to {count - 1} ({wrong.size} such events)"
        yield Finding("NE7218", message, f"events.event[{int(wrong[0])}]", (LARGER_BUILD,))


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


def library_of(build: CoreBuild, trace: bool = False, folder: Path | None = None, note: Note | None = None) -> Path:
    """The library of a build, built if it is not in the cache.

    Raises:
        BadInput: NE7201 to NE7204 and NE7206.
    """
    defines = {"NEURONS": build.neurons, **build.defines}
    harness = (build.pins, HARNESS)
    return library(build.top, build.parameters, harness, defines, trace=trace, folder=folder, note=note)
