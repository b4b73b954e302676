"""Builds, proofs and co-simulations take minutes of processor time: tests of whole folders in here share all processors."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """``-n auto`` of pytest-xdist for folders, unless ``-n`` is given or somebody watches the tests."""
    option = config.option
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    watched = option.usepdb or option.trace or option.collectonly or option.capture == "no"
    if option.numprocesses is None and not watched and all(Path(name).is_dir() for name in config.args):
        option.numprocesses = "auto"
