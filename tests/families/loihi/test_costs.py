"""Energy and time lines of a run: named, traceable, with bands from measurements, and unknown where unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroemu.cost.estimate import CostReport, EnergyLine, SetReport
from neuroemu.families.loihi.costs import cost_report
from neuroemu.families.loihi.image import KINDS
from neuroemu.families.loihi.packing import unpack
from neuroemu.families.loihi.timing import TrafficMeter
from neuroemu.machine import Run
from neuroemu.network.builder import NetworkBuilder
from neuroemu.network.neurons import cuba_lif, integrate_and_fire
from neuroemu.spec import ChipSpec, load_chip
from neuroemu.toolchain import Deployment, deploy
from tests.families.loihi.chips import SMALL, variant
from tests.families.loihi.test_timing import chunk, traffic

LOIHI1 = load_chip("loihi1")
DT = 1e-3


def report(chip: ChipSpec = LOIHI1, samples: int = 1, ticks: int = 4) -> CostReport:
    """Two cores on one tile, a spike in every tick."""
    table = traffic([(0, 1, 30, 0, 0, 0)], [0, 1])
    meter = TrafficMeter(table, np.array([5, 6]), chip.cost_sets, 1)
    meter.observe(chunk([(tick, 0) for tick in range(ticks)], 0, ticks, 0, np.ones((ticks, 2))))
    return cost_report(meter, chip, (8, 9), samples)


def line(cost_set: SetReport, name: str) -> EnergyLine:
    (found,) = (entry for entry in cost_set.energy_lines if entry.name.startswith(name))
    return found


def without(chip: Any, *fields: str) -> Any:
    """The chip with unknown static entries."""
    return chip.model_copy(update={"static": chip.static.model_copy(update=dict.fromkeys(fields))})


def test_both_cost_sets_are_reported_apart_the_published_one_first() -> None:
    sets = report().sets
    assert [cost_set.name for cost_set in sets] == ["davies2018", "sanafe2025"]
    for cost_set in sets:
        used = {constant for entry in cost_set.energy_lines for constant in entry.constants}
        known = {name for name, _ in LOIHI1.cost_sets[cost_set.name].energy.items()}
        assert {constant for constant in used if "." not in constant} <= known
        assert {f"energy.{constant}" for constant in known} <= set(cost_set.constants)


def test_static_energy_is_a_range_between_the_two_published_powers() -> None:
    published = report().sets[0]
    static = line(published, "static (kws_idle .. frady2020_static)")
    assert static.low_j == pytest.approx(29.7e-3 * published.time.low)
    assert static.high_j == pytest.approx(104.4e-3 * published.time.high)
    assert static.value_j == pytest.approx((29.7e-3 + 104.4e-3) / 2 * published.time.value)
    assert static.constants == ("static.kws_idle", "static.frady2020_static")


def test_every_sample_pays_for_its_reset_and_the_duration_of_a_reset_is_unknown() -> None:
    published = report(samples=3).sets[0]
    assert line(published, "state reset").value_j == pytest.approx(3 * 5.94e-6)
    (reset_time,) = (entry for entry in published.time_lines if "reset" in entry.name)
    assert reset_time.value_s is None and "not published" in reset_time.formula


def test_bands_turn_published_errors_into_a_range_of_the_truth() -> None:
    """An estimate 8.9 to 20 % too high means a truth of 1/1.2 of it up to the estimate itself."""
    published, calibrated = report().sets
    for name, low, high, cost_set in (
        ("synaptic operations", 1 / 1.2, 1.0, published),
        ("dense synapses", 1 / 1.71, 1 / 0.883, calibrated),
    ):
        entry = line(cost_set, name)
        assert entry.value_j is not None
        assert entry.low_j == pytest.approx(low * entry.value_j)
        assert entry.high_j == pytest.approx(high * entry.value_j)
    assert calibrated.time.low == pytest.approx(calibrated.time.value / 1.243)
    assert calibrated.time.high == pytest.approx(calibrated.time.value / 0.757)
    assert "no published comparison with silicon" in published.band_text
    assert "+8.9 .. +20 % on knn_frady2020" in published.band_text


def test_the_total_is_the_sum_of_the_lines_on_the_chip() -> None:
    for cost_set in report().sets:
        on_chip = [entry for entry in cost_set.energy_lines if entry.group not in ("host", "io")]
        assert cost_set.energy.value == pytest.approx(sum(entry.value_j or 0 for entry in on_chip))
        assert cost_set.energy.low <= cost_set.energy.value <= cost_set.energy.high


def test_the_host_and_its_traffic_stay_beside_the_chip() -> None:
    published = report().sets[0]
    host = line(published, "embedded x86")
    assert (host.group, host.value_j) == ("host", pytest.approx(65e-3 * published.time.value))
    injection = line(published, "spike injection")
    assert (injection.group, injection.value_j, injection.low_j, injection.formula) == (
        "io",
        None,
        None,
        "not published",
    )


def test_what_is_not_published_stays_unknown_and_is_never_zero() -> None:
    unknown = without(LOIHI1, "reset", "embedded_processors")
    unknown = unknown.model_copy(update={"static": unknown.static.model_copy(update={"power": {}})})
    published = report(unknown).sets[0]
    for name in ("static", "state reset", "embedded x86"):
        entry = line(published, name)
        assert (entry.value_j, entry.low_j, entry.high_j, entry.formula) == (None, None, None, "not published")
    assert not any(name.startswith("static.") for name in published.constants)
    dynamic = sum(
        entry.value_j or 0 for entry in published.energy_lines if entry.group in ("neuron", "synapse", "network")
    )
    assert published.energy.value == pytest.approx(dynamic)


def test_parts_of_the_time_add_up_and_the_longest_is_what_binds() -> None:
    for cost_set in report(ticks=7).sets:
        parts = {entry.name: entry.value_s for entry in cost_set.time_lines if entry.value_s is not None}
        assert sum(parts.values()) == pytest.approx(cost_set.time.value)
        assert cost_set.tick_time_s.shape == (7,)
        assert cost_set.bound == max(parts, key=lambda name: parts[name])
    assert [cost_set.bound for cost_set in report().sets] == ["barrier", "barrier"]


def test_a_run_of_no_ticks_costs_only_its_resets() -> None:
    nothing = report(ticks=0, samples=2)
    assert [cost_set.bound for cost_set in nothing.sets] == ["nothing ran"] * 2
    assert [cost_set.time.value for cost_set in nothing.sets] == [0.0, 0.0]
    assert nothing.sets[0].energy.value == pytest.approx(2 * 5.94e-6)


def test_activity_is_filed_under_the_physical_core() -> None:
    activity = report().core_activity
    assert activity[8] == {"spikes": 4, "synaptic_events": 0, "packets_in": 0, "packets_out": 4, "updates": 20}
    assert activity[9] == {"spikes": 0, "synaptic_events": 120, "packets_in": 4, "packets_out": 0, "updates": 24}


# ------------------------------------------------------------------------------------------------ a whole run, recounted


@pytest.fixture(scope="module")
def recorded_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Deployment, Run, np.ndarray]:
    """A network with a constant port, cut over several cores of a small chip."""
    chip = variant(tmp_path_factory.mktemp("chip"), **SMALL)
    rng = np.random.default_rng(3)
    builder = NetworkBuilder("recounted", dt_s=DT).input("in", (1, 6, 6))
    builder.population("maps", (3, 6, 6), integrate_and_fire(threshold=1.0))
    builder.population("hidden", (70,), cuba_lif(tau_syn_s=2 * DT, tau_mem_s=4 * DT, dt_s=DT, resistance=4.0))
    builder.conv2d("in", "maps", rng.normal(0.2, 0.4, (3, 1, 3, 3)), padding=(1, 1, 1, 1))
    builder.dense("maps", "hidden", rng.normal(0.05, 0.2, (70, 108)), bias=rng.normal(0.3, 0.3, 70))
    network = builder.dense("hidden", "hidden", rng.normal(0, 0.05, (70, 70)), delay_ticks=1).output("hidden").build()
    inputs = rng.integers(0, 2, (3, 11, 1, 6, 6)).astype(np.uint8)
    deployment = deploy(network, chip)
    return deployment, deployment.run(inputs), inputs


def test_counters_of_a_run_equal_a_recount_from_its_spikes_and_memories(
    recorded_run: tuple[Deployment, Run, np.ndarray],
) -> None:
    deployment, run, inputs = recorded_run
    image = unpack(deployment.compiled.program)
    position = {core.core: number for number, core in enumerate(image.cores)}
    fired: list[tuple[int, int, int]] = []  # (core or -1, core, axon, atom) of every packet
    packets: list[tuple[int, int, int, int]] = []

    def send(home: int, core: Any, axon: Any, atom: Any) -> None:
        packets.extend((home, int(c), int(a), int(k)) for c, a, k in zip(core, axon, atom, strict=True))

    for port in image.symbols.inputs:
        counts = np.full(1, 3 * 11) if port.constant else inputs.reshape(-1, 36).sum(axis=0)
        for number, count in enumerate(counts):
            route = slice(*image.host.route_start[port.first_source + number :][:2])
            for _ in range(int(count)):
                send(-1, image.host.core[route], image.host.axon[route], image.host.atom[route])
    for symbol in image.symbols.populations:
        for _, _, neuron in zip(*run.events(symbol.name), strict=True):
            core = image.cores[position[int(symbol.core[neuron])]]
            output = slice(*core.output_start[int(symbol.compartment[neuron]) :][:2])
            send(core.core, core.output_core[output], core.output_axon[output], core.output_atom[output])
            fired.append((core.core, 0, 0))
    events = dict.fromkeys(KINDS, 0)
    for _, number, axon, atom in packets:
        core = image.cores[position[number]]
        section = core.sections[int(core.axon_section[axon])]
        row = int(core.axon_list[axon]) + atom
        events[section.kind] += int(section.list_start[row + 1] - section.list_start[row])
    tiles = [(home // 4, number // 4) for home, number, _, _ in packets if home >= 0]
    counters = run.costs.counters
    assert counters["packets"] == len(packets)
    assert counters["host_packets"] == sum(home < 0 for home, *_ in packets)
    assert counters["spikes"] == len(fired) == run.recording.spike_tick.size
    assert counters["input_spikes"] == int(inputs.sum()) + 3 * 11
    assert counters["synaptic_events"] == sum(events.values())
    assert counters["hops_east_west"] == sum(abs(a // 4 - b // 4) for a, b in tiles)
    assert counters["hops_north_south"] == sum(abs(a % 4 - b % 4) for a, b in tiles)
    assert counters["compartment_updates"] == 178 * counters["ticks"]
    by_class = {entry.name: entry for entry in run.costs.sets[1].energy_lines}
    for kind, label in zip(KINDS, ("dense", "sparse", "conv"), strict=True):
        joules = events[kind] * float(run.booted.chip.cost_sets["sanafe2025"].energy[f"synapse_{label}"].value)  # type: ignore[attr-defined]
        assert by_class[f"{label} synapses"].value_j == pytest.approx(joules)


def test_what_the_mesh_carried_is_what_travelled_between_cores(
    recorded_run: tuple[Deployment, Run, np.ndarray],
) -> None:
    _, run, _ = recorded_run
    network, counters = run.costs.network, run.costs.counters
    assert network["hops"] == counters["hops_east_west"] + counters["hops_north_south"]
    assert network["messages"] <= counters["packets"] - counters["host_packets"]
    assert sum(row["packets"] for row in network["links"]) == network["hops"]
    assert network["max_link_load"] == max(row["packets"] for row in network["links"])
    activity = run.costs.core_activity
    for key, total in (("spikes", "spikes"), ("synaptic_events", "synaptic_events"), ("packets_in", "packets")):
        assert sum(row[key] for row in activity.values()) == counters[total]


def test_energy_is_computed_once_from_exact_counts_whatever_the_number_of_samples(
    recorded_run: tuple[Deployment, Run, np.ndarray],
) -> None:
    deployment, run, inputs = recorded_run
    again = deployment.machine.run(np.concatenate([inputs, inputs]))
    for once, twice in zip(run.costs.sets, again.costs.sets, strict=True):
        for one, two in zip(once.energy_lines, twice.energy_lines, strict=True):
            if one.group in ("neuron", "synapse", "network", "reset"):
                assert two.value_j == pytest.approx(2 * (one.value_j or 0), rel=1e-12)
