"""Run a recurrent network on every core of a TrueNorth chip: speed, memory, counted rates and power beside published figures.

    python tools/truenorth_full_chip.py [--rate 20] [--synapses 128] [--ticks N] [--threads 2] [--chip truenorth] [--published]

``--published`` runs the networks of all published operating points instead and prints the table of docs/chips/truenorth.md.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterable
from typing import Any

from neuroemu.families.truenorth.boot import boot
from neuroemu.families.truenorth.costs import cost_report
from neuroemu.families.truenorth.image import pack
from neuroemu.families.truenorth.published import POINTS, PUBLISHED_TICKS, WARM_UP, Outcome, outcomes, run
from neuroemu.families.truenorth.recurrent import recurrent_image
from neuroemu.spec import load_chip

TOLERANCE = 0.15


def measure(chip: Any, rate: float, synapses: int, ticks: int, threads: int) -> str:
    """Build, pack, boot and run one network; a line of figures."""
    started = time.perf_counter()
    booted = boot(pack(recurrent_image(chip, rate, synapses)), threads)
    ready = time.perf_counter() - started
    run(booted, 0, WARM_UP, metered=False)
    wall, processor = time.perf_counter(), time.process_time()
    run(booted, WARM_UP, WARM_UP + ticks)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    report = cost_report(booted, 1)
    counters, priced = report.counters, report.sets[0]
    assert priced.energy is not None
    seconds = ticks * float(chip.timing.tick.value)
    counted = counters["spikes"] / booted.engine.neurons / seconds
    power = priced.energy.value / seconds * 1e3
    return (
        f"{booted.engine.neurons:,} neurons, {counted:.2f} Hz counted, {counters['synaptic_events'] / seconds / 1e9:.3f} GSOPS: "
        f"{wall / ticks * 1e3:.2f} ms wall, {processor / ticks * 1e3:.2f} ms CPU per tick on {threads} threads, "
        f"ready in {ready:.1f} s, peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB; "
        f"{power:.2f} mW ({priced.name})"
    )


def table(chip: Any, emulated: Iterable[Outcome]) -> str:
    """Published and emulated powers, in the order of :data:`POINTS`."""
    found = {outcome.point: outcome for outcome in emulated}
    head = (
        "| workload | run at | counted | published | ours | deviation | within 15 % | in the band |\n"
        + "| --- " * 8
        + "|\n"
    )
    return head + "\n".join(_row(chip, found[point]) for point in POINTS)


def _row(chip: Any, outcome: Outcome) -> str:
    point, power = outcome.point, outcome.power_w
    supply = point.supply_v or chip.cost_sets["static_marginal"].supply.value
    cells = (
        chip.validation.workloads[point.workload].title + (" *" if point.stands_in else ""),
        f"{supply:g} V" + (" (not published)" if point.supply_v is None or point.stands_in else ""),
        f"{outcome.rate_hz:.2f} Hz, {outcome.events_per_s / 1e9:.2f} GSOPS",
        f"{outcome.published_w * 1e3:.0f} mW",
        f"{power.value * 1e3:.1f} mW ({power.low * 1e3:.1f} .. {power.high * 1e3:.1f})",
        f"{round(outcome.deviation * 100, 1) + 0.0:+.1f} %",
        "yes" if abs(outcome.deviation) <= TOLERANCE else "no",
        "yes" if outcome.inside else "no",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=20.0)
    parser.add_argument("--synapses", type=int, default=128)
    parser.add_argument("--ticks", type=int, help=f"200; {PUBLISHED_TICKS} with --published, as in the documentation")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--chip", default="truenorth")
    parser.add_argument("--published", action="store_true")
    given = parser.parse_args()
    chip = load_chip(given.chip)
    print(
        table(chip, outcomes(chip, given.ticks or PUBLISHED_TICKS))
        if given.published
        else measure(chip, given.rate, given.synapses, given.ticks or 200, given.threads)
    )


if __name__ == "__main__":
    main()
