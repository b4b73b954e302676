"""Recurrent networks that fill a whole chip at a chosen rate, as in the published power sweep: for figures of speed and energy.

Every neuron has as many synapses as asked for, half of them excitatory, half inhibitory, drives itself by its leak with a linear
reset, and sends to an axon of its own on a core anywhere. Synaptic input averages to zero, so the mean rate is leak over threshold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, limits_of
from neuroemu.image.symbols import Symbols

LEAK = 200
WEIGHT = 40
_CORES_AT_ONCE = 64


def recurrent_image(chip: Any, rate_hz: float, synapses: int = 128, seed: int = 0) -> ProgramImage:
    """A program on all cores of ``chip`` without inputs.

    Args:
        rate_hz: mean rate at the chip's nominal tick.
        synapses: of every neuron, even, at most 256.
    """
    rng = np.random.default_rng(seed)
    cores = int(chip.structure.cores.value)
    columns = chip.structure.mesh.columns
    alpha = round(LEAK / (rate_hz * float(chip.timing.tick.value)))
    if synapses % 2 or not 0 < synapses <= SIZE or not 0 < alpha <= limits_of(chip)["alpha"][1]:
        raise ValueError(f"{synapses} synapses at {rate_hz} Hz are not possible")
    number = np.arange(cores, dtype=np.int64)
    shape = (cores, SIZE)
    target, axon = np.divmod(rng.permutation(cores * SIZE).reshape(shape), SIZE)
    x, y = number[:, None] % columns, number[:, None] // columns
    flags = np.zeros(shape, np.uint8)
    weight = np.zeros((*shape, 4), np.int16)
    weight[..., :2] = WEIGHT, -WEIGHT
    image_cores = Cores(
        number=number,
        seed=np.full(cores, 0xFFFFFFFF, np.int64),
        axon_type=np.broadcast_to((np.arange(SIZE) % 2).astype(np.uint8), shape).copy(),
        crossbar=_crossbar(rng, cores, synapses // 2),
        weight=weight,
        stochastic=np.zeros((*shape, 4), np.uint8),
        potential=rng.integers(0, alpha, shape, np.int32),
        leak=np.full(shape, LEAK, np.int16),
        stochastic_leak=flags,
        reversal=flags,
        alpha=np.full(shape, alpha, np.int32),
        beta=np.full(shape, limits_of(chip)["beta"][1], np.int32),
        mask_bits=flags,
        gamma=np.ones(shape, np.uint8),
        kappa=flags,
        reset=np.zeros(shape, np.int32),
        dx=(target % columns - x).astype(np.int16),
        dy=(target // columns - y).astype(np.int16),
        axon=axon.astype(np.uint8),
        delay=rng.integers(1, 16, shape, np.uint8),
    )
    none = np.zeros(0, np.int64)
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(inputs=(), populations=(), outputs=(), dialect=""),
        cores=image_cores,
        host_start=np.zeros(1, np.int64),
        host_core=none,
        host_axon=none,
        host_delay=none,
        seed=seed,
    )


def _crossbar(rng: np.random.Generator, cores: int, of_each_type: int) -> Any:
    """Rows of axons; every neuron meets ``of_each_type`` even and as many odd axons."""
    crossbar = np.empty((cores, SIZE, SIZE // 8), np.uint8)
    for first in range(0, cores, _CORES_AT_ONCE):
        count = min(_CORES_AT_ONCE, cores - first)
        drawn = rng.random((count, SIZE, 2, SIZE // 2), np.float32)
        order = np.argsort(drawn, axis=-1)
        chosen = np.zeros(drawn.shape, np.bool_)
        np.put_along_axis(chosen, order[..., :of_each_type], True, axis=-1)
        by_axon = chosen.swapaxes(-1, -2).reshape(count, SIZE, SIZE).swapaxes(1, 2)
        crossbar[first : first + count] = np.packbits(np.ascontiguousarray(by_axon), axis=-1)
    return crossbar
