"""From a program image to what the tick runs on: rows in lane order, targets as addresses, modes as bits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.errors import BadInput, Finding
from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.image import Cores, ProgramImage
from neuroemu.families.truenorth.lanes import SIZE, lane_order, lane_order_of_rows
from neuroemu.families.truenorth.memory import (
    AXON_SHIFT,
    CORE_SHIFT,
    KAPPA,
    REVERSAL,
    STOCHASTIC_LEAK,
    TYPES,
    CompiledProgram,
    Crossbars,
    HostRoutes,
    Neurons,
    Rules,
)

Int64 = NDArray[np.int64]

OVERFLOW = {"saturate20": dynamics.SATURATE, "ibm_clamp": dynamics.IBM_CLAMP, "error": dynamics.ERROR}
COMPAT = {"paper": dynamics.PAPER, "ranc": dynamics.RANC}
RHO_RANGE = {"1..256": (1, 256), "0..255": (0, 256), "1..255": (1, 255)}
"""Lowest random number for stochastic synapses and leaks, and how many there are."""

_CORES_AT_ONCE = 256


def rules_of(arithmetic: Any) -> Rules:
    """The choices of a chip file's ``arithmetic`` section."""
    lowest, span = RHO_RANGE[arithmetic.rho_range.value]
    return Rules(
        zero_clamp=int(arithmetic.leak_zero_clamp.value),
        overflow=OVERFLOW[arithmetic.overflow.value],
        compat=COMPAT[arithmetic.compat.value],
        rho_lowest=lowest,
        rho_span=span,
    )


def load_program(image: ProgramImage, rules: Rules, columns: int, rows: int) -> CompiledProgram:
    """The running form of ``image`` on a mesh of ``columns`` x ``rows`` cores.

    Raises:
        BadInput: NE5605 for a target that is off the mesh or on a core without program.
    """
    cores = image.cores
    position = np.full(columns * rows, -1, np.int64)
    if cores.count and int(cores.number.max()) >= columns * rows:
        message = f"core {int(cores.number.max())} is not on the mesh of {columns} x {rows}"
        raise BadInput(Finding("NE5605", message))
    position[cores.number] = np.arange(cores.count)
    return CompiledProgram(
        crossbars=_crossbars(cores),
        neurons=_neurons(cores, _targets(cores, position, columns, rows), image.seed),
        rules=rules,
        host=HostRoutes(image.host_start, position[image.host_core], image.host_axon, image.host_delay),
        initial=cores.potential.astype(np.int32),
    )


def target_cores(cores: Cores, columns: int, rows: int) -> tuple[NDArray[np.bool_], Int64]:
    """Which neurons have a target, and the number of its core, (cores, 256) each; -1 where it is off the mesh."""
    connected = cores.delay > 0
    x = cores.number[:, None] % columns + cores.dx
    y = cores.number[:, None] // columns + cores.dy
    inside = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    return connected, np.where(connected & inside, y * columns + x, -1).astype(np.int64)


def _targets(cores: Cores, position: Int64, columns: int, rows: int) -> NDArray[np.uint32]:
    connected, number = target_cores(cores, columns, rows)
    found = np.where(number >= 0, position[number], -1)
    lost = connected & (found < 0)
    if lost.any():
        core, neuron = (int(index) for index in np.argwhere(lost)[0])
        many = f" ({int(lost.sum()):,} such neurons)" if lost.sum() > 1 else ""
        raise BadInput(
            Finding(
                "NE5605",
                f"the target {int(cores.dx[core, neuron]):+d} cores in x and {int(cores.dy[core, neuron]):+d} in y is not "
                f"a core of the program{many}",
                f"core {int(cores.number[core])}, neuron {neuron}",
            )
        )
    address = (found << CORE_SHIFT) | (cores.axon.astype(np.int64) << AXON_SHIFT) | cores.delay
    return np.where(connected, address, 0).astype(np.uint32)


def _crossbars(cores: Cores) -> Crossbars:
    row = np.empty((cores.count, SIZE, SIZE // 64), np.uint64)
    for first in range(0, cores.count, _CORES_AT_ONCE):
        part = slice(first, first + _CORES_AT_ONCE)
        row[part] = lane_order_of_rows(cores.crossbar[part])
    of_type = np.stack([_bits(cores.axon_type == kind) for kind in range(TYPES)], axis=1)
    return Crossbars(row=row, of_type=np.ascontiguousarray(of_type))


def _bits(flags: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Booleans (cores, 256) as words (cores, 4), number a at bit a % 64 of word a // 64."""
    return np.packbits(flags, axis=-1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def _neurons(cores: Cores, target: NDArray[np.uint32], seed: int) -> Neurons:
    dice: NDArray[Any] = cores.stochastic_leak * STOCHASTIC_LEAK
    for kind in range(TYPES):
        dice = dice | (cores.stochastic[..., kind] << kind)
    mode = (cores.gamma + cores.kappa * KAPPA + cores.reversal * REVERSAL).astype(np.uint8)
    blocks: dict[str, dict[str, NDArray[Any]]] = {
        "weight": {"weight": np.ascontiguousarray(cores.weight.swapaxes(1, 2))},
        "leak": {"leak": cores.leak},
        "threshold": {"alpha": cores.alpha, "beta": cores.beta},
        "reset": {"reset": cores.reset, "mode": mode},
        "dice": {"dice": dice.astype(np.uint8), "mask_bits": cores.mask_bits},
    }
    shared = [_shared(columns) for columns in blocks.values()]
    return Neurons(
        block=np.stack([number for number, _ in shared], axis=1),
        drawing=lane_order((dice != 0) | (cores.mask_bits != 0)),
        target=target,
        seed=cores.seed.astype(np.uint64) | np.uint64(seed << 32),
        **{name: column for _, columns in shared for name, column in columns.items()},
    )


def _shared(columns: dict[str, NDArray[Any]]) -> tuple[Int64, dict[str, NDArray[Any]]]:
    """Every core's block number, and the distinct blocks in the order of their first cores."""
    number: dict[bytes, int] = {}
    arrays = list(columns.values())
    of_core = np.zeros(arrays[0].shape[0], np.int64)
    first: list[int] = []
    for core in range(of_core.shape[0]):
        key = hashlib.sha256(b"".join(array[core].tobytes() for array in arrays)).digest()
        if key not in number:
            number[key] = len(first)
            first.append(core)
        of_core[core] = number[key]
    return of_core, {name: np.ascontiguousarray(array[first]) for name, array in columns.items()}
