"""Bench around a core: drives every channel with random pauses and holds every output of every cycle against the model.

Inputs change after a rising edge, outputs are looked at on the falling edge, so any simulator settles in between. A cycle
that differs from the core's model fails at once; tests therefore only say what goes in. What a core has of its own (fields
of events and packets, updates, a bus that answers at once) is what ``CoreBench`` leaves open.
"""

from __future__ import annotations

import functools
import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from rtl.tests import bins
from rtl.tests.ports import Cycles, Inputs, Outputs

LONG_STALL = 100
NOTHING = -1
"""In place of an event: none is offered."""


def start_clock(dut: Any) -> None:
    """Let the clock run for the rest of the test."""
    Clock(dut.clk, 10, unit="ns").start()


def bench_test(
    made: Callable[[Any, str], Any], bodies: dict[str, Callable[[Any], Awaitable[None]]]
) -> Callable[[Callable[[Any], Awaitable[None]]], Any]:
    """A decorator: a cocotb test with a bench that was just reset; its bins are kept, its body is listed in ``bodies``.

    Args:
        made: device under test and name of the test -> bench.
    """

    def decorated(body: Callable[[Any], Awaitable[None]]) -> Any:
        bodies[body.__name__] = body

        @cocotb.test(name=body.__name__)
        @functools.wraps(body)
        async def test(dut: Any) -> None:
            bench = made(dut, body.__name__)
            await bench.start()
            await body(bench)
            bins.save(Path("bins.json"))

        return test

    return decorated


@dataclass
class Request:
    """One request on the configuration bus; ``word`` holds what was read once it is done."""

    write: bool
    region: int
    offset: int
    data: int = 0
    done: bool = False
    word: int | None = None


@dataclass
class Pace:
    """Chance per cycle that a channel moves: an event is offered, a packet is taken, a request is made."""

    events: float = 1.0
    packets: float = 1.0
    requests: float = 1.0


