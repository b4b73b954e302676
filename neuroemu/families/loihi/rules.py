"""Neuron rules of a network that Loihi 1 computes otherwise or not at all: what is said about each, and what stands in for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neuroemu.errors import Finding
from neuroemu.network.model import Neuron


class Unlike(NamedTuple):
    """A rule that the chip does not have: the finding, and the remark for the rounding report (None: refused)."""

    finding: Finding
    remark: str | None


def unlike_rules(neuron: Neuron, where: str, longest_refractory: int, dt_s: float) -> Iterator[Unlike]:
    """Every rule of ``neuron`` that the chip lacks, of its state first, then of its reset.

    Args:
        where: the population, as findings name it.
        longest_refractory: ticks that the register holds.
        dt_s: step of the network in seconds.
    """
    yield from _state_rules(neuron, where)
    if neuron.threshold is not None:
        yield from _reset_rules(neuron, where)
        yield from _refractory_rules(neuron, where, longest_refractory, dt_s)


def _state_rules(neuron: Neuron, where: str) -> Iterator[Unlike]:
    if neuron.min_v is not None:
        yield Unlike(
            Finding(
                "NE3009",
                f"keeps the membrane above {neuron.min_v:g}; the chip's membrane goes down to its register's lower end",
                where,
                ("train without a lower bound (Sinabs: min_v_mem=None)", "compare the divergence report below"),
                "warning",
            ),
            "lower bound of the membrane left out",
        )
    for name, decay in (("membrane", neuron.membrane_decay), ("current", neuron.current_decay)):
        if decay is not None and np.any(decay < 0.0):
            yield Unlike(
                Finding(
                    "NE3013",
                    f"the {name} of {int(np.sum(decay < 0.0))} neurons changes sign in every step (factor "
                    f"{float(decay.min()):.4g}); the chip keeps nothing of it instead",
                    where,
                    ("use a time constant not shorter than the step", "use the dialect's exponential decay"),
                    "warning",
                ),
                f"negative {name} decay factor replaced by none",
            )


def _reset_rules(neuron: Neuron, where: str) -> Iterator[Unlike]:
    if neuron.reset in ("subtract", "subtract_snntorch"):
        yield Unlike(
            Finding(
                "NE3003",
                "subtracts the threshold on a spike (soft reset); Loihi 1 resets to 0, so what exceeds the threshold is lost",
                where,
                (
                    "train with reset to zero (snnTorch: reset_mechanism='zero')",
                    "compare the accuracy and the divergence report below before trusting this mapping",
                ),
                "warning",
            ),
            "soft reset replaced by reset to zero",
        )
    if neuron.reset == "none" and np.any(neuron.membrane_decay != 0.0):
        yield Unlike(
            Finding(
                "NE3004",
                "never resets; Loihi 1 resets to 0 on a spike",
                where,
                ("use a threshold with reset",),
                "warning",
            ),
            "missing reset replaced by reset to zero",
        )
    if neuron.reset_delay:
        yield Unlike(
            Finding(
                "NE3005",
                "resets one step after the spike; Loihi 1 resets in the tick of the spike",
                where,
                ("snnTorch: reset_delay=False",),
                "warning",
            ),
            "late reset replaced by reset in the tick of the spike",
        )
    if neuron.multispike:
        yield Unlike(
            Finding(
                "NE3006",
                "may emit several spikes per step; a Loihi 1 compartment emits at most one per tick",
                where,
                ("train with single spikes per step", "raise the threshold or run more, finer steps"),
                "warning",
            ),
            "several spikes per step replaced by at most one",
        )


def _refractory_rules(neuron: Neuron, where: str, longest: int, dt_s: float) -> Iterator[Unlike]:
    if neuron.refractory_ticks > longest:
        coarser = -(-neuron.refractory_ticks // longest)
        yield Unlike(
            Finding(
                "NE3007",
                f"refractory period of {neuron.refractory_ticks} ticks exceeds the register's {longest} by "
                f"{neuron.refractory_ticks - longest}",
                where,
                (
                    f"shorten the refractory period to {longest} ticks",
                    f"use a step {coarser} times as long ({coarser * dt_s:g} s)",
                    "replace the pause by inhibition of the neuron by itself",
                ),
            ),
            None,
        )
