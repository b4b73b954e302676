"""Records of numpy arrays: values that fit their declared type exactly, compared by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from neuroemu.errors import BadInput, Finding

UINT8 = {"dtype": np.dtype(np.uint8)}
UINT16 = {"dtype": np.dtype(np.uint16)}
UINT32 = {"dtype": np.dtype(np.uint32)}
INT16 = {"dtype": np.dtype(np.int16)}
INT32 = {"dtype": np.dtype(np.int32)}
INT64 = {"dtype": np.dtype(np.int64)}
"""Metadata of a dataclass field that holds a one-dimensional array of exactly this type."""


def exact_array(values: Any, dtype: DTypeLike, name: str) -> NDArray[Any]:
    """``values`` as a contiguous one-dimensional array of integer ``dtype``; no value may change.

    Raises:
        BadInput: NE5100 when a value does not fit, NE5103 when the array is not one-dimensional and integer.
    """
    wanted = np.dtype(dtype)
    given = np.asarray(values)
    if given.size == 0 and given.ndim == 1:
        return np.zeros(0, wanted)
    if given.ndim != 1 or given.dtype.kind not in "iub":
        shape = f"{given.dtype} of shape {given.shape}"
        raise BadInput(Finding("NE5103", f"{name} must be one-dimensional integers, not {shape}"))
    if given.dtype == wanted:
        return np.ascontiguousarray(given)
    limits = np.iinfo(wanted)
    lowest, highest = int(given.min()), int(given.max())
    if lowest < limits.min or highest > limits.max:
        worst = lowest if lowest < limits.min else highest
        place = int(np.flatnonzero(given == worst)[0])
        message = f"{name}[{place}] is {worst}, outside {limits.min}..{limits.max}"
        raise BadInput(Finding("NE5100", message))
    return np.ascontiguousarray(given.astype(wanted))


def same_value(first: Any, second: Any) -> bool:
    """Equality that looks into arrays (shape, type and every value), records, mappings and sequences."""
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return (
            isinstance(first, np.ndarray)
            and isinstance(second, np.ndarray)
            and first.dtype == second.dtype
            and np.array_equal(first, second)
        )
    if is_dataclass(first) and not isinstance(first, type):
        return type(first) is type(second) and all(
            same_value(getattr(first, item.name), getattr(second, item.name)) for item in fields(first)
        )
    if isinstance(first, Mapping):
        return (
            isinstance(second, Mapping)
            and first.keys() == second.keys()
            and all(same_value(value, second[key]) for key, value in first.items())
        )
    if isinstance(first, (tuple, list)):
        return (
            type(first) is type(second)
            and len(first) == len(second)
            and all(same_value(a, b) for a, b in zip(first, second, strict=True))
        )
    return bool(first == second)


class Record:
    """Base of frozen dataclasses (``eq=False``); fields with a ``dtype`` in their metadata are arrays."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            dtype = item.metadata.get("dtype")
            if dtype is not None:
                name = f"{type(self).__name__}.{item.name}"
                object.__setattr__(self, item.name, exact_array(getattr(self, item.name), dtype, name))

    def __eq__(self, other: object) -> bool:
        return same_value(self, other)

    __hash__ = None  # type: ignore[assignment]
