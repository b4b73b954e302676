"""The mapping section of a report on cores that were mapped before they came here."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.families.truenorth.image import SIZE, UNUSED_ALPHA, ProgramImage


def mapping_section(image: ProgramImage, chip: Any) -> dict[str, Any]:
    """Cores in use, where they lie, and how much of their axons, neurons and synapses is used; plain data.

    An axon is in use when it meets a used neuron. What the mesh carries is not known before a run.
    """
    cores, mesh = image.cores, chip.structure.mesh
    held = _held(image)
    return {
        "partitioner": "IBM's tools",
        "placer": "core ids row by row",
        "router": "xy",
        "cores_used": cores.count,
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
                "use": _use(image, position),
                "activity": None,
            }
            for position, number in enumerate(cores.number.tolist())
        ],
        "limits": {
            "axons": int(chip.limits.axons.value),
            "neurons": int(chip.limits.neurons.value),
            "synapses": int(chip.limits.axons.value) * int(chip.limits.neurons.value),
        },
        "links": [],
    }


def _use(image: ProgramImage, position: int) -> dict[str, Any]:
    used = image.cores.alpha[position] != UNUSED_ALPHA
    for symbol in image.symbols.populations:
        used[symbol.compartment[symbol.core == image.cores.number[position]]] = True
    synapses = np.unpackbits(image.cores.crossbar[position], axis=-1)[:, :SIZE] & used
    return {"axons": int(synapses.any(axis=1).sum()), "neurons": int(used.sum()), "synapses": int(synapses.sum())}


def _held(image: ProgramImage) -> dict[int, list[dict[str, Any]]]:
    """Core number -> neurons of every population on it."""
    held: dict[int, list[dict[str, Any]]] = {}
    for symbol in image.symbols.populations:
        for core, neurons in zip(*np.unique(symbol.core, return_counts=True), strict=True):
            held.setdefault(int(core), []).append({"name": symbol.name, "neurons": int(neurons)})
    return held
