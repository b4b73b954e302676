"""Loihi 1 as the papers describe it."""

import pytest

from neuroemu.spec import LoihiChip, load_chip


@pytest.fixture(scope="module")
def chip() -> LoihiChip:
    loaded = load_chip("loihi1")
    assert isinstance(loaded, LoihiChip)
    return loaded


def test_chip_has_128_cores_on_32_tiles(chip):
    assert (chip.structure.cores.value, chip.structure.tiles) == (128, 32)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("compartments", 1024),
        ("input_axons", 4096),
        ("output_axons", 4096),
        ("synapse_word_bits", 64),
        ("compartment_profiles", 32),
        ("threshold_profiles", 8),
        ("synapse_formats", 15),
        ("trace_profiles", 3),
        ("delay_ticks_max", 62),
        ("delay_slots_full_core", 8),
        ("axon_id_bits", 12),
        ("multicast", False),
    ],
)
def test_core_limits(chip, limit, value):
    assert getattr(chip.limits, limit).value == value


def test_synapse_memory_is_16384_words(chip):
    assert chip.limits.synapse_memory.bits == 16384 * 64
    assert chip.limits.synapse_memory_words == 16384


def test_idle_tick_of_a_full_chip_costs_6_82_microjoule(chip):
    compartments = chip.structure.cores.value * chip.limits.compartments.value
    idle_j = compartments * chip.cost_sets["davies2018"].energy["neuron_update_inactive"].value
    assert idle_j == pytest.approx(6.815744e-6, rel=1e-12)


def test_corner_to_corner_spike_costs_33_picojoule(chip):
    energy = chip.cost_sets["davies2018"].energy
    columns, rows = chip.structure.mesh_columns.value - 1, chip.structure.mesh_rows.value - 1
    spike_j = columns * energy["hop_east_west"].value + rows * energy["hop_north_south"].value
    assert spike_j == pytest.approx(33e-12, rel=1e-12)


def test_cost_sets_share_no_neuron_or_synapse_constant(chip):
    davies = set(chip.cost_sets["davies2018"].energy.stated())
    sanafe = set(chip.cost_sets["sanafe2025"].energy.stated())
    assert davies & sanafe == {"hop_east_west", "hop_north_south"}


def test_constant_of_another_cost_set_is_absent_not_zero(chip):
    energy = chip.cost_sets["davies2018"].energy
    assert "neuron_access" not in energy
    with pytest.raises(KeyError, match="neuron_access"):
        energy["neuron_access"]


def test_cost_constants_are_listed_by_name(chip):
    times = dict(chip.cost_sets["davies2018"].time.items())
    assert times["barrier_min"].value == 113e-9 and times["barrier_max"].value == 465e-9
    assert times["link_bandwidth"].unit == "spike/s"


def test_message_in_costs_nothing_but_is_stated(chip):
    assert chip.cost_sets["sanafe2025"].energy["message_in"].value == 0.0


def test_barrier_steps_at_1_2_4_and_29_tiles(chip):
    table = chip.cost_sets["sanafe2025"].time.sync_table
    assert [(step.tiles, step.time.value) for step in table] == [(1, 0.6e-6), (2, 1.0e-6), (4, 1.4e-6), (29, 1.8e-6)]


def test_static_power_is_a_range_between_named_figures(chip):
    assert set(chip.static.power) == {"kws_idle", "frady2020_static"}
    assert chip.static.power_range_w == (29.7e-3, 104.4e-3)


def test_error_bands_come_from_comparisons(chip):
    assert chip.validation.error_band("davies2018", "energy") == (0.089, 0.2)
    assert chip.validation.error_band("sanafe2025", "energy") == (-0.117, 0.71)
    assert chip.validation.error_band("sanafe2025", "latency") == (-0.243, 0.243)
    assert chip.validation.error_band("davies2018", "latency") is None


def test_every_number_says_where_it_comes_from(chip):
    quantity = chip.cost_sets["davies2018"].energy["synaptic_operation"]
    assert (quantity.value, quantity.unit, quantity.kind, quantity.confidence) == (23.6e-12, "J", "published", "T")
    assert quantity.low == 23.6e-12 and quantity.high is None
    assert chip.references(quantity.source)[0].startswith("Davies et al., Loihi")


def test_wide_variant_differs_in_compartments_only(chip):
    wide = load_chip("loihi1-wide")
    assert wide.limits.compartments.value == 2048
    assert wide.limits.compartments.kind == "assumed" and wide.limits.compartments.source == ""
    changed = {"name", "title", "limits"}
    assert wide.model_dump(exclude=changed) == chip.model_dump(exclude=changed)
    assert wide.limits.model_dump(exclude={"compartments"}) == chip.limits.model_dump(exclude={"compartments"})
    assert wide.fingerprint != chip.fingerprint
