"""A TrueNorth program neuron by neuron in plain Python: slow, and written from the documentation of the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.families.truenorth import dynamics
from neuroemu.families.truenorth.dice import random_word, tick_key
from neuroemu.families.truenorth.image import SIZE, Cores, ProgramImage, build_cores
from neuroemu.families.truenorth.memory import Rules
from neuroemu.image.symbols import Port, Symbols

PAPER = Rules(1, dynamics.SATURATE, dynamics.PAPER, 1, 256)
COLUMNS = 64


@dataclass
class Told:
    """What happened: spikes (tick, core, neuron), potentials (ticks, cores, 256), events and merged spikes."""

    spikes: list[tuple[int, int, int]]
    v: NDArray[np.int64]
    events: NDArray[np.int64]
    merged: NDArray[np.int64]
    left_range: NDArray[np.int64]


def image_of(
    cores: Cores, host: list[tuple[int, int, int]] | None = None, seed: int = 0, chip: Any = None
) -> ProgramImage:
    """An image whose host sources each set one axon: (core position, axon, delay); default all axons at once."""
    routes = host
    if routes is None:
        routes = [(core, axon, 0) for core in range(cores.count) for axon in range(SIZE)]
    table = np.array(routes, np.int64).reshape(-1, 3)
    count = table.shape[0]
    return ProgramImage(
        chip={} if chip is None else chip.to_dict(),
        symbols=Symbols((Port("in", (count,), 0, count),), (), (), ""),
        cores=cores,
        host_start=np.arange(count + 1, dtype=np.int64),
        host_core=cores.number[table[:, 0]],
        host_axon=table[:, 1].copy(),
        host_delay=table[:, 2].copy(),
        seed=seed,
    )


def run(image: ProgramImage, rules: Rules, inputs: list[tuple[int, int]], ticks: int) -> Told:
    """Run ``inputs`` (tick, host source) from tick 0."""
    cores = image.cores
    synapses = np.unpackbits(cores.crossbar, axis=-1).astype(bool)
    position = {int(number): place for place, number in enumerate(cores.number)}
    waiting: dict[int, set[tuple[int, int]]] = {}
    told = Told([], np.zeros((ticks, cores.count, SIZE), np.int64), *np.zeros((3, 0, 0), np.int64))
    told.events = np.zeros((ticks, cores.count), np.int64)
    told.merged, told.left_range = np.zeros(cores.count, np.int64), np.zeros(cores.count, np.int64)

    def send(tick: int, core: int, axon: int) -> None:
        row = waiting.setdefault(tick, set())
        told.merged[core] += (core, axon) in row
        row.add((core, axon))

    v = cores.potential.astype(np.int64)
    for tick in range(ticks):
        for _, source in (entry for entry in inputs if entry[0] == tick):
            core = position[int(image.host_core[source])]
            send(tick + int(image.host_delay[source]), core, int(image.host_axon[source]))
        active = sorted(waiting.pop(tick, set()))
        fired = []
        for core in range(cores.count):
            axons = [axon for place, axon in active if place == core]
            told.events[tick, core] = int(synapses[core, axons].sum())
            key = np.uint64(tick_key(np.uint64(int(cores.seed[core]) | image.seed << 32), tick))
            for neuron in range(SIZE):
                v[core, neuron], spiked, left = _neuron(
                    cores, core, neuron, int(v[core, neuron]), axons, synapses, key, rules
                )
                told.left_range[core] += left
                if spiked:
                    fired.append((core, neuron))
        for core, neuron in fired:
            told.spikes.append((tick, core, neuron))
            if cores.delay[core, neuron]:
                target = int(cores.number[core] + cores.dx[core, neuron] + COLUMNS * int(cores.dy[core, neuron]))
                send(tick + int(cores.delay[core, neuron]), position[target], int(cores.axon[core, neuron]))
        told.v[tick] = v
    return told


def _neuron(
    cores: Cores, core: int, neuron: int, v: int, axons: list[int], synapses: Any, key: Any, rules: Rules
) -> tuple[int, bool, bool]:
    """Synapses in the order of axons, then leak, then threshold; each stochastic part draws the neuron's next number."""
    draws = 0

    def word() -> int:
        nonlocal draws
        draws += 1
        return int(random_word(key, neuron, draws - 1))

    def number() -> int:
        return int(dynamics.rho(word(), rules.rho_lowest, rules.rho_span))

    total = 0
    for axon in axons:
        if synapses[core, axon, neuron]:
            kind = int(cores.axon_type[core, axon])
            weight = int(cores.weight[core, neuron, kind])
            total += dynamics.gated(weight, number()) if cores.stochastic[core, neuron, kind] else weight
    leak = int(cores.leak[core, neuron])
    if cores.stochastic_leak[core, neuron]:
        leak = dynamics.gated(leak, number())
    bits = int(cores.mask_bits[core, neuron])
    extra = dynamics.eta(word(), bits) if bits else 0
    parameters = (int(getattr(cores, name)[core, neuron]) for name in ("alpha", "beta"))
    alpha, beta = parameters
    new, spiked, left = dynamics.tick(
        v,
        total,
        leak,
        int(cores.reversal[core, neuron]),
        rules.zero_clamp,
        alpha,
        beta,
        extra,
        int(cores.reset[core, neuron]),
        int(cores.gamma[core, neuron]),
        int(cores.kappa[core, neuron]),
        rules.overflow,
        rules.compat,
    )
    return int(new), bool(spiked), bool(left)


