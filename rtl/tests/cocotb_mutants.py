"""Runs the protocol tests on a netlist that holds many mutants of ``lif_core``, one after the other: which test kills which."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cocotb

from rtl.tests import cocotb_lif_counters
from rtl.tests.bench import start_clock
from rtl.tests.cocotb_lif_core import BODIES
from rtl.tests.core_bench import Bench, build_of_environment

MUTANTS_VARIABLE = "CORE_MUTANTS"
CONTROL = "mutant"
"""Input that says which mutant is meant; 0 is the core itself."""
FIRST = ("random_programs_follow_the_rule_under_random_stalls", "packets_wait_as_long_as_nobody_takes_them")
"""Tests that kill most mutants; the others follow."""
ORDER = (*FIRST, *(name for name in BODIES if name not in FIRST))


async def killer(
    bench_of: Any, bodies: Mapping[str, Callable[[Any], Awaitable[None]]], order: Sequence[str]
) -> dict[str, Any] | None:
    """The first test that finds the mutant, with the cycles that the test took and what it saw; None if all pass."""
    for name in order:
        bench = bench_of(name)
        try:
            await bench.reset()
            await bodies[name](bench)
        except AssertionError as difference:
            return {"test": name, "cycle": bench.cycles, "saw": str(difference).split(" (")[0].splitlines()[0][:80]}
    return None


# The tests of the imported modules are also cocotb tests of theirs; here only this one runs.
@cocotb.test()
async def every_mutant_meets_the_tests(dut: Any) -> None:
    assert cocotb_lif_counters.COUNTERS
    build = build_of_environment()
    start_clock(dut)
    verdicts = {}
    for number in json.loads(os.environ[MUTANTS_VARIABLE]):
        dut.mutant.value = number
        verdicts[number] = await killer(lambda name: Bench(dut, build, name), BODIES, ORDER)
    Path("verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")
