"""Puts the pieces of a network onto cores of the mesh and writes the cores that result."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import DoesNotFit, Finding
from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, build_cores, limits_of
from neuroemu.families.truenorth.lowered import REGISTERS, LoweredNetwork
from neuroemu.families.truenorth.pieces import Piece, Wired
from neuroemu.image.symbols import Symbols
from neuroemu.mapping.cores import Placement, place_pieces, symbols_of

Int64 = NDArray[np.int64]

RESOURCES = ("axons", "neurons")
CUTTER = "crossbar tiles"
_CORES_AT_ONCE = 64


def map_pieces(wired: Wired, chip: Any, placer: str, seed: int) -> Placement[Piece]:
    """Pack the pieces and place the cores on the fewest chips, side by side and within the reach of packets where possible.

    Raises:
        DoesNotFit: NE4106 when the mesh has too few cores, NE3611 for targets beyond the reach of a packet.
    """
    use = np.array([(piece.axons, piece.slots) for piece in wired.pieces], np.int64).reshape(-1, 2)
    room = np.array([int(chip.limits.axons.value), int(chip.limits.neurons.value)], np.int64)
    placement = place_pieces(
        wired.pieces,
        use,
        room,
        RESOURCES,
        chip.structure.mesh,
        CUTTER,
        placer,
        seed,
        corner=lambda cores: corner_for(chip, cores),
    )
    if findings := beyond_reach(placement, chip):
        raise DoesNotFit(findings)
    return placement


def corner_for(chip: Any, cores: int) -> tuple[int, int]:
    """Columns and rows of the corner of the mesh that so many cores are placed on.

    Whole chips, as few as hold them and as square as possible. Where a packet cannot cross these, the largest corner that any
    packet can cross is taken if it holds the cores; else targets may be out of reach.
    """
    structure, mesh = chip.structure, chip.structure.mesh
    across = min(int(chip.limits.target_cores_back.value), int(chip.limits.target_cores_ahead.value)) + 1
    wide, high = int(structure.mesh_columns.value), int(structure.mesh_rows.value)
    corners = [
        (wide * columns, high * rows)
        for columns in range(1, int(structure.chip_columns.value) + 1)
        for rows in range(1, int(structure.chip_rows.value) + 1)
    ]
    corners.append((min(across, mesh.columns), min(across, mesh.rows)))
    return min(
        (corner for corner in corners if corner[0] * corner[1] >= cores),
        key=lambda corner: (max(corner) > across, corner[0] * corner[1], max(corner)),
    )


def beyond_reach(placement: Placement[Piece], chip: Any) -> list[Finding]:
    """NE3611 for every pair of populations with a target that no packet reaches, with the farthest one's cores."""
    mesh, limits = chip.structure.mesh, chip.limits
    back, ahead = int(limits.target_cores_back.value), int(limits.target_cores_ahead.value)
    worst: dict[tuple[str, str], tuple[int, int, int, int, int]] = {}
    for number, piece in enumerate(placement.pieces):
        own = int(placement.core_of_piece[number])
        for reached in np.unique(piece.target[piece.target >= 0]).tolist():
            core = int(placement.core_of_piece[reached])
            dx, dy = core % mesh.columns - own % mesh.columns, core // mesh.columns - own // mesh.columns
            by = max(-back - min(dx, dy), max(dx, dy) - ahead)
            pair = piece.population.name, placement.pieces[reached].population.name
            if by > 0:
                worst[pair] = max(worst.get(pair, (0, 0, 0, 0, 0)), (by, own, core, dx, dy))
    return [_out_of_reach(*pair, *found, back, ahead) for pair, found in worst.items()]


def _out_of_reach(
    source: str, target: str, by: int, own: int, core: int, dx: int, dy: int, back: int, ahead: int
) -> Finding:
    message = (
        f"{source} on core {own} sends to {target} on core {core}, {dx:+d} cores in x and {dy:+d} in y; a packet reaches "
        f"-{back}..{ahead}, {by} less"
    )
    fixes = (
        f"make the network smaller, so that it fits on {ahead + 1} x {ahead + 1} cores",
        "try another --placer or --seed",
        "put a population of relays (weight 1, threshold 1) in between",
    )
    return Finding("NE3611", message, f"projection {source} to {target}", fixes)


