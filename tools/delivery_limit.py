"""What this machine can do at most: bare loops over memory laid out as the emulator's, for a few sizes of network.

    python tools/delivery_limit.py

``neuroemu bench`` runs the same loops over each network's own memory and spikes and prints which fraction of them it reaches.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from neuroemu.bench.limit import limit_of

SIZES = ((1_000, 100), (10_000, 100), (12_500, 1_250), (100_000, 100))
EVENTS = 40_000_000

HEAD = """\
| memory | M events per CPU s | M neuron updates per CPU s |
| --- | ---: | ---: |"""


def scattered(neurons: int, fan_out: int) -> dict[str, Any]:
    """Every neuron sends to random others."""
    rng = np.random.default_rng(0)
    targets = np.sort(rng.integers(0, neurons, (neurons, fan_out), np.int32), axis=1).ravel()
    return network(neurons, fan_out, targets, rng)


def dense(neurons: int) -> dict[str, Any]:
    """Every neuron sends to all."""
    return network(neurons, neurons, np.tile(np.arange(neurons, dtype=np.int32), neurons), np.random.default_rng(0))


def network(neurons: int, fan_out: int, targets: Any, rng: np.random.Generator) -> dict[str, Any]:
    """Arrays as ``neuroemu.bench.networks`` describes them; no inputs, delay 1."""
    zeros, none = np.zeros(neurons, np.int32), np.zeros(0, np.int32)
    per_neuron = {"theta": zeros, "bias": zeros, "v0": zeros, "in_t": none, "in_id": none}
    numbers = {"dv": 0, "du": 4096, "R": 0, "v_reset": 0, "ticks": max(1, 10_000_000 // neurons)}
    return (
        {
            "n": neurons,
            "n_in": 0,
            "indptr": np.arange(neurons + 1, dtype=np.int64) * fan_out,
            "indices": targets,
            "weights": rng.integers(-128, 128, targets.size).astype(np.int16),
            "delays": np.ones(targets.size, np.uint8),
        }
        | per_neuron
        | numbers
    )


def row(title: str, net: dict[str, Any], fan_out: int) -> str:
    """Rates for spikes of random neurons."""
    spikes = EVENTS // fan_out
    fired = np.random.default_rng(1).integers(0, net["n"], spikes)
    rates = limit_of(net, np.zeros(spikes, np.int32), fired).to_dict()
    delivered = rates["scatter_per_s"] or rates["runs_per_s"] or 0.0
    return f"| {title} | {delivered / 1e6:,.0f} | {(rates['updates_per_s'] or 0.0) / 1e6:,.0f} |"


def main() -> None:
    """Print a Markdown table."""
    print(HEAD)
    for neurons, fan_out in SIZES:
        print(row(f"{neurons:,} neurons, {fan_out:,} random targets each", scattered(neurons, fan_out), fan_out))
    for neurons in (1_024, 4_096):
        print(row(f"{neurons:,} neurons, dense", dense(neurons), neurons))


if __name__ == "__main__":
    main()
