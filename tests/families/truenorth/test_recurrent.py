"""Networks that fill a chip have exactly the synapses asked for and fire at the rate asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroemu.emulator.runner import NEVER
from neuroemu.families.truenorth import FAMILY
from neuroemu.families.truenorth.boot import boot
from neuroemu.families.truenorth.image import SIZE, pack
from neuroemu.families.truenorth.recurrent import at_rate, recurrent_image
from neuroemu.spec import ChipSpec, load_chip

pytestmark = pytest.mark.compiled


@pytest.fixture(scope="module")
def small() -> Any:
    """A chip of 16 cores."""
    data = load_chip("truenorth").to_dict()
    for name, value in {"mesh_columns": 4, "mesh_rows": 4, "cores": 16}.items():
        data["structure"][name]["value"] = value
    return ChipSpec.from_dict(data)


@pytest.mark.parametrize("synapses", [2, 128, 256])
def test_every_neuron_has_its_synapses_and_every_axon_one_source(synapses: int, small: Any) -> None:
    cores = recurrent_image(small, 20, synapses).cores
    bits = np.unpackbits(cores.crossbar, axis=-1)
    assert (bits.sum(axis=1) == synapses).all()
    assert (bits[:, ::2].sum(axis=1) == synapses // 2).all()
    core = cores.number[:, None] + cores.dx + 4 * cores.dy
    assert np.unique(core * SIZE + cores.axon).shape == (16 * SIZE,)


@pytest.mark.parametrize("rate", [11.58, 95.93])
def test_the_counted_rate_is_the_rate_asked_for(rate: float, small: Any) -> None:
    booted = boot(pack(recurrent_image(small, rate)))
    ticks = 1000
    none = np.zeros(0, np.int32)
    chunk = booted.engine.advance(0, ticks, NEVER, np.zeros(ticks + 1, np.int64), none, np.zeros(0, np.int64))
    booted.meter.observe(chunk)
    counted = chunk.spike_tick.shape[0] / booted.engine.neurons / (chunk.last_tick * 1e-3)
    assert chunk.last_tick == ticks and counted == pytest.approx(rate, rel=0.01)


def test_at_zero_hertz_nothing_ever_happens(small: Any) -> None:
    booted = boot(pack(recurrent_image(small, 0.0)))
    none = np.zeros(0, np.int32)
    chunk = booted.engine.advance(0, 50, NEVER, np.zeros(51, np.int64), none, np.zeros(0, np.int64))
    booted.meter.observe(chunk)
    totals = FAMILY.costs(booted, 1).counters
    assert (totals["ticks"], totals["spikes"], totals["synaptic_events"]) == (50, 0, 0)
    assert totals["active_updates"] == booted.engine.neurons, "every neuron is looked at once, in the first tick"


def test_another_rate_keeps_the_wiring(small: Any) -> None:
    slow = recurrent_image(small, 20)
    fast = at_rate(slow, small, 200).cores
    assert np.array_equal(fast.crossbar, slow.cores.crossbar) and np.array_equal(fast.axon, slow.cores.axon)
    assert np.array_equal(fast.alpha, recurrent_image(small, 200).cores.alpha)
    assert np.array_equal(fast.potential, recurrent_image(small, 200).cores.potential)


@pytest.mark.parametrize("cores", [0, 17])
def test_as_many_cores_as_the_chip_has_can_be_used(cores: int, small: Any) -> None:
    assert recurrent_image(small, 20, cores=3).cores.number.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="not possible"):
        recurrent_image(small, 20, cores=cores)


@pytest.mark.parametrize(("rate", "synapses"), [(20, 127), (20, 258), (0.1, 128), (1e6, 128), (-1, 128)])
def test_what_a_core_cannot_do_is_refused(rate: float, synapses: int, small: Any) -> None:
    with pytest.raises(ValueError, match="not possible"):
        recurrent_image(small, rate, synapses)
