"""`import neuroemu` and `neuroemu --help` load none of the heavy libraries; a running machine none of the toolchain."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.acceptance.command_line import EXAMPLES, REPOSITORY

HEAVY = {"numba", "llvmlite", "scipy", "h5py", "numpy", "networkx", "jinja2", "bitstring", "yaml"}
OF_TYPER = {"pydantic"}
"""What some versions of typer load by themselves to read an option."""


def loaded_after(statement: str) -> set[str]:
    """Modules in ``sys.modules`` after ``statement``; its own output goes to nowhere."""
    program = (
        "import contextlib, io, sys\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):\n"
        f"    with contextlib.suppress(SystemExit):\n        {statement}\n"
        "print(chr(10).join(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def packages(modules: set[str]) -> set[str]:
    return {name.split(".")[0] for name in modules}


def test_importing_the_package_loads_no_heavy_library() -> None:
    loaded = loaded_after("import neuroemu")
    assert packages(loaded) & (HEAVY | OF_TYPER | {"typer", "rich"}) == set()


@pytest.mark.parametrize("words", ["'--help'", "'deploy', '--help'", "'--version'", "'deploi'", "'chips', '--help'"])
def test_help_and_refused_words_load_no_heavy_library(words: str) -> None:
    loaded = loaded_after(f"from neuroemu.cli import main; main([{words}])")
    assert "neuroemu.cli" in loaded
    assert packages(loaded) & HEAVY == set()


def test_help_does_not_even_load_what_typer_needs_for_options() -> None:
    assert packages(loaded_after("from neuroemu.cli import main; main(['--help'])")) & OF_TYPER == set()


def test_explaining_a_code_needs_nothing_but_the_texts() -> None:
    loaded = loaded_after("from neuroemu.cli import main; main(['explain', 'NE3003'])")
    assert packages(loaded) & (HEAVY - {"yaml"}) == set()


def test_listing_chips_compiles_nothing() -> None:
    loaded = loaded_after("from neuroemu.cli import main; main(['chips', 'list'])")
    assert packages(loaded) & {"numba", "h5py", "networkx"} == set()


def test_checking_a_file_compiles_nothing() -> None:
    loaded = loaded_after(f"from neuroemu.cli import main; main(['check', {str(EXAMPLES / 'digits_mlp.nir')!r}])")
    assert "h5py" in packages(loaded)
    assert packages(loaded) & {"numba"} == set()
