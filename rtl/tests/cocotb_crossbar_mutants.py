"""Runs the protocol tests on a netlist that holds mutants of ``crossbar_core``, one after the other: which test kills which."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb

from rtl.tests import cocotb_crossbar_counters
from rtl.tests.bench import start_clock
from rtl.tests.cocotb_crossbar_core import BODIES
from rtl.tests.cocotb_mutants import MUTANTS_VARIABLE, killer
from rtl.tests.crossbar_bench import Bench, build_of_environment

FIRST = (cocotb_crossbar_counters.FIRST, "thresholds_with_their_random_part_are_met_exactly")
"""Tests that kill most mutants; the others follow."""
TESTS_VARIABLE = "CORE_MUTANT_TESTS"
"""Names of the tests that judge; all if there are none."""
ORDER = (*FIRST, *(name for name in BODIES if name not in FIRST))


# The tests of the imported modules are also cocotb tests of theirs; here only this one runs.
@cocotb.test()
async def every_mutant_meets_the_tests(dut: Any) -> None:
    build = build_of_environment()
    start_clock(dut)
    chosen = json.loads(os.environ[TESTS_VARIABLE])
    order = [name for name in ORDER if not chosen or name in chosen]
    verdicts = {}
    for number in json.loads(os.environ[MUTANTS_VARIABLE]):
        dut.mutant.value = number
        verdicts[number] = await killer(lambda name: Bench(dut, build, name), BODIES, order)
    Path("verdicts.json").write_text(json.dumps(verdicts), encoding="utf-8")
