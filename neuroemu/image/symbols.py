"""What a user calls things, carried in the program: ports, populations and where their neurons live."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.image.container import Bytes, Program, take, take_integers
from neuroemu.image.records import INT32, Record

Int32 = NDArray[np.int32]

CORE_SECTION = "symbols/core"
COMPARTMENT_SECTION = "symbols/compartment"
_STORED = np.dtype("<i4")


@dataclass(frozen=True)
class Port:
    """Spikes from outside: ``size`` host sources from ``first_source`` on, in C order of ``shape``.

    The sources of a ``constant`` port fire in every tick of a sample (a bias on a current); users do not feed it.
    """

    name: str
    shape: tuple[int, ...]
    first_source: int
    size: int
    constant: bool = False


def numbered_ports(shapes: Mapping[str, tuple[int, ...]], constant: Sequence[str] = ()) -> tuple[Port, ...]:
    """Ports whose sources follow each other, then ``constant`` ones of one source each."""
    ports: list[Port] = []
    first = 0
    for name, shape in [*shapes.items(), *((name, (1,)) for name in constant)]:
        ports.append(Port(name, shape, first, math.prod(shape), name in constant))
        first += ports[-1].size
    return tuple(ports)


@dataclass(frozen=True, eq=False)
class PopulationSymbol(Record):
    """A population of the network and the place of each of its neurons.

    Attributes:
        name: the population's name in the network.
        shape: its shape; neurons are numbered in C order.
        tick_offset: ticks by which the chip is behind the network here: network tick ``t`` is chip tick
            ``t + tick_offset``.
        spiking: whether the output is spikes; if not it is the membrane.
        core: int32, shape (size,), core number of each neuron.
        compartment: int32, shape (size,), compartment within that core.
    """

    name: str
    shape: tuple[int, ...]
    tick_offset: int
    spiking: bool
    core: Int32 = field(metadata=INT32)
    compartment: Int32 = field(metadata=INT32)

    @property
    def size(self) -> int:
        return int(self.core.size)


@dataclass(frozen=True, eq=False)
class Symbols(Record):
    """Names for everything a user may feed, probe or read; ``outputs`` names populations."""

    inputs: tuple[Port, ...]
    populations: tuple[PopulationSymbol, ...]
    outputs: tuple[str, ...]
    dialect: str

    def port(self, name: str) -> Port:
        """The input of that name; KeyError when there is none."""
        return {port.name: port for port in self.inputs}[name]

    def population(self, name: str) -> PopulationSymbol:
        """The population of that name; KeyError when there is none."""
        return {population.name: population for population in self.populations}[name]

    def engine_neurons(self, cores: Sequence[int], sizes: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Population -> engine numbers of its neurons, int64.

        Args:
            cores: core numbers in the order in which the engine lays them out.
            sizes: int64, shape (cores,), neurons of each.
        """
        first = np.zeros(max(cores, default=0) + 1, np.int64)
        first[list(cores)] = np.cumsum(sizes) - sizes
        return {symbol.name: first[symbol.core] + symbol.compartment for symbol in self.populations}


def pack_symbols(symbols: Symbols) -> tuple[dict[str, Any], dict[str, Bytes]]:
    """Manifest entry and sections; the neuron places of all populations follow each other in two int32 sections."""
    entry = {
        "dialect": symbols.dialect,
        "inputs": [
            {
                "name": port.name,
                "shape": list(port.shape),
                "first_source": port.first_source,
                "size": port.size,
                "constant": port.constant,
            }
            for port in symbols.inputs
        ],
        "populations": [
            {
                "name": population.name,
                "shape": list(population.shape),
                "size": population.size,
                "tick_offset": population.tick_offset,
                "spiking": population.spiking,
            }
            for population in symbols.populations
        ],
        "outputs": list(symbols.outputs),
    }
    core = _joined([population.core for population in symbols.populations])
    compartment = _joined([population.compartment for population in symbols.populations])
    return entry, {CORE_SECTION: core, COMPARTMENT_SECTION: compartment}


