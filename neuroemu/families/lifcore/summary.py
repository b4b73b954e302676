"""The mapping section of a report: cores, what they hold, what their links carry."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.families.lifcore.mapping import RESOURCES, Placement


def mapping_section(placement: Placement, chip: Any) -> dict[str, Any]:
    """Plain data; message counts are for one spike of every neuron."""
    mesh = chip.structure.mesh
    coordinates = placement.traffic.tocoo()
    rows, columns = coordinates.coords
    packets = coordinates.data.astype(np.int64)
    source, destination = placement.cores[rows], placement.cores[columns]
    held: dict[int, dict[str, int]] = {int(core): {} for core in placement.cores}
    for piece, core in zip(placement.pieces, placement.core_of_piece.tolist(), strict=True):
        held[core][piece.population.name] = held[core].get(piece.population.name, 0) + piece.size
    return {
        "partitioner": placement.partitioner,
        "placer": placement.placer,
        "router": "xy",
        "cores_used": int(placement.cores.shape[0]),
        "cores_lower_bound": placement.lower_bound,
        "binding_resource": placement.binding_resource,
        "mesh": {"columns": mesh.columns, "rows": mesh.rows, "cores_per_tile": mesh.cores_per_tile},
        "cores": [_core(int(core), use, mesh, held) for core, use in zip(placement.cores, placement.use, strict=True)],
        "limits": dict(zip(RESOURCES, placement.room.tolist(), strict=True)),
        **mesh.carried(source, destination, packets),
    }


def _core(core: int, use: Any, mesh: Any, held: dict[int, dict[str, int]]) -> dict[str, Any]:
    tile = core // mesh.cores_per_tile
    x, y = (int(value) for value in mesh.xy_of_tile[tile])
    return {
        "core": core,
        "tile": tile,
        "x": x,
        "y": y,
        "populations": [{"name": name, "neurons": count} for name, count in held[core].items()],
        "use": dict(zip(RESOURCES, use.tolist(), strict=True)),
        "activity": None,
    }