def build_image(
    lowered: LoweredNetwork, wired: Wired, placement: Placement[Piece], chip: Any, dialect: str
) -> ProgramImage:
    """Crossbars, registers and targets of the placed network.

    Raises:
        DoesNotFit: NE5603 for a value that its field does not hold.
    """
    first_axon, first_slot, core_of = _layout(placement)
    mesh_columns = chip.structure.mesh.columns
    position = {int(core): place for place, core in enumerate(placement.cores)}
    members: list[list[int]] = [[] for _ in position]
    for number, core in enumerate(placement.core_of_piece.tolist()):
        members[position[core]].append(number)
    parts = [
        _cores(
            placement.cores[first : first + _CORES_AT_ONCE],
            members[first : first + _CORES_AT_ONCE],
            wired,
            (first_axon, first_slot, core_of),
            mesh_columns,
            chip,
        )
        for first in range(0, len(members), _CORES_AT_ONCE)
    ]
    cores = Cores(**{item.name: np.concatenate([getattr(part, item.name) for part in parts]) for item in fields(Cores)})
    sources = sum(port.size for port in lowered.ports)
    host = wired.host
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.bincount(host.source, minlength=sources))])
    places = {
        population.name: (core_of[wired.place[population.name][0]], _slots(wired, first_slot, population.name))
        for population in wired.populations
    }
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(lowered.ports, symbols_of(wired.populations, places), lowered.outputs, dialect),
        cores=cores,
        host_start=start.astype(np.int64),
        host_core=core_of[host.piece],
        host_axon=first_axon[host.piece] + host.axon,
        host_delay=host.delay,
    )


def _slots(wired: Wired, first_slot: Int64, name: str) -> Int64:
    piece, slot = wired.place[name]
    return first_slot[piece] + slot


def _layout(placement: Placement[Piece]) -> tuple[Int64, Int64, Int64]:
    """(first axon, first neuron, core) of every piece; pieces of a core follow each other."""
    count = len(placement.pieces)
    axon, slot = np.zeros(count, np.int64), np.zeros(count, np.int64)
    used: dict[int, tuple[int, int]] = {}
    for number, core in enumerate(placement.core_of_piece.tolist()):
        axon[number], slot[number] = used.get(core, (0, 0))
        piece = placement.pieces[number]
        used[core] = int(axon[number]) + piece.axons, int(slot[number]) + piece.slots
    return axon, slot, placement.core_of_piece.astype(np.int64)


def _cores(
    numbers: Int64,
    members: list[list[int]],
    wired: Wired,
    layout: tuple[Int64, Int64, Int64],
    mesh_columns: int,
    chip: Any,
) -> Cores:
    first_axon, first_slot, core_of = layout
    shape = (len(members), SIZE)
    synapses = np.zeros((*shape, SIZE), np.bool_)
    connected = np.zeros(shape, np.bool_)
    columns: dict[str, Int64] = {
        name: np.zeros(shape, np.int64) for name in ("axon_type", "potential", "dx", "dy", "axon", "delay", *REGISTERS)
    }
    columns["alpha"][:] = limits_of(chip)["alpha"][1]
    columns["weight"] = np.zeros((*shape, 4), np.int64)
    for place, pieces in enumerate(members):
        for number in pieces:
            piece = wired.pieces[number]
            axons = slice(first_axon[number], first_axon[number] + piece.axons)
            slots = slice(first_slot[number], first_slot[number] + piece.slots)
            synapses[place, axons, slots] = piece.tile.synapses[:, piece.member]
            columns["axon_type"][place, axons] = piece.tile.axon_type
            columns["weight"][place, slots] = piece.tile.table[piece.member]
            for name in REGISTERS:
                columns[name][place, slots] = piece.registers[name]
            columns["potential"][place, slots] = piece.initial
            linked = piece.target >= 0
            target = core_of[piece.target]
            own = int(core_of[number])
            connected[place, slots] = linked
            columns["dx"][place, slots] = np.where(linked, target % mesh_columns - own % mesh_columns, 0)
            columns["dy"][place, slots] = np.where(linked, target // mesh_columns - own // mesh_columns, 0)
            columns["axon"][place, slots] = np.where(linked, first_axon[piece.target] + piece.target_axon, 0)
            columns["delay"][place, slots] = piece.target_delay
    return build_cores(numbers, synapses, columns, connected, None, limits_of(chip))
