"""Counters of a TrueNorth run, its energy under both cost sets, and what is said about time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.errors import BadInput
from neuroemu.families.truenorth import FAMILY
from neuroemu.families.truenorth.boot import TrueNorthBooted, boot, boot_image
from neuroemu.families.truenorth.image import SIZE, build_cores, pack
from neuroemu.families.truenorth.published import at_supply
from neuroemu.families.truenorth.timing import CrossbarMeter
from neuroemu.spec import ChipSpec, load_chip
from tests.families.truenorth.reference import image_of, random_cores, random_inputs

pytestmark = pytest.mark.compiled

CHIP: Any = load_chip("truenorth")


def changed(**structure: int) -> Any:
    data = CHIP.to_dict()
    for name, value in structure.items():
        data["structure"][name]["value"] = value
    return ChipSpec.from_dict(data)


def meter_of(booted: TrueNorthBooted) -> CrossbarMeter:
    assert isinstance(booted.meter, CrossbarMeter)
    return booted.meter


def ran(booted: TrueNorthBooted, inputs: list[tuple[int, int]], ticks: int) -> TrueNorthBooted:
    table = np.array(sorted(inputs), np.int64).reshape(-1, 2)
    stimulus = Stimulus(table[:, 0].copy(), table[:, 1].astype(np.int32))
    run_ticks(booted.engine, stimulus, ticks, meter=booted.meter)
    return booted


def relay(dx: int, dy: int, chip: Any = CHIP) -> TrueNorthBooted:
    """Axon 0 of the core at (1, 1) drives neuron 0, which sends to the core at (1 + dx, 1 + dy); ten spikes."""
    columns = chip.structure.mesh.columns
    numbers = sorted({columns + 1, columns * (1 + dy) + 1 + dx})
    place = numbers.index(columns + 1)
    synapses = np.zeros((len(numbers), SIZE, SIZE), bool)
    synapses[place, 0, 0] = True
    alpha = np.full((len(numbers), SIZE), (1 << 18) - 1)
    alpha[place, 0] = 1
    connected = np.zeros_like(alpha, bool)
    connected[place, 0] = True
    values = {"weight": 1, "alpha": alpha, "dx": dx, "dy": dy, "axon": 1, "delay": 1}
    image = image_of(build_cores(numbers, synapses, values, connected), host=[(place, 0, 0)], chip=chip)
    return ran(boot(pack(image)), [(tick, 0) for tick in range(10)], 12)


def test_a_spike_is_a_packet_that_goes_x_first_and_counts_its_hops() -> None:
    totals = meter_of(relay(5, -1)).totals()
    assert (totals["spikes"], totals["packets"], totals["input_spikes"]) == (10, 10, 10)
    assert (totals["hops_east_west"], totals["hops_north_south"], totals["chip_crossings"]) == (50, 10, 0)
    assert (totals["synaptic_events"], totals["axon_events"]) == (10, 20)
    assert totals["neuron_updates"] == 2 * SIZE * 12


def test_borders_between_tiled_chips_are_counted() -> None:
    chip = changed(mesh_columns=2, mesh_rows=2, chip_columns=3, chip_rows=2, cores=24)
    assert meter_of(relay(4, 1, chip)).totals()["chip_crossings"] == 10 * (2 + 1)


def test_what_a_core_sends_and_receives_is_told_per_core() -> None:
    per_core = meter_of(relay(3, 0)).per_core()
    assert per_core["packets_out"].tolist() == [10, 0] and per_core["packets_in"].tolist() == [0, 10]
    assert per_core["spikes"].tolist() == [10, 0] and per_core["synaptic_events"].tolist() == [10, 0]


def test_what_the_mesh_carried_is_reported() -> None:
    network = FAMILY.costs(relay(3, 2), 1).network
    assert (network["messages"], network["hops"], network["diameter_hops"]) == (10, 50, 5)
    assert {link["packets"] for link in network["links"]} == {10}


def test_energy_is_static_plus_marginal_and_the_quoted_figure_stands_apart() -> None:
    booted = relay(5, -1)
    first, second = FAMILY.costs(booted, 1).sets
    assert (first.name, second.name) == ("static_marginal", "amortised_26pj")
    lines = {line.name: line for line in first.energy_lines}
    assert lines["static"].value_j == pytest.approx(64.43e-3 * 12e-3)
    assert lines["synaptic events"].value_j == pytest.approx(10 * 1.518e-12)
    assert lines["hops"].value_j == pytest.approx(60 * 2.3e-12)
    total = 64.43e-3 * 12e-3 + 10 * 1.518e-12 + 60 * 2.3e-12
    assert first.energy.value == pytest.approx(total)
    assert first.energy.low < first.energy.value < first.energy.high
    assert second.energy.value == pytest.approx(10 * 26e-12)
    assert {line.name: line.value_j for line in second.energy_lines}["static"] is None


def test_static_power_is_paid_for_every_chip() -> None:
    chip = changed(chip_columns=4, chip_rows=4, cores=16 * 4096)
    line = FAMILY.costs(relay(70, 1, chip), 1).sets[0].energy_lines[0]
    assert line.value_j == pytest.approx(16 * 64.43e-3 * 12e-3) and line.formula.startswith("16 x 64.43 mW")


def test_a_tick_is_a_millisecond_and_the_busiest_core_is_named() -> None:
    rng = np.random.default_rng(2)
    image = image_of(random_cores(rng, 3, 0.5), chip=CHIP)
    booted = ran(
        boot(pack(image)), random_inputs(rng, 3 * SIZE, 8, 0.3) + [(3, SIZE + axon) for axon in range(SIZE)], 8
    )
    report = FAMILY.costs(booted, 1).sets[0]
    assert report.time.value == pytest.approx(8e-3) and report.tick_time_s.tolist() == [1e-3] * 8
    assert report.busiest_core[3] == 1
    said = report.time_lines[1].formula
    events = int(np.unpackbits(image.cores.crossbar[1]).sum())
    assert f"{events:,} synaptic events on core 1 in tick 3, 14,160 are shown to fit" in said
    assert "1 core ticks exceed what is shown to fit 1 ms" in said
    assert meter_of(booted).totals()["core_ticks_over_shown_load"] == 1
    assert report.limit is not None and report.time_band_known and report.time.low == report.time.high
    name, text = report.limit
    share = f"core 1 has {events / 14160:.1%} of the 14,160 synaptic events that a core is shown to serve in 1 ms"
    assert (name, text) == ("core load", f"{share} in its busiest tick ({events:,} in tick 3)")


def test_potentials_that_left_their_range_are_told_by_core() -> None:
    columns = {"weight": np.full((2, SIZE, 4), 255), "gamma": 2, "alpha": (1 << 18) - 1}
    image = image_of(build_cores([3, 70], np.ones((2, SIZE, SIZE), bool), columns), chip=CHIP)
    booted = ran(boot_image(image), [(tick, SIZE + axon) for tick in range(12) for axon in range(SIZE)], 12)
    report = FAMILY.costs(booted, 1)
    assert report.saturated == (("core 70", report.counters["membrane_saturations"]),) and report.saturated[0][1] > SIZE


def changed_tick(tick: str) -> Any:
    data = CHIP.to_dict()
    data["timing"]["tick"]["value"] = tick
    return ChipSpec.from_dict(data)


def busy(chip: Any, busy_ticks: dict[int, int]) -> TrueNorthBooted:
    """Cores 0 and 5 of full crossbars; in each of these ticks core 5 serves that many axons, nothing else happens."""
    values = {"weight": 0, "alpha": (1 << 18) - 1}
    synapses = np.ones((2, SIZE, SIZE), bool)
    host = [(1, axon, 0) for axon in range(SIZE)]
    image = image_of(build_cores([0, 5], synapses, values, np.zeros((2, SIZE), bool)), host=host, chip=chip)
    inputs = [(tick, axon) for tick, axons in busy_ticks.items() for axon in range(axons)]
    return ran(boot(pack(image)), inputs, 40)


def test_core_ticks_beyond_the_shown_load_are_named_by_core_and_tick() -> None:
    findings = FAMILY.costs(busy(CHIP, {3: 55, 9: 56, 31: 256}), 1).findings
    assert [(finding.code, finding.severity, finding.where) for finding in findings] == [
        ("NE3690", "warning", ""),
        ("NE3690", "warning", "core 5, tick 9"),
        ("NE3690", "warning", "core 5, tick 31"),
    ]
    assert findings[0].message.startswith("in 2 of 40 ticks, 2 core ticks exceed 14,160 synaptic events")
    assert "14,336 synaptic events, 176 too many" in findings[1].message
    assert "65,536 synaptic events, 51,376 too many" in findings[2].message


def test_every_violation_is_counted_and_the_first_ones_are_named() -> None:
    booted = busy(CHIP, dict.fromkeys(range(5, 38), 100))
    total, *named = FAMILY.costs(booted, 1).findings
    assert (
        "in 33 of 40 ticks, 33 core ticks exceed" in total.message and "the first 10 are named below" in total.message
    )
    assert [finding.where for finding in named] == [f"core 5, tick {tick}" for tick in range(5, 15)]
    assert meter_of(booted).first_over[:, 0].tolist() == list(range(5, 25))


def test_a_run_within_the_shown_load_has_no_finding() -> None:
    assert FAMILY.costs(busy(CHIP, {3: 55}), 1).findings == ()


def test_a_shorter_tick_leaves_time_for_fewer_events() -> None:
    booted = busy(changed_tick("200 us"), {3: 11, 4: 12})
    assert CHIP.timing.core_load_limit == 14160 and meter_of(booted).core_load_limit == 2832
    total, first = FAMILY.costs(booted, 1).findings
    assert "2,832 synaptic events, the most that a core is shown to serve in 200 µs" in total.message
    assert first.where == "core 5, tick 4"


def test_a_tick_shorter_than_any_published_one_is_told() -> None:
    (finding,) = FAMILY.costs(busy(changed_tick("40 us"), {}), 1).findings
    assert (finding.code, finding.severity) == ("NE3691", "warning") and "47.6 µs" in finding.message


def test_at_another_tick_static_power_is_known_less_well() -> None:
    lines = {tick: FAMILY.costs(busy(changed_tick(tick), {}), 1).sets[0].energy_lines[0] for tick in ("1 ms", "500 us")}
    fast, slow = lines["500 us"], lines["1 ms"]
    assert fast.value_j == pytest.approx(slow.value_j / 2) and fast.low_j == pytest.approx(slow.low_j / 2)
    assert fast.high_j == pytest.approx(slow.high_j)
    assert "timing.reference_tick" in fast.constants and "timing.reference_tick" not in slow.constants


def test_static_power_goes_with_the_cube_and_events_with_the_square_of_the_supply() -> None:
    booted = relay(5, -1)
    lines = {
        volts: {
            line.name: line
            for line in FAMILY.costs(replace(booted, chip=at_supply(CHIP, volts)), 1).sets[0].energy_lines
        }
        for volts in (0.8, 1.0)
    }
    assert lines[1.0]["static"].value_j == pytest.approx(lines[0.8]["static"].value_j * 1.25**3)
    for name in ("synaptic events", "hops"):
        assert lines[1.0][name].value_j == pytest.approx(lines[0.8][name].value_j * 1.25**2)
        assert lines[1.0][name].formula.endswith("x (1 V / 0.8 V)^2")
    assert lines[1.0]["static"].formula.endswith("x (1 V / 0.8 V)^3") and "V" not in lines[0.8]["static"].formula


def test_pads_keep_their_own_voltage() -> None:
    chip = changed(mesh_columns=2, mesh_rows=2, chip_columns=3, chip_rows=2, cores=24)
    booted = relay(4, 1, chip)
    (line,) = (
        line
        for line in FAMILY.costs(replace(booted, chip=at_supply(chip, 1.0)), 1).sets[0].energy_lines
        if line.name == "chip crossings"
    )
    assert line.value_j == pytest.approx(30 * 780e-12) and "V" not in line.formula


def test_the_quoted_figure_is_never_scaled() -> None:
    quoted = FAMILY.costs(replace(relay(5, -1), chip=at_supply(CHIP, 1.0)), 1).sets[1]
    assert quoted.energy.value == pytest.approx(10 * 26e-12)


@pytest.mark.parametrize("volts", [0.69, 1.06])
def test_no_voltage_is_taken_beyond_the_published_ones(volts: float) -> None:
    with pytest.raises(BadInput, match="NE2037"):
        at_supply(CHIP, volts)


def test_a_supply_needs_a_voltage_and_a_scaling() -> None:
    data = CHIP.to_dict()
    del data["cost_sets"]["static_marginal"]["scaling"]
    with pytest.raises(BadInput, match="NE2033"):
        ChipSpec.from_dict(data)


def test_nothing_ran_nothing_is_said() -> None:
    report = FAMILY.costs(boot(pack(image_of(random_cores(np.random.default_rng(1), 1, 0.1), chip=CHIP))), 0)
    assert report.sets[0].bound == "nothing ran" and report.sets[0].energy is None
    assert report.counters["spikes"] == 0


def test_counters_go_on_from_a_snapshot() -> None:
    rng = np.random.default_rng(3)
    image = image_of(random_cores(rng, 3, 0.3, 0.3), chip=CHIP)
    inputs = random_inputs(rng, 3 * SIZE, 9, 0.05)
    whole = ran(boot_image(image), inputs, 9)
    first, second = boot_image(image), boot_image(image, threads=2)
    half = [entry for entry in inputs if entry[0] < 4]
    ran(first, half, 4)
    second.engine.restore(first.engine.snapshot())
    second.meter.restore(first.meter.snapshot())
    rest = np.array(sorted(entry for entry in inputs if entry[0] >= 4), np.int64)
    start = np.searchsorted(rest[:, 0], np.arange(4, 10)).astype(np.int64)
    second.meter.observe(
        second.engine.advance(4, 9, 1 << 62, start, rest[:, 1].astype(np.int32), np.zeros(0, np.int64))
    )
    assert meter_of(second).totals() == meter_of(whole).totals()
    for name, array in meter_of(whole).snapshot().items():
        assert np.array_equal(meter_of(second).snapshot()[name], array)
    with pytest.raises(BadInput, match="NE6020"):
        second.meter.restore({})


def test_a_meter_that_keeps_no_ticks_counts_and_warns_as_well() -> None:
    data = CHIP.to_dict()
    data["timing"]["core_load_shown"]["value"] = 300
    rng = np.random.default_rng(3)
    image = image_of(random_cores(rng, 3, 0.3, 0.3), chip=ChipSpec.from_dict(data))
    inputs = random_inputs(rng, 3 * SIZE, 9, 0.05)
    kept, totals = (ran(boot_image(image, per_tick=per_tick), inputs, 9) for per_tick in (True, False))
    assert meter_of(kept).totals() == meter_of(totals).totals()
    assert meter_of(kept).totals()["core_ticks_over_shown_load"] == int(meter_of(kept).cores_over_load.sum()) > 5
    assert meter_of(kept).ticks_over == int((meter_of(kept).cores_over_load > 0).sum())
    told = [FAMILY.costs(booted, 1) for booted in (kept, totals)]
    assert told[0].findings == told[1].findings != ()
    assert [len(report.sets[0].time_lines) for report in told] == [2, 1]
    assert told[0].sets[0].energy == told[1].sets[0].energy


def test_the_band_of_the_energy_comes_from_published_powers() -> None:
    low, high = CHIP.validation.error_band("static_marginal", "energy")
    assert (low, high) == (-0.107, 0.209)
    estimate = FAMILY.costs(relay(1, 0), 1).sets[0].energy
    assert estimate.low == pytest.approx(estimate.value / 1.209)
    assert estimate.high == pytest.approx(estimate.value / 0.893)
    assert CHIP.validation.error_band("amortised_26pj", "energy") is None