class CoreBench(ABC):
    """A core, its model, and queues of what is to be sent.

    Args:
        core: the model's memories and registers; ``reset()`` is what ``rst`` does at once.
        watch: counts bins of the cycles that agreed.
        seed: of all random choices.

    Attributes:
        packet_ports: names of the output's payload, in the order of the model's packets.
        regions, registers: numbers of the bus map's regions and of the registers in its region ``register``.
    """

    packet_ports: ClassVar[tuple[str, ...]]
    regions: ClassVar[Mapping[str, int]]
    registers: ClassVar[Mapping[str, int]]

    def __init__(self, dut: Any, core: Any, watch: Watch, seed: str):
        self.dut, self.core = dut, core
        self.random = random.Random(seed)
        self.pace = Pace()
        self.cycles = 0
        self.events: deque[Any] = deque()
        self.requests: deque[Request] = deque()
        self.rising, self.falling = RisingEdge(dut.clk), FallingEdge(dut.clk)
        self._driven: dict[str, int] = {}
        self._handles: dict[str, Any] = {}
        self._cycles: Cycles | None = None
        self._expected: Outputs | None = None
        self._offered_event = self._offered_request = self._took = False
        self._held: tuple[str, ...] | None = None
        self._watch = watch

    # ---- what a core has of its own -------------------------------------------------------------------------------------
    @abstractmethod
    def _model(self) -> Cycles:
        """The cycle contract of the core, from the cycle after ``rst`` on."""

    @abstractmethod
    def _event_ports(self, event: Any) -> dict[str, int]:
        """``in_last`` and the payload of an event, of a marker or, for ``NOTHING``, of noise."""

    @abstractmethod
    def _noise(self) -> Request:
        """A request for the bus to carry while none is made."""

    @abstractmethod
    def _address(self, request: Request) -> int:
        """A request's address as the bus takes it."""

    @abstractmethod
    def _compare_update(self, update: Any) -> None:
        """Hold the write-back ports against the model's update and count its bins."""

    def _answered(self, expected: Outputs) -> Outputs:
        """The outputs, completed by what depends on the inputs of the same cycle."""
        return expected

    @abstractmethod
    def _struck(self, expected: Outputs) -> None:
        """Tell the model what a cycle with ``rst`` leaves undone or lets happen."""

    # ---- what tests say -------------------------------------------------------------------------------------------------
    async def start(self) -> None:
        """Start the clock and reset the core."""
        start_clock(self.dut)
        await self.reset()

    async def reset(self, cycles: int = 1) -> None:
        """Hold ``rst`` for some cycles; what waited to be sent is forgotten."""
        if self._expected is not None:
            bins.of_reset(self._expected)
        bins.hit("reset for several cycles", cycles > 1)
        for _ in range(cycles):
            await self._cycle(reset=True)
        self.events.clear()
        self.requests.clear()
        self._offered_event = self._offered_request = False

    def send(self, *events: Any) -> None:
        """Queue events."""
        self.events.extend(events)

    def end_tick(self) -> None:
        """Queue an end-of-tick marker."""
        self.events.append(None)

    def ask(self, region: int, offset: int, data: int | None = None) -> Request:
        """Queue a request: a write with ``data``, else a read; any numbers, also of what is not there."""
        made = Request(data is not None, region, offset, (data or 0) & 0xFFFFFFFF)
        self.requests.append(made)
        return made

    def request(self, region: str, offset: int = 0, data: int | None = None) -> Request:
        """Queue a request to a region: a write with ``data``, else a read."""
        return self.ask(self.regions[region], offset, data)

    async def read_register(self, name: str) -> int:
        return await self.answer(self.request("register", self.registers[name]))

    async def write_register(self, name: str, data: int) -> None:
        await self.answer(self.request("register", self.registers[name], data))

    async def clear(self) -> None:
        """Clear by register, to the end of the walk."""
        await self.write_register("control", 1)
        await self.settle()

    async def let_wait(self, phase: str, cycles: int = 150) -> None:
        """Run into a phase, take no packet for some cycles, then few, to the end."""
        await self.run_until(lambda: self.phase == phase)
        self.pace = Pace(packets=0.0)
        if phase == "marker":
            await self.run(3)
        await self.run(cycles)
        self.pace = Pace(packets=0.3)
        await self.settle()
        self.pace = Pace()

    async def settle(self) -> None:
        """Run until everything queued is done and the core is idle."""
        await self.run_until(lambda: not self.events and not self.requests and self._idle)

    async def run_until(self, done: Callable[[], bool]) -> None:
        """Run at least one cycle and until ``done()``."""
        for _ in range(200_000):
            await self._cycle()
            if done():
                return
        raise AssertionError("the core does not come to an end")

    async def run(self, cycles: int) -> None:
        """Run some cycles."""
        for _ in range(cycles):
            await self._cycle()

    async def tick(self, *events: Any) -> list[Any]:
        """Events and a marker, to the end; gives the updates of the tick."""
        self.send(*events)
        self.end_tick()
        await self.settle()
        return self._watch.finished

    async def answer(self, made: Request) -> int:
        """Run until a request is done; what it read (which is compared with the model as well), 0 if it was a write."""
        await self.run_until(lambda: made.done)
        return made.word or 0

    @property
    def phase(self) -> str:
        """What the core does in this cycle."""
        return self._expected.phase if self._expected is not None else "unknown"

    @property
    def _idle(self) -> bool:
        return self._expected is not None and self._expected.idle and not self._took

    # ---- one cycle ------------------------------------------------------------------------------------------------------
    async def _cycle(self, reset: bool = False) -> None:
        await self.rising
        self._next_expected()
        self._drive(reset=reset)
        await self.falling
        self.cycles += 1
        self._look(reset)

    def _next_expected(self) -> None:
        """Step the model over the edge that just came."""
        if self._cycles is None:
            return
        self._expected = next(self._cycles) if self._expected is None else self._cycles.send(self._seen)

    def _drive(self, reset: bool = False) -> None:
        """Put the inputs of a cycle; what is not valid carries noise."""
        draw = self.random
        if not self._offered_event and self.events and draw.random() < self.pace.events:
            self._offered_event = True
        if not self._offered_request and self.requests and draw.random() < self.pace.requests:
            self._offered_request = True
        event = self._event_ports(self.events[0] if self._offered_event else NOTHING)
        request = self.requests[0] if self._offered_request else self._noise()
        self._put("rst", int(reset))
        self._put("in_valid", int(self._offered_event))
        for name, value in event.items():
            self._put(name, value)
        self._put("out_ready", int(draw.random() < self.pace.packets))
        self._put("cfg_valid", int(self._offered_request))
        self._put("cfg_write", int(request.write))
        self._put("cfg_addr", self._address(request))
        self._put("cfg_wdata", request.data)
        self._seen = Inputs(
            in_valid=int(self._offered_event),
            out_ready=self._driven["out_ready"],
            cfg_valid=int(self._offered_request),
            cfg_write=int(request.write),
            region=request.region,
            offset=request.offset,
            cfg_wdata=request.data,
            **event,
        )

    def _put(self, name: str, value: int) -> None:
        if self._driven.get(name) != value:
            self._driven[name] = value
            self._handle(name).value = value

    def _handle(self, name: str) -> Any:
        if name not in self._handles:
            self._handles[name] = getattr(self.dut, name)
        return self._handles[name]

    def _get(self, name: str) -> int:
        return int(self._handle(name).value)

    def _look(self, reset: bool) -> None:
        """Compare the outputs of this cycle with the model, then see what was handed over."""
        if self._expected is not None:
            self._expected = self._answered(self._expected)
            self._compare(self._expected)
            self._watch.cycle(self._expected, self._seen, reset)
            self._hand_over(self._expected, reset)
        if reset:
            if self._expected is not None:
                self._struck(self._expected)
            self.core.reset()
            self._cycles, self._expected = self._model(), None
            self._held = None

    def _compare(self, expected: Outputs) -> None:
        seen = self._seen
        self._same("in_ready", int(expected.idle and not seen.cfg_valid))
        self._same("cfg_ready", int(expected.cfg_ready))
        self._same("out_valid", int(expected.last or expected.packet is not None))
        self._same("upd_valid", int(expected.update is not None))
        if expected.cfg_rdata is not None:
            self._same("cfg_rdata", expected.cfg_rdata)
        if expected.update is not None:
            self._compare_update(expected.update)
        if expected.packet is not None:
            self._same("out_last", 0)
            for name, value in zip(self.packet_ports, expected.packet, strict=True):
                self._same(name, value)
        if expected.last:
            self._same("out_last", 1)
            self._stable_marker()
        else:
            self._held = None

    def _stable_marker(self) -> None:
        """What a marker carries means nothing, but it stays while it waits."""
        carried = tuple(str(self._handle(name).value) for name in self.packet_ports)
        assert self._held in (None, carried), "the marker changes while it waits"
        self._held = carried

    def _same(self, name: str, wanted: int) -> None:
        found = self._get(name)
        if found != wanted:
            raise AssertionError(f"{name} is {found:#x}, must be {wanted:#x} ({self.phase}, {self._expected})")

    def _hand_over(self, expected: Outputs, reset: bool) -> None:
        self._took = False
        if reset:
            return
        if expected.idle and self._offered_event and not self._offered_request:
            self._took = True
            self.events.popleft()
            self._offered_event = False
        if expected.cfg_ready:
            self._took = expected.idle
            request = self.requests.popleft()
            request.done = True
            request.word = expected.cfg_rdata
            self._offered_request = False


