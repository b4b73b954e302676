"""Benchmark networks in .npz files, checked before the engine trusts them."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.bench.networks import ARRAYS, NUMBERS, Net
from neuroemu.errors import Finding

MOST_DELAY = 63


def problems_of(path: str) -> list[Finding]:
    """NE7102 for everything that makes the file unusable; nothing for a good one."""
    try:
        with open(path, "rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                return [Finding("NE7102", "is no archive of plain number arrays", path)]
            net = {key: archive[key] for key in archive.files}
    except (OSError, MemoryError, zipfile.BadZipFile, zlib.error, struct.error) as error:
        return [Finding("NE7102", f"cannot be read: {error}", path)]
    except (EOFError, ValueError):  # numpy's own text advises to trust the file
        return [Finding("NE7102", "is no archive of plain number arrays", path)]
    if missing := sorted({*ARRAYS, *NUMBERS} - net.keys()):
        return [Finding("NE7102", f"lacks {', '.join(missing)}", path)]
    return [Finding("NE7102", problem, path) for problem in _contradictions(net)]


def read_network(path: str) -> Net:
    """The network of a file that :func:`problems_of` finds nothing in."""
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: np.ascontiguousarray(archive[key], kind) for key, kind in ARRAYS.items()}
        return arrays | {key: int(archive[key]) for key in NUMBERS}


def write_network(path: Path, net: Mapping[str, Any]) -> None:
    """Write ``net`` as an uncompressed .npz file."""
    np.savez(path, **{key: net[key] for key in (*ARRAYS, *NUMBERS)})


def _contradictions(net: Mapping[str, Any]) -> list[str]:
    """What would lead the engine astray."""
    if wrong := [key for key in NUMBERS if net[key].ndim or net[key].dtype.kind not in "iu"]:
        return [f"{', '.join(wrong)} must be whole numbers"]
    if wrong := [key for key in ARRAYS if net[key].ndim != 1 or net[key].dtype.kind not in "iu"]:
        return [f"{', '.join(wrong)} must be rows of integers"]
    neurons, inputs, ticks = (int(net[key]) for key in ("n", "n_in", "ticks"))
    synapses = net["indices"].shape[0]
    start = net["indptr"]
    rules = {
        "n and ticks must be at least 1, n_in at least 0": min(neurons, ticks) >= 1 and inputs >= 0,
        "n, n_in and ticks must fit 31 bits": max(neurons, inputs, ticks) < 1 << 31,
        "theta, bias and v0 must have n entries": all(net[key].shape[0] == neurons for key in ("theta", "bias", "v0")),
        "theta, bias, v0 and v_reset must fit 32 bits": all(
            _within(net[key], -(1 << 31), (1 << 31) - 1) for key in ("theta", "bias", "v0", "v_reset")
        ),
        "indices, weights and delays must be equally long": net["weights"].shape[0]
        == net["delays"].shape[0]
        == synapses,
        "indptr must rise from 0 to the number of synapses, one row per source": start.shape[0] == inputs + neurons + 1
        and int(start[0]) == 0
        and int(start[-1]) == synapses
        and _rises(start),
        "indices must be neurons": _within(net["indices"], 0, neurons - 1),
        f"delays must lie between 1 and {MOST_DELAY}": _within(net["delays"], 1, MOST_DELAY),
        "weights must fit 16 bits": _within(net["weights"], -(1 << 15), (1 << 15) - 1),
        "dv and du must lie between 0 and 4096, R between 0 and 65535": all(
            0 <= int(net[key]) <= 4096 for key in ("dv", "du")
        )
        and 0 <= int(net["R"]) < 1 << 16,
        "in_t must rise within the ticks, in_id name an input each": net["in_t"].shape == net["in_id"].shape
        and _rises(net["in_t"])
        and _within(net["in_t"], 0, ticks - 1)
        and _within(net["in_id"], 0, inputs - 1),
    }
    return [rule for rule, holds in rules.items() if not holds]


def _rises(values: Any) -> bool:
    """Without a subtraction, which would wrap in an unsigned type."""
    return bool(np.all(values[1:] >= values[:-1]))


def _within(values: Any, least: int, most: int) -> bool:
    return not values.size or least <= int(values.min()) <= int(values.max()) <= most
