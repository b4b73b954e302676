"""A program image becomes arrays: what the memories hold and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroemu.families.loihi import dynamics
from neuroemu.families.loihi.image import (
    EXCITATORY,
    INHIBITORY,
    MIXED,
    CompartmentProfile,
    SynapseFormat,
)
from neuroemu.families.loihi.load import SYNAPSE_CLASSES, load_program, weights_on_chip
from tests.families.loihi.programs import Core, dense, listed, program


@pytest.mark.parametrize("sign_mode", [MIXED, EXCITATORY, INHIBITORY])
@pytest.mark.parametrize("weight_bits", [1, 5, 8])
@pytest.mark.parametrize("exponent", [-3, 0, 7])
def test_a_weight_is_what_the_rule_makes_of_its_mantissa(sign_mode: int, weight_bits: int, exponent: int) -> None:
    form = SynapseFormat("sparse", sign_mode, weight_bits, exponent, 0, 10)
    mantissas = np.arange(-256, 256, dtype=np.int16)
    expected = [dynamics.synaptic_weight(int(mantissa), form.dropped_bits, exponent) for mantissa in mantissas]
    assert weights_on_chip(mantissas, form).tolist() == expected


def test_neighbours_of_equal_registers_share_a_segment() -> None:
    core = Core(6).image(0)
    fast, slow = CompartmentProfile(4095, 0, 2), CompartmentProfile(10, 20, 1)
    core = replace(
        core,
        profiles=(fast, slow),
        profile_of_compartment=np.array([0, 0, 1, 1, 1, 0], np.uint8),
        bias_start_tick=np.array([0, 0, 0, 2, 2, 2], np.uint16),
    )
    segments = load_program(replace(program(Core(2)), cores=(Core(2).image(1), core)))[0].shards[0].fixed.segments
    assert segments.first.tolist() == [0, 2, 4, 5, 7]
    assert segments.last.tolist() == [2, 4, 5, 7, 8]
    assert segments.core.tolist() == [0, 1, 1, 1, 1]
    assert segments.current_retain.tolist() == [0, 0, 4085, 4085, 0]
    assert segments.membrane_retain.tolist() == [4096, 4096, 4076, 4076, 4096]
    assert segments.refractory.tolist() == [1, 2, 1, 1, 2]
    assert segments.bias_start.tolist() == [0, 0, 0, 2, 2]


def test_registers_become_the_numbers_of_the_equations() -> None:
    core = Core(2, threshold=7, bias=(-3, 4), bounds=(5, 2), noise=(9, -1, "membrane"))
    core.profile = replace(core.profile, noise_enable=True)
    compiled = load_program(program(core))[0].shards[0].fixed
    assert compiled.threshold.tolist() == [7 << 6] * 2
    assert compiled.bias.tolist() == [-48] * 2
    segments = compiled.segments
    assert (int(segments.lowest[0]), int(segments.highest[0])) == (-31, 8191)
    assert (int(segments.noise_target[0]), int(segments.noise_offset[0]), int(segments.noise_exponent[0])) == (2, -1, 9)


def test_noise_of_a_compartment_depends_on_its_place_on_the_chip() -> None:
    keys = load_program(program(Core(2), Core(3)))[0].shards[0].fixed.noise_key.tolist()
    assert len(set(keys)) == 5


def test_structure_survives_the_letterbox() -> None:
    """Dense and shared lists stay runs; synapses of different delays in one list become rows, sorted by delay."""
    core = Core(4, sections=[dense([[2, 4, 6, 8]]), listed([[(0, 2, 9), (1, 4, 0), (3, 6, 9)]])])
    core.sections.append(listed([[(0, 2, 0), (1, 4, 0), (3, 6, 0)]], kind="shared_kernel"))
    core.axons = [(0, 0, 1, 0), (1, 0, 1, 0), (2, 0, 1, 0)]
    loaded, _, memory = load_program(program(core, host=[(0, 0, axon, 0) for axon in range(3)], inputs=1))
    assert [SYNAPSE_CLASSES[number] for number in memory.list_class] == ["dense", "sparse", "shared_kernel"]
    synapses = loaded.shards[0].synapses
    weight = 1 << synapses.target_bits
    assert synapses.word.tolist() == [1, 0, 1 + 4 * weight, 2, 9, 0 + 2 * weight, 3 + 6 * weight]
    assert synapses.link[:, :2].tolist() == [[0, 1], [1, 3]]
    assert synapses.run.tolist() == [[0, 4, 0], [0, 2, 4], [3, 1, 6]]
    assert synapses.short_weight.tolist() == [2, 4, 6, 8, 2, 4, 6]
    assert loaded.shards[0].state.arriving.shape == (11, 4)


def test_links_lead_from_every_source_to_its_lists() -> None:
    first, second = Core(2), Core(3)
    second.sections = [listed([[(0, 2, 0)], [(0, 2, 0)], [(0, 2, 0)]])]
    second.axons = [(0, 0, 1, 1), (0, 1, 2, 2)]
    first.outputs = [(1, 1, 0, 0), (1, 1, 1, 1)]
    _, links, _ = load_program(program(first, second, host=[(0, 1, 1, 0)], inputs=2))
    assert links.link_start.tolist() == [0, 1, 1, 1, 3, 3, 3, 3]
    assert links.destination_core.tolist() == [1, 1, 1]
    assert links.synapse_list.tolist() == [1, 0, 2]
    assert links.base.tolist() == [4, 3, 4]


def test_a_program_without_cores_has_no_neurons() -> None:
    loaded, links, memory = load_program(program(inputs=2))
    assert (loaded.engine().neurons, links.sources, loaded.cores) == (0, 2, 0)
    assert links.link_start.tolist() == [0, 0, 0]
    assert memory.weight.size == 0
