"""Integers as a prover has them: the rules of ``families/*/dynamics.py`` run on them unchanged.

Every value knows bounds of its own and is kept in the narrowest signed width that holds them, so no operation can wrap: what
the rules say about integers is said about all integers within the bounds of the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neuroemu.cosim.solver import Kind, Term, TermManager


def signed_width(low: int, high: int) -> int:
    """Bits, sign included, that hold every integer of ``low..high``."""
    return max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1


@dataclass(frozen=True, eq=False)
class Truth:
    """A condition over bit-vectors, a Boolean ``term``. It can be combined and selected by, never branched on."""

    manager: TermManager
    term: Term

    def __bool__(self) -> bool:
        raise TypeError("a rule branched on a condition in Python; rules use select")

    __hash__ = None  # type: ignore[assignment]

    def ite(self, when_true: Any, when_false: Any) -> Any:
        """``when_true`` or ``when_false``: two conditions, or integers and numbers, with the bounds of both."""
        if isinstance(when_true, Truth) and isinstance(when_false, Truth):
            return Truth(self.manager, self._of(Kind.ITE, when_true.term, when_false.term))
        first, second = number(self.manager, when_true), number(self.manager, when_false)
        low, high = min(first.low, second.low), max(first.high, second.high)
        width = signed_width(low, high)
        return Number(self.manager, self._of(Kind.ITE, first.extended(width), second.extended(width)), low, high)

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.manager, self._of(Kind.AND, other.term))

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.manager, self._of(Kind.OR, other.term))

    def _of(self, kind: Kind, *others: Term) -> Term:
        return self.manager.mk_term(kind, [self.term, *others])


@dataclass(frozen=True, eq=False)
class Number:
    """An integer of ``low..high``; ``term`` is a two's complement bit-vector of :func:`signed_width` bits."""

    manager: TermManager
    term: Term
    low: int
    high: int

    def __bool__(self) -> bool:
        raise TypeError("a rule branched on a number in Python; rules use select")

    __hash__ = None  # type: ignore[assignment]

    @property
    def width(self) -> int:
        return signed_width(self.low, self.high)

    def extended(self, width: int) -> Term:
        """The term sign-extended to ``width`` bits.

        Raises:
            ValueError: ``width`` does not hold the number's bounds.
        """
        if width < self.width:
            raise ValueError(f"{width} bits do not hold {self.low}..{self.high}")
        if width == self.width:
            return self.term
        return self.manager.mk_term(Kind.BV_SIGN_EXTEND, [self.term], [width - self.width])

    def __neg__(self) -> Number:
        return 0 - self

    def __add__(self, other: Any) -> Number:
        other = number(self.manager, other)
        return self._exact(Kind.BV_ADD, other, self.low + other.low, self.high + other.high)

    def __sub__(self, other: Any) -> Number:
        other = number(self.manager, other)
        return self._exact(Kind.BV_SUB, other, self.low - other.high, self.high - other.low)

    def __rsub__(self, other: Any) -> Number:
        return number(self.manager, other) - self

    def __mul__(self, other: Any) -> Number:
        other = number(self.manager, other)
        corners = [one * two for one in (self.low, self.high) for two in (other.low, other.high)]
        return self._exact(Kind.BV_MUL, other, min(corners), max(corners))

    def __and__(self, other: Any) -> Number:
        other = number(self.manager, other)
        tops = [operand.high for operand in (self, other) if operand.low >= 0]
        low, high = (0, min(tops)) if tops else self._bits_of_both(other)
        return self._bitwise(Kind.BV_AND, other, low, high)

    def __or__(self, other: Any) -> Number:
        other = number(self.manager, other)
        return self._bitwise(Kind.BV_OR, other, *self._bits_of_both(other))

    def __xor__(self, other: Any) -> Number:
        other = number(self.manager, other)
        return self._bitwise(Kind.BV_XOR, other, *self._bits_of_both(other))

    def __lshift__(self, other: Any) -> Number:
        other = _not_negative(number(self.manager, other))
        low, high = min(self.low, self.low << other.high), max(self.high, self.high << other.high)
        return self._exact(Kind.BV_SHL, other, low, high)

    def __rlshift__(self, other: Any) -> Number:
        return number(self.manager, other) << self

    def __rshift__(self, other: Any) -> Number:
        other = _not_negative(number(self.manager, other))
        low, high = min(self.low, self.low >> other.high), max(self.high, self.high >> other.high)
        return self._exact(Kind.BV_ASHR, other, low, high)

    def __rrshift__(self, other: Any) -> Number:
        return number(self.manager, other) >> self

    def __lt__(self, other: Any) -> Truth:
        return self._compared(Kind.BV_SLT, other)

    def __le__(self, other: Any) -> Truth:
        return self._compared(Kind.BV_SLE, other)

    def __gt__(self, other: Any) -> Truth:
        return self._compared(Kind.BV_SGT, other)

    def __ge__(self, other: Any) -> Truth:
        return self._compared(Kind.BV_SGE, other)

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]
        return self._compared(Kind.EQUAL, other)

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]
        return self._compared(Kind.DISTINCT, other)

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__

    def _compared(self, kind: Kind, other: Any) -> Truth:
        other = number(self.manager, other)
        width = max(self.width, other.width)
        return Truth(self.manager, self.manager.mk_term(kind, [self.extended(width), other.extended(width)]))

    def _exact(self, kind: Kind, other: Number, low: int, high: int) -> Number:
        """The operation in a width that holds both operands and every result; then as narrow as the results allow."""
        width = max(self.width, other.width, signed_width(low, high))
        term = self.manager.mk_term(kind, [self.extended(width), other.extended(width)])
        return Number(self.manager, _narrowed(self.manager, term, width, signed_width(low, high)), low, high)

    _bitwise = _exact

    def _bits_of_both(self, other: Number) -> tuple[int, int]:
        width = max(self.width, other.width)
        return -(1 << (width - 1)), (1 << (width - 1)) - 1


def number(manager: TermManager, operand: Any) -> Number:
    """``operand`` as a number; a Python integer becomes a constant.

    Raises:
        TypeError: for a condition or anything else that is no integer.
    """
    if isinstance(operand, Number):
        return operand
    if isinstance(operand, bool) or not isinstance(operand, int):
        raise TypeError(f"a rule computed with {type(operand).__name__}, which is no integer")
    width = signed_width(operand, operand)
    term = manager.mk_bv_value(manager.mk_bv_sort(width), operand)
    return Number(manager, term, operand, operand)


def unsigned(manager: TermManager, term: Term) -> Number:
    """A bit-vector term read as an unsigned integer of all its bits."""
    return Number(manager, manager.mk_term(Kind.BV_ZERO_EXTEND, [term], [1]), 0, (1 << term.sort().bv_size()) - 1)


def signed(manager: TermManager, term: Term) -> Number:
    """A bit-vector term read as a two's complement integer of all its bits."""
    half = 1 << (term.sort().bv_size() - 1)
    return Number(manager, term, -half, half - 1)


def _narrowed(manager: TermManager, term: Term, width: int, wanted: int) -> Term:
    return term if width == wanted else manager.mk_term(Kind.BV_EXTRACT, [term], [wanted - 1, 0])


def _not_negative(exponent: Number) -> Number:
    if exponent.low < 0:
        raise TypeError("a rule shifts by a number that may be negative")
    return exponent
