"""What counters of ``crossbar_core`` do at their end: the test puts them there, which only a simulation of the sources can do."""

from __future__ import annotations

from neuroemu.families.truenorth import dynamics
from rtl.tests import bins
from rtl.tests.bench import Pace
from rtl.tests.cocotb_crossbar_core import core_test, load, load_chatty, signed
from rtl.tests.crossbar_bench import Bench
from rtl.tests.crossbar_model import ALL_ONES, COUNTERS, packed_row

FIRST = "counters_count_on_from_any_number"


def put(bench: Bench, name: str, number: int) -> None:
    """A counter of the core and of the model stands at ``number``; in the mutation run's netlist its register is a module."""
    cell = f"{name}_cell"
    register = getattr(bench.dut, cell).Q if hasattr(bench.dut, cell) else getattr(bench.dut, name)
    register.value = number
    bench.core.counts[name] = number


@core_test
async def counters_wrap_after_32_bits(bench: Bench) -> None:
    rows = {"V": dynamics.HIGHEST, "gamma": dynamics.RESET_NONE, "delay": 1, **signed("lambda", 7), "s0": 1}
    await load(bench, [packed_row(bench.build, 1, **rows)])
    for distance in (0, 1, 3):
        for name in COUNTERS:
            put(bench, name, ALL_ONES - distance)
        bench.pace = Pace(packets=0.3)
        for _ in range(2):
            await bench.tick((0, 1), (0, 1), (0, 1), (0, 1), (0, 1))
        bench.pace = Pace()
        for name in COUNTERS:
            assert await bench.read_register(name) < ALL_ONES // 2
        bins.hit("counter wraps")


@core_test
async def counters_count_on_from_any_number(bench: Bench) -> None:
    await load_chatty(bench)
    for _ in range(6):
        for name in COUNTERS:
            number = bench.random.getrandbits(32)
            put(bench, name, number)
            assert await bench.read_register(name) == number
        bench.pace = Pace(packets=0.5)
        await bench.tick((0, 1))
        bench.pace = Pace()
        for name in COUNTERS:
            await bench.read_register(name)
