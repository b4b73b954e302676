"""What a chip's cores can compute, held against a lowered network: everything they lack, by name and by how much."""

from __future__ import annotations

from typing import Any

from neuroemu.errors import Finding
from neuroemu.families.lifcore.lower import LoweredNetwork


def lacking(network: LoweredNetwork, chip: Any) -> tuple[Finding, ...]:
    """NE3506 and on."""
    return ()