def unpack_symbols(program: Program) -> Symbols:
    """The symbols of a program.

    Raises:
        BadInput: NE5004 for a malformed manifest entry, NE5011 when the sections have another length than the
            populations.
    """
    entry = take(program.manifest, "symbols", dict, "manifest")
    populations = list(take(entry, "populations", list, "symbols"))
    sizes = [_non_negative(item, "size", "symbols.populations") for item in populations]
    core = _int32(program, CORE_SECTION, sum(sizes))
    compartment = _int32(program, COMPARTMENT_SECTION, sum(sizes))
    symbols = []
    first = 0
    for item, size in zip(populations, sizes, strict=True):
        place = "symbols.populations"
        symbols.append(
            PopulationSymbol(
                name=take(item, "name", str, place),
                shape=take_integers(item, "shape", place),
                tick_offset=take(item, "tick_offset", int, place),
                spiking=take(item, "spiking", bool, place),
                core=core[first : first + size],
                compartment=compartment[first : first + size],
            )
        )
        first += size
    outputs = take(entry, "outputs", list, "symbols")
    if not all(type(name) is str for name in outputs):
        raise BadInput(Finding("NE5004", "manifest entry 'symbols.outputs' must list names"))
    inputs = tuple(_port(item) for item in take(entry, "inputs", list, "symbols"))
    return Symbols(inputs, tuple(symbols), tuple(outputs), take(entry, "dialect", str, "symbols"))


def check_symbols(symbols: Symbols, compartments: Mapping[int, int], sources: int) -> Iterator[Finding]:
    """Findings about names that point nowhere.

    Args:
        symbols: what to check.
        compartments: core number -> number of compartments of that core.
        sources: number of host sources.
    """
    names = [port.name for port in symbols.inputs] + [population.name for population in symbols.populations]
    for name in sorted(name for name, uses in Counter(names).items() if uses > 1):
        yield Finding("NE5011", "the symbols name it twice", f"population {name}")
    for name in symbols.outputs:
        if name not in names:
            yield Finding("NE5011", "the symbols list it as an output but do not define it", f"population {name}")
    for port in symbols.inputs:
        where = f"population {port.name}"
        if math.prod(port.shape) != port.size:
            yield Finding("NE5011", f"shape {port.shape} has not {port.size} elements", where)
        if port.first_source < 0 or port.size < 0 or port.first_source + port.size > sources:
            last = port.first_source + port.size
            yield Finding("NE5011", f"sources {port.first_source}..{last - 1} are not among the {sources}", where)
    for population in symbols.populations:
        yield from _check_places(population, compartments)


def _check_places(population: PopulationSymbol, compartments: Mapping[int, int]) -> Iterator[Finding]:
    where = f"population {population.name}"
    if population.core.size != population.compartment.size or math.prod(population.shape) != population.size:
        sizes = f"{population.core.size} cores and {population.compartment.size} compartments"
        yield Finding("NE5011", f"shape {population.shape} has {sizes}", where)
        return
    for core in np.unique(population.core).tolist():
        inside = population.compartment[population.core == core]
        available = compartments.get(core, 0)
        wrong = inside[(inside < 0) | (inside >= available)]
        if wrong.size:
            message = f"a neuron is placed on compartment {wrong[0]} of core {core}, which has {available}"
            yield Finding("NE5011", message, where)


def _joined(columns: list[Int32]) -> Bytes:
    return np.concatenate([np.zeros(0, np.int32), *columns]).astype(_STORED).view(np.uint8)


def _port(item: Any) -> Port:
    place = "symbols.inputs"
    return Port(
        name=take(item, "name", str, place),
        shape=take_integers(item, "shape", place),
        first_source=_non_negative(item, "first_source", place),
        constant=take(item, "constant", bool, place),
        size=_non_negative(item, "size", place),
    )


def _non_negative(item: Any, key: str, place: str) -> int:
    value = take(item, key, int, place)
    if value < 0:
        raise BadInput(Finding("NE5004", f"manifest entry '{place}.{key}' is {value}; it must be at least 0"))
    return value


def _int32(program: Program, name: str, count: int) -> Int32:
    data = program.section(name)
    if data.size != count * _STORED.itemsize:
        message = f"section '{name}' has {data.size} bytes; {count} neurons need {count * _STORED.itemsize}"
        raise BadInput(Finding("NE5011", message))
    return data.view(_STORED).astype(np.int32)