def random_cores(
    rng: np.random.Generator, count: int, density: float, stochastic: float = 0.0, quiet: bool = False
) -> Cores:
    """Connected cores with every mode; ``quiet`` ones have no leak and thresholds that single spikes reach."""
    shape = (count, SIZE)

    def some(share: float, *inner: int) -> Any:
        return rng.random((*shape, *inner)) < share

    number = np.arange(count)
    target = rng.integers(0, count, shape)
    alpha = np.full(shape, 1) if quiet else rng.integers(1, 60, shape)
    return build_cores(
        number,
        rng.random((count, SIZE, SIZE)) < density,
        {
            "axon_type": rng.integers(0, 4, shape),
            "weight": np.ones((*shape, 4), int) if quiet else rng.integers(-40, 60, (*shape, 4)),
            "stochastic": some(stochastic, 4),
            "potential": 0 if quiet else rng.integers(-50, 50, shape),
            "leak": 0 if quiet else rng.integers(-9, 10, shape),
            "stochastic_leak": some(stochastic),
            "reversal": some(0.5),
            "alpha": alpha,
            "beta": 0 if quiet else rng.integers(0, 80, shape),
            "mask_bits": some(stochastic) * rng.integers(0, 6, shape),
            "gamma": 0 if quiet else rng.integers(0, 3, shape),
            "kappa": some(0.5),
            "reset": 0 if quiet else rng.integers(-20, 21, shape),
            "dx": target - number[:, None],
            "axon": rng.integers(0, SIZE, shape),
            "delay": rng.integers(1, 16, shape),
        },
        connected=some(0.2),
        seed=rng.integers(1, 1 << 32, count),
    )


def settling_cores(rng: np.random.Generator, count: int, stochastic: float) -> Cores:
    """Cores whose numbers are so small that neurons often come back to a potential they had, by every branch of the tick."""
    shape = (count, SIZE)

    def some(share: float, *inner: int) -> Any:
        return rng.random((*shape, *inner)) < share

    return build_cores(
        np.arange(count),
        rng.random((count, SIZE, SIZE)) < 0.01,
        {
            "axon_type": rng.integers(0, 4, shape),
            "weight": rng.integers(-6, 7, (*shape, 4)),
            "stochastic": some(stochastic, 4),
            "potential": rng.integers(-8, 9, shape),
            "leak": rng.integers(-4, 5, shape) * some(0.8),
            "stochastic_leak": some(stochastic / 4),
            "reversal": some(0.4),
            "alpha": rng.integers(1, 9, shape),
            "beta": rng.integers(0, 9, shape),
            "mask_bits": some(stochastic) * rng.integers(1, 5, shape),
            "gamma": rng.integers(0, 3, shape),
            "kappa": some(0.3),
            "reset": rng.integers(-8, 9, shape),
        },
        seed=rng.integers(1, 1 << 32, count),
    )


def random_inputs(rng: np.random.Generator, sources: int, ticks: int, rate: float) -> list[tuple[int, int]]:
    """(tick, source), in order."""
    return [tuple(row) for row in np.argwhere(rng.random((ticks, sources)) < rate).tolist()]
