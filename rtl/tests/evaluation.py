"""What the netlist of a one-stage datapath gives for given inputs, by yosys' own `eval`: no SMT terms, no solver."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from neuroemu.cosim.proof import OUTPUTS, SIGNED, Datapath

RESULTS = "values.txt"


def evaluation(datapath: Datapath, inputs: Mapping[str, int]) -> list[str]:
    """Commands of yosys that append the outputs to a file in its folder."""
    widths = {"arriving": datapath.acc_bits, "threshold": datapath.v_bits + 1}
    known = {"clk": 0, "advance": 0, **inputs}
    words = {
        name: value % (1 << widths.get(name, datapath.v_bits)) if value < 0 else value for name, value in known.items()
    }
    settings = "".join(f" -set {name} {word}" for name, word in words.items())
    shown = "".join(f" -show {name}" for name in OUTPUTS)
    return [f"tee -a {RESULTS} eval{settings}{shown}"]


def evaluated(datapath: Datapath, folder: Path) -> list[dict[str, int]]:
    """The outputs of every evaluation, in order."""
    printed = re.findall(r"Eval result: \\(\w+) = \d+'([01]+)", (folder / RESULTS).read_text(encoding="utf-8"))
    half = 1 << (datapath.v_bits - 1)
    values = [(name, (int(bits, 2) ^ half) - half if name in SIGNED else int(bits, 2)) for name, bits in printed]
    return [dict(values[first : first + len(OUTPUTS)]) for first in range(0, len(values), len(OUTPUTS))]
