"""Files in and out: networks (NIR, YAML) and spike samples, each chosen by content and loaded on first use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuroemu.errors import BadInput, Finding

if TYPE_CHECKING:
    from neuroemu.formats.dialects import Dialect
    from neuroemu.network.model import Network

__all__ = ["load"]

_BYTES_LOOKED_AT = 512
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAGIC_OF_OTHERS = {
    b"PK\x03\x04": "a zip archive (an .npz of samples, or a PyTorch checkpoint)",
    b"\x93NUMPY": "a numpy array",
    b"\x80": "a Python pickle, which is never read",
    b"\x08": "an ONNX or protobuf model",
}


def load(path: str | Path, dialect: str | Dialect = "auto", dt_s: float | None = None) -> Network:
    """Read a network file, NIR (HDF5) or YAML, told apart by content and not by name.

    Args:
        path: the file.
        dialect: for NIR, a preset name, ``auto`` or a :class:`~neuroemu.formats.dialects.Dialect`; a YAML file says
            everything itself, so only ``auto`` is accepted there.
        dt_s: for NIR, seconds per step.

    Raises:
        BadInput: everything wrong with the file (NE1001 unreadable, NE1002 no known format, and the readers' own).
    """
    file = Path(path)
    start = _first_bytes(file)
    if start.startswith(_HDF5_MAGIC):
        from neuroemu.formats.nir import load_nir

        return load_nir(file, dialect, dt_s)
    if _looks_like_text(start):
        from neuroemu.formats.yaml_network import load_yaml

        if dialect != "auto" or dt_s is not None:
            message = "a YAML network states its own step and update rules; --dialect and --dt are for NIR files"
            raise BadInput(Finding("NE1006", message, str(file), ("leave the option out, or edit the file",)))
        return load_yaml(file)
    what = next((name for magic, name in _MAGIC_OF_OTHERS.items() if start.startswith(magic)), "of no known kind")
    raise BadInput(
        Finding(
            "NE1002",
            f"is not a network file: it is {what if start else 'empty'}",
            str(file),
            ("give a .nir file (HDF5, from snnTorch, Norse, Sinabs, SpikingJelly, …) or a neuroemu .yaml network",),
        )
    )


def _first_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_BYTES_LOOKED_AT)
    except OSError as failure:
        fixes = _names_nearby(file) if isinstance(failure, FileNotFoundError) else ()
        message = f"cannot be read: {failure.strerror or failure}"
        raise BadInput(Finding("NE1001", message, str(file), fixes)) from None
    except ValueError as failure:
        raise BadInput(Finding("NE1001", f"cannot be read: {failure}", repr(str(file)))) from None


def _names_nearby(file: Path) -> tuple[str, ...]:
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in file.parent.iterdir() if entry.is_file()]
    except OSError:
        return (f"the folder {file.parent} does not exist",)
    near = get_close_matches(file.name, sorted(names), n=1)
    return (f"did you mean {file.parent / near[0]}?",) if near else ()


def _looks_like_text(start: bytes) -> bool:
    """UTF-8 without control characters; the last character may be cut off by the end of what was read."""
    if not start or any(byte < 32 and byte not in b"\t\n\r" for byte in start):
        return False
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as failure:
        return len(start) == _BYTES_LOOKED_AT and failure.start > len(start) - 4
    return True
