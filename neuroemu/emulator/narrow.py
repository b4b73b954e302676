"""Rules in 32-bit arithmetic: twice as many neurons per vector instruction, exact as long as no value needs more bits.

Numba computes integers in 64 bits. :func:`narrow` derives a 32-bit version of a rule from the rule's own source, so the
equation is still written once: every sum, difference, product, shift and choice is cut to 32 bits, except a product that is
shifted right at once, which keeps its 64. The caller proves with :func:`within` that nothing is lost, or takes the rule itself.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload, register_jitable

from neuroemu import arith
from neuroemu.emulator.compiled import njit

SAFE_BITS = 28
"""Where all inputs of a rule that adds up to four of them are below ``2**SAFE_BITS`` in magnitude, 32 bits suffice."""

_NARROWED: dict[Callable[..., Any], Callable[..., Any]] = {}


def low_word(value: Any) -> Any:
    """The low 32 bits of an integer as a signed number; truth values stay what they are."""
    return value if isinstance(value, bool) else ((int(value) + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


@overload(low_word, jit_options={"forceinline": True})
def _low_word_in_kernels(value):  # type: ignore[no-untyped-def]  # Numba compares signatures
    if isinstance(value, types.Boolean):
        return lambda value: value
    return lambda value: np.int32(value)


def whole(value: Any) -> Any:
    """The integer in 64 bits or more."""
    return int(value)


@overload(whole, jit_options={"forceinline": True})
def _whole_in_kernels(value):  # type: ignore[no-untyped-def]
    return lambda value: np.int64(value)


def narrow(rule: Callable[..., Any]) -> Callable[..., Any]:
    """The 32-bit version of a rule, for kernels; rules that it calls are narrowed too."""
    if rule not in _NARROWED:
        source = textwrap.dedent(inspect.getsource(rule))
        tree = ast.parse(source)
        function = tree.body[0]
        assert isinstance(function, ast.FunctionDef)
        function.decorator_list = []
        names = {
            node.func.id
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        tree = ast.fix_missing_locations(_CutToLowWords().visit(tree))
        known = rule.__globals__
        scope = dict(known) | {"low_word": low_word, "whole": whole}
        scope |= {name: narrow(known[name]) for name in names if known[name] in arith.RULES}
        module = compile(tree, inspect.getsourcefile(rule) or "<rule>", "exec")
        (code,) = (constant for constant in module.co_consts if isinstance(constant, CodeType))
        _NARROWED[rule] = register_jitable(forceinline=True)(FunctionType(code, scope, rule.__name__))
    return _NARROWED[rule]


class _CutToLowWords(ast.NodeTransformer):
    """Wraps every operation into ``low_word``."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        product = (
            isinstance(node.op, ast.RShift) and isinstance(node.left, ast.BinOp) and isinstance(node.left.op, ast.Mult)
        )
        if product:
            assert isinstance(node.left, ast.BinOp)
            node.left.left, node.left.right = (
                _call("whole", self.visit(node.left.left)),
                _call("whole", self.visit(node.left.right)),
            )
            node.right = self.visit(node.right)
        else:
            self.generic_visit(node)
        return _low(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return _low(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return _low(node) if isinstance(node.func, ast.Name) and node.func.id == "select" else node


def _low(node: ast.expr) -> ast.AST:
    return _call("low_word", node)


def _call(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name, ast.Load()), [argument], [])


@njit
def within(values: Any, bits: int) -> bool:
    """True where every value of an int32 array lies in ``-2**bits .. 2**bits - 1``."""
    seen = np.int32(0)
    for position in range(values.shape[0]):
        value = values[position]
        seen = np.int32(seen | np.int32(value ^ np.int32(value >> np.int32(31))))
    return (seen >> bits) == 0
