"""Proves that a mutant of a module is the module, for all inputs and without a bound in time.

Memories, datapath and every register are taken out of the module and of the mutant: what they give becomes inputs of both, what
they are given becomes outputs. A solver (yosys' own) then shows for a single cycle: from equal registers, whose contents keep
given invariants, and equal inputs, both give the same outputs and the same next registers, and the invariants hold again.
As a reset establishes the invariants, both stay the same for ever. Outputs count while they mean something: an
address while its memory is enabled, a word while it is written or read, an update while it is valid; so do registers of which
that is said. A mutant may also number otherwise what nothing outside numbers: words of a memory, steps of a walk. It is then
the module if there is a table that translates its numbers, which is looked for by letting both take the walk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuroemu.cosim.proof import run_yosys
from neuroemu.errors import BadInput

GOLD, MUTANT = "core", "mutant"
REGISTER = "plain_register"
CLOCKS = ("CLK", "clk")


@dataclass(frozen=True)
class Numbering:
    """Numbers that a mutant may have otherwise: what it has instead of each is read off it by evaluation.

    Attributes:
        register: whose contents are tried, all of them.
        seen: the pin with what a number becomes.
        walked: the pin gives the next number, from 0 on, and a number goes with the one that the mutant has after as many steps;
            else it goes with what the mutant shows for it.
        given: contents of other registers and inputs meanwhile.
        during: an expression as in ``Invariants.claims``: while it holds the numbers are others.
        linear: as shown, but the register itself has such numbers, and only 0 and powers of two are tried: others are their sums
            without carry.
        ports: outputs that carry such a number; if it is the address of a memory, then of every access to it.
    """

    register: str
    seen: str
    walked: bool
    given: Mapping[str, int]
    during: str = "1'b1"
    ports: tuple[str, ...] = ()
    linear: bool = False

    @property
    def renumbered(self) -> tuple[str, ...]:
        """Outputs with such numbers; what is walked lies in the register itself."""
        return (*self.ports, f"{self.register}_cell.D") if self.walked or self.linear else self.ports

    def tried(self, width: int) -> list[int]:
        """The numbers that are evaluated, of a register of so many bits."""
        return [0, *(1 << bit for bit in range(width))] if self.linear else list(range(1 << width))

    def translated(self, number: str, width: int) -> str:
        """An expression of the mutant's number for one of the core's."""
        if not self.linear:
            return f"table_of_numbers[{width} * {number} +: {width}]"
        bits = (f"(({number} >> {bit}) & 1) * table_of_numbers[{width * (bit + 1)} +: {width}]" for bit in range(width))
        return f"({' ^ '.join(bits)})"

    def table(self, core: Sequence[int], mutant: Sequence[int]) -> list[int] | None:
        """The mutant's number for each of the core's; None if they are not others or two are the same.

        Args:
            core: what each number becomes in the core; a walk goes on until it is 0 again.
            mutant: the same of the mutant.
        """
        if self.linear:
            return list(mutant) if mutant[0] == 0 and mutant != core else None
        same = list(range(len(core)))
        others = _walked_together(core, mutant) if self.walked else list(mutant)
        return others if others != same and sorted(others) == same else None


def _walked_together(core: Sequence[int], mutant: Sequence[int]) -> list[int]:
    """The mutant's number after as many steps from 0 on; numbers that the core does not come by are themselves."""
    others = list(range(len(core)))
    here = there = 0
    for _ in core:
        others[here] = there
        here, there = core[here], mutant[there]
        if here == 0:
            break
    return others


@dataclass(frozen=True)
class Invariants:
    """What holds of a module's registers in every cycle after a reset.

    The controllers' properties in rtl/formal prove the same for the sources; here they are shown to be kept.

    Attributes:
        top: the module.
        claims: expressions in which ``{name}`` stands for the register of a signal.
        inside: a module without registers that is not taken out.
        counts: register or output -> an expression as in claims, of other registers: while it is 0 the contents mean nothing.
        steps: as claims, with ``{name}`` before and ``{next name}`` after the clock.
        numberings: what a mutant may number otherwise.
    """

    top: str
    claims: tuple[str, ...] = ()
    inside: str = ""
    counts: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    numberings: tuple[Numbering, ...] = ()


