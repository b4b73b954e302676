"""The project's own open digital core: integer LIF neurons, time-multiplexed, with an exact cycle contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroemu.cost.estimate import CostReport
    from neuroemu.families import Booted, Compiled, Options
    from neuroemu.image.container import Program
    from neuroemu.network.model import Network


class LifcoreFamily:
    """Compiles networks for open LIF cores and boots their programs."""

    name = "lifcore"

    def compile(self, network: Network, chip: Any, options: Options) -> Compiled:
        """Lower, map and pack ``network``; see :class:`neuroemu.families.Family`."""
        from neuroemu.families import Compiled
        from neuroemu.families.lifcore import mapping
        from neuroemu.families.lifcore.image import pack
        from neuroemu.families.lifcore.lower import lower
        from neuroemu.mapping.cores import mapping_section
        from neuroemu.mapping.partition import DEFAULT_PARTITIONER
        from neuroemu.mapping.place import DEFAULT_PLACER

        lowered = lower(network, chip)
        placement = mapping.map_network(
            lowered,
            chip,
            options.partitioner or DEFAULT_PARTITIONER,
            options.placer or DEFAULT_PLACER,
            options.seed,
        )
        program = pack(mapping.build_image(lowered, placement, chip, network.dialect))
        return Compiled(
            program=program,
            quantised=lowered.quantised,
            rounding=lowered.rounding,
            mapping=mapping_section(placement, chip.structure.mesh),
            tick_offsets={population.name: population.tick_offset for population in lowered.populations},
            findings=lowered.findings,
        )

    def boot(self, program: Program, *, threads: int = 1, per_tick: bool = True) -> Booted:
        """Unpack and load a program; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.lifcore.boot import boot

        return boot(program, threads, per_tick)

    def costs(self, booted: Booted, samples: int) -> CostReport:
        """Counters and estimates so far; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.lifcore.boot import costs

        return costs(booted, samples)


FAMILY = LifcoreFamily()
