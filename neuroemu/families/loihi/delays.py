"""Delays on the way into a layer: what synapses lend to a spike that comes late, and what is longer than the chip's."""

from __future__ import annotations

from collections.abc import Iterable

from neuroemu.errors import Finding
from neuroemu.families.loihi.lowered import LoweredProjection
from neuroemu.network.connectivity import Folded, Sparse


def lent_delay(structure: Folded, delay: int) -> tuple[Folded, int]:
    """Where a spike comes too late (``delay`` below 0), take that from the delays of the synapses themselves."""
    if delay >= 0 or not isinstance(structure, Sparse) or structure.delay is None or not structure.delay.size:
        return structure, delay
    lent = min(-delay, int(structure.delay.min()))
    return Sparse(structure.weight, structure.delay - lent), delay + lent


def delay_findings(projections: Iterable[LoweredProjection], longest: int) -> list[Finding]:
    """Feedback that arrives late (NE3010) and delays beyond the ``longest`` the chip has (NE3011), each said once."""
    findings = []
    for projection in projections:
        where = f"projection {projection.name}"
        own = _longest_own_delay(projection.structure)
        needed = projection.delay + own
        if projection.late_ticks:
            findings.append(
                Finding(
                    "NE3010",
                    f"feedback from {projection.source} to {projection.target} arrives {projection.late_ticks} ticks later than "
                    "in the float network: every hop costs a tick on the chip",
                    where,
                    ("compare with the float network in the divergence report", "train with the chip's delays"),
                    "warning",
                )
            )
        if needed > longest:
            findings.append(
                Finding(
                    "NE3011",
                    f"needs a synaptic delay of {needed} ticks, {needed - longest} more than the {longest} the chip has",
                    where,
                    (
                        f"shorten the delays of its synapses from {own} to {longest - projection.delay} ticks"
                        if own and projection.delay <= longest
                        else f"shorten the delay or the paths beside it by {needed - longest} ticks",
                        f"relay the spikes through {-(-(needed + 1) // (longest + 1)) - 1} extra population(s)",
                        f"use a step {-(-needed // longest)} times as long",
                    ),
                )
            )
    return list(dict.fromkeys(findings))


def _longest_own_delay(structure: Folded) -> int:
    """Largest delay that synapses have besides their projection's."""
    delay = structure.delay if isinstance(structure, Sparse) else None
    return 0 if delay is None or not delay.size else int(delay.max())