def stated(claim: str, ports: Iterable[str], pin: str, side: str = "") -> str:
    """An expression of registers as they stand (pin Q) or as they are next (pin D).

    Raises:
        LookupError: there is no such register.
    """
    known = list(ports)

    class Named(dict[str, str]):
        def __missing__(self, name: str) -> str:
            register = name.removeprefix("next ")
            chosen, before = ("D", "core.") if register != name else (pin, side)
            if f"{register}_cell.{chosen}" in known:
                return f"\\{before}{register}_cell.{chosen} "
            part = re.compile(rf"{re.escape(register)}\[(\d+)(?::\d+)?\]_cell\.{chosen}")
            parts = sorted((int(found[1]), each) for each in known if (found := part.fullmatch(each)))
            if not parts:
                raise LookupError(f"no register {register}")
            return f"{{{', '.join(f'{chr(92)}{before}{each} ' for _, each in reversed(parts))}}}"

    return claim.format_map(Named())


Ports = Mapping[str, Any]
Renumbered = tuple[Numbering, list[int]] | None
"""A numbering and the mutant's number for each of the core's."""


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
    assert _holds(invariants, ports, None, None, folder), "the module does not keep the invariants"
    return [_is_the_module(invariants, ports, each, folder) for each in options]


def _is_the_module(invariants: Invariants, ports: Ports, mutation: str, folder: Path) -> bool:
    """With the same numbers, or with those of a numbering."""
    if _holds(invariants, ports, mutation, None, folder):
        return True
    core, mutant = (_evaluated(invariants, ports, each, folder) for each in (None, mutation))
    for numbering, here, there in zip(invariants.numberings, core, mutant, strict=True):
        table = numbering.table(here, there)
        if table is not None and _holds(invariants, ports, mutation, (numbering, table), folder):
            return True
    return False


def _evaluated(invariants: Invariants, ports: Ports, mutation: str | None, folder: Path) -> list[list[int]]:
    """For each numbering what each number becomes in a mutant, or in the module itself.

    Raises:
        AssertionError: that hangs on more than is given.
    """
    if not invariants.numberings:
        return []
    log = folder / "evaluated.txt"
    log.unlink(missing_ok=True)
    evaluations = []
    for numbering in invariants.numberings:
        given = " ".join(f"-set {name} {value}" for name, value in numbering.given.items())
        pin = f"{numbering.register}_cell.Q"
        for number in numbering.tried(len(ports[pin]["bits"])):
            asked = f"eval -set-undef {given} -set {pin} {number} -show {numbering.seen} {MUTANT}"
            evaluations.append(f"tee -a {log.name} {asked}")
    change = [] if mutation is None else [f"mutate {mutation}"]
    run_yosys(["read_rtlil base.il", *change, *opened(invariants, MUTANT), *evaluations], folder)
    text = log.read_text(encoding="utf-8")
    results = [int(each, 2) for each in re.findall(r"^Eval result: .* = \d+'([01]+)", text, re.MULTILINE)]
    assert len(results) == len(evaluations), "something that is evaluated hangs on more than is given"
    taken = iter(results)
    widths = [len(ports[f"{numbering.register}_cell.Q"]["bits"]) for numbering in invariants.numberings]
    tried = [numbering.tried(width) for numbering, width in zip(invariants.numberings, widths, strict=True)]
    return [[next(taken) for _ in numbers] for numbers in tried]


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


def _holds(invariants: Invariants, ports: Ports, mutation: str | None, renumbered: Renumbered, folder: Path) -> bool:
    """Whether the prover agrees for one mutant; without a mutation the module stands beside itself."""
    (folder / "both.v").write_text(side_by_side(invariants, ports, renumbered), encoding="utf-8")
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