class Watch:
    """Bins that need more than one cycle; those that every core has."""

    def __init__(self, core: Any):
        self.core = core
        self.finished: list[Any] = []
        self._updates: list[Any] = []
        self._axons: list[int] = []
        self._stalls = self._waited = 0
        self._last_taken = ""
        self._idle_before = True
        self._error_before = False
        self._phase_before = ""

    # ---- what a core has of its own -------------------------------------------------------------------------------------
    def _tick_ended(self, updates: list[Any], stalls: int) -> None:
        """A marker was taken."""

    def _packet(self, waits: bool) -> None:
        """A packet stands at the output in this cycle."""

    def _spike(self, seen: Inputs) -> None:
        """An event goes in; sampled before the model does what it brings."""

    def _served(self, seen: Inputs) -> None:
        """A request was answered."""

    # ---- one cycle ------------------------------------------------------------------------------------------------------
    def cycle(self, expected: Outputs, seen: Inputs, reset: bool) -> None:
        """Sample one cycle that agreed with the model."""
        self._output(expected, seen)
        self._bus(expected, seen)
        if expected.idle and not seen.cfg_valid and seen.in_valid and not reset:
            self._taken(seen)
        if expected.update is not None:
            self._updates.append(expected.update)
        if expected.last and seen.out_ready:
            self._tick_ended(self._updates, self._stalls)
            self.finished, self._updates, self._stalls = self._updates, [], 0
        bins.hit("error cleared", self._error_before and not self.core.error)
        self._error_before = self.core.error
        if reset:
            self._updates, self._axons, self._stalls, self._last_taken = [], [], 0, ""
        self._idle_before, self._phase_before = expected.idle, expected.phase

    def _output(self, expected: Outputs, seen: Inputs) -> None:
        if not expected.last and expected.packet is None:
            return
        waits = not seen.out_ready
        if waits:
            self._stalls += 1
            self._waited += 1
            bins.hit("stall of the marker", expected.last)
            bins.hit("stall for 100 cycles", self._waited == LONG_STALL)
        else:
            self._waited = 0
        if expected.packet is not None:
            self._packet(waits)

    def _bus(self, expected: Outputs, seen: Inputs) -> None:
        if not seen.cfg_valid:
            return
        bins.hit("event waits for the bus", expected.idle and seen.in_valid)
        bins.hit("request waits for an event", expected.phase == "event")
        bins.hit("request waits for a tick", expected.phase == "sweep")
        bins.hit("request waits for a clear", expected.phase == "clear")
        bins.hit("request between events of a tick", expected.idle and self._axons)
        bins.hit("requests back to back", expected.idle and self._phase_before == "config")
        if expected.cfg_ready:
            self._served(seen)

    def _taken(self, seen: Inputs) -> None:
        """An event or marker goes in."""
        at_once = not self._idle_before
        bins.hit("event waits for a clear", self._phase_before == "clear")
        if seen.in_last:
            bins.hit("marker right after a marker", at_once and self._last_taken == "marker")
            bins.hit("marker right after an event", at_once and self._last_taken == "event")
            bins.hit("tick without events", not self._axons)
            bins.hit("tick with many events", len(self._axons) > self.core.axons)
            self._axons, self._last_taken = [], "marker"
            return
        axon = seen.in_axon
        bins.hit("events back to back", at_once and self._last_taken == "event")
        bins.hit("event right after a marker", at_once and self._last_taken == "marker")
        bins.hit("event on the first axon", axon == 0)
        bins.hit("event on the last axon", axon == self.core.axons - 1)
        bins.hit("event beyond the axons", axon >= self.core.axons)
        bins.hit("same axon twice", axon in self._axons)
        self._last_taken = "event"
        self._axons.append(axon)
        self._spike(seen)
