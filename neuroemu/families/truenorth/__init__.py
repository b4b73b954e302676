"""IBM TrueNorth: crossbar cores of 256 axons and 256 integer neurons, deterministic or stochastic, on a mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroemu.cost.estimate import CostReport
    from neuroemu.families import Booted, Compiled, Options
    from neuroemu.image.container import Program
    from neuroemu.network.model import Network


class TrueNorthFamily:
    """Compiles networks for TrueNorth and boots its programs."""

    name = "truenorth"

    def compile(self, network: Network, chip: Any, options: Options) -> Compiled:
        """Networks do not compile for crossbars yet; mapped programs enter through :mod:`.corelets`.

        Raises:
            DoesNotFit: NE3601 always.
        """
        from neuroemu.errors import DoesNotFit, Finding

        raise DoesNotFit(
            Finding(
                "NE3601",
                f"networks are not compiled for {chip.name} yet; it runs programs that are already mapped",
                fixes=("deploy a model file of IBM's Corelet Programming Environment", "choose another chip"),
            )
        )

    def boot(self, program: Program, *, threads: int = 1, per_tick: bool = True) -> Booted:
        """Unpack and load a program; see :class:`neuroemu.families.Family`. The load of every tick is always counted."""
        from neuroemu.families.truenorth.boot import boot

        return boot(program, threads)

    def costs(self, booted: Booted, samples: int) -> CostReport:
        """Counters and estimates so far; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.truenorth.boot import TrueNorthBooted
        from neuroemu.families.truenorth.costs import cost_report

        assert isinstance(booted, TrueNorthBooted)
        return cost_report(booted, samples)


FAMILY = TrueNorthFamily()
