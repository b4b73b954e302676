"""Builds Verilog and a C++ harness into a shared library, once per state of everything that goes into it."""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

from neuroemu.cosim.tools import compiler, own_sources, sources, verilator_root, verilog_texts
from neuroemu.emulator.compiled import BUILDS, user_cache
from neuroemu.errors import BadInput, Finding

PREFIX = "Vcore"
"""Name of the class that Verilator writes, whatever the module is called."""

_VERILATOR = ("--cc", "-O3", "--x-assign", "fast", "--x-initial", "unique", "--no-assert", "--prefix", PREFIX)
_CXX = ("-std=c++17", "-fPIC", "-O3", "-w", "-DVL_TIME_CONTEXT", "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0")
_HOOKS = ("-DVL_USER_FINISH", "-DVL_USER_STOP", "-DVL_USER_FATAL", "-DVL_PRINTF(...)=fprintf(stderr,__VA_ARGS__)")
"""What Verilog ends, the harness ends; what it says goes to the standard error."""
_RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
_TRACED_RUNTIME = (*_RUNTIME, "verilated_vcd_c.cpp")
_LINES_SHOWN = 12
_MISSING = re.compile(r"Cannot find (file containing module|include file): '([^']+)'")
_PORT = re.compile(r"no member named '(\w+)'")
_LISTED = re.compile(r'^S .*"([^"]+)"$', re.MULTILINE)

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
    _tools()
    verilog = sources() if folder is None else own_sources(folder, top)
    texts = verilog_texts(verilog)
    settings = [top, sorted(parameters.items()), sorted(defines.items()), trace, _VERILATOR, _CXX, _HOOKS, _versions()]
    digest = hashlib.sha256(repr(settings).encode())
    for name, text in (*texts.items(), *((file.name, file.read_bytes()) for file in harness)):
        digest.update(f"{name}\0{len(text)}\0".encode() + text)
    kept = _cache() / f"{top}-{digest.hexdigest()[:20]}.so"
    if not kept.exists():
        if note is not None:
            note(f"building {top} with Verilator: some seconds, then it is in {kept.parent}")
        macros = {**defines, **({"TRACE": 1} if trace else {})}
        with tempfile.TemporaryDirectory(prefix="neuroemu-build-") as work:
            generated = _verilated(Path(work), top, parameters, texts, verilog, trace)
            _keep(_compiled(generated, top, harness, macros), kept)
    return kept


def _tools() -> None:
    """Raises BadInput (NE7201, NE7202) for all tools that are missing."""
    findings: list[Finding] = []
    for tool in (verilator_root, compiler):
        try:
            tool()
        except BadInput as missing:
            findings.extend(missing.findings)
    if findings:
        raise BadInput(findings)


def _verilated(
    work: Path, top: str, parameters: Mapping[str, int], texts: Mapping[str, bytes], folder: Path, trace: bool
) -> Path:
    """A folder below ``work`` with the C++ of a module.

    Verilator stands in a folder that holds ``texts`` alone, so that it reads nothing that is not in the name of the build.

    Raises:
        BadInput: NE7204 for refused sources, NE7206 for a module or an included file that is not among them.
    """
    own, generated = work / "verilog", work / "generated"
    own.mkdir()
    for name, text in texts.items():
        (own / name).write_bytes(text)
    root = verilator_root()
    chosen = [f"-G{key}={value}" for key, value in sorted(parameters.items())]
    tracing = ("--trace",) if trace else ()
    said = _call([root / "bin" / "verilator_bin", *_VERILATOR, *tracing, "--top-module", top, *chosen,
                  "--Mdir", generated, f"{top}.v"], own)  # fmt: skip
    if said is not None:
        if missing := _MISSING.findall(said):
            files = sorted({f"{name}.v" if what.endswith("module") else name for what, name in missing})
            message = (
                f"holds no {', '.join(files)}, which {top} needs; files *.v and *.vh in the folder itself are read"
            )
            raise BadInput(Finding("NE7206", message, str(folder), ("copy the missing files there",)))
        fixes = ("correct the line that is named",)
        raise BadInput(Finding("NE7204", f"Verilator refuses the sources: {said}", str(folder), fixes))
    listed = _LISTED.findall((generated / f"{PREFIX}__verFiles.dat").read_text(encoding="utf-8"))
    if far := [name for name in listed if Path(name).is_absolute() and root not in Path(name).parents]:
        message = f"reads {', '.join(far)}; only files *.v and *.vh of the folder itself belong to a build"
        raise BadInput(Finding("NE7204", message, str(folder), ("copy the included file there",)))
    return generated


def _compiled(generated: Path, top: str, harness: Sequence[Path], defines: Mapping[str, int]) -> Path:
    """The library of generated C++ and a harness, beside the C++."""
    runtime = _runtime("TRACE" in defines)
    parts = [*sorted(generated.glob(f"{PREFIX}*.cpp")), *harness]
    whole, built = generated / "whole.cpp", generated / "built.so"
    whole.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
    macros = [f"-D{key}={value}" for key, value in sorted(defines.items())]
    paths = [*_includes(verilator_root()), f"-I{generated}"]
    said = _call([*compiler(), *_CXX, *_HOOKS, *macros, *paths, "-shared", "-o", built, whole, *runtime, "-lpthread"])
    if said is not None:
        if ports := sorted(set(_PORT.findall(said))):
            message = f"lacks the ports {', '.join(ports)}, which co-simulation needs"
            raise BadInput(Finding("NE7204", message, f"{top}.v", ("name the ports as the package's source does",)))
        raise BadInput(_compiler_ended(said))
    return built


def _compiler_ended(said: str) -> Finding:
    fixes = ("check that the compiler works", *(["remove the variable CXX"] if os.environ.get("CXX") else []))
    return Finding("NE7204", f"{Path(compiler()[0]).name} {said}", fixes=fixes)


def _runtime(trace: bool) -> list[Path]:
    """Verilator's own C++ files as objects, compiled once."""
    root = verilator_root()
    key = hashlib.sha256(repr((_CXX, _HOOKS, _versions())).encode()).hexdigest()[:20]
    objects = []
    for name in _TRACED_RUNTIME if trace else _RUNTIME:
        kept = _cache() / f"{Path(name).stem}-{key}.o"
        if not kept.exists():
            with tempfile.TemporaryDirectory(prefix="neuroemu-build-") as folder:
                built = Path(folder) / kept.name
                said = _call(
                    [*compiler(), *_CXX, *_HOOKS, *_includes(root), "-c", "-o", built, root / "include" / name]
                )
                if said is not None:
                    raise BadInput(_compiler_ended(said))
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
        elsewhere = Path(tempfile.mkdtemp(prefix="neuroemu-builds-"))
        atexit.register(shutil.rmtree, elsewhere, ignore_errors=True)
        return elsewhere


@cache
def _versions() -> tuple[str, ...]:
    """Of Verilator and the compiler, with the compiler's arguments."""
    command, *arguments = compiler()
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return version("verilator"), told.stdout.splitlines()[0] if told.stdout else command, *arguments


def _call(arguments: Sequence[str | Path], folder: Path | None = None) -> str | None:
    """Run a tool in a folder; None if it is content, else with what it ended and the first lines of what it said."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(verilator_root()), "LC_ALL": "C"},
    )
    if not done.returncode:
        return None
    said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()][:_LINES_SHOWN]
    return f"ended with {done.returncode}: " + "\n    ".join(said)
