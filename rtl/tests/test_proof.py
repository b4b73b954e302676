"""The Verilog datapath is the rule `tick` of the open LIF core for all inputs, and the prover finds what is not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from neuroemu.cosim.proof import (
    MODULE,
    Datapath,
    Proof,
    flat_netlist,
    prove,
    prove_datapath,
    run_yosys,
    smt_of,
    tick_of_ports,
)
from neuroemu.cosim.tools import sources
from neuroemu.errors import BadInput
from rtl.tests.evaluation import evaluated, evaluation

VERILOG = (sources() / f"{MODULE}.v").read_text(encoding="utf-8")
EVERYTHING: dict[str, Any] = {"factor": True, "shift": True, "constant": True, "current": True, "wrap": True}

WIDTHS = (8, 16, 24)
EVERY_MODE = [Datapath(v_bits=bits, acc_bits=bits, **EVERYTHING) for bits in WIDTHS]
SMALL_CORE = [Datapath(v_bits=bits, acc_bits=bits, stages=stages) for bits in WIDTHS for stages in (1, 3)]
THREE_STAGES = [Datapath(v_bits=8, stages=3, **EVERYTHING)]
ONE_FEATURE = [
    Datapath(v_bits=8, shift=False, factor=True),
    Datapath(v_bits=8, shift=False, constant=True),
    Datapath(v_bits=8, current=True),
    Datapath(v_bits=8, wrap=True),
]
ODD_WIDTHS = [
    Datapath(v_bits=5, acc_bits=9, shift_bits=4, ref_bits=1, **EVERYTHING),
    Datapath(v_bits=13, acc_bits=3, shift_bits=1, ref_bits=7, **EVERYTHING),
    Datapath(v_bits=2, acc_bits=2, shift_bits=1, ref_bits=2, stages=3, **EVERYTHING),
]
DATAPATHS = [*EVERY_MODE, *SMALL_CORE, *THREE_STAGES, *ONE_FEATURE, *ODD_WIDTHS]


@dataclass(frozen=True)
class Bug:
    """An edit of the Verilog text, and a datapath in which it shows."""

    name: str
    text: str
    instead: str
    datapath: Datapath


def bug(name: str, text: str, instead: str, **parameters: Any) -> Bug:
    """Bugs are looked for in narrow datapaths that have what they are about."""
    return Bug(name, text, instead, Datapath(**{"v_bits": 8, "acc_bits": 8, **parameters}))


BUGS = [
    bug("above for at or above", "{~wide_limit, compare}", "{~wide_limit, 1'b0}"),
    bug("at or above for above", "{~wide_limit, compare}", "{~wide_limit, 1'b1}"),
    bug("a soft reset does not saturate", "(rest_outside && !wrapping) ?", "(rest_outside && wrapping) ?"),
    bug("a soft reset saturates where it should wrap", "(rest_outside && !wrapping)", "rest_outside", wrap=True),
    bug("one silent tick is missing", "ready = counter == {REF_BITS{1'b0}}", "ready = counter <= 1"),
    bug("one silent tick too many", "spiked ? period :", "spiked ? period + 1'b1 :"),
    bug("a refractory neuron is not held", ": 1'b1;\n  wire subtracts", ": 1'b0;\n  wire subtracts"),
    bug("a negative leak rounds down", "whole = !(negative && lost)", "whole = 1'b1"),
    bug("a positive leak rounds up", "whole = !(negative && lost)", "whole = !lost"),
    bug("a lost bit is forgotten", "<< (1 << k))))", "<< k)))"),
    bug(
        "a negative factor leak rounds down", "negative ? -scaled : scaled", "negative ? ~scaled : scaled", factor=True
    ),
    bug("a constant leak goes beyond zero", "beyond = to[STEP_BITS-1] != negative", "beyond = 1'b0", constant=True),
    bug("a negative current turns positive", "u_negative ? -kept : kept", "kept", current=True),
    bug("the drive wraps where it should saturate", "(v_outside && !wrapping)", "(v_outside && 1'b0)"),
    bug("the drive saturates where it should wrap", "(v_outside && !wrapping)", "v_outside", wrap=True),
    bug("the lowest potential is out of reach", "{3{exact_v[V_BITS+1]}}", "{2'b0, exact_v[V_BITS-1]}"),
    bug("a current out of range is not counted", "left_range = kept_u_outside ||", "left_range ="),
    bug("the threshold of the next neuron", "limit = limit_cut", "limit = threshold", stages=3),
    bug("a stage runs on without advance", "if (advance) begin", "begin", stages=3),
]


@pytest.fixture(scope="module")
def netlists() -> dict[Datapath, str]:
    """All parameter sets by one run of yosys."""
    texts = smt_of(VERILOG, [datapath.parameters for datapath in DATAPATHS])
    return dict(zip(DATAPATHS, texts, strict=True))


def title(datapath: Datapath) -> str:
    built = [name for name in EVERYTHING if getattr(datapath, name)]
    return "-".join([f"{datapath.v_bits}bits", *built, f"{datapath.stages}stages"])


@pytest.mark.parametrize("datapath", DATAPATHS, ids=title)
def test_the_verilog_is_the_rule_for_all_inputs(datapath: Datapath, netlists: dict[Datapath, str]) -> None:
    assert prove(datapath, netlists[datapath]) == Proof(
        datapath, len(datapath.leak_modes) + (datapath.stages == 3), None
    )


def planted(planted_bug: Bug) -> str:
    assert VERILOG.count(planted_bug.text) == 1
    return VERILOG.replace(planted_bug.text, planted_bug.instead)


@pytest.mark.parametrize("planted_bug", BUGS, ids=lambda bug: bug.name.replace(" ", "_"))
def test_a_planted_bug_has_a_counterexample_that_python_integers_reproduce(planted_bug: Bug, tmp_path: Path) -> None:
    text = planted(planted_bug)
    found = prove_datapath(planted_bug.datapath, text).counterexample
    assert found is not None
    assert found.expected != found.verilog
    if found.claim == "equals the rule":
        again = {name: int(value) for name, value in tick_of_ports(planted_bug.datapath, found.inputs).items()}
        assert again == found.expected
    if planted_bug.datapath.stages == 1:
        (tmp_path / f"{MODULE}.v").write_text(text, encoding="utf-8")
        script = [*flat_netlist(planted_bug.datapath.parameters), *evaluation(planted_bug.datapath, found.inputs)]
        run_yosys([f"read_verilog -defer {MODULE}.v", *script], tmp_path)
        assert evaluated(planted_bug.datapath, tmp_path) == [found.verilog]


def test_a_stage_that_runs_on_is_told_from_a_wrong_result() -> None:
    last = BUGS[-1]
    found = prove_datapath(last.datapath, planted(last)).counterexample
    assert found is not None
    assert found.claim == "keeps still without advance"


def test_verilog_that_yosys_cannot_read_is_refused() -> None:
    with pytest.raises(BadInput) as error:
        prove_datapath(Datapath(), VERILOG.replace("endmodule", ""))
    assert error.value.findings[0].code == "NE7205"


def test_an_undriven_wire_is_refused_and_not_taken_for_any_value() -> None:
    with pytest.raises(BadInput) as error:
        prove_datapath(Datapath(), VERILOG.replace("assign spiked = ready && fires;", ""))
    assert error.value.findings[0].code == "NE7205"
