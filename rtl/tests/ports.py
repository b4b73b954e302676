"""What passes through the ports of a core in one cycle, as its model says it and its bench drives it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

MARKER = None
"""Event that ends a tick."""


def index_bits(words: int) -> int:
    """Address bits of a memory; one at least."""
    return max((words - 1).bit_length(), 1)


@dataclass(frozen=True)
class Inputs:
    """What stands at a core's inputs in one cycle; ``in_delay`` is 0 on cores without that port."""

    in_valid: int
    in_last: int
    in_axon: int
    out_ready: int
    cfg_valid: int
    cfg_write: int
    region: int
    offset: int
    cfg_wdata: int
    in_delay: int = 0


@dataclass(frozen=True)
class Outputs:
    """What a core's outputs must be in one cycle; ``in_ready`` is ``idle`` unless a configuration request stands there.

    Attributes:
        update: the neuron that is written back, of the model's own type; None if there is none.
        packet: fields in the order of the output ports.
    """

    phase: str
    idle: bool = False
    cfg_ready: bool = False
    cfg_rdata: int | None = None
    update: Any = None
    packet: tuple[int, ...] | None = None
    last: bool = False


Cycles = Generator[Outputs, Inputs, None]
"""From the cycle after ``rst`` on: gives the outputs of a cycle, takes the inputs of the same one."""
