"""The report in a terminal, about one screen: the answer first, then layers, energy, cores and findings."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from neuroemu.report import headline
from neuroemu.report.figures import UNKNOWN, count, percent, plain, quantity, ratio, words
from neuroemu.report.findings import ordered

if TYPE_CHECKING:
    from rich.console import Console

    from neuroemu.errors import Finding
    from neuroemu.report.shape import CostSet, Fidelity, ReportDocument

STYLE_OF_TONE = {"good": "green", "warning": "yellow", "bad": "red", "open": "default"}
STYLE_OF_SEVERITY = {"error": "red", "warning": "yellow", "note": "dim"}
MOST_FINDINGS = 12
"""Findings shown; the rest is in report.json and report.html."""
NOTABLE_CHANGE = 0.1
"""Share of spikes by which a layer must differ from the float network to be pointed out."""
MOST_LAYERS = 24
"""Layers shown."""
_ASCII = str.maketrans({
    "–": "-", "−": "-", "µ": "u", "→": "->", "±": "+-", "τ": "tau", "×": "x", "…": "...", "⁻": "-", "≠": "!=",
})  # fmt: skip


def render(report: ReportDocument, console: Console) -> None:
    """Print the report. Its texts are untrusted: no markup is read from them and control characters are shown as �."""
    console.print(_title(report, console))
    console.print(_verdict(report, console))
    console.print(_figures(report, console))
    parts = (
        _layers(report, console),
        _first_difference(report, console),
        _activity(report, console),
        _costs(report, console),
        _unknown_bands(report, console),
        _cores(report, console),
    )
    for part in parts:
        if part is not None:
            console.print(part)
    if report["findings"]:
        console.print()
        print_findings(ordered(report["findings"]), console)


def readable(text: str, console: Console, style: str = "") -> Text:
    """Text fit for this terminal: ordinary spaces, no control characters, ASCII where the encoding has nothing else."""
    shown = "".join(
        " " if character in "\u202f\u00a0\n\t" else "\ufffd" if unicodedata.category(character)[0] == "C" else character
        for character in text
    )
    encoding = console.encoding or "ascii"
    if not encoding.lower().startswith("utf"):
        shown = shown.translate(_ASCII).encode(encoding, "replace").decode(encoding)
    return Text(shown, style="dim" if shown == UNKNOWN and not style else style)


def columns(console: Console, *names: str) -> Table:
    """An airy table: first column to the left, the others to the right."""
    table = Table(
        box=box.SIMPLE_HEAD if console.encoding.lower().startswith("utf") else box.ASCII2,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    for position, name in enumerate(names):
        table.add_column(readable(name, console), justify="right" if position else "left", overflow="fold")
    return table


def _title(report: ReportDocument, console: Console) -> Text:
    network = report["network"]
    origin = [network["file"] or "built in Python"]
    if network["dialect"]:
        origin.append(f"dialect {network['dialect']['name']} ({network['dialect']['origin']})")
    origin += [f"{count(network['neurons'])} neurons", f"{count(network['synapses'])} synapses"]
    title = readable(f"{network['name']} on {report['chip']['title']}", console, "bold")
    lines = [title, readable(", ".join(origin), console, "dim")]
    if network["dialect"] and network["dialect"]["reasons"]:
        lines.append(readable("; ".join(network["dialect"]["reasons"]), console, "dim"))
    return Text("\n").join(lines)


def _verdict(report: ReportDocument, console: Console) -> Panel:
    verdict = headline.verdict(report)
    style = STYLE_OF_TONE[verdict.tone]
    return Panel(
        readable(" ".join(verdict.sentences), console),
        title=readable(verdict.word, console, f"bold {style}"),
        title_align="left",
        border_style=style,
        box=box.ROUNDED if console.encoding.lower().startswith("utf") else box.ASCII,
    )


def _figures(report: ReportDocument, console: Console) -> Table:
    grid = Table.grid(padding=(0, 2))
    for figure in headline.key_figures(report):
        grid.add_row(
            readable(figure.label, console, "dim"),
            readable(figure.value, console, f"bold {STYLE_OF_TONE[figure.tone]}"),
            readable(", ".join(figure.details), console),
        )
    return grid


def _spike_change(layer: Fidelity) -> str:
    """By how much the layer fires more or less than in the float network, when that is more than a tenth."""
    share = ratio(layer["spikes_chip"], layer["spikes_float"])
    return "" if share is None or abs(share - 1) < NOTABLE_CHANGE else f"{share - 1:+.0%} spikes against float"


def _first_difference(report: ReportDocument, console: Console) -> Text | None:
    """Where chip and float network part first, in the first layer that differs."""
    for layer in report["fidelity"] or []:
        first = layer["first_divergence"]
        if first is not None:
            text = (
                f"First difference from float: {layer['population']}, sample {first['sample']}, tick {first['tick']}, "
                f"neuron {first['neuron']}: {first['float']} spikes in float, {first['chip']} on chip"
            )
            return readable(text, console, "dim")
    return None


def _layers(report: ReportDocument, console: Console) -> Table | None:
    rounding = {row["population"]: row for row in report["quantisation"] or []}
    fidelity = {row["population"]: row for row in report["fidelity"] or []}
    spikes = {row["name"]: row["spikes"] for row in (report["run"]["populations"] if report["run"] else [])}
    names = [
        row["name"] for row in report["network"]["populations"] if row["name"] in rounding or row["name"] in spikes
    ]
    if not names:
        return None
    table = columns(
        console, "Layer", "weights", "error rms", "clipped", "threshold", "membrane τ", "spikes", "bins ≠ float", ""
    )
    for name in names[:MOST_LAYERS]:
        rounded, faithful = rounding.get(name), fidelity.get(name)
        flags = [flag for flag in ("dead", "saturated") if faithful and faithful[flag]]
        if faithful and (change := _spike_change(faithful)):
            flags.append(change)
        differing = ratio(faithful["differing_bins_float_chip"], faithful["bins"]) if faithful else None
        cells = (
            ("", "", "", "", "")
            if rounded is None
            else (
                UNKNOWN if rounded["weight_bits"] is None else f"{rounded['weight_bits']} bit",
                percent(rounded["weight_error_rms"], 2),
                count(rounded["clipped_weights"]),
                plain(rounded["threshold_chip"]),
                "" if rounded["tau_membrane_ticks"] is None else plain(rounded["tau_membrane_chip_ticks"]),
            )
        )
        last = ("" if name not in spikes else count(spikes[name]), percent(differing, 2) if faithful else "")
        table.add_row(
            readable(name, console),
            *(readable(cell, console) for cell in (*cells, *last)),
            readable(", ".join(flags), console, "bold red" if "dead" in flags else "bold yellow"),
        )
    if len(names) > MOST_LAYERS:
        table.add_row(readable(f"{len(names) - MOST_LAYERS} more layers in report.json", console, "dim"))
    return table


def _activity(report: ReportDocument, console: Console) -> Text | None:
    run, inferences = report["run"], headline.inferences(report)
    if run is None:
        return None
    shown = [
        f"{count(ratio(run['counters'][key], inferences))} {words(key)}"
        for key in ("input_spikes", "spikes", "synaptic_events", "packets")
        if key in run["counters"]
    ]
    return readable(f"Per inference: {', '.join(shown)}", console) if shown else None


def _costs(report: ReportDocument, console: Console) -> Table | None:
    cost = report["cost"]
    if cost is None or not cost["sets"]:
        return None
    inferences = headline.inferences(report)
    table = columns(console, "Per inference", *(cost_set["name"] for cost_set in cost["sets"]))
    parts = [{part.group: part for part in headline.energy_parts(cost_set, inferences)} for cost_set in cost["sets"]]

    def add(label: str, values: list[str], style: str = "") -> None:
        table.add_row(readable(label, console, style), *(readable(value, console, style) for value in values))

    for group in (*headline.CHIP_GROUPS, *headline.APART_GROUPS):
        if not any(group in of_set for of_set in parts):
            continue
        if group in headline.CHIP_GROUPS:
            add(headline.GROUP_TITLES[group], [headline.part_text(of_set.get(group)) for of_set in parts])
    add("energy", [_energy(cost_set) for cost_set in cost["sets"]], "bold")
    for group in headline.APART_GROUPS:
        if any(group in of_set for of_set in parts):
            label = f"{headline.GROUP_TITLES[group]}, not in it"
            add(label, [headline.part_text(of_set.get(group)) for of_set in parts], "dim")
    add("time", [_time(cost_set) for cost_set in cost["sets"]], "bold")
    add("longest tick", [quantity(cost_set["time"]["per_tick_max_s"], "s") for cost_set in cost["sets"]])
    return table


def _unknown_bands(report: ReportDocument, console: Console) -> Text | None:
    """What is said of the energies of cost sets whose band is not known."""
    cost = report["cost"]
    sets = cost["sets"] if cost is not None else []
    lines = [f"{item['name']}: {item['band_text']}" for item in sets if _energy(item).endswith(f"(band {UNKNOWN})")]
    return Text("\n").join(readable(line, console, "dim") for line in lines) if lines else None


def _energy(cost_set: CostSet) -> str:
    energy = cost_set["energy"]
    interval = headline.band_of(energy["per_inference_low_j"], energy["per_inference_high_j"], "J")
    return _with_band(quantity(energy["per_inference_j"], "J"), interval)


def _time(cost_set: CostSet) -> str:
    time = cost_set["time"]
    return _with_band(quantity(time["per_inference_s"], "s"), headline.time_band(time))


def _with_band(value: str, interval: str) -> str:
    return (
        value if value == UNKNOWN else f"{value} (band {UNKNOWN})" if interval == UNKNOWN else f"{value} ({interval})"
    )


def _cores(report: ReportDocument, console: Console) -> Text | None:
    mapping = report["mapping"]
    if mapping is None or not mapping["cores"]:
        return None
    fullest = []
    for key, limit in mapping["limits"].items():
        used = [value for core in mapping["cores"] if (value := core["use"].get(key)) is not None]
        share = ratio(max(used), limit) if used else None
        if share is not None:
            fullest.append((share, f"{words(key)} {percent(share, 0)}"))
    fullest.sort(key=lambda item: (-item[0], item[1]))
    lines = [f"Fullest core: {', '.join(text for _, text in fullest[:5])}"] if fullest else []
    steps = ratio(mapping["hops"], mapping["messages"])
    mapper = [name for name in (mapping["partitioner"], mapping["placer"]) if name]
    mapped = f"Mapped by {', '.join([*mapper, mapping['router']])}" if mapper else "Mapped as the program file says"
    packets = f"{count(mapping['messages'])} packets between cores"
    lines.append(f"{mapped}: {packets}" + ("" if steps is None else f", hops per packet {plain(steps)}"))
    return Text("\n").join(readable(line, console) for line in lines)


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """One line per finding and one per fix; beyond :data:`MOST_FINDINGS` only their number."""
    for finding in findings[:MOST_FINDINGS]:
        place = f"{finding.where}: " if finding.where else ""
        line = readable(f"{finding.severity} {finding.code} ", console, STYLE_OF_SEVERITY[finding.severity])
        console.print(line + readable(f"{place}{finding.message}", console, "none"), soft_wrap=True)
        for fix in finding.fixes:
            console.print(readable(f"    fix: {fix}", console, "dim"), soft_wrap=True)
    if len(findings) > MOST_FINDINGS:
        left = len(findings) - MOST_FINDINGS
        console.print(readable(f"and {left} more in report.html", console, "dim"))
