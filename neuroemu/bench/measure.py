"""Runs one workload in this process and says how fast: CPU and wall seconds, events, memory, a hash of all spikes."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.bench.limit import limit_of
from neuroemu.bench.workloads import DEFAULT_CHIP, Workload, workload
from neuroemu.cost.estimate import CostReport
from neuroemu.emulator.compiled import needs_compilation, njit
from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import Recording, run_ticks
from neuroemu.families import Booted, Family, load_family
from neuroemu.image.container import Program

Tell = Callable[[str], None]
"""Called with what is being done, in a few words."""


@dataclass(frozen=True)
class Setting:
    """How to run: repetitions (the median counts), threads, whether every tick is timed on the chip, and which chip."""

    repeat: int = 5
    threads: int = 1
    per_tick: bool = False
    chip: str = DEFAULT_CHIP


@dataclass(frozen=True)
class Measured:
    """One network's figures; times are medians over the repeated runs, compilation and building left out.

    ``cpu_s`` and ``wall_s`` contain the ticks, all counters that follow from spikes, and the energy estimate.

    Attributes:
        peak_rss_mb: largest memory from building to the last run; ``run_rss_mb`` that of the emulator while running.
        spikes: of neurons.
        build_cpu_s: from arrays to the program; ``load_cpu_s`` from the program to the booted emulator.
        energy_j: of the chip under its default cost set.
        real_time_factor: wall seconds per biological second, where a tick stands for a time.
        fraction_of_limit: CPU seconds of the bare loops of ``limit.py`` per CPU second of the run; ``limit`` their rates.
        peers: what other simulators did with the network, by name.
    """

    net: str
    neurons: int
    synapses: int
    ticks: int
    synaptic_events: int
    cpu_s: float
    wall_s: float
    events_per_cpu_s: float
    peak_rss_mb: float | None
    raster_hash: str
    threads: int
    per_tick: bool
    chip: str
    spikes: int
    build_cpu_s: float
    load_cpu_s: float
    run_rss_mb: float | None
    energy_j: float | None
    real_time_factor: float | None
    fraction_of_limit: float
    limit: dict[str, float | None]
    peers: dict[str, Any] = field(default_factory=dict)


@dataclass
class Elapsed:
    """CPU seconds of all threads and wall seconds of a timed block."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def timed() -> Iterator[Elapsed]:
    """Time a block."""
    elapsed = Elapsed()
    cpu, wall = time.process_time(), time.perf_counter()
    yield elapsed
    elapsed.cpu_s, elapsed.wall_s = time.process_time() - cpu, time.perf_counter() - wall


def measure_named(name: str, setting: Setting, tell: Tell = lambda text: None) -> Measured:
    """Generate or read, build, load, warm up, run."""
    tell(f"{name}: building")
    return measure(workload(name, setting.chip), setting, tell)


def measure(work: Workload, setting: Setting, tell: Tell = lambda text: None) -> Measured:
    """Boot, run one tick to have everything compiled, then run ``setting.repeat`` times from the initial state.

    The program is let go once it is booted, so that the memory while running is the emulator's.
    """
    family = load_family(str(work.program.manifest["family"]))
    chip = str(work.program.manifest["chip"]["name"])
    tell(f"{work.name}: {'compiling kernels (once per version) and ' if needs_compilation() else ''}loading")
    with timed() as load:
        booted = family.boot(work.program, threads=setting.threads, per_tick=setting.per_tick)
    work = replace(work, program=Program({}, {}))
    nothing_counted = booted.meter.snapshot()
    _run(family, booted, Stimulus(work.stimulus.tick[:0], work.stimulus.source[:0]), 1)
    times, hashes = [], set()
    for number in range(setting.repeat):
        tell(f"{work.name}: run {number + 1} of {setting.repeat}")
        booted.meter.restore(nothing_counted)
        with timed() as run:
            recording, costs = _run(family, booted, work.stimulus, work.ticks)
        times.append((run.cpu_s, run.wall_s))
        spike_tick, spike_source = network_spikes(booted, recording)
        hashes.add(raster_hash(spike_source))
    if len(hashes) != 1:
        raise RuntimeError(f"{work.name}: repeated runs differ: {sorted(hashes)}")
    cpu_s, wall_s = (statistics.median(column) for column in zip(*times, strict=True))
    events = costs.counters["synaptic_events"]
    peak_rss_mb, run_rss_mb = _memory_mb("VmHWM"), _memory_mb("VmRSS")
    tell(f"{work.name}: physical limit")
    limit = limit_of(work.arrays(), spike_tick, spike_source)
    energy = costs.sets[0].energy if costs.sets else None
    return Measured(
        net=work.name,
        neurons=work.neurons,
        synapses=work.synapses,
        ticks=work.ticks,
        synaptic_events=events,
        cpu_s=cpu_s,
        wall_s=wall_s,
        events_per_cpu_s=events / max(cpu_s, 1e-9),
        peak_rss_mb=peak_rss_mb,
        raster_hash=hashes.pop(),
        threads=setting.threads,
        per_tick=setting.per_tick,
        chip=chip,
        spikes=recording.spike_source.shape[0],
        build_cpu_s=work.build_cpu_s,
        load_cpu_s=load.cpu_s,
        run_rss_mb=run_rss_mb,
        energy_j=None if energy is None else energy.value,
        real_time_factor=wall_s / (work.ticks * work.tick_s) if work.tick_s else None,
        fraction_of_limit=limit.total_s / max(cpu_s, 1e-9),
        limit=limit.to_dict(),
    )


def _run(family: Family, booted: Booted, stimulus: Stimulus, ticks: int) -> tuple[Recording, CostReport]:
    """What is timed: the ticks from the initial state, with the meter, then counters, times and energies."""
    recording = run_ticks(booted.engine, stimulus, ticks, meter=booted.meter)
    if recording.interrupted:
        raise KeyboardInterrupt
    return recording, family.costs(booted, 1)


def network_spikes(booted: Booted, recording: Recording) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(tick, source) of all spikes as the network numbers them, whatever the mapping: inputs first, then the populations'
    neurons one after the other; sorted by tick, then source."""
    number = np.full(booted.engine.neurons, -1, np.int64)
    neurons = np.concatenate([booted.neurons_of[population.name] for population in booted.symbols.populations])
    number[neurons] = np.arange(neurons.shape[0])
    given = sum(port.size for port in booted.symbols.inputs)
    source = number[recording.spike_source - booted.inputs] + given
    order = np.lexsort((source, recording.spike_tick))
    return recording.spike_tick[order], source[order]


def raster_hash(spike_source: NDArray[np.int64]) -> str:
    """FNV-1a (64 bit) over the source numbers of all spikes, given by tick, then source."""
    return f"0x{int(_fnv(spike_source)):x}"


@njit
def _fnv(spike_source: Any) -> Any:
    folded = np.uint64(1469598103934665603)
    for position in range(spike_source.shape[0]):
        folded = (folded ^ np.uint64(spike_source[position])) * np.uint64(1099511628211)
    return folded


def _memory_mb(field: str) -> float | None:
    """VmHWM (largest so far) or VmRSS (now) of this process; elsewhere than on Linux the largest so far or None.

    The kernel's own field, because the usage counters of a child process start from the memory of its parent.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field + ":"))
    except (OSError, StopIteration):
        return _peak_rss_mb() if field == "VmHWM" else None


def _peak_rss_mb() -> float | None:
    try:
        import resource
    except ImportError:
        return None
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1 << 20 if sys.platform == "darwin" else 1 << 10)
