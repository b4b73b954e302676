"""Proves that the crossbar core's datapath and dice equal the rules of ``families/truenorth/dynamics.py`` for all inputs.

As in :mod:`neuroemu.cosim.proof`, the source of the rules runs on the very terms that Yosys makes of the Verilog. Nothing is
assumed of the inputs but that a mask has at most 18 bits, and that they stay as they are for the clocks that a module takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from neuroemu.arith import select
from neuroemu.cosim.bitvectors import Number, Truth, number, signed, unsigned
from neuroemu.cosim.proof import Counterexample, model_values, smt_of
from neuroemu.cosim.solver import Bitwuzla, Kind, Option, Options, Parser, Result, Term, TermManager
from neuroemu.cosim.tools import sources
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.image import MOST_MASK_BITS, SIZE

DATAPATH, DICE = "tn_datapath", "tn_dice"
CUTS = {DATAPATH: 3, DICE: 1}
"""Clocks from a module's inputs to its outputs."""
MOST_WEIGHT = 255
SIGNED = frozenset({"v", "synaptic", "leak", "reset", "next_v", "gated"})

Ports = Mapping[str, Any]

_FLAGS = ("reversal", "kappa", "zero_clamp", "ibm_clamp", "ranc")
_NUMBERS = ("v", "synaptic", "leak", "alpha", "beta", "eta", "reset", "gamma")


@dataclass(frozen=True)
class Claim:
    """The outputs of a module are those of ``rule``.

    Attributes:
        rule: values of the inputs -> values of the outputs, on integers and bit-vectors alike.
        only: input -> its only value here.
        most: input -> its highest value.
    """

    name: str
    module: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    rule: Callable[[Ports], dict[str, Any]]
    only: Mapping[str, int] = field(default_factory=dict)
    most: Mapping[str, int] = field(default_factory=dict)


def sum_bits(axons: int) -> int:
    """Width of a sum of so many weights, as ``crossbar_core`` chooses it."""
    return (MOST_WEIGHT * axons).bit_length() + 1


def datapath_claims() -> Iterator[Claim]:
    """NeMo's clamp by the flag, else saturation, which the model's rule ``error`` is too for as long as it runs."""
    for name, otherwise in (("saturate", dynamics.SATURATE), ("error", dynamics.ERROR)):

        def rule(ports: Ports, otherwise: int = otherwise) -> dict[str, Any]:
            overflow = select(ports["ibm_clamp"] == 1, dynamics.IBM_CLAMP, otherwise)
            values = {port: ports[port] for port in (*_NUMBERS, "reversal", "kappa", "zero_clamp")}
            found = dynamics.tick(**values, overflow=overflow, compat=ports["ranc"])
            return dict(zip(("next_v", "spiked", "left_range"), found, strict=True))

        yield Claim(f"tick, {name}", DATAPATH, (*_NUMBERS, *_FLAGS), ("next_v", "spiked", "left_range"), rule)


def dice_claims() -> Iterator[Claim]:
    """Both spans of random numbers."""
    inputs = ("word", "from_one", "span_255", "negative", "magnitude", "mask_bits")
    for span, flag in ((256, 0), (255, 1)):

        def rule(ports: Ports, span: int = span) -> dict[str, Any]:
            amount = select(ports["negative"] == 1, -ports["magnitude"], ports["magnitude"])
            draw = dynamics.rho(ports["word"], ports["from_one"], span)
            return {"gated": dynamics.gated(amount, draw), "eta": dynamics.eta(ports["word"], ports["mask_bits"])}

        limits = {"mask_bits": MOST_MASK_BITS}
        yield Claim(f"dice, {span}", DICE, inputs, ("gated", "eta"), rule, {"span_255": flag}, limits)


