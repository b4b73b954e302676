"""Builds Verilog and a C++ harness into a shared library, once per state of everything that goes into it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from neuroemu.cosim.tools import compiler, own_sources, sources, verilator_root
from neuroemu.emulator.compiled import BUILDS, user_cache
from neuroemu.errors import BadInput, Finding

PREFIX = "Vcore"
"""Name of the class that Verilator writes, whatever the module is called."""

_VERILATOR = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-assert", "--prefix", PREFIX)
_CXX = ("-std=c++17", "-fPIC", "-O3", "-w", "-DVL_TIME_CONTEXT", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_TRACED_RUNTIME = (*_RUNTIME, "verilated_vcd_c.cpp")
_LINES_SHOWN = 12

Note = Callable[[str], None]


def library(
    top: str,
    parameters: Mapping[str, int],
    harness: Sequence[Path],
    defines: Mapping[str, int],
    *,
    trace: bool = False,
    folder: Path | None = None,
    note: Note | None = None,
) -> Path:
    """A shared library of module ``top`` and ``harness``, from the cache if nothing has changed.

    Args:
        parameters: Verilog parameter -> value.
        harness: C++ files that include ``Vcore.h``, one after the other.
        defines: macros of the harness; a build that traces has TRACE as well.
        trace: whether the library can write waveforms (VCD).
        folder: Verilog sources instead of those of the package.
        note: told before something is built.

    Raises:
        BadInput: NE7201 to NE7203 for missing tools, NE7204 when a tool refuses the sources, NE7206 for a folder without them.
    """
    verilog = sources() if folder is None else own_sources(folder, top)
    files = sorted([*verilog.glob("*.v"), *verilog.glob("*.vh")])
    settings = [top, sorted(parameters.items()), sorted(defines.items()), trace, _VERILATOR, _CXX, _versions()]
    digest = hashlib.sha256(repr(settings).encode())
    for file in (*files, *harness):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    kept = _cache() / f"{top}-{digest.hexdigest()[:20]}.so"
    if not kept.exists():
        if note is not None:
            note(f"building {top} with Verilator: about 10 s, then it is in the cache")
        _build(kept, top, parameters, verilog, harness, {**defines, **({"TRACE": 1} if trace else {})})
    return kept


def _build(
    kept: Path,
    top: str,
    parameters: Mapping[str, int],
    verilog: Path,
    harness: Sequence[Path],
    defines: Mapping[str, int],
) -> None:
    runtime = _runtime("TRACE" in defines)
    root = verilator_root()
    with tempfile.TemporaryDirectory(prefix="neuroemu-build-") as name:
        work = Path(name)
        trace = ("--trace",) if "TRACE" in defines else ()
        chosen = [f"-G{key}={value}" for key, value in sorted(parameters.items())]
        _call([root / "bin" / "verilator_bin", *_VERILATOR, *trace, "--top-module", top, *chosen, f"-I{verilog}",
               "--Mdir", work, verilog / f"{top}.v"])  # fmt: skip
        parts = [*sorted(work.glob(f"{PREFIX}*.cpp")), *harness]
        whole = work / "whole.cpp"
        whole.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        macros = [f"-D{key}={value}" for key, value in sorted(defines.items())]
        built = work / kept.name
        _call(
            [
                *compiler(),
                *_CXX,
                *macros,
                *_includes(root),
                f"-I{work}",
                "-shared",
                "-o",
                built,
                whole,
                *runtime,
                "-lpthread",
            ]
        )
        _keep(built, kept)


def _runtime(trace: bool) -> list[Path]:
    """Verilator's own C++ files as objects, compiled once."""
    root = verilator_root()
    key = hashlib.sha256(repr((_CXX, _versions())).encode()).hexdigest()[:20]
    objects = []
    for name in _TRACED_RUNTIME if trace else _RUNTIME:
        kept = _cache() / f"{Path(name).stem}-{key}.o"
        if not kept.exists():
            with tempfile.TemporaryDirectory(prefix="neuroemu-build-") as folder:
                built = Path(folder) / kept.name
                _call([*compiler(), *_CXX, *_includes(root), "-c", "-o", built, root / "include" / name])
                _keep(built, kept)
        objects.append(kept)
    return objects


def _includes(root: Path) -> list[str]:
    return [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]


def _keep(built: Path, kept: Path) -> None:
    """Move a file into the cache; it appears there whole or not at all."""
    with tempfile.NamedTemporaryFile(dir=kept.parent, prefix=f".{kept.name}.", delete=False) as temporary:
        pass
    shutil.copyfile(built, temporary.name)
    os.chmod(temporary.name, 0o755)
    os.replace(temporary.name, kept)


@cache
def _cache() -> Path:
    """Where builds are kept; for this process alone where the user's cache cannot be written."""
    folder = user_cache() / BUILDS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="neuroemu-builds-"))


@cache
def _versions() -> tuple[str, ...]:
    """Of Verilator and the compiler, with the compiler's arguments."""
    command, *arguments = compiler()
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return version("verilator"), told.stdout.splitlines()[0] if told.stdout else command, *arguments


def _call(arguments: Sequence[str | Path]) -> None:
    root = str(verilator_root())
    done = subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "VERILATOR_ROOT": root},
    )
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()][:_LINES_SHOWN]
        message = f"{Path(arguments[0]).name} ended with {done.returncode}: " + "\n    ".join(said)
        fixes = ("check that the compiler works", "remove the variable CXX") if os.environ.get("CXX") else ()
        raise BadInput(Finding("NE7204", message, fixes=fixes))
