"""Where the marks of the charts go, before any of it is drawn."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroemu.report.html.axis import whole_marks
from neuroemu.report.html.core_map import CELL, SMALL_CELL, core_map
from neuroemu.report.html.energy import energy_stacks, small_stack
from neuroemu.report.html.network_graph import MOST_POPULATIONS, network_graph
from neuroemu.report.html.raster import raster
from neuroemu.report.html.tables import (
    constant_rows,
    energy_rows,
    fidelity_rows,
    mapping_facts,
    quantisation_rows,
    remarks,
    time_shares,
)
from neuroemu.report.html.tick_time import tick_time
from neuroemu.report.html.utilisation import MOST_BARS, MOST_ROWS, utilisation

# ------------------------------------------------------------------ core map


def test_cores_of_a_tile_lie_inside_it_and_apart(conv: dict[str, Any]) -> None:
    drawn = core_map(conv["mapping"])
    assert drawn is not None and len(drawn.cells) == 60 and len(drawn.tiles) == 32
    assert len({(cell.x, cell.y) for cell in drawn.cells}) == 60
    first, tile = drawn.cells[0], drawn.tiles[0]
    assert tile.x < first.x and first.x + drawn.cell < tile.x + drawn.tile_width
    assert len(drawn.empty_cells) == 128 - 60


def test_the_hottest_core_has_the_highest_level_of_every_metric(conv: dict[str, Any]) -> None:
    drawn = core_map(conv["mapping"])
    assert drawn is not None
    for metric in drawn.metrics:
        values = [
            (core["activity"] | core["use"])[metric.key]  # every core of the sample has both
            for core in conv["mapping"]["cores"]
        ]
        assert metric.levels[values.index(max(values))] == "8"
    assert drawn.metrics[drawn.chosen].key == "synaptic_events"


def test_zero_and_unknown_have_levels_of_their_own(conv: dict[str, Any]) -> None:
    cores = conv["mapping"]["cores"]
    cores[0]["activity"]["spikes"] = 0
    cores[1]["activity"] = None
    drawn = core_map(conv["mapping"])
    assert drawn is not None
    spikes = next(metric for metric in drawn.metrics if metric.key == "spikes")
    assert spikes.levels[:2] == ("z", "u")


def test_cores_without_a_place_are_laid_out_in_order(unknown: dict[str, Any]) -> None:
    drawn = core_map(unknown["mapping"])
    assert drawn is not None and not drawn.wires and not drawn.axis
    assert len({(cell.x, cell.y) for cell in drawn.cells}) == 60
    assert {cell.level for cell in drawn.cells} == {"u"}


def test_a_large_mesh_has_small_cells(conv: dict[str, Any]) -> None:
    small = core_map(conv["mapping"])
    conv["mapping"]["mesh"] = {"columns": 64, "rows": 64, "cores_per_tile": 1}
    first, last = (conv["mapping"]["cores"][number] | {"x": place, "y": place} for number, place in ((0, 0), (1, 63)))
    conv["mapping"]["cores"] = [first, last]
    large = core_map(conv["mapping"])
    assert small is not None and large is not None
    assert (small.cell, large.cell) == (CELL, SMALL_CELL)
    assert (len(large.tiles), large.frame, small.frame) == (64 * 64, "", "")
    assert small.show_numbers and not large.show_numbers
    assert len(large.axis) <= 32


def test_of_a_large_mesh_the_part_in_use_is_shown_and_named(conv: dict[str, Any]) -> None:
    mapping = conv["mapping"] | {"mesh": {"columns": 64, "rows": 64, "cores_per_tile": 1}}
    places = ((62, 10), (63, 12))
    mapping["cores"] = [
        core | {"core": 64 * y + x, "x": x, "y": y} for core, (x, y) in zip(mapping["cores"], places, strict=False)
    ]
    mapping["links"] = [
        {"from": [62, 10], "to": [63, 10], "packets": 7},
        {"from": [63, 10], "to": [63, 11], "packets": 7},
    ]
    drawn = core_map(mapping)
    assert drawn is not None
    assert (drawn.cell, drawn.show_numbers, len(drawn.cells), len(drawn.tiles)) == (CELL, True, 2, 3 * 5)
    assert (
        drawn.frame
        == "Shown are columns 61 to 63 and rows 9 to 13 of the 64 x 64 cores of the mesh; all others are free"
    )
    assert [label.text for label in drawn.axis] == ["x 61", "62", "63", "y 9", "10", "11", "12", "13"]
    marks = [(cell.x, cell.y) for cell in drawn.cells] + [(wire.x1, wire.y1) for wire in drawn.wires]
    assert all(0 < x < drawn.width and 0 < y < drawn.height for x, y in marks)
    assert [cell.title.splitlines()[0] for cell in drawn.cells] == [
        "core 702 at tile (62, 10)",
        "core 831 at tile (63, 12)",
    ]
    mapping["links"][0] = {"from": [4, 10], "to": [5, 10], "packets": 7}
    wider = core_map(mapping)
    assert wider is not None and "columns 3 to 63" in wider.frame


def test_no_core_no_map(conv: dict[str, Any]) -> None:
    conv["mapping"]["cores"] = []
    assert core_map(conv["mapping"]) is None
    assert utilisation(conv["mapping"]) is None


def test_the_two_directions_of_a_link_do_not_cover_each_other(conv: dict[str, Any]) -> None:
    conv["mapping"]["links"] = [
        {"from": [0, 0], "to": [1, 0], "packets": 100},
        {"from": [1, 0], "to": [0, 0], "packets": 50},
        {"from": [0, 0], "to": [0, 1], "packets": 0},
    ]
    drawn = core_map(conv["mapping"])
    assert drawn is not None
    there, back = drawn.wires
    assert there.y1 == there.y2 and back.y1 == back.y2 and there.y1 != back.y1
    assert there.width > back.width
    assert "50 % of the busiest" in back.title.replace("\u202f", " ")


# ------------------------------------------------------------------ utilisation


def test_a_profile_falls_from_the_fullest_core(conv: dict[str, Any]) -> None:
    drawn = utilisation(conv["mapping"])
    assert drawn is not None
    for profile in drawn.profiles:
        heights = [bar.height for bar in profile.bars]
        assert heights == sorted(heights, reverse=True) and len(heights) == 60
    memory = next(profile for profile in drawn.profiles if profile.name == "synapse memory")
    assert memory.bars[0].full and not memory.bars[-1].full


def test_with_one_core_a_single_bar_replaces_the_profile(digits: dict[str, Any]) -> None:
    drawn = utilisation(digits["mapping"])
    assert drawn is not None
    assert drawn.profiles[0].single_share == pytest.approx(42 / 1024)


def test_many_cores_are_thinned_out_and_the_rest_is_named(conv: dict[str, Any]) -> None:
    core = conv["mapping"]["cores"][0]
    conv["mapping"]["cores"] = [{**core, "core": number} for number in range(4096)]
    drawn = utilisation(conv["mapping"])
    assert drawn is not None
    assert len(drawn.rows) == MOST_ROWS and drawn.left_out == 4096 - MOST_ROWS
    assert all(len(profile.bars) <= MOST_BARS for profile in drawn.profiles)


def test_a_resource_without_a_limit_is_shown_relative_to_the_fullest_core(conv: dict[str, Any]) -> None:
    conv["mapping"]["limits"]["compartments"] = None
    drawn = utilisation(conv["mapping"])
    assert drawn is not None
    profile = next(profile for profile in drawn.profiles if profile.name == "compartments")
    assert profile.relative and profile.bars[0].height == 100.0 and not profile.bars[0].full
    assert profile.limit == "unknown" and profile.fullest == "514"


# ------------------------------------------------------------------ raster and ticks


def test_every_spike_of_the_sample_has_a_stroke(digits: dict[str, Any]) -> None:
    drawn = raster(digits)
    assert drawn is not None
    for lane, recorded in zip(drawn.lanes, digits["run"]["raster"]["populations"], strict=True):
        assert lane.path.count("M") == len(recorded["events"]) == sum(lane.per_tick) == lane.spikes


def test_events_outside_the_lane_are_not_drawn(digits: dict[str, Any]) -> None:
    digits["run"]["raster"]["populations"][0]["events"] = [[0, 0], [-1, 0], [99, 0], [0, 64], [33, 63]]
    drawn = raster(digits)
    assert drawn is not None
    assert drawn.lanes[0].path.count("M") == 2


def test_a_truncated_lane_tells_where_it_ends(conv: dict[str, Any]) -> None:
    drawn = raster(conv)
    assert drawn is not None
    cut = {lane.name: lane.cut_at for lane in drawn.lanes}
    assert cut["input"] is None and cut["conv1"] is not None and 0 < cut["conv1"] < 100
    recorded = conv["run"]["raster"]["populations"][1]
    recorded["events"].reverse()
    again = raster(conv)
    assert again is not None and again.lanes[1].cut_at is None


def test_nothing_recorded_draws_nothing(refused: dict[str, Any], unknown: dict[str, Any]) -> None:
    assert raster(refused) is None
    assert raster(unknown) is None
    assert tick_time(unknown["run"]) is None


def test_the_curve_spans_all_ticks_and_stays_inside(conv: dict[str, Any]) -> None:
    drawn = tick_time(conv["run"])
    assert drawn is not None
    assert drawn.line.endswith("H125") and drawn.ticks == 125
    assert 0 < drawn.mean_at < 100
    assert sum(stretch.width for stretch in drawn.ribbon) == pytest.approx(100)
    assert all(len(one["values"]) == 125 for one in drawn.series)


def test_a_busiest_core_of_another_length_is_left_out(conv: dict[str, Any]) -> None:
    conv["run"]["busiest_core"] = [1, 2]
    drawn = tick_time(conv["run"])
    assert drawn is not None and drawn.ribbon == () and len(drawn.series) == 1


@given(st.floats(min_value=1e-9, max_value=10.0))
def test_time_marks_are_few_and_end_at_zero(longest: float) -> None:
    drawn = tick_time({"tick_time_s": [longest, longest / 2], "busiest_core": None})
    assert drawn is not None
    assert 4 <= len(drawn.marks_y) <= 6
    assert [drawn.marks_y[0].at, drawn.marks_y[-1].at] == [100.0, 0.0]
    assert drawn.marks_y[0].text == "0\u202fs"


@given(st.integers(min_value=1, max_value=100_000))
def test_tick_marks_are_few_whole_and_inside(length: int) -> None:
    marks = whole_marks(length)
    assert 1 <= len(marks) <= 11
    assert marks[0].text == "0"
    assert all(0 < mark.at < 100 for mark in marks)


# ------------------------------------------------------------------ energy and time


def test_the_whole_bar_ends_where_static_power_may_end(digits: dict[str, Any]) -> None:
    cost = digits["cost"]
    stacks = energy_stacks(cost, 100)
    for stack in stacks:
        assert stack.whole[-1].hatched and stack.whole[-1].group == "static"
        assert stack.whole[-1].x + stack.whole[-1].width <= 100.0 + 1e-9
        assert stack.span is not None and stack.span.low < (stack.span.value or 0) < stack.span.high <= 100.0 + 1e-9
    longest = max(stack.span.high for stack in stacks if stack.span)
    assert longest == pytest.approx(100.0)


def test_segments_follow_each_other(digits: dict[str, Any]) -> None:
    for stack in energy_stacks(digits["cost"], 100):
        for bar in (stack.whole, stack.dynamic):
            for left, right in itertools.pairwise(bar):
                assert right.x == pytest.approx(left.x + left.width)
    bar = small_stack(digits["cost"]["sets"][0], 100)
    assert bar[-1].x + bar[-1].width == pytest.approx(100.0)


def test_host_and_io_are_never_part_of_a_bar(digits: dict[str, Any]) -> None:
    for stack in energy_stacks(digits["cost"], 100):
        assert {segment.group for segment in (*stack.whole, *stack.dynamic)}.isdisjoint({"host", "io"})
        assert [entry.name for entry in stack.apart] == ["host", "I/O"]
        assert stack.apart[1].value == "unknown"


def test_unknown_energy_draws_no_bar(unknown: dict[str, Any]) -> None:
    for stack in energy_stacks(unknown["cost"], 20):
        assert stack.whole == () and stack.dynamic == () and stack.span is None
        assert stack.per_inference == "unknown" and stack.dynamic_text == "unknown"
    assert time_shares(unknown["cost"]["sets"][0]) == ()


def test_static_power_without_a_range_is_solid(digits: dict[str, Any]) -> None:
    line = digits["cost"]["sets"][0]["energy"]["lines"][0]
    line["low_j"] = line["high_j"] = None
    stack = energy_stacks(digits["cost"], 100)[0]
    assert not any(segment.hatched for segment in stack.whole)


def test_constants_of_a_line_point_at_their_rows(digits: dict[str, Any]) -> None:
    cost_set = digits["cost"]["sets"][0]
    cost_set["energy"]["lines"][0]["constants"].append("elsewhere")
    anchors = {row.key: row.anchor for row in constant_rows(cost_set, 0)}
    linked = dict(energy_rows(cost_set, 0, 100)[0].constants)
    assert linked["static_power_low"] == anchors["static_power_low"]
    assert linked["elsewhere"] == ""


@pytest.mark.parametrize(
    ("source", "linked"),
    [("https://example.org/a", True), ("http://example.org", False), ("javascript:alert(1)", False), ("D18", False)],
)
def test_only_https_sources_become_links(digits: dict[str, Any], source: str, linked: bool) -> None:
    digits["cost"]["sets"][0]["constants"][0]["source"] = source
    assert bool(constant_rows(digits["cost"]["sets"][0], 0)[0].link) is linked


# ------------------------------------------------------------------ network and tables


def test_feedback_runs_below_and_skips_run_above(conv: dict[str, Any]) -> None:
    skip = {**conv["network"]["projections"][0], "name": "skip", "source": "conv1", "target": "fc4"}
    conv["network"]["projections"].append(skip)
    drawn = network_graph(conv["network"])
    assert drawn is not None and len(drawn.nodes) == 6 and len(drawn.arrows) == 7
    feedback = next(arrow for arrow in drawn.arrows if arrow.feedback)
    above = next(arrow for arrow in drawn.arrows if arrow.title.startswith("skip"))
    assert above.label_y < drawn.node_y < drawn.node_y + drawn.node_height < feedback.label_y
    assert "delay 1 ticks" in feedback.title


def test_a_projection_to_nowhere_is_not_drawn(digits: dict[str, Any]) -> None:
    digits["network"]["projections"][0]["target"] = "gone"
    drawn = network_graph(digits["network"])
    assert drawn is not None and len(drawn.arrows) == 1


def test_large_and_empty_networks_are_left_to_the_tables(digits: dict[str, Any]) -> None:
    network = digits["network"]
    network["populations"] = network["populations"][:1] * (MOST_POPULATIONS + 1)
    assert network_graph(network) is None
    network["populations"] = []
    assert network_graph(network) is None


def test_long_names_are_shortened_in_the_drawing_only(digits: dict[str, Any]) -> None:
    digits["network"]["populations"][0]["name"] = "a_population_with_a_very_long_name"
    drawn = network_graph(digits["network"])
    assert drawn is not None
    assert drawn.nodes[0].name == "a_population_…"
    assert drawn.nodes[0].title.startswith("a_population_with_a_very_long_name")


def test_time_constants_that_do_not_exist_are_no_unknowns(digits: dict[str, Any]) -> None:
    hidden, output = quantisation_rows(digits["quantisation"])
    assert hidden.tau_membrane == "9.49 → 9.50" and hidden.tau_current == "–"
    assert output.tau_membrane == "9.49 → unknown"


def test_a_remark_on_several_populations_stands_once(conv: dict[str, Any]) -> None:
    conv["quantisation"][1]["remarks"] = ["soft reset replaced by hard reset", "slow"]
    assert remarks(conv["quantisation"]) == (
        ("soft reset replaced by hard reset", ("conv1", "conv2")),
        ("slow", ("conv2",)),
    )


def test_fidelity_tells_the_change_in_spikes_and_the_first_difference(conv: dict[str, Any]) -> None:
    rows = {row.population: row for row in fidelity_rows(conv["fidelity"])}
    assert rows["conv3"].difference.replace("\u202f", " ") == "−10.9 %"
    assert rows["fc4"].flags == ("dead",)
    assert rows["output"].quantised_chip == "unknown"
    assert rows["conv1"].first == "sample 0, tick 4, neuron 1021"


@pytest.mark.parametrize(
    ("float_", "chip", "text"),
    [(0, 0, "±0"), (0, 12, "+12"), (None, 3, "unknown"), (11_940, 11_936, "−0.03\u202f%"), (7, 7, "±0\u202f%")],
)
def test_changes_in_spikes_keep_their_size_and_sign(
    digits: dict[str, Any], float_: int | None, chip: int, text: str
) -> None:
    row = digits["fidelity"][0]
    row.update(spikes_float=float_, spikes_chip=chip, first_divergence=None, differing_bins_float_chip=0)
    told = fidelity_rows([row])[0]
    assert (told.difference, told.first) == (text, "none")


def test_without_packets_hops_per_packet_do_not_apply(digits: dict[str, Any]) -> None:
    digits["mapping"]["messages"] = 0
    assert dict(mapping_facts(digits["mapping"]))["hops per packet"] == "–"
    digits["mapping"]["messages"] = None
    assert dict(mapping_facts(digits["mapping"]))["hops per packet"] == "unknown"
