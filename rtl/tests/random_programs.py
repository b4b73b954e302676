"""Random programs of crossbar LIF cores: every mode, width and size that a build has, small numbers and extreme ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.lif import Build
from neuroemu.emulator.protocol import Stimulus
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.image import DENSE_KIND, CoreImage, ProgramImage
from neuroemu.image.symbols import PopulationSymbol, Symbols, numbered_ports
from neuroemu.spec import load_chip

Dice = np.random.Generator
CHIP = load_chip("lifcore-rtl").to_dict()
"""Names the mesh and its sizes only: the build says what a core is."""

BUILDS = {
    "shift": Build(),
    "shift, three stages": Build(neurons=200, axons=100, routes=300, stages=3),
    "factor": Build(neurons=96, axons=80, weight_bits=6, v_bits=12, acc_bits=14, shift=0, factor=1, ref_bits=3),
    "factor, current, three stages": Build(neurons=128, axons=128, factor=1, current=1, stages=3),
    "constant, wrap": Build(neurons=70, axons=33, v_bits=20, acc_bits=18, weight_bits=10, shift=0, constant=1, wrap=1),
    "everything": Build(neurons=150, axons=60, v_bits=24, acc_bits=24, weight_bits=16, shift_bits=5, factor=1, constant=1,
                        current=1, wrap=1),
    "everything, three stages": Build(neurons=90, axons=90, v_bits=32, acc_bits=32, weight_bits=12, ref_bits=8, start_bits=10,
                                      factor=1, constant=1, current=1, wrap=1, stages=3),
    "tiny": Build(neurons=5, axons=3, routes=7, v_bits=8, acc_bits=6, weight_bits=4, shift_bits=1, ref_bits=2, start_bits=4,
                  core_bits=1, target_bits=2, constant=1, wrap=1),
}  # fmt: skip
"""Parameter points: powers of two and others, both pipelines, every feature with and without the others."""

EDGES = {
    "one neuron of two bits": Build(neurons=1, axons=1, weight_bits=2, v_bits=2, acc_bits=2, shift_bits=1, ref_bits=1, start_bits=1,
                                    routes=1, core_bits=1, target_bits=1),
    "the same with everything": Build(neurons=1, axons=1, weight_bits=2, v_bits=2, acc_bits=2, shift_bits=1, ref_bits=1,
                                      start_bits=1, routes=1, core_bits=1, target_bits=1, factor=1, constant=1, current=1, wrap=1,
                                      stages=3),
    "accumulator narrower than the potential": Build(neurons=33, axons=17, weight_bits=16, v_bits=32, acc_bits=16, shift_bits=5,
                                                     ref_bits=16, start_bits=16, routes=70, target_bits=9, shift=0, constant=1,
                                                     stages=3),
    "many neurons, few axons": Build(neurons=700, axons=5, weight_bits=3, v_bits=9, acc_bits=20, shift_bits=1, ref_bits=1,
                                     start_bits=1, routes=1000, core_bits=5, target_bits=16, shift=0, factor=1, current=1, wrap=1,
                                     stages=3),
    "few neurons, many axons": Build(neurons=3, axons=700, v_bits=32, acc_bits=32, shift_bits=5, routes=2, target_bits=10, shift=0,
                                     factor=1, constant=1, current=1, wrap=1),
}  # fmt: skip
"""Smallest and widest parameters."""

_LONGEST_BURST = 600
_LEAKS = {"factor": dynamics.LEAK_SCALE, "shift": dynamics.LEAK_SHIFT, "constant": dynamics.LEAK_CONSTANT}


@dataclass(frozen=True)
class Case:
    """A program with the spikes that it gets; state is cleared every ``period`` ticks."""

    image: ProgramImage
    stimulus: Stimulus
    ticks: int
    period: int

    @property
    def neurons(self) -> int:
        return sum(core.size for core in self.image.cores)


def random_case(seed: int, build: Build, neuron_ticks: int) -> Case:
    """A program of one or two cores, and at least ``neuron_ticks`` neurons x ticks.

    The second core is small, so that many packets into it cost little.
    """
    dice = np.random.default_rng(seed)
    size = int(dice.choice([build.neurons, dice.integers(1, build.neurons + 1)], p=[0.7, 0.3]))
    sizes = [size] if build.core_bits == 1 and seed % 2 else [size, int(dice.integers(1, min(build.neurons, 4) + 1))]
    axons = [int(dice.integers(1, build.axons + 1)) for _ in sizes]
    numbers = dice.permutation(min(1 << build.core_bits, 4))[: len(sizes)]
    cores = tuple(_core(dice, build, position, sizes, axons, numbers) for position in range(len(sizes)))
    image = ProgramImage(
        chip=CHIP,
        symbols=_symbols(axons, sizes, numbers),
        cores=cores,
        host_start=np.arange(sum(axons) + 1, dtype=np.int64),
        host_core=np.repeat(numbers, axons).astype(np.int64),
        host_axon=np.concatenate([np.arange(count) for count in axons]).astype(np.int64),
    )
    ticks = -(-neuron_ticks // sum(sizes))
    period = int(dice.integers(3, 400)) if dice.random() < 0.8 else ticks
    return Case(image, _stimulus(dice, ticks, axons, 2 << build.acc_bits - build.weight_bits), ticks, period)


def _stimulus(dice: Dice, ticks: int, axons: list[int], wrapping: int) -> Stimulus:
    """About one spike per tick and core, in silence and bursts, some several times in a tick.

    ``wrapping`` spikes of one source make its largest weights wrap an accumulator; there is a tick of them if that is not too long.
    """
    loud = np.repeat(dice.choice([0.0, 0.5, 1.0, 4.0], ticks // 16 + 1, p=[0.2, 0.4, 0.3, 0.1]), 16)[:ticks]
    counts = dice.poisson(loud)
    tick = np.repeat(np.arange(ticks), counts)
    source = dice.integers(0, sum(axons), tick.shape[0])
    source = np.where(dice.random(tick.shape[0]) < 0.1, 0, source)
    if wrapping <= _LONGEST_BURST:
        burst = int(np.searchsorted(tick, dice.integers(0, ticks - 1)))
        tick = np.insert(tick, burst, np.full(wrapping, tick[burst] if burst < tick.shape[0] else ticks - 1))
        source = np.insert(source, burst, np.zeros(wrapping, np.int64))
    return Stimulus(tick.astype(np.int64), source.astype(np.int32))


def _core(
    dice: Dice, build: Build, position: int, sizes: list[int], axons: list[int], numbers: NDArray[Any]
) -> CoreImage:
    size, rows = sizes[position], axons[position]
    lowest, highest = -(1 << build.v_bits - 1), (1 << build.v_bits - 1) - 1
    reach = max(highest >> int(dice.integers(1, build.v_bits)), 1)
    threshold = dice.integers(-reach // 8, reach + 1, size)
    extremes = np.array([lowest, highest, -1, 0, 1, min(2 * highest + 1, (1 << 31) - 1), max(2 * lowest, -(1 << 31))])
    odd = dice.random(size) < 0.1
    threshold[odd] = dice.choice(extremes, int(odd.sum()))
    bias = np.clip(dice.integers(-reach // 4, reach // 3 + 2, size), lowest, highest)
    odd = dice.random(size) < 0.03
    bias[odd] = dice.choice([lowest, highest], int(odd.sum()))
    route_start, route_core, route_axon = _routes(dice, build, position, sizes, axons, numbers)
    return CoreImage(
        core=int(numbers[position]),
        potential_bits=build.v_bits,
        overflow=int(dice.integers(0, 2)) if build.wrap else dynamics.SATURATE,
        weight_bits=build.weight_bits,
        accumulator_bits=build.acc_bits,
        profiles={name: np.array([value], np.int64) for name, value in _profile(dice, build, reach).items()},
        neurons={
            "threshold": threshold.astype(np.int64),
            "bias": (bias * (dice.random(size) < 0.6)).astype(np.int64),
            "initial": np.zeros(size, np.int64),
            "profile": np.zeros(size, np.int64),
            "bias_start": np.where(dice.random(size) < 0.5, 0, dice.integers(0, 1 << build.start_bits, size)).astype(
                np.int64
            ),
        },
        route_start=route_start,
        route_core=route_core,
        route_axon=route_axon,
        axon_list=np.arange(rows, dtype=np.int64),
        axon_base=np.zeros(rows, np.int64),
        list_start=np.arange(rows + 1, dtype=np.int64) * size,
        list_kind=np.full(rows, DENSE_KIND, np.int64),
        index=np.tile(np.arange(size, dtype=np.int32), rows),
        weight=_weights(dice, build, rows * size),
        delay=np.ones(rows * size, np.uint8),
    )


def _weights(dice: Dice, build: Build, count: int) -> NDArray[np.int16]:
    half = 1 << build.weight_bits - 1
    most = max(half >> int(dice.integers(0, build.weight_bits)), 1)
    weight = dice.integers(-most, most, count)
    odd = dice.random(count) < 0.02
    weight[odd] = dice.choice([-half, half - 1], int(odd.sum()))
    return weight.astype(np.int16)


def _profile(dice: Dice, build: Build, reach: int) -> dict[str, int]:
    """Registers of a core, of the rules that are built in."""
    mode = str(dice.choice([name for name in _LEAKS if getattr(build, name)]))
    highest = (1 << build.v_bits - 1) - 1
    amount = {
        "factor": int(dice.choice([0, 4096, dice.integers(0, 4097), 4096 - dice.integers(1, 200)])),
        "shift": int(dice.integers(0, 32)) if dice.random() < 0.3 else int(dice.integers(1, 8)),
        "constant": int(dice.choice([0, highest, dice.integers(0, reach + 1), dice.integers(0, 3)])),
    }[mode]
    return {
        "input_shift": int(dice.integers(0, 1 << build.shift_bits)) if dice.random() < 0.5 else 0,
        "current_keep": int(dice.choice([0, 4096, dice.integers(0, 4097)])) if build.current else 0,
        "leak_mode": _LEAKS[mode],
        "leak_amount": min(amount, (1 << build.leak_bits) - 1),
        "compare": int(dice.integers(0, 2)),
        "reset": int(dice.integers(0, 3)),
        "reset_value": int(dice.choice([0, -highest - 1, highest, dice.integers(-reach, reach)])),
        "period": int(dice.choice([0, 1, (1 << build.ref_bits) - 1])),
    }


def _routes(
    dice: Dice, build: Build, position: int, sizes: list[int], axons: list[int], numbers: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Routes of any neurons, the last one of every other core among them: some have one, a few have many.

    Most go into the smallest core; there are as many as the build holds at most.
    """
    order = dice.permutation(sizes[position])
    if dice.random() < 0.5:
        order = np.concatenate([[sizes[position] - 1], order[order != sizes[position] - 1]])
    room = min(build.routes, 40 if len(sizes) > 1 else 8)
    wanted = dice.choice([0, 1, 2, 3, 9], sizes[position], p=[0.4, 0.3, 0.15, 0.1, 0.05])
    wanted[0] = dice.integers(1, 4)
    wanted[np.cumsum(wanted) > room] = 0
    counts = np.zeros(sizes[position], np.int64)
    counts[order] = wanted
    target = np.full(int(counts.sum()), len(sizes) - 1)
    anywhere = dice.permutation(target.shape[0])[:3]
    target[anywhere] = dice.integers(0, len(sizes), anywhere.shape[0])
    axon = dice.integers(0, np.array(axons)[target]) if target.size else target
    start = np.concatenate([[0], np.cumsum(counts)])
    return start.astype(np.int64), numbers[target].astype(np.int64), axon.astype(np.int64)


def _symbols(axons: list[int], sizes: list[int], numbers: NDArray[Any]) -> Symbols:
    populations = tuple(
        PopulationSymbol(
            f"core {number}", (size,), 0, True, np.full(size, number, np.int32), np.arange(size, dtype=np.int32)
        )
        for number, size in zip(numbers.tolist(), sizes, strict=True)
    )
    return Symbols(numbered_ports({"in": (sum(axons),)}), populations, (populations[0].name,), "random")
