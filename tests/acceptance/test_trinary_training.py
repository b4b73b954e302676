"""The example that trains for crossbars writes a network that loses nothing on TrueNorth; trained here smaller and shorter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.acceptance.command_line import EXAMPLES, REPOSITORY, neuroemu

pytestmark = pytest.mark.compiled


def trained(folder: Path, *options: str) -> str:
    """What the example says; it writes to ``folder``."""
    command = [sys.executable, EXAMPLES / "train_trinary_digits.py", "-o", folder, *options]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_network_trained_by_the_example_loses_nothing_on_the_chip(tmp_path: Path) -> None:
    said = trained(tmp_path, "--hidden", "48", "--epochs", "12")
    with np.load(tmp_path / "digits_trinary.npz") as weights:
        assert (weights["w1"].shape, weights["w2"].shape) == ((48, 64), (10, 48))
        assert set(np.unique(weights["w1"])) == set(np.unique(weights["w2"])) == {-1.0, 0.0, 1.0}
    samples = EXAMPLES / "digits_test.npz"
    answer = neuroemu("deploy", tmp_path / "digits_trinary.yaml", "--chip", "truenorth", "-i", samples, "--json", "-q")
    assert (answer.exit_code, answer.codes) == (0, [])
    accuracy = answer.document["accuracy"]
    assert accuracy["chip"] == accuracy["float"] >= 0.85
    assert f"digits_test.npz: {accuracy['chip']:.3f}" in said
    assert [layer["differing_bins_float_chip"] for layer in answer.document["fidelity"]] == [0, 0]
    assert [row["weight_error_max"] for row in answer.document["quantisation"]] == [0, 0]


def test_the_same_training_writes_the_same_network(tmp_path: Path) -> None:
    folders = tmp_path / "first", tmp_path / "second"
    for folder in folders:
        folder.mkdir()
        trained(folder, "--hidden", "16", "--epochs", "2")
    first, second = ((folder / "digits_trinary.npz").read_bytes() for folder in folders)
    assert first == second
    assert (folders[0] / "digits_trinary.yaml").read_text() == (folders[1] / "digits_trinary.yaml").read_text()
