"""Write the table of docs/chips/truenorth.md that holds every shipped network on the chip against its float twin.

    python tools/truenorth_accuracy.py
    python tools/truenorth_accuracy.py --record docs/assets/truenorth_accuracy_uniform.json

Without options the page is written; ``--record`` saves the figures of the sources it runs with instead, to be shown beside
later ones.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from neuroemu.formats import load
from neuroemu.formats.dialects import case_dialect
from neuroemu.formats.nir import load_nir
from neuroemu.formats.samples import load_samples
from neuroemu.network.model import Network
from neuroemu.toolchain import compare_with_float, deploy

REPOSITORY = Path(__file__).resolve().parents[1]
EXAMPLES, CASES = REPOSITORY / "examples", REPOSITORY / "tests" / "golden" / "nir"
PAGE = REPOSITORY / "docs" / "chips" / "truenorth.md"
EARLIER = REPOSITORY / "docs" / "assets" / "truenorth_accuracy_uniform.json"
BEGIN, END = "<!-- accuracy: written by tools/truenorth_accuracy.py -->", "<!-- end of accuracy -->"

OF_EXAMPLE = {
    "digits_trinary": ("digits_trinary.yaml", "digits_test.npz", "auto"),
    "digits_mlp": ("digits_mlp.nir", "digits_test.npz", "snntorch-hard"),
    "digits_conv": ("digits_conv.nir", "digits_conv.npz", "snntorch-hard"),
    "digits_recurrent": ("digits_recurrent.nir", "digits_recurrent.npz", "snntorch-hard"),
    "braille_bias_hard": ("braille_bias_hard.nir", "braille_bias_hard.npz", "snntorch-hard"),
    "braille_soft": ("braille_soft.nir", "braille_soft.npz", "snntorch-soft"),
    "edge_detector": ("edge_detector.yaml", "edge_detector.npz", "auto"),
    "nmnist_cnn": ("nmnist_cnn.nir", "nmnist_cnn.npz", "sinabs"),
}


@dataclass(frozen=True)
class Measured:
    """One network on the chip, shares of samples and bins.

    ``right_float`` and ``right_chip`` are None without labels; ``wrong_bins`` are those of the output that differ from float,
    ``rate`` is how many spikes the output has on the chip per spike in float.
    """

    cores: int
    samples: int
    right_float: float | None
    right_chip: float | None
    agreement: float
    wrong_bins: float
    rate: float


def networks() -> dict[str, Callable[[], tuple[Network, Any, Any]]]:
    """(network, inputs, labels or None) of every network with samples, by name, loaded when asked for."""
    found: dict[str, Callable[[], tuple[Network, Any, Any]]] = {
        name: lambda given=given: _example(*given) for name, given in OF_EXAMPLE.items()
    }
    for path in sorted(CASES.glob("*/case.json")):
        found[path.parent.name] = lambda folder=path.parent: _case(folder)
    return found


def _example(file: str, samples: str, dialect: str) -> tuple[Network, Any, Any]:
    network = load(EXAMPLES / file, dialect, None)
    given = load_samples(EXAMPLES / samples, network)
    return network, given.inputs, given.labels


def _case(folder: Path) -> tuple[Network, Any, Any]:
    case = json.loads((folder / "case.json").read_text(encoding="utf-8"))
    network = load_nir(folder / "network.nir", case_dialect(case))
    with np.load(folder / "data.npz") as data:
        return network, {network.inputs[0]: data["input"]}, data["labels"]


def measure(name: str) -> Measured:
    """Run all samples of a network on the chip and in float."""
    network, inputs, labels = networks()[name]()
    deployment = deploy(network, "truenorth")
    run = deployment.run(inputs)
    fidelity = compare_with_float(deployment, run, inputs, run.samples)
    (output,) = (layer for layer in fidelity.layers if layer.population == network.outputs[0])
    chip = run.predictions()
    return Measured(
        cores=int(deployment.compiled.mapping["cores_used"]),
        samples=run.samples,
        right_float=None if labels is None else float(np.mean(fidelity.float_predictions == labels)),
        right_chip=None if labels is None else float(np.mean(chip == labels)),
        agreement=float(np.mean(chip == fidelity.float_predictions)),
        wrong_bins=output.differing_bins_float_chip / output.bins,
        rate=output.spikes_chip / max(output.spikes_float, 1),
    )


def row(name: str, now: Measured, earlier: dict[str, Any]) -> str:
    """A line of the table."""
    before = Measured(**earlier[name])
    cells = (
        f"`{name}`",
        str(now.samples),
        _share(now.right_float),
        f"{_share(before.right_chip)} ({_share(before.agreement)}, {before.cores})",
        f"**{_share(now.right_chip)}** ({_share(now.agreement)}, {now.cores})",
        f"{before.wrong_bins:.1%} → {now.wrong_bins:.1%}",
        f"{now.rate:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}"


def main() -> None:
    """Measure every network and write the page, or the record asked for."""
    measured = {name: measure(name) for name in networks()}
    if sys.argv[1:2] == ["--record"]:
        text = json.dumps({name: asdict(found) for name, found in measured.items()}, indent=1)
        Path(sys.argv[2]).write_text(text + "\n", encoding="utf-8")
        return
    earlier = json.loads(EARLIER.read_text(encoding="utf-8"))
    lines = [
        "| network | samples | float right, % | chip, uniform axons: right, % (as float, cores) | chip now "
        "| output bins that differ | output spikes, chip / float |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(row(name, found, earlier) for name, found in measured.items()),
    ]
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table = "\n".join(lines)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
