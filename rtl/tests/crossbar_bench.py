"""Bench around ``crossbar_core``: its spikes and packets, its updates, and the bins that it alone has."""

from __future__ import annotations

import json
import os
from typing import Any

from neuroemu.cosim.crossbar import CrossbarBuild
from neuroemu.families.truenorth.dynamics import POTENTIAL_BITS
from neuroemu.families.truenorth.memory import SLOTS
from neuroemu.families.truenorth.registers import OFFSET_BITS, REGION_NUMBER, REGISTER_NUMBER
from neuroemu.image.bus import REGION_BITS
from rtl.tests import crossbar_bins
from rtl.tests.bench import NOTHING, CoreBench, Request, Watch
from rtl.tests.crossbar_model import Core, Update, answered, cycles_of
from rtl.tests.ports import MARKER, Cycles, Inputs, Outputs

BUILD_VARIABLE = "CROSSBAR_CORE_BUILD"
NOISE_CHANGES = 0.25
"""Chance per cycle that inputs which nobody drives change."""
Spike = tuple[int, int]
"""Axon and delay."""
_EVENT_BITS = {"in_last": 1, "in_axon": 8, "in_delay": 4}


def build_of_environment() -> CrossbarBuild:
    """What the simulated core was built with."""
    return CrossbarBuild(**json.loads(os.environ[BUILD_VARIABLE]))


class Bench(CoreBench):
    """The core, its model, and queues of spikes and requests."""

    packet_ports = ("out_dx", "out_dy", "out_axon", "out_delay")
    regions, registers = REGION_NUMBER, REGISTER_NUMBER

    def __init__(self, dut: Any, build: CrossbarBuild, seed: str):
        self.build = build
        core = Core(build)
        super().__init__(dut, core, CrossbarWatch(core), seed)
        self._idle_event, self._idle_request = dict.fromkeys(_EVENT_BITS, 0), Request(False, 0, 0)

    # ---- what tests say -------------------------------------------------------------------------------------------------
    def queue_registers(self, **words: int) -> None:
        """Queue writes of registers."""
        for name, data in words.items():
            self.request("register", self.registers[name], data)

    # ---- one cycle ------------------------------------------------------------------------------------------------------
    def _model(self) -> Cycles:
        return cycles_of(self.core)

    def _event_ports(self, event: Any) -> dict[str, int]:
        if event is not MARKER and event != NOTHING:
            return {"in_last": 0, "in_axon": event[0], "in_delay": event[1]}
        self._refresh()
        return {**self._idle_event, "in_last": 1} if event is MARKER else self._idle_event

    def _noise(self) -> Request:
        return self._idle_request

    def _refresh(self) -> None:
        """New noise now and then; every cycle would double the time of a run."""
        draw = self.random
        if draw.random() < NOISE_CHANGES:
            self._idle_event = {name: draw.getrandbits(bits) for name, bits in _EVENT_BITS.items()}
            region, offset = draw.getrandbits(REGION_BITS), draw.getrandbits(OFFSET_BITS)
            self._idle_request = Request(bool(draw.getrandbits(1)), region, offset, draw.getrandbits(32))

    def _address(self, request: Request) -> int:
        return request.region << OFFSET_BITS | request.offset

    def _answered(self, expected: Outputs) -> Outputs:
        return answered(self.core, expected, self._seen)

    def _struck(self, expected: Outputs) -> None:
        """Axon types have no reset: a request in that very cycle still turns them."""
        seen = self._seen
        if expected.idle and seen.cfg_valid and seen.region == REGION_NUMBER["axon_type"]:
            if seen.cfg_write:
                self.core.write(seen.region, seen.offset, seen.cfg_wdata)
            else:
                self.core.turn_types()

    def _compare_update(self, update: Update) -> None:
        self._same("upd_neuron", update.neuron)
        self._same("upd_spiked", int(update.spiked))
        self._same("upd_left_range", int(update.left_range))
        self._same("upd_v", update.v & ((1 << POTENTIAL_BITS) - 1))
        crossbar_bins.of_update(update, self.core)


class CrossbarWatch(Watch):
    """Bins of packets, delays and requests."""

    def __init__(self, core: Core):
        super().__init__(core)
        self._sent: dict[tuple[int, int], int] = {}

    def _packet(self, waits: bool) -> None:
        crossbar_bins.of_packet(self._updates[-1].packet, waits)

    def _tick_ended(self, updates: list[Update], stalls: int) -> None:
        crossbar_bins.of_tick(updates, stalls, self.core)

    def _spike(self, seen: Inputs) -> None:
        """Spikes are known by slot and axon, with the tick in which the last one came."""
        slot = (self.core.tick + seen.in_delay - 1) % SLOTS, seen.in_axon
        crossbar_bins.of_spike(seen.in_axon, seen.in_delay, self.core, self._sent.get(slot, self.core.tick))
        self._sent[slot] = self.core.tick

    def _served(self, seen: Inputs) -> None:
        crossbar_bins.of_request(seen, self.core)