def side_by_side(invariants: Invariants, ports: Ports, renumbered: Renumbered = None) -> str:
    """A module with original and mutant on the same inputs, what is assumed of a cycle and what must then hold."""
    declared, joined, claims, assumed = [], [], [], []
    inputs = []
    wires: dict[str, list[str]] = {"core": [], "mutant": []}
    numbering, table = renumbered or (None, [])
    during = numbering.during if numbering else ""

    def same(name: str, pin: str) -> str:
        """The mutant has what the core has, or the number that goes with it."""
        plain = f"\\core.{name} == \\mutant.{name} "
        if numbering is None or name not in numbering.renumbered:
            return plain
        width = len(ports[name]["bits"])
        number = numbering.translated(f"\\core.{name} ", width)
        return f"({stated(during, ports, pin, side_of(pin))} ? {number} == \\mutant.{name} : {plain})"

    for name, port in ports.items():
        width = len(port["bits"])
        bits = f"[{width - 1}:0]"
        register, _, pin = name.rpartition("_cell.")
        if port["direction"] == "input":
            inputs.append(name)
            declared.append(f"  input wire {bits} \\{name} ;")
            wires["core"].append(f".\\{name} (\\{name} )")
            own = f"\\{name} "
            if pin == "Q" and numbering and f"{register}_cell.D" in numbering.renumbered:
                own = f"({stated(during, ports, 'Q')} ? {numbering.translated(own, width)} : {own})"
            if pin == "Q" and register in invariants.counts:
                related, own = own, f"\\mutant.{name} "
                inputs.append(f"mutant.{name}")
                declared.append(f"  input wire {bits} {own};")
                assumed.append(f"!({stated(invariants.counts[register], ports, 'Q')}) || {related} == {own}")
            wires["mutant"].append(f".\\{name} ({own})")
            continue
        for side in wires:
            joined.append(f"  wire {bits} \\{side}.{name} ;")
            wires[side].append(f".\\{name} (\\{side}.{name} )")
        if name.split(".")[-1] in CLOCKS:
            continue
        if pin == "D" and register in invariants.counts:
            counts = stated(invariants.counts[register], ports, "D", "core.")
            claims.append(f"!({counts}) || {same(name, 'D')}")
        elif name in invariants.counts:
            claims.append(f"!({stated(invariants.counts[name], ports, 'Q')}) || {same(name, 'Q')}")
        else:
            claims.append(f"{_counts(name, ports)} || {same(name, 'D' if pin == 'D' else 'Q')}")
    before = [stated(claim, ports, "Q") for claim in invariants.claims]
    after = [stated(claim, ports, "D", "core.") for claim in invariants.claims]
    steps = [stated(claim, ports, "Q") for claim in invariants.steps]
    width = len(ports[f"{numbering.register}_cell.Q"]["bits"]) if numbering else 0
    names = ", ".join(f"\\{name} " for name in inputs)
    lines = [
        f"module both({names});",
        *declared,
        *joined,
        *([f"  wire [{width * len(table) - 1}:0] table_of_numbers = {_constant(table, width)};"] if table else []),
        *(
            f"  {module} {side}_part ({', '.join(wires[side])});"
            for side, module in (("core", GOLD), ("mutant", MUTANT))
        ),
        "  always @* begin",
        *(f"    assume (rst || ({claim}));" for claim in before),
        *(f"    assume ({claim});" for claim in assumed),
        *(f"    assert ({claim});" for claim in (*after, *steps, *claims)),
        "  end",
        "endmodule",
    ]
    return "\n".join(lines) + "\n"


def side_of(pin: str) -> str:
    """Where a pin is in the module that has both: what registers hold goes into both, what they get comes out of each."""
    return "core." if pin == "D" else ""


def _constant(table: Sequence[int], width: int) -> str:
    """A table as one vector, its first number lowest."""
    return f"{{{', '.join(f'{width}{chr(39)}d{number}' for number in reversed(table))}}}"


def _counts(name: str, ports: Ports) -> str:
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
    if part.split(".")[-1] == "random" and pin == "value":
        return silent("start")
    return "1'b0"
