"""One self-contained HTML page from a report: no request leaves it, no script but our own runs in it."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from neuroemu.report import headline
from neuroemu.report.figures import count, percent, plain, quantity, ratio, short_count, words
from neuroemu.report.glossary import GLOSSARY
from neuroemu.report.html import tables
from neuroemu.report.html.core_map import LEVELS, core_map
from neuroemu.report.html.energy import energy_stacks, small_stack
from neuroemu.report.html.network_graph import network_graph
from neuroemu.report.html.raster import raster
from neuroemu.report.html.tick_time import tick_time
from neuroemu.report.html.utilisation import utilisation

if TYPE_CHECKING:
    from neuroemu.report.shape import CostSet, ReportDocument


SECTIONS = {
    "findings": "Findings",
    "network": "Network",
    "fidelity": "Fidelity",
    "quantisation": "Quantisation",
    "map": "Core map",
    "utilisation": "Utilisation",
    "activity": "Activity",
    "time": "Time",
    "energy": "Energy",
    "constants": "Constants",
    "glossary": "Glossary",
}
"""Anchor and title of every section, in order."""


def render(report: ReportDocument) -> str:
    """The report as one HTML document (UTF-8 text, everything inline).

    Every text of the report is untrusted and is escaped. A Content-Security-Policy admits no request and no script
    but the one shipped with the package, named by its SHA-256.
    """
    return _environment().get_template("page.html.j2").render(_context(report))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("neuroemu.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        count=count, percent=percent, plain=plain, quantity=quantity, short_count=short_count, words=words
    )
    environment.filters["time_band"] = headline.time_band
    return environment


def _asset(name: str) -> str:
    return files("neuroemu.report.html").joinpath("templates", name).read_text("utf-8").strip()


def _context(report: ReportDocument) -> dict[str, Any]:
    run, mapping, cost = report["run"], report["mapping"], report["cost"]
    number = headline.inferences(report)
    default = headline.default_set(report)
    plot, curve = raster(report), tick_time(run) if run else None
    script = _asset("page.js")
    context = {
        "report": report,
        "style": Markup(_asset("page.css")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "verdict": headline.verdict(report),
        "figures": headline.key_figures(report),
        "small_stack": small_stack(default, number) if default else (),
        "group_titles": headline.GROUP_TITLES,
        "findings": tables.findings_by_severity(report),
        "graph": network_graph(report["network"]),
        "accuracy": tables.accuracy_rows(report["accuracy"]) if report["accuracy"] else None,
        "fidelity": tables.fidelity_rows(report["fidelity"]) if report["fidelity"] else None,
        "quantisation": tables.quantisation_rows(report["quantisation"]) if report["quantisation"] else None,
        "remarks": tables.remarks(report["quantisation"] or []),
        "map": core_map(mapping) if mapping else None,
        "heat_levels": LEVELS,
        "mapping_facts": tables.mapping_facts(mapping) if mapping else (),
        "utilisation": utilisation(mapping) if mapping else None,
        "raster": plot,
        "raster_series": [{"name": lane.name, "values": lane.per_tick} for lane in plot.lanes] if plot else [],
        "rates": tables.rate_rows(run) if run else (),
        "counters": tables.counter_rows(run) if run else (),
        "tick_time": curve,
        "tick_time_series": curve.series if curve else [],
        "stacks": energy_stacks(cost, number) if cost else (),
        "cost_sets": [_cost_tables(cost_set, index, number) for index, cost_set in enumerate(cost["sets"])]
        if cost
        else (),
        "default_set": default,
        "ticks_per_inference": headline.ticks_per_inference(report),
        "glossary": GLOSSARY,
    }
    absent = _absent_sections(report, context)
    context["sections"] = {key: title for key, title in SECTIONS.items() if key not in absent}
    context["missing"] = [SECTIONS[key] for key in absent]
    return context


def _absent_sections(report: ReportDocument, context: dict[str, Any]) -> list[str]:
    """Sections without anything to show, since the work did not get that far."""
    contents = {
        "fidelity": context["accuracy"] or context["fidelity"] or report["run"],
        "quantisation": context["quantisation"],
        "map": context["map"],
        "utilisation": context["utilisation"],
        "activity": report["run"],
        "time": context["cost_sets"],
        "energy": context["stacks"],
        "constants": context["cost_sets"],
    }
    return [key for key, content in contents.items() if not content]


def _cost_tables(cost_set: CostSet, position: int, inferences: float | None) -> dict[str, Any]:
    return {
        "set": cost_set,
        "energy": tables.energy_rows(cost_set, position, inferences),
        "time": tables.time_rows(cost_set, position, inferences),
        "time_has_constants": any(line["constants"] for line in cost_set["time"]["lines"]),
        "time_shares": tables.time_shares(cost_set),
        "per_second": short_count(_rounded(ratio(1.0, cost_set["time"]["per_inference_s"]))),
        "constants": tables.constant_rows(cost_set, position),
        "sources": tables.sources_of(cost_set),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.3g}")
