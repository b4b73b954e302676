"""What every test shares: the repository's folders, a seeded generator and reproducible property tests."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parents[1]
TESTS = Path(__file__).resolve().parent

# Rooms with kernels: their tests run a second time as plain Python unless marked ``compiled``.
ROOMS_WITH_KERNELS = ("emulator", "families", "mapping", "noc")

# Continuous integration replays the same examples every time; a developer's machine keeps searching.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what also runs with the compiler off."""
    for item in items:
        place = item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""
        if place in ROOMS_WITH_KERNELS and item.get_closest_marker("compiled") is None:
            item.add_marker("interpreted")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout these tests belong to."""
    return REPOSITORY


@pytest.fixture(scope="session")
def golden(repository: Path) -> Path:
    """Recorded behaviour of third-party software."""
    return repository / "tests" / "golden"


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh generator with a fixed seed."""
    return np.random.default_rng(20180116)
