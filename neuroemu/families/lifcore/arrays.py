"""Networks given as plain integer arrays, on the road that every deployment takes; nothing is scaled and nothing rounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neuroemu.errors import DoesNotFit
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.abilities import lacking
from neuroemu.families.lifcore.image import pack
from neuroemu.families.lifcore.lowered import LoweredNetwork, LoweredPopulation, LoweredProjection
from neuroemu.families.lifcore.mapping import build_image, map_network
from neuroemu.image.container import Program
from neuroemu.image.symbols import numbered_ports
from neuroemu.mapping.partition import DEFAULT_PARTITIONER
from neuroemu.mapping.place import DEFAULT_PLACER
from neuroemu.mapping.rows import Rows

INPUT, NEURONS = "input", "neurons"


def lower_arrays(net: Mapping[str, Any]) -> LoweredNetwork:
    """A network of one population, ``neurons``, and one port, ``input``, from arrays in the format of ``neuroemu.bench``.

    Args:
        net: ``indptr`` (sources + 1,), ``indices``, ``weights``, ``delays`` (CSR by source, inputs first; targets are neurons),
            ``theta``, ``bias``, ``v0`` (neurons,), ``dv``, ``du`` (decays, of 4096), ``R``, ``v_reset``, ``n_in``, ``n``; all
            integers. Synapses of the types int32, int16 and uint8 are not copied.
    """
    inputs, neurons = int(net["n_in"]), int(net["n"])
    profile = {
        "input_shift": 0,
        "current_keep": dynamics.DECAY_ONE - int(net["du"]),
        "leak_mode": dynamics.LEAK_SCALE,
        "leak_amount": dynamics.DECAY_ONE - int(net["dv"]),
        "compare": dynamics.ABOVE,
        "reset": dynamics.RESET_TO_VALUE,
        "reset_value": int(net["v_reset"]),
        "period": int(net["R"]),
    }
    population = LoweredPopulation(
        name=NEURONS,
        shape=(neurons,),
        tick_offset=0,
        spiking=True,
        profile={name: np.full(neurons, value, np.int64) for name, value in profile.items()},
        initial=np.asarray(net["v0"], np.int64),
        threshold=np.asarray(net["theta"], np.int64),
        bias=np.asarray(net["bias"], np.int64),
    )
    rows = Rows(
        np.asarray(net["indptr"], np.int64),
        np.asarray(net["indices"], np.int32),
        np.asarray(net["weights"], np.int16),
        np.asarray(net["delays"], np.uint8),
        neurons,
    )
    spans = {INPUT: (0, inputs), NEURONS: (inputs, inputs + neurons)}
    parts = {source: rows.of_sources(*span) for source, span in spans.items()}
    return LoweredNetwork(
        ports=numbered_ports({INPUT: (inputs,)} if inputs else {}),
        populations=(population,),
        projections=tuple(
            LoweredProjection(f"{source} to {NEURONS}", source, NEURONS, part, 1, int(part.delay.max()))
            for source, part in parts.items()
            if part.synapses
        ),
        outputs=(NEURONS,),
    )


def program_from_network_arrays(
    net: Mapping[str, Any],
    chip: Any,
    partitioner: str = DEFAULT_PARTITIONER,
    placer: str = DEFAULT_PLACER,
    seed: int = 0,
) -> Program:
    """Map and pack the network of :func:`lower_arrays` for ``chip``; the mapping never changes a spike.

    Raises:
        DoesNotFit: NE35xx for what the chip's core cannot compute, else as :func:`~neuroemu.families.lifcore.mapping.map_network`.
    """
    network = lower_arrays(net)
    if findings := lacking(network, chip):
        raise DoesNotFit(findings)
    placement = map_network(network, chip, partitioner, placer, seed)
    return pack(build_image(network, placement, chip, "integer arrays"))
