"""The mapping section of a report: cores, what they hold, what their links carry."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.families.loihi.mapping import Placement


def mapping_section(placement: Placement, chip: Any) -> dict[str, Any]:
    """Plain data; message counts are per profiled spike of every neuron."""
    mesh = chip.structure.mesh
    rows, columns = placement.traffic.tocoo().coords
    packets = placement.traffic.tocoo().data.astype(np.int64)
    source, destination = placement.cores[rows], placement.cores[columns]
    held: dict[int, dict[str, int]] = {int(core): {} for core in placement.cores}
    for piece, core in zip(placement.pieces, placement.core_of_piece, strict=True):
        names = held[int(core)]
        names[piece.population.name] = names.get(piece.population.name, 0) + piece.size
    return {
        "partitioner": placement.partitioner,
        "placer": placement.placer,
        "router": "xy",
        "cores_used": int(placement.cores.shape[0]),
        "cores_lower_bound": placement.lower_bound,
        "binding_resource": placement.binding_resource,
        "mesh": {"columns": mesh.columns, "rows": mesh.rows, "cores_per_tile": mesh.cores_per_tile},
        "cores": [_core(placement, mesh, row, held) for row in range(placement.cores.shape[0])],
        "limits": {name: int(getattr(placement.limits, name)) for name in placement.resources},
        **mesh.carried(source, destination, packets),
    }


def _core(placement: Placement, mesh: Any, row: int, held: dict[int, dict[str, int]]) -> dict[str, Any]:
    core = int(placement.cores[row])
    tile = core // mesh.cores_per_tile
    x, y = (int(value) for value in mesh.xy_of_tile[tile])
    return {
        "core": core,
        "tile": tile,
        "x": x,
        "y": y,
        "populations": [{"name": name, "neurons": count} for name, count in held[core].items()],
        "use": {name: int(value) for name, value in zip(placement.resources, placement.use[row], strict=True)},
        "activity": None,
    }
