"""Write ``examples/`` from the recorded cases and seeded generators: ``python tools/make_examples.py [folder]``.

The digits networks and their samples are recorded cases of ``tests/golden/nir``; the Braille and N-MNIST networks come
from ``tests/golden/nir_paper`` (BSD 3-Clause, see LICENSE-NIR.txt) without inputs, so theirs are synthetic and say so.
Every byte is reproducible: a second run changes nothing.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuroemu.network.coding import encode_bernoulli

REPOSITORY = Path(__file__).resolve().parents[1]
RECORDED = REPOSITORY / "tests" / "golden" / "nir"
PAPER = REPOSITORY / "tests" / "golden" / "nir_paper"

DIGITS = {
    "digits_mlp": ("snntorch_leaky_zero", "digits_test.npz"),
    "digits_conv": ("snntorch_conv", "digits_conv.npz"),
    "digits_recurrent": ("snntorch_rleaky", "digits_recurrent.npz"),
}
"""Example name -> recorded case, samples file."""
BRAILLE = {
    "braille_bias_hard": "braille_noDelay_bias_zero.nir",
    "braille_soft": "braille_noDelay_noBias_subtract.nir",
}
SYNTHETIC = "Synthetic seeded events, not recorded data: for running and timing, not for accuracy."


def events(rate: NDArray[np.float64], seed: int) -> NDArray[np.uint8]:
    """Bernoulli spikes for rates that change in time: ``(samples, ticks, *shape)`` probabilities to counts."""
    samples, ticks = rate.shape[:2]
    drawn = encode_bernoulli(rate.reshape(samples * ticks, -1), 1, seed)
    return drawn.reshape(rate.shape)


def braille_like(seed: int, samples: int = 8, ticks: int = 256) -> NDArray[np.uint8]:
    """Twelve taxels touched one after the other, each with a bump of events: (samples, ticks, 12)."""
    tick = np.arange(ticks)[None, :, None]
    taxel = np.arange(12)[None, None, :]
    start = 20 + 6 * np.arange(samples)[:, None, None]
    centre = start + 12 * taxel
    bump = np.exp(-0.5 * ((tick - centre) / 10.0) ** 2)
    return events(0.005 + 0.35 * bump, seed)


def moving_edges(seed: int, samples: int = 4, ticks: int = 60) -> NDArray[np.uint8]:
    """A bright disc that wanders over a 34 x 34 sensor: ON events before it, OFF events behind it, (…, 2, 34, 34)."""
    rate = np.full((samples, ticks, 2, 34, 34), 0.001)
    row, column = np.mgrid[0:34, 0:34]
    for sample in range(samples):
        angle = 0.5 * np.pi * sample / samples + 0.3
        for tick in range(ticks):
            along = -8.0 + 16.0 * tick / ticks
            centre = (17 + along * np.sin(angle), 17 + along * np.cos(angle))
            ahead = (row - centre[0]) * np.sin(angle) + (column - centre[1]) * np.cos(angle)
            on_rim = np.abs(np.hypot(row - centre[0], column - centre[1]) - 6.0) < 1.5
            rate[sample, tick, 0] += 0.4 * (on_rim & (ahead > 0))
            rate[sample, tick, 1] += 0.4 * (on_rim & (ahead <= 0))
    return events(rate, seed)


def oriented_bars(seed: int, ticks: int = 16) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Bars of four orientations on an 8 x 8 retina, five positions each: counts (20, ticks, 1, 8, 8) and labels."""
    row, column = np.mgrid[0:8, 0:8]
    pictures, labels = [], []
    for position in range(-2, 3):
        distances = (row - 4 - position, column - 4 - position, row - column - position, row + column - 7 - position)
        for label, distance in enumerate(distances):
            pictures.append(np.where(distance == 0, 0.7, 0.02))
            labels.append(label)
    rate = np.repeat(np.array(pictures)[:, None, None], ticks, axis=1)
    return events(rate, seed), np.array(labels, dtype=np.int64)


def write(folder: Path) -> None:
    """Write every example file into ``folder``; README.md and edge_detector.yaml are written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (case, samples) in DIGITS.items():
        shutil.copyfile(RECORDED / case / "network.nir", folder / f"{name}.nir")
        with np.load(RECORDED / case / "data.npz") as data:
            save(folder / samples, input=data["input"], labels=data["labels"], out_spikes=data["out_spikes"])
    for seed, (name, source) in enumerate(BRAILLE.items(), start=1):
        shutil.copyfile(PAPER / source, folder / f"{name}.nir")
        save(folder / f"{name}.npz", input=braille_like(seed), note=np.array(SYNTHETIC))
    shutil.copyfile(PAPER / "cnn_sinabs.nir", folder / "nmnist_cnn.nir")
    save(folder / "nmnist_cnn.npz", input=moving_edges(3), note=np.array(SYNTHETIC))
    shutil.copyfile(PAPER / "LICENSE-NIR.txt", folder / "LICENSE-NIR.txt")
    bars, labels = oriented_bars(4)
    save(
        folder / "edge_detector.npz",
        input=bars,
        labels=labels,
        note=np.array("Synthetic seeded events with true labels."),
    )


def save(path: Path, **arrays: NDArray[Any]) -> None:
    """A compressed archive whose bytes depend on the arrays only (numpy stamps members with a fixed date)."""
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "examples")
