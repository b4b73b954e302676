"""Run a recurrent network on every core of a TrueNorth chip: speed, memory, counted rates and power beside published figures.

    python tools/truenorth_full_chip.py [--rate 20] [--synapses 128] [--ticks 200] [--threads 2] [--chip truenorth] [--sweep]

``--sweep`` runs the three rates of the published power sweep (68, 71 and 94 mW).
"""

from __future__ import annotations

import argparse
import resource
import time
from typing import Any

import numpy as np

from neuroemu.emulator.runner import NEVER
from neuroemu.families.truenorth.boot import TrueNorthBooted, boot
from neuroemu.families.truenorth.core import CrossbarChunk
from neuroemu.families.truenorth.costs import cost_report
from neuroemu.families.truenorth.image import pack
from neuroemu.families.truenorth.recurrent import recurrent_image
from neuroemu.spec import load_chip

PUBLISHED_MW = {11.58: 68.0, 20.07: 71.0, 95.93: 94.0}
WARM_UP = 20
"""Ticks until all delays are filled."""
CHUNK = 25


def measure(chip: Any, rate: float, synapses: int, ticks: int, threads: int) -> str:
    """Build, pack, boot and run one network; a line of figures."""
    started = time.perf_counter()
    booted = boot(pack(recurrent_image(chip, rate, synapses)), threads)
    ready = time.perf_counter() - started
    advance(booted, 0, WARM_UP)
    wall, processor = time.perf_counter(), time.process_time()
    for first in range(WARM_UP, WARM_UP + ticks, CHUNK):
        booted.meter.observe(advance(booted, first, min(first + CHUNK, WARM_UP + ticks)))
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    report = cost_report(booted, 1)
    counters, energy = report.counters, report.sets[0]
    seconds = ticks * float(chip.timing.tick.value)
    counted = counters["spikes"] / booted.engine.neurons / seconds
    power = energy.energy.value / seconds * 1e3
    published = f", published {PUBLISHED_MW[rate]:g} mW" if rate in PUBLISHED_MW and synapses == 128 else ""
    return (
        f"{booted.engine.neurons:,} neurons, {counted:.2f} Hz counted, {counters['synaptic_events'] / seconds / 1e9:.3f} GSOPS: "
        f"{wall / ticks * 1e3:.2f} ms wall, {processor / ticks * 1e3:.2f} ms CPU per tick on {threads} threads, "
        f"ready in {ready:.1f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB; "
        f"{power:.2f} mW ({energy.name}){published}"
    )


def advance(booted: TrueNorthBooted, first: int, last: int) -> CrossbarChunk:
    """Ticks without input; the spike buffer has room for them."""
    start, none = np.zeros(last - first + 1, np.int64), np.zeros(0, np.int32)
    chunk = booted.engine.advance(first, last, NEVER, start, none, np.zeros(0, np.int64))
    assert isinstance(chunk, CrossbarChunk) and chunk.last_tick == last
    return chunk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--synapses", type=int, default=128)
    parser.add_argument("--ticks", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--chip", default="truenorth")
    parser.add_argument("--sweep", action="store_true")
    given = parser.parse_args()
    chip = load_chip(given.chip)
    for rate in PUBLISHED_MW if given.sweep else (given.rate,):
        print(measure(chip, rate, given.synapses, given.ticks, given.threads))


if __name__ == "__main__":
    main()
