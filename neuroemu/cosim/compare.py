"""Holds what the Verilog cores did against the model and finds the first difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.core import LEFT_RANGE, SPIKED, Record
from neuroemu.cosim.reference import Expected

_REGISTER = {"cycles": "cycles by the register", "stalls": "stalls", "left_range": "range register"}
"""Counters that are also known from the pins, as differences call them; others by their own name."""
LEFT = "updates that left their range"
IN_MEMORY = "{} in memory"
_AT_THE_PINS = ("updates", "cycles at the pins")
_SHOWN = "register {}"


@dataclass(frozen=True)
class Difference:
    """Where model and Verilog part for the first time.

    Attributes:
        tick: of the batch.
        core: position of the core.
        neuron: its number there; None where a whole core differs.
        quantities: what differs there.
        model, rtl: those quantities and all states of the neuron, as plain numbers.
        since: first tick that is counted in a quantity that covers several, up to ``tick``; else None.
    """

    tick: int
    core: int
    neuron: int | None
    quantities: tuple[str, ...]
    model: dict[str, Any]
    rtl: dict[str, Any]
    since: int | None = None


def first_difference(expected: Expected, record: Record, first_neuron: Sequence[int]) -> Difference | None:
    """The first tick with a difference; in it the first core, its states before its packets before its counters.

    Args:
        first_neuron: (cores + 1,) of each core.
    """
    ticks, cores = record.ticks, len(first_neuron) - 1
    rtl = {**record.states, "spiked": (record.flags & SPIKED) != 0}
    model = {name: array[:ticks] for name, array in {**expected.states, "spiked": expected.spiked}.items()}
    wrong_state = np.zeros((ticks, int(first_neuron[-1])), np.bool_)
    for name in rtl:
        if not np.array_equal(rtl[name], model[name]):
            wrong_state |= rtl[name] != model[name]
    cells = _cells(expected, record, first_neuron)
    wrong_cell = np.zeros((ticks, cores), np.bool_)
    for found, wanted in cells.values():
        wrong_cell |= found != wanted
    wrong_packets = _wrong_packets(expected, record, ticks, cores)
    rows = [wrong_state.any(axis=1), wrong_cell.any(axis=1), wrong_packets.any(axis=1)]
    wrong_row = np.flatnonzero(np.logical_or.reduce(rows))
    if not wrong_row.size:
        return _left_behind(expected, record, first_neuron)
    tick = int(wrong_row[0])
    for core in range(cores):
        first, last = int(first_neuron[core]), int(first_neuron[core + 1])
        neurons = np.flatnonzero(wrong_state[tick, first:last])
        if neurons.size:
            return _of_neuron(tick, core, int(neurons[0]), first, rtl, model)
        if wrong_packets[tick, core]:
            sent = [_packets(side, tick * cores + core) for side in (expected, record)]
            return Difference(tick, core, None, ("packets",), {"packets": sent[0]}, {"packets": sent[1]})
        if wrong_cell[tick, core]:
            names = tuple(name for name, (found, wanted) in cells.items() if found[tick, core] != wanted[tick, core])
            return Difference(
                tick,
                core,
                None,
                names,
                {name: int(cells[name][1][tick, core]) for name in names},
                {name: int(cells[name][0][tick, core]) for name in names},
                int(record.since[tick, core]) if set(names) <= _counted(record) else None,
            )
    raise AssertionError("a row differs, but no core of it")


def left_range_at_the_port(record: Record, first_neuron: Sequence[int]) -> NDArray[np.int64]:
    """(ticks, cores) updates that left their range."""
    left = (record.flags & LEFT_RANGE) != 0
    return np.add.reduceat(left, np.asarray(first_neuron[:-1]), axis=1, dtype=np.int64)


def first_left_range(
    again: Iterable[NDArray[np.int64]], record: Record, first_neuron: Sequence[int]
) -> Difference | None:
    """The first tick and core where the port does not show the model's counts, which ``again`` gives tick by tick, (cores,)."""
    left = left_range_at_the_port(record, first_neuron)
    for tick, (wanted, found) in enumerate(zip(again, left, strict=False)):
        wrong = np.flatnonzero(found != wanted)
        if wrong.size:
            core = int(wrong[0])
            return Difference(tick, core, None, (LEFT,), {LEFT: int(wanted[core])}, {LEFT: int(found[core])})
    return None


