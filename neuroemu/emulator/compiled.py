"""The one place that turns rules and kernels into machine code (Numba), and decides where the machine code is kept.

Numba's on-disk cache does not notice an edit in a function that a kernel merely calls, so the cache folder is named by the
hash of all package sources: any edit starts a fresh folder. A user's own Numba cache setting is left alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import cgutils, types
from numba.extending import intrinsic, overload, register_jitable

from neuroemu import arith

KernelFunction = TypeVar("KernelFunction", bound=Callable[..., Any])

_PACKAGE = Path(__file__).resolve().parents[1]
_KEPT_FOLDERS = 4

BUILDS = "builds"
"""Folder of the user cache for what other rooms build and key themselves; it outlives the kernels."""
_registered = 0


@overload(arith.select)
def _select_in_kernels(condition, when_true, when_false):  # type: ignore[no-untyped-def]  # Numba compares signatures
    return lambda condition, when_true, when_false: when_true if condition else when_false


def njit(function: KernelFunction) -> KernelFunction:
    """Compile ``function`` on first call, without the interpreter lock, cached on disk per state of the sources."""
    return _compiled(function, forceinline=False)


def inlined(function: KernelFunction) -> KernelFunction:
    """As :func:`njit`, for the body of a hot loop's caller: compiled anew into every kernel that calls it, so that constants
    which the caller passes shape the loop."""
    return _compiled(function, forceinline=True)


def _compiled(function: KernelFunction, forceinline: bool) -> KernelFunction:
    global _registered
    for collected in arith.RULES[_registered:]:
        register_jitable(collected)
    _registered = len(arith.RULES)
    kept = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(cache_folder())
    try:
        return cast(KernelFunction, numba.njit(function, cache=True, nogil=True, forceinline=forceinline))
    finally:
        numba.config.CACHE_DIR = kept


@intrinsic
def _prefetch(typing_context, array, index):  # type: ignore[no-untyped-def]  # Numba's own signature
    """LLVM prefetch of the cache line of ``array[index]`` for reading, to be kept in all levels."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        array_type = signature.args[0]
        structure = context.make_array(array_type)(context, builder, arguments[0])
        address = builder.gep(structure.data, [arguments[1]])
        pointer = cgutils.voidptr_t
        number = cgutils.int32_t
        kind = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [pointer, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [builder.bitcast(address, pointer), number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(array, types.intp), generate


def prefetch(array: Any, index: int) -> None:
    """Ask for the cache line of ``array[index]``; does nothing outside compiled kernels and for an empty array."""


@overload(prefetch)
def _prefetch_in_kernels(array, index):  # type: ignore[no-untyped-def]
    def generated(array, index):  # type: ignore[no-untyped-def]
        _prefetch(array, index)

    return generated


@cache
def cache_folder() -> Path:
    """Folder of the compiled kernels of exactly these sources (created on demand; a temporary one if not writable)."""
    folder = user_cache() / source_hash()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return Path(tempfile.mkdtemp(prefix="neuroemu-kernels-"))
    _prune(folder.parent)
    return folder


def needs_compilation() -> bool:
    """True when no kernel of these sources has been compiled on this machine yet (the first run takes longer)."""
    return not numba.config.DISABLE_JIT and not any(cache_folder().rglob("*.nbi"))


@cache
def source_hash() -> str:
    """Hash of every Python source of the package, 16 hex digits."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        digest.update(str(path.relative_to(_PACKAGE)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def user_cache() -> Path:
    """The folder of everything that is built on this machine; NEUROEMU_CACHE_DIR names another."""
    if configured := os.environ.get("NEUROEMU_CACHE_DIR"):
        return Path(configured)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "neuroemu"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "neuroemu" / "Cache"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "neuroemu"


def _prune(parent: Path) -> None:
    """Drop the kernels of all but the most recent source states."""
    states = (path for path in parent.iterdir() if path.is_dir() and path.name != BUILDS)
    folders = sorted(states, key=lambda path: path.stat().st_mtime)
    for stale in folders[:-_KEPT_FOLDERS]:
        shutil.rmtree(stale, ignore_errors=True)
