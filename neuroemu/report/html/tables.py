"""Rows of the report's tables, as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neuroemu.report.figures import THIN, UNKNOWN, band, count, percent, plain, quantity, ratio, words
from neuroemu.report.findings import SEVERITIES, ordered

if TYPE_CHECKING:
    from neuroemu.errors import Finding
    from neuroemu.report.shape import Accuracy, CostSet, Fidelity, Mapping, Quantisation, ReportDocument, RunSummary

DASH = "–"
"""Not applicable, as opposed to unknown."""
CONFIDENCE = {
    "V": "verified by running code",
    "T": "transcribed from the paper",
    "S": "read in source code",
    "R": "recalled",
}
"""What the confidence marks of chip files mean."""


@dataclass(frozen=True)
class ShareRow:
    """A label with a bar of ``share`` (0 to 1) and its text."""

    name: str
    share: float | None
    text: str
    tone: str = ""
    detail: str = ""


@dataclass(frozen=True)
class QuantisationRow:
    """One population's rounding."""

    population: str
    scale: str
    weights: str
    error_max: str
    error_rms: str
    error_share: float | None
    clipped: str
    clipped_any: bool
    threshold: str
    threshold_error: str
    tau_membrane: str
    tau_current: str
    bias_error: str


@dataclass(frozen=True)
class FidelityRow:
    """One population in float, quantised float and on the chip."""

    population: str
    spikes: tuple[ShareRow, ...]
    difference: str
    float_chip: str
    float_chip_title: str
    quantised_chip: str
    quantised_chip_title: str
    first: str
    first_title: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class CostRow:
    """One line of an energy or time table."""

    name: str
    group: str
    per_inference: str
    band: str
    total: str
    formula: str
    constants: tuple[tuple[str, str], ...]
    """Key and anchor of each constant; the anchor is empty when the set does not list it."""


@dataclass(frozen=True)
class ConstantRow:
    """One constant and its origin."""

    anchor: str
    key: str
    text: str
    kind: str
    confidence: str
    source: str
    source_text: str
    source_number: int
    link: str


def accuracy_rows(accuracy: Accuracy) -> tuple[ShareRow, ...]:
    """Float, quantised float, chip, and how often chip and float agree."""
    rows = [
        ("float network", accuracy["float"], "reference"),
        ("float, rounded as on the chip", accuracy["quantised_float"], "reference"),
        ("chip", accuracy["chip"], "chip"),
        ("same answer, chip and float", accuracy["agreement_with_float"], "agreement"),
    ]
    return tuple(ShareRow(name, share, percent(share), tone) for name, share, tone in rows)


def quantisation_rows(rows: list[Quantisation]) -> tuple[QuantisationRow, ...]:
    """One row per population; bars relative to the largest weight error of the network."""
    largest = max((row["weight_error_max"] or 0.0 for row in rows), default=0.0)
    return tuple(_quantisation_row(row, largest) for row in rows)


