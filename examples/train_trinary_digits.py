"""Train digits with weights of -1, 0 and 1 and write examples/digits_trinary.yaml.

    python examples/train_trinary_digits.py [--hidden 96] [--epochs 150] [-o FOLDER]

A core of TrueNorth has 256 axons. Two of them per input, one for each sign, hold trinary weights exactly, so a network that is
trained with such weights loses nothing on the chip. Integrate-and-fire neurons with a subtracting reset fire at the rate
clip((W x + b) / threshold, 0, 1), which is trained here with numpy alone: weights are rounded in the forward pass, gradients
pass through the rounding (straight-through estimator). The 450 test images are those that examples/digits_test.npz is drawn
from.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

FloatArray = NDArray[np.float64]

HERE = Path(__file__).resolve().parent
BATCH = 64
SPREAD = 0.7
"""Weights beyond this share of their mean magnitude become -1 or 1."""
TICKS = 20
THRESHOLDS = {"hidden": 6.0, "out": 8.0}
BIAS_STEP = 1 / 16


def trinary(weight: FloatArray) -> FloatArray:
    return np.sign(weight) * (np.abs(weight) > SPREAD * np.abs(weight).mean())


def rounded(bias: FloatArray) -> FloatArray:
    return np.rint(bias / BIAS_STEP) * BIAS_STEP


def forward(parameters: dict[str, FloatArray], x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(hidden drive, hidden rate, output drive) in thresholds."""
    drive = (x @ trinary(parameters["w1"]).T + rounded(parameters["b1"])) / THRESHOLDS["hidden"]
    rate = np.clip(drive, 0, 1)
    return drive, rate, (rate @ trinary(parameters["w2"]).T + rounded(parameters["b2"])) / THRESHOLDS["out"]


def gradients(parameters: dict[str, FloatArray], x: FloatArray, y: NDArray[np.int64]) -> dict[str, FloatArray]:
    """Of the mean cross-entropy; the rounding counts as the identity."""
    drive, rate, out = forward(parameters, x)
    score = np.exp(4 * (out - out.max(axis=1, keepdims=True)))
    error = score / score.sum(axis=1, keepdims=True)
    error[np.arange(y.size), y] -= 1
    error *= 4 / (THRESHOLDS["out"] * y.size)
    back = (error @ trinary(parameters["w2"])) * ((drive > -0.1) & (drive < 1.1)) / THRESHOLDS["hidden"]
    return {"w2": error.T @ rate, "b2": error.sum(axis=0), "w1": back.T @ x, "b1": back.sum(axis=0)}


def train(x: FloatArray, y: NDArray[np.int64], seed: int, hidden: int, epochs: int) -> dict[str, FloatArray]:
    """Adam on Bernoulli-coded pictures, drawn anew in every step."""
    rng = np.random.default_rng(seed)
    parameters: dict[str, FloatArray] = {
        "w1": rng.normal(0, 0.5, (hidden, 64)),
        "b1": np.zeros(hidden),
        "w2": rng.normal(0, 0.5, (10, hidden)),
        "b2": np.zeros(10),
    }
    mean = {name: np.zeros_like(value) for name, value in parameters.items()}
    square = {name: np.zeros_like(value) for name, value in parameters.items()}
    step = 0
    for epoch in range(epochs):
        order = rng.permutation(y.size)
        rate = 0.02 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        for first in range(0, y.size, BATCH):
            chosen = order[first : first + BATCH]
            shown = rng.binomial(TICKS, x[chosen]) / TICKS
            step += 1
            for name, slope in gradients(parameters, shown, y[chosen]).items():
                mean[name] = 0.9 * mean[name] + 0.1 * slope
                square[name] = 0.999 * square[name] + 0.001 * slope**2
                size = mean[name] / (1 - 0.9**step) / (np.sqrt(square[name] / (1 - 0.999**step)) + 1e-8)
                parameters[name] = parameters[name] - rate * size
                if name.startswith("w"):
                    parameters[name] = np.clip(parameters[name], -1.5, 1.5)
    return parameters


def spikes(weight: FloatArray, bias: FloatArray, threshold: float, inputs: FloatArray) -> FloatArray:
    """Integrate and fire with a subtracting reset: (samples, ticks, neurons)."""
    v = np.zeros((inputs.shape[0], weight.shape[0]))
    fired = np.zeros((*inputs.shape[:2], weight.shape[0]))
    for tick in range(inputs.shape[1]):
        v += inputs[:, tick] @ weight.T + bias
        fired[:, tick] = v >= threshold
        v -= threshold * fired[:, tick]
    return fired


def classify(weights: dict[str, Any], inputs: FloatArray) -> NDArray[np.int64]:
    """Class with most output spikes, the first on a tie."""
    hidden = spikes(weights["w1"], weights["b1"], THRESHOLDS["hidden"], inputs)
    out = spikes(weights["w2"], weights["b2"], THRESHOLDS["out"], hidden)
    return np.argmax(out.sum(axis=1), axis=1)


def network(hidden: int) -> str:
    """The network file beside the weights."""
    return f"""# Digits with trinary weights for crossbars, trained by train_trinary_digits.py.
format: neuroemu-network/1
name: trinary digits
dt: 1 ms
weights: digits_trinary.npz
populations:
  in: {{shape: [64]}}
  hidden: {{shape: [{hidden}], neuron: {{model: if, threshold: {THRESHOLDS["hidden"]}, compare: ge, reset: subtract}}}}
  out: {{shape: [10], neuron: {{model: if, threshold: {THRESHOLDS["out"]}, compare: ge, reset: subtract}}}}
projections:
  - {{from: in, to: hidden, stages: [{{dense: {{weight: w1}}}}], bias: b1}}
  - {{from: hidden, to: out, stages: [{{dense: {{weight: w2}}}}], bias: b2}}
outputs: [out]
"""


def main(arguments: list[str] | None = None) -> None:
    """Train, say how many test images are right, and write network and weights."""
    parser = argparse.ArgumentParser(description="Train digits with weights of -1, 0 and 1.")
    parser.add_argument("--hidden", type=int, default=96, help="hidden neurons")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("-o", "--output", type=Path, default=HERE, help="folder for digits_trinary.yaml and .npz")
    options = parser.parse_args(arguments)
    pictures, labels = load_digits(return_X_y=True)
    x, test_x, y, test_y = train_test_split(pictures / 16, labels, test_size=450, random_state=0, stratify=labels)
    parameters = train(x, y, 1, options.hidden, options.epochs)
    weights = {
        "w1": trinary(parameters["w1"]),
        "b1": rounded(parameters["b1"]),
        "w2": trinary(parameters["w2"]),
        "b2": rounded(parameters["b2"]),
    }
    coded = (np.random.default_rng(2).random((test_y.size, TICKS, 64)) < test_x[:, None]).astype(np.float64)
    recorded = np.load(HERE / "digits_test.npz")
    print(f"test images: {np.mean(classify(weights, coded) == test_y):.3f}")
    print(f"digits_test.npz: {np.mean(classify(weights, recorded['input'].astype(float)) == recorded['labels']):.3f}")
    np.savez_compressed(
        options.output / "digits_trinary.npz", **{name: value.astype(np.float32) for name, value in weights.items()}
    )
    (options.output / "digits_trinary.yaml").write_text(network(options.hidden), encoding="utf-8")


if __name__ == "__main__":
    main()
