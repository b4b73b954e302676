"""Runs several benchmarks in turn and shows their figures as rows of a table or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from neuroemu.bench.child import measure_apart
from neuroemu.bench.measure import Measured, Setting, Tell
from neuroemu.bench.workloads import unknown
from neuroemu.errors import BadInput

HEADING = (
    f"{'network':<16} {'neurons':>9} {'synapses':>12} {'ticks':>6} {'events':>14} {'CPU s':>9} {'wall s':>9} {'M/CPU s':>9} "
    f"{'memory':>9} {'spikes':>18}"
)


def bench(
    names: Sequence[str], setting: Setting, on_result: Callable[[Measured], None], tell: Tell = lambda text: None
) -> tuple[Measured, ...]:
    """Run networks by name or .npz file, one after the other, each in a process of its own.

    Raises:
        BadInput: NE7101 for names that are neither, NE7102 for files that hold no such network; all at once. NE7103 when a
            process gave no result.
        DoesNotFit: the chip cannot hold the network.
    """
    if findings := [finding for name in names for finding in unknown(name)]:
        raise BadInput(findings)
    results = []
    for name in names:
        results.append(measure_apart(name, setting, tell))
        on_result(results[-1])
    return tuple(results)


def as_json(result: Measured) -> str:
    """One JSON object on one line."""
    return json.dumps(asdict(result))


def as_row(result: Measured) -> str:
    """One line under ``HEADING``."""
    memory = "unknown" if result.peak_rss_mb is None else f"{result.peak_rss_mb:.0f} MB"
    return (
        f"{result.net:<16} {result.neurons:>9,} {result.synapses:>12,} {result.ticks:>6,} {result.synaptic_events:>14,} "
        f"{result.cpu_s:>9.4f} {result.wall_s:>9.4f} {result.events_per_cpu_s / 1e6:>9.1f} {memory:>9} "
        f"{result.raster_hash:>18}"
    )
