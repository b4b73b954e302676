"""The answer in a word, a sentence and five figures."""

from __future__ import annotations

from typing import Any

import pytest

from neuroemu.report import headline


def _figure(report: dict[str, Any], key: str) -> headline.KeyFigure:
    return next(figure for figure in headline.key_figures(report) if figure.key == key)


def test_a_warning_shows_in_the_verdict(digits: dict[str, Any]) -> None:
    assert headline.verdict(digits).word == "Fits, 1 warning"
    assert headline.verdict(digits).tone == "warning"


def test_notes_do_not_spoil_a_fit(digits: dict[str, Any]) -> None:
    digits["findings"] = [finding for finding in digits["findings"] if finding["severity"] == "note"]
    assert headline.verdict(digits).word == "Fits"
    assert headline.verdict(digits).tone == "good"


def test_an_error_means_that_it_does_not_fit(refused: dict[str, Any]) -> None:
    verdict = headline.verdict(refused)
    assert (verdict.word, verdict.tone) == ("Does not fit", "bad")
    assert "1 problem," in verdict.sentences[0]
    assert _figure(refused, "fit").value == "Does not fit"


def test_a_network_that_was_only_read_is_not_called_fitting(refused: dict[str, Any]) -> None:
    refused["findings"] = []
    assert headline.verdict(refused).word == "Not mapped"
    assert _figure(refused, "fit").value == "Not mapped"


def test_the_sentences_give_answer_and_cost(digits: dict[str, Any]) -> None:
    text = " ".join(headline.verdict(digits).sentences).replace("\u202f", " ")
    assert "1 of 128 cores" in text
    assert "right in 96.0 % of 100 samples, the float network in 97.0 %" in text
    assert "58.8 µs and 4.55 µJ, 87 % of it static" in text


@pytest.mark.parametrize(
    ("chip", "tone"), [(0.98, "good"), (0.96, "good"), (0.95, "warning"), (0.94, "warning"), (0.93, "bad")]
)
def test_the_tone_of_accuracy_follows_its_loss(digits: dict[str, Any], chip: float, tone: str) -> None:
    digits["accuracy"]["chip"] = chip
    assert _figure(digits, "accuracy").tone == tone


def test_unknown_figures_say_so(unknown: dict[str, Any]) -> None:
    for key in ("accuracy", "latency", "energy"):
        assert _figure(unknown, key).value == "unknown"
    assert all("takes" not in sentence for sentence in headline.verdict(unknown).sentences)


def test_an_energy_band_without_width_is_unknown_and_a_time_without_width_exact(digits: dict[str, Any]) -> None:
    time, energy = digits["cost"]["sets"][0]["time"], digits["cost"]["sets"][0]["energy"]
    energy["per_inference_low_j"] = energy["per_inference_high_j"] = energy["per_inference_j"]
    assert "band unknown" in _figure(digits, "energy").details
    time["low_s"] = time["high_s"] = time["per_inference_s"]
    assert _figure(digits, "latency").details[-1] == "exact"
    time["low_s"] = time["high_s"] = None
    assert "band unknown" in _figure(digits, "latency").details


def test_an_interrupted_run_counts_its_started_inference(digits: dict[str, Any]) -> None:
    time = digits["cost"]["sets"][0]["time"]
    time["total_s"], time["per_inference_s"] = 2.5e-4, 1e-4
    digits["run"]["samples"] = 2
    assert headline.inferences(digits) == 2.5
    assert headline.ticks_per_inference(digits) == pytest.approx(3400 / 2.5)


def test_a_run_without_costs_counts_its_samples(digits: dict[str, Any]) -> None:
    digits["cost"] = None
    assert headline.inferences(digits) == 100
    assert _figure(digits, "latency").value == "34 ticks"
    assert _figure(digits, "energy").value == "unknown"


def test_the_first_cost_set_stands_in_for_a_missing_default(digits: dict[str, Any]) -> None:
    digits["cost"]["default_set"] = "nowhere"
    chosen = headline.default_set(digits)
    assert chosen is not None and chosen["name"] == "davies2018"
    digits["cost"]["sets"] = []
    assert headline.default_set(digits) is None


def test_energy_is_split_per_inference_and_adds_up(digits: dict[str, Any]) -> None:
    cost_set = digits["cost"]["sets"][0]
    parts = headline.energy_parts(cost_set, 100)
    assert [part.group for part in parts] == ["neuron", "synapse", "network", "reset", "static", "host", "io"]
    on_chip = headline.known_energy_j(parts, headline.CHIP_GROUPS)
    assert on_chip == pytest.approx(cost_set["energy"]["per_inference_j"])


def test_an_unknown_line_makes_its_group_a_lower_bound(digits: dict[str, Any]) -> None:
    cost_set = digits["cost"]["sets"][0]
    line = next(line for line in cost_set["energy"]["lines"] if line["group"] == "network")
    cost_set["energy"]["lines"].append({**line, "name": "links", "value_j": None, "low_j": None, "high_j": None})
    parts = {part.group: part for part in headline.energy_parts(cost_set, 100)}
    assert parts["network"].text.startswith("at least ")
    assert parts["io"].text == "unknown"
    assert headline.part_text(None) == "unknown"


def test_without_an_inference_energy_per_inference_is_unknown(digits: dict[str, Any]) -> None:
    parts = headline.energy_parts(digits["cost"]["sets"][0], 0)
    assert {part.value_j for part in parts} == {None}
