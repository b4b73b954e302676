"""Bench around ``lif_core``: its events and packets, its updates, and the bins that it alone has."""

from __future__ import annotations

import json
import os
from typing import Any

from neuroemu.families.lifcore.registers import REGION_BITS, REGION_NUMBER, REGISTER_NUMBER
from rtl.tests import bins, core_bins
from rtl.tests.bench import NOTHING, CoreBench, Request, Watch
from rtl.tests.core_model import Build, Core, Update, cycles_of, register_address
from rtl.tests.ports import MARKER, Cycles, Inputs, Outputs, index_bits

BUILD_VARIABLE = "LIF_CORE_BUILD"


def build_of_environment() -> Build:
    """Parameters that the simulated core was built with."""
    return Build(**json.loads(os.environ[BUILD_VARIABLE]))


class Bench(CoreBench):
    """The core, its model, and queues of axon numbers and requests."""

    packet_ports = ("out_core", "out_axon")
    regions, registers = REGION_NUMBER, REGISTER_NUMBER

    def __init__(self, dut: Any, build: Build, seed: str):
        self.build = build
        core = Core(build)
        super().__init__(dut, core, CoreWatch(core), seed)

    # ---- one cycle ------------------------------------------------------------------------------------------------------
    def _model(self) -> Cycles:
        return cycles_of(self.core)

    def _event_ports(self, event: Any) -> dict[str, int]:
        draw, bits = self.random, index_bits(self.build.AXONS)
        if event is MARKER:
            return {"in_last": 1, "in_axon": draw.getrandbits(bits)}
        if event == NOTHING:
            return {"in_last": draw.getrandbits(1), "in_axon": draw.getrandbits(bits)}
        return {"in_last": 0, "in_axon": event}

    def _noise(self) -> Request:
        draw = self.random
        region, offset = draw.getrandbits(REGION_BITS), draw.getrandbits(self.build.offset_bits)
        return Request(bool(draw.getrandbits(1)), region, offset, draw.getrandbits(32))

    def _address(self, request: Request) -> int:
        return request.region << self.build.offset_bits | request.offset

    def _compare_update(self, update: Update) -> None:
        mask = (1 << self.build.V_BITS) - 1
        self._same("upd_neuron", update.neuron)
        self._same("upd_spiked", int(update.spiked))
        self._same("upd_left_range", int(update.left_range))
        self._same("upd_v", update.v & mask)
        self._same("upd_u", update.u & mask)
        self._same("upd_refractory", update.refractory)
        core_bins.of_update(update, self.core)

    def _struck(self, expected: Outputs) -> None:
        """A reset in a write leaves a word that nobody knows."""
        seen = self._seen
        if expected.phase == "config" and seen.cfg_write and 0 < seen.region <= max(REGION_NUMBER.values()):
            memory = list(REGION_NUMBER)[seen.region]
            self.core.memories[memory][seen.offset] = None


class CoreWatch(Watch):
    """Bins of packets, sizes and accumulators."""

    def __init__(self, core: Core):
        super().__init__(core)
        self._place = 0
        self._sender: Update | None = None

    def _packet(self, waits: bool) -> None:
        sender = self._updates[-1]
        if sender is not self._sender:
            self._sender, self._place = sender, 0
        last = len(sender.packets) - 1
        if waits:
            bins.hit("stall of a first packet", self._place == 0)
            bins.hit("stall of a later packet", self._place > 0)
            bins.hit("stall of a last packet", self._place == last and last > 0)
        else:
            self._place += 1

    def _tick_ended(self, updates: list[Update], stalls: int) -> None:
        core_bins.of_tick(updates, stalls, self.core)

    def _served(self, seen: Inputs) -> None:
        address, data = (seen.region, seen.offset), seen.cfg_wdata
        if seen.cfg_write:
            sized = address == register_address("size")
            bins.hit("size 0 refused", sized and data == 0)
            bins.hit("size beyond the build refused", sized and data > self.core.build.NEURONS)
            bins.hit("clear by register", address == register_address("control") and data & 1)

    def _spike(self, seen: Inputs) -> None:
        """Whether an accumulator is about to wrap."""
        axon = seen.in_axon
        if axon >= self.core.build.AXONS:
            return
        highest = (1 << (self.core.build.ACC_BITS - 1)) - 1
        for neuron in range(self.core.size):
            total = self.core.entry("accumulator", neuron)["arrived"]
            total += self.core.entry("weight", axon * self.core.build.NEURONS + neuron)["weight"]
            bins.hit("accumulator wraps up", total > highest)
            bins.hit("accumulator wraps down", total < -highest - 1)
