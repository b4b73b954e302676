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
        """Lower, cut, wire, place and pack ``network``; see :class:`neuroemu.families.Family`.

        Tiles follow from the crossbar alone: ``options.partitioner`` changes nothing.
        """
        from neuroemu.families import Compiled
        from neuroemu.families.truenorth import mapping
        from neuroemu.families.truenorth.image import pack
        from neuroemu.families.truenorth.lower import lower
        from neuroemu.families.truenorth.pieces import wire
        from neuroemu.mapping.cores import mapping_section
        from neuroemu.mapping.place import DEFAULT_PLACER

        room = int(chip.limits.neurons.value), int(chip.limits.delay_ticks_max.value)
        from_host: frozenset[str] = frozenset()
        sparing: frozenset[str] = frozenset()
        while True:
            lowered = lower(network, chip, from_host, sparing)
            wired = wire(network, lowered, *room)
            if wired.early <= from_host and wired.late <= sparing:
                break
            from_host |= wired.early
            sparing |= wired.late
        placement = mapping.map_pieces(wired, chip, options.placer or DEFAULT_PLACER, options.seed)
        program = pack(mapping.build_image(lowered, wired, placement, chip, network.dialect))
        return Compiled(
            program=program,
            quantised=lowered.quantised,
            rounding=lowered.rounding,
            mapping=mapping_section(placement, chip.structure.mesh),
            tick_offsets={population.name: population.tick_offset for population in wired.populations},
            findings=(*lowered.findings, *wired.findings),
        )

    def boot(self, program: Program, *, threads: int = 1, per_tick: bool = True) -> Booted:
        """Unpack and load a program; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.truenorth.boot import boot

        return boot(program, threads, per_tick)

    def costs(self, booted: Booted, samples: int) -> CostReport:
        """Counters and estimates so far; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.truenorth.boot import TrueNorthBooted
        from neuroemu.families.truenorth.costs import cost_report

        assert isinstance(booted, TrueNorthBooted)
        return cost_report(booted, samples)


FAMILY = TrueNorthFamily()
