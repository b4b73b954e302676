"""Networks trained elsewhere answer on the chip as they did in their framework, on every recorded sample.

Scales and registers are chosen from the weights alone, never from these samples.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroemu.formats import load
from neuroemu.formats.dialects import case_dialect
from neuroemu.formats.nir import load_nir
from neuroemu.machine import Run
from neuroemu.toolchain import deploy

CASES = Path(__file__).resolve().parents[1] / "golden" / "nir"
FAITHFUL = (
    "snntorch_leaky_zero",
    "snntorch_leaky_scalar",
    "snntorch_conv",
    "snntorch_rleaky",
    "snntorch_rleaky_nested",
    "spikingjelly_lif",
    "spikingjelly_if_conv",
    "norse_iaf",
    "norse_lifbox",
)
"""Networks whose every rule Loihi 1 has: hard reset, at most one spike per step."""
SUBSTITUTED = {
    "snntorch_leaky_subtract": {"NE3003"},
    "snntorch_leaky_default": {"NE3003", "NE3005"},
    "snntorch_synaptic_subtract": {"NE3003"},
    "sinabs_iaf_cnn": {"NE3003", "NE3006"},
    "sinabs_lif_mlp": {"NE3003", "NE3006"},
}
"""Networks with rules that the chip replaces, and the warnings that say so."""
TIES = ("ties_snntorch", "ties_spikingjelly_if")


@cache
def on_chip(name: str) -> tuple[Run, dict[str, Any]]:
    """All recorded samples of a case on Loihi 1, and what its framework did."""
    case = json.loads((CASES / name / "case.json").read_text(encoding="utf-8"))
    network = load_nir(CASES / name / "network.nir", case_dialect(case))
    with np.load(CASES / name / "data.npz") as data:
        recorded = dict(data)
    return deploy(network, "loihi1").run(recorded["input"]), recorded


def loss_in_points(name: str) -> float:
    """Percent of samples that the framework gets right and the chip does not, less the converse."""
    run, recorded = on_chip(name)
    framework, chip = (np.mean(p == recorded["labels"]) for p in (recorded["pred"], run.predictions()))
    return 100.0 * float(framework - chip)


def test_every_recorded_network_is_judged_here() -> None:
    assert sorted([*FAITHFUL, *SUBSTITUTED, *TIES]) == sorted(path.parent.name for path in CASES.glob("*/case.json"))


@pytest.mark.parametrize("name", FAITHFUL)
def test_no_network_loses_more_than_three_points(name: str) -> None:
    assert on_chip(name)[0].samples == 100
    assert loss_in_points(name) <= 3.0


def test_the_mean_loss_is_at_most_one_point() -> None:
    assert np.mean([loss_in_points(name) for name in FAITHFUL]) <= 1.0


@pytest.mark.parametrize("name", FAITHFUL)
def test_nearly_every_output_bin_is_the_recorded_one(name: str) -> None:
    run, recorded = on_chip(name)
    output = run.spikes(run.outputs[0]).reshape(recorded["out_spikes"].shape)
    assert np.mean(output != recorded["out_spikes"]) < 0.03


@pytest.mark.parametrize("name", FAITHFUL)
def test_a_network_the_chip_computes_faithfully_brings_no_warning(name: str) -> None:
    warnings = [finding for finding in on_chip(name)[0].report().document["findings"] if finding["severity"] != "note"]
    assert warnings == []


@pytest.mark.parametrize("name", TIES)
def test_membranes_exactly_at_the_threshold_decide_as_in_the_framework(name: str) -> None:
    run, recorded = on_chip(name)
    assert np.array_equal(run.spikes(run.outputs[0]).reshape(recorded["out_spikes"].shape), recorded["out_spikes"])


@pytest.mark.parametrize("name", sorted(SUBSTITUTED))
def test_what_the_chip_cannot_do_is_said_and_measured(name: str) -> None:
    run, recorded = on_chip(name)
    report = run.report(recorded["labels"], compared=20).document
    warned = {finding["code"] for finding in report["findings"] if finding["severity"] == "warning"}
    assert warned >= SUBSTITUTED[name]
    populations = {f["where"] for f in report["findings"] if f["code"] == "NE3003"}
    assert populations == {f"population {symbol.name}" for symbol in run.populations}
    (output,) = (row for row in report["fidelity"] if row["population"] == run.outputs[0])
    assert output["differing_bins_float_chip"] > 0 and output["first_divergence"] is not None


@pytest.mark.parametrize("name", sorted(SUBSTITUTED))
def test_replaced_rules_still_answer_far_above_chance(name: str) -> None:
    run, recorded = on_chip(name)
    assert np.mean(run.predictions() == recorded["pred"]) > 0.85


@pytest.mark.parametrize("name", sorted([*FAITHFUL, *SUBSTITUTED, *TIES]))
def test_auto_deploys_every_recorded_file(name: str) -> None:
    network = load(CASES / name / "network.nir", "auto")
    expected = {"snntorch": "snntorch-hard", "ties_snntorch": "snntorch-hard"}
    family = next(
        prefix for prefix in ("ties_snntorch", "snntorch", "norse", "sinabs", "spikingjelly") if prefix in name
    )
    assert network.dialect.startswith(expected.get(family, family))
    untold = [finding for finding in network.findings if finding.code == "NE1033"]
    assert len(untold) == (1 if "snntorch" in name else 0)
    assert deploy(network, "loihi1").compiled.mapping["cores_used"] >= 1
