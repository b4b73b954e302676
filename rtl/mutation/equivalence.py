"""Proves that a mutant of the controller is the controller, for all inputs and without a bound in time.

Memories, datapath and every register are taken out of the core and of the mutant: what they give becomes inputs of both, what
they are given becomes outputs. A solver (yosys' own) then shows for a single cycle: from equal registers, whose contents keep
the invariants below, and equal inputs, both give the same outputs and the same next registers, and the invariants hold again.
As a reset establishes the invariants, both stay the same for ever. Outputs count while they mean something: an
address while its memory is enabled, a word while it is written or read, an update while it is valid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from neuroemu.cosim.proof import run_yosys
from neuroemu.errors import BadInput
from rtl.tests.core_model import Build
from rtl.tests.netlist import TOP

GOLD, MUTANT = "core", "mutant"
REGISTER = "plain_register"
CLOCKS = ("CLK", "clk")


def invariants(build: Build, pin: str, registers: set[str]) -> list[str]:
    """What holds in every cycle after a reset, of registers as they stand (pin Q) or as they are next (pin D).

    The controller's properties in rtl/formal prove the same for the sources; here they are shown to be kept.
    """

    def of(name: str) -> str:
        return f"\\{name}_cell.{pin} "

    return [f"{of('state')} <= 4", f"{of('size')} != 0 && {of('size')} <= {build.NEURONS}"]


def proven(build: Build, script: Sequence[str], options: Sequence[str], folder: Path) -> list[bool]:
    """For each mutant whether it is proven to be the core.

    Args:
        script: commands that make the core's netlist in ``folder``.
        options: options of yosys' `mutate`, one mutant each.

    Raises:
        AssertionError: the core itself does not keep the invariants, so nothing is proven.
    """
    register = Path(__file__).with_name(f"{REGISTER}.v")
    (folder / register.name).write_text(register.read_text(encoding="utf-8"), encoding="utf-8")
    run_yosys([*script, "write_rtlil base.il", *opened(GOLD), f"write_json {GOLD}.json"], folder)
    ports = json.loads((folder / f"{GOLD}.json").read_text(encoding="utf-8"))["modules"][GOLD]["ports"]
    (folder / "both.v").write_text(side_by_side(build, ports), encoding="utf-8")
    assert _holds(None, folder), "the core does not keep the invariants"
    return [_holds(each, folder) for each in options]


def opened(name: str) -> list[str]:
    """Commands that take everything with a memory out of the module and call it ``name``."""
    return [
        "dffunmap",
        f"read_verilog -defer {REGISTER}.v",
        f"chtype -set {REGISTER} {TOP}/t:$dff",
        f"hierarchy -top {TOP}",
        f"select -set parts {TOP}/t:*paramod*",
        "expose -evert @parts",
        f"hierarchy -top {TOP}",
        f"rename {TOP} {name}",
        "opt_clean",
    ]


def _holds(mutation: str | None, folder: Path) -> bool:
    """Whether the prover agrees for one mutant; without a mutation the core stands beside itself."""
    change = [] if mutation is None else [f"mutate {mutation}"]
    script = [
        "read_rtlil base.il",
        *opened(GOLD),
        "design -save gold",
        "design -reset",
        "read_rtlil base.il",
        *change,
        *opened(MUTANT),
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


def side_by_side(build: Build, ports: dict[str, dict]) -> str:
    """A module with core and mutant on the same inputs, what is assumed of a cycle and what must then hold."""
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
    registers = {name.removesuffix(".Q") for name in ports if name.endswith(".Q")}
    before = invariants(build, "Q", registers)
    after = [claim.replace("\\", "\\core.") for claim in invariants(build, "D", registers)]
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
    return "1'b0"
