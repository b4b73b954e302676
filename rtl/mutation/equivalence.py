"""Proves that a mutant of a module is the module, for all inputs and without a bound in time.

Memories, datapath and every register are taken out of the module and of the mutant: what they give becomes inputs of both, what
they are given becomes outputs. A solver (yosys' own) then shows for a single cycle: from equal registers, whose contents keep
given invariants, and equal inputs, both give the same outputs and the same next registers, and the invariants hold again.
As a reset establishes the invariants, both stay the same for ever. Outputs count while they mean something: an
address while its memory is enabled, a word while it is written or read, an update while it is valid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuroemu.cosim.proof import run_yosys
from neuroemu.errors import BadInput

GOLD, MUTANT = "core", "mutant"
REGISTER = "plain_register"
CLOCKS = ("CLK", "clk")


@dataclass(frozen=True)
class Invariants:
    """What holds of a module's registers in every cycle after a reset.

    The controllers' properties in rtl/formal prove the same for the sources; here they are shown to be kept.

    Attributes:
        top: the module.
        claims: expressions in which ``{name}`` stands for the register of a signal.
        inside: a module without registers that is not taken out.
    """

    top: str
    claims: tuple[str, ...] = ()
    inside: str = ""

    def of(self, pin: str, side: str = "") -> list[str]:
        """The expressions of registers as they stand (pin Q) or as they are next (pin D)."""

        class Named(dict[str, str]):
            def __missing__(self, name: str) -> str:
                return f"\\{side}{name}_cell.{pin} "

        return [claim.format_map(Named()) for claim in self.claims]


def proven(invariants: Invariants, script: Sequence[str], options: Sequence[str], folder: Path) -> list[bool]:
    """For each mutant whether it is proven to be the module.

    Args:
        script: commands that make the module's netlist in ``folder``.
        options: options of yosys' `mutate`, one mutant each.

    Raises:
        AssertionError: the module itself does not keep the invariants, so nothing is proven.
    """
    register = Path(__file__).with_name(f"{REGISTER}.v")
    (folder / register.name).write_text(register.read_text(encoding="utf-8"), encoding="utf-8")
    run_yosys([*script, "write_rtlil base.il", *opened(invariants, GOLD), f"write_json {GOLD}.json"], folder)
    ports = json.loads((folder / f"{GOLD}.json").read_text(encoding="utf-8"))["modules"][GOLD]["ports"]
    (folder / "both.v").write_text(side_by_side(invariants, ports), encoding="utf-8")
    assert _holds(invariants, None, folder), "the module does not keep the invariants"
    return [_holds(invariants, each, folder) for each in options]


def opened(invariants: Invariants, name: str) -> list[str]:
    """Commands that take everything with a memory out of the module and call it ``name``."""
    top = invariants.top
    kept = f" {top}/t:{invariants.inside} %d" if invariants.inside else ""
    return [
        "dffunmap",
        f"read_verilog -defer {REGISTER}.v",
        f"chtype -set {REGISTER} {top}/t:$dff",
        f"hierarchy -top {top}",
        f"select -set parts {top}/t:*paramod* {top}/t:{top}.* %u{kept}",
        "expose -evert @parts",
        f"hierarchy -top {top}",
        *([f"flatten {top}"] if invariants.inside else []),
        f"rename {top} {name}",
        "opt_clean",
    ]


def _holds(invariants: Invariants, mutation: str | None, folder: Path) -> bool:
    """Whether the prover agrees for one mutant; without a mutation the module stands beside itself."""
    change = [] if mutation is None else [f"mutate {mutation}"]
    script = [
        "read_rtlil base.il",
        *opened(invariants, GOLD),
        "design -save gold",
        "design -reset",
        "read_rtlil base.il",
        *change,
        *opened(invariants, MUTANT),
        f"design -copy-from gold {GOLD}",
        "read_verilog -formal both.v",
        "prep -top both -flatten",
        "chformal -lower",
        "opt -full",
        "sat -verify -prove-asserts -set-assumes -timeout 60 both",
    ]
    try:
        run_yosys(script, folder)
    except BadInput:
        return False
    return True


def side_by_side(invariants: Invariants, ports: dict[str, dict]) -> str:
    """A module with original and mutant on the same inputs, what is assumed of a cycle and what must then hold."""
    declared, joined, claims = [], [], []
    wires = {"core": [], "mutant": []}
    for name, port in ports.items():
        bits = f"[{len(port['bits']) - 1}:0]"
        if port["direction"] == "input":
            declared.append(f"  input wire {bits} \\{name} ;")
            for side in wires:
                wires[side].append(f".\\{name} (\\{name} )")
            continue
        for side in wires:
            joined.append(f"  wire {bits} \\{side}.{name} ;")
            wires[side].append(f".\\{name} (\\{side}.{name} )")
        if name.split(".")[-1] not in CLOCKS:
            claims.append(f"{_counts(name, ports)} || \\core.{name} == \\mutant.{name} ")
    before, after = invariants.of("Q"), invariants.of("D", side="core.")
    names = ", ".join(f"\\{name} " for name, port in ports.items() if port["direction"] == "input")
    lines = [
        f"module both({names});",
        *declared,
        *joined,
        *(
            f"  {module} {side}_part ({', '.join(wires[side])});"
            for side, module in (("core", GOLD), ("mutant", MUTANT))
        ),
        "  always @* begin",
        *(f"    assume (rst || ({claim}));" for claim in before),
        *(f"    assert ({claim});" for claim in (*after, *claims)),
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def _counts(name: str, ports: dict[str, dict]) -> str:
    """An expression that is 1 while an output means nothing."""
    part, _, pin = name.rpartition(".")

    def silent(*pins: str) -> str:
        there = [f"!\\core.{part}.{each} " for each in pins if f"{part}.{each}" in ports]
        return f"({' || '.join(there)})"

    if pin == "D" and f"{part}.SRST" in ports:
        return f"\\core.{part}.SRST "
    if pin in ("address", "write"):
        return silent("enable")
    if pin == "write_data":
        return silent("enable", "write") if f"{part}.write" in ports else silent("write_enable")
    if pin in ("read_address", "write_address"):
        return silent(pin.replace("address", "enable"))
    if name == "cfg_rdata":
        return "(!\\core.cfg_ready || cfg_write)"
    if name.startswith("upd_") and name != "upd_valid":
        return "(!\\core.upd_valid )"
    if part == "random" and pin == "value":
        return silent("start")
    return "1'b0"
