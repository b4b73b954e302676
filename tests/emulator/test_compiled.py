"""Machine code is kept per state of the sources, in a folder that is always writable."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest

from neuroemu import arith
from neuroemu.emulator import compiled
from neuroemu.emulator.compiled import cache_folder, needs_compilation, njit, source_hash


@pytest.fixture
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of its own; what was remembered comes back afterwards."""
    monkeypatch.setenv("NEUROEMU_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.setattr(compiled, "cache_folder", cache_folder.__wrapped__)
    yield tmp_path / "kernels"


def test_the_hash_names_exactly_these_sources() -> None:
    assert len(source_hash()) == 16
    assert source_hash.__wrapped__() == source_hash()


def test_an_edited_source_starts_a_new_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules.py").write_text("LIMIT = 1\n")
    monkeypatch.setattr(compiled, "_PACKAGE", tmp_path)
    before = source_hash.__wrapped__()
    (tmp_path / "rules.py").write_text("LIMIT = 2\n")
    assert source_hash.__wrapped__() != before


def test_the_cache_folder_is_named_by_the_sources(fresh_cache: Path) -> None:
    assert compiled.cache_folder() == fresh_cache / source_hash()
    assert compiled.cache_folder().is_dir()


def test_only_the_latest_states_of_the_sources_are_kept(fresh_cache: Path) -> None:
    for age in range(6):
        old = fresh_cache / f"state{age}"
        old.mkdir(parents=True)
        os.utime(old, (age, age))
    compiled.cache_folder()
    assert sorted(path.name for path in fresh_cache.iterdir()) == sorted([source_hash(), "state3", "state4", "state5"])


def test_what_other_rooms_built_outlives_the_kernels(fresh_cache: Path) -> None:
    folder = fresh_cache / compiled.BUILDS
    folder.mkdir(parents=True)
    os.utime(folder, (0, 0))
    for age in range(6):
        (fresh_cache / f"state{age}").mkdir()
    compiled._prune(fresh_cache)
    assert folder.is_dir()


def test_a_cache_that_cannot_be_written_falls_back_to_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NEUROEMU_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setattr(compiled.tempfile, "tempdir", str(tmp_path))
    folder = cache_folder.__wrapped__()
    assert folder.parent == tmp_path and folder.is_dir()


@pytest.mark.parametrize(
    ("platform", "variable", "expected"),
    [
        ("linux", "XDG_CACHE_HOME", "neuroemu"),
        ("win32", "LOCALAPPDATA", "neuroemu/Cache"),
        ("darwin", "HOME", "Library/Caches/neuroemu"),
    ],
)
def test_the_users_cache_lies_where_the_system_keeps_caches(
    platform: str, variable: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEUROEMU_CACHE_DIR", raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.setattr(compiled.sys, "platform", platform)
    assert compiled.user_cache() == tmp_path / expected


def test_a_first_run_knows_that_it_will_compile(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 0)
    assert needs_compilation()
    (compiled.cache_folder() / "kernel.nbi").touch()
    assert not needs_compilation()


def test_with_the_compiler_off_nothing_needs_compilation(fresh_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert not needs_compilation()


def test_a_users_own_numba_cache_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", "mine")
    njit(lambda value: value)
    assert numba.config.CACHE_DIR == "mine"


def test_a_kernel_may_call_rules_and_select() -> None:
    @njit
    def kernel(value: int) -> int:
        return arith.clamp(arith.select(value > 3, -value, value), -5, 2)

    assert [int(kernel(value)) for value in (1, 3, 4, 9)] == [1, 2, -4, -5]


def test_an_edited_rule_reaches_the_kernels_that_call_it(tmp_path: Path) -> None:
    """The on-disk cache of a kernel does not see a changed callee by itself; the folder's name makes it."""
    package = tmp_path / "neuroemu"
    for name in ("__init__.py", "errors.py", "arith.py", "emulator/__init__.py", "emulator/compiled.py"):
        target = package / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((compiled._PACKAGE / name).read_text(encoding="utf-8"), encoding="utf-8")
    (package / "kernel.py").write_text(
        "from neuroemu.emulator.compiled import njit\nfrom neuroemu import rules\n\n"
        "@njit\ndef kernel(value):\n    return rules.step(value)\n"
    )

    def answer(amount: int) -> str:
        rule = f"from neuroemu.arith import rule\n\n@rule\ndef step(value):\n    return value + {amount}\n"
        (package / "rules.py").write_text(rule)
        environment = {**os.environ, "NEUROEMU_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-c", "from neuroemu.kernel import kernel; print(kernel(1))"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert [answer(1), answer(10)] == ["2", "11"]
