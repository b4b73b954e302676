"""Loihi 1 with other limits, for tests of what a core and a chip can hold."""

from __future__ import annotations

from pathlib import Path

from neuroemu.spec import ChipSpec, load_chip

SMALL = {"compartments": 64, "input_axons": 256, "output_axons": 256, "synapse_memory": "4 KiB"}
"""Cores so small that ordinary layers must be cut."""


def variant(folder: Path, structure: dict[str, int] | None = None, **limits: int | str) -> ChipSpec:
    """A chip file that extends ``loihi1``."""
    lines = ["extends: loihi1", "name: variant", "title: another chip"]
    for section, values in (("structure", structure or {}), ("limits", limits)):
        lines += [f"{section}:"] if values else []
        lines += [f"  {key}: {{value: {value}, kind: assumed, note: a test}}" for key, value in values.items()]
    path = folder / "variant.yaml"
    path.write_text("\n".join(lines) + "\n")
    return load_chip(path)
