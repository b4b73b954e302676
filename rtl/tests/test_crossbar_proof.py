"""The crossbar core's datapath and dice are the rules of family `truenorth` for all inputs, and the prover finds what is not."""

from __future__ import annotations

import re

import pytest

from neuroemu.cosim.crossbar_proof import (
    DATAPATH,
    DICE,
    SIGNED,
    datapath_claims,
    dice_claims,
    prove_crossbar_datapath,
    prove_crossbar_dice,
    sum_bits,
)
from neuroemu.cosim.tools import sources
from neuroemu.errors import BadInput

DATAPATH_BUGS = {
    "a spike only above the threshold": ("wire fires = !over[20];", "wire fires = !over[20] && over != 0;"),
    "the negative threshold itself is below it": ("(ranc && lack == 21'sd0)", "(lack == 21'sd0)"),
    "never is, as RANC has it": ("(ranc && lack == 21'sd0)", "1'b0"),
    "the clamp at zero for any leak": ("crossed = reversal && zero_clamp", "crossed = zero_clamp"),
    "no clamp for rising potentials": ("(rising ? moved[20] : !moved[20])", "!rising && !moved[20]"),
    "a reversing leak drives away from zero": (
        "reversal || rising ? leak_wide : summed[20] ? -leak_wide",
        "reversal || rising ? leak_wide : summed[20] ? leak_wide",
    ),
    "a leak at rest": (": 21'sd0;\n  wire signed [20:0] moved", ": leak_wide;\n  wire signed [20:0] moved"),
    "the ceiling one too low": ("exact > high;", "exact >= high;"),
    "the floor is not a floor": ("exact < low ? low : exact", "exact"),
    "a neuron at IBM's ceiling rests": ("stuck ? above : fires", "fires"),
    "random thresholds also with kappa": ("(kappa ? 19'd0 : {1'b0, eta})", "{1'b0, eta}"),
    "a negative reset with the wrong sign": ("reset_below <= -reset_wide", "reset_below <= reset_wide"),
    "a linear reset that forgets the random part": (
        "ceiling <= {1'b0, alpha} + {1'b0, eta}",
        "ceiling <= {1'b0, alpha}",
    ),
    "kappa holds at the positive value": ("kappa ? -$signed({2'b00, depth})", "kappa ? $signed({2'b00, depth})"),
    "a carry lost": (
        "wire signed [20:0] over = held -",
        "wire signed [20:0] over = {held[20], held[18], held[18:0]} -",
    ),
}
DICE_BUGS = {
    "acts only above the draw": ("{magnitude, !from_one}", "{magnitude, 1'b0}"),
    "numbers from zero": ("{magnitude, !from_one}", "{magnitude, 1'b1}"),
    "a weight of zero acts": ("&& magnitude != 8'd0", ""),
    "the sign is lost": ("{acts && negative, acts}", "{1'b0, acts}"),
    "the other span": ("span_255 ?", "!span_255 ?"),
    "one bit too many": ("18'h3ffff << mask_bits", "18'h3fffe << mask_bits"),
}


def planted(module: str, right: str, wrong: str) -> str:
    text = (sources() / f"{module}.v").read_text(encoding="utf-8")
    assert text.count(right) == 1
    return text.replace(right, wrong)


@pytest.mark.parametrize("axons", [256, 100, 16, 1])
def test_the_datapath_is_the_rule_for_all_inputs(axons: int) -> None:
    assert prove_crossbar_datapath(axons) is None


def test_the_dice_are_the_rules_for_all_inputs() -> None:
    assert prove_crossbar_dice() is None


@pytest.mark.parametrize("what", DATAPATH_BUGS)
def test_a_planted_bug_of_the_datapath_has_a_counterexample(what: str) -> None:
    found = prove_crossbar_datapath(verilog=planted(DATAPATH, *DATAPATH_BUGS[what]))
    assert found is not None
    (claim,) = (claim for claim in datapath_claims() if claim.name == found.claim)
    wanted = {name: int(value) for name, value in claim.rule(found.inputs).items()}
    assert wanted == found.expected != found.verilog


@pytest.mark.parametrize("what", DICE_BUGS)
def test_a_planted_bug_of_the_dice_has_a_counterexample(what: str) -> None:
    found = prove_crossbar_dice(planted(DICE, *DICE_BUGS[what]))
    assert found is not None
    (claim,) = (claim for claim in dice_claims() if claim.name == found.claim)
    wanted = {name: int(value) for name, value in claim.rule(found.inputs).items()}
    assert wanted == found.expected != found.verilog


def test_every_number_of_a_claim_is_read_with_its_sign() -> None:
    for claim in (*datapath_claims(), *dice_claims()):
        text = (sources() / f"{claim.module}.v").read_text(encoding="utf-8")
        for port in (*claim.inputs, *claim.outputs):
            (sign,) = re.findall(rf"^    (?:in|out)put wire (signed )?(?:\[.+\] )?{port},?$", text, re.MULTILINE)
            assert bool(sign) == (port in SIGNED), port


def test_a_sum_of_weights_fits_its_width() -> None:
    for axons in range(1, 257):
        assert 255 * axons < 1 << (sum_bits(axons) - 1) <= 2 * 255 * axons + 1


def test_verilog_that_yosys_refuses_is_an_error() -> None:
    with pytest.raises(BadInput, match="NE7205"):
        prove_crossbar_dice("module tn_dice(; endmodule")
