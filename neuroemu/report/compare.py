"""One network on several chips, side by side in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from neuroemu.errors import Finding
from neuroemu.report import headline
from neuroemu.report.figures import UNKNOWN, count, percent, plain, quantity, ratio, words
from neuroemu.report.terminal import STYLE_OF_TONE, columns, print_findings, readable

if TYPE_CHECKING:
    from rich.console import Console

    from neuroemu.report.shape import CostSet, ReportDocument


def render(reports: Sequence[ReportDocument], console: Console) -> None:
    """Print one column per report; the best known value of a row is bold where one is better than another.

    Reports of different networks or inputs are still shown, with a note that says so.
    """
    if not reports:
        return
    first = reports[0]
    console.print(readable(first["network"]["name"], console, "bold"))
    table = columns(console, "", *_headings(reports))
    verdicts = [headline.verdict(report) for report in reports]
    words_of_verdicts = [readable(verdict.word, console, STYLE_OF_TONE[verdict.tone]) for verdict in verdicts]
    table.add_row(readable("verdict", console), *words_of_verdicts)
    for label, texts, values, best in _rows(reports):
        known = [value for value in values if value is not None]
        distinct = len(set(known)) > 1
        target = best(known) if best is not None and distinct else None
        cells = [
            readable(text, console, "bold" if target is not None and value == target else "")
            for text, value in zip(texts, values, strict=True)
        ]
        table.add_row(readable(label, console), *cells)
    console.print(table)
    if _differ(reports):
        note = Finding(
            "NE8004",
            "the reports are not of the same network and input: their differences are not the chips' alone",
            fixes=("compare deployments of one network with one input file",),
            severity="note",
        )
        print_findings([note], console)


Row = tuple[str, list[str], list[float | None], Callable[[list[float]], float] | None]


def _rows(reports: Sequence[ReportDocument]) -> list[Row]:
    """Label, texts, values, and which value is best (None: no value is)."""
    sets = [headline.default_set(report) for report in reports]
    inferences = [headline.inferences(report) for report in reports]
    accuracy = [report["accuracy"]["chip"] if report["accuracy"] else None for report in reports]
    losses = [_loss(report) for report in reports]
    ticks = [headline.ticks_per_inference(report) for report in reports]
    rows: list[Row] = [
        ("cores", [_cores(report) for report in reports], [None] * len(reports), None),
        ("set by", [_binding(report) for report in reports], [None] * len(reports), None),
        ("accuracy", [percent(value) for value in accuracy], accuracy, max),
        ("loss against float", [_points(value) for value in losses], losses, min),
        ("ticks per inference", [plain(value) for value in ticks], ticks, min),
        ("cost set", [cost_set["name"] if cost_set else UNKNOWN for cost_set in sets], [None] * len(reports), None),
        _figure("time per inference", [cost_set and cost_set["time"]["per_inference_s"] for cost_set in sets], "s"),
        ("  band", [_time_band(cost_set) for cost_set in sets], [None] * len(reports), None),
        _figure("energy per inference", [cost_set and cost_set["energy"]["per_inference_j"] for cost_set in sets], "J"),
        ("  band", [_energy_band(cost_set) for cost_set in sets], [None] * len(reports), None),
    ]
    parts = [
        {part.group: part for part in headline.energy_parts(cost_set, number)} if cost_set else {}
        for cost_set, number in zip(sets, inferences, strict=True)
    ]
    for group in (*headline.CHIP_GROUPS, *headline.APART_GROUPS):
        if any(group in of_report for of_report in parts):
            outside = ", not in it" if group in headline.APART_GROUPS else ""
            texts = [headline.part_text(of_report.get(group)) for of_report in parts]
            rows.append((f"  {headline.GROUP_TITLES[group]}{outside}", texts, [None] * len(reports), None))
    limits = [report["limit"]["name"] if report["limit"] else UNKNOWN for report in reports]
    rows.append(("limit", limits, [None] * len(reports), None))
    return rows


def _figure(label: str, values: list[float | None], unit: str) -> Row:
    return label, [quantity(value, unit) for value in values], values, min


def _headings(reports: Sequence[ReportDocument]) -> list[str]:
    """Chip names; with the version of the network where it differs too."""
    networks = {report["network"]["name"] for report in reports}
    if len(networks) == 1:
        return [report["chip"]["name"] for report in reports]
    return [f"{report['chip']['name']} ({report['network']['name']})" for report in reports]


def _cores(report: ReportDocument) -> str:
    mapping, total = report["mapping"], report["chip"]["cores"]
    return UNKNOWN if mapping is None else f"{count(mapping['cores_used'])} of {count(total)}"


def _binding(report: ReportDocument) -> str:
    mapping = report["mapping"]
    return words(mapping["binding_resource"]) if mapping and mapping["binding_resource"] else UNKNOWN


def _loss(report: ReportDocument) -> float | None:
    accuracy = report["accuracy"]
    if accuracy is None or accuracy["chip"] is None or accuracy["float"] is None:
        return None
    return round(accuracy["float"] - accuracy["chip"], 9)


def _points(loss: float | None) -> str:
    return UNKNOWN if loss is None else f"{100.0 * loss:.1f} points"


def _time_band(cost_set: CostSet | None) -> str:
    return headline.time_band(cost_set["time"]) if cost_set else UNKNOWN


def _energy_band(cost_set: CostSet | None) -> str:
    if cost_set is None:
        return UNKNOWN
    energy = cost_set["energy"]
    return headline.band_of(energy["per_inference_low_j"], energy["per_inference_high_j"], "J")


def _differ(reports: Sequence[ReportDocument]) -> bool:
    """Whether network or input differ between reports."""
    kinds = set()
    for report in reports:
        network, run = report["network"], report["run"]
        inputs = ratio(run["ticks_per_sample"], 1) if run else None
        kinds.add((network["name"], network["neurons"], network["synapses"], run["samples"] if run else None, inputs))
    return len(kinds) > 1
