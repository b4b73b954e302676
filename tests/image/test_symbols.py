"""Symbols come back from the program, and names that point nowhere are reported."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.errors import BadInput
from neuroemu.image.container import Program
from neuroemu.image.symbols import PopulationSymbol, Port, Symbols, check_symbols, pack_symbols, unpack_symbols


def population(name: str = "hidden", **changes: Any) -> PopulationSymbol:
    values: dict[str, Any] = {
        "shape": (3,),
        "tick_offset": 1,
        "spiking": True,
        "core": [0, 0, 4],
        "compartment": [5, 6, 0],
    }
    return PopulationSymbol(name=name, **{**values, **changes})


def symbols(**changes: Any) -> Symbols:
    values: dict[str, Any] = {
        "inputs": (Port("image", (1, 2, 2), 0, 4),),
        "populations": (population(), population("out", tick_offset=2, spiking=False)),
        "outputs": ("out",),
        "dialect": "snntorch-hard",
    }
    return Symbols(**{**values, **changes})


def stored(content: Symbols) -> Program:
    entry, sections = pack_symbols(content)
    return Program({"symbols": entry}, dict(sections))


def messages(content: Symbols) -> str:
    return "\n".join(str(finding) for finding in check_symbols(content, {0: 8, 4: 1}, 4))


POPULATIONS = st.builds(
    lambda name, places, offset, spiking: PopulationSymbol(
        name, (len(places),), offset, spiking, [core for core, _ in places], [place for _, place in places]
    ),
    st.text(min_size=1),
    st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 1023)), max_size=6),
    st.integers(0, 9),
    st.booleans(),
)
PORTS = st.builds(
    lambda name, shape, first, constant: Port(name, tuple(shape), first, 1, constant),
    st.text(),
    st.lists(st.just(1)),
    st.integers(0, 99),
    st.booleans(),
)


@given(
    st.builds(
        Symbols,
        st.lists(PORTS, max_size=3).map(tuple),
        st.lists(POPULATIONS, max_size=3).map(tuple),
        st.lists(st.text(), max_size=3).map(tuple),
        st.text(),
    )
)
def test_symbols_come_back_from_the_program(content: Symbols) -> None:
    assert unpack_symbols(stored(content)) == content


def test_good_symbols_have_no_findings() -> None:
    assert messages(symbols()) == ""


def test_symbols_are_found_by_name() -> None:
    assert symbols().port("image").size == 4
    assert symbols().population("out").tick_offset == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outputs": ("nothing",)}, "population nothing: NE5011"),
        ({"inputs": (Port("out", (4,), 0, 4),)}, "population out: NE5011 the symbols name it twice"),
        ({"inputs": (Port("image", (5,), 0, 4),)}, r"shape (5,) has not 4 elements"),
        ({"inputs": (Port("image", (4,), 1, 4),)}, "sources 1..4 are not among the 4"),
        ({"populations": (population("out", shape=(4,)),)}, "shape (4,) has 3 cores and 3 compartments"),
        ({"populations": (population("out", compartment=[5, 6]),)}, "3 cores and 2 compartments"),
        ({"populations": (population("out", compartment=[5, 8, 0]),)}, "compartment 8 of core 0, which has 8"),
        ({"populations": (population("out", compartment=[5, -1, 0]),)}, "compartment -1 of core 0, which has 8"),
        ({"populations": (population("out", core=[0, 0, 3]),)}, "compartment 0 of core 3, which has 0"),
    ],
)
def test_a_name_that_points_nowhere_is_reported(changes: dict[str, Any], expected: str) -> None:
    assert expected in messages(symbols(**changes))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("populations",), None),
        (("populations", 0, "size"), -1),
        (("populations", 0, "size"), 1.5),
        (("populations", 0, "shape"), [-3]),
        (("populations", 0, "spiking"), 1),
        (("populations", 0, "name"), 7),
        (("populations", 0), "hidden"),
        (("inputs", 0, "first_source"), -2),
        (("inputs", 0, "constant"), 0),
        (("outputs",), [1]),
        (("dialect",), 3),
    ],
)
def test_a_malformed_entry_is_refused(path: tuple[Any, ...], value: Any) -> None:
    program = stored(symbols())
    entry = program.manifest["symbols"]
    for step in path[:-1]:
        entry = entry[step]
    entry[path[-1]] = value
    with pytest.raises(BadInput, match="NE5004"):
        unpack_symbols(program)


@pytest.mark.parametrize("size", [2, 10**15])
def test_sections_must_have_the_declared_length(size: int) -> None:
    program = stored(symbols())
    program.manifest["symbols"]["populations"][0]["size"] = size
    with pytest.raises(BadInput, match=r"NE5011 section 'symbols/core' has 24 bytes"):
        unpack_symbols(program)