def prove_crossbar_datapath(axons: int = SIZE, verilog: str | None = None) -> Counterexample | None:
    """Inputs for which ``tn_datapath`` is not the rule ``tick``, or None: there are none.

    Args:
        axons: of the core, which sets the width of the synaptic sum.
        verilog: text of the module, by default that of rtl/src.

    Raises:
        BadInput: NE7201 without yosys, NE7205 if it refuses the text.
    """
    return _refuted(tuple(datapath_claims()), {"SUM_BITS": sum_bits(axons)}, verilog)


def prove_crossbar_dice(verilog: str | None = None) -> Counterexample | None:
    """Inputs for which ``tn_dice`` is not the rules ``rho``, ``gated`` and ``eta``, or None; arguments as above."""
    return _refuted(tuple(dice_claims()), {}, verilog)


def _refuted(claims: tuple[Claim, ...], parameters: Mapping[str, int], verilog: str | None) -> Counterexample | None:
    module = claims[0].module
    text = (sources() / f"{module}.v").read_text(encoding="utf-8") if verilog is None else verilog
    (smt,) = smt_of(text, [parameters], module=module)
    return refuted_netlist(claims, smt)


def refuted_netlist(claims: Iterable[Claim], smt: str) -> Counterexample | None:
    """Inputs for which a netlist of the claims' module, in Yosys' SMT-LIB text, breaks one of them, or None."""
    return next((found for claim in claims if (found := _Netlist(claim, smt).counterexample()) is not None), None)


class _Netlist:
    """A module in Yosys' SMT-LIB text over one state, and one more for each of its cuts."""

    def __init__(self, claim: Claim, smt: str):
        self._claim = claim
        self._terms = TermManager()
        self._options = Options()
        self._options.set(Option.PRODUCE_MODELS, True)
        self._parser = Parser(self._terms, self._options)
        self._parser.parse(smt, True, False)
        self._states = [f"clock{number}" for number in range(CUTS[claim.module] + 1)]
        for state in self._states:
            self._parser.parse(f"(declare-const {state} |{claim.module}_s|)", True, False)
        self._inputs = {name: self._port(name, self._states[0]) for name in claim.inputs}
        self._outputs = {name: self._port(name, self._states[-1]) for name in claim.outputs}

    def counterexample(self) -> Counterexample | None:
        """Inputs for which the claim is wrong, or None if there are none."""
        claim = self._claim
        expected = {name: self._number(value) for name, value in claim.rule(self._inputs).items()}
        solver = Bitwuzla(self._terms, self._options)
        for formula in self._assumptions():
            solver.assert_formula(formula)
        wrong = [(expected[name] != self._outputs[name]).term for name in claim.outputs]
        solver.assert_formula(self._terms.mk_term(Kind.OR, wrong))
        result = solver.check_sat()
        if result == Result.UNSAT:
            return None
        if result != Result.SAT:
            raise AssertionError(f"the solver gave up: {result}")
        inputs, verilog = (model_values(solver, terms) for terms in (self._inputs, self._outputs))
        return Counterexample(
            claim.name, inputs, {name: int(value) for name, value in claim.rule(inputs).items()}, verilog
        )

    def _assumptions(self) -> list[Term]:
        steps = zip(self._states, self._states[1:], strict=False)
        moved = [self._parser.parse_term(f"(|{self._claim.module}_t| {before} {after})") for before, after in steps]
        later = [
            (port == self._port(name, state)).term for name, port in self._inputs.items() for state in self._states[1:]
        ]
        only = [(self._inputs[name] == value).term for name, value in self._claim.only.items()]
        most = [(self._inputs[name] <= value).term for name, value in self._claim.most.items()]
        return [*moved, *later, *only, *most]

    def _port(self, name: str, state: str) -> Number:
        term = self._parser.parse_term(f"(|{self._claim.module}_n {name}| {state})")
        if term.sort().is_bool():
            return self._number(Truth(self._terms, term))
        return signed(self._terms, term) if name in SIGNED else unsigned(self._terms, term)

    def _number(self, value: Any) -> Number:
        if isinstance(value, Truth):
            return number(self._terms, value.ite(1, 0))
        return number(self._terms, value)
