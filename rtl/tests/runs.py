"""Runs of cocotb tests in one session of pytest, each once however many tests look at it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rtl.tests.simulation import Design, simulate

TOGGLE_MISSES = 0.05
"""Share of bits that need not go up and down."""


class Runs:
    """Runs by name, each in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._results: dict[str, tuple[int, int]] = {}

    def run(
        self, name: str, design: Design, module: str, told: Mapping[str, object], simulator: str = "verilator"
    ) -> Path:
        """The folder of a run in which every test passed."""
        folder = self.folder / f"{name}-{simulator}".replace(" ", "-")
        if folder.name not in self._results:
            self._results[folder.name] = simulate(design, module, folder, told, simulator)
        tests, failed = self._results[folder.name]
        log = (folder / "test.log").read_text(encoding="utf-8")
        assert tests > 0 and not failed, log[-6000:]
        return folder
