"""Random numbers of the cores, generator "neuroemu v1": a number depends on its place alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.emulator.compiled import njit
from neuroemu.emulator.random import mix


@njit
def random_word(key: Any, neuron: int, draw: Any) -> Any:
    """Generator "neuroemu v1": the ``draw``-th 32-bit word of a neuron in the tick of ``key``."""
    return np.int64(mix(key ^ ((np.uint64(neuron) << np.uint64(32)) | np.uint64(draw))) >> np.uint64(32))


@njit
def tick_key(seed: Any, tick: int) -> Any:
    """What a core's random words of a tick are made from."""
    return mix(mix(seed) ^ np.uint64(tick))
