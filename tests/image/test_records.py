"""Arrays in records keep every value exactly and are compared by value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from neuroemu.errors import BadInput
from neuroemu.image.records import INT16, UINT8, Record, exact_array, same_value


@dataclass(frozen=True, eq=False)
class Sample(Record):
    name: str
    weight: Any = field(metadata=INT16)


def test_values_are_converted_to_the_declared_type() -> None:
    sample = Sample("a", [1, -2, 3])
    assert sample.weight.dtype == np.int16
    assert sample.weight.tolist() == [1, -2, 3]


def test_an_array_of_the_declared_type_is_not_copied() -> None:
    weight = np.arange(4, dtype=np.int16)
    assert Sample("a", weight).weight is weight


def test_an_empty_list_fits_every_type() -> None:
    assert exact_array([], UINT8["dtype"], "x").dtype == np.uint8


@pytest.mark.parametrize(("value", "place"), [(-1, 0), (256, 2)])
def test_a_value_outside_the_type_is_refused_with_its_place(value: int, place: int) -> None:
    values = [0, 0, 0]
    values[place] = value
    with pytest.raises(BadInput, match=rf"x\[{place}\] is {value}, outside 0\.\.255"):
        exact_array(values, np.uint8, "x")


@pytest.mark.parametrize("values", [[0.5], [[1, 2]], ["a"], 3])
def test_only_one_dimensional_integers_are_taken(values: Any) -> None:
    with pytest.raises(BadInput, match="NE5103"):
        exact_array(values, np.uint8, "x")


def test_records_are_equal_when_all_values_are() -> None:
    assert Sample("a", [1, 2]) == Sample("a", [1, 2])
    assert Sample("a", [1, 2]) != Sample("a", [1, 3])
    assert Sample("a", [1, 2]) != Sample("b", [1, 2])
    assert Sample("a", [1, 2]) != "a"


def test_arrays_of_another_type_or_shape_are_not_the_same_value() -> None:
    ones = np.ones(2, np.int16)
    assert not same_value(ones, ones.astype(np.int32))
    assert not same_value(ones, np.ones(3, np.int16))
    assert not same_value(ones, [1, 1])


def test_mappings_and_sequences_are_compared_deeply() -> None:
    one = {"a": (np.ones(2), [1]), "b": None}
    assert same_value(one, {"b": None, "a": (np.ones(2), [1])})
    assert not same_value(one, {"a": (np.zeros(2), [1]), "b": None})
    assert not same_value(one, {"a": (np.ones(2), (1,)), "b": None})
    assert not same_value(one, {"a": (np.ones(2), [1])})
