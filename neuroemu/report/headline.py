"""What a reader wants first: does it fit, is it right, how long, how much energy, and what limits it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from neuroemu.report.figures import UNKNOWN, band, count, percent, plain, points, quantity, ratio, words
from neuroemu.report.findings import ordered

if TYPE_CHECKING:
    from neuroemu.report.shape import CostSet, EnergyLine, ReportDocument, Time

Tone = Literal["good", "warning", "bad", "open"]
CHIP_GROUPS = ("neuron", "synapse", "network", "reset", "static")
APART_GROUPS = ("host", "io")
GROUP_TITLES = {
    "neuron": "neurons",
    "synapse": "synapses",
    "network": "network",
    "reset": "reset",
    "static": "static",
    "host": "host",
    "io": "I/O",
}
SMALL_LOSS = 0.01
"""Accuracy loss against float that is unremarkable."""
LARGE_LOSS = 0.03
"""Accuracy loss against float that calls for work."""


@dataclass(frozen=True)
class Verdict:
    """The answer in a word and a sentence or two."""

    tone: Tone
    word: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class KeyFigure:
    """One headline number: ``label``, ``value`` and the lines that qualify it."""

    key: str
    label: str
    value: str
    details: tuple[str, ...]
    tone: Tone = "open"


@dataclass(frozen=True)
class EnergyPart:
    """Energy of one group per inference, in joules; None is unknown."""

    group: str
    value_j: float | None
    low_j: float | None
    high_j: float | None
    partial: bool = False
    """Another part of the group is unknown: ``value_j`` is a lower bound."""

    @property
    def text(self) -> str:
        return f"at least {quantity(self.value_j, 'J')}" if self.partial else quantity(self.value_j, "J")


def verdict(report: ReportDocument) -> Verdict:
    """Whether the network fits, with one sentence each on place, answers and cost."""
    severities = Counter(finding.severity for finding in ordered(report["findings"]))
    network, chip = report["network"]["name"], report["chip"]["title"]
    mapping = report["mapping"]
    if severities["error"]:
        number = _number(severities["error"], "problem")
        return Verdict("bad", "Does not fit", (f"{network} does not fit {chip}: {number}, listed below.",))
    if mapping is None and report["run"] is not None:
        ran = f"{network} ran on {chip} from its program file."
        sentences = (ran, *_answer_sentence(report), *_cost_sentence(report))
        if severities["warning"]:
            return Verdict("warning", f"Ran, {_number(severities['warning'], 'warning')}", sentences)
        return Verdict("good", "Ran", sentences)
    if mapping is None:
        return Verdict("open", "Not mapped", (f"{network} was read and found valid for {chip}; it was not mapped.",))
    place = f"{network} fits {chip} on {_cores_of_chip(report)}."
    sentences = (place, *_answer_sentence(report), *_cost_sentence(report))
    if severities["warning"]:
        return Verdict("warning", f"Fits, {_number(severities['warning'], 'warning')}", sentences)
    return Verdict("good", "Fits", sentences)


def key_figures(report: ReportDocument) -> tuple[KeyFigure, ...]:
    """The five headline numbers; a part that is missing says ``unknown`` or why."""
    return (
        _fit_figure(report),
        _accuracy_figure(report),
        _latency_figure(report),
        _energy_figure(report),
        _limit_figure(report),
    )


def default_set(report: ReportDocument) -> CostSet | None:
    """The cost set behind the headline figures; the first one when the named set is missing."""
    cost = report["cost"]
    if cost is None or not cost["sets"]:
        return None
    named = [cost_set for cost_set in cost["sets"] if cost_set["name"] == cost["default_set"]]
    return (named or cost["sets"])[0]


def inferences(report: ReportDocument) -> float | None:
    """Inferences run, the started part of an interrupted one as a fraction; None when nothing was run."""
    run, cost_set = report["run"], default_set(report)
    if cost_set is not None:
        number = ratio(cost_set["time"]["total_s"], cost_set["time"]["per_inference_s"])
        if number is not None:
            return number
    return run["samples"] if run else None


def ticks_per_inference(report: ReportDocument) -> float | None:
    """Ticks from the first input tick of a sample to the first of the next."""
    run = report["run"]
    return ratio(run["total_ticks"], inferences(report)) if run else None


def band_of(low: float | None, high: float | None, unit: str) -> str:
    """An error band as text; a band without width is none, so it is unknown."""
    return UNKNOWN if low == high else band(low, high, unit)


EXACT = "exact"


def time_band(time: Time) -> str:
    """The error band of a time as text; one that is known and has no width is exact, as where a chip's tick is fixed."""
    low, high = time["low_s"], time["high_s"]
    return EXACT if low is not None and low == high else band_of(low, high, "s")


def part_text(part: EnergyPart | None) -> str:
    """Energy of a part; unknown when the cost set has no line for it."""
    return part.text if part else UNKNOWN


def energy_parts(cost_set: CostSet, inferences: float | None) -> tuple[EnergyPart, ...]:
    """Energy per inference by group, in the order of the stack; groups without lines are left out."""
    lines = cost_set["energy"]["lines"]
    present = [group for group in (*CHIP_GROUPS, *APART_GROUPS) if any(line["group"] == group for line in lines)]
    return tuple(_part(group, [line for line in lines if line["group"] == group], inferences) for group in present)


def known_energy_j(parts: tuple[EnergyPart, ...], groups: tuple[str, ...]) -> float:
    """Sum of the known parts of ``groups``, in joules: the length of a bar, never a reported figure."""
    return sum(part.value_j or 0.0 for part in parts if part.group in groups)


