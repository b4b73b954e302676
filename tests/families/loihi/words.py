"""Words as a prover has them: operators build new words, and asking for a truth value is an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Truth:
    """A condition that can only be used through ``ite``."""

    holds: bool

    def __bool__(self) -> bool:
        raise TypeError("a rule branched on a condition in Python")

    def ite(self, when_true: Any, when_false: Any) -> Word:
        return Word(number(when_true) if self.holds else number(when_false))

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.holds & other.holds)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.holds | other.holds)


@dataclass(frozen=True, eq=False)
class Word:
    """An integer that knows only ``+ - * & | ^ << >>`` and comparisons."""

    value: int

    def __bool__(self) -> bool:
        raise TypeError("a rule branched on a word in Python")

    def __neg__(self) -> Word:
        return Word(-self.value)

    def __add__(self, other: Any) -> Word:
        return Word(self.value + number(other))

    def __sub__(self, other: Any) -> Word:
        return Word(self.value - number(other))

    def __rsub__(self, other: Any) -> Word:
        return Word(number(other) - self.value)

    def __mul__(self, other: Any) -> Word:
        return Word(self.value * number(other))

    def __and__(self, other: Any) -> Word:
        return Word(self.value & number(other))

    def __or__(self, other: Any) -> Word:
        return Word(self.value | number(other))

    def __xor__(self, other: Any) -> Word:
        return Word(self.value ^ number(other))

    def __lshift__(self, other: Any) -> Word:
        return Word(self.value << number(other))

    def __rlshift__(self, other: Any) -> Word:
        return Word(number(other) << self.value)

    def __rshift__(self, other: Any) -> Word:
        return Word(self.value >> number(other))

    def __lt__(self, other: Any) -> Truth:
        return Truth(self.value < number(other))

    def __gt__(self, other: Any) -> Truth:
        return Truth(self.value > number(other))

    def __eq__(self, other: object) -> Truth:  # type: ignore[override]
        return Truth(self.value == number(other))

    def __ne__(self, other: object) -> Truth:  # type: ignore[override]
        return Truth(self.value != number(other))

    __radd__, __rmul__, __rand__, __ror__, __rxor__ = __add__, __mul__, __and__, __or__, __xor__


def number(operand: Any) -> int:
    """The integer behind an operand; a condition used as a number is an error."""
    if isinstance(operand, Word):
        return operand.value
    if isinstance(operand, Truth):
        raise TypeError("a rule computed with a condition")
    return int(operand)
