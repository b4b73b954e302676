"""Any small program and any short list of events: a case that fails is shrunk, printed and kept as a regression file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from neuroemu.cosim.core import RtlCores
from rtl.tests.planted import with_bug
from rtl.tests.small_cases import NEURONS, REGRESSIONS, SmallCase, build_of, difference, small_case, small_cases

SEARCH = settings(
    max_examples=5000,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
FOUND = "found.json"
"""The smallest case of the last failure; give it the name of the bug and keep it."""


@pytest.fixture(scope="module")
def cores() -> Iterator[Mapping[int, RtlCores]]:
    """A core with one stage and one with three, used by all examples one after the other."""
    with RtlCores(build_of(1), [NEURONS], [0]) as short, RtlCores(build_of(3), [NEURONS], [0]) as long:
        yield {1: short, 3: long}


def check(case: SmallCase, cores: RtlCores, folder: Path) -> None:
    """Fail with the case and what differs; the last failing case, which is the smallest, stays in ``folder``."""
    differs = difference(case, cores)
    if differs is not None:
        folder.mkdir(exist_ok=True)
        (folder / FOUND).write_text(case.text(), encoding="utf-8")
    assert differs is None, f"{differs}\nevents [tick, axon]: {case.events}\n{case.text()}kept as {folder / FOUND}"


@given(small_cases())
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_any_small_program_agrees(cores: Mapping[int, RtlCores], case: SmallCase) -> None:
    check(case, cores[case.stages], REGRESSIONS)


@pytest.mark.parametrize("file", sorted(REGRESSIONS.glob("*.json")), ids=lambda path: path.stem)
def test_what_once_failed_agrees(cores: Mapping[int, RtlCores], file: Path) -> None:
    case = small_case(file.read_text(encoding="utf-8"))
    assert difference(case, cores[case.stages]) is None


def test_a_bug_is_shrunk_to_the_event_that_shows_it_and_kept(tmp_path: Path, cores: Mapping[int, RtlCores]) -> None:
    sources = with_bug("weights are subtracted", tmp_path / "rtl")
    with RtlCores(build_of(1), [NEURONS], [0], folder=sources) as wrong:
        smallest = find(
            small_cases(),
            lambda case: case.stages == 1 and difference(case, wrong) is not None,
            settings=SEARCH,
        )
        assert len(smallest.events) == 1
        with pytest.raises(AssertionError, match=r"events \[tick, axon\]: \[[^$]*kept as"):
            check(smallest, wrong, tmp_path / "regressions")
        kept = small_case((tmp_path / "regressions" / FOUND).read_text(encoding="utf-8"))
        assert kept == smallest
        assert difference(kept, wrong) is not None
    assert difference(kept, cores[1]) is None