def _part(group: str, lines: list[EnergyLine], inferences: float | None) -> EnergyPart:
    known = [line for line in lines if line["value_j"] is not None]
    value = sum(line["value_j"] or 0.0 for line in known)
    if not known or not inferences or (value == 0.0 and len(known) < len(lines)):
        return EnergyPart(group, None, None, None)
    bands_known = all(line["low_j"] is not None and line["high_j"] is not None for line in known)
    low = sum(line["low_j"] or 0.0 for line in known) if bands_known else None
    high = sum(line["high_j"] or 0.0 for line in known) if bands_known else None
    return EnergyPart(
        group=group,
        value_j=value / inferences,
        low_j=ratio(low, inferences),
        high_j=ratio(high, inferences),
        partial=len(known) < len(lines),
    )


def _answer_sentence(report: ReportDocument) -> tuple[str, ...]:
    accuracy = report["accuracy"]
    if accuracy is None or accuracy["chip"] is None:
        return ()
    answer = f"The chip is right in {percent(accuracy['chip'])} of {count(accuracy['samples'])} samples"
    if accuracy["float"] is None:
        return (f"{answer}.",)
    return (f"{answer}, the float network in {percent(accuracy['float'])}.",)


def _cost_sentence(report: ReportDocument) -> tuple[str, ...]:
    cost_set, run = default_set(report), report["run"]
    if cost_set is None or run is None:
        return ()
    time, energy = cost_set["time"]["per_inference_s"], cost_set["energy"]["per_inference_j"]
    if time is None or energy is None:
        return ()
    static = next((part for part in energy_parts(cost_set, inferences(report)) if part.group == "static"), None)
    share = ratio(static.value_j if static else None, energy)
    of_it = f", {percent(share, 0)} of it static" if share is not None else ""
    return (f"One inference takes {quantity(time, 's')} and {quantity(energy, 'J')}{of_it}.",)


def _fit_figure(report: ReportDocument) -> KeyFigure:
    mapping = report["mapping"]
    if mapping is None:
        refused = any(finding["severity"] == "error" for finding in report["findings"])
        if not refused and report["run"] is not None:
            return KeyFigure("fit", "Fit", "deployed", ("as the program file says",), "good")
        word, tone = ("Does not fit", "bad") if refused else ("Not mapped", "open")
        return KeyFigure("fit", "Fit", word, ("no cores assigned",), "bad" if tone == "bad" else "open")
    details = [f"lower bound {count(mapping['cores_lower_bound'])}"]
    if mapping["binding_resource"]:
        details.append(f"set by {words(mapping['binding_resource'])}")
    return KeyFigure("fit", "Fit", _cores_of_chip(report), tuple(details), "good")


def _accuracy_figure(report: ReportDocument) -> KeyFigure:
    accuracy = report["accuracy"]
    if accuracy is None:
        reason = "no labels given" if report["run"] else "nothing was run"
        return KeyFigure("accuracy", "Accuracy on chip", UNKNOWN, (reason,))
    chip, reference = accuracy["chip"], accuracy["float"]
    loss = None if chip is None or reference is None else reference - chip
    details = [f"float {percent(reference)}"]
    if loss is not None:
        details.append(points(-loss))
    details.append(f"{count(accuracy['samples'])} samples")
    return KeyFigure("accuracy", "Accuracy on chip", percent(chip), tuple(details), _loss_tone(loss))


def _latency_figure(report: ReportDocument) -> KeyFigure:
    cost_set, run = default_set(report), report["run"]
    if run is None:
        return KeyFigure("latency", "Latency per inference", UNKNOWN, ("nothing was run",))
    ticks = f"{plain(ticks_per_inference(report))} ticks"
    lag = f"output lags by {run['pipeline_ticks']}" if run["pipeline_ticks"] else ""
    if cost_set is None:
        return KeyFigure("latency", "Latency per inference", ticks, (lag,) if lag else ())
    if lag:
        ticks += f", {lag}"
    time = cost_set["time"]
    interval = time_band(time)
    range_text = interval if interval == EXACT else f"band {interval}"
    return KeyFigure("latency", "Latency per inference", quantity(time["per_inference_s"], "s"), (ticks, range_text))


def _energy_figure(report: ReportDocument) -> KeyFigure:
    cost_set = default_set(report)
    if cost_set is None:
        return KeyFigure("energy", "Energy per inference", UNKNOWN, ("nothing was run",))
    energy = cost_set["energy"]
    range_text = f"band {band_of(energy['per_inference_low_j'], energy['per_inference_high_j'], 'J')}"
    details = (range_text, f"cost set {cost_set['name']}")
    return KeyFigure("energy", "Energy per inference", quantity(energy["per_inference_j"], "J"), details)


def _limit_figure(report: ReportDocument) -> KeyFigure:
    limit = report["limit"]
    if limit is None:
        return KeyFigure("limit", "Limit that binds", UNKNOWN, ())
    return KeyFigure("limit", "Limit that binds", limit["name"], (limit["text"],))


def _loss_tone(loss: float | None) -> Tone:
    if loss is None:
        return "open"
    rounded = round(loss, 6)
    return "good" if rounded <= SMALL_LOSS else "warning" if rounded <= LARGE_LOSS else "bad"


def _cores_of_chip(report: ReportDocument) -> str:
    mapping, total = report["mapping"], report["chip"]["cores"]
    used = mapping["cores_used"] if mapping else 0
    if total is None:
        return _number(used, "core")
    return f"{count(used)} of {count(total)} cores"


def _number(number: int, noun: str) -> str:
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"