def remarks(rows: list[Quantisation]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Every remark once, with the populations it holds for."""
    populations: dict[str, list[str]] = {}
    for row in rows:
        for remark in row["remarks"]:
            populations.setdefault(remark, []).append(row["population"])
    return tuple((remark, tuple(names)) for remark, names in populations.items())


def fidelity_rows(rows: list[Fidelity]) -> tuple[FidelityRow, ...]:
    """One row per population; spike bars relative to the largest of the three."""
    return tuple(_fidelity_row(row) for row in rows)


def rate_rows(run: RunSummary) -> tuple[ShareRow, ...]:
    """Spikes per neuron and tick, per population; bars relative to the liveliest."""
    rates = [row["rate_per_tick"] for row in run["populations"]]
    largest = max((rate for rate in rates if rate is not None), default=0.0)
    return tuple(
        ShareRow(
            name=row["name"],
            share=ratio(row["rate_per_tick"], largest),
            text=plain(row["rate_per_tick"]),
            detail=f"{count(row['spikes'])} spikes",
        )
        for row in run["populations"]
    )


def counter_rows(run: RunSummary) -> tuple[tuple[str, str], ...]:
    """Samples, ticks and the chip's counters over the whole run."""
    first = {"samples": run["samples"], "ticks": run["total_ticks"]}
    return tuple((words(name), count(value)) for name, value in (first | run["counters"]).items())


def mapping_facts(mapping: Mapping) -> tuple[tuple[str, str], ...]:
    """Algorithms and results of the mapping."""
    return (
        ("partitioner", mapping["partitioner"] or "as the program file says"),
        ("placer", mapping["placer"] or "as the program file says"),
        ("router", mapping["router"]),
        ("cores used", count(mapping["cores_used"])),
        ("lower bound", count(mapping["cores_lower_bound"])),
        ("binding resource", words(mapping["binding_resource"] or UNKNOWN)),
        ("packets", count(mapping["messages"])),
        ("hops", count(mapping["hops"])),
        ("hops per packet", DASH if mapping["messages"] == 0 else plain(ratio(mapping["hops"], mapping["messages"]))),
        (
            "busiest link",
            f"{count(mapping['max_link_load'])} packets" if mapping["max_link_load"] is not None else UNKNOWN,
        ),
        (
            "longest route",
            f"{count(mapping['diameter_hops'])} hop{'s' * (mapping['diameter_hops'] != 1)}"
            if mapping["diameter_hops"] is not None
            else UNKNOWN,
        ),
    )


def energy_rows(cost_set: CostSet, position: int, inferences: float | None) -> tuple[CostRow, ...]:
    """Lines of the energy table of the cost set at ``position``."""
    anchors = _anchors(cost_set, position)
    return tuple(
        CostRow(
            name=line["name"],
            group=line["group"],
            per_inference=quantity(ratio(line["value_j"], inferences), "J"),
            band=_band(ratio(line["low_j"], inferences), ratio(line["high_j"], inferences), "J"),
            total=quantity(line["value_j"], "J"),
            formula=line["formula"],
            constants=tuple((key, anchors.get(key, "")) for key in line["constants"]),
        )
        for line in cost_set["energy"]["lines"]
    )


def time_rows(cost_set: CostSet, position: int, inferences: float | None) -> tuple[CostRow, ...]:
    """Lines of the time table of the cost set at ``position``."""
    anchors = _anchors(cost_set, position)
    return tuple(
        CostRow(
            name=line["name"],
            group=f"t{index % 6}",
            per_inference=quantity(ratio(line["value_s"], inferences), "s"),
            band="",
            total=quantity(line["value_s"], "s"),
            formula=line["formula"],
            constants=tuple((key, anchors.get(key, "")) for key in line["constants"]),
        )
        for index, line in enumerate(cost_set["time"]["lines"])
    )


def time_shares(cost_set: CostSet) -> tuple[ShareRow, ...]:
    """Known time lines as shares of their sum, for a stacked bar."""
    lines = cost_set["time"]["lines"]
    total = sum(line["value_s"] or 0.0 for line in lines)
    return tuple(
        ShareRow(line["name"], (line["value_s"] or 0.0) / total, quantity(line["value_s"], "s"), f"t{index % 6}")
        for index, line in enumerate(lines)
        if total > 0 and line["value_s"]
    )


def constant_rows(cost_set: CostSet, position: int) -> tuple[ConstantRow, ...]:
    """Constants with their sources; only https links become links."""
    anchors = _anchors(cost_set, position)
    numbers = {text: number for number, text in enumerate(sources_of(cost_set), start=1)}
    return tuple(
        ConstantRow(
            anchor=anchors[constant["key"]],
            key=constant["key"],
            text=constant["text"],
            kind=constant["kind"],
            confidence=CONFIDENCE.get(constant["confidence"] or "", constant["confidence"] or UNKNOWN),
            source=constant["source"],
            source_text=constant["source_text"],
            source_number=numbers.get(constant["source_text"], 0),
            link=constant["source"] if constant["source"].startswith("https://") else "",
        )
        for constant in cost_set["constants"]
    )


def sources_of(cost_set: CostSet) -> tuple[str, ...]:
    """Full texts of the sources of a cost set, each once, in order of appearance."""
    return tuple(dict.fromkeys(row["source_text"] for row in cost_set["constants"] if row["source_text"]))


def findings_by_severity(report: ReportDocument) -> dict[str, list[Finding]]:
    """Severity -> findings; what several populations share stands once."""
    found = ordered(report["findings"])
    return {severity: [finding for finding in found if finding.severity == severity] for severity in SEVERITIES}


def _anchors(cost_set: CostSet, position: int) -> dict[str, str]:
    return {constant["key"]: f"constant-{position}-{row}" for row, constant in enumerate(cost_set["constants"])}


def _band(low: float | None, high: float | None, unit: str) -> str:
    return UNKNOWN if low is None or high is None else band(low, high, unit)


def _quantisation_row(row: Quantisation, largest: float) -> QuantisationRow:
    bits, exponent = row["weight_bits"], row["weight_exponent"]
    factor = "" if exponent in (None, 0) else f" × 2{_superscript(exponent or 0)}"
    return QuantisationRow(
        population=row["population"],
        scale=plain(row["scale"]),
        weights=UNKNOWN if bits is None else f"{bits} bit{factor}",
        error_max=percent(row["weight_error_max"], 2),
        error_rms=percent(row["weight_error_rms"], 2),
        error_share=ratio(row["weight_error_max"], largest),
        clipped=count(row["clipped_weights"]),
        clipped_any=bool(row["clipped_weights"]),
        threshold=f"{plain(row['threshold_float'])} → {plain(row['threshold_chip'])}",
        threshold_error=percent(row["threshold_error"], 2),
        tau_membrane=_change(row["tau_membrane_ticks"], row["tau_membrane_chip_ticks"]),
        tau_current=_change(row["tau_current_ticks"], row["tau_current_chip_ticks"]),
        bias_error=percent(row["bias_error_max"], 2),
    )


def _change(before: float | None, after: float | None) -> str:
    """A time constant before and after rounding; a dash where there is none in either."""
    return DASH if before is None and after is None else f"{plain(before)} → {plain(after)}"


def _superscript(exponent: int) -> str:
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _fidelity_row(row: Fidelity) -> FidelityRow:
    named = (
        ("float", row["spikes_float"], "reference"),
        ("quantised", row["spikes_quantised"], "quantised"),
        ("chip", row["spikes_chip"], "chip"),
    )
    largest = max(value or 0 for _, value, _ in named)
    first = row["first_divergence"]
    flags = [flag for flag, present in (("dead", row["dead"]), ("saturated", row["saturated"])) if present]
    same = row["differing_bins_float_chip"] == 0
    return FidelityRow(
        population=row["population"],
        spikes=tuple(ShareRow(name, ratio(value, largest), count(value), tone) for name, value, tone in named),
        difference=_difference(row["spikes_float"], row["spikes_chip"]),
        float_chip=percent(ratio(row["differing_bins_float_chip"], row["bins"]), 2),
        float_chip_title=f"{count(row['differing_bins_float_chip'])} of {count(row['bins'])} bins",
        quantised_chip=percent(ratio(row["differing_bins_quantised_chip"], row["bins"]), 2),
        quantised_chip_title=f"{count(row['differing_bins_quantised_chip'])} of {count(row['bins'])} bins",
        first=f"sample {first['sample']}, tick {first['tick']}, neuron {first['neuron']}"
        if first
        else "none"
        if same
        else UNKNOWN,
        first_title=f"float {plain(first['float'])}, chip {plain(first['chip'])}" if first else "",
        flags=tuple(flags),
    )


def _difference(reference: int | None, chip: int | None) -> str:
    if chip is None or reference is None:
        return UNKNOWN
    if reference == 0:
        return "±0" if chip == 0 else f"+{count(chip)}"
    change = chip / reference - 1.0
    sign = "+" if change > 0 else "−" if change < 0 else "±"
    size = percent(abs(change)) if abs(change) >= 0.001 else f"{plain(100.0 * abs(change), 1)}{THIN}%"
    return f"{sign}{size}"
