"""Bench around ``lif_core``: drives every channel with random pauses and holds every output of every cycle against the model.

Inputs change after a rising edge, outputs are looked at on the falling edge, so any simulator settles in between. A cycle
that differs from :func:`core_model.cycles_of` fails at once; tests therefore only say what goes in.
"""

from __future__ import annotations

import json
import os
import random
from collections import deque
from dataclasses import dataclass
from typing import Any

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from neuroemu.families.lifcore.registers import REGION_BITS, REGION_NUMBER
from rtl.tests import bins
from rtl.tests.core_model import (
    MARKER,
    Build,
    Core,
    Cycles,
    Inputs,
    Outputs,
    Update,
    cycles_of,
    index_bits,
    register_address,
)

BUILD_VARIABLE = "LIF_CORE_BUILD"
LONG_STALL = 100


def build_of_environment() -> Build:
    """Parameters that the simulated core was built with."""
    return Build(**json.loads(os.environ[BUILD_VARIABLE]))


def start_clock(dut: Any) -> None:
    """Let the clock run for the rest of the test."""
    Clock(dut.clk, 10, unit="ns").start()


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


class Bench:
    """The core, its model, and queues of what is to be sent."""

    def __init__(self, dut: Any, build: Build, seed: str):
        self.dut, self.build = dut, build
        self.random = random.Random(seed)
        self.core = Core(build)
        self.pace = Pace()
        self.cycles = 0
        self.events: deque[int | None] = deque()
        self.requests: deque[Request] = deque()
        self.rising, self.falling = RisingEdge(dut.clk), FallingEdge(dut.clk)
        self._driven: dict[str, int] = {}
        self._handles: dict[str, Any] = {}
        self._cycles: Cycles | None = None
        self._expected: Outputs | None = None
        self._offered_event = self._offered_request = self._took_event = False
        self._held: tuple[str, str] | None = None
        self._watch = Watch(self.core)

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

    def send(self, *axons: int) -> None:
        """Queue events."""
        self.events.extend(axons)

    def end_tick(self) -> None:
        """Queue an end-of-tick marker."""
        self.events.append(MARKER)

    def request(self, region: str, offset: int, data: int | None = None) -> Request:
        """Queue a request: a write with ``data``, else a read."""
        made = Request(data is not None, REGION_NUMBER[region], offset, (data or 0) & 0xFFFFFFFF)
        self.requests.append(made)
        return made

    async def settle(self) -> None:
        """Run until everything queued is done and the core is idle."""
        await self.run_until(lambda: not self.events and not self.requests and self._idle)

    async def run_until(self, done: Any) -> None:
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

    async def tick(self, *axons: int) -> list[Update]:
        """Events and a marker, to the end; gives the updates of the tick."""
        self.send(*axons)
        self.end_tick()
        await self.settle()
        return self._watch.finished

    async def write(self, region: str, offset: int, data: int) -> None:
        """Write a word and wait until it is done."""
        made = self.request(region, offset, data)
        await self.run_until(lambda: made.done)

    async def read(self, region: str, offset: int) -> int:
        """Read a word (it is compared with the model as well)."""
        made = self.request(region, offset)
        await self.run_until(lambda: made.done)
        assert made.word is not None
        return made.word

    async def read_register(self, name: str) -> int:
        return await self.read("register", register_address(name)[1])

    async def write_register(self, name: str, data: int) -> None:
        await self.write("register", register_address(name)[1], data)

    async def clear(self) -> None:
        """Clear by register, to the end of the walk."""
        await self.write_register("control", 1)
        await self.settle()

    @property
    def phase(self) -> str:
        """What the core does in this cycle."""
        return self._expected.phase if self._expected is not None else "unknown"

    @property
    def _idle(self) -> bool:
        return self._expected is not None and self._expected.idle and not self._took_event

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
        event = self.events[0] if self._offered_event else -1
        if event == -1:
            in_last, in_axon = draw.getrandbits(1), draw.getrandbits(index_bits(self.build.AXONS))
        elif event is MARKER:
            in_last, in_axon = 1, draw.getrandbits(index_bits(self.build.AXONS))
        else:
            in_last, in_axon = 0, event
        if self._offered_request:
            request = self.requests[0]
        else:
            region, offset = draw.getrandbits(REGION_BITS), draw.getrandbits(self.build.offset_bits)
            request = Request(bool(draw.getrandbits(1)), region, offset, draw.getrandbits(32))
        self._put("rst", int(reset))
        self._put("in_valid", int(self._offered_event))
        self._put("in_last", in_last)
        self._put("in_axon", in_axon)
        self._put("out_ready", int(draw.random() < self.pace.packets))
        self._put("cfg_valid", int(self._offered_request))
        self._put("cfg_write", int(request.write))
        self._put("cfg_addr", request.region << self.build.offset_bits | request.offset)
        self._put("cfg_wdata", request.data)
        self._seen = Inputs(
            int(self._offered_event),
            in_last,
            in_axon,
            self._driven["out_ready"],
            int(self._offered_request),
            int(request.write),
            request.region,
            request.offset,
            request.data,
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
            self._compare(self._expected)
            self._watch.cycle(self._expected, self._seen, reset)
            self._hand_over(self._expected, reset)
        if reset:
            self._forget_half_written()
            self.core.reset()
            self._cycles, self._expected = cycles_of(self.core), None
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
            self._same("out_core", expected.packet[0])
            self._same("out_axon", expected.packet[1])
        if expected.last:
            self._same("out_last", 1)
            self._stable_marker()
        else:
            self._held = None

    def _stable_marker(self) -> None:
        """What a marker carries means nothing, but it stays while it waits."""
        carried = str(self._handle("out_core").value), str(self._handle("out_axon").value)
        assert self._held in (None, carried), "the marker changes while it waits"
        self._held = carried

    def _compare_update(self, update: Update) -> None:
        mask = (1 << self.build.V_BITS) - 1
        self._same("upd_neuron", update.neuron)
        self._same("upd_spiked", int(update.spiked))
        self._same("upd_left_range", int(update.left_range))
        self._same("upd_v", update.v & mask)
        self._same("upd_u", update.u & mask)
        self._same("upd_refractory", update.refractory)
        bins.of_update(update, self.core)

    def _same(self, name: str, wanted: int) -> None:
        found = self._get(name)
        if found != wanted:
            raise AssertionError(f"{name} is {found:#x}, must be {wanted:#x} ({self.phase}, {self._expected})")

    def _hand_over(self, expected: Outputs, reset: bool) -> None:
        self._took_event = False
        if reset:
            return
        if expected.idle and self._offered_event and not self._offered_request:
            self._took_event = True
            self.events.popleft()
            self._offered_event = False
        if expected.cfg_ready:
            request = self.requests.popleft()
            request.done = True
            request.word = expected.cfg_rdata
            self._offered_request = False

    def _forget_half_written(self) -> None:
        """A reset in a write leaves a word that nobody knows."""
        seen = self._seen
        if self.phase == "config" and seen.cfg_write and 0 < seen.region <= max(REGION_NUMBER.values()):
            memory = list(REGION_NUMBER)[seen.region]
            self.core.memories[memory][seen.offset] = None


class Watch:
    """Bins that need more than one cycle."""

    def __init__(self, core: Core):
        self.core = core
        self.finished: list[Update] = []
        self._updates: list[Update] = []
        self._axons: list[int] = []
        self._stalls = self._waited = 0
        self._last_taken = ""
        self._idle_before = True
        self._error_before = False
        self._phase_before = ""
        self._place = 0

    def cycle(self, expected: Outputs, seen: Inputs, reset: bool) -> None:
        """Sample one cycle that agreed with the model."""
        self._output(expected, seen)
        self._bus(expected, seen)
        if expected.idle and not seen.cfg_valid and seen.in_valid and not reset:
            self._taken(seen)
        if expected.update is not None:
            self._updates.append(expected.update)
        if expected.last and seen.out_ready:
            bins.of_tick(self._updates, self._stalls, self.core)
            self.finished, self._updates, self._stalls = self._updates, [], 0
        bins.hit("error cleared", self._error_before and not self.core.error)
        self._error_before = self.core.error
        if reset:
            self._updates, self._axons, self._stalls, self._last_taken = [], [], 0, ""
        self._idle_before, self._phase_before = expected.idle, expected.phase

    def _output(self, expected: Outputs, seen: Inputs) -> None:
        waiting = expected.last or expected.packet is not None
        if waiting and not seen.out_ready:
            self._stalls += 1
            self._waited += 1
            bins.hit("stall of the marker", expected.last)
            bins.hit("stall for 100 cycles", self._waited == LONG_STALL)
            if expected.packet is not None:
                packets = self._updates[-1].packets
                place = self._sent_of(packets)
                bins.hit("stall of a first packet", place == 0)
                bins.hit("stall of a later packet", place > 0)
                bins.hit("stall of a last packet", place == len(packets) - 1 and len(packets) > 1)
        elif waiting:
            self._waited = 0
            self._place = self._sent_of(self._updates[-1].packets) + 1 if expected.packet is not None else 0
        if expected.update is not None:
            self._place = 0

    def _sent_of(self, packets: tuple[Any, ...]) -> int:
        return min(self._place, len(packets) - 1)

    def _bus(self, expected: Outputs, seen: Inputs) -> None:
        if not seen.cfg_valid:
            return
        bins.hit("event waits for the bus", expected.idle and seen.in_valid)
        bins.hit("request waits for an event", expected.phase == "event")
        bins.hit("request waits for a tick", expected.phase == "sweep")
        bins.hit("request waits for a clear", expected.phase == "clear")
        bins.hit("request between events of a tick", expected.idle and self._axons)
        bins.hit("requests back to back", expected.idle and self._phase_before == "config")
        address, data = (seen.region, seen.offset), seen.cfg_wdata
        if expected.cfg_ready and seen.cfg_write:
            sized = address == register_address("size")
            bins.hit("size 0 refused", sized and data == 0)
            bins.hit("size beyond the build refused", sized and data > self.core.build.NEURONS)
            bins.hit("clear by register", address == register_address("control") and data & 1)

    def _taken(self, seen: Inputs) -> None:
        """An event or marker goes in."""
        at_once = not self._idle_before
        bins.hit("event waits for a clear", self._phase_before == "clear")
        if seen.in_last:
            bins.hit("marker right after a marker", at_once and self._last_taken == "marker")
            bins.hit("marker right after an event", at_once and self._last_taken == "event")
            bins.hit("tick without events", not self._axons)
            bins.hit("tick with many events", len(self._axons) > self.core.build.AXONS)
            self._axons, self._last_taken = [], "marker"
            return
        axon = seen.in_axon
        bins.hit("events back to back", at_once and self._last_taken == "event")
        bins.hit("event right after a marker", at_once and self._last_taken == "marker")
        bins.hit("event on the first axon", axon == 0)
        bins.hit("event on the last axon", axon == self.core.build.AXONS - 1)
        bins.hit("event beyond the axons", axon >= self.core.build.AXONS)
        bins.hit("same axon twice", axon in self._axons)
        self._last_taken = "event"
        self._axons.append(axon)
        if axon < self.core.build.AXONS:
            self._wraps(axon)

    def _wraps(self, axon: int) -> None:
        """Whether an accumulator is about to wrap; sampled before the model adds the weights."""
        highest = (1 << (self.core.build.ACC_BITS - 1)) - 1
        for neuron in range(self.core.size):
            total = self.core.entry("accumulator", neuron)["arrived"]
            total += self.core.entry("weight", axon * self.core.build.NEURONS + neuron)["weight"]
            bins.hit("accumulator wraps up", total > highest)
            bins.hit("accumulator wraps down", total < -highest - 1)
