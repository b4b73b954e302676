"""Chips whose cores have other features become other builds of the Verilog core, and their networks agree all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroemu.cosim.agreement import Agreement, cosimulate
from neuroemu.cosim.core import Stalls
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.model import Network, Neuron
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.small import meter, relay, soft_reset, two_inputs

SAMPLES, TICKS = 6, 25


def agreement(network: Network, chip: str | Path, stages: int) -> Agreement:
    """Random spikes for a network on both sides."""
    rng = np.random.default_rng(5)
    shapes = {name: network.populations[name].shape for name in network.inputs}
    inputs = {name: rng.poisson(0.6, (SAMPLES, TICKS, *shape)).astype(np.uint8) for name, shape in shapes.items()}
    program = deploy(network, load_chip(chip)).compiled.program
    return cosimulate(program, inputs, stages=stages, stalls=Stalls(0.2, 0.2, 3))


def chip_with(folder: Path, text: str) -> Path:
    file = folder / "chip.yaml"
    file.write_text(f"extends: lifcore-rtl\nname: chip\ntitle: another core\n{text}\n")
    return file


def slow_currents() -> Network:
    """Two layers with synaptic currents, refractory periods and a bias."""
    rng = np.random.default_rng(2)
    one = np.ones(1)

    def neuron(decay: float, ticks: int) -> Neuron:
        return Neuron(
            decay * one,
            one,
            0.05 * one,
            one,
            0 * one,
            current_decay=0.6 * one,
            current_gain=one,
            reset="subtract",
            refractory_ticks=ticks,
        )

    builder = NetworkBuilder("slow", dt_s=1e-3).input("in", (9,))
    builder.population("hidden", (40,), neuron(0.9, 2)).population("out", (7,), neuron(0.7, 0))
    builder.dense("in", "hidden", rng.uniform(-0.4, 0.6, (40, 9))).dense(
        "hidden", "out", rng.uniform(-0.3, 0.4, (7, 40))
    )
    return builder.output("out").build()


@pytest.mark.parametrize("stages", [1, 3])
def test_currents_and_factors_are_built_in_where_the_chip_has_them(tmp_path: Path, stages: int) -> None:
    text = "arithmetic: {leak_modes: [factor, shift], current_decay: true, potential_bits: 20, accumulator_bits: 18}"
    told = agreement(slow_currents(), chip_with(tmp_path, text), stages)
    assert (told.agrees, told.build.factor, told.build.current, told.build.v_bits) == (True, 1, 1, 20)
    assert told.compared["spikes"] > 100
    assert told.equal_predictions == SAMPLES


@pytest.mark.parametrize("network", [relay, soft_reset, two_inputs, meter], ids=lambda make: make.__name__)
def test_small_networks_agree_on_the_small_chip_and_as_smallest_crossbars(network: object) -> None:
    assert callable(network)
    for chip in ("lifcore-rtl", "lifcore"):
        told = agreement(network(), chip, 1)
        assert told.agrees
        assert told.ticks >= SAMPLES * TICKS


def test_populations_that_share_a_core_agree_in_cycles_too(tmp_path: Path) -> None:
    told = agreement(relay(), chip_with(tmp_path, "limits: {profiles: 2}"), 3)
    assert told.agrees
    assert [core.neurons for core in told.cores] == [4]
