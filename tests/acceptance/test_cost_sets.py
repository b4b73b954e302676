"""A program file tells the same energies as the deployment that wrote it, in the same order."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from neuroemu.machine import Machine
from neuroemu.report import terminal
from neuroemu.report.headline import key_figures
from neuroemu.report.html import page as html
from neuroemu.spec import ChipSpec, load_chip
from neuroemu.toolchain import deploy
from tests.small import relay


@pytest.mark.parametrize("chip", ["loihi1", "lifcore", "truenorth"])
def test_a_program_file_keeps_the_default_cost_set(chip: str, tmp_path: Path) -> None:
    deployment = deploy(relay(), chip)
    deployment.save(tmp_path / "program.nemu")
    inputs = np.ones((1, 4, 2), np.uint8)
    deployed = deployment.run(inputs).report().document["cost"]
    loaded = Machine.load(tmp_path / "program.nemu").run(inputs).report().document["cost"]
    assert loaded["default_set"] == deployed["default_set"]
    assert [item["energy"]["total_j"] for item in loaded["sets"]] == [
        item["energy"]["total_j"] for item in deployed["sets"]
    ]


def test_where_the_chip_file_has_no_energies_the_total_is_unknown_in_every_form() -> None:
    described = load_chip("lifcore").to_dict()
    described["cost_sets"]["assumed"]["energy"] = {}
    report = deploy(relay(), ChipSpec.from_dict(described)).run(np.ones((2, 5, 2), np.uint8)).report()
    energy = report.document["cost"]["sets"][0]["energy"]
    assert energy["total_j"] is energy["per_inference_j"] is energy["high_j"] is None
    console = Console(record=True, width=100, file=StringIO())
    terminal.render(report.document, console)
    (told,) = (line for line in console.export_text().splitlines() if line.split()[:1] == ["energy"])
    assert told.split()[1:] == ["unknown"]
    (figure,) = (figure for figure in key_figures(report.document) if figure.key == "energy")
    assert figure.value == "unknown" and figure.value in html.render(report.document)
    assert "0 J" not in html.render(report.document)
