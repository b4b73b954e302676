"""Engines and meters give what changes and take it back: another chip goes on from there as the first one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroemu.emulator.snapshot import PER_TICK
from neuroemu.errors import BadInput
from neuroemu.families import Booted, load_family
from neuroemu.image.container import Program
from tests.restless import PROGRAMS, program_of

pytestmark = pytest.mark.compiled

TICKS, PERIOD, INPUTS = 60, 25, 12


@pytest.fixture(scope="module", params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> Program:
    return program_of(request.param)


def booted(program: Program, threads: int = 1) -> Booted:
    return load_family(str(program.manifest["family"])).boot(program, threads=threads)


def advanced(chip: Booted, first: int, last: int) -> list[tuple[int, int]]:
    """(tick, source) of the spikes of ticks ``first..last-1``; the meter watches."""
    rain = np.random.default_rng(3).random((TICKS, INPUTS)) < 0.3
    start = np.concatenate([[0], np.cumsum(rain[first:last].sum(axis=1))]).astype(np.int64)
    source = np.nonzero(rain[first:last])[1].astype(np.int32)
    chunk = chip.engine.advance(first, last, PERIOD, start, source, np.zeros(0, np.int64))
    chip.meter.observe(chunk)
    return list(zip(chunk.spike_tick.tolist(), chunk.spike_source.tolist(), strict=True))


def same(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return first.keys() == second.keys() and all(
        first[name].dtype == second[name].dtype and np.array_equal(first[name], second[name]) for name in first
    )


@pytest.mark.parametrize("cut", [0, 1, 13, 25, 26, 59])
def test_another_chip_goes_on_from_a_snapshot_as_the_first_one_does(cut: int, program: Program) -> None:
    first, second = booted(program), booted(program)
    before = advanced(first, 0, cut)
    second.engine.restore(first.engine.snapshot())
    second.meter.restore(first.meter.snapshot())
    after = advanced(first, cut, TICKS)
    assert advanced(second, cut, TICKS) == after
    assert len(before) + len(after) > 100
    assert same(first.engine.snapshot(), second.engine.snapshot())
    assert same(first.meter.snapshot(), second.meter.snapshot())


@pytest.mark.parametrize(("before", "after"), [(1, 4), (3, 1), (2, 3)])
def test_a_snapshot_is_the_same_for_any_number_of_threads(before: int, after: int, program: Program) -> None:
    first, second, alone = booted(program, before), booted(program, after), booted(program)
    for chip in (first, alone):
        advanced(chip, 0, 31)
    assert same(first.engine.snapshot(), alone.engine.snapshot())
    second.engine.restore(first.engine.snapshot())
    second.meter.restore(first.meter.snapshot())
    assert advanced(second, 31, TICKS) == advanced(alone, 31, TICKS)
    assert same(second.engine.snapshot(), alone.engine.snapshot())
    assert same(second.meter.snapshot(), alone.meter.snapshot())


def test_spikes_under_way_and_noise_are_part_of_what_goes_on() -> None:
    quiet, loud = (advanced(booted(program_of(name)), 0, TICKS) for name in ("loihi1", "loihi1 with noise"))
    assert quiet != loud
    chip = booted(program_of("loihi1"))
    advanced(chip, 0, 13)
    assert np.count_nonzero(chip.engine.snapshot()["arriving"].any(axis=1)) > 2


def test_a_snapshot_is_a_copy(program: Program) -> None:
    chip = booted(program)
    advanced(chip, 0, 10)
    engine, meter = chip.engine.snapshot(), chip.meter.snapshot()
    kept = {name: array.copy() for name, array in engine.items()}, {name: array.copy() for name, array in meter.items()}
    advanced(chip, 10, 20)
    assert same(engine, kept[0]) and same(meter, kept[1])
    other = booted(program)
    other.engine.restore(engine)
    other.meter.restore(meter)
    advanced(other, 10, 20)
    assert same(engine, kept[0]) and same(meter, kept[1])


def test_what_a_meter_counts_per_tick_only_grows(program: Program) -> None:
    chip = booted(program)
    advanced(chip, 0, 10)
    early = chip.meter.snapshot()
    advanced(chip, 10, 20)
    late = chip.meter.snapshot()
    names = [name for name in late if name.startswith(PER_TICK)]
    assert names
    for name in names:
        assert (early[name].shape[0], late[name].shape[0]) == (10, 20)
        assert np.array_equal(early[name], late[name][:10])


def test_a_meter_that_times_no_ticks_keeps_none_and_goes_on_as_well(program: Program) -> None:
    family = load_family(str(program.manifest["family"]))
    first, second = (family.boot(program, per_tick=False) for _ in range(2))
    advanced(first, 0, 31)
    kept = first.meter.snapshot()
    assert [name for name in kept if name.startswith(PER_TICK)] == []
    second.engine.restore(first.engine.snapshot())
    second.meter.restore(kept)
    assert advanced(first, 31, TICKS) == advanced(second, 31, TICKS)
    assert same(first.meter.snapshot(), second.meter.snapshot())


def test_arrays_that_do_not_fit_are_refused_all_at_once_and_change_nothing(program: Program) -> None:
    for part in (booted(program).engine, booted(program).meter):
        before = part.snapshot()
        names = sorted(name for name in before if before[name].ndim)
        wrong = {name: array for name, array in before.items() if name != names[0]}
        wrong |= {"foreign": np.zeros(1), names[1]: before[names[1]].astype(np.float32)}
        with pytest.raises(BadInput) as caught:
            part.restore(wrong)
        told = [(finding.code, finding.message) for finding in caught.value.findings]
        assert [code for code, _ in told] == ["NE6020"] * 3
        for name in ("foreign", *names[:2]):
            assert any(f"'{name}'" in message for _, message in told)
        assert same(part.snapshot(), before)


def test_state_of_another_size_is_refused(program: Program) -> None:
    engine = booted(program).engine
    longer = {name: np.concatenate([array, array], axis=-1) for name, array in engine.snapshot().items()}
    with pytest.raises(BadInput, match="NE6020"):
        engine.restore(longer)


@pytest.mark.parametrize("ticks", [9, 11, -1])
def test_as_many_rows_per_tick_as_ticks_or_refused(ticks: int, program: Program) -> None:
    chip = booted(program)
    advanced(chip, 0, 10)
    wrong = {**chip.meter.snapshot(), "ticks": np.array(ticks, np.int64)}
    with pytest.raises(BadInput, match="NE6020"):
        chip.meter.restore(wrong)
