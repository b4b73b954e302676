"""Protocol tests of ``aer_fifo`` alone under cocotb, against a queue of Python."""

from __future__ import annotations

import json
import os
import random
from collections import deque
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from rtl.tests import bins

SHAPE_VARIABLE = "AER_FIFO"


class FifoBench:
    """The queue and its model; every cycle offers and takes words with given chances."""

    def __init__(self, dut: Any):
        shape = json.loads(os.environ[SHAPE_VARIABLE])
        self.dut, self.depth, self.width = dut, shape["DEPTH"], shape["WIDTH"]
        self.random = random.Random(str(shape))
        self.words: deque[int] = deque()
        self.passed = 0
        self._offered: int | None = None

    async def start(self) -> None:
        Clock(self.dut.clk, 10, unit="ns").start()
        self.dut.rst.value, self.dut.in_valid.value, self.dut.out_ready.value = 1, 0, 0
        self.dut.in_data.value = 0
        await RisingEdge(self.dut.clk)
        await FallingEdge(self.dut.clk)

    async def cycle(self, put: float, take: float, reset: bool = False) -> None:
        """One cycle: a word that was not taken stays offered."""
        dut = self.dut
        await RisingEdge(dut.clk)
        if self._offered is None and self.random.random() < put:
            self._offered = self.random.getrandbits(self.width)
        ready = self.random.random() < take
        dut.rst.value = int(reset)
        dut.in_valid.value = int(self._offered is not None)
        dut.in_data.value = self.random.getrandbits(self.width) if self._offered is None else self._offered
        dut.out_ready.value = int(ready)
        await FallingEdge(dut.clk)
        full, empty = len(self.words) == self.depth, not self.words
        assert int(dut.in_ready.value) == int(not full)
        assert int(dut.out_valid.value) == int(not empty)
        if not empty:
            assert int(dut.out_data.value) == self.words[0]
        bins.hit("fifo full", full and self._offered is not None)
        bins.hit("fifo empty", empty)
        bins.hit("fifo passes when full", full and ready)
        if reset:
            self.words.clear()
            return
        if not empty and ready:
            self.words.popleft()
            self.passed += 1
        if self._offered is not None and not full:
            self.words.append(self._offered)
            self._offered = None


@cocotb.test()
async def words_leave_in_order_whatever_either_side_does(dut: Any) -> None:
    bench = FifoBench(dut)
    await bench.start()
    for put, take in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5), (0.9, 0.2), (0.2, 0.9), (1.0, 0.5)):
        for _ in range(60):
            await bench.cycle(put, take)
    assert bench.passed > 3 * bench.depth
    bins.hit("fifo wraps")
    bins.save(Path("bins.json"))


@cocotb.test()
async def a_reset_empties_the_queue(dut: Any) -> None:
    bench = FifoBench(dut)
    await bench.start()
    for words in range(bench.depth + 1):
        for _ in range(words):
            await bench.cycle(1.0, 0.0)
        for _ in range(words):
            await bench.cycle(0.3, 0.5)
        await bench.cycle(0.5, 0.5, reset=True)
        for _ in range(10):
            await bench.cycle(0.6, 0.4)
    bins.save(Path("bins.json"))
