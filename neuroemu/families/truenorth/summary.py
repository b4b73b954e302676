"""The mapping section of a report on a booted program: what the image tells of the cores that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth.core import TrueNorthEngine
from neuroemu.families.truenorth.image import UNUSED_ALPHA
from neuroemu.families.truenorth.lanes import SIZE, lane_order
from neuroemu.families.truenorth.memory import THRESHOLD

if TYPE_CHECKING:
    from neuroemu.families.truenorth.boot import TrueNorthBooted

_BITS_OF_BYTE = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1).astype(np.int64)


def mapping_section(booted: TrueNorthBooted) -> dict[str, Any]:
    """Cores in use, where they lie, and how much of their axons, neurons and synapses is used; plain data.

    An axon is in use when it meets a used neuron. Who mapped the program, it does not tell, and what the mesh carries is
    not known before a run.
    """
    chip, mesh = booted.chip, booted.chip.structure.mesh
    held, use = _held(booted), _use(booted)
    return {
        "partitioner": None,
        "placer": None,
        "router": "xy",
        "cores_used": len(booted.core_numbers),
        "cores_lower_bound": None,
        "binding_resource": None,
        "messages": None,
        "hops": None,
        "max_link_load": None,
        "diameter_hops": None,
        "mesh": {"columns": mesh.columns, "rows": mesh.rows, "cores_per_tile": mesh.cores_per_tile},
        "cores": [
            {
                "core": number,
                "tile": number,
                "x": number % mesh.columns,
                "y": number // mesh.columns,
                "populations": held.get(number, []),
                "use": {name: int(column[position]) for name, column in use.items()},
                "activity": None,
            }
            for position, number in enumerate(booted.core_numbers)
        ],
        "limits": {
            "axons": int(chip.limits.axons.value),
            "neurons": int(chip.limits.neurons.value),
            "synapses": int(chip.limits.axons.value) * int(chip.limits.neurons.value),
        },
        "links": [],
    }


def _use(booted: TrueNorthBooted) -> dict[str, NDArray[np.int64]]:
    """Used axons, neurons and synapses, int64 (cores,) each."""
    assert isinstance(booted.engine, TrueNorthEngine)
    program = booted.engine.program
    used = program.neurons.alpha[program.neurons.block[:, THRESHOLD]] != UNUSED_ALPHA
    for neurons in booted.neurons_of.values():
        used.reshape(-1)[neurons] = True
    meets = program.crossbars.row & lane_order(used)[:, None, :]
    return {
        "axons": meets.any(axis=2).sum(axis=1),
        "neurons": used.sum(axis=1),
        "synapses": _BITS_OF_BYTE[meets.view(np.uint8)].reshape(used.shape[0], -1).sum(axis=1),
    }


def _held(booted: TrueNorthBooted) -> dict[int, list[dict[str, Any]]]:
    """Core number -> neurons of every population on it."""
    held: dict[int, list[dict[str, Any]]] = {}
    for name, neurons in booted.neurons_of.items():
        for position, count in zip(*np.unique(neurons // SIZE, return_counts=True), strict=True):
            core = booted.core_numbers[int(position)]
            held.setdefault(core, []).append({"name": name, "neurons": int(count)})
    return held
