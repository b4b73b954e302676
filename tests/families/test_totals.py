"""Without the time of every tick all totals and energies are the same, and no time is claimed."""

from __future__ import annotations

import numpy as np
import pytest

from neuroemu.emulator.protocol import Stimulus
from neuroemu.emulator.runner import run_ticks
from neuroemu.families import load_family
from neuroemu.toolchain import deploy
from tests.small import restless

pytestmark = pytest.mark.compiled

TICKS, INPUTS = 60, 12


@pytest.mark.parametrize("chip", ["loihi1", "lifcore", "sanafe-loihi"])
@pytest.mark.parametrize("threads", [1, 2])
def test_totals_do_not_need_the_time_of_every_tick(chip: str, threads: int) -> None:
    program = deploy(restless(), chip).compiled.program
    family = load_family(str(program.manifest["family"]))
    rain = np.random.default_rng(3).random((TICKS, INPUTS)) < 0.3
    tick, source = np.nonzero(rain)
    stimulus = Stimulus(tick.astype(np.int64), source.astype(np.int32))
    reports = []
    for per_tick in (True, False):
        booted = family.boot(program, threads=threads if not per_tick else 1, per_tick=per_tick)
        run_ticks(booted.engine, stimulus, TICKS, meter=booted.meter)
        reports.append(family.costs(booted, 1))
    timed, total = reports
    assert timed.counters["spikes"] > 0
    assert total.counters == timed.counters
    assert total.core_activity == timed.core_activity
    assert total.network == timed.network
    for mine, theirs in zip(total.sets, timed.sets, strict=True):
        assert mine.time is None and mine.time_lines == () and theirs.time is not None
        counted = [line for line in theirs.energy_lines if line.group not in ("static", "host")]
        assert [line for line in mine.energy_lines if line.group not in ("static", "host")] == counted
        assert all(line.value_j is None for line in mine.energy_lines if line.group in ("static", "host"))
