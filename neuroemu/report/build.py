"""Collects a deployment, its run and the comparison with the float network into one report document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from neuroemu import __version__
from neuroemu.cost.estimate import CostReport, SetReport
from neuroemu.errors import Finding
from neuroemu.families import Booted
from neuroemu.report.document import SCHEMA_ID, to_json

if TYPE_CHECKING:
    from neuroemu.machine import Run
    from neuroemu.report.shape import ReportDocument
    from neuroemu.toolchain import Fidelity

MOST_RASTER_EVENTS = 4000
MOST_TICKS_SHOWN = 2000
NEARLY_SILENT = 0.1
"""Share of the float network's spikes below which a population counts as nearly silent on the chip."""
MOST_SATURATED = 5
"""Places at which membranes saturated that are named one by one."""


@dataclass(frozen=True)
class Report:
    """A report document with its renderings; shows itself as HTML in a notebook."""

    document: dict[str, Any]

    def to_json(self) -> str:
        """``report.json``: stable text, equal reports give equal text."""
        return to_json(cast("ReportDocument", self.document))

    def html(self) -> str:
        """One self-contained page that works offline."""
        from neuroemu.report.html import render

        return render(cast("ReportDocument", self.document))

    def _repr_html_(self) -> str:
        return f'<iframe srcdoc="{escape(self.html(), quote=True)}" width="100%" height="900"></iframe>'


