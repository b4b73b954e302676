"""The register map of the open LIF core is written down once and documented as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroemu.emulator.runner import NEVER
from neuroemu.errors import BadInput
from neuroemu.families.lifcore import dynamics
from neuroemu.families.lifcore.image import DENSE, LAYOUTS, LISTED, ProgramImage, pack, unpack
from neuroemu.families.lifcore.load import load_program
from neuroemu.image.bitfields import field_table
from neuroemu.toolchain import deploy
from tests.small import restless

PAGE = Path(__file__).resolve().parents[3] / "docs" / "chips" / "lifcore.md"


def test_the_documented_register_map_is_the_one_in_use() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [layout.name for layout in LAYOUTS if field_table(layout) not in page] == []


def test_a_dense_synapse_is_a_weight_alone() -> None:
    assert (DENSE.width, LISTED.width) == (16, 16 + 6 + 20)


def with_leak(amount: int, mode: int = dynamics.LEAK_SCALE) -> ProgramImage:
    """A deployed program whose leak registers are overwritten."""
    image = unpack(deploy(restless(), "lifcore").compiled.program)
    cores = [
        replace(
            core,
            profiles=core.profiles
            | {
                "leak_amount": np.full_like(core.profiles["leak_amount"], amount),
                "leak_mode": np.full_like(core.profiles["leak_mode"], mode),
            },
        )
        for core in image.cores
    ]
    return replace(image, cores=tuple(cores))


def test_a_leak_keeps_at_most_everything() -> None:
    assert unpack(pack(with_leak(4096))).cores
    with pytest.raises(BadInput, match="keeps 4097 of 4096 parts"):
        unpack(pack(with_leak(4097)))


@pytest.mark.compiled
@pytest.mark.parametrize("shift", [31, 32, 40])
def test_a_leak_by_a_wide_shift_takes_what_the_rule_takes(shift: int) -> None:
    """The lowest potential loses 1 by a shift of 31 and nothing by more."""
    lowest = -(1 << 31)
    image = with_leak(shift, dynamics.LEAK_SHIFT)
    cores = [
        replace(core, neurons=core.neurons | {"initial": np.full_like(core.neurons["initial"], lowest)})
        for core in image.cores
    ]
    engine = load_program(replace(image, cores=tuple(cores)))[0].engine()
    inside = engine.shards[0].state.v.shape[0]
    chunk = engine.advance(0, 1, NEVER, np.zeros(2, np.int64), np.zeros(0, np.int32), np.arange(inside))
    bias = engine.shards[0].fixed.bias * (engine.shards[0].fixed.segments.bias_start[0] == 0)
    assert chunk.probes["v"][0, bias == 0].tolist() == [dynamics.leak(lowest, dynamics.LEAK_SHIFT, shift)] * int(
        (bias == 0).sum()
    )
    assert (bias == 0).any()
