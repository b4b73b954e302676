"""Random programs of crossbar cores: every mode of every neuron at once, small and extreme numbers, any rules."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.cosim.crossbar import CrossbarBuild
from neuroemu.emulator.protocol import Stimulus
from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, build_cores
from neuroemu.image.symbols import Port, Symbols
from neuroemu.spec import ChipSpec, load_chip

RHO_RANGES = ("1..256", "0..255", "1..255")


def random_program(
    seed: int, build: CrossbarBuild, cores: int = 1, ticks: int = 40, rate: float = 0.1
) -> tuple[ProgramImage, Stimulus]:
    """A program that fits ``build``, on neighbouring places of the mesh, and spikes for some of its axons in every tick."""
    dice = np.random.default_rng(seed)
    shape = cores, build.neurons
    synapses = dice.random((cores, build.axons, build.neurons)) < dice.choice([0.05, 0.3, 0.6])
    columns = _neurons(dice, shape) | {
        "axon_type": dice.integers(0, 4, (cores, build.axons)),
        "dx": dice.integers(0, cores, shape) - np.arange(cores)[:, None],
        "axon": dice.integers(0, build.axons, shape),
        "delay": dice.integers(1, 16, shape),
    }
    if build.stochastic:
        columns["stochastic"] = dice.random((*shape, 4)) < 0.2
        columns["stochastic_leak"] = dice.random(shape) < 0.3
        columns["mask_bits"] = np.where(dice.random(shape) < 0.3, dice.integers(0, 19, shape), 0)
    seeds = dice.integers(0, 1 << 32, cores)
    built = build_cores(np.arange(cores), synapses, columns, dice.random(shape) < 0.5, seeds)
    tick, core, axon = np.nonzero(dice.random((ticks, cores, build.axons)) < rate)
    stimulus = Stimulus(tick.astype(np.int64), (core * SIZE + axon).astype(np.int32))
    return _image(built, _random_rules(dice), dice), stimulus


def _neurons(dice: np.random.Generator, shape: tuple[int, int]) -> dict[str, Any]:
    """Parameters of neurons; a third of them at the edge of what the fields hold."""
    extreme = dice.random(shape) < 0.3
    encoded = dice.random() < 0.3
    reset = (1 << dice.integers(0, 19, shape)) - 1 if encoded else dice.integers(0, 256, shape)
    weights = dice.integers(-255, 256, (*shape, 4))

    def number(wide: tuple[int, int], narrow: tuple[int, int]) -> NDArray[np.int64]:
        return np.where(extreme, dice.integers(*wide, shape), dice.integers(*narrow, shape))

    return {
        "weight": np.where(dice.random(weights.shape) < 0.6, weights // 16, weights),
        "potential": number((-(1 << 19), 1 << 19), (-300, 300)),
        "leak": dice.integers(-255, 256, shape) >> dice.integers(0, 8, shape),
        "reversal": dice.integers(0, 2, shape),
        "alpha": number((0, 1 << 18), (0, 400)),
        "beta": number((0, 1 << 18), (0, 400)),
        "gamma": dice.integers(0, 3, shape),
        "kappa": dice.integers(0, 2, shape),
        "reset": np.where(dice.random(shape) < 0.5, -reset, reset),
    }


def _random_rules(dice: np.random.Generator) -> ChipSpec:
    data = load_chip("truenorth").to_dict()
    chosen = {
        "leak_zero_clamp": bool(dice.integers(0, 2)),
        "overflow": str(dice.choice(["saturate20", "ibm_clamp"])),
        "compat": str(dice.choice(["paper", "ranc"])),
        "rho_range": str(dice.choice(RHO_RANGES)),
    }
    for name, value in chosen.items():
        data["arithmetic"][name]["value"] = value
    return ChipSpec.from_dict(data)


def _image(cores: Cores, chip: ChipSpec, dice: np.random.Generator) -> ProgramImage:
    """One host source per axon, half of them with a delay."""
    sources = cores.count * SIZE
    port = Port(name="axons", shape=(cores.count, SIZE), first_source=0, size=sources)
    return ProgramImage(
        chip=chip.to_dict(),
        symbols=Symbols(inputs=(port,), populations=(), outputs=(), dialect=""),
        cores=cores,
        host_start=np.arange(sources + 1, dtype=np.int64),
        host_core=np.repeat(cores.number, SIZE),
        host_axon=np.tile(np.arange(SIZE, dtype=np.int64), cores.count),
        host_delay=np.where(dice.random(sources) < 0.5, 0, dice.integers(0, 16, sources)),
        seed=int(dice.integers(0, 1 << 32)),
    )
