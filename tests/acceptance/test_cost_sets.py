"""A program file tells the same energies as the deployment that wrote it, in the same order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuroemu.machine import Machine
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
