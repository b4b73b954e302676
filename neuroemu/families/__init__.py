"""Chip families, found by name through entry points, and the two things each one does: compile and boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol

from neuroemu.errors import BadInput, Finding

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neuroemu.cost.estimate import CostReport
    from neuroemu.emulator.protocol import Meter, TickEngine
    from neuroemu.image.container import Program
    from neuroemu.image.symbols import Symbols
    from neuroemu.network.model import Network


@dataclass(frozen=True)
class Options:
    """Choices of a deployment that change cost, never results."""

    partitioner: str | None = None
    placer: str | None = None
    seed: int = 0


@dataclass(frozen=True)
class Compiled:
    """What the host side hands over: the program, and everything a report says about how it came about.

    Attributes:
        quantised: the float twin of the program's numbers, for the divergence report.
        rounding: rows of the quantisation report (plain data).
        mapping: the mapping section of the report (plain data, no activity).
        tick_offsets: population -> ticks by which the chip lags behind the float network.
    """

    program: Program
    quantised: Network
    rounding: tuple[dict[str, Any], ...]
    mapping: dict[str, Any]
    tick_offsets: Mapping[str, int]
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Booted:
    """A program as the chip runs it; knows nothing of networks or files.

    Attributes:
        constant_ports: names of ports whose single source fires in every tick of a sample.
        neurons_of: population -> int64 engine neuron numbers in the population's order.
        membrane: probe name of the membrane.
        inputs: number of host sources; engine sources count host sources first.
    """

    engine: TickEngine
    meter: Meter
    symbols: Symbols
    constant_ports: tuple[str, ...]
    neurons_of: Mapping[str, NDArray[np.int64]]
    membrane: str
    inputs: int

    def mapping(self) -> dict[str, Any] | None:
        """The mapping section of a report as far as the image tells it (plain data, no activity); None where it does not."""
        return None


class Family(Protocol):
    """One chip family."""

    name: str

    def compile(self, network: Network, chip: Any, options: Options) -> Compiled:
        """Lower, map and pack; raises DoesNotFit with every limit that is broken."""

    def boot(self, program: Program, *, threads: int = 1, per_tick: bool = True) -> Booted:
        """Unpack and load; raises BadInput for a damaged program.

        Args:
            threads: shards that run together; changes speed, never results.
            per_tick: time every tick (busiest core, farthest packet); without it only totals are counted.
        """

    def costs(self, booted: Booted, samples: int) -> CostReport:
        """Counters, energy and time of everything the booted program has done."""


def load_family(name: str) -> Family:
    """The family of that name.

    Raises:
        BadInput: NE9001 with the families that are installed.
    """
    found = {entry.name: entry for entry in entry_points(group="neuroemu.families")}
    if name in found:
        return found[name].load().FAMILY
    try:
        return import_module(f"neuroemu.families.{name}").FAMILY
    except (ModuleNotFoundError, AttributeError):
        known = ", ".join(sorted(found)) or "none"
        raise BadInput(
            Finding("NE9001", f"no chip family {name!r} is installed", fixes=(f"installed families: {known}",))
        ) from None
