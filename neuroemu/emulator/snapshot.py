"""Snapshots of a run in motion: what engines and meters give and take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding

Arrays = Mapping[str, NDArray[Any]]

TICKS = "ticks"
"""Name of a meter's count of ticks, an int64 array of shape ()."""

PER_TICK = "per_tick."
"""Names that begin so hold one row per tick in tick order; earlier rows never change, so only new ones need to be kept."""


def check_arrays(given: Arrays, present: Arrays, owner: str) -> None:
    """Refuse arrays that do not replace those ``present`` one by one: same names, types and shapes.

    Arrays of one row per tick need as many rows as ``given`` says there were ticks.

    Raises:
        BadInput: NE6020, a finding for every array of ``owner`` that is missing, foreign or of another type or shape.
    """
    rows = int(given[TICKS]) if TICKS in given and given[TICKS].shape == () else 0
    if problems := list(_misfits(given, present, rows)):
        raise BadInput(Finding("NE6020", f"{owner}: {problem}", fixes=_FIXES) for problem in problems)


def restore_into(present: Mapping[str, NDArray[Any]], given: Arrays, owner: str) -> None:
    """Copy ``given`` over the arrays ``present``, in place; raises BadInput as :func:`check_arrays`."""
    check_arrays(given, present, owner)
    for name, array in present.items():
        array[...] = given[name]


_FIXES = ("resume with the program and the version of neuroemu that wrote the snapshot", "run again without --resume")


def _misfits(given: Arrays, present: Arrays, rows: int) -> Iterator[str]:
    for name in sorted(given.keys() | present.keys()):
        if name not in given:
            yield f"the snapshot holds no '{name}'"
        elif name not in present:
            yield f"the snapshot holds '{name}', which is not known here"
        else:
            here, there = present[name], given[name]
            shape = (rows, *here.shape[1:]) if name.startswith(PER_TICK) else here.shape
            if (there.dtype, there.shape) != (here.dtype, shape):
                yield f"'{name}' is {there.dtype} of shape {there.shape} in the snapshot, {here.dtype} of {shape} here"
            elif name == TICKS and there < 0:
                yield f"the snapshot counts {there} ticks"
            elif here.dtype.kind == "f" and not np.isfinite(there).all():
                yield f"'{name}' holds values that are no numbers"
