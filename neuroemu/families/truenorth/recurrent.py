"""Recurrent networks that fill a whole chip at a chosen rate, as in the published power sweep: for figures of speed and energy.

Every neuron has as many synapses as asked for, half of them excitatory, half inhibitory, drives itself by its leak with a linear
reset, and sends to an axon of its own on a core anywhere. Synaptic input averages to zero, so the mean rate is leak over threshold.
At 0 Hz there is no leak: nothing ever happens.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, limits_of
from neuroemu.families.truenorth.lanes import transposed
from neuroemu.image.symbols import Symbols

LEAK = 200
WEIGHT = 40
_CORES_AT_ONCE = 64
_PATTERNS = 8192


def recurrent_image(
    chip: Any, rate_hz: float, synapses: int = 128, seed: int = 0, cores: int | None = None
) -> ProgramImage:
    """A program on all cores of ``chip`` without inputs.

    Args:
        rate_hz: mean rate at the chip's nominal tick.
        synapses: of every neuron, even, at most 256.
        cores: use this many cores only, the first ones.
    """
    rng = np.random.default_rng(seed)
    most = int(chip.structure.cores.value)
    cores = most if cores is None else cores
    columns = chip.structure.mesh.columns
    if synapses % 2 or not 0 < synapses <= SIZE or not 0 < cores <= most:
        raise ValueError(f"{synapses} synapses on {cores} cores are not possible")
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
        potential=np.zeros(shape, np.int32),
        leak=np.zeros(shape, np.int16),
        stochastic_leak=flags,
        reversal=flags,
        alpha=np.full(shape, limits_of(chip)["alpha"][1], np.int32),
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
    silent = ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(inputs=(), populations=(), outputs=(), dialect=""),
        cores=image_cores,
        host_start=np.zeros(1, np.int64),
        host_core=none,
        host_axon=none,
        host_delay=none,
        seed=seed,
    )
    return at_rate(silent, chip, rate_hz)


def at_rate(image: ProgramImage, chip: Any, rate_hz: float) -> ProgramImage:
    """The same wiring driven to another mean rate."""
    shape = image.cores.alpha.shape
    highest = limits_of(chip)["alpha"][1]
    alpha = highest if rate_hz == 0 else round(LEAK / (rate_hz * float(chip.timing.tick.value)))
    if not 0 < alpha <= highest:
        raise ValueError(f"{rate_hz} Hz are not possible")
    potential = np.random.default_rng(image.seed).integers(0, alpha, shape, np.int32)
    cores = replace(
        image.cores,
        potential=potential if rate_hz else np.zeros(shape, np.int32),
        leak=np.full(shape, LEAK if rate_hz else 0, np.int16),
        alpha=np.full(shape, alpha, np.int32),
    )
    return replace(image, cores=cores)


def _crossbar(rng: np.random.Generator, cores: int, of_each_type: int) -> Any:
    """Rows of axons; every neuron meets ``of_each_type`` even and as many odd axons, by two of ``_PATTERNS`` random choices."""
    patterns = rng.permuted(np.broadcast_to(np.arange(SIZE // 2) < of_each_type, (_PATTERNS, SIZE // 2)), axis=1)
    axons = np.zeros((2, _PATTERNS, SIZE), np.bool_)
    axons[0, :, 0::2] = axons[1, :, 1::2] = patterns
    even, odd = np.packbits(axons, axis=-1, bitorder="little")
    crossbar = np.empty((cores, SIZE, SIZE // 8), np.uint8)
    for first in range(0, cores, _CORES_AT_ONCE):
        count = min(_CORES_AT_ONCE, cores - first)
        chosen = rng.integers(0, _PATTERNS, (count, SIZE, 2))
        by_neuron = even[chosen[..., 0]] | odd[chosen[..., 1]]
        crossbar[first : first + count] = _rows_of_axons(by_neuron)
    return crossbar


def _rows_of_axons(by_neuron: Any) -> Any:
    """Columns (cores, 256, 32), axon in rising bits, as the crossbar's rows, whose highest bit is the first neuron."""
    cores, bytes_per_row = by_neuron.shape[0], SIZE // 8
    squares = by_neuron.reshape(cores, bytes_per_row, 8, bytes_per_row)[:, :, ::-1].swapaxes(2, 3)
    words = transposed(np.ascontiguousarray(squares).view("<u8").astype(np.uint64, copy=False))
    by_axon = words.astype("<u8", copy=False).view(np.uint8).reshape(cores, bytes_per_row, bytes_per_row, 8)
    return by_axon.transpose(0, 2, 3, 1).reshape(cores, SIZE, bytes_per_row)
