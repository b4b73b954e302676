"""What a user gets with `pip install`: the package, the chips, the recorded cases, and nothing else."""

from __future__ import annotations

import email
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as the build backend makes it, without any download."""
    folder = tmp_path_factory.mktemp("wheel")
    build = f"import hatchling.build; hatchling.build.build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", build], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    (path,) = folder.glob("neuroemu-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


def files_below(folder: str, *suffixes: str) -> set[str]:
    """Repository files below ``folder`` that are no build leftovers, relative to it."""
    root = REPOSITORY / folder
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and (not suffixes or path.suffix in suffixes)
    }


def test_every_chip_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    chips = files_below("chips", ".yaml")
    assert "loihi1.yaml" in chips
    assert {f"neuroemu/_chips/{name}" for name in chips} <= set(wheel.namelist())


def test_the_recorded_cases_are_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    cases = files_below("tests/golden")
    assert any(name.startswith("loihi/") for name in cases)
    assert {f"neuroemu/_golden/{name}" for name in cases} <= set(wheel.namelist())


def test_every_file_of_the_package_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    package = {f"neuroemu/{name}" for name in files_below("neuroemu")}
    assert package <= set(wheel.namelist())
    assert "neuroemu/py.typed" in package
    assert "neuroemu/explanations/internal.yaml" in package


def test_the_wheel_holds_nothing_but_the_package(wheel: zipfile.ZipFile) -> None:
    folders = {name.split("/")[0] for name in wheel.namelist()}
    assert folders == {"neuroemu", "neuroemu-0.1.0.dist-info"}
    leftovers = [name for name in wheel.namelist() if name.endswith((".pyc", ".nbi", ".nbc"))]
    assert leftovers == []


def test_the_wheel_installs_the_command_and_names_licence_and_version(wheel: zipfile.ZipFile) -> None:
    import neuroemu

    entry_points = wheel.read("neuroemu-0.1.0.dist-info/entry_points.txt").decode()
    assert "neuroemu = neuroemu.cli:main" in entry_points
    metadata = email.message_from_bytes(wheel.read("neuroemu-0.1.0.dist-info/METADATA"))
    assert metadata["Version"] == neuroemu.__version__
    assert metadata["License-Expression"] == "Apache-2.0"
    assert wheel.read("neuroemu-0.1.0.dist-info/licenses/LICENSE") == (REPOSITORY / "LICENSE").read_bytes()


def test_the_wheel_stays_small(wheel: zipfile.ZipFile) -> None:
    megabytes = sum(entry.compress_size for entry in wheel.infolist()) / 1e6
    assert megabytes < 12
