"""Accumulators narrower than 32 bits wrap at their own width, on every road through the kernels, and every wrap is counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import BadInput
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.arrays import program_from_network_arrays
from neuroemu.families.lifcore.boot import boot, costs
from neuroemu.families.lifcore.image import ProgramImage, pack, unpack
from neuroemu.image.container import Program
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import integrate_and_fire
from neuroemu.spec import load_chip, validate_file
from neuroemu.toolchain import deploy

INPUTS, NEURONS, TICKS = 5, 7, 30
THRESHOLD = 300


def weights() -> NDArray[np.int64]:
    """(sources, neurons): every source reaches every neuron; sums of a tick go far beyond 9 bits."""
    return np.random.default_rng(4).integers(-90, 128, (INPUTS + NEURONS, NEURONS))


def program(accumulator_bits: int, overflow: int = dynamics.SATURATE) -> Program:
    """Seven neurons that spike often, with currents that stay."""
    sources = INPUTS + NEURONS
    net = {
        "indptr": np.arange(0, sources * NEURONS + 1, NEURONS),
        "indices": np.tile(np.arange(NEURONS), sources),
        "weights": weights().reshape(-1),
        "delays": np.ones(sources * NEURONS),
        "theta": np.full(NEURONS, THRESHOLD),
        "bias": np.full(NEURONS, 3),
        "v0": np.zeros(NEURONS),
        "dv": 500,
        "du": 3000,
        "R": 1,
        "v_reset": -5,
        "n_in": INPUTS,
        "n": NEURONS,
    }
    image: ProgramImage = unpack(program_from_network_arrays(net, load_chip("lifcore")))
    (core,) = image.cores
    return pack(replace(image, cores=(replace(core, accumulator_bits=accumulator_bits, overflow=overflow),)))


def stimulus() -> Stimulus:
    tick, source = np.nonzero(np.random.default_rng(8).random((TICKS, INPUTS)) < 0.5)
    return Stimulus(tick.astype(np.int64), source.astype(np.int32))


@pytest.mark.parametrize("bits", [8, 9, 10, 16, 32])
def test_every_neuron_takes_what_its_accumulator_holds(bits: int) -> None:
    booted = boot(program(bits))
    given = stimulus()
    recording = run_ticks(booted.engine, given, TICKS, probe=np.arange(NEURONS), meter=booted.meter)
    u, v, counter = [0] * NEURONS, [0] * NEURONS, [0] * NEURONS
    total = np.zeros(NEURONS, np.int64)
    wraps = 0
    for now in range(TICKS):
        sent = given.source[given.tick == now].tolist()
        for neuron in range(NEURONS):
            came = dynamics.arrived(int(total[neuron]), bits)
            wraps += came != total[neuron]
            u[neuron], v[neuron], counter[neuron], spiked, _ = dynamics.tick(
                u[neuron], v[neuron], counter[neuron], came, 3, THRESHOLD, 0, 1096, 0, 3596, 0, 0, -5, 1, 0, 32
            )
            sent += [INPUTS + neuron] * spiked
        assert recording.probes["u"][now].tolist() == u
        assert recording.probes["v"][now].tolist() == v
        assert recording.spike_source[recording.spike_tick == now].tolist() == [s for s in sent if s >= INPUTS]
        total = weights()[sent].sum(axis=0)
    assert (wraps > 0) == (bits < 16)
    assert costs(booted, 1).counters["accumulator_wraps"] == wraps


def test_an_image_keeps_the_width() -> None:
    (core,) = unpack(program(11)).cores
    assert core.accumulator_bits == 11
    with pytest.raises(BadInput, match="accumulator_bits"):
        program(33)


def test_a_chip_file_states_a_width_that_holds_a_weight(tmp_path: Path) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text("extends: lifcore-rtl\nname: narrow\ntitle: narrow\narithmetic: {accumulator_bits: 7}\n")
    (finding,) = validate_file(str(file))
    assert (finding.code, "less than weight_bits" in finding.message) == ("NE2032", True)


@pytest.mark.parametrize(("bits", "told"), [(8, ["NE3516"]), (10, [])])
def test_a_network_that_could_make_an_accumulator_wrap_is_told(tmp_path: Path, bits: int, told: list[str]) -> None:
    file = tmp_path / "narrow.yaml"
    file.write_text(f"extends: lifcore-rtl\nname: narrow\ntitle: narrow\narithmetic: {{accumulator_bits: {bits}}}\n")
    builder = NetworkBuilder("sum", dt_s=1e-3).input("in", (4,))
    builder.population("out", (2,), integrate_and_fire(threshold=64.0))
    network = builder.dense("in", "out", [[64.0, 64.0, -32.0, 0.0], [1.0, 1.0, 1.0, 1.0]]).output("out").build()
    findings = deploy(network, load_chip(file)).compiled.findings
    assert [finding.code for finding in findings] == told
    assert all("at 1 neurons" in finding.message for finding in findings)
