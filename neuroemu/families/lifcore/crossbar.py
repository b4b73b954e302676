"""A core whose memory is a crossbar: a weight for every axon and neuron, wherever lists leave some out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.lifcore.image import DENSE_KIND, KINDS, CoreImage


def is_crossbar(chip: Any) -> bool:
    """Whether a chip's cores hold dense lists only and have room for a weight of every axon and neuron."""
    weights = int(chip.limits.neurons.value) * int(chip.limits.axons.value)
    room = int(chip.limits.synapse_memory.bits) // int(chip.arithmetic.weight_bits.value)
    return chip.arithmetic.synapse_kinds.value == (KINDS[DENSE_KIND],) and weights <= room


def weights_of(core: CoreImage) -> NDArray[np.int16]:
    """The weights of a core with dense lists, (axons, neurons)."""
    matrix = np.zeros((core.axon_list.shape[0], core.size), np.int16)
    for axon, (number, base) in enumerate(zip(core.axon_list.tolist(), core.axon_base.tolist(), strict=True)):
        synapses = slice(int(core.list_start[number]), int(core.list_start[number + 1]))
        matrix[axon, base + core.index[synapses]] = core.weight[synapses]
    return matrix


def as_crossbar(core: CoreImage) -> CoreImage:
    """The same core with whole rows; one that has them already is returned.

    Lists of several populations on a core cover their own neurons only. A crossbar has no such lists: the row of an axon is as
    long as the core, and the core spends a cycle on each of its zeros.
    """
    if np.all(np.diff(core.list_start) == core.size) and not core.axon_base.any():
        return core
    matrix = weights_of(core)
    axons, size = matrix.shape
    return replace(
        core,
        axon_list=np.arange(axons, dtype=np.int64),
        axon_base=np.zeros(axons, np.int64),
        list_start=np.arange(axons + 1, dtype=np.int64) * size,
        list_kind=np.full(axons, DENSE_KIND, np.int64),
        index=np.tile(np.arange(size, dtype=np.int32), axons),
        weight=matrix.reshape(-1),
        delay=np.ones(matrix.size, np.uint8),
    )
