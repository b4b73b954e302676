"""Sample reports, and one browser for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.report import sample
from tools.chromium import Chromium, NoChromium, chromium


@pytest.fixture
def digits() -> dict[str, Any]:
    """A small network on one core, everything known."""
    return sample.digits_on_one_core()


@pytest.fixture
def conv() -> dict[str, Any]:
    """A convolutional network on sixty cores, with a dead and a saturated layer and some unknown numbers."""
    return sample.conv_on_sixty_cores()


@pytest.fixture
def refused() -> dict[str, Any]:
    """A network that does not fit."""
    return sample.does_not_fit()


@pytest.fixture
def unknown(conv: dict[str, Any]) -> dict[str, Any]:
    """A report in which every number that may be unknown is."""
    return sample.with_unknowns(conv)


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    """Headless Chromium; a machine without it fails these tests, since the page would go unseen."""
    try:
        with chromium() as running:
            yield running
    except NoChromium as missing:
        pytest.fail(str(missing), pytrace=False)
