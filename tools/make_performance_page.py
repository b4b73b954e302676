"""Write the tables of docs/performance.md from saved measurements, or measure anew.

    python tools/make_performance_page.py
    python tools/make_performance_page.py --measure [--peer-python PEER=PYTHON ...]

Measurements are docs/assets/performance.jsonl: the machine on the first line, then one line of ``neuroemu bench --json`` each.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "performance.md"
MEASUREMENTS = DOCS / "assets" / "performance.jsonl"
BEGIN, END = "<!-- results: written by tools/make_performance_page.py -->", "<!-- end of results -->"

SMALL, LARGE = ("rand_10k", "conv", "mlp"), ("rand_100k", "brunel")
RUNS = (
    (*SMALL, "--repeat", "5", "--against", "brian2,nest,sanafe"),
    (*LARGE, "--repeat", "5", "--against", "brian2,nest"),  # SANA-FE has no such delays and takes 11 GB for rand_100k
    ("rand_1k", "microcircuit_0.1", "loihi_cuba_4k", "--repeat", "5"),
    ("microcircuit_1", "--repeat", "3"),
    (*SMALL, *LARGE, "loihi_cuba_4k", "--repeat", "5", "--per-tick"),
    (*LARGE, "--repeat", "5", "--threads", "2"),
    ("microcircuit_1", "--repeat", "3", "--threads", "2"),
)


def page(text: str, measurements: Iterable[dict[str, Any]]) -> str:
    """``text`` with the tables between the two marks."""
    machine, *results = measurements
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{tables(machine, results)}\n\n{END}{after}"


def tables(machine: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """The machine, our figures and those of the peers."""
    about = ("processor", "cpus", "memory_gb", "software", "day")
    chip, cpus, memory_gb, software, day = (machine[name] for name in about)
    busy = f" Other work was running (load {machine['load']:.1f}); a quiet machine is faster."
    parts = [
        f"{chip}, {cpus} CPUs, {memory_gb:.0f} GB; {software}; {day}." + (busy if machine["load"] >= 0.5 else ""),
        ours(results),
    ]
    if any(result["peers"] for result in results):
        parts.append(theirs(results))
    return "\n\n".join(parts)


def ours(results: list[dict[str, Any]]) -> str:
    """One row per network and setting."""
    heads = (
        "network",
        "neurons",
        "synapses",
        "ticks",
        "events",
        "M events per CPU s",
        "wall s",
        "of the limit",
    )
    rows = [row(*heads, "build, CPU s", "memory, MB", "spikes", "hash of spikes"), row("---", *["---:"] * 10, "---")]
    rows += [
        row(
            named(result),
            *(f"{result[name]:,}" for name in ("neurons", "synapses", "ticks", "synaptic_events")),
            f"{result['events_per_cpu_s'] / 1e6:,.0f}",
            f"{result['wall_s']:.3f}",
            share(result["fraction_of_limit"]),
            f"{result['build_cpu_s'] + result['load_cpu_s']:.1f}",
            f"{result['peak_rss_mb']:,.0f}",
            f"{result['spikes']:,}",
            f"`{result['raster_hash']}`",
        )
        for result in results
    ]
    paced = [result for result in results if result["real_time_factor"] is not None]
    if paced:
        factors = ", ".join(f"{named(result)} {result['real_time_factor']:.2f}" for result in paced)
        rows.append(f"\nWall seconds per biological second at 0.1 ms a tick: {factors}.")
    return "\n".join(rows)


def named(result: dict[str, Any]) -> str:
    """The network and how it was run."""
    options = (" --per-tick" if result["per_tick"] else "") + (
        f" --threads {result['threads']}" if result["threads"] > 1 else ""
    )
    return f"{result['net']}{options}"


def theirs(results: list[dict[str, Any]]) -> str:
    """One row per network and peer."""
    rows = [
        row("network", "simulator", "its spikes", "its M events per CPU s", "neuroemu is faster by", "its memory, MB"),
        row("---", "---", *["---:"] * 4),
    ]
    for result in results:
        for name, run in result["peers"].items():
            if run["failed"]:
                rows.append(row(result["net"], name, f"not run: {run['failed']}", "", "", ""))
                continue
            rows.append(
                row(
                    result["net"],
                    f"{name} {run['version']}",
                    f"{run['spikes']:,}",
                    f"{run['events_per_cpu_s'] / 1e6:,.1f}",
                    f"{run['ratio']:.1f} x",
                    f"{run['peak_rss_mb']:,.0f}",
                )
            )
    return "\n".join(rows)


def row(*cells: str) -> str:
    """One line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def share(fraction: float | None) -> str:
    """In per cent; a dash where there is no limit."""
    return "-" if fraction is None else f"{fraction:.0%}"


def measure(options: list[str]) -> list[dict[str, Any]]:
    """Run every benchmark, one after the other."""
    lines = [this_machine()]
    for run in RUNS:
        peers = options if "--against" in run else []
        command = [sys.executable, "-m", "neuroemu.cli", "bench", *run, *peers, "--json"]
        finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        lines += [json.loads(line) for line in finished.stdout.splitlines()]
        print(finished.stdout, file=sys.stderr)
    return lines


def this_machine() -> dict[str, Any]:
    """What a reader wants to know about it."""
    software = f"Python {platform.python_version()}, Numba {version('numba')}, NumPy {version('numpy')}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    day = subprocess.run(["date", "-u", "+%Y-%m-%d"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {
        "processor": processor(),
        "cpus": os.cpu_count(),
        "memory_gb": memory,
        "software": software,
        "day": day,
        "load": os.getloadavg()[0],
    }


def processor() -> str:
    """The processor's name as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def saved() -> list[dict[str, Any]]:
    """The measurements that the page shows."""
    return [json.loads(line) for line in MEASUREMENTS.read_text(encoding="utf-8").splitlines()]


def main(arguments: list[str]) -> None:
    """Write the page."""
    if arguments[:1] == ["--measure"]:
        lines = measure(arguments[1:])
        MEASUREMENTS.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), saved()), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
