"""What a counter does at its end: the test puts it there, which only a simulation of the Verilog sources can do."""

from __future__ import annotations

from typing import Any

from neuroemu.families.lifcore import dynamics
from rtl.tests.bench import Pace
from rtl.tests.cocotb_lif_core import core_test, load_chatty, load_random, queue_registers
from rtl.tests.core_bench import Bench
from rtl.tests.core_model import word

COUNTERS = ("cycle_counter", "stall_counter", "left_range_counter")
ALL_ONES = (1 << 32) - 1


def counters_of(dut: Any) -> list[Any]:
    """The registers of the counters; the netlist of the mutation run has them in a module of their own."""
    if hasattr(dut, "g_counters"):
        return [getattr(dut.g_counters, name) for name in COUNTERS]
    return [getattr(dut, f"{name}_cell").Q for name in COUNTERS]


@core_test
async def counters_wrap_after_32_bits(bench: Bench) -> None:
    await load_chatty(bench)
    cycles, stalls, left_range = counters_of(bench.dut)
    for distance in (1, 5, 20):
        cycles.value = stalls.value = ALL_ONES - distance
        left_range.value = ALL_ONES - 1
        bench.core.cycles = bench.core.stalls = ALL_ONES - distance
        bench.core.left_range = ALL_ONES - 1
        queue_registers(bench, mode=word("mode", reset=dynamics.RESET_SUBTRACT))
        bench.pace = Pace(packets=0.3)
        for _ in range(4):
            await bench.tick(0)
        bench.pace = Pace()
        assert await bench.read_register("cycles") < ALL_ONES // 2
        assert await bench.read_register("stalls") < ALL_ONES // 2
        assert await bench.read_register("left_range") < ALL_ONES // 2


@core_test
async def ticks_stop_at_all_ones_of_their_register(bench: Bench) -> None:
    await load_random(bench)
    last = (1 << bench.build.START_BITS) - 1
    bench.dut.tick.value = bench.core.tick = last - 2
    for passed in range(4):
        await bench.tick(0)
        assert await bench.read_register("tick") == min(last - 1 + passed, last)
    await bench.clear()
    assert await bench.read_register("tick") == 0


@core_test
async def counters_count_on_from_any_number(bench: Bench) -> None:
    await load_chatty(bench)
    names = ("cycles", "stalls", "left_range")
    registers = dict(zip(names, counters_of(bench.dut), strict=True))
    for _ in range(6):
        for name in names:
            number = bench.random.getrandbits(32)
            registers[name].value = number
            setattr(bench.core, name, number)
            assert await bench.read_register(name) == number
        bench.pace = Pace(packets=0.5)
        await bench.tick(0)
        bench.pace = Pace()
        for name in names:
            await bench.read_register(name)
