"""From a float network to Loihi's integers: registers, mantissas and tick offsets per layer, with every rounding reported.

Each population gets one scale: ``threshold register * 64`` chip units stand for its float threshold, so the threshold itself
is exact and the rounding sits in weights, decays and biases. Per-neuron thresholds and gains are folded into the weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from neuroemu.errors import DoesNotFit, Finding, errors_in
from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.delays import delay_findings
from neuroemu.families.loihi.layer import Layer, LoweredLayer
from neuroemu.families.loihi.lowered import LoweredNetwork
from neuroemu.families.loihi.weights import WEIGHT_BITS
from neuroemu.image.symbols import numbered_ports
from neuroemu.network.graph import tick_offsets
from neuroemu.network.model import Network


def lower(network: Network, chip: Any) -> LoweredNetwork:
    """Lower every population and projection.

    Args:
        chip: the chip specification (its ``arithmetic`` and ``limits`` are read).

    Raises:
        DoesNotFit: with all features that the chip cannot compute.
    """
    offsets = tick_offsets(network, of_inputs=-1)
    findings: list[Finding] = [*fixed_arithmetic(chip), *_analog_sources(network)]
    constant: list[str] = []
    layers: dict[str, LoweredLayer] = {}
    for name, population in network.populations.items():
        if population.neuron is None:
            continue
        layer = Layer(network, population, chip, findings)
        layers[name] = layer.lower(offsets)
        if layer.current_bias is not None:
            constant.append(f"bias:{name}")
    projections = tuple(projection for layer in layers.values() for projection in layer.projections)
    findings.extend(delay_findings(projections, int(chip.limits.delay_ticks_max.value)))
    if errors_in(findings):
        raise DoesNotFit(errors_in(findings))
    twins = {name: layer.twin for name, layer in layers.items()}
    quantised = replace(
        network,
        populations={name: twins.get(name, population) for name, population in network.populations.items()},
        projections=tuple(projection for layer in layers.values() for projection in layer.twin_incoming),
        findings=(),
    )
    return LoweredNetwork(
        numbered_ports({name: network.populations[name].shape for name in network.inputs}, constant),
        tuple(layer.population for layer in layers.values()),
        projections,
        network.inputs,
        network.outputs,
        tuple(layer.rounding for layer in layers.values()),
        quantised,
        tuple(findings),
    )


def _analog_sources(network: Network) -> Iterator[Finding]:
    """Analog populations that feed others: a chip sends spikes and nothing else."""
    for name, fed in network.analog_sources():
        size = network.populations[name].size
        yield Finding(
            "NE3020",
            f"has no threshold but feeds {', '.join(fed)} with {size} analog values; the chip sends spikes only",
            f"population {name}",
            (
                "give the population a threshold (LIF instead of LI)",
                f"fold it into the synapses: a CubaLIF in {fed[0]} filters its input itself",
                "make it an output and apply the rest of the network on the host",
            ),
        )


def fixed_arithmetic(chip: Any) -> Iterator[Finding]:
    """Widths that this family computes with and a chip file may not change."""
    fixed = {
        "membrane_bits": dynamics.STATE_BITS,
        "current_bits": dynamics.STATE_BITS,
        "accumulator_bits": dynamics.ACCUMULATOR_BITS,
        "weight_shift": dynamics.WEIGHT_SHIFT,
        "threshold_shift": dynamics.THRESHOLD_SHIFT,
        "decay_bits": dynamics.DECAY_BITS,
        "current_decay_offset": 1,
        "membrane_decay_offset": 0,
        "weight_mantissa_bits": WEIGHT_BITS,
    }
    for name, value in fixed.items():
        declared = int(getattr(chip.arithmetic, name).value)
        if declared != value:
            yield Finding(
                "NE3012",
                f"the chip file sets {name} to {declared}; the loihi family computes with {value} and nothing else",
                f"chip {chip.name}",
                (
                    f"set arithmetic.{name} to {value}",
                    "change limits, timing or energy instead of the arithmetic",
                    "write a chip family of your own for other widths",
                ),
            )