def in_memory(
    expected: Expected, kept: Sequence[Mapping[str, NDArray[np.int32]]], first_neuron: Sequence[int]
) -> Difference | None:
    """The first core and neuron whose states in memory, arrays by name for each core, are not those of the last tick."""
    last = expected.states["v"].shape[0] - 1
    for core, states in enumerate(kept):
        neurons = slice(first_neuron[core], first_neuron[core + 1])
        wanted = {name: expected.states[name][last, neurons] for name in states}
        wrong = np.flatnonzero(np.any([states[name] != wanted[name] for name in states], axis=0))
        if wrong.size:
            neuron = int(wrong[0])
            found, due = (
                {IN_MEMORY.format(name): int(side[name][neuron]) for name in states} for side in (states, wanted)
            )
            return Difference(last, core, neuron, tuple(name for name in found if found[name] != due[name]), due, found)
    return None


def changed_memory(changed: Sequence[Mapping[str, int]], tick: int) -> Difference | None:
    """The first core with memories or registers that ticks have changed, each with its number of wrong words."""
    for core, words in enumerate(changed):
        if words:
            found = {f"wrong words of {name}": count for name, count in words.items()}
            return Difference(tick, core, None, tuple(found), dict.fromkeys(found, 0), found)
    return None


def _left_behind(expected: Expected, record: Record, first_neuron: Sequence[int]) -> Difference | None:
    """A broken protocol, or ranges left at other times than in the model, which counts them per batch."""
    if record.fault is not None:
        fault = record.fault
        return Difference(fault.tick, fault.core, None, ("protocol",), {"protocol": "kept"}, {"protocol": fault.what})
    left = left_range_at_the_port(record, first_neuron).sum(axis=0)
    wrong = np.flatnonzero(left != expected.left_range)
    if not wrong.size:
        return None
    core = int(wrong[0])
    told = {LEFT: int(expected.left_range[core])}, {LEFT: int(left[core])}
    return Difference(max(record.ticks - 1, 0), core, None, (LEFT,), *told, since=0)


def _cells(
    expected: Expected, record: Record, first_neuron: Sequence[int]
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Quantities of a core and tick, (Verilog, wanted); registers where they were read, with sums over the ticks before."""
    sizes = np.broadcast_to(np.diff(first_neuron), record.updates.shape)
    counts = {name: count[: record.ticks] for name, count in expected.counts.items()}
    counts |= {"stalls": record.waited, "left_range": left_range_at_the_port(record, first_neuron)}
    registers = {_counter(name): (found, record.since_read(counts[name])) for name, found in record.counters.items()}
    registers |= {
        _SHOWN.format(name): (found, np.where(record.read, expected.shown[name][: record.ticks, None], 0))
        for name, found in record.shown.items()
    }
    updates, cycles = _AT_THE_PINS
    return {updates: (record.updates, sizes), cycles: (record.counted, counts["cycles"]), **registers}


def _counted(record: Record) -> set[str]:
    """Quantities that a register counted over several ticks."""
    return {_counter(name) for name in record.counters}


def _counter(name: str) -> str:
    return _REGISTER.get(name, name.replace("_", " "))


def _wrong_packets(expected: Expected, record: Record, ticks: int, cores: int) -> NDArray[np.bool_]:
    """(ticks, cores) where other packets leave, or in another order."""
    cells = ticks * cores
    start, wanted = record.packet_start[: cells + 1], expected.packet_start[: cells + 1]
    sent, due = int(start[-1]), int(wanted[-1])
    if np.array_equal(start, wanted) and np.array_equal(record.packet[:sent], expected.packet[:due]):
        return np.zeros((ticks, cores), np.bool_)
    wrong = [_packets(record, cell) != _packets(expected, cell) for cell in range(cells)]
    return np.array(wrong, np.bool_).reshape(ticks, cores)


def _packets(side: Expected | Record, cell: int) -> list[list[int]]:
    """Fields of every packet of a core and tick."""
    packets: list[list[int]] = side.packet[int(side.packet_start[cell]) : int(side.packet_start[cell + 1])].tolist()
    return packets


def _of_neuron(
    tick: int, core: int, neuron: int, first: int, rtl: dict[str, NDArray[Any]], model: dict[str, NDArray[Any]]
) -> Difference:
    found, wanted = ({name: side[name][tick, first + neuron].item() for name in rtl} for side in (rtl, model))
    return Difference(tick, core, neuron, tuple(name for name in rtl if found[name] != wanted[name]), wanted, found)