def build_report(
    *,
    chip: Any,
    network: Mapping[str, Any],
    mapping: Mapping[str, Any] | None,
    rounding: tuple[dict[str, Any], ...] | None,
    findings: tuple[Finding, ...],
    run: Run | None = None,
    fidelity: Fidelity | None = None,
    labels: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """The report document (``neuroemu.report/1``); parts that were not computed are None.

    Args:
        chip: the chip specification.
        network: the network section, from ``toolchain.network_section`` or :func:`symbols_section`.
        mapping: the mapping section of the family; None when only the program file is known.
        rounding: quantisation rows of the family.
        labels: int64 (samples,), for accuracy.
    """
    costs = None if run is None else run.costs
    everything = (
        *findings,
        *(() if run is None else _run_findings(run)),
        *(() if fidelity is None else _silent_layers(fidelity)),
    )
    document = {
        "schema": SCHEMA_ID,
        "version": __version__,
        "network": dict(network),
        "chip": {
            "name": chip.name,
            "title": chip.title,
            "family": chip.family,
            "cores": int(chip.structure.cores.value),
            "description": chip.description.strip(),
        },
        "findings": [finding.to_dict() for finding in everything],
        "quantisation": None if rounding is None else list(rounding),
        "mapping": None if mapping is None else _with_activity(mapping, costs),
        "run": None if run is None else _run_section(run),
        "accuracy": None if run is None or labels is None else _accuracy_section(run, fidelity, labels),
        "fidelity": None if fidelity is None else _fidelity_section(fidelity),
        "cost": None if run is None else _cost_section(run.costs, run.recording.ticks / run.period or 1.0, chip),
        "limit": _limit(mapping, costs, None if run is None else run.complete_samples),
    }
    return cast("dict[str, Any]", _in_key_order(document))


def _in_key_order(value: Any) -> Any:
    """The same data as it would be read back from ``report.json``: a page must not depend on where a report comes from."""
    if isinstance(value, Mapping):
        return {key: _in_key_order(value[key]) for key in sorted(value)}
    if isinstance(value, (list, tuple)):
        return [_in_key_order(item) for item in value]
    return value


def symbols_section(booted: Booted, name: str, file: str | None) -> dict[str, Any]:
    """What a program file says about its network."""
    symbols = booted.symbols
    return {
        "name": name,
        "file": file,
        "dialect": {"name": symbols.dialect, "origin": "given", "reasons": []} if symbols.dialect else None,
        "dt_s": None,
        "neurons": sum(population.size for population in symbols.populations),
        "synapses": None,
        "populations": [
            {
                "name": population.name,
                "kind": "spiking" if population.spiking else "analog",
                "shape": list(population.shape),
                "neurons": population.size,
                "tick_offset": population.tick_offset,
                "is_input": False,
                "is_output": population.name in symbols.outputs,
            }
            for population in symbols.populations
        ],
        "projections": [],
    }


def _with_activity(mapping: Mapping[str, Any], costs: CostReport | None) -> dict[str, Any]:
    activity = {} if costs is None else costs.core_activity
    cores = [
        {**core, "activity": dict(activity[core["core"]]) if core["core"] in activity else None}
        for core in mapping["cores"]
    ]
    return {**mapping, **({} if costs is None else costs.network), "cores": cores}


def _silent_layers(fidelity: Fidelity) -> Iterator[Finding]:
    """NE6024 for every population that spikes in float and, beside that, hardly or never on the chip."""
    for layer in fidelity.layers:
        if layer.spikes_chip >= NEARLY_SILENT * layer.spikes_float:
            continue
        how = "nearly silent" if layer.spikes_chip else "silent"
        message = (
            f"is {how} on the chip: {_spikes(layer.spikes_chip)} in {fidelity.samples} samples, {layer.spikes_float:,} in float, "
            f"{layer.spikes_quantised:,} with the chip's rounded numbers alone"
        )
        fixes = (
            "look at the warnings of this population and of those before it",
            "lower its threshold or scale its weights up",
            "train with the chip's rules",
        )
        yield Finding("NE6024", message, f"population {layer.population}", fixes, "warning")


def _spikes(count: int) -> str:
    return f"{count:,} {'spike' if count == 1 else 'spikes'}"


def _run_findings(run: Run) -> tuple[Finding, ...]:
    counters = run.costs.counters
    findings = []
    if run.interrupted:
        findings.append(
            Finding(
                "NE6004",
                f"interrupted after {run.recording.ticks:,} of {run.samples * run.period:,} ticks; "
                f"{run.complete_samples} of {run.samples} samples are complete",
                severity="warning",
            )
        )
    if counters.get("accumulator_wraps"):
        findings.append(
            Finding(
                "NE6005",
                f"the synaptic accumulator or current wrapped {counters['accumulator_wraps']:,} times",
                fixes=("scale weights and threshold of the layer down together",),
                severity="warning",
            )
        )
    if total := counters.get("membrane_saturations"):
        findings += _saturations(total, run.costs.saturated)
    return (*findings, *run.costs.findings)


def _saturations(total: int, places: tuple[tuple[str, int], ...]) -> Iterator[Finding]:
    """How often membranes saturated, in all or at the first places; all others are one number."""
    fixes = ("scale weights and thresholds down together",)
    shown = places[:MOST_SATURATED]
    for place, count in shown:
        yield Finding("NE6006", f"a membrane saturated {count:,} times", place, fixes, "warning")
    if left := total - sum(count for _, count in shown):
        where = "" if not shown else f"{len(places) - len(shown):,} other cores"
        yield Finding("NE6006", f"a membrane saturated {left:,} times", where, fixes, "warning")


def _run_section(run: Run) -> dict[str, Any]:
    default = run.costs.sets[0]
    shown = min(run.period, MOST_TICKS_SHOWN)
    lag = max((run.booted.symbols.population(name).tick_offset for name in run.outputs), default=0)
    populations = []
    for symbol in run.populations:
        spikes = int(run.events(symbol.name)[0].shape[0])
        bins = max(run.recording.ticks * symbol.size, 1)
        populations.append(
            {"name": symbol.name, "spikes": spikes, "rate_per_tick": spikes / bins, "neurons": symbol.size}
        )
    return {
        "samples": run.complete_samples,
        "ticks_per_sample": run.ticks,
        "total_ticks": run.recording.ticks,
        "pipeline_ticks": lag,
        "counters": dict(run.costs.counters),
        "populations": populations,
        "raster": _raster(run),
        "tick_time_s": [float(value) for value in default.tick_time_s[:shown]],
        "busiest_core": [list(run.costs.core_activity)[int(position)] for position in default.busiest_core[:shown]],
    }


def _raster(run: Run) -> dict[str, Any]:
    """Spikes of the first sample in chip ticks."""
    populations = []
    for symbol in run.populations:
        sample, tick, neuron = run.events(symbol.name)
        first = sample == 0
        events = np.stack([tick[first], neuron[first]], axis=1)
        populations.append(
            {
                "name": symbol.name,
                "neurons": symbol.size,
                "events": events[:MOST_RASTER_EVENTS].tolist(),
                "truncated": events.shape[0] > MOST_RASTER_EVENTS,
            }
        )
    return {"sample": 0, "ticks": run.period, "populations": populations}


def _accuracy_section(run: Run, fidelity: Fidelity | None, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Shares of right answers; those of the float networks only when they saw the same samples as the chip."""
    done = run.complete_samples
    chip = run.predictions()[:done]
    compared = 0 if fidelity is None else min(fidelity.samples, done)
    same = fidelity if compared == done else None
    return {
        "samples": done,
        "chip": _share_right(chip, labels[:done]) if done else None,
        "float": None if same is None else _share_right(same.float_predictions[:done], labels[:done]),
        "quantised_float": None if same is None else _share_right(same.quantised_predictions[:done], labels[:done]),
        "agreement_with_float": None
        if fidelity is None or not compared
        else float(np.mean(chip[:compared] == fidelity.float_predictions[:compared])),
    }


def _share_right(predicted: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    return float(np.mean(predicted == labels))


def _fidelity_section(fidelity: Fidelity) -> list[dict[str, Any]]:
    rows = []
    for layer in fidelity.layers:
        first = layer.first_divergence
        rows.append(
            {
                "population": layer.population,
                "spikes_float": layer.spikes_float,
                "spikes_quantised": layer.spikes_quantised,
                "spikes_chip": layer.spikes_chip,
                "bins": layer.bins,
                "differing_bins_float_chip": layer.differing_bins_float_chip,
                "differing_bins_quantised_chip": layer.differing_bins_quantised_chip,
                "first_divergence": None
                if first is None
                else dict(zip(("sample", "tick", "neuron", "float", "chip"), first, strict=True)),
                "dead": layer.dead,
                "saturated": layer.saturated,
            }
        )
    return rows


def _cost_section(costs: CostReport, inferences: float, chip: Any) -> dict[str, Any]:
    """Every cost set; ``inferences`` counts the started part of an interrupted sample as a fraction."""
    return {"default_set": costs.sets[0].name, "sets": [_set_section(item, inferences, chip) for item in costs.sets]}


def _set_section(item: SetReport, inferences: float, chip: Any) -> dict[str, Any]:
    ticks = item.tick_time_s.shape[0]
    time, energy = item.time, item.energy
    assert time is not None, "a report is made of runs whose ticks were timed"
    return {
        "name": item.name,
        "title": item.title,
        "band_text": item.band_text,
        "energy": {
            "total_j": energy and energy.value,
            "low_j": energy and energy.low,
            "high_j": energy and energy.high,
            "per_inference_j": energy and energy.value / inferences,
            "per_inference_low_j": energy and energy.low / inferences,
            "per_inference_high_j": energy and energy.high / inferences,
            "lines": [
                {
                    "name": line.name,
                    "group": line.group,
                    "value_j": line.value_j,
                    "low_j": line.low_j,
                    "high_j": line.high_j,
                    "formula": line.formula,
                    "constants": [_key(constant, item) for constant in line.constants],
                }
                for line in item.energy_lines
            ],
        },
        "time": {
            "total_s": time.value,
            "per_inference_s": time.value / inferences,
            "low_s": time.low / inferences if item.time_band_known else None,
            "high_s": time.high / inferences if item.time_band_known else None,
            "per_tick_mean_s": float(item.tick_time_s.mean()) if ticks else None,
            "per_tick_max_s": float(item.tick_time_s.max()) if ticks else None,
            "lines": [
                {
                    "name": line.name,
                    "value_s": line.value_s,
                    "formula": line.formula,
                    "constants": [_key(constant, item) for constant in line.constants],
                }
                for line in item.time_lines
            ],
            "bound": item.bound,
        },
        "constants": [
            {
                "key": key,
                "value": float(quantity.value),
                "unit": quantity.unit,
                "text": quantity.text,
                "kind": quantity.kind,
                "confidence": quantity.confidence,
                "source": quantity.source,
                "source_text": "; ".join(chip.references(quantity.source)),
            }
            for key, quantity in sorted(item.constants.items())
        ],
    }


def _key(constant: str, item: SetReport) -> str:
    return constant if constant in item.constants else f"energy.{constant}"


def _limit(mapping: Mapping[str, Any] | None, costs: CostReport | None, samples: int | None) -> dict[str, Any] | None:
    """What binds: the part of a tick that takes longest and the resource that fills its core most."""
    fullest = "" if mapping is None else _fullest_resource(mapping)
    if costs is not None and samples:
        if costs.sets[0].limit is not None:
            name, text = costs.sets[0].limit
            return {"name": name, "text": text + (f"; fullest resource: {fullest}" if fullest else "")}
        text = f"takes most of a tick ({costs.sets[0].name})" + (f"; fullest resource: {fullest}" if fullest else "")
        return {"name": costs.sets[0].bound, "text": text}
    return {"name": "capacity", "text": f"fullest resource: {fullest}"} if fullest else None


def _fullest_resource(mapping: Mapping[str, Any]) -> str:
    shares = [
        (core["use"][resource] / limit, resource, core["core"])
        for core in mapping["cores"]
        for resource, limit in mapping["limits"].items()
        if limit
    ]
    if not shares:
        return ""
    share, resource, core = max(shares)
    return f"{resource.replace('_', ' ')} of core {core}, {share:.0%}"
