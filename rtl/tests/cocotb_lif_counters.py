"""What a counter does at its end: the test puts it there, which only a simulation of the Verilog sources can do."""

from __future__ import annotations

from neuroemu.families.lifcore import dynamics
from rtl.tests.cocotb_lif_core import core_test, load_chatty, load_random, queue_registers
from rtl.tests.core_bench import Bench, Pace
from rtl.tests.core_model import word

ALL_ONES = (1 << 32) - 1


@core_test
async def counters_wrap_after_32_bits(bench: Bench) -> None:
    await load_chatty(bench)
    counters = bench.dut.g_counters
    for distance in (1, 5, 20):
        counters.cycle_counter.value = counters.stall_counter.value = ALL_ONES - distance
        counters.left_range_counter.value = ALL_ONES - 1
        bench.core.cycles = bench.core.stalls = ALL_ONES - distance
        bench.core.left_range = ALL_ONES - 1
        queue_registers(bench, mode=word("mode", reset=dynamics.RESET_SUBTRACT))
        bench.pace = Pace(packets=0.3)
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
