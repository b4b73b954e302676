"""On a crossbar every axon has a weight for every neuron of the core, and a spike costs a cycle for each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroemu.families.lifcore.boot import boot
from neuroemu.families.lifcore.crossbar import as_crossbar, is_crossbar, weights_of
from neuroemu.families.lifcore.image import unpack
from neuroemu.families.lifcore.timing import CycleMeter
from neuroemu.formats import load
from neuroemu.spec import load_chip
from neuroemu.toolchain import deploy
from tests.small import relay

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def test_a_chip_is_a_crossbar_that_has_room_for_every_weight(tmp_path: Path) -> None:
    assert is_crossbar(load_chip("lifcore-rtl"))
    assert not is_crossbar(load_chip("lifcore"))
    file = tmp_path / "less.yaml"
    file.write_text("extends: lifcore-rtl\nname: less\ntitle: less memory\nlimits: {synapse_memory: 32 KiB}\n")
    assert not is_crossbar(load_chip(file))


def test_a_core_with_whole_rows_stays_as_it_is() -> None:
    network = load(EXAMPLES / "digits_mlp.nir", "snntorch-hard", None)
    cores = unpack(deploy(network, "lifcore-rtl").compiled.program).cores
    assert all(as_crossbar(core) is core for core in cores)


def test_lists_that_cover_a_part_of_a_core_become_rows_of_the_crossbar() -> None:
    (core,) = unpack(deploy(relay(), "lifcore").compiled.program).cores
    whole = as_crossbar(core)
    assert np.array_equal(weights_of(whole), weights_of(core))
    assert np.diff(whole.list_start).tolist() == [core.size] * core.axon_list.shape[0]
    assert weights_of(core).astype(bool).sum(axis=1).tolist() == [1, 1, 1, 1]


@pytest.mark.compiled
def test_populations_that_share_a_crossbar_pay_for_each_others_columns(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("extends: lifcore-rtl\nname: two\ntitle: two\nlimits: {profiles: 2}\n")
    inputs = np.array([[[1, 0], [0, 0], [0, 0]]])
    shared, apart = deploy(relay(), load_chip(file)), deploy(relay(), "lifcore-rtl")
    assert [core.size for core in unpack(shared.compiled.program).cores] == [4]
    assert [core.size for core in unpack(apart.compiled.program).cores] == [2, 2]
    assert np.array_equal(shared.run(inputs).spikes("second"), apart.run(inputs).spikes("second"))
    for deployment, cycles in ((shared, 4), (apart, 2)):
        meter = boot(deployment.compiled.program).meter
        assert isinstance(meter, CycleMeter)
        assert meter.traffic.synapses.tolist() == [cycles] * 4
