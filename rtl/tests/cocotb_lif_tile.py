"""Tests of ``lif_tile`` under cocotb: a core between two queues loses nothing, keeps the order and counts the same cycles."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

import cocotb

from rtl.tests import bins
from rtl.tests.bench import Pace
from rtl.tests.cocotb_lif_core import axons, load_chatty, load_random, no_leak, queue_registers
from rtl.tests.core_bench import Bench, build_of_environment
from rtl.tests.core_model import Packet, register_address
from rtl.tests.ports import MARKER


class TileBench(Bench):
    """The bench of the core, with a scoreboard in order but not in cycles: queues lie between the core and the ports.

    Requests are made while nothing else is under way; then the model knows what they read.
    """

    def __init__(self, dut: Any, seed: str):
        super().__init__(dut, build_of_environment(), seed)
        self.expected: deque[Packet | None] = deque()
        self.blocked = 0
        self._waiting: tuple[int, ...] | None = None

    @property
    def _idle(self) -> bool:
        return not self.expected

    def _next_expected(self) -> None:
        """The model moves when events are handed over."""

    def _look(self, reset: bool) -> None:
        if reset:
            self.core.reset()
            self.expected.clear()
            self._waiting = None
            return
        self._input()
        self._output()
        if self._get("cfg_ready"):
            self._request_done()

    def _input(self) -> None:
        if not self._offered_event:
            return
        if not self._get("in_ready"):
            self.blocked += 1
            bins.hit("event while the fifo is full")
            return
        event = self.events.popleft()
        self._offered_event = False
        self.blocked = 0
        if event is not MARKER:
            self.core.event(event)
            return
        for update in self.core.sweep():
            self.expected.extend(update.packets)
        self.expected.append(MARKER)

    def _output(self) -> None:
        if not self._get("out_valid"):
            assert self._waiting is None, "what waits at the output goes away"
            return
        carried = (self._get("out_last"), self._get("out_core"), self._get("out_axon"))
        assert self._waiting in (None, carried), "what waits at the output changes"
        self._waiting = None if self._driven["out_ready"] else carried
        if not self._driven["out_ready"]:
            return
        wanted = self.expected.popleft()
        found = MARKER if carried[0] else carried[1:]
        assert found == wanted, f"{found} comes out, must be {wanted}"

    def _request_done(self) -> None:
        made = self.requests.popleft()
        self._offered_request, made.done = False, True
        if made.write:
            if self.core.write(made.region, made.offset, made.data):
                self.core.clear()
            return
        made.word = self._get("cfg_rdata")
        if (made.region, made.offset) == register_address("stalls"):
            bins.hit("packets wait in the fifo", made.word)
            self.core.stalls = made.word
        wanted = self.core.read(made.region, made.offset)
        assert made.word == wanted, f"region {made.region}, offset {made.offset} reads {made.word:#x}, not {wanted}"


async def tile(dut: Any, seed: str) -> TileBench:
    bench = TileBench(dut, seed)
    await bench.start()
    return bench


async def read_state(bench: TileBench) -> None:
    """Potentials, refractory counters and all counters agree with the model."""
    for neuron in range(bench.build.NEURONS):
        bench.request("potential", neuron)
        bench.request("refractory", neuron)
    for name in ("tick", "cycles", "stalls", "left_range", "status"):
        bench.request("register", register_address(name)[1])
    await bench.settle()


@cocotb.test()
async def a_tile_computes_what_the_core_computes(dut: Any) -> None:
    bench = await tile(dut, "random programs")
    for paces in (Pace(), Pace(0.5, 0.5), Pace(1.0, 0.15), Pace(0.2, 1.0), Pace(0.9, 0.6)):
        bench.pace = Pace()
        await load_random(bench)
        bench.pace = paces
        for _ in range(6):
            bench.send(*axons(bench.build, bench.random, bench.build.AXONS + 2))
            bench.end_tick()
        await bench.settle()
        bench.pace = Pace()
        await read_state(bench)
        await bench.write_register("control", 1)
    bins.save(Path("bins.json"))


@cocotb.test()
async def a_blocked_output_stops_the_input_and_loses_nothing(dut: Any) -> None:
    bench = await tile(dut, "blocked")
    await load_chatty(bench)
    bench.pace = Pace(packets=0.0)
    for _ in range(6):
        bench.send(0, bench.build.AXONS - 1)
        bench.end_tick()
    await bench.run(700)
    assert bench.blocked > 200
    assert bench.events
    bench.pace = Pace()
    await bench.settle()
    assert await bench.read_register("stalls") > 200
    await read_state(bench)
    bins.save(Path("bins.json"))


@cocotb.test()
async def a_reset_empties_both_queues(dut: Any) -> None:
    bench = await tile(dut, "reset")
    await load_chatty(bench)
    for cycles in (5, 30, 61, 62, 63, 90):
        bench.pace = Pace(packets=0.1)
        for _ in range(3):
            bench.send(0)
            bench.end_tick()
        await bench.run(cycles)
        await bench.reset()
        bench.pace = Pace()
        queue_registers(bench, leak=no_leak(bench.build))
        await bench.settle()
        bench.send(0, bench.build.AXONS - 1)
        bench.end_tick()
        await bench.settle()
        await read_state(bench)
    bins.save(Path("bins.json"))
