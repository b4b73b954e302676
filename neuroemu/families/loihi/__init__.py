"""Intel Loihi 1: current-based integer LIF compartments on a mesh of barrier-synchronised cores."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroemu.cost.estimate import CostReport
    from neuroemu.families import Booted, Compiled, Options
    from neuroemu.image.container import Program
    from neuroemu.network.model import Network


class LoihiFamily:
    """Compiles networks for Loihi 1 and boots its programs."""

    name = "loihi"

    def compile(self, network: Network, chip: Any, options: Options) -> Compiled:
        """Lower, map and pack ``network``; see :class:`neuroemu.families.Family`."""
        from neuroemu.families import Compiled
        from neuroemu.families.loihi import mapping
        from neuroemu.families.loihi.lower import lower
        from neuroemu.families.loihi.packing import pack
        from neuroemu.mapping.cores import mapping_section
        from neuroemu.mapping.partition import DEFAULT_PARTITIONER
        from neuroemu.mapping.place import DEFAULT_PLACER

        lowered = lower(network, chip)
        placement = mapping.map_network(
            lowered,
            chip,
            partitioner=options.partitioner or DEFAULT_PARTITIONER,
            placer=options.placer or DEFAULT_PLACER,
            seed=options.seed,
        )
        image = mapping.build_image(lowered, placement, chip, network.dialect, options.seed)
        return Compiled(
            program=pack(image),
            quantised=lowered.quantised,
            rounding=tuple({**asdict(row), "remarks": list(row.remarks)} for row in lowered.rounding),
            mapping=mapping_section(placement, chip.structure.mesh),
            tick_offsets={population.name: population.tick_offset for population in lowered.populations},
            findings=lowered.findings,
        )

    def boot(self, program: Program, *, threads: int = 1, per_tick: bool = True) -> Booted:
        """Unpack and load a program; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.loihi.boot import boot

        return boot(program, threads, per_tick)

    def costs(self, booted: Booted, samples: int) -> CostReport:
        """Counters and estimates so far; see :class:`neuroemu.families.Family`."""
        from neuroemu.families.loihi.boot import costs

        return costs(booted, samples)


FAMILY = LoihiFamily()
